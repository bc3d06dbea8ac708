/* SPDX-License-Identifier: MIT
 * What a transform does to colours after the geometry: contrast, saturation, an erased
 * rectangle. */
#ifndef AUGMENT_COLOUR_H
#define AUGMENT_COLOUR_H

#include "augment/transform.h"

/**
 * Apply contrast, saturation and the rectangle of a transform, in place.
 *
 * Shapes:  x [height,width,3] on a scale.
 * Note:    grey is 0.299 R + 0.587 G + 0.114 B of values from 0 (black) to 1 (white); each of the
 *          first two clamps to that range. Only what the transform has is done: otherwise x keeps
 *          its bits.
 */
void ani_colour_apply(float *x, int64_t height, int64_t width, const ani_transform *transform,
                      const ani_scaling *scaling);

#endif
