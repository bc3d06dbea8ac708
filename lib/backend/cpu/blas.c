/* SPDX-License-Identifier: MIT
 * OpenBLAS behind the table's entries for products, and the rule about its threads. */
#include "backend/cpu/blas.h"

#include <cblas.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int32_t users;
static int threads_before;

static void product(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                    int64_t rows, int64_t k, int64_t n, int32_t width) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)rows, (blasint)n, (blasint)k, 1,
                a, (blasint)lda, packed, (blasint)width, 0, c, (blasint)ldc);
}

static void product_transposed(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                               int64_t ldb, int64_t rows, int64_t k, int64_t n, int32_t width,
                               const ani_ahead *ahead) {
    (void)width;
    (void)ahead;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)k, (blasint)n, (blasint)rows, 1,
                a, (blasint)lda, b, (blasint)ldb, 1, c, (blasint)ldc);
}

int32_t ani_blas_products(ani_kernels *table) {
    table->product = product;
    table->product_transposed = product_transposed;
    return 1;
}

void ani_blas_enter(void) {
    pthread_mutex_lock(&lock);
    if (users++ == 0) {
        threads_before = openblas_get_num_threads();
        openblas_set_num_threads(1);
    }
    pthread_mutex_unlock(&lock);
}

void ani_blas_leave(void) {
    pthread_mutex_lock(&lock);
    if (--users == 0) openblas_set_num_threads(threads_before);
    pthread_mutex_unlock(&lock);
}
