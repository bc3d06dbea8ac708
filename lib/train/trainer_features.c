/* SPDX-License-Identifier: MIT
 * The features of a frozen base: computed before the first epoch, then the rows of each step. */
#include "train/trainer_state.h"

#include <math.h>
#include <string.h>

#include "augment/loader.h"
#include "base/callbacks.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "train/fit_head.h"

void ani_trainer_drop_features(an_trainer *trainer) {
    ani_features_destroy(trainer->train_features);
    ani_features_destroy(trainer->val_features);
    trainer->train_features = trainer->val_features = NULL;
    trainer->has_features = trainer->has_val_features = false;
}

typedef struct features_progress {
    an_trainer *trainer;
    int64_t before, all; /* batches: done for another source, and total of both */
    double begun;
} features_progress;

static an_status features_step(void *user, int64_t step, int64_t steps, an_error *err) {
    const features_progress *progress = user;
    an_trainer *trainer = progress->trainer;
    const int64_t done = progress->before + step;
    (void)steps;
    an_status st = ani_console_step(&trainer->console, done, NAN, ani_clock_seconds(), err);
    if (!st)
        st = ani_trainer_tell(trainer, AN_EVENT_FEATURES, done, progress->all, progress->begun,
                              NULL, err);
    if (!st) st = ani_trainer_look_for_pause(trainer, err);
    return st;
}

static int64_t batches_in_order(const an_loader *loader) {
    const int64_t batch = an_loader_batch_size(loader);
    return (an_loader_samples(loader) + batch - 1) / batch;
}

/** Room for the rows of a step. */
static an_status make_step(an_trainer *trainer, an_error *err) {
    const int64_t batch = an_loader_batch_size(trainer->train);
    const ani_features *features = trainer->train_features;
    if (!trainer->places)
        trainer->places = ani_alloc_zero(an_loader_samples(trainer->train), sizeof(int64_t));
    if (!trainer->x) trainer->x = ani_alloc_zero(batch * features->width, sizeof(float));
    if (!trainer->y) trainer->y = ani_alloc_zero(batch * features->outputs, sizeof(float));
    if (!trainer->weights && features->weights)
        trainer->weights = ani_alloc_zero(batch, sizeof(float));
    if (!trainer->places || !trainer->x || !trainer->y || (features->weights && !trainer->weights))
        return ani_fail_memory(err, batch * features->width * (int64_t)sizeof(float),
                               "a batch of features");
    return AN_OK;
}

/** Warn if the features are too small for a head to learn from. With random weights the largest is
 * 1e-8 or less, as batch norm has not seen an image; with trained ones it is about 1. */
static an_status look_at_features(an_trainer *trainer, const ani_features *features,
                                  an_error *err) {
    const double smallest = 1e-4, largest = (double)ani_features_largest(features);
    const an_train_options *options = &trainer->options;
    an_error message;
    if (largest >= smallest || features->samples == 0) return AN_OK;
    ani_fail(&message, AN_OK,
             "the features of the frozen base are %.2g at most, as with random weights: with them "
             "the head can learn only a constant; use trained weights for the base, or train it, "
             "too",
             largest);
    return ani_warn(options->warn, options->warn_user, AN_WARN_WEAK_FEATURES, 1, message.message,
                    err);
}

