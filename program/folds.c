/* SPDX-License-Identifier: MIT
 * Cross-validation. */
#include "folds.h"

#include "json_file.h"
#include "messages.h"
#include "result_file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FOLDS = 1000 };

/* --- fold files ------------------------------------------------------------------------------- */

/* As SCUT-FBP5500 has them. */
static const char *fold_path(char path[PATH_SIZE], const char *folder, int32_t fold) {
    snprintf(path, PATH_SIZE, "%s/cross_validation_%d/test_%d.txt", folder, (int)fold, (int)fold);
    return path;
}

static int32_t count_files(const char *folder) {
    char path[PATH_SIZE];
    int32_t count = 0;
    while (count < MAX_FOLDS) {
        FILE *file = fopen(fold_path(path, folder, count + 1), "r");
        if (!file) break;
        fclose(file);
        count++;
    }
    return count;
}

/* The sample of a name, or -1. */
static int64_t find_sample(const an_dataset *faces, const char *name, size_t length) {
    for (int64_t i = 0; i < an_dataset_count(faces); i++) {
        const char *is = an_dataset_name(faces, i);
        if (!strncmp(is, name, length) && !is[length]) return i;
    }
    return -1;
}

/* Read "name score" lines; only names matter. A name that the data lacks is an error, unless
 * damaged images are left out. */
static int read_test_part(const run *r, const char *path, int64_t *test, int64_t *n_test) {
    char line[4096];
    int status = 0, number = 0;
    const int64_t count = an_dataset_count(r->faces);
    FILE *file = fopen(path, "r");
    if (!file) return complain_of("cannot open '%s': %s", path, strerror(errno));
    *n_test = 0;
    while (!status && fgets(line, sizeof line, file)) {
        number++;
        line[strcspn(line, "\r\n")] = 0;
        const char *blank = strrchr(line, ' ');
        const size_t length = blank ? (size_t)(blank - line) : strlen(line);
        if (!length) continue;
        const int64_t sample = find_sample(r->faces, line, length);
        if (sample < 0 && r->s->skip_damaged) continue;
        if (sample < 0)
            status = complain_of("'%s', line %d: the data has no image '%.*s'", path, number,
                                 (int)length, line);
        else if (*n_test == count)
            status = complain_of("'%s', line %d: more lines than the data has images, %lld", path,
                                 number, (long long)count);
        else
            test[(*n_test)++] = sample;
    }
    if (!status && ferror(file)) status = complain_of("cannot read '%s'", path);
    fclose(file);
    return status;
}

static int split_by_file(run *r, int32_t fold) {
    an_error err;
    char path[PATH_SIZE];
    const int64_t count = an_dataset_count(r->faces);
    int64_t *test = malloc((size_t)count * sizeof *test);
    if (!test) return complain_of("no memory for the split");
    int status = read_test_part(r, fold_path(path, r->s->fold_files, fold), test, &r->n_test);
    if (!status && an_held_out_split(count, test, r->n_test, (uint32_t)r->s->seed, r->indices,
                                     &r->n_train, &r->n_val, &err))
        status = complain_of("'%s': %s", path, err.message);
    free(test);
    return status;
}

int folds_split(run *r, int32_t fold) {
    an_error err;
    if (r->s->fold_files) return split_by_file(r, fold);
    return an_fold_split(an_dataset_count(r->faces), r->s->folds, fold, (uint32_t)r->s->seed,
                         r->indices, &r->n_train, &r->n_val, &r->n_test, &err)
               ? complain(&err)
               : 0;
}

/* --- results ---------------------------------------------------------------------------------- */

int folds_begin(fold_results *results, const run *r) {
    const int64_t count = an_dataset_count(r->faces);
    results->folds = r->s->fold_files ? count_files(r->s->fold_files) : r->s->folds;
    if (results->folds < 2)
        return complain_of("'%s' has %d files cross_validation_N/test_N.txt; it needs at least 2",
                           r->s->fold_files, (int)results->folds);
    results->metrics = calloc((size_t)results->folds, sizeof *results->metrics);
    results->predictions = malloc((size_t)count * sizeof *results->predictions);
    results->fold = calloc((size_t)count, sizeof *results->fold);
    if (!results->metrics || !results->predictions || !results->fold)
        return complain_of("no memory for the results of %d folds", (int)results->folds);
    for (int64_t i = 0; i < count; i++)
        results->predictions[i] = NAN;
    return 0;
}

