/* SPDX-License-Identifier: MIT
 * Optimizers: which parameters are updated, their moments, and clipping by the norm of all
 * gradients. The formulas are in the backend. */
#include "optim/optim.h"

#include <math.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "io/arrays.h"
#include "layers/model.h"

/** Neighbouring parameters with the same rate and decay. */
typedef struct part {
    int64_t first, count;
    double share; /* of the learning rate */
    bool decays;
} part;

struct an_optimizer {
    an_model *model;
    an_optimizer_options options;
    part *parts; /* all parameters, in order */
    int64_t part_count;
    int64_t steps;
    int64_t count; /* number of all trainable parameters */
    float *m, *v;  /* [count], in backend memory, laid out like the parameters; v is NULL for SGD */
    double *squares; /* one, in backend memory */
};

void an_optimizer_options_init(an_optimizer_options *options, uint32_t struct_size) {
    const an_optimizer_options defaults = {.struct_size = sizeof defaults,
                                           .kind = AN_OPTIM_ADAM,
                                           .beta1 = 0.9,
                                           .beta2 = 0.999,
                                           .epsilon = 1e-7,
                                           .weight_decay = 0.004};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

static an_status check_number(const char *field, double value, bool fits, const char *range,
                              an_error *err) {
    if (fits && isfinite(value)) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "an_optimizer_options: %s is %g; it must be %s", field, value,
                    range);
}

static an_status take_options(an_optimizer_options *o, const an_optimizer_options *options,
                              an_error *err) {
    an_optimizer_options_init(o, sizeof *o);
    an_status st = ani_options_copy(o, sizeof *o, options, "an_optimizer_options", err);
    if (st) return st;
    if (o->kind < AN_OPTIM_ADAM || o->kind > AN_OPTIM_ADAMW)
        return ani_fail(err, AN_ERR_ARG, "an_optimizer_options: kind is %d; it must be AN_OPTIM_*",
                        (int)o->kind);
    if (o->nesterov < 0 || o->nesterov > 1)
        return ani_fail(err, AN_ERR_ARG, "an_optimizer_options: nesterov is %d; it must be 0 or 1",
                        (int)o->nesterov);
    if (o->decay_kernels_only < 0 || o->decay_kernels_only > 1)
        return ani_fail(err, AN_ERR_ARG,
                        "an_optimizer_options: decay_kernels_only is %d; it must be 0 or 1",
                        (int)o->decay_kernels_only);
    const char *fraction = "at least 0 and below 1";
    st = check_number("beta1", o->beta1, o->beta1 >= 0 && o->beta1 < 1, fraction, err);
    if (!st) st = check_number("beta2", o->beta2, o->beta2 >= 0 && o->beta2 < 1, fraction, err);
    if (!st) st = check_number("epsilon", o->epsilon, o->epsilon > 0, "above 0", err);
    if (!st)
        st = check_number("momentum", o->momentum, o->momentum >= 0 && o->momentum <= 1, "0 to 1",
                          err);
    if (!st)
        st = check_number("weight_decay", o->weight_decay, o->weight_decay >= 0, "at least 0", err);
    if (!st) st = check_number("clip_norm", o->clip_norm, o->clip_norm >= 0, "at least 0", err);
    if (!st)
        st = check_number("layer_decay", o->layer_decay, o->layer_decay >= 0 && o->layer_decay <= 1,
                          "0 to 1", err);
    return st;
}

static an_status check_rate(double rate, an_error *err) {
    if (isfinite(rate) && rate >= 0) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "the learning rate is %g; it must be finite and at least 0",
                    rate);
}

/** A step with the numbers from the options, without arrays yet. */
static ani_optim_step make_step(const an_optimizer_options *o, int64_t step, double rate) {
    return (ani_optim_step){.kind = o->kind,
                            .nesterov = o->nesterov,
                            .step = step,
                            .rate = rate,
                            .beta1 = o->beta1,
                            .beta2 = o->beta2,
                            .epsilon = o->epsilon,
                            .momentum = o->momentum,
                            .weight_decay = o->weight_decay,
                            .clip_norm = o->clip_norm};
}

