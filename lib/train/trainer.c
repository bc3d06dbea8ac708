/* SPDX-License-Identifier: MIT
 * One stage of training: epochs of steps, validation, and what the callbacks decide about it. */
#include "train/trainer.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "augment/loader.h"
#include "base/callbacks.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/options.h"
#include "layers/loss.h"
#include "layers/model.h"
#include "optim/optim.h"
#include "train/checkpoint.h"
#include "train/console.h"
#include "train/decisions.h"
#include "train/evaluate.h"
#include "train/events.h"
#include "train/history.h"
#include "train/options.h"
#include "train/state.h"

struct an_trainer {
    atomic_int references; /* a run in progress holds one: a callback may destroy the trainer */
    an_model *model;
    an_loader *train, *val;
    an_history *history;
    an_optimizer *optimizer;
    an_train_options options; /* schedule: see below; optimizer: only during creation */
    an_loss_options loss;     /* resolved for the model */
    an_schedule_options schedule;
    ani_train_state state;
    an_arrays *kept; /* best weights, with restore_best */
    ani_console console;
    ani_events *events;
    bool introduced; /* the stage has been printed */
    bool in_place;   /* a failure leaves the epoch where it is */
    atomic_int asked_to_stop, asked_to_pause;
    ani_lock *locks[2]; /* of resume_path and checkpoint_path */
    /* checkpoints */
    bool written;      /* what is on disk is the current state */
    double written_at; /* clock, seconds */
    ani_checkpoint_place place;
    /* frozen base */
    ani_features *train_features, *val_features;
    int64_t *places;        /* [samples]: order of the epoch */
    float *x, *y, *weights; /* [batch,features], [batch,outputs], [batch]: rows of a step */
    /* accumulation */
    float *moving; /* statistics before the step, in backend memory; NULL: only its end changes the
                      model */
    bool moving_owed;   /* they could not be restored yet, */
    int64_t owed_after; /* at this value of ani_net_changes() */
};

/** A batch that has been queued, but not accounted for. */
typedef struct late_batch {
    int64_t n;
    int64_t next;    /* the number of the batch after it */
    double rate;     /* of its step */
    bool is_update;  /* it was the last batch of its step */
    int64_t updates; /* steps of the optimizer before it */
} late_batch;

/** An epoch in progress: what is not in the trainer's state. */
typedef struct epoch_run {
    an_epoch_report report;
    double begun; /* clock, as if there had been no interruption */
    int64_t steps;
    bool broken;     /* a loss was not finite: the run ends */
    int32_t pending; /* batches whose gradients have been accumulated for the current step */
    int64_t update;  /* the number of that step's update, in this epoch */
    ani_epoch_place step_at; /* where that step began, if it has several batches */
    late_batch late;
    bool is_late; /* the loss of late is not known yet */
} epoch_run;

/* --- life ------------------------------------------------------------------------------------- */

/** Pass a message to the caller's warn. */
static an_status warn(an_trainer *trainer, const char *message, an_error *err) {
    const an_train_options *options = &trainer->options;
    return ani_warn(options->warn, options->warn_user, AN_WARN_OTHER, 1, message, err);
}

/** Return the number of optimizer steps in an epoch. */
static int64_t updates_of(const an_trainer *trainer, int64_t batches) {
    const int64_t each = trainer->options.accumulate;
    return batches / each + (batches % each != 0);
}

/** The number of steps of a schedule that spans the stage. */
static void fit_schedule(an_trainer *trainer) {
    an_schedule_options *schedule = &trainer->schedule;
    int64_t all;
    if (schedule->kind != AN_SCHEDULE_COSINE || schedule->decay_steps) return;
    if (!ani_mul_size(trainer->options.max_epochs,
                      updates_of(trainer, an_loader_steps(trainer->train)), &all))
        all = INT64_MAX;
    schedule->decay_steps = all > schedule->warmup_steps ? all - schedule->warmup_steps : 1;
}

/** Return whether a batch changes the moving statistics. */
static bool moves_statistics(const an_train_options *options) {
    return options->base == AN_BASE_STATISTICS || options->base == AN_BASE_TRAIN;
}

/** Find out before the first epoch whether the files can be written, and lock those that are read
 * back against other runs. The stages of a run share one model. */
static an_status take_files(an_trainer *trainer, an_error *err) {
    const an_train_options *options = &trainer->options;
    const char *const paths[] = {options->resume_path, options->checkpoint_path, options->csv_path};
    for (int i = 0; i < 3; i++) {
        an_status st = paths[i] ? ani_writer_check(paths[i], err) : AN_OK;
        if (!st && paths[i] && i < 2)
            st = ani_lock_take(&trainer->locks[i], paths[i], ANI_LOCK_OWNER, trainer->model, err);
        if (st) return st;
    }
    if (!trainer->locks[0] || ani_lock_is_effective(trainer->locks[0])) return AN_OK;
    an_error text; /* as a buffer for the message */
    ani_fail(
        &text, AN_OK,
        "'%s' is on a file system without locks: make sure that no other training writes there",
        options->resume_path);
    return warn(trainer, text.message, err);
}

static an_status make_parts(an_trainer *trainer, an_error *err) {
    const an_train_options *options = &trainer->options;
    an_status st = take_files(trainer, err);
    if (!st) st = an_optimizer_create(&trainer->optimizer, trainer->model, options->optimizer, err);
    trainer->options.optimizer = NULL;
    if (st) return st;
    if (options->tensorboard_dir) {
        st = ani_events_create(&trainer->events, options->tensorboard_dir, trainer->val != NULL,
                               options->stage, err);
        if (st) return st;
    }
    if (options->accumulate > 1 && moves_statistics(options)) {
        st = ani_net_moving_create(&trainer->moving, ani_model_net(trainer->model), err);
        if (st) return st;
    }
    if (!trainer->history) return an_history_create(&trainer->history, err);
    return AN_OK;
}

