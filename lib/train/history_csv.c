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

/** A table being read; its bytes are overwritten with the fields. */
typedef struct table {
    const char *path;
    char *at, *end;    /* *end is 0 */
    char separator;    /* 0 until the header has been read */
    int64_t line;      /* being read, from 1 */
    int64_t next_line; /* the one after it: a quoted field may have several lines */
    int32_t columns;
    uint8_t column[MAX_COLUMNS]; /* EPOCH to OTHER */
    bool has[KNOWN];
} table;

static bool separates(const table *t, char c) {
    return t->separator ? c == t->separator : c == ',' || c == ';' || c == '\t';
}

/** Take the next field of the line: *field ends with a 0, *last tells whether the line ends
 * here. */
static an_status take_field(table *t, char **field, bool *last, an_error *err) {
    char *at = t->at, *to = t->at;
    *field = to;
    if (*at == '"') {
        for (at++; at < t->end && (*at != '"' || at[1] == '"'); at++) {
            if (*at == '\n') t->next_line++;
            if (*at == '"') at++; /* "" is one */
            *to++ = *at;
        }
        if (at == t->end)
            return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: a quote is not closed", t->path,
                            (long long)t->line);
        at++;
    } else {
        while (at < t->end && *at != '"' && *at != '\n' && *at != '\r' && !separates(t, *at))
            at++;
        to = at;
    }
    const char behind = *at;
    if (at < t->end && behind != '\n' && behind != '\r' && !separates(t, behind))
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s', line %lld: a quote stands beside other characters of its field",
                        t->path, (long long)t->line);
    if (at < t->end && separates(t, behind)) t->separator = behind;
    *last = at == t->end || !separates(t, behind);
    *to = '\0';
    if (at < t->end) at++;
    if (behind == '\r' && *at == '\n') at++;
    t->at = at;
    if (*last) t->next_line++;
    return AN_OK;
}

static int which_column(const char *name) {
    if (!strcmp(name, "learning_rate") || !strcmp(name, "lr")) return RATE;
    for (int k = 0; k < KNOWN; k++)
        if (!strcmp(name, known[k].name)) return k;
    return OTHER;
}

static an_status read_header(table *t, an_error *err) {
    bool last = false;
    while (!last) {
        char *name;
        an_status st = take_field(t, &name, &last, err);
        if (st) return st;
        if (t->columns == MAX_COLUMNS)
            return ani_fail(err, AN_ERR_FORMAT, "'%s', line 1: more than %d columns", t->path,
                            MAX_COLUMNS);
        const int k = which_column(name);
        if (k != OTHER && t->has[k])
            return ani_fail(err, AN_ERR_FORMAT, "'%s', line 1: a second column for '%s'", t->path,
                            known[k].name);
        t->column[t->columns++] = (uint8_t)k;
        if (k != OTHER) t->has[k] = true;
    }
    if (t->has[EPOCH] && t->has[LOSS]) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT,
                    "'%s', line 1: no column '%s'; the header of a log names 'epoch' and 'loss'",
                    t->path, t->has[EPOCH] ? "loss" : "epoch");
}

/** Put a field into a report. Only the loss and whole numbers are required. */
static bool take_value(an_epoch_report *report, int k, const char *text) {
    const char *end = text;
    if (known[k].kind == ANI_FIELD_DOUBLE && k != LOSS && (!*text || !strcmp(text, "NA")))
        return true;
    return ani_field_parse(&known[k], report, text, &end) && !*end;
}

static an_status read_line(table *t, an_epoch_report *report, an_error *err) {
    bool last = false;
    int32_t column = 0;
    *report = (an_epoch_report){
        .struct_size = sizeof *report, .val_loss = NAN, .rate = NAN, .seconds = NAN};
    for (; !last; column++) {
        char *text;
        an_status st = take_field(t, &text, &last, err);
        if (st) return st;
        const int k = column < t->columns ? t->column[column] : OTHER;
        if (k == OTHER || take_value(report, k, text)) continue;
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s', line %lld: '%s' has '%.40s'; it must be a %snumber", t->path,
                        (long long)t->line, known[k].name, text,
                        k == EPOCH   ? "whole "
                        : k == STAGE ? "positive whole "
                                     : "");
    }
    if (column == t->columns) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: %d fields; the header has %d", t->path,
                    (long long)t->line, (int)column, (int)t->columns);
}

/** Number a Keras epoch like ours: from 1, with one stage per fit(). */
static void number_epoch(an_epoch_report *report, const an_epoch_report *before) {
    report->epoch++;
    report->stage = before->stage + (report->epoch > before->epoch ? 0 : 1);
}

static an_status read_table(table *t, an_history *history, an_error *err) {
    an_epoch_report report, before = {.stage = 1};
    an_status st = read_header(t, err);
    while (!st) {
        t->line = t->next_line;
        for (; *t->at == '\n' || *t->at == '\r'; t->at++)
            t->line = t->next_line += *t->at == '\n';
        if (t->at == t->end) break;
        st = read_line(t, &report, err);
        if (st) break;
        if (!t->has[STAGE])
            number_epoch(&report, &before);
        else if (report.epoch < 1)
            st = ani_fail(err, AN_ERR_FORMAT,
                          "'%s', line %lld: epoch %d of a stage; they count from 1", t->path,
                          (long long)t->line, (int)report.epoch);
        before = report;
        if (!st) st = an_history_append(history, &report, err);
    }
    return st;
}

an_status an_history_read_csv(an_history **out, const char *path, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!path) return ani_fail(err, AN_ERR_ARG, "path is NULL");
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8 */
    an_history *history = NULL;
    uint8_t *bytes = NULL;
    int64_t size = 0;
    table t = {.path = path, .line = 1, .next_line = 1};
    an_status st = ani_file_read_all(path, max_bytes, &bytes, &size, err);
    if (!st) st = an_history_create(&history, err);
    if (st) goto done;
    t.at = (char *)bytes;
    t.end = t.at + size;
    if (!strncmp(t.at, mark, sizeof mark - 1)) t.at += sizeof mark - 1;
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
    ani_free(bytes);
    return st;
}
