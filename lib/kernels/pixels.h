/* SPDX-License-Identifier: MIT
 * The SIMD leaf functions of the data path behind one table, like those of kernels.h for the
 * network: pure, touching no element outside the stated extents, with the same signatures at every
 * ISA level. In addition, all levels give the same bits, so that preprocessed images do not depend
 * on the processor. So there are no fused multiply-adds here, and sums are in the written order.
 *
 * c/ is the contract of each entry in plain C. The drivers that own the loops over rows are
 * resize.h and warp.h. */
#ifndef KERNELS_PIXELS_H
#define KERNELS_PIXELS_H

#include <stdint.h>

/** The source positions of a resized row's columns, as computed by resize.c. */
typedef struct ani_columns {
    const int32_t *index;  /* [count] byte offset of the left one of two pixels; non-decreasing */
    const int16_t *weight; /* [count][2], 0 to 2048 */
} ani_columns;

enum { ANI_POINTS = 64, ANI_POINT_STEP = 16 }; /* of a block; a multiple of all vector lengths */

/** The source positions of a block of output pixels. Entries past the block's count, up to a
 * multiple of ANI_POINT_STEP, are filled with positions that are also inside. */
typedef struct ani_points {
    int32_t offset[ANI_POINTS]; /* index of the upper left one of four pixels */
    float right[ANI_POINTS];    /* weight of the right ones, 0 to 2^24 */
    float down[ANI_POINTS];     /* weight of the lower ones, 0 to 2^24 */
} ani_points;

/** The image that is read, and the conversion of its pixels. */
typedef struct ani_view {
    const uint8_t *src;    /* [height,width,3]; or NULL, and the image is */
    const float *values;   /* [height,width,3] */
    int64_t size;          /* numbers of it */
    int32_t height, width; /* 1 to 8192 each */
    int32_t right;         /* elements to the right neighbour: 3; 0 if there is one column */
    int32_t down;          /* elements to the lower neighbour: 3 * width; 0 if there is one row */
    float gain, bias;      /* out = gain * pixel + bias; of values: 1 and 0 */
} ani_view;

typedef struct ani_pixels {
    const char *level; /* "c", "avx2", "neon" */

    /** out[i][c] = (src[index[i] + c] * weight[i][0] + src[index[i] + step + c] * weight[i][1]) >>
     *  4 for i below count and c below channels (1 to 4); src has size bytes, step is channels, or
     *  0 for a source of one pixel. */
    void (*blend_columns)(int16_t *out, const uint8_t *src, int64_t size,
                          const ani_columns *columns, int64_t count, int32_t channels,
                          int32_t step);
    /** out = ((upper * w0 >> 16) + (lower * w1 >> 16) + 2) >> 2; weights 0 to 2048. */
    void (*blend_rows)(uint8_t *out, const int16_t *upper, const int16_t *lower, int16_t w0,
                       int16_t w1, int64_t count);
    /** out[i][c] = mean of the pixels 2i and 2i+1 of both rows, x.5 rounded up; with two channels
     * to even. */
    void (*halve_row)(uint8_t *out, const uint8_t *upper, const uint8_t *lower, int64_t count,
                      int32_t channels);

    /** Pixels of YUV as RGB; count is even, out [count,3]. With c = 1220542 * max(Y - 16, 0) +
     * 2^19, u = U - 128, v = V - 128: R = (c + 1673527 * v) >> 20, G = (c - 852492 * v - 409993 *
     * u) >> 20, B = (c + 2116026 * u) >> 20, clamped to 0..255. nv12: a byte of luma per pixel;
     * chroma U V for two pixels. yuyv: Y U Y V for two pixels. */
    void (*nv12_row)(uint8_t *out, const uint8_t *luma, const uint8_t *chroma, int64_t count);
    void (*yuyv_row)(uint8_t *out, const uint8_t *src, int64_t count);

    /** Find the points of source rows row + i * row_step and columns column + i * column_step,
     *  i below count, which is at most ANI_POINTS. All are in units of 2^-32 pixels and stay below
     *  2^62 in magnitude. Positions outside the image are moved to its border; weights are
     *  truncated to 24 bits. */
    void (*place)(ani_points *out, int64_t row, int64_t column, int64_t row_step,
                  int64_t column_step, int64_t count, const ani_view *view);
    /** Interpolate: out [count,3]. With x, y the weights / 2^24, r = x * gain, d = r * y: the four
     *  pixels a b / c e give ((a * (gain - r - (y * gain - d)) + b * (r - d)) + (c * (y * gain - d)
     *  + e * d)) + bias, in float. */
    void (*sample)(float *out, const ani_points *points, int64_t count, const ani_view *view);
    /** The same of view->values, with gain 1 and bias 0. All levels have the C entry. */
    void (*sample_values)(float *out, const ani_points *points, int64_t count,
                          const ani_view *view);
} ani_pixels;

/** Fill a table for a mask of ANI_CPU_*: the C entries, then those of each level that the mask has
 *  and this build knows. AVX-512 adds nothing to AVX2 here. */
void ani_pixels_init(ani_pixels *table, uint32_t mask);

/* The ISA levels, used only by pixels.c. */
void ani_pixels_c(ani_pixels *table);
void ani_pixels_avx2(ani_pixels *table);
void ani_pixels_neon(ani_pixels *table);

#endif
