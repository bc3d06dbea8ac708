/* SPDX-License-Identifier: MIT
 * checkpoint: what is written, what is refused, what is left of damaged files. That a resumed run
 * ends as an uninterrupted one is shown by tests/crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <attractivenet/attractivenet.h>

#include "base/fault.h"
#include "io/sha256.h"
#include "support/data.h"
#include "support/folder.h"
#include "support/scratch.h"
#include "support/test_folder.h"
#include "train/checkpoint.h"
#include "train/fields.h"
#include "train/trainer.h"

/* --- a stage to be written and resumed -------------------------------------------------------- */

enum { SIZE = 32, TRAIN = 8, VAL = 4 };

typedef struct bench {
    char *path; /* of the checkpoints */
    an_model *model;
    an_dataset *dataset;
    an_loader *train, *val;
    an_history *history;
    an_train_options options;
    char warning[256]; /* the last one */
    int32_t code;      /* of it */
    int32_t warnings;
    int32_t refuses;     /* 1: warnings are answered by stopping */
    int32_t destroys;    /* 1: a warning destroys the trainer that is resumed */
    an_trainer *resumed; /* in resume_changed() */
} bench;

static int32_t on_warning(void *user, const an_warning *warning) {
    bench *b = user;
    if (warning->code == AN_WARN_WEAK_FEATURES) return 0; /* of random weights: they are */
    b->code = warning->code;
    b->warnings++;
    snprintf(b->warning, sizeof b->warning, "%s", warning->message);
    if (b->destroys) {
        an_trainer_destroy(b->resumed);
        b->resumed = NULL;
    }
    return b->refuses;
}

static an_loader *make_batches(an_dataset *dataset, int64_t first, int64_t count, int32_t batch,
                               uint32_t seed) {
    an_loader *loader = NULL;
    an_loader_options options;
    an_error err;
    int64_t indices[TRAIN + VAL];
    for (int64_t i = 0; i < count; i++)
        indices[i] = first + i;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = batch;
    options.seed = seed;
    options.shuffle = 1;
    options.threads = 0;
    if (an_loader_create(&loader, dataset, indices, count, &options, &err))
        fail_msg("%s", err.message);
    return loader;
}

static an_model *make_model(double alpha) {
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_error err;
    an_backend_options device;
    an_mobilenetv2_options net;
    an_backend_options_init(&device, sizeof device);
    device.threads = 1;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SIZE;
    net.alpha = alpha;
    if (an_backend_create(&backend, &device, &err) ||
        an_mobilenetv2_create(&model, backend, &net, &err))
        fail_msg("%s", err.message);
    an_backend_destroy(backend);
    return model;
}

static bench make_bench(void) {
    bench b = {.path = strdup(folder_path(test_folder, "run"))};
    b.model = make_model(0.1);
    b.dataset = data_pixels(TRAIN + VAL, SIZE, SIZE);
    b.train = make_batches(b.dataset, 0, TRAIN, 2, 42);
    b.val = make_batches(b.dataset, TRAIN, VAL, 2, 42);
    assert_int_equal(an_history_create(&b.history, NULL), AN_OK);
    an_train_options_init(&b.options, sizeof b.options);
    b.options.max_epochs = 3;
    b.options.resume_path = b.path;
    b.options.warn = on_warning;
    return b;
}

static void drop_bench(bench *b) {
    an_history_destroy(b->history);
    an_loader_destroy(b->val);
    an_loader_destroy(b->train);
    an_dataset_destroy(b->dataset);
    an_model_destroy(b->model);
    free(b->path);
    scratch_clear(test_folder);
}

static an_trainer *make_trainer(bench *b) {
    an_trainer *trainer = NULL;
    an_error err;
    b->options.warn_user = b;
    if (an_trainer_create(&trainer, b->model, b->train, b->val, b->history, &b->options, &err))
        fail_msg("%s", err.message);
    return trainer;
}

/* Train some epochs; each leaves a checkpoint, as does the begin. */
static void train(bench *b, int epochs) {
    an_trainer *trainer = make_trainer(b);
    an_error err;
    for (int i = 0; i < epochs; i++)
        if (an_trainer_run_epoch(trainer, NULL, &err)) fail_msg("%s", err.message);
    an_trainer_destroy(trainer);
}

static an_checkpoint *read_checkpoint(bench *b, an_checkpoint_info *info) {
    an_checkpoint *checkpoint = NULL;
    an_error err;
    *info = (an_checkpoint_info){.struct_size = sizeof *info};
    if (an_checkpoint_read(&checkpoint, b->path, on_warning, b, &err)) fail_msg("%s", err.message);
    assert_int_equal(an_checkpoint_describe(checkpoint, info, NULL), AN_OK);
    return checkpoint;
}

static const char *file_of(int number) {
    return folder_path(test_folder, number == 1 ? "run-1.safetensors" : "run-2.safetensors");
}

/* --- cases ------------------------------------------------------------------------------------ */

static void two_files_are_written_in_turn(void **state) {
    (void)state;
    bench b = make_bench();
    an_checkpoint *checkpoint = NULL;
    an_checkpoint_info info;
    assert_int_equal(an_checkpoint_read(&checkpoint, b.path, NULL, NULL, NULL), AN_OK);
    assert_null(checkpoint);
    an_trainer *trainer = make_trainer(&b);
    assert_int_equal(folder_count(test_folder), 1); /* the lock */
    for (int epoch = 1; epoch <= 3; epoch++) {
        assert_int_equal(an_trainer_run_epoch(trainer, NULL, NULL), AN_OK);
        assert_int_equal(folder_count(test_folder), 2 + 1);
        checkpoint = read_checkpoint(&b, &info);
        assert_int_equal(info.stage, 1);
        assert_int_equal(info.epoch, epoch);
        assert_int_equal(info.step, 0);
        assert_int_equal(info.max_epochs, 3);
        assert_int_equal(info.reason, epoch == 3 ? AN_STOP_EPOCHS : AN_STOP_NONE);
        an_checkpoint_destroy(checkpoint);
    }
    an_trainer_destroy(trainer);
    /* a run that has ended stays ended */
    checkpoint = read_checkpoint(&b, &info);
    trainer = make_trainer(&b);
    assert_int_equal(an_trainer_resume(trainer, checkpoint, NULL), AN_OK);
    assert_int_equal(an_trainer_run_epoch(trainer, NULL, NULL), AN_DONE);
    assert_int_equal(an_trainer_reason(trainer), AN_STOP_EPOCHS);
    assert_int_equal(an_history_count(b.history), 3);
    an_trainer_destroy(trainer);
    an_checkpoint_destroy(checkpoint);
    assert_int_equal(b.warnings, 0);
    assert_int_equal(an_checkpoint_remove(b.path, NULL), AN_OK);
    assert_int_equal(folder_count(test_folder), 0);
    assert_int_equal(an_checkpoint_remove(b.path, NULL), AN_OK);
    drop_bench(&b);
}

