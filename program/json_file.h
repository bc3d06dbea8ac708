/* SPDX-License-Identifier: MIT
 * A JSON file, written value by value; it appears atomically. */
#ifndef PROGRAM_JSON_FILE_H
#define PROGRAM_JSON_FILE_H

#include "result_file.h"

enum { JSON_DEPTH = 8 };

/** A file in progress. Values have a name in an object, and none (NULL) in a list. */
typedef struct json_file {
    FILE *file;               /* where values go: to.file or stdout */
    result_file to;           /* not of json_begin_output() */
    char closing[JSON_DEPTH]; /* brackets that are open */
    int depth, has_before;
} json_file;

/** Begin the file "folder/name" with an object. Returns 0, or 1 after printing why it failed. */
int json_begin(json_file *json, const char *folder, const char *name);
/** The same on stdout. After the last value, json_close() ends it; the caller checks stdout. */
void json_begin_output(json_file *json);
/** Begin a nested object ('{') or list ('['). */
void json_open(json_file *json, const char *name, char bracket);
void json_close(json_file *json);
void json_number(json_file *json, const char *name, double value); /**< NaN and infinity: null. */
void json_count(json_file *json, const char *name, int64_t value);
void json_flag(json_file *json, const char *name, int value); /**< true or false */
/** NULL: null. Text that is not UTF-8, as in paths: null, and "NAME_hex" has the bytes. */
void json_text(json_file *json, const char *name, const char *value);
/** Flush everything to disk and give the file its name. Returns 0, or 1 after printing why it
 *  failed; then an existing file is unchanged. */
int json_end(json_file *json);

#endif
