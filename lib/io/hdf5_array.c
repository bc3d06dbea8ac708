/* SPDX-License-Identifier: MIT
 * Arrays of numbers in an HDF5 file: every plain number type as float32, from contiguous or chunked
 * storage. */
#include "io/hdf5_file.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "io/hdf5_filter.h"
#include "io/hdf5_object.h"

/* --- numbers ---------------------------------------------------------------------------------- */

typedef enum number_kind { UNSIGNED, SIGNED, HALF, BFLOAT, SINGLE, DOUBLE } number_kind;

typedef struct number_type {
    number_kind kind;
    int size;
    bool is_big; /* big-endian */
} number_type;

static bool read_number_type(number_type *out, const uint8_t *data, int64_t size) {
    /* The layout of IEEE numbers: size, position and bits of the exponent, bits of the mantissa. */
    static const struct {
        number_kind kind;
        int size, place, exponent, mantissa;
        uint32_t bias;
    } floats[] = {{HALF, 2, 10, 5, 10, 15},
                  {BFLOAT, 2, 7, 8, 7, 127},
                  {SINGLE, 4, 23, 8, 23, 127},
                  {DOUBLE, 8, 52, 11, 52, 1023}};
    ani_hdf5_type type;
    if (!ani_hdf5_read_type(&type, data, size) || type.size > 8 || type.more_size < 4) return false;
    const uint8_t *p = type.more;
    if (ani_hdf5_u16(p) != 0 || ani_hdf5_u16(p + 2) != 8 * type.size) return false;
    out->size = (int)type.size;
    out->is_big = type.bits & 1;
    if (type.class_number == ANI_HDF5_CLASS_INTEGER) {
        out->kind = type.bits & 8 ? SIGNED : UNSIGNED;
        return type.size == 1 || type.size == 2 || type.size == 4 || type.size == 8;
    }
    if (type.class_number != ANI_HDF5_CLASS_FLOAT || type.more_size < 12 || type.bits & 0x40)
        return false;
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

/* Keras writes bfloat16 as opaque elements with an attribute that says so. */
static an_status read_type(ani_hdf5 *file, const char *path, const ani_hdf5_message *message,
                           number_type *out, an_error *err) {
    ani_hdf5_type type;
    ani_names texts = {0};
    bool found = false;
    if (read_number_type(out, message->data, message->size)) return AN_OK;
    if (!ani_hdf5_read_type(&type, message->data, message->size) ||
        type.class_number != ANI_HDF5_CLASS_OPAQUE)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': array '%s' is not an array of plain numbers of at most 8 bytes",
                        file->name, path);
    an_status st = ani_hdf5_texts(file, path, "dtype", &texts, &found, err);
    const bool is_bfloat = texts.count == 1 && !strcmp(texts.items[0], "bfloat16");
    if (!st && (!is_bfloat || type.size != 2))
        st = ani_fail(err, AN_ERR_UNSUPPORTED,
                      "'%s': array '%s' has opaque elements of %" PRId64
                      " bytes, and no attribute that says what they are: dtype 'bfloat16', with 2 "
                      "bytes, is supported",
                      file->name, path, type.size);
    *out = (number_type){.kind = BFLOAT, .size = 2};
    ani_names_clear(&texts);
    return st;
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

/* --- arrays ----------------------------------------------------------------------------------- */

/* An array with everything that its header says, checked. */
typedef struct array {
    number_type type;
    ani_hdf5_shape shape;
    int64_t count, size; /* elements, bytes as stored */
    bool is_chunked;
    uint64_t address; /* of the values; chunked: of the chunk tree */
    int64_t chunk[ANI_SHAPE_MAX_RANK];
    ani_hdf5_filters filters; /* of the chunks */
} array;

/* Read the layout: the values must be stored in the file itself, as contiguous or chunked data. */
static an_status read_layout(const ani_hdf5 *file, const ani_hdf5_message *message,
                             const char *path, array *out, an_error *err) {
    enum { COMPACT = 0, CONTIGUOUS = 1, CHUNKED = 2, VIRTUAL = 3 };
    const uint8_t *p = message->data;
    const int version = message->size >= 3 ? p[0] : 0;
    const bool is_old = version == 1 || version == 2;
    const int layout = version == 0 ? -1 : is_old ? p[2] : p[1];
    if (layout == COMPACT || layout == VIRTUAL)
        return ani_fail(
            err, AN_ERR_UNSUPPORTED,
            "'%s': array '%s' is stored %s; only contiguous and chunked ones are supported",
            file->name, path, layout == COMPACT ? "in its header" : "in other files");
    if (layout == CHUNKED && version == 4)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': array '%s' uses a newer chunk format; save it with h5py's default "
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

/* What does not depend on the array's contents: its values are in the file itself, and which
 * filters its chunks have. */
static an_status read_storage(ani_hdf5 *file, int64_t object, const char *path, array *out,
                              an_error *err) {
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
    if (!st && found) st = ani_hdf5_read_filters(&out->filters, file, &message, path, err);
    return st;
}

/* How many bytes arrays may have: those of the file, or what filters like an archive's can make of
 * them. */
static int64_t most_bytes(const ani_hdf5 *file, bool is_filtered) {
    enum { RATIO = 200, RATIO_FREE = 1 << 20 };
    int64_t most;
    if (!is_filtered) return file->size;
    return ani_mul_size(file->size, RATIO, &most) && ani_add_size(most, RATIO_FREE, &most)
               ? most
               : INT64_MAX;
}

static an_status open_array(ani_hdf5 *file, const char *path, array *out, an_error *err) {
    int64_t object;
    ani_hdf5_kind kind = ANI_HDF5_NOTHING;
    ani_hdf5_message message;
    bool found;
    *out = (array){0};
    an_status st = ani_hdf5_find(file, path, &object, err);
    if (!st && object >= 0) st = ani_hdf5_kind_of(file, object, &kind, err);
    if (st) return st;
    if (kind != ANI_HDF5_ARRAY)
        return ani_fail(err, AN_ERR_FORMAT, "'%s': there is no array '%s'", file->name, path);
    st = read_storage(file, object, path, out, err);
    if (!st) st = ani_hdf5_find_message(file, object, ANI_HDF5_DATATYPE, &message, &found, err);
    if (st) return st;
    if (!found || message.is_shared) message.size = 0;
    st = read_type(file, path, &message, &out->type, err);
    if (!st) st = ani_hdf5_find_message(file, object, ANI_HDF5_DATASPACE, &message, &found, err);
    if (st) return st;
    out->count = found && !message.is_shared
                     ? ani_hdf5_read_space(&out->shape, message.data, message.size)
                     : -1;
    if (out->count < 0 || !ani_mul_size(out->count, out->type.size, &out->size))
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': array '%s' has no shape, over %d axes or overflows", file->name,
                        path, ANI_SHAPE_MAX_RANK);
    const bool is_filtered = out->filters.count > 0;
    if (out->size > most_bytes(file, is_filtered))
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': array '%s' declares %" PRId64 " bytes; the file has %" PRId64 "%s",
                        file->name, path, out->size, file->size,
                        is_filtered ? ", which is less than a 200th" : "");
    st = ani_hdf5_find_message(file, object, ANI_HDF5_LAYOUT, &message, &found, err);
    if (!st && found) st = read_layout(file, &message, path, out, err);
    if (!st && is_filtered && !out->is_chunked)
        return ani_fail(err, AN_ERR_FORMAT, "'%s': array '%s' has filters but no chunks",
                        file->name, path);
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

/* Count the bytes in which arrays are stored. */
static an_status count_bytes(ani_hdf5 *file, const char *path, int64_t size, an_error *err) {
    if (size > file->size - file->bytes_read)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': the arrays up to '%s' declare more bytes than the file's %" PRId64,
                        file->name, path, file->size);
    file->bytes_read += size;
    return AN_OK;
}

