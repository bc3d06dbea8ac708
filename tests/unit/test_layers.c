/* SPDX-License-Identifier: MIT
 * Single layers: numbers against the formulas in double on every backend and level, linearity,
 * gradients that nobody wants, what is refused and how, memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/layers.h>

#include "base/fault.h"
#include "support/backends.h"

enum { MOST = 4096 };

static test_backend backends[TEST_BACKENDS];
static int32_t backend_count;
static an_backend *ref; /* for what does not depend on the backend */
static an_error err;

/* --- tensors ---------------------------------------------------------------------------------- */

/* A tensor of up to four lengths (-1 ends them early) filled from seed; seed 0: with a number that
 * no result has. */
static an_tensor *make(uint32_t seed, int64_t a, int64_t b, int64_t c, int64_t d) {
    const int64_t shape[4] = {a, b, c, d};
    int32_t rank = 0;
    an_tensor *tensor = NULL;
    while (rank < 4 && shape[rank] >= 0)
        rank++;
    assert_int_equal(an_tensor_create(&tensor, shape, rank, NULL), AN_OK);
    assert_true(an_tensor_count(tensor) <= MOST);
    for (int64_t i = 0; i < an_tensor_count(tensor); i++) {
        seed = seed ? seed * 1664525u + 1013904223u : 0;
        an_tensor_data(tensor)[i] = seed ? (float)(seed >> 8) / (1 << 23) - 1 : 12345;
    }
    return tensor;
}

static an_tensor *make1(uint32_t seed, int64_t a) {
    return make(seed, a, -1, -1, -1);
}

static an_tensor *make2(uint32_t seed, int64_t a, int64_t b) {
    return make(seed, a, b, -1, -1);
}

static an_tensor *make_like(uint32_t seed, const an_tensor *other) {
    int64_t shape[4] = {-1, -1, -1, -1};
    for (int32_t axis = 0; axis < an_tensor_rank(other); axis++)
        shape[axis] = an_tensor_length(other, axis);
    return make(seed, shape[0], shape[1], shape[2], shape[3]);
}

static void drop(an_tensor *const *tensors, size_t count) {
    for (size_t i = 0; i < count; i++)
        an_tensor_destroy(tensors[i]);
}
#define DROP(...)                                                                                  \
    do {                                                                                           \
        an_tensor *const all_[] = {__VA_ARGS__};                                                   \
        drop(all_, sizeof all_ / sizeof *all_);                                                    \
    } while (0)

static const float *at(const an_tensor *tensor) {
    return an_tensor_const_data(tensor);
}

/* Each element within (8 + 2 sqrt(n)) 2^-24 of the sum of its n absolute terms. */
static void expect_sums(const char *label, const an_tensor *got, const double *want,
                        const double *absolute, int64_t terms) {
    const double share = (8 + 2 * sqrt((double)terms)) * ldexp(1, -24);
    for (int64_t i = 0; i < an_tensor_count(got); i++)
        if (!(fabs((double)at(got)[i] - want[i]) <= share * absolute[i]))
            fail_msg("%s: element %lld is %.9g; it must be %.9g within %.3g", label, (long long)i,
                     (double)at(got)[i], want[i], share * absolute[i]);
}

static void expect_near(const char *label, const an_tensor *got, const double *want,
                        double tolerance) {
    for (int64_t i = 0; i < an_tensor_count(got); i++)
        if (!(fabs((double)at(got)[i] - want[i]) <= tolerance * (1 + fabs(want[i]))))
            fail_msg("%s: element %lld is %.9g; it must be %.9g", label, (long long)i,
                     (double)at(got)[i], want[i]);
}

static void expect_same(const char *label, const an_tensor *a, const an_tensor *b) {
    if (memcmp(at(a), at(b), (size_t)an_tensor_count(a) * sizeof(float)) != 0)
        fail_msg("%s: results differ", label);
}

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if (call) fail_msg("%s", err.message);                                                     \
    } while (0)

static void refuse(an_status st, an_status expected, const char *message) {
    assert_string_equal(err.message, message);
    assert_int_equal(st, expected);
    err = (an_error){0};
}

/* --- convolution ------------------------------------------------------------------------------ */

typedef struct conv_case {
    const char *name;
    int32_t depthwise, k, stride, top, bottom, left, right;
    int64_t n, h, w, cin, cout;
} conv_case;

static const conv_case conv_cases[] = {
    {"full, tutorial's padding", 0, 3, 2, 0, 1, 0, 1, 2, 8, 6, 3, 5},
    {"full, no padding, odd", 0, 3, 1, 0, 0, 0, 0, 1, 5, 7, 2, 17},
    {"full, one pixel", 0, 3, 1, 1, 1, 1, 1, 3, 1, 1, 3, 4},
    {"full, much padding", 0, 3, 2, 2, 2, 2, 2, 1, 2, 3, 1, 1},
    {"pointwise", 0, 1, 1, 0, 0, 0, 0, 2, 3, 5, 19, 7},
    {"pointwise, one channel", 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1},
    {"depthwise", 1, 3, 1, 1, 1, 1, 1, 2, 5, 4, 17, 17},
    {"depthwise, stride 2", 1, 3, 2, 1, 1, 0, 1, 1, 7, 6, 33, 33},
    {"depthwise, one column", 1, 3, 1, 1, 1, 1, 1, 1, 6, 1, 5, 5},
};

typedef struct conv_sums {
    double y[MOST], y_abs[MOST], dx[MOST], dx_abs[MOST], dw[MOST], dw_abs[MOST];
} conv_sums;

