/* SPDX-License-Identifier: MIT
 * Groups, text attributes and arrays of an HDF5 file. Each function finds its object anew, link by
 * link: files have some hundreds of arrays, and the checks then cannot be forgotten. */
#include "io/hdf5_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/size.h"
#include "base/text.h"
#include "io/hdf5_format.h"

enum {
    MAX_LINKS = 100000, /* in one group */
    MAX_TEXTS = 100000, /* in one attribute */
    MAX_PART = 1024,    /* bytes in one part of a path */
    CLASS_INTEGER = 0,
    CLASS_FLOAT = 1,
    CLASS_STRING = 3,
    CLASS_VARIABLE = 9
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

/* --- objects -----------------------------------------------------------------------------------
 */

static an_status look_at(ani_hdf5 *file, int64_t object, ani_hdf5_kind *kind, an_error *err) {
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

/* Find what is at path, over hard links alone. *object is -1 and the status AN_OK if there is
 * nothing. */
static an_status find_object(ani_hdf5 *file, const char *path, int64_t *object, an_error *err) {
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
            return ani_fail(err, AN_ERR_FORMAT, "'%s': a name has %zu bytes; it may have %d",
                            file->name, length, MAX_PART - 1);
        an_status st = look_at(file, here, &kind, err);
        if (st || kind != ANI_HDF5_GROUP) return st;
        search wanted = {.name = rest, .size = (int64_t)length};
        st = ani_hdf5_links(file, here, match_link, &wanted, err);
        if (st != AN_DONE) return st;
        if (wanted.found.kind != ANI_HDF5_HARD)
            return ani_fail(
                err, AN_ERR_FORMAT,
                "'%s': '%.*s' in '%s' is %s link; only what is in the file itself is read",
                file->name, (int)length, rest, path,
                wanted.found.kind == ANI_HDF5_SOFT ? "a soft" : "an external");
        here = wanted.found.object;
        rest += length;
    }
    *object = here;
    return AN_OK;
}

an_status ani_hdf5_look(ani_hdf5 *file, const char *path, ani_hdf5_kind *kind, an_error *err) {
    int64_t object;
    *kind = ANI_HDF5_NOTHING;
    an_status st = find_object(file, path, &object, err);
    if (st || object < 0) return st;
    return look_at(file, object, kind, err);
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
    an_status st = find_object(file, path, &object, err);
    if (!st && object >= 0) st = look_at(file, object, &kind, err);
    if (st) return st;
    if (kind != ANI_HDF5_GROUP)
        return ani_fail(err, AN_ERR_FORMAT, "'%s': there is no group '%s'", file->name, path);
    st = ani_hdf5_links(file, object, add_link, &list, err);
    if (!st && names->count > first)
        qsort(names->items + first, (size_t)(names->count - first), sizeof *names->items,
              compare_names);
    return st;
}

/* --- types and shapes --------------------------------------------------------------------------
 */

/* A datatype message. */
typedef struct type_head {
    int class_number;
    uint32_t bits;
    int64_t size; /* bytes of an element */
    const uint8_t *more;
    int64_t more_size;
} type_head;

static bool read_type(type_head *type, const uint8_t *data, int64_t size) {
    if (size < 8) return false;
    type->class_number = data[0] & 15;
    type->bits = ani_hdf5_u32(data) >> 8;
    type->size = ani_hdf5_u32(data + 4);
    type->more = data + 8;
    type->more_size = size - 8;
    return type->size > 0;
}

/* Read a dataspace of rank at most 8: the number of its elements, -1 if it is none that we read. A
 * null dataspace has none. */
static int64_t read_space(ani_hdf5_shape *shape, const uint8_t *data, int64_t size) {
    enum { KIND_NULL = 2 };
    int64_t count;
    *shape = (ani_hdf5_shape){0};
    if (size < 4) return -1;
    const int version = data[0], rank = data[1];
    const int64_t head = version == 1 ? 8 : 4;
    if ((version != 1 && version != 2) || rank > ANI_ARRAYS_MAX_RANK || size < head + rank * 8)
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

/* --- attributes --------------------------------------------------------------------------------
 */

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
    const int64_t unit = version == 1 ? 8 : 1; /* version 1 fills up to multiples of 8 */
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

/* Attributes beyond some number lie in a fractal heap, if the file is of a new style. */
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
                            "'%s' keeps attributes in a fractal heap; save it with h5py's default "
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

/* Texts of one fixed size, padded with NUL or blanks. */
static an_status read_fixed(ani_hdf5 *file, const attribute *from, const type_head *type,
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

/* Find an object of a global heap; NULL if it is not there. */
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

/* Texts of any size, which lie in the global heap. */
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
    type_head type;
    ani_hdf5_shape shape;
    *found = false;
    an_status st = find_object(file, path, &object, err);
    if (!st && object >= 0) st = find_attribute(file, object, name, &from, found, err);
    if (st || !*found) return st;
    const int64_t count = read_space(&shape, from.space, from.space_size);
    if (!read_type(&type, from.type, from.type_size)) return fail_attribute(file, name, err);
    if (count == 0) return AN_OK; /* Keras writes an empty list as float64 */
    const bool is_variable = type.class_number == CLASS_VARIABLE && (type.bits & 15) == 1;
    if ((type.class_number != CLASS_STRING && !is_variable) || count < 0 || shape.rank > 1)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': attribute '%s' is neither a text nor a list of them", file->name,
                        name);
    if (count > MAX_TEXTS)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': attribute '%s' has %" PRId64 " texts; at most %d are read",
                        file->name, name, count, MAX_TEXTS);
    return is_variable ? read_variable(file, &from, count, name, texts, err)
                       : read_fixed(file, &from, &type, count, name, texts, err);
}

