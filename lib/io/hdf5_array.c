/* SPDX-License-Identifier: MIT
 * Arrays of numbers in an HDF5 file: every plain number type as float32, from contiguous or chunked
 * storage. */
#include "io/hdf5_file.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/size.h"
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

/* The checks that do not depend on the array's contents. */
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
                        "'%s': array '%s' is compressed or filtered; only plain ones are supported",
                        file->name, path);
    return st;
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
    st = check_storage(file, object, path, err);
    if (!st) st = ani_hdf5_find_message(file, object, ANI_HDF5_DATATYPE, &message, &found, err);
    if (st) return st;
    if (!found || message.is_shared || !read_number_type(&out->type, message.data, message.size))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': array '%s' is not an array of plain numbers of at most 8 bytes",
                        file->name, path);
    st = ani_hdf5_find_message(file, object, ANI_HDF5_DATASPACE, &message, &found, err);
    if (st) return st;
    out->count = found && !message.is_shared
                     ? ani_hdf5_read_space(&out->shape, message.data, message.size)
                     : -1;
    if (out->count < 0 || !ani_mul_size(out->count, out->type.size, &out->size))
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': array '%s' has no shape, over %d axes or overflows", file->name,
                        path, ANI_SHAPE_MAX_RANK);
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

/* Copy one chunk into place, without the part that lies beyond the array's edge. Returns the number
 * of elements copied. */
static int64_t copy_chunk(const array *from, const int64_t *start, const uint8_t *bytes,
                          float *data) {
    const int rank = from->shape.rank;
    int64_t at[ANI_SHAPE_MAX_RANK] = {0}, copied = 0;
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

/* Walk the chunk tree. level: of the node; -1: the root, which states its own level. */
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
        int64_t start[ANI_SHAPE_MAX_RANK] = {0};
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

/* Each place is filled once. A malicious file may fill some more often; others then keep their 0,
 * and the count matches only by accident. */
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
