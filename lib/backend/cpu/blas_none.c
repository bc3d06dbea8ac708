/* SPDX-License-Identifier: MIT
 * A build without OpenBLAS: level c uses its own products. */
#include "backend/cpu/blas.h"

int32_t ani_blas_enter(ani_kernels *table) {
    (void)table;
    return 0;
}

void ani_blas_leave(void) {}
