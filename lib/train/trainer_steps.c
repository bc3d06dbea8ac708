/* SPDX-License-Identifier: MIT
 * The steps of an epoch. A device computes a step while the loss of the one before is read. */
#include "train/trainer_state.h"

#include <math.h>

#include "augment/loader.h"
#include "base/clock.h"
#include "base/error.h"
#include "optim/optim.h"

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
    return st ? st : ani_trainer_warn(trainer, text.message, err);
}

/** The learning rate of the current step. */
static double rate_of(const an_trainer *trainer, const ani_epoch_run *run) {
    const int64_t all =
        (int64_t)trainer->state.epoch * ani_trainer_updates(trainer, run->steps) + run->update;
    return an_schedule_rate(&trainer->schedule, trainer->state.rate, all);
}

/** Update the weights with the gradients of one or more batches, of all ranks unless rank 0
 * computes alone. The turn is held. */
static an_status update(an_trainer *trainer, ani_epoch_run *run, an_error *err) {
    const ani_net_range range =
        ani_net_trained(ani_model_net(trainer->model), ani_model_gradient_base(trainer->model));
    an_status st = AN_OK;
    run->pending = 0;
    if (!trainer->has_features)
        st = ani_ranks_sum(trainer->ranks, range.gradients, range.count, ANI_COMM_FLOAT, err);
    if (!st)
        st = ani_optimizer_step(trainer->optimizer, rate_of(trainer, run),
                                trainer->options.terminate_on_nan, err);
    if (!st) ani_average_add(trainer->average, an_optimizer_steps(trainer->optimizer));
    return st;
}

/** A batch of a step. */
typedef struct step_batch {
    const float *x; /* images, or features of a frozen base */
    const float *y;
    const float *weights; /* NULL: 1 each */
    int64_t n;            /* of this rank */
    int64_t images;       /* of all ranks */
    int64_t next;         /* the number of the batch after it */
    bool is_features;
} step_batch;

/** Compute the gradients of a batch, and update the weights if it is the last one of a step, in one
 * turn: other threads see the model as it was before or after. The loss is sent; if it is not
 * finite, a guard leaves the model as it is. */
static an_status move(an_trainer *trainer, ani_epoch_run *run, const step_batch *b,
                      ani_late_batch *moved, an_error *err) {
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
    *moved =
        (ani_late_batch){.n = b->images,
                         .next = b->next,
                         .rate = rate_of(trainer, run),
                         .is_update = run->pending == options->accumulate || b->next >= run->steps,
                         .updates = an_optimizer_steps(trainer->optimizer)};
    st = b->is_features
             ? ani_model_compute_head_gradients(model, b->x, b->y, b->n, &how, guarded, NULL, err)
             : ani_model_compute_gradients(model, b->x, b->y, b->n, &how, guarded,
                                           ani_ranks_peers(trainer->ranks), NULL, err);
    if (!st && moved->is_update) st = update(trainer, run, err);
    if (!st) ani_net_send_loss(net);
    ani_net_end_change(net);
    if (st) ani_ranks_abort(trainer->ranks, err); /* they may wait in the middle of the step */
    return st;
}

/** Update the weights with the remaining gradients at the end of an epoch whose last batches had no
 * images. */
