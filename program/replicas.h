/* SPDX-License-Identifier: MIT
 * The devices that train together: --devices, with --device and --threads. */
#ifndef PROGRAM_REPLICAS_H
#define PROGRAM_REPLICAS_H

#include "settings.h"

enum { REPLICAS_MOST = 64 };

/** The replicas besides the first one, whose backend belongs to the model. */
typedef struct replica_set {
    int32_t count;                       /* with the first one; 0 or 1: no others */
    int32_t is_list;                     /* each device was named: backends holds the others */
    an_backend *backends[REPLICAS_MOST]; /* [count - 1] */
} replica_set;

/** Return whether --devices is valid: a number, or devices separated by commas. */
int replicas_are_valid(const char *devices);

/** Make the backend of the model, and those of the other devices if they are named. With a number
 * of replicas, each gets an equal part of the threads. */
an_status replicas_create(replica_set *set, an_backend **first, const settings *s, an_error *err);
/** Release the others; an empty set is allowed. */
void replicas_clear(replica_set *set);
/** Let a stage train on them. */
void replicas_train(replica_set *set, const settings *s, an_train_options *options);

#endif
