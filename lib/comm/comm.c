/* SPDX-License-Identifier: MIT
 * What all communicators have in common: slices, ordered sums, and memory of devices, which goes
 * through the host. */
#include "comm/comm.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"

int64_t ani_comm_slice(int64_t count, int32_t rank, int32_t size) {
    const int64_t whole = count / size, rest = count % size;
    return whole * rank + rest * rank / size;
}

/* --- ordered sums ----------------------------------------------------------------------------- */

enum { BLOCK = 1024 };

static void add_floats(float *out, const void *const *parts, int32_t ranks, int64_t first,
                       int64_t count) {
    double sums[BLOCK];
    const float *part = (const float *)parts[0] + first;
    for (int64_t i = 0; i < count; i++)
        sums[i] = part[i];
    for (int32_t r = 1; r < ranks; r++) {
        part = (const float *)parts[r] + first;
        for (int64_t i = 0; i < count; i++)
            sums[i] += part[i];
    }
    for (int64_t i = 0; i < count; i++)
        out[first + i] = (float)sums[i];
}

static void add_doubles(double *out, const void *const *parts, int32_t ranks, int64_t first,
                        int64_t count) {
    double sums[BLOCK];
    memcpy(sums, (const double *)parts[0] + first, (size_t)count * sizeof *sums);
    for (int32_t r = 1; r < ranks; r++) {
        const double *part = (const double *)parts[r] + first;
        for (int64_t i = 0; i < count; i++)
            sums[i] += part[i];
    }
    memcpy(out + first, sums, (size_t)count * sizeof *sums);
}

void ani_comm_add(void *out, const void *const *parts, int32_t ranks, int64_t count, int32_t type) {
    for (int64_t first = 0; first < count; first += BLOCK) {
        const int64_t some = count - first < BLOCK ? count - first : BLOCK;
        if (type == ANI_COMM_FLOAT)
            add_floats(out, parts, ranks, first, some);
        else
            add_doubles(out, parts, ranks, first, some);
    }
}

/* --- memory of devices ------------------------------------------------------------------------ */

/* Whether the kind cannot reach this memory by itself. */
static bool is_far(const an_comm *comm, const an_backend *backend) {
    return backend && backend->device.capability_major && !comm->ops->on_device;
}

static an_status need_scratch(an_comm *comm, int64_t size, an_error *err) {
    if (size <= comm->scratch_size) return AN_OK;
    ani_free(comm->scratch);
    comm->scratch_size = 0;
    comm->scratch = ani_alloc(size);
    if (!comm->scratch) return ani_fail_memory(err, size, "what ranks exchange");
    comm->scratch_size = size;
    return AN_OK;
}

/* The host's copy of size bytes of a device. */
static an_status bring(an_comm *comm, an_backend *backend, const void *data, int64_t size,
                       an_error *err) {
    an_status st = need_scratch(comm, size, err);
    if (st) return st;
    backend->ops->read(backend, comm->scratch, data, size);
    return backend->ops->wait(backend, err); /* what was read is wrong after a device error */
}

/* --- calls ------------------------------------------------------------------------------------ */

/* What a call began with. Open MPI writes to sockets whose other end may be gone: without this, a
 * rank that dies would take the others with it, without a word. */
typedef struct beginning {
    double seconds;
    ani_pipes pipes;
} beginning;

static beginning begin(void) {
    beginning now = {.seconds = ani_clock_seconds()};
    ani_pipes_quiet(&now.pipes);
    return now;
}

/* Add the time of a call. A rank that fails where the others do not would leave them waiting. */
static an_status end(an_comm *comm, const beginning *began, an_status st, const an_error *why,
                     an_error *err) {
    comm->seconds += ani_clock_seconds() - began->seconds;
    if (st) an_comm_abort(comm, why);
    ani_pipes_restore(&began->pipes);
    return st ? ani_fail(err, st, "%s", why->message) : AN_OK;
}

an_status ani_comm_broadcast(an_comm *comm, an_backend *backend, void *data, int64_t size,
                             int32_t root, an_error *err) {
    if (comm->size == 1 || size == 0) return AN_OK;
    const beginning began = begin();
    const bool far = is_far(comm, backend);
    an_error why = {0};
    an_status st = far ? comm->rank == root ? bring(comm, backend, data, size, &why)
                                            : need_scratch(comm, size, &why)
                       : AN_OK;
    if (!st) st = comm->ops->broadcast(comm, backend, far ? comm->scratch : data, size, root, &why);
    if (!st && far && comm->rank != root) backend->ops->write(backend, data, comm->scratch, size);
    return end(comm, &began, st, &why, err);
}

