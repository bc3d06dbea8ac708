/* SPDX-License-Identifier: MIT
 * Weight files as MobileNetV2 sees them: what metadata and Keras configs say, arrays matched by
 * name and by order, what is refused and how; the cache of the ImageNet weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <attractivenet/mobilenetv2.h>

#include "base/fault.h"
#include "config.h"
#include "mobilenetv2/facts.h"
#include "mobilenetv2/imagenet.h"
#include "mobilenetv2/weights.h"
#include "support/backends.h"
#include "support/folder.h"
#include "support/server.h"
#include "support/small_model.h"
#include "support/test_folder.h"

static an_backend *backend;
static an_arrays *model; /* of alpha 0.1 with a head of one output, under today's names */
static an_error err;

/* --- what a file says ------------------------------------------------------------------------- */

/* The facts of a list with these metadata, KEY, VALUE, ..., NULL. */
static an_status facts_of(ani_weights *weights, const char *const *texts) {
    *weights = (ani_weights){.path = "w", .task = -1};
    err = (an_error){0};
    assert_int_equal(an_arrays_create(&weights->arrays, NULL), AN_OK);
    for (; *texts; texts += 2)
        assert_int_equal(an_arrays_set_metadata(weights->arrays, texts[0], texts[1], &err), AN_OK);
    const an_status st = ani_facts_read(weights, &err);
    ani_weights_close(weights);
    return st;
}
#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void refuse_texts(const char *const *texts, an_status status, const char *message) {
    ani_weights weights;
    const an_status st = facts_of(&weights, texts);
    assert_string_equal(err.message, message);
    assert_int_equal(st, status);
}

static void metadata(void **state) {
    (void)state;
    ani_weights w;
    assert_int_equal(facts_of(&w, TEXTS("format", "attractivenet-1", "alpha", "1.3", "size", "96",
                                        "padding", "fixed", "scale", "tf", "task", "classification",
                                        "seed", "4294967295", "base_name", "b")),
                     AN_OK);
    assert_true(w.alpha == 1.3 && w.height == 96 && w.width == 96);
    assert_true(w.padding == AN_PADDING_FIXED && w.task == AN_TASK_CLASSIFICATION);
    assert_int_equal(w.scale, AN_SCALE_TF);
    assert_true(w.has_seed && w.seed == UINT32_MAX && w.known_pads == ANI_PADS_NONE);
    assert_string_equal(w.base_name, "b");
    /* what the article's scale is called, and was */
    static const char *const article[] = {"article", "seed"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(facts_of(&w, TEXTS("scale", article[i])), AN_OK);
        assert_int_equal(w.scale, AN_SCALE_ARTICLE);
    }
    /* files of others: everything may be missing */
    static const char *const formats[] = {"pt", "tf", "np"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(facts_of(&w, TEXTS("format", formats[i], "height", "64")), AN_OK);
        assert_true(w.height == 64 && w.width == 0 && w.task == -1 && !w.has_seed);
    }
    const char *const nothing[] = {NULL};
    assert_int_equal(facts_of(&w, nothing), AN_OK);
    assert_int_equal(facts_of(&w, TEXTS("width", "64", "size", "32", "task", "regression",
                                        "padding", "tutorial")),
                     AN_OK);
    assert_true(w.height == 32 && w.width == 64 && w.task == AN_TASK_REGRESSION);
    assert_true(!(w.epsilon > 0));
    assert_int_equal(
        facts_of(&w, TEXTS("padding", "symmetric", "epsilon", "1e-05", "scale", "torch")), AN_OK);
    assert_true(w.padding == AN_PADDING_SYMMETRIC && w.scale == AN_SCALE_TORCH);
    assert_true(w.epsilon == 1e-5);
    /* 20 numbers: stem, then the four of stride 2 */
    assert_int_equal(facts_of(&w, TEXTS("pads", "0,1,0,1,1,1,1,1,0,1,2,1,0,1,0,1,0,0,0,2")), AN_OK);
    assert_int_equal(w.known_pads, ANI_PADS_ALL);
    assert_true(w.pads.stem.bottom == 1 && w.pads.down[1].left == 2 && w.pads.down[3].right == 2);
}

