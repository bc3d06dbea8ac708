/* SPDX-License-Identifier: MIT
 * Timing passes, and exiting on failure. */
#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { MAX_PASSES = 100000 };

double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_sort(double *values, int64_t count) {
    qsort(values, (size_t)count, sizeof *values, by_value);
}

bench_times bench_time(void (*pass)(void *user), void *user, double seconds) {
    static double ms[MAX_PASSES];
    int passes = 0;
    const double begin = bench_now();
    double before = begin;
    do {
        pass(user);
        const double after = bench_now();
        ms[passes++] = 1e3 * (after - before);
        before = after;
    } while (passes < MAX_PASSES && (passes < 3 || before - begin < seconds));
    bench_sort(ms, passes);
    return (bench_times){passes, ms[0], ms[passes / 2], 1e3 * (before - begin) / passes};
}

double bench_peak_mb(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

void bench_fail(const char *what, const char *subject) {
    fprintf(stderr, subject ? "%s: %s '%s'\n" : "%s: %s\n", program_invocation_short_name, what,
            subject);
    exit(1);
}

void bench_check(an_status status, const an_error *err) {
    if (status && status != AN_DONE) bench_fail(err->message, NULL);
}