an_status ani_comm_sum(an_comm *comm, an_backend *backend, void *data, int64_t count, int32_t type,
                       an_error *err) {
    if (comm->size == 1 || count == 0) return AN_OK;
    const beginning began = begin();
    const int64_t size = count * (type == ANI_COMM_FLOAT ? 4 : 8);
    const bool far = is_far(comm, backend);
    an_error why = {0};
    an_status st = far ? bring(comm, backend, data, size, &why) : AN_OK;
    if (!st) st = comm->ops->sum(comm, backend, far ? comm->scratch : data, count, type, &why);
    if (!st && far) backend->ops->write(backend, data, comm->scratch, size);
    return end(comm, &began, st, &why, err);
}

an_status ani_comm_gather(an_comm *comm, an_backend *backend, const void *mine, void *all,
                          const int64_t *sizes, an_error *err) {
    int64_t before = 0, total = 0;
    for (int32_t r = 0; r < comm->size; r++) {
        if (r == comm->rank) before = total;
        total += sizes[r];
    }
    const int64_t size = sizes[comm->rank];
    if (total == 0) return AN_OK;
    if (comm->size == 1) {
        if (mine == all) return AN_OK;
        if (backend)
            backend->ops->copy(backend, all, mine, size, NULL);
        else
            memcpy(all, mine, (size_t)size);
        return AN_OK;
    }
    const beginning began = begin();
    const bool far = is_far(comm, backend);
    an_error why = {0};
    an_status st = AN_OK;
    if (!far) {
        st = comm->ops->gather(comm, backend, mine, all, sizes, &why);
    } else {
        st = need_scratch(comm, total, &why);
        char *own = st ? NULL : (char *)comm->scratch + before;
        if (!st) backend->ops->read(backend, own, mine, size);
        if (!st) st = backend->ops->wait(backend, &why);
        if (!st) st = comm->ops->gather(comm, backend, own, comm->scratch, sizes, &why);
        if (!st) backend->ops->write(backend, all, comm->scratch, total);
    }
    return end(comm, &began, st, &why, err);
}

an_status ani_comm_agree(an_comm *comm, int64_t *values, int32_t count, an_error *err) {
    if (comm->size == 1) return AN_OK;
    const beginning began = begin();
    an_error why = {0};
    const an_status st = comm->ops->agree(comm, values, count, &why);
    return end(comm, &began, st, &why, err);
}

an_status ani_comm_wait(an_comm *comm, an_backend *backend, an_error *err) {
    const beginning began = begin();
    an_error why = {0};
    const an_status st = comm->ops->wait(comm, backend, &why);
    return end(comm, &began, st, &why, err);
}

void an_comm_abort(an_comm *comm, const an_error *why) {
    an_error unknown;
    ani_fail(&unknown, AN_ERR_CANCELLED, "a rank has stopped");
    if (!comm || comm->size == 1) return;
    const beginning began = begin();
    comm->ops->stop(comm, why && why->status ? why : &unknown);
    ani_pipes_restore(&began.pipes);
}

an_status an_comm_barrier(an_comm *comm, an_error *err) {
    if (!comm) return ani_fail(err, AN_ERR_ARG, "comm is NULL");
    return ani_comm_agree(comm, NULL, 0, err);
}

an_status an_comm_broadcast(an_comm *comm, void *data, int64_t size, int32_t root, an_error *err) {
    if (!comm) return ani_fail(err, AN_ERR_ARG, "comm is NULL");
    if (size < 0) return ani_fail(err, AN_ERR_ARG, "size is %lld", (long long)size);
    if (!data && size) return ani_fail(err, AN_ERR_ARG, "data is NULL");
    if (root < 0 || root >= comm->size)
        return ani_fail(err, AN_ERR_ARG, "root is %d; there are ranks 0 to %d", (int)root,
                        (int)comm->size - 1);
    return ani_comm_broadcast(comm, NULL, data, size, root, err);
}

const char *an_comm_name(const an_comm *comm) {
    return comm ? comm->ops->name : "";
}

int32_t an_comm_rank(const an_comm *comm) {
    return comm ? comm->rank : 0;
}

int32_t an_comm_size(const an_comm *comm) {
    return comm ? comm->size : 0;
}

const char *an_comm_host(const an_comm *comm, int32_t rank) {
    return !comm || rank < 0 || rank >= comm->size ? "" : comm->ops->host(comm, rank);
}

void an_comm_destroy(an_comm *comm) {
    if (!comm) return;
    ani_free(comm->scratch);
    comm->scratch = NULL;
    const beginning began = begin();
    comm->ops->destroy(comm);
    ani_pipes_restore(&began.pipes);
}
