/* SPDX-License-Identifier: MIT
 * Downloads at their edges: addresses, options and parts that should not be, answers that lie,
 * where Google Drive's links lead, pages of file hosts in odd HTML. Plain ones: test_download. */
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
#include "io/sha256.h"
#include "io/transfer.h"
#include "support/folder.h"
#include "support/served.h"
#include "support/test_folder.h"

enum { SIZE = 4000, HALF = 2000 };

static char asked[512], range[64]; /* of the last request */

static void expect(an_status st, an_status status, const char *word) {
    served_expect_message(word);
    assert_int_equal(st, status);
    served_err = (an_error){0};
}

/* --- answers ---------------------------------------------------------------------------------- */

static const char *head; /* of the answer; what follows is the content */
static int64_t sent;     /* bytes of the content */
static int64_t first;    /* from here on */

static void answer(http_server *s, int c, const server_request *request) {
    (void)s;
    snprintf(asked, sizeof asked, "%s", request->target);
    snprintf(range, sizeof range, "%s", request->range);
    server_print(c, "%s\r\n\r\n", head);
    server_send(c, served_content + first, sent);
}

static void answer_with(const char *fields, int64_t from, int64_t size) {
    head = fields;
    first = from;
    sent = size;
    server_set(served_host, answer);
}

static void answer_all(void) {
    answer_with("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\nETag: \"e\"", 0, SIZE);
}

static void answer_rest(const char *content_range) {
    static char fields[256];
    snprintf(fields, sizeof fields,
             "HTTP/1.1 206 Partial Content\r\nContent-Length: 2000\r\nETag: \"e\"\r\n"
             "Content-Range: %s",
             content_range);
    answer_with(fields, HALF, SIZE - HALF);
}

/* Leave the first half as a part. */
static void make_part(const char *fields) {
    answer_with(fields, 0, HALF);
    assert_int_equal(served_get("/f", NULL), AN_ERR_IO);
    assert_int_equal(folder_count(test_folder), 2);
}

#define CUT "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\nETag: \"e\""
#define CUT_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"e\""

/* --- what the caller gives -------------------------------------------------------------------- */

static void arguments_that_are_refused(void **state) {
    (void)state;
    an_download_options o;
    char hash[] = "g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    expect(an_download(NULL, "p", NULL, &served_err), AN_ERR_ARG, "url is empty");
    expect(an_download("", "p", NULL, &served_err), AN_ERR_ARG, "url is empty");
    expect(an_download("u", NULL, NULL, &served_err), AN_ERR_ARG, "path is empty");
    expect(an_download("u", "", NULL, &served_err), AN_ERR_ARG, "path is empty");
    expect(an_download("http://x/\r\nHost: y", "p", NULL, &served_err), AN_ERR_ARG,
           "url has a line break in it");
#define WITH(change, message)                                                                      \
    an_download_options_init(&o, sizeof o);                                                        \
    change;                                                                                        \
    expect(served_get("/f", &o), AN_ERR_ARG, message)
    WITH(o.struct_size = 0, "struct_size");
    WITH(o.max_redirects = -1, "max_redirects is -1; it must be 0 to 50");
    WITH(o.max_redirects = 51, "max_redirects is 51; it must be 0 to 50");
    WITH(o.max_bytes = 0, "max_bytes is 0; it must be 1 or more");
    WITH(o.low_speed_bytes = -1, "low_speed_bytes is negative");
    WITH(o.low_speed_seconds = -1, "low_speed_seconds is negative");
    WITH(o.sha256 = "12", "sha256 is '12'; it must be 64 hexadecimal digits");
    WITH(o.sha256 = hash, "sha256 is 'g123");
    WITH(o.expected_type = "tar", "expected_type is 'tar'; it must be zip, hdf5 or any");
#undef WITH
    assert_int_equal(folder_count(test_folder), 0);
}

/* Messages show an address without password and control characters, and cut. */
static void addresses_in_messages(void **state) {
    (void)state;
    char url[300], wanted[300];
    expect(an_download("127.0.0.1:1/x", served_target(""), NULL, &served_err), AN_ERR_IO,
           "cannot download '127.0.0.1:1/x': ");
    expect(an_download("http://me:pw@127.0.0.1:1/\x7f\xc3\xa4 b", served_target(""), NULL,
                       &served_err),
           AN_ERR_ARG, "'http://127.0.0.1:1/???");
    memset(url, 'a', sizeof url);
    memcpy(url, "http://127.0.0.1:1/", 19);
    url[299] = '\0';
    snprintf(wanted, sizeof wanted, "'%.96s...'", url);
    expect(an_download(url, served_target(""), NULL, &served_err), AN_ERR_IO, wanted);
    snprintf(url, sizeof url, "%060d://host/path", 7);
    expect(an_download(url, served_target(""), NULL, &served_err), AN_ERR_ARG,
           "'host/path' is not an allowed address: ");
}

