/* SPDX-License-Identifier: MIT
 * Single layers on tensors: each call copies its tensors to the backend, runs the same entries that
 * a network uses, and copies the results back. Batch norm by itself is run between two depthwise
 * units with identity weights, so that the fused paths are checked. */
#include <attractivenet/layers.h>

#include <assert.h>
#include <stdbool.h>

#include "backend/backend.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/shape.h"
#include "layers/loss.h"

/* --- memory of one call ----------------------------------------------------------------------- */

enum { MAX_PIECES = 24 };

/** What a call holds on the backend; the first failed allocation is remembered, and later ones do
 * nothing, so that one check is enough. */
typedef struct call {
    an_backend *backend;
    void *pieces[MAX_PIECES];
    int64_t sizes[MAX_PIECES];
    int32_t count;
    bool failed;
    int64_t failed_size; /* bytes; -1: a size overflowed */
} call;

static void *fail(call *c, int64_t size) {
    c->failed = true;
    c->failed_size = size;
    return NULL;
}

static void *hold(call *c, int64_t count, int64_t element) {
    int64_t size;
    if (c->failed) return NULL;
    if (!ani_mul_size(count, element, &size)) return fail(c, -1);
    assert(c->count < MAX_PIECES);
    void *memory = c->backend->ops->alloc(c->backend, size ? size : 1);
    if (!memory) return fail(c, size);
    c->pieces[c->count] = memory;
    c->sizes[c->count++] = size ? size : 1;
    return memory;
}

static float *hold_floats(call *c, int64_t count) {
    return hold(c, count, sizeof(float));
}

/* Copy a tensor to the backend. */
static float *upload(call *c, const an_tensor *tensor) {
    float *memory = hold_floats(c, an_tensor_count(tensor));
    if (memory)
        c->backend->ops->write(c->backend, memory, an_tensor_const_data(tensor),
                               an_tensor_count(tensor) * (int64_t)sizeof(float));
    return memory;
}

/* Allocate room for a result; NULL if the caller does not want it. */
static float *room_for(call *c, const an_tensor *tensor) {
    return tensor ? hold_floats(c, an_tensor_count(tensor)) : NULL;
}

/* Copy a result to the caller's tensor, if it is wanted. */
static void download(const call *c, an_tensor *tensor, const float *memory) {
    if (!tensor) return;
    c->backend->ops->read(c->backend, an_tensor_data(tensor), memory,
                          an_tensor_count(tensor) * (int64_t)sizeof(float));
}

static an_status memory_error(const call *c, an_error *err) {
    if (!c->failed) return AN_OK;
    return ani_backend_fail_memory(c->backend, c->failed_size, "the tensors of a layer", err);
}

static void release(call *c) {
    for (int32_t i = 0; i < c->count; i++)
        c->backend->ops->free(c->backend, c->pieces[i], c->sizes[i]);
}

/* --- shapes ----------------------------------------------------------------------------------- */

enum { ANY = -1 }; /* as ani_shape_show() takes it */

/* Check a tensor's shape; ANY stands for any length above 0. optional: NULL is allowed. */
static an_status check_shape(const char *what, const an_tensor *tensor, int32_t rank,
                             const int64_t *shape, bool optional, an_error *err) {
    char found[ANI_SHOWN_SHAPE_SIZE], wanted[ANI_SHOWN_SHAPE_SIZE];
    int64_t lengths[AN_TENSOR_MAX_RANK];
    if (!tensor && optional) return AN_OK;
    if (!tensor) return ani_fail(err, AN_ERR_ARG, "tensor '%s' is NULL", what);
    bool same = an_tensor_rank(tensor) == rank;
    for (int32_t axis = 0; axis < an_tensor_rank(tensor); axis++) {
        lengths[axis] = an_tensor_length(tensor, axis);
        if (axis < rank)
            same = same && (shape[axis] == ANY ? lengths[axis] > 0 : lengths[axis] == shape[axis]);
    }
    if (same) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "tensor '%s' has shape %s; it must be %s", what,
                    ani_shape_show(found, lengths, an_tensor_rank(tensor)),
                    ani_shape_show(wanted, shape, rank));
}

