/* SPDX-License-Identifier: MIT
 * Sources: torchvision.models.mobilenetv2, timm.models.efficientnet (mobilenetv2_*). A
 * convolution's weight is [out,in,rows,columns] there, a depthwise one's [channels,1,3,3], a dense
 * layer's [out,in]. num_batches_tracked is not read, and not written either: PyTorch fills it in.
 */
#include "mobilenetv2/torch_names.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/shape.h"
#include "base/text.h"
#include "io/arrays.h"

enum { NAME_SIZE = 64, UNIT_ARRAYS = 5 };

/* --- names ------------------------------------------------------------------------------------ */

/* Where a unit is. */
enum { EXPAND, DEPTHWISE, PROJECT };
typedef struct place {
    int32_t block; /* 0 to 16; -1: the stem; 17: the last unit */
    int32_t part;  /* of a block */
} place;

static place place_of(int32_t unit) {
    if (unit == 0) return (place){-1, 0};
    if (unit < 3) return (place){0, unit == 1 ? DEPTHWISE : PROJECT};
    return (place){(unit - 3) / 3 + 1, (unit - 3) % 3};
}

/* Write the names of a unit's convolution and batch norm. */
static void name_torchvision(int32_t unit, char conv[NAME_SIZE], char norm[NAME_SIZE]) {
    const place at = place_of(unit);
    const int32_t last = ANI_MNV2_UNITS - 1, part = at.block ? at.part : at.part - 1;
    if (unit == 0 || unit == last) {
        snprintf(conv, NAME_SIZE, "features.%d.0", at.block + 1);
        snprintf(norm, NAME_SIZE, "features.%d.1", at.block + 1);
    } else if (at.part == PROJECT) {
        snprintf(conv, NAME_SIZE, "features.%d.conv.%d", at.block + 1, part);
        snprintf(norm, NAME_SIZE, "features.%d.conv.%d", at.block + 1, part + 1);
    } else {
        snprintf(conv, NAME_SIZE, "features.%d.conv.%d.0", at.block + 1, part);
        snprintf(norm, NAME_SIZE, "features.%d.conv.%d.1", at.block + 1, part);
    }
}

static void name_timm(int32_t unit, char conv[NAME_SIZE], char norm[NAME_SIZE]) {
    static const int32_t blocks[] = {1, 2, 3, 4, 3, 3, 1}; /* of each stage */
    static const char *const convs[] = {"conv_pw", "conv_dw", "conv_pwl"};
    const place at = place_of(unit);
    int32_t stage = 0, block = at.block;
    if (unit == 0 || unit == ANI_MNV2_UNITS - 1) {
        snprintf(conv, NAME_SIZE, "%s", unit ? "conv_head" : "conv_stem");
        snprintf(norm, NAME_SIZE, "%s", unit ? "bn2" : "bn1");
        return;
    }
    while (block >= blocks[stage])
        block -= blocks[stage++];
    /* the first block has no expansion, and calls its projection conv_pw */
    snprintf(conv, NAME_SIZE, "blocks.%d.%d.%s", stage, block,
             at.block ? convs[at.part] : convs[at.part == PROJECT ? EXPAND : DEPTHWISE]);
    snprintf(norm, NAME_SIZE, "blocks.%d.%d.bn%d", stage, block, at.block ? at.part + 1 : at.part);
}

/* A tool's names. */
typedef struct scheme {
    const char *tool;
    const char *stem; /* by which it is known */
    const char *kernel, *bias;
    void (*name)(int32_t unit, char conv[NAME_SIZE], char norm[NAME_SIZE]);
} scheme;

static const scheme torchvision = {"torchvision", "features.0.0.weight", "classifier.1.weight",
                                   "classifier.1.bias", name_torchvision};
static const scheme timm = {"timm", "conv_stem.weight", "classifier.weight", "classifier.bias",
                            name_timm};

/* The arrays of a unit, in the order of the net's. */
typedef char unit_names[UNIT_ARRAYS][2 * NAME_SIZE];

static void name_unit(const scheme *s, int32_t unit, unit_names names,
                      char tracked[2 * NAME_SIZE]) {
    static const char *const variables[] = {"weight", "bias", "running_mean", "running_var"};
    char conv[NAME_SIZE], norm[NAME_SIZE];
    s->name(unit, conv, norm);
    snprintf(names[0], sizeof names[0], "%s.weight", conv);
    for (int32_t i = 1; i < UNIT_ARRAYS; i++)
        snprintf(names[i], sizeof names[i], "%s.%s", norm, variables[i - 1]);
    snprintf(tracked, sizeof names[0], "%s.num_batches_tracked", norm);
}

