/* SPDX-License-Identifier: MIT
 * A pool of threads for loops whose passes are independent. What a pass does may depend on its
 * index, never on which thread does it or when: so results do not depend on the number of threads.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdint.h>

#include "base/cancel.h"

typedef struct ani_pool ani_pool;

/** One pass: index is 0..count-1; worker is 0..threads-1 and no two passes of one loop that run at
 * the same time have the same, for scratch memory that belongs to the loop. Passes of different
 * loops may: scratch memory must not belong to the pool. */
typedef void (*ani_pool_fn)(void *context, int64_t index, int32_t worker);

/** Make a pool of threads in all, the caller of ani_pool_run() being one of them. */
an_status ani_pool_create(ani_pool **out, int32_t threads, an_error *err);
/** NULL is allowed. In a child of the process that made the pool it waits for no thread. */
void ani_pool_destroy(ani_pool *pool);
int32_t ani_pool_threads(const ani_pool *pool);
/** Run fn for 0..count-1 and return when all is done. Any thread may call it at any time, also
 * inside a pass: loops run side by side and share the pool's threads. */
void ani_pool_run(ani_pool *pool, int64_t count, ani_pool_fn fn, void *context);
/** The same for a call that may be cancelled: passes that are not begun when it is to stop are left
 * out. The caller asks the watch whether that was so. */
void ani_pool_run_watched(ani_pool *pool, ani_watch *watch, int64_t count, ani_pool_fn fn,
                          void *context);

#endif
