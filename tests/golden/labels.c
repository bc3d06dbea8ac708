/* SPDX-License-Identifier: MIT
 * Topic labels: good and odd label files, each with the list of outcomes that are allowed; where a
 * file is read, names and numbers are those that Python reads. */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/io.h>

#include "base/file.h"
#include "base/memory.h"
#include "dataset/labels.h"

/* The line that a message names; 0 = none. */
static long long line_of(const char *message) {
    const char *at = strstr(message, ", line ");
    return at ? strtoll(at + 7, NULL, 10) : 0;
}

static bool is_allowed(const json_t *want, an_status st, int64_t count, const char *message) {
    for (size_t i = 0; i < json_array_size(want); i++) {
        const json_t *outcome = json_array_get(want, i);
        const json_t *entries = json_object_get(outcome, "entries");
        const json_t *line = json_object_get(outcome, "error_line");
        if (entries && !st && count == json_integer_value(entries)) return true;
        if (line && st == AN_ERR_FORMAT &&
            (json_is_null(line) ? line_of(message) > 0
                                : line_of(message) == json_integer_value(line)))
            return true;
    }
    return false;
}

/* Python's entries, where both read the file: a byte order mark is theirs alone, and long names are
 * shortened in the reference. */
static void check_entries(const char *file, json_t *entries, const ani_labels *labels) {
    const char *key;
    json_t *value;
    json_object_foreach(entries, key, value) {
        const char *name = strncmp(key, "\xEF\xBB\xBF", 3) ? key : key + 3;
        if (strstr(name, "chars)")) continue;
        const int64_t entry = ani_labels_find(labels, name, (int64_t)strlen(name));
        if (entry < 0) fail_msg("'%s': no label for '%s'", file, name);
        if (labels->values[entry] != golden_number(value))
            fail_msg("'%s': '%s' has %.17g, expected %.17g", file, name, labels->values[entry],
                     golden_number(value));
    }
}

static void check_file(const char *name, const json_t *expected) {
    char path[512];
    uint8_t *bytes;
    int64_t size;
    ani_labels labels;
    an_error err = {0};
    snprintf(path, sizeof path, "labels/files/%s", name);
    const char *full = golden_path(path);
    if (!full) fail_msg("'%s' is in the list but not there", name);
    assert_int_equal(ani_file_read_all(full, INT64_MAX, &bytes, &size, NULL), AN_OK);
    const ani_labels_form form = {.outputs = 1};
    const an_status st = ani_labels_read(&labels, name, bytes, size, &form, &err);
    const json_t *want = json_object_get(expected, "want");
    assert_true(json_array_size(want) > 0);
    if (!is_allowed(want, st, st ? 0 : labels.count, err.message)) {
        char *text = json_dumps(want, JSON_COMPACT);
        fail_msg("'%s': %s (%lld entries), expected one of %s", name, st ? err.message : "read",
                 st ? 0 : (long long)labels.count, text);
    }
    if (st && !strstr(err.message, name)) fail_msg("'%s' is not named: %s", name, err.message);
    const json_t *python = json_object_get(expected, "python");
    if (!st && json_is_true(json_object_get(python, "ok")))
        check_entries(name, json_object_get(python, "entries"), &labels);
    if (!st) ani_labels_clear(&labels);
    ani_free(bytes);
}

/* The list of files: Python's name with a zero byte, which jansson refuses as a key, becomes
 * another. */
static json_t *read_list(const char *path) {
    uint8_t *bytes;
    int64_t size;
    json_error_t error;
    assert_int_equal(ani_file_read_all(path, INT64_MAX, &bytes, &size, NULL), AN_OK);
    for (char *zero = (char *)bytes; (zero = strstr(zero, "\\u0000"));)
        memcpy(zero, "\\u0001", 6);
    json_t *json = json_loadb((const char *)bytes, (size_t)size, 0, &error);
    if (!json) fail_msg("'%s': %s", path, error.text);
    ani_free(bytes);
    return json;
}

static void files(void **state) {
    (void)state;
    const char *path = golden_path("labels/expected.json");
    if (!path) skip();
    json_t *json = read_list(path);
    const char *name;
    json_t *expected;
    int32_t checked = 0;
    json_object_foreach(json, name, expected) {
        if (*name == '_') continue;
        check_file(name, expected);
        checked++;
    }
    assert_true(checked > 0);
    json_decref(json);
}

int golden_labels(void);
int golden_labels(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(files)};
    return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
