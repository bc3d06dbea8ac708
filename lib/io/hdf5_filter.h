/* SPDX-License-Identifier: MIT
 * The filters of chunked arrays in HDF5: deflate (gzip), shuffle and fletcher32. */
#ifndef IO_HDF5_FILTER_H
#define IO_HDF5_FILTER_H

#include "io/hdf5_format.h"

/** The filters of an array, in the order in which they were applied to a chunk. */
typedef struct ani_hdf5_filters {
    int32_t count;
    int32_t id[8];
    uint32_t element[8]; /* shuffle: bytes of an element */
} ani_hdf5_filters;

/** Read a filter message. AN_ERR_UNSUPPORTED names a filter that is not one of the three. */
an_status ani_hdf5_read_filters(ani_hdf5_filters *out, const ani_hdf5 *file,
                                const ani_hdf5_message *message, const char *path, an_error *err);

/** What undoing filters needs. Begin with {0}. */
typedef struct ani_hdf5_unfilter {
    const ani_hdf5_filters *filters;
    int64_t chunk_size; /* bytes of a chunk without its filters */
    uint8_t *buffers[2];
    void *inflater;
} ani_hdf5_unfilter;

/** Undo the filters of one chunk; filter i was left out if bit i of mask is set. *chunk then has
 * chunk_size bytes: those of stored, or of a buffer that the next call overwrites.
 * AN_ERR_FORMAT: damaged, or not of that size; it never unpacks more. */
an_status ani_hdf5_unfilter_chunk(ani_hdf5_unfilter *undo, const ani_hdf5 *file, const char *path,
                                  const uint8_t *stored, int64_t size, uint32_t mask,
                                  const uint8_t **chunk, an_error *err);
void ani_hdf5_unfilter_end(ani_hdf5_unfilter *undo); /* of {0} too */

#endif
