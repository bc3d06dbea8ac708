/* SPDX-License-Identifier: MIT
 * Ranks that are threads of one process, and read each other's memory.
 *
 * They meet twice in each call. At the first meeting each has written down what it brought; the
 * last one to come opens the door for all. Then each does its share: of a sum, it adds one slice of
 * all ranks and writes it to all ranks. After the second meeting nobody touches another's memory
 * any more. Only the first meeting has a deadline: past it, all are at work on the call itself, and
 * whoever left would take away memory that another still reads. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "comm/comm.h"

enum { BROADCAST, SUM, GATHER, AGREE };

static const char *const call_names[] = {"a broadcast", "a sum", "a gather", "an agreement"};

/* What a rank brings to a call. */
typedef struct local_call {
    int32_t kind;
    int32_t detail; /* the root, or the type of elements */
    int64_t count;  /* of elements or bytes: the same on all ranks */
    void *data;
    const void *mine;
} local_call;

typedef struct local_room {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    int32_t size, here; /* here: ranks that wait at the door */
    int32_t owners;
    int64_t door; /* how often it opened */
    an_error failed;
    char host[256];
    local_call *calls;  /* [size] */
    int64_t *meetings;  /* [size]: how often each came to a first meeting */
    const void **parts; /* [size][size]: for each rank's own use */
} local_room;

typedef struct local_comm {
    an_comm base;
    local_room *room;
} local_comm;

/* --- meetings --------------------------------------------------------------------------------- */

static void fail_locked(local_room *room, const an_error *why) {
    if (!room->failed.status) room->failed = *why;
    pthread_cond_broadcast(&room->opened);
}

/* Name the first rank that has not come to this meeting. */
static void name_missing(const local_comm *comm, an_error *why) {
    const local_room *room = comm->room;
    int32_t missing = 0, count = 0;
    for (int32_t r = room->size - 1; r >= 0; r--) {
        if (room->meetings[r] >= room->meetings[comm->base.rank]) continue;
        missing = r;
        count++;
    }
    char others[40] = "";
    if (count > 1) snprintf(others, sizeof others, ", like %d others,", (int)count - 1);
    ani_fail(why, AN_ERR_IO, "rank %d of this process%s has not come to %s within %g seconds",
             (int)missing, others, call_names[room->calls[comm->base.rank].kind],
             comm->base.deadline);
}

static struct timespec deadline_of(const local_comm *comm) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    const double seconds = comm->base.deadline < 1e8 ? comm->base.deadline : 1e8;
    at.tv_sec += (time_t)seconds;
    at.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* The last one to come opens the door; the others wait for that. Returns whether it opened. */
static bool pass_door(local_comm *comm, const struct timespec *deadline) {
    local_room *room = comm->room;
    const int64_t door = room->door;
    if (++room->here == room->size) {
        room->here = 0;
        room->door++;
        pthread_cond_broadcast(&room->opened);
        return true;
    }
    while (room->door == door && !(deadline && room->failed.status)) {
        const int code = deadline ? pthread_cond_timedwait(&room->opened, &room->lock, deadline)
                                  : pthread_cond_wait(&room->opened, &room->lock);
        if (code != ETIMEDOUT || room->door != door || room->failed.status) continue;
        an_error why = {0};
        name_missing(comm, &why);
        fail_locked(room, &why);
    }
    return room->door != door;
}

/* Whether all ranks brought the same call. All see the same, so all fail or none. */
static an_status compare(const local_comm *comm, an_error *err) {
    const local_call *first = &comm->room->calls[0];
    for (int32_t r = 1; r < comm->base.size; r++) {
        const local_call *other = &comm->room->calls[r];
        if (other->kind != first->kind || other->detail != first->detail ||
            other->count != first->count)
            return ani_fail(err, AN_ERR_INTERNAL,
                            "ranks 0 and %d of this process do not make the same call: %s of %lld "
                            "and %s of %lld",
                            (int)r, call_names[first->kind], (long long)first->count,
                            call_names[other->kind], (long long)other->count);
    }
    return AN_OK;
}

