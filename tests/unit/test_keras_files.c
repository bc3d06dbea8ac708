/* SPDX-License-Identifier: MIT
 * Whole Keras files, written here with libhdf5, from a config and the weights of a small model:
 * .h5, .keras and .weights.h5 give the same model, or are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hdf5.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

#include "support/archive.h"
#include "support/backends.h"
#include "support/folder.h"
#include "support/hdf5_write.h"
#include "support/keras_model.h"
#include "support/small_model.h"
#include "support/test_folder.h"

enum { H5, KERAS, WEIGHTS_H5, ROUTES };

static an_backend *backend;
static an_arrays *weights; /* of alpha 0.1 at 32 x 32 */
static an_error err;

static const char *target(void) {
    return folder_path(test_folder, "model");
}

/* --- writing ---------------------------------------------------------------------------------- */

/** How a file differs from what Keras writes for its config. */
typedef struct change {
    bool nameless;          /* groups of a .weights.h5 without names, as tf_keras writes them */
    const char *renamed[2]; /* two layers that have each other's name */
    const char *more;       /* an array more in the dense layer */
} change;

static void put_names(hid_t at, const char *attribute, char names[][64], hsize_t count) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 64);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    hdf5_put_attribute(at, attribute, type, H5Screate_simple(1, &count, NULL),
                       count ? names : NULL);
}

static void put_array(hid_t at, const char *path, int64_t index) {
    hsize_t lengths[4] = {1};
    const int rank = index < 0 ? 1 : an_arrays_rank(weights, index);
    const float one = 1;
    for (int axis = 0; axis < rank && index >= 0; axis++)
        lengths[axis] = (hsize_t)an_arrays_length(weights, index, axis);
    hdf5_put_array(at, path, rank, lengths, index < 0 ? &one : an_arrays_data(weights, index));
}

static const char *text_of(const json_t *layer, const char *key) {
    return json_string_value(json_object_get(json_object_get(layer, "config"), key));
}

static const json_t *layers_of(const json_t *model) {
    return json_object_get(json_object_get(model, "config"), "layers");
}

/* The arrays of a layer, by the name that it has in our network. */
static int arrays_of(int64_t found[5], const char *layer, const change *c) {
    int count = 0;
    const size_t size = strlen(layer);
    if (c->renamed[0] && !strcmp(layer, c->renamed[0]))
        layer = c->renamed[1];
    else if (c->renamed[0] && !strcmp(layer, c->renamed[1]))
        layer = c->renamed[0];
    for (int64_t i = 0; i < an_arrays_count(weights); i++)
        if (!strncmp(an_arrays_name(weights, i), layer, size) &&
            an_arrays_name(weights, i)[size] == '/')
            found[count++] = i;
    if (c->more && !strcmp(layer, "dense")) found[count++] = -1;
    return count;
}

/* NAME/VARIABLE of Keras 3, where a depthwise kernel is a kernel. */
static void name_array(char out[64], const char *layer, int64_t index, const change *c) {
    const char *variable = index < 0 ? c->more : strrchr(an_arrays_name(weights, index), '/') + 1;
    if (!strcmp(variable, "depthwise_kernel")) variable = "kernel";
    snprintf(out, 64, "%.40s/%.20s", layer, variable);
}

static void collect(const json_t *layer, const change *c, char (*names)[64], int64_t *indices,
                    hsize_t *count) {
    size_t i;
    const json_t *inner;
    json_array_foreach(layers_of(layer), i, inner) {
        collect(inner, c, names, indices, count);
    }
    int64_t found[5];
    const int arrays = layers_of(layer) ? 0 : arrays_of(found, text_of(layer, "name"), c);
    for (int k = 0; k < arrays; k++) {
        indices[*count] = found[k];
        name_array(names[(*count)++], text_of(layer, "name"), found[k], c);
    }
}

