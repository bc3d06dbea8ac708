/* SPDX-License-Identifier: MIT
 * The network of a Keras config against MobileNetV2: whatever differs is refused by the name of its
 * layer, with what was found and what is expected; what changes nothing is skipped; scaling before
 * the network becomes the scale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/dataset.h>

#include "base/fault.h"
#include "mobilenetv2/facts.h"
#include "mobilenetv2/weights.h"
#include "support/keras_model.h"

static an_error err;
static ani_weights w; /* closed: its numbers can still be read */
static const char *scale_layer;

/* Walk a config, with arrays if there are some. Takes both. */
static an_status walk_with(json_t *model, an_arrays *arrays) {
    static char name[192];
    char *text = json_dumps(model, JSON_COMPACT);
    json_decref(model);
    w = (ani_weights){.path = "w", .task = -1, .arrays = arrays};
    err = (an_error){0};
    if (!arrays) assert_int_equal(an_arrays_create(&w.arrays, NULL), AN_OK);
    assert_int_equal(an_arrays_set_metadata(w.arrays, "model_config", text, NULL), AN_OK);
    free(text);
    const an_status st = ani_facts_read(&w, &err);
    snprintf(name, sizeof name, "%s", w.scale_layer ? w.scale_layer : "");
    scale_layer = name;
    ani_weights_close(&w);
    return st;
}

static void accept_with(json_t *model, an_arrays *arrays) {
    if (walk_with(model, arrays)) fail_msg("%s", err.message);
}

static void accept(json_t *model) {
    accept_with(model, NULL);
}

static void refuse_with(json_t *model, an_arrays *arrays, const char *message) {
    const an_status st = walk_with(model, arrays);
    char wanted[512];
    snprintf(wanted, sizeof wanted, "model: 'w': %s", message);
    assert_string_equal(err.message, wanted);
    assert_int_equal(st, AN_ERR_UNSUPPORTED);
}

static void refuse(json_t *model, const char *message) {
    refuse_with(model, NULL, message);
}

/* A model in which a layer is inserted behind another. */
static json_t *with(const char *behind, const char *layer) {
    json_t *model = keras_model(KERAS_3);
    keras_insert(model, behind, layer);
    return model;
}

static json_t *in_front(const char *layer) {
    return with("in", layer);
}

/* --- what is read ----------------------------------------------------------------------------- */

static void models_of_each_form(void **state) {
    (void)state;
    json_t *(*const forms[])(int) = {keras_model, keras_model_flat};
    for (int form = 0; form < 2; form++)
        for (int generation = KERAS_2; generation <= KERAS_3; generation++) {
            accept(forms[form](generation));
            assert_true(w.alpha == 0.1 && w.height == 32 && w.width == 32);
            assert_string_equal(w.base_name, "mobilenetv2_0.10_32");
            assert_int_equal(w.known_pads, ANI_PADS_DOWN);
            assert_int_equal(w.task, AN_TASK_REGRESSION);
            assert_int_equal(w.scale, AN_SCALE_AUTO);
            for (int i = 0; i < ANI_MNV2_DOWN; i++)
                assert_true(w.pads.down[i].top == 0 && w.pads.down[i].right == 1);
        }
    /* a base without pooling or head is weights for a new model */
    json_t *model = keras_model_flat(KERAS_2);
    json_t *config = json_object_get(model, "config");
    for (int i = 0; i < 2; i++) {
        json_t *layers = json_object_get(config, "layers");
        json_array_remove(layers, json_array_size(layers) - 1);
        json_object_set_new(config, "output_layers",
                            json_pack("[[s]]", i ? "Conv_1_relu" : "pool"));
        accept(json_deep_copy(model));
        assert_int_equal(w.task, -1);
    }
    json_decref(model);
}

static void paddings(void **state) {
    (void)state;
    json_t *model = keras_model(KERAS_2);
    keras_set(model, "block_13_depthwise_pad", "padding", "[[1,1],[0,2]]");
    accept(json_deep_copy(model));
    assert_true(w.pads.down[3].top == 1 && w.pads.down[3].right == 2 && w.pads.down[2].top == 0);
    /* of old, the stem has a padding layer of its own */
    keras_insert(model, "Conv1", LAYER("ZeroPadding2D", "Conv1_pad", ",\"padding\":[[2,1],[0,1]]"));
    keras_wire(model, "Conv1", KERAS_2, "Conv1_pad", NULL);
    keras_wire(model, "Conv1_pad", KERAS_2, "in", NULL);
    keras_wire(model, "bn_Conv1", KERAS_2, "Conv1", NULL);
    json_t *layers = json_object_get(
        json_object_get(keras_layer(model, "mobilenetv2_0.10_32"), "config"), "layers");
    json_t *pad = json_incref(json_array_get(layers, 2));
    json_array_remove(layers, 2);
    json_array_insert_new(layers, 1, pad);
    keras_set(model, "Conv1", "padding", "\"valid\"");
    accept(model);
    assert_int_equal(w.known_pads, ANI_PADS_ALL);
    assert_true(w.pads.stem.top == 2 && w.pads.stem.left == 0 && w.pads.down[3].right == 2);
    /* another than any of MobileNetV2 */
    model = keras_model(KERAS_3);
    keras_set(model, "block_1_depthwise_pad", "padding", "[[0,1],[3,1]]");
    refuse(model, "layer 'block_1_depthwise_pad': padding is [[0,1],[3,1]]; each side must be 0 to "
                  "2");
    model = keras_model(KERAS_3);
    keras_remove(model, "block_3_depthwise_pad");
    refuse(model, "layer 'block_3_depthwise' of class 'DepthwiseConv2D' follows "
                  "'block_3_expand_relu', where MobileNetV2 has ZeroPadding2D");
}

