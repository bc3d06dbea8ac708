/* SPDX-License-Identifier: MIT
 * Comparing lists of arrays bit by bit. */
#ifndef SUPPORT_ARRAYS_H
#define SUPPORT_ARRAYS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <attractivenet/io.h>

/** Return the number of elements of an array of the list. */
static inline int64_t arrays_elements(const an_arrays *arrays, int64_t index) {
    int64_t count = 1;
    for (int32_t axis = 0; axis < an_arrays_rank(arrays, index); axis++)
        count *= an_arrays_length(arrays, index, axis);
    return count;
}

/** Return what differs between two lists, the name of an array or "number of arrays"; NULL:
 * nothing, to the last bit. */
static inline const char *arrays_difference(const an_arrays *a, const an_arrays *b) {
    if (an_arrays_count(a) != an_arrays_count(b)) return "number of arrays";
    for (int64_t i = 0; i < an_arrays_count(a); i++) {
        const int64_t count = arrays_elements(a, i);
        if (count != arrays_elements(b, i) ||
            memcmp(an_arrays_data(a, i), an_arrays_data(b, i), (size_t)count * sizeof(float)) != 0)
            return an_arrays_name(a, i);
    }
    return NULL;
}

static inline bool same_arrays(const an_arrays *a, const an_arrays *b) {
    return !arrays_difference(a, b);
}

#endif
