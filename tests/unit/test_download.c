/* SPDX-License-Identifier: MIT
 * Downloads from a server of our own on 127.0.0.1: whole files, resuming, redirects, the pages of
 * file hosts, limits, faults. No network is needed. */
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
#include "io/page.h"
#include "support/folder.h"
#include "support/served.h"
#include "support/test_folder.h"

enum { SIZE = 40000 };

static void expect_nothing(void) {
    assert_int_equal(folder_count(test_folder), 0);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void answer_whole(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    server_print(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"one\"\r\n\r\n", SIZE);
    server_send(c, served_content, SIZE);
}

/* Stops in the middle the first time; honours ranges afterwards, if the validator is right. */
static void answer_cut(http_server *s, int c, const server_request *request) {
    if (request->number == 0) {
        server_print(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"one\"\r\n\r\n", SIZE);
        server_send(c, served_content, SIZE / 2);
    } else if (!strcmp(request->range, "bytes=20000-") && !strcmp(request->if_range, "\"one\"")) {
        server_print(c,
                     "HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\n"
                     "Content-Range: bytes %d-%d/%d\r\nETag: \"one\"\r\n\r\n",
                     SIZE / 2, SIZE / 2, SIZE - 1, SIZE);
        server_send(c, served_content + SIZE / 2, SIZE / 2);
    } else {
        answer_whole(s, c, request);
    }
}

static void answer_page(int c, const char *page) {
    server_print(c,
                 "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 strlen(page), page);
}

/* --- whole files ------------------------------------------------------------------------------ */

typedef struct steps {
    int count;
    int64_t last, total;
    double left;
    int stop_at; /* call that says stop; -1 = none */
} steps;

static int32_t count_steps(void *user, const an_progress *progress) {
    steps *now = user;
    assert_true(progress->done >= now->last);
    assert_string_equal(progress->what, "bytes");
    now->last = progress->done;
    now->total = progress->total;
    now->left = progress->seconds_left;
    return now->count++ == now->stop_at;
}

static void whole_file_with_progress(void **state) {
    (void)state;
    steps now = {.stop_at = -1};
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    options.progress = count_steps;
    options.progress_user = &now;
    options.expected_type = "zip";
    options.sha256 = served_hash;
    server_set(served_host, answer_whole);
    assert_int_equal(served_get("/data.zip", &options), AN_OK);
    served_expect_whole();
    assert_true(now.count >= 1);
    assert_int_equal(now.last, SIZE);
    assert_int_equal(now.total, SIZE);
    assert_true(now.left == 0);
}

static void what_is_there_is_skipped(void **state) {
    (void)state;
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    server_set(served_host, answer_whole);
    assert_int_equal(served_get("/data.zip", NULL), AN_OK);
    assert_int_equal(served_get("/data.zip", NULL), AN_OK);
    assert_int_equal(server_requests(served_host), 1);
    /* with another hash than the one wanted it is fetched again */
    folder_write_text(served_target(""), "old");
    options.sha256 = served_hash;
    assert_int_equal(served_get("/data.zip", &options), AN_OK);
    assert_int_equal(server_requests(served_host), 2);
    assert_int_equal(served_get("/data.zip", &options), AN_OK);
    assert_int_equal(server_requests(served_host), 2);
    served_expect_whole();
}

static void local_files(void **state) {
    (void)state;
    char url[4200];
    folder_write(folder_path(test_folder, "source"), served_content, SIZE);
    snprintf(url, sizeof url, "file://%s", folder_path(test_folder, "source"));
    assert_int_equal(an_download(url, served_target(""), NULL, &served_err), AN_OK);
    assert_int_equal(remove(folder_path(test_folder, "source")), 0);
    served_expect_whole();
}

static void answer_chunked(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    server_print(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int place = 0; place < SIZE; place += 1000) {
        server_print(c, "3e8\r\n");
        server_send(c, served_content + place, 1000);
        server_print(c, "\r\n");
    }
    server_print(c, "0\r\n\r\n");
}

static void files_of_unknown_length(void **state) {
    (void)state;
    server_set(served_host, answer_chunked);
    assert_int_equal(served_get("/data.zip", NULL), AN_OK);
    served_expect_whole();
}

/* --- resuming --------------------------------------------------------------------------------- */

static void cut_connection_then_resume(void **state) {
    (void)state;
    server_set(served_host, answer_cut);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_IO);
    served_expect_message("was cut");
    assert_int_not_equal(access(served_target(""), F_OK), 0);
    int64_t size;
    free(folder_read(served_target(".part"), &size));
    assert_int_equal(size, SIZE / 2);
    assert_int_equal(served_get("/data.zip", NULL), AN_OK);
    assert_int_equal(server_requests(served_host), 2);
    served_expect_whole();
}

static void answer_changed(http_server *s, int c, const server_request *request) {
    if (request->number == 0)
        answer_cut(s, c, request);
    else
        answer_whole(s, c, request); /* 200: the range is not honoured */
}

static void server_that_sends_all_again(void **state) {
    (void)state;
    server_set(served_host, answer_changed);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_IO);
    assert_int_equal(served_get("/data.zip", NULL), AN_OK);
    assert_int_equal(server_requests(served_host), 2);
    served_expect_whole();
}

