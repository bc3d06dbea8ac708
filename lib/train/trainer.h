/* SPDX-License-Identifier: MIT
 * A trainer from the inside. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include <attractivenet/train.h>

/** Write the state of a trainer over the older of its two files; nothing is done without
 * resume_path, if it has been written already, or if a weight is not finite and such a run is to
 * end (terminate_on_nan). After a failure both files are what they were. */
an_status ani_trainer_write(an_trainer *trainer, an_error *err);

#endif
