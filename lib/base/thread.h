/* SPDX-License-Identifier: MIT
 * Threads of the library's own, and which process they live in. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "base/error.h"

/** Bytes of stack of each thread that the library starts. */
enum { ANI_THREAD_STACK = 1 << 20 };

/** Start a thread that blocks all signals, so that the program's own threads get them. name: up to
 * 15 bytes, shown by debuggers and ps -L. Returns 0 or the code of pthread_create(). */
int ani_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument);

/** The process that calls. After fork() the child has none of its parent's threads: what waits for
 * them must look first whether it was made by this process. */
int64_t ani_process(void);
/** AN_ERR_ARG unless the calling process is the one that made what is named ("the backend"). */
an_status ani_process_check(int64_t maker, const char *what, an_error *err);

#endif
