/* SPDX-License-Identifier: MIT
 * The entries of a backend that are no units: batch norm, pooling, dense, losses, probabilities,
 * materialise, ranges, optimizers, on ref and on cpu (or on what AN_TEST_DEVICE names, in all
 * orders of threads), against their definitions in double. Gradients are differences of the
 * definition's own values, so that no formula is written down twice: with a step h central
 * differences in double are off by about h^2 and 1e-16 / h, which is below 1e-8 here.
 *
 * Results are floats: each may be off by one rounding, 2^-24 of it, and by what rounded factors
 * (scale, rate) make of it. `few` of these are allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <attractivenet/layers.h>
#include <attractivenet/optim.h>

#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "base/memory.h"
#include "base/random.h"
#include "support/backends.h"
#include "support/device_memory.h"
#include "support/level.h"
#include "support/orders.h"

static const double few = 8 * 0x1p-24, step = 1e-5;

static an_backend *both[2];

static int open_both(void **state) {
    (void)state;
    both[0] = test_backend_make("ref", NULL, 1);
    both[1] = test_backend_make(test_device(), NULL, test_device_is_cuda() ? 0 : 2);
    return 0;
}

static int close_both(void **state) {
    (void)state;
    an_backend_destroy(both[0]);
    an_backend_destroy(both[1]);
    return 0;
}

/* Copies of a test's arrays in a backend's memory; those given to changed() are read back. */
enum { MOST = 16 };
typedef struct arrays {
    an_backend *backend;
    void *memory[MOST], *host[MOST];
    int64_t size[MOST];
    int32_t count;
} arrays;

static void *put(arrays *a, void *host, const void *from, int64_t size) {
    assert_true(a->count < MOST);
    void *memory = device_copy(a->backend, from, size);
    a->memory[a->count] = memory;
    a->host[a->count] = host;
    a->size[a->count++] = size;
    return memory;
}
static void *given(arrays *a, const void *from, int64_t size) {
    return put(a, NULL, from, size);
}
static void *changed(arrays *a, void *host, int64_t size) {
    return put(a, host, host, size);
}
/* Of all that the tested backend has returned: the same in each order of threads. */
static uint64_t hash_of_results;

static void end_arrays(arrays *a) {
    for (int32_t i = 0; i < a->count; i++) {
        device_end(a->backend, a->memory[i], a->host[i], a->size[i]);
        const unsigned char *bytes = a->host[i];
        for (int64_t k = 0; bytes && a->backend == both[1] && k < a->size[i]; k++)
            hash_of_results = (hash_of_results ^ bytes[k]) * 1099511628211u;
    }
    a->count = 0;
}

static void expect(const an_backend *backend, const char *what, int64_t i, double got, double want,
                   double limit) {
    if (!(fabs(got - want) <= limit))
        fail_msg("%s: %s[%lld] is %.9g, by its definition %.9g, limit %.3g", backend->ops->name,
                 what, (long long)i, got, want, limit);
}

static void fill(float *values, int64_t count, uint32_t seed, double low, double high) {
    ani_stream stream = ani_stream_begin(seed, 0, 0);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)ani_stream_uniform(&stream, low, high);
}

static float *floats(int64_t count, uint32_t seed, double low, double high) {
    float *values = ani_alloc(count * (int64_t)sizeof *values);
    assert_non_null(values);
    fill(values, count, seed, low, high);
    return values;
}

/* A tensor of an element from floats that it can hold. */
static void *tensor_of(float *values, int64_t count, int32_t element) {
    void *tensor = ani_alloc(count * (int64_t)sizeof(float));
    assert_non_null(tensor);
    for (int64_t i = 0; i < count; i++)
        if (element == ANI_BFLOAT16)
            values[i] = ani_from_bfloat16(((uint16_t *)tensor)[i] = ani_to_bfloat16(values[i]));
        else
            ((float *)tensor)[i] = values[i];
    return tensor;
}

/* --- batch norm ------------------------------------------------------------------------------- */

enum { ROWS = 7, CHANNELS = 5 };
#define EPSILON 0.02 /* not Keras', so that a backend cannot have its own */

typedef struct norm {
    float gamma[CHANNELS], beta[CHANNELS], mean[CHANNELS], variance[CHANNELS];
    float scale[CHANNELS], shift[CHANNELS], used_mean[CHANNELS], inv_std[CHANNELS];
    float z[ROWS * CHANNELS], g[ROWS * CHANNELS];
} norm;

static void make_norm(norm *n) {
    fill(n->gamma, CHANNELS, 1, 0.5, 2);
    fill(n->beta, CHANNELS, 2, -1, 1);
    fill(n->mean, CHANNELS, 3, -1, 1);
    fill(n->variance, CHANNELS, 4, 0.01, 2);
    fill(n->z, ROWS * CHANNELS, 5, -1, 3);
    fill(n->g, ROWS * CHANNELS, 6, -1, 1);
}

/* The batch norm in a backend's memory: one block, since its arrays are. */
static ani_bn norm_on(arrays *a, norm *n) {
    float *at = changed(a, n, offsetof(norm, z));
    return (ani_bn){at,
                    at + CHANNELS,
                    at + 2 * CHANNELS,
                    at + 3 * CHANNELS,
                    at + 4 * CHANNELS,
                    at + 5 * CHANNELS,
                    at + 6 * CHANNELS,
                    at + 7 * CHANNELS,
                    EPSILON};
}

