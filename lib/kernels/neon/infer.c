/* SPDX-License-Identifier: MIT
 * Inference at the level neon: 32 registers, blocks of 16 channels. */
#include "kernels/neon/codes.h"

enum {
    BLOCK_VECTORS = 4,
    DEPTHWISE_COLUMNS = 2,
    ROWS_1 = 12,
    ROWS_2 = 12,
    ROWS_3 = 8,
    ROWS_4 = 6,
    ROWS_5 = 4
};
#define ANI_MAX_VECTORS 5

#include "kernels/simd/infer.h"

enum {
    HALVES_ROWS_1 = 12,
    HALVES_ROWS_2 = 12,
    HALVES_ROWS_3 = 8,
    HALVES_ROWS_4 = 5,
    HALVES_ROWS_5 = 4
};
#define ANI_MAX_HALVES_VECTORS 5

#include "kernels/simd/infer_bfloat16.h"

enum {
    BYTES_PARTS = 1,
    BYTES_ROWS_1 = 12,
    BYTES_ROWS_2 = 12,
    BYTES_ROWS_3 = 8,
    BYTES_ROWS_4 = 6,
    BYTES_ROWS_5 = 4
};
#define ANI_MAX_BYTES_VECTORS 5

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
