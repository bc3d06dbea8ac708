/* SPDX-License-Identifier: MIT
 * Which file may have been meant by a label that matches no image, for messages. */
#ifndef DATASET_NEAREST_H
#define DATASET_NEAREST_H

#include <stdbool.h>
#include <stdint.h>

#include "dataset/source.h"

/** A file name, keyed by what remains when differences in spelling are removed. */
typedef struct ani_nearest_key {
    uint64_t hash;
    const char *name; /* borrowed from the source */
    bool is_image;    /* else skipped because of its extension */
} ani_nearest_key;

/** Names to search; clear with ani_nearest_clear(). */
typedef struct ani_nearest {
    ani_nearest_key *keys; /* [count], sorted by hash; a name may have two */
    int64_t count;
    const ani_source_file *images;
    int64_t image_count;
} ani_nearest;

/** A file that is near a label. */
typedef struct ani_near {
    const char *name; /* NULL: none is near */
    const char *why;  /* how the label differs, such as "the label has a path" */
    bool is_image;    /* else skipped because of its extension */
} ani_near;

/** Prepare to search among images and other files, all borrowed. AN_OK or AN_ERR_NOMEM. */
an_status ani_nearest_open(ani_nearest *out, const ani_source_file *images, int64_t image_count,
                           const ani_source_list *others, an_error *err);
/** Find the file whose name differs from the label's only in spelling: a path, quotes, commas,
 * case, extension, or Unicode normal form. The time grows with the label's size and the logarithm
 * of the number of files, whatever the names. */
ani_near ani_nearest_same(const ani_nearest *nearest, const char *label, int64_t size);
/** The same; if there is none, an image among the first thousand whose name differs in a letter or
 * two. */
ani_near ani_nearest_find(const ani_nearest *nearest, const char *label, int64_t size);
void ani_nearest_clear(ani_nearest *nearest); /* of {0} too */

#endif