/* --- numbers -----------------------------------------------------------------------------------
 */

typedef enum number_kind { UNSIGNED, SIGNED, HALF, BFLOAT, SINGLE, DOUBLE } number_kind;

typedef struct number_type {
    number_kind kind;
    int size;
    bool is_big; /* big end first */
} number_type;

static bool read_number_type(number_type *out, const uint8_t *data, int64_t size) {
    /* Where the parts of IEEE numbers lie: size, exponent's place and bits, mantissa's bits. */
    static const struct {
        number_kind kind;
        int size, place, exponent, mantissa;
        uint32_t bias;
    } floats[] = {{HALF, 2, 10, 5, 10, 15},
                  {BFLOAT, 2, 7, 8, 7, 127},
                  {SINGLE, 4, 23, 8, 23, 127},
                  {DOUBLE, 8, 52, 11, 52, 1023}};
    type_head type;
    if (!read_type(&type, data, size) || type.size > 8 || type.more_size < 4) return false;
    const uint8_t *p = type.more;
    if (ani_hdf5_u16(p) != 0 || ani_hdf5_u16(p + 2) != 8 * type.size) return false;
    out->size = (int)type.size;
    out->is_big = type.bits & 1;
    if (type.class_number == CLASS_INTEGER) {
        out->kind = type.bits & 8 ? SIGNED : UNSIGNED;
        return type.size == 1 || type.size == 2 || type.size == 4 || type.size == 8;
    }
    if (type.class_number != CLASS_FLOAT || type.more_size < 12 || type.bits & 0x40) return false;
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        if (floats[i].size != type.size || floats[i].place != p[4] || floats[i].exponent != p[5] ||
            p[6] != 0 || floats[i].mantissa != p[7] || floats[i].bias != ani_hdf5_u32(p + 8) ||
            (type.bits >> 8 & 255) != 8 * (uint32_t)type.size - 1)
            continue;
        out->kind = floats[i].kind;
        return true;
    }
    return false;
}

