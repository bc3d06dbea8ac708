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
    assert_int_equal(config->base_count, 1);
    assert_int_equal(config->head_count, 0);
    layer = config->base[0];
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

static void settings_of_layers(void **state) {
    (void)state;
    const ani_keras_layer *l = layer_of("Conv2D", "");
    assert_int_equal(l->padding, ANI_KERAS_PAD_NONE);
    assert_true(l->filters == -1 && l->kernel_height == -1 && l->stride_width == -1);
    l = layer_of("Conv2D", "\"padding\":\"same\",\"filters\":24,\"kernel_size\":[3,5],"
                           "\"strides\":2,\"activation\":\"linear\"");
    assert_int_equal(l->padding, ANI_KERAS_PAD_SAME);
    assert_true(l->filters == 24 && l->kernel_height == 3 && l->kernel_width == 5);
    assert_true(l->stride_height == 2 && l->stride_width == 2);
    assert_string_equal(l->activation, "linear");
    l = layer_of("DepthwiseConv2D", "\"padding\":\"valid\",\"strides\":[1,2]");
    assert_int_equal(l->padding, ANI_KERAS_PAD_VALID);
    assert_true(l->stride_height == 1 && l->stride_width == 2);

    l = layer_of("ZeroPadding2D", "");
    assert_true(l->top == -1 && l->bottom == -1 && l->left == -1 && l->right == -1);
    l = layer_of("ZeroPadding2D", "\"padding\":1");
    assert_true(l->top == 1 && l->bottom == 1 && l->left == 1 && l->right == 1);
    l = layer_of("ZeroPadding2D", "\"padding\":[1,2]");
    assert_true(l->top == 1 && l->bottom == 1 && l->left == 2 && l->right == 2);
    l = layer_of("ZeroPadding2D", "\"padding\":[[0,1],[2,3]]");
    assert_true(l->top == 0 && l->bottom == 1 && l->left == 2 && l->right == 3);

    l = layer_of("BatchNormalization", "");
    assert_true(l->epsilon < 0 && l->momentum < 0);
    l = layer_of("BatchNormalizationV1", "\"epsilon\":0.25,\"momentum\":1");
    assert_true(l->epsilon == 0.25 && l->momentum == 1);

    l = layer_of("Dense", "\"units\":5,\"activation\":\"softmax\"");
    assert_int_equal(l->units, 5);
    assert_string_equal(l->activation, "softmax");
    assert_int_equal(layer_of("Dense", "")->units, -1);
    /* a custom activation is an object */
    assert_string_equal(layer_of("Dense", "\"activation\":{\"class_name\":\"X\"}")->activation, "");

    assert_true(layer_of("ReLU", "\"max_value\":6.0")->max_value == 6);
    assert_true(layer_of("ReLU", "\"max_value\":null")->max_value == -1);
    assert_true(layer_of("ReLU", "")->max_value == -1);
}

