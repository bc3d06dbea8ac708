/* SPDX-License-Identifier: MIT
 * The inference kernels in plain C: their contract. */
#include "kernels/infer.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/element.h"

enum { LANES = 8, BLOCK = 16, PAIR = 2 };

/* min(max(value, 0), 6); NaN stays */
static float clip(float value, int32_t relu6) {
    if (!relu6) return value;
    value = value < 0 ? 0 : value;
    return value > 6 ? 6 : value;
}

/* Compiler vectors of the length that most processors have; on others the compiler splits them. */
enum { QUAD = 4 };
typedef float quad __attribute__((vector_size(QUAD * sizeof(float))));

/* Rows r and r + 1 (the same one twice at the end) of a product with this many quads: the chains of
 * the contract, two rows at a time, since each loaded weight serves both. */
static inline __attribute__((always_inline)) void product_pair(const ani_infer_product *p,
                                                               int64_t r, int32_t quads) {
    const int64_t rows[PAIR] = {r, r + 1 < p->rows ? r + 1 : r};
    const float *b = p->b, *bias = p->bias, *residual = p->residual;
    float start[PAIR][BLOCK + LANES] = {{0}};
    quad sums[PAIR][(BLOCK + LANES) / QUAD];
    for (int32_t q = 0; q < PAIR; q++)
        for (int64_t j = 0; j < p->columns; j++) {
            const int64_t at = rows[q] * p->y_row + j;
            start[q][j] = bias ? bias[j] : ((const float *)p->y)[at];
            if (residual) start[q][j] += residual[at];
        }
    for (int32_t v = 0; v < quads; v++) {
        memcpy(&sums[0][v], start[0] + v * QUAD, sizeof(quad));
        memcpy(&sums[1][v], start[1] + v * QUAD, sizeof(quad));
    }
    for (int64_t k = 0, segment = 0; k < p->k; k += p->run, segment += p->segment) {
        const float *first = (const float *)p->a + rows[0] * p->a_row + segment;
        const float *second = (const float *)p->a + rows[1] * p->a_row + segment;
        const int64_t count = p->run < p->k - k ? p->run : p->k - k;
        for (int64_t i = 0; i < count; i++, b += quads * QUAD) {
            const quad x = {first[i], first[i], first[i], first[i]};
            const quad z = {second[i], second[i], second[i], second[i]};
            for (int32_t v = 0; v < quads; v++) {
                quad weights;
                memcpy(&weights, b + v * QUAD, sizeof weights);
                sums[0][v] += x * weights;
                sums[1][v] += z * weights;
            }
        }
    }
    for (int32_t v = 0; v < quads; v++) {
        memcpy(start[0] + v * QUAD, &sums[0][v], sizeof(quad));
        memcpy(start[1] + v * QUAD, &sums[1][v], sizeof(quad));
    }
    for (int32_t q = 0; q < PAIR; q++)
        for (int64_t j = 0; j < p->columns; j++)
            ((float *)p->y)[rows[q] * p->y_row + j] = clip(start[q][j], p->relu6);
}

static void product(const ani_infer_product *p) {
    for (int64_t r = 0; r < p->rows; r += PAIR)
        switch (p->vectors) {
        case 1:
            product_pair(p, r, LANES / QUAD);
            break;
        case 2:
            product_pair(p, r, 2 * LANES / QUAD);
            break;
        default:
            product_pair(p, r, 3 * LANES / QUAD);
        }
}

static void store(void *y, int64_t i, float value, int32_t halves) {
    if (halves)
        ((uint16_t *)y)[i] = ani_to_bfloat16(value);
    else
        ((float *)y)[i] = value;
}

static void depthwise_block(const ani_infer_depthwise *d, int32_t halves) {
    const float *w = d->w;
    for (int64_t row = 0; row < d->rows; row++)
        for (int64_t i = 0; i < d->count; i++) {
            float sums[BLOCK];
            memcpy(sums, w + 9 * BLOCK, sizeof sums);
            for (int64_t r = 0; r < 3; r++) {
                const float *x = (const float *)d->x[row * d->stride + r] + i * d->stride * BLOCK;
                for (int64_t k = 0; k < 3; k++)
                    for (int64_t j = 0; j < BLOCK; j++)
                        sums[j] += x[k * BLOCK + j] * w[(r * 3 + k) * BLOCK + j];
            }
            for (int64_t j = 0; j < BLOCK; j++)
                store(d->y, (row * d->count + i) * BLOCK + j, clip(sums[j], d->relu6), halves);
        }
}

static void depthwise(const ani_infer_depthwise *d) {
    depthwise_block(d, 0);
}

/* --- bfloat16 --------------------------------------------------------------------------------- */

