// SPDX-License-Identifier: MIT
// Bytes to floats by tables, and a kernel that does nothing.
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/launch.h"

enum { THREADS = 256, EACH = 4 };

static __global__ void __launch_bounds__(THREADS)
    images(const uint8_t *bytes, const float *tables, int64_t count, float *y) {
    const int64_t first = (int64_t)blockIdx.x * THREADS * EACH + threadIdx.x;
    for (int k = 0; k < EACH; k++) {
        const int64_t i = first + (int64_t)k * THREADS;
        if (i < count) y[i] = tables[256 * (int)(i % 3) + bytes[i]];
    }
}

static __global__ void __launch_bounds__(ANI_WARP) nothing() {}

int ani_cuda_images(const uint8_t *bytes, const float *tables, int64_t count, float *y,
                    cudaStream_t stream) {
    return ani_launch(images, dim3((unsigned)ani_pieces(count, THREADS * EACH)), dim3(THREADS), 0,
                      stream, bytes, tables, count, y);
}

int ani_cuda_nothing(cudaStream_t stream) {
    return ani_launch(nothing, dim3(1), dim3(ANI_WARP), 0, stream);
}