static void tasks(void **state) {
    (void)state;
    static const struct {
        const char *units, *activation;
        int32_t task;
    } heads[] = {{"1", "\"linear\"", AN_TASK_REGRESSION},
                 {"1", "null", AN_TASK_REGRESSION},
                 {"3", "\"softmax\"", AN_TASK_CLASSIFICATION},
                 {"1", "\"sigmoid\"", AN_TASK_CLASSIFICATION}};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        json_t *model = keras_model(KERAS_3);
        keras_set(model, "dense", "units", heads[i].units);
        keras_set(model, "dense", "activation", heads[i].activation);
        accept(model);
        assert_int_equal(w.task, heads[i].task);
    }
    /* the same as a layer */
    accept(with("dense", LAYER("Activation", "a", ",\"activation\":\"sigmoid\"")));
    assert_int_equal(w.task, AN_TASK_CLASSIFICATION);
    accept(with("dense", LAYER("Activation", "a", ",\"activation\":\"linear\"")));
    assert_int_equal(w.task, AN_TASK_REGRESSION);
    refuse(with("dense", LAYER("Activation", "a", ",\"activation\":\"softmax\"")),
           "activation of layer 'a' is 'softmax'; it must be linear or sigmoid");
    static const char *const wrong[][3] = {
        {"1", "\"softmax\"",
         "activation of layer 'dense' is 'softmax'; it must be linear or sigmoid"},
        {"2", "\"relu\"", "activation of layer 'dense' is 'relu'; it must be linear or softmax"},
        {"2", "{\"class_name\":\"Own\"}",
         "activation of layer 'dense' is 'Own'; it must be linear or softmax"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *model = keras_model(KERAS_2);
        keras_set(model, "dense", "units", wrong[i][0]);
        keras_set(model, "dense", "activation", wrong[i][1]);
        refuse(model, wrong[i][2]);
    }
    /* one after the other is another function */
    json_t *model = with("dense", LAYER("Activation", "a", ",\"activation\":\"sigmoid\""));
    keras_set(model, "dense", "activation", "\"sigmoid\"");
    refuse(model, "layer 'a' of class 'Activation' follows 'dense', where MobileNetV2 has nothing");
    model = with("dense", LAYER("Activation", "a", ",\"activation\":\"sigmoid\""));
    keras_insert(model, "a", LAYER("Activation", "b", ",\"activation\":\"sigmoid\""));
    refuse(model, "layer 'b' of class 'Activation' follows 'a', where MobileNetV2 has nothing");
}

/* --- settings --------------------------------------------------------------------------------- */

