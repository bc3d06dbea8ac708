/* SPDX-License-Identifier: MIT
 * Class activation maps against a network computed in double, whose gradients are finite
 * differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/attractivenet.h>

#include "support/arrays.h"
#include "support/backends.h"
#include "support/small_model.h"

enum { UNITS = 9, OUTPUTS = 2, IMAGES = 2, MAX_VALUES = 16 * 16 * 48 };

static float images[IMAGES * PIXELS];

static int set_up(void **state) {
    (void)state;
    uint32_t value = 3;
    for (int i = 0; i < IMAGES * PIXELS; i++) {
        value = value * 1664525u + 1013904223u;
        images[i] = (float)(value >> 8) / 8388608.0f - 1;
    }
    return 0;
}

/* Conv1 to block_2_add of a thin network. At this alpha the first block adds an activated value,
 * and the third one a value without activation. */
static an_model *make_model(an_backend *backend, int32_t task) {
    ani_unit_spec units[ANI_MNV2_UNITS];
    ani_mnv2_pads pads;
    an_model *model = NULL;
    an_arrays *weights = NULL;
    ani_mnv2_pads_for(&pads, AN_PADDING_FIXED, SIDE, SIDE);
    ani_mnv2_units(units, 0.1, &pads);
    const ani_net_spec spec = {units, UNITS, OUTPUTS, SIDE, SIDE, ANI_KERAS_EPSILON};
    const ani_model_facts facts = {.alpha = 0.1, .image = {-1, 1}, .task = task};
    assert_int_equal(ani_model_create(&model, backend, &spec, &facts, NULL), AN_OK);
    assert_int_equal(ani_net_draw(ani_model_net(model), 7, 0, NULL), AN_OK);
    small_model_settle(model, images, IMAGES);
    /* gamma and beta that differ between channels, and a head with a bias */
    assert_int_equal(an_model_copy_weights(&weights, model, NULL), AN_OK);
    for (int64_t i = 0; i < an_arrays_count(weights); i++) {
        const char *name = an_arrays_name(weights, i);
        float *data = (float *)(uintptr_t)an_arrays_data(weights, i);
        const double at = strstr(name, "gamma") ? 1.5 : strstr(name, "/b") ? 0.5 : 0;
        for (int64_t k = 0; at > 0 && k < an_arrays_length(weights, i, 0); k++)
            data[k] = (float)(at + 0.4 * sin((double)(k + i)));
    }
    assert_int_equal(an_model_set_weights(model, weights, NULL), AN_OK);
    an_arrays_destroy(weights);
    return model;
}

/* --- the network in double -------------------------------------------------------------------- */

typedef struct reference {
    const ani_net *net;
    const ani_net_spec *spec;
    an_arrays *weights;
    double (*values)[MAX_VALUES]; /* [UNITS + 1]: the image, then each unit's value */
    double *part;                 /* the output of the explained part */
    int32_t explained, what;      /* unit and part: one channel is raised there */
    int64_t channel;
    double by;
} reference;

static const float *array(const reference *r, const char *layer, const char *variable) {
    char name[128];
    snprintf(name, sizeof name, "%s/%s", layer, variable);
    const int64_t place = an_arrays_find(r->weights, name);
    assert_true(place >= 0);
    return an_arrays_data(r->weights, place);
}

static void raise_channel(const reference *r, int32_t u, int32_t part, double *x, int64_t pixels,
                          int64_t c) {
    if (u != r->explained || part != r->what) return;
    for (int64_t p = 0; p < pixels; p++)
        x[p * c + r->channel] += r->by;
    memcpy(r->part, x, (size_t)(pixels * c) * sizeof *x);
}

static void convolve(const reference *r, int32_t u, double *y) {
    const ani_unit_spec *s = &r->spec->units[u];
    const bool depthwise = s->kind == ANI_UNIT_DEPTHWISE;
    const float *w = array(r, s->conv_name, depthwise ? "depthwise_kernel" : "kernel");
    const double *x = r->values[s->input + 1];
    const int64_t taps = s->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    int64_t h = r->spec->height, width = r->spec->width, oh, ow;
    if (s->input != ANI_INPUT) ani_net_unit_size(r->net, s->input, &h, &width);
    ani_net_unit_size(r->net, u, &oh, &ow);
    for (int64_t i = 0; i < oh * ow * s->cout; i++) {
        const int64_t k = i % s->cout, column = i / s->cout % ow, row = i / s->cout / ow;
        double sum = 0;
        for (int64_t tap = 0; tap < taps * taps; tap++) {
            const int64_t from = row * s->stride + tap / taps - s->pad_top;
            const int64_t at = column * s->stride + tap % taps - s->pad_left;
            if (from < 0 || from >= h || at < 0 || at >= width) continue;
            const double *pixel = x + (from * width + at) * s->cin;
            if (depthwise) sum += pixel[k] * (double)w[tap * s->cin + k];
            for (int64_t c = 0; !depthwise && c < s->cin; c++)
                sum += pixel[c] * (double)w[(tap * s->cin + c) * s->cout + k];
        }
        y[i] = sum;
    }
}