static void its_weights_are_a_weight_file(void **state) {
    (void)state;
    bench b = make_bench();
    an_arrays *arrays = NULL;
    train(&b, 1);
    assert_int_equal(an_arrays_read(&arrays, file_of(2), NULL), AN_OK);
    assert_int_equal(an_model_set_weights(b.model, arrays, NULL), AN_OK);
    assert_string_equal(an_arrays_metadata(arrays, "checkpoint"), "1");
    assert_string_equal(an_arrays_metadata(arrays, "setting.batch"), "2");
    an_arrays_destroy(arrays);
    drop_bench(&b);
}

/* A pause between two steps, in the same objects, and asked for at odd times. */
static void a_pause_changes_nothing(void **state) {
    (void)state;
    an_epoch_report report[2] = {{.struct_size = sizeof *report}, {.struct_size = sizeof *report}};
    for (int pause = 0; pause < 2; pause++) {
        bench b = make_bench();
        an_error err;
        b.options.base = AN_BASE_TRAIN;
        an_trainer *trainer = make_trainer(&b);
        for (int i = 0; i < 3 * pause; i++) {
            an_trainer_pause(trainer);
            assert_int_equal(an_trainer_run_epoch(trainer, NULL, &err), AN_ERR_CANCELLED);
            assert_string_equal(err.message, "the run was paused after step 0 of "
                                             "epoch 1 of stage 1");
        }
        assert_int_equal(an_trainer_run_epoch(trainer, &report[pause], NULL), AN_OK);
        an_trainer_destroy(trainer);
        drop_bench(&b);
    }
    assert_true(report[0].loss == report[1].loss && report[0].val_loss == report[1].val_loss);
}

static int32_t pause_behind_the_second_step(void *user, const an_train_event *event) {
    an_trainer **trainer = user;
    if (event->kind == AN_EVENT_STEP && event->step == 2) an_trainer_pause(*trainer);
    return 0;
}

/* Paused within an epoch and gone on with in other objects: the report of that epoch is of all its
 * steps. */
static void an_epoch_goes_on_in_other_objects(void **state) {
    (void)state;
    an_epoch_report report[2] = {{.struct_size = sizeof *report}, {.struct_size = sizeof *report}};
    an_checkpoint_info info;
    an_error err;
    for (int paused = 0; paused < 2; paused++) {
        bench b = make_bench();
        an_trainer *trainer = NULL;
        b.options.base = AN_BASE_TRAIN;
        if (paused) {
            b.options.on_event = pause_behind_the_second_step;
            b.options.event_user = &trainer;
            trainer = make_trainer(&b);
            assert_int_equal(an_trainer_run_epoch(trainer, NULL, &err), AN_ERR_CANCELLED);
            an_trainer_destroy(trainer);
            an_model_destroy(b.model);
            b.model = make_model(0.1);
            b.options.on_event = NULL;
        }
        trainer = make_trainer(&b);
        if (paused) {
            an_checkpoint *checkpoint = read_checkpoint(&b, &info);
            assert_int_equal(info.step, 2);
            if (an_trainer_resume(trainer, checkpoint, &err)) fail_msg("%s", err.message);
            an_checkpoint_destroy(checkpoint);
        }
        if (an_trainer_run_epoch(trainer, &report[paused], &err)) fail_msg("%s", err.message);
        assert_true(report[paused].steps > 2);
        an_trainer_destroy(trainer);
        drop_bench(&b);
    }
    assert_true(report[0].steps == report[1].steps && report[0].rate == report[1].rate);
    assert_true(report[0].loss == report[1].loss && report[0].val_loss == report[1].val_loss);
}

static void other_settings_are_named(void **state) {
    (void)state;
    bench b = make_bench();
    an_checkpoint_info info;
    an_error err;
    an_loader *const usual = b.train;
    train(&b, 2);
    an_checkpoint *checkpoint = read_checkpoint(&b, &info);
    an_optimizer_options optimizer;
    an_optimizer_options_init(&optimizer, sizeof optimizer);
    optimizer.beta1 = 0.8;
    an_dataset *weighted = data_pixels(TRAIN + VAL, SIZE, SIZE);
    double weights[TRAIN + VAL];
    for (int i = 0; i < TRAIN + VAL; i++)
        weights[i] = 1 + i;
    assert_int_equal(an_dataset_set_weights(weighted, weights, TRAIN + VAL, NULL), AN_OK);
    an_loader *const others[] = {
        make_batches(b.dataset, 0, TRAIN, 4, 42), make_batches(b.dataset, 0, TRAIN, 2, 43),
        make_batches(b.dataset, 1, TRAIN, 2, 42), make_batches(weighted, 0, TRAIN, 2, 42)};
    an_dataset_destroy(weighted);
    const char *const expected[] = {
        "learning_rate was '0.001', and is '0.5' now",
        "base was 'frozen', and is 'train' now",
        "max_epochs was '3', and is '2' now",
        "stage was '1', and is '2' now",
        "optimizer.beta1 was '0.9', and is '0.8' now",
        "batch was '2', and is '4' now",
        "seed was '42', and is '43' now",
        "training_samples was '8 (names and labels: ",
        "and is '8 (names and labels, weights: ",
    };
    for (int i = 0; i < 9; i++) {
        const an_train_options before = b.options;
        if (i == 0) b.options.learning_rate = 0.5;
        if (i == 1) b.options.base = AN_BASE_TRAIN;
        if (i == 2) b.options.max_epochs = 2;
        if (i == 3) b.options.stage = 2;
        if (i == 4) b.options.optimizer = &optimizer;
        if (i >= 5) b.train = others[i - 5];
        an_trainer *trainer = make_trainer(&b);
        assert_int_equal(an_trainer_resume(trainer, checkpoint, &err), AN_ERR_ARG);
        if (!strstr(err.message, expected[i])) fail_msg("%s", err.message);
        an_trainer_destroy(trainer);
        b.options = before;
        b.train = usual;
    }
    for (int i = 0; i < 4; i++)
        an_loader_destroy(others[i]);
    static const struct {
        double alpha;
        int32_t precision;
        const char *message;
    } models[] = {{0.2, AN_PRECISION_FP32, "model.alpha was '0.1', and is '0.2' now"},
                  {0.1, AN_PRECISION_MIXED, "precision was 'fp32', and is 'mixed' now"}};
    an_model *const model = b.model;
    for (int i = 0; i < 2; i++) {
        b.model = make_model(models[i].alpha);
        b.options.precision = models[i].precision;
        an_trainer *trainer = make_trainer(&b);
        assert_int_equal(an_trainer_resume(trainer, checkpoint, &err), AN_ERR_ARG);
        if (!strstr(err.message, models[i].message)) fail_msg("%s", err.message);
        an_trainer_destroy(trainer);
        an_model_destroy(b.model);
        b.options.precision = AN_PRECISION_FP32;
    }
    b.model = model;
    an_checkpoint_destroy(checkpoint);
    drop_bench(&b);
}

