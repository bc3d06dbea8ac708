/* SPDX-License-Identifier: MIT
 * Units of a backend against ref, over cases.h and over what the arguments can ask for. The backend
 * is the CPU's, or what AN_TEST_DEVICE names; on cuda each case runs in all orders of threads, and
 * gives the same bits in each.
 * Limits are derived: a sum of terms with absolute sum S may be off by (8 + 2 sqrt(terms)) * 2^-24
 * * S; S is what ref computes from the absolute values of all operands.
 *
 * bfloat16 has 8 bits, so rounding moves a number by half a step, 2^-8 of it at most. A stored
 * tensor may besides be one step of 2^-7 apart, since two nearly equal numbers may round to
 * neighbours, and sums are compared with those of the values that were stored. Products of bfloat16
 * (level avx512bf16, tensor cores) round both operands: (1 + 2^-8)^2 - 1 = 2^-7 + 2^-16 of each
 * product, so as much of S. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cases.h"
#include "backend/cpu/cpu.h"
#include "base/memory.h"
#include "base/random.h"
#include "support/backends.h"
#include "support/device_memory.h"
#include "support/level.h"
#include "support/orders.h"

/** What one run is to do besides its shape. */
typedef struct variant {
    int scaled, relu6;            /* how x is loaded */
    int moments;                  /* forward */
    int gradient;                 /* dz: 0 g; 1 a*g; 2 a*g + b*z + c */
    int dw, dx, add, alias, sums; /* backward */
    int norm;  /* batch norm is finished, too: 1 by batch statistics, 2 by moving ones */
    int only;  /* forward: the moments alone, without y */
    int image; /* x is float, as the image is, whatever the other tensors are */
} variant;

static const variant variants[] = {
    {1, 1, 1, 2, 1, 1, 0, 0, 1, 1, 0, 0}, /* inside of the network, training */
    {0, 0, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0}, /* an expand unit after a shortcut */
    {1, 0, 1, 1, 1, 1, 1, 0, 1, 2, 0, 0}, /* batch norm by moving statistics */
    {0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0}, /* a single layer */
    {1, 1, 0, 2, 0, 1, 0, 0, 1, 0, 0, 0}, /* no moments, no dw */
    {0, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0}, /* no dx */
    {1, 1, 0, 2, 0, 1, 1, 0, 0, 0, 0, 0}, {1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0}, /* moments alone */
    {0, 0, 1, 2, 1, 0, 0, 0, 0, 1, 0, 1},                                       /* the first unit */
};

/** Batch norm of a unit's channels, and what becomes of it. */
enum {
    GAMMA,
    BETA,
    MOVING_MEAN,
    MOVING_VARIANCE,
    SCALE,
    SHIFT,
    MEAN,
    INV_STD, /* of ani_bn */
    DGAMMA,
    DBETA,
    KA,
    KB,
    KC,
    NORMS
};

/** What is a tensor of `element` for the units is kept here as floats that such a tensor can hold.
 */
typedef struct buffers {
    int32_t element;
    int64_t in, out, weights, channels;
    float *x, *w, *y, *scale, *shift;
    float *g, *z, *a, *b, *c, *add, *dx, *dw, *mean;
    double *moments, *sums;
    float *forward, *backward; /* [NORMS][cout], [NORMS][cin] */
} buffers;

static float *floats(int64_t count, ani_stream *random, double low, double high) {
    float *values = ani_alloc((count ? count : 1) * (int64_t)sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)ani_stream_uniform(random, low, high);
    return values;
}

static void round_floats(float *values, int64_t count, int32_t element) {
    for (int64_t i = 0; element == ANI_BFLOAT16 && i < count; i++)
        values[i] = ani_from_bfloat16(ani_to_bfloat16(values[i]));
}

