/* SPDX-License-Identifier: MIT
 * Which losses are valid for given outputs, for the task of a model, and for given targets. */
#ifndef LAYERS_LOSS_H
#define LAYERS_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/layers.h>

#include "base/error.h"

/** AN_ERR_ARG for a kind that is not one of AN_LOSS_*, and for CATEGORICAL with one output, whose
 * softmax is always 1. */
an_status ani_loss_check(int32_t kind, int64_t outputs, an_error *err);
/** The same for a model: AN_ERR_ARG also for a loss that does not suit its task (AN_TASK_*). Scores
 * have MSE, MAE or HUBER; classes CATEGORICAL or, with one output, BINARY, to match how their
 * probabilities are computed. */
an_status ani_loss_check_task(int32_t kind, int32_t task, int64_t outputs, an_error *err);
/** Resolve the loss of a model from options (NULL: the defaults): ours->kind is AUTO only with a
 * function. AN_ERR_ARG as above; the caller must check the weights, since it knows their number. */
an_status ani_loss_take(an_loss_options *ours, const an_loss_options *options, int32_t task,
                        int64_t outputs, an_error *err);
/** Return whether a loss accepts a target: CATEGORICAL and BINARY accept probabilities, 0 to 1;
 * functions (AUTO) accept everything. */
bool ani_loss_takes(int32_t kind, float target);
/** AN_ERR_ARG unless it accepts all of targets [n,outputs]. */
an_status ani_loss_check_targets(int32_t kind, const float *targets, int64_t n, int64_t outputs,
                                 an_error *err);
/** AN_ERR_ARG unless all of weights [n] are finite and at least 0. */
an_status ani_loss_check_weights(const float *weights, int64_t n, an_error *err);

#endif
