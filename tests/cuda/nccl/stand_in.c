/* SPDX-License-Identifier: MIT
 * See stand_in.h. */
#include "stand_in.h"

#include <nccl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS = 8, LINKS = 4096 };

typedef enum call_kind { NOTHING, SUM, BROADCAST } call_kind;

typedef struct call {
    call_kind kind;
    void *data;
    size_t count;
    int type, root;
} call;

/* What the ranks with one key share. */
typedef struct room {
    char key[128];
    int size, joined, finalised, arrived;
    struct ncclComm *ends[RANKS];
    call calls[RANKS];
} room;

struct ncclComm {
    room *room;
    int rank;
    bool is_finalising, is_freed;
    ncclResult_t failed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static room rooms[LINKS]; /* never freed, so that a use after the end is seen */
static struct ncclComm links[LINKS];
static int room_count, link_count;
static nccl_stand_in_counts counts;

static _Noreturn void stop(const char *what) {
    fprintf(stderr, "the stand-in for NCCL: %s\n", what);
    abort();
}

static void need(bool is_right, const char *what) {
    if (!is_right) stop(what);
}

nccl_stand_in_counts nccl_stand_in_count(void) {
    pthread_mutex_lock(&lock);
    const nccl_stand_in_counts now = counts;
    pthread_mutex_unlock(&lock);
    return now;
}

const char *ncclGetErrorString(ncclResult_t result) {
    static const char *const texts[] = {"no error",
                                        "unhandled cuda error",
                                        "unhandled system error",
                                        "internal error",
                                        "invalid argument",
                                        "invalid usage",
                                        "remote process exited or there was a network error",
                                        "NCCL operation in progress"};
    return texts[result];
}

const char *ncclGetLastError(ncclComm_t comm) {
    need(!comm || !comm->is_freed, "ncclGetLastError of a communicator that was freed");
    return "";
}

ncclResult_t ncclGetVersion(int *version) {
    const char *text = getenv("AN_NCCL_STAND_IN_VERSION");
    *version = text ? atoi(text) : NCCL_VERSION(2, 18, 0);
    return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
    static int drawn;
    pthread_mutex_lock(&lock);
    memset(id, 0, sizeof *id);
    snprintf(id->internal, sizeof id->internal, "key %d", ++drawn);
    pthread_mutex_unlock(&lock);
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t *config) {
    need(config->magic == 0xcafebeef && config->size == sizeof *config, "a config of another kind");
    need(config->blocking == 0, "a call that blocks cannot be given up");
    need(size >= 1 && size <= RANKS && rank >= 0 && rank < size, "no such rank");
    need(!strncmp(id.internal, "key ", 4), "a key that was not drawn");
    pthread_mutex_lock(&lock);
    room *found = NULL;
    for (int i = 0; i < room_count && !found; i++)
        if (!memcmp(rooms[i].key, id.internal, sizeof id.internal)) found = &rooms[i];
    if (!found) {
        need(room_count < LINKS, "too many communicators");
        found = &rooms[room_count++];
        memcpy(found->key, id.internal, sizeof id.internal);
        found->size = size;
    }
    need(found->size == size, "ranks with other sizes");
    need(!found->ends[rank], "a rank joins twice");
    need(link_count < LINKS, "too many communicators");
    *comm = &links[link_count++];
    **comm = (struct ncclComm){.room = found, .rank = rank};
    found->ends[rank] = *comm;
    found->joined++;
    counts.links++;
    pthread_mutex_unlock(&lock);
    return ncclInProgress;
}

static void add(const room *all) {
    const size_t count = all->calls[0].count;
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (int r = 0; r < all->size; r++)
            sum += all->calls[r].type == ncclFloat ? (double)((float *)all->calls[r].data)[i]
                                                   : ((double *)all->calls[r].data)[i];
        for (int r = 0; r < all->size; r++)
            if (all->calls[r].type == ncclFloat)
                ((float *)all->calls[r].data)[i] = (float)sum;
            else
                ((double *)all->calls[r].data)[i] = sum;
    }
}

