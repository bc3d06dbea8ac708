/* SPDX-License-Identifier: MIT
 * Lists of named arrays and safetensors: what goes in comes out; headers that lie are refused with
 * what is wrong with them; every cut, flip and fault ends in an error or in what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <attractivenet/io.h>

#include "base/fault.h"
#include "support/folder.h"
#include "support/test_folder.h"

static an_error err;

static const char *target(void) {
    return folder_path(test_folder, "w.safetensors");
}

static void expect_message(const char *word) {
    if (!strstr(err.message, word)) fail_msg("'%s' is not in '%s'", word, err.message);
}

/* Three arrays, a scalar and an empty one among them, and two texts. */
static an_arrays *make_list(void) {
    static const float values[6] = {1.5f, -2, INFINITY, 0, 1e-40f, 3};
    static const int64_t shape[2] = {2, 3}, none[2] = {0, 4};
    an_arrays *list;
    assert_int_equal(an_arrays_create(&list, &err), AN_OK);
    assert_int_equal(an_arrays_add(list, "b/kernel", values, shape, 2, &err), AN_OK);
    assert_int_equal(an_arrays_add(list, "a/\"odd\\ name\"\n\xc3\xa9", values + 1, NULL, 0, &err),
                     AN_OK);
    assert_int_equal(an_arrays_add(list, "empty", NULL, none, 2, &err), AN_OK);
    assert_int_equal(an_arrays_set_metadata(list, "format", "attractivenet-1", &err), AN_OK);
    assert_int_equal(an_arrays_set_metadata(list, "note", "tab\t, quote\" and \xe2\x82\xac", &err),
                     AN_OK);
    return list;
}

static void expect_same(const an_arrays *got, const an_arrays *want) {
    assert_int_equal(an_arrays_count(got), an_arrays_count(want));
    for (int64_t i = 0; i < an_arrays_count(want); i++) {
        int64_t count = 1;
        assert_string_equal(an_arrays_name(got, i), an_arrays_name(want, i));
        assert_int_equal(an_arrays_rank(got, i), an_arrays_rank(want, i));
        for (int32_t axis = 0; axis < an_arrays_rank(want, i); axis++) {
            assert_int_equal(an_arrays_length(got, i, axis), an_arrays_length(want, i, axis));
            count *= an_arrays_length(want, i, axis);
        }
        assert_memory_equal(an_arrays_data(got, i), an_arrays_data(want, i),
                            (size_t)count * sizeof(float));
    }
    assert_int_equal(an_arrays_metadata_count(got), an_arrays_metadata_count(want));
    for (int64_t i = 0; i < an_arrays_metadata_count(want); i++) {
        const char *key = an_arrays_metadata_key(want, i);
        assert_string_equal(an_arrays_metadata_key(got, i), key);
        assert_string_equal(an_arrays_metadata(got, key), an_arrays_metadata(want, key));
    }
}

/* --- the list --------------------------------------------------------------------------------- */

