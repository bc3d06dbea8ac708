/* SPDX-License-Identifier: MIT
 * What networks of PyTorch need: symmetric padding, their epsilon, their scale, and state dicts
 * under the names of torchvision and timm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <attractivenet/mobilenetv2.h>

#include "layers/model.h"
#include "mobilenetv2/build.h"
#include "support/backends.h"
#include "support/folder.h"
#include "support/test_folder.h"

static an_error err;
static an_backend *backend;

static int make_backend(void **state) {
    backend = test_backend_make("cpu", NULL, 2);
    return test_folder_make(state);
}

static int destroy_backend(void **state) {
    an_backend_destroy(backend);
    return test_folder_end(state);
}

static void expect_ok(an_status st) {
    if (st) fail_msg("%s", err.message);
}

/* --- scale ------------------------------------------------------------------------------------ */

/* As computed by keras.applications.imagenet_utils.preprocess_input(x, mode="torch") of Keras
 * 3.15.1, in float32. */
static void the_scale_is_that_of_keras_mode_torch(void **state) {
    (void)state;
    static const uint8_t bytes[4][3] = {
        {0, 1, 2}, {127, 128, 129}, {255, 254, 253}, {100, 200, 37}};
    static const double wanted[4][3] = {
        {-2.1179039478302, -2.018207311630249, -1.7695860862731934},
        {0.0569397434592247, 0.20518219470977783, 0.4439217746257782},
        {2.248908281326294, 2.4110641479492188, 2.6051416397094727},
        {-0.40542858839035034, 1.465686321258545, -1.1595641374588013}};
    float tables[768];
    expect_ok(an_scale_fill_tables(AN_SCALE_TORCH, tables, &err));
    for (int i = 0; i < 4; i++)
        for (int c = 0; c < 3; c++)
            assert_true(fabs((double)tables[256 * c + bytes[i][c]] - wanted[i][c]) < 3e-7);
}

/* --- padding and epsilon ---------------------------------------------------------------------- */

static an_model *make(int32_t height, int32_t width, int32_t padding, double epsilon) {
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = height;
    options.width = width;
    options.alpha = 0.1;
    options.padding = padding;
    options.epsilon = epsilon;
    options.scale = AN_SCALE_TORCH;
    expect_ok(an_mobilenetv2_create(&model, backend, &options, &err));
    return model;
}

static an_model_info describe(const an_model *model) {
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    expect_ok(an_model_describe(model, &info, &err));
    return info;
}

/* All five layers pad one row and column on each side, and sizes are halved and rounded up. */
static void symmetric_padding(void **state) {
    (void)state;
    for (int32_t size = 32; size < 67; size++) {
        an_model *model = make(size, 99 - size, AN_PADDING_SYMMETRIC, 0);
        const ani_net *net = ani_model_net(model);
        int64_t height, width;
        for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
            const ani_unit_spec *unit = &ani_net_spec_of(net)->units[u];
            const int32_t pad = unit->kind == ANI_UNIT_POINTWISE ? 0 : 1;
            assert_true(unit->pad_top == pad && unit->pad_bottom == pad);
            assert_true(unit->pad_left == pad && unit->pad_right == pad);
        }
        ani_net_unit_size(net, ANI_MNV2_UNITS - 1, &height, &width);
        assert_int_equal(height, (size + 31) / 32);
        assert_int_equal(width, (99 - size + 31) / 32);
        an_model_destroy(model);
    }
}

