/* SPDX-License-Identifier: MIT
 * A communicator: n ranks that do the same calls in the same order, each with its own copy of a
 * model. A kind of communicator fills one ani_comm_ops; callers use the functions below, which
 * check, and pass memory of a device through the host where the kind cannot reach it.
 *
 * Collective calls: every rank makes them, in the same order and with matching arguments. A sum
 * adds the ranks' values in the order of the ranks, floats in double with one rounding: the bits
 * depend on the values and the number of ranks only, not on the kind, the slices or the order of
 * arrival (kinds with sums of their own, such as NCCL, say so).
 *
 * Failure: a call waits for the other ranks up to the deadline, then fails with AN_ERR_IO and names
 * the rank that is missing, and its host. From then on the communicator has failed on all ranks
 * that can be reached: each call returns the same failure. A rank that fails elsewhere calls
 * an_comm_abort(), so that the others stop at once, with its message. After a failure the memory
 * of the interrupted call is undefined, and may be written to until the communicator is destroyed:
 * destroy it before freeing that memory.
 *
 * Threads: one call at a time on one communicator. */
#ifndef COMM_COMM_H
#define COMM_COMM_H

#include <attractivenet/comm.h>

#include "backend/backend.h"

/** The elements of a sum. */
enum { ANI_COMM_FLOAT, ANI_COMM_DOUBLE, ANI_COMM_TYPES };

enum { ANI_COMM_RANKS = 1 << 16 }; /* at most */

typedef struct ani_comm_ops {
    const char *name; /* "local", "mpi", "nccl" */
    /** 1: data is memory of the backend, and the work is queued there. 0: it is the host's. */
    int32_t on_device;
    int32_t reserved;
    void (*destroy)(an_comm *comm);
    an_status (*broadcast)(an_comm *comm, an_backend *backend, void *data, int64_t size,
                           int32_t root, an_error *err);
    an_status (*sum)(an_comm *comm, an_backend *backend, void *data, int64_t count, int32_t type,
                     an_error *err);
    an_status (*gather)(an_comm *comm, an_backend *backend, const void *mine, void *all,
                        const int64_t *sizes, an_error *err);
    an_status (*agree)(an_comm *comm, int64_t *values, int32_t count, an_error *err);
    an_status (*wait)(an_comm *comm, an_backend *backend, an_error *err);
    void (*stop)(an_comm *comm, const an_error *why);
    const char *(*host)(const an_comm *comm, int32_t rank);
} ani_comm_ops;

/** The common beginning of every communicator; each kind embeds it as its first member. */
struct an_comm {
    const ani_comm_ops *ops;
    int32_t rank, size; /* rank: 0 to size - 1 */
    double deadline;    /* seconds; above 0 */
    void *scratch;      /* in the host's memory, for what a device has */
    int64_t scratch_size;
    double seconds; /* spent in collective calls so far */
};

/** Copy size bytes of rank root to the same place on all ranks. backend: that the memory belongs
 * to; NULL: the host's. */
an_status ani_comm_broadcast(an_comm *comm, an_backend *backend, void *data, int64_t size,
                             int32_t root, an_error *err);
/** Replace count elements (ANI_COMM_*) by their sums over the ranks, on all ranks. */
an_status ani_comm_sum(an_comm *comm, an_backend *backend, void *data, int64_t count, int32_t type,
                       an_error *err);
/** Put the bytes of all ranks one after another into `all`, on all ranks; sizes [size]: how many
 * each rank has, 0 or more, the same on all ranks. mine may be its own place in `all`; in one
 * process, ranks may then also pass the same `all`. */
an_status ani_comm_gather(an_comm *comm, an_backend *backend, const void *mine, void *all,
                          const int64_t *sizes, an_error *err);
/** Replace count numbers in the host's memory by their maxima over the ranks. count 0: only wait
 * until all ranks have come. */
an_status ani_comm_agree(an_comm *comm, int64_t *values, int32_t count, an_error *err);
/** Wait until what the calls above have queued is done; fails if the communicator has failed. */
an_status ani_comm_wait(an_comm *comm, an_backend *backend, an_error *err);

/** The first element of a rank's slice of count elements, and of all that follow: the slice of rank
 * r goes from ani_comm_slice(count, r, size) to ani_comm_slice(count, r + 1, size). */
int64_t ani_comm_slice(int64_t count, int32_t rank, int32_t size);

/** sum[i] += over the ranks in their order: out[i] = parts[0][i] + parts[1][i] + ..., as
 * ani_comm_sum() adds. out may be one of the parts. */
void ani_comm_add(void *out, const void *const *parts, int32_t ranks, int64_t count, int32_t type);

/** Link the GPUs of the ranks of a communicator: *out sums device memory from GPU to GPU, and uses
 * host, which it does not own, for everything else. All ranks call it. *out is NULL, and host
 * serves alone, if a rank has no GPU or shares one, if the build has no NCCL, or with AN_NCCL=none.
 * Sums on the device are queued: call ani_comm_wait() before anything waits for the device. They
 * are rounded as NCCL adds, so bits may differ from those of other kinds. */
an_status ani_comm_gpus_create(an_comm **out, an_comm *host, an_backend *backend, an_error *err);

/** Make the communicators of `size` threads of this process, out[0] to out[size - 1]; each is used
 * by a thread of its own. deadline: seconds. Each is released on its own. */
an_status ani_comm_local_create(an_comm **out, int32_t size, double deadline, an_error *err);

#endif
