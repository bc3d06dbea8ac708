/* SPDX-License-Identifier: MIT
 * Tensors of bfloat16 at the level neon: Advanced SIMD of aarch64. */
#include "kernels/neon/vec.h"

#define ANI_TENSOR_BFLOAT16
#include "kernels/simd/tensors.h"

void ani_kernels_neon_bfloat16(ani_tensor_kernels *table) {
    fill_tensors(table);
}
