/* SPDX-License-Identifier: MIT
 * int8 inference of models: calibration, the file, what ends it, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>
#include <attractivenet/optim.h>

#include "support/backends.h"
#include "support/folder.h"
#include "support/small_model.h"

static an_error error;

static void fill(float *x, int64_t count) {
    uint32_t state = 12345;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 24) / 255; /* scale unit */
    }
}

static void calibrate(an_model *model, const float *x, int64_t n) {
    if (an_model_calibrate_begin(model, &error) || an_model_calibrate_add(model, x, n, &error) ||
        an_model_calibrate_end(model, &error))
        fail_msg("%s", error.message);
}

static an_model_info describe(const an_model *model) {
    an_model_info info = {.struct_size = sizeof info};
    assert_int_equal(an_model_describe(model, &info, NULL), AN_OK);
    return info;
}

static void int8_is_near(void **state) {
    (void)state;
    float x[6 * PIXELS], fp32[6], int8[6];
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = short_model(backend);
    fill(x, 6 * PIXELS);
    for (int32_t i = 0; i < 6 * PIXELS; i++) /* images that differ */
        x[i] *= 0.4f + 0.1f * (float)(i / PIXELS);
    small_model_settle(model, x, 6);
    assert_int_equal(an_model_predict(model, x, 6, fp32, NULL), AN_OK);
    calibrate(model, x, 6);
    assert_int_equal(an_model_predict(model, x, 6, int8, NULL), AN_OK);
    const float spread = fabsf(fp32[5] - fp32[0]);
    for (int32_t i = 0; i < 6; i++)
        if (!(fabsf(int8[i] - fp32[i]) < 0.2f * spread))
            fail_msg("image %d: %g instead of %g", (int)i, int8[i], fp32[i]);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void int8_is_the_same_with_any_threads(void **state) {
    (void)state;
    float x[3 * PIXELS], fp32[3], int8[3], again[3];
    static const char *const devices[] = {"ref", "cpu", "cpu"};
    fill(x, 3 * PIXELS);
    for (int32_t i = 0; i < 3; i++) {
        an_backend *backend = test_backend_make(devices[i], NULL, i + 1);
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        small_model_settle(model, x, 3);
        assert_int_equal(an_model_predict(model, x, 3, fp32, NULL), AN_OK);
        assert_int_equal(describe(model).calibrated, 0);
        calibrate(model, x, 3);
        assert_int_equal(describe(model).calibrated, 1);
        assert_int_equal(describe(model).inference, AN_INFERENCE_INT8);
        assert_int_equal(an_model_predict(model, x, 3, again, NULL), AN_OK);
        assert_memory_not_equal(again, fp32, sizeof fp32);
        if (i == 2) assert_memory_equal(again, int8, sizeof int8); /* 3 threads and 2 */
        memcpy(int8, again, sizeof int8);
        assert_int_equal(an_model_set_inference(model, AN_INFERENCE_FP32, NULL), AN_OK);
        assert_int_equal(an_model_predict(model, x, 3, again, NULL), AN_OK);
        assert_memory_equal(again, fp32, sizeof fp32);
        assert_int_equal(an_model_set_inference(model, AN_INFERENCE_INT8, NULL), AN_OK);
        assert_int_equal(an_model_predict(model, x, 3, again, NULL), AN_OK);
        assert_memory_equal(again, int8, sizeof int8);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
}

/* What each backend measures differs in the last bits: one of them does, the others load it. */
static void one_calibration_is_the_same_everywhere(void **state) {
    (void)state;
    enum { COUNT = 3, OUTPUTS = 3 };
    char *folder = folder_make();
    char *path = strdup(folder_path(folder, "model.safetensors"));
    float x[COUNT * PIXELS], want[COUNT * OUTPUTS], got[COUNT * OUTPUTS];
    test_backend backends[TEST_BACKENDS];
    const int32_t count = test_backends(backends, 0);
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, OUTPUTS, AN_TASK_REGRESSION);
    fill(x, COUNT * PIXELS);
    small_model_settle(model, x, COUNT);
    calibrate(model, x, COUNT);
    assert_int_equal(an_model_predict(model, x, COUNT, want, NULL), AN_OK);
    assert_int_equal(an_model_save(model, path, NULL), AN_OK);
    an_model_destroy(model);
    an_backend_destroy(backend);
    for (int32_t b = 0; b < count; b++) {
        backend = test_backend_open(&backends[b]);
        if (an_model_load(&model, backend, path, NULL, &error)) fail_msg("%s", error.message);
        assert_int_equal(an_model_predict(model, x, COUNT, got, NULL), AN_OK);
        if (memcmp(got, want, sizeof got)) fail_msg("%s: other scores", backends[b].label);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
    free(path);
    folder_remove(folder);
}

/* An array of two lists, within limit of 1 or of its value if that is larger. */
static void expect_near_arrays(const an_arrays *a, const an_arrays *b, const char *name,
                               float limit) {
    const int64_t i = an_arrays_find(a, name), k = an_arrays_find(b, name);
    int64_t count = 1;
    assert_true(i >= 0 && k >= 0 && an_arrays_rank(a, i) == an_arrays_rank(b, k));
    for (int32_t axis = 0; axis < an_arrays_rank(a, i); axis++) {
        assert_int_equal(an_arrays_length(a, i, axis), an_arrays_length(b, k, axis));
        count *= an_arrays_length(a, i, axis);
    }
    assert_true(count > 0);
    for (int64_t j = 0; j < count; j++) {
        const float got = an_arrays_data(a, i)[j], want = an_arrays_data(b, k)[j];
        if (!(fabsf(got - want) <= limit * fmaxf(1, fabsf(want))))
            fail_msg("%s[%d] is %.9g, expected %.9g", name, (int)j, (double)got, (double)want);
    }
}

/* A range holds the values of all images, and a mean is that of all, in whatever order they come:
 * sums are double, so that means differ by their rounding to float at most. */
static void images_calibrate_in_any_order(void **state) {
    (void)state;
    char *folder = folder_make();
    float x[3 * PIXELS], turned[3 * PIXELS];
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_arrays *arrays[2];
    fill(x, 3 * PIXELS);
    for (int32_t i = 0; i < 3 * PIXELS; i++) /* images that differ */
        x[i] *= 0.4f + 0.3f * (float)(i / PIXELS);
    for (int32_t i = 0; i < 3; i++)
        memcpy(turned + i * PIXELS, x + (2 - i) * PIXELS, PIXELS * sizeof *x);
    for (int32_t i = 0; i < 2; i++) {
        const char *path = folder_path(folder, i ? "turned.safetensors" : "model.safetensors");
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        small_model_settle(model, x, 3);
        calibrate(model, i ? turned : x, 3);
        assert_int_equal(an_model_save(model, path, NULL), AN_OK);
        assert_int_equal(an_arrays_read(&arrays[i], path, NULL), AN_OK);
        an_model_destroy(model);
    }
    const int64_t index = an_arrays_find(arrays[0], "int8/ranges");
    assert_true(index >= 0 && an_arrays_find(arrays[1], "int8/ranges") == index);
    assert_memory_equal(an_arrays_data(arrays[0], index), an_arrays_data(arrays[1], index),
                        (size_t)an_arrays_length(arrays[0], index, 0) * 2 * sizeof(float));
    expect_near_arrays(arrays[0], arrays[1], "int8/means", 0x1p-23f);
    an_arrays_destroy(arrays[0]);
    an_arrays_destroy(arrays[1]);
    an_backend_destroy(backend);
    folder_remove(folder);
}

/* Each backend measures the ranges and means of its own fp32 values. Those differ in their last
 * bits, which 52 units of random weights make more of: up to 2e-4 here. */
static void backends_calibrate_alike(void **state) {
    (void)state;
    static const char *const devices[] = {"ref", "cpu"};
    char *folder = folder_make();
    char *path = strdup(folder_path(folder, "model.safetensors"));
    float x[3 * PIXELS];
    an_arrays *arrays[2];
    fill(x, 3 * PIXELS);
    for (int32_t i = -1; i < 2; i++) { /* first the weights that both go by */
        an_backend *backend = test_backend_make(devices[i > 0], NULL, 1);
        an_model *model = NULL;
        if (i < 0) {
            model = small_model(backend, 1, AN_TASK_REGRESSION);
            small_model_settle(model, x, 3);
        } else {
            if (an_model_load(&model, backend, path, NULL, &error)) fail_msg("%s", error.message);
            calibrate(model, x, 3);
            path[strlen(path) - 1] = (char)('0' + i);
        }
        assert_int_equal(an_model_save(model, path, NULL), AN_OK);
        if (i >= 0) {
            assert_int_equal(an_arrays_read(&arrays[i], path, NULL), AN_OK);
            path[strlen(path) - 1] = 's';
        }
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
    expect_near_arrays(arrays[1], arrays[0], "int8/ranges", 1e-3f);
    expect_near_arrays(arrays[1], arrays[0], "int8/means", 1e-3f);
    an_arrays_destroy(arrays[0]);
    an_arrays_destroy(arrays[1]);
    free(path);
    folder_remove(folder);
}

static void a_calibration_is_of_the_weights_it_began_with(void **state) {
    (void)state;
    float x[2 * PIXELS], y[2] = {1, 2};
    double loss;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    fill(x, 2 * PIXELS);
    small_model_settle(model, x, 2);
    for (int32_t end = 0; end < 2; end++) {
        assert_int_equal(an_model_calibrate_begin(model, NULL), AN_OK);
        assert_int_equal(an_model_calibrate_add(model, x, 2, NULL), AN_OK);
        assert_int_equal(an_model_update_batch_norm_begin(model, NULL), AN_OK);
        assert_int_equal(an_model_update_batch_norm_add(model, x, 2, NULL), AN_OK);
        assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, NULL), AN_OK);
        assert_int_equal(an_model_compute_gradients(model, x, y, 2, NULL, &loss, NULL), AN_OK);
        assert_int_equal(end ? an_model_calibrate_end(model, &error)
                             : an_model_calibrate_add(model, x, 2, &error),
                         AN_ERR_ARG);
        assert_string_equal(error.message, "model: its weights have changed since the calibration "
                                           "began; begin it again");
        assert_int_equal(end ? an_model_update_batch_norm_end(model, &error)
                             : an_model_update_batch_norm_add(model, x, 2, &error),
                         AN_ERR_ARG);
        assert_string_equal(error.message, "model: its weights have changed since the "
                                           "update of batch norm began; begin it again");
    }
    calibrate(model, x, 2);
    assert_int_equal(describe(model).calibrated, 1);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void int8_ends_when_weights_change(void **state) {
    (void)state;
    float x[2 * PIXELS], y[2] = {1, 2};
    double loss;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    an_optimizer *optimizer = NULL;
    an_arrays *weights = NULL;
    fill(x, 2 * PIXELS);
    small_model_settle(model, x, 2);
    assert_int_equal(an_optimizer_create(&optimizer, model, NULL, NULL), AN_OK);
    assert_int_equal(an_model_copy_weights(&weights, model, NULL), AN_OK);
    for (int32_t i = 0; i < 4; i++) {
        calibrate(model, x, 2);
        assert_int_equal(describe(model).calibrated, 1);
        if (i == 0) assert_int_equal(an_model_set_weights(model, weights, NULL), AN_OK);
        if (i == 1) assert_int_equal(an_model_reset_head(model, 3, NULL), AN_OK);
        if (i == 2) small_model_settle(model, x, 2);
        if (i == 3) {
            assert_int_equal(an_model_compute_gradients(model, x, y, 2, NULL, &loss, NULL), AN_OK);
            assert_int_equal(describe(model).calibrated, 1); /* base frozen: nothing moved yet */
            assert_int_equal(an_optimizer_step(optimizer, 1e-3, NULL), AN_OK);
        }
        assert_int_equal(describe(model).calibrated, 0);
        assert_int_equal(describe(model).inference, AN_INFERENCE_FP32);
    }
    an_arrays_destroy(weights);
    an_optimizer_destroy(optimizer);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void expect_message(an_status got, an_status want, const char *message) {
    assert_int_equal(got, want);
    assert_string_equal(error.message, message);
}

static void int8_says_what_is_missing(void **state) {
    (void)state;
    float x[PIXELS];
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    fill(x, PIXELS);
    expect_message(an_model_set_inference(model, AN_INFERENCE_INT8, &error), AN_ERR_ARG,
                   "model: int8 inference needs a calibration with the present weights");
    expect_message(an_model_set_inference(model, 3, &error), AN_ERR_ARG,
                   "model: inference is 3; it must be one of AN_INFERENCE_*");
    expect_message(an_model_calibrate_add(model, x, 1, &error), AN_ERR_ARG,
                   "model: no calibration was begun");
    expect_message(an_model_calibrate_end(model, &error), AN_ERR_ARG,
                   "model: no image was added to the calibration");
    assert_int_equal(an_model_calibrate_begin(model, NULL), AN_OK);
    expect_message(an_model_calibrate_end(model, &error), AN_ERR_ARG,
                   "model: no image was added to the calibration");
    assert_int_equal(an_model_calibrate_add(model, x, 0, &error), AN_ERR_ARG);
    x[7] = NAN;
    assert_int_equal(an_model_calibrate_begin(model, NULL), AN_OK);
    expect_message(an_model_calibrate_add(model, x, 1, &error), AN_ERR_ARG,
                   "value 7 of image 0 is nan; it must be finite");
    x[7] = 0;
    const ani_net_array *kernel = ani_net_array_at(ani_model_net(model), 0);
    float *broken = calloc((size_t)kernel->count, sizeof *broken);
    assert_non_null(broken);
    broken[0] = NAN;
    ani_net_write_array(ani_model_net(model), kernel, broken);
    free(broken);
    assert_int_equal(an_model_calibrate_begin(model, NULL), AN_OK);
    assert_int_equal(an_model_calibrate_add(model, x, 1, &error), AN_OK);
    expect_message(an_model_calibrate_end(model, &error), AN_ERR_FORMAT,
                   "int8: the mean of channel 3 of all is nan");
    assert_int_equal(describe(model).calibrated, 0);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* Write the model's file anew with other ranges, and load it. */
static an_status load_with(an_backend *backend, const char *path, const char *folder,
                           const float *ranges, int64_t units, int64_t ends) {
    const char *other = folder_path(folder, "other.safetensors");
    an_arrays *from = NULL, *to = NULL;
    an_model *loaded = NULL;
    assert_int_equal(an_arrays_read(&from, path, NULL), AN_OK);
    assert_int_equal(an_arrays_create(&to, NULL), AN_OK);
    for (int64_t i = 0; i < an_arrays_count(from); i++) {
        int64_t shape[8];
        const int32_t rank = an_arrays_rank(from, i);
        for (int32_t axis = 0; axis < rank; axis++)
            shape[axis] = an_arrays_length(from, i, axis);
        if (strcmp(an_arrays_name(from, i), "int8/ranges"))
            assert_int_equal(an_arrays_add(to, an_arrays_name(from, i), an_arrays_data(from, i),
                                           shape, rank, NULL),
                             AN_OK);
    }
    const int64_t shape[2] = {units, ends};
    assert_int_equal(an_arrays_add(to, "int8/ranges", ranges, shape, 2, NULL), AN_OK);
    static const char *const keys[] = {"format", "alpha",   "padding", "scale",
                                       "task",   "outputs", "size",    "inference"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_equal(
            an_arrays_set_metadata(to, keys[i], an_arrays_metadata(from, keys[i]), NULL), AN_OK);
    assert_int_equal(an_arrays_write(to, other, NULL), AN_OK);
    an_arrays_destroy(to);
    an_arrays_destroy(from);
    const an_status st = an_model_load(&loaded, backend, other, NULL, &error);
    assert_true(st ? !loaded : loaded != NULL);
    an_model_destroy(loaded);
    return st;
}

static void int8_comes_back_from_a_file(void **state) {
    (void)state;
    char *folder = folder_make();
    char *path = strdup(folder_path(folder, "model.safetensors"));
    float x[2 * PIXELS], before[2], after[2];
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION), *loaded = NULL;
    fill(x, 2 * PIXELS);
    small_model_settle(model, x, 2);
    calibrate(model, x, 2);
    for (int32_t on = 1; on >= 0; on--) {
        assert_int_equal(an_model_set_inference(model, on, NULL), AN_OK);
        assert_int_equal(an_model_predict(model, x, 2, before, NULL), AN_OK);
        assert_int_equal(an_model_save(model, path, NULL), AN_OK);
        if (an_model_load(&loaded, backend, path, NULL, &error)) fail_msg("%s", error.message);
        assert_int_equal(describe(loaded).calibrated, 1);
        assert_int_equal(describe(loaded).inference, on);
        assert_int_equal(an_model_predict(loaded, x, 2, after, NULL), AN_OK);
        assert_memory_equal(before, after, sizeof before);
        an_model_destroy(loaded);
    }
    an_arrays *arrays = NULL;
    assert_int_equal(an_arrays_read(&arrays, path, NULL), AN_OK);
    const int64_t index = an_arrays_find(arrays, "int8/ranges");
    const int64_t units = an_arrays_length(arrays, index, 0);
    float *ranges = malloc((size_t)units * 2 * sizeof *ranges);
    assert_non_null(ranges);
    memcpy(ranges, an_arrays_data(arrays, index), (size_t)units * 2 * sizeof *ranges);
    assert_int_equal(load_with(backend, path, folder, ranges, units, 2), AN_OK);
    static const float bad[][2] = {{0, NAN}, {NAN, 1},    {0, INFINITY}, {-INFINITY, 1}, {0, 0},
                                   {1, 0},   {0.5f, 1},   {-2, -1},      {0, 6.5f},      {-1, 1},
                                   {0, -1},  {0, 1e-12f}, {0, 3e38f}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(ranges, bad[i], sizeof bad[i]);
        assert_int_equal(load_with(backend, path, folder, ranges, units, 2), AN_ERR_FORMAT);
    }
    memcpy(ranges, bad[9], sizeof bad[9]);
    load_with(backend, path, folder, ranges, units, 2);
    assert_string_equal(error.message,
                        "int8: the range of tensor 1 is -1 to 1; it must be within 0 to 6");
    const float narrow[2] = {0, 2e-9f};
    memcpy(ranges, narrow, sizeof narrow);
    assert_int_equal(load_with(backend, path, folder, ranges, units, 2), AN_ERR_FORMAT);
    assert_non_null(strstr(error.message, "too narrow"));
    assert_int_equal(load_with(backend, path, folder, ranges, units - 1, 2), AN_ERR_FORMAT);
    assert_string_equal(error.message,
                        "model: there must be 'int8/ranges' [52,2] and 'int8/means' [3619]");
    assert_int_equal(load_with(backend, path, folder, ranges, units / 2, 4), AN_ERR_FORMAT);
    free(ranges);
    free(path);
    an_arrays_destroy(arrays);
    an_model_destroy(model);
    an_backend_destroy(backend);
    folder_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8_is_near),
        cmocka_unit_test(int8_is_the_same_with_any_threads),
        cmocka_unit_test(one_calibration_is_the_same_everywhere),
        cmocka_unit_test(images_calibrate_in_any_order),
        cmocka_unit_test(backends_calibrate_alike),
        cmocka_unit_test(a_calibration_is_of_the_weights_it_began_with),
        cmocka_unit_test(int8_ends_when_weights_change),
        cmocka_unit_test(int8_says_what_is_missing),
        cmocka_unit_test(int8_comes_back_from_a_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
