/* SPDX-License-Identifier: MIT
 * A training of several ranks, which join their launcher, for the tests of this folder.
 *
 * usage: train_rank BASE SYNC DEADLINE FOLDER [REPLICAS]
 *
 * Trains a small network of drawn images for two epochs, with a checkpoint in FOLDER after each
 * step, from the checkpoint that is there. With REPLICAS, so many in this process, and no launcher.
 * Rank 0 prints "trained: HASH", of all weights and losses. A rank that fails prints why. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/attractivenet.h>

enum { SIZE = 32, COUNT = 21, TRAIN = 14, PIXELS = SIZE * SIZE * 3 };

static uint32_t mix(uint32_t hash, const void *data, int64_t size) {
    const unsigned char *bytes = data;
    for (int64_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static uint32_t hash_run(an_model *model, const an_history *history) {
    uint32_t hash = 2166136261u;
    an_arrays *weights = NULL;
    if (an_model_copy_weights(&weights, model, NULL)) return 0;
    for (int64_t i = 0; i < an_arrays_count(weights); i++) {
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(weights, i); axis++)
            count *= an_arrays_length(weights, i, axis);
        hash = mix(hash, an_arrays_data(weights, i), count * (int64_t)sizeof(float));
    }
    an_arrays_destroy(weights);
    for (int64_t i = 0; i < an_history_count(history); i++) {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        an_history_copy_epoch(history, i, &report, NULL);
        hash = mix(hash, &report.loss, sizeof report.loss);
        hash = mix(hash, &report.val_loss, sizeof report.val_loss);
    }
    return hash;
}

static an_status make_data(an_dataset **dataset, an_loader **train, an_loader **val,
                           an_error *err) {
    static uint8_t rgb[COUNT * PIXELS];
    double scores[COUNT];
    int64_t indices[COUNT];
    an_loader_options options;
    an_augment_options augment;
    for (int64_t i = 0; i < COUNT; i++) {
        indices[i] = i;
        scores[i] = 1 + (double)(i % 5);
        for (int64_t k = 0; k < PIXELS; k++)
            rgb[i * PIXELS + k] = (uint8_t)(i * 37 % 200 + (k * (i + 3)) % 41);
    }
    an_status st = an_dataset_from_pixels(dataset, rgb, COUNT, SIZE, SIZE, scores, 1, NULL, err);
    an_loader_options_init(&options, sizeof options);
    an_augment_options_tutorial(&augment, sizeof augment);
    augment.mode = AN_AUGMENT_KERAS; /* draws all transforms of a batch */
    options.batch_size = 4;          /* and the last batch has 2 images: ranks without any */
    options.shuffle = 1;
    options.scale = AN_SCALE_UNIT;
    if (!st) st = an_loader_create(val, *dataset, indices + TRAIN, COUNT - TRAIN, &options, err);
    options.augment = &augment;
    if (!st) st = an_loader_create(train, *dataset, indices, TRAIN, &options, err);
    return st;
}

static an_status train(int argc, char **argv, an_comm *comm, an_error *err) {
    char path[4096];
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_dataset *dataset = NULL;
    an_loader *batches = NULL, *val = NULL;
    an_history *history = NULL;
    an_checkpoint *checkpoint = NULL;
    an_trainer *trainer = NULL;
    an_backend_options one;
    an_mobilenetv2_options net;
    an_train_options how;
    snprintf(path, sizeof path, "%s/run", argv[4]);
    an_backend_options_init(&one, sizeof one);
    one.threads = 1;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SIZE;
    net.alpha = 0.1;
    net.scale = AN_SCALE_UNIT;
    /* the others take over rank 0's weights */
    net.seed = 7 + (uint32_t)an_comm_rank(comm);
    an_train_options_init(&how, sizeof how);
    how.base = atoi(argv[1]);
    how.sync_batch_norm = atoi(argv[2]);
    how.max_epochs = 2;
    how.update_batch_norm = 1;
    how.resume_seconds = 0;
    how.resume_path = path;
    how.replicas = argc > 5 ? atoi(argv[5]) : 0;
    how.comm = argc > 5 ? NULL : comm;
    an_status st = an_backend_create(&backend, &one, err);
    if (!st) st = an_mobilenetv2_create(&model, backend, &net, err);
    if (!st) st = make_data(&dataset, &batches, &val, err);
    if (!st) st = an_history_create(&history, err);
    if (!st) st = an_trainer_create(&trainer, model, batches, val, history, &how, err);
    if (!st && an_comm_rank(comm) == 0) st = an_checkpoint_read(&checkpoint, path, NULL, NULL, err);
    if (!st && checkpoint) st = an_trainer_resume(trainer, checkpoint, err);
    if (!st) st = an_trainer_run(trainer, err);
    /* the others have the history of this process only */
    if (!st && an_comm_rank(comm) == 0)
        printf("trained: %08" PRIx32 "\n", hash_run(model, history));
    an_trainer_destroy(trainer);
    an_checkpoint_destroy(checkpoint);
    an_history_destroy(history);
    an_loader_destroy(val);
    an_loader_destroy(batches);
    an_dataset_destroy(dataset);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return st;
}

int main(int argc, char **argv) {
    an_comm *comm = NULL;
    an_error err = {0};
    an_comm_options options;
    if (argc < 5) return 2;
    an_comm_options_init(&options, sizeof options);
    options.deadline = atof(argv[3]);
    an_status st = an_comm_join(&comm, &options, &err);
    if (!st) st = train(argc, argv, comm, &err);
    if (st) {
        printf("rank %d failed: %s: %s\n", an_comm_rank(comm), an_status_name(st), err.message);
        an_comm_abort(comm, &err);
    }
    fflush(stdout);
    an_comm_destroy(comm);
    return st != AN_OK;
}
