/* SPDX-License-Identifier: MIT
 * Intrinsics of AVX-512 for processors without: SIMDe's, and those that SIMDe 0.7.4 lacks. Stands
 * before the compiler's header; only the levels whose names begin with avx512 are
 * compiled with ANI_EMULATE_AVX512. */
#include_next <immintrin.h>

#if defined(ANI_EMULATE_AVX512) && !defined(PORT_EMULATED_IMMINTRIN_H)
#define PORT_EMULATED_IMMINTRIN_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512/add.h>
#include <simde/x86/avx512/and.h>
#include <simde/x86/avx512/broadcast.h>
#include <simde/x86/avx512/cast.h>
#include <simde/x86/avx512/cmp.h>
#include <simde/x86/avx512/cvt.h>
#include <simde/x86/avx512/div.h>
#include <simde/x86/avx512/extract.h>
#include <simde/x86/avx512/fmadd.h>
#include <simde/x86/avx512/insert.h>
#include <simde/x86/avx512/loadu.h>
#include <simde/x86/avx512/max.h>
#include <simde/x86/avx512/min.h>
#include <simde/x86/avx512/mov.h>
#include <simde/x86/avx512/mul.h>
#include <simde/x86/avx512/or.h>
#include <simde/x86/avx512/packs.h>
#include <simde/x86/avx512/packus.h>
#include <simde/x86/avx512/permutexvar.h>
#include <simde/x86/avx512/set.h>
#include <simde/x86/avx512/set1.h>
#include <simde/x86/avx512/setzero.h>
#include <simde/x86/avx512/slli.h>
#include <simde/x86/avx512/sqrt.h>
#include <simde/x86/avx512/srli.h>
#include <simde/x86/avx512/storeu.h>
#include <simde/x86/avx512/sub.h>
#include <simde/x86/avx512/unpackhi.h>
#include <simde/x86/avx512/unpacklo.h>

/* The instruction does not saturate. */
static inline simde__m512i emulated_dpbusd_epi32(simde__m512i sum, simde__m512i a, simde__m512i b) {
    int32_t sums[16];
    uint8_t x[64];
    int8_t y[64];
    simde_mm512_storeu_si512(sums, sum);
    simde_mm512_storeu_si512(x, a);
    simde_mm512_storeu_si512(y, b);
    for (int i = 0; i < 64; i++)
        sums[i / 4] += x[i] * y[i];
    return simde_mm512_loadu_si512(sums);
}
#define _mm512_dpbusd_epi32 emulated_dpbusd_epi32

static inline simde__m512 emulated_cvtepi32_ps(simde__m512i a) {
    simde__m256i x[2];
    simde__m256 y[2];
    simde_mm512_storeu_si512(x, a);
    for (int i = 0; i < 2; i++)
        y[i] = simde_mm256_cvtepi32_ps(x[i]);
    return simde_mm512_loadu_ps(y);
}
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps

static inline simde__m512i emulated_cvtps_epi32(simde__m512 a) {
    simde__m256 x[2];
    simde__m256i y[2];
    simde_mm512_storeu_ps(x, a);
    for (int i = 0; i < 2; i++)
        y[i] = simde_mm256_cvtps_epi32(x[i]);
    return simde_mm512_loadu_si512(y);
}
#define _mm512_cvtps_epi32 emulated_cvtps_epi32

static inline simde__m512i emulated_cvtepu8_epi32(simde__m128i a) {
    const simde__m256i y[2] = {simde_mm256_cvtepu8_epi32(a),
                               simde_mm256_cvtepu8_epi32(simde_mm_srli_si128(a, 8))};
    return simde_mm512_loadu_si512(y);
}
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32

static inline simde__m128i emulated_cvtusepi32_epi8(simde__m512i a) {
    uint32_t x[16];
    uint8_t y[16];
    simde_mm512_storeu_si512(x, a);
    for (int i = 0; i < 16; i++)
        y[i] = (uint8_t)(x[i] < 255 ? x[i] : 255);
    return simde_mm_loadu_si128((const simde__m128i *)(const void *)y);
}
#define _mm512_cvtusepi32_epi8 emulated_cvtusepi32_epi8

static inline void emulated_stream_ps(void *to, simde__m512 v) {
    if ((uintptr_t)to % 64) __builtin_trap(); /* as the processor does */
    simde_mm512_storeu_ps(to, v);
}
#define _mm512_stream_ps emulated_stream_ps

/* Lanes that are not chosen are not touched in memory. */
static inline simde__m512 emulated_maskz_loadu_ps(simde__mmask16 mask, const void *from) {
    float lanes[16] = {0};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) lanes[i] = ((const float *)from)[i];
    return simde_mm512_loadu_ps(lanes);
}
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps

static inline void emulated_mask_storeu_ps(void *to, simde__mmask16 mask, simde__m512 v) {
    float lanes[16];
    simde_mm512_storeu_ps(lanes, v);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) ((float *)to)[i] = lanes[i];
}
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps

#define _mm512_mask_cmp_ps_mask(mask, a, b, predicate)                                             \
    ((simde__mmask16)((mask)&simde_mm512_cmp_ps_mask(a, b, predicate)))

static inline simde__m512d emulated_cvtps_pd(simde__m256 a) {
    float from[8];
    double to[8];
    simde_mm256_storeu_ps(from, a);
    for (int i = 0; i < 8; i++)
        to[i] = from[i];
    return simde_mm512_loadu_pd(to);
}
#define _mm512_cvtps_pd emulated_cvtps_pd

