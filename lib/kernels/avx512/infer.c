/* SPDX-License-Identifier: MIT
 * Inference at the level avx512: 32 registers, blocks of 32 channels. */
#include "kernels/avx512/vec.h"

enum { BLOCK_VECTORS = 2, DEPTHWISE_COLUMNS = 4 };

/* The rows of a register tile for each number of vectors. */
#define ANI_FLOATS_TILES(tile) tile(1, 12) tile(2, 12) tile(3, 8)

#include "kernels/simd/infer.h"

void ani_infer_kernels_avx512(ani_infer_kernels *table) {
    fill_infer_table(table);
}
