/* SPDX-License-Identifier: MIT
 * The list of seeds, and which targets there are. */
#include "corpus.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

void corpus_need(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "cannot make the corpus: %s\n", what);
    exit(2);
}

static void *need(void *memory) {
    corpus_need(memory, "no memory");
    return memory;
}

void corpus_add(corpus *all, const char *name, const void *bytes, int64_t size, bool is_good) {
    if (all->count == all->capacity) {
        all->capacity = all->capacity ? 2 * all->capacity : 64;
        all->items = need(realloc(all->items, (size_t)all->capacity * sizeof *all->items));
    }
    corpus_item *item = &all->items[all->count++];
    *item = (corpus_item){.size = size, .is_good = is_good};
    snprintf(item->name, sizeof item->name, "%s", name);
    item->bytes = need(malloc(size ? (size_t)size : 1));
    if (size) memcpy(item->bytes, bytes, (size_t)size);
}

static int64_t count_of(const an_arrays *arrays, int64_t i) {
    int64_t count = 1;
    for (int32_t axis = 0; axis < an_arrays_rank(arrays, i); axis++)
        count *= an_arrays_length(arrays, i, axis);
    return count;
}

void corpus_add_arrays(corpus *all, const char *name, const an_arrays *arrays, const char *metadata,
                       bool is_good) {
    ani_text text = {0};
    int64_t place = 0;
    ani_text_print(&text, "{\"__metadata__\":{%s}", metadata);
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        const int64_t count = count_of(arrays, i);
        ani_text_print(&text, ",\"%s\":{\"dtype\":\"U8\",\"shape\":[", an_arrays_name(arrays, i));
        for (int32_t axis = 0; axis < an_arrays_rank(arrays, i); axis++)
            ani_text_print(&text, "%s%" PRId64, axis ? "," : "", an_arrays_length(arrays, i, axis));
        ani_text_print(&text, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", place,
                       place + count);
        place += count;
    }
    ani_text_print(&text, "}");
    corpus_need(!text.failed, "no memory");
    const int64_t size = 8 + text.size + place;
    uint8_t *bytes = need(calloc(1, (size_t)size));
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)text.size >> (8 * i));
    memcpy(bytes + 8, text.bytes, (size_t)text.size);
    uint8_t *number = bytes + 8 + text.size;
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        const float *values = an_arrays_data(arrays, i);
        const int64_t count = count_of(arrays, i);
        for (int64_t k = 0; k < count; k++)
            *number++ = values[k] > 0 && values[k] < 256 ? (uint8_t)values[k] : 0;
    }
    (void)corpus_seal(bytes, size);
    corpus_add(all, name, bytes, size, is_good);
    free(bytes);
    ani_text_clear(&text);
}

void corpus_clear(corpus *all) {
    for (int64_t i = 0; i < all->count; i++)
        free(all->items[i].bytes);
    free(all->items);
    *all = (corpus){0};
}

static void add_file(corpus *all, const char *path, const char *name, int64_t max_size,
                     bool is_good) {
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file) return;
    if (fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= max_size) {
        uint8_t *bytes = need(malloc((size_t)info.st_size + 1));
        const size_t size = fread(bytes, 1, (size_t)info.st_size, file);
        corpus_add(all, name, bytes, (int64_t)size, is_good);
        free(bytes);
    }
    fclose(file);
}

void corpus_add_folder(corpus *all, const char *folder, int64_t max_size, bool is_good) {
    struct dirent **entries;
    const int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            add_file(all, path, entries[i]->d_name, max_size, is_good);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
}

/* What a target starts from. Files of other makers are no starts for the count of flips: the
 * hostile ones are refused anyway. */
static const struct {
    const char *target;
    void (*make)(corpus *all);
    const char *golden; /* folder in AN_GOLDEN_DIR; NULL: none */
    int64_t golden_size;
} targets[] = {
    {"zip", corpus_zip, "zip/hostile", 32 << 10},
    {"image", corpus_image, "images/files", 8 << 10},
    {"labels", corpus_labels, "labels/files", 128 << 10},
    {"safetensors", corpus_safetensors, NULL, 0},
    {"keras", corpus_keras, NULL, 0},
    {"onnx", corpus_onnx, NULL, 0},
    {"network", corpus_network, NULL, 0},
    {"config", corpus_config, NULL, 0},
    {"model", corpus_model, NULL, 0},
    {"history", corpus_history, NULL, 0},
    {"page", corpus_page, NULL, 0},
    {"checkpoint", corpus_checkpoint, NULL, 0},
};

bool corpus_make(corpus *all, const char *target) {
    const char *golden = getenv("AN_GOLDEN_DIR");
    const char *tests = getenv("AN_TEST_DATA");
    char folder[4096];
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        if (strcmp(targets[i].target, target) != 0) continue;
        targets[i].make(all);
        if (tests) {
            snprintf(folder, sizeof folder, "%s/fuzz/regress/%s", tests, target);
            corpus_add_folder(all, folder, 1 << 20, false);
        }
        if (golden && targets[i].golden) {
            snprintf(folder, sizeof folder, "%s/%s", golden, targets[i].golden);
            corpus_add_folder(all, folder, targets[i].golden_size, false);
        }
        return true;
    }
    return false;
}
