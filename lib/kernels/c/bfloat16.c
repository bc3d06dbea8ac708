/* SPDX-License-Identifier: MIT
 * bfloat16 tensors at level c. */
#include "kernels/c/c.h"

#define ANI_TENSOR_BFLOAT16
#include "kernels/c/tensors.h"

void ani_c_bfloat16(ani_tensor_kernels *table) {
    *table = entries;
}
