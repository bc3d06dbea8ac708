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

#ifdef __cplusplus
}
#endif
#endif
