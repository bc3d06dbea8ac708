/* SPDX-License-Identifier: MIT
 * Topic mobilenetv2: the network's table, its paddings, summaries, weight files of every layout,
 * and its numbers layer by layer. Files are found by their names, TAG being ALPHA_SIZE as in
 * "0.35_96". */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

#include "layers/model.h"
#include "support/backends.h"

enum { NAMES = 128 };

static void must(an_status st, const an_error *error, const char *what) {
    if (st) fail_msg("%s: %s (%s)", what, error->message, an_status_name(st));
}

/* The names in the topic's folder that begin and end so; in the order of the alphabet. */
static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

static int32_t list_files(char names[NAMES][256], const char *prefix, const char *suffix) {
    const char *folder = golden_path("mobilenetv2");
    DIR *dir = folder ? opendir(folder) : NULL;
    int32_t count = 0;
    if (!dir) return 0;
    for (struct dirent *entry; (entry = readdir(dir)) && count < NAMES;) {
        const size_t length = strlen(entry->d_name), end = strlen(suffix);
        if (strncmp(entry->d_name, prefix, strlen(prefix)) || length < end ||
            strcmp(entry->d_name + length - end, suffix))
            continue;
        snprintf(names[count++], sizeof names[0], "%s", entry->d_name);
    }
    closedir(dir);
    qsort(names, (size_t)count, sizeof names[0], by_name);
    return count;
}

__attribute__((format(printf, 1, 2))) static const char *topic_path(const char *format, ...) {
    char relative[512];
    va_list args;
    va_start(args, format);
    vsnprintf(relative, sizeof relative, format, args);
    va_end(args);
    return golden_path(relative);
}

static an_backend *open_ref(void) {
    return test_backend_make(AN_BACKEND_REF, NULL, 1);
}

static an_model *make_model(an_backend *backend, const an_mobilenetv2_options *options) {
    an_model *model = NULL;
    an_error error;
    must(an_mobilenetv2_create(&model, backend, options, &error), &error, "create");
    return model;
}

static an_model_info describe(const an_model *model) {
    an_model_info info = {.struct_size = sizeof info};
    assert_int_equal(an_model_describe(model, &info, NULL), AN_OK);
    return info;
}

static const ani_unit_spec *find_unit(const ani_net *net, const char *name, int32_t *index) {
    const ani_net_spec *spec = ani_net_spec_of(net);
    for (int32_t u = 0; u < spec->unit_count; u++) {
        if (strcmp(spec->units[u].conv_name, name) && strcmp(spec->units[u].bn_name, name))
            continue;
        if (index) *index = u;
        return &spec->units[u];
    }
    return NULL;
}

/* --- tables -------------------------------------------------------------------------------------
 */

static int64_t integer(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value)) fail_msg("no integer '%s' in the reference data", key);
    return json_integer_value(value);
}

static void check_channels(const ani_net *net, const json_t *channels) {
    const char *name;
    const json_t *value;
    json_object_foreach((json_t *)(uintptr_t)channels, name, value) {
        const ani_unit_spec *unit = find_unit(net, name, NULL);
        if (!unit) fail_msg("the network has no layer '%s'", name);
        assert_int_equal(unit->cout, json_integer_value(value));
    }
}

static void check_alpha(an_backend *backend, const json_t *row) {
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.alpha = json_number_value(json_object_get(row, "alpha"));
    options.height = options.width = 224;
    options.padding = AN_PADDING_FIXED;
    an_model *model = make_model(backend, &options);
    const ani_net *net = ani_model_net(model);
    an_model_info info = describe(model);
    int64_t all, trainable;
    assert_int_equal(an_mobilenetv2_parameters(options.alpha, 1, &all, &trainable, NULL), AN_OK);
    assert_int_equal(all, integer(row, "model_params"));
    assert_int_equal(trainable, integer(row, "stage2_trainable"));
    assert_int_equal(info.parameters, integer(row, "model_params"));
    assert_int_equal(info.features, integer(row, "features"));
    assert_int_equal(info.trainable, integer(row, "stage1_trainable"));
    assert_int_equal(info.parameters - info.features - 1, integer(row, "base_params"));
    assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, NULL), AN_OK);
    info = describe(model);
    assert_int_equal(info.trainable, integer(row, "stage2_trainable"));
    assert_int_equal(info.parameters - info.trainable, integer(row, "base_non_trainable"));
    assert_int_equal(ani_net_array_count(net) - 2, integer(row, "n_weight_arrays"));
    assert_string_equal(ani_model_facts_of(model)->base_name,
                        json_string_value(json_object_get(row, "name")));
    check_channels(net, json_object_get(row, "channels"));
    check_channels(net, json_object_get(row, "expand"));
    an_model_destroy(model);
}

