/* SPDX-License-Identifier: MIT
 * Builds models: from options, with random weights or those of a file, or completely from a
 * file. */
#include <attractivenet/mobilenetv2.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/text.h"
#include "dataset/scale.h"
#include "layers/model.h"
#include "mobilenetv2/build.h"
#include "mobilenetv2/facts.h"
#include "mobilenetv2/imagenet.h"
#include "mobilenetv2/onnx_net.h"
#include "mobilenetv2/weights.h"

enum { MIN_SIZE = 32, MAX_SIZE = 8192, MAX_OUTPUTS = 10000 };

static an_mobilenetv2_options default_options(void) {
    return (an_mobilenetv2_options){.struct_size = sizeof(an_mobilenetv2_options),
                                    .height = 350,
                                    .width = 350,
                                    .outputs = 1,
                                    .seed = 42,
                                    .alpha = 1.0};
}

void an_mobilenetv2_options_init(an_mobilenetv2_options *options, uint32_t struct_size) {
    const an_mobilenetv2_options defaults = default_options();
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

static bool in_range(int64_t value, int64_t low, int64_t high) {
    return value >= low && value <= high;
}

static an_status check_alpha(double alpha, an_error *err) {
    if (alpha > 0 && alpha <= ANI_MNV2_MAX_ALPHA) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "MobileNetV2: alpha is %g; it must be above 0, at most %g",
                    alpha, ANI_MNV2_MAX_ALPHA);
}

static an_status check_size(int32_t height, int32_t width, an_error *err) {
    if (in_range(height, MIN_SIZE, MAX_SIZE) && in_range(width, MIN_SIZE, MAX_SIZE)) return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "MobileNetV2: size is %d x %d; height and width must be %d to %d", height,
                    width, MIN_SIZE, MAX_SIZE);
}

static an_status check_words(const an_mobilenetv2_options *o, an_error *err) {
    if (!in_range(o->outputs, 1, MAX_OUTPUTS))
        return ani_fail(err, AN_ERR_ARG, "MobileNetV2: outputs is %d; it must be 1 to %d",
                        o->outputs, MAX_OUTPUTS);
    if (!in_range(o->task, AN_TASK_REGRESSION, AN_TASK_CLASSIFICATION))
        return ani_fail(err, AN_ERR_ARG, "MobileNetV2: task is %d; it must be one of AN_TASK_*",
                        o->task);
    if (!in_range(o->padding, AN_PADDING_AUTO, AN_PADDING_SYMMETRIC))
        return ani_fail(err, AN_ERR_ARG,
                        "MobileNetV2: padding is %d; it must be one of AN_PADDING_*", o->padding);
    if (!in_range(o->scale, AN_SCALE_AUTO, AN_SCALE_TORCH))
        return ani_fail(err, AN_ERR_ARG, "MobileNetV2: scale is %d; it must be one of AN_SCALE_*",
                        o->scale);
    if (!in_range(o->weights_kind, AN_WEIGHTS_RANDOM, AN_WEIGHTS_FILE))
        return ani_fail(err, AN_ERR_ARG,
                        "MobileNetV2: weights_kind is %d; it must be one of AN_WEIGHTS_*",
                        o->weights_kind);
    const bool is_file = o->weights_kind == AN_WEIGHTS_FILE;
    if (is_file && (!o->weights_path || !*o->weights_path))
        return ani_fail(err, AN_ERR_ARG,
                        "MobileNetV2: weights_kind is AN_WEIGHTS_FILE and weights_path is %s",
                        o->weights_path ? "empty" : "NULL");
    if (!is_file && o->weights_path)
        return ani_fail(err, AN_ERR_ARG,
                        "MobileNetV2: weights_path is '%s', and weights_kind is %d; it must be "
                        "AN_WEIGHTS_FILE",
                        o->weights_path, o->weights_kind);
    if (!(o->epsilon >= 0 && o->epsilon <= ANI_MNV2_MAX_EPSILON))
        return ani_fail(err, AN_ERR_ARG,
                        "MobileNetV2: epsilon is %g; it must be above 0, at most %g, or 0 for the "
                        "default",
                        o->epsilon, ANI_MNV2_MAX_EPSILON);
    if (o->reserved)
        return ani_fail(err, AN_ERR_ARG, "MobileNetV2: reserved is %d; it must be 0", o->reserved);
    return AN_OK;
}

