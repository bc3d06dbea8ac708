/* SPDX-License-Identifier: MIT
 * Steps of optimizers, over all parameters at once. */
#include "backend/cuda/cuda.h"
#include "backend/cuda/entries.h"
#include "backend/cuda/kernel/launch.h"

void ani_cuda_optim_step_entry(an_backend *backend, const ani_optim_step *step) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda, ani_cuda_optim_step(step, cuda->stream), "optim_step");
    ani_cuda_leave(cuda);
}

void ani_cuda_sum_squares_entry(an_backend *backend, int64_t count, const float *x, double *sum) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda,
                   ani_cuda_sum_squares(count, x, sum, cuda->room, cuda->counters, cuda->stream),
                   "sum_squares");
    ani_cuda_leave(cuda);
}

void ani_cuda_combine_entry(an_backend *backend, int64_t count, double a, const float *x, double b,
                            float *y) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda, ani_cuda_combine(count, a, x, b, y, cuda->stream), "combine");
    ani_cuda_leave(cuda);
}
