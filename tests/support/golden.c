/* SPDX-License-Identifier: MIT
 * Reference data for tests: safetensors of every number type, JSON, comparisons. */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/folder.h"

const char *golden_path(const char *relative) {
    static char ring[8][4096];
    static int next;
    const char *folder = getenv("AN_GOLDEN_DIR"), *data = getenv("AN_TEST_DATA");
    char *path = ring[next];
    next = (next + 1) % 8;
    if (folder) {
        snprintf(path, sizeof ring[0], "%s/%s", folder, relative);
        if (access(path, R_OK) == 0) return path;
    }
    if (!data) return NULL;
    snprintf(path, sizeof ring[0], "%s/golden/data/%s", data, relative);
    return access(path, R_OK) == 0 ? path : NULL;
}

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

void golden_list(golden_names *out, const char *folder, const char *prefix, const char *suffix) {
    const char *path = golden_path(folder);
    DIR *dir = path ? opendir(path) : NULL;
    out->count = 0;
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        const size_t length = strlen(entry->d_name), end = strlen(suffix);
        if (strncmp(entry->d_name, prefix, strlen(prefix)) || length < strlen(prefix) + end ||
            strcmp(entry->d_name + length - end, suffix) || entry->d_name[0] == '.')
            continue;
        if (out->count == GOLDEN_NAMES) fail_msg("'%s' has over %d files", path, GOLDEN_NAMES);
        snprintf(out->at[out->count++], GOLDEN_NAME_SIZE, "%s", entry->d_name);
    }
    closedir(dir);
    qsort(out->at, (size_t)out->count, sizeof out->at[0], by_name);
}

bool golden_tag_of(const char *name, golden_tag *tag) {
    for (const char *at = name; *at; at++) {
        if (*at < '0' || *at > '9' || (at > name && !strchr("_-", at[-1]))) continue;
        char *end, *behind;
        const double alpha = strtod(at, &end);
        if (*end != '_' || end[1] < '0' || end[1] > '9') continue;
        const long size = strtol(end + 1, &behind, 10);
        if (!(alpha > 0 && alpha <= 10) || size < 32 || size > 4096 || !strchr("_-.", *behind))
            continue;
        *tag = (golden_tag){alpha, (int32_t)size};
        return true;
    }
    return false;
}

const char *golden_tagged(const char *folder, const char *prefix, const char *suffix,
                          golden_tag tag) {
    static golden_names names;
    char relative[2 * GOLDEN_NAME_SIZE] = "";
    int32_t found = 0;
    golden_list(&names, folder, prefix, suffix);
    for (int32_t i = 0; i < names.count; i++) {
        golden_tag other;
        if (!golden_tag_of(names.at[i], &other) || fabs(other.alpha - tag.alpha) > 1e-9) continue;
        if (tag.size && other.size != tag.size) continue;
        snprintf(relative, sizeof relative, "%s/%s", folder, names.at[i]);
        found++;
    }
    return found == 1 ? golden_path(relative) : NULL;
}

const char *golden_weights_of(const char *folder, golden_tag tag) {
    const char *const folders[] = {folder, "pretrained"};
    const golden_tag any = {tag.alpha, 0};
    for (int i = 0; i < 4; i++) {
        const char *path =
            golden_tagged(folders[i % 2], "weights_", ".safetensors", i < 2 ? tag : any);
        if (path) return path;
    }
    return NULL;
}

static int64_t dtype_size(const char *dtype) {
    if (!strcmp(dtype, "F64") || !strcmp(dtype, "I64") || !strcmp(dtype, "U64")) return 8;
    if (!strcmp(dtype, "F32") || !strcmp(dtype, "I32") || !strcmp(dtype, "U32")) return 4;
    if (!strcmp(dtype, "I16") || !strcmp(dtype, "U16")) return 2;
    if (!strcmp(dtype, "I8") || !strcmp(dtype, "U8") || !strcmp(dtype, "BOOL")) return 1;
    fail_msg("unknown number type '%s'", dtype);
    return 0;
}

st_file *st_open(const char *path) {
    st_file *file = calloc(1, sizeof *file);
    int64_t size;
    file->bytes = folder_read(path, &size);
    uint64_t header_size;
    memcpy(&header_size, file->bytes, 8);
    if (size < 8 || header_size > (uint64_t)size - 8) fail_msg("'%s' is no safetensors file", path);
    json_error_t error;
    json_t *header = json_loadb((const char *)file->bytes + 8, header_size, 0, &error);
    if (!header) fail_msg("'%s': %s", path, error.text);
    const int64_t data_size = size - 8 - (int64_t)header_size;
    file->arrays = calloc(json_object_size(header), sizeof *file->arrays);
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry) {
        if (!strcmp(name, "__metadata__")) {
            file->metadata = json_incref(entry);
            continue;
        }
        st_array *array = &file->arrays[file->count++];
        array->name = strdup(name);
        snprintf(array->dtype, sizeof array->dtype, "%s",
                 json_string_value(json_object_get(entry, "dtype")));
        const json_t *shape = json_object_get(entry, "shape");
        array->rank = (int32_t)json_array_size(shape);
        array->count = 1;
        for (int32_t i = 0; i < array->rank; i++) {
            array->shape[i] = json_integer_value(json_array_get(shape, (size_t)i));
            array->count *= array->shape[i];
        }
        const json_t *offsets = json_object_get(entry, "data_offsets");
        const int64_t begin = json_integer_value(json_array_get(offsets, 0));
        if (begin < 0 || begin + array->count * dtype_size(array->dtype) > data_size)
            fail_msg("'%s': '%s' lies outside the file", path, name);
        array->data = file->bytes + 8 + header_size + begin;
    }
    json_decref(header);
    return file;
}

