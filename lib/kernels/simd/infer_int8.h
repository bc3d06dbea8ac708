/* SPDX-License-Identifier: MIT
 * The int8 inference kernels over the vectors of vec.h and codes.h. A level's infer.c includes
 * both, defines the number of parts in a block (BYTES_PARTS) and of rows in a register tile for
 * each number of vectors (ANI_BYTES_TILES), and then includes this.
 *
 * Sums are int32 and exact; a product adds up four inputs at once. Blocks have BYTES_PARTS parts of
 * 16 channels, which are bytes here: the depthwise convolution processes as many columns at a time
 * as fit into a vector. */
#ifndef KERNELS_SIMD_INFER_INT8_H
#define KERNELS_SIMD_INFER_INT8_H

#include <string.h>

#include "kernels/infer.h"
#include "kernels/simd/simd.h"

enum {
    BYTES_BLOCK = BYTES_PARTS * ANI_INFER_PART,
    BYTES_VECTORS = BYTES_BLOCK / LANES, /* of a whole panel */
    BYTES_MAX_VECTORS = BYTES_VECTORS + 1,
    BYTES_MAX_ROWS = 14,              /* of infer_product.h */
    COLUMNS = 4 * LANES / BYTES_BLOCK /* of the depthwise convolution at a time */
};

/* --- products --------------------------------------------------------------------------------- */

/* Sums become codes that are not yet clamped, in place. `last` columns of the last vector. */
ANI_INLINE void make_codes(const ani_infer_product *p, ivec sums[][BYTES_MAX_VECTORS],
                           const int rows, const int vectors) {
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        const vec scale = v_load(p->scale + j * LANES);
        ANI_UNROLL
        for (int r = 0; r < rows; r++)
            sums[r][j] = v_round(v_mul(v_of_ints(sums[r][j]), scale));
    }
}
ANI_INLINE void add_codes(const ani_infer_product *p, ivec sums[][BYTES_MAX_VECTORS],
                          const uint8_t *residual, const int rows, const int vectors,
                          int64_t last) {
    const vec factor = v_set(p->residual_scale);
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        const vec scale = v_load(p->scale + j * LANES);
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const uint8_t *from = residual + r * p->y_row + j * LANES;
            const int whole = j < vectors - 1 || last == LANES;
            const vec codes = whole ? v_of_codes(from) : v_of_part_codes(from, last);
            sums[r][j] = v_round(v_fma(codes, factor, v_mul(v_of_ints(sums[r][j]), scale)));
        }
    }
}

/* Store rows of codes: two rows of two vectors at once. */
ANI_INLINE void store_codes(uint8_t *y, int64_t y_row, ivec sums[][BYTES_MAX_VECTORS],
                            const int rows, const int vectors) {
    ANI_UNROLL
    for (int j = 0; j + 2 <= vectors; j += 2) {
        ANI_UNROLL
        for (int r = 0; r + 2 <= rows; r += 2)
            i_store_square(y + r * y_row + j * LANES, y_row, &sums[r][j], &sums[r + 1][j]);
        if (rows % 2)
            i_store_two(y + (rows - 1) * y_row + j * LANES, sums[rows - 1][j],
                        sums[rows - 1][j + 1]);
    }
    if (vectors % 2) {
        ANI_UNROLL
        for (int r = 0; r < rows; r++)
            i_store_one(y + r * y_row + (vectors - 1) * LANES, sums[r][vectors - 1]);
    }
}
ANI_INLINE void store_part_codes(uint8_t *y, int64_t y_row, ivec sums[][BYTES_MAX_VECTORS],
                                 const int rows, const int vectors, int64_t last) {
    ANI_UNROLL
    for (int r = 0; r < rows; r++, y += y_row) {
        ANI_UNROLL
        for (int j = 0; j < vectors - 1; j++)
            i_store_one(y + j * LANES, sums[r][j]);
        i_store_part(y + (vectors - 1) * LANES, sums[r][vectors - 1], last);
    }
}

typedef uint8_t bytes_input;
typedef int8_t bytes_weight;
typedef ivec bytes_sums[BYTES_MAX_ROWS][BYTES_MAX_VECTORS];

ANI_INLINE void bytes_start(const ani_infer_product *p, int64_t row, bytes_sums sums,
                            const int rows, const int vectors, int64_t last) {
    const int32_t *bias = p->bias;
    (void)row, (void)last;
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            sums[r][j] = i_load(bias + j * LANES);
    }
}

ANI_INLINE void bytes_step(bytes_sums sums, const uint8_t *a, int64_t a_row, const int8_t *b,
                           const int rows, const int vectors) {
    ivec column[BYTES_MAX_VECTORS];
    ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        column[j] = i_load(b + j * LANES * 4);
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        const ivec group = i_repeat_4(a + r * a_row);
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            sums[r][j] = i_dot(sums[r][j], group, column[j]);
    }
}

ANI_INLINE void bytes_finish(const ani_infer_product *p, int64_t row, bytes_sums sums,
                             const int rows, const int vectors, int64_t last) {
    const int64_t y_row = p->y_row;
    uint8_t *y = (uint8_t *)p->y + row * y_row;
    if (p->residual)
        add_codes(p, sums, (const uint8_t *)p->residual + row * y_row, rows, vectors, last);
    else
        make_codes(p, sums, rows, vectors);
    if (last == LANES)
        store_codes(y, y_row, sums, rows, vectors);
    else
        store_part_codes(y, y_row, sums, rows, vectors, last);
}

