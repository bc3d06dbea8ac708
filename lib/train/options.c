/* SPDX-License-Identifier: MIT
 * The checks of a trainer's options. */
#include "train/options.h"

#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "optim/schedule.h"

void an_train_options_init(an_train_options *options, uint32_t struct_size) {
    const an_train_options defaults = {.struct_size = sizeof defaults,
                                       .stage = 1,
                                       .max_epochs = 30,
                                       .base = AN_BASE_FROZEN,
                                       .loss = AN_LOSS_AUTO,
                                       .early_stop_patience = 7,
                                       .save_best_only = 1,
                                       .reduce_rate_patience = -1,
                                       .terminate_on_nan = 1,
                                       .verbose = AN_VERBOSE_NONE,
                                       .learning_rate = 1e-3,
                                       .early_stop_min_delta = 1e-3,
                                       .checkpoint_best = INFINITY,
                                       .reduce_rate_factor = 0.1,
                                       .reduce_rate_min_delta = 1e-4,
                                       .resume_seconds = 60};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

static an_status check_whole(const char *field, int64_t value, int64_t low, int64_t high,
                             an_error *err) {
    if (value >= low && value <= high) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "an_train_options: %s is %lld; it must be %lld to %lld", field,
                    (long long)value, (long long)low, (long long)high);
}

/** low <= value <= high; NaN fails. */
static an_status check_number(const char *field, double value, double low, double high,
                              an_error *err) {
    if (value >= low && value <= high) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "an_train_options: %s is %g; it must be %g to %g", field,
                    value, low, high);
}

static an_status check(const an_train_options *o, an_error *err) {
    const int32_t million = 1000000;
    const double largest = 1e300;
    const struct {
        const char *field;
        int64_t value, low, high;
    } whole[] = {
        {"stage", o->stage, 1, million},
        {"max_epochs", o->max_epochs, 1, million},
        {"first_epoch", o->first_epoch, 0, INT32_MAX - million},
        {"base", o->base, AN_BASE_FROZEN, AN_BASE_FINETUNE},
        {"loss", o->loss, AN_LOSS_AUTO, AN_LOSS_BINARY},
        {"early_stop_patience", o->early_stop_patience, -1, million},
        {"restore_best", o->restore_best, 0, 1},
        {"save_best_only", o->save_best_only, 0, 1},
        {"reduce_rate_patience", o->reduce_rate_patience, -1, million},
        {"reduce_rate_cooldown", o->reduce_rate_cooldown, 0, million},
        {"terminate_on_nan", o->terminate_on_nan, 0, 1},
        {"update_batch_norm", o->update_batch_norm, 0, 1},
        {"precision", o->precision, AN_PRECISION_FP32, AN_PRECISION_MIXED},
        {"recompute", o->recompute, 0, 1},
        {"accumulate", o->accumulate, 0, million},
        {"verbose", o->verbose, AN_VERBOSE_NONE, AN_VERBOSE_KERAS},
        {"text_is_terminal", o->text_is_terminal, 0, 2},
        {"finetune_from", o->finetune_from, 0, million},
        {"reserved", o->reserved, 0, 0},
        {"replicas", o->replicas, 0, 1024},
        {"sync_batch_norm", o->sync_batch_norm, 0, 1},
    };
    const struct {
        const char *field;
        double value, low, high;
    } numbers[] = {
        {"learning_rate", o->learning_rate, 0, largest},
        {"early_stop_min_delta", o->early_stop_min_delta, -largest, largest},
        {"checkpoint_best", o->checkpoint_best, -INFINITY, INFINITY},
        {"reduce_rate_min_delta", o->reduce_rate_min_delta, -largest, largest},
        {"reduce_rate_min", o->reduce_rate_min, 0, largest},
        {"resume_seconds", o->resume_seconds, 0, largest},
    };
    an_status st = AN_OK;
    for (size_t i = 0; !st && i < sizeof whole / sizeof *whole; i++)
        st = check_whole(whole[i].field, whole[i].value, whole[i].low, whole[i].high, err);
    for (size_t i = 0; !st && i < sizeof numbers / sizeof *numbers; i++)
        st = check_number(numbers[i].field, numbers[i].value, numbers[i].low, numbers[i].high, err);
    if (!st && !(o->reduce_rate_factor > 0 && o->reduce_rate_factor < 1))
        st = ani_fail(err, AN_ERR_ARG,
                      "an_train_options: reduce_rate_factor is %g; it must be between 0 and 1",
                      o->reduce_rate_factor);
    if (!st && !(o->average >= 0 && o->average < 1))
        st = ani_fail(err, AN_ERR_ARG,
                      "an_train_options: average is %g; it must be at least 0 and below 1",
                      o->average);
    if (!st && o->finetune_from && o->base != AN_BASE_TRAIN)
        st = ani_fail(err, AN_ERR_ARG,
                      "an_train_options: finetune_from is %d and base is %d; it needs "
                      "AN_BASE_TRAIN, %d",
                      (int)o->finetune_from, (int)o->base, (int)AN_BASE_TRAIN);
    if (!st && o->verbose != AN_VERBOSE_NONE && !o->text)
        st = ani_fail(err, AN_ERR_ARG,
                      "an_train_options: verbose is %d and text is NULL; set text, which is what "
                      "shows it",
                      (int)o->verbose);
    return st;
}

/** The texts, in place. */
enum { TEXT_COUNT = 4 };
static const char **texts_of(an_train_options *options, int which) {
    return which == 0   ? &options->checkpoint_path
           : which == 1 ? &options->resume_path
           : which == 2 ? &options->csv_path
                        : &options->tensorboard_dir;
}

an_status ani_train_options_take(an_train_options *ours, an_schedule_options *schedule,
                                 const an_train_options *options, an_error *err) {
    an_train_options_init(ours, sizeof *ours);
    an_status st = ani_options_copy(ours, sizeof *ours, options, "an_train_options", err);
    if (!st) st = ani_schedule_take(schedule, ours->schedule, err);
    if (!st) st = check(ours, err);
    ours->schedule = NULL;
    static const char *const names[] = {"checkpoint_path", "resume_path", "csv_path",
                                        "tensorboard_dir"};
    const an_train_options theirs = *ours;
    for (int i = 0; i < TEXT_COUNT; i++)
        *texts_of(ours, i) = NULL;
    if (st) return st;
    for (int i = 0; i < TEXT_COUNT; i++) {
        an_train_options copy = theirs;
        const char *text = *texts_of(&copy, i);
        if (text && !*text)
            st = ani_fail(err, AN_ERR_ARG, "an_train_options: %s is empty; NULL is none", names[i]);
        else if (text && !(*texts_of(ours, i) = ani_strdup(text)))
            st = ani_fail_memory(err, -1, "a path");
        if (st) {
            ani_train_options_clear(ours);
            return st;
        }
    }
    return AN_OK;
}

void ani_train_options_silence(an_train_options *options) {
    options->verbose = AN_VERBOSE_NONE;
    options->on_event = NULL;
    options->text = NULL;
    options->warn = NULL;
    for (int i = 0; i < TEXT_COUNT; i++)
        *texts_of(options, i) = NULL;
}

void ani_train_options_clear(an_train_options *ours) {
    for (int i = 0; i < TEXT_COUNT; i++) {
        union {
            const char *kept;
            void *owned;
        } text = {*texts_of(ours, i)};
        ani_free(text.owned);
        *texts_of(ours, i) = NULL;
    }
}
