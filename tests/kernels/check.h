/* SPDX-License-Identifier: MIT
 * What the tests of the table's entries share: made-up numbers, outputs between canaries, operands
 * of products. */
#ifndef TESTS_KERNELS_CHECK_H
#define TESTS_KERNELS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "kernels/kernels.h"

enum { GUARD = 64 };
static const float canary = 12345.0f;

/** An output of either table, in the middle of canaries. `shift` moves it off the alignment. */
typedef struct output {
    float *memory, *values;
    int64_t count;
} output;

static inline float *random_floats(int64_t count, uint32_t seed, double low, double high) {
    if (count < 0 || count > INT32_MAX) abort(); /* gcc 13 supposes it otherwise, and warns */
    float *values = malloc((size_t)(count + 1) * sizeof *values);
    assert_non_null(values);
    ani_stream stream = ani_stream_begin(seed, 0, 0);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)ani_stream_uniform(&stream, low, high);
    return values;
}

static inline output make_output(int64_t count, int64_t shift, float fill) {
    output out = {.count = count};
    out.memory = aligned_alloc(64, (size_t)((count + 2 * GUARD + 80) / 16 * 16) * sizeof(float));
    assert_non_null(out.memory);
    out.values = out.memory + GUARD + shift;
    for (int64_t i = 0; i < GUARD + shift; i++)
        out.memory[i] = canary;
    for (int64_t i = 0; i < count; i++)
        out.values[i] = fill;
    for (int64_t i = count; i < count + GUARD - shift; i++)
        out.values[i] = canary;
    return out;
}

static inline void check_and_free(output *out, const char *what) {
    for (int64_t i = 1; i <= GUARD - 1; i++)
        if (out->values[-i] != canary) fail_msg("%s writes %d floats before", what, (int)i);
    for (int64_t i = 0; i < GUARD - 8; i++)
        if (out->values[out->count + i] != canary)
            fail_msg("%s writes %d floats past", what, (int)i);
    free(out->memory);
}

static inline void expect_near(const char *what, const float *got, const float *want, int64_t count,
                               double terms, double absolute) {
    const double limit = (8 + 2 * sqrt(terms)) * ldexp(absolute, -24);
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - want[i]) <= limit))
            fail_msg("%s[%d] of %d is %.9g, plain C %.9g, limit %.3g", what, (int)i, (int)count,
                     got[i], want[i], limit);
}

static inline float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int64_t round_up(int64_t value, int64_t step) {
    return (value + step - 1) / step * step;
}

enum { OPERAND_ROWS = 2 * ANI_TILE_ROWS }; /* of the left one */

/** Operands of a product as the table's entries take them: floats, or pairs of bfloat16. */
typedef struct operands {
    float *a, *packed;
    int64_t steps; /* of k */
} operands;

static inline operands make_operands(const ani_kernels *table, int pairs, const float *a,
                                     int64_t lda, const float *b, int64_t k, int64_t n,
                                     int32_t width) {
    const int64_t panels = round_up(n, width) / width;
    operands o = {.steps = pairs ? (k + 1) / 2 : k};
    o.a = malloc((size_t)(OPERAND_ROWS * lda) * sizeof *o.a);
    o.packed = malloc((size_t)(panels * width * o.steps) * sizeof *o.packed);
    assert_true(o.a && o.packed);
    memcpy(o.a, a, (size_t)(OPERAND_ROWS * lda) * sizeof *o.a);
    if (pairs) table->pairs.pair_columns(o.a, lda, o.a, lda, OPERAND_ROWS, k);
    for (int64_t p = 0; p < panels; p++)
        (pairs ? ani_pack_pairs : ani_pack)(o.packed + p * o.steps * width, b, n, 1, k, n, width,
                                            p);
    return o;
}

static inline void free_operands(operands *o) {
    free(o->a);
    free(o->packed);
}

#endif
