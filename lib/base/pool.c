/* SPDX-License-Identifier: MIT
 * Threads that help with loops. The caller of a loop runs its passes; helpers that are awake take
 * passes from it. A loop ends when its passes are done: a helper that is late finds nothing to take
 * and touches nothing that belongs to the caller.
 *
 * Between the many short loops of one training step, helpers spin for a moment before they sleep,
 * since waking them costs more than a short loop takes. With k active callers, only the first
 * (threads - k) helpers take passes: no more threads work than the pool has. */
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/thread.h"

enum {
    LOOPS = 32,   /* that helpers see at a time; further callers work alone */
    SPINS = 20000 /* checks for work, or for the passes of others, before a thread sleeps */
};
/* The passes of a loop are counted in half a word; longer loops are split. */
#define MAX_PASSES ((int64_t)1 << 31)

/* A loop that helpers may join. place holds the loop's number in its upper half and the next pass
 * in its lower half, so that a pass is taken from this very loop or not at all. The other fields
 * are written while the number is odd, when no thread can take a pass (each with release order, so
 * that a thread that reads a new field cannot then read the old number). */
typedef struct loop {
    _Alignas(64) atomic_ullong place;
    _Atomic(ani_pool_fn) fn;
    _Atomic(void *) context;
    atomic_llong first, count; /* first pass within the caller's loop; number of passes */
    _Alignas(64) atomic_llong done;
    atomic_bool waiting; /* the caller sleeps until all are done */
} loop;

struct ani_pool {
    int32_t threads;
    int32_t helpers; /* threads running besides the callers' */
    int32_t spins;   /* 0 if there are too few processors */
    int64_t process;
    pthread_t *handles;
    pthread_mutex_t lock; /* guards sleeping and waking */
    pthread_cond_t wake;  /* a loop has begun, or the pool is being destroyed */
    pthread_cond_t ended; /* a loop whose caller sleeps has finished its last pass */
    atomic_bool asleep;   /* a helper sleeps, and has not been woken since */
    atomic_bool stop;
    _Alignas(64) atomic_uint begun; /* counts loops, so that helpers notice a new one */
    atomic_uint taken;              /* one bit per loop in use */
    loop loops[LOOPS];
};

typedef struct helper {
    ani_pool *pool;
    int32_t worker;
} helper;

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* --- passes ----------------------------------------------------------------------------------- */

/* Return whether a helper may work alongside the current callers. */
static bool is_wanted(ani_pool *pool, int32_t worker) {
    const unsigned taken = atomic_load_explicit(&pool->taken, memory_order_relaxed);
    return worker + __builtin_popcount(taken) <= pool->threads;
}

/* Take one pass of a loop and run it; false: none is left. */
static bool do_pass(ani_pool *pool, loop *l, int32_t worker) {
    unsigned long long place = atomic_load_explicit(&l->place, memory_order_acquire);
    ani_pool_fn fn;
    void *context;
    int64_t first, count;
    do {
        if (place >> 32 & 1) return false;
        fn = atomic_load_explicit(&l->fn, memory_order_acquire);
        context = atomic_load_explicit(&l->context, memory_order_acquire);
        first = atomic_load_explicit(&l->first, memory_order_acquire);
        count = atomic_load_explicit(&l->count, memory_order_acquire);
        if ((int64_t)(place & 0xffffffff) >= count) return false;
    } while (!atomic_compare_exchange_weak_explicit(&l->place, &place, place + 1,
                                                    memory_order_acq_rel, memory_order_acquire));
    fn(context, first + (int64_t)(place & 0xffffffff), worker);
    if (atomic_fetch_add(&l->done, 1) + 1 == count && atomic_load(&l->waiting)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->ended);
        pthread_mutex_unlock(&pool->lock);
    }
    return true;
}

/* --- helpers ---------------------------------------------------------------------------------- */