/* A classification model without class names takes those of the data set. */
static an_status name_classes(an_model *model, const an_loader *train, an_error *err) {
    const an_dataset *dataset = ani_loader_dataset(train);
    const int32_t count = an_dataset_class_count(dataset);
    if (!count || an_model_class_count(model) ||
        ani_model_facts_of(model)->task != AN_TASK_CLASSIFICATION)
        return AN_OK;
    const char **names = ani_alloc_zero(count, sizeof *names);
    if (!names) return ani_fail_memory(err, count * (int64_t)sizeof *names, "names of classes");
    for (int32_t i = 0; i < count; i++)
        names[i] = an_dataset_class_name(dataset, i);
    an_status st = an_model_set_class_names(model, names, count, err);
    ani_free(names);
    return st;
}

an_status an_trainer_create(an_trainer **out, an_model *model, an_loader *train, an_loader *val,
                            an_history *history, const an_train_options *options, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_train_options ours;
    an_schedule_options schedule;
    an_loss_options loss;
    an_trainer *trainer = NULL;
    if (!model || !train) return ani_fail(err, AN_ERR_ARG, "%s is NULL", model ? "train" : "model");
    an_status st = ani_train_options_take(&ours, &schedule, options, err);
    if (st) return st;
    const an_loss_options named = {
        .struct_size = sizeof named, .kind = ours.loss, .fn = ours.loss_fn, .user = ours.loss_user};
    st = ani_loss_take(&loss, &named, ani_model_facts_of(model)->task,
                       ani_net_spec_of(ani_model_net(model))->outputs, err);
    ours.loss = loss.kind; /* unchanged, for settings */
    if (!ours.accumulate) ours.accumulate = 1;
    if (!st) st = ani_check_source(model, train, &loss, "training batches", err);
    if (!st && val) st = ani_check_source(model, val, &loss, "validation batches", err);
    if (!st && val && !an_loader_is_plain(val))
        st = ani_fail(err, AN_ERR_ARG, "validation batches %s; they must be plain",
                      ani_loader_source(val) && ani_loader_source(val)->varies
                          ? "vary from epoch to epoch"
                          : "are augmented");
    if (!st && val)
        st = ani_check_classes(model, ani_loader_dataset(train), val, "validation batches", err);
    if (!st && train == val)
        st = ani_fail(err, AN_ERR_ARG, "training and validation are the same batches");
    if (!st) trainer = ani_alloc_zero(1, sizeof *trainer);
    if (!trainer) {
        ani_train_options_clear(&ours);
        return st ? st : ani_fail_memory(err, sizeof *trainer, "a trainer");
    }
    atomic_init(&trainer->references, 1);
    trainer->options = ours;
    trainer->loss = loss;
    trainer->schedule = schedule;
    ani_model_hold(model);
    trainer->model = model;
    ani_loader_hold(train);
    trainer->train = train;
    if (val) ani_loader_hold(val);
    trainer->val = val;
    if (history) ani_history_hold(history);
    trainer->history = history;
    atomic_init(&trainer->asked_to_stop, 0);
    atomic_init(&trainer->asked_to_pause, 0);
    trainer->place.slot = -1;
    ani_console_init(&trainer->console, &trainer->options);
    ani_train_state_begin(&trainer->state, &trainer->options);
    fit_schedule(trainer);
    st = make_parts(trainer, err);
    if (!st) st = name_classes(model, train, err);
    if (st) {
        an_trainer_destroy(trainer);
        return st;
    }
    *out = trainer;
    return AN_OK;
}

/** Discard the features of a frozen base, since its weights have changed. */
static void drop_features(an_trainer *trainer) {
    ani_features_destroy(trainer->train_features);
    ani_features_destroy(trainer->val_features);
    trainer->train_features = trainer->val_features = NULL;
}

void an_trainer_destroy(an_trainer *trainer) {
    if (!trainer || atomic_fetch_sub(&trainer->references, 1) > 1) return;
    drop_features(trainer);
    ani_free(trainer->places);
    ani_free(trainer->x);
    ani_free(trainer->y);
    ani_free(trainer->weights);
    ani_net_moving_destroy(ani_model_net(trainer->model), trainer->moving);
    an_arrays_destroy(trainer->kept);
    ani_events_destroy(trainer->events);
    ani_console_clear(&trainer->console);
    an_optimizer_destroy(trainer->optimizer);
    an_history_destroy(trainer->history);
    an_loader_destroy(trainer->val);
    an_loader_destroy(trainer->train);
    for (int i = 0; i < 2; i++)
        ani_lock_release(trainer->locks[i]);
    an_model_destroy(trainer->model);
    ani_train_options_clear(&trainer->options);
    ani_free(trainer);
}

void an_train_event_init(an_train_event *event, uint32_t struct_size) {
    ani_report_init(event, struct_size);
}

void an_trainer_stop(an_trainer *trainer) {
    if (trainer) atomic_store(&trainer->asked_to_stop, 1);
}

void an_trainer_pause(an_trainer *trainer) {
    if (trainer) atomic_store(&trainer->asked_to_pause, 1);
}

double an_trainer_learning_rate(const an_trainer *trainer) {
    return trainer ? trainer->state.rate : NAN;
}

