/* SPDX-License-Identifier: MIT
 * Starting threads, their SIGPIPE, and telling a child process from its parent. */
#include "base/thread.h"

#include <time.h>
#include <unistd.h>

int ani_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument) {
    pthread_attr_t attributes;
    sigset_t all, before;
    int code = pthread_attr_init(&attributes);
    if (code) return code;
    pthread_attr_setstacksize(&attributes, ANI_THREAD_STACK);
    sigfillset(&all);
    /* A thread inherits the signal mask of the one that starts it. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(thread, &attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!code) pthread_setname_np(*thread, name);
    return code;
}

void ani_pipes_quiet(ani_pipes *before) {
    sigset_t pipe, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before->blocked);
    before->was_pending = !sigpending(&pending) && sigismember(&pending, SIGPIPE) == 1;
}

void ani_pipes_restore(const ani_pipes *before) {
    const struct timespec at_once = {0, 0};
    sigset_t pipe, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    /* the one that a write has raised */
    if (!before->was_pending && !sigpending(&pending) && sigismember(&pending, SIGPIPE) == 1)
        sigtimedwait(&pipe, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before->blocked, NULL);
}

int64_t ani_process(void) {
    return getpid();
}

an_status ani_process_check(int64_t maker, const char *what, an_error *err) {
    const int64_t here = ani_process();
    if (here == maker) return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "%s was made by process %lld, before fork(), and process %lld has none of its "
                    "threads; make a new one here",
                    what, (long long)maker, (long long)here);
}
