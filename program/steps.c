/* SPDX-License-Identifier: MIT
 * The steps shared by the commands train and test. */
#include "steps.h"

#include "folds.h"
#include "messages.h"
#include "results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void run_close_model(run *r) {
    an_history_destroy(r->history);
    an_model_destroy(r->model);
    an_loader_destroy(r->train);
    an_loader_destroy(r->val);
    an_loader_destroy(r->test);
    free(r->indices);
    r->history = NULL;
    r->model = NULL;
    r->train = r->val = r->test = NULL;
    r->indices = NULL;
}

void run_close(run *r) {
    run_close_model(r);
    an_dataset_destroy(r->faces);
    replicas_clear(&r->replicas);
    an_backend_destroy(r->backend);
    free(r->real_path);
}

int make_backend(run *r) {
    an_error err;
    if (replicas_create(&r->replicas, &r->backend, r->s, &err)) return complain(&err);
    if (!r->s->quiet) show_device(r->s->device, r->backend);
    return 0;
}

int load_data(run *r) {
    an_error err;
    an_dataset_options options;
    an_extract_options archive;
    settings_dataset(r->s, &options, &archive);
    if (an_dataset_open(&r->faces, r->path, &options, &err)) return complain(&err);
    r->found = an_dataset_count(r->faces);
    say_images(r->s, r->faces, r->path);
    return 0;
}

int prepare_data(run *r) {
    an_error err;
    an_model_info info;
    an_loader_options options;
    an_augment_options augment;
    const int64_t count = an_dataset_count(r->faces);
    r->indices = malloc((size_t)count * sizeof *r->indices);
    if (!r->indices) return complain_of("no memory for the split");
    if (r->folds) {
        if (folds_split(r, r->fold)) return 1;
    } else if (an_tutorial_split(count, (uint32_t)r->s->seed, r->indices, &r->n_train, &r->n_val,
                                 &r->n_test, &err)) {
        return complain(&err);
    }
    say_split(r->s, r->n_train, r->n_val, r->n_test);

    an_model_info_init(&info, sizeof info);
    an_loader_options_init(&options, sizeof options);
    options.batch_size = r->s->batch;
    options.seed = (uint32_t)r->s->seed;
    if (an_model_describe(r->model, &info, &err)) return complain(&err);
    options.scale = info.scale;
    const int64_t *val = r->indices + r->n_train, *test = val + r->n_val;
    if (an_loader_create(&r->val, r->faces, val, r->n_val, &options, &err) ||
        an_loader_create(&r->test, r->faces, test, r->n_test, &options, &err))
        return complain(&err);
    /* Only the training data is shuffled and augmented; validation and test data are not. */
    settings_augment(r->s, &augment);
    options.augment = &augment;
    options.shuffle = 1;
    options.mixup = r->s->mixup;
    options.drop_last = 1;
    if (an_loader_create(&r->train, r->faces, r->indices, r->n_train, &options, &err))
        return complain(&err);
    return 0;
}

int load_model(run *r, const char *path) {
    an_error err;
    an_model_destroy(r->model);
    r->model = NULL;
    return an_model_load(&r->model, r->backend, path, NULL, &err) ? complain(&err) : 0;
}

int measure_intervals(run *r) {
    an_error err;
    int status = 1;
    double *truth = NULL, half_width = 0;
    float *scores = NULL;
    if (r->s->interval == 0) return 0;
    const double fewest = r->s->interval / (1 - r->s->interval);
    if ((double)r->n_val < fewest * (1 - 1e-12)) {
        say(r->s->quiet, "no intervals: %lld validation images; level %g needs %.0f\n",
            (long long)r->n_val, r->s->interval, fewest);
        return 0;
    }
    truth = malloc((size_t)r->n_val * sizeof *truth);
    scores = malloc((size_t)r->n_val * sizeof *scores);
    if (!truth || !scores) {
        complain_of("no memory for %lld scores", (long long)r->n_val);
        goto done;
    }
    for (int64_t i = 0; i < r->n_val; i++)
        truth[i] = an_dataset_score(r->faces, r->indices[r->n_train + i], 0);
    if (an_predict_loader(r->model, r->val, scores, show_progress, &r->s->quiet, &err) ||
        an_conformal_half_width(truth, scores, r->n_val, r->s->interval, &half_width, &err) ||
        an_model_set_intervals(r->model, r->s->interval, &half_width, 1, &err))
        complain(&err);
    else
        status = 0;
done:
    free(scores);
    free(truth);
    return status;
}