static int32_t warned;

static int32_t take_warning(void *user, const an_warning *warning) {
    assert_string_equal(warning->message,
                        "the file that is there has another SHA-256 and is downloaded again");
    warned++;
    return *(const int32_t *)user;
}

static void another_file_is_there(void **state) {
    (void)state;
    int32_t stop = 1;
    an_download_options o;
    char upper[65];
    an_download_options_init(&o, sizeof o);
    for (int i = 0; i < 65; i++)
        upper[i] = (char)(served_hash[i] >= 'a' ? served_hash[i] - 32 : served_hash[i]);
    o.sha256 = upper; /* written in either case */
    o.expected_type = "any";
    o.warn = take_warning;
    o.warn_user = &stop;
    folder_write_text(served_target(""), "old");
    answer_all();
    expect(served_get("/f", &o), AN_ERR_CANCELLED, "/f' was stopped");
    assert_int_equal(server_requests(served_host), 0);
    stop = 0;
    assert_int_equal(served_get("/f", &o), AN_OK);
    assert_int_equal(warned, 2);
    /* it is there now */
    assert_int_equal(served_get("/f", &o), AN_OK);
    assert_int_equal(server_requests(served_host), 1);
    /* every call on the way to that may fail */
    static const int kinds[] = {ANI_FAULT_ALLOC, ANI_FAULT_OPEN, ANI_FAULT_READ};
    for (int k = 0; k < 3; k++) {
        ani_fault_arm(kinds[k], 0, kinds[k] == ANI_FAULT_ALLOC ? ENOMEM : EIO, false);
        assert_int_equal(served_get("/f", &o),
                         kinds[k] == ANI_FAULT_ALLOC ? AN_ERR_NOMEM : AN_ERR_IO);
        ani_fault_disarm();
    }
    served_expect_whole();
}

static void kinds_of_files(void **state) {
    (void)state;
    an_download_options o;
    an_download_options_init(&o, sizeof o);
    o.expected_type = "zip";
    uint8_t keep[22], *bytes;
    int64_t size;
    memcpy(keep, served_content, sizeof keep);
    memset(served_content, 0, sizeof keep);
    memcpy(served_content, "PK\5\6", 4); /* an archive without members */
    answer_with("HTTP/1.1 200 OK\r\nContent-Length: 22", 0, sizeof keep);
    assert_int_equal(served_get("/f", &o), AN_OK);
    bytes = folder_read(served_target(""), &size);
    assert_int_equal(size, sizeof keep);
    free(bytes);
    unlink(served_target(""));
    unlink(served_target(".origin"));
    memcpy(served_content, "PK\5\7", 4);
    expect(served_get("/f", &o), AN_ERR_FORMAT,
           "is not a zip file: it begins with the bytes 50 4b 05 07");
    memcpy(served_content, keep, sizeof keep);
    assert_int_equal(folder_count(test_folder), 0);
}

/* --- parts ------------------------------------------------------------------------------------ */

/* A part with whatever is said of it; size bytes of it are there. */
static void write_part(const char *mark, const char *url, const char *validator, const char *total,
                       int64_t size) {
    char info[512], hash[65], whole[256];
    ani_sha256 sha;
    snprintf(whole, sizeof whole, "%s%s", server_origin(served_host), url);
    ani_sha256_begin(&sha);
    ani_sha256_add(&sha, whole, (int64_t)strlen(whole));
    ani_sha256_end(&sha, hash);
    const int length = snprintf(info, sizeof info, "%s\n%s\n%s\n%s", mark, hash, validator, total);
    folder_write(served_target(".part.info"), info, length);
    folder_write(served_target(".part"), served_content, size);
}