/** Divide the parameters by the rate and the decay that the options give them. What lies between
 * two arrays belongs to the first one. */
static an_status make_parts(an_optimizer *optimizer, an_error *err) {
    const an_optimizer_options *o = &optimizer->options;
    const ani_net *net = ani_model_net(optimizer->model);
    const float *begin = ani_net_trained(net, AN_BASE_TRAIN).weights;
    const int64_t arrays = ani_net_array_count(net);
    const int32_t head = ani_net_array_unit(net, arrays - 1);
    optimizer->parts = ani_alloc_zero(arrays, sizeof *optimizer->parts);
    if (!optimizer->parts)
        return ani_fail_memory(err, arrays * (int64_t)sizeof *optimizer->parts,
                               "the parts of an optimizer");
    for (int64_t i = 0; i < arrays; i++) {
        const ani_net_array *array = ani_net_array_at(net, i);
        if (array->moving) continue;
        const int32_t above = head - ani_net_array_unit(net, i);
        const part now = {.first = array->data - begin,
                          .share = o->layer_decay > 0 ? pow(o->layer_decay, above) : 1,
                          .decays = !o->decay_kernels_only || ani_net_array_is_kernel(array)};
        part *last = optimizer->part_count ? optimizer->parts + optimizer->part_count - 1 : NULL;
        if (last) last->count = now.first - last->first;
        if (last && last->share >= now.share && last->share <= now.share &&
            last->decays == now.decays)
            continue;
        optimizer->parts[optimizer->part_count++] = now;
    }
    part *last = optimizer->parts + optimizer->part_count - 1;
    last->count = optimizer->count - last->first;
    return AN_OK;
}

an_status an_optimizer_create(an_optimizer **out, an_model *model,
                              const an_optimizer_options *options, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_optimizer_options ours;
    an_status st = take_options(&ours, options, err);
    if (st) return st;
    an_optimizer *optimizer = ani_alloc_zero(1, sizeof *optimizer);
    if (!optimizer) return ani_fail_memory(err, sizeof *optimizer, "an optimizer");
    an_backend *backend = an_model_backend(model);
    ani_model_hold(model);
    optimizer->model = model;
    optimizer->options = ours;
    optimizer->count = ani_net_parameter_count(ani_model_net(model));
    const int64_t size = optimizer->count * (int64_t)sizeof(float);
    optimizer->m = backend->ops->alloc(backend, size);
    optimizer->v = ours.kind == AN_OPTIM_SGD ? NULL : backend->ops->alloc(backend, size);
    optimizer->squares = backend->ops->alloc(backend, sizeof *optimizer->squares);
    if (!optimizer->m || !optimizer->squares || (ours.kind != AN_OPTIM_SGD && !optimizer->v)) {
        st = ani_backend_fail_memory(backend, size, "the moments of an optimizer", err);
        an_optimizer_destroy(optimizer);
        return st;
    }
    st = make_parts(optimizer, err);
    if (st) {
        an_optimizer_destroy(optimizer);
        return st;
    }
    *out = optimizer;
    return AN_OK;
}

void an_optimizer_destroy(an_optimizer *optimizer) {
    if (!optimizer) return;
    an_backend *backend = an_model_backend(optimizer->model);
    const int64_t size = optimizer->count * (int64_t)sizeof(float);
    if (optimizer->m) backend->ops->free(backend, optimizer->m, size);
    if (optimizer->v) backend->ops->free(backend, optimizer->v, size);
    if (optimizer->squares)
        backend->ops->free(backend, optimizer->squares, sizeof *optimizer->squares);
    ani_free(optimizer->parts);
    an_model_destroy(optimizer->model);
    ani_free(optimizer);
}

