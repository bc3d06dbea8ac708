/* SPDX-License-Identifier: MIT
 * A run as its trainer presents it: what is written to a checkpoint, and compared with one. */
#ifndef TRAIN_SNAPSHOT_H
#define TRAIN_SNAPSHOT_H

#include <attractivenet/train.h>

#include "train/average.h"
#include "train/state.h"

/** Everything is borrowed for one call. */
typedef struct ani_snapshot {
    const an_train_options *options; /* optimizer and schedule are ignored */
    const an_schedule_options *schedule;
    an_optimizer *optimizer;
    an_model *model;
    const an_loader *train, *val; /* val: may be NULL */
    const an_history *history;
    const ani_train_state *state;
    ani_average *average;  /* NULL: none */
    const an_arrays *best; /* weights, with restore_best; NULL: none yet */
} ani_snapshot;

#endif