static buffers make_buffers(const ani_unit_shape *s, uint32_t seed, int32_t element) {
    ani_stream r = ani_stream_begin(seed, 0, 0);
    buffers b = {.element = element,
                 .in = s->n * s->h * s->w * s->cin,
                 .out = s->n * s->oh * s->ow * s->cout};
    const int64_t taps = s->kind == ANI_UNIT_POINTWISE ? 1 : 9;
    b.weights = taps * s->cin * (s->kind == ANI_UNIT_DEPTHWISE ? 1 : s->cout);
    b.x = floats(b.in, &r, -2, 7);
    b.w = floats(b.weights, &r, -1, 1);
    b.y = floats(b.out, &r, 0, 0);
    b.scale = floats(s->cin, &r, -1.5, 1.5);
    b.shift = floats(s->cin, &r, -1, 4);
    b.g = floats(b.out, &r, -1, 1);
    b.z = floats(b.out, &r, -3, 3);
    b.a = floats(s->cout, &r, 0.5, 2);
    b.b = floats(s->cout, &r, -0.1, 0.1);
    b.c = floats(s->cout, &r, -0.1, 0.1);
    b.add = floats(b.in, &r, -1, 1);
    b.dx = floats(b.in, &r, 0, 0);
    b.dw = floats(b.weights, &r, 0, 0);
    b.mean = floats(s->cin, &r, -1, 1);
    b.moments = ani_alloc_zero(2 * s->cout, sizeof(double));
    b.sums = ani_alloc_zero(2 * s->cin, sizeof(double));
    b.forward = floats(NORMS * s->cout, &r, 0.5, 2);
    b.backward = floats(NORMS * s->cin, &r, 0.5, 2);
    float *tensors[] = {b.x, b.add, b.g, b.z};
    for (int i = 0; i < 4; i++)
        round_floats(tensors[i], i < 2 ? b.in : b.out, element);
    return b;
}

static void free_buffers(buffers *b) {
    float *all[] = {b->x, b->w, b->y,   b->scale, b->shift, b->g,    b->z,       b->a,
                    b->b, b->c, b->add, b->dx,    b->dw,    b->mean, b->forward, b->backward};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ani_free(all[i]);
    ani_free(b->moments);
    ani_free(b->sums);
}

/** A tensor for a unit, in the backend's memory between sentinels, made of floats and read back
 * into them. */
typedef struct tensor {
    unsigned char *memory;
    void *values;
    int64_t count;
    int32_t element;
} tensor;

enum { GUARD = 64, SENTINEL = 0xa5 };

static tensor make_tensor(an_backend *backend, int32_t element, const float *values,
                          int64_t count) {
    tensor t = {.count = count, .element = element};
    const int64_t size = count * ani_element_size(t.element);
    unsigned char *host = ani_alloc(size + 2 * GUARD);
    assert_non_null(host);
    memset(host, SENTINEL, (size_t)(size + 2 * GUARD));
    for (int64_t i = 0; i < count; i++)
        if (t.element == ANI_BFLOAT16)
            ((uint16_t *)(host + GUARD))[i] = ani_to_bfloat16(values[i]);
        else
            ((float *)(host + GUARD))[i] = values[i];
    t.memory = device_copy(backend, host, size + 2 * GUARD);
    t.values = t.memory + GUARD;
    ani_free(host);
    return t;
}

/* values NULL: it was only read. */
static void end_tensor(an_backend *backend, tensor *t, float *values) {
    const int64_t size = t->count * ani_element_size(t->element);
    unsigned char *host = ani_alloc(size + 2 * GUARD);
    assert_non_null(host);
    device_end(backend, t->memory, host, size + 2 * GUARD);
    const unsigned char *begin = host + GUARD, *end = begin + size;
    for (int i = 0; i < GUARD; i++)
        assert_true(host[i] == SENTINEL && end[i] == SENTINEL);
    for (int64_t i = 0; values && i < t->count; i++)
        values[i] = t->element == ANI_BFLOAT16 ? ani_from_bfloat16(((const uint16_t *)begin)[i])
                                               : ((const float *)begin)[i];
    ani_free(host);
}

