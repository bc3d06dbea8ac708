/* SPDX-License-Identifier: MIT
 * Fallbacks for a codes.h without masks and the matching stores, built from its other functions. */
#ifndef KERNELS_SIMD_CODES_PARTS_H
#define KERNELS_SIMD_CODES_PARTS_H

#include <string.h>

/* The first count codes, 0 < count < LANES. */
static inline vec v_of_part_codes(const uint8_t *from, int64_t count) {
    uint8_t part[LANES] = {0};
    memcpy(part, from, (size_t)count);
    return v_of_codes(part);
}
static inline void i_store_part(uint8_t *to, ivec a, int64_t count) {
    uint8_t part[LANES];
    i_store_one(part, a);
    memcpy(to, part, (size_t)count);
}
/* Two rows of two vectors, y_row apart. */
static inline void i_store_square(uint8_t *to, int64_t y_row, const ivec *a, const ivec *b) {
    i_store_two(to, a[0], a[1]);
    i_store_two(to + y_row, b[0], b[1]);
}

#endif