static void metadata_that_are_refused(void **state) {
    (void)state;
    refuse_texts(TEXTS("format", "attractivenet-2"), AN_ERR_UNSUPPORTED,
                 "model: 'w' has format 'attractivenet-2'; this library reads 'attractivenet-1'");
    static const char *const alphas[] = {"", "x", "1.0 ", "0", "-1", "1001", "1e400", "nan"};
    for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++) {
        char message[128];
        snprintf(message, sizeof message,
                 "model: 'w': alpha is '%s'; it must be above 0, at most 1000", alphas[i]);
        refuse_texts(TEXTS("alpha", alphas[i]), AN_ERR_FORMAT, message);
    }
    static const char *const epsilons[] = {"", "1e-5x", "0", "-1e-5", "1.5", "nan"};
    for (size_t i = 0; i < sizeof epsilons / sizeof *epsilons; i++) {
        char message[128];
        snprintf(message, sizeof message,
                 "model: 'w': epsilon is '%s'; it must be above 0, at most 1", epsilons[i]);
        refuse_texts(TEXTS("epsilon", epsilons[i]), AN_ERR_FORMAT, message);
    }
    static const char *const numbers[] = {"", "96x", "96.5", "0", "65537", "-1"};
    static const char *const keys[] = {"size", "height", "width"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char message[128];
        snprintf(message, sizeof message, "model: 'w': %s is '%s'; it must be 1 to 65536",
                 keys[i % 3], numbers[i]);
        refuse_texts(TEXTS(keys[i % 3], numbers[i]), AN_ERR_FORMAT, message);
    }
    refuse_texts(TEXTS("seed", "4294967296"), AN_ERR_FORMAT,
                 "model: 'w': seed is '4294967296'; it must be 0 to 4294967295");
    refuse_texts(TEXTS("padding", "same"), AN_ERR_FORMAT,
                 "model: 'w': padding is 'same', which is unknown");
    refuse_texts(TEXTS("scale", "caffe"), AN_ERR_FORMAT,
                 "model: 'w': scale is 'caffe', which is unknown");
    refuse_texts(TEXTS("task", "ranking"), AN_ERR_FORMAT,
                 "model: 'w': task is 'ranking', which is unknown");
    static const char *const pads[] = {"",
                                       "0",
                                       "0,1,0,1",
                                       "0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,3",
                                       "0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,",
                                       "0,1,/,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1"};
    for (size_t i = 0; i < sizeof pads / sizeof *pads; i++) {
        char message[160];
        snprintf(message, sizeof message,
                 "model: 'w': pads is '%s'; it must be 20 numbers of 0 to 2", pads[i]);
        refuse_texts(TEXTS("pads", pads[i]), AN_ERR_FORMAT, message);
    }
    /* ours must say enough to build the network */
    static const char *const all[] = {"format",  "attractivenet-1", "alpha", "1",  "size", "96",
                                      "padding", "fixed",           "scale", "tf", NULL};
    for (size_t left_out = 2; left_out < 10; left_out += 2) {
        const char *some[11] = {0};
        memcpy(some, all, sizeof all);
        memmove(&some[left_out], &some[left_out + 2], (9 - left_out) * sizeof *some);
        refuse_texts(some, AN_ERR_FORMAT,
                     "model: 'w' lacks one of alpha, size, padding, scale in its metadata");
    }
    refuse_texts(TEXTS("format", "attractivenet-1", "alpha", "1", "height", "96", "padding",
                       "fixed", "scale", "tf"),
                 AN_ERR_FORMAT,
                 "model: 'w' lacks one of alpha, size, padding, scale in its metadata");
}

/* A name that is too long is cut between characters: the model can still be saved. */
static void long_names(void **state) {
    (void)state;
    ani_weights w;
    char name[80];
    for (int first = 0; first < 4; first++) {
        char json[256];
        memset(name, 'n', sizeof name);
        for (int i = first; i + 2 < 72; i += 3)
            memcpy(name + i, "\xe2\x82\xac", 3);
        name[first + 69] = '\0';
        snprintf(json, sizeof json, "{\"config\":{\"name\":\"%s\",\"layers\":[]}}", name);
        assert_int_equal(facts_of(&w, TEXTS("base_name", name)), AN_OK);
        const size_t cut = strlen(w.base_name);
        assert_true(cut <= 63 && cut > 60 && (cut - (size_t)first) % 3 == 0);
        assert_memory_equal(w.base_name, name, cut);
        facts_of(&w, TEXTS("model_config", json));
        assert_int_equal(strlen(w.base_name), cut);
    }
    memset(name, 0x80, sizeof name);
    name[79] = '\0';
    facts_of(&w, TEXTS("base_name", "n"));
    assert_string_equal(w.base_name, "n");
}

/* --- matching --------------------------------------------------------------------------------- */

/** How a list differs from the model's. */
typedef struct change {
    const char *prefix;   /* before each name: no longer today's */
    const char *left_out; /* array that is not there */
    bool is_base;         /* nor is the dense layer */
    const char *reshaped; /* array whose shape is reversed */
    const char *more;     /* array that is added at the end ... */
    int32_t more_rank;    /* ... of lengths 2 ... */
    int64_t more_length;  /* ... but the last one; 0: also 2, -1: 0 */
    const char *layout;   /* metadata */
    const char *const *texts;
} change;