/* --- facts ------------------------------------------------------------------------------------ */

/* What a model is made from: options completed by what a file says. */
typedef struct blueprint {
    double alpha, epsilon;
    int32_t height, width, outputs, task, padding, scale;
    uint32_t seed;
    ani_mnv2_pads pads;
    bool odd_pads;              /* other than padding stands for */
    const ani_weights *weights; /* NULL: random */
    bool take_head, keep_name;
    bool is_model; /* its kind of prediction and its classes come from the file, too */
} blueprint;

static bool same_pads(const ani_mnv2_pads *a, const ani_mnv2_pads *b) {
    return !memcmp(a, b, sizeof *a); /* only int32_t: no padding bytes */
}

/* Determine the paddings: the caller's word, else the file's numbers, else the file's word, else
 * the tutorial's. Numbers get the word that stands for them, if there is one. */
static void settle_pads(blueprint *b, int32_t wanted) {
    const ani_weights *weights = b->weights;
    const int32_t known = weights && !wanted ? weights->known_pads : ANI_PADS_NONE;
    b->padding = wanted                        ? wanted
                 : weights && weights->padding ? weights->padding
                                               : AN_PADDING_TUTORIAL;
    ani_mnv2_pads_for(&b->pads, b->padding, b->height, b->width);
    if (known == ANI_PADS_NONE) return;
    ani_mnv2_pads found = weights->pads, fixed, symmetric;
    if (known == ANI_PADS_DOWN) found.stem = b->pads.stem;
    ani_mnv2_pads_for(&fixed, AN_PADDING_FIXED, b->height, b->width);
    b->odd_pads = !same_pads(&found, &b->pads);
    /* A network that was built with its size and padded accordingly is "fixed", even where both
     * agree. */
    if (!weights->padding && same_pads(&found, &fixed) && (weights->height || b->odd_pads)) {
        b->padding = AN_PADDING_FIXED;
        b->odd_pads = false;
    }
    ani_mnv2_pads_for(&symmetric, AN_PADDING_SYMMETRIC, b->height, b->width);
    if (!weights->padding && b->odd_pads && same_pads(&found, &symmetric)) {
        b->padding = AN_PADDING_SYMMETRIC;
        b->odd_pads = false;
    }
    b->pads = found;
}

/* The caller's epsilon, else the file's, else Keras'. */
static void settle_epsilon(blueprint *b, double wanted) {
    const double found = b->weights ? b->weights->epsilon : 0;
    b->epsilon = wanted > 0 ? wanted : found > 0 ? found : ANI_KERAS_EPSILON;
}

/* Name the base as keras.applications does: alpha with two digits, then the rows of the input if
 * they were given; ImageNet weights exist for a few sizes, and 224 stands for all others. */
static void name_base(ani_model_facts *facts, const blueprint *b) {
    static const int32_t sizes[] = {96, 128, 160, 192, 224};
    const bool imagenet = b->weights && b->weights->imagenet;
    const bool fixed = b->padding == AN_PADDING_FIXED;
    const int32_t hundredths = (int32_t)lround(b->alpha * 100);
    int32_t rows = fixed ? b->height : 0;
    if (imagenet) {
        rows = 224;
        for (size_t i = 0; fixed && i < sizeof sizes / sizeof *sizes; i++)
            if (b->height == b->width && b->height == sizes[i]) rows = sizes[i];
    }
    char stem[40], size[16];
    snprintf(stem, sizeof stem, "mobilenetv2_%d.%02d", hundredths / 100, hundredths % 100);
    snprintf(size, sizeof size, "%d", rows);
    snprintf(facts->base_name, sizeof facts->base_name, "%s_%s", stem, rows ? size : "None");
    snprintf(facts->notebook_name, sizeof facts->notebook_name, "%s_%s", stem, rows ? size : "224");
}

