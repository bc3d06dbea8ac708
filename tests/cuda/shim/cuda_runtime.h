/* SPDX-License-Identifier: MIT
 * Stand-in for the CUDA toolkit's header of this name: what kernels use. */
#ifndef CUDA_SHIM_CUDA_RUNTIME_H
#define CUDA_SHIM_CUDA_RUNTIME_H

#include "cuda_runtime_api.h"

#include <stdint.h>

#define __global__
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

#endif