static void moments_of(const float *z, int64_t rows, double *mean, double *m2) {
    for (int64_t c = 0; c < CHANNELS; c++) {
        mean[c] = m2[c] = 0;
        for (int64_t r = 0; r < rows; r++)
            mean[c] += (double)z[r * CHANNELS + c] / (double)rows;
        for (int64_t r = 0; r < rows; r++)
            m2[c] += pow((double)z[r * CHANNELS + c] - mean[c], 2);
    }
}

static void batch_on(an_backend *backend, norm *n, int64_t rows, const double *moments,
                     int32_t update) {
    arrays a = {.backend = backend};
    const ani_bn bn = norm_on(&a, n);
    backend->ops->bn_batch(backend, CHANNELS, rows,
                           given(&a, moments, 2 * CHANNELS * (int64_t)sizeof *moments), 0.9, update,
                           &bn);
    end_arrays(&a);
}

static void running_on(an_backend *backend, norm *n) {
    arrays a = {.backend = backend};
    const ani_bn bn = norm_on(&a, n);
    backend->ops->bn_running(backend, CHANNELS, &bn);
    end_arrays(&a);
}

static void batch_norm_forward(void **state) {
    (void)state;
    for (int b = 0; b < 2; b++)
        for (int64_t rows = 1; rows <= ROWS; rows += ROWS - 1)
            for (int32_t update = 0; update < 2; update++) {
                norm n;
                double moments[2 * CHANNELS];
                make_norm(&n);
                const norm old = n;
                moments_of(n.z, rows, moments, moments + CHANNELS);
                batch_on(both[b], &n, rows, moments, update);
                for (int64_t c = 0; c < CHANNELS; c++) {
                    const double variance = moments[CHANNELS + c] / (double)rows;
                    const double inverse = 1 / sqrt(variance + EPSILON), mean = moments[c];
                    const double size = fabs((double)n.gamma[c] * inverse) * (fabs(mean) + 3) + 1;
                    /* what a reader makes of z */
                    for (int64_t r = 0; r < rows; r++) {
                        const double z = n.z[r * CHANNELS + c];
                        expect(both[b], "normalised", c, z * n.scale[c] + n.shift[c],
                               n.gamma[c] * (z - mean) * inverse + n.beta[c], few * size);
                    }
                    expect(both[b], "mean", c, n.used_mean[c], mean, few * fabs(mean));
                    expect(both[b], "inv_std", c, n.inv_std[c], inverse, few * inverse);
                    const double unbiased =
                        rows > 1 ? variance * (double)rows / (double)(rows - 1) : variance;
                    const double moved_mean = 0.9 * (double)old.mean[c] + 0.1 * mean;
                    const double moved_variance = 0.9 * (double)old.variance[c] + 0.1 * unbiased;
                    expect(both[b], "moving mean", c, n.mean[c],
                           update ? moved_mean : (double)old.mean[c], few * fabs(moved_mean));
                    expect(both[b], "moving variance", c, n.variance[c],
                           update ? moved_variance : (double)old.variance[c], few * moved_variance);
                }
            }
}

static void batch_norm_by_moving_statistics(void **state) {
    (void)state;
    for (int b = 0; b < 2; b++) {
        norm n;
        make_norm(&n);
        running_on(both[b], &n);
        for (int64_t i = 0; i < ROWS * CHANNELS; i++) {
            const int64_t c = i % CHANNELS;
            const double inverse = 1 / sqrt((double)n.variance[c] + EPSILON);
            const double z = n.z[i], mean = n.mean[c];
            expect(both[b], "normalised", c, z * n.scale[c] + n.shift[c],
                   n.gamma[c] * (z - mean) * inverse + n.beta[c],
                   few * (fabs((double)n.gamma[c] * inverse) * (fabs(mean) + 3) + 1));
        }
    }
}

/* What the gradient g makes of the outputs of one channel whose inputs, gamma and beta are moved:
 * their sum is the loss that is differentiated. */
static double norm_loss(const norm *n, int64_t c, int batch, int64_t moved, double by, double gamma,
                        double beta) {
    double z[ROWS], mean = 0, variance = 0, loss = 0;
    for (int64_t r = 0; r < ROWS; r++) {
        z[r] = (double)n->z[r * CHANNELS + c] + (r == moved ? by : 0);
        mean += z[r] / ROWS;
    }
    for (int64_t r = 0; r < ROWS; r++)
        variance += pow(z[r] - mean, 2) / ROWS;
    if (!batch) {
        mean = n->mean[c];
        variance = n->variance[c];
    }
    for (int64_t r = 0; r < ROWS; r++)
        loss +=
            n->g[r * CHANNELS + c] *
            ((n->gamma[c] + gamma) * (z[r] - mean) / sqrt(variance + EPSILON) + n->beta[c] + beta);
    return loss;
}

