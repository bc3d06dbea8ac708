/* SPDX-License-Identifier: MIT
 * The vector of AVX2 with FMA, for the templates in simd/: 8 floats, 16 registers. */
#ifndef KERNELS_AVX2_VEC_H
#define KERNELS_AVX2_VEC_H

#include <immintrin.h>
#include <stdint.h>

enum {
    V_STREAMS = 1, /* v_stream is a non-temporal store */
    LANES = 8,
    WIDE_ROWS = 4,   /* register tile with panels of 3 vectors: 12 sums, 3 operands, 1 broadcast */
    NARROW_ROWS = 6, /* with panels of 2 vectors: 12 sums, 2 operands, 1 broadcast */
    SLIM_ROWS = 0    /* no panels of one */
};

typedef __m256 vec;

static inline vec v_zero(void) {
    return _mm256_setzero_ps();
}
static inline vec v_set(float value) {
    return _mm256_set1_ps(value);
}
static inline vec v_broadcast(const float *from) {
    return _mm256_broadcast_ss(from);
}
static inline vec v_load(const float *from) {
    return _mm256_loadu_ps(from);
}
static inline void v_store(float *to, vec v) {
    _mm256_storeu_ps(to, v);
}
/* Non-temporal store; `to` is aligned to the vector's size. */
static inline void v_stream(float *to, vec v) {
    _mm256_stream_ps(to, v);
}
static inline void v_fence(void) {
    _mm_sfence();
}
static inline __m256i v_first_lanes(int64_t count) {
    static const int32_t lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(const void *)(lanes + 8 - count));
}
/* The first count lanes, 0 <= count < LANES; the others are 0, and their memory is not touched. */
static inline vec v_load_part(const float *from, int64_t count) {
    return _mm256_maskload_ps(from, v_first_lanes(count));
}
static inline void v_store_part(float *to, vec v, int64_t count) {
    _mm256_maskstore_ps(to, v_first_lanes(count), v);
}
static inline vec v_add(vec a, vec b) {
    return _mm256_add_ps(a, b);
}
static inline vec v_sub(vec a, vec b) {
    return _mm256_sub_ps(a, b);
}
static inline vec v_mul(vec a, vec b) {
    return _mm256_mul_ps(a, b);
}
static inline vec v_div(vec a, vec b) {
    return _mm256_div_ps(a, b);
}
static inline vec v_sqrt(vec a) {
    return _mm256_sqrt_ps(a);
}
/* a * b + c, rounded once */
static inline vec v_fma(vec a, vec b, vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
/* min(max(a, 0), 6); NaN stays, since the instruction then returns its second operand */
static inline vec v_clip(vec a) {
    return _mm256_min_ps(_mm256_set1_ps(6), _mm256_max_ps(_mm256_setzero_ps(), a));
}
/* The same for a number that will be rounded to bfloat16: what is below 6 stays below. */
static inline vec v_clip_bfloat16(vec a) {
    const vec high = _mm256_set1_ps(6), v = _mm256_max_ps(_mm256_setzero_ps(), a);
    return _mm256_blendv_ps(high, _mm256_min_ps(_mm256_set1_ps(5.96875f), v),
                            _mm256_cmp_ps(v, high, _CMP_NGE_UQ));
}
/* v, which the compiler must load here, instead of keeping it in a register across an earlier
 * loop. */
static inline vec v_here(vec v) {
    __asm__ volatile("" : "+x"(v));
    return v;
}
/* a where low < y < high, else 0 (also where y is NaN) */
static inline vec v_pass(vec a, vec y, vec low, vec high) {
    const vec above = _mm256_cmp_ps(y, low, _CMP_GT_OQ);
    const vec below = _mm256_cmp_ps(y, high, _CMP_LT_OQ);
    return _mm256_and_ps(a, _mm256_and_ps(above, below));
}
/* --- bfloat16 in memory: the upper halves of floats ------------------------------------------- */

static inline vec v_load_bfloat16(const uint16_t *from) {
    const __m128i halves = _mm_loadu_si128((const __m128i *)(const void *)from);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
/* Round to bfloat16: to nearest, ties to even; NaN stays NaN. */
static inline vec v_round_bfloat16(vec v) {
    const __m256i bits = _mm256_castps_si256(v), upper = _mm256_set1_epi32(-65536);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    const vec quiet = _mm256_castsi256_ps(_mm256_or_si256(bits, _mm256_set1_epi32(0x400000)));
    const vec any =
        _mm256_blendv_ps(_mm256_castsi256_ps(sum), quiet, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    return _mm256_and_ps(any, _mm256_castsi256_ps(upper));
}
static inline __m128i v_halves(vec rounded) {
    const __m256i halves = _mm256_srli_epi32(_mm256_castps_si256(rounded), 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}
/* The bfloat16 in the lower and in the upper half of each lane. */
static inline vec v_low_half(vec pairs) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(pairs), 16));
}
static inline vec v_high_half(vec pairs) {
    return _mm256_and_ps(pairs, _mm256_castsi256_ps(_mm256_set1_epi32(-65536)));
}
/* These take rounded numbers. */
static inline void v_store_bfloat16(uint16_t *to, vec rounded) {
    _mm_storeu_si128((__m128i *)(void *)to, v_halves(rounded));
}
static inline vec v_load_part_bfloat16(const uint16_t *from, int64_t count) {
    uint16_t lanes[LANES] = {0};
    for (int64_t i = 0; i < count; i++)
        lanes[i] = from[i];
    return v_load_bfloat16(lanes);
}
static inline void v_store_part_bfloat16(uint16_t *to, vec rounded, int64_t count) {
    uint16_t lanes[LANES];
    v_store_bfloat16(lanes, rounded);
    for (int64_t i = 0; i < count; i++)
        to[i] = lanes[i];
}

/* sum[0..LANES) += a, in double */
static inline void v_add_double(double *sum, vec a) {
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(a));
    const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1));
    _mm256_storeu_pd(sum, _mm256_add_pd(_mm256_loadu_pd(sum), low));
    _mm256_storeu_pd(sum + 4, _mm256_add_pd(_mm256_loadu_pd(sum + 4), high));
}

#endif
