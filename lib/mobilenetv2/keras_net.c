/* SPDX-License-Identifier: MIT
 * The walk along a Keras config. What is expected follows from the table of units: each unit
 * consists of a padding (stride 2), a convolution, batch norm, ReLU6 and a sum, as far as it has
 * them; pooling and the dense layer follow the last one. */
#include "mobilenetv2/keras_net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dataset/scale.h"
#include "io/keras.h"

enum { NAME_SIZE = 300 };

/* --- the walk --------------------------------------------------------------------------------- */

typedef struct walk {
    ani_weights *weights;
    const ani_keras_config *config;
    int32_t *source; /* the layer whose output a layer passes on: itself, unless it is skipped */
    int64_t at;      /* next layer of the config */
    int32_t last;    /* source of the input of MobileNetV2's next layer */
    bool in_front;   /* no layer of MobileNetV2 has been found yet */
    bool is_pooled;
    double gain[3], bias[3];         /* of the layers before the network; see scaled */
    const ani_keras_layer *scaled;   /* last of those layers; NULL: none */
    const ani_keras_layer *sized[2]; /* which layers state height and width; NULL: none */
    const ani_keras_layer *whole;    /* InputLayer of integers; NULL: none */
} walk;

static int32_t source_of(const walk *w, int32_t layer) {
    return layer < 0 ? ANI_KERAS_MODEL_INPUT : w->source[layer];
}

/* A source, as shown in messages. */
static const char *name_of(const walk *w, int32_t source) {
    return source < 0 ? "the input" : w->config->layers[source].name;
}

static an_status check_count(const walk *w, const ani_keras_layer *layer, int32_t count,
                             an_error *err) {
    if (layer->input_count == count) return AN_OK;
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "model: '%s': layer '%s': the number of inputs is %d; it must be %d",
                    w->weights->path, layer->name, (int)layer->input_count, (int)count);
}

static an_status check_inputs(const walk *w, const ani_keras_layer *layer, const int32_t *wanted,
                              int32_t count, an_error *err) {
    int32_t found[ANI_KERAS_MAX_INPUTS];
    an_status st = check_count(w, layer, count, err);
    if (st) return st;
    for (int32_t i = 0; i < count; i++)
        found[i] = source_of(w, layer->inputs[i]);
    /* a sum accepts its two inputs in either order */
    const bool is_turned = count == 2 && found[0] == wanted[1] && found[1] == wanted[0];
    for (int32_t i = 0; i < count && !is_turned; i++)
        if (found[i] != wanted[i])
            return ani_fail(
                err, AN_ERR_UNSUPPORTED, "model: '%s': layer '%s' takes '%s'; it must take '%s'",
                w->weights->path, layer->name, name_of(w, found[i]), name_of(w, wanted[i]));
    return AN_OK;
}

/* --- layers before the network ---------------------------------------------------------------- */

static double number_at(const ani_keras_numbers *numbers, int32_t channel, double otherwise) {
    return numbers->count ? numbers->values[numbers->count == 3 ? channel : 0] : otherwise;
}

/* The statistics of a Normalization: in its config, else in the arrays of its name. */
static an_status find_statistics(const walk *w, const ani_keras_layer *layer, const char *variable,
                                 ani_keras_numbers *out, an_error *err) {
    const an_arrays *arrays = w->weights->arrays;
    char name[NAME_SIZE];
    if (out->count) return AN_OK;
    snprintf(name, sizeof name, "%s/%s", layer->name, variable);
    const int64_t place = an_arrays_find(arrays, name);
    int64_t count = place < 0 ? 0 : 1;
    for (int32_t axis = 0; place >= 0 && axis < an_arrays_rank(arrays, place); axis++)
        count *= an_arrays_length(arrays, place, axis) < 4 ? an_arrays_length(arrays, place, axis)
                                                           : 4; /* no overflow */
    if (count != 1 && count != 3)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s': layer '%s' (Normalization) has no %s of 1 or 3 values",
                        w->weights->path, layer->name, variable);
    out->count = (int32_t)count;
    for (int32_t i = 0; i < count; i++)
        out->values[i] = (double)an_arrays_data(arrays, place)[i];
    return AN_OK;
}

