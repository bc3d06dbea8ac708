/* SPDX-License-Identifier: MIT
 * an_model: the public interface of a net, its weights as named arrays, its file. */
#include "layers/model.h"

#include <attractivenet/version.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/options.h"
#include "base/shape.h"
#include "base/text.h"
#include "layers/calibrate.h"
#include "layers/class_names.h"
#include "layers/loss.h"

/* Predictions are made in slices of this many images, so that memory stays small whatever n is. */
enum { PREDICT_SLICE = 32 };

struct an_model {
    atomic_int references;
    atomic_bool claimed;      /* a caller trains, measures or changes it */
    atomic_int base;          /* AN_BASE_* */
    atomic_int precision;     /* of training, AN_PRECISION_* */
    atomic_int recompute;     /* 0 or 1 */
    int32_t gradient_base;    /* of the current gradients; -1: none. With the turn */
    int64_t gradient_samples; /* of the batches that they are the mean over */
    double momentum;          /* with claim and turn */
    ani_net *net;
    ani_model_facts facts;
    ani_class_names *names; /* NULL: none; set with claim, turn and ani_net_lock() */
    /* batch norm update in progress: sums and scratch [2][channels] each; NULL: none */
    double *statistics;
    int64_t samples;
    ani_calibration *calibration;          /* in progress; NULL: none */
    int64_t statistics_of, calibration_of; /* ani_net_changes() as each began */
};

/* --- life ------------------------------------------------------------------------------------- */

/* Make a model from a net, whose ownership is always taken. */
static an_status make(an_model **out, ani_net *net, const ani_model_facts *facts, an_error *err) {
    an_model *model = ani_alloc_zero(1, sizeof *model);
    if (!model) {
        ani_net_destroy(net);
        return ani_fail_memory(err, sizeof *model, "a model");
    }
    atomic_init(&model->references, 1);
    atomic_init(&model->base, AN_BASE_FROZEN);
    model->gradient_base = -1;
    model->momentum = 0.999;
    model->facts = *facts;
    model->net = net;
    *out = model;
    return AN_OK;
}

an_status ani_model_create(an_model **out, an_backend *backend, const ani_net_spec *spec,
                           const ani_model_facts *facts, an_error *err) {
    ani_net *net = NULL;
    *out = NULL;
    an_status st = ani_net_create(&net, backend, spec, err);
    return st ? st : make(out, net, facts, err);
}

void ani_model_hold(an_model *model) {
    atomic_fetch_add(&model->references, 1);
}

void an_model_destroy(an_model *model) {
    if (!model || atomic_fetch_sub(&model->references, 1) > 1) return;
    ani_free(model->statistics);
    ani_calibration_destroy(model->calibration);
    ani_class_names_destroy(model->names);
    ani_net_destroy(model->net);
    ani_free(model);
}

ani_net *ani_model_net(const an_model *model) {
    return model->net;
}

const ani_model_facts *ani_model_facts_of(const an_model *model) {
    return &model->facts;
}

/* --- who may change it ------------------------------------------------------------------------ */

an_status ani_model_claim(an_model *model, an_error *err) {
    an_status st = ani_backend_check(ani_net_backend(model->net), err);
    if (st) return st;
    if (atomic_exchange(&model->claimed, true))
        return ani_fail(err, AN_ERR_ARG,
                        "model: it is being trained or changed by another call, on another thread "
                        "or below this one; predict meanwhile, or wait for that call's end");
    ani_net_begin_watch(model->net);
    return AN_OK;
}

void ani_model_release(an_model *model) {
    ani_net_end_watch(model->net);
    atomic_store(&model->claimed, false);
}

/* Claim the model for one change of its weights. */
static an_status begin_change(an_model *model, an_error *err) {
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_net_begin_change(model->net, err);
    if (st) ani_model_release(model);
    return st;
}

/* Likewise, for any other change. */
static an_status begin_setting(an_model *model, an_error *err) {
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_net_begin_read(model->net, err);
    if (st) ani_model_release(model);
    return st;
}

/* Of both. */
static an_status end_change(an_model *model, an_status st) {
    ani_net_end_change(model->net);
    ani_model_release(model);
    return st;
}

an_status an_model_set_cancel(an_model *model, an_cancel *cancel, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    return ani_net_set_cancel(model->net, cancel, err);
}

/* --- what it is ------------------------------------------------------------------------------- */

int32_t ani_model_base(const an_model *model) {
    return atomic_load(&model->base);
}

void ani_model_use_base(an_model *model, int32_t base) {
    atomic_store(&model->base, base);
}

static const char *const task_words[] = {"regression", "classification", NULL};
static const char *const padding_words[] = {"auto", "fixed", "tutorial", NULL};

void ani_model_settings(const an_model *model, ani_setting_list *to) {
    const ani_net_spec *spec = ani_net_spec_of(model->net);
    const ani_model_facts *facts = &model->facts;
    ani_setting_number(to, "model.alpha", facts->alpha);
    ani_setting_whole(to, "model.height", spec->height);
    ani_setting_whole(to, "model.width", spec->width);
    ani_setting_whole(to, "model.outputs", spec->outputs);
    ani_setting_word(to, "model.task", facts->task, task_words);
    ani_setting_word(to, "model.padding", facts->padding, padding_words);
    ani_setting_text(to, "model.pads", facts->pads);
    ani_setting_text(to, "model.scale", facts->scale_name);
    ani_setting_number(to, "model.momentum", model->momentum);
    const ani_class_names *names = model->names;
    char *text = NULL;
    if (!names) return;
    if (!to->status) to->status = ani_class_names_print(&text, names, to->err);
    if (!to->status) ani_setting_text(to, "model.classes", text);
    ani_free(text);
}

