/* SPDX-License-Identifier: MIT
 * metrics: the numbers by hand, the edges, and what is refused. Whole tables of scikit-learn's are
 * in tests/golden/metrics.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/metrics.h>

#include "base/random.h"

static an_metrics compute(const double *truth, const float *prediction, int64_t count) {
    an_metrics metrics = {.struct_size = sizeof metrics};
    an_error err = {0};
    if (an_metrics_compute(truth, prediction, NULL, count, &metrics, &err))
        fail_msg("%s", err.message);
    return metrics;
}

static void numbers_by_hand(void **state) {
    (void)state;
    const double truth[] = {1, 2, 3, 4};
    const float prediction[] = {1.5f, 2, 2, 5};
    const an_metrics m = compute(truth, prediction, 4);
    assert_int_equal(m.count, 4);
    assert_true(m.mse == (0.25 + 0 + 1 + 1) / 4);
    assert_true(m.rmse == sqrt(m.mse));
    assert_true(m.mae == (0.5 + 0 + 1 + 1) / 4);
    assert_true(m.r2 == 1 - 2.25 / 5);
    /* centred: -1.5 -.5 .5 1.5 and -1.125 -.625 -.625 2.375 */
    const double covariance = 1.6875 + 0.3125 - 0.3125 + 3.5625;
    const double squares = 1.265625 + 0.390625 + 0.390625 + 5.640625;
    assert_true(fabs(m.pearson - covariance / sqrt(5 * squares)) < 1e-15);
}

static void one_pair_has_no_correlation(void **state) {
    (void)state;
    const an_metrics m = compute((const double[]){3}, (const float[]){2.5f}, 1);
    assert_true(m.rmse == 0.5 && m.mae == 0.5);
    assert_true(isnan(m.r2) && isnan(m.pearson));
}

static void constant_sides(void **state) {
    (void)state;
    const double same[] = {0.1, 0.1, 0.1}; /* their mean rounds to another number */
    const double rising[] = {1, 2, 3};
    an_metrics m = compute(same, (const float[]){1, 2, 3}, 3);
    assert_true(m.r2 == 0 && isnan(m.pearson));
    m = compute((const double[]){2, 2}, (const float[]){2, 2}, 2);
    assert_true(m.r2 == 1 && m.rmse == 0 && isnan(m.pearson));
    m = compute(rising, (const float[]){2, 2, 2}, 3);
    assert_true(m.r2 == 0 && isnan(m.pearson));
}

static void correlation_stays_within_one(void **state) {
    (void)state;
    double truth[100], opposite[100];
    float prediction[100];
    for (int i = 0; i < 100; i++) {
        truth[i] = 0.1 * i;
        prediction[i] = (float)truth[i];
        opposite[i] = -truth[i];
    }
    an_metrics m = compute(truth, prediction, 100);
    assert_true(m.pearson <= 1 && m.pearson > 1 - 1e-12);
    m = compute(opposite, prediction, 100);
    assert_true(m.pearson >= -1 && m.pearson < -1 + 1e-12);
}

static void tiny_and_huge_values_correlate(void **state) {
    (void)state;
    an_metrics m = {.struct_size = sizeof m};
    const double tiny[] = {1e-200, 2e-200, 3e-200}, huge[] = {1e200, 2e200, 3e200};
    assert_int_equal(an_metrics_compute_double(tiny, huge, NULL, 3, &m, NULL), AN_OK);
    assert_true(fabs(m.pearson - 1) < 1e-14);
    assert_true(isinf(m.rmse)); /* the squares are beyond double */
}

static void long_sums_keep_their_digits(void **state) {
    (void)state;
    const int64_t n = 1000000;
    double *truth = malloc((size_t)n * sizeof *truth);
    float *prediction = malloc((size_t)n * sizeof *prediction);
    assert_true(truth && prediction);
    for (int64_t i = 0; i < n; i++) {
        truth[i] = 0.1;
        prediction[i] = 0;
    }
    const an_metrics m = compute(truth, prediction, n);
    assert_true(m.mae == 0.1);
    free(truth);
    free(prediction);
}

