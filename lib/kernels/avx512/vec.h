/* SPDX-License-Identifier: MIT
 * The vector of AVX-512 (F, DQ, VL), for the templates in simd/: 16 floats, 32 registers. */
#ifndef KERNELS_AVX512_VEC_H
#define KERNELS_AVX512_VEC_H

#include <immintrin.h>
#include <stdint.h>

enum {
    V_STREAMS = 1, /* v_stream is a non-temporal store */
    LANES = 16,
    WIDE_ROWS = 8,    /* register tile with panels of 3 vectors: 24 sums, 3 operands */
    NARROW_ROWS = 12, /* with panels of 2 vectors: 24 sums, 2 operands */
    SLIM_ROWS = 24    /* with panels of one: 24 sums; 25 loads, but two per cycle are possible */
};

typedef __m512 vec;

static inline vec v_zero(void) {
    return _mm512_setzero_ps();
}
static inline vec v_set(float value) {
    return _mm512_set1_ps(value);
}
static inline vec v_broadcast(const float *from) {
    return _mm512_set1_ps(*from);
}
static inline vec v_load(const float *from) {
    return _mm512_loadu_ps(from);
}
static inline void v_store(float *to, vec v) {
    _mm512_storeu_ps(to, v);
}
/* Non-temporal store; `to` is aligned to the vector's size. */
static inline void v_stream(float *to, vec v) {
    _mm512_stream_ps(to, v);
}
static inline void v_fence(void) {
    _mm_sfence();
}
/* The first count lanes, 0 <= count < LANES; the others are 0, and their memory is not touched. */
static inline vec v_load_part(const float *from, int64_t count) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
}
static inline void v_store_part(float *to, vec v, int64_t count) {
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), v);
}
static inline vec v_add(vec a, vec b) {
    return _mm512_add_ps(a, b);
}
static inline vec v_sub(vec a, vec b) {
    return _mm512_sub_ps(a, b);
}
static inline vec v_mul(vec a, vec b) {
    return _mm512_mul_ps(a, b);
}
static inline vec v_div(vec a, vec b) {
    return _mm512_div_ps(a, b);
}
static inline vec v_sqrt(vec a) {
    return _mm512_sqrt_ps(a);
}
/* a * b + c, rounded once */
static inline vec v_fma(vec a, vec b, vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
/* min(max(a, 0), 6); NaN stays, since the instruction then returns its second operand */
static inline vec v_clip(vec a) {
    return _mm512_min_ps(_mm512_set1_ps(6), _mm512_max_ps(_mm512_setzero_ps(), a));
}
/* The same for a number that will be rounded to bfloat16: what is below 6 stays below. */
static inline vec v_clip_bfloat16(vec a) {
    const vec high = _mm512_set1_ps(6), v = _mm512_max_ps(_mm512_setzero_ps(), a);
    return _mm512_mask_min_ps(high, _mm512_cmp_ps_mask(v, high, _CMP_NGE_UQ),
                              _mm512_set1_ps(5.96875f), v);
}
/* v, which the compiler must load here, instead of keeping it in a register across an earlier
 * loop. */
static inline vec v_here(vec v) {
#ifdef __AVX512F__ /* the software emulation (tests/port) has no such register */
    __asm__ volatile("" : "+v"(v));
#endif
    return v;
}
/* a where low < y < high, else 0 (also where y is NaN) */
static inline vec v_pass(vec a, vec y, vec low, vec high) {
    const __mmask16 above = _mm512_cmp_ps_mask(y, low, _CMP_GT_OQ);
    return _mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(above, y, high, _CMP_LT_OQ), a);
}
/* --- bfloat16 in memory: the upper halves of floats ------------------------------------------- */

static inline vec v_widen(__m256i halves) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
static inline vec v_load_bfloat16(const uint16_t *from) {
    return v_widen(_mm256_loadu_si256((const __m256i *)(const void *)from));
}
static inline vec v_load_part_bfloat16(const uint16_t *from, int64_t count) {
    return v_widen(_mm256_maskz_loadu_epi16((__mmask16)((1u << count) - 1), from));
}
#ifndef ANI_NATIVE_BFLOAT16 /* AVX-512-BF16 has instructions for these */
/* Round to bfloat16: to nearest, ties to even; NaN stays NaN. */
static inline vec v_round_bfloat16(vec v) {
    const __m512i bits = _mm512_castps_si512(v), upper = _mm512_set1_epi32(-65536);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    const __m512i any = _mm512_mask_or_epi32(sum, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), bits,
                                             _mm512_set1_epi32(0x400000));
    return _mm512_castsi512_ps(_mm512_and_si512(any, upper));
}
static inline __m256i v_halves(vec rounded) {
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(rounded), 16));
}
/* These take rounded numbers. */
static inline void v_store_bfloat16(uint16_t *to, vec rounded) {
    _mm256_storeu_si256((__m256i *)(void *)to, v_halves(rounded));
}
static inline void v_store_part_bfloat16(uint16_t *to, vec rounded, int64_t count) {
    _mm256_mask_storeu_epi16(to, (__mmask16)((1u << count) - 1), v_halves(rounded));
}
#endif

/* sum[0..LANES) += a, in double */
static inline void v_add_double(double *sum, vec a) {
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(a));
    const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1));
    _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), low));
    _mm512_storeu_pd(sum + 8, _mm512_add_pd(_mm512_loadu_pd(sum + 8), high));
}

#endif
