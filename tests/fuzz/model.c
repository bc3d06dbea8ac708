/* SPDX-License-Identifier: MIT
 * Fuzz target: a model file as a whole, from its metadata to a prediction. */
#include <attractivenet/mobilenetv2.h>

#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static an_backend *backend; /* one for all runs: making it is no part of the parser */
    static float x[64 * 64 * 3];
    an_model *model = NULL;
    an_error err;
    if (!backend) {
        an_backend_options options;
        an_backend_options_init(&options, sizeof options);
        options.threads = 1;
        REQUIRE(!an_backend_create(&backend, &options, &err));
    }
    const an_status st =
        an_model_load_bytes(&model, backend, data, (int64_t)size, NULL, NULL, &err);
    if (st) {
        REQUIRE(!model);
        /* a file that leaves something open asks for an option */
        if (st != AN_ERR_ARG) fuzz_check_status(st, &err);
        REQUIRE(err.status == st && err.message[0]);
        return 0;
    }
    an_model_info info = {.struct_size = sizeof info};
    REQUIRE(!an_model_describe(model, &info, &err));
    REQUIRE(info.height >= 32 && info.width >= 32 && info.height <= 8192 && info.width <= 8192);
    REQUIRE(info.outputs >= 1 && info.outputs <= 10000 && info.alpha > 0);
    for (int32_t i = 0; i < an_model_class_count(model); i++)
        fuzz_touch(an_model_class_name(model, i), (int64_t)strlen(an_model_class_name(model, i)));
    REQUIRE(!an_model_class_count(model) || info.task == AN_TASK_CLASSIFICATION);
    if (info.height <= 64 && info.width <= 64) {
        float y[10000];
        REQUIRE(!an_model_predict(model, x, 1, y, &err));
        fuzz_touch(y, info.outputs * (int64_t)sizeof *y);
    }
    an_model_destroy(model);
    return 0;
}