/* --- layouts ---------------------------------------------------------------------------------- */

/* A weight as PyTorch has it, [out,in,taps], which is [taps,in,out] here. A depthwise one's `in` is
 * 1, a dense layer's `taps`. */
typedef struct layout {
    int64_t out, in, taps;
} layout;

static void from_torch(float *to, const float *from, const layout *l) {
    for (int64_t o = 0; o < l->out; o++)
        for (int64_t i = 0; i < l->in; i++)
            for (int64_t t = 0; t < l->taps; t++)
                to[(t * l->in + i) * l->out + o] = *from++;
}

static void to_torch(float *to, const float *from, const layout *l) {
    for (int64_t o = 0; o < l->out; o++)
        for (int64_t i = 0; i < l->in; i++)
            for (int64_t t = 0; t < l->taps; t++)
                *to++ = from[(t * l->in + i) * l->out + o];
}

static layout layout_of(const ani_unit_spec *unit) {
    return (layout){.out = unit->cout,
                    .in = unit->kind == ANI_UNIT_DEPTHWISE ? 1 : unit->cin,
                    .taps = unit->kind == ANI_UNIT_POINTWISE ? 1 : 9};
}

/* PyTorch's shape of array i of a unit. */
static int32_t torch_shape(const ani_unit_spec *unit, int32_t i, int64_t shape[4]) {
    const layout l = layout_of(unit);
    const int64_t side = l.taps == 9 ? 3 : 1;
    const int64_t all[4] = {l.out, l.in, side, side};
    memcpy(shape, all, sizeof all);
    return i ? 1 : 4;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool has_suffix(const char *name, const char *suffix) {
    const size_t size = strlen(name), end = strlen(suffix);
    return size > end && name[size - end - 1] == '.' && !strcmp(name + size - end, suffix);
}

/* The scheme of a list, and the first array if its name has something in front. */
static const scheme *find_scheme(const an_arrays *arrays, const char **prefixed) {
    static const scheme *const schemes[] = {&torchvision, &timm};
    *prefixed = NULL;
    for (size_t s = 0; s < 2; s++)
        if (an_arrays_find(arrays, schemes[s]->stem) >= 0) return schemes[s];
    for (int64_t i = 0; i < an_arrays_count(arrays); i++)
        for (size_t s = 0; s < 2; s++)
            if (has_suffix(an_arrays_name(arrays, i), schemes[s]->stem)) {
                *prefixed = an_arrays_name(arrays, i);
                return schemes[s];
            }
    return NULL;
}

bool ani_torch_is_state_dict(const an_arrays *arrays) {
    const char *prefixed;
    return find_scheme(arrays, &prefixed) != NULL;
}

/* The arrays of a state dict that have a place. */
typedef struct known {
    const scheme *scheme;
    int64_t tracked[ANI_MNV2_UNITS];
} known;

static an_status fail_missing(const ani_weights *weights, const known *k, const char *name,
                              an_error *err) {
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "weights: '%s' has no '%s', which %s's MobileNetV2 has", weights->path, name,
                    k->scheme->tool);
}

static an_status find_arrays(ani_weights *weights, known *k, an_error *err) {
    const an_arrays *arrays = weights->arrays;
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        unit_names names;
        char tracked[2 * NAME_SIZE];
        name_unit(k->scheme, u, names, tracked);
        k->tracked[u] = an_arrays_find(arrays, tracked);
        for (int32_t i = 0; i < UNIT_ARRAYS; i++) {
            const int64_t at = an_arrays_find(arrays, names[i]);
            if (at < 0) return fail_missing(weights, k, names[i], err);
            weights->base[(int64_t)u * UNIT_ARRAYS + i] = at;
        }
    }
    weights->head_kernel = an_arrays_find(arrays, k->scheme->kernel);
    if (weights->head_kernel < 0) return AN_OK;
    weights->head_bias = an_arrays_find(arrays, k->scheme->bias);
    return weights->head_bias < 0 ? fail_missing(weights, k, k->scheme->bias, err) : AN_OK;
}

