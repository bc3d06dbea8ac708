/* SPDX-License-Identifier: MIT
 * Progress as text: Keras' Progbar, character for character, and our own bar. */
#include "train/console.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"

enum { KERAS_WIDTH = 30, BAR_WIDTH = 20 };

static const double keras_interval = 0.05, bar_interval = 0.1; /* seconds between two updates */

void ani_console_init(ani_console *console, const an_train_options *options) {
    *console = (ani_console){.text = options->verbose == AN_VERBOSE_NONE ? NULL : options->text,
                             .user = options->text_user,
                             .verbose = options->verbose,
                             .terminal = options->text_is_terminal};
}

void ani_console_clear(ani_console *console) {
    ani_text_clear(&console->line);
}

static bool is_keras(const ani_console *console) {
    return console->verbose == AN_VERBOSE_KERAS;
}

/** Pass the collected text on, and start over. */
static an_status flush(ani_console *console, an_error *err) {
    ani_text *line = &console->line;
    int32_t stop = 0;
    const bool failed = line->failed;
    if (!failed && line->size) stop = console->text(console->user, line->bytes);
    line->size = 0;
    line->failed = false;
    if (failed) return ani_fail_memory(err, line->capacity, "a line of text");
    if (stop) return ani_fail(err, AN_ERR_CANCELLED, "the text callback asked to stop");
    return AN_OK;
}

static void add(ani_console *console, const char *text) {
    ani_text_add(&console->line, text, (int64_t)strlen(text));
}

static void repeat(ani_console *console, const char *text, int64_t times) {
    for (int64_t i = 0; i < times; i++)
        add(console, text);
}

/** A loss as Keras shows it; our own bar uses the same form. */
static void add_loss(ani_console *console, const char *before, double loss) {
    char number[352]; /* %.4f of the largest double has 314 characters */
    if (fabs(loss) > 1e-3 || isnan(loss))
        ani_format_fixed(number, sizeof number, loss, 4);
    else
        ani_format_exponent(number, sizeof number, loss, 4);
    ani_text_print(&console->line, "%s%s", before, number);
}

static void add_thousands(ani_console *console, int64_t count) {
    if (count >= 1000) {
        add_thousands(console, count / 1000);
        ani_text_print(&console->line, ",%03d", (int)(count % 1000));
    } else {
        ani_text_print(&console->line, "%d", (int)count);
    }
}

static int digits_of(int64_t count) {
    int digits = 1;
    for (; count >= 10; count /= 10)
        digits++;
    return digits;
}

