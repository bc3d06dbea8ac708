/* SPDX-License-Identifier: MIT
 * Bilinear resize of 8-bit pixels. The order of roundings is OpenCV's (semantics in
 * docs/numerics.md, section resize): a row is interpolated to 4 + 15 - 4 bits, two such rows are
 * multiplied by their weights and cut to 10 bits each, and the sum is rounded to 8. A row of the
 * source is interpolated once, as the next row of the target mostly needs it again. */
#include "kernels/resize.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { WEIGHT_ONE = 2048 };

/* Where a target column or row reads: pixel index and index + 1, with weights of 11 bits. */
struct tap {
    int32_t index;
    int16_t weight[2];
};

static struct tap find_tap(int64_t at, int64_t dst_length, int64_t src_length) {
    const double scale = 1.0 / ((double)dst_length / (double)src_length);
    const float place = (float)(((double)at + 0.5) * scale - 0.5);
    const float whole = floorf(place);
    const float fraction = place - whole;
    return (struct tap){.index = (int32_t)whole,
                        .weight = {(int16_t)lrintf((1.0f - fraction) * WEIGHT_ONE),
                                   (int16_t)lrintf(fraction * WEIGHT_ONE)}};
}

/* Columns stop at the border. The last pixel is taken as the right one of a pair, so that index + 1
 * is never outside; a source of one column reads that one twice (its step is 0). */
static void find_columns(struct tap *taps, int64_t dst_width, int64_t src_width, int32_t channels) {
    const int32_t last = src_width > 1 ? (int32_t)src_width - 2 : 0;
    for (int64_t x = 0; x < dst_width; x++) {
        struct tap tap = find_tap(x, dst_width, src_width);
        if (tap.index < 0) tap = (struct tap){.index = 0, .weight = {WEIGHT_ONE, 0}};
        if (tap.index >= src_width - 1)
            tap = (struct tap){.index = last, .weight = {0, WEIGHT_ONE}};
        tap.index *= channels;
        taps[x] = tap;
    }
}

/* Interpolate along a row; the result, 255 * 2048 / 16 at most, fits 16 bits. */
static inline void blend_columns(int16_t *restrict out, const uint8_t *restrict src,
                                 const struct tap *restrict taps, int64_t width, int32_t channels,
                                 int32_t step) {
    for (int64_t x = 0; x < width; x++) {
        const uint8_t *left = src + taps[x].index, *right = left + step;
        const int32_t w0 = taps[x].weight[0], w1 = taps[x].weight[1];
        for (int32_t c = 0; c < channels; c++)
            out[x * channels + c] = (int16_t)((left[c] * w0 + right[c] * w1) >> 4);
    }
}

static void blend_row(int16_t *restrict out, const uint8_t *restrict src,
                      const struct tap *restrict taps, int64_t width, int32_t channels,
                      bool single) {
    switch (channels) { /* constants, so that the inner loop is unrolled */
    case 1:
        blend_columns(out, src, taps, width, 1, single ? 0 : 1);
        break;
    case 2:
        blend_columns(out, src, taps, width, 2, single ? 0 : 2);
        break;
    case 3:
        blend_columns(out, src, taps, width, 3, single ? 0 : 3);
        break;
    default:
        blend_columns(out, src, taps, width, 4, single ? 0 : 4);
        break;
    }
}

/* Interpolate between two rows. Each product is cut by itself; weights are not negative, so the sum
 * needs no clamp at 0, and 1020 + 2 is the largest sum: 255. */
static inline void blend_part(uint8_t *restrict out, const int16_t *restrict upper,
                              const int16_t *restrict lower, int16_t w0, int16_t w1,
                              int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const int16_t a = (int16_t)((upper[i] * w0) >> 16);
        const int16_t b = (int16_t)((lower[i] * w1) >> 16);
        out[i] = (uint8_t)((int16_t)(a + b + 2) >> 2);
    }
}

static void blend_rows(uint8_t *restrict out, const int16_t *restrict upper,
                       const int16_t *restrict lower, int16_t w0, int16_t w1, int64_t count) {
    enum { PART = 32 }; /* a constant count: then compilers use vectors at -O2, too */
    int64_t i = 0;
    for (; i + PART <= count; i += PART)
        blend_part(out + i, upper + i, lower + i, w0, w1, PART);
    blend_part(out + i, upper + i, lower + i, w0, w1, count - i);
}

/* Exactly half in both directions is the mean of four, as in OpenCV: a half is rounded up, but to
 * the even number if there are two channels, which OpenCV's vector code leaves to its plain code.
 */
static void halve(uint8_t *restrict dst, int64_t dst_height, int64_t dst_width,
                  const uint8_t *restrict src, int32_t channels) {
    const int64_t stride = 2 * dst_width * channels;
    for (int64_t y = 0; y < dst_height; y++) {
        const uint8_t *upper = src + 2 * y * stride, *lower = upper + stride;
        for (int64_t x = 0; x < dst_width; x++)
            for (int32_t c = 0; c < channels; c++) {
                const int64_t left = 2 * x * channels + c, right = left + channels;
                const int32_t sum = upper[left] + upper[right] + lower[left] + lower[right];
                const int32_t half = channels == 2 ? 1 + (sum >> 2 & 1) : 2;
                *dst++ = (uint8_t)((sum + half) >> 2);
            }
    }
}

int64_t ani_resize_u8_scratch(int64_t dst_width, int32_t channels) {
    return dst_width * ((int64_t)sizeof(struct tap) + 2 * channels * (int64_t)sizeof(int16_t));
}

void ani_resize_u8(uint8_t *restrict dst, int64_t dst_height, int64_t dst_width,
                   const uint8_t *restrict src, int64_t src_height, int64_t src_width,
                   int32_t channels, void *restrict scratch) {
    const int64_t row_size = dst_width * channels, stride = src_width * channels;
    if (src_height == dst_height && src_width == dst_width) {
        memcpy(dst, src, (size_t)(dst_height * row_size));
        return;
    }
    if (src_height == 2 * dst_height && src_width == 2 * dst_width) {
        halve(dst, dst_height, dst_width, src, channels);
        return;
    }
    struct tap *taps = scratch;
    int16_t *rows[2] = {(int16_t *)(taps + dst_width), (int16_t *)(taps + dst_width) + row_size};
    int64_t held[2] = {-1, -1}; /* the source rows in rows */
    find_columns(taps, dst_width, src_width, channels);
    for (int64_t y = 0; y < dst_height; y++, dst += row_size) {
        /* Rows keep their weights beyond the border; only the indices stop there. */
        const struct tap tap = find_tap(y, dst_height, src_height);
        const int64_t last = src_height - 1;
        const int64_t wanted[2] = {tap.index < 0      ? 0
                                   : tap.index > last ? last
                                                      : tap.index,
                                   tap.index < last ? tap.index + 1 : last};
        if (wanted[0] == held[1]) {
            int16_t *row = rows[0];
            rows[0] = rows[1];
            rows[1] = row;
            held[1] = held[0];
            held[0] = wanted[0];
        }
        for (int i = 0; i < 2; i++) {
            if (held[i] == wanted[i]) continue;
            held[i] = wanted[i];
            if (i == 1 && wanted[1] == wanted[0]) {
                memcpy(rows[1], rows[0], (size_t)row_size * sizeof(int16_t));
                continue;
            }
            blend_row(rows[i], src + wanted[i] * stride, taps, dst_width, channels, src_width == 1);
        }
        blend_rows(dst, rows[0], rows[1], tap.weight[0], tap.weight[1], row_size);
    }
}
