/* SPDX-License-Identifier: MIT
 * One answer of a server, or one local file, as a stream of bytes: the little of libcurl that a
 * download needs. */
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
    int32_t low_speed_bytes;   /* per second, below which ... */
    int32_t low_speed_seconds; /* ... for so long the transfer is given up */
} ani_session_limits;

/** What is known of the content when its first byte comes. */
typedef struct ani_answer {
    int32_t status;      /* of HTTP; 200 for a local file */
    int64_t length;      /* of the whole content, wherever this answer begins; -1 = not known */
    int64_t offset;      /* of this answer's first byte in it */
    char type[64];       /* content type; "" = not told */
    char validator[256]; /* a strong ETag, else the date of the last change; "" = not told */
} ani_answer;

typedef struct ani_request {
    const char *url;       /* http, https or file */
    const char *shown;     /* what messages call it: short, and without a password */
    int64_t offset;        /* ask for what begins here; the answer tells whether it does */
    const char *validator; /* of the content that offset is meant for; NULL or "" = none */
    /** Take bytes; may be called with size 0. A status other than AN_OK ends the transfer with it.
     */
    an_status (*write)(void *user, const ani_answer *answer, const void *bytes, int64_t size,
                       an_error *err);
    /** Called several times a second, also while nothing comes, and between bytes. */
    an_status (*tick)(void *user, an_error *err);
    void *user; /* handed to both */
} ani_request;

/** AN_ERR_UNSUPPORTED in a build without libcurl. */
an_status ani_session_open(ani_session **out, const ani_session_limits *limits, an_error *err);
void ani_session_close(ani_session *session); /* NULL is allowed */

/** Make a request. AN_OK means that an answer came whole, whatever its status; a shorter one than
 * it said is AN_ERR_IO. write is called at least once then. */
an_status ani_session_get(ani_session *session, const ani_request *request, ani_answer *answer,
                          an_error *err);

/** Write scheme, host and port of a URL, as "http://127.0.0.1:8080"; the port only if it is given.
 * False if url is none, or without memory, which the text's `failed` tells; so below. */
bool ani_url_origin(ani_text *origin, const char *url);
/** Write the host, in lower case, and the value of the query field name, decoded ("" = none). */
bool ani_url_host(ani_text *host, const char *url);
bool ani_url_field(ani_text *value, const char *url, const char *name);
/** Resolve a link that stands on the page at url. */
bool ani_url_resolve(ani_text *whole, const char *url, const char *link);

#endif
