/* SPDX-License-Identifier: MIT
 * Golden topic callbacks: what Keras 2.19 decides and prints on sequences of val_loss, and the
 * whole console text of a fit. Sequences of mode "max" are run as their negatives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/train.h>

#include "base/text.h"
#include "support/golden.h"
#include "train/console.h"
#include "train/decisions.h"

/* --- text that a console prints --------------------------------------------------------------- */

static int32_t collect(void *user, const char *text) {
    ani_text_add(user, text, (int64_t)strlen(text));
    return 0;
}

static ani_console keras_console(ani_text *printed, int32_t terminal) {
    ani_console console;
    const an_train_options options = {.verbose = AN_VERBOSE_KERAS,
                                      .text_is_terminal = terminal,
                                      .text = collect,
                                      .text_user = printed};
    ani_console_init(&console, &options);
    return console;
}

/** Compare with the list of lines that Python's splitlines gave. */
static void expect_lines(const char *what, const ani_text *printed, const json_t *lines) {
    ani_text want = {0};
    size_t i;
    const json_t *line;
    json_array_foreach(lines, i, line) {
        ani_text_print(&want, "%s\n", json_string_value(line));
    }
    if (want.size != printed->size ||
        (want.size && memcmp(want.bytes, printed->bytes, (size_t)want.size)))
        fail_msg("%s: printed\n%s\nexpected\n%s", what, printed->bytes ? printed->bytes : "",
                 want.bytes ? want.bytes : "");
    ani_text_clear(&want);
}

/* --- sequences -------------------------------------------------------------------------------- */

typedef struct sequence {
    char name[256];
    const json_t *values, *arguments, *wanted;
    double sign; /* -1 for mode max */
} sequence;

static double argument(const sequence *s, const char *name, double otherwise) {
    const json_t *value = json_object_get(s->arguments, name);
    return value && !json_is_null(value) ? golden_number(value) : otherwise;
}

static bool is_set(const sequence *s, const char *name) {
    return json_is_true(json_object_get(s->arguments, name));
}

/** True, with the value, unless the epoch had none. */
static bool value_of(const sequence *s, size_t epoch, double *value) {
    const json_t *entry = json_array_get(s->values, epoch);
    if (json_is_null(entry)) return false;
    *value = s->sign * golden_number(entry);
    return true;
}

typedef void (*sequence_fn)(const sequence *s);

static void for_each(const char *file, sequence_fn check) {
    const char *path = golden_path(file);
    if (!path) skip();
    json_t *cases = golden_json(path);
    assert_true(json_array_size(cases) > 0);
    size_t i, checked = 0;
    const json_t *entry;
    json_array_foreach(cases, i, entry) {
        sequence s = {.values = json_object_get(entry, "values"),
                      .arguments = json_object_get(entry, "args"),
                      .wanted = json_object_get(entry, "keras2")};
        if (json_object_get(s.wanted, "error")) continue;
        const char *mode = json_string_value(json_object_get(s.arguments, "mode"));
        s.sign = mode && !strcmp(mode, "max") ? -1 : 1;
        char *arguments = json_dumps(s.arguments, JSON_COMPACT);
        snprintf(s.name, sizeof s.name, "case %zu, %s %s", i,
                 json_string_value(json_object_get(entry, "sequence")), arguments);
        free(arguments);
        assert_true(json_array_size(s.values) > 0);
        check(&s);
        checked++;
    }
    assert_true(2 * checked > json_array_size(cases)); /* few are errors of Keras */
    json_decref(cases);
}

static void expect_number(const sequence *s, const char *name, double got) {
    const double want = golden_number(json_object_get(s->wanted, name));
    if (got != want && !(isnan(got) && isnan(want)))
        fail_msg("%s: %s is %.17g, expected %.17g", s->name, name, got, want);
}

