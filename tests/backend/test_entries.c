/* SPDX-License-Identifier: MIT
 * The entries of a backend that are no units: batch norm, pooling, dense, losses, probabilities,
 * materialise, ranges, optimizers, on ref and on cpu, against their definitions in double.
 * Gradients are differences of the definition's own values, so that no formula is written down
 * twice: with a step h central differences in double are off by about h^2 and 1e-16 / h, which is
 * below 1e-8 here.
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
#include "support/level.h"

static const double few = 8 * 0x1p-24, step = 1e-5;

static an_backend *both[2];

static int open_both(void **state) {
    (void)state;
    both[0] = test_backend_make("ref", NULL, 1);
    both[1] = test_backend_make("cpu", NULL, 2);
    return 0;
}

static int close_both(void **state) {
    (void)state;
    an_backend_destroy(both[0]);
    an_backend_destroy(both[1]);
    return 0;
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

/* --- batch norm ------------------------------------------------------------------------------- */

enum { ROWS = 7, CHANNELS = 5 };
#define EPSILON 0.02 /* not Keras', so that a backend cannot have its own */

typedef struct norm {
    float gamma[CHANNELS], beta[CHANNELS], mean[CHANNELS], variance[CHANNELS];
    float scale[CHANNELS], shift[CHANNELS], used_mean[CHANNELS], inv_std[CHANNELS];
    float z[ROWS * CHANNELS], g[ROWS * CHANNELS];
    ani_bn bn;
} norm;

static void make_norm(norm *n) {
    fill(n->gamma, CHANNELS, 1, 0.5, 2);
    fill(n->beta, CHANNELS, 2, -1, 1);
    fill(n->mean, CHANNELS, 3, -1, 1);
    fill(n->variance, CHANNELS, 4, 0.01, 2);
    fill(n->z, ROWS * CHANNELS, 5, -1, 3);
    fill(n->g, ROWS * CHANNELS, 6, -1, 1);
    n->bn = (ani_bn){n->gamma, n->beta,      n->mean,    n->variance, n->scale,
                     n->shift, n->used_mean, n->inv_std, EPSILON};
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
                both[b]->ops->bn_batch(both[b], CHANNELS, rows, moments, 0.9, update, &n.bn);
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
        both[b]->ops->bn_running(both[b], CHANNELS, &n.bn);
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
                both[b]->ops->bn_batch(both[b], CHANNELS, ROWS, moments, 0.9, 0, &n.bn);
            else
                both[b]->ops->bn_running(both[b], CHANNELS, &n.bn);
            for (int64_t i = 0; i < ROWS * CHANNELS; i++) {
                sums[i % CHANNELS] += n.g[i];
                sums[CHANNELS + i % CHANNELS] +=
                    (double)n.g[i] * ((double)n.z[i] - n.used_mean[i % CHANNELS]);
            }
            both[b]->ops->bn_backward(both[b], CHANNELS, ROWS, batch, sums, &n.bn, dgamma, dbeta,
                                      ka, kb, kc);
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
            both[b]->ops->bn_backward(both[b], CHANNELS, ROWS, batch, sums, &n.bn, NULL, NULL, ka,
                                      kb, kc);
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
                both[b]->ops->loss(both[b], kind, SAMPLES, SAMPLES, OUTPUTS, y, t, w, &loss, dy,
                                   NULL);
                both[b]->ops->loss(both[b], kind, SAMPLES, SAMPLES, OUTPUTS, y, t, w, &alone, NULL,
                                   NULL);
                assert_true(loss == alone);
                expect(both[b], "loss", kind, loss, loss_of(kind, y, t, w, -1, 0), 1e-12);
                for (int64_t k = 0; k < SAMPLES * OUTPUTS; k++)
                    expect(both[b], "dy", k, dy[k],
                           (loss_of(kind, y, t, w, k, step) - loss_of(kind, y, t, w, k, -step)) /
                               (2 * step),
                           1e-7);
            }
            /* weights of 1 give the bits of none */
            both[b]->ops->loss(both[b], kind, SAMPLES, SAMPLES, OUTPUTS, y, t, NULL, &loss, dy,
                               NULL);
            both[b]->ops->loss(both[b], kind, SAMPLES, SAMPLES, OUTPUTS, y, t, ones, &alone, same,
                               NULL);
            assert_true(loss == alone);
            assert_memory_equal(same, dy, sizeof dy);
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
            both[b]->ops->probabilities(both[b], SAMPLES * OUTPUTS / out, out, y);
            for (int64_t i = 0; i < SAMPLES * OUTPUTS; i++) {
                double sum = out == 1 ? 1 + exp(-(double)logits[i]) : 0;
                for (int64_t k = i - i % out; out > 1 && k < i - i % out + out; k++)
                    sum += exp((double)logits[k] - logits[i]);
                expect(both[b], "probability", i, y[i], 1 / sum, few);
            }
        }
}

