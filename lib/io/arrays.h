/* SPDX-License-Identifier: MIT
 * What the readers of weight files need beyond the public list of named arrays. */
#ifndef IO_ARRAYS_H
#define IO_ARRAYS_H

#include <attractivenet/io.h>

#include "base/file.h"

/** Append an array whose values the caller fills in: *data points to room for all of them, borrowed
 * from the list. Errors are AN_ERR_FORMAT, not AN_ERR_ARG as in an_arrays_add(), since the fault is
 * in a file. */
an_status ani_arrays_append(an_arrays *arrays, const char *name, const int64_t *shape, int32_t rank,
                            float **data, an_error *err);

/** an_arrays_read() of a file that is open. */
an_status ani_arrays_read_file(an_arrays **out, ani_file *file, an_error *err);

#endif