/* A walk over the chunks of an array, which come in the order of their places. */
typedef struct chunk_walk {
    ani_hdf5 *file;
    const array *from;
    const char *path;
    int64_t chunk_size;                /* bytes, without filters */
    int64_t start[ANI_SHAPE_MAX_RANK]; /* of the next chunk */
    bool is_done;                      /* there is no next one */
    ani_hdf5_unfilter undo;
    float *data;
} chunk_walk;

/* Move a place on by the steps given, the last axis first; false once all places have been seen. */
static bool advance(int64_t *at, const int64_t *step, const int64_t *lengths, int axes) {
    for (int axis = axes - 1; axis >= 0; axis--) {
        at[axis] += step ? step[axis] : 1;
        if (at[axis] < lengths[axis]) return true;
        at[axis] = 0;
    }
    return false;
}

/* Copy the next chunk into place, without the part that lies beyond the array's edge. */
static void copy_chunk(const chunk_walk *w, const uint8_t *bytes) {
    const array *from = w->from;
    const int rank = from->shape.rank, last = rank - 1, size = from->type.size;
    const int64_t *lengths = from->shape.lengths;
    const int64_t left = rank ? lengths[last] - w->start[last] : 1;
    const int64_t whole = rank ? from->chunk[last] : 1, row = left < whole ? left : whole;
    int64_t at[ANI_SHAPE_MAX_RANK] = {0};
    do {
        int64_t place = 0, source = 0;
        bool is_inside = true;
        for (int i = 0; i < rank && is_inside; i++) {
            is_inside = w->start[i] + at[i] < lengths[i];
            place = place * lengths[i] + w->start[i] + at[i];
            source = source * from->chunk[i] + at[i];
        }
        for (int64_t i = 0; i < row && is_inside; i++)
            w->data[place + i] = number_value(&from->type, bytes + (source + i) * size);
    } while (advance(at, NULL, from->chunk, last));
}