/** Update what a part has in common with a range of count parameters from number first on. */
static void step_part(const an_optimizer *optimizer, const part *p, int64_t first,
                      const ani_net_range *range, const ani_optim_step *all) {
    an_backend *backend = an_model_backend(optimizer->model);
    const int64_t low = p->first > first ? p->first : first;
    const int64_t end = p->first + p->count, last = first + range->count;
    ani_optim_step step = *all;
    step.count = (end < last ? end : last) - low;
    if (step.count <= 0) return;
    step.rate *= p->share;
    if (!p->decays) step.weight_decay = 0;
    step.w = range->weights + (low - first);
    step.g = range->gradients + (low - first);
    step.m = optimizer->m + low;
    step.v = optimizer->v ? optimizer->v + low : NULL;
    backend->ops->optim_step(backend, &step);
}

an_status ani_optimizer_step(an_optimizer *optimizer, double learning_rate, bool guarded,
                             an_error *err) {
    an_status st = check_rate(learning_rate, err);
    if (st) return st;
    ani_net *net = ani_model_net(optimizer->model);
    an_backend *backend = an_model_backend(optimizer->model);
    const int32_t base = ani_model_gradient_base(optimizer->model);
    if (base < 0)
        return ani_fail(err, AN_ERR_ARG, "optimizer: no gradients have been computed yet");
    const ani_net_range range = ani_net_trained(net, base);
    const int64_t offset = range.weights - ani_net_trained(net, AN_BASE_TRAIN).weights;
    ani_optim_step step = make_step(&optimizer->options, optimizer->steps + 1, learning_rate);
    if (step.clip_norm > 0) {
        backend->ops->sum_squares(backend, range.count, range.gradients, optimizer->squares);
        step.squares = optimizer->squares;
    }
    step.guard = guarded ? ani_net_guard(net) : NULL;
    for (int64_t i = 0; i < optimizer->part_count; i++)
        step_part(optimizer, &optimizer->parts[i], offset, &range, &step);
    ani_net_weights_changed(net, base);
    optimizer->steps++;
    return backend->ops->reach(backend, 0, err);
}

void ani_optimizer_set_steps(an_optimizer *optimizer, int64_t steps) {
    optimizer->steps = steps;
}

an_status an_optimizer_step(an_optimizer *optimizer, double learning_rate, an_error *err) {
    if (!optimizer) return ani_fail(err, AN_ERR_ARG, "optimizer is NULL");
    ani_net *net = ani_model_net(optimizer->model);
    an_status st = ani_model_claim(optimizer->model, err);
    if (st) return st;
    st = ani_net_begin_change(net, err);
    if (!st) {
        st = ani_optimizer_step(optimizer, learning_rate, false, err);
        ani_net_end_change(net);
    }
    ani_model_release(optimizer->model);
    return st;
}

/* --- from the inside -------------------------------------------------------------------------- */

static const char *const optimizer_words[] = {"adam", "sgd", "adamw", NULL};

void ani_optimizer_settings(const an_optimizer *optimizer, ani_setting_list *to) {
    const an_optimizer_options *o = &optimizer->options;
    ani_setting_word(to, "optimizer", o->kind, optimizer_words);
    ani_setting_whole(to, "optimizer.nesterov", o->nesterov);
    ani_setting_number(to, "optimizer.beta1", o->beta1);
    ani_setting_number(to, "optimizer.beta2", o->beta2);
    ani_setting_number(to, "optimizer.epsilon", o->epsilon);
    ani_setting_number(to, "optimizer.momentum", o->momentum);
    ani_setting_number(to, "optimizer.weight_decay", o->weight_decay);
    ani_setting_number(to, "optimizer.clip_norm", o->clip_norm);
    ani_setting_whole(to, "optimizer.decay_kernels_only", o->decay_kernels_only);
    ani_setting_number(to, "optimizer.layer_decay", o->layer_decay);
}

static const char *const moment_names[] = {"optimizer/m", "optimizer/v"};

