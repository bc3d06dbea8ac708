/* SPDX-License-Identifier: MIT
 * What the callbacks decide, beyond the public state machines. */
#ifndef TRAIN_DECISIONS_H
#define TRAIN_DECISIONS_H

#include <attractivenet/train.h>

/** an_reduce_rate_update(), with the new rate before it is rounded to float32 in *exact: the number
 *  that Keras prints. 0 if the rate stays. */
double ani_reduce_rate_update(an_reduce_rate *state, double value, double rate, double *exact);

#endif