static void answer_other_range(http_server *s, int c, const server_request *request) {
    if (request->number == 1) {
        server_print(c,
                     "HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n"
                     "Content-Range: bytes 20001-20010/%d\r\n\r\n0123456789",
                     SIZE);
        return;
    }
    answer_changed(s, c, request);
}

static void answer_other_length(http_server *s, int c, const server_request *request) {
    if (request->number == 1) {
        server_print(c, "HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n"
                        "Content-Range: bytes 20000-20009/20010\r\n\r\n0123456789");
        return;
    }
    answer_changed(s, c, request);
}

static void answer_past_end(http_server *s, int c, const server_request *request) {
    if (request->number == 1) {
        server_print(c, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    answer_changed(s, c, request);
}

static void wrong_ranges_begin_anew(void **state) {
    (void)state;
    static const server_answer answers[] = {answer_other_range, answer_other_length,
                                            answer_past_end};
    for (int i = 0; i < 3; i++) {
        server_set(served_host, answers[i]);
        assert_int_equal(served_get("/data.zip", NULL), AN_ERR_IO);
        assert_int_equal(served_get("/data.zip", NULL), AN_OK);
        assert_int_equal(server_requests(served_host), 3);
        served_expect_whole();
    }
}

static void answer_little(http_server *s, int c, const server_request *request) {
    if (request->number == 1) {
        server_print(c,
                     "HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n"
                     "Content-Range: bytes 20000-20009/%d\r\n\r\n",
                     SIZE);
        server_send(c, served_content + 20000, 10);
        return;
    }
    answer_changed(s, c, request);
}

static void less_than_asked_for_is_kept(void **state) {
    (void)state;
    server_set(served_host, answer_little);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_IO);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_IO);
    served_expect_message("sent 20010 of 40000 bytes; call again to resume");
    assert_int_equal(served_get("/data.zip", NULL), AN_OK);
    served_expect_whole();
}

static void answer_missing(http_server *s, int c, const server_request *request);

static void answer_without_validator(http_server *s, int c, const server_request *request) {
    if (request->range[0]) {
        answer_missing(s, c, request);
        return;
    }
    server_print(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
    server_send(c, served_content, request->number == 0 ? SIZE / 2 : SIZE);
}

static void parts_of_unknown_origin_are_not_continued(void **state) {
    (void)state;
    /* no validator: two halves might be of two files */
    server_set(served_host, answer_without_validator);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_IO);
    assert_int_equal(served_get("/data.zip", NULL), AN_OK);
    served_expect_whole();
    /* no record, or one of another address */
    static const char *const records[] = {
        NULL, "", "attractivenet-part-1\n",
        "attractivenet-part-1\nhttp://127.0.0.1/other\n\"one\"\n40000\n"};
    for (int i = 0; i < 4; i++) {
        folder_write_text(served_target(".part"), "PK\3\4 something else");
        if (records[i]) folder_write_text(served_target(".part.info"), records[i]);
        server_set(served_host, answer_whole);
        assert_int_equal(served_get("/data.zip", NULL), AN_OK);
        served_expect_whole();
    }
}