static an_status finish_update(an_trainer *trainer, ani_epoch_run *run, an_error *err) {
    if (!run->pending || run->broken) return AN_OK;
    an_status st = ani_net_begin_change(ani_model_net(trainer->model), err);
    if (st) return st;
    st = update(trainer, run, err);
    ani_net_end_change(ani_model_net(trainer->model));
    if (st) ani_ranks_abort(trainer->ranks, err);
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

an_status ani_trainer_restore_moving(an_trainer *trainer, an_error *err) {
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

an_status ani_trainer_abandon_step(an_trainer *trainer, ani_epoch_run *run, an_status st,
                                   an_error *err) {
    if (!run->pending || trainer->options.accumulate == 1) return st;
    trainer->state.place = run->step_at;
    trainer->moving_owed = trainer->moving != NULL;
    trainer->owed_after = ani_net_changes(ani_model_net(trainer->model));
    const an_status restored = ani_trainer_restore_moving(trainer, err);
    return restored ? restored : st;
}

/** Undo a batch whose loss is not finite, and what was queued after it: the guard has left the
 * model as it was before, and the number of the optimizer's steps has to follow, and what batches
 * of the same step have done to the moving statistics. */
static an_status undo_broken(an_trainer *trainer, ani_epoch_run *run, const ani_late_batch *b,
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
static an_status account(an_trainer *trainer, ani_epoch_run *run, const ani_late_batch *b,
                         double *loss, an_error *err) {
    ani_epoch_place *place = &trainer->state.place;
    an_status st = ani_ranks_settle(trainer->ranks, err); /* the loss comes after their sum */
    if (!st) st = ani_net_take_loss(ani_model_net(trainer->model), loss, err);
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

/** Show what the ranks have done in this call's part of the epoch. */
static void show_speed(an_trainer *trainer, const ani_epoch_run *run) {
    const double seconds = ani_clock_seconds() - run->steps_began;
    if (!trainer->ranks || !(seconds > 0)) return;
    ani_console_set_speed(&trainer->console,
                          (double)(trainer->state.place.samples - run->samples_before) / seconds,
                          (ani_ranks_seconds(trainer->ranks) - run->communicated) / seconds);
}

/** Account for a batch, and tell. */
static an_status finish_batch(an_trainer *trainer, ani_epoch_run *run, const ani_late_batch *b,
                              an_error *err) {
    ani_epoch_place *place = &trainer->state.place;
    double loss;
    an_status st = account(trainer, run, b, &loss, err);
    if (st) return st;
    if (run->broken) {
        run->report.loss = loss;
        return report_broken(trainer, loss, err);
    }
    show_speed(trainer, run);
    st = ani_console_step(&trainer->console, place->step, ani_trainer_mean_loss(place),
                          ani_clock_seconds(), err);
    if (!st)
        st = ani_trainer_tell(trainer, AN_EVENT_STEP, place->step, run->steps, run->begun, NULL,
                              err);
    /* checkpoints contain whole steps, and the model may be ahead of the place */
    if (st || run->pending || run->is_late) return st;
    if (is_due(trainer)) st = ani_trainer_write_in_place(trainer, err);
    return st ? st : ani_trainer_look_for_pause(trainer, err);
}

/** Account for the batch whose loss is late, if there is one. */
static an_status finish_late(an_trainer *trainer, ani_epoch_run *run, an_error *err) {
    const ani_late_batch late = run->late;
    if (!run->is_late) return AN_OK;
    run->is_late = false;
    return finish_batch(trainer, run, &late, err);
}

/** The same after a failure: the model has moved, and the place has to follow. */
static void account_late(an_trainer *trainer, ani_epoch_run *run) {
    const bool broken = run->broken;
    double loss;
    if (!run->is_late) return;
    run->is_late = false;
    account(trainer, run, &run->late, &loss, NULL);
    run->broken = broken;
}

/** Train on a batch. A device computes it while the loss of the batch before is read, unless
 * something depends on that of this one. Ranks are in step: they end an epoch together. */
static an_status train_batch(an_trainer *trainer, ani_epoch_run *run, const step_batch *b,
                             an_error *err) {
    const ani_late_batch before = run->late;
    ani_late_batch moved;
    an_status st = move(trainer, run, b, &moved, err);
    if (st) return st;
    const bool was_late = run->is_late;
    run->late = moved;
    run->is_late = true;
    if (was_late) st = finish_batch(trainer, run, &before, err);
    if (st || run->broken) return st;
    const an_train_options *options = &trainer->options;
    if (trainer->ranks || options->on_event || options->loss_fn || options->accumulate > 1 ||
        is_due(trainer) || atomic_load(&trainer->asked_to_pause))
        return finish_late(trainer, run, err);
    return AN_OK;
}

an_status ani_trainer_begin_batches(an_trainer *trainer, int64_t first, an_error *err) {
    an_status st = ani_loader_claim(trainer->train, err);
    if (st) return st;
    ani_loader_use_watch(trainer->train, ani_trainer_watch(trainer));
    ani_ranks_share(trainer->ranks, trainer->train);
    st = ani_loader_begin(trainer->train,
                          (int64_t)trainer->options.first_epoch + trainer->state.epoch, first, err);
    if (st) ani_loader_release(trainer->train);
    return st;
}

/** Get this rank's part of the next batch, and the memory to train on it. */
static an_status next_batch(an_trainer *trainer, step_batch *b, an_error *err) {
    const int64_t *samples;
    ani_net *net = ani_model_net(trainer->model);
    an_status st = ani_loader_next(trainer->train, &b->x, &b->y, &samples, &b->n, err);
    if (!st) st = ani_check_labels(trainer->train, &trainer->loss, b->y, samples, b->n, err);
    if (st) return st;
    b->weights = an_loader_batch_weights(trainer->train);
    b->next = ani_loader_place(trainer->train);
    if (!trainer->ranks) return AN_OK;
    st = ani_net_begin_change(net, err);
    if (st) return st;
    st = ani_model_reserve(trainer->model, b->n, &trainer->loss, trainer->options.terminate_on_nan,
                           ani_ranks_peers(trainer->ranks), err);
    ani_net_end_change(net);
    return st;
}

static an_status run_images(an_trainer *trainer, ani_epoch_run *run, an_error *err) {
    an_status st = ani_trainer_begin_batches(trainer, trainer->state.place.batch, err);
    const bool has_batches = !st;
    while (!run->broken) {
        step_batch b = {0};
        if (!st) st = next_batch(trainer, &b, err);
        st = ani_trainer_meet(trainer, st, b.n, 0, err);
        if (st) break;
        b.images = ani_ranks_images(trainer->ranks, b.n);
        if (b.images) st = train_batch(trainer, run, &b, err);
    }
    if (has_batches) ani_loader_release(trainer->train);
    return st == AN_DONE ? AN_OK : st;
}

/** The steps of rank 0, which alone has the features; the others follow. */
static an_status run_features(an_trainer *trainer, ani_epoch_run *run, an_error *err) {
    const int64_t number = (int64_t)trainer->options.first_epoch + trainer->state.epoch;
    const bool computes = trainer->train_features != NULL;
    an_status st = AN_OK;
    if (computes) ani_loader_order(trainer->train, number, trainer->places);
    for (int64_t batch = trainer->state.place.batch;; batch++) {
        const bool ends = run->broken || batch >= run->steps;
        st = ani_trainer_meet(trainer, st, 0, ends ? ANI_ASK_END : 0, err);
        if (st || ends || (trainer->ranks && (trainer->ranks->asked & ANI_ASK_END))) break;
        step_batch b = {trainer->x, trainer->y, trainer->weights, 0, 0, batch + 1, true};
        if (computes) b.n = b.images = ani_trainer_gather(trainer, batch);
        if (b.n) st = train_batch(trainer, run, &b, err);
    }
    return st;
}

an_status ani_trainer_run_steps(an_trainer *trainer, ani_epoch_run *run, an_error *err) {
    const bool by_features = trainer->has_features;
    run->steps_began = ani_clock_seconds();
    run->communicated = ani_ranks_seconds(trainer->ranks);
    run->samples_before = trainer->state.place.samples;
    an_status st = by_features ? run_features(trainer, run, err) : run_images(trainer, run, err);
    if (!st) st = finish_late(trainer, run, err);
    st = ani_trainer_meet(trainer, st, 0, run->broken ? ANI_ASK_END : 0, err);
    if (!st && trainer->ranks) run->broken = (trainer->ranks->asked & ANI_ASK_END) != 0;
    if (!st) st = finish_update(trainer, run, err);
    if (!st && by_features) st = ani_trainer_spread_weights(trainer, AN_BASE_FROZEN, err);
    if (st) account_late(trainer, run);
    return st;
}
