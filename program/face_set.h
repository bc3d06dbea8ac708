/* SPDX-License-Identifier: MIT
 * A data set that is being written, laid out as SCUT-FBP5500: a zip archive, or a folder. */
#ifndef PROGRAM_FACE_SET_H
#define PROGRAM_FACE_SET_H

#include "console.h"
#include "options.h"

#include <stdio.h>

/** What a command line asks for. */
typedef struct face_request {
    const char *out;
    int32_t count, size, seed, quiet;
} face_request;

/** Fill in the defaults, and write the table of options. */
void face_request_rows(face_request *ask, option_row rows[OPTION_ROWS]);
extern const char face_usage[], face_about[]; /* for program_text */

/** A set under way. */
typedef struct face_set {
    const char *out;        /* borrowed */
    char folder[PATH_SIZE]; /* where the files are written: out, or one to be packed */
    int is_archive;         /* out ends in ".zip" */
    int32_t count;          /* images begun */
    FILE *labels;
} face_set;

/** Begin one. A folder must be new or empty; an archive of that name is replaced at the end.
 *  Returns 0, or 1 after saying why not: then there is nothing to end. */
int face_set_begin(face_set *set, const char *out);

/** Write the path of the next image, which is to be written there. Returns path. */
const char *face_set_next(face_set *set, char path[PATH_SIZE]);

/** Give the image of before its score. */
void face_set_label(face_set *set, double score);

/** On a terminal: show how far it is. */
void face_set_show(const face_set *set, const face_request *ask);

/** Complete it, or with is_bad give it up: then nothing is left of an archive. Returns 0, or 1
 * after saying why not, and with is_bad. */
int face_set_end(face_set *set, int is_bad);

#endif
