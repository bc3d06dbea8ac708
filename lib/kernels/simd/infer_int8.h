/* SPDX-License-Identifier: MIT
 * The int8 inference kernels over the vectors of vec.h and codes.h. A level's infer.c includes both
 * and simd/infer.h before this.
 *
 * Sums are int32 and exact; a product adds up four inputs at once. Blocks have 16 channels on all
 * levels: one pixel of a block is 16 bytes, and the depthwise convolution works on as many columns
 * at once as a vector has such parts. */
#ifndef KERNELS_SIMD_INFER_INT8_H
#define KERNELS_SIMD_INFER_INT8_H

#include <string.h>

#include "kernels/infer.h"
#include "kernels/simd/simd.h"

enum {
    BYTES_BLOCK = ANI_INFER_BYTES_BLOCK,
    BYTES_VECTORS = BYTES_BLOCK / LANES, /* of a whole panel */
    BYTES_MAX_VECTORS = BYTES_VECTORS + 1,
    BYTES_MAX_ROWS = 14,
    COLUMNS = LANES / 4 /* of the depthwise convolution at once */
};

/* --- products --------------------------------------------------------------------------------- */

/* Codes of a row's sums into y, the last vector's first `last` alone. */
ANI_INLINE void store_codes(const ani_infer_product *p, const ivec *sums, int64_t at,
                            const int vectors, int64_t last) {
    const uint8_t *residual = p->residual;
    ivec codes[BYTES_MAX_VECTORS];
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        vec value = v_mul(v_of_ints(sums[j]), v_load(p->scale + j * LANES));
        if (residual) {
            const uint8_t *from = residual + at + j * LANES;
            const int64_t count = j == vectors - 1 ? last : LANES;
            uint8_t part[LANES] = {0};
            if (count < LANES) {
                memcpy(part, from, (size_t)count);
                from = part;
            }
            value = v_fma(v_of_codes(from), v_set(p->residual_scale), value);
        }
        codes[j] = v_round(value);
    }
    uint8_t *to = (uint8_t *)p->y + at;
    const int whole = last == LANES ? vectors : vectors - 1;
    int j = 0;
    for (; j + 2 <= whole; j += 2)
        i_store_two(to + j * LANES, codes[j], codes[j + 1]);
    for (; j < whole; j++)
        i_store_one(to + j * LANES, codes[j]);
    if (j < vectors) {
        uint8_t part[LANES];
        i_store_one(part, codes[j]);
        memcpy(to + j * LANES, part, (size_t)last);
    }
}

ANI_INLINE void bytes_tile(const ani_infer_product *p, int64_t row, const int rows,
                           const int vectors) {
    const int64_t a_row = p->a_row, last = p->columns - (vectors - 1) * LANES;
    const uint8_t *a = (const uint8_t *)p->a + row * a_row;
    const int8_t *b = p->b;
    const int32_t *bias = p->bias;
    ivec sums[BYTES_MAX_ROWS][BYTES_MAX_VECTORS];
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        sums[r][j] = i_load(bias + j * LANES);
    for (int64_t left = p->k; left > 0; left -= p->run, a += p->segment) {
        const int64_t count = left < p->run ? left : p->run;
        for (int64_t i = 0; i < count; i += 4, b += vectors * LANES * 4) {
            ivec column[BYTES_MAX_VECTORS];
            ANI_UNROLL
            for (int j = 0; j < vectors; j++)
                column[j] = i_load(b + j * LANES * 4);
            ANI_UNROLL
            for (int r = 0; r < rows; r++) {
                const ivec group = i_repeat_4(a + r * a_row + i);
                ANI_UNROLL
                for (int j = 0; j < vectors; j++)
                    sums[r][j] = i_dot(sums[r][j], group, column[j]);
            }
        }
    }
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        store_codes(p, sums[r], (row + r) * p->y_row, vectors, last);
}

#define INFER_TILE bytes_tile
#define INFER_ROWS bytes_rows
#include "kernels/simd/infer_rows.h"

static void bytes_product(const ani_infer_product *p) {
    switch (p->vectors) {
    case 1:
        bytes_rows(p, BYTES_ROWS_1, 1);
        break;
    case 2:
        bytes_rows(p, BYTES_ROWS_2, 2);
        break;
#if ANI_MAX_BYTES_VECTORS > 2
    case 3:
        bytes_rows(p, BYTES_ROWS_3, 3);
        break;
#endif
#if ANI_MAX_BYTES_VECTORS > 3
    case 4:
        bytes_rows(p, BYTES_ROWS_4, 4);
        break;
    case 5:
        bytes_rows(p, BYTES_ROWS_5, 5);
        break;
#endif
    default:
        break;
    }
}

/* --- depthwise ---------------------------------------------------------------------------------
 */

