/* SPDX-License-Identifier: MIT
 * Keras model configs: what is read from the JSON of each generation of Keras, and what is said of
 * texts that are none, or hold settings that no layer can have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/keras.h"

static an_error err;

static ani_keras_config *read_config(const char *json) {
    ani_keras_config *config = NULL;
    if (ani_keras_config_read(&config, json, &err)) fail_msg("%s", err.message);
    return config;
}

/* A Sequential of one layer of a class with these settings. */
static const char *one_layer(const char *class_name, const char *settings) {
    static char json[2048];
    snprintf(json, sizeof json,
             "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"net\",\"layers\":["
             "{\"class_name\":\"%s\",\"config\":{\"name\":\"l\"%s%s}}]}}",
             class_name, *settings ? "," : "", settings);
    return json;
}

/* The only layer of such a config; valid until the next call. */
static const ani_keras_layer *layer_of(const char *class_name, const char *settings) {
    static ani_keras_layer layer;
    ani_keras_config *config = read_config(one_layer(class_name, settings));
    assert_int_equal(config->count, 1);
    assert_int_equal(config->model_count, 1);
    layer = config->layers[0];
    ani_keras_config_free(config);
    return &layer;
}

static void refuse(const char *json, an_status status, const char *message) {
    ani_keras_config *config = (ani_keras_config *)&err;
    err = (an_error){0};
    const an_status st = ani_keras_config_read(&config, json, &err);
    assert_string_equal(err.message, message);
    assert_int_equal(st, status);
    assert_null(config);
}

static void refuse_layer(const char *class_name, const char *settings, const char *message) {
    refuse(one_layer(class_name, settings), AN_ERR_FORMAT, message);
}

/* --- what is read ----------------------------------------------------------------------------- */

static bool is_pair(const int32_t *found, int32_t first, int32_t second) {
    return found[0] == first && found[1] == second;
}

static bool is_four(const int32_t *found, int32_t a, int32_t b, int32_t c, int32_t d) {
    return is_pair(found, a, b) && is_pair(found + 2, c, d);
}

static void settings_of_layers(void **state) {
    (void)state;
    /* what is not there is Keras' default; what has none is missing */
    const ani_keras_layer *l = layer_of("Conv2D", "");
    assert_int_equal(l->kind, ANI_KERAS_CONV);
    assert_string_equal(l->padding, "valid");
    assert_string_equal(l->activation, "linear");
    assert_string_equal(l->data_format, "channels_last");
    assert_string_equal(l->dtype, "float32");
    assert_true(l->filters == -1 && is_pair(l->kernel_size, -1, -1) && l->use_bias == 1);
    assert_true(is_pair(l->strides, 1, 1) && is_pair(l->dilation_rate, 1, 1) && l->groups == 1);
    l = layer_of("Conv2D", "\"padding\":\"same\",\"filters\":24,\"kernel_size\":[3,5],"
                           "\"strides\":2,\"activation\":\"relu\",\"dilation_rate\":[2,3],"
                           "\"groups\":4,\"use_bias\":false,\"data_format\":\"channels_first\"");
    assert_string_equal(l->padding, "same");
    assert_true(l->filters == 24 && is_pair(l->kernel_size, 3, 5) && is_pair(l->strides, 2, 2));
    assert_true(is_pair(l->dilation_rate, 2, 3) && l->groups == 4 && l->use_bias == 0);
    assert_string_equal(l->activation, "relu");
    assert_string_equal(l->data_format, "channels_first");
    l = layer_of("DepthwiseConv2D", "\"strides\":[1,2],\"depth_multiplier\":3,\"padding\":null");
    assert_string_equal(l->padding, "valid");
    assert_true(is_pair(l->strides, 1, 2) && l->depth_multiplier == 3);

    assert_true(is_four(layer_of("ZeroPadding2D", "")->sides, 1, 1, 1, 1));
    assert_true(is_four(layer_of("ZeroPadding2D", "\"padding\":2")->sides, 2, 2, 2, 2));
    assert_true(is_four(layer_of("ZeroPadding2D", "\"padding\":[1,2]")->sides, 1, 1, 2, 2));
    assert_true(is_four(layer_of("ZeroPadding2D", "\"padding\":[[0,1],[2,3]]")->sides, 0, 1, 2, 3));

    l = layer_of("BatchNormalization", "");
    assert_true(l->epsilon == 1e-3 && l->axis == 3 && l->center == 1 && l->scale == 1);
    l = layer_of("BatchNormalizationV1",
                 "\"epsilon\":0.25,\"axis\":[1],\"center\":false,\"scale\":false");
    assert_int_equal(l->kind, ANI_KERAS_NORM);
    assert_true(l->epsilon == 0.25 && l->axis == 1 && l->center == 0 && l->scale == 0);
    assert_int_equal(layer_of("BatchNormalization", "\"axis\":-1")->axis, 3);
    assert_int_equal(layer_of("BatchNormalization", "\"axis\":[3]")->axis, 3);

    l = layer_of("Dense", "\"units\":5,\"activation\":\"softmax\",\"use_bias\":false");
    assert_true(l->units == 5 && l->use_bias == 0);
    assert_string_equal(l->activation, "softmax");
    assert_int_equal(layer_of("Dense", "")->units, -1);

    l = layer_of("ReLU", "\"max_value\":6.0,\"negative_slope\":0.5,\"threshold\":1");
    assert_true(l->max_value == 6 && l->negative_slope == 0.5 && l->threshold == 1);
    assert_true(layer_of("ReLU", "\"max_value\":null")->max_value == -1);
    l = layer_of("ReLU", "");
    assert_true(l->max_value == -1 && l->negative_slope == 0 && l->threshold == 0);
    assert_int_equal(layer_of("GlobalAveragePooling2D", "\"keepdims\":true")->keepdims, 1);

    l = layer_of("Rescaling", "\"scale\":0.5,\"offset\":[1,2,3]");
    assert_true(l->gain.count == 1 && l->gain.values[0] == 0.5);
    assert_true(l->offset.count == 3 && l->offset.values[2] == 3);
    l = layer_of("Normalization", "\"mean\":null,\"variance\":[[[[4,5,6]]]],\"axis\":[-1]");
    assert_true(l->mean.count == 0 && l->variance.count == 3 && l->variance.values[1] == 5);
}