/* --- redirects and statuses ------------------------------------------------------------------- */

static void answer_redirect(http_server *s, int c, const server_request *request) {
    if (request->number < 3)
        server_print(c, "HTTP/1.1 302 Found\r\nLocation: /%d\r\nContent-Length: 0\r\n\r\n",
                     request->number);
    else
        answer_whole(s, c, request);
}

static void answer_loop(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    server_print(c, "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
}

static void answer_to_file(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    server_print(
        c, "HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\nContent-Length: 0\r\n\r\n");
}

static void redirects(void **state) {
    (void)state;
    server_set(served_host, answer_redirect);
    assert_int_equal(served_get("/data.zip", NULL), AN_OK);
    served_expect_whole();
    server_set(served_host, answer_loop);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_IO);
    served_expect_message("redirects more than 10 times");
    assert_int_equal(server_requests(served_host), 11);
    expect_nothing();
    server_set(served_host, answer_to_file);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_IO);
    served_expect_message("redirects to an address that is not allowed");
    expect_nothing();
}

static void answer_missing(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    server_print(c,
                 "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 31\r\n\r\n"
                 "<html><title>gone</title></html");
}

static void statuses(void **state) {
    (void)state;
    char url[256];
    server_set(served_host, answer_missing);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_IO);
    served_expect_message("returned HTTP status 404 ('gone')");
    /* nobody wants a password in a log */
    snprintf(url, sizeof url, "http://user:secret@%s/x",
             server_origin(served_host) + strlen("http://"));
    assert_int_equal(an_download(url, served_target(""), NULL, &served_err), AN_ERR_IO);
    assert_null(strstr(served_err.message, "secret"));
    served_expect_message("http://127.0.0.1");
    assert_int_equal(an_download("ftp://127.0.0.1/x", served_target(""), NULL, &served_err),
                     AN_ERR_ARG);
    assert_int_equal(an_download("http://127.0.0.1:1/x", served_target(""), NULL, &served_err),
                     AN_ERR_IO);
    served_expect_message("cannot download 'http://127.0.0.1:1/x'");
    expect_nothing();
}

/* --- pages of file hosts ---------------------------------------------------------------------- */

static const char quota_page[] =
    "<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>"
    "<p>Sorry, you can't view or download this file at this time.</p></body></html>";
static const char login_page[] =
    "<html><head><title>Google Drive: Sign-in</title></head><body><form>"
    "<input type=\"email\"><input type='password' name=p></form></body></html>";
static const char other_page[] = "<html><title>\n A  shop\n</title>buy</html>";
static const char scan_page[] =
    "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>"
    "<p>Google Drive can't scan this file for viruses.</p></body></html>";

static void answer_quota(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    answer_page(c, quota_page);
}

static void answer_login(http_server *s, int c, const server_request *request) {
    if (request->number == 0)
        server_print(c,
                     "HTTP/1.1 302 Found\r\nLocation: /ServiceLogin\r\nContent-Length: 0\r\n\r\n");
    else
        answer_page(c, login_page);
    (void)s;
}

static void answer_other(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    /* without a content type: told by content */
    server_print(c, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(other_page),
                 other_page);
}

static void answer_scan(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    answer_page(c, scan_page);
}

static void pages_instead_of_data(void **state) {
    (void)state;
    server_set(served_host, answer_quota);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_FORMAT);
    served_expect_message("the file's download quota is exceeded");
    server_set(served_host, answer_login);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_FORMAT);
    served_expect_message("requires a login ('Google Drive: Sign-in')");
    server_set(served_host, answer_other);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_FORMAT);
    served_expect_message("returned a web page, titled 'A shop', instead of data");
    server_set(served_host, answer_scan);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_FORMAT);
    served_expect_message("virus-scan page that cannot be confirmed");
    expect_nothing();
}

/* A page while going on with a part does not cost the part. */
static void answer_cut_then_quota(http_server *s, int c, const server_request *request) {
    if (request->number == 1)
        answer_page(c, quota_page);
    else
        answer_cut(s, c, request);
}