int32_t ani_model_gradient_base(const an_model *model) {
    return model->gradient_base;
}

an_backend *an_model_backend(const an_model *model) {
    return model ? ani_net_backend(model->net) : NULL;
}

void an_model_info_init(an_model_info *info, uint32_t struct_size) {
    ani_report_init(info, struct_size);
}

an_status an_model_describe(const an_model *model, an_model_info *info, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (!info) return ani_fail(err, AN_ERR_ARG, "info is NULL");
    an_status st = ani_report_check(info, "an_model_info", err);
    if (!st) st = ani_backend_check(ani_net_backend(model->net), err);
    if (st) return st;
    const ani_net_spec *spec = ani_net_spec_of(model->net);
    an_model_info ours = {.struct_size = sizeof ours,
                          .height = (int32_t)spec->height,
                          .width = (int32_t)spec->width,
                          .outputs = spec->outputs,
                          .task = model->facts.task,
                          .scale = model->facts.scale,
                          .padding = model->facts.padding,
                          .base = ani_model_base(model),
                          .features = (int32_t)ani_net_features(model->net),
                          .alpha = model->facts.alpha,
                          .calibrated = ani_net_is_calibrated(model->net),
                          .inference = ani_net_inference(model->net),
                          .precision = atomic_load(&model->precision),
                          .recompute = atomic_load(&model->recompute)};
    const int32_t all = ours.base == AN_BASE_TRAIN || ours.base == AN_BASE_FINETUNE;
    for (int64_t i = 0; i < ani_net_array_count(model->net); i++) {
        const ani_net_array *array = ani_net_array_at(model->net, i);
        const int32_t head = i >= ani_net_array_count(model->net) - 2;
        ours.parameters += array->count;
        if (head || (all && !array->moving)) ours.trainable += array->count;
    }
    ani_report_copy(info, &ours, sizeof ours);
    return AN_OK;
}

an_status an_model_set_base(an_model *model, int32_t base, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (base < AN_BASE_FROZEN || base > AN_BASE_FINETUNE)
        return ani_fail(err, AN_ERR_ARG, "model: base mode is %d; it must be one of AN_BASE_*",
                        base);
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    ani_model_use_base(model, base);
    ani_model_release(model);
    return AN_OK;
}

void ani_model_use_training(an_model *model, int32_t precision, int32_t recompute) {
    atomic_store(&model->precision, precision);
    atomic_store(&model->recompute, recompute);
    ani_net_set_training(model->net, precision, recompute);
}

an_status an_model_set_training(an_model *model, int32_t precision, int32_t recompute,
                                an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (precision < AN_PRECISION_FP32 || precision > AN_PRECISION_MIXED)
        return ani_fail(err, AN_ERR_ARG, "model: precision is %d; it must be %d to %d",
                        (int)precision, AN_PRECISION_FP32, AN_PRECISION_MIXED);
    if (recompute < 0 || recompute > 1)
        return ani_fail(err, AN_ERR_ARG, "model: recompute is %d; it must be 0 to 1",
                        (int)recompute);
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    ani_model_use_training(model, precision, recompute);
    ani_model_release(model);
    return AN_OK;
}

an_status an_model_set_momentum(an_model *model, double momentum, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (!(momentum >= 0 && momentum <= 1))
        return ani_fail(err, AN_ERR_ARG, "model: momentum is %g; it must be 0 to 1", momentum);
    an_status st = begin_setting(model, err);
    if (st) return st;
    model->momentum = momentum;
    return end_change(model, AN_OK);
}

/* --- names of classes ------------------------------------------------------------------------- */

/* Replace the names, with claim and turn. */
static void replace_names(an_model *model, ani_class_names *names) {
    ani_net_lock(model->net);
    ani_class_names *before = model->names;
    model->names = names;
    ani_net_unlock(model->net);
    ani_class_names_destroy(before);
}

ani_class_names *ani_model_hold_class_names(const an_model *model) {
    ani_net_lock(model->net);
    ani_class_names *names = model->names;
    ani_class_names_hold(names);
    ani_net_unlock(model->net);
    return names;
}

static an_status check_name_count(const an_model *model, int32_t count, an_status wrong,
                                  an_error *err) {
    const int32_t outputs = ani_net_spec_of(model->net)->outputs;
    const int32_t wanted = outputs == 1 ? 2 : outputs;
    if (model->facts.task != AN_TASK_CLASSIFICATION)
        return ani_fail(
            err, wrong,
            "model: %d class names, but its task is regression; only classification has "
            "classes",
            (int)count);
    if (count != wanted)
        return ani_fail(err, wrong, "model: %d class names; it must have %d, as it has %d output%s",
                        (int)count, (int)wanted, (int)outputs, outputs == 1 ? "" : "s");
    return AN_OK;
}