/* Padding, epsilon and scale go through a file and a copy, and decide the outputs. */
static void they_are_kept(void **state) {
    (void)state;
    enum { H = 48, W = 34, COUNT = 2 * H * W * 3 };
    static float x[COUNT];
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i * 37 % 256) / 60 - 2;
    an_model *model = make(H, W, AN_PADDING_SYMMETRIC, 1e-5), *models[5] = {NULL};
    an_bytes *bytes = NULL;
    an_mobilenetv2_options options;
    expect_ok(an_model_save_bytes(&bytes, model, &err));
    expect_ok(an_model_load_bytes(&models[0], backend, an_bytes_data(bytes), an_bytes_size(bytes),
                                  NULL, NULL, &err));
    expect_ok(an_model_copy(&models[1], model, backend, 0, &err));
    /* the caller's word replaces the file's */
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 0;
    options.epsilon = 1e-3;
    expect_ok(an_model_load_bytes(&models[2], backend, an_bytes_data(bytes), an_bytes_size(bytes),
                                  NULL, &options, &err));
    options.epsilon = 0;
    options.padding = AN_PADDING_FIXED;
    expect_ok(an_model_load_bytes(&models[3], backend, an_bytes_data(bytes), an_bytes_size(bytes),
                                  NULL, &options, &err));
    options.padding = AN_PADDING_TUTORIAL;
    expect_ok(an_model_load_bytes(&models[4], backend, an_bytes_data(bytes), an_bytes_size(bytes),
                                  NULL, &options, &err));
    float *want = malloc(2 * 1280 * sizeof *want), *got = malloc(2 * 1280 * sizeof *got);
    expect_ok(an_model_compute_features(model, x, 2, want, &err));
    for (int i = 0; i < 5; i++) {
        const an_model_info info = describe(models[i]);
        assert_int_equal(info.scale, AN_SCALE_TORCH);
        assert_int_equal(info.padding, i == 3   ? AN_PADDING_FIXED
                                       : i == 4 ? AN_PADDING_TUTORIAL
                                                : AN_PADDING_SYMMETRIC);
        assert_true(info.epsilon == (i == 2 ? 1e-3 : 1e-5));
        expect_ok(an_model_compute_features(models[i], x, 2, got, &err));
        const int same = !memcmp(got, want, 2 * 1280 * sizeof *got);
        assert_int_equal(same, i < 2);
        an_model_destroy(models[i]);
    }
    static char text[1 << 16];
    an_model_summary(model, AN_SUMMARY_LAYERS, text, sizeof text);
    assert_non_null(strstr(text, "\nepsilon of BatchNormalization 1e-05\n"));
    free(want);
    free(got);
    an_bytes_destroy(bytes);
    an_model_destroy(model);
}

/* Without a word about it, the epsilon is Keras'. */
static void the_default_epsilon(void **state) {
    (void)state;
    an_model *model = make(32, 32, AN_PADDING_AUTO, 0);
    assert_true(describe(model).epsilon == 1e-3);
    assert_int_equal(describe(model).padding, AN_PADDING_TUTORIAL);
    an_model_destroy(model);
}

/* --- state dicts ------------------------------------------------------------------------------ */

static const int32_t formats[] = {AN_EXPORT_TORCHVISION, AN_EXPORT_TIMM};

static const char *target(void) {
    return folder_path(test_folder, "dict.safetensors");
}

static an_status export_as(const an_model *model, int32_t format) {
    an_export_options options;
    an_export_options_init(&options, sizeof options);
    options.format = format;
    err = (an_error){0};
    return an_model_export(model, target(), &options, &err);
}

static an_arrays *weights_of(const an_model *model) {
    an_arrays *weights = NULL;
    expect_ok(an_model_copy_weights(&weights, model, &err));
    return weights;
}

static void expect_same(const an_arrays *a, const an_arrays *b) {
    assert_int_equal(an_arrays_count(a), an_arrays_count(b));
    for (int64_t i = 0; i < an_arrays_count(a); i++) {
        int64_t count = 1;
        assert_string_equal(an_arrays_name(a, i), an_arrays_name(b, i));
        for (int32_t axis = 0; axis < an_arrays_rank(a, i); axis++)
            count *= an_arrays_length(a, i, axis);
        assert_memory_equal(an_arrays_data(a, i), an_arrays_data(b, i),
                            (size_t)count * sizeof(float));
    }
}