static void page_while_resuming(void **state) {
    (void)state;
    server_set(served_host, answer_cut_then_quota);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_IO);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_FORMAT);
    int64_t size;
    free(folder_read(served_target(".part"), &size));
    assert_int_equal(size, SIZE / 2);
    assert_int_equal(served_get("/data.zip", NULL), AN_OK);
    assert_int_equal(server_requests(served_host), 3);
    served_expect_whole();
}

/* Google Drive as it behaves: a form with hidden fields, a cookie, then the file. */
static void answer_drive(http_server *s, int c, const server_request *request) {
    if (!strcmp(request->target, "/uc?export=download&id=ABC_d-1")) {
        char page[2048];
        snprintf(
            page, sizeof page,
            "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>"
            "<body><form id=\"download-form\" action=\"%s/download\" method=\"get\">"
            "<input type=\"submit\" value=\"Download anyway\"/>"
            "<input type=\"hidden\" name=\"id\" value=\"ABC_d-1\">"
            "<input type=\"hidden\" name=\"confirm\" value=\"t&amp;1\">"
            "<input type=\"hidden\" name=\"uuid\" value=\"a b\"></form></body></html>",
            server_origin(s));
        server_print(c,
                     "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: warned=yes\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     strlen(page), page);
    } else if (!strcmp(request->target, "/download?id=ABC_d-1&confirm=t%261&uuid=a%20b") &&
               !strcmp(request->cookie, "warned=yes")) {
        answer_whole(s, c, request);
    } else {
        answer_missing(s, c, request);
    }
}

static void answer_old_drive(http_server *s, int c, const server_request *request) {
    if (!strncmp(request->target, "/uc?export=download&id=", 23))
        answer_page(c,
                    "<html><title>Google Drive - Virus scan warning</title><a id=other href='/x'>"
                    "<a id='uc-download-link' href='/get?confirm=Q&#x26;id=ABC_d-1'>go</a></html>");
    else if (!strcmp(request->target, "/get?confirm=Q&id=ABC_d-1"))
        answer_whole(s, c, request);
    else
        answer_missing(s, c, request);
}

static void drive_confirmation(void **state) {
    (void)state;
    static const char *const links[] = {
        "https://drive.google.com/file/d/ABC_d-1/view?usp=sharing",
        "https://drive.google.com/open?id=ABC_d-1",
        "https://drive.google.com/uc?id=ABC_d-1&export=download",
        "https://docs.google.com/uc?export=download&id=ABC_d-1",
    };
    for (int i = 0; i < 4; i++) {
        server_set(served_host, i % 2 ? answer_old_drive : answer_drive);
        if (served_get_drive(links[i])) fail_msg("%s", served_err.message);
        assert_int_equal(server_requests(served_host), 2);
        served_expect_whole();
    }
}

static void answer_drive_again(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    answer_page(c, "<html><title>Google Drive - Virus scan warning</title>"
                   "<form id=download-form action=/download></form></html>");
}

static void answer_drive_away(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    answer_page(c, "<html><title>Google Drive - Virus scan warning</title>"
                   "<form id=download-form action=http://localhost/evil></form></html>");
}

static void drive_confirmation_that_leads_nowhere(void **state) {
    (void)state;
    server_set(served_host, answer_drive_again);
    assert_int_equal(served_get_drive("https://drive.google.com/open?id=A"), AN_ERR_FORMAT);
    served_expect_message("keeps asking for confirmation");
    server_set(served_host, answer_drive_away);
    assert_int_equal(served_get_drive("https://drive.google.com/open?id=A"), AN_ERR_FORMAT);
    served_expect_message("cannot be confirmed");
    assert_int_equal(server_requests(served_host), 1);
    expect_nothing();
}

static void pages_are_told_apart(void **state) {
    (void)state;
    char title[ANI_PAGE_TITLE_SIZE];
    assert_true(ani_page_is_html("\xef\xbb\xbf\n <!DOCTYPE HTML>", 19));
    assert_true(ani_page_is_html("<HTML>", 6));
    assert_false(ani_page_is_html("PK\3\4<html>", 10));
    assert_false(ani_page_is_html("<ht", 3));
    assert_false(ani_page_is_html("", 0));
    assert_int_equal(ani_page_classify(quota_page), ANI_PAGE_QUOTA);
    assert_int_equal(ani_page_classify(login_page), ANI_PAGE_LOGIN);
    assert_int_equal(ani_page_classify(scan_page), ANI_PAGE_VIRUS_SCAN);
    assert_int_equal(ani_page_classify(other_page), ANI_PAGE_OTHER);
    ani_page_title(title, "<title>no end \xc3");
    assert_string_equal(title, "no end");
    /* open quotes and tags do not make it slow: each byte is looked at a bounded number of times */
    const int64_t size = 1 << 18;
    char *hostile = malloc((size_t)size + 1);
    static const char *const patterns[] = {"<'>'", "<\"", "<a", "&#1", "<a id="};
    for (int i = 0; i < 5; i++) {
        for (int64_t k = 0; k < size; k++)
            hostile[k] = patterns[i][k % (int64_t)strlen(patterns[i])];
        hostile[size - 1] = '"';
        hostile[size] = '\0';
        ani_text link = {0};
        assert_int_equal(ani_page_classify(hostile), ANI_PAGE_OTHER);
        assert_false(ani_page_confirm_link(&link, hostile));
        ani_text_clear(&link);
    }
    free(hostile);
}

/* --- limits and checks ------------------------------------------------------------------------ */

static void answer_text(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    server_print(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

static void answer_empty(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    server_print(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void wrong_content_is_removed(void **state) {
    (void)state;
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    options.sha256 = "00000000000000000000000000000000000000000000000000000000000000ff";
    server_set(served_host, answer_whole);
    assert_int_equal(served_get("/data.zip", &options), AN_ERR_FORMAT);
    served_expect_message(served_hash);
    expect_nothing();
    options.sha256 = NULL;
    options.expected_type = "hdf5";
    assert_int_equal(served_get("/data.zip", &options), AN_ERR_FORMAT);
    served_expect_message("is not a hdf5 file: it begins with the bytes 50 4b 03 04");
    expect_nothing();
    options.expected_type = "zip";
    server_set(served_host, answer_text);
    assert_int_equal(served_get("/data.zip", &options), AN_ERR_FORMAT);
    served_expect_message("returned text instead of a zip file: 'hello'");
    expect_nothing();
    server_set(served_host, answer_empty);
    assert_int_equal(served_get("/data.zip", NULL), AN_ERR_FORMAT);
    served_expect_message("returned an empty file");
    expect_nothing();
}

static void too_large(void **state) {
    (void)state;
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    options.max_bytes = SIZE - 1;
    server_set(served_host, answer_whole);
    assert_int_equal(served_get("/data.zip", &options), AN_ERR_IO);
    served_expect_message("max_bytes is 39999");
    server_set(served_host, answer_chunked);
    assert_int_equal(served_get("/data.zip", &options), AN_ERR_IO);
    served_expect_message("max_bytes is 39999");
    assert_int_not_equal(access(served_target(""), F_OK), 0);
    options.max_bytes = SIZE;
    assert_int_equal(served_get("/data.zip", &options), AN_OK);
    served_expect_whole();
}

static void answer_drip(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    server_print(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
    for (int i = 0; i < 200 && server_send(c, served_content + i, 1); i++)
        usleep(50000);
}

static void slow_drip(void **state) {
    (void)state;
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    options.low_speed_bytes = 1000;
    options.low_speed_seconds = 1;
    server_set(served_host, answer_drip);
    assert_int_equal(served_get("/data.zip", &options), AN_ERR_IO);
    served_expect_message(
        "is too slow: no connection, or under 1000 bytes per second for 1 seconds");
    assert_int_not_equal(access(served_target(""), F_OK), 0);
}

static void stopped_by_the_caller(void **state) {
    (void)state;
    steps now = {.stop_at = 0};
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    options.progress = count_steps;
    options.progress_user = &now;
    server_set(served_host, answer_whole);
    assert_int_equal(served_get("/data.zip", &options), AN_ERR_CANCELLED);
    assert_int_not_equal(access(served_target(""), F_OK), 0);
    assert_int_equal(served_get("/data.zip", NULL), AN_OK);
    served_expect_whole();
}

static void answer_after_a_second(http_server *s, int c, const server_request *request) {
    (void)s;
    (void)request;
    server_print(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
    sleep(1);
    server_send(c, served_content, SIZE);
}

/* Progress is how a download is cancelled: it comes while nothing else does, too. */
static void progress_while_the_server_is_silent(void **state) {
    (void)state;
    steps now = {.stop_at = -1};
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    options.progress = count_steps;
    options.progress_user = &now;
    server_set(served_host, answer_after_a_second);
    assert_int_equal(served_get("/data.zip", &options), AN_OK);
    served_expect_whole();
    assert_true(now.count >= 6);
    now = (steps){.stop_at = 3};
    assert_int_equal(served_get("/data.zip", &options), AN_ERR_CANCELLED);
}

static void folder_in_the_way(void **state) {
    (void)state;
    assert_int_equal(an_download(server_origin(served_host), test_folder, NULL, &served_err),
                     AN_ERR_IO);
    served_expect_message("it is a folder");
}

/* --- faults ----------------------------------------------------------------------------------- */

/* Whatever call fails, and whenever: an error, no file under the name or the whole one, and another
 * call puts it right. */
static void every_call_may_fail(void **state) {
    (void)state;
    static const int kinds[] = {ANI_FAULT_ALLOC, ANI_FAULT_OPEN,   ANI_FAULT_READ,
                                ANI_FAULT_WRITE, ANI_FAULT_RENAME, ANI_FAULT_SYNC};
    an_download_options options;
    an_download_options_init(&options, sizeof options);
    options.sha256 = served_hash;
    for (int k = 0; k < 6; k++) {
        for (int64_t n = 0;; n++) {
            assert_true(n < 1000);
            server_set(served_host, answer_whole);
            ani_fault_arm(kinds[k], n, kinds[k] == ANI_FAULT_ALLOC ? ENOMEM : ENOSPC, false);
            const an_status st = served_get("/data.zip", &options);
            const bool is_past = ani_fault_calls(kinds[k]) <= n;
            ani_fault_disarm();
            if (is_past) {
                assert_int_equal(st, AN_OK);
                served_expect_whole();
                break;
            }
            if (st) assert_true(served_err.message[0] != '\0');
            if (served_get("/data.zip", &options))
                fail_msg("kind %d, call %d: %s", kinds[k], (int)n, served_err.message);
            served_expect_whole();
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(whole_file_with_progress),
        unit_test_in_folder(what_is_there_is_skipped),
        unit_test_in_folder(local_files),
        unit_test_in_folder(files_of_unknown_length),
        unit_test_in_folder(cut_connection_then_resume),
        unit_test_in_folder(server_that_sends_all_again),
        unit_test_in_folder(wrong_ranges_begin_anew),
        unit_test_in_folder(less_than_asked_for_is_kept),
        unit_test_in_folder(parts_of_unknown_origin_are_not_continued),
        unit_test_in_folder(redirects),
        unit_test_in_folder(statuses),
        unit_test_in_folder(pages_instead_of_data),
        unit_test_in_folder(page_while_resuming),
        unit_test_in_folder(drive_confirmation),
        unit_test_in_folder(drive_confirmation_that_leads_nowhere),
        unit_test_in_folder(pages_are_told_apart),
        unit_test_in_folder(wrong_content_is_removed),
        unit_test_in_folder(too_large),
        unit_test_in_folder(slow_drip),
        unit_test_in_folder(stopped_by_the_caller),
        unit_test_in_folder(progress_while_the_server_is_silent),
        unit_test_in_folder(folder_in_the_way),
        unit_test_in_folder(every_call_may_fail),
    };
    if (!AN_HAVE_CURL) return 77; /* Meson: skipped */
    served_begin(answer_whole, SIZE, 0);
    const int failed = cmocka_run_group_tests_name("download", tests, NULL, NULL);
    served_end();
    return failed;
}
