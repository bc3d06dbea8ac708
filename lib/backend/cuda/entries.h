/* SPDX-License-Identifier: MIT
 * Entries of the table that do little more than to call a launcher. */
#ifndef BACKEND_CUDA_ENTRIES_H
#define BACKEND_CUDA_ENTRIES_H

#include "backend/backend.h"

/* memory.c */
void *ani_cuda_alloc(an_backend *backend, int64_t size);
void ani_cuda_free(an_backend *backend, void *memory, int64_t size);
void ani_cuda_copy_entry(an_backend *backend, void *to, const void *from, int64_t size,
                         const int32_t *guard);
void ani_cuda_fill(an_backend *backend, void *memory, int32_t byte, int64_t size);

/* norm.c */
void ani_cuda_bn_batch_entry(an_backend *backend, int64_t c, int64_t count, const double *moments,
                             double momentum, int32_t update, const ani_bn *bn);
void ani_cuda_bn_running_entry(an_backend *backend, int64_t c, const ani_bn *bn);
void ani_cuda_bn_backward_entry(an_backend *backend, int64_t channels, int64_t count, int32_t batch,
                                const double *sums, const ani_bn *bn, float *dgamma, float *dbeta,
                                float *a, float *b, float *c);
void ani_cuda_materialise_entry(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                                const ani_lazy *r, void *y);
void ani_cuda_value_range_entry(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                                ani_range *range);

/* head.c */
void ani_cuda_pool_forward_entry(an_backend *backend, int64_t n, int64_t hw, int64_t c,
                                 const ani_lazy *x, float *y);
void ani_cuda_pool_backward_entry(an_backend *backend, int64_t n, int64_t hw, int64_t c,
                                  const float *dy, const ani_lazy *x, const ani_store *store);
void ani_cuda_dense_forward_entry(an_backend *backend, int64_t n, int64_t in, int64_t out,
                                  const float *x, const float *w, const float *b, float *y);
void ani_cuda_dense_backward_entry(an_backend *backend, int64_t n, int64_t in, int64_t out,
                                   const float *x, const float *w, const float *dy, float *dx,
                                   float *dw, float *db);
void ani_cuda_loss_entry(an_backend *backend, int32_t kind, int64_t n, int64_t of, int64_t out,
                         const float *y, const float *target, const float *weights, double *loss,
                         float *dy, int32_t *guard);
void ani_cuda_probabilities_entry(an_backend *backend, int64_t n, int64_t out, float *y);

/* optim.c */
void ani_cuda_optim_step_entry(an_backend *backend, const ani_optim_step *step);
void ani_cuda_sum_squares_entry(an_backend *backend, int64_t count, const float *x, double *sum);
void ani_cuda_combine_entry(an_backend *backend, int64_t count, double a, const float *x, double b,
                            float *y);

#endif
