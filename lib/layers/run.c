/* SPDX-License-Identifier: MIT
 * Runs of a network: forward with moving or batch statistics, and the backward pass. Each is a loop
 * over the units in step order; see net_plan.c for the memory. A training step sends its input,
 * queues its work, and waits only until its input has been read; a backend that records calls
 * repeats those of the step before. */
#include "layers/net_state.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"

/** A run in progress. */
typedef struct net_run {
    ani_net *net;
    ani_net_memory *memory;
    ani_net_plan *plan;
    const float *head_kernel, *head_bias;
    const float *image;         /* of the batch, as the units read it */
    ani_watch *watch;           /* of the call */
    int64_t sent;               /* ticket of what the caller's memory is sent by; 0: nothing */
    int32_t *guard;             /* of the step; NULL: not guarded */
    bool keeps;                 /* the previous moving statistics are kept */
    bool batch;                 /* normalise by the batch's statistics */
    bool fixed;                 /* units write values, normalised by the moving statistics */
    bool back;                  /* in the backward pass */
    const ani_net_peers *peers; /* NULL: none */
    const ani_net_map *map;     /* what is explained; NULL: a run for training or measuring */
    ani_net_observer observe;   /* NULL: no observer */
    void *user;
} net_run;

static float *floats_at(const net_run *run, int64_t offset) {
    return (float *)(void *)(run->memory->arena + offset);
}

/* A tensor with the run's element type. */
static void *tensor_at(const net_run *run, int64_t offset) {
    return run->memory->arena + offset;
}

static void *scratch_at(const net_run *run, int64_t offset) {
    return offset < 0 ? NULL : run->memory->arena + offset;
}

static const ani_bn *norm_of(const net_run *run, int32_t u) {
    const ani_net_unit *unit = &run->net->units[u];
    return run->batch ? &unit->batch : &unit->running;
}

/* The z of unit u, or its value if those are written. */
static void *z_at(const net_run *run, int32_t u) {
    const ani_unit_run *at = &run->plan->units[u];
    return tensor_at(run, run->back ? at->y_backward : at->y);
}

/* The normalised z of unit u, without its residual; a value that was written, with it. */
static ani_lazy own_value(const net_run *run, int32_t u) {
    const ani_bn *bn = norm_of(run, u);
    if (run->fixed)
        return (ani_lazy){.z = z_at(run, u),
                          .relu6 = run->net->units[u].spec.relu6 ? ANI_CLAMPED : 0,
                          .element = run->plan->element};
    return (ani_lazy){.z = z_at(run, u),
                      .scale = bn->scale,
                      .shift = bn->shift,
                      .relu6 = run->net->units[u].spec.relu6,
                      .element = run->plan->element};
}

/* The value of unit u, or the image, as its readers load it. */
static ani_lazy value_of(const net_run *run, int32_t u) {
    if (u == ANI_INPUT) return (ani_lazy){.z = run->image};
    const ani_unit_run *at = &run->plan->units[u];
    if (at->sum >= 0)
        return (ani_lazy){.z = tensor_at(run, at->sum), .element = run->plan->element};
    return own_value(run, u);
}

/* The value of unit u as the backward pass reads it: for its mask, and for gradients of weights. A
 * gradient with respect to the explained value itself has no mask, and those of weights are not
 * computed. */
static ani_lazy value_behind(const net_run *run, int32_t u) {
    ani_lazy value = value_of(run, u);
    if (run->map && run->map->unit == u && run->map->part == ANI_PART_VALUE) value.relu6 = 0;
    return value;
}

static int64_t rows_of(const net_run *run, int32_t u) {
    return run->plan->n * run->net->units[u].oh * run->net->units[u].ow;
}

/* Whether batch norm uses the statistics of all ranks' images. */
static bool joins(const net_run *run) {
    return run->batch && run->peers && run->peers->moments;
}

/* The rows of all ranks. */
static int64_t all_rows_of(const net_run *run, int32_t u) {
    return run->peers->images * run->net->units[u].oh * run->net->units[u].ow;
}

/* The caller's memory is read until run->sent is reached. */
static void send_floats(net_run *run, int64_t offset, const float *host, int64_t count) {
    an_backend *backend = run->net->backend;
    run->sent =
        backend->ops->send(backend, floats_at(run, offset), host, count * (int64_t)sizeof *host);
}

static void write_floats(const net_run *run, int64_t offset, const float *host, int64_t count) {
    an_backend *backend = run->net->backend;
    backend->ops->write(backend, floats_at(run, offset), host, count * (int64_t)sizeof *host);
}

static void read_floats(const net_run *run, float *host, int64_t offset, int64_t count) {
    an_backend *backend = run->net->backend;
    backend->ops->read(backend, host, floats_at(run, offset), count * (int64_t)sizeof *host);
}

