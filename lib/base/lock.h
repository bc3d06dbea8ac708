/* SPDX-License-Identifier: MIT
 * Locks on files that only one run may write: between processes, and between the runs of one. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdbool.h>

#include "base/error.h"

/** The right to write the files of a path. */
typedef struct ani_lock ani_lock;

/** Whom a lock is shared with inside of the process that holds it. */
enum {
    ANI_LOCK_ALONE, /* nobody */
    ANI_LOCK_OWNER, /* locks of the same owner, and one that was taken alone before */
    ANI_LOCK_JOIN   /* everybody */
};

/**
 * Lock a path by its lock file, "PATH.lock", which is there while it is held. The system gives the
 * lock up when its process ends, however that is.
 *
 * Takes:   sharing: ANI_LOCK_*; owner: for ANI_LOCK_OWNER, something that lives as long as the
 *          lock.
 * Returns: AN_OK, also where the file system has no locks (ani_lock_is_effective()); AN_ERR_IO:
 *          held by somebody else (the message names the folder and the process), or the lock file
 *          cannot be written; AN_ERR_NOMEM.
 */
an_status ani_lock_take(ani_lock **out, const char *path, int sharing, const void *owner,
                        an_error *err);
/** Give a lock back, and remove its file with the last one; NULL is allowed. In a child of fork(),
 * only what the child took itself is given back. */
void ani_lock_release(ani_lock *lock);
/** Tell whether the file system keeps others out. */
bool ani_lock_is_effective(const ani_lock *lock);

#endif
