/* SPDX-License-Identifier: MIT
 * What networks of PyTorch need: symmetric padding, their epsilon, their scale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

#include "layers/model.h"
#include "mobilenetv2/build.h"
#include "support/backends.h"

static an_error err;
static an_backend *backend;

static int make_backend(void **state) {
    (void)state;
    backend = test_backend_make("cpu", NULL, 2);
    return 0;
}

static int destroy_backend(void **state) {
    (void)state;
    an_backend_destroy(backend);
    return 0;
}

static void expect_ok(an_status st) {
    if (st) fail_msg("%s", err.message);
}

/* --- scale ------------------------------------------------------------------------------------ */

/* As computed by keras.applications.imagenet_utils.preprocess_input(x, mode="torch") of Keras
 * 3.15.1, in float32. */
static void the_scale_is_that_of_keras_mode_torch(void **state) {
    (void)state;
    static const uint8_t bytes[4][3] = {
        {0, 1, 2}, {127, 128, 129}, {255, 254, 253}, {100, 200, 37}};
    static const double wanted[4][3] = {
        {-2.1179039478302, -2.018207311630249, -1.7695860862731934},
        {0.0569397434592247, 0.20518219470977783, 0.4439217746257782},
        {2.248908281326294, 2.4110641479492188, 2.6051416397094727},
        {-0.40542858839035034, 1.465686321258545, -1.1595641374588013}};
    float tables[768];
    expect_ok(an_scale_fill_tables(AN_SCALE_TORCH, tables, &err));
    for (int i = 0; i < 4; i++)
        for (int c = 0; c < 3; c++)
            assert_true(fabs((double)tables[256 * c + bytes[i][c]] - wanted[i][c]) < 3e-7);
}

/* --- padding and epsilon ---------------------------------------------------------------------- */

static an_model *make(int32_t height, int32_t width, int32_t padding, double epsilon) {
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = height;
    options.width = width;
    options.alpha = 0.1;
    options.padding = padding;
    options.epsilon = epsilon;
    options.scale = AN_SCALE_TORCH;
    expect_ok(an_mobilenetv2_create(&model, backend, &options, &err));
    return model;
}

static an_model_info describe(const an_model *model) {
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    expect_ok(an_model_describe(model, &info, &err));
    return info;
}

/* All five layers pad one row and column on each side, and sizes are halved and rounded up. */
static void symmetric_padding(void **state) {
    (void)state;
    for (int32_t size = 32; size < 67; size++) {
        an_model *model = make(size, 99 - size, AN_PADDING_SYMMETRIC, 0);
        const ani_net *net = ani_model_net(model);
        int64_t height, width;
        for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
            const ani_unit_spec *unit = &ani_net_spec_of(net)->units[u];
            const int32_t pad = unit->kind == ANI_UNIT_POINTWISE ? 0 : 1;
            assert_true(unit->pad_top == pad && unit->pad_bottom == pad);
            assert_true(unit->pad_left == pad && unit->pad_right == pad);
        }
        ani_net_unit_size(net, ANI_MNV2_UNITS - 1, &height, &width);
        assert_int_equal(height, (size + 31) / 32);
        assert_int_equal(width, (99 - size + 31) / 32);
        an_model_destroy(model);
    }
}

/* Padding, epsilon and scale go through a file and a copy, and decide the outputs. */
static void they_are_kept(void **state) {
    (void)state;
    enum { H = 48, W = 34, COUNT = 2 * H * W * 3 };
    static float x[COUNT];
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i * 37 % 256) / 60 - 2;
    an_model *model = make(H, W, AN_PADDING_SYMMETRIC, 1e-5), *models[5] = {NULL};
    an_bytes *bytes = NULL;
    an_mobilenetv2_options options;
    expect_ok(an_model_save_bytes(&bytes, model, &err));
    expect_ok(an_model_load_bytes(&models[0], backend, an_bytes_data(bytes), an_bytes_size(bytes),
                                  NULL, NULL, &err));
    expect_ok(an_model_copy(&models[1], model, backend, 0, &err));
    /* the caller's word replaces the file's */
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 0;
    options.epsilon = 1e-3;
    expect_ok(an_model_load_bytes(&models[2], backend, an_bytes_data(bytes), an_bytes_size(bytes),
                                  NULL, &options, &err));
    options.epsilon = 0;
    options.padding = AN_PADDING_FIXED;
    expect_ok(an_model_load_bytes(&models[3], backend, an_bytes_data(bytes), an_bytes_size(bytes),
                                  NULL, &options, &err));
    options.padding = AN_PADDING_TUTORIAL;
    expect_ok(an_model_load_bytes(&models[4], backend, an_bytes_data(bytes), an_bytes_size(bytes),
                                  NULL, &options, &err));
    float *want = malloc(2 * 1280 * sizeof *want), *got = malloc(2 * 1280 * sizeof *got);
    expect_ok(an_model_compute_features(model, x, 2, want, &err));
    for (int i = 0; i < 5; i++) {
        const an_model_info info = describe(models[i]);
        assert_int_equal(info.scale, AN_SCALE_TORCH);
        assert_int_equal(info.padding, i == 3   ? AN_PADDING_FIXED
                                       : i == 4 ? AN_PADDING_TUTORIAL
                                                : AN_PADDING_SYMMETRIC);
        assert_true(info.epsilon == (i == 2 ? 1e-3 : 1e-5));
        expect_ok(an_model_compute_features(models[i], x, 2, got, &err));
        const int same = !memcmp(got, want, 2 * 1280 * sizeof *got);
        assert_int_equal(same, i < 2);
        an_model_destroy(models[i]);
    }
    static char text[1 << 16];
    an_model_summary(model, AN_SUMMARY_LAYERS, text, sizeof text);
    assert_non_null(strstr(text, "\nepsilon of BatchNormalization 1e-05\n"));
    free(want);
    free(got);
    an_bytes_destroy(bytes);
    an_model_destroy(model);
}

/* Without a word about it, the epsilon is Keras'. */
static void the_default_epsilon(void **state) {
    (void)state;
    an_model *model = make(32, 32, AN_PADDING_AUTO, 0);
    assert_true(describe(model).epsilon == 1e-3);
    assert_int_equal(describe(model).padding, AN_PADDING_TUTORIAL);
    an_model_destroy(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scale_is_that_of_keras_mode_torch),
        cmocka_unit_test(symmetric_padding),
        cmocka_unit_test(they_are_kept),
        cmocka_unit_test(the_default_epsilon),
    };
    return cmocka_run_group_tests_name("torch", tests, make_backend, destroy_backend);
}
