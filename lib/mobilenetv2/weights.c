/* SPDX-License-Identifier: MIT
 * Which array of a file belongs to which layer: by name if the file has all of today's names,
 * otherwise by the order of its layers, as Keras itself loads the published files, whose layers
 * have other names. */
#include "mobilenetv2/weights.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <attractivenet/dataset.h>

#include "base/memory.h"
#include "mobilenetv2/facts.h"
#include "mobilenetv2/keras_net.h"
#include "mobilenetv2/torch_names.h"

/* --- matching --------------------------------------------------------------------------------- */

/* Classes of layers with weights, distinguished by their variables. */
enum { CLASS_CONV, CLASS_DEPTHWISE, CLASS_NORM, CLASS_DENSE, CLASS_OTHER, CLASSES };

/* The arrays of one layer of the file, which are adjacent. */
typedef struct group {
    int64_t first, count;
    int32_t kind; /* CLASS_* */
} group;

static const char *variable_of(const an_arrays *arrays, int64_t index) {
    const char *name = an_arrays_name(arrays, index);
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static size_t layer_length(const char *name) {
    const char *slash = strrchr(name, '/');
    return slash ? (size_t)(slash - name) : strlen(name);
}

static bool same_layer(const an_arrays *arrays, int64_t a, int64_t b) {
    const char *left = an_arrays_name(arrays, a), *right = an_arrays_name(arrays, b);
    const size_t length = layer_length(left);
    return length == layer_length(right) && !strncmp(left, right, length);
}

/* Find a variable of a layer; -1 if it is missing. */
static int64_t find_variable(const an_arrays *arrays, const group *layer, const char *variable) {
    for (int64_t i = layer->first; i < layer->first + layer->count; i++)
        if (!strcmp(variable_of(arrays, i), variable)) return i;
    return -1;
}

static int32_t class_of(const an_arrays *arrays, const group *layer) {
    if (find_variable(arrays, layer, "gamma") >= 0) return CLASS_NORM;
    if (find_variable(arrays, layer, "depthwise_kernel") >= 0) return CLASS_DEPTHWISE;
    const int64_t kernel = find_variable(arrays, layer, "kernel");
    if (kernel < 0) return CLASS_OTHER;
    return an_arrays_rank(arrays, kernel) == 4   ? CLASS_CONV
           : an_arrays_rank(arrays, kernel) == 2 ? CLASS_DENSE
                                                 : CLASS_OTHER;
}

/* Find the next layer of a class from *at on; false if there is none. */
static bool next_layer(const an_arrays *arrays, int32_t kind, int64_t *at, group *layer) {
    const int64_t count = an_arrays_count(arrays);
    while (*at < count) {
        layer->first = *at;
        layer->count = 1;
        while (layer->first + layer->count < count &&
               same_layer(arrays, layer->first, layer->first + layer->count))
            layer->count++;
        *at += layer->count;
        layer->kind = class_of(arrays, layer);
        if (layer->kind == kind) return true;
    }
    return false;
}

static const char *const norm_variables[4] = {"gamma", "beta", "moving_mean", "moving_variance"};

/* Has the walk along the config found every array of the base under the name of its layer? */
static bool is_matched(const ani_weights *weights) {
    for (int32_t i = 0; i < ANI_MNV2_BASE_ARRAYS; i++)
        if (!weights->config || weights->base[i] < 0) return false;
    return true;
}

static bool match_by_name(ani_weights *weights, const ani_unit_spec *units) {
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        int64_t *place = &weights->base[(int64_t)u * 5];
        char name[ANI_ARRAY_NAME_SIZE];
        snprintf(name, sizeof name, "%s/%s", units[u].conv_name,
                 units[u].kind == ANI_UNIT_DEPTHWISE ? "depthwise_kernel" : "kernel");
        place[0] = an_arrays_find(weights->arrays, name);
        if (place[0] < 0) return false;
        for (int32_t i = 0; i < 4; i++) {
            snprintf(name, sizeof name, "%s/%s", units[u].bn_name, norm_variables[i]);
            place[i + 1] = an_arrays_find(weights->arrays, name);
            if (place[i + 1] < 0) return false;
        }
    }
    return true;
}