static an_status meet(local_comm *comm, const local_call *call, an_error *err) {
    local_room *room = comm->room;
    const struct timespec deadline = deadline_of(comm);
    an_status st = AN_OK;
    pthread_mutex_lock(&room->lock);
    bool opened = false;
    if (!room->failed.status) {
        room->calls[comm->base.rank] = *call;
        room->meetings[comm->base.rank]++;
        opened = pass_door(comm, &deadline);
    }
    if (!opened) st = ani_fail(err, room->failed.status, "%s", room->failed.message);
    pthread_mutex_unlock(&room->lock);
    return st ? st : compare(comm, err);
}

static void leave_together(local_comm *comm) {
    pthread_mutex_lock(&comm->room->lock);
    pass_door(comm, NULL);
    pthread_mutex_unlock(&comm->room->lock);
}

/* --- calls ------------------------------------------------------------------------------------ */

static an_status local_broadcast(an_comm *base, an_backend *backend, void *data, int64_t size,
                                 int32_t root, an_error *err) {
    (void)backend;
    local_comm *comm = (local_comm *)base;
    const local_call call = {.kind = BROADCAST, .detail = root, .count = size, .data = data};
    an_status st = meet(comm, &call, err);
    if (st) return st;
    const void *from = comm->room->calls[root].data;
    if (data != from) memcpy(data, from, (size_t)size);
    leave_together(comm);
    return AN_OK;
}

static an_status local_sum(an_comm *base, an_backend *backend, void *data, int64_t count,
                           int32_t type, an_error *err) {
    (void)backend;
    local_comm *comm = (local_comm *)base;
    local_room *room = comm->room;
    const int32_t rank = base->rank, size = base->size;
    const local_call call = {.kind = SUM, .detail = type, .count = count, .data = data};
    an_status st = meet(comm, &call, err);
    if (st) return st;
    const int64_t width = type == ANI_COMM_FLOAT ? 4 : 8;
    const int64_t first = ani_comm_slice(count, rank, size) * width;
    const int64_t bytes = ani_comm_slice(count, rank + 1, size) * width - first;
    const void **parts = room->parts + (int64_t)rank * size;
    for (int32_t r = 0; r < size; r++)
        parts[r] = (const char *)room->calls[r].data + first;
    char *mine = (char *)data + first;
    ani_comm_add(mine, parts, size, bytes / width, type);
    for (int32_t r = 0; r < size; r++)
        if (r != rank) memcpy((char *)room->calls[r].data + first, mine, (size_t)bytes);
    leave_together(comm);
    return AN_OK;
}

static an_status local_gather(an_comm *base, an_backend *backend, const void *mine, void *all,
                              const int64_t *sizes, an_error *err) {
    (void)backend;
    local_comm *comm = (local_comm *)base;
    int64_t total = 0;
    for (int32_t r = 0; r < base->size; r++)
        total += sizes[r];
    const local_call call = {.kind = GATHER, .count = total, .mine = mine};
    an_status st = meet(comm, &call, err);
    if (st) return st;
    char *to = all;
    for (int32_t r = 0; r < base->size; to += sizes[r++]) {
        const void *from = comm->room->calls[r].mine;
        if (sizes[r] > 0 && to != from) memcpy(to, from, (size_t)sizes[r]);
    }
    leave_together(comm);
    return AN_OK;
}

static an_status local_agree(an_comm *base, int64_t *values, int32_t count, an_error *err) {
    local_comm *comm = (local_comm *)base;
    const int32_t rank = base->rank, size = base->size;
    const local_call call = {.kind = AGREE, .count = count, .data = values};
    an_status st = meet(comm, &call, err);
    if (st) return st;
    const int64_t last = ani_comm_slice(count, rank + 1, size);
    for (int64_t i = ani_comm_slice(count, rank, size); i < last; i++) {
        int64_t most = values[i];
        for (int32_t r = 0; r < size; r++) {
            const int64_t other = ((const int64_t *)comm->room->calls[r].data)[i];
            if (other > most) most = other;
        }
        for (int32_t r = 0; r < size; r++)
            ((int64_t *)comm->room->calls[r].data)[i] = most;
    }
    leave_together(comm);
    return AN_OK;
}

