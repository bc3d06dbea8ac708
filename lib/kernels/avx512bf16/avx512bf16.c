/* SPDX-License-Identifier: MIT
 * The ISA level avx512bf16: avx512, plus bfloat16 products for units with bfloat16 tensors. */
#include "kernels/avx512bf16/vec.h"

#define ANI_TENSOR_BFLOAT16
#define ANI_PRODUCT_PAIRS
#include "kernels/simd/tensors.h"

#include "kernels/simd/product.h"
#include "kernels/simd/pairs.h"

void ani_kernels_avx512bf16(ani_kernels *table) {
    table->level = "avx512bf16";
    fill_tensors(&table->tensor[ANI_BFLOAT16]);
    fill_pairs(&table->pairs);
}