/* Check that a tensor has the shape of another. */
static an_status check_like(const char *what, const an_tensor *tensor, const an_tensor *other,
                            bool optional, an_error *err) {
    int64_t shape[AN_TENSOR_MAX_RANK];
    for (int32_t axis = 0; axis < an_tensor_rank(other); axis++)
        shape[axis] = an_tensor_length(other, axis);
    return check_shape(what, tensor, an_tensor_rank(other), shape, optional, err);
}

static an_status check_images(const char *what, const an_tensor *x, an_error *err) {
    const int64_t images[4] = {ANY, ANY, ANY, ANY};
    return check_shape(what, x, 4, images, false, err);
}

static an_status check_backend(const an_backend *backend, an_error *err) {
    if (!backend) return ani_fail(err, AN_ERR_ARG, "backend is NULL");
    return ani_backend_check(backend, err);
}

/* --- convolution ------------------------------------------------------------------------------ */

void an_conv_options_init(an_conv_options *options, uint32_t struct_size) {
    const an_conv_options defaults = {.struct_size = sizeof defaults, .stride = 1};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

static an_status conv_options(an_conv_options *o, const an_conv_options *options, an_error *err) {
    an_conv_options_init(o, sizeof *o);
    an_status st = ani_options_copy(o, sizeof *o, options, "an_conv_options", err);
    if (st) return st;
    if (o->kind != AN_CONV_FULL && o->kind != AN_CONV_DEPTHWISE)
        return ani_fail(err, AN_ERR_ARG, "convolution: kind is %d; it must be one of AN_CONV_*",
                        o->kind);
    if (o->stride < 1 || o->stride > 2)
        return ani_fail(err, AN_ERR_ARG, "convolution: stride is %d; it must be 1 or 2", o->stride);
    const int32_t pads[4] = {o->pad_top, o->pad_bottom, o->pad_left, o->pad_right};
    for (int32_t i = 0; i < 4; i++)
        if (pads[i] < 0 || pads[i] > 2)
            return ani_fail(err, AN_ERR_ARG, "convolution: a padding is %d; it must be 0 to 2",
                            pads[i]);
    return AN_OK;
}

/* Derive the unit of a convolution from its options, input and kernel. */
static an_status conv_shape(ani_unit_shape *s, const an_conv_options *options, const an_tensor *x,
                            const an_tensor *w, an_error *err) {
    an_conv_options o;
    an_status st = conv_options(&o, options, err);
    if (!st) st = check_images("x", x, err);
    if (!st) st = check_images("w", w, err);
    if (st) return st;
    const int64_t c = an_tensor_length(x, 3), k = an_tensor_length(w, 0) == 1 ? 1 : 3;
    const bool depthwise = o.kind == AN_CONV_DEPTHWISE;
    const int64_t kernel[4] = {depthwise ? 3 : k, depthwise ? 3 : k, c, depthwise ? 1 : ANY};
    st = check_shape("w", w, 4, kernel, false, err);
    if (st) return st;
    const bool pointwise = !depthwise && k == 1;
    if (pointwise && (o.stride > 1 || o.pad_top || o.pad_bottom || o.pad_left || o.pad_right))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "convolution: a 1x1 kernel has stride 1 and no padding");
    *s = (ani_unit_shape){.kind = depthwise   ? ANI_UNIT_DEPTHWISE
                                  : pointwise ? ANI_UNIT_POINTWISE
                                              : ANI_UNIT_FULL,
                          .stride = o.stride,
                          .pad_top = o.pad_top,
                          .pad_left = o.pad_left,
                          .n = an_tensor_length(x, 0),
                          .h = an_tensor_length(x, 1),
                          .w = an_tensor_length(x, 2),
                          .cin = c,
                          .cout = depthwise ? c : an_tensor_length(w, 3)};
    const int64_t rows = s->h + o.pad_top + o.pad_bottom - kernel[0];
    const int64_t columns = s->w + o.pad_left + o.pad_right - kernel[1];
    if (rows < 0 || columns < 0)
        return ani_fail(err, AN_ERR_ARG, "convolution: x of %lld x %lld is smaller than the kernel",
                        (long long)s->h, (long long)s->w);
    s->oh = rows / s->stride + 1;
    s->ow = columns / s->stride + 1;
    return AN_OK;
}

