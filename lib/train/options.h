/* SPDX-License-Identifier: MIT
 * The options of a stage: checked, with texts of their own. */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include <attractivenet/train.h>

/** Take the caller's options over the defaults, check all, copy the schedule and the texts.
 * ours->optimizer stays the caller's. On failure nothing is held. */
an_status ani_train_options_take(an_train_options *ours, an_schedule_options *schedule,
                                 const an_train_options *options, an_error *err);
/** Free the texts. */
void ani_train_options_clear(an_train_options *ours);

#endif
