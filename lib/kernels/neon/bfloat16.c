/* SPDX-License-Identifier: MIT
 * bfloat16 tensors at level neon: aarch64's Advanced SIMD. */
#include "kernels/neon/vec.h"

#define ANI_TENSOR_BFLOAT16
#include "kernels/simd/tensors.h"

void ani_kernels_neon_bfloat16(ani_tensor_kernels *table) {
    fill_tensors(table);
}