static void alpha_table(void **state) {
    (void)state;
    const char *path = golden_path("mobilenetv2/alpha_table.json");
    if (!path) skip();
    an_backend *backend = open_ref();
    json_t *table = golden_json(path), *row;
    size_t i;
    json_array_foreach(table, i, row) check_alpha(backend, row);
    assert_true(i > 0);
    json_decref(table);
    an_backend_destroy(backend);
}

/* Compare one layer of Keras with the unit that holds it. */
static void check_layer(const ani_net *net, const json_t *layer, int64_t *array) {
    const char *name = json_string_value(json_object_get(layer, "name"));
    const char *kind = json_string_value(json_object_get(layer, "kind"));
    const json_t *shape = json_object_get(layer, "output_shape");
    int32_t u = 0;
    const ani_unit_spec *unit = find_unit(net, name, &u);
    if (!strcmp(kind, "Conv2D") || !strcmp(kind, "DepthwiseConv2D") ||
        !strcmp(kind, "BatchNormalization")) {
        int64_t height, width;
        if (!unit) fail_msg("the network has no layer '%s'", name);
        ani_net_unit_size(net, u, &height, &width);
        assert_int_equal(height, json_integer_value(json_array_get(shape, 1)));
        assert_int_equal(width, json_integer_value(json_array_get(shape, 2)));
        assert_int_equal(unit->cout, json_integer_value(json_array_get(shape, 3)));
    }
    const json_t *strides = json_object_get(layer, "strides");
    if (unit && strides)
        assert_int_equal(unit->stride, json_integer_value(json_array_get(strides, 0)));
    if (!strcmp(kind, "Add")) {
        char project[64];
        snprintf(project, sizeof project, "%.*sproject", (int)(strlen(name) - 3), name);
        unit = find_unit(net, project, &u);
        assert_non_null(unit);
        assert_true(unit->residual >= 0);
    }
    json_t *weight;
    size_t i;
    json_array_foreach(json_object_get(layer, "weights"), i, weight) {
        const ani_net_array *ours = ani_net_array_at(net, (*array)++);
        char full[ANI_ARRAY_NAME_SIZE + 2];
        ani_array_name(full, ours);
        strcat(full, ":0");
        assert_string_equal(full, json_string_value(json_array_get(weight, 0)));
        const json_t *lengths = json_array_get(weight, 1);
        assert_int_equal(ours->rank, json_array_size(lengths));
        for (int32_t axis = 0; axis < ours->rank; axis++)
            assert_int_equal(ours->shape[axis],
                             json_integer_value(json_array_get(lengths, (size_t)axis)));
    }
}

static void layers(void **state) {
    (void)state;
    char names[NAMES][256];
    const int32_t count = list_files(names, "layers_", ".json");
    if (!count) skip();
    an_backend *backend = open_ref();
    for (int32_t i = 0; i < count; i++) {
        an_mobilenetv2_options options;
        an_mobilenetv2_options_init(&options, sizeof options);
        if (sscanf(names[i], "layers_%lf_%d", &options.alpha, &options.height) != 2) continue;
        options.width = options.height;
        options.padding = AN_PADDING_FIXED;
        an_model *model = make_model(backend, &options);
        json_t *list = golden_json(topic_path("mobilenetv2/%s", names[i])), *layer;
        size_t k;
        int64_t array = 0;
        json_array_foreach(list, k, layer) check_layer(ani_model_net(model), layer, &array);
        assert_int_equal(array, ani_net_array_count(ani_model_net(model)) - 2);
        json_decref(list);
        an_model_destroy(model);
    }
    an_backend_destroy(backend);
}

