/* SPDX-License-Identifier: MIT
 * Shared by the programs here: they time passes, and exit on any failure. Options are read as in
 * the installed program. */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <attractivenet/status.h>

#include "options.h"

/** The times of passes, in milliseconds. */
typedef struct bench_times {
    int passes;
    double best, median, mean;
} bench_times;

/** Call pass(user) until seconds have elapsed, at least three times. The caller has done the
 * warm-up. */
bench_times bench_time(void (*pass)(void *user), void *user, double seconds);

void bench_sort(double *values, int64_t count); /* smallest first */

double bench_now(void);     /* seconds, from an arbitrary start */
double bench_peak_mb(void); /* peak resident memory of this process so far */

/** Print "PROGRAM: what 'subject'" on stderr and exit; subject NULL: only what. */
_Noreturn void bench_fail(const char *what, const char *subject);
/** Exit with the message if a call failed. AN_DONE is not a failure. */
void bench_check(an_status status, const an_error *err);

#endif
