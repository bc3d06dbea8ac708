/* SPDX-License-Identifier: MIT
 * A wire between threads of one process, with faults. Messages take a few tests to arrive, how
 * many is drawn from a fixed stream. */
#ifndef SUPPORT_FAKE_WIRE_H
#define SUPPORT_FAKE_WIRE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/wire.h"
#include "config.h"

enum { FAKE_RANKS = 8, FAKE_OPS = 64, FAKE_GONE = 7, FAKE_SIZE = 8 };

typedef struct fake_message {
    struct fake_message *next;
    int32_t from, to, tag;
    int64_t size;
    char bytes[];
} fake_message;

typedef struct fake_net {
    pthread_mutex_t lock;
    fake_message *first, **last;
    int32_t size, started, ended;
    uint32_t draws;
    int64_t sent[FAKE_RANKS]; /* messages so far, without notes */
    /* faults */
    bool is_dead[FAKE_RANKS];    /* what it sends vanishes */
    int64_t dies_at[FAKE_RANKS]; /* it dies after so many messages; 0: never */
    bool errors;                 /* whoever deals with a dead rank gets FAKE_GONE */
    int32_t old_rank;            /* says that it is of another release; -1: none */
    atomic_bool wrong_thread;
    bool no_start;
} fake_net;

typedef struct fake_place {
    fake_net *net;
    int32_t rank;
} fake_place;

typedef struct fake_op {
    bool is_used, is_send, is_cancelled;
    int32_t from, tag, delay;
    void *data;
    int64_t size;
} fake_op;

typedef struct fake_link {
    fake_place place;
    fake_op ops[FAKE_OPS];
} fake_link;

static inline fake_link *fake_of(const ani_wire_link *room) {
    fake_link *link;
    memcpy(&link, room->words, sizeof link);
    return link;
}

static inline void fake_net_init(fake_net *net, int32_t size) {
    memset(net, 0, sizeof *net);
    pthread_mutex_init(&net->lock, NULL);
    net->last = &net->first;
    net->size = size;
    net->old_rank = -1;
}

static inline void fake_net_clear(fake_net *net) {
    for (fake_message *m = net->first; m;) {
        fake_message *next = m->next;
        free(m);
        m = next;
    }
    pthread_mutex_destroy(&net->lock);
}

static inline void fake_net_kill(fake_net *net, int32_t rank) {
    pthread_mutex_lock(&net->lock);
    net->is_dead[rank] = true;
    pthread_mutex_unlock(&net->lock);
}

static inline int32_t fake_start(ani_wire_link *link, const void *group, ani_wire_place *place,
                                 char *text) {
    const fake_place *where = group;
    fake_link *made = calloc(1, sizeof *made);
    pthread_mutex_lock(&where->net->lock);
    const bool fails = where->net->no_start || !made;
    if (!fails) where->net->started++;
    *place = (ani_wire_place){.rank = where->rank, .size = where->net->size};
    pthread_mutex_unlock(&where->net->lock);
    if (fails) {
        strcpy(text, "no launcher answers");
        free(made);
        return 1;
    }
    made->place = *where;
    memcpy(link->words, &made, sizeof made);
    return 0;
}

static inline int32_t fake_ready(ani_wire_link *link, int32_t *done) {
    fake_net *net = fake_of(link)->place.net;
    pthread_mutex_lock(&net->lock);
    *done = net->started == net->size;
    pthread_mutex_unlock(&net->lock);
    return 0;
}

static inline int32_t fake_finish(ani_wire_link *link, int32_t is_orderly) {
    fake_net *net = fake_of(link)->place.net;
    pthread_mutex_lock(&net->lock);
    net->ended += is_orderly;
    pthread_mutex_unlock(&net->lock);
    free(fake_of(link));
    return 1;
}

/* The net is locked. */
static inline int32_t fake_post(fake_link *link, const fake_op *op, ani_wire_request *request) {
    fake_net *net = link->place.net;
    net->draws = net->draws * 1664525u + 1013904223u;
    for (int32_t i = 0; i < FAKE_OPS; i++) {
        if (link->ops[i].is_used) continue;
        link->ops[i] = *op;
        link->ops[i].is_used = true;
        link->ops[i].delay = (int32_t)(net->draws >> 30);
        request->word = (uint64_t)i + 1;
        request->size = op->size;
        return 0;
    }
    abort(); /* more requests than a communicator has */
}

