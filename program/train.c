/* SPDX-License-Identifier: MIT
 * attractivenet train: the whole tutorial, from an archive of photographs with scores to a trained
 * network, its curves and its metrics. */
#include "command.h"
#include "folds.h"
#include "interrupt.h"
#include "messages.h"
#include "ranks.h"
#include "resume.h"
#include "run_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static settings s;

/* --- 1: get the data -------------------------------------------------------------------------- */

static int download(run *r) {
    an_error err;
    an_download_options options;
    settings_download(&s, &options);
    join_path(r->path, s.out, "archive.zip");
    say(s.quiet, "downloading %s\n", s.data);
    if (an_download(s.data, r->path, &options, &err)) return complain(&err);
    say(s.quiet, "archive: %s\n", r->path);
    return 0;
}

/* A local archive or folder. */
static int find(run *r, int *is_folder) {
    an_error err;
    struct stat found;
    if (stat(s.data, &found)) return complain_of("cannot open '%s': %s", s.data, strerror(errno));
    *is_folder = S_ISDIR(found.st_mode);
    if (*is_folder && s.sha256)
        return complain_of("--sha256 is the hash of one file, but '%s' is a folder", s.data);
    if (s.sha256 && an_file_verify(s.data, s.sha256, NULL, NULL, &err)) return complain(&err);
    snprintf(r->path, sizeof r->path, "%s", s.data);
    return 0;
}

static int extract(run *r) {
    an_error err;
    char folder[PATH_SIZE];
    an_extract_options options;
    an_extract_report report;
    an_extract_report_init(&report, sizeof report);
    settings_extract(&s, &options);
    join_path(folder, s.out, "data");
    if (an_archive_extract(r->path, folder, &options, &report, &err)) return complain(&err);
    say_extracted(&s, &report, folder);
    memcpy(r->path, folder, sizeof folder);
    return 0;
}

static int get_data(run *r) {
    int is_folder = 0;
    if (strstr(s.data, "://") ? download(r) : find(r, &is_folder)) return 1;
    return s.extract && !is_folder ? extract(r) : 0;
}

/* --- 4: build --------------------------------------------------------------------------------- */

static int build_model(run *r) {
    an_error err;
    an_mobilenetv2_options options;
    say_backend(&s, r->backend);
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = s.size;
    options.alpha = s.alpha;
    options.padding = s.padding;
    options.scale = s.scale;
    options.seed = (uint32_t)s.seed;
    if (!strcmp(s.weights, "imagenet")) {
        options.weights_kind = AN_WEIGHTS_IMAGENET;
    } else if (strcmp(s.weights, "none") != 0) {
        options.weights_kind = AN_WEIGHTS_FILE;
        options.weights_path = s.weights;
    }
    options.progress = show_progress;
    options.progress_user = &s.quiet;
    if (an_mobilenetv2_create(&r->model, r->backend, &options, &err)) return complain(&err);
    say_model(&s, r->model);
    return 0;
}

/* --- 5: train --------------------------------------------------------------------------------- */

/** One stage of the two. */
typedef struct stage {
    int32_t number, base, epochs;
    double rate;
} stage;

/* Trains a stage from its start, or from checkpoint if it is not NULL. Of several processes, rank 0
 * has the checkpoint, and the others take over what it holds. */
