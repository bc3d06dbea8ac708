/* SPDX-License-Identifier: MIT
 * The inference kernels over the vector of vec.h. A level's infer.c includes its vec.h, says how
 * many rows a register tile has for each number of vectors, and then includes this.
 *
 * Products: the sums of a register tile start from the bias and stay in registers over all of k.
 * The rows of a call are dealt out evenly to its tiles, so that the last one is not a thin one
 * whose few chains would wait for the latency of the multiply-add. */
#ifndef KERNELS_SIMD_INFER_H
#define KERNELS_SIMD_INFER_H

#include "kernels/infer.h"
#include "kernels/simd/simd.h"

/* Four steps of a product's inner loop at a time. Not by hand: gcc then moves loads about and
 * spills sums. */
#if defined(__clang__)
#define ANI_UNROLL_4 _Pragma("clang loop unroll_count(4)")
#else
#define ANI_UNROLL_4 _Pragma("GCC unroll 4")
#endif

enum { INFER_BLOCK = BLOCK_VECTORS * LANES, MAX_VECTORS = BLOCK_VECTORS + 1, MAX_ROWS = 14 };

ANI_INLINE void infer_tile(const ani_infer_product *p, int64_t row, const int rows,
                           const int vectors) {
    const int64_t y_row = p->y_row, a_row = p->a_row, run = p->run;
    const int64_t last = p->columns - (vectors - 1) * LANES; /* columns of the last vector */
    const float *a = (const float *)p->a + row * a_row, *b = p->b, *bias = p->bias;
    float *y = (float *)p->y + row * y_row;
    vec sums[MAX_ROWS][MAX_VECTORS];
    if (bias) {
        ANI_UNROLL
        for (int r = 0; r < rows; r++)
            ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            sums[r][j] = v_load(bias + j * LANES);
    } else {
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            ANI_UNROLL
            for (int j = 0; j < vectors - 1; j++)
                sums[r][j] = v_load(y + r * y_row + j * LANES);
            const float *from = y + r * y_row + (vectors - 1) * LANES;
            sums[r][vectors - 1] = last == LANES ? v_load(from) : v_load_part(from, last);
        }
    }
    if (p->residual) {
        const float *residual = (const float *)p->residual + row * y_row;
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            ANI_UNROLL
            for (int j = 0; j < vectors - 1; j++)
                sums[r][j] = v_add(sums[r][j], v_load(residual + r * y_row + j * LANES));
            const float *from = residual + r * y_row + (vectors - 1) * LANES;
            sums[r][vectors - 1] =
                v_add(sums[r][vectors - 1], last == LANES ? v_load(from) : v_load_part(from, last));
        }
    }
    for (int64_t left = p->k; left > 0; left -= run, a += p->segment) {
        const int64_t count = left < run ? left : run;
        ANI_UNROLL_4
        for (int64_t i = 0; i < count; i++, b += vectors * LANES) {
            vec column[MAX_VECTORS];
            ANI_UNROLL
            for (int j = 0; j < vectors; j++)
                column[j] = v_load(b + j * LANES);
            ANI_UNROLL
            for (int r = 0; r < rows; r++) {
                const vec value = v_broadcast(a + r * a_row + i);
                ANI_UNROLL
                for (int j = 0; j < vectors; j++)
                    sums[r][j] = v_fma(value, column[j], sums[r][j]);
            }
        }
    }
    if (p->relu6) ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        sums[r][j] = v_clip(sums[r][j]);
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors - 1; j++)
            v_store(y + r * y_row + j * LANES, sums[r][j]);
        float *to = y + r * y_row + (vectors - 1) * LANES;
        if (last == LANES)
            v_store(to, sums[r][vectors - 1]);
        else
            v_store_part(to, sums[r][vectors - 1], last);
    }
}

#define INFER_TILE infer_tile
#define INFER_ROWS infer_rows
#include "kernels/simd/infer_rows.h"

static void infer_product(const ani_infer_product *p) {
    switch (p->vectors) {
    case 1:
        infer_rows(p, ROWS_1, 1);
        break;
    case 2:
        infer_rows(p, ROWS_2, 2);
        break;
    case 3:
        infer_rows(p, ROWS_3, 3);
        break;
#if ANI_MAX_VECTORS > 3
    case 4:
        infer_rows(p, ROWS_4, 4);
        break;
    default:
        infer_rows(p, ROWS_5, 5);
        break;
#else
    default:
        break;
#endif
    }
}

/* One vector of a block: its nine taps stay in registers over all rows, and two columns at a time
 * share the loads of x. */
ANI_INLINE void infer_depthwise_vector(const ani_infer_depthwise *d, int64_t at, const int stride,
                                       const int relu6) {
    const float *w = (const float *)d->w + at;
    float *y = (float *)d->y + at;
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
            v_store(y, relu6 ? v_clip(first) : first);
            v_store(y + INFER_BLOCK, relu6 ? v_clip(second) : second);
            y += 2 * INFER_BLOCK;
        }
        if (i < d->count) {
            vec sum = bias;
            ANI_UNROLL
            for (int r = 0; r < 3; r++)
                ANI_UNROLL
            for (int k = 0; k < 3; k++)
                sum = v_fma(v_load(x[r] + (i * stride + k) * INFER_BLOCK), taps[r * 3 + k], sum);
            v_store(y, relu6 ? v_clip(sum) : sum);
            y += INFER_BLOCK;
        }
    }
}

static void infer_depthwise(const ani_infer_depthwise *d) {
    for (int64_t at = 0; at < INFER_BLOCK; at += LANES) {
        if (d->stride == 1 && d->relu6)
            infer_depthwise_vector(d, at, 1, 1);
        else if (d->stride == 1)
            infer_depthwise_vector(d, at, 1, 0);
        else if (d->relu6)
            infer_depthwise_vector(d, at, 2, 1);
        else
            infer_depthwise_vector(d, at, 2, 0);
    }
}

static void fill_infer_table(ani_infer_kernels *table) {
    *table = (ani_infer_kernels){LANES,         INFER_BLOCK,     sizeof(float), 1,
                                 infer_product, infer_depthwise, NULL};
}

#endif