/* The definition, with the sums of absolute terms beside it. */
static void conv_by_definition(const conv_case *c, int64_t oh, int64_t ow, const float *x,
                               const float *w, const float *dy, conv_sums *s) {
    memset(s, 0, sizeof *s);
    for (int64_t o = 0; o < c->n * oh * ow * c->cout; o++) {
        const int64_t co = o % c->cout, column = o / c->cout % ow, row = o / c->cout / ow % oh;
        const int64_t image = o / c->cout / ow / oh;
        const int64_t first = c->depthwise ? co : 0, last = c->depthwise ? co + 1 : c->cin;
        for (int64_t tap = 0; tap < (int64_t)c->k * c->k; tap++) {
            const int64_t i = row * c->stride + tap / c->k - c->top;
            const int64_t j = column * c->stride + tap % c->k - c->left;
            if (i < 0 || i >= c->h || j < 0 || j >= c->w) continue;
            for (int64_t ci = first; ci < last; ci++) {
                const int64_t xi = ((image * c->h + i) * c->w + j) * c->cin + ci;
                const int64_t wi =
                    c->depthwise ? tap * c->cin + ci : (tap * c->cin + ci) * c->cout + co;
                const double y = (double)x[xi] * w[wi], dx = (double)dy[o] * w[wi],
                             dw = (double)dy[o] * x[xi];
                s->y[o] += y, s->y_abs[o] += fabs(y);
                s->dx[xi] += dx, s->dx_abs[xi] += fabs(dx);
                s->dw[wi] += dw, s->dw_abs[wi] += fabs(dw);
            }
        }
    }
}

typedef struct conv_tensors {
    an_conv_options options;
    int64_t oh, ow;
    an_tensor *x, *w, *y, *dy, *dx, *dw;
} conv_tensors;

static conv_tensors conv_make(const conv_case *c) {
    conv_tensors t;
    an_conv_options_init(&t.options, sizeof t.options);
    t.options.kind = c->depthwise ? AN_CONV_DEPTHWISE : AN_CONV_FULL;
    t.options.stride = c->stride;
    t.options.pad_top = c->top;
    t.options.pad_bottom = c->bottom;
    t.options.pad_left = c->left;
    t.options.pad_right = c->right;
    t.oh = (c->h + c->top + c->bottom - c->k) / c->stride + 1;
    t.ow = (c->w + c->left + c->right - c->k) / c->stride + 1;
    t.x = make(1, c->n, c->h, c->w, c->cin);
    t.w = make(2, c->k, c->k, c->cin, c->depthwise ? 1 : c->cout);
    t.y = make(0, c->n, t.oh, t.ow, c->cout);
    t.dy = make(3, c->n, t.oh, t.ow, c->cout);
    t.dx = make_like(0, t.x);
    t.dw = make_like(0, t.w);
    return t;
}

static void conv_drop(const conv_tensors *t) {
    DROP(t->x, t->w, t->y, t->dy, t->dx, t->dw);
}

static void convolutions_are_their_definition(void **state) {
    (void)state;
    conv_sums *s = malloc(sizeof *s);
    for (int32_t b = 0; b < backend_count; b++) {
        an_backend *backend = test_backend_open(&backends[b]);
        for (size_t i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++) {
            const conv_case *c = &conv_cases[i];
            const conv_tensors t = conv_make(c);
            const int64_t taps = (int64_t)c->k * c->k;
            char label[96];
            conv_by_definition(c, t.oh, t.ow, at(t.x), at(t.w), at(t.dy), s);
            snprintf(label, sizeof label, "%s, %s", backends[b].label, c->name);
            MUST(an_conv_forward(backend, &t.options, t.x, t.w, t.y, &err));
            MUST(an_conv_backward(backend, &t.options, t.x, t.w, t.dy, t.dx, t.dw, &err));
            expect_sums(label, t.y, s->y, s->y_abs, taps * c->cin);
            expect_sums(label, t.dx, s->dx, s->dx_abs, taps * c->cout);
            expect_sums(label, t.dw, s->dw, s->dw_abs, c->n * t.oh * t.ow);
            conv_drop(&t);
        }
        an_backend_destroy(backend);
    }
    free(s);
}

/* What is not asked for is not computed, and the rest does not change. */
static void unwanted_gradients(void **state) {
    (void)state;
    for (int32_t b = 0; b < backend_count; b++) {
        an_backend *backend = test_backend_open(&backends[b]);
        for (size_t i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++) {
            const conv_tensors t = conv_make(&conv_cases[i]);
            an_tensor *dx = make_like(0, t.x), *dw = make_like(0, t.w);
            const an_conv_options *o = &t.options;
            MUST(an_conv_backward(backend, o, t.x, t.w, t.dy, t.dx, t.dw, &err));
            MUST(an_conv_backward(backend, o, t.x, t.w, t.dy, dx, NULL, &err));
            MUST(an_conv_backward(backend, o, t.x, t.w, t.dy, NULL, dw, &err));
            MUST(an_conv_backward(backend, o, t.x, t.w, t.dy, NULL, NULL, &err));
            expect_same(conv_cases[i].name, dx, t.dx);
            expect_same(conv_cases[i].name, dw, t.dw);
            DROP(dx, dw);
            conv_drop(&t);
        }
        an_tensor *x = make2(1, 3, 5), *w = make2(2, 5, 2), *dy = make2(3, 3, 2);
        an_tensor *dx = make_like(0, x), *dw = make_like(0, w), *db = make1(0, 2);
        an_tensor *dx2 = make_like(0, x), *dw2 = make_like(0, w), *db2 = make1(0, 2);
        MUST(an_dense_backward(backend, x, w, dy, dx, dw, db, &err));
        MUST(an_dense_backward(backend, x, w, dy, dx2, NULL, NULL, &err));
        MUST(an_dense_backward(backend, x, w, dy, NULL, dw2, NULL, &err));
        MUST(an_dense_backward(backend, x, w, dy, NULL, NULL, db2, &err));
        expect_same("dense dx", dx, dx2);
        expect_same("dense dw", dw, dw2);
        expect_same("dense db", db, db2);
        DROP(x, w, dy, dx, dw, db, dx2, dw2, db2);
        an_backend_destroy(backend);
    }
}