an_status ani_model_set_class_names(an_model *model, const char *const *names, int32_t count,
                                    an_error *err) {
    ani_class_names *copy = NULL;
    an_status st = AN_OK;
    if (names) st = check_name_count(model, count, AN_ERR_ARG, err);
    if (!st && names) st = ani_class_names_create(&copy, names, count, AN_ERR_ARG, err);
    if (!st) st = ani_net_begin_read(model->net, err);
    if (st) {
        ani_class_names_destroy(copy);
        return st;
    }
    replace_names(model, copy);
    ani_net_end_change(model->net);
    return AN_OK;
}

an_status an_model_set_class_names(an_model *model, const char *const *names, int32_t count,
                                   an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (!names && count)
        return ani_fail(err, AN_ERR_ARG, "model: names is NULL, and count is %d", (int)count);
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_set_class_names(model, names, count, err);
    ani_model_release(model);
    return st;
}

int32_t an_model_class_count(const an_model *model) {
    ani_class_names *names = model ? ani_model_hold_class_names(model) : NULL;
    const int32_t count = names ? names->count : 0;
    ani_class_names_destroy(names);
    return count;
}

const char *an_model_class_name(const an_model *model, int32_t class_index) {
    ani_class_names *names = model ? ani_model_hold_class_names(model) : NULL;
    const char *name =
        names && class_index >= 0 && class_index < names->count ? names->names[class_index] : NULL;
    ani_class_names_destroy(names);
    return name;
}

/* In files of this library's own format. */
static const char *const names_key = "classes", *const format_name = "attractivenet-1";

static an_status save_names(const an_model *model, an_arrays *arrays, an_error *err) {
    const ani_class_names *names = model->names;
    char *text = NULL;
    if (!names) return AN_OK;
    an_status st = ani_class_names_print(&text, names, err);
    if (!st) st = an_arrays_set_metadata(arrays, names_key, text, err);
    ani_free(text);
    return st;
}

an_status ani_model_take_class_names(an_model *model, const an_arrays *arrays, an_error *err) {
    const char *format = an_arrays_metadata(arrays, "format");
    const char *text = an_arrays_metadata(arrays, names_key);
    ani_class_names *names = NULL;
    if (!text || !format || strcmp(format, format_name) != 0) return AN_OK;
    an_status st = ani_class_names_parse(&names, text, err);
    if (!st) st = check_name_count(model, names->count, AN_ERR_FORMAT, err);
    if (st) {
        ani_class_names_destroy(names);
        return st;
    }
    replace_names(model, names);
    return AN_OK;
}

/* --- copy ------------------------------------------------------------------------------------- */

/* Copy what belongs to the model and not to its net. */
static an_status copy_settings(an_model *copy, const an_model *model, an_error *err) {
    ani_class_names *names = NULL;
    an_status st = ani_net_begin_read(model->net, err);
    if (st) return st;
    const ani_class_names *from = model->names;
    if (from)
        st = ani_class_names_create(&names, (const char *const *)from->names, from->count,
                                    AN_ERR_INTERNAL, err);
    copy->momentum = model->momentum;
    ani_net_end_change(model->net);
    copy->names = names;
    ani_model_use_base(copy, ani_model_base(model));
    ani_model_use_training(copy, atomic_load(&model->precision), atomic_load(&model->recompute));
    return st;
}

an_status an_model_copy(an_model **out, const an_model *model, an_backend *backend, int32_t weights,
                        an_error *err) {
    an_model *copy = NULL;
    ani_net *net = NULL;
    if (out) *out = NULL;
    if (!out || !model) return ani_fail(err, AN_ERR_ARG, "%s is NULL", out ? "model" : "out");
    const an_backend *own = ani_net_backend(model->net);
    if (!backend) backend = ani_net_backend(model->net);
    if (weights < AN_COPY_WEIGHTS || weights > AN_SHARE_WEIGHTS)
        return ani_fail(err, AN_ERR_ARG,
                        "model: weights is %d; it must be AN_COPY_WEIGHTS or AN_SHARE_WEIGHTS",
                        (int)weights);
    if (weights == AN_SHARE_WEIGHTS && !ani_backend_is_alike(own, backend))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: its backend is '%s' at level '%s', the copy's '%s' at level '%s'; "
                        "weights are shared between backends of the same kind and ISA level",
                        own->ops->name, own->level, backend->ops->name, backend->level);
    an_status st = ani_net_copy(&net, model->net, backend, weights == AN_SHARE_WEIGHTS, err);
    if (!st) st = make(&copy, net, &model->facts, err);
    if (!st) st = copy_settings(copy, model, err);
    if (st) {
        an_model_destroy(copy);
        return st;
    }
    *out = copy;
    return AN_OK;
}

/* --- runs ------------------------------------------------------------------------------------- */

static an_status check_batch(const an_model *model, const void *a, const void *b, int64_t n,
                             an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (n < 1 || n > ANI_NET_MAX_BATCH)
        return ani_fail(err, AN_ERR_ARG, "model: a batch of %lld; it must be 1 to %d", (long long)n,
                        (int)ANI_NET_MAX_BATCH);
    if (!a || !b) return ani_fail(err, AN_ERR_ARG, "model: an array of the batch is NULL");
    return AN_OK;
}

/* Return whether all of count floats are finite. Adding 1 to an all-ones exponent carries into the
 * sign bit; two floats are checked per word, and neither carries into the other. */
