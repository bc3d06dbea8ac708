/* SPDX-License-Identifier: MIT
 * Inference at the level avx2: 16 registers, blocks of 16 channels. */
#include "kernels/avx2/codes.h"

enum { BLOCK_VECTORS = 2, DEPTHWISE_COLUMNS = 2, ROWS_1 = 8, ROWS_2 = 6, ROWS_3 = 4 };
#define ANI_MAX_VECTORS 3

#include "kernels/simd/infer.h"

enum { HALVES_ROWS_1 = 8, HALVES_ROWS_2 = 5, HALVES_ROWS_3 = 3 };
#define ANI_MAX_HALVES_VECTORS 3

#include "kernels/simd/infer_bfloat16.h"

enum { BYTES_PARTS = 1, BYTES_ROWS_1 = 8, BYTES_ROWS_2 = 5, BYTES_ROWS_3 = 4 };
#define ANI_MAX_BYTES_VECTORS 3

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