/* Weights go there and back with the same bits, and the file says what the model is. */
static void there_and_back(void **state) {
    (void)state;
    static const char *const names[] = {"good", "bad"};
    for (int i = 0; i < 2; i++) {
        an_mobilenetv2_options options;
        an_model *model = NULL, *back = NULL;
        an_mobilenetv2_options_init(&options, sizeof options);
        options.height = 40;
        options.width = 33;
        options.alpha = i ? 0.1 : 0.35;
        options.outputs = 2;
        options.task = AN_TASK_CLASSIFICATION;
        options.padding = AN_PADDING_SYMMETRIC;
        options.epsilon = 1e-5;
        options.scale = AN_SCALE_TF;
        expect_ok(an_mobilenetv2_create(&model, backend, &options, &err));
        expect_ok(an_model_set_class_names(model, names, 2, &err));
        expect_ok(export_as(model, formats[i]));
        expect_ok(an_model_load(&back, backend, target(), NULL, &err));
        an_arrays *before = weights_of(model), *after = weights_of(back);
        expect_same(before, after);
        const an_model_info info = describe(back);
        assert_true(info.height == 40 && info.width == 33 && info.outputs == 2);
        assert_true(info.scale == AN_SCALE_TF && info.padding == AN_PADDING_SYMMETRIC);
        assert_true(info.task == AN_TASK_CLASSIFICATION && info.epsilon == 1e-5);
        assert_true(info.alpha == options.alpha);
        assert_string_equal(an_model_class_name(back, 1), "bad");
        /* other tools read "pt" as written by PyTorch */
        an_arrays *file = NULL;
        expect_ok(an_arrays_read(&file, target(), &err));
        assert_string_equal(an_arrays_metadata(file, "format"), "pt");
        an_arrays_destroy(file);
        an_arrays_destroy(before);
        an_arrays_destroy(after);
        an_model_destroy(model);
        an_model_destroy(back);
        assert_int_equal(unlink(target()), 0);
    }
}

/** How a state dict differs from a model's. */
typedef struct change {
    const char *left_out;
    const char *more;     /* an array that is added, */
    int64_t more_length;  /* of this length */
    const char *reshaped; /* an array with one row less */
    const char *prefix;   /* before all names */
} change;

/* Write a model's state dict, then the same with a change, without metadata. */
static void write_changed(int32_t format, const change *c) {
    an_model *model = make(32, 32, AN_PADDING_SYMMETRIC, 1e-5);
    an_arrays *file = NULL, *list = NULL;
    static const float zeros[1280];
    expect_ok(export_as(model, format));
    expect_ok(an_arrays_read(&file, target(), &err));
    expect_ok(an_arrays_create(&list, &err));
    for (int64_t i = 0; i < an_arrays_count(file); i++) {
        const char *name = an_arrays_name(file, i);
        const int32_t rank = an_arrays_rank(file, i);
        int64_t shape[4];
        char changed[128];
        if (c->left_out && !strcmp(c->left_out, name)) continue;
        for (int32_t axis = 0; axis < rank; axis++)
            shape[axis] = an_arrays_length(file, i, axis);
        if (c->reshaped && !strcmp(c->reshaped, name)) shape[0]--;
        snprintf(changed, sizeof changed, "%s%s", c->prefix ? c->prefix : "", name);
        expect_ok(an_arrays_add(list, changed, an_arrays_data(file, i), shape, rank, &err));
    }
    if (c->more) expect_ok(an_arrays_add(list, c->more, zeros, &c->more_length, 1, &err));
    expect_ok(an_arrays_write(list, target(), &err));
    an_arrays_destroy(list);
    an_arrays_destroy(file);
    an_model_destroy(model);
}

static an_status load_target(an_model **out) {
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 32;
    options.scale = AN_SCALE_TORCH;
    err = (an_error){0};
    return an_model_load(out, backend, target(), &options, &err);
}

/* The message, whose path is FILE. */
static void refuse(an_status status, const char *message) {
    an_model *model = NULL;
    char wanted[512];
    const char *file = strstr(message, "FILE");
    assert_int_equal(load_target(&model), status);
    assert_null(model);
    snprintf(wanted, sizeof wanted, "%.*s%s%s", (int)(file - message), message, target(), file + 4);
    wanted[sizeof err.message - 1] = 0; /* a long one is cut */
    assert_string_equal(err.message, wanted);
    assert_int_equal(unlink(target()), 0);
}