static an_status match_by_order(ani_weights *weights, const ani_unit_spec *units, an_error *err) {
    static const char *const words[CLASSES] = {"convolution", "depthwise convolution", "batch norm",
                                               "", ""};
    const an_arrays *arrays = weights->arrays;
    int64_t at[CLASSES] = {0};
    group layer;
    if (an_arrays_metadata(arrays, "layer_order"))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "weights: '%s' does not tell the order of its layers: some are frozen, and "
                        "their names are not MobileNetV2's, as '%s'; save the whole model, or "
                        "without frozen layers",
                        weights->path, an_arrays_name(arrays, 0));
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        int64_t *place = &weights->base[(int64_t)u * 5];
        const bool depthwise = units[u].kind == ANI_UNIT_DEPTHWISE;
        const int32_t kind = depthwise ? CLASS_DEPTHWISE : CLASS_CONV;
        if (!next_layer(arrays, kind, &at[kind], &layer))
            return ani_fail(err, AN_ERR_FORMAT, "weights: '%s' has no %s for '%s'", weights->path,
                            words[kind], units[u].conv_name);
        place[0] = find_variable(arrays, &layer, depthwise ? "depthwise_kernel" : "kernel");
        if (!next_layer(arrays, CLASS_NORM, &at[CLASS_NORM], &layer))
            return ani_fail(err, AN_ERR_FORMAT, "weights: '%s' has no %s for '%s'", weights->path,
                            words[CLASS_NORM], units[u].bn_name);
        for (int32_t i = 0; i < 4; i++) {
            place[i + 1] = find_variable(arrays, &layer, norm_variables[i]);
            if (place[i + 1] < 0)
                return ani_fail(err, AN_ERR_FORMAT, "weights: '%s': layer of '%s' has no %s",
                                weights->path, an_arrays_name(arrays, layer.first),
                                norm_variables[i]);
        }
    }
    for (int32_t kind = CLASS_CONV; kind <= CLASS_NORM; kind++)
        if (next_layer(arrays, kind, &at[kind], &layer))
            return ani_fail(err, AN_ERR_FORMAT,
                            "weights: '%s' has one %s more than MobileNetV2: '%s'", weights->path,
                            words[kind], an_arrays_name(arrays, layer.first));
    return AN_OK;
}

/* Find the dense layer. More than one is not a head that this library supports. */
static an_status match_head(ani_weights *weights, an_error *err) {
    const an_arrays *arrays = weights->arrays;
    group layer, second;
    int64_t at = 0;
    weights->head_kernel = weights->head_bias = -1;
    if (!next_layer(arrays, CLASS_DENSE, &at, &layer)) return AN_OK;
    if (next_layer(arrays, CLASS_DENSE, &at, &second))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "weights: '%s' has two dense layers, '%s' and '%s'", weights->path,
                        an_arrays_name(arrays, layer.first), an_arrays_name(arrays, second.first));
    weights->head_kernel = find_variable(arrays, &layer, "kernel");
    weights->head_bias = find_variable(arrays, &layer, "bias");
    if (weights->head_bias < 0)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "weights: '%s': the dense layer of '%s' has no bias", weights->path,
                        an_arrays_name(arrays, layer.first));
    const int64_t outputs = an_arrays_length(arrays, weights->head_kernel, 1);
    weights->outputs = outputs > 0 && outputs <= INT32_MAX ? (int32_t)outputs : 0;
    return AN_OK;
}

/* Find the alpha whose channels the file has, and its units; 0: none. */
static double find_alpha(const ani_weights *weights, ani_unit_spec *units) {
    int64_t filters[ANI_MNV2_UNITS];
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++)
        filters[u] = an_arrays_length(weights->arrays, weights->base[(int64_t)u * 5], 3);
    return ani_mnv2_find_alpha(units, filters, weights->alpha);
}

/* Every array of a Keras file must have a place: an extra one belongs to a layer that is not ours,
 * or to one of ours that computes something else. */
static an_status check_rest(const ani_weights *weights, ani_unit_spec *units, an_error *err) {
    const an_arrays *arrays = weights->arrays;
    const char *layout = an_arrays_metadata(arrays, "layout");
    const char *classes = an_arrays_metadata(arrays, "layer_classes");
    if (!layout || strncmp(layout, "keras", 5) != 0) return AN_OK;
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        bool is_placed = i == weights->head_kernel || i == weights->head_bias;
        for (int32_t k = 0; k < ANI_MNV2_BASE_ARRAYS && !is_placed; k++)
            is_placed = weights->base[k] == i;
        if (!is_placed && !ani_keras_net_skips(weights, i))
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "weights: '%s' has an array '%s', which MobileNetV2 does not have",
                            weights->path, an_arrays_name(arrays, i));
    }
    if (weights->config || !classes || !(find_alpha(weights, units) > 0)) return AN_OK;
    return ani_keras_net_classes(weights, units, classes, err);
}

/* The published files: Keras weights of the base only, or with ImageNet's 1000 classes. */
static bool looks_like_imagenet(const ani_weights *weights) {
    const char *layout = an_arrays_metadata(weights->arrays, "layout");
    if (!layout || strcmp(layout, "keras-weights")) return false;
    return weights->head_kernel < 0 || weights->outputs == 1000;
}

static an_status need_units(ani_unit_spec **units, an_error *err) {
    *units = ani_alloc_zero(ANI_MNV2_UNITS, sizeof **units);
    return *units
               ? AN_OK
               : ani_fail_memory(err, ANI_MNV2_UNITS * (int64_t)sizeof **units, "a list of units");
}