/* Read the chunk that a key of the tree describes. */
static an_status read_chunk(chunk_walk *w, const uint8_t *key, uint64_t address, an_error *err) {
    const array *from = w->from;
    const uint64_t size = ani_hdf5_u32(key);
    const uint32_t mask = ani_hdf5_u32(key + 4);
    const uint8_t *bytes = ani_hdf5_at(w->file, address, size);
    if (!bytes || w->is_done || mask >> from->filters.count != 0)
        return fail_chunks(w->file, w->path, err);
    for (int axis = 0; axis < from->shape.rank; axis++)
        if (ani_hdf5_u64(key + 8 + 8 * axis) != (uint64_t)w->start[axis])
            return fail_chunks(w->file, w->path, err);
    if (from->filters.count == 0 && size != (uint64_t)w->chunk_size)
        return fail_chunks(w->file, w->path, err);
    an_status st = ani_hdf5_spend(w->file, w->chunk_size / 16, err);
    if (!st && from->filters.count > 0) {
        st = count_bytes(w->file, w->path, (int64_t)size, err);
        if (!st)
            st = ani_hdf5_unfilter_chunk(&w->undo, w->file, w->path, bytes, (int64_t)size, mask,
                                         &bytes, err);
    }
    if (st) return st;
    copy_chunk(w, bytes);
    w->is_done = !advance(w->start, from->chunk, from->shape.lengths, from->shape.rank);
    return AN_OK;
}

/* Walk the chunk tree. level: of the node; -1: the root, which states its own level. */
static an_status read_chunks(chunk_walk *w, uint64_t address, int level, an_error *err) {
    enum { HEAD_SIZE = 24, MAX_LEVELS = 8 };
    const uint64_t key_size = 8 + 8 * ((uint64_t)w->from->shape.rank + 1), step = key_size + 8;
    const uint8_t *p = ani_hdf5_at(w->file, address, HEAD_SIZE);
    if (!p || memcmp(p, "TREE", 4) != 0 || p[4] != 1 || p[5] >= MAX_LEVELS ||
        (level >= 0 && p[5] != level))
        return fail_chunks(w->file, w->path, err);
    const uint32_t count = ani_hdf5_u16(p + 6);
    const uint8_t *key = ani_hdf5_at(w->file, address + HEAD_SIZE, count * step + key_size);
    if (!key) return fail_chunks(w->file, w->path, err);
    const int below = p[5] - 1;
    an_status st = ani_hdf5_spend(w->file, 1 + (int64_t)count, err);
    for (uint32_t i = 0; i < count && !st; i++, key += step) {
        const uint64_t child = ani_hdf5_u64(key + key_size);
        st = below >= 0 ? read_chunks(w, child, below, err) : read_chunk(w, key, child, err);
    }
    return st;
}

/* Every chunk must be there, and once: libhdf5 sorts them by their places. */
static an_status read_chunked(ani_hdf5 *file, const array *from, const char *path, float *data,
                              an_error *err) {
    chunk_walk w = {.file = file,
                    .from = from,
                    .path = path,
                    .chunk_size = from->type.size,
                    .undo = {.filters = &from->filters},
                    .data = data};
    for (int i = 0; i < from->shape.rank; i++)
        if (from->chunk[i] < 1 || !ani_mul_size(w.chunk_size, from->chunk[i], &w.chunk_size) ||
            w.chunk_size > most_bytes(file, from->filters.count > 0))
            return fail_chunks(file, path, err);
    w.undo.chunk_size = w.chunk_size;
    an_status st = read_chunks(&w, from->address, -1, err);
    if (!st && !w.is_done) st = fail_chunks(file, path, err);
    ani_hdf5_unfilter_end(&w.undo);
    return st;
}

an_status ani_hdf5_read(ani_hdf5 *file, const char *path, float *data, an_error *err) {
    array from = {0};
    an_status st = open_array(file, path, &from, err);
    if (st) return st;
    const bool is_filtered = from.filters.count > 0;
    if (is_filtered && from.size > most_bytes(file, true) - file->bytes_unpacked)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': the arrays up to '%s' declare over 200 times the file's %" PRId64
                        " bytes",
                        file->name, path, file->size);
    if (is_filtered)
        file->bytes_unpacked += from.size;
    else
        st = count_bytes(file, path, from.size, err);
    if (st || from.size == 0) return st;
    if (from.is_chunked) return read_chunked(file, &from, path, data, err);
    const uint8_t *bytes = file->bytes + from.address;
    for (int64_t i = 0; i < from.count; i++)
        data[i] = number_value(&from.type, bytes + i * from.type.size);
    return AN_OK;
}
