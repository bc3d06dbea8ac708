/* SPDX-License-Identifier: MIT
 * Integer vectors of AVX-512 for simd/infer_int8.h: 16 int32, or 64 bytes in four parts of 16. */
#ifndef KERNELS_AVX512VNNI_CODES_H
#define KERNELS_AVX512VNNI_CODES_H

#include "kernels/avx512/vec.h"

/* Blocks of simd/infer_int8.h, and the rows of its register tiles for each number of vectors: with
 * two, a load serves two dot products. */
enum { BYTES_PARTS = 2 };
#define ANI_BYTES_TILES(tile) tile(1, 14) tile(2, 12) tile(3, 8)

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
/* The same 4 bytes in every lane. */
static inline ivec i_repeat_4(const uint8_t *from) {
    int32_t bytes;
    __builtin_memcpy(&bytes, from, sizeof bytes);
    return _mm512_set1_epi32(bytes);
}
/* 16 bytes for each part of a block, `apart` bytes apart, repeated for each column. */
static inline ivec i_parts(const void *from, int64_t apart) {
    const __m256i first = _mm256_castsi128_si256(i_part(from));
    return _mm512_broadcast_i64x4(
        _mm256_inserti128_si256(first, i_part((const uint8_t *)from + apart), 1));
}
static inline __m256i i_pixel(const void *from) {
    return _mm256_loadu_si256((const __m256i *)from);
}
/* The pixels of a block in two columns, `stride` pixels apart. */
static inline ivec i_columns(const uint8_t *from, int stride) {
    if (stride == 1) return i_load(from);
    return _mm512_inserti64x4(_mm512_castsi256_si512(i_pixel(from)), i_pixel(from + 64), 1);
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
/* sum + the products of 4 unsigned with 4 signed bytes. Inline assembly: gcc 12 copies the sum
 * before and after the intrinsic, which takes twice as long. */
static inline ivec i_dot(ivec sum, ivec a, ivec b) {
#ifdef __AVX512VNNI__
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "vm"(b));
    return sum;
#else /* the software emulation (tests/port) */
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
/* The first count codes, 0 < count < LANES. */
static inline vec v_of_part_codes(const uint8_t *from, int64_t count) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8((__mmask16)((1u << count) - 1), from)));
}
/* Ties to even; values too large for int32, and NaN, become the smallest int32. */
static inline ivec v_round(vec a) {
    return _mm512_cvtps_epi32(a);
}
/* min(a, 255); NaN stays */
static inline vec v_cut(vec a) {
    return _mm512_min_ps(_mm512_set1_ps(255), a);
}
static inline __m128i i_bytes(ivec a) {
    return _mm512_cvtusepi32_epi8(_mm512_max_epi32(a, _mm512_setzero_si512()));
}
/* Store 16 numbers, or twice as many, or the first count, clamped to 0..255. */
static inline void i_store_one(uint8_t *to, ivec a) {
    _mm_storeu_si128((__m128i *)(void *)to, i_bytes(a));
}
static inline void i_store_two(uint8_t *to, ivec a, ivec b) {
    i_store_one(to, a);
    i_store_one(to + 16, b);
}
static inline void i_store_part(uint8_t *to, ivec a, int64_t count) {
    _mm_mask_storeu_epi8(to, (__mmask16)((1u << count) - 1), i_bytes(a));
}
/* Two rows of two vectors, y_row apart. */
static inline void i_store_square(uint8_t *to, int64_t y_row, const ivec *a, const ivec *b) {
    const ivec order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const ivec words = _mm512_packs_epi32(a[0], a[1]), more = _mm512_packs_epi32(b[0], b[1]);
    const ivec bytes = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(words, more));
    _mm256_storeu_si256((__m256i *)(void *)to, _mm512_castsi512_si256(bytes));
    _mm256_storeu_si256((__m256i *)(void *)(to + y_row), _mm512_extracti64x4_epi64(bytes, 1));
}
/* Store, part by part, four numbers of each vector clamped to 0..255. */
static inline void i_store_parts(uint8_t *to, ivec a, ivec b, ivec c, ivec d) {
    _mm512_storeu_si512(to,
                        _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d)));
}

#endif
