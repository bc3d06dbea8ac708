/* SPDX-License-Identifier: MIT
 * An ordered list of named float32 arrays with metadata, found by name through a hash table. */
#include "io/arrays.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/shape.h"
#include "base/text.h"

typedef struct array_entry {
    char *name;
    float *data;
    int32_t rank;
    bool is_whole; /* of an integer type in its file */
    int64_t shape[ANI_SHAPE_MAX_RANK];
} array_entry;

typedef struct text_entry {
    char *key;
    char *value;
} text_entry;

struct an_arrays {
    array_entry *entries;
    int64_t count, capacity;
    int64_t
        *slots; /* open addressing: index of an entry, -1 = free; slot_count is a power of two */
    int64_t slot_count;
    text_entry *texts;
    int64_t text_count, text_capacity;
};

/* --- the list --------------------------------------------------------------------------------- */

an_status an_arrays_create(an_arrays **out, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = ani_alloc_zero(1, sizeof **out);
    return *out ? AN_OK : ani_fail_memory(err, sizeof **out, "a list of arrays");
}

void an_arrays_destroy(an_arrays *arrays) {
    if (!arrays) return;
    for (int64_t i = 0; i < arrays->count; i++) {
        ani_free(arrays->entries[i].name);
        ani_free(arrays->entries[i].data);
    }
    for (int64_t i = 0; i < arrays->text_count; i++) {
        ani_free(arrays->texts[i].key);
        ani_free(arrays->texts[i].value);
    }
    ani_free(arrays->entries);
    ani_free(arrays->slots);
    ani_free(arrays->texts);
    ani_free(arrays);
}

/* FNV-1a */
static uint64_t hash_name(const char *name) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(1099511628211);
    return hash;
}

/* The slot that holds name, or the free one where it would go. */
static int64_t find_slot(const an_arrays *arrays, const char *name) {
    const uint64_t mask = (uint64_t)arrays->slot_count - 1;
    uint64_t slot = hash_name(name) & mask;
    while (arrays->slots[slot] >= 0 && strcmp(arrays->entries[arrays->slots[slot]].name, name) != 0)
        slot = (slot + 1) & mask;
    return (int64_t)slot;
}

/* Make room for one more entry, keeping the table at most half full. */
static bool reserve_entry(an_arrays *arrays) {
    if (arrays->count == arrays->capacity) {
        const int64_t capacity = arrays->capacity ? 2 * arrays->capacity : 32;
        array_entry *grown =
            ani_realloc(arrays->entries, arrays->count * (int64_t)sizeof *arrays->entries,
                        capacity * (int64_t)sizeof *arrays->entries);
        if (!grown) return false;
        arrays->entries = grown;
        arrays->capacity = capacity;
    }
    if (2 * (arrays->count + 1) > arrays->slot_count) {
        const int64_t slot_count = arrays->slot_count ? 2 * arrays->slot_count : 64;
        int64_t *slots = ani_alloc(slot_count * (int64_t)sizeof *slots);
        if (!slots) return false;
        memset(slots, 0xff, (size_t)slot_count * sizeof *slots);
        ani_free(arrays->slots);
        arrays->slots = slots;
        arrays->slot_count = slot_count;
        for (int64_t i = 0; i < arrays->count; i++)
            slots[find_slot(arrays, arrays->entries[i].name)] = i;
    }
    return true;
}

/* Append; invalid names and shapes are reported with the given status. */
static an_status append(an_arrays *arrays, const char *name, const int64_t *shape, int32_t rank,
                        float **data, an_status wrong, an_error *err) {
    int64_t count;
    if (!name[0] || !ani_is_utf8(name, (int64_t)strlen(name)))
        return ani_fail(err, wrong, "the name of array %lld is empty or not UTF-8",
                        (long long)arrays->count);
    if (!strcmp(name, "__metadata__"))
        return ani_fail(err, wrong, "an array cannot be named '__metadata__'");
    if (rank < 0 || rank > ANI_SHAPE_MAX_RANK)
        return ani_fail(err, wrong, "array '%s' has %d axes; it must be 0 to %d", name, rank,
                        ANI_SHAPE_MAX_RANK);
    if (!ani_shape_count(shape, rank, &count))
        return ani_fail(err, wrong, "the shape of array '%s' is negative or overflows", name);
    if (an_arrays_find(arrays, name) >= 0)
        return ani_fail(err, wrong, "two arrays are named '%s'", name);

    array_entry entry = {.rank = rank};
    for (int32_t i = 0; i < rank; i++)
        entry.shape[i] = shape[i];
    entry.name = ani_strdup(name);
    entry.data = ani_alloc(count * (int64_t)sizeof *entry.data);
    if (!entry.name || !entry.data || !reserve_entry(arrays)) {
        ani_free(entry.name);
        ani_free(entry.data);
        return ani_fail_memory(err, count * (int64_t)sizeof *entry.data, name);
    }
    arrays->slots[find_slot(arrays, name)] = arrays->count;
    arrays->entries[arrays->count++] = entry;
    *data = entry.data;
    return AN_OK;
}

an_status ani_arrays_append(an_arrays *arrays, const char *name, const int64_t *shape, int32_t rank,
                            float **data, an_error *err) {
    return append(arrays, name, shape, rank, data, AN_ERR_FORMAT, err);
}

