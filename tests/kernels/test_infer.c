/* SPDX-License-Identifier: MIT
 * The inference kernels of plain C and of the best level of this processor against loops in double:
 * every number of vectors, rows around the register tiles, part vectors, k in one run and in
 * blocks, sums that go on from y, residuals; canaries around every output. A sum of terms with
 * absolute sum S may be off by (8 + 2 sqrt(terms)) * 2^-24 * S. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/random.h"
#include "kernels/infer.h"
#include "support/level.h"

enum { GUARD = 16 };
static const float canary = 12345.0f;

static float *random_floats(int64_t count, uint32_t seed, double low, double high) {
    float *values = malloc((size_t)(count + 1) * sizeof *values);
    assert_non_null(values);
    ani_stream stream = ani_stream_begin(seed, 0, 0);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)ani_stream_uniform(&stream, low, high);
    return values;
}

static double clip(double value, int32_t relu6) {
    return !relu6 ? value : value < 0 ? 0 : value > 6 ? 6 : value;
}

/** What a product is to do besides its size. */
typedef struct variant {
    int64_t run; /* 0: all of k in one run */
    int32_t bias, residual, relu6;
} variant;

static const variant variants[] = {{0, 1, 0, 1},  {0, 0, 0, 0}, {16, 1, 1, 0},
                                   {16, 0, 0, 1}, {9, 1, 0, 1}, {5, 0, 1, 0}};

static void check_product(const ani_infer_kernels *k, int32_t vectors, int64_t rows, int64_t length,
                          int64_t columns, const variant *v) {
    const int64_t width = (int64_t)vectors * k->lanes, run = v->run ? v->run : length;
    const int64_t y_row = columns + 3, a_row = run + 2, segment = rows * a_row + 5;
    const int64_t runs = (length + run - 1) / run, size = rows * y_row;
    float *a = random_floats(runs * segment + 1, 1, -2, 3);
    float *b = random_floats(length * width, 2, -1, 1);
    float *bias = random_floats(width, 3, -2, 2), *residual = random_floats(size, 4, -1, 1);
    float *before = random_floats(size, 5, -1, 1);
    float *memory = malloc((size_t)(size + 2 * GUARD) * sizeof *memory);
    assert_non_null(memory);
    float *y = memory + GUARD;
    for (int64_t i = -GUARD; i < size + GUARD; i++)
        y[i] = i >= 0 && i < size && i % y_row < columns ? before[i] : canary;
    const ani_infer_product p = {.a = a,
                                 .a_row = a_row,
                                 .run = run,
                                 .segment = segment,
                                 .b = b,
                                 .bias = v->bias ? bias : NULL,
                                 .residual = v->residual ? residual : NULL,
                                 .y = y,
                                 .y_row = y_row,
                                 .rows = rows,
                                 .k = length,
                                 .columns = columns,
                                 .vectors = vectors,
                                 .relu6 = v->relu6};
    k->product(&p);
    for (int64_t i = -GUARD; i < size + GUARD; i++) {
        const int64_t r = i / y_row, j = i % y_row;
        if (i < 0 || i >= size || j >= columns) {
            if (y[i] < canary || y[i] > canary) fail_msg("product: float %d was written", (int)i);
            continue;
        }
        double sum = v->bias ? bias[j] : before[i], absolute = fabs(sum);
        if (v->residual) {
            sum += residual[i];
            absolute += fabs(residual[i]);
        }
        for (int64_t n = 0; n < length; n++) {
            const double term =
                (double)a[r * a_row + n / run * segment + n % run] * b[n * width + j];
            sum += term;
            absolute += fabs(term);
        }
        const double limit = (8 + 2 * sqrt((double)length)) * ldexp(absolute, -24);
        if (!(fabs(clip(sum, v->relu6) - y[i]) <= limit))
            fail_msg("product %d vectors, %d x %d x %d: y[%d][%d] is %.9g instead of %.9g", vectors,
                     (int)rows, (int)length, (int)columns, (int)r, (int)j, y[i],
                     clip(sum, v->relu6));
    }
    free(memory);
    free(before);
    free(residual);
    free(bias);
    free(b);
    free(a);
}

