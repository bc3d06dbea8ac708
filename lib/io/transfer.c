/* SPDX-License-Identifier: MIT
 * The only file that calls libcurl (7.88 and later). */
#include "io/transfer.h"

#include "config.h"

#if AN_HAVE_CURL

#define CURL_DISABLE_TYPECHECK /* its macros wrap calls by name */
#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/library.h"
#include "base/memory.h"

enum { TICK_MILLISECONDS = 50 };

struct ani_session {
    CURL *curl;
    CURLM *multi; /* the handle that runs it and keeps its connections */
    ani_session_limits limits;
    char why[CURL_ERROR_SIZE];
};

/* A request in progress. */
typedef struct running {
    CURL *curl;
    const ani_request *request;
    ani_answer *answer;
    an_error *err;
    an_status status; /* of the callbacks */
    bool is_begun;    /* answer has been filled in */
} running;

/* clang-format off */
#define CURL_FUNCTIONS(F) \
    F(curl_easy_cleanup) F(curl_easy_getinfo) F(curl_easy_header) F(curl_easy_init) \
    F(curl_easy_setopt) F(curl_easy_strerror) F(curl_easy_unescape) F(curl_free) \
    F(curl_global_init) F(curl_multi_add_handle) F(curl_multi_cleanup) F(curl_multi_info_read) \
    F(curl_multi_init) F(curl_multi_perform) F(curl_multi_poll) F(curl_multi_remove_handle) \
    F(curl_slist_append) F(curl_slist_free_all) F(curl_url) F(curl_url_cleanup) F(curl_url_get) \
    F(curl_url_set)
/* clang-format on */

static struct { CURL_FUNCTIONS(ANI_FUNCTION) } libcurl;

static pthread_once_t begin_once = PTHREAD_ONCE_INIT;

static void begin_curl(void) {
    static const char *const files[] = {"libcurl.so.4", "libcurl-gnutls.so.4", NULL};
    static const char *const names[] = {CURL_FUNCTIONS(ANI_FUNCTION_NAME)};
    if (ani_library_load(files, names, sizeof names / sizeof *names, &libcurl))
        libcurl.curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Is libcurl available? Must be called before anything else. */
static bool have_curl(void) {
    pthread_once(&begin_once, begin_curl);
    return libcurl.curl_easy_init;
}

an_status ani_session_open(ani_session **out, const ani_session_limits *limits, an_error *err) {
    *out = NULL;
    if (!have_curl())
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "cannot download: 'libcurl.so.4' cannot be loaded, or is older than 7.84");
    ani_session *session = ani_alloc_zero(1, sizeof *session);
    if (!session) return ani_fail_memory(err, sizeof *session, "a connection");
    session->limits = *limits;
    session->curl = libcurl.curl_easy_init();
    session->multi = libcurl.curl_multi_init();
    /* An empty file name: cookies are kept in memory, and none are read. */
    if (!session->curl || !session->multi ||
        libcurl.curl_easy_setopt(session->curl, CURLOPT_COOKIEFILE, "")) {
        ani_session_close(session);
        return ani_fail(err, AN_ERR_NOMEM, "libcurl cannot be started");
    }
    *out = session;
    return AN_OK;
}

void ani_session_close(ani_session *session) {
    if (!session) return;
    libcurl.curl_easy_cleanup(session->curl);
    libcurl.curl_multi_cleanup(session->multi);
    ani_free(session);
}

/* --- the answer ------------------------------------------------------------------------------- */

/* Copy a header field of the last response; "" if it is missing or too long to be useful. */
static void read_field(char *out, size_t size, CURL *curl, const char *name) {
    struct curl_header *field;
    out[0] = '\0';
    if (libcurl.curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &field) == CURLHE_OK &&
        strlen(field->value) < size)
        strcpy(out, field->value);
}

