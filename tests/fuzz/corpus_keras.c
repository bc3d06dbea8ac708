/* SPDX-License-Identifier: MIT
 * Seeds: Keras files by libhdf5, small ones of each layout, and .keras archives of them. */
#include "corpus.h"

#include "config.h"

#if AN_HAVE_HDF5

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scratch.h"

static hid_t need(hid_t id) {
    if (id >= 0) return id;
    fputs("cannot make the corpus: libhdf5\n", stderr);
    exit(2);
}

/* Files are made in a folder: what H5Fget_file_image() hands out has a wrong checksum in the newest
 * format. */
static char path[4096];
static char *folder;

static hid_t begin(bool is_latest) {
    folder = scratch_make(true);
    if (!folder) need(-1);
    snprintf(path, sizeof path, "%s/made.h5", folder);
    const hid_t access = need(H5Pcreate(H5P_FILE_ACCESS));
    if (is_latest) need(H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST));
    const hid_t file = need(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access));
    H5Pclose(access);
    return file;
}

static uint8_t *end(hid_t file, int64_t *size) {
    H5Fclose(file);
    FILE *made = fopen(path, "rb");
    if (!made || fseek(made, 0, SEEK_END)) need(-1);
    *size = ftell(made);
    rewind(made);
    uint8_t *bytes = malloc((size_t)*size + 1);
    if (!bytes || fread(bytes, 1, (size_t)*size, made) != (size_t)*size) need(-1);
    fclose(made);
    scratch_remove(folder);
    return bytes;
}

