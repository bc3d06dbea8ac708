/* SPDX-License-Identifier: MIT
 * The numbers of int8 inference against what quant.h says of them, worked out in double from whole
 * units: all backends take them from one source, so no comparison of backends can tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "backend/quant.h"
#include "base/random.h"

enum { CIN = 6, COUT = 6, MOST_INPUTS = 9 * CIN };

/** A unit with its codes. */
typedef struct unit {
    ani_infer_unit unit;
    ani_codes in, residual, out;
    float w[MOST_INPUTS * COUT], gamma[COUT], beta[COUT], mean[COUT], variance[COUT];
    float means[CIN];
    ani_quant_unit q;
    ani_quant_channels channels;
    int64_t inputs;
} unit;

static void fill(ani_stream *stream, float *values, int64_t count, double low, double high) {
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)ani_stream_uniform(stream, low, high);
}

static void make_unit(unit *u, int32_t kind, bool of_image, bool adds) {
    ani_stream stream = ani_stream_begin(11, kind, of_image);
    const ani_range in = of_image ? (ani_range){-1, 1} : (ani_range){0, 6}, out = {-7, 9},
                    residual = {-3, 2};
    u->inputs = kind == ANI_UNIT_DEPTHWISE ? 9 : kind == ANI_UNIT_FULL ? 9 * CIN : CIN;
    u->in = ani_quant_codes(&in);
    u->out = ani_quant_codes(&out);
    u->residual = ani_quant_codes(&residual);
    fill(&stream, u->w, u->inputs * COUT, -1, 1);
    fill(&stream, u->gamma, COUT, 0.5, 1.5);
    fill(&stream, u->beta, COUT, -1, 1);
    fill(&stream, u->mean, COUT, -1, 1);
    fill(&stream, u->variance, COUT, 0.5, 2);
    fill(&stream, u->means, CIN, (double)in.low + 0.1, (double)in.high - 0.1);
    u->unit = (ani_infer_unit){.shape = {.kind = kind, .cin = CIN, .cout = COUT, .stride = 1},
                               .input = of_image ? -1 : 0,
                               .residual = adds ? 0 : -1,
                               .w = u->w,
                               .bn = {.epsilon = ANI_KERAS_EPSILON,
                                      .gamma = u->gamma,
                                      .beta = u->beta,
                                      .moving_mean = u->mean,
                                      .moving_variance = u->variance}};
    u->q = (ani_quant_unit){&u->unit, &u->in, adds ? &u->residual : NULL, &u->out, u->means};
    ani_quant_channels_of(&u->q, 0, COUT, &u->channels);
}

/* Channel j of the unit in double, all inputs of a channel having one value. */
static double exact(const unit *u, const double *inputs, double residual, int64_t j) {
    const bool depthwise = u->unit.shape.kind == ANI_UNIT_DEPTHWISE;
    double sum = 0;
    for (int64_t k = 0; k < u->inputs; k++)
        sum += u->w[k * COUT + j] * inputs[depthwise ? j : k % CIN];
    return (sum - u->mean[j]) / sqrt((double)u->variance[j] + 0.001) * u->gamma[j] + u->beta[j] +
           residual;
}

/* The same by the formula of quant.h: codes need not be whole here, so that what is left is the
 * weights' part. */
static double by_codes(const unit *u, const double *inputs, double residual, int64_t j) {
    const bool depthwise = u->unit.shape.kind == ANI_UNIT_DEPTHWISE;
    double sum = u->channels.bias[j];
    for (int64_t k = 0; k < u->inputs; k++)
        sum += (inputs[depthwise ? j : k % CIN] - u->in.low) / u->in.step *
               ani_quant_weight(u->w[k * COUT + j], u->channels.factor[j]);
    double code = sum * u->channels.scale[j];
    if (u->q.residual)
        code += (residual - u->residual.low) / u->residual.step * ani_quant_residual_scale(&u->q);
    return u->out.low + u->out.step * code;
}

static const struct {
    int32_t kind;
    bool of_image, adds;
} cases[] = {{ANI_UNIT_FULL, true, false},      {ANI_UNIT_POINTWISE, false, false},
             {ANI_UNIT_POINTWISE, false, true}, {ANI_UNIT_DEPTHWISE, false, false},
             {ANI_UNIT_FULL, false, false},     {ANI_UNIT_POINTWISE, true, true}};
enum { CASES = sizeof cases / sizeof *cases };

/* At the calibrated means the rounding of weights is taken off: what is left is that of the bias,
 * half a unit, and float's of the scales. */
static void means_are_met(void **state) {
    (void)state;
    for (int c = 0; c < CASES; c++) {
        unit u;
        double inputs[CIN];
        make_unit(&u, cases[c].kind, cases[c].of_image, cases[c].adds);
        for (int i = 0; i < CIN; i++)
            inputs[i] = u.means[i];
        for (int64_t j = 0; j < COUT; j++) {
            const double residual = cases[c].adds ? 1.25 : 0;
            const double got = by_codes(&u, inputs, residual, j),
                         want = exact(&u, inputs, residual, j);
            const double limit = 0.51 * u.channels.scale[j] * u.out.step + 1e-5;
            if (!(fabs(got - want) <= limit))
                fail_msg("case %d, channel %d: %g instead of %g, limit %g", c, (int)j, got, want,
                         limit);
        }
    }
}

