/* SPDX-License-Identifier: MIT
 * Locks on files that only one run may write: between processes, and between runs in one
 * process. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdbool.h>

#include "base/error.h"

/** A lock on the files that belong to a path: only its holder writes them. */
typedef struct ani_lock ani_lock;

/** Who may share a lock within the process that holds it. */
enum {
    ANI_LOCK_ALONE, /* nobody */
    ANI_LOCK_OWNER, /* locks of the same owner, and one taken earlier with ANI_LOCK_ALONE */
    ANI_LOCK_JOIN   /* everybody */
};

/**
 * Lock a path by its lock file, "PATH.lock", which exists while the lock is held. The system
 * releases the lock when the process ends, however it ends.
 *
 * Takes:   sharing: ANI_LOCK_*; owner: for ANI_LOCK_OWNER, something that lives as long as the
 *          lock.
 * Returns: AN_OK, even if the file system has no locks (ani_lock_is_effective()); AN_ERR_IO:
 *          another holder has it (the message names the folder and the process), or the lock file
 *          cannot be written; AN_ERR_NOMEM.
 */
an_status ani_lock_take(ani_lock **out, const char *path, int sharing, const void *owner,
                        an_error *err);
/** Release a lock, and remove its file with the last one; NULL is allowed. In a child of fork(),
 * only locks that the child took itself are released. */
void ani_lock_release(ani_lock *lock);
/** Return whether the file system supports locks, so that others are excluded. */
bool ani_lock_is_effective(const ani_lock *lock);

#endif
