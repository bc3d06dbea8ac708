/* SPDX-License-Identifier: MIT
 * What each collective call gives, between threads of this process (local) and over messages (a
 * fake wire); and what happens when a rank fails, does not come, or makes another call than the
 * others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "comm/comm.h"
#include "support/backends.h"
#include "support/fake_wire.h"

enum { MOST_RANKS = 7 };

static const int32_t sizes[] = {1, 2, 3, 4, 7};
enum { SIZES = sizeof sizes / sizeof *sizes };

static an_error error;

/* --- ranks ------------------------------------------------------------------------------------ */

typedef struct rank {
    an_comm *comm;
    pthread_t thread;
    void (*act)(struct rank *);
    fake_place place; /* of a wire */
    double deadline;
    an_backend *backend;
    an_status status;
    an_error err;
    double seconds;
    bool stays;      /* the communicator is not released by its own thread */
    char wrong[300]; /* what was not as expected; "" */
} rank;

static rank ranks[MOST_RANKS];
static fake_net net;

static void *run_rank(void *data) {
    rank *r = data;
    const double began = ani_clock_seconds();
    if (!r->comm)
        r->status = ani_comm_wire_create(&r->comm, &fake_wire, &r->place, r->deadline, &r->err);
    if (!r->status) r->act(r);
    r->seconds = ani_clock_seconds() - began;
    if (r->place.net && !r->stays) {
        an_comm_destroy(r->comm);
        r->comm = NULL;
    }
    return NULL;
}

static void run_all(int32_t size) {
    for (int32_t r = 0; r < size; r++)
        assert_int_equal(pthread_create(&ranks[r].thread, NULL, run_rank, &ranks[r]), 0);
    for (int32_t r = 0; r < size; r++)
        pthread_join(ranks[r].thread, NULL);
    for (int32_t r = 0; r < size; r++)
        an_comm_destroy(ranks[r].comm);
}

/* Do the same on every rank, each on a thread. */
static void run_on(int32_t size, double deadline, void (*act)(rank *)) {
    an_comm *comms[MOST_RANKS];
    if (ani_comm_local_create(comms, size, deadline, &error)) fail_msg("%s", error.message);
    for (int32_t r = 0; r < size; r++) {
        ranks[r] = (rank){.comm = comms[r], .act = act};
        assert_int_equal(comms[r]->rank, r);
        assert_int_equal(comms[r]->size, size);
    }
    run_all(size);
}

/* The same over a wire, whose faults are set already. */
static void run_on_wire(int32_t size, double deadline, void (*act)(rank *)) {
    for (int32_t r = 0; r < size; r++)
        ranks[r] = (rank){.place = {&net, r}, .deadline = deadline, .act = act};
    run_all(size);
    fake_net_clear(&net);
}

static void expect_no_failure(int32_t size) {
    for (int32_t r = 0; r < size; r++) {
        if (ranks[r].status) fail_msg("rank %d of %d: %s", r, size, ranks[r].err.message);
        if (*ranks[r].wrong) fail_msg("rank %d of %d: %s", r, size, ranks[r].wrong);
    }
}

static void expect_failure(int32_t r, an_status status, const char *part) {
    if (ranks[r].status != status || !strstr(ranks[r].err.message, part))
        fail_msg("rank %d: %s '%s', expected %s with '%s'", r, an_status_name(ranks[r].status),
                 ranks[r].err.message, an_status_name(status), part);
}

#define WRONG(r, ...) ((r)->wrong[0] ? 0 : snprintf((r)->wrong, sizeof(r)->wrong, __VA_ARGS__))

