/* SPDX-License-Identifier: MIT
 * Scenarios: a step of training, checkpoints written and resumed from. */
#include "oom.h"

#include <stddef.h>

#include "base/fault.h"

enum { SIZE = 32, COUNT = 6, BATCH = 2 };

/* What lives over all runs of a scenario. */
typedef struct parts {
    an_model *model;
    an_arrays *weights; /* as they were made */
    an_dataset *dataset;
    an_loader *train, *val;
} parts;

static parts all;

static an_status make_batches(an_loader **out, int64_t first, int64_t count, int32_t mode,
                              an_error *err) {
    an_loader_options options;
    an_augment_options augment;
    int64_t indices[COUNT];
    for (int64_t i = 0; i < count; i++)
        indices[i] = first + i;
    an_augment_options_tutorial(&augment, sizeof augment);
    augment.mode = mode;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = BATCH;
    options.threads = 0; /* so that the order of calls is fixed */
    options.augment = &augment;
    return an_loader_create(out, all.dataset, indices, count, &options, err);
}

static void prepare(bench *b) {
    static uint8_t rgb[COUNT * SIZE * SIZE * 3];
    static const double scores[COUNT] = {1, 2, 3, 4, 5, 3};
    an_error err;
    an_backend *backend = NULL;
    an_backend_options device;
    an_mobilenetv2_options net;
    (void)b;
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 31 % 255);
    an_backend_options_init(&device, sizeof device);
    device.threads = 1;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SIZE;
    net.alpha = 0.1;
    OOM_NEED(!an_backend_create(&backend, &device, &err));
    OOM_NEED(!an_mobilenetv2_create(&all.model, backend, &net, &err));
    an_backend_destroy(backend);
    OOM_NEED(!an_model_copy_weights(&all.weights, all.model, &err));
    OOM_NEED(!an_dataset_from_pixels(&all.dataset, rgb, COUNT, SIZE, SIZE, scores, 1, NULL, &err));
    OOM_NEED(!make_batches(&all.train, 0, 4, AN_AUGMENT_FAST, &err));
    OOM_NEED(!make_batches(&all.val, 4, 2, AN_AUGMENT_NONE, &err));
}

static void finish(bench *b) {
    (void)b;
    an_loader_destroy(all.val);
    an_loader_destroy(all.train);
    an_dataset_destroy(all.dataset);
    an_arrays_destroy(all.weights);
    an_model_destroy(all.model);
    all = (parts){0};
}

static an_status mix_weights(bench *b, an_error *err) {
    an_arrays *weights = NULL;
    const an_status st = an_model_copy_weights(&weights, all.model, err);
    for (int64_t i = 0; !st && i < an_arrays_count(weights); i++) {
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(weights, i); axis++)
            count *= an_arrays_length(weights, i, axis);
        b->result = oom_mix(b->result, an_arrays_data(weights, i), count * (int64_t)sizeof(float));
    }
    an_arrays_destroy(weights);
    return st;
}

/* With base frozen a run of one epoch, which is quick; else one whose checkpoints hold all that one
 * can hold. */
static an_status make_trainer(an_trainer **trainer, an_history *history, const char *resume,
                              int32_t base, an_error *err) {
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    options.base = base;
    options.max_epochs = base == AN_BASE_FROZEN ? 1 : 2;
    options.restore_best = base != AN_BASE_FROZEN;
    options.resume_path = resume;
    options.resume_seconds = base == AN_BASE_FROZEN ? 60 : 0;
    return an_trainer_create(trainer, all.model, all.train, all.val, history, &options, err);
}

/* --- a step ----------------------------------------------------------------------------------- */

static int32_t pause_at_once(void *user, const an_train_event *event) {
    if (event->kind == AN_EVENT_STEP) an_trainer_pause(*(an_trainer **)user);
    return 0;
}