/* Plan a run for training or measuring. */
static an_status begin(net_run *run, ani_net *net, int32_t kind, int64_t n, an_error *err) {
    an_status st = ani_backend_check(net->backend, err);
    if (st) return st;
    run->net = net;
    run->memory = &net->memory;
    run->head_kernel = net->head_kernel->data;
    run->head_bias = net->head_bias->data;
    run->watch = &net->watch;
    st = ani_watch_check(run->watch, err);
    return st ? st : ani_net_prepare(net, run->memory, kind, n, &run->plan, err);
}

/* A run without images needs no plan. */
static an_status begin_empty(net_run *run, ani_net *net, an_error *err) {
    an_status st = ani_backend_check(net->backend, err);
    run->net = net;
    run->memory = &net->memory;
    run->watch = &net->watch;
    return st ? st : ani_watch_check(run->watch, err);
}

static void send_images(net_run *run, const float *x) {
    const ani_net_spec *spec = &run->net->spec;
    run->image = run->plan->image < 0 ? x : floats_at(run, run->plan->image);
    if (run->image == x) return;
    send_floats(run, run->plan->image, x, run->plan->n * spec->height * spec->width * 3);
}

/* --- forward ---------------------------------------------------------------------------------- */

/* Update scale and shift from the moving statistics. */
static void refresh_running(const ani_net *net) {
    for (int32_t u = 0; net->running_old && u < net->spec.unit_count; u++)
        net->backend->ops->bn_running(net->backend, net->units[u].spec.cout,
                                      &net->units[u].running);
}

/* From images to features, with the weights that a context holds. */
static an_status infer(const net_run *run, const ani_net_context *context, ani_infer_input input,
                       an_error *err) {
    an_backend *backend = run->net->backend;
    const ani_net_packed *packed = context->packed;
    input.watch = run->watch;
    backend->ops->infer_run(backend, packed->infer, context->buffers[packed->kind], &input,
                            run->plan->n, floats_at(run, run->plan->features));
    return ani_watch_check(run->watch, err);
}

/* Write z of unit u, and its moments if the run uses batch statistics, of which bn is made; or its
 * value. */
static void convolve(const net_run *run, int32_t u, int64_t scratch, const ani_bn_forward *bn) {
    const ani_net_unit *unit = &run->net->units[u];
    const int32_t residual = unit->spec.residual;
    const ani_fixed_forward fixed = {.bn = &unit->running,
                                     .residual = residual == ANI_INPUT ? NULL : z_at(run, residual),
                                     .relu6 = unit->spec.relu6};
    const ani_unit_forward args = {.x = value_of(run, unit->spec.input),
                                   .w = unit->kernel->data,
                                   .y = z_at(run, u),
                                   .moments = run->batch ? unit->sums : NULL,
                                   .bn = run->batch ? bn : NULL,
                                   .fixed = run->fixed ? &fixed : NULL,
                                   .element = run->plan->element,
                                   .scratch = scratch_at(run, scratch),
                                   .watch = run->watch};
    run->net->backend->ops->unit_forward(run->net->backend, &run->plan->units[u].plan, &args);
}

/* What is made of the moments of unit u. */
static ani_bn_forward norm_ahead(const net_run *run, int32_t u, double momentum) {
    return (ani_bn_forward){
        .bn = &run->net->units[u].batch, .momentum = momentum, .update = momentum >= 0};
}

/* Join the moments of a unit over all ranks, and make batch norm of them. */
static an_status join_forward(const net_run *run, int32_t u, const ani_bn_forward *bn,
                              an_error *err) {
    const ani_net_unit *unit = &run->net->units[u];
    const int64_t c = unit->spec.cout;
    an_status st = run->peers->moments(run->peers->user, unit->sums, c, unit->oh * unit->ow, err);
    if (!st)
        run->net->backend->ops->bn_batch(run->net->backend, c, all_rows_of(run, u), unit->sums,
                                         bn->momentum, bn->update, bn->bn);
    return st;
}

/* Forward with raw z written and normalised by the next reader, and residual sums written; or with
 * values written. momentum < 0: moving statistics stay. */
static an_status forward_lazy(const net_run *run, double momentum, an_error *err) {
    an_backend *backend = run->net->backend;
    for (int32_t u = 0; u < run->plan->unit_count; u++) {
        const ani_net_unit *unit = &run->net->units[u];
        const ani_unit_run *at = &run->plan->units[u];
        const int64_t c = unit->spec.cout, rows = rows_of(run, u);
        const ani_bn_forward bn = norm_ahead(run, u, momentum);
        convolve(run, u, at->scratch_forward, joins(run) ? NULL : &bn);
        an_status st = ani_watch_check(run->watch, err);
        if (!st && joins(run)) st = join_forward(run, u, &bn, err);
        if (st) return st;
        if (unit->spec.residual != ANI_INPUT && !run->fixed) {
            const ani_lazy own = own_value(run, u), residual = value_of(run, unit->spec.residual);
            backend->ops->materialise(backend, rows, c, &own, &residual, tensor_at(run, at->sum));
        }
        if (!run->observe) continue;
        const ani_lazy value = value_of(run, u);
        run->observe(run->user, u, floats_at(run, at->y), &value); /* never of a mixed run */
    }
    return AN_OK;
}

