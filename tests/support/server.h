/* SPDX-License-Identifier: MIT
 * A small HTTP server on 127.0.0.1 for tests of downloads: one thread, one request after the other,
 * each answered by a function of the test. */
#ifndef SUPPORT_SERVER_H
#define SUPPORT_SERVER_H

#include <stdint.h>

typedef struct http_server http_server;

/** What was asked. Fields of the header that were not sent are "". */
typedef struct server_request {
    char target[512]; /* "/path?query" */
    char range[64], if_range[128], cookie[256];
    int number; /* of this request, from 0 */
} server_request;

/** Answer one request on the connection, which is closed after it. */
typedef void (*server_answer)(http_server *server, int connection, const server_request *request);

/** Begin to listen on a port that is free; fails the test. */
http_server *server_begin(server_answer answer);
/** End the thread, free all. NULL is allowed. */
void server_end(http_server *server);
/** Give the next requests to another function, counted from 0 again. */
void server_set(http_server *server, server_answer answer);
const char *server_origin(const http_server *server); /* "http://127.0.0.1:PORT" */
int server_requests(const http_server *server);       /* since server_set() */

/** Send text, or bytes; returns 0 if the other side is gone. */
int server_print(int connection, const char *format, ...) __attribute__((format(printf, 2, 3)));
int server_send(int connection, const void *bytes, int64_t size);

#endif