/* conv(a x + b x') = a conv(x) + b conv(x'). Factors are powers of two, so that only the sum of the
 * inputs rounds: 2^-24 of each input, on top of the two sums' own share. */
static void convolution_is_linear(void **state) {
    (void)state;
    conv_sums *s = malloc(sizeof *s);
    for (int32_t b = 0; b < backend_count; b++) {
        an_backend *backend = test_backend_open(&backends[b]);
        for (size_t i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++) {
            const conv_case *c = &conv_cases[i];
            const conv_tensors t = conv_make(c);
            an_tensor *other = make_like(9, t.x), *mixed = make_like(0, t.x);
            an_tensor *y2 = make_like(0, t.y), *y3 = make_like(0, t.y);
            for (int64_t k = 0; k < an_tensor_count(mixed); k++)
                an_tensor_data(mixed)[k] = 2 * at(t.x)[k] - 0.5f * at(other)[k];
            MUST(an_conv_forward(backend, &t.options, t.x, t.w, t.y, &err));
            MUST(an_conv_forward(backend, &t.options, other, t.w, y2, &err));
            MUST(an_conv_forward(backend, &t.options, mixed, t.w, y3, &err));
            conv_by_definition(c, t.oh, t.ow, at(mixed), at(t.w), at(t.dy), s);
            for (int64_t k = 0; k < an_tensor_count(y3); k++) {
                s->y[k] = 2 * (double)at(t.y)[k] - 0.5 * (double)at(y2)[k];
                s->y_abs[k] = 3 * (s->y_abs[k] + 2 * c->k * c->k * (double)c->cin);
            }
            expect_sums(c->name, y3, s->y, s->y_abs, (int64_t)c->k * c->k * c->cin);
            DROP(other, mixed, y2, y3);
            conv_drop(&t);
        }
        an_backend_destroy(backend);
    }
    free(s);
}

static void convolution_refuses(void **state) {
    (void)state;
    an_conv_options o;
    an_tensor *x = make(1, 1, 4, 4, 2), *w = make(2, 3, 3, 2, 3), *y = make(0, 1, 2, 2, 3);
    an_tensor *small = make(1, 1, 2, 4, 2), *flat = make2(1, 4, 4), *none = make(1, 0, 4, 4, 2);
    an_tensor *thin = make(1, 1, 1, 2, 3), *odd = make(1, 2, 2, 2, 3);
    an_tensor *dw = make_like(0, w);
    an_conv_options_init(&o, sizeof o);
    refuse(an_conv_forward(NULL, &o, x, w, y, &err), AN_ERR_ARG, "backend is NULL");
    refuse(an_conv_forward(ref, &o, NULL, w, y, &err), AN_ERR_ARG, "tensor 'x' is NULL");
    refuse(an_conv_forward(ref, &o, x, NULL, y, &err), AN_ERR_ARG, "tensor 'w' is NULL");
    refuse(an_conv_forward(ref, &o, x, w, NULL, &err), AN_ERR_ARG, "tensor 'y' is NULL");
    refuse(an_conv_forward(ref, NULL, x, w, x, &err), AN_ERR_ARG,
           "tensor 'y' has shape [1,4,4,2]; it must be [1,2,2,3]");
    refuse(an_conv_forward(ref, &o, flat, w, y, &err), AN_ERR_ARG,
           "tensor 'x' has shape [4,4]; it must be [any,any,any,any]");
    refuse(an_conv_forward(ref, &o, none, w, y, &err), AN_ERR_ARG,
           "tensor 'x' has shape [0,4,4,2]; it must be [any,any,any,any]");
    refuse(an_conv_forward(ref, &o, small, w, y, &err), AN_ERR_ARG,
           "convolution: x of 2 x 4 is smaller than the kernel");
    refuse(an_conv_forward(ref, &o, x, odd, y, &err), AN_ERR_ARG,
           "tensor 'w' has shape [2,2,2,3]; it must be [3,3,2,any]");
    refuse(an_conv_backward(NULL, &o, x, w, y, x, dw, &err), AN_ERR_ARG, "backend is NULL");
    refuse(an_conv_backward(ref, &o, NULL, w, y, x, dw, &err), AN_ERR_ARG, "tensor 'x' is NULL");
    refuse(an_conv_backward(ref, &o, x, w, NULL, x, dw, &err), AN_ERR_ARG, "tensor 'dy' is NULL");
    refuse(an_conv_backward(ref, &o, x, w, y, y, dw, &err), AN_ERR_ARG,
           "tensor 'dx' has shape [1,2,2,3]; it must be [1,4,4,2]");
    refuse(an_conv_backward(ref, &o, x, w, y, x, x, &err), AN_ERR_ARG,
           "tensor 'dw' has shape [1,4,4,2]; it must be [3,3,2,3]");
    o.pad_left = 1;
    refuse(an_conv_forward(ref, &o, x, thin, y, &err), AN_ERR_UNSUPPORTED,
           "convolution: a 1x1 kernel has stride 1 and no padding");
    o.kind = AN_CONV_DEPTHWISE;
    refuse(an_conv_forward(ref, &o, x, w, y, &err), AN_ERR_ARG,
           "tensor 'w' has shape [3,3,2,3]; it must be [3,3,2,1]");
    o.pad_left = 3;
    refuse(an_conv_forward(ref, &o, x, w, y, &err), AN_ERR_ARG,
           "convolution: a padding is 3; it must be 0 to 2");
    o.pad_left = -1;
    refuse(an_conv_backward(ref, &o, x, w, y, x, w, &err), AN_ERR_ARG,
           "convolution: a padding is -1; it must be 0 to 2");
    o.stride = 3;
    refuse(an_conv_forward(ref, &o, x, w, y, &err), AN_ERR_ARG,
           "convolution: stride is 3; it must be 1 or 2");
    o.kind = 2;
    refuse(an_conv_forward(ref, &o, x, w, y, &err), AN_ERR_ARG,
           "convolution: kind is 2; it must be one of AN_CONV_*");
    o.struct_size = 0;
    assert_int_equal(an_conv_forward(ref, &o, x, w, y, NULL), AN_ERR_ARG);
    DROP(x, w, y, small, flat, none, thin, odd, dw);
}

