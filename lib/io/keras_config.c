/* SPDX-License-Identifier: MIT
 * Reads a Keras model_config: the JSON of Keras 2 and 3. The models in it become one list of
 * layers, each with its settings and input layers; tables say which class has which settings. */
#include "io/keras.h"

#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum {
    MAX_LAYERS = 1024,    /* of all models; a look-up walks over the preceding ones */
    MAX_DEPTH = 8,        /* nesting of models */
    MAX_SETTING = 1 << 24 /* pixels, filters, units */
};

/* --- tables ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int32_t kind;
} classes[] = {
    {"InputLayer", ANI_KERAS_INPUT},
    {"Conv2D", ANI_KERAS_CONV},
    {"DepthwiseConv2D", ANI_KERAS_DEPTHWISE},
    {"BatchNormalization", ANI_KERAS_NORM},
    {"BatchNormalizationV1", ANI_KERAS_NORM},
    {"BatchNormalizationV2", ANI_KERAS_NORM},
    {"ReLU", ANI_KERAS_RELU},
    {"Activation", ANI_KERAS_ACTIVATION},
    {"Add", ANI_KERAS_ADD},
    {"ZeroPadding2D", ANI_KERAS_PAD},
    {"GlobalAveragePooling2D", ANI_KERAS_POOL},
    {"Dense", ANI_KERAS_DENSE},
    {"Flatten", ANI_KERAS_FLATTEN},
    {"ActivityRegularization", ANI_KERAS_IDLE},
    {"AlphaDropout", ANI_KERAS_IDLE},
    {"Dropout", ANI_KERAS_IDLE},
    {"GaussianDropout", ANI_KERAS_IDLE},
    {"GaussianNoise", ANI_KERAS_IDLE},
    {"Identity", ANI_KERAS_IDLE},
    {"SpatialDropout2D", ANI_KERAS_IDLE},
    /* not RandomCrop, which resizes outside training, nor AutoContrast, which is always active */
    {"AugMix", ANI_KERAS_AUGMENT},
    {"CutMix", ANI_KERAS_AUGMENT},
    {"MixUp", ANI_KERAS_AUGMENT},
    {"RandAugment", ANI_KERAS_AUGMENT},
    {"RandomBrightness", ANI_KERAS_AUGMENT},
    {"RandomColorDegeneration", ANI_KERAS_AUGMENT},
    {"RandomColorJitter", ANI_KERAS_AUGMENT},
    {"RandomContrast", ANI_KERAS_AUGMENT},
    {"RandomElasticTransform", ANI_KERAS_AUGMENT},
    {"RandomErasing", ANI_KERAS_AUGMENT},
    {"RandomFlip", ANI_KERAS_AUGMENT},
    {"RandomGaussianBlur", ANI_KERAS_AUGMENT},
    {"RandomGrayscale", ANI_KERAS_AUGMENT},
    {"RandomHeight", ANI_KERAS_AUGMENT},
    {"RandomHue", ANI_KERAS_AUGMENT},
    {"RandomInvert", ANI_KERAS_AUGMENT},
    {"RandomPerspective", ANI_KERAS_AUGMENT},
    {"RandomPosterization", ANI_KERAS_AUGMENT},
    {"RandomRotation", ANI_KERAS_AUGMENT},
    {"RandomSaturation", ANI_KERAS_AUGMENT},
    {"RandomSharpness", ANI_KERAS_AUGMENT},
    {"RandomShear", ANI_KERAS_AUGMENT},
    {"RandomTranslation", ANI_KERAS_AUGMENT},
    {"RandomWidth", ANI_KERAS_AUGMENT},
    {"RandomZoom", ANI_KERAS_AUGMENT},
    {"Rescaling", ANI_KERAS_RESCALE},
    {"Normalization", ANI_KERAS_STANDARD},
};

/* Operators by their class in Keras 3, and by the function of a TFOpLambda in Keras 2. */
static const struct {
    const char *name, *function;
    char sign;
} operators[] = {{"TrueDivide", "math.truediv", '/'},
                 {"Divide", "math.divide", '/'},
                 {"Subtract", "math.subtract", '-'},
                 {"Multiply", "math.multiply", '*'},
                 {"Add", "math.add", '+'},
                 {"Add", "__operators__.add", '+'}};

typedef enum setting_type {
    IS_INT,     /* 0 to MAX_SETTING */
    IS_PAIR,    /* two of them, or one that stands for both */
    IS_SIDES,   /* n, [rows, columns] or [[top, bottom], [left, right]] */
    IS_AXIS,    /* of [N,H,W,C]: a number or a list of one; the last is 3 */
    IS_FLAG,    /* true, false */
    IS_NUMBER,  /* double; null is the default */
    IS_NUMBERS, /* ani_keras_numbers; not compared */
    IS_TEXT,
    IS_FUNCTION, /* a text, or an object with one */
    IS_POLICY    /* of number types */
} setting_type;

