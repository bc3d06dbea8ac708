/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

double ani_clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double ani_seconds_left(int64_t done, int64_t total, double seconds) {
    if (done <= 0 || total < done) return -1;
    return seconds * (double)(total - done) / (double)done;
}