/* --- more epochs ------------------------------------------------------------------------------ */

/** What a run of some epochs left. */
typedef struct outcome {
    an_arrays *weights;
    an_epoch_report epochs[12];
    int64_t count;
    int32_t reason;
} outcome;

/* Train until max_epochs: from the beginning, or on from what lies in the folder. */
static outcome train_until(bench *b, int32_t max_epochs) {
    outcome end = {0};
    an_error err;
    an_checkpoint_info info;
    b->options.max_epochs = max_epochs;
    /* new objects with other weights, as in a new process */
    an_model_destroy(b->model);
    an_history_destroy(b->history);
    b->model = make_model(0.1);
    assert_int_equal(an_history_create(&b->history, NULL), AN_OK);
    an_trainer *trainer = make_trainer(b);
    if (access(file_of(1), F_OK) == 0) {
        an_checkpoint *checkpoint = read_checkpoint(b, &info);
        if (an_trainer_resume(trainer, checkpoint, &err)) fail_msg("%s", err.message);
        an_checkpoint_destroy(checkpoint);
    }
    if (an_trainer_run(trainer, &err)) fail_msg("%s", err.message);
    end.reason = an_trainer_reason(trainer);
    an_trainer_destroy(trainer);
    assert_int_equal(an_model_copy_weights(&end.weights, b->model, NULL), AN_OK);
    end.count = an_history_count(b->history);
    for (int64_t i = 0; i < end.count; i++) {
        end.epochs[i].struct_size = sizeof *end.epochs;
        assert_int_equal(an_history_copy_epoch(b->history, i, &end.epochs[i], NULL), AN_OK);
        end.epochs[i].seconds = 0;
    }
    return end;
}

static int64_t value_count(const an_arrays *arrays, int64_t index) {
    int64_t count = 1;
    for (int32_t axis = 0; axis < an_arrays_rank(arrays, index); axis++)
        count *= an_arrays_length(arrays, index, axis);
    return count;
}

static void expect_same_end(const outcome *end, const outcome *want) {
    assert_int_equal(end->reason, want->reason);
    assert_int_equal(end->count, want->count);
    assert_memory_equal(end->epochs, want->epochs, sizeof end->epochs);
    assert_int_equal(an_arrays_count(end->weights), an_arrays_count(want->weights));
    for (int64_t i = 0; i < an_arrays_count(want->weights); i++)
        if (memcmp(an_arrays_data(end->weights, i), an_arrays_data(want->weights, i),
                   (size_t)value_count(want->weights, i) * sizeof(float)) != 0)
            fail_msg("'%s' differs", an_arrays_name(want->weights, i));
}

/* The bits are those of a run that was asked for so many epochs from the beginning: also where the
 * best weights were put back at the end of before, and the rate had fallen. */
static void a_longer_run_goes_on_with_the_same_bits(void **state) {
    (void)state;
    for (int variant = 0; variant < 3; variant++) {
        bench b = make_bench();
        b.options.base = AN_BASE_TRAIN;
        b.options.early_stop_patience = -1;
        if (variant == 1) {
            b.options.restore_best = 1;
            b.options.learning_rate = 0.1; /* the first epoch is the best */
        }
        if (variant == 2) {
            b.options.reduce_rate_patience = 1;
            b.options.reduce_rate_min_delta = 10;
        }
        outcome want = train_until(&b, 4);
        assert_int_equal(want.count, 4);
        assert_int_equal(an_checkpoint_remove(b.path, NULL), AN_OK);
        for (int32_t epochs = 2; epochs <= 4; epochs++) {
            outcome end = train_until(&b, epochs);
            assert_int_equal(end.reason, AN_STOP_EPOCHS);
            assert_int_equal(end.count, epochs);
            assert_int_equal(end.epochs[epochs - 1].reason, AN_STOP_EPOCHS);
            outcome again = train_until(&b, epochs); /* has ended, and stays so */
            expect_same_end(&again, &end);
            if (epochs == 4) expect_same_end(&end, &want);
            an_arrays_destroy(again.weights);
            an_arrays_destroy(end.weights);
        }
        an_arrays_destroy(want.weights);
        drop_bench(&b);
    }
}

/* A run that was stopped on demand goes on if it may be longer, one that no longer improved does
 * not, since it would have ended there whatever its epochs. */
static void why_it_ended_decides_whether_it_goes_on(void **state) {
    (void)state;
    bench b = make_bench();
    b.options.early_stop_patience = 1;
    b.options.early_stop_min_delta = 10;
    outcome early = train_until(&b, 4), longer = train_until(&b, 6);
    assert_int_equal(early.reason, AN_STOP_EARLY);
    expect_same_end(&longer, &early);
    an_arrays_destroy(longer.weights);
    an_arrays_destroy(early.weights);
    assert_int_equal(an_checkpoint_remove(b.path, NULL), AN_OK);

    b.options.early_stop_patience = -1;
    an_trainer *trainer = make_trainer(&b);
    an_trainer_stop(trainer);
    assert_int_equal(an_trainer_run(trainer, NULL), AN_OK);
    assert_int_equal(an_trainer_reason(trainer), AN_STOP_ASKED);
    an_trainer_destroy(trainer);
    outcome same = train_until(&b, 6), more = train_until(&b, 7);
    assert_int_equal(same.reason, AN_STOP_ASKED);
    assert_int_equal(same.count, longer.count + 1);
    assert_int_equal(more.reason, AN_STOP_EPOCHS);
    assert_int_equal(more.epochs[more.count - 1].epoch, 7);
    an_arrays_destroy(more.weights);
    an_arrays_destroy(same.weights);
    drop_bench(&b);
}

static int32_t stop_after_two(void *user, const an_train_event *event) {
    if (event->kind == AN_EVENT_EPOCH_END && event->epoch == 2)
        an_trainer_stop(*(an_trainer **)user);
    return 0;
}