static inline simde__m256 emulated_extractf32x8_ps(simde__m512 a, int half) {
    float lanes[16];
    simde_mm512_storeu_ps(lanes, a);
    return simde_mm256_loadu_ps(lanes + 8 * half);
}
#define _mm512_extractf32x8_ps emulated_extractf32x8_ps

static inline simde__m512i emulated_cvtepu16_epi32(simde__m256i a) {
    uint16_t from[16];
    uint32_t to[16];
    simde_mm256_storeu_si256((simde__m256i *)(void *)from, a);
    for (int i = 0; i < 16; i++)
        to[i] = from[i];
    return simde_mm512_loadu_si512(to);
}
#define _mm512_cvtepu16_epi32 emulated_cvtepu16_epi32

static inline simde__m256i emulated_cvtepi32_epi16(simde__m512i a) {
    uint32_t from[16];
    uint16_t to[16];
    simde_mm512_storeu_si512(from, a);
    for (int i = 0; i < 16; i++)
        to[i] = (uint16_t)from[i];
    return simde_mm256_loadu_si256((const simde__m256i *)(const void *)to);
}
#define _mm512_cvtepi32_epi16 emulated_cvtepi32_epi16

static inline simde__m256i emulated_maskz_loadu_epi16(simde__mmask16 mask, const void *from) {
    uint16_t lanes[16] = {0};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) lanes[i] = ((const uint16_t *)from)[i];
    return simde_mm256_loadu_si256((const simde__m256i *)(const void *)lanes);
}
#define _mm256_maskz_loadu_epi16 emulated_maskz_loadu_epi16

static inline void emulated_mask_storeu_epi16(void *to, simde__mmask16 mask, simde__m256i v) {
    uint16_t lanes[16];
    simde_mm256_storeu_si256((simde__m256i *)(void *)lanes, v);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) ((uint16_t *)to)[i] = lanes[i];
}
#define _mm256_mask_storeu_epi16 emulated_mask_storeu_epi16

static inline simde__m128i emulated_maskz_loadu_epi8(simde__mmask16 mask, const void *from) {
    uint8_t lanes[16] = {0};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) lanes[i] = ((const uint8_t *)from)[i];
    return simde_mm_loadu_si128(lanes);
}
#define _mm_maskz_loadu_epi8 emulated_maskz_loadu_epi8

static inline void emulated_mask_storeu_epi8(void *to, simde__mmask16 mask, simde__m128i v) {
    uint8_t lanes[16];
    simde_mm_storeu_si128(lanes, v);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) ((uint8_t *)to)[i] = lanes[i];
}
#define _mm_mask_storeu_epi8 emulated_mask_storeu_epi8

/* Two parts of four from each. */
static inline simde__m512 emulated_shuffle_f32x4(simde__m512 a, simde__m512 b, int parts) {
    float from[2][16], to[16];
    simde_mm512_storeu_ps(from[0], a);
    simde_mm512_storeu_ps(from[1], b);
    for (int i = 0; i < 16; i++)
        to[i] = from[i / 8][(parts >> i / 4 * 2 & 3) * 4 + i % 4];
    return simde_mm512_loadu_ps(to);
}
#define _mm512_shuffle_f32x4 emulated_shuffle_f32x4

/* --- AVX-512-BF16 ----------------------------------------------------------------------------- */

/* As the manual says: denormal inputs and sums count as zero; in each lane the upper halves come
 * first, with a fused multiply-add each. */

#undef _mm512_dpbf16_ps
#undef __m512bh
#define __m512bh simde__m512i

static inline float emulated_flush(float number) {
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    if (!(bits & 0x7f800000u)) bits &= 0x80000000u;
    memcpy(&number, &bits, sizeof bits);
    return number;
}

static inline float emulated_half(uint32_t upper) {
    float number;
    memcpy(&number, &upper, sizeof number);
    return emulated_flush(number);
}

static inline simde__m512 emulated_dpbf16_ps(simde__m512 sum, simde__m512i a, simde__m512i b) {
    uint32_t x[16], y[16];
    float sums[16];
    simde_mm512_storeu_si512(x, a);
    simde_mm512_storeu_si512(y, b);
    simde_mm512_storeu_ps(sums, sum);
    for (int i = 0; i < 16; i++) {
        const float high = fmaf(emulated_half(x[i] & 0xffff0000u),
                                emulated_half(y[i] & 0xffff0000u), emulated_flush(sums[i]));
        sums[i] = emulated_flush(
            fmaf(emulated_half(x[i] << 16), emulated_half(y[i] << 16), emulated_flush(high)));
    }
    return simde_mm512_loadu_ps(sums);
}
#define _mm512_dpbf16_ps emulated_dpbf16_ps

static inline uint16_t emulated_cvtne_bf16(float number) {
    uint32_t bits;
    number = emulated_flush(number);
    memcpy(&bits, &number, sizeof bits);
    if (number != number) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static inline simde__m512i emulated_cvtne2ps_pbh(simde__m512 upper, simde__m512 lower) {
    float from[32];
    uint16_t to[32];
    simde_mm512_storeu_ps(from, lower);
    simde_mm512_storeu_ps(from + 16, upper);
    for (int i = 0; i < 32; i++)
        to[i] = emulated_cvtne_bf16(from[i]);
    return simde_mm512_loadu_si512(to);
}
#define _mm512_cvtne2ps_pbh emulated_cvtne2ps_pbh

static inline simde__m256i emulated_cvtneps_pbh(simde__m512 a) {
    float from[16];
    uint16_t to[16];
    simde_mm512_storeu_ps(from, a);
    for (int i = 0; i < 16; i++)
        to[i] = emulated_cvtne_bf16(from[i]);
    return simde_mm256_loadu_si256(to);
}
#define _mm512_cvtneps_pbh emulated_cvtneps_pbh

#endif
