/* SPDX-License-Identifier: MIT
 * The inference kernels over the vector of vec.h. A level's infer.c includes its vec.h, says how
 * many rows a register tile has for each number of vectors, and then includes this.
 *
 * Products: the sums of a register tile start from the bias and stay in registers over all of k.
 * The rows of a call are dealt out evenly to its tiles, so that the last one is not a thin one
 * whose few chains would wait for the latency of the multiply-add. */
#ifndef KERNELS_SIMD_INFER_H
#define KERNELS_SIMD_INFER_H

#include "kernels/simd/infer_depthwise.h"

/* Four steps of a product's inner loop at a time. Not by hand: gcc then moves loads about and
 * spills sums. */
#if defined(__clang__)
#define ANI_UNROLL_4 _Pragma("clang loop unroll_count(4)")
#else
#define ANI_UNROLL_4 _Pragma("GCC unroll 4")
#endif

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
    store_floats(y, y_row, sums, rows, vectors, last);
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

static void infer_depthwise(const ani_infer_depthwise *d) {
    depthwise_block(d, 0);
}

static void fill_infer_table(ani_infer_kernels *table) {
    *table = (ani_infer_kernels){.lanes = LANES,
                                 .block = INFER_BLOCK,
                                 .size = sizeof(float),
                                 .wide_size = sizeof(float),
                                 .group = 1,
                                 .product = infer_product,
                                 .depthwise = infer_depthwise};
}

#endif
