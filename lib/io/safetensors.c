/* SPDX-License-Identifier: MIT
 * Reading and writing of safetensors. Nothing in a header is trusted: sizes are checked before they
 * are used, and the arrays must tile the data exactly. */
#include "io/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/element.h"
#include "base/memory.h"
#include "base/shape.h"
#include "base/text.h"
#include "io/arrays.h"
#include "io/bytes.h"
#include "io/sha256.h"

enum { MAX_METADATA = 4096 }; /* they are searched linearly */

/* --- number types ----------------------------------------------------------------------------- */

/* One conversion loop per type; values may be unaligned. */
#define CONVERT(suffix, type, expression)                                                          \
    static void convert_##suffix(float *out, const uint8_t *bytes, int64_t count) {                \
        for (int64_t i = 0; i < count; i++) {                                                      \
            type v;                                                                                \
            memcpy(&v, bytes + i * (int64_t)sizeof v, sizeof v);                                   \
            out[i] = (expression);                                                                 \
        }                                                                                          \
    }
CONVERT(f64, double, (float)v)
CONVERT(f16, uint16_t, ani_from_half(v))
CONVERT(bf16, uint16_t, ani_from_bfloat16(v))
CONVERT(i64, int64_t, (float)v)
CONVERT(u64, uint64_t, (float)v)
CONVERT(i32, int32_t, (float)v)
CONVERT(u32, uint32_t, (float)v)
CONVERT(i16, int16_t, (float)v)
CONVERT(u16, uint16_t, (float)v)
CONVERT(i8, int8_t, (float)v)
CONVERT(u8, uint8_t, (float)v)

typedef struct number_type {
    const char *name;
    int64_t size;
    void (*convert)(float *out, const uint8_t *bytes, int64_t count); /* NULL: as it is */
} number_type;

static const number_type number_types[] = {
    {"F32", 4, NULL},          {"F64", 8, convert_f64}, {"F16", 2, convert_f16},
    {"BF16", 2, convert_bf16}, {"I64", 8, convert_i64}, {"U64", 8, convert_u64},
    {"I32", 4, convert_i32},   {"U32", 4, convert_u32}, {"I16", 2, convert_i16},
    {"U16", 2, convert_u16},   {"I8", 1, convert_i8},   {"U8", 1, convert_u8},
    {"BOOL", 1, convert_u8},
};

static const number_type *find_number_type(const char *name) {
    for (size_t i = 0; i < sizeof number_types / sizeof number_types[0]; i++)
        if (!strcmp(number_types[i].name, name)) return &number_types[i];
    return NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct tensor_entry {
    const char *name; /* borrowed from the header */
    const number_type *type;
    int32_t rank;
    int64_t shape[ANI_SHAPE_MAX_RANK];
    int64_t count;
    int64_t begin, end; /* in the data, bytes */
} tensor_entry;

static an_status read_entry(tensor_entry *entry, const char *name, const json_t *json,
                            const char *path, an_error *err) {
    const char *dtype = json_string_value(json_object_get(json, "dtype"));
    const json_t *shape = json_object_get(json, "shape");
    const json_t *offsets = json_object_get(json, "data_offsets");
    if (!dtype || !json_is_array(shape) || !json_is_array(offsets) ||
        json_array_size(offsets) != 2 || !json_is_integer(json_array_get(offsets, 0)) ||
        !json_is_integer(json_array_get(offsets, 1)))
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': array '%s' lacks a dtype, a shape or a pair of data_offsets", path,
                        name);
    entry->name = name;
    entry->type = find_number_type(dtype);
    if (!entry->type)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': array '%s' has the unknown number type '%s'", path, name, dtype);
    if (json_array_size(shape) > ANI_SHAPE_MAX_RANK)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s': array '%s' has %zu axes; at most %d are read", path, name,
                        json_array_size(shape), ANI_SHAPE_MAX_RANK);
    entry->rank = (int32_t)json_array_size(shape);
    for (int32_t i = 0; i < entry->rank; i++) {
        const json_t *length = json_array_get(shape, (size_t)i);
        if (!json_is_integer(length) || json_integer_value(length) < 0)
            return ani_fail(err, AN_ERR_FORMAT, "'%s': axis %d of array '%s' is not a valid length",
                            path, i, name);
        entry->shape[i] = json_integer_value(length);
    }
    entry->begin = json_integer_value(json_array_get(offsets, 0));
    entry->end = json_integer_value(json_array_get(offsets, 1));
    int64_t size;
    if (!ani_shape_count(entry->shape, entry->rank, &entry->count) ||
        !ani_mul_size(entry->count, entry->type->size, &size))
        return ani_fail(err, AN_ERR_FORMAT, "'%s': the shape of array '%s' overflows", path, name);
    if (entry->begin < 0 || entry->end < entry->begin || entry->end - entry->begin != size)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': array '%s' needs %" PRId64 " bytes, but its offsets are %" PRId64
                        " to %" PRId64,
                        path, name, size, entry->begin, entry->end);
    return AN_OK;
}

