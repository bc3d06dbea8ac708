/* SPDX-License-Identifier: MIT
 * A network's weights: the location of each array, and copying it in and out. */
#include "layers/net.h"

#include "layers/net_state.h"

#include <attractivenet/layers.h>
#include <stdbool.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

enum {
    ARRAY_ALIGN = 16, /* floats: each array begins on a cache line */
    NORM_ARRAYS = 11  /* of a unit: four of running, four of batch; a, b, c */
};

static int64_t aligned(int64_t count) {
    return (count + ARRAY_ALIGN - 1) / ARRAY_ALIGN * ARRAY_ALIGN;
}

/* --- checking a spec ------------------------------------------------------------------------- */

static an_status spec_error(const ani_net_spec *spec, int32_t u, const char *what, an_error *err) {
    return ani_fail(err, AN_ERR_ARG, "network: unit %d ('%s') %s", u, spec->units[u].conv_name,
                    what);
}

static bool shape_is_possible(const ani_unit_spec *s) {
    if (s->cin < 1 || s->cout < 1 || s->stride < 1 || s->stride > 2) return false;
    const int32_t pads[4] = {s->pad_top, s->pad_bottom, s->pad_left, s->pad_right};
    for (int32_t i = 0; i < 4; i++)
        if (pads[i] < 0 || pads[i] > 2 || (s->kind == ANI_UNIT_POINTWISE && pads[i])) return false;
    switch (s->kind) {
    case ANI_UNIT_FULL:
        return true;
    case ANI_UNIT_POINTWISE:
        return s->stride == 1;
    case ANI_UNIT_DEPTHWISE:
        return s->cin == s->cout;
    default:
        return false;
    }
}

/* Connect unit u to the one that it reads, and compute its sizes. */
static an_status connect_input(ani_net *net, const ani_net_spec *spec, int32_t u, an_error *err) {
    ani_net_unit *unit = &net->units[u];
    const ani_unit_spec *s = &unit->spec;
    int64_t channels = 3;
    unit->h = spec->height;
    unit->w = spec->width;
    if (s->input != ANI_INPUT || u > 0) {
        if (s->input < 0 || s->input >= u)
            return spec_error(spec, u, "does not read the value of a unit before it", err);
        ani_net_unit *source = &net->units[s->input];
        if (source->consumer != spec->unit_count)
            return spec_error(spec, u, "reads a value that another unit convolves", err);
        source->consumer = u;
        unit->h = source->oh;
        unit->w = source->ow;
        channels = source->spec.cout;
    }
    if (s->cin != channels) return spec_error(spec, u, "has other channels than its input", err);
    const int64_t kernel = s->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    const int64_t rows = unit->h + s->pad_top + s->pad_bottom - kernel;
    const int64_t columns = unit->w + s->pad_left + s->pad_right - kernel;
    if (rows < 0 || columns < 0) return spec_error(spec, u, "has no output: too small", err);
    unit->oh = rows / s->stride + 1;
    unit->ow = columns / s->stride + 1;
    return AN_OK;
}

static an_status connect_residual(ani_net *net, const ani_net_spec *spec, int32_t u,
                                  an_error *err) {
    const ani_net_unit *unit = &net->units[u];
    const int32_t r = unit->spec.residual;
    if (r == ANI_INPUT) return AN_OK;
    if (r < 0 || r >= u) return spec_error(spec, u, "adds no value of a unit before it", err);
    ani_net_unit *source = &net->units[r];
    if (unit->spec.relu6) return spec_error(spec, u, "has a residual after an activation", err);
    if (source->adder >= 0) return spec_error(spec, u, "adds a value that is added already", err);
    if (source->consumer > u)
        return spec_error(spec, u, "adds a value before it is convolved", err);
    if (source->oh != unit->oh || source->ow != unit->ow || source->spec.cout != unit->spec.cout)
        return spec_error(spec, u, "adds a value of another shape", err);
    source->adder = u;
    return AN_OK;
}