/* Each setting of each class, changed alone. */
static void settings_that_differ(void **state) {
    (void)state;
    static const char *const rows[][4] = {
        {"Conv1", "kernel_size", "[5,5]", "kernel_size is [5,5]; it must be [3,3]"},
        {"Conv1", "kernel_size", NULL, "kernel_size is missing; it must be [3,3]"},
        {"Conv1", "strides", "[1,1]", "strides is [1,1]; it must be [2,2]"},
        {"Conv1", "strides", "[2,1]", "strides is [2,1]; it must be [2,2]"},
        {"Conv1", "padding", "\"valid\"", "padding is 'valid'; it must be 'same'"},
        {"Conv1", "padding", "\"causal\"", "padding is 'causal'; it must be 'same'"},
        {"Conv1", "dilation_rate", "2", "dilation_rate is [2,2]; it must be [1,1]"},
        {"Conv1", "groups", "3", "groups is 3; it must be 1"},
        {"Conv1", "activation", "\"relu\"", "activation is 'relu'; it must be 'linear'"},
        {"Conv1", "use_bias", "true", "use_bias is true; it must be false"},
        {"Conv1", "use_bias", NULL, "use_bias is true; it must be false"},
        {"Conv1", "data_format", "\"channels_first\"",
         "data_format is 'channels_first'; it must be 'channels_last'"},
        {"Conv1", "dtype",
         "{\"class_name\":\"QuantizedDTypePolicy\",\"config\":{\"mode\":\"int8\"}}",
         "dtype is 'int8'; it must be a type of floats"},
        {"block_5_expand", "kernel_size", "3", "kernel_size is [3,3]; it must be [1,1]"},
        {"block_5_expand", "strides", "[2,2]", "strides is [2,2]; it must be [1,1]"},
        {"block_5_project", "activation", "{\"class_name\":\"function\",\"config\":\"swish\"}",
         "activation is 'swish'; it must be 'linear'"},
        {"Conv_1", "groups", "2", "groups is 2; it must be 1"},
        {"block_3_depthwise", "strides", "1", "strides is [1,1]; it must be [2,2]"},
        {"block_3_depthwise", "padding", "\"same\"", "padding is 'same'; it must be 'valid'"},
        {"block_4_depthwise", "padding", "\"valid\"", "padding is 'valid'; it must be 'same'"},
        {"block_4_depthwise", "strides", "[2,2]", "strides is [2,2]; it must be [1,1]"},
        {"block_4_depthwise", "depth_multiplier", "2", "depth_multiplier is 2; it must be 1"},
        {"block_4_depthwise", "dilation_rate", "[2,2]", "dilation_rate is [2,2]; it must be [1,1]"},
        {"block_4_depthwise", "activation", "\"relu6\"",
         "activation is 'relu6'; it must be 'linear'"},
        {"block_4_depthwise", "use_bias", "true", "use_bias is true; it must be false"},
        {"block_4_depthwise", "kernel_size", "[3,5]", "kernel_size is [3,5]; it must be [3,3]"},
        {"block_9_project_BN", "epsilon", "1e-5",
         "epsilon is 1e-05; it must be 0.001, as in the layers before it"},
        {"bn_Conv1", "epsilon", "0", "epsilon is 0; it must be above 0, at most 1"},
        {"bn_Conv1", "epsilon", "2", "epsilon is 2; it must be above 0, at most 1"},
        {"bn_Conv1", "axis", "1", "axis is 1; it must be 3"},
        {"bn_Conv1", "center", "false", "center is false; it must be true"},
        {"block_9_project_BN", "scale", "false", "scale is false; it must be true"},
        {"block_9_project_BN", "dtype", "\"float8\"",
         "dtype is 'float8'; it must be a type of floats"},
        {"Conv1_relu", "max_value", "null", "max_value is missing; it must be 6"},
        {"Conv1_relu", "max_value", NULL, "max_value is missing; it must be 6"},
        {"Conv1_relu", "max_value", "1.0", "max_value is 1; it must be 6"},
        {"Conv1_relu", "negative_slope", "0.2", "negative_slope is 0.2; it must be 0"},
        {"Conv_1_relu", "threshold", "0.5", "threshold is 0.5; it must be 0"},
        {"block_1_depthwise_pad", "data_format", "\"channels_first\"",
         "data_format is 'channels_first'; it must be 'channels_last'"},
        {"pool", "keepdims", "true", "keepdims is true; it must be false"},
        {"pool", "data_format", "\"channels_first\"",
         "data_format is 'channels_first'; it must be 'channels_last'"},
        {"dense", "use_bias", "false", "use_bias is false; it must be true"},
        {"dense", "dtype", "{\"config\":{\"name\":\"int8_from_float32\"}}",
         "dtype is 'int8_from_float32'; it must be a type of floats"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int generation = KERAS_2; generation <= KERAS_3; generation++) {
            json_t *model = keras_model(generation);
            char message[256];
            keras_set(model, rows[i][0], rows[i][1], rows[i][2]);
            snprintf(message, sizeof message, "layer '%s': %s", rows[i][0], rows[i][3]);
            refuse(model, message);
        }
    /* what a later Keras may add */
    static const char *const unknown[][2] = {{"Conv1", "winograd"},
                                             {"bn_Conv1", "renorm"},
                                             {"dense", "lora_rank"},
                                             {"block_2_project_add", "weighted"}};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        json_t *model = keras_model(KERAS_3);
        char message[256];
        keras_set(model, unknown[i][0], unknown[i][1], "4");
        snprintf(message, sizeof message,
                 "layer '%s' has a setting '%s', which this library does not know", unknown[i][0],
                 unknown[i][1]);
        refuse(model, message);
    }
}

/* Other words for the same. */
static void settings_that_mean_the_same(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"Conv1", "strides", "2"},
        {"Conv1", "dilation_rate", NULL},
        {"Conv1", "groups", NULL},
        {"Conv1", "data_format", "null"},
        {"Conv1", "activation", NULL},
        {"Conv_1", "padding", "\"valid\""}, /* of a kernel of one tap */
        {"bn_Conv1", "epsilon", "0.0010000000474974513"},
        {"bn_Conv1", "epsilon", NULL},
        {"bn_Conv1", "axis", "[-1]"},
        {"bn_Conv1", "momentum", "0.5"},
        {"Conv1_relu", "max_value", "6"},
        {"Conv1_relu", "negative_slope", "null"},
        {"Conv1_relu", "threshold", NULL},
        {"dense", "kernel_regularizer", "{\"class_name\":\"L2\"}"},
        {"dense", "trainable", "false"},
        {"pool", "keepdims", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *model = keras_model(KERAS_3);
        keras_set(model, rows[i][0], rows[i][1], rows[i][2]);
        accept(model);
    }
    /* ReLU6 of old is an activation */
    json_t *model = keras_model(KERAS_2), *layer = keras_layer(model, "Conv1_relu");
    json_object_set_new(layer, "class_name", json_string("Activation"));
    keras_set(model, "Conv1_relu", "activation", "\"relu6\"");
    keras_set(model, "Conv1_relu", "max_value", NULL);
    keras_set(model, "Conv1_relu", "negative_slope", NULL);
    keras_set(model, "Conv1_relu", "threshold", NULL);
    accept(json_deep_copy(model));
    keras_set(model, "Conv1_relu", "activation", "\"relu\"");
    refuse(model, "layer 'Conv1_relu': activation is 'relu'; it must be 'relu6'");
}

