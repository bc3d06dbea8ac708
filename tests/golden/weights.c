/* SPDX-License-Identifier: MIT
 * Topic weights: files of Keras 2 and 3 in every layout give the arrays that were saved, bit for
 * bit, in the order of the layers; their configs say what the network was. */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/io.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/keras.h"
#include "support/folder.h"

/* --- comparing -------------------------------------------------------------------------------- */

/* Read a file, and the same file from memory. */
static an_arrays *read_arrays(const char *path) {
    an_error err;
    an_arrays *arrays = NULL, *same = NULL;
    an_bytes *bytes = NULL, *same_bytes = NULL;
    uint8_t *content = NULL;
    int64_t size;
    if (an_arrays_read(&arrays, path, &err) ||
        ani_file_read_all(path, INT64_MAX, &content, &size, &err) ||
        an_arrays_read_bytes(&same, content, size, NULL, &err) ||
        an_arrays_write_bytes(&bytes, arrays, &err) ||
        an_arrays_write_bytes(&same_bytes, same, &err))
        fail_msg("%s", err.message);
    assert_int_equal(an_bytes_size(same_bytes), an_bytes_size(bytes));
    assert_memory_equal(an_bytes_data(same_bytes), an_bytes_data(bytes),
                        (size_t)an_bytes_size(bytes));
    an_bytes_destroy(same_bytes);
    an_bytes_destroy(bytes);
    an_arrays_destroy(same);
    ani_free(content);
    return arrays;
}

static void expect_shape(const an_arrays *arrays, int64_t index, const st_array *want) {
    const char *name = an_arrays_name(arrays, index);
    if (an_arrays_rank(arrays, index) != want->rank)
        fail_msg("'%s' has %d axes, expected %d as '%s'", name, an_arrays_rank(arrays, index),
                 want->rank, want->name);
    for (int32_t axis = 0; axis < want->rank; axis++)
        if (an_arrays_length(arrays, index, axis) != want->shape[axis])
            fail_msg("'%s': axis %d is %lld, expected %lld as '%s'", name, axis,
                     (long long)an_arrays_length(arrays, index, axis), (long long)want->shape[axis],
                     want->name);
}

/* Exact, NaN included: values of 4 bytes are copied, others rounded once. */
static void expect_values(const an_arrays *arrays, int64_t index, const st_array *want) {
    expect_shape(arrays, index, want);
    const float *got = an_arrays_data(arrays, index);
    for (int64_t i = 0; i < want->count; i++) {
        const float value = (float)st_value(want, i);
        if (got[i] != value && !(isnan(got[i]) && isnan(value)))
            fail_msg("'%s': element %lld is %.9g, expected %.9g", want->name, (long long)i, got[i],
                     value);
    }
}

static bool is_head(const char *name) {
    return !strncmp(name, "dense/", 6) || !strncmp(name, "dense_1/", 8);
}

/* Find an array of the truth; the tutorial's head is "dense_1", the truth's "dense". */
static const st_array *find_truth(const st_file *truth, const char *name) {
    const char *variable = strrchr(name, '/');
    return is_head(name) ? st_find(truth, "dense%s", variable) : st_find(truth, "%s", name);
}

/* Every array of the file is in the truth, and every base array of the truth in the file. */
static void expect_arrays(const an_arrays *arrays, const st_file *base, const st_file *head) {
    int64_t base_count = 0, heads = 0;
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        const char *name = an_arrays_name(arrays, i);
        const st_array *want = find_truth(is_head(name) ? head : base, name);
        if (!want) fail_msg("'%s' is not in the truth", name);
        expect_values(arrays, i, want);
        heads += is_head(name);
    }
    for (int64_t i = 0; i < base->count; i++)
        base_count += !is_head(base->arrays[i].name);
    assert_true(base_count > 0);
    assert_int_equal(an_arrays_count(arrays) - heads, base_count);
    assert_true(heads == 0 || heads == 2);
}

/* --- the network's own order ------------------------------------------------------------------ */

/* The names of the base's arrays in network order: "Conv1/kernel", "bn_Conv1/gamma", ... */
typedef struct order {
    char **names;
    int64_t count;
} order;