static void products(const ani_infer_kernels *k) {
    static const int64_t rows[] = {1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13, 17, 23, 25, 37};
    static const int64_t lengths[] = {1, 3, 9, 16, 27, 40};
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
    const int64_t block = k->block, columns = (count - 1) * stride + 3;
    const int64_t reads = (rows - 1) * stride + 3, size = rows * count * block;
    float *x = random_floats(reads * columns * block, 1, -2, 3);
    float *w = random_floats(10 * block, 2, -1, 1);
    float *memory = malloc((size_t)(size + 2 * GUARD) * sizeof *memory);
    const void **at = malloc((size_t)reads * sizeof *at);
    assert_non_null(memory);
    assert_non_null(at);
    float *y = memory + GUARD;
    for (int64_t i = -GUARD; i < size + GUARD; i++)
        y[i] = canary;
    for (int64_t i = 0; i < reads; i++)
        at[i] = x + i * columns * block;
    const ani_infer_depthwise d = {
        .y = y, .x = at, .w = w, .rows = rows, .count = count, .stride = stride, .relu6 = relu6};
    k->depthwise(&d);
    for (int64_t i = 0; i < size; i++) {
        const int64_t c = i % block, column = i / block % count, row = i / block / count;
        double sum = w[9 * block + c], absolute = fabs(sum);
        for (int64_t t = 0; t < 9; t++) {
            const double term =
                (double)((
                    const float *)at[row * stride + t / 3])[(column * stride + t % 3) * block + c] *
                w[t * block + c];
            sum += term;
            absolute += fabs(term);
        }
        if (!(fabs(clip(sum, relu6) - y[i]) <= (8 + 2 * 3.0) * ldexp(absolute, -24)))
            fail_msg("depthwise %d x %d, stride %d: y[%d] is %.9g instead of %.9g", (int)rows,
                     (int)count, (int)stride, (int)i, y[i], clip(sum, relu6));
    }
    for (int64_t i = 0; i < GUARD; i++)
        if (y[-1 - i] < canary || y[-1 - i] > canary || y[size + i] < canary ||
            y[size + i] > canary)
            fail_msg("depthwise writes outside of its output");
    free(at);
    free(memory);
    free(w);
    free(x);
}

static void depthwise(const ani_infer_kernels *k) {
    for (int64_t rows = 1; rows <= 3; rows++)
        for (int64_t count = 1; count <= 9; count++)
            for (int64_t stride = 1; stride <= 2; stride++)
                for (int32_t relu6 = 0; relu6 <= 1; relu6++)
                    check_depthwise(k, rows, count, stride, relu6);
}

static void not_a_number(const ani_infer_kernels *k) {
    const float a = NAN;
    float b[64], bias[64] = {0}, y[64];
    for (int32_t i = 0; i < k->block; i++)
        b[i] = 1;
    const ani_infer_product p = {.a = &a,
                                 .a_row = 1,
                                 .run = 1,
                                 .b = b,
                                 .bias = bias,
                                 .y = y,
                                 .y_row = k->block,
                                 .rows = 1,
                                 .k = 1,
                                 .columns = k->block,
                                 .vectors = k->block / k->lanes,
                                 .relu6 = 1};
    k->product(&p);
    for (int32_t i = 0; i < k->block; i++)
        assert_true(isnan(y[i]));
}

/* --- int8: exact ------------------------------------------------------------------------------ */