/* Help with all current loops; false: there was nothing to do. */
static bool help(ani_pool *pool, int32_t worker) {
    unsigned taken = atomic_load_explicit(&pool->taken, memory_order_acquire);
    bool worked = false;
    for (; taken; taken &= taken - 1) {
        loop *l = &pool->loops[__builtin_ctz(taken)];
        while (is_wanted(pool, worker) && do_pass(pool, l, worker))
            worked = true;
    }
    return worked;
}

/* Sleep until a loop after loop number `seen` begins. */
static void sleep_until(ani_pool *pool, unsigned seen) {
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->begun) == seen) {
        atomic_store(&pool->asleep, true);
        /* Check once more: a caller raises the count first and then looks for sleepers. */
        if (atomic_load(&pool->begun) != seen) break;
        pthread_cond_wait(&pool->wake, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
}

static void *helper_main(void *argument) {
    const helper self = *(helper *)argument;
    ani_free(argument);
    ani_pool *pool = self.pool;
    unsigned seen = 0;
    int32_t spins = pool->spins;
    for (;;) {
        while (spins > 0 && atomic_load_explicit(&pool->begun, memory_order_acquire) == seen) {
            relax();
            spins--;
        }
        if (atomic_load_explicit(&pool->begun, memory_order_acquire) == seen)
            sleep_until(pool, seen);
        if (atomic_load(&pool->stop)) return NULL;
        seen = atomic_load_explicit(&pool->begun, memory_order_acquire);
        /* If others do all the work, it spins no longer than if there were none. */
        if (help(pool, self.worker)) spins = pool->spins;
    }
}

/* Tell the helpers that there is a new loop. */
static void call_helpers(ani_pool *pool) {
    atomic_fetch_add(&pool->begun, 1);
    if (!atomic_load(&pool->asleep)) return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->asleep, false);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

/* --- life ------------------------------------------------------------------------------------- */

static an_status start_helper(ani_pool *pool, an_error *err) {
    const int32_t worker = pool->helpers + 1;
    char name[24];
    helper *self = ani_alloc(sizeof *self);
    if (!self) return ani_fail_memory(err, sizeof *self, "a thread pool");
    *self = (helper){pool, worker};
    snprintf(name, sizeof name, "an-worker-%d", (int)worker);
    if (ani_thread_start(&pool->handles[pool->helpers], name, helper_main, self)) {
        ani_free(self);
        return ani_fail(err, AN_ERR_NOMEM, "cannot start thread %d of %d", (int)worker + 1,
                        (int)pool->threads);
    }
    pool->helpers++;
    return AN_OK;
}

an_status ani_pool_create(ani_pool **out, int32_t threads, an_error *err) {
    *out = NULL;
    if (threads < 1 || threads > 1024)
        return ani_fail(err, AN_ERR_ARG, "threads is %d; it must be 1 to 1024", (int)threads);
    ani_pool *pool = ani_alloc_zero(1, sizeof *pool);
    if (!pool) return ani_fail_memory(err, sizeof *pool, "a thread pool");
    pool->threads = threads;
    pool->spins = threads <= ani_cpu_count() ? SPINS : 0;
    pool->process = ani_process();
    for (int32_t i = 0; i < LOOPS; i++)
        atomic_init(&pool->loops[i].place, 1ull << 32);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->ended, NULL);
    an_status st = AN_OK;
    pool->handles = ani_alloc_zero(threads, sizeof *pool->handles);
    if (!pool->handles)
        st = ani_fail_memory(err, threads * (int64_t)sizeof *pool->handles, "a thread pool");
    while (!st && pool->helpers < threads - 1)
        st = start_helper(pool, err);
    if (st) {
        ani_pool_destroy(pool);
        return st;
    }
    *out = pool;
    return AN_OK;
}