static void pool(const net_run *run) {
    const ani_net *net = run->net;
    const int32_t last = net->spec.unit_count - 1;
    const ani_lazy x = value_of(run, last);
    net->backend->ops->pool_forward(net->backend, run->plan->n,
                                    net->units[last].oh * net->units[last].ow,
                                    ani_net_features(net), &x, floats_at(run, run->plan->features));
}

/* --- head ------------------------------------------------------------------------------------- */

static void dense(const net_run *run) {
    const ani_net *net = run->net;
    net->backend->ops->dense_forward(net->backend, run->plan->n, ani_net_features(net),
                                     net->spec.outputs, floats_at(run, run->plan->features),
                                     run->head_kernel, run->head_bias,
                                     floats_at(run, run->plan->y));
}

/* Send what the loss is computed from; a loss function reads it on the host. */
static void send_targets(net_run *run, const an_loss_options *loss, const float *target) {
    if (loss->fn) return;
    send_floats(run, run->plan->target, target, run->plan->n * run->net->spec.outputs);
    if (loss->weights) send_floats(run, run->plan->weights, loss->weights, run->plan->n);
}

static void known_loss(const net_run *run, const an_loss_options *loss) {
    const ani_net *net = run->net;
    const int64_t n = run->plan->n, of = run->peers ? run->peers->images : n;
    net->backend->ops->loss(net->backend, loss->kind, n, of, net->spec.outputs,
                            floats_at(run, run->plan->y), floats_at(run, run->plan->target),
                            loss->weights ? floats_at(run, run->plan->weights) : NULL, net->loss,
                            floats_at(run, run->plan->dy), run->guard);
}

/* Allocate room for what a loss function reads and writes, before anything is computed. */
static an_status make_own(ani_net *net, int64_t n, an_error *err) {
    const int64_t size = 2 * n * net->spec.outputs * (int64_t)sizeof *net->own;
    if (net->own_size >= size) return AN_OK;
    ani_free(net->own);
    net->own_size = 0;
    net->own = ani_alloc(size);
    if (!net->own) return ani_fail_memory(err, size, "the predictions of a batch");
    net->own_size = size;
    return AN_OK;
}

/* The predictions are copied to the host, and the derivatives back. */
static an_status own_loss(const net_run *run, const an_loss_options *loss, const float *target,
                          an_error *err) {
    const ani_net *net = run->net;
    const int64_t outputs = net->spec.outputs, count = run->plan->n * outputs;
    float *y = net->own, *dy = net->own + count;
    double value = NAN;
    const an_loss_batch batch = {.struct_size = sizeof batch,
                                 .outputs = (int32_t)outputs,
                                 .n = run->plan->n,
                                 .prediction = y,
                                 .target = target,
                                 .weights = loss->weights,
                                 .loss = &value,
                                 .gradient = dy};
    read_floats(run, y, run->plan->y, count);
    for (int64_t i = 0; i < count; i++)
        dy[i] = NAN;
    if (loss->fn(loss->user, &batch))
        return ani_fail(err, AN_ERR_CANCELLED, "the loss function asked to stop");
    for (int64_t i = 0; isfinite(value) && i < count; i++)
        if (!isfinite(dy[i]))
            return ani_fail(err, AN_ERR_ARG,
                            "the loss function returned %g, and gradient %g for output %lld of "
                            "sample %lld; it must be finite",
                            value, dy[i], (long long)(i % outputs), (long long)(i / outputs));
    const ani_backend_ops *ops = net->backend->ops;
    const int32_t broken = 1;
    write_floats(run, run->plan->dy, dy, count);
    ops->write(net->backend, net->loss, &value, sizeof value);
    if (run->guard && !isfinite(value))
        ops->write(net->backend, run->guard, &broken, sizeof broken);
    return AN_OK;
}

/* From features to the loss and the head's gradients; below: also the gradient with respect to the
 * features. */
static an_status head_step(const net_run *run, const an_loss_options *loss, const float *target,
                           bool below, an_error *err) {
    const ani_net *net = run->net;
    an_status st = AN_OK;
    dense(run);
    if (loss->fn)
        st = own_loss(run, loss, target, err);
    else
        known_loss(run, loss);
    if (!st && run->peers) st = run->peers->loss(run->peers->user, net->loss, run->guard, err);
    if (st) return st;
    net->backend->ops->dense_backward(net->backend, run->plan->n, ani_net_features(net),
                                      net->spec.outputs, floats_at(run, run->plan->features),
                                      run->head_kernel, floats_at(run, run->plan->dy),
                                      below ? floats_at(run, run->plan->dfeatures) : NULL,
                                      net->head_kernel->gradient, net->head_bias->gradient);
    return AN_OK;
}

/* Wait for all that was queued. */
static an_status finish(const net_run *run, an_error *err) {
    return run->net->backend->ops->wait(run->net->backend, err);
}