static void *copy_floats(an_backend *backend, const float *values, int64_t count) {
    return device_copy(backend, values, count * (int64_t)sizeof *values);
}

static ani_bn norm_of(float *norms, int64_t c) {
    return (ani_bn){norms + GAMMA * c,
                    norms + BETA * c,
                    norms + MOVING_MEAN * c,
                    norms + MOVING_VARIANCE * c,
                    norms + SCALE * c,
                    norms + SHIFT * c,
                    norms + MEAN * c,
                    norms + INV_STD * c,
                    0.02};
}

static void run_forward(an_backend *backend, const ani_unit_plan *plan, buffers *b,
                        const variant *v) {
    const ani_unit_shape *s = &plan->shape;
    void *scratch = device_room(backend, plan->scratch_forward);
    const int32_t element = b->element;
    tensor x = make_tensor(backend, v->image ? ANI_FLOAT32 : element, b->x, b->in);
    tensor y = make_tensor(backend, element, b->y, b->out);
    float *w = copy_floats(backend, b->w, b->weights);
    float *scale = copy_floats(backend, b->scale, s->cin);
    float *shift = copy_floats(backend, b->shift, s->cin);
    float *norms = copy_floats(backend, b->forward, NORMS * s->cout);
    const int64_t size = 2 * s->cout * (int64_t)sizeof(double);
    double *moments = v->moments ? device_room(backend, size) : NULL;
    const ani_bn bn = norm_of(norms, s->cout);
    const ani_bn_forward norm = {&bn, 0.9, v->norm == 1, 0};
    const ani_unit_forward args = {
        .x = {x.values, v->scaled ? scale : NULL, v->scaled ? shift : NULL, v->relu6, x.element},
        .w = w,
        .y = v->only ? NULL : y.values,
        .moments = moments,
        .bn = v->norm ? &norm : NULL,
        .element = b->element,
        .scratch = scratch};
    backend->ops->unit_forward(backend, plan, &args);
    device_end(backend, scratch, NULL, plan->scratch_forward);
    device_end(backend, moments, b->moments, size);
    device_end(backend, norms, b->forward, NORMS * s->cout * (int64_t)sizeof(float));
    device_end(backend, w, NULL, b->weights * (int64_t)sizeof(float));
    device_end(backend, scale, NULL, s->cin * (int64_t)sizeof(float));
    device_end(backend, shift, NULL, s->cin * (int64_t)sizeof(float));
    end_tensor(backend, &x, NULL);
    end_tensor(backend, &y, b->y);
}

