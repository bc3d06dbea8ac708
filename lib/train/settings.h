/* SPDX-License-Identifier: MIT
 * What a run was asked to do: all that its numbers depend on but for the weights that it began with
 * and the pixels of its images. */
#ifndef TRAIN_SETTINGS_H
#define TRAIN_SETTINGS_H

#include "train/snapshot.h"

/** Add all settings as metadata texts, "setting.NAME". */
an_status ani_settings_append(const ani_snapshot *run, an_arrays *arrays, an_error *err);
/** AN_ERR_ARG with the first setting that such texts tell otherwise, and both values. max_epochs
 * may be more than before. */
an_status ani_settings_check(const ani_snapshot *run, const an_arrays *arrays, an_error *err);

#endif
