/* SPDX-License-Identifier: MIT
 * The history as CSV: writes our format, and reads it and that of Keras' CSVLogger. */
#include <attractivenet/train.h>

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/table.h"
#include "base/text.h"
#include "train/fields.h"

an_status an_history_write_csv(const an_history *history, const char *path, an_error *err) {
    if (!history || !path)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", history ? "path" : "history");
    an_status st = AN_OK;
    ani_text text = {0};
    ani_text_print(&text, "stage,epoch,loss,val_loss,rate,seconds\n");
    for (int64_t i = 0; i < an_history_count(history); i++) {
        an_epoch_report epoch = {.struct_size = sizeof epoch};
        an_history_copy_epoch(history, i, &epoch, NULL);
        const double values[] = {epoch.loss, epoch.val_loss, epoch.rate};
        char number[32];
        ani_text_print(&text, "%d,%d", (int)epoch.stage, (int)epoch.epoch);
        for (int k = 0; k < 3; k++) {
            ani_format_shortest(number, sizeof number, values[k]);
            ani_text_print(&text, ",%s", number);
        }
        ani_format_fixed(number, sizeof number, epoch.seconds, 3);
        ani_text_print(&text, ",%s\n", number);
    }
    if (text.failed) {
        st = ani_fail_memory(err, text.size, "a history as text");
        goto done;
    }
    st = ani_file_write_all(path, text.bytes, text.size, err);
done:
    ani_text_clear(&text);
    return st;
}

/* --- reading ---------------------------------------------------------------------------------- */

enum { MAX_COLUMNS = 1024 };
static const int64_t max_bytes = INT64_C(64) << 20;

/** What a column contains; the first two are required. */
enum { EPOCH, LOSS, VAL_LOSS, RATE, SECONDS, STAGE, KNOWN, OTHER = KNOWN };

static const ani_field known[KNOWN] = {
    /* one more is still an int32 */
    [EPOCH] = {"epoch", ANI_FIELD_INT32, offsetof(an_epoch_report, epoch), 0, INT32_MAX - 1},
    [LOSS] = {"loss", ANI_FIELD_DOUBLE, offsetof(an_epoch_report, loss), 0, 0},
    [VAL_LOSS] = {"val_loss", ANI_FIELD_DOUBLE, offsetof(an_epoch_report, val_loss), 0, 0},
    [RATE] = {"rate", ANI_FIELD_DOUBLE, offsetof(an_epoch_report, rate), 0, 0},
    [SECONDS] = {"seconds", ANI_FIELD_DOUBLE, offsetof(an_epoch_report, seconds), 0, 0},
    [STAGE] = {"stage", ANI_FIELD_INT32, offsetof(an_epoch_report, stage), 1, INT32_MAX},
};

typedef struct log_columns {
    uint8_t kinds[MAX_COLUMNS]; /* EPOCH to OTHER */
    bool has[KNOWN];
} log_columns;

/** Terminate a field, whose separator or quote has been read. */
static const char *text_of(const ani_table_field *field) {
    field->begin[field->size] = '\0';
    return field->begin;
}

static int which_column(const char *name) {
    if (!strcmp(name, "learning_rate") || !strcmp(name, "lr")) return RATE;
    for (int k = 0; k < KNOWN; k++)
        if (!strcmp(name, known[k].name)) return k;
    return OTHER;
}

static an_status read_header(ani_table *t, log_columns *columns, an_error *err) {
    an_status st = ani_table_find_separator(t, ",;\t", err);
    if (!st && t->columns > MAX_COLUMNS)
        st = ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: more than %d columns", t->file,
                      (long long)t->line, MAX_COLUMNS);
    if (!st) st = ani_table_read_header(t, err);
    for (int32_t i = 0; !st && i < t->columns; i++) {
        const int k = which_column(text_of(&t->titles[i]));
        columns->kinds[i] = (uint8_t)k;
        if (k == OTHER) continue;
        if (columns->has[k])
            st = ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: a second column for '%s'", t->file,
                          (long long)t->row_line, known[k].name);
        columns->has[k] = true;
    }
    if (st || (columns->has[EPOCH] && columns->has[LOSS])) return st;
    return ani_fail(err, AN_ERR_FORMAT,
                    "'%s', line %lld: no column '%s'; the header of a log names 'epoch' and 'loss'",
                    t->file, (long long)t->row_line, columns->has[EPOCH] ? "loss" : "epoch");
}

