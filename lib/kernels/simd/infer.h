/* SPDX-License-Identifier: MIT
 * The inference kernels over the vector of vec.h. A level's infer.c includes its vec.h, defines the
 * number of rows in a register tile for each number of vectors (ANI_FLOATS_TILES), and then
 * includes this. */
#ifndef KERNELS_SIMD_INFER_H
#define KERNELS_SIMD_INFER_H

#include "kernels/simd/infer_depthwise.h"

/* Four steps of a product's inner loop at a time. Not unrolled by hand, since gcc then moves loads
 * around and spills sums. */
#if defined(__clang__)
#define ANI_UNROLL_4 _Pragma("clang loop unroll_count(4)")
#else
#define ANI_UNROLL_4 _Pragma("GCC unroll 4")
#endif

typedef float floats_input, floats_weight;
typedef vec floats_sums[MAX_ROWS][MAX_VECTORS];

/* Vector j of a row. */
ANI_INLINE vec floats_load(const float *from, const int j, const int vectors, int64_t last) {
    const int whole = j < vectors - 1 || last == LANES;
    return whole ? v_load(from + j * LANES) : v_load_part(from + j * LANES, last);
}

ANI_INLINE void floats_start(const ani_infer_product *p, int64_t row, floats_sums sums,
                             const int rows, const int vectors, int64_t last) {
    const int64_t y_row = p->y_row;
    if (p->bias) {
        sums_start(sums, p->bias, rows, vectors);
    } else {
        const float *y = (const float *)p->y + row * y_row;
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            ANI_UNROLL
            for (int j = 0; j < vectors; j++)
                sums[r][j] = floats_load(y + r * y_row, j, vectors, last);
        }
    }
    if (!p->residual) return;
    const float *residual = (const float *)p->residual + row * y_row;
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            sums[r][j] = v_add(sums[r][j], floats_load(residual + r * y_row, j, vectors, last));
    }
}

ANI_INLINE void floats_step(floats_sums sums, const float *a, int64_t a_row, const float *b,
                            const int rows, const int vectors) {
    vec column[MAX_VECTORS];
    ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        column[j] = v_load(b + j * LANES);
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        const vec value = v_broadcast(a + r * a_row);
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            sums[r][j] = v_fma(value, column[j], sums[r][j]);
    }
}

ANI_INLINE void floats_finish(const ani_infer_product *p, int64_t row, floats_sums sums,
                              const int rows, const int vectors, int64_t last) {
    if (p->relu6) sums_clip(sums, rows, vectors);
    store_floats((float *)p->y + row * p->y_row, p->y_row, sums, rows, vectors, last);
}

#define KIND(name) floats_##name
#define KIND_GROUP 1
#define KIND_UNROLL ANI_UNROLL_4
#define KIND_TILES ANI_FLOATS_TILES
#include "kernels/simd/infer_product.h"

static void floats_depthwise(const ani_infer_depthwise *d) {
    depthwise_block(d, 0);
}

static void fill_infer_table(ani_infer_kernels *table) {
    *table = (ani_infer_kernels){.lanes = LANES,
                                 .block = INFER_BLOCK,
                                 .size = sizeof(float),
                                 .wide_size = sizeof(float),
                                 .group = 1,
                                 .product = floats_product,
                                 .depthwise = floats_depthwise};
}

#endif
