/* SPDX-License-Identifier: MIT
 * Writes HDF5 files: groups, arrays of floats, and attributes that are texts. A file is described
 * first, then written from its first byte to its last, any number of times.
 *
 * The parts of the format are those that h5py uses for Keras' files: superblock 0, groups as symbol
 * tables, contiguous arrays, texts in a global heap. The same description gives the same bytes. */
#ifndef IO_HDF5_WRITE_H
#define IO_HDF5_WRITE_H

#include <stdint.h>

#include "base/file.h"
#include "base/text.h"

/** A group or an array. */
typedef struct ani_hdf5_node ani_hdf5_node;

/** The description of a file. {0} is an empty file. If memory runs out, failed becomes true and
 * stays so, and nothing more is added; ani_hdf5_end() reports it. */
typedef struct ani_hdf5_draft {
    ani_hdf5_node *nodes; /* the first is the root */
    int64_t count, capacity;
    int64_t data_size; /* of the arrays, each padded to 8 bytes */
    ani_text heap;     /* texts of attributes */
    int64_t text_count;
    ani_text tables;      /* all that follows the arrays */
    int64_t root_address; /* of the root's header */
    bool failed;
} ani_hdf5_draft;

enum {
    ANI_HDF5_ROOT = 0,          /* index of the root group */
    ANI_HDF5_MAX_MEMBERS = 256, /* of a group */
    ANI_HDF5_MAX_LIST = 64512   /* an attribute must be smaller than 64 KiB */
};

/** Add a group to a group; returns its index. Names are copied. */
int64_t ani_hdf5_add_group(ani_hdf5_draft *draft, int64_t group, const char *name);
/** Add an array of floats to a group. rank: 1 to 4. data is borrowed until the draft is cleared. */
void ani_hdf5_add_array(ani_hdf5_draft *draft, int64_t group, const char *name,
                        const int64_t *shape, int32_t rank, const float *data);
/** Add an attribute to a group: a UTF-8 text of any length but 0. */
void ani_hdf5_add_text(ani_hdf5_draft *draft, int64_t group, const char *name, const char *text);
/** Add an attribute to a group: a list of texts. One of over ANI_HDF5_MAX_LIST bytes is split into
 * attributes NAME0, NAME1, ... as in Keras. */
void ani_hdf5_add_list(ani_hdf5_draft *draft, int64_t group, const char *name,
                       const char *const *texts, int64_t count);

/** Finish the description. AN_ERR_NOMEM; AN_ERR_UNSUPPORTED: a group has over ANI_HDF5_MAX_MEMBERS
 * members. */
an_status ani_hdf5_end(ani_hdf5_draft *draft, an_error *err);

/** Pass the bytes of the file to put, in order. */
an_status ani_hdf5_write(const ani_hdf5_draft *draft, ani_put_fn put, void *user, an_error *err);
void ani_hdf5_clear(ani_hdf5_draft *draft);

#endif
