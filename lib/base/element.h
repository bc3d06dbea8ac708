/* SPDX-License-Identifier: MIT
 * The element of a large tensor in memory: float, or bfloat16, which is its upper half: 8 bits of
 * exponent, as in float, and 8 bits of precision. Arithmetic is always in float; bfloat16 is a
 * storage format. */
#ifndef BASE_ELEMENT_H
#define BASE_ELEMENT_H

#include <stdint.h>
#include <string.h>

enum { ANI_FLOAT32 = 0, ANI_BFLOAT16 = 1, ANI_ELEMENTS };

/** Bytes of an element. */
static inline int64_t ani_element_size(int32_t element) {
    return element == ANI_BFLOAT16 ? 2 : 4;
}

/** Return the address of element i of a tensor; NULL stays NULL. */
static inline const void *ani_element_at(const void *tensor, int32_t element, int64_t i) {
    return tensor ? (const char *)tensor + i * ani_element_size(element) : NULL;
}

/** The same for a tensor that is written to. */
static inline void *ani_element_of(void *tensor, int32_t element, int64_t i) {
    return tensor ? (char *)tensor + i * ani_element_size(element) : NULL;
}

/** Convert to float, which is exact. */
static inline float ani_from_bfloat16(uint16_t value) {
    const uint32_t bits = (uint32_t)value << 16;
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/** The same from IEEE half precision: 5 bits of exponent, 11 of precision. */
static inline float ani_from_half(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu, mantissa = half & 0x3ffu, bits;
    float value;
    if (exponent == 31) {
        bits = sign | 0x7f800000u | (mantissa << 13);
    } else if (exponent) {
        bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
    } else if (mantissa) { /* denormal: shift up to the hidden bit */
        exponent = 113;
        while (!(mantissa & 0x400u)) {
            mantissa <<= 1;
            exponent--;
        }
        bits = sign | (exponent << 23) | ((mantissa & 0x3ffu) << 13);
    } else {
        bits = sign;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

/** Round to nearest, ties to even. Values that are too large become infinity; NaN becomes a quiet
 * NaN with the same sign and as much of its payload as fits. */
static inline uint16_t ani_to_bfloat16(float number) {
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/** Return the largest number below 6, the upper end of the activations. */
static inline float ani_below_six(int32_t element) {
    return element == ANI_BFLOAT16 ? 0x1.7ep+2f : 0x1.7ffffep+2f;
}

#endif
