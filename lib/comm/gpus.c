/* SPDX-License-Identifier: MIT
 * The communicator of ranks that have a GPU each: sums and broadcasts of device memory go from GPU
 * to GPU (backend/gpu_links.h); all else, and finding out who is missing, is left to a communicator
 * of the host beneath it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/cuda_load.h"
#include "base/clock.h"
#include "base/memory.h"
#include "comm/comm.h"

typedef struct gpu_comm {
    an_comm base;
    an_comm *host; /* borrowed */
    an_backend *backend;
    const ani_gpu_links *links;
    ani_gpu_link *link; /* NULL while it is made */
} gpu_comm;

static gpu_comm *of(an_comm *comm) {
    return (gpu_comm *)comm;
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* A link has failed or is late, perhaps for the sake of another rank: the host's communicator knows
 * who is missing. why: what is said if nobody is. */
static an_status blame(gpu_comm *comm, an_status st, const an_error *why, an_error *err) {
    an_comm *host = comm->host;
    const double deadline = host->deadline;
    comm->links->give_up(comm->link);
    host->deadline = 2 * deadline; /* others may notice only by their own */
    const an_status missing = host->ops->agree(host, NULL, 0, err);
    host->deadline = deadline;
    return missing ? missing : ani_fail(err, st, "%s", why->message);
}

/* Wait until the link has come to a state, the deadline has passed, or another rank has failed. */
static an_status await(gpu_comm *comm, int32_t wanted, an_error *err) {
    const double until = ani_clock_seconds() + comm->base.deadline;
    for (int32_t rounds = 0;; rounds++) {
        an_error why = {0};
        int32_t state = 0, is_peers = 0;
        an_status st = comm->links->poll(comm->link, &state, &is_peers, &why);
        if (st && is_peers) return blame(comm, st, &why, err);
        if (st) return ani_fail(err, st, "%s", why.message);
        if (state >= wanted) return AN_OK;
        st = comm->host->ops->wait(comm->host, NULL, err);
        if (st) return st;
        if (ani_clock_seconds() > until) {
            st =
                ani_fail(&why, AN_ERR_IO,
                         "what %d GPUs compute together was not done within %g seconds, though all "
                         "ranks are there",
                         (int)comm->base.size, comm->base.deadline);
            return blame(comm, st, &why, err);
        }
        if (rounds > 100) usleep(50);
    }
}

/* --- calls ------------------------------------------------------------------------------------ */

static an_status gpu_broadcast(an_comm *base, an_backend *backend, void *data, int64_t size,
                               int32_t root, an_error *err) {
    gpu_comm *comm = of(base);
    if (!backend) return comm->host->ops->broadcast(comm->host, NULL, data, size, root, err);
    an_status st = comm->links->broadcast(comm->link, data, size, root, err);
    return st ? st : await(comm, ANI_LINK_QUEUED, err);
}

static an_status gpu_sum(an_comm *base, an_backend *backend, void *data, int64_t count,
                         int32_t type, an_error *err) {
    gpu_comm *comm = of(base);
    if (!backend) return comm->host->ops->sum(comm->host, NULL, data, count, type, err);
    const int32_t width = type == ANI_COMM_FLOAT ? 4 : 8;
    an_status st = comm->links->sum(comm->link, data, count, width, err);
    return st ? st : await(comm, ANI_LINK_QUEUED, err);
}

/* What a device has goes through the host: only the host's memory is gathered in a training. */
static an_status gpu_gather(an_comm *base, an_backend *backend, const void *mine, void *all,
                            const int64_t *sizes, an_error *err) {
    return ani_comm_gather(of(base)->host, backend, mine, all, sizes, err);
}

static an_status gpu_agree(an_comm *base, int64_t *values, int32_t count, an_error *err) {
    an_comm *host = of(base)->host;
    return host->ops->agree(host, values, count, err);
}

static an_status gpu_wait(an_comm *base, an_backend *backend, an_error *err) {
    gpu_comm *comm = of(base);
    an_status st = await(comm, ANI_LINK_DONE, err);
    return st || !backend ? st : backend->ops->wait(backend, err);
}

static void gpu_stop(an_comm *base, const an_error *why) {
    gpu_comm *comm = of(base);
    comm->host->ops->stop(comm->host, why);
    comm->links->give_up(comm->link);
}

static const char *gpu_host(const an_comm *base, int32_t rank) {
    const an_comm *host = ((const gpu_comm *)base)->host;
    return host->ops->host(host, rank);
}

static void gpu_destroy(an_comm *base) {
    gpu_comm *comm = of(base);
    if (comm->link) comm->links->destroy(comm->link);
    an_backend_destroy(comm->backend);
    ani_free(comm);
}

static const ani_comm_ops gpu_ops = {.name = "nccl",
                                     .on_device = 1,
                                     .destroy = gpu_destroy,
                                     .broadcast = gpu_broadcast,
                                     .sum = gpu_sum,
                                     .gather = gpu_gather,
                                     .agree = gpu_agree,
                                     .wait = gpu_wait,
                                     .stop = gpu_stop,
                                     .host = gpu_host};

/* --- making ----------------------------------------------------------------------------------- */

/* What a rank has to say before it is linked. */
typedef struct offer {
    char host[256];
    char device[ANI_GPU_ID]; /* "": no GPU that this build can link */
    int32_t is_wanted;
} offer;

static an_status read_choice(int32_t *is_wanted, an_error *err) {
    const char *text = getenv("AN_NCCL");
    *is_wanted = !text || strcmp(text, "none") != 0;
    if (!text || !*text || !*is_wanted || !strcmp(text, "auto")) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "AN_NCCL is '%s'; it must be 'auto' or 'none'", text);
}