static bool all_finite(const float *x, int64_t count) {
    uint64_t both = 0, seen = 0;
    for (int64_t k = 0; k + 2 <= count; k += 2) {
        memcpy(&both, x + k, sizeof both);
        seen |= (both & 0x7f8000007f800000u) + 0x0080000000800000u;
    }
    return !(seen & 0x8000000080000000u) && (count % 2 == 0 || isfinite(x[count - 1]));
}

/* A batch of images x [n,h,w,3]. ReLU6 turns infinity into an ordinary number, and int8 does so
 * with NaN, too: so non-finite input must be refused. */
static an_status check_images(const an_model *model, const float *x, const void *y, int64_t n,
                              an_error *err) {
    an_status st = check_batch(model, x, y, n, err);
    if (st) return st;
    const ani_net_spec *spec = ani_net_spec_of(model->net);
    const int64_t image = spec->height * spec->width * 3;
    for (int64_t i = 0; i < n; i++, x += image) {
        if (all_finite(x, image)) continue;
        for (int64_t k = 0; k < image; k++)
            if (!isfinite(x[k]))
                return ani_fail(err, AN_ERR_ARG,
                                "value %lld of image %lld is %g; it must be finite", (long long)k,
                                (long long)i, x[k]);
    }
    return AN_OK;
}

/* A batch with targets [n,outputs]; resolve a loss that fits both. */
static an_status take_loss(const an_model *model, const void *x, const float *y, int64_t n,
                           const an_loss_options *loss, an_loss_options *ours, an_error *err) {
    an_status st = check_batch(model, x, y, n, err);
    if (st) return st;
    const int64_t outputs = ani_net_spec_of(model->net)->outputs;
    st = ani_loss_take(ours, loss, model->facts.task, outputs, err);
    if (!st) st = ani_loss_check_targets(ours->kind, y, n, outputs, err);
    return st || !ours->weights ? st : ani_loss_check_weights(ours->weights, n, err);
}

an_status ani_model_predict(an_model *model, ani_net_context *context, const float *x, int64_t n,
                            float *features, float *y, an_error *err) {
    const ani_net_spec *spec = ani_net_spec_of(model->net);
    const int64_t image = spec->height * spec->width * 3;
    const int64_t width = ani_net_features(model->net);
    an_status st = AN_OK;
    for (int64_t i = 0; !st && i < n; i += PREDICT_SLICE) {
        const int64_t slice = n - i < PREDICT_SLICE ? n - i : PREDICT_SLICE;
        st = ani_net_predict(
            model->net, context, x + i * image, slice, model->facts.task == AN_TASK_CLASSIFICATION,
            features ? features + i * width : NULL, y ? y + i * spec->outputs : NULL, err);
    }
    return st;
}

/* Predict with the current weights; features or y may be NULL. */
static an_status predict(an_model *model, const float *x, int64_t n, float *features, float *y,
                         an_error *err) {
    const int32_t kind = features ? AN_INFERENCE_FP32 : ANI_PREDICT_AS_SET;
    ani_net_context *context = NULL;
    an_status st = ani_net_context_take(&context, model->net, err);
    if (!st) st = ani_net_context_hold(model->net, context, kind, false, err);
    if (!st) st = ani_model_predict(model, context, x, n, features, y, err);
    ani_net_context_give(model->net, context);
    return st;
}

an_status an_model_predict(an_model *model, const float *x, int64_t n, float *y, an_error *err) {
    an_status st = check_images(model, x, y, n, err);
    return st ? st : predict(model, x, n, NULL, y, err);
}

an_status an_model_compute_features(an_model *model, const float *x, int64_t n, float *features,
                                    an_error *err) {
    an_status st = check_images(model, x, features, n, err);
    return st ? st : predict(model, x, n, features, NULL, err);
}

an_status an_model_predict_from_features(an_model *model, const float *features, int64_t n,
                                         float *y, an_error *err) {
    ani_net_context *context = NULL;
    an_status st = check_batch(model, features, y, n, err);
    if (!st) st = ani_net_context_take(&context, model->net, err);
    if (st) return st;
    st = ani_net_context_hold(model->net, context, ANI_PREDICT_HEAD, false, err);
    if (!st)
        st = ani_net_predict_head(model->net, context, features, n,
                                  model->facts.task == AN_TASK_CLASSIFICATION, y, err);
    ani_net_context_give(model->net, context);
    return st;
}

/* Set aside the gradients to which those of a batch will be added. */
static an_status begin_gradients(an_model *model, int32_t base, const an_loss_options *loss,
                                 an_error *err) {
    if (!loss->accumulate) return AN_OK;
    if (model->gradient_base != base)
        return ani_fail(err, AN_ERR_ARG,
                        "an_loss_options: accumulate is 1, and there are no gradients of this base "
                        "mode to add to; the first batch has 0");
    return ani_net_keep_gradients(model->net, base, err);
}

/* Combine them with those of n samples, or restore them if something failed. */
static an_status end_gradients(an_model *model, int32_t base, const an_loss_options *loss,
                               int64_t n, an_status st) {
    const int64_t before = loss->accumulate ? model->gradient_samples : 0;
    if (loss->accumulate) {
        const double all = (double)(before + n);
        ani_net_join_gradients(model->net, base, st ? 1 : (double)before / all,
                               st ? 0 : (double)n / all);
    }
    if (!st) {
        model->gradient_base = base;
        model->gradient_samples = before + n;
    } else if (!loss->accumulate) {
        model->gradient_base = -1; /* only some may have been computed */
    }
    return st;
}

