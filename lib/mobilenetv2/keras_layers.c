/* SPDX-License-Identifier: MIT
 * Keras' layers of a model, with Keras' names: one flat functional model, whose weights are loaded
 * by their order. Only settings that could differ from the defaults of some version are written.
 *
 * Source: keras.applications.mobilenet_v2, for names and settings; tf_keras 2.15 and Keras 3 for
 * what they write. */
#include "mobilenetv2/keras_layers.h"

#include <stdio.h>
#include <string.h>

#include "dataset/scale.h"

/* --- the list --------------------------------------------------------------------------------- */

/* Append a layer that takes the output of the last one, and keeps its shape. */
static ani_keras_out *append(ani_keras_outs *outs, int32_t kind, const ani_unit_spec *unit,
                             const char *name) {
    ani_keras_out *layer = &outs->layers[outs->count];
    *layer = (ani_keras_out){.kind = kind, .unit = unit, .inputs = {outs->count - 1, -1}};
    if (outs->count) {
        layer->height = layer[-1].height;
        layer->width = layer[-1].width;
        layer->channels = layer[-1].channels;
    }
    for (int32_t i = 0; i < outs->count; i++)
        layer->class_number += outs->layers[i].kind == kind;
    snprintf(layer->name, sizeof layer->name, "%s", name);
    outs->count++;
    return layer;
}

/* The padding of a convolution as a layer of its own, unless it is Keras' "same". */
static void append_pad(ani_keras_outs *outs, const ani_unit_spec *unit) {
    char name[ANI_NAME_SIZE + 8];
    const ani_keras_out *last = &outs->layers[outs->count - 1];
    ani_mnv2_pads same;
    ani_mnv2_pads_for(&same, AN_PADDING_FIXED, last->height, last->width);
    const bool is_same = unit->kind == ANI_UNIT_FULL && unit->pad_top == same.stem.top &&
                         unit->pad_bottom == same.stem.bottom && unit->pad_left == same.stem.left &&
                         unit->pad_right == same.stem.right;
    if (unit->stride == 1 || is_same) return;
    const char *end = strrchr(unit->conv_name, '_'); /* of "block_1_depthwise" */
    const int32_t size = (int32_t)(end ? end - unit->conv_name : (int64_t)strlen(unit->conv_name));
    snprintf(name, sizeof name, "%.*s_pad", (int)size, unit->conv_name);
    ani_keras_out *pad = append(outs, ANI_KERAS_PAD, unit, name);
    pad->height += unit->pad_top + unit->pad_bottom;
    pad->width += unit->pad_left + unit->pad_right;
}

/* values: the layers whose outputs are the values of the preceding units. */
static void append_unit(ani_keras_outs *outs, const ani_unit_spec *unit, const int32_t *values) {
    const ani_keras_out *before = &outs->layers[outs->count - 1];
    const int64_t taps = unit->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    const int64_t height = before->height + unit->pad_top + unit->pad_bottom;
    const int64_t width = before->width + unit->pad_left + unit->pad_right;
    append_pad(outs, unit);
    ani_keras_out *conv =
        append(outs, unit->kind == ANI_UNIT_DEPTHWISE ? ANI_KERAS_DEPTHWISE : ANI_KERAS_CONV, unit,
               unit->conv_name);
    conv->height = (height - taps) / unit->stride + 1;
    conv->width = (width - taps) / unit->stride + 1;
    conv->channels = unit->cout;
    append(outs, ANI_KERAS_NORM, unit, unit->bn_name);
    if (unit->relu6) append(outs, ANI_KERAS_RELU, unit, unit->value_name);
    if (unit->residual != ANI_INPUT) {
        ani_keras_out *sum = append(outs, ANI_KERAS_ADD, unit, unit->value_name);
        sum->inputs[1] = sum->inputs[0];
        sum->inputs[0] = values[unit->residual];
    }
}

an_status ani_keras_list(ani_keras_outs *outs, const ani_net_spec *spec,
                         const ani_model_facts *facts, bool scales, an_error *err) {
    int32_t values[ANI_MNV2_UNITS];
    *outs = (ani_keras_outs){.spec = spec, .facts = facts};
    an_status st = ani_scale_line(facts->scale, outs->gain, outs->bias, err);
    if (st) return st;
    ani_keras_out *image = append(outs, ANI_KERAS_INPUT, NULL, "input_1");
    image->height = spec->height;
    image->width = spec->width;
    image->channels = 3;
    if (scales) append(outs, ANI_KERAS_RESCALE, NULL, "rescaling");
    for (int32_t u = 0; u < spec->unit_count; u++) {
        append_unit(outs, &spec->units[u], values);
        values[u] = outs->count - 1;
    }
    append(outs, ANI_KERAS_POOL, NULL, "global_average_pooling2d");
    append(outs, ANI_KERAS_DENSE, NULL, "dense")->channels = spec->outputs;
    return AN_OK;
}

