/* SPDX-License-Identifier: MIT
 * Integer vectors of NEON for simd/infer_int8.h: 4 int32, or 16 bytes. */
#ifndef KERNELS_NEON_CODES_H
#define KERNELS_NEON_CODES_H

#include "kernels/neon/vec.h"

typedef int32x4_t ivec;

static inline ivec i_zero(void) {
    return vdupq_n_s32(0);
}
static inline ivec i_load(const void *from) {
    return vreinterpretq_s32_u8(vld1q_u8((const uint8_t *)from));
}
/* The same 4 bytes in every lane. */
static inline ivec i_repeat_4(const uint8_t *from) {
    int32_t bytes;
    __builtin_memcpy(&bytes, from, sizeof bytes);
    return vdupq_n_s32(bytes);
}
/* 16 bytes for each part of a block, `apart` bytes apart, repeated for each column. */
static inline ivec i_parts(const void *from, int64_t apart) {
    (void)apart; /* of one part */
    return i_load(from);
}
static inline ivec i_columns(const uint8_t *from, int stride) {
    (void)stride; /* of one column */
    return i_load(from);
}
/* Interleave bytes or pairs of them: the lower or the upper halves. */
static inline ivec i_low_8(ivec a, ivec b) {
    return vreinterpretq_s32_s8(vzip1q_s8(vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b)));
}
static inline ivec i_high_8(ivec a, ivec b) {
    return vreinterpretq_s32_s8(vzip2q_s8(vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b)));
}
static inline ivec i_low_16(ivec a, ivec b) {
    return vreinterpretq_s32_s16(vzip1q_s16(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b)));
}
static inline ivec i_high_16(ivec a, ivec b) {
    return vreinterpretq_s32_s16(vzip2q_s16(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b)));
}
/* sum + the products of 4 unsigned with 4 signed bytes; each fits into int16, and so do two */
static inline ivec i_dot(ivec sum, ivec a, ivec b) {
    const uint8x16_t codes = vreinterpretq_u8_s32(a);
    const int8x16_t weights = vreinterpretq_s8_s32(b);
    const int16x8_t low = vmulq_s16(vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(codes))),
                                    vmovl_s8(vget_low_s8(weights)));
    const int16x8_t high =
        vmulq_s16(vreinterpretq_s16_u16(vmovl_high_u8(codes)), vmovl_high_s8(weights));
    return vpadalq_s16(sum, vpaddq_s16(low, high));
}
static inline vec v_of_ints(ivec a) {
    return vcvtq_f32_s32(a);
}
static inline vec v_of_bits(ivec a) {
    return vreinterpretq_f32_s32(a);
}
static inline vec v_of_codes(const uint8_t *from) {
    const float codes[4] = {from[0], from[1], from[2], from[3]};
    return vld1q_f32(codes);
}
/* Ties to even; NaN becomes 0, and values that are too large the nearest int32. */
static inline ivec v_round(vec a) {
    return vcvtnq_s32_f32(a);
}
/* min(a, 255); NaN stays */
static inline vec v_cut(vec a) {
    return vminq_f32(a, vdupq_n_f32(255));
}
static inline uint8x8_t i_bytes(ivec a, ivec b) {
    return vqmovun_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)));
}
/* Store 8 or 4 numbers clamped to 0..255. */
static inline void i_store_two(uint8_t *to, ivec a, ivec b) {
    vst1_u8(to, i_bytes(a, b));
}
static inline void i_store_one(uint8_t *to, ivec a) {
    uint8_t bytes[8];
    vst1_u8(bytes, i_bytes(a, a));
    __builtin_memcpy(to, bytes, 4);
}
static inline void i_store_parts(uint8_t *to, ivec a, ivec b, ivec c, ivec d) {
    vst1q_u8(to, vcombine_u8(i_bytes(a, b), i_bytes(c, d)));
}

#include "kernels/simd/codes_parts.h"

#endif