static int compare_place(const void *left, const void *right) {
    const tensor_entry *a = *(const tensor_entry *const *)left;
    const tensor_entry *b = *(const tensor_entry *const *)right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* No gap, no overlap, nothing after the last: each array begins where the previous one ends. */
static an_status check_tiling(const tensor_entry *entries, int64_t count, int64_t data_size,
                              const char *path, an_error *err) {
    const tensor_entry **sorted = ani_alloc(count * (int64_t)sizeof *sorted);
    if (!sorted) return ani_fail_memory(err, count * (int64_t)sizeof *sorted, path);
    an_status st = AN_OK;
    int64_t place = 0;
    for (int64_t i = 0; i < count; i++)
        sorted[i] = &entries[i];
    qsort(sorted, (size_t)count, sizeof *sorted, compare_place);
    for (int64_t i = 0; i < count && !st; i++) {
        if (sorted[i]->end > data_size)
            st = ani_fail(err, AN_ERR_FORMAT,
                          "'%s': array '%s' ends at byte %" PRId64 " of %" PRId64 " bytes of data",
                          path, sorted[i]->name, sorted[i]->end, data_size);
        else if (sorted[i]->begin != place)
            st = ani_fail(err, AN_ERR_FORMAT,
                          "'%s': array '%s' begins at byte %" PRId64
                          " of the data, %s byte %" PRId64 " where the previous one ends",
                          path, sorted[i]->name, sorted[i]->begin,
                          sorted[i]->begin < place ? "before" : "behind", place);
        else
            place = sorted[i]->end;
    }
    if (!st && place != data_size)
        st = ani_fail(err, AN_ERR_FORMAT, "'%s' has %" PRId64 " bytes after its last array", path,
                      data_size - place);
    ani_free(sorted);
    return st;
}

static an_status read_values(an_arrays *arrays, ani_file *file, const tensor_entry *entry,
                             int64_t data_begin, uint8_t *buffer, int64_t buffer_size,
                             an_error *err) {
    float *data;
    an_status st = ani_arrays_append(arrays, entry->name, entry->shape, entry->rank, &data, err);
    if (st) return st;
    if (!strchr(entry->type->name, 'F')) /* F32, F64, F16, BF16 */
        ani_arrays_mark_whole(arrays, an_arrays_count(arrays) - 1);
    int64_t place = data_begin + entry->begin;
    if (!entry->type->convert)
        return ani_file_read(file, place, data, entry->end - entry->begin, err);
    for (int64_t left = entry->count; left > 0;) {
        const int64_t count =
            left < buffer_size / entry->type->size ? left : buffer_size / entry->type->size;
        st = ani_file_read(file, place, buffer, count * entry->type->size, err);
        if (st) return st;
        entry->type->convert(data, buffer, count);
        data += count;
        place += count * entry->type->size;
        left -= count;
    }
    return AN_OK;
}

static an_status read_metadata(an_arrays *arrays, json_t *json, const char *path, an_error *err) {
    const char *key;
    json_t *value;
    if (!json_is_object(json))
        return ani_fail(err, AN_ERR_FORMAT, "'%s': __metadata__ is not an object", path);
    if (json_object_size(json) > MAX_METADATA)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s' has %zu metadata entries; at most %d are read", path,
                        json_object_size(json), MAX_METADATA);
    json_object_foreach(json, key, value) {
        if (!json_is_string(value))
            return ani_fail(err, AN_ERR_FORMAT, "'%s': metadata '%s' is not a string", path, key);
        an_status st = an_arrays_set_metadata(arrays, key, json_string_value(value), err);
        if (st) return st;
    }
    return AN_OK;
}

