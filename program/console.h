/* SPDX-License-Identifier: MIT
 * What the programs say to a person, and the folders and paths that they need. */
#ifndef PROGRAM_CONSOLE_H
#define PROGRAM_CONSOLE_H

#include <attractivenet/attractivenet.h>

enum { PATH_SIZE = 4096 };

/** Print to stdout at once, unless quiet. */
void say(int32_t quiet, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Print why a call failed to stderr. Returns 1. */
int complain(const an_error *err);

/** Print an error of the program's own to stderr. Returns 1. */
int complain_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** For progress fields: show how far a call has come, if stdout is a terminal. user: int32_t
 * *quiet. */
int32_t show_progress(void *user, const an_progress *progress);

/** For warn fields: print a warning to stderr. */
int32_t show_warning(void *user, const an_warning *warning);

/** For text fields: print to stdout as it is. */
int32_t show_text(void *user, const char *text);

/** Write folder/name into path; a path that is too long ends the program. Returns path. */
const char *join_path(char path[PATH_SIZE], const char *folder, const char *name);

/** Make a folder and those above it. Returns 0, or 1 after saying why not. */
int make_folder(const char *path);

#endif
