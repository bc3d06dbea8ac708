/* SPDX-License-Identifier: MIT
 * The state of a stage as texts. */
#include "train/state.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "train/fields.h"

enum { MOST_EPOCHS = 1000000 }; /* as max_epochs */

#define WHOLE(member, low, high)                                                                   \
    { #member, ANI_FIELD_INT32, offsetof(ani_train_state, member), low, high }
#define COUNT(member)                                                                              \
    { #member, ANI_FIELD_INT64, offsetof(ani_train_state, member), 0, INT64_MAX / 2 }
#define NUMBER(member)                                                                             \
    { #member, ANI_FIELD_DOUBLE, offsetof(ani_train_state, member), 0, 0 }

static const ani_field fields[] = {
    WHOLE(epoch, 0, MOST_EPOCHS),
    WHOLE(reason, AN_STOP_NONE, AN_STOP_ASKED),
    NUMBER(rate),
    NUMBER(best),
    NUMBER(early.best),
    WHOLE(early.wait, 0, MOST_EPOCHS),
    WHOLE(early.best_epoch, -1, MOST_EPOCHS),
    WHOLE(early.stopped_epoch, 0, MOST_EPOCHS),
    NUMBER(checkpoint.best),
    NUMBER(reduce.best),
    WHOLE(reduce.wait, 0, MOST_EPOCHS),
    WHOLE(reduce.cooldown_left, 0, MOST_EPOCHS),
    COUNT(place.batch),
    COUNT(place.step),
    COUNT(place.samples),
    NUMBER(place.loss_sum),
    NUMBER(place.rate),
    NUMBER(place.seconds),
};
enum { FIELD_COUNT = sizeof fields / sizeof *fields, KEY_SIZE = 40 };

void ani_train_state_begin(ani_train_state *state, const an_train_options *options) {
    *state = (ani_train_state){.rate = options->learning_rate, .best = INFINITY};
    an_early_stopping_init(&state->early, sizeof state->early, options->early_stop_min_delta,
                           options->early_stop_patience);
    an_best_checkpoint_init(&state->checkpoint, sizeof state->checkpoint, options->save_best_only);
    state->checkpoint.best = options->checkpoint_best;
    an_reduce_rate_init(&state->reduce, sizeof state->reduce, options->reduce_rate_factor,
                        options->reduce_rate_patience);
    state->reduce.min_delta = options->reduce_rate_min_delta;
    state->reduce.min_rate = options->reduce_rate_min;
    state->reduce.cooldown = options->reduce_rate_cooldown;
    ani_epoch_place_begin(state);
}

void ani_epoch_place_begin(ani_train_state *state) {
    state->place = (ani_epoch_place){.rate = state->rate};
}

an_status ani_train_state_append(const ani_train_state *state, an_arrays *arrays, an_error *err) {
    an_status st = AN_OK;
    for (int i = 0; i < FIELD_COUNT && !st; i++) {
        char key[KEY_SIZE], text[ANI_FIELD_SIZE];
        snprintf(key, sizeof key, "state.%s", fields[i].name);
        ani_field_format(text, &fields[i], state);
        st = an_arrays_set_metadata(arrays, key, text, err);
    }
    return st;
}

an_status ani_train_state_read(ani_train_state *state, const an_arrays *arrays, an_error *err) {
    for (int i = 0; i < FIELD_COUNT; i++) {
        char key[KEY_SIZE];
        const char *end = "";
        snprintf(key, sizeof key, "state.%s", fields[i].name);
        const char *text = an_arrays_metadata(arrays, key);
        if (!text) return ani_fail(err, AN_ERR_FORMAT, "the checkpoint has no '%s'", key);
        if (!ani_field_parse(&fields[i], state, text, &end) || *end)
            return ani_fail(err, AN_ERR_FORMAT, "'%s' of the checkpoint cannot be '%s'", key, text);
    }
    return AN_OK;
}
