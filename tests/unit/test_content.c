/* SPDX-License-Identifier: MIT
 * What a server sends in place of a whole file: content that was cut without a length, and errors
 * as JSON, XML and text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "config.h"
#include "io/download.h"
#include "io/page.h"
#include "support/folder.h"
#include "support/served.h"
#include "support/test_folder.h"

enum { SIZE = 4000 };

static char fields[512]; /* of the answer's head */
static const void *body;
static int64_t body_size;

static void answer(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    server_print(c, "HTTP/1.1 %s\r\n\r\n", fields);
    server_send(c, body, body_size);
}

static an_status get(const char *head, const void *bytes, int64_t size, const char *type) {
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    options.expected_type = type;
    snprintf(fields, sizeof fields, "%s", head);
    body = bytes;
    body_size = size;
    server_set(served_host, answer);
    return served_get("/f", &options);
}

/* --- cut -------------------------------------------------------------------------------------- */

#define NO_LENGTH "200 OK\r\nConnection: close"

static void archives_cut_without_a_length_are_not_kept(void **state) {
    (void)state;
    for (int64_t size = 1; size < SIZE; size += size < SIZE - 60 ? 97 : 1) {
        char wanted[200];
        const char *type = size % 2 ? "zip" : NULL;
        /* what does not even begin as one cannot be told if anything may come */
        const an_status st = get(NO_LENGTH, served_content, size, size < 4 ? "zip" : type);
        assert_int_equal(st, AN_ERR_FORMAT);
        snprintf(
            wanted, sizeof wanted,
            "sent %d bytes without announcing the length, and they are not a whole zip file; the "
            "next call tries again",
            (int)size);
        if (size >= 4) served_expect_message(wanted);
        assert_int_equal(folder_count(test_folder), 0);
    }
    assert_int_equal(get(NO_LENGTH, served_content, SIZE, "zip"), AN_OK);
    served_expect_whole();
}

/* The server itself has only so much, and says so. */
static void half_an_archive_of_the_right_length(void **state) {
    (void)state;
    static const char head[] = "200 OK\r\nContent-Length: 2000";
    assert_int_equal(get(head, served_content, 2000, "zip"), AN_ERR_FORMAT);
    served_expect_message("sent 2000 bytes, and they are not a whole zip file");
    assert_int_equal(folder_count(test_folder), 0);
    /* who asks for anything gets it */
    assert_int_equal(get(head, served_content, 2000, "any"), AN_OK);
    unlink(served_target(""));
    unlink(served_target(".origin"));
}

static void a_cut_part_without_a_length_is_begun_anew(void **state) {
    (void)state;
    /* the part of an earlier call is gone on with, and the end is missing again */
    assert_int_equal(get("200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"e\"", "", 0, "zip"),
                     AN_ERR_IO);
    char chunk[2100];
    const int head_size = snprintf(chunk, sizeof chunk, "7d0\r\n");
    memcpy(chunk + head_size, served_content, 2000);
    assert_int_equal(
        get("200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"e\"", chunk, head_size + 2000, "zip"),
        AN_ERR_IO);
    served_expect_message("was cut");
    assert_int_equal(folder_count(test_folder), 2);
    assert_int_equal(get("206 Partial Content\r\nConnection: close\r\nETag: \"e\"\r\n"
                         "Content-Range: bytes 2000-3999/*",
                         served_content + 2000, 1999, "zip"),
                     AN_ERR_FORMAT);
    served_expect_message("sent 3999 bytes without announcing the length");
    assert_int_equal(folder_count(test_folder), 0);
    assert_int_equal(get(NO_LENGTH, served_content, SIZE, "zip"), AN_OK);
    served_expect_whole();
}

static void put(uint8_t *to, uint64_t value) {
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static void weights_cut_without_a_length_are_not_kept(void **state) {
    (void)state;
    uint8_t file[1000] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0};
    file[13] = file[14] = 8; /* bytes of an address, of a length */
    put(file + 40, sizeof file);
    put(file + 64, 96); /* root group */
    for (int64_t size = 8; size < 1000; size += 31) {
        assert_int_equal(get(NO_LENGTH, file, size, size % 2 ? "hdf5" : "any"), AN_ERR_FORMAT);
        served_expect_message("not a whole hdf5 file");
        assert_int_equal(folder_count(test_folder), 0);
    }
    assert_int_equal(get(NO_LENGTH, file, 1000, "hdf5"), AN_OK);
    unlink(served_target(""));
    unlink(served_target(".origin"));
    /* well formed, but nothing that we read: kept, and the reader says what it is */
    file[8] = 9;
    assert_int_equal(get(NO_LENGTH, file, 1000, "hdf5"), AN_OK);
    unlink(served_target(""));
    unlink(served_target(".origin"));
}