static void run_unit(const reference *r, int32_t u) {
    const ani_unit_spec *s = &r->spec->units[u];
    double *y = r->values[u + 1];
    int64_t oh, ow;
    ani_net_unit_size(r->net, u, &oh, &ow);
    const int64_t pixels = oh * ow, count = pixels * s->cout;
    convolve(r, u, y);
    raise_channel(r, u, ANI_PART_CONVOLUTION, y, pixels, s->cout);
    const float *gamma = array(r, s->bn_name, "gamma"), *beta = array(r, s->bn_name, "beta");
    const float *mean = array(r, s->bn_name, "moving_mean");
    const float *variance = array(r, s->bn_name, "moving_variance");
    for (int64_t i = 0; i < count; i++) {
        const int64_t k = i % s->cout;
        y[i] = (y[i] - (double)mean[k]) / sqrt((double)variance[k] + r->spec->epsilon) *
                   (double)gamma[k] +
               (double)beta[k];
    }
    raise_channel(r, u, ANI_PART_NORM, y, pixels, s->cout);
    for (int64_t i = 0; i < count; i++) {
        if (s->relu6) y[i] = fmin(fmax(y[i], 0), 6);
        if (s->residual != ANI_INPUT) y[i] += r->values[s->residual + 1][i];
    }
    raise_channel(r, u, ANI_PART_VALUE, y, pixels, s->cout);
}

/* The outputs, from unit `first` on: the values before it stay. */
static void run_reference(const reference *r, int32_t first, double outputs[OUTPUTS]) {
    for (int32_t u = first; u < r->spec->unit_count; u++)
        run_unit(r, u);
    const float *w = array(r, "dense", "kernel"), *bias = array(r, "dense", "bias");
    const int64_t c = ani_net_features(r->net);
    int64_t h, width;
    ani_net_unit_size(r->net, r->spec->unit_count - 1, &h, &width);
    const double *x = r->values[r->spec->unit_count];
    for (int o = 0; o < OUTPUTS; o++) {
        outputs[o] = (double)bias[o];
        for (int64_t i = 0; i < h * width * c; i++)
            outputs[o] += x[i] * (double)w[i % c * OUTPUTS + o] / (double)(h * width);
    }
}

/* Write the map of one image, without a sign rule; return the largest sum of absolute terms. */
static double reference_map(reference *r, const float *image, int32_t output, double *map) {
    const double by = 1e-6;
    const int64_t c = r->spec->units[r->explained].cout;
    static double part[MAX_VALUES];
    int64_t h, w;
    ani_net_unit_size(r->net, r->explained, &h, &w);
    for (int i = 0; i < PIXELS; i++)
        r->values[0][i] = (double)image[i];
    double outputs[OUTPUTS], low[OUTPUTS], largest = 0;
    r->by = 0;
    run_reference(r, 0, outputs);
    if (output < 0) output = outputs[1] > outputs[0];
    memcpy(part, r->part, sizeof part);
    memset(map, 0, (size_t)(h * w) * sizeof *map);
    double *size = calloc((size_t)(h * w), sizeof *size);
    assert_non_null(size);
    for (r->channel = 0; r->channel < c; r->channel++) {
        r->by = by;
        run_reference(r, r->explained, outputs);
        r->by = -by;
        run_reference(r, r->explained, low);
        const double mean = (outputs[output] - low[output]) / (2 * by) / (double)(h * w);
        for (int64_t p = 0; p < h * w; p++) {
            map[p] += mean * part[p * c + r->channel];
            size[p] += fabs(mean * part[p * c + r->channel]);
            largest = fmax(largest, size[p]);
        }
    }
    free(size);
    return largest;
}

/* --- tests ------------------------------------------------------------------------------------ */

/* A rounded activation's error grows from unit to unit, by far less than this. */
#define TOLERANCE 2e-4

