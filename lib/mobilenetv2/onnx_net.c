/* SPDX-License-Identifier: MIT
 * The walk along an ONNX graph. Its nodes come in an order in which they can be computed. Each is
 * computed on what its inputs stand for: a constant, the image on its way to the network, the
 * output of unit u, the pooled features, the logits. A node that leads to something else is
 * refused. So it does not matter how an exporter names or groups its nodes, and no graph is read as
 * something that it does not compute.
 *
 * A unit's convolution is followed by batch norm, or by factors and shifts into which it has been
 * folded; then, by the table of units, it is clipped or added to another unit's output. Each of
 * these steps gives a new version of the unit's output, and only the newest one may be used.
 *
 * Without batch norm, the unit gets one that changes nothing: mean 0, variance 1 - epsilon, factors
 * and shifts as gamma and beta. With a variance of (float)(1 - epsilon), gamma / sqrt(variance +
 * epsilon) is within 2^-26 of gamma, so that the product with a weight rounds to that weight. */
#include "mobilenetv2/onnx_net.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "dataset/scale.h"
#include "io/arrays.h"
#include "io/onnx_file.h"
#include "layers/model.h"
#include "mobilenetv2/build.h"
#include "mobilenetv2/facts.h"

enum { UNKNOWN, NCHW, NHWC };
enum { NO_UNIT = -2, IMAGE = -1 }; /* as a unit: none; the image */
enum { MAX_CHANNELS = 1 << 20 };

/** What a value of the graph stands for. */
enum { CONSTANT, MAP, POOLED, FEATURES, LOGITS, PREDICTION, SHAPE };

typedef struct value {
    ani_onnx_text name;
    int32_t kind;
    /* MAP: the image or a unit's output; POOLED */
    int32_t unit, version, layout;
    ani_mnv2_pad pad; /* around it, with zeros */
    /* CONSTANT */
    bool is_turned; /* transposed */
    ani_onnx_tensor tensor;
} value;

/** The image, and each unit as far as it has been found. */
typedef struct unit_state {
    ani_onnx_text name;          /* of its convolution */
    int32_t version;             /* newest */
    int32_t last;                /* version that others take; 0: not yet taken */
    int32_t residual;            /* unit that is added; NO_UNIT: none */
    bool has_norm, is_added;     /* is_added: with a shift of a node of its own */
    float low, high;             /* between which it is clipped */
    int64_t cout, height, width; /* sizes: -1 if the image's is free */
    float *gamma, *beta, *mean, *variance;
} unit_state;

typedef struct walk {
    ani_onnx_file file;
    an_arrays *arrays;
    ani_unit_spec *units; /* of alpha 1, for all that does not depend on it */
    value *values;
    int64_t count;
    int64_t *slots, slot_count;         /* open addressing: a value by its name; -1: free */
    unit_state all[ANI_MNV2_UNITS + 1]; /* the image, then the units */
    int32_t next;                       /* unit whose convolution comes next */
    ani_mnv2_pads pads;
    int32_t layout;   /* of the image, as the graph's input */
    int64_t input[4]; /* its shape; -1: free */
    int32_t element;
    double gain[3], bias[3]; /* from a pixel to the image's value */
    bool is_scaled;
    double epsilon; /* of batch norm; 0: there was none */
    int64_t features, outputs;
    float *head_bias;
    bool head_added;
    int32_t task;
} walk;

static unit_state *state_of(walk *w, int32_t unit) {
    return &w->all[unit + 1];
}

/* --- messages --------------------------------------------------------------------------------- */

/* "node 'x' (Conv): " and what is wrong with it. */
__attribute__((format(printf, 4, 5))) static an_status
refuse(const walk *w, const ani_onnx_node *node, an_error *err, const char *format, ...) {
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return ani_fail(err, AN_ERR_UNSUPPORTED, "model: '%s': node '%.*s' (%.*s) %s", w->file.path,
                    ANI_ONNX_SHOW(node->name), ANI_ONNX_SHOW(node->kind), text);
}

static const char *unit_name(const walk *w, int32_t unit) {
    return unit == NO_UNIT ? "nothing" : unit == IMAGE ? "the image" : w->units[unit].conv_name;
}

/* --- values by name --------------------------------------------------------------------------- */

/* FNV-1a */
static uint64_t hash_of(ani_onnx_text name) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (int64_t i = 0; i < name.size; i++)
        hash = (hash ^ (uint8_t)name.bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

/* The slot of a name, or the free one where it would go. */
static int64_t slot_of(const walk *w, ani_onnx_text name) {
    const uint64_t mask = (uint64_t)w->slot_count - 1;
    uint64_t slot = hash_of(name) & mask;
    for (; w->slots[slot] >= 0; slot = (slot + 1) & mask) {
        const ani_onnx_text other = w->values[w->slots[slot]].name;
        if (other.size == name.size && !memcmp(other.bytes, name.bytes, (size_t)name.size)) break;
    }
    return (int64_t)slot;
}

static value *find_value(const walk *w, ani_onnx_text name) {
    const int64_t at = name.size ? w->slots[slot_of(w, name)] : -1;
    return at < 0 ? NULL : &w->values[at];
}

static an_status add_value(walk *w, ani_onnx_text name, const value *content, an_error *err) {
    if (!name.size) return AN_OK; /* an output that nobody uses */
    const int64_t slot = slot_of(w, name);
    if (w->slots[slot] >= 0)
        return ani_fail(err, AN_ERR_FORMAT, "model: '%s': two values are named '%.*s'",
                        w->file.path, ANI_ONNX_SHOW(name));
    w->values[w->count] = *content;
    w->values[w->count].name = name;
    w->slots[slot] = w->count++;
    return AN_OK;
}

/* Room for all constants, the output of each node, and the input. */
static an_status make_room(walk *w, an_error *err) {
    const int64_t room = w->file.nodes + w->file.constants + 1;
    for (w->slot_count = 64; w->slot_count < 2 * room;)
        w->slot_count *= 2;
    w->values = ani_alloc_zero(room, sizeof *w->values);
    w->slots = ani_alloc(w->slot_count * (int64_t)sizeof *w->slots);
    w->units = ani_alloc_zero(ANI_MNV2_UNITS, sizeof *w->units);
    if (!w->values || !w->slots || !w->units)
        return ani_fail_memory(err, room * (int64_t)sizeof *w->values, "an ONNX graph");
    memset(w->slots, 0xff, (size_t)w->slot_count * sizeof *w->slots);
    return AN_OK;
}

/* --- constants -------------------------------------------------------------------------------- */

/* Input i of a node as a constant. *out NULL: the node does not have it, and it is not needed. */
static an_status constant_at(const walk *w, const ani_onnx_node *node, int32_t i, bool is_needed,
                             const value **out, an_error *err) {
    *out = NULL;
    if (i >= node->input_count || !node->inputs[i].size)
        return is_needed ? refuse(w, node, err, "has no input %d", (int)i + 1) : AN_OK;
    *out = find_value(w, node->inputs[i]);
    if (*out && (*out)->kind == CONSTANT) return AN_OK;
    return refuse(w, node, err, "has an input '%.*s', which must be a constant",
                  ANI_ONNX_SHOW(node->inputs[i]));
}

/* A single number. */
static an_status number_of(const walk *w, const ani_onnx_node *node, const value *constant,
                           float *out, an_error *err) {
    if (constant->tensor.count != 1)
        return refuse(w, node, err, "has a constant of %lld values; it must have 1",
                      (long long)constant->tensor.count);
    return ani_onnx_read_floats(&w->file, &constant->tensor, out, err);
}

/* A short list of integers: axes, lengths, sides. */
static an_status integers_of(const walk *w, const ani_onnx_node *node, const value *constant,
                             int64_t out[ANI_ONNX_MAX_NUMBERS], int32_t *count, an_error *err) {
    if (constant->tensor.count > ANI_ONNX_MAX_NUMBERS)
        return refuse(w, node, err, "has a list of %lld numbers; it must have %d at most",
                      (long long)constant->tensor.count, ANI_ONNX_MAX_NUMBERS);
    *count = (int32_t)constant->tensor.count;
    return ani_onnx_read_integers(&w->file, &constant->tensor, out, err);
}

/* The same from an attribute, else from input i. *found: there is one. */
static an_status list_of(const walk *w, const ani_onnx_node *node, const char *name, int32_t i,
                         int64_t out[ANI_ONNX_MAX_NUMBERS], int32_t *count, bool *found,
                         an_error *err) {
    ani_onnx_attribute attribute;
    const value *constant;
    an_status st = ani_onnx_attribute_of(&w->file, node, name, &attribute, found, err);
    if (st) return st;
    if (*found) {
        *count = attribute.count;
        memcpy(out, attribute.integers, sizeof attribute.integers);
        return AN_OK;
    }
    if (i >= 0) {
        st = constant_at(w, node, i, false, &constant, err);
        if (st || !constant) return st;
        *found = true;
        return integers_of(w, node, constant, out, count, err);
    }
    return AN_OK;
}

/* Values of channels, [count]: from a constant with one value for all of them, or one for each, in
 * the place where the map's layout has its channels. The layout is settled if it was open. */
static an_status channels_of(const walk *w, const ani_onnx_node *node, const value *constant,
                             int64_t count, int32_t *layout, float *out, an_error *err) {
    const ani_onnx_tensor *tensor = &constant->tensor;
    int32_t axis = -1; /* from the end */
    for (int32_t i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] != 1) axis = axis < 0 ? tensor->rank - i : 100;
    if (tensor->count == 1) {
        an_status st = number_of(w, node, constant, out, err);
        for (int64_t c = 1; !st && c < count; c++)
            out[c] = out[0];
        return st;
    }
    const int32_t has = axis == 1 ? NHWC : axis == 3 ? NCHW : UNKNOWN;
    char shown[ANI_SHOWN_SHAPE_SIZE];
    if (tensor->count != count || constant->is_turned || has == UNKNOWN ||
        (*layout != UNKNOWN && *layout != has) || tensor->rank > 4)
        return refuse(w, node, err, "has a constant of shape %s; it must be of %lld channels",
                      ani_shape_show(shown, tensor->shape, tensor->rank), (long long)count);
    *layout = has;
    return ani_onnx_read_floats(&w->file, tensor, out, err);
}

