/* SPDX-License-Identifier: MIT
 * Intrinsics of AVX-512 for processors without: SIMDe's, and those that SIMDe 0.7.4 lacks. Stands
 * before the compiler's header; only the level avx512 is compiled with ANI_EMULATE_AVX512. */
#include_next <immintrin.h>

#if defined(ANI_EMULATE_AVX512) && !defined(PORT_EMULATED_IMMINTRIN_H)
#define PORT_EMULATED_IMMINTRIN_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512/add.h>
#include <simde/x86/avx512/and.h>
#include <simde/x86/avx512/broadcast.h>
#include <simde/x86/avx512/cast.h>
#include <simde/x86/avx512/cmp.h>
#include <simde/x86/avx512/cvt.h>
#include <simde/x86/avx512/div.h>
#include <simde/x86/avx512/fmadd.h>
#include <simde/x86/avx512/insert.h>
#include <simde/x86/avx512/loadu.h>
#include <simde/x86/avx512/madd.h>
#include <simde/x86/avx512/maddubs.h>
#include <simde/x86/avx512/max.h>
#include <simde/x86/avx512/min.h>
#include <simde/x86/avx512/mov.h>
#include <simde/x86/avx512/mul.h>
#include <simde/x86/avx512/or.h>
#include <simde/x86/avx512/packs.h>
#include <simde/x86/avx512/packus.h>
#include <simde/x86/avx512/set1.h>
#include <simde/x86/avx512/setzero.h>
#include <simde/x86/avx512/slli.h>
#include <simde/x86/avx512/sqrt.h>
#include <simde/x86/avx512/srli.h>
#include <simde/x86/avx512/storeu.h>
#include <simde/x86/avx512/sub.h>
#include <simde/x86/avx512/unpackhi.h>
#include <simde/x86/avx512/unpacklo.h>

/* SIMDe 0.7.4 gives this name to the masked form, and has no plain one. */
#undef _mm512_madd_epi16
static inline simde__m512i emulated_madd_epi16(simde__m512i a, simde__m512i b) {
    simde__m256i x[2], y[2];
    simde_mm512_storeu_si512(x, a);
    simde_mm512_storeu_si512(y, b);
    for (int i = 0; i < 2; i++)
        x[i] = simde_mm256_madd_epi16(x[i], y[i]);
    return simde_mm512_loadu_si512(x);
}
#define _mm512_madd_epi16 emulated_madd_epi16

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

#endif