/* Whether every rank has a GPU of its own and wants a link. */
static an_status compare_offers(const an_comm *host, const offer *offers, bool *is_possible,
                                an_error *err) {
    *is_possible = true;
    for (int32_t r = 0; r < host->size; r++) {
        if (offers[r].is_wanted != offers[0].is_wanted)
            return ani_fail(err, AN_ERR_ARG,
                            "AN_NCCL is not the same for rank 0 on '%s' and rank %d on '%s'",
                            offers[0].host, (int)r, offers[r].host);
        *is_possible &= offers[r].is_wanted && offers[r].device[0];
        for (int32_t other = 0; other < r; other++)
            if (!strcmp(offers[r].host, offers[other].host) &&
                !strcmp(offers[r].device, offers[other].device))
                *is_possible = false; /* NCCL refuses two ranks on one GPU */
    }
    return AN_OK;
}

static an_status make_offer(offer *mine, const an_comm *host, an_backend *backend, an_error *err) {
    const ani_gpu_links *links = NULL;
    *mine = (offer){.device = ""};
    an_status st = read_choice(&mine->is_wanted, err);
    if (!st && backend->device.capability_major) st = ani_cuda_get_links(&links, err);
    if (links) st = links->identify(backend, mine->device, err);
    snprintf(mine->host, sizeof mine->host, "%s", an_comm_host(host, host->rank));
    return st;
}

static an_status find_out(an_comm *host, an_backend *backend, bool *is_possible, an_error *err) {
    offer mine;
    *is_possible = false;
    offer *offers = ani_alloc_zero(host->size, sizeof *offers);
    int64_t *sizes = ani_alloc_zero(host->size, sizeof *sizes);
    an_status st = AN_OK;
    if (!offers || !sizes)
        st = ani_fail_memory(err, host->size * (int64_t)sizeof *offers, "what ranks exchange");
    if (!st) st = make_offer(&mine, host, backend, err);
    if (st) {
        an_comm_abort(host, err);
        goto done;
    }
    for (int32_t r = 0; r < host->size; r++)
        sizes[r] = sizeof mine;
    st = ani_comm_gather(host, NULL, &mine, offers, sizes, err);
    if (!st) st = compare_offers(host, offers, is_possible, err);
done:
    ani_free(offers);
    ani_free(sizes);
    return st;
}

/* Draw the key on rank 0, and connect. */
static an_status connect(gpu_comm *comm, an_error *err) {
    struct {
        an_error error;
        char key[ANI_GPU_KEY];
    } told = {0};
    an_status st = ani_cuda_get_links(&comm->links, &told.error);
    if (!st && comm->base.rank == 0) st = comm->links->draw(told.key, &told.error);
    if (st && comm->base.rank != 0) {
        *err = told.error;
        an_comm_abort(comm->host, err);
        return st;
    }
    told.error.status = st;
    st = ani_comm_broadcast(comm->host, NULL, &told, sizeof told, 0, err);
    if (!st && told.error.status) return ani_fail(err, told.error.status, "%s", told.error.message);
    if (!st)
        st = comm->links->connect(&comm->link, comm->backend, told.key, comm->base.rank,
                                  comm->base.size, err);
    if (st) an_comm_abort(comm->host, err);
    return st;
}

an_status ani_comm_gpus_create(an_comm **out, an_comm *host, an_backend *backend, an_error *err) {
    bool is_possible;
    *out = NULL;
    if (host->size == 1) return AN_OK;
    an_status st = find_out(host, backend, &is_possible, err);
    if (st || !is_possible) return st;
    gpu_comm *comm = ani_alloc_zero(1, sizeof *comm);
    if (!comm) {
        st = ani_fail_memory(err, sizeof *comm, "a communicator");
        an_comm_abort(host, err);
        return st;
    }
    comm->base = (an_comm){
        .ops = &gpu_ops, .rank = host->rank, .size = host->size, .deadline = host->deadline};
    comm->host = host;
    comm->backend = backend;
    ani_backend_hold(backend);
    st = connect(comm, err);
    if (!st) st = await(comm, ANI_LINK_QUEUED, err);
    if (st && comm->link) gpu_stop(&comm->base, err);
    if (st)
        gpu_destroy(&comm->base);
    else
        *out = &comm->base;
    return st;
}