static float half_value(uint64_t bits) {
    const int exponent = (int)(bits >> 10 & 31), mantissa = (int)(bits & 1023);
    float value = exponent == 31  ? (mantissa ? NAN : INFINITY)
                  : exponent == 0 ? ldexpf((float)mantissa, -24)
                                  : ldexpf((float)(1024 + mantissa), exponent - 25);
    return bits & 0x8000 ? -value : value;
}

static float number_value(const number_type *type, const uint8_t *p) {
    uint64_t bits = 0;
    for (int i = 0; i < type->size; i++)
        bits |= (uint64_t)p[type->is_big ? type->size - 1 - i : i] << (8 * i);
    const uint32_t single = (uint32_t)(type->kind == BFLOAT ? bits << 16 : bits);
    const uint64_t sign = UINT64_C(1) << (8 * type->size - 1);
    float value;
    double wide;
    switch (type->kind) {
    case UNSIGNED:
        return (float)bits;
    case SIGNED:
        return (float)(int64_t)((bits ^ sign) - sign);
    case HALF:
        return half_value(bits);
    case DOUBLE:
        memcpy(&wide, &bits, sizeof wide);
        return (float)wide;
    default:
        memcpy(&value, &single, sizeof value);
        return value;
    }
}

/* --- arrays ------------------------------------------------------------------------------------
 */

/* An array with all that its header says, checked. */
typedef struct array {
    number_type type;
    ani_hdf5_shape shape;
    int64_t count, size; /* elements, bytes as stored */
    bool is_chunked;
    uint64_t address; /* of the values; chunked: of the tree of chunks */
    int64_t chunk[ANI_ARRAYS_MAX_RANK];
} array;

/* Where the values lie: in the file itself, as they are. */
static an_status read_layout(const ani_hdf5 *file, const ani_hdf5_message *message,
                             const char *path, array *out, an_error *err) {
    enum { COMPACT = 0, CONTIGUOUS = 1, CHUNKED = 2, VIRTUAL = 3 };
    const uint8_t *p = message->data;
    const int version = message->size >= 3 ? p[0] : 0;
    const bool is_old = version == 1 || version == 2;
    const int layout = version == 0 ? -1 : is_old ? p[2] : p[1];
    if (layout == COMPACT || layout == VIRTUAL)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': array '%s' is stored %s; only contiguous and chunked ones are read",
                        file->name, path, layout == COMPACT ? "in its header" : "in other files");
    if (layout == CHUNKED && version == 4)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': array '%s' has chunks of a new style; save it with h5py's default "
                        "libver",
                        file->name, path);
    const int64_t place = is_old ? 8 : layout == CONTIGUOUS ? 2 : 3;
    const int axes = layout == CONTIGUOUS ? 0 : is_old ? p[1] : p[2]; /* one more than the rank */
    if (version < 1 || version > 4 || message->is_shared ||
        (layout != CONTIGUOUS && layout != CHUNKED) || message->size < place + 8 + 4 * axes ||
        (layout == CHUNKED && axes != out->shape.rank + 1))
        return ani_fail(err, AN_ERR_FORMAT, "'%s': array '%s' has a damaged layout", file->name,
                        path);
    out->is_chunked = layout == CHUNKED;
    out->address = ani_hdf5_u64(p + place);
    for (int i = 0; i < axes - 1; i++)
        out->chunk[i] = ani_hdf5_u32(p + place + 8 + 4 * i);
    return AN_OK;
}

/* The refusals that do not depend on what the array holds. */
static an_status check_storage(ani_hdf5 *file, int64_t object, const char *path, an_error *err) {
    ani_hdf5_message message;
    bool found;
    an_status st =
        ani_hdf5_find_message(file, object, ANI_HDF5_EXTERNAL_FILES, &message, &found, err);
    if (!st && found)
        return ani_fail(
            err, AN_ERR_UNSUPPORTED,
            "'%s': array '%s' is stored in other files; only what is in the file itself is "
            "read",
            file->name, path);
    if (!st) st = ani_hdf5_find_message(file, object, ANI_HDF5_FILTERS, &message, &found, err);
    if (!st && found && message.size >= 2 && message.data[1] != 0)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': array '%s' is compressed or filtered; only plain ones are read",
                        file->name, path);
    return st;
}

