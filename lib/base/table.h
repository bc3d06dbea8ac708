/* SPDX-License-Identifier: MIT
 * Rows of a text table with a header, as in RFC 4180, read in place. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>

#include "base/error.h"

/** A field without its quotes; not terminated. */
typedef struct ani_table_field {
    char *begin;
    int64_t size;
    bool quoted;
} ani_table_field;

typedef struct ani_table {
    const char *file;        /* for messages */
    char *c, *end;           /* what is left; *end is 0 */
    int64_t line;            /* of c, from 1 */
    int64_t row_line;        /* where the row began */
    char separator;          /* 0: none */
    ani_table_field *titles; /* [columns] */
    ani_table_field *fields; /* [columns], of the row */
    int64_t columns;         /* of the header */
    int64_t count; /* number of fields in the row, including those for which there is no room */
} ani_table;

/** Begin with size bytes, followed by a zero byte; modified and kept. A UTF-8 byte order mark is
 * skipped. */
void ani_table_begin(ani_table *table, const char *file, char *bytes, int64_t size);
void ani_table_clear(ani_table *table);

/** Find which of the characters in kinds, of "," ";" and tab, separates the titles of the first
 * line, and how many titles there are; none: separator 0, and one title. AN_ERR_FORMAT: it has
 * several kinds. */
an_status ani_table_find_separator(ani_table *table, const char *kinds, an_error *err);
/** Then read the titles. The caller limits columns first. AN_ERR_FORMAT: see
 * ani_table_read_row(); AN_ERR_NOMEM. */
an_status ani_table_read_header(ani_table *table, an_error *err);

/** Read a row. Quoted fields may contain separators, line ends and doubled quotes, which are
 * collapsed. AN_ERR_FORMAT: a quote is not closed, or stands beside other characters; after that,
 * table is at the next line unless *is_fatal, where the next row cannot be found. */
an_status ani_table_read_row(ani_table *table, bool *is_fatal, an_error *err);

/** True if the table is at the end of a line that is not its last one. */
bool ani_table_is_at_line_end(const ani_table *table);
/** Skip a line end: LF, CR or CRLF. */
void ani_table_end_line(ani_table *table);

#endif
