/* SPDX-License-Identifier: MIT
 * What a run was asked to do: all that its numbers depend on but for the weights that it began with
 * and the pixels of its pictures. */
#ifndef TRAIN_SETTINGS_H
#define TRAIN_SETTINGS_H

#include <attractivenet/train.h>

/** Where the settings of a stage are. */
typedef struct ani_settings {
    const an_train_options *options; /* optimizer and schedule are not looked at */
    const an_schedule_options *schedule;
    const an_optimizer *optimizer;
    const an_model *model;
    const an_batches *train, *val; /* val: may be NULL */
} ani_settings;

/** Add all settings as metadata texts, "setting.NAME". */
an_status ani_settings_append(const ani_settings *settings, an_arrays *arrays, an_error *err);
/** AN_ERR_ARG with the first setting that such texts tell otherwise, and both values. max_epochs
 * may be more than before. */
an_status ani_settings_check(const ani_settings *settings, const an_arrays *arrays, an_error *err);

#endif
