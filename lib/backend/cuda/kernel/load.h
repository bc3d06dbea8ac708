/* SPDX-License-Identifier: MIT
 * Loading and storing of activations and gradients: elements as float or bfloat16, vectors of them,
 * what backend.h calls lazy, and the sums in the same pass. Arithmetic is in float; all that reads
 * z as a lazy value, forward or for its mask, uses ani_lazy_value(), so that the bits agree. */
#ifndef BACKEND_CUDA_KERNEL_LOAD_H
#define BACKEND_CUDA_KERNEL_LOAD_H

#include "backend/cuda/kernel/kernel.h"

#include <math.h>

#include "backend/backend.h"

/** An element of a bfloat16 tensor. */
struct ani_bf16 {
    uint16_t bits;
};

/** ANI_FLOAT32 or ANI_BFLOAT16. */
template <typename T> struct ani_kind;
template <> struct ani_kind<float> {
    enum { element = ANI_FLOAT32 };
};
template <> struct ani_kind<ani_bf16> {
    enum { element = ANI_BFLOAT16 };
};

/* --- numbers ---------------------------------------------------------------------------------- */

ANI_DEVICE float ani_float_of_bits(uint32_t bits) {
#ifdef __CUDA_ARCH__
    return __uint_as_float(bits);
#else
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
#endif
}
ANI_DEVICE uint32_t ani_bits_of_float(float number) {
#ifdef __CUDA_ARCH__
    return __float_as_uint(number);
#else
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
#endif
}

/** Two numbers rounded to bfloat16 as ani_to_bfloat16() does, but for the bits of NaN; the first in
 * the lower half. */
