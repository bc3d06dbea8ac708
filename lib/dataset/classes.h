/* SPDX-License-Identifier: MIT
 * The classes of a data set: names, by which or by whose index labels say them. */
#ifndef DATASET_CLASSES_H
#define DATASET_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum {
    ANI_CLASSES_MAX = 1000,         /* as many outputs a label may have */
    ANI_CLASS_NAME_MAX_BYTES = 255, /* of one name */
    ANI_SHOWN_CLASS_SIZE = 96
};

/** One class. */
typedef struct ani_class {
    int64_t offset; /* of its name in names, which ends with a zero byte */
    int64_t size;
    int64_t line;  /* that said it first; 0: a folder, or a name that was given */
    int64_t index; /* the whole number that its name is; -1: it is none */
} ani_class;

/** Classes: fixed ones, or those that labels bring. {0} has none, and is not fixed. Clear with
 * ani_classes_clear(). */
typedef struct ani_classes {
    ani_text names;
    ani_class *items; /* [count], in the order in which they came */
    int32_t *order;   /* [count]: items sorted by name, byte by byte */
    int32_t count;
    bool is_fixed;      /* no more may come */
    bool has_whole;     /* the name of one is a whole number */
    int32_t whole_item; /* the first of these */
} ani_classes;

/** Fix names and order: 2 to 1000 names, none of which is another's in another case. AN_OK,
 *  AN_ERR_ARG or AN_ERR_NOMEM. */
an_status ani_classes_fix(ani_classes *out, const char *const *names, int32_t count, an_error *err);

/**
 * Find the class that a label says.
 *
 * Takes:   fixed: a name; or an index, unless a class is called by a whole number. Else: any name,
 *          which is added if it is new. line: where the label is; 0 for a folder.
 * Writes:  item: the class; its final place is known after ani_classes_settle().
 * Returns: AN_OK; AN_ERR_FORMAT; AN_ERR_NOMEM. The message does not say where the label is.
 */
an_status ani_classes_take(ani_classes *classes, const char *text, int64_t size, int64_t line,
                           int32_t *item, an_error *err);

/** Find the class that a label says among those there are: -1 if it is none of them. */
int32_t ani_classes_find(const ani_classes *classes, const char *text, int64_t size);

/**
 * Close the list: no more may come. Fixed classes stay as they are. Others are sorted by name, byte
 * by byte; if all labels are whole numbers these are the indices, of which none may be missing.
 *
 * Writes:  places [count]: where item i is now.
 * Returns: AN_OK; AN_ERR_FORMAT (fewer than two; names and indices mixed; an index that is missing;
 *          names that differ in case only); AN_ERR_NOMEM.
 */
an_status ani_classes_settle(ani_classes *classes, int32_t *places, an_error *err);

/** Return the name of class i, which is in range. */
const char *ani_classes_name(const ani_classes *classes, int32_t i);
void ani_classes_clear(ani_classes *classes); /* of {0} too */

#endif
