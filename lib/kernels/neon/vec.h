/* SPDX-License-Identifier: MIT
 * The vector of Advanced SIMD on aarch64, for the templates in simd/: 4 floats, 32 registers. */
#ifndef KERNELS_NEON_VEC_H
#define KERNELS_NEON_VEC_H

#include <arm_neon.h>
#include <stdint.h>

enum {
    V_STREAMS = 0, /* v_stream is an ordinary store */
    LANES = 4,
    WIDE_ROWS = 8,    /* register tile with panels of 3 vectors: 24 sums, 3 operands */
    NARROW_ROWS = 12, /* with panels of 2 vectors: 24 sums, 2 operands */
    SLIM_ROWS = 0     /* no panels of one */
};

typedef float32x4_t vec;

static inline vec v_zero(void) {
    return vdupq_n_f32(0);
}
static inline vec v_set(float value) {
    return vdupq_n_f32(value);
}
static inline vec v_broadcast(const float *from) {
    return vld1q_dup_f32(from);
}
static inline vec v_load(const float *from) {
    return vld1q_f32(from);
}
static inline void v_store(float *to, vec v) {
    vst1q_f32(to, v);
}
/* Non-temporal stores do not pay here. */
static inline void v_stream(float *to, vec v) {
    vst1q_f32(to, v);
}
static inline void v_fence(void) {}
/* The first count lanes, 0 <= count < LANES; the others are 0, and their memory is not touched. */
static inline vec v_load_part(const float *from, int64_t count) {
    float lanes[LANES] = {0};
    for (int64_t i = 0; i < count; i++)
        lanes[i] = from[i];
    return vld1q_f32(lanes);
}
static inline void v_store_part(float *to, vec v, int64_t count) {
    float lanes[LANES];
    vst1q_f32(lanes, v);
    for (int64_t i = 0; i < count; i++)
        to[i] = lanes[i];
}
static inline vec v_add(vec a, vec b) {
    return vaddq_f32(a, b);
}
static inline vec v_sub(vec a, vec b) {
    return vsubq_f32(a, b);
}
static inline vec v_mul(vec a, vec b) {
    return vmulq_f32(a, b);
}
static inline vec v_div(vec a, vec b) {
    return vdivq_f32(a, b);
}
static inline vec v_sqrt(vec a) {
    return vsqrtq_f32(a);
}
/* a * b + c, rounded once */
static inline vec v_fma(vec a, vec b, vec c) {
    return vfmaq_f32(c, a, b);
}
/* min(max(a, 0), 6) by comparisons, which are false for NaN: it stays, as at the other ISA
 * levels */
static inline vec v_clip(vec a) {
    const vec low = vbslq_f32(vcltq_f32(a, v_zero()), v_zero(), a);
    return vbslq_f32(vcgtq_f32(low, v_set(6)), v_set(6), low);
}
/* The same for a number that will be rounded to bfloat16: what is below 6 stays below. */
static inline vec v_clip_bfloat16(vec a) {
    const vec v = v_clip(a), below = v_set(5.96875f);
    const uint32x4_t between = vandq_u32(vcgtq_f32(v, below), vcltq_f32(v, v_set(6)));
    return vbslq_f32(between, below, v);
}
/* v, which the compiler must load here, instead of keeping it in a register across an earlier
 * loop. */
static inline vec v_here(vec v) {
    __asm__ volatile("" : "+w"(v));
    return v;
}
/* a where low < y < high, else 0 (also where y is NaN) */
static inline vec v_pass(vec a, vec y, vec low, vec high) {
    const uint32x4_t inside = vandq_u32(vcgtq_f32(y, low), vcltq_f32(y, high));
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a), inside));
}
/* --- bfloat16 in memory: the upper halves of floats ------------------------------------------- */

static inline vec v_load_bfloat16(const uint16_t *from) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(from), 16));
}
/* Round to bfloat16: to nearest, ties to even; NaN stays NaN. */
static inline vec v_round_bfloat16(vec v) {
    const uint32x4_t bits = vreinterpretq_u32_f32(v);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t sum = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd);
    const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
    const uint32x4_t any = vbslq_u32(vceqq_f32(v, v), sum, quiet);
    return vreinterpretq_f32_u32(vandq_u32(any, vdupq_n_u32(0xffff0000u)));
}
/* The bfloat16 in the lower and in the upper half of each lane. */
static inline vec v_low_half(vec pairs) {
    return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(pairs), 16));
}
static inline vec v_high_half(vec pairs) {
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(pairs), vdupq_n_u32(0xffff0000u)));
}
/* These take rounded numbers. */
static inline void v_store_bfloat16(uint16_t *to, vec rounded) {
    vst1_u16(to, vshrn_n_u32(vreinterpretq_u32_f32(rounded), 16));
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
    vst1q_f64(sum, vaddq_f64(vld1q_f64(sum), vcvt_f64_f32(vget_low_f32(a))));
    vst1q_f64(sum + 2, vaddq_f64(vld1q_f64(sum + 2), vcvt_high_f64_f32(a)));
}

#endif