static void a_list_is_found_by_name(void **state) {
    (void)state;
    enum { MANY = 3000 };
    an_arrays *list;
    char name[32];
    assert_int_equal(an_arrays_create(&list, &err), AN_OK);
    assert_int_equal(an_arrays_find(list, "x"), -1);
    for (int64_t i = 0; i < MANY; i++) {
        const float value = (float)i;
        const int64_t one = 1;
        snprintf(name, sizeof name, "layer_%d/kernel", (int)i);
        assert_int_equal(an_arrays_add(list, name, &value, &one, 1, &err), AN_OK);
    }
    for (int64_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "layer_%d/kernel", (int)i);
        assert_int_equal(an_arrays_find(list, name), i);
        assert_true(an_arrays_data(list, i)[0] == (float)i);
    }
    assert_int_equal(an_arrays_find(list, "layer_3000/kernel"), -1);
    /* outside the list, and without one */
    assert_null(an_arrays_name(list, MANY));
    assert_null(an_arrays_data(list, -1));
    assert_int_equal(an_arrays_rank(list, MANY), -1);
    assert_int_equal(an_arrays_length(list, 0, 1), 0);
    assert_int_equal(an_arrays_length(list, 0, -1), 0);
    assert_null(an_arrays_metadata(list, "none"));
    assert_null(an_arrays_metadata_key(list, 0));
    assert_int_equal(an_arrays_count(NULL), 0);
    assert_int_equal(an_arrays_find(NULL, "x"), -1);
    assert_int_equal(an_arrays_find(list, NULL), -1);
    assert_null(an_arrays_name(NULL, 0));
    assert_int_equal(an_arrays_length(NULL, 0, 0), 0);
    assert_null(an_arrays_metadata(NULL, "x"));
    assert_null(an_arrays_metadata(list, NULL));
    assert_null(an_arrays_metadata_key(NULL, 0));
    assert_null(an_arrays_metadata_key(list, -1));
    /* many texts, too */
    for (int64_t i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "key %d", (int)i);
        assert_int_equal(an_arrays_set_metadata(list, name, name, &err), AN_OK);
    }
    assert_int_equal(an_arrays_metadata_count(list), 100);
    assert_string_equal(an_arrays_metadata(list, "key 99"), "key 99");
    an_arrays_destroy(list);
    an_arrays_destroy(NULL);
}

