/* SPDX-License-Identifier: MIT
 * float tensors at level c. */
#include "kernels/c/c.h"

#include "kernels/c/tensors.h"

void ani_c_float32(ani_tensor_kernels *table) {
    *table = entries;
}
