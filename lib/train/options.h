/* SPDX-License-Identifier: MIT
 * The options of a stage: checked, with copies of their texts. */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include <attractivenet/train.h>

/** Merge the caller's options into the defaults, check everything, and copy the schedule and the
 * texts. ours->optimizer is still the caller's. On failure nothing is held. */
an_status ani_train_options_take(an_train_options *ours, an_schedule_options *schedule,
                                 const an_train_options *options, an_error *err);
/** Remove what only the leading rank does: callbacks, what is printed, and files. The texts are not
 * freed. */
void ani_train_options_silence(an_train_options *options);
/** Free the texts. */
void ani_train_options_clear(an_train_options *ours);

#endif