/** Seconds as "7 s", "1:05" or "2:03:09". */
static void add_duration(ani_console *console, double seconds) {
    const long long s = seconds > 0 && seconds < 1e15 ? llround(seconds) : 0;
    if (s < 60)
        ani_text_print(&console->line, "%lld s", s);
    else if (s < 3600)
        ani_text_print(&console->line, "%lld:%02lld", s / 60, s % 60);
    else
        ani_text_print(&console->line, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
}

/* --- Keras -------------------------------------------------------------------------------------
 * Source: tf_keras 2.19, Progbar.update: a line is erased with as many \b as it is wide, and each
 * line is at least as long as the one that it overwrites. */

static void add_keras_unit(ani_console *console, double seconds, const char *unit) {
    char number[352];
    const bool whole = seconds >= 1 || seconds == 0, milli = seconds >= 1e-3;
    const double shown = whole ? seconds : milli ? seconds * 1e3 : seconds * 1e6;
    ani_format_fixed(number, sizeof number, shown, 0);
    ani_text_print(&console->line, " %s%s/%s", number, whole ? "s" : milli ? "ms" : "us", unit);
}

static void add_keras_seconds(ani_console *console, double seconds) {
    char number[352];
    ani_format_fixed(number, sizeof number, seconds, 0);
    ani_text_print(&console->line, " - %ss", number);
}

static double keras_step_time(ani_console *console, int64_t step, double now) {
    double time = (now - console->begun) / (double)step;
    if (console->first_step >= 0 && step > 1)
        time = (now - console->first_step) / (double)(step - 1);
    if (step == 1) console->first_step = now;
    return time;
}

static void add_keras_eta(ani_console *console, double seconds) {
    const long long s = seconds > 0 && seconds < 1e15 ? (long long)seconds : 0;
    if (seconds > 3600)
        ani_text_print(&console->line, " - ETA: %lld:%02lld:%02lld", s / 3600, s % 3600 / 60,
                       s % 60);
    else if (seconds > 60)
        ani_text_print(&console->line, " - ETA: %lld:%02lld", s / 60, s % 60);
    else
        ani_text_print(&console->line, " - ETA: %llds", s);
}

/** The bar after step; report: NULL before the end. */
static void add_keras_bar(ani_console *console, int64_t step, double loss,
                          const an_epoch_report *report, int32_t rate_shown, double now) {
    const double done = (double)step / (double)console->steps;
    const int filled = (int)(KERAS_WIDTH * done);
    repeat(console, "\b", console->width);
    add(console, "\r");
    const int64_t begin = console->line.size;
    ani_text_print(&console->line, "%*lld/%lld [", digits_of(console->steps), (long long)step,
                   (long long)console->steps);
    repeat(console, "=", filled - 1);
    if (filled > 0) add(console, step < console->steps ? ">" : "=");
    repeat(console, ".", KERAS_WIDTH - filled);
    add(console, "]");
    const double time = keras_step_time(console, step, now);
    if (report) {
        add_keras_seconds(console, now - console->begun);
        add_keras_unit(console, time, "step");
    } else {
        add_keras_eta(console, time * (double)(console->steps - step));
    }
    add_loss(console, " - loss: ", loss);
    if (report && !isnan(report->val_loss)) add_loss(console, " - val_loss: ", report->val_loss);
    if (report && rate_shown) add_loss(console, " - lr: ", report->rate);
    const int32_t width = (int32_t)(console->line.size - begin);
    repeat(console, " ", console->width - width);
    if (report) add(console, "\n");
    console->width = width;
}

/** The line of verbose=2. */
static void add_keras_line(ani_console *console, const an_epoch_report *report, int32_t rate_shown,
                           double now) {
    const double time = now - console->begun;
    ani_text_print(&console->line, "%lld/%lld", (long long)console->steps,
                   (long long)console->steps);
    add_keras_seconds(console, time);
    add_loss(console, " - loss: ", report->loss);
    if (!isnan(report->val_loss)) add_loss(console, " - val_loss: ", report->val_loss);
    if (rate_shown) add_loss(console, " - lr: ", report->rate);
    add(console, " -");
    add_keras_unit(console, time, "epoch");
    add(console, " -");
    add_keras_unit(console, time / (double)console->steps, "step");
    add(console, "\n");
}

/* --- our own bar ------------------------------------------------------------------------------ */

/** Clear the line by overwriting it. */
static void wipe(ani_console *console) {
    if (!console->width) return;
    add(console, "\r");
    repeat(console, " ", console->width);
    add(console, "\r");
    console->width = 0;
}

static void add_place(ani_console *console) {
    ani_text_print(&console->line, "stage %d  ", (int)console->stage);
    if (console->epoch)
        ani_text_print(&console->line, "epoch %*d/%d  ", digits_of(console->epochs),
                       (int)console->epoch, (int)console->epochs);
    else
        add(console, "features  ");
}

/** Draw the bar itself. Returns the number of its bytes that do not start a character. */
static int32_t add_fill(ani_console *console, double done) {
    static const char *const eighths[] = {"\u00b7", "\u258f", "\u258e", "\u258d",
                                          "\u258c", "\u258b", "\u258a", "\u2589"};
    if (console->terminal == 2) {
        const int64_t begin = console->line.size;
        const int parts = (int)(8 * BAR_WIDTH * done), full = parts / 8;
        repeat(console, "\u2588", full);
        for (int i = full; i < BAR_WIDTH; i++)
            add(console, eighths[i == full ? parts % 8 : 0]);
        return (int32_t)(console->line.size - begin) - BAR_WIDTH;
    }
    const int full = (int)(BAR_WIDTH * done);
    add(console, "[");
    repeat(console, "=", full - 1);
    if (full > 0) add(console, full < BAR_WIDTH ? ">" : "=");
    repeat(console, " ", BAR_WIDTH - full);
    add(console, "]");
    return 0;
}

/** What several ranks do together. */
static void add_speed(ani_console *console) {
    if (console->speed > 0)
        ani_text_print(&console->line, "  %.4g images/s, %.0f%% communication", console->speed,
                       100 * console->share);
}

static void add_bar(ani_console *console, int64_t step, double loss, double now) {
    const double done = console->steps > 0 ? (double)step / (double)console->steps : 1;
    const double left = ani_seconds_left(step, console->steps, now - console->begun);
    add(console, "\r");
    const int64_t begin = console->line.size;
    add_place(console);
    int32_t hidden = add_fill(console, done);
    ani_text_print(&console->line, " %3d%%", (int)(100 * done));
    if (!isnan(loss)) add_loss(console, "  loss ", loss);
    if (left >= 0) {
        add(console, "  ");
        add_duration(console, left);
        add(console, " left");
    }
    add_speed(console);
    const int32_t width = (int32_t)(console->line.size - begin) - hidden;
    repeat(console, " ", console->width - width);
    console->width = width;
}

static void add_line(ani_console *console, const an_epoch_report *report) {
    char number[32];
    add_place(console);
    add_loss(console, "loss ", report->loss);
    if (!isnan(report->val_loss)) add_loss(console, "  val_loss ", report->val_loss);
    ani_format_double(number, sizeof number, report->rate, 3);
    ani_text_print(&console->line, "  rate %s  ", number);
    add_duration(console, report->seconds);
    add_speed(console);
    if (report->saved) add(console, "  saved");
    add(console, "\n");
}

/* --- what happens ----------------------------------------------------------------------------- */

an_status ani_console_stage(ani_console *console, const an_model_info *info, int32_t stage,
                            an_error *err) {
    static const char *const modes[] = {
        [AN_BASE_FROZEN] = "frozen (weights fixed, batch norm by its moving statistics)",
        [AN_BASE_STATISTICS] =
            "statistics (weights fixed, batch norm by batch statistics, moving ones updated)",
        [AN_BASE_TRAIN] =
            "train (weights trained, batch norm by batch statistics, moving ones updated)",
        [AN_BASE_FINETUNE] = "finetune (weights trained, batch norm by its moving statistics)",
    };
    if (!console->text) return AN_OK;
    ani_text_print(&console->line, "Stage %d, base: %s. Trained: ", (int)stage, modes[info->base]);
    add_thousands(console, info->trainable);
    add(console, " of ");
    add_thousands(console, info->parameters);
    add(console, " parameters\n");
    return flush(console, err);
}

an_status ani_console_begin(ani_console *console, int32_t stage, int32_t epoch, int32_t epochs,
                            int64_t steps, double now, an_error *err) {
    if (!console->text) return AN_OK;
    console->stage = stage;
    console->epoch = epoch;
    console->epochs = epochs;
    console->steps = steps;
    console->width = 0;
    console->begun = now;
    console->shown = console->first_step = -1;
    console->speed = 0;
    if (is_keras(console) && epoch)
        ani_text_print(&console->line, "Epoch %d/%d\n", (int)epoch, (int)epochs);
    return flush(console, err);
}

an_status ani_console_step(ani_console *console, int64_t step, double loss, double now,
                           an_error *err) {
    const double interval = is_keras(console) ? keras_interval : bar_interval;
    if (!console->text || !console->terminal) return AN_OK;
    if (console->shown >= 0 && now - console->shown < interval) return AN_OK;
    if (!is_keras(console))
        add_bar(console, step, loss, now);
    else if (console->epoch)
        add_keras_bar(console, step, loss, NULL, 0, now);
    console->shown = now;
    return flush(console, err);
}

void ani_console_set_speed(ani_console *console, double images_a_second, double share) {
    console->speed = images_a_second;
    console->share = share;
}

an_status ani_console_end_features(ani_console *console, double now, an_error *err) {
    if (!console->text) return AN_OK;
    if (!is_keras(console)) {
        wipe(console);
        add_place(console);
        add(console, "computed once  ");
        add_duration(console, now - console->begun);
        add(console, "\n");
    }
    return flush(console, err);
}

an_status ani_console_end(ani_console *console, const an_epoch_report *report, int32_t rate_shown,
                          double now, an_error *err) {
    if (!console->text) return AN_OK;
    if (!is_keras(console)) {
        wipe(console);
        add_line(console, report);
    } else if (console->terminal) {
        add_keras_bar(console, console->steps, report->loss, report, rate_shown, now);
    } else {
        add_keras_line(console, report, rate_shown, now);
    }
    console->width = 0;
    return flush(console, err);
}

an_status ani_console_checkpoint(ani_console *console, int32_t epoch, const char *monitor,
                                 double before, double value, int32_t best_only, int32_t saved,
                                 const char *path, an_error *err) {
    char from[352], to[352];
    if (!console->text || !is_keras(console)) return AN_OK; /* our own line says "saved" */
    ani_format_fixed(from, sizeof from, before, 5);
    ani_format_fixed(to, sizeof to, value, 5);
    ani_text_print(&console->line, "\nEpoch %d: ", (int)epoch);
    if (!best_only)
        ani_text_print(&console->line, "saving model to %s\n", path);
    else if (saved)
        ani_text_print(&console->line, "%s improved from %s to %s, saving model to %s\n", monitor,
                       from, to, path);
    else
        ani_text_print(&console->line, "%s did not improve from %s\n", monitor, from);
    return flush(console, err);
}

an_status ani_console_reduced(ani_console *console, int32_t epoch, double rate, an_error *err) {
    char number[32];
    if (!console->text) return AN_OK;
    ani_format_shortest(number, sizeof number, rate);
    if (is_keras(console)) {
        ani_text_print(&console->line,
                       "\nEpoch %d: ReduceLROnPlateau reducing learning rate to %s.\n", (int)epoch,
                       number);
    } else {
        wipe(console);
        ani_text_print(&console->line, "The learning rate is %s from epoch %d on\n", number,
                       (int)epoch + 1);
    }
    return flush(console, err);
}

an_status ani_console_head(ani_console *console, const an_head_report *report, an_error *err) {
    if (!console->text) return AN_OK;
    if (!is_keras(console)) wipe(console);
    ani_text_print(&console->line, "Head fitted in closed form, penalty %.3g", report->penalty);
    if (report->steps == 0)
        ani_text_print(&console->line, ", %.4g degrees of freedom", report->freedom);
    add(console, "\n");
    return flush(console, err);
}

an_status ani_console_stopped(ani_console *console, int32_t epoch, an_error *err) {
    if (!console->text) return AN_OK;
    ani_text_print(&console->line, "Epoch %d: early stopping\n", (int)epoch);
    return flush(console, err);
}

an_status ani_console_restored(ani_console *console, int32_t best_epoch, an_error *err) {
    if (!console->text) return AN_OK;
    ani_text_print(&console->line, "Restoring model weights from the end of the best epoch: %d.\n",
                   (int)best_epoch);
    return flush(console, err);
}

an_status ani_console_not_finite(ani_console *console, int64_t step, const char *message,
                                 an_error *err) {
    if (!console->text) return AN_OK;
    if (is_keras(console)) {
        ani_text_print(&console->line, "Batch %lld: Invalid loss, terminating training\n",
                       (long long)step - 1);
    } else {
        wipe(console);
        ani_text_print(&console->line, "%s\n", message);
    }
    return flush(console, err);
}
