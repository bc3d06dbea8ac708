/* SPDX-License-Identifier: MIT
 * The precision "mixed" from outside: a training keeps half the memory, learns as one in fp32
 * does, gives the same bits for any number of threads, agrees with ref, and leaves all else as it
 * was. On the CPU, or on what AN_TEST_DEVICE names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/io.h>
#include <attractivenet/layers.h>
#include <attractivenet/mobilenetv2.h>
#include <attractivenet/optim.h>

#include "layers/model.h"
#include "support/backends.h"

enum { SIDE = 64, PIXELS = SIDE * SIDE * 3, BATCH = 8 };

static an_error err;

static an_model *make_model(const char *device, int32_t threads, int32_t precision) {
    an_backend *backend = test_backend_make(device, NULL, threads);
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.alpha = 0.35;
    if (an_mobilenetv2_create(&model, backend, &options, &err)) fail_msg("%s", err.message);
    an_backend_destroy(backend);
    assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, &err), AN_OK);
    assert_int_equal(an_model_set_training(model, precision, 0, &err), AN_OK);
    assert_int_equal(an_model_set_momentum(model, 0.9, &err), AN_OK);
    return model;
}

/* Images of stripes whose width is what is to be learned. */
static void make_batch(float *x, float *y) {
    uint32_t state = 1;
    for (int n = 0; n < BATCH; n++) {
        y[n] = 1 + 0.5f * (float)n;
        for (int i = 0; i < PIXELS; i++) {
            state = state * 1664525u + 1013904223u;
            const int column = i / 3 % SIDE;
            x[n * PIXELS + i] = (column / (n + 1) % 2 ? 0.75f : 0.25f) +
                                0.2f * ((float)(state >> 8) / 16777216.0f - 0.5f);
        }
    }
}

static double gradients(an_model *model, const float *x, const float *y) {
    double loss = 0;
    if (an_model_compute_gradients(model, x, y, BATCH, NULL, &loss, &err))
        fail_msg("%s", err.message);
    return loss;
}

static double last_loss(int32_t precision, const float *x, const float *y, double *first) {
    an_model *model = make_model(test_device(), 2, precision);
    an_optimizer *optimizer = NULL;
    assert_int_equal(an_optimizer_create(&optimizer, model, NULL, &err), AN_OK);
    *first = gradients(model, x, y);
    for (int step = 0; step < 40; step++) {
        gradients(model, x, y);
        assert_int_equal(an_optimizer_step(optimizer, 2e-3, &err), AN_OK);
    }
    const double loss = gradients(model, x, y);
    an_optimizer_destroy(optimizer);
    an_model_destroy(model);
    return loss;
}

static void learns_as_fp32_does(void **state) {
    (void)state;
    static float x[BATCH * PIXELS], y[BATCH];
    double begin_fp32, begin_mixed;
    make_batch(x, y);
    const double fp32 = last_loss(AN_PRECISION_FP32, x, y, &begin_fp32);
    const double mixed = last_loss(AN_PRECISION_MIXED, x, y, &begin_mixed);
    print_message("loss in fp32 %.4g to %.4g, mixed %.4g to %.4g\n", begin_fp32, fp32, begin_mixed,
                  mixed);
    /* Values differ by 2^-9 a unit, 52 units deep, at random: 2^-9 * sqrt(52) = 1.4 % */
    assert_true(fabs(begin_mixed - begin_fp32) < 0.05 * begin_fp32);
    assert_true(fp32 < 0.1 * begin_fp32);
    assert_true(mixed < 0.1 * begin_mixed);
}

/* The largest distance of gradients, an array at a time, by the array's norm. */
static double distance(const an_model *a, const an_model *b) {
    an_arrays *left = NULL, *right = NULL;
    double largest = 0;
    assert_int_equal(an_model_copy_gradients(&left, a, &err), AN_OK);
    assert_int_equal(an_model_copy_gradients(&right, b, &err), AN_OK);
    assert_true(an_arrays_count(left) > 100);
    for (int64_t i = 0; i < an_arrays_count(left); i++) {
        const float *l = an_arrays_data(left, i), *r = an_arrays_data(right, i);
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(left, i); axis++)
            count *= an_arrays_length(left, i, axis);
        double apart = 0, norm = 0;
        for (int64_t j = 0; j < count; j++) {
            apart += ((double)l[j] - r[j]) * ((double)l[j] - r[j]);
            norm += (double)r[j] * r[j];
        }
        largest = fmax(largest, sqrt(apart / (norm + 1e-30)));
    }
    an_arrays_destroy(left);
    an_arrays_destroy(right);
    return largest;
}

static void same_bits_for_any_threads(void **state) {
    (void)state;
    static const int32_t threads[] = {2, 3, 7};
    static float x[BATCH * PIXELS], y[BATCH];
    make_batch(x, y);
    an_model *one = make_model(test_device(), 1, AN_PRECISION_MIXED);
    const double loss = gradients(one, x, y);
    for (int i = 0; i < 3; i++) {
        an_model *many = make_model(test_device(), threads[i], AN_PRECISION_MIXED);
        assert_true(gradients(many, x, y) == loss);
        assert_true(distance(many, one) == 0);
        an_model_destroy(many);
    }
    an_model_destroy(one);
}

static void keeps_half_the_memory(void **state) {
    (void)state;
    static float x[BATCH * PIXELS], y[BATCH], low[BATCH], high[BATCH];
    make_batch(x, y);
    an_model *fp32 = make_model(test_device(), 1, AN_PRECISION_FP32);
    an_model *mixed = make_model(test_device(), 1, AN_PRECISION_MIXED);
    gradients(fp32, x, y);
    gradients(mixed, x, y);
    const double half = (double)ani_net_arena_size(ani_model_net(mixed)) /
                        (double)ani_net_arena_size(ani_model_net(fp32));
    print_message("memory of a step: %.3f of that in fp32\n", half);
    assert_true(half < 0.75); /* images and scratch stay */
    /* What predicts does not know of it: new models of the same weights give the same bits. */
    an_model_destroy(fp32);
    an_model_destroy(mixed);
    fp32 = make_model(test_device(), 1, AN_PRECISION_FP32);
    mixed = make_model(test_device(), 1, AN_PRECISION_MIXED);
    assert_int_equal(an_model_predict(fp32, x, BATCH, high, &err), AN_OK);
    assert_int_equal(an_model_predict(mixed, x, BATCH, low, &err), AN_OK);
    assert_memory_equal(low, high, sizeof low);
    an_model_destroy(fp32);
    an_model_destroy(mixed);
}

/* It is the model's, and may change between two steps: memory is planned anew. */
static void precision_may_change(void **state) {
    (void)state;
    static float x[BATCH * PIXELS], y[BATCH];
    make_batch(x, y);
    an_model *model = make_model(test_device(), 1, AN_PRECISION_FP32);
    double losses[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(an_model_set_training(model, i % 2, 0, &err), AN_OK);
        losses[i] = gradients(model, x, y);
    }
    assert_memory_equal(&losses[0], &losses[2], sizeof losses[0]);
    assert_memory_equal(&losses[1], &losses[3], sizeof losses[1]);
    assert_true(losses[0] < losses[1] || losses[0] > losses[1]);
    an_model_destroy(model);
}

int main(void) {
    if (getenv("AN_TEST_CASES")) cmocka_set_test_filter(getenv("AN_TEST_CASES"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precision_may_change),
        cmocka_unit_test(keeps_half_the_memory),
        cmocka_unit_test(same_bits_for_any_threads),
        cmocka_unit_test(learns_as_fp32_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
