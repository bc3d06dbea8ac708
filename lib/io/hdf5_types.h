/* SPDX-License-Identifier: MIT
 * Types shared by the parts of the HDF5 reader. */
#ifndef IO_HDF5_TYPES_H
#define IO_HDF5_TYPES_H

#include <stdint.h>

#include "base/shape.h"

/** An open file. Only one thread at a time may use it. */
typedef struct ani_hdf5 ani_hdf5;

typedef enum ani_hdf5_kind { ANI_HDF5_NOTHING, ANI_HDF5_GROUP, ANI_HDF5_ARRAY } ani_hdf5_kind;

typedef struct ani_hdf5_shape {
    int32_t rank;
    int64_t lengths[ANI_SHAPE_MAX_RANK];
} ani_hdf5_shape;

#endif