static void plan_unit(const call *c, const ani_unit_shape *shape, ani_unit_plan *plan) {
    c->backend->ops->unit_plan(c->backend, shape, ANI_FLOAT32, plan);
}

an_status an_conv_forward(an_backend *backend, const an_conv_options *options, const an_tensor *x,
                          const an_tensor *w, an_tensor *y, an_error *err) {
    call c = {.backend = backend};
    ani_unit_shape s;
    ani_unit_plan plan;
    an_status st = check_backend(backend, err);
    if (!st) st = conv_shape(&s, options, x, w, err);
    if (st) return st;
    const int64_t out[4] = {s.n, s.oh, s.ow, s.cout};
    st = check_shape("y", y, 4, out, false, err);
    if (st) return st;
    plan_unit(&c, &s, &plan);
    ani_unit_forward args = {.x = {.z = upload(&c, x)},
                             .w = upload(&c, w),
                             .y = room_for(&c, y),
                             .scratch = hold(&c, plan.scratch_forward, 1)};
    st = memory_error(&c, err);
    if (st) goto done;
    backend->ops->unit_forward(backend, &plan, &args);
    download(&c, y, args.y);
    st = backend->ops->wait(backend, err);
done:
    release(&c);
    return st;
}

an_status an_conv_backward(an_backend *backend, const an_conv_options *options, const an_tensor *x,
                           const an_tensor *w, const an_tensor *dy, an_tensor *dx, an_tensor *dw,
                           an_error *err) {
    call c = {.backend = backend};
    ani_unit_shape s;
    ani_unit_plan plan;
    an_status st = check_backend(backend, err);
    if (!st) st = conv_shape(&s, options, x, w, err);
    if (st) return st;
    const int64_t out[4] = {s.n, s.oh, s.ow, s.cout};
    st = check_shape("dy", dy, 4, out, false, err);
    if (!st) st = check_like("dx", dx, x, true, err);
    if (!st) st = check_like("dw", dw, w, true, err);
    if (st) return st;
    plan_unit(&c, &s, &plan);
    const ani_unit_backward args = {.dz = {.g = upload(&c, dy)},
                                    .x = {.z = upload(&c, x)},
                                    .w = upload(&c, w),
                                    .dw = room_for(&c, dw),
                                    .store = {.dx = room_for(&c, dx)},
                                    .scratch = hold(&c, plan.scratch_backward, 1)};
    st = memory_error(&c, err);
    if (st) goto done;
    backend->ops->unit_backward(backend, &plan, &args);
    download(&c, dw, args.dw);
    download(&c, dx, args.store.dx);
    st = backend->ops->wait(backend, err);
done:
    release(&c);
    return st;
}

/* --- batch norm ------------------------------------------------------------------------------- */

/** Batch norm between two identity depthwise units. */
typedef struct norm_call {
    call c;
    ani_unit_plan plan;
    int64_t rows, channels;
    float *identity; /* [3,3,channels]: 1 in the middle */
    double *sums;    /* [2][channels] */
    ani_bn bn;
    void *scratch;
} norm_call;