static an_status read_constants(walk *w, an_error *err) {
    ani_proto_cursor at = w->file.graph, part;
    if (ani_onnx_next(&at, ANI_ONNX_SPARSE, &part))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s' has sparse constants, which are not read here", w->file.path);
    at = w->file.graph;
    while (ani_onnx_next(&at, ANI_ONNX_CONSTANT, &part)) {
        value v = {.kind = CONSTANT};
        an_status st = ani_onnx_read_tensor(&w->file, &part, &v.tensor, err);
        if (!st) st = add_value(w, v.tensor.name, &v, err);
        if (st) return st;
    }
    return AN_OK;
}

/* --- the image -------------------------------------------------------------------------------- */

/* The layout of the graph's input follows from what happens to it. */
static an_status settle_layout(walk *w, const ani_onnx_node *node, int32_t layout, an_error *err) {
    static const char *const words[] = {"", "[N,3,H,W]", "[N,H,W,3]"};
    if (w->layout != UNKNOWN && w->layout != layout)
        return refuse(w, node, err, "takes the image as %s, but it was %s before", words[layout],
                      words[w->layout]);
    w->layout = layout;
    return AN_OK;
}

static an_status read_input(walk *w, an_error *err) {
    ani_proto_cursor at = w->file.graph, part;
    ani_onnx_value input;
    value image = {.kind = MAP, .unit = IMAGE, .version = 1};
    bool has_image = false;
    while (ani_onnx_next(&at, ANI_ONNX_INPUT, &part)) {
        an_status st = ani_onnx_read_value(&w->file, &part, &input, err);
        if (st) return st;
        if (find_value(w, input.name)) continue; /* old files list their constants, too */
        if (has_image)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "model: '%s' has a second input '%.*s'; it must have one, the image",
                            w->file.path, ANI_ONNX_SHOW(input.name));
        has_image = true;
        if (input.rank >= 0 && input.rank != 4)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "model: '%s': input '%.*s' has %d axes; it must have 4", w->file.path,
                            ANI_ONNX_SHOW(input.name), (int)input.rank);
        w->element = input.type;
        for (int32_t i = 0; i < 4; i++)
            w->input[i] = input.rank == 4 ? input.shape[i] : -1;
        st = add_value(w, input.name, &image, err);
        if (st) return st;
    }
    if (!has_image) return ani_fail(err, AN_ERR_FORMAT, "model: '%s' has no input", w->file.path);
    return AN_OK;
}

/* The first convolution takes the image: its size is known now. */
static an_status settle_image(walk *w, const ani_onnx_node *node, const value *image,
                              an_error *err) {
    unit_state *f = state_of(w, IMAGE);
    /* no transposition and no constant has told: as the convolution has it */
    an_status st = image->layout == UNKNOWN ? settle_layout(w, node, NCHW, err) : AN_OK;
    if (st) return st;
    const bool is_last = w->layout == NHWC;
    const int64_t channels = w->input[is_last ? 3 : 1];
    f->height = w->input[is_last ? 1 : 2];
    f->width = w->input[is_last ? 2 : 3];
    f->cout = 3;
    if (channels >= 0 && channels != 3)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s': the image has %lld channels; it must have 3", w->file.path,
                        (long long)channels);
    return AN_OK;
}

/* x -> x * factor + shift */
static an_status scale_image(walk *w, const ani_onnx_node *node, value *image,
                             const value *constant, bool is_turned, an_error *err) {
    const bool is_product = ani_onnx_is(node->kind, "Mul"),
               is_ratio = ani_onnx_is(node->kind, "Div");
    float numbers[3];
    int32_t layout = image->layout;
    an_status st = channels_of(w, node, constant, 3, &layout, numbers, err);
    /* a constant on the layout of the map as it is now; none has turned it yet if it is unknown */
    if (!st && image->layout == UNKNOWN && layout != UNKNOWN)
        st = settle_layout(w, node, layout, err);
    if (st) return st;
    image->layout = layout;
    if (is_turned && is_ratio) return refuse(w, node, err, "divides by the image");
    const bool is_negative = is_turned && ani_onnx_is(node->kind, "Sub");
    for (int32_t c = 0; c < 3; c++) {
        const double number = (double)numbers[c];
        const double factor = is_product ? number : is_ratio ? 1 / number : is_negative ? -1 : 1;
        const double shift = is_product || is_ratio                         ? 0
                             : ani_onnx_is(node->kind, "Sub") && !is_turned ? -number
                                                                            : number;
        w->gain[c] *= factor;
        w->bias[c] = w->bias[c] * factor + shift;
    }
    w->is_scaled = true;
    image->version = ++state_of(w, IMAGE)->version;
    return AN_OK;
}

/* --- units ------------------------------------------------------------------------------------ */

/* A map that a node takes: input i. */
static an_status map_at(walk *w, const ani_onnx_node *node, int32_t i, value *out, an_error *err) {
    const value *v = i < node->input_count ? find_value(w, node->inputs[i]) : NULL;
    if (!v && i < node->input_count)
        return ani_fail(err, AN_ERR_FORMAT,
                        "model: '%s': node '%.*s' takes '%.*s', which nothing before it computes",
                        w->file.path, ANI_ONNX_SHOW(node->name), ANI_ONNX_SHOW(node->inputs[i]));
    if (!v || v->kind != MAP)
        return refuse(w, node, err,
                      "takes something else than the network's image or maps; %s is "
                      "next",
                      unit_name(w, w->next < ANI_MNV2_UNITS ? w->next : NO_UNIT));
    *out = *v;
    return AN_OK;
}

static bool has_pad(const value *map) {
    return map->pad.top || map->pad.bottom || map->pad.left || map->pad.right;
}

/* The newest version of a unit's output, which a node changes. */
static an_status check_newest(walk *w, const ani_onnx_node *node, const value *map, an_error *err) {
    const unit_state *f = state_of(w, map->unit);
    if (map->version == f->version && !f->last && !has_pad(map)) return AN_OK;
    return refuse(w, node, err, "takes the output of %s %s", unit_name(w, map->unit),
                  has_pad(map) ? "with padding, which only a convolution may"
                               : "as it was before another node changed it, or after its use");
}