/* At most 314 arrays have a place, so this ends soon, however many there are. */
static an_status check_rest(const ani_weights *weights, const known *k, an_error *err) {
    const an_arrays *arrays = weights->arrays;
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        bool is_placed = i == weights->head_kernel || i == weights->head_bias, is_tracked = false;
        for (int32_t j = 0; j < ANI_MNV2_BASE_ARRAYS && !is_placed; j++)
            is_placed = weights->base[j] == i;
        for (int32_t u = 0; u < ANI_MNV2_UNITS && !is_placed && !is_tracked; u++)
            is_tracked = k->tracked[u] == i;
        if (!is_placed && !is_tracked)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "weights: '%s' has '%s', which %s's MobileNetV2 does not have",
                            weights->path, an_arrays_name(arrays, i), k->scheme->tool);
        if (is_placed && ani_arrays_is_whole(arrays, i))
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "weights: '%s': '%s' holds whole numbers; it must hold floats, not be "
                            "quantized",
                            weights->path, an_arrays_name(arrays, i));
    }
    return AN_OK;
}

/* How many convolutions have the channels of an alpha; all of them: the second. */
static int32_t count_fitting(const ani_weights *weights, double alpha, ani_unit_spec *units,
                             int32_t *all) {
    ani_mnv2_pads pads;
    int32_t fitting = 0;
    *all = 0;
    ani_mnv2_pads_for(&pads, AN_PADDING_SYMMETRIC, 224, 224);
    ani_mnv2_units(units, alpha, &pads);
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        const int64_t kernel = weights->base[(int64_t)u * UNIT_ARRAYS];
        if (units[u].kind == ANI_UNIT_DEPTHWISE) continue;
        fitting += an_arrays_length(weights->arrays, kernel, 0) == units[u].cout;
        ++*all;
    }
    return fitting;
}

/* Find the alpha whose channels the file has; if there is none, the one that most of them fit. */
static double find_alpha(const ani_weights *weights, ani_unit_spec *units) {
    static const double usual[] = {1.0, 0.35, 0.5, 0.75, 1.4, 1.3};
    enum { USUAL = sizeof usual / sizeof *usual, HUNDREDTHS = 1000 };
    double best = 1;
    int32_t most = -1, all = 0;
    for (int32_t i = -1; i < USUAL + HUNDREDTHS && (most < 0 || most < all); i++) {
        const double alpha = i < 0       ? weights->alpha
                             : i < USUAL ? usual[i]
                                         : (i - USUAL + 1) / 100.0;
        const int32_t fitting = alpha > 0 ? count_fitting(weights, alpha, units, &all) : -1;
        if (fitting <= most) continue;
        most = fitting;
        best = alpha;
    }
    count_fitting(weights, best, units, &all);
    return best;
}

static an_status check_shape(const ani_weights *weights, const known *k, double alpha,
                             int64_t index, const int64_t *shape, int32_t rank, an_error *err) {
    char found[ANI_SHOWN_SHAPE_SIZE], wanted[ANI_SHOWN_SHAPE_SIZE];
    int64_t lengths[ANI_SHAPE_MAX_RANK] = {0};
    const int32_t found_rank = an_arrays_rank(weights->arrays, index);
    bool same = found_rank == rank;
    for (int32_t axis = 0; axis < found_rank; axis++) {
        lengths[axis] = an_arrays_length(weights->arrays, index, axis);
        same = same && lengths[axis] == shape[axis];
    }
    if (same) return AN_OK;
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "weights: '%s': '%s' has shape %s; %s's MobileNetV2 of width %g has %s",
                    weights->path, an_arrays_name(weights->arrays, index),
                    ani_shape_show(found, lengths, found_rank), k->scheme->tool, alpha,
                    ani_shape_show(wanted, shape, rank));
}

