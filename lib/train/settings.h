/* SPDX-License-Identifier: MIT
 * The settings of a run: everything that its numbers depend on except its initial weights and the
 * pixels of its images. */
#ifndef TRAIN_SETTINGS_H
#define TRAIN_SETTINGS_H

#include "train/snapshot.h"

/** Add all settings as metadata texts, "setting.NAME". */
an_status ani_settings_append(const ani_snapshot *run, an_arrays *arrays, an_error *err);
/** AN_ERR_ARG with the first setting that differs from such texts, and both values. max_epochs may
 * be higher than before. */
an_status ani_settings_check(const ani_snapshot *run, const an_arrays *arrays, an_error *err);

#endif
