/* SPDX-License-Identifier: MIT
 * Reading of a Keras model_config: JSON of Keras 2 and 3, in which only what describes the layers
 * is looked at. */
#include "io/keras.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum {
    MAX_LAYERS = 4096,
    MAX_SETTING = 1 << 24 /* pixels, filters, units */
};

void ani_keras_config_free(ani_keras_config *config) {
    if (!config) return;
    ani_free(config->base);
    ani_free(config->head);
    ani_free(config);
}

const ani_keras_layer *ani_keras_config_find(const ani_keras_config *config, const char *name) {
    for (int64_t i = 0; i < config->base_count; i++)
        if (!strcmp(config->base[i].name, name)) return &config->base[i];
    return NULL;
}

/* The layers of a model: "layers" in its config; the first Keras wrote a Sequential's config as the
 * list itself. NULL if json is no model. */
static const json_t *layers_of(const json_t *json) {
    const json_t *config = json_object_get(json, "config");
    if (json_is_array(config)) return config;
    const json_t *layers = json_object_get(config, "layers");
    return json_is_array(layers) ? layers : NULL;
}

static an_status read_text(char *out, size_t size, const json_t *json, const char *layer,
                           const char *field, an_error *err) {
    const char *text = json_string_value(json);
    if (!text || strlen(text) >= size)
        return ani_fail(err, AN_ERR_FORMAT,
                        "model config: '%s' of layer '%s' is no text of at most %zu bytes", field,
                        layer, size - 1);
    strcpy(out, text);
    return AN_OK;
}

static an_status read_int(int32_t *out, const json_t *json, const char *layer, const char *field,
                          an_error *err) {
    if (!json_is_integer(json) || json_integer_value(json) < 0 ||
        json_integer_value(json) > MAX_SETTING)
        return ani_fail(err, AN_ERR_FORMAT,
                        "model config: '%s' of layer '%s' is no integer from 0 to %d", field, layer,
                        MAX_SETTING);
    *out = (int32_t)json_integer_value(json);
    return AN_OK;
}

/* A pair, or one number that stands for both. */
static an_status read_pair(int32_t *first, int32_t *second, const json_t *json, const char *layer,
                           const char *field, an_error *err) {
    const bool is_pair = json_is_array(json) && json_array_size(json) == 2;
    an_status st = read_int(first, is_pair ? json_array_get(json, 0) : json, layer, field, err);
    if (st) return st;
    return read_int(second, is_pair ? json_array_get(json, 1) : json, layer, field, err);
}

static an_status read_number(double *out, const json_t *json, const char *layer, const char *field,
                             an_error *err) {
    if (!json_is_number(json)) /* and so finite: JSON has no other */
        return ani_fail(err, AN_ERR_FORMAT, "model config: '%s' of layer '%s' is no number", field,
                        layer);
    *out = json_number_value(json);
    return AN_OK;
}

/* ZeroPadding2D: n, [rows, columns] or [[top, bottom], [left, right]]. */
static an_status read_zero_padding(ani_keras_layer *layer, const json_t *json, an_error *err) {
    const bool is_pair = json_is_array(json) && json_array_size(json) == 2;
    const json_t *rows = is_pair ? json_array_get(json, 0) : json;
    const json_t *columns = is_pair ? json_array_get(json, 1) : json;
    an_status st = read_pair(&layer->top, &layer->bottom, rows, layer->name, "padding", err);
    if (st) return st;
    return read_pair(&layer->left, &layer->right, columns, layer->name, "padding", err);
}

static an_status read_convolution(ani_keras_layer *layer, const json_t *config, an_error *err) {
    const json_t *padding = json_object_get(config, "padding");
    const json_t *filters = json_object_get(config, "filters");
    const json_t *kernel = json_object_get(config, "kernel_size");
    const json_t *strides = json_object_get(config, "strides");
    an_status st = AN_OK;
    if (padding) {
        const char *text = json_string_value(padding);
        if (text && !strcmp(text, "same"))
            layer->padding = ANI_KERAS_PAD_SAME;
        else if (text && !strcmp(text, "valid"))
            layer->padding = ANI_KERAS_PAD_VALID;
        else
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "model config: layer '%s' has a padding other than 'same' and 'valid'",
                            layer->name);
    }
    if (filters) st = read_int(&layer->filters, filters, layer->name, "filters", err);
    if (!st && kernel)
        st = read_pair(&layer->kernel_height, &layer->kernel_width, kernel, layer->name,
                       "kernel_size", err);
    if (!st && strides)
        st = read_pair(&layer->stride_height, &layer->stride_width, strides, layer->name, "strides",
                       err);
    return st;
}

static bool is_class(const ani_keras_layer *layer, const char *name) {
    return !strcmp(layer->class_name, name);
}

