/* SPDX-License-Identifier: MIT
 * The level avx2: AVX2 with FMA. */
#include "kernels/avx2/vec.h"

#include "kernels/simd/level.h"

void ani_kernels_avx2(ani_kernels *table) {
    fill_table(table, "avx2");
    ani_kernels_avx2_bfloat16(&table->tensor[ANI_BFLOAT16]);
}
