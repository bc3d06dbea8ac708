/* SPDX-License-Identifier: MIT
 * One row of an image seen through an affine map: 8-bit pixels or floats in, floats on a scale
 * out. */
#ifndef KERNELS_WARP_H
#define KERNELS_WARP_H

#include <stdint.h>

#include "kernels/pixels.h"

/** What is beyond the border; the numbers are those of AN_FILL_*. */
enum { ANI_WARP_NEAREST = 0, ANI_WARP_CONSTANT = 1, ANI_WARP_REFLECT = 2, ANI_WARP_WRAP = 3 };

enum { ANI_WARP_MAX_LENGTH = 8192 };

/** A linear function of each channel: value = gain * pixel + bias. */
typedef struct ani_warp_line {
    float gain[3], bias[3];
} ani_warp_line;

/** What all rows of an image have in common. */
typedef struct ani_warp {
    const ani_pixels *pixels;
    ani_view view;
    double step_row;           /* change in the source position per output column */
    double step_column;        /* both -2^20 to 2^20 */
    float outside;             /* output outside the image with ANI_WARP_CONSTANT */
    int32_t fill;              /* ANI_WARP_* */
    const ani_warp_line *line; /* applied to what the view gives; NULL: none */
} ani_warp;

/** Describe src [height,width,3], each length at most ANI_WARP_MAX_LENGTH, seen on the scale gain *
 *  pixel + bias. */
ani_view ani_warp_view(const uint8_t *src, int64_t height, int64_t width, float gain, float bias);
/** Describe floats [height,width,3], used unscaled. */
ani_view ani_warp_view_values(const float *values, int64_t height, int64_t width);

/** Prefetch an image of 8-bit pixels: a warp reads across its rows, a pattern that
 * processors do not predict. */
void ani_warp_prefetch(const ani_view *view);

/** Return where coordinate c falls in a row of n pixels, 0 to n - 1; -1 for outside with CONSTANT.
 * c is finite. Folding is that of scipy.ndimage, with one change that does not affect results:
 * where REFLECT falls before the first pixel, the first is returned. Of two taps, one may be past
 * the last pixel: it then has weight 0, or is the last pixel again. */
double ani_warp_fold(double c, int64_t n, int32_t fill);

/**
 * Sample one output row with bilinear interpolation.
 *
 * out[k] for k = 0..count-1 comes from source position row + step_row * j, column + step_column * j
 * with j = k, or count - 1 - k with mirror 1. Whether a position is inside is decided in double, as
 * a product, by exactly this formula. Weights are truncated to 24 bits: up to ANI_POINTS positions
 * are counted in steps of 2^-32 pixels from one that was computed in double, so that none is off by
 * more than 2^-26.
 */
void ani_warp_row(float *out, int64_t count, double row, double column, int32_t mirror,
                  const ani_warp *warp);

#endif
