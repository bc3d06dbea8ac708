/* SPDX-License-Identifier: MIT
 * Fuzz target: an ONNX graph as the weights of a MobileNetV2. */
#include "fuzz.h"
#include "mobilenetv2/onnx_net.h"
#include "weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    an_arrays *arrays = NULL;
    an_error err;
    REQUIRE(!an_arrays_create(&arrays, &err));
    const an_status st = ani_onnx_net_read(arrays, data, (int64_t)size, "input", &err);
    fuzz_check_status(st, &err);
    /* Each unit's kernel may be the same constant. */
    if (!st) fuzz_check_arrays(arrays, 64 * size + 64);
    an_arrays_destroy(arrays);
    return 0;
}