static void write_legacy(hid_t file, const json_t *model, const change *c) {
    static char names[300][64];
    static char layers[16][64];
    int64_t indices[300];
    size_t i;
    const json_t *layer;
    const hid_t root = hdf5_put_group(file, "model_weights");
    json_array_foreach(layers_of(model), i, layer) {
        hsize_t count = 0;
        snprintf(layers[i], sizeof layers[i], "%.60s", text_of(layer, "name"));
        collect(layer, c, names, indices, &count);
        const hid_t group = hdf5_put_group(root, layers[i]);
        put_names(group, "weight_names", names, count);
        for (hsize_t k = 0; k < count; k++)
            put_array(group, names[k], indices[k]);
        H5Gclose(group);
    }
    put_names(root, "layer_names", layers, json_array_size(layers_of(model)));
    H5Gclose(root);
}

/* A class as a group is called: "ReLU" is "re_lu". */
static void snake(char out[64], const char *class_name) {
    for (const char *s = class_name; *s; s++) {
        const bool is_upper = *s >= 'A' && *s <= 'Z';
        const bool begins = is_upper && s > class_name && !(s[-1] >= '0' && s[-1] <= '9') &&
                            ((s[1] >= 'a' && s[1] <= 'z') || (s[-1] >= 'a' && s[-1] <= 'z'));
        if (begins) *out++ = '_';
        *out++ = (char)(is_upper ? *s + 32 : *s);
    }
    *out = '\0';
}

static void write_numbered(hid_t at, const json_t *model, const change *c) {
    size_t i;
    const json_t *layer;
    char seen[256][64], word[64];
    json_array_foreach(layers_of(model), i, layer) {
        char path[128];
        int64_t found[5];
        int number = 0;
        snake(word, json_string_value(json_object_get(layer, "class_name")));
        for (size_t k = 0; k < i; k++)
            number += !strcmp(seen[k], word);
        memcpy(seen[i], word, sizeof word);
        snprintf(path, sizeof path, number ? "layers/%s_%d" : "layers/%s", word, number);
        const hid_t group = hdf5_put_group(at, path), vars = hdf5_put_group(group, "vars");
        if (!c->nameless) hdf5_put_text(vars, "name", text_of(layer, "name"));
        if (layers_of(layer)) write_numbered(group, layer, c);
        const int count = layers_of(layer) ? 0 : arrays_of(found, text_of(layer, "name"), c);
        for (int k = 0; k < count; k++) {
            snprintf(path, sizeof path, "%d", k);
            put_array(vars, path, found[k]);
        }
        H5Gclose(vars);
        H5Gclose(group);
    }
}