static an_status connect(ani_net *net, const ani_net_spec *spec, an_error *err) {
    for (int32_t u = 0; u < spec->unit_count; u++) {
        ani_net_unit *unit = &net->units[u];
        unit->spec = spec->units[u];
        unit->consumer = spec->unit_count;
        unit->adder = -1;
        if (!shape_is_possible(&unit->spec))
            return spec_error(spec, u, "has a shape that no convolution here has", err);
        an_status st = connect_input(net, spec, u, err);
        if (st) return st;
        st = connect_residual(net, spec, u, err);
        if (st) return st;
        if (unit->spec.cout > net->widest) net->widest = unit->spec.cout;
        if (!ani_add_size(net->channels, unit->spec.cout, &net->channels))
            return ani_fail_memory(err, -1, "a network");
    }
    for (int32_t u = 0; u + 1 < spec->unit_count; u++)
        if (net->units[u].consumer == spec->unit_count)
            return spec_error(spec, u, "has a value that no unit convolves", err);
    return AN_OK;
}

/* --- laying out the weights ------------------------------------------------------------------- */

/* Reserve count elements, aligned, at the end of an arena of *size; false on overflow. */
static bool reserve(int64_t *size, int64_t count, int64_t *offset) {
    *offset = *size;
    return count <= INT64_MAX - ARRAY_ALIGN && ani_add_size(*size, aligned(count), size);
}

/* Append an array. Its data is an offset until memory has been allocated: see place_arrays(). */
static bool add_array(ani_net *net, int64_t *offsets, const char *layer, const char *variable,
                      const int64_t *shape, int32_t rank, int32_t moving) {
    ani_net_array *array = &net->arrays[net->array_count];
    array->layer = layer;
    array->variable = variable;
    array->rank = rank;
    array->moving = moving;
    array->count = 1;
    for (int32_t axis = 0; axis < rank; axis++) {
        array->shape[axis] = shape[axis];
        if (!ani_mul_size(array->count, shape[axis], &array->count)) return false;
    }
    int64_t *size = moving ? &net->moving_count : &net->parameter_count;
    return reserve(size, array->count, &offsets[net->array_count++]);
}

static bool add_unit_arrays(ani_net *net, int64_t *offsets, ani_net_unit *unit) {
    const ani_unit_spec *s = &unit->spec;
    const int64_t full[4] = {3, 3, s->cin, s->cout}, pointwise[4] = {1, 1, s->cin, s->cout};
    const int64_t depthwise[4] = {3, 3, s->cin, 1}, channels[1] = {s->cout};
    const int64_t *shape = s->kind == ANI_UNIT_FULL        ? full
                           : s->kind == ANI_UNIT_POINTWISE ? pointwise
                                                           : depthwise;
    const char *variable = s->kind == ANI_UNIT_DEPTHWISE ? "depthwise_kernel" : "kernel";
    unit->kernel = &net->arrays[net->array_count];
    unit->gamma = unit->kernel + 1;
    unit->beta = unit->kernel + 2;
    unit->moving_mean = unit->kernel + 3;
    unit->moving_variance = unit->kernel + 4;
    return add_array(net, offsets, s->conv_name, variable, shape, 4, 0) &&
           add_array(net, offsets, s->bn_name, "gamma", channels, 1, 0) &&
           add_array(net, offsets, s->bn_name, "beta", channels, 1, 0) &&
           add_array(net, offsets, s->bn_name, "moving_mean", channels, 1, 1) &&
           add_array(net, offsets, s->bn_name, "moving_variance", channels, 1, 1);
}

static bool lay_out(ani_net *net, int64_t *offsets) {
    for (int32_t u = 0; u < net->spec.unit_count; u++) {
        int64_t offset;
        if (!add_unit_arrays(net, offsets, &net->units[u])) return false;
        const int64_t c = net->units[u].spec.cout;
        for (int32_t i = 0; i < NORM_ARRAYS; i++)
            if (!reserve(&net->norm_count, c, &offset)) return false;
        if (!reserve(&net->sum_count, 2 * c, &offset)) return false;
    }
    const int64_t features = ani_net_features(net);
    const int64_t kernel[2] = {features, net->spec.outputs}, bias[1] = {net->spec.outputs};
    net->head_offset = net->parameter_count;
    net->head_kernel = &net->arrays[net->array_count];
    net->head_bias = net->head_kernel + 1;
    int64_t offset;
    bool fits = add_array(net, offsets, "dense", "kernel", kernel, 2, 0) &&
                add_array(net, offsets, "dense", "bias", bias, 1, 0);
    for (int32_t i = 0; i < 2; i++) /* loss, guard */
        fits = fits && reserve(&net->sum_count, 1, &offset);
    return fits;
}