/* NumPy's numbers, functions and number types may be objects. */
static void settings_that_are_objects(void **state) {
    (void)state;
    assert_true(layer_of("ReLU", "\"max_value\":{\"class_name\":\"__numpy__\",\"config\":{"
                                 "\"value\":6.0,\"dtype\":\"float64\"}}")
                    ->max_value == 6);
    assert_true(layer_of("ReLU", "\"threshold\":{\"type\":\"ndarray\",\"value\":2}")->threshold ==
                2);
    static const struct {
        const char *json, *name;
    } activations[] = {{"\"tanh\"", "tanh"},
                       {"null", "linear"},
                       {"{\"class_name\":\"X\"}", "X"},
                       {"{\"class_name\":\"function\",\"config\":\"relu6\"}", "relu6"}},
      policies[] = {
          {"\"float16\"", "float16"},
          {"null", "float32"},
          {"{\"class_name\":\"DTypePolicy\",\"config\":{\"name\":\"mixed_float16\"}}",
           "mixed_float16"},
          {"{\"class_name\":\"QuantizedDTypePolicy\",\"config\":{\"mode\":\"int8\",\"source_name\":"
           "\"float32\"}}",
           "int8"},
          {"{\"class_name\":\"Odd\",\"config\":{}}", "Odd"}};
    char text[256];
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
        snprintf(text, sizeof text, "\"activation\":%s", activations[i].json);
        assert_string_equal(layer_of("Dense", text)->activation, activations[i].name);
    }
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        snprintf(text, sizeof text, "\"dtype\":%s", policies[i].json);
        assert_string_equal(layer_of("Dense", text)->dtype, policies[i].name);
    }
    assert_true(ani_keras_is_float("mixed_bfloat16") && !ani_keras_is_float("float8"));
}

/* A setting of which nothing is known is noted, unless it says nothing. */
static void settings_that_are_not_known(void **state) {
    (void)state;
    assert_string_equal(layer_of("Dense", "\"lora_rank\":4,\"odd\":1")->unknown, "lora_rank");
    assert_string_equal(layer_of("Dense", "\"lora_rank\":null,\"odd\":false")->unknown, "");
    assert_string_equal(layer_of("Conv2D", "\"units\":3")->unknown, "units");
    assert_string_equal(
        layer_of("Conv2D", "\"trainable\":true,\"kernel_initializer\":{},\"bias_constraint\":3,"
                           "\"activity_regularizer\":1,\"dtype\":\"float32\"")
            ->unknown,
        "");
    assert_string_equal(
        layer_of("BatchNormalization", "\"momentum\":0.9,\"renorm_momentum\":0.99,\"fused\":true")
            ->unknown,
        "");
    assert_string_equal(layer_of("BatchNormalization", "\"renorm\":true")->unknown, "renorm");
    assert_string_equal(layer_of("RandomFlip", "\"mode\":\"horizontal\"")->unknown, "");
    char text[128];
    memset(text, 'k', sizeof text);
    text[0] = '"';
    strcpy(text + 100, "\":1");
    assert_string_equal(layer_of("Dense", text)->unknown, "(a long name)");
}