static void check_early_stopping(const sequence *s) {
    an_early_stopping state;
    an_early_stopping_init(&state, sizeof state, argument(s, "min_delta", 0),
                           (int32_t)argument(s, "patience", 0));
    state.start_from_epoch = (int32_t)argument(s, "start_from_epoch", 0);
    state.baseline = s->sign * argument(s, "baseline", NAN);
    const bool restore = is_set(s, "restore_best_weights");
    int32_t epochs = 0, kept = -1;
    bool stopped = false;
    while (!stopped && epochs < (int32_t)json_array_size(s->values)) {
        double value;
        const int32_t epoch = epochs++;
        if (!value_of(s, (size_t)epoch, &value)) continue;
        const int32_t decision = an_early_stopping_update(&state, epoch, value);
        if (decision & AN_EARLY_KEEP) kept = epoch;
        stopped = decision & AN_EARLY_STOP;
    }
    expect_number(s, "epochs_run", epochs);
    expect_number(s, "wait", state.wait);
    expect_number(s, "best", s->sign * state.best);
    expect_number(s, "stopped_epoch", state.stopped_epoch);
    if (stopped != json_is_true(json_object_get(s->wanted, "stopped")))
        fail_msg("%s: stopped is %d", s->name, stopped);
    expect_number(s, "weights_of_epoch", restore && kept >= 0 ? kept : epochs - 1);
    if (kept >= 0 && isfinite(state.best)) expect_number(s, "best_epoch", state.best_epoch);

    ani_text printed = {0};
    ani_console console = keras_console(&printed, 1);
    if (stopped) ani_console_stopped(&console, state.stopped_epoch + 1, NULL);
    if (restore && kept >= 0) ani_console_restored(&console, state.best_epoch + 1, NULL);
    expect_lines(s->name, &printed, json_object_get(s->wanted, "text"));
    ani_console_clear(&console);
    ani_text_clear(&printed);
}

static void check_checkpoint(const sequence *s) {
    an_best_checkpoint state;
    an_best_checkpoint_init(&state, sizeof state, is_set(s, "save_best_only"));
    state.best = s->sign * argument(s, "initial_value_threshold", s->sign * state.best);
    const json_t *wanted = json_object_get(s->wanted, "saved_epochs");
    ani_text printed = {0};
    ani_console console = keras_console(&printed, 1);
    size_t saved = 0;
    for (size_t epoch = 0; epoch < json_array_size(s->values); epoch++) {
        double value = NAN;
        /* without the value Keras saves if it is to save every epoch */
        if (!value_of(s, epoch, &value) && state.save_best_only) continue;
        const double before = state.best;
        const int32_t save = an_best_checkpoint_update(&state, value);
        ani_console_checkpoint(&console, (int32_t)epoch + 1, "val_loss", s->sign * before,
                               s->sign * value, state.save_best_only, save, "MODEL", NULL);
        if (!save) continue;
        if (json_integer_value(json_array_get(wanted, saved)) != (json_int_t)epoch ||
            saved >= json_array_size(wanted))
            fail_msg("%s: epoch %zu was saved", s->name, epoch);
        saved++;
    }
    if (saved != json_array_size(wanted))
        fail_msg("%s: %zu epochs were saved, expected %zu", s->name, saved,
                 json_array_size(wanted));
    expect_lines(s->name, &printed, json_object_get(s->wanted, "text"));
    ani_console_clear(&console);
    ani_text_clear(&printed);
}

static void check_reduce_rate(const sequence *s) {
    an_reduce_rate state;
    an_reduce_rate_init(&state, sizeof state, argument(s, "factor", 0.1),
                        (int32_t)argument(s, "patience", 10));
    state.min_delta = argument(s, "min_delta", 1e-4);
    state.cooldown = (int32_t)argument(s, "cooldown", 0);
    state.min_rate = argument(s, "min_lr", 0);
    const json_t *wanted = json_object_get(s->wanted, "lr_after_epoch");
    ani_text printed = {0};
    ani_console console = keras_console(&printed, 1);
    double rate = 1e-3;
    for (size_t epoch = 0; epoch < json_array_size(s->values); epoch++) {
        double value, exact = 0;
        if (value_of(s, epoch, &value)) rate = ani_reduce_rate_update(&state, value, rate, &exact);
        if (exact > 0) ani_console_reduced(&console, (int32_t)epoch + 1, exact, NULL);
        const double want = golden_number(json_array_get(wanted, epoch));
        if (!(fabs(rate - want) <= 1e-6 * want))
            fail_msg("%s: rate after epoch %zu is %.17g, expected %.17g", s->name, epoch, rate,
                     want);
    }
    expect_lines(s->name, &printed, json_object_get(s->wanted, "text"));
    ani_console_clear(&console);
    ani_text_clear(&printed);
}

static void early_stopping_of_keras(void **state) {
    (void)state;
    for_each("callbacks/early_stopping.json", check_early_stopping);
}

static void model_checkpoint_of_keras(void **state) {
    (void)state;
    for_each("callbacks/model_checkpoint.json", check_checkpoint);
}

static void reduce_rate_of_keras(void **state) {
    (void)state;
    for_each("callbacks/reduce_lr.json", check_reduce_rate);
}

/* --- console ---------------------------------------------------------------------------------- */

/** Replace times by T, and the number of \b and the blanks behind a bar by one: both depend on how
 * many letters a time has. */