float *ani_arrays_reshape(an_arrays *arrays, int64_t index, const int64_t *shape, int32_t rank) {
    array_entry *entry = &arrays->entries[index];
    entry->rank = rank;
    memcpy(entry->shape, shape, (size_t)rank * sizeof *shape);
    return entry->data;
}

void ani_arrays_mark_whole(an_arrays *arrays, int64_t index) {
    arrays->entries[index].is_whole = true;
}

bool ani_arrays_is_whole(const an_arrays *arrays, int64_t index) {
    return arrays->entries[index].is_whole;
}

an_status an_arrays_add(an_arrays *arrays, const char *name, const float *data,
                        const int64_t *shape, int32_t rank, an_error *err) {
    int64_t count;
    float *values = NULL;
    if (!arrays || !name || (!shape && rank > 0))
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !arrays ? "arrays"
                        : !name ? "name"
                                : "shape");
    if (!data && rank >= 0 && rank <= ANI_SHAPE_MAX_RANK && ani_shape_count(shape, rank, &count) &&
        count > 0)
        return ani_fail(err, AN_ERR_ARG, "data of array '%s' is NULL", name);
    an_status st = append(arrays, name, shape, rank, &values, AN_ERR_ARG, err);
    if (st) return st;
    if (ani_shape_count(shape, rank, &count) && count > 0)
        memcpy(values, data, (size_t)count * sizeof *values);
    return AN_OK;
}

an_status an_arrays_set_metadata(an_arrays *arrays, const char *key, const char *value,
                                 an_error *err) {
    if (!arrays || !key || !value)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", !arrays ? "arrays" : !key ? "key" : "value");
    if (!ani_is_utf8(key, (int64_t)strlen(key)) || !ani_is_utf8(value, (int64_t)strlen(value)))
        return ani_fail(err, AN_ERR_ARG, "metadata %s is not UTF-8",
                        ani_is_utf8(key, (int64_t)strlen(key)) ? key : "key");
    char *new_key = NULL;
    char *new_value = ani_strdup(value);
    if (!new_value) goto no_memory;
    for (int64_t i = 0; i < arrays->text_count; i++) {
        if (strcmp(arrays->texts[i].key, key) != 0) continue;
        ani_free(arrays->texts[i].value);
        arrays->texts[i].value = new_value;
        return AN_OK;
    }
    new_key = ani_strdup(key);
    if (!new_key) goto no_memory;
    if (arrays->text_count == arrays->text_capacity) {
        const int64_t capacity = arrays->text_capacity ? 2 * arrays->text_capacity : 16;
        text_entry *grown =
            ani_realloc(arrays->texts, arrays->text_count * (int64_t)sizeof *arrays->texts,
                        capacity * (int64_t)sizeof *arrays->texts);
        if (!grown) goto no_memory;
        arrays->texts = grown;
        arrays->text_capacity = capacity;
    }
    arrays->texts[arrays->text_count++] = (text_entry){.key = new_key, .value = new_value};
    return AN_OK;
no_memory:
    ani_free(new_key);
    ani_free(new_value);
    return ani_fail_memory(err, (int64_t)(strlen(key) + strlen(value)), "metadata");
}

/* --- looking at it ---------------------------------------------------------------------------- */

int64_t an_arrays_count(const an_arrays *arrays) {
    return arrays ? arrays->count : 0;
}

int64_t an_arrays_find(const an_arrays *arrays, const char *name) {
    if (!arrays || !name || !arrays->slot_count) return -1;
    return arrays->slots[find_slot(arrays, name)];
}

static const array_entry *entry_at(const an_arrays *arrays, int64_t index) {
    return arrays && index >= 0 && index < arrays->count ? &arrays->entries[index] : NULL;
}

const char *an_arrays_name(const an_arrays *arrays, int64_t index) {
    const array_entry *entry = entry_at(arrays, index);
    return entry ? entry->name : NULL;
}

const float *an_arrays_data(const an_arrays *arrays, int64_t index) {
    const array_entry *entry = entry_at(arrays, index);
    return entry ? entry->data : NULL;
}

int32_t an_arrays_rank(const an_arrays *arrays, int64_t index) {
    const array_entry *entry = entry_at(arrays, index);
    return entry ? entry->rank : -1;
}

int64_t an_arrays_length(const an_arrays *arrays, int64_t index, int32_t axis) {
    const array_entry *entry = entry_at(arrays, index);
    return entry && axis >= 0 && axis < entry->rank ? entry->shape[axis] : 0;
}

const char *an_arrays_metadata(const an_arrays *arrays, const char *key) {
    if (!arrays || !key) return NULL;
    for (int64_t i = 0; i < arrays->text_count; i++)
        if (!strcmp(arrays->texts[i].key, key)) return arrays->texts[i].value;
    return NULL;
}

int64_t an_arrays_metadata_count(const an_arrays *arrays) {
    return arrays ? arrays->text_count : 0;
}

const char *an_arrays_metadata_key(const an_arrays *arrays, int64_t index) {
    return arrays && index >= 0 && index < arrays->text_count ? arrays->texts[index].key : NULL;
}
