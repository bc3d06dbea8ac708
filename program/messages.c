/* SPDX-License-Identifier: MIT
 * Lines printed by the steps of the tutorial. */
#include "messages.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

void say_extracted(const settings *s, const an_extract_report *report, const char *folder) {
    say(s->quiet, "extracted %lld files to %s; %lld already existed\n", (long long)report->written,
        folder, (long long)report->present);
}

void say_images(const settings *s, const an_dataset *faces, const char *path) {
    say(s->quiet, "%lld images with scores in %s\n", (long long)an_dataset_count(faces), path);
}

void say_checked(const settings *s, const an_dataset *faces, int64_t count, double seconds) {
    say(s->quiet, "read, decoded and resized to %dx%d in %.1f s, %.0f images per second\n",
        (int)s->size, (int)s->size, seconds, (double)count / fmax(seconds, 1e-9));
    const int64_t left = an_dataset_count(faces);
    if (left < count)
        say(s->quiet, "left out %lld damaged images, %lld remain\n", (long long)(count - left),
            (long long)left);
}

int complain_of_images(const settings *s, const an_error *err) {
    complain(err);
    if (!s->skip_damaged) fprintf(stderr, "use --skip-damaged to leave out damaged images\n");
    return 1;
}

int check_images(const settings *s, an_dataset *faces) {
    an_error err;
    const int64_t count = an_dataset_count(faces);
    const double begin = seconds_now();
    int32_t quiet = s->quiet;
    if (an_dataset_check(faces, s->threads, show_progress, &quiet, &err))
        return complain_of_images(s, &err);
    say_checked(s, faces, count, seconds_now() - begin);
    return 0;
}

void say_split(const settings *s, int64_t n_train, int64_t n_val, int64_t n_test) {
    say(s->quiet, "split with seed %d: %lld for training, %lld for validation, %lld for testing\n",
        (int)s->seed, (long long)n_train, (long long)n_val, (long long)n_test);
}

void say_backend(const settings *s, an_backend *backend) {
    an_device_info info;
    an_device_info_init(&info, sizeof info);
    an_backend_describe(backend, &info, NULL);
    say(s->quiet, "backend: %s (%s), %d threads\n", info.device, info.level,
        (int)an_backend_threads(backend));
}

void say_model(const settings *s, const an_model *model) {
    char scale[32];
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    an_model_describe(model, &info, NULL);
    say(s->quiet, "MobileNetV2, alpha %g, %dx%d, weights: %s, pixel scale: %s, %lld parameters\n",
        info.alpha, (int)info.height, (int)info.width, s->weights,
        option_word(scale, scale_words, info.scale), (long long)info.parameters);
}

void say_metrics(const settings *s, const an_metrics *metrics, double deviation, int64_t count) {
    say(s->quiet,
        "\nresults on %lld unseen images:\n"
        "  RMSE     %.4f   (always guessing the mean: %.4f)\n"
        "  MAE      %.4f\n"
        "  R2       %.4f\n"
        "  Pearson  %.4f\n",
        (long long)count, metrics->rmse, deviation, metrics->mae, metrics->r2, metrics->pearson);
}

void say_interval(const settings *s, const interval_result *interval) {
    if (isnan(interval->half_width)) return;
    say(s->quiet, "  %g %% of scores within %.4f of the prediction (here: %.1f %%)\n",
        100 * interval->level, interval->half_width, 100 * interval->coverage);
}

void say_short_metrics(const settings *s, const char *kind, const an_metrics *metrics, double rmse,
                       const char *path) {
    say(s->quiet,
        "with %s inference: RMSE %.4f (fp32: %.4f), MAE %.4f, R2 %.4f, Pearson %.4f\n"
        "model with this inference: %s\n",
        kind, metrics->rmse, rmse, metrics->mae, metrics->r2, metrics->pearson, path);
}

void say_interrupted(const settings *s, const an_error *err) {
    say(s->quiet, "\n");
    fflush(stdout);
    fprintf(stderr, "interrupted: %s; run the same command with --resume to continue\n",
            err->message);
}

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double standard_deviation(const double *values, int64_t count) {
    double mean = 0, sum = 0;
    for (int64_t i = 0; i < count; i++)
        mean += values[i] / (double)count;
    for (int64_t i = 0; i < count; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return sqrt(sum / (double)count);
}