/* Wait for the loss; if it is not wanted yet, only until the caller's memory has been read. */
static an_status finish_step(const net_run *run, double *loss, an_error *err) {
    an_backend *backend = run->net->backend;
    if (!loss) return backend->ops->reach(backend, run->sent, err);
    backend->ops->read(backend, loss, run->net->loss, sizeof *loss);
    return finish(run, err);
}

/* The same after a failure st, which is returned: nothing reads the caller's memory any more. */
static an_status end_step(const net_run *run, an_status st, double *loss, an_error *err) {
    an_backend *backend = run->net->backend;
    if (!st) return finish_step(run, loss, err);
    backend->ops->reach(backend, run->sent, NULL);
    return st;
}

/* --- backward --------------------------------------------------------------------------------- */

/* What is made of the sums of that gradient. */
static ani_bn_backward norm_back(const net_run *run, int32_t u) {
    const ani_net_unit *unit = &run->net->units[u];
    return (ani_bn_backward){.bn = norm_of(run, u),
                             .batch = run->batch,
                             .dgamma = run->map ? NULL : unit->gamma->gradient,
                             .dbeta = run->map ? NULL : unit->beta->gradient,
                             .a = unit->a,
                             .b = unit->b,
                             .c = unit->c};
}

/* The gradients of gamma and beta are sums over this rank's images, like all gradients; a, b and c
 * need the sums over those of all ranks. */
static an_status join_backward(const net_run *run, int32_t u, const ani_bn_backward *bn,
                               an_error *err) {
    an_backend *backend = run->net->backend;
    const ani_net_unit *unit = &run->net->units[u];
    const int64_t c = unit->spec.cout, rows = all_rows_of(run, u);
    backend->ops->bn_backward(backend, c, rows, bn->batch, unit->sums, bn->bn, bn->dgamma,
                              bn->dbeta, bn->a, bn->b, bn->c);
    an_status st = run->peers->sums(run->peers->user, unit->sums, 2 * c, err);
    if (!st)
        backend->ops->bn_backward(backend, c, rows, bn->batch, unit->sums, bn->bn, NULL, NULL,
                                  bn->a, bn->b, bn->c);
    return st;
}

/* Where the gradient with respect to unit u's batch norm output is stored, with the sums its
 * backward step needs. It is complete then: a value is stored once. */
static ani_store store_for(const net_run *run, int32_t u, const ani_bn_backward *bn) {
    const ani_unit_run *at = &run->plan->units[u];
    ani_store store = {.dx = tensor_at(run, at->g), .sums = run->net->units[u].sums};
    if (!run->fixed) {
        store.z = z_at(run, u);
        store.mean = norm_of(run, u)->mean;
        store.bn = joins(run) ? NULL : bn;
    }
    /* As a residual, the value already has the sum's gradient, in the same buffer. */
    if (run->net->units[u].adder >= 0) store.add = store.dx;
    return store;
}

static an_status backward_pool(const net_run *run, an_error *err) {
    const ani_net *net = run->net;
    const int32_t last = net->spec.unit_count - 1;
    const ani_lazy x = value_behind(run, last);
    const ani_bn_backward bn = norm_back(run, last);
    const ani_store store = store_for(run, last, &bn);
    net->backend->ops->pool_backward(
        net->backend, run->plan->n, net->units[last].oh * net->units[last].ow,
        ani_net_features(net), floats_at(run, run->plan->dfeatures), &x, &store);
    return joins(run) ? join_backward(run, last, &bn, err) : AN_OK;
}

static an_status backward_unit(const net_run *run, int32_t u, an_error *err) {
    const ani_net *net = run->net;
    const int32_t input = net->units[u].spec.input;
    /* The same call with the same arguments as before gives the same bits. The sums are free for
     * use, since only this backward step writes the input's. */
    if (input != ANI_INPUT && !run->map && ani_net_makes_again(net, input))
        convolve(run, input, run->plan->units[input].scratch_again, NULL);
    const ani_net_unit *unit = &net->units[u];
    const ani_unit_run *at = &run->plan->units[u];
    const ani_fixed_backward fixed = {.bn = &unit->running,
                                      .sums = unit->sums,
                                      .dgamma = unit->gamma->gradient,
                                      .dbeta = unit->beta->gradient};
    ani_unit_backward args = {.dz = {.g = tensor_at(run, at->g),
                                     .a = run->fixed ? NULL : unit->a,
                                     .element = run->plan->element},
                              .fixed = run->fixed ? &fixed : NULL,
                              .x = value_behind(run, unit->spec.input),
                              .w = unit->kernel->data,
                              .dw = run->map ? NULL : unit->kernel->gradient,
                              .scratch = scratch_at(run, at->scratch_backward),
                              .watch = run->watch};
    if (run->batch) {
        args.dz.z = z_at(run, u);
        args.dz.b = unit->b;
        args.dz.c = unit->c;
    }
    ani_bn_backward bn;
    if (input != ANI_INPUT) {
        bn = norm_back(run, input);
        args.store = store_for(run, input, &bn);
    }
    net->backend->ops->unit_backward(net->backend, &at->plan, &args);
    an_status st = ani_watch_check(run->watch, err);
    return st || input == ANI_INPUT || !joins(run) ? st : join_backward(run, input, &bn, err);
}

