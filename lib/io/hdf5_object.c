/* SPDX-License-Identifier: MIT
 * Finds the object at a path, and its type and shape. */
#include "io/hdf5_object.h"

#include <string.h>

#include "base/size.h"

enum { MAX_PART = 1024 }; /* bytes in one part of a path */

an_status ani_hdf5_kind_of(ani_hdf5 *file, int64_t object, ani_hdf5_kind *kind, an_error *err) {
    ani_hdf5_messages walk;
    ani_hdf5_message message;
    bool found;
    *kind = ANI_HDF5_NOTHING;
    an_status st = ani_hdf5_messages_begin(&walk, file, object, err);
    while (!st && *kind == ANI_HDF5_NOTHING) {
        st = ani_hdf5_messages_next(&walk, &message, &found, err);
        if (st || !found) break;
        if (message.type == ANI_HDF5_SYMBOL_TABLE || message.type == ANI_HDF5_LINK_INFO ||
            message.type == ANI_HDF5_LINK)
            *kind = ANI_HDF5_GROUP;
        if (message.type == ANI_HDF5_LAYOUT) *kind = ANI_HDF5_ARRAY;
    }
    return st;
}

/* A name that is looked for. */
typedef struct search {
    const char *name;
    int64_t size;
    ani_hdf5_link found;
} search;

static an_status match_link(void *user, const ani_hdf5_link *link, an_error *err) {
    search *wanted = user;
    (void)err;
    if (link->size != wanted->size || memcmp(link->name, wanted->name, (size_t)link->size) != 0)
        return AN_OK;
    wanted->found = *link;
    return AN_DONE;
}

an_status ani_hdf5_find(ani_hdf5 *file, const char *path, int64_t *object, an_error *err) {
    int64_t here = file->root;
    *object = -1;
    for (const char *rest = path; *rest;) {
        const size_t length = strcspn(rest, "/");
        ani_hdf5_kind kind;
        if (length == 0) {
            rest++;
            continue;
        }
        if (length >= MAX_PART)
            return ani_fail(err, AN_ERR_FORMAT, "'%s': a name has %zu bytes; the limit is %d",
                            file->name, length, MAX_PART - 1);
        an_status st = ani_hdf5_kind_of(file, here, &kind, err);
        if (st || kind != ANI_HDF5_GROUP) return st;
        search wanted = {.name = rest, .size = (int64_t)length};
        st = ani_hdf5_links(file, here, match_link, &wanted, err);
        if (st != AN_DONE) return st;
        if (wanted.found.kind != ANI_HDF5_HARD)
            return ani_fail(
                err, AN_ERR_FORMAT,
                "'%s': '%.*s' in '%s' is %s link; only data in the file itself is supported",
                file->name, (int)length, rest, path,
                wanted.found.kind == ANI_HDF5_SOFT ? "a soft" : "an external");
        here = wanted.found.object;
        rest += length;
    }
    *object = here;
    return AN_OK;
}

bool ani_hdf5_read_type(ani_hdf5_type *type, const uint8_t *data, int64_t size) {
    if (size < 8) return false;
    type->class_number = data[0] & 15;
    type->bits = ani_hdf5_u32(data) >> 8;
    type->size = ani_hdf5_u32(data + 4);
    type->more = data + 8;
    type->more_size = size - 8;
    return type->size > 0;
}

int64_t ani_hdf5_read_space(ani_hdf5_shape *shape, const uint8_t *data, int64_t size) {
    enum { KIND_NULL = 2 };
    int64_t count;
    *shape = (ani_hdf5_shape){0};
    if (size < 4) return -1;
    const int version = data[0], rank = data[1];
    const int64_t head = version == 1 ? 8 : 4;
    if ((version != 1 && version != 2) || rank > ANI_SHAPE_MAX_RANK || size < head + rank * 8)
        return -1;
    if (version == 2 && data[3] == KIND_NULL) return 0;
    shape->rank = rank;
    for (int i = 0; i < rank; i++) {
        const uint64_t length = ani_hdf5_u64(data + head + 8 * i);
        if (length > INT64_MAX) return -1;
        shape->lengths[i] = (int64_t)length;
    }
    return ani_shape_count(shape->lengths, rank, &count) ? count : -1;
}
