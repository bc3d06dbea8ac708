/* SPDX-License-Identifier: MIT
 * How old scores were when they were shown: quantiles of many durations in little memory. */
#ifndef PROGRAM_AGES_H
#define PROGRAM_AGES_H

#include <stdint.h>

enum { AGE_BINS = 20000 };

/** Durations, counted in bins of a tenth of a millisecond; longer ones than fit are in the last.
 *  Begin with {0}. */
typedef struct ages {
    int64_t total;
    int32_t counts[AGE_BINS];
} ages;

void ages_add(ages *all, double seconds);
/** Return the milliseconds that a part of all, 0 to 1, did not exceed; 0 if there are none. */
double ages_quantile(const ages *all, double part);

#endif
