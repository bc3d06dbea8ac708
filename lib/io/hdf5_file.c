/* SPDX-License-Identifier: MIT
 * Groups and text attributes of an HDF5 file. Each function looks up its object again, link by
 * link: files have a few hundred arrays, and the checks cannot be forgotten this way. */
#include "io/hdf5_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "io/hdf5_object.h"

enum {
    MAX_LINKS = 100000, /* in one group */
    MAX_TEXTS = 100000  /* in one attribute */
};

void ani_names_clear(ani_names *names) {
    for (int64_t i = 0; i < names->count; i++)
        ani_free(names->items[i]);
    ani_free(names->items);
    *names = (ani_names){0};
}

static an_status add_name(ani_names *names, const char *text, int64_t size, an_error *err) {
    if (names->count == names->capacity) {
        const int64_t capacity = names->capacity ? 2 * names->capacity : 32;
        char **grown = ani_realloc(names->items, names->count * (int64_t)sizeof *grown,
                                   capacity * (int64_t)sizeof *grown);
        if (!grown) return ani_fail_memory(err, capacity * (int64_t)sizeof *grown, "names");
        names->items = grown;
        names->capacity = capacity;
    }
    char *copy = ani_alloc(size + 1);
    if (!copy) return ani_fail_memory(err, size + 1, "a name");
    if (size) memcpy(copy, text, (size_t)size);
    copy[size] = '\0';
    names->items[names->count++] = copy;
    return AN_OK;
}

an_status ani_hdf5_open(ani_hdf5 **out, const uint8_t *bytes, int64_t size, const char *name,
                        an_error *err) {
    *out = NULL;
    ani_hdf5 *file = ani_alloc_zero(1, sizeof *file);
    if (!file) return ani_fail_memory(err, sizeof *file, "an open HDF5 file");
    file->bytes = bytes;
    file->size = size;
    file->name = name;
    const an_status st = ani_hdf5_read_superblock(file, err);
    if (st)
        ani_hdf5_close(file);
    else
        *out = file;
    return st;
}

void ani_hdf5_close(ani_hdf5 *file) {
    ani_free(file);
}

/* --- groups ----------------------------------------------------------------------------------- */

an_status ani_hdf5_look(ani_hdf5 *file, const char *path, ani_hdf5_kind *kind, an_error *err) {
    int64_t object;
    *kind = ANI_HDF5_NOTHING;
    an_status st = ani_hdf5_find(file, path, &object, err);
    if (st || object < 0) return st;
    return ani_hdf5_kind_of(file, object, kind, err);
}

typedef struct link_list {
    const ani_hdf5 *file;
    ani_names *names;
} link_list;

static an_status add_link(void *user, const ani_hdf5_link *link, an_error *err) {
    link_list *list = user;
    if (list->names->count == MAX_LINKS)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s': a group has over %d members",
                        list->file->name, MAX_LINKS);
    if (!ani_is_utf8(link->name, link->size))
        return ani_fail(err, AN_ERR_FORMAT, "'%s': the name of a member is not UTF-8",
                        list->file->name);
    return add_name(list->names, link->name, link->size, err);
}

