/* SPDX-License-Identifier: MIT
 * What simd/infer.h and simd/infer_bfloat16.h share: the store of floats, and the depthwise
 * convolution over floats, whose result is floats or, for products of bfloat16, such halves. */
#ifndef KERNELS_SIMD_INFER_DEPTHWISE_H
#define KERNELS_SIMD_INFER_DEPTHWISE_H

#include "kernels/infer.h"
#include "kernels/simd/simd.h"

/* A level's infer.c says how many vectors a block has, and how many columns (2 or 4) the depthwise
 * convolution does at once. */
enum { INFER_BLOCK = BLOCK_VECTORS * LANES, MAX_VECTORS = BLOCK_VECTORS + 1, MAX_ROWS = 14 };

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

#ifndef ANI_NATIVE_BFLOAT16 /* a level with instructions for it has all that follows of its own */

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

/* Results of a row from y on, which share the loads of x. */
ANI_INLINE void depthwise_columns(const float *const *x, const vec *taps, vec bias,
                                  const int columns, const int stride, const int relu6, void *y,
                                  int64_t to, const int halves) {
    vec sums[DEPTHWISE_COLUMNS];
    ANI_UNROLL
    for (int i = 0; i < columns; i++)
        sums[i] = bias;
    ANI_UNROLL
    for (int r = 0; r < 3; r++)
        ANI_UNROLL
    for (int c = 0; c < (columns - 1) * stride + 3; c++) {
        const vec value = v_load(x[r] + c * INFER_BLOCK);
        ANI_UNROLL
        for (int i = 0; i < columns; i++)
            if (c >= i * stride && c < i * stride + 3)
                sums[i] = v_fma(value, taps[r * 3 + c - i * stride], sums[i]);
    }
    ANI_UNROLL
    for (int i = 0; i < columns; i++)
        store_result(y, to + i * INFER_BLOCK, relu6 ? v_clip(sums[i]) : sums[i], halves);
}

/* One vector of a block: its nine taps stay in registers over all rows. */
ANI_INLINE void depthwise_vector(const ani_infer_depthwise *d, int64_t at, const int stride,
                                 const int relu6, const int halves) {
    const float *w = (const float *)d->w + at;
    int64_t to = at;
    const vec bias = v_load(w + 9 * INFER_BLOCK);
    vec taps[9];
    ANI_UNROLL
    for (int t = 0; t < 9; t++)
        taps[t] = v_load(w + t * INFER_BLOCK);
    for (int64_t row = 0; row < d->rows; row++) {
        const float *x[3];
        ANI_UNROLL
        for (int r = 0; r < 3; r++)
            x[r] = (const float *)d->x[row * stride + r] + at;
        int64_t i = 0;
#define ANI_COLUMNS(n)                                                                             \
    depthwise_columns(x, taps, bias, n, stride, relu6, d->y, to, halves);                          \
    for (int r = 0; r < 3; r++)                                                                    \
        x[r] += n * stride * INFER_BLOCK;                                                          \
    to += n * INFER_BLOCK;                                                                         \
    i += n
        while (i + DEPTHWISE_COLUMNS <= d->count) {
            ANI_COLUMNS(DEPTHWISE_COLUMNS);
        }
        if (DEPTHWISE_COLUMNS > 2 && i + 2 <= d->count) {
            ANI_COLUMNS(2);
        }
        if (i < d->count) {
            ANI_COLUMNS(1);
        }
#undef ANI_COLUMNS
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
