/* SPDX-License-Identifier: MIT
 * Models: save and load, batches, finite differences, update of batch norm, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

#include "layers/model.h"
#include "mobilenetv2/build.h"
#include "support/backends.h"
#include "support/folder.h"
#include "support/small_model.h"

static void fill(float *x, int64_t count) {
    uint32_t state = 12345;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / (1 << 23) - 1;
    }
}

static void save_then_load_is_identity(void **state) {
    (void)state;
    char *folder = folder_make();
    const char *path = folder_path(folder, "model.safetensors");
    float x[2 * PIXELS], before[6], after[6];
    an_error error;
    an_backend *backend = test_backend_make("cpu", NULL, 2);
    an_model *model = small_model(backend, 3, AN_TASK_CLASSIFICATION), *loaded = NULL;
    fill(x, 2 * PIXELS);
    small_model_settle(model, x, 2);
    assert_int_equal(an_model_predict(model, x, 2, before, NULL), AN_OK);
    if (an_model_save(model, path, &error)) fail_msg("%s", error.message);
    if (an_model_load(&loaded, backend, path, NULL, &error)) fail_msg("%s", error.message);
    an_backend_destroy(backend); /* the models hold it */
    an_model_info a = {.struct_size = sizeof a}, b = {.struct_size = sizeof b};
    assert_int_equal(an_model_describe(model, &a, NULL), AN_OK);
    assert_int_equal(an_model_describe(loaded, &b, NULL), AN_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(an_model_predict(loaded, x, 2, after, NULL), AN_OK);
    assert_memory_equal(before, after, sizeof before);
    assert_true(fabsf(before[0] + before[1] + before[2] - 1) < 1e-6f);
    an_model_destroy(loaded);
    an_model_destroy(model);
    folder_remove(folder);
}