/* A callback at the end of an epoch is not late: no other epoch follows, and the history, the
 * checkpoint and the restored weights are those of a run that ended there. */
static void a_stop_at_the_end_of_an_epoch_ends_the_stage_there(void **state) {
    (void)state;
    bench b = make_bench();
    an_error err;
    an_trainer *trainer = NULL;
    b.options.early_stop_patience = -1;
    b.options.restore_best = 1;
    outcome want = train_until(&b, 2);
    assert_int_equal(want.reason, AN_STOP_EPOCHS);
    assert_int_equal(an_checkpoint_remove(b.path, NULL), AN_OK);

    an_model_destroy(b.model);
    an_history_destroy(b.history);
    b.model = make_model(0.1);
    assert_int_equal(an_history_create(&b.history, NULL), AN_OK);
    b.options.max_epochs = 6;
    b.options.on_event = stop_after_two;
    b.options.event_user = &trainer;
    trainer = make_trainer(&b);
    if (an_trainer_run(trainer, &err)) fail_msg("%s", err.message);
    assert_int_equal(an_trainer_reason(trainer), AN_STOP_ASKED);
    an_trainer_destroy(trainer);
    assert_int_equal(an_history_count(b.history), 2);
    an_epoch_report last = {.struct_size = sizeof last};
    assert_int_equal(an_history_copy_epoch(b.history, 1, &last, NULL), AN_OK);
    assert_int_equal(last.stopped, 1);
    assert_int_equal(last.reason, AN_STOP_ASKED);
    an_arrays *weights = NULL;
    assert_int_equal(an_model_copy_weights(&weights, b.model, NULL), AN_OK);
    for (int64_t i = 0; i < an_arrays_count(want.weights); i++)
        assert_memory_equal(an_arrays_data(weights, i), an_arrays_data(want.weights, i),
                            (size_t)value_count(want.weights, i) * sizeof(float));
    an_arrays_destroy(weights);

    b.options.on_event = NULL;
    outcome again = train_until(&b, 6); /* the checkpoint says that it ended */
    assert_int_equal(again.reason, AN_STOP_ASKED);
    assert_int_equal(again.count, 2);
    an_arrays_destroy(again.weights);
    an_arrays_destroy(want.weights);
    drop_bench(&b);
}

static void a_cosine_over_the_epochs_is_not_made_longer(void **state) {
    (void)state;
    bench b = make_bench();
    an_error err;
    an_checkpoint_info info;
    an_schedule_options schedule;
    an_schedule_options_init(&schedule, sizeof schedule);
    schedule.kind = AN_SCHEDULE_COSINE;
    b.options.schedule = &schedule;
    outcome end = train_until(&b, 2);
    an_checkpoint *checkpoint = read_checkpoint(&b, &info);
    b.options.max_epochs = 3;
    an_trainer *trainer = make_trainer(&b);
    assert_int_equal(an_trainer_resume(trainer, checkpoint, &err), AN_ERR_ARG);
    assert_string_equal(err.message,
                        "the run cannot be resumed with more epochs: its cosine schedule ends with "
                        "max_epochs (decay_steps was 8, and is 12 now), so every epoch would "
                        "differ; start again, or keep decay_steps at 8");
    an_trainer_destroy(trainer);
    schedule.decay_steps = 8; /* as it was: the rest has the last rate */
    trainer = make_trainer(&b);
    if (an_trainer_resume(trainer, checkpoint, &err)) fail_msg("%s", err.message);
    assert_int_equal(an_trainer_run(trainer, NULL), AN_OK);
    an_trainer_destroy(trainer);
    an_checkpoint_destroy(checkpoint);
    an_arrays_destroy(end.weights);
    drop_bench(&b);
}

/* --- two runs in one place -------------------------------------------------------------------- */

static an_status try_trainer(bench *b, an_trainer **trainer, an_error *err) {
    return an_trainer_create(trainer, b->model, b->train, b->val, b->history, &b->options, err);
}

static void a_second_run_of_the_process_is_refused(void **state) {
    (void)state;
    bench b = make_bench();
    an_error err;
    an_run_lock *lock = NULL;
    an_trainer *other = NULL, *first = make_trainer(&b);
    an_model *const model = b.model;
    an_trainer *stage = make_trainer(&b); /* another stage of the same run */
    b.model = make_model(0.1);
    assert_int_equal(try_trainer(&b, &other, &err), AN_ERR_IO);
    assert_null(other);
    char message[256];
    snprintf(message, sizeof message,
             "folder '%s' is in use: another run of this process is training there and holds "
             "'run.lock'; wait until it ends, or choose another folder",
             test_folder);
    assert_string_equal(err.message, message);
    assert_int_equal(an_run_lock_create(&lock, b.path, &err), AN_ERR_IO);
    assert_null(lock);
    an_trainer_destroy(first);
    assert_int_equal(try_trainer(&b, &other, &err), AN_ERR_IO);
    an_trainer_destroy(stage);
    assert_int_equal(folder_count(test_folder), 0);
    assert_int_equal(try_trainer(&b, &other, &err), AN_OK);
    an_trainer_destroy(other);
    /* by the model file alone, under another name of the folder */
    b.options.resume_path = NULL;
    b.options.checkpoint_path = b.path;
    first = make_trainer(&b);
    an_model_destroy(b.model);
    b.model = model;
    char *alias = strdup(folder_path(test_folder, "./run"));
    b.options.checkpoint_path = alias;
    assert_int_equal(try_trainer(&b, &other, &err), AN_ERR_IO);
    b.options.checkpoint_path = folder_path(test_folder, "run2");
    assert_int_equal(try_trainer(&b, &other, &err), AN_OK);
    an_trainer_destroy(other);
    an_trainer_destroy(first);
    assert_int_equal(folder_count(test_folder), 0);
    free(alias);
    drop_bench(&b);
}