/* From the features to the first unit whose input needs no gradient. */
static an_status backward(net_run *run, an_error *err) {
    const int32_t first = run->map ? run->net->units[run->map->unit].consumer : 0;
    run->back = true;
    an_status st = backward_pool(run, err);
    for (int32_t u = run->net->spec.unit_count - 1; !st && u >= first; u--)
        st = backward_unit(run, u, err);
    return st;
}

/* --- the runs --------------------------------------------------------------------------------- */

/* Keep the moving statistics before a step that changes them and may fail. */
static void keep_moving(const net_run *run) {
    if (run->keeps) ani_net_keep_moving(run->net, run->net->moving_before);
}

/* Restore them: no one has seen the new ones, since the step has the turn. guard: if it is set;
 * NULL: in any case. */
static void restore_moving(const net_run *run, const int32_t *guard) {
    const ani_net *net = run->net;
    if (run->keeps)
        net->backend->ops->copy(net->backend, net->moving, net->moving_before,
                                net->moving_count * (int64_t)sizeof(float), guard);
}

/* Plan a prediction with the weights that a context holds. */
static an_status begin_prediction(net_run *run, ani_net *net, ani_net_context *context, int64_t n,
                                  an_error *err) {
    run->net = net;
    run->memory = &context->memory;
    run->head_kernel = context->head->kernel;
    run->head_bias = context->head->bias;
    run->watch = ani_net_context_watch(context);
    an_status st = ani_watch_check(run->watch, err);
    return st ? st : ani_net_prepare(net, run->memory, ANI_RUN_HEAD, n, &run->plan, err);
}

/* The head of a prediction whose features have been computed. */
static void predict_head(const net_run *run, int32_t probabilities, float *y) {
    const ani_net *net = run->net;
    dense(run);
    if (probabilities)
        net->backend->ops->probabilities(net->backend, run->plan->n, net->spec.outputs,
                                         floats_at(run, run->plan->y));
    read_floats(run, y, run->plan->y, run->plan->n * net->spec.outputs);
}

static an_status predict(ani_net *net, ani_net_context *context, ani_infer_input input, int64_t n,
                         int32_t probabilities, float *features, float *y, an_error *err) {
    net_run run = {0};
    an_status st = begin_prediction(&run, net, context, n, err);
    if (!st) st = infer(&run, context, input, err);
    if (st) return st;
    if (features) read_floats(&run, features, run.plan->features, n * ani_net_features(net));
    if (y) predict_head(&run, probabilities, y);
    return finish(&run, err);
}

an_status ani_net_predict(ani_net *net, ani_net_context *context, const float *x, int64_t n,
                          int32_t probabilities, float *features, float *y, an_error *err) {
    const ani_infer_input input = {.x = x};
    return predict(net, context, input, n, probabilities, features, y, err);
}

an_status ani_net_predict_bytes(ani_net *net, ani_net_context *context, const uint8_t *bytes,
                                const float *tables, int64_t n, int32_t probabilities,
                                float *features, float *y, an_error *err) {
    const ani_infer_input input = {.bytes = bytes, .tables = tables};
    return predict(net, context, input, n, probabilities, features, y, err);
}

an_status ani_net_predict_head(ani_net *net, ani_net_context *context, const float *features,
                               int64_t n, int32_t probabilities, float *y, an_error *err) {
    net_run run = {0};
    an_status st = begin_prediction(&run, net, context, n, err);
    if (st) return st;
    send_floats(&run, run.plan->features, features, n * ani_net_features(net));
    predict_head(&run, probabilities, y);
    return finish(&run, err);
}

/* All that the arguments of a step's calls depend on, besides the plan. */
typedef struct step_key {
    const void *arena, *parameters, *moving;
    double momentum;
    int32_t base, loss, weighted, guarded, keeps, refreshes;
} step_key;

static step_key key_of(const net_run *run, const ani_net_step *step) {
    const ani_net *net = run->net;
    step_key key;
    memset(&key, 0, sizeof key); /* padding is compared, too */
    key.arena = run->memory->arena;
    key.parameters = net->parameters;
    key.moving = net->moving;
    key.momentum = step->momentum;
    key.base = step->base;
    key.loss = step->loss->kind;
    key.weighted = step->loss->weights != NULL;
    key.guarded = run->guard != NULL;
    key.keeps = run->keeps;
    key.refreshes = !run->batch && net->running_old;
    return key;
}

/* Average the moving statistics, unless those of all ranks are already the same. */
static an_status average_moving(const net_run *run, an_error *err) {
    const ani_net *net = run->net;
    if (!run->batch || !run->peers || joins(run)) return AN_OK;
    return run->peers->moving(run->peers->user, net->moving, net->moving_count, err);
}

