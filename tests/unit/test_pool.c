/* SPDX-License-Identifier: MIT
 * The thread pool with several callers, turns, and quotas of control groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/quota.h"
#include "base/turns.h"
#include "support/folder.h"
#include "support/test_folder.h"

/* --- loops ------------------------------------------------------------------------------------ */

enum { CALLERS = 5, PASSES = 97, WORKERS = 4 };

typedef struct caller {
    pthread_t thread;
    ani_pool *pool;
    int seen[PASSES];
    atomic_int inside[WORKERS]; /* passes that have this worker's number now */
    atomic_int clashes;
    int64_t wrong;
    bool nests;
} caller;

static void add(void *context, int64_t index, int32_t worker) {
    (void)worker;
    atomic_fetch_add((atomic_llong *)context, index);
}

static void pass(void *context, int64_t index, int32_t worker) {
    caller *c = context;
    if (worker < 0 || worker >= WORKERS || atomic_fetch_add(&c->inside[worker], 1) > 0)
        atomic_fetch_add(&c->clashes, 1);
    c->seen[index]++;
    if (c->nests && index % 16 == 0) {
        atomic_llong sum = 0;
        ani_pool_run(c->pool, 10, add, &sum);
        if (atomic_load(&sum) != 45) atomic_fetch_add(&c->clashes, 1);
    }
    if (worker >= 0 && worker < WORKERS) atomic_fetch_sub(&c->inside[worker], 1);
}

static void *run_loops(void *data) {
    caller *c = data;
    for (int round = 0; round < 400; round++) {
        const int64_t count = round % PASSES;
        memset(c->seen, 0, sizeof c->seen);
        ani_pool_run(c->pool, count, pass, c);
        for (int64_t i = 0; i < PASSES; i++)
            c->wrong += c->seen[i] != (i < count);
    }
    return NULL;
}

/* Loops of several callers: each pass once, before its loop returns, and never two at a time with
 * the number of one worker. */
static void loops_of_several_callers(void **state) {
    (void)state;
    static caller callers[CALLERS];
    an_error err;
    for (int32_t threads = 1; threads <= WORKERS; threads++) {
        ani_pool *pool;
        assert_int_equal(ani_pool_create(&pool, threads, &err), AN_OK);
        for (int i = 0; i < CALLERS; i++) {
            memset(&callers[i], 0, sizeof callers[i]);
            callers[i].pool = pool;
            callers[i].nests = i % 2;
            assert_int_equal(pthread_create(&callers[i].thread, NULL, run_loops, &callers[i]), 0);
        }
        for (int i = 0; i < CALLERS; i++)
            pthread_join(callers[i].thread, NULL);
        for (int i = 0; i < CALLERS; i++) {
            assert_int_equal(callers[i].wrong, 0);
            assert_int_equal(atomic_load(&callers[i].clashes), 0);
        }
        ani_pool_destroy(pool);
    }
}

/* A loop whose helpers are asleep, and one that ends while a helper still has a pass. */
static void slow_pass(void *context, int64_t index, int32_t worker) {
    if (index == 1 || worker > 0) usleep(30000);
    atomic_fetch_add((atomic_llong *)context, 1);
}

static void callers_wait_for_slow_passes(void **state) {
    (void)state;
    an_error err;
    ani_pool *pool;
    assert_int_equal(ani_pool_create(&pool, 3, &err), AN_OK);
    for (int round = 0; round < 5; round++) {
        atomic_llong done = 0;
        usleep(20000);
        ani_pool_run(pool, 3, slow_pass, &done);
        assert_int_equal(atomic_load(&done), 3);
    }
    ani_pool_destroy(pool);
}

/* --- turns ------------------------------------------------------------------------------------ */

typedef struct queue {
    ani_turns turns;
    atomic_bool over;
    int64_t greedy; /* turns of the thread that takes one after another */
    int inside;     /* guarded by the turn */
    bool clash;
} queue;