static order read_order(void) {
    order all = {0};
    static golden_names names;
    char relative[GOLDEN_NAME_SIZE + 32];
    /* names are the same for every width and size */
    golden_list(&names, "mobilenetv2", "layers", ".json");
    if (!names.count) return all;
    snprintf(relative, sizeof relative, "mobilenetv2/%s", names.at[0]);
    json_t *layers = golden_json(golden_path(relative));
    size_t i, k;
    json_t *layer, *weight;
    all.names = calloc(1024, sizeof *all.names);
    json_array_foreach(layers, i, layer) {
        json_array_foreach(json_object_get(layer, "weights"), k, weight) {
            assert_true(all.count < 1024);
            char *name = strdup(json_string_value(json_array_get(weight, 0)));
            *strrchr(name, ':') = '\0';
            all.names[all.count++] = name;
        }
    }
    json_decref(layers);
    return all;
}

static void clear_order(order *all) {
    for (int64_t i = 0; i < all->count; i++)
        free(all->names[i]);
    free(all->names);
}

/* --- files ------------------------------------------------------------------------------------ */

/* The true weights of a network: in the topic's folder, else in pretrained/. The tutorial's model
 * has weights of its own that stand nowhere else: NULL. */
static st_file *open_truth(const char *topic, const char *name, golden_tag tag) {
    const char *path = strstr(name, "tutorial") ? NULL : golden_weights_of(topic, tag);
    return path ? st_open(path) : NULL;
}

/* A model's config against its name and the table of paddings. */
static void check_config(const an_arrays *arrays, const char *name) {
    const char *json = an_arrays_metadata(arrays, "model_config");
    if (!json) return;
    an_error err;
    ani_keras_config *config;
    char size[16];
    if (ani_keras_config_read(&config, json, &err)) fail_msg("'%s': %s", name, err.message);
    const char *base_name = config->models[config->base].name;
    assert_string_equal(config->models[0].name, "attractiveNet_mnv2");
    assert_int_equal(config->model_count, 2);
    const ani_keras_layer *last = &config->layers[config->count - 1], *input = NULL;
    assert_string_equal(last->class_name, "Dense");
    assert_int_equal(last->units, 1);
    assert_int_equal(last->inputs[0], config->count - 2);
    assert_string_equal(last->activation, "linear");
    assert_string_equal(last[-1].class_name, "GlobalAveragePooling2D");
    assert_int_equal(config->models[0].output, config->count - 1);
    assert_int_equal(config->models[1].output, config->count - 2);
    double alpha;
    const char *end;
    assert_true(ani_parse_double(base_name + strlen("mobilenetv2_"), &end, &alpha, NULL));
    assert_true(config->alpha == alpha);

    for (int64_t i = 0; i < config->count; i++) {
        const ani_keras_layer *layer = &config->layers[i];
        if (layer->kind == ANI_KERAS_INPUT) input = layer;
        assert_string_equal(layer->unknown, "");
        if (layer->kind == ANI_KERAS_NORM) {
            assert_true(layer->epsilon == 1e-3 && layer->axis == 3);
        } else if (layer->kind == ANI_KERAS_RELU) {
            assert_true(layer->max_value == 6);
        } else if (layer->kind == ANI_KERAS_DEPTHWISE) {
            assert_int_equal(layer->kernel_size[0], 3);
            assert_int_equal(layer->strides[1], strcmp(layer->padding, "same") ? 2 : 1);
        } else if (layer->kind == ANI_KERAS_CONV) {
            if (layer->kernel_size[0] > 1) assert_string_equal(layer->padding, "same");
            assert_true(layer->filters > 0 && !layer->use_bias);
        }
    }
    assert_non_null(input);
    snprintf(size, sizeof size, "%d", input->shape[0]);
    if (input->shape[0] < 0) snprintf(size, sizeof size, "None");
    assert_int_equal(input->shape[1], input->shape[0]);
    assert_int_equal(input->shape[2], 3);
    assert_string_equal(end + 1, size);
    const char *table_path = golden_path("mobilenetv2/sizes_padding.json");
    json_t *table = table_path ? golden_json(table_path) : NULL;
    const json_t *pads = json_object_get(json_object_get(table, size), "pads");
    for (int64_t i = 0; i < config->count && pads; i++) {
        const ani_keras_layer *layer = &config->layers[i];
        if (layer->kind != ANI_KERAS_PAD) continue;
        const int32_t *got = layer->sides;
        const json_t *want = json_object_get(pads, layer->name);
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(
                got[k], json_integer_value(json_array_get(json_array_get(want, k / 2), k % 2)));
    }
    json_decref(table);
    ani_keras_config_free(config);
}

/* The layers come in the network's order, the head last. Keras 3 weights alone have no such order.
 */
