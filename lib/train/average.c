/* SPDX-License-Identifier: MIT
 * The average of the weights, in backend memory. */
#include "train/average.h"

#include "base/error.h"
#include "base/memory.h"
#include "io/arrays.h"
#include "layers/model.h"

struct ani_average {
    an_model *model; /* borrowed */
    int32_t base;    /* AN_BASE_* of the stage */
    double decay;
    int64_t count;  /* of the trained weights */
    bool has_steps; /* otherwise there is no average yet */
    bool is_shown;  /* the model holds the average, and this the weights */
    bool
        has_moving; /* moving holds the average's statistics, or, while it is shown, the weights' */
    /* in backend memory; the statistics are NULL in modes in which they never change */
    float *weights, *spare;       /* [count] */
    float *moving, *spare_moving; /* [ani_net_moving_count()] */
};

static const char weights_name[] = "average", moving_name[] = "average_moving";

static bool moves_statistics(int32_t base) {
    return base == AN_BASE_STATISTICS || base == AN_BASE_TRAIN;
}

an_status ani_average_create(ani_average **out, an_model *model, int32_t base, double decay,
                             an_error *err) {
    *out = NULL;
    ani_net *net = ani_model_net(model);
    an_backend *backend = an_model_backend(model);
    an_status st = AN_OK;
    ani_average *average = ani_alloc_zero(1, sizeof *average);
    if (!average) return ani_fail_memory(err, sizeof *average, "an average of weights");
    average->model = model;
    average->base = base;
    average->decay = decay;
    average->count = ani_net_trained(net, base).count;
    const int64_t size = average->count * (int64_t)sizeof(float);
    average->weights = backend->ops->alloc(backend, size);
    average->spare = backend->ops->alloc(backend, size);
    if (!average->weights || !average->spare)
        st = ani_backend_fail_memory(backend, size, "an average of weights", err);
    if (!st && moves_statistics(base)) st = ani_net_moving_create(&average->moving, net, err);
    if (!st && moves_statistics(base)) st = ani_net_moving_create(&average->spare_moving, net, err);
    if (st) {
        ani_average_destroy(average);
        return st;
    }
    *out = average;
    return AN_OK;
}

void ani_average_destroy(ani_average *average) {
    if (!average) return;
    an_backend *backend = an_model_backend(average->model);
    const ani_net *net = ani_model_net(average->model);
    const int64_t size = average->count * (int64_t)sizeof(float);
    if (average->weights) backend->ops->free(backend, average->weights, size);
    if (average->spare) backend->ops->free(backend, average->spare, size);
    ani_net_moving_destroy(net, average->moving);
    ani_net_moving_destroy(net, average->spare_moving);
    ani_free(average);
}

double ani_average_decay(double decay, int64_t t) {
    const double begin = (double)(t - 1) / (double)(t + 9);
    return begin < decay ? begin : decay;
}

void ani_average_add(ani_average *average, int64_t t) {
    if (!average) return;
    an_backend *backend = an_model_backend(average->model);
    const ani_net_range range = ani_net_trained(ani_model_net(average->model), average->base);
    const double decay = ani_average_decay(average->decay, t);
    backend->ops->combine(backend, range.count, 1 - decay, range.weights, decay, average->weights);
    average->has_steps = true;
    average->has_moving = false;
}

/** Exchange count floats; spare is overwritten. */
static void exchange(an_backend *backend, float *a, float *b, float *spare, int64_t count) {
    const int64_t size = count * (int64_t)sizeof *a;
    backend->ops->copy(backend, spare, a, size, NULL);
    backend->ops->copy(backend, a, b, size, NULL);
    backend->ops->copy(backend, b, spare, size, NULL);
}

