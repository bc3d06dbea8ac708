/* SPDX-License-Identifier: MIT
 * Does the shim notice what is wrong? Kernels with one fault each, beside the same ones without:
 * a result that depends on the order of the threads, or the end of the process with a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda/faults.h"
#include "support/orders.h"

enum { N = FAULT_THREADS, ALL = FAULT_BLOCKS * FAULT_THREADS };

/* Return whether the kernel's result is what it should be. */
static int is_right(int fault, int is_wrong) {
    static _Alignas(16) float in[ALL + 4], out[ALL];
    unsigned counter = 0;
    for (int i = 0; i < ALL; i++) {
        in[i] = (float)(i * i % 1009);
        out[i] = -1;
    }
    assert_int_equal(fault_run(fault, is_wrong, in, out, &counter), 0);
    for (int i = 0; i < (fault == FAULT_BLOCK ? N : ALL); i++) {
        const float want = fault == FAULT_BLOCK ? in[i] + in[N + i] + in[2 * N + i]
                                                : in[i / N * N + N - 1 - i % N];
        if (out[i] != want) return 0;
    }
    return 1;
}

static void right_kernels_pass_in_all_orders(void **state) {
    (void)state;
    for (int fault = 0; fault < FAULTS; fault++)
        for (int order = 0; order < TEST_ORDERS; order++) {
            test_set_order(order);
            if (!is_right(fault, 0)) fail_msg("fault %d, order %s", fault, test_order_name(order));
        }
}

static void an_order_shows_each_missing_wait(void **state) {
    (void)state;
    for (int fault = 0; fault < FAULT_RESULTS; fault++) {
        int noticed = 0;
        for (int order = 0; order < TEST_ORDERS; order++) {
            test_set_order(order);
            noticed += !is_right(fault, 1);
        }
        if (!noticed) fail_msg("no order shows fault %d", fault);
    }
}

/* Run a wrong kernel in a child; its first line goes to text. Returns whether the child failed. */
static int fails(int fault, char *text, size_t size) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        signal(SIGABRT, SIG_DFL);
        (void)is_right(fault, 1);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    char rest[256];
    while (read(ends[0], rest, sizeof rest) > 0)
        continue;
    close(ends[0]);
    text[length] = '\0';
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status != 0;
}

static void what_no_device_may_do_ends_with_a_message(void **state) {
    (void)state;
    static const struct {
        int fault;
        const char *message;
    } cases[] = {
        {FAULT_PLACES, "while thread"},
        {FAULT_LEAVES, "for threads that have ended"},
        {FAULT_LANES, "waits for lanes of its warp that do not come"},
        {FAULT_PENDING, "before it has waited for its asynchronous copies"},
        {FAULT_MISALIGNED, "is misaligned"},
        {FAULT_NO_SHARED, "shared memory that its launch does not ask for"},
#ifdef __SANITIZE_ADDRESS__
        {FAULT_OVERRUN, "heap-buffer-overflow"},
        {FAULT_OVERRUN_ARRAY, "heap-buffer-overflow"},
        {FAULT_VECTOR, "misaligned address"},
#endif
    };
    for (int order = 0; order < TEST_ORDERS; order++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char text[4096];
            test_set_order(order);
            const int failed = fails(cases[i].fault, text, sizeof text);
            if (!failed || !strstr(text, cases[i].message))
                fail_msg("fault %d: expected \"%s\", found \"%s\"", cases[i].fault,
                         cases[i].message, text);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_kernels_pass_in_all_orders),
        cmocka_unit_test(an_order_shows_each_missing_wait),
        cmocka_unit_test(what_no_device_may_do_ends_with_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
