/* SPDX-License-Identifier: MIT
 * The head in closed form. */
#ifndef TRAIN_FIT_HEAD_H
#define TRAIN_FIT_HEAD_H

#include <attractivenet/train.h>

#include "layers/model.h"
#include "optim/linear.h"

/** Copy options (NULL: defaults) and check them, for a task and for whether there are validation
 * samples. */
an_status ani_head_take(an_head_options *ours, const an_head_options *options, int32_t task,
                        bool has_val, an_error *err);

/** an_model_fit_head() with options that were taken and samples that were checked, for the holder
 * of the model's claim. val->n 0: none. */
an_status ani_fit_head(an_model *model, const ani_linear_rows *train, const ani_linear_rows *val,
                       const an_head_options *options, an_head_report *report, an_error *err);

#endif
