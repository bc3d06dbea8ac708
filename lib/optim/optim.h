/* SPDX-License-Identifier: MIT
 * What an optimizer carries from step to step, so that it can be saved and restored. */
#ifndef OPTIM_OPTIM_H
#define OPTIM_OPTIM_H

#include <attractivenet/optim.h>

#include <stdbool.h>

#include "io/settings.h"

/** Add what its steps depend on. */
void ani_optimizer_settings(const an_optimizer *optimizer, ani_setting_list *to);

/** an_optimizer_step() for a caller that has claimed the model and has a turn (layers/model.h).
 * guarded: it changes nothing if the net's guard is set (layers/net.h). */
an_status ani_optimizer_step(an_optimizer *optimizer, double learning_rate, bool guarded,
                             an_error *err);
/** Set the number of steps done, when a guard has made the last ones void. */
void ani_optimizer_set_steps(an_optimizer *optimizer, int64_t steps);

/** Return the moments (which: 0 the first, 1 the second) of what a base mode trains, *count numbers
 * in backend memory; NULL: this kind has none. */
float *ani_optimizer_moments(const an_optimizer *optimizer, int32_t base, int which,
                             int64_t *count);
/** Append the moments of what a base mode (AN_BASE_*) trains, in memory order: "optimizer/m" and,
 * except for SGD, "optimizer/v". The number of steps done is an_optimizer_steps(). */
an_status ani_optimizer_append(const an_optimizer *optimizer, int32_t base, an_arrays *arrays,
                               an_error *err);
/** AN_ERR_FORMAT unless a list has the moments that ani_optimizer_append() writes. */
an_status ani_optimizer_check(const an_optimizer *optimizer, int32_t base, const an_arrays *arrays,
                              an_error *err);
/** Restore moments that ani_optimizer_check() has accepted, and the number of steps done. */
void ani_optimizer_take(an_optimizer *optimizer, int32_t base, const an_arrays *arrays,
                        int64_t steps);

#endif
