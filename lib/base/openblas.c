/* SPDX-License-Identifier: MIT
 * Loading OpenBLAS, and the handling of its threads. */
#include "base/openblas.h"

#include <pthread.h>
#include <string.h>

#include "base/library.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t forks_watched = PTHREAD_ONCE_INIT;
static int32_t users;
static int threads_before;
static ani_openblas blas; /* all NULL: not loaded */

/* Debian's name, and that on systems that follow the library's own version. */
static int32_t load(void) {
    static const char *const files[] = {"libopenblas.so.0", "libopenblas.so", NULL};
    /* in the order of the struct */
    static const char *const names[] = {"cblas_sgemm",
                                        "cblas_dgemm",
                                        "cblas_dsyrk",
                                        "dsytrd_",
                                        "dormtr_",
                                        "dsterf_",
                                        "dptsv_",
                                        "dpotrf_",
                                        "dpotrs_",
                                        "openblas_get_config",
                                        "openblas_get_num_threads",
                                        "openblas_set_num_threads"};
    _Static_assert(sizeof blas / sizeof(void (*)(void)) == sizeof names / sizeof *names,
                   "a name for each function");
    if (!ani_library_load(files, names, sizeof names / sizeof *names, &blas)) return 0;
    const int32_t fits = !strstr(blas.openblas_get_config(), "USE64BITINT");
    if (!fits) blas = (ani_openblas){0};
    return fits;
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

const ani_openblas *ani_openblas_enter(void) {
    pthread_once(&forks_watched, watch_forks);
    pthread_mutex_lock(&lock);
    const int32_t found = blas.cblas_sgemm || load();
    if (found && users++ == 0) {
        threads_before = blas.openblas_get_num_threads();
        blas.openblas_set_num_threads(1);
    }
    pthread_mutex_unlock(&lock);
    return found ? &blas : NULL;
}

void ani_openblas_leave(void) {
    pthread_mutex_lock(&lock);
    if (--users == 0) blas.openblas_set_num_threads(threads_before);
    pthread_mutex_unlock(&lock);
}