/* "bytes 100-199/500" or "bytes 100-199/" and a star; false if it is neither. */
static bool read_content_range(const char *text, int64_t *begin, int64_t *length) {
    intmax_t first, last, all = -1;
    int used = 0;
    if (sscanf(text, "bytes %jd-%jd/%n", &first, &last, &used) != 2 || !used) return false;
    if (strcmp(text + used, "*") != 0) {
        int end = 0;
        if (sscanf(text + used, "%jd%n", &all, &end) != 1 || text[used + end]) return false;
        if (all <= last) return false;
    }
    if (first < 0 || last < first) return false;
    *begin = first;
    *length = all;
    return true;
}

static an_status read_answer(running *now) {
    ani_answer *answer = now->answer;
    char range[128];
    long status = 0;
    curl_off_t length = -1;
    libcurl.curl_easy_getinfo(now->curl, CURLINFO_RESPONSE_CODE, &status);
    libcurl.curl_easy_getinfo(now->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    now->is_begun = true;
    answer->status = status ? (int32_t)status : 200; /* a local file has none */
    answer->length = length;
    answer->offset = 0;
    read_field(answer->type, sizeof answer->type, now->curl, "Content-Type");
    /* A weak ETag says nothing about the bytes. */
    read_field(answer->validator, sizeof answer->validator, now->curl, "ETag");
    if (answer->validator[0] != '"')
        read_field(answer->validator, sizeof answer->validator, now->curl, "Last-Modified");
    if (answer->status != 206) return AN_OK;
    read_field(range, sizeof range, now->curl, "Content-Range");
    if (!read_content_range(range, &answer->offset, &answer->length))
        return ani_fail(now->err, AN_ERR_FORMAT,
                        "'%s' returned part of the file with an invalid range, '%s'",
                        now->request->shown, range);
    return AN_OK;
}

static size_t take_bytes(char *bytes, size_t size, size_t count, void *user) {
    running *now = user;
    if (!now->is_begun) now->status = read_answer(now);
    if (!now->status)
        now->status = now->request->write(now->request->user, now->answer, bytes,
                                          (int64_t)(size * count), now->err);
    return now->status ? CURL_WRITEFUNC_ERROR : size * count;
}

static int take_tick(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                     curl_off_t up) {
    running *now = user;
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    if (!now->status) now->status = now->request->tick(now->request->user, now->err);
    return now->status ? 1 : 0;
}

static an_status fail_transfer(const ani_session *session, const running *now, CURLcode code) {
    const char *url = now->request->shown;
    const ani_session_limits *limits = &session->limits;
    const char *why = session->why[0] ? session->why : libcurl.curl_easy_strerror(code);
    long status = 0;
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return ani_fail(now->err, AN_ERR_NOMEM, "no memory to download '%s'", url);
    case CURLE_TOO_MANY_REDIRECTS:
        return ani_fail(now->err, AN_ERR_IO, "'%s' redirects more than %d times", url,
                        limits->max_redirects);
    case CURLE_OPERATION_TIMEDOUT:
        return ani_fail(
            now->err, AN_ERR_IO,
            "'%s' is too slow: no connection, or under %d bytes per second for %d seconds", url,
            limits->low_speed_bytes, limits->low_speed_seconds);
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2_STREAM:
        return ani_fail(now->err, AN_ERR_IO, "the connection for '%s' was cut: %s", url, why);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        libcurl.curl_easy_getinfo(now->curl, CURLINFO_RESPONSE_CODE, &status);
        if (status) /* so the address itself was valid */
            return ani_fail(now->err, AN_ERR_IO,
                            "'%s' redirects to an address that is not allowed: %s", url, why);
        return ani_fail(now->err, AN_ERR_ARG, "'%s' is not an allowed address: %s", url, why);
    default:
        return ani_fail(now->err, AN_ERR_IO, "cannot download '%s': %s", url, why);
    }
}

/* curl_easy_perform(), but with frequent progress calls: its own come a second apart while no data
 * arrive. */
