/* SPDX-License-Identifier: MIT
 * Instructions that lanes of a warp execute together, and asynchronous copies: one function an
 * instruction. All 32 lanes of the warp must call each function that is marked "warp", at the same
 * place. On the host, tests/cuda/shim computes them from the tables of the PTX manual (section
 * "Warp-level matrix instructions"); tests/cuda/test_shim.cpp checks both forms.
 *
 * In what follows, row and column of lane l are r = l / 4 and c = l % 4 * 2, and a register holds
 * two bfloat16, the first in its lower half. */
#ifndef BACKEND_CUDA_KERNEL_MMA_H
#define BACKEND_CUDA_KERNEL_MMA_H

#include "backend/cuda/kernel/kernel.h"

/** Warp: d += a b, with a [16,16] and b [16,8] in bfloat16, d [16,8] in float.
 *
 *   a[0] = (r, c..c+1)   a[1] = (r+8, c..c+1)   a[2] = (r, c+8..c+9)   a[3] = (r+8, c+8..c+9)
 *   b[0] = (c..c+1, r)   b[1] = (c+8..c+9, r)
 *   d[0], d[1] = (r, c), (r, c+1)   d[2], d[3] = (r+8, c), (r+8, c+1) */
ANI_DEVICE void ani_mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef __CUDACC__
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    __trap(); /* bfloat16 is refused on these devices */
#endif
#else
    ani_shim_mma(d, a, b);
#endif
}

/** Warp: load matrices of 8 rows of 16 bytes (8 bfloat16) from shared memory. Lane l gives the
 * address of row l % 8 of matrix l / 8, a multiple of 16; the addresses of lanes past the last
 * matrix are ignored. Register i of lane l becomes (r, c..c+1) of matrix i; TRANSPOSED: elements
 * (c, r) and (c+1, r). COUNT: 1, 2 or 4 matrices. */
template <int COUNT, bool TRANSPOSED>
ANI_DEVICE void ani_load_matrices(uint32_t (&to)[COUNT], const void *row) {
    static_assert(COUNT == 1 || COUNT == 2 || COUNT == 4, "the instruction loads 1, 2 or 4");
#ifdef __CUDACC__
    const uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
    if (COUNT == 4 && !TRANSPOSED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(to[0]), "=r"(to[1 % COUNT]), "=r"(to[2 % COUNT]), "=r"(to[3 % COUNT])
                     : "r"(at)
                     : "memory");
    if (COUNT == 4 && TRANSPOSED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(to[0]), "=r"(to[1 % COUNT]), "=r"(to[2 % COUNT]), "=r"(to[3 % COUNT])
                     : "r"(at)
                     : "memory");
    if (COUNT == 2 && !TRANSPOSED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                     : "=r"(to[0]), "=r"(to[1 % COUNT])
                     : "r"(at)
                     : "memory");
    if (COUNT == 2 && TRANSPOSED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                     : "=r"(to[0]), "=r"(to[1 % COUNT])
                     : "r"(at)
                     : "memory");
    if (COUNT == 1 && !TRANSPOSED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                     : "=r"(to[0])
                     : "r"(at)
                     : "memory");
    if (COUNT == 1 && TRANSPOSED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                     : "=r"(to[0])
                     : "r"(at)
                     : "memory");
#else
    ani_shim_load_matrices(to, COUNT, TRANSPOSED, row);
#endif
}

/** Warp: the value of lane `lane` (% 32). */
ANI_DEVICE float ani_shuffle(float value, int lane) {
#ifdef __CUDACC__
    return __shfl_sync(0xffffffffu, value, lane);
#else
    return ani_shim_shuffle(value, lane);
#endif
}
/** Warp: the value of the lane whose number differs by the bits of `mask`. */
ANI_DEVICE float ani_shuffle_xor(float value, int mask) {
#ifdef __CUDACC__
    return __shfl_xor_sync(0xffffffffu, value, mask);
#else
    return ani_shim_shuffle(value, ani_shim_lane() ^ mask);
#endif
}
ANI_DEVICE double ani_shuffle_xor(double value, int mask) {
#ifdef __CUDACC__
    return __shfl_xor_sync(0xffffffffu, value, mask);
#else
    return ani_shim_shuffle(value, ani_shim_lane() ^ mask);
#endif
}
/** Warp: the sum over all lanes, in the same order in each of them. */
template <typename T> ANI_DEVICE T ani_sum_lanes(T value) {
    ANI_UNROLL
    for (int mask = ANI_WARP / 2; mask; mask /= 2)
        value += ani_shuffle_xor(value, mask);
    return value;
}

/** Start a copy of SIZE bytes (4, 8 or 16) from memory to shared memory, both aligned to SIZE. With
 * inside false, zeros are written, and `from` may be any valid address of that alignment that is
 * not read. The target is undefined until a wait of this thread; other threads need ani_sync()
 * after that. What the target held must no longer be wanted by anybody: ani_sync() before. */
template <int SIZE> ANI_DEVICE void ani_copy(void *to, const void *from, bool inside) {
    static_assert(SIZE == 4 || SIZE == 8 || SIZE == 16, "the instruction copies 4, 8 or 16 bytes");
#ifdef __CUDACC__
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    const uint32_t at = (uint32_t)__cvta_generic_to_shared(to);
    if (SIZE == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at),
                     "l"(__cvta_generic_to_global(from)), "r"(inside ? 16 : 0)
                     : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(at),
                     "l"(__cvta_generic_to_global(from)), "n"(SIZE), "r"(inside ? SIZE : 0)
                     : "memory");
#else
    for (int i = 0; i < SIZE / 4; i++)
        ((uint32_t *)to)[i] = inside ? ((const uint32_t *)from)[i] : 0;
#endif
#else
    ani_shim_copy(to, from, SIZE, inside);
#endif
}
/** End a group: the copies that this thread has started since the last one. It may be empty. */
ANI_DEVICE void ani_copy_commit() {
#ifdef __CUDACC__
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
#else
    ani_shim_copy_commit();
#endif
}
/** Wait for all groups of this thread but the PENDING last ones. */
template <int PENDING> ANI_DEVICE void ani_copy_wait() {
#ifdef __CUDACC__
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
#else
    ani_shim_copy_wait(PENDING);
#endif
}

#endif
