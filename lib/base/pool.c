/* SPDX-License-Identifier: MIT
 * Threads that wait for loops. Passes are handed out by a counter; a loop is over when all its
 * passes are. Between the many short loops of one training step the threads spin for a moment
 * before they sleep, since waking them costs more than a short loop takes. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/cpu.h"
#include "base/memory.h"

struct ani_pool {
    int32_t threads;
    int32_t started; /* threads beside the caller's that run */
    int32_t
        spins; /* looks at the clock-free counter before sleeping; 0 where processors are scarce */
    pthread_t *handles;
    pthread_mutex_t turn; /* one loop at a time */
    pthread_mutex_t lock; /* guards sleeping and waking */
    pthread_cond_t wake;

    /* the present loop; written before generation is raised */
    ani_pool_fn fn;
    void *context;
    int64_t count;
    atomic_llong next;
    atomic_int busy; /* helpers that have not yet left the present loop */
    atomic_uint generation;
    atomic_bool stop;
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

static void run_passes(ani_pool *pool, int32_t worker) {
    for (;;) {
        const long long index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (index >= pool->count) return;
        pool->fn(pool->context, index, worker);
    }
}

static void *helper_main(void *argument) {
    helper self = *(helper *)argument;
    ani_free(argument);
    ani_pool *pool = self.pool;
    unsigned seen = 0;
    for (;;) {
        for (int32_t i = 0; i < pool->spins &&
                            atomic_load_explicit(&pool->generation, memory_order_acquire) == seen;
             i++)
            relax();
        if (atomic_load_explicit(&pool->generation, memory_order_acquire) == seen) {
            pthread_mutex_lock(&pool->lock);
            while (atomic_load_explicit(&pool->generation, memory_order_acquire) == seen)
                pthread_cond_wait(&pool->wake, &pool->lock);
            pthread_mutex_unlock(&pool->lock);
        }
        seen++;
        if (atomic_load(&pool->stop)) return NULL;
        run_passes(pool, self.worker);
        atomic_fetch_sub_explicit(&pool->busy, 1, memory_order_release);
    }
}

static void raise_generation(ani_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

an_status ani_pool_create(ani_pool **out, int32_t threads, an_error *err) {
    *out = NULL;
    if (threads < 1 || threads > 1024)
        return ani_fail(err, AN_ERR_ARG, "threads is %d; it must be 1 to 1024", (int)threads);
    ani_pool *pool = ani_alloc_zero(1, sizeof *pool);
    if (!pool) return ani_fail_memory(err, sizeof *pool, "a thread pool");
    pool->threads = threads;
    pool->spins = threads <= ani_cpu_count() ? 20000 : 0;
    pthread_mutex_init(&pool->turn, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    an_status st = AN_OK;
    pool->handles = ani_alloc_zero(threads, sizeof *pool->handles);
    if (!pool->handles) {
        st = ani_fail_memory(err, threads * (int64_t)sizeof *pool->handles, "a thread pool");
        goto done;
    }
    while (pool->started < threads - 1) {
        helper *self = ani_alloc(sizeof *self);
        if (!self) {
            st = ani_fail_memory(err, sizeof *self, "a thread pool");
            goto done;
        }
        *self = (helper){pool, pool->started + 1};
        const int code = pthread_create(&pool->handles[pool->started], NULL, helper_main, self);
        if (code) {
            ani_free(self);
            st = ani_fail(err, AN_ERR_NOMEM, "cannot start thread %d of %d", (int)pool->started + 2,
                          (int)threads);
            goto done;
        }
        pool->started++;
    }
    *out = pool;
    pool = NULL;
done:
    ani_pool_destroy(pool);
    return st;
}

void ani_pool_destroy(ani_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->stop, true);
    raise_generation(pool);
    for (int32_t i = 0; i < pool->started; i++)
        pthread_join(pool->handles[i], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->turn);
    ani_free(pool->handles);
    ani_free(pool);
}

int32_t ani_pool_threads(const ani_pool *pool) {
    return pool->threads;
}

void ani_pool_run(ani_pool *pool, int64_t count, ani_pool_fn fn, void *context) {
    if (count <= 0) return;
    if (count == 1 || pool->threads == 1) {
        pthread_mutex_lock(&pool->turn);
        for (int64_t i = 0; i < count; i++)
            fn(context, i, 0);
        pthread_mutex_unlock(&pool->turn);
        return;
    }
    pthread_mutex_lock(&pool->turn);
    pool->fn = fn;
    pool->context = context;
    pool->count = count;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->busy, pool->started, memory_order_relaxed);
    raise_generation(pool);
    run_passes(pool, 0);
    /* The others are at most one pass away from the end, so waiting awake is right; where threads
     * outnumber processors they need ours to get there. */
    while (atomic_load_explicit(&pool->busy, memory_order_acquire)) {
        if (pool->spins)
            relax();
        else
            sched_yield();
    }
    pthread_mutex_unlock(&pool->turn);
}
