/* SPDX-License-Identifier: MIT
 * The depthwise convolution of inference over floats, whose result is floats or, for products of
 * bfloat16, such halves. simd/infer.h and simd/infer_bfloat16.h take this in. */
#ifndef KERNELS_SIMD_INFER_DEPTHWISE_H
#define KERNELS_SIMD_INFER_DEPTHWISE_H

#include "kernels/infer.h"
#include "kernels/simd/simd.h"

enum { INFER_BLOCK = BLOCK_VECTORS * LANES, MAX_VECTORS = BLOCK_VECTORS + 1, MAX_ROWS = 14 };

#ifndef ANI_NATIVE_PAIRS
/* Round to bfloat16 and store. */
ANI_INLINE void v_to_bfloat16(uint16_t *to, vec v) {
    v_store_bfloat16(to, v_round_bfloat16(v));
}
ANI_INLINE void v_to_bfloat16_two(uint16_t *to, vec first, vec second) {
    v_to_bfloat16(to, first);
    v_to_bfloat16(to + LANES, second);
}
#endif

ANI_INLINE void store_result(void *y, int64_t at, vec v, const int halves) {
    if (halves)
        v_to_bfloat16((uint16_t *)y + at, v);
    else
        v_store((float *)y + at, v);
}

/* One vector of a block: its nine taps stay in registers over all rows, and two columns at a time
 * share the loads of x. */
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
        for (; i + 2 <= d->count; i += 2) {
            vec first = bias, second = bias;
            ANI_UNROLL
            for (int r = 0; r < 3; r++) {
                const float *from = x[r] + i * stride * INFER_BLOCK;
                vec value[5];
                ANI_UNROLL
                for (int k = 0; k < 3 + stride; k++)
                    value[k] = v_load(from + k * INFER_BLOCK);
                ANI_UNROLL
                for (int k = 0; k < 3; k++) {
                    first = v_fma(value[k], taps[r * 3 + k], first);
                    second = v_fma(value[k + stride], taps[r * 3 + k], second);
                }
            }
            store_result(d->y, to, relu6 ? v_clip(first) : first, halves);
            store_result(d->y, to + INFER_BLOCK, relu6 ? v_clip(second) : second, halves);
            to += 2 * INFER_BLOCK;
        }
        if (i < d->count) {
            vec sum = bias;
            ANI_UNROLL
            for (int r = 0; r < 3; r++)
                ANI_UNROLL
            for (int k = 0; k < 3; k++)
                sum = v_fma(v_load(x[r] + (i * stride + k) * INFER_BLOCK), taps[r * 3 + k], sum);
            store_result(d->y, to, relu6 ? v_clip(sum) : sum, halves);
            to += INFER_BLOCK;
        }
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