enum {
    CONVOLUTIONS = ANI_KERAS_CONV | ANI_KERAS_DEPTHWISE,
    ALL_COMPARED = CONVOLUTIONS | ANI_KERAS_NORM | ANI_KERAS_RELU | ANI_KERAS_ACTIVATION |
                   ANI_KERAS_ADD | ANI_KERAS_PAD | ANI_KERAS_POOL | ANI_KERAS_DENSE |
                   ANI_KERAS_FLATTEN | ANI_KERAS_RESCALE | ANI_KERAS_STANDARD
};

typedef struct setting {
    const char *key;
    int32_t kinds; /* classes that have it */
    setting_type type;
    size_t offset, size; /* in ani_keras_layer */
} setting;

#define FIELD(field) offsetof(ani_keras_layer, field), sizeof((ani_keras_layer *)0)->field
static const setting settings[] = {
    {"filters", ANI_KERAS_CONV, IS_INT, FIELD(filters)},
    {"units", ANI_KERAS_DENSE, IS_INT, FIELD(units)},
    {"kernel_size", CONVOLUTIONS, IS_PAIR, FIELD(kernel_size)},
    {"strides", CONVOLUTIONS, IS_PAIR, FIELD(strides)},
    {"padding", CONVOLUTIONS, IS_TEXT, FIELD(padding)},
    {"padding", ANI_KERAS_PAD, IS_SIDES, FIELD(sides)},
    {"dilation_rate", CONVOLUTIONS, IS_PAIR, FIELD(dilation_rate)},
    {"groups", CONVOLUTIONS, IS_INT, FIELD(groups)},
    {"depth_multiplier", ANI_KERAS_DEPTHWISE, IS_INT, FIELD(depth_multiplier)},
    {"use_bias", CONVOLUTIONS | ANI_KERAS_DENSE, IS_FLAG, FIELD(use_bias)},
    {"activation", CONVOLUTIONS | ANI_KERAS_DENSE | ANI_KERAS_ACTIVATION, IS_FUNCTION,
     FIELD(activation)},
    {"data_format", CONVOLUTIONS | ANI_KERAS_PAD | ANI_KERAS_POOL | ANI_KERAS_FLATTEN, IS_TEXT,
     FIELD(data_format)},
    {"axis", ANI_KERAS_NORM | ANI_KERAS_STANDARD, IS_AXIS, FIELD(axis)},
    {"epsilon", ANI_KERAS_NORM, IS_NUMBER, FIELD(epsilon)},
    {"center", ANI_KERAS_NORM, IS_FLAG, FIELD(center)},
    {"scale", ANI_KERAS_NORM, IS_FLAG, FIELD(scale)},
    {"max_value", ANI_KERAS_RELU, IS_NUMBER, FIELD(max_value)},
    {"negative_slope", ANI_KERAS_RELU, IS_NUMBER, FIELD(negative_slope)},
    {"threshold", ANI_KERAS_RELU, IS_NUMBER, FIELD(threshold)},
    {"keepdims", ANI_KERAS_POOL, IS_FLAG, FIELD(keepdims)},
    {"scale", ANI_KERAS_RESCALE, IS_NUMBERS, FIELD(gain)},
    {"offset", ANI_KERAS_RESCALE, IS_NUMBERS, FIELD(offset)},
    {"mean", ANI_KERAS_STANDARD, IS_NUMBERS, FIELD(mean)},
    {"variance", ANI_KERAS_STANDARD, IS_NUMBERS, FIELD(variance)},
    {"invert", ANI_KERAS_STANDARD, IS_FLAG, FIELD(invert)},
    {"dtype", ALL_COMPARED | ANI_KERAS_INPUT, IS_POLICY, FIELD(dtype)},
};
#undef FIELD
enum { SETTINGS = sizeof settings / sizeof *settings };

/* Settings that do not affect what a trained network computes. */
static const char *const idle_settings[] = {
    "name",     "trainable",       "batch_input_shape", "batch_shape",     "momentum",
    "fused",    "synchronized",    "renorm_clipping",   "renorm_momentum", "virtual_batch_size",
    "autocast", "shared_object_id"};
static const char *const idle_endings[] = {"_initializer", "_regularizer", "_constraint"};

/* Number types and policies with float weights. */
static const char *const float_policies[] = {
    "float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16", "float"};

