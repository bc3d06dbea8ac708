/* SPDX-License-Identifier: MIT
 * The inference kernels of bfloat16 of plain C and of the best level of this processor against
 * loops in double: every number of vectors, rows around the register tiles, part vectors, k in one
 * run and in blocks, residuals, results in float and in bfloat16; canaries around every output. A
 * sum of terms with absolute sum S may be off by (8 + 2 sqrt(terms)) * 2^-24 * S, and a rounded one
 * by 2^-8 of itself more. */
#include "check.h"

#include <stdio.h>

#include "base/cpu.h"
#include "base/element.h"
#include "kernels/infer.h"
#include "support/level.h"

static uint16_t *random_halves(int64_t count, uint32_t seed, double low, double high) {
    float *values = random_floats(count, seed, low, high);
    uint16_t *halves = malloc((size_t)(count + 1) * sizeof *halves);
    assert_non_null(halves);
    for (int64_t i = 0; i < count; i++)
        halves[i] = ani_to_bfloat16(values[i]);
    free(values);
    return halves;
}

static double at(const uint16_t *halves, int64_t i) {
    return ani_from_bfloat16(halves[i]);
}

static double clip(double value, int32_t relu6) {
    return !relu6 ? value : value < 0 ? 0 : value > 6 ? 6 : value;
}

/** An output of floats or halves between canaries. */
typedef struct results {
    uint8_t *memory, *values;
    int64_t count;
    int32_t wide;
    int32_t reserved;
} results;

enum { EDGE = 64 };
static const uint8_t filler = 0xa5;

static results make_results(int64_t count, int32_t wide) {
    results out = {.count = count, .wide = wide};
    const size_t size = (size_t)count * (wide ? 4 : 2) + 2 * EDGE;
    out.memory = malloc(size);
    assert_non_null(out.memory);
    memset(out.memory, filler, size);
    out.values = out.memory + EDGE;
    return out;
}

static int untouched(const results *out, int64_t i) {
    const int64_t size = out->wide ? 4 : 2;
    for (int64_t n = 0; n < size; n++)
        if (out->values[i * size + n] != filler) return 0;
    return 1;
}

static double result_at(const results *out, int64_t i) {
    return out->wide ? (double)((const float *)(const void *)out->values)[i]
                     : at((const uint16_t *)(const void *)out->values, i);
}

static void free_results(results *out, const char *what) {
    const uint8_t *end = out->values + out->count * (out->wide ? 4 : 2);
    for (int64_t i = 0; i < EDGE; i++)
        if (out->memory[i] != filler || end[i] != filler)
            fail_msg("%s writes outside of its output", what);
    free(out->memory);
}

static void expect(const results *out, int64_t i, double sum, double absolute, int64_t terms,
                   int32_t relu6, const char *what) {
    double limit = (8 + 2 * sqrt((double)terms)) * ldexp(absolute, -24);
    if (!out->wide) limit += ldexp(fabs(clip(sum, relu6)) + limit, -8);
    if (!(fabs(clip(sum, relu6) - result_at(out, i)) <= limit))
        fail_msg("%s: [%d] is %.9g instead of %.9g", what, (int)i, result_at(out, i),
                 clip(sum, relu6));
}

/** What a product is to do besides its size. */
typedef struct variant {
    int64_t run; /* 0: all of k in one run */
    int32_t wide, residual, relu6;
    int32_t reserved;
} variant;

static const variant variants[] = {{0, 0, 0, 1, 0},  {0, 1, 0, 1, 0},  {16, 0, 1, 0, 0},
                                   {16, 1, 0, 0, 0}, {10, 0, 1, 1, 0}, {6, 0, 0, 0, 0}};

