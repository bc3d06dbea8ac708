/* SPDX-License-Identifier: MIT
 * Label files: messages, several numbers a line, policy skip, size. Odd files are golden topic
 * labels. */
#include "dataset/labels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/io.h>

static an_status read_text(ani_labels *labels, const char *text, int32_t outputs, int32_t policy,
                           an_error *err) {
    return ani_labels_read(labels, "L.txt", (const uint8_t *)text, (int64_t)strlen(text), outputs,
                           policy, err);
}

static void expect_message(const char *text, int32_t outputs, const char *message) {
    ani_labels labels;
    an_error err;
    assert_int_equal(read_text(&labels, text, outputs, AN_POLICY_STRICT, &err), AN_ERR_FORMAT);
    assert_string_equal(err.message, message);
    assert_null(labels.entries);
}

static void messages_name_file_and_line(void **state) {
    (void)state;
    expect_message("", 1, "'L.txt' holds no labels");
    expect_message("a 1\nb\n", 1, "'L.txt', line 2: 0 numbers after the name 'b', expected 1");
    expect_message("a 1 2\r\nb 3\r\n", 2,
                   "'L.txt', line 2: 1 numbers after the name 'b', expected 2");
    expect_message("a one\n", 1, "'L.txt', line 1: 'one' is not a finite number");
    expect_message("a 1\r\rb 1e999", 1, "'L.txt', line 3: '1e999' is too large for a number");
    expect_message("a 1 2\n", 1,
                   "'L.txt', line 1: '2' is too much; expected a name without blanks and 1 number");
    expect_message("a 1\nb 2\na 3\n", 1, "'L.txt', line 3: 'a' has another label on line 1");
    expect_message("a 1\nb\x01 2\n", 1, "'L.txt', line 2: has a control character (byte 1)");
}

/* Fields are shown cut, between two characters, and without what is no text. */
static void odd_fields_are_shown(void **state) {
    (void)state;
    expect_message("a \xff"
                   "1\n",
                   1, "'L.txt', line 1: '?1' is not a finite number");
    for (int before = 0; before < 3; before++) {
        char text[160] = "a xx", *const field = text + 2, message[256];
        field[before] = '\0';
        for (int i = 0; i < 30; i++)
            strcat(field, "\xe2\x82\xac");
        const int kept = before == 0 ? 48 : before == 1 ? 46 : 47;
        snprintf(message, sizeof message, "'L.txt', line 1: '%.*s...' is not a finite number", kept,
                 field);
        expect_message(text, 1, message);
    }
}

static void a_file_that_is_too_large(void **state) {
    (void)state;
    ani_labels labels;
    an_error err;
    assert_int_equal(ani_labels_read(&labels, "L.txt", (const uint8_t *)"a 1", 1073741825, 1,
                                     AN_POLICY_STRICT, &err),
                     AN_ERR_UNSUPPORTED);
    assert_string_equal(err.message, "'L.txt' has 1073741825 bytes; at most 1073741824 are read");
}

static void several_numbers_a_line(void **state) {
    (void)state;
    ani_labels labels;
    assert_int_equal(read_text(&labels, "b 1 2 3\n\na\t4\t 5  6", 3, AN_POLICY_STRICT, NULL),
                     AN_OK);
    assert_int_equal(labels.count, 2);
    assert_int_equal(ani_labels_find(&labels, "a", 1), 1);
    assert_int_equal(ani_labels_find(&labels, "c", 1), -1);
    for (int i = 0; i < 6; i++)
        assert_true(labels.values[i] == 1.0 + i);
    assert_int_equal(labels.entries[1].line, 3);
    ani_labels_clear(&labels);
}

static void skip_leaves_bad_lines_out(void **state) {
    (void)state;
    ani_labels labels;
    an_error err;
    assert_int_equal(read_text(&labels, "a 1\nb nan\nc 3\na 9\nd 4 4\n", 1, AN_POLICY_SKIP, NULL),
                     AN_OK);
    assert_int_equal(labels.count, 2);
    assert_int_equal(labels.skipped, 3);
    assert_string_equal(labels.first_skipped.message,
                        "'L.txt', line 2: 'nan' is not a finite number");
    assert_true(labels.values[ani_labels_find(&labels, "a", 1)] == 1.0);
    ani_labels_clear(&labels);
    assert_int_equal(read_text(&labels, "a\nb\n", 1, AN_POLICY_SKIP, &err), AN_ERR_FORMAT);
    assert_string_equal(err.message, "no label is left: 'L.txt', line 1: 0 numbers after the name "
                                     "'a', expected 1");
}

/* Time that grew with the square of the lines would take hours here. */
static void a_million_lines(void **state) {
    (void)state;
    enum { LINES = 1000000, LINE = 24 };
    char *text = malloc((size_t)LINES * LINE + 1);
    int64_t size = 0;
    for (int i = 0; i < LINES; i++)
        size += snprintf(text + size, LINE, "face%07d.jpg %d.5\n", i, i % 5);
    ani_labels labels;
    assert_int_equal(
        ani_labels_read(&labels, "L.txt", (const uint8_t *)text, size, 1, AN_POLICY_STRICT, NULL),
        AN_OK);
    assert_int_equal(labels.count, LINES);
    assert_int_equal(ani_labels_find(&labels, "face0765432.jpg", 15), 765432);
    ani_labels_clear(&labels);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_name_file_and_line), cmocka_unit_test(odd_fields_are_shown),
        cmocka_unit_test(a_file_that_is_too_large),    cmocka_unit_test(several_numbers_a_line),
        cmocka_unit_test(skip_leaves_bad_lines_out),   cmocka_unit_test(a_million_lines),
    };
    return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