an_status ani_model_compute_gradients(an_model *model, const float *x, const float *y, int64_t n,
                                      const an_loss_options *loss, double *loss_value,
                                      an_error *err) {
    const int32_t base = ani_model_base(model);
    const ani_net_step step = {base, loss, model->momentum};
    an_status st = begin_gradients(model, base, loss, err);
    if (st) return st;
    st = ani_net_gradients(model->net, &step, x, y, n, loss_value, err);
    return end_gradients(model, base, loss, n, st);
}

an_status ani_model_compute_head_gradients(an_model *model, const float *features, const float *y,
                                           int64_t n, const an_loss_options *loss,
                                           double *loss_value, an_error *err) {
    an_status st = begin_gradients(model, AN_BASE_FROZEN, loss, err);
    if (st) return st;
    st = ani_net_head_gradients(model->net, loss, features, y, n, loss_value, err);
    return end_gradients(model, AN_BASE_FROZEN, loss, n, st);
}

an_status an_model_compute_gradients(an_model *model, const float *x, const float *y, int64_t n,
                                     const an_loss_options *loss, double *loss_value,
                                     an_error *err) {
    an_loss_options ours;
    double value;
    an_status st = check_images(model, x, y, n, err);
    if (!st) st = take_loss(model, x, y, n, loss, &ours, err);
    if (!st) st = begin_change(model, err);
    if (st) return st;
    ani_model_hold(model); /* a loss function may destroy it */
    st = end_change(model, ani_model_compute_gradients(model, x, y, n, &ours, &value, err));
    an_model_destroy(model);
    if (!st && loss_value) *loss_value = value;
    return st;
}

an_status an_model_compute_head_gradients(an_model *model, const float *features, const float *y,
                                          int64_t n, const an_loss_options *loss,
                                          double *loss_value, an_error *err) {
    an_loss_options ours;
    double value;
    an_status st = take_loss(model, features, y, n, loss, &ours, err);
    if (!st) st = begin_change(model, err);
    if (st) return st;
    ani_model_hold(model);
    st = end_change(model,
                    ani_model_compute_head_gradients(model, features, y, n, &ours, &value, err));
    an_model_destroy(model);
    if (!st && loss_value) *loss_value = value;
    return st;
}

/* The measurements belong to the weights at that time. */
static an_status check_unchanged(const an_model *model, int64_t changes, const char *what,
                                 an_error *err) {
    if (ani_net_changes(model->net) == changes) return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "model: its weights have changed since the %s began; begin it again", what);
}

/* --- update of batch norm --------------------------------------------------------------------- */

an_status ani_model_update_batch_norm_begin(an_model *model, an_error *err) {
    const int64_t count = 4 * ani_net_channels(model->net);
    double *statistics = ani_alloc_zero(count, sizeof *statistics);
    if (!statistics)
        return ani_fail_memory(err, count * (int64_t)sizeof *statistics, "an update of batch norm");
    ani_free(model->statistics);
    model->statistics = statistics;
    model->samples = 0;
    model->statistics_of = ani_net_changes(model->net);
    return AN_OK;
}

an_status ani_model_update_batch_norm_add(an_model *model, const float *x, int64_t n,
                                          an_error *err) {
    if (!model->statistics)
        return ani_fail(err, AN_ERR_ARG, "model: no update of batch norm was begun");
    an_status st = check_unchanged(model, model->statistics_of, "update of batch norm", err);
    if (st) return st;
    double *scratch = model->statistics + 2 * ani_net_channels(model->net);
    st = ani_net_add_statistics(model->net, x, n, scratch, model->statistics, err);
    if (!st) model->samples += n;
    return st;
}

an_status ani_model_update_batch_norm_end(an_model *model, an_error *err) {
    const int64_t count = 2 * ani_net_channels(model->net);
    if (!model->statistics || model->samples == 0)
        return ani_fail(err, AN_ERR_ARG, "model: no batch was added to the update of batch norm");
    an_status st = check_unchanged(model, model->statistics_of, "update of batch norm", err);
    if (st) return st;
    float *means = ani_alloc_zero(count, sizeof *means);
    if (!means)
        return ani_fail_memory(err, count * (int64_t)sizeof *means, "an update of batch norm");
    for (int64_t i = 0; i < count; i++)
        means[i] = (float)(model->statistics[i] / (double)model->samples);
    st = ani_net_begin_change(model->net, err);
    if (!st) {
        ani_net_set_statistics(model->net, means);
        ani_net_end_change(model->net);
        ani_free(model->statistics);
        model->statistics = NULL;
    }
    ani_free(means);
    return st;
}

an_status an_model_update_batch_norm_begin(an_model *model, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_update_batch_norm_begin(model, err);
    ani_model_release(model);
    return st;
}

an_status an_model_update_batch_norm_add(an_model *model, const float *x, int64_t n,
                                         an_error *err) {
    an_status st = check_images(model, x, x, n, err);
    if (!st) st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_update_batch_norm_add(model, x, n, err);
    ani_model_release(model);
    return st;
}