/* A unit's output is complete: others take it as it is now. */
static an_status settle(walk *w, const ani_onnx_node *node, const value *map, an_error *err) {
    unit_state *f = state_of(w, map->unit);
    if (f->last ? map->version != f->last : map->version != f->version)
        return refuse(w, node, err,
                      "takes the output of %s as it was before another node changed it",
                      unit_name(w, map->unit));
    f->last = f->version;
    if (map->unit == IMAGE) return AN_OK;
    const bool clips = w->units[map->unit].relu6;
    const float low = clips ? 0 : -INFINITY, high = clips ? 6 : INFINITY;
    if (f->low < low || f->low > low || f->high < high || f->high > high)
        return refuse(w, node, err,
                      "takes the output of '%.*s' clipped to %g and %g; MobileNetV2 "
                      "has %g and %g",
                      ANI_ONNX_SHOW(f->name), (double)f->low, (double)f->high, (double)low,
                      (double)high);
    return AN_OK;
}

/* Attributes of a convolution. */
typedef struct convolution {
    int64_t stride, group;
    ani_mnv2_pad pad;
    int32_t automatic; /* -1: SAME_LOWER, 1: SAME_UPPER, 0: pad */
} convolution;

static an_status read_convolution(const walk *w, const ani_onnx_node *node, int64_t side,
                                  convolution *out, an_error *err) {
    int64_t numbers[ANI_ONNX_MAX_NUMBERS];
    ani_onnx_attribute attribute;
    int32_t count;
    bool found;
    *out = (convolution){.stride = 1, .group = 1};
    an_status st = ani_onnx_check_attributes(
        &w->file, node, "auto_pad dilations group kernel_shape pads strides", err);
    if (!st) st = list_of(w, node, "dilations", -1, numbers, &count, &found, err);
    if (st) return st;
    if (found && (count != 2 || numbers[0] != 1 || numbers[1] != 1))
        return refuse(w, node, err, "has dilations; MobileNetV2 has none");
    st = list_of(w, node, "kernel_shape", -1, numbers, &count, &found, err);
    if (st) return st;
    if (found && (count != 2 || numbers[0] != side || numbers[1] != side))
        return refuse(w, node, err, "has another kernel_shape than its kernel, which is %lldx%lld",
                      (long long)side, (long long)side);
    st = list_of(w, node, "strides", -1, numbers, &count, &found, err);
    if (st) return st;
    if (found && (count != 2 || numbers[0] != numbers[1]))
        return refuse(w, node, err, "has different strides along rows and columns");
    if (found) out->stride = numbers[0];
    st = list_of(w, node, "pads", -1, numbers, &count, &found, err);
    if (st) return st;
    for (int32_t i = 0; found && i < 4; i++)
        if (count != 4 || numbers[i] < 0 || numbers[i] > 2)
            return refuse(w, node, err, "has pads that are not four numbers of 0 to 2");
    if (found)
        out->pad = (ani_mnv2_pad){.top = (int32_t)numbers[0],
                                  .left = (int32_t)numbers[1],
                                  .bottom = (int32_t)numbers[2],
                                  .right = (int32_t)numbers[3]};
    st = ani_onnx_attribute_of(&w->file, node, "group", &attribute, &found, err);
    if (st) return st;
    if (found) out->group = attribute.integer;
    st = ani_onnx_attribute_of(&w->file, node, "auto_pad", &attribute, &found, err);
    if (st || !found || ani_onnx_is(attribute.text, "NOTSET")) return st;
    out->pad = (ani_mnv2_pad){0};
    out->automatic = ani_onnx_is(attribute.text, "SAME_UPPER")   ? 1
                     : ani_onnx_is(attribute.text, "SAME_LOWER") ? -1
                                                                 : 0;
    if (!out->automatic && !ani_onnx_is(attribute.text, "VALID"))
        return refuse(w, node, err, "has auto_pad '%.*s', which ONNX does not have",
                      ANI_ONNX_SHOW(attribute.text));
    return AN_OK;
}

/* "SAME" along rows or columns. */
static void pad_same(int64_t length, int64_t stride, int64_t side, bool is_upper, int32_t *before,
                     int32_t *after) {
    const int64_t outputs = (length + stride - 1) / stride;
    const int64_t needed = (outputs - 1) * stride + side - length;
    const int32_t all = needed > 0 ? (int32_t)needed : 0;
    *before = is_upper ? all / 2 : all - all / 2;
    *after = all - *before;
}

/* The padding of a unit: the node's own, and that of a Pad node before it. */
static an_status settle_pad(walk *w, const ani_onnx_node *node, const value *map, int64_t side,
                            convolution *c, an_error *err) {
    const unit_state *in = state_of(w, map->unit);
    if (c->automatic && has_pad(map)) return refuse(w, node, err, "has auto_pad after a Pad node");
    if (c->automatic && c->stride > 1 && (in->height < 0 || in->width < 0))
        return refuse(w, node, err,
                      "has auto_pad, which depends on the image's size, and the file "
                      "does not state it");
    if (c->automatic && c->stride == 1) {
        c->pad = side == 3 ? (ani_mnv2_pad){1, 1, 1, 1} : (ani_mnv2_pad){0};
    } else if (c->automatic) {
        pad_same(in->height, c->stride, side, c->automatic > 0, &c->pad.top, &c->pad.bottom);
        pad_same(in->width, c->stride, side, c->automatic > 0, &c->pad.left, &c->pad.right);
    }
    c->pad.top += map->pad.top;
    c->pad.bottom += map->pad.bottom;
    c->pad.left += map->pad.left;
    c->pad.right += map->pad.right;
    const int32_t most = c->stride == 2 ? 2 : side == 3, least = c->stride == 2 ? 0 : side == 3;
    const int32_t sides[4] = {c->pad.top, c->pad.bottom, c->pad.left, c->pad.right};
    for (int32_t i = 0; i < 4; i++)
        if (sides[i] < least || sides[i] > most)
            return refuse(w, node, err, "is padded by %d,%d,%d,%d; each must be %d%s", sides[0],
                          sides[1], sides[2], sides[3], least, most > least ? " to 2" : "");
    return AN_OK;
}

/* Append an array of unit u: [count], or a kernel of four axes. */
static an_status append(walk *w, const char *layer, const char *variable, const int64_t *shape,
                        int32_t rank, float **out, an_error *err) {
    char path[ANI_ARRAY_NAME_SIZE];
    snprintf(path, sizeof path, "%s/%s", layer, variable);
    return ani_arrays_append(w->arrays, path, shape, rank, out, err);
}

/* Store a kernel, [out,in,h,w] in ONNX, in Keras' order: [h,w,in,out], depthwise [h,w,out,1]. */
static an_status take_kernel(walk *w, int32_t u, const ani_onnx_tensor *tensor, an_error *err) {
    const bool is_depthwise = w->units[u].kind == ANI_UNIT_DEPTHWISE;
    const int64_t cout = tensor->shape[0], cin = tensor->shape[1], side = tensor->shape[2];
    const int64_t taps = side * side;
    const int64_t shape[4] = {side, side, is_depthwise ? cout : cin, is_depthwise ? 1 : cout};
    float *out, *values = ani_alloc(tensor->count * (int64_t)sizeof *values);
    if (!values) return ani_fail_memory(err, tensor->count * (int64_t)sizeof *values, "a kernel");
    an_status st = ani_onnx_read_floats(&w->file, tensor, values, err);
    if (!st)
        st = append(w, w->units[u].conv_name, is_depthwise ? "depthwise_kernel" : "kernel", shape,
                    4, &out, err);
    for (int64_t t = 0; !st && t < taps; t++)
        for (int64_t i = 0; i < cin; i++)
            for (int64_t j = 0; j < cout; j++)
                out[(t * cin + i) * cout + j] = values[(j * cin + i) * taps + t];
    ani_free(values);
    return st;
}

/* Append batch norm that changes nothing; the variance follows when epsilon is known. */
static an_status begin_norm(walk *w, int32_t u, an_error *err) {
    unit_state *f = state_of(w, u);
    const char *layer = w->units[u].bn_name;
    an_status st = append(w, layer, "gamma", &f->cout, 1, &f->gamma, err);
    if (!st) st = append(w, layer, "beta", &f->cout, 1, &f->beta, err);
    if (!st) st = append(w, layer, "moving_mean", &f->cout, 1, &f->mean, err);
    if (!st) st = append(w, layer, "moving_variance", &f->cout, 1, &f->variance, err);
    for (int64_t j = 0; !st && j < f->cout; j++) {
        f->gamma[j] = 1;
        f->beta[j] = f->mean[j] = 0;
    }
    return st;
}