static void a_lock_spans_the_stages_of_a_run(void **state) {
    (void)state;
    bench b = make_bench();
    an_error err;
    an_run_lock *lock = NULL, *second = NULL;
    assert_int_equal(an_run_lock_create(&lock, b.path, &err), AN_OK);
    assert_int_equal(an_run_lock_create(&second, b.path, &err), AN_ERR_IO);
    train(&b, 1);
    an_trainer *trainer = make_trainer(&b), *other = NULL;
    an_model *const model = b.model;
    b.model = make_model(0.1);
    assert_int_equal(try_trainer(&b, &other, &err), AN_ERR_IO); /* at once: no */
    an_trainer_destroy(trainer);
    assert_int_equal(an_run_lock_create(&second, b.path, &err), AN_ERR_IO);
    assert_int_equal(try_trainer(&b, &other, &err), AN_OK); /* one after the other */
    an_trainer_destroy(other);
    an_model_destroy(b.model);
    b.model = model;
    assert_int_equal(an_checkpoint_remove(b.path, &err), AN_OK); /* one's own */
    an_run_lock_destroy(lock);
    an_run_lock_destroy(NULL);
    assert_int_equal(folder_count(test_folder), 0);
    assert_int_equal(an_run_lock_create(NULL, b.path, &err), AN_ERR_ARG);
    assert_int_equal(an_run_lock_create(&lock, NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_run_lock_create(&lock, folder_path(test_folder, "no/run"), &err),
                     AN_ERR_IO);
    assert_non_null(strstr(err.message, "there is no folder '"));
    drop_bench(&b);
}

/* Another process: refused while it lives, whatever its end. */
static void a_run_of_another_process_is_refused(void **state) {
    (void)state;
    bench b = make_bench();
    an_error err;
    char expected[64], byte = 0;
    int ready[2];
    an_trainer *trainer = NULL;
    train(&b, 1);
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        an_run_lock *lock = NULL;
        alarm(60); /* should nobody kill it */
        byte = an_run_lock_create(&lock, b.path, &err) == AN_OK;
        while (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    snprintf(expected, sizeof expected, "is in use: process %ld is training there", (long)child);
    assert_int_equal(try_trainer(&b, &trainer, &err), AN_ERR_IO);
    if (!strstr(err.message, expected)) fail_msg("%s", err.message);
    assert_int_equal(an_checkpoint_remove(b.path, &err), AN_ERR_IO);
    if (!strstr(err.message, expected)) fail_msg("%s", err.message);
    assert_int_equal(folder_count(test_folder), 2 + 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(folder_count(test_folder), 2 + 1); /* left, and of no effect */
    assert_int_equal(try_trainer(&b, &trainer, &err), AN_OK);
    an_trainer_destroy(trainer);
    assert_int_equal(folder_count(test_folder), 2);
    close(ready[0]);
    close(ready[1]);
    drop_bench(&b);
}

/* A file system without locks: said, and gone on with. */
static int flock_code;
int __wrap_flock(int fd, int operation);
int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation) {
    if (!flock_code) return __real_flock(fd, operation);
    errno = flock_code;
    return -1;
}

static void a_file_system_without_locks_is_told(void **state) {
    (void)state;
    bench b = make_bench();
    an_trainer *trainer = NULL;
    flock_code = ENOLCK;
    trainer = make_trainer(&b);
    assert_int_equal(b.warnings, 1);
    assert_non_null(
        strstr(b.warning, "is on a file system without locks: make sure that no other"));
    an_trainer_destroy(trainer);
    b.refuses = 1;
    assert_int_equal(try_trainer(&b, &trainer, NULL), AN_ERR_CANCELLED);
    flock_code = 0;
    assert_int_equal(folder_count(test_folder), 0);
    drop_bench(&b);
}

static void paths_that_cannot_be_written_are_found_at_once(void **state) {
    (void)state;
    bench b = make_bench();
    an_error err;
    an_trainer *trainer = NULL;
    b.options.resume_path = NULL;
    const char **const paths[] = {&b.options.checkpoint_path, &b.options.resume_path,
                                  &b.options.csv_path};
    static const char *const names[] = {"checkpoint_path", "resume_path", "csv_path"};
    char message[256];
    for (int i = 0; i < 3; i++) {
        *paths[i] = folder_path(test_folder, "no/run");
        assert_int_equal(try_trainer(&b, &trainer, &err), AN_ERR_IO);
        snprintf(message, sizeof message, "cannot write '%s/no/run': there is no folder '%s/no'",
                 test_folder, test_folder);
        assert_string_equal(err.message, message);
        *paths[i] = test_folder;
        assert_int_equal(try_trainer(&b, &trainer, &err), AN_ERR_IO);
        assert_non_null(strstr(err.message, "a folder with that name exists"));
        *paths[i] = "";
        assert_int_equal(try_trainer(&b, &trainer, &err), AN_ERR_ARG);
        snprintf(message, sizeof message, "an_train_options: %s is empty; NULL is none", names[i]);
        assert_string_equal(err.message, message);
        *paths[i] = "/proc/run"; /* nobody can, whoever runs the test */
        assert_int_equal(try_trainer(&b, &trainer, &err), i < 2 ? AN_ERR_IO : AN_OK);
        an_trainer_destroy(trainer);
        trainer = NULL;
        *paths[i] = NULL;
    }
    assert_int_equal(folder_count(test_folder), 0);
    drop_bench(&b);
}

/* --- damage ----------------------------------------------------------------------------------- */

/* The sum of all bytes but for those of its digits. */
static void seal_again(uint8_t *bytes, int64_t size) {
    enum { DIGITS = 8 + sizeof "{\"__metadata__\":{\"sha256\":\"" - 1 };
    ani_sha256 sha;
    char digits[65];
    memset(bytes + DIGITS, '0', 64);
    ani_sha256_begin(&sha);
    ani_sha256_add(&sha, bytes, size);
    ani_sha256_end(&sha, digits);
    memcpy(bytes + DIGITS, digits, 64);
}

/* Whatever is wrong with one file, the other one is taken, and that is told. */
static void damage_falls_back(void **state) {
    (void)state;
    bench b = make_bench();
    an_checkpoint_info info;
    int64_t size;
    uint64_t header;
    train(&b, 2); /* begin: 1, then 2, then 1 */
    uint8_t *good = folder_read(file_of(1), &size);
    uint8_t *bad = malloc((size_t)size);
    memcpy(&header, good, sizeof header);
    int64_t tried = 0;
    for (int64_t place = 0; place < size; tried++) {
        memcpy(bad, good, (size_t)size);
        bad[place] ^= (uint8_t)(1 << (tried % 8));
        folder_write(file_of(1), bad, size);
        b.code = 0;
        an_checkpoint_destroy(read_checkpoint(&b, &info));
        if (b.code != AN_WARN_OLD_CHECKPOINT || info.epoch != 1)
            fail_msg("byte %lld: epoch %d", (long long)place, (int)info.epoch);
        /* each byte of the first, then some of the header, then some of the data */
        place += place < 128 ? 1 : place < 8 + (int64_t)header ? 97 : 4001;
    }
    assert_true(tried > 200);
    for (int64_t left = 0; left < size; left += left < 256 ? 1 : size / 50) {
        folder_write(file_of(1), good, left);
        b.code = 0;
        an_checkpoint_destroy(read_checkpoint(&b, &info));
        assert_int_equal(b.code, AN_WARN_OLD_CHECKPOINT);
        assert_int_equal(info.epoch, 1);
    }
    assert_non_null(strstr(b.warning, "; continuing from 'run-2.safetensors'"));
    /* the run goes on, and both files are good again */
    b.options.max_epochs = 3;
    an_checkpoint *checkpoint = read_checkpoint(&b, &info);
    an_trainer *trainer = make_trainer(&b);
    assert_int_equal(an_trainer_resume(trainer, checkpoint, NULL), AN_OK);
    assert_int_equal(an_trainer_run(trainer, NULL), AN_OK);
    an_trainer_destroy(trainer);
    an_checkpoint_destroy(checkpoint);
    b.warnings = 0;
    an_checkpoint_destroy(read_checkpoint(&b, &info));
    assert_int_equal(b.warnings, 0);
    assert_int_equal(info.epoch, 3);
    free(bad);
    free(good);
    drop_bench(&b);
}

static void two_bad_files_are_both_named(void **state) {
    (void)state;
    bench b = make_bench();
    an_checkpoint *checkpoint = NULL;
    an_error err;
    if (chdir(test_folder)) fail_msg("cannot go to '%s'", test_folder);
    folder_write_text("c-1.safetensors", "torn");
    assert_int_equal(an_checkpoint_read(&checkpoint, "c", NULL, NULL, &err), AN_ERR_FORMAT);
    assert_string_equal(err.message, "'c-1.safetensors' has 4 bytes: too few for a checksum");
    folder_write("c-2.safetensors", b.warning, sizeof b.warning);
    assert_int_equal(an_checkpoint_read(&checkpoint, "c", NULL, NULL, &err), AN_ERR_FORMAT);
    assert_string_equal(err.message,
                        "no checkpoint can be read: 'c-1.safetensors' has 4 bytes: too few for a "
                        "checksum; 'c-2.safetensors' does not begin with a checksum");
    assert_null(checkpoint);
    /* a file of a newer library is not passed over, whatever the other one is */
    train(&b, 1);
    int64_t size;
    uint8_t *bytes = folder_read(file_of(1), &size);
    static const char key[] = "\"checkpoint\":\"";
    uint8_t *at = memmem(bytes, (size_t)size, key, sizeof key - 1);
    assert_non_null(at);
    at[sizeof key - 1] = '7';
    seal_again(bytes, size);
    folder_write("c-1.safetensors", bytes, size);
    free(bytes);
    assert_int_equal(an_checkpoint_read(&checkpoint, "c", NULL, NULL, &err), AN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "is a checkpoint of version '7'"));
    assert_int_equal(rename(file_of(2), "c-2.safetensors"), 0);
    assert_int_equal(an_checkpoint_read(&checkpoint, "c", NULL, NULL, &err), AN_ERR_UNSUPPORTED);
    folder_write_text("c-1.safetensors", "torn");
    b.refuses = 1;
    assert_int_equal(an_checkpoint_read(&checkpoint, "c", on_warning, &b, &err), AN_ERR_CANCELLED);
    assert_null(checkpoint);
    assert_int_equal(an_checkpoint_read(&checkpoint, "c", NULL, NULL, &err), AN_OK);
    assert_int_equal(an_checkpoint_describe(checkpoint, NULL, NULL), AN_ERR_ARG);
    an_checkpoint_info info = {.struct_size = 0};
    assert_int_equal(an_checkpoint_describe(checkpoint, &info, NULL), AN_ERR_ARG);
    an_checkpoint_destroy(checkpoint);
    if (chdir("/")) fail_msg("cannot go back");
    drop_bench(&b);
}

/* Change texts of a checkpoint and give it a right checksum: as another program might. */
static an_status resume_changed(bench *b, const char *from, const char *to, an_error *err) {
    int64_t size;
    an_checkpoint *checkpoint = NULL;
    an_checkpoint_remove(b->path, NULL);
    train(b, 1);
    uint8_t *bytes = folder_read(file_of(2), &size);
    assert_int_equal(strlen(from), strlen(to));
    uint8_t *at = memmem(bytes, (size_t)size, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    seal_again(bytes, size);
    folder_write(file_of(2), bytes, size);
    assert_int_equal(unlink(file_of(1)), 0);
    free(bytes);
    an_status st = an_checkpoint_read(&checkpoint, b->path, NULL, NULL, err);
    b->resumed = make_trainer(b);
    if (!st) st = an_trainer_resume(b->resumed, checkpoint, err);
    an_trainer_destroy(b->resumed);
    b->resumed = NULL;
    an_checkpoint_destroy(checkpoint);
    return st;
}

static void strange_texts_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
        an_status status;
        const char *message; /* a part of it */
    } cases[] = {
        {"\"checkpoint\":\"1\"", "\"checkpoint\":\"2\"", AN_ERR_UNSUPPORTED,
         "is a checkpoint of version '2'; this library reads version 1"},
        {"\"checkpoint\":\"1\"", "\"checkpaint\":\"1\"", AN_ERR_FORMAT, "is not a checkpoint"},
        {"\"number\":\"2\"", "\"number\":\"0\"", AN_ERR_FORMAT, "number is '0'"},
        {"\"stage\":\"1\"", "\"stagg\":\"1\"", AN_ERR_FORMAT, "stage is 'missing'"},
        {"\"history\":", "\"mystery\":", AN_ERR_FORMAT, "has no history"},
        {"best/dense/bias", "best/dense/bios", AN_ERR_FORMAT, "weights: there is no 'dense/bias'"},
        {"state.epoch\":\"1\"", "state.epoch\":\"9\"", AN_ERR_FORMAT, "is at epoch 10, batch 0"},
        {"place.batch\":\"0\"", "place.batch\":\"7\"", AN_ERR_FORMAT, "is at epoch 2, batch 7"},
        {"place.step\":\"0\"", "place.step\":\"3\"", AN_ERR_FORMAT, "which the run does not have"},
        {"state.best\"", "state.bosh\"", AN_ERR_FORMAT, "the checkpoint has no 'state.best'"},
        {"early.wait\":\"0\"", "early.wait\":\"x\"", AN_ERR_FORMAT,
         "'state.early.wait' of the checkpoint cannot be 'x'"},
        {"state.rate\":\"0.001\"", "state.rate\":\"0001x\"", AN_ERR_FORMAT, "cannot be '0001x'"},
        {"state.rate\":\"0.001\"", "state.rate\":\"-0.01\"", AN_ERR_FORMAT, "is at epoch 2"},
        {"state.rate\":\"0.001\"", "state.rate\":\"1e999\"", AN_ERR_FORMAT,
         "'state.rate' of the checkpoint cannot be '1e999'"},
        {"number\":\"2\",\"stage\"", "number\":\"2x\",\"stag\"", AN_ERR_FORMAT, "number is '2x'"},
        {"\"history\":\"1,1", "\"history\":\"1;1", AN_ERR_FORMAT,
         "the history has no number for 'stage' in line 1"},
        {"optimizer/m", "optimizer/n", AN_ERR_FORMAT, "there is no 'optimizer/m' of "},
        {"dense/bias", "dense/bios", AN_ERR_FORMAT, "weights: there is no 'dense/bias'"},
        {"setting.max_epochs\":\"3\"", "setting.max_epochs\":\"x\"", AN_ERR_FORMAT,
         "setting.max_epochs is 'x'"},
        {"setting.batch\"", "setting.botch\"", AN_ERR_ARG,
         "its checkpoint does not record batch, which is now '2'"},
    };
    bench b = make_bench();
    an_error err;
    b.options.restore_best = 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const an_status st = resume_changed(&b, cases[i].from, cases[i].to, &err);
        if (st != cases[i].status || !strstr(err.message, cases[i].message))
            fail_msg("case %zu: %s", i, st ? err.message : "no error");
    }
    assert_int_equal(resume_changed(&b, "library ", "Library ", &err), AN_OK);
    assert_int_equal(b.code, AN_WARN_OTHER);
    assert_non_null(strstr(b.warning, "the last bits may differ"));
    b.refuses = 1;
    assert_int_equal(resume_changed(&b, "\"backend\":", "\"bockend\":", &err), AN_ERR_CANCELLED);
    assert_non_null(strstr(b.warning, "was written with ''"));
    drop_bench(&b);
}

