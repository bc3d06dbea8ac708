/* SPDX-License-Identifier: MIT
 * One stage of training: epochs of steps, validation, and what the callbacks decide about it. */
#include "train/trainer.h"

#include <math.h>

#include "augment/loader.h"
#include "base/callbacks.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "optim/optim.h"
#include "train/decisions.h"
#include "train/fit_head.h"
#include "train/history.h"
#include "train/options.h"
#include "train/trainer_state.h"

/* --- life ------------------------------------------------------------------------------------- */

an_status ani_trainer_warn(an_trainer *trainer, const char *message, an_error *err) {
    const an_train_options *options = &trainer->options;
    return ani_warn(options->warn, options->warn_user, AN_WARN_OTHER, 1, message, err);
}

int64_t ani_trainer_updates(const an_trainer *trainer, int64_t batches) {
    const int64_t each = trainer->options.accumulate;
    return batches / each + (batches % each != 0);
}

/** The number of steps of a schedule that spans the stage. */
static void fit_schedule(an_trainer *trainer) {
    an_schedule_options *schedule = &trainer->schedule;
    int64_t all;
    if (schedule->kind != AN_SCHEDULE_COSINE || schedule->decay_steps) return;
    if (!ani_mul_size(trainer->options.max_epochs,
                      ani_trainer_updates(trainer, an_loader_steps(trainer->train)), &all))
        all = INT64_MAX;
    schedule->decay_steps = all > schedule->warmup_steps ? all - schedule->warmup_steps : 1;
}

int32_t ani_trainer_base(const an_trainer *trainer) {
    const an_train_options *options = &trainer->options;
    const bool switched =
        options->finetune_from && trainer->state.epoch + 1 >= options->finetune_from;
    return switched ? AN_BASE_FINETUNE : options->base;
}

/** Return whether a batch of the current epoch changes the moving statistics. */
static bool moves_statistics(const an_trainer *trainer) {
    const int32_t base = ani_trainer_base(trainer);
    return base == AN_BASE_STATISTICS || base == AN_BASE_TRAIN;
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
    return ani_trainer_warn(trainer, text.message, err);
}

/** AN_ERR_ARG for what several ranks cannot do. */
static an_status check_ranks(const an_train_options *o, const an_loader *train,
                             const an_loader *val, an_error *err) {
    const int32_t size = o->comm ? o->comm->size : o->replicas;
    if (o->comm && o->replicas > 1)
        return ani_fail(err, AN_ERR_ARG,
                        "an_train_options: replicas is %d, and there is a comm; each process of a "
                        "comm has one replica",
                        (int)o->replicas);
    if (o->replica_backends && o->replicas <= 1)
        return ani_fail(err, AN_ERR_ARG,
                        "an_train_options: replica_backends is set, and replicas is %d; it must be "
                        "2 or more",
                        (int)o->replicas);
    if (size > 1 && o->loss_fn)
        return ani_fail(err, AN_ERR_ARG,
                        "an_train_options: loss_fn is set, and there are %d replicas; a loss "
                        "function needs the whole batch in one place",
                        (int)size);
    if (o->replicas > 1 && (ani_loader_source(train) || (val && ani_loader_source(val))))
        return ani_fail(err, AN_ERR_ARG,
                        "an_train_options: replicas is %d, and the samples come from a callback, "
                        "which is only called on the caller's thread; use a data set, or one "
                        "process for each replica (comm)",
                        (int)o->replicas);
    return AN_OK;
}

/** Make the view of the other ranks, and the replicas of this process. theirs: the caller's
 * optimizer and backends. */
static an_status make_ranks(an_trainer *trainer, const an_train_options *theirs, an_error *err) {
    const an_train_options *o = &trainer->options;
    const int32_t size = o->comm ? o->comm->size : o->replicas;
    if (size <= 1) return AN_OK;
    an_status st = ani_ranks_create(&trainer->ranks, trainer->model, o->comm,
                                    o->comm ? o->comm->rank : 0, size, o->sync_batch_norm, err);
    return st || o->comm ? st : ani_replicas_create(&trainer->replicas, trainer, theirs, err);
}