void ani_keras_layer_init(ani_keras_layer *layer, int32_t kind) {
    *layer = (ani_keras_layer){.kind = kind,
                               .trainable = 1,
                               .shape = {-1, -1, -1},
                               .filters = ANI_KERAS_NONE,
                               .units = ANI_KERAS_NONE,
                               .kernel_size = {ANI_KERAS_NONE, ANI_KERAS_NONE},
                               .strides = {1, 1},
                               .dilation_rate = {1, 1},
                               .groups = 1,
                               .depth_multiplier = 1,
                               .use_bias = 1,
                               .sides = {1, 1, 1, 1},
                               .axis = 3,
                               .center = 1,
                               .scale = 1,
                               .epsilon = 1e-3,
                               .max_value = ANI_KERAS_NONE,
                               .padding = "valid",
                               .activation = "linear",
                               .data_format = "channels_last",
                               .dtype = "float32"};
}

const char *ani_keras_class(int32_t kind) {
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (classes[i].kind == kind) return classes[i].name;
    return "?";
}

static int32_t kind_of(const char *class_name) {
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (!strcmp(classes[i].name, class_name)) return classes[i].kind;
    return ANI_KERAS_OTHER;
}

bool ani_keras_is_class(const char *snake, size_t size, const char *class_name) {
    const char *const end = snake + size;
    for (;; snake++, class_name++) {
        while (snake < end && *snake == '_')
            snake++;
        if (snake == end || !*class_name) return snake == end && !*class_name;
        const char lower =
            *class_name >= 'A' && *class_name <= 'Z' ? (char)(*class_name + 32) : *class_name;
        if (*snake != lower) return false;
    }
}

int32_t ani_keras_kind_of(const char *snake, size_t size) {
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (ani_keras_is_class(snake, size, classes[i].name)) return classes[i].kind;
    return ANI_KERAS_OTHER;
}

bool ani_keras_is_float(const char *policy) {
    for (size_t i = 0; i < sizeof float_policies / sizeof *float_policies; i++)
        if (!strcmp(policy, float_policies[i])) return true;
    return false;
}

/* --- settings --------------------------------------------------------------------------------- */

static an_status read_text(char *out, size_t size, const json_t *json, const char *layer,
                           const char *field, an_error *err) {
    const char *text = json_string_value(json);
    if (!text || strlen(text) >= size)
        return ani_fail(err, AN_ERR_FORMAT,
                        "model config: '%s' of layer '%s' is not a string of at most %zu bytes",
                        field, layer, size - 1);
    strcpy(out, text);
    return AN_OK;
}

static an_status read_int(int32_t *out, const json_t *json, const char *layer, const char *field,
                          an_error *err) {
    if (!json_is_integer(json) || json_integer_value(json) < 0 ||
        json_integer_value(json) > MAX_SETTING)
        return ani_fail(err, AN_ERR_FORMAT,
                        "model config: '%s' of layer '%s' is not an integer from 0 to %d", field,
                        layer, MAX_SETTING);
    *out = (int32_t)json_integer_value(json);
    return AN_OK;
}

static an_status read_pair(int32_t out[2], const json_t *json, const char *layer, const char *field,
                           an_error *err) {
    const bool is_pair = json_is_array(json) && json_array_size(json) == 2;
    an_status st = read_int(&out[0], is_pair ? json_array_get(json, 0) : json, layer, field, err);
    if (st) return st;
    return read_int(&out[1], is_pair ? json_array_get(json, 1) : json, layer, field, err);
}

static an_status read_sides(int32_t out[4], const json_t *json, const char *layer,
                            const char *field, an_error *err) {
    const bool is_pair = json_is_array(json) && json_array_size(json) == 2;
    an_status st = read_pair(out, is_pair ? json_array_get(json, 0) : json, layer, field, err);
    if (st) return st;
    return read_pair(out + 2, is_pair ? json_array_get(json, 1) : json, layer, field, err);
}

static an_status read_axis(int32_t *out, const json_t *json, const char *layer, const char *field,
                           an_error *err) {
    if (json_is_array(json) && json_array_size(json) == 1) json = json_array_get(json, 0);
    const int64_t axis = json_integer_value(json);
    if (!json_is_integer(json) || axis < -4 || axis > 3)
        return ani_fail(err, AN_ERR_FORMAT,
                        "model config: '%s' of layer '%s' is not one integer from -4 to 3", field,
                        layer);
    *out = (int32_t)(axis < 0 ? axis + 4 : axis);
    return AN_OK;
}

