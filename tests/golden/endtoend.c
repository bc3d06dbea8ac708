/* SPDX-License-Identifier: MIT
 * Golden topic endtoend: files in, scores out; and a short training of both stages on the synthetic
 * archive, with the same order of samples as Keras had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/metrics.h>
#include <attractivenet/mobilenetv2.h>
#include <attractivenet/predict.h>
#include <attractivenet/train.h>

#include "support/golden.h"

/* The training of both stages takes minutes under a sanitizer: there stage 1 alone. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BOTH_STAGES false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define BOTH_STAGES false
#endif
#endif
#ifndef BOTH_STAGES
#define BOTH_STAGES true
#endif

enum { SIZE = 96, BATCH = 32 }; /* what the folder's README says of all cases here */

static an_backend *make_backend(void) {
    an_backend *backend = NULL;
    an_error err = {0};
    if (an_backend_create(&backend, NULL, &err)) fail_msg("%s", err.message);
    return backend;
}

static an_model *load_model(an_backend *backend, const char *path) {
    an_model *model = NULL;
    an_mobilenetv2_options options;
    an_error err = {0};
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.alpha = 0.35;
    options.scale = AN_SCALE_TF;
    options.weights = path;
    if (an_mobilenetv2_create(&model, backend, &options, &err)) fail_msg("%s", err.message);
    return model;
}

static an_dataset *open_dataset(const char *path) {
    an_dataset *dataset = NULL;
    an_dataset_options options;
    an_error err = {0};
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.cache = AN_CACHE_PIXELS;
    if (an_dataset_open(&dataset, path, &options, &err)) fail_msg("%s", err.message);
    return dataset;
}

static an_batches *make_batches(an_dataset *dataset, const int64_t *indices, int64_t count,
                                int32_t shuffle, uint32_t seed) {
    an_batches *batches = NULL;
    an_batches_options options;
    an_error err = {0};
    an_batches_options_init(&options, sizeof options);
    options.batch = BATCH;
    options.scale = AN_SCALE_TF;
    options.shuffle = shuffle;
    options.last_batch = !shuffle;
    options.seed = seed;
    if (an_batches_create(&batches, dataset, indices, count, &options, &err))
        fail_msg("%s", err.message);
    return batches;
}

static void expect_metrics(const char *what, const an_metrics *got, const json_t *want,
                           double limit) {
    const char *names[] = {"rmse", "mae", "r2", "pearson"};
    const double values[] = {got->rmse, got->mae, got->r2, got->pearson};
    for (int i = 0; i < 4; i++) {
        const double number = golden_number(json_object_get(want, names[i]));
        expect_within(values[i], number, limit, "%s: %s", what, names[i]);
    }
}

static an_metrics measure(const an_dataset *dataset, const float *scores, const int64_t *indices,
                          int64_t count) {
    an_metrics metrics = {.struct_size = sizeof metrics};
    an_error err = {0};
    double *truth = malloc((size_t)count * sizeof *truth);
    float *prediction = malloc((size_t)count * sizeof *prediction);
    assert_true(truth && prediction);
    for (int64_t i = 0; i < count; i++) {
        const int64_t sample = indices ? indices[i] : i;
        truth[i] = an_dataset_score(dataset, sample, 0);
        prediction[i] = scores[indices ? indices[i] : i];
    }
    if (an_metrics_compute(truth, prediction, count, &metrics, &err)) fail_msg("%s", err.message);
    free(truth);
    free(prediction);
    return metrics;
}

/* --- scores ------------------------------------------------------------------------------------
 */

static void expect_split(const json_t *want, const int64_t *indices, int64_t count) {
    const char *names[] = {"train", "val", "test"};
    int64_t at = 0;
    for (int part = 0; part < 3; part++) {
        const json_t *list = json_object_get(want, names[part]);
        for (size_t i = 0; i < json_array_size(list); i++, at++)
            if (at >= count || indices[at] != json_integer_value(json_array_get(list, i)))
                fail_msg("%s[%zu] of the split differs", names[part], i);
    }
    assert_int_equal(at, count);
}