static void norm_begin(norm_call *n, const an_tensor *x, const an_tensor *gamma,
                       const an_tensor *beta, const an_tensor *mean, const an_tensor *variance) {
    const int64_t channels = an_tensor_length(x, 3);
    const ani_unit_shape shape = {.kind = ANI_UNIT_DEPTHWISE,
                                  .stride = 1,
                                  .pad_top = 1,
                                  .pad_left = 1,
                                  .n = an_tensor_length(x, 0),
                                  .h = an_tensor_length(x, 1),
                                  .w = an_tensor_length(x, 2),
                                  .cin = channels,
                                  .oh = an_tensor_length(x, 1),
                                  .ow = an_tensor_length(x, 2),
                                  .cout = channels};
    n->channels = channels;
    n->rows = shape.n * shape.h * shape.w;
    plan_unit(&n->c, &shape, &n->plan);
    const int64_t forward = n->plan.scratch_forward, backward = n->plan.scratch_backward;
    n->scratch = hold(&n->c, forward > backward ? forward : backward, 1);
    n->identity = hold_floats(&n->c, 9 * channels);
    n->sums = hold(&n->c, 2 * channels, sizeof(double));
    n->bn = (ani_bn){.gamma = upload(&n->c, gamma),
                     .beta = beta ? upload(&n->c, beta) : hold_floats(&n->c, channels),
                     .moving_mean = upload(&n->c, mean),
                     .moving_variance = upload(&n->c, variance),
                     .scale = hold_floats(&n->c, channels),
                     .shift = hold_floats(&n->c, channels),
                     .mean = hold_floats(&n->c, channels),
                     .inv_std = hold_floats(&n->c, channels),
                     .epsilon = ANI_KERAS_EPSILON};
    if (n->c.failed) return;
    float *ones = ani_alloc(channels * (int64_t)sizeof *ones);
    if (!ones) fail(&n->c, channels * (int64_t)sizeof *ones);
    for (int64_t i = 0; ones && i < channels; i++)
        ones[i] = 1;
    if (!n->c.failed)
        n->c.backend->ops->write(n->c.backend, n->identity + 4 * channels, ones,
                                 channels * (int64_t)sizeof *ones);
    ani_free(ones);
}

/* Compute scale and shift; copy is room for what the preceding unit writes. */
static void norm_statistics(const norm_call *n, const float *x, float *copy, int32_t training,
                            double momentum, int32_t update) {
    const ani_backend_ops *ops = n->c.backend->ops;
    if (!training) {
        ops->bn_running(n->c.backend, n->channels, &n->bn);
        return;
    }
    const ani_unit_forward args = {
        .x = {.z = x}, .w = n->identity, .y = copy, .moments = n->sums, .scratch = n->scratch};
    ops->unit_forward(n->c.backend, &n->plan, &args);
    ops->bn_batch(n->c.backend, n->channels, n->rows, n->sums, momentum, update, &n->bn);
}

/* Check the tensors common to both directions. */
static an_status norm_check(an_backend *backend, const an_tensor *x, const an_tensor *gamma,
                            const an_tensor *mean, const an_tensor *variance, int32_t training,
                            an_error *err) {
    an_status st = check_backend(backend, err);
    if (!st) st = check_images("x", x, err);
    if (!st && training != 0 && training != 1)
        st = ani_fail(err, AN_ERR_ARG, "batch norm: training is %d; it must be 0 or 1", training);
    if (st) return st;
    const int64_t channels[1] = {an_tensor_length(x, 3)};
    st = check_shape("gamma", gamma, 1, channels, false, err);
    if (!st) st = check_shape("mean", mean, 1, channels, false, err);
    if (!st) st = check_shape("variance", variance, 1, channels, false, err);
    return st;
}

an_status an_batch_norm_forward(an_backend *backend, const an_tensor *x, const an_tensor *gamma,
                                const an_tensor *beta, an_tensor *mean, an_tensor *variance,
                                double momentum, int32_t training, an_tensor *y, an_error *err) {
    norm_call n = {.c = {.backend = backend}};
    an_status st = norm_check(backend, x, gamma, mean, variance, training, err);
    if (!st) st = check_like("beta", beta, gamma, false, err);
    if (!st) st = check_like("y", y, x, false, err);
    if (st) return st;
    if (!(momentum >= 0 && momentum <= 1))
        return ani_fail(err, AN_ERR_ARG, "batch norm: momentum is %g; it must be 0 to 1", momentum);
    norm_begin(&n, x, gamma, beta, mean, variance);
    const float *in = upload(&n.c, x);
    float *out = room_for(&n.c, y);
    st = memory_error(&n.c, err);
    if (st) goto done;
    norm_statistics(&n, in, out, training, momentum, 1);
    const ani_lazy value = {.z = in, .scale = n.bn.scale, .shift = n.bn.shift}, none = {0};
    backend->ops->materialise(backend, n.rows, n.channels, &value, &none, out);
    download(&n.c, y, out);
    if (training) {
        download(&n.c, mean, n.bn.moving_mean);
        download(&n.c, variance, n.bn.moving_variance);
    }
    st = backend->ops->wait(backend, err);
done:
    release(&n.c);
    return st;
}