static an_status read_flag(int32_t *out, const json_t *json, const char *layer, const char *field,
                           an_error *err) {
    if (!json_is_boolean(json))
        return ani_fail(err, AN_ERR_FORMAT,
                        "model config: '%s' of layer '%s' is neither true nor false", field, layer);
    *out = json_is_true(json);
    return AN_OK;
}

static an_status read_number(double *out, const json_t *json, const char *layer, const char *field,
                             an_error *err) {
    if (!json_is_number(json)) /* and therefore finite, as all JSON numbers are */
        return ani_fail(err, AN_ERR_FORMAT, "model config: '%s' of layer '%s' is not a number",
                        field, layer);
    *out = json_number_value(json);
    return AN_OK;
}

/* One number, or a list of one or three, nested in as many lists as a shape [1,1,1,3] needs. */
static an_status read_numbers(ani_keras_numbers *out, const json_t *json, const char *layer,
                              const char *field, an_error *err) {
    while (json_array_size(json) == 1)
        json = json_array_get(json, 0);
    const size_t count = json_is_array(json) ? json_array_size(json) : 1;
    if (count != 1 && count != 3)
        return ani_fail(err, AN_ERR_FORMAT,
                        "model config: '%s' of layer '%s' is neither one number nor three", field,
                        layer);
    out->count = (int32_t)count;
    for (size_t i = 0; i < count; i++) {
        an_status st = read_number(&out->values[i], count == 1 ? json : json_array_get(json, i),
                                   layer, field, err);
        if (st) return st;
    }
    return AN_OK;
}

/* An activation may also be an object that names a function or a class. */
static const json_t *name_of_function(const json_t *json) {
    const json_t *config = json_object_get(json, "config");
    if (!json_is_object(json)) return json;
    return json_is_string(config) ? config : json_object_get(json, "class_name");
}

/* A policy may also be an object: for floats it has a name, for quantised kernels a mode. */
static const json_t *name_of_policy(const json_t *json) {
    const json_t *config = json_object_get(json, "config");
    if (!json_is_object(json)) return json;
    const json_t *name = json_object_get(config, "name");
    if (!name) name = json_object_get(config, "mode");
    return name ? name : json_object_get(json, "class_name");
}

static an_status read_setting(ani_keras_layer *layer, const setting *row, const json_t *json,
                              an_error *err) {
    void *field = (char *)layer + row->offset;
    /* NumPy numbers are objects that wrap their value. */
    const json_t *value = json_object_get(json_object_get(json, "config"), "value");
    if (!value) value = json_object_get(json, "value");
    if (!value) value = json;
    switch (row->type) {
    case IS_INT:
        return read_int(field, value, layer->name, row->key, err);
    case IS_PAIR:
        return read_pair(field, value, layer->name, row->key, err);
    case IS_SIDES:
        return read_sides(field, value, layer->name, row->key, err);
    case IS_AXIS:
        return read_axis(field, value, layer->name, row->key, err);
    case IS_FLAG:
        return read_flag(field, value, layer->name, row->key, err);
    case IS_NUMBER:
        return read_number(field, value, layer->name, row->key, err);
    case IS_NUMBERS:
        return read_numbers(field, value, layer->name, row->key, err);
    case IS_FUNCTION:
        json = name_of_function(json);
        break;
    case IS_POLICY:
        json = name_of_policy(json);
        break;
    case IS_TEXT:
        break;
    }
    return read_text(field, row->size, json, layer->name, row->key, err);
}

static const setting *find_setting(int32_t kind, const char *key) {
    for (size_t i = 0; i < SETTINGS; i++)
        if (settings[i].kinds & kind && !strcmp(settings[i].key, key)) return &settings[i];
    return NULL;
}

static bool is_idle(const char *key) {
    for (size_t i = 0; i < sizeof idle_settings / sizeof *idle_settings; i++)
        if (!strcmp(key, idle_settings[i])) return true;
    for (size_t i = 0; i < sizeof idle_endings / sizeof *idle_endings; i++)
        if (ani_ends_with(key, idle_endings[i])) return true;
    return false;
}

static an_status read_settings(ani_keras_layer *layer, json_t *config, an_error *err) {
    const char *key;
    const json_t *value;
    json_object_foreach(config, key, value) {
        const setting *row = find_setting(layer->kind, key);
        if (json_is_null(value)) continue; /* Keras' default */
        an_status st = row ? read_setting(layer, row, value, err) : AN_OK;
        if (st) return st;
        if (!row && layer->kind & ALL_COMPARED && !json_is_false(value) && !is_idle(key) &&
            !layer->unknown[0])
            snprintf(layer->unknown, sizeof layer->unknown, "%s",
                     strlen(key) < sizeof layer->unknown ? key : "(a long name)");
    }
    return AN_OK;
}

