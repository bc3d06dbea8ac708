/* SPDX-License-Identifier: MIT
 * Rows of YUV as RGB in plain C: OpenCV's integer formula for ITU-R BT.601 with Y from 16 to 235
 * (docs/numerics.md, section frames). */
#include "kernels/c/pixels.h"

enum {
    SHIFT = 20,
    HALF = 1 << (SHIFT - 1),
    Y_TO_ALL = 1220542,
    V_TO_R = 1673527,
    V_TO_G = -852492,
    U_TO_G = -409993,
    U_TO_B = 2116026
};

static inline uint8_t to_byte(int32_t value) {
    value >>= SHIFT;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* No sum exceeds 32 bits: the largest, for B, is 560e6. Inlined with constants: bytes between two
 * values of Y, from U to V, and between two values of U. */
static inline void convert(uint8_t *restrict out, const uint8_t *restrict luma,
                           const uint8_t *restrict chroma, int64_t count, int32_t y_step,
                           int32_t to_v, int32_t u_step) {
    for (int64_t i = 0; i < count; i += 2, chroma += u_step) {
        const int32_t u = chroma[0] - 128, v = chroma[to_v] - 128;
        const int32_t r = HALF + V_TO_R * v;
        const int32_t g = HALF + V_TO_G * v + U_TO_G * u;
        const int32_t b = HALF + U_TO_B * u;
        for (int k = 0; k < 2; k++, luma += y_step, out += 3) {
            const int32_t y = (*luma > 16 ? *luma - 16 : 0) * Y_TO_ALL;
            out[0] = to_byte(y + r);
            out[1] = to_byte(y + g);
            out[2] = to_byte(y + b);
        }
    }
}

void ani_c_nv12_row(uint8_t *out, const uint8_t *luma, const uint8_t *chroma, int64_t count) {
    convert(out, luma, chroma, count, 1, 1, 2);
}

void ani_c_yuyv_row(uint8_t *out, const uint8_t *src, int64_t count) {
    convert(out, src, src + 1, count, 2, 2, 4);
}
