/* SPDX-License-Identifier: MIT
 * Kernels on the host. Blocks run one after another; the threads of a block are fibres: a thread
 * runs until it waits for others, so each run is one of the orders that a device may choose, and
 * the same one each time.
 *
 * AN_SHIM_ORDER chooses it, read at each launch: "forward" (the default), "reverse", or a number,
 * the seed of a shuffled order. A warp runs until all its lanes wait for the whole block, before
 * the next warp begins; shuffled, warps take turns at random. Blocks are in that order, too.
 *
 * What is checked, each with a message and abort(): accesses past the ends of shared memory (its
 * arrays are allocations of their own: AddressSanitizer), threads that wait at different places or
 * end while others wait, misaligned or pending asynchronous copies, launches that no device would
 * accept. Undefined contents of memory are bytes 0xff, which are NaN in every type. */
#ifndef CUDA_SHIM_SHIM_H
#define CUDA_SHIM_SHIM_H

#include <stddef.h>
#include <stdint.h>

#include <functional>

/** Where the thread that runs is. */
struct ani_shim_place {
    uint3 thread, block;
    dim3 block_size, grid_size;
};
extern ani_shim_place ani_shim_at;
#define threadIdx (ani_shim_at.thread)
#define blockIdx (ani_shim_at.block)
#define blockDim (ani_shim_at.block_size)
#define gridDim (ani_shim_at.grid_size)

int ani_shim_launch(dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                    const std::function<void()> &kernel);

/** Run a launch at once, or keep it for the graph that the stream captures (runtime.cpp). */
int ani_shim_queue(cudaStream_t stream, const std::function<int()> &launch);

void *ani_shim_shared();
void *ani_shim_shared_array(const void *place, size_t size);

void ani_shim_sync(const char *file, int line);
void ani_shim_sync_warp(const char *file, int line);

int ani_shim_lane();
float ani_shim_shuffle(float value, int lane);
double ani_shim_shuffle(double value, int lane);
void ani_shim_mma(float *d, const uint32_t *a, const uint32_t *b);
void ani_shim_load_matrices(uint32_t *to, int count, bool transposed, const void *row);

void ani_shim_copy(void *to, const void *from, int size, bool inside);
void ani_shim_copy_commit();
void ani_shim_copy_wait(int pending);

#endif