/* The calls for images that have been sent. */
static an_status image_calls(net_run *run, const ani_net_step *step, const float *y,
                             an_error *err) {
    const bool all = step->base == AN_BASE_TRAIN || step->base == AN_BASE_FINETUNE;
    if (!run->batch) refresh_running(run->net);
    an_status st = forward_lazy(run, step->momentum, err);
    if (!st) st = average_moving(run, err);
    if (st) return st;
    pool(run);
    st = head_step(run, step->loss, y, all, err);
    if (!st && all) st = backward(run, err);
    return st;
}

/* --- a rank without images -------------------------------------------------------------------- */

/* What the forward pass does with the peers: its moments count for nothing. */
static an_status follow_forward(const net_run *run, double momentum, an_error *err) {
    an_status st = AN_OK;
    for (int32_t u = 0; !st && joins(run) && u < run->net->spec.unit_count; u++) {
        const ani_bn_forward bn = norm_ahead(run, u, momentum);
        st = join_forward(run, u, &bn, err);
    }
    return st;
}

/* What the backward pass does with them. */
static an_status follow_backward(const net_run *run, an_error *err) {
    const ani_net *net = run->net;
    an_status st = AN_OK;
    for (int32_t u = net->spec.unit_count; !st && joins(run) && u >= 0; u--) {
        const int32_t stored = u == net->spec.unit_count ? u - 1 : net->units[u].spec.input;
        if (stored == ANI_INPUT) continue;
        const int64_t count = 2 * net->units[stored].spec.cout;
        double *sums = net->units[stored].sums;
        net->backend->ops->fill(net->backend, sums, 0, count * (int64_t)sizeof *sums);
        st = run->peers->sums(run->peers->user, sums, count, err);
    }
    return st;
}

/* The calls of a step. The gradients of no images are zero. */
static an_status follow_calls(const net_run *run, const ani_net_step *step, an_error *err) {
    const ani_net *net = run->net;
    const bool all = step->base == AN_BASE_TRAIN || step->base == AN_BASE_FINETUNE;
    const ani_net_range range = ani_net_trained(net, step->base);
    an_status st = follow_forward(run, step->momentum, err);
    if (!st) st = average_moving(run, err);
    net->backend->ops->fill(net->backend, net->loss, 0, sizeof *net->loss);
    if (!st) st = run->peers->loss(run->peers->user, net->loss, run->guard, err);
    if (!st && all) st = follow_backward(run, err);
    net->backend->ops->fill(net->backend, range.gradients, 0,
                            range.count * (int64_t)sizeof *range.gradients);
    return st;
}

/* --- steps ------------------------------------------------------------------------------------ */

static an_status step_calls(net_run *run, const ani_net_step *step, const float *y, an_error *err) {
    an_status st = run->plan ? image_calls(run, step, y, err) : follow_calls(run, step, err);
    if (!st && run->guard) restore_moving(run, run->guard);
    return st;
}

/* The calls of a step, or their repetition. A loss function is called by the host, in between, and
 * so are the peers. */
static an_status run_step(net_run *run, const ani_net_step *step, const float *y, an_error *err) {
    an_backend *backend = run->net->backend;
    const bool records = !step->loss->fn && !run->peers;
    const step_key key = key_of(run, step);
    an_status st = AN_OK;
    if (!records || backend->ops->begin(backend, &run->plan->step, &key, sizeof key)) {
        st = step_calls(run, step, y, err);
        if (records) backend->ops->end(backend, run->plan->step, !st);
    }
    if (!st && !run->batch && run->plan) run->net->running_old = 0;
    return st ? st : ani_watch_check(run->watch, err);
}

/* Plan a step, and allocate what it needs. */
static an_status begin_step(net_run *run, ani_net *net, const ani_net_step *step, int64_t n,
                            an_error *err) {
    const bool all = step->base == AN_BASE_TRAIN || step->base == AN_BASE_FINETUNE;
    const bool fixed = step->base == AN_BASE_FINETUNE && net->backend->fixed;
    const int32_t kind = fixed                          ? ANI_RUN_FIXED
                         : all                          ? ANI_RUN_TRAINING
                         : step->base == AN_BASE_FROZEN ? ANI_RUN_HEAD
                                                        : ANI_RUN_STATISTICS;
    *run = (net_run){.batch = step->base == AN_BASE_TRAIN || step->base == AN_BASE_STATISTICS,
                     .fixed = fixed,
                     .peers = step->peers};
    an_status st = n || !step->peers ? begin(run, net, kind, n, err) : begin_empty(run, net, err);
    if (!st && step->loss->fn) st = make_own(net, n, err);
    run->guard = step->guarded ? net->guard : NULL;
    run->keeps = run->batch && (net->watch.cancel || step->loss->fn || run->guard || run->peers);
    return !st && run->keeps ? ani_net_need_moving_before(net, err) : st;
}

/* Hold the base's packed weights. */
static an_status take_base(ani_net_context **out, ani_net *net, an_error *err) {
    an_status st = ani_net_context_take(out, net, err);
    return st ? st : ani_net_context_hold(net, *out, AN_INFERENCE_FP32, true, err);
}