/* More outputs than a piece of work has. */
static void dense(void **state) {
    (void)state;
    enum { N = 3, IN = 37, OUT = 150 };
    float *x = floats(N * IN, 1, -1, 1), *w = floats(IN * OUT, 2, -1, 1),
          *bias = floats(OUT, 3, -1, 1);
    float *dy = floats(N * OUT, 4, -1, 1), *y = floats(N * OUT, 5, 9, 9),
          *dx = floats(N * IN, 5, 9, 9);
    float *dw = floats(IN * OUT, 5, 9, 9), *db = floats(OUT, 5, 9, 9);
    for (int b = 0; b < 2; b++) {
        both[b]->ops->dense_forward(both[b], N, IN, OUT, x, w, bias, y);
        both[b]->ops->dense_backward(both[b], N, IN, OUT, x, w, dy, dx, dw, db);
        for (int64_t i = 0; i < N * OUT; i++) {
            double sum = bias[i % OUT];
            for (int64_t k = 0; k < IN; k++)
                sum += (double)x[i / OUT * IN + k] * w[k * OUT + i % OUT];
            expect(both[b], "y", i, y[i], sum, few * IN);
        }
        for (int64_t i = 0; i < N * IN; i++) {
            double sum = 0;
            for (int64_t o = 0; o < OUT; o++)
                sum += (double)dy[i / IN * OUT + o] * w[i % IN * OUT + o];
            expect(both[b], "dx", i, dx[i], sum, few * OUT);
        }
        for (int64_t i = 0; i < IN * OUT; i++) {
            double sum = 0;
            for (int64_t n = 0; n < N; n++)
                sum += (double)x[n * IN + i / OUT] * dy[n * OUT + i % OUT];
            expect(both[b], "dw", i, dw[i], sum, few * N);
        }
        for (int64_t o = 0; o < OUT; o++)
            expect(both[b], "db", o, db[o], (double)dy[o] + dy[OUT + o] + dy[2 * OUT + o], few * N);
    }
    float *all[] = {x, w, bias, dy, y, dx, dw, db};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ani_free(all[i]);
}

/* --- values ----------------------------------------------------------------------------------- */

enum { PIXELS = 19, WIDTH = 1100 }; /* more channels than a piece of work has */

static double value_at(const ani_lazy *x, const float *z, int64_t i) {
    double value = z[i];
    if (x->scale) value = value * x->scale[i % WIDTH] + x->shift[i % WIDTH];
    if (x->relu6) value = value < 0 ? 0 : value > 6 ? 6 : value;
    return value;
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

static void values(void **state) {
    (void)state;
    enum { COUNT = PIXELS * WIDTH };
    float *scale = floats(WIDTH, 3, -2, 2), *shift = floats(WIDTH, 4, -1, 5);
    for (int32_t element = 0; element < ANI_ELEMENTS; element++)
        for (int mode = 0; mode < 8; mode++) {
            float *zs = floats(COUNT, 1, -9, 9), *rs = floats(COUNT, 2, -9, 9);
            void *z = tensor_of(zs, COUNT, element), *r = tensor_of(rs, COUNT, element);
            void *y = ani_alloc(COUNT * (int64_t)sizeof(float));
            assert_non_null(y);
            const ani_lazy x = {.z = z,
                                .scale = mode & 1 ? scale : NULL,
                                .shift = mode & 1 ? shift : NULL,
                                .relu6 = (mode & 2) != 0,
                                .element = element};
            const ani_lazy residual = {
                .z = mode & 4 ? r : NULL, .relu6 = mode & 1, .element = element};
            double low = INFINITY, high = -INFINITY;
            for (int64_t i = 0; i < COUNT; i++) {
                low = fmin(low, value_at(&x, zs, i));
                high = fmax(high, value_at(&x, zs, i));
            }
            for (int b = 0; b < 2; b++) {
                ani_range range = {0, 0};
                both[b]->ops->value_range(both[b], PIXELS, WIDTH, &x, &range);
                expect(both[b], "low", mode, range.low, low, 32 * few);
                expect(both[b], "high", mode, range.high, high, 32 * few);
                both[b]->ops->materialise(both[b], PIXELS, WIDTH, &x, &residual, y);
                for (int64_t i = 0; i < COUNT; i++) {
                    const double want =
                        value_at(&x, zs, i) + (mode & 4 ? value_at(&residual, rs, i) : 0);
                    const double got = element == ANI_BFLOAT16
                                           ? ani_from_bfloat16(((uint16_t *)y)[i])
                                           : ((float *)y)[i];
                    expect(both[b], "sum", i, got, want,
                           32 * few + (element == ANI_BFLOAT16 ? 0x1p-8 * fabs(want) : 0));
                }
            }
            void *all[] = {zs, rs, z, r, y};
            for (int i = 0; i < 5; i++)
                ani_free(all[i]);
        }
    ani_free(scale);
    ani_free(shift);
}

static void ranges_pass_over_nan(void **state) {
    (void)state;
    const float z[6] = {NAN, 2, -3, NAN, 4, NAN};
    const ani_lazy x = {.z = z};
    for (int b = 0; b < 2; b++) {
        ani_range range = {0, 0};
        both[b]->ops->value_range(both[b], 3, 2, &x, &range);
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

/* Gradients of all sizes, some as small as epsilon, so that its place shows. */
static void optimizers(void **state) {
    (void)state;
    static const int64_t counts[] = {1, 7, 8, 33, 20000}; /* the last: several pieces of work */
    static const int64_t steps[] = {1, 2, 1000};
    const double squares = 9; /* each gradient is halved */
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
                                              .squares = &squares,
                                              .w = w,
                                              .g = g,
                                              .m = m,
                                              .v = mode < 2 ? v : NULL};
                    both[b]->ops->optim_step(both[b], &s);
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
            both[b]->ops->sum_squares(both[b], counts[c], x, &got);
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
            both[b]->ops->combine(both[b], counts[c], 0.75, x, -3, y);
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

int main(void) {
    if (level_is_absent()) return 77; /* Meson: skipped */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm_forward),
        cmocka_unit_test(batch_norm_by_moving_statistics),
        cmocka_unit_test(batch_norm_gradients),
        cmocka_unit_test(losses),
        cmocka_unit_test(probabilities),
        cmocka_unit_test(dense),
        cmocka_unit_test(values),
        cmocka_unit_test(ranges_pass_over_nan),
        cmocka_unit_test(optimizers),
        cmocka_unit_test(sums_of_squares),
        cmocka_unit_test(combinations),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