/* All of it at once, as the tutorial writes it. */
static void a_config_is_read(void **state) {
    (void)state;
    static const char json[] =
        "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"m\",\"layers\":["
        "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"i\",\"batch_shape\":[null,96,64,3]}}"
        ","
        "{\"class_name\":\"Functional\",\"config\":{\"name\":\"mobilenetv2_0.35_None\",\"layers\":["
        "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"j\",\"batch_input_shape\":[null,"
        "null,null,3]}},"
        "{\"class_name\":\"ZeroPadding2D\",\"config\":{\"name\":\"p\",\"padding\":[[0,1],[2,3]]}},"
        "{\"class_name\":\"ZeroPadding2D\",\"config\":{\"name\":\"q\",\"padding\":[4,5]}},"
        "{\"class_name\":\"DepthwiseConv2D\",\"config\":{\"name\":\"d\",\"padding\":\"valid\","
        "\"strides\":2,"
        "\"kernel_size\":[3,5]}},"
        "{\"class_name\":\"BatchNormalizationV1\",\"config\":{\"name\":\"b\",\"epsilon\":0.001}}]}}"
        ","
        "{\"class_name\":\"Dense\",\"config\":{\"name\":\"dense\",\"units\":7,\"activation\":"
        "\"softmax\"}}]}}";
    ani_keras_config *config;
    if (ani_keras_config_read(&config, json, &err)) fail_msg("%s", err.message);
    assert_int_equal(config->base_count, 5);
    assert_int_equal(config->head_count, 1);
    assert_string_equal(config->name, "m");
    assert_true(config->alpha == 0.35);
    assert_int_equal(config->height, 96);
    assert_int_equal(config->width, 64);
    assert_int_equal(config->channels, 3);
    const ani_keras_layer *p = ani_keras_config_find(config, "p");
    assert_true(p->top == 0 && p->bottom == 1 && p->left == 2 && p->right == 3);
    const ani_keras_layer *q = ani_keras_config_find(config, "q");
    assert_true(q->top == 4 && q->bottom == 4 && q->left == 5 && q->right == 5);
    const ani_keras_layer *d = ani_keras_config_find(config, "d");
    assert_int_equal(d->padding, ANI_KERAS_PAD_VALID);
    assert_true(d->kernel_height == 3 && d->kernel_width == 5 && d->stride_height == 2);
    assert_int_equal(d->filters, -1);
    const ani_keras_layer *b = ani_keras_config_find(config, "b");
    assert_true(b->epsilon == 0.001 && b->momentum == -1);
    assert_null(ani_keras_config_find(config, "dense"));
    assert_int_equal(config->head[0].units, 7);
    assert_string_equal(config->head[0].activation, "softmax");
    ani_keras_config_free(config);
}

