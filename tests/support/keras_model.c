/* SPDX-License-Identifier: MIT
 * The config of MobileNetV2, made from the table of units, but independent of what the library
 * expects in a config: the settings are those that Keras writes. */
#include "support/keras_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/kinds.h>

#include "mobilenetv2/build.h"

/* --- making ----------------------------------------------------------------------------------- */

static json_t *parse(const char *text) {
    json_error_t why;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &why);
    if (!json) fail_msg("%s: %s", why.text, text);
    return json;
}

static json_t *tensor(int generation, const char *name) {
    return generation == KERAS_2 ? json_pack("[siio]", name, 0, 0, json_object())
                                 : json_pack("{s:s,s:{s:[sii]}}", "class_name", "__keras_tensor__",
                                             "config", "keras_history", name, 0, 0);
}

/* The contents of inbound_nodes: Keras 3 puts the inputs of a sum into a separate list. */
static json_t *nodes(int generation, const char *first, const char *second) {
    json_t *inputs = json_array();
    json_array_append_new(inputs, tensor(generation, first));
    if (second) json_array_append_new(inputs, tensor(generation, second));
    if (generation == KERAS_2) return json_pack("[o]", inputs);
    if (second) inputs = json_pack("[o]", inputs);
    return json_pack("[{s:o,s:{s:n}}]", "args", inputs, "kwargs", "mask");
}

typedef struct maker {
    json_t *layers;
    int generation;
    char last[64];
} maker;

/* Append a layer whose inputs are the last one, and second if there is one. */
static void append(maker *m, const char *class_name, const char *name, const char *second,
                   json_t *settings) {
    json_object_set_new(settings, "name", json_string(name));
    json_object_set_new(settings, "trainable", json_true());
    json_object_set_new(
        settings, "dtype",
        m->generation == KERAS_2
            ? json_string("float32")
            : json_pack("{s:s,s:{s:s}}", "class_name", "DTypePolicy", "config", "name", "float32"));
    json_t *layer =
        json_pack("{s:s,s:s,s:o}", "class_name", class_name, "name", name, "config", settings);
    json_object_set_new(layer, "inbound_nodes",
                        m->last[0] ? nodes(m->generation, m->last, second) : json_array());
    json_array_append_new(m->layers, layer);
    snprintf(m->last, sizeof m->last, "%s", name);
}

static void append_input(maker *m) {
    append(m, "InputLayer", "in", NULL,
           json_pack("{s:[niii]}", m->generation == KERAS_2 ? "batch_input_shape" : "batch_shape",
                     32, 32, 3));
}

static void append_unit(maker *m, const ani_unit_spec *unit, const char *residual) {
    char name[80];
    const int stride = (int)unit->stride, taps = unit->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    const int is_depthwise = unit->kind == ANI_UNIT_DEPTHWISE;
    if (is_depthwise && stride == 2) {
        snprintf(name, sizeof name, "%.60s_pad", unit->conv_name);
        append(m, "ZeroPadding2D", name, NULL,
               json_pack("{s:[[ii][ii]],s:s}", "padding", (int)unit->pad_top, (int)unit->pad_bottom,
                         (int)unit->pad_left, (int)unit->pad_right, "data_format",
                         "channels_last"));
    }
    json_t *conv = json_pack("{s:[ii],s:[ii],s:s,s:s,s:[ii],s:s,s:b,s:{},s:n}", "kernel_size", taps,
                             taps, "strides", stride, stride, "padding",
                             is_depthwise && stride == 2 ? "valid" : "same", "data_format",
                             "channels_last", "dilation_rate", 1, 1, "activation", "linear",
                             "use_bias", 0, "kernel_initializer", "bias_regularizer");
    json_object_set_new(conv, is_depthwise ? "depth_multiplier" : "filters",
                        json_integer(is_depthwise ? 1 : unit->cout));
    if (!is_depthwise) json_object_set_new(conv, "groups", json_integer(1));
    append(m, is_depthwise ? "DepthwiseConv2D" : "Conv2D", unit->conv_name, NULL, conv);
    append(m, "BatchNormalization", unit->bn_name, NULL,
           json_pack("{s:o,s:f,s:f,s:b,s:b,s:{}}", "axis",
                     m->generation == KERAS_2 ? json_pack("[i]", 3) : json_integer(-1), "momentum",
                     0.999, "epsilon", 0.001, "center", 1, "scale", 1, "gamma_initializer"));
    if (unit->relu6) {
        snprintf(name, sizeof name, "%.60s_relu", unit->conv_name);
        append(
            m, "ReLU", name, NULL,
            json_pack("{s:f,s:f,s:f}", "max_value", 6.0, "negative_slope", 0.0, "threshold", 0.0));
    }
    if (residual[0]) {
        snprintf(name, sizeof name, "%.60s_add", unit->conv_name);
        append(m, "Add", name, residual, json_object());
    }
}

static void append_base(maker *m) {
    ani_unit_spec units[ANI_MNV2_UNITS];
    static char outputs[ANI_MNV2_UNITS][64]; /* of each unit */
    ani_mnv2_pads pads;
    ani_mnv2_pads_for(&pads, AN_PADDING_TUTORIAL, 32, 32);
    ani_mnv2_units(units, 0.1, &pads);
    append_input(m);
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        append_unit(m, &units[u], units[u].residual < 0 ? "" : outputs[units[u].residual]);
        memcpy(outputs[u], m->last, sizeof outputs[u]);
    }
    append(m, "GlobalAveragePooling2D", "pool", NULL,
           json_pack("{s:s,s:b}", "data_format", "channels_last", "keepdims", 0));
}