/* --- batch norm ------------------------------------------------------------------------------- */

enum { CHANNELS = 19 };

typedef struct norm_case {
    an_tensor *x, *gamma, *beta, *mean, *variance, *y, *dy, *dx, *dgamma, *dbeta;
} norm_case;

static norm_case norm_make(int64_t n, int64_t h, int64_t w) {
    norm_case c = {make(1, n, h, w, CHANNELS), make1(2, CHANNELS),
                   make1(3, CHANNELS),         make1(4, CHANNELS),
                   make1(5, CHANNELS),         make(0, n, h, w, CHANNELS),
                   make(6, n, h, w, CHANNELS), make(0, n, h, w, CHANNELS),
                   make1(0, CHANNELS),         make1(0, CHANNELS)};
    for (int64_t i = 0; i < CHANNELS; i++)
        an_tensor_data(c.variance)[i] = fabsf(at(c.variance)[i]) + 0.1f;
    return c;
}

static void norm_drop(const norm_case *c) {
    DROP(c->x, c->gamma, c->beta, c->mean, c->variance, c->y, c->dy, c->dx, c->dgamma, c->dbeta);
}

/* The formulas of Ioffe and Szegedy with Keras 2's unbiased moving variance. */
static void expect_norm(const char *label, an_backend *backend, int64_t n, int64_t h, int64_t w,
                        int32_t training, double momentum) {
    norm_case c = norm_make(n, h, w);
    const int64_t rows = n * h * w;
    double y[MOST], dx[MOST], dgamma[CHANNELS], dbeta[CHANNELS], moving[2][CHANNELS];
    for (int64_t k = 0; k < CHANNELS; k++) {
        double mean = (double)at(c.mean)[k], variance = (double)at(c.variance)[k];
        moving[0][k] = mean;
        moving[1][k] = variance;
        if (training) {
            mean = variance = 0;
            for (int64_t i = 0; i < rows; i++)
                mean += (double)at(c.x)[i * CHANNELS + k] / (double)rows;
            for (int64_t i = 0; i < rows; i++)
                variance += pow((double)at(c.x)[i * CHANNELS + k] - mean, 2) / (double)rows;
            const double unbiased = variance * (double)rows / (double)(rows > 1 ? rows - 1 : 1);
            moving[0][k] = momentum * moving[0][k] + (1 - momentum) * mean;
            moving[1][k] = momentum * moving[1][k] + (1 - momentum) * unbiased;
        }
        const double inverse = 1 / sqrt(variance + 1e-3), gamma = (double)at(c.gamma)[k];
        dgamma[k] = dbeta[k] = 0;
        for (int64_t i = k; i < rows * CHANNELS; i += CHANNELS) {
            const double unit = ((double)at(c.x)[i] - mean) * inverse;
            y[i] = gamma * unit + (double)at(c.beta)[k];
            dgamma[k] += (double)at(c.dy)[i] * unit;
            dbeta[k] += (double)at(c.dy)[i];
        }
        for (int64_t i = k; i < rows * CHANNELS; i += CHANNELS) {
            const double unit = ((double)at(c.x)[i] - mean) * inverse;
            dx[i] = (double)at(c.dy)[i];
            if (training) dx[i] -= (dbeta[k] + unit * dgamma[k]) / (double)rows;
            dx[i] *= gamma * inverse;
        }
    }
    an_tensor *dx2 = make_like(0, c.x);
    MUST(an_batch_norm_backward(backend, c.x, c.gamma, c.mean, c.variance, training, c.dy, c.dx,
                                c.dgamma, c.dbeta, &err));
    MUST(an_batch_norm_backward(backend, c.x, c.gamma, c.mean, c.variance, training, c.dy, dx2,
                                NULL, NULL, &err));
    MUST(an_batch_norm_backward(backend, c.x, c.gamma, c.mean, c.variance, training, c.dy, NULL,
                                NULL, NULL, &err));
    expect_same(label, c.dx, dx2);
    MUST(an_batch_norm_forward(backend, c.x, c.gamma, c.beta, c.mean, c.variance, momentum,
                               training, c.y, &err));
    expect_near(label, c.y, y, 4e-6);
    expect_near(label, c.mean, moving[0], 1e-6);
    expect_near(label, c.variance, moving[1], 1e-6);
    /* 1 / sqrt(variance + 0.001) is at most 32: errors of x by 2^-24 grow by that */
    expect_near(label, c.dx, dx, 2e-5);
    expect_near(label, c.dgamma, dgamma, 2e-5);
    expect_near(label, c.dbeta, dbeta, 2e-5);
    an_tensor_destroy(dx2);
    norm_drop(&c);
}

static void batch_norm_by_the_formula(void **state) {
    (void)state;
    for (int32_t b = 0; b < backend_count; b++) {
        an_backend *backend = test_backend_open(&backends[b]);
        for (int32_t training = 0; training < 2; training++) {
            expect_norm(backends[b].label, backend, 2, 5, 7, training, 0.9);
            expect_norm(backends[b].label, backend, 3, 1, 1, training, 0);
            expect_norm(backends[b].label, backend, 1, 3, 2, training, 1);
            expect_norm(backends[b].label, backend, 1, 1, 1, training, 0.5);
        }
        an_backend_destroy(backend);
    }
}