an_status ani_trainer_make_features(an_trainer *trainer, an_error *err) {
    if (trainer->options.base != AN_BASE_FROZEN) return AN_OK;
    an_model *model = trainer->model;
    const bool fits = ani_features_fit(model, trainer->train);
    if (trainer->options.head && !fits)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "the features of %lld images take more than 2 GiB, which is too much for a "
                        "head in closed form; train it in steps",
                        (long long)an_loader_samples(trainer->train));
    const bool train = !trainer->has_features && fits &&
                       (trainer->options.head || an_loader_is_plain(trainer->train));
    const bool val =
        trainer->val && !trainer->has_val_features && ani_features_fit(model, trainer->val);
    an_status st = AN_OK;
    if (train || val) {
        features_progress progress = {.trainer = trainer, .begun = ani_clock_seconds()};
        const int64_t train_steps = train ? batches_in_order(trainer->train) : 0;
        progress.all = train_steps + (val ? batches_in_order(trainer->val) : 0);
        st = ani_console_begin(&trainer->console, trainer->options.stage, 0, 0, progress.all,
                               progress.begun, err);
        st = ani_trainer_meet(trainer, st, 0, 0, err);
        if (!st && train)
            st = ani_features_create(&trainer->train_features, model, trainer->train,
                                     &trainer->loss, ani_trainer_watch(trainer), trainer->ranks,
                                     features_step, &progress, err);
        if (!st && train) trainer->has_features = true;
        progress.before = train_steps;
        if (!st && val)
            st = ani_features_create(&trainer->val_features, model, trainer->val, &trainer->loss,
                                     ani_trainer_watch(trainer), trainer->ranks, features_step,
                                     &progress, err);
        if (!st && val) trainer->has_val_features = true;
        if (!st) st = ani_console_end_features(&trainer->console, ani_clock_seconds(), err);
        if (!st && ani_ranks_leads(trainer->ranks))
            st = look_at_features(trainer, train ? trainer->train_features : trainer->val_features,
                                  err);
    }
    if (!st && trainer->train_features && !trainer->options.head) st = make_step(trainer, err);
    return st;
}

int64_t ani_trainer_gather(an_trainer *trainer, int64_t batch) {
    const ani_features *f = trainer->train_features;
    const int64_t size = ani_loader_size(trainer->train, batch);
    const int64_t *places = trainer->places + batch * ani_loader_size(trainer->train, 0);
    int64_t n = 0;
    for (int64_t i = 0; i < size; i++) {
        const int64_t row = f->rows[places[i]];
        if (row < 0) continue;
        memcpy(trainer->x + n * f->width, f->values + row * f->width,
               (size_t)f->width * sizeof(float));
        memcpy(trainer->y + n * f->outputs, f->targets + row * f->outputs,
               (size_t)f->outputs * sizeof(float));
        if (f->weights) trainer->weights[n] = f->weights[row];
        n++;
    }
    return n;
}

static an_status nothing_done(void *user, int64_t step, int64_t steps, an_error *err) {
    (void)user, (void)step, (void)steps, (void)err;
    return AN_OK;
}

/** On rank 0, which has the features. */
static an_status fit_head(an_trainer *trainer, const ani_epoch_run *run, an_error *err) {
    const ani_features *train = trainer->train_features, *val = trainer->val_features;
    const ani_linear_rows rows = {train->values, train->targets, train->weights, train->samples};
    const ani_linear_rows val_rows =
        val ? (ani_linear_rows){val->values, val->targets, val->weights, val->samples}
            : (ani_linear_rows){0};
    ani_epoch_place *place = &trainer->state.place;
    an_head_report report;
    double loss = NAN;
    an_status st = ani_fit_head(trainer->model, &rows, &val_rows, &trainer->head, &report, err);
    if (!st)
        st = ani_features_loss(train, trainer->model, &trainer->loss,
                               an_loader_batch_size(trainer->train), ani_trainer_watch(trainer),
                               nothing_done, NULL, &loss, err);
    if (!st) st = ani_console_head(&trainer->console, &report, err);
    if (st) return st;
    place->batch = place->step = run->steps;
    place->samples = train->samples;
    place->loss_sum = loss * (double)train->samples;
    return AN_OK;
}

an_status ani_trainer_fit_head(an_trainer *trainer, ani_epoch_run *run, an_error *err) {
    an_status st = trainer->train_features ? fit_head(trainer, run, err) : AN_OK;
    st = ani_trainer_meet(trainer, st, 0, 0, err);
    return st ? st : ani_trainer_spread_weights(trainer, AN_BASE_FROZEN, err);
}
