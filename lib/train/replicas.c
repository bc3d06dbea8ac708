/* SPDX-License-Identifier: MIT
 * Replicas on threads. A thread runs the public function that the caller runs on replica 0; what
 * they have in common is a communicator for each call, so that a call that failed leaves nothing
 * behind, and the images that were found to be damaged, of which only replica 0 may warn. */
#include "train/replicas.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/numa.h"
#include "base/thread.h"
#include "dataset/dataset.h"
#include "train/options.h"
#include "train/trainer_state.h"

/* A damaged image of a data set. */
typedef struct skip_note {
    struct skip_note *next;
    an_dataset *dataset;
    int64_t sample;
    an_error error;
} skip_note;

typedef struct replica {
    ani_replicas *all;
    int32_t number;
    pthread_t thread;
    an_backend *backend;
    an_trainer *trainer;
} replica;

struct ani_replicas {
    int32_t size; /* with replica 0 */
    int32_t started;
    bool whole;
    ani_ranks *leader;     /* of replica 0 */
    replica *replicas;     /* [size]; the first one is not used */
    an_comm **comms;       /* [size] */
    pthread_mutex_t lock;  /* guards the notes */
    skip_note *notes;      /* the oldest first */
    skip_note **last_note; /* where the next one is put */
};

/* --- damaged images --------------------------------------------------------------------------- */

static an_status note_skip(void *user, an_dataset *dataset, int64_t sample, const char *message,
                           an_error *err) {
    ani_replicas *all = user;
    if (ani_dataset_is_skipped(dataset, sample)) return AN_OK;
    skip_note *note = ani_alloc_zero(1, sizeof *note);
    if (!note) return ani_fail_memory(err, sizeof *note, "a warning");
    note->dataset = dataset;
    note->sample = sample;
    ani_fail(&note->error, AN_OK, "%s", message);
    pthread_mutex_lock(&all->lock);
    *all->last_note = note;
    all->last_note = &note->next;
    pthread_mutex_unlock(&all->lock);
    return AN_OK;
}

static skip_note *take_notes(ani_replicas *all) {
    pthread_mutex_lock(&all->lock);
    skip_note *notes = all->notes;
    all->notes = NULL;
    all->last_note = &all->notes;
    pthread_mutex_unlock(&all->lock);
    return notes;
}

/* Leave out what the other replicas have found. The first refusal of the caller's warn counts. */
static an_status leave_out(void *user, an_error *err) {
    an_status st = AN_OK;
    for (skip_note *note = take_notes(user), *next; note; note = next) {
        next = note->next;
        if (!st) st = ani_dataset_skip(note->dataset, note->sample, note->error.message, err);
        ani_free(note);
    }
    return st;
}

/* --- making them ------------------------------------------------------------------------------ */

/* A backend like that of replica 0, on the next device if that is a GPU. */
static an_status make_backend(an_backend **out, const an_backend *like, int32_t number,
                              an_error *err) {
    static const char cuda[] = "cuda:";
    char device[32];
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    snprintf(device, sizeof device, "%s", like->device.device);
    if (!strncmp(device, cuda, sizeof cuda - 1))
        snprintf(device, sizeof device, "%s%d", cuda, atoi(device + sizeof cuda - 1) + number);
    options.device = device;
    options.threads = like->threads;
    return an_backend_create(out, &options, err);
}

/* What replica 0 alone does is not among the options of the others. */
static an_train_options options_for(const an_trainer *trainer, const an_train_options *theirs) {
    an_train_options options = trainer->options;
    options.optimizer = theirs->optimizer;
    options.schedule = &trainer->schedule;
    options.replicas = 0;
    options.replica_backends = NULL;
    ani_train_options_silence(&options);
    return options;
}

static an_status make_replica(replica *self, an_trainer *trainer, const an_train_options *theirs,
                              an_error *err) {
    an_model *model = NULL;
    an_loader *train = NULL, *val = NULL;
    const an_train_options options = options_for(trainer, theirs);
    an_backend *own = an_model_backend(trainer->model);
    const ani_ranks *ranks = trainer->ranks;
    an_status st = AN_OK;
    if (theirs->replica_backends) {
        self->backend = theirs->replica_backends[self->number - 1];
        if (!self->backend)
            return ani_fail(err, AN_ERR_ARG, "an_train_options: replica_backends[%d] is NULL",
                            (int)self->number - 1);
        ani_backend_hold(self->backend);
    } else {
        ani_numa_place before;
        ani_numa_enter(&before, self->number, ranks->size);
        st = make_backend(&self->backend, own, self->number, err);
        ani_numa_leave(&before);
    }
    const bool alike = !st && ani_backend_is_alike(own, self->backend);
    if (!st)
        st = an_model_copy(&model, trainer->model, self->backend,
                           alike ? AN_SHARE_WEIGHTS : AN_COPY_WEIGHTS, err);
    if (!st) st = ani_loader_copy(&train, trainer->train, err);
    if (!st && trainer->val) st = ani_loader_copy(&val, trainer->val, err);
    if (!st) st = an_trainer_create(&self->trainer, model, train, val, NULL, &options, err);
    if (!st)
        st = ani_ranks_create(&self->trainer->ranks, model, NULL, self->number, ranks->size,
                              ranks->synchronise, err);
    if (!st) {
        self->trainer->ranks->skip = note_skip;
        self->trainer->ranks->user = self->all;
    }
    an_loader_destroy(val);
    an_loader_destroy(train);
    an_model_destroy(model);
    return st;
}

