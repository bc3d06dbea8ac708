/* SPDX-License-Identifier: MIT
 * A rank that joins its launcher and adds numbers, for the tests of this folder.
 *
 * usage: rank ROUNDS FLOATS DEADLINE [MICROSECONDS]
 *
 * In each round: a sum of FLOATS floats, then an agreement, then a pause. Prints what it got as one
 * line, "rank 0 of 2 on 'alpha': 01234567", the same number on all ranks and for every kind of
 * communicator; or the failure, with status 1. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "comm/comm.h"

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

int main(int argc, char **argv) {
    an_comm *comm = NULL;
    an_error err = {0};
    an_comm_options options;
    uint32_t hash = 2166136261u;
    if (argc < 4) return 2;
    an_comm_options_init(&options, sizeof options);
    options.deadline = atof(argv[3]);
    an_status st = an_comm_join(&comm, &options, &err);
    if (!st)
        st = work(comm, atoll(argv[1]), atoll(argv[2]), argc > 4 ? atoll(argv[4]) : 0, &hash, &err);
    if (st)
        printf("rank %d failed: %s: %s\n", an_comm_rank(comm), an_status_name(st), err.message);
    else
        printf("rank %d of %d on '%s': %08" PRIx32 "\n", an_comm_rank(comm), an_comm_size(comm),
               an_comm_host(comm, an_comm_rank(comm)), hash);
    fflush(stdout);
    an_comm_destroy(comm);
    return st != AN_OK;
}
