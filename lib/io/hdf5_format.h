/* SPDX-License-Identifier: MIT
 * The lower half of the HDF5 reader: from the file's bytes to objects, their messages and links.
 *
 * Format: HDF5 File Format Specification 3.0. Supported is what Keras and h5py write (superblocks 0
 * to 3 with 8-byte addresses, object headers 1 and 2, groups as symbol tables or link messages),
 * but not groups and attributes in fractal heaps, which only very large new-style files have.
 *
 * Nothing is trusted: each address is checked against the file before it is followed, and the work
 * that one file can cause is limited, so that cycles of links or blocks end. */
#ifndef IO_HDF5_FORMAT_H
#define IO_HDF5_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "io/hdf5_types.h"

struct ani_hdf5 {
    const uint8_t *bytes; /* of the file; borrowed */
    int64_t size;
    const char *name;       /* for messages */
    int64_t root;           /* address of the root group's object header */
    int64_t work;           /* entries, messages and 16-byte units of data processed so far */
    int64_t bytes_read;     /* in arrays, as stored */
    int64_t bytes_unpacked; /* in arrays with filters, without these */
};

enum {
    ANI_HDF5_DATASPACE = 0x01,
    ANI_HDF5_LINK_INFO = 0x02,
    ANI_HDF5_DATATYPE = 0x03,
    ANI_HDF5_LINK = 0x06,
    ANI_HDF5_EXTERNAL_FILES = 0x07,
    ANI_HDF5_LAYOUT = 0x08,
    ANI_HDF5_FILTERS = 0x0b,
    ANI_HDF5_ATTRIBUTE = 0x0c,
    ANI_HDF5_CONTINUATION = 0x10,
    ANI_HDF5_SYMBOL_TABLE = 0x11,
    ANI_HDF5_ATTRIBUTE_INFO = 0x15
};

/* Numbers, little-endian like all of the format's own. */
uint32_t ani_hdf5_u16(const uint8_t *p);
uint32_t ani_hdf5_u32(const uint8_t *p);
uint64_t ani_hdf5_u64(const uint8_t *p);

/** Return a pointer to the size bytes at address; NULL if they are not all in the file. */
const uint8_t *ani_hdf5_at(const ani_hdf5 *file, uint64_t address, uint64_t size);

/** Count work done; AN_ERR_UNSUPPORTED once it is too much for any genuine file. */
an_status ani_hdf5_spend(ani_hdf5 *file, int64_t work, an_error *err);

/** Find the root group. */
an_status ani_hdf5_read_superblock(ani_hdf5 *file, an_error *err);

/** One message of an object header; data [size] lies in the file. */
typedef struct ani_hdf5_message {
    int type;
    bool is_shared; /* data only says where the message is */
    const uint8_t *data;
    int64_t size;
} ani_hdf5_message;

/** A walk over the messages of an object header. */
typedef struct ani_hdf5_messages {
    ani_hdf5 *file;
    int version;
    int head_size;
    const uint8_t *next, *end;
    int blocks; /* continuation blocks noted */
    int blocks_done;
    struct {
        uint64_t address, size;
    } block[64];
} ani_hdf5_messages;

an_status ani_hdf5_messages_begin(ani_hdf5_messages *walk, ani_hdf5 *file, int64_t object,
                                  an_error *err);
/** Get the next message; *found is false at the end. Continuations are followed, not returned. */
an_status ani_hdf5_messages_next(ani_hdf5_messages *walk, ani_hdf5_message *message, bool *found,
                                 an_error *err);
/** Find the first message of a type. */
an_status ani_hdf5_find_message(ani_hdf5 *file, int64_t object, int type, ani_hdf5_message *message,
                                bool *found, an_error *err);

/** One link of a group. */
typedef struct ani_hdf5_link {
    const char *name; /* [size], in the file, without a zero */
    int64_t size;
    enum { ANI_HDF5_HARD, ANI_HDF5_SOFT, ANI_HDF5_EXTERNAL } kind;
    int64_t object; /* hard: address of the object header */
} ani_hdf5_link;

/** Called for each link; a status other than AN_OK ends the walk, which returns it (AN_DONE:
 * found). */
typedef an_status (*ani_hdf5_link_fn)(void *user, const ani_hdf5_link *link, an_error *err);

/** Walk over the links of a group, in file order. */
an_status ani_hdf5_links(ani_hdf5 *file, int64_t group, ani_hdf5_link_fn take, void *user,
                         an_error *err);

#endif