static void check_order(const an_arrays *arrays, const order *all, const char *name) {
    const char *layout = an_arrays_metadata(arrays, "layout");
    if (!strcmp(layout, "keras3-weights") || !all->count) return;
    for (int64_t i = 0; i < all->count; i++)
        if (strcmp(an_arrays_name(arrays, i), all->names[i]) != 0)
            fail_msg("'%s': array %lld is '%s', expected '%s'", name, (long long)i,
                     an_arrays_name(arrays, i), all->names[i]);
    assert_true(an_arrays_count(arrays) == all->count ||
                is_head(an_arrays_name(arrays, all->count)));
}

typedef struct walk {
    order all;
    int64_t files;
    int64_t compared; /* files with values to compare with */
} walk;

static void check_model_file(void *user, const char *name) {
    walk *now = user;
    char relative[512];
    golden_tag tag;
    if (!ani_ends_with(name, ".h5") && !ani_ends_with(name, ".keras")) return;
    if (!strncmp(name, "oldnames_", 9)) return; /* a test of its own */
    if (!golden_tag_of(name, &tag)) fail_msg("'%s' has no ALPHA_SIZE in its name", name);
    now->files++;
    snprintf(relative, sizeof relative, "mobilenetv2/%s", name);
    an_arrays *arrays = read_arrays(golden_path(relative));
    st_file *truth = open_truth("mobilenetv2", name, tag);
    if (truth) {
        expect_arrays(arrays, truth, truth);
        now->compared++;
    } else if (!strstr(name, "tutorial")) {
        fail_msg("there are no weights to compare '%s' with", name);
    }
    check_order(arrays, &now->all, name);
    check_config(arrays, name);
    assert_int_equal(an_arrays_metadata(arrays, "layer_names") != NULL, 0);
    st_close(truth);
    an_arrays_destroy(arrays);
}

static void files_of_keras(void **state) {
    (void)state;
    const char *folder = golden_path("mobilenetv2");
    if (!folder) skip();
    walk now = {.all = read_order()};
    folder_walk(folder, check_model_file, &now);
    clear_order(&now.all);
    if (!now.files) skip();
    assert_true(now.compared > 0);
}

static void check_old_names(void *user, const char *name) {
    walk *now = user;
    char relative[512];
    static const char end[] = "_no_top.h5";
    if (strncmp(name, "oldnames_", 9) != 0 || !ani_ends_with(name, end)) return;
    snprintf(relative, sizeof relative, "mobilenetv2/%s", name);
    an_arrays *arrays = read_arrays(golden_path(relative));
    snprintf(relative, sizeof relative, "mobilenetv2/%.*s_truth.safetensors",
             (int)(strlen(name) - strlen(end)), name);
    if (!golden_path(relative)) fail_msg("there is no truth for '%s'", name);
    st_file *truth = st_open(golden_path(relative));
    assert_int_equal(an_arrays_count(arrays), truth->count);
    assert_int_equal(an_arrays_count(arrays), now->all.count);
    int64_t unfamiliar = 0;
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        const st_array *want = st_find(truth, "%s", now->all.names[i]);
        assert_non_null(want);
        expect_values(arrays, i, want);
        unfamiliar += strcmp(an_arrays_name(arrays, i), now->all.names[i]) != 0;
        /* only the layers' names are others: the variables' are the same */
        assert_string_equal(strrchr(an_arrays_name(arrays, i), '/'),
                            strrchr(now->all.names[i], '/'));
    }
    assert_true(unfamiliar > 0);
    now->compared++;
    st_close(truth);
    an_arrays_destroy(arrays);
}

static void old_names_by_order(void **state) {
    (void)state;
    const char *folder = golden_path("mobilenetv2");
    if (!folder) skip();
    walk now = {.all = read_order()};
    if (now.all.count) folder_walk(folder, check_old_names, &now);
    clear_order(&now.all);
    if (!now.compared) skip();
}

/* A checkpoint with a frozen base (another order of names) and the optimizer's state, which stays
 * out. */
static void check_checkpoint(void *user, const char *name) {
    walk *now = user;
    char relative[512];
    an_error err;
    ani_keras_config *config;
    if (!ani_ends_with(name, ".h5")) return;
    snprintf(relative, sizeof relative, "training/%s", name);
    an_arrays *arrays = read_arrays(golden_path(relative));
    check_order(arrays, &now->all, name);
    check_config(arrays, name);
    const char *json = an_arrays_metadata(arrays, "model_config");
    if (ani_keras_config_read(&config, json ? json : "", &err)) fail_msg("%s", err.message);
    golden_tag tag;
    const char *base_name = config->models[config->base].name;
    if (!golden_tag_of(base_name, &tag))
        fail_msg("'%s' has the base '%s', which says no ALPHA_SIZE", name, base_name);
    const char *own = golden_path("training/initial_weights.safetensors");
    st_file *truth = own ? st_open(own) : open_truth("training", "", tag);
    const char *head_path = golden_path("training/stage1_final_head_keras2.safetensors");
    if (!truth || !head_path) fail_msg("there are no weights to compare '%s' with", name);
    st_file *head = st_open(head_path);
    expect_arrays(arrays, truth, head);
    now->compared++;
    st_close(head);
    st_close(truth);
    ani_keras_config_free(config);
    an_arrays_destroy(arrays);
}

