/* SPDX-License-Identifier: MIT
 * Shapes of arrays and tensors: the lengths of their axes. */
#ifndef BASE_SHAPE_H
#define BASE_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

enum { ANI_SHAPE_MAX_RANK = 8, ANI_SHOWN_SHAPE_SIZE = 192 };

/** Compute the number of values in a shape. Returns false and leaves *count untouched if a length
 * is negative or the size at 4 bytes per value overflows. */
bool ani_shape_count(const int64_t *shape, int32_t rank, int64_t *count);

/** Write a shape for messages, such as "[1,1,16,96]"; the length -1 is written as "any". Returns
 * shown. */
const char *ani_shape_show(char shown[ANI_SHOWN_SHAPE_SIZE], const int64_t *shape, int32_t rank);

#endif