static void check_padding(an_backend *backend, const char *key, const json_t *entry) {
    an_mobilenetv2_options options;
    const bool none = !strcmp(key, "None");
    an_mobilenetv2_options_init(&options, sizeof options);
    options.alpha = 0.35;
    options.height = options.width = none ? 350 : atoi(key);
    options.padding = none ? AN_PADDING_TUTORIAL : AN_PADDING_FIXED;
    an_model *model = make_model(backend, &options);
    const ani_net *net = ani_model_net(model);
    assert_string_equal(ani_model_facts_of(model)->base_name,
                        json_string_value(json_object_get(entry, "name")));
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(entry, "pads"), name, value) {
        char layer[64];
        snprintf(layer, sizeof layer, "%.*sdepthwise", (int)(strlen(name) - 3), name);
        const ani_unit_spec *unit = find_unit(net, layer, NULL);
        if (!unit) continue; /* Conv1_pad of an older Keras */
        const json_t *rows = json_array_get(value, 0), *columns = json_array_get(value, 1);
        assert_int_equal(unit->pad_top, json_integer_value(json_array_get(rows, 0)));
        assert_int_equal(unit->pad_bottom, json_integer_value(json_array_get(rows, 1)));
        assert_int_equal(unit->pad_left, json_integer_value(json_array_get(columns, 0)));
        assert_int_equal(unit->pad_right, json_integer_value(json_array_get(columns, 1)));
    }
    json_object_foreach(json_object_get(entry, "out"), name, value) {
        int32_t u = 0;
        int64_t height, width;
        const char *layer = !strcmp(name, "out_relu") ? "Conv_1" : name;
        assert_non_null(find_unit(net, layer, &u));
        ani_net_unit_size(net, u, &height, &width);
        if (none) continue;
        assert_int_equal(height, json_integer_value(json_array_get(value, 0)));
        assert_int_equal(width, json_integer_value(json_array_get(value, 1)));
    }
    an_model_destroy(model);
}

static void paddings(void **state) {
    (void)state;
    const char *path = golden_path("mobilenetv2/sizes_padding.json");
    if (!path) skip();
    an_backend *backend = open_ref();
    json_t *table = golden_json(path), *entry;
    const char *key;
    json_object_foreach(table, key, entry) {
        if (!json_object_get(entry, "error")) check_padding(backend, key, entry);
    }
    json_decref(table);
    an_backend_destroy(backend);
}

/* --- summaries ----------------------------------------------------------------------------------
 */

static void check_summary(const an_model *model, int32_t style, const char *path) {
    char want[8192], got[8192];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    want[fread(want, 1, sizeof want - 1, file)] = 0;
    fclose(file);
    const int64_t needed = an_model_summary(model, style, got, sizeof got);
    assert_string_equal(got, want);
    assert_int_equal(needed, strlen(want) + 1);
}

