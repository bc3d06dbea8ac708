/* SPDX-License-Identifier: MIT
 * Learning rates over steps. */
#include "optim/schedule.h"

#include <math.h>
#include <stddef.h>

#include "base/error.h"
#include "base/options.h"

void an_schedule_options_init(an_schedule_options *options, uint32_t struct_size) {
    const an_schedule_options defaults = {.struct_size = sizeof defaults};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

an_status ani_schedule_take(an_schedule_options *ours, const an_schedule_options *options,
                            an_error *err) {
    an_schedule_options_init(ours, sizeof *ours);
    const an_status st = ani_options_copy(ours, sizeof *ours, options, "an_schedule_options", err);
    if (st) return st;
    const struct {
        const char *field;
        double value, high;
    } all[] = {{"kind", ours->kind, AN_SCHEDULE_COSINE},
               {"warmup_steps", (double)ours->warmup_steps, 0x1p62},
               {"decay_steps", (double)ours->decay_steps, 0x1p62},
               {"warmup_start", ours->warmup_start, 1},
               {"final_fraction", ours->final_fraction, 1}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!(all[i].value >= 0 && all[i].value <= all[i].high))
            return ani_fail(err, AN_ERR_ARG, "an_schedule_options: %s is %g; it must be 0 to %g",
                            all[i].field, all[i].value, all[i].high);
    return AN_OK;
}

double an_schedule_rate(const an_schedule_options *options, double rate, int64_t step) {
    an_schedule_options o;
    if (ani_schedule_take(&o, options, NULL) || !(rate >= 0) || step < 0) return NAN;
    if (step < o.warmup_steps) {
        const double done = (double)step / (double)o.warmup_steps;
        return rate * (o.warmup_start + (1 - o.warmup_start) * done);
    }
    if (o.kind == AN_SCHEDULE_CONSTANT) return rate;
    if (!o.decay_steps) return NAN; /* the length of the decay is unknown */
    const double done = fmin(1, (double)(step - o.warmup_steps) / (double)o.decay_steps);
    const double cosine = 0.5 * (1 + cos(M_PI * done));
    return rate * ((1 - o.final_fraction) * cosine + o.final_fraction);
}

static const char *const schedule_words[] = {"constant", "cosine", NULL};

void ani_schedule_settings(const an_schedule_options *s, ani_setting_list *to) {
    ani_setting_word(to, "schedule", s->kind, schedule_words);
    ani_setting_whole(to, "schedule.warmup_steps", s->warmup_steps);
    ani_setting_whole(to, "schedule.decay_steps", s->decay_steps);
    ani_setting_number(to, "schedule.warmup_start", s->warmup_start);
    ani_setting_number(to, "schedule.final_fraction", s->final_fraction);
}