/* Half precision rounds what Keras computes; the network is the same. */
static void policies_of_floats(void **state) {
    (void)state;
    static const char *const policies[] = {"\"float16\"", "\"mixed_float16\"", "\"mixed_bfloat16\"",
                                           "{\"config\":{\"name\":\"bfloat16\"}}", "\"float64\""};
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        json_t *model = keras_model(KERAS_3);
        keras_set(model, "Conv1", "dtype", policies[i]);
        keras_set(model, "dense", "dtype", policies[i]);
        accept(model);
    }
}

/* filters and units are those of the arrays. */
static void lengths_of_kernels(void **state) {
    (void)state;
    static const float zeros[3 * 3 * 3 * 16];
    for (int i = 0; i < 4; i++) {
        an_arrays *arrays = NULL;
        json_t *model = keras_model(KERAS_3);
        assert_int_equal(an_arrays_create(&arrays, NULL), AN_OK);
        const int64_t kernel[] = {3, 3, 3, i == 1 ? 16 : 8}, dense[] = {4, i == 3 ? 2 : 1};
        assert_int_equal(an_arrays_add(arrays, "Conv1/kernel", zeros, kernel, 4, NULL), AN_OK);
        assert_int_equal(an_arrays_add(arrays, "dense/kernel", zeros, dense, 2, NULL), AN_OK);
        if (i == 2) keras_set(model, "Conv1", "filters", NULL);
        if (i == 0) {
            accept_with(model, arrays);
            assert_int_equal(w.base[0], 0);
            assert_int_equal(w.base[1], -1);
        } else {
            refuse_with(model, arrays,
                        i == 1   ? "layer 'Conv1': filters is 8; it must be 16"
                        : i == 2 ? "layer 'Conv1': filters is missing; it must be 8"
                                 : "layer 'dense': units is 1; it must be 2");
        }
    }
}

/* --- layers ----------------------------------------------------------------------------------- */