static void check_product(const ani_infer_kernels *k, int32_t vectors, int64_t rows, int64_t length,
                          int64_t columns, const variant *v) {
    char what[80];
    const int64_t width = (int64_t)vectors * k->lanes, run = v->run ? v->run : length;
    const int64_t y_row = columns + 3, a_row = run + 3, segment = rows * a_row + 5;
    const int64_t runs = (length + run - 1) / run, size = rows * y_row;
    uint16_t *a = random_halves(runs * segment + 1, 1, -2, 3);
    uint16_t *b = random_halves(length * width, 2, -1, 1);
    uint16_t *residual = random_halves(size, 4, -1, 1);
    float *bias = random_floats(width, 3, -2, 2);
    results y = make_results(size, v->wide);
    snprintf(what, sizeof what, "product of %d vectors, %d x %d x %d", vectors, (int)rows,
             (int)length, (int)columns);
    const ani_infer_product p = {.a = a,
                                 .a_row = a_row,
                                 .run = run,
                                 .segment = segment,
                                 .b = b,
                                 .bias = bias,
                                 .residual = v->residual ? residual : NULL,
                                 .y = y.values,
                                 .y_row = y_row,
                                 .rows = rows,
                                 .k = length,
                                 .columns = columns,
                                 .vectors = vectors,
                                 .relu6 = v->relu6,
                                 .wide = v->wide};
    k->product(&p);
    for (int64_t i = 0; i < size; i++) {
        const int64_t r = i / y_row, j = i % y_row;
        if (j >= columns) {
            if (!untouched(&y, i)) fail_msg("%s: [%d] was written", what, (int)i);
            continue;
        }
        double sum = bias[j] + (v->residual ? at(residual, i) : 0);
        double absolute = fabs(bias[j]) + (v->residual ? fabs(at(residual, i)) : 0);
        for (int64_t n = 0; n < length; n++) {
            const double term = at(a, r * a_row + n / run * segment + n % run) *
                                at(b, (n / 2 * width + j) * 2 + n % 2);
            sum += term;
            absolute += fabs(term);
        }
        expect(&y, i, sum, absolute, length, v->relu6, what);
    }
    free_results(&y, what);
    free(bias);
    free(residual);
    free(b);
    free(a);
}

static void products(const ani_infer_kernels *k) {
    static const int64_t rows[] = {1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13, 17, 23, 25, 37};
    static const int64_t lengths[] = {2, 4, 10, 16, 28, 40};
    const int32_t most = k->block / k->lanes + 1;
    for (int32_t vectors = 1; vectors <= most; vectors++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++)
                for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
                    const int64_t before = (int64_t)(vectors - 1) * k->lanes;
                    check_product(k, vectors, rows[r], lengths[n], before + k->lanes, &variants[v]);
                    check_product(k, vectors, rows[r], lengths[n],
                                  before + 1 + (int64_t)(r + n) % k->lanes, &variants[v]);
                }
}

static void check_depthwise(const ani_infer_kernels *k, int64_t rows, int64_t count, int64_t stride,
                            int32_t relu6) {
    char what[80];
    const int64_t block = k->block, columns = (count - 1) * stride + 3;
    const int64_t reads = (rows - 1) * stride + 3;
    const int64_t size = reads * columns * block;
    const int32_t halves = k->wide_size == 2; /* then taps are rounded, too */
    float *x = random_floats(size, 1, -2, 3);
    float *w = random_floats(10 * block, 2, -1, 1);
    uint16_t *narrow = random_halves(size, 1, -2, 3); /* of the same numbers */
    const void **line = malloc((size_t)reads * sizeof *line);
    results y = make_results(rows * count * block, 0);
    assert_non_null(line);
    snprintf(what, sizeof what, "depthwise %d x %d, stride %d", (int)rows, (int)count, (int)stride);
    for (int64_t i = 0; i < reads; i++)
        line[i] = halves ? (void *)(narrow + i * columns * block) : x + i * columns * block;
    const ani_infer_depthwise d = {.y = y.values,
                                   .x = line,
                                   .w = w,
                                   .rows = rows,
                                   .count = count,
                                   .stride = stride,
                                   .relu6 = relu6};
    k->depthwise(&d);
    for (int64_t i = 0; i < y.count; i++) {
        const int64_t c = i % block, column = i / block % count, row = i / block / count;
        double sum = w[9 * block + c], absolute = fabs(sum);
        for (int64_t t = 0; t < 9; t++) {
            const int64_t from =
                ((row * stride + t / 3) * columns + column * stride + t % 3) * block + c;
            const double tap = w[t * block + c], value = x[from];
            const double term =
                halves ? at(narrow, from) * ani_from_bfloat16(ani_to_bfloat16((float)tap))
                       : value * tap;
            sum += term;
            absolute += fabs(term);
        }
        expect(&y, i, sum, absolute, 9, relu6, what);
    }
    free_results(&y, what);
    free(line);
    free(narrow);
    free(w);
    free(x);
}

