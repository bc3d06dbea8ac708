/* SPDX-License-Identifier: MIT
 * Reads label files with a header (docs/numerics.md, section labels): row by row, with fields left
 * in place. */
#include "dataset/csv.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/table.h"
#include "base/text.h"
#include "dataset/dataset.h"
#include "io/members.h"

enum {
    SHOWN = 48,          /* bytes of a field that a message shows */
    TITLES_SHOWN = 6,    /* of the header, likewise */
    MAX_COLUMNS = 100000 /* of a file */
};

typedef ani_table_field field;

typedef struct table {
    ani_table rows;
    ani_labels *labels;
    int32_t name;      /* columns that are read */
    int32_t weight;    /* -1: none */
    int32_t *labelled; /* [needed]: the numbers, or the class */
    int32_t needed;
} table;

bool ani_csv_is(const char *label_file) {
    const int64_t size = (int64_t)strlen(label_file);
    if (size < 4) return false;
    char ending[5] = {0};
    for (int i = 0; i < 4; i++)
        ending[i] = ani_lower(label_file[size - 4 + i]);
    return !strcmp(ending, ".csv") || !strcmp(ending, ".tsv");
}

/* --- rows ------------------------------------------------------------------------------------ */

/* Number of bytes of a text that a message shows. */
static int shown(int64_t size) {
    return size > SHOWN ? SHOWN : (int)size;
}

/* Ignore the blanks around unquoted fields. */
static void trim(field *fields, int64_t count) {
    for (field *f = fields; f < fields + count; f++) {
        if (f->quoted) continue;
        for (; f->size && (*f->begin == ' ' || *f->begin == '\t'); f->size--)
            f->begin++;
        while (f->size && (f->begin[f->size - 1] == ' ' || f->begin[f->size - 1] == '\t'))
            f->size--;
    }
}

static an_status read_row(ani_table *rows, bool *is_fatal, an_error *err) {
    const an_status st = ani_table_read_row(rows, is_fatal, err);
    if (!st) trim(rows->fields, rows->count < rows->columns ? rows->count : rows->columns);
    return st;
}

/* Skip blank lines. */
static void skip_blank_lines(ani_table *rows) {
    for (char *c = rows->c; c < rows->end;) {
        while (c < rows->end && (*c == ' ' || (*c == '\t' && rows->separator != '\t')))
            c++;
        if (c == rows->end) rows->c = c;
        if (c == rows->end || (*c != '\n' && *c != '\r')) return;
        rows->c = c;
        ani_table_end_line(rows);
        c = rows->c;
    }
}

/* --- the header ------------------------------------------------------------------------------ */

static an_status read_titles(ani_table *rows, an_error *err) {
    const bool is_tsv = ani_lower(rows->file[strlen(rows->file) - 3]) == 't';
    an_status st = ani_table_find_separator(rows, is_tsv ? "\t" : ",;\t", err);
    if (!st && !rows->separator)
        st = ani_fail(err, AN_ERR_FORMAT,
                      "'%s', line %lld: the header has one column; the name and the label of an "
                      "image must be separated by %s",
                      rows->file, (long long)rows->line,
                      is_tsv ? "tabs" : "commas, semicolons or tabs");
    if (!st && rows->columns > MAX_COLUMNS)
        st = ani_fail(err, AN_ERR_UNSUPPORTED, "'%s', line %lld: has more than %d columns",
                      rows->file, (long long)rows->line, (int)MAX_COLUMNS);
    if (!st) st = ani_table_read_header(rows, err);
    if (!st) trim(rows->titles, rows->columns);
    return st;
}

static bool is_title(const table *t, int32_t column, const char *title) {
    const field *f = &t->rows.titles[column];
    return (int64_t)strlen(title) == f->size && !memcmp(f->begin, title, (size_t)f->size);
}

static an_status refuse_title(const table *t, const char *title, an_error *err) {
    ani_text text = {0};
    for (int32_t i = 0; i < t->rows.columns && i < TITLES_SHOWN; i++)
        ani_text_print(&text, "%s'%.*s'", i ? ", " : "", shown(t->rows.titles[i].size),
                       t->rows.titles[i].begin);
    if (t->rows.columns > TITLES_SHOWN)
        ani_text_print(&text, " and %d more", (int)t->rows.columns - TITLES_SHOWN);
    const an_status st =
        text.failed ? ani_fail_memory(err, text.size, "a message")
                    : ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: no column '%s'; there are %s",
                               t->rows.file, (long long)t->rows.row_line, title, text.bytes);
    ani_text_clear(&text);
    return st;
}

/* Find the one column with a title. */
static an_status find_column(const table *t, const char *title, int32_t *column, an_error *err) {
    *column = -1;
    for (int32_t i = 0; i < t->rows.columns; i++) {
        if (!is_title(t, i, title)) continue;
        if (*column >= 0)
            return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: columns %d and %d are both '%s'",
                            t->rows.file, (long long)t->rows.row_line, (int)*column + 1, (int)i + 1,
                            title);
        *column = i;
    }
    return *column >= 0 ? AN_OK : refuse_title(t, title, err);
}