static an_status open_array(ani_hdf5 *file, const char *path, array *out, an_error *err) {
    int64_t object;
    ani_hdf5_kind kind = ANI_HDF5_NOTHING;
    ani_hdf5_message message;
    bool found;
    *out = (array){0};
    an_status st = find_object(file, path, &object, err);
    if (!st && object >= 0) st = look_at(file, object, &kind, err);
    if (st) return st;
    if (kind != ANI_HDF5_ARRAY)
        return ani_fail(err, AN_ERR_FORMAT, "'%s': there is no array '%s'", file->name, path);
    st = check_storage(file, object, path, err);
    if (!st) st = ani_hdf5_find_message(file, object, ANI_HDF5_DATATYPE, &message, &found, err);
    if (st) return st;
    if (!found || message.is_shared || !read_number_type(&out->type, message.data, message.size))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': array '%s' holds no plain numbers of at most 8 bytes", file->name,
                        path);
    st = ani_hdf5_find_message(file, object, ANI_HDF5_DATASPACE, &message, &found, err);
    if (st) return st;
    out->count =
        found && !message.is_shared ? read_space(&out->shape, message.data, message.size) : -1;
    if (out->count < 0 || !ani_mul_size(out->count, out->type.size, &out->size))
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': array '%s' has no shape, over %d axes or overflows", file->name,
                        path, ANI_ARRAYS_MAX_RANK);
    if (out->size > file->size)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': array '%s' declares %" PRId64 " bytes; the file has %" PRId64,
                        file->name, path, out->size, file->size);
    st = ani_hdf5_find_message(file, object, ANI_HDF5_LAYOUT, &message, &found, err);
    if (!st && found) st = read_layout(file, &message, path, out, err);
    if (!st && !out->is_chunked && out->size > 0 &&
        !ani_hdf5_at(file, out->address, (uint64_t)out->size))
        st = ani_fail(err, AN_ERR_FORMAT,
                      "'%s': array '%s' declares %" PRId64 " bytes, but they are not in the file",
                      file->name, path, out->size);
    return st;
}

an_status ani_hdf5_shape_of(ani_hdf5 *file, const char *path, ani_hdf5_shape *shape,
                            an_error *err) {
    array found;
    an_status st = open_array(file, path, &found, err);
    *shape = found.shape;
    return st;
}

static an_status fail_chunks(const ani_hdf5 *file, const char *path, an_error *err) {
    return ani_fail(err, AN_ERR_FORMAT, "'%s': the chunks of array '%s' are damaged", file->name,
                    path);
}

/* Copy one chunk into its place; what of it lies beyond the array's edge is left out. Returns the
 * number of elements copied. */
static int64_t copy_chunk(const array *from, const int64_t *start, const uint8_t *bytes,
                          float *data) {
    const int rank = from->shape.rank;
    int64_t at[ANI_ARRAYS_MAX_RANK] = {0}, copied = 0;
    for (;;) {
        int64_t place = 0, source = 0;
        bool is_inside = true;
        for (int i = 0; i < rank && is_inside; i++) {
            is_inside = start[i] + at[i] < from->shape.lengths[i];
            place = place * from->shape.lengths[i] + start[i] + at[i];
            source = source * from->chunk[i] + at[i];
        }
        if (is_inside) {
            data[place] = number_value(&from->type, bytes + source * from->type.size);
            copied++;
        }
        int axis = rank - 1;
        while (axis >= 0 && ++at[axis] == from->chunk[axis])
            at[axis--] = 0;
        if (axis < 0) return copied;
    }
}