/* A kernel must be that of the next unit, apart from its channels. */
static an_status check_kernel(const walk *w, const ani_onnx_node *node, const ani_onnx_tensor *k,
                              const convolution *c, int64_t channels, an_error *err) {
    const ani_unit_spec *unit = &w->units[w->next];
    const bool is_depthwise = unit->kind == ANI_UNIT_DEPTHWISE;
    const int64_t side = unit->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    char shown[ANI_SHOWN_SHAPE_SIZE];
    if (c->stride != unit->stride)
        return refuse(w, node, err, "has stride %lld; MobileNetV2's %s has %d",
                      (long long)c->stride, unit->conv_name, (int)unit->stride);
    if (c->group != (is_depthwise ? channels : 1))
        return refuse(w, node, err, "has group %lld; MobileNetV2's %s has %lld",
                      (long long)c->group, unit->conv_name,
                      (long long)(is_depthwise ? channels : 1));
    if (k->shape[1] != (is_depthwise ? 1 : channels) || k->shape[2] != side ||
        k->shape[3] != side || k->shape[0] < 1 || k->shape[0] > MAX_CHANNELS ||
        (is_depthwise && k->shape[0] != channels))
        return refuse(w, node, err,
                      "has a kernel of shape %s; MobileNetV2's %s has %s[%lld,%lld,"
                      "%lld,%lld]",
                      ani_shape_show(shown, k->shape, k->rank), unit->conv_name,
                      is_depthwise ? "" : "any number of ",
                      (long long)(is_depthwise ? channels : k->shape[0]),
                      (long long)(is_depthwise ? 1 : channels), (long long)side, (long long)side);
    return AN_OK;
}

static int64_t length_after(int64_t length, int32_t pads, int64_t side, int64_t stride) {
    return length < 0 ? -1 : length + pads < side ? 0 : (length + pads - side) / stride + 1;
}

static an_status on_convolution(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    const value *kernel, *bias;
    convolution c;
    an_status st = map_at(w, node, 0, out, err);
    if (!st) st = constant_at(w, node, 1, true, &kernel, err);
    if (!st) st = constant_at(w, node, 2, false, &bias, err);
    if (st) return st;
    if (w->next == ANI_MNV2_UNITS)
        return refuse(w, node, err, "follows the last of MobileNetV2's %d convolutions",
                      ANI_MNV2_UNITS);
    const int32_t u = w->next;
    const ani_onnx_tensor *k = &kernel->tensor;
    if (k->rank != 4 || kernel->is_turned)
        return refuse(w, node, err, "has a kernel of %d axes; it must have 4", (int)k->rank);
    if (out->unit != u - 1)
        return refuse(w, node, err, "takes the output of %s; MobileNetV2's %s takes that of %s",
                      unit_name(w, out->unit), unit_name(w, u), unit_name(w, u - 1));
    st = settle(w, node, out, err);
    if (!st && u == 0) st = settle_image(w, node, out, err);
    if (!st && out->layout == NHWC) st = refuse(w, node, err, "takes channels last, as [N,H,W,C]");
    if (!st) st = read_convolution(w, node, k->shape[2], &c, err);
    if (!st) st = check_kernel(w, node, k, &c, state_of(w, u - 1)->cout, err);
    if (!st) st = settle_pad(w, node, out, k->shape[2], &c, err);
    if (!st) st = take_kernel(w, u, k, err);
    if (st) return st;
    const unit_state *in = state_of(w, u - 1);
    unit_state *f = state_of(w, u);
    *f = (unit_state){.name = node->name,
                      .version = 1,
                      .residual = NO_UNIT,
                      .low = -INFINITY,
                      .high = INFINITY,
                      .cout = k->shape[0]};
    f->height = length_after(in->height, c.pad.top + c.pad.bottom, k->shape[2], c.stride);
    f->width = length_after(in->width, c.pad.left + c.pad.right, k->shape[2], c.stride);
    st = begin_norm(w, u, err);
    if (st) return st;
    int32_t down = 0;
    for (int32_t i = 1; i < u; i++)
        down += w->units[i].stride == 2;
    if (w->units[u].stride == 2) *(u ? &w->pads.down[down] : &w->pads.stem) = c.pad;
    if (bias) {
        if (bias->tensor.count != f->cout)
            return refuse(w, node, err, "has %lld biases and %lld channels",
                          (long long)bias->tensor.count, (long long)f->cout);
        st = ani_onnx_read_floats(&w->file, &bias->tensor, f->beta, err);
    }
    w->next++;
    *out = (value){.kind = MAP, .unit = u, .version = 1, .layout = NCHW};
    return st;
}

/* What changes a unit's output before it is clipped or added. */
static an_status open_unit(walk *w, const ani_onnx_node *node, value *map, unit_state **out,
                           an_error *err) {
    an_status st = check_newest(w, node, map, err);
    *out = state_of(w, map->unit);
    if (st) return st;
    if (map->unit == IMAGE || (*out)->has_norm || (*out)->residual != NO_UNIT ||
        !isinf((*out)->low) || !isinf((*out)->high))
        return refuse(w, node, err,
                      "changes the output of %s, which is already complete, or its "
                      "batch norm is",
                      unit_name(w, map->unit));
    return AN_OK;
}

static an_status on_norm(walk *w, const ani_onnx_node *node, value *map, an_error *err) {
    const value *constants[4];
    ani_onnx_attribute attribute;
    bool is_there;
    unit_state *f;
    an_status st = map_at(w, node, 0, map, err);
    if (!st) st = open_unit(w, node, map, &f, err);
    if (!st)
        st = ani_onnx_check_attributes(&w->file, node, "epsilon momentum training_mode spatial",
                                       err);
    for (int32_t i = 0; !st && i < 4; i++) {
        st = constant_at(w, node, i + 1, true, &constants[i], err);
        if (!st && constants[i]->tensor.count != f->cout)
            st = refuse(w, node, err, "has an input of %lld values and %lld channels",
                        (long long)constants[i]->tensor.count, (long long)f->cout);
    }
    if (!st)
        st = ani_onnx_attribute_of(&w->file, node, "training_mode", &attribute, &is_there, err);
    if (st) return st;
    if (map->layout != NCHW || (is_there && attribute.integer))
        return refuse(w, node, err,
                      map->layout != NCHW ? "takes channels last, as [N,H,W,C]"
                                          : "is in training mode");
    st = ani_onnx_attribute_of(&w->file, node, "epsilon", &attribute, &is_there, err);
    if (st) return st;
    /* a float: as the shortest number that it can mean */
    const double epsilon = is_there ? round((double)attribute.number * 1e12) / 1e12 : 1e-5;
    if (!(epsilon > 0 && epsilon <= 1) || (w->epsilon > 0 && fabs(w->epsilon - epsilon) > 1e-9))
        return refuse(w, node, err, "has epsilon %g; it must be %g, as in the layers before",
                      epsilon, w->epsilon > 0 ? w->epsilon : 1e-5);
    w->epsilon = epsilon;
    float *const arrays[4] = {f->gamma, NULL, f->mean, f->variance};
    for (int64_t j = 0; j < f->cout; j++)
        if (f->gamma[j] < 1 || f->gamma[j] > 1)
            return refuse(w, node, err, "follows a product by channel");
    for (int32_t i = 0; !st && i < 4; i++)
        if (arrays[i]) st = ani_onnx_read_floats(&w->file, &constants[i]->tensor, arrays[i], err);
    for (int64_t j = 0; !st && j < f->cout; j++)
        f->mean[j] -= f->beta[j]; /* the convolution's bias */
    if (!st) st = ani_onnx_read_floats(&w->file, &constants[1]->tensor, f->beta, err);
    f->has_norm = true;
    map->version = ++f->version;
    return st;
}

