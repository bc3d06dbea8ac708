/* SPDX-License-Identifier: MIT
 * The launchers of the kernels, for host code in C. Each puts its work into the stream and returns
 * a cudaError_t: cudaSuccess, or why nothing (more) was launched. Pointers in the arguments are
 * device memory; structs themselves, and what their ani_bn pointers point to, are read before the
 * call returns. Arguments have the meaning of backend.h. */
#ifndef BACKEND_CUDA_KERNEL_LAUNCH_H
#define BACKEND_CUDA_KERNEL_LAUNCH_H

#include <cuda_runtime_api.h>
#include <stdint.h>

#include "backend/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of the `memory` of a launcher: device memory aligned to 256 whose contents are undefined.
 * All launches of a stream may share it. */
#define ANI_ROOM_SIZE (4 * 1024 * 1024)
/** Numbers of the `counters` of a launcher: zero before a launch, and again after it. */
#define ANI_COUNTERS 4096

/* images.cu */
/** Write y [n,3], count numbers, from bytes: those of a channel are in its row of tables [3,256],
 * device memory. */
int ani_cuda_images(const uint8_t *bytes, const float *tables, int64_t count, float *y,
                    cudaStream_t stream);
/** Run a kernel that does nothing, which fails if this build has none for the device. */
int ani_cuda_nothing(cudaStream_t stream);

/* norm.cu */
int ani_cuda_bn_batch(int64_t c, int64_t count, const double *moments, double momentum,
                      int32_t update, const ani_bn *bn, cudaStream_t stream);
int ani_cuda_bn_running(int64_t c, const ani_bn *bn, cudaStream_t stream);
int ani_cuda_bn_backward(int64_t c, int64_t count, int32_t batch, const double *sums,
                         const ani_bn *bn, float *dgamma, float *dbeta, float *ka, float *kb,
                         float *kc, cudaStream_t stream);
int ani_cuda_materialise(int64_t rows, int64_t c, const ani_lazy *x, const ani_lazy *r, void *y,
                         cudaStream_t stream);
/** range: device memory. */
int ani_cuda_value_range(int64_t rows, int64_t c, const ani_lazy *x, ani_range *range, void *memory,
                         unsigned *counters, cudaStream_t stream);

/* head.cu */
int ani_cuda_pool_forward(int64_t n, int64_t hw, int64_t c, const ani_lazy *x, float *y,
                          cudaStream_t stream);
/** cudaErrorInvalidValue for more channels than memory and counters suffice for: 65,536 at least.
 */
int ani_cuda_pool_backward(int64_t n, int64_t hw, int64_t c, const float *dy, const ani_lazy *x,
                           const ani_store *store, void *memory, unsigned *counters,
                           cudaStream_t stream);
int ani_cuda_dense_forward(int64_t n, int64_t in, int64_t out, const float *x, const float *w,
                           const float *b, float *y, cudaStream_t stream);
int ani_cuda_dense_backward(int64_t n, int64_t in, int64_t out, const float *x, const float *w,
                            const float *dy, float *dx, float *dw, float *db, cudaStream_t stream);
int ani_cuda_loss(int32_t kind, int64_t n, int64_t of, int64_t out, const float *y,
                  const float *target, const float *weights, double *loss, float *dy,
                  int32_t *guard, cudaStream_t stream);
int ani_cuda_probabilities(int64_t n, int64_t out, float *y, cudaStream_t stream);

/* optim.cu */
int ani_cuda_optim_step(const ani_optim_step *step, cudaStream_t stream);
int ani_cuda_sum_squares(int64_t count, const float *x, double *sum, void *memory,
                         unsigned *counters, cudaStream_t stream);
int ani_cuda_combine(int64_t count, double a, const float *x, double b, float *y,
                     cudaStream_t stream);
/** Copy if *guard is not 0. The ranges do not overlap. */
int ani_cuda_copy_guarded(void *to, const void *from, int64_t size, const int32_t *guard,
                          cudaStream_t stream);