/* Walk the tree of chunks. level: of the node; -1: the root, which tells it. */
static an_status read_chunks(ani_hdf5 *file, const array *from, const char *path, uint64_t address,
                             int level, int64_t chunk_size, float *data, int64_t *copied,
                             an_error *err) {
    enum { HEAD_SIZE = 24, MAX_LEVELS = 8 };
    const int rank = from->shape.rank;
    const uint64_t key_size = 8 + 8 * ((uint64_t)rank + 1), step = key_size + 8;
    const uint8_t *p = ani_hdf5_at(file, address, HEAD_SIZE);
    if (!p || memcmp(p, "TREE", 4) != 0 || p[4] != 1 || p[5] >= MAX_LEVELS ||
        (level >= 0 && p[5] != level))
        return fail_chunks(file, path, err);
    const uint32_t count = ani_hdf5_u16(p + 6);
    const uint8_t *key = ani_hdf5_at(file, address + HEAD_SIZE, count * step + key_size);
    if (!key) return fail_chunks(file, path, err);
    const int below = p[5] - 1;
    an_status st = ani_hdf5_spend(file, 1 + (int64_t)count, err);
    for (uint32_t i = 0; i < count && !st; i++, key += step) {
        const uint64_t child = ani_hdf5_u64(key + key_size);
        if (below >= 0) {
            st = read_chunks(file, from, path, child, below, chunk_size, data, copied, err);
            continue;
        }
        int64_t start[ANI_ARRAYS_MAX_RANK] = {0};
        const uint8_t *bytes = ani_hdf5_at(file, child, (uint64_t)chunk_size);
        if (!bytes || ani_hdf5_u32(key) != (uint64_t)chunk_size || ani_hdf5_u32(key + 4) != 0)
            return fail_chunks(file, path, err);
        for (int axis = 0; axis < rank; axis++) {
            const uint64_t value = ani_hdf5_u64(key + 8 + 8 * axis);
            if (value >= (uint64_t)from->shape.lengths[axis] ||
                value % (uint64_t)from->chunk[axis] != 0)
                return fail_chunks(file, path, err);
            start[axis] = (int64_t)value;
        }
        st = ani_hdf5_spend(file, chunk_size / 16, err);
        if (!st) *copied += copy_chunk(from, start, bytes, data);
    }
    return st;
}

/* Each place is given out once or, by a file that lies, more often; then some have kept their 0 and
 * the count is right by accident at most. */
static an_status read_chunked(ani_hdf5 *file, const array *from, const char *path, float *data,
                              an_error *err) {
    int64_t chunk_size = from->type.size, copied = 0;
    for (int i = 0; i < from->shape.rank; i++)
        if (from->chunk[i] < 1 || !ani_mul_size(chunk_size, from->chunk[i], &chunk_size) ||
            chunk_size > file->size)
            return fail_chunks(file, path, err);
    memset(data, 0, (size_t)from->count * sizeof *data);
    an_status st = read_chunks(file, from, path, from->address, -1, chunk_size, data, &copied, err);
    if (!st && copied != from->count) st = fail_chunks(file, path, err);
    return st;
}

an_status ani_hdf5_read(ani_hdf5 *file, const char *path, float *data, an_error *err) {
    array from = {0};
    an_status st = open_array(file, path, &from, err);
    if (st) return st;
    if (from.size > file->size - file->bytes_read)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': the arrays up to '%s' declare more bytes than the file's %" PRId64,
                        file->name, path, file->size);
    file->bytes_read += from.size;
    if (from.size == 0) return AN_OK;
    if (from.is_chunked) return read_chunked(file, &from, path, data, err);
    const uint8_t *bytes = file->bytes + from.address;
    for (int64_t i = 0; i < from.count; i++)
        data[i] = number_value(&from.type, bytes + i * from.type.size);
    return AN_OK;
}
