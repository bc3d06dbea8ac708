/* SPDX-License-Identifier: MIT
 * Products by OpenBLAS, in builds that have it (feature `blas`): blas.c, else blas_none.c. */
#ifndef BACKEND_CPU_BLAS_H
#define BACKEND_CPU_BLAS_H

#include "kernels/kernels.h"

/** Load OpenBLAS, store its products in a table and return 1: the caller is its user until
 * ani_blas_leave(). They write no rows and columns past the stated ones; b is packed as one panel
 * of n. Return 0, the table unchanged, in a build without and where it is not installed.
 *
 * OpenBLAS has one thread count for the whole process: the first user sets it to 1, the last one
 * restores it. Our pool owns the threads; a BLAS with its own inside of them would fight them. */
int32_t ani_blas_enter(ani_kernels *table);
void ani_blas_leave(void);

#endif
