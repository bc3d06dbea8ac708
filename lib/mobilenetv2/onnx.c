/* SPDX-License-Identifier: MIT
 * Writes a model as ONNX: opset 17, IR version 8, batch norm folded into the convolutions.
 *
 * Source: onnx.proto of ONNX 1.12 for the numbers of the fields, and its operator documents.
 * int8: QuantizeLinear and DequantizeLinear around what an int8 runtime computes (QDQ), with the
 * codes of backend/quant.h: weights, ranges and biases, so that a runtime that computes with them
 * ends at our codes, apart from rounding at the middle between two. ONNX counts a code from that of
 * 0, whose value is not exactly 0: what is missing is in the biases, and subtracted from the
 * image. */
#include "mobilenetv2/onnx.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <attractivenet/version.h>

#include "backend/quant.h"
#include "base/file.h"
#include "base/memory.h"
#include "dataset/scale.h"
#include "io/protobuf.h"
#include "layers/model.h"

/* Fields of the messages. */
enum { MODEL_IR_VERSION = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7 };
enum { MODEL_OPSET = 8, MODEL_METADATA = 14, OPSET_VERSION = 2, ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OPERATOR = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_INT = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { ATTRIBUTE_IS_INT = 2, ATTRIBUTE_IS_INTS = 7 };
enum { TENSOR_DIMENSION = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_BYTES = 9 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2 };
enum { SHAPE_DIMENSION = 1, DIMENSION_VALUE = 1, DIMENSION_NAME = 2 };
/* Types of elements. */
enum { ONNX_FLOAT = 1, ONNX_UINT8 = 2, ONNX_INT8 = 3, ONNX_INT32 = 6 };

enum { IR_VERSION = 8, OPSET = 17, NAME_SIZE = ANI_NAME_SIZE + 32 };

/** A graph being written: twice, since its size precedes it, and a unit at a time, so that the file
 * is never in memory as a whole. */
typedef struct graph {
    ani_text bytes;     /* of the present unit */
    ani_writer *writer; /* NULL the first time */
    int64_t size;       /* of all that was written */
    const ani_net_spec *spec;
    const an_arrays *arrays; /* the weights, of one moment */
    const an_export_options *options;
    const ani_model_facts *facts;
    /* int8, else NULL: codes of the image and of each unit, and means as in ani_calibrated */
    ani_codes *codes;
    const float *means;
} graph;

/* --- messages --------------------------------------------------------------------------------- */

static void add_value_shape(ani_text *to, int32_t field, const char *name, int32_t element,
                            const int64_t *shape, int32_t rank) {
    ani_text dimensions = {0}, tensor = {0}, type = {0}, value = {0};
    for (int32_t i = 0; i < rank; i++) {
        ani_text dimension = {0};
        if (shape[i] < 0)
            ani_proto_string(&dimension, DIMENSION_NAME, "N");
        else
            ani_proto_number(&dimension, DIMENSION_VALUE, shape[i]);
        ani_proto_message(&dimensions, SHAPE_DIMENSION, &dimension);
    }
    ani_proto_number(&tensor, TENSOR_ELEMENT, element);
    ani_proto_message(&tensor, TENSOR_SHAPE, &dimensions);
    ani_proto_message(&type, TYPE_TENSOR, &tensor);
    ani_proto_string(&value, VALUE_NAME, name);
    ani_proto_message(&value, VALUE_TYPE, &type);
    ani_proto_message(to, field, &value);
}

/* Add a constant of rank axes, whose elements are bytes [size], little-endian. */
static void add_constant(graph *g, const char *name, int32_t type, const void *bytes, int64_t size,
                         const int64_t *shape, int32_t rank) {
    ani_text tensor = {0};
    for (int32_t i = 0; i < rank; i++)
        ani_proto_number(&tensor, TENSOR_DIMENSION, shape[i]);
    ani_proto_number(&tensor, TENSOR_TYPE, type);
    ani_proto_string(&tensor, TENSOR_NAME, name);
    ani_proto_begin(&tensor, TENSOR_BYTES, size);
    g->bytes.failed |= tensor.failed;
    /* the elements go where they belong at once: some are large */
    ani_proto_begin(&g->bytes, GRAPH_INITIALIZER, tensor.size + size);
    ani_text_add(&g->bytes, tensor.bytes ? tensor.bytes : "", tensor.size);
    ani_text_add(&g->bytes, bytes, size);
    ani_text_clear(&tensor);
}

static void add_floats(graph *g, const char *name, const float *values, const int64_t *shape,
                       int32_t rank) {
    int64_t count = 1;
    for (int32_t i = 0; i < rank; i++)
        count *= shape[i];
    add_constant(g, name, ONNX_FLOAT, values, count * (int64_t)sizeof *values, shape, rank);
}

static void add_scalar(graph *g, const char *name, double value) {
    const float rounded = (float)value;
    add_floats(g, name, &rounded, NULL, 0);
}

/* Numbers of the image's channels: one if they are all the same, else with a shape for the input's
 * layout. */
static void add_channels(graph *g, const char *name, const double values[3], bool nhwc) {
    static const int64_t last[] = {3}, first[] = {3, 1, 1};
    const float rounded[3] = {(float)values[0], (float)values[1], (float)values[2]};
    if (rounded[0] == rounded[1] && rounded[0] == rounded[2])
        add_scalar(g, name, values[0]);
    else
        add_floats(g, name, rounded, nhwc ? last : first, nhwc ? 1 : 3);
}

/** A node being written. */
typedef struct node {
    ani_text bytes;
} node;

static node begin_node(const char *operator_name, const char *output) {
    node n = {{0}};
    ani_proto_string(&n.bytes, NODE_OPERATOR, operator_name);
    ani_proto_string(&n.bytes, NODE_NAME, output);
    ani_proto_string(&n.bytes, NODE_OUTPUT, output);
    return n;
}

static void add_input(node *n, const char *name) {
    ani_proto_string(&n->bytes, NODE_INPUT, name);
}

static void add_integers(node *n, const char *name, const int64_t *values, int32_t count) {
    ani_text attribute = {0};
    ani_proto_string(&attribute, ATTRIBUTE_NAME, name);
    for (int32_t i = 0; i < count; i++)
        ani_proto_number(&attribute, ATTRIBUTE_INTS, values[i]);
    ani_proto_number(&attribute, ATTRIBUTE_TYPE, ATTRIBUTE_IS_INTS);
    ani_proto_message(&n->bytes, NODE_ATTRIBUTE, &attribute);
}

static void add_integer(node *n, const char *name, int64_t value) {
    ani_text attribute = {0};
    ani_proto_string(&attribute, ATTRIBUTE_NAME, name);
    ani_proto_number(&attribute, ATTRIBUTE_INT, value);
    ani_proto_number(&attribute, ATTRIBUTE_TYPE, ATTRIBUTE_IS_INT);
    ani_proto_message(&n->bytes, NODE_ATTRIBUTE, &attribute);
}

static void end_node(graph *g, node *n) {
    ani_proto_message(&g->bytes, GRAPH_NODE, &n->bytes);
}

/* A node of up to three inputs and no attributes; NULL: no input. */
static void add_node(graph *g, const char *operator_name, const char *output, const char *x,
                     const char *y, const char *z) {
    node n = begin_node(operator_name, output);
    const char *const inputs[] = {x, y, z};
    for (int i = 0; i < 3 && inputs[i]; i++)
        add_input(&n, inputs[i]);
    end_node(g, &n);
}

/* --- names ------------------------------------------------------------------------------------ */

typedef struct name {
    char text[NAME_SIZE];
} name;

/* The name of something that belongs to unit u or to the image: "block_1_expand/value". */
static name name_of(const graph *g, int32_t u, const char *what) {
    name n;
    snprintf(n.text, sizeof n.text, "%s/%s", u == ANI_INPUT ? "image" : g->spec->units[u].conv_name,
             what);
    return n;
}

static const float *array_of(const graph *g, const char *layer, const char *variable) {
    char path[ANI_ARRAY_NAME_SIZE];
    snprintf(path, sizeof path, "%s/%s", layer, variable);
    return an_arrays_data(g->arrays, an_arrays_find(g->arrays, path));
}

/* --- units ------------------------------------------------------------------------------------ */

/** A unit with its weights on the host. */
typedef struct unit_weights {
    ani_infer_unit unit;
    int64_t taps, inputs; /* inputs: per output channel, over the taps */
} unit_weights;

static unit_weights weights_of(const graph *g, int32_t u) {
    const ani_unit_spec *s = &g->spec->units[u];
    const bool depthwise = s->kind == ANI_UNIT_DEPTHWISE;
    unit_weights w = {.taps = s->kind == ANI_UNIT_POINTWISE ? 1 : 9};
    w.inputs = w.taps * (depthwise ? 1 : s->cin);
    w.unit = (ani_infer_unit){
        .shape = {.kind = s->kind, .stride = s->stride, .cin = s->cin, .cout = s->cout},
        .relu6 = s->relu6,
        .input = s->input,
        .residual = s->residual,
        .w = array_of(g, s->conv_name, depthwise ? "depthwise_kernel" : "kernel"),
        .bn = {.gamma = array_of(g, s->bn_name, "gamma"),
               .beta = array_of(g, s->bn_name, "beta"),
               /* read only, as the arrays of a copy */
               .moving_mean = (float *)(uintptr_t)array_of(g, s->bn_name, "moving_mean"),
               .moving_variance = (float *)(uintptr_t)array_of(g, s->bn_name, "moving_variance"),
               .epsilon = g->spec->epsilon}};
    return w;
}

/* Where input k of output channel j, counted as Keras stores them, is in ONNX's [out,in,3,3]. */
static int64_t place_of(const unit_weights *w, int64_t k, int64_t j) {
    const int64_t cin = w->inputs / w->taps;
    return (j * cin + k % cin) * w->taps + k / cin;
}

static void shape_of(const unit_weights *w, int64_t shape[4]) {
    shape[0] = w->unit.shape.cout;
    shape[1] = w->inputs / w->taps;
    shape[2] = shape[3] = w->taps == 9 ? 3 : 1;
}

static an_status add_float_weights(graph *g, int32_t u, an_error *err) {
    const unit_weights w = weights_of(g, u);
    const int64_t cout = w.unit.shape.cout;
    int64_t shape[4];
    float *kernel = ani_alloc_zero(cout * w.inputs, sizeof *kernel);
    float *bias = ani_alloc_zero(cout, sizeof *bias);
    an_status st = AN_OK;
    if (!kernel || !bias) {
        st = ani_fail_memory(err, cout * w.inputs * (int64_t)sizeof *kernel, "folded weights");
        goto done;
    }
    for (int64_t j = 0; j < cout; j++) {
        double factor, shift;
        ani_quant_fold(&w.unit.bn, j, &factor, &shift);
        for (int64_t k = 0; k < w.inputs; k++)
            kernel[place_of(&w, k, j)] = (float)(w.unit.w[k * cout + j] * factor);
        bias[j] = (float)shift;
    }
    shape_of(&w, shape);
    add_floats(g, name_of(g, u, "kernel").text, kernel, shape, 4);
    add_floats(g, name_of(g, u, "bias").text, bias, &cout, 1);
done:
    ani_free(kernel);
    ani_free(bias);
    return st;
}

/* Channel j of an int8 kernel, of the channels from `first` on: its codes, and the bias in units of
 * the input's step times the channel's. Ours counts codes from the low ends of the ranges, ONNX
 * from the codes of 0. */
static void take_channel(const unit_weights *w, const ani_quant_unit *q,
                         const ani_quant_channels *channels, int64_t first, int64_t j,
                         int8_t *kernel, double unit, int32_t *bias) {
    const int64_t cout = w->unit.shape.cout;
    const double factor = channels->factor[j - first];
    double moved = q->out->zero * q->out->step;
    int64_t sum = 0;
    if (q->residual) moved -= q->residual->zero * q->residual->step;
    for (int64_t k = 0; k < w->inputs; k++) {
        const int8_t code = ani_quant_weight(w->unit.w[k * cout + j], factor);
        kernel[place_of(w, k, j)] = code;
        sum += code;
    }
    *bias = (int32_t)(channels->bias[j - first] + q->in->zero * sum - llrint(moved / unit));
}

static an_status add_int8_weights(graph *g, int32_t u, an_error *err) {
    unit_weights w = weights_of(g, u);
    const int64_t cout = w.unit.shape.cout;
    int64_t shape[4];
    int8_t *kernel = ani_alloc_zero(cout * w.inputs, sizeof *kernel);
    float *steps = ani_alloc_zero(2 * cout, sizeof *steps), *bias_steps = steps + cout;
    int32_t *bias = ani_alloc_zero(cout, sizeof *bias);
    int8_t *zeros = ani_alloc_zero(cout, sizeof *zeros);
    an_status st = AN_OK;
    if (!kernel || !steps || !bias || !zeros) {
        st = ani_fail_memory(err, cout * w.inputs, "quantised weights");
        goto done;
    }
    int64_t means = 0;
    for (int32_t i = ANI_INPUT; i < w.unit.input; i++)
        means += i == ANI_INPUT ? g->spec->units[0].cin : g->spec->units[i].cout;
    const ani_quant_unit q = {
        .unit = &w.unit,
        .in = &g->codes[w.unit.input + 1],
        .residual = w.unit.residual == ANI_INPUT ? NULL : &g->codes[w.unit.residual + 1],
        .out = &g->codes[u + 1],
        .means = g->means + means};
    for (int64_t first = 0; first < cout; first += ANI_QUANT_CHANNELS) {
        ani_quant_channels channels;
        ani_quant_channels_of(&q, first, ANI_QUANT_CHANNELS, &channels);
        for (int64_t j = first; j < cout && j < first + ANI_QUANT_CHANNELS; j++) {
            const double unit = channels.scale[j - first] * q.out->step;
            steps[j] = (float)(unit / q.in->step);
            bias_steps[j] = (float)unit;
            take_channel(&w, &q, &channels, first, j, kernel, unit, &bias[j]);
        }
    }
    shape_of(&w, shape);
    add_constant(g, name_of(g, u, "kernel/codes").text, ONNX_INT8, kernel, cout * w.inputs, shape,
                 4);
    add_floats(g, name_of(g, u, "kernel/step").text, steps, &cout, 1);
    add_constant(g, name_of(g, u, "kernel/zero").text, ONNX_INT8, zeros, cout, &cout, 1);
    add_constant(g, name_of(g, u, "bias/codes").text, ONNX_INT32, bias,
                 cout * (int64_t)sizeof *bias, &cout, 1);
    add_floats(g, name_of(g, u, "bias/step").text, bias_steps, &cout, 1);
    for (int i = 0; i < 2; i++) {
        node n = begin_node("DequantizeLinear", name_of(g, u, i ? "bias" : "kernel").text);
        add_input(&n, name_of(g, u, i ? "bias/codes" : "kernel/codes").text);
        add_input(&n, name_of(g, u, i ? "bias/step" : "kernel/step").text);
        if (!i) add_input(&n, name_of(g, u, "kernel/zero").text);
        add_integer(&n, "axis", 0);
        end_node(g, &n);
    }
done:
    ani_free(kernel);
    ani_free(steps);
    ani_free(bias);
    ani_free(zeros);
    return st;
}

/* The value of unit u or of the image, from a float tensor: rounded to its codes, in int8. */
static void settle_value(graph *g, int32_t u, const char *from) {
    const name value = name_of(g, u, "value"), codes = name_of(g, u, "codes");
    const name step = name_of(g, u, "step"), zero = name_of(g, u, "zero");
    const uint8_t zero_code = (uint8_t)g->codes[u + 1].zero;
    add_scalar(g, step.text, g->codes[u + 1].step);
    add_constant(g, zero.text, ONNX_UINT8, &zero_code, 1, NULL, 0);
    add_node(g, "QuantizeLinear", codes.text, from, step.text, zero.text);
    add_node(g, "DequantizeLinear", value.text, codes.text, step.text, zero.text);
}

static void add_convolution(graph *g, int32_t u, const char *output) {
    const ani_unit_spec *s = &g->spec->units[u];
    const int64_t side = s->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    node n = begin_node("Conv", output);
    add_input(&n, name_of(g, s->input, "value").text);
    add_input(&n, name_of(g, u, "kernel").text);
    add_input(&n, name_of(g, u, "bias").text);
    add_integers(&n, "kernel_shape", (int64_t[]){side, side}, 2);
    add_integers(&n, "strides", (int64_t[]){s->stride, s->stride}, 2);
    add_integers(&n, "pads", (int64_t[]){s->pad_top, s->pad_left, s->pad_bottom, s->pad_right}, 4);
    add_integer(&n, "group", s->kind == ANI_UNIT_DEPTHWISE ? s->cin : 1);
    end_node(g, &n);
}

static an_status add_unit(graph *g, int32_t u, an_error *err) {
    const ani_unit_spec *s = &g->spec->units[u];
    const an_status st = g->codes ? add_int8_weights(g, u, err) : add_float_weights(g, u, err);
    if (st) return st;
    const bool clips = s->relu6, adds = s->residual != ANI_INPUT;
    /* the last of the steps makes the value, unless that is rounded to codes */
    const name value = name_of(g, u, g->codes ? "exact" : "value");
    const name z = clips || adds ? name_of(g, u, "conv") : value;
    const name clipped = adds ? name_of(g, u, "clip") : value;
    add_convolution(g, u, z.text);
    if (clips) add_node(g, "Clip", clipped.text, z.text, "zero", "six");
    if (adds)
        add_node(g, "Add", value.text, clips ? clipped.text : z.text,
                 name_of(g, s->residual, "value").text, NULL);
    if (g->codes) settle_value(g, u, value.text);
    return AN_OK;
}

/* --- ends ------------------------------------------------------------------------------------- */

/* From the input to the image's value, [N,3,H,W]. */
static an_status add_image(graph *g, an_error *err) {
    const bool bytes = g->options->include_scale, nhwc = g->options->layout == AN_LAYOUT_NHWC;
    const int64_t h = g->spec->height, w = g->spec->width;
    const int64_t last[] = {-1, h, w, 3}, first[] = {-1, 3, h, w};
    const name value = name_of(g, ANI_INPUT, g->codes ? "exact" : "value");
    /* the value of the code of 0 */
    const double zero = g->codes ? g->codes[0].low + g->codes[0].zero * g->codes[0].step : 0;
    add_value_shape(&g->bytes, GRAPH_INPUT, "image", bytes ? ONNX_UINT8 : ONNX_FLOAT,
                    nhwc ? last : first, 4);
    name at = {"image"};
    if (bytes) {
        double gain[3], bias[3];
        const an_status st = ani_scale_line(g->facts->scale, gain, bias, err);
        if (st) return st;
        node n = begin_node("Cast", "image/float");
        add_input(&n, at.text);
        add_integer(&n, "to", ONNX_FLOAT);
        end_node(g, &n);
        add_channels(g, "image/gain", gain, nhwc);
        add_channels(g, "image/offset", bias, nhwc);
        add_node(g, "Mul", "image/product", "image/float", "image/gain", NULL);
        add_node(g, "Add", "image/scaled", "image/product", "image/offset", NULL);
        at = name_of(g, ANI_INPUT, "scaled");
    }
    if (zero < 0 || zero > 0) {
        add_scalar(g, "image/zero_value", zero);
        add_node(g, "Sub", "image/moved", at.text, "image/zero_value", NULL);
        at = name_of(g, ANI_INPUT, "moved");
    }
    if (nhwc) {
        node n = begin_node("Transpose", value.text);
        add_input(&n, at.text);
        add_integers(&n, "perm", (int64_t[]){0, 3, 1, 2}, 4);
        end_node(g, &n);
    } else {
        add_node(g, "Identity", value.text, at.text, NULL, NULL);
    }
    if (g->codes) settle_value(g, ANI_INPUT, value.text);
    return AN_OK;
}

static void add_head(graph *g) {
    const ani_net_spec *spec = g->spec;
    const bool classes = g->facts->task == AN_TASK_CLASSIFICATION;
    const int64_t outputs = spec->outputs;
    const int64_t kernel[] = {spec->units[spec->unit_count - 1].cout, outputs};
    add_floats(g, "dense/kernel", array_of(g, "dense", "kernel"), kernel, 2);
    add_floats(g, "dense/bias", array_of(g, "dense", "bias"), &outputs, 1);
    add_node(g, "GlobalAveragePool", "pool", name_of(g, spec->unit_count - 1, "value").text, NULL,
             NULL);
    node n = begin_node("Flatten", "features");
    add_input(&n, "pool");
    add_integer(&n, "axis", 1);
    end_node(g, &n);
    add_node(g, "Gemm", classes ? "logits" : "prediction", "features", "dense/kernel",
             "dense/bias");
    if (classes && outputs == 1) add_node(g, "Sigmoid", "prediction", "logits", NULL, NULL);
    if (classes && outputs > 1) {
        n = begin_node("Softmax", "prediction");
        add_input(&n, "logits");
        add_integer(&n, "axis", 1);
        end_node(g, &n);
    }
    add_value_shape(&g->bytes, GRAPH_OUTPUT, "prediction", ONNX_FLOAT, (int64_t[]){-1, outputs}, 2);
}

/* --- the file --------------------------------------------------------------------------------- */

/* What the int8 graph needs besides the weights. */
static an_status take_calibration(graph *g, an_error *err) {
    const int64_t count = (int64_t)g->spec->unit_count + 1;
    const int64_t ranges = an_arrays_find(g->arrays, ANI_RANGES_NAME);
    if (g->options->inference == AN_INFERENCE_FP32) return AN_OK;
    if (ranges < 0)
        return ani_fail(err, AN_ERR_ARG,
                        "export: inference is int8, and the model is not calibrated; see "
                        "an_model_calibrate_begin()");
    g->codes = ani_alloc_zero(count, sizeof *g->codes);
    if (!g->codes) return ani_fail_memory(err, -1, "the codes of a network");
    g->codes[0] = ani_quant_codes(&g->facts->image);
    for (int64_t u = 1; u < count; u++) {
        const float *ends = an_arrays_data(g->arrays, ranges) + 2 * (u - 1);
        g->codes[u] = ani_quant_codes(&(ani_range){ends[0], ends[1]});
    }
    g->means = an_arrays_data(g->arrays, an_arrays_find(g->arrays, ANI_MEANS_NAME));
    return AN_OK;
}

static an_status flush(graph *g, an_error *err) {
    if (g->bytes.failed) return ani_fail_memory(err, g->bytes.size, "an ONNX graph");
    an_status st = AN_OK;
    if (g->writer) st = ani_writer_write(g->writer, g->bytes.bytes, g->bytes.size, err);
    g->size += g->bytes.size;
    g->bytes.size = 0; /* its room stays */
    return st;
}

static an_status make_graph(graph *g, an_error *err) {
    g->size = 0;
    ani_proto_string(&g->bytes, GRAPH_NAME, "MobileNetV2");
    add_scalar(g, "zero", 0);
    add_scalar(g, "six", 6);
    an_status st = add_image(g, err);
    for (int32_t u = 0; !st && u < g->spec->unit_count; u++) {
        st = add_unit(g, u, err);
        if (!st) st = flush(g, err);
    }
    if (st) return st;
    add_head(g);
    return flush(g, err);
}

static void add_metadata(ani_text *to, const char *key, const char *value) {
    ani_text entry = {0};
    ani_proto_string(&entry, ENTRY_KEY, key);
    ani_proto_string(&entry, ENTRY_VALUE, value);
    ani_proto_message(to, MODEL_METADATA, &entry);
}

/* The fields before and after the graph. */
static void add_model(ani_text *before, ani_text *after, const graph *g) {
    ani_text opset = {0};
    ani_proto_number(before, MODEL_IR_VERSION, IR_VERSION);
    ani_proto_string(before, MODEL_PRODUCER, "libattractivenet");
    ani_proto_string(before, MODEL_PRODUCER_VERSION, an_version());
    ani_proto_begin(before, MODEL_GRAPH, g->size);
    ani_proto_number(&opset, OPSET_VERSION, OPSET);
    ani_proto_message(after, MODEL_OPSET, &opset);
    for (int64_t i = 0; i < an_arrays_metadata_count(g->arrays); i++) {
        const char *key = an_arrays_metadata_key(g->arrays, i);
        /* "format" and "inference" are about our own file */
        if (strcmp(key, "format") != 0 && strcmp(key, "inference") != 0)
            add_metadata(after, key, an_arrays_metadata(g->arrays, key));
    }
    add_metadata(after, "input",
                 g->options->include_scale ? "bytes 0 to 255, RGB" : "scaled values, RGB");
}

an_status ani_onnx_write(const an_arrays *arrays, const an_model *model, const char *path,
                         const an_export_options *options, an_error *err) {
    ani_writer *writer = NULL;
    ani_text before = {0}, after = {0};
    graph g = {.spec = ani_net_spec_of(ani_model_net(model)),
               .facts = ani_model_facts_of(model),
               .arrays = arrays,
               .options = options};
    an_status st = take_calibration(&g, err);
    if (!st) st = make_graph(&g, err);
    if (st) goto done;
    add_model(&before, &after, &g);
    if (before.failed || after.failed) {
        st = ani_fail_memory(err, after.size, "an ONNX model");
        goto done;
    }
    st = ani_writer_begin(&writer, path, err);
    if (!st) st = ani_writer_write(writer, before.bytes, before.size, err);
    g.writer = writer;
    if (!st) st = make_graph(&g, err);
    if (!st) st = ani_writer_write(writer, after.bytes, after.size, err);
    if (st) goto done;
    st = ani_writer_commit(writer, err);
    writer = NULL;
done:
    ani_writer_abort(writer);
    ani_text_clear(&before);
    ani_text_clear(&after);
    ani_text_clear(&g.bytes);
    ani_free(g.codes);
    return st;
}
