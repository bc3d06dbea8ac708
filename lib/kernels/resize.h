/* SPDX-License-Identifier: MIT
 * Bilinear resize of 8-bit pixels as OpenCV's INTER_LINEAR does it, bit for bit: fixed-point
 * weights of 11 bits, no antialiasing. The caller supplies the memory, and the source either whole
 * or row by row, as from a decoder. */
#ifndef KERNELS_RESIZE_H
#define KERNELS_RESIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/pixels.h"

enum { ANI_RESIZE_MAX_LENGTH = 65535, ANI_RESIZE_MAX_CHANNELS = 4 };

/** A resize in progress. */
typedef struct ani_resizer {
    const ani_pixels *pixels;
    uint8_t *dst; /* next row */
    int64_t dst_height, dst_width, src_height, src_width;
    int32_t channels;
    bool copies;  /* same size */
    bool halves;  /* exactly half in both directions */
    int64_t made; /* rows of dst */
    int64_t seen; /* rows of src */
    ani_columns columns;
    int16_t *rows[2];   /* source rows, interpolated along columns */
    int64_t held[2];    /* their numbers; -1: none */
    uint8_t *upper_row; /* copy of the last row of even number, for halves */
} ani_resizer;

/** Return the bytes of scratch that a resize to rows of this width needs. */
int64_t ani_resize_scratch(int64_t dst_width, int32_t channels);

/** Begin to resize [src_height,src_width,channels] to dst [dst_height,dst_width,channels]; lengths
 *  1 to 65535, channels 1 to 4, no overlap. scratch: ani_resize_scratch() bytes, aligned to 8,
 *  contents undefined before and after. */
void ani_resize_begin(ani_resizer *out, const ani_pixels *pixels, uint8_t *dst, int64_t dst_height,
                      int64_t dst_width, int64_t src_height, int64_t src_width, int32_t channels,
                      void *scratch);
/** Return whether the next source row is needed: a much smaller target needs only two rows for each
 * of its own. */
bool ani_resize_needs(const ani_resizer *resizer);
/** Process the next source row; NULL if it is not needed. After all rows, dst is complete. The row
 * may be overwritten as soon as this returns. */
void ani_resize_row(ani_resizer *resizer, const uint8_t *row);

/** Resize a whole image. */
void ani_resize_u8(const ani_pixels *pixels, uint8_t *dst, int64_t dst_height, int64_t dst_width,
                   const uint8_t *src, int64_t src_height, int64_t src_width, int32_t channels,
                   void *scratch);

#endif
