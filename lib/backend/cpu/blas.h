/* SPDX-License-Identifier: MIT
 * Products by OpenBLAS. */
#ifndef BACKEND_CPU_BLAS_H
#define BACKEND_CPU_BLAS_H

#include "kernels/kernels.h"

/** Store OpenBLAS' products in a table and return 1: the caller is a user of it until
 * ani_openblas_leave(). The products write only the stated rows and columns; b is packed as one
 * panel of n. Return 0 and leave the table unchanged if there is no OpenBLAS (base/openblas.h). */
int32_t ani_blas_enter(ani_kernels *table);

#endif