an_status ani_safetensors_read(an_arrays *arrays, ani_file *file, an_error *err) {
    enum { BUFFER_SIZE = 1 << 16 };
    const char *path = ani_file_path(file);
    uint64_t header_size;
    char *text = NULL;
    json_t *header = NULL;
    tensor_entry *entries = NULL;
    uint8_t *buffer = NULL;
    int64_t count = 0;
    an_status st;

    if (ani_file_size(file) < 8) {
        st = ani_fail(err, AN_ERR_FORMAT,
                      "'%s' has %" PRId64 " bytes; a safetensors file has 8 or more", path,
                      ani_file_size(file));
        goto done;
    }
    st = ani_file_read(file, 0, &header_size, sizeof header_size, err);
    if (st) goto done;
    const int64_t rest = ani_file_size(file) - 8;
    if (header_size > ANI_SAFETENSORS_MAX_HEADER || header_size > (uint64_t)rest) {
        st = ani_fail(err, AN_ERR_FORMAT,
                      "'%s': the header has %" PRIu64
                      " bytes; the limit is %d, and the file has %" PRId64 " left",
                      path, header_size, ANI_SAFETENSORS_MAX_HEADER, rest);
        goto done;
    }
    text = ani_alloc((int64_t)header_size);
    buffer = ani_alloc(BUFFER_SIZE);
    if (!text || !buffer) {
        st = ani_fail_memory(err, (int64_t)header_size + BUFFER_SIZE, path);
        goto done;
    }
    st = ani_file_read(file, 8, text, (int64_t)header_size, err);
    if (st) goto done;
    json_error_t why;
    header = json_loadb(text, (size_t)header_size, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(header)) {
        st = ani_fail(err, AN_ERR_FORMAT, "'%s': the header is not a JSON object: %s", path,
                      why.text);
        goto done;
    }
    ani_free(text);
    text = NULL;
    entries = ani_alloc_zero((int64_t)json_object_size(header), sizeof *entries);
    if (!entries) {
        st = ani_fail_memory(err, (int64_t)(json_object_size(header) * sizeof *entries), path);
        goto done;
    }
    const char *name;
    json_t *value;
    json_object_foreach(header, name, value) {
        if (!strcmp(name, "__metadata__"))
            st = read_metadata(arrays, value, path, err);
        else
            st = read_entry(&entries[count++], name, value, path, err);
        if (st) goto done;
    }
    st = check_tiling(entries, count, rest - (int64_t)header_size, path, err);
    for (int64_t i = 0; i < count && !st; i++)
        st = read_values(arrays, file, &entries[i], 8 + (int64_t)header_size, buffer, BUFFER_SIZE,
                         err);
done:
    json_decref(header);
    ani_free(entries);
    ani_free(buffer);
    ani_free(text);
    return st;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int64_t value_count(const an_arrays *arrays, int64_t index) {
    int64_t count = 1;
    for (int32_t axis = 0; axis < an_arrays_rank(arrays, index); axis++)
        count *= an_arrays_length(arrays, index, axis);
    return count;
}

/* The start of a sealed header; the digits of the checksum follow. */
static const char seal_key[] = "sha256", seal_begin[] = "{\"__metadata__\":{\"sha256\":\"";
enum { SEAL_DIGITS = 64, SEAL_BEGIN = sizeof seal_begin - 1 };

/* The header, padded with spaces so that the data begin at a multiple of 8; sealed: with zeros in
 * place of the checksum. */
static void make_header(ani_text *text, const an_arrays *arrays, bool sealed) {
    const char *separator = "";
    int64_t place = 0;
    ani_text_add(text, "{", 1);
    if (an_arrays_metadata_count(arrays) > 0 || sealed) {
        ani_text_print(text, "\"__metadata__\":{");
        if (sealed) ani_text_print(text, "\"%s\":\"%0*d\"", seal_key, SEAL_DIGITS, 0);
        separator = sealed ? "," : "";
        for (int64_t i = 0; i < an_arrays_metadata_count(arrays); i++) {
            const char *key = an_arrays_metadata_key(arrays, i);
            if (sealed && !strcmp(key, seal_key)) continue;
            ani_text_print(text, "%s", separator);
            separator = ",";
            ani_text_quote(text, key);
            ani_text_add(text, ":", 1);
            ani_text_quote(text, an_arrays_metadata(arrays, key));
        }
        ani_text_add(text, "}", 1);
        separator = ",";
    }
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        const int64_t size = value_count(arrays, i) * (int64_t)sizeof(float);
        ani_text_print(text, "%s", separator);
        ani_text_quote(text, an_arrays_name(arrays, i));
        ani_text_print(text, ":{\"dtype\":\"F32\",\"shape\":[");
        for (int32_t axis = 0; axis < an_arrays_rank(arrays, i); axis++)
            ani_text_print(text, "%s%" PRId64, axis ? "," : "", an_arrays_length(arrays, i, axis));
        ani_text_print(text, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", place, place + size);
        place += size;
        separator = ",";
    }
    ani_text_add(text, "}", 1);
    while (text->size % 8 && !text->failed)
        ani_text_add(text, " ", 1);
}

/* Put the checksum into a header that has zeros in its place. */
static void seal(ani_text *header, const an_arrays *arrays) {
    ani_sha256 sha;
    char digits[SEAL_DIGITS + 1];
    const uint64_t header_size = (uint64_t)header->size;
    ani_sha256_begin(&sha);
    ani_sha256_add(&sha, &header_size, sizeof header_size);
    ani_sha256_add(&sha, header->bytes, header->size);
    for (int64_t i = 0; i < an_arrays_count(arrays); i++)
        ani_sha256_add(&sha, an_arrays_data(arrays, i),
                       value_count(arrays, i) * (int64_t)sizeof(float));
    ani_sha256_end(&sha, digits);
    memcpy(header->bytes + SEAL_BEGIN, digits, SEAL_DIGITS);
}

/* Build the complete header of a list that will be written to path. */
static an_status begin_writing(ani_text *header, const an_arrays *arrays, const char *path,
                               bool sealed, an_error *err) {
    make_header(header, arrays, sealed);
    if (header->failed) return ani_fail_memory(err, header->size, "a safetensors header");
    if (header->size > ANI_SAFETENSORS_MAX_HEADER)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "cannot write '%s': its header has %" PRId64 " bytes; the limit is %d",
                        path, header->size, ANI_SAFETENSORS_MAX_HEADER);
    if (sealed) seal(header, arrays);
    return AN_OK;
}

