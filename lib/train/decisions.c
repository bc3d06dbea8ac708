/* SPDX-License-Identifier: MIT
 * EarlyStopping, ModelCheckpoint and ReduceLROnPlateau of Keras 2.19 (mode min) as state machines:
 * a value goes in, a decision comes out. Comparisons with NaN are false, so it is never an
 * improvement. */
#include "train/decisions.h"

#include <math.h>

#include "base/options.h"

void an_early_stopping_init(an_early_stopping *state, uint32_t struct_size, double min_delta,
                            int32_t patience) {
    const an_early_stopping defaults = {.min_delta = min_delta,
                                        .baseline = NAN,
                                        .best = INFINITY,
                                        .patience = patience,
                                        .best_epoch = -1};
    ani_options_init(state, struct_size, &defaults, sizeof defaults);
}

int32_t an_early_stopping_update(an_early_stopping *state, int32_t epoch, double value) {
    int32_t decision = 0;
    if (!state || state->struct_size < sizeof *state) return 0;
    const double delta = fabs(state->min_delta);
    if (epoch < state->start_from_epoch) return 0;
    if (state->best_epoch < 0) {
        state->best_epoch = epoch; /* the first weights are the best until there are others */
        decision = AN_EARLY_KEEP;
    }
    state->wait++;
    if (value + delta < state->best) {
        state->best = value;
        state->best_epoch = epoch;
        if (isnan(state->baseline) || value + delta < state->baseline) state->wait = 0;
        return AN_EARLY_KEEP;
    }
    if (state->patience >= 0 && state->wait >= state->patience && epoch > 0) {
        state->stopped_epoch = epoch;
        decision |= AN_EARLY_STOP;
    }
    return decision;
}

void an_best_checkpoint_init(an_best_checkpoint *state, uint32_t struct_size,
                             int32_t save_best_only) {
    const an_best_checkpoint defaults = {.best = INFINITY, .save_best_only = save_best_only};
    ani_options_init(state, struct_size, &defaults, sizeof defaults);
}

int32_t an_best_checkpoint_update(an_best_checkpoint *state, double value) {
    if (!state || state->struct_size < sizeof *state) return 0;
    if (!state->save_best_only) return 1;
    if (!(value < state->best)) return 0;
    state->best = value;
    return 1;
}

void an_reduce_rate_init(an_reduce_rate *state, uint32_t struct_size, double factor,
                         int32_t patience) {
    const an_reduce_rate defaults = {
        .factor = factor, .min_delta = 1e-4, .best = INFINITY, .patience = patience};
    ani_options_init(state, struct_size, &defaults, sizeof defaults);
}

double ani_reduce_rate_update(an_reduce_rate *state, double value, double rate, double *exact) {
    *exact = 0;
    if (state->cooldown_left > 0) {
        state->cooldown_left--;
        state->wait = 0;
    }
    if (value < state->best - state->min_delta) {
        state->best = value;
        state->wait = 0;
        return rate;
    }
    if (state->cooldown_left > 0 || ++state->wait < state->patience) return rate;
    /* Keras stores the rate as float32, and NumPy 2 multiplies it as such; min_rate is a double
     * there */
    const float old = (float)rate;
    if (!(old > (float)state->min_rate)) return rate;
    *exact = fmax((double)(old * (float)state->factor), state->min_rate);
    state->cooldown_left = state->cooldown;
    state->wait = 0;
    return (double)(float)*exact;
}

double an_reduce_rate_update(an_reduce_rate *state, double value, double rate) {
    double exact;
    if (!state || state->struct_size < sizeof *state) return NAN;
    return ani_reduce_rate_update(state, value, rate, &exact);
}
