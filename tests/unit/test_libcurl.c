/* SPDX-License-Identifier: MIT
 * Downloads when libcurl itself fails: it cannot be loaded, or it gets no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "io/transfer.h"
#include "support/served.h"
#include "support/test_folder.h"

enum { SIZE = 4000, HALF = 2000 };

/* --- libcurl's memory ------------------------------------------------------------------------- */

static int64_t curl_calls, curl_fails = -1; /* the allocation that fails; -1: none */

static bool is_refused(void) {
    return curl_calls++ == curl_fails;
}

static void *curl_malloc(size_t size) {
    return is_refused() ? NULL : malloc(size);
}

static void *curl_calloc(size_t count, size_t size) {
    return is_refused() ? NULL : calloc(count, size);
}

static void *curl_realloc(void *old, size_t size) {
    return is_refused() ? NULL : realloc(old, size);
}

static char *curl_strdup(const char *text) {
    return is_refused() ? NULL : strdup(text);
}

/* Whoever starts libcurl first says where its memory comes from. */
static void take_over_memory(void) {
    typedef int begin(long, void *(*)(size_t), void (*)(void *), void *(*)(void *, size_t),
                      char *(*)(const char *), void *(*)(size_t, size_t));
    static const char *const files[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    void *library = NULL;
    for (int i = 0; i < 2 && !library; i++)
        library = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    void *symbol = dlsym(library, "curl_global_init_mem");
    begin *function;
    assert_non_null(symbol);
    memcpy(&function, &symbol, sizeof function);
    assert_int_equal(
        function(3 /* all */, curl_malloc, free, curl_realloc, curl_strdup, curl_calloc), 0);
}

static void fail_curl(int64_t n) {
    curl_calls = 0;
    curl_fails = n;
}

/* Was the allocation asked for that was to fail? */
static bool curl_has_failed(void) {
    const bool reached = curl_fails >= 0 && curl_calls > curl_fails;
    curl_fails = -1;
    return reached;
}

/* --- what is served --------------------------------------------------------------------------- */

static bool sent_all = true; /* else the connection is cut after the first half */

static void answer(http_server *s, int c, const server_request *request) {
    (void)s;
    const int64_t first = request->range[0] ? HALF : 0;
    assert_string_equal(request->range, first ? "bytes=2000-" : "");
    server_print(c, "HTTP/1.1 %s\r\nContent-Length: %d\r\nETag: \"e\"\r\n",
                 first ? "206 Partial Content" : "200 OK", (int)(SIZE - first));
    if (first) server_print(c, "Content-Range: bytes 2000-3999/4000\r\n");
    server_print(c, "\r\n");
    server_send(c, served_content + first, sent_all ? SIZE - first : HALF);
}

/* --- cases ------------------------------------------------------------------------------------ */

/* A process without a file descriptor left cannot load libcurl. Runs before anything loads it. */
static void libcurl_that_cannot_be_loaded(void **state) {
    (void)state;
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static const struct rlimit none = {0, 0};
        an_error err = {0};
        ani_text text = {0};
        struct rlimit before;
        getrlimit(RLIMIT_NOFILE, &before);
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){none.rlim_cur, before.rlim_max});
        const an_status st = an_download("http://127.0.0.1:1/", "p", NULL, &err);
        const bool is_url = ani_url_host(&text, "http://host/");
        setrlimit(RLIMIT_NOFILE, &before);
        const bool is_told = strstr(err.message, "'libcurl.so.4' cannot be loaded") != NULL;
        exit(st == AN_ERR_UNSUPPORTED && is_told && !is_url && !text.failed ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Every allocation while a part is gone on with; what is done without must not be missed. */
static void libcurl_without_memory(void **state) {
    (void)state;
    bool reached = true;
    for (int64_t n = 0; reached; n++) {
        assert_true(n < 2000);
        sent_all = false; /* which leaves the first half as a part */
        assert_int_equal(served_get("/f", NULL), AN_ERR_IO);
        sent_all = true;
        fail_curl(n);
        const an_status st = served_get("/f", NULL);
        reached = curl_has_failed();
        if (st && st != AN_ERR_NOMEM && st != AN_ERR_IO)
            fail_msg("allocation %lld: %s: %s", (long long)n, an_status_name(st),
                     served_err.message);
        if (st && !served_err.message[0]) fail_msg("allocation %lld: no message", (long long)n);
        if (!reached) assert_int_equal(st, AN_OK);
        assert_int_equal(served_get("/f", NULL), AN_OK);
        served_expect_whole();
    }
}

typedef struct asked_url {
    bool (*ask)(ani_text *text, const char *url);
    const char *url, *answer;
    bool is_told; /* that memory was what failed */
} asked_url;

static bool ask_field(ani_text *text, const char *url) {
    return ani_url_field(text, url, "id");
}

static bool ask_link(ani_text *text, const char *url) {
    return ani_url_resolve(text, url, "../d?e");
}

/* Without memory in libcurl the answer is right, or there is none, and why is told. */
static void addresses_without_memory(void **state) {
    (void)state;
    static const asked_url cases[] = {
        {ani_url_origin, "http://Host:8080/path", "http://Host:8080", true},
        {ani_url_host, "http://HOST/", "host", true},
        {ask_field, "http://h/?x=1&id=a%20b", "a b", true},
        /* libcurl calls a link malformed if it has no memory for what it hangs on */
        {ask_link, "http://h/a/b", "http://h/d?e", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool reached = true;
        for (int64_t n = 0; reached; n++) {
            ani_text text = {0};
            fail_curl(n);
            const bool is_good = cases[i].ask(&text, cases[i].url);
            reached = curl_has_failed();
            if ((cases[i].is_told ? is_good == text.failed : is_good && text.failed) ||
                (!reached && !is_good))
                fail_msg("'%s', allocation %lld: not told", cases[i].url, (long long)n);
            if (is_good) assert_string_equal(text.bytes, cases[i].answer);
            ani_text_clear(&text);
        }
    }
}

static an_status take_nothing(void *user, const ani_answer *answer, const void *bytes, int64_t size,
                              an_error *err) {
    (void)bytes;
    (void)err;
    *(int64_t *)user += size;
    return answer->offset == HALF ? AN_OK : AN_ERR_IO;
}

static an_status go_on(void *user, an_error *err) {
    (void)user;
    (void)err;
    return AN_OK;
}

/* A part may be asked for without saying of what content. */
static void a_part_of_unknown_content(void **state) {
    (void)state;
    static const char *const validators[] = {NULL, ""};
    const ani_session_limits limits = {.low_speed_bytes = 1, .low_speed_seconds = 30};
    char url[256];
    snprintf(url, sizeof url, "%s/f", server_origin(served_host));
    for (int i = 0; i < 2; i++) {
        int64_t size = 0;
        ani_session *session;
        ani_answer got;
        const ani_request request = {.url = url,
                                     .shown = "f",
                                     .offset = HALF,
                                     .validator = validators[i],
                                     .write = take_nothing,
                                     .tick = go_on,
                                     .user = &size};
        assert_int_equal(ani_session_open(&session, &limits, NULL), AN_OK);
        assert_int_equal(ani_session_get(session, &request, &got, &served_err), AN_OK);
        assert_int_equal(size, HALF);
        assert_int_equal(got.length, SIZE);
        ani_session_close(session);
    }
}

int main(void) {
    const struct CMUnitTest first[] = {cmocka_unit_test(libcurl_that_cannot_be_loaded)};
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(libcurl_without_memory),
        unit_test_in_folder(addresses_without_memory),
        unit_test_in_folder(a_part_of_unknown_content),
    };
    if (!AN_HAVE_CURL) return 77; /* Meson: skipped */
    int failed = cmocka_run_group_tests_name("libcurl that is not there", first, NULL, NULL);
    take_over_memory();
    served_begin(answer, SIZE, 0);
    failed += cmocka_run_group_tests_name("libcurl", tests, NULL, NULL);
    served_end();
    return failed;
}
