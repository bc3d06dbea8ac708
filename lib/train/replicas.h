/* SPDX-License-Identifier: MIT
 * The replicas of one process: ranks on threads of their own, each with a backend, a copy of the
 * model and a trainer, and all with one data set. */
#ifndef TRAIN_REPLICAS_H
#define TRAIN_REPLICAS_H

#include <attractivenet/train.h>

#include <stdbool.h>

/** The replicas 1 to n - 1 of a trainer, which is replica 0. */
typedef struct ani_replicas ani_replicas;

/** Make them for a trainer that has all but them, and its ranks. options: the caller's, checked. */
an_status ani_replicas_create(ani_replicas **out, an_trainer *trainer,
                              const an_train_options *options, an_error *err);
void ani_replicas_destroy(ani_replicas *replicas); /* NULL is allowed */

/* Around each call of the trainer; NULL: there are none. */

/** Start their threads. whole: to the end of the run; otherwise for an epoch. */
an_status ani_replicas_begin(ani_replicas *replicas, bool whole, an_error *err);
/** Wait until they have ended, too. */
void ani_replicas_end(ani_replicas *replicas);

#endif