an_status an_trainer_set_learning_rate(an_trainer *trainer, double rate, an_error *err) {
    if (!trainer) return ani_fail(err, AN_ERR_ARG, "trainer is NULL");
    if (!(isfinite(rate) && rate >= 0))
        return ani_fail(err, AN_ERR_ARG,
                        "trainer: the learning rate is %g; it must be finite and at least 0", rate);
    trainer->state.rate = rate;
    trainer->written = false;
    return AN_OK;
}

int32_t an_trainer_reason(const an_trainer *trainer) {
    return trainer ? trainer->state.reason : AN_STOP_NONE;
}

double an_trainer_best(const an_trainer *trainer) {
    return trainer ? trainer->state.best : INFINITY;
}

double an_trainer_checkpoint_best(const an_trainer *trainer) {
    return trainer ? trainer->state.checkpoint.best : INFINITY;
}

/** Claim the model for a running call, and keep the trainer alive until it ends. */
static an_status begin_call(an_trainer *trainer, an_error *err) {
    if (!trainer) return ani_fail(err, AN_ERR_ARG, "trainer is NULL");
    an_status st = ani_model_claim(trainer->model, err);
    if (!st) atomic_fetch_add(&trainer->references, 1);
    return st;
}

/** The watch of the running call. */
static ani_watch *watch_of(const an_trainer *trainer) {
    return ani_net_watch(ani_model_net(trainer->model));
}

static void end_call(an_trainer *trainer) {
    ani_model_release(trainer->model);
    an_trainer_destroy(trainer);
}

/* --- telling the caller ----------------------------------------------------------------------- */

/** Mean loss of the epoch so far. */
static double mean_loss(const ani_epoch_place *place) {
    return place->samples ? place->loss_sum / (double)place->samples : NAN;
}