static void set_facts(ani_model_facts *facts, const blueprint *b) {
    *facts = (ani_model_facts){.alpha = b->alpha,
                               .task = b->task,
                               .scale = b->scale,
                               .padding = b->padding,
                               .seed = b->seed};
    ani_scale_range(b->scale, &facts->image.low, &facts->image.high);
    snprintf(facts->scale_name, sizeof facts->scale_name, "%s", ani_scale_name(b->scale));
    name_base(facts, b);
    if (b->keep_name && b->weights->base_name[0]) {
        memcpy(facts->base_name, b->weights->base_name, sizeof facts->base_name);
        if (!ani_ends_with(facts->base_name, "_None"))
            memcpy(facts->notebook_name, facts->base_name, sizeof facts->notebook_name);
    }
    if (b->odd_pads) ani_pads_text(facts->pads, &b->pads);
}

static an_status build(an_model **out, an_backend *backend, const blueprint *b, an_error *err) {
    ani_unit_spec units[ANI_MNV2_UNITS];
    ani_model_facts facts;
    an_model *model = NULL;
    *out = NULL;
    ani_mnv2_units(units, b->alpha, &b->pads);
    set_facts(&facts, b);
    const ani_net_spec spec = {units, ANI_MNV2_UNITS, b->outputs, b->height, b->width, b->epsilon};
    an_status st = ani_model_create(&model, backend, &spec, &facts, err);
    if (st) goto done;
    ani_net *net = ani_model_net(model);
    if (!b->weights || !b->take_head)
        st = ani_net_draw(net, b->seed, b->weights ? ANI_MNV2_BASE_ARRAYS : 0, err);
    if (!st && b->weights) st = ani_weights_take(b->weights, net, b->take_head, err);
    if (!st && b->is_model) st = ani_model_take_inference(model, b->weights->arrays, err);
    if (!st && b->is_model) st = ani_model_take_intervals(model, b->weights->arrays, err);
    if (!st && b->is_model) st = ani_model_take_class_names(model, b->weights->arrays, err);
    if (st) goto done;
    *out = model;
    model = NULL;
done:
    an_model_destroy(model);
    return st;
}

/* --- create ----------------------------------------------------------------------------------- */

static an_status settle_scale(blueprint *b, int32_t wanted, an_error *err) {
    b->scale = wanted;
    if (!b->scale) b->scale = b->weights ? b->weights->scale : AN_SCALE_UNIT;
    if (b->scale) return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "MobileNetV2: '%s' does not say how pixels are scaled; set scale to unit, tf, "
                    "article or torch",
                    b->weights->path);
}

static an_status create(an_model **out, an_backend *backend, const an_mobilenetv2_options *o,
                        const ani_weights *weights, an_error *err) {
    blueprint b = {.alpha = o->alpha,
                   .height = o->height,
                   .width = o->width,
                   .outputs = o->outputs,
                   .task = o->task,
                   .seed = o->seed,
                   .weights = weights};
    /* The head belongs to the caller's task; the file's head is used if it answers the same
     * question. */
    b.take_head = weights && weights->head_kernel >= 0 && weights->outputs == o->outputs &&
                  (weights->task < 0 || weights->task == o->task);
    an_status st = weights ? ani_weights_check_alpha(weights, o->alpha, err) : AN_OK;
    if (!st) st = settle_scale(&b, o->scale, err);
    if (st) return st;
    settle_pads(&b, o->padding);
    settle_epsilon(&b, o->epsilon);
    return build(out, backend, &b, err);
}

