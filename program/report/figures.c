/* SPDX-License-Identifier: MIT
 * report.json. */
#include "report/figures.h"

#include "json_file.h"

#include <math.h>
#include <stdlib.h>

enum { FORMAT_VERSION = 1 };

static void write_histogram(json_file *json, const char *name, const histogram *h) {
    json_open(json, name, '{');
    json_number(json, "low", h->low);
    json_number(json, "width", h->width);
    json_open(json, "counts", '[');
    for (int32_t i = 0; i < h->bins; i++)
        json_count(json, NULL, h->counts[i]);
    json_close(json);
    json_close(json);
}

static void write_errors(json_file *json, const report *of, int32_t k) {
    const an_metrics *m = &of->overall[k];
    const error_summary *s = &of->errors[k];
    json_open(json, NULL, '{');
    json_number(json, "rmse", m->rmse);
    json_number(json, "mae", m->mae);
    json_number(json, "r2", m->r2);
    json_number(json, "pearson", m->pearson);
    json_number(json, "mean_error", s->bias);
    json_number(json, "deviation_of_errors", s->deviation);
    json_number(json, "median_size", s->median);
    json_number(json, "ninety_percent_size", s->ninety);
    json_number(json, "largest_size", s->largest);
    write_histogram(json, "errors", &s->errors);
    json_open(json, "by_score", '[');
    for (int32_t i = 0; i < s->truth.bins; i++) {
        const score_bin *bin = &s->by_score[i];
        json_open(json, NULL, '{');
        json_number(json, "from", s->truth.low + i * s->truth.width);
        json_number(json, "to", s->truth.low + (i + 1) * s->truth.width);
        json_count(json, "count", bin->count);
        json_number(json, "mean_error", bin->count ? bin->bias : NAN);
        json_number(json, "mean_size", bin->count ? bin->mae : NAN);
        json_close(json);
    }
    json_close(json);
    json_close(json);
}

static void write_scores(json_file *json, const report *of) {
    json_open(json, "outputs", '[');
    for (int32_t k = 0; k < of->outputs; k++)
        write_errors(json, of, k);
    json_close(json);
}

static void write_classes(json_file *json, const report *of) {
    const class_summary *s = &of->summary;
    char text[32];
    json_number(json, "accuracy", s->accuracy);
    json_number(json, "balanced_accuracy", s->balanced);
    json_number(json, "cross_entropy", s->log_loss);
    json_open(json, "classes", '[');
    for (int32_t k = 0; k < s->classes; k++) {
        json_open(json, NULL, '{');
        json_text(json, "name", report_class(of, k, text));
        json_number(json, "precision", s->precision[k]);
        json_number(json, "recall", s->recall[k]);
        json_number(json, "f1", s->f1[k]);
        json_open(json, "predicted_as", '[');
        for (int32_t i = 0; i < s->classes; i++)
            json_count(json, NULL, s->confusion[k * s->classes + i]);
        json_close(json);
        json_close(json);
    }
    json_close(json);
    write_histogram(json, "confidence", &s->confidence);
    json_open(json, "right_by_confidence", '[');
    for (int32_t i = 0; i < s->confidence.bins; i++)
        json_count(json, NULL, s->confident_right[i]);
    json_close(json);
}

static void write_test(json_file *json, const report *of) {
    json_open(json, "test", '[');
    for (int64_t i = 0; i < of->r.n_test; i++) {
        json_open(json, NULL, '{');
        json_text(json, "name", an_dataset_name(of->r.faces, of->test[i]));
        json_open(json, "true", '[');
        if (of->is_classes) json_count(json, NULL, of->classes[i]);
        for (int32_t k = 0; !of->is_classes && k < of->outputs; k++)
            json_number(json, NULL, of->truth[i * of->outputs + k]);
        json_close(json);
        json_open(json, "predicted", '[');
        for (int32_t k = 0; k < of->outputs; k++)
            json_number(json, NULL, (double)of->scores[i * of->outputs + k]);
        json_close(json);
        json_close(json);
    }
    json_close(json);
}