an_status ani_net_reserve(ani_net *net, const ani_net_step *step, int64_t n, an_error *err) {
    net_run run;
    ani_net_context *context = NULL;
    an_status st = begin_step(&run, net, step, n, err);
    if (!st && n && step->base == AN_BASE_FROZEN) st = take_base(&context, net, err);
    ani_net_context_give(net, context);
    return st;
}

an_status ani_net_gradients(ani_net *net, const ani_net_step *step, const float *x, const float *y,
                            int64_t n, double *loss_value, an_error *err) {
    const bool frozen = n && step->base == AN_BASE_FROZEN;
    net_run run;
    ani_net_context *context = NULL;
    an_status st = begin_step(&run, net, step, n, err);
    if (!st && frozen) st = take_base(&context, net, err);
    if (!st && frozen) st = infer(&run, context, (ani_infer_input){.x = x}, err);
    ani_net_context_give(net, context);
    if (st) return st;
    if (n && !frozen) send_images(&run, x);
    if (n) send_targets(&run, step->loss, y);
    keep_moving(&run);
    st = frozen ? head_step(&run, step->loss, y, false, err) : run_step(&run, step, y, err);
    if (st)
        restore_moving(&run, NULL);
    else if (run.batch)
        ani_net_changed(net);
    return end_step(&run, st, loss_value, err);
}

an_status ani_net_head_gradients(ani_net *net, const ani_net_step *step, const float *features,
                                 const float *y, int64_t n, double *loss_value, an_error *err) {
    net_run run = {.guard = step->guarded ? net->guard : NULL};
    an_status st = begin(&run, net, ANI_RUN_HEAD, n, err);
    if (!st && step->loss->fn) st = make_own(net, n, err);
    if (st) return st;
    send_floats(&run, run.plan->features, features, n * ani_net_features(net));
    send_targets(&run, step->loss, y);
    st = head_step(&run, step->loss, y, false, err);
    return end_step(&run, st, loss_value, err);
}

void ani_net_send_loss(ani_net *net) {
    ani_net_losses *losses = &net->losses;
    const int32_t slot = (losses->first + losses->count++) % ANI_NET_LOSSES;
    assert(losses->count <= ANI_NET_LOSSES);
    losses->tickets[slot] =
        net->backend->ops->fetch(net->backend, &losses->values[slot], net->loss, sizeof *net->loss);
}

an_status ani_net_take_loss(ani_net *net, double *loss, an_error *err) {
    ani_net_losses *losses = &net->losses;
    const int32_t slot = losses->first;
    assert(losses->count > 0);
    losses->first = (slot + 1) % ANI_NET_LOSSES;
    losses->count--;
    an_status st = net->backend->ops->reach(net->backend, losses->tickets[slot], err);
    *loss = losses->values[slot];
    return st;
}

const int32_t *ani_net_guard(const ani_net *net) {
    return net->guard;
}

void ani_net_clear_guard(ani_net *net) {
    net->backend->ops->fill(net->backend, net->guard, 0, sizeof *net->guard);
}

an_status ani_net_add_statistics(ani_net *net, const float *x, int64_t n,
                                 const ani_net_peers *peers, double *scratch, double *sums,
                                 an_error *err) {
    net_run run = {.batch = true, .peers = peers};
    an_status st =
        n || !peers ? begin(&run, net, ANI_RUN_STATISTICS, n, err) : begin_empty(&run, net, err);
    if (st || !n) return st ? st : follow_forward(&run, -1, err);
    send_images(&run, x);
    st = forward_lazy(&run, -1, err);
    if (!st)
        net->backend->ops->read(net->backend, scratch, net->sums,
                                net->sum_count * (int64_t)sizeof *scratch);
    const an_status finished = finish(&run, st ? NULL : err);
    if (st || finished) return st ? st : finished;
    double *mean = sums, *variance = sums + net->channels;
    for (int32_t u = 0; u < net->spec.unit_count; u++) {
        const int64_t c = net->units[u].spec.cout;
        const int64_t rows = joins(&run) ? all_rows_of(&run, u) : rows_of(&run, u);
        const double *moments = scratch + (net->units[u].sums - net->sums);
        for (int64_t i = 0; i < c; i++) {
            *mean++ += (double)n * moments[i];
            *variance++ += (double)n * moments[c + i] / (double)(rows > 1 ? rows - 1 : 1);
        }
    }
    return AN_OK;
}

an_status ani_net_inspect(ani_net *net, const float *x, int64_t n, ani_net_observer observe,
                          void *user, an_error *err) {
    net_run run = {.observe = observe, .user = user};
    an_status st = begin(&run, net, ANI_RUN_STATISTICS, n, err);
    if (st) return st;
    send_images(&run, x);
    refresh_running(net);
    net->running_old = 0;
    st = forward_lazy(&run, -1, err);
    const an_status finished = finish(&run, st ? NULL : err);
    return st ? st : finished;
}

