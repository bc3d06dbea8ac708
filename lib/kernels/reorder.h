/* SPDX-License-Identifier: MIT
 * Reorders the channels of 8-bit pixels to RGB. */
#ifndef KERNELS_REORDER_H
#define KERNELS_REORDER_H

#include <stdint.h>

/** Write count pixels of AN_FORMAT_BGR, RGBA, BGRA or GREY as RGB. rgb may be src if a pixel has
 * three channels; otherwise they must not overlap. */
void ani_reorder(uint8_t *rgb, const uint8_t *src, int64_t count, int32_t format);

#endif