an_status an_batch_norm_backward(an_backend *backend, const an_tensor *x, const an_tensor *gamma,
                                 const an_tensor *mean, const an_tensor *variance, int32_t training,
                                 const an_tensor *dy, an_tensor *dx, an_tensor *dgamma,
                                 an_tensor *dbeta, an_error *err) {
    norm_call n = {.c = {.backend = backend}};
    an_status st = norm_check(backend, x, gamma, mean, variance, training, err);
    if (!st) st = check_like("dy", dy, x, false, err);
    if (!st) st = check_like("dx", dx, x, true, err);
    if (!st) st = check_like("dgamma", dgamma, gamma, true, err);
    if (!st) st = check_like("dbeta", dbeta, gamma, true, err);
    if (st) return st;
    norm_begin(&n, x, gamma, NULL, mean, variance);
    const float *z = upload(&n.c, x), *arriving = upload(&n.c, dy);
    const int64_t count = an_tensor_count(x);
    float *g = hold_floats(&n.c, count), *result = hold_floats(&n.c, count);
    float *da = room_for(&n.c, dgamma), *db = room_for(&n.c, dbeta);
    float *a = hold_floats(&n.c, n.channels), *b = hold_floats(&n.c, n.channels);
    float *c = hold_floats(&n.c, n.channels);
    st = memory_error(&n.c, err);
    if (st) goto done;
    norm_statistics(&n, z, g, training, 0, 0);
    /* The following unit returns dy and the two sums ... */
    const ani_unit_backward behind = {.dz = {.g = arriving},
                                      .x = {.z = z, .scale = n.bn.scale, .shift = n.bn.shift},
                                      .w = n.identity,
                                      .store = {.dx = g, .sums = n.sums, .z = z, .mean = n.bn.mean},
                                      .scratch = n.scratch};
    backend->ops->unit_backward(backend, &n.plan, &behind);
    backend->ops->bn_backward(backend, n.channels, n.rows, training, n.sums, &n.bn, da, db, a, b,
                              c);
    /* ... and the preceding unit forms the gradient with respect to its output while loading. */
    const ani_unit_backward front = {.dz = {.g = g,
                                            .z = training ? z : NULL,
                                            .a = a,
                                            .b = training ? b : NULL,
                                            .c = training ? c : NULL},
                                     .x = {.z = z},
                                     .w = n.identity,
                                     .store = {.dx = result},
                                     .scratch = n.scratch};
    backend->ops->unit_backward(backend, &n.plan, &front);
    download(&n.c, dx, result);
    download(&n.c, dgamma, da);
    download(&n.c, dbeta, db);
    st = backend->ops->wait(backend, err);
done:
    release(&n.c);
    return st;
}

/* --- elementwise ------------------------------------------------------------------------------ */

/* y = x + r, with relu6 applied to x first; r may be NULL. One row with as many channels as there
 * are elements. */
static an_status elementwise(an_backend *backend, const an_tensor *x, const an_tensor *r,
                             int32_t relu6, an_tensor *y, an_error *err) {
    call c = {.backend = backend};
    const ani_lazy left = {.z = upload(&c, x), .relu6 = relu6};
    const ani_lazy right = {.z = r ? upload(&c, r) : NULL};
    float *out = room_for(&c, y);
    an_status st = memory_error(&c, err);
    if (!st) {
        backend->ops->materialise(backend, 1, an_tensor_count(x), &left, &right, out);
        download(&c, y, out);
        st = backend->ops->wait(backend, err);
    }
    release(&c);
    return st;
}

static an_status check_present(const char *what, const an_tensor *tensor, an_error *err) {
    if (tensor && an_tensor_count(tensor) > 0) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "tensor '%s' is NULL or empty", what);
}

an_status an_relu6_forward(an_backend *backend, const an_tensor *x, an_tensor *y, an_error *err) {
    an_status st = check_backend(backend, err);
    if (!st) st = check_present("x", x, err);
    if (!st) st = check_like("y", y, x, false, err);
    return st ? st : elementwise(backend, x, NULL, 1, y, err);
}

