/* SPDX-License-Identifier: MIT
 * Pooling, dense layer, loss. */
#include "backend/cuda/cuda.h"
#include "backend/cuda/entries.h"
#include "backend/cuda/kernel/launch.h"

void ani_cuda_pool_forward_entry(an_backend *backend, int64_t n, int64_t hw, int64_t c,
                                 const ani_lazy *x, float *y) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda, ani_cuda_pool_forward(n, hw, c, x, y, cuda->stream), "pool_forward");
    ani_cuda_leave(cuda);
}

void ani_cuda_pool_backward_entry(an_backend *backend, int64_t n, int64_t hw, int64_t c,
                                  const float *dy, const ani_lazy *x, const ani_store *store) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(
        cuda,
        ani_cuda_pool_backward(n, hw, c, dy, x, store, cuda->room, cuda->counters, cuda->stream),
        "pool_backward");
    ani_cuda_leave(cuda);
}

void ani_cuda_dense_forward_entry(an_backend *backend, int64_t n, int64_t in, int64_t out,
                                  const float *x, const float *w, const float *b, float *y) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda, ani_cuda_dense_forward(n, in, out, x, w, b, y, cuda->stream),
                   "dense_forward");
    ani_cuda_leave(cuda);
}

void ani_cuda_dense_backward_entry(an_backend *backend, int64_t n, int64_t in, int64_t out,
                                   const float *x, const float *w, const float *dy, float *dx,
                                   float *dw, float *db) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda, ani_cuda_dense_backward(n, in, out, x, w, dy, dx, dw, db, cuda->stream),
                   "dense_backward");
    ani_cuda_leave(cuda);
}

void ani_cuda_loss_entry(an_backend *backend, int32_t kind, int64_t n, int64_t of, int64_t out,
                         const float *y, const float *target, const float *weights, double *loss,
                         float *dy, int32_t *guard) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(
        cuda, ani_cuda_loss(kind, n, of, out, y, target, weights, loss, dy, guard, cuda->stream),
        "loss");
    ani_cuda_leave(cuda);
}

void ani_cuda_probabilities_entry(an_backend *backend, int64_t n, int64_t out, float *y) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda, ani_cuda_probabilities(n, out, y, cuda->stream), "probabilities");
    ani_cuda_leave(cuda);
}
