/* SPDX-License-Identifier: MIT
 * What this machine can do at most, measured: the other side of every "percent of the ceiling". */
#ifndef BENCH_CEILINGS_H
#define BENCH_CEILINGS_H

#include "base/pool.h"

/** Bandwidths in GB/s as STREAM counts them: bytes read and bytes written, no write-allocate. */
typedef struct bench_bandwidth {
    double read; /* a sum over a buffer */
    double copy; /* memcpy(), which goes past the caches where the buffers are large */
} bench_bandwidth;

typedef struct bench_ceilings {
    double gflops;          /* fused multiply-adds in registers */
    double pair_gflops;     /* products of pairs of bfloat16; gflops where features have none */
    bench_bandwidth memory; /* 128 MB a thread */
    bench_bandwidth cache;  /* 2 MB a thread: in the last cache, beyond the first two */
    double cache_bytes;     /* what counts as in the last cache: half of it; 0: size not known */
} bench_ceilings;

/** Measure on all threads of a pool. features: ANI_CPU_*, the instructions to count; 0 takes the
 * best that the processor has. Returns 0 if there is no memory for it. */
int bench_measure_ceilings(bench_ceilings *out, ani_pool *pool, uint32_t features);

#endif