static void explain_layer(an_model *model, reference *r, const char *layer, int32_t output,
                          int32_t sign, const char *label) {
    double wanted[256];
    float *maps = calloc(IMAGES * 256, sizeof *maps);
    int32_t h = 0, w = 0;
    an_error err = {0};
    an_explain_options options;
    an_explain_options_init(&options, sizeof options);
    options.layer = layer;
    options.output = output;
    options.sign = sign;
    assert_non_null(maps);
    if (an_model_explain_size(model, layer, &h, &w, &err)) fail_msg("%s", err.message);
    assert_true(h * w <= 256);
    if (an_model_explain(model, images, IMAGES, &options, maps, &err)) fail_msg("%s", err.message);
    for (int i = 0; i < IMAGES; i++) {
        const double limit =
            TOLERANCE * reference_map(r, images + (ptrdiff_t)i * PIXELS, output, wanted);
        double highest = 0;
        for (int p = 0; p < h * w; p++) {
            const double got = (double)maps[i * h * w + p];
            double value = wanted[p];
            if (sign == AN_EXPLAIN_LOWERS) value = -value;
            if (sign != AN_EXPLAIN_SIGNED) value = fmax(value, 0);
            highest = fmax(highest, fabs(value));
            if (!(fabs(got - value) <= limit))
                fail_msg("%s, %s, image %d, pixel %d: %.9g; it must be %.9g +- %.2g", label, layer,
                         i, p, got, value, limit);
        }
        if (sign == AN_EXPLAIN_SIGNED && highest < 50 * limit)
            fail_msg("%s, %s: the map is too flat to say anything", label, layer);
    }
    free(maps);
}

static void maps_of_each_kind_of_layer_match_finite_differences(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int32_t unit, part;
    } layers[] = {
        {"block_2_add", 8, ANI_PART_VALUE},
        {"block_2_project_BN", 8, ANI_PART_NORM},
        {"block_2_project", 8, ANI_PART_CONVOLUTION},
        {"block_2_depthwise_relu", 7, ANI_PART_VALUE},
        {"block_2_expand_BN", 6, ANI_PART_NORM},
        {"block_1_project_BN", 5, ANI_PART_VALUE}, /* goes on in two ways */
        {"block_1_project", 5, ANI_PART_CONVOLUTION},
        {"block_1_depthwise", 4, ANI_PART_CONVOLUTION},
        {"expanded_conv_add", 2, ANI_PART_VALUE},
        {"expanded_conv_depthwise_BN", 1, ANI_PART_NORM},
        {"Conv1_relu", 0, ANI_PART_VALUE}, /* goes on in two ways, one of them before its mask */
        {"bn_Conv1", 0, ANI_PART_NORM},
        {"Conv1", 0, ANI_PART_CONVOLUTION},
    };
    test_backend backends[TEST_BACKENDS];
    const int32_t count = test_backends(backends, 0);
    reference r = {0};
    r.values = calloc(UNITS + 1, sizeof *r.values);
    r.part = calloc(MAX_VALUES, sizeof *r.part);
    assert_true(r.values && r.part);
    for (int32_t b = 0; b < count; b++) {
        an_backend *backend = test_backend_open(&backends[b]);
        an_model *model = make_model(backend, AN_TASK_REGRESSION);
        r.net = ani_model_net(model);
        r.spec = ani_net_spec_of(r.net);
        assert_int_equal(an_model_copy_weights(&r.weights, model, NULL), AN_OK);
        /* what training would store has no influence */
        assert_int_equal(an_model_set_training(model, AN_PRECISION_MIXED, 1, NULL), AN_OK);
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
            r.explained = layers[i].unit;
            r.what = layers[i].part;
            explain_layer(model, &r, layers[i].name, (int32_t)i % 3 - 1, AN_EXPLAIN_SIGNED,
                          backends[b].label);
        }
        for (int32_t sign = AN_EXPLAIN_RAISES; sign <= AN_EXPLAIN_LOWERS; sign++)
            explain_layer(model, &r, "Conv1", 1, sign, backends[b].label);
        an_arrays_destroy(r.weights);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
    free(r.part);
    free(r.values);
}

