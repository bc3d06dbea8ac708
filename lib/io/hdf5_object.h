/* SPDX-License-Identifier: MIT
 * The middle layer of the HDF5 reader, used for text attributes and arrays: it finds the object at
 * a path, and reads the messages that give the type and shape of an attribute or array. */
#ifndef IO_HDF5_OBJECT_H
#define IO_HDF5_OBJECT_H

#include "io/hdf5_format.h"

/** Find what is at path, following only hard links: *object is the address of its header; -1 and
 * the status AN_OK if there is nothing. */
an_status ani_hdf5_find(ani_hdf5 *file, const char *path, int64_t *object, an_error *err);
/** Tell a group from an array. */
an_status ani_hdf5_kind_of(ani_hdf5 *file, int64_t object, ani_hdf5_kind *kind, an_error *err);

enum {
    ANI_HDF5_CLASS_INTEGER = 0,
    ANI_HDF5_CLASS_FLOAT = 1,
    ANI_HDF5_CLASS_STRING = 3,
    ANI_HDF5_CLASS_OPAQUE = 5,
    ANI_HDF5_CLASS_VARIABLE = 9
};

/** A datatype message. */
typedef struct ani_hdf5_type {
    int class_number; /* ANI_HDF5_CLASS_*, or one that is not supported */
    uint32_t bits;
    int64_t size;        /* bytes of an element, above 0 */
    const uint8_t *more; /* [more_size], in the file: what else the class has */
    int64_t more_size;
} ani_hdf5_type;

/** Read a datatype message; false if it is damaged. */
bool ani_hdf5_read_type(ani_hdf5_type *type, const uint8_t *data, int64_t size);
/** Read a dataspace message of rank at most ANI_SHAPE_MAX_RANK: returns the number of its elements,
 * or -1 if it is not supported. A null dataspace has 0. */
int64_t ani_hdf5_read_space(ani_hdf5_shape *shape, const uint8_t *data, int64_t size);

#endif
