/* SPDX-License-Identifier: MIT
 * Learning-rate schedules, checked. */
#ifndef OPTIM_SCHEDULE_H
#define OPTIM_SCHEDULE_H

#include <attractivenet/optim.h>

#include "io/settings.h"

/** Take the caller's schedule over the defaults (NULL: these). AN_ERR_ARG for a field out of range.
 */
an_status ani_schedule_take(an_schedule_options *ours, const an_schedule_options *options,
                            an_error *err);
/** Add what its rates depend on. */
void ani_schedule_settings(const an_schedule_options *schedule, ani_setting_list *to);

#endif