static void other_files_cut_without_a_length_need_a_hash(void **state) {
    (void)state;
    an_download_options options;
    char wanted[200];
    an_download_options_init(&options, sizeof options);
    options.sha256 = served_hash;
    snprintf(fields, sizeof fields, NO_LENGTH);
    body = served_content + 5;
    body_size = 1000;
    server_set(served_host, answer);
    assert_int_equal(served_get("/f", &options), AN_ERR_FORMAT);
    snprintf(wanted, sizeof wanted, "; expected %s: 'http", served_hash);
    served_expect_message(wanted);
    assert_int_equal(folder_count(test_folder), 0);
}

/* --- errors as JSON, XML, text ---------------------------------------------------------------- */

#define S3                                                                                         \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The "       \
    "specified key does not exist.</Message><Key>a.zip</Key></Error>"
#define GITHUB "{\n  \"message\": \"Not Found\",\n  \"status\": \"404\"\n}\n"

static void errors_that_are_no_html(void **state) {
    (void)state;
    static const struct {
        const char *head, *body, *message;
        an_status status;
    } cases[] = {
        {"404 Not Found\r\nContent-Type: application/json", GITHUB,
         "returned HTTP status 404 ('{ \"message\": \"Not Found\", \"status\": \"404\" }')",
         AN_ERR_IO},
        {"200 OK\r\nContent-Type: application/json", GITHUB,
         "returned JSON instead of a zip file: '{ \"message\": \"Not Found\", \"status\": \"404\" "
         "}'",
         AN_ERR_FORMAT},
        {"200 OK", "[1]", "returned JSON instead of a zip file: '[1]'", AN_ERR_FORMAT},
        {"200 OK", "\xef\xbb\xbf {}", "returned JSON instead of a zip file: '{}'", AN_ERR_FORMAT},
        {"403 Forbidden\r\nContent-Type: application/xml", S3,
         "HTTP status 403 ('NoSuchKey The specified key does not exist. a.zip')", AN_ERR_IO},
        {"200 OK\r\nContent-Type: application/xml", S3,
         "returned XML instead of a zip file: 'NoSuchKey The specified key does not exist. a.zip'",
         AN_ERR_FORMAT},
        {"200 OK", "<error code=\"5\"/>",
         "returned XML instead of a zip file: '<error code=\"5\"/>'", AN_ERR_FORMAT},
        {"200 OK\r\nContent-Type: text/plain", "404: Not Found\n",
         "returned text instead of a zip file: '404: Not Found'", AN_ERR_FORMAT},
        {"500 Oops", "no\tluck\r\ntoday", "HTTP status 500 ('no luck today')", AN_ERR_IO},
        {"502 Bad Gateway", "<html><head><style>p { color: red }</style></head><p>try later</html>",
         "HTTP status 502 ('try later')", AN_ERR_IO},
        {"200 OK", "<html><body><h1>Sorry</h1></body></html>",
         "returned a web page, 'Sorry', instead of data", AN_ERR_FORMAT},
        {"200 OK", "version https://git-lfs.github.com/spec/v1\noid sha256:1",
         "returned text instead of a zip file: 'version https://git-lfs.github.com/spec/v1 oid",
         AN_ERR_FORMAT},
        {"200 OK", "\x1f\x8b\b", "is not a zip file: it begins with the bytes 1f 8b 08 00",
         AN_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int with_length = 0; with_length < 2; with_length++) {
            char head[300];
            const size_t size = strlen(cases[i].body);
            snprintf(head, sizeof head, "%s", cases[i].head);
            if (with_length)
                snprintf(head, sizeof head, "%s\r\nContent-Length: %zu", cases[i].head, size);
            const an_status st = get(head, cases[i].body, (int64_t)size, "zip");
            served_expect_message(cases[i].message);
            assert_int_equal(st, cases[i].status);
            assert_int_equal(folder_count(test_folder), 0);
        }
    /* to who asks for anything, JSON is data */
    assert_int_equal(get("200 OK", "{}", 2, "any"), AN_OK);
    unlink(served_target(""));
    unlink(served_target(".origin"));
}

static void an_error_while_resuming_does_not_cost_the_part(void **state) {
    (void)state;
    assert_int_equal(
        get("200 OK\r\nContent-Length: 4000\r\nETag: \"e\"", served_content, 2000, "zip"),
        AN_ERR_IO);
    assert_int_equal(get("200 OK", GITHUB, (int64_t)strlen(GITHUB), "zip"), AN_ERR_FORMAT);
    assert_int_equal(get("403 No", S3, (int64_t)strlen(S3), "zip"), AN_ERR_IO);
    assert_int_equal(folder_count(test_folder), 2);
    assert_int_equal(get("206 Partial Content\r\nContent-Length: 2000\r\nETag: \"e\"\r\n"
                         "Content-Range: bytes 2000-3999/4000",
                         served_content + 2000, 2000, "zip"),
                     AN_OK);
    served_expect_whole();
}

/* Messages stay one line of UTF-8 without control characters, whatever a server sends. */
static void hostile_bodies(void **state) {
    (void)state;
    enum { LARGE = 300000 };
#define PATTERN(bytes)                                                                             \
    { bytes, sizeof(bytes) - 1 }
    static const struct {
        const char *bytes;
        size_t size;
    } patterns[] = {
        PATTERN("\x1b[31m"),
        PATTERN("\xff\xfe{\0"),
        PATTERN("<"),
        PATTERN("<a"),
        PATTERN("<script>"),
        PATTERN("</script"),
        PATTERN("\xc3"),
        PATTERN("\xe2\x80\xae<b>x"),
        PATTERN("{\"\\u001b\":1}"),
        PATTERN(" \n"),
        PATTERN("\xf0\x9f\x98\x80"),
        PATTERN("\xc2\x9b"
                "31m"),
        PATTERN("<!--"),
        PATTERN("'"),
        PATTERN("&lt;"),
    };
#undef PATTERN
    char *large = malloc(LARGE);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        for (size_t k = 0; k < LARGE; k++)
            large[k] = patterns[i].bytes[k % patterns[i].size];
        for (int is_error = 0; is_error < 2; is_error++) {
            assert_true(get(is_error ? "500 No" : "200 OK", large, LARGE, "zip") < 0);
            const size_t size = strlen(served_err.message);
            assert_true(size < sizeof served_err.message);
            assert_true(ani_is_utf8(served_err.message, (int64_t)size));
            for (size_t k = 0; k < size; k++)
                assert_true((uint8_t)served_err.message[k] >= 0x20 &&
                            served_err.message[k] != 0x7f);
            assert_int_equal(folder_count(test_folder), 0);
        }
    }
    free(large);
}

