/* SPDX-License-Identifier: MIT
 * The label file: a line "name number ..." for each image. Names stay in the file's bytes, so that
 * ten million lines take little more memory than the file itself (UTF-16 is converted first). */
#ifndef DATASET_LABELS_H
#define DATASET_LABELS_H

#include <stdint.h>

#include "base/error.h"
#include "dataset/classes.h"

/** Longest label file that is read, in bytes. */
#define ANI_LABELS_MAX_BYTES (INT64_C(1) << 30)

/** One label: where its name lies in the file's bytes, and on which line. */
typedef struct ani_label {
    uint32_t offset;
    uint32_t size;
    uint32_t line;    /* from 1 */
    uint32_t folders; /* bytes of path before the name; label files with a header */
} ani_label;

/** The kind of labels in a file. */
typedef struct ani_labels_form {
    int32_t outputs; /* numbers of a label; 1 with classes */
    int32_t policy;
    ani_classes *classes; /* a label is one of these; NULL: numbers */
    /* titles of the columns of a file with a header */
    const char *name_column;          /* NULL = the first */
    const char *const *score_columns; /* [outputs]; NULL = all others */
    const char *weight_column;        /* NULL = none */
} ani_labels_form;

/** The labels of a file, in its order, each name once; clear with ani_labels_clear(). */
typedef struct ani_labels {
    const char *bytes;  /* of the file; borrowed, and must outlive this, unless owned */
    char *owned;        /* bytes as UTF-8, if the file is UTF-16; else NULL */
    ani_label *entries; /* [count] */
    double *values;     /* [count,outputs]; NULL with classes */
    double *weights;    /* [count]; NULL: the file has none */
    int32_t *items;     /* [count]: item of the classes; NULL without */
    uint32_t *slots;    /* hash table over the names: 0 = empty, else entry + 1 */
    uint64_t slot_mask;
    uint64_t key; /* of the hash: different in each run, so that no file can be made to collide */
    int64_t count;
    int64_t skipped;        /* lines left out (policy skip) */
    an_error first_skipped; /* why the first of them was left out */
    ani_labels_form form;
} ani_labels;

/**
 * Read labels. Lines end with LF, CRLF or CR; a UTF-8 byte order mark and blank lines are skipped,
 * UTF-16 with a byte order mark is converted. A name ends at the first tab, if as many numbers as
 * outputs follow it; otherwise the last fields of the line are the numbers, and the name, which may
 * contain spaces, is what precedes them. Numbers are decimal with a point, whatever the locale, and
 * fit into a float. A name that occurs again with the same numbers is accepted; with different ones
 * it is an error. With classes, a label is what follows the first tab, or the last field if there
 * is no tab.
 *
 * Takes:   name: of the file, for messages; bytes: size bytes followed by a zero byte. Returns:
 * AN_OK; AN_ERR_FORMAT ("'NAME', line N: ...", or no label at all); AN_ERR_UNSUPPORTED
 *          (too long); AN_ERR_NOMEM. Policy AN_POLICY_SKIP leaves out an invalid line (the later of
 *          two labels for one name) and counts it.
 */
an_status ani_labels_read(ani_labels *out, const char *name, const uint8_t *bytes, int64_t size,
                          const ani_labels_form *form, an_error *err);
/* For readers of other kinds of label files: */

/** Prepare for labels: bytes as UTF-8, room for a label on each line. *size is the size of the
 *  UTF-8. AN_OK; AN_ERR_FORMAT (half a character); AN_ERR_UNSUPPORTED (too long); AN_ERR_NOMEM. */
an_status ani_labels_begin(ani_labels *labels, const char *name, const uint8_t *bytes,
                           int64_t *size, const ani_labels_form *form, an_error *err);
/** Count a line that is left out. */
void ani_labels_skip(ani_labels *labels, const an_error *why);
/** Fail if there are no labels. */
an_status ani_labels_end(const ani_labels *labels, const char *name, an_error *err);
/** Add the label whose numbers follow the last one's (with classes, the label with the given class)
 *  as the next entry. A name that is present with the same label is skipped. AN_OK; AN_ERR_FORMAT
 *  (another label, no such class); AN_ERR_NOMEM. */
an_status ani_labels_add(ani_labels *labels, const char *file, const ani_label *label,
                         const char *class_text, int64_t class_size, an_error *err);
/** Return the entry of a name, -1 if it has none. */
int64_t ani_labels_find(const ani_labels *labels, const char *name, int64_t size);
void ani_labels_clear(ani_labels *labels); /* of {0} too */

#endif