static void two_are_two_of_one(void **state) {
    (void)state;
    float x[2 * PIXELS], both[2], single[2];
    an_backend *backend = test_backend_make("ref", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    fill(x, 2 * PIXELS);
    small_model_settle(model, x, 2);
    assert_int_equal(an_model_predict(model, x, 2, both, NULL), AN_OK);
    assert_int_equal(an_model_predict(model, x, 1, &single[0], NULL), AN_OK);
    assert_int_equal(an_model_predict(model, x + PIXELS, 1, &single[1], NULL), AN_OK);
    assert_memory_equal(both, single, sizeof both);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* The first nine units, Conv1 to block_2_add: deep enough for every kind of wiring, and shallow
 * enough for differences, which 52 batch norms over four images would bend. */
static an_model *make_shallow(an_backend *backend) {
    ani_unit_spec units[ANI_MNV2_UNITS];
    ani_mnv2_pads pads;
    an_model *model = NULL;
    ani_mnv2_pads_for(&pads, AN_PADDING_FIXED, SIDE, SIDE);
    ani_mnv2_units(units, 0.1, &pads);
    assert_int_equal(units[2].residual, 0);
    const ani_net_spec spec = {units, 9, 1, SIDE, SIDE, ANI_KERAS_EPSILON};
    const ani_model_facts facts = {.alpha = 0.1};
    assert_int_equal(ani_model_create(&model, backend, &spec, &facts, NULL), AN_OK);
    assert_int_equal(ani_net_draw(ani_model_net(model), 7, 0, NULL), AN_OK);
    return model;
}

static double loss_of(an_model *model, const float *x, const float *y, int64_t n) {
    double loss;
    assert_int_equal(an_model_compute_gradients(model, x, y, n, NULL, &loss, NULL), AN_OK);
    return loss;
}

/* Along the gradient itself the loss must rise by step * |gradient|^2: central differences, so that
 * the error is of second order; float32 forward, hence a limit of 2 %. */
static void expect_slope(an_model *model, const float *x, const float *y, int64_t n) {
    ani_net *net = ani_model_net(model);
    const double loss = loss_of(model, x, y, n);
    for (int64_t i = 0; i < ani_net_array_count(net); i++) {
        const ani_net_array *array = ani_net_array_at(net, i);
        if (array->moving) continue;
        const size_t size = (size_t)array->count * sizeof(float);
        float *w = malloc(size), *g = malloc(size), *moved = malloc(size);
        double squares = 0, side[2];
        loss_of(model, x, y, n);
        ani_net_read_array(net, array, w);
        ani_net_read_gradient(net, array, g);
        for (int64_t k = 0; k < array->count; k++)
            squares += (double)g[k] * g[k];
        /* at most 0.001 long, so that few activations cross 0 or 6 on the way */
        const double step = squares > 0 ? fmin(2e-4 * loss / squares, 1e-3 / sqrt(squares)) : 0;
        for (int32_t s = 0; s < 2; s++) {
            for (int64_t k = 0; k < array->count; k++)
                moved[k] = (float)(w[k] + (s ? step : -step) * g[k]);
            ani_net_write_array(net, array, moved);
            side[s] = loss_of(model, x, y, n);
        }
        ani_net_write_array(net, array, w);
        const double rise = (side[1] - side[0]) / (2 * step), limit = 0.02;
        if (squares > 1e-6 && !(fabs(rise / squares - 1) < limit))
            fail_msg("%s/%s: slope %.6g, squared gradient %.6g", array->layer, array->variable,
                     rise, squares);
        free(moved);
        free(g);
        free(w);
    }
}

static void gradients_are_slopes(void **state) {
    (void)state;
    static const int32_t bases[] = {AN_BASE_TRAIN, AN_BASE_FINETUNE};
    float x[4 * PIXELS], y[4] = {1, 4, 2, 3};
    an_backend *backend = test_backend_make("ref", NULL, 1);
    fill(x, 4 * PIXELS);
    for (size_t i = 0; i < 2; i++) {
        an_model *model = make_shallow(backend);
        small_model_settle(model, x, 4);
        assert_int_equal(an_model_set_base(model, bases[i], NULL), AN_OK);
        assert_int_equal(an_model_set_momentum(model, 1, NULL), AN_OK);
        expect_slope(model, x, y, 4);
        an_model_destroy(model);
    }
    an_backend_destroy(backend);
}

/* A backend of the host reads images where they are: at any address, and nothing behind them. */
static void images_may_lie_anywhere(void **state) {
    (void)state;
    static const int32_t bases[] = {AN_BASE_TRAIN, AN_BASE_FINETUNE};
    float aligned[3 * PIXELS], y[3] = {1, 4, 2};
    float *apart = malloc((3 * PIXELS + 1) * sizeof *apart); /* as long as the images, to a byte */
    test_backend backends[TEST_BACKENDS];
    const int32_t count = test_backends(backends, 1);
    assert_non_null(apart);
    fill(aligned, 3 * PIXELS);
    memcpy(apart + 1, aligned, sizeof aligned);
    for (int32_t k = 0; k < 4 * count; k++) {
        double loss[2];
        an_arrays *gradients[2];
        an_backend *backend = test_backend_open(&backends[k / 4]);
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        assert_int_equal(an_model_set_base(model, bases[k % 2], NULL), AN_OK);
        assert_int_equal(an_model_set_training(model, k / 2 % 2 ? AN_PRECISION_MIXED : 0, 0, NULL),
                         AN_OK);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(an_model_compute_gradients(model, i ? apart + 1 : aligned, y, 3, NULL,
                                                        &loss[i], NULL),
                             AN_OK);
            assert_int_equal(an_model_copy_gradients(&gradients[i], model, NULL), AN_OK);
        }
        assert_true(loss[0] == loss[1]);
        for (int64_t i = 0; i < an_arrays_count(gradients[0]); i++) {
            int64_t length = 1;
            for (int32_t axis = 0; axis < an_arrays_rank(gradients[0], i); axis++)
                length *= an_arrays_length(gradients[0], i, axis);
            assert_memory_equal(an_arrays_data(gradients[0], i), an_arrays_data(gradients[1], i),
                                (size_t)length * sizeof(float));
        }
        an_arrays_destroy(gradients[0]);
        an_arrays_destroy(gradients[1]);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
    free(apart);
}

/* The list of layers adds up, and is cut where the caller's room ends. */
static void summary_of_layers(void **state) {
    (void)state;
    static char text[1 << 16], part[64];
    an_backend *backend = test_backend_make("ref", NULL, 1);
    an_model *model = small_model(backend, 3, AN_TASK_CLASSIFICATION);
    const int64_t needed = an_model_summary(model, AN_SUMMARY_LAYERS, text, sizeof text);
    an_model_info info = {.struct_size = sizeof info};
    assert_int_equal(needed, strlen(text) + 1);
    assert_int_equal(an_model_describe(model, &info, NULL), AN_OK);
    static const char *const rows[] = {
        "\ninput                        InputLayer                 (32, 32, 3)                   "
        "0\n",
        "\nConv1                        Conv2D 3x3 /2              (16, 16, 8)                 216 "
        " "
        "(0,1),(0,1)\nbn_Conv1                     BatchNormalization         (16, 16, 8)         "
        "         32\nConv1_relu                   ReLU6                      (16, 16, 8)         "
        "          0\n",
        "\nexpanded_conv_depthwise      DepthwiseConv2D 3x3        (16, 16, 8)                  72 "
        " "
        "(1,1),(1,1)\n",
        "\nexpanded_conv_add            Add                        (16, 16, 8)                   0 "
        " "
        "Conv1_relu\n",
        "\nblock_1_expand               Conv2D 1x1                 (16, 16, 48)                384 "
        " "
        "(0,0),(0,0)\n",
        "\nglobal_average_pooling2d     GlobalAveragePooling2D     (1280)                        "
        "0\n",
        "\ndense                        Dense                      (3)                        "
        "3843\n"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strstr(text, rows[i])) fail_msg("no row%sin:\n%.1500s", rows[i], text);
    int64_t sum = 0;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && rest && *rest;)
        if (strlen(line) > 80 && strncmp(line, "layer", 5) != 0) sum += atoll(line + 77);
    assert_int_equal(sum, info.parameters);
    /* cut, and without any room */
    memset(part, 'x', sizeof part);
    assert_int_equal(an_model_summary(model, AN_SUMMARY_LAYERS, part, 6), needed);
    assert_string_equal(part, "layer");
    assert_int_equal(part[6], 'x');
    assert_int_equal(an_model_summary(model, AN_SUMMARY_LAYERS, NULL, 0), needed);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* A file keeps every bit of alpha, and a height and a width. */
static void odd_models_are_saved(void **state) {
    (void)state;
    enum { WIDTH = 48, COUNT = 2 * SIDE * WIDTH * 3 };
    char *folder = folder_make();
    const char *path = folder_path(folder, "model.safetensors");
    static float x[COUNT];
    float features[2 * 1280], y[2], again[2];
    an_mobilenetv2_options options;
    an_model *model = NULL, *loaded = NULL;
    an_error error;
    an_backend *backend = test_backend_make("ref", NULL, 1);
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = SIDE;
    options.width = WIDTH;
    options.alpha = 0.1 + 0.2; /* 17 digits */
    assert_int_equal(an_mobilenetv2_create(&model, backend, &options, NULL), AN_OK);
    if (an_model_save(model, path, &error)) fail_msg("%s", error.message);
    if (an_model_load(&loaded, backend, path, NULL, &error)) fail_msg("%s", error.message);
    folder_remove(folder);
    an_model_info info = {.struct_size = sizeof info};
    assert_int_equal(an_model_describe(loaded, &info, NULL), AN_OK);
    assert_true(info.height == SIDE && info.width == WIDTH);
    assert_memory_equal(&info.alpha, &options.alpha, sizeof info.alpha);
    /* in two steps it predicts the same; with another head it does not */
    fill(x, COUNT);
    small_model_settle(loaded, x, 2);
    assert_int_equal(an_model_predict(loaded, x, 2, y, NULL), AN_OK);
    assert_int_equal(an_model_compute_features(loaded, x, 2, features, NULL), AN_OK);
    assert_int_equal(an_model_predict_from_features(loaded, features, 2, again, NULL), AN_OK);
    assert_memory_equal(again, y, sizeof y);
    assert_int_equal(an_model_reset_head(loaded, 5, NULL), AN_OK);
    assert_int_equal(an_model_predict_from_features(loaded, features, 2, again, NULL), AN_OK);
    assert_true(again[0] < y[0] || again[0] > y[0]);
    assert_int_equal(an_model_reset_head(loaded, 42, NULL), AN_OK); /* the seed of the first one */
    assert_int_equal(an_model_predict_from_features(loaded, features, 2, again, NULL), AN_OK);
    assert_memory_equal(again, y, sizeof y);
    an_model_destroy(model);
    an_model_destroy(loaded);
    an_backend_destroy(backend);
}

/* What cannot be run is told with the unit that is wrong. */
/* More images than go at once. */
static void many_are_many_of_one(void **state) {
    (void)state;
    enum { MANY = 70, OUTPUTS = 3 };
    int differ = 0;
    float *x = malloc(MANY * PIXELS * sizeof *x), all[MANY * OUTPUTS], one[OUTPUTS];
    an_backend *backend = test_backend_make("cpu", NULL, 2);
    an_model *model = small_model(backend, OUTPUTS, AN_TASK_REGRESSION);
    assert_non_null(x);
    fill(x, MANY * PIXELS);
    for (int64_t i = 0; i < MANY * PIXELS; i++) /* images that differ */
        x[i] *= (float)(i / PIXELS % 7 + 1) / 7;
    small_model_settle(model, x, 7);
    assert_int_equal(an_model_predict(model, x, MANY, all, NULL), AN_OK);
    for (int64_t i = 0; i < MANY; i++) {
        assert_int_equal(an_model_predict(model, x + i * PIXELS, 1, one, NULL), AN_OK);
        for (int k = 0; k < OUTPUTS; k++)
            assert_true(all[i * OUTPUTS + k] == one[k]);
        differ += fabsf(one[0] - one[1]) > 1e-3f && fabsf(one[1] - one[2]) > 1e-3f;
    }
    assert_true(differ > MANY / 2);
    an_model_destroy(model);
    an_backend_destroy(backend);
    free(x);
}

/* Keras' GlorotUniform: within sqrt(6 / (fan in + fan out)), fans counting the kernel's area; a
 * depthwise kernel [3,3,c,1] has 9*c and 9. Of hundreds of uniform numbers the largest comes near
 * the limit, and their mean square is a third of its square. */
static void random_weights_fill_their_range(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("ref", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    const ani_net *net = ani_model_net(model);
    int32_t checked = 0;
    for (int64_t i = 0; i < ani_net_array_count(net); i++) {
        const ani_net_array *array = ani_net_array_at(net, i);
        float *values = malloc((size_t)array->count * sizeof *values);
        assert_non_null(values);
        ani_net_read_array(net, array, values);
        if (array->rank == 1) {
            const float want =
                !strcmp(array->variable, "gamma") || !strcmp(array->variable, "moving_variance");
            for (int64_t k = 0; k < array->count; k++)
                assert_true(values[k] == want);
        } else if (array->count >= 500) {
            const double area = array->rank == 4 ? (double)(array->shape[0] * array->shape[1]) : 1;
            const double fans =
                area * (double)(array->shape[array->rank - 2] + array->shape[array->rank - 1]);
            const double limit = sqrt(6 / fans);
            double largest = 0, squares = 0;
            for (int64_t k = 0; k < array->count; k++) {
                largest = fmax(largest, fabs((double)values[k]));
                squares += (double)values[k] * values[k] / (double)array->count;
            }
            /* 500 squares: a deviation of 4 % of their mean */
            if (!(largest <= limit * 1.000001 && largest > 0.95 * limit) ||
                !(fabs(3 * squares / (limit * limit) - 1) < 0.2))
                fail_msg("%s: up to %g, mean square %g, where the limit is %g", array->layer,
                         largest, squares, limit);
            checked++;
        }
        free(values);
    }
    assert_true(checked > 5);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void networks_that_cannot_be_run(void **state) {
    (void)state;
#define SHAPE "has a shape that no convolution here has"
    static const struct {
        int32_t unit, field; /* offset of an int32_t in the unit, or ... */
        int64_t value;
        const char *message;
    } cases[] = {
#define FIELD(name) offsetof(ani_unit_spec, name)
        {1, FIELD(stride), 3, "network: unit 1 ('b') " SHAPE},
        {1, FIELD(stride), 0, "network: unit 1 ('b') " SHAPE},
        {2, FIELD(stride), 2, "network: unit 2 ('c') " SHAPE},
        {2, FIELD(pad_top), 1, "network: unit 2 ('c') " SHAPE},
        {1, FIELD(pad_left), -1, "network: unit 1 ('b') " SHAPE},
        {0, FIELD(pad_right), 3, "network: unit 0 ('a') " SHAPE},
        {1, FIELD(cout), 16, "network: unit 1 ('b') " SHAPE},
        {1, FIELD(kind), 9, "network: unit 1 ('b') " SHAPE},
        {1, FIELD(cin), 0, "network: unit 1 ('b') " SHAPE},
        {0, FIELD(cin), 4, "network: unit 0 ('a') has other channels than its input"},
        {1, FIELD(input), 1, "network: unit 1 ('b') does not read the value of a unit before it"},
        {1, FIELD(input), -1, "network: unit 1 ('b') does not read the value of a unit before it"},
        {2, FIELD(input), 0, "network: unit 2 ('c') reads a value that another unit convolves"},
        {2, FIELD(residual), 2, "network: unit 2 ('c') adds no value of a unit before it"},
        {2, FIELD(relu6), 1, "network: unit 2 ('c') has a residual after an activation"},
        {2, FIELD(cout), 16, "network: unit 2 ('c') adds a value of another shape"},
        {3, FIELD(residual), 0, "network: unit 3 ('d') adds a value that is added already"},
        {0, FIELD(cout), INT64_MAX, "no memory for a network's weights: its size overflows"},
#undef FIELD
    };
    static const ani_unit_spec good[4] = {
        {"a", "an", "av", ANI_UNIT_FULL, 1, 1, ANI_INPUT, ANI_INPUT, 1, 1, 1, 1, 0, 3, 8},
        {"b", "bn", "bv", ANI_UNIT_DEPTHWISE, 1, 1, 0, ANI_INPUT, 1, 1, 1, 1, 0, 8, 8},
        {"c", "cn", "cv", ANI_UNIT_POINTWISE, 1, 0, 1, 0, 0, 0, 0, 0, 0, 8, 8},
        {"d", "dn", "dv", ANI_UNIT_POINTWISE, 1, 0, 2, ANI_INPUT, 0, 0, 0, 0, 0, 8, 8}};
    an_backend *backend = test_backend_make("ref", NULL, 1);
    ani_unit_spec units[4];
    an_error error;
    ani_net *net = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(units, good, sizeof units);
        uint8_t *field = (uint8_t *)&units[cases[i].unit] + cases[i].field;
        const bool wide = cases[i].field >= (int32_t)offsetof(ani_unit_spec, cin);
        memcpy(field, &cases[i].value, wide ? 8 : 4); /* little-endian */
        const int32_t count = cases[i].value == INT64_MAX ? 1 : 4;
        const ani_net_spec spec = {units, count, 1, 8, 8, ANI_KERAS_EPSILON};
        const an_status st = ani_net_create(&net, backend, &spec, &error);
        assert_string_equal(error.message, cases[i].message);
        assert_int_equal(st, count == 1 ? AN_ERR_NOMEM : AN_ERR_ARG);
        assert_null(net);
    }
    static const ani_net_spec specs[] = {
        {good, 0, 1, 8, 8, 1e-3}, {good, 4, 0, 8, 8, 1e-3},
        {good, 4, 1, 0, 8, 1e-3}, {good, 4, 1, 8, 65537, 1e-3},
        {good, 4, 1, 8, 8, 0},    {good, 4, 1, 8, 8, (double)INFINITY}};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        assert_int_equal(ani_net_create(&net, backend, &specs[i], &error), AN_ERR_ARG);
        if (i == 3)
            assert_string_equal(error.message,
                                "network: 4 units, 1 outputs, 8x65537 pixels; one is out of range");
    }
    assert_string_equal(error.message,
                        "network: batch norm's epsilon is inf; it must be finite and above 0");
    memcpy(units, good, sizeof units);
    units[0].pad_top = units[0].pad_bottom = 0;
    const ani_net_spec small = {units, 4, 1, 2, 8, ANI_KERAS_EPSILON};
    assert_int_equal(ani_net_create(&net, backend, &small, &error), AN_ERR_ARG);
    assert_string_equal(error.message, "network: unit 0 ('a') has no output: too small");
    const ani_net_spec right = {good, 4, 1, 8, 8, ANI_KERAS_EPSILON};
    assert_int_equal(ani_net_create(&net, backend, &right, &error), AN_OK);
    ani_net_destroy(net);
    an_backend_destroy(backend);
#undef SHAPE
}

static void refused(void **state) {
    (void)state;
    float x[1] = {0}, y[1] = {0};
    an_error error;
    an_backend *backend = test_backend_make("ref", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    an_arrays *arrays = NULL;
    assert_int_equal(an_model_predict(model, x, 0, y, &error), AN_ERR_ARG);
    assert_int_equal(an_model_predict(model, NULL, 1, y, &error), AN_ERR_ARG);
    assert_int_equal(an_model_set_base(model, 4, &error), AN_ERR_ARG);
    assert_int_equal(an_model_set_momentum(model, NAN, &error), AN_ERR_ARG);
    assert_int_equal(an_model_copy_gradients(&arrays, model, &error), AN_ERR_ARG);
    assert_int_equal(an_model_update_batch_norm_end(model, &error), AN_ERR_ARG);
    assert_int_equal(an_arrays_create(&arrays, NULL), AN_OK);
    assert_int_equal(an_model_set_weights(model, arrays, &error), AN_ERR_FORMAT);
    assert_string_equal(error.message, "weights: there is no 'Conv1/kernel'");
    const int64_t shape[4] = {3, 3, 3, 16};
    float kernel[432] = {0};
    assert_int_equal(an_arrays_add(arrays, "Conv1/kernel", kernel, shape, 4, NULL), AN_OK);
    assert_int_equal(an_model_set_weights(model, arrays, &error), AN_ERR_FORMAT);
    assert_string_equal(error.message, "weights: 'Conv1/kernel' has shape [3,3,3,16]; "
                                       "'Conv1/kernel' of the network has [3,3,3,8]");
    an_arrays_destroy(arrays);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* Intervals are part of the file and of copies, and void once a weight changes. */
static void intervals_belong_to_the_weights(void **state) {
    (void)state;
    static const double half_widths[] = {0.25, 1.5};
    an_error error;
    an_bytes *bytes = NULL;
    an_model *again = NULL, *copy = NULL;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, 2, AN_TASK_REGRESSION);
    double level = 0;
    assert_true(isnan(an_model_interval(model, 0, &level)) && isnan(level));
    assert_int_equal(an_model_set_intervals(model, 0.9, half_widths, 2, &error), AN_OK);
    assert_int_equal(an_model_save_bytes(&bytes, model, &error), AN_OK);
    assert_int_equal(an_model_load_bytes(&again, backend, an_bytes_data(bytes),
                                         an_bytes_size(bytes), "intervals", NULL, &error),
                     AN_OK);
    for (int32_t share = AN_COPY_WEIGHTS; share <= AN_SHARE_WEIGHTS; share++) {
        assert_int_equal(an_model_copy(&copy, again, NULL, share, &error), AN_OK);
        assert_true(an_model_interval(copy, 0, NULL) == 0.25);
        assert_true(an_model_interval(copy, 1, &level) == 1.5 && level == 0.9);
        assert_true(isnan(an_model_interval(copy, 2, NULL)));
        an_model_destroy(copy);
    }
    assert_int_equal(an_model_reset_head(model, 3, &error), AN_OK);
    assert_true(isnan(an_model_interval(model, 0, NULL)));
    assert_int_equal(an_model_set_intervals(model, 0.9, half_widths, 2, &error), AN_OK);
    assert_int_equal(an_model_set_intervals(model, 0, NULL, 0, &error), AN_OK);
    assert_true(isnan(an_model_interval(model, 0, NULL)));
    an_bytes_destroy(bytes);
    an_model_destroy(again);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(intervals_belong_to_the_weights),
                                       cmocka_unit_test(save_then_load_is_identity),
                                       cmocka_unit_test(two_are_two_of_one),
                                       cmocka_unit_test(gradients_are_slopes),
                                       cmocka_unit_test(images_may_lie_anywhere),
                                       cmocka_unit_test(summary_of_layers),
                                       cmocka_unit_test(odd_models_are_saved),
                                       cmocka_unit_test(many_are_many_of_one),
                                       cmocka_unit_test(random_weights_fill_their_range),
                                       cmocka_unit_test(networks_that_cannot_be_run),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
