/* SPDX-License-Identifier: MIT
 * What a file is by its own bytes, and whether all of it is there. */
#ifndef IO_CONTENT_H
#define IO_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { ANI_CONTENT_HEAD_SIZE = 8 };

/** Tell a file's type from its first bytes, of which 8 are enough: "zip", "hdf5", or "any". */
const char *ani_content_type(const void *head, int64_t size);

/** Find out whether a file of that type is whole: a zip archive has its end record, and its
 * directory fits what lies before; an HDF5 file is as long as it says. "any" tells nothing and is
 * taken as whole, and so is what is well formed but cannot be read here. */
an_status ani_content_is_whole(bool *is_whole, const char *path, const char *type, an_error *err);

#endif