static CURLcode perform(const ani_session *session) {
    CURLcode code = CURLE_OUT_OF_MEMORY; /* any other failure of these calls is a bug here */
    CURLMcode failed = libcurl.curl_multi_add_handle(session->multi, session->curl);
    int left = 1, messages;
    while (!failed && left) {
        failed = libcurl.curl_multi_perform(session->multi, &left);
        if (!failed && left)
            failed = libcurl.curl_multi_poll(session->multi, NULL, 0, TICK_MILLISECONDS, NULL);
    }
    const CURLMsg *message =
        failed ? NULL : libcurl.curl_multi_info_read(session->multi, &messages);
    if (message && message->msg == CURLMSG_DONE) code = message->data.result;
    libcurl.curl_multi_remove_handle(session->multi, session->curl);
    return code;
}

an_status ani_session_get(ani_session *session, const ani_request *request, ani_answer *answer,
                          an_error *err) {
    CURL *curl = session->curl;
    running now = {.curl = curl, .request = request, .answer = answer, .err = err};
    struct curl_slist *fields = NULL;
    an_status st = AN_OK;
    *answer = (ani_answer){.length = -1};
    session->why[0] = '\0';
    /* A transfer that began encrypted stays encrypted. */
    const bool is_secure = !strncmp(request->url, "https:", 6);
    const bool is_asked = request->offset > 0 && request->validator && request->validator[0];
    if (is_asked) {
        ani_text field = {0};
        ani_text_print(&field, "If-Range: %s", request->validator);
        if (!field.failed) fields = libcurl.curl_slist_append(NULL, field.bytes);
        ani_text_clear(&field);
        if (!fields) return ani_fail_memory(err, 0, "a header field");
    }
    unsigned failed = 0;
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_URL, request->url);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
                                       is_secure ? "https" : "http,https");
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    failed |=
        libcurl.curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)session->limits.max_redirects);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    failed |=
        libcurl.curl_easy_setopt(curl, CURLOPT_USERAGENT, "libattractivenet/" AN_VERSION_STRING);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT,
                                       (long)session->limits.low_speed_seconds);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT,
                                       (long)session->limits.low_speed_bytes);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                                       (long)session->limits.low_speed_seconds);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, session->why);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_WRITEDATA, &now);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, take_tick);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &now);
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    char range[32];
    snprintf(range, sizeof range, "%" PRId64 "-", request->offset);
    /* Not CURLOPT_RESUME_FROM, which reports an error if the server sends everything. */
    failed |= libcurl.curl_easy_setopt(curl, CURLOPT_RANGE, request->offset > 0 ? range : NULL);
    /* Setting options fails only when out of memory. */
    const CURLcode code = failed ? CURLE_OUT_OF_MEMORY : perform(session);
    if (now.status)
        st = now.status;
    else if (code)
        st = fail_transfer(session, &now, code);
    else if (!now.is_begun) {
        st = read_answer(&now);
        if (!st) st = request->write(request->user, answer, "", 0, err);
    }
    libcurl.curl_slist_free_all(fields);
    return st;
}

/* --- addresses -------------------------------------------------------------------------------- */

/* Did it work? Running out of memory is reported through the text that was to be written, so that
 * an address is never mistaken for another kind because of it. */
static bool is_done(ani_text *text, CURLUcode code) {
    if (code == CURLUE_OUT_OF_MEMORY) text->failed = true;
    return code == CURLUE_OK;
}

static void add_part(ani_text *text, CURLU *url, CURLUPart part, unsigned flags,
                     const char *before) {
    char *value = NULL;
    if (is_done(text, libcurl.curl_url_get(url, part, &value, flags)))
        ani_text_print(text, "%s%s", before, value);
    libcurl.curl_free(value);
}

/* NULL if it is not a URL, or without libcurl. */
static CURLU *parse_url(ani_text *text, const char *address) {
    if (!have_curl()) return NULL;
    CURLU *url = libcurl.curl_url();
    const CURLUcode code =
        url ? libcurl.curl_url_set(url, CURLUPART_URL, address, 0) : CURLUE_OUT_OF_MEMORY;
    if (is_done(text, code)) return url;
    libcurl.curl_url_cleanup(url);
    return NULL;
}