an_status an_mobilenetv2_create(an_model **out, an_backend *backend,
                                const an_mobilenetv2_options *options, an_error *err) {
    an_mobilenetv2_options o = default_options();
    ani_weights weights = {0};
    an_arrays *arrays = NULL;
    char *download = NULL;
    if (out) *out = NULL;
    if (!out || !backend) return ani_fail(err, AN_ERR_ARG, "MobileNetV2: out or backend is NULL");
    an_status st = ani_options_copy(&o, sizeof o, options, "an_mobilenetv2_options", err);
    if (!st) st = check_alpha(o.alpha, err);
    if (!st) st = check_size(o.height, o.width, err);
    if (!st) st = check_words(&o, err);
    if (st) return st;
    if (o.weights_kind == AN_WEIGHTS_RANDOM) return create(out, backend, &o, NULL, err);
    const char *path = o.weights_path;
    const bool imagenet = o.weights_kind == AN_WEIGHTS_IMAGENET;
    if (imagenet) {
        st = ani_imagenet_file(&download, &o, ANI_IMAGENET_SOURCE, err);
        if (st) return st;
        path = download;
    }
    st = ani_model_file_read(&arrays, path, err);
    if (!st) st = ani_weights_open(&weights, arrays, path, err);
    if (st) goto done;
    if (imagenet) {
        weights.imagenet = 1;
        weights.scale = AN_SCALE_TF;
    }
    st = create(out, backend, &o, &weights, err);
done:
    ani_weights_close(&weights);
    ani_imagenet_free(download);
    return st;
}

/* --- load ------------------------------------------------------------------------------------- */

static an_status settle_size(blueprint *b, const an_mobilenetv2_options *o, an_error *err) {
    const ani_weights *weights = b->weights;
    b->height = o->height ? o->height : weights->height;
    b->width = o->width ? o->width : weights->width;
    if (!b->height || !b->width)
        return ani_fail(err, AN_ERR_ARG,
                        "model: '%s' does not say how large images are; set height and width",
                        weights->path);
    return check_size(b->height, b->width, err);
}

static an_status load(an_model **out, an_backend *backend, ani_weights *weights,
                      const an_mobilenetv2_options *o, an_error *err) {
    if (weights->head_kernel < 0)
        return ani_fail(err, AN_ERR_FORMAT,
                        "model: '%s' has no dense layer; it is a weight file for a new model",
                        weights->path);
    if (!in_range(weights->outputs, 1, MAX_OUTPUTS))
        return ani_fail(err, AN_ERR_UNSUPPORTED, "model: '%s' has %d outputs; 1 to %d are possible",
                        weights->path, weights->outputs, MAX_OUTPUTS);
    an_status st = ani_weights_find_alpha(weights, err);
    if (st) return st;
    blueprint b = {.alpha = weights->alpha,
                   .outputs = weights->outputs,
                   .seed = weights->has_seed ? weights->seed : o->seed,
                   .weights = weights,
                   .take_head = true,
                   .keep_name = true,
                   .is_model = true};
    /* A bare weight file does not name a task: ImageNet's 1000 classes mean classification,
     * anything else scores. */
    b.task = weights->task >= 0  ? weights->task
             : weights->imagenet ? AN_TASK_CLASSIFICATION
                                 : AN_TASK_REGRESSION;
    if (weights->scale_layer && o->scale && o->scale != weights->scale)
        return ani_fail(
            err, AN_ERR_ARG,
            "model: '%s' scales pixels in its layer '%s' as %s does; scale is %s, leave "
            "it out",
            weights->path, weights->scale_layer, ani_scale_name(weights->scale),
            ani_scale_name(o->scale));
    st = settle_size(&b, o, err);
    if (!st) st = settle_scale(&b, o->scale, err);
    if (st) return st;
    settle_pads(&b, o->padding);
    settle_epsilon(&b, o->epsilon);
    return build(out, backend, &b, err);
}

