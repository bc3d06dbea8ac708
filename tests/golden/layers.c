/* SPDX-License-Identifier: MIT
 * Topic layers: every kind of layer, forward and backward, against float64, on every backend and
 * level. */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/layers.h>

#include "support/backends.h"

/** One case on one backend. */
typedef struct layer_case {
    const st_file *file;
    const char *name;
    char label[160]; /* backend and case */
    an_backend *backend;
    const json_t *facts;
} layer_case;

static void must(const layer_case *c, an_status st, const an_error *error) {
    if (st) fail_msg("%s: %s", c->label, error->message);
}

/* An array of the case as a tensor; rank 1 for a scalar's [1]. */
static an_tensor *input(const layer_case *c, const char *key) {
    const st_array *array = st_find(c->file, "%s.%s", c->name, key);
    an_tensor *tensor = NULL;
    if (!array) fail_msg("%s: no array '%s'", c->label, key);
    assert_int_equal(an_tensor_create(&tensor, array->shape, array->rank, NULL), AN_OK);
    float *values = st_floats(array);
    memcpy(an_tensor_data(tensor), values, (size_t)array->count * sizeof *values);
    free(values);
    return tensor;
}

/* A tensor of the shape of another, full of a number that no result has. */
static an_tensor *output_like(const an_tensor *other) {
    int64_t shape[AN_TENSOR_MAX_RANK];
    an_tensor *tensor = NULL;
    for (int32_t axis = 0; axis < an_tensor_rank(other); axis++)
        shape[axis] = an_tensor_length(other, axis);
    assert_int_equal(an_tensor_create(&tensor, shape, an_tensor_rank(other), NULL), AN_OK);
    for (int64_t i = 0; i < an_tensor_count(tensor); i++)
        an_tensor_data(tensor)[i] = 12345;
    return tensor;
}

static void compare(const layer_case *c, const char *key, const an_tensor *got) {
    const st_array *truth = st_find(c->file, "%s.%s.f64", c->name, key);
    char label[256];
    snprintf(label, sizeof label, "%s %s", c->label, key);
    if (!truth) fail_msg("%s: no truth", label);
    assert_int_equal(truth->count, an_tensor_count(got));
    double *want = st_doubles(truth);
    const bool weight = !strncmp(key, "d_", 2);
    expect_close(label, an_tensor_const_data(got), want, truth->count, weight ? 1e-6 : 1e-5,
                 weight ? 2e-5 : 1e-5);
    free(want);
}

static int64_t pad(const layer_case *c, size_t direction, size_t side) {
    const json_t *pads = json_object_get(c->facts, "pad");
    return json_integer_value(json_array_get(json_array_get(pads, direction), side));
}

/* "same" of a 3x3 window with stride 2: the smaller half first. */
static void same_pads(int64_t length, int32_t *before, int32_t *after) {
    const int64_t total = (length + 1) / 2 * 2 + 1 - length;
    *before = (int32_t)(total / 2);
    *after = (int32_t)(total - total / 2);
}

static void check_conv(const layer_case *c, const char *kind) {
    an_conv_options o;
    an_error error;
    const char *kernel = strstr(kind, "Depthwise") ? "depthwise_kernel" : "kernel";
    an_tensor *x = input(c, "x"), *w = input(c, kernel), *g = input(c, "g");
    an_tensor *y = output_like(g), *dx = output_like(x), *dw = output_like(w);
    an_conv_options_init(&o, sizeof o);
    if (strstr(kind, "Depthwise")) o.kind = AN_CONV_DEPTHWISE;
    if (strstr(kind, "stride 2")) o.stride = 2;
    if (json_object_get(c->facts, "pad")) {
        o.pad_top = (int32_t)pad(c, 0, 0);
        o.pad_bottom = (int32_t)pad(c, 0, 1);
        o.pad_left = (int32_t)pad(c, 1, 0);
        o.pad_right = (int32_t)pad(c, 1, 1);
    } else if (strstr(kind, "stride 2 same")) {
        same_pads(an_tensor_length(x, 1), &o.pad_top, &o.pad_bottom);
        same_pads(an_tensor_length(x, 2), &o.pad_left, &o.pad_right);
    } else if (strstr(kind, "3x3")) {
        o.pad_top = o.pad_bottom = o.pad_left = o.pad_right = 1;
    }
    char key[40];
    snprintf(key, sizeof key, "d_%s", kernel);
    must(c, an_conv_forward(c->backend, &o, x, w, y, &error), &error);
    must(c, an_conv_backward(c->backend, &o, x, w, g, dx, dw, &error), &error);
    compare(c, "y", y);
    compare(c, "dx", dx);
    compare(c, key, dw);
    an_tensor *all[] = {x, w, g, y, dx, dw};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        an_tensor_destroy(all[i]);
}

/* NAME.train or NAME.infer: inputs lie under NAME. */
static void check_norm(const layer_case *c) {
    const char *dot = strrchr(c->name, '.');
    const int32_t training = !strcmp(dot, ".train");
    char base[96];
    an_error error;
    snprintf(base, sizeof base, "%.*s", (int)(dot - c->name), c->name);
    layer_case in = *c;
    in.name = base;
    an_tensor *x = input(&in, "x"), *gamma = input(&in, "gamma"), *beta = input(&in, "beta");
    an_tensor *mean = input(&in, "moving_mean"), *variance = input(&in, "moving_variance");
    an_tensor *g = input(&in, "g"), *y = output_like(x), *dx = output_like(x);
    an_tensor *dgamma = output_like(gamma), *dbeta = output_like(beta);
    must(c,
         an_batch_norm_backward(c->backend, x, gamma, mean, variance, training, g, dx, dgamma,
                                dbeta, &error),
         &error);
    must(c,
         an_batch_norm_forward(c->backend, x, gamma, beta, mean, variance, 0.999, training, y,
                               &error),
         &error);
    compare(c, "y", y);
    compare(c, "dx", dx);
    compare(c, "d_gamma", dgamma);
    compare(c, "d_beta", dbeta);
    if (training) {
        compare(c, "new_moving_mean", mean);
        compare(c, "new_moving_variance", variance);
    }
    an_tensor *all[] = {x, gamma, beta, mean, variance, g, y, dx, dgamma, dbeta};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        an_tensor_destroy(all[i]);
}