static void batch_norm_gradients(void **state) {
    (void)state;
    for (int b = 0; b < 2; b++)
        for (int32_t batch = 0; batch < 2; batch++) {
            norm n;
            double moments[2 * CHANNELS], sums[2 * CHANNELS] = {0};
            float dgamma[CHANNELS], dbeta[CHANNELS], ka[CHANNELS], kb[CHANNELS], kc[CHANNELS];
            make_norm(&n);
            moments_of(n.z, ROWS, moments, moments + CHANNELS);
            if (batch)
                batch_on(both[b], &n, ROWS, moments, 0);
            else
                running_on(both[b], &n);
            for (int64_t i = 0; i < ROWS * CHANNELS; i++) {
                sums[i % CHANNELS] += n.g[i];
                sums[CHANNELS + i % CHANNELS] +=
                    (double)n.g[i] * ((double)n.z[i] - n.used_mean[i % CHANNELS]);
            }
            arrays a = {.backend = both[b]};
            const ani_bn bn = norm_on(&a, &n);
            const int64_t size = CHANNELS * (int64_t)sizeof(float);
            const double *on = given(&a, sums, sizeof sums);
            both[b]->ops->bn_backward(both[b], CHANNELS, ROWS, batch, on, &bn,
                                      changed(&a, dgamma, size), changed(&a, dbeta, size),
                                      changed(&a, ka, size), changed(&a, kb, size),
                                      changed(&a, kc, size));
            end_arrays(&a);
            for (int64_t c = 0; c < CHANNELS; c++) {
                const double limit = 1e-7 + 8 * few * fabs((double)n.gamma[c] * n.inv_std[c]);
                for (int64_t r = 0; r < ROWS; r++) {
                    const int64_t i = r * CHANNELS + c;
                    const double slope = (norm_loss(&n, c, batch, r, step, 0, 0) -
                                          norm_loss(&n, c, batch, r, -step, 0, 0)) /
                                         (2 * step);
                    expect(both[b], "dz", i,
                           (double)ka[c] * n.g[i] + (double)kb[c] * n.z[i] + kc[c], slope, limit);
                }
                expect(both[b], "dgamma", c, dgamma[c],
                       (norm_loss(&n, c, batch, -1, 0, step, 0) -
                        norm_loss(&n, c, batch, -1, 0, -step, 0)) /
                           (2 * step),
                       1e-7 + 8 * few * ROWS * n.inv_std[c]);
                expect(both[b], "dbeta", c, dbeta[c],
                       (norm_loss(&n, c, batch, -1, 0, 0, step) -
                        norm_loss(&n, c, batch, -1, 0, 0, -step)) /
                           (2 * step),
                       1e-6);
                if (!batch) assert_true(kb[c] == 0 && kc[c] == 0);
            }
            float same[CHANNELS];
            arrays again = {.backend = both[b]};
            const ani_bn same_bn = norm_on(&again, &n);
            on = given(&again, sums, sizeof sums);
            both[b]->ops->bn_backward(both[b], CHANNELS, ROWS, batch, on, &same_bn, NULL, NULL,
                                      changed(&again, same, size), changed(&again, kb, size),
                                      changed(&again, kc, size));
            end_arrays(&again);
            assert_memory_equal(same, ka, sizeof ka);
        }
}

/* --- head and loss ---------------------------------------------------------------------------- */

enum { SAMPLES = 3, OUTPUTS = 4 };

/* The definitions of Keras, with logits moved by `by` at one place; w NULL: weights of 1. */
static double loss_of(int32_t kind, const float *y, const float *t, const float *w, int64_t moved,
                      double by) {
    double all = 0;
    for (int64_t i = 0; i < SAMPLES * OUTPUTS; i++) {
        const double z = (double)y[i] + (i == moved ? by : 0), e = fabs(z - (double)t[i]);
        double others = 0, sum = 0;
        for (int64_t k = i - i % OUTPUTS; k < i - i % OUTPUTS + OUTPUTS; k++)
            others += exp((double)y[k] + (k == moved ? by : 0) - z);
        if (kind == AN_LOSS_MSE) sum += e * e / OUTPUTS;
        if (kind == AN_LOSS_MAE) sum += e / OUTPUTS;
        if (kind == AN_LOSS_HUBER) sum += (e <= 1 ? e * e / 2 : e - 0.5) / OUTPUTS;
        /* -log of 1 / (1 + exp(-z)) is log(1 + exp(-z)) */
        if (kind == AN_LOSS_BINARY)
            sum += (t[i] * log(1 + exp(-z)) + (1 - t[i]) * log(1 + exp(z))) / OUTPUTS;
        if (kind == AN_LOSS_CATEGORICAL) sum += t[i] * log(others);
        all += sum * (w ? (double)w[i / OUTPUTS] : 1);
    }
    return all / SAMPLES;
}

/* On a backend: returns the loss; dy NULL: not wanted. */
static double loss_on(an_backend *backend, int32_t kind, int64_t of, const float *y, const float *t,
                      const float *w, float *dy, int32_t *guard) {
    arrays a = {.backend = backend};
    double loss = -1;
    const int64_t size = SAMPLES * OUTPUTS * (int64_t)sizeof(float);
    const float *const on_y = given(&a, y, size), *const on_t = given(&a, t, size);
    const float *const on_w = given(&a, w, SAMPLES * (int64_t)sizeof *w);
    double *on_loss = changed(&a, &loss, sizeof loss);
    float *on_dy = changed(&a, dy, size);
    backend->ops->loss(backend, kind, SAMPLES, of, OUTPUTS, on_y, on_t, on_w, on_loss, on_dy,
                       changed(&a, guard, sizeof *guard));
    end_arrays(&a);
    return loss;
}