/* Nested models become one list; what is said of each is kept. */
static void names_and_nesting(void **state) {
    (void)state;
    /* the layer's name may stand beside its config; a Sequential of old is a bare list */
    ani_keras_config *c = read_config(
        "{\"class_name\":\"Sequential\",\"config\":["
        "{\"class_name\":\"InputLayer\",\"name\":\"in\",\"config\":{\"batch_shape\":[null,96,64,3]}"
        "},"
        "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"front\",\"layers\":["
        "{\"class_name\":\"RandomFlip\",\"config\":{\"name\":\"flip\"}}]}},"
        "{\"class_name\":\"Model\",\"config\":{\"name\":\"mobilenetv2_0.35_96\",\"layers\":["
        "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"x\",\"batch_input_shape\":[null,"
        "null,null,3]}},"
        "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"c\"}}]}},"
        "{\"class_name\":\"Dense\",\"config\":{\"name\":\"d\"}}]}");
    static const struct {
        const char *name;
        int32_t kind, model;
    } layers[] = {{"in", ANI_KERAS_INPUT, 0},
                  {"flip", ANI_KERAS_AUGMENT, 1},
                  {"x", ANI_KERAS_INPUT, 2},
                  {"c", ANI_KERAS_CONV, 2},
                  {"d", ANI_KERAS_DENSE, 0}};
    assert_int_equal(c->count, 5);
    for (int32_t i = 0; i < 5; i++) {
        assert_string_equal(c->layers[i].name, layers[i].name);
        assert_int_equal(c->layers[i].kind, layers[i].kind);
        assert_int_equal(c->layers[i].model, layers[i].model);
        assert_int_equal(c->layers[i].input_count, 1);
        assert_int_equal(c->layers[i].inputs[0], i - 1); /* a chain */
        assert_int_equal(ani_keras_config_find(c, layers[i].name), i);
    }
    assert_int_equal(ani_keras_config_find(c, "front"), -1);
    assert_true(c->layers[0].shape[0] == 96 && c->layers[0].shape[1] == 64);
    assert_true(c->layers[2].shape[0] == -1 && c->layers[2].shape[2] == 3);
    assert_int_equal(c->model_count, 3);
    assert_string_equal(c->models[0].name, "");
    assert_string_equal(c->models[1].name, "front");
    assert_true(c->models[0].parent == -1 && c->models[2].parent == 0);
    assert_true(c->models[0].output == 4 && c->models[1].output == 1 && c->models[2].output == 3);
    assert_int_equal(c->base, 2);
    assert_true(c->alpha == 0.35);
    ani_keras_config_free(c);
    ani_keras_config_free(NULL);
    /* a layer without any config has its name beside it */
    c = read_config("{\"config\":{\"layers\":[{\"class_name\":\"ReLU\",\"name\":\"bare\"}]}}");
    assert_string_equal(c->layers[0].name, "bare");
    ani_keras_config_free(c);
    c = read_config("{\"config\":{\"layers\":[]}}");
    assert_true(c->count == 0 && c->base == 0 && c->models[0].output == ANI_KERAS_MODEL_INPUT);
    ani_keras_config_free(c);
}

#define GRAPH(layers, output)                                                                      \
    "{\"class_name\":\"Functional\",\"config\":{\"name\":\"net\",\"layers\":["                     \
    "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"in\"},\"inbound_nodes\":[]}" layers     \
    "],\"output_layers\":" output "}}"
#define NODE(class_name, name, nodes)                                                              \
    ",{\"class_name\":\"" class_name "\",\"config\":{\"name\":\"" name                             \
    "\"},\"inbound_nodes\":[" nodes "]}"
#define TENSOR(name)                                                                               \
    "{\"class_name\":\"__keras_tensor__\",\"config\":{\"keras_history\":[\"" name "\",0,0]}}"