static inline int32_t fake_send(ani_wire_link *data, int32_t rank, int32_t tag, const void *from,
                                int64_t size, ani_wire_request *request) {
    fake_link *link = fake_of(data);
    fake_net *net = link->place.net;
    const int32_t own = link->place.rank;
    int32_t code = 0;
    pthread_mutex_lock(&net->lock);
    if (tag > 0 && net->sent[own]++ == net->dies_at[own] && net->dies_at[own])
        net->is_dead[own] = true;
    if (net->is_dead[rank] && net->errors) {
        code = FAKE_GONE;
    } else {
        fake_message *m = malloc(sizeof *m + (size_t)size);
        if (!m) abort();
        *m = (fake_message){.from = own, .to = rank, .tag = tag, .size = size};
        if (size) memcpy(m->bytes, from, (size_t)size);
        if (net->old_rank == own && net->sent[own] <= FAKE_RANKS) memcpy(m->bytes, "0.0.9", 6);
        if (net->is_dead[own]) {
            free(m);
        } else {
            *net->last = m;
            net->last = &m->next;
        }
        const fake_op op = {.is_send = true};
        code = fake_post(link, &op, request);
    }
    pthread_mutex_unlock(&net->lock);
    return code;
}

static inline int32_t fake_receive(ani_wire_link *data, int32_t rank, int32_t tag, void *to,
                                   int64_t size, ani_wire_request *request) {
    fake_link *link = fake_of(data);
    const fake_op op = {.from = rank, .tag = tag, .data = to, .size = size};
    pthread_mutex_lock(&link->place.net->lock);
    const int32_t code = fake_post(link, &op, request);
    pthread_mutex_unlock(&link->place.net->lock);
    return code;
}

/* Take the first message that fits. The net is locked. */
static inline bool fake_take(fake_net *net, int32_t rank, const fake_op *op, int32_t *code) {
    for (fake_message **at = &net->first; *at; at = &(*at)->next) {
        fake_message *m = *at;
        if (m->to != rank || m->tag != op->tag || (op->from >= 0 && op->from != m->from)) continue;
        *code = m->size == op->size ? 0 : FAKE_SIZE;
        if (!*code && m->size) memcpy(op->data, m->bytes, (size_t)m->size);
        *at = m->next;
        if (!*at) net->last = at;
        free(m);
        return true;
    }
    return false;
}

static inline int32_t fake_test(ani_wire_link *data, ani_wire_request *request, int32_t *done) {
    fake_link *link = fake_of(data);
    fake_net *net = link->place.net;
    fake_op *op = &link->ops[request->word - 1];
    int32_t code = 0;
    pthread_mutex_lock(&net->lock);
    *done = 0;
    if (op->is_cancelled || op->is_send)
        *done = op->is_cancelled || op->delay-- <= 0;
    else if (op->delay-- <= 0)
        *done = fake_take(net, link->place.rank, op, &code);
    if (!*done && !op->is_send && op->from >= 0 && net->is_dead[op->from] && net->errors) {
        code = FAKE_GONE;
        *done = 1;
    }
    if (*done) {
        op->is_used = false;
        request->word = 0;
    }
    pthread_mutex_unlock(&net->lock);
    return code;
}

static inline void fake_cancel(ani_wire_link *data, ani_wire_request *request) {
    fake_of(data)->ops[request->word - 1].is_cancelled = true;
}

static inline int32_t fake_may_call(ani_wire_link *link) {
    return fake_of(link)->place.net->wrong_thread ? AN_ERR_ARG : 0;
}

static inline void fake_explain(int32_t code, char *text) {
    snprintf(text, ANI_WIRE_TEXT, "%s",
             code == FAKE_GONE ? "the connection is gone" : "a message of another size");
}

static const ani_wire fake_wire = {.build = {AN_VERSION_STRING, ANI_WIRE_LAYOUT},
                                   .name = "a fake MPI",
                                   .start = fake_start,
                                   .ready = fake_ready,
                                   .finish = fake_finish,
                                   .send = fake_send,
                                   .receive = fake_receive,
                                   .test = fake_test,
                                   .cancel = fake_cancel,
                                   .may_call = fake_may_call,
                                   .explain = fake_explain};

#endif