static void names_and_nesting(void **state) {
    (void)state;
    /* the layer's name may stand beside its config; a Sequential of old is a bare list */
    ani_keras_config *c = read_config(
        "{\"class_name\":\"Sequential\",\"config\":["
        "{\"class_name\":\"InputLayer\",\"name\":\"in\",\"config\":{}},"
        "{\"class_name\":\"Model\",\"config\":{\"name\":\"mobilenetv2_0.35_96\",\"layers\":["
        "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"x\"}},"
        "{\"class_name\":\"ReLU\",\"config\":{\"name\":\"r\"}}]}},"
        "{\"class_name\":\"Dense\",\"config\":{\"name\":\"d\"}}]}");
    assert_int_equal(c->base_count, 2);
    assert_string_equal(c->base[0].name, "x");
    assert_int_equal(c->head_count, 1); /* inputs are left out */
    assert_string_equal(c->head[0].name, "d");
    assert_string_equal(c->name, "");
    assert_string_equal(c->base_name, "mobilenetv2_0.35_96");
    assert_true(c->alpha == 0.35);
    assert_true(c->height == -1 && c->width == -1 && c->channels == -1);
    assert_ptr_equal(ani_keras_config_find(c, "r"), &c->base[1]);
    assert_null(ani_keras_config_find(c, "d"));
    ani_keras_config_free(c);
    ani_keras_config_free(NULL);
    /* a layer without any config has its name beside it */
    c = read_config("{\"config\":{\"layers\":[{\"class_name\":\"ReLU\",\"name\":\"bare\"}]}}");
    assert_string_equal(c->base[0].name, "bare");
    ani_keras_config_free(c);
    c = read_config("{\"config\":{\"layers\":[]}}");
    assert_int_equal(c->base_count, 0);
    ani_keras_config_free(c);
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

static void sizes_of_inputs(void **state) {
    (void)state;
    static const struct {
        const char *top, *base; /* shapes of the two InputLayers */
        int32_t height, width, channels;
    } cases[] = {
        {"\"batch_input_shape\":[null,224,192,3]", "", 224, 192, 3},
        {"\"batch_shape\":[null,224,192,3]", "\"batch_shape\":[null,96,128,1]", 96, 128, 1},
        /* null leaves what the outer one says; another length and no list say nothing */
        {"\"batch_shape\":[null,224,192,3]", "\"batch_shape\":[null,null,null,3]", 224, 192, 3},
        {"\"batch_shape\":[null,224,192,3]", "\"batch_shape\":[null,96]", 224, 192, 3},
        {"\"batch_shape\":7", "\"batch_shape\":[null,96,null,3]", 96, -1, 3},
        {"\"a\":1", "\"a\":1", -1, -1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[1024];
        snprintf(json, sizeof json,
                 "{\"config\":{\"layers\":[{\"class_name\":\"InputLayer\",\"config\":{%s%s"
                 "\"name\":\"a\"}},{\"class_name\":\"Functional\",\"config\":{\"layers\":["
                 "{\"class_name\":\"InputLayer\",\"config\":{%s%s\"name\":\"b\"}}]}}]}}",
                 cases[i].top, *cases[i].top ? "," : "", cases[i].base, *cases[i].base ? "," : "");
        ani_keras_config *c = read_config(json);
        assert_int_equal(c->height, cases[i].height);
        assert_int_equal(c->width, cases[i].width);
        assert_int_equal(c->channels, cases[i].channels);
        ani_keras_config_free(c);
    }
}

/* --- what is refused -------------------------------------------------------------------------- */

static void texts_that_are_no_config(void **state) {
    (void)state;
    ani_keras_config *config;
    assert_int_equal(ani_keras_config_read(&config, "{\"a\":", &err), AN_ERR_FORMAT);
    assert_null(config);
    assert_memory_equal(err.message, "the model config is no JSON: line 1: ", 37);
    static const char *const none[] = {"{}", "[]", "{\"config\":3}", "{\"config\":{\"layers\":{}}}",
                                       "{\"config\":{\"name\":\"x\"}}"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        refuse(none[i], AN_ERR_FORMAT, "the model config has no list of layers");
}

static void nestings_that_are_refused(void **state) {
    (void)state;
#define MODEL(layers)                                                                              \
    "{\"class_name\":\"Model\",\"config\":{\"name\":\"m\",\"layers\":[" layers "]}}"
    refuse(MODEL(MODEL("") "," MODEL("")), AN_ERR_UNSUPPORTED,
           "the model config holds more than one nested model");
    refuse(MODEL(MODEL(MODEL(""))), AN_ERR_UNSUPPORTED,
           "the model config nests models deeper than one level");
    /* a list too long, outside and inside */
    enum { LAYERS = 4097 };
    char *many = malloc(LAYERS * 4 + 256);
    for (int nested = 0; nested < 2; nested++) {
        char *at = many;
        at += sprintf(at, nested ? "{\"config\":{\"layers\":[{\"config\":{\"layers\":["
                                 : "{\"config\":{\"layers\":[");
        for (int i = 0; i < LAYERS; i++)
            at += sprintf(at, i ? ",{}" : "{}");
        sprintf(at, nested ? "]}}]}}" : "]}}");
        refuse(many, AN_ERR_UNSUPPORTED, "the model config has over 4096 layers");
    }
    free(many);
#undef MODEL
}

static void names_that_are_refused(void **state) {
    (void)state;
    char json[1024], name[300];
    memset(name, 'n', sizeof name);
    refuse("{\"config\":{\"layers\":[{\"class_name\":3}]}}", AN_ERR_FORMAT,
           "model config: 'class_name' of layer '?' is no text of at most 63 bytes");
    refuse("{\"config\":{\"layers\":[{\"config\":{\"name\":\"x\"}}]}}", AN_ERR_FORMAT,
           "model config: 'class_name' of layer '?' is no text of at most 63 bytes");
    refuse("{\"config\":{\"layers\":[{\"class_name\":\"ReLU\"}]}}", AN_ERR_FORMAT,
           "model config: 'name' of layer 'ReLU' is no text of at most 191 bytes");
    refuse("{\"config\":{\"name\":[],\"layers\":[]}}", AN_ERR_FORMAT,
           "model config: 'name' of layer 'the model' is no text of at most 191 bytes");
    refuse("{\"config\":{\"layers\":[{\"class_name\":\"Model\",\"config\":{\"name\":1,"
           "\"layers\":[]}}]}}",
           AN_ERR_FORMAT,
           "model config: 'name' of layer 'the model' is no text of at most 191 bytes");
    snprintf(json, sizeof json, "{\"config\":{\"name\":\"%.192s\",\"layers\":[]}}", name);
    refuse(json, AN_ERR_FORMAT,
           "model config: 'name' of layer 'the model' is no text of at most 191 bytes");
    /* the head's layers are looked at as the base's are */
    refuse("{\"config\":{\"layers\":[{\"class_name\":\"Model\",\"config\":{\"layers\":[]}},"
           "{\"class_name\":\"ReLU\"}]}}",
           AN_ERR_FORMAT, "model config: 'name' of layer 'ReLU' is no text of at most 191 bytes");
    refuse("{\"config\":{\"layers\":[{\"class_name\":\"Model\",\"config\":{\"layers\":[]}},"
           "{\"name\":\"no class\"}]}}",
           AN_ERR_FORMAT, "model config: 'class_name' of layer '?' is no text of at most 63 bytes");
}

static void settings_that_are_refused(void **state) {
    (void)state;
#define INTEGER(field) "model config: '" field "' of layer 'l' is no integer from 0 to 16777216"
#define NUMBER(field) "model config: '" field "' of layer 'l' is no number"
#define PADDING "model config: layer 'l' has a padding other than 'same' and 'valid'"
    refuse_layer("Conv2D", "\"filters\":-1", INTEGER("filters"));
    refuse_layer("Conv2D", "\"filters\":16777217", INTEGER("filters"));
    refuse_layer("Conv2D", "\"filters\":2.5", INTEGER("filters"));
    refuse_layer("Conv2D", "\"filters\":2.5,\"kernel_size\":\"x\",\"strides\":[]",
                 INTEGER("filters"));
    refuse_layer("Conv2D", "\"kernel_size\":[3]", INTEGER("kernel_size"));
    refuse_layer("Conv2D", "\"kernel_size\":[3,null],\"strides\":1", INTEGER("kernel_size"));
    refuse_layer("DepthwiseConv2D", "\"strides\":[1,2,3]", INTEGER("strides"));
    refuse(one_layer("Conv2D", "\"padding\":\"causal\""), AN_ERR_UNSUPPORTED, PADDING);
    refuse(one_layer("Conv2D", "\"padding\":1"), AN_ERR_UNSUPPORTED, PADDING);
    refuse_layer("ZeroPadding2D", "\"padding\":\"same\"", INTEGER("padding"));
    refuse_layer("ZeroPadding2D", "\"padding\":[[0,-1],[0,1]]", INTEGER("padding"));
    refuse_layer("ZeroPadding2D", "\"padding\":[[0,1],[0,true]]", INTEGER("padding"));
    refuse_layer("ZeroPadding2D", "\"padding\":[1,2,3]", INTEGER("padding"));
    refuse_layer("BatchNormalization", "\"epsilon\":\"small\",\"momentum\":1", NUMBER("epsilon"));
    refuse_layer("BatchNormalization", "\"epsilon\":1,\"momentum\":null", NUMBER("momentum"));
    refuse_layer("Dense", "\"units\":\"one\"", INTEGER("units"));
    refuse_layer("ReLU", "\"max_value\":\"six\"", NUMBER("max_value"));
    refuse_layer("Dense", "\"activation\":\"an activation whose name is very long\"",
                 "model config: 'activation' of layer 'l' is no text of at most 31 bytes");
    refuse_layer("InputLayer", "\"batch_shape\":[null,-5,96,3]",
                 "model config: 'batch_shape' of layer 'input' is no integer from 0 to 16777216");
    refuse("{\"config\":{\"layers\":[{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"a\","
           "\"batch_shape\":[null,96,\"x\",3]}},{\"class_name\":\"M\",\"config\":[]}]}}",
           AN_ERR_FORMAT,
           "model config: 'batch_shape' of layer 'input' is no integer from 0 to 16777216");
#undef INTEGER
#undef NUMBER
#undef PADDING
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_of_layers),        cmocka_unit_test(a_config_is_read),
        cmocka_unit_test(names_and_nesting),         cmocka_unit_test(alpha_from_the_name),
        cmocka_unit_test(sizes_of_inputs),           cmocka_unit_test(texts_that_are_no_config),
        cmocka_unit_test(nestings_that_are_refused), cmocka_unit_test(names_that_are_refused),
        cmocka_unit_test(settings_that_are_refused),
    };
    return cmocka_run_group_tests_name("keras_config", tests, NULL, NULL);
}