an_status an_model_update_batch_norm_end(an_model *model, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_update_batch_norm_end(model, err);
    ani_model_release(model);
    return st;
}

/* --- int8 and bf16 ---------------------------------------------------------------------------- */

static const char *const ranges_name = "int8/ranges", *const means_name = "int8/means";
/* Names in files, by AN_INFERENCE_*. */
static const char *const inference_names[ANI_INFERENCES] = {"fp32", "int8", "bf16"};

an_status ani_model_calibrate_begin(an_model *model, an_error *err) {
    ani_calibration *calibration = NULL;
    an_status st = ani_calibration_create(&calibration, model->net, err);
    if (st) return st;
    ani_calibration_destroy(model->calibration);
    model->calibration = calibration;
    model->calibration_of = ani_net_changes(model->net);
    return AN_OK;
}

an_status ani_model_calibrate_add(an_model *model, const float *x, int64_t n, an_error *err) {
    if (!model->calibration) return ani_fail(err, AN_ERR_ARG, "model: no calibration was begun");
    an_status st = check_unchanged(model, model->calibration_of, "calibration", err);
    return st ? st : ani_calibration_add(model->calibration, model->net, x, n, err);
}

an_status ani_model_calibrate_end(an_model *model, an_error *err) {
    if (!model->calibration || ani_calibration_images(model->calibration) == 0)
        return ani_fail(err, AN_ERR_ARG, "model: no image was added to the calibration");
    an_status st = check_unchanged(model, model->calibration_of, "calibration", err);
    if (!st) st = ani_net_begin_read(model->net, err);
    if (st) return st;
    st = ani_calibration_finish(model->calibration, model->net, model->facts.image, err);
    ani_net_end_change(model->net);
    ani_calibration_destroy(model->calibration);
    model->calibration = NULL;
    return st;
}

an_status an_model_calibrate_begin(an_model *model, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_calibrate_begin(model, err);
    ani_model_release(model);
    return st;
}

an_status an_model_calibrate_add(an_model *model, const float *x, int64_t n, an_error *err) {
    an_status st = check_images(model, x, x, n, err);
    if (!st) st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_calibrate_add(model, x, n, err);
    ani_model_release(model);
    return st;
}

an_status an_model_calibrate_end(an_model *model, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_calibrate_end(model, err);
    ani_model_release(model);
    return st;
}

an_status an_model_set_inference(an_model *model, int32_t inference, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (inference < AN_INFERENCE_FP32 || inference >= ANI_INFERENCES)
        return ani_fail(err, AN_ERR_ARG, "model: inference is %d; it must be one of AN_INFERENCE_*",
                        inference);
    an_status st = begin_setting(model, err);
    if (st) return st;
    if (inference == AN_INFERENCE_INT8 && !ani_net_calibrated(model->net))
        st = ani_fail(err, AN_ERR_ARG,
                      "model: int8 inference needs a calibration with the present weights");
    else
        ani_net_set_inference(model->net, inference);
    return end_change(model, st);
}

/* Add to a file's contents how predictions are made, and the int8 calibration. */
static an_status save_inference(const an_model *model, an_arrays *arrays, an_error *err) {
    const ani_calibrated *calibrated = ani_net_calibrated(model->net);
    const int64_t units = ani_net_spec_of(model->net)->unit_count;
    const int64_t ranges[2] = {units, 2}, means = ani_net_mean_count(model->net);
    const int32_t inference = ani_net_inference(model->net);
    an_status st = AN_OK;
    if (calibrated || inference != AN_INFERENCE_FP32)
        st = an_arrays_set_metadata(arrays, "inference", inference_names[inference], err);
    if (st || !calibrated) return st;
    st = an_arrays_add(arrays, ranges_name, &calibrated->ranges[1].low, ranges, 2, err);
    if (!st) st = an_arrays_add(arrays, means_name, calibrated->means, &means, 1, err);
    return st;
}

/* Find an array of the calibration; NULL: it is missing or has a different shape. */
static const float *find_array(const an_arrays *arrays, const char *name, int64_t rows,
                               int64_t columns) {
    const int64_t index = an_arrays_find(arrays, name);
    const int32_t rank = columns ? 2 : 1;
    if (index < 0 || an_arrays_rank(arrays, index) != rank ||
        an_arrays_length(arrays, index, 0) != rows ||
        (columns && an_arrays_length(arrays, index, 1) != columns))
        return NULL;
    return an_arrays_data(arrays, index);
}

/* Read the ranges, if a list has them. */
static an_status take_calibrated(an_model *model, const an_arrays *arrays, an_error *err) {
    const int64_t units = ani_net_spec_of(model->net)->unit_count;
    const int64_t count = ani_net_mean_count(model->net);
    if (an_arrays_find(arrays, ranges_name) < 0 && an_arrays_find(arrays, means_name) < 0)
        return AN_OK;
    const float *ends = find_array(arrays, ranges_name, units, 2);
    const float *means = find_array(arrays, means_name, count, 0);
    if (!ends || !means)
        return ani_fail(err, AN_ERR_FORMAT, "model: there must be '%s' [%lld,2] and '%s' [%lld]",
                        ranges_name, (long long)units, means_name, (long long)count);
    ani_range *ranges = ani_alloc_zero(units + 1, sizeof *ranges);
    if (!ranges) return ani_fail_memory(err, -1, "a calibration");
    ranges[0] = model->facts.image;
    memcpy(ranges + 1, ends, (size_t)units * sizeof *ranges);
    const ani_calibrated calibrated = {ranges, means};
    an_status st = ani_net_calibrate(model->net, &calibrated, err);
    ani_free(ranges);
    return st;
}

