/* SPDX-License-Identifier: MIT
 * Inference with the native bfloat16 product instructions: 32 registers, blocks of 32 channels, and
 * depthwise convolutions by the same instructions. */
#include "kernels/avx512bf16/vec.h"

enum { BLOCK_VECTORS = 2 };

/* The rows of a register tile for each number of vectors. */
#define ANI_HALVES_TILES(tile) tile(1, 12) tile(2, 12) tile(3, 8)

#include "kernels/simd/infer_bfloat16.h"

/* --- depthwise: taps and x are bfloat16 ---------------------------------------------------------
 *
 * A vector of halves is a pixel of a block. Unpacking two of them gives pairs for sixteen channels
 * each, the low and the high ones of every group of eight; sums of these two kinds stay separate
 * until they are rounded and put in order. The pairs of a result are rows 0 and 1 of each of its
 * three columns, and in row 2 columns 0 and 1, then column 2 and one with weight 0. */

enum { TAP_PAIRS = 5 };

typedef struct pair_taps {
    vec w[TAP_PAIRS][2], bias[2];
} pair_taps;

static inline vec pairs_of(vec even, vec odd, const int high) {
    return high ? v_unpack_high(even, odd) : v_unpack_low(even, odd);
}

/* Results of a row from x on, which share loads and unpacking. */
ANI_INLINE void pairs_columns(const pair_taps *taps, const uint16_t *const *x, int64_t at,
                              const int columns, const int stride, int32_t relu6, uint16_t *y) {
    const int reads = (columns - 1) * stride + 3;
    vec sums[4][2];
    ANI_UNROLL
    for (int i = 0; i < columns; i++) {
        ANI_UNROLL
        for (int h = 0; h < 2; h++)
            sums[i][h] = taps->bias[h];
    }
    vec next = load_pairs(x[2] + at);
    ANI_UNROLL
    for (int c = 0; c < reads; c++) {
        const vec first = load_pairs(x[0] + at + c * INFER_BLOCK);
        const vec second = load_pairs(x[1] + at + c * INFER_BLOCK);
        const vec third = next;
        if (c + 1 < reads) next = load_pairs(x[2] + at + (c + 1) * INFER_BLOCK);
        ANI_UNROLL
        for (int h = 0; h < 2; h++) {
            const vec rows = pairs_of(first, second, h), beside = pairs_of(third, next, h);
            ANI_UNROLL
            for (int i = 0; i < columns; i++) {
                const int k = c - i * stride;
                if (k >= 0 && k < 3) sums[i][h] = v_dot_pairs(rows, taps->w[k][h], sums[i][h]);
                if (k == 0 || k == 2)
                    sums[i][h] = v_dot_pairs(beside, taps->w[3 + k / 2][h], sums[i][h]);
            }
        }
    }
    ANI_UNROLL
    for (int i = 0; i < columns; i++) {
        if (relu6) {
            ANI_UNROLL
            for (int h = 0; h < 2; h++)
                sums[i][h] = v_clip(sums[i][h]);
        }
        v_store((float *)(void *)(y + i * INFER_BLOCK), v_join_unpacked(sums[i][0], sums[i][1]));
    }
}

ANI_INLINE void pairs_rows(const ani_infer_depthwise *d, const pair_taps *taps, const int stride) {
    uint16_t *y = d->y;
    for (int64_t row = 0; row < d->rows; row++) {
        const uint16_t *const x[3] = {d->x[row * stride], d->x[row * stride + 1],
                                      d->x[row * stride + 2]};
        int64_t i = 0;
        for (; i + 4 <= d->count; i += 4, y += 4 * INFER_BLOCK)
            pairs_columns(taps, x, i * stride * INFER_BLOCK, 4, stride, d->relu6, y);
        if (i + 2 <= d->count) {
            pairs_columns(taps, x, i * stride * INFER_BLOCK, 2, stride, d->relu6, y);
            i += 2;
            y += 2 * INFER_BLOCK;
        }
        if (i < d->count) {
            pairs_columns(taps, x, i * stride * INFER_BLOCK, 1, stride, d->relu6, y);
            y += INFER_BLOCK;
        }
    }
}

static void pairs_depthwise(const ani_infer_depthwise *d) {
    const float *w = d->w;
    vec rounded[9];
    pair_taps taps;
    for (int t = 0; t < 9; t++)
        rounded[t] =
            v_pair_columns(v_load(w + t * INFER_BLOCK), v_load(w + t * INFER_BLOCK + LANES));
    for (int h = 0; h < 2; h++) {
        for (int k = 0; k < 3; k++)
            taps.w[k][h] = pairs_of(rounded[k], rounded[3 + k], h);
        taps.w[3][h] = pairs_of(rounded[6], rounded[7], h);
        taps.w[4][h] = pairs_of(rounded[8], v_zero(), h);
        taps.bias[h] =
            v_unpacked(v_load(w + 9 * INFER_BLOCK), v_load(w + 9 * INFER_BLOCK + LANES), h);
    }
    if (d->stride == 1)
        pairs_rows(d, &taps, 1);
    else
        pairs_rows(d, &taps, 2);
}

void ani_infer_kernels_avx512bf16_bfloat16(ani_infer_kernels *table) {
    fill_bfloat16_table(table);
    table->wide_size = sizeof(uint16_t);
    table->depthwise = pairs_depthwise;
}