/* Every number of ranks, both kinds. */
static void run_everywhere(void (*act)(rank *)) {
    for (int k = 0; k < SIZES; k++) {
        run_on(sizes[k], 30, act);
        expect_no_failure(sizes[k]);
        fake_net_init(&net, sizes[k]);
        run_on_wire(sizes[k], 30, act);
        expect_no_failure(sizes[k]);
        assert_int_equal(net.ended, sizes[k]);
    }
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* What rank r has as element i: of different magnitudes, so that the order of a sum is seen. */
static double value_of(int32_t r, int64_t i) {
    const uint32_t mixed = ((uint32_t)r * 7919u + (uint32_t)i * 104729u + 12345u) * 2654435761u;
    return ((double)mixed / 4294967296.0 - 0.5) * (r % 2 ? 1e6 : 1);
}

static void sum_floats(rank *r) {
    static const int64_t counts[] = {0, 1, 2, 5, 31, 1023, 1025, 70001};
    for (size_t k = 0; k < sizeof counts / sizeof *counts && !r->status; k++) {
        const int64_t count = counts[k];
        float *x = malloc(((size_t)count + 1) * sizeof *x);
        for (int64_t i = 0; i < count; i++)
            x[i] = (float)value_of(r->comm->rank, i);
        x[count] = 42;
        r->status = ani_comm_sum(r->comm, r->backend, x, count, ANI_COMM_FLOAT, &r->err);
        for (int64_t i = 0; i < count && !r->status; i++) {
            double sum = (float)value_of(0, i);
            for (int32_t other = 1; other < r->comm->size; other++)
                sum += (float)value_of(other, i);
            if (x[i] != (float)sum)
                WRONG(r, "element %d of %d: %.9g, expected %.9g", (int)i, (int)count, (double)x[i],
                      sum);
        }
        if (x[count] != 42) WRONG(r, "%d floats: written past the end", (int)count);
        free(x);
    }
}

static void sum_doubles(rank *r) {
    static const int64_t counts[] = {0, 1, 3, 4, 1024, 3001};
    for (size_t k = 0; k < sizeof counts / sizeof *counts && !r->status; k++) {
        double *x = malloc((size_t)counts[k] * sizeof *x + 1);
        for (int64_t i = 0; i < counts[k]; i++)
            x[i] = value_of(r->comm->rank, i);
        r->status = ani_comm_sum(r->comm, r->backend, x, counts[k], ANI_COMM_DOUBLE, &r->err);
        for (int64_t i = 0; i < counts[k] && !r->status; i++) {
            double sum = value_of(0, i);
            for (int32_t other = 1; other < r->comm->size; other++)
                sum += value_of(other, i);
            if (x[i] != sum) WRONG(r, "element %d: %.17g, expected %.17g", (int)i, x[i], sum);
        }
        free(x);
    }
}

static void a_sum_has_the_order_of_the_ranks(void **state) {
    (void)state;
    run_everywhere(sum_floats);
    run_everywhere(sum_doubles);
}

static void broadcast_from_each(rank *r) {
    char text[37];
    for (int32_t root = 0; root < r->comm->size && !r->status; root++) {
        memset(text, r->comm->rank == root ? 'a' + root : '?', sizeof text);
        r->status = ani_comm_broadcast(r->comm, NULL, text, sizeof text - 1, root, &r->err);
        for (size_t i = 0; i < sizeof text - 1; i++)
            if (text[i] != 'a' + root) WRONG(r, "byte %d from %d is '%c'", (int)i, root, text[i]);
        if (text[36] != (r->comm->rank == root ? 'a' + root : '?')) WRONG(r, "one byte too many");
        if (!r->status) r->status = ani_comm_broadcast(r->comm, NULL, NULL, 0, root, &r->err);
    }
}

static void a_broadcast_copies_the_root_s_bytes(void **state) {
    (void)state;
    run_everywhere(broadcast_from_each);
}

/* Of rank q there are (q * 5) % 7 bytes: rank 0 has none, and so has rank 7 of more. */
static void gather_all(rank *r) {
    int64_t bytes[MOST_RANKS], before = 0, total = 0;
    char mine[7], all[64], expected[64];
    for (int32_t q = 0; q < r->comm->size; q++) {
        if (q == r->comm->rank) before = total;
        bytes[q] = q * 5 % 7;
        memset(expected + total, 'A' + q, (size_t)bytes[q]);
        total += bytes[q];
    }
    memset(mine, 'A' + r->comm->rank, sizeof mine);
    for (int in_place = 0; in_place < 2 && !r->status; in_place++) {
        memset(all, '.', sizeof all);
        if (in_place) memcpy(all + before, mine, (size_t)bytes[r->comm->rank]);
        r->status =
            ani_comm_gather(r->comm, NULL, in_place ? all + before : mine, all, bytes, &r->err);
        if (memcmp(all, expected, (size_t)total) || all[total] != '.')
            WRONG(r, "got '%.*s', expected '%.*s'", (int)total + 1, all, (int)total, expected);
    }
}

static void a_gather_puts_the_ranks_one_after_another(void **state) {
    (void)state;
    run_everywhere(gather_all);
}

static int64_t shared_rows[MOST_RANKS * 3];

static void gather_into_one_place(rank *r) {
    int64_t bytes[MOST_RANKS];
    for (int32_t q = 0; q < r->comm->size; q++)
        bytes[q] = 3 * (int64_t)sizeof *shared_rows;
    int64_t *mine = shared_rows + (int64_t)r->comm->rank * 3;
    for (int i = 0; i < 3; i++)
        mine[i] = r->comm->rank * 10 + i;
    r->status = ani_comm_gather(r->comm, NULL, mine, shared_rows, bytes, &r->err);
    for (int32_t i = 0; i < r->comm->size * 3; i++)
        if (shared_rows[i] != i / 3 * 10 + i % 3) WRONG(r, "row %d", i);
}

static void ranks_may_gather_into_the_same_memory(void **state) {
    (void)state;
    run_on(7, 30, gather_into_one_place);
    expect_no_failure(7);
}

static void agree_on_some(rank *r) {
    const int32_t own = r->comm->rank, size = r->comm->size;
    int64_t values[5] = {own, -own, own == 1 ? INT64_MAX : INT64_MIN, 7, own % 2};
    const int64_t expected[5] = {size - 1, 0, size > 1 ? INT64_MAX : INT64_MIN, 7, size > 1};
    r->status = ani_comm_agree(r->comm, values, 5, &r->err);
    for (int i = 0; i < 5; i++)
        if (values[i] != expected[i]) WRONG(r, "value %d is %lld", i, (long long)values[i]);
    int64_t one = own;
    if (!r->status) r->status = ani_comm_agree(r->comm, &one, 1, &r->err);
    if (one != size - 1) WRONG(r, "the greatest rank is %lld", (long long)one);
}

static void ranks_agree_on_the_maximum(void **state) {
    (void)state;
    run_everywhere(agree_on_some);
}

static atomic_int came;

static void come_late(rank *r) {
    for (int round = 1; round <= 15 && !r->status; round++) {
        if (round % r->comm->size == r->comm->rank) usleep(2000);
        atomic_fetch_add(&came, 1);
        r->status = ani_comm_agree(r->comm, NULL, 0, &r->err);
        if (atomic_load(&came) < round * r->comm->size) WRONG(r, "round %d began early", round);
        if (!r->status) r->status = ani_comm_agree(r->comm, NULL, 0, &r->err);
    }
}

static void without_numbers_ranks_wait_for_each_other(void **state) {
    (void)state;
    for (int k = 0; k < SIZES; k++) {
        atomic_store(&came, 0);
        run_on(sizes[k], 30, come_late);
        expect_no_failure(sizes[k]);
        atomic_store(&came, 0);
        fake_net_init(&net, sizes[k]);
        run_on_wire(sizes[k], 30, come_late);
        expect_no_failure(sizes[k]);
    }
}

/* All kinds of calls, one straight after another. */
static void mix_calls(rank *r) {
    const int32_t size = r->comm->size;
    float x[67];
    for (int round = 0; round < 70 && !r->status; round++) {
        const int64_t count = round % 67;
        int64_t most = r->comm->rank + round;
        for (int64_t i = 0; i < count; i++)
            x[i] = (float)(r->comm->rank + round);
        r->status = ani_comm_sum(r->comm, NULL, x, count, ANI_COMM_FLOAT, &r->err);
        for (int64_t i = 0; i < count; i++)
            if (x[i] != (float)(size * (size - 1) / 2 + size * round)) WRONG(r, "sum %d", round);
        if (!r->status) r->status = ani_comm_agree(r->comm, &most, 1, &r->err);
        if (most != size - 1 + round) WRONG(r, "maximum %d", round);
        int32_t word = r->comm->rank;
        if (!r->status)
            r->status =
                ani_comm_broadcast(r->comm, NULL, &word, sizeof word, round % size, &r->err);
        if (word != round % size) WRONG(r, "broadcast %d", round);
        if (!r->status) r->status = ani_comm_wait(r->comm, NULL, &r->err);
    }
    if (size > 1 && !(r->comm->seconds > 0)) WRONG(r, "no time was spent");
}

static void calls_follow_each_other(void **state) {
    (void)state;
    run_everywhere(mix_calls);
}

/* The memory of a backend that is the host's own. */
static void sum_on_backends(rank *r) {
    r->backend = test_backend_make("cpu", NULL, 1);
    sum_floats(r);
    if (!r->status) r->status = ani_comm_wait(r->comm, r->backend, &r->err);
    if (r->comm->scratch) WRONG(r, "memory of the host was copied");
    an_backend_destroy(r->backend);
}

static void backends_on_the_host_need_no_copy(void **state) {
    (void)state;
    run_on(3, 30, sum_on_backends);
    expect_no_failure(3);
}

static void slices_are_a_partition(void **state) {
    (void)state;
    for (int32_t size = 1; size < 70; size++)
        for (int64_t count = 0; count < 150; count++) {
            assert_int_equal(ani_comm_slice(count, 0, size), 0);
            assert_int_equal(ani_comm_slice(count, size, size), count);
            for (int32_t r = 0; r < size; r++) {
                const int64_t own =
                    ani_comm_slice(count, r + 1, size) - ani_comm_slice(count, r, size);
                assert_true(own == count / size || own == count / size + 1);
                assert_int_equal(ani_comm_slice(count, r, size), count * r / size);
            }
        }
    assert_int_equal(ani_comm_slice(INT64_MAX - 1, 5, 6), (INT64_MAX - 1) / 6 * 5);
}

/* --- failure ---------------------------------------------------------------------------------- */

static void never_come(rank *r) {
    float x = 1;
    r->status = ani_comm_sum(r->comm, NULL, &x, 1, ANI_COMM_FLOAT, &r->err);
    if (r->status || r->comm->rank == 2) return;
    r->status = ani_comm_agree(r->comm, NULL, 0, &r->err);
}

static void a_rank_that_does_not_come_is_named(void **state) {
    (void)state;
    run_on(4, 0.2, never_come);
    for (int r = 0; r < 4; r++)
        if (r != 2) {
            expect_failure(r, AN_ERR_IO,
                           "rank 2 of this process has not come to an agreement within 0.2");
            assert_true(ranks[r].seconds >= 0.2 && ranks[r].seconds < 10);
        }
    assert_int_equal(ranks[2].status, AN_OK);
}

static void come_alone(rank *r) {
    if (r->comm->rank != 3) return;
    int32_t word = 0;
    r->status = ani_comm_broadcast(r->comm, NULL, &word, sizeof word, 0, &r->err);
}

static void several_ranks_that_do_not_come_are_counted(void **state) {
    (void)state;
    run_on(4, 0.05, come_alone);
    expect_failure(3, AN_ERR_IO,
                   "rank 0 of this process, like 2 others, has not come to a broadcast");
}

static void come_after_long(rank *r) {
    if (r->comm->rank == 1) usleep(900000);
    r->status = ani_comm_agree(r->comm, NULL, 0, &r->err);
}

static void come_after_the_deadline(rank *r) {
    if (r->comm->rank == 1) usleep(150000);
    r->status = ani_comm_agree(r->comm, NULL, 0, &r->err);
    an_error again = {0};
    if (ani_comm_agree(r->comm, NULL, 0, &again) != r->status) WRONG(r, "the next call succeeds");
    if (ani_comm_wait(r->comm, NULL, &again) != r->status) WRONG(r, "waiting succeeds");
    if (strcmp(again.message, r->err.message) != 0) WRONG(r, "another message: %s", again.message);
}

static void who_comes_too_late_fails_as_the_others(void **state) {
    (void)state;
    run_on(3, 0.05, come_after_the_deadline);
    for (int r = 0; r < 3; r++) {
        expect_failure(r, AN_ERR_IO, "rank 1 of this process has not come");
        assert_string_equal(ranks[r].wrong, "");
    }
}

static void stop_while_others_wait(rank *r) {
    double x[100] = {0};
    if (r->comm->rank == 1) {
        an_error why;
        usleep(30000);
        ani_fail(&why, AN_ERR_FORMAT, "'x.png' is damaged");
        an_comm_abort(r->comm, &why);
        ani_fail(&why, AN_ERR_NOMEM, "a second failure");
        an_comm_abort(r->comm, &why);
    }
    r->status = ani_comm_sum(r->comm, NULL, x, 100, ANI_COMM_DOUBLE, &r->err);
}

static void abort_wakes_all(void **state) {
    (void)state;
    for (int32_t size = 2; size <= 4; size++) {
        run_on(size, 30, stop_while_others_wait);
        for (int32_t r = 0; r < size; r++) {
            expect_failure(r, AN_ERR_FORMAT, "'x.png' is damaged");
            assert_true(ranks[r].seconds < 15);
        }
    }
}

/* Abort at any moment of the others' calls: each ends, and nobody reads what another has freed. */
static void stop_at_some_moment(rank *r) {
    for (int round = 0; round < 100000 && !r->status; round++) {
        if (r->comm->rank == 0 && round == 200) {
            an_error why;
            ani_fail(&why, AN_ERR_IO, "enough");
            an_comm_abort(r->comm, &why);
        }
        double *x = calloc(50, sizeof *x);
        r->status = ani_comm_sum(r->comm, NULL, x, 50, ANI_COMM_DOUBLE, &r->err);
        free(x);
    }
}

static void abort_between_calls_leaves_no_rank_behind(void **state) {
    (void)state;
    for (int k = 0; k < 10; k++) {
        run_on(4, 30, stop_at_some_moment);
        for (int r = 0; r < 4; r++)
            expect_failure(r, AN_ERR_IO, "enough");
    }
}

static void do_something_else(rank *r) {
    float x[4] = {0};
    r->status = ani_comm_sum(r->comm, NULL, x, r->comm->rank == 2 ? 3 : 4, ANI_COMM_FLOAT, &r->err);
}

static void different_calls_are_no_sum(void **state) {
    (void)state;
    run_on(3, 30, do_something_else);
    for (int r = 0; r < 3; r++)
        expect_failure(r, AN_ERR_INTERNAL, "ranks 0 and 2 of this process do not make the same");
}

static void leave_early(rank *r) {
    if (r->comm->rank == 0) {
        an_comm_destroy(r->comm);
        return;
    }
    r->status = ani_comm_agree(r->comm, NULL, 0, &r->err);
}

static void the_end_of_a_rank_ends_the_others_calls(void **state) {
    (void)state;
    an_comm *comms[2];
    assert_int_equal(ani_comm_local_create(comms, 2, 30, &error), AN_OK);
    for (int r = 0; r < 2; r++) {
        ranks[r] = (rank){.comm = comms[r], .act = leave_early};
        assert_int_equal(pthread_create(&ranks[r].thread, NULL, run_rank, &ranks[r]), 0);
    }
    for (int r = 0; r < 2; r++)
        pthread_join(ranks[r].thread, NULL);
    expect_failure(1, AN_ERR_IO, "rank 0 of this process has ended");
    assert_true(ranks[1].seconds < 15);
    an_comm_destroy(comms[1]);
    an_comm_destroy(NULL);
    an_comm_abort(NULL, &error);
}

/* --- failure over a wire ---------------------------------------------------------------------- */

static const char *here(void) {
    static char name[256];
    gethostname(name, sizeof name - 1);
    return name;
}

static const char *on_host(int r, const char *rest) {
    static char text[600];
    snprintf(text, sizeof text, "rank %d on '%s'%s", r, here(), rest);
    return text;
}

static void die_before_the_second_sum(rank *r) {
    float x[3] = {1, 2, 3};
    r->status = ani_comm_sum(r->comm, NULL, x, 3, ANI_COMM_FLOAT, &r->err);
    if (r->comm->rank == 2) {
        fake_net_kill(&net, 2);
        r->comm->deadline = 0.01; /* nobody answers its goodbye */
        return;
    }
    if (!r->status) r->status = ani_comm_sum(r->comm, NULL, x, 3, ANI_COMM_FLOAT, &r->err);
}

static void a_rank_that_has_died_is_named_with_its_host(void **state) {
    (void)state;
    fake_net_init(&net, 4);
    run_on_wire(4, 0.3, die_before_the_second_sum);
    for (int r = 0; r < 4; r++)
        if (r != 2) {
            expect_failure(r, AN_ERR_IO, on_host(2, " did not answer within 0.3 seconds (a sum)"));
            assert_true(ranks[r].seconds >= 0.3 && ranks[r].seconds < 10);
        }
}

static void a_broken_connection_is_noticed_at_once(void **state) {
    (void)state;
    fake_net_init(&net, 3);
    net.errors = true;
    run_on_wire(3, 60, die_before_the_second_sum);
    for (int r = 0; r < 2; r++) {
        expect_failure(r, AN_ERR_IO, on_host(2, ": the connection is gone"));
        assert_true(ranks[r].seconds < 10);
    }
}

static void sum_much(rank *r) {
    const int64_t count = 90000;
    float *x = calloc((size_t)count, sizeof *x);
    r->status = ani_comm_sum(r->comm, NULL, x, count, ANI_COMM_FLOAT, &r->err);
    free(x);
}

/* Rank 2 dies between its slice for rank 0 and that for rank 1: rank 0 waits for rank 1, which
 * waits for rank 2. */
static void the_rank_that_is_named_is_the_one_that_died(void **state) {
    (void)state;
    fake_net_init(&net, 3);
    net.dies_at[2] = 3; /* two at the first meeting, one slice */
    run_on_wire(3, 0.3, sum_much);
    for (int r = 0; r < 2; r++) {
        expect_failure(r, AN_ERR_IO, on_host(2, " did not answer within 0.3"));
        assert_null(strstr(ranks[r].err.message, "more"));
    }
    assert_int_equal(ranks[2].status, AN_ERR_IO);
}

/* A rank may die at any message; the others end, and name nobody else. */
static void a_death_at_any_message_ends_the_others(void **state) {
    (void)state;
    for (int at = 1; at < 7; at += at < 3 ? 2 : 3) {
        fake_net_init(&net, 3);
        net.dies_at[1] = at;
        run_on_wire(3, 0.05, at < 3 ? sum_much : mix_calls);
        expect_failure(0, AN_ERR_IO, "rank 1 on '");
        expect_failure(2, AN_ERR_IO, "rank 1 on '");
    }
}

static void abort_reaches_all_processes(void **state) {
    (void)state;
    for (int32_t size = 2; size <= 4; size++) {
        fake_net_init(&net, size);
        run_on_wire(size, 30, stop_while_others_wait);
        for (int32_t r = 0; r < size; r++) {
            expect_failure(r, AN_ERR_FORMAT, "'x.png' is damaged");
            assert_true(ranks[r].seconds < 15);
        }
    }
}

/* Rank 1 sleeps past the others' deadline, then comes. */
static void a_late_process_learns_that_it_was_missed(void **state) {
    (void)state;
    fake_net_init(&net, 3);
    run_on_wire(3, 0.05, come_after_long);
    for (int r = 0; r < 3; r++)
        expect_failure(r, AN_ERR_IO, on_host(1, " did not answer within 0.05"));
}

static void sum_of_another_size(rank *r) {
    double x[4] = {0};
    r->status =
        ani_comm_sum(r->comm, NULL, x, r->comm->rank == 1 ? 3 : 4, ANI_COMM_DOUBLE, &r->err);
}

static void messages_of_another_size_are_no_sum(void **state) {
    (void)state;
    fake_net_init(&net, 3);
    run_on_wire(3, 30, sum_of_another_size);
    for (int r = 0; r < 3; r++)
        expect_failure(r, AN_ERR_IO, "a message of another size");
}

/* All are there, and rank 1 makes another call. */
static void call_one_time_less(rank *r) {
    an_status st = AN_OK;
    if (r->comm->rank != 1) r->status = ani_comm_agree(r->comm, NULL, 0, &r->err);
    float x = 0;
    if (!r->status) st = ani_comm_sum(r->comm, NULL, &x, 1, ANI_COMM_FLOAT, &r->err);
    if (st) r->status = st;
}

static void different_calls_are_said_to_be_different(void **state) {
    (void)state;
    fake_net_init(&net, 2);
    run_on_wire(2, 0.2, call_one_time_less);
    for (int r = 0; r < 2; r++)
        if (!ranks[r].status) fail_msg("rank %d: the calls match", r);
}

static void end_early(rank *r) {
    if (r->comm->rank == 1) return;
    r->status = ani_comm_agree(r->comm, NULL, 0, &r->err);
}

static void a_process_that_ends_early_is_named(void **state) {
    (void)state;
    fake_net_init(&net, 3);
    run_on_wire(3, 30, end_early);
    expect_failure(0, AN_ERR_IO, on_host(1, " has ended before the others"));
    expect_failure(2, AN_ERR_IO, on_host(1, " has ended before the others"));
    assert_true(ranks[0].seconds < 15);
}

static void do_nothing(rank *r) {
    (void)r;
}

static void ranks_of_different_releases_are_refused(void **state) {
    (void)state;
    fake_net_init(&net, 3);
    net.old_rank = 1;
    run_on_wire(3, 0.3, do_nothing);
    for (int r = 0; r < 3; r += 2)
        expect_failure(r, AN_ERR_UNSUPPORTED,
                       on_host(1, " has libattractivenet 0.0.9, and rank 0"));
}

static void a_rank_that_never_starts_is_waited_for_up_to_the_deadline(void **state) {
    (void)state;
    an_comm *comm = NULL;
    fake_net_init(&net, 2);
    const fake_place place = {&net, 0};
    assert_int_equal(ani_comm_wire_create(&comm, &fake_wire, &place, 0.1, &error), AN_ERR_IO);
    assert_string_equal(error.message, "a fake MPI: the 2 ranks did not meet within 0.1 seconds");
    net.no_start = true;
    assert_int_equal(ani_comm_wire_create(&comm, &fake_wire, &place, 0.1, &error), AN_ERR_IO);
    assert_string_equal(error.message, "cannot start a fake MPI: no launcher answers");
    assert_null(comm);
    fake_net_clear(&net);
}

static void call_from_elsewhere(rank *r) {
    int64_t one = 1;
    r->status = ani_comm_agree(r->comm, &one, 1, &r->err);
    if (r->status || ani_comm_agree(r->comm, NULL, 0, &r->err)) return;
    if (r->comm->rank == 0) {
        const pid_t child = fork();
        if (child == 0)
            _exit(ani_comm_agree(r->comm, &one, 1, &r->err) == AN_ERR_ARG &&
                          strstr(r->err.message, "fork()")
                      ? 0
                      : 1);
        int code = -1;
        waitpid(child, &code, 0);
        if (code) WRONG(r, "the child's call is not refused: %d", code);
        net.wrong_thread = true;
        if (ani_comm_agree(r->comm, &one, 1, &r->err) != AN_ERR_ARG ||
            !strstr(r->err.message, "another: call from the thread"))
            WRONG(r, "another thread's call is not refused: '%s'", r->err.message);
        net.wrong_thread = false;
    }
}

static void calls_of_a_child_or_a_wrong_thread_are_refused(void **state) {
    (void)state;
    fake_net_init(&net, 2);
    run_on_wire(2, 30, call_from_elsewhere);
    expect_no_failure(2);
}

static void without_memory_there_is_no_wire(void **state) {
    (void)state;
    const fake_place place = {&net, 0};
    an_comm *comm = NULL;
    int64_t failures = 0;
    fake_net_init(&net, 1);
    for (;; failures++) {
        ani_fault_arm(ANI_FAULT_ALLOC, failures, ENOMEM, false);
        const an_status st = ani_comm_wire_create(&comm, &fake_wire, &place, 30, &error);
        ani_fault_disarm();
        if (!st) break;
        assert_int_equal(st, AN_ERR_NOMEM);
        assert_null(comm);
        net.started = 0;
    }
    assert_int_equal(failures, 5); /* itself, three arrays, room for what arrives */
    an_comm_destroy(comm);
    fake_net_clear(&net);
}

static void a_host_has_a_name(void **state) {
    (void)state;
    an_comm *comms[2];
    char here[256] = "";
    gethostname(here, sizeof here - 1);
    assert_int_equal(ani_comm_local_create(comms, 2, 30, &error), AN_OK);
    assert_string_equal(an_comm_host(comms[0], 1), here);
    assert_string_equal(an_comm_host(comms[1], 2), "");
    assert_string_equal(an_comm_host(comms[1], -1), "");
    an_comm_destroy(comms[1]);
    an_comm_destroy(comms[0]);
}

static void without_memory_there_are_no_ranks(void **state) {
    (void)state;
    an_comm *comms[3];
    int64_t failures = 0;
    for (an_status st = AN_ERR_NOMEM; st; failures++) {
        ani_fault_arm(ANI_FAULT_ALLOC, failures, ENOMEM, false);
        memset(comms, 1, sizeof comms);
        st = ani_comm_local_create(comms, 3, 30, &error);
        ani_fault_disarm();
        if (!st) break;
        assert_int_equal(st, AN_ERR_NOMEM);
        for (int r = 0; r < 3; r++)
            assert_null(comms[r]);
    }
    assert_int_equal(failures, 7); /* the room and its three arrays, three ranks */
    for (int r = 0; r < 3; r++)
        an_comm_destroy(comms[r]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_has_the_order_of_the_ranks),
        cmocka_unit_test(a_broadcast_copies_the_root_s_bytes),
        cmocka_unit_test(a_gather_puts_the_ranks_one_after_another),
        cmocka_unit_test(ranks_may_gather_into_the_same_memory),
        cmocka_unit_test(ranks_agree_on_the_maximum),
        cmocka_unit_test(without_numbers_ranks_wait_for_each_other),
        cmocka_unit_test(calls_follow_each_other),
        cmocka_unit_test(backends_on_the_host_need_no_copy),
        cmocka_unit_test(slices_are_a_partition),
        cmocka_unit_test(a_rank_that_does_not_come_is_named),
        cmocka_unit_test(several_ranks_that_do_not_come_are_counted),
        cmocka_unit_test(who_comes_too_late_fails_as_the_others),
        cmocka_unit_test(abort_wakes_all),
        cmocka_unit_test(abort_between_calls_leaves_no_rank_behind),
        cmocka_unit_test(different_calls_are_no_sum),
        cmocka_unit_test(the_end_of_a_rank_ends_the_others_calls),
        cmocka_unit_test(a_rank_that_has_died_is_named_with_its_host),
        cmocka_unit_test(a_broken_connection_is_noticed_at_once),
        cmocka_unit_test(the_rank_that_is_named_is_the_one_that_died),
        cmocka_unit_test(a_death_at_any_message_ends_the_others),
        cmocka_unit_test(abort_reaches_all_processes),
        cmocka_unit_test(a_late_process_learns_that_it_was_missed),
        cmocka_unit_test(messages_of_another_size_are_no_sum),
        cmocka_unit_test(different_calls_are_said_to_be_different),
        cmocka_unit_test(a_process_that_ends_early_is_named),
        cmocka_unit_test(ranks_of_different_releases_are_refused),
        cmocka_unit_test(a_rank_that_never_starts_is_waited_for_up_to_the_deadline),
        cmocka_unit_test(calls_of_a_child_or_a_wrong_thread_are_refused),
        cmocka_unit_test(without_memory_there_is_no_wire),
        cmocka_unit_test(a_host_has_a_name),
        cmocka_unit_test(without_memory_there_are_no_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