ANI_DEVICE uint32_t ani_pack(float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32_t both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
#else
    uint32_t both = 0;
    for (int i = 0; i < 2; i++) {
        const uint32_t bits = ani_bits_of_float(i ? high : low);
        const uint32_t rounded = (bits & 0x7fffffffu) > 0x7f800000u
                                     ? (bits >> 16 | 0x40u)
                                     : ((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
        both |= (rounded & 0xffffu) << 16 * i;
    }
    return both;
#endif
}
ANI_DEVICE float ani_low(uint32_t both) {
    return ani_float_of_bits(both << 16);
}
ANI_DEVICE float ani_high(uint32_t both) {
    return ani_float_of_bits(both & 0xffff0000u);
}

ANI_DEVICE float ani_value(float element) {
    return element;
}
ANI_DEVICE float ani_value(ani_bf16 element) {
    return ani_float_of_bits((uint32_t)element.bits << 16);
}
ANI_DEVICE void ani_round(float &to, float value) {
    to = value;
}
ANI_DEVICE void ani_round(ani_bf16 &to, float value) {
    to.bits = (uint16_t)ani_pack(value, 0);
}
/** Round to an element. */
template <typename T> ANI_DEVICE T ani_element(float value) {
    T element;
    ani_round(element, value);
    return element;
}
/** The value that a stored element has. */
template <typename T> ANI_DEVICE float ani_stored(float value) {
    return ani_value(ani_element<T>(value));
}

/* --- vectors ---------------------------------------------------------------------------------- */

/** One access of SIZE bytes, aligned to SIZE. */
template <int SIZE> struct ani_word;
template <> struct ani_word<2> { typedef uint16_t type; };
template <> struct ani_word<4> { typedef uint32_t type; };
template <> struct ani_word<8> { typedef uint2 type; };
template <> struct ani_word<16> { typedef uint4 type; };

/** Load N elements, aligned to their size together, which is 2 to 16 bytes (N = 8 of float: two
 * accesses). */
template <int N> ANI_DEVICE void ani_load(float (&to)[N], const float *from) {
    enum { AT_ONCE = N > 4 ? 4 : N };
    typedef typename ani_word<AT_ONCE * 4>::type word;
    ANI_UNROLL
    for (int i = 0; i < N; i += AT_ONCE) {
        const word w = *reinterpret_cast<const word *>(from + i);
        uint32_t bits[AT_ONCE];
        memcpy(bits, &w, sizeof w);
        ANI_UNROLL
        for (int k = 0; k < AT_ONCE; k++)
            to[i + k] = ani_float_of_bits(bits[k]);
    }
}
template <int N> ANI_DEVICE void ani_load(float (&to)[N], const ani_bf16 *from) {
    typedef typename ani_word<N * 2>::type word;
    const word w = *reinterpret_cast<const word *>(from);
    uint32_t bits[N / 2 ? N / 2 : 1] = {0};
    memcpy(bits, &w, sizeof w);
    if (N == 1) to[0] = ani_low(bits[0]);
    ANI_UNROLL
    for (int i = 0; i + 1 < N; i += 2) {
        to[i] = ani_low(bits[i / 2]);
        to[i + 1] = ani_high(bits[i / 2]);
    }
}
/** Round and store N elements; alignment as ani_load(). */
template <int N> ANI_DEVICE void ani_save(float *to, const float (&from)[N]) {
    enum { AT_ONCE = N > 4 ? 4 : N };
    typedef typename ani_word<AT_ONCE * 4>::type word;
    ANI_UNROLL
    for (int i = 0; i < N; i += AT_ONCE) {
        uint32_t bits[AT_ONCE];
        ANI_UNROLL
        for (int k = 0; k < AT_ONCE; k++)
            bits[k] = ani_bits_of_float(from[i + k]);
        word w;
        memcpy(&w, bits, sizeof w);
        *reinterpret_cast<word *>(to + i) = w;
    }
}
template <int N> ANI_DEVICE void ani_save(ani_bf16 *to, const float (&from)[N]) {
    typedef typename ani_word<N * 2>::type word;
    uint32_t bits[N / 2 ? N / 2 : 1];
    if (N == 1) bits[0] = ani_pack(from[0], 0);
    ANI_UNROLL
    for (int i = 0; i + 1 < N; i += 2)
        bits[i / 2] = ani_pack(from[i], from[i + 1]);
    word w;
    memcpy(&w, bits, sizeof w);
    *reinterpret_cast<word *>(to) = w;
}

/* --- lazy values ------------------------------------------------------------------------------ */

/** min(max(value, 0), 6); NaN stays NaN. */
ANI_DEVICE float ani_clip(float value) {
    return value < 0 ? 0 : value > 6 ? 6 : value;
}

/** What a channel of an ani_lazy is loaded with; without a scale, 1 and 0, which change nothing. */
struct ani_affine {
    float scale, shift;
};
ANI_DEVICE ani_affine ani_affine_of(const ani_lazy &x, int64_t channel) {
    ani_affine affine = {1, 0};
    if (x.scale) {
        affine.scale = x.scale[channel];
        affine.shift = x.shift[channel];
    }
    return affine;
}
/** The value before the activation. */
ANI_DEVICE float ani_normalised(float z, const ani_affine &affine) {
    return fmaf(z, affine.scale, affine.shift);
}
ANI_DEVICE float ani_lazy_value(float z, const ani_affine &affine, bool relu6) {
    const float value = ani_normalised(z, affine);
    return relu6 ? ani_clip(value) : value;
}

/* --- gradients -------------------------------------------------------------------------------- */

/** What a channel of an ani_gradient is formed with. Where z is NULL, pass 0 for it. */
struct ani_slope {
    float a, b, c;
};
ANI_DEVICE ani_slope ani_slope_of(const ani_gradient &dz, int64_t channel) {
    ani_slope slope = {1, 0, 0};
    if (dz.a) slope.a = dz.a[channel];
    if (dz.z) {
        slope.b = dz.b[channel];
        slope.c = dz.c[channel];
    }
    return slope;
}
ANI_DEVICE float ani_dz(float g, float z, const ani_slope &slope) {
    return fmaf(slope.a, g, fmaf(slope.b, z, slope.c));
}

/** dx before it is rounded: mask * (value + add). z: of the unit's input x, which the mask is of;
 * add: 0 where there is none. */
ANI_DEVICE float ani_dx(float value, float add, float z, const ani_affine &affine, bool relu6) {
    if (!relu6) return value + add;
    const float y = ani_normalised(z, affine);
    return y > 0 && y < 6 ? value + add : 0;
}

#endif