static void summaries(void **state) {
    (void)state;
    if (!golden_path("mobilenetv2/summary_stage1_tf_keras.txt")) skip();
    an_backend *backend = open_ref();
    an_model *model = make_model(backend, NULL); /* the tutorial's */
    static const int32_t bases[2] = {AN_BASE_FROZEN, AN_BASE_TRAIN};
    for (int32_t stage = 1; stage <= 2; stage++) {
        assert_int_equal(an_model_set_base(model, bases[stage - 1], NULL), AN_OK);
        check_summary(model, AN_SUMMARY_KERAS,
                      topic_path("mobilenetv2/summary_stage%d_tf_keras.txt", stage));
        check_summary(model, AN_SUMMARY_NOTEBOOK,
                      topic_path("mobilenetv2/summary_stage%d_notebook.txt", stage));
    }
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* --- files --------------------------------------------------------------------------------------
 */

/* Find the "ALPHA_SIZE" in a file's name. */
static bool find_tag(const char *name, char tag[32], double *alpha, int32_t *size) {
    for (const char *at = name; (at = strchr(at, '_')); at++) {
        int used = 0;
        if (sscanf(at, "_%lf_%d%n", alpha, size, &used) != 2 || at[1] < '0' || at[1] > '9')
            continue;
        snprintf(tag, 32, "%.*s", used - 1, at + 1);
        return true;
    }
    return false;
}

/* The true weights of a tag: made by the topic itself, or the pretrained ones. */
static const char *truth_path(const char *name, const char *tag) {
    if (!strncmp(name, "oldnames_", 9))
        return topic_path("mobilenetv2/oldnames_%s_truth.safetensors", tag);
    const char *own = topic_path("mobilenetv2/weights_%s.safetensors", tag);
    double alpha;
    int32_t size;
    if (own) return own;
    const char *pretrained = topic_path("pretrained/weights_%s.safetensors", tag);
    if (pretrained || sscanf(tag, "%lf_%d", &alpha, &size) != 2) return pretrained;
    return topic_path("pretrained/weights_%.2f_%d.safetensors", alpha,
                      size); /* "0.5" of a no_top */
}

static void compare_weights(const char *what, const an_model *model, const char *truth_file) {
    an_arrays *arrays;
    an_error error;
    must(an_model_weights(model, &arrays, &error), &error, what);
    st_file *truth = st_open(truth_file);
    for (int64_t i = 0; i < truth->count; i++) {
        const st_array *want = &truth->arrays[i];
        const int64_t index = an_arrays_find(arrays, want->name);
        if (index < 0) fail_msg("%s: no array '%s'", what, want->name);
        if (!strncmp(want->name, "dense/", 6) && strstr(what, "no_top")) continue;
        char label[512];
        snprintf(label, sizeof label, "%s: %s", what, want->name);
        expect_bytes(label, (const uint8_t *)an_arrays_data(arrays, index), want->data,
                     want->count * (int64_t)sizeof(float));
    }
    st_close(truth);
    an_arrays_destroy(arrays);
}

static an_model *open_file(an_backend *backend, const char *name, double alpha, int32_t size,
                           int32_t padding) {
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_error error = {0};
    const char *path = topic_path("mobilenetv2/%s", name);
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = size;
    options.scale = AN_SCALE_TF;
    options.padding = padding;
    options.alpha = alpha;
    options.weights = path;
    if (strstr(name, "no_top"))
        must(an_mobilenetv2_create(&model, backend, &options, &error), &error, name);
    else
        must(an_model_load(&model, backend, path, &options, &error), &error, name);
    return model;
}

static void weight_files(void **state) {
    (void)state;
    static const char *const endings[] = {".h5", ".keras"};
    int32_t checked = 0;
    an_backend *backend = open_ref();
    for (size_t e = 0; e < sizeof endings / sizeof *endings; e++) {
        char names[NAMES][256], tag[32];
        const int32_t count = list_files(names, "", endings[e]);
        for (int32_t i = 0; i < count; i++) {
            double alpha;
            int32_t size;
            if (!find_tag(names[i], tag, &alpha, &size)) continue;
            an_model *model = open_file(backend, names[i], alpha, size, AN_PADDING_AUTO);
            const an_model_info info = describe(model);
            assert_true(fabs(info.alpha - alpha) < 1e-9);
            const char *truth = truth_path(names[i], tag);
            if (truth) {
                compare_weights(names[i], model, truth);
                checked++;
            }
            an_model_destroy(model);
        }
    }
    an_backend_destroy(backend);
    if (!checked) skip();
}

/* --- numbers ------------------------------------------------------------------------------------
 */

/* A batch of bytes scaled as the network wants them. */
static float *scaled(const st_array *bytes) {
    float table[256];
    float *x = malloc((size_t)bytes->count * sizeof *x);
    assert_int_equal(an_scale_table(table, AN_SCALE_TF, NULL), AN_OK);
    for (int64_t i = 0; i < bytes->count; i++)
        x[i] = table[((const uint8_t *)bytes->data)[i]];
    return x;
}

/* Predict and compare features and scores with PREFIXfeatures, PREFIXscore. */
static void check_outputs(const char *what, an_model *model, const st_file *io,
                          const char *prefix) {
    const st_array *bytes = st_find(io, "input_u8");
    const st_array *features = st_find(io, "%sfeatures_f64", prefix);
    const st_array *score = st_find(io, "%sscore_f64", prefix);
    if (!features) features = st_find(io, "%sfeatures", prefix);
    float *x = scaled(bytes), *got = malloc((size_t)features->count * sizeof *got);
    double *want = st_doubles(features);
    const int64_t n = bytes->shape[0];
    char label[400];
    an_error error;
    must(an_model_features(model, x, n, got, &error), &error, what);
    snprintf(label, sizeof label, "%s %sfeatures", what, prefix);
    expect_close(label, got, want, features->count, 1e-4, 1e-4);
    free(want);
    if (score) {
        want = st_doubles(score);
        must(an_model_predict(model, x, n, got, &error), &error, what);
        snprintf(label, sizeof label, "%s %sscore", what, prefix);
        expect_close(label, got, want, score->count, 1e-4, 1e-4);
        free(want);
    }
    free(got);
    free(x);
}

/* The model that an io or activations file speaks of; NULL if its weights are not there. padding by
 * the words in the name or key. */
static an_model *model_for(an_backend *backend, const char *name, const char *tag, double alpha,
                           int32_t size, int32_t padding) {
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = size;
    options.alpha = alpha;
    options.scale = AN_SCALE_TF;
    options.padding = padding;
    if (!strncmp(name, "oldnames_", 9)) {
        char file[128];
        snprintf(file, sizeof file, "oldnames_%s_no_top.h5", tag);
        if (!topic_path("mobilenetv2/%s", file)) return NULL;
        return open_file(backend, file, alpha, size, padding);
    }
    options.weights = truth_path(name, tag);
    if (options.weights) return make_model(backend, &options);
    char file[128];
    snprintf(file, sizeof file, "k2_%s_tutorial_model.h5", tag);
    if (!topic_path("mobilenetv2/%s", file)) return NULL;
    return open_file(backend, file, alpha, size, padding);
}

static void check_io(const test_backend *which, const char *name) {
    char tag[32], what[320], fixed[48];
    double alpha;
    int32_t size;
    if (!find_tag(name, tag, &alpha, &size)) return;
    st_file *io = st_open(topic_path("mobilenetv2/%s", name));
    an_backend *backend = test_backend_open(which);
    snprintf(what, sizeof what, "%s %s", which->label, name);
    snprintf(fixed, sizeof fixed, "fixed_%d.", size);
    const struct {
        const char *prefix;
        int32_t padding;
    } cases[] = {{"", AN_PADDING_FIXED},
                 {"tutorial_none_shape.", AN_PADDING_TUTORIAL},
                 {"tutorial_none_shape.", AN_PADDING_AUTO},
                 {fixed, AN_PADDING_FIXED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!st_find(io, "%sfeatures", cases[i].prefix)) continue;
        an_model *model = model_for(backend, name, tag, alpha, size, cases[i].padding);
        if (!model) continue;
        check_outputs(what, model, io, cases[i].prefix);
        an_model_destroy(model);
    }
    an_backend_destroy(backend);
    st_close(io);
}

static void outputs(void **state) {
    (void)state;
    char names[NAMES][256];
    test_backend backends[TEST_BACKENDS];
    int32_t checked = 0;
    const int32_t count = list_files(names, "", ".safetensors");
    const int32_t backend_count = test_backends(backends, 0);
    for (int32_t i = 0; i < count; i++) {
        if (!strstr(names[i], "io")) continue;
        if (strncmp(names[i], "io_", 3) && !strstr(names[i], "_io.")) continue;
        for (int32_t k = 0; k < backend_count; k++)
            check_io(&backends[k], names[i]);
        checked++;
    }
    if (!checked) skip();
}

/* --- activations --------------------------------------------------------------------------------
 */

/* What is known of each layer, and the arrays of the first picture if the io file has them. */
typedef struct inspection {
    const char *what;
    an_backend *backend;
    const ani_net *net;
    const json_t *layers; /* may be NULL */
    const st_file *io;    /* may be NULL */
    int64_t n;
    int32_t checked;
} inspection;

static void check_statistics(inspection *in, const char *name, const float *got, int64_t count,
                             const json_t *layer) {
    const json_t *truth = json_object_get(layer, "float64");
    double limit = 10 * golden_number(json_object_get(layer, "f32_max_abs_err"));
    double sum = 0, squares = 0, low = INFINITY, high = -INFINITY;
    if (limit < 1e-5) limit = 1e-5;
    for (int64_t i = 0; i < count; i++) {
        sum += got[i];
        low = fmin(low, got[i]);
        high = fmax(high, got[i]);
    }
    const double mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++)
        squares += (got[i] - mean) * (got[i] - mean);
    const struct {
        const char *key;
        double value;
    } values[] = {
        {"mean", mean}, {"std", sqrt(squares / (double)count)}, {"min", low}, {"max", high}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const double want = golden_number(json_object_get(truth, values[i].key));
        expect_within(values[i].value, want, limit, "%s: %s of %s", in->what, values[i].key, name);
    }
    const json_t *first = json_object_get(truth, "first8");
    for (size_t i = 0; i < json_array_size(first); i++) {
        const double want = golden_number(json_array_get(first, i));
        expect_within((double)got[i], want, limit, "%s: value %zu of %s", in->what, i, name);
    }
    in->checked++;
}

