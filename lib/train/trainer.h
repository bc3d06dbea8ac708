/* SPDX-License-Identifier: MIT
 * What a trainer holds, shared by trainer.c (epochs) and checkpoint.c (writing it down and taking
 * it up again) alone. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include <attractivenet/train.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "base/lock.h"
#include "train/console.h"
#include "train/evaluate.h"
#include "train/events.h"
#include "train/state.h"

struct an_trainer {
    atomic_int references; /* a run under way is one: a callback may destroy the trainer */
    an_model *model;
    an_batches *train, *val;
    an_history *history;
    an_optimizer *optimizer;
    an_train_options options; /* schedule: see below; optimizer: only while it is made */
    an_schedule_options schedule;
    ani_train_state state;
    an_arrays *kept; /* best weights, with restore_best */
    ani_console console;
    ani_events *events;
    bool introduced; /* the stage was printed */
    bool in_place;   /* what failed leaves the epoch where it is */
    atomic_int asked_to_stop, asked_to_pause;
    ani_lock *locks[2]; /* of resume_path and checkpoint_path */
    /* checkpoints */
    bool written;      /* what is on disk is the state of now */
    double written_at; /* clock, seconds */
    int32_t slot;      /* file that is written next, from 0; -1: not known yet */
    int64_t number;    /* of the checkpoint that is written next; the newest has the highest */
    /* frozen base */
    ani_features *train_features, *val_features;
    int64_t *places; /* [samples]: order of the epoch */
    float *x, *y;    /* [batch,features], [batch,outputs]: rows of a step */
};

/** Hand a message to the caller's warn. */
an_status ani_trainer_warn(an_trainer *trainer, const char *message, an_error *err);
/** Give up the features of a frozen base: its weights are others now. */
void ani_trainer_drop_features(an_trainer *trainer);

#endif