static void keys_that_are_refused(void **state) {
    (void)state;
    write_changed(AN_EXPORT_TORCHVISION, &(change){.left_out = "features.5.conv.1.0.weight"});
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE' has no 'features.5.conv.1.0.weight', which "
                               "torchvision's MobileNetV2 has");
    write_changed(AN_EXPORT_TIMM, &(change){.left_out = "blocks.6.0.bn3.running_var"});
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE' has no 'blocks.6.0.bn3.running_var', which timm's "
                               "MobileNetV2 has");
    write_changed(AN_EXPORT_TIMM, &(change){.left_out = "classifier.bias"});
    refuse(AN_ERR_UNSUPPORTED,
           "weights: 'FILE' has no 'classifier.bias', which timm's MobileNetV2 has");
    write_changed(AN_EXPORT_TORCHVISION, &(change){.left_out = "classifier.1.weight"});
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE' has 'classifier.1.bias', which torchvision's "
                               "MobileNetV2 does not have");
    write_changed(AN_EXPORT_TIMM, &(change){.more = "blocks.1.2.bn1.bias", .more_length = 48});
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE' has 'blocks.1.2.bn1.bias', which timm's "
                               "MobileNetV2 does not have");
    write_changed(AN_EXPORT_TORCHVISION, &(change){.more = "features.0.0.scale", .more_length = 1});
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE' has 'features.0.0.scale', which torchvision's "
                               "MobileNetV2 does not have");
    write_changed(AN_EXPORT_TORCHVISION, &(change){.prefix = "module."});
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE': 'module.features.0.0.weight' has something in "
                               "front of 'features.0.0.weight': remove it from all names");
    write_changed(AN_EXPORT_TIMM, &(change){.prefix = "backbone."});
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE': 'backbone.conv_stem.weight' has something in "
                               "front of 'conv_stem.weight': remove it from all names");
}

static void shapes_that_are_refused(void **state) {
    (void)state;
    write_changed(AN_EXPORT_TORCHVISION, &(change){.reshaped = "features.14.conv.0.0.weight"});
    refuse(AN_ERR_UNSUPPORTED,
           "weights: 'FILE': 'features.14.conv.0.0.weight' has shape [95,16,1,1]; torchvision's "
           "MobileNetV2 of width 0.1 has [96,16,1,1]");
    write_changed(AN_EXPORT_TIMM, &(change){.reshaped = "blocks.0.0.bn1.bias"});
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE': 'blocks.0.0.bn1.bias' has shape [7]; timm's "
                               "MobileNetV2 of width 0.1 has [8]");
    write_changed(AN_EXPORT_TIMM, &(change){.reshaped = "blocks.0.0.conv_dw.weight"});
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE': 'blocks.0.0.conv_dw.weight' has shape [7,1,3,3]; "
                               "timm's MobileNetV2 of width 0.1 has [8,1,3,3]");
    write_changed(AN_EXPORT_TIMM, &(change){.reshaped = "classifier.bias"});
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE': 'classifier.bias' has shape [0]; timm's "
                               "MobileNetV2 of width 0.1 has [1]");
}

/* The numbers that batch norm counts are left out, whatever they are. */
static void numbers_of_batches_are_ignored(void **state) {
    (void)state;
    an_model *model = NULL;
    write_changed(AN_EXPORT_TIMM, &(change){.more = "bn2.num_batches_tracked", .more_length = 1});
    expect_ok(load_target(&model));
    assert_true(describe(model).epsilon == 1e-5);
    assert_int_equal(describe(model).padding, AN_PADDING_SYMMETRIC);
    an_model_destroy(model);
    write_changed(AN_EXPORT_TIMM, &(change){.more = "bn3.num_batches_tracked", .more_length = 1});
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE' has 'bn3.num_batches_tracked', which timm's "
                               "MobileNetV2 does not have");
}