static void run_backward(an_backend *backend, const ani_unit_plan *plan, buffers *b,
                         const variant *v) {
    const ani_unit_shape *s = &plan->shape;
    void *scratch = device_room(backend, plan->scratch_backward);
    const int32_t element = b->element;
    tensor x = make_tensor(backend, v->image ? ANI_FLOAT32 : element, b->x, b->in);
    tensor add = make_tensor(backend, element, b->add, b->in);
    tensor dx = make_tensor(backend, element, v->alias ? b->add : b->dx, b->in);
    tensor g = make_tensor(backend, element, b->g, b->out);
    tensor z = make_tensor(backend, element, b->z, b->out);
    float *const channels[] = {b->scale, b->shift, b->mean, b->a, b->b, b->c};
    float *of[6];
    for (int i = 0; i < 6; i++)
        of[i] = copy_floats(backend, channels[i], i < 3 ? s->cin : s->cout);
    float *w = copy_floats(backend, b->w, b->weights);
    float *dw = device_room(backend, b->weights * (int64_t)sizeof(float));
    float *norms = copy_floats(backend, b->backward, NORMS * s->cin);
    const int64_t size = 2 * s->cin * (int64_t)sizeof(double);
    double *sums = v->sums ? device_room(backend, size) : NULL;
    const ani_bn bn = norm_of(norms, s->cin);
    const ani_bn_backward norm = {.bn = &bn,
                                  .batch = v->norm == 1,
                                  .dgamma = norms + DGAMMA * s->cin,
                                  .dbeta = v->norm == 1 ? norms + DBETA * s->cin : NULL,
                                  .a = norms + KA * s->cin,
                                  .b = norms + KB * s->cin,
                                  .c = norms + KC * s->cin};
    const ani_unit_backward args = {
        .dz = {.g = g.values,
               .z = v->gradient == 2 ? z.values : NULL,
               .a = v->gradient ? of[3] : NULL,
               .b = v->gradient == 2 ? of[4] : NULL,
               .c = v->gradient == 2 ? of[5] : NULL,
               .element = b->element},
        .x = {x.values, v->scaled ? of[0] : NULL, v->scaled ? of[1] : NULL, v->relu6, x.element},
        .w = w,
        .dw = v->dw ? dw : NULL,
        .store = {.dx = v->dx ? dx.values : NULL,
                  .add = v->add ? (v->alias ? dx.values : add.values) : NULL,
                  .sums = sums,
                  .z = v->sums ? x.values : NULL,
                  .mean = v->sums ? of[2] : NULL,
                  .bn = v->sums && v->norm ? &norm : NULL},
        .scratch = scratch};
    backend->ops->unit_backward(backend, plan, &args);
    device_end(backend, scratch, NULL, plan->scratch_backward);
    device_end(backend, sums, b->sums, size);
    device_end(backend, norms, b->backward, NORMS * s->cin * (int64_t)sizeof(float));
    device_end(backend, w, NULL, b->weights * (int64_t)sizeof(float));
    device_end(backend, dw, v->dw ? b->dw : NULL, b->weights * (int64_t)sizeof(float));
    for (int i = 0; i < 6; i++)
        device_end(backend, of[i], NULL, (i < 3 ? s->cin : s->cout) * (int64_t)sizeof(float));
    tensor *inputs[] = {&x, &add, &g, &z};
    for (int i = 0; i < 4; i++)
        end_tensor(backend, inputs[i], NULL);
    end_tensor(backend, &dx, b->dx);
}

/** Replace all operands by absolute values, so that ref then computes S. The mask of the activation
 * must stay what it was: S is computed without it, which only makes it larger. */
static buffers make_absolute(const ani_unit_shape *s, uint32_t seed, int32_t element) {
    buffers b = make_buffers(s, seed, element);
    float *all[] = {b.w, b.g, b.z, b.a, b.b, b.c, b.add};
    const int64_t counts[] = {b.weights, b.out, b.out, s->cout, s->cout, s->cout, b.in};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int64_t j = 0; j < counts[i]; j++)
            all[i][j] = fabsf(all[i][j]);
    for (int64_t i = 0; i < b.in; i++)
        b.x[i] = fabsf(b.x[i]);
    for (int64_t i = 0; i < s->cin; i++) {
        b.scale[i] = fabsf(b.scale[i]);
        b.shift[i] = fabsf(b.shift[i]);
        b.mean[i] = -fabsf(b.mean[i]);
    }
    return b;
}

static double limit_of(double terms, double absolute_sum) {
    return (8 + 2 * sqrt(terms)) * ldexp(1, -24) * absolute_sum + 1e-30;
}

typedef struct context {
    const ani_unit_shape *s;
    int case_number, variant_number;
    int32_t element;
    double operands; /* how far rounding of the operands moves a product, of its size */
} context;

/* stored: these are elements of a tensor. */
static void compare(const context *at, const char *what, int stored, int64_t count,
                    const float *got, const float *want, const float *absolute, double terms) {
    const double step = stored && at->element == ANI_BFLOAT16 ? ldexp(1, -7) : 0;
    for (int64_t i = 0; i < count; i++) {
        const double size = fabs((double)absolute[i]);
        const double apart = limit_of(terms, size) + at->operands * size; /* before they round */
        const double limit = (1 + step) * apart + step * fabs((double)want[i]);
        if (fabs((double)got[i] - want[i]) <= limit) continue;
        fail_msg("case %d (kind %d, %dx%dx%d to %dx%dx%d) variant %d: %s[%lld] is %.9g, ref %.9g, "
                 "limit %.3g",
                 at->case_number, (int)at->s->kind, (int)at->s->h, (int)at->s->w, (int)at->s->cin,
                 (int)at->s->oh, (int)at->s->ow, (int)at->s->cout, at->variant_number, what,
                 (long long)i, got[i], want[i], limit);
    }
}