static an_status step(bench *b, an_error *err) {
    an_trainer *trainer = NULL;
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    options.base = AN_BASE_TRAIN;
    options.accumulate = 2;
    options.on_event = pause_at_once;
    options.event_user = &trainer;
    an_status st = an_model_set_weights(all.model, all.weights, err);
    if (!st) st = an_trainer_create(&trainer, all.model, all.train, all.val, NULL, &options, err);
    if (!st) st = an_trainer_run_epoch(trainer, NULL, err);
    if (st == AN_ERR_CANCELLED) st = mix_weights(b, err);
    an_trainer_destroy(trainer);
    return st;
}

/* --- a head in closed form ---------------------------------------------------------------------
 */

static an_status fit_head(bench *b, an_error *err) {
    an_trainer *trainer = NULL;
    an_head_options head;
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    an_head_options_init(&head, sizeof head);
    options.head = &head;
    an_status st = an_model_set_weights(all.model, all.weights, err);
    if (!st) st = an_trainer_create(&trainer, all.model, all.train, all.val, NULL, &options, err);
    if (!st) st = an_trainer_run(trainer, err);
    if (!st) st = mix_weights(b, err);
    an_trainer_destroy(trainer);
    return st;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

/* What is written has times in it: it is looked at by resuming, and removed. A failure must leave
 * nothing that an_checkpoint_remove() does not find. */
static an_status write_checkpoints(bench *b, an_error *err) {
    const char *path = oom_path(b->out, "run");
    an_trainer *trainer = NULL;
    an_checkpoint *checkpoint = NULL;
    an_error ignored;
    an_status st = an_model_set_weights(all.model, all.weights, err);
    if (!st) st = make_trainer(&trainer, NULL, path, AN_BASE_FROZEN, err);
    if (!st) st = an_trainer_run(trainer, err);
    if (!st) st = an_checkpoint_read(&checkpoint, path, NULL, NULL, err);
    if (!st) st = an_model_set_weights(all.model, all.weights, err);
    if (!st) st = an_trainer_resume(trainer, checkpoint, err);
    if (!st) st = an_trainer_run(trainer, err); /* if only the older one could be read */
    if (!st) st = mix_weights(b, err);
    an_checkpoint_destroy(checkpoint);
    an_trainer_destroy(trainer);
    ani_fault_disarm();
    OOM_NEED(!an_checkpoint_remove(path, &ignored));
    return st;
}

static void prepare_resume(bench *b) {
    an_error err;
    an_trainer *trainer = NULL;
    prepare(b);
    OOM_NEED(!make_trainer(&trainer, NULL, oom_path(b->in, "run"), AN_BASE_TRAIN, &err));
    OOM_NEED(!an_trainer_run_epoch(trainer, NULL, &err));
    an_trainer_destroy(trainer);
}

/* Whichever file could be read: the run ends with the same bits. */
static an_status resume(bench *b, an_error *err) {
    an_trainer *trainer = NULL;
    an_checkpoint *checkpoint = NULL;
    an_history *history = NULL;
    an_status st = an_model_set_weights(all.model, all.weights, err);
    if (!st) st = an_checkpoint_read(&checkpoint, oom_path(b->in, "run"), NULL, NULL, err);
    if (!st) st = an_history_create(&history, err);
    if (!st) st = make_trainer(&trainer, history, NULL, AN_BASE_TRAIN, err);
    if (!st) st = an_trainer_resume(trainer, checkpoint, err);
    if (!st) st = an_trainer_run(trainer, err);
    if (!st) st = mix_weights(b, err);
    an_history_destroy(history);
    an_trainer_destroy(trainer);
    an_checkpoint_destroy(checkpoint);
    return st;
}

const scenario oom_train_scenarios[] = {
    {"a step of training", prepare, step, finish, false, false},
    {"fit a head in closed form", prepare, fit_head, finish, false, true},
    {"write checkpoints", prepare, write_checkpoints, finish, true, true},
    {"resume from a checkpoint", prepare_resume, resume, finish, false, true},
};
const int oom_train_scenario_count = sizeof oom_train_scenarios / sizeof *oom_train_scenarios;
