/* SPDX-License-Identifier: MIT
 * A lock that is granted in the order of the requests: a thread that takes it over and over, as
 * training does, makes no other thread wait longer than one turn. */
#ifndef BASE_TURNS_H
#define BASE_TURNS_H

#include <pthread.h>
#include <stdbool.h>

#include "base/cancel.h"

typedef struct ani_turn ani_turn; /* a waiting thread */

typedef struct ani_turns {
    pthread_mutex_t lock;
    pthread_cond_t next;
    bool taken;
    pthread_t owner;         /* while it is taken */
    ani_turn *first, **last; /* the waiters, in the order of the requests */
} ani_turns;

void ani_turns_init(ani_turns *turns);
void ani_turns_clear(ani_turns *turns); /* no thread has a turn or waits for one */
/** Wait for a turn. AN_ERR_CANCELLED, without a turn, if the waiting call should stop; AN_ERR_ARG
 * if the thread has the turn already and would wait for itself. */
an_status ani_turns_take(ani_turns *turns, ani_watch *watch, an_error *err);
void ani_turns_give(ani_turns *turns);

#endif