/* Seen by the address sanitizer: the call keeps its trainer until it ends. */
static void a_trainer_is_destroyed_while_it_is_resumed(void **state) {
    (void)state;
    bench b = make_bench();
    an_error err;
    b.destroys = 1;
    assert_int_equal(resume_changed(&b, "library ", "Library ", &err), AN_OK);
    assert_int_equal(b.warnings, 1);
    b.refuses = 1;
    assert_int_equal(resume_changed(&b, "library ", "Library ", &err), AN_ERR_CANCELLED);
    assert_int_equal(b.warnings, 2);
    drop_bench(&b);
}

/* What is no number is never written over what is one. */
static void a_broken_run_keeps_the_last_good_checkpoint(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        bench b = make_bench();
        an_checkpoint_info info;
        an_arrays *arrays = NULL;
        /* the second step's loss is infinite; at last the first step's weights are, too */
        b.options.learning_rate = round < 2 ? 1e30 : 1e300;
        b.options.resume_seconds = round == 0 ? 60 : 0;
        train(&b, 1);
        an_checkpoint *checkpoint = read_checkpoint(&b, &info);
        assert_int_equal(info.epoch, 0);
        assert_int_equal(info.step, round == 1);
        assert_int_equal(info.reason, AN_STOP_NONE);
        assert_int_equal(an_arrays_read(&arrays, file_of(1), NULL), AN_OK);
        for (int64_t i = 0; i < an_arrays_count(arrays); i++)
            assert_true(isfinite(an_arrays_data(arrays, i)[0]));
        an_arrays_destroy(arrays);
        /* resumed, it ends the same way */
        an_trainer *trainer = make_trainer(&b);
        assert_int_equal(an_trainer_resume(trainer, checkpoint, NULL), AN_OK);
        assert_int_equal(an_trainer_run(trainer, NULL), AN_OK);
        assert_int_equal(an_trainer_reason(trainer), AN_STOP_NAN);
        an_trainer_destroy(trainer);
        an_checkpoint_destroy(checkpoint);
        drop_bench(&b);
    }
}