/* A whole network with classes, whose last maps lead straight to the logits. */
static void the_last_maps_add_up_to_the_logit(void **state) {
    (void)state;
    enum { SIZE = 64, CLASSES = 3, MAP = 2 * 2 };
    static float x[IMAGES * SIZE * SIZE * 3], features[IMAGES * 1280];
    float signed_maps[CLASSES][IMAGES * MAP], maps[IMAGES * MAP];
    an_backend *backend = test_backend_make("cpu", NULL, 2);
    an_model *model = NULL;
    an_arrays *weights = NULL;
    an_mobilenetv2_options net;
    an_explain_options options;
    an_error err = {0};
    double logits[IMAGES][CLASSES];
    for (int i = 0; i < IMAGES * SIZE * SIZE * 3; i++)
        x[i] = images[i % (IMAGES * PIXELS)];
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SIZE;
    net.alpha = 0.1;
    net.outputs = CLASSES;
    net.task = AN_TASK_CLASSIFICATION;
    if (an_mobilenetv2_create(&model, backend, &net, &err)) fail_msg("%s", err.message);
    small_model_settle(model, x, IMAGES);
    assert_int_equal(an_model_copy_weights(&weights, model, NULL), AN_OK);
    assert_int_equal(an_model_compute_features(model, x, IMAGES, features, NULL), AN_OK);
    const float *w = an_arrays_data(weights, an_arrays_find(weights, "dense/kernel"));
    an_explain_options_init(&options, sizeof options);
    options.sign = AN_EXPLAIN_SIGNED;
    for (int o = 0; o < CLASSES; o++) {
        options.output = o;
        if (an_model_explain(model, x, IMAGES, &options, signed_maps[o], &err))
            fail_msg("%s", err.message);
        for (int i = 0; i < IMAGES; i++) {
            double sum = 0, size = 0;
            logits[i][o] = 0; /* the head's bias is 0 */
            for (int k = 0; k < 1280; k++) {
                const double term = (double)features[i * 1280 + k] * (double)w[k * CLASSES + o];
                logits[i][o] += term;
                size += fabs(term);
            }
            for (int p = 0; p < MAP; p++)
                sum += (double)signed_maps[o][i * MAP + p];
            if (!(fabs(sum - logits[i][o]) <= 2e-5 * size))
                fail_msg("image %d, class %d: %.9g; the logit is %.9g", i, o, sum, logits[i][o]);
        }
    }
    /* by default, that of the largest output of each image */
    if (an_model_explain(model, x, IMAGES, NULL, maps, &err)) fail_msg("%s", err.message);
    for (int i = 0; i < IMAGES; i++) {
        int best = 0;
        for (int o = 1; o < CLASSES; o++)
            if (logits[i][o] > logits[i][best]) best = o;
        for (int p = i * MAP; p < (i + 1) * MAP; p++)
            assert_true(maps[p] == (signed_maps[best][p] > 0 ? signed_maps[best][p] : 0));
    }
    an_arrays_destroy(weights);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* Weights, statistics, gradients, and what the next step makes of them. */
static void an_explanation_leaves_the_model_as_it_was(void **state) {
    (void)state;
    static const float y[IMAGES * OUTPUTS] = {1, 3, 2, 5};
    an_backend *backend = test_backend_make("cpu", NULL, 2);
    an_model *model = make_model(backend, AN_TASK_REGRESSION);
    an_model *other = make_model(backend, AN_TASK_REGRESSION);
    an_model *const both[] = {model, other};
    an_arrays *weights[2] = {0}, *gradients[2] = {0};
    an_loss_options loss;
    an_explain_options options;
    float map[256];
    double losses[2] = {0};
    an_explain_options_init(&options, sizeof options);
    options.layer = "Conv1";
    an_loss_options_init(&loss, sizeof loss);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(an_model_set_base(both[i], AN_BASE_TRAIN, NULL), AN_OK);
        loss.accumulate = 0;
        assert_int_equal(an_model_compute_gradients(both[i], images, y, 1, &loss, NULL, NULL),
                         AN_OK);
        if (both[i] == model)
            assert_int_equal(an_model_explain(model, images + PIXELS, 1, &options, map, NULL),
                             AN_OK);
        loss.accumulate = 1;
        assert_int_equal(an_model_compute_gradients(both[i], images + PIXELS, y + OUTPUTS, 1, &loss,
                                                    &losses[i], NULL),
                         AN_OK);
        if (both[i] == model)
            assert_int_equal(an_model_explain(model, images, 1, NULL, map, NULL), AN_OK);
        assert_int_equal(an_model_copy_weights(&weights[i], both[i], NULL), AN_OK);
        assert_int_equal(an_model_copy_gradients(&gradients[i], both[i], NULL), AN_OK);
    }
    assert_true(losses[0] == losses[1]);
    assert_true(same_arrays(weights[0], weights[1]));
    assert_true(same_arrays(gradients[0], gradients[1]));
    for (int i = 0; i < 2; i++) {
        an_arrays_destroy(weights[i]);
        an_arrays_destroy(gradients[i]);
        an_model_destroy(both[i]);
    }
    an_backend_destroy(backend);
}

