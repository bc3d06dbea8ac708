/* SPDX-License-Identifier: MIT
 * The level neon: Advanced SIMD of aarch64. */
#include "kernels/neon/vec.h"

#include "kernels/simd/level.h"

void ani_kernels_neon(ani_kernels *table) {
    fill_table(table, "neon");
    ani_kernels_neon_bfloat16(&table->tensor[ANI_BFLOAT16]);
}
