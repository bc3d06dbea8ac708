/* SPDX-License-Identifier: MIT
 * The measured limits of this machine: the reference for every "percent of the ceiling". */
#ifndef BENCH_CEILINGS_H
#define BENCH_CEILINGS_H

#include "base/pool.h"

/** Bandwidths in GB/s as STREAM counts them: bytes read and bytes written, no write-allocate. */
typedef struct bench_bandwidth {
    double read; /* a sum over a buffer */
    double copy; /* memcpy(), which uses non-temporal stores for large buffers */
} bench_bandwidth;

typedef struct bench_ceilings {
    double gflops;          /* fused multiply-adds in registers */
    double pair_gflops;     /* products of pairs of bfloat16; gflops if features lack them */
    bench_bandwidth memory; /* 128 MB per thread */
    bench_bandwidth cache;  /* 2 MB per thread: in the last-level cache, beyond the first two */
    double cache_bytes; /* what counts as in the last-level cache: half of it; 0: size unknown */
} bench_ceilings;

/** Measure on all threads of a pool. features: ANI_CPU_*, the instructions to measure; 0 uses the
 * best that the processor has. Returns 0 if out of memory. */
int bench_measure_ceilings(bench_ceilings *out, ani_pool *pool, uint32_t features);

#endif