static void batch_norm_refuses(void **state) {
    (void)state;
    const norm_case c = norm_make(1, 2, 2);
    an_tensor *x = c.x, *g = c.gamma, *b = c.beta, *m = c.mean, *v = c.variance, *y = c.y;
    an_tensor *other = make1(1, 3);
#define FORWARD(backend, x, g, b, m, v, momentum, y)                                               \
    an_batch_norm_forward(backend, x, g, b, m, v, momentum, 1, y, &err)
    refuse(FORWARD(NULL, x, g, b, m, v, 0.9, y), AN_ERR_ARG, "backend is NULL");
    refuse(FORWARD(ref, NULL, g, b, m, v, 0.9, y), AN_ERR_ARG, "tensor 'x' is NULL");
    refuse(FORWARD(ref, x, NULL, b, m, v, 0.9, y), AN_ERR_ARG, "tensor 'gamma' is NULL");
    refuse(FORWARD(ref, x, g, NULL, m, v, 0.9, y), AN_ERR_ARG, "tensor 'beta' is NULL");
    refuse(FORWARD(ref, x, g, b, NULL, v, 0.9, y), AN_ERR_ARG, "tensor 'mean' is NULL");
    refuse(FORWARD(ref, x, g, b, m, NULL, 0.9, y), AN_ERR_ARG, "tensor 'variance' is NULL");
    refuse(FORWARD(ref, x, g, b, m, v, 0.9, NULL), AN_ERR_ARG, "tensor 'y' is NULL");
    refuse(FORWARD(ref, x, other, b, m, v, 0.9, y), AN_ERR_ARG,
           "tensor 'gamma' has shape [3]; it must be [19]");
    refuse(FORWARD(ref, x, g, other, m, v, 0.9, y), AN_ERR_ARG,
           "tensor 'beta' has shape [3]; it must be [19]");
    refuse(FORWARD(ref, x, g, b, x, v, 0.9, y), AN_ERR_ARG,
           "tensor 'mean' has shape [1,2,2,19]; it must be [19]");
    refuse(FORWARD(ref, x, g, b, m, other, 0.9, y), AN_ERR_ARG,
           "tensor 'variance' has shape [3]; it must be [19]");
    refuse(FORWARD(ref, x, g, b, m, v, 0.9, other), AN_ERR_ARG,
           "tensor 'y' has shape [3]; it must be [1,2,2,19]");
    refuse(FORWARD(ref, x, g, b, m, v, -0.1, y), AN_ERR_ARG,
           "batch norm: momentum is -0.1; it must be 0 to 1");
    refuse(FORWARD(ref, x, g, b, m, v, 1.5, y), AN_ERR_ARG,
           "batch norm: momentum is 1.5; it must be 0 to 1");
    refuse(FORWARD(ref, x, g, b, m, v, (double)NAN, y), AN_ERR_ARG,
           "batch norm: momentum is nan; it must be 0 to 1");
#undef FORWARD
#define BACKWARD(backend, dy, dx, dg, db)                                                          \
    an_batch_norm_backward(backend, x, g, m, v, 0, dy, dx, dg, db, &err)
    refuse(BACKWARD(NULL, y, y, g, g), AN_ERR_ARG, "backend is NULL");
    refuse(BACKWARD(ref, NULL, y, g, g), AN_ERR_ARG, "tensor 'dy' is NULL");
    refuse(BACKWARD(ref, g, y, g, g), AN_ERR_ARG,
           "tensor 'dy' has shape [19]; it must be [1,2,2,19]");
    refuse(BACKWARD(ref, y, g, g, g), AN_ERR_ARG,
           "tensor 'dx' has shape [19]; it must be [1,2,2,19]");
    refuse(BACKWARD(ref, y, y, y, g), AN_ERR_ARG,
           "tensor 'dgamma' has shape [1,2,2,19]; it must be [19]");
    refuse(BACKWARD(ref, y, y, g, y), AN_ERR_ARG,
           "tensor 'dbeta' has shape [1,2,2,19]; it must be [19]");
#undef BACKWARD
    an_tensor_destroy(other);
    norm_drop(&c);
}

/* --- elementwise and head --------------------------------------------------------------------- */

static void elementwise(void **state) {
    (void)state;
    static const float xs[9] = {-1, -0.0f, 0, 1e-30f, 3, 5.9999995f, 6, 7, INFINITY};
    static const float ys[9] = {0, 0, 0, 1e-30f, 3, 5.9999995f, 6, 6, 6};
    static const float passes[9] = {0, 0, 0, 1, 1, 1, 0, 0, 0};
    for (int32_t b = 0; b < backend_count; b++) {
        an_backend *backend = test_backend_open(&backends[b]);
        /* any rank; more elements than a vector holds, and a rest */
        const int64_t shape[5] = {1, 3, 1, 3, 7};
        an_tensor *x = NULL, *dy = NULL, *y = NULL, *dx = NULL, *sum = NULL;
        an_tensor **all[] = {&x, &dy, &y, &dx, &sum};
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(an_tensor_create(all[i], shape, 5, NULL), AN_OK);
        for (int64_t i = 0; i < 63; i++) {
            an_tensor_data(x)[i] = xs[i % 9];
            an_tensor_data(dy)[i] = (float)i + 1;
        }
        MUST(an_relu6_forward(backend, x, y, &err));
        MUST(an_relu6_backward(backend, x, dy, dx, &err));
        MUST(an_add_forward(backend, x, dy, sum, &err));
        for (int64_t i = 0; i < 63; i++) {
            assert_true(at(y)[i] == ys[i % 9]);
            assert_true(at(dx)[i] == passes[i % 9] * at(dy)[i]);
            assert_true(at(sum)[i] == xs[i % 9] + at(dy)[i]);
        }
        an_tensor_data(x)[40] = NAN;
        MUST(an_relu6_forward(backend, x, y, &err));
        assert_true(isnan(at(y)[40]) && at(y)[41] == ys[41 % 9]);
        DROP(x, dy, y, dx, sum);
        an_backend_destroy(backend);
    }
}

