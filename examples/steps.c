/* SPDX-License-Identifier: MIT
 * The steps of the tutorial with the library's calls in the order in which they are needed. */
#include "steps.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- what the steps share --------------------------------------------------------------------- */

static const char *best_model_path(const settings *s, char path[PATH_SIZE]) {
    return join_path(path, s->out, "model.safetensors");
}

static int make_backend(settings *s, an_backend **backend) {
    an_error err;
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.threads = s->threads;
    return an_backend_create(backend, &options, &err) ? complain(&err) : 0;
}

int load_model(settings *s, an_model **model) {
    an_error err;
    char path[PATH_SIZE];
    an_backend *backend = NULL;
    *model = NULL;
    if (make_backend(s, &backend)) return 1;
    const an_status status =
        an_model_load(model, backend, s->model ? s->model : best_model_path(s, path), NULL, &err);
    an_backend_destroy(backend); /* the model holds it */
    return status ? complain(&err) : 0;
}

an_model_info model_info(const an_model *model) {
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    an_model_describe(model, &info, NULL);
    return info;
}

static const char *checkpoint_path(const settings *s, char path[PATH_SIZE]) {
    return join_path(path, s->out, "checkpoint");
}

int lock_folder(const settings *s, an_run_lock **lock) {
    an_error err;
    char path[PATH_SIZE];
    if (make_folder(s->out)) return 1;
    return an_run_lock_create(lock, checkpoint_path(s, path), &err) ? complain(&err) : 0;
}

/* --- 1: get the data -------------------------------------------------------------------------- */

static int download(settings *s, char path[PATH_SIZE]) {
    an_error err;
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    options.sha256 = s->sha256;
    options.expected_type = "zip";
    options.progress = show_progress;
    options.progress_user = &s->quiet;
    options.warn = show_warning;
    if (make_folder(s->out)) return 1;
    join_path(path, s->out, "archive.zip");
    say(s->quiet, "downloading %s\n", s->data);
    if (an_download(s->data, path, &options, &err)) return complain(&err);
    say(s->quiet, "the archive is %s\n", path);
    return 0;
}

static int extract(settings *s, char path[PATH_SIZE]) {
    an_error err;
    char folder[PATH_SIZE];
    an_extract_options options;
    an_extract_report report;
    an_extract_report_init(&report, sizeof report);
    an_extract_options_init(&options, sizeof options);
    options.label_file = s->labels;
    options.suffix = s->suffix;
    options.names_encoding = s->names_encoding;
    options.policy = s->skip_damaged ? AN_POLICY_SKIP : AN_POLICY_STRICT;
    options.progress = show_progress;
    options.progress_user = &s->quiet;
    options.warn = show_warning;
    options.exact = 1;
    join_path(folder, s->out, "data");
    if (make_folder(s->out)) return 1;
    if (an_archive_extract(path, folder, &options, &report, &err)) return complain(&err);
    say(s->quiet, "%lld files extracted into %s, %lld were there already\n",
        (long long)report.written, folder, (long long)report.present);
    memcpy(path, folder, PATH_SIZE);
    return 0;
}

/* An archive or folder that is here already. */
static int find(const settings *s, char path[PATH_SIZE], int *is_folder) {
    an_error err;
    struct stat found;
    if (stat(s->data, &found)) return complain_of("cannot open '%s': %s", s->data, strerror(errno));
    *is_folder = S_ISDIR(found.st_mode);
    if (*is_folder && s->sha256)
        return complain_of("--sha256 is the hash of one file, but '%s' is a folder", s->data);
    if (s->sha256 && an_file_verify(s->data, s->sha256, &err)) return complain(&err);
    snprintf(path, PATH_SIZE, "%s", s->data);
    return 0;
}

int get_data(settings *s, char path[PATH_SIZE]) {
    int is_folder = 0;
    const int bad = strstr(s->data, "://") ? download(s, path) : find(s, path, &is_folder);
    if (bad) return 1;
    return s->extract && !is_folder ? extract(s, path) : 0;
}

/* --- 2: load ---------------------------------------------------------------------------------- */