/* [batch, height, width, channels]; null is -1. Lists of other lengths are ignored. */
static an_status read_shape(ani_keras_layer *layer, const json_t *config, an_error *err) {
    const json_t *shape = json_object_get(config, "batch_input_shape"); /* Keras 2 */
    if (!shape) shape = json_object_get(config, "batch_shape");         /* Keras 3 */
    if (!json_is_array(shape) || json_array_size(shape) != 4) return AN_OK;
    for (size_t axis = 0; axis < 3; axis++) {
        const json_t *length = json_array_get(shape, axis + 1);
        if (json_is_null(length)) continue;
        an_status st = read_int(&layer->shape[axis], length, layer->name, "batch_shape", err);
        if (st) return st;
    }
    return AN_OK;
}

/* --- comparing -------------------------------------------------------------------------------- */

static bool is_close(double value, double wanted) { /* float32 rounds stored values */
    return fabs(value - wanted) <= 1e-6 * fabs(wanted);
}

static bool is_same(const setting *row, const void *found, const void *wanted) {
    const int32_t *numbers = found, *others = wanted;
    switch (row->type) {
    case IS_INT:
    case IS_PAIR:
    case IS_SIDES:
    case IS_AXIS:
    case IS_FLAG:
        for (size_t i = 0; i < row->size / sizeof *numbers; i++)
            if (others[i] != ANI_KERAS_NONE && numbers[i] != others[i]) return false;
        return true;
    case IS_NUMBER: {
        double a, b;
        memcpy(&a, found, sizeof a);
        memcpy(&b, wanted, sizeof b);
        return is_close(a, b);
    }
    case IS_NUMBERS:
        return true;
    case IS_POLICY:
        return ani_keras_is_float(found);
    case IS_TEXT:
    case IS_FUNCTION:
        break;
    }
    return !*(const char *)wanted || !strcmp(found, wanted);
}

static void show(char out[64], const setting *row, const void *value) {
    const int32_t *n = value;
    double number;
    switch (row->type) {
    case IS_INT:
    case IS_AXIS:
        snprintf(out, 64, *n == ANI_KERAS_NONE ? "missing" : "%d", (int)*n);
        return;
    case IS_PAIR:
        snprintf(out, 64, *n == ANI_KERAS_NONE ? "missing" : "[%d,%d]", (int)n[0], (int)n[1]);
        return;
    case IS_SIDES:
        snprintf(out, 64, "[[%d,%d],[%d,%d]]", (int)n[0], (int)n[1], (int)n[2], (int)n[3]);
        return;
    case IS_FLAG:
        snprintf(out, 64, "%s", *n ? "true" : "false");
        return;
    case IS_NUMBER:
        memcpy(&number, value, sizeof number);
        if (number == ANI_KERAS_NONE)
            snprintf(out, 64, "missing");
        else
            snprintf(out, 64, "%.9g", number);
        return;
    default:
        snprintf(out, 64, "'%s'", (const char *)value);
    }
}

an_status ani_keras_layer_compare(const ani_keras_layer *layer, const ani_keras_layer *wanted,
                                  const char *file, an_error *err) {
    if (layer->training)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s': layer '%s' is called with training=True; it must be False or "
                        "left out",
                        file, layer->name);
    for (size_t i = 0; i < SETTINGS; i++) {
        const setting *row = &settings[i];
        const void *found = (const char *)layer + row->offset;
        const void *must = (const char *)wanted + row->offset;
        char text[64], other[64];
        if (!(row->kinds & layer->kind) || is_same(row, found, must)) continue;
        show(text, row, found);
        show(other, row, must);
        return ani_fail(err, AN_ERR_UNSUPPORTED, "model: '%s': layer '%s': %s is %s; it must be %s",
                        file, layer->name, row->key, text,
                        row->type == IS_POLICY ? "a type of floats" : other);
    }
    if (layer->unknown[0])
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s': layer '%s' has a setting '%s', which this library does not "
                        "know",
                        file, layer->name, layer->unknown);
    return AN_OK;
}

/* --- models ----------------------------------------------------------------------------------- */

void ani_keras_config_free(ani_keras_config *config) {
    if (!config) return;
    ani_free(config->layers);
    ani_free(config->models);
    ani_free(config);
}

int64_t ani_keras_config_find(const ani_keras_config *config, const char *name) {
    for (int64_t i = 0; i < config->count; i++)
        if (!strcmp(config->layers[i].name, name)) return i;
    return -1;
}