static void pooling_and_dense(void **state) {
    (void)state;
    for (int32_t b = 0; b < backend_count; b++) {
        an_backend *backend = test_backend_open(&backends[b]);
        const char *label = backends[b].label;
        an_tensor *x = make(1, 2, 3, 5, 21), *y = make2(0, 2, 21), *dy = make2(2, 2, 21);
        an_tensor *dx = make_like(0, x), *w = make2(3, 21, 4), *bias = make1(4, 4);
        an_tensor *out = make2(0, 2, 4), *dout = make2(5, 2, 4);
        an_tensor *df = make2(0, 2, 21), *dw = make_like(0, w), *db = make1(0, 4);
        double sums[42] = {0}, absolute[42] = {0};
        for (int64_t i = 0; i < 630; i++) {
            sums[i / 315 * 21 + i % 21] += (double)at(x)[i] / 15;
            absolute[i / 315 * 21 + i % 21] += fabs((double)at(x)[i]) / 15;
        }
        MUST(an_pool_forward(backend, x, y, &err));
        MUST(an_pool_backward(backend, dy, dx, &err));
        expect_sums(label, y, sums, absolute, 15);
        for (int64_t i = 0; i < 630; i++)
            assert_true(fabs((double)at(dx)[i] - (double)at(dy)[i / 315 * 21 + i % 21] / 15) <
                        1e-8);
        MUST(an_dense_forward(backend, dy, w, bias, out, &err));
        MUST(an_dense_backward(backend, dy, w, dout, df, dw, db, &err));
        double want[84] = {0}, size[84] = {0};
        for (int64_t i = 0; i < 8; i++) {
            want[i] = (double)at(bias)[i % 4];
            size[i] = fabs(want[i]);
            for (int64_t k = 0; k < 21; k++) {
                const double term = (double)at(dy)[i / 4 * 21 + k] * at(w)[k * 4 + i % 4];
                want[i] += term, size[i] += fabs(term);
            }
        }
        expect_sums(label, out, want, size, 22);
        memset(want, 0, sizeof want);
        memset(size, 0, sizeof size);
        for (int64_t i = 0; i < 168; i++) {
            const int64_t n = i / 84, k = i / 4 % 21, o = i % 4;
            const double term = (double)at(dout)[n * 4 + o] * at(w)[k * 4 + o];
            want[n * 21 + k] += term, size[n * 21 + k] += fabs(term);
        }
        expect_sums(label, df, want, size, 4);
        memset(want, 0, sizeof want);
        memset(size, 0, sizeof size);
        for (int64_t i = 0; i < 168; i++) {
            const int64_t n = i / 84, k = i / 4 % 21, o = i % 4;
            const double term = (double)at(dout)[n * 4 + o] * at(dy)[n * 21 + k];
            want[k * 4 + o] += term, size[k * 4 + o] += fabs(term);
        }
        expect_sums(label, dw, want, size, 2);
        for (int64_t o = 0; o < 4; o++)
            assert_true(at(db)[o] == at(dout)[o] + at(dout)[4 + o]);
        DROP(x, y, dy, dx, w, bias, out, dout, df, dw, db);
        an_backend_destroy(backend);
    }
}

/* The definitions; logits as large as these neither overflow nor vanish. */
static double loss_by_definition(int32_t kind, int64_t n, int64_t outputs, const float *p,
                                 const float *t, double *gradient) {
    double loss = 0;
    const double all = (double)(n * outputs);
    for (int64_t row = 0; row < n; row++) {
        double sum = 0;
        for (int64_t o = 0; o < outputs; o++)
            sum += exp((double)p[row * outputs + o]);
        for (int64_t i = row * outputs; i < (row + 1) * outputs; i++) {
            const double d = (double)p[i] - (double)t[i], a = fabs(d), q = (double)p[i];
            const double target = (double)t[i];
            switch (kind) {
            case AN_LOSS_MSE:
                loss += d * d / all;
                gradient[i] = 2 * d / all;
                break;
            case AN_LOSS_MAE:
                loss += a / all;
                gradient[i] = (d > 0) - (d < 0);
                gradient[i] /= all;
                break;
            case AN_LOSS_HUBER:
                loss += (a <= 1 ? d * d / 2 : a - 0.5) / all;
                gradient[i] = (a <= 1 ? d : d > 0 ? 1 : -1) / all;
                break;
            case AN_LOSS_CATEGORICAL:
                loss -= target * (q - log(sum)) / (double)n;
                gradient[i] = (exp(q) / sum - target) / (double)n;
                break;
            default:
                loss -=
                    (target * log(1 / (1 + exp(-q))) + (1 - target) * log(1 / (1 + exp(q)))) / all;
                gradient[i] = (1 / (1 + exp(-q)) - target) / all;
            }
        }
    }
    return loss;
}

static void losses(void **state) {
    (void)state;
    an_tensor *p = make2(7, 3, 4), *t = make2(0, 3, 4), *dy = make2(0, 3, 4);
    for (int64_t i = 0; i < 12; i++) {
        an_tensor_data(p)[i] *= 3;
        an_tensor_data(t)[i] = i % 4 == i / 4; /* one-hot */
    }
    an_tensor_data(p)[5] = 1; /* exactly the target: MAE has the slope 0 there */
    for (int32_t b = 0; b < backend_count; b++) {
        an_backend *backend = test_backend_open(&backends[b]);
        for (int32_t kind = AN_LOSS_MSE; kind <= AN_LOSS_BINARY; kind++) {
            double gradient[12], value = -1, again = -1;
            const double want = loss_by_definition(kind, 3, 4, at(p), at(t), gradient);
            MUST(an_loss_compute(backend, kind, p, t, NULL, &value, dy, &err));
            MUST(an_loss_compute(backend, kind, p, t, NULL, &again, NULL, &err));
            assert_true(fabs(value - want) < 1e-6 * want);
            assert_memory_equal(&again, &value, sizeof value);
            expect_near(backends[b].label, dy, gradient, 1e-7);
        }
        an_backend_destroy(backend);
    }
    DROP(p, t, dy);
}