static void check_values(inspection *in, const char *name, const float *got, int64_t count) {
    const json_t *layer = in->layers ? json_object_get(in->layers, name) : NULL;
    const st_array *act = in->io ? st_find(in->io, "act.%s", name) : NULL;
    if (layer) check_statistics(in, name, got, count, layer);
    if (!act) return;
    double *want = st_doubles(act);
    char label[480];
    snprintf(label, sizeof label, "%s act.%s", in->what, name);
    assert_int_equal(act->count, count / in->n);
    expect_close(label, got, want, act->count, 1e-4, 1e-4);
    free(want);
    in->checked++;
}

/* Keras' layers of one unit: convolution, batch norm, activation, sum. */
static void observe(void *user, int32_t u, const float *z, const ani_lazy *value) {
    inspection *in = user;
    const ani_unit_spec *unit = &ani_net_spec_of(in->net)->units[u];
    int64_t height, width;
    ani_net_unit_size(in->net, u, &height, &width);
    const int64_t c = unit->cout, count = in->n * height * width * c;
    const int64_t size = count * (int64_t)sizeof(float);
    float *host = malloc((size_t)size);
    in->backend->ops->read(in->backend, host, z, size);
    check_values(in, unit->conv_name, host, count);
    if (unit->residual == ANI_INPUT) {
        float *scale = malloc((size_t)c * sizeof *scale),
              *shift = malloc((size_t)c * sizeof *shift);
        in->backend->ops->read(in->backend, scale, value->scale, c * (int64_t)sizeof *scale);
        in->backend->ops->read(in->backend, shift, value->shift, c * (int64_t)sizeof *shift);
        for (int64_t i = 0; i < count; i++)
            host[i] = host[i] * scale[i % c] + shift[i % c];
        check_values(in, unit->bn_name, host, count);
        free(shift);
        free(scale);
        for (int64_t i = 0; i < count; i++)
            host[i] = fminf(fmaxf(host[i], 0), 6);
        char name[80];
        snprintf(name, sizeof name, "%s_relu", unit->conv_name);
        if (unit->relu6)
            check_values(in, strcmp(unit->conv_name, "Conv_1") ? name : "out_relu", host, count);
    } else {
        char name[80];
        in->backend->ops->read(in->backend, host, value->z, size);
        snprintf(name, sizeof name, "%.*sadd", (int)(strlen(unit->conv_name) - 7), unit->conv_name);
        check_values(in, name, host, count);
    }
    free(host);
}