/* Take the columns other than name and weight: exactly as many as a label needs. */
static an_status take_others(const table *t, an_error *err) {
    int32_t others = 0;
    for (int32_t i = 0; i < t->rows.columns; i++) {
        if (i == t->name || i == t->weight) continue;
        if (others < t->needed) t->labelled[others] = i;
        others++;
    }
    if (others == t->needed) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT,
                    "'%s', line %lld: the header has %d columns besides the name%s, expected %d; "
                    "set score_columns to choose",
                    t->rows.file, (long long)t->rows.row_line, (int)others,
                    t->weight >= 0 ? " and the weight" : "", (int)t->needed);
}

/* A first line that is not a header is recognised by its values in columns that were not chosen by
 * name. */
static an_status refuse_missing_header(const table *t, const ani_labels_form *form, an_error *err) {
    for (int32_t i = -1; i < t->needed; i++) {
        const bool is_chosen = i < 0 ? form->name_column != NULL : form->score_columns != NULL;
        const field *f = &t->rows.titles[i < 0 ? t->name : t->labelled[i]];
        char copy[SHOWN + 1];
        const char *end = copy;
        double value;
        if (is_chosen || f->size > SHOWN) continue;
        memcpy(copy, f->begin, (size_t)f->size);
        copy[f->size] = '\0';
        const bool is_data = i < 0 ? ani_name_stem(copy, NULL) > 0
                                   : ani_parse_double(copy, &end, &value, NULL) && !*end;
        if (is_data)
            return ani_fail(err, AN_ERR_FORMAT,
                            "'%s', line %lld: must be the titles of the columns; '%s' is %s",
                            t->rows.file, (long long)t->rows.row_line, copy,
                            i < 0 ? "the name of an image" : "a number");
    }
    return AN_OK;
}

/* Each column has one use. */
static an_status refuse_double_use(const table *t, an_error *err) {
    for (int32_t i = 0; i < t->needed; i++) {
        const int32_t column = t->labelled[i];
        const char *other = column == t->name     ? "name_column"
                            : column == t->weight ? "weight_column"
                                                  : NULL;
        for (int32_t k = 0; k < i && !other; k++)
            if (t->labelled[k] == column) other = "score_columns";
        if (other)
            return ani_fail(
                err, AN_ERR_FORMAT, "'%s', line %lld: column '%.*s' is in score_columns and in %s",
                t->rows.file, (long long)t->rows.row_line, shown(t->rows.titles[column].size),
                t->rows.titles[column].begin, other);
    }
    if (t->weight != t->name) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT,
                    "'%s', line %lld: column '%.*s' is both name_column and weight_column",
                    t->rows.file, (long long)t->rows.row_line, shown(t->rows.titles[t->name].size),
                    t->rows.titles[t->name].begin);
}

static an_status read_header(table *t, const ani_labels_form *form, an_error *err) {
    t->weight = -1;
    skip_blank_lines(&t->rows);
    if (t->rows.c == t->rows.end)
        return ani_fail(err, AN_ERR_FORMAT, "'%s' contains no labels", t->rows.file);
    an_status st = read_titles(&t->rows, err);
    if (st) return st;
    t->labelled = ani_alloc(t->needed * (int64_t)sizeof *t->labelled);
    if (!t->labelled)
        return ani_fail_memory(err, t->needed * (int64_t)sizeof *t->labelled,
                               "the columns of a label");
    if (form->name_column) st = find_column(t, form->name_column, &t->name, err);
    if (!st && form->weight_column) st = find_column(t, form->weight_column, &t->weight, err);
    for (int32_t i = 0; i < t->needed && form->score_columns && !st; i++)
        st = find_column(t, form->score_columns[i], &t->labelled[i], err);
    if (!st && !form->score_columns) st = take_others(t, err);
    if (!st) st = refuse_missing_header(t, form, err);
    return st ? st : refuse_double_use(t, err);
}

/* --- labels ---------------------------------------------------------------------------------- */

/* Fail because of a field, which the message names. */
static an_status refuse(const table *t, int32_t column, const char *why, an_error *err) {
    const field *f = &t->rows.fields[column], *title = &t->rows.titles[column];
    return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld, column %d ('%.*s'): '%.*s' %s",
                    t->rows.file, (long long)t->rows.row_line, (int)column + 1, shown(title->size),
                    title->begin, shown(f->size), f->begin, why);
}

/* True if a field is a number except for a decimal comma. */
static bool has_decimal_comma(const field *f) {
    char copy[SHOWN + 1];
    const char *end = copy;
    double value;
    const char *comma = memchr(f->begin, ',', (size_t)f->size);
    if (!comma || f->size > SHOWN) return false;
    memcpy(copy, f->begin, (size_t)f->size);
    copy[f->size] = '\0';
    copy[comma - f->begin] = '.';
    return ani_parse_double(copy, &end, &value, NULL) && !*end;
}

