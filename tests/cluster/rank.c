/* SPDX-License-Identifier: MIT
 * A rank that joins its launcher and adds numbers, for the tests of this folder.
 *
 * usage: rank ROUNDS FLOATS DEADLINE [MICROSECONDS [THREADS]]
 *
 * In each round: a sum of FLOATS floats, then an agreement, then a pause of MICROSECONDS. With
 * THREADS, so many ranks in this process, and no launcher. Prints what it got as one
 * line, "rank 0 of 2 on 'alpha': 01234567", the same number on all ranks and for every kind of
 * communicator; or the failure, with status 1. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/comm.h"

enum { MOST_THREADS = 16 };

static uint32_t mix(uint32_t hash, const void *data, size_t size) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static float value_of(int32_t rank, int64_t round, int64_t i) {
    const uint32_t mixed =
        ((uint32_t)rank * 7919u + (uint32_t)i * 104729u + (uint32_t)round * 31u) * 2654435761u;
    return ((float)(mixed >> 8) / 16777216.0f - 0.5f) * (rank % 2 ? 1000.0f : 1.0f);
}

static an_status work(an_comm *comm, int64_t rounds, int64_t count, int64_t pause, uint32_t *hash,
                      an_error *err) {
    float *x = malloc((size_t)count * sizeof *x + 1);
    an_status st = x ? AN_OK : AN_ERR_NOMEM;
    for (int64_t round = 0; !st && round < rounds; round++) {
        int64_t most = comm->rank;
        for (int64_t i = 0; i < count; i++)
            x[i] = value_of(comm->rank, round, i);
        st = ani_comm_sum(comm, NULL, x, count, ANI_COMM_FLOAT, err);
        if (!st) *hash = mix(*hash, x, (size_t)count * sizeof *x);
        if (!st) st = ani_comm_agree(comm, &most, 1, err);
        if (!st && most != comm->size - 1) st = AN_ERR_INTERNAL;
        if (pause) usleep((useconds_t)pause);
    }
    free(x);
    return st;
}

static int say(an_comm *comm, an_status st, uint32_t hash, const an_error *err) {
    if (st)
        printf("rank %d failed: %s: %s\n", an_comm_rank(comm), an_status_name(st), err->message);
    else
        printf("rank %d of %d on '%s': %08" PRIx32 "\n", an_comm_rank(comm), an_comm_size(comm),
               an_comm_host(comm, an_comm_rank(comm)), hash);
    fflush(stdout);
    return st != AN_OK;
}

/* One rank, from what the command line says. */
static int work_as(an_comm *comm, char **argv) {
    an_error err = {0};
    uint32_t hash = 2166136261u;
    const an_status st =
        work(comm, atoll(argv[1]), atoll(argv[2]), argv[4] ? atoll(argv[4]) : 0, &hash, &err);
    return say(comm, st, hash, &err);
}

typedef struct thread_rank {
    pthread_t thread;
    an_comm *comm;
    char **argv;
    int failed;
} thread_rank;

static void *run_thread(void *data) {
    thread_rank *own = data;
    own->failed = work_as(own->comm, own->argv);
    return NULL;
}

static int run_threads(int32_t count, double deadline, char **argv) {
    thread_rank ranks[MOST_THREADS];
    an_comm *comms[MOST_THREADS];
    int failed = 0;
    if (count < 1 || count > MOST_THREADS) return 2;
    if (ani_comm_local_create(comms, count, deadline, NULL)) return 1;
    for (int32_t r = 0; r < count; r++) {
        ranks[r] = (thread_rank){.comm = comms[r], .argv = argv};
        if (pthread_create(&ranks[r].thread, NULL, run_thread, &ranks[r])) return 1;
    }
    for (int32_t r = 0; r < count; r++) {
        pthread_join(ranks[r].thread, NULL);
        failed |= ranks[r].failed;
    }
    for (int32_t r = 0; r < count; r++)
        an_comm_destroy(comms[r]);
    return failed;
}

int main(int argc, char **argv) {
    an_comm *comm = NULL;
    an_error err = {0};
    an_comm_options options;
    if (argc < 4) return 2;
    an_comm_options_init(&options, sizeof options);
    options.deadline = atof(argv[3]);
    if (argc > 5) return run_threads(atoi(argv[5]), options.deadline, argv);
    const an_status st = an_comm_join(&comm, &options, &err);
    if (!st) printf("joined\n");
    fflush(stdout);
    const int failed = st ? say(comm, st, 0, &err) : work_as(comm, argv);
    an_comm_destroy(comm);
    return failed;
}