/* x -> x * gain + bias, applied after the preceding layers. */
static an_status fold(walk *w, const ani_keras_layer *layer, an_error *err) {
    ani_keras_layer wanted;
    ani_keras_numbers mean = layer->mean, variance = layer->variance;
    ani_keras_layer_init(&wanted, layer->kind);
    an_status st = ani_keras_layer_compare(layer, &wanted, w->weights->path, err);
    if (!st) st = check_inputs(w, layer, &w->last, 1, err);
    if (!st && layer->kind == ANI_KERAS_STANDARD)
        st = find_statistics(w, layer, "mean", &mean, err);
    if (!st && layer->kind == ANI_KERAS_STANDARD)
        st = find_statistics(w, layer, "variance", &variance, err);
    if (st) return st;
    for (int32_t c = 0; c < 3; c++) {
        double gain = 1, bias = 0;
        if (layer->kind == ANI_KERAS_RESCALE) {
            gain = number_at(&layer->gain, c, 1);
            bias = number_at(&layer->offset, c, 0);
        } else if (layer->kind == ANI_KERAS_STANDARD) {
            gain = 1 / fmax(sqrt(number_at(&variance, c, 1)), 1e-7); /* Keras' epsilon */
            bias = -number_at(&mean, c, 0) * gain;
        } else if (layer->sign == '*' || layer->sign == '/') {
            gain = layer->sign == '*' ? layer->number : 1 / layer->number;
        } else {
            bias = layer->sign == '+' ? layer->number : -layer->number;
        }
        w->gain[c] *= gain;
        w->bias[c] = w->bias[c] * gain + bias;
    }
    w->scaled = layer;
    return AN_OK;
}

/* Do the layers before the network equal a line, times a factor per channel? Zeros are padded after
 * these layers and after the model's scale alike: an offset of its own cannot be moved into the
 * convolution, a factor can. */
static bool fits_line(const walk *w, const double gain[3], const double bias[3],
                      double factors[3]) {
    const double near = 1e-6; /* the relative precision of a float32 factor */
    for (int32_t c = 0; c < 3; c++) {
        factors[c] = w->gain[c] / gain[c];
        if (fabs(factors[c] - 1) <= near) factors[c] = 1;
        const double wanted = bias[c] * factors[c];
        if (!(fabs(w->bias[c] - wanted) <= near * fmax(fabs(factors[c]), fabs(wanted))))
            return false;
    }
    return true;
}

static bool is_one(const double factors[3]) {
    return factors[0] == 1 && factors[1] == 1 && factors[2] == 1;
}

/* Pixels may be other than 0 to 255 where a model is used, and without an offset nothing tells: a
 * factor is believed only if it gives the network numbers of a usual size. */
static bool are_usual(const double factors[3]) {
    const double most = 20;
    for (int32_t c = 0; c < 3; c++)
        if (!(fabs(factors[c]) <= most && fabs(factors[c]) >= 1 / most)) return false;
    return true;
}

/* The combined effect of the layers before the network must be one of the library's scales, or one
 * of them but the article's times a factor, which goes into the first convolution. */
static an_status settle_scale(walk *w, an_error *err) {
    static const int32_t scales[] = {AN_SCALE_UNIT, AN_SCALE_TF, AN_SCALE_TORCH, AN_SCALE_ARTICLE};
    enum { SCALES = sizeof scales / sizeof *scales, FOLDED = SCALES - 1 };
    double factors[3], gain[3] = {1, 1, 1}, bias[3] = {0};
    w->in_front = false;
    /* layers that leave pixels as they are do not scale */
    if (w->scaled && fits_line(w, gain, bias, factors) && is_one(factors)) w->scaled = NULL;
    for (size_t i = 0; w->scaled && i < SCALES + FOLDED && !w->weights->scale; i++) {
        an_status st = ani_scale_line(scales[i % SCALES], gain, bias, err);
        if (st) return st;
        if (!fits_line(w, gain, bias, factors)) continue;
        if (i < SCALES ? !is_one(factors) : !are_usual(factors)) continue;
        w->weights->scale = scales[i % SCALES];
        w->weights->scale_layer = w->scaled->name;
        if (!is_one(factors)) memcpy(w->weights->stem_gain, factors, sizeof factors);
    }
    if (w->scaled && !w->weights->scale)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s': with layer '%s' (%s) pixels x become x*%g%+g; supported are "
                        "unit, tf, torch and article, and the first three times 1/20 to 20 (zero "
                        "padding allows no other offset)",
                        w->weights->path, w->scaled->name, w->scaled->class_name, w->gain[0],
                        w->bias[0]);
    if (w->whole && !w->weights->scale)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s': layer '%s': dtype is '%s'; it must be a type of floats, or a "
                        "Rescaling must follow",
                        w->weights->path, w->whole->name, w->whole->dtype);
    return AN_OK;
}