static void compare_sums(const context *at, const char *what, int64_t count, const double *got,
                         const double *want, const double *absolute, double terms) {
    for (int64_t i = 0; i < count; i++) {
        const double limit = limit_of(terms, fabs(absolute[i]));
        if (fabs(got[i] - want[i]) <= limit) continue;
        fail_msg("case %d (kind %d) variant %d: %s[%lld] is %.17g, ref %.17g, limit %.3g",
                 at->case_number, (int)at->s->kind, at->variant_number, what, (long long)i, got[i],
                 want[i], limit);
    }
}

/* A value that lies so near to a bound of the activation that rounding may decide the mask: push
 * the inputs off it. */
static void avoid_bounds(buffers *b, const ani_unit_shape *s, const variant *v) {
    for (int64_t i = 0; i < b->in; i++) {
        const int64_t c = i % s->cin;
        for (int tries = 0; tries < 4; tries++) {
            const double y = v->scaled ? (double)b->x[i] * b->scale[c] + b->shift[c] : b->x[i];
            if (fabs(y) > 1e-4 && fabs(y - 6) > 1e-4) break;
            b->x[i] += b->element == ANI_BFLOAT16 ? 0.0625f : 0.01f; /* a step, at least */
            round_floats(&b->x[i], 1, b->element);
        }
    }
}

/* The moments and sums of what `of` says was stored: in double, so as good as exact. */
static void moments_of_stored(const buffers *of, int64_t c, double *moments) {
    const double rows = (double)(of->out / c);
    for (int64_t i = 0; i < 2 * c; i++)
        moments[i] = 0;
    for (int64_t i = 0; i < of->out; i++)
        moments[i % c] += of->y[i] / rows;
    for (int64_t i = 0; i < of->out; i++)
        moments[c + i % c] += (of->y[i] - moments[i % c]) * (of->y[i] - moments[i % c]);
}

static double absolute_sum(const buffers *of, int64_t c, int64_t channel) {
    double sum = 0;
    for (int64_t i = channel; i < of->out; i += c)
        sum += fabs((double)of->y[i]);
    return sum;
}

/* S of moments. Each z is wrong by a part of its own S (y of `absolute`): the mean's S is the mean
 * of these, and M2 moves by 2 * |z - mean| * error each besides what its own sum does. */
static void size_of_moments(const buffers *absolute, int64_t c, const double *moments,
                            double *size) {
    const double rows = (double)(absolute->out / c);
    for (int64_t i = 0; i < c; i++) {
        size[i] = absolute_sum(absolute, c, i) / rows;
        size[c + i] = moments[c + i] + 2 * sqrt(moments[c + i] * rows) * size[i];
    }
}

/* The same where the z are those stored, which are exact. M2 is (sum of squares about a pivot) -
 * rows * (mean - pivot)^2. The pivot is a mean of z before they were rounded, and rounding moves
 * each by 2^-8 of it at most: so the difference is 2^-8 of the mean of |z|, and what is taken off
 * is 2^-16 * (sum of |z|)^2 / rows. That may be far larger than M2, and it is as wrong as any sum.
 */
static void size_of_stored_moments(const buffers *stored, int64_t c, const double *moments,
                                   double *size) {
    const double rows = (double)(stored->out / c);
    for (int64_t i = 0; i < c; i++) {
        const double sum = absolute_sum(stored, c, i);
        size[i] = sum / rows;
        size[c + i] = moments[c + i] + ldexp(sum * sum / rows, -16);
    }
}

