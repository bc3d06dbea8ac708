/* SPDX-License-Identifier: MIT
 * Members of a struct as text that reads back as the same value. */
#ifndef TRAIN_FIELDS_H
#define TRAIN_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

enum { ANI_FIELD_INT32, ANI_FIELD_INT64, ANI_FIELD_DOUBLE };

/** A member. Values outside low to high are refused; doubles may have any value. */
typedef struct ani_field {
    const char *name;
    int32_t kind; /* ANI_FIELD_* */
    int32_t offset;
    int64_t low, high;
} ani_field;

enum { ANI_FIELD_SIZE = 32 }; /* maximum bytes of a text, including its zero */

/** Write a member of object. Doubles as ani_format_shortest(), and "nan", "inf", "-inf". */
void ani_field_format(char text[ANI_FIELD_SIZE], const ani_field *field, const void *object);
/** Read a member of object from the beginning of text; *end is set to the position after it.
 * Returns false and leaves object untouched if there is none or it is out of range. */
bool ani_field_parse(const ani_field *field, void *object, const char *text, const char **end);
/** Return a member of object; an int64 beyond 2^53 is rounded. */
double ani_field_number(const ani_field *field, const void *object);

#endif