/* Codes of a quantized network are not weights. */
static void whole_numbers_are_refused(void **state) {
    (void)state;
    write_changed(AN_EXPORT_TORCHVISION, &(change){0});
    int64_t size;
    uint8_t *bytes = folder_read(target(), &size);
    char *at = strstr((char *)bytes + 8, "\"features.0.0.weight\":{\"dtype\":\"F32\"");
    assert_non_null(at);
    memcpy(strstr(at, "F32"), "I32", 3);
    folder_write(target(), bytes, size);
    free(bytes);
    refuse(AN_ERR_UNSUPPORTED, "weights: 'FILE': 'features.0.0.weight' holds whole numbers; it "
                               "must hold floats, not be quantized");
}

/* ImageNet's classes say what the network is, as does a base without a head; nothing else does. */
static void what_a_state_dict_leaves_open(void **state) {
    (void)state;
    an_mobilenetv2_options options;
    an_model *model = NULL, *loaded = NULL;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 32;
    options.alpha = 0.1;
    options.outputs = 1000;
    options.padding = AN_PADDING_SYMMETRIC;
    options.epsilon = 1e-5;
    expect_ok(an_mobilenetv2_create(&model, backend, &options, &err));
    expect_ok(export_as(model, AN_EXPORT_TIMM));
    an_arrays *file = NULL, *list = NULL, *base = NULL;
    expect_ok(an_arrays_read(&file, target(), &err));
    expect_ok(an_arrays_create(&list, &err));
    expect_ok(an_arrays_create(&base, &err));
    for (int64_t i = 0; i < an_arrays_count(file); i++) {
        int64_t shape[4];
        for (int32_t axis = 0; axis < an_arrays_rank(file, i); axis++)
            shape[axis] = an_arrays_length(file, i, axis);
        expect_ok(an_arrays_add(list, an_arrays_name(file, i), an_arrays_data(file, i), shape,
                                an_arrays_rank(file, i), &err));
        if (strstr(an_arrays_name(file, i), "classifier")) continue;
        expect_ok(an_arrays_add(base, an_arrays_name(file, i), an_arrays_data(file, i), shape,
                                an_arrays_rank(file, i), &err));
    }
    expect_ok(an_arrays_write(list, target(), &err));
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 32;
    expect_ok(an_model_load(&loaded, backend, target(), &options, &err));
    an_model_info info = describe(loaded);
    assert_true(info.scale == AN_SCALE_TORCH && info.task == AN_TASK_CLASSIFICATION);
    an_model_destroy(loaded);
    /* a new head on such a base */
    expect_ok(an_arrays_write(base, target(), &err));
    assert_int_equal(an_model_load(&loaded, backend, target(), &options, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "has no dense layer; it is a weight file for a new model"));
    options.alpha = 0.1;
    options.weights_kind = AN_WEIGHTS_FILE;
    options.weights_path = target();
    expect_ok(an_mobilenetv2_create(&loaded, backend, &options, &err));
    info = describe(loaded);
    assert_true(info.scale == AN_SCALE_TORCH && info.padding == AN_PADDING_SYMMETRIC);
    assert_true(info.epsilon == 1e-5 && info.outputs == 1);
    an_model_destroy(loaded);
    options.alpha = 0.35;
    assert_int_equal(an_mobilenetv2_create(&loaded, backend, &options, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "the weights are for alpha 0.1, but the network has alpha "
                                        "0.35"));
    an_arrays_destroy(base);
    an_arrays_destroy(list);
    an_arrays_destroy(file);
    an_model_destroy(model);
    /* any other number of outputs says nothing about pixels */
    write_changed(AN_EXPORT_TIMM, &(change){0});
    options = (an_mobilenetv2_options){0};
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 32;
    assert_int_equal(an_model_load(&loaded, backend, target(), &options, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "does not say how pixels are scaled"));
    assert_int_equal(unlink(target()), 0);
}

