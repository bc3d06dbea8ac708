/* SPDX-License-Identifier: MIT
 * bf16 inference of models: near fp32, the same bits for any number of threads, by the weights as
 * they are now, kept in the file. */
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
#include "support/test_folder.h"

enum { IMAGES = 3 };

static an_error error;

static void fill(float *x, int64_t count) {
    uint32_t state = 12345;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 24) / 255 * (0.4f + 0.2f * (float)(i / PIXELS)); /* scale unit */
    }
}

static int32_t inference_of(const an_model *model) {
    an_model_info info = {.struct_size = sizeof info};
    assert_int_equal(an_model_describe(model, &info, NULL), AN_OK);
    return info.inference;
}

static void set(an_model *model, int32_t inference) {
    if (an_model_set_inference(model, inference, &error)) fail_msg("%s", error.message);
    assert_int_equal(inference_of(model), inference);
}

static void predict(an_model *model, const float *x, float *y) {
    if (an_model_predict(model, x, IMAGES, y, &error)) fail_msg("%s", error.message);
}

/* A score is a small difference of many features: what counts is how far images lie apart. */
static void bf16_is_near(void **state) {
    (void)state;
    float x[IMAGES * PIXELS], fp32[IMAGES], bf16[IMAGES], first[IMAGES];
    static const char *const devices[] = {"ref", "cpu", "cpu", "cpu"};
    static const int32_t threads[] = {1, 1, 2, 7};
    fill(x, IMAGES * PIXELS);
    for (int32_t i = 0; i < 4; i++) {
        an_backend *backend = test_backend_make(devices[i], NULL, threads[i]);
        an_model *model = short_model(backend);
        small_model_settle(model, x, IMAGES);
        predict(model, x, fp32);
        set(model, AN_INFERENCE_BF16);
        predict(model, x, bf16);
        assert_memory_not_equal(bf16, fp32, sizeof fp32);
        const float spread = fabsf(fp32[IMAGES - 1] - fp32[0]);
        for (int32_t n = 0; n < IMAGES; n++)
            if (!(fabsf(bf16[n] - fp32[n]) < 0.05f * spread))
                fail_msg("image %d: %g instead of %g, spread %g", (int)n, bf16[n], fp32[n], spread);
        if (i == 1) memcpy(first, bf16, sizeof first);
        if (i > 1) assert_memory_equal(bf16, first, sizeof first);
        set(model, AN_INFERENCE_FP32);
        predict(model, x, bf16);
        assert_memory_equal(bf16, fp32, sizeof fp32);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
}

/* Features are fp32 always; a step of training is taken into account, and bf16 stays. */
static void bf16_follows_the_weights(void **state) {
    (void)state;
    float x[IMAGES * PIXELS], y[IMAGES] = {1, 2, 3}, before[IMAGES], after[IMAGES];
    float plain[2048], again[2048];
    double loss;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION), *other;
    an_optimizer *optimizer = NULL;
    an_arrays *weights = NULL;
    fill(x, IMAGES * PIXELS);
    small_model_settle(model, x, IMAGES);
    assert_int_equal(an_model_compute_features(model, x, 1, plain, NULL), AN_OK);
    set(model, AN_INFERENCE_BF16);
    assert_int_equal(an_model_compute_features(model, x, 1, again, NULL), AN_OK);
    assert_memory_equal(plain, again, 1280 * sizeof *plain);
    predict(model, x, before);
    assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, NULL), AN_OK);
    assert_int_equal(an_optimizer_create(&optimizer, model, NULL, NULL), AN_OK);
    assert_int_equal(an_model_compute_gradients(model, x, y, IMAGES, NULL, &loss, NULL), AN_OK);
    assert_int_equal(an_optimizer_step(optimizer, 1e-3, NULL), AN_OK);
    assert_int_equal(inference_of(model), AN_INFERENCE_BF16);
    predict(model, x, after);
    assert_memory_not_equal(before, after, sizeof before);
    /* As a new model with these weights predicts. */
    other = small_model(backend, 1, AN_TASK_REGRESSION);
    assert_int_equal(an_model_copy_weights(&weights, model, NULL), AN_OK);
    assert_int_equal(an_model_set_weights(other, weights, NULL), AN_OK);
    set(other, AN_INFERENCE_BF16);
    predict(other, x, before);
    assert_memory_equal(before, after, sizeof before);
    an_arrays_destroy(weights);
    an_optimizer_destroy(optimizer);
    an_model_destroy(other);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void calibrate(an_model *model, const float *x) {
    if (an_model_calibrate_begin(model, &error) ||
        an_model_calibrate_add(model, x, IMAGES, &error) || an_model_calibrate_end(model, &error))
        fail_msg("%s", error.message);
}

/* Write a file again with another word for its inference, and load it. */
static an_status load_with(an_backend *backend, const char *path, const char *word) {
    an_arrays *arrays = NULL;
    an_model *loaded = NULL;
    assert_int_equal(an_arrays_read(&arrays, path, NULL), AN_OK);
    assert_int_equal(an_arrays_set_metadata(arrays, "inference", word, NULL), AN_OK);
    assert_int_equal(an_arrays_write(arrays, path, NULL), AN_OK);
    an_arrays_destroy(arrays);
    const an_status st = an_model_load(&loaded, backend, path, NULL, &error);
    assert_true(st ? !loaded : loaded != NULL);
    an_model_destroy(loaded);
    return st;
}

/* With and without a calibration, which stays beside it. */
static void bf16_comes_back_from_a_file(void **state) {
    (void)state;
    const char *path = folder_path(test_folder, "model.safetensors");
    float x[IMAGES * PIXELS], before[IMAGES], after[IMAGES];
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION), *loaded = NULL;
    fill(x, IMAGES * PIXELS);
    small_model_settle(model, x, IMAGES);
    for (int32_t calibrated = 0; calibrated <= 1; calibrated++) {
        if (calibrated) calibrate(model, x);
        set(model, AN_INFERENCE_BF16);
        predict(model, x, before);
        assert_int_equal(an_model_save(model, path, NULL), AN_OK);
        if (an_model_load(&loaded, backend, path, NULL, &error)) fail_msg("%s", error.message);
        an_model_info info = {.struct_size = sizeof info};
        assert_int_equal(an_model_describe(loaded, &info, NULL), AN_OK);
        assert_int_equal(info.inference, AN_INFERENCE_BF16);
        assert_int_equal(info.calibrated, calibrated);
        predict(loaded, x, after);
        assert_memory_equal(before, after, sizeof before);
        an_model_destroy(loaded);
    }
    assert_int_equal(load_with(backend, path, "int4"), AN_ERR_FORMAT);
    assert_string_equal(
        error.message,
        "model: 'inference' in its metadata is 'int4'; it must be fp32, int8 or bf16");
    assert_int_equal(an_model_reset_head(model, 1, NULL), AN_OK); /* forgets the calibration */
    assert_int_equal(an_model_save(model, path, NULL), AN_OK);
    assert_int_equal(load_with(backend, path, "int8"), AN_ERR_FORMAT);
    assert_string_equal(
        error.message, "model: 'inference' in its metadata is int8, and there is no 'int8/ranges'");
    assert_int_equal(load_with(backend, path, "fp32"), AN_OK);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_is_near),
        cmocka_unit_test(bf16_follows_the_weights),
        unit_test_in_folder(bf16_comes_back_from_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