void st_close(st_file *file) {
    if (!file) return;
    for (int64_t i = 0; i < file->count; i++)
        free(file->arrays[i].name);
    free(file->arrays);
    json_decref(file->metadata);
    free(file->bytes);
    free(file);
}

const st_array *st_find(const st_file *file, const char *format, ...) {
    char name[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    for (int64_t i = 0; i < file->count; i++)
        if (!strcmp(file->arrays[i].name, name)) return &file->arrays[i];
    return NULL;
}

#define VALUE(type)                                                                                \
    do {                                                                                           \
        type value;                                                                                \
        memcpy(&value, (const uint8_t *)array->data + index * (int64_t)sizeof value,               \
               sizeof value);                                                                      \
        return (double)value;                                                                      \
    } while (0)

double st_value(const st_array *array, int64_t index) {
    const char *dtype = array->dtype;
    if (!strcmp(dtype, "F64")) VALUE(double);
    if (!strcmp(dtype, "F32")) VALUE(float);
    if (!strcmp(dtype, "I64")) VALUE(int64_t);
    if (!strcmp(dtype, "U64")) VALUE(uint64_t);
    if (!strcmp(dtype, "I32")) VALUE(int32_t);
    if (!strcmp(dtype, "U32")) VALUE(uint32_t);
    if (!strcmp(dtype, "I16")) VALUE(int16_t);
    if (!strcmp(dtype, "U16")) VALUE(uint16_t);
    if (!strcmp(dtype, "I8")) VALUE(int8_t);
    VALUE(uint8_t);
}

double *st_doubles(const st_array *array) {
    double *values = malloc((size_t)(array->count ? array->count : 1) * sizeof *values);
    for (int64_t i = 0; i < array->count; i++)
        values[i] = st_value(array, i);
    return values;
}

float *st_floats(const st_array *array) {
    float *values = malloc((size_t)(array->count ? array->count : 1) * sizeof *values);
    for (int64_t i = 0; i < array->count; i++)
        values[i] = (float)st_value(array, i);
    return values;
}

json_t *golden_json(const char *path) {
    json_error_t error;
    json_t *json = json_load_file(path, 0, &error);
    if (!json) fail_msg("'%s': %s", path, error.text);
    return json;
}

double golden_number(const json_t *value) {
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        if (!strcmp(text, "nan")) return NAN;
        if (!strcmp(text, "inf")) return INFINITY;
        if (!strcmp(text, "-inf")) return -INFINITY;
    }
    if (!json_is_number(value)) fail_msg("not a number in the reference data");
    return json_number_value(value);
}

/* The comparison that came closest to its limit. */
static struct {
    int64_t comparisons;
    double share; /* of the limit */
    double off, limit;
    char label[160];
} nearest;

static void note(const char *label, double off, double limit) {
    nearest.comparisons++;
    if (!(off > 0) || off / limit <= nearest.share) return;
    nearest.share = off / limit;
    nearest.off = off;
    nearest.limit = limit;
    snprintf(nearest.label, sizeof nearest.label, "%s", label);
}

void golden_report(const char *topic) {
    if (nearest.comparisons && nearest.share > 0)
        print_message("%s: %lld comparisons; nearest to its limit, at %.0f%%: %s, off by %.2g of "
                      "%.2g\n",
                      topic, (long long)nearest.comparisons, 100 * nearest.share, nearest.label,
                      nearest.off, nearest.limit);
    memset(&nearest, 0, sizeof nearest);
}

void expect_within(double got, double want, double limit, const char *label, ...) {
    char text[160];
    va_list list;
    va_start(list, label);
    vsnprintf(text, sizeof text, label, list);
    va_end(list);
    if (isnan(got) && isnan(want)) return;
    note(text, fabs(got - want), limit);
    if (!(fabs(got - want) <= limit))
        fail_msg("%s is %.17g, expected %.17g: off by %.3g, limit %.3g", text, got, want,
                 fabs(got - want), limit);
}

void expect_close(const char *what, const float *got, const double *want, int64_t count,
                  double absolute, double relative) {
    double largest = 0, worst = -1;
    int64_t at = 0;
    if (count <= 0) fail_msg("%s: nothing to compare", what);
    for (int64_t i = 0; i < count; i++) {
        if (fabs(want[i]) > largest) largest = fabs(want[i]);
        double distance = fabs((double)got[i] - want[i]);
        if (isnan(got[i]) && isnan(want[i])) continue;
        if (isnan(distance)) distance = INFINITY;
        if (distance > worst) {
            worst = distance;
            at = i;
        }
    }
    const double limit = absolute + relative * largest;
    note(what, worst, limit);
    if (worst > limit)
        fail_msg("%s: element %lld of %lld is %.9g, expected %.9g: off by %.3g, limit %.3g "
                 "(largest value %.3g)",
                 what, (long long)at, (long long)count, (double)got[at], want[at], worst, limit,
                 largest);
}

void expect_bytes(const char *what, const uint8_t *got, const uint8_t *want, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (got[i] != want[i])
            fail_msg("%s: byte %lld of %lld is %d, expected %d", what, (long long)i,
                     (long long)count, got[i], want[i]);
}
