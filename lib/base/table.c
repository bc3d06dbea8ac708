/* SPDX-License-Identifier: MIT
 * Reads rows field by field; fields stay where they are. */
#include "base/table.h"

#include <string.h>

#include "base/memory.h"

enum { SHOWN = 48 }; /* bytes of a field that a message shows */

void ani_table_begin(ani_table *table, const char *file, char *bytes, int64_t size) {
    *table = (ani_table){.file = file, .c = bytes, .end = bytes + size, .line = 1, .row_line = 1};
    if (size >= 3 && !memcmp(bytes, "\xEF\xBB\xBF", 3)) table->c += 3;
}

void ani_table_clear(ani_table *table) {
    ani_free(table->titles);
    ani_free(table->fields);
    table->titles = table->fields = NULL;
}

/* --- lines ------------------------------------------------------------------------------------ */

static bool is_line_end(char c) {
    return c == '\n' || c == '\r';
}

bool ani_table_is_at_line_end(const ani_table *table) {
    return table->c < table->end && is_line_end(*table->c);
}

void ani_table_end_line(ani_table *t) {
    t->c += t->end - t->c >= 2 && t->c[0] == '\r' && t->c[1] == '\n' ? 2 : 1;
    t->line++;
}

static void skip_line(ani_table *t) {
    while (t->c < t->end && !is_line_end(*t->c))
        t->c++;
    if (t->c < t->end) ani_table_end_line(t);
}

/* --- rows ------------------------------------------------------------------------------------- */

static an_status read_quoted(ani_table *t, ani_table_field *f, an_error *err) {
    const int64_t opened = t->line;
    char *to = f->begin = ++t->c;
    for (;;) {
        if (t->c == t->end)
            return ani_fail(err, AN_ERR_FORMAT,
                            "'%s', line %lld: the quote of field %d is not closed", t->file,
                            (long long)opened, (int)t->count + 1);
        if (*t->c == '"') {
            if (t->end - t->c < 2 || t->c[1] != '"') break;
            t->c++;
        } else if (is_line_end(*t->c)) {
            t->line += *t->c == '\n' || t->end - t->c < 2 || t->c[1] != '\n';
        }
        *to++ = *t->c++;
    }
    t->c++;
    f->size = to - f->begin;
    f->quoted = true;
    return AN_OK;
}

static bool is_field_end(const ani_table *t) {
    return t->c == t->end || *t->c == t->separator || is_line_end(*t->c);
}

/* Read an unquoted field; false if it has a quote. */
static bool read_plain(ani_table *t, ani_table_field *f) {
    bool has_quote = false;
    f->begin = t->c;
    while (!is_field_end(t))
        has_quote |= *t->c++ == '"';
    f->size = t->c - f->begin;
    f->quoted = false;
    return !has_quote;
}

static an_status read_field(ani_table *t, ani_table_field *f, bool *is_fatal, an_error *err) {
    if (*t->c == '"') {
        const an_status st = read_quoted(t, f, err);
        *is_fatal = st != AN_OK;
        if (st || is_field_end(t)) return st;
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s', line %lld: '%c' follows the closing quote of field %d", t->file,
                        (long long)t->line, *t->c, (int)t->count + 1);
    }
    if (read_plain(t, f)) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT,
                    "'%s', line %lld: field %d, '%.*s', has a quote inside; it must be in quotes, "
                    "and its quotes written twice",
                    t->file, (long long)t->line, (int)t->count + 1,
                    (int)(f->size > SHOWN ? SHOWN : f->size), f->begin);
}

an_status ani_table_read_row(ani_table *t, bool *is_fatal, an_error *err) {
    t->row_line = t->line;
    t->count = 0;
    *is_fatal = false;
    for (;;) {
        ani_table_field f;
        const an_status st = read_field(t, &f, is_fatal, err);
        if (st) {
            skip_line(t);
            return st;
        }
        if (t->count < t->columns) t->fields[t->count] = f;
        t->count++;
        if (t->c == t->end) return AN_OK;
        if (*t->c != t->separator) break;
        t->c++;
    }
    ani_table_end_line(t);
    return AN_OK;
}

/* --- the header ------------------------------------------------------------------------------- */

an_status ani_table_find_separator(ani_table *t, const char *kinds, an_error *err) {
    static const char *const names[] = {"commas", "semicolons", "tabs"};
    static const char all[] = ",;\t";
    int64_t counts[3] = {0};
    bool quoted = false;
    int found = -1;
    for (const char *c = t->c; c < t->end && (quoted || !is_line_end(*c)); c++) {
        if (*c == '"') quoted = !quoted;
        for (int i = 0; i < 3 && !quoted; i++)
            counts[i] += *c == all[i] && strchr(kinds, all[i]);
    }
    for (int i = 0; i < 3; i++) {
        if (!counts[i]) continue;
        if (found >= 0)
            return ani_fail(err, AN_ERR_FORMAT,
                            "'%s', line %lld: the header has %s and %s; titles that contain one of "
                            "them must be in quotes",
                            t->file, (long long)t->line, names[found], names[i]);
        found = i;
    }
    t->separator = found < 0 ? '\0' : all[found];
    t->columns = found < 0 ? 1 : counts[found] + 1;
    return AN_OK;
}

an_status ani_table_read_header(ani_table *t, an_error *err) {
    const int64_t size = t->columns * (int64_t)sizeof *t->fields;
    bool is_fatal;
    t->titles = ani_alloc(size);
    t->fields = ani_alloc(size);
    if (!t->titles || !t->fields) return ani_fail_memory(err, size, "the fields of a row");
    const an_status st = ani_table_read_row(t, &is_fatal, err);
    if (st) return st;
    memcpy(t->titles, t->fields, (size_t)size);
    return AN_OK;
}
