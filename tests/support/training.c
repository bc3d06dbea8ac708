/* SPDX-License-Identifier: MIT
 * Two-stage training on a few drawn images. */
#include "support/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/data.h"

enum { SIZE = 32, WIDE_SIZE = 128, TRAIN = 14, VAL = 6, BATCH = 4, EPOCHS = 3 };

const char *const training_names[TRAINING_VARIANTS] = {
    "fast augmentation, Adam",
    "Keras' augmentation, AdamW with clipping, cosine, update of batch norm",
    "augmentation of 2020, SGD, rate on plateau, best weights restored",
    "no augmentation, early stopping, batch statistics",
    "C-Mixup, erased rectangles, average of the weights, fine-tuning from epoch 2, rates by layer",
};

/* Everything that a stage needs. */
typedef struct parts {
    an_model *model;
    an_dataset *dataset;
    an_loader *train, *val;
    an_history *history;
    an_checkpoint *checkpoint; /* NULL: from the beginning */
    an_trainer *trainer;
} parts;

static int32_t size_of(const training *t) {
    return t->is_wide ? WIDE_SIZE : SIZE;
}

/* --- parts ------------------------------------------------------------------------------------ */

static an_status make_network(an_model **model, const training *t, uint32_t seed, an_error *err) {
    an_backend *backend = NULL;
    an_backend_options device;
    an_mobilenetv2_options net;
    an_backend_options_init(&device, sizeof device);
    device.device = t->device;
    device.threads = t->threads;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = size_of(t);
    net.alpha = t->is_wide ? 1 : 0.1;
    net.scale = AN_SCALE_UNIT;
    net.seed = seed;
    an_status st = an_backend_create(&backend, &device, err);
    if (!st) st = an_mobilenetv2_create(model, backend, &net, err);
    an_backend_destroy(backend);
    return st;
}

static an_status make_model(parts *p, const training *t, an_error *err) {
    an_model *other = NULL;
    an_arrays *weights = NULL;
    an_status st = make_network(&p->model, t, 42, err);
    if (!st) st = an_model_set_momentum(p->model, 0.9, err);
    if (st || !p->checkpoint) return st;
    /* all weights must come from the checkpoint */
    st = make_network(&other, t, 7, err);
    if (!st) st = an_model_copy_weights(&weights, other, err);
    if (!st) st = an_model_set_weights(p->model, weights, err);
    an_arrays_destroy(weights);
    an_model_destroy(other);
    return st;
}

static an_status make_dataset(parts *p, const training *t, an_error *err) {
    enum { COUNT = TRAIN + VAL };
    static uint8_t rgb[COUNT * WIDE_SIZE * WIDE_SIZE * 3];
    const int32_t size = size_of(t);
    double scores[COUNT];
    for (int64_t i = 0; i < COUNT; i++) {
        data_draw(rgb + i * size * size * 3, size, size, i);
        scores[i] = data_score(i);
    }
    return an_dataset_from_pixels(&p->dataset, rgb, COUNT, size, size, scores, 1, NULL, err);
}

static an_status make_batches(parts *p, const training *t, an_error *err) {
    static const int32_t modes[] = {AN_AUGMENT_FAST, AN_AUGMENT_KERAS, AN_AUGMENT_LEGACY,
                                    AN_AUGMENT_NONE, AN_AUGMENT_FAST};
    an_loader_options options;
    an_augment_options augment;
    int64_t indices[TRAIN + VAL];
    for (int64_t i = 0; i < TRAIN + VAL; i++)
        indices[i] = i;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = BATCH;
    options.threads = t->threads;
    an_status st = an_loader_create(&p->val, p->dataset, indices + TRAIN, VAL, &options, err);
    if (st) return st;
    an_augment_options_tutorial(&augment, sizeof augment);
    augment.mode = modes[t->variant];
    if (t->variant == 4) {
        augment.erase = 0.5;
        augment.contrast = augment.saturation = 0.2;
        options.mixup = 0.5;
    }
    options.augment = &augment;
    options.iterator = t->variant == 2 ? AN_ITERATOR_ITEM : AN_ITERATOR_NEXT;
    options.shuffle = 1;
    return an_loader_create(&p->train, p->dataset, indices, TRAIN, &options, err);
}

/* --- stages ----------------------------------------------------------------------------------- */

static int32_t on_event(void *user, const an_train_event *event) {
    training *t = ((void **)user)[0];
    if (event->kind == AN_EVENT_STEP && ++t->steps == t->pause_step)
        an_trainer_pause(((parts *)((void **)user)[1])->trainer);
    return 0;
}

static int32_t on_warning(void *user, const an_warning *warning) {
    training *t = user;
    if (warning->code == AN_WARN_OLD_CHECKPOINT) t->warnings++;
    return 0;
}

