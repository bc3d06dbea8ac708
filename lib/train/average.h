/* SPDX-License-Identifier: MIT
 * The exponential moving average of the weights that a stage trains. It and the weights change
 * places, so that whatever reads the model reads the average. */
#ifndef TRAIN_AVERAGE_H
#define TRAIN_AVERAGE_H

#include <attractivenet/train.h>

#include <stdbool.h>

#include "comm/comm.h"

/** Belongs to a trainer, which holds the model. */
typedef struct ani_average ani_average;

/** Allocate one for a model whose stage trains a base mode. NULL is allowed below: no average. */
an_status ani_average_create(ani_average **out, an_model *model, int32_t base, double decay,
                             an_error *err);
void ani_average_destroy(ani_average *average);

/** Return the decay after step t, from 1. */
double ani_average_decay(double decay, int64_t t);
/** Add the weights after step t of the optimizer, with the turn. */
void ani_average_add(ani_average *average, int64_t t);

/** Let the model hold the average, or the weights. Nothing happens before the first step, or if it
 * is so already. AN_ERR_NOMEM: a copy shares the weights, and there is no memory to change that. */
an_status ani_average_show(ani_average *average, bool shown, an_error *err);
/** Return whether the model holds the average. */
bool ani_average_is_shown(const ani_average *average);

/** Take over rank 0's, on all ranks. */
an_status ani_average_spread(ani_average *average, an_comm *comm, an_error *err);

/** Append to a checkpoint, while the model holds the weights. */
an_status ani_average_append(const ani_average *average, an_arrays *arrays, an_error *err);
/** AN_ERR_FORMAT unless a checkpoint after a number of steps has what ani_average_append()
 * writes. */
an_status ani_average_check(const ani_average *average, const an_arrays *arrays, int64_t steps,
                            an_error *err);
/** Restore what ani_average_check() has accepted; the model holds the weights. */
void ani_average_take(ani_average *average, const an_arrays *arrays, int64_t steps);

#endif