/* The size that an InputLayer states must match the earlier ones. */
static an_status take_size(walk *w, const ani_keras_layer *layer, an_error *err) {
    static const char *const words[] = {"height", "width"};
    int32_t *const sizes[] = {&w->weights->height, &w->weights->width};
    if (layer->kind == ANI_KERAS_INPUT && !ani_keras_is_float(layer->dtype)) w->whole = layer;
    if (layer->shape[2] >= 0 && layer->shape[2] != 3)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s': layer '%s': the number of channels is %d; it must be 3",
                        w->weights->path, layer->name, (int)layer->shape[2]);
    for (int32_t i = 0; i < 2; i++) {
        const int32_t size = layer->shape[i];
        if (size <= 0) continue;
        if (w->sized[i] && *sizes[i] != size)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "model: '%s': layer '%s' has %s %d; '%s' has %d", w->weights->path,
                            layer->name, words[i], (int)size, w->sized[i]->name, (int)*sizes[i]);
        w->sized[i] = layer;
        *sizes[i] = size;
    }
    return AN_OK;
}

/* --- skipping --------------------------------------------------------------------------------- */

/* Classes that are folded into the scale. */
enum { SCALING = ANI_KERAS_RESCALE | ANI_KERAS_STANDARD | ANI_KERAS_OPERATOR };

/* Is it a layer that has no effect where it is? */
static bool is_skipped(const walk *w, const ani_keras_layer *layer) {
    switch (layer->kind) {
    case ANI_KERAS_INPUT:
    case ANI_KERAS_IDLE:
        return true;
    case ANI_KERAS_AUGMENT:
        return w->in_front;
    case ANI_KERAS_FLATTEN:
        return w->is_pooled;
    case ANI_KERAS_ACTIVATION:
        return !strcmp(layer->activation, "linear");
    default:
        return false;
    }
}

static an_status skip(walk *w, const ani_keras_layer *layer, an_error *err) {
    ani_keras_layer wanted;
    ani_keras_layer_init(&wanted, layer->kind);
    an_status st = check_count(w, layer, 1, err);
    if (!st && layer->kind != ANI_KERAS_INPUT)
        st = ani_keras_layer_compare(layer, &wanted, w->weights->path, err);
    if (!st) w->source[w->at] = source_of(w, layer->inputs[0]);
    if (!st && w->in_front) st = take_size(w, layer, err);
    return st;
}

/* Find the next layer that computes something; NULL after the last one. */
static an_status next_layer(walk *w, const ani_keras_layer **out, an_error *err) {
    *out = NULL;
    for (; w->at < w->config->count; w->at++) {
        const ani_keras_layer *layer = &w->config->layers[w->at];
        an_status st = AN_OK;
        if (w->in_front && layer->kind & SCALING) {
            st = fold(w, layer, err);
            if (!st) st = take_size(w, layer, err);
            w->source[w->at] = w->last = (int32_t)w->at;
        } else if (is_skipped(w, layer)) {
            st = skip(w, layer, err);
        } else {
            *out = layer;
            return AN_OK;
        }
        if (st) return st;
    }
    return AN_OK;
}

/* --- matching --------------------------------------------------------------------------------- */

static an_status refuse_class(const walk *w, const ani_keras_layer *layer, int32_t kind,
                              an_error *err) {
    const char *wanted = kind ? ani_keras_class(kind) : "nothing";
    if (!layer)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s': the layers end with '%s', after which MobileNetV2 has %s",
                        w->weights->path, name_of(w, w->last), wanted);
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "model: '%s': layer '%s' of class '%s' follows '%s', where MobileNetV2 has %s",
                    w->weights->path, layer->name, layer->class_name, name_of(w, w->last), wanted);
}

