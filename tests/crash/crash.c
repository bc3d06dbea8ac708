/* SPDX-License-Identifier: MIT
 * Interrupts a short training in two stages, resumes it, and compares what it leaves, bit for bit,
 * with what an uninterrupted one leaves.
 *
 * usage: test_crash cut COUNT    pause after a step and go on in new objects, at COUNT places
 *        test_crash kill COUNT   kill the process that trains COUNT times, at any moment: every
 *                                other time within a call of the file layer
 *
 * Places and moments are drawn by AN_SEED (any text; default "1"). */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/random.h"
#include "support/scratch.h"
#include "support/training.h"

static ani_stream draws;

static int64_t draw(int64_t below) {
    return (int64_t)(ani_stream_next(&draws) % (uint64_t)below);
}

static void seed_draws(void) {
    const char *text = getenv("AN_SEED");
    uint32_t hash = 2166136261u;
    if (!text || !*text) text = "1";
    printf("# seed %s\n", text);
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    draws = ani_stream_begin(hash, 0, 0);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

_Noreturn static void stop(const char *what) {
    printf("Bail out! %s\n", what);
    exit(1);
}

/* --- folders: all in one, which goes at the end ----------------------------------------------- */

static char *top;

/* An empty folder; the name is kept until the next call for the same number. */
static const char *make_folder(int number) {
    static char names[TRAINING_VARIANTS + 1][4096];
    char *name = names[number];
    snprintf(name, sizeof names[0], "%s/%d", top, number);
    scratch_clear(name);
    if (mkdir(name, 0777) && errno != EEXIST) stop("cannot make a folder");
    return name;
}

/* --- cuts ------------------------------------------------------------------------------------- */

static const int32_t thread_counts[] = {1, 2, 3, 7};

/* Train with a pause after so many steps, again and again until it is through. */
static bool cut_and_resume(const char *folder, int32_t variant, int32_t first, const char *good) {
    an_error err;
    an_status st = AN_ERR_CANCELLED;
    int32_t runs = 0;
    for (int32_t after = first; st == AN_ERR_CANCELLED; after = 1 + (int32_t)draw(16), runs++) {
        training t = {.folder = folder,
                      .variant = variant,
                      .threads = thread_counts[draw(4)],
                      .pause_step = after,
                      .seconds = draw(2) ? 0 : 60};
        st = training_run(&t, &err);
    }
    const char *differs = st ? NULL : training_compare(folder, good);
    if (st || differs) {
        printf("not ok - cut after step %d: %s\n# %s\n", (int)first, training_names[variant],
               st ? err.message : differs);
        return false;
    }
    printf("ok - cut after step %d and %d times more: %s\n", (int)first, (int)runs - 2,
           training_names[variant]);
    return true;
}

static int cut(int64_t count) {
    int failed = 0;
    int32_t steps[TRAINING_VARIANTS];
    const char *good[TRAINING_VARIANTS];
    for (int32_t variant = 0; variant < TRAINING_VARIANTS; variant++) {
        an_error err;
        training t = {.folder = make_folder(variant), .variant = variant, .seconds = 60};
        if (training_run(&t, &err)) stop(err.message);
        good[variant] = t.folder;
        steps[variant] = t.steps;
    }
    for (int64_t i = 0; i < count; i++) {
        const int32_t variant = (int32_t)(i % TRAINING_VARIANTS);
        const int32_t first = 1 + (int32_t)draw(steps[variant]);
        failed += !cut_and_resume(make_folder(TRAINING_VARIANTS), variant, first, good[variant]);
        fflush(stdout);
    }
    return failed;
}

/* --- kills ------------------------------------------------------------------------------------ */

/* When to kill: after a time, or as soon as a call of a kind is made. */
typedef struct moment {
    double seconds; /* 0: by call */
    int kind;       /* ANI_FAULT_* */
    int64_t call;
} moment;

static void *wait_for_call(void *data) {
    const moment *when = data;
    while (ani_fault_calls(when->kind) <= when->call)
        sched_yield();
    kill(getpid(), SIGKILL);
    return NULL;
}

/* In a process of its own. */
_Noreturn static void train_and_exit(const char *folder, const moment *when) {
    static moment mine; /* lives as long as the thread */
    pthread_t thread;
    an_error err;
    training t = {.folder = folder, .threads = 2};
    if (when && when->seconds <= 0) {
        mine = *when;
        ani_fault_arm(mine.kind, INT64_MAX, EIO, false); /* counts */
        if (pthread_create(&thread, NULL, wait_for_call, &mine)) _exit(3);
    }
    if (!training_run(&t, &err)) _exit(0);
    fprintf(stderr, "# %s\n", err.message);
    _exit(1);
}

/* Returns the exit status, -1 if it was killed. */
static int run_child(const char *folder, const moment *when) {
    int status = 0;
    fflush(NULL);
    const pid_t child = fork();
    if (child < 0) stop("cannot fork");
    if (child == 0) train_and_exit(folder, when);
    const double end = when && when->seconds > 0 ? now() + when->seconds : INFINITY;
    pid_t done = 0;
    while (!done && isfinite(end) && now() < end) {
        done = waitpid(child, &status, WNOHANG);
        usleep(200);
    }
    if (!done && isfinite(end)) kill(child, SIGKILL);
    if (!done) done = waitpid(child, &status, 0);
    if (done != child) stop("cannot wait");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_readable(const char *folder, an_error *err) {
    char path[4200];
    an_checkpoint *checkpoint = NULL;
    snprintf(path, sizeof path, "%s/checkpoint", folder);
    const an_status st = an_checkpoint_read(&checkpoint, path, NULL, NULL, err);
    an_checkpoint_destroy(checkpoint);
    return st == AN_OK || st == AN_DONE;
}

/* Kill one run again and again until it is through. *seconds: what a run takes, less when the
 * machine has less to do. Returns how often; -1: something was wrong. */
static int64_t kill_run(const char *folder, const char *good, double *seconds, int64_t most) {
    an_error err;
    int64_t kills = 0;
    for (int status = -1; status < 0;) {
        const bool by_call = draw(2);
        const double begun = now();
        const moment when = {.seconds = by_call ? 0 : *seconds * (double)(1 + draw(1000)) / 1000,
                             .kind = ANI_FAULT_OPEN + (int)draw(ANI_FAULT_KINDS - ANI_FAULT_OPEN),
                             .call = draw(40)};
        status = run_child(folder, kills < most ? &when : NULL);
        if (status > 0) {
            printf("not ok - kill %d\n# the run does not go on\n", (int)kills);
            return -1;
        }
        kills += status < 0;
        if (status == 0 && kills == 0) *seconds = fmin(*seconds, now() - begun);
        if (is_readable(folder, &err)) continue;
        printf("not ok - kill %d\n# no checkpoint can be read: %s\n", (int)kills, err.message);
        return -1;
    }
    const char *differs = training_compare(folder, good);
    if (!differs) {
        printf("ok - killed %d times, then to the end\n", (int)kills);
        return kills;
    }
    printf("not ok - killed %d times\n# %s differs\n", (int)kills, differs);
    return -1;
}

static int kills(int64_t count) {
    const char *good = make_folder(0);
    const double begun = now();
    if (run_child(good, NULL)) stop("the training fails");
    double seconds = now() - begun;
    printf("# a run takes %.2f s\n", seconds);
    for (int64_t done = 0; done < count;) {
        const int64_t more = kill_run(make_folder(1), good, &seconds, count - done);
        fflush(stdout);
        if (more < 0) return 1;
        done += more;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 3 || (strcmp(argv[1], "cut") != 0 && strcmp(argv[1], "kill") != 0)) {
        fprintf(stderr, "usage: %s cut|kill COUNT\n", argv[0]);
        return 2;
    }
    const double begun = now();
    top = scratch_make(true); /* checkpoints are synced, and there are many */
    if (!top) stop("cannot make a folder");
    seed_draws();
    const int failed = argv[1][0] == 'c' ? cut(atoll(argv[2])) : kills(atoll(argv[2]));
    scratch_remove(top);
    printf("# %s times: %.1f s\n", argv[2], now() - begun);
    return failed ? 1 : 0;
}