an_status ani_model_take_inference(an_model *model, const an_arrays *arrays, an_error *err) {
    const char *name = an_arrays_metadata(arrays, "inference");
    an_status st = take_calibrated(model, arrays, err);
    if (st || !name) return st;
    if (!strcmp(name, inference_names[AN_INFERENCE_INT8]) && !ani_net_calibrated(model->net))
        return ani_fail(err, AN_ERR_FORMAT,
                        "model: 'inference' in its metadata is int8, and there is no '%s'",
                        ranges_name);
    for (int32_t i = 0; i < ANI_INFERENCES; i++)
        if (!strcmp(name, inference_names[i])) return an_model_set_inference(model, i, err);
    return ani_fail(err, AN_ERR_FORMAT,
                    "model: 'inference' in its metadata is '%s'; it must be fp32, int8 or bf16",
                    name);
}

/* --- weights ---------------------------------------------------------------------------------- */

void ani_array_name(char out[ANI_ARRAY_NAME_SIZE], const ani_net_array *array) {
    snprintf(out, ANI_ARRAY_NAME_SIZE, "%s/%s", array->layer, array->variable);
}

/* Copy weights or gradients of the arrays from `first` on, with the turn. */
static an_status copy_out(const an_model *model, an_arrays *arrays, int64_t first,
                          int32_t gradients, an_error *err) {
    for (int64_t i = first; i < ani_net_array_count(model->net); i++) {
        const ani_net_array *array = ani_net_array_at(model->net, i);
        char name[ANI_ARRAY_NAME_SIZE];
        if (gradients && array->moving) continue;
        float *values = ani_alloc_zero(array->count, sizeof *values);
        if (!values)
            return ani_fail_memory(err, array->count * (int64_t)sizeof *values,
                                   "a copy of weights");
        if (gradients)
            ani_net_read_gradient(model->net, array, values);
        else
            ani_net_read_array(model->net, array, values);
        ani_array_name(name, array);
        an_status st = an_arrays_add(arrays, name, values, array->shape, array->rank, err);
        ani_free(values);
        if (st) return st;
    }
    return AN_OK;
}

/* *out must be NULL on entry. */
static an_status copy_arrays(const an_model *model, an_arrays **out, int64_t first,
                             int32_t gradients, an_error *err) {
    an_arrays *arrays = NULL;
    an_status st = an_arrays_create(&arrays, err);
    if (!st) st = copy_out(model, arrays, first, gradients, err);
    if (st) {
        an_arrays_destroy(arrays);
        return st;
    }
    *out = arrays;
    return AN_OK;
}

an_status an_model_copy_weights(an_arrays **out, const an_model *model, an_error *err) {
    if (out) *out = NULL;
    if (!model || !out) return ani_fail(err, AN_ERR_ARG, "%s is NULL", model ? "out" : "model");
    an_status st = ani_net_begin_read(model->net, err);
    if (st) return st;
    st = copy_arrays(model, out, 0, 0, err);
    ani_net_end_change(model->net);
    return st;
}

an_status an_model_copy_gradients(an_arrays **out, const an_model *model, an_error *err) {
    if (out) *out = NULL;
    if (!model || !out) return ani_fail(err, AN_ERR_ARG, "%s is NULL", model ? "out" : "model");
    an_status st = ani_net_begin_read(model->net, err);
    if (st) return st;
    const int32_t base = model->gradient_base;
    const int32_t all = base == AN_BASE_TRAIN || base == AN_BASE_FINETUNE;
    st = base < 0 ? ani_fail(err, AN_ERR_ARG, "model: no gradients have been computed yet")
                  : copy_arrays(model, out, all ? 0 : ani_net_array_count(model->net) - 2, 1, err);
    ani_net_end_change(model->net);
    return st;
}

an_status ani_array_check(const ani_net_array *array, const an_arrays *arrays, int64_t index,
                          an_error *err) {
    char name[ANI_ARRAY_NAME_SIZE], found[ANI_SHOWN_SHAPE_SIZE], wanted[ANI_SHOWN_SHAPE_SIZE];
    int64_t shape[ANI_SHAPE_MAX_RANK] = {0};
    const int32_t rank = an_arrays_rank(arrays, index);
    int32_t same = rank == array->rank;
    for (int32_t axis = 0; axis < rank && axis < ANI_SHAPE_MAX_RANK; axis++) {
        shape[axis] = an_arrays_length(arrays, index, axis);
        same = same && shape[axis] == array->shape[axis];
    }
    if (same) return AN_OK;
    ani_array_name(name, array);
    return ani_fail(err, AN_ERR_FORMAT, "weights: '%s' has shape %s; '%s' of the network has %s",
                    an_arrays_name(arrays, index), ani_shape_show(found, shape, rank), name,
                    ani_shape_show(wanted, array->shape, array->rank));
}

