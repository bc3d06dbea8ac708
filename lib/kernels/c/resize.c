/* SPDX-License-Identifier: MIT
 * Rows of a resize in plain C; see docs/numerics.md, section resize, for the order of rounding. */
#include "kernels/c/pixels.h"

/* The result, 255 * 2048 / 16 at most, fits 16 bits. Inlined with constants, so that the loop over
 * channels is unrolled. */
static inline void blend(int16_t *restrict out, const uint8_t *restrict src,
                         const ani_columns *columns, int64_t count, int32_t channels,
                         int32_t step) {
    for (int64_t x = 0; x < count; x++) {
        const uint8_t *left = src + columns->index[x], *right = left + step;
        const int32_t w0 = columns->weight[2 * x], w1 = columns->weight[2 * x + 1];
        for (int32_t c = 0; c < channels; c++)
            out[x * channels + c] = (int16_t)((left[c] * w0 + right[c] * w1) >> 4);
    }
}

void ani_c_blend_columns(int16_t *out, const uint8_t *src, int64_t size, const ani_columns *columns,
                         int64_t count, int32_t channels, int32_t step) {
    (void)size;
    if (step == 0)
        blend(out, src, columns, count, channels, 0);
    else if (channels == 1)
        blend(out, src, columns, count, 1, 1);
    else if (channels == 2)
        blend(out, src, columns, count, 2, 2);
    else if (channels == 3)
        blend(out, src, columns, count, 3, 3);
    else
        blend(out, src, columns, count, 4, 4);
}

/* Each product is truncated separately. Weights are not negative, so the sum needs no clamping at
 * 0, and the largest sum, 1020 + 2, gives 255. */
static inline void blend_part(uint8_t *restrict out, const int16_t *restrict upper,
                              const int16_t *restrict lower, int16_t w0, int16_t w1,
                              int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const int16_t a = (int16_t)((upper[i] * w0) >> 16);
        const int16_t b = (int16_t)((lower[i] * w1) >> 16);
        out[i] = (uint8_t)((int16_t)(a + b + 2) >> 2);
    }
}

void ani_c_blend_rows(uint8_t *out, const int16_t *upper, const int16_t *lower, int16_t w0,
                      int16_t w1, int64_t count) {
    enum { PART = 32 }; /* a constant count, so that compilers vectorise at -O2, too */
    int64_t i = 0;
    for (; i + PART <= count; i += PART)
        blend_part(out + i, upper + i, lower + i, w0, w1, PART);
    blend_part(out + i, upper + i, lower + i, w0, w1, count - i);
}

/* Halves are rounded up, except to even with two channels, which OpenCV's vector code leaves to its
 * scalar code. */
void ani_c_halve_row(uint8_t *out, const uint8_t *upper, const uint8_t *lower, int64_t count,
                     int32_t channels) {
    for (int64_t x = 0; x < count; x++)
        for (int32_t c = 0; c < channels; c++) {
            const int64_t left = 2 * x * channels + c, right = left + channels;
            const int32_t sum = upper[left] + upper[right] + lower[left] + lower[right];
            const int32_t half = channels == 2 ? 1 + (sum >> 2 & 1) : 2;
            *out++ = (uint8_t)((sum + half) >> 2);
        }
}

void ani_pixels_c(ani_pixels *table) {
    *table = (ani_pixels){.level = "c",
                          .blend_columns = ani_c_blend_columns,
                          .blend_rows = ani_c_blend_rows,
                          .halve_row = ani_c_halve_row,
                          .nv12_row = ani_c_nv12_row,
                          .yuyv_row = ani_c_yuyv_row,
                          .place = ani_c_place,
                          .sample = ani_c_sample,
                          .sample_values = ani_c_sample_values};
}