/* Advance by one layer, which must be as wanted and take the output of the last one; a sum also
 * takes other. *out may be NULL. */
static an_status match(walk *w, const ani_keras_layer *wanted, int32_t other,
                       const ani_keras_layer **out, an_error *err) {
    const ani_keras_layer *layer;
    const int32_t inputs[] = {w->last, other};
    an_status st = next_layer(w, &layer, err);
    if (st) return st;
    if (!layer || layer->kind != wanted->kind) return refuse_class(w, layer, wanted->kind, err);
    st = ani_keras_layer_compare(layer, wanted, w->weights->path, err);
    if (!st) st = check_inputs(w, layer, inputs, wanted->kind == ANI_KERAS_ADD ? 2 : 1, err);
    if (st) return st;
    w->source[w->at] = w->last = (int32_t)w->at;
    w->at++;
    if (out) *out = layer;
    return AN_OK;
}

/* The index of an array of a layer; -1 if there is none of that name. */
static int64_t find_array(const walk *w, const ani_keras_layer *layer, const char *variable) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s/%s", layer->name, variable);
    return an_arrays_find(w->weights->arrays, name);
}

/* The last length of a kernel, if the file has it: the config must agree with it. */
static int32_t filters_of(const walk *w, const ani_keras_layer *layer) {
    const int64_t place = find_array(w, layer, "kernel");
    const int32_t rank = place < 0 ? 0 : an_arrays_rank(w->weights->arrays, place);
    const int64_t filters = rank ? an_arrays_length(w->weights->arrays, place, rank - 1) : -1;
    return filters >= 0 && filters <= INT32_MAX ? (int32_t)filters : ANI_KERAS_NONE;
}

/* A ZeroPadding2D, if the next layer is one. */
static an_status match_pad(walk *w, bool is_needed, ani_mnv2_pad *pad, bool *found, an_error *err) {
    const ani_keras_layer *layer;
    ani_keras_layer wanted;
    ani_keras_layer_init(&wanted, ANI_KERAS_PAD);
    for (int32_t side = 0; side < 4; side++)
        wanted.sides[side] = ANI_KERAS_NONE; /* see below */
    an_status st = next_layer(w, &layer, err);
    *found = is_needed || (layer && layer->kind == ANI_KERAS_PAD);
    if (st || !*found) return st;
    st = match(w, &wanted, 0, &layer, err);
    if (st) return st;
    const int32_t *sides = layer->sides;
    for (int32_t side = 0; side < 4; side++)
        if (sides[side] > 2)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "model: '%s': layer '%s': padding is [[%d,%d],[%d,%d]]; each side must "
                            "be 0 to 2",
                            w->weights->path, layer->name, (int)sides[0], (int)sides[1],
                            (int)sides[2], (int)sides[3]);
    *pad = (ani_mnv2_pad){sides[0], sides[1], sides[2], sides[3]};
    return AN_OK;
}

/* A convolution: "same", or "valid" after a padding. */
static an_status match_convolution(walk *w, const ani_unit_spec *unit, bool is_padded,
                                   int64_t *place, int32_t *channels, an_error *err) {
    const ani_keras_layer *layer;
    ani_keras_layer wanted;
    const bool is_depthwise = unit->kind == ANI_UNIT_DEPTHWISE;
    const int32_t taps = unit->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    ani_keras_layer_init(&wanted, is_depthwise ? ANI_KERAS_DEPTHWISE : ANI_KERAS_CONV);
    wanted.kernel_size[0] = wanted.kernel_size[1] = taps;
    wanted.strides[0] = wanted.strides[1] = (int32_t)unit->stride;
    wanted.use_bias = 0;
    /* a one-tap kernel needs no padding, and Keras writes both */
    snprintf(wanted.padding, sizeof wanted.padding, "%s",
             taps == 1   ? ""
             : is_padded ? "valid"
                         : "same");
    an_status st = next_layer(w, &layer, err);
    if (!st && layer && !is_depthwise) wanted.filters = filters_of(w, layer);
    if (!st) st = match(w, &wanted, 0, &layer, err);
    if (st) return st;
    *place = find_array(w, layer, is_depthwise ? "depthwise_kernel" : "kernel");
    if (!is_depthwise) *channels = layer->filters;
    return AN_OK;
}