an_status ani_model_check_weights(const an_model *model, const an_arrays *arrays, an_error *err) {
    char name[ANI_ARRAY_NAME_SIZE];
    for (int64_t i = 0; i < ani_net_array_count(model->net); i++) {
        const ani_net_array *array = ani_net_array_at(model->net, i);
        ani_array_name(name, array);
        const int64_t index = an_arrays_find(arrays, name);
        if (index < 0) return ani_fail(err, AN_ERR_FORMAT, "weights: there is no '%s'", name);
        an_status st = ani_array_check(array, arrays, index, err);
        if (st) return st;
    }
    return AN_OK;
}

an_status ani_model_set_weights(an_model *model, const an_arrays *arrays, an_error *err) {
    char name[ANI_ARRAY_NAME_SIZE];
    an_status st = ani_model_check_weights(model, arrays, err);
    if (!st) st = ani_net_begin_change(model->net, err);
    if (st) return st;
    for (int64_t i = 0; i < ani_net_array_count(model->net); i++) {
        const ani_net_array *array = ani_net_array_at(model->net, i);
        ani_array_name(name, array);
        ani_net_write_array(model->net, array,
                            an_arrays_data(arrays, an_arrays_find(arrays, name)));
    }
    ani_net_end_change(model->net);
    return AN_OK;
}

an_status an_model_set_weights(an_model *model, const an_arrays *arrays, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (!arrays) return ani_fail(err, AN_ERR_ARG, "model: the list of weights is NULL");
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_set_weights(model, arrays, err);
    ani_model_release(model);
    return st;
}

an_status an_model_reset_head(an_model *model, uint32_t seed, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_status st = begin_change(model, err);
    if (st) return st;
    return end_change(model,
                      ani_net_draw(model->net, seed, ani_net_array_count(model->net) - 2, err));
}

/* --- file ------------------------------------------------------------------------------------- */

/* Write value as the shortest text that reads back as the same double. */
static void double_text(char *out, int64_t size, double value) {
    const char *end;
    double back;
    ani_format_double(out, size, value, 15);
    if (!ani_parse_double(out, &end, &back, NULL) || back < value || back > value)
        ani_format_double(out, size, value, 17);
}

static an_status set_number(an_arrays *arrays, const char *key, int64_t value, an_error *err) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return an_arrays_set_metadata(arrays, key, text, err);
}

static an_status set_size(an_arrays *arrays, const ani_net_spec *spec, an_error *err) {
    if (spec->height == spec->width) return set_number(arrays, "size", spec->height, err);
    an_status st = set_number(arrays, "height", spec->height, err);
    return st ? st : set_number(arrays, "width", spec->width, err);
}

static an_status set_metadata(an_arrays *arrays, const an_model *model, an_error *err) {
    const ani_net_spec *spec = ani_net_spec_of(model->net);
    const ani_model_facts *facts = &model->facts;
    char alpha[40];
    double_text(alpha, sizeof alpha, facts->alpha);
    const char *const texts[][2] = {
        {"format", format_name},
        {"alpha", alpha},
        {"padding", facts->padding == AN_PADDING_FIXED ? "fixed" : "tutorial"},
        {"scale", facts->scale_name},
        {"task", facts->task == AN_TASK_CLASSIFICATION ? "classification" : "regression"},
        {"library_version", an_version()},
        {"base_name", facts->base_name},
        {"pads", facts->pads},
    };
    an_status st = set_size(arrays, spec, err);
    if (!st) st = set_number(arrays, "outputs", spec->outputs, err);
    if (!st) st = set_number(arrays, "seed", facts->seed, err);
    for (size_t i = 0; !st && i < sizeof texts / sizeof *texts; i++)
        if (texts[i][1][0]) st = an_arrays_set_metadata(arrays, texts[i][0], texts[i][1], err);
    return st;
}

/* Copy everything that goes into a file, from a single moment. */
static an_status copy_file(an_arrays **out, const an_model *model, an_error *err) {
    an_arrays *arrays = NULL;
    *out = NULL;
    an_status st = ani_net_begin_read(model->net, err);
    if (st) return st;
    st = copy_arrays(model, &arrays, 0, 0, err);
    if (!st) st = set_metadata(arrays, model, err);
    if (!st) st = save_names(model, arrays, err);
    if (!st) st = save_inference(model, arrays, err);
    ani_net_end_change(model->net);
    if (st) {
        an_arrays_destroy(arrays);
        return st;
    }
    *out = arrays;
    return AN_OK;
}

an_status an_model_save(const an_model *model, const char *path, an_error *err) {
    an_arrays *arrays = NULL;
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (!path) return ani_fail(err, AN_ERR_ARG, "model: the path to save to is NULL");
    an_status st = copy_file(&arrays, model, err);
    if (!st) st = an_arrays_write(arrays, path, err);
    an_arrays_destroy(arrays);
    return st;
}

an_status an_model_save_bytes(an_bytes **out, const an_model *model, an_error *err) {
    an_arrays *arrays = NULL;
    if (out) *out = NULL;
    if (!out || !model) return ani_fail(err, AN_ERR_ARG, "%s is NULL", out ? "model" : "out");
    an_status st = copy_file(&arrays, model, err);
    if (!st) st = an_arrays_write_bytes(out, arrays, err);
    an_arrays_destroy(arrays);
    return st;
}