/* A product, sum, difference or ratio of a unit's output and constants of its channels. */
static an_status scale_unit(walk *w, const ani_onnx_node *node, value *map, const value *constant,
                            bool is_turned, an_error *err) {
    const bool is_product = ani_onnx_is(node->kind, "Mul"), is_sum = ani_onnx_is(node->kind, "Add");
    unit_state *f;
    int32_t layout = map->layout;
    an_status st = open_unit(w, node, map, &f, err);
    if (st) return st;
    if (!is_product && (!is_sum || is_turned) && !(ani_onnx_is(node->kind, "Sub") && !is_turned))
        return refuse(w, node, err, "is not part of a MobileNetV2 there");
    float *numbers = ani_alloc(f->cout * (int64_t)sizeof *numbers);
    if (!numbers) return ani_fail_memory(err, f->cout * (int64_t)sizeof *numbers, "channels");
    st = channels_of(w, node, constant, f->cout, &layout, numbers, err);
    for (int64_t j = 0; !st && j < f->cout; j++) {
        if (is_product) {
            f->gamma[j] *= numbers[j];
            f->beta[j] *= numbers[j];
        } else {
            f->beta[j] += is_sum ? numbers[j] : -numbers[j];
        }
    }
    ani_free(numbers);
    map->version = ++f->version;
    return st;
}

/* The sum of a unit's output and an earlier one. */
static an_status add_units(walk *w, const ani_onnx_node *node, value *map, const value *other,
                           an_error *err) {
    const value *newer = map->unit > other->unit ? map : other;
    const value *older = newer == map ? other : map;
    value sum = *newer;
    unit_state *f = state_of(w, sum.unit);
    an_status st = check_newest(w, node, newer, err);
    if (!st) st = settle(w, node, older, err);
    if (st) return st;
    if (newer->unit == older->unit || older->unit == IMAGE || f->residual != NO_UNIT ||
        has_pad(older) || newer->layout != older->layout)
        return refuse(w, node, err, "adds the outputs of %s and %s; MobileNetV2 does not",
                      unit_name(w, newer->unit), unit_name(w, older->unit));
    f->residual = older->unit;
    sum.version = ++f->version;
    *map = sum;
    return AN_OK;
}

/* --- the head --------------------------------------------------------------------------------- */

/* Append the dense layer's kernel, [features,outputs]; is_turned: the file has [outputs,features].
 */
static an_status take_dense(walk *w, const ani_onnx_node *node, const value *kernel, bool is_turned,
                            an_error *err) {
    const ani_onnx_tensor *k = &kernel->tensor;
    const bool turned = is_turned != kernel->is_turned;
    char shown[ANI_SHOWN_SHAPE_SIZE];
    if (k->rank != 2 || k->shape[turned] != w->features || k->shape[!turned] < 1)
        return refuse(w, node, err, "has a matrix of shape %s; the network has %lld features",
                      ani_shape_show(shown, k->shape, k->rank), (long long)w->features);
    const int64_t inputs = w->features, outputs = k->shape[!turned];
    const int64_t shape[2] = {inputs, outputs};
    float *out, *values = ani_alloc(k->count * (int64_t)sizeof *values);
    if (!values) return ani_fail_memory(err, k->count * (int64_t)sizeof *values, "a matrix");
    w->outputs = outputs;
    an_status st = ani_onnx_read_floats(&w->file, k, values, err);
    if (!st) st = append(w, "dense", "kernel", shape, 2, &out, err);
    for (int64_t i = 0; !st && i < inputs; i++)
        for (int64_t j = 0; j < outputs; j++)
            out[i * outputs + j] = turned ? values[j * inputs + i] : values[i * outputs + j];
    if (!st) st = append(w, "dense", "bias", &outputs, 1, &w->head_bias, err);
    if (!st) memset(w->head_bias, 0, (size_t)outputs * sizeof *w->head_bias);
    ani_free(values);
    return st;
}

static an_status take_bias(walk *w, const ani_onnx_node *node, const value *constant,
                           an_error *err) {
    int32_t layout = NHWC; /* the last axis */
    if (w->head_added) return refuse(w, node, err, "adds to the outputs a second time");
    w->head_added = true;
    return channels_of(w, node, constant, w->outputs, &layout, w->head_bias, err);
}

/* Input 0 of a kind. */
static an_status expect(const walk *w, const ani_onnx_node *node, int32_t kind, value *out,
                        an_error *err) {
    static const char *const words[] = {
        "a constant",     "a map", "the pooled features", "the features, [N,C]", "the outputs",
        "the prediction", ""};
    const value *v = node->input_count ? find_value(w, node->inputs[0]) : NULL;
    if (!v || v->kind != kind)
        return refuse(w, node, err, "takes something else than %s", words[kind]);
    *out = *v;
    return AN_OK;
}

static an_status on_dense(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    const bool is_gemm = ani_onnx_is(node->kind, "Gemm");
    ani_onnx_attribute attribute;
    const value *kernel, *bias = NULL;
    bool is_there, is_turned = false;
    an_status st = expect(w, node, FEATURES, out, err);
    if (!st && w->outputs) st = refuse(w, node, err, "is a second dense layer");
    if (!st) st = ani_onnx_check_attributes(&w->file, node, "alpha beta transA transB", err);
    if (!st) st = constant_at(w, node, 1, true, &kernel, err);
    if (!st && is_gemm) st = constant_at(w, node, 2, false, &bias, err);
    for (int32_t i = 0; !st && i < 2; i++) {
        st =
            ani_onnx_attribute_of(&w->file, node, i ? "beta" : "alpha", &attribute, &is_there, err);
        if (!st && is_there && (attribute.number < 1 || attribute.number > 1))
            st = refuse(w, node, err, "has %s %g; it must be 1", i ? "beta" : "alpha",
                        (double)attribute.number);
    }
    if (!st) st = ani_onnx_attribute_of(&w->file, node, "transA", &attribute, &is_there, err);
    if (!st && is_there && attribute.integer) st = refuse(w, node, err, "has transA");
    if (!st) st = ani_onnx_attribute_of(&w->file, node, "transB", &attribute, &is_there, err);
    if (!st && is_there) is_turned = attribute.integer != 0;
    if (!st) st = take_dense(w, node, kernel, is_turned, err);
    if (!st && bias) st = take_bias(w, node, bias, err);
    out->kind = LOGITS;
    return st;
}

static an_status on_probabilities(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    const bool is_softmax = ani_onnx_is(node->kind, "Softmax");
    ani_onnx_attribute attribute;
    bool is_there;
    an_status st = expect(w, node, LOGITS, out, err);
    if (!st) st = ani_onnx_check_attributes(&w->file, node, "axis", err);
    if (!st) st = ani_onnx_attribute_of(&w->file, node, "axis", &attribute, &is_there, err);
    if (st) return st;
    if (is_there && attribute.integer != 1 && attribute.integer != -1)
        return refuse(w, node, err, "has axis %lld; it must be the last one",
                      (long long)attribute.integer);
    if (is_softmax != (w->outputs > 1))
        return refuse(w, node, err,
                      is_softmax ? "follows one output; a Sigmoid would"
                                 : "follows %lld outputs; a Softmax would",
                      (long long)w->outputs);
    w->task = AN_TASK_CLASSIFICATION;
    out->kind = PREDICTION;
    return AN_OK;
}

/* --- shapes ----------------------------------------------------------------------------------- */

/* Are these axes rows and columns? */
static bool are_spatial(const int64_t *axes, int32_t count, int32_t layout) {
    const int64_t first = layout == NHWC ? 1 : 2;
    if (count != 2) return false;
    const int64_t a = axes[0] < 0 ? axes[0] + 4 : axes[0], b = axes[1] < 0 ? axes[1] + 4 : axes[1];
    return (a == first && b == first + 1) || (b == first && a == first + 1);
}

static an_status on_pool(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    int64_t axes[ANI_ONNX_MAX_NUMBERS];
    ani_onnx_attribute attribute;
    int32_t count = 0;
    bool is_there, keeps = true;
    const bool is_mean = ani_onnx_is(node->kind, "ReduceMean");
    an_status st = map_at(w, node, 0, out, err);
    if (!st)
        st = ani_onnx_check_attributes(&w->file, node,
                                       is_mean ? "axes keepdims noop_with_empty_axes" : "", err);
    if (st) return st;
    if (out->unit != ANI_MNV2_UNITS - 1 || has_pad(out))
        return refuse(w, node, err,
                      "pools the output of %s; MobileNetV2 pools that of its last "
                      "convolution",
                      unit_name(w, out->unit));
    st = settle(w, node, out, err);
    if (st) return st;
    if (is_mean) {
        st = list_of(w, node, "axes", 1, axes, &count, &is_there, err);
        if (st) return st;
        if (!is_there || !are_spatial(axes, count, out->layout))
            return refuse(w, node, err, "is not the mean over rows and columns");
        st = ani_onnx_attribute_of(&w->file, node, "keepdims", &attribute, &is_there, err);
        if (st) return st;
        keeps = !is_there || attribute.integer != 0;
    } else if (out->layout != NCHW) {
        return refuse(w, node, err, "takes channels last, as [N,H,W,C]");
    }
    w->features = state_of(w, out->unit)->cout;
    out->kind = keeps ? POOLED : FEATURES;
    return AN_OK;
}