/* One layer more, at each kind of place. */
static void layers_more(void **state) {
    (void)state;
    static const struct {
        const char *behind, *class_name, *settings, *follows, *has;
    } rows[] = {
        {"dense", "ReLU", "", "dense", "nothing"},
        {"dense", "Dense", ",\"units\":1", "dense", "nothing"},
        {"dense", "Rescaling", ",\"scale\":5", "dense", "nothing"},
        {"mobilenetv2_0.10_32", "BatchNormalization", "", "pool", "Dense"},
        {"mobilenetv2_0.10_32", "ReLU", "", "pool", "Dense"},
        {"mobilenetv2_0.10_32", "Activation", ",\"activation\":\"tanh\"", "pool", "Dense"},
        {"mobilenetv2_0.10_32", "LayerNormalization", "", "pool", "Dense"},
        {"mobilenetv2_0.10_32", "GlobalAveragePooling2D", "", "pool", "Dense"},
        {"Conv_1_relu", "ReLU", ",\"max_value\":1", "Conv_1_relu", "GlobalAveragePooling2D"},
        {"Conv_1_relu", "Conv2D", ",\"filters\":8,\"kernel_size\":1", "Conv_1_relu",
         "GlobalAveragePooling2D"},
        {"Conv_1_relu", "Flatten", "", "Conv_1_relu", "GlobalAveragePooling2D"},
        {"Conv_1_relu", "RandomFlip", "", "Conv_1_relu", "GlobalAveragePooling2D"},
        {"block_7_project_BN", "ReLU", ",\"max_value\":6", "block_7_project_BN", "Add"},
        {"block_6_project_BN", "Multiply", "", "block_6_project_BN", "Conv2D"},
        {"block_2_expand_relu", "ZeroPadding2D", "", "block_2_expand_relu", "DepthwiseConv2D"},
        {"in", "Resizing", ",\"height\":32,\"width\":32", "the input", "Conv2D"},
        {"in", "RandomCrop", ",\"height\":32,\"width\":32", "the input", "Conv2D"},
        {"in", "AutoContrast", "", "the input", "Conv2D"},
        {"in", "Lambda", "", "the input", "Conv2D"},
        {"in", "BatchNormalization", "", "the input", "Conv2D"},
        {"in", "My>Flip", "", "the input", "Conv2D"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char layer[256], message[256];
        snprintf(layer, sizeof layer, LAYER("%s", "x", "%s"), rows[i].class_name, rows[i].settings);
        snprintf(message, sizeof message,
                 "layer 'x' of class '%s' follows '%s', where MobileNetV2 has %s",
                 rows[i].class_name, rows[i].follows, rows[i].has);
        refuse(with(rows[i].behind, layer), message);
    }
    refuse(with("bn_Conv1", LAYER("Activation", "x", ",\"activation\":\"swish\"")),
           "layer 'x': activation is 'swish'; it must be 'relu6'");
    /* the same behind a flat model's layers */
    json_t *model = keras_model_flat(KERAS_2);
    keras_insert(model, "pool", LAYER("BatchNormalization", "x", ""));
    refuse(model,
           "layer 'x' of class 'BatchNormalization' follows 'pool', where MobileNetV2 has Dense");
}

static void layers_less(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"Conv1_relu", "layer 'expanded_conv_depthwise' of class 'DepthwiseConv2D' follows "
                       "'bn_Conv1', where MobileNetV2 has ReLU"},
        {"block_8_project_add", "layer 'block_9_expand' of class 'Conv2D' follows "
                                "'block_8_project_BN', where MobileNetV2 has Add"},
        {"block_8_depthwise_BN", "layer 'block_8_depthwise_relu' of class 'ReLU' follows "
                                 "'block_8_depthwise', where MobileNetV2 has BatchNormalization"},
        {"pool", "layer 'dense' of class 'Dense' follows 'Conv_1_relu', where MobileNetV2 has "
                 "GlobalAveragePooling2D"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *model = keras_model_flat(KERAS_3);
        keras_remove(model, rows[i][0]);
        refuse(model, rows[i][1]);
    }
    json_t *model = keras_model(KERAS_3);
    json_object_set_new(keras_layer(model, "pool"), "class_name",
                        json_string("GlobalMaxPooling2D"));
    refuse(model, "layer 'pool' of class 'GlobalMaxPooling2D' follows 'Conv_1_relu', where "
                  "MobileNetV2 has GlobalAveragePooling2D");
    refuse(json_pack("{s:{s:[]}}", "config", "layers"),
           "the layers end with 'the input', after which MobileNetV2 has Conv2D");
}

/* Residual sums, and all else, join the right layers. */
static void wiring(void **state) {
    (void)state;
    static const char *const rows[][4] = {
        {"block_4_project_add", "block_2_project_add", "block_4_project_BN",
         "layer 'block_4_project_add' takes 'block_2_project_add'; it must take "
         "'block_4_project_BN'"},
        {"block_4_project_add", "block_4_project_BN", "block_4_project_BN",
         "layer 'block_4_project_add' takes 'block_4_project_BN'; it must take "
         "'block_3_project_BN'"},
        {"block_4_project_add", "block_4_project_BN", NULL,
         "layer 'block_4_project_add': the number of inputs is 1; it must be 2"},
        {"block_5_expand", "block_4_project_BN", NULL,
         "layer 'block_5_expand' takes 'block_4_project_BN'; it must take 'block_4_project_add'"},
        {"block_5_expand", "block_4_project_add", "block_4_project_BN",
         "layer 'block_5_expand': the number of inputs is 2; it must be 1"},
        {"Conv_1_bn", "block_16_project_BN", NULL,
         "layer 'Conv_1_bn' takes 'block_16_project_BN'; it must take 'Conv_1'"},
        {"pool", "Conv_1_bn", NULL, "layer 'pool' takes 'Conv_1_bn'; it must take 'Conv_1_relu'"},
    };
    for (int generation = KERAS_2; generation <= KERAS_3; generation++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            json_t *model = keras_model(generation);
            keras_wire(model, rows[i][0], generation, rows[i][1], rows[i][2]);
            refuse(model, rows[i][3]);
        }
        /* the other way around it is the same sum */
        json_t *model = keras_model(generation);
        keras_wire(model, "block_4_project_add", generation, "block_4_project_BN",
                   "block_3_project_BN");
        accept(model);
    }
    json_t *model = keras_model_flat(KERAS_3);
    json_object_set_new(json_object_get(model, "config"), "output_layers",
                        json_pack("[sii]", "pool", 0, 0));
    refuse(model, "the output is that of 'pool'; it must be that of 'dense'");
    /* the dense layer beside the network's end */
    model = keras_model_flat(KERAS_3);
    keras_wire(model, "dense", KERAS_3, "Conv_1_relu", NULL);
    refuse(model, "layer 'dense' takes 'Conv_1_relu'; it must take 'pool'");
}

