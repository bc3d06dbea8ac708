/* SPDX-License-Identifier: MIT
 * A small, careful way to read HDF5: groups, text attributes and arrays of numbers from a file in
 * memory. Refused are links that are not hard, virtual and external storage, filters, and arrays
 * that declare more bytes than the file has.
 *
 * libhdf5 is not used: a single flipped bit in a file makes version 1.10 write to memory that it
 * has given back (docs/reliability.md), and what Keras writes is a small part of the format.
 *
 * A path is relative to the root, its parts joined by '/'; "" is the root. */
#ifndef IO_HDF5_FILE_H
#define IO_HDF5_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "io/hdf5_types.h"

/** Texts in order. {0} is empty. */
typedef struct ani_names {
    char **items;
    int64_t count, capacity;
} ani_names;

void ani_names_clear(ani_names *names);

/** Open a file of which the bytes are in memory; they and name (for messages) are kept until close.
 * AN_ERR_FORMAT if they are no HDF5 or damaged; AN_ERR_UNSUPPORTED for parts of the format that
 * Keras does not write. */
an_status ani_hdf5_open(ani_hdf5 **out, const uint8_t *bytes, int64_t size, const char *name,
                        an_error *err);
void ani_hdf5_close(ani_hdf5 *file); /* NULL is allowed */

/** Tell what is at path; ANI_HDF5_NOTHING is no error. */
an_status ani_hdf5_look(ani_hdf5 *file, const char *path, ani_hdf5_kind *kind, an_error *err);
/** Append the names of what is in a group, sorted by bytes. */
an_status ani_hdf5_list(ani_hdf5 *file, const char *path, ani_names *names, an_error *err);
/** Append the texts of an attribute of a group or array: one, or a list. An empty list of whatever
 * type adds none. *found tells whether the attribute is there. */
an_status ani_hdf5_texts(ani_hdf5 *file, const char *path, const char *attribute, ani_names *texts,
                         bool *found, an_error *err);
/** Look at an array of numbers, and check that it may be read. */
an_status ani_hdf5_shape_of(ani_hdf5 *file, const char *path, ani_hdf5_shape *shape, an_error *err);
/** Read it, converted to float32, into data with room for the shape's values. All that is read from
 * one file together must not be more than the file has: arrays do not share their bytes. */
an_status ani_hdf5_read(ani_hdf5 *file, const char *path, float *data, an_error *err);

#endif
