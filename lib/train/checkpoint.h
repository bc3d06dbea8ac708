/* SPDX-License-Identifier: MIT
 * Checkpoints: the state of a run in two files, written in turn, so that one that is whole is there
 * at any moment. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include <attractivenet/train.h>

/** Write the state of a trainer over the older of its two files; nothing is done without
 * resume_path, if it has been written already, or if a weight is not finite and such a run is to
 * end (terminate_on_nan). After a failure both files are what they were. */
an_status ani_checkpoint_write(an_trainer *trainer, an_error *err);

/** Read and check one file. */
an_status ani_checkpoint_read_file(an_checkpoint **out, const char *file, an_error *err);

#endif
