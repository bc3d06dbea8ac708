/* SPDX-License-Identifier: MIT
 * Inference with products of bfloat16 by the instructions for them: 32 registers, blocks of 32
 * channels. */
#include "kernels/avx512bf16/vec.h"

enum { BLOCK_VECTORS = 2, HALVES_ROWS_1 = 12, HALVES_ROWS_2 = 12, HALVES_ROWS_3 = 8 };
#define ANI_MAX_HALVES_VECTORS 3
#define ANI_NATIVE_PAIRS

#include "kernels/simd/infer_bfloat16.h"

void ani_infer_kernels_avx512bf16_bfloat16(ani_infer_kernels *table) {
    fill_bfloat16_table(table);
}
