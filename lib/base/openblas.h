/* SPDX-License-Identifier: MIT
 * OpenBLAS and its LAPACK, in builds that have it (feature `blas`): openblas.c, else
 * openblas_none.c. The first user loads it: on loading, it starts threads that spin for 30 ms. */
#ifndef BASE_OPENBLAS_H
#define BASE_OPENBLAS_H

#include <stddef.h>
#include <stdint.h>

enum { ANI_BLAS_ROWS = 101, ANI_BLAS_PLAIN = 111, ANI_BLAS_TRANSPOSED = 112, ANI_BLAS_UPPER = 121 };

/** Its functions, with the types of cblas.h where an integer is an int, as enums are. Those that
 * end in _ are LAPACK's, by Fortran's rules: arguments by address, matrices by columns, each text's
 * length at the end. */
typedef struct ani_openblas {
    void (*cblas_sgemm)(int order, int a_as, int b_as, int m, int n, int k, float alpha,
                        const float *a, int lda, const float *b, int ldb, float beta, float *c,
                        int ldc);
    void (*cblas_dgemm)(int order, int a_as, int b_as, int m, int n, int k, double alpha,
                        const double *a, int lda, const double *b, int ldb, double beta, double *c,
                        int ldc);
    void (*cblas_dsyrk)(int order, int part, int a_as, int n, int k, double alpha, const double *a,
                        int lda, double beta, double *c, int ldc);
    /* A = Q T Q': T has diagonal d and off-diagonal e; Q is in a and tau */
    void (*dsytrd_)(const char *part, const int *n, double *a, const int *lda, double *d, double *e,
                    double *tau, double *work, const int *work_size, int *info, size_t);
    /* c = Q c or Q' c */
    void (*dormtr_)(const char *side, const char *part, const char *as, const int *m, const int *n,
                    const double *a, const int *lda, const double *tau, double *c, const int *ldc,
                    double *work, const int *work_size, int *info, size_t, size_t, size_t);
    /* eigenvalues of T, ascending, in d */
    void (*dsterf_)(const int *n, double *d, double *e, int *info);
    /* solve T x = b for a positive definite T */
    void (*dptsv_)(const int *n, const int *columns, double *d, double *e, double *b,
                   const int *ldb, int *info);
    /* Cholesky factor, and the solution with it */
    void (*dpotrf_)(const char *part, const int *n, double *a, const int *lda, int *info, size_t);
    void (*dpotrs_)(const char *part, const int *n, const int *columns, const double *a,
                    const int *lda, double *b, const int *ldb, int *info, size_t);
    char *(*openblas_get_config)(void);
    int (*openblas_get_num_threads)(void);
    void (*openblas_set_num_threads)(int threads);
} ani_openblas;

/** Load OpenBLAS if it is not loaded yet, and become a user of it until ani_openblas_leave().
 * Return NULL, without becoming one, in a build without it, or if it is not installed or has 64-bit
 * integers.
 *
 * OpenBLAS has one thread count for the whole process: the first user sets it to 1, the last one
 * restores it. Our pool owns the threads, and with one thread results do not depend on how many
 * there are. */
const ani_openblas *ani_openblas_enter(void);
void ani_openblas_leave(void);

#endif