static int compare_names(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

an_status ani_hdf5_list(ani_hdf5 *file, const char *path, ani_names *names, an_error *err) {
    int64_t object;
    ani_hdf5_kind kind = ANI_HDF5_NOTHING;
    link_list list = {.file = file, .names = names};
    const int64_t first = names->count;
    an_status st = ani_hdf5_find(file, path, &object, err);
    if (!st && object >= 0) st = ani_hdf5_kind_of(file, object, &kind, err);
    if (st) return st;
    if (kind != ANI_HDF5_GROUP)
        return ani_fail(err, AN_ERR_FORMAT, "'%s': there is no group '%s'", file->name, path);
    st = ani_hdf5_links(file, object, add_link, &list, err);
    if (!st && names->count > first)
        qsort(names->items + first, (size_t)(names->count - first), sizeof *names->items,
              compare_names);
    return st;
}

/* --- attributes ------------------------------------------------------------------------------- */

typedef struct attribute {
    const char *name;
    int64_t name_size;
    const uint8_t *type, *space, *data;
    int64_t type_size, space_size, data_size;
} attribute;

static bool read_attribute(attribute *out, const ani_hdf5_message *message) {
    const uint8_t *p = message->data, *const end = p + message->size;
    if (message->is_shared || message->size < 8) return false;
    const int version = p[0];
    if (version < 1 || version > 3 || (version > 1 && p[1] != 0)) return false;
    const int64_t unit = version == 1 ? 8 : 1; /* version 1 pads to multiples of 8 */
    out->name_size = ani_hdf5_u16(p + 2);
    out->type_size = ani_hdf5_u16(p + 4);
    out->space_size = ani_hdf5_u16(p + 6);
    p += version == 3 ? 9 : 8;
    const int64_t need[3] = {(out->name_size + unit - 1) / unit * unit,
                             (out->type_size + unit - 1) / unit * unit,
                             (out->space_size + unit - 1) / unit * unit};
    if (p > end || need[0] + need[1] + need[2] > end - p) return false;
    out->name = (const char *)p;
    out->type = p + need[0];
    out->space = out->type + need[1];
    out->data = out->space + need[2];
    out->data_size = end - out->data;
    out->name_size = (int64_t)strnlen(out->name, (size_t)out->name_size);
    return true;
}

static an_status fail_attribute(const ani_hdf5 *file, const char *name, an_error *err) {
    return ani_fail(err, AN_ERR_FORMAT, "'%s': damaged attribute '%s'", file->name, name);
}

/* In new-style files, attributes beyond a certain number are stored in a fractal heap. */
static bool has_dense_attributes(const ani_hdf5_message *message) {
    const int64_t place = message->size >= 2 && message->data[1] & 1 ? 4 : 2;
    return message->size >= place + 8 && ani_hdf5_u64(message->data + place) != UINT64_MAX;
}

static an_status find_attribute(ani_hdf5 *file, int64_t object, const char *name, attribute *out,
                                bool *found, an_error *err) {
    ani_hdf5_messages walk;
    ani_hdf5_message message;
    bool more;
    *found = false;
    an_status st = ani_hdf5_messages_begin(&walk, file, object, err);
    while (!st) {
        st = ani_hdf5_messages_next(&walk, &message, &more, err);
        if (st || !more) break;
        if (message.type == ANI_HDF5_ATTRIBUTE_INFO && has_dense_attributes(&message))
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "'%s' stores attributes in a fractal heap; save it with h5py's default "
                            "libver",
                            file->name);
        if (message.type != ANI_HDF5_ATTRIBUTE) continue;
        if (!read_attribute(out, &message)) return fail_attribute(file, name, err);
        *found = out->name_size == (int64_t)strlen(name) &&
                 !memcmp(out->name, name, (size_t)out->name_size);
        if (*found) break;
    }
    return st;
}

static an_status add_text(ani_hdf5 *file, ani_names *texts, const char *text, int64_t size,
                          const char *name, an_error *err) {
    an_status st = ani_hdf5_spend(file, 1 + size / 16, err);
    if (st) return st;
    if (!ani_is_utf8(text, size))
        return ani_fail(err, AN_ERR_FORMAT, "'%s': a text of '%s' is not UTF-8", file->name, name);
    return add_name(texts, text, size, err);
}

/* Texts of fixed size, padded with NUL or blanks. */
static an_status read_fixed(ani_hdf5 *file, const attribute *from, const ani_hdf5_type *type,
                            int64_t count, const char *name, ani_names *texts, an_error *err) {
    enum { PAD_BLANK = 2 };
    const bool blanks = (type->bits & 15) == PAD_BLANK;
    if (count * type->size > from->data_size) /* at most MAX_TEXTS of 32 bits: no overflow */
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': attribute '%s' declares %" PRId64 " texts of %" PRId64
                        " bytes; it has %" PRId64,
                        file->name, name, count, type->size, from->data_size);
    an_status st = AN_OK;
    for (int64_t i = 0; i < count && !st; i++) {
        const char *text = (const char *)from->data + i * type->size;
        int64_t length = (int64_t)strnlen(text, (size_t)type->size);
        while (blanks && length > 0 && text[length - 1] == ' ')
            length--;
        st = add_text(file, texts, text, length, name, err);
    }
    return st;
}

