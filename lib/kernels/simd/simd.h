/* SPDX-License-Identifier: MIT
 * What the templates in this folder share. Each level's single source file includes its vec.h, then
 * simd/level.h, which includes the templates and makes their table. */
#ifndef KERNELS_SIMD_SIMD_H
#define KERNELS_SIMD_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 16 }; /* floats of a cache line; channels of a block of depthwise */

#define ANI_INLINE static inline __attribute__((always_inline))

/* One function for all callers, for code that is not worth a copy for each. */
#if defined(__clang__)
#define ANI_SHARED static __attribute__((noinline))
#else
#define ANI_SHARED static __attribute__((noinline, noclone))
#endif

/* Unroll the following loop completely; its count is a constant after inlining. Not in sanitizer
 * builds, where it would take minutes to compile. */
#if defined(__SANITIZE_ADDRESS__)
#define ANI_UNROLL _Pragma("GCC unroll 1")
#elif defined(__clang__)
#define ANI_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ANI_UNROLL _Pragma("GCC unroll 32")
#endif

/* sum[0..count) += a, in double */
ANI_INLINE void add_part_double(double *sum, vec a, int64_t count) {
    float lanes[LANES];
    v_store(lanes, a);
    for (int64_t i = 0; i < count; i++)
        sum[i] += lanes[i];
}

#endif