static void sums_of_stored(const buffers *of, int64_t c, double *sums) {
    for (int64_t i = 0; i < 2 * c; i++)
        sums[i] = 0;
    for (int64_t i = 0; i < of->in; i++) {
        sums[i % c] += of->dx[i];
        sums[c + i % c] += (double)of->dx[i] * ((double)of->x[i] - of->mean[i % c]);
    }
}

static void expect_equal_bits(const char *what, const context *at, const char *how, const void *got,
                              const void *want, int64_t size) {
    if (memcmp(got, want, (size_t)size))
        fail_msg("case %d (kind %d, %dx%dx%d to %dx%dx%d) variant %d: %s depends on the %s",
                 at->case_number, (int)at->s->kind, (int)at->s->h, (int)at->s->w, (int)at->s->cin,
                 (int)at->s->oh, (int)at->s->ow, (int)at->s->cout, at->variant_number, what, how);
}

static void expect_same(const context *at, const char *how, const buffers *got,
                        const buffers *want) {
    const ani_unit_shape *s = at->s;
    expect_equal_bits("y", at, how, got->y, want->y, want->out * 4);
    expect_equal_bits("moments", at, how, got->moments, want->moments, s->cout * 16);
    expect_equal_bits("batch norm", at, how, got->forward, want->forward, NORMS * s->cout * 4);
    expect_equal_bits("dw", at, how, got->dw, want->dw, want->weights * 4);
    expect_equal_bits("dx", at, how, got->dx, want->dx, want->in * 4);
    expect_equal_bits("sums", at, how, got->sums, want->sums, s->cin * 16);
    expect_equal_bits("gradient of batch norm", at, how, got->backward, want->backward,
                      NORMS * s->cin * 4);
}

/* Batch norm that the unit has finished has the bits of the backend's own entries. */
static void check_forward_norm(an_backend *backend, const context *at, const variant *v,
                               const float *before, const buffers *got) {
    const ani_unit_shape *s = at->s;
    const int64_t size = NORMS * s->cout * (int64_t)sizeof(float), of = 2 * s->cout * 8;
    float *want = ani_alloc(size), *norms = device_copy(backend, before, size);
    double *moments = device_copy(backend, got->moments, of);
    const ani_bn bn = norm_of(norms, s->cout);
    assert_non_null(want);
    if (v->norm)
        backend->ops->bn_batch(backend, s->cout, s->n * s->oh * s->ow, moments, 0.9, v->norm == 1,
                               &bn);
    device_end(backend, moments, NULL, of);
    device_end(backend, norms, want, size);
    expect_equal_bits("batch norm", at, "entry that computes it", got->forward, want, size);
    ani_free(want);
}

static void check_backward_norm(an_backend *backend, const context *at, const variant *v,
                                const float *before, const buffers *got) {
    const ani_unit_shape *s = at->s;
    const int64_t size = NORMS * s->cin * (int64_t)sizeof(float), of = 2 * s->cin * 8;
    float *want = ani_alloc(size), *norms = device_copy(backend, before, size);
    double *sums = device_copy(backend, got->sums, of);
    const ani_bn bn = norm_of(norms, s->cin);
    assert_non_null(want);
    if (v->norm && v->sums)
        backend->ops->bn_backward(backend, s->cin, s->n * s->h * s->w, v->norm == 1, sums, &bn,
                                  norms + DGAMMA * s->cin,
                                  v->norm == 1 ? norms + DBETA * s->cin : NULL, norms + KA * s->cin,
                                  norms + KB * s->cin, norms + KC * s->cin);
    device_end(backend, sums, NULL, of);
    device_end(backend, norms, want, size);
    expect_equal_bits("gradient of batch norm", at, "entry that computes it", got->backward, want,
                      size);
    ani_free(want);
}

static void run_tested(an_backend *backend, const ani_unit_plan *plan, buffers *b,
                       const variant *v) {
    variant written = *v;
    written.only = written.norm = 0;
    if (v->only) run_forward(backend, plan, b, &written); /* the y that the moments are of */
    run_forward(backend, plan, b, v);
    run_backward(backend, plan, b, v);
}

