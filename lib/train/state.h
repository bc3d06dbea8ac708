/* SPDX-License-Identifier: MIT
 * What changes while a stage is trained, besides the weights, the optimizer's moments and the
 * history: together they are everything that the next step depends on. */
#ifndef TRAIN_STATE_H
#define TRAIN_STATE_H

#include <attractivenet/train.h>

/** How far an epoch has come. */
typedef struct ani_epoch_place {
    int64_t batch;   /* number of the next batch */
    int64_t step;    /* steps done: batches with at least one image */
    int64_t samples; /* of these steps */
    double loss_sum; /* over samples */
    double rate;     /* of the last step; before the first one, without a schedule */
    double seconds;  /* wall time of the steps done */
} ani_epoch_place;

typedef struct ani_train_state {
    int32_t epoch;  /* done */
    int32_t reason; /* AN_STOP_*: why there are no more */
    double rate;    /* before the schedule */
    double best;    /* lowest value so far */
    an_early_stopping early;
    an_best_checkpoint checkpoint;
    an_reduce_rate reduce;
    ani_epoch_place place; /* of the current epoch */
} ani_train_state;

/** Before the first epoch. */
void ani_train_state_begin(ani_train_state *state, const an_train_options *options);
/** Set place to the beginning of an epoch. */
void ani_epoch_place_begin(ani_train_state *state);
/** Add the state as metadata texts, "state.NAME". */
an_status ani_train_state_append(const ani_train_state *state, an_arrays *arrays, an_error *err);
/** Read such texts into an initialised state. AN_ERR_FORMAT: one is missing, or is not a valid
 * number. */
an_status ani_train_state_read(ani_train_state *state, const an_arrays *arrays, an_error *err);

#endif
