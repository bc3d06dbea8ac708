/* SPDX-License-Identifier: MIT
 * The option recompute from outside: the same bits in losses and weights, with every base mode,
 * precision and backend (cpu, or what AN_TEST_DEVICE names), from less memory; and what it says of
 * values that it does not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <attractivenet/io.h>
#include <attractivenet/layers.h>
#include <attractivenet/mobilenetv2.h>
#include <attractivenet/optim.h>

#include "layers/model.h"
#include "support/arrays.h"
#include "support/backends.h"

enum { SIDE = 48, PIXELS = SIDE * SIDE * 3, BATCH = 3, STEPS = 3 };

static an_error err;

/** How a model is made and trained. */
typedef struct how {
    const char *device;
    int32_t precision, threads, base;
    const char *level; /* AN_CPU; NULL: the best */
} how;

static an_model *make_model(const how *h, int32_t recompute) {
    an_backend *backend = test_backend_make(h->device, h->level, h->threads);
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.alpha = 0.35;
    if (an_mobilenetv2_create(&model, backend, &options, &err)) fail_msg("%s", err.message);
    an_backend_destroy(backend);
    assert_int_equal(an_model_set_base(model, h->base, &err), AN_OK);
    assert_int_equal(an_model_set_training(model, h->precision, recompute, &err), AN_OK);
    assert_int_equal(an_model_set_momentum(model, 0.9, &err), AN_OK);
    return model;
}

static void make_batch(float *x, float *y) {
    uint32_t state = 1;
    for (int i = 0; i < BATCH * PIXELS; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / 8388608.0f - 1;
    }
    for (int n = 0; n < BATCH; n++)
        y[n] = 1 + (float)n;
}

static an_model *train(const how *h, int32_t recompute, const float *x, const float *y,
                       double losses[STEPS]) {
    an_model *model = make_model(h, recompute);
    an_optimizer *optimizer = NULL;
    assert_int_equal(an_optimizer_create(&optimizer, model, NULL, &err), AN_OK);
    for (int step = 0; step < STEPS; step++) {
        if (an_model_compute_gradients(model, x, y, BATCH, NULL, &losses[step], &err))
            fail_msg("%s", err.message);
        assert_int_equal(an_optimizer_step(optimizer, 1e-3, &err), AN_OK);
    }
    an_optimizer_destroy(optimizer);
    return model;
}

/* All arrays, the moving statistics among them. */
static void assert_same_weights(const an_model *a, const an_model *b) {
    an_arrays *left = NULL, *right = NULL;
    assert_int_equal(an_model_copy_weights(&left, a, &err), AN_OK);
    assert_int_equal(an_model_copy_weights(&right, b, &err), AN_OK);
    assert_true(same_arrays(left, right));
    an_arrays_destroy(left);
    an_arrays_destroy(right);
}

static void compare(const how *h) {
    static float x[BATCH * PIXELS], y[BATCH];
    double kept_losses[STEPS], low_losses[STEPS];
    make_batch(x, y);
    an_model *kept = train(h, 0, x, y, kept_losses), *low = train(h, 1, x, y, low_losses);
    assert_memory_equal(kept_losses, low_losses, sizeof kept_losses);
    assert_same_weights(kept, low);
    const int64_t kept_size = ani_net_arena_size(ani_model_net(kept));
    const int64_t low_size = ani_net_arena_size(ani_model_net(low));
    print_message("%s, precision %d, base %d: %lld bytes, %lld with recompute\n",
                  h->level ? h->level : h->device, (int)h->precision, (int)h->base,
                  (long long)kept_size, (long long)low_size);
    /* Only steps with a backward pass through the base keep anything; in images as small as these
     * scratch, which stays, is the larger part. */
    if (h->base == AN_BASE_TRAIN || h->base == AN_BASE_FINETUNE)
        assert_true((double)low_size < 0.95 * (double)kept_size);
    else
        assert_true(low_size == kept_size);
    an_model_destroy(kept);
    an_model_destroy(low);
}

static void compare_all(const char *device, const char *level) {
    static const int32_t bases[] = {AN_BASE_FROZEN, AN_BASE_STATISTICS, AN_BASE_TRAIN,
                                    AN_BASE_FINETUNE};
    for (int32_t precision = AN_PRECISION_FP32; precision <= AN_PRECISION_MIXED; precision++)
        for (int i = 0; i < 4; i++) {
            const how h = {device, precision, 2, bases[i], level};
            compare(&h);
        }
}

static void same_bits_on_the_device(void **state) {
    (void)state;
    compare_all(test_device(), NULL);
}

static void same_bits_in_plain_c(void **state) {
    (void)state;
    compare_all("cpu", "c");
}

static void same_bits_on_ref(void **state) {
    (void)state;
    compare_all("ref", NULL);
}

static void says_what_it_does_not_know(void **state) {
    (void)state;
    const how h = {"ref", AN_PRECISION_FP32, 1, AN_BASE_TRAIN, NULL};
    an_model *model = make_model(&h, 0);
    an_model_info info = {.struct_size = sizeof info};
    for (int32_t i = 0; i < 4; i++) {
        assert_int_equal(an_model_set_training(model, i % 2, i / 2, &err), AN_OK);
        assert_int_equal(an_model_describe(model, &info, &err), AN_OK);
        assert_int_equal(info.precision, i % 2);
        assert_int_equal(info.recompute, i / 2);
    }
    assert_int_equal(an_model_set_training(model, 0, 2, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "model: recompute is 2; it must be 0 to 1");
    assert_int_equal(an_model_set_training(model, 2, 0, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "model: precision is 2; it must be 0 to 1");
    assert_int_equal(an_model_describe(model, &info, &err), AN_OK);
    assert_int_equal(info.precision + info.recompute, 2);
    an_model_destroy(model);
}

int main(void) {
    if (getenv("AN_TEST_CASES")) cmocka_set_test_filter(getenv("AN_TEST_CASES"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_it_does_not_know),
        cmocka_unit_test(same_bits_on_the_device),
        cmocka_unit_test(same_bits_in_plain_c),
        cmocka_unit_test(same_bits_on_ref),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