static uint8_t *random_bytes(int64_t count, uint32_t seed, int32_t low, int32_t high) {
    uint8_t *bytes = malloc((size_t)(count + 1));
    assert_non_null(bytes);
    ani_stream stream = ani_stream_begin(seed, 0, 0);
    for (int64_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(int32_t)floor(ani_stream_uniform(&stream, low, high + 0.999));
    return bytes;
}

/* Weights of which two neighbours of one sign have 128 together at most; many have just that. */
static void make_weights(int8_t *b, int64_t count, uint32_t seed) {
    ani_stream stream = ani_stream_begin(seed, 0, 0);
    for (int64_t i = 0; i < count; i += 2) {
        const int32_t first = (int32_t)ani_stream_uniform(&stream, -127.9, 127.9);
        const int32_t rest = (int32_t)ani_stream_uniform(&stream, -127.9, 127.9);
        const int32_t most = 128 - abs(first);
        b[i] = (int8_t)first;
        b[i + 1] = (int8_t)((first > 0) != (rest > 0) ? rest : first > 0 ? most : -most);
        if (b[i + 1] == -128) b[i + 1] = -127;
    }
}

static uint8_t code_of(int32_t sum, float scale, float residual, float residual_scale) {
    const float value = rintf(fmaf(residual, residual_scale, (float)sum * scale));
    return value > 255 ? 255 : value > 0 ? (uint8_t)value : 0;
}

static void check_product_int8(const ani_infer_kernels *k, int32_t vectors, int64_t rows,
                               int64_t length, int64_t columns, int64_t run, int32_t residual) {
    const int64_t width = (int64_t)vectors * k->lanes, y_row = (columns + 3) / 4 * 4 + 8;
    const int64_t a_row = run + 5, segment = rows * a_row + 11, size = rows * y_row;
    const int64_t runs = (length + run - 1) / run;
    uint8_t *a = random_bytes(runs * segment, 1, 0, 255), *r = random_bytes(size, 2, 0, 255);
    int8_t *b = malloc((size_t)(length * width));
    float *random = random_floats(2 * width, 3, 0, 1), scale[64];
    int32_t bias[64];
    uint8_t *memory = malloc((size_t)(size + 2 * GUARD));
    assert_non_null(memory);
    assert_non_null(b);
    uint8_t *y = memory + GUARD;
    memset(memory, 0xa5, (size_t)(size + 2 * GUARD));
    make_weights(b, length * width, 4);
    if (length == 8) /* as far as sums go */
        for (int64_t i = 0; i < length * width; i++)
            b[i] = i / 4 % 2 ? -64 : 64;
    for (int64_t i = 0; length == 8 && i < runs * segment; i++)
        a[i] = 255;
    for (int64_t j = 0; j < width; j++) {
        bias[j] = (int32_t)(random[j] * 40000) - 10000;
        scale[j] = 0.002f * random[width + j];
    }
    const ani_infer_product p = {.a = a,
                                 .a_row = a_row,
                                 .run = run,
                                 .segment = segment,
                                 .b = b,
                                 .bias = bias,
                                 .scale = scale,
                                 .residual = residual ? r : NULL,
                                 .y = y,
                                 .y_row = y_row,
                                 .rows = rows,
                                 .k = length,
                                 .columns = columns,
                                 .vectors = vectors,
                                 .residual_scale = 0.37f};
    k->product(&p);
    for (int64_t i = -GUARD; i < size + GUARD; i++) {
        const int64_t row = i / y_row, j = i % y_row;
        uint8_t want = 0xa5;
        if (i >= 0 && i < size && j < columns) {
            int32_t sum = bias[j];
            for (int64_t n = 0; n < length; n++)
                sum += a[row * a_row + n / run * segment + n % run] *
                       b[(n / 4 * width + j) * 4 + n % 4];
            want = code_of(sum, scale[j], residual ? r[i] : 0, 0.37f);
        }
        if (y[i] != want)
            fail_msg("product %d vectors, %d x %d x %d: y[%d] is %d instead of %d", vectors,
                     (int)rows, (int)length, (int)columns, (int)i, y[i], want);
    }
    free(memory);
    free(random);
    free(b);
    free(r);
    free(a);
}

static void products_int8(const ani_infer_kernels *k) {
    static const int64_t lengths[] = {4, 8, 12, 32, 60};
    const int32_t most = k->block / k->lanes + 1;
    for (int32_t vectors = 1; vectors <= most; vectors++)
        for (int64_t rows = 1; rows <= 29; rows++)
            for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
                const int64_t before = (int64_t)(vectors - 1) * k->lanes, length = lengths[n];
                const int64_t run = n % 2 ? length : 4 + 8 * (rows % 2);
                check_product_int8(k, vectors, rows, length, before + k->lanes, run, rows % 3 == 0);
                check_product_int8(k, vectors, rows, length,
                                   before + 1 + (int64_t)(rows + (int64_t)n) % k->lanes, run,
                                   rows % 2);
            }
}