static an_status check_shapes(ani_weights *weights, const known *k, ani_unit_spec *units,
                              an_error *err) {
    const double alpha = find_alpha(weights, units);
    int64_t shape[4];
    for (int32_t i = 0; i < ANI_MNV2_BASE_ARRAYS; i++) {
        const int32_t rank = torch_shape(&units[i / UNIT_ARRAYS], i % UNIT_ARRAYS, shape);
        an_status st = check_shape(weights, k, alpha, weights->base[i], shape, rank, err);
        if (st) return st;
    }
    weights->alpha = alpha;
    if (weights->head_kernel < 0) return AN_OK;
    const int64_t outputs = an_arrays_length(weights->arrays, weights->head_kernel, 0);
    shape[0] = outputs;
    shape[1] = units[ANI_MNV2_UNITS - 1].cout;
    an_status st = check_shape(weights, k, alpha, weights->head_kernel, shape, 2, err);
    if (!st) st = check_shape(weights, k, alpha, weights->head_bias, shape, 1, err);
    weights->outputs = outputs > 0 && outputs <= INT32_MAX ? (int32_t)outputs : 0;
    return st;
}

/* Rearrange a weight in place; scratch has room for it. */
static void arrange(const ani_weights *weights, int64_t index, const layout *l,
                    const int64_t *shape, int32_t rank, float *scratch) {
    const int64_t count = l->out * l->in * l->taps;
    float *values = ani_arrays_reshape(weights->arrays, index, shape, rank);
    if (count) memcpy(scratch, values, (size_t)count * sizeof *scratch);
    from_torch(values, scratch, l);
}

static an_status arrange_all(const ani_weights *weights, const ani_unit_spec *units,
                             an_error *err) {
    const layout head = {weights->outputs, units[ANI_MNV2_UNITS - 1].cout, 1};
    int64_t most = head.out * head.in;
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        const layout l = layout_of(&units[u]);
        if (l.out * l.in * l.taps > most) most = l.out * l.in * l.taps;
    }
    float *scratch = ani_alloc(most * (int64_t)sizeof *scratch);
    if (!scratch) return ani_fail_memory(err, most * (int64_t)sizeof *scratch, "a weight");
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        const layout l = layout_of(&units[u]);
        const int64_t side = l.taps == 9 ? 3 : 1;
        const bool depthwise = units[u].kind == ANI_UNIT_DEPTHWISE;
        const int64_t shape[] = {side, side, depthwise ? l.out : l.in, depthwise ? 1 : l.out};
        arrange(weights, weights->base[(int64_t)u * UNIT_ARRAYS], &l, shape, 4, scratch);
    }
    if (weights->head_kernel >= 0)
        arrange(weights, weights->head_kernel, &head, (int64_t[]){head.in, head.out}, 2, scratch);
    ani_free(scratch);
    return AN_OK;
}

an_status ani_torch_read(ani_weights *weights, ani_unit_spec *units, an_error *err) {
    enum { IMAGENET_CLASSES = 1000 };
    const char *prefixed;
    known k = {.scheme = find_scheme(weights->arrays, &prefixed)};
    if (prefixed)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "weights: '%s': '%s' has something in front of '%s': remove it from all "
                        "names",
                        weights->path, prefixed, k.scheme->stem);
    an_status st = find_arrays(weights, &k, err);
    if (!st) st = check_rest(weights, &k, err);
    if (!st) st = check_shapes(weights, &k, units, err);
    if (!st) st = arrange_all(weights, units, err);
    if (st) return st;
    if (!weights->padding && weights->known_pads == ANI_PADS_NONE)
        weights->padding = AN_PADDING_SYMMETRIC;
    if (!(weights->epsilon > 0)) weights->epsilon = ANI_TORCH_EPSILON;
    /* what this library wrote there is taken as from its own files */
    if (an_arrays_metadata(weights->arrays, "library_version"))
        st = an_arrays_set_metadata(weights->arrays, "format", ANI_MODEL_FORMAT, err);
    if (st) return st;
    const bool is_imagenet = weights->head_kernel < 0 || weights->outputs == IMAGENET_CLASSES;
    if (is_imagenet && !weights->scale) weights->scale = AN_SCALE_TORCH;
    if (weights->outputs == IMAGENET_CLASSES && weights->task < 0)
        weights->task = AN_TASK_CLASSIFICATION;
    return AN_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* PyTorch's networks have their padding and epsilon in their code, not in the state dict. */