static void check_activations(const test_backend *which, const char *name) {
    char tag[32], what[320];
    double alpha;
    int32_t size;
    if (!find_tag(name, tag, &alpha, &size)) return;
    const char *io_file = topic_path("mobilenetv2/io_%s.safetensors", tag);
    if (!io_file) return;
    const int32_t padding = strstr(name, "none_shape") ? AN_PADDING_TUTORIAL : AN_PADDING_FIXED;
    an_backend *backend = test_backend_open(which);
    an_model *model = model_for(backend, name, tag, alpha, size, padding);
    st_file *io = st_open(io_file);
    json_t *table = golden_json(topic_path("mobilenetv2/%s", name));
    if (model) {
        const st_array *bytes = st_find(io, "input_u8");
        float *x = scaled(bytes);
        an_error error;
        snprintf(what, sizeof what, "%s %s", which->label, name);
        inspection in = {.what = what,
                         .backend = backend,
                         .net = ani_model_net(model),
                         .layers = table,
                         .io = io,
                         .n = bytes->shape[0]};
        must(ani_net_inspect(ani_model_net(model), x, in.n, observe, &in, &error), &error, what);
        assert_true(in.checked >= ani_net_spec_of(in.net)->unit_count);
        free(x);
    }
    json_decref(table);
    st_close(io);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void activations(void **state) {
    (void)state;
    char names[NAMES][256];
    test_backend backends[TEST_BACKENDS];
    const int32_t count = list_files(names, "activations_", ".json");
    if (!count) skip();
    const int32_t backend_count = test_backends(backends, 0);
    for (int32_t i = 0; i < count; i++)
        for (int32_t k = 0; k < backend_count; k++)
            check_activations(&backends[k], names[i]);
}

int golden_mobilenetv2(void);
int golden_mobilenetv2(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alpha_table), cmocka_unit_test(layers),       cmocka_unit_test(paddings),
        cmocka_unit_test(summaries),   cmocka_unit_test(weight_files), cmocka_unit_test(outputs),
        cmocka_unit_test(activations),
    };
    return cmocka_run_group_tests_name("mobilenetv2", tests, NULL, NULL);
}