/* After the weights have changed, with any number of threads, and from a copy that shares them. */
static void maps_follow_the_weights_and_have_the_same_bits_on_any_number_of_threads(void **state) {
    (void)state;
    float maps[4][8 * 8], first[8 * 8];
    an_explain_options options;
    an_explain_options_init(&options, sizeof options);
    options.sign = AN_EXPLAIN_SIGNED;
    options.layer = "block_1_depthwise_relu";
    for (int threads = 1; threads <= 3; threads++) {
        an_backend *backend = test_backend_make("cpu", NULL, threads);
        an_model *model = make_model(backend, AN_TASK_REGRESSION), *copy = NULL;
        assert_int_equal(an_model_explain(model, images, 1, &options, first, NULL), AN_OK);
        assert_int_equal(an_model_reset_head(model, 99, NULL), AN_OK);
        assert_int_equal(an_model_explain(model, images, 1, &options, maps[threads - 1], NULL),
                         AN_OK);
        assert_memory_not_equal(maps[threads - 1], first, sizeof first);
        assert_int_equal(an_model_copy(&copy, model, NULL, AN_SHARE_WEIGHTS, NULL), AN_OK);
        assert_int_equal(an_model_explain(copy, images, 1, &options, maps[3], NULL), AN_OK);
        assert_memory_equal(maps[0], maps[3], sizeof first);
        assert_memory_equal(maps[0], maps[threads - 1], sizeof first);
        an_model_destroy(copy);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
}

/* Only what the backward pass down to the layer needs is kept. */
static void maps_of_late_layers_need_little_memory(void **state) {
    (void)state;
    enum { SIZE = 160 };
    static const char *const layers[] = {"out_relu", "Conv1"};
    static float x[SIZE * SIZE * 3], map[SIZE * SIZE / 4];
    const float y = 1;
    int64_t sizes[3];
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_mobilenetv2_options net;
    an_explain_options options;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SIZE;
    net.alpha = 0.35;
    an_explain_options_init(&options, sizeof options);
    for (int i = 0; i < 3; i++) {
        an_model *model = NULL;
        assert_int_equal(an_mobilenetv2_create(&model, backend, &net, NULL), AN_OK);
        if (i < 2) {
            options.layer = layers[i];
            assert_int_equal(an_model_explain(model, x, 1, &options, map, NULL), AN_OK);
        } else {
            assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, NULL), AN_OK);
            assert_int_equal(an_model_compute_gradients(model, x, &y, 1, NULL, NULL, NULL), AN_OK);
        }
        sizes[i] = ani_net_arena_size(ani_model_net(model));
        an_model_destroy(model);
    }
    assert_true(sizes[0] < sizes[1] / 2);
    assert_true(sizes[1] <= sizes[2]);
    an_backend_destroy(backend);
}

static void a_map_of_weights_with_nan_is_nan(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    float map = 0;
    an_arrays *weights = NULL;
    assert_int_equal(an_model_copy_weights(&weights, model, NULL), AN_OK);
    *(float *)(uintptr_t)an_arrays_data(weights, an_arrays_find(weights, "dense/kernel")) = NAN;
    assert_int_equal(an_model_set_weights(model, weights, NULL), AN_OK);
    assert_int_equal(an_model_explain(model, images, 1, NULL, &map, NULL), AN_OK);
    assert_true(isnan(map));
    an_arrays_destroy(weights);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void a_layer_gives_the_size_of_its_maps(void **state) {
    (void)state;
    static const struct {
        const char *layer;
        int32_t height, width;
    } sizes[] = {{NULL, 2, 1}, {"out_relu", 2, 1}, {"block_3_depthwise", 8, 4}, {"Conv1", 32, 16}};
    an_backend *backend = test_backend_make("ref", NULL, 1);
    an_model *model = NULL;
    an_mobilenetv2_options net;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = 64;
    net.width = 32;
    net.alpha = 0.1;
    assert_int_equal(an_mobilenetv2_create(&model, backend, &net, NULL), AN_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int32_t h = 0, w = 0;
        assert_int_equal(an_model_explain_size(model, sizes[i].layer, &h, &w, NULL), AN_OK);
        if (h != sizes[i].height || w != sizes[i].width)
            fail_msg("%s: %dx%d", sizes[i].layer, (int)h, (int)w);
    }
    an_model_destroy(model);
    an_backend_destroy(backend);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_of_each_kind_of_layer_match_finite_differences),
        cmocka_unit_test(the_last_maps_add_up_to_the_logit),
        cmocka_unit_test(an_explanation_leaves_the_model_as_it_was),
        cmocka_unit_test(maps_follow_the_weights_and_have_the_same_bits_on_any_number_of_threads),
        cmocka_unit_test(maps_of_late_layers_need_little_memory),
        cmocka_unit_test(a_map_of_weights_with_nan_is_nan),
        cmocka_unit_test(a_layer_gives_the_size_of_its_maps),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
