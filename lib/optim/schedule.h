/* SPDX-License-Identifier: MIT
 * Learning-rate schedules, checked. */
#ifndef OPTIM_SCHEDULE_H
#define OPTIM_SCHEDULE_H

#include <attractivenet/optim.h>

/** Take the caller's schedule over the defaults (NULL: these). AN_ERR_ARG for a field out of range.
 */
an_status ani_schedule_take(an_schedule_options *ours, const an_schedule_options *options,
                            an_error *err);

#endif