#define CALL3(args, keywords) "{\"args\":[" args "],\"kwargs\":{" keywords "}}"

/* Which layer takes which, as Keras 2 and 3 write it. */
static void graphs(void **state) {
    (void)state;
    static const char *const jsons[] = {
        /* of Keras 2 */
        GRAPH(NODE("ReLU", "a", "[[\"in\",0,0,{\"training\":false,\"mask\":null}]]")
                  NODE("ReLU", "b", "[[\"in\",0,0]]")
                      NODE("Add", "sum", "[[\"a\",0,0,{}],[\"b\",0,0,{}]]")
                          NODE("Dropout", "drop", "[[\"sum\",0,0,{\"training\":true}]]"),
              "[[\"drop\",0,0]]"),
        /* of Keras 3 */
        GRAPH(NODE("ReLU", "a", CALL3(TENSOR("in"), "\"training\":false,\"mask\":null"))
                  NODE("ReLU", "b", CALL3("", "\"inputs\":" TENSOR("in")))
                      NODE("Add", "sum", CALL3("[" TENSOR("a") "," TENSOR("b") "]", ""))
                          NODE("Dropout", "drop", CALL3(TENSOR("sum") ",true", "")),
              "[\"drop\",0,0]")};
    for (size_t i = 0; i < 2; i++) {
        ani_keras_config *c = read_config(jsons[i]);
        assert_int_equal(c->count, 5);
        assert_int_equal(c->layers[1].inputs[0], 0);
        assert_int_equal(c->layers[2].inputs[0], 0);
        assert_int_equal(c->layers[3].input_count, 2);
        assert_true(is_pair(c->layers[3].inputs, 1, 2));
        assert_int_equal(c->layers[4].inputs[0], 3);
        assert_true(c->layers[4].training == 1 && c->layers[3].training == 0);
        assert_int_equal(c->models[0].output, 4);
        ani_keras_config_free(c);
    }
    /* a model within one: its output is the layer's; training=True holds for all in it */
    ani_keras_config *c = read_config(
        GRAPH(",{\"class_name\":\"Sequential\",\"name\":\"inner\",\"inbound_nodes\":[[[\"in\",0,0,{"
              "\"training\":true}]]],\"config\":{\"name\":\"inner\",\"layers\":[{\"class_name\":"
              "\"ReLU\",\"config\":{\"name\":\"r\"}}]}}" NODE("Dense", "d", "[[\"inner\",1,0,{}]]"),
              "[\"d\",0,0]"));
    assert_int_equal(c->layers[1].inputs[0], 0);
    assert_int_equal(c->layers[1].training, 1);
    assert_int_equal(c->layers[2].inputs[0], 1);
    assert_int_equal(c->layers[2].training, 0);
    ani_keras_config_free(c);
    /* an operator with a number, of both */
    c = read_config(
        GRAPH(NODE("TrueDivide", "a",
                   CALL3(TENSOR("in") ",127.5",
                         "")) ",{\"class_name\":\"TFOpLambda\",\"config\":{\"name\":\"b\","
                              "\"function\":\"math.subtract\"},\"inbound_nodes\":[[\"a\",0,0,{"
                              "\"y\":1.0,\"name\":null}]]}",
              "[\"b\",0,0]"));
    assert_true(c->layers[1].kind == ANI_KERAS_OPERATOR && c->layers[1].sign == '/');
    assert_true(c->layers[1].number == 127.5);
    assert_true(c->layers[2].kind == ANI_KERAS_OPERATOR && c->layers[2].sign == '-');
    assert_true(c->layers[2].number == 1 && c->layers[2].inputs[0] == 1);
    ani_keras_config_free(c);
}

