/* SPDX-License-Identifier: MIT
 * Where a downloaded file came from, and whether it is the wanted one: another address is never
 * answered with the old file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "config.h"
#include "io/download.h"
#include "io/hash.h"
#include "support/folder.h"
#include "support/served.h"
#include "support/test_folder.h"

enum { SIZE = 200000, OTHER_SIZE = 300 }; /* larger than what is looked at, and smaller */

static uint8_t *other; /* what "/b" gives; "/a" gives served_content, the rest nothing */

static void answer(http_server *s, int c, const server_request *request) {
    (void)s;
    if (!strncmp(request->target, "/a", 2)) {
        server_print(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
        server_send(c, served_content, SIZE);
    } else if (!strcmp(request->target, "/b")) {
        server_print(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", OTHER_SIZE);
        server_send(c, other, OTHER_SIZE);
    } else {
        server_print(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
}

static int warnings;

static int32_t count_warning(void *user, const an_warning *warning) {
    (void)user;
    assert_string_equal(warning->message, "the file that is there came from another address; it is "
                                          "replaced when the download is whole");
    warnings++;
    return 0;
}

static an_download_options watched(void) {
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    options.expected_type = "zip";
    options.warn = count_warning;
    warnings = 0;
    server_set(served_host, answer);
    return options;
}

/* 'a' or 'b', by what is there; 0: nothing. */
static char content(void) {
    int64_t size;
    if (access(served_target(""), F_OK) != 0) return 0;
    uint8_t *bytes = folder_read(served_target(""), &size);
    const bool is_b = size == OTHER_SIZE && !memcmp(bytes, other, OTHER_SIZE);
    const bool is_a = size == SIZE && !memcmp(bytes, served_content, SIZE);
    free(bytes);
    return is_a ? 'a' : is_b ? 'b' : '?';
}

static void clean(void) {
    unlink(served_target(""));
    unlink(served_target(".origin"));
    assert_int_equal(folder_count(test_folder), 0);
}

static void another_address_is_fetched_again(void **state) {
    (void)state;
    an_download_options options = watched();
    static const char *const order[] = {"/a", "/b", "/b", "/a", "/a2", "/a2"};
    static const char expected[] = "abbaaa";
    static const int requests[] = {1, 2, 2, 3, 4, 4};
    for (int i = 0; i < 6; i++) {
        if (served_get(order[i], &options)) fail_msg("%s: %s", order[i], served_err.message);
        assert_int_equal(content(), expected[i]);
        assert_int_equal(server_requests(served_host), requests[i]);
    }
    assert_int_equal(warnings, 3);
    clean();
}

static void an_address_that_has_nothing_is_no_success(void **state) {
    (void)state;
    an_download_options options = watched();
    assert_int_equal(served_get("/a", &options), AN_OK);
    assert_int_equal(served_get("/nothing", &options), AN_ERR_IO);
    served_expect_message("returned HTTP status 404");
    assert_int_equal(an_download("http://127.0.0.1:1/a", served_target(""), &options, &served_err),
                     AN_ERR_IO);
    /* what was there is there, and still that of its address */
    assert_int_equal(content(), 'a');
    assert_int_equal(served_get("/a", &options), AN_OK);
    assert_int_equal(server_requests(served_host), 2);
    clean();
}

static void a_file_of_unknown_origin_is_left_alone(void **state) {
    (void)state;
    an_download_options options = watched();
    static const char *const records[] = {
        NULL, "", "attractivenet-origin-1\n", "attractivenet-origin-2\n", "\n\n\n\n\n\n\n\n",
    };
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        folder_write(served_target(""), other, OTHER_SIZE);
        if (records[i]) folder_write_text(served_target(".origin"), records[i]);
        assert_int_equal(served_get("/a", &options), AN_ERR_IO);
        served_expect_message(
            "already exists, and it is unknown whether it came from this address: "
            "pass its path to use it, or move it away to download again");
        assert_int_equal(content(), 'b');
    }
    /* one that is too long to be one */
    char *longest = calloc(1, 70000);
    snprintf(longest, 70000, "attractivenet-origin-1\n");
    folder_write(served_target(".origin"), longest, 70000);
    free(longest);
    assert_int_equal(served_get("/a", &options), AN_ERR_IO);
    assert_int_equal(server_requests(served_host), 0);
    /* its hash tells whether it is the wanted one */
    options.sha256 = served_hash;
    options.warn = NULL;
    assert_int_equal(served_get("/a", &options), AN_OK);
    assert_int_equal(content(), 'a');
    clean();
    folder_write(served_target(""), served_content, SIZE);
    assert_int_equal(served_get("/a", &options), AN_OK);
    assert_int_equal(server_requests(served_host), 1);
    clean();
}

/* Other content under the name, of the same size or not, is not what the record is about; the same
 * in a copied folder is. */
static void a_file_put_in_place_of_the_download(void **state) {
    (void)state;
    an_download_options options = watched();
    int64_t size;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(served_get("/a", &options), AN_OK);
        uint8_t *bytes = folder_read(served_target(""), &size);
        if (i == 1) bytes[0]++;
        if (i == 2) bytes[size - 1]++;
        unlink(served_target(""));
        folder_write(served_target(""), bytes, i == 3 ? size - 1 : size);
        free(bytes);
        assert_int_equal(served_get("/a", &options), i == 0 ? AN_OK : AN_ERR_IO);
        clean();
    }
}

static void addresses_of_this_machine_are_read_again(void **state) {
    (void)state;
    an_download_options options = watched();
    char url[4200], source[4100];
    snprintf(source, sizeof source, "%s", folder_path(test_folder, "source"));
    snprintf(url, sizeof url, "file://%s", source);
    folder_write(source, other, OTHER_SIZE);
    assert_int_equal(an_download(url, served_target(""), &options, &served_err), AN_OK);
    assert_int_equal(content(), 'b');
    folder_write(source, served_content, SIZE);
    assert_int_equal(an_download(url, served_target(""), &options, &served_err), AN_OK);
    assert_int_equal(content(), 'a');
    assert_int_equal(warnings, 0);
    memcpy(url, "FILE", 4);
    folder_write(source, other, OTHER_SIZE);
    assert_int_equal(an_download(url, served_target(""), &options, &served_err), AN_OK);
    assert_int_equal(content(), 'b');
    unlink(source);
    assert_int_equal(an_download(url, served_target(""), &options, &served_err), AN_ERR_IO);
    assert_int_equal(content(), 'b');
    /* and one that is not known to be a copy is left alone */
    folder_write(source, served_content, SIZE);
    unlink(served_target(".origin"));
    assert_int_equal(an_download(url, served_target(""), &options, &served_err), AN_ERR_IO);
    assert_int_equal(content(), 'b');
    unlink(source);
    clean();
}

/* Whatever fails while one file takes the other's place: the file that is there is whole and known
 * to be of its own address, never of the other. */
static void faults_while_a_file_is_replaced(void **state) {
    (void)state;
    static const int kinds[] = {ANI_FAULT_ALLOC, ANI_FAULT_OPEN,   ANI_FAULT_READ,
                                ANI_FAULT_WRITE, ANI_FAULT_RENAME, ANI_FAULT_SYNC};
    for (int k = 0; k < 6; k++)
        for (int64_t n = 0;; n++) {
            an_download_options options = watched();
            assert_true(n < 300);
            assert_int_equal(served_get("/a", &options), AN_OK);
            ani_fault_arm(kinds[k], n, kinds[k] == ANI_FAULT_ALLOC ? ENOMEM : EIO, false);
            const an_status st = served_get("/b", &options);
            const bool reached = ani_fault_calls(kinds[k]) > n;
            ani_fault_disarm();
            if (!reached) assert_int_equal(st, AN_OK);
            const char now = content();
            assert_true(now == 'b' || (now == 'a' && st));
            const int requests = server_requests(served_host);
            if (served_get(now == 'a' ? "/a" : "/b", &options))
                fail_msg("kind %d, call %d: %s", k, (int)n, served_err.message);
            assert_int_equal(server_requests(served_host), requests);
            assert_int_equal(content(), now);
            assert_int_equal(served_get("/b", &options), AN_OK);
            assert_int_equal(content(), 'b');
            unlink(served_target(".part"));
            clean();
            if (!reached) break;
        }
}

typedef struct hashing {
    int64_t count, done, total;
    bool stop;
} hashing;

static int32_t watch_hash(void *user, const an_progress *progress) {
    hashing *w = user;
    w->count++;
    w->done = progress->done;
    w->total = progress->total;
    assert_string_equal(progress->what, "bytes");
    return w->stop;
}

static void files_by_their_hash(void **state) {
    (void)state;
    const char *path = folder_path(test_folder, "file");
    char wrong[65], upper[65], wanted[300];
    folder_write(path, served_content, SIZE);
    for (int i = 0; i < 65; i++)
        upper[i] = (char)(served_hash[i] >= 'a' ? served_hash[i] - 32 : served_hash[i]);
    assert_int_equal(an_file_verify(path, served_hash, NULL, NULL, &served_err), AN_OK);
    assert_int_equal(an_file_verify(path, upper, NULL, NULL, &served_err), AN_OK);
    for (int i = 0; i < 64; i += 63) {
        memcpy(wrong, served_hash, 65);
        wrong[i] = wrong[i] == '0' ? '1' : '0';
        assert_int_equal(an_file_verify(path, wrong, NULL, NULL, &served_err), AN_ERR_FORMAT);
        snprintf(wanted, sizeof wanted, "the SHA-256 is %s; expected %s: '", served_hash, wrong);
        served_expect_message(wanted);
    }
    hashing w = {0};
    assert_int_equal(an_file_verify(path, served_hash, watch_hash, &w, NULL), AN_OK);
    assert_true(w.count >= 1 && w.done == SIZE && w.total == SIZE);
    w.stop = true;
    assert_int_equal(an_file_verify(path, served_hash, watch_hash, &w, &served_err),
                     AN_ERR_CANCELLED);
    /* a download that looks at a file that is there: it is not taken for another one */
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    options.sha256 = served_hash;
    options.progress = watch_hash;
    options.progress_user = &w;
    assert_int_equal(an_download(server_origin(served_host), path, &options, &served_err),
                     AN_ERR_CANCELLED);
    w.stop = false;
    assert_int_equal(an_download(server_origin(served_host), path, &options, &served_err), AN_OK);
    assert_int_equal(an_file_verify(NULL, served_hash, NULL, NULL, &served_err), AN_ERR_ARG);
    assert_int_equal(an_file_verify(path, NULL, NULL, NULL, &served_err), AN_ERR_ARG);
    assert_int_equal(an_file_verify(path, "", NULL, NULL, &served_err), AN_ERR_ARG);
    assert_int_equal(an_file_verify(path, "12", NULL, NULL, &served_err), AN_ERR_ARG);
    served_expect_message("sha256 is '12'; it must be 64 hexadecimal digits");
    unlink(path);
    assert_int_equal(an_file_verify(path, served_hash, NULL, NULL, &served_err), AN_ERR_IO);
    assert_int_equal(an_file_verify(test_folder, served_hash, NULL, NULL, &served_err), AN_ERR_IO);
}

/* The ends of a file: what lies between them does not count, all else does. */
static void hashes_of_ends(void **state) {
    (void)state;
    enum { END = 65536, LONG = 3 * END };
    char first[ANI_HASH_SIZE], again[ANI_HASH_SIZE];
    uint8_t *bytes = calloc(1, LONG + 1);
    const char *path = folder_path(test_folder, "file");
    static const struct {
        int64_t size, place;
        bool counts;
    } cases[] = {{LONG, 0, true},
                 {LONG, END - 1, true},
                 {LONG, END, false},
                 {LONG, 2 * END, true},
                 {LONG, 2 * END - 1, false},
                 {LONG, LONG - 1, true},
                 {2 * END, END, true},
                 {2 * END + 1, END, false},
                 {END, END - 1, true},
                 {END + 1, END, true},
                 {1, 0, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        folder_write(path, bytes, cases[i].size);
        assert_int_equal(ani_hash_ends(first, path, &served_err), AN_OK);
        bytes[cases[i].place] = 1;
        folder_write(path, bytes, cases[i].size);
        assert_int_equal(ani_hash_ends(again, path, &served_err), AN_OK);
        bytes[cases[i].place] = 0;
        if ((strcmp(first, again) != 0) != cases[i].counts)
            fail_msg("byte %d of %d", (int)cases[i].place, (int)cases[i].size);
    }
    folder_write(path, bytes, LONG + 1); /* the size alone */
    assert_int_equal(ani_hash_ends(again, path, &served_err), AN_OK);
    folder_write(path, bytes, LONG);
    assert_int_equal(ani_hash_ends(first, path, &served_err), AN_OK);
    assert_string_not_equal(first, again);
    unlink(path);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(another_address_is_fetched_again),
        unit_test_in_folder(an_address_that_has_nothing_is_no_success),
        unit_test_in_folder(a_file_of_unknown_origin_is_left_alone),
        unit_test_in_folder(a_file_put_in_place_of_the_download),
        unit_test_in_folder(addresses_of_this_machine_are_read_again),
        unit_test_in_folder(faults_while_a_file_is_replaced),
        unit_test_in_folder(files_by_their_hash),
        unit_test_in_folder(hashes_of_ends),
    };
    if (!AN_HAVE_CURL) return 77; /* Meson: skipped */
    served_begin(answer, SIZE, 0);
    other = served_archive(OTHER_SIZE, 7);
    const int failed = cmocka_run_group_tests_name("origin", tests, NULL, NULL);
    free(other);
    served_end();
    return failed;
}
