/* SPDX-License-Identifier: MIT
 * Learning-rate schedules, checked. */
#ifndef OPTIM_SCHEDULE_H
#define OPTIM_SCHEDULE_H

#include <attractivenet/optim.h>

#include "io/settings.h"

/** Merge the caller's schedule into the defaults (NULL: only the defaults). AN_ERR_ARG for a field
 * out of range. */
an_status ani_schedule_take(an_schedule_options *ours, const an_schedule_options *options,
                            an_error *err);
/** Add the settings that its rates depend on. */
void ani_schedule_settings(const an_schedule_options *schedule, ani_setting_list *to);

#endif
