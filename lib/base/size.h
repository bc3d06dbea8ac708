/* SPDX-License-Identifier: MIT
 * Arithmetic on sizes that came from a file or a caller, with overflow reported. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/** Store a + b in *out. Returns false and leaves *out untouched if an operand is negative or the
 * sum is too large. */
static inline bool ani_add_size(int64_t a, int64_t b, int64_t *out) {
    int64_t sum;
    if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &sum)) return false;
    *out = sum;
    return true;
}

/** Store a * b in *out. Returns false and leaves *out untouched if an operand is negative or the
 * product is too large. */
static inline bool ani_mul_size(int64_t a, int64_t b, int64_t *out) {
    int64_t product;
    if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product)) return false;
    *out = product;
    return true;
}

#endif
