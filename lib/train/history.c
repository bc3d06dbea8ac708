/* SPDX-License-Identifier: MIT
 * The epochs of a run in memory, and as text within a checkpoint. */
#include "train/history.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/text.h"
#include "train/fields.h"

struct an_history {
    atomic_int references;
    int64_t count, capacity;
    an_epoch_report *epochs;
};

void an_epoch_report_init(an_epoch_report *report, uint32_t struct_size) {
    ani_report_init(report, struct_size);
}

an_status an_history_create(an_history **out, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    an_history *history = ani_alloc_zero(1, sizeof *history);
    *out = history;
    if (!history) return ani_fail_memory(err, sizeof *history, "a history");
    atomic_init(&history->references, 1);
    return AN_OK;
}

void ani_history_hold(an_history *history) {
    atomic_fetch_add(&history->references, 1);
}

void an_history_destroy(an_history *history) {
    if (!history || atomic_fetch_sub(&history->references, 1) > 1) return;
    ani_free(history->epochs);
    ani_free(history);
}

int64_t an_history_count(const an_history *history) {
    return history ? history->count : 0;
}

an_status an_history_copy_epoch(const an_history *history, int64_t index, an_epoch_report *report,
                                an_error *err) {
    if (!history || !report)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", history ? "report" : "history");
    const an_status st = ani_report_check(report, "an_epoch_report", err);
    if (st) return st;
    if (index < 0 || index >= history->count)
        return ani_fail(err, AN_ERR_ARG, "epoch %lld is not in the history, which has %lld",
                        (long long)index, (long long)history->count);
    ani_report_copy(report, &history->epochs[index], sizeof *history->epochs);
    return AN_OK;
}

an_status ani_history_reserve(an_history *history, an_error *err) {
    if (history->count < history->capacity) return AN_OK;
    const int64_t capacity = history->capacity ? 2 * history->capacity : 64;
    int64_t size;
    if (!ani_mul_size(capacity, sizeof *history->epochs, &size))
        return ani_fail_memory(err, -1, "a history");
    an_epoch_report *grown =
        ani_realloc(history->epochs, history->capacity * (int64_t)sizeof *history->epochs, size);
    if (!grown) return ani_fail_memory(err, size, "a history");
    history->epochs = grown;
    history->capacity = capacity;
    return AN_OK;
}

an_status an_history_append(an_history *history, const an_epoch_report *report, an_error *err) {
    an_epoch_report ours = {.struct_size = sizeof ours};
    if (!history || !report)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", history ? "report" : "history");
    an_status st = ani_options_copy(&ours, sizeof ours, report, "an_epoch_report", err);
    if (!st) st = ani_history_reserve(history, err);
    if (st) return st;
    history->epochs[history->count++] = ours;
    return AN_OK;
}

/* --- as text ---------------------------------------------------------------------------------- */

#define WHOLE(member)                                                                              \
    { #member, ANI_FIELD_INT32, offsetof(an_epoch_report, member), INT32_MIN, INT32_MAX }
#define NUMBER(member)                                                                             \
    { #member, ANI_FIELD_DOUBLE, offsetof(an_epoch_report, member), 0, 0 }

static const ani_field fields[] = {
    WHOLE(stage),
    WHOLE(epoch),
    WHOLE(improved),
    WHOLE(saved),
    WHOLE(stopped),
    WHOLE(reason),
    {"steps", ANI_FIELD_INT64, offsetof(an_epoch_report, steps), 0, INT64_MAX},
    NUMBER(loss),
    NUMBER(val_loss),
    NUMBER(rate),
    NUMBER(seconds),
};
enum { FIELD_COUNT = sizeof fields / sizeof *fields };

an_status an_history_copy_column(const an_history *history, const char *name, double *values,
                                 an_error *err) {
    if (!history || !name || !values)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !history ? "history"
                        : !name  ? "name"
                                 : "values");
    const ani_field *field = NULL;
    for (int k = 0; k < FIELD_COUNT && !field; k++)
        if (!strcmp(fields[k].name, name)) field = &fields[k];
    if (!field)
        return ani_fail(err, AN_ERR_ARG,
                        "a history has no column '%s'; it must be a number of an_epoch_report, as "
                        "'loss', 'val_loss' or 'rate'",
                        name);
    for (int64_t i = 0; i < history->count; i++)
        values[i] = ani_field_number(field, &history->epochs[i]);
    return AN_OK;
}

void ani_history_print(const an_history *history, ani_text *text) {
    for (int64_t i = 0; i < history->count; i++) {
        for (int k = 0; k < FIELD_COUNT; k++) {
            char number[ANI_FIELD_SIZE];
            ani_field_format(number, &fields[k], &history->epochs[i]);
            ani_text_print(text, "%s%s", number, k < FIELD_COUNT - 1 ? "," : "\n");
        }
    }
}

an_status ani_history_parse(an_history *history, const char *text, an_error *err) {
    an_status st = AN_OK;
    for (int64_t line = 1; *text && !st; line++) {
        an_epoch_report report = {.struct_size = sizeof report};
        for (int k = 0; k < FIELD_COUNT; k++) {
            const char *end = text;
            if (!ani_field_parse(&fields[k], &report, text, &end) ||
                *end != (k < FIELD_COUNT - 1 ? ',' : '\n'))
                return ani_fail(err, AN_ERR_FORMAT,
                                "the history has no number for '%s' in line %lld", fields[k].name,
                                (long long)line);
            text = end + 1;
        }
        st = an_history_append(history, &report, err);
    }
    return st;
}

void ani_history_set_reason(an_history *history, int32_t reason) {
    if (!history->count) return;
    an_epoch_report *last = &history->epochs[history->count - 1];
    last->stopped = reason != AN_STOP_NONE;
    last->reason = reason;
}

void ani_history_swap(an_history *a, an_history *b) {
    an_epoch_report *const epochs = a->epochs;
    const int64_t count = a->count, capacity = a->capacity;
    a->epochs = b->epochs;
    a->count = b->count;
    a->capacity = b->capacity;
    b->epochs = epochs;
    b->count = count;
    b->capacity = capacity;
}
