/* SPDX-License-Identifier: MIT
 * How a call watches the flag that may cancel it. */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

/** The state of one call's cancellation flag. A request that was seen once counts until the call
 * ends, even if the flag is reset meanwhile: parts of the work may have been skipped by then. All
 * threads that work for the call may poll its address. */
typedef struct ani_watch {
    an_cancel *cancel; /* held; NULL: nothing cancels the call */
    atomic_bool seen;
} ani_watch;

/** Start watching a flag; NULL: none. */
void ani_watch_begin(ani_watch *watch, an_cancel *cancel);
/** Stop watching. An all-zero watch that was never started is allowed. */
void ani_watch_end(ani_watch *watch);
/** Return whether the call should stop; NULL: it should not. */
bool ani_watch_stops(ani_watch *watch);
/** AN_ERR_CANCELLED if the call should stop. */
an_status ani_watch_check(ani_watch *watch, an_error *err);

/** Create a condition variable for ani_watch_wait(). */
void ani_watch_condition(pthread_cond_t *condition);
/** pthread_cond_wait(), but if the call can be cancelled, it waits for a few milliseconds at most:
 * a request wakes nobody. */
void ani_watch_wait(ani_watch *watch, pthread_cond_t *condition, pthread_mutex_t *lock);

void ani_cancel_hold(an_cancel *cancel); /* NULL is allowed; an_cancel_destroy() releases it */

#endif
