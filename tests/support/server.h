/* SPDX-License-Identifier: MIT
 * A small HTTP server on 127.0.0.1 for tests of downloads: one thread, one request after another,
 * each answered by a function of the test. */
#ifndef SUPPORT_SERVER_H
#define SUPPORT_SERVER_H

#include <stdint.h>

typedef struct http_server http_server;

/** The request. Header fields that were not sent are "". */
typedef struct server_request {
    char target[512]; /* "/path?query" */
    char range[64], if_range[128], cookie[256];
    int number; /* of this request, from 0 */
} server_request;

/** Answer one request on the connection, which is closed after it. */
typedef void (*server_answer)(http_server *server, int connection, const server_request *request);

/** Start listening on a free port; fails the test on error. */
http_server *server_begin(server_answer answer);
/** Stop the thread and free everything. NULL is allowed. */
void server_end(http_server *server);
/** Pass the next requests to another function, counting from 0 again. */
void server_set(http_server *server, server_answer answer);
const char *server_origin(const http_server *server); /* "http://127.0.0.1:PORT" */
int server_requests(const http_server *server);       /* since server_set() */

/** Send text, or bytes; returns 0 if the peer has closed the connection. */
int server_print(int connection, const char *format, ...) __attribute__((format(printf, 2, 3)));
int server_send(int connection, const void *bytes, int64_t size);

#endif