static void copy(const room *all) {
    const call *from = &all->calls[all->calls[0].root];
    for (int r = 0; r < all->size; r++)
        if (all->calls[r].data != from->data) memcpy(all->calls[r].data, from->data, from->count);
}

/* Whether call number N of rank 0 is to fail. */
static ncclResult_t fault(const struct ncclComm *comm) {
    static char last[32];
    static int calls;
    int number = 0, code = 0;
    const char *set = getenv("AN_NCCL_STAND_IN_FAULT"), *text = set ? set : "";
    if (strcmp(text, last) != 0) calls = 0;
    snprintf(last, sizeof last, "%s", text);
    if (comm->rank || !*text) return ncclSuccess;
    need(sscanf(text, "%d %d", &number, &code) == 2, "AN_NCCL_STAND_IN_FAULT");
    return ++calls == number ? (ncclResult_t)code : ncclSuccess;
}

static ncclResult_t join(struct ncclComm *comm, const call *one) {
    pthread_mutex_lock(&lock);
    room *all = comm->room;
    need(!comm->is_freed && !comm->is_finalising, "a call on a communicator that has ended");
    need(all->joined == all->size, "a call before all ranks have joined");
    need(!all->calls[comm->rank].kind, "a call before the last one has ended");
    comm->failed = fault(comm);
    all->calls[comm->rank] = *one;
    if (++all->arrived == all->size) {
        for (int r = 1; r < all->size; r++) {
            const call *other = &all->calls[r];
            need(other->kind == all->calls[0].kind && other->count == all->calls[0].count &&
                     other->type == all->calls[0].type && other->root == all->calls[0].root,
                 "ranks with other arguments");
        }
        (one->kind == SUM ? add : copy)(all);
        counts.sums += one->kind == SUM ? all->size : 0;
        memset(all->calls, 0, sizeof all->calls);
        all->arrived = 0;
    }
    pthread_mutex_unlock(&lock);
    return ncclInProgress;
}

ncclResult_t ncclAllReduce(const void *from, void *to, size_t count, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
    need(from == to && to && count > 0 && stream, "a sum of nothing");
    need((type == ncclFloat || type == ncclDouble) && op == ncclSum, "another sum");
    const call one = {SUM, to, count, type, 0};
    return join(comm, &one);
}

ncclResult_t ncclBroadcast(const void *from, void *to, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
    need(from == to && to && count > 0 && stream && type == ncclChar, "a broadcast of nothing");
    need(root >= 0 && root < comm->room->size, "a broadcast from nobody");
    const call one = {BROADCAST, to, count, type, root};
    return join(comm, &one);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *state) {
    pthread_mutex_lock(&lock);
    const room *all = comm->room;
    need(!comm->is_freed, "the state of a communicator that was freed");
    *state = comm->failed;
    if (!*state && (all->joined < all->size || all->calls[comm->rank].kind ||
                    (comm->is_finalising && all->finalised < all->size)))
        *state = ncclInProgress;
    pthread_mutex_unlock(&lock);
    return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
    pthread_mutex_lock(&lock);
    need(!comm->is_freed && !comm->is_finalising, "a communicator that ends twice");
    comm->is_finalising = true;
    comm->room->finalised++;
    pthread_mutex_unlock(&lock);
    return ncclInProgress;
}

static ncclResult_t free_comm(ncclComm_t comm) {
    need(!comm->is_freed, "a communicator is freed twice");
    comm->is_freed = true;
    counts.links--;
    pthread_mutex_unlock(&lock);
    return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    pthread_mutex_lock(&lock);
    need(comm->is_finalising && comm->room->finalised == comm->room->size,
         "ncclCommDestroy without ncclCommFinalize");
    return free_comm(comm);
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
    pthread_mutex_lock(&lock);
    room *all = comm->room;
    if (!comm->is_finalising) all->finalised++;
    if (all->calls[comm->rank].kind)
        all->arrived--; /* it takes part no more: others wait for ever */
    all->calls[comm->rank].kind = NOTHING;
    counts.aborts++;
    return free_comm(comm);
}
