/* SPDX-License-Identifier: MIT
 * What a transform does to colours after the geometry: contrast, saturation, an erased
 * rectangle. */
#ifndef AUGMENT_COLOUR_H
#define AUGMENT_COLOUR_H

#include <stdint.h>

typedef struct ani_colour {
    double contrast, saturation;                                /* factors; 1: none */
    int64_t erase_row, erase_column, erase_height, erase_width; /* height 0: nothing */
} ani_colour;

/**
 * Apply contrast, saturation and the rectangle, in place.
 *
 * Shapes:  x [height,width,3]; black, white: the values of 0 and 255 on its scale, by channel.
 * Note:    grey is 0.299 R + 0.587 G + 0.114 B of values from 0 (black) to 1 (white); each of the
 *          first two clamps to that range. Only what there is is done: otherwise x keeps its bits.
 */
void ani_colour_apply(float *x, int64_t height, int64_t width, const ani_colour *colour,
                      const float black[3], const float white[3]);

#endif