static void product_bfloat16(const ani_infer_product *p) {
    const uint16_t *a = p->a, *b = p->b, *residual = p->residual;
    const float *bias = p->bias;
    const int64_t width = (int64_t)p->vectors * LANES;
    for (int64_t r = 0; r < p->rows; r++) {
        float sums[BLOCK + LANES];
        for (int64_t j = 0; j < p->columns; j++)
            sums[j] = bias[j] + (residual ? ani_from_bfloat16(residual[r * p->y_row + j]) : 0);
        for (int64_t k = 0; k < p->k; k++) {
            const float value =
                ani_from_bfloat16(a[r * p->a_row + k / p->run * p->segment + k % p->run]);
            for (int64_t j = 0; j < p->columns; j++)
                sums[j] += value * ani_from_bfloat16(b[(k / 2 * width + j) * 2 + k % 2]);
        }
        for (int64_t j = 0; j < p->columns; j++)
            store(p->y, r * p->y_row + j, clip(sums[j], p->relu6), !p->wide);
    }
}

static void depthwise_bfloat16(const ani_infer_depthwise *d) {
    depthwise_block(d, 1);
}

static void narrow(uint16_t *to, const float *from, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] = ani_to_bfloat16(from[i]);
}

/* --- int8 ------------------------------------------------------------------------------------- */

/* The code of a sum and an already scaled part. */
static uint8_t code_of(int32_t sum, float scale, float residual, float residual_scale) {
    const float value = rintf(fmaf(residual, residual_scale, (float)sum * scale));
    return value > 255 ? 255 : value > 0 ? (uint8_t)value : 0;
}

static void product_int8(const ani_infer_product *p) {
    const uint8_t *a = p->a, *residual = p->residual;
    const int8_t *b = p->b;
    const int32_t *bias = p->bias;
    const int64_t width = (int64_t)p->vectors * LANES;
    for (int64_t r = 0; r < p->rows; r++) {
        uint8_t *y = (uint8_t *)p->y + r * p->y_row;
        for (int64_t j = 0; j < p->columns; j++) {
            int32_t sum = bias[j];
            for (int64_t k = 0; k < p->k; k++)
                sum += a[r * p->a_row + k / p->run * p->segment + k % p->run] *
                       b[(k / 4 * width + j) * 4 + k % 4];
            y[j] = code_of(sum, p->scale[j], residual ? residual[r * p->y_row + j] : 0,
                           p->residual_scale);
        }
    }
}

static void depthwise_int8(const ani_infer_depthwise *d) {
    const ani_infer_taps *w = d->w;
    uint8_t *y = d->y;
    for (int64_t row = 0; row < d->rows; row++)
        for (int64_t i = 0; i < d->count; i++)
            for (int64_t j = 0; j < BLOCK; j++) {
                int32_t sum = w->bias[j];
                for (int64_t r = 0; r < 3; r++) {
                    const uint8_t *x = d->x[row * d->stride + r];
                    for (int64_t k = 0; k < 3; k++)
                        sum += x[(i * d->stride + k) * BLOCK + j] * w->taps[k][j][r];
                }
                y[(row * d->count + i) * BLOCK + j] = code_of(sum, w->scale[j], 0, 0);
            }
}

static void codes(uint8_t *to, const float *from, int64_t count, float scale, float offset) {
    for (int64_t i = 0; i < count; i++) {
        const float value = rintf(fmaf(from[i], scale, offset));
        to[i] = value > 255 ? 255 : value > 0 ? (uint8_t)value : 0;
    }
}

void ani_infer_kernels_c(ani_infer_kernels *table) {
    *table = (ani_infer_kernels){.lanes = LANES,
                                 .block = BLOCK,
                                 .size = sizeof(float),
                                 .wide_size = sizeof(float),
                                 .group = 1,
                                 .product = product,
                                 .depthwise = depthwise};
}

void ani_infer_kernels_c_bfloat16(ani_infer_kernels *table) {
    *table = (ani_infer_kernels){.lanes = LANES,
                                 .block = BLOCK,
                                 .size = sizeof(uint16_t),
                                 .wide_size = sizeof(float),
                                 .group = 2,
                                 .product = product_bfloat16,
                                 .depthwise = depthwise_bfloat16,
                                 .narrow = narrow};
}

void ani_infer_kernels_c_int8(ani_infer_kernels *table) {
    *table = (ani_infer_kernels){.lanes = LANES,
                                 .block = BLOCK,
                                 .size = 1,
                                 .wide_size = 1,
                                 .group = 4,
                                 .product = product_int8,
                                 .depthwise = depthwise_int8,
                                 .codes = codes};
}