static an_status read_layer(ani_keras_layer *layer, const json_t *json, an_error *err) {
    const json_t *config = json_object_get(json, "config");
    const json_t *field;
    *layer = (ani_keras_layer){.padding = ANI_KERAS_PAD_NONE,
                               .top = -1,
                               .bottom = -1,
                               .left = -1,
                               .right = -1,
                               .filters = -1,
                               .units = -1,
                               .kernel_height = -1,
                               .kernel_width = -1,
                               .stride_height = -1,
                               .stride_width = -1,
                               .epsilon = -1,
                               .momentum = -1,
                               .max_value = -1};
    an_status st = read_text(layer->class_name, sizeof layer->class_name,
                             json_object_get(json, "class_name"), "?", "class_name", err);
    if (st) return st;
    const json_t *name = json_object_get(config, "name");
    if (!name) name = json_object_get(json, "name");
    st = read_text(layer->name, sizeof layer->name, name, layer->class_name, "name", err);
    if (st) return st;

    /* An activation may also be an object (a custom one): then it stays "". */
    field = json_object_get(config, "activation");
    if (json_is_string(field)) {
        st = read_text(layer->activation, sizeof layer->activation, field, layer->name,
                       "activation", err);
        if (st) return st;
    }
    if (is_class(layer, "ZeroPadding2D")) {
        field = json_object_get(config, "padding");
        if (field) st = read_zero_padding(layer, field, err);
    } else if (is_class(layer, "Conv2D") || is_class(layer, "DepthwiseConv2D")) {
        st = read_convolution(layer, config, err);
    } else if (!strncmp(layer->class_name, "BatchNormalization", 18)) { /* also ...V1, ...V2 */
        field = json_object_get(config, "epsilon");
        if (field) st = read_number(&layer->epsilon, field, layer->name, "epsilon", err);
        field = json_object_get(config, "momentum");
        if (field && !st) st = read_number(&layer->momentum, field, layer->name, "momentum", err);
    } else if (is_class(layer, "Dense")) {
        field = json_object_get(config, "units");
        if (field) st = read_int(&layer->units, field, layer->name, "units", err);
    } else if (is_class(layer, "ReLU")) {
        field = json_object_get(config, "max_value");
        if (field && json_typeof(field) != JSON_NULL)
            st = read_number(&layer->max_value, field, layer->name, "max_value", err);
    }
    return st;
}

/* Append the layers of a model that are themselves no models. */
static an_status read_layers(ani_keras_layer **out, int64_t *count, const json_t *layers,
                             bool skip_inputs, an_error *err) {
    an_status st = AN_OK;
    size_t index;
    json_t *json;
    *count = 0;
    *out = ani_alloc_zero((int64_t)json_array_size(layers), sizeof **out);
    if (!*out)
        return ani_fail_memory(err, (int64_t)(json_array_size(layers) * sizeof **out), "layers");
    json_array_foreach(layers, index, json) {
        const char *class_name = json_string_value(json_object_get(json, "class_name"));
        if (layers_of(json)) continue;
        if (skip_inputs && class_name && !strcmp(class_name, "InputLayer")) continue;
        st = read_layer(&(*out)[*count], json, err);
        if (st) return st;
        ++*count;
    }
    return AN_OK;
}

/* [batch, height, width, channels]; null, and a list of another length, leave what is there. */
static an_status read_input(ani_keras_config *config, const json_t *layers, an_error *err) {
    size_t index;
    json_t *json;
    json_array_foreach(layers, index, json) {
        const json_t *settings = json_object_get(json, "config");
        const json_t *shape = json_object_get(settings, "batch_input_shape"); /* Keras 2 */
        if (!shape) shape = json_object_get(settings, "batch_shape");         /* Keras 3 */
        if (!json_is_array(shape) || json_array_size(shape) != 4) continue;
        int32_t *const lengths[3] = {&config->height, &config->width, &config->channels};
        for (size_t axis = 0; axis < 3; axis++) {
            const json_t *length = json_array_get(shape, axis + 1);
            if (json_typeof(length) == JSON_NULL) continue;
            an_status st = read_int(lengths[axis], length, "input", "batch_shape", err);
            if (st) return st;
        }
        return AN_OK;
    }
    return AN_OK;
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

static an_status read_name(char *out, size_t size, const json_t *model, an_error *err) {
    const json_t *name = json_object_get(json_object_get(model, "config"), "name");
    if (!name) return AN_OK;
    return read_text(out, size, name, "the model", "name", err);
}

static an_status read_model(ani_keras_config *config, const json_t *model, an_error *err) {
    const json_t *layers = layers_of(model);
    const json_t *base = NULL;
    size_t index;
    json_t *json;
    if (!layers) return ani_fail(err, AN_ERR_FORMAT, "the model config has no list of layers");
    json_array_foreach(layers, index, json) {
        if (!layers_of(json)) continue;
        if (base)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "the model config holds more than one nested model");
        base = json;
    }
    const json_t *base_layers = base ? layers_of(base) : layers;
    if (json_array_size(layers) > MAX_LAYERS || json_array_size(base_layers) > MAX_LAYERS)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "the model config has over %d layers", MAX_LAYERS);
    json_array_foreach(base_layers, index, json) {
        if (base && layers_of(json))
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "the model config nests models deeper than one level");
    }
    an_status st = read_name(config->name, sizeof config->name, model, err);
    if (!st) st = read_name(config->base_name, sizeof config->base_name, base ? base : model, err);
    if (!st) st = read_layers(&config->base, &config->base_count, base_layers, false, err);
    if (!st && base) st = read_layers(&config->head, &config->head_count, layers, true, err);
    if (!st && base) st = read_input(config, layers, err);
    if (!st) st = read_input(config, base_layers, err);
    config->alpha = alpha_from_name(config->base_name);
    return st;
}

an_status ani_keras_config_read(ani_keras_config **out, const char *json, an_error *err) {
    *out = NULL;
    an_status st;
    json_error_t why;
    json_t *model = json_loads(json, 0, &why);
    ani_keras_config *config = ani_alloc_zero(1, sizeof *config);
    if (!config) {
        st = ani_fail_memory(err, sizeof *config, "a model config");
        goto done;
    }
    if (!model) {
        st = ani_fail(err, AN_ERR_FORMAT, "the model config is no JSON: line %d: %s", why.line,
                      why.text);
        goto done;
    }
    config->height = config->width = config->channels = -1;
    st = read_model(config, model, err);
    if (st) goto done;
    *out = config;
    config = NULL;
done:
    ani_keras_config_free(config);
    json_decref(model);
    return st;
}