static void excerpts(void **state) {
    (void)state;
    static const struct {
        const char *text, *excerpt, *kind;
    } cases[] = {
        {"", "", "text"},
        {" \n ", "", "text"},
        {" a  b\r\n\tc ", "a b c", "text"},
        {"<a>x</a><b>y</b>", "x y", "XML"},
        {"<a/>", "<a/>", "XML"},
        {"<a", "<a", "XML"},
        {"<script>x</script>y<style>z</style>", "y", "XML"},
        {"a < b", "a < b", "text"},
        {"\xc3\xa4\xc3", "\xc3\xa4?", "text"},
        {"123456789 123456789 123456789 123456789 123456789 "
         "123456789 123456789 123456789 123456789 123456789",
         "123456789 123456789 123456789 123456789 123456789 "
         "123456789 123456789 123456789 123456789 123456789",
         "text"},
        {"123456789 123456789 123456789 123456789 123456789 "
         "123456789 123456789 123456789 123456789 123456789 ",
         "123456789 123456789 123456789 123456789 123456789 "
         "123456789 123456789 123456789 123456789 123456...",
         "text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char excerpt[ANI_PAGE_EXCERPT_SIZE];
        ani_page_excerpt(excerpt, cases[i].text, (int64_t)strlen(cases[i].text));
        assert_string_equal(excerpt, cases[i].excerpt);
        const char *kind = ani_page_kind_of(cases[i].text, (int64_t)strlen(cases[i].text));
        assert_string_equal(kind, cases[i].kind);
    }
    assert_null(ani_page_kind_of("{\0}", 3));
    assert_null(ani_page_kind_of("{\x7f}", 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(archives_cut_without_a_length_are_not_kept),
        unit_test_in_folder(half_an_archive_of_the_right_length),
        unit_test_in_folder(a_cut_part_without_a_length_is_begun_anew),
        unit_test_in_folder(weights_cut_without_a_length_are_not_kept),
        unit_test_in_folder(other_files_cut_without_a_length_need_a_hash),
        unit_test_in_folder(errors_that_are_no_html),
        unit_test_in_folder(an_error_while_resuming_does_not_cost_the_part),
        unit_test_in_folder(hostile_bodies),
        unit_test_in_folder(excerpts),
    };
    if (!AN_HAVE_CURL) return 77; /* Meson: skipped */
    served_begin(answer, SIZE, 0);
    const int failed = cmocka_run_group_tests_name("content", tests, NULL, NULL);
    served_end();
    return failed;
}
