/* SPDX-License-Identifier: MIT
 * All memory of the library comes from here: 64-byte aligned, and able to fail in tests. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/size.h"

enum { ANI_ALIGNMENT = 64 };

/** Return size bytes, aligned to 64, contents undefined; NULL if there are none (or size < 0). Size
 * 0 gives a pointer that may be freed. */
void *ani_alloc(int64_t size);
/** The same, zeroed; from count elements of size bytes, checked for overflow. */
void *ani_alloc_zero(int64_t count, int64_t size);
/** Grow or shrink; old contents stay up to the smaller size. On failure NULL, and old stays valid.
 */
void *ani_realloc(void *old, int64_t old_size, int64_t new_size);
/** Copy a string; NULL if there is no memory or text is NULL. */
char *ani_strdup(const char *text);
/** Free; NULL is allowed. */
void ani_free(void *memory);

/** Return size bytes for an arena: page-aligned, zero, huge pages asked for. Free with
 *  ani_free_large() and the same size. NULL if there are none. */
void *ani_alloc_large(int64_t size);
void ani_free_large(void *memory, int64_t size);

#endif
