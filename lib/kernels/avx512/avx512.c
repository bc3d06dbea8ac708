/* SPDX-License-Identifier: MIT
 * The level avx512: AVX-512 (F, BW, DQ, VL). */
#include "kernels/avx512/vec.h"

#include "kernels/simd/level.h"

void ani_kernels_avx512(ani_kernels *table) {
    fill_table(table, "avx512");
    ani_kernels_avx512_bfloat16(&table->tensor[ANI_BFLOAT16]);
}
