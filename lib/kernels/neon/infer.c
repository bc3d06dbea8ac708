/* SPDX-License-Identifier: MIT
 * Inference at the level neon: 32 registers, blocks of 16 channels. */
#include "kernels/neon/codes.h"

enum { BLOCK_VECTORS = 4, DEPTHWISE_COLUMNS = 2, BYTES_PARTS = 1 };

/* The rows of a register tile for each number of vectors. */
#define ANI_FLOATS_TILES(tile) tile(1, 12) tile(2, 12) tile(3, 8) tile(4, 6) tile(5, 4)
#define ANI_HALVES_TILES(tile) tile(1, 12) tile(2, 12) tile(3, 8) tile(4, 5) tile(5, 4)
#define ANI_BYTES_TILES(tile) tile(1, 12) tile(2, 12) tile(3, 8) tile(4, 6) tile(5, 4)

#include "kernels/simd/infer.h"
#include "kernels/simd/infer_bfloat16.h"
#include "kernels/simd/infer_int8.h"

void ani_infer_kernels_neon(ani_infer_kernels *table) {
    fill_infer_table(table);
}

void ani_infer_kernels_neon_bfloat16(ani_infer_kernels *table) {
    fill_bfloat16_table(table);
}

void ani_infer_kernels_neon_int8(ani_infer_kernels *table) {
    fill_int8_table(table);
}