static bool somebody_waits(queue *q) {
    pthread_mutex_lock(&q->turns.lock);
    const bool waits = q->turns.first != NULL;
    pthread_mutex_unlock(&q->turns.lock);
    return waits;
}

/* Keeps each turn until another one is asked for, and at once asks again. */
static void *take_turns(void *data) {
    queue *q = data;
    while (!atomic_load(&q->over)) {
        ani_turns_take(&q->turns, NULL, NULL);
        q->clash |= q->inside++ != 0;
        q->greedy++;
        while (!atomic_load(&q->over) && !somebody_waits(q))
            sched_yield();
        q->inside--;
        ani_turns_give(&q->turns);
    }
    return NULL;
}

/* Who asks gets the turn after the one under way, however greedy its owner is. */
static void nobody_is_kept_waiting(void **state) {
    (void)state;
    queue q = {0};
    pthread_t thread;
    int64_t before = 0;
    ani_turns_init(&q.turns);
    assert_int_equal(pthread_create(&thread, NULL, take_turns, &q), 0);
    for (int i = 0; i < 200 || before < 20; i++) {
        ani_turns_take(&q.turns, NULL, NULL);
        q.clash |= q.inside++ != 0;
        assert_true(q.greedy <= before + 1);
        before = q.greedy;
        q.inside--;
        ani_turns_give(&q.turns);
    }
    atomic_store(&q.over, true);
    pthread_join(thread, NULL);
    assert_false(q.clash);
    ani_turns_clear(&q.turns);
}

/* --- turns that are given up ------------------------------------------------------------------ */

typedef struct impatient {
    ani_turns *turns;
    an_cancel *cancel;
    an_status status;
    atomic_bool done;
} impatient;

static void *wait_for_turn(void *data) {
    impatient *i = data;
    ani_watch watch = {0};
    ani_watch_begin(&watch, i->cancel);
    i->status = ani_turns_take(i->turns, &watch, NULL);
    ani_watch_end(&watch);
    if (!i->status) ani_turns_give(i->turns);
    atomic_store(&i->done, true);
    return NULL;
}

static void wait_until_queued(ani_turns *turns, int wanted) {
    for (int found = -1; found != wanted; sched_yield()) {
        pthread_mutex_lock(&turns->lock);
        found = 0;
        /* the last place is where the next one is hung in */
        for (ani_turn **at = &turns->first; at != turns->last && *at; at = (ani_turn **)*at)
            found++;
        pthread_mutex_unlock(&turns->lock);
    }
}

/* Of three who wait the first, the second or the last one gives up; the others get their turns, and
 * so does one who comes after. */
static void who_gives_up_leaves_the_queue_whole(void **state) {
    (void)state;
    for (int who = 0; who < 3; who++) {
        ani_turns turns;
        impatient all[3] = {0};
        pthread_t threads[3];
        an_cancel *cancel = NULL;
        ani_turns_init(&turns);
        assert_int_equal(an_cancel_create(&cancel, NULL), AN_OK);
        assert_int_equal(ani_turns_take(&turns, NULL, NULL), AN_OK);
        for (int i = 0; i < 3; i++) {
            all[i] = (impatient){.turns = &turns, .cancel = i == who ? cancel : NULL};
            assert_int_equal(pthread_create(&threads[i], NULL, wait_for_turn, &all[i]), 0);
            wait_until_queued(&turns, i + 1);
        }
        an_cancel_request(cancel);
        pthread_join(threads[who], NULL);
        assert_int_equal(all[who].status, AN_ERR_CANCELLED);
        impatient late = {.turns = &turns};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, wait_for_turn, &late), 0);
        wait_until_queued(&turns, 3);
        for (int i = 0; i < 3; i++)
            assert_true(i == who || !atomic_load(&all[i].done));
        ani_turns_give(&turns);
        for (int i = 0; i < 3; i++)
            if (i != who) pthread_join(threads[i], NULL);
        pthread_join(thread, NULL);
        for (int i = 0; i < 3; i++)
            assert_int_equal(all[i].status, i == who ? AN_ERR_CANCELLED : AN_OK);
        assert_int_equal(late.status, AN_OK);
        ani_turns_clear(&turns);
        an_cancel_destroy(cancel);
    }
}