static void check_case(an_backend *ref, an_backend *tested, const context *at, const variant *v) {
    const ani_unit_shape *s = at->s;
    const uint32_t seed = (uint32_t)(at->case_number * 100 + at->variant_number);
    buffers want = make_buffers(s, seed, at->element), got = make_buffers(s, seed, at->element);
    buffers absolute = make_absolute(s, seed, at->element);
    buffers fresh = make_buffers(s, seed, at->element);
    avoid_bounds(&want, s, v);
    avoid_bounds(&got, s, v);
    variant written = *v, open;
    written.only = 0;
    open = written; /* S without the clip: it could make S smaller than a rounding's source */
    open.relu6 = 0;
    ani_unit_plan ref_plan, plan;
    ref->ops->unit_plan(ref, s, at->element, &ref_plan);
    tested->ops->unit_plan(tested, s, at->element, &plan);
    const double taps = s->kind == ANI_UNIT_POINTWISE ? 1 : 9;
    const double depth = s->kind == ANI_UNIT_DEPTHWISE ? 1 : (double)s->cin;
    const double outputs = (double)(s->n * s->oh * s->ow), inputs = (double)(s->n * s->h * s->w);

    test_set_order(0);
    run_tested(tested, &plan, &got, v);
    check_forward_norm(tested, at, v, fresh.forward, &got);
    check_backward_norm(tested, at, v, fresh.backward, &got);
    run_forward(ref, &ref_plan, &want, &written);
    run_forward(ref, &ref_plan, &absolute, &open);
    compare(at, "y", 1, want.out, got.y, want.y, absolute.y, taps * depth);
    if (v->moments) {
        double summed = taps * depth; /* terms */
        if (at->element == ANI_BFLOAT16) {
            summed = 0;
            moments_of_stored(&got, s->cout, want.moments);
            size_of_stored_moments(&got, s->cout, want.moments, absolute.moments);
        } else {
            size_of_moments(&absolute, s->cout, want.moments, absolute.moments);
        }
        compare_sums(at, "mean", s->cout, got.moments, want.moments, absolute.moments,
                     summed + outputs);
        compare_sums(at, "m2", s->cout, got.moments + s->cout, want.moments + s->cout,
                     absolute.moments + s->cout, summed + outputs);
    }

    run_backward(ref, &ref_plan, &want, v);
    run_backward(ref, &ref_plan, &absolute, &open);
    if (v->dw) compare(at, "dw", 0, want.weights, got.dw, want.dw, absolute.dw, outputs);
    if (v->dx) {
        const double terms = taps * (s->kind == ANI_UNIT_DEPTHWISE ? 1 : (double)s->cout);
        compare(at, "dx", 1, want.in, got.dx, want.dx, absolute.dx, terms);
        if (v->sums && at->element == ANI_BFLOAT16) sums_of_stored(&got, s->cin, want.sums);
        if (v->sums)
            compare_sums(at, "sums", 2 * s->cin, got.sums, want.sums, absolute.sums,
                         terms + inputs);
    }
    for (int32_t order = 1; test_device_is_cuda() && order < TEST_ORDERS; order++) {
        buffers again = make_buffers(s, seed, at->element);
        avoid_bounds(&again, s, v);
        test_set_order(order);
        run_tested(tested, &plan, &again, v);
        expect_same(at, "order of threads", &again, &got);
        free_buffers(&again);
    }
    free_buffers(&want);
    free_buffers(&got);
    free_buffers(&absolute);
    free_buffers(&fresh);
}