/* --- a layer's settings ----------------------------------------------------------------------- */

static void print_number(ani_text *to, double value) {
    char text[32];
    ani_format_shortest(text, sizeof text, value);
    ani_text_print(to, "%s", text);
}

/* One number for all channels, or a list. */
static void print_channels(ani_text *to, const double values[3]) {
    bool differ = false;
    for (int32_t c = 1; c < 3; c++)
        differ = differ || values[c] < values[0] || values[c] > values[0];
    if (!differ) {
        print_number(to, values[0]);
        return;
    }
    for (int32_t c = 0; c < 3; c++) {
        ani_text_print(to, "%s", c ? ", " : "[");
        print_number(to, values[c]);
    }
    ani_text_print(to, "]");
}

static void print_convolution(ani_text *to, const ani_keras_outs *outs,
                              const ani_keras_out *layer) {
    const ani_unit_spec *unit = layer->unit;
    const int32_t taps = unit->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    const bool is_padded = outs->layers[layer->inputs[0]].kind == ANI_KERAS_PAD;
    if (unit->kind == ANI_UNIT_DEPTHWISE)
        ani_text_print(to, ", \"depth_multiplier\": 1");
    else
        ani_text_print(to, ", \"filters\": %lld", (long long)unit->cout);
    ani_text_print(to,
                   ", \"kernel_size\": [%d, %d], \"strides\": [%d, %d], \"padding\": \"%s\", "
                   "\"data_format\": \"channels_last\", \"dilation_rate\": [1, 1], "
                   "\"activation\": \"linear\", \"use_bias\": false",
                   taps, taps, unit->stride, unit->stride, is_padded ? "valid" : "same");
}

static void print_dense(ani_text *to, const ani_keras_outs *outs) {
    const int32_t outputs = outs->spec->outputs;
    const char *activation = outs->facts->task == AN_TASK_REGRESSION ? "linear"
                             : outputs == 1                          ? "sigmoid"
                                                                     : "softmax";
    ani_text_print(to, ", \"units\": %d, \"activation\": \"%s\", \"use_bias\": true", outputs,
                   activation);
}

/* What the class of a layer needs. */
static void print_settings(ani_text *to, const ani_keras_outs *outs, const ani_keras_out *layer,
                           int32_t generation) {
    const ani_unit_spec *unit = layer->unit;
    switch (layer->kind) {
    case ANI_KERAS_INPUT:
        ani_text_print(to, ", \"%s\": [null, %lld, %lld, 3]",
                       generation == ANI_KERAS_2 ? "batch_input_shape" : "batch_shape",
                       (long long)layer->height, (long long)layer->width);
        break;
    case ANI_KERAS_RESCALE:
        ani_text_print(to, ", \"scale\": ");
        print_channels(to, outs->gain);
        ani_text_print(to, ", \"offset\": ");
        print_channels(to, outs->bias);
        break;
    case ANI_KERAS_PAD:
        ani_text_print(to,
                       ", \"padding\": [[%d, %d], [%d, %d]], \"data_format\": \"channels_last\"",
                       unit->pad_top, unit->pad_bottom, unit->pad_left, unit->pad_right);
        break;
    case ANI_KERAS_CONV:
    case ANI_KERAS_DEPTHWISE:
        print_convolution(to, outs, layer);
        break;
    case ANI_KERAS_NORM:
        ani_text_print(to, ", \"axis\": 3, \"momentum\": 0.999, \"epsilon\": ");
        print_number(to, outs->spec->epsilon);
        ani_text_print(to, ", \"center\": true, \"scale\": true");
        break;
    case ANI_KERAS_RELU:
        ani_text_print(to, ", \"max_value\": 6.0, \"negative_slope\": 0.0, \"threshold\": 0.0");
        break;
    case ANI_KERAS_POOL:
        ani_text_print(to, ", \"data_format\": \"channels_last\"");
        break;
    case ANI_KERAS_DENSE:
        print_dense(to, outs);
        break;
    default:
        break;
    }
}

/* --- the model -------------------------------------------------------------------------------- */

/* The output of a layer as the input of another. */
static void print_tensor(ani_text *to, const ani_keras_out *layer, int32_t generation) {
    if (generation == ANI_KERAS_2)
        ani_text_print(to, "[\"%s\", 0, 0, {}]", layer->name);
    else
        ani_text_print(
            to,
            "{\"class_name\": \"__keras_tensor__\", \"config\": {\"shape\": [null, %lld, "
            "%lld, %lld], \"dtype\": \"float32\", \"keras_history\": [\"%s\", 0, 0]}}",
            (long long)layer->height, (long long)layer->width, (long long)layer->channels,
            layer->name);
}