static void a_list_refuses_what_no_file_can_hold(void **state) {
    (void)state;
    an_arrays *list = make_list();
    const float value = 1;
    const int64_t good = 1, negative = -1, shape[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const int64_t huge[3] = {INT64_C(1) << 31, INT64_C(1) << 31, 4};
    assert_int_equal(an_arrays_add(list, "b/kernel", &value, &good, 1, &err), AN_ERR_ARG);
    expect_message("two arrays are named 'b/kernel'");
    assert_int_equal(an_arrays_add(list, "", &value, &good, 1, &err), AN_ERR_ARG);
    assert_int_equal(an_arrays_add(list, "\xff", &value, &good, 1, &err), AN_ERR_ARG);
    expect_message("empty or not UTF-8");
    assert_int_equal(an_arrays_add(list, "__metadata__", &value, &good, 1, &err), AN_ERR_ARG);
    assert_int_equal(an_arrays_add(list, "x", &value, shape, 9, &err), AN_ERR_ARG);
    expect_message("array 'x' has 9 axes; it must be 0 to 8");
    assert_int_equal(an_arrays_add(list, "x", &value, &negative, 1, &err), AN_ERR_ARG);
    assert_int_equal(an_arrays_add(list, "x", &value, huge, 3, &err), AN_ERR_ARG);
    expect_message("the shape of array 'x' is negative or overflows");
    assert_int_equal(an_arrays_add(list, "x", NULL, &good, 1, &err), AN_ERR_ARG);
    assert_int_equal(an_arrays_add(list, "x", &value, NULL, 1, &err), AN_ERR_ARG);
    assert_int_equal(an_arrays_add(list, "x", &value, shape, -1, &err), AN_ERR_ARG);
    expect_message("array 'x' has -1 axes; it must be 0 to 8");
    assert_int_equal(an_arrays_add(list, "x", NULL, NULL, -1, &err), AN_ERR_ARG);
    assert_int_equal(an_arrays_add(list, "x", NULL, shape, 9, &err), AN_ERR_ARG);
    expect_message("array 'x' has 9 axes; it must be 0 to 8");
    assert_int_equal(an_arrays_add(list, "x", NULL, &negative, 1, &err), AN_ERR_ARG);
    expect_message("the shape of array 'x' is negative or overflows");
    assert_int_equal(an_arrays_set_metadata(list, "key", "\xc0", &err), AN_ERR_ARG);
    expect_message("metadata key is not UTF-8");
    assert_int_equal(an_arrays_set_metadata(list, "\xc0", "value", &err), AN_ERR_ARG);
    expect_message("metadata key is not UTF-8");
    an_arrays *untouched = make_list();
    expect_same(list, untouched);
    an_arrays_destroy(untouched);
    assert_int_equal(an_arrays_set_metadata(list, "note", "other", &err), AN_OK);
    assert_string_equal(an_arrays_metadata(list, "note"), "other");
    assert_int_equal(an_arrays_metadata_count(list), 2);
    an_arrays_destroy(list);
}

/* A header of 100 MB may be written, a longer one could not be read again. */
static void a_header_too_long_is_not_written(void **state) {
    (void)state;
    enum { MOST = 100000000 };
    an_arrays *list = make_list();
    char *text = malloc(MOST + 1);
    memset(text, 't', MOST);
    text[MOST] = '\0';
    assert_int_equal(an_arrays_set_metadata(list, "text", text, &err), AN_OK);
    assert_int_equal(an_arrays_write(list, target(), &err), AN_ERR_UNSUPPORTED);
    expect_message("w.safetensors': its header has 100000");
    expect_message(" bytes; the limit is 100000000");
    assert_int_equal(folder_count(test_folder), 0);
    free(text);
    an_arrays_destroy(list);
}

/* --- safetensors ------------------------------------------------------------------------------ */

static void what_is_written_is_read(void **state) {
    (void)state;
    an_arrays *list = make_list(), *again;
    uint64_t header;
    int64_t size;
    assert_int_equal(an_arrays_write(list, target(), &err), AN_OK);
    if (an_arrays_read(&again, target(), &err)) fail_msg("%s", err.message);
    expect_same(again, list);
    uint8_t *bytes = folder_read(target(), &size);
    memcpy(&header, bytes, sizeof header);
    assert_int_equal(header % 8, 0); /* other readers map the file and want aligned values */
    assert_int_equal(size, 8 + (int64_t)header + 7 * 4);
    assert_int_equal(folder_count(test_folder), 1);
    free(bytes);
    an_arrays_destroy(list);
    an_arrays_destroy(again);
    /* a list without anything */
    assert_int_equal(an_arrays_create(&list, &err), AN_OK);
    assert_int_equal(an_arrays_write(list, target(), &err), AN_OK);
    assert_int_equal(an_arrays_read(&again, target(), &err), AN_OK);
    expect_same(again, list);
    an_arrays_destroy(list);
    an_arrays_destroy(again);
}

/* Write a file of a header and data_size bytes of data (1, 2, 3, ...). */
static void write_file(const char *header, int64_t data_size) {
    uint8_t bytes[4096];
    const uint64_t size = strlen(header);
    assert_true(8 + (int64_t)size + data_size <= (int64_t)sizeof bytes);
    memcpy(bytes, &size, 8);
    memcpy(bytes + 8, header, size);
    for (int64_t i = 0; i < data_size; i++)
        bytes[8 + (int64_t)size + i] = (uint8_t)(i + 1);
    folder_write(target(), bytes, 8 + (int64_t)size + data_size);
}

typedef struct bad_header {
    const char *header;
    int64_t data_size;
    an_status status;
    const char *message;
} bad_header;

static void headers_that_lie(void **state) {
    (void)state;
    static const bad_header cases[] = {
        {"{", 0, AN_ERR_FORMAT, "the header is not a JSON object"},
        {"{}x", 0, AN_ERR_FORMAT, "the header is not a JSON object"},
        {"{\"a\":1}", 0, AN_ERR_FORMAT,
         "array 'a' lacks a dtype, a shape or a pair of data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, AN_ERR_FORMAT,
         "lacks"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4.0]}}", 4, AN_ERR_FORMAT,
         "lacks"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0.0,4]}}", 4, AN_ERR_FORMAT,
         "lacks"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, AN_ERR_FORMAT,
         "lacks"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":4}}", 4, AN_ERR_FORMAT, "lacks"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, AN_ERR_FORMAT,
         "lacks"},
        {"{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, AN_ERR_FORMAT, "lacks"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{\"0\":0}}}", 4, AN_ERR_FORMAT,
         "lacks"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}", 4, AN_ERR_FORMAT,
         "axis 0 of array 'a' is not a valid length"},
        {"{\"__metadata__\":null}", 0, AN_ERR_FORMAT, "__metadata__ is not an object"},
        {"{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, AN_ERR_UNSUPPORTED,
         "array 'a' has the unknown number type 'F31'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, AN_ERR_FORMAT,
         "axis 0 of array 'a' is not a valid length"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
         AN_ERR_UNSUPPORTED, "has 9 axes; at most 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}", 4,
         AN_ERR_FORMAT, "the shape of array 'a' overflows"},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693951],\"data_offsets\":[0,8]}}", 8,
         AN_ERR_FORMAT, "overflows"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}", 4,
         AN_ERR_FORMAT, "the header is not a JSON object"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, AN_ERR_FORMAT,
         "array 'a' needs 8 bytes, but its offsets are 0 to 4"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, AN_ERR_FORMAT,
         "4 to 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, AN_ERR_FORMAT,
         "-4 to 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, AN_ERR_FORMAT,
         "array 'a' ends at byte 8 of 4 bytes of data"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, AN_ERR_FORMAT,
         "array 'a' begins at byte 4 of the data, behind byte 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}",
         6, AN_ERR_FORMAT, "array 'b' begins at byte 2 of the data, before byte 4"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, AN_ERR_FORMAT,
         "1 bytes after its last array"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
         2, AN_ERR_FORMAT, "duplicate"},
        {"{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, AN_ERR_FORMAT,
         "empty"},
        {"{\"__metadata__\":[]}", 0, AN_ERR_FORMAT, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, AN_ERR_FORMAT, "metadata 'a' is not a string"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        an_arrays *list;
        write_file(cases[i].header, cases[i].data_size);
        const an_status st = an_arrays_read(&list, target(), &err);
        if (st != cases[i].status)
            fail_msg("%s: status %d, '%s'", cases[i].header, st, st ? err.message : "");
        assert_null(list);
        expect_message(cases[i].message);
    }
}