float *ani_optimizer_moments(const an_optimizer *optimizer, int32_t base, int which,
                             int64_t *count) {
    const ani_net *net = ani_model_net(optimizer->model);
    const ani_net_range range = ani_net_trained(net, base);
    float *all = which ? optimizer->v : optimizer->m;
    *count = range.count;
    return all ? all + (range.weights - ani_net_trained(net, AN_BASE_TRAIN).weights) : NULL;
}

an_status ani_optimizer_append(const an_optimizer *optimizer, int32_t base, an_arrays *arrays,
                               an_error *err) {
    an_backend *backend = an_model_backend(optimizer->model);
    an_status st = AN_OK;
    for (int which = 0; which < 2 && !st; which++) {
        int64_t count;
        const float *from = ani_optimizer_moments(optimizer, base, which, &count);
        if (!from) continue;
        float *host;
        st = ani_arrays_append(arrays, moment_names[which], &count, 1, &host, err);
        if (!st) backend->ops->read(backend, host, from, count * (int64_t)sizeof *from);
    }
    return st;
}

an_status ani_optimizer_check(const an_optimizer *optimizer, int32_t base, const an_arrays *arrays,
                              an_error *err) {
    for (int which = 0; which < 2; which++) {
        int64_t count;
        if (!ani_optimizer_moments(optimizer, base, which, &count)) continue;
        const int64_t index = an_arrays_find(arrays, moment_names[which]);
        if (an_arrays_rank(arrays, index) != 1 || an_arrays_length(arrays, index, 0) != count)
            return ani_fail(err, AN_ERR_FORMAT, "there is no '%s' of %lld numbers",
                            moment_names[which], (long long)count);
    }
    return AN_OK;
}

void ani_optimizer_take(an_optimizer *optimizer, int32_t base, const an_arrays *arrays,
                        int64_t steps) {
    an_backend *backend = an_model_backend(optimizer->model);
    for (int which = 0; which < 2; which++) {
        int64_t count;
        float *to = ani_optimizer_moments(optimizer, base, which, &count);
        if (!to) continue;
        const int64_t index = an_arrays_find(arrays, moment_names[which]);
        backend->ops->write(backend, to, an_arrays_data(arrays, index),
                            count * (int64_t)sizeof *to);
    }
    ani_optimizer_set_steps(optimizer, steps);
}

/* --- the public rest -------------------------------------------------------------------------- */

int64_t an_optimizer_steps(const an_optimizer *optimizer) {
    return optimizer ? optimizer->steps : 0;
}

an_status an_optimizer_apply(const an_optimizer_options *options, int64_t step,
                             double learning_rate, int64_t count, float *parameters,
                             const float *gradients, float *m, float *v, an_error *err) {
    an_optimizer_options ours;
    an_backend *backend = NULL;
    an_status st = take_options(&ours, options, err);
    if (!st) st = check_rate(learning_rate, err);
    if (!st && step < 1)
        st = ani_fail(err, AN_ERR_ARG, "step is %lld; it must be at least 1", (long long)step);
    if (!st && count < 0)
        st = ani_fail(err, AN_ERR_ARG, "count is %lld; it must be at least 0", (long long)count);
    if (!st && count && (!parameters || !gradients || !m || (!v && ours.kind != AN_OPTIM_SGD)))
        st = ani_fail(err, AN_ERR_ARG, "an array of the optimizer is NULL");
    if (st) return st;
    /* the reference backend's memory is host memory */
    an_backend_options device;
    an_backend_options_init(&device, sizeof device);
    device.device = "ref";
    st = an_backend_create(&backend, &device, err);
    if (st) return st;
    ani_optim_step apply = make_step(&ours, step, learning_rate);
    double squares;
    if (ours.clip_norm > 0) {
        backend->ops->sum_squares(backend, count, gradients, &squares);
        apply.squares = &squares;
    }
    apply.count = count;
    apply.w = parameters;
    apply.g = gradients;
    apply.m = m;
    apply.v = v;
    backend->ops->optim_step(backend, &apply);
    an_backend_destroy(backend);
    return AN_OK;
}