static void losses(void **state) {
    (void)state;
    for (int b = 0; b < 2; b++)
        for (int32_t kind = AN_LOSS_MSE; kind <= AN_LOSS_BINARY; kind++) {
            float y[SAMPLES * OUTPUTS], t[SAMPLES * OUTPUTS], dy[SAMPLES * OUTPUTS];
            float ones[SAMPLES], same[SAMPLES * OUTPUTS];
            double loss, alone;
            static const float some[SAMPLES] = {2.5f, 0, 0.75f};
            const float *const each[] = {NULL, some};
            fill(y, SAMPLES * OUTPUTS, 1, -3, 3);
            fill(t, SAMPLES * OUTPUTS, 2, 0, 1);
            fill(ones, SAMPLES, 1, 1, 1);
            for (int i = 0; i < 2; i++) {
                const float *w = each[i];
                loss = loss_on(both[b], kind, SAMPLES, y, t, w, dy, NULL);
                alone = loss_on(both[b], kind, SAMPLES, y, t, w, NULL, NULL);
                assert_true(loss == alone);
                expect(both[b], "loss", kind, loss, loss_of(kind, y, t, w, -1, 0), 1e-12);
                for (int64_t k = 0; k < SAMPLES * OUTPUTS; k++)
                    expect(both[b], "dy", k, dy[k],
                           (loss_of(kind, y, t, w, k, step) - loss_of(kind, y, t, w, k, -step)) /
                               (2 * step),
                           1e-7);
            }
            /* weights of 1 give the bits of none */
            loss = loss_on(both[b], kind, SAMPLES, y, t, NULL, dy, NULL);
            alone = loss_on(both[b], kind, SAMPLES, y, t, ones, same, NULL);
            assert_true(loss == alone);
            assert_memory_equal(same, dy, sizeof dy);
            /* a part of twice as many samples */
            alone = loss_on(both[b], kind, 2 * SAMPLES, y, t, NULL, same, NULL);
            expect(both[b], "part of a loss", kind, alone, loss / 2, 1e-15 * fabs(loss));
            for (int64_t k = 0; k < SAMPLES * OUTPUTS; k++)
                expect(both[b], "part of dy", k, same[k], 0.5 * dy[k], few * fabs((double)dy[k]));
        }
}

/* The guard stays set until somebody clears it. */
static void a_loss_that_is_not_finite_sets_the_guard(void **state) {
    (void)state;
    static const float bad[] = {NAN, INFINITY};
    for (int b = 0; b < 2; b++)
        for (int32_t kind = AN_LOSS_MSE; kind <= AN_LOSS_BINARY; kind++)
            for (int i = 0; i < 2; i++) {
                float y[SAMPLES * OUTPUTS] = {0}, t[SAMPLES * OUTPUTS] = {0};
                int32_t guard = 0;
                t[1] = 1;
                loss_on(both[b], kind, SAMPLES, y, t, NULL, NULL, &guard);
                assert_int_equal(guard, 0);
                y[1] = bad[0];
                t[1] = i ? bad[1] : t[1];
                loss_on(both[b], kind, SAMPLES, y, t, NULL, NULL, &guard);
                assert_int_equal(guard, 1);
                y[1] = t[1] = 0;
                loss_on(both[b], kind, SAMPLES, y, t, NULL, NULL, &guard);
                assert_int_equal(guard, 1);
            }
}

/* Logits at which exp() alone would overflow or vanish. */
static void probabilities(void **state) {
    (void)state;
    static const float logits[SAMPLES * OUTPUTS] = {0.5f, -1,     2,    0.25f, 900,  899,
                                                    -900, 898.5f, -950, -951,  -949, -1200};
    for (int b = 0; b < 2; b++)
        for (int64_t out = 1; out <= OUTPUTS; out += OUTPUTS - 1) {
            float y[SAMPLES * OUTPUTS];
            memcpy(y, logits, sizeof y);
            arrays a = {.backend = both[b]};
            both[b]->ops->probabilities(both[b], SAMPLES * OUTPUTS / out, out,
                                        changed(&a, y, sizeof y));
            end_arrays(&a);
            for (int64_t i = 0; i < SAMPLES * OUTPUTS; i++) {
                double sum = out == 1 ? 1 + exp(-(double)logits[i]) : 0;
                for (int64_t k = i - i % out; out > 1 && k < i - i % out + out; k++)
                    sum += exp((double)logits[k] - logits[i]);
                expect(both[b], "probability", i, y[i], 1 / sum, few);
            }
        }
}

static void check_dense(int64_t out) {
    enum { N = 3, IN = 37 };
    float *x = floats(N * IN, 1, -1, 1), *w = floats(IN * out, 2, -1, 1),
          *bias = floats(out, 3, -1, 1);
    float *dy = floats(N * out, 4, -1, 1), *y = floats(N * out, 5, 9, 9),
          *dx = floats(N * IN, 5, 9, 9);
    float *dw = floats(IN * out, 5, 9, 9), *db = floats(out, 5, 9, 9);
    for (int b = 0; b < 2; b++) {
        arrays a = {.backend = both[b]};
        const float *on_x = given(&a, x, N * IN * 4), *on_w = given(&a, w, IN * out * 4);
        const float *on_dy = given(&a, dy, N * out * 4), *on_bias = given(&a, bias, out * 4);
        both[b]->ops->dense_forward(both[b], N, IN, out, on_x, on_w, on_bias,
                                    changed(&a, y, N * out * 4));
        both[b]->ops->dense_backward(both[b], N, IN, out, on_x, on_w, on_dy,
                                     changed(&a, dx, N * IN * 4), changed(&a, dw, IN * out * 4),
                                     changed(&a, db, out * 4));
        end_arrays(&a);
        for (int64_t i = 0; i < N * out; i++) {
            double sum = bias[i % out];
            for (int64_t k = 0; k < IN; k++)
                sum += (double)x[i / out * IN + k] * w[k * out + i % out];
            expect(both[b], "y", i, y[i], sum, few * IN);
        }
        for (int64_t i = 0; i < N * IN; i++) {
            double sum = 0;
            for (int64_t o = 0; o < out; o++)
                sum += (double)dy[i / IN * out + o] * w[i % IN * out + o];
            expect(both[b], "dx", i, dx[i], sum, few * out);
        }
        for (int64_t i = 0; i < IN * out; i++) {
            double sum = 0;
            for (int64_t n = 0; n < N; n++)
                sum += (double)x[n * IN + i / out] * dy[n * out + i % out];
            expect(both[b], "dw", i, dw[i], sum, few * N);
        }
        for (int64_t o = 0; o < out; o++)
            expect(both[b], "db", o, db[o], (double)dy[o] + dy[out + o] + dy[2 * out + o], few * N);
    }
    float *all[] = {x, w, bias, dy, y, dx, dw, db};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ani_free(all[i]);
}

