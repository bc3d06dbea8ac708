/* SPDX-License-Identifier: MIT
 * Integer vectors of AVX2 for simd/infer_int8.h: 8 int32, or 32 bytes in two parts of 16. */
#ifndef KERNELS_AVX2_CODES_H
#define KERNELS_AVX2_CODES_H

#include "kernels/avx2/vec.h"

typedef __m256i ivec;

static inline ivec i_zero(void) {
    return _mm256_setzero_si256();
}
static inline ivec i_load(const void *from) {
    return _mm256_loadu_si256((const __m256i *)from);
}
/* The same 4 bytes in every lane. */
static inline ivec i_repeat_4(const void *from) {
    return _mm256_castps_si256(_mm256_broadcast_ss((const float *)from));
}
/* 16 bytes for each part of a block, `apart` bytes apart, repeated for each column. */
static inline ivec i_parts(const void *from, int64_t apart) {
    (void)apart; /* of one part */
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)from));
}
/* The pixels of a block in two columns, `stride` pixels apart. */
static inline ivec i_columns(const uint8_t *from, int stride) {
    if (stride == 1) return i_load(from);
    return _mm256_loadu2_m128i((const __m128i *)(const void *)(from + 32),
                               (const __m128i *)(const void *)from);
}
/* Interleave bytes or pairs of them: the lower or the upper halves of each part of 16 bytes. */
static inline ivec i_low_8(ivec a, ivec b) {
    return _mm256_unpacklo_epi8(a, b);
}
static inline ivec i_high_8(ivec a, ivec b) {
    return _mm256_unpackhi_epi8(a, b);
}
static inline ivec i_low_16(ivec a, ivec b) {
    return _mm256_unpacklo_epi16(a, b);
}
static inline ivec i_high_16(ivec a, ivec b) {
    return _mm256_unpackhi_epi16(a, b);
}
/* sum + the products of 4 unsigned with 4 signed bytes; two of them fit into int16: see
 * ani_infer_product */
static inline ivec i_dot(ivec sum, ivec a, ivec b) {
    const ivec pairs = _mm256_maddubs_epi16(a, b);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
static inline vec v_of_ints(ivec a) {
    return _mm256_cvtepi32_ps(a);
}
static inline vec v_of_bits(ivec a) {
    return _mm256_castsi256_ps(a);
}
static inline vec v_of_codes(const uint8_t *from) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from)));
}
/* Ties to even; values too large for int32, and NaN, become the smallest int32. */
static inline ivec v_round(vec a) {
    return _mm256_cvtps_epi32(a);
}
/* min(a, 255); NaN stays */
static inline vec v_cut(vec a) {
    return _mm256_min_ps(_mm256_set1_ps(255), a);
}
/* Store 16 or 8 numbers clamped to 0..255. */
static inline void i_store_two(uint8_t *to, ivec a, ivec b) {
    const ivec words = _mm256_packs_epi32(a, b);
    const ivec ordered = _mm256_permute4x64_epi64(words, 0xd8);
    const __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
    _mm_storeu_si128((__m128i *)(void *)to, bytes);
}
static inline void i_store_one(uint8_t *to, ivec a) {
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    _mm_storel_epi64((__m128i *)(void *)to, _mm_packus_epi16(words, words));
}
/* Store, part by part, four numbers of each vector clamped to 0..255. */
static inline void i_store_parts(uint8_t *to, ivec a, ivec b, ivec c, ivec d) {
    const ivec bytes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    _mm256_storeu_si256((__m256i *)(void *)to, bytes);
}

#include "kernels/simd/codes_parts.h"

#endif
