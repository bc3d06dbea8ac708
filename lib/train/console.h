/* SPDX-License-Identifier: MIT
 * What a run prints in progress: the texts of Keras 2.19, or our own bar. The text goes to the
 * caller's function; times are passed in, so that tests see the same text every time. */
#ifndef TRAIN_CONSOLE_H
#define TRAIN_CONSOLE_H

#include <attractivenet/train.h>

#include "base/text.h"

typedef struct ani_console {
    an_text_fn text; /* NULL: silent */
    void *user;
    int32_t verbose;  /* AN_VERBOSE_* */
    int32_t terminal; /* as text_is_terminal */
    ani_text line;    /* the text being collected */
    /* the bar */
    int32_t stage, epoch, epochs;
    int32_t width; /* characters on the line that will be overwritten */
    int64_t steps;
    double begun, shown, first_step; /* seconds; shown, first_step: -1 = not yet */
    double speed, share; /* of several ranks: images a second in all, and the share of the time that
                            they communicate; speed 0: one rank */
} ani_console;

/** Take the text function, user and style from the options. */
void ani_console_init(ani_console *console, const an_train_options *options);
void ani_console_clear(ani_console *console);

/* Each returns AN_OK, AN_ERR_CANCELLED if the text function says so, or AN_ERR_NOMEM. */

/** Before the first epoch of a stage: what is trained. */
an_status ani_console_stage(ani_console *console, const an_model_info *info, int32_t stage,
                            an_error *err);
/** Begin a progress bar: for an epoch (from 1), or with epoch 0 for the features of a frozen
 * base. */
an_status ani_console_begin(ani_console *console, int32_t stage, int32_t epoch, int32_t epochs,
                            int64_t steps, double now, an_error *err);
/** After step number step; loss: mean so far, NaN = none. Prints at most a few times a second. */
an_status ani_console_step(ani_console *console, int64_t step, double loss, double now,
                           an_error *err);
/** Set what several ranks have done in the epoch so far; the bar and its line show it. share: of
 * the time, 0 to 1, in communication. */
void ani_console_set_speed(ani_console *console, double images_a_second, double share);
/** End the bar for the features. */
an_status ani_console_end_features(ani_console *console, double now, an_error *err);
/** End an epoch. rate_shown: 1 to print the rate, as Keras does when something changes it. */
an_status ani_console_end(ani_console *console, const an_epoch_report *report, int32_t rate_shown,
                          double now, an_error *err);

/** A checkpoint's decision. before: the best so far; value: the epoch's; saved: 0 or 1. */
an_status ani_console_checkpoint(ani_console *console, int32_t epoch, const char *monitor,
                                 double before, double value, int32_t best_only, int32_t saved,
                                 const char *path, an_error *err);
an_status ani_console_reduced(ani_console *console, int32_t epoch, double rate, an_error *err);
/** The head has been fitted in closed form. */
an_status ani_console_head(ani_console *console, const an_head_report *report, an_error *err);
an_status ani_console_stopped(ani_console *console, int32_t epoch, an_error *err);
an_status ani_console_restored(ani_console *console, int32_t best_epoch, an_error *err);
/** The loss of a step (from 1) is not finite. */
an_status ani_console_not_finite(ani_console *console, int64_t step, const char *message,
                                 an_error *err);

#endif
