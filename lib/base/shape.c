/* SPDX-License-Identifier: MIT
 * Checked element counts, and shapes as text. */
#include "base/shape.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/size.h"

bool ani_shape_count(const int64_t *shape, int32_t rank, int64_t *count) {
    int64_t product = 1, bytes;
    bool empty = false;
    for (int32_t i = 0; i < rank; i++) {
        if (shape[i] < 0) return false;
        if (shape[i] == 0)
            empty = true;
        else if (!ani_mul_size(product, shape[i], &product))
            return false;
    }
    if (!ani_mul_size(product, (int64_t)sizeof(float), &bytes)) return false;
    *count = empty ? 0 : product;
    return true;
}

const char *ani_shape_show(char shown[ANI_SHOWN_SHAPE_SIZE], const int64_t *shape, int32_t rank) {
    const size_t size = ANI_SHOWN_SHAPE_SIZE;
    size_t at = (size_t)snprintf(shown, size, "[");
    for (int32_t axis = 0; axis < rank && at < size; axis++) {
        const char *comma = axis ? "," : "";
        at += shape[axis] == -1
                  ? (size_t)snprintf(shown + at, size - at, "%sany", comma)
                  : (size_t)snprintf(shown + at, size - at, "%s%" PRId64, comma, shape[axis]);
    }
    if (at < size) snprintf(shown + at, size - at, "]");
    return shown;
}