static an_status read_number(const table *t, int32_t column, double *value, an_error *err) {
    const field *f = &t->rows.fields[column];
    const char *begin = f->begin, *last = f->begin + f->size, *end = begin;
    bool overflow = false;
    while (begin < last && (*begin == ' ' || *begin == '\t')) /* inside quotes */
        begin++;
    while (last > begin && (last[-1] == ' ' || last[-1] == '\t'))
        last--;
    /* what follows the field, a separator or quote, cannot be part of a number */
    const bool found = begin < last && ani_parse_double(begin, &end, value, &overflow);
    if (overflow || (found && end == last && fabs(*value) > FLT_MAX))
        return refuse(t, column, "is too large: the limit is 3.4e38", err);
    if (found && end == last) return AN_OK;
    return refuse(t, column,
                  has_decimal_comma(f) ? "has a decimal comma; it must be a point"
                                       : "is not a finite number",
                  err);
}

static an_status read_weight(const table *t, double *weight, an_error *err) {
    const an_status st = read_number(t, t->weight, weight, err);
    if (st || ani_weight_is_valid(*weight)) return st;
    return refuse(t, t->weight, "is not a weight: it must be 0 or between 1.18e-38 and 3.4e38",
                  err);
}

/* Find the base name in the name of an image, which may include folders. */
static an_status read_name(const table *t, ani_label *label, an_error *err) {
    const field *f = &t->rows.fields[t->name];
    int64_t base = f->size;
    for (int64_t i = 0; i < f->size; i++)
        if ((unsigned char)f->begin[i] < 0x20 || f->begin[i] == 0x7f)
            return refuse(t, t->name, "has a control character", err);
    while (base > 0 && f->begin[base - 1] != '/' && f->begin[base - 1] != '\\')
        base--;
    if (base == f->size)
        return refuse(t, t->name,
                      f->size ? "is a folder; expected the name of an image"
                              : "is empty; expected the name of an image",
                      err);
    *label = (ani_label){.offset = (uint32_t)(f->begin + base - t->labels->bytes),
                         .size = (uint32_t)(f->size - base),
                         .line = (uint32_t)t->rows.row_line,
                         .folders = (uint32_t)base};
    return AN_OK;
}

/* Add the row to the labels. */
static an_status take_row(const table *t, an_error *err) {
    ani_labels *labels = t->labels;
    ani_label label;
    const field *class = NULL;
    if (t->rows.count != t->rows.columns)
        return ani_fail(err, AN_ERR_FORMAT, "'%s', line %lld: %d fields, the header has %d",
                        t->rows.file, (long long)t->rows.row_line, (int)t->rows.count,
                        (int)t->rows.columns);
    an_status st = read_name(t, &label, err);
    if (labels->items)
        class = &t->rows.fields[t->labelled[0]];
    else
        for (int32_t i = 0; i < t->needed && !st; i++)
            st =
                read_number(t, t->labelled[i], &labels->values[labels->count * t->needed + i], err);
    if (!st && labels->weights) st = read_weight(t, &labels->weights[labels->count], err);
    if (st) return st;
    return ani_labels_add(labels, t->rows.file, &label, class ? class->begin : NULL,
                          class ? class->size : 0, err);
}

an_status ani_csv_read(ani_labels *out, const char *name, uint8_t *bytes, int64_t size,
                       const ani_labels_form *form, an_error *err) {
    ani_labels labels = {0};
    table t = {.labels = &labels};
    *out = (ani_labels){0};
    an_status st = ani_labels_begin(&labels, name, bytes, &size, form, err);
    if (st) goto done;
    ani_table_begin(&t.rows, name, labels.owned ? labels.owned : (char *)bytes, size);
    t.needed = labels.items ? 1 : form->outputs;
    st = read_header(&t, form, err);
    if (st) goto done;
    for (skip_blank_lines(&t.rows); t.rows.c < t.rows.end; skip_blank_lines(&t.rows)) {
        an_error why;
        bool is_fatal;
        an_status bad = read_row(&t.rows, &is_fatal, &why);
        if (!bad) bad = take_row(&t, &why);
        if (bad && (is_fatal || form->policy != AN_POLICY_SKIP || bad == AN_ERR_NOMEM)) {
            st = ani_fail(err, bad, "%s", why.message);
            goto done;
        }
        if (bad) ani_labels_skip(&labels, &why);
    }
    st = ani_labels_end(&labels, name, err);
    if (st) goto done;
    *out = labels;
    labels = (ani_labels){0};
done:
    ani_labels_clear(&labels);
    ani_table_clear(&t.rows);
    ani_free(t.labelled);
    return st;
}
