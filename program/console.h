/* SPDX-License-Identifier: MIT
 * Console output of the programs, and the folders and paths that they need. */
#ifndef PROGRAM_CONSOLE_H
#define PROGRAM_CONSOLE_H

#include <attractivenet/attractivenet.h>

enum { PATH_SIZE = 4096 };

/** Print to stdout and flush, unless quiet. */
void say(int32_t quiet, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Print why a call failed to stderr. Returns 1. */
int complain(const an_error *err);

/** Print an error of the program itself to stderr. Returns 1. */
int complain_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** For progress fields: show the progress of a call if stdout is a terminal. user: int32_t *quiet.
 */
int32_t show_progress(void *user, const an_progress *progress);

/** For warn fields: print a warning to stderr. */
int32_t show_warning(void *user, const an_warning *warning);
/** Show no more warnings: another process shows the same. */
void hide_warnings(void);

/** Print to stderr which device "auto" took, and why if it is not a GPU; nothing if another device
 *  was asked for. */
void show_device(const char *asked, an_backend *backend);

/** For text fields: print to stdout as is. */
int32_t show_text(void *user, const char *text);

/** Write folder/name to path; exits if the path is too long. Returns path. */
const char *join_path(char path[PATH_SIZE], const char *folder, const char *name);

/** Create a folder and its parents. Returns 0, or 1 after printing why it failed. */
int make_folder(const char *path);

#endif
