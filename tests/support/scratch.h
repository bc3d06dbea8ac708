/* SPDX-License-Identifier: MIT
 * Folders for a time: where temporary files go, and gone with all that is in them. */
#ifndef SUPPORT_SCRATCH_H
#define SUPPORT_SCRATCH_H

#include <stdbool.h>

/** Make an empty folder in TMPDIR, else where the system keeps temporary files; in_memory: else in
 * memory if that can be had, for programs that sync a lot. Free with scratch_remove(); NULL: it
 * cannot be made. */
char *scratch_make(bool in_memory);
/** Remove what is in a folder. */
void scratch_clear(const char *folder);
/** Remove a folder with all that is in it, free its name; NULL is allowed. */
void scratch_remove(char *folder);

#endif