/* Score the test part again with the model's current inference, and save that model.
 */
static int test_again(run *r, const double *truth, float *scores, double rmse, const char *kind) {
    an_error err;
    char path[PATH_SIZE], name[64];
    an_metrics metrics;
    an_metrics_init(&metrics, sizeof metrics);
    snprintf(name, sizeof name, "model_%s.safetensors", kind);
    if (measure_intervals(r)) return 1;
    if (an_predict_loader(r->model, r->test, scores, show_progress, &r->s->quiet, &err) ||
        an_metrics_compute(truth, scores, NULL, r->n_test, &metrics, &err) ||
        an_model_save(r->model, join_path(path, r->s->out, name), &err))
        return complain(&err);
    say_short_metrics(r->s, kind, &metrics, rmse, path);
    return 0;
}

/* Repeat the test with the requested inference types. */
static int test_short(run *r, const double *truth, float *scores, double rmse) {
    an_error err;
    if (r->s->bf16) {
        if (an_model_set_inference(r->model, AN_INFERENCE_BF16, &err)) return complain(&err);
        if (test_again(r, truth, scores, rmse, "bf16")) return 1;
    }
    if (r->s->int8) {
        if (an_calibrate_loader(r->model, r->val, r->s->int8, show_progress, &r->s->quiet, &err))
            return complain(&err);
        if (test_again(r, truth, scores, rmse, "int8")) return 1;
    }
    return 0;
}

int test_model(run *r) {
    an_error err;
    int status = 1;
    char path[PATH_SIZE];
    const int64_t *test = r->indices + r->n_train + r->n_val;
    double *truth = malloc((size_t)r->n_test * sizeof *truth);
    float *scores = malloc((size_t)r->n_test * sizeof *scores);
    an_metrics metrics;
    an_metrics_init(&metrics, sizeof metrics);
    if (!truth || !scores) {
        complain_of("no memory for %lld scores", (long long)r->n_test);
        goto done;
    }
    for (int64_t i = 0; i < r->n_test; i++)
        truth[i] = an_dataset_score(r->faces, test[i], 0);
    if (an_predict_loader(r->model, r->test, scores, show_progress, &r->s->quiet, &err) ||
        an_metrics_compute(truth, scores, NULL, r->n_test, &metrics, &err)) {
        complain(&err);
        goto done;
    }
    const double deviation = standard_deviation(truth, r->n_test);
    say_metrics(r->s, &metrics, deviation, r->n_test);
    interval_result interval = {.half_width = an_model_interval(r->model, 0, &interval.level)};
    for (int64_t i = 0; i < r->n_test; i++)
        interval.coverage += fabs(truth[i] - (double)scores[i]) <= interval.half_width;
    interval.coverage /= (double)r->n_test;
    say_interval(r->s, &interval);
    if (an_plot_scatter(join_path(path, r->s->out, "scatter.png"), truth, scores, r->n_test, NULL,
                        &err)) {
        complain(&err);
        goto done;
    }
    say(r->s->quiet, "scatter plot written to %s\n", path);
    if (r->folds && folds_add(r->folds, r, r->fold, scores, &metrics)) goto done;
    status = write_metrics(r->s, &metrics, deviation, &interval, r->n_train, r->n_val, r->n_test) ||
             test_short(r, truth, scores, metrics.rmse);
done:
    free(scores);
    free(truth);
    return status;
}
