/* SPDX-License-Identifier: MIT
 * JSON, one indented line per value. The file gets its name once everything is on disk. */
#include "json_file.h"

#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static void begin_value(json_file *json, const char *name) {
    fprintf(json->file, "%s\n%*s", json->has_before ? "," : "", 2 * json->depth, "");
    if (name) fprintf(json->file, "\"%s\": ", name);
    json->has_before = 1;
}

int json_begin(json_file *json, const char *folder, const char *name) {
    char part[80];
    snprintf(part, sizeof part, "%s.part", name);
    *json = (json_file){0};
    join_path(json->path, folder, name);
    join_path(json->part, folder, part);
    json->file = fopen(json->part, "w");
    if (!json->file) return complain_of("cannot write '%s': %s", json->path, strerror(errno));
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
    const int bad = fflush(json->file) || ferror(json->file) || fsync(fileno(json->file));
    int code = errno;
    if (!fclose(json->file) && !bad && !rename(json->part, json->path)) return 0;
    if (!bad) code = errno;
    unlink(json->part);
    return complain_of("cannot write '%s': %s", json->path, strerror(code));
}