/* Few outputs, and more than a piece of work has. */
static void dense(void **state) {
    (void)state;
    check_dense(5);
    check_dense(150);
}

/* --- pooling ---------------------------------------------------------------------------------- */

enum { IMAGES = 3, AREA = 35 };

/* Means and their gradients, with a shortcut's gradient and sums over the rows. */
static void check_pooling(int64_t c, int32_t element, int relu6) {
    const int64_t count = IMAGES * AREA * c, rows = IMAGES * AREA;
    float *zs = floats(count, 1, -9, 9), *adds = floats(count, 2, -1, 1);
    float *scale = floats(c, 3, -2, 2), *shift = floats(c, 4, -1, 5), *mean = floats(c, 5, -1, 1);
    float *dy = floats(IMAGES * c, 6, -9, 9), *y = floats(IMAGES * c, 7, 0, 0);
    void *z = tensor_of(zs, count, element), *add = tensor_of(adds, count, element);
    void *dx = tensor_of(adds, count, element);
    double *sums = ani_alloc_zero(2 * c, sizeof *sums);
    assert_non_null(sums);
    const int64_t size = count * ani_element_size(element);
    for (int b = 0; b < 2; b++) {
        arrays a = {.backend = both[b]};
        const float *on_scale = given(&a, scale, c * 4), *on_shift = given(&a, shift, c * 4);
        const ani_lazy x = {given(&a, z, size), on_scale, on_shift, relu6, element};
        const float *on_dy = given(&a, dy, IMAGES * c * 4);
        const ani_store store = {.dx = changed(&a, dx, size),
                                 .add = given(&a, add, size),
                                 .sums = changed(&a, sums, 2 * c * (int64_t)sizeof *sums),
                                 .z = x.z,
                                 .mean = given(&a, mean, c * 4)};
        both[b]->ops->pool_forward(both[b], IMAGES, AREA, c, &x, changed(&a, y, IMAGES * c * 4));
        both[b]->ops->pool_backward(both[b], IMAGES, AREA, c, on_dy, &x, &store);
        end_arrays(&a);
        for (int64_t i = 0; i < IMAGES * c; i++) {
            double sum = 0;
            for (int64_t p = 0; p < AREA; p++) {
                const int64_t at = (i / c * AREA + p) * c + i % c;
                double value = (double)zs[at] * scale[i % c] + shift[i % c];
                if (relu6) value = value < 0 ? 0 : value > 6 ? 6 : value;
                sum += value / AREA;
            }
            expect(both[b], "mean of an image", i, y[i], sum, 32 * few);
        }
        for (int64_t ch = 0; ch < c; ch++) {
            double sum = 0, product = 0, size_of_sum = 0, size_of_product = 0;
            for (int64_t row = 0; row < rows; row++) {
                const int64_t i = row * c + ch;
                const double value = (double)zs[i] * scale[ch] + shift[ch];
                double want = dy[row / AREA * c + ch] / (double)AREA + adds[i];
                if (relu6 && !(value > 0 && value < 6)) want = 0;
                const double got = element == ANI_BFLOAT16
                                       ? ani_from_bfloat16(((const uint16_t *)dx)[i])
                                       : ((const float *)dx)[i];
                if (fabs(value) > 1e-4 && fabs(value - 6) > 1e-4)
                    expect(both[b], "dx", i, got, want,
                           few + (element == ANI_BFLOAT16 ? 0x1p-8 * fabs(want) : 0));
                sum += got;
                size_of_sum += fabs(got);
                product += got * ((double)zs[i] - mean[ch]);
                size_of_product += fabs(got) * (fabs((double)zs[i]) + fabs((double)mean[ch]));
            }
            const double terms = 8 + 2 * sqrt((double)rows);
            expect(both[b], "sum", ch, sums[ch], sum, terms * 0x1p-24 * size_of_sum);
            expect(both[b], "product", ch, sums[c + ch], product,
                   terms * 0x1p-24 * size_of_product);
        }
    }
    void *all[] = {zs, adds, scale, shift, mean, dy, y, z, add, dx, sums};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ani_free(all[i]);
}

static void pooling(void **state) {
    (void)state;
    static const int64_t channels[] = {1, 5, 24, 300, 1280};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        for (int32_t element = 0; element < ANI_ELEMENTS; element++)
            for (int relu6 = 0; relu6 < 2; relu6++)
                check_pooling(channels[i], element, relu6);
}

