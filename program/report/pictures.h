/* SPDX-License-Identifier: MIT
 * Images in a page: small copies, heat maps over them, data URIs. */
#ifndef REPORT_PICTURES_H
#define REPORT_PICTURES_H

#include "report/page.h"

#include <attractivenet/attractivenet.h>

/** Make a copy whose longer side has at most `side` pixels: each pixel is the mean of those it
 *  covers. Owns: *out is the caller's. */
an_status picture_shrink(an_image **out, const an_image *image, int32_t side, an_error *err);

/** Blend a heat map [height,width], values 0 to 1, over an image: where the value is 1, with this
 *  opacity; where it is 0, the image stays. */
void picture_heat(an_image *image, const float *map, int64_t height, int64_t width, double opacity);

/** Write the colour of a value from 0 to 1: dark violet to light yellow, also for readers who do
 * not see colours. */
void picture_colour(double value, uint8_t rgb[3]);

/** Add <img>, as a JPEG in the page. alt: text alternative; escaped. */
an_status picture_add(page *to, const an_image *image, const char *alt, an_error *err);

#endif
