/* SPDX-License-Identifier: MIT
 * The internal interface of a trainer. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include <attractivenet/train.h>

/** Write the state of a trainer over the older of its two files; does nothing without resume_path,
 * if the state has been written already, or if a weight is not finite and terminate_on_nan is set.
 * After a failure both files are unchanged. */
an_status ani_trainer_write(an_trainer *trainer, an_error *err);

#endif
