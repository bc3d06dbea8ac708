/* SPDX-License-Identifier: MIT
 * Growing text, and numbers as text whatever the user's locale. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/** Text that grows. {0} is empty and valid. If memory runs out, failed becomes true and stays so,
 * and nothing more is added, so one check at the end is enough. */
typedef struct ani_text {
    char *bytes;  /* zero-terminated once something has been added; NULL before */
    int64_t size; /* without the terminating zero */
    int64_t capacity;
    bool failed;
} ani_text;

void ani_text_add(ani_text *text, const char *bytes, int64_t size);
void ani_text_print(ani_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Add a string in JSON form, with its quotes. */
void ani_text_quote(ani_text *text, const char *string);
/** Add the lowest `size` bytes of a number, at most 8, the lowest first. */
void ani_text_add_number(ani_text *text, uint64_t number, int32_t size);
void ani_text_clear(ani_text *text);

/** Parse a decimal floating-point number (no hex, no inf, no nan, no white space) at the start of
 * text, correctly rounded, with a point in every locale. *end is set to the position after it.
 * Returns false if there is none or it is not finite; *overflow (may be NULL) is set in the second
 * case. */
bool ani_parse_double(const char *text, const char **end, double *value, bool *overflow);

/** Write value with a decimal point in every locale, as "%.*g" does with `digits` significant
 * digits. */
int ani_format_double(char *out, int64_t capacity, double value, int digits);
/** The same as "%.*f", with `decimals` digits after the point. NaN is "nan" whatever its sign, here
 * and below. */
int ani_format_fixed(char *out, int64_t capacity, double value, int decimals);
/** The same as "%.*e". */
int ani_format_exponent(char *out, int64_t capacity, double value, int decimals);
/** Write the shortest number that reads back as value, laid out as Python's repr ("0.001", "1e-05",
 *  "3.0"); 32 bytes are enough. */
int ani_format_shortest(char *out, int64_t capacity, double value);

/** Convert an ASCII letter to lower case, whatever the locale; other bytes are unchanged. */
static inline char ani_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool ani_ends_with(const char *text, const char *suffix);
bool ani_is_ascii(const char *text);
/** True if size bytes are valid UTF-8. */
bool ani_is_utf8(const char *text, int64_t size);
/** Write a Unicode character, up to 0x10ffff, as UTF-8 without a terminating zero; returns the
 * number of bytes. */
int ani_utf8_encode(char out[4], uint32_t code);

#endif
