/* SPDX-License-Identifier: MIT
 * The inference kernels with products of bfloat16, sums in float. A level's source file includes
 * its vec.h, defines the number of rows in a register tile for each number of vectors
 * (ANI_HALVES_TILES), and then includes this.
 *
 * Inputs of a sum and weights come in pairs, 32 bits each. With ANI_NATIVE_BFLOAT16, an instruction
 * adds both products of a pair; otherwise there are two passes over the same pairs, one for each
 * half, in float. */
#ifndef KERNELS_SIMD_INFER_BFLOAT16_H
#define KERNELS_SIMD_INFER_BFLOAT16_H

#include <string.h>

#include "kernels/simd/infer_depthwise.h"

#ifdef ANI_NATIVE_BFLOAT16
enum { PASSES = 1 };
ANI_INLINE vec half_of(vec pairs, const int pass) {
    (void)pass;
    return pairs;
}
ANI_INLINE vec add_products(vec a, vec b, vec sum) {
    return v_dot_pairs(a, b, sum);
}
#else
enum { PASSES = 2 };
ANI_INLINE vec half_of(vec pairs, const int pass) {
    return pass ? v_high_half(pairs) : v_low_half(pairs);
}
ANI_INLINE vec add_products(vec a, vec b, vec sum) {
    return v_fma(a, b, sum);
}
#endif

/* A vector of pairs; a vector load may read bits that are not a float. */
ANI_INLINE vec load_pairs(const uint16_t *from) {
    return v_load((const float *)(const void *)from);
}
/* One pair in all lanes. */
ANI_INLINE vec repeat_pair(const uint16_t *from) {
    float pair;
    memcpy(&pair, from, sizeof pair);
    return v_set(pair);
}

/* Store rows of results, rounded. `last` columns of the last vector. */
ANI_INLINE void store_halves(uint16_t *y, int64_t y_row, vec sums[][MAX_VECTORS], const int rows,
                             const int vectors) {
    ANI_UNROLL
    for (int r = 0; r < rows; r++, y += y_row) {
        ANI_UNROLL
        for (int j = 0; j + 2 <= vectors; j += 2)
            v_to_bfloat16_two(y + j * LANES, sums[r][j], sums[r][j + 1]);
        if (vectors % 2) v_to_bfloat16(y + (vectors - 1) * LANES, sums[r][vectors - 1]);
    }
}
ANI_INLINE void store_part_halves(uint16_t *y, int64_t y_row, vec sums[][MAX_VECTORS],
                                  const int rows, const int vectors, int64_t last) {
    ANI_UNROLL
    for (int r = 0; r < rows; r++, y += y_row) {
        ANI_UNROLL
        for (int j = 0; j < vectors - 1; j++)
            v_to_bfloat16(y + j * LANES, sums[r][j]);
        v_store_part_bfloat16(y + (vectors - 1) * LANES, v_round_bfloat16(sums[r][vectors - 1]),
                              last);
    }
}

typedef uint16_t halves_input, halves_weight;
typedef vec halves_sums[MAX_ROWS][MAX_VECTORS];

ANI_INLINE void halves_start(const ani_infer_product *p, int64_t row, halves_sums sums,
                             const int rows, const int vectors, int64_t last) {
    sums_start(sums, p->bias, rows, vectors);
    if (!p->residual) return;
    const uint16_t *residual = (const uint16_t *)p->residual + row * p->y_row;
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++) {
            const uint16_t *from = residual + r * p->y_row + j * LANES;
            const int whole = j < vectors - 1 || last == LANES;
            sums[r][j] =
                v_add(sums[r][j], whole ? v_load_bfloat16(from) : v_load_part_bfloat16(from, last));
        }
    }
}

ANI_INLINE void halves_step(halves_sums sums, const uint16_t *a, int64_t a_row, const uint16_t *b,
                            const int rows, const int vectors) {
    ANI_UNROLL
    for (int pass = 0; pass < PASSES; pass++) {
        /* Pairs are reloaded: if kept, they would take registers from the sums. */
        if (pass) __asm__ volatile("" ::: "memory");
        vec column[MAX_VECTORS];
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            column[j] = half_of(load_pairs(b + j * LANES * 2), pass);
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec value = half_of(repeat_pair(a + r * a_row), pass);
            ANI_UNROLL
            for (int j = 0; j < vectors; j++)
                sums[r][j] = add_products(value, column[j], sums[r][j]);
        }
    }
}

ANI_INLINE void halves_finish(const ani_infer_product *p, int64_t row, halves_sums sums,
                              const int rows, const int vectors, int64_t last) {
    const int64_t y_row = p->y_row;
    if (p->relu6) sums_clip(sums, rows, vectors);
    if (p->wide)
        store_floats((float *)p->y + row * y_row, y_row, sums, rows, vectors, last);
    else if (last == LANES)
        store_halves((uint16_t *)p->y + row * y_row, y_row, sums, rows, vectors);
    else
        store_part_halves((uint16_t *)p->y + row * y_row, y_row, sums, rows, vectors, last);
}

#define KIND(name) halves_##name
#define KIND_GROUP 2
#define KIND_UNROLL
#define KIND_TILES ANI_HALVES_TILES
#include "kernels/simd/infer_product.h"

#ifndef ANI_NATIVE_BFLOAT16
static void halves_depthwise(const ani_infer_depthwise *d) {
    depthwise_block(d, 1);
}
#endif

static void halves_narrow(uint16_t *to, const float *from, int64_t count) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        v_to_bfloat16(to + i, v_load(from + i));
    if (i < count)
        v_store_part_bfloat16(to + i, v_round_bfloat16(v_load_part(from + i, count - i)),
                              count - i);
}

static void fill_bfloat16_table(ani_infer_kernels *table) {
    *table = (ani_infer_kernels){.lanes = LANES,
                                 .block = INFER_BLOCK,
                                 .size = sizeof(uint16_t),
                                 .group = 2,
                                 .product = halves_product,
#ifndef ANI_NATIVE_BFLOAT16
                                 .wide_size = sizeof(float),
                                 .depthwise = halves_depthwise,
#endif
                                 .narrow = halves_narrow};
}

#endif