static void parts_that_are_not_gone_on_with(void **state) {
    (void)state;
    static const struct {
        const char *mark, *url, *validator, *total;
        int64_t size;
    } cases[] = {
        {"attractivenet-part-2", "/f", "\"e\"", "4000\n", HALF},
        {"attractivenet-part-1", "/g", "\"e\"", "4000\n", HALF},
        {"attractivenet-part-1", "/f", "\"e\"", "4000", HALF},
        {"attractivenet-part-1", "/f", "\"e\"", "4000x\n", HALF},
        {"attractivenet-part-1", "/f", "\"e\"", "-2\n", HALF},
        {"attractivenet-part-1", "/f", "\"e\"", "1999\n", HALF},
        {"attractivenet-part-1", "/f", "", "4000\n", HALF},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_part(cases[i].mark, cases[i].url, cases[i].validator, cases[i].total, cases[i].size);
        answer_all();
        if (served_get("/f", NULL)) fail_msg("case %zu: %s", i, served_err.message);
        assert_string_equal(range, "");
        served_expect_whole();
    }
}

static void parts_that_are_gone_on_with(void **state) {
    (void)state;
    an_download_options o;
    an_download_options_init(&o, sizeof o);
    /* a hash does for the validator; a length may be unknown, before and after */
    static const struct {
        const char *validator, *total, *range;
    } cases[] = {{"", "4000\n", "bytes 2000-3999/4000"},
                 {"", "-1\n", "bytes 2000-3999/4000"},
                 {"\"e\"", "-1\n", "bytes 2000-3999/*"},
                 {"\"e\"", "4000\n", "bytes 2000-3999/*"}};
    for (size_t i = 0; i < 4; i++) {
        o.sha256 = served_hash;
        write_part("attractivenet-part-1", "/f", cases[i].validator, cases[i].total, HALF);
        answer_rest(cases[i].range);
        if (served_get("/f", &o)) fail_msg("case %zu: %s", i, served_err.message);
        assert_string_equal(range, "bytes=2000-");
        served_expect_whole();
    }
    /* a part that is whole needs no request */
    write_part("attractivenet-part-1", "/f", "\"e\"", "4000\n", SIZE);
    answer_all();
    assert_int_equal(served_get("/f", NULL), AN_OK);
    assert_int_equal(server_requests(served_host), 0);
    served_expect_whole();
}

/* More comes than was said: what there is cannot be the file. */
static void too_much_is_sent(void **state) {
    (void)state;
    make_part(CUT);
    answer_with("HTTP/1.1 206 Partial Content\r\nContent-Length: 2010\r\nETag: \"e\"\r\n"
                "Content-Range: bytes 2000-3999/4000",
                HALF, HALF + 10);
    expect(served_get("/f", NULL), AN_ERR_FORMAT, "sent 4010 bytes instead of 4000");
    assert_int_equal(folder_count(test_folder), 0);
}

static void a_part_nobody_asked_for(void **state) {
    (void)state;
    answer_rest("bytes 2000-3999/4000");
    expect(served_get("/f", NULL), AN_ERR_FORMAT,
           "returned part of the file, but the whole file was requested");
    /* nor one with nothing in it */
    make_part(CUT);
    answer_with("HTTP/1.1 206 Partial Content\r\nContent-Length: 0\r\nContent-Range: all", 0, 0);
    expect(served_get("/f", NULL), AN_ERR_FORMAT,
           "returned part of the file with an invalid range, 'all'");
    static const char *const ranges[] = {
        "",
        "bytes",
        "bytes 2000-3999",
        "bytes 2000-x/4000",
        "lines 2000-3999/4000",
        "bytes 2000-3999/",
        "bytes 2000-3999/x",
        "bytes 2000-3999/4000 ",
        "bytes 2000-3999/4000x",
        "bytes 2000-3999/3999",
        "bytes -5-3999/4000",
        "bytes 3999-2000/4000",
        ("bytes "
         "2000-3999/40000000000000000000000000000000000000000000000000000000000000000000000000"
         "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"),
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        make_part(CUT);
        answer_rest(ranges[i]);
        const an_status st = served_get("/f", NULL);
        if (st == AN_OK && !strcmp(ranges[i], "bytes 2000-3999/4000 ")) {
            served_expect_whole(); /* libcurl takes the blank away */
            continue;
        }
        if (st == AN_OK) fail_msg("'%s' is taken", ranges[i]);
        expect(st, AN_ERR_FORMAT, "returned part of the file with an invalid range, '");
        /* the part is not lost by it */
        answer_rest("bytes 2000-3999/4000");
        assert_int_equal(served_get("/f", NULL), AN_OK);
        served_expect_whole();
    }
}

