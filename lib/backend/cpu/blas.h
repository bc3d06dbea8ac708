/* SPDX-License-Identifier: MIT
 * Products by OpenBLAS, in builds that have it (feature `blas`): blas.c, else blas_none.c. */
#ifndef BACKEND_CPU_BLAS_H
#define BACKEND_CPU_BLAS_H

#include "kernels/kernels.h"

/** Load OpenBLAS, store its products in a table and return 1: the caller is a user of it until
 * ani_blas_leave(). The products write only the stated rows and columns; b is packed as one panel
 * of n. Return 0 and leave the table unchanged in a build without OpenBLAS or if it is not
 * installed.
 *
 * OpenBLAS has one thread count for the whole process: the first user sets it to 1, the last one
 * restores it. Our pool owns the threads; BLAS threads inside them would compete with them. */
int32_t ani_blas_enter(ani_kernels *table);
void ani_blas_leave(void);

#endif
