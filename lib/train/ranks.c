/* SPDX-License-Identifier: MIT
 * Meetings, and what ranks compute together in a step. */
#include "train/ranks.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* --- what layers calls ------------------------------------------------------------------------ */

/** Join the moments of two sets of values, by Chan's formula. count: of the first, and then of
 * both. */
static void join(double *mean, double *squares, double *count, double mean_b, double squares_b,
                 double count_b) {
    const double all = *count + count_b, difference = mean_b - *mean;
    *mean += difference * count_b / all;
    *squares += squares_b + difference * difference * *count * count_b / all;
    *count = all;
}

/** In the order of the ranks. */
static void join_moments(const ani_ranks *ranks, int64_t c, int64_t pixels) {
    double *joined = ranks->moments + ranks->size * 2 * c;
    for (int64_t i = 0; i < c; i++) {
        double mean = 0, squares = 0, count = 0;
        for (int32_t r = 0; r < ranks->size; r++) {
            const double *moments = ranks->moments + r * 2 * c;
            if (ranks->news[r].images)
                join(&mean, &squares, &count, moments[i], moments[c + i],
                     (double)(ranks->news[r].images * pixels));
        }
        joined[i] = mean;
        joined[c + i] = squares;
    }
}

static an_status peers_moments(void *user, double *moments, int64_t c, int64_t pixels,
                               an_error *err) {
    ani_ranks *ranks = user;
    an_backend *backend = ani_net_backend(ranks->net);
    const int64_t size = 2 * c * (int64_t)sizeof *moments;
    double *mine = ranks->moments + ranks->rank * 2 * c;
    memset(mine, 0, (size_t)size);
    if (ranks->news[ranks->rank].images) backend->ops->read(backend, mine, moments, size);
    for (int32_t r = 0; r < ranks->size; r++)
        ranks->sizes[r] = size;
    an_status st = ani_comm_gather(ranks->comm, NULL, mine, ranks->moments, ranks->sizes, err);
    if (st) return st;
    join_moments(ranks, c, pixels);
    backend->ops->write(backend, moments, ranks->moments + ranks->size * 2 * c, size);
    return AN_OK;
}

/** For what is read by way of the host before the next meeting. */
static an_status sum_and_wait(ani_ranks *ranks, void *data, int64_t count, int32_t type,
                              an_error *err) {
    an_status st = ani_ranks_sum(ranks, data, count, type, err);
    return st || !ranks->host ? st : ani_comm_wait(ranks->comm, NULL, err);
}

static an_status peers_sums(void *user, double *sums, int64_t count, an_error *err) {
    return sum_and_wait(user, sums, count, ANI_COMM_DOUBLE, err);
}

static an_status peers_moving(void *user, float *moving, int64_t count, an_error *err) {
    ani_ranks *ranks = user;
    an_backend *backend = ani_net_backend(ranks->net);
    const double share = (double)ranks->news[ranks->rank].images / (double)ranks->peers.images;
    if (share > 0)
        backend->ops->combine(backend, count, share, moving, 0, moving);
    else
        backend->ops->fill(backend, moving, 0, count * (int64_t)sizeof *moving);
    return sum_and_wait(ranks, moving, count, ANI_COMM_FLOAT, err);
}