static const char *target(void) {
    return folder_path(test_folder, "w.safetensors");
}

static void write_changed(const change *c) {
    an_arrays *list = NULL;
    assert_int_equal(an_arrays_create(&list, NULL), AN_OK);
    for (int64_t i = 0; i < an_arrays_count(model); i++) {
        const char *name = an_arrays_name(model, i);
        const int32_t rank = an_arrays_rank(model, i);
        char changed[128];
        int64_t shape[4];
        if (c->left_out && !strcmp(name, c->left_out)) continue;
        if (c->is_base && !strncmp(name, "dense/", 6)) continue;
        const bool reverse = c->reshaped && !strcmp(name, c->reshaped);
        for (int32_t axis = 0; axis < rank; axis++)
            shape[axis] = an_arrays_length(model, i, reverse ? rank - 1 - axis : axis);
        snprintf(changed, sizeof changed, "%s%s", c->prefix ? c->prefix : "", name);
        assert_int_equal(an_arrays_add(list, changed, an_arrays_data(model, i), shape, rank, &err),
                         AN_OK);
    }
    if (c->more) {
        int64_t shape[4] = {2, 2, 2, 2};
        static const float zeros[2 * 10001];
        if (c->more_length) shape[c->more_rank - 1] = c->more_length > 0 ? c->more_length : 0;
        assert_int_equal(an_arrays_add(list, c->more, zeros, shape, c->more_rank, &err), AN_OK);
    }
    if (c->layout) assert_int_equal(an_arrays_set_metadata(list, "layout", c->layout, &err), AN_OK);
    for (const char *const *text = c->texts; text && *text; text += 2)
        assert_int_equal(an_arrays_set_metadata(list, text[0], text[1], &err), AN_OK);
    if (an_arrays_write(list, target(), &err)) fail_msg("%s", err.message);
    an_arrays_destroy(list);
}

/* Load with what such a bare file does not say. */
static an_status load_changed(const change *c, an_model **out) {
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 32;
    options.scale = AN_SCALE_TF;
    write_changed(c);
    err = (an_error){0};
    return an_model_load(out, backend, target(), &options, &err);
}

/* In these messages FILE stands for the path. */
static void refuse_load(const change *c, an_status status, const char *message) {
    char wanted[512];
    an_model *loaded = NULL;
    const an_status st = load_changed(c, &loaded);
    const char *mark = strstr(message, "FILE");
    snprintf(wanted, sizeof wanted, "%.*s%s%s", (int)(mark - message), message, target(), mark + 4);
    assert_string_equal(err.message, wanted);
    assert_int_equal(st, status);
    assert_null(loaded);
}

static void expect_weights(const an_model *loaded) {
    an_arrays *list = NULL;
    assert_int_equal(an_model_copy_weights(&list, loaded, NULL), AN_OK);
    for (int64_t i = 0; i < an_arrays_count(model); i++) {
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(model, i); axis++)
            count *= an_arrays_length(model, i, axis);
        assert_string_equal(an_arrays_name(list, i), an_arrays_name(model, i));
        assert_memory_equal(an_arrays_data(list, i), an_arrays_data(model, i),
                            (size_t)count * sizeof(float));
    }
    an_arrays_destroy(list);
}

static void by_name_and_by_order(void **state) {
    (void)state;
    static const change changes[] = {
        {0},
        {.prefix = "old_"},
        {.prefix = "a/b/"},
        /* layers that are no part of the base are passed over */
        {.prefix = "old_", .more = "extra/table", .more_rank = 2},
        {.prefix = "old_", .more = "extra/kernel", .more_rank = 3},
        {.more = "plain", .more_rank = 1},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        an_model *loaded = NULL;
        if (load_changed(&changes[i], &loaded)) fail_msg("case %zu: %s", i, err.message);
        an_model_info info = {.struct_size = sizeof info};
        assert_int_equal(an_model_describe(loaded, &info, NULL), AN_OK);
        assert_true(fabs(info.alpha - 0.1) < 1e-9); /* found by its channels */
        expect_weights(loaded);
        an_model_destroy(loaded);
    }
}