/* The epsilon of batch norm, which must be the same in all layers. */
static an_status take_epsilon(ani_weights *weights, const ani_keras_layer *layer, an_error *err) {
    const double near = 1e-6; /* the relative precision of a float32 */
    const bool is_usual = fabs(layer->epsilon - ANI_KERAS_EPSILON) <= near * ANI_KERAS_EPSILON;
    const double epsilon = is_usual ? ANI_KERAS_EPSILON : layer->epsilon;
    if (!(epsilon > 0 && epsilon <= ANI_MNV2_MAX_EPSILON))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s': layer '%s': epsilon is %g; it must be above 0, at most %g",
                        weights->path, layer->name, epsilon, ANI_MNV2_MAX_EPSILON);
    if (weights->epsilon > 0 && fabs(epsilon - weights->epsilon) > near * weights->epsilon)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s': layer '%s': epsilon is %g; it must be %g, as in the layers "
                        "before it",
                        weights->path, layer->name, epsilon, weights->epsilon);
    if (!(weights->epsilon > 0)) weights->epsilon = epsilon;
    return AN_OK;
}

static an_status match_norm(walk *w, int64_t *places, an_error *err) {
    static const char *const variables[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    const ani_keras_layer *layer;
    ani_keras_layer wanted;
    ani_keras_layer_init(&wanted, ANI_KERAS_NORM);
    an_status st = next_layer(w, &layer, err);
    if (st) return st;
    if (layer) wanted.epsilon = layer->epsilon; /* see take_epsilon() */
    st = match(w, &wanted, 0, &layer, err);
    if (!st) st = take_epsilon(w->weights, layer, err);
    for (int32_t i = 0; i < 4 && !st; i++)
        places[i] = find_array(w, layer, variables[i]);
    return st;
}

/* ReLU6: a ReLU with that limit, or the activation of that name. */
static an_status match_relu6(walk *w, an_error *err) {
    const ani_keras_layer *layer;
    ani_keras_layer wanted;
    an_status st = next_layer(w, &layer, err);
    if (st) return st;
    const bool is_named = layer && layer->kind == ANI_KERAS_ACTIVATION;
    ani_keras_layer_init(&wanted, is_named ? ANI_KERAS_ACTIVATION : ANI_KERAS_RELU);
    snprintf(wanted.activation, sizeof wanted.activation, "relu6");
    wanted.max_value = 6;
    return match(w, &wanted, 0, NULL, err);
}

/* What a unit passes on. */
typedef struct value {
    int32_t source, channels;
} value;

/* The unit whose value is the input of a projection's block; -1 if no sum follows it, whatever the
 * channels. */
static int32_t block_input(const ani_unit_spec *units, int32_t u) {
    if (units[u].relu6 || units[u - 1].stride != 1) return -1;
    return u - (units[u - 2].kind == ANI_UNIT_POINTWISE ? 3 : 2); /* the first has no expansion */
}

/* The layers of one unit. values: what the preceding units pass on. */
static an_status match_unit(walk *w, const ani_unit_spec *units, int32_t u, value *values,
                            int32_t *down, an_error *err) {
    const ani_unit_spec *unit = &units[u];
    ani_weights *weights = w->weights;
    int64_t *places = &weights->base[(int64_t)u * 5];
    ani_mnv2_pad pad;
    bool is_padded = false;
    an_status st = AN_OK;
    if (u == 0) { /* today the stem is "same" and depends on the size; formerly it was padded */
        st = match_pad(w, false, &weights->pads.stem, &is_padded, err);
        weights->known_pads = is_padded ? ANI_PADS_ALL : ANI_PADS_DOWN;
    } else if (unit->stride == 2) {
        st = match_pad(w, true, &pad, &is_padded, err);
        if (!st) weights->pads.down[(*down)++] = pad;
    }
    values[u].channels = u ? values[u - 1].channels : 0;
    if (!st) st = match_convolution(w, unit, is_padded, &places[0], &values[u].channels, err);
    if (!st) st = match_norm(w, &places[1], err);
    if (!st && unit->relu6) st = match_relu6(w, err);
    /* If a block keeps size and channels, which depends on alpha, its input is added. */
    const int32_t input = block_input(units, u);
    if (!st && input >= 0 && values[input].channels == values[u].channels) {
        ani_keras_layer wanted;
        ani_keras_layer_init(&wanted, ANI_KERAS_ADD);
        st = match(w, &wanted, values[input].source, NULL, err);
    }
    values[u].source = w->last;
    return st;
}

/* --- the head --------------------------------------------------------------------------------- */

/* The task, from the activation of the dense layer or after it. */
static an_status take_task(walk *w, const ani_keras_layer *layer, int32_t units, an_error *err) {
    const char *word = units == 1 ? "sigmoid" : "softmax";
    if (!strcmp(layer->activation, "linear"))
        w->weights->task = AN_TASK_REGRESSION;
    else if (!strcmp(layer->activation, word))
        w->weights->task = AN_TASK_CLASSIFICATION;
    else
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s': activation of layer '%s' is '%s'; it must be linear or %s",
                        w->weights->path, layer->name, layer->activation, word);
    return AN_OK;
}

