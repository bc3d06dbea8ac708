/* SPDX-License-Identifier: MIT
 * Learning rates over steps. */
#include <attractivenet/optim.h>

#include <math.h>
#include <stddef.h>

#include "base/options.h"

void an_schedule_options_init(an_schedule_options *options, uint32_t struct_size) {
    const an_schedule_options defaults = {.struct_size = sizeof defaults};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

double an_schedule_rate(const an_schedule_options *options, double rate, int64_t step) {
    an_schedule_options o = {.struct_size = sizeof o};
    if (ani_options_copy(&o, sizeof o, options, "an_schedule_options", NULL)) return rate;
    if (step < o.warmup_steps) {
        const double done = (double)step / (double)o.warmup_steps;
        return rate * (o.warmup_start + (1 - o.warmup_start) * done);
    }
    if (o.kind != AN_SCHEDULE_COSINE || o.decay_steps <= 0) return rate;
    const double done = fmin(1, (double)(step - o.warmup_steps) / (double)o.decay_steps);
    const double cosine = 0.5 * (1 + cos(M_PI * done));
    return rate * ((1 - o.final_fraction) * cosine + o.final_fraction);
}
