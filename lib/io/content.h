/* SPDX-License-Identifier: MIT
 * The type of a file, determined from its bytes, and whether it is complete. */
#ifndef IO_CONTENT_H
#define IO_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { ANI_CONTENT_HEAD_SIZE = 8 };

/** Return a file's type from its first bytes, of which 8 are enough: "zip", "hdf5" or "any". */
const char *ani_content_type(const void *head, int64_t size);

/** Determine whether a file of that type is complete: a zip archive has its end record, and its
 * directory matches what precedes it; an HDF5 file is as long as it says. "any" counts as complete,
 * and so does a file that is well-formed but not supported here. */
an_status ani_content_is_whole(bool *is_whole, const char *path, const char *type, an_error *err);

#endif