static void append_dense(maker *m) {
    append(m, "Dense", "dense", NULL,
           json_pack("{s:i,s:s,s:b,s:{}}", "units", 1, "activation", "linear", "use_bias", 1,
                     "kernel_initializer"));
}

static json_t *functional(const maker *m, const char *name) {
    json_t *output = json_pack("[sii]", m->last, 0, 0);
    if (m->generation == KERAS_2) output = json_pack("[o]", output);
    return json_pack("{s:s,s:{s:s,s:o,s:o}}", "class_name", "Functional", "config", "name", name,
                     "layers", m->layers, "output_layers", output);
}

json_t *keras_model_flat(int generation) {
    maker m = {json_array(), generation, ""};
    append_base(&m);
    append_dense(&m);
    return functional(&m, "mobilenetv2_0.10_32");
}

json_t *keras_model(int generation) {
    maker base = {json_array(), generation, ""}, head = {json_array(), generation, ""};
    append_base(&base);
    append_input(&head);
    append_dense(&head);
    json_array_insert_new(head.layers, 1, functional(&base, "mobilenetv2_0.10_32"));
    size_t index;
    json_t *layer;
    json_array_foreach(head.layers, index, layer) {
        json_object_del(layer, "inbound_nodes"); /* a chain has none */
    }
    return json_pack("{s:s,s:{s:s,s:o}}", "class_name", "Sequential", "config", "name", "net",
                     "layers", head.layers);
}

/* --- changing --------------------------------------------------------------------------------- */

static const char *name_of(const json_t *layer) {
    const json_t *name = json_object_get(json_object_get(layer, "config"), "name");
    return json_string_value(name ? name : json_object_get(layer, "name"));
}

/* The list that contains a layer, and its index there; NULL: none. */
static json_t *find(const json_t *model, const char *name, size_t *place) {
    json_t *layers = json_object_get(json_object_get(model, "config"), "layers"), *layer;
    size_t index;
    json_array_foreach(layers, index, layer) {
        *place = index;
        if (!strcmp(name_of(layer), name)) return layers;
        json_t *inner = find(layer, name, place);
        if (inner) return inner;
    }
    return NULL;
}

static json_t *list_of(const json_t *model, const char *name, size_t *place) {
    json_t *list = find(model, name, place);
    if (!list) fail_msg("no layer '%s'", name);
    return list;
}

json_t *keras_layer(json_t *model, const char *name) {
    size_t place;
    const json_t *list = list_of(model, name, &place);
    return json_array_get(list, place);
}

void keras_set(json_t *model, const char *layer, const char *key, const char *value) {
    json_t *config = json_object_get(keras_layer(model, layer), "config");
    if (value)
        json_object_set_new(config, key, parse(value));
    else
        json_object_del(config, key);
}

/* Replace a name in all inbound_nodes of a list except those of one layer. */
static void rename_inputs(json_t *list, const char *from, const char *to, const json_t *but) {
    size_t index;
    json_t *layer;
    char old[96], new[96];
    snprintf(old, sizeof old, "[\"%s\",0,0", from);
    snprintf(new, sizeof new, "[\"%s\",0,0", to);
    json_array_foreach(list, index, layer) {
        if (layer == but || !json_object_get(layer, "inbound_nodes")) continue;
        char *text = json_dumps(json_object_get(layer, "inbound_nodes"), JSON_COMPACT);
        char changed[2048] = "", *at = text;
        for (char *hit; (hit = strstr(at, old)); at = hit + strlen(old)) {
            strncat(changed, at, (size_t)(hit - at));
            strcat(changed, new);
        }
        strcat(changed, at);
        json_object_set_new(layer, "inbound_nodes", parse(changed));
        free(text);
    }
}

/* Is it a Keras 2 list? */
static int generation_of(const json_t *list) {
    const json_t *last = json_array_get(list, json_array_size(list) - 1);
    const json_t *node = json_array_get(json_object_get(last, "inbound_nodes"), 0);
    return json_is_object(node) ? KERAS_3 : KERAS_2;
}

void keras_insert(json_t *model, const char *behind, const char *layer) {
    size_t place;
    json_t *list = list_of(model, behind, &place), *new = parse(layer);
    json_array_insert_new(list, place + 1, new);
    if (!json_object_get(json_array_get(list, place), "inbound_nodes")) return; /* a chain */
    rename_inputs(list, behind, name_of(new), new);
    json_object_set_new(new, "inbound_nodes", nodes(generation_of(list), behind, NULL));
    /* and the output, if that was it */
    json_t *config = json_object_get(model, "config");
    json_t *output = json_array_get(json_object_get(config, "output_layers"), 0);
    json_t *holder = json_is_array(output) ? output : json_object_get(config, "output_layers");
    if (holder && !strcmp(json_string_value(json_array_get(holder, 0)), behind))
        json_array_set_new(holder, 0, json_string(name_of(new)));
}

void keras_wire(json_t *model, const char *layer, int generation, const char *first,
                const char *second) {
    json_object_set_new(keras_layer(model, layer), "inbound_nodes",
                        nodes(generation, first, second));
}

void keras_remove(json_t *model, const char *layer) {
    size_t place;
    json_t *list = list_of(model, layer, &place);
    const json_t *before = json_array_get(list, place - 1);
    rename_inputs(list, layer, name_of(before), NULL);
    json_array_remove(list, place);
}