/* --- values ----------------------------------------------------------------------------------- */

enum { PIXELS = 19 };

static double value_at(const ani_lazy *x, const float *z, int64_t width, int64_t i) {
    double value = z[i];
    if (x->scale) value = value * x->scale[i % width] + x->shift[i % width];
    if (x->relu6) value = value < 0 ? 0 : value > 6 ? 6 : value;
    return value;
}

static void check_values(int64_t width, int32_t element, int mode) {
    const int64_t count = PIXELS * width, size = count * ani_element_size(element);
    float *scale = floats(width, 3, -2, 2), *shift = floats(width, 4, -1, 5);
    float *zs = floats(count, 1, -9, 9), *rs = floats(count, 2, -9, 9);
    void *z = tensor_of(zs, count, element), *r = tensor_of(rs, count, element);
    void *y = tensor_of(rs, count, element);
    const ani_lazy x = {.z = z,
                        .scale = mode & 1 ? scale : NULL,
                        .shift = mode & 1 ? shift : NULL,
                        .relu6 = (mode & 2) != 0,
                        .element = element};
    const ani_lazy residual = {.z = mode & 4 ? r : NULL, .relu6 = mode & 1, .element = element};
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        low = fmin(low, value_at(&x, zs, width, i));
        high = fmax(high, value_at(&x, zs, width, i));
    }
    for (int b = 0; b < 2; b++) {
        arrays a = {.backend = both[b]};
        ani_range range = {0, 0};
        ani_lazy on_x = x, on_r = residual;
        on_x.z = given(&a, x.z, size);
        on_x.scale = given(&a, x.scale, width * 4);
        on_x.shift = given(&a, x.shift, width * 4);
        on_r.z = given(&a, residual.z, size);
        both[b]->ops->value_range(both[b], PIXELS, width, &on_x, &range);
        both[b]->ops->materialise(both[b], PIXELS, width, &on_x, &on_r, changed(&a, y, size));
        end_arrays(&a);
        expect(both[b], "low", mode, range.low, low, 32 * few);
        expect(both[b], "high", mode, range.high, high, 32 * few);
        for (int64_t i = 0; i < count; i++) {
            const double want =
                value_at(&x, zs, width, i) + (mode & 4 ? value_at(&residual, rs, width, i) : 0);
            const double got =
                element == ANI_BFLOAT16 ? ani_from_bfloat16(((uint16_t *)y)[i]) : ((float *)y)[i];
            expect(both[b], "sum", i, got, want,
                   32 * few + (element == ANI_BFLOAT16 ? 0x1p-8 * fabs(want) : 0));
        }
    }
    void *all[] = {scale, shift, zs, rs, z, r, y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ani_free(all[i]);
}

/* Widths around those of vectors, and more channels than a piece of work has. */
static void values(void **state) {
    (void)state;
    static const int64_t widths[] = {3, 24, 1100};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (int32_t element = 0; element < ANI_ELEMENTS; element++)
            for (int mode = 0; mode < 8; mode++)
                check_values(widths[i], element, mode);
}

static void ranges_pass_over_nan(void **state) {
    (void)state;
    const float z[6] = {NAN, 2, -3, NAN, 4, NAN};
    for (int b = 0; b < 2; b++) {
        arrays a = {.backend = both[b]};
        const ani_lazy x = {.z = given(&a, z, sizeof z)};
        ani_range range = {0, 0};
        both[b]->ops->value_range(both[b], 3, 2, &x, &range);
        end_arrays(&a);
        assert_true(range.low == -3 && range.high == 4);
    }
}

/* --- optimizers ------------------------------------------------------------------------------- */

/* Keras' formulas in double; m and v as they were. */
static void step_by_hand(const ani_optim_step *s, double g, double *w, double *m, double *v) {
    g *= s->squares ? s->clip_norm / sqrt(*s->squares) : 1;
    if (s->kind == AN_OPTIM_SGD) {
        *m = s->momentum * *m - s->rate * g;
        *w += s->nesterov ? s->momentum * *m - s->rate * g : *m;
        return;
    }
    if (s->kind == AN_OPTIM_ADAMW) *w -= *w * s->weight_decay * s->rate;
    *m = s->beta1 * *m + (1 - s->beta1) * g;
    *v = s->beta2 * *v + (1 - s->beta2) * g * g;
    const double rate =
        s->rate * sqrt(1 - pow(s->beta2, (double)s->step)) / (1 - pow(s->beta1, (double)s->step));
    *w -= rate * *m / (sqrt(*v) + s->epsilon);
}

/* A step on a backend. guard: its value. */
static void step_on(an_backend *backend, const ani_optim_step *given_step, int32_t guard, float *w,
                    const float *g, float *m, float *v) {
    arrays a = {.backend = backend};
    const int64_t size = given_step->count * (int64_t)sizeof *w;
    ani_optim_step on = *given_step;
    on.squares = given(&a, given_step->squares, sizeof *given_step->squares);
    on.guard = given(&a, &guard, sizeof guard);
    on.w = changed(&a, w, size);
    on.g = given(&a, g, size);
    on.m = changed(&a, m, size);
    on.v = changed(&a, v, size);
    backend->ops->optim_step(backend, &on);
    end_arrays(&a);
}

