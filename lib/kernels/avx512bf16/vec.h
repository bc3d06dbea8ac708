/* SPDX-License-Identifier: MIT
 * What AVX-512-BF16 adds to the vector of AVX-512: pairs of bfloat16 and their products. A vector
 * of pairs is a vec whose bits only these functions read. */
#ifndef KERNELS_AVX512BF16_VEC_H
#define KERNELS_AVX512BF16_VEC_H

#define ANI_NATIVE_BFLOAT16
#include "kernels/avx512/vec.h"

/* Round to bfloat16: to nearest, ties to even; NaN stays NaN. Subnormal numbers become 0. */
static inline __m256i v_halves(vec v) {
    return (__m256i)_mm512_cvtneps_pbh(v);
}
static inline vec v_round_bfloat16(vec v) {
    return v_widen(v_halves(v));
}
static inline void v_store_bfloat16(uint16_t *to, vec rounded) {
    _mm256_storeu_si256((__m256i *)(void *)to, v_halves(rounded));
}
static inline void v_store_part_bfloat16(uint16_t *to, vec rounded, int64_t count) {
    _mm256_mask_storeu_epi16(to, (__mmask16)((1u << count) - 1), v_halves(rounded));
}
/* Round and store. */
static inline void v_to_bfloat16(uint16_t *to, vec v) {
    v_store_bfloat16(to, v);
}
static inline void v_to_bfloat16_two(uint16_t *to, vec first, vec second) {
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}
/* sum + a.low * b.low + a.high * b.high in each lane */
static inline vec v_dot_pairs(vec a, vec b, vec sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}
/* Pairs of neighbours from 2 * LANES numbers. */
static inline vec v_pair_columns(vec low, vec high) {
    return (vec)_mm512_cvtne2ps_pbh(high, low);
}
/* Pairs of the lanes of two vectors. */
static inline vec v_pair_rows(vec even, vec odd) {
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return (vec)_mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(odd, even));
}
/* Pairs of 2 * LANES bfloat16 of two rows, in order. */
static inline void v_interleave(float *out, const uint16_t *even, const uint16_t *odd) {
    const __m512i a = _mm512_loadu_si512(even), b = _mm512_loadu_si512(odd);
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40,
                                         8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high =
        _mm512_set_epi16(63, 31, 62, 30, 61, 29, 60, 28, 59, 27, 58, 26, 57, 25, 56, 24, 55, 23, 54,
                         22, 53, 21, 52, 20, 51, 19, 50, 18, 49, 17, 48, 16);
    _mm512_storeu_si512(out, _mm512_permutex2var_epi16(a, low, b));
    _mm512_storeu_si512(out + LANES, _mm512_permutex2var_epi16(a, high, b));
}
/* The same for count <= LANES of them; odd NULL: zeros. */
static inline void v_interleave_part(float *out, const uint16_t *even, const uint16_t *odd,
                                     int64_t count) {
    const __mmask16 lanes = (__mmask16)((1u << count) - 1);
    const __m512i a = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, even));
    const __m512i b =
        odd ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, odd)) : _mm512_setzero_si512();
    _mm512_mask_storeu_epi32(out, lanes, _mm512_or_si512(a, _mm512_slli_epi32(b, 16)));
}
/* Pairs of the lower or the upper four of each eight of 2 * LANES halves. */
static inline vec v_unpack_low(vec even, vec odd) {
    return (vec)_mm512_unpacklo_epi16((__m512i)even, (__m512i)odd);
}
static inline vec v_unpack_high(vec even, vec odd) {
    return (vec)_mm512_unpackhi_epi16((__m512i)even, (__m512i)odd);
}
/* The same selection from 2 * LANES floats. */
static inline vec v_unpacked(vec low, vec high, int upper) {
    return upper ? _mm512_shuffle_f32x4(low, high, 0xdd) : _mm512_shuffle_f32x4(low, high, 0x88);
}
/* Round both selections and put them in order. */
static inline vec v_join_unpacked(vec low, vec high) {
    const __m512i order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    return (vec)_mm512_permutexvar_epi64(order, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

#endif
