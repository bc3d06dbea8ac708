/* SPDX-License-Identifier: MIT
 * A file that gets its name once everything is on disk: until then an existing one stays. */
#ifndef PROGRAM_RESULT_FILE_H
#define PROGRAM_RESULT_FILE_H

#include "console.h"

#include <stdio.h>

typedef struct result_file {
    FILE *file;
    char path[PATH_SIZE], part[PATH_SIZE + 8];
} result_file;

/* Both return 0, or 1 after printing why they failed. */

/** Begin to write a file. */
int result_file_begin(result_file *to, const char *path);
/** End it: flush, sync, rename. */
int result_file_end(result_file *to);

#endif