/* --- quotas ----------------------------------------------------------------------------------- */

static void write_at(const char *folder, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", test_folder, folder);
    for (char *at = path + strlen(test_folder) + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = 0;
        mkdir(path, 0777);
    }
    mkdir(path, 0777);
    const size_t end = strlen(path);
    snprintf(path + end, sizeof path - end, "/%s", name);
    folder_write_text(path, text);
}

static int32_t quota(const char *groups) {
    char list[512], root[512];
    snprintf(list, sizeof list, "%s/groups", test_folder);
    snprintf(root, sizeof root, "%s/cgroup", test_folder);
    folder_write_text(list, groups);
    return ani_quota_processors(list, root);
}

static void quotas_of_control_groups(void **state) {
    (void)state;
    /* What is written, if anything, beside what the rows before wrote; the control groups of the
     * process, and the processors that they give it. */
    static const struct {
        const char *folder, *name, *text, *groups;
        int32_t processors;
    } rows[] = {
        {NULL, NULL, NULL, "0::/a/b\n", 0}, /* nothing is mounted */
        /* version 2: none, a half of one, one and a half, a parent's that is smaller */
        {"cgroup/a/b", "cpu.max", "max 100000\n", "0::/a/b\n", 0},
        {"cgroup/a/b", "cpu.max", "50000 100000\n", "0::/a/b\n", 1},
        {"cgroup/a/b", "cpu.max", "150000 100000\n", "0::/a/b\n", 2},
        {"cgroup/a/b", "cpu.max", "400000 100000\n", "0::/a/b\n", 4},
        {"cgroup/a", "cpu.max", "300000 100000\n", "0::/a/b\n", 3},
        /* the group of a container is not visible in it, its root is */
        {"cgroup", "cpu.max", "200000 100000\n", "0::/docker/0123\n", 2},
        {NULL, NULL, NULL, "0::/\n", 2},
        /* version 1, by the controllers' name and by "cpu"; -1 is no limit; other controllers */
        {"cgroup/cpu,cpuacct/x", "cpu.cfs_period_us", "100000\n", "4:cpu,cpuacct:/x\n", 0},
        {"cgroup/cpu,cpuacct/x", "cpu.cfs_quota_us", "250000\n", "5:cpuset:/x\n4:cpu,cpuacct:/x\n",
         3},
        {"cgroup/cpu/y", "cpu.cfs_period_us", "100000\n", "4:cpu,cpuacct:/y\n", 0},
        {"cgroup/cpu/y", "cpu.cfs_quota_us", "-1\n", "4:cpu,cpuacct:/y\n", 0},
        {"cgroup/cpu/y", "cpu.cfs_quota_us", "100000\n", "4:cpu,cpuacct:/y\n", 1},
        {NULL, NULL, NULL, "4:cpuset,memory:/y\n", 0},
        /* strange texts limit nothing */
        {"cgroup", "cpu.max", "many\n", "0::/\n", 0},
        {"cgroup", "cpu.max", "100000 0\n", "0::/\n", 0},
        {"cgroup", "cpu.max", "9223372036854775807 1\n", "0::/\nno line\n:\n", 0},
    };
    assert_int_equal(ani_quota_processors("/nowhere", "/nowhere"), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].folder) write_at(rows[i].folder, rows[i].name, rows[i].text);
        const int32_t found = quota(rows[i].groups);
        if (found != rows[i].processors)
            fail_msg("row %zu: %d processors, expected %d", i, (int)found, (int)rows[i].processors);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_of_several_callers),
        cmocka_unit_test(callers_wait_for_slow_passes),
        cmocka_unit_test(nobody_is_kept_waiting),
        cmocka_unit_test(who_gives_up_leaves_the_queue_whole),
        unit_test_in_folder(quotas_of_control_groups),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
