/* SPDX-License-Identifier: MIT
 * Writes run.json from a run and its table of options. */
#include "run_file.h"

#include "json_file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT_VERSION = 1 };

static uint64_t fnv1a(uint64_t hash, const void *bytes, size_t size) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}

const char *run_file_samples(char text[24], const an_dataset *faces) {
    uint64_t hash = 0xcbf29ce484222325u;
    const int64_t count = an_dataset_count(faces);
    for (int64_t i = 0; i < count; i++) {
        const char *name = an_dataset_name(faces, i);
        const double score = an_dataset_score(faces, i, 0);
        hash = fnv1a(hash, name, strlen(name) + 1);
        hash = fnv1a(hash, &score, sizeof score);
    }
    snprintf(text, 24, "%016llx", (unsigned long long)hash);
    return text;
}

static void write_library(json_file *json, const run *r) {
    an_device_info device;
    an_device_info_init(&device, sizeof device);
    an_backend_describe(r->backend, &device, NULL);
    json_open(json, "library", '{');
    json_text(json, "version", an_version());
    json_count(json, "abi", an_abi());
    json_text(json, "device", device.device);
    json_text(json, "device_name", device.name);
    json_text(json, "level", device.level);
    json_close(json);
}

static void write_data(json_file *json, const run *r) {
    char hash[24];
    const int64_t count = an_dataset_count(r->faces);
    json_open(json, "data", '{');
    json_text(json, "path", r->real_path);
    json_count(json, "count", count);
    json_count(json, "left_out", r->found - count);
    json_text(json, "samples", run_file_samples(hash, r->faces));
    json_close(json);
    json_open(json, "split", '{');
    json_text(json, "method",
              !r->folds          ? "an_tutorial_split"
              : r->s->fold_files ? "an_held_out_split"
                                 : "an_fold_split");
    if (r->folds) json_count(json, "fold", r->fold);
    json_count(json, "seed", r->s->seed);
    json_count(json, "count", count);
    json_count(json, "n_train", r->n_train);
    json_count(json, "n_val", r->n_val);
    json_count(json, "n_test", r->n_test);
    json_close(json);
}

static void write_settings(json_file *json, const option_row *rows) {
    char word[64];
    json_open(json, "settings", '{');
    for (const option_row *row = rows; row->name; row++) {
        switch (row->kind) {
        case OPTION_TEXT:
            json_text(json, row->name, *(const char *const *)row->value);
            break;
        case OPTION_COUNT:
            json_count(json, row->name, *(const int32_t *)row->value);
            break;
        case OPTION_NUMBER:
            json_number(json, row->name, *(const double *)row->value);
            break;
        case OPTION_CHOICE:
            json_text(json, row->name, option_value(word, row));
            break;
        case OPTION_FLAG:
            json_flag(json, row->name, *(const int32_t *)row->value);
            break;
        }
    }
    json_close(json);
}

static void write_model(json_file *json, const run *r) {
    char word[32];
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    an_model_describe(r->model, &info, NULL);
    json_open(json, "model", '{');
    json_count(json, "height", info.height);
    json_count(json, "width", info.width);
    json_number(json, "alpha", info.alpha);
    json_count(json, "outputs", info.outputs);
    json_text(json, "scale", option_word(word, scale_words, info.scale));
    json_close(json);
}

static void write_stage(json_file *json, const run *r, int32_t stage) {
    char word[32];
    const int32_t max_epochs = stage == 1 ? r->s->epochs1 : r->s->epochs2;
    if (!max_epochs) return;
    int64_t epochs = 0;
    double best = INFINITY;
    for (int64_t i = 0; i < an_history_count(r->history); i++) {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        an_history_copy_epoch(r->history, i, &report, NULL);
        if (report.stage != stage) continue;
        epochs++;
        best = fmin(best, report.val_loss);
    }
    json_open(json, NULL, '{');
    json_count(json, "stage", stage);
    json_text(json, "base",
              option_word(word, base_words, stage == 1 ? AN_BASE_FROZEN : r->s->base2));
    json_count(json, "max_epochs", max_epochs);
    json_number(json, "learning_rate", stage == 1 ? r->s->lr1 : r->s->lr2);
    json_count(json, "epochs", epochs);
    json_number(json, "best_val_loss", best);
    json_close(json);
}

static void write_results(json_file *json) {
    static const char *const names[] = {"model.safetensors", "history.csv", "loss.png",
                                        "scatter.png", "metrics.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        json_text(json, NULL, names[i]);
}

int run_file_write(run *r, int is_complete) {
    json_file json;
    /* Only once: cached data may be gone by the time the results are complete. */
    if (!r->real_path) r->real_path = realpath(r->path, NULL);
    if (!r->real_path) return complain_of("cannot find '%s': %s", r->path, strerror(errno));
    if (json_begin(&json, r->s->out, "run.json")) return 1;
    json_text(&json, "format", "attractivenet run");
    json_count(&json, "format_version", FORMAT_VERSION);
    json_flag(&json, "complete", is_complete);
    write_library(&json, r);
    write_data(&json, r);
    write_settings(&json, r->rows);
    write_model(&json, r);
    json_open(&json, "stages", '[');
    write_stage(&json, r, 1);
    write_stage(&json, r, 2);
    json_close(&json);
    json_open(&json, "results", '[');
    if (is_complete) write_results(&json);
    json_close(&json);
    return json_end(&json);
}
