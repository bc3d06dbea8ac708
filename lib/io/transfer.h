/* SPDX-License-Identifier: MIT
 * One response of a server, or one local file, as a stream of bytes: the small part of libcurl that
 * a download needs. */
#ifndef IO_TRANSFER_H
#define IO_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/** Keeps cookies and connections from one request to the next. */
typedef struct ani_session ani_session;

typedef struct ani_session_limits {
    int32_t max_redirects;
    int32_t low_speed_bytes;   /* bytes per second, below which ... */
    int32_t low_speed_seconds; /* ... for this long the transfer is aborted */
} ani_session_limits;

/** What is known of the content when its first byte arrives. */
typedef struct ani_answer {
    int32_t status;      /* HTTP status; 200 for a local file */
    int64_t length;      /* of the whole content, wherever this response begins; -1 = unknown */
    int64_t offset;      /* of this response's first byte in it */
    char type[64];       /* content type; "" = not given */
    char validator[256]; /* a strong ETag, else the date of the last change; "" = not given */
} ani_answer;

typedef struct ani_request {
    const char *url;   /* http, https or file */
    const char *shown; /* its name in messages: short, and without a password */
    int64_t offset; /* request the content from here; the response tells whether it begins here */
    const char *validator; /* of the content that offset refers to; NULL or "" = none */
    /** Receive bytes; may be called with size 0. A status other than AN_OK aborts the transfer,
     * which returns it. */
    an_status (*write)(void *user, const ani_answer *answer, const void *bytes, int64_t size,
                       an_error *err);
    /** Called several times a second, even while no data arrive, and between bytes. */
    an_status (*tick)(void *user, an_error *err);
    void *user; /* passed to both */
} ani_request;

/** AN_ERR_UNSUPPORTED in a build without libcurl. */
an_status ani_session_open(ani_session **out, const ani_session_limits *limits, an_error *err);
void ani_session_close(ani_session *session); /* NULL is allowed */

/** Make a request. AN_OK means that a complete response arrived, whatever its status, and write was
 * called at least once; a response shorter than it announced is AN_ERR_IO. */
an_status ani_session_get(ani_session *session, const ani_request *request, ani_answer *answer,
                          an_error *err);

/** Write scheme, host and port of a URL, as "http://127.0.0.1:8080"; the port only if it is given.
 * Returns false if url is not a URL, or if out of memory, which the text's `failed` tells; so do
 * the functions below. */
bool ani_url_origin(ani_text *origin, const char *url);
/** Write the host, in lower case, and the value of the query field name, decoded ("" = none). */
bool ani_url_host(ani_text *host, const char *url);
bool ani_url_field(ani_text *value, const char *url, const char *name);
/** Resolve a link found on the page at url. */
bool ani_url_resolve(ani_text *whole, const char *url, const char *link);

#endif
