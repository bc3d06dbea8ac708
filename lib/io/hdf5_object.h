/* SPDX-License-Identifier: MIT
 * The middle of the HDF5 reader, on which text attributes and arrays stand: from a path to the
 * object there, and the messages that tell type and shape of either. */
#ifndef IO_HDF5_OBJECT_H
#define IO_HDF5_OBJECT_H

#include "io/hdf5_format.h"

/** Find what is at path, over hard links alone: *object is the address of its header; -1 and the
 * status AN_OK if there is nothing. */
an_status ani_hdf5_find(ani_hdf5 *file, const char *path, int64_t *object, an_error *err);
/** Tell a group from an array. */
an_status ani_hdf5_kind_of(ani_hdf5 *file, int64_t object, ani_hdf5_kind *kind, an_error *err);

enum {
    ANI_HDF5_CLASS_INTEGER = 0,
    ANI_HDF5_CLASS_FLOAT = 1,
    ANI_HDF5_CLASS_STRING = 3,
    ANI_HDF5_CLASS_VARIABLE = 9
};

/** A datatype message. */
typedef struct ani_hdf5_type {
    int class_number; /* ANI_HDF5_CLASS_*, or one that we do not read */
    uint32_t bits;
    int64_t size;        /* bytes of an element, over 0 */
    const uint8_t *more; /* [more_size], in the file: what the class has beside */
    int64_t more_size;
} ani_hdf5_type;

/** Read a datatype message; false if it is damaged. */
bool ani_hdf5_read_type(ani_hdf5_type *type, const uint8_t *data, int64_t size);
/** Read a dataspace message of rank at most ANI_SHAPE_MAX_RANK: the number of its elements, -1 if
 * it is none that we read. A null dataspace has none. */
int64_t ani_hdf5_read_space(ani_hdf5_shape *shape, const uint8_t *data, int64_t size);

#endif