static an_status check_model(const an_model *model, const scheme *s, an_error *err) {
    const ani_net_spec *spec = ani_net_spec_of(ani_model_net(model));
    for (int32_t u = 0; u < spec->unit_count; u++) {
        const ani_unit_spec *unit = &spec->units[u];
        const int32_t pad = unit->kind == ANI_UNIT_POINTWISE ? 0 : 1;
        if (unit->pad_top != pad || unit->pad_bottom != pad || unit->pad_left != pad ||
            unit->pad_right != pad)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "export: '%s' pads (%d,%d),(%d,%d); %s's MobileNetV2 pads "
                            "(1,1),(1,1), and would compute something else",
                            unit->conv_name, unit->pad_top, unit->pad_bottom, unit->pad_left,
                            unit->pad_right, s->tool);
    }
    if (fabs(spec->epsilon - ANI_TORCH_EPSILON) > 1e-9 * ANI_TORCH_EPSILON)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "export: batch norm's epsilon is %g; %s's MobileNetV2 has %g, and would "
                        "compute something else",
                        spec->epsilon, s->tool, ANI_TORCH_EPSILON);
    return AN_OK;
}

/* Add a weight, of a list that has it in Keras' layout. */
static an_status add_weight(an_arrays *to, const char *name, const float *values, const layout *l,
                            const int64_t *shape, int32_t rank, an_error *err) {
    float *data;
    an_status st = ani_arrays_append(to, name, shape, rank, &data, err);
    if (!st) to_torch(data, values, l);
    return st;
}

static an_status add_unit(an_arrays *to, const an_arrays *from, const ani_net *net, const scheme *s,
                          int32_t u, an_error *err) {
    const ani_unit_spec *unit = &ani_net_spec_of(net)->units[u];
    const layout l = layout_of(unit);
    unit_names names;
    char tracked[2 * NAME_SIZE];
    an_status st = AN_OK;
    name_unit(s, u, names, tracked);
    for (int32_t i = 0; !st && i < UNIT_ARRAYS; i++) {
        char name[ANI_ARRAY_NAME_SIZE];
        int64_t shape[4];
        const int32_t rank = torch_shape(unit, i, shape);
        ani_array_name(name, ani_net_array_at(net, (int64_t)u * UNIT_ARRAYS + i));
        const float *values = an_arrays_data(from, an_arrays_find(from, name));
        st = i ? an_arrays_add(to, names[i], values, shape, rank, err)
               : add_weight(to, names[i], values, &l, shape, rank, err);
    }
    return st;
}

static an_status add_head(an_arrays *to, const an_arrays *from, const ani_net *net, const scheme *s,
                          an_error *err) {
    const int64_t shape[] = {ani_net_spec_of(net)->outputs, ani_net_features(net)};
    const layout l = {shape[0], shape[1], 1};
    const float *kernel = an_arrays_data(from, an_arrays_find(from, "dense/kernel"));
    const float *bias = an_arrays_data(from, an_arrays_find(from, "dense/bias"));
    an_status st = add_weight(to, s->kernel, kernel, &l, shape, 2, err);
    return st ? st : an_arrays_add(to, s->bias, bias, shape, 1, err);
}

/* Copy what a model's file says, except what is only about this library's own kinds of inference.
 */
static an_status add_metadata(an_arrays *to, const an_arrays *from, an_error *err) {
    an_status st = an_arrays_set_metadata(to, "format", "pt", err); /* as PyTorch's files */
    for (int64_t i = 0; !st && i < an_arrays_metadata_count(from); i++) {
        const char *key = an_arrays_metadata_key(from, i);
        if (!strcmp(key, "format") || !strcmp(key, "inference") || !strcmp(key, "pads")) continue;
        st = an_arrays_set_metadata(to, key, an_arrays_metadata(from, key), err);
    }
    /* also if another word stood for the same numbers at the model's size */
    return st ? st : an_arrays_set_metadata(to, "padding", "symmetric", err);
}

an_status ani_torch_write(const an_arrays *arrays, const an_model *model, const char *path,
                          int32_t format, an_error *err) {
    const scheme *s = format == AN_EXPORT_TIMM ? &timm : &torchvision;
    const ani_net *net = ani_model_net(model);
    an_arrays *to = NULL;
    an_status st = check_model(model, s, err);
    if (!st) st = an_arrays_create(&to, err);
    if (!st) st = add_metadata(to, arrays, err);
    for (int32_t u = 0; !st && u < ANI_MNV2_UNITS; u++)
        st = add_unit(to, arrays, net, s, u, err);
    if (!st) st = add_head(to, arrays, net, s, err);
    if (!st) st = an_arrays_write(to, path, err);
    an_arrays_destroy(to);
    return st;
}
