/* SPDX-License-Identifier: MIT
 * The flag is a single atomic number, so that a signal handler may set it. */
#include "base/cancel.h"

#include <stddef.h>
#include <time.h>

#include "base/memory.h"

/* Between two checks of the flag while waiting. */
enum { WAIT_NANOSECONDS = 20000000 };

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler may not take a lock");

struct an_cancel {
    atomic_int references;
    atomic_int requested; /* 0 or 1 */
};

an_status an_cancel_create(an_cancel **out, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_cancel *cancel = ani_alloc_zero(1, sizeof *cancel);
    if (!cancel) return ani_fail_memory(err, sizeof *cancel, "a cancel flag");
    atomic_init(&cancel->references, 1);
    *out = cancel;
    return AN_OK;
}

void ani_cancel_hold(an_cancel *cancel) {
    if (cancel) atomic_fetch_add(&cancel->references, 1);
}

void an_cancel_destroy(an_cancel *cancel) {
    if (!cancel || atomic_fetch_sub(&cancel->references, 1) > 1) return;
    ani_free(cancel);
}

void an_cancel_request(an_cancel *cancel) {
    if (cancel) atomic_store(&cancel->requested, 1);
}

void an_cancel_reset(an_cancel *cancel) {
    if (cancel) atomic_store(&cancel->requested, 0);
}

int32_t an_cancel_is_requested(const an_cancel *cancel) {
    return cancel ? atomic_load(&cancel->requested) : 0;
}

/* --- watching --------------------------------------------------------------------------------- */

void ani_watch_begin(ani_watch *watch, an_cancel *cancel) {
    ani_cancel_hold(cancel);
    watch->cancel = cancel;
    atomic_store(&watch->seen, false);
}

void ani_watch_end(ani_watch *watch) {
    an_cancel_destroy(watch->cancel);
    watch->cancel = NULL;
}

bool ani_watch_stops(ani_watch *watch) {
    if (!watch || !watch->cancel) return false;
    if (atomic_load_explicit(&watch->seen, memory_order_relaxed)) return true;
    if (!atomic_load_explicit(&watch->cancel->requested, memory_order_relaxed)) return false;
    atomic_store(&watch->seen, true);
    return true;
}

an_status ani_watch_check(ani_watch *watch, an_error *err) {
    if (!ani_watch_stops(watch)) return AN_OK;
    return ani_fail(err, AN_ERR_CANCELLED, "the call was cancelled by an_cancel_request()");
}

void ani_watch_condition(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

void ani_watch_wait(ani_watch *watch, pthread_cond_t *condition, pthread_mutex_t *lock) {
    struct timespec until;
    if (!watch || !watch->cancel) {
        pthread_cond_wait(condition, lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_NANOSECONDS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(condition, lock, &until);
}
