/* SPDX-License-Identifier: MIT
 * Exact round trips of numbers through text. */
#include "train/fields.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

void ani_field_format(char text[ANI_FIELD_SIZE], const ani_field *field, const void *object) {
    const char *member = (const char *)object + field->offset;
    int32_t small;
    int64_t whole;
    double number;
    switch (field->kind) {
    case ANI_FIELD_INT32:
        memcpy(&small, member, sizeof small);
        snprintf(text, ANI_FIELD_SIZE, "%" PRId32, small);
        break;
    case ANI_FIELD_INT64:
        memcpy(&whole, member, sizeof whole);
        snprintf(text, ANI_FIELD_SIZE, "%" PRId64, whole);
        break;
    default:
        memcpy(&number, member, sizeof number);
        ani_format_shortest(text, ANI_FIELD_SIZE, number);
    }
}

static bool parse_whole(const char *text, const char **end, int64_t *value) {
    const bool negative = *text == '-';
    int64_t number = 0;
    const char *at = text + negative;
    if (*at < '0' || *at > '9') return false;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, *at - '0', &number))
            return false;
    /* counted downwards, since there is one more negative number */
    if (!negative && number == INT64_MIN) return false;
    *value = negative ? number : -number;
    *end = at;
    return true;
}

static bool parse_number(const char *text, const char **end, double *value) {
    static const struct {
        const char *text;
        double value;
    } words[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const size_t length = strlen(words[i].text);
        if (strncmp(text, words[i].text, length) != 0) continue;
        *value = words[i].value;
        *end = text + length;
        return true;
    }
    return ani_parse_double(text, end, value, NULL);
}

bool ani_field_parse(const ani_field *field, void *object, const char *text, const char **end) {
    char *member = (char *)object + field->offset;
    int64_t whole;
    double number;
    if (field->kind == ANI_FIELD_DOUBLE) {
        if (!parse_number(text, end, &number)) return false;
        memcpy(member, &number, sizeof number);
        return true;
    }
    if (!parse_whole(text, end, &whole) || whole < field->low || whole > field->high) return false;
    if (field->kind == ANI_FIELD_INT64) {
        memcpy(member, &whole, sizeof whole);
    } else {
        const int32_t small = (int32_t)whole;
        memcpy(member, &small, sizeof small);
    }
    return true;
}

double ani_field_number(const ani_field *field, const void *object) {
    const char *member = (const char *)object + field->offset;
    int32_t small;
    int64_t whole;
    double number;
    switch (field->kind) {
    case ANI_FIELD_INT32:
        memcpy(&small, member, sizeof small);
        return small;
    case ANI_FIELD_INT64:
        memcpy(&whole, member, sizeof whole);
        return (double)whole;
    default:
        memcpy(&number, member, sizeof number);
        return number;
    }
}