/* A norm that is small enough leaves the gradients alone. */
static void small_gradients_are_not_clipped(void **state) {
    (void)state;
    const double squares = 4;
    for (int b = 0; b < 2; b++) {
        float w[2][3] = {{1, 2, 3}, {1, 2, 3}}, m[2][3] = {{0}};
        const float g[3] = {1, -1, 0.5f};
        ani_optim_step s = {
            .kind = AN_OPTIM_SGD, .count = 3, .step = 1, .rate = 0.1, .clip_norm = 2};
        step_on(both[b], &s, 0, w[0], g, m[0], NULL);
        s.squares = &squares;
        step_on(both[b], &s, 0, w[1], g, m[1], NULL);
        assert_memory_equal(w[0], w[1], sizeof w[0]);
        assert_true(w[0][0] < 1);
    }
}

/* Gradients of all sizes, some as small as epsilon, so that its place shows. */
static void optimizers(void **state) {
    (void)state;
    static const int64_t counts[] = {1, 7, 8, 33, 20000}; /* the last: several pieces of work */
    static const int64_t steps[] = {1, 2, 1000};
    for (int b = 0; b < 2; b++)
        for (int mode = 0; mode < 4; mode++) /* Adam, AdamW, SGD, Nesterov */
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
                for (size_t t = 0; t < 3; t++) {
                    const int64_t count = counts[c];
                    float *w = floats(count, 1, -1, 1), *m = floats(count, 2, -1, 1),
                          *g = floats(count, 3, -1, 1);
                    float *v = floats(count, 4, 0, 1), *old = floats(count, 1, -1, 1);
                    for (int64_t i = 0; i < count; i++) {
                        const float size = powf(10, (float)-(i % 10));
                        g[i] *= size;
                        m[i] *= t ? size : 0;
                        v[i] *= t ? size * size : 0;
                    }
                    float *m_old = ani_alloc(count * 4), *v_old = ani_alloc(count * 4);
                    memcpy(m_old, m, (size_t)count * sizeof *m);
                    memcpy(v_old, v, (size_t)count * sizeof *v);
                    static const int32_t kinds[] = {AN_OPTIM_ADAM, AN_OPTIM_ADAMW, AN_OPTIM_SGD,
                                                    AN_OPTIM_SGD};
                    const double squares = 9; /* each gradient is halved, or stays */
                    const ani_optim_step s = {.kind = kinds[mode],
                                              .nesterov = mode == 3,
                                              .count = count,
                                              .step = steps[t],
                                              .rate = 0.01,
                                              .beta1 = 0.9,
                                              .beta2 = 0.999,
                                              .epsilon = 1e-7,
                                              .momentum = 0.8,
                                              .weight_decay = 0.3,
                                              .clip_norm = 1.5,
                                              .squares = c % 2 ? NULL : &squares};
                    step_on(both[b], &s, 1, w, g, m, mode < 2 ? v : NULL);
                    assert_memory_equal(w, old, (size_t)count * sizeof *w);
                    step_on(both[b], &s, 0, w, g, m, mode < 2 ? v : NULL);
                    for (int64_t i = 0; i < count; i++) {
                        double we = old[i], me = m_old[i], ve = v_old[i];
                        step_by_hand(&s, g[i], &we, &me, &ve);
                        /* the update itself is a chain of float operations; w is rounded once more
                         */
                        expect(both[b], "w", i, w[i], we,
                               few * fabs((double)old[i]) + 16 * few * fabs(we - old[i]));
                        expect(both[b], "m", i, m[i], me,
                               few * (fabs((double)m_old[i]) + fabs((double)g[i])));
                        if (mode < 2)
                            expect(both[b], "v", i, v[i], ve,
                                   few * ((double)v_old[i] + (double)g[i] * g[i]) + 1e-40);
                    }
                    float *all[] = {w, m, g, v, old, m_old, v_old};
                    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
                        ani_free(all[i]);
                }
}

static void sums_of_squares(void **state) {
    (void)state;
    static const int64_t counts[] = {0, 1, 9, 4097, 300000};
    float *x = floats(300000, 1, -1, 1);
    for (int b = 0; b < 2; b++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            double got = -1, want = 0;
            for (int64_t i = 0; i < counts[c]; i++)
                want += (double)x[i] * x[i];
            arrays a = {.backend = both[b]};
            const float *on_x = given(&a, x, 300000 * 4);
            both[b]->ops->sum_squares(both[b], counts[c], on_x, changed(&a, &got, sizeof got));
            end_arrays(&a);
            expect(both[b], "sum of squares", counts[c], got, want, 1e-6 * want);
        }
    ani_free(x);
}

static void combinations(void **state) {
    (void)state;
    static const int64_t counts[] = {0, 1, 9, 16385, 50000};
    float *x = floats(50000, 1, -1, 1), *first = floats(50000, 2, -1, 1);
    for (int b = 0; b < 2; b++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            float *y = floats(50000, 2, -1, 1);
            arrays a = {.backend = both[b]};
            const float *on_x = given(&a, x, 50000 * 4);
            both[b]->ops->combine(both[b], counts[c], 0.75, on_x, -3, changed(&a, y, 50000 * 4));
            end_arrays(&a);
            for (int64_t i = 0; i < 50000; i++) {
                const double want = 0.75 * (double)x[i] - 3 * (double)first[i];
                if (i < counts[c])
                    expect(both[b], "sum", i, y[i], want, few * fabs(want));
                else
                    assert_true(y[i] == first[i]);
            }
            ani_free(y);
        }
    ani_free(first);
    ani_free(x);
}

