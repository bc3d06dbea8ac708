/* SPDX-License-Identifier: MIT
 * Inference at the level avx2: 16 registers, blocks of 16 channels. */
#include "kernels/avx2/codes.h"

enum { BLOCK_VECTORS = 2, DEPTHWISE_COLUMNS = 2, BYTES_PARTS = 1 };

/* The rows of a register tile for each number of vectors. */
#define ANI_FLOATS_TILES(tile) tile(1, 8) tile(2, 6) tile(3, 4)
#define ANI_HALVES_TILES(tile) tile(1, 8) tile(2, 5) tile(3, 3)
#define ANI_BYTES_TILES(tile) tile(1, 8) tile(2, 5) tile(3, 4)

#include "kernels/simd/infer.h"
#include "kernels/simd/infer_bfloat16.h"
#include "kernels/simd/infer_int8.h"

void ani_infer_kernels_avx2(ani_infer_kernels *table) {
    fill_infer_table(table);
}

void ani_infer_kernels_avx2_bfloat16(ani_infer_kernels *table) {
    fill_bfloat16_table(table);
}

void ani_infer_kernels_avx2_int8(ani_infer_kernels *table) {
    fill_int8_table(table);
}
