/* SPDX-License-Identifier: MIT
 * What the programs here share: they time passes, and end when something fails. Options are read
 * as the installed program reads them. */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <attractivenet/status.h>

#include "options.h"

/** Passes of one thing, in milliseconds each. */
typedef struct bench_times {
    int passes;
    double best, median, mean;
} bench_times;

/** Call pass(user) until seconds have gone by, three times at least. The caller has warmed up. */
bench_times bench_time(void (*pass)(void *user), void *user, double seconds);

void bench_sort(double *values, int64_t count); /* smallest first */

double bench_now(void);     /* seconds, from some moment on */
double bench_peak_mb(void); /* resident memory of this process, at most, so far */

/** Say "PROGRAM: what 'subject'" on stderr and exit; subject NULL: what alone. */
_Noreturn void bench_fail(const char *what, const char *subject);
/** Exit with the message if a call failed. AN_DONE is no failure. */
void bench_check(an_status status, const an_error *err);

#endif