static void write_history(json_file *json, const an_history *history) {
    static const char *const names[] = {"stage", "loss", "val_loss", "rate", "seconds"};
    const int64_t count = history ? an_history_count(history) : 0;
    double *values = calloc((size_t)count + 1, sizeof *values);
    json_open(json, "history", '{');
    for (size_t i = 0; i < sizeof names / sizeof *names && values && history; i++) {
        if (an_history_copy_column(history, names[i], values, NULL)) continue;
        json_open(json, names[i], '[');
        for (int64_t k = 0; k < count; k++)
            json_number(json, NULL, values[k]);
        json_close(json);
    }
    json_close(json);
    free(values);
}

static void write_labels(json_file *json, const report *of) {
    static const char *const parts[] = {"training", "validation", "test"};
    const int64_t ends[] = {of->r.n_train, of->r.n_train + of->r.n_val,
                            of->r.n_train + of->r.n_val + of->r.n_test};
    json_open(json, "labels", '{');
    for (int part = 0; part < 3; part++) {
        json_open(json, parts[part], '[');
        for (int64_t i = part ? ends[part - 1] : 0; i < ends[part]; i++) {
            const int64_t sample = of->r.indices[i];
            if (of->is_classes)
                json_count(json, NULL, an_dataset_class(of->r.faces, sample));
            else
                json_number(json, NULL, an_dataset_score(of->r.faces, sample, 0));
        }
        json_close(json);
    }
    json_close(json);
}

static void write_data(json_file *json, const report *of) {
    const survey *s = &of->data;
    json_open(json, "data", '{');
    json_text(json, "path", of->s->data);
    json_count(json, "count", s->count);
    json_count(json, "n_train", of->r.n_train);
    json_count(json, "n_val", of->r.n_val);
    json_count(json, "n_test", of->r.n_test);
    json_count(json, "labels_without_image", an_dataset_labels_without_image(of->r.faces));
    json_count(json, "left_out", an_dataset_skipped(of->r.faces));
    json_open(json, "sizes", '[');
    for (int i = 0; i < SURVEY_SIZES && s->sizes[i].count; i++) {
        json_open(json, NULL, '{');
        json_count(json, "width", s->sizes[i].width);
        json_count(json, "height", s->sizes[i].height);
        json_count(json, "count", s->sizes[i].count);
        json_close(json);
    }
    json_close(json);
    json_count(json, "other_sizes", s->other_sizes);
    json_count(json, "bytes", s->all_bytes);
    json_open(json, "duplicates", '[');
    for (int64_t i = 1; i < s->count; i++) {
        if (!survey_is_twin(s, i - 1, i)) continue;
        json_open(json, NULL, '[');
        json_text(json, NULL, an_dataset_name(of->r.faces, s->prints[i - 1].sample));
        json_text(json, NULL, an_dataset_name(of->r.faces, s->prints[i].sample));
        json_close(json);
    }
    json_close(json);
    json_open(json, "warnings", '[');
    for (int64_t i = 0; i < s->message_count && i < SURVEY_MESSAGES; i++)
        json_text(json, NULL, s->messages[i]);
    json_close(json);
    write_labels(json, of);
    json_close(json);
}

int figures_write(const report *of, const char *folder, const char *name) {
    json_file json;
    if (json_begin(&json, folder, name)) return 1;
    json_text(&json, "format", "attractivenet report");
    json_count(&json, "format_version", FORMAT_VERSION);
    json_text(&json, "task", of->is_classes ? "classification" : "regression");
    json_open(&json, "model", '{');
    json_count(&json, "height", of->info.height);
    json_count(&json, "width", of->info.width);
    json_number(&json, "alpha", of->info.alpha);
    json_count(&json, "outputs", of->info.outputs);
    json_close(&json);
    json_open(&json, "figures", '{');
    if (of->is_classes)
        write_classes(&json, of);
    else
        write_scores(&json, of);
    json_close(&json);
    write_test(&json, of);
    write_history(&json, of->r.history);
    write_data(&json, of);
    return json_end(&json);
}