static void lists_that_are_refused(void **state) {
    (void)state;
    refuse_load(&(change){.left_out = "Conv_1/kernel"}, AN_ERR_FORMAT,
                "weights: 'FILE' has no convolution for 'Conv_1'");
    refuse_load(&(change){.left_out = "block_16_depthwise/depthwise_kernel"}, AN_ERR_FORMAT,
                "weights: 'FILE' has no depthwise convolution for 'block_16_depthwise'");
    refuse_load(&(change){.left_out = "Conv_1_bn/gamma"}, AN_ERR_FORMAT,
                "weights: 'FILE' has no batch norm for 'Conv_1_bn'");
    refuse_load(&(change){.left_out = "bn_Conv1/beta"}, AN_ERR_FORMAT,
                "weights: 'FILE': layer of 'bn_Conv1/gamma' has no beta");
    refuse_load(&(change){.prefix = "x", .more = "y/kernel", .more_rank = 4}, AN_ERR_FORMAT,
                "weights: 'FILE' has one convolution more than MobileNetV2: 'y/kernel'");
    refuse_load(&(change){.prefix = "x", .more = "y/depthwise_kernel", .more_rank = 4},
                AN_ERR_FORMAT,
                "weights: 'FILE' has one depthwise convolution more than MobileNetV2: "
                "'y/depthwise_kernel'");
    refuse_load(&(change){.prefix = "x", .more = "y/gamma", .more_rank = 1}, AN_ERR_FORMAT,
                "weights: 'FILE' has one batch norm more than MobileNetV2: 'y/gamma'");
    refuse_load(&(change){.more = "second/kernel", .more_rank = 2}, AN_ERR_UNSUPPORTED,
                "weights: 'FILE' has two dense layers, 'dense/kernel' and 'second/kernel'");
    refuse_load(&(change){.left_out = "dense/bias"}, AN_ERR_UNSUPPORTED,
                "weights: 'FILE': the dense layer of 'dense/kernel' has no bias");
    refuse_load(&(change){.left_out = "dense/kernel"}, AN_ERR_FORMAT,
                "model: 'FILE' has no dense layer; it is a weight file for a new model");
    refuse_load(
        &(change){.reshaped = "Conv_1/kernel"}, AN_ERR_UNSUPPORTED,
        "weights: 'FILE' does not match the channels of any MobileNetV2 with alpha up to 10");
    refuse_load(&(change){.texts = TEXTS("task", "x")}, AN_ERR_FORMAT,
                "model: 'FILE': task is 'x', which is unknown");
    refuse_load(&(change){.prefix = "old_",
                          .left_out = "dense/kernel",
                          .more = "old_dense/kernel",
                          .more_rank = 2,
                          .more_length = 10001},
                AN_ERR_UNSUPPORTED, "model: 'FILE' has 10001 outputs; 1 to 10000 are possible");
    refuse_load(&(change){.prefix = "old_",
                          .left_out = "dense/kernel",
                          .more = "old_dense/kernel",
                          .more_rank = 2,
                          .more_length = -1},
                AN_ERR_UNSUPPORTED, "model: 'FILE' has 0 outputs; 1 to 10000 are possible");
    /* a head of 1280 outputs of one feature: the first array that differs is named */
    an_model *loaded = NULL;
    assert_int_equal(load_changed(&(change){.reshaped = "dense/kernel"}, &loaded), AN_ERR_FORMAT);
    assert_string_equal(err.message, "weights: 'dense/kernel' has shape [1,1280]; 'dense/kernel' "
                                     "of the network has [1280,1280]");
}

/* A Keras file has no arrays beside those of its layers. */
static void arrays_that_are_too_many(void **state) {
    (void)state;
    static const char *const names[] = {"dense/kernel_scale", "dense/0", "other/table",
                                        "old_Conv1/bias"};
    for (size_t i = 0; i < 4; i++) {
        char message[256];
        snprintf(message, sizeof message,
                 "weights: 'FILE' has an array '%s', which MobileNetV2 does not have", names[i]);
        refuse_load(&(change){.prefix = i == 3 ? "old_" : NULL,
                              .more = names[i],
                              .more_rank = 1,
                              .layout = i % 2 ? "keras-weights" : "keras3-weights"},
                    AN_ERR_UNSUPPORTED, message);
    }
}