static char *without_times(const char *text) {
    regex_t time;
    assert_int_equal(regcomp(&time, "[0-9]+(us|ms|s)(/step|/epoch)?|[0-9]+:[0-9:]+", REG_EXTENDED),
                     0);
    ani_text out = {0};
    regmatch_t found;
    while (!regexec(&time, text, 1, &found, 0)) {
        ani_text_add(&out, text, found.rm_so);
        ani_text_add(&out, "T", 1);
        text += found.rm_eo;
    }
    regfree(&time);
    ani_text_add(&out, text, (int64_t)strlen(text));
    ani_text shorter = {0};
    for (int64_t i = 0; i < out.size; i++) {
        const char at = out.bytes[i], next = out.bytes[i + 1];
        if (at == '\b' && next == '\b') continue;
        if (at == ' ' && (next == '\n' || (next == ' '))) continue;
        ani_text_add(&shorter, &at, 1);
    }
    ani_text_add(&shorter, "", 0);
    ani_text_clear(&out);
    char *result = strdup(shorter.bytes);
    ani_text_clear(&shorter);
    return result;
}

static double number_after(const char *text, const char *what, const char *end) {
    const char *at = strstr(text, what);
    return at && (!end || at < end) ? strtod(at + strlen(what), NULL) : NAN;
}

/** Print again what a recorded fit printed: its losses are read from the record, all else comes
 * from the console. */
static void console_of_tf_keras(void **state) {
    (void)state;
    const char *path = golden_path("callbacks/console_tf_keras.txt");
    if (!path) skip();
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    static char record[1 << 20];
    const size_t size = fread(record, 1, sizeof record - 1, file);
    fclose(file);
    record[size] = '\0';

    ani_text printed = {0};
    double best = INFINITY, now = 100;
    const char *at = record, *recorded_end = record;
    int epochs_seen = 0;
    while (!strncmp(at, "Epoch ", 6)) {
        const char *end = strchr(at, '\n') + 1;
        int epoch, epochs, steps = 0;
        assert_int_equal(sscanf(at, "Epoch %d/%d", &epoch, &epochs), 2);
        const bool bar = *end == '\r';
        ani_console console = keras_console(&printed, bar);
        assert_int_equal(sscanf(strchr(end, '/'), "/%d", &steps), 1);
        /* this epoch's part of the record reaches to the line with val_loss and what follows it */
        const char *last = strstr(end, " - val_loss: ");
        assert_non_null(last);
        const char *next = strchr(last, '\n') + 1;
        ani_console_begin(&console, 1, epoch, epochs, steps, now, NULL);
        if (bar) {
            ani_console_step(&console, 1, number_after(end, "loss: ", NULL), now, NULL);
            ani_console_step(&console, 2, 0, now + 0.01, NULL); /* too soon to be shown */
            const char *decision = strstr(end, "val_loss ");
            const bool saved = decision < last && strstr(decision, "improved from") < last &&
                               strncmp(decision, "val_loss did", 12) != 0;
            const double value = saved ? number_after(decision, " to ", last) : INFINITY;
            char model[256] = "";
            if (saved) sscanf(strstr(decision, "saving model to "), "saving model to %255s", model);
            ani_console_checkpoint(&console, epoch, "val_loss", best, value, 1, saved, model, NULL);
            if (saved) best = value;
        }
        const char *loss = last;
        while (strncmp(loss, "loss: ", 6))
            loss--;
        const an_epoch_report report = {.loss = strtod(loss + 6, NULL),
                                        .val_loss = number_after(last, "val_loss: ", NULL)};
        ani_console_end(&console, &report, 0, now + 0.08, NULL);
        if (sscanf(next, "Epoch %d: early stopping", &epoch) == 1 && strchr(next, ':') &&
            strchr(next, ':') < strchr(next, '\n')) {
            ani_console_stopped(&console, epoch, NULL);
            next = strchr(next, '\n') + 1;
        }
        ani_console_clear(&console);
        at = recorded_end = next;
        now += 1;
        epochs_seen++;
    }
    assert_true(epochs_seen > 0);
    record[recorded_end - record] = '\0'; /* evaluate and predict follow */
    char *want = without_times(record), *got = without_times(printed.bytes);
    if (strcmp(want, got)) fail_msg("printed\n%s\nexpected\n%s", got, want);
    free(want);
    free(got);
    ani_text_clear(&printed);
}

int golden_callbacks(void);
int golden_callbacks(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(early_stopping_of_keras),
        cmocka_unit_test(model_checkpoint_of_keras),
        cmocka_unit_test(reduce_rate_of_keras),
        cmocka_unit_test(console_of_tf_keras),
    };
    return cmocka_run_group_tests_name("golden callbacks", tests, NULL, NULL);
}