static void checkpoints(void **state) {
    (void)state;
    const char *folder = golden_path("training");
    if (!folder) skip();
    walk now = {.all = read_order()};
    folder_walk(folder, check_checkpoint, &now);
    clear_order(&now.all);
    if (!now.compared) skip();
}

/* --- safetensors of every number type --------------------------------------------------------- */

static void check_safetensors(void *user, const char *name) {
    int64_t *compared = user;
    static const char *folder_name; /* of the walk one level up */
    char relative[512];
    if (!ani_ends_with(name, ".safetensors")) {
        if (strchr(name, '.') || folder_name) return;
        const char *inner = golden_path(name);
        if (!inner) return;
        folder_name = name;
        folder_walk(inner, check_safetensors, user);
        folder_name = NULL;
        return;
    }
    snprintf(relative, sizeof relative, "%s/%s", folder_name ? folder_name : ".", name);
    const char *path = golden_path(relative);
    an_arrays *arrays = read_arrays(path);
    st_file *truth = st_open(path);
    assert_int_equal(an_arrays_count(arrays), truth->count);
    for (int64_t i = 0; i < truth->count; i++) {
        assert_string_equal(an_arrays_name(arrays, i), truth->arrays[i].name);
        assert_int_equal(an_arrays_find(arrays, truth->arrays[i].name), i);
        expect_values(arrays, i, &truth->arrays[i]);
    }
    const char *key;
    json_t *value;
    json_object_foreach(truth->metadata, key, value) {
        assert_string_equal(an_arrays_metadata(arrays, key), json_string_value(value));
    }
    ++*compared;
    st_close(truth);
    an_arrays_destroy(arrays);
}

static void all_safetensors(void **state) {
    (void)state;
    int64_t compared = 0;
    const char *folder = golden_path("");
    if (!folder) skip();
    folder_walk(folder, check_safetensors, &compared);
    if (!compared) skip();
}

/* --- published weights, where they are at hand ------------------------------------------------ */

typedef struct published {
    an_arrays *arrays[16];
    int count;
    const char *folder;
} published;

static void read_published(void *user, const char *name) {
    published *all = user;
    if (!ani_ends_with(name, ".h5") || all->count == 16) return;
    all->arrays[all->count++] = read_arrays(folder_path(all->folder, name));
}

/* Files of the same network hold the same base in the same order, whatever the layers are called.
 */
static void published_weights(void **state) {
    (void)state;
    published all = {.folder = getenv("AN_WEIGHTS_DIR")};
    if (!all.folder) skip();
    folder_walk(all.folder, read_published, &all);
    for (int f = 0; f < all.count; f++) {
        const an_arrays *first = all.arrays[0], *arrays = all.arrays[f];
        assert_string_equal(an_arrays_metadata(arrays, "layout"), "keras-weights");
        assert_true(an_arrays_count(arrays) >= 260);
        for (int64_t i = 0; i < 260; i++) {
            int64_t count = 1;
            assert_int_equal(an_arrays_rank(arrays, i), an_arrays_rank(first, i));
            for (int32_t axis = 0; axis < an_arrays_rank(first, i); axis++) {
                assert_int_equal(an_arrays_length(arrays, i, axis),
                                 an_arrays_length(first, i, axis));
                count *= an_arrays_length(first, i, axis);
            }
            assert_string_equal(strrchr(an_arrays_name(arrays, i), '/'),
                                strrchr(an_arrays_name(first, i), '/'));
            assert_memory_equal(an_arrays_data(arrays, i), an_arrays_data(first, i),
                                (size_t)count * sizeof(float));
        }
    }
    for (int f = 0; f < all.count; f++)
        an_arrays_destroy(all.arrays[f]);
    if (!all.count) skip();
}

int golden_weights(void);
int golden_weights(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_keras),    cmocka_unit_test(old_names_by_order),
        cmocka_unit_test(checkpoints),       cmocka_unit_test(all_safetensors),
        cmocka_unit_test(published_weights),
    };
    return cmocka_run_group_tests_name("golden weights", tests, NULL, NULL);
}