static an_status allocate(ani_net *net, int64_t count, int64_t element, void *out, an_error *err) {
    int64_t size = -1;
    void *memory = NULL;
    if (ani_mul_size(count, element, &size)) memory = net->backend->ops->alloc(net->backend, size);
    memcpy(out, &memory, sizeof memory);
    return memory ? AN_OK : ani_backend_fail_memory(net->backend, size, "a network's weights", err);
}

/* Take the next count floats of the norm arena. */
static float *take(float **at, int64_t count) {
    float *taken = *at;
    *at += aligned(count);
    return taken;
}

/* The location of a batch norm's weights. */
static void point_norm(const ani_net_unit *unit, ani_bn *bn) {
    bn->gamma = unit->gamma->data;
    bn->beta = unit->beta->data;
    bn->moving_mean = unit->moving_mean->data;
    bn->moving_variance = unit->moving_variance->data;
}

static void place_unit(ani_net_unit *unit, double epsilon, float **norm, double **sums) {
    const int64_t c = unit->spec.cout;
    ani_bn *both[2] = {&unit->running, &unit->batch};
    for (int32_t i = 0; i < 2; i++) {
        point_norm(unit, both[i]);
        both[i]->epsilon = epsilon;
        both[i]->scale = take(norm, c);
        both[i]->shift = take(norm, c);
        both[i]->mean = take(norm, c);
        both[i]->inv_std = take(norm, c);
    }
    unit->a = take(norm, c);
    unit->b = take(norm, c);
    unit->c = take(norm, c);
    unit->sums = *sums;
    *sums += aligned(2 * c);
}

static an_status allocate_weights(ani_net *net, float **parameters, float **moving, an_error *err) {
    an_status st = allocate(net, net->parameter_count, sizeof(float), parameters, err);
    return st ? st : allocate(net, net->moving_count, sizeof(float), moving, err);
}

static void free_floats(ani_net *net, float *memory, int64_t count) {
    if (memory) net->backend->ops->free(net->backend, memory, count * (int64_t)sizeof *memory);
}

/* Share the weights of another net, whose turn the caller has. */
static an_status share_weights(ani_net *net, ani_net *from, an_error *err) {
    if (!from->holders) {
        from->holders = ani_alloc(sizeof *from->holders);
        if (!from->holders) return ani_fail_memory(err, sizeof *from->holders, "shared weights");
        atomic_init(from->holders, 1);
    }
    atomic_fetch_add(from->holders, 1);
    net->holders = from->holders;
    net->parameters = from->parameters;
    net->moving = from->moving;
    return AN_OK;
}

/* Release the weights, which other nets may still share. */
static void release_weights(ani_net *net) {
    if (net->holders && atomic_fetch_sub(net->holders, 1) > 1) return;
    free_floats(net, net->parameters, net->parameter_count);
    free_floats(net, net->moving, net->moving_count);
    ani_free(net->holders);
}

/* Allocate separate memory for shared weights, with the turn. The other nets do not change what is
 * copied, since each of them would do the same first. */
static an_status own_weights(ani_net *net, an_error *err) {
    const ani_backend_ops *ops = net->backend->ops;
    float *parameters = NULL, *moving = NULL;
    an_status st = allocate_weights(net, &parameters, &moving, err);
    if (st) {
        free_floats(net, parameters, net->parameter_count);
        return st;
    }
    ops->copy(net->backend, parameters, net->parameters,
              net->parameter_count * (int64_t)sizeof *parameters, NULL);
    ops->copy(net->backend, moving, net->moving, net->moving_count * (int64_t)sizeof *moving, NULL);
    for (int64_t i = 0; i < net->array_count; i++) {
        ani_net_array *array = &net->arrays[i];
        array->data = array->moving ? moving + (array->data - net->moving)
                                    : parameters + (array->data - net->parameters);
    }
    for (int32_t u = 0; u < net->spec.unit_count; u++) {
        point_norm(&net->units[u], &net->units[u].running);
        point_norm(&net->units[u], &net->units[u].batch);
    }
    ani_net_release_packed(net); /* it would be repacked from the old location of the weights */
    release_weights(net);
    net->holders = NULL;
    net->parameters = parameters;
    net->moving = moving;
    return AN_OK;
}

