/* SPDX-License-Identifier: MIT
 * OpenBLAS behind the table's entries for products, and the handling of its threads. The first
 * backend that needs it loads it: on loading, it starts threads that spin for 30 ms. */
#include "backend/cpu/blas.h"

#include <cblas.h>
#include <pthread.h>
#include <stddef.h>

#include "base/library.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t forks_watched = PTHREAD_ONCE_INIT;
static int32_t users;
static int threads_before;

#define BLAS_FUNCTIONS(F) F(cblas_sgemm) F(openblas_get_num_threads) F(openblas_set_num_threads)

static struct { BLAS_FUNCTIONS(ANI_FUNCTION) } blas; /* all NULL: not loaded */

/* Debian's name, and that on systems that follow the library's own version. */
static int32_t load(void) {
    static const char *const files[] = {"libopenblas.so.0", "libopenblas.so", NULL};
    static const char *const names[] = {BLAS_FUNCTIONS(ANI_FUNCTION_NAME)};
    return ani_library_load(files, names, sizeof names / sizeof *names, &blas);
}

/* A child must not find the lock held by a thread that does not exist there. */
static void before_fork(void) {
    pthread_mutex_lock(&lock);
}

static void after_fork(void) {
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void) {
    pthread_atfork(before_fork, after_fork, after_fork);
}

static void product(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                    int64_t rows, int64_t k, int64_t n, int32_t width) {
    blas.cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)rows, (blasint)n,
                     (blasint)k, 1, a, (blasint)lda, packed, (blasint)width, 0, c, (blasint)ldc);
}

static void product_transposed(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                               int64_t ldb, int64_t rows, int64_t k, int64_t n, int32_t width,
                               const ani_ahead *ahead) {
    (void)width;
    (void)ahead;
    blas.cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)k, (blasint)n, (blasint)rows,
                     1, a, (blasint)lda, b, (blasint)ldb, 1, c, (blasint)ldc);
}

int32_t ani_blas_enter(ani_kernels *table) {
    pthread_once(&forks_watched, watch_forks);
    pthread_mutex_lock(&lock);
    const int32_t found = blas.cblas_sgemm || load();
    if (found && users++ == 0) {
        threads_before = blas.openblas_get_num_threads();
        blas.openblas_set_num_threads(1);
    }
    pthread_mutex_unlock(&lock);
    if (!found) return 0;
    table->product = product;
    table->product_transposed = product_transposed;
    return 1;
}

void ani_blas_leave(void) {
    pthread_mutex_lock(&lock);
    if (--users == 0) blas.openblas_set_num_threads(threads_before);
    pthread_mutex_unlock(&lock);
}
