/* SPDX-License-Identifier: MIT
 * The ordered sum of the ranks against the MPI's own MPI_Allreduce, in turn. Built for each MPI.
 *
 * usage: mpirun -np N bench_comm_openmpi [BYTES [ROUNDS]]
 *
 * The sums are compared first: both are within rounding of each other. One line of JSON. */
#include <mpi.h>

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/comm.h"

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void fill(float *x, int64_t count, int32_t rank) {
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)((i * 37 + rank * 101) % 1000) / 1000;
}

/* The time of one sum, of the slowest rank. */
static double time_of(int32_t kind, an_comm *comm, float *x, int64_t count) {
    an_error err = {0};
    MPI_Barrier(MPI_COMM_WORLD);
    const double began = MPI_Wtime();
    if (kind)
        MPI_Allreduce(MPI_IN_PLACE, x, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    else if (ani_comm_sum(comm, NULL, x, count, ANI_COMM_FLOAT, &err)) {
        fprintf(stderr, "%s\n", err.message);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    double seconds = MPI_Wtime() - began;
    MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return seconds;
}

int main(int argc, char **argv) {
    const int64_t count = (argc > 1 ? atoll(argv[1]) : 9000000) / 4;
    const int rounds = argc > 2 ? atoi(argv[2]) : 41;
    an_comm *comm = NULL;
    an_error err = {0};
    const MPI_Comm world = MPI_COMM_WORLD;
    MPI_Init(&argc, &argv);
    if (an_comm_create_mpi(&comm, &world, NULL, &err)) {
        fprintf(stderr, "%s\n", err.message);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    float *x = malloc((size_t)count * sizeof *x), *y = malloc((size_t)count * sizeof *y);
    double *times[2] = {malloc((size_t)rounds * sizeof(double)),
                        malloc((size_t)rounds * sizeof(double))};
    if (!x || !y || !times[0] || !times[1]) MPI_Abort(MPI_COMM_WORLD, 1);
    fill(x, count, an_comm_rank(comm));
    fill(y, count, an_comm_rank(comm));
    time_of(0, comm, x, count);
    time_of(1, comm, y, count);
    for (int64_t i = 0; i < count; i++)
        if (fabsf(x[i] - y[i]) > 1e-5f * (float)an_comm_size(comm)) MPI_Abort(MPI_COMM_WORLD, 1);
    for (int i = 0; i < rounds; i++)
        for (int kind = 0; kind < 2; kind++) {
            fill(x, count, an_comm_rank(comm));
            times[kind][i] = time_of(kind, comm, x, count);
        }
    for (int kind = 0; kind < 2; kind++)
        qsort(times[kind], (size_t)rounds, sizeof(double), compare);
    if (an_comm_rank(comm) == 0)
        printf("{\"ranks\": %d, \"bytes\": %lld, \"ordered_ms\": %.3f, \"allreduce_ms\": %.3f, "
               "\"ordered_min_ms\": %.3f, \"allreduce_min_ms\": %.3f, \"ratio\": %.2f}\n",
               an_comm_size(comm), (long long)count * 4, times[0][rounds / 2] * 1e3,
               times[1][rounds / 2] * 1e3, times[0][0] * 1e3, times[1][0] * 1e3,
               times[0][rounds / 2] / times[1][rounds / 2]);
    free(x);
    free(y);
    free(times[0]);
    free(times[1]);
    an_comm_destroy(comm);
    MPI_Finalize();
    return 0;
}