static an_status peers_loss(void *user, double *loss, int32_t *guard, an_error *err) {
    ani_ranks *ranks = user;
    an_backend *backend = ani_net_backend(ranks->net);
    int32_t set = 0;
    double both[2];
    backend->ops->read(backend, &both[0], loss, sizeof *loss);
    if (guard) backend->ops->read(backend, &set, guard, sizeof set);
    both[1] = set;
    an_status st = ani_ranks_sum_host(ranks, both, 2, err);
    if (st) return st;
    set = both[1] > 0 || !isfinite(both[0]);
    backend->ops->write(backend, loss, &both[0], sizeof *loss);
    if (guard) backend->ops->write(backend, guard, &set, sizeof set);
    return AN_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

static int64_t widest_unit(const ani_net *net) {
    int64_t widest = 0;
    for (int64_t i = 0; i < ani_net_array_count(net); i++) {
        const ani_net_array *array = ani_net_array_at(net, i);
        if (array->moving && array->count > widest) widest = array->count;
    }
    return widest;
}

an_status ani_ranks_create(ani_ranks **out, an_model *model, an_comm *comm, int32_t rank,
                           int32_t size, int32_t synchronise, an_error *err) {
    *out = NULL;
    ani_ranks *ranks = ani_alloc_zero(1, sizeof *ranks);
    if (!ranks) return ani_fail_memory(err, sizeof *ranks, "ranks");
    ranks->comm = comm;
    ranks->rank = rank;
    ranks->size = size;
    ranks->synchronise = synchronise;
    ranks->net = ani_model_net(model);
    const int64_t moments = (size + 1) * 2 * widest_unit(ranks->net);
    ranks->news = ani_alloc_zero(size, sizeof *ranks->news);
    ranks->sizes = ani_alloc_zero(size, sizeof *ranks->sizes);
    ranks->moments = ani_alloc_zero(moments, sizeof *ranks->moments);
    if (!ranks->news || !ranks->sizes || !ranks->moments) {
        ani_ranks_destroy(ranks);
        return ani_fail_memory(err, moments * (int64_t)sizeof(double), "ranks");
    }
    *out = ranks;
    return AN_OK;
}

void ani_ranks_destroy(ani_ranks *ranks) {
    if (!ranks) return;
    ani_free(ranks->news);
    ani_free(ranks->sizes);
    ani_free(ranks->moments);
    ani_free(ranks);
}

an_status ani_ranks_begin(ani_ranks *ranks, an_error *err) {
    an_comm *linked = NULL;
    ranks->owed = (an_error){0};
    ranks->is_known = false;
    an_status st = ani_comm_gpus_create(&linked, ranks->comm, ani_net_backend(ranks->net), err);
    if (!linked) return st;
    ranks->host = ranks->comm;
    ranks->comm = linked;
    return AN_OK;
}

void ani_ranks_end(ani_ranks *ranks) {
    if (!ranks || !ranks->host) return;
    ranks->seconds += ranks->comm->seconds;
    an_comm_destroy(ranks->comm);
    ranks->comm = ranks->host;
    ranks->host = NULL;
}

bool ani_ranks_leads(const ani_ranks *ranks) {
    return !ranks || ranks->rank == 0;
}

/* --- meetings --------------------------------------------------------------------------------- */

/** The message of the first rank that failed, for all. */
static an_status tell_failure(ani_ranks *ranks, int32_t first, const an_error *mine,
                              an_error *err) {
    an_error told = {0};
    if (ranks->rank == first) told = *mine;
    an_status st = ani_comm_broadcast(ranks->comm, NULL, &told, sizeof told, first, err);
    if (st) return st;
    ranks->is_known = true;
    return ani_fail(err, told.status, "%s", told.message);
}

an_status ani_ranks_meet(ani_ranks *ranks, an_status st, const ani_rank_news *news, an_error *err) {
    if (!ranks) return st;
    ani_rank_news own = *news;
    an_error mine = {0};
    if (st < 0) {
        mine = *err;
        mine.status = st;
    } else {
        mine = ranks->owed;
    }
    ranks->owed = (an_error){0};
    an_error late = {0};
    if (!mine.status && ani_ranks_settle(ranks, &late)) mine = late;
    own.status = mine.status;
    for (int32_t r = 0; r < ranks->size; r++)
        ranks->sizes[r] = sizeof own;
    const an_status met = ani_comm_gather(ranks->comm, NULL, &own, ranks->news, ranks->sizes, err);
    if (met) return met;
    ranks->peers.images = 0;
    ranks->asked = 0;
    for (int32_t r = 0; r < ranks->size; r++) {
        if (ranks->news[r].status) return tell_failure(ranks, r, &mine, err);
        ranks->peers.images += ranks->news[r].images;
        ranks->asked |= ranks->news[r].asks;
    }
    if (ranks->met) ranks->met(ranks->user, &ranks->owed);
    return st;
}

int64_t ani_ranks_images(const ani_ranks *ranks, int64_t n) {
    return ranks ? ranks->peers.images : n;
}

const ani_net_peers *ani_ranks_peers(ani_ranks *ranks) {
    if (!ranks) return NULL;
    ranks->peers.user = ranks;
    ranks->peers.moments = ranks->synchronise ? peers_moments : NULL;
    ranks->peers.sums = ranks->synchronise ? peers_sums : NULL;
    ranks->peers.moving = peers_moving;
    ranks->peers.loss = peers_loss;
    return &ranks->peers;
}

void ani_ranks_abort(ani_ranks *ranks, const an_error *why) {
    if (ranks && !ranks->is_known) an_comm_abort(ranks->comm, why);
}

void ani_ranks_share(ani_ranks *ranks, an_loader *loader) {
    if (!ranks) return;
    const ani_loader_share share = {ranks->rank, ranks->size, ranks->skip, ranks->user};
    ani_loader_use_share(loader, &share);
}

an_status ani_ranks_sum(ani_ranks *ranks, void *data, int64_t count, int32_t type, an_error *err) {
    if (!ranks) return AN_OK;
    return ani_comm_sum(ranks->comm, ani_net_backend(ranks->net), data, count, type, err);
}

an_status ani_ranks_settle(ani_ranks *ranks, an_error *err) {
    if (!ranks || !ranks->host) return AN_OK;
    const double seconds = ranks->comm->seconds;
    const an_status st = ani_comm_wait(ranks->comm, NULL, err);
    ranks->comm->seconds = seconds; /* mostly that of the step's own work */
    return st;
}

an_status ani_ranks_sum_host(ani_ranks *ranks, double *values, int64_t count, an_error *err) {
    if (!ranks) return AN_OK;
    return ani_comm_sum(ranks->comm, NULL, values, count, ANI_COMM_DOUBLE, err);
}

an_status ani_ranks_gather(ani_ranks *ranks, const void *mine, void *all, int64_t size,
                           an_error *err) {
    if (!ranks) return AN_OK;
    for (int32_t r = 0; r < ranks->size; r++)
        ranks->sizes[r] = ranks->news[r].images * size;
    return ani_comm_gather(ranks->comm, NULL, mine, all, ranks->sizes, err);
}

double ani_ranks_seconds(const ani_ranks *ranks) {
    if (!ranks) return 0;
    return ranks->seconds + (ranks->comm ? ranks->comm->seconds : 0);
}
