/* SPDX-License-Identifier: MIT
 * Units: which kernel computes which shape. The choice depends on the shape and on the type of its
 * elements alone, never on a measurement, so that the bits of a model are the same everywhere. */
#include <assert.h>

#include "backend/cuda/cuda.h"
#include "backend/cuda/kernel/launch.h"

/** Kernels for one way through a unit, as in launch.h. */
typedef struct forward_kernel {
    int32_t (*takes)(const ani_unit_shape *shape, int32_t element);
    int64_t (*scratch)(const ani_unit_shape *shape, int32_t element);
    int (*launch)(const ani_unit_shape *shape, const ani_unit_forward *args, unsigned *counters,
                  cudaStream_t stream);
} forward_kernel;

typedef struct backward_kernel {
    int32_t (*takes)(const ani_unit_shape *shape, int32_t element);
    int64_t (*scratch)(const ani_unit_shape *shape, int32_t element);
    int (*launch)(const ani_unit_shape *shape, const ani_unit_backward *args, unsigned *counters,
                  cudaStream_t stream);
} backward_kernel;

/* The first that takes the shape; the last, without a condition, takes all. */
static const forward_kernel forwards[] = {
    {ani_cuda_stem_takes, ani_cuda_stem_forward_scratch, ani_cuda_stem_forward},
    {ani_cuda_depthwise_takes, ani_cuda_depthwise_forward_scratch, ani_cuda_depthwise_forward},
    {ani_cuda_pointwise_forward_takes, ani_cuda_pointwise_forward_scratch,
     ani_cuda_pointwise_forward},
    {ani_cuda_product_takes, ani_cuda_product_forward_scratch, ani_cuda_product_forward},
    {NULL, ani_cuda_any_forward_scratch, ani_cuda_any_forward}};
static const backward_kernel backwards[] = {
    {ani_cuda_stem_takes, ani_cuda_stem_backward_scratch, ani_cuda_stem_backward},
    {ani_cuda_depthwise_takes, ani_cuda_depthwise_backward_scratch, ani_cuda_depthwise_backward},
    {ani_cuda_pointwise_backward_takes, ani_cuda_pointwise_backward_scratch,
     ani_cuda_pointwise_backward},
    {ani_cuda_product_takes, ani_cuda_product_backward_scratch, ani_cuda_product_backward},
    {NULL, ani_cuda_any_backward_scratch, ani_cuda_any_backward}};

enum {
    FORWARDS = sizeof forwards / sizeof *forwards,
    BACKWARDS = sizeof backwards / sizeof *backwards
};

void ani_cuda_unit_plan(an_backend *backend, const ani_unit_shape *shape, int32_t element,
                        ani_unit_plan *plan) {
    (void)backend;
    int32_t forward = 0, backward = 0;
    while (forward < FORWARDS - 1 && !forwards[forward].takes(shape, element))
        forward++;
    while (backward < BACKWARDS - 1 && !backwards[backward].takes(shape, element))
        backward++;
    *plan = (ani_unit_plan){.shape = *shape,
                            .algorithm = forward * BACKWARDS + backward,
                            .scratch_forward = forwards[forward].scratch(shape, element),
                            .scratch_backward = backwards[backward].scratch(shape, element)};
}

void ani_cuda_unit_forward(an_backend *backend, const ani_unit_plan *plan,
                           const ani_unit_forward *args) {
    ani_cuda *cuda = ani_watch_stops(args->watch) ? NULL : ani_cuda_enter(backend);
    if (!cuda) return;
    const forward_kernel *kernel = &forwards[plan->algorithm / BACKWARDS];
    assert(args->scratch || !plan->scratch_forward);
    ani_cuda_check(cuda, kernel->launch(&plan->shape, args, cuda->counters, cuda->stream),
                   "unit_forward");
    ani_cuda_leave(cuda);
}

void ani_cuda_unit_backward(an_backend *backend, const ani_unit_plan *plan,
                            const ani_unit_backward *args) {
    ani_cuda *cuda = ani_watch_stops(args->watch) ? NULL : ani_cuda_enter(backend);
    if (!cuda) return;
    const backward_kernel *kernel = &backwards[plan->algorithm % BACKWARDS];
    assert(args->scratch || !plan->scratch_backward);
    ani_cuda_check(cuda, kernel->launch(&plan->shape, args, cuda->counters, cuda->stream),
                   "unit_backward");
    ani_cuda_leave(cuda);
}