/* from: the net whose weights are shared; NULL: zeros. */
static an_status place(ani_net *net, const int64_t *offsets, ani_net *from, an_error *err) {
    an_status st = from ? share_weights(net, from, err)
                        : allocate_weights(net, &net->parameters, &net->moving, err);
    if (!st) st = allocate(net, net->parameter_count, sizeof(float), &net->gradients, err);
    if (!st) st = allocate(net, net->norm_count, sizeof(float), &net->norm, err);
    if (!st) st = allocate(net, net->sum_count, sizeof(double), &net->sums, err);
    if (st) return st;
    for (int64_t i = 0; i < net->array_count; i++) {
        ani_net_array *array = &net->arrays[i];
        array->data = (array->moving ? net->moving : net->parameters) + offsets[i];
        array->gradient = array->moving ? NULL : net->gradients + offsets[i];
    }
    float *norm = net->norm;
    double *sums = net->sums;
    for (int32_t u = 0; u < net->spec.unit_count; u++)
        place_unit(&net->units[u], net->spec.epsilon, &norm, &sums);
    net->loss = sums;
    net->guard = (int32_t *)(void *)(sums + aligned(1));
    const int64_t losses = ANI_NET_LOSSES * (int64_t)sizeof *net->losses.values;
    net->losses.values = net->backend->ops->host_alloc(net->backend, losses);
    return net->losses.values ? AN_OK : ani_fail_memory(err, losses, "a network's losses");
}

/* --- life ------------------------------------------------------------------------------------- */

static an_status create(ani_net **out, an_backend *backend, const ani_net_spec *spec, ani_net *from,
                        an_error *err) {
    *out = NULL;
    int64_t *offsets = NULL;
    an_status st = ani_backend_check(backend, err);
    if (st) return st;
    if (spec->unit_count < 1 || spec->unit_count > 100000 || spec->outputs < 1 ||
        spec->height < 1 || spec->height > ANI_NET_MAX_SIDE || spec->width < 1 ||
        spec->width > ANI_NET_MAX_SIDE)
        return ani_fail(
            err, AN_ERR_ARG, "network: %d units, %d outputs, %lldx%lld pixels; one is out of range",
            spec->unit_count, spec->outputs, (long long)spec->height, (long long)spec->width);
    if (!(spec->epsilon > 0 && isfinite(spec->epsilon)))
        return ani_fail(err, AN_ERR_ARG,
                        "network: batch norm's epsilon is %g; it must be finite and above 0",
                        spec->epsilon);
    const int64_t units = spec->unit_count, arrays = 5 * units + 2;
    ani_net *net = ani_alloc_zero(1, sizeof *net);
    if (!net) return ani_fail_memory(err, sizeof *net, "a network");
    net->backend = backend;
    ani_backend_hold(backend);
    net->spec = *spec;
    net->spec.units = NULL;
    net->running_old = 1;
    ani_turns_init(&net->turns);
    pthread_mutex_init(&net->lock, NULL);
    net->units = ani_alloc_zero(units, sizeof *net->units);
    net->unit_specs = ani_alloc_zero(units, sizeof *net->unit_specs);
    net->arrays = ani_alloc_zero(arrays, sizeof *net->arrays);
    offsets = ani_alloc_zero(arrays, sizeof *offsets);
    if (!net->units || !net->unit_specs || !net->arrays || !offsets) {
        st = ani_fail_memory(err, arrays * (int64_t)sizeof *net->arrays, "a network");
        goto done;
    }
    st = connect(net, spec, err);
    if (st) goto done;
    memcpy(net->unit_specs, spec->units, (size_t)units * sizeof *net->unit_specs);
    net->spec.units = net->unit_specs;
    if (!lay_out(net, offsets)) {
        st = ani_fail_memory(err, -1, "a network's weights");
        goto done;
    }
    st = place(net, offsets, from, err);
    if (st) goto done;
    *out = net;
    net = NULL;
done:
    ani_free(offsets);
    ani_net_destroy(net);
    return st;
}