an_status ani_weights_open(ani_weights *weights, an_arrays *arrays, const char *path,
                           an_error *err) {
    *weights = (ani_weights){
        .arrays = arrays, .path = path, .task = -1, .head_kernel = -1, .head_bias = -1};
    ani_unit_spec *units;
    an_status st = need_units(&units, err);
    if (st) goto done;
    ani_mnv2_pads pads;
    ani_mnv2_pads_for(&pads, AN_PADDING_FIXED, 224, 224);
    ani_mnv2_units(units, 1, &pads); /* for the names, which do not depend on alpha */
    st = ani_facts_read(weights, err);
    if (st) goto done;
    if (ani_torch_is_state_dict(arrays)) {
        st = ani_torch_read(weights, units, err);
        goto done;
    }
    if (!is_matched(weights) && !match_by_name(weights, units))
        st = match_by_order(weights, units, err);
    if (!st) st = match_head(weights, err);
    if (!st) st = check_rest(weights, units, err);
    if (st) goto done;
    weights->imagenet = looks_like_imagenet(weights);
    if (weights->imagenet && !weights->scale) weights->scale = AN_SCALE_TF;
done:
    ani_free(units);
    if (st) ani_weights_close(weights);
    return st;
}

void ani_weights_close(ani_weights *weights) {
    an_arrays_destroy(weights->arrays);
    ani_keras_config_free(weights->config);
    weights->arrays = NULL;
    weights->config = NULL;
    weights->scale_layer = NULL;
}

/* --- alpha ------------------------------------------------------------------------------------ */

an_status ani_weights_find_alpha(ani_weights *weights, an_error *err) {
    ani_unit_spec *units;
    an_status st = need_units(&units, err);
    if (st) return st;
    const double found = find_alpha(weights, units);
    ani_free(units);
    if (!(found > 0))
        return ani_fail(
            err, AN_ERR_UNSUPPORTED,
            "weights: '%s' does not match the channels of any MobileNetV2 with alpha up to 10",
            weights->path);
    weights->alpha = found;
    return AN_OK;
}

an_status ani_weights_check_alpha(const ani_weights *weights, double alpha, an_error *err) {
    ani_weights found = *weights; /* the list stays that of weights */
    an_error none;
    found.alpha = alpha; /* the first one to try */
    const an_status st = ani_weights_find_alpha(&found, &none);
    if (st == AN_ERR_NOMEM) return ani_fail(err, st, "%s", none.message);
    if (st || !(fabs(found.alpha - alpha) > 1e-9)) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT,
                    "the weights are for alpha %g, but the network has alpha %g: set alpha to "
                    "%g, or use other weights than '%s'",
                    found.alpha, alpha, found.alpha, weights->path);
}

/* --- taking ----------------------------------------------------------------------------------- */

static int64_t place_of(const ani_weights *weights, int64_t index) {
    if (index < ANI_MNV2_BASE_ARRAYS) return weights->base[index];
    return index == ANI_MNV2_BASE_ARRAYS ? weights->head_kernel : weights->head_bias;
}

/* The first convolution's weights, times the factors of the layers before it; NULL: there are none,
 * or no memory. */
static an_status scale_stem(const ani_weights *weights, const ani_net_array *stem, float **scaled,
                            an_error *err) {
    *scaled = NULL;
    if (weights->stem_gain[0] == 0) return AN_OK;
    const float *values = an_arrays_data(weights->arrays, place_of(weights, 0));
    float *copy = ani_alloc(stem->count * (int64_t)sizeof *copy);
    if (!copy) return ani_fail_memory(err, stem->count * (int64_t)sizeof *copy, "weights");
    for (int64_t i = 0; i < stem->count; i++) /* [3,3,3,filters] */
        copy[i] = (float)(values[i] * weights->stem_gain[i / stem->shape[3] % 3]);
    *scaled = copy;
    return AN_OK;
}

an_status ani_weights_take(const ani_weights *weights, ani_net *net, int32_t head, an_error *err) {
    const int64_t count = ANI_MNV2_BASE_ARRAYS + (head ? 2 : 0);
    for (int64_t i = 0; i < count; i++) {
        an_status st =
            ani_array_check(ani_net_array_at(net, i), weights->arrays, place_of(weights, i), err);
        if (st) return st;
    }
    float *stem;
    an_status st = scale_stem(weights, ani_net_array_at(net, 0), &stem, err);
    for (int64_t i = 0; i < count && !st; i++)
        ani_net_write_array(net, ani_net_array_at(net, i),
                            i == 0 && stem ? stem
                                           : an_arrays_data(weights->arrays, place_of(weights, i)));
    ani_free(stem);
    return st;
}
