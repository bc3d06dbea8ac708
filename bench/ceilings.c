/* SPDX-License-Identifier: MIT
 * Measures the peak multiply-add rate and the bandwidths, each as the best of several passes in
 * which all threads of the pool do the same work. */
#include "ceilings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "program.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

enum {
    PASSES = 12,
    FMA_ROUNDS = 1 << 20,
    CHAINS = 12,
    MEMORY_BYTES = 128 << 20,
    CACHE_BYTES = 2 << 20
};

/* --- arithmetic: CHAINS independent sums that converge to 1, so that nothing overflows ----------
 * Each returns the number of operations of a round; *sink keeps the compiler from dropping it. */

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static double fma_avx2(float *sink) {
    __m256 sums[CHAINS];
    const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
    for (int i = 0; i < CHAINS; i++)
        sums[i] = _mm256_set1_ps((float)i);
    for (int round = 0; round < FMA_ROUNDS; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sums[i] = _mm256_fmadd_ps(sums[i], a, b);
    }
    for (int i = 0; i < CHAINS; i++)
        *sink += _mm256_cvtss_f32(sums[i]);
    return 2.0 * CHAINS * 8;
}

__attribute__((target("avx512f"))) static double fma_avx512(float *sink) {
    __m512 sums[CHAINS];
    const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
    for (int i = 0; i < CHAINS; i++)
        sums[i] = _mm512_set1_ps((float)i);
    for (int round = 0; round < FMA_ROUNDS; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sums[i] = _mm512_fmadd_ps(sums[i], a, b);
    }
    for (int i = 0; i < CHAINS; i++)
        *sink += _mm512_cvtss_f32(sums[i]);
    return 2.0 * CHAINS * 16;
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) static double
dot_avx512bf16(float *sink) {
    __m512 sums[CHAINS];
    const __m512bh a = (__m512bh)_mm512_set1_epi32(0x3f803f80); /* ones */
    for (int i = 0; i < CHAINS; i++)
        sums[i] = _mm512_set1_ps((float)i);
    for (int round = 0; round < FMA_ROUNDS; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sums[i] = _mm512_dpbf16_ps(sums[i], a, a);
    }
    for (int i = 0; i < CHAINS; i++)
        *sink += _mm512_cvtss_f32(sums[i]);
    return 4.0 * CHAINS * 16;
}
#elif defined(__aarch64__)
static double fma_neon(float *sink) {
    float32x4_t sums[CHAINS];
    const float32x4_t a = vdupq_n_f32(0.999f), b = vdupq_n_f32(0.001f);
    for (int i = 0; i < CHAINS; i++)
        sums[i] = vdupq_n_f32((float)i);
    for (int round = 0; round < FMA_ROUNDS; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sums[i] = vfmaq_f32(b, sums[i], a);
    }
    for (int i = 0; i < CHAINS; i++)
        *sink += vgetq_lane_f32(sums[i], 0);
    return 2.0 * CHAINS * 4;
}
#endif

