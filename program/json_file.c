/* SPDX-License-Identifier: MIT
 * JSON, one indented line per value. The file gets its name once everything is on disk. */
#include "json_file.h"

#include "utf8.h"

#include <inttypes.h>
#include <math.h>

static void begin_value(json_file *json, const char *name) {
    fprintf(json->file, "%s\n%*s", json->has_before ? "," : "", 2 * json->depth, "");
    if (name) fprintf(json->file, "\"%s\": ", name);
    json->has_before = 1;
}

int json_begin(json_file *json, const char *folder, const char *name) {
    char path[PATH_SIZE];
    *json = (json_file){0};
    if (result_file_begin(&json->to, join_path(path, folder, name))) return 1;
    json->file = json->to.file;
    putc('{', json->file);
    json->closing[json->depth++] = '}';
    return 0;
}

void json_begin_output(json_file *json) {
    *json = (json_file){.file = stdout};
    putc('{', json->file);
    json->closing[json->depth++] = '}';
}

void json_open(json_file *json, const char *name, char bracket) {
    begin_value(json, name);
    putc(bracket, json->file);
    json->closing[json->depth++] = bracket == '{' ? '}' : ']';
    json->has_before = 0;
}

void json_close(json_file *json) {
    const char bracket = json->closing[--json->depth];
    if (json->has_before) fprintf(json->file, "\n%*s", 2 * json->depth, "");
    putc(bracket, json->file);
    json->has_before = 1;
}

void json_number(json_file *json, const char *name, double value) {
    begin_value(json, name);
    if (isfinite(value))
        fprintf(json->file, "%.17g", value);
    else
        fputs("null", json->file);
}

void json_count(json_file *json, const char *name, int64_t value) {
    begin_value(json, name);
    fprintf(json->file, "%" PRId64, value);
}

void json_flag(json_file *json, const char *name, int value) {
    begin_value(json, name);
    fputs(value ? "true" : "false", json->file);
}

static void write_hex(json_file *json, const char *name, const char *value) {
    begin_value(json, NULL);
    fprintf(json->file, "\"%s_hex\": \"", name);
    for (; *value; value++)
        fprintf(json->file, "%02x", (unsigned char)*value);
    putc('"', json->file);
}

void json_text(json_file *json, const char *name, const char *value) {
    begin_value(json, name);
    if (!value || !utf8_is_valid(value)) {
        fputs("null", json->file);
        if (value) write_hex(json, name, value);
        return;
    }
    putc('"', json->file);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            fprintf(json->file, "\\%c", *value);
        else if ((unsigned char)*value < 0x20)
            fprintf(json->file, "\\u%04x", (unsigned char)*value);
        else
            putc(*value, json->file);
    }
    putc('"', json->file);
}

int json_end(json_file *json) {
    json_close(json);
    putc('\n', json->file);
    return result_file_end(&json->to);
}
