/* SPDX-License-Identifier: MIT
 * Batch and moving statistics of a network against a forward pass of our own in double: what
 * an update of batch norm stores, what the base mode "statistics" computes and moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/layers.h>
#include <attractivenet/mobilenetv2.h>

#include "layers/model.h"
#include "mobilenetv2/build.h"
#include "support/backends.h"

/* Conv1 to block_2_add of alpha 0.1: every kind of unit, and a shortcut. */
enum { SIDE = 20, PIXELS = SIDE * SIDE * 3, UNITS = 9, OUTPUTS = 2, BATCH = 3, BATCHES = 3 };

static an_error err;

/* --- a network in double ---------------------------------------------------------------------- */

/** The value of a unit, and its batch statistics. */
typedef struct value {
    int64_t n, h, w, c;
    double *x;
    double mean[64], variance[64]; /* variance with N/(N-1), as a moving update takes it */
} value;

static float *array_of(ani_net *net, int64_t index, int64_t count) {
    const ani_net_array *array = ani_net_array_at(net, index);
    float *values = malloc((size_t)array->count * sizeof *values);
    assert_int_equal(array->count, count);
    ani_net_read_array(net, array, values);
    return values;
}

static void convolve(const ani_unit_spec *s, const value *in, const float *w, value *out) {
    const int64_t k = s->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    const bool depthwise = s->kind == ANI_UNIT_DEPTHWISE;
    out->n = in->n;
    out->h = (in->h + s->pad_top + s->pad_bottom - k) / s->stride + 1;
    out->w = (in->w + s->pad_left + s->pad_right - k) / s->stride + 1;
    out->c = s->cout;
    out->x = calloc((size_t)(out->n * out->h * out->w * out->c), sizeof *out->x);
    for (int64_t o = 0; o < out->n * out->h * out->w * out->c; o++) {
        const int64_t co = o % out->c, column = o / out->c % out->w;
        const int64_t row = o / out->c / out->w % out->h, image = o / out->c / out->w / out->h;
        for (int64_t tap = 0; tap < k * k; tap++) {
            const int64_t i = row * s->stride + tap / k - s->pad_top;
            const int64_t j = column * s->stride + tap % k - s->pad_left;
            if (i < 0 || i >= in->h || j < 0 || j >= in->w) continue;
            const double *x = in->x + ((image * in->h + i) * in->w + j) * in->c;
            if (depthwise) out->x[o] += x[co] * (double)w[tap * in->c + co];
            for (int64_t ci = 0; !depthwise && ci < in->c; ci++)
                out->x[o] += x[ci] * (double)w[(tap * in->c + ci) * out->c + co];
        }
    }
}

/* Batch norm by the batch's own statistics, then the activation, then the shortcut. */
static void normalise(const ani_unit_spec *s, value *v, const float *gamma, const float *beta,
                      const value *residual) {
    const int64_t rows = v->n * v->h * v->w;
    for (int64_t c = 0; c < v->c; c++) {
        double mean = 0, squares = 0;
        for (int64_t i = 0; i < rows; i++)
            mean += v->x[i * v->c + c] / (double)rows;
        for (int64_t i = 0; i < rows; i++)
            squares += pow(v->x[i * v->c + c] - mean, 2);
        v->mean[c] = mean;
        v->variance[c] = squares / (double)(rows - 1);
        const double scale = (double)gamma[c] / sqrt(squares / (double)rows + 1e-3);
        for (int64_t i = c; i < rows * v->c; i += v->c) {
            double y = (v->x[i] - mean) * scale + (double)beta[c];
            if (s->relu6) y = fmin(fmax(y, 0), 6);
            v->x[i] = y + (residual ? residual->x[i] : 0);
        }
    }
}