/* PyTorch would compute something else from them. */
static void models_that_are_not_exported(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        static const char *const tools[] = {"torchvision", "timm"};
        char wanted[256];
        an_model *model = make(32, 32, AN_PADDING_TUTORIAL, 1e-5);
        assert_int_equal(export_as(model, formats[i]), AN_ERR_UNSUPPORTED);
        snprintf(wanted, sizeof wanted,
                 "export: 'Conv1' pads (0,1),(0,1); %s's MobileNetV2 pads (1,1),(1,1), and would "
                 "compute something else",
                 tools[i]);
        assert_string_equal(err.message, wanted);
        an_model_destroy(model);
        model = make(32, 32, AN_PADDING_SYMMETRIC, 0);
        assert_int_equal(export_as(model, formats[i]), AN_ERR_UNSUPPORTED);
        snprintf(wanted, sizeof wanted,
                 "export: batch norm's epsilon is 0.001; %s's MobileNetV2 has 1e-05, and would "
                 "compute something else",
                 tools[i]);
        assert_string_equal(err.message, wanted);
        an_model_destroy(model);
    }
    an_model *model = make(33, 33, AN_PADDING_FIXED, 1e-5), *back = NULL;
    an_export_options options;
    an_export_options_init(&options, sizeof options);
    options.format = AN_EXPORT_TIMM;
    options.include_scale = 1;
    assert_int_equal(an_model_export(model, target(), &options, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "export: include_scale is 1; a PyTorch file has no layers, it "
                                     "must be 0");
    options.include_scale = 0;
    options.layout = AN_LAYOUT_NCHW;
    assert_int_equal(an_model_export(model, target(), &options, &err), AN_ERR_ARG);
    assert_string_equal(err.message,
                        "export: layout is 1; a PyTorch file must have AN_LAYOUT_NHWC (0)");
    /* where Keras' padding is the same at this size, it becomes PyTorch's */
    expect_ok(export_as(model, AN_EXPORT_TIMM));
    expect_ok(an_model_load(&back, backend, target(), NULL, &err));
    assert_int_equal(describe(back).padding, AN_PADDING_SYMMETRIC);
    an_model_destroy(back);
    an_model_destroy(model);
    assert_int_equal(unlink(target()), 0);
}

static void pickles_are_refused(void **state) {
    (void)state;
    static const char start[] = "'dict.safetensors' is a pickle, which can run any code and is not "
                                "read; convert it: python3 -c \"import torch, safetensors.torch as "
                                "s; s.save_file(torch.load('IN.pth', weights_only=True), "
                                "'OUT.safetensors')\"";
    static const uint8_t legacy[] = {0x80, 2,    0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                     0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
    static const char *const members[] = {"mobilenet_v2/data.pkl", "archive/data/0"};
    an_model *model = NULL;
    folder_write(target(), legacy, sizeof legacy);
    assert_int_equal(load_target(&model), AN_ERR_UNSUPPORTED);
    assert_string_equal(err.message, start);
    for (int i = 0; i < 2; i++) {
        uint8_t zip[80] = {'P', 'K', 3, 4};
        zip[26] = (uint8_t)strlen(members[i]);
        memcpy(zip + 30, members[i], strlen(members[i]));
        folder_write(target(), zip, sizeof zip);
        assert_int_equal(load_target(&model), AN_ERR_UNSUPPORTED);
        assert_string_equal(err.message, start);
        zip[26] = 5; /* another name: an archive like any other */
        folder_write(target(), zip, sizeof zip);
        assert_true(load_target(&model) < 0);
        assert_null(strstr(err.message, "pickle"));
        zip[27] = 200; /* a name beyond the end */
        folder_write(target(), zip, sizeof zip);
        assert_true(load_target(&model) < 0);
        assert_null(strstr(err.message, "pickle"));
        folder_write(target(), zip, 29);
        assert_true(load_target(&model) < 0);
    }
    assert_int_equal(unlink(target()), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scale_is_that_of_keras_mode_torch),
        cmocka_unit_test(symmetric_padding),
        cmocka_unit_test(they_are_kept),
        cmocka_unit_test(the_default_epsilon),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(keys_that_are_refused),
        cmocka_unit_test(shapes_that_are_refused),
        cmocka_unit_test(numbers_of_batches_are_ignored),
        cmocka_unit_test(whole_numbers_are_refused),
        cmocka_unit_test(what_a_state_dict_leaves_open),
        cmocka_unit_test(models_that_are_not_exported),
        cmocka_unit_test(pickles_are_refused),
    };
    return cmocka_run_group_tests_name("torch", tests, make_backend, destroy_backend);
}
