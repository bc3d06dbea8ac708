/* SPDX-License-Identifier: MIT
 * Inference at the level avx512: 32 registers, blocks of 32 channels. */
#include "kernels/avx512/vec.h"

enum { BLOCK_VECTORS = 2, DEPTHWISE_COLUMNS = 4, ROWS_1 = 12, ROWS_2 = 12, ROWS_3 = 8 };
#define ANI_MAX_VECTORS 3

#include "kernels/simd/infer.h"

void ani_infer_kernels_avx512(ani_infer_kernels *table) {
    fill_infer_table(table);
}