an_status ani_net_create(ani_net **out, an_backend *backend, const ani_net_spec *spec,
                         an_error *err) {
    return create(out, backend, spec, NULL, err);
}

/* Copy the weights of a net, whose turn the caller has, to one that no other thread knows yet. */
static an_status copy_weights(ani_net *to, const ani_net *from, an_error *err) {
    int64_t most = 0;
    for (int64_t i = 0; i < from->array_count; i++)
        if (from->arrays[i].count > most) most = from->arrays[i].count;
    float *host = ani_alloc_zero(most, sizeof *host);
    if (!host) return ani_fail_memory(err, most * (int64_t)sizeof *host, "a copy of weights");
    for (int64_t i = 0; i < from->array_count; i++) {
        ani_net_read_array(from, &from->arrays[i], host);
        ani_net_write_array(to, &to->arrays[i], host);
    }
    ani_free(host);
    return AN_OK;
}

an_status ani_net_copy(ani_net **out, ani_net *net, an_backend *backend, bool shared,
                       an_error *err) {
    ani_net *copy = NULL;
    *out = NULL;
    an_status st = ani_net_begin_read(net, err);
    if (st) return st;
    st = create(&copy, backend, &net->spec, shared ? net : NULL, err);
    if (!st && !shared) st = copy_weights(copy, net, err);
    if (!st && net->calibrated.ranges) st = ani_net_calibrate(copy, &net->calibrated, err);
    if (!st) ani_net_set_inference(copy, ani_net_inference(net));
    if (!st && shared) st = ani_net_share_packed(copy, net, err);
    ani_net_end_change(net);
    if (st) {
        ani_net_destroy(copy);
        return st;
    }
    *out = copy;
    return AN_OK;
}

void ani_net_destroy(ani_net *net) {
    if (!net) return;
    const ani_backend_ops *ops = net->backend->ops;
    ani_net_share_clear(net);
    ani_net_memory_clear(net, &net->memory);
    release_weights(net);
    free_floats(net, net->gradients, net->parameter_count);
    free_floats(net, net->norm, net->norm_count);
    if (net->sums) ops->free(net->backend, net->sums, net->sum_count * (int64_t)sizeof(double));
    if (net->losses.values)
        ops->host_free(net->backend, net->losses.values,
                       ANI_NET_LOSSES * (int64_t)sizeof *net->losses.values);
    ani_net_moving_destroy(net, net->moving_before);
    if (net->kept_gradients)
        ops->free(net->backend, net->kept_gradients, net->parameter_count * (int64_t)sizeof(float));
    ani_free(net->own);
    an_cancel_destroy(net->cancel);
    ani_free(net->arrays);
    ani_free(net->unit_specs);
    ani_free(net->units);
    /* In a child of fork(), another thread of the parent may have held them: they are left as they
     * are. */
    if (!ani_backend_check(net->backend, NULL)) {
        pthread_mutex_destroy(&net->lock);
        ani_turns_clear(&net->turns);
    }
    an_backend_destroy(net->backend);
    ani_free(net);
}

an_backend *ani_net_backend(const ani_net *net) {
    return net->backend;
}

const ani_net_spec *ani_net_spec_of(const ani_net *net) {
    return &net->spec;
}

int64_t ani_net_features(const ani_net *net) {
    return net->units[net->spec.unit_count - 1].spec.cout;
}

void ani_net_unit_size(const ani_net *net, int32_t unit, int64_t *height, int64_t *width) {
    *height = net->units[unit].oh;
    *width = net->units[unit].ow;
}

int64_t ani_net_channels(const ani_net *net) {
    return net->channels;
}

int64_t ani_net_sum_count(const ani_net *net) {
    return net->sum_count;
}

