/* SPDX-License-Identifier: MIT
 * A thread pool for loops whose passes are independent. What a pass does may depend on its index,
 * never on which thread runs it or when, so results do not depend on the number of threads. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdint.h>

#include "base/cancel.h"

typedef struct ani_pool ani_pool;

/** One pass: index is 0..count-1; worker is 0..threads-1. Passes of one loop that run at the same
 * time have different workers, so a loop can have scratch memory for each worker. Passes of
 * different loops may have the same worker: scratch memory must not belong to the pool. */
typedef void (*ani_pool_fn)(void *context, int64_t index, int32_t worker);

/** Create a pool of `threads` threads in total, one of which is the caller of ani_pool_run(). */
an_status ani_pool_create(ani_pool **out, int32_t threads, an_error *err);
/** NULL is allowed. In a child of the process that made the pool it waits for no thread. */
void ani_pool_destroy(ani_pool *pool);
int32_t ani_pool_threads(const ani_pool *pool);
/** Run fn for 0..count-1 and return when all passes are done. Any thread may call it at any time,
 * even inside a pass: loops run side by side and share the pool's threads. */
void ani_pool_run(ani_pool *pool, int64_t count, ani_pool_fn fn, void *context);
/** The same for a call that may be cancelled: passes that have not begun by then are skipped. The
 * caller asks the watch whether that happened. */
void ani_pool_run_watched(ani_pool *pool, ani_watch *watch, int64_t count, ani_pool_fn fn,
                          void *context);

#endif