static void check_relu6(const layer_case *c) {
    an_error error;
    an_tensor *x = input(c, "x"), *g = input(c, "g"), *y = output_like(x), *dx = output_like(x);
    must(c, an_relu6_forward(c->backend, x, y, &error), &error);
    must(c, an_relu6_backward(c->backend, x, g, dx, &error), &error);
    compare(c, "y", y);
    compare(c, "dx", dx);
    an_tensor *all[] = {x, g, y, dx};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        an_tensor_destroy(all[i]);
}

static void check_add(const layer_case *c) {
    an_error error;
    an_tensor *a = input(c, "x"), *b = input(c, "b"), *y = output_like(a);
    must(c, an_add_forward(c->backend, a, b, y, &error), &error);
    compare(c, "y", y);
    an_tensor_destroy(y);
    an_tensor_destroy(b);
    an_tensor_destroy(a);
}

static void check_pool(const layer_case *c) {
    an_error error;
    an_tensor *x = input(c, "x"), *g = input(c, "g"), *y = output_like(g), *dx = output_like(x);
    must(c, an_pool_forward(c->backend, x, y, &error), &error);
    must(c, an_pool_backward(c->backend, g, dx, &error), &error);
    compare(c, "y", y);
    compare(c, "dx", dx);
    an_tensor *all[] = {x, g, y, dx};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        an_tensor_destroy(all[i]);
}

static void check_dense(const layer_case *c) {
    an_error error;
    an_tensor *x = input(c, "x"), *w = input(c, "kernel"), *b = input(c, "bias");
    an_tensor *g = input(c, "g"), *y = output_like(g);
    an_tensor *dx = output_like(x), *dw = output_like(w), *db = output_like(b);
    must(c, an_dense_forward(c->backend, x, w, b, y, &error), &error);
    must(c, an_dense_backward(c->backend, x, w, g, dx, dw, db, &error), &error);
    compare(c, "y", y);
    compare(c, "dx", dx);
    compare(c, "d_kernel", dw);
    compare(c, "d_bias", db);
    an_tensor *all[] = {x, w, b, g, y, dx, dw, db};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        an_tensor_destroy(all[i]);
}

/* The gradient that arrives at the loss is the number g. */
static void check_mse(const layer_case *c) {
    an_error error;
    double loss;
    an_tensor *x = input(c, "x"), *flat = input(c, "target"), *dx = output_like(x), *target = NULL;
    const int64_t shape[2] = {an_tensor_length(x, 0), an_tensor_length(x, 1)};
    must(c, an_tensor_borrow(&target, an_tensor_data(flat), shape, 2, &error), &error);
    must(c, an_loss_compute(c->backend, AN_LOSS_MSE, x, target, NULL, &loss, dx, &error), &error);
    const double want = st_value(st_find(c->file, "%s.y.f64", c->name), 0);
    if (!(loss >= want - 1e-5 && loss <= want + 1e-5))
        fail_msg("%s: loss is %.9g, expected %.9g", c->label, loss, want);
    const double g = st_value(st_find(c->file, "%s.g", c->name), 0);
    for (int64_t i = 0; i < an_tensor_count(dx); i++)
        an_tensor_data(dx)[i] = (float)(an_tensor_data(dx)[i] * g);
    compare(c, "dx", dx);
    an_tensor *all[] = {x, flat, target, dx};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        an_tensor_destroy(all[i]);
}

static void check_case(const layer_case *c) {
    const char *kind = json_string_value(json_object_get(c->facts, "kind"));
    if (strstr(kind, "Conv2D"))
        check_conv(c, kind);
    else if (strstr(kind, "BatchNormalization"))
        check_norm(c);
    else if (!strncmp(kind, "ReLU(6)", 7))
        check_relu6(c);
    else if (!strcmp(kind, "Add"))
        check_add(c);
    else if (!strcmp(kind, "GlobalAveragePooling2D"))
        check_pool(c);
    else if (!strncmp(kind, "Dense", 5))
        check_dense(c);
    else if (!strncmp(kind, "mean_squared_error", 18))
        check_mse(c);
    else
        fail_msg("'%s' is no kind of layer of this topic", kind);
}

static void all_cases(void **state) {
    (void)state;
    const char *arrays = golden_path("layers/layers.safetensors");
    const char *table = golden_path("layers/layers.json");
    if (!arrays || !table) skip();
    test_backend backends[TEST_BACKENDS];
    const int32_t count = test_backends(backends, 0);
    st_file *file = st_open(arrays);
    json_t *json = golden_json(table);
    for (int32_t k = 0; k < count; k++) {
        layer_case c = {.file = file, .backend = test_backend_open(&backends[k])};
        json_t *facts;
        size_t i;
        json_array_foreach(json_object_get(json, "cases"), i, facts) {
            c.facts = facts;
            c.name = json_string_value(json_object_get(facts, "name"));
            snprintf(c.label, sizeof c.label, "%s %s", backends[k].label, c.name);
            check_case(&c);
        }
        assert_true(i > 0);
        an_backend_destroy(c.backend);
    }
    json_decref(json);
    st_close(file);
}

int golden_layers(void);
int golden_layers(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_cases)};
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