int load_data(settings *s, const char *path, data *d) {
    an_error err;
    an_dataset_options options;
    an_extract_options archive;
    an_dataset_options_init(&options, sizeof options);
    an_extract_options_init(&archive, sizeof archive);
    archive.names_encoding = s->names_encoding;
    options.archive = &archive;
    options.height = options.width = s->size;
    options.cache = s->cache;
    options.label_file = s->labels;
    options.suffix = s->suffix;
    options.policy = s->skip_damaged ? AN_POLICY_SKIP : AN_POLICY_STRICT;
    options.warn = show_warning;
    if (an_dataset_open(&d->faces, path, &options, &err)) return complain(&err);
    say(s->quiet, "%lld images with scores in %s\n", (long long)an_dataset_count(d->faces), path);
    return 0;
}

int check_data(settings *s, data *d) {
    an_error err;
    struct timespec begin, end;
    const int64_t count = an_dataset_count(d->faces);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (an_dataset_check(d->faces, s->threads, show_progress, &s->quiet, &err)) {
        complain(&err);
        if (!s->skip_damaged) fprintf(stderr, "--skip-damaged leaves damaged images out\n");
        return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    const double seconds =
        (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    say(s->quiet, "each read, decoded and resized to %dx%d: %.1f s, %.0f images a second\n",
        (int)s->size, (int)s->size, seconds, (double)count / fmax(seconds, 1e-9));
    const int64_t left = an_dataset_count(d->faces);
    if (left < count)
        say(s->quiet, "%lld damaged images are left out, %lld are there\n",
            (long long)(count - left), (long long)left);
    return 0;
}

void data_close(data *d) {
    an_loader_destroy(d->train);
    an_loader_destroy(d->val);
    an_loader_destroy(d->test);
    an_dataset_destroy(d->faces);
    free(d->indices);
    *d = (data){0};
}

/* --- 3: prepare ------------------------------------------------------------------------------- */

int prepare_data(settings *s, int32_t scale, data *d) {
    an_error err;
    an_loader_options options;
    an_augment_options augment;
    const int64_t count = an_dataset_count(d->faces);
    d->indices = malloc((size_t)count * sizeof *d->indices);
    if (!d->indices) return complain_of("no memory for the split");
    if (an_tutorial_split(count, (uint32_t)s->seed, d->indices, &d->n_train, &d->n_val, &d->n_test,
                          &err))
        return complain(&err);
    say(s->quiet, "split with seed %d: %lld to train on, %lld to validate, %lld to test\n",
        (int)s->seed, (long long)d->n_train, (long long)d->n_val, (long long)d->n_test);

    an_loader_options_init(&options, sizeof options);
    options.batch_size = s->batch;
    options.seed = (uint32_t)s->seed;
    options.scale = scale;
    const int64_t *val = d->indices + d->n_train, *test = val + d->n_val;
    if (an_loader_create(&d->val, d->faces, val, d->n_val, &options, &err) ||
        an_loader_create(&d->test, d->faces, test, d->n_test, &options, &err))
        return complain(&err);

    /* Only what the network learns from is shuffled and varied; what it is judged by stays as it
     * is. */
    if (s->augment != AN_AUGMENT_NONE) {
        an_augment_options_tutorial(&augment, sizeof augment);
        augment.mode = s->augment;
        augment.rotation *= s->strength;
        augment.width_shift *= s->strength;
        augment.height_shift *= s->strength;
        augment.shear *= s->strength;
        augment.zoom_low = 1 - (1 - augment.zoom_low) * s->strength;
        augment.zoom_high = 1 + (augment.zoom_high - 1) * s->strength;
        options.augment = &augment;
    }
    options.shuffle = 1;
    options.drop_last = 1;
    if (an_loader_create(&d->train, d->faces, d->indices, d->n_train, &options, &err))
        return complain(&err);
    return 0;
}

/* --- 4: build --------------------------------------------------------------------------------- */

int build_model(settings *s, an_model **model) {
    an_error err;
    char scale[32];
    an_backend *backend = NULL;
    an_mobilenetv2_options options;
    *model = NULL;
    if (make_backend(s, &backend)) return 1;
    say(s->quiet, "computing on %s (%s), threads: %d\n", an_backend_name(backend),
        an_backend_level(backend), (int)an_backend_threads(backend));
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = s->size;
    options.alpha = s->alpha;
    options.padding = s->padding;
    options.scale = s->scale;
    options.seed = (uint32_t)s->seed;
    if (!strcmp(s->weights, "imagenet")) {
        options.weights_kind = AN_WEIGHTS_IMAGENET;
    } else if (strcmp(s->weights, "none") != 0) {
        options.weights_kind = AN_WEIGHTS_FILE;
        options.weights_path = s->weights;
    }
    options.progress = show_progress;
    options.progress_user = &s->quiet;
    const an_status status = an_mobilenetv2_create(model, backend, &options, &err);
    an_backend_destroy(backend);
    if (status) return complain(&err);
    const an_model_info info = model_info(*model);
    say(s->quiet,
        "MobileNetV2, alpha %g, %dx%d, weights: %s, pixels scaled as '%s': %lld parameters\n",
        info.alpha, (int)info.height, (int)info.width, s->weights,
        option_word(scale, scale_words, info.scale), (long long)info.parameters);
    return 0;
}

/* --- 5: train --------------------------------------------------------------------------------- */

/** One stage of the two. */
typedef struct stage {
    int32_t number, base, epochs;
    double rate;
} stage;

/* A signal asks the trainer at work to pause. Which thread gets a signal is not known; only on the
 * main one the trainer cannot go away meanwhile. */
static an_trainer *volatile at_work;
static volatile sig_atomic_t interrupted;
static pthread_t main_thread;

static void on_signal(int number) {
    if (!pthread_equal(pthread_self(), main_thread)) {
        pthread_kill(main_thread, number);
        return;
    }
    interrupted = 1;
    an_trainer_pause(at_work);
    signal(SIGINT, SIG_DFL); /* the next one ends the program */
    signal(SIGTERM, SIG_DFL);
}

static void catch_signals(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    main_thread = pthread_self();
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/** The lowest validation loss so far. */
static double best_loss(const an_history *history) {
    double best = INFINITY;
    for (int64_t i = 0; i < an_history_count(history); i++) {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        an_history_copy_epoch(history, i, &report, NULL);
        best = fmin(best, report.val_loss);
    }
    return best;
}

/** Refuse another stage 1 than the one that stage 2 began with. history: of the run. */
static int check_first_stage(const settings *s, const an_history *history) {
    an_epoch_report last;
    an_epoch_report_init(&last, sizeof last);
    for (int64_t i = 0; i < an_history_count(history); i++) {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        an_history_copy_epoch(history, i, &report, NULL);
        if (report.stage == 1) last = report;
    }
    const int32_t epochs = last.epoch;
    /* Stopped early, it would have stopped there whatever more it had been given. */
    const int is_early = last.stage == 1 && last.reason != AN_STOP_EPOCHS;
    if (s->epochs1 == epochs || (is_early && s->epochs1 > epochs)) return 0;
    return complain_of("--epochs1 is %d, but stage 2 of the run in '%s' began after %d epochs of "
                       "stage 1, which can no longer be changed: give --epochs1 %d, or --restart",
                       (int)s->epochs1, s->out, (int)epochs, (int)epochs);
}

/** The loss was no number; where, a warning has told. The same steps give the same loss again. */
static void advise_on_nan(const settings *s, const stage *now) {
    const int is_mixed = now->number == 2 && s->precision == AN_PRECISION_MIXED;
    fprintf(stderr, "--resume would meet that loss again; try --restart with --lr%d below %g%s\n",
            (int)now->number, now->rate, is_mixed ? ", or with --precision fp32" : "");
}

/** What the trainer warns of, and where an option helps. */
static int32_t show_train_warning(void *user, const an_warning *warning) {
    show_warning(user, warning);
    if (warning->code == AN_WARN_WEAK_FEATURES)
        fprintf(stderr, "--weights imagenet or FILE takes a trained base, --epochs1 0 trains all "
                        "layers from the begin\n");
    return 0;
}

/** Train a stage from its begin, or from a checkpoint if it is not NULL. */
static int train_stage(settings *s, const stage *now, an_model *model, const data *d,
                       an_history *history, const an_checkpoint *checkpoint) {
    an_error err;
    char path[PATH_SIZE], csv[PATH_SIZE], resume[PATH_SIZE];
    an_trainer *trainer = NULL;
    an_train_options options;
    an_schedule_options schedule;
    an_checkpoint_info info;
    an_checkpoint_info_init(&info, sizeof info);
    an_train_options_init(&options, sizeof options);
    an_schedule_options_init(&schedule, sizeof schedule);
    options.first_epoch = (int32_t)an_history_count(history);
    if (checkpoint) {
        an_checkpoint_describe(checkpoint, &info, NULL);
        options.first_epoch = info.first_epoch;
    }
    options.stage = now->number;
    options.max_epochs = now->epochs;
    options.base = now->base;
    options.learning_rate = now->rate;
    if (now->number == 2) {
        schedule.kind = s->schedule;
        options.schedule = &schedule;
    }
    if (!s->keras_checkpoint) options.checkpoint_best = best_loss(history);
    options.checkpoint_path = best_model_path(s, path);
    options.csv_path = join_path(csv, s->out, "history.csv");
    options.resume_path = checkpoint_path(s, resume);
    options.resume_seconds = s->checkpoint_seconds;
    options.tensorboard_dir = s->tensorboard;
    options.early_stop_patience = s->patience;
    options.early_stop_min_delta = s->min_delta;
    options.update_batch_norm = s->update_batch_norm;
    options.precision = s->precision;
    options.recompute = s->recompute;
    options.verbose = s->quiet ? AN_VERBOSE_NONE : s->verbose;
    options.text = show_text;
    options.text_is_terminal = isatty(1);
    options.warn = show_train_warning;
    an_status status =
        an_trainer_create(&trainer, model, d->train, d->val, history, &options, &err);
    if (!status && checkpoint) status = an_trainer_resume(trainer, checkpoint, &err);
    if (!status && checkpoint && now->number == 2 && check_first_stage(s, history)) {
        an_trainer_destroy(trainer);
        return 1;
    }
    if (!status) {
        at_work = trainer;
        if (interrupted) an_trainer_pause(trainer);
        say(s->quiet, "\n");
        status = an_trainer_run(trainer, &err);
        at_work = NULL;
        if (!status && an_trainer_reason(trainer) == AN_STOP_NAN) advise_on_nan(s, now);
    }
    an_trainer_destroy(trainer);
    if (status == AN_ERR_CANCELLED && interrupted) {
        say(s->quiet, "\n");
        fprintf(stderr, "interrupted: %s; the same command with --resume goes on\n", err.message);
        return INTERRUPTED;
    }
    return status ? complain(&err) : 0;
}

static int take_best_weights(settings *s, an_model *model) {
    an_error err;
    char path[PATH_SIZE];
    an_arrays *best = NULL;
    const int bad = an_arrays_read(&best, best_model_path(s, path), &err) ||
                    an_model_set_weights(model, best, &err);
    an_arrays_destroy(best);
    return bad ? complain(&err) : 0;
}

/* What an earlier run left in the folder would describe another model than the one there now. */
static void remove_old_results(settings *s) {
    static const char *const names[] = {"metrics.json", "loss.png", "scatter.png"};
    char path[PATH_SIZE];
    for (int i = 0; i < 3; i++)
        unlink(join_path(path, s->out, names[i]));
}

/** Find what is to be resumed; *checkpoint is NULL if the training begins anew. An unfinished run
 * is only given up if that is asked for. */
static int find_checkpoint(settings *s, an_checkpoint **checkpoint) {
    an_error err;
    char path[PATH_SIZE];
    an_checkpoint_info info;
    an_checkpoint_info_init(&info, sizeof info);
    const int32_t last = s->epochs2 > 0 ? 2 : 1;
    *checkpoint = NULL;
    checkpoint_path(s, path);
    if (s->restart) return an_checkpoint_remove(path, &err) ? complain(&err) : 0;
    const an_status status = an_checkpoint_read(checkpoint, path, show_warning, NULL, &err);
    if (status) return complain_of("%s; --restart begins anew, without what is there", err.message);
    if (!*checkpoint) {
        if (s->resume) say(s->quiet, "nothing to resume in '%s': the training begins\n", s->out);
        return 0;
    }
    an_checkpoint_describe(*checkpoint, &info, NULL);
    const int32_t epochs = info.stage == 1 ? s->epochs1 : s->epochs2;
    const int is_longer = epochs > info.max_epochs && info.reason != AN_STOP_EARLY;
    const int ended = info.stage >= last && info.reason && !is_longer;
    if (s->resume) {
        if (info.stage > last || (info.stage == 1 && s->epochs1 == 0))
            return complain_of("the run in '%s' is in stage %d, for which --epochs%d is 0 now",
                               s->out, (int)info.stage, (int)info.stage);
        if (ended)
            say(s->quiet, "the training in '%s' has ended already, after epoch %d of stage %d%s\n",
                s->out, (int)info.epoch, (int)info.stage,
                info.reason == AN_STOP_EARLY ? ": it no longer improved (--patience)" : "");
        else
            say(s->quiet, "going on in stage %d behind step %lld of epoch %d\n", (int)info.stage,
                (long long)info.step, (int)info.epoch + 1);
        return 0;
    }
    an_checkpoint_destroy(*checkpoint);
    *checkpoint = NULL;
    if (info.stage < last || !info.reason)
        return complain_of(
            "'%s' holds a run that has not ended (stage %d, epoch %d): --resume goes "
            "on with it, --restart begins anew",
            s->out, (int)info.stage, (int)info.epoch + !info.reason);
    return an_checkpoint_remove(path, &err) ? complain(&err) : 0;
}

int train_model(settings *s, an_model *model, const data *d, an_history **history) {
    an_error err;
    const stage first = {1, AN_BASE_FROZEN, s->epochs1, s->lr1};
    const stage second = {2, s->base2, s->epochs2, s->lr2};
    an_checkpoint *checkpoint = NULL;
    an_checkpoint_info info;
    an_checkpoint_info_init(&info, sizeof info);
    char path[PATH_SIZE];
    *history = NULL;
    if (find_checkpoint(s, &checkpoint)) return 1;
    if (checkpoint) an_checkpoint_describe(checkpoint, &info, NULL);
    remove_old_results(s);
    int status = 0;
    if (an_model_set_momentum(model, s->momentum, &err) || an_history_create(history, &err))
        status = complain(&err);
    catch_signals(on_signal);
    if (!status && s->epochs1 > 0 && info.stage < 2)
        status = train_stage(s, &first, model, d, *history, checkpoint);
    if (!status && s->epochs2 > 0) {
        if (info.stage < 2 && isfinite(best_loss(*history))) status = take_best_weights(s, model);
        if (!status)
            status =
                train_stage(s, &second, model, d, *history, info.stage == 2 ? checkpoint : NULL);
    }
    catch_signals(SIG_DFL);
    an_checkpoint_destroy(checkpoint);
    if (!status && !isfinite(best_loss(*history)))
        status = complain_of("the validation loss was never a number: no model to keep");
    if (!status) say(s->quiet, "\nthe best model is %s\n", best_model_path(s, path));
    return status;
}

/* --- 6: plot ---------------------------------------------------------------------------------- */

int plot_history(settings *s, const an_history *history) {
    an_error err;
    int status = 1;
    char path[PATH_SIZE];
    const int64_t count = an_history_count(history);
    double *loss = malloc((size_t)count * 2 * sizeof *loss);
    int64_t second_stage = 0;
    if (!loss) return complain_of("no memory for %lld epochs", (long long)count);
    double *val_loss = loss + count;
    for (int64_t i = 0; i < count; i++) {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        if (an_history_copy_epoch(history, i, &report, &err)) {
            complain(&err);
            goto done;
        }
        loss[i] = report.loss;
        val_loss[i] = report.val_loss;
        if (report.stage > 1 && !second_stage) second_stage = i + 1;
    }
    const an_curve curves[] = {{sizeof(an_curve), 0, "training", loss, count},
                               {sizeof(an_curve), 0, "validation", val_loss, count}};
    const int has_mark = second_stage > 1;
    an_plot_options options;
    an_plot_options_init(&options, sizeof options);
    options.title = "Loss over the epochs";
    options.x_label = "epoch";
    options.y_label = "mean squared error";
    if (an_plot_curves(join_path(path, s->out, "loss.png"), curves, 2,
                       has_mark ? &second_stage : NULL, has_mark, &options, &err)) {
        complain(&err);
        goto done;
    }
    say(s->quiet, "the course of the losses is %s\n", path);
    status = 0;
done:
    free(loss);
    return status;
}

/* --- 7: test ---------------------------------------------------------------------------------- */

/* NaN is no JSON number. */
static void write_number(FILE *file, const char *name, double value) {
    fprintf(file, "  \"%s\": ", name);
    if (isfinite(value))
        fprintf(file, "%.17g,\n", value);
    else
        fprintf(file, "null,\n");
}

static int write_metrics(settings *s, const an_metrics *m, double deviation, const data *d) {
    char path[PATH_SIZE], part[PATH_SIZE];
    join_path(path, s->out, "metrics.json");
    join_path(part, s->out, "metrics.json.part");
    FILE *file = fopen(part, "w");
    if (file) {
        fprintf(file, "{\n");
        write_number(file, "rmse", m->rmse);
        write_number(file, "mae", m->mae);
        write_number(file, "r2", m->r2);
        write_number(file, "pearson", m->pearson);
        write_number(file, "deviation", deviation);
        fprintf(file, "  \"n_train\": %lld,\n  \"n_val\": %lld,\n  \"n_test\": %lld\n}\n",
                (long long)d->n_train, (long long)d->n_val, (long long)d->n_test);
        const int bad = ferror(file);
        if (!fclose(file) && !bad && !rename(part, path)) {
            say(s->quiet, "the metrics are %s\n", path);
            return 0;
        }
    }
    complain_of("cannot write '%s': %s", path, strerror(errno));
    unlink(part);
    return 1;
}

static double standard_deviation(const double *values, int64_t count) {
    double mean = 0, sum = 0;
    for (int64_t i = 0; i < count; i++)
        mean += values[i] / (double)count;
    for (int64_t i = 0; i < count; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return sqrt(sum / (double)count);
}

/* Score the test part once more with the inference that the model was set to, and keep that model.
 */
static int test_again(settings *s, an_model *model, const data *d, const double *truth,
                      float *scores, double rmse, const char *kind) {
    an_error err;
    char path[PATH_SIZE], name[64];
    an_metrics metrics;
    an_metrics_init(&metrics, sizeof metrics);
    snprintf(name, sizeof name, "model_%s.safetensors", kind);
    if (an_predict_loader(model, d->test, scores, show_progress, &s->quiet, &err) ||
        an_metrics_compute(truth, scores, NULL, d->n_test, &metrics, &err) ||
        an_model_save(model, join_path(path, s->out, name), &err))
        return complain(&err);
    say(s->quiet,
        "the same in %s: RMSE %.4f (fp32: %.4f), MAE %.4f, R2 %.4f, Pearson %.4f\n"
        "the model that predicts so is %s\n",
        kind, metrics.rmse, rmse, metrics.mae, metrics.r2, metrics.pearson, path);
    return 0;
}

/* The same test in the shorter numbers that were asked for. */
static int test_short(settings *s, an_model *model, const data *d, const double *truth,
                      float *scores, double rmse) {
    an_error err;
    if (s->bf16) {
        if (an_model_set_inference(model, AN_INFERENCE_BF16, &err)) return complain(&err);
        if (test_again(s, model, d, truth, scores, rmse, "bf16")) return 1;
    }
    if (s->int8) {
        if (an_calibrate_loader(model, d->val, s->int8, show_progress, &s->quiet, &err))
            return complain(&err);
        if (test_again(s, model, d, truth, scores, rmse, "int8")) return 1;
    }
    return 0;
}

int test_model(settings *s, an_model *model, const data *d) {
    an_error err;
    int status = 1;
    char path[PATH_SIZE];
    const int64_t *test = d->indices + d->n_train + d->n_val;
    double *truth = malloc((size_t)d->n_test * sizeof *truth);
    float *scores = malloc((size_t)d->n_test * sizeof *scores);
    an_metrics metrics;
    an_metrics_init(&metrics, sizeof metrics);
    if (!truth || !scores) {
        complain_of("no memory for %lld scores", (long long)d->n_test);
        goto done;
    }
    for (int64_t i = 0; i < d->n_test; i++)
        truth[i] = an_dataset_score(d->faces, test[i], 0);
    if (an_predict_loader(model, d->test, scores, show_progress, &s->quiet, &err) ||
        an_metrics_compute(truth, scores, NULL, d->n_test, &metrics, &err)) {
        complain(&err);
        goto done;
    }
    const double deviation = standard_deviation(truth, d->n_test);
    say(s->quiet,
        "\non %lld images that the network has never seen:\n"
        "  RMSE     %.4f   (always guessing the mean: %.4f)\n"
        "  MAE      %.4f\n"
        "  R2       %.4f\n"
        "  Pearson  %.4f\n",
        (long long)d->n_test, metrics.rmse, deviation, metrics.mae, metrics.r2, metrics.pearson);
    if (an_plot_scatter(join_path(path, s->out, "scatter.png"), truth, scores, d->n_test, NULL,
                        &err)) {
        complain(&err);
        goto done;
    }
    say(s->quiet, "predicted against true scores are %s\n", path);
    status = write_metrics(s, &metrics, deviation, d);
    if (!status) status = test_short(s, model, d, truth, scores, metrics.rmse);
done:
    free(scores);
    free(truth);
    return status;
}
