/* SPDX-License-Identifier: MIT
 * Folders for tests to fill: created empty, removed with their contents, listed. */
#ifndef SUPPORT_FOLDER_H
#define SUPPORT_FOLDER_H

#include <stdint.h>

/** Create an empty temporary folder. Free with folder_remove(). Fails the test on error. */
char *folder_make(void);
/** Remove a folder with its contents and free its name; NULL is allowed. */
void folder_remove(char *folder);
/** Return folder/name in a static ring of buffers (valid for the next 8 calls). */
const char *folder_path(const char *folder, const char *name);
/** Return the number of entries in a folder (without "." and ".."); 0 if there is no such
 * folder. */
int64_t folder_count(const char *folder);
/** Call visit with the name of each entry, sorted by bytes. */
void folder_walk(const char *folder, void (*visit)(void *user, const char *name), void *user);

/** Read a whole file; free() it; fails the test on error. A zero byte follows, which *size does not
 * count. */
uint8_t *folder_read(const char *path, int64_t *size);
/** Write a whole file; fails the test on error. */
void folder_write(const char *path, const void *bytes, int64_t size);
/** The same for a text, without its zero. */
void folder_write_text(const char *path, const char *text);

#endif