/* --- explanations ----------------------------------------------------------------------------- */

/* Write the gradient of the explained output with respect to the outputs: 1 at one place. */
static void choose_output(const net_run *run, float *host) {
    const int64_t outputs = run->net->spec.outputs;
    int64_t chosen = run->map->output;
    read_floats(run, host, run->plan->y, outputs);
    if (chosen < 0) {
        chosen = 0;
        for (int64_t i = 1; i < outputs; i++)
            if (host[i] > host[chosen]) chosen = i;
    }
    for (int64_t i = 0; i < outputs; i++)
        host[i] = i == chosen;
    write_floats(run, run->plan->dy, host, outputs);
}

/* The explained maps; *gain [channels] (NULL: 1) leads from the gradient that the backward pass
 * stores, with respect to the output of batch norm or the value, to theirs. */
static ani_lazy explained(const net_run *run, const float **gain) {
    const int32_t u = run->map->unit;
    ani_lazy maps = run->map->part == ANI_PART_VALUE ? value_of(run, u) : own_value(run, u);
    *gain = NULL;
    if (run->map->part == ANI_PART_NORM) maps.relu6 = 0;
    if (run->map->part == ANI_PART_CONVOLUTION) {
        *gain = maps.scale;
        maps = (ani_lazy){.z = maps.z, .element = maps.element};
    }
    return maps;
}

/* Sum the channels, each times the mean of its gradient. host: 2 numbers per channel. */
static void write_map(const net_run *run, float *host, float *map) {
    const ani_net *net = run->net;
    an_backend *backend = net->backend;
    const ani_unit_run *at = &run->plan->map;
    const ani_unit_shape *shape = &at->plan.shape;
    const int64_t pixels = shape->h * shape->w, size = shape->cin * (int64_t)sizeof *host;
    const float *gain;
    float *gains = host + shape->cin, *weights = net->units[run->map->unit].a; /* not used else */
    const ani_lazy maps = explained(run, &gain);
    const ani_lazy gradient = {.z = tensor_at(run, run->plan->units[run->map->unit].g)};
    backend->ops->pool_forward(backend, 1, pixels, shape->cin, &gradient, weights);
    backend->ops->read(backend, host, weights, size);
    if (gain) backend->ops->read(backend, gains, gain, size);
    for (int64_t k = 0; k < shape->cin; k++) {
        if (gain) host[k] *= gains[k];
        if (run->map->sign == AN_EXPLAIN_LOWERS) host[k] = -host[k];
    }
    backend->ops->write(backend, weights, host, size);
    const ani_unit_forward args = {.x = maps,
                                   .w = weights,
                                   .y = tensor_at(run, at->y),
                                   .element = ANI_FLOAT32,
                                   .scratch = scratch_at(run, at->scratch_forward),
                                   .watch = run->watch};
    backend->ops->unit_forward(backend, &at->plan, &args);
    read_floats(run, map, at->y, pixels);
    for (int64_t i = 0; run->map->sign != AN_EXPLAIN_SIGNED && i < pixels; i++)
        if (map[i] < 0) map[i] = 0;
}

/* One image. */
static an_status explain(net_run *run, const float *x, float *host, float *map, an_error *err) {
    ani_net *net = run->net;
    run->back = false;
    an_status st = begin(run, net, ANI_RUN_EXPLAIN + run->map->unit, 1, err);
    if (st) return st;
    send_images(run, x);
    st = forward_lazy(run, -1, err);
    if (st) return st;
    pool(run);
    dense(run);
    choose_output(run, host);
    net->backend->ops->dense_backward(net->backend, 1, ani_net_features(net), net->spec.outputs,
                                      floats_at(run, run->plan->features), run->head_kernel,
                                      floats_at(run, run->plan->dy),
                                      floats_at(run, run->plan->dfeatures), NULL, NULL);
    st = backward(run, err);
    if (st) return st;
    write_map(run, host, map);
    return ani_watch_check(run->watch, err);
}

an_status ani_net_explain(ani_net *net, const ani_net_map *what, const float *x, int64_t n,
                          float *maps, an_error *err) {
    const ani_net_unit *unit = &net->units[what->unit];
    const int64_t image = net->spec.height * net->spec.width * 3, map = unit->oh * unit->ow;
    const int64_t channels = 2 * unit->spec.cout;
    const int64_t count = channels > net->spec.outputs ? channels : net->spec.outputs;
    net_run run = {.net = net, .map = what};
    an_status st = ani_backend_check(net->backend, err);
    if (st) return st;
    float *host = ani_alloc_zero(count, sizeof *host);
    if (!host) return ani_fail_memory(err, count * (int64_t)sizeof *host, "an explanation");
    refresh_running(net);
    net->running_old = 0;
    for (int64_t i = 0; !st && i < n; i++)
        st = explain(&run, x + i * image, host, maps + i * map, err);
    const an_status finished = finish(&run, st ? NULL : err);
    ani_free(host);
    return st ? st : finished;
}
