/* SPDX-License-Identifier: MIT
 * A ring of scores with their times. */
#include "live/trail.h"

ani_point ani_trail_point(const ani_trail *trail, int32_t index) {
    return trail->points[(trail->first + index) % ANI_TRAIL_MAX];
}

void ani_trail_add(ani_trail *trail, double time, double score) {
    const ani_point point = {time, score};
    const double step = trail->seconds / (ANI_TRAIL_MAX - 1);
    if (trail->count && time < ani_trail_point(trail, trail->count - 1).time) trail->count = 0;
    /* one older point stays, so that the curve reaches the edge */
    while (trail->count > 1 && ani_trail_point(trail, 1).time < time - trail->seconds) {
        trail->first = (trail->first + 1) % ANI_TRAIL_MAX;
        trail->count--;
    }
    const int32_t last = trail->count - 1;
    const int32_t is_close = last > 0 && time - ani_trail_point(trail, last - 1).time < step;
    if (!is_close && trail->count < ANI_TRAIL_MAX) trail->count++;
    trail->points[(trail->first + trail->count - 1) % ANI_TRAIL_MAX] = point;
}