/* Write the file of a model, by a route. */
static void write_file(json_t *model, int route, const change *c) {
    char *config = json_dumps(model, JSON_COMPACT);
    const hid_t file = H5Fcreate(target(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    if (route == H5) {
        /* a long text is an attribute of any length */
        hdf5_put_text(file, "model_config", config);
        write_legacy(file, model, c);
    } else {
        write_numbered(file, model, c);
    }
    H5Fclose(file);
    if (route == KERAS) {
        int64_t size;
        uint8_t *bytes = folder_read(target(), &size);
        const struct entry entries[2] = {
            {.name = "model.weights.h5", .data = bytes, .data_size = size},
            {.name = "config.json", .data = config, .data_size = (int64_t)strlen(config)}};
        archive_write(&(struct archive){.entries = entries, .count = 2}, target());
        free(bytes);
    }
    free(config);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Load with what a bare .weights.h5 does not say. */
static an_status load(an_model **out, int route) {
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 32;
    if (route == WEIGHTS_H5) options.scale = AN_SCALE_TF;
    err = (an_error){0};
    return an_model_load(out, backend, target(), &options, &err);
}

static void expect_weights(int route) {
    an_model *model = NULL;
    an_arrays *found = NULL;
    an_model_info info = {.struct_size = sizeof info};
    if (load(&model, route)) fail_msg("route %d: %s", route, err.message);
    assert_int_equal(an_model_describe(model, &info, NULL), AN_OK);
    assert_int_equal(info.scale, AN_SCALE_TF);
    assert_int_equal(an_model_copy_weights(&found, model, NULL), AN_OK);
    assert_int_equal(an_arrays_count(found), an_arrays_count(weights));
    for (int64_t i = 0; i < an_arrays_count(weights); i++) {
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(weights, i); axis++)
            count *= an_arrays_length(weights, i, axis);
        if (memcmp(an_arrays_data(found, i), an_arrays_data(weights, i),
                   (size_t)count * sizeof(float)) != 0)
            fail_msg("route %d: '%s' has other values", route, an_arrays_name(weights, i));
    }
    an_arrays_destroy(found);
    an_model_destroy(model);
}

static void expect_refused(int route, const char *words) {
    an_model *model = NULL;
    const an_status st = load(&model, route);
    if (!strstr(err.message, words)) fail_msg("route %d: '%s'", route, err.message);
    assert_int_equal(st, AN_ERR_UNSUPPORTED);
    assert_null(model);
}

/* --- tests ------------------------------------------------------------------------------------ */

#define RESCALING LAYER("Rescaling", "scale", ",\"scale\":0.00784313725490196,\"offset\":-1.0")
#define AUGMENT                                                                                    \
    "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"augment\",\"layers\":[" LAYER(          \
        "RandomFlip", "flip", "") "," LAYER("RandomZoom", "zoom", "") "]}}"

/* Augmentation, network and head are models of their own, in one list or a graph. */
static json_t *tutorial(bool with_scale) {
    json_t *model = keras_model(KERAS_3);
    keras_insert(model, "mobilenetv2_0.10_32", LAYER("Dropout", "drop", ""));
    if (with_scale) keras_insert(model, "in", RESCALING);
    keras_insert(model, "in", AUGMENT);
    json_t *layers = json_object_get(json_object_get(model, "config"), "layers");
    const size_t count = json_array_size(layers);
    json_t *head =
        json_pack("{s:s,s:{s:s,s:[OO]}}", "class_name", "Sequential", "config", "name", "head",
                  "layers", json_array_get(layers, count - 2), json_array_get(layers, count - 1));
    json_array_remove(layers, count - 1);
    json_array_remove(layers, count - 2);
    json_array_append_new(layers, head);
    return model;
}

static void each_route_gives_the_weights(void **state) {
    (void)state;
    for (int route = 0; route < ROUTES; route++)
        for (int nameless = 0; nameless < 2; nameless++) {
            json_t *model = tutorial(route != WEIGHTS_H5);
            write_file(model, route, &(change){.nameless = nameless});
            expect_weights(route);
            json_decref(model);
        }
}

/* Arrays belong to where a layer stands, not to whoever has its usual name. */
static void layers_under_each_others_name(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"block_1_expand", "block_2_expand"},
                                           {"block_4_project_BN", "block_5_project_BN"}};
    for (size_t i = 0; i < 2; i++)
        for (int route = H5; route <= KERAS; route++) {
            const change c = {.renamed = {pairs[i][0], pairs[i][1]}};
            json_t *model = tutorial(true);
            /* exchange both names in the text of the config */
            char *text = json_dumps(model, JSON_COMPACT), *changed = malloc(strlen(text) + 1);
            char first[64], second[64], *at = changed;
            snprintf(first, sizeof first, "\"%s\"", pairs[i][0]);
            snprintf(second, sizeof second, "\"%s\"", pairs[i][1]);
            assert_int_equal(strlen(first), strlen(second));
            for (const char *s = text; *s;) {
                const bool is_first = !strncmp(s, first, strlen(first));
                const bool is_second = !strncmp(s, second, strlen(second));
                const size_t size = is_first || is_second ? strlen(first) : 1;
                memcpy(at, is_first ? second : is_second ? first : s, size);
                at += size;
                s += size;
            }
            *at = '\0';
            json_decref(model);
            model = json_loads(changed, 0, NULL);
            assert_non_null(model);
            free(text);
            free(changed);
            write_file(model, route, &c);
            expect_weights(route);
            json_decref(model);
        }
}

static void heads_that_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *behind, *layer, *by_config, *by_class;
    } rows[] = {{"dense", LAYER("ReLU", "x", ""), "layer 'x' of class 'ReLU' follows 'dense'",
                 "36 layers of class 're_lu'; MobileNetV2 has 35"},
                {"drop", LAYER("LeakyReLU", "x", ""),
                 "layer 'x' of class 'LeakyReLU' follows 'pool'", "a layer of class 'leaky_re_lu'"},
                {"drop", LAYER("GlobalAveragePooling2D", "x", ""),
                 "'GlobalAveragePooling2D' follows 'pool'",
                 "2 layers of class 'global_average_pooling2d'; MobileNetV2 has 1"},
                {"in", LAYER("Rescaling", "x", ",\"scale\":3"), "with layer 'scale' (Rescaling)",
                 "a layer of class 'rescaling'"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int route = 0; route < ROUTES; route++) {
            json_t *model = tutorial(route != WEIGHTS_H5);
            keras_insert(model, rows[i].behind, rows[i].layer);
            write_file(model, route, &(change){.nameless = route == WEIGHTS_H5 && i % 2});
            expect_refused(route, route == WEIGHTS_H5 ? rows[i].by_class : rows[i].by_config);
            json_decref(model);
        }
}

