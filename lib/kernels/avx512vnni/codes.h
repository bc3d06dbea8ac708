/* SPDX-License-Identifier: MIT
 * Integer vectors of AVX-512 for simd/infer_int8.h: 16 int32, or 64 bytes in four parts of 16. */
#ifndef KERNELS_AVX512VNNI_CODES_H
#define KERNELS_AVX512VNNI_CODES_H

#include "kernels/avx512/vec.h"

/* Register tiles of simd/infer_int8.h. */
enum { BYTES_ROWS_1 = 14, BYTES_ROWS_2 = 12 };
#define ANI_MAX_BYTES_VECTORS 2

typedef __m512i ivec;

static inline ivec i_zero(void) {
    return _mm512_setzero_si512();
}
static inline ivec i_load(const void *from) {
    return _mm512_loadu_si512(from);
}
static inline __m128i i_part(const void *from) {
    return _mm_loadu_si128((const __m128i *)from);
}
/* The same 4 or 16 bytes all over. */
static inline ivec i_repeat_4(const uint8_t *from) {
    int32_t bytes;
    __builtin_memcpy(&bytes, from, sizeof bytes);
    return _mm512_set1_epi32(bytes);
}
static inline ivec i_repeat_16(const void *from) {
    return _mm512_broadcast_i32x4(i_part(from));
}
/* Four pixels of 16 bytes, `stride` pixels apart. */
static inline ivec i_columns(const uint8_t *from, int stride) {
    if (stride == 1) return i_load(from);
    ivec all = _mm512_castsi128_si512(i_part(from));
    all = _mm512_inserti32x4(all, i_part(from + 32), 1);
    all = _mm512_inserti32x4(all, i_part(from + 64), 2);
    return _mm512_inserti32x4(all, i_part(from + 96), 3);
}
/* Interleave bytes or pairs of them: the lower or the upper halves of each part of 16 bytes. */
static inline ivec i_low_8(ivec a, ivec b) {
    return _mm512_unpacklo_epi8(a, b);
}
static inline ivec i_high_8(ivec a, ivec b) {
    return _mm512_unpackhi_epi8(a, b);
}
static inline ivec i_low_16(ivec a, ivec b) {
    return _mm512_unpacklo_epi16(a, b);
}
static inline ivec i_high_16(ivec a, ivec b) {
    return _mm512_unpackhi_epi16(a, b);
}
/* sum + the products of 4 unsigned with 4 signed bytes. By name: gcc 12 copies the sum before and
 * after the intrinsic, which takes twice as long. */
static inline ivec i_dot(ivec sum, ivec a, ivec b) {
#ifdef __AVX512VNNI__
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "vm"(b));
    return sum;
#else /* software that stands in for it (tests/port) */
    return _mm512_dpbusd_epi32(sum, a, b);
#endif
}
static inline vec v_of_ints(ivec a) {
    return _mm512_cvtepi32_ps(a);
}
static inline vec v_of_bits(ivec a) {
    return _mm512_castsi512_ps(a);
}
static inline vec v_of_codes(const uint8_t *from) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(i_part(from)));
}
/* To even; what is too large for int32, and NaN, becomes the smallest int32. */
static inline ivec v_round(vec a) {
    return _mm512_cvtps_epi32(a);
}
/* min(a, 255); NaN stays */
static inline vec v_cut(vec a) {
    return _mm512_min_ps(_mm512_set1_ps(255), a);
}
/* Store 16 numbers, or twice as many, cut to 0..255. */
static inline void i_store_one(uint8_t *to, ivec a) {
    const ivec positive = _mm512_max_epi32(a, _mm512_setzero_si512());
    _mm_storeu_si128((__m128i *)(void *)to, _mm512_cvtusepi32_epi8(positive));
}
static inline void i_store_two(uint8_t *to, ivec a, ivec b) {
    i_store_one(to, a);
    i_store_one(to + 16, b);
}
/* Store, part by part, four numbers of each vector cut to 0..255. */
static inline void i_store_parts(uint8_t *to, ivec a, ivec b, ivec c, ivec d) {
    _mm512_storeu_si512(to,
                        _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d)));
}

#endif
