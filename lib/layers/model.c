/* SPDX-License-Identifier: MIT
 * an_model: its life, who may change it, what it is, and copies of it. */
#include "layers/model.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/memory.h"
#include "base/options.h"
#include "layers/model_state.h"

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
    ani_free(model->intervals);
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

an_status ani_model_begin_change(an_model *model, an_error *err) {
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_net_begin_change(model->net, err);
    if (st) ani_model_release(model);
    return st;
}

an_status ani_model_begin_setting(an_model *model, an_error *err) {
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_net_begin_read(model->net, err);
    if (st) ani_model_release(model);
    return st;
}

an_status ani_model_end_change(an_model *model, an_status st) {
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
static const char *const padding_words[] = {"auto", "fixed", "tutorial", "symmetric", NULL};

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
    ani_setting_number(to, "model.epsilon", spec->epsilon);
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
                          .recompute = atomic_load(&model->recompute),
                          .epsilon = spec->epsilon};
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
    an_status st = ani_model_begin_setting(model, err);
    if (st) return st;
    model->momentum = momentum;
    return ani_model_end_change(model, AN_OK);
}

/* --- copy ------------------------------------------------------------------------------------- */

/* Copy what belongs to the model and not to its net, whose version was read before it was copied.
 */
static an_status copy_settings(an_model *copy, const an_model *model, int64_t version,
                               an_error *err) {
    an_status st = ani_net_begin_read(model->net, err);
    if (st) return st;
    copy->momentum = model->momentum;
    copy->names = ani_model_hold_class_names(model);
    st = ani_model_copy_intervals(copy, model, version, err);
    ani_net_end_change(model->net);
    if (st) return st;
    ani_model_use_base(copy, ani_model_base(model));
    ani_model_use_training(copy, atomic_load(&model->precision), atomic_load(&model->recompute));
    return AN_OK;
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
    const int64_t version = ani_net_version(model->net);
    an_status st = ani_net_copy(&net, model->net, backend, weights == AN_SHARE_WEIGHTS, err);
    if (!st) st = make(&copy, net, &model->facts, err);
    if (!st) st = copy_settings(copy, model, version, err);
    if (st) {
        an_model_destroy(copy);
        return st;
    }
    *out = copy;
    return AN_OK;
}
