/* SPDX-License-Identifier: MIT
 * Label files: messages, several numbers a line, policy skip, size. Odd files are golden topic
 * labels. */
#include "dataset/labels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/io.h>

static const ani_labels_form one_number = {.outputs = 1};

static an_status read_text(ani_labels *labels, const char *text, int32_t outputs, int32_t policy,
                           an_error *err) {
    const ani_labels_form form = {.outputs = outputs, .policy = policy};
    return ani_labels_read(labels, "L.txt", (const uint8_t *)text, (int64_t)strlen(text), &form,
                           err);
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
    expect_message("", 1, "'L.txt' contains no labels");
    expect_message("a 1\nb\n", 1, "'L.txt', line 2: 0 numbers after the name 'b', expected 1");
    expect_message("a 1 2\r\nb 3\r\n", 2,
                   "'L.txt', line 2: 1 numbers after the name 'b', expected 2");
    expect_message("a one\n", 1, "'L.txt', line 1: 'one' is not a finite number");
    expect_message("a 1\r\rb 1e999", 1,
                   "'L.txt', line 3: '1e999' is too large: the limit is 3.4e38");
    expect_message("a 1 2\n", 1, "'L.txt', line 1: 2 numbers after the name 'a', expected 1");
    expect_message("my a 1 2 3\n", 2,
                   "'L.txt', line 1: 3 numbers after the name 'my a', expected 2");
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
    assert_int_equal(
        ani_labels_read(&labels, "L.txt", (const uint8_t *)"a 1", 1073741825, &one_number, &err),
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

static void expect_label(const char *text, int32_t outputs, const char *name, double value) {
    ani_labels labels;
    an_error err;
    if (read_text(&labels, text, outputs, AN_POLICY_STRICT, &err)) fail_msg("%s", err.message);
    const int64_t entry = ani_labels_find(&labels, name, (int64_t)strlen(name));
    if (entry < 0) fail_msg("no label for '%s' in '%s'", name, text);
    assert_true(labels.values[entry * outputs + outputs - 1] == value);
    ani_labels_clear(&labels);
}

/* "photo (1).jpg", WhatsApp's names: a tab ends a name, else the last fields are the numbers. */
static void names_may_have_blanks(void **state) {
    (void)state;
    expect_label("my photo (1).jpg\t3.5\n", 1, "my photo (1).jpg", 3.5);
    expect_label("my photo (1).jpg 3.5\r\n", 1, "my photo (1).jpg", 3.5);
    expect_label("  my  photo.jpg \t 3.5 \t \n", 1, "my  photo.jpg", 3.5);
    expect_label("IMG 2024 WA 7.jpg 1 2", 2, "IMG 2024 WA 7.jpg", 2);
    expect_label("IMG 2024 WA 7.jpg\t1\t2", 2, "IMG 2024 WA 7.jpg", 2);
    expect_label("IMG 2024 WA 7.jpg\t1 2", 2, "IMG 2024 WA 7.jpg", 2);
    expect_label("photo 7\t3", 1, "photo 7", 3); /* a tab: no doubt */
    expect_label("a.jpg 1\t2", 2, "a.jpg", 2);
    expect_label("a.jpg\t\t4", 1, "a.jpg", 4);
    expect_label("7 3", 1, "7", 3);
    expect_message("photo 7 3", 1, "'L.txt', line 1: 2 numbers after the name 'photo', expected 1");
    expect_message("my a\t1 2", 1, "'L.txt', line 1: 2 numbers after the name 'my a', expected 1");
    expect_message("a\tb\t3", 1, "'L.txt', line 1: 'b' is not a finite number");
    expect_message("a\t1\tb 3", 1, "'L.txt', line 1: 'b' is not a finite number");
    expect_message("my photo.jpg", 1, "'L.txt', line 1: 'photo.jpg' is not a finite number");
    expect_message("my 3", 2, "'L.txt', line 1: 1 numbers after the name 'my', expected 2");
}

/* What spreadsheets write is not read yet, and the message says what is. */
static void quotes_and_commas_are_told_of(void **state) {
    (void)state;
#define EXPECTED                                                                                   \
    "; expected the name, a blank or tab, and numbers with a point, without quotes and commas"
    expect_message("a.jpg,3.5", 1,
                   "'L.txt', line 1: 0 numbers after the name 'a.jpg,3.5', expected 1" EXPECTED);
    expect_message("a.jpg;3.5", 1,
                   "'L.txt', line 1: 0 numbers after the name 'a.jpg;3.5', expected 1" EXPECTED);
    expect_message("a.jpg 3,5", 1, "'L.txt', line 1: '3,5' is not a finite number" EXPECTED);
    expect_message("\"my a.jpg\",3", 1,
                   "'L.txt', line 1: 'a.jpg\",3' is not a finite number" EXPECTED);
    expect_message("a.jpg \"3\"", 1, "'L.txt', line 1: '\"3\"' is not a finite number" EXPECTED);
}

/* A training would end at its first step with a loss that is not a number. */
static void numbers_beyond_a_float_are_refused(void **state) {
    (void)state;
    static const char *const words[] = {"1e39", "-1e39", "3.5e38", "1e400", "-1e400"};
    for (int i = 0; i < 5; i++) {
        char text[64], message[128];
        snprintf(text, sizeof text, "a 1\nb %s\n", words[i]);
        snprintf(message, sizeof message, "'L.txt', line 2: '%s' is too large: the limit is 3.4e38",
                 words[i]);
        expect_message(text, 1, message);
        snprintf(text, sizeof text, "a 1 1\nb %s 1\n", words[i]);
        expect_message(text, 2, message);
    }
    static const char *const others[] = {"nan", "NaN", "inf", "-inf", "infinity", "0x10"};
    for (int i = 0; i < 6; i++) {
        char text[64], message[128];
        snprintf(text, sizeof text, "a 1\nb %s\n", others[i]);
        snprintf(message, sizeof message, "'L.txt', line 2: '%s' is not a finite number",
                 others[i]);
        expect_message(text, 1, message);
    }
    expect_label("a 3.4028234e38", 1, "a", 3.4028234e38);
    expect_label("a 1e-400", 1, "a", 0);
}

/* A text in UTF-16, as Windows and its shell write it. */
static int64_t utf16(uint8_t *to, const uint16_t *text, bool high_first) {
    int64_t size = 0;
    for (; *text; text++) {
        to[size + !high_first] = (uint8_t)(*text >> 8);
        to[size + high_first] = (uint8_t)*text;
        size += 2;
    }
    return size;
}

static void utf16_is_read(void **state) {
    (void)state;
    static const uint16_t text[] = {0xFEFF, 'a', ' ',  0xE9, 0x989C, 0xD83D, 0xDE00,
                                    '.',    'j', '\t', '2',  '.',    '5',    '\r',
                                    '\n',   'b', ' ',  '1',  '\r',   '\n',   0};
    static const uint16_t halves[][4] = {
        {0xFEFF, 'a', 0xD83D, 0}, {0xFEFF, 0xD83D, 'a', 0}, {0xFEFF, 'a', 0xDE00, 0}};
    for (int high_first = 0; high_first < 2; high_first++) {
        uint8_t bytes[64];
        ani_labels labels;
        an_error err;
        int64_t size = utf16(bytes, text, high_first);
        if (ani_labels_read(&labels, "L.txt", bytes, size, &one_number, &err))
            fail_msg("%s", err.message);
        assert_int_equal(labels.count, 2);
        const char *name = "a \xc3\xa9\xe9\xa2\x9c\xf0\x9f\x98\x80.j";
        assert_int_equal(ani_labels_find(&labels, name, (int64_t)strlen(name)), 0);
        assert_true(labels.values[0] == 2.5);
        assert_int_equal(labels.entries[1].line, 2);
        ani_labels_clear(&labels);
        assert_int_equal(ani_labels_read(&labels, "L.txt", bytes, size - 1, &one_number, &err),
                         AN_ERR_FORMAT);
        assert_string_equal(err.message, "'L.txt' is UTF-16 with half a character at byte 38");
        for (int i = 0; i < 3; i++) {
            size = utf16(bytes, halves[i], high_first);
            assert_int_equal(ani_labels_read(&labels, "L.txt", bytes, size, &one_number, &err),
                             AN_ERR_FORMAT);
            assert_non_null(strstr(err.message, "'L.txt' is UTF-16 with half a character"));
        }
        size = utf16(bytes, text + 1, high_first); /* without its mark */
        assert_int_equal(ani_labels_read(&labels, "L.txt", bytes, size, &one_number, &err),
                         AN_ERR_FORMAT);
        assert_string_equal(err.message,
                            "'L.txt', line 1: has a control character (byte 0); a file in UTF-16 "
                            "needs a byte order mark, or save it as UTF-8");
    }
}

/* A name may come twice with the same numbers, all of them. */
static void a_name_twice_with_several_numbers(void **state) {
    (void)state;
    ani_labels labels;
    assert_int_equal(read_text(&labels, "a 1 2\nb 3 4\nb 3 4\na 1 2\n", 2, AN_POLICY_STRICT, NULL),
                     AN_OK);
    assert_int_equal(labels.count, 2);
    ani_labels_clear(&labels);
    expect_message("a 1 2\nb 3 4\nb 3 5\n", 2, "'L.txt', line 3: 'b' has another label on line 2");
    expect_message("a 1 2\nb 3 4\nb 1 4\n", 2, "'L.txt', line 3: 'b' has another label on line 2");
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
        ani_labels_read(&labels, "L.txt", (const uint8_t *)text, size, &one_number, NULL), AN_OK);
    assert_int_equal(labels.count, LINES);
    assert_int_equal(ani_labels_find(&labels, "face0765432.jpg", 15), 765432);
    ani_labels_clear(&labels);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_name_file_and_line),
        cmocka_unit_test(odd_fields_are_shown),
        cmocka_unit_test(a_file_that_is_too_large),
        cmocka_unit_test(several_numbers_a_line),
        cmocka_unit_test(names_may_have_blanks),
        cmocka_unit_test(quotes_and_commas_are_told_of),
        cmocka_unit_test(numbers_beyond_a_float_are_refused),
        cmocka_unit_test(utf16_is_read),
        cmocka_unit_test(a_name_twice_with_several_numbers),
        cmocka_unit_test(skip_leaves_bad_lines_out),
        cmocka_unit_test(a_million_lines),
    };
    return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