static hid_t group(hid_t parent, const char *name) {
    return need(H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

/* A list of texts of a fixed size (size > 0) or of any size (0); count 0: a single text. */
static void texts(hid_t object, const char *name, const char *const *values, hsize_t count,
                  size_t size) {
    const hid_t type = need(H5Tcopy(H5T_C_S1));
    const hid_t space = need(count ? H5Screate_simple(1, &count, NULL) : H5Screate(H5S_SCALAR));
    need(H5Tset_size(type, size ? size : H5T_VARIABLE));
    const hid_t id = need(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
    char fixed[1024] = "";
    for (hsize_t i = 0; size && i < (count ? count : 1); i++)
        strncpy(fixed + i * size, values[i], size - 1);
    need(H5Awrite(id, type, size ? (const void *)fixed : (const void *)values));
    H5Aclose(id);
    H5Sclose(space);
    H5Tclose(type);
}

/* How arrays are stored. */
typedef enum storage { PLAIN, CHUNKED, PACKED } storage;

static void array(hid_t parent, const char *name, int rank, const hsize_t *shape, hid_t type,
                  storage how) {
    static const double values[64] = {1, 2, 3, 4, 5, 6, 7, 8};
    const hid_t space = need(rank ? H5Screate_simple(rank, shape, NULL) : H5Screate(H5S_SCALAR));
    const hid_t plist = need(H5Pcreate(H5P_DATASET_CREATE));
    if (how != PLAIN) need(H5Pset_chunk(plist, rank, shape));
    if (how == PACKED)
        need(H5Pset_shuffle(plist)), need(H5Pset_deflate(plist, 6)), need(H5Pset_fletcher32(plist));
    const hid_t id = need(H5Dcreate2(parent, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT));
    need(H5Dwrite(id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values));
    H5Dclose(id);
    H5Pclose(plist);
    H5Sclose(space);
}

/* Layers under base, as Keras 2 writes them. */
static void legacy(hid_t base, size_t text_size, storage how) {
    static const char *const layers[] = {"Conv1", "bn", "dense"};
    static const char *const conv[] = {"Conv1/kernel:0"};
    static const char *const bn[] = {"bn/gamma:0", "bn/beta:0", "bn/moving_mean:0",
                                     "bn/moving_variance:0"};
    static const char *const dense[] = {"dense/kernel:0", "dense/bias:0"};
    const hsize_t kernel_shape[4] = {3, 3, 1, 2}, two[2] = {2, 1}, one[1] = {1}, pair[1] = {2};
    texts(base, "layer_names", layers, 3, text_size);
    hid_t outer = group(base, "Conv1"), inner = group(outer, "Conv1");
    texts(outer, "weight_names", conv, 1, text_size);
    array(inner, "kernel:0", 4, kernel_shape, H5T_IEEE_F32LE, how);
    H5Gclose(inner);
    H5Gclose(outer);
    outer = group(base, "bn");
    inner = group(outer, "bn");
    texts(outer, "weight_names", bn, 4, text_size);
    for (int i = 0; i < 4; i++)
        array(inner, bn[i] + 3, 1, pair, H5T_IEEE_F32LE, how == PACKED ? how : PLAIN);
    H5Gclose(inner);
    H5Gclose(outer);
    outer = group(base, "dense");
    inner = group(outer, "dense");
    texts(outer, "weight_names", dense, 2, text_size);
    array(inner, "kernel:0", 2, two, H5T_IEEE_F64LE, how == PACKED ? how : PLAIN);
    array(inner, "bias:0", 1, one, H5T_STD_I16BE, PLAIN);
    H5Gclose(inner);
    H5Gclose(outer);
}

/* Numbered groups, as Keras 3 writes them. */
static uint8_t *numbered(bool is_latest, int64_t *size) {
    static const char *const classes[] = {"conv2d", "batch_normalization", "dense"};
    static const char *const names[] = {"Conv1", "bn", "dense"};
    static const int counts[] = {1, 4, 2};
    const hsize_t shape[1] = {2};
    const hid_t file = begin(is_latest), layers = group(file, "layers");
    for (int i = 0; i < 3; i++) {
        const hid_t layer = group(layers, classes[i]), vars = group(layer, "vars");
        texts(vars, "name", &names[i], 0, 16);
        for (int k = 0; k < counts[i]; k++) {
            char name[16];
            snprintf(name, sizeof name, "%d", k);
            array(vars, name, 1, shape, H5T_IEEE_F32LE, PLAIN);
        }
        H5Gclose(vars);
        H5Gclose(layer);
    }
    H5Gclose(layers);
    return end(file, size);
}

static void add(corpus *all, const char *name, uint8_t *bytes, int64_t size, bool is_good) {
    corpus_add(all, name, bytes, size, is_good);
    free(bytes);
}

static void add_hostile(corpus *all) {
    static const char *const layers[] = {"soft", "out"};
    const hid_t file = begin(false);
    int64_t size;
    texts(file, "layer_names", layers, 2, 0);
    H5Lcreate_soft("/nowhere", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "/", file, "out", H5P_DEFAULT, H5P_DEFAULT);
    uint8_t *bytes = end(file, &size);
    add(all, "links.h5", bytes, size, false);
}

/* No layers: sorting none of them was undefined behaviour once. */
static void add_empty(corpus *all) {
    const hsize_t none = 0;
    const hid_t file = begin(false), space = need(H5Screate_simple(1, &none, NULL));
    int64_t size;
    H5Aclose(
        need(H5Acreate2(file, "layer_names", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT)));
    H5Sclose(space);
    uint8_t *bytes = end(file, &size);
    add(all, "no_layers.h5", bytes, size, false);
}

/* Long lists of names come in parts; a model within a model keeps the names of its layers. */
static void add_parts(corpus *all) {
    static const char *const layers[] = {"base", "dense"};
    static const char *const weights[] = {"Conv1/kernel:0", "bn/gamma:0", "x/y"};
    const hsize_t one[1] = {1};
    const hid_t file = begin(false), base = group(file, "base"), dense = group(file, "dense");
    int64_t size;
    texts(file, "layer_names0", layers, 1, 8);
    texts(file, "layer_names1", layers + 1, 1, 8);
    texts(base, "weight_names0", weights, 1, 16);
    texts(base, "weight_names1", weights + 1, 1, 0);
    texts(dense, "weight_names", weights + 2, 1, 0);
    for (int i = 0; i < 3; i++) {
        const char *parts[] = {"Conv1", "bn", "x"}, *names[] = {"kernel:0", "gamma:0", "y"};
        const hid_t inner = group(i < 2 ? base : dense, parts[i]);
        array(inner, names[i], 1, one, H5T_IEEE_F32LE, PLAIN);
        H5Gclose(inner);
    }
    H5Gclose(base);
    H5Gclose(dense);
    uint8_t *bytes = end(file, &size);
    add(all, "parts.h5", bytes, size, true);
}

/* Numbered groups with a model inside, and classes that are counted. */
static void add_nested(corpus *all) {
    static const char *const paths[] = {"functional/layers/conv2d",
                                        "functional/layers/depthwise_conv2d_1",
                                        "functional/layers/batch_normalization_2", "dense"};
    static const int counts[] = {1, 1, 4, 2};
    const hsize_t shape[4] = {1, 1, 1, 1};
    const hid_t file = begin(false), layers = group(file, "layers");
    hid_t inner = group(layers, "functional");
    int64_t size;
    H5Gclose(group(inner, "layers"));
    H5Gclose(group(inner, "vars"));
    H5Gclose(inner);
    for (int i = 0; i < 4; i++) {
        const hid_t layer = group(layers, paths[i]), vars = group(layer, "vars");
        for (int k = 0; k < counts[i]; k++) {
            char name[16];
            snprintf(name, sizeof name, "%d", k);
            array(vars, name, i < 2 ? 4 : 1, shape, H5T_IEEE_F32LE, PLAIN);
        }
        H5Gclose(vars);
        H5Gclose(layer);
    }
    H5Gclose(layers);
    uint8_t *bytes = end(file, &size);
    add(all, "nested.weights.h5", bytes, size, true);
}

void corpus_keras(corpus *all) {
    static const char *const version[] = {"2.13.1"};
    static const char *const config[] = {corpus_keras_config};
    static const char *const members[] = {"metadata.json", "config.json", "model.weights.h5"};
    static const char metadata[] = "{\"keras_version\": \"3.12.1\"}";
    int64_t size;
    hid_t file = begin(false);
    legacy(file, 24, PLAIN);
    texts(file, "keras_version", version, 0, 0);
    uint8_t *bytes = end(file, &size);
    add(all, "weights.h5", bytes, size, true);

    file = begin(false);
    legacy(file, 24, PACKED);
    bytes = end(file, &size);
    add(all, "packed.h5", bytes, size, true);

    file = begin(true);
    legacy(file, 0, CHUNKED);
    bytes = end(file, &size);
    add(all, "latest.h5", bytes, size, true);

    file = begin(false);
    hid_t base = group(file, "model_weights");
    legacy(base, 0, PLAIN);
    texts(file, "model_config", config, 0, 0);
    texts(file, "keras_version", version, 0, 16);
    H5Gclose(base);
    bytes = end(file, &size);
    add(all, "model.h5", bytes, size, true);

    for (int is_latest = 0; is_latest < 2; is_latest++) {
        bytes = numbered(is_latest, &size);
        corpus_add(all, is_latest ? "latest.weights.h5" : "model.weights.h5", bytes, size, true);
        const uint8_t *const contents[] = {(const uint8_t *)metadata,
                                           (const uint8_t *)corpus_keras_config, bytes};
        const int64_t sizes[] = {sizeof metadata - 1, (int64_t)strlen(corpus_keras_config), size};
        int64_t archive_size;
        uint8_t *archive = corpus_archive(members, contents, sizes, 3, &archive_size);
        free(bytes);
        add(all, is_latest ? "latest.keras" : "model.keras", archive, archive_size, true);
    }
    add_hostile(all);
    add_empty(all);
    add_parts(all);
    add_nested(all);
    corpus_add(all, "magic.h5", "\x89HDF\r\n\x1a\n", 8, false);
}

#else

void corpus_keras(corpus *all) {
    corpus_add(all, "magic.h5", "\x89HDF\r\n\x1a\n", 8, false);
}

#endif
