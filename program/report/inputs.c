/* SPDX-License-Identifier: MIT
 * run.json, the data set as the run split it, the model, its predictions. */
#include "report/inputs.h"

#include "console.h"
#include "messages.h"
#include "run_file.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SEED = INT32_MAX, MAX_CLASSES = 1000 /* of a data set */ };

/* --- run.json --------------------------------------------------------------------------------- */

/* Read a JSON object of the folder. *out stays NULL if there is no such file. */
static int read_json(json_t **out, const char *folder, const char *name) {
    char path[PATH_SIZE];
    json_error_t error;
    join_path(path, folder, name);
    if (access(path, F_OK) && errno == ENOENT) return 0;
    *out = json_load_file(path, 0, &error);
    if (!*out) return complain_of("cannot read '%s': line %d: %s", path, error.line, error.text);
    return json_is_object(*out) ? 0 : complain_of("cannot read '%s': it is not an object", path);
}

static json_t *value_of(const report *of, const char *group, const char *name) {
    return of->file ? json_object_get(json_object_get(of->file, group), name) : NULL;
}

const char *report_text(const report *of, const char *group, const char *name) {
    return json_string_value(value_of(of, group, name));
}

int64_t report_count(const report *of, const char *group, const char *name) {
    const json_t *value = value_of(of, group, name);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static int check_format(const report *of) {
    const char *format = json_string_value(json_object_get(of->file, "format"));
    const json_t *version = json_object_get(of->file, "format_version");
    if (!format || strcmp(format, "attractivenet run") != 0)
        return complain_of("'%s/run.json' is not the run.json of a training", of->ask->run);
    if (json_integer_value(version) != 1)
        return complain_of("'%s/run.json' has format_version %" JSON_INTEGER_FORMAT
                           "; this program reads 1",
                           of->ask->run, json_integer_value(version));
    const char *method = report_text(of, "split", "method");
    if (!method || strcmp(method, "an_tutorial_split") != 0)
        return complain_of("'%s/run.json' has split method '%s'; it must be 'an_tutorial_split'",
                           of->ask->run, method ? method : "(none)");
    return 0;
}

/* Take a text from the run. One from the command line may not say otherwise. */
static int take_text(const report *of, const char *name, const char *standard, const char **value) {
    const char *theirs = report_text(of, "settings", name), *given = *value;
    const int was_given = given && (!standard || strcmp(given, standard) != 0);
    if (was_given && (!theirs || strcmp(given, theirs) != 0))
        return complain_of("--%s is '%s', but the run in '%s' was made with '%s'", name, given,
                           of->ask->run, theirs ? theirs : "(none)");
    *value = theirs;
    return 0;
}

/* A path that is not UTF-8 is written as its bytes, two digits each. */
static int decode_path(report *of, const char *digits) {
    const size_t length = strlen(digits) / 2;
    of->path = calloc(length + 1, 1);
    if (!of->path) return complain_of("no memory for a path");
    for (size_t i = 0; i < length; i++) {
        unsigned byte = 0;
        if (sscanf(digits + 2 * i, "%2x", &byte) != 1 || !byte)
            return complain_of("'%s/run.json' has no valid path of its data", of->ask->run);
        of->path[i] = (char)byte;
    }
    return 0;
}

static int find_data(report *of) {
    const char *digits = report_text(of, "data", "path_hex");
    of->s->data = of->ask->data ? of->ask->data : report_text(of, "data", "path");
    if (!of->s->data && digits) {
        if (decode_path(of, digits)) return 1;
        of->s->data = of->path;
    }
    return of->s->data ? 0
                       : complain_of("'%s/run.json' does not say where its data is; give --data",
                                     of->ask->run);
}

/* The settings on which the list of samples and the split depend. */
static int take_settings(report *of) {
    const settings *standard = &settings_defaults;
    settings *s = of->s;
    if (check_format(of) || take_text(of, "labels", standard->labels, &s->labels) ||
        take_text(of, "suffix", NULL, &s->suffix) ||
        take_text(of, "names-encoding", NULL, &s->names_encoding))
        return 1;
    if (!s->labels) return complain_of("'%s/run.json' has no setting 'labels'", of->ask->run);
    const int64_t seed = report_count(of, "split", "seed");
    if (seed < 0 || seed > MAX_SEED)
        return complain_of("'%s/run.json' has no valid seed of the split", of->ask->run);
    if (s->seed != standard->seed && s->seed != seed)
        return complain_of("--seed is %d, but the run in '%s' was made with %d", (int)s->seed,
                           of->ask->run, (int)seed);
    s->seed = (int32_t)seed;
    const json_t *skips = value_of(of, "settings", "skip-damaged");
    if (s->skip_damaged && !json_is_true(skips))
        return complain_of("--skip-damaged: the run in '%s' was made without it", of->ask->run);
    s->skip_damaged = json_is_true(skips);
    return find_data(of);
}

static int read_run(report *of) {
    if (read_json(&of->file, of->ask->run, "run.json") ||
        read_json(&of->metrics, of->ask->run, "metrics.json"))
        return 1;
    if (of->file) return take_settings(of);
    of->s->data = of->ask->data;
    return of->s->data ? 0
                       : complain_of("there is no '%s/run.json', which says where the data is; "
                                     "give --data",
                                     of->ask->run);
}

/* --- model and history ------------------------------------------------------------------------ */

static int read_model(report *of) {
    an_error err;
    char path[PATH_SIZE];
    const char *model = of->ask->model;
    if (!model) model = join_path(path, of->ask->run, "model.safetensors");
    if (load_model(&of->r, model)) return 1;
    an_model_info_init(&of->info, sizeof of->info);
    if (an_model_describe(of->r.model, &of->info, &err)) return complain(&err);
    of->s->size = of->info.height; /* in messages */
    of->is_classes = of->info.task == AN_TASK_CLASSIFICATION;
    of->outputs = of->is_classes && of->info.outputs == 1 ? 2 : of->info.outputs;
    return 0;
}

static int read_history(report *of) {
    an_error err;
    char path[PATH_SIZE];
    join_path(path, of->ask->run, "history.csv");
    if (access(path, F_OK) && errno == ENOENT) return 0;
    return an_history_read_csv(&of->r.history, path, &err) ? complain(&err) : 0;
}

/* --- data ------------------------------------------------------------------------------------- */

static int open_data(report *of) {
    an_error err;
    an_dataset_options options;
    an_extract_options archive;
    const char *names[MAX_CLASSES];
    int32_t kind = of->ask->labels;
    if (kind == LABELS_AUTO) kind = of->is_classes ? LABELS_CLASSES : LABELS_SCORES;
    if ((kind != LABELS_SCORES) != of->is_classes)
        return complain_of(of->is_classes ? "the model predicts classes; --label-kind must be "
                                            "classes or folders"
                                          : "the model predicts scores; --label-kind must be "
                                            "scores");
    const int32_t classes = an_model_class_count(of->r.model);
    if (classes > MAX_CLASSES)
        return complain_of("the model has %d classes; a data set has at most %d", (int)classes,
                           MAX_CLASSES);
    settings_dataset(of->s, &options, &archive);
    options.height = of->info.height;
    options.width = of->info.width;
    options.outputs = of->info.outputs;
    options.warn = survey_warning;
    options.warn_user = &of->data;
    options.labels = kind - LABELS_SCORES; /* AN_LABELS_* in the same order */
    options.class_count = classes;
    for (int32_t i = 0; i < classes; i++)
        names[i] = an_model_class_name(of->r.model, i);
    if (classes) options.classes = names;
    if (an_dataset_open(&of->r.faces, of->s->data, &options, &err)) return complain(&err);
    say_images(of->s, of->r.faces, of->s->data);
    if (of->is_classes && an_dataset_class_count(of->r.faces) != of->outputs)
        return complain_of("'%s' has %d classes, the model %d", of->s->data,
                           (int)an_dataset_class_count(of->r.faces), (int)of->outputs);
    return check_images(of->s, of->r.faces);
}

/* The same samples as in the run, so that the test part is the one that training never saw. */
static int compare_data(const report *of) {
    char hash[24];
    const int64_t count = an_dataset_count(of->r.faces);
    if (!of->file) return 0;
    const int64_t theirs = report_count(of, "data", "count");
    if (theirs != count)
        return complain_of("'%s' has %" PRId64 " images; the run was made with %" PRId64
                           ": which of them it has not seen is unknown",
                           of->s->data, count, theirs);
    const char *samples = report_text(of, "data", "samples");
    if (!samples || strcmp(samples, run_file_samples(hash, of->r.faces)) != 0)
        return complain_of("names or scores in '%s' differ from those of the run: which images it "
                           "has not seen is unknown",
                           of->s->data);
    return 0;
}

static int split_data(report *of) {
    an_error err;
    run *r = &of->r;
    an_loader_options options;
    const int64_t count = an_dataset_count(r->faces);
    r->indices = malloc((size_t)count * sizeof *r->indices);
    if (!r->indices) return complain_of("no memory for the split");
    an_loader_options_init(&options, sizeof options);
    options.batch_size = of->s->batch;
    options.threads = of->s->threads;
    options.scale = of->info.scale;
    if (an_tutorial_split(count, (uint32_t)of->s->seed, r->indices, &r->n_train, &r->n_val,
                          &r->n_test, &err))
        return complain(&err);
    of->test = r->indices + r->n_train + r->n_val;
    return an_loader_create(&r->test, r->faces, of->test, r->n_test, &options, &err)
               ? complain(&err)
               : 0;
}

/* --- predictions ------------------------------------------------------------------------------ */

/* A model of one class gives the probability of the second one: make it two columns. */
static void spread(report *of) {
    for (int64_t i = of->r.n_test - 1; of->outputs != of->info.outputs && i >= 0; i--) {
        const float second = of->scores[i];
        of->scores[2 * i] = 1 - second;
        of->scores[2 * i + 1] = second;
    }
}

/* Score the test part of a model of one class: its data set has two columns, which do not matter to
 * features. */
static int predict_one(report *of) {
    an_error err;
    const int64_t count = of->r.n_test * of->info.features;
    float *features = malloc((size_t)count * sizeof *features);
    if (!features) return complain_of("no memory for %" PRId64 " features", count);
    const int bad =
        an_compute_features_loader(of->r.model, of->r.test, features, show_progress, &of->s->quiet,
                                   &err) ||
        an_model_predict_from_features(of->r.model, features, of->r.n_test, of->scores, &err);
    free(features);
    return bad ? complain(&err) : 0;
}

static int predict(report *of) {
    an_error err;
    const int64_t n = of->r.n_test, all = n * of->outputs;
    const double start = seconds_now();
    of->scores = malloc((size_t)all * sizeof *of->scores);
    of->truth = of->is_classes ? NULL : malloc((size_t)all * sizeof *of->truth);
    of->classes = of->is_classes ? malloc((size_t)n * sizeof *of->classes) : NULL;
    if (!of->scores || (of->is_classes ? !of->classes : !of->truth))
        return complain_of("no memory for %" PRId64 " scores", all);
    if (of->outputs != of->info.outputs) {
        if (predict_one(of)) return 1;
    } else if (an_predict_loader(of->r.model, of->r.test, of->scores, show_progress, &of->s->quiet,
                                 &err)) {
        return complain(&err);
    }
    say(of->s->quiet, "scored %" PRId64 " test images in %.1f s\n", n, seconds_now() - start);
    spread(of);
    for (int64_t i = 0; i < n; i++) {
        if (of->is_classes) of->classes[i] = an_dataset_class(of->r.faces, of->test[i]);
        for (int32_t k = 0; !of->is_classes && k < of->outputs; k++)
            of->truth[i * of->outputs + k] = an_dataset_score(of->r.faces, of->test[i], k);
    }
    for (int64_t i = 0; i < all; i++)
        if (!isfinite(of->scores[i]))
            return complain_of("the model predicts %g for '%s'", (double)of->scores[i],
                               an_dataset_name(of->r.faces, of->test[i / of->outputs]));
    return 0;
}

/* The numbers of one output, from columns of all. */
static int summarise_output(report *of, int32_t k) {
    an_error err;
    int status = 1;
    const int64_t n = of->r.n_test;
    double *truth = malloc((size_t)n * sizeof *truth);
    float *scores = malloc((size_t)n * sizeof *scores);
    if (!truth || !scores) {
        complain_of("no memory for %" PRId64 " scores", n);
        goto done;
    }
    for (int64_t i = 0; i < n; i++) {
        truth[i] = of->truth[i * of->outputs + k];
        scores[i] = of->scores[i * of->outputs + k];
    }
    an_metrics_init(&of->overall[k], sizeof of->overall[k]);
    if (an_metrics_compute(truth, scores, NULL, n, &of->overall[k], &err))
        complain(&err);
    else if (error_summarise(&of->errors[k], truth, scores, n))
        complain_of("no memory for %" PRId64 " errors", n);
    else
        status = 0;
done:
    free(truth);
    free(scores);
    return status;
}

static int summarise(report *of) {
    if (of->is_classes)
        return class_summarise(&of->summary, of->classes, of->scores, of->r.n_test, of->outputs)
                   ? complain_of("no memory for %d classes", (int)of->outputs)
                   : 0;
    of->overall = calloc((size_t)of->outputs, sizeof *of->overall);
    of->errors = calloc((size_t)of->outputs, sizeof *of->errors);
    if (!of->overall || !of->errors)
        return complain_of("no memory for %d outputs", (int)of->outputs);
    for (int32_t k = 0; k < of->outputs; k++)
        if (summarise_output(of, k)) return 1;
    return 0;
}

/* metrics.json and history.csv describe the model of the run; another one may be given. */
static void compare_metrics(const report *of) {
    const json_t *rmse = of->metrics ? json_object_get(of->metrics, "rmse") : NULL;
    if (of->is_classes || of->ask->model || !json_is_number(rmse)) return;
    const double theirs = json_number_value(rmse), ours = of->overall[0].rmse;
    if (fabs(theirs - ours) > 1e-3 * fmax(theirs, ours))
        fprintf(stderr, "warning: the RMSE is %.5f; '%s/metrics.json' has %.5f\n", ours,
                of->ask->run, theirs);
}

/* --- all -------------------------------------------------------------------------------------- */

int report_read(report *of, const report_request *ask, settings *s) {
    *of = (report){.ask = ask, .s = s, .r = {.s = s}};
    if (read_run(of) || make_backend(&of->r) || read_model(of) || read_history(of) ||
        open_data(of) || compare_data(of) || split_data(of))
        return 1;
    say_split(s, of->r.n_train, of->r.n_val, of->r.n_test);
    if (predict(of) || summarise(of) || survey_images(&of->data, of->r.faces)) return 1;
    compare_metrics(of);
    return 0;
}

void report_clear(report *of) {
    json_decref(of->file);
    json_decref(of->metrics);
    run_close(&of->r);
    free(of->path);
    free(of->truth);
    free(of->classes);
    free(of->scores);
    free(of->overall);
    free(of->errors);
    class_clear(&of->summary);
    survey_clear(&of->data);
}

const char *report_class(const report *of, int32_t class_index, char text[32]) {
    const char *name = an_model_class_name(of->r.model, class_index);
    if (!name) name = an_dataset_class_name(of->r.faces, class_index);
    if (name) return name;
    snprintf(text, 32, "class %d", (int)class_index);
    return text;
}

double report_error(const report *of, int64_t i) {
    const float *scores = of->scores + i * of->outputs;
    double sum = 0;
    if (of->is_classes) return 1 - (double)scores[of->classes[i]];
    for (int32_t k = 0; k < of->outputs; k++)
        sum += fabs((double)scores[k] - of->truth[i * of->outputs + k]);
    return sum / of->outputs;
}
