/* SPDX-License-Identifier: MIT
 * Device memory. */
#include "backend/cuda/cuda.h"
#include "backend/cuda/entries.h"
#include "backend/cuda/kernel/launch.h"

void *ani_cuda_alloc_locked(ani_cuda *cuda, int64_t size) {
    void *memory = NULL;
    if (size < 0) return NULL;
    const cudaError_t code = cudaMalloc(&memory, size ? (size_t)size : 1);
    if (code == cudaErrorMemoryAllocation) {
        cudaGetLastError(); /* is reported here and nowhere else */
        return NULL;
    }
    if (!ani_cuda_check(cuda, code, "allocating memory")) return NULL;
    ani_cuda_check(cuda, cudaMemsetAsync(memory, 0, size ? (size_t)size : 1, cuda->stream),
                   "clearing memory");
    return memory;
}

void *ani_cuda_alloc(an_backend *backend, int64_t size) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return NULL;
    void *memory = ani_cuda_alloc_locked(cuda, size);
    ani_cuda_leave(cuda);
    return memory;
}

void ani_cuda_free(an_backend *backend, void *memory, int64_t size) {
    (void)size;
    ani_cuda *cuda = memory ? ani_cuda_enter_always(backend) : NULL;
    if (!cuda) return;
    /* Waits for queued work that may still use it. */
    if (!cuda->failed.status)
        ani_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), "queued work");
    cudaFree(memory);
    ani_cuda_leave(cuda);
}

void ani_cuda_copy_entry(an_backend *backend, void *to, const void *from, int64_t size,
                         const int32_t *guard) {
    ani_cuda *cuda = size > 0 ? ani_cuda_enter(backend) : NULL;
    if (!cuda) return;
    const int code = guard ? ani_cuda_copy_guarded(to, from, size, guard, cuda->stream)
                           : (int)cudaMemcpyAsync(to, from, (size_t)size, cudaMemcpyDeviceToDevice,
                                                  cuda->stream);
    ani_cuda_check(cuda, code, "copy");
    ani_cuda_leave(cuda);
}

void ani_cuda_fill(an_backend *backend, void *memory, int32_t byte, int64_t size) {
    ani_cuda *cuda = size > 0 ? ani_cuda_enter(backend) : NULL;
    if (!cuda) return;
    ani_cuda_check(cuda, cudaMemsetAsync(memory, byte, (size_t)size, cuda->stream), "fill");
    ani_cuda_leave(cuda);
}