/* With b 0, what y held does not matter. */
static void combinations_without_the_old(void **state) {
    (void)state;
    for (int b = 0; b < 2; b++) {
        float x[3] = {1, 2, 3}, y[3] = {NAN, NAN, 5};
        arrays a = {.backend = both[b]};
        const float *on_x = given(&a, x, sizeof x);
        both[b]->ops->combine(both[b], 3, 2, on_x, 0, changed(&a, y, sizeof y));
        end_arrays(&a);
        assert_true(y[0] == 2 && y[1] == 4 && y[2] == 6);
    }
}

/* --- memory ----------------------------------------------------------------------------------- */

static void memory_begins_zeroed(void **state) {
    (void)state;
    for (int b = 0; b < 2; b++) {
        unsigned char bytes[1000];
        for (int round = 0; round < 2; round++) {
            void *memory = both[b]->ops->alloc(both[b], sizeof bytes);
            assert_non_null(memory);
            both[b]->ops->read(both[b], bytes, memory, sizeof bytes);
            for (size_t i = 0; i < sizeof bytes; i++)
                assert_int_equal(bytes[i], 0);
            both[b]->ops->fill(both[b], memory, 7, sizeof bytes);
            both[b]->ops->free(both[b], memory, sizeof bytes);
        }
    }
}

/* Copies with a guard: only if it is set. Sizes around the widths of accesses. */
static void guarded_copies(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 4, 7, 16, 64, 1001};
    for (int b = 0; b < 2; b++)
        for (int mode = 0; mode < 3; mode++) /* not set, set, none */
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                unsigned char from[1001], to[1001];
                const int32_t guard = mode == 1 ? -3 : 0;
                memset(from, 5, sizeof from);
                memset(to, 9, sizeof to);
                arrays a = {.backend = both[b]};
                const void *on_from = given(&a, from, sizeof from);
                const int32_t *on_guard = given(&a, mode < 2 ? &guard : NULL, sizeof guard);
                both[b]->ops->copy(both[b], changed(&a, to, sizeof to), on_from, sizes[i],
                                   on_guard);
                end_arrays(&a);
                for (int64_t k = 0; k < (int64_t)sizeof to; k++)
                    assert_int_equal(to[k], mode > 0 && k < sizes[i] ? 5 : 9);
            }
}

/* What is sent and fetched is there when its ticket has been reached, and in the order of the
 * calls.
 */
static void sent_and_fetched(void **state) {
    (void)state;
    enum { SIZE = 40000 };
    for (int b = 0; b < 2; b++) {
        an_backend *backend = both[b];
        unsigned char *from = backend->ops->host_alloc(backend, SIZE);
        unsigned char *to = backend->ops->host_alloc(backend, SIZE);
        void *memory = backend->ops->alloc(backend, SIZE);
        int64_t last = 0;
        assert_true(from && to && memory);
        for (int round = 1; round < 6; round++) {
            memset(from, round, SIZE);
            const int64_t sent = backend->ops->send(backend, memory, from, SIZE);
            const int64_t fetched = backend->ops->fetch(backend, to, memory, SIZE);
            assert_true(0 < sent && last <= sent && sent <= fetched);
            last = fetched;
            backend->ops->fill(backend, memory, 0, SIZE);
            assert_int_equal(backend->ops->reach(backend, sent, NULL), AN_OK);
            memset(from, 99, SIZE);
            assert_int_equal(backend->ops->reach(backend, fetched, NULL), AN_OK);
            for (int i = 0; i < SIZE; i++)
                assert_int_equal(to[i], round);
        }
        assert_int_equal(backend->ops->reach(backend, 0, NULL), AN_OK);
        backend->ops->free(backend, memory, SIZE);
        backend->ops->host_free(backend, from, SIZE);
        backend->ops->host_free(backend, to, SIZE);
    }
}

int main(void) {
    if (level_is_absent()) return 77; /* Meson: skipped */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm_forward),
        cmocka_unit_test(batch_norm_by_moving_statistics),
        cmocka_unit_test(batch_norm_gradients),
        cmocka_unit_test(losses),
        cmocka_unit_test(a_loss_that_is_not_finite_sets_the_guard),
        cmocka_unit_test(probabilities),
        cmocka_unit_test(dense),
        cmocka_unit_test(pooling),
        cmocka_unit_test(values),
        cmocka_unit_test(ranges_pass_over_nan),
        cmocka_unit_test(optimizers),
        cmocka_unit_test(small_gradients_are_not_clipped),
        cmocka_unit_test(sums_of_squares),
        cmocka_unit_test(combinations),
        cmocka_unit_test(combinations_without_the_old),
        cmocka_unit_test(memory_begins_zeroed),
        cmocka_unit_test(guarded_copies),
        cmocka_unit_test(sent_and_fetched),
    };
    uint64_t first = 0;
    int failed = 0;
    for (int32_t order = 0; order < (test_device_is_cuda() ? TEST_ORDERS : 1); order++) {
        test_set_order(order);
        hash_of_results = 0;
        failed += cmocka_run_group_tests(tests, open_both, close_both);
        if (order == 0) first = hash_of_results;
        if (hash_of_results == first) continue;
        fprintf(stderr, "the order of threads \"%s\" gives other bits\n", test_order_name(order));
        failed++;
    }
    return failed;
}