/* Pooling and dense layer, as far as the config has them. */
static an_status match_head(walk *w, an_error *err) {
    const ani_keras_layer *layer;
    ani_keras_layer wanted;
    an_status st = next_layer(w, &layer, err);
    if (st || !layer) return st;
    ani_keras_layer_init(&wanted, ANI_KERAS_POOL);
    st = match(w, &wanted, 0, NULL, err);
    w->is_pooled = true;
    if (!st) st = next_layer(w, &layer, err);
    if (st || !layer) return st;
    ani_keras_layer_init(&wanted, ANI_KERAS_DENSE);
    wanted.units = filters_of(w, layer);
    wanted.activation[0] = '\0'; /* see take_task() */
    st = match(w, &wanted, 0, &layer, err);
    if (!st) st = take_task(w, layer, layer->units, err);
    if (st) return st;
    const int32_t units = layer->units;
    st = next_layer(w, &layer, err);
    if (st || !layer) return st;
    if (layer->kind != ANI_KERAS_ACTIVATION || w->weights->task != AN_TASK_REGRESSION)
        return refuse_class(w, layer, ANI_KERAS_OTHER, err);
    ani_keras_layer_init(&wanted, ANI_KERAS_ACTIVATION);
    wanted.activation[0] = '\0';
    st = match(w, &wanted, 0, &layer, err);
    if (!st) st = take_task(w, layer, units, err);
    if (!st) st = next_layer(w, &layer, err);
    return st || !layer ? st : refuse_class(w, layer, ANI_KERAS_OTHER, err);
}

static an_status match_all(walk *w, const ani_unit_spec *units, an_error *err) {
    value values[ANI_MNV2_UNITS];
    int32_t down = 0;
    const ani_keras_layer *layer;
    an_status st = next_layer(w, &layer, err);
    if (!st) st = settle_scale(w, err);
    for (int32_t u = 0; u < ANI_MNV2_UNITS && !st; u++)
        st = match_unit(w, units, u, values, &down, err);
    if (!st) st = match_head(w, err);
    if (st) return st;
    const int32_t output = source_of(w, w->config->models[0].output);
    if (output == w->last) return AN_OK;
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "model: '%s': the output is that of '%s'; it must be that of '%s'",
                    w->weights->path, name_of(w, output), name_of(w, w->last));
}

an_status ani_keras_net_read(ani_weights *weights, an_error *err) {
    walk w = {.weights = weights,
              .config = weights->config,
              .last = ANI_KERAS_MODEL_INPUT,
              .in_front = true,
              .gain = {1, 1, 1}};
    ani_mnv2_pads pads;
    const int64_t count = weights->config->count;
    ani_unit_spec *units = ani_alloc_zero(ANI_MNV2_UNITS, sizeof *units);
    w.source = ani_alloc_zero(count, sizeof *w.source);
    an_status st = AN_OK;
    if (!units || !w.source) {
        st = ani_fail_memory(err, ANI_MNV2_UNITS * (int64_t)sizeof *units, "a list of units");
        goto done;
    }
    ani_mnv2_pads_for(&pads, AN_PADDING_FIXED, 224, 224);
    ani_mnv2_units(units, 1, &pads); /* kinds and strides do not depend on alpha */
    st = match_all(&w, units, err);
done:
    ani_free(units);
    ani_free(w.source);
    return st;
}