an_status an_relu6_backward(an_backend *backend, const an_tensor *x, const an_tensor *dy,
                            an_tensor *dx, an_error *err) {
    an_status st = check_backend(backend, err);
    if (!st) st = check_present("x", x, err);
    if (!st) st = check_like("dy", dy, x, false, err);
    if (!st) st = check_like("dx", dx, x, false, err);
    if (st) return st;
    /* A 1x1 convolution of one channel with weight 1 whose input is the activation. */
    call c = {.backend = backend};
    ani_unit_plan plan;
    const float one = 1;
    const ani_unit_shape shape = {.kind = ANI_UNIT_POINTWISE,
                                  .stride = 1,
                                  .n = an_tensor_count(x),
                                  .h = 1,
                                  .w = 1,
                                  .cin = 1,
                                  .oh = 1,
                                  .ow = 1,
                                  .cout = 1};
    plan_unit(&c, &shape, &plan);
    float *w = hold_floats(&c, 1);
    const ani_unit_backward args = {.dz = {.g = upload(&c, dy)},
                                    .x = {.z = upload(&c, x), .relu6 = 1},
                                    .w = w,
                                    .store = {.dx = room_for(&c, dx)},
                                    .scratch = hold(&c, plan.scratch_backward, 1)};
    st = memory_error(&c, err);
    if (!st) {
        backend->ops->write(backend, w, &one, sizeof one);
        backend->ops->unit_backward(backend, &plan, &args);
        download(&c, dx, args.store.dx);
        st = backend->ops->wait(backend, err);
    }
    release(&c);
    return st;
}

an_status an_add_forward(an_backend *backend, const an_tensor *a, const an_tensor *b, an_tensor *y,
                         an_error *err) {
    an_status st = check_backend(backend, err);
    if (!st) st = check_present("a", a, err);
    if (!st) st = check_like("b", b, a, false, err);
    if (!st) st = check_like("y", y, a, false, err);
    return st ? st : elementwise(backend, a, b, 0, y, err);
}

/* --- head ------------------------------------------------------------------------------------- */

an_status an_pool_forward(an_backend *backend, const an_tensor *x, an_tensor *y, an_error *err) {
    call c = {.backend = backend};
    an_status st = check_backend(backend, err);
    if (!st) st = check_images("x", x, err);
    if (st) return st;
    const int64_t n = an_tensor_length(x, 0), channels = an_tensor_length(x, 3);
    const int64_t out[2] = {n, channels};
    st = check_shape("y", y, 2, out, false, err);
    if (st) return st;
    const ani_lazy in = {.z = upload(&c, x)};
    float *means = room_for(&c, y);
    st = memory_error(&c, err);
    if (!st) {
        backend->ops->pool_forward(backend, n, an_tensor_length(x, 1) * an_tensor_length(x, 2),
                                   channels, &in, means);
        download(&c, y, means);
        st = backend->ops->wait(backend, err);
    }
    release(&c);
    return st;
}

an_status an_pool_backward(an_backend *backend, const an_tensor *dy, an_tensor *dx, an_error *err) {
    call c = {.backend = backend};
    an_status st = check_backend(backend, err);
    if (!st) st = check_images("dx", dx, err);
    if (st) return st;
    const int64_t n = an_tensor_length(dx, 0), channels = an_tensor_length(dx, 3);
    const int64_t in[2] = {n, channels};
    st = check_shape("dy", dy, 2, in, false, err);
    if (st) return st;
    const float *arriving = upload(&c, dy);
    const ani_store store = {.dx = room_for(&c, dx)};
    const ani_lazy x = {.z = store.dx}; /* not read without an activation */
    st = memory_error(&c, err);
    if (!st) {
        backend->ops->pool_backward(backend, n, an_tensor_length(dx, 1) * an_tensor_length(dx, 2),
                                    channels, arriving, &x, &store);
        download(&c, dx, store.dx);
        st = backend->ops->wait(backend, err);
    }
    release(&c);
    return st;
}

/* Check x [N,in] and w [in,out] of a dense layer. */
static an_status dense_check(an_backend *backend, const an_tensor *x, const an_tensor *w,
                             an_error *err) {
    const int64_t any[2] = {ANY, ANY};
    an_status st = check_backend(backend, err);
    if (!st) st = check_shape("x", x, 2, any, false, err);
    if (st) return st;
    const int64_t kernel[2] = {an_tensor_length(x, 1), ANY};
    return check_shape("w", w, 2, kernel, false, err);
}