an_status ani_replicas_create(ani_replicas **out, an_trainer *trainer,
                              const an_train_options *options, an_error *err) {
    const int32_t size = trainer->ranks->size;
    *out = NULL;
    ani_replicas *all = ani_alloc_zero(1, sizeof *all);
    if (!all) return ani_fail_memory(err, sizeof *all, "replicas");
    pthread_mutex_init(&all->lock, NULL);
    all->size = size;
    all->last_note = &all->notes;
    all->leader = trainer->ranks;
    all->replicas = ani_alloc_zero(size, sizeof *all->replicas);
    all->comms = ani_alloc_zero(size, sizeof *all->comms);
    an_status st = all->replicas && all->comms
                       ? AN_OK
                       : ani_fail_memory(err, size * (int64_t)sizeof *all->replicas, "replicas");
    for (int32_t r = 1; !st && r < size; r++) {
        all->replicas[r].all = all;
        all->replicas[r].number = r;
        st = make_replica(&all->replicas[r], trainer, options, err);
    }
    if (st) {
        ani_replicas_destroy(all);
        return st;
    }
    trainer->ranks->met = leave_out;
    trainer->ranks->user = all;
    *out = all;
    return AN_OK;
}

void ani_replicas_destroy(ani_replicas *replicas) {
    if (!replicas) return;
    for (int32_t r = 1; replicas->replicas && r < replicas->size; r++) {
        an_trainer_destroy(replicas->replicas[r].trainer);
        an_backend_destroy(replicas->replicas[r].backend);
    }
    for (skip_note *note = take_notes(replicas), *next; note; note = next) {
        next = note->next;
        ani_free(note);
    }
    pthread_mutex_destroy(&replicas->lock);
    ani_free(replicas->replicas);
    ani_free(replicas->comms);
    ani_free(replicas);
}

/* --- calls ------------------------------------------------------------------------------------ */

static void *replica_main(void *argument) {
    const replica *self = argument;
    ani_numa_place place;
    ani_numa_enter(&place, self->number, self->all->size);
    if (self->all->whole)
        an_trainer_run(self->trainer, NULL);
    else
        an_trainer_run_epoch(self->trainer, NULL, NULL);
    return NULL;
}

static void set_comms(ani_replicas *all, an_comm *const *comms) {
    all->leader->comm = comms ? comms[0] : NULL;
    for (int32_t r = 1; r < all->size; r++)
        all->replicas[r].trainer->ranks->comm = comms ? comms[r] : NULL;
}

an_status ani_replicas_begin(ani_replicas *replicas, bool whole, an_error *err) {
    ani_replicas *all = replicas;
    const double forever = 1e8; /* seconds: no thread dies on its own */
    if (!all) return AN_OK;
    an_status st = ani_comm_local_create(all->comms, all->size, forever, err);
    if (st) return st;
    set_comms(all, all->comms);
    all->whole = whole;
    for (all->started = 1; all->started < all->size; all->started++) {
        replica *self = &all->replicas[all->started];
        if (ani_thread_start(&self->thread, "an-replica", replica_main, self)) {
            an_error why = {0};
            st = ani_fail(&why, AN_ERR_NOMEM, "cannot start the thread of replica %d of %d",
                          (int)self->number, (int)all->size);
            if (err) *err = why;
            an_comm_abort(all->comms[0], &why);
            ani_replicas_end(all);
            return st;
        }
    }
    return AN_OK;
}

void ani_replicas_end(ani_replicas *replicas) {
    if (!replicas) return;
    for (int32_t r = 1; r < replicas->started; r++)
        pthread_join(replicas->replicas[r].thread, NULL);
    replicas->leader->seconds = ani_ranks_seconds(replicas->leader);
    set_comms(replicas, NULL);
    for (int32_t r = 0; r < replicas->size; r++) {
        an_comm_destroy(replicas->comms[r]);
        replicas->comms[r] = NULL;
    }
}
