/* SPDX-License-Identifier: MIT
 * What simd/infer.h and simd/infer_bfloat16.h share: how sums in float start and end, and the
 * depthwise convolution over floats, whose result is floats or, for bfloat16 products, halves. */
#ifndef KERNELS_SIMD_INFER_DEPTHWISE_H
#define KERNELS_SIMD_INFER_DEPTHWISE_H

#include "kernels/infer.h"
#include "kernels/simd/simd.h"

/* A level's infer.c defines the number of vectors in a block, and the number of columns (2 or 4)
 * that the depthwise convolution processes at a time. */
enum { INFER_BLOCK = BLOCK_VECTORS * LANES, MAX_VECTORS = BLOCK_VECTORS + 1, MAX_ROWS = 14 };

/* Every sum of a column starts from its bias. */
ANI_INLINE void sums_start(vec sums[][MAX_VECTORS], const float *bias, const int rows,
                           const int vectors) {
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            sums[r][j] = v_load(bias + j * LANES);
    }
}

ANI_INLINE void sums_clip(vec sums[][MAX_VECTORS], const int rows, const int vectors) {
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            sums[r][j] = v_clip(sums[r][j]);
    }
}

/* Store rows of results. `last` columns of the last vector. */
ANI_INLINE void store_floats(float *y, int64_t y_row, vec sums[][MAX_VECTORS], const int rows,
                             const int vectors, int64_t last) {
    ANI_UNROLL
    for (int r = 0; r < rows; r++, y += y_row) {
        ANI_UNROLL
        for (int j = 0; j < vectors - 1; j++)
            v_store(y + j * LANES, sums[r][j]);
        if (last == LANES)
            v_store(y + (vectors - 1) * LANES, sums[r][vectors - 1]);
        else
            v_store_part(y + (vectors - 1) * LANES, sums[r][vectors - 1], last);
    }
}

#ifndef ANI_NATIVE_BFLOAT16 /* a level with instructions for it has its own versions of what       \
                               follows */

/* Round to bfloat16 and store. */
ANI_INLINE void v_to_bfloat16(uint16_t *to, vec v) {
    v_store_bfloat16(to, v_round_bfloat16(v));
}
ANI_INLINE void v_to_bfloat16_two(uint16_t *to, vec first, vec second) {
    v_to_bfloat16(to, first);
    v_to_bfloat16(to + LANES, second);
}

ANI_INLINE void store_result(void *y, int64_t at, vec v, const int halves) {
    if (halves)
        v_to_bfloat16((uint16_t *)y + at, v);
    else
        v_store((float *)y + at, v);
}

/* The position of a row's next results: from x, element `at` of y. */
typedef struct depthwise_place {
    const float *x[3];
    void *y;
    int64_t at;
} depthwise_place;

/* Compute some results of a row, which share the loads of x, and advance to the next ones. */
ANI_INLINE void depthwise_columns(depthwise_place *p, const vec *taps, vec bias, const int columns,
                                  const int stride, const int relu6, const int halves) {
    vec sums[DEPTHWISE_COLUMNS];
    ANI_UNROLL
    for (int i = 0; i < columns; i++)
        sums[i] = bias;
    ANI_UNROLL
    for (int r = 0; r < 3; r++) {
        ANI_UNROLL
        for (int c = 0; c < (columns - 1) * stride + 3; c++) {
            const vec value = v_load(p->x[r] + c * INFER_BLOCK);
            ANI_UNROLL
            for (int i = 0; i < columns; i++)
                if (c >= i * stride && c < i * stride + 3)
                    sums[i] = v_fma(value, taps[r * 3 + c - i * stride], sums[i]);
        }
        p->x[r] += columns * stride * INFER_BLOCK;
    }
    ANI_UNROLL
    for (int i = 0; i < columns; i++, p->at += INFER_BLOCK)
        store_result(p->y, p->at, relu6 ? v_clip(sums[i]) : sums[i], halves);
}

/* One vector of a block: its nine taps stay in registers over all rows. */
ANI_INLINE void depthwise_vector(const ani_infer_depthwise *d, int64_t at, const int stride,
                                 const int relu6, const int halves) {
    const float *w = (const float *)d->w + at;
    const vec bias = v_load(w + 9 * INFER_BLOCK);
    vec taps[9];
    ANI_UNROLL
    for (int t = 0; t < 9; t++)
        taps[t] = v_load(w + t * INFER_BLOCK);
    depthwise_place p = {.y = d->y, .at = at};
    for (int64_t row = 0; row < d->rows; row++) {
        ANI_UNROLL
        for (int r = 0; r < 3; r++)
            p.x[r] = (const float *)d->x[row * stride + r] + at;
        int64_t i = 0;
        for (; i + DEPTHWISE_COLUMNS <= d->count; i += DEPTHWISE_COLUMNS)
            depthwise_columns(&p, taps, bias, DEPTHWISE_COLUMNS, stride, relu6, halves);
        if (DEPTHWISE_COLUMNS > 2 && i + 2 <= d->count) {
            depthwise_columns(&p, taps, bias, 2, stride, relu6, halves);
            i += 2;
        }
        if (i < d->count) depthwise_columns(&p, taps, bias, 1, stride, relu6, halves);
    }
}

ANI_INLINE void depthwise_block(const ani_infer_depthwise *d, const int halves) {
    for (int64_t at = 0; at < INFER_BLOCK; at += LANES) {
        if (d->stride == 1 && d->relu6)
            depthwise_vector(d, at, 1, 1, halves);
        else if (d->stride == 1)
            depthwise_vector(d, at, 1, 0, halves);
        else if (d->relu6)
            depthwise_vector(d, at, 2, 1, halves);
        else
            depthwise_vector(d, at, 2, 0, halves);
    }
}

#endif

#endif
