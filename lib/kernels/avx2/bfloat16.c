/* SPDX-License-Identifier: MIT
 * bfloat16 tensors at level avx2: AVX2 with FMA. */
#include "kernels/avx2/vec.h"

#define ANI_TENSOR_BFLOAT16
#include "kernels/simd/tensors.h"

void ani_kernels_avx2_bfloat16(ani_tensor_kernels *table) {
    fill_tensors(table);
}