static int train_stage(run *r, const stage *now, const an_checkpoint *checkpoint) {
    an_error err;
    char path[PATH_SIZE], csv[PATH_SIZE], resume[PATH_SIZE];
    int status = 1;
    an_trainer *trainer = NULL;
    an_train_options options;
    an_optimizer_options optimizer;
    an_schedule_options schedule;
    an_head_options head;
    an_checkpoint_info info;
    const int leads = ranks_lead(r->comm);
    an_checkpoint_info_init(&info, sizeof info);
    settings_train(&s, &options);
    options.comm = an_comm_size(r->comm) > 1 ? r->comm : NULL;
    replicas_train(&r->replicas, &s, &options);
    options.first_epoch = (int32_t)an_history_count(r->history);
    if (checkpoint) {
        an_checkpoint_describe(checkpoint, &info, NULL);
        options.first_epoch = info.first_epoch;
    }
    options.stage = now->number;
    options.max_epochs = now->epochs;
    options.base = now->base;
    options.learning_rate = now->rate;
    an_head_options_init(&head, sizeof head);
    head.penalty = s.penalty;
    if (now->number == 1 && s.head) options.head = &head;
    if (now->number == 2)
        settings_stage2(&s, an_loader_steps(r->train), &options, &optimizer, &schedule);
    if (!s.keras_checkpoint) options.checkpoint_best = best_loss(r->history);
    options.checkpoint_path = best_model_path(&s, path);
    if (ranks_share(r->comm, &options.first_epoch, sizeof options.first_epoch) ||
        ranks_share(r->comm, &options.checkpoint_best, sizeof options.checkpoint_best))
        return 1;
    options.csv_path = join_path(csv, s.out, "history.csv");
    options.resume_path = checkpoint_path(&s, resume);
    if (an_trainer_create(&trainer, r->model, r->train, r->val, r->history, &options, &err) ||
        (checkpoint && an_trainer_resume(trainer, checkpoint, &err))) {
        complain(&err);
        goto done;
    }
    if (checkpoint && now->number == 2 && check_first_stage(&s, r->history)) goto done;
    /* From here on, the folder belongs to this run. */
    if (leads) remove_old_results(&s);
    if (leads && run_file_write(r, 0)) goto done;
    say(s.quiet, "\n");
    if (options.head)
        say(s.quiet, "the head is computed at once: --epochs1 %d and --lr1 do not matter\n",
            (int)s.epochs1);
    interrupt_watch(trainer);
    const an_status trained = an_trainer_run(trainer, &err);
    interrupt_watch(NULL);
    if (trained == AN_ERR_CANCELLED && interrupt_happened()) {
        say_interrupted(&s, &err);
        status = INTERRUPTED;
    } else {
        status = trained ? complain(&err) : 0;
    }
    if (!trained && an_trainer_reason(trainer) == AN_STOP_NAN) advise_on_nan(&s, now->number);
done:
    an_trainer_destroy(trainer);
    return status;
}

/* Stage 2 continues from the best weights of stage 1. */
static int take_best_weights(run *r) {
    an_error err;
    char path[PATH_SIZE];
    an_arrays *best = NULL;
    const int bad = an_arrays_read(&best, best_model_path(&s, path), &err) ||
                    an_model_set_weights(r->model, best, &err);
    an_arrays_destroy(best);
    return bad ? complain(&err) : 0;
}

static int train_stages(run *r, const an_checkpoint *checkpoint) {
    const stage first = {1, AN_BASE_FROZEN, s.epochs1, s.lr1};
    const stage second = {2, s.base2, s.epochs2, s.lr2};
    int status = 0;
    an_checkpoint_info info;
    an_checkpoint_info_init(&info, sizeof info);
    if (checkpoint) an_checkpoint_describe(checkpoint, &info, NULL);
    int32_t resumed = info.stage;
    if (ranks_share(r->comm, &resumed, sizeof resumed)) return 1;
    if (s.epochs1 > 0 && resumed < 2) {
        status = train_stage(r, &first, checkpoint);
        if (status) return status;
        if (s.epochs2 > 0 && ranks_lead(r->comm) && isfinite(best_loss(r->history)) &&
            take_best_weights(r))
            return 1; /* the other processes take them over from this one */
    }
    if (s.epochs2 > 0) status = train_stage(r, &second, info.stage == 2 ? checkpoint : NULL);
    if (!status && ranks_lead(r->comm) && !isfinite(best_loss(r->history)))
        status =
            complain_of("the validation loss was NaN or infinite in every epoch: no model to keep");
    return status;
}

