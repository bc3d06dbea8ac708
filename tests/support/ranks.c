/* SPDX-License-Identifier: MIT
 * A step of several replicas, each on a thread. */
#include "support/ranks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "layers/loss.h"
#include "layers/model.h"
#include "train/ranks.h"

enum { MOST = 16 };

typedef struct rank {
    an_model *model;
    an_comm *comm;
    ani_ranks *ranks;
    const float *x, *y;
    int64_t n;
    double loss;
    an_status status;
    an_error error;
} rank;

/* The calls of a training step, up to the sum of the gradients. */
static an_status step(rank *r, an_error *err) {
    an_loss_options loss;
    ani_net *net = ani_model_net(r->model);
    const ani_rank_news news = {.images = r->n};
    an_status st = ani_loss_take(&loss, NULL, ani_model_facts_of(r->model)->task,
                                 ani_net_spec_of(net)->outputs, err);
    if (!st) st = ani_net_begin_change(net, err);
    st = ani_ranks_meet(r->ranks, st, &news, err);
    if (st) return st;
    st = ani_model_compute_gradients(r->model, r->x, r->y, r->n, &loss, false,
                                     ani_ranks_peers(r->ranks), &r->loss, err);
    if (!st) {
        const ani_net_range range = ani_net_trained(net, ani_model_gradient_base(r->model));
        st = ani_ranks_sum(r->ranks, range.gradients, range.count, ANI_COMM_FLOAT, err);
    }
    ani_net_end_change(net);
    return st;
}

static void *rank_main(void *argument) {
    rank *r = argument;
    r->status = ani_model_claim(r->model, &r->error);
    if (!r->status) r->status = step(r, &r->error);
    ani_model_release(r->model);
    if (r->status) ani_ranks_abort(r->ranks, &r->error);
    return NULL;
}

static an_status make_copy(an_model **out, const an_model *model, an_error *err) {
    an_backend *own = an_model_backend(model), *backend = NULL;
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.device = own->device.device;
    options.threads = 1;
    if (own->level[0] && !strcmp(own->ops->name, "cpu")) setenv("AN_CPU", own->level, 1);
    an_status st = an_backend_create(&backend, &options, err);
    unsetenv("AN_CPU");
    if (!st) st = an_model_copy(out, model, backend, AN_COPY_WEIGHTS, err);
    an_backend_destroy(backend);
    return st;
}

an_status ranks_gradients(an_model *model, int32_t ranks, int32_t synchronise, const float *x,
                          const float *y, int64_t n, double *loss, an_error *err) {
    rank all[MOST] = {{0}};
    an_comm *comms[MOST] = {NULL};
    pthread_t threads[MOST];
    const ani_net_spec *spec = ani_net_spec_of(ani_model_net(model));
    const int64_t image = spec->height * spec->width * 3;
    int32_t started = 1;
    an_status st = ani_comm_local_create(comms, ranks, 60, err);
    for (int32_t r = 0; !st && r < ranks; r++) {
        const int64_t first = n * r / ranks;
        all[r] = (rank){.x = x + first * image,
                        .y = y + first * spec->outputs,
                        .n = n * (r + 1) / ranks - first,
                        .comm = comms[r]};
        if (r == 0)
            all[r].model = model;
        else
            st = make_copy(&all[r].model, model, err);
        if (!st)
            st =
                ani_ranks_create(&all[r].ranks, all[r].model, comms[r], r, ranks, synchronise, err);
    }
    for (; !st && started < ranks; started++)
        if (pthread_create(&threads[started], NULL, rank_main, &all[started])) abort();
    if (!st) rank_main(&all[0]);
    for (int32_t r = 1; !st && r < started; r++)
        pthread_join(threads[r], NULL);
    for (int32_t r = 0; r < ranks; r++) {
        if (!st && all[r].status) {
            st = all[r].status;
            if (err) *err = all[r].error;
        }
        ani_ranks_destroy(all[r].ranks);
        an_comm_destroy(comms[r]);
        if (r) an_model_destroy(all[r].model);
    }
    *loss = all[0].loss;
    return st;
}