/* The layers of a model: "layers" in its config; early versions of Keras wrote a Sequential's
 * config as the list itself. NULL if json is not a model. */
static const json_t *layers_of(const json_t *json) {
    const json_t *config = json_object_get(json, "config");
    if (json_is_array(config)) return config;
    const json_t *layers = json_object_get(config, "layers");
    return json_is_array(layers) ? layers : NULL;
}

/* Count the layers that are not models, and the models. */
static an_status count_layers(const json_t *model, int depth, int64_t *layers, int64_t *models,
                              an_error *err) {
    size_t index;
    const json_t *json;
    if (depth > MAX_DEPTH)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "the model config nests models deeper than %d levels", MAX_DEPTH);
    ++*models;
    json_array_foreach(layers_of(model), index, json) {
        an_status st = AN_OK;
        if (layers_of(json))
            st = count_layers(json, depth + 1, layers, models, err);
        else
            ++*layers;
        if (st) return st;
        if (*layers + *models > MAX_LAYERS)
            return ani_fail(err, AN_ERR_UNSUPPORTED, "the model config has over %d layers",
                            MAX_LAYERS);
    }
    return AN_OK;
}

/* --- calls ------------------------------------------------------------------------------------ */

/* How a layer is called: its entry in inbound_nodes. */
typedef struct call {
    int32_t inputs[ANI_KERAS_MAX_INPUTS];
    int32_t input_count;
    int32_t training;
    double number; /* after the first input */
    bool has_number;
} call;

/* The position of a call, for look-ups and messages. */
typedef struct place {
    const ani_keras_config *config;
    int32_t model;
    const char *layer;
} place;

static an_status add_input(call *out, const place *at, const char *name, an_error *err) {
    const ani_keras_config *config = at->config;
    if (out->input_count == ANI_KERAS_MAX_INPUTS)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "model config: layer '%s' takes over %d inputs",
                        at->layer, ANI_KERAS_MAX_INPUTS);
    int32_t *input = &out->inputs[out->input_count++];
    for (int64_t i = config->count; name && i-- > 0;) {
        const ani_keras_layer *layer = &config->layers[i];
        if (layer->model != at->model || strcmp(layer->name, name) != 0) continue;
        *input = (int32_t)i;
        return AN_OK;
    }
    for (int64_t i = 0; name && i < config->model_count; i++) {
        const ani_keras_model *model = &config->models[i];
        if (model->parent != at->model || strcmp(model->name, name) != 0) continue;
        *input = model->output;
        return AN_OK;
    }
    return ani_fail(err, AN_ERR_FORMAT,
                    "model config: layer '%s' takes '%s', which does not precede it", at->layer,
                    name ? name : "?");
}

static an_status read_argument(call *out, const place *at, const char *key, const json_t *json,
                               an_error *err) {
    const json_t *history = json_object_get(json_object_get(json, "config"), "keras_history");
    size_t index;
    const json_t *item;
    if (json_is_null(json) || json_is_false(json)) return AN_OK;
    if (history) return add_input(out, at, json_string_value(json_array_get(history, 0)), err);
    if (json_is_string(json_array_get(json, 0))) /* Keras 2: [NAME, node, tensor] */
        return add_input(out, at, json_string_value(json_array_get(json, 0)), err);
    if (!key && json_is_array(json)) {
        json_array_foreach(json, index, item) {
            an_status st = json_is_object(item)
                               ? read_argument(out, at, "", item, err)
                               : ani_fail(err, AN_ERR_UNSUPPORTED,
                                          "model config: layer '%s' takes a list that contains "
                                          "something other than layers",
                                          at->layer);
            if (st) return st;
        }
        return AN_OK;
    }
    if (json_is_true(json) && (!key || !strcmp(key, "training"))) {
        out->training = 1;
        return AN_OK;
    }
    if (json_is_number(json) && (!key || !strcmp(key, "y")) && out->input_count == 1 &&
        !out->has_number) {
        out->number = json_number_value(json);
        out->has_number = true;
        return AN_OK;
    }
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "model config: layer '%s' is called with an argument%s%s that this library "
                    "does not know",
                    at->layer, key && *key ? " " : "", key ? key : "");
}

static an_status read_keywords(call *out, const place *at, json_t *keywords, an_error *err) {
    const char *key;
    const json_t *value;
    json_object_foreach(keywords, key, value) {
        an_status st = read_argument(out, at, key, value, err);
        if (st) return st;
    }
    return AN_OK;
}

