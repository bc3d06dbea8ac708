/* SPDX-License-Identifier: MIT
 * Batch norm and sums of tensors. */
#include "backend/cuda/cuda.h"
#include "backend/cuda/entries.h"
#include "backend/cuda/kernel/launch.h"

void ani_cuda_bn_batch_entry(an_backend *backend, int64_t c, int64_t count, const double *moments,
                             double momentum, int32_t update, const ani_bn *bn) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda, ani_cuda_bn_batch(c, count, moments, momentum, update, bn, cuda->stream),
                   "bn_batch");
    ani_cuda_leave(cuda);
}

void ani_cuda_bn_running_entry(an_backend *backend, int64_t c, const ani_bn *bn) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda, ani_cuda_bn_running(c, bn, cuda->stream), "bn_running");
    ani_cuda_leave(cuda);
}

void ani_cuda_bn_backward_entry(an_backend *backend, int64_t channels, int64_t count, int32_t batch,
                                const double *sums, const ani_bn *bn, float *dgamma, float *dbeta,
                                float *a, float *b, float *c) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda,
                   ani_cuda_bn_backward(channels, count, batch, sums, bn, dgamma, dbeta, a, b, c,
                                        cuda->stream),
                   "bn_backward");
    ani_cuda_leave(cuda);
}

void ani_cuda_materialise_entry(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                                const ani_lazy *r, void *y) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda, ani_cuda_materialise(rows, c, x, r, y, cuda->stream), "materialise");
    ani_cuda_leave(cuda);
}

void ani_cuda_value_range_entry(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                                ani_range *range) {
    *range = (ani_range){0};
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    const int code =
        ani_cuda_value_range(rows, c, x, cuda->range, cuda->room, cuda->counters, cuda->stream);
    if (ani_cuda_check(cuda, code, "value_range"))
        ani_cuda_read(backend, range, cuda->range, sizeof *range);
    ani_cuda_leave(cuda);
}