static void refuses_what_is_no_number(void **state) {
    (void)state;
    an_error err = {0};
    an_metrics m = {.struct_size = sizeof m};
    const double truth[] = {1, 2, 3};
    assert_int_equal(an_metrics_compute(truth, (const float[]){1, NAN, 3}, NULL, 3, &m, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, "prediction 1 of 3 is not finite");
    assert_int_equal(an_metrics_compute((const double[]){1, 2, INFINITY}, (const float[]){1, 2, 3},
                                        NULL, 3, &m, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, "truth 2 of 3 is not finite");
    assert_int_equal(an_metrics_compute(truth, (const float[]){0}, NULL, 0, &m, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "metrics need at least 1 pair; count is 0");
    assert_int_equal(an_metrics_compute(NULL, (const float[]){0}, NULL, 1, &m, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "truth is NULL");
    assert_int_equal(an_metrics_compute(truth, NULL, NULL, 1, &m, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "prediction is NULL");
    assert_int_equal(an_metrics_compute(truth, (const float[]){1}, NULL, 1, NULL, &err),
                     AN_ERR_ARG);
}

/* Numbers of scikit-learn and NumPy, by tests/golden/gen/gen_weighted.py. */
static void weights_of_scikit_learn(void **state) {
    (void)state;
    const double truth[] = {1, 2.5, 3, 4.25, 2, 3.5}, weights[] = {1, 0.5, 2, 0, 3.25, 0.125};
    const float prediction[] = {1.5f, 2, 3.25f, 4, 2.75f, 2.5f};
    const double twofold[] = {1.5, 2, 3.25, 4, 2.75, 2.5};
    an_metrics m = {.struct_size = sizeof m};
    for (int which = 0; which < 2; which++) {
        assert_int_equal(which ? an_metrics_compute_double(truth, twofold, weights, 6, &m, NULL)
                               : an_metrics_compute(truth, prediction, weights, 6, &m, NULL),
                         AN_OK);
        assert_int_equal(m.count, 6);
        assert_true(fabs(m.mse - 0.3568181818181818) < 1e-15);
        assert_true(m.rmse == sqrt(m.mse));
        assert_true(fabs(m.mae - 0.5545454545454546) < 1e-15);
        assert_true(fabs(m.r2 - 0.21011708744968893) < 1e-15);
        assert_true(fabs(m.pearson - 0.8074545899407937) < 1e-15);
    }
}

/* Whole weights count pairs; weight 0 leaves one out, even where it would overflow; a common factor
 * changes nothing; and weights of 1 give the bits of none. */
static void weights_count_pairs(void **state) {
    (void)state;
    const double truth[] = {1, 1e300, 2, 4}, weights[] = {2, 0, 1, 3}, ones[] = {1, 1, 1, 1, 1, 1};
    const double tenths[] = {0.25, 0, 0.125, 0.375};
    const float prediction[] = {1.5f, -3, 3, 3};
    const double again[] = {1, 1, 2, 4, 4, 4};
    const float beside[] = {1.5f, 1.5f, 3, 3, 3, 3};
    const an_metrics want = compute(again, beside, 6);
    const double *const each[] = {weights, tenths};
    an_metrics m = {.struct_size = sizeof m};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(an_metrics_compute(truth, prediction, each[i], 4, &m, NULL), AN_OK);
        assert_true(fabs(m.mse - want.mse) < 1e-15);
        assert_true(fabs(m.mae - want.mae) < 1e-15);
        assert_true(fabs(m.r2 - want.r2) < 1e-15);
        assert_true(fabs(m.pearson - want.pearson) < 1e-15);
    }
    assert_int_equal(an_metrics_compute(again, beside, ones, 6, &m, NULL), AN_OK);
    assert_memory_equal(&m, &want, sizeof m);
}

/* What counts is one pair, or is constant: as without the rest. */
static void weights_leave_a_constant_side(void **state) {
    (void)state;
    const double truth[] = {3, 1, 3}, weights[] = {1, 0, 2};
    an_metrics m = {.struct_size = sizeof m};
    assert_int_equal(an_metrics_compute(truth, (const float[]){1, 2, 3}, weights, 3, &m, NULL),
                     AN_OK);
    assert_true(m.r2 == 0 && isnan(m.pearson));
    assert_int_equal(an_metrics_compute(truth, (const float[]){3, 2, 3}, weights, 3, &m, NULL),
                     AN_OK);
    assert_true(m.r2 == 1 && m.rmse == 0 && isnan(m.pearson));
}

static void refuses_weights_that_cannot_be(void **state) {
    (void)state;
    an_metrics m = {.struct_size = sizeof m};
    const double truth[] = {1, 2}, huge[] = {1e308, 1e308};
    const double not_finite[] = {1, NAN}, negative[] = {-0.5, 1}, zero[] = {0, 0};
    const struct {
        const double *weights;
        const char *message;
    } wrong[] = {{not_finite, "weight 1 of 2 is not finite"},
                 {negative, "weight 0 of 2 is -0.5; it must be at least 0"},
                 {zero, "the sum of 2 weights is 0; it must be above 0 and finite"},
                 {huge, "the sum of 2 weights is inf; it must be above 0 and finite"}};
    for (int i = 0; i < 4; i++) {
        an_error err = {0};
        assert_int_equal(
            an_metrics_compute(truth, (const float[]){1, 2}, wrong[i].weights, 2, &m, &err),
            AN_ERR_ARG);
        assert_string_equal(err.message, wrong[i].message);
    }
}

static void fills_no_more_than_the_caller_has(void **state) {
    (void)state;
    an_metrics m;
    memset(&m, 0x55, sizeof m);
    m.struct_size = offsetof(an_metrics, mae);
    assert_int_equal(an_metrics_compute((const double[]){1}, (const float[]){1}, NULL, 1, &m, NULL),
                     AN_OK);
    assert_true(m.rmse == 0);
    double untouched;
    memset(&untouched, 0x55, sizeof untouched);
    assert_memory_equal(&m.mae, &untouched, sizeof untouched);
}

/* The rank by definition, and that the interval of the first samples holds the rest as often as the
 * theory says: over many draws the share has mean rank / (n + 1). */
static void intervals_hold_their_share(void **state) {
    (void)state;
    enum { N = 19, DRAWS = 4000 };
    static const double ranks[][2] = {{0.9, 18}, {0.95, 19}, {0.5, 10}, {0.01, 1}, {0.3, 6}};
    double truth[N + 1], found;
    float prediction[N + 1];
    an_error err;
    for (int i = 0; i < N; i++) {
        truth[i] = 5;
        prediction[i] = (float)(5 + (i % 2 ? 1 : -1) * ((i * 7) % N + 1));
    }
    for (size_t k = 0; k < sizeof ranks / sizeof *ranks; k++) {
        assert_int_equal(an_conformal_half_width(truth, prediction, N, ranks[k][0], &found, &err),
                         AN_OK);
        assert_true(found == ranks[k][1]);
    }
    ani_stream stream = ani_stream_begin(11, 0, 0);
    int held = 0;
    for (int draw = 0; draw < DRAWS; draw++) {
        for (int i = 0; i <= N; i++) {
            truth[i] = ani_stream_normal(&stream);
            prediction[i] = 0;
        }
        assert_int_equal(an_conformal_half_width(truth, prediction, N, 0.8, &found, &err), AN_OK);
        held += fabs(truth[N]) <= found;
    }
    /* 16 of 20; five standard deviations */
    assert_true(fabs((double)held / DRAWS - 0.8) < 5 * sqrt(0.16 / DRAWS));
    truth[3] = NAN;
    assert_int_equal(an_conformal_half_width(truth, prediction, N, 0.8, &found, &err), AN_ERR_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_by_hand),
        cmocka_unit_test(one_pair_has_no_correlation),
        cmocka_unit_test(constant_sides),
        cmocka_unit_test(correlation_stays_within_one),
        cmocka_unit_test(tiny_and_huge_values_correlate),
        cmocka_unit_test(long_sums_keep_their_digits),
        cmocka_unit_test(refuses_what_is_no_number),
        cmocka_unit_test(weights_of_scikit_learn),
        cmocka_unit_test(weights_count_pairs),
        cmocka_unit_test(weights_leave_a_constant_side),
        cmocka_unit_test(refuses_weights_that_cannot_be),
        cmocka_unit_test(intervals_hold_their_share),
        cmocka_unit_test(fills_no_more_than_the_caller_has),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