/* Every call may fail while a part is gone on with, and while it is found to be of another file. */
static void faults_while_resuming(void **state) {
    (void)state;
    static const int kinds[] = {ANI_FAULT_ALLOC, ANI_FAULT_OPEN, ANI_FAULT_READ,
                                ANI_FAULT_WRITE, ANI_FAULT_SYNC, ANI_FAULT_RENAME};
    for (int other = 0; other < 2; other++)
        for (int k = 0; k < 6; k++)
            for (int64_t n = 0;; n++) {
                assert_true(n < 200);
                make_part(CUT);
                if (other)
                    answer_all();
                else
                    answer_rest("bytes 2000-3999/4000");
                ani_fault_arm(kinds[k], n, kinds[k] == ANI_FAULT_ALLOC ? ENOMEM : EIO, false);
                const an_status st = served_get("/f", NULL);
                const bool reached = ani_fault_calls(kinds[k]) > n;
                ani_fault_disarm();
                if (!reached) assert_int_equal(st, AN_OK);
                if (st) assert_true(served_err.message[0]);
                answer_all();
                assert_int_equal(served_get("/f", NULL), AN_OK);
                served_expect_whole();
                if (!reached) break;
            }
}

/* --- pages ------------------------------------------------------------------------------------ */

static char page[600000];
static int64_t page_size;

static void answer_page(http_server *s, int c, const server_request *request) {
    (void)s;
    snprintf(asked, sizeof asked, "%s", request->target);
    server_print(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %lld\r\n\r\n",
                 (long long)page_size);
    server_send(c, page, page_size);
}

static void set_page(const char *text) {
    page_size = snprintf(page, sizeof page, "%s", text);
    server_set(served_host, answer_page);
}

/* Pages larger than what is looked at, and with NUL bytes: the beginning tells what they are. */
static void long_pages(void **state) {
    (void)state;
    set_page("<html><head><title>A - Quota exceeded</title>");
    memset(page + page_size, ' ', sizeof page - (size_t)page_size);
    page_size = sizeof page;
    page[6] = '\0';
    expect(served_get("/f", NULL), AN_ERR_FORMAT, "the file's download quota is exceeded");
    set_page("<html><title>t</title>");
    page_size = 513; /* no more than what is sniffed, and a byte */
    expect(served_get("/f", NULL), AN_ERR_FORMAT,
           "returned a web page, titled 't', instead of data");
    for (int64_t n = 0;; n++) {
        set_page("<html><title>t</title>");
        page_size = 5000;
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = served_get("/f", NULL);
        const bool reached = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        if (st != (reached ? AN_ERR_NOMEM : AN_ERR_FORMAT))
            fail_msg("allocation %lld: %s", (long long)n, served_err.message);
        if (!reached) break;
    }
    /* no page at all, but a status */
    answer_with("HTTP/1.1 503 Busy\r\nContent-Length: 0", 0, 0);
    expect(served_get("/f", NULL), AN_ERR_IO, "returned HTTP status 503");
    answer_with("HTTP/1.1 416 Range\r\nContent-Length: 0", 0, 0);
    expect(served_get("/f", NULL), AN_ERR_IO, "returned HTTP status 416");
    assert_int_equal(folder_count(test_folder), 0);
}