/* Logits of 1e4 must not overflow the exponential. */
static void losses_of_large_logits(void **state) {
    (void)state;
    an_tensor *p = make2(0, 1, 2), *t = make2(0, 1, 2), *dy = make2(0, 1, 2);
    an_tensor_data(p)[0] = 10000;
    an_tensor_data(p)[1] = -10000;
    an_tensor_data(t)[0] = 0;
    an_tensor_data(t)[1] = 1;
    for (int32_t b = 0; b < backend_count; b++) {
        an_backend *backend = test_backend_open(&backends[b]);
        double value;
        MUST(an_loss_compute(backend, AN_LOSS_CATEGORICAL, p, t, NULL, &value, dy, &err));
        assert_true(value == 20000);
        assert_true(at(dy)[0] == 1 && at(dy)[1] == -1);
        MUST(an_loss_compute(backend, AN_LOSS_BINARY, p, t, NULL, &value, dy, &err));
        assert_true(value == 10000);
        assert_true(at(dy)[0] == 0.5f && at(dy)[1] == -0.5f);
        an_backend_destroy(backend);
    }
    DROP(p, t, dy);
}

static void the_rest_refuses(void **state) {
    (void)state;
    an_tensor *x = make(1, 2, 3, 3, 4), *y = make2(1, 2, 4), *w = make2(1, 4, 5), *b = make1(1, 5);
    an_tensor *out = make2(1, 2, 5), *empty = make1(1, 0), *other = make1(1, 3);
    double loss;
    refuse(an_relu6_forward(NULL, x, x, &err), AN_ERR_ARG, "backend is NULL");
    refuse(an_relu6_forward(ref, NULL, x, &err), AN_ERR_ARG, "tensor 'x' is NULL or empty");
    refuse(an_relu6_forward(ref, empty, empty, &err), AN_ERR_ARG, "tensor 'x' is NULL or empty");
    refuse(an_relu6_forward(ref, x, NULL, &err), AN_ERR_ARG, "tensor 'y' is NULL");
    refuse(an_relu6_forward(ref, x, y, &err), AN_ERR_ARG,
           "tensor 'y' has shape [2,4]; it must be [2,3,3,4]");
    refuse(an_relu6_backward(NULL, x, x, x, &err), AN_ERR_ARG, "backend is NULL");
    refuse(an_relu6_backward(ref, NULL, x, x, &err), AN_ERR_ARG, "tensor 'x' is NULL or empty");
    refuse(an_relu6_backward(ref, x, NULL, x, &err), AN_ERR_ARG, "tensor 'dy' is NULL");
    refuse(an_relu6_backward(ref, x, x, NULL, &err), AN_ERR_ARG, "tensor 'dx' is NULL");
    refuse(an_add_forward(NULL, x, x, x, &err), AN_ERR_ARG, "backend is NULL");
    refuse(an_add_forward(ref, empty, x, x, &err), AN_ERR_ARG, "tensor 'a' is NULL or empty");
    refuse(an_add_forward(ref, x, NULL, x, &err), AN_ERR_ARG, "tensor 'b' is NULL");
    refuse(an_add_forward(ref, x, y, x, &err), AN_ERR_ARG,
           "tensor 'b' has shape [2,4]; it must be [2,3,3,4]");
    refuse(an_add_forward(ref, x, x, NULL, &err), AN_ERR_ARG, "tensor 'y' is NULL");
    refuse(an_pool_forward(NULL, x, y, &err), AN_ERR_ARG, "backend is NULL");
    refuse(an_pool_forward(ref, NULL, y, &err), AN_ERR_ARG, "tensor 'x' is NULL");
    refuse(an_pool_forward(ref, x, NULL, &err), AN_ERR_ARG, "tensor 'y' is NULL");
    refuse(an_pool_forward(ref, x, out, &err), AN_ERR_ARG,
           "tensor 'y' has shape [2,5]; it must be [2,4]");
    refuse(an_pool_backward(NULL, y, x, &err), AN_ERR_ARG, "backend is NULL");
    refuse(an_pool_backward(ref, NULL, x, &err), AN_ERR_ARG, "tensor 'dy' is NULL");
    refuse(an_pool_backward(ref, y, NULL, &err), AN_ERR_ARG, "tensor 'dx' is NULL");
    refuse(an_pool_backward(ref, out, x, &err), AN_ERR_ARG,
           "tensor 'dy' has shape [2,5]; it must be [2,4]");
    refuse(an_dense_forward(NULL, y, w, b, out, &err), AN_ERR_ARG, "backend is NULL");
    refuse(an_dense_forward(ref, NULL, w, b, out, &err), AN_ERR_ARG, "tensor 'x' is NULL");
    refuse(an_dense_forward(ref, y, NULL, b, out, &err), AN_ERR_ARG, "tensor 'w' is NULL");
    refuse(an_dense_forward(ref, y, y, b, out, &err), AN_ERR_ARG,
           "tensor 'w' has shape [2,4]; it must be [4,any]");
    refuse(an_dense_forward(ref, y, w, other, out, &err), AN_ERR_ARG,
           "tensor 'b' has shape [3]; it must be [5]");
    refuse(an_dense_forward(ref, y, w, NULL, out, &err), AN_ERR_ARG, "tensor 'b' is NULL");
    refuse(an_dense_forward(ref, y, w, b, NULL, &err), AN_ERR_ARG, "tensor 'y' is NULL");
    refuse(an_dense_backward(NULL, y, w, out, y, w, b, &err), AN_ERR_ARG, "backend is NULL");
    refuse(an_dense_backward(ref, y, w, NULL, y, w, b, &err), AN_ERR_ARG, "tensor 'dy' is NULL");
    refuse(an_dense_backward(ref, y, w, out, w, w, b, &err), AN_ERR_ARG,
           "tensor 'dx' has shape [4,5]; it must be [2,4]");
    refuse(an_dense_backward(ref, y, w, out, y, y, b, &err), AN_ERR_ARG,
           "tensor 'dw' has shape [2,4]; it must be [4,5]");
    refuse(an_dense_backward(ref, y, w, out, y, w, other, &err), AN_ERR_ARG,
           "tensor 'db' has shape [3]; it must be [5]");
    refuse(an_loss_compute(NULL, 0, y, y, NULL, &loss, y, &err), AN_ERR_ARG, "backend is NULL");
    refuse(an_loss_compute(ref, AN_LOSS_MSE, NULL, y, NULL, &loss, y, &err), AN_ERR_ARG,
           "tensor 'prediction' is NULL");
    refuse(an_loss_compute(ref, AN_LOSS_MSE, y, NULL, NULL, &loss, y, &err), AN_ERR_ARG,
           "tensor 'target' is NULL");
    refuse(an_loss_compute(ref, AN_LOSS_MSE, y, out, NULL, &loss, y, &err), AN_ERR_ARG,
           "tensor 'target' has shape [2,5]; it must be [2,4]");
    refuse(an_loss_compute(ref, AN_LOSS_MSE, y, y, NULL, &loss, out, &err), AN_ERR_ARG,
           "tensor 'gradient' has shape [2,5]; it must be [2,4]");
    refuse(an_loss_compute(ref, 6, y, y, NULL, &loss, y, &err), AN_ERR_ARG,
           "loss is 6; it must be one of AN_LOSS_*");
    refuse(an_loss_compute(ref, -1, y, y, NULL, &loss, y, &err), AN_ERR_ARG,
           "loss is -1; it must be one of AN_LOSS_*");
    refuse(an_loss_compute(ref, AN_LOSS_MSE, y, y, NULL, NULL, y, &err), AN_ERR_ARG,
           "loss: the place for it is NULL");
    DROP(x, y, w, b, out, empty, other);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Everything that a call of each kind needs; results stay as they are on an error. */
typedef struct layer_call {
    an_tensor *x, *w, *y, *dx, *dw, *gamma, *beta, *mean, *variance, *dgamma, *f, *k, *out, *bias;
} layer_call;

static an_status run_layer(an_backend *backend, const layer_call *c, int32_t which) {
    double loss;
    switch (which) {
    case 0:
        return an_conv_forward(backend, NULL, c->x, c->w, c->y, &err);
    case 1:
        return an_conv_backward(backend, NULL, c->x, c->w, c->y, c->dx, c->dw, &err);
    case 2:
        return an_batch_norm_forward(backend, c->x, c->gamma, c->beta, c->mean, c->variance, 0.9, 1,
                                     c->dx, &err);
    case 3:
        return an_batch_norm_backward(backend, c->x, c->gamma, c->mean, c->variance, 1, c->x, c->dx,
                                      c->dgamma, c->dgamma, &err);
    case 4:
        return an_relu6_forward(backend, c->x, c->dx, &err);
    case 5:
        return an_relu6_backward(backend, c->x, c->x, c->dx, &err);
    case 6:
        return an_add_forward(backend, c->x, c->x, c->dx, &err);
    case 7:
        return an_pool_forward(backend, c->x, c->f, &err);
    case 8:
        return an_pool_backward(backend, c->f, c->dx, &err);
    case 9:
        return an_dense_forward(backend, c->f, c->k, c->bias, c->out, &err);
    case 10:
        return an_dense_backward(backend, c->f, c->k, c->out, c->f, c->k, c->bias, &err);
    default:
        return an_loss_compute(backend, AN_LOSS_MSE, c->out, c->out, NULL, &loss, c->out, &err);
    }
}

static void no_memory(void **state) {
    (void)state;
    const layer_call c = {make(1, 1, 4, 4, 2), make(2, 3, 3, 2, 3), make(3, 1, 2, 2, 3),
                          make(0, 1, 4, 4, 2), make(0, 3, 3, 2, 3), make1(4, 2),
                          make1(5, 2),         make1(6, 2),         make1(7, 2),
                          make1(0, 2),         make2(8, 1, 2),      make2(9, 2, 3),
                          make2(10, 1, 3),     make1(11, 3)};
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    for (int32_t which = 0; which < 12; which++)
        for (int64_t n = 0;; n++) {
            an_tensor *mean = make1(0, 2);
            memcpy(an_tensor_data(mean), at(c.mean), 2 * sizeof(float));
            ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
            const an_status st = run_layer(backend, &c, which);
            const bool reached = ani_fault_calls(ANI_FAULT_ALLOC) > n;
            ani_fault_disarm();
            if (reached) {
                static const char start[] = "no memory for the tensors of a layer (";
                assert_int_equal(st, AN_ERR_NOMEM);
                assert_memory_equal(err.message, start, sizeof start - 1);
                expect_same("moving mean", c.mean, mean);
            }
            an_tensor_destroy(mean);
            if (reached) continue;
            assert_int_equal(st, AN_OK);
            assert_true(n > 0);
            break;
        }
    an_backend_destroy(backend);
    DROP(c.x, c.w, c.y, c.dx, c.dw, c.gamma, c.beta, c.mean, c.variance, c.dgamma, c.f, c.k, c.out,
         c.bias);
}

static int set_up(void **state) {
    (void)state;
    backend_count = test_backends(backends, 0);
    ref = test_backend_make("ref", NULL, 1);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    an_backend_destroy(ref);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_are_their_definition),
        cmocka_unit_test(unwanted_gradients),
        cmocka_unit_test(convolution_is_linear),
        cmocka_unit_test(convolution_refuses),
        cmocka_unit_test(batch_norm_by_the_formula),
        cmocka_unit_test(batch_norm_refuses),
        cmocka_unit_test(elementwise),
        cmocka_unit_test(pooling_and_dense),
        cmocka_unit_test(losses),
        cmocka_unit_test(losses_of_large_logits),
        cmocka_unit_test(the_rest_refuses),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests_name("layers", tests, set_up, tear_down);
}
