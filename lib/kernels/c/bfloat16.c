/* SPDX-License-Identifier: MIT
 * Tensors of bfloat16 at the level c. */
#include "kernels/c/c.h"

#define ANI_TENSOR_BFLOAT16
#include "kernels/c/tensors.h"

void ani_c_bfloat16(ani_tensor_kernels *table) {
    *table = entries;
}
