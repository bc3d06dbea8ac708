/* SPDX-License-Identifier: MIT
 * A small HTTP server on 127.0.0.1. */
#include "support/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_server {
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* of answer */
    server_answer answer;
    atomic_int requests;
    atomic_int is_ended;
    char origin[64];
};

int server_send(int connection, const void *bytes, int64_t size) {
    const char *rest = bytes;
    while (size > 0) {
        const ssize_t sent = send(connection, rest, (size_t)size, MSG_NOSIGNAL);
        if (sent <= 0) return 0;
        rest += sent;
        size -= sent;
    }
    return 1;
}

int server_print(int connection, const char *format, ...) {
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return size > 0 && size < (int)sizeof text && server_send(connection, text, size);
}

static void read_field(char *out, size_t size, const char *head, const char *name) {
    out[0] = '\0';
    const char *field = strcasestr(head, name);
    if (!field) return;
    field += strlen(name);
    const size_t length = strcspn(field, "\r\n");
    if (length < size) {
        memcpy(out, field, length);
        out[length] = '\0';
    }
}

static void serve(http_server *server, int connection) {
    char head[8192];
    size_t size = 0;
    server_request request = {0};
    head[0] = '\0';
    while (!strstr(head, "\r\n\r\n")) {
        const ssize_t count = recv(connection, head + size, sizeof head - 1 - size, 0);
        if (count <= 0) return;
        size += (size_t)count;
        head[size] = '\0';
    }
    if (sscanf(head, "GET %511s HTTP", request.target) != 1) return;
    read_field(request.range, sizeof request.range, head, "\nRange: ");
    read_field(request.if_range, sizeof request.if_range, head, "\nIf-Range: ");
    read_field(request.cookie, sizeof request.cookie, head, "\nCookie: ");
    pthread_mutex_lock(&server->lock);
    const server_answer answer = server->answer;
    request.number = server->requests++;
    pthread_mutex_unlock(&server->lock);
    answer(server, connection, &request);
}

static void *run(void *user) {
    http_server *server = user;
    while (!server->is_ended) {
        const int connection = accept(server->listener, NULL, NULL);
        if (connection < 0) continue;
        if (!server->is_ended) serve(server, connection);
        /* Wait for the peer to close; otherwise a reset may discard what was sent. */
        shutdown(connection, SHUT_WR);
        char rest[256];
        while (recv(connection, rest, sizeof rest, 0) > 0) {
        }
        close(connection);
    }
    return NULL;
}

http_server *server_begin(server_answer answer) {
    http_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->answer = answer;
    pthread_mutex_init(&server->lock, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 ||
        bind(server->listener, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(server->listener, 16) < 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) < 0 ||
        pthread_create(&server->thread, NULL, run, server) != 0)
        fail_msg("cannot listen on 127.0.0.1");
    snprintf(server->origin, sizeof server->origin, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return server;
}

void server_end(http_server *server) {
    if (!server) return;
    server->is_ended = 1;
    shutdown(server->listener, SHUT_RDWR); /* wakes accept() */
    pthread_join(server->thread, NULL);
    close(server->listener);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

void server_set(http_server *server, server_answer answer) {
    pthread_mutex_lock(&server->lock);
    server->answer = answer;
    server->requests = 0;
    pthread_mutex_unlock(&server->lock);
}

const char *server_origin(const http_server *server) {
    return server->origin;
}

int server_requests(const http_server *server) {
    return server->requests;
}
