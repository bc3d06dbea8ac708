/* SPDX-License-Identifier: MIT
 * The library's own threads, and the process they belong to. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/** Stack size in bytes of each thread that the library starts. */
enum { ANI_THREAD_STACK = 1 << 20 };

/** Start a thread that blocks all signals, so that the program's own threads get them. name: up to
 * 15 bytes, shown by debuggers and ps -L. Returns 0 or the error code of pthread_create(). */
int ani_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument);

/** What the calling thread had blocked before ani_pipes_quiet(). */
typedef struct ani_pipes {
    sigset_t blocked;
    bool was_pending;
} ani_pipes;

/** From here to ani_pipes_restore(), a write of this thread to a connection whose other end is gone
 * is an error of the write and does not end the process by SIGPIPE: for code of others that writes
 * to sockets. */
void ani_pipes_quiet(ani_pipes *before);
void ani_pipes_restore(const ani_pipes *before);

/** The calling process. After fork(), the child has none of its parent's threads: code that waits
 * for them must first check that this process started them. */
int64_t ani_process(void);
/** AN_ERR_ARG unless the calling process is the one that made the object; what names the object, as
 * in "the backend". */
an_status ani_process_check(int64_t maker, const char *what, an_error *err);

#endif
