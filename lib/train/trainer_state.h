/* SPDX-License-Identifier: MIT
 * What an an_trainer holds, for the files that implement it: trainer.c, its epochs;
 * trainer_steps.c, the steps of an epoch; trainer_features.c, those of a frozen base;
 * average.c, the average of the weights; trainer_ranks.c, what several ranks tell each other. */
#ifndef TRAIN_TRAINER_STATE_H
#define TRAIN_TRAINER_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/lock.h"
#include "layers/loss.h"
#include "layers/model.h"
#include "train/average.h"
#include "train/checkpoint.h"
#include "train/console.h"
#include "train/evaluate.h"
#include "train/events.h"
#include "train/ranks.h"
#include "train/replicas.h"
#include "train/state.h"
#include "train/trainer.h"

struct an_trainer {
    atomic_int references; /* a run in progress holds one: a callback may destroy the trainer */
    an_model *model;
    an_loader *train, *val;
    an_history *history;
    an_optimizer *optimizer;
    an_train_options options; /* schedule: see below; optimizer: only during creation */
    an_loss_options loss;     /* resolved for the model */
    an_schedule_options schedule;
    an_head_options head; /* options.head, if it is not NULL, points here */
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
    ani_features *train_features, *val_features; /* rank 0 alone has them, */
    bool has_features, has_val_features;         /* as all ranks know */
    int64_t *places;                             /* [samples]: order of the epoch */
    float *x, *y, *weights; /* [batch,features], [batch,outputs], [batch]: rows of a step */
    /* accumulation */
    float *moving; /* statistics before the step, in backend memory; NULL: only its end changes the
                      model */
    bool moving_owed;     /* they could not be restored yet, */
    int64_t owed_after;   /* at this value of ani_net_changes() */
    ani_average *average; /* NULL: none */
    /* several ranks */
    ani_ranks *ranks;       /* NULL: one */
    ani_replicas *replicas; /* the others of this process; NULL: none */
    ani_watch watch;        /* of the running call: a step with others must not stop half way */
};

/** A batch that has been queued, but not accounted for. */
typedef struct ani_late_batch {
    int64_t n;
    int64_t next;    /* the number of the batch after it */
    double rate;     /* of its step */
    bool is_update;  /* it was the last batch of its step */
    int64_t updates; /* steps of the optimizer before it */
} ani_late_batch;

/** An epoch in progress: what is not in the trainer's state. */
typedef struct ani_epoch_run {
    an_epoch_report report;
    double begun; /* clock, as if there had been no interruption */
    int64_t steps;
    bool broken;     /* a loss was not finite: the run ends */
    int32_t pending; /* batches whose gradients have been accumulated for the current step */
    int64_t update;  /* the number of that step's update, in this epoch */
    ani_epoch_place step_at; /* where that step began, if it has several batches */
    ani_late_batch late;
    bool is_late;                     /* the loss of late is not known yet */
    double steps_began, communicated; /* clock, and seconds in communication until then */
    int64_t samples_before;           /* of steps before that */
} ani_epoch_run;

/* trainer.c */
/** The base mode of the current epoch. */
int32_t ani_trainer_base(const an_trainer *trainer);
/** Pass a message to the caller's warn. */
an_status ani_trainer_warn(an_trainer *trainer, const char *message, an_error *err);
/** Return the number of optimizer steps in an epoch. */
int64_t ani_trainer_updates(const an_trainer *trainer, int64_t batches);
/** Tell the event callback; report: of a finished epoch, or NULL. begun: clock, of what is counted
 * by step and steps. */
an_status ani_trainer_tell(an_trainer *trainer, int32_t kind, int64_t step, int64_t steps,
                           double begun, const an_epoch_report *report, an_error *err);
/** Mean loss of the epoch so far. */
double ani_trainer_mean_loss(const ani_epoch_place *place);
/** Write a checkpoint in the middle of an epoch; if that fails, the epoch continues from here. */
an_status ani_trainer_write_in_place(an_trainer *trainer, an_error *err);
/** Return AN_ERR_CANCELLED if a pause was requested, after writing the checkpoint. */
an_status ani_trainer_look_for_pause(an_trainer *trainer, an_error *err);
/** The watch of the running call. */
ani_watch *ani_trainer_watch(an_trainer *trainer);
/** The trainer as its checkpoints and settings show it. */
ani_snapshot ani_trainer_snapshot(const an_trainer *trainer);

/* trainer_features.c */
/** Compute a frozen base's features of the samples once, since its weights do not change. */
an_status ani_trainer_make_features(an_trainer *trainer, an_error *err);
/** Discard them, since the weights have changed. */
void ani_trainer_drop_features(an_trainer *trainer);
/** Fill x, y and weights with the rows of a batch; 0 if all its images were left out. */
int64_t ani_trainer_gather(an_trainer *trainer, int64_t batch);

/** Instead of steps: fit the head in closed form, and account for all samples. */
an_status ani_trainer_fit_head(an_trainer *trainer, ani_epoch_run *run, an_error *err);

/* trainer_steps.c */
/** Claim the training batches and begin their epoch: this rank's part of them, for which it waits
 * only until the call is cancelled. */
an_status ani_trainer_begin_batches(an_trainer *trainer, int64_t first, an_error *err);
/** All steps of an epoch; when it returns, the model and the place agree. */
an_status ani_trainer_run_steps(an_trainer *trainer, ani_epoch_run *run, an_error *err);
/** Go back to where a step of several batches began that st left unfinished: the weights have not
 * changed, but the moving statistics and the place have. Returns st, or why the statistics could
 * not be restored. */
an_status ani_trainer_abandon_step(an_trainer *trainer, ani_epoch_run *run, an_status st,
                                   an_error *err);
/** Restore the moving statistics if that is still to be done, unless the model has been changed
 * since. */
an_status ani_trainer_restore_moving(an_trainer *trainer, an_error *err);

/* trainer_ranks.c: all ranks make these calls; each returns the same kind of status on all of them.
 * A single rank meets nobody. */
/** ani_ranks_meet(), with what the caller has asked of this trainer. */
an_status ani_trainer_meet(an_trainer *trainer, an_status st, int64_t images, int32_t asks,
                           an_error *err);
/** At the beginning of a call: check that all train the same, and take over rank 0's state. */
an_status ani_trainer_join(an_trainer *trainer, an_error *err);
/** At the end of an epoch: take over what rank 0 has decided. st: rank 0's, and returned. */
an_status ani_trainer_share_epoch(an_trainer *trainer, an_epoch_report *report, an_status st,
                                  an_error *err);
/** Take over rank 0's weights of what a base mode trains; of all of them, also the moving
 * statistics. */
an_status ani_trainer_spread_weights(an_trainer *trainer, int32_t base, an_error *err);

#endif