/* Check a caller's options for a model to be loaded from path; NULL: from memory. */
static an_status take_options(an_mobilenetv2_options *o, const an_mobilenetv2_options *options,
                              const char *path, an_error *err) {
    *o = default_options();
    o->height = o->width = 0;
    an_status st = ani_options_copy(o, sizeof *o, options, "an_mobilenetv2_options", err);
    if (!st) st = check_alpha(o->alpha, err);
    if (!st) st = check_words(o, err);
    /* check_words() allows a path only for AN_WEIGHTS_FILE */
    if (!st && o->weights_kind != AN_WEIGHTS_RANDOM &&
        (!path || !o->weights_path || strcmp(o->weights_path, path) != 0))
        st = ani_fail(err, AN_ERR_ARG,
                      "model: weights_kind of the options is %d with '%s', and the model is to be "
                      "loaded from '%s'; leave it at AN_WEIGHTS_RANDOM",
                      o->weights_kind, o->weights_path ? o->weights_path : "",
                      path ? path : "memory");
    return st;
}

/* Build a model from a file's arrays, whose ownership is taken. */
static an_status load_arrays(an_model **out, an_backend *backend, an_arrays *arrays,
                             const char *path, const an_mobilenetv2_options *o, an_error *err) {
    ani_weights weights;
    an_status st = ani_weights_open(&weights, arrays, path, err);
    if (st) return st;
    st = load(out, backend, &weights, o, err);
    ani_weights_close(&weights);
    return st;
}

an_status an_model_load(an_model **out, an_backend *backend, const char *path,
                        const an_mobilenetv2_options *options, an_error *err) {
    an_mobilenetv2_options o;
    an_arrays *arrays = NULL;
    if (out) *out = NULL;
    if (!out || !backend || !path)
        return ani_fail(err, AN_ERR_ARG, "model: out, backend or path is NULL");
    an_status st = take_options(&o, options, path, err);
    if (!st) st = ani_model_file_read(&arrays, path, err);
    return st ? st : load_arrays(out, backend, arrays, path, &o, err);
}

an_status an_model_load_bytes(an_model **out, an_backend *backend, const void *bytes, int64_t size,
                              const char *name, const an_mobilenetv2_options *options,
                              an_error *err) {
    an_mobilenetv2_options o;
    an_arrays *arrays = NULL;
    if (out) *out = NULL;
    if (!out || !backend || !bytes)
        return ani_fail(err, AN_ERR_ARG, "model: out, backend or bytes is NULL");
    an_status st = take_options(&o, options, NULL, err);
    if (!st) st = ani_model_file_read_bytes(&arrays, bytes, size, name, err);
    return st ? st : load_arrays(out, backend, arrays, name ? name : "in memory", &o, err);
}

/* --- counts ----------------------------------------------------------------------------------- */

an_status an_mobilenetv2_count_parameters(double alpha, int32_t outputs, int64_t *all,
                                          int64_t *trainable, an_error *err) {
    ani_unit_spec units[ANI_MNV2_UNITS];
    ani_mnv2_pads pads;
    an_status st = check_alpha(alpha, err);
    if (st) return st;
    if (!in_range(outputs, 1, MAX_OUTPUTS))
        return ani_fail(err, AN_ERR_ARG, "MobileNetV2: outputs is %d; it must be 1 to %d", outputs,
                        MAX_OUTPUTS);
    ani_mnv2_pads_for(&pads, AN_PADDING_FIXED, 224, 224);
    ani_mnv2_units(units, alpha, &pads);
    int64_t trained = 0, moving = 0;
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        const int64_t taps = units[u].kind == ANI_UNIT_POINTWISE ? 1 : 9;
        const int64_t filters = units[u].kind == ANI_UNIT_DEPTHWISE ? 1 : units[u].cout;
        trained += taps * units[u].cin * filters + 2 * units[u].cout;
        moving += 2 * units[u].cout;
    }
    trained += (units[ANI_MNV2_UNITS - 1].cout + 1) * outputs;
    if (all) *all = trained + moving;
    if (trainable) *trainable = trained;
    return AN_OK;
}
