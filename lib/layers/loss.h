/* SPDX-License-Identifier: MIT
 * Which losses can be meant: by the outputs, by the task of a model, and by the targets. */
#ifndef LAYERS_LOSS_H
#define LAYERS_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/layers.h>

#include "base/error.h"

/** AN_ERR_ARG for a kind that is none of AN_LOSS_*, and for CATEGORICAL on one output: softmax
 * makes 1 of it, whatever it is. */
an_status ani_loss_check(int32_t kind, int64_t outputs, an_error *err);
/** The same for a model: AN_ERR_ARG also for a loss that is not of its task (AN_TASK_*). Scores
 * have MSE, MAE or HUBER; classes CATEGORICAL or, with one output, BINARY: as their probabilities
 * are made. */
an_status ani_loss_check_task(int32_t kind, int32_t task, int64_t outputs, an_error *err);
/** Take what options (NULL: the defaults) say about the loss of a model: ours->kind is AUTO only
 * with a function. AN_ERR_ARG as above; weights are for the caller to check, who knows how many. */
an_status ani_loss_take(an_loss_options *ours, const an_loss_options *options, int32_t task,
                        int64_t outputs, an_error *err);
/** Say whether a loss takes a target: CATEGORICAL and BINARY take probabilities, 0 to 1; functions
 * (AUTO) take all. */
bool ani_loss_takes(int32_t kind, float target);
/** AN_ERR_ARG unless it takes all of targets [n,outputs]. */
an_status ani_loss_check_targets(int32_t kind, const float *targets, int64_t n, int64_t outputs,
                                 an_error *err);
/** AN_ERR_ARG unless all of weights [n] are finite and at least 0. */
an_status ani_loss_check_weights(const float *weights, int64_t n, an_error *err);

#endif
