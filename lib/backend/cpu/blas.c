/* SPDX-License-Identifier: MIT
 * OpenBLAS behind the table's entries for products. */
#include "backend/cpu/blas.h"

#include <stdatomic.h>

#include "base/openblas.h"

static _Atomic(const ani_openblas *) used; /* the same for all users */

static void product(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                    int64_t rows, int64_t k, int64_t n, int32_t width) {
    const ani_openblas *blas = atomic_load_explicit(&used, memory_order_relaxed);
    blas->cblas_sgemm(ANI_BLAS_ROWS, ANI_BLAS_PLAIN, ANI_BLAS_PLAIN, (int)rows, (int)n, (int)k, 1,
                      a, (int)lda, packed, (int)width, 0, c, (int)ldc);
}

static void product_transposed(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                               int64_t ldb, int64_t rows, int64_t k, int64_t n, int32_t width,
                               const ani_ahead *ahead) {
    (void)width;
    (void)ahead;
    const ani_openblas *blas = atomic_load_explicit(&used, memory_order_relaxed);
    blas->cblas_sgemm(ANI_BLAS_ROWS, ANI_BLAS_TRANSPOSED, ANI_BLAS_PLAIN, (int)k, (int)n, (int)rows,
                      1, a, (int)lda, b, (int)ldb, 1, c, (int)ldc);
}

int32_t ani_blas_enter(ani_kernels *table) {
    const ani_openblas *found = ani_openblas_enter();
    if (!found) return 0;
    atomic_store_explicit(&used, found, memory_order_relaxed);
    table->product = product;
    table->product_transposed = product_transposed;
    return 1;
}