static an_status local_wait(an_comm *base, an_backend *backend, an_error *err) {
    local_room *room = ((local_comm *)base)->room;
    an_status st = backend ? backend->ops->wait(backend, err) : AN_OK;
    if (st) return st;
    pthread_mutex_lock(&room->lock);
    if (room->failed.status) st = ani_fail(err, room->failed.status, "%s", room->failed.message);
    pthread_mutex_unlock(&room->lock);
    return st;
}

static void local_stop(an_comm *base, const an_error *why) {
    local_room *room = ((local_comm *)base)->room;
    pthread_mutex_lock(&room->lock);
    fail_locked(room, why);
    pthread_mutex_unlock(&room->lock);
}

static const char *local_host(const an_comm *base, int32_t rank) {
    (void)rank;
    return ((const local_comm *)base)->room->host;
}

/* --- making and end --------------------------------------------------------------------------- */

static void release_room(local_room *room) {
    pthread_cond_destroy(&room->opened);
    pthread_mutex_destroy(&room->lock);
    ani_free(room->calls);
    ani_free(room->meetings);
    ani_free(room->parts);
    ani_free(room);
}

static void local_destroy(an_comm *base) {
    local_comm *comm = (local_comm *)base;
    local_room *room = comm->room;
    an_error why = {0};
    ani_fail(&why, AN_ERR_IO, "rank %d of this process has ended", (int)base->rank);
    pthread_mutex_lock(&room->lock);
    fail_locked(room, &why);
    const bool last = --room->owners == 0;
    pthread_mutex_unlock(&room->lock);
    if (last) release_room(room);
    ani_free(comm);
}

static const ani_comm_ops local_ops = {.name = "local",
                                       .destroy = local_destroy,
                                       .broadcast = local_broadcast,
                                       .sum = local_sum,
                                       .gather = local_gather,
                                       .agree = local_agree,
                                       .wait = local_wait,
                                       .stop = local_stop,
                                       .host = local_host};

/* A room without a lock yet. */
static local_room *make_room(int32_t size) {
    local_room *room = ani_alloc_zero(1, sizeof *room);
    if (!room) return NULL;
    room->size = size;
    room->calls = ani_alloc_zero(size, sizeof *room->calls);
    room->meetings = ani_alloc_zero(size, sizeof *room->meetings);
    room->parts = ani_alloc_zero((int64_t)size * size, sizeof *room->parts);
    if (gethostname(room->host, sizeof room->host - 1)) strcpy(room->host, "localhost");
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&room->opened, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&room->lock, NULL);
    if (room->calls && room->meetings && room->parts) return room;
    release_room(room);
    return NULL;
}

an_status ani_comm_local_create(an_comm **out, int32_t size, double deadline, an_error *err) {
    for (int32_t r = 0; r < size; r++)
        out[r] = NULL;
    local_room *room = make_room(size);
    bool made = room != NULL;
    for (int32_t r = 0; made && r < size; r++) {
        local_comm *comm = ani_alloc_zero(1, sizeof *comm);
        made = comm != NULL;
        if (!made) break;
        comm->base = (an_comm){.ops = &local_ops, .rank = r, .size = size, .deadline = deadline};
        comm->room = room;
        room->owners++;
        out[r] = &comm->base;
    }
    if (made) return AN_OK;
    if (room && room->owners == 0) release_room(room);
    for (int32_t r = 0; r < size; r++) {
        an_comm_destroy(out[r]);
        out[r] = NULL;
    }
    return ani_fail_memory(err, (int64_t)sizeof(local_comm), "a communicator");
}