an_status ani_average_show(ani_average *average, bool shown, an_error *err) {
    if (!average || !average->has_steps || average->is_shown == shown) return AN_OK;
    ani_net *net = ani_model_net(average->model);
    an_status st = ani_net_begin_change(net, err);
    if (st) return st;
    const ani_net_range range = ani_net_trained(net, average->base);
    exchange(an_model_backend(average->model), range.weights, average->weights, average->spare,
             range.count);
    if (average->moving) {
        float *kept = average->spare_moving;
        ani_net_keep_moving(net, kept);
        if (average->has_moving) ani_net_restore_moving(net, average->moving);
        average->spare_moving = average->moving;
        average->moving = kept;
        average->has_moving = true;
    }
    ani_net_weights_changed(net, average->base);
    ani_net_end_change(net);
    average->is_shown = shown;
    return AN_OK;
}

bool ani_average_is_shown(const ani_average *average) {
    return average && average->is_shown;
}

an_status ani_average_spread(ani_average *average, an_comm *comm, an_error *err) {
    if (!average) return AN_OK;
    an_backend *backend = an_model_backend(average->model);
    const int64_t moving = ani_net_moving_count(ani_model_net(average->model));
    int32_t flags[] = {average->has_steps, average->is_shown, average->has_moving};
    an_status st = ani_comm_broadcast(comm, NULL, flags, sizeof flags, 0, err);
    if (!st)
        st = ani_comm_broadcast(comm, backend, average->weights,
                                average->count * (int64_t)sizeof(float), 0, err);
    if (!st && average->moving)
        st = ani_comm_broadcast(comm, backend, average->moving, moving * (int64_t)sizeof(float), 0,
                                err);
    average->has_steps = flags[0];
    average->is_shown = flags[1];
    average->has_moving = flags[2];
    return st;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static an_status append(const ani_average *average, const char *name, const float *from,
                        int64_t count, an_arrays *arrays, an_error *err) {
    an_backend *backend = an_model_backend(average->model);
    float *host;
    an_status st = ani_arrays_append(arrays, name, &count, 1, &host, err);
    if (!st) backend->ops->read(backend, host, from, count * (int64_t)sizeof *from);
    return st;
}

an_status ani_average_append(const ani_average *average, an_arrays *arrays, an_error *err) {
    if (!average || !average->has_steps) return AN_OK;
    an_status st = append(average, weights_name, average->weights, average->count, arrays, err);
    if (!st && average->moving && average->has_moving)
        st = append(average, moving_name, average->moving,
                    ani_net_moving_count(ani_model_net(average->model)), arrays, err);
    return st;
}

/** AN_ERR_FORMAT unless array index is a list of count numbers. */
static an_status check(const an_arrays *arrays, int64_t index, const char *name, int64_t count,
                       an_error *err) {
    if (an_arrays_rank(arrays, index) == 1 && an_arrays_length(arrays, index, 0) == count)
        return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT, "there is no '%s' of %lld numbers", name, (long long)count);
}

an_status ani_average_check(const ani_average *average, const an_arrays *arrays, int64_t steps,
                            an_error *err) {
    if (!average || !steps) return AN_OK;
    const int64_t moving = an_arrays_find(arrays, moving_name);
    an_status st =
        check(arrays, an_arrays_find(arrays, weights_name), weights_name, average->count, err);
    if (!st && average->moving && moving >= 0)
        st = check(arrays, moving, moving_name, ani_net_moving_count(ani_model_net(average->model)),
                   err);
    return st;
}

/** Restore an array, if there is one. */
static bool take(const ani_average *average, const char *name, float *to, const an_arrays *arrays) {
    an_backend *backend = an_model_backend(average->model);
    const int64_t index = an_arrays_find(arrays, name);
    if (index < 0) return false;
    backend->ops->write(backend, to, an_arrays_data(arrays, index),
                        an_arrays_length(arrays, index, 0) * (int64_t)sizeof *to);
    return true;
}

void ani_average_take(ani_average *average, const an_arrays *arrays, int64_t steps) {
    if (!average) return;
    average->is_shown = false;
    average->has_steps = steps > 0 && take(average, weights_name, average->weights, arrays);
    average->has_moving = average->has_steps && average->moving &&
                          take(average, moving_name, average->moving, arrays);
}
