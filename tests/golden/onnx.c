/* SPDX-License-Identifier: MIT
 * Topic onnx: files of PyTorch, tf2onnx and this library give what ONNX Runtime computes with them.
 */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/dataset.h>
#include <attractivenet/mobilenetv2.h>

/* scale: AUTO if the file says it. Logits are scores: the file has no activation. */
static void check(an_backend *backend, const st_file *expected, const char *name, int32_t scale,
                  int32_t padding, int32_t task) {
    char relative[64];
    an_error error;
    an_model *model = NULL;
    an_mobilenetv2_options options;
    an_model_info info = {.struct_size = sizeof info};
    float tables[768], y[8];
    snprintf(relative, sizeof relative, "onnx/%s.onnx", name);
    const st_array *want = st_find(expected, "%s", name), *image = st_find(expected, "image");
    assert_non_null(want);
    assert_non_null(image);
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = (int32_t)image->shape[1]; /* one file leaves it free */
    options.scale = scale;
    if (an_model_load(&model, backend, golden_path(relative), &options, &error) ||
        an_model_describe(model, &info, &error))
        fail_msg("%s: %s", name, error.message);
    assert_int_equal(info.padding, padding);
    assert_int_equal(info.task, task);
    assert_int_equal(info.outputs, want->shape[1]);
    float *x = malloc((size_t)image->count * sizeof *x);
    assert_non_null(x);
    assert_int_equal(an_scale_fill_tables(info.scale, tables, NULL), AN_OK);
    for (int64_t i = 0; i < image->count; i++)
        x[i] = tables[256 * (i % 3) + (int64_t)st_value(image, i)];
    assert_int_equal(an_model_predict(model, x, image->shape[0], y, NULL), AN_OK);
    for (int64_t i = 0; i < want->count; i++)
        if (!(fabs((double)y[i] - st_value(want, i)) <= 2e-5 * (1 + fabs(st_value(want, i)))))
            fail_msg("%s: output %d is %g, expected %g", name, (int)i, (double)y[i],
                     st_value(want, i));
    free(x);
    an_model_destroy(model);
}

static void files(void **state) {
    (void)state;
    const char *path = golden_path("onnx/expected.safetensors");
    if (!path) skip();
    st_file *expected = st_open(path);
    an_backend *backend = NULL;
    assert_int_equal(an_backend_create(&backend, NULL, NULL), AN_OK);
    check(backend, expected, "torch_old", AN_SCALE_TORCH, AN_PADDING_SYMMETRIC, AN_TASK_REGRESSION);
    check(backend, expected, "torch_norm", AN_SCALE_TORCH, AN_PADDING_SYMMETRIC,
          AN_TASK_REGRESSION);
    check(backend, expected, "torch_new", AN_SCALE_TORCH, AN_PADDING_SYMMETRIC, AN_TASK_REGRESSION);
    check(backend, expected, "ours", AN_SCALE_AUTO, AN_PADDING_SYMMETRIC, AN_TASK_REGRESSION);
    check(backend, expected, "tf2onnx", AN_SCALE_AUTO, AN_PADDING_FIXED, AN_TASK_CLASSIFICATION);
    an_backend_destroy(backend);
    st_close(expected);
}

int golden_onnx(void);
int golden_onnx(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(files)};
    return cmocka_run_group_tests_name("onnx", tests, NULL, NULL);
}