static void check_depthwise_int8(const ani_infer_kernels *k, int64_t rows, int64_t count,
                                 int64_t stride) {
    const int64_t block = k->block, columns = (count - 1) * stride + 3;
    const int64_t reads = (rows - 1) * stride + 3, size = rows * count * block;
    uint8_t *x = random_bytes(reads * columns * block, 1, 0, 255);
    uint8_t *memory = malloc((size_t)(size + 2 * GUARD));
    const void **at = malloc((size_t)reads * sizeof *at);
    float *random = random_floats(2 * block, 3, 0, 1);
    ani_infer_taps w[4] = {0};
    assert_non_null(memory);
    assert_non_null(at);
    uint8_t *y = memory + GUARD;
    memset(memory, 0xa5, (size_t)(size + 2 * GUARD));
    for (int64_t p = 0; p < block / ANI_INFER_PART; p++)
        make_weights(&w[p].taps[0][0][0], sizeof w[p].taps, 5 + (uint32_t)p);
    for (int64_t j = 0; j < block; j++) {
        ani_infer_taps *part = &w[j / ANI_INFER_PART];
        for (int64_t t = 0; t < 3; t++)
            part->taps[t][j % ANI_INFER_PART][3] = 0;
        part->bias[j % ANI_INFER_PART] = (int32_t)(random[j] * 30000) - 8000;
        part->scale[j % ANI_INFER_PART] = 0.004f * random[block + j];
    }
    for (int64_t i = 0; i < reads; i++)
        at[i] = x + i * columns * block;
    const ani_infer_depthwise d = {
        .y = y, .x = at, .w = w, .rows = rows, .count = count, .stride = stride};
    k->depthwise(&d);
    for (int64_t i = -GUARD; i < size + GUARD; i++) {
        uint8_t want = 0xa5;
        if (i >= 0 && i < size) {
            const int64_t c = i % block, column = i / block % count, row = i / block / count;
            const ani_infer_taps *part = &w[c / ANI_INFER_PART];
            int32_t sum = part->bias[c % ANI_INFER_PART];
            for (int64_t t = 0; t < 9; t++)
                sum += ((const uint8_t *)
                            at[row * stride + t / 3])[(column * stride + t % 3) * block + c] *
                       part->taps[t % 3][c % ANI_INFER_PART][t / 3];
            want = code_of(sum, part->scale[c % ANI_INFER_PART], 0, 0);
        }
        if (y[i] != want)
            fail_msg("depthwise %d x %d, stride %d: y[%d] is %d instead of %d", (int)rows,
                     (int)count, (int)stride, (int)i, y[i], want);
    }
    free(random);
    free(at);
    free(memory);
    free(x);
}

static void codes_int8(const ani_infer_kernels *k) {
    static const float ends[] = {-1e30f, 1e30f, NAN, -0.5f / 255, 254.5f / 255, 255.5f / 255};
    for (int64_t count = 1; count <= 40; count++) {
        float *x = random_floats(count, 6, -0.2, 1.2);
        uint8_t codes[64];
        memset(codes, 0xa5, sizeof codes);
        for (int64_t i = 0; i < count && i < 6; i++)
            x[i] = ends[i];
        k->codes(codes + 4, x, count, 255, 0.25f);
        for (int64_t i = -4; i < 60; i++) {
            uint8_t want = 0xa5;
            if (i >= 0 && i < count) {
                const float value = rintf(fmaf(x[i], 255, 0.25f));
                want = value > 255 ? 255 : value > 0 ? (uint8_t)value : 0;
            }
            if (codes[i + 4] != want)
                fail_msg("code %d of %d is %d instead of %d", (int)i, (int)count, codes[i + 4],
                         want);
        }
        free(x);
    }
}

static void depthwise_int8(const ani_infer_kernels *k) {
    for (int64_t rows = 1; rows <= 3; rows++)
        for (int64_t count = 1; count <= 11; count++)
            for (int64_t stride = 1; stride <= 2; stride++)
                check_depthwise_int8(k, rows, count, stride);
}

static ani_infer_kernels plain(void) {
    ani_infer_kernels k;
    ani_infer_kernels_c(&k);
    return k;
}

static ani_infer_kernels best(void) {
    ani_infer_kernels k;
    ani_infer_kernels_init(&k, ani_cpu_mask(NULL));
    return k;
}

static void test_products(void **state) {
    (void)state;
    const ani_infer_kernels c = plain(), b = best();
    products(&c);
    products(&b);
}

static void test_depthwise(void **state) {
    (void)state;
    const ani_infer_kernels c = plain(), b = best();
    depthwise(&c);
    depthwise(&b);
}

static void test_not_a_number(void **state) {
    (void)state;
    const ani_infer_kernels c = plain(), b = best();
    not_a_number(&c);
    not_a_number(&b);
}

static void test_int8(void **state) {
    (void)state;
    ani_infer_kernels tables[2];
    ani_infer_kernels_c_int8(&tables[0]);
    ani_infer_kernels_init_int8(&tables[1], ani_cpu_mask(NULL));
    for (int32_t i = 0; i < 2; i++) {
        products_int8(&tables[i]);
        depthwise_int8(&tables[i]);
        codes_int8(&tables[i]);
    }
}

int main(void) {
    if (level_is_absent()) return 77; /* Meson: skipped */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_not_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