static int train_model(run *r) {
    an_error err;
    char path[PATH_SIZE];
    an_checkpoint *checkpoint = NULL;
    if (ranks_lead(r->comm) && find_checkpoint(&s, &checkpoint)) return 1;
    int status = 1;
    if (an_model_set_momentum(r->model, s.momentum, &err) || an_history_create(&r->history, &err)) {
        complain(&err);
        goto done;
    }
    interrupt_begin();
    status = train_stages(r, checkpoint);
    interrupt_end();
    if (!status) say(s.quiet, "\nbest model: %s\n", best_model_path(&s, path));
done:
    an_checkpoint_destroy(checkpoint);
    return status;
}

/* The best model gets intervals, and is saved with them. */
static int add_intervals(run *r) {
    an_error err;
    char path[PATH_SIZE];
    if (measure_intervals(r)) return 1;
    if (isnan(an_model_interval(r->model, 0, NULL))) return 0;
    return an_model_save(r->model, best_model_path(&s, path), &err) ? complain(&err) : 0;
}

/* --- 6: plot ---------------------------------------------------------------------------------- */

static int plot_history(const an_history *history) {
    an_error err;
    char path[PATH_SIZE];
    const int64_t count = an_history_count(history);
    double *stages = calloc(3 * (size_t)count + 1, sizeof *stages);
    if (!stages) return complain_of("no memory for %lld epochs", (long long)count);
    double *loss = stages + count, *val_loss = loss + count;
    an_history_copy_column(history, "stage", stages, NULL);
    an_history_copy_column(history, "loss", loss, NULL);
    an_history_copy_column(history, "val_loss", val_loss, NULL);
    int64_t second_stage = 1; /* its first epoch */
    while (second_stage <= count && stages[second_stage - 1] < 2)
        second_stage++;
    const an_curve curves[] = {{sizeof(an_curve), 0, "training", loss, count},
                               {sizeof(an_curve), 0, "validation", val_loss, count}};
    const int has_mark = second_stage > 1 && second_stage <= count;
    an_plot_options options;
    an_plot_options_init(&options, sizeof options);
    options.title = "Loss over the epochs";
    options.x_label = "epoch";
    options.y_label = "mean squared error";
    const an_status failed =
        an_plot_curves(join_path(path, s.out, "loss.png"), curves, 2,
                       has_mark ? &second_stage : NULL, has_mark, &options, &err);
    free(stages);
    if (failed) return complain(&err);
    say(s.quiet, "loss curve written to %s\n", path);
    return 0;
}

/* --- the command ------------------------------------------------------------------------------ */

static void options(option_row rows[OPTION_ROWS]) {
    settings_rows(
        &s,
        "data labels suffix names-encoding skip-damaged out size alpha padding weights "
        "scale batch recipe epochs1 epochs2 head penalty lr1 lr2 schedule warmup "
        "weight-decay layer-decay "
        "average finetune-from folds fold-files augment augment-strength mixup erase jitter seed "
        "device devices deadline sync-batch-norm threads precision recompute quiet "
        "keras-checkpoint base2 bn-momentum "
        "update-batch-norm patience min-delta cache extract sha256 resume restart "
        "checkpoint-seconds tensorboard interval verbose",
        rows);
}

/* From a network to results in OUT. */
static int train_and_test(run *r) {
    char path[PATH_SIZE];
    /* Before the loaders: the weights determine how pixels are scaled. */
    if (build_model(r) || prepare_data(r)) return 1;
    const int leads = ranks_lead(r->comm), status = train_model(r);
    if (!r->folds) ranks_leave(&r->comm, status); /* the next fold needs it */
    if (status || !leads) return status;
    return plot_history(r->history) || load_model(r, best_model_path(&s, path)) ||
           add_intervals(r) || test_model(r) || run_file_write(r, 1);
}

