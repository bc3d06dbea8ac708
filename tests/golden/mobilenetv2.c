/* SPDX-License-Identifier: MIT
 * Topic mobilenetv2: the network's table, its paddings, summaries, weight files of every layout,
 * and its numbers layer by layer. All files of the folder are walked; the network that one speaks
 * of is in its name, as ALPHA_SIZE ("0.35_96"). */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

#include "layers/model.h"
#include "mobilenetv2/build.h"
#include "support/backends.h"

static const char topic[] = "mobilenetv2";

static void must(an_status st, const an_error *error, const char *what) {
    if (st) fail_msg("%s: %s (%s)", what, error->message, an_status_name(st));
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
    return test_backend_make("ref", NULL, 1);
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

/* A file of which nobody can say what network it is of must not pass as compared. */
static golden_tag tag_of(const char *name) {
    golden_tag tag = {0, 0};
    if (!golden_tag_of(name, &tag)) fail_msg("'%s' has no ALPHA_SIZE in its name", name);
    return tag;
}

/* --- tables ----------------------------------------------------------------------------------- */

static int64_t integer(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value)) fail_msg("no integer '%s' in the reference data", key);
    return json_integer_value(value);
}

static void check_channels(const ani_net *net, const json_t *channels) {
    const char *name;
    const json_t *value;
    assert_true(json_object_size(channels) > 0);
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
    assert_int_equal(an_mobilenetv2_count_parameters(options.alpha, 1, &all, &trainable, NULL),
                     AN_OK);
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
    static golden_names names;
    golden_list(&names, topic, "layers", ".json");
    if (!names.count) skip();
    an_backend *backend = open_ref();
    for (int32_t i = 0; i < names.count; i++) {
        an_mobilenetv2_options options;
        an_mobilenetv2_options_init(&options, sizeof options);
        const golden_tag tag = tag_of(names.at[i]);
        options.alpha = tag.alpha;
        options.height = options.width = tag.size;
        options.padding = AN_PADDING_FIXED;
        an_model *model = make_model(backend, &options);
        json_t *list = golden_json(topic_path("mobilenetv2/%s", names.at[i])), *layer;
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
    int32_t compared = 0;
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
        compared++;
    }
    assert_int_equal(compared, ANI_MNV2_DOWN);
    assert_true(json_object_size(json_object_get(entry, "out")) > 0);
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
    int32_t checked = 0;
    json_object_foreach(table, key, entry) {
        if (json_object_get(entry, "error")) continue;
        check_padding(backend, key, entry);
        checked++;
    }
    assert_true(checked > 0);
    json_decref(table);
    an_backend_destroy(backend);
}

/* --- summaries -------------------------------------------------------------------------------- */

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

/* --- files ------------------------------------------------------------------------------------ */

/* The part of a name that files of one network share: "oldnames_0.1_96" of
 * "oldnames_0.1_96_io.safetensors". */
static void stem_of(char stem[GOLDEN_NAME_SIZE], const char *name) {
    static const char *const ends[] = {"_no_top", "_io", "_truth"};
    snprintf(stem, GOLDEN_NAME_SIZE, "%s", name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *end = strstr(stem, ends[i]);
        if (end) *end = '\0';
    }
}

/* The true weights of a file: its own, "STEM_truth.safetensors", or those of its network. The
 * tutorial's model has weights of its own that stand nowhere else: NULL. */
static const char *truth_path(const char *name) {
    char stem[GOLDEN_NAME_SIZE];
    stem_of(stem, name);
    const char *own = topic_path("mobilenetv2/%s_truth.safetensors", stem);
    if (own) return own;
    return strstr(name, "tutorial") ? NULL : golden_weights_of(topic, tag_of(name));
}

static void compare_weights(const char *what, const an_model *model, const char *truth_file) {
    an_arrays *arrays;
    an_error error;
    must(an_model_copy_weights(&arrays, model, &error), &error, what);
    st_file *truth = st_open(truth_file);
    assert_true(truth->count >= 260);
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
    options.weights_kind = AN_WEIGHTS_FILE;
    options.weights_path = path;
    if (strstr(name, "no_top"))
        must(an_mobilenetv2_create(&model, backend, &options, &error), &error, name);
    else
        must(an_model_load(&model, backend, path, &options, &error), &error, name);
    return model;
}

