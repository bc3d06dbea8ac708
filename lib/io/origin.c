/* SPDX-License-Identifier: MIT
 * The record is a line that names its format, then a line for each content that path may have: the
 * hash of the URL, a space, and the hash of the beginning and end of the content. */
#include "io/origin.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/hash.h"

static const char mark[] = "attractivenet-origin-1\n";

enum { DIGITS = ANI_HASH_SIZE - 1, LINE_SIZE = 2 * DIGITS + 2, MAX_RECORD = 1 << 12 };

static char *record_path(const char *path, an_error *err) {
    const int64_t size = (int64_t)strlen(path) + (int64_t)sizeof ".origin";
    char *record = ani_alloc(size);
    if (record)
        snprintf(record, (size_t)size, "%s.origin", path);
    else
        ani_fail_memory(err, size, "a path");
    return record;
}

/* Read the lines of the record that concern this content; "" if there are none. */
static an_status read_lines(ani_text *lines, const char *record, const char *content,
                            an_error *err) {
    uint8_t *bytes = NULL;
    int64_t size = 0;
    if (!ani_is_file(record)) return AN_OK;
    const an_status st = ani_file_read_all(record, MAX_RECORD, &bytes, &size, err);
    if (st) return st == AN_ERR_IO || st == AN_ERR_NOMEM ? st : AN_OK; /* too long for a record */
    const char *text = (const char *)bytes;
    if (!strncmp(text, mark, strlen(mark)))
        for (int64_t at = (int64_t)strlen(mark); size - at >= LINE_SIZE; at += LINE_SIZE)
            if (!memcmp(text + at + DIGITS + 1, content, DIGITS))
                ani_text_add(lines, text + at, LINE_SIZE);
    ani_free(bytes);
    return lines->failed ? ani_fail_memory(err, lines->size, record) : AN_OK;
}

an_status ani_origin_look(ani_origin *origin, const char *path, const char *url, an_error *err) {
    char content[ANI_HASH_SIZE], address[ANI_HASH_SIZE];
    ani_text lines = {0};
    char *record = record_path(path, err);
    *origin = ANI_ORIGIN_UNKNOWN;
    an_status st = record ? ani_hash_ends(content, path, err) : AN_ERR_NOMEM;
    if (!st) st = read_lines(&lines, record, content, err);
    if (!st && lines.size > 0) *origin = ANI_ORIGIN_OTHER;
    ani_hash_text(address, url);
    for (int64_t at = 0; !st && at < lines.size; at += LINE_SIZE)
        if (!memcmp(lines.bytes + at, address, DIGITS)) *origin = ANI_ORIGIN_SAME;
    ani_text_clear(&lines);
    ani_free(record);
    return st;
}

an_status ani_origin_write(const char *path, const char *part, const char *url, an_error *err) {
    char content[ANI_HASH_SIZE], address[ANI_HASH_SIZE];
    ani_text text = {0}, known = {0};
    char *record = record_path(path, err);
    an_status st = record ? AN_OK : AN_ERR_NOMEM;
    if (!st && ani_is_file(path)) {
        st = ani_hash_ends(content, path, err);
        if (!st) st = read_lines(&known, record, content, err);
    }
    if (!st) st = ani_hash_ends(content, part, err);
    if (st) goto done;
    ani_hash_text(address, url);
    ani_text_print(&text, "%s%s %s\n", mark, address, content);
    /* One line is enough for the content that the rename replaces, and keeps the record short. */
    if (known.size > 0) ani_text_add(&text, known.bytes, LINE_SIZE);
    st = text.failed ? ani_fail_memory(err, text.size, record)
                     : ani_file_write_all(record, text.bytes, text.size, err);
done:
    ani_text_clear(&known);
    ani_text_clear(&text);
    ani_free(record);
    return st;
}
