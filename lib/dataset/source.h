/* SPDX-License-Identifier: MIT
 * The files of a data set: in a folder and its sub-folders, or in a zip archive that is read in
 * place. */
#ifndef DATASET_SOURCE_H
#define DATASET_SOURCE_H

#include <stdint.h>

#include <attractivenet/dataset.h>

#include "base/text.h"
#include "io/zip.h"

/** One file. */
typedef struct ani_source_file {
    const char *name; /* base name, or path below the root; borrowed from the source */
    int64_t place;    /* archive: the member; folder: where its path begins in paths */
} ani_source_file;

/** Some of them. */
typedef struct ani_source_list {
    ani_source_file *files; /* [count] */
    int64_t count;
    int64_t capacity;
} ani_source_list;

/** The files of a data set; close with ani_source_close(). */
typedef struct ani_source {
    ani_zip *zip;           /* NULL: a folder */
    ani_text paths;         /* of a folder's files, each with its zero byte */
    int64_t root;           /* bytes of each before the path below the folder */
    ani_source_list images; /* sorted by name, byte by byte; no name twice */
    ani_source_list others; /* skipped because of their extensions, in any order; for messages */
    int64_t label;          /* place of the label file */
    int64_t skipped;        /* files left out (policy skip) */
    int64_t max_file_bytes; /* of one image */
} ani_source;

/**
 * Find the images and the label file, as classified by ani_name_kind(). Links to files are
 * followed, links to folders are not. Of files with the same base name and contents, one is used.
 * If the folders are the labels (AN_LABELS_FOLDERS), names are whole paths, and there is no label
 * file.
 *
 * Takes:   options: complete, not NULL, its archive too.
 * Returns: AN_OK; AN_ERR_IO; AN_ERR_FORMAT (no image, no label file, a base name with different
 *          contents, damaged archive); AN_ERR_UNSUPPORTED; AN_ERR_CANCELLED (by warn);
 *          AN_ERR_NOMEM. Policy skip keeps the first of two files with one name (sorted by path;
 *          archive: in its order) and warns.
 */
an_status ani_source_open(ani_source *out, const char *path, const an_dataset_options *options,
                          an_error *err);
void ani_source_close(ani_source *source); /* of {0} too; no read may be in progress */

/** Return the path of a file below the folder, or in the archive. */
const char *ani_source_path(const ani_source *source, int64_t place);

/** Return the archive member at place; NULL if the source is a folder. */
const ani_zip_member *ani_source_member(const ani_source *source, int64_t place);

/** Read a complete image or label file. *bytes is owned by the caller (ani_free) and has a zero
 * byte after its end. Threads: any number at once. */
an_status ani_source_read(ani_source *source, int64_t place, int64_t max_bytes, uint8_t **bytes,
                          int64_t *size, an_error *err);

#endif
