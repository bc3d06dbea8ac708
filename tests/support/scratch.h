/* SPDX-License-Identifier: MIT
 * Temporary folders, removed with their contents. */
#ifndef SUPPORT_SCRATCH_H
#define SUPPORT_SCRATCH_H

#include <stdbool.h>

/** Create an empty folder in TMPDIR if that is set, otherwise in the system's temporary folder;
 * in_memory: otherwise in memory if possible, for programs that sync a lot. Free with
 * scratch_remove(); NULL: it cannot be created. */
char *scratch_make(bool in_memory);
/** Remove the contents of a folder. */
void scratch_clear(const char *folder);
/** Remove a folder with its contents and free its name; NULL is allowed. */
void scratch_remove(char *folder);

#endif