static void forward(ani_net *net, const float *x, int64_t n, value values[UNITS]) {
    value image = {.n = n, .h = SIDE, .w = SIDE, .c = 3};
    image.x = malloc((size_t)(n * PIXELS) * sizeof *image.x);
    for (int64_t i = 0; i < n * PIXELS; i++)
        image.x[i] = (double)x[i];
    for (int32_t u = 0; u < UNITS; u++) {
        const ani_unit_spec *s = &ani_net_spec_of(net)->units[u];
        const int64_t taps = s->kind == ANI_UNIT_POINTWISE ? 1 : 9;
        float *w =
            array_of(net, 5 * u, taps * s->cin * (s->kind == ANI_UNIT_DEPTHWISE ? 1 : s->cout));
        float *gamma = array_of(net, 5 * u + 1, s->cout), *beta = array_of(net, 5 * u + 2, s->cout);
        convolve(s, s->input == ANI_INPUT ? &image : &values[s->input], w, &values[u]);
        normalise(s, &values[u], gamma, beta,
                  s->residual == ANI_INPUT ? NULL : &values[s->residual]);
        free(beta);
        free(gamma);
        free(w);
    }
    free(image.x);
}

static void release(value values[UNITS]) {
    for (int32_t u = 0; u < UNITS; u++)
        free(values[u].x);
}

/* --- the model under test --------------------------------------------------------------------- */

static float images[BATCHES * BATCH * PIXELS];

static an_model *make(an_backend *backend) {
    ani_unit_spec units[ANI_MNV2_UNITS];
    ani_mnv2_pads pads;
    an_model *model = NULL;
    ani_mnv2_pads_for(&pads, AN_PADDING_TUTORIAL, SIDE, SIDE);
    ani_mnv2_units(units, 0.1, &pads);
    const ani_net_spec spec = {units, UNITS, OUTPUTS, SIDE, SIDE, ANI_KERAS_EPSILON};
    const ani_model_facts facts = {.alpha = 0.1};
    if (ani_model_create(&model, backend, &spec, &facts, &err)) fail_msg("%s", err.message);
    ani_net *net = ani_model_net(model);
    assert_int_equal(ani_net_draw(net, 7, 0, NULL), AN_OK);
    /* gamma and beta that do something */
    for (int64_t i = 0; i < 5 * UNITS; i++) {
        const ani_net_array *array = ani_net_array_at(net, i);
        if (i % 5 != 1 && i % 5 != 2) continue;
        float *values = array_of(net, i, array->count);
        for (int64_t k = 0; k < array->count; k++)
            values[k] += 0.3f * sinf((float)(i + 3 * k));
        ani_net_write_array(net, array, values);
        free(values);
    }
    return model;
}

static int set_up(void **state) {
    (void)state;
    uint32_t seed = 99;
    for (int64_t i = 0; i < BATCHES * BATCH * PIXELS; i++) {
        seed = seed * 1664525u + 1013904223u;
        /* batches of different brightness and contrast: their statistics differ */
        const int64_t batch = i / (BATCH * PIXELS);
        images[i] = (float)(batch + 1) * ((float)(seed >> 8) / (1 << 24) - 0.3f);
    }
    return 0;
}

/* Sums of some hundred products in float32, one layer after the other: about 1e-6 each. */
static void expect_near(const char *label, const char *what, int32_t unit, int64_t index,
                        double got, double want, double size) {
    if (!(fabs(got - want) <= 2e-5 * size))
        fail_msg("%s: %s %lld of unit %d is %.9g; it must be %.9g", label, what, (long long)index,
                 unit, got, want);
}

static void expect_moving(const char *label, ani_net *net, int32_t u, const double *mean,
                          const double *variance) {
    const int64_t c = ani_net_spec_of(net)->units[u].cout;
    float *means = array_of(net, 5 * u + 3, c), *variances = array_of(net, 5 * u + 4, c);
    for (int64_t k = 0; k < c; k++) {
        expect_near(label, "mean", u, k, (double)means[k], mean[k],
                    fabs(mean[k]) + sqrt(variance[k]));
        expect_near(label, "variance", u, k, (double)variances[k], variance[k], variance[k]);
    }
    free(variances);
    free(means);
}

/* --- tests ------------------------------------------------------------------------------------ */

/* What is stored is the mean over the batches, each weighed by its images; the last is smaller.
 */
