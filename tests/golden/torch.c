/* SPDX-License-Identifier: MIT
 * Topic torch: state dicts of torchvision and timm give the features, outputs, losses and gradients
 * that PyTorch computes from them in double, and go back to the same bits. */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

#include "layers/model.h"
#include "support/backends.h"
#include "support/folder.h"

enum { OUTPUTS = 3 };

static const char *const kinds[] = {"even", "odd"};

typedef struct sizes {
    int64_t n;
    int32_t height, width;
} sizes;

static sizes sizes_of(const st_file *file, const char *tool, const char *kind) {
    const st_array *x = st_find(file, "%s/%s/x", tool, kind);
    assert_non_null(x);
    assert_true(x->rank == 4 && x->shape[3] == 3);
    return (sizes){x->shape[0], (int32_t)x->shape[1], (int32_t)x->shape[2]};
}

static void must(an_status st, const an_error *err, const char *what) {
    if (st) fail_msg("%s: %s", what, err->message);
}

static an_model *load(an_backend *backend, const char *tool, const sizes *s) {
    char relative[64];
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_error err;
    an_model_info info;
    snprintf(relative, sizeof relative, "torch/%s.safetensors", tool);
    const char *path = golden_path(relative);
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = s->height;
    options.width = s->width;
    options.scale = AN_SCALE_TORCH;
    assert_non_null(path);
    must(an_model_load(&model, backend, path, &options, &err), &err, path);
    an_model_info_init(&info, sizeof info);
    must(an_model_describe(model, &info, &err), &err, path);
    assert_true(info.padding == AN_PADDING_SYMMETRIC && info.outputs == OUTPUTS);
    assert_true(info.epsilon == 1e-5 && info.alpha == 0.1 && info.task == AN_TASK_REGRESSION);
    return model;
}

static void expect_each(const char *label, const float *got, const st_array *want) {
    assert_non_null(want);
    for (int64_t i = 0; i < want->count; i++) {
        const double value = st_value(want, i);
        expect_within((double)got[i], value, 1e-4 + 1e-4 * fabs(value), "%s[%d]", label, (int)i);
    }
}

