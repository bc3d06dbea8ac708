/* SPDX-License-Identifier: MIT
 * A lock that is granted in the order of the requests: a thread that takes it over and over, as
 * training does, keeps no other thread waiting for longer than one turn. */
#ifndef BASE_TURNS_H
#define BASE_TURNS_H

#include <pthread.h>
#include <stdbool.h>

#include "base/cancel.h"

typedef struct ani_turn ani_turn; /* one who waits */

typedef struct ani_turns {
    pthread_mutex_t lock;
    pthread_cond_t next;
    bool taken;
    pthread_t owner;         /* while it is taken */
    ani_turn *first, **last; /* who waits, in the order of the requests */
} ani_turns;

void ani_turns_init(ani_turns *turns);
void ani_turns_clear(ani_turns *turns); /* no thread has or waits for a turn */
/** Wait for a turn. AN_ERR_CANCELLED, and no turn, if the call that waits is to stop; AN_ERR_ARG if
 * the thread has the turn already, and would wait for itself. */
an_status ani_turns_take(ani_turns *turns, ani_watch *watch, an_error *err);
void ani_turns_give(ani_turns *turns);

#endif