/* An empty array begins where another one does, in whatever order they are named. */
static void empty_arrays_take_no_place(void **state) {
    (void)state;
#define EMPTY(name) "\"" name "\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]}"
#define ONE "\"one\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}"
    static const char *const headers[] = {"{" ONE "," EMPTY("x") "," EMPTY("y") "}",
                                          "{" EMPTY("x") "," ONE "," EMPTY("y") "}",
                                          "{" EMPTY("x") "," EMPTY("y") "," ONE "}"};
    for (size_t i = 0; i < 3; i++) {
        an_arrays *list;
        write_file(headers[i], 1);
        if (an_arrays_read(&list, target(), &err)) fail_msg("%s", err.message);
        assert_int_equal(an_arrays_count(list), 3);
        assert_true(an_arrays_data(list, an_arrays_find(list, "one"))[0] == 1);
        an_arrays_destroy(list);
    }
#undef EMPTY
#undef ONE
}

static void too_many_texts(void **state) {
    (void)state;
    enum { TEXTS = 4097, LENGTH = 16 };
    an_arrays *list;
    char *header = malloc(TEXTS * LENGTH + 64);
    int64_t size = 8 + sprintf(header + 8, "{\"__metadata__\":{");
    for (int i = 0; i < TEXTS; i++)
        size += sprintf(header + size, "%s\"k%d\":\"\"", i ? "," : "", i);
    size += sprintf(header + size, "}}");
    memcpy(header, &(uint64_t){(uint64_t)size - 8}, 8);
    folder_write(target(), header, size);
    assert_int_equal(an_arrays_read(&list, target(), &err), AN_ERR_UNSUPPORTED);
    expect_message("has 4097 metadata entries; at most 4096 are read");
    free(header);
}