void ani_pool_destroy(ani_pool *pool) {
    if (!pool) return;
    /* A child of fork() has no helpers to join, and the conditions they slept on cannot be
     * destroyed. */
    if (pool->process == ani_process()) {
        atomic_store(&pool->stop, true);
        call_helpers(pool);
        for (int32_t i = 0; i < pool->helpers; i++)
            pthread_join(pool->handles[i], NULL);
        pthread_cond_destroy(&pool->ended);
        pthread_cond_destroy(&pool->wake);
        pthread_mutex_destroy(&pool->lock);
    }
    ani_free(pool->handles);
    ani_free(pool);
}

int32_t ani_pool_threads(const ani_pool *pool) {
    return pool->threads;
}

/* --- loops ------------------------------------------------------------------------------------ */

/* Take a slot for a loop where helpers look; NULL: none is free. */
static loop *take_loop(ani_pool *pool) {
    unsigned taken = atomic_load_explicit(&pool->taken, memory_order_relaxed);
    int32_t free;
    do {
        if (!~taken) return NULL;
        free = __builtin_ctz(~taken);
    } while (!atomic_compare_exchange_weak(&pool->taken, &taken, taken | 1u << free));
    return &pool->loops[free];
}

static void give_loop(ani_pool *pool, loop *l) {
    atomic_fetch_and(&pool->taken, ~(1u << (l - pool->loops)));
}

/* Wait for the passes that helpers have taken. */
static void wait_for_helpers(ani_pool *pool, loop *l, int64_t count) {
    for (int32_t i = 0; i < pool->spins && atomic_load(&l->done) < count; i++)
        relax();
    if (atomic_load(&l->done) == count) return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&l->waiting, true);
    while (atomic_load(&l->done) < count)
        pthread_cond_wait(&pool->ended, &pool->lock);
    atomic_store(&l->waiting, false);
    pthread_mutex_unlock(&pool->lock);
}

/* Run passes first..first+count-1 with the helpers that are awake. */
static void run_loop(ani_pool *pool, loop *l, int64_t first, int64_t count, ani_pool_fn fn,
                     void *context) {
    const unsigned long long number = atomic_load_explicit(&l->place, memory_order_relaxed) >> 32;
    atomic_store_explicit(&l->fn, fn, memory_order_release);
    atomic_store_explicit(&l->context, context, memory_order_release);
    atomic_store_explicit(&l->first, first, memory_order_release);
    atomic_store_explicit(&l->count, count, memory_order_release);
    atomic_store_explicit(&l->done, 0, memory_order_relaxed);
    atomic_store_explicit(&l->place, (number + 1) << 32, memory_order_release);
    if (is_wanted(pool, 1)) call_helpers(pool);
    while (do_pass(pool, l, 0)) {
    }
    wait_for_helpers(pool, l, count);
    atomic_store_explicit(&l->place, (number + 2) << 32, memory_order_release);
}

void ani_pool_run(ani_pool *pool, int64_t count, ani_pool_fn fn, void *context) {
    loop *l = count > 1 && pool->threads > 1 ? take_loop(pool) : NULL;
    for (int64_t i = 0; !l && i < count; i++)
        fn(context, i, 0);
    if (!l) return;
    for (int64_t first = 0; first < count; first += MAX_PASSES) {
        const int64_t left = count - first;
        run_loop(pool, l, first, left < MAX_PASSES ? left : MAX_PASSES, fn, context);
    }
    give_loop(pool, l);
}

typedef struct watched {
    ani_watch *watch;
    ani_pool_fn fn;
    void *context;
} watched;

static void watched_pass(void *context, int64_t index, int32_t worker) {
    const watched *w = context;
    if (!ani_watch_stops(w->watch)) w->fn(w->context, index, worker);
}

void ani_pool_run_watched(ani_pool *pool, ani_watch *watch, int64_t count, ani_pool_fn fn,
                          void *context) {
    watched w = {watch, fn, context};
    ani_pool_run(pool, count, watched_pass, &w);
}
