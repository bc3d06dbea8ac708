/* SPDX-License-Identifier: MIT
 * What an optimizer carries from step to step, to be written down and taken up again. */
#ifndef OPTIM_OPTIM_H
#define OPTIM_OPTIM_H

#include <attractivenet/optim.h>

#include "io/settings.h"

/** Add what its steps depend on. */
void ani_optimizer_settings(const an_optimizer *optimizer, ani_setting_list *to);

/** an_optimizer_step() for who has claimed the model and has a turn of it (layers/model.h). */
an_status ani_optimizer_step(an_optimizer *optimizer, double learning_rate, an_error *err);

/** Append the moments of what a base mode (AN_BASE_*) trains, as they lie in memory:
 * "optimizer/m" and, but for SGD, "optimizer/v". The steps done are an_optimizer_steps(). */
an_status ani_optimizer_append(const an_optimizer *optimizer, int32_t base, an_arrays *arrays,
                               an_error *err);
/** AN_ERR_FORMAT unless a list has the moments that ani_optimizer_append() writes. */
an_status ani_optimizer_check(const an_optimizer *optimizer, int32_t base, const an_arrays *arrays,
                              an_error *err);
/** Take moments that ani_optimizer_check() has passed, and the number of steps done. */
void ani_optimizer_take(an_optimizer *optimizer, int32_t base, const an_arrays *arrays,
                        int64_t steps);

#endif