static void graphs_that_are_refused(void **state) {
    (void)state;
#define ONE(node) GRAPH(NODE("ReLU", "a", node), "[\"a\",0,0]")
    refuse(ONE("[[\"x\",0,0]]"), AN_ERR_FORMAT,
           "model config: layer 'a' takes 'x', which does not precede it");
    refuse(ONE("[[\"a\",0,0]]"), AN_ERR_FORMAT,
           "model config: layer 'a' takes 'a', which does not precede it");
    refuse(ONE("[[0]]"), AN_ERR_FORMAT,
           "model config: layer 'a' takes '?', which does not precede it");
    refuse(ONE("[[\"in\",0,0]],[[\"in\",0,0]]"), AN_ERR_UNSUPPORTED,
           "model config: layer 'a' is called 2 times; only once is supported");
    refuse(GRAPH(NODE("ReLU", "a", "[[\"in\",0,0]]") NODE("ReLU", "b", ""), "[\"a\",0,0]"),
           AN_ERR_UNSUPPORTED, "model config: layer 'b' is called 0 times; only once is supported");
    refuse(ONE("[[\"in\",0,0],[\"in\",0,0],[\"in\",0,0]]"), AN_ERR_UNSUPPORTED,
           "model config: layer 'a' takes over 2 inputs");
    refuse(
        ONE("[[\"in\",0,0,{\"odd\":2}]]"), AN_ERR_UNSUPPORTED,
        "model config: layer 'a' is called with an argument odd that this library does not know");
    refuse(ONE(CALL3(TENSOR("in") ",\"word\"", "")), AN_ERR_UNSUPPORTED,
           "model config: layer 'a' is called with an argument that this library does not know");
    refuse(ONE(CALL3("[{}]", "")), AN_ERR_UNSUPPORTED,
           "model config: layer 'a' is called with an argument that this library does not know");
    refuse(ONE(CALL3("[1,2]", "")), AN_ERR_UNSUPPORTED,
           "model config: layer 'a' takes a list that contains something other than layers");
    /* names count within their own model */
#define INNER(name, layers)                                                                        \
    ",{\"class_name\":\"Sequential\",\"name\":\"" name "\",\"inbound_nodes\":[[[\"in\",0,0]]],"    \
    "\"config\":{\"name\":\"" name "\",\"layers\":[" layers "]}}"
    refuse(GRAPH(INNER("s", "{\"class_name\":\"ReLU\",\"name\":\"r\"}")
                     NODE("ReLU", "a", "[[\"r\",0,0]]"),
                 "[\"a\",0,0]"),
           AN_ERR_FORMAT, "model config: layer 'a' takes 'r', which does not precede it");
    refuse(GRAPH(INNER("s",
                       "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"t\",\"layers\":[]}}")
                     NODE("ReLU", "a", "[[\"t\",0,0]]"),
                 "[\"a\",0,0]"),
           AN_ERR_FORMAT, "model config: layer 'a' takes 't', which does not precede it");
#undef INNER
    /* a number before the layer: 1 - x is not x - 1 */
    refuse(GRAPH(NODE("Subtract", "a", CALL3("1.0," TENSOR("in"), "")), "[\"a\",0,0]"),
           AN_ERR_UNSUPPORTED,
           "model config: layer 'a' is called with an argument that this library does not know");
    refuse(ONE(CALL3(TENSOR("in") ",2", "")), AN_ERR_UNSUPPORTED,
           "model config: layer 'a' of class 'ReLU' is called with a number");
    refuse(GRAPH(NODE("ReLU", "a", "[[\"in\",0,0]]"), "[[\"a\",0,0],[\"in\",0,0]]"),
           AN_ERR_UNSUPPORTED, "model config: 'net' has 2 outputs; only one is supported");
    refuse(GRAPH(NODE("ReLU", "a", "[[\"in\",0,0]]"), "{}"), AN_ERR_UNSUPPORTED,
           "model config: 'net' has 0 outputs; only one is supported");
    refuse(GRAPH(NODE("InputLayer", "a", "") NODE("ReLU", "b", "[[\"in\",0,0]]"), "[\"b\",0,0]"),
           AN_ERR_UNSUPPORTED, "model config: 'net' has more than one input");
    refuse(GRAPH(",{\"class_name\":\"Sequential\",\"name\":\"s\",\"inbound_nodes\":[[[\"in\",0,0],["
                 "\"in\",0,0]]],\"config\":{\"layers\":[]}}",
                 "[\"s\",0,0]"),
           AN_ERR_UNSUPPORTED, "model config: the model 's' takes 2 inputs; only one is supported");
#undef ONE
}

static void alpha_from_the_name(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double alpha;
    } cases[] = {
        {"mobilenetv2_1.00_224", 1},  {"mobilenetv2_0.35_None", 0.35}, {"mobilenetv2_1.40_", 1.4},
        {"mobilenetv2_1.00", -1},     {"mobilenetv2_x_224", -1},       {"mobilenetv2_0.00_224", -1},
        {"mobilenetv2_-1.0_224", -1}, {"mobilenetv3_1.00_224", -1},    {"model", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[256];
        snprintf(json, sizeof json, "{\"config\":{\"name\":\"%s\",\"layers\":[]}}", cases[i].name);
        ani_keras_config *c = read_config(json);
        if (c->alpha < cases[i].alpha || c->alpha > cases[i].alpha)
            fail_msg("alpha of '%s' is %g", cases[i].name, c->alpha);
        ani_keras_config_free(c);
    }
}