static void kinds_of_pages(void **state) {
    (void)state;
    static const struct {
        const char *page;
        ani_page_kind kind;
    } cases[] = {
        {"<title>Quota Exceeded</title>", ANI_PAGE_QUOTA},
        {"<p>Too many users have viewed or downloaded this file", ANI_PAGE_QUOTA},
        {"<p>the download quota for this file is used up", ANI_PAGE_QUOTA},
        {"<title>Virus scan warning</title>", ANI_PAGE_VIRUS_SCAN},
        {"<p>We can't scan this file for viruses", ANI_PAGE_VIRUS_SCAN},
        {"<title>Please sign in</title>", ANI_PAGE_LOGIN},
        {"<title>Sign-in</title>", ANI_PAGE_LOGIN},
        {"<title>Log in</title>", ANI_PAGE_LOGIN},
        {"<title>Login</title>", ANI_PAGE_LOGIN},
        {"<input type=password>", ANI_PAGE_LOGIN},
        {"<input name=a><input type=text><br type=password>", ANI_PAGE_OTHER},
        {"", ANI_PAGE_OTHER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (ani_page_classify(cases[i].page) != cases[i].kind)
            fail_msg("'%s' is of kind %d", cases[i].page, (int)ani_page_classify(cases[i].page));
}

static void links_on_pages(void **state) {
    (void)state;
    static const struct {
        const char *page, *link; /* NULL: none */
    } cases[] = {
        {"<form id=download-form action='/d?x=1'><input type=hidden name=a value=1></form>",
         "/d?x=1&a=1"},
        {"<form id=\"downloadform\" action=/d><input type=hidden name=a></form>", "/d?a="},
        {"<form id=download-form action=''><input type=hidden name=a value='~'></form>", "?a=~"},
        {"<form id=download-form></form>", NULL},
        {"<form id=other action=/d></form>", NULL},
        {"<form action=/d></form>", NULL},
        {"<form id=download-form action=/d><input name=b><input type=hidden><p name=c>"
         "<input type=text name=d><input type=hidden name=e value='&#65;&#x41;&#X41;'>",
         "/d?e=AAA"},
        /* references that are none stay as they are */
        {"<a id=uc-download-link href='/&#0;&#200;&#65&#65 &#;&#x;&amp;&lt;&gt;&quot;&apos;&no;'>",
         "/&#0;&#200;&#65&#65 &#;&#x;&<>\"'&no;"},
        {"<a id=uc-download-link href='&#65'>", "&#65"},
        {"<a id=uc-download-link href='&'>", "&"},
        {"<a id=uc-download-link>", NULL},
        {"<a id=else href=/x>", NULL},
        {"<b id=uc-download-link href=/x>", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ani_text link = {0};
        const bool found = ani_page_confirm_link(&link, cases[i].page);
        if (found != (cases[i].link != NULL) ||
            (found && strcmp(link.bytes ? link.bytes : "", cases[i].link) != 0))
            fail_msg("'%s' leads to '%s'", cases[i].page, link.bytes ? link.bytes : "");
        ani_text_clear(&link);
    }
    for (int64_t n = 0; n < 20; n++) {
        ani_text link = {0};
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        assert_true(ani_page_confirm_link(&link, cases[0].page));
        const bool reached = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        assert_int_equal(link.failed, reached);
        ani_text_clear(&link);
        if (!reached) break;
    }
}

/* --- addresses -------------------------------------------------------------------------------- */

static void addresses(void **state) {
    (void)state;
    ani_text text = {0};
    assert_true(ani_url_origin(&text, "HTTP://Host.Org:8080/path?q#f"));
    assert_string_equal(text.bytes, "http://Host.Org:8080");
    ani_text_clear(&text);
    assert_true(ani_url_origin(&text, "https://host:443/"));
    assert_string_equal(text.bytes, "https://host");
    ani_text_clear(&text);
    assert_true(ani_url_host(&text, "http://[Host.Org]/") || true);
    ani_text_clear(&text);
    assert_true(ani_url_host(&text, "http://HOST-0.oRg/"));
    assert_string_equal(text.bytes, "host-0.org");
    ani_text_clear(&text);
    assert_false(ani_url_origin(&text, "no address"));
    assert_false(ani_url_host(&text, "no address"));
    assert_false(ani_url_field(&text, "no address", "id"));
    assert_false(ani_url_resolve(&text, "no address", "/x"));
    assert_false(ani_url_resolve(&text, "http://a/b", "http://no address"));
    assert_int_equal(text.size, 0);
    static const struct {
        const char *url, *value;
    } fields[] = {{"http://h/?id=a%20b&x=1", "a b"},
                  {"http://h/?x=1&id=2", "2"},
                  {"http://h/?idx=1&id=3", "3"},
                  {"http://h/?id", ""},
                  {"http://h/", ""},
                  {"http://h/?x=id=4", ""},
                  {"http://h/?id=&id=5", ""}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        assert_true(ani_url_field(&text, fields[i].url, "id"));
        assert_string_equal(text.bytes ? text.bytes : "", fields[i].value);
        ani_text_clear(&text);
    }
    assert_true(ani_url_resolve(&text, "http://h/a/b?c", "../d"));
    assert_string_equal(text.bytes, "http://h/d");
    ani_text_clear(&text);
    /* no memory for the answer */
    ani_fault_arm(ANI_FAULT_ALLOC, 0, ENOMEM, true);
    assert_false(ani_url_origin(&text, "http://h/"));
    ani_text_clear(&text);
    text.failed = false;
    assert_false(ani_url_host(&text, "http://h/"));
    ani_text_clear(&text);
    text.failed = false;
    assert_false(ani_url_field(&text, "http://h/?id=1", "id"));
    ani_text_clear(&text);
    text.failed = false;
    assert_false(ani_url_resolve(&text, "http://h/a", "b"));
    ani_fault_disarm();
    ani_text_clear(&text);
}

/* --- Google Drive ----------------------------------------------------------------------------- */

static void links_of_drive(void **state) {
    (void)state;
    static const struct {
        const char *url, *target;
    } cases[] = {
        {"https://drive.google.com/file/d/Ab_-9/view", "/uc?export=download&id=Ab_-9"},
        {"https://drive.google.com/file/d/A#x", "/uc?export=download&id=A"},
        {"https://drive.google.com/file/d/A/view?resourcekey=0-k",
         "/uc?export=download&id=A&resourcekey=0-k"},
        {"https://docs.google.com/uc?id=A&resourcekey=0%26k", "/uc?export=download&id=A"},
        {"https://drive.usercontent.google.com/open?id=A", "/uc?export=download&id=A"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        answer_all();
        if (served_get_drive(cases[i].url)) fail_msg("%s: %s", cases[i].url, served_err.message);
        assert_string_equal(asked, cases[i].target);
        served_expect_whole();
    }
    /* on the origin that stands for Drive, what is no such link is asked for as it is */
    char url[256];
    static const char *const plain[] = {"/uc?x=1", "/open?id=a%20b", "/else?id=A", "/file/d//view"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(url, sizeof url, "%s%s", server_origin(served_host), plain[i]);
        answer_all();
        assert_int_equal(served_get_drive(url), AN_OK);
        assert_string_equal(asked, plain[i]);
        served_expect_whole();
    }
}

#define SCAN(action)                                                                               \
    "<html><title>Virus scan warning</title><form id=download-form action=" action "></form>"

/* Drive's own hosts are not asked by a test: a proxy at which nobody listens stands before them. */
static void where_drive_may_lead(void **state) {
    (void)state;
    static const struct {
        const char *page, *message;
        an_status status;
    } cases[] = {
        {SCAN("https://doc-0.googleusercontent.com/x"), "cannot download", AN_ERR_IO},
        {SCAN("https://x.google.com/x"), "cannot download", AN_ERR_IO},
        {SCAN("https://google.com.example.org/x"), "cannot be confirmed", AN_ERR_FORMAT},
        {SCAN("http://x.google.com/x"), "cannot be confirmed", AN_ERR_FORMAT},
        {SCAN("'http://no address'"), "cannot be confirmed", AN_ERR_FORMAT},
        {SCAN("''"), "cannot be confirmed", AN_ERR_FORMAT},
        {"<title>Virus scan warning</title>", "cannot be confirmed", AN_ERR_FORMAT},
    };
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    unsetenv("no_proxy");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_page(cases[i].page);
        expect(served_get_drive("https://drive.google.com/open?id=A"), cases[i].status,
               cases[i].message);
        assert_int_equal(server_requests(served_host), 1);
    }
    /* without the origin of a test it is Drive itself that is asked */
    expect(ani_download("https://drive.google.com/open?id=A", served_target(""), NULL, NULL,
                        &served_err),
           AN_ERR_IO, "cannot download 'https://drive.google.com/open?id=A'");
    setenv("no_proxy", "*", 1);
    unsetenv("https_proxy");
    assert_int_equal(folder_count(test_folder), 0);
    /* each allocation on the way to where such a page leads */
    for (int64_t n = 0;; n++) {
        set_page(SCAN("/again"));
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = served_get_drive("https://drive.google.com/open?id=A&resourcekey=k");
        const bool reached = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        if (reached && st != AN_ERR_NOMEM && st != AN_ERR_FORMAT)
            fail_msg("allocation %lld: %s", (long long)n, served_err.message);
        if (!reached) assert_int_equal(st, AN_ERR_FORMAT);
        if (!reached) break;
        assert_true(n < 400);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(arguments_that_are_refused),
        unit_test_in_folder(addresses_in_messages),
        unit_test_in_folder(another_file_is_there),
        unit_test_in_folder(kinds_of_files),
        unit_test_in_folder(parts_that_are_not_gone_on_with),
        unit_test_in_folder(parts_that_are_gone_on_with),
        unit_test_in_folder(too_much_is_sent),
        unit_test_in_folder(a_part_nobody_asked_for),
        unit_test_in_folder(faults_while_resuming),
        unit_test_in_folder(long_pages),
        unit_test_in_folder(kinds_of_pages),
        unit_test_in_folder(links_on_pages),
        unit_test_in_folder(addresses),
        unit_test_in_folder(links_of_drive),
        unit_test_in_folder(where_drive_may_lead),
    };
    if (!AN_HAVE_CURL) return 77; /* Meson: skipped */
    served_begin(answer, SIZE, 16);
    const int failed = cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
    served_end();
    return failed;
}