static void weight_files(void **state) {
    (void)state;
    static const char *const endings[] = {".h5", ".keras"};
    static golden_names names;
    int32_t checked = 0;
    an_backend *backend = open_ref();
    for (size_t e = 0; e < sizeof endings / sizeof *endings; e++) {
        golden_list(&names, topic, "", endings[e]);
        for (int32_t i = 0; i < names.count; i++) {
            const golden_tag tag = tag_of(names.at[i]);
            an_model *model = open_file(backend, names.at[i], tag.alpha, tag.size, AN_PADDING_AUTO);
            const an_model_info info = describe(model);
            assert_true(fabs(info.alpha - tag.alpha) < 1e-9);
            const char *truth = truth_path(names.at[i]);
            if (truth) {
                compare_weights(names.at[i], model, truth);
                checked++;
            }
            an_model_destroy(model);
        }
    }
    an_backend_destroy(backend);
    if (!checked) skip();
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* A batch of bytes scaled as the network wants them. */
static float *scaled(const st_array *bytes) {
    float table[768];
    float *x = malloc((size_t)bytes->count * sizeof *x);
    assert_int_equal(an_scale_fill_tables(AN_SCALE_TF, table, NULL), AN_OK);
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
    must(an_model_compute_features(model, x, n, got, &error), &error, what);
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

/* The model that an io or activations file speaks of: from a weight file of the same stem, from the
 * true weights of its network, or else from the tutorial's model of that size. padding by the words
 * in the name or key. */
static an_model *model_for(an_backend *backend, const char *name, int32_t padding) {
    const golden_tag tag = tag_of(name);
    char stem[GOLDEN_NAME_SIZE], file[2 * GOLDEN_NAME_SIZE];
    an_mobilenetv2_options options;
    stem_of(stem, name);
    snprintf(file, sizeof file, "%s_no_top.h5", stem);
    if (topic_path("mobilenetv2/%s", file))
        return open_file(backend, file, tag.alpha, tag.size, padding);
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = tag.size;
    options.alpha = tag.alpha;
    options.scale = AN_SCALE_TF;
    options.padding = padding;
    options.weights_kind = AN_WEIGHTS_FILE;
    options.weights_path = golden_tagged(topic, "", "tutorial_model.h5", tag);
    if (options.weights_path)
        return open_file(backend, strrchr(options.weights_path, '/') + 1, tag.alpha, tag.size,
                         padding);
    options.weights_path = truth_path(name);
    if (!options.weights_path) fail_msg("there are no weights for '%s'", name);
    return make_model(backend, &options);
}

/* An io file has images, and what comes out for them under the names of its cases; all of its
 * features are compared. */
static void check_io(const test_backend *which, const char *name, const st_file *io) {
    char what[GOLDEN_NAME_SIZE + 64];
    static const char end[] = "features";
    an_backend *backend = test_backend_open(which);
    int32_t checked = 0;
    snprintf(what, sizeof what, "%s %s", which->label, name);
    for (int64_t i = 0; i < io->count; i++) {
        const char *key = io->arrays[i].name;
        const size_t length = strlen(key), before = length - (sizeof end - 1);
        char prefix[64];
        if (length < sizeof end - 1 || strcmp(key + before, end) || before >= sizeof prefix)
            continue;
        snprintf(prefix, sizeof prefix, "%.*s", (int)before, key);
        const bool none = strstr(prefix, "none_shape") != NULL;
        const int32_t paddings[] = {none ? AN_PADDING_TUTORIAL : AN_PADDING_FIXED, AN_PADDING_AUTO};
        for (int k = 0; k < 1 + none; k++) { /* the tutorial's model says its padding itself */
            an_model *model = model_for(backend, name, paddings[k]);
            check_outputs(what, model, io, prefix);
            an_model_destroy(model);
            checked++;
        }
    }
    an_backend_destroy(backend);
    if (!checked) fail_msg("'%s' has images and no features", name);
}

static void outputs(void **state) {
    (void)state;
    static golden_names names;
    test_backend backends[TEST_BACKENDS];
    int32_t checked = 0;
    golden_list(&names, topic, "", ".safetensors");
    const int32_t backend_count = test_backends(backends, 0);
    for (int32_t i = 0; i < names.count; i++) {
        st_file *io = st_open(topic_path("mobilenetv2/%s", names.at[i]));
        if (st_find(io, "input_u8")) {
            for (int32_t k = 0; k < backend_count; k++)
                check_io(&backends[k], names.at[i], io);
            checked++;
        }
        st_close(io);
    }
    if (!checked) skip();
}

/* --- activations ------------------------------------------------------------------------------ */

/* What is known of each layer, and the arrays of the first image if the io file has them. */
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
    assert_true(json_array_size(first) > 0);
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

/* The images of an activations file: those of the io file of its network. */
static st_file *open_io(const char *name) {
    const char *path = golden_tagged(topic, "io_", ".safetensors", tag_of(name));
    if (!path) fail_msg("there is no io file with the images of '%s'", name);
    return st_open(path);
}

static void check_activations(const test_backend *which, const char *name) {
    char what[GOLDEN_NAME_SIZE + 64];
    const int32_t padding = strstr(name, "none_shape") ? AN_PADDING_TUTORIAL : AN_PADDING_FIXED;
    an_backend *backend = test_backend_open(which);
    an_model *model = model_for(backend, name, padding);
    st_file *io = open_io(name);
    json_t *table = golden_json(topic_path("mobilenetv2/%s", name));
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
    json_decref(table);
    st_close(io);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void activations(void **state) {
    (void)state;
    static golden_names names;
    test_backend backends[TEST_BACKENDS];
    golden_list(&names, topic, "activations", ".json");
    if (!names.count) skip();
    const int32_t backend_count = test_backends(backends, 0);
    for (int32_t i = 0; i < names.count; i++)
        for (int32_t k = 0; k < backend_count; k++)
            check_activations(&backends[k], names.at[i]);
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