/* pointwise.cu, pointwise_backward.cu: bfloat16 on tensor cores, tensors aligned to 16 bytes.
 * Units: takes says whether it computes a shape with this element of y, g and z; scratch, in bytes,
 * is that of the arguments; counters as above. */
int32_t ani_cuda_pointwise_forward_takes(const ani_unit_shape *s, int32_t element);
int64_t ani_cuda_pointwise_forward_scratch(const ani_unit_shape *s, int32_t element);
int ani_cuda_pointwise_forward(const ani_unit_shape *s, const ani_unit_forward *args,
                               unsigned *counters, cudaStream_t stream);
int32_t ani_cuda_pointwise_backward_takes(const ani_unit_shape *s, int32_t element);
int64_t ani_cuda_pointwise_backward_scratch(const ani_unit_shape *s, int32_t element);
int ani_cuda_pointwise_backward(const ani_unit_shape *s, const ani_unit_backward *args,
                                unsigned *counters, cudaStream_t stream);

/* product32.cu: pointwise units in float, of any channels; each tensor may have its own element */
int32_t ani_cuda_product_takes(const ani_unit_shape *s, int32_t element);
int64_t ani_cuda_product_forward_scratch(const ani_unit_shape *s, int32_t element);
int64_t ani_cuda_product_backward_scratch(const ani_unit_shape *s, int32_t element);
int ani_cuda_product_forward(const ani_unit_shape *s, const ani_unit_forward *args,
                             unsigned *counters, cudaStream_t stream);
int ani_cuda_product_backward(const ani_unit_shape *s, const ani_unit_backward *args,
                              unsigned *counters, cudaStream_t stream);
/* unit_any.cu: all units; each tensor may have its own element. Moments or sums of more than 65,536
 * channels, for which the counters do not suffice: cudaErrorInvalidValue. */
int64_t ani_cuda_any_forward_scratch(const ani_unit_shape *s, int32_t element);
int64_t ani_cuda_any_backward_scratch(const ani_unit_shape *s, int32_t element);
int ani_cuda_any_forward(const ani_unit_shape *s, const ani_unit_forward *args, unsigned *counters,
                         cudaStream_t stream);
int ani_cuda_any_backward(const ani_unit_shape *s, const ani_unit_backward *args,
                          unsigned *counters, cudaStream_t stream);
/** The input gradient alone; store.dx is not NULL. */
int ani_cuda_any_input(const ani_unit_shape *s, const ani_unit_backward *args, unsigned *counters,
                       cudaStream_t stream);
int64_t ani_cuda_any_input_scratch(const ani_unit_shape *s, int32_t element);

/* depthwise.cu, depthwise_backward.cu; x of another element than y, and tensors that are not
 * aligned to 16 bytes, go through unit_any.cu */
int32_t ani_cuda_depthwise_takes(const ani_unit_shape *s, int32_t element);
int64_t ani_cuda_depthwise_forward_scratch(const ani_unit_shape *s, int32_t element);
int64_t ani_cuda_depthwise_backward_scratch(const ani_unit_shape *s, int32_t element);
int ani_cuda_depthwise_forward(const ani_unit_shape *s, const ani_unit_forward *args,
                               unsigned *counters, cudaStream_t stream);
int ani_cuda_depthwise_backward(const ani_unit_shape *s, const ani_unit_backward *args,
                                unsigned *counters, cudaStream_t stream);

/* stem.cu: the first convolution in bfloat16, of images of either element */
int32_t ani_cuda_stem_takes(const ani_unit_shape *s, int32_t element);
int64_t ani_cuda_stem_forward_scratch(const ani_unit_shape *s, int32_t element);
int64_t ani_cuda_stem_backward_scratch(const ani_unit_shape *s, int32_t element);
int ani_cuda_stem_forward(const ani_unit_shape *s, const ani_unit_forward *args, unsigned *counters,
                          cudaStream_t stream);
int ani_cuda_stem_backward(const ani_unit_shape *s, const ani_unit_backward *args,
                           unsigned *counters, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