/* --- arrays and classes ----------------------------------------------------------------------- */

bool ani_keras_net_skips(const ani_weights *weights, int64_t array) {
    const char *name = an_arrays_name(weights->arrays, array);
    const char *slash = strrchr(name, '/');
    char layer[NAME_SIZE];
    if (!weights->config || !slash) return false;
    snprintf(layer, sizeof layer, "%.*s", (int)(slash - name), name);
    const int64_t place = ani_keras_config_find(weights->config, layer);
    const int32_t kinds = SCALING | ANI_KERAS_IDLE | ANI_KERAS_AUGMENT;
    return place >= 0 && weights->config->layers[place].kind & kinds;
}

/* The maximum number of layers of a kind in MobileNetV2. -1: any number, as they have no effect. */
static int32_t count_of(const ani_unit_spec *units, int32_t kind) {
    int32_t counts[] = {0, 0, 0, 0, 0};
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        counts[0] += units[u].kind != ANI_UNIT_DEPTHWISE;
        counts[1] += units[u].kind == ANI_UNIT_DEPTHWISE;
        counts[2]++;
        counts[3] += units[u].relu6 != 0;
        counts[4] += units[u].residual != ANI_INPUT;
    }
    switch (kind) {
    case ANI_KERAS_CONV:
        return counts[0];
    case ANI_KERAS_DEPTHWISE:
        return counts[1];
    case ANI_KERAS_NORM:
        return counts[2];
    case ANI_KERAS_RELU:
        return counts[3];
    case ANI_KERAS_ADD:
        return counts[4];
    case ANI_KERAS_PAD:
        return ANI_MNV2_DOWN + 1;
    case ANI_KERAS_POOL:
    case ANI_KERAS_DENSE:
        return 1;
    case ANI_KERAS_INPUT:
    case ANI_KERAS_IDLE:
    case ANI_KERAS_AUGMENT:
    case ANI_KERAS_FLATTEN:
        return -1;
    default:
        return 0;
    }
}

/* Groups that are models. */
static bool is_model(const char *word, size_t size) {
    return ani_keras_is_class(word, size, "Functional") ||
           ani_keras_is_class(word, size, "Sequential") || ani_keras_is_class(word, size, "Model");
}

an_status ani_keras_net_classes(const ani_weights *weights, const ani_unit_spec *units,
                                const char *classes, an_error *err) {
    int64_t counts[32] = {0}; /* by the bit of a kind */
    const char *next;
    for (const char *line = classes; *line; line = next) {
        const size_t size = strcspn(line, " \n");
        char *end;
        const long count = strtol(line + size, &end, 10);
        /* the text comes from a file, and a safetensors file may say anything */
        if (line[size] != ' ' || *end != '\n' || count < 0 || count > INT32_MAX)
            return ani_fail(
                err, AN_ERR_FORMAT,
                "weights: '%s': layer_classes in its metadata is not a list of classes, "
                "each with a number",
                weights->path);
        next = end + 1;
        int32_t kind = ani_keras_kind_of(line, size), bit = 0;
        if (is_model(line, size)) continue;
        if (kind == ANI_KERAS_ACTIVATION) kind = ANI_KERAS_RELU; /* either may be a ReLU6 */
        while (kind >> (bit + 1))
            bit++;
        counts[bit] += count;
        const int32_t most = count_of(units, kind);
        if (most == 0)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "weights: '%s' has a layer of class '%.*s', and no config that "
                            "describes it; MobileNetV2 has none (save the model as .keras)",
                            weights->path, (int)size, line);
        if (most > 0 && counts[bit] > most)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "weights: '%s' has %lld layers of class '%.*s'; MobileNetV2 has %d",
                            weights->path, (long long)counts[bit], (int)size, line, (int)most);
    }
    return AN_OK;
}