int64_t ani_net_arena_size(const ani_net *net) {
    return net->memory.arena_size;
}

/* --- weights ---------------------------------------------------------------------------------- */

int64_t ani_net_array_count(const ani_net *net) {
    return net->array_count;
}

const ani_net_array *ani_net_array_at(const ani_net *net, int64_t index) {
    return &net->arrays[index];
}

int32_t ani_net_array_unit(const ani_net *net, int64_t index) {
    const int64_t of_a_unit = (net->array_count - 2) / net->spec.unit_count;
    return (int32_t)(index / of_a_unit);
}

bool ani_net_array_is_kernel(const ani_net_array *array) {
    return array->rank > 1;
}

void ani_net_read_array(const ani_net *net, const ani_net_array *array, float *host) {
    net->backend->ops->read(net->backend, host, array->data, array->count * (int64_t)sizeof *host);
}

void ani_net_read_gradient(const ani_net *net, const ani_net_array *array, float *host) {
    net->backend->ops->read(net->backend, host, array->gradient,
                            array->count * (int64_t)sizeof *host);
}

void ani_net_write_array(ani_net *net, const ani_net_array *array, const float *host) {
    net->backend->ops->write(net->backend, array->data, host, array->count * (int64_t)sizeof *host);
    ani_net_changed(net);
}

void ani_net_write_head(ani_net *net, const float *kernel, const float *bias) {
    const float *const values[] = {kernel, bias};
    for (int i = 0; i < 2; i++) {
        const ani_net_array *array = ani_net_array_at(net, ani_net_array_count(net) - 2 + i);
        net->backend->ops->write(net->backend, array->data, values[i],
                                 array->count * (int64_t)sizeof(float));
    }
    ani_net_weights_changed(net, AN_BASE_FROZEN);
}

ani_net_range ani_net_trained(const ani_net *net, int32_t base) {
    const bool all = base == AN_BASE_TRAIN || base == AN_BASE_FINETUNE;
    const int64_t first = all ? 0 : net->head_offset;
    return (ani_net_range){net->parameters + first, net->gradients + first,
                           net->parameter_count - first};
}

int64_t ani_net_parameter_count(const ani_net *net) {
    return net->parameter_count;
}

/* Increment the versions of what was changed, so that what was packed from it is outdated. */
static void raise_versions(ani_net *net, bool base) {
    pthread_mutex_lock(&net->lock);
    net->head_version++;
    net->version += base;
    pthread_mutex_unlock(&net->lock);
    ani_net_forget_ranges(net);
}

void ani_net_changed(ani_net *net) {
    net->running_old = 1;
    raise_versions(net, true);
}

int64_t ani_net_changes(const ani_net *net) {
    return net->version;
}

int64_t ani_net_version(ani_net *net) {
    pthread_mutex_lock(&net->lock);
    const int64_t version = net->head_version;
    pthread_mutex_unlock(&net->lock);
    return version;
}

void ani_net_weights_changed(ani_net *net, int32_t base) {
    if (base == AN_BASE_TRAIN || base == AN_BASE_FINETUNE)
        ani_net_changed(net);
    else
        raise_versions(net, false);
}

void ani_net_set_training(ani_net *net, int32_t precision, int32_t recompute) {
    if (net->precision == precision && net->recompute == recompute) return;
    ani_net_memory_clear(net, &net->memory);
    net->precision = precision;
    net->recompute = recompute;
}

an_status ani_net_begin_read(ani_net *net, an_error *err) {
    an_status st = ani_backend_check(net->backend, err);
    return st ? st : ani_turns_take(&net->turns, NULL, err);
}

an_status ani_net_begin_change(ani_net *net, an_error *err) {
    an_status st = ani_net_begin_read(net, err);
    if (!st && net->holders && atomic_load(net->holders) > 1) {
        st = own_weights(net, err);
        if (st) ani_net_end_change(net);
    }
    return st;
}

void ani_net_end_change(ani_net *net) {
    ani_turns_give(&net->turns);
}

void ani_net_lock(ani_net *net) {
    if (!ani_backend_check(net->backend, NULL)) pthread_mutex_lock(&net->lock);
}

