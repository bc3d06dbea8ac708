/* SPDX-License-Identifier: MIT
 * Settings as a list of names and texts. */
#include "train/settings.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "augment/batches.h"
#include "base/error.h"
#include "base/text.h"
#include "io/sha256.h"
#include "layers/model.h"
#include "optim/optim.h"

/** A list being made. After a failure nothing is added. */
typedef struct list {
    an_arrays *arrays;
    an_status status;
    an_error *err;
} list;

static const char prefix[] = "setting.";

static void add_text(list *to, const char *name, const char *text) {
    char key[64];
    if (to->status) return;
    snprintf(key, sizeof key, "%s%s", prefix, name);
    to->status = an_arrays_set_metadata(to->arrays, key, text, to->err);
}

static void add_whole(list *to, const char *name, int64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    add_text(to, name, text);
}

static void add_number(list *to, const char *name, double value) {
    char text[32];
    ani_format_shortest(text, sizeof text, value);
    add_text(to, name, text);
}

/** The word of a choice, for people; words in the order of the constants, ended by NULL. */
static void add_word(list *to, const char *name, int32_t value, const char *const *words) {
    int32_t count = 0;
    while (words[count])
        count++;
    if (value >= 0 && value < count)
        add_text(to, name, words[value]);
    else
        add_whole(to, name, value);
}

static const char *const base_words[] = {"frozen", "statistics", "train", "finetune", NULL};
static const char *const loss_words[] = {"mse", "mae", "huber", "categorical", "binary", NULL};
static const char *const optimizer_words[] = {"adam", "sgd", "adamw", NULL};
static const char *const schedule_words[] = {"constant", "cosine", NULL};
static const char *const task_words[] = {"regression", "classification", NULL};
static const char *const padding_words[] = {"auto", "fixed", "tutorial", NULL};
static const char *const augment_words[] = {"none", "fast", "keras", "legacy", NULL};
static const char *const precision_words[] = {"fp32", "mixed", NULL};
static const char *const fill_words[] = {"nearest", "constant", "reflect", "wrap", NULL};

static void add_stage(list *to, const an_train_options *o) {
    add_whole(to, "stage", o->stage);
    add_whole(to, "first_epoch", o->first_epoch);
    add_whole(to, "max_epochs", o->max_epochs);
    add_word(to, "base", o->base, base_words);
    add_word(to, "loss", o->loss, loss_words);
    add_number(to, "learning_rate", o->learning_rate);
    add_whole(to, "early_stop_patience", o->early_stop_patience);
    add_number(to, "early_stop_min_delta", o->early_stop_min_delta);
    add_whole(to, "restore_best", o->restore_best);
    add_whole(to, "save_best_only", o->save_best_only);
    add_whole(to, "reduce_rate_patience", o->reduce_rate_patience);
    add_whole(to, "reduce_rate_cooldown", o->reduce_rate_cooldown);
    add_number(to, "reduce_rate_factor", o->reduce_rate_factor);
    add_number(to, "reduce_rate_min_delta", o->reduce_rate_min_delta);
    add_number(to, "reduce_rate_min", o->reduce_rate_min);
    add_whole(to, "terminate_on_nan", o->terminate_on_nan);
    add_whole(to, "recalibrate", o->recalibrate);
}

static void add_optimizer(list *to, const an_optimizer_options *o, const an_schedule_options *s) {
    add_word(to, "optimizer", o->kind, optimizer_words);
    add_whole(to, "optimizer.nesterov", o->nesterov);
    add_number(to, "optimizer.beta1", o->beta1);
    add_number(to, "optimizer.beta2", o->beta2);
    add_number(to, "optimizer.epsilon", o->epsilon);
    add_number(to, "optimizer.momentum", o->momentum);
    add_number(to, "optimizer.weight_decay", o->weight_decay);
    add_number(to, "optimizer.clip_norm", o->clip_norm);
    add_word(to, "schedule", s->kind, schedule_words);
    add_whole(to, "schedule.warmup_steps", s->warmup_steps);
    add_whole(to, "schedule.decay_steps", s->decay_steps);
    add_number(to, "schedule.warmup_start", s->warmup_start);
    add_number(to, "schedule.final_fraction", s->final_fraction);
}

static void add_model(list *to, const an_model *model) {
    const ani_net_spec *spec = ani_net_spec_of(ani_model_net(model));
    const ani_model_facts *facts = ani_model_facts_of(model);
    add_number(to, "model.alpha", facts->alpha);
    add_whole(to, "model.height", spec->height);
    add_whole(to, "model.width", spec->width);
    add_whole(to, "model.outputs", spec->outputs);
    add_word(to, "model.task", facts->task, task_words);
    add_word(to, "model.padding", facts->padding, padding_words);
    add_text(to, "model.pads", facts->pads);
    add_text(to, "model.scale", facts->scale_name);
    add_number(to, "model.momentum", ani_model_momentum(model));
    /* Not low_memory: it changes no bit. */
    add_word(to, "precision", an_backend_precision(an_model_backend(model)), precision_words);
}