#define KIND(name) bytes_##name
#define KIND_GROUP 4
#define KIND_UNROLL
#define KIND_TILES ANI_BYTES_TILES
#include "kernels/simd/infer_product.h"

/* --- depthwise -------------------------------------------------------------------------------- */

/* Weights in the layout of the sums: every four channels of the parts, the same for all columns. */
typedef struct bytes_taps {
    ivec w[3][4], bias[4];
    vec scale[4];
} bytes_taps;

/* What one column of taps reads. Every four bytes of a group are one channel of one column: those
 * of the three rows, and an unused one. */
typedef struct bytes_groups {
    ivec of[4];
} bytes_groups;

ANI_INLINE bytes_groups load_groups(const uint8_t *const *x, int64_t at, const int stride) {
    const ivec first = i_columns(x[0] + at, stride), second = i_columns(x[1] + at, stride);
    const ivec third = i_columns(x[2] + at, stride), zero = i_zero();
    const ivec low = i_low_8(first, second), high = i_high_8(first, second);
    const ivec low_rest = i_low_8(third, zero), high_rest = i_high_8(third, zero);
    return (bytes_groups){{i_low_16(low, low_rest), i_high_16(low, low_rest),
                           i_low_16(high, high_rest), i_high_16(high, high_rest)}};
}

/* COLUMNS results of a row from column `at` of x on: x has three rows. `groups` are those of the
 * first column of taps. Returns those of the last one. */
ANI_INLINE bytes_groups bytes_columns(const bytes_taps *taps, const uint8_t *const *x, int64_t at,
                                      const int stride, bytes_groups groups, uint8_t *y) {
    ivec sums[4];
    ANI_UNROLL
    for (int q = 0; q < 4; q++)
        sums[q] = taps->bias[q];
    ANI_UNROLL
    for (int k = 0; k < 3; k++) {
        if (k) groups = load_groups(x, at + k * BYTES_BLOCK, stride);
        ANI_UNROLL
        for (int q = 0; q < 4; q++)
            sums[q] = i_dot(sums[q], groups.of[q], taps->w[k][q]);
    }
    ANI_UNROLL
    for (int q = 0; q < 4; q++)
        sums[q] = v_round(v_mul(v_of_ints(sums[q]), taps->scale[q]));
    i_store_parts(y, sums[0], sums[1], sums[2], sums[3]);
    return groups;
}

/* A row with fewer results than COLUMNS, through a buffer for all of them. */
ANI_SHARED void bytes_narrow(const ani_infer_depthwise *d, const bytes_taps *taps,
                             const uint8_t *const *x, uint8_t *y) {
    enum { MOST = (2 * (COLUMNS - 1) + 3) * BYTES_BLOCK };
    uint8_t room[3][MOST] = {{0}}, results[COLUMNS * BYTES_BLOCK];
    const uint8_t *const rows[3] = {room[0], room[1], room[2]};
    for (int r = 0; r < 3; r++)
        memcpy(room[r], x[r], (size_t)(((d->count - 1) * d->stride + 3) * BYTES_BLOCK));
    if (d->stride == 1)
        bytes_columns(taps, rows, 0, 1, load_groups(rows, 0, 1), results);
    else
        bytes_columns(taps, rows, 0, 2, load_groups(rows, 0, 2), results);
    memcpy(y, results, (size_t)(d->count * BYTES_BLOCK));
}

/* The last columns are aligned to the end, so some are computed twice. With two columns at a time
 * and stride 1, the last column of taps reads what the first one of the next columns does. */
ANI_INLINE void bytes_rows_of(const ani_infer_depthwise *d, const bytes_taps *taps,
                              const int stride) {
    const int goes_on = stride == 1 && COLUMNS == 2;
    uint8_t *y = d->y;
    for (int64_t row = 0; row < d->rows; row++, y += d->count * BYTES_BLOCK) {
        const uint8_t *const x[3] = {d->x[row * stride], d->x[row * stride + 1],
                                     d->x[row * stride + 2]};
        if (d->count < COLUMNS) {
            bytes_narrow(d, taps, x, y);
            continue;
        }
        bytes_groups groups = load_groups(x, 0, stride);
        int64_t i = 0;
        for (; i + COLUMNS <= d->count; i += COLUMNS) {
            const int64_t at = i * stride * BYTES_BLOCK;
            if (!goes_on) groups = load_groups(x, at, stride);
            groups = bytes_columns(taps, x, at, stride, groups, y + i * BYTES_BLOCK);
        }
        if (i == d->count) continue;
        i = d->count - COLUMNS;
        const int64_t at = i * stride * BYTES_BLOCK;
        bytes_columns(taps, x, at, stride, load_groups(x, at, stride), y + i * BYTES_BLOCK);
    }
}

static void bytes_depthwise(const ani_infer_depthwise *d) {
    const ani_infer_taps *parts = d->w;
    bytes_taps taps;
    for (int q = 0; q < 4; q++) {
        for (int k = 0; k < 3; k++)
            taps.w[k][q] = i_parts(parts->taps[k][4 * q], sizeof *parts);
        taps.bias[q] = i_parts(parts->bias + 4 * q, sizeof *parts);
        taps.scale[q] = v_of_bits(i_parts(parts->scale + 4 * q, sizeof *parts));
    }
    if (d->stride == 1)
        bytes_rows_of(d, &taps, 1);
    else
        bytes_rows_of(d, &taps, 2);
}

/* --- the image -------------------------------------------------------------------------------- */

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
