/* SPDX-License-Identifier: MIT
 * bfloat16 tensors at level avx512: AVX-512. */
#include "kernels/avx512/vec.h"

#define ANI_TENSOR_BFLOAT16
#include "kernels/simd/tensors.h"

void ani_kernels_avx512_bfloat16(ani_tensor_kernels *table) {
    fill_tensors(table);
}
