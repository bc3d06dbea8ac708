/* SPDX-License-Identifier: MIT
 * A data set that is being written, with the layout of SCUT-FBP5500: a zip archive or a folder. */
#ifndef PROGRAM_FACE_SET_H
#define PROGRAM_FACE_SET_H

#include "console.h"
#include "options.h"

#include <stdio.h>

/** The request of a command line. */
typedef struct face_request {
    const char *out;
    int32_t count, size, seed, quiet;
} face_request;

/** Fill in the defaults, and write the table of options. */
void face_request_rows(face_request *ask, option_row rows[OPTION_ROWS]);
extern const char face_usage[], face_about[]; /* for program_text */

/** A set in progress. */
typedef struct face_set {
    const char *out;        /* borrowed */
    char folder[PATH_SIZE]; /* where files are written: out, or a temporary folder to be packed */
    int is_archive;         /* out ends in ".zip" */
    int32_t count;          /* number of images begun */
    FILE *labels;
} face_set;

/** Begin a set. A folder must be new or empty; an existing archive is replaced at the end. Returns
 *  0, or 1 after printing why it failed: then face_set_end() is not needed. */
int face_set_begin(face_set *set, const char *out);

/** Write the path at which to store the next image. Returns path. */
const char *face_set_next(face_set *set, char path[PATH_SIZE]);

/** Write the score of the last image. */
void face_set_label(face_set *set, double score);

/** On a terminal: show the progress. */
void face_set_show(const face_set *set, const face_request *ask);

/** Complete the set or, with is_bad, abandon it: then nothing of an archive remains. Returns 0, or
 *  1 after printing why it failed, and if is_bad. */
int face_set_end(face_set *set, int is_bad);

#endif
