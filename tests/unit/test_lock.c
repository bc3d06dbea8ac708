/* SPDX-License-Identifier: MIT
 * lock: one holder of a run's files at a time, whatever threads and processes do. That trainers
 * take it is shown by test_checkpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <attractivenet/train.h>

#include "support/folder.h"
#include "support/scratch.h"
#include "support/test_folder.h"

/* Hold the lock for a moment, again and again; a second holder would find the file of the first. */
enum { ROUNDS = 30, THREADS = 3, PROCESSES = 3 };

typedef struct racer {
    char path[4096], mark[4096];
    int64_t held;
    bool is_broken;
} racer;

static void *race(void *user) {
    racer *r = user;
    while (r->held < ROUNDS && !r->is_broken) {
        an_run_lock *lock = NULL;
        an_error err;
        const an_status st = an_run_lock_create(&lock, r->path, &err);
        if (st) {
            r->is_broken = st != AN_ERR_IO || !strstr(err.message, "is in use");
            continue;
        }
        const int mark = open(r->mark, O_CREAT | O_EXCL | O_WRONLY, 0666);
        r->is_broken = mark < 0 || unlink(r->mark) < 0;
        if (mark >= 0) close(mark);
        an_run_lock_destroy(lock);
        r->held++;
    }
    return NULL;
}

static bool race_on_threads(void) {
    static racer racers[THREADS];
    pthread_t threads[THREADS];
    bool is_broken = false;
    for (int i = 0; i < THREADS; i++) {
        snprintf(racers[i].path, sizeof racers[i].path, "%s", folder_path(test_folder, "run"));
        snprintf(racers[i].mark, sizeof racers[i].mark, "%s", folder_path(test_folder, "mark"));
        if (pthread_create(&threads[i], NULL, race, &racers[i])) return true;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        is_broken |= racers[i].is_broken;
    }
    return is_broken;
}

static void there_is_one_holder_at_a_time(void **state) {
    (void)state;
    pid_t children[PROCESSES];
    int status;
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (!children[i]) _exit(race_on_threads());
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(folder_count(test_folder), 0);
}

/* What a child of fork() inherits is its parent's: it gives nothing back by destroying it. */
static void a_child_does_not_give_up_its_parent_s_lock(void **state) {
    (void)state;
    an_run_lock *lock = NULL;
    int status;
    assert_int_equal(an_run_lock_create(&lock, folder_path(test_folder, "run"), NULL), AN_OK);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        an_run_lock *own = NULL;
        int bad = an_run_lock_create(&own, folder_path(test_folder, "run"), NULL) != AN_ERR_IO;
        an_run_lock_destroy(lock);
        bad |= an_run_lock_create(&own, folder_path(test_folder, "run"), NULL) != AN_ERR_IO;
        bad |= an_run_lock_create(&own, folder_path(test_folder, "run2"), NULL) != AN_OK;
        an_run_lock_destroy(own);
        _exit(bad);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(folder_count(test_folder), 1);
    an_run_lock_destroy(lock);
    assert_int_equal(folder_count(test_folder), 0);
}

/* A child that goes on after its parent's death, as a worker of a killed program may. */
static void an_orphan_may_take_its_parent_s_lock(void **state) {
    (void)state;
    const char *path = folder_path(test_folder, "run");
    int result[2];
    char byte = 0;
    assert_int_equal(pipe(result), 0);
    const pid_t parent = fork();
    assert_true(parent >= 0);
    if (!parent) {
        an_run_lock *lock = NULL;
        if (an_run_lock_create(&lock, path, NULL)) _exit(1);
        const pid_t gone = getpid();
        if (fork()) _exit(0);
        while (getppid() == gone)
            usleep(1000);
        byte = an_run_lock_create(&lock, path, NULL) == AN_OK ? 'y' : 'n';
        _exit(write(result[1], &byte, 1) != 1);
    }
    close(result[1]); /* else a child that dies would be waited for without end */
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    assert_int_equal(read(result[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    close(result[0]);
    scratch_clear(test_folder);
}

/* The name of a lock may be relative, and the process goes elsewhere. */
static void a_lock_removes_its_own_file_only(void **state) {
    (void)state;
    an_run_lock *lock = NULL, *other = NULL;
    assert_int_equal(mkdir(folder_path(test_folder, "sub"), 0777), 0);
    assert_int_equal(chdir(folder_path(test_folder, "sub")), 0);
    assert_int_equal(an_run_lock_create(&lock, "run", NULL), AN_OK);
    assert_int_equal(chdir(test_folder), 0);
    assert_int_equal(an_run_lock_create(&other, "run", NULL), AN_OK);
    an_run_lock_destroy(lock);
    assert_int_equal(access("run.lock", F_OK), 0);
    an_run_lock_destroy(other);
    assert_int_equal(access("run.lock", F_OK), -1);
    assert_int_equal(access("sub/run.lock", F_OK), 0);
    assert_int_equal(chdir("/"), 0);
    scratch_clear(test_folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(there_is_one_holder_at_a_time),
        unit_test_in_folder(a_child_does_not_give_up_its_parent_s_lock),
        unit_test_in_folder(an_orphan_may_take_its_parent_s_lock),
        unit_test_in_folder(a_lock_removes_its_own_file_only),
    };
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