static void scores_of_keras(void **state) {
    (void)state;
    const char *csv = golden_path("endtoend/predict_mini.csv");
    const char *facts = golden_path("endtoend/predict_mini.json");
    const char *archive = golden_path("zip/SCUT-FBP5500_mini.zip");
    const char *weights = golden_path("pretrained/weights_0.35_96.safetensors");
    if (!csv || !facts || !archive || !weights) skip();
    an_backend *backend = make_backend();
    an_model *model = load_model(backend, weights);
    an_dataset *dataset = open_dataset(archive);
    an_error err = {0};
    const int64_t count = an_dataset_count(dataset);
    float *scores = malloc((size_t)count * sizeof *scores);
    int64_t *indices = malloc((size_t)count * sizeof *indices);
    assert_true(scores && indices);
    an_batches *batches = make_batches(dataset, NULL, 0, 0, 42);
    if (an_predict_batches(model, batches, scores, NULL, NULL, &err)) fail_msg("%s", err.message);

    char line[512], name[256];
    double label, score;
    int64_t i = 0;
    FILE *file = fopen(csv, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    for (; fgets(line, sizeof line, file); i++) {
        assert_int_equal(sscanf(line, "%255[^,],%lf,%lf", name, &label, &score), 3);
        assert_true(i < count);
        assert_string_equal(an_dataset_name(dataset, i), name);
        assert_true(fabs(an_dataset_score(dataset, i, 0) - label) < 1e-6);
        expect_within((double)scores[i], score, 2e-4, "%s: score", name);
    }
    fclose(file);
    assert_int_equal(i, count);

    json_t *want = golden_json(facts);
    int64_t n_train, n_val, n_test;
    if (an_tutorial_split(count, 42, indices, &n_train, &n_val, &n_test, &err))
        fail_msg("%s", err.message);
    expect_split(want, indices, count);
    an_metrics metrics = measure(dataset, scores, indices + n_train + n_val, n_test);
    expect_metrics("test", &metrics, json_object_get(want, "test_metrics"), 1e-3);
    metrics = measure(dataset, scores, NULL, count);
    expect_metrics("all", &metrics, json_object_get(want, "all_metrics"), 1e-3);
    json_decref(want);
    free(scores);
    free(indices);
    an_batches_destroy(batches);
    an_dataset_destroy(dataset);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* --- training ----------------------------------------------------------------------------------
 */

static void set_head(an_model *model, const char *path) {
    an_arrays *head = NULL, *weights = NULL, *merged = NULL;
    an_error err = {0};
    an_status st = an_arrays_read(&head, path, &err);
    if (!st) st = an_model_weights(model, &weights, &err);
    if (!st) st = an_arrays_create(&merged, &err);
    for (int64_t i = 0; !st && i < an_arrays_count(weights); i++) {
        const char *name = an_arrays_name(weights, i);
        const int64_t own = an_arrays_find(head, name);
        const an_arrays *from = own < 0 ? weights : head;
        const int64_t index = own < 0 ? i : own;
        int64_t shape[8];
        for (int32_t axis = 0; axis < an_arrays_rank(from, index); axis++)
            shape[axis] = an_arrays_length(from, index, axis);
        st = an_arrays_add(merged, name, an_arrays_data(from, index), shape,
                           an_arrays_rank(from, index), &err);
    }
    if (!st) st = an_model_set_weights(model, merged, &err);
    if (st) fail_msg("%s", err.message);
    an_arrays_destroy(head);
    an_arrays_destroy(weights);
    an_arrays_destroy(merged);
}

static void expect_near(const char *what, int stage, int epoch, double got, double want,
                        double relative) {
    expect_within(got, want, relative * fabs(want), "stage %d, epoch %d: %s", stage, epoch, what);
}

/** Stage 1 within 1e-3 of each loss; stage 2, where batch norm amplifies rounding, within 10% in
 * its first epoch and falling after that. */
static void train_stage(an_model *model, an_batches *train, an_batches *val, const json_t *want,
                        int32_t first_epoch) {
    const json_t *epochs = json_object_get(want, "epochs");
    const int stage = (int)json_integer_value(json_object_get(want, "stage"));
    const int32_t count = (int32_t)json_array_size(epochs);
    an_train_options options;
    an_trainer *trainer = NULL;
    an_error err = {0};
    an_train_options_init(&options, sizeof options);
    options.stage = stage;
    options.base = stage == 1 ? AN_BASE_FROZEN : AN_BASE_TRAIN;
    options.max_epochs = count;
    options.first_epoch = first_epoch;
    options.learning_rate = golden_number(json_object_get(want, "lr"));
    options.early_stop_patience = -1;
    if (an_trainer_create(&trainer, model, train, val, NULL, &options, &err))
        fail_msg("%s", err.message);
    double first = 0;
    for (int32_t i = 0; i < count; i++) {
        const json_t *epoch = json_array_get(epochs, (size_t)i);
        an_epoch_report report = {.struct_size = sizeof report};
        if (an_trainer_epoch(trainer, &report, &err)) fail_msg("%s", err.message);
        const double loss = golden_number(json_object_get(epoch, "loss"));
        const double val_loss = golden_number(json_object_get(epoch, "val_loss"));
        if (stage == 1) {
            expect_near("loss", stage, i + 1, report.loss, loss, 1e-3);
            expect_near("val_loss", stage, i + 1, report.val_loss, val_loss, 1e-3);
        } else if (i == 0) {
            expect_near("loss", stage, 1, report.loss, loss, 0.1);
            first = report.loss;
        } else if (i == count - 1) {
            assert_true(report.loss < first);
        }
    }
    an_trainer_destroy(trainer);
}

static void train_as_keras(const char *facts, bool both_stages) {
    const char *archive = golden_path("zip/faces600.zip");
    const char *weights = golden_path("pretrained/weights_0.35_96.safetensors");
    const char *head = golden_path("endtoend/initial_head.safetensors");
    if (!facts || !archive || !weights || !head) skip();
    json_t *want = golden_json(facts);
    an_backend *backend = make_backend();
    an_model *model = load_model(backend, weights);
    an_dataset *dataset = open_dataset(archive);
    an_error err = {0};
    const int64_t count = an_dataset_count(dataset);
    int64_t *indices = malloc((size_t)count * sizeof *indices);
    float *scores = malloc((size_t)count * sizeof *scores);
    assert_true(indices && scores);
    int64_t n_train, n_val, n_test;
    if (an_tutorial_split(count, 42, indices, &n_train, &n_val, &n_test, &err))
        fail_msg("%s", err.message);
    const uint32_t seed = (uint32_t)json_integer_value(json_object_get(want, "order_seed"));
    an_batches *train = make_batches(dataset, indices, n_train, 1, seed);
    an_batches *val = make_batches(dataset, indices + n_train, n_val, 0, seed);
    an_batches *all = make_batches(dataset, NULL, 0, 0, seed);
    set_head(model, head);
    const json_t *stages = json_object_get(want, "stages");
    int32_t first_epoch = 0;
    for (size_t i = 0; i < (both_stages ? json_array_size(stages) : 1); i++) {
        const json_t *stage = json_array_get(stages, i);
        const json_t *test = json_object_get(stage, "test");
        train_stage(model, train, val, stage, first_epoch);
        first_epoch += (int32_t)json_array_size(json_object_get(stage, "epochs"));
        if (an_predict_batches(model, all, scores, NULL, NULL, &err)) fail_msg("%s", err.message);
        const an_metrics metrics = measure(dataset, scores, indices + n_train + n_val, n_test);
        const double rmse = golden_number(json_object_get(test, "rmse"));
        expect_near("test RMSE", (int)i + 1, first_epoch, metrics.rmse, rmse, i ? 0.2 : 1e-3);
    }
    free(indices);
    free(scores);
    json_decref(want);
    an_batches_destroy(all);
    an_batches_destroy(val);
    an_batches_destroy(train);
    an_dataset_destroy(dataset);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void stages_of_keras(void **state) {
    (void)state;
    train_as_keras(golden_path("endtoend/train_faces600.json"), BOTH_STAGES);
}

int golden_endtoend(void);
int golden_endtoend(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_of_keras),
        cmocka_unit_test(stages_of_keras),
    };
    return cmocka_run_group_tests_name("golden endtoend", tests, NULL, NULL);
}