static an_status make_parts(an_trainer *trainer, an_error *err) {
    const an_train_options *options = &trainer->options;
    const an_train_options theirs = *options;
    an_status st = take_files(trainer, err);
    if (!st) st = an_optimizer_create(&trainer->optimizer, trainer->model, options->optimizer, err);
    trainer->options.optimizer = NULL;
    if (st) return st;
    if (options->tensorboard_dir) {
        st = ani_events_create(&trainer->events, options->tensorboard_dir, trainer->val != NULL,
                               options->stage, err);
        if (st) return st;
    }
    if (options->average > 0) {
        st = ani_average_create(&trainer->average, trainer->model, options->base, options->average,
                                err);
        if (st) return st;
    }
    if (options->accumulate > 1 && moves_statistics(trainer)) {
        st = ani_net_moving_create(&trainer->moving, ani_model_net(trainer->model), err);
        if (st) return st;
    }
    if (!trainer->history) st = an_history_create(&trainer->history, err);
    trainer->options.replica_backends = NULL;
    return st ? st : make_ranks(trainer, &theirs, err);
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

/** Take the options of a head in closed form, which stand for a stage of one epoch without steps.
 */
static an_status take_head(an_head_options *head, an_train_options *ours,
                           const an_loss_options *loss, int32_t task, bool has_val, an_error *err) {
    if (!ours->head) return AN_OK;
    if (ours->base != AN_BASE_FROZEN || loss->kind == AN_LOSS_MAE || loss->kind == AN_LOSS_HUBER ||
        loss->fn || ours->average > 0)
        return ani_fail(
            err, AN_ERR_ARG,
            "an_train_options: head is set, and %s; a head in closed form minimises the "
            "squared error or the cross-entropy on a frozen base",
            ours->base != AN_BASE_FROZEN ? "base is not AN_BASE_FROZEN"
            : loss->fn                   ? "loss_fn is, too"
            : ours->average > 0          ? "average is, too"
            : loss->kind == AN_LOSS_MAE  ? "loss is AN_LOSS_MAE"
                                         : "loss is AN_LOSS_HUBER");
    ours->max_epochs = 1;
    ours->learning_rate = 0;
    return ani_head_take(head, ours->head, task, has_val, err);
}

an_status an_trainer_create(an_trainer **out, an_model *model, an_loader *train, an_loader *val,
                            an_history *history, const an_train_options *options, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_train_options ours;
    an_schedule_options schedule;
    an_loss_options loss;
    an_head_options head = {0};
    an_trainer *trainer = NULL;
    if (!model || !train) return ani_fail(err, AN_ERR_ARG, "%s is NULL", model ? "train" : "model");
    an_status st = ani_train_options_take(&ours, &schedule, options, err);
    if (st) return st;
    const an_loss_options named = {
        .struct_size = sizeof named, .kind = ours.loss, .fn = ours.loss_fn, .user = ours.loss_user};
    st = ani_loss_take(&loss, &named, ani_model_facts_of(model)->task,
                       ani_net_spec_of(ani_model_net(model))->outputs, err);
    ours.loss = loss.kind; /* unchanged, for settings */
    if (!st) st = take_head(&head, &ours, &loss, ani_model_facts_of(model)->task, val != NULL, err);
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
    if (!st) st = check_ranks(&ours, train, val, err);
    if (!st) trainer = ani_alloc_zero(1, sizeof *trainer);
    if (!trainer) {
        ani_train_options_clear(&ours);
        return st ? st : ani_fail_memory(err, sizeof *trainer, "a trainer");
    }
    if (ours.comm && ours.comm->rank > 0) {
        ani_train_options_clear(&ours);
        ani_train_options_silence(&ours);
    }
    atomic_init(&trainer->references, 1);
    trainer->options = ours;
    trainer->loss = loss;
    trainer->schedule = schedule;
    trainer->head = head;
    if (ours.head) trainer->options.head = &trainer->head;
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

void an_trainer_destroy(an_trainer *trainer) {
    if (!trainer || atomic_fetch_sub(&trainer->references, 1) > 1) return;
    ani_replicas_destroy(trainer->replicas);
    ani_ranks_destroy(trainer->ranks);
    ani_trainer_drop_features(trainer);
    ani_free(trainer->places);
    ani_free(trainer->x);
    ani_free(trainer->y);
    ani_free(trainer->weights);
    ani_net_moving_destroy(ani_model_net(trainer->model), trainer->moving);
    ani_average_destroy(trainer->average);
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

ani_watch *ani_trainer_watch(an_trainer *trainer) {
    return trainer->ranks ? &trainer->watch : ani_net_watch(ani_model_net(trainer->model));
}

static void end_call(an_trainer *trainer) {
    ani_model_release(trainer->model);
    an_trainer_destroy(trainer);
}

/** End a call that trains, on all ranks. st: AN_OK, AN_DONE or why it failed. */
static void end_run(an_trainer *trainer, an_status st, const an_error *err) {
    if (st < 0) ani_ranks_abort(trainer->ranks, err);
    ani_ranks_end(trainer->ranks);
    ani_replicas_end(trainer->replicas);
    if (trainer->ranks) ani_watch_end(&trainer->watch);
    end_call(trainer);
}

/** Begin one. whole: it lasts until the end of the run. */
static an_status begin_run(an_trainer *trainer, bool whole, an_error *err) {
    an_status st = begin_call(trainer, err);
    if (st || !trainer->ranks) return st;
    ani_net_move_watch(ani_model_net(trainer->model), &trainer->watch);
    st = ani_replicas_begin(trainer->replicas, whole, err);
    if (st) {
        ani_watch_end(&trainer->watch);
        end_call(trainer);
        return st;
    }
    st = ani_ranks_begin(trainer->ranks, err);
    if (!st) st = ani_trainer_join(trainer, err);
    if (st) end_run(trainer, st, err);
    return st;
}

/* --- telling the caller ----------------------------------------------------------------------- */

double ani_trainer_mean_loss(const ani_epoch_place *place) {
    return place->samples ? place->loss_sum / (double)place->samples : NAN;
}

an_status ani_trainer_tell(an_trainer *trainer, int32_t kind, int64_t step, int64_t steps,
                           double begun, const an_epoch_report *report, an_error *err) {
    const an_train_options *options = &trainer->options;
    if (!options->on_event) return AN_OK;
    const an_train_event event = {
        .struct_size = sizeof event,
        .kind = kind,
        .stage = options->stage,
        .epoch = trainer->state.epoch + (report ? 0 : 1),
        .step = step,
        .steps = steps,
        .loss = report ? report->loss : ani_trainer_mean_loss(&trainer->state.place),
        .seconds_left = ani_seconds_left(step, steps, ani_clock_seconds() - begun),
        .report = report};
    if (options->on_event(options->event_user, &event))
        return ani_fail(err, AN_ERR_CANCELLED, "the event callback asked to stop");
    return AN_OK;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

ani_snapshot ani_trainer_snapshot(const an_trainer *trainer) {
    return (ani_snapshot){.options = &trainer->options,
                          .schedule = &trainer->schedule,
                          .optimizer = trainer->optimizer,
                          .model = trainer->model,
                          .train = trainer->train,
                          .val = trainer->val,
                          .history = trainer->history,
                          .state = &trainer->state,
                          .average = trainer->average,
                          .best = trainer->kept};
}

an_status ani_trainer_write(an_trainer *trainer, an_error *err) {
    const ani_snapshot now = ani_trainer_snapshot(trainer);
    const bool shown = ani_average_is_shown(trainer->average);
    if (!trainer->options.resume_path || trainer->written) return AN_OK;
    an_status st = ani_average_show(trainer->average, false, err);
    if (!st) st = ani_checkpoint_write(&now, &trainer->place, &trainer->written, err);
    if (trainer->written) trainer->written_at = ani_clock_seconds();
    if (!st && shown) st = ani_average_show(trainer->average, true, err);
    return st;
}

static an_status resume(an_trainer *trainer, const an_checkpoint *checkpoint, an_error *err) {
    const ani_snapshot now = ani_trainer_snapshot(trainer);
    ani_resumed from;
    an_status st = ani_checkpoint_resume(&from, &now, checkpoint, err);
    if (st) return st;
    ani_history_swap(trainer->history, from.history);
    an_history_destroy(from.history);
    an_arrays_destroy(trainer->kept);
    trainer->kept = from.best;
    trainer->state = from.state;
    if (trainer->state.reason && !trainer->kept) st = ani_average_show(trainer->average, true, err);
    ani_trainer_drop_features(trainer);
    trainer->place.slot = -1;
    trainer->written = false;
    return st;
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

an_status ani_trainer_write_in_place(an_trainer *trainer, an_error *err) {
    an_status st = ani_trainer_write(trainer, err);
    trainer->in_place = st != AN_OK;
    return st;
}

an_status ani_trainer_look_for_pause(an_trainer *trainer, an_error *err) {
    const ani_train_state *state = &trainer->state;
    if (!ani_ranks_leads(trainer->ranks)) return AN_OK; /* the leader is told when they meet */
    if (!atomic_exchange(&trainer->asked_to_pause, 0)) return AN_OK;
    an_status st = ani_trainer_write_in_place(trainer, err);
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

/** Join what the ranks have added to an update of batch norm. */
static an_status join_batch_norm(an_trainer *trainer, an_error *err) {
    int64_t count, *images;
    double *sums = ani_model_update_batch_norm_sums(trainer->model, &count, &images);
    double all = (double)*images;
    an_status st = ani_ranks_sum_host(trainer->ranks, sums, count, err);
    if (!st) st = ani_ranks_sum_host(trainer->ranks, &all, 1, err);
    if (!st) *images = (int64_t)all;
    return st;
}

/** Set the moving statistics to those of this epoch's batches under the weights that the model
 * holds. */
static an_status update_batch_norm(an_trainer *trainer, an_error *err) {
    ani_ranks *ranks = trainer->ranks;
    const ani_net_peers *peers =
        ranks && ranks->synchronise ? ani_ranks_peers(trainer->ranks) : NULL;
    an_status st = ani_model_update_batch_norm_begin(trainer->model, err);
    if (!st) st = ani_trainer_begin_batches(trainer, 0, err);
    const bool has_batches = !st;
    while (true) {
        const float *x = NULL;
        int64_t n = 0;
        if (!st) st = ani_loader_next(trainer->train, &x, NULL, NULL, &n, err);
        st = ani_trainer_meet(trainer, st, n, 0, err);
        if (st) break;
        if (n || (peers && peers->images))
            st = ani_model_update_batch_norm_add(trainer->model, x, n, peers, err);
        if (st && peers) ani_ranks_abort(ranks, err);
        if (!st) st = ani_trainer_look_for_pause(trainer, err);
    }
    if (has_batches) ani_loader_release(trainer->train);
    if (st == AN_DONE) st = join_batch_norm(trainer, err);
    if (!st) st = ani_model_update_batch_norm_end(trainer->model, err);
    return ani_trainer_meet(trainer, st, 0, 0, err);
}

/** A validation in progress. */
typedef struct validation {
    an_trainer *trainer;
    double begun; /* clock, seconds */
} validation;

static an_status validation_step(void *user, int64_t step, int64_t steps, an_error *err) {
    const validation *v = user;
    an_status st =
        ani_trainer_tell(v->trainer, AN_EVENT_VALIDATION, step, steps, v->begun, NULL, err);
    return st ? st : ani_trainer_look_for_pause(v->trainer, err);
}

static an_status validate(an_trainer *trainer, ani_epoch_run *run, an_error *err) {
    run->report.val_loss = NAN;
    if (!trainer->val) return AN_OK;
    validation v = {trainer, ani_clock_seconds()};
    an_status st = AN_OK;
    if (!trainer->has_val_features)
        return ani_evaluate(trainer->model, trainer->val, &trainer->loss,
                            ani_trainer_watch(trainer), trainer->ranks, validation_step, &v,
                            &run->report.val_loss, err);
    if (trainer->val_features)
        st = ani_features_loss(trainer->val_features, trainer->model, &trainer->loss,
                               an_loader_batch_size(trainer->val), ani_trainer_watch(trainer),
                               validation_step, &v, &run->report.val_loss, err);
    return ani_trainer_meet(trainer, st, 0, 0, err);
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
static an_status save_model(an_trainer *trainer, ani_epoch_run *run, double value, an_error *err) {
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
static an_status decide(an_trainer *trainer, ani_epoch_run *run, double value, double *exact,
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
static an_status finish_epoch(an_trainer *trainer, ani_epoch_run *run, an_error *err) {
    const an_train_options *options = &trainer->options;
    an_epoch_report *report = &run->report;
    failures failed = {0};
    an_error error;
    double exact;
    const int64_t steps = report->steps = trainer->state.place.step;
    if (!run->broken) report->loss = ani_trainer_mean_loss(&trainer->state.place);
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
            ani_trainer_tell(trainer, AN_EVENT_EPOCH_END, steps, run->steps, run->begun, report,
                             &error),
            &error);
    if (!report->stopped && atomic_load(&trainer->asked_to_stop))
        end_stage(trainer, report, &failed);
    if (!report->stopped)
        collect(&failed, ani_average_show(trainer->average, false, &error), &error);
    if (failed.first) return ani_fail(err, failed.first, "%s", failed.error.message);
    return AN_OK;
}

/** Let the model hold the average of the weights, on all ranks. */
static an_status show_average(an_trainer *trainer, an_error *err) {
    an_status st = ani_average_show(trainer->average, true, err);
    return trainer->average ? ani_trainer_meet(trainer, st, 0, 0, err) : st;
}

/** An epoch up to and including its validation. */
static an_status run_epoch(an_trainer *trainer, ani_epoch_run *run, an_error *err) {
    const an_train_options *options = &trainer->options;
    const bool moves = moves_statistics(trainer);
    ani_model_use_base(trainer->model, ani_trainer_base(trainer));
    ani_model_use_training(trainer->model, options->precision, options->recompute);
    an_status st = ani_history_reserve(trainer->history, err);
    if (!st) st = ani_trainer_write_in_place(trainer, err);
    if (!st) st = ani_trainer_look_for_pause(trainer, err);
    if (!st) st = ani_watch_check(ani_trainer_watch(trainer), err);
    if (!st) st = introduce(trainer, err);
    st = ani_trainer_meet(trainer, st, 0, 0, err);
    if (!st) st = ani_trainer_make_features(trainer, err);
    const double begun = ani_clock_seconds() - trainer->state.place.seconds;
    if (!st)
        st = ani_console_begin(&trainer->console, options->stage, run->report.epoch,
                               options->max_epochs, run->steps, begun, err);
    if (!st)
        st = ani_trainer_tell(trainer, AN_EVENT_EPOCH_BEGIN, trainer->state.place.step, run->steps,
                              begun, NULL, err);
    st = ani_trainer_meet(trainer, st, 0, 0, err);
    if (!st)
        st = options->head ? ani_trainer_fit_head(trainer, run, err)
                           : ani_trainer_run_steps(trainer, run, err);
    if (st || run->broken) return st;
    if (options->update_batch_norm && moves) st = update_batch_norm(trainer, err);
    if (!st) st = show_average(trainer, err);
    if (!st && trainer->average && moves) st = update_batch_norm(trainer, err);
    if (!st) st = validate(trainer, run, err);
    return st;
}

/** Run an epoch of a trainer that has claimed its model. */
static an_status epoch(an_trainer *trainer, an_epoch_report *report, an_error *err) {
    ani_train_state *state = &trainer->state;
    if (state->reason) return AN_DONE;
    an_status st = ani_trainer_restore_moving(trainer, err);
    if (!st) st = ani_average_show(trainer->average, false, err);
    st = ani_trainer_meet(trainer, st, 0, 0, err);
    if (st) return st;
    ani_epoch_run run = {.begun = ani_clock_seconds() - state->place.seconds,
                         .steps = an_loader_steps(trainer->train)};
    run.report = (an_epoch_report){.struct_size = sizeof run.report,
                                   .stage = trainer->options.stage,
                                   .epoch = state->epoch + 1,
                                   .loss = NAN,
                                   .val_loss = NAN};
    trainer->in_place = false;
    st = run_epoch(trainer, &run, err);
    if (st) st = ani_trainer_abandon_step(trainer, &run, st, err);
    if (st) ani_average_show(trainer->average, false, NULL); /* else when the next call begins */
    if (!st) {
        if (ani_ranks_leads(trainer->ranks)) st = finish_epoch(trainer, &run, err);
        st = ani_trainer_share_epoch(trainer, &run.report, st, err);
        ani_report_copy(report, &run.report, sizeof run.report);
    } else if (!trainer->in_place && !ani_watch_stops(ani_trainer_watch(trainer))) {
        ani_epoch_place_begin(state);
        trainer->written = false;
    }
    return st;
}

an_status an_trainer_run_epoch(an_trainer *trainer, an_epoch_report *report, an_error *err) {
    an_error unseen;
    if (!err) err = &unseen; /* ranks tell each other their messages */
    an_status st = ani_report_check(report, "an_epoch_report", err);
    if (!st) st = begin_run(trainer, false, err);
    if (st) return st;
    st = epoch(trainer, report, err);
    end_run(trainer, st, err);
    return st;
}

an_status an_trainer_run(an_trainer *trainer, an_error *err) {
    an_error unseen;
    if (!err) err = &unseen;
    an_status st = begin_run(trainer, true, err);
    if (st) return st;
    while (!st)
        st = epoch(trainer, NULL, err);
    end_run(trainer, st, err);
    return st == AN_DONE ? AN_OK : st;
}