/** Put a field into a report. Only the loss and whole numbers are required. */
static bool take_value(an_epoch_report *report, int k, const char *text) {
    const char *end = text;
    if (known[k].kind == ANI_FIELD_DOUBLE && k != LOSS && (!*text || !strcmp(text, "NA")))
        return true;
    return ani_field_parse(&known[k], report, text, &end) && !*end;
}

static an_status read_line(ani_table *t, const log_columns *columns, an_epoch_report *report,
                           an_error *err) {
    bool is_fatal;
    *report = (an_epoch_report){
        .struct_size = sizeof *report, .val_loss = NAN, .rate = NAN, .seconds = NAN};
    an_status st = ani_table_read_row(t, &is_fatal, err);
    if (st) return st;
    if (t->count != t->columns)
        return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: %d fields; the header has %d",
                        t->file, (long long)t->row_line, (int)t->count, (int)t->columns);
    for (int32_t i = 0; i < t->columns; i++) {
        const int k = columns->kinds[i];
        const char *text = text_of(&t->fields[i]);
        if (k == OTHER || take_value(report, k, text)) continue;
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s', line %lld: '%s' has '%.40s'; it must be a %snumber", t->file,
                        (long long)t->row_line, known[k].name, text,
                        k == EPOCH   ? "whole "
                        : k == STAGE ? "positive whole "
                                     : "");
    }
    return AN_OK;
}

/** Number a Keras epoch like ours: from 1, with one stage per fit(). */
static void number_epoch(an_epoch_report *report, const an_epoch_report *before) {
    report->epoch++;
    report->stage = before->stage + (report->epoch > before->epoch ? 0 : 1);
}

static an_status read_table(ani_table *t, an_history *history, an_error *err) {
    log_columns columns = {0};
    an_epoch_report report, before = {.stage = 1};
    an_status st = read_header(t, &columns, err);
    while (!st) {
        while (ani_table_is_at_line_end(t))
            ani_table_end_line(t);
        if (t->c == t->end) break;
        st = read_line(t, &columns, &report, err);
        if (st) break;
        if (!columns.has[STAGE])
            number_epoch(&report, &before);
        else if (report.epoch < 1)
            st = ani_fail(err, AN_ERR_FORMAT,
                          "'%s', line %lld: epoch %d of a stage; they count from 1", t->file,
                          (long long)t->row_line, (int)report.epoch);
        before = report;
        if (!st) st = an_history_append(history, &report, err);
    }
    return st;
}

an_status an_history_read_csv(an_history **out, const char *path, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!path) return ani_fail(err, AN_ERR_ARG, "path is NULL");
    an_history *history = NULL;
    uint8_t *bytes = NULL;
    int64_t size = 0;
    ani_table t = {0};
    an_status st = ani_file_read_all(path, max_bytes, &bytes, &size, err);
    if (!st) st = an_history_create(&history, err);
    if (st) goto done;
    ani_table_begin(&t, path, (char *)bytes, size);
    if (memchr(bytes, 0, (size_t)size)) {
        st = ani_fail(err, AN_ERR_FORMAT, "'%s' has a zero byte; a log is text", path);
        goto done;
    }
    st = read_table(&t, history, err);
    if (st) goto done;
    *out = history;
    history = NULL;
done:
    an_history_destroy(history);
    ani_table_clear(&t);
    ani_free(bytes);
    return st;
}