static void print_nodes(ani_text *to, const ani_keras_outs *outs, const ani_keras_out *layer,
                        int32_t generation) {
    const bool is_sum = layer->inputs[1] >= 0;
    const char *begin = generation == ANI_KERAS_2 ? "[["
                        : is_sum                  ? "[{\"args\": [["
                                                  : "[{\"args\": [";
    const char *end = generation == ANI_KERAS_2 ? "]]"
                      : is_sum                  ? "]], \"kwargs\": {}}]"
                                                : "], \"kwargs\": {}}]";
    if (layer->inputs[0] < 0) {
        ani_text_print(to, "[]");
        return;
    }
    ani_text_print(to, "%s", begin);
    print_tensor(to, &outs->layers[layer->inputs[0]], generation);
    if (is_sum) {
        ani_text_print(to, ", ");
        print_tensor(to, &outs->layers[layer->inputs[1]], generation);
    }
    ani_text_print(to, "%s", end);
}

static void print_layer(ani_text *to, const ani_keras_outs *outs, const ani_keras_out *layer,
                        int32_t generation) {
    const char *class_name = ani_keras_class(layer->kind);
    ani_text_print(to, "{");
    if (generation == ANI_KERAS_3) ani_text_print(to, "\"module\": \"keras.layers\", ");
    ani_text_print(to, "\"class_name\": \"%s\", \"config\": {\"name\": \"%s\"", class_name,
                   layer->name);
    if (layer->kind != ANI_KERAS_INPUT) ani_text_print(to, ", \"trainable\": true");
    ani_text_print(to, ", \"dtype\": \"float32\"");
    print_settings(to, outs, layer, generation);
    ani_text_print(to, "}, ");
    if (generation == ANI_KERAS_3) ani_text_print(to, "\"registered_name\": null, ");
    ani_text_print(to, "\"name\": \"%s\", \"inbound_nodes\": ", layer->name);
    print_nodes(to, outs, layer, generation);
    ani_text_print(to, "}");
}

/* The base's name, with characters replaced that TensorFlow refuses. */
static void print_name(ani_text *to, const char *name) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (strspn(name, letters) == 0 || strchr("._-", *name)) ani_text_print(to, "model");
    for (; *name; name++)
        ani_text_print(to, "%c", strchr(letters, *name) ? *name : '_');
}

static const char *loss_of(const ani_keras_outs *outs) {
    return outs->facts->task == AN_TASK_REGRESSION
               ? "mean_squared_error" /* not "mse": see Keras 3 */
           : outs->spec->outputs == 1 ? "binary_crossentropy"
                                      : "categorical_crossentropy";
}

/* The tutorial's optimizer, for model.fit() to work at once; its state is not written. */
static const char *const adam = "{\"name\": \"Adam\", \"learning_rate\": 0.001, \"beta_1\": 0.9, "
                                "\"beta_2\": 0.999, \"epsilon\": 1e-07, \"amsgrad\": false}";

void ani_keras_print_config(ani_text *to, const ani_keras_outs *outs, int32_t generation) {
    const ani_keras_out *last = &outs->layers[outs->count - 1];
    const bool is_new = generation == ANI_KERAS_3;
    ani_text_print(to, "{%s\"class_name\": \"Functional\", \"config\": {\"name\": \"",
                   is_new ? "\"module\": \"keras.src.models.functional\", " : "");
    print_name(to, outs->facts->base_name);
    ani_text_print(to, "\", \"trainable\": true, \"layers\": [");
    for (int32_t i = 0; i < outs->count; i++) {
        if (i) ani_text_print(to, ", ");
        print_layer(to, outs, &outs->layers[i], generation);
    }
    ani_text_print(to,
                   "], \"input_layers\": [[\"%s\", 0, 0]], \"output_layers\": [[\"%s\", 0, 0]]}",
                   outs->layers[0].name, last->name);
    if (is_new)
        ani_text_print(to,
                       ", \"registered_name\": \"Functional\", \"build_config\": {\"input_shape\": "
                       "[null, %lld, %lld, 3]}, \"compile_config\": {\"optimizer\": {\"module\": "
                       "\"keras.optimizers\", \"class_name\": \"Adam\", \"config\": %s, "
                       "\"registered_name\": null}, \"loss\": \"%s\"}",
                       (long long)outs->layers[0].height, (long long)outs->layers[0].width, adam,
                       loss_of(outs));
    ani_text_print(to, "}");
}

void ani_keras_print_training(ani_text *to, const ani_keras_outs *outs) {
    ani_text_print(to,
                   "{\"loss\": \"%s\", \"metrics\": null, \"weighted_metrics\": null, "
                   "\"loss_weights\": null, \"optimizer_config\": {\"class_name\": \"Adam\", "
                   "\"config\": %s}}",
                   loss_of(outs), adam);
}
