/* SPDX-License-Identifier: MIT
 * Growing text; numbers in the C locale. */
#include "base/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static bool reserve(ani_text *text, int64_t more) {
    int64_t needed;
    if (text->failed) return false;
    if (!ani_add_size(text->size, more, &needed) || !ani_add_size(needed, 1, &needed)) {
        text->failed = true;
        return false;
    }
    if (needed <= text->capacity) return true;
    int64_t capacity = text->capacity ? text->capacity : 128;
    while (capacity < needed)
        capacity *= 2;
    char *grown = ani_realloc(text->bytes, text->size, capacity);
    if (!grown) {
        text->failed = true;
        return false;
    }
    text->bytes = grown;
    text->capacity = capacity;
    return true;
}

void ani_text_add(ani_text *text, const char *bytes, int64_t size) {
    if (!reserve(text, size)) return;
    if (size) memcpy(text->bytes + text->size, bytes, (size_t)size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

void ani_text_print(ani_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 || !reserve(text, size)) {
        text->failed = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(text->bytes + text->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    text->size += size;
}

void ani_text_quote(ani_text *text, const char *string) {
    ani_text_add(text, "\"", 1);
    for (const char *s = string; *s;) {
        const char *begin = s;
        while ((unsigned char)*s >= 0x20 && *s != '"' && *s != '\\')
            s++;
        ani_text_add(text, begin, s - begin);
        if (*s == '"' || *s == '\\')
            ani_text_print(text, "\\%c", *s++);
        else if (*s)
            ani_text_print(text, "\\u%04x", (unsigned)*s++);
    }
    ani_text_add(text, "\"", 1);
}

void ani_text_add_number(ani_text *text, uint64_t number, int32_t size) {
    char bytes[8];
    for (int32_t i = 0; i < size; i++)
        bytes[i] = (char)(uint8_t)(number >> (8 * i));
    ani_text_add(text, bytes, size);
}

void ani_text_clear(ani_text *text) {
    ani_free(text->bytes);
    *text = (ani_text){0};
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool ani_parse_double(const char *text, const char **end, double *value, bool *overflow) {
    if (overflow) *overflow = false;
    /* strtod also accepts white space, hex, inf and nan, so only text that begins as a decimal is
     * passed to it. */
    const char *digits = text + (*text == '+' || *text == '-');
    const bool decimal = (*digits >= '0' && *digits <= '9') ||
                         (*digits == '.' && digits[1] >= '0' && digits[1] <= '9');
    if (!decimal || (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'))) return false;
    pthread_once(&c_locale_once, make_c_locale);
    char *behind;
    const double parsed = c_locale ? strtod_l(text, &behind, c_locale) : strtod(text, &behind);
    if (!isfinite(parsed)) {
        if (overflow) *overflow = true;
        return false;
    }
    *end = behind;
    *value = parsed;
    return true;
}

/** printf for one number in the C locale; style f, e or g. */
static int format_number(char *out, int64_t capacity, char style, int digits, double value) {
    if (isnan(value)) return snprintf(out, (size_t)capacity, "nan");
    pthread_once(&c_locale_once, make_c_locale);
    const locale_t old = c_locale ? uselocale(c_locale) : (locale_t)0;
    const int size = style == 'f'   ? snprintf(out, (size_t)capacity, "%.*f", digits, value)
                     : style == 'e' ? snprintf(out, (size_t)capacity, "%.*e", digits, value)
                                    : snprintf(out, (size_t)capacity, "%.*g", digits, value);
    if (old) uselocale(old);
    return size;
}

int ani_format_double(char *out, int64_t capacity, double value, int digits) {
    return format_number(out, capacity, 'g', digits, value);
}

int ani_format_fixed(char *out, int64_t capacity, double value, int decimals) {
    return format_number(out, capacity, 'f', decimals, value);
}

int ani_format_exponent(char *out, int64_t capacity, double value, int decimals) {
    return format_number(out, capacity, 'e', decimals, value);
}

int ani_format_shortest(char *out, int64_t capacity, double value) {
    char text[32];
    const char *end;
    double back;
    if (!isfinite(value)) return format_number(out, capacity, 'g', 1, value);
    int digits = 0; /* after the first one */
    do
        format_number(text, sizeof text, 'e', digits, value);
    while ((!ani_parse_double(text, &end, &back, NULL) || back != value) && ++digits < 17);
    const int exponent = atoi(strchr(text, 'e') + 1);
    if (exponent < -4 || exponent >= 16) return snprintf(out, (size_t)capacity, "%s", text);
    const int decimals = digits - exponent;
    return format_number(out, capacity, 'f', decimals > 1 ? decimals : 1, value);
}

bool ani_ends_with(const char *text, const char *suffix) {
    const size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && !memcmp(text + length - tail, suffix, tail);
}

bool ani_is_ascii(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80) return false;
    return true;
}

bool ani_is_utf8(const char *text, int64_t size) {
    const uint8_t *s = (const uint8_t *)text;
    for (int64_t i = 0; i < size;) {
        const uint8_t lead = s[i];
        const int more = lead < 0x80                   ? 0
                         : lead >= 0xC2 && lead < 0xE0 ? 1
                         : lead >= 0xE0 && lead < 0xF0 ? 2
                         : lead >= 0xF0 && lead < 0xF5 ? 3
                                                       : -1;
        if (more < 0 || i + more >= size) return false;
        for (int j = 1; j <= more; j++)
            if ((s[i + j] & 0xC0) != 0x80) return false;
        /* no overlong forms, no surrogates, nothing above U+10FFFF */
        if (lead == 0xE0 && s[i + 1] < 0xA0) return false;
        if (lead == 0xED && s[i + 1] >= 0xA0) return false;
        if (lead == 0xF0 && s[i + 1] < 0x90) return false;
        if (lead == 0xF4 && s[i + 1] >= 0x90) return false;
        i += more + 1;
    }
    return true;
}

int ani_utf8_encode(char out[4], uint32_t code) {
    static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    const int size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = size - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(leads[size] | code);
    return size;
}