static an_status read_call(call *out, const place *at, const json_t *layer, an_error *err) {
    const json_t *nodes = json_object_get(layer, "inbound_nodes");
    if (json_array_size(nodes) != 1)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model config: layer '%s' is called %zu times; only once is supported",
                        at->layer, json_array_size(nodes));
    const json_t *node = json_array_get(nodes, 0), *item;
    size_t index;
    if (json_is_object(node)) { /* Keras 3 */
        json_array_foreach(json_object_get(node, "args"), index, item) {
            an_status st = read_argument(out, at, NULL, item, err);
            if (st) return st;
        }
        return read_keywords(out, at, json_object_get(node, "kwargs"), err);
    }
    /* Keras 2: [[NAME, node, tensor, {KEYWORDS}], ...], or the single inner list */
    const bool is_single = json_is_string(json_array_get(node, 0));
    for (index = 0; index < (is_single ? 1 : json_array_size(node)); index++) {
        item = is_single ? node : json_array_get(node, index);
        an_status st = add_input(out, at, json_string_value(json_array_get(item, 0)), err);
        if (!st) st = read_keywords(out, at, json_array_get(item, 3), err);
        if (st) return st;
    }
    return AN_OK;
}

/* --- layers ----------------------------------------------------------------------------------- */

/* x / 127.5 and the like: a separate class in Keras 3, a TFOpLambda in Keras 2. */
static void read_operator(ani_keras_layer *layer, const json_t *config, const call *how) {
    const char *function = json_string_value(json_object_get(config, "function"));
    if (!how->has_number || how->input_count != 1) return;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (strcmp(layer->class_name, operators[i].name) != 0 &&
            (strcmp(layer->class_name, "TFOpLambda") != 0 || !function ||
             strcmp(function, operators[i].function) != 0))
            continue;
        layer->kind = ANI_KERAS_OPERATOR;
        layer->sign = operators[i].sign;
        layer->number = how->number;
        return;
    }
}

static an_status read_name(char *out, size_t size, const json_t *json, const char *class_name,
                           an_error *err) {
    const json_t *name = json_object_get(json_object_get(json, "config"), "name");
    if (!name) name = json_object_get(json, "name");
    return read_text(out, size, name, class_name, "name", err);
}

static an_status read_layer(ani_keras_layer *layer, const json_t *json, const call *how,
                            an_error *err) {
    json_t *config = json_object_get(json, "config");
    const json_t *class_name = json_object_get(json, "class_name");
    char text[sizeof layer->class_name];
    an_status st = read_text(text, sizeof text, class_name, "?", "class_name", err);
    if (st) return st;
    ani_keras_layer_init(layer, kind_of(text));
    strcpy(layer->class_name, text);
    st = read_name(layer->name, sizeof layer->name, json, text, err);
    if (st) return st;
    read_operator(layer, config, how);
    if (how->has_number && layer->kind != ANI_KERAS_OPERATOR)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model config: layer '%s' of class '%s' is called with a number",
                        layer->name, layer->class_name);
    memcpy(layer->inputs, how->inputs, sizeof layer->inputs);
    layer->input_count = how->input_count;
    layer->training = how->training;
    layer->trainable = !json_is_false(json_object_get(config, "trainable"));
    st = read_settings(layer, config, err);
    return st ? st : read_shape(layer, config, err);
}

/* Where a model takes its output from: [NAME, node, tensor], or a list of one of these. */
static an_status read_output(int32_t *output, const place *at, const json_t *model, an_error *err) {
    const json_t *outputs = json_object_get(json_object_get(model, "config"), "output_layers");
    const json_t *first = json_array_get(outputs, 0);
    const char *name = json_string_value(json_is_array(first) ? json_array_get(first, 0) : first);
    if (!name || (json_is_array(first) && json_array_size(outputs) != 1))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model config: '%s' has %zu outputs; only one is supported", at->layer,
                        json_is_array(first) ? json_array_size(outputs) : 0);
    call out = {.input_count = 0};
    an_status st = add_input(&out, at, name, err);
    *output = out.inputs[0];
    return st;
}

/* A graph says which layer feeds which; any other model is a chain. */
static bool is_graph(const json_t *layers) {
    size_t index;
    const json_t *json;
    json_array_foreach(layers, index, json) {
        if (json_array_size(json_object_get(json, "inbound_nodes"))) return true;
    }
    return false;
}

/* Append the layers of a model, and of the models in it. input: what the model is called with. The
 * number of layers and the depth have been checked. */