/* --- what is refused -------------------------------------------------------------------------- */

static void texts_that_are_no_config(void **state) {
    (void)state;
    ani_keras_config *config;
    assert_int_equal(ani_keras_config_read(&config, "{\"a\":", &err), AN_ERR_FORMAT);
    assert_null(config);
    assert_memory_equal(err.message, "the model config is not valid JSON: line 1: ", 37);
    static const char *const none[] = {"{}", "[]", "{\"config\":3}", "{\"config\":{\"layers\":{}}}",
                                       "{\"config\":{\"name\":\"x\"}}"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        refuse(none[i], AN_ERR_FORMAT, "the model config has no list of layers");
}

/* The work that a config asks for is bounded. */
static void configs_that_are_too_large(void **state) {
    (void)state;
    enum { LAYERS = 1024, DEPTH = 9 };
    char *many = malloc(LAYERS * 4 + 1024);
    for (int nested = 0; nested < 2; nested++) {
        char *at = many;
        at += sprintf(at, nested ? "{\"config\":{\"layers\":[{\"config\":{\"layers\":["
                                 : "{\"config\":{\"layers\":[");
        for (int i = 0; i < LAYERS; i++)
            at += sprintf(at, i ? ",{}" : "{}");
        sprintf(at, nested ? "]}}]}}" : "]}}");
        refuse(many, AN_ERR_UNSUPPORTED, "the model config has over 1024 layers");
    }
    char *at = many;
    for (int i = 0; i < DEPTH; i++)
        at += sprintf(at, "{\"config\":{\"layers\":[");
    for (int i = 0; i < DEPTH; i++)
        at += sprintf(at, "]}}");
    refuse(many, AN_ERR_UNSUPPORTED, "the model config nests models deeper than 8 levels");
    free(many);
    enum { LONG = (4 << 20) + 1 };
    char *spaces = calloc(1, LONG + 1);
    memset(spaces, ' ', LONG);
    refuse(spaces, AN_ERR_UNSUPPORTED,
           "the model config has 4194305 bytes; at most 4194304 are read");
    free(spaces);
}

static void names_that_are_refused(void **state) {
    (void)state;
    char json[1024], name[300];
    memset(name, 'n', sizeof name);
    refuse("{\"config\":{\"layers\":[{\"class_name\":3}]}}", AN_ERR_FORMAT,
           "model config: 'class_name' of layer '?' is not a string of at most 63 bytes");
    refuse("{\"config\":{\"layers\":[{\"config\":{\"name\":\"x\"}}]}}", AN_ERR_FORMAT,
           "model config: 'class_name' of layer '?' is not a string of at most 63 bytes");
    refuse("{\"config\":{\"layers\":[{\"class_name\":\"ReLU\"}]}}", AN_ERR_FORMAT,
           "model config: 'name' of layer 'ReLU' is not a string of at most 191 bytes");
    refuse("{\"config\":{\"name\":[],\"layers\":[]}}", AN_ERR_FORMAT,
           "model config: 'name' of layer 'the model' is not a string of at most 191 bytes");
    refuse("{\"config\":{\"layers\":[{\"class_name\":\"Model\",\"config\":{\"name\":1,"
           "\"layers\":[]}}]}}",
           AN_ERR_FORMAT,
           "model config: 'name' of layer 'the model' is not a string of at most 191 bytes");
    snprintf(json, sizeof json, "{\"config\":{\"name\":\"%.192s\",\"layers\":[]}}", name);
    refuse(json, AN_ERR_FORMAT,
           "model config: 'name' of layer 'the model' is not a string of at most 191 bytes");
    /* the head's layers are looked at as the base's are */
    refuse("{\"config\":{\"layers\":[{\"class_name\":\"Model\",\"config\":{\"layers\":[]}},"
           "{\"class_name\":\"ReLU\"}]}}",
           AN_ERR_FORMAT,
           "model config: 'name' of layer 'ReLU' is not a string of at most 191 bytes");
    refuse("{\"config\":{\"layers\":[{\"class_name\":\"Model\",\"config\":{\"layers\":[]}},"
           "{\"name\":\"no class\"}]}}",
           AN_ERR_FORMAT,
           "model config: 'class_name' of layer '?' is not a string of at most 63 bytes");
}

static void settings_that_are_refused(void **state) {
    (void)state;
#define INTEGER(field) "model config: '" field "' of layer 'l' is not an integer from 0 to 16777216"
#define NUMBER(field) "model config: '" field "' of layer 'l' is not a number"
    refuse_layer("Conv2D", "\"filters\":-1", INTEGER("filters"));
    refuse_layer("Conv2D", "\"filters\":16777217", INTEGER("filters"));
    refuse_layer("Conv2D", "\"filters\":2.5", INTEGER("filters"));
    refuse_layer("Conv2D", "\"filters\":2.5,\"kernel_size\":\"x\",\"strides\":[]",
                 INTEGER("filters"));
    refuse_layer("Conv2D", "\"kernel_size\":[3]", INTEGER("kernel_size"));
    refuse_layer("Conv2D", "\"kernel_size\":[3,null],\"strides\":1", INTEGER("kernel_size"));
    refuse_layer("DepthwiseConv2D", "\"strides\":[1,2,3]", INTEGER("strides"));
    refuse_layer("Conv2D", "\"padding\":1",
                 "model config: 'padding' of layer 'l' is not a string of at most 15 bytes");
    refuse_layer("Conv2D", "\"use_bias\":0",
                 "model config: 'use_bias' of layer 'l' is neither true nor false");
    refuse_layer("BatchNormalization", "\"axis\":[1,2]",
                 "model config: 'axis' of layer 'l' is not one integer from -4 to 3");
    refuse_layer("BatchNormalization", "\"axis\":4",
                 "model config: 'axis' of layer 'l' is not one integer from -4 to 3");
    refuse_layer("Rescaling", "\"scale\":[1,2]",
                 "model config: 'scale' of layer 'l' is neither one number nor three");
    refuse_layer("Normalization", "\"mean\":[1,2,\"x\"]", NUMBER("mean"));
    refuse_layer("Dense", "\"dtype\":{\"config\":{}}",
                 "model config: 'dtype' of layer 'l' is not a string of at most 39 bytes");
    refuse_layer("ZeroPadding2D", "\"padding\":\"same\"", INTEGER("padding"));
    refuse_layer("ZeroPadding2D", "\"padding\":[[0,-1],[0,1]]", INTEGER("padding"));
    refuse_layer("ZeroPadding2D", "\"padding\":[[0,1],[0,true]]", INTEGER("padding"));
    refuse_layer("ZeroPadding2D", "\"padding\":[1,2,3]", INTEGER("padding"));
    refuse_layer("BatchNormalization", "\"epsilon\":\"small\",\"momentum\":1", NUMBER("epsilon"));
    refuse_layer("Dense", "\"units\":\"one\"", INTEGER("units"));
    refuse_layer("ReLU", "\"max_value\":\"six\"", NUMBER("max_value"));
    refuse_layer("Dense", "\"activation\":\"an activation whose name is very long\"",
                 "model config: 'activation' of layer 'l' is not a string of at most 31 bytes");
    refuse_layer("InputLayer", "\"batch_shape\":[null,-5,96,3]",
                 "model config: 'batch_shape' of layer 'l' is not an integer from 0 to 16777216");
    refuse("{\"config\":{\"layers\":[{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"a\","
           "\"batch_shape\":[null,96,\"x\",3]}},{\"class_name\":\"M\",\"config\":[]}]}}",
           AN_ERR_FORMAT,
           "model config: 'batch_shape' of layer 'a' is not an integer from 0 to 16777216");
#undef INTEGER
#undef NUMBER
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_of_layers),
        cmocka_unit_test(settings_that_are_objects),
        cmocka_unit_test(settings_that_are_not_known),
        cmocka_unit_test(names_and_nesting),
        cmocka_unit_test(graphs),
        cmocka_unit_test(graphs_that_are_refused),
        cmocka_unit_test(alpha_from_the_name),
        cmocka_unit_test(texts_that_are_no_config),
        cmocka_unit_test(configs_that_are_too_large),
        cmocka_unit_test(names_that_are_refused),
        cmocka_unit_test(settings_that_are_refused),
    };
    return cmocka_run_group_tests_name("keras_config", tests, NULL, NULL);
}