an_status an_dense_forward(an_backend *backend, const an_tensor *x, const an_tensor *w,
                           const an_tensor *b, an_tensor *y, an_error *err) {
    call c = {.backend = backend};
    an_status st = dense_check(backend, x, w, err);
    if (st) return st;
    const int64_t n = an_tensor_length(x, 0), in = an_tensor_length(x, 1);
    const int64_t out[2] = {n, an_tensor_length(w, 1)};
    st = check_shape("b", b, 1, out + 1, false, err);
    if (!st) st = check_shape("y", y, 2, out, false, err);
    if (st) return st;
    const float *x_at = upload(&c, x), *w_at = upload(&c, w), *b_at = upload(&c, b);
    float *result = room_for(&c, y);
    st = memory_error(&c, err);
    if (!st) {
        backend->ops->dense_forward(backend, n, in, out[1], x_at, w_at, b_at, result);
        download(&c, y, result);
        st = backend->ops->wait(backend, err);
    }
    release(&c);
    return st;
}

an_status an_dense_backward(an_backend *backend, const an_tensor *x, const an_tensor *w,
                            const an_tensor *dy, an_tensor *dx, an_tensor *dw, an_tensor *db,
                            an_error *err) {
    call c = {.backend = backend};
    an_status st = dense_check(backend, x, w, err);
    if (st) return st;
    const int64_t n = an_tensor_length(x, 0), in = an_tensor_length(x, 1);
    const int64_t out[2] = {n, an_tensor_length(w, 1)};
    st = check_shape("dy", dy, 2, out, false, err);
    if (!st) st = check_like("dx", dx, x, true, err);
    if (!st) st = check_like("dw", dw, w, true, err);
    if (!st) st = check_shape("db", db, 1, out + 1, true, err);
    if (st) return st;
    const float *x_at = upload(&c, x), *w_at = upload(&c, w), *dy_at = upload(&c, dy);
    float *dx_at = room_for(&c, dx), *dw_at = room_for(&c, dw), *db_at = room_for(&c, db);
    st = memory_error(&c, err);
    if (!st) {
        backend->ops->dense_backward(backend, n, in, out[1], x_at, w_at, dy_at, dx_at, dw_at,
                                     db_at);
        download(&c, dx, dx_at);
        download(&c, dw, dw_at);
        download(&c, db, db_at);
        st = backend->ops->wait(backend, err);
    }
    release(&c);
    return st;
}

an_status an_loss_compute(an_backend *backend, int32_t kind, const an_tensor *prediction,
                          const an_tensor *target, const an_tensor *weights, double *loss,
                          an_tensor *gradient, an_error *err) {
    call c = {.backend = backend};
    const int64_t any[2] = {ANY, ANY};
    an_status st = check_backend(backend, err);
    if (!st) st = check_shape("prediction", prediction, 2, any, false, err);
    if (!st) st = check_like("target", target, prediction, false, err);
    if (!st) st = check_like("gradient", gradient, prediction, true, err);
    if (st) return st;
    const int64_t n = an_tensor_length(target, 0), outputs = an_tensor_length(target, 1);
    st = check_shape("weights", weights, 1, &n, true, err);
    if (!st) st = ani_loss_check(kind, outputs, err);
    if (!st) st = ani_loss_check_targets(kind, an_tensor_const_data(target), n, outputs, err);
    if (!st && weights) st = ani_loss_check_weights(an_tensor_const_data(weights), n, err);
    if (st) return st;
    if (!loss) return ani_fail(err, AN_ERR_ARG, "loss: the place for it is NULL");
    const float *y = upload(&c, prediction), *t = upload(&c, target);
    const float *w = weights ? upload(&c, weights) : NULL;
    float *dy = room_for(&c, gradient);
    double *value = hold(&c, 1, sizeof *value);
    st = memory_error(&c, err);
    if (!st) {
        backend->ops->loss(backend, kind, n, n, outputs, y, t, w, value, dy, NULL);
        backend->ops->read(backend, loss, value, sizeof *loss);
        download(&c, gradient, dy);
        st = backend->ops->wait(backend, err);
    }
    release(&c);
    return st;
}