/* Shape and what computes with it: only a Reshape of the pooled features takes the result. */
static an_status on_shape(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    bool has_shape = ani_onnx_is(node->kind, "Shape");
    for (int32_t i = 0; i < node->input_count; i++) {
        const value *v = find_value(w, node->inputs[i]);
        if (v && v->kind == SHAPE)
            has_shape = true;
        else if (!v || (v->kind != CONSTANT && !ani_onnx_is(node->kind, "Shape")))
            return refuse(w, node, err, "is not part of a MobileNetV2 there");
    }
    if (!has_shape)
        return refuse(w, node, err,
                      "computes with constants; write the file again "
                      "with constants folded");
    *out = (value){.kind = SHAPE};
    return AN_OK;
}

/* From [N,C,1,1] to [N,C]. */
static an_status on_flatten(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    int64_t numbers[ANI_ONNX_MAX_NUMBERS];
    ani_onnx_attribute attribute;
    int32_t count = 0;
    bool is_there, is_right = true;
    const bool is_squeeze = ani_onnx_is(node->kind, "Squeeze");
    const value *v = node->input_count ? find_value(w, node->inputs[0]) : NULL;
    if (v && v->kind == SHAPE) return on_shape(w, node, out, err);
    an_status st = expect(w, node, v && v->kind == FEATURES ? FEATURES : POOLED, out, err);
    if (!st) st = ani_onnx_check_attributes(&w->file, node, "axis axes allowzero shape", err);
    if (st) return st;
    if (is_squeeze) {
        st = list_of(w, node, "axes", 1, numbers, &count, &is_there, err);
        is_right = is_there && out->kind == POOLED && are_spatial(numbers, count, out->layout);
    } else if (ani_onnx_is(node->kind, "Flatten")) {
        st = ani_onnx_attribute_of(&w->file, node, "axis", &attribute, &is_there, err);
        is_right = !is_there || attribute.integer == 1 || attribute.integer == -3;
    } else if (node->input_count > 1 && (v = find_value(w, node->inputs[1])) && v->kind == SHAPE) {
        is_right = true; /* computed from a shape: another one would not fit the dense layer */
    } else {
        st = list_of(w, node, "shape", 1, numbers, &count, &is_there, err);
        /* the rows are known to be N if the columns are known, and the other way round */
        is_right = is_there && count == 2 &&
                   (numbers[1] == w->features ||
                    (numbers[1] == -1 && (numbers[0] == 0 || numbers[0] == w->input[0])));
    }
    if (!st && !is_right)
        st = refuse(w, node, err, "does not make [N,%lld] of the pooled features",
                    (long long)w->features);
    out->kind = FEATURES;
    return st;
}

static an_status on_transpose(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    static const int64_t to_first[4] = {0, 3, 1, 2}, to_last[4] = {0, 2, 3, 1};
    int64_t perm[ANI_ONNX_MAX_NUMBERS];
    int32_t count = 0;
    bool is_there;
    const value *v = node->input_count ? find_value(w, node->inputs[0]) : NULL;
    an_status st = ani_onnx_check_attributes(&w->file, node, "perm", err);
    if (!st) st = list_of(w, node, "perm", -1, perm, &count, &is_there, err);
    if (st) return st;
    if (v && v->kind == CONSTANT && v->tensor.rank == 2 &&
        (!is_there || (count == 2 && perm[0] == 1 && perm[1] == 0))) {
        *out = *v;
        out->is_turned = !v->is_turned;
        return AN_OK;
    }
    st = map_at(w, node, 0, out, err);
    if (st) return st;
    const bool first = count == 4 && !memcmp(perm, to_first, sizeof to_first);
    const bool last = count == 4 && !memcmp(perm, to_last, sizeof to_last);
    if ((!first && !last) || has_pad(out) || out->layout == (first ? NCHW : NHWC))
        return refuse(w, node, err,
                      "has an order of axes other than from [N,H,W,C] to [N,C,H,W] "
                      "or back");
    if (out->layout == UNKNOWN) st = settle_layout(w, node, first ? NHWC : NCHW, err);
    out->layout = first ? NCHW : NHWC;
    return st;
}

static an_status on_pad(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    int64_t sides[ANI_ONNX_MAX_NUMBERS];
    ani_onnx_attribute attribute;
    const value *constant;
    int32_t count = 0;
    bool is_there;
    float fill = 0;
    an_status st = map_at(w, node, 0, out, err);
    if (!st) st = ani_onnx_check_attributes(&w->file, node, "mode pads value", err);
    if (!st) st = ani_onnx_attribute_of(&w->file, node, "mode", &attribute, &is_there, err);
    if (st) return st;
    if (is_there && !ani_onnx_is(attribute.text, "constant"))
        return refuse(w, node, err, "has mode '%.*s'; it must be constant",
                      ANI_ONNX_SHOW(attribute.text));
    st = ani_onnx_attribute_of(&w->file, node, "value", &attribute, &is_there, err);
    if (!st && is_there) fill = attribute.number;
    if (!st) st = constant_at(w, node, 2, false, &constant, err);
    if (!st && constant) st = number_of(w, node, constant, &fill, err);
    if (!st) st = list_of(w, node, "pads", 1, sides, &count, &is_there, err);
    if (st) return st;
    if (node->input_count > 3 || fill < 0 || fill > 0 || !is_there || count != 8)
        return refuse(w, node, err, "must pad all of 4 axes with zeros");
    if (out->layout == UNKNOWN) { /* channels are not padded */
        out->layout = sides[1] || sides[5] ? NHWC : NCHW;
        st = settle_layout(w, node, out->layout, err);
        if (st) return st;
    }
    const int32_t row = out->layout == NHWC ? 1 : 2, channel = out->layout == NHWC ? 3 : 1;
    for (int32_t i = 0; i < 8; i++)
        if (sides[i] < 0 || sides[i] > 2 || (sides[i] && (i % 4 == 0 || i % 4 == channel)))
            return refuse(w, node, err, "pads by %lld along axis %d; rows and columns take 0 to 2",
                          (long long)sides[i], (int)(i % 4));
    out->pad.top += (int32_t)sides[row];
    out->pad.left += (int32_t)sides[row + 1];
    out->pad.bottom += (int32_t)sides[row + 4];
    out->pad.right += (int32_t)sides[row + 5];
    return AN_OK;
}

/* --- other operators -------------------------------------------------------------------------- */

static an_status on_arithmetic(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    const value *x = node->input_count == 2 ? find_value(w, node->inputs[0]) : NULL;
    const value *y = x ? find_value(w, node->inputs[1]) : NULL;
    if (!x || !y) return refuse(w, node, err, "takes something that nothing before it computes");
    const bool is_turned = x->kind == CONSTANT;
    const value *moving = is_turned ? y : x, *other = is_turned ? x : y;
    an_status st = ani_onnx_check_attributes(&w->file, node, "", err);
    if (st) return st;
    *out = *moving;
    if (moving->kind == LOGITS && other->kind == CONSTANT && ani_onnx_is(node->kind, "Add"))
        return take_bias(w, node, other, err);
    if (moving->kind != MAP || (other->kind != MAP && other->kind != CONSTANT))
        return refuse(w, node, err, "is not part of a MobileNetV2 there");
    if (other->kind == MAP) {
        if (ani_onnx_is(node->kind, "Add")) return add_units(w, node, out, other, err);
        return refuse(w, node, err, "combines two maps; MobileNetV2 only adds them");
    }
    if (moving->unit == IMAGE) {
        st = check_newest(w, node, moving, err);
        return st ? st : scale_image(w, node, out, other, is_turned, err);
    }
    return scale_unit(
        w, node, out, other,
        is_turned && !ani_onnx_is(node->kind, "Add") && !ani_onnx_is(node->kind, "Mul"), err);
}