static void lengths_that_lie(void **state) {
    (void)state;
    static const uint64_t lengths[] = {3, 100000001, UINT64_C(1) << 63, UINT64_MAX};
    uint8_t bytes[10] = {0, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    an_arrays *list;
    for (int i = 0; i < 4; i++) {
        memcpy(bytes, &lengths[i], 8);
        folder_write(target(), bytes, sizeof bytes);
        assert_int_equal(an_arrays_read(&list, target(), &err), AN_ERR_FORMAT);
        expect_message("bytes; the limit is 100000000, and the file has 2 left");
    }
    folder_write_text(target(), "");
    assert_int_equal(an_arrays_read(&list, target(), &err), AN_ERR_FORMAT);
    expect_message("is empty");
    folder_write_text(target(), "<!DOCTYPE html>");
    assert_int_equal(an_arrays_read(&list, target(), &err), AN_ERR_UNSUPPORTED);
    expect_message("it looks like a web page");
    assert_int_equal(an_arrays_read(&list, test_folder, &err), AN_ERR_IO);
    assert_int_equal(an_arrays_read(&list, folder_path(test_folder, "absent"), &err), AN_ERR_IO);
}

static void every_number_type_becomes_float(void **state) {
    (void)state;
    static const char *const types[] = {"F64", "F32", "F16", "BF16", "I64", "U64", "I32",
                                        "U32", "I16", "U16", "I8",   "U8",  "BOOL"};
    static const int64_t sizes[] = {8, 4, 2, 2, 8, 8, 4, 4, 2, 2, 1, 1, 1};
    /* -2 where the type has it, else 2 (true: 1) */
    static const float wanted[] = {-2, -2, -2, -2, -2, 2, -2, 2, -2, 2, -2, 2, 1};
    const double f64 = -2;
    const float f32 = -2;
    const uint16_t half = 0xc000, brain = 0xc000;
    const int64_t negative = -2, positive = 2, one = 1;
    const void *const values[] = {&f64,      &f32,      &half,     &brain,    &negative,
                                  &positive, &negative, &positive, &negative, &positive,
                                  &negative, &positive, &one};
    for (int i = 0; i < 13; i++) {
        char header[128];
        uint8_t bytes[256] = {0};
        an_arrays *list;
        const int size =
            snprintf(header, sizeof header,
                     "{\"a\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,%d]}}", types[i],
                     (int)sizes[i]);
        bytes[0] = (uint8_t)size;
        memcpy(bytes + 8, header, (size_t)size);
        memcpy(bytes + 8 + size, values[i], (size_t)sizes[i]);
        folder_write(target(), bytes, 8 + size + sizes[i]);
        if (an_arrays_read(&list, target(), &err)) fail_msg("%s", err.message);
        if (an_arrays_data(list, 0)[0] != wanted[i])
            fail_msg("%s gives %g", types[i], (double)an_arrays_data(list, 0)[0]);
        an_arrays_destroy(list);
    }
}

/* All 65536 halves against their definition: sign, 5 bits of exponent, 10 of mantissa. */
static void every_half(void **state) {
    (void)state;
    static const char header[] =
        "{\"h\":{\"dtype\":\"F16\",\"shape\":[65536],\"data_offsets\":[0,131072]}}";
    const uint64_t size = sizeof header - 1;
    uint8_t *bytes = malloc(8 + size + 131072);
    an_arrays *list;
    memcpy(bytes, &size, 8);
    memcpy(bytes + 8, header, size);
    for (uint32_t h = 0; h < 65536; h++)
        memcpy(bytes + 8 + size + 2 * h, &(uint16_t){(uint16_t)h}, 2);
    folder_write(target(), bytes, 8 + (int64_t)size + 131072);
    free(bytes);
    assert_int_equal(an_arrays_read(&list, target(), &err), AN_OK);
    for (uint32_t h = 0; h < 65536; h++) {
        const int exponent = (h >> 10) & 31, mantissa = h & 1023;
        const double sign = h & 0x8000 ? -1 : 1;
        const float got = an_arrays_data(list, 0)[h];
        if (exponent == 31 && mantissa) {
            assert_true(isnan(got));
            continue;
        }
        const double want = exponent == 31  ? INFINITY
                            : exponent == 0 ? ldexp(mantissa, -24)
                                            : ldexp(1024 + mantissa, exponent - 25);
        if (got != (float)(sign * want)) fail_msg("half %04x gives %g", (unsigned)h, (double)got);
    }
    an_arrays_destroy(list);
}

/* A file cut anywhere is refused; one with a flipped bit is refused or read, never more. */
static void cuts_and_flips(void **state) {
    (void)state;
    an_arrays *list = make_list(), *again;
    int64_t size;
    assert_int_equal(an_arrays_write(list, target(), &err), AN_OK);
    an_arrays_destroy(list);
    uint8_t *bytes = folder_read(target(), &size);
    for (int64_t cut = 0; cut < size; cut++) {
        folder_write(target(), bytes, cut);
        if (!an_arrays_read(&again, target(), &err))
            fail_msg("cut at %d of %d is read", (int)cut, (int)size);
        assert_null(again);
        assert_true(err.message[0] != '\0');
    }
    for (int64_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        folder_write(target(), bytes, size);
        if (!an_arrays_read(&again, target(), &err)) an_arrays_destroy(again);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(bytes);
}

/* --- faults ----------------------------------------------------------------------------------- */

/* The n-th call fails, for every n: an error, nothing leaked, and the file under the name is the
 * old or the new one, whole. */
static void every_call_may_fail(void **state) {
    (void)state;
    static const int kinds[] = {ANI_FAULT_ALLOC, ANI_FAULT_OPEN,   ANI_FAULT_READ,
                                ANI_FAULT_WRITE, ANI_FAULT_RENAME, ANI_FAULT_SYNC};
    an_arrays *list = make_list(), *old, *again;
    assert_int_equal(an_arrays_create(&old, &err), AN_OK);
    for (int k = 0; k < 6; k++) {
        for (int64_t n = 0;; n++) {
            assert_true(n < 1000);
            assert_int_equal(an_arrays_write(old, target(), &err), AN_OK);
            ani_fault_arm(kinds[k], n, kinds[k] == ANI_FAULT_ALLOC ? ENOMEM : EIO, false);
            an_status st = an_arrays_write(list, target(), &err);
            again = NULL;
            if (!st) st = an_arrays_read(&again, target(), &err);
            const bool is_past = ani_fault_calls(kinds[k]) <= n;
            ani_fault_disarm();
            if (st) {
                assert_null(again);
                assert_true(st == (kinds[k] == ANI_FAULT_ALLOC ? AN_ERR_NOMEM : AN_ERR_IO));
            } else {
                expect_same(again, list);
                an_arrays_destroy(again);
            }
            if (an_arrays_read(&again, target(), &err)) fail_msg("%s", err.message);
            expect_same(again, an_arrays_count(again) ? list : old);
            an_arrays_destroy(again);
            assert_int_equal(folder_count(test_folder), 1); /* no temporary file is left */
            if (is_past) {
                assert_int_equal(st, AN_OK);
                break;
            }
        }
    }
    /* short counts are no failure */
    ani_fault_arm(ANI_FAULT_READ, 0, -1, true);
    assert_int_equal(an_arrays_write(list, target(), &err), AN_OK);
    assert_int_equal(an_arrays_read(&again, target(), &err), AN_OK);
    ani_fault_disarm();
    expect_same(again, list);
    an_arrays_destroy(again);
    an_arrays_destroy(list);
    an_arrays_destroy(old);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(a_list_is_found_by_name),
        unit_test_in_folder(a_list_refuses_what_no_file_can_hold),
        unit_test_in_folder(what_is_written_is_read),
        unit_test_in_folder(a_header_too_long_is_not_written),
        unit_test_in_folder(headers_that_lie),
        unit_test_in_folder(empty_arrays_take_no_place),
        unit_test_in_folder(too_many_texts),
        unit_test_in_folder(lengths_that_lie),
        unit_test_in_folder(every_number_type_becomes_float),
        unit_test_in_folder(every_half),
        unit_test_in_folder(cuts_and_flips),
        unit_test_in_folder(every_call_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
