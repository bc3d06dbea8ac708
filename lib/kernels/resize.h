/* SPDX-License-Identifier: MIT
 * Bilinear resize of 8-bit pixels as OpenCV's INTER_LINEAR does it, bit for bit: fixed-point
 * weights of 11 bits, no antialiasing. A pure kernel: the caller brings the scratch memory. */
#ifndef KERNELS_RESIZE_H
#define KERNELS_RESIZE_H

#include <stdint.h>

enum { ANI_RESIZE_MAX_LENGTH = 65535, ANI_RESIZE_MAX_CHANNELS = 4 };

/** Return the bytes of scratch that ani_resize_u8() needs for rows of dst_width pixels. */
int64_t ani_resize_u8_scratch(int64_t dst_width, int32_t channels);

/** Resize src [src_height,src_width,channels] to dst [dst_height,dst_width,channels]; lengths 1 to
 * 65535, channels 1 to 4, no overlap. scratch: that many bytes, aligned to 4, contents undefined
 * before and after. */
void ani_resize_u8(uint8_t *restrict dst, int64_t dst_height, int64_t dst_width,
                   const uint8_t *restrict src, int64_t src_height, int64_t src_width,
                   int32_t channels, void *restrict scratch);

#endif