/* A disk that is full for a while costs nothing but the message. */
static void a_checkpoint_that_fails_is_written_later(void **state) {
    (void)state;
    an_epoch_report report[2] = {{.struct_size = sizeof *report}, {.struct_size = sizeof *report}};
    for (int full = 0; full < 2; full++) {
        bench b = make_bench();
        an_checkpoint_info info;
        an_error err;
        b.options.resume_seconds = 0;
        an_trainer *trainer = make_trainer(&b);
        assert_int_equal(an_trainer_run_epoch(trainer, NULL, NULL), AN_OK);
        if (full) ani_fault_arm(ANI_FAULT_WRITE, 0, ENOSPC, true);
        for (int i = 0; i < 3 * full; i++) {
            assert_int_equal(an_trainer_run_epoch(trainer, NULL, &err), AN_ERR_IO);
            assert_non_null(strstr(err.message, "No space left on device"));
            an_checkpoint_destroy(read_checkpoint(&b, &info));
            assert_int_equal(info.epoch, 1);
        }
        ani_fault_disarm();
        assert_int_equal(folder_count(test_folder), 2 + 1);
        assert_int_equal(an_trainer_run_epoch(trainer, &report[full], NULL), AN_OK);
        an_trainer_destroy(trainer);
        drop_bench(&b);
    }
    assert_true(report[0].loss == report[1].loss && report[0].steps == report[1].steps);
}