int folds_add(fold_results *results, const run *r, int32_t fold, const float *scores,
              const an_metrics *metrics) {
    const int64_t *test = r->indices + r->n_train + r->n_val;
    results->metrics[fold - 1] = *metrics;
    for (int64_t i = 0; i < r->n_test; i++) {
        if (results->fold[test[i]])
            return complain_of("'%s' is tested in fold %d and in fold %d",
                               an_dataset_name(r->faces, test[i]), (int)results->fold[test[i]],
                               (int)fold);
        results->predictions[test[i]] = scores[i];
        results->fold[test[i]] = fold;
    }
    return 0;
}

static void print_name(FILE *to, const char *name) {
    if (!strpbrk(name, ",\"\r\n")) {
        fputs(name, to);
        return;
    }
    putc('"', to);
    for (; *name; name++) {
        if (*name == '"') putc('"', to);
        putc(*name, to);
    }
    putc('"', to);
}

static int write_predictions(const fold_results *results, const run *r) {
    char path[PATH_SIZE];
    result_file to;
    if (result_file_begin(&to, join_path(path, r->s->out, "predictions.csv"))) return 1;
    FILE *const file = to.file;
    fprintf(file, "name,score,prediction,fold\n");
    for (int64_t i = 0; i < an_dataset_count(r->faces); i++) {
        if (!results->fold[i]) continue;
        print_name(file, an_dataset_name(r->faces, i));
        fprintf(file, ",%.9g,%.9g,%d\n", an_dataset_score(r->faces, i, 0),
                (double)results->predictions[i], (int)results->fold[i]);
    }
    if (result_file_end(&to)) return 1;
    say(r->s->quiet, "predictions written to %s\n", path);
    return 0;
}

/* Over the folds: the mean of a value, and its standard deviation as a sample. */
static void summarise(const double *values, int32_t count, double *mean, double *deviation) {
    double squares = 0;
    *mean = 0;
    for (int32_t i = 0; i < count; i++)
        *mean += values[i] / count;
    for (int32_t i = 0; i < count; i++)
        squares += (values[i] - *mean) * (values[i] - *mean);
    *deviation = sqrt(squares / (count - 1));
}

static int measure_together(const fold_results *results, const run *r, an_metrics *metrics) {
    an_error err;
    const int64_t all = an_dataset_count(r->faces);
    int64_t count = 0;
    double *truth = malloc((size_t)all * sizeof *truth);
    float *scores = malloc((size_t)all * sizeof *scores);
    int status = truth && scores ? 0 : complain_of("no memory for %lld scores", (long long)all);
    for (int64_t i = 0; !status && i < all; i++) {
        if (!results->fold[i]) continue;
        truth[count] = an_dataset_score(r->faces, i, 0);
        scores[count++] = results->predictions[i];
    }
    if (!status && an_metrics_compute(truth, scores, NULL, count, metrics, &err))
        status = complain(&err);
    free(truth);
    free(scores);
    return status;
}

int folds_end(const fold_results *results, const run *r) {
    static const char *const names[] = {"rmse", "mae", "r2", "pearson"};
    an_metrics together;
    json_file json;
    an_metrics_init(&together, sizeof together);
    double *values = malloc((size_t)results->folds * sizeof *values);
    if (!values) return complain_of("no memory for the results of %d folds", (int)results->folds);
    int status = write_predictions(results, r) || measure_together(results, r, &together) ||
                 json_begin(&json, r->s->out, "folds.json");
    if (status) goto done;
    say(r->s->quiet, "\n%d folds, mean and standard deviation:\n", (int)results->folds);
    json_count(&json, "folds", results->folds);
    for (int k = 0; k < 4; k++) {
        double mean, deviation;
        for (int32_t i = 0; i < results->folds; i++) {
            const an_metrics *m = &results->metrics[i];
            const double each[] = {m->rmse, m->mae, m->r2, m->pearson};
            values[i] = each[k];
        }
        summarise(values, results->folds, &mean, &deviation);
        json_open(&json, names[k], '{');
        json_number(&json, "mean", mean);
        json_number(&json, "deviation", deviation);
        json_open(&json, "each", '[');
        for (int32_t i = 0; i < results->folds; i++)
            json_number(&json, NULL, values[i]);
        json_close(&json);
        json_close(&json);
        say(r->s->quiet, "  %-8s %.4f  %.4f\n", names[k], mean, deviation);
    }
    json_open(&json, "together", '{');
    json_count(&json, "count", together.count);
    json_number(&json, "rmse", together.rmse);
    json_number(&json, "mae", together.mae);
    json_number(&json, "r2", together.r2);
    json_number(&json, "pearson", together.pearson);
    json_close(&json);
    status = json_end(&json);
    if (!status) say(r->s->quiet, "results of all folds written to %s\n", json.to.path);
done:
    free(values);
    return status;
}

void folds_clear(fold_results *results) {
    free(results->metrics);
    free(results->predictions);
    free(results->fold);
}