static void an_update_of_batch_norm_stores_means(void **state) {
    (void)state;
    static const int64_t sizes[BATCHES] = {BATCH, BATCH, 2};
    test_backend backends[TEST_BACKENDS];
    const int32_t count = test_backends(backends, 0);
    for (int32_t b = 0; b < count; b++) {
        an_backend *backend = test_backend_open(&backends[b]);
        an_model *model = make(backend);
        ani_net *net = ani_model_net(model);
        double mean[UNITS][64] = {{0}}, variance[UNITS][64] = {{0}};
        /* one that was begun and given up leaves nothing */
        assert_int_equal(an_model_update_batch_norm_begin(model, &err), AN_OK);
        assert_int_equal(an_model_update_batch_norm_add(model, images + PIXELS, 2, &err), AN_OK);
        assert_int_equal(an_model_update_batch_norm_begin(model, &err), AN_OK);
        for (int64_t i = 0; i < BATCHES; i++) {
            const float *x = images + i * BATCH * PIXELS;
            value values[UNITS];
            forward(net, x, sizes[i], values);
            for (int32_t u = 0; u < UNITS; u++)
                for (int64_t k = 0; k < values[u].c; k++) {
                    mean[u][k] += values[u].mean[k] * (double)sizes[i] / 8;
                    variance[u][k] += values[u].variance[k] * (double)sizes[i] / 8;
                }
            release(values);
            assert_int_equal(an_model_update_batch_norm_add(model, x, sizes[i], &err), AN_OK);
        }
        /* nothing changes before the end */
        float *before = array_of(net, 3, ani_net_spec_of(net)->units[0].cout);
        for (int64_t k = 0; k < ani_net_spec_of(net)->units[0].cout; k++)
            assert_true(before[k] == 0);
        free(before);
        assert_int_equal(an_model_update_batch_norm_end(model, &err), AN_OK);
        for (int32_t u = 0; u < UNITS; u++)
            expect_moving(backends[b].label, net, u, mean[u], variance[u]);
        assert_int_equal(an_model_update_batch_norm_end(model, &err), AN_ERR_ARG);
        assert_string_equal(err.message, "model: no batch was added to the update of batch norm");
        assert_int_equal(an_model_update_batch_norm_add(model, images, 1, &err), AN_ERR_ARG);
        assert_string_equal(err.message, "model: no update of batch norm was begun");
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
}

/* Base mode "statistics": the loss and the head's gradients by the batch's statistics, moving ones
 * pulled towards those, weights of the base without a gradient. */
static void statistics_mode(void **state) {
    (void)state;
    const float target[BATCH * OUTPUTS] = {1, -1, 0.5f, 2, 0, 3};
    test_backend backends[TEST_BACKENDS];
    const int32_t count = test_backends(backends, 0);
    for (int32_t b = 0; b < count; b++) {
        an_backend *backend = test_backend_open(&backends[b]);
        an_model *model = make(backend);
        ani_net *net = ani_model_net(model);
        value values[UNITS];
        forward(net, images, BATCH, values);
        const value *last = &values[UNITS - 1];
        const int64_t features = last->c, pixels = last->h * last->w;
        float *kernel = array_of(net, 5 * UNITS, features * OUTPUTS);
        double pooled[BATCH][64] = {{0}}, y[BATCH][OUTPUTS] = {{0}}, loss = 0;
        for (int64_t i = 0; i < BATCH * pixels * features; i++)
            pooled[i / features / pixels][i % features] += last->x[i] / (double)pixels;
        for (int64_t n = 0; n < BATCH; n++)
            for (int64_t o = 0; o < OUTPUTS; o++) {
                for (int64_t k = 0; k < features; k++)
                    y[n][o] += pooled[n][k] * (double)kernel[k * OUTPUTS + o];
                y[n][o] -= (double)target[n * OUTPUTS + o];
                loss += y[n][o] * y[n][o] / (BATCH * OUTPUTS);
            }
        double got;
        assert_int_equal(an_model_set_base(model, AN_BASE_STATISTICS, &err), AN_OK);
        assert_int_equal(an_model_set_momentum(model, 0.25, &err), AN_OK);
        if (an_model_compute_gradients(model, images, target, BATCH, NULL, &got, &err))
            fail_msg("%s", err.message);
        expect_near(backends[b].label, "loss", -1, 0, got, loss, loss);
        an_arrays *gradients = NULL;
        assert_int_equal(an_model_copy_gradients(&gradients, model, &err), AN_OK);
        assert_int_equal(an_arrays_count(gradients), 2);
        const float *dw = an_arrays_data(gradients, an_arrays_find(gradients, "dense/kernel"));
        const float *db = an_arrays_data(gradients, an_arrays_find(gradients, "dense/bias"));
        for (int64_t o = 0; o < OUTPUTS; o++) {
            double bias = 0, size = 0;
            for (int64_t n = 0; n < BATCH; n++) {
                bias += 2 * y[n][o] / (BATCH * OUTPUTS);
                size += 2 * fabs(y[n][o]) / (BATCH * OUTPUTS);
            }
            expect_near(backends[b].label, "bias gradient", -1, o, (double)db[o], bias, size);
            for (int64_t k = 0; k < features; k++) {
                double slope = 0, most = 0;
                for (int64_t n = 0; n < BATCH; n++) {
                    slope += 2 * y[n][o] * pooled[n][k] / (BATCH * OUTPUTS);
                    most += 2 * fabs(y[n][o]) * (fabs(pooled[n][k]) + 1) / (BATCH * OUTPUTS);
                }
                expect_near(backends[b].label, "gradient", -1, k, (double)dw[k * OUTPUTS + o],
                            slope, most);
            }
        }
        /* at the start the moving ones are 0 and 1 */
        for (int32_t u = 0; u < UNITS; u++) {
            for (int64_t k = 0; k < values[u].c; k++) {
                values[u].mean[k] *= 0.75;
                values[u].variance[k] = 0.75 * values[u].variance[k] + 0.25;
            }
            expect_moving(backends[b].label, net, u, values[u].mean, values[u].variance);
        }
        an_arrays_destroy(gradients);
        free(kernel);
        release(values);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
}

/* Training by batch statistics has the same loss and moves the same; the modes by moving statistics
 * leave them alone. */
static void what_moves_in_which_mode(void **state) {
    (void)state;
    const float target[BATCH * OUTPUTS] = {1, -1, 0.5f, 2, 0, 3};
    an_backend *backend = test_backend_make("cpu", NULL, 2);
    double loss[4];
    float *moving[4];
    const int64_t c = 8;
    for (int32_t base = AN_BASE_FROZEN; base <= AN_BASE_FINETUNE; base++) {
        an_model *model = make(backend);
        assert_int_equal(an_model_set_base(model, base, &err), AN_OK);
        assert_int_equal(
            an_model_compute_gradients(model, images, target, BATCH, NULL, &loss[base], &err),
            AN_OK);
        moving[base] = array_of(ani_model_net(model), 3, c);
        an_model_destroy(model);
    }
    assert_memory_equal(&loss[AN_BASE_STATISTICS], &loss[AN_BASE_TRAIN], sizeof *loss);
    assert_true(fabs(loss[AN_BASE_FROZEN] - loss[AN_BASE_FINETUNE]) < 1e-5 * loss[AN_BASE_FROZEN]);
    assert_true(fabs(loss[AN_BASE_FROZEN] - loss[AN_BASE_TRAIN]) > 1e-3 * loss[AN_BASE_FROZEN]);
    assert_memory_equal(moving[AN_BASE_STATISTICS], moving[AN_BASE_TRAIN],
                        (size_t)c * sizeof(float));
    for (int64_t k = 0; k < c; k++) {
        assert_true(moving[AN_BASE_FROZEN][k] == 0 && moving[AN_BASE_FINETUNE][k] == 0);
        assert_true(moving[AN_BASE_TRAIN][k] != 0);
    }
    for (int32_t base = 0; base < 4; base++)
        free(moving[base]);
    an_backend_destroy(backend);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_of_batch_norm_stores_means),
        cmocka_unit_test(statistics_mode),
        cmocka_unit_test(what_moves_in_which_mode),
    };
    return cmocka_run_group_tests_name("statistics", tests, set_up, NULL);
}