static void test_products(void **state) {
    const ani_infer_kernels *tables = *state;
    for (int32_t i = 0; i < 2; i++)
        products(&tables[i]);
}

static void test_depthwise(void **state) {
    const ani_infer_kernels *tables = *state;
    for (int32_t i = 0; i < 2; i++)
        for (int64_t rows = 1; rows <= 3; rows++)
            for (int64_t count = 1; count <= 9; count++)
                for (int64_t stride = 1; stride <= 2; stride++)
                    for (int32_t relu6 = 0; relu6 <= 1; relu6++)
                        check_depthwise(&tables[i], rows, count, stride, relu6);
}

/* Exact, for normal numbers, ties and what is no number. */
static void test_narrow(void **state) {
    const ani_infer_kernels *tables = *state;
    enum { COUNT = 67 };
    float *from = random_floats(COUNT, 5, -300, 300);
    const float special[] = {0, -0.0f, 1.00390625f, 1.01171875f, INFINITY, -INFINITY, 3.4e38f};
    memcpy(from + 20, special, sizeof special);
    for (int32_t i = 0; i < 2; i++)
        for (int64_t count = 0; count < COUNT; count++) {
            results to = make_results(COUNT, 0);
            uint16_t *halves = (void *)to.values;
            tables[i].narrow(halves, from, count);
            for (int64_t n = 0; n < COUNT; n++)
                if (n < count ? halves[n] != ani_to_bfloat16(from[n]) : !untouched(&to, n))
                    fail_msg("narrow of %d: [%d] is %04x, of %g", (int)count, (int)n, halves[n],
                             from[n]);
            const float nan = NAN;
            tables[i].narrow(halves, &nan, 1);
            assert_true(isnan(at(halves, 0)));
            free_results(&to, "narrow");
        }
    free(from);
}

/* What is no number stays so, clipped or not. */
static void test_not_a_number(void **state) {
    const ani_infer_kernels *tables = *state;
    for (int32_t i = 0; i < 2; i++)
        for (int32_t relu6 = 0; relu6 <= 1; relu6++) {
            const int32_t block = tables[i].block;
            const uint16_t a[2] = {ani_to_bfloat16(NAN), 0};
            uint16_t *b = random_halves(2 * (int64_t)block, 6, 1, 2), y[64];
            float *bias = random_floats(block, 7, 0, 1);
            const ani_infer_product p = {.a = a,
                                         .a_row = 2,
                                         .run = 2,
                                         .b = b,
                                         .bias = bias,
                                         .y = y,
                                         .y_row = block,
                                         .rows = 1,
                                         .k = 2,
                                         .columns = block,
                                         .vectors = block / tables[i].lanes,
                                         .relu6 = relu6};
            tables[i].product(&p);
            for (int32_t j = 0; j < block; j++)
                assert_true(isnan(at(y, j)));
            free(bias);
            free(b);
        }
}

int main(void) {
    if (level_is_absent()) return 77; /* Meson: skipped */
    static ani_infer_kernels tables[2];
    ani_infer_kernels_c_bfloat16(&tables[0]);
    ani_infer_kernels_init_bfloat16(&tables[1], ani_cpu_mask(NULL));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_products, tables),
        cmocka_unit_test_prestate(test_depthwise, tables),
        cmocka_unit_test_prestate(test_narrow, tables),
        cmocka_unit_test_prestate(test_not_a_number, tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
