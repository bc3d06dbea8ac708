/* SPDX-License-Identifier: MIT
 * OpenBLAS behind the table's entries for products, and the rule about its threads. It is loaded
 * by the first backend that wants it and not linked: when it is loaded it starts threads that spin
 * for the next 30 ms, and most processes never multiply with it. Once loaded it stays. */
#include "backend/cpu/blas.h"

#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int32_t users;
static int threads_before;

static __typeof__(cblas_sgemm) *sgemm; /* NULL: not loaded; it is the last to be found */
static __typeof__(openblas_get_num_threads) *get_num_threads;
static __typeof__(openblas_set_num_threads) *set_num_threads;

/* dlsym gives an object's pointer; C has no conversion from that to a function's. */
static int32_t find(void *library, const char *name, void *function) {
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

/* Debian's name, and that of systems that follow the library's own version. */
static void load(void) {
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) library = dlopen("libopenblas.so", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    if (!find(library, "openblas_get_num_threads", &get_num_threads) ||
        !find(library, "openblas_set_num_threads", &set_num_threads) ||
        !find(library, "cblas_sgemm", &sgemm))
        dlclose(library);
}

static void product(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                    int64_t rows, int64_t k, int64_t n, int32_t width) {
    sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)rows, (blasint)n, (blasint)k, 1, a,
          (blasint)lda, packed, (blasint)width, 0, c, (blasint)ldc);
}

static void product_transposed(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                               int64_t ldb, int64_t rows, int64_t k, int64_t n, int32_t width,
                               const ani_ahead *ahead) {
    (void)width;
    (void)ahead;
    sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)k, (blasint)n, (blasint)rows, 1, a,
          (blasint)lda, b, (blasint)ldb, 1, c, (blasint)ldc);
}

int32_t ani_blas_enter(ani_kernels *table) {
    pthread_mutex_lock(&lock);
    if (!sgemm) load();
    const int32_t found = sgemm != NULL;
    if (found && users++ == 0) {
        threads_before = get_num_threads();
        set_num_threads(1);
    }
    pthread_mutex_unlock(&lock);
    if (!found) return 0;
    table->product = product;
    table->product_transposed = product_transposed;
    return 1;
}

void ani_blas_leave(void) {
    pthread_mutex_lock(&lock);
    if (--users == 0) set_num_threads(threads_before);
    pthread_mutex_unlock(&lock);
}