/* The differences between the variants. */
static void vary(an_train_options *options, an_optimizer_options *optimizer,
                 an_schedule_options *schedule, int32_t variant) {
    static const int32_t bases[] = {AN_BASE_TRAIN, AN_BASE_TRAIN, AN_BASE_FINETUNE,
                                    AN_BASE_STATISTICS, AN_BASE_TRAIN};
    if (options->stage == 2) options->base = bases[variant];
    switch (variant) {
    case 1:
        optimizer->kind = AN_OPTIM_ADAMW;
        optimizer->clip_norm = 0.5;
        schedule->kind = AN_SCHEDULE_COSINE;
        schedule->warmup_steps = 3;
        options->update_batch_norm = 1;
        options->save_best_only = 0;
        break;
    case 2:
        optimizer->kind = AN_OPTIM_SGD;
        optimizer->momentum = 0.9;
        optimizer->nesterov = 1;
        options->reduce_rate_patience = 1;
        options->reduce_rate_min_delta = 10; /* never an improvement: the rate falls each epoch */
        options->restore_best = 1;
        break;
    case 3:
        options->early_stop_patience = 1;
        options->early_stop_min_delta = 10;
        options->restore_best = 1;
        break;
    case 4:
        optimizer->kind = AN_OPTIM_ADAMW;
        optimizer->decay_kernels_only = 1;
        optimizer->layer_decay = 0.9;
        options->average = 0.9;
        if (options->stage == 2) options->finetune_from = 2;
        break;
    default:
        break;
    }
}

/* Train one stage from its beginning, or from the checkpoint if that belongs to this stage. */
static an_status run_stage(parts *p, training *t, int32_t stage, an_error *err) {
    char model[4096], resume[4096], csv[4096];
    void *user[] = {t, p};
    an_train_options options;
    an_optimizer_options optimizer;
    an_schedule_options schedule;
    an_checkpoint_info info = {.struct_size = sizeof info};
    snprintf(model, sizeof model, "%s/model.safetensors", t->folder);
    snprintf(resume, sizeof resume, "%s/checkpoint", t->folder);
    snprintf(csv, sizeof csv, "%s/history.csv", t->folder);
    if (p->checkpoint) an_checkpoint_describe(p->checkpoint, &info, NULL);
    if (info.stage > stage) return AN_OK; /* done before */
    an_train_options_init(&options, sizeof options);
    an_optimizer_options_init(&optimizer, sizeof optimizer);
    an_schedule_options_init(&schedule, sizeof schedule);
    options.stage = stage;
    options.max_epochs = EPOCHS;
    options.first_epoch =
        info.stage == stage ? info.first_epoch : (int32_t)an_history_count(p->history);
    options.base = AN_BASE_FROZEN;
    options.learning_rate = stage == 1 ? 0.02 : 0.002;
    options.early_stop_patience = -1;
    options.optimizer = &optimizer;
    options.schedule = &schedule;
    options.checkpoint_path = model;
    options.csv_path = csv;
    options.resume_path = resume;
    options.resume_seconds = t->seconds;
    options.on_event = on_event;
    options.event_user = user;
    vary(&options, &optimizer, &schedule, t->variant);
    an_status st =
        an_trainer_create(&p->trainer, p->model, p->train, p->val, p->history, &options, err);
    if (!st && info.stage == stage) st = an_trainer_resume(p->trainer, p->checkpoint, err);
    if (!st) st = an_trainer_run(p->trainer, err);
    an_trainer_destroy(p->trainer);
    p->trainer = NULL;
    return st;
}

an_status training_run(training *t, an_error *err) {
    char path[4096];
    parts p = {0};
    t->steps = t->warnings = 0;
    snprintf(path, sizeof path, "%s/checkpoint", t->folder);
    an_status st = an_checkpoint_read(&p.checkpoint, path, on_warning, t, err);
    if (st == AN_DONE) st = AN_OK;
    if (!st) st = make_model(&p, t, err);
    if (!st) st = make_dataset(&p, t, err);
    if (!st) st = make_batches(&p, t, err);
    if (!st) st = an_history_create(&p.history, err);
    for (int32_t stage = 1; stage <= 2 && !st; stage++)
        st = run_stage(&p, t, stage, err);
    snprintf(path, sizeof path, "%s/last.safetensors", t->folder);
    if (!st) st = an_model_save(p.model, path, err);
    an_checkpoint_destroy(p.checkpoint);
    an_history_destroy(p.history);
    an_loader_destroy(p.val);
    an_loader_destroy(p.train);
    an_dataset_destroy(p.dataset);
    an_model_destroy(p.model);
    return st;
}

/* --- comparison ------------------------------------------------------------------------------- */

static char *read_file(const char *folder, const char *name, int64_t *size) {
    char path[4096];
    char *bytes = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file && !fseek(file, 0, SEEK_END)) {
        *size = ftell(file);
        rewind(file);
        bytes = calloc((size_t)*size + 1, 1);
        if (bytes && fread(bytes, 1, (size_t)*size, file) != (size_t)*size) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (file) fclose(file);
    return bytes;
}

/* Remove the last column from each line. */
static void drop_seconds(char *text, int64_t *size) {
    char *to = text, *comma = NULL;
    for (const char *at = text; *at; at++) {
        if (*at == ',') comma = to;
        if (*at == '\n' && comma) to = comma;
        *to++ = *at;
    }
    *to = '\0';
    *size = to - text;
}

const char *training_compare(const char *folder, const char *other) {
    static const char *const names[] = {"model.safetensors", "last.safetensors", "history.csv"};
    const char *differs = NULL;
    for (int i = 0; i < 3 && !differs; i++) {
        int64_t sizes[2] = {0};
        char *bytes[] = {read_file(folder, names[i], &sizes[0]),
                         read_file(other, names[i], &sizes[1])};
        for (int k = 0; k < 2 && i == 2 && bytes[k]; k++)
            drop_seconds(bytes[k], &sizes[k]);
        if (!bytes[0] || !bytes[1] || sizes[0] != sizes[1] ||
            memcmp(bytes[0], bytes[1], (size_t)sizes[0]) != 0)
            differs = names[i];
        free(bytes[0]);
        free(bytes[1]);
    }
    return differs;
}
