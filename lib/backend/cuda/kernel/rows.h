/* SPDX-License-Identifier: MIT
 * How the rows of a tensor [rows,c] are cut among threads where each element is computed alone: a
 * thread has `vector` channels that stay the same from row to row, so what it needs of them is
 * loaded once; neighbours are neighbours in memory. */
#ifndef BACKEND_CUDA_KERNEL_ROWS_H
#define BACKEND_CUDA_KERNEL_ROWS_H

#include "backend/cuda/kernel/kernel.h"

enum { ANI_ROWS_THREADS = 256, ANI_ROWS_EACH = 4 /* rows of a thread */ };

struct ani_rows_cut {
    dim3 grid, block; /* x: groups of `vector` channels; y: rows */
};
static inline ani_rows_cut ani_cut_rows(int64_t rows, int64_t c, int vector) {
    const int64_t groups = c / vector;
    const int64_t x = ani_least(groups, ANI_ROWS_THREADS);
    const int64_t y = ANI_ROWS_THREADS / x;
    ani_rows_cut cut;
    cut.block = dim3((unsigned)x, (unsigned)y);
    cut.grid = dim3((unsigned)ani_pieces(rows, y * ANI_ROWS_EACH), (unsigned)ani_pieces(groups, x));
    return cut;
}
/** The first channel of this thread; it may lie past c. */
ANI_DEVICE int64_t ani_rows_channel(int vector) {
    return ((int64_t)blockIdx.y * blockDim.x + threadIdx.x) * vector;
}
/** Row number i (0 to ANI_ROWS_EACH - 1) of this thread; it may lie past the last one. */
ANI_DEVICE int64_t ani_rows_row(int i) {
    return ((int64_t)blockIdx.x * ANI_ROWS_EACH + i) * blockDim.y + threadIdx.y;
}

/** Return whether tensors of c channels can be read in accesses of 16 bytes. NULL fits. */
static inline bool ani_rows_fit(int64_t c, int64_t element_size, const void *a, const void *b,
                                const void *d) {
    const uintptr_t bits = (uintptr_t)a | (uintptr_t)b | (uintptr_t)d;
    return c * element_size % 16 == 0 && bits % 16 == 0;
}

#endif