/* Batch norm by the batch, dropout that drops: another score each time. */
static void calls_with_training(void **state) {
    (void)state;
    json_t *model = keras_model_flat(KERAS_3), *nodes;
    keras_insert(model, "pool", LAYER("Dropout", "drop", ""));
    nodes = json_object_get(keras_layer(model, "drop"), "inbound_nodes");
    json_object_set_new(json_object_get(json_array_get(nodes, 0), "kwargs"), "training",
                        json_true());
    refuse(model, "layer 'drop' is called with training=True; it must be False or left out");
    model = keras_model_flat(KERAS_2);
    nodes = json_object_get(keras_layer(model, "bn_Conv1"), "inbound_nodes");
    json_object_set_new(json_array_get(json_array_get(json_array_get(nodes, 0), 0), 3), "training",
                        json_true());
    refuse(model, "layer 'bn_Conv1' is called with training=True; it must be False or left out");
}

/* --- before the network ----------------------------------------------------------------------- */

static void layers_that_change_nothing(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"in", LAYER("RandomFlip", "x", ",\"mode\":\"horizontal\",\"seed\":7")},
        {"in", LAYER("RandomRotation", "x", ",\"factor\":[-0.2,0.2]")},
        {"in", LAYER("RandomZoom", "x", "")},
        {"in", LAYER("RandomContrast", "x", "")},
        {"in", LAYER("RandomBrightness", "x", "")},
        {"in", LAYER("RandomTranslation", "x", "")},
        {"in", LAYER("GaussianNoise", "x", ",\"stddev\":0.1")},
        {"in", LAYER("Rescaling", "x", ",\"scale\":1.0,\"offset\":0.0")},
        {"in", "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"augment\",\"layers\":[" LAYER(
                   "RandomFlip", "x",
                   ",\"batch_input_shape\":[null,32,32,3]") "," LAYER("RandomZoom", "y", "") "]}}"},
        {"mobilenetv2_0.10_32", LAYER("Dropout", "x", ",\"rate\":0.5")},
        {"mobilenetv2_0.10_32", LAYER("Flatten", "x", "")},
        {"mobilenetv2_0.10_32", LAYER("Activation", "x", ",\"activation\":\"linear\"")},
        {"block_3_project_BN", LAYER("SpatialDropout2D", "x", ",\"rate\":0.5")},
        {"dense", LAYER("Identity", "x", "")}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        accept(with(rows[i][0], rows[i][1]));
        assert_int_equal(w.scale, AN_SCALE_AUTO);
    }
}

