/* SPDX-License-Identifier: MIT
 * Monotonic time, and the remaining time of a job. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

double ani_clock_seconds(void); /* monotonic, from an arbitrary start */

/** Estimate the seconds left after `done` of `total` units took `seconds`; -1 if unknown. */
double ani_seconds_left(int64_t done, int64_t total, double seconds);

#endif