static an_status tell(an_trainer *trainer, int32_t kind, int64_t step, int64_t steps, double begun,
                      const an_epoch_report *report, an_error *err) {
    const an_train_options *options = &trainer->options;
    if (!options->on_event) return AN_OK;
    const an_train_event event = {.struct_size = sizeof event,
                                  .kind = kind,
                                  .stage = options->stage,
                                  .epoch = trainer->state.epoch + (report ? 0 : 1),
                                  .step = step,
                                  .steps = steps,
                                  .loss = report ? report->loss : mean_loss(&trainer->state.place),
                                  .seconds_left =
                                      ani_seconds_left(step, steps, ani_clock_seconds() - begun),
                                  .report = report};
    if (options->on_event(options->event_user, &event))
        return ani_fail(err, AN_ERR_CANCELLED, "the event callback asked to stop");
    return AN_OK;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static ani_snapshot snapshot(const an_trainer *trainer) {
    return (ani_snapshot){.options = &trainer->options,
                          .schedule = &trainer->schedule,
                          .optimizer = trainer->optimizer,
                          .model = trainer->model,
                          .train = trainer->train,
                          .val = trainer->val,
                          .history = trainer->history,
                          .state = &trainer->state,
                          .best = trainer->kept};
}

an_status ani_trainer_write(an_trainer *trainer, an_error *err) {
    const ani_snapshot now = snapshot(trainer);
    if (!trainer->options.resume_path || trainer->written) return AN_OK;
    an_status st = ani_checkpoint_write(&now, &trainer->place, &trainer->written, err);
    if (trainer->written) trainer->written_at = ani_clock_seconds();
    return st;
}

static an_status resume(an_trainer *trainer, const an_checkpoint *checkpoint, an_error *err) {
    const ani_snapshot now = snapshot(trainer);
    ani_resumed from;
    an_status st = ani_checkpoint_resume(&from, &now, checkpoint, err);
    if (st) return st;
    ani_history_swap(trainer->history, from.history);
    an_history_destroy(from.history);
    an_arrays_destroy(trainer->kept);
    trainer->kept = from.best;
    trainer->state = from.state;
    drop_features(trainer);
    trainer->place.slot = -1;
    trainer->written = false;
    return AN_OK;
}

an_status an_trainer_resume(an_trainer *trainer, const an_checkpoint *checkpoint, an_error *err) {
    if (!trainer || !checkpoint)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", trainer ? "checkpoint" : "trainer");
    an_status st = begin_call(trainer, err);
    if (st) return st;
    st = resume(trainer, checkpoint, err);
    end_call(trainer);
    return st;
}

/** Write a checkpoint in the middle of an epoch; if that fails, the epoch continues from here. */
static an_status write_in_place(an_trainer *trainer, an_error *err) {
    an_status st = ani_trainer_write(trainer, err);
    trainer->in_place = st != AN_OK;
    return st;
}

/** Return AN_ERR_CANCELLED if a pause was requested, after writing the checkpoint. */
static an_status look_for_pause(an_trainer *trainer, an_error *err) {
    const ani_train_state *state = &trainer->state;
    if (!atomic_exchange(&trainer->asked_to_pause, 0)) return AN_OK;
    an_status st = write_in_place(trainer, err);
    if (st) return st;
    trainer->in_place = true;
    return ani_fail(
        err, AN_ERR_CANCELLED, "the run was paused after step %lld of epoch %d of stage %d",
        (long long)state->place.step, (int)state->epoch + 1, (int)trainer->options.stage);
}

static an_status introduce(an_trainer *trainer, an_error *err) {
    an_model_info info = {.struct_size = sizeof info};
    if (trainer->introduced) return AN_OK;
    an_status st = an_model_describe(trainer->model, &info, err);
    if (!st) st = ani_console_stage(&trainer->console, &info, trainer->options.stage, err);
    trainer->introduced = true;
    return st;
}

/* --- features of a frozen base ---------------------------------------------------------------- */

typedef struct features_progress {
    an_trainer *trainer;
    int64_t before, all; /* batches: done for another source, and total of both */
    double begun;
} features_progress;

static an_status features_step(void *user, int64_t step, int64_t steps, an_error *err) {
    const features_progress *progress = user;
    an_trainer *trainer = progress->trainer;
    const int64_t done = progress->before + step;
    (void)steps;
    an_status st = ani_console_step(&trainer->console, done, NAN, ani_clock_seconds(), err);
    if (!st) st = tell(trainer, AN_EVENT_FEATURES, done, progress->all, progress->begun, NULL, err);
    if (!st) st = look_for_pause(trainer, err);
    return st;
}

static int64_t batches_in_order(const an_loader *loader) {
    const int64_t batch = an_loader_batch_size(loader);
    return (an_loader_samples(loader) + batch - 1) / batch;
}

/** Room for the rows of a step. */
static an_status make_step(an_trainer *trainer, an_error *err) {
    const int64_t batch = an_loader_batch_size(trainer->train);
    const ani_features *features = trainer->train_features;
    if (!trainer->places)
        trainer->places = ani_alloc_zero(an_loader_samples(trainer->train), sizeof(int64_t));
    if (!trainer->x) trainer->x = ani_alloc_zero(batch * features->width, sizeof(float));
    if (!trainer->y) trainer->y = ani_alloc_zero(batch * features->outputs, sizeof(float));
    if (!trainer->weights && features->weights)
        trainer->weights = ani_alloc_zero(batch, sizeof(float));
    if (!trainer->places || !trainer->x || !trainer->y || (features->weights && !trainer->weights))
        return ani_fail_memory(err, batch * features->width * (int64_t)sizeof(float),
                               "a batch of features");
    return AN_OK;
}

/** Warn if the features are too small for a head to learn from. With random weights the largest is
 * 1e-8 or less, as batch norm has not seen an image; with trained ones it is about 1. */
static an_status look_at_features(an_trainer *trainer, const ani_features *features,
                                  an_error *err) {
    const double smallest = 1e-4, largest = (double)ani_features_largest(features);
    const an_train_options *options = &trainer->options;
    an_error message;
    if (largest >= smallest || features->samples == 0) return AN_OK;
    ani_fail(&message, AN_OK,
             "the features of the frozen base are %.2g at most, as with random weights: with them "
             "the head can learn only a constant; use trained weights for the base, or train it, "
             "too",
             largest);
    return ani_warn(options->warn, options->warn_user, AN_WARN_WEAK_FEATURES, 1, message.message,
                    err);
}

/** Compute a frozen base's features of the samples once, since its weights do not change. */
static an_status make_features(an_trainer *trainer, an_error *err) {
    if (trainer->options.base != AN_BASE_FROZEN) return AN_OK;
    an_model *model = trainer->model;
    const bool train = !trainer->train_features && an_loader_is_plain(trainer->train) &&
                       ani_features_fit(model, trainer->train);
    const bool val =
        trainer->val && !trainer->val_features && ani_features_fit(model, trainer->val);
    an_status st = AN_OK;
    if (train || val) {
        features_progress progress = {.trainer = trainer, .begun = ani_clock_seconds()};
        const int64_t train_steps = train ? batches_in_order(trainer->train) : 0;
        progress.all = train_steps + (val ? batches_in_order(trainer->val) : 0);
        st = ani_console_begin(&trainer->console, trainer->options.stage, 0, 0, progress.all,
                               progress.begun, err);
        if (!st && train)
            st = ani_features_create(&trainer->train_features, model, trainer->train,
                                     &trainer->loss, features_step, &progress, err);
        progress.before = train_steps;
        if (!st && val)
            st = ani_features_create(&trainer->val_features, model, trainer->val, &trainer->loss,
                                     features_step, &progress, err);
        if (!st) st = ani_console_end_features(&trainer->console, ani_clock_seconds(), err);
        if (!st)
            st = look_at_features(trainer, train ? trainer->train_features : trainer->val_features,
                                  err);
    }
    if (!st && trainer->train_features) st = make_step(trainer, err);
    return st;
}

/* --- steps ------------------------------------------------------------------------------------ */

/** Fill x, y and weights with the rows of a batch; 0 if all its images were left out. */
static int64_t gather(an_trainer *trainer, int64_t batch) {
    const ani_features *f = trainer->train_features;
    const int64_t size = ani_loader_size(trainer->train, batch);
    const int64_t *places = trainer->places + batch * ani_loader_size(trainer->train, 0);
    int64_t n = 0;
    for (int64_t i = 0; i < size; i++) {
        const int64_t row = f->rows[places[i]];
        if (row < 0) continue;
        memcpy(trainer->x + n * f->width, f->values + row * f->width,
               (size_t)f->width * sizeof(float));
        memcpy(trainer->y + n * f->outputs, f->targets + row * f->outputs,
               (size_t)f->outputs * sizeof(float));
        if (f->weights) trainer->weights[n] = f->weights[row];
        n++;
    }
    return n;
}

/** The loss of a step is NaN or infinite: report that, and what was saved before. */
static an_status report_broken(an_trainer *trainer, double loss, an_error *err) {
    an_error text; /* as a buffer for the message */
    const an_train_options *options = &trainer->options;
    const ani_train_state *state = &trainer->state;
    const bool saved = options->checkpoint_path && isfinite(state->checkpoint.best);
    ani_fail(&text, AN_OK,
             "the loss is %s at step %lld of epoch %d of stage %d, with learning rate %g; training "
             "ends, and %s%s",
             isnan(loss) ? "nan" : "infinite", (long long)state->place.step + 1,
             (int)state->epoch + 1, (int)options->stage, state->place.rate,
             saved ? "the best model so far is in " : "no model was saved",
             saved ? options->checkpoint_path : "");
    an_status st =
        ani_console_not_finite(&trainer->console, state->place.step + 1, text.message, err);
    return st ? st : warn(trainer, text.message, err);
}

/** The learning rate of the current step. */
static double rate_of(const an_trainer *trainer, const epoch_run *run) {
    const int64_t all =
        (int64_t)trainer->state.epoch * updates_of(trainer, run->steps) + run->update;
    return an_schedule_rate(&trainer->schedule, trainer->state.rate, all);
}

/** Update the weights with the gradients of one or more batches. The turn is held. */
static an_status update(an_trainer *trainer, epoch_run *run, an_error *err) {
    run->pending = 0;
    return ani_optimizer_step(trainer->optimizer, rate_of(trainer, run),
                              trainer->options.terminate_on_nan, err);
}

/** A batch of a step. */
typedef struct step_batch {
    const float *x; /* images, or features of a frozen base */
    const float *y;
    const float *weights; /* NULL: 1 each */
    int64_t n;
    int64_t next; /* the number of the batch after it */
    bool is_features;
} step_batch;

/** Compute the gradients of a batch, and update the weights if it is the last one of a step, in one
 * turn: other threads see the model as it was before or after. The loss is sent; if it is not
 * finite, a guard leaves the model as it is. */
static an_status move(an_trainer *trainer, epoch_run *run, const step_batch *b, late_batch *moved,
                      an_error *err) {
    const an_train_options *options = &trainer->options;
    an_model *model = trainer->model;
    ani_net *net = ani_model_net(model);
    const bool guarded = options->terminate_on_nan;
    an_loss_options how = trainer->loss;
    how.weights = b->weights;
    how.accumulate = run->pending > 0;
    an_status st = ani_net_begin_change(net, err);
    if (st) return st;
    if (!run->pending) {
        run->update = (trainer->state.place.step + run->is_late) / options->accumulate;
        run->step_at = trainer->state.place;
        if (trainer->moving) ani_net_keep_moving(net, trainer->moving);
    }
    run->pending++;
    *moved = (late_batch){.n = b->n,
                          .next = b->next,
                          .rate = rate_of(trainer, run),
                          .is_update = run->pending == options->accumulate || b->next >= run->steps,
                          .updates = an_optimizer_steps(trainer->optimizer)};
    st = b->is_features
             ? ani_model_compute_head_gradients(model, b->x, b->y, b->n, &how, guarded, NULL, err)
             : ani_model_compute_gradients(model, b->x, b->y, b->n, &how, guarded, NULL, err);
    if (!st && moved->is_update) st = update(trainer, run, err);
    if (!st) ani_net_send_loss(net);
    ani_net_end_change(net);
    return st;
}

/** Update the weights with the remaining gradients at the end of an epoch whose last batches had no
 * images. */
static an_status finish_update(an_trainer *trainer, epoch_run *run, an_error *err) {
    if (!run->pending || run->broken) return AN_OK;
    an_status st = ani_net_begin_change(ani_model_net(trainer->model), err);
    if (st) return st;
    st = update(trainer, run, err);
    ani_net_end_change(ani_model_net(trainer->model));
    return st;
}

/** Make the moving statistics what they were before the step. If a copy shares them by now, this
 * needs memory. */
static an_status put_moving_back(an_trainer *trainer, an_error *err) {
    ani_net *net = ani_model_net(trainer->model);
    an_status st = ani_net_begin_change(net, err);
    if (st) return st;
    ani_net_restore_moving(net, trainer->moving);
    ani_net_end_change(net);
    return AN_OK;
}

/** Restore the moving statistics if that is still to be done, unless the model has been changed
 * since. */
static an_status restore_moving(an_trainer *trainer, an_error *err) {
    ani_net *net = ani_model_net(trainer->model);
    an_error why;
    if (!trainer->moving_owed) return AN_OK;
    if (ani_net_changes(net) == trainer->owed_after) {
        an_status st = put_moving_back(trainer, &why);
        if (st)
            return ani_fail(err, st,
                            "the moving statistics are in the middle of a step; the next call has "
                            "to restore them: %s",
                            why.message);
    }
    trainer->moving_owed = false;
    return AN_OK;
}

/** Go back to where a step of several batches began that st left unfinished: the weights have not
 * changed, but the moving statistics and the place have. Returns st, or why the statistics could
 * not be restored. */
static an_status abandon_step(an_trainer *trainer, epoch_run *run, an_status st, an_error *err) {
    if (!run->pending || trainer->options.accumulate == 1) return st;
    trainer->state.place = run->step_at;
    trainer->moving_owed = trainer->moving != NULL;
    trainer->owed_after = ani_net_changes(ani_model_net(trainer->model));
    const an_status restored = restore_moving(trainer, err);
    return restored ? restored : st;
}

/** Undo a batch whose loss is not finite, and what was queued after it: the guard has left the
 * model as it was before, and the number of the optimizer's steps has to follow, and what batches
 * of the same step have done to the moving statistics. */
static an_status undo_broken(an_trainer *trainer, epoch_run *run, const late_batch *b,
                             an_error *err) {
    ani_net *net = ani_model_net(trainer->model);
    double unused;
    if (run->is_late) ani_net_take_loss(net, &unused, NULL);
    run->is_late = false;
    ani_net_clear_guard(net);
    ani_optimizer_set_steps(trainer->optimizer, b->updates);
    return trainer->moving ? put_moving_back(trainer, err) : AN_OK;
}

/** Wait for the loss of a batch, and account for it. */
static an_status account(an_trainer *trainer, epoch_run *run, const late_batch *b, double *loss,
                         an_error *err) {
    ani_epoch_place *place = &trainer->state.place;
    an_status st = ani_net_take_loss(ani_model_net(trainer->model), loss, err);
    if (st) return st;
    run->broken = !isfinite(*loss) && trainer->options.terminate_on_nan;
    if (b->is_update || run->broken) place->rate = b->rate;
    if (run->broken) return undo_broken(trainer, run, b, err);
    trainer->written = false;
    place->loss_sum += *loss * (double)b->n;
    place->samples += b->n;
    place->step++;
    place->batch = b->next;
    place->seconds = ani_clock_seconds() - run->begun;
    return AN_OK;
}

/** Whether it is time for a checkpoint. */
static bool is_due(const an_trainer *trainer) {
    const an_train_options *options = &trainer->options;
    return options->resume_path &&
           ani_clock_seconds() - trainer->written_at >= options->resume_seconds;
}

/** Account for a batch, and tell. */
static an_status finish_batch(an_trainer *trainer, epoch_run *run, const late_batch *b,
                              an_error *err) {
    ani_epoch_place *place = &trainer->state.place;
    double loss;
    an_status st = account(trainer, run, b, &loss, err);
    if (st) return st;
    if (run->broken) {
        run->report.loss = loss;
        return report_broken(trainer, loss, err);
    }
    st = ani_console_step(&trainer->console, place->step, mean_loss(place), ani_clock_seconds(),
                          err);
    if (!st) st = tell(trainer, AN_EVENT_STEP, place->step, run->steps, run->begun, NULL, err);
    /* checkpoints contain whole steps, and the model may be ahead of the place */
    if (st || run->pending || run->is_late) return st;
    if (is_due(trainer)) st = write_in_place(trainer, err);
    return st ? st : look_for_pause(trainer, err);
}

/** Account for the batch whose loss is late, if there is one. */
static an_status finish_late(an_trainer *trainer, epoch_run *run, an_error *err) {
    const late_batch late = run->late;
    if (!run->is_late) return AN_OK;
    run->is_late = false;
    return finish_batch(trainer, run, &late, err);
}

/** The same after a failure: the model has moved, and the place has to follow. */
static void account_late(an_trainer *trainer, epoch_run *run) {
    const bool broken = run->broken;
    double loss;
    if (!run->is_late) return;
    run->is_late = false;
    account(trainer, run, &run->late, &loss, NULL);
    run->broken = broken;
}

/** Train on a batch. A device computes it while the loss of the batch before is read, unless
 * something depends on that of this one. */
static an_status train_batch(an_trainer *trainer, epoch_run *run, const step_batch *b,
                             an_error *err) {
    const late_batch before = run->late;
    late_batch moved;
    an_status st = move(trainer, run, b, &moved, err);
    if (st) return st;
    const bool was_late = run->is_late;
    run->late = moved;
    run->is_late = true;
    if (was_late) st = finish_batch(trainer, run, &before, err);
    if (st || run->broken) return st;
    const an_train_options *options = &trainer->options;
    if (options->on_event || options->loss_fn || options->accumulate > 1 || is_due(trainer) ||
        atomic_load(&trainer->asked_to_pause))
        return finish_late(trainer, run, err);
    return AN_OK;
}

/** Claim the training batches, and wait for them only until the call is cancelled. */
static an_status claim_batches(an_trainer *trainer, an_error *err) {
    an_status st = ani_loader_claim(trainer->train, err);
    if (!st) ani_loader_use_watch(trainer->train, watch_of(trainer));
    return st;
}

static an_status run_batches(an_trainer *trainer, epoch_run *run, an_error *err) {
    const int64_t number = (int64_t)trainer->options.first_epoch + trainer->state.epoch;
    const int64_t first = trainer->state.place.batch;
    an_status st = AN_OK;
    if (trainer->train_features) {
        ani_loader_order(trainer->train, number, trainer->places);
        for (int64_t batch = first; !st && !run->broken && batch < run->steps; batch++) {
            const step_batch b = {trainer->x, trainer->y, trainer->weights, gather(trainer, batch),
                                  batch + 1,  true};
            if (b.n) st = train_batch(trainer, run, &b, err);
        }
        return st;
    }
    st = claim_batches(trainer, err);
    if (st) return st;
    st = ani_loader_begin(trainer->train, number, first, err);
    while (!st && !run->broken) {
        const int64_t *samples;
        step_batch b = {0};
        st = ani_loader_next(trainer->train, &b.x, &b.y, &samples, &b.n, err);
        if (!st) st = ani_check_labels(trainer->train, &trainer->loss, b.y, samples, b.n, err);
        if (st) break;
        b.weights = an_loader_batch_weights(trainer->train);
        b.next = ani_loader_place(trainer->train);
        st = train_batch(trainer, run, &b, err);
    }
    ani_loader_release(trainer->train);
    return st == AN_DONE ? AN_OK : st;
}

/** All steps of an epoch; when it returns, the model and the place agree. */
static an_status run_steps(an_trainer *trainer, epoch_run *run, an_error *err) {
    an_status st = run_batches(trainer, run, err);
    if (!st) st = finish_late(trainer, run, err);
    if (!st) st = finish_update(trainer, run, err);
    if (st) account_late(trainer, run);
    return st;
}

/** Set the moving statistics to those of this epoch's batches under the current weights. */
static an_status update_batch_norm(an_trainer *trainer, an_error *err) {
    const an_train_options *options = &trainer->options;
    if (!options->update_batch_norm || !moves_statistics(options)) return AN_OK;
    an_status st = claim_batches(trainer, err);
    if (st) return st;
    st = ani_model_update_batch_norm_begin(trainer->model, err);
    if (!st)
        st = ani_loader_begin(trainer->train, (int64_t)options->first_epoch + trainer->state.epoch,
                              0, err);
    while (!st) {
        const float *x;
        int64_t n;
        st = ani_loader_next(trainer->train, &x, NULL, NULL, &n, err);
        if (!st) st = ani_model_update_batch_norm_add(trainer->model, x, n, err);
        if (!st) st = look_for_pause(trainer, err);
    }
    ani_loader_release(trainer->train);
    return st == AN_DONE ? ani_model_update_batch_norm_end(trainer->model, err) : st;
}

/** A validation in progress. */
typedef struct validation {
    an_trainer *trainer;
    double begun; /* clock, seconds */
} validation;

static an_status validation_step(void *user, int64_t step, int64_t steps, an_error *err) {
    const validation *v = user;
    an_status st = tell(v->trainer, AN_EVENT_VALIDATION, step, steps, v->begun, NULL, err);
    return st ? st : look_for_pause(v->trainer, err);
}

static an_status validate(an_trainer *trainer, epoch_run *run, an_error *err) {
    run->report.val_loss = NAN;
    if (!trainer->val) return AN_OK;
    validation v = {trainer, ani_clock_seconds()};
    if (trainer->val_features)
        return ani_features_loss(trainer->val_features, trainer->model, &trainer->loss,
                                 an_loader_batch_size(trainer->val), validation_step, &v,
                                 &run->report.val_loss, err);
    return ani_evaluate(trainer->model, trainer->val, &trainer->loss, watch_of(trainer),
                        validation_step, &v, &run->report.val_loss, err);
}

/* --- the end of an epoch ---------------------------------------------------------------------- */

/** Keep the weights in memory. The old ones are freed once the new ones exist. */
static an_status keep_weights(an_trainer *trainer, an_error *err) {
    an_arrays *weights = NULL;
    an_status st = an_model_copy_weights(&weights, trainer->model, err);
    if (st) return st;
    an_arrays_destroy(trainer->kept);
    trainer->kept = weights;
    return AN_OK;
}

/** Save the model if it is good enough. A failure leaves the previous file and the value to
 * beat. */
static an_status save_model(an_trainer *trainer, epoch_run *run, double value, an_error *err) {
    const an_train_options *options = &trainer->options;
    an_best_checkpoint *checkpoint = &trainer->state.checkpoint;
    const an_best_checkpoint before = *checkpoint;
    if (!options->checkpoint_path) return AN_OK;
    int32_t wanted = an_best_checkpoint_update(checkpoint, value);
    if (wanted && !(isfinite(value) && isfinite(run->report.loss))) wanted = 0;
    an_status st = ani_console_checkpoint(
        &trainer->console, run->report.epoch, trainer->val ? "val_loss" : "loss", before.best,
        value, options->save_best_only, wanted, options->checkpoint_path, err);
    if (!st && wanted) st = an_model_save(trainer->model, options->checkpoint_path, err);
    if (st) {
        *checkpoint = before;
        return st;
    }
    if (wanted && value < checkpoint->best) checkpoint->best = value; /* every epoch is saved */
    run->report.saved = wanted;
    return AN_OK;
}

/** Let the callbacks decide. Sets reason if this was the last epoch; *exact: a new rate, or 0. */
static an_status decide(an_trainer *trainer, epoch_run *run, double value, double *exact,
                        an_error *err) {
    const an_train_options *options = &trainer->options;
    ani_train_state *state = &trainer->state;
    an_epoch_report *report = &run->report;
    an_status st = AN_OK;
    *exact = 0;
    if (run->broken) {
        report->reason = AN_STOP_NAN;
    } else {
        if (value < state->best) {
            state->best = value;
            report->improved = 1;
        }
        const int32_t early = an_early_stopping_update(&state->early, report->epoch - 1, value);
        if (options->restore_best && (early & AN_EARLY_KEEP)) st = keep_weights(trainer, err);
        if (options->reduce_rate_patience >= 0)
            state->rate = ani_reduce_rate_update(&state->reduce, value, state->rate, exact);
        report->reason = early & AN_EARLY_STOP                  ? AN_STOP_EARLY
                         : report->epoch == options->max_epochs ? AN_STOP_EPOCHS
                         : atomic_load(&trainer->asked_to_stop) ? AN_STOP_ASKED
                                                                : AN_STOP_NONE;
    }
    report->stopped = report->reason != AN_STOP_NONE;
    state->reason = report->reason;
    return st;
}

/** The first failure among several actions that are all to be tried. */
typedef struct failures {
    an_status first;
    an_error error;
} failures;

static void collect(failures *failed, an_status st, const an_error *error) {
    if (!st || failed->first) return;
    failed->first = st;
    failed->error = *error;
}

/** After the last epoch: the best weights, if they are to be restored. */
static void restore_best(an_trainer *trainer, failures *failed) {
    an_error error;
    if (!trainer->kept) return;
    collect(failed, ani_model_set_weights(trainer->model, trainer->kept, &error), &error);
    collect(failed,
            ani_console_restored(&trainer->console, trainer->state.early.best_epoch + 1, &error),
            &error);
}

/** The callback at the end of an epoch has asked to stop: that epoch was the last one. */
static void end_stage(an_trainer *trainer, an_epoch_report *report, failures *failed) {
    an_error error;
    report->stopped = 1;
    report->reason = trainer->state.reason = AN_STOP_ASKED;
    ani_history_set_reason(trainer->history, AN_STOP_ASKED);
    trainer->written = false;
    collect(failed, ani_trainer_write(trainer, &error), &error);
    restore_best(trainer, failed);
}

/** Record a finished epoch everywhere. If something fails, the rest is still done; the first
 * failure is returned. */
static an_status finish_epoch(an_trainer *trainer, epoch_run *run, an_error *err) {
    const an_train_options *options = &trainer->options;
    an_epoch_report *report = &run->report;
    failures failed = {0};
    an_error error;
    double exact;
    const int64_t steps = report->steps = trainer->state.place.step;
    if (!run->broken) report->loss = mean_loss(&trainer->state.place);
    report->rate = trainer->state.place.rate;
    const double value = trainer->val ? report->val_loss : report->loss;
    trainer->state.epoch++;
    trainer->written = false;
    collect(&failed, decide(trainer, run, value, &exact, &error), &error);
    ani_epoch_place_begin(&trainer->state);
    if (!run->broken) collect(&failed, save_model(trainer, run, value, &error), &error);
    const double now = ani_clock_seconds();
    report->seconds = now - run->begun;
    collect(&failed, an_history_append(trainer->history, report, &error), &error);
    if (options->csv_path)
        collect(&failed, an_history_write_csv(trainer->history, options->csv_path, &error), &error);
    if (trainer->events)
        collect(&failed,
                ani_events_epoch(trainer->events, (int64_t)options->first_epoch + report->epoch - 1,
                                 report, &error),
                &error);
    if (exact > 0)
        collect(&failed, ani_console_reduced(&trainer->console, report->epoch, exact, &error),
                &error);
    collect(
        &failed,
        ani_console_end(&trainer->console, report, options->reduce_rate_patience >= 0, now, &error),
        &error);
    if (report->reason == AN_STOP_EARLY)
        collect(&failed, ani_console_stopped(&trainer->console, report->epoch, &error), &error);
    /* A run that is killed before this point repeats the end of the epoch, with the same outcome.
     * The checkpoint has the last weights, from which a longer run continues. */
    if (!run->broken) collect(&failed, ani_trainer_write(trainer, &error), &error);
    if (report->stopped) restore_best(trainer, &failed);
    collect(&failed,
            tell(trainer, AN_EVENT_EPOCH_END, steps, run->steps, run->begun, report, &error),
            &error);
    if (!report->stopped && atomic_load(&trainer->asked_to_stop))
        end_stage(trainer, report, &failed);
    if (failed.first) return ani_fail(err, failed.first, "%s", failed.error.message);
    return AN_OK;
}

/** An epoch up to and including its validation. */
static an_status run_epoch(an_trainer *trainer, epoch_run *run, an_error *err) {
    const an_train_options *options = &trainer->options;
    ani_model_use_base(trainer->model, options->base);
    ani_model_use_training(trainer->model, options->precision, options->recompute);
    an_status st = ani_history_reserve(trainer->history, err);
    if (!st) st = write_in_place(trainer, err);
    if (!st) st = look_for_pause(trainer, err);
    if (!st) st = ani_watch_check(watch_of(trainer), err);
    if (!st) st = introduce(trainer, err);
    if (!st) st = make_features(trainer, err);
    const double begun = ani_clock_seconds() - trainer->state.place.seconds;
    if (!st)
        st = ani_console_begin(&trainer->console, options->stage, run->report.epoch,
                               options->max_epochs, run->steps, begun, err);
    if (!st)
        st = tell(trainer, AN_EVENT_EPOCH_BEGIN, trainer->state.place.step, run->steps, begun, NULL,
                  err);
    if (!st) st = run_steps(trainer, run, err);
    if (!st && !run->broken) st = update_batch_norm(trainer, err);
    if (!st && !run->broken) st = validate(trainer, run, err);
    return st;
}

/** Run an epoch of a trainer that has claimed its model. */
static an_status epoch(an_trainer *trainer, an_epoch_report *report, an_error *err) {
    ani_train_state *state = &trainer->state;
    if (state->reason) return AN_DONE;
    an_status st = restore_moving(trainer, err);
    if (st) return st;
    epoch_run run = {.begun = ani_clock_seconds() - state->place.seconds,
                     .steps = an_loader_steps(trainer->train)};
    run.report = (an_epoch_report){.struct_size = sizeof run.report,
                                   .stage = trainer->options.stage,
                                   .epoch = state->epoch + 1,
                                   .loss = NAN,
                                   .val_loss = NAN};
    trainer->in_place = false;
    st = run_epoch(trainer, &run, err);
    if (st) st = abandon_step(trainer, &run, st, err);
    if (!st) {
        st = finish_epoch(trainer, &run, err);
        ani_report_copy(report, &run.report, sizeof run.report);
    } else if (!trainer->in_place && !ani_watch_stops(watch_of(trainer))) {
        ani_epoch_place_begin(state);
        trainer->written = false;
    }
    return st;
}

an_status an_trainer_run_epoch(an_trainer *trainer, an_epoch_report *report, an_error *err) {
    an_status st = ani_report_check(report, "an_epoch_report", err);
    if (!st) st = begin_call(trainer, err);
    if (st) return st;
    st = epoch(trainer, report, err);
    end_call(trainer);
    return st;
}

an_status an_trainer_run(an_trainer *trainer, an_error *err) {
    an_status st = begin_call(trainer, err);
    if (st) return st;
    while (!st)
        st = epoch(trainer, NULL, err);
    end_call(trainer);
    return st == AN_DONE ? AN_OK : st;
}