/* Limit i of a Clip: 0 the lower, 1 the upper. */
static an_status limit_of(walk *w, const ani_onnx_node *node, int32_t i, float *limit,
                          an_error *err) {
    ani_onnx_attribute attribute;
    const value *constant;
    bool is_there;
    an_status st =
        ani_onnx_attribute_of(&w->file, node, i ? "max" : "min", &attribute, &is_there, err);
    if (!st && is_there) *limit = attribute.number;
    if (!st && !is_there) st = constant_at(w, node, i + 1, false, &constant, err);
    if (!st && !is_there && constant) st = number_of(w, node, constant, limit, err);
    return st;
}

static an_status on_clip(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    float low = -INFINITY, high = INFINITY;
    const value *constant;
    an_status st = AN_OK;
    const bool is_max = ani_onnx_is(node->kind, "Max"), is_min = ani_onnx_is(node->kind, "Min");
    int32_t map = 0;
    if ((is_max || is_min) && node->input_count == 2) {
        const value *first = find_value(w, node->inputs[0]);
        map = first && first->kind == CONSTANT;
        st = constant_at(w, node, !map, true, &constant, err);
        if (!st) st = number_of(w, node, constant, is_max ? &low : &high, err);
    } else if (is_max || is_min) {
        st = refuse(w, node, err, "has %d inputs; it must have 2", (int)node->input_count);
    } else if (ani_onnx_is(node->kind, "Relu")) {
        low = 0;
    } else {
        st = limit_of(w, node, 0, &low, err);
        if (!st) st = limit_of(w, node, 1, &high, err);
    }
    if (!st) st = map_at(w, node, map, out, err);
    if (!st) st = ani_onnx_check_attributes(&w->file, node, is_max || is_min ? "" : "min max", err);
    if (!st) st = check_newest(w, node, out, err);
    if (st) return st;
    unit_state *f = state_of(w, out->unit);
    if (out->unit == IMAGE || f->residual != NO_UNIT)
        return refuse(w, node, err, "clips %s", out->unit == IMAGE ? "the image" : "a sum");
    /* as after each other; limits that cross do not occur in what is accepted */
    f->low = fmaxf(f->low, low);
    f->high = fminf(f->high, high);
    out->version = ++f->version;
    return AN_OK;
}

/* A node that passes on its input. */
static an_status on_identity(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    const value *v = node->input_count ? find_value(w, node->inputs[0]) : NULL;
    ani_onnx_attribute attribute;
    const value *flag;
    bool is_there;
    float training = 0;
    if (!v) return refuse(w, node, err, "takes something that nothing before it computes");
    *out = *v;
    an_status st = ani_onnx_check_attributes(&w->file, node, "to saturate ratio seed is_test", err);
    if (st) return st;
    if (ani_onnx_is(node->kind, "Cast")) {
        st = ani_onnx_attribute_of(&w->file, node, "to", &attribute, &is_there, err);
        if (st || v->kind == SHAPE) return st;
        if (!is_there ||
            (attribute.integer != ANI_ONNX_FLOAT && attribute.integer != ANI_ONNX_HALF &&
             attribute.integer != ANI_ONNX_DOUBLE))
            return refuse(w, node, err, "converts to type %lld of ONNX; it must be one of floats",
                          (long long)(is_there ? attribute.integer : 0));
    } else if (ani_onnx_is(node->kind, "Dropout")) {
        if (node->output_count > 1 && node->input_count > 2)
            st = refuse(w, node, err, "has a second output");
        if (!st) st = constant_at(w, node, 2, false, &flag, err);
        if (st || !flag) return st;
        st = number_of(w, node, flag, &training, err);
        if (!st && (training < 0 || training > 0)) st = refuse(w, node, err, "is in training mode");
    }
    return st;
}

static an_status on_constant(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    ani_onnx_attribute attribute;
    bool is_there;
    an_status st = ani_onnx_attribute_of(&w->file, node, "value", &attribute, &is_there, err);
    if (st) return st;
    *out = (value){.kind = CONSTANT};
    if (is_there) return ani_onnx_read_tensor(&w->file, &attribute.tensor, &out->tensor, err);
    return refuse(w, node, err, "has no tensor as its value");
}

static an_status on_quantised(walk *w, const ani_onnx_node *node, value *out, an_error *err) {
    (void)out;
    return refuse(w, node, err,
                  "is quantised; convert the network before it was, and quantise it "
                  "with attractivenet test --int8");
}

typedef struct operation {
    const char *name;
    an_status (*run)(walk *w, const ani_onnx_node *node, value *out, an_error *err);
} operation;

static const operation operations[] = {{"Conv", on_convolution},
                                       {"BatchNormalization", on_norm},
                                       {"Clip", on_clip},
                                       {"Relu", on_clip},
                                       {"Max", on_clip},
                                       {"Min", on_clip},
                                       {"Add", on_arithmetic},
                                       {"Sub", on_arithmetic},
                                       {"Mul", on_arithmetic},
                                       {"Div", on_arithmetic},
                                       {"Pad", on_pad},
                                       {"Transpose", on_transpose},
                                       {"GlobalAveragePool", on_pool},
                                       {"ReduceMean", on_pool},
                                       {"Flatten", on_flatten},
                                       {"Reshape", on_flatten},
                                       {"Squeeze", on_flatten},
                                       {"Gemm", on_dense},
                                       {"MatMul", on_dense},
                                       {"Softmax", on_probabilities},
                                       {"Sigmoid", on_probabilities},
                                       {"Identity", on_identity},
                                       {"Cast", on_identity},
                                       {"Dropout", on_identity},
                                       {"Constant", on_constant},
                                       {"Shape", on_shape},
                                       {"Gather", on_shape},
                                       {"Unsqueeze", on_shape},
                                       {"Concat", on_shape},
                                       {"Slice", on_shape},
                                       {"QuantizeLinear", on_quantised},
                                       {"DequantizeLinear", on_quantised},
                                       {"DynamicQuantizeLinear", on_quantised},
                                       {"QLinearConv", on_quantised},
                                       {"ConvInteger", on_quantised}};

static an_status walk_nodes(walk *w, an_error *err) {
    ani_proto_cursor at = w->file.graph, part;
    ani_onnx_node node;
    while (ani_onnx_next(&at, ANI_ONNX_NODE, &part)) {
        value out = {0};
        const operation *found = NULL;
        an_status st = ani_onnx_read_node(&w->file, &part, &node, err);
        if (st) return st;
        for (size_t i = 0; !found && i < sizeof operations / sizeof *operations; i++)
            if (ani_onnx_is(node.kind, operations[i].name)) found = &operations[i];
        if (!found)
            return refuse(w, &node, err, "is no operator of a MobileNetV2; %s is next",
                          unit_name(w, w->next < ANI_MNV2_UNITS ? w->next : NO_UNIT));
        st = found->run(w, &node, &out, err);
        if (!st) st = add_value(w, node.output, &out, err);
        if (st) return st;
    }
    return AN_OK;
}

/* --- what the graph says ---------------------------------------------------------------------- */

static an_status check_output(walk *w, an_error *err) {
    ani_proto_cursor at = w->file.graph, part;
    ani_onnx_value output = {0};
    int32_t outputs = 0;
    an_status st = AN_OK;
    while (!st && ani_onnx_next(&at, ANI_ONNX_OUTPUT, &part) && outputs++ < 1)
        st = ani_onnx_read_value(&w->file, &part, &output, err);
    if (st) return st;
    const value *v = find_value(w, output.name);
    if (outputs != 1 || !v)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s' has %s; it must have one output that its nodes compute",
                        w->file.path, outputs > 1 ? "several outputs" : "no such output");
    const bool is_whole =
        v->kind == PREDICTION || v->kind == LOGITS || v->kind == FEATURES || v->kind == POOLED;
    if (w->next < ANI_MNV2_UNITS || !is_whole ||
        (v->kind == LOGITS && w->task == AN_TASK_CLASSIFICATION) ||
        ((v->kind == FEATURES || v->kind == POOLED) && w->outputs))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s' ends with '%.*s', before the end of a MobileNetV2: %s is next",
                        w->file.path, ANI_ONNX_SHOW(output.name),
                        w->next < ANI_MNV2_UNITS ? w->units[w->next].conv_name
                                                 : "pooling, a dense layer, or its activation");
    return AN_OK;
}