/* Elsewhere each weight is wrong by half a step of its own at most. */
static void other_inputs_are_near(void **state) {
    (void)state;
    for (int c = 0; c < CASES; c++) {
        unit u;
        make_unit(&u, cases[c].kind, cases[c].of_image, cases[c].adds);
        for (int round = 0; round < 20; round++) {
            double inputs[CIN], reach = 0;
            ani_stream stream = ani_stream_begin(5, c, round);
            for (int i = 0; i < CIN; i++) {
                inputs[i] = ani_stream_uniform(&stream, u.in.low, u.in.low + 255 * u.in.step);
                reach = fmax(reach, fabs(inputs[i] - u.means[i]));
            }
            for (int64_t j = 0; j < COUT; j++) {
                const double step = u.channels.scale[j] * u.out.step / u.in.step; /* of a weight */
                const double limit =
                    0.5 * step * reach * (double)u.inputs + 0.51 * step * u.in.step + 1e-4;
                const double residual = cases[c].adds ? 0.5 : 0;
                const double got = by_codes(&u, inputs, residual, j),
                             want = exact(&u, inputs, residual, j);
                if (!(fabs(got - want) <= limit))
                    fail_msg("case %d, channel %d: %g instead of %g, limit %g", c, (int)j, got,
                             want, limit);
            }
        }
    }
}

/* Weights use their range, and pairs that are added up first stay below 129 where their signs
 * agree. */
static void weights_fill_their_range(void **state) {
    (void)state;
    for (int c = 0; c < CASES; c++) {
        unit u;
        make_unit(&u, cases[c].kind, cases[c].of_image, cases[c].adds);
        for (int64_t j = 0; j < COUT; j++) {
            int largest = 0, pair = 0;
            for (int64_t k = 0; k < u.inputs; k++) {
                const int a = ani_quant_weight(u.w[k * COUT + j], u.channels.factor[j]);
                const bool depthwise = cases[c].kind == ANI_UNIT_DEPTHWISE;
                const int64_t other = depthwise ? (k < 3 ? k + 3 : -1) : k % 2 == 0 ? k + 1 : -1;
                const int b =
                    other < 0 ? 0 : ani_quant_weight(u.w[other * COUT + j], u.channels.factor[j]);
                largest = abs(a) > largest ? abs(a) : largest;
                pair = abs(a + b) > pair ? abs(a + b) : pair;
            }
            assert_in_range(largest, 60, 127);
            assert_in_range(pair, 120, 128);
        }
    }
}

static void codes_of_values(void **state) {
    (void)state;
    static const ani_range ranges[] = {{0, 6}, {-1, 1}, {-3, 0}, {-0.1f, 12.65f}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const ani_codes codes = ani_quant_codes(&ranges[i]);
        const double low = ranges[i].low, width = (double)ranges[i].high - low;
        assert_int_equal(ani_quant_code(&codes, ranges[i].low), 0);
        assert_int_equal(ani_quant_code(&codes, ranges[i].high), 255);
        assert_int_equal(ani_quant_code(&codes, ranges[i].high + 1), 255);
        assert_int_equal(ani_quant_code(&codes, ranges[i].low - 1), 0);
        assert_int_equal(ani_quant_code(&codes, NAN), 0);
        /* padding is zero: the nearest code */
        assert_true(fabs(low + width / 255 * codes.zero) <= 0.5001 * width / 255);
        for (int code = 0; code < 256; code++)
            assert_int_equal(ani_quant_code(&codes, (float)(low + width / 255 * code)), code);
    }
}

/* A step of the result is p / 2^k of a channel's units, with p odd: a sum in whole units, and whole
 * codes of a residual with the same step, can then not be in the middle between two codes. Where
 * the codes of 0 differ by an odd number, k is 0, so that their difference is a whole number of
 * units. */
static void no_sum_lies_between_two_codes(void **state) {
    (void)state;
    static const ani_range outs[] = {{0, 6}, {-7, 9}, {-0.7f, 0.9f}, {0, 0.5f}};
    for (size_t i = 0; i < sizeof outs / sizeof *outs; i++)
        for (int32_t kind = ANI_UNIT_POINTWISE; kind <= ANI_UNIT_DEPTHWISE; kind++) {
            unit u;
            make_unit(&u, kind, false, false);
            u.out = ani_quant_codes(&outs[i]);
            ani_quant_channels_of(&u.q, 0, COUT, &u.channels);
            for (int64_t j = 0; j < COUT; j++) {
                double units = 1 / (double)u.channels.scale[j];
                int32_t halvings = 0;
                while (fabs(units - rint(units)) > 1e-6 * units && halvings++ < 30)
                    units *= 2;
                assert_true(units >= 1 && units <= 4095.001);
                assert_true(fmod(rint(units), 2) > 0);
                assert_true(halvings == 0 || u.out.zero % (1 << halvings) == 0);
            }
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_of_values),
        cmocka_unit_test(means_are_met),
        cmocka_unit_test(other_inputs_are_near),
        cmocka_unit_test(weights_fill_their_range),
        cmocka_unit_test(no_sum_lies_between_two_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