static an_status write_file(const an_arrays *arrays, const char *path, bool sealed, an_error *err) {
    ani_writer *writer = NULL;
    ani_text header = {0};
    an_status st = begin_writing(&header, arrays, path, sealed, err);
    if (!st) st = ani_writer_begin(&writer, path, err);
    if (st) goto done;
    const uint64_t header_size = (uint64_t)header.size;
    st = ani_writer_write(writer, &header_size, sizeof header_size, err);
    if (!st) st = ani_writer_write(writer, header.bytes, header.size, err);
    for (int64_t i = 0; i < an_arrays_count(arrays) && !st; i++)
        st = ani_writer_write(writer, an_arrays_data(arrays, i),
                              value_count(arrays, i) * (int64_t)sizeof(float), err);
    if (st) goto done;
    st = ani_writer_commit(writer, err);
    writer = NULL;
done:
    ani_writer_abort(writer);
    ani_text_clear(&header);
    return st;
}

an_status ani_safetensors_write(const an_arrays *arrays, const char *path, an_error *err) {
    return write_file(arrays, path, false, err);
}

/* Append at *at, and advance it. */
static void append(uint8_t **at, const void *bytes, int64_t size) {
    if (size) memcpy(*at, bytes, (size_t)size);
    *at += size;
}

an_status ani_safetensors_write_bytes(an_bytes **out, const an_arrays *arrays, an_error *err) {
    ani_text header = {0};
    uint8_t *at;
    an_status st = begin_writing(&header, arrays, "in memory", false, err);
    const uint64_t header_size = (uint64_t)header.size;
    int64_t size = (int64_t)sizeof header_size + header.size;
    for (int64_t i = 0; i < an_arrays_count(arrays); i++)
        size += value_count(arrays, i) * (int64_t)sizeof(float); /* all of it is in memory */
    if (!st) st = ani_bytes_create(out, size, &at, "a safetensors file in memory", err);
    if (st) goto done;
    append(&at, &header_size, sizeof header_size);
    append(&at, header.bytes, header.size);
    for (int64_t i = 0; i < an_arrays_count(arrays); i++)
        append(&at, an_arrays_data(arrays, i), value_count(arrays, i) * (int64_t)sizeof(float));
done:
    ani_text_clear(&header);
    return st;
}

