/* SPDX-License-Identifier: MIT
 * Checkpoints: the state of a run in two files, written alternately, so that a complete one exists
 * at any moment. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include <attractivenet/train.h>

#include <stdbool.h>

#include "train/snapshot.h"

/** Which of the two files comes next. */
typedef struct ani_checkpoint_place {
    int32_t slot;   /* file to write next, from 0; -1: not known yet */
    int64_t number; /* of the next checkpoint; the newest has the highest */
} ani_checkpoint_place;

/** Write a run over the older of its two files, and move place to the other one. *written is false
 * after a failure, which leaves both files as they were, and if a weight is not finite and
 * terminate_on_nan is set. The options must have a resume_path. */
an_status ani_checkpoint_write(const ani_snapshot *run, ani_checkpoint_place *place, bool *written,
                               an_error *err);

/** Read and check one file. */
an_status ani_checkpoint_read_file(an_checkpoint **out, const char *file, an_error *err);

/** What a checkpoint restores besides weights and moments; owned by the caller. */
typedef struct ani_resumed {
    ani_train_state state;
    an_history *history;
    an_arrays *best; /* weights, with restore_best; NULL: none */
} ani_resumed;

/** Restore the weights of a run's model, which must be claimed, and the moments of its optimizer
 * from a checkpoint. AN_ERR_ARG: it belongs to another run; AN_ERR_FORMAT: it does not fit. After a
 * failure, model and optimizer are unchanged. */
an_status ani_checkpoint_resume(ani_resumed *out, const ani_snapshot *run,
                                const an_checkpoint *checkpoint, an_error *err);

#endif
