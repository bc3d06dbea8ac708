/* SPDX-License-Identifier: MIT
 * The classes of a data set: names, to which labels refer by name or index. */
#ifndef DATASET_CLASSES_H
#define DATASET_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum {
    ANI_CLASSES_MAX = 1000,         /* maximum number of outputs of a label */
    ANI_CLASS_NAME_MAX_BYTES = 255, /* of one name */
    ANI_SHOWN_CLASS_SIZE = 96
};

/** One class. */
typedef struct ani_class {
    int64_t offset; /* offset of its name in names, which ends with a zero byte */
    int64_t size;
    int64_t line;  /* where it first occurs; 0: a folder, or a given name */
    int64_t index; /* its name as a whole number; -1: it is not one */
} ani_class;

/** Classes: fixed ones, or those found in labels. {0} has none, and is not fixed. Clear with
 * ani_classes_clear(). */
typedef struct ani_classes {
    ani_text names;
    ani_class *items; /* [count], in order of appearance */
    int32_t *order;   /* [count]: items sorted by name, byte by byte */
    int32_t count;
    bool is_fixed;      /* no more may be added */
    bool has_whole;     /* the name of one is a whole number */
    int32_t whole_item; /* the first of these */
} ani_classes;

/** Fix names and order: 2 to 1000 names, no two of which differ only in case. AN_OK, AN_ERR_ARG or
 *  AN_ERR_NOMEM. */
an_status ani_classes_fix(ani_classes *out, const char *const *names, int32_t count, an_error *err);

/**
 * Find the class that a label names.
 *
 * Takes:   fixed: a name; or an index, unless the name of a class is a whole number. Otherwise any
 * name, which is added if it is new. line: where the label is; 0 for a folder.
 * Writes:  item: the class; its final place is known after ani_classes_settle().
 * Returns: AN_OK; AN_ERR_FORMAT; AN_ERR_NOMEM. The message does not say where the label is.
 */
an_status ani_classes_take(ani_classes *classes, const char *text, int64_t size, int64_t line,
                           int32_t *item, an_error *err);

/** Find the class that a label names among the existing ones; -1 if it is none of them. */
int32_t ani_classes_find(const ani_classes *classes, const char *text, int64_t size);

/**
 * Close the list: no more classes may be added. Fixed classes stay as they are. Others are sorted
 * by name, byte by byte; if all labels are whole numbers, these are the indices, and none may be
 * missing.
 *
 * Writes:  places [count]: where item i is now.
 * Returns: AN_OK; AN_ERR_FORMAT (fewer than two; names and indices mixed; a missing index; names
 * that differ only in case); AN_ERR_NOMEM.
 */
an_status ani_classes_settle(ani_classes *classes, int32_t *places, an_error *err);

/** Return the name of class i, which must be in range. */
const char *ani_classes_name(const ani_classes *classes, int32_t i);
void ani_classes_clear(ani_classes *classes); /* of {0} too */

#endif