/* Find an object in a global heap; NULL if it is not there. */
static const uint8_t *heap_object(ani_hdf5 *file, uint64_t address, uint32_t index, uint64_t *size,
                                  an_status *st, an_error *err) {
    enum { HEAD_SIZE = 16 };
    const uint8_t *p = ani_hdf5_at(file, address, HEAD_SIZE);
    if (!p || memcmp(p, "GCOL", 4) != 0) return NULL;
    const uint64_t all = ani_hdf5_u64(p + 8);
    if (all < HEAD_SIZE || !ani_hdf5_at(file, address, all)) return NULL;
    const uint8_t *const end = p + all;
    for (p += HEAD_SIZE; end - p >= HEAD_SIZE;) {
        *st = ani_hdf5_spend(file, 1, err);
        if (*st) return NULL;
        const uint32_t number = ani_hdf5_u16(p);
        *size = ani_hdf5_u64(p + 8);
        p += HEAD_SIZE;
        if (number == 0 || *size > (uint64_t)(end - p)) return NULL; /* 0: free from here on */
        if (number == index) return p;
        const uint64_t step = (*size + 7) / 8 * 8;
        if (step > (uint64_t)(end - p)) return NULL;
        p += step;
    }
    return NULL;
}

/* Variable-length texts, which are stored in the global heap. */
static an_status read_variable(ani_hdf5 *file, const attribute *from, int64_t count,
                               const char *name, ani_names *texts, an_error *err) {
    enum { EACH = 16 }; /* length, address, index */
    an_status st = AN_OK;
    if (count > from->data_size / EACH) return fail_attribute(file, name, err);
    for (int64_t i = 0; i < count && !st; i++) {
        const uint8_t *p = from->data + i * EACH;
        const uint64_t length = ani_hdf5_u32(p), address = ani_hdf5_u64(p + 4);
        const uint32_t index = ani_hdf5_u32(p + 12);
        const char *text = "";
        uint64_t size = 0;
        if (length > 0) {
            text = (const char *)heap_object(file, address, index, &size, &st, err);
            if (st) break;
            if (!text || length > size) return fail_attribute(file, name, err);
            size = strnlen(text, (size_t)length);
        }
        st = add_text(file, texts, text, (int64_t)size, name, err);
    }
    return st;
}

an_status ani_hdf5_texts(ani_hdf5 *file, const char *path, const char *name, ani_names *texts,
                         bool *found, an_error *err) {
    int64_t object;
    attribute from = {0};
    ani_hdf5_type type;
    ani_hdf5_shape shape;
    *found = false;
    an_status st = ani_hdf5_find(file, path, &object, err);
    if (!st && object >= 0) st = find_attribute(file, object, name, &from, found, err);
    if (st || !*found) return st;
    const int64_t count = ani_hdf5_read_space(&shape, from.space, from.space_size);
    if (!ani_hdf5_read_type(&type, from.type, from.type_size))
        return fail_attribute(file, name, err);
    if (count == 0) return AN_OK; /* Keras writes an empty list as float64 */
    const bool is_variable = type.class_number == ANI_HDF5_CLASS_VARIABLE && (type.bits & 15) == 1;
    if ((type.class_number != ANI_HDF5_CLASS_STRING && !is_variable) || count < 0 || shape.rank > 1)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': attribute '%s' is neither a string nor a list of strings",
                        file->name, name);
    if (count > MAX_TEXTS)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': attribute '%s' has %" PRId64 " texts; at most %d are read",
                        file->name, name, count, MAX_TEXTS);
    return is_variable ? read_variable(file, &from, count, name, texts, err)
                       : read_fixed(file, &from, &type, count, name, texts, err);
}