/** The numbers of a list of shifts; the list may be long, so its hash. */
static void add_shifts(list *to, const char *name, const double *shifts, int64_t count) {
    ani_sha256 sha;
    char digits[65];
    ani_sha256_begin(&sha);
    ani_sha256_add(&sha, shifts, count * (int64_t)sizeof *shifts);
    ani_sha256_end(&sha, digits);
    add_text(to, name, count ? digits : "none");
}

static void add_augment(list *to, const an_augment_options *o) {
    add_word(to, "augment", o->mode, augment_words);
    if (o->mode == AN_AUGMENT_NONE) return; /* the rest has no effect */
    add_whole(to, "augment.horizontal_flip", o->horizontal_flip);
    add_whole(to, "augment.vertical_flip", o->vertical_flip);
    add_word(to, "augment.fill", o->fill, fill_words);
    add_number(to, "augment.rotation", o->rotation);
    add_number(to, "augment.width_shift", o->width_shift);
    add_number(to, "augment.height_shift", o->height_shift);
    add_number(to, "augment.shear", o->shear);
    add_number(to, "augment.zoom_low", o->zoom_low);
    add_number(to, "augment.zoom_high", o->zoom_high);
    add_number(to, "augment.channel_shift", o->channel_shift);
    add_number(to, "augment.brightness_low", o->brightness_low);
    add_number(to, "augment.brightness_high", o->brightness_high);
    add_number(to, "augment.fill_value", o->fill_value);
    add_shifts(to, "augment.width_shifts", o->width_shifts, o->width_shift_count);
    add_shifts(to, "augment.height_shifts", o->height_shifts, o->height_shift_count);
}

/** The samples of a source in their order: how many, and a hash of names and labels. */
static void add_samples(list *to, const char *name, const an_batches *batches) {
    const an_dataset *dataset = ani_batches_dataset(batches);
    const int64_t count = an_batches_samples(batches);
    ani_sha256 sha;
    char digits[65], text[96];
    ani_sha256_begin(&sha);
    for (int64_t i = 0; i < count; i++) {
        const int64_t sample = ani_batches_sample(batches, i);
        const char *file = an_dataset_name(dataset, sample);
        ani_sha256_add(&sha, file, (int64_t)strlen(file) + 1);
        for (int32_t output = 0; output < an_dataset_outputs(dataset); output++) {
            const double score = an_dataset_score(dataset, sample, output);
            ani_sha256_add(&sha, &score, sizeof score);
        }
    }
    ani_sha256_end(&sha, digits);
    snprintf(text, sizeof text, "%" PRId64 " (names and labels: %.16s)", count, digits);
    add_text(to, name, text);
}

static void add_batches(list *to, const an_batches *train, const an_batches *val) {
    const an_batches_options *o = ani_batches_options(train);
    add_whole(to, "batch", o->batch);
    add_whole(to, "seed", o->seed);
    add_whole(to, "shuffle", o->shuffle);
    add_whole(to, "last_batch", o->last_batch);
    add_whole(to, "iterator", o->iterator);
    add_augment(to, o->augment);
    add_samples(to, "training_samples", train);
    if (!val) {
        add_text(to, "validation_samples", "none");
        return;
    }
    add_samples(to, "validation_samples", val);
    add_whole(to, "validation_batch", ani_batches_options(val)->batch);
    add_whole(to, "validation_last_batch", ani_batches_options(val)->last_batch);
}

an_status ani_settings_append(const ani_settings *settings, an_arrays *arrays, an_error *err) {
    list to = {arrays, AN_OK, err};
    add_stage(&to, settings->options);
    add_model(&to, settings->model);
    add_batches(&to, settings->train, settings->val);
    add_optimizer(&to, ani_optimizer_options(settings->optimizer), settings->schedule);
    return to.status;
}

an_status ani_settings_check(const ani_settings *settings, const an_arrays *arrays, an_error *err) {
    an_arrays *now = NULL;
    bool is_longer = false;
    an_status st = an_arrays_create(&now, err);
    if (!st) st = ani_settings_append(settings, now, err);
    for (int64_t i = 0; !st && i < an_arrays_metadata_count(now); i++) {
        const char *key = an_arrays_metadata_key(now, i);
        const char *is = an_arrays_metadata(now, key), *was = an_arrays_metadata(arrays, key);
        const char *name = key + sizeof prefix - 1;
        if (!was)
            st = ani_fail(err, AN_ERR_ARG,
                          "the run cannot be resumed: its checkpoint does not tell %s, which is "
                          "'%s' now",
                          name, is);
        else if (!strcmp(was, is))
            continue;
        else if (!strcmp(name, "max_epochs") && atoi(was) < settings->options->max_epochs)
            is_longer = true;
        else if (is_longer && !strcmp(name, "schedule.decay_steps"))
            st = ani_fail(
                err, AN_ERR_ARG,
                "the run cannot be resumed with more epochs: its cosine schedule ends with "
                "max_epochs (decay_steps was %s, and is %s now), so every epoch would "
                "differ; start again, or keep decay_steps at %s",
                was, is, was);
        else
            st = ani_fail(err, AN_ERR_ARG,
                          "the run cannot be resumed with other settings: %s was '%s', and is '%s' "
                          "now",
                          name, was, is);
    }
    an_arrays_destroy(now);
    return st;
}
