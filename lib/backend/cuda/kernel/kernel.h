/* SPDX-License-Identifier: MIT
 * What every kernel starts from. nvcc compiles the kernels for devices; tests/cuda compiles the
 * same files for the host with any C++ compiler, where the threads of a block are fibres. The two
 * differ here and in mma.h, and nowhere else. A kernel therefore uses
 *
 *   ani_launch()        and not <<<>>>
 *   ANI_SHARED_BYTES    and ANI_SHARED_ARRAY for shared memory, and not __shared__
 *   ani_sync()          and not __syncthreads(); likewise the other functions below
 *   mma.h               for all that lanes do together
 *
 * and reads threadIdx, blockIdx, blockDim and gridDim as usual. All threads of a block must call
 * ani_sync() at the same place; warps must be complete (a multiple of 32 threads in a block) where
 * lanes meet. */
#ifndef BACKEND_CUDA_KERNEL_KERNEL_H
#define BACKEND_CUDA_KERNEL_KERNEL_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

/** Lanes of a warp. */
#define ANI_WARP 32
/** Bytes of shared memory that a launch may ask for on every device of compute capability 8.0 or
 * later (99 KiB on some of them, 163 on 8.0, 227 on 9.0). */
#define ANI_SHARED_LIMIT (99 * 1024)

#ifdef __CUDACC__

#define ANI_DEVICE static __device__ __forceinline__
/** For launchers, too. */
#define ANI_BOTH static __host__ __device__ __forceinline__
/** Unroll the loop that follows, whose number of passes is a constant. */
#define ANI_UNROLL _Pragma("unroll")

/** Declare `name`: the launch's dynamic shared memory, aligned to 128 bytes. Its contents are
 * undefined. */
#define ANI_SHARED_BYTES(name)                                                                     \
    extern __shared__ __align__(128) unsigned char ani_shared_bytes[];                             \
    unsigned char *const name = ani_shared_bytes
/** Declare an array in shared memory, aligned to 16 bytes; undefined contents. In a function that
 * is called twice it is the same array. */
#define ANI_SHARED_ARRAY(type, name, count) __shared__ __align__(16) type name[count]

/** Wait until all threads of the block are here; what they wrote is then seen by all of them. */
ANI_DEVICE void ani_sync() {
    __syncthreads();
}
/** The same among the lanes of a warp. */
ANI_DEVICE void ani_sync_warp() {
    __syncwarp();
}
/** What this thread wrote before is seen by other blocks before what it writes after. */
ANI_DEVICE void ani_fence() {
    __threadfence();
}
/** Return the counter's value and add 1 to it; after `last` it becomes zero. */
ANI_DEVICE unsigned ani_count(unsigned *counter, unsigned last) {
    return atomicInc(counter, last);
}
/** Read memory that other blocks of this launch have written, past the caches of the block. */
ANI_DEVICE float ani_read_fresh(const float *p) {
    return __ldcg(p);
}
ANI_DEVICE double ani_read_fresh(const double *p) {
    return __ldcg(p);
}

#else

#include "shim.h"

#define ANI_DEVICE static inline
#define ANI_BOTH static inline
#define ANI_UNROLL
#define ANI_SHARED_BYTES(name)                                                                     \
    unsigned char *const name = static_cast<unsigned char *>(ani_shim_shared())
#define ANI_SHARED_ARRAY(type, name, count)                                                        \
    static const char name##_place = 0;                                                            \
    type *const name =                                                                             \
        static_cast<type *>(ani_shim_shared_array(&name##_place, sizeof(type) * (count)))

/* A macro, since the place of the call counts: all threads must come to the same one. */
#define ani_sync() ani_shim_sync(__FILE__, __LINE__)
#define ani_sync_warp() ani_shim_sync_warp(__FILE__, __LINE__)
ANI_DEVICE void ani_fence() {}
ANI_DEVICE unsigned ani_count(unsigned *counter, unsigned last) {
    const unsigned old = *counter;
    *counter = old >= last ? 0 : old + 1;
    return old;
}
template <typename T> ANI_DEVICE T ani_read_fresh(const T *p) {
    return *p;
}

#endif

/** Deduces nothing, so that arguments are converted to the kernel's parameters. */
template <typename T> struct ani_same { typedef T type; };

/** Launch a kernel. Returns a cudaError_t; errors of the kernel itself surface later. No block or
 * no thread: nothing is launched. */
template <typename... P>
static inline int ani_launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
                             cudaStream_t stream, typename ani_same<P>::type... args) {
    if (!grid.x || !grid.y || !grid.z || !block.x || !block.y || !block.z) return cudaSuccess;
#ifdef __CUDACC__
    if (shared > 48 * 1024) {
        const cudaError_t error = cudaFuncSetAttribute(
            (const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared);
        if (error) return error;
    }
    void *pointers[] = {(void *)&args...};
    return cudaLaunchKernel((const void *)kernel, grid, block, pointers, shared, stream);
#else
    return ani_shim_launch(grid, block, shared, stream, [=] { kernel(args...); });
#endif
}

/** The number of this thread in its block, from 0, x running fastest. */
ANI_DEVICE int ani_thread() {
    return (int)(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
}
/** How many threads the block has. */
ANI_DEVICE int ani_threads() {
    return (int)(blockDim.x * blockDim.y * blockDim.z);
}
ANI_DEVICE int ani_lane() {
    return ani_thread() % ANI_WARP;
}
ANI_DEVICE int ani_warp() {
    return ani_thread() / ANI_WARP;
}

/** The least number of pieces of `size` that hold `count`. */
ANI_BOTH int64_t ani_pieces(int64_t count, int64_t size) {
    return (count + size - 1) / size;
}
ANI_BOTH int64_t ani_least(int64_t a, int64_t b) {
    return a < b ? a : b;
}
ANI_BOTH int64_t ani_most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

#endif