an_status ani_safetensors_write_sealed(const an_arrays *arrays, const char *path, an_error *err) {
    return write_file(arrays, path, true, err);
}

/* --- checking --------------------------------------------------------------------------------- */

an_status ani_safetensors_check_seal(ani_file *file, an_error *err) {
    enum { BUFFER_SIZE = 1 << 16, DIGITS = sizeof(uint64_t) + SEAL_BEGIN };
    const char *path = ani_file_path(file);
    const int64_t size = ani_file_size(file);
    char found[SEAL_DIGITS], digits[SEAL_DIGITS + 1];
    ani_sha256 sha;
    an_status st = AN_OK;
    if (size < DIGITS + SEAL_DIGITS)
        return ani_fail(err, AN_ERR_FORMAT, "'%s' has %" PRId64 " bytes: too few for a checksum",
                        path, size);
    uint8_t *buffer = ani_alloc(BUFFER_SIZE);
    if (!buffer) return ani_fail_memory(err, BUFFER_SIZE, path);
    ani_sha256_begin(&sha);
    for (int64_t place = 0, part; place < size && !st; place += part) {
        part = size - place < BUFFER_SIZE ? size - place : BUFFER_SIZE;
        st = ani_file_read(file, place, buffer, part, err);
        if (!st && place == 0) {
            if (memcmp(buffer + sizeof(uint64_t), seal_begin, SEAL_BEGIN) != 0)
                st = ani_fail(err, AN_ERR_FORMAT, "'%s' does not begin with a checksum", path);
            memcpy(found, buffer + DIGITS, SEAL_DIGITS);
            memset(buffer + DIGITS, '0', SEAL_DIGITS);
        }
        if (!st) ani_sha256_add(&sha, buffer, part);
    }
    ani_free(buffer);
    if (st) return st;
    ani_sha256_end(&sha, digits);
    if (memcmp(found, digits, SEAL_DIGITS) != 0)
        return ani_fail(err, AN_ERR_FORMAT, "'%s' is damaged: its checksum is wrong", path);
    return AN_OK;
}