static an_status read_model(ani_keras_config *config, const json_t *model, int32_t parent,
                            int32_t input, int32_t training, an_error *err) {
    const json_t *layers = layers_of(model), *json;
    const bool has_graph = is_graph(layers);
    const char *class_name = json_string_value(json_object_get(model, "class_name"));
    const place at = {config, (int32_t)config->model_count,
                      config->models[config->model_count].name};
    ani_keras_model *here = &config->models[config->model_count++];
    int32_t last = input, inputs = 0;
    size_t index;
    an_status st = AN_OK;
    here->parent = parent;
    here->output = ANI_KERAS_MODEL_INPUT;
    snprintf(here->class_name, sizeof here->class_name, "%.60s", class_name ? class_name : "");
    const json_t *config_name = json_object_get(json_object_get(model, "config"), "name");
    if (config_name || json_object_get(model, "name"))
        st = read_name(here->name, sizeof here->name, model, "the model", err);
    if (st) return st;
    json_array_foreach(layers, index, json) {
        const char *class_text = json_string_value(json_object_get(json, "class_name"));
        const bool is_input = class_text && !strcmp(class_text, "InputLayer");
        char name[sizeof here->name] = "";
        call how = {.inputs = {has_graph ? input : last}, .input_count = 1};
        if (is_input && ++inputs > 1 && has_graph)
            return ani_fail(err, AN_ERR_UNSUPPORTED, "model config: '%s' has more than one input",
                            here->name);
        if (has_graph && !is_input) {
            how = (call){.input_count = 0};
            st = read_name(name, sizeof name, json, class_text ? class_text : "?", err);
            if (!st) st = read_call(&how, &(place){config, at.model, name}, json, err);
            if (st) return st;
        }
        how.training |= training;
        if (!layers_of(json)) {
            ani_keras_layer *layer = &config->layers[config->count];
            st = read_layer(layer, json, &how, err);
            layer->model = at.model;
            last = (int32_t)config->count++;
        } else if (how.input_count != 1 || how.has_number) {
            st = ani_fail(err, AN_ERR_UNSUPPORTED,
                          "model config: the model '%s' takes %d inputs; only one is supported",
                          name, (int)how.input_count);
        } else {
            const int64_t inner = config->model_count;
            st = read_model(config, json, at.model, how.inputs[0], how.training, err);
            last = config->models[inner].output;
        }
        if (st) return st;
    }
    here->output = last;
    return has_graph ? read_output(&here->output, &at, model, err) : AN_OK;
}

/* Keras names the network "mobilenetv2_1.00_224", the middle being alpha with two digits. */
static double alpha_from_name(const char *name) {
    static const char prefix[] = "mobilenetv2_";
    const char *end;
    double alpha;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0 ||
        !ani_parse_double(name + sizeof prefix - 1, &end, &alpha, NULL) || *end != '_' ||
        alpha <= 0)
        return -1;
    return alpha;
}

/* The model that contains the first convolution; if there is none, the first model in the outermost
 * one. */
static int64_t find_base(const ani_keras_config *config) {
    for (int64_t i = 0; i < config->count; i++)
        if (config->layers[i].kind & CONVOLUTIONS) return config->layers[i].model;
    return config->model_count > 1 ? 1 : 0;
}

an_status ani_keras_config_read(ani_keras_config **out, const char *json, an_error *err) {
    an_status st;
    json_error_t why;
    int64_t layers = 0, models = 0;
    const size_t size = strlen(json);
    *out = NULL;
    if (size > ANI_KERAS_MAX_CONFIG)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "the model config has %zu bytes; at most %d are read", size,
                        ANI_KERAS_MAX_CONFIG);
    json_t *model = json_loads(json, 0, &why);
    ani_keras_config *config = ani_alloc_zero(1, sizeof *config);
    if (!config) {
        st = ani_fail_memory(err, sizeof *config, "a model config");
        goto done;
    }
    if (!model) {
        st = ani_fail(err, AN_ERR_FORMAT, "the model config is not valid JSON: line %d: %s",
                      why.line, why.text);
        goto done;
    }
    if (!layers_of(model)) {
        st = ani_fail(err, AN_ERR_FORMAT, "the model config has no list of layers");
        goto done;
    }
    st = count_layers(model, 1, &layers, &models, err);
    if (st) goto done;
    config->layers = ani_alloc_zero(layers, sizeof *config->layers);
    config->models = ani_alloc_zero(models, sizeof *config->models);
    if (!config->layers || !config->models) {
        st = ani_fail_memory(err, layers * (int64_t)sizeof *config->layers, "layers");
        goto done;
    }
    st = read_model(config, model, -1, ANI_KERAS_MODEL_INPUT, 0, err);
    if (st) goto done;
    config->base = find_base(config);
    config->alpha = alpha_from_name(config->models[config->base].name);
    *out = config;
    config = NULL;
done:
    ani_keras_config_free(config);
    json_decref(model);
    return st;
}