static void scaling_becomes_the_scale(void **state) {
    (void)state;
    static const struct {
        const char *layer;
        int32_t scale;
    } rows[] = {
        {LAYER("Rescaling", "x", ",\"scale\":0.00392156862745098,\"offset\":0.0"), AN_SCALE_UNIT},
        {LAYER("Rescaling", "x", ",\"scale\":0.003921568859368563"), AN_SCALE_UNIT}, /* float32 */
        {LAYER("Rescaling", "x", ",\"scale\":0.00784313725490196,\"offset\":-1"), AN_SCALE_TF},
        {LAYER("Rescaling", "x",
               ",\"scale\":[0.00784313725490196,0.00784313725490196,"
               "0.00784313725490196],\"offset\":[-1,-1,-1.0]"),
         AN_SCALE_TF},
        {LAYER("Rescaling", "x", ",\"scale\":3.9215686274509802"), AN_SCALE_ARTICLE},
        {LAYER("Normalization", "x", ",\"mean\":127.5,\"variance\":16256.25,\"axis\":null"),
         AN_SCALE_TF},
        {LAYER("Normalization", "x", ",\"mean\":[0,0,0],\"variance\":[65025,65025,65025]"),
         AN_SCALE_UNIT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        accept(in_front(rows[i].layer));
        assert_int_equal(w.scale, rows[i].scale);
        assert_string_equal(scale_layer, "x");
    }
    /* two of them, with an augmentation in between; whole numbers go in */
    json_t *model = in_front(LAYER("Rescaling", "x", ",\"scale\":0.00392156862745098"));
    keras_insert(model, "x", LAYER("RandomFlip", "flip", ""));
    keras_insert(model, "flip", LAYER("Rescaling", "y", ",\"scale\":2,\"offset\":-1"));
    keras_set(model, "in", "dtype", "\"uint8\"");
    accept(model);
    assert_int_equal(w.scale, AN_SCALE_TF);
    assert_string_equal(scale_layer, "y");
    /* the second scales what the first has subtracted */
    model = in_front(LAYER("Rescaling", "x", ",\"scale\":1.0,\"offset\":-127.5"));
    keras_insert(model, "x", LAYER("Rescaling", "y", ",\"scale\":0.00784313725490196"));
    accept(model);
    assert_int_equal(w.scale, AN_SCALE_TF);
    /* preprocess_input() as Keras 2 and 3 keep it */
    for (int generation = KERAS_2; generation <= KERAS_3; generation++) {
        model = keras_model_flat(generation);
        const bool is_old = generation == KERAS_2;
        keras_insert(model, "in",
                     is_old ? LAYER("TFOpLambda", "a", ",\"function\":\"math.truediv\"")
                            : LAYER("TrueDivide", "a", ""));
        keras_insert(model, "a",
                     is_old ? LAYER("TFOpLambda", "b", ",\"function\":\"math.subtract\"")
                            : LAYER("Subtract", "b", ""));
        const double numbers[] = {127.5, 1};
        for (int i = 0; i < 2; i++) {
            json_t *nodes = json_object_get(keras_layer(model, i ? "b" : "a"), "inbound_nodes");
            json_t *node = json_array_get(nodes, 0);
            if (is_old)
                json_object_set_new(json_array_get(json_array_get(node, 0), 3), "y",
                                    json_real(numbers[i]));
            else
                json_array_append_new(json_object_get(node, "args"), json_real(numbers[i]));
        }
        accept(model);
        assert_int_equal(w.scale, AN_SCALE_TF);
        assert_string_equal(scale_layer, "b");
    }
}

/* What adapt() has found lies in the arrays. */
static void statistics_of_a_normalization(void **state) {
    (void)state;
    static const float means[] = {127.5f, 127.5f, 127.5f}, one[] = {16256.25f};
    static const int64_t three = 3, four[] = {1, 1, 1, 1};
    for (int i = 0; i < 2; i++) {
        an_arrays *arrays = NULL;
        assert_int_equal(an_arrays_create(&arrays, NULL), AN_OK);
        assert_int_equal(an_arrays_add(arrays, "x/mean", means, &three, 1, NULL), AN_OK);
        if (i == 0)
            assert_int_equal(an_arrays_add(arrays, "x/variance", one, four, 4, NULL), AN_OK);
        json_t *model = in_front(LAYER("Normalization", "x", ",\"axis\":[-1],\"mean\":null"));
        if (i == 0) {
            accept_with(model, arrays);
            assert_int_equal(w.scale, AN_SCALE_TF);
        } else {
            refuse_with(model, arrays,
                        "layer 'x' (Normalization) has no variance of 1 or 3 values");
        }
    }
}

/* A scale of ours times a factor per channel: what is padded stays zero, so the factor goes into
 * the weights. */
static void factors_are_folded(void **state) {
    (void)state;
    static const struct {
        const char *layer;
        int32_t scale;
        double gain[3];
    } rows[] = {
        {LAYER("Rescaling", "x", ",\"scale\":0.00784313725490196"), AN_SCALE_UNIT, {2, 2, 2}},
        {LAYER("Rescaling", "x", ",\"scale\":0.0039215"),
         AN_SCALE_UNIT,
         {.9999825, .9999825, .9999825}},
        {LAYER("Rescaling", "x", ",\"scale\":[0.0392156862745098,-0.00392156862745098,0.001]"),
         AN_SCALE_UNIT,
         {10, -1, .255}},
        {LAYER("Normalization", "x", ",\"mean\":127.5,\"variance\":4064.0625"),
         AN_SCALE_TF,
         {2, 2, 2}},
        {LAYER("Normalization", "x", ",\"mean\":127.5,\"variance\":[16256.25,4064.0625,65025]"),
         AN_SCALE_TF,
         {1, 2, .5}},
        {LAYER("Normalization", "x",
               ",\"mean\":[123.675,116.28,103.53],\"variance\":[13639.9041,3262.6944,3291.890625]"),
         AN_SCALE_TORCH,
         {.5, 1, 1}},
        {LAYER("Rescaling", "x", ",\"scale\":-0.00784313725490196,\"offset\":1"),
         AN_SCALE_TF,
         {-1, -1, -1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        accept(in_front(rows[i].layer));
        assert_int_equal(w.scale, rows[i].scale);
        assert_string_equal(scale_layer, "x");
        for (int c = 0; c < 3; c++)
            assert_true(fabs(w.stem_gain[c] - rows[i].gain[c]) < 1e-12);
    }
    accept(in_front(LAYER("Rescaling", "x", ",\"scale\":0.00392156862745098,\"offset\":0.0")));
    assert_true(w.stem_gain[0] == 0);
}

static void scaling_that_is_none_of_ours(void **state) {
    (void)state;
#define THIS_LIBRARY                                                                               \
    "; supported are unit, tf, torch and article, and the first three times 1/20 to 20 (zero "     \
    "padding allows no other offset)"
    refuse(in_front(LAYER("Rescaling", "x", ",\"scale\":0.5")),
           "with layer 'x' (Rescaling) pixels x become x*0.5+0" THIS_LIBRARY);
    refuse(in_front(LAYER("Rescaling", "x", ",\"scale\":2,\"offset\":-1")),
           "with layer 'x' (Rescaling) pixels x become x*2-1" THIS_LIBRARY);
    refuse(in_front(LAYER("Rescaling", "x", ",\"scale\":0.00392156862745098,\"offset\":[0,0,0.1]")),
           "with layer 'x' (Rescaling) pixels x become x*0.00392157+0" THIS_LIBRARY);
    refuse(in_front(LAYER("Rescaling", "x", ",\"scale\":0.0001")),
           "with layer 'x' (Rescaling) pixels x become x*0.0001+0" THIS_LIBRARY);
    refuse(in_front(LAYER("Rescaling", "x", ",\"scale\":[0.01,0.01,0]")),
           "with layer 'x' (Rescaling) pixels x become x*0.01+0" THIS_LIBRARY);
    refuse(in_front(LAYER("Rescaling", "x", ",\"scale\":0.01,\"offset\":-1.274")),
           "with layer 'x' (Rescaling) pixels x become x*0.01-1.274" THIS_LIBRARY);
    refuse(in_front(LAYER("Rescaling", "x", ",\"scale\":0")),
           "with layer 'x' (Rescaling) pixels x become x*0+0" THIS_LIBRARY);
    refuse(in_front(LAYER("Rescaling", "x", ",\"scale\":0,\"offset\":-1")),
           "with layer 'x' (Rescaling) pixels x become x*0-1" THIS_LIBRARY);
    refuse(in_front(LAYER("Normalization", "x", ",\"mean\":[123.7,116.3,103.5],\"variance\":1")),
           "with layer 'x' (Normalization) pixels x become x*1-123.7" THIS_LIBRARY);
    refuse(in_front(LAYER("Normalization", "x", ",\"mean\":0,\"variance\":65025,\"invert\":true")),
           "layer 'x': invert is true; it must be false");
    refuse(in_front(LAYER("Normalization", "x", ",\"mean\":0,\"variance\":65025,\"axis\":1")),
           "layer 'x': axis is 1; it must be 3");
#undef THIS_LIBRARY
    json_t *model = keras_model(KERAS_3);
    keras_set(model, "in", "dtype", "\"uint8\"");
    refuse(model, "layer 'in': dtype is 'uint8'; it must be a type of floats, or a Rescaling must "
                  "follow");
}

static void sizes_of_inputs(void **state) {
    (void)state;
    json_t *model = keras_model(KERAS_3);
    json_t *base = keras_layer(model, "mobilenetv2_0.10_32");
    keras_set(model, "in", "batch_shape", "[null,96,64,3]");
    refuse(json_deep_copy(model), "layer 'in' has height 32; 'in' has 96");
    keras_set(base, "in", "batch_shape", "[null,null,null,3]");
    accept(json_deep_copy(model));
    assert_true(w.height == 96 && w.width == 64);
    keras_set(base, "in", "batch_shape", "[null,null,48,3]");
    refuse(json_deep_copy(model), "layer 'in' has width 48; 'in' has 64");
    keras_set(base, "in", "batch_shape", "[null,96,64,1]");
    refuse(json_deep_copy(model), "layer 'in': the number of channels is 1; it must be 3");
    keras_set(base, "in", "batch_shape", "[null,96,64,null]");
    keras_set(model, "in", "batch_shape", "[null,null,null,null]");
    accept(json_deep_copy(model));
    assert_true(w.height == 96 && w.width == 64);
    /* an image of one column is no image of a shape that says nothing */
    keras_set(model, "in", "batch_shape", "[null,3]");
    keras_set(base, "in", "batch_shape", "[null,null,null,3]");
    accept(model);
    assert_true(w.height == 0 && w.width == 0);
}

/* Without memory for the walk, nothing is read. */
static void without_memory(void **state) {
    (void)state;
    an_status st = AN_ERR_NOMEM;
    int64_t n = 0;
    for (; st == AN_ERR_NOMEM; n++) {
        json_t *model = keras_model(KERAS_3);
        char *text = json_dumps(model, JSON_COMPACT);
        json_decref(model);
        w = (ani_weights){.path = "w", .task = -1};
        assert_int_equal(an_arrays_create(&w.arrays, NULL), AN_OK);
        assert_int_equal(an_arrays_set_metadata(w.arrays, "model_config", text, NULL), AN_OK);
        free(text);
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        st = ani_facts_read(&w, &err);
        ani_fault_disarm();
        ani_weights_close(&w);
    }
    assert_int_equal(st, AN_OK);
    assert_int_equal(n, 6); /* config, layers, models, units, sources; and one run without */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_of_each_form),
        cmocka_unit_test(paddings),
        cmocka_unit_test(tasks),
        cmocka_unit_test(settings_that_differ),
        cmocka_unit_test(settings_that_mean_the_same),
        cmocka_unit_test(policies_of_floats),
        cmocka_unit_test(lengths_of_kernels),
        cmocka_unit_test(layers_more),
        cmocka_unit_test(layers_less),
        cmocka_unit_test(wiring),
        cmocka_unit_test(calls_with_training),
        cmocka_unit_test(layers_that_change_nothing),
        cmocka_unit_test(scaling_becomes_the_scale),
        cmocka_unit_test(statistics_of_a_normalization),
        cmocka_unit_test(factors_are_folded),
        cmocka_unit_test(scaling_that_is_none_of_ours),
        cmocka_unit_test(sizes_of_inputs),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests_name("keras_net", tests, NULL, NULL);
}