static double fma_plain(float *sink) {
    float sums[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        sums[i] = (float)i;
    for (int round = 0; round < FMA_ROUNDS; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sums[i] = sums[i] * 0.999f + 0.001f;
    }
    for (int i = 0; i < CHAINS; i++)
        *sink += sums[i];
    return 2.0 * CHAINS;
}

typedef struct measure_job {
    uint32_t features;
    int64_t bytes;          /* of a thread's buffer */
    int64_t repeats;        /* traversals of it per pass */
    unsigned char *buffers; /* [threads][bytes] */
    double *operations;     /* [threads]: of a round */
    float *sinks;           /* [threads] */
} measure_job;

static void fma_pass(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const measure_job *job = context;
    float *sink = &job->sinks[index];
#if defined(__x86_64__)
    if (job->features & ANI_CPU_AVX512)
        job->operations[index] = fma_avx512(sink);
    else if (job->features & ANI_CPU_AVX2)
        job->operations[index] = fma_avx2(sink);
    else
        job->operations[index] = fma_plain(sink);
#elif defined(__aarch64__)
    job->operations[index] = job->features & ANI_CPU_NEON ? fma_neon(sink) : fma_plain(sink);
#else
    job->operations[index] = fma_plain(sink);
#endif
}

static void pair_pass(void *context, int64_t index, int32_t worker) {
#if defined(__x86_64__)
    const measure_job *job = context;
    if (job->features & ANI_CPU_AVX512BF16) {
        job->operations[index] = dot_avx512bf16(&job->sinks[index]);
        return;
    }
#endif
    fma_pass(context, index, worker);
}

/* --- bandwidth ---------------------------------------------------------------------------------*/

typedef uint64_t lanes __attribute__((vector_size(32)));

enum { SUMS = 8 };

static inline __attribute__((always_inline)) float walk(const lanes *from, int64_t count,
                                                        int64_t repeats) {
    lanes sums[SUMS] = {{0}};
    for (int64_t repeat = 0; repeat < repeats; repeat++)
        for (int64_t i = 0; i + SUMS <= count; i += SUMS) {
#pragma GCC unroll 8
            for (int j = 0; j < SUMS; j++)
                sums[j] ^= from[i + j];
        }
    for (int j = 1; j < SUMS; j++)
        sums[0] ^= sums[j];
    return (float)(sums[0][0] & 1);
}

static float walk_plain(const lanes *from, int64_t count, int64_t repeats) {
    return walk(from, count, repeats);
}

#if defined(__x86_64__)
/* 16-byte loads, the widest in baseline x86-64, read memory at two thirds of this speed. */
__attribute__((target("avx2"))) static float walk_avx2(const lanes *from, int64_t count,
                                                       int64_t repeats) {
    return walk(from, count, repeats);
}
#endif

static void read_pass(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const measure_job *job = context;
    const lanes *from = (const lanes *)(const void *)(job->buffers + index * job->bytes);
    const int64_t count = job->bytes / (int64_t)sizeof *from;
#if defined(__x86_64__)
    if (ani_cpu_features() & ANI_CPU_AVX2) {
        job->sinks[index] += walk_avx2(from, count, job->repeats);
        return;
    }
#endif
    job->sinks[index] += walk_plain(from, count, job->repeats);
}

static void copy_pass(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const measure_job *job = context;
    unsigned char *to = job->buffers + index * job->bytes;
    const size_t half = (size_t)job->bytes / 2;
    for (int64_t repeat = 0; repeat < job->repeats; repeat++)
        memcpy(to, to + half, half);
}

/* The best of PASSES passes of all threads, in seconds. */
static double best_pass(ani_pool *pool, ani_pool_fn fn, measure_job *job) {
    double best = 1e30;
    for (int pass = 0; pass < PASSES; pass++) {
        const double begin = bench_now();
        ani_pool_run(pool, ani_pool_threads(pool), fn, job);
        const double seconds = bench_now() - begin;
        if (seconds < best) best = seconds;
    }
    return best;
}

static double measure_arithmetic(ani_pool *pool, ani_pool_fn fn, measure_job *job) {
    const double seconds = best_pass(pool, fn, job);
    return 1e-9 * job->operations[0] * FMA_ROUNDS * ani_pool_threads(pool) / seconds;
}

static bench_bandwidth measure_bandwidth(ani_pool *pool, measure_job *job, int64_t bytes,
                                         int64_t repeats) {
    job->bytes = bytes;
    job->repeats = repeats;
    const double total = 1e-9 * (double)(bytes * repeats) * ani_pool_threads(pool);
    const double read = best_pass(pool, read_pass, job);
    const double copy = best_pass(pool, copy_pass, job);
    return (bench_bandwidth){.read = total / read, .copy = total / copy};
}

/* The size of the largest cache that the kernel reports for processor 0; 0: it reports none. */
static double last_cache_bytes(void) {
    double largest = 0;
    for (int index = 0; index < 8; index++) {
        char path[80];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
        FILE *file = fopen(path, "r");
        double size = 0;
        char unit = 0;
        if (!file) break;
        if (fscanf(file, "%lf%c", &size, &unit) == 2) {
            if (unit == 'K') size *= 1024;
            if (unit == 'M') size *= 1024 * 1024;
        }
        fclose(file);
        if (size > largest) largest = size;
    }
    return largest;
}

int bench_measure_ceilings(bench_ceilings *out, ani_pool *pool, uint32_t features) {
    const int32_t threads = ani_pool_threads(pool);
    const size_t size = (size_t)threads * MEMORY_BYTES;
    measure_job job = {.features = features ? features : ani_cpu_features()};
    int ok = 0;
    job.buffers = ani_alloc_large((int64_t)size);
    job.operations = calloc((size_t)threads, sizeof *job.operations);
    job.sinks = calloc((size_t)threads, sizeof *job.sinks);
    if (!job.buffers || !job.operations || !job.sinks) goto done;
    memset(job.buffers, 1, size);

    out->gflops = measure_arithmetic(pool, fma_pass, &job);
    out->pair_gflops = measure_arithmetic(pool, pair_pass, &job);
    out->memory = measure_bandwidth(pool, &job, MEMORY_BYTES, 1);
    out->cache = measure_bandwidth(pool, &job, CACHE_BYTES, 32);
    out->cache_bytes = last_cache_bytes() / 2;
    ok = 1;
done:
    free(job.sinks);
    free(job.operations);
    ani_free_large(job.buffers, (int64_t)size);
    return ok;
}