/* A model for each fold, in a folder of its own. */
static int run_folds(run *r) {
    const char *const out = s.out;
    fold_results results = {0};
    r->folds = &results;
    int status = folds_begin(&results, r);
    for (r->fold = 1; !status && r->fold <= results.folds; r->fold++) {
        char name[32], path[PATH_SIZE];
        snprintf(name, sizeof name, "fold-%d", (int)r->fold);
        s.out = join_path(path, out, name);
        say(s.quiet, "\nfold %d of %d, in %s\n", (int)r->fold, (int)results.folds, s.out);
        status = make_folder(s.out);
        if (!status) status = train_and_test(r);
        run_close_model(r);
        s.out = out;
    }
    if (!status) status = folds_end(&results, r);
    folds_clear(&results);
    r->folds = NULL;
    return status;
}

static int run_train(const option_row *rows, int count, char **operands) {
    (void)count, (void)operands;
    settings_use_recipe(&s, rows);
    settings_check(&s);
    int status = 1;
    run r = {.s = &s, .rows = rows};
    an_run_lock *lock = NULL;
    if (ranks_join(&r.comm, &s)) return 1;
    const int leads = ranks_lead(r.comm);
    if (ranks_check(r.comm, &s)) goto done;
    /* The backend first: a device that is missing is known before the data has been read. */
    if ((leads && lock_folder(&s, &lock)) || make_backend(&r) || get_data(&r) || load_data(&r) ||
        check_images(&s, r.faces))
        goto done;
    status = s.folds || s.fold_files ? run_folds(&r) : train_and_test(&r);
done:
    ranks_leave(&r.comm, status);
    run_close(&r);
    an_run_lock_destroy(lock);
    return status;
}

const command train_command = {
    .name = "train",
    .what = "train a network to score photographs as people did",
    .text =
        {.name = "attractivenet train",
         .usage = "--data ARCHIVE|FOLDER|URL --out DIR [options]",
         .about =
             "Trains MobileNetV2 to score photographs as people did, in the seven steps of the\n"
             "tutorial: get the data, load it, prepare it (split, augment), build the network,\n"
             "train it in two stages, plot the losses, test it. Writes to DIR:\n"
             "  model.safetensors  the best model, for the command predict and an_model_load()\n"
             "  history.csv        stage, epoch, loss, val_loss, rate, seconds\n"
             "  loss.png           the loss curve\n"
             "  scatter.png        predicted against true scores of the test set\n"
             "  metrics.json       rmse, mae, r2, pearson, deviation, n_train, n_val, n_test\n"
             "  run.json           data, settings, split, stages and library of the run\n"
             "  checkpoint-1.safetensors, -2   checkpoints for resuming an interrupted run\n"
             "With --folds or --fold-files it writes these for each fold to DIR/fold-N, and to "
             "DIR:\n"
             "  folds.json         mean and standard deviation of each metric over the folds\n"
             "  predictions.csv    each image's score, and its prediction by the model that\n"
             "                     has not seen it\n"
             "The exit status is 0 only if all results were written. Ctrl-C and SIGTERM stop\n"
             "training after the current step, with exit status 3; run the same command with\n"
             "--resume to continue. A second signal stops it immediately. --resume also extends\n"
             "a finished run if --epochs2 (or --epochs1, before stage 2 has begun) is larger\n"
             "than before.",
         .examples =
             "  attractivenet train --data SCUT-FBP5500_v2.1.zip --out run\n"
             "      as in the tutorial: 350x350, ImageNet weights, 30 + 30 epochs\n"
             "  attractivenet train --data SCUT-FBP5500_v2.1.zip --out run --recipe modern\n"
             "      a better model from the same images\n"
             "  attractivenet faces --out faces.zip\n"
             "  attractivenet train --data faces.zip --out run --weights none --size 96 \\\n"
             "      --alpha 0.35 --epochs1 0 --lr2 2e-3 --bn-momentum 0.9\n"
             "      made-up faces, from random weights, in minutes\n"
             "  attractivenet train --data SCUT-FBP5500_v2.1.zip --out run --resume\n"
             "      continue after an interruption, a crash or a power failure"},
    .options = options,
    .run = run_train,
};