/* streams_from: 0: as it is; else what is stored past the caches begins there. */
static void check_units(int32_t element, int64_t streams_from) {
    ani_unit_shape cases[200];
    const int count = list_unit_cases(cases), cuda = test_device_is_cuda();
    an_backend *ref = test_backend_make("ref", NULL, 1);
    an_backend *tested = test_backend_make(test_device(), NULL, cuda ? 0 : 2);
    if (streams_from) ani_cpu(tested)->streams_from = streams_from;
    const int products_round = cuda || !strcmp(an_backend_level(tested), "avx512bf16");
    const int kinds = sizeof variants / sizeof *variants;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < kinds; j++) {
            if (!test_is_chosen((uint32_t)((i * kinds + j) * ANI_ELEMENTS + element))) continue;
            const int rounds =
                products_round && element == ANI_BFLOAT16 && cases[i].kind != ANI_UNIT_DEPTHWISE;
            const context at = {&cases[i], i, j, element,
                                rounds ? ldexp(1, -7) + ldexp(1, -16) : 0};
            check_case(ref, tested, &at, &variants[j]);
        }
    an_backend_destroy(ref);
    an_backend_destroy(tested);
}

static void units_agree_with_ref(void **state) {
    (void)state;
    check_units(ANI_FLOAT32, 0);
}

static void units_of_bfloat16_agree_with_ref(void **state) {
    (void)state;
    check_units(ANI_BFLOAT16, 0);
}

/* The tensors that are streamed are too large for a test: so here all of them are. */
static void units_that_stream_agree_with_ref(void **state) {
    (void)state;
    if (test_device_is_cuda()) skip();
    for (int32_t element = 0; element < ANI_ELEMENTS; element++)
        check_units(element, 1);
}

static void units_do_not_depend_on_threads(void **state) {
    (void)state;
    static const int32_t threads[] = {2, 3, 7};
    if (test_device_is_cuda()) skip();
    ani_unit_shape cases[200];
    const int count = list_unit_cases(cases);
    an_backend *one = test_backend_make("cpu", NULL, 1);
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        an_backend *many = test_backend_make("cpu", NULL, threads[t]);
        for (int i = 0; i < count * ANI_ELEMENTS; i++) {
            const ani_unit_shape *s = &cases[i / ANI_ELEMENTS];
            const int32_t element = i % ANI_ELEMENTS;
            const context at = {s, i / ANI_ELEMENTS, 0, element, 0};
            buffers want = make_buffers(s, 7, element), got = make_buffers(s, 7, element);
            ani_unit_plan plan_one, plan_many;
            one->ops->unit_plan(one, s, element, &plan_one);
            many->ops->unit_plan(many, s, element, &plan_many);
            run_tested(one, &plan_one, &want, &variants[0]);
            run_tested(many, &plan_many, &got, &variants[0]);
            expect_same(&at, "number of threads", &got, &want);
            free_buffers(&want);
            free_buffers(&got);
        }
        an_backend_destroy(many);
    }
    an_backend_destroy(one);
}

static void nan_stays_and_has_no_gradient(void **state) {
    (void)state;
    const ani_unit_shape cases[] = {pointwise_case(1, 2, 3, 20, 9),
                                    depthwise_case(1, 1, 1, 1, 1, 1, 3, 3, 20)};
    const char *const devices[] = {"ref", test_device()};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2 * ANI_ELEMENTS; j++) {
            an_backend *backend = test_backend_make(devices[j / ANI_ELEMENTS], NULL, 2);
            buffers b = make_buffers(&cases[i], 5, j % ANI_ELEMENTS);
            b.x[4] = NAN;
            ani_unit_plan plan;
            backend->ops->unit_plan(backend, &cases[i], j % ANI_ELEMENTS, &plan);
            run_forward(backend, &plan, &b, &variants[5]);
            assert_true(isnan(b.y[4]));
            run_backward(backend, &plan, &b, &variants[4]);
            assert_true(b.dx[4] == 0);
            free_buffers(&b);
            an_backend_destroy(backend);
        }
}

int main(void) {
    if (level_is_absent()) return 77; /* Meson: skipped */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_agree_with_ref),
        cmocka_unit_test(units_of_bfloat16_agree_with_ref),
        cmocka_unit_test(units_that_stream_agree_with_ref),
        cmocka_unit_test(units_do_not_depend_on_threads),
        cmocka_unit_test(nan_stays_and_has_no_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