bool ani_url_origin(ani_text *origin, const char *url) {
    CURLU *parsed = parse_url(origin, url);
    if (!parsed) return false;
    add_part(origin, parsed, CURLUPART_SCHEME, 0, "");
    add_part(origin, parsed, CURLUPART_HOST, 0, "://");
    add_part(origin, parsed, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT, ":");
    libcurl.curl_url_cleanup(parsed);
    return !origin->failed;
}

bool ani_url_host(ani_text *host, const char *url) {
    CURLU *parsed = parse_url(host, url);
    if (!parsed) return false;
    add_part(host, parsed, CURLUPART_HOST, 0, "");
    for (int64_t i = 0; i < host->size; i++)
        host->bytes[i] = ani_lower(host->bytes[i]);
    libcurl.curl_url_cleanup(parsed);
    return !host->failed;
}

bool ani_url_field(ani_text *value, const char *url, const char *name) {
    const size_t length = strlen(name);
    CURLU *parsed = parse_url(value, url);
    char *query = NULL;
    if (parsed && is_done(value, libcurl.curl_url_get(parsed, CURLUPART_QUERY, &query, 0))) {
        for (const char *s = query; s; s = strchr(s, '&')) {
            if (*s == '&') s++;
            if (strncmp(s, name, length) != 0 || s[length] != '=') continue;
            const char *begin = s + length + 1;
            const int encoded = (int)strcspn(begin, "&");
            int size = 0;
            if (encoded == 0) break; /* to libcurl, 0 is "up to the end" */
            char *decoded = libcurl.curl_easy_unescape(NULL, begin, encoded, &size);
            if (decoded)
                ani_text_add(value, decoded, size);
            else
                value->failed = true;
            libcurl.curl_free(decoded);
            break;
        }
    }
    libcurl.curl_free(query);
    libcurl.curl_url_cleanup(parsed);
    return parsed && !value->failed;
}

bool ani_url_resolve(ani_text *whole, const char *url, const char *link) {
    CURLU *parsed = parse_url(whole, url);
    char *resolved = NULL;
    const bool is_good = parsed &&
                         is_done(whole, libcurl.curl_url_set(parsed, CURLUPART_URL, link, 0)) &&
                         is_done(whole, libcurl.curl_url_get(parsed, CURLUPART_URL, &resolved, 0));
    if (is_good) ani_text_print(whole, "%s", resolved);
    libcurl.curl_free(resolved);
    libcurl.curl_url_cleanup(parsed);
    return is_good && !whole->failed;
}

#else /* without libcurl nothing can be requested, and addresses need not be parsed */

#include <stddef.h>

an_status ani_session_open(ani_session **out, const ani_session_limits *limits, an_error *err) {
    (void)limits;
    *out = NULL;
    return ani_fail(
        err, AN_ERR_UNSUPPORTED,
        "cannot download: this build has no libcurl (configure it with -Dcurl=enabled)");
}

void ani_session_close(ani_session *session) {
    (void)session;
}

an_status ani_session_get(ani_session *session, const ani_request *request, ani_answer *answer,
                          an_error *err) {
    (void)session;
    *answer = (ani_answer){.length = -1};
    return ani_fail(err, AN_ERR_UNSUPPORTED, "cannot download '%s' without libcurl",
                    request->shown);
}

bool ani_url_origin(ani_text *origin, const char *url) {
    (void)origin;
    (void)url;
    return false;
}

bool ani_url_host(ani_text *host, const char *url) {
    (void)host;
    (void)url;
    return false;
}

bool ani_url_field(ani_text *value, const char *url, const char *name) {
    (void)value;
    (void)url;
    (void)name;
    return false;
}

bool ani_url_resolve(ani_text *whole, const char *url, const char *link) {
    (void)whole;
    (void)url;
    (void)link;
    return false;
}

#endif
