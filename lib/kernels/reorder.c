/* SPDX-License-Identifier: MIT
 * Reorders the channels of 8-bit pixels. */
#include "kernels/reorder.h"

#include <attractivenet/kinds.h>

/* Inlined with constants: bytes per pixel, and the positions of red and blue; green is between
 * them. */
static inline void reorder(uint8_t *rgb, const uint8_t *src, int64_t count, int32_t step,
                           int32_t red, int32_t blue) {
    for (int64_t i = 0; i < count; i++, rgb += 3, src += step) {
        const uint8_t r = src[red], g = src[(red + blue) / 2], b = src[blue];
        rgb[0] = r;
        rgb[1] = g;
        rgb[2] = b;
    }
}

void ani_reorder(uint8_t *rgb, const uint8_t *src, int64_t count, int32_t format) {
    if (format == AN_FORMAT_BGR)
        reorder(rgb, src, count, 3, 2, 0);
    else if (format == AN_FORMAT_RGBA)
        reorder(rgb, src, count, 4, 0, 2);
    else if (format == AN_FORMAT_BGRA)
        reorder(rgb, src, count, 4, 2, 0);
    else
        reorder(rgb, src, count, 1, 0, 0);
}