/* What killed processes left is removed; what others are writing is not. */
static void leftovers_are_swept(void **state) {
    (void)state;
    bench b = make_bench();
    char own[64];
    const char *const gone[] = {"run-1.safetensors.999999999.0.tmp",
                                "run-2.safetensors.999999999.12.tmp"};
    snprintf(own, sizeof own, "run-1.safetensors.%ld.7.tmp", (long)getpid());
    const char *const stay[] = {own, "run-1.safetensors.999999999.0.tmp.txt",
                                "run-1.safetensors.tmp", "sun-1.safetensors.999999999.0.tmp"};
    for (int i = 0; i < 2; i++)
        folder_write_text(folder_path(test_folder, gone[i]), "x");
    for (int i = 0; i < 4; i++)
        folder_write_text(folder_path(test_folder, stay[i]), "x");
    train(&b, 1);
    assert_int_equal(folder_count(test_folder), 2 + 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(access(folder_path(test_folder, stay[i]), F_OK), 0);
    drop_bench(&b);
}

static void numbers_read_back(void **state) {
    (void)state;
    static const double numbers[] = {0,
                                     -0.0,
                                     1,
                                     0.1,
                                     1e-300,
                                     5e-324,
                                     1.7976931348623157e308,
                                     -1.5,
                                     INFINITY,
                                     -INFINITY,
                                     1e16,
                                     123456789.123456789};
    static const ani_field number = {"number", ANI_FIELD_DOUBLE, 0, 0, 0},
                           whole = {"whole", ANI_FIELD_INT64, 0, INT64_MIN, INT64_MAX},
                           small = {"small", ANI_FIELD_INT32, 0, -5, 7};
    char text[ANI_FIELD_SIZE];
    const char *end;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double back = 7;
        ani_field_format(text, &number, &numbers[i]);
        assert_true(ani_field_parse(&number, &back, text, &end) && !*end);
        assert_memory_equal(&back, &numbers[i], sizeof back);
    }
    double nan = 0;
    assert_true(ani_field_parse(&number, &nan, "nan,", &end) && *end == ',' && isnan(nan));
    static const int64_t wholes[] = {0, 1, -1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        int64_t back = 7;
        ani_field_format(text, &whole, &wholes[i]);
        assert_true(ani_field_parse(&whole, &back, text, &end) && !*end);
        assert_true(back == wholes[i]);
    }
    int64_t same = 3;
    static const char *const no_wholes[] = {"",
                                            "-",
                                            "+1",
                                            " 1",
                                            "x",
                                            "9223372036854775808",
                                            "-9223372036854775809",
                                            "99999999999999999999"};
    for (size_t i = 0; i < sizeof no_wholes / sizeof *no_wholes; i++)
        assert_false(ani_field_parse(&whole, &same, no_wholes[i], &end));
    assert_true(same == 3);
    int32_t little = 3;
    assert_false(ani_field_parse(&small, &little, "8", &end));
    assert_false(ani_field_parse(&small, &little, "-6", &end));
    assert_true(ani_field_parse(&small, &little, "-5", &end) && little == -5);
    assert_false(ani_field_parse(&number, &nan, "x", &end));
}

/* Writing, reading, resuming and removing fail at the first allocations, and at every seventh of
 * the others; test_oom has them all. */
typedef struct call {
    bench *b;
    an_trainer *trainer;
    an_checkpoint *checkpoint;
} call;

static an_status call_write(call *c, an_error *err) {
    /* Not written yet. Leftovers are swept as far as there is memory for it. */
    an_trainer_set_learning_rate(c->trainer, an_trainer_learning_rate(c->trainer), NULL);
    return ani_trainer_write(c->trainer, err);
}

static an_status call_read(call *c, an_error *err) {
    an_checkpoint_destroy(c->checkpoint);
    c->checkpoint = NULL;
    return an_checkpoint_read(&c->checkpoint, c->b->path, NULL, NULL, err);
}

static an_status call_resume(call *c, an_error *err) {
    return an_trainer_resume(c->trainer, c->checkpoint, err);
}

static an_status call_remove(call *c, an_error *err) {
    return an_checkpoint_remove(c->b->path, err);
}

static void allocations_may_fail(void **state) {
    (void)state;
    an_status (*const calls[])(call * c, an_error * err) = {call_write, call_read, call_resume,
                                                            call_remove};
    bench b = make_bench();
    b.options.restore_best = 1;
    b.options.terminate_on_nan = 0; /* weights are not looked at before they are written */
    train(&b, 1);
    call c = {.b = &b, .trainer = make_trainer(&b)};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (int64_t n = 0;; n += n < 40 ? 1 : 7) {
            an_error err = {0};
            ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
            const an_status st = calls[i](&c, &err);
            const bool reached = ani_fault_calls(ANI_FAULT_ALLOC) > n;
            ani_fault_disarm();
            if (st && (!reached || st != AN_ERR_NOMEM || !strstr(err.message, "memory")))
                fail_msg("call %zu, allocation %d: %s", i, (int)n, err.message);
            if (!reached) break;
        }
    an_checkpoint_destroy(c.checkpoint);
    an_trainer_destroy(c.trainer);
    drop_bench(&b);
}

static void misuse_is_told(void **state) {
    (void)state;
    an_checkpoint *checkpoint = NULL;
    an_checkpoint_info info = {.struct_size = 0};
    assert_int_equal(an_checkpoint_read(NULL, "x", NULL, NULL, NULL), AN_ERR_ARG);
    assert_int_equal(an_checkpoint_read(&checkpoint, NULL, NULL, NULL, NULL), AN_ERR_ARG);
    assert_int_equal(an_checkpoint_remove(NULL, NULL), AN_ERR_ARG);
    assert_int_equal(an_checkpoint_describe(NULL, &info, NULL), AN_ERR_ARG);
    assert_int_equal(an_trainer_resume(NULL, NULL, NULL), AN_ERR_ARG);
    bench b = make_bench();
    an_error err;
    an_trainer *trainer = make_trainer(&b);
    assert_int_equal(an_trainer_resume(trainer, NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "checkpoint is NULL");
    an_trainer_destroy(trainer);
    drop_bench(&b);
    an_checkpoint_destroy(NULL);
    an_trainer_pause(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(two_files_are_written_in_turn),
        unit_test_in_folder(its_weights_are_a_weight_file),
        unit_test_in_folder(a_pause_changes_nothing),
        unit_test_in_folder(an_epoch_goes_on_in_other_objects),
        unit_test_in_folder(other_settings_are_named),
        unit_test_in_folder(a_longer_run_goes_on_with_the_same_bits),
        unit_test_in_folder(why_it_ended_decides_whether_it_goes_on),
        unit_test_in_folder(a_stop_at_the_end_of_an_epoch_ends_the_stage_there),
        unit_test_in_folder(a_cosine_over_the_epochs_is_not_made_longer),
        unit_test_in_folder(a_second_run_of_the_process_is_refused),
        unit_test_in_folder(a_lock_spans_the_stages_of_a_run),
        unit_test_in_folder(a_run_of_another_process_is_refused),
        unit_test_in_folder(a_file_system_without_locks_is_told),
        unit_test_in_folder(paths_that_cannot_be_written_are_found_at_once),
        unit_test_in_folder(damage_falls_back),
        unit_test_in_folder(two_bad_files_are_both_named),
        unit_test_in_folder(strange_texts_are_refused),
        unit_test_in_folder(a_trainer_is_destroyed_while_it_is_resumed),
        unit_test_in_folder(a_broken_run_keeps_the_last_good_checkpoint),
        unit_test_in_folder(a_checkpoint_that_fails_is_written_later),
        unit_test_in_folder(leftovers_are_swept),
        cmocka_unit_test(numbers_read_back),
        unit_test_in_folder(allocations_may_fail),
        unit_test_in_folder(misuse_is_told),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
