/* SPDX-License-Identifier: MIT
 * What the readers of weight files need beyond the public list of named arrays. */
#ifndef IO_ARRAYS_H
#define IO_ARRAYS_H

#include <attractivenet/io.h>

#include <stdbool.h>

#include "base/file.h"

/** Append an array whose values the caller fills in: *data points to room for all of them, borrowed
 * from the list. Errors are AN_ERR_FORMAT, not AN_ERR_ARG as in an_arrays_add(), since the fault is
 * in a file. */
an_status ani_arrays_append(an_arrays *arrays, const char *name, const int64_t *shape, int32_t rank,
                            float **data, an_error *err);

/** an_arrays_read() of a file that is open. */
an_status ani_arrays_read_file(an_arrays **out, ani_file *file, an_error *err);

/** Give an array another shape of as many values; returns these, to be rearranged. */
float *ani_arrays_reshape(an_arrays *arrays, int64_t index, const int64_t *shape, int32_t rank);

/** Remember that an array's values were whole numbers, of an integer type, in its file. */
void ani_arrays_mark_whole(an_arrays *arrays, int64_t index);
bool ani_arrays_is_whole(const an_arrays *arrays, int64_t index);

#endif
