/* SPDX-License-Identifier: MIT
 * A small, careful HDF5 reader: groups, text attributes and arrays of numbers from a file in
 * memory. It refuses links that are not hard links, virtual and external storage, filters other
 * than deflate, shuffle and fletcher32, and arrays that declare more bytes than the file has; with
 * filters, more than 200 times as many after the first MiB.
 *
 * libhdf5 is not used: a single flipped bit in a file makes version 1.10 write to freed memory
 * (docs/reliability.md), and Keras writes only a small part of the format.
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

/** Open a file whose bytes are in memory; they and name (for messages) are used until close.
 * AN_ERR_FORMAT if it is not HDF5 or is damaged; AN_ERR_UNSUPPORTED for parts of the format that
 * Keras does not write. */
an_status ani_hdf5_open(ani_hdf5 **out, const uint8_t *bytes, int64_t size, const char *name,
                        an_error *err);
void ani_hdf5_close(ani_hdf5 *file); /* NULL is allowed */

/** Find out what is at path; ANI_HDF5_NOTHING is not an error. */
an_status ani_hdf5_look(ani_hdf5 *file, const char *path, ani_hdf5_kind *kind, an_error *err);
/** Append the names of a group's members, sorted by bytes. */
an_status ani_hdf5_list(ani_hdf5 *file, const char *path, ani_names *names, an_error *err);
/** Append the texts of an attribute of a group or array: one, or a list. An empty list of any type
 * adds none. *found tells whether the attribute exists. */
an_status ani_hdf5_texts(ani_hdf5 *file, const char *path, const char *attribute, ani_names *texts,
                         bool *found, an_error *err);
/** Inspect an array of numbers, and check that it can be read. */
an_status ani_hdf5_shape_of(ani_hdf5 *file, const char *path, ani_hdf5_shape *shape, an_error *err);
/** Read it, converted to float32, into data with room for the shape's values. All arrays read from
 * one file together must not be stored in more bytes than the file has: arrays do not share their
 * bytes. The limit for arrays with filters applies to all of them together, too. */
an_status ani_hdf5_read(ani_hdf5 *file, const char *path, float *data, an_error *err);

#endif