void ani_net_unlock(ani_net *net) {
    if (!ani_backend_check(net->backend, NULL)) pthread_mutex_unlock(&net->lock);
}

void ani_net_set_statistics(ani_net *net, const float *statistics) {
    const float *mean = statistics, *variance = statistics + net->channels;
    for (int32_t u = 0; u < net->spec.unit_count; u++) {
        const ani_net_unit *unit = &net->units[u];
        ani_net_write_array(net, unit->moving_mean, mean);
        ani_net_write_array(net, unit->moving_variance, variance);
        mean += unit->spec.cout;
        variance += unit->spec.cout;
    }
}

/* --- several batches -------------------------------------------------------------------------- */

an_status ani_net_keep_gradients(ani_net *net, int32_t base, an_error *err) {
    const ani_backend_ops *ops = net->backend->ops;
    const ani_net_range range = ani_net_trained(net, base);
    const int64_t size = net->parameter_count * (int64_t)sizeof(float);
    if (!net->kept_gradients) net->kept_gradients = ops->alloc(net->backend, size);
    if (!net->kept_gradients)
        return ani_backend_fail_memory(net->backend, size, "the gradients of several batches", err);
    ops->copy(net->backend, net->kept_gradients, range.gradients,
              range.count * (int64_t)sizeof(float), NULL);
    return AN_OK;
}

void ani_net_join_gradients(ani_net *net, int32_t base, double kept_share, double share) {
    const ani_net_range range = ani_net_trained(net, base);
    net->backend->ops->combine(net->backend, range.count, kept_share, net->kept_gradients, share,
                               range.gradients);
}

float *ani_net_moving(const ani_net *net) {
    return net->moving;
}

static int64_t moving_size(const ani_net *net) {
    return net->moving_count * (int64_t)sizeof(float);
}

an_status ani_net_moving_create(float **out, const ani_net *net, an_error *err) {
    *out = net->backend->ops->alloc(net->backend, moving_size(net));
    return *out ? AN_OK
                : ani_backend_fail_memory(net->backend, moving_size(net),
                                          "the moving statistics of before a step", err);
}

void ani_net_moving_destroy(const ani_net *net, float *moving) {
    if (moving) net->backend->ops->free(net->backend, moving, moving_size(net));
}

int64_t ani_net_moving_count(const ani_net *net) {
    return net->moving_count;
}

void ani_net_keep_moving(const ani_net *net, float *moving) {
    net->backend->ops->copy(net->backend, moving, net->moving, moving_size(net), NULL);
}

void ani_net_restore_moving(ani_net *net, const float *moving) {
    net->backend->ops->copy(net->backend, net->moving, moving, moving_size(net), NULL);
    ani_net_changed(net);
}

an_status ani_net_need_moving_before(ani_net *net, an_error *err) {
    pthread_mutex_lock(&net->lock);
    an_status st = AN_OK;
    if (!net->moving_before) st = ani_net_moving_create(&net->moving_before, net, err);
    pthread_mutex_unlock(&net->lock);
    return st;
}

/* --- cancelling ------------------------------------------------------------------------------- */

an_status ani_net_set_cancel(ani_net *net, an_cancel *cancel, an_error *err) {
    an_status st = ani_backend_check(net->backend, err);
    if (!st && cancel) st = ani_net_need_moving_before(net, err);
    if (st) return st;
    ani_cancel_hold(cancel);
    pthread_mutex_lock(&net->lock);
    an_cancel *before = net->cancel;
    net->cancel = cancel;
    pthread_mutex_unlock(&net->lock);
    an_cancel_destroy(before);
    return AN_OK;
}

void ani_net_begin_watch(ani_net *net) {
    pthread_mutex_lock(&net->lock);
    ani_watch_begin(&net->watch, net->cancel);
    pthread_mutex_unlock(&net->lock);
}

void ani_net_end_watch(ani_net *net) {
    ani_watch_end(&net->watch);
}

ani_watch *ani_net_watch(ani_net *net) {
    return &net->watch;
}

void ani_net_move_watch(ani_net *net, ani_watch *to) {
    ani_watch_begin(to, net->watch.cancel);
    ani_watch_end(&net->watch);
}
