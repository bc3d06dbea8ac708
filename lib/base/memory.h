/* SPDX-License-Identifier: MIT
 * All of the library's memory comes from here: it is 64-byte aligned, and tests can make
 * allocations fail. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/size.h"

enum { ANI_ALIGNMENT = 64 };

/** Return size bytes, aligned to 64, contents undefined; NULL if out of memory or if size < 0. Size
 * 0 gives a pointer that can be freed. */
void *ani_alloc(int64_t size);
/** The same, zeroed, for count elements of size bytes; checked for overflow. */
void *ani_alloc_zero(int64_t count, int64_t size);
/** Grow or shrink; the contents are kept up to the smaller size. Returns NULL on failure, and old
 * stays valid. */
void *ani_realloc(void *old, int64_t old_size, int64_t new_size);
/** Copy a string; NULL if out of memory or if text is NULL. */
char *ani_strdup(const char *text);
/** Free; NULL is allowed. */
void ani_free(void *memory);

/** Return size bytes for an arena: page-aligned, zeroed, in huge pages where possible. Free with
 * ani_free_large() and the same size. NULL if out of memory. */
void *ani_alloc_large(int64_t size);
void ani_free_large(void *memory, int64_t size);

#endif