static void predictions(void **state) {
    (void)state;
    static const char *const tools[] = {"torchvision", "timm"};
    const char *path = golden_path("torch/torch.safetensors");
    test_backend backends[TEST_BACKENDS];
    if (!path) skip();
    st_file *file = st_open(path);
    const int32_t count = test_backends(backends, 0);
    for (int32_t k = 0; k < 4 * count; k++) {
        const char *tool = tools[k % 2], *kind = kinds[k / 2 % 2];
        const test_backend *which = &backends[k / 4];
        const sizes s = sizes_of(file, tool, kind);
        an_backend *backend = test_backend_open(which);
        an_model *model = load(backend, tool, &s);
        float *x = st_floats(st_find(file, "%s/%s/x", tool, kind)), outputs[4 * OUTPUTS];
        float *features = malloc((size_t)s.n * 1280 * sizeof *features);
        char label[128];
        an_error err;
        assert_true(s.n <= 4);
        must(an_model_compute_features(model, x, s.n, features, &err), &err, "features");
        must(an_model_predict(model, x, s.n, outputs, &err), &err, "outputs");
        snprintf(label, sizeof label, "%s, %s, %s: features", which->label, tool, kind);
        expect_each(label, features, st_find(file, "%s/%s/features", tool, kind));
        snprintf(label, sizeof label, "%s, %s, %s: outputs", which->label, tool, kind);
        expect_each(label, outputs, st_find(file, "%s/%s/outputs", tool, kind));
        free(features);
        free(x);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
    st_close(file);
}

/* What was read is written again with the names, shapes and values of PyTorch's own file. */
static void there_and_back(void **state) {
    (void)state;
    static const char *const tools[] = {"torchvision", "timm"};
    const char *path = golden_path("torch/torch.safetensors");
    if (!path) skip();
    st_file *file = st_open(path);
    char *folder = folder_make();
    for (int k = 0; k < 2; k++) {
        const sizes s = sizes_of(file, tools[k], "even");
        an_backend *backend = test_backend_make("cpu", NULL, 1);
        an_model *model = load(backend, tools[k], &s);
        an_export_options options;
        an_error err;
        int64_t tracked = 0;
        char relative[64];
        snprintf(relative, sizeof relative, "torch/%s.safetensors", tools[k]);
        an_export_options_init(&options, sizeof options);
        options.format = k ? AN_EXPORT_TIMM : AN_EXPORT_TORCHVISION;
        const char *back = folder_path(folder, "back.safetensors");
        must(an_model_export(model, back, &options, &err), &err, "export");
        an_arrays *got = NULL, *want = NULL;
        must(an_arrays_read(&got, back, &err), &err, "the new file");
        must(an_arrays_read(&want, golden_path(relative), &err), &err, "PyTorch's file");
        for (int64_t i = 0; i < an_arrays_count(want); i++) {
            const char *name = an_arrays_name(want, i);
            const int64_t twin = an_arrays_find(got, name);
            int64_t count = 1;
            if (strstr(name, "num_batches_tracked")) {
                tracked++;
                continue;
            }
            if (twin < 0) fail_msg("%s: there is no '%s'", tools[k], name);
            assert_int_equal(an_arrays_rank(got, twin), an_arrays_rank(want, i));
            for (int32_t axis = 0; axis < an_arrays_rank(want, i); axis++) {
                assert_int_equal(an_arrays_length(got, twin, axis),
                                 an_arrays_length(want, i, axis));
                count *= an_arrays_length(want, i, axis);
            }
            assert_memory_equal(an_arrays_data(got, twin), an_arrays_data(want, i),
                                (size_t)count * sizeof(float));
        }
        assert_int_equal(tracked, 52);
        assert_int_equal(an_arrays_count(got), an_arrays_count(want) - tracked);
        an_arrays_destroy(got);
        an_arrays_destroy(want);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
    folder_remove(folder);
    st_close(file);
}

/* --- a step ----------------------------------------------------------------------------------- */

/* Of a gradient, relative: forward and backward, 52 units of three roundings of 2^-24 each are at
 * most 1.9e-5 in series; batch norm with the statistics of few pixels enlarges them. */
static const double step_limit = 1e-4;

static double distance(const float *got, const st_array *want) {
    double sum = 0, size = 0;
    for (int64_t i = 0; i < want->count; i++) {
        const double value = st_value(want, i);
        sum += ((double)got[i] - value) * ((double)got[i] - value);
        size += value * value;
    }
    return sqrt(sum / size);
}

/* Batch norm after the next convolution takes away what a channel's offset adds to its input. */
static bool is_zero_gradient(const ani_net_array *array) {
    return strstr(array->layer, "project_BN") && !strcmp(array->variable, "beta");
}

/* Compare arrays of a list, those of the network with numbers in the file's names. */
static int32_t compare(const st_file *file, const char *prefix, const an_model *model,
                       const an_arrays *arrays, bool trains, double limit) {
    const ani_net *net = ani_model_net(model);
    int32_t compared = 0;
    for (int64_t i = 0; i < ani_net_array_count(net); i++) {
        const ani_net_array *array = ani_net_array_at(net, i);
        const st_array *want = st_find(file, "%s/%d", prefix, (int)i);
        char name[ANI_ARRAY_NAME_SIZE];
        if (!want || (trains && is_zero_gradient(array))) continue;
        ani_array_name(name, array);
        assert_int_equal(want->count, array->count);
        expect_within(distance(an_arrays_data(arrays, an_arrays_find(arrays, name)), want), 0,
                      limit, "%s: distance of '%s'", prefix, name);
        compared++;
    }
    return compared;
}

static void steps(void **state) {
    (void)state;
    const char *path = golden_path("torch/torch.safetensors");
    test_backend backends[TEST_BACKENDS];
    if (!path) skip();
    st_file *file = st_open(path);
    const int32_t count = test_backends(backends, 0);
    for (int32_t k = 0; k < 4 * count; k++) {
        const char *kind = kinds[k % 2], *mode = k / 2 % 2 ? "train" : "finetune";
        const bool trains = k / 2 % 2;
        const sizes s = sizes_of(file, "torchvision", kind);
        an_backend *backend = test_backend_open(&backends[k / 4]);
        an_model *model = load(backend, "torchvision", &s);
        float *x = st_floats(st_find(file, "torchvision/%s/x", kind));
        float *y = st_floats(st_find(file, "torchvision/%s/y", kind));
        const st_array *loss = st_find(file, "torchvision/%s/%s/loss", kind, mode);
        an_arrays *gradients = NULL, *after = NULL;
        char prefix[96];
        double got;
        an_error err;
        must(an_model_set_base(model, trains ? AN_BASE_TRAIN : AN_BASE_FINETUNE, &err), &err, mode);
        must(an_model_set_momentum(model, 0.9, &err), &err, mode);
        must(an_model_compute_gradients(model, x, y, s.n, NULL, &got, &err), &err, mode);
        expect_within(got, st_value(loss, 0), 1e-4 * st_value(loss, 0), "%s, %s: loss", kind, mode);
        must(an_model_copy_gradients(&gradients, model, &err), &err, mode);
        must(an_model_copy_weights(&after, model, &err), &err, mode);
        snprintf(prefix, sizeof prefix, "torchvision/%s/%s/gradient", kind, mode);
        const int32_t compared = compare(file, prefix, model, gradients, trains, step_limit);
        assert_true(k % 2 ? compared == 0 : compared > 100);
        snprintf(prefix, sizeof prefix, "torchvision/%s/%s/after", kind, mode);
        const int32_t moved = compare(file, prefix, model, after, false, 1e-4);
        assert_true(k % 2 || !trains ? moved == 0 : moved > 50);
        an_arrays_destroy(gradients);
        an_arrays_destroy(after);
        free(x);
        free(y);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
    st_close(file);
}

int golden_torch(void);
int golden_torch(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(steps),
    };
    return cmocka_run_group_tests_name("torch", tests, NULL, NULL);
}
