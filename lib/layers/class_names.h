/* SPDX-License-Identifier: MIT
 * The names of a model's classes: checked, and as text for its file. */
#ifndef LAYERS_CLASS_NAMES_H
#define LAYERS_CLASS_NAMES_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"

/** Names in the order of the classes; they never change. */
typedef struct ani_class_names {
    atomic_int references;
    int32_t count;
    char *names[];
} ani_class_names;

/** Copy names. Returns the status `wrong`, which depends on who supplied them, unless each is 1 to
 * 1000 bytes of UTF-8 and no two are equal. */
an_status ani_class_names_create(ani_class_names **out, const char *const *names, int32_t count,
                                 an_status wrong, an_error *err);
void ani_class_names_hold(ani_class_names *names);    /* both: NULL is allowed */
void ani_class_names_destroy(ani_class_names *names); /* release a reference */

/** Write them as a JSON array of strings, "" for NULL; owned by the caller (ani_free). */
an_status ani_class_names_print(char **out, const ani_class_names *names, an_error *err);
/** Read such a text. AN_ERR_FORMAT: it is something else, or a name is invalid. */
an_status ani_class_names_parse(ani_class_names **out, const char *text, an_error *err);

#endif