/* The sums must be those of a MobileNetV2 of this alpha. */
static an_status check_sums(walk *w, an_error *err) {
    int64_t filters[ANI_MNV2_UNITS];
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++)
        filters[u] = state_of(w, u)->cout;
    const double alpha = ani_mnv2_find_alpha(w->units, filters, 0);
    if (!(alpha > 0))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s' does not match the channels of any MobileNetV2 with alpha up "
                        "to 10",
                        w->file.path);
    ani_mnv2_units(w->units, alpha, &w->pads);
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        const int32_t wanted = w->units[u].residual == ANI_INPUT ? NO_UNIT : w->units[u].residual;
        const unit_state *f = state_of(w, u);
        if (f->residual != wanted)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "model: '%s': node '%.*s': %s is added to its output; MobileNetV2 adds "
                            "%s there",
                            w->file.path, ANI_ONNX_SHOW(f->name), unit_name(w, f->residual),
                            unit_name(w, wanted));
    }
    return AN_OK;
}

static an_status set_text(walk *w, const char *key, const char *text, an_error *err) {
    return an_arrays_set_metadata(w->arrays, key, text, err);
}

static an_status set_number(walk *w, const char *key, double number, an_error *err) {
    char text[32];
    ani_format_shortest(text, sizeof text, number);
    return set_text(w, key, text, err);
}

static an_status set_size(walk *w, const char *key, int64_t size, an_error *err) {
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)size);
    return size > 0 ? set_text(w, key, text, err) : AN_OK;
}

/* Metadata of the file that says what the graph cannot. */
static an_status copy_metadata(walk *w, an_error *err) {
    static const char *const keys[] = {"scale",   "padding", "seed", "base_name",
                                       "epsilon", "classes", "size", "height",
                                       "width",   "task",    "alpha"};
    ani_proto_cursor at = w->file.model;
    ani_onnx_text key, text;
    while (ani_onnx_next_metadata(&at, &key, &text)) {
        const char *name = NULL;
        for (size_t i = 0; !name && i < sizeof keys / sizeof *keys; i++)
            if (ani_onnx_is(key, keys[i])) name = keys[i];
        if (!name || memchr(text.bytes, 0, (size_t)text.size) ||
            !ani_is_utf8(text.bytes, text.size))
            continue;
        char *copy = ani_alloc(text.size + 1);
        if (!copy) return ani_fail_memory(err, text.size + 1, "metadata");
        memcpy(copy, text.bytes, (size_t)text.size);
        copy[text.size] = '\0';
        an_status st = set_text(w, name, copy, err);
        ani_free(copy);
        if (st) return st;
    }
    return AN_OK;
}

/* What both the graph and the metadata say must agree. */
static an_status check_agreement(const walk *w, const char *key, const char *ours, an_error *err) {
    const char *text = an_arrays_metadata(w->arrays, key);
    if (!text || !strcmp(text, ours)) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT, "model: '%s': its metadata say %s '%.40s', its nodes '%s'",
                    w->file.path, key, text, ours);
}

static an_status settle_scale(walk *w, an_error *err) {
    const int32_t scale = w->is_scaled ? ani_scale_find(w->gain, w->bias) : AN_SCALE_AUTO;
    if (w->is_scaled && !scale)
        return ani_fail(
            err, AN_ERR_UNSUPPORTED,
            "model: '%s': its first nodes make x*%g%+g of a pixel x, red, which is none "
            "of this library's scales",
            w->file.path, w->gain[0], w->bias[0]);
    if (!w->is_scaled && w->element == ANI_ONNX_UINT8)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "model: '%s' takes bytes and does not scale them",
                        w->file.path);
    if (!scale) return AN_OK;
    an_status st = check_agreement(w, "scale", ani_scale_name(scale), err);
    return st ? st : set_text(w, "scale", ani_scale_name(scale), err);
}

static an_status settle_facts(walk *w, an_error *err) {
    static const char *const tasks[] = {"regression", "classification"};
    const unit_state *image = state_of(w, IMAGE);
    char pads[ANI_PADS_SIZE];
    ani_pads_text(pads, &w->pads);
    an_status st = copy_metadata(w, err);
    if (!st && w->epsilon > 0) st = set_number(w, "epsilon", w->epsilon, err);
    if (!st && w->outputs) st = check_agreement(w, "task", tasks[w->task], err);
    if (!st && w->outputs) st = set_text(w, "task", tasks[w->task], err);
    if (!st) st = settle_scale(w, err);
    if (!st) st = set_size(w, "height", image->height, err);
    if (!st) st = set_size(w, "width", image->width, err);
    if (!st) st = set_text(w, "pads", pads, err);
    return st;
}

/* The variance of units without batch norm. */
static an_status end_norms(walk *w, an_error *err) {
    const char *text = an_arrays_metadata(w->arrays, "epsilon"), *end;
    double epsilon = ANI_KERAS_EPSILON;
    if (text && (!ani_parse_double(text, &end, &epsilon, NULL) || *end ||
                 !(epsilon > 0 && epsilon <= ANI_MNV2_MAX_EPSILON)))
        return ani_fail(err, AN_ERR_FORMAT,
                        "model: '%s': epsilon is '%.40s'; it must be above 0, "
                        "at most %g",
                        w->file.path, text, ANI_MNV2_MAX_EPSILON);
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        const unit_state *f = state_of(w, u);
        for (int64_t j = 0; !f->has_norm && j < f->cout; j++)
            f->variance[j] = (float)(1 - epsilon);
    }
    return AN_OK;
}

an_status ani_onnx_net_read(an_arrays *arrays, const uint8_t *bytes, int64_t size, const char *path,
                            an_error *err) {
    walk *w = ani_alloc_zero(1, sizeof *w);
    if (!w) return ani_fail_memory(err, sizeof *w, path);
    w->arrays = arrays;
    w->gain[0] = w->gain[1] = w->gain[2] = 1;
    state_of(w, IMAGE)->version = 1;
    an_status st = ani_onnx_open(&w->file, bytes, size, path, err);
    if (!st) st = make_room(w, err);
    if (st) goto done;
    ani_mnv2_units(w->units, 1, &w->pads);
    st = read_constants(w, err);
    if (!st) st = read_input(w, err);
    if (!st) st = walk_nodes(w, err);
    if (!st) st = check_output(w, err);
    if (!st) st = check_sums(w, err);
    if (!st) st = settle_facts(w, err);
    if (!st) st = end_norms(w, err);
done:
    ani_free(w->values);
    ani_free(w->slots);
    ani_free(w->units);
    ani_free(w);
    return st;
}

/* --- any file --------------------------------------------------------------------------------- */

static an_status read_file(an_arrays **out, ani_file *file, an_error *err) {
    uint8_t head[ANI_ONNX_HEAD_SIZE] = {0};
    const int64_t size = ani_file_size(file);
    const uint8_t *bytes = ani_file_bytes(file);
    uint8_t *content = NULL;
    an_arrays *arrays = NULL;
    an_status st = AN_OK;
    if (size >= ANI_ONNX_HEAD_SIZE) st = ani_file_read(file, 0, head, sizeof head, err);
    if (!st && !ani_onnx_begins(head)) return ani_arrays_read_file(out, file, err);
    if (!st && !bytes) {
        /* apart from the heap, which then does not keep its room */
        bytes = content = ani_alloc_large(size);
        if (!content) st = ani_fail_memory(err, size, ani_file_path(file));
        if (!st) st = ani_file_read(file, 0, content, size, err);
    }
    if (!st) st = an_arrays_create(&arrays, err);
    if (!st) st = ani_onnx_net_read(arrays, bytes, size, ani_file_path(file), err);
    ani_free_large(content, size);
    if (st) {
        an_arrays_destroy(arrays);
        return st;
    }
    *out = arrays;
    return AN_OK;
}

an_status ani_model_file_read(an_arrays **out, const char *path, an_error *err) {
    ani_file *file = NULL;
    *out = NULL;
    an_status st = ani_file_open(&file, path, err);
    if (!st) st = read_file(out, file, err);
    ani_file_close(file);
    return st;
}

an_status ani_model_file_read_bytes(an_arrays **out, const void *bytes, int64_t size,
                                    const char *name, an_error *err) {
    ani_file *file = NULL;
    *out = NULL;
    if (size < 0) return an_arrays_read_bytes(out, bytes, size, name, err); /* its message */
    an_status st = ani_file_open_bytes(&file, bytes, size, name ? name : "in memory", err);
    if (!st) st = read_file(out, file, err);
    ani_file_close(file);
    return st;
}
