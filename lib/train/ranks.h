/* SPDX-License-Identifier: MIT
 * The ranks of a data-parallel run: joins the callbacks of layers to a communicator.
 *
 * Each rank has a trainer with a model of its own, and all run the same epochs. Before each step
 * they meet, with what has happened on each: so all stop together, and all know how many images the
 * step has. Rank 0, which leads, alone calls back, prints, decides and writes. */
#ifndef TRAIN_RANKS_H
#define TRAIN_RANKS_H

#include <stdbool.h>

#include "augment/loader.h"
#include "comm/comm.h"
#include "layers/model.h"

/** What a rank asks of all when they meet. */
enum {
    ANI_ASK_PAUSE = 1,
    ANI_ASK_STOP = 2,
    ANI_ASK_END = 4 /* these are all steps of the epoch */
};

/** What a rank brings to a meeting. */
typedef struct ani_rank_news {
    int64_t images; /* of its part of the next step */
    int32_t status; /* AN_OK, or a failure */
    int32_t asks;   /* a sum of ANI_ASK_* */
    double rate;    /* before the schedule; rank 0's counts */
} ani_rank_news;

/** A rank's view of all. */
typedef struct ani_ranks {
    an_comm *comm; /* NULL while no call is running, if the ranks are of one process */
    an_comm *host; /* beneath comm, if that links GPUs; otherwise NULL */
    int32_t rank, size;
    int32_t synchronise; /* 1: batch norm uses the statistics of all ranks' images */
    int32_t asked;       /* by any rank, at the last meeting: a sum of ANI_ASK_* */
    bool is_known;       /* all ranks know of the failure that ends this call */
    ani_net *net;
    ani_net_peers peers; /* of the current step */
    ani_rank_news *news; /* [size]: of the last meeting */
    int64_t *sizes;      /* [size]: of a gather */
    double *moments;     /* [size + 1][2][channels of the widest unit] */
    double seconds;      /* in communication, in earlier calls */
    an_error owed;       /* a failure to be told at the next meeting */
    /** Of the leader, at each meeting, and of a replica that finds a damaged image; NULL: nothing
     * to do. */
    an_status (*met)(void *user, an_error *err);
    an_status (*skip)(void *user, an_dataset *dataset, int64_t sample, const char *message,
                      an_error *err);
    void *user;
} ani_ranks;

/** comm: kept by the caller, or NULL. */
an_status ani_ranks_create(ani_ranks **out, an_model *model, an_comm *comm, int32_t rank,
                           int32_t size, int32_t synchronise, an_error *err);
void ani_ranks_destroy(ani_ranks *ranks); /* NULL is allowed */

/** Begin a call: link the ranks' GPUs, if they have any. All ranks call it. */
an_status ani_ranks_begin(ani_ranks *ranks, an_error *err);

/* ranks may be NULL in all of the following: a single one, which meets nobody. */

/** End a call. */
void ani_ranks_end(ani_ranks *ranks);

/** Return whether this rank leads. */
bool ani_ranks_leads(const ani_ranks *ranks);
/** Meet the others. st: of this rank; news->status does not matter. Returns st, or the first
 * failure of any rank, with its message. err is not NULL. */
an_status ani_ranks_meet(ani_ranks *ranks, an_status st, const ani_rank_news *news, an_error *err);
/** Return the images of all ranks, at the last meeting. n: without ranks. */
int64_t ani_ranks_images(const ani_ranks *ranks, int64_t n);
/** Return the callbacks for a step with these images; NULL without ranks. */
const ani_net_peers *ani_ranks_peers(ani_ranks *ranks);
/** Let the others fail, too, with this message, unless all know already. */
void ani_ranks_abort(ani_ranks *ranks, const an_error *why);
/** Make a claimed loader give this rank's part of each batch. */
void ani_ranks_share(ani_ranks *ranks, an_loader *loader);
/** Add count doubles or floats (ANI_COMM_*) of the model's backend up over all ranks. It may only
 * be queued there; nothing may wait for the backend before they meet, or ani_ranks_settle(). */
an_status ani_ranks_sum(ani_ranks *ranks, void *data, int64_t count, int32_t type, an_error *err);
/** The same in the host's memory. */
an_status ani_ranks_sum_host(ani_ranks *ranks, double *values, int64_t count, an_error *err);
/** Wait for what GPUs have queued together. While a rank waits for its device itself, nobody looks
 * at the deadline: so all do this first, as when they meet. */
an_status ani_ranks_settle(ani_ranks *ranks, an_error *err);
/** Put the host's memory of all ranks one after another into `all`: of each, as many elements of
 * size bytes as it had images at the last meeting. mine may be its own place in all. */
an_status ani_ranks_gather(ani_ranks *ranks, const void *mine, void *all, int64_t size,
                           an_error *err);
/** Return the seconds spent in communication so far. */
double ani_ranks_seconds(const ani_ranks *ranks);

#endif