/* Layers without arrays are known by their class and number alone. */
static void classes_of_layers(void **state) {
    (void)state;
    static const char all[] =
        "functional 1\ninput_layer 2\nadd 10\nbatch_normalization 52\nconv2d 35\n"
        "depthwise_conv2d 17\nre_lu 35\nzero_padding2d 5\nglobal_average_pooling2d 1\n"
        "dropout 3\nrandom_flip 1\nsequential 1\ndense 1\n";
    static const struct {
        const char *more, *message;
    } rows[] = {
        {"", NULL},
        {"gaussian_noise 2\n", NULL},
        {"re_lu 1\n", "weights: 'FILE' has 36 layers of class 're_lu'; MobileNetV2 has 35"},
        {"activation 1\n",
         "weights: 'FILE' has 36 layers of class 'activation'; MobileNetV2 has 35"},
        {"add 3\n", "weights: 'FILE' has 13 layers of class 'add'; MobileNetV2 has 11"},
        {"global_average_pooling2d 1\n",
         "weights: 'FILE' has 2 layers of class 'global_average_pooling2d'; MobileNetV2 has 1"},
        {"rescaling 1\n",
         "weights: 'FILE' has a layer of class 'rescaling', and no config that describes it; "
         "MobileNetV2 has none (save the model as .keras)"},
        {"softmax 1\n",
         "weights: 'FILE' has a layer of class 'softmax', and no config that describes it; "
         "MobileNetV2 has none (save the model as .keras)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char classes[512];
        an_model *loaded = NULL;
        snprintf(classes, sizeof classes, "%s%s", all, rows[i].more);
        const char *const texts[] = {"layer_classes", classes, NULL};
        const change c = {.layout = "keras3-weights", .texts = texts};
        if (rows[i].message) {
            refuse_load(&c, AN_ERR_UNSUPPORTED, rows[i].message);
        } else if (load_changed(&c, &loaded)) {
            fail_msg("%s", err.message);
        }
        an_model_destroy(loaded);
    }
    /* The text is a file's: it may be none of ours. */
    static const char *const damaged[] = {"add",          "add 1",          "add\n",
                                          "add\n1\n",     "add x\n",        "add 1 2\n",
                                          "add -1\n",     "dropout 1\nadd", "dropout 9999999999\n",
                                          "dropout  \n\n"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        const char *const texts[] = {"layer_classes", damaged[i], NULL};
        refuse_load(&(change){.layout = "keras3-weights", .texts = texts}, AN_ERR_FORMAT,
                    "weights: 'FILE': layer_classes in its metadata is not a list of classes, each "
                    "with a number");
    }
}

/* What a file leaves open must come from the caller. */
static void what_a_file_leaves_open(void **state) {
    (void)state;
    an_mobilenetv2_options options;
    an_model *loaded = NULL;
    char wanted[512];
    write_changed(&(change){0});
    assert_int_equal(an_model_load(&loaded, backend, target(), NULL, &err), AN_ERR_ARG);
    snprintf(wanted, sizeof wanted,
             "model: '%s' does not say how large images are; set height and width", target());
    assert_string_equal(err.message, wanted);
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 32;
    assert_int_equal(an_model_load(&loaded, backend, target(), &options, &err), AN_ERR_ARG);
    snprintf(wanted, sizeof wanted,
             "MobileNetV2: '%s' does not say how pixels are scaled; set scale to unit, tf, "
             "article or torch",
             target());
    assert_string_equal(err.message, wanted);
    options.width = 31;
    assert_int_equal(an_model_load(&loaded, backend, target(), &options, &err), AN_ERR_ARG);
    assert_string_equal(err.message,
                        "MobileNetV2: size is 32 x 31; height and width must be 32 to 8192");
    assert_int_equal(an_model_load(NULL, backend, target(), NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_model_load(&loaded, NULL, target(), NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_model_load(&loaded, backend, NULL, NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "model: out, backend or path is NULL");
    /* published weights are scaled as TensorFlow's are; a new model may be made from them */
    write_changed(&(change){.prefix = "x", .is_base = true, .layout = "keras-weights"});
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 96;
    options.alpha = 0.1;
    options.padding = AN_PADDING_FIXED;
    options.weights_kind = AN_WEIGHTS_FILE;
    options.weights_path = target();
    if (an_mobilenetv2_create(&loaded, backend, &options, &err)) fail_msg("%s", err.message);
    an_model_info info = {.struct_size = sizeof info};
    assert_int_equal(an_model_describe(loaded, &info, NULL), AN_OK);
    assert_int_equal(info.scale, AN_SCALE_TF);
    an_model_destroy(loaded);
    /* of another alpha: both are named */
    options.alpha = 0.35;
    assert_int_equal(an_mobilenetv2_create(&loaded, backend, &options, &err), AN_ERR_FORMAT);
    static const char told[] = "the weights are for alpha 0.1, but the network has alpha "
                               "0.35: set alpha to 0.1, or use other weights than '/";
    if (strncmp(err.message, told, strlen(told)) != 0) fail_msg("%s", err.message);
    assert_null(loaded);
    /* of none at all: both shapes */
    write_changed(&(change){.prefix = "x", .is_base = true, .reshaped = "Conv_1/kernel"});
    options.scale = AN_SCALE_TF;
    assert_int_equal(an_mobilenetv2_create(&loaded, backend, &options, &err), AN_ERR_FORMAT);
    assert_string_equal(err.message, "weights: 'xConv1/kernel' has shape [3,3,3,8]; "
                                     "'Conv1/kernel' of the network has [3,3,3,16]");
}

/* --- the published weights -------------------------------------------------------------------- */

static http_server *host;
static const void *sent; /* what the server answers; NULL: 404 */
static int64_t sent_size;

/* A file that is as long as it says, and no more than that. */
static const uint8_t hdf5[104] = {0x89, 'H',  'D',      'F',      '\r',       '\n',
                                  0x1a, '\n', [13] = 8, [14] = 8, [40] = 104, [64] = 96};
static char asked[512];

static void answer(http_server *s, int c, const server_request *request) {
    (void)s;
    snprintf(asked, sizeof asked, "%s", request->target);
    if (!sent)
        server_print(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    else
        server_print(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", (int)sent_size);
    if (sent) server_send(c, sent, sent_size);
}

static an_status ask(char **path, double alpha, int32_t padding, int32_t height, int32_t width) {
    an_mobilenetv2_options options;
    char source[256];
    an_mobilenetv2_options_init(&options, sizeof options);
    options.alpha = alpha;
    options.padding = padding;
    options.height = height;
    options.width = width;
    snprintf(source, sizeof source, "%s/files/", host ? server_origin(host) : "http://127.0.0.1:1");
    asked[0] = '\0';
    return ani_imagenet_file(path, &options, source, &err);
}

#define NAME(alpha, size)                                                                          \
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_" alpha "_" size "_no_top.h5"

/* The file is there already: nothing is asked for. */
static void expect_cached(const char *cache, const char *name, double alpha, int32_t padding,
                          int32_t height, int32_t width) {
    char place[4200];
    char *path = NULL;
    snprintf(place, sizeof place, "%s/attractivenet/%s", cache, name);
    folder_write_text(place, "here");
    if (ask(&path, alpha, padding, height, width)) fail_msg("%s", err.message);
    assert_string_equal(path, place);
    assert_string_equal(asked, "");
    ani_imagenet_free(path);
    unlink(place);
}

static void which_file_is_taken(void **state) {
    (void)state;
    char cache[4096];
    snprintf(cache, sizeof cache, "%s", test_folder);
    assert_int_equal(mkdir(folder_path(test_folder, "attractivenet"), 0700), 0);
    setenv("XDG_CACHE_HOME", cache, 1);
    expect_cached(cache, NAME("1.0", "224"), 1, AN_PADDING_AUTO, 96, 96);
    expect_cached(cache, NAME("1.0", "96"), 1, AN_PADDING_FIXED, 96, 96);
    expect_cached(cache, NAME("0.35", "192"), 0.35, AN_PADDING_FIXED, 192, 192);
    expect_cached(cache, NAME("0.5", "160"), 0.5, AN_PADDING_FIXED, 160, 160);
    expect_cached(cache, NAME("0.75", "128"), 0.75, AN_PADDING_FIXED, 128, 128);
    expect_cached(cache, NAME("1.3", "224"), 1.3, AN_PADDING_FIXED, 224, 224);
    expect_cached(cache, NAME("1.4", "224"), 1.4, AN_PADDING_FIXED, 96, 128);
    expect_cached(cache, NAME("1.4", "224"), 1.4, AN_PADDING_TUTORIAL, 96, 96);
    char *path = NULL;
    assert_int_equal(ask(&path, 1.1, AN_PADDING_AUTO, 224, 224), AN_ERR_ARG);
    assert_string_equal(err.message, "MobileNetV2: there are no ImageNet weights for alpha 1.1; "
                                     "there are for 0.35, 0.5, 0.75, 1.0, 1.3 and 1.4");
    assert_null(path);
}

static void where_files_are_kept(void **state) {
    (void)state;
    char cache[4200];
    char *path = NULL;
    /* a relative XDG_CACHE_HOME is to be ignored, and so is an empty one */
    static const char *const ignored[] = {NULL, "", "relative"};
    snprintf(cache, sizeof cache, "%s/.cache", test_folder);
    assert_int_equal(mkdir(cache, 0700), 0);
    snprintf(cache, sizeof cache, "%s/.cache/attractivenet", test_folder);
    assert_int_equal(mkdir(cache, 0700), 0);
    snprintf(cache, sizeof cache, "%s/.cache", test_folder);
    setenv("HOME", test_folder, 1);
    for (size_t i = 0; i < 3; i++) {
        if (ignored[i])
            setenv("XDG_CACHE_HOME", ignored[i], 1);
        else
            unsetenv("XDG_CACHE_HOME");
        expect_cached(cache, NAME("1.0", "224"), 1, AN_PADDING_AUTO, 224, 224);
    }
    static const char *const homes[] = {NULL, "", "home"};
    for (size_t i = 0; i < 3; i++) {
        if (homes[i])
            setenv("HOME", homes[i], 1);
        else
            unsetenv("HOME");
        assert_int_equal(ask(&path, 1, 0, 224, 224), AN_ERR_IO);
        assert_string_equal(err.message,
                            "ImageNet weights: no cache folder, as neither "
                            "XDG_CACHE_HOME nor HOME is set; set one, or use weights none or FILE");
        assert_null(path);
    }
}

static void download_into_the_cache(void **state) {
    (void)state;
    char cache[4100], place[4300];
    char *path = NULL;
    if (!AN_HAVE_CURL) skip();
    /* folders that are not there are made */
    snprintf(cache, sizeof cache, "%s/deep/cache", test_folder);
    setenv("XDG_CACHE_HOME", cache, 1);
    sent = hdf5;
    sent_size = sizeof hdf5;
    assert_int_equal(ask(&path, 0.35, AN_PADDING_AUTO, 350, 350), AN_OK);
    assert_string_equal(asked, "/files/" NAME("0.35", "224"));
    snprintf(place, sizeof place, "%s/attractivenet/%s", cache, NAME("0.35", "224"));
    assert_string_equal(path, place);
    int64_t size;
    uint8_t *bytes = folder_read(place, &size);
    assert_int_equal(size, sizeof hdf5);
    assert_memory_equal(bytes, hdf5, sizeof hdf5);
    free(bytes);
    ani_imagenet_free(path);
    /* the second time it is there */
    assert_int_equal(ask(&path, 0.35, AN_PADDING_AUTO, 350, 350), AN_OK);
    assert_string_equal(asked, "");
    ani_imagenet_free(path);
    /* what is no HDF5 is not kept, nor is a page of the server */
    sent = "something else";
    sent_size = 14;
    assert_true(ask(&path, 0.5, AN_PADDING_AUTO, 350, 350) < 0);
    assert_null(path);
    sent = NULL;
    assert_int_equal(ask(&path, 0.5, AN_PADDING_AUTO, 350, 350), AN_ERR_IO);
    assert_null(path);
    snprintf(place, sizeof place, "%s/attractivenet", cache);
    assert_int_equal(folder_count(place), 2); /* the file, and where it came from */
}

static void expect_part(const char *part) {
    if (!strstr(err.message, part)) fail_msg("'%s' is not in '%s'", part, err.message);
}

/* Without a network: the whole address, the folder, and what else may be given. */
static void published_weights_without_a_network(void **state) {
    (void)state;
    static const double alphas[] = {0.35, 0.5, 0.75, 1.0, 1.3, 1.4};
    static const char *const texts[] = {"0.35", "0.5", "0.75", "1.0", "1.3", "1.4"};
    char url[512], save[4300];
    char *path = NULL;
    an_mobilenetv2_options options;
    if (!AN_HAVE_CURL) skip();
    setenv("XDG_CACHE_HOME", test_folder, 1);
    setenv("https_proxy", "http://127.0.0.1:1", 1); /* nobody is asked */
    unsetenv("no_proxy");
    for (int i = 0; i < 6; i++) {
        an_mobilenetv2_options_init(&options, sizeof options);
        options.alpha = alphas[i];
        assert_int_equal(ani_imagenet_file(&path, &options, ANI_IMAGENET_SOURCE, &err), AN_ERR_IO);
        assert_null(path);
        snprintf(url, sizeof url,
                 "cannot get %smobilenet_v2_weights_tf_dim_ordering_tf_kernels_%s_224_no_top.h5; ",
                 ANI_IMAGENET_SOURCE, texts[i]);
        expect_part(url);
        snprintf(save, sizeof save,
                 "save it in '%s/attractivenet' or use weights none or FILE: ", test_folder);
        expect_part(save);
        assert_int_equal(folder_count(folder_path(test_folder, "attractivenet")), 0);
    }
    /* a folder that leaves no room is named as a shell knows it */
    char deep[300];
    snprintf(deep, sizeof deep, "%s/%0100d", test_folder, 0);
    setenv("XDG_CACHE_HOME", deep, 1);
    assert_int_equal(ani_imagenet_file(&path, &options, ANI_IMAGENET_SOURCE, &err), AN_ERR_IO);
    expect_part("save it in '$XDG_CACHE_HOME/attractivenet' or use weights none or FILE: ");
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", deep, 1);
    assert_int_equal(ani_imagenet_file(&path, &options, ANI_IMAGENET_SOURCE, &err), AN_ERR_IO);
    expect_part("save it in '$HOME/.cache/attractivenet' or use weights none or FILE: ");
    assert_int_equal(ani_imagenet_file(&path, &options, ANI_IMAGENET_SOURCE, NULL), AN_ERR_IO);
    unsetenv("https_proxy");
    setenv("no_proxy", "*", 1);
    /* the reason, where there is room: a short address and a file that it does not have */
    setenv("XDG_CACHE_HOME", test_folder, 1);
    sent = NULL;
    assert_int_equal(ask(&path, 1, AN_PADDING_AUTO, 224, 224), AN_ERR_IO);
    expect_part("none or FILE: returned HTTP status 404");
    sent = "<html><title>Welcome to the hotel</title>";
    sent_size = (int64_t)strlen(sent);
    assert_int_equal(ask(&path, 1, AN_PADDING_AUTO, 224, 224), AN_ERR_FORMAT);
    expect_part("none or FILE: returned a web page, titled 'Welcome");
    assert_null(path);
}

/* The whole way: model options, cache, file, model. */
static void models_with_published_weights(void **state) {
    (void)state;
    an_mobilenetv2_options options;
    an_model *made = NULL;
    setenv("XDG_CACHE_HOME", test_folder, 1);
    assert_int_equal(mkdir(folder_path(test_folder, "attractivenet"), 0700), 0);
    an_mobilenetv2_options_init(&options, sizeof options);
    options.alpha = 0.35;
    options.height = options.width = 32;
    assert_int_equal(an_mobilenetv2_create(&made, backend, &options, NULL), AN_OK);
    /* the reader goes by what is in a file, not by its name */
    const char *place = folder_path(test_folder, "attractivenet/" NAME("0.35", "224"));
    assert_int_equal(an_model_save(made, place, NULL), AN_OK);
    an_model_destroy(made);
    options.weights_kind = AN_WEIGHTS_IMAGENET;
    if (an_mobilenetv2_create(&made, backend, &options, &err)) fail_msg("%s", err.message);
    an_model_info info = {.struct_size = sizeof info};
    assert_int_equal(an_model_describe(made, &info, NULL), AN_OK);
    assert_int_equal(info.scale, AN_SCALE_TF);
    an_model_destroy(made);
    options.alpha = 0.4;
    assert_int_equal(an_mobilenetv2_create(&made, backend, &options, &err), AN_ERR_ARG);
    assert_null(made);
}

static void cache_that_cannot_be_written(void **state) {
    (void)state;
    char *path = NULL;
    char cache[4200], wanted[8400];
    /* a file where the folder should be: also root cannot */
    folder_write_text(folder_path(test_folder, "file"), "x");
    snprintf(cache, sizeof cache, "%s/file", test_folder);
    setenv("XDG_CACHE_HOME", cache, 1);
    assert_int_equal(ask(&path, 1, AN_PADDING_AUTO, 224, 224), AN_ERR_IO);
    snprintf(wanted, sizeof wanted, "'%s/attractivenet'", cache);
    if (!strstr(err.message, wanted)) fail_msg("'%s' is not in '%s'", wanted, err.message);
    assert_null(path);
    /* no memory for a path, at each place where one is made */
    setenv("XDG_CACHE_HOME", test_folder, 1);
    assert_int_equal(mkdir(folder_path(test_folder, "attractivenet"), 0700), 0);
    folder_write_text(folder_path(test_folder, "attractivenet/" NAME("1.0", "224")), "x");
    for (int64_t n = 0;; n++) {
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = ask(&path, 1, AN_PADDING_AUTO, 224, 224);
        const bool reached = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        assert_int_equal(st, reached ? AN_ERR_NOMEM : AN_OK);
        ani_imagenet_free(path);
        if (!reached) break;
        assert_null(path);
    }
}

/* --- all -------------------------------------------------------------------------------------- */

static int begin(void **state) {
    (void)state;
    backend = test_backend_make("ref", NULL, 1);
    model = small_model_weights(backend);
    /* A proxy of the environment is none for 127.0.0.1. */
    setenv("no_proxy", "*", 1);
    if (AN_HAVE_CURL) host = server_begin(answer);
    return 0;
}

static int end(void **state) {
    (void)state;
    server_end(host);
    an_arrays_destroy(model);
    an_backend_destroy(backend);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(metadata),
        unit_test_in_folder(metadata_that_are_refused),
        unit_test_in_folder(long_names),
        unit_test_in_folder(by_name_and_by_order),
        unit_test_in_folder(lists_that_are_refused),
        unit_test_in_folder(arrays_that_are_too_many),
        unit_test_in_folder(classes_of_layers),
        unit_test_in_folder(what_a_file_leaves_open),
        unit_test_in_folder(which_file_is_taken),
        unit_test_in_folder(where_files_are_kept),
        unit_test_in_folder(download_into_the_cache),
        unit_test_in_folder(published_weights_without_a_network),
        unit_test_in_folder(models_with_published_weights),
        unit_test_in_folder(cache_that_cannot_be_written),
    };
    return cmocka_run_group_tests_name("weights", tests, begin, end);
}
