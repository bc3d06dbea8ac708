/* SPDX-License-Identifier: MIT
 * Tensors of float at the level c. */
#include "kernels/c/c.h"

#include "kernels/c/tensors.h"

void ani_c_float32(ani_tensor_kernels *table) {
    *table = entries;
}