/* COLUMNS results of a row from column `at` of x on: x has three rows. Every four bytes of a group
 * are one channel of one column: the three rows', and nothing. */
ANI_INLINE void bytes_columns(const ani_infer_taps *w, const uint8_t *const *x, const int stride,
                              uint8_t *y) {
    const ivec zero = i_zero();
    ivec sums[4];
    ANI_UNROLL
    for (int q = 0; q < 4; q++)
        sums[q] = i_repeat_16(w->bias + 4 * q);
    ANI_UNROLL
    for (int k = 0; k < 3; k++) {
        const ivec first = i_columns(x[0] + k * BYTES_BLOCK, stride);
        const ivec second = i_columns(x[1] + k * BYTES_BLOCK, stride);
        const ivec third = i_columns(x[2] + k * BYTES_BLOCK, stride);
        const ivec low = i_low_8(first, second), high = i_high_8(first, second);
        const ivec low_rest = i_low_8(third, zero), high_rest = i_high_8(third, zero);
        sums[0] = i_dot(sums[0], i_low_16(low, low_rest), i_repeat_16(w->taps[k][0]));
        sums[1] = i_dot(sums[1], i_high_16(low, low_rest), i_repeat_16(w->taps[k][4]));
        sums[2] = i_dot(sums[2], i_low_16(high, high_rest), i_repeat_16(w->taps[k][8]));
        sums[3] = i_dot(sums[3], i_high_16(high, high_rest), i_repeat_16(w->taps[k][12]));
    }
    ANI_UNROLL
    for (int q = 0; q < 4; q++)
        sums[q] = v_round(v_mul(v_of_ints(sums[q]), v_of_bits(i_repeat_16(w->scale + 4 * q))));
    i_store_parts(y, sums[0], sums[1], sums[2], sums[3]);
}

/* A row with fewer results than COLUMNS, through room for all of them. */
static void bytes_narrow(const ani_infer_depthwise *d, const uint8_t *const *x, uint8_t *y) {
    enum { MOST = (2 * (COLUMNS - 1) + 3) * BYTES_BLOCK };
    uint8_t room[3][MOST] = {{0}}, results[COLUMNS * BYTES_BLOCK];
    const uint8_t *const rows[3] = {room[0], room[1], room[2]};
    for (int r = 0; r < 3; r++)
        memcpy(room[r], x[r], (size_t)(((d->count - 1) * d->stride + 3) * BYTES_BLOCK));
    if (d->stride == 1)
        bytes_columns(d->w, rows, 1, results);
    else
        bytes_columns(d->w, rows, 2, results);
    memcpy(y, results, (size_t)(d->count * BYTES_BLOCK));
}

/* The last columns are done from their end, so some are done twice. */
ANI_INLINE void bytes_rows_of(const ani_infer_depthwise *d, const int stride) {
    uint8_t *y = d->y;
    for (int64_t row = 0; row < d->rows; row++, y += d->count * BYTES_BLOCK) {
        const uint8_t *x[3] = {d->x[row * stride], d->x[row * stride + 1], d->x[row * stride + 2]};
        if (d->count < COLUMNS) {
            bytes_narrow(d, x, y);
            continue;
        }
        for (int64_t i = 0; i < d->count; i += COLUMNS) {
            const int64_t at = i + COLUMNS <= d->count ? i : d->count - COLUMNS;
            const int64_t from = at * stride * BYTES_BLOCK;
            const uint8_t *const part[3] = {x[0] + from, x[1] + from, x[2] + from};
            bytes_columns(d->w, part, stride, y + at * BYTES_BLOCK);
        }
    }
}

static void bytes_depthwise(const ani_infer_depthwise *d) {
    if (d->stride == 1)
        bytes_rows_of(d, 1);
    else
        bytes_rows_of(d, 2);
}

/* --- the picture -------------------------------------------------------------------------------
 */

static void bytes_codes(uint8_t *to, const float *from, int64_t count, float scale, float offset) {
    const vec factor = v_set(scale), add = v_set(offset);
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        i_store_one(to + i, v_round(v_cut(v_fma(v_load(from + i), factor, add))));
    if (i == count) return;
    float values[LANES] = {0};
    uint8_t codes[LANES];
    memcpy(values, from + i, (size_t)(count - i) * sizeof *from);
    i_store_one(codes, v_round(v_cut(v_fma(v_load(values), factor, add))));
    memcpy(to + i, codes, (size_t)(count - i));
}

static void fill_int8_table(ani_infer_kernels *table) {
    *table = (ani_infer_kernels){.lanes = LANES,
                                 .block = BYTES_BLOCK,
                                 .size = 1,
                                 .wide_size = 1,
                                 .group = 4,
                                 .product = bytes_product,
                                 .depthwise = bytes_depthwise,
                                 .codes = bytes_codes};
}

#endif
