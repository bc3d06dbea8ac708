/* SPDX-License-Identifier: MIT
 * The scores of the last seconds. */
#ifndef LIVE_TRAIL_H
#define LIVE_TRAIL_H

#include <stdint.h>

enum { ANI_TRAIL_MAX = 1024 };

typedef struct ani_point {
    double time, score; /* score NaN: none at that time */
} ani_point;

/** A ring of points in the order of time. {.seconds = ...} is empty. */
typedef struct ani_trail {
    double seconds; /* its length */
    int32_t first, count;
    ani_point points[ANI_TRAIL_MAX];
} ani_trail;

/** Append a point and forget those that are too old. Points closer to each other than the ring can
 * hold replace each other. A time before the last one begins anew. */
void ani_trail_add(ani_trail *trail, double time, double score);
/** Return point index, 0 (the oldest) to count-1. */
ani_point ani_trail_point(const ani_trail *trail, int32_t index);

#endif