/* An int8 kernel comes with its scale. */
static void arrays_that_are_too_many(void **state) {
    (void)state;
    for (int route = 0; route < ROUTES; route++) {
        json_t *model = tutorial(route != WEIGHTS_H5);
        write_file(model, route, &(change){.more = "kernel_scale"});
        expect_refused(route, route == H5 ? "has an array 'dense/kernel_scale', which MobileNetV2"
                                          : "has an array 'dense/0', which MobileNetV2");
        json_decref(model);
    }
}

/* The scale is the file's where it makes it. */
static void a_scale_against_the_files(void **state) {
    (void)state;
    an_mobilenetv2_options options;
    an_model *model = NULL;
    json_t *json = tutorial(true);
    char wanted[512];
    an_mobilenetv2_options_init(&options, sizeof options);
    write_file(json, H5, &(change){0});
    json_decref(json);
    options.scale = AN_SCALE_TF;
    assert_int_equal(an_model_load(&model, backend, target(), &options, &err), AN_OK);
    an_model_destroy(model);
    options.scale = AN_SCALE_UNIT;
    assert_int_equal(an_model_load(&model, backend, target(), &options, &err), AN_ERR_ARG);
    snprintf(wanted, sizeof wanted,
             "model: '%s' scales pixels in its layer 'scale' as tf does; scale is unit, leave it "
             "out",
             target());
    assert_string_equal(err.message, wanted);
    assert_null(model);
    /* weights for a new model: its own scale, or the caller's */
    options.weights_kind = AN_WEIGHTS_FILE;
    options.weights_path = target();
    options.alpha = 0.1;
    options.height = options.width = 32;
    for (int32_t scale = AN_SCALE_AUTO; scale <= AN_SCALE_UNIT; scale++) {
        an_model_info info = {.struct_size = sizeof info};
        options.scale = scale;
        if (an_mobilenetv2_create(&model, backend, &options, &err)) fail_msg("%s", err.message);
        assert_int_equal(an_model_describe(model, &info, NULL), AN_OK);
        assert_int_equal(info.scale, scale ? AN_SCALE_UNIT : AN_SCALE_TF);
        an_model_destroy(model);
    }
}

static int begin(void **state) {
    (void)state;
    backend = test_backend_make("ref", NULL, 1);
    weights = small_model_weights(backend);
    /* arrays of one shape differ, those that begin as 0 or 1, too */
    an_arrays *list = NULL;
    assert_int_equal(an_arrays_create(&list, NULL), AN_OK);
    for (int64_t i = 0; i < an_arrays_count(weights); i++) {
        int64_t shape[4], count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(weights, i); axis++)
            count *= shape[axis] = an_arrays_length(weights, i, axis);
        float *values = malloc((size_t)count * sizeof *values);
        for (int64_t k = 0; k < count; k++)
            values[k] = (float)(1 + i) + an_arrays_data(weights, i)[k];
        assert_int_equal(an_arrays_add(list, an_arrays_name(weights, i), values, shape,
                                       an_arrays_rank(weights, i), NULL),
                         AN_OK);
        free(values);
    }
    an_arrays_destroy(weights);
    weights = list;
    return 0;
}

static int end(void **state) {
    (void)state;
    an_arrays_destroy(weights);
    an_backend_destroy(backend);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(each_route_gives_the_weights),
        unit_test_in_folder(layers_under_each_others_name),
        unit_test_in_folder(heads_that_are_refused),
        unit_test_in_folder(arrays_that_are_too_many),
        unit_test_in_folder(a_scale_against_the_files),
    };
    return cmocka_run_group_tests_name("keras_files", tests, begin, end);
}
