/* SPDX-License-Identifier: MIT
 * trainer: what an epoch does, on a small network with the reference and the CPU backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <attractivenet/mobilenetv2.h>
#include <attractivenet/predict.h>
#include <attractivenet/train.h>

#include "base/fault.h"
#include "support/data.h"
#include "support/folder.h"
#include "support/golden.h"
#include "support/test_folder.h"
#include "train/evaluate.h"

enum { SIZE = 32, COUNT = 22, TRAIN = 14, BATCH = 4 };

/** A model with data to train it on. */
typedef struct bench {
    an_backend *backend;
    an_model *model;
    an_dataset *dataset;
    an_loader *train, *val;
} bench;

static char path[4096];

static int set_up(void **state) {
    test_folder_make(state);
    snprintf(path, sizeof path, "%s/model.safetensors", test_folder);
    return 0;
}

/** Images of one brightness each, and a score that follows it. */
static an_dataset *make_dataset(void) {
    an_dataset *dataset = NULL;
    an_error err = {0};
    const int64_t size = SIZE * SIZE * 3;
    uint8_t *rgb = malloc((size_t)(COUNT * size));
    double scores[COUNT];
    assert_non_null(rgb);
    for (int64_t i = 0; i < COUNT; i++) {
        const int light = (int)(i * 7 % COUNT) * 10;
        for (int64_t k = 0; k < size; k++)
            rgb[i * size + k] = (uint8_t)(light + (k * (i + 3)) % 29);
        scores[i] = (double)(1 + (float)light / 60);
    }
    if (an_dataset_from_pixels(&dataset, rgb, COUNT, SIZE, SIZE, scores, 1, NULL, &err))
        fail_msg("%s", err.message);
    free(rgb);
    return dataset;
}

static an_loader *make_batches(an_dataset *dataset, int64_t first, int64_t count, int32_t batch,
                               int32_t shuffle) {
    an_loader *loader = NULL;
    an_loader_options options;
    an_error err = {0};
    int64_t indices[COUNT];
    for (int64_t i = 0; i < count; i++)
        indices[i] = first + i;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = batch;
    options.shuffle = shuffle;
    options.threads = 0;
    if (an_loader_create(&loader, dataset, indices, count, &options, &err))
        fail_msg("%s", err.message);
    return loader;
}

static bench make_bench(const char *device) {
    bench b = {0};
    an_error err = {0};
    an_backend_options backend;
    an_mobilenetv2_options network;
    an_backend_options_init(&backend, sizeof backend);
    backend.device = device;
    backend.threads = 1;
    if (an_backend_create(&b.backend, &backend, &err)) fail_msg("%s", err.message);
    an_mobilenetv2_options_init(&network, sizeof network);
    network.height = network.width = SIZE;
    network.alpha = 0.1;
    if (an_mobilenetv2_create(&b.model, b.backend, &network, &err)) fail_msg("%s", err.message);
    b.dataset = make_dataset();
    b.train = make_batches(b.dataset, 0, TRAIN, BATCH, 1);
    b.val = make_batches(b.dataset, TRAIN, COUNT - TRAIN, BATCH, 0);
    return b;
}

static void drop_bench(bench *b) {
    an_loader_destroy(b->val);
    an_loader_destroy(b->train);
    an_dataset_destroy(b->dataset);
    an_model_destroy(b->model);
    an_backend_destroy(b->backend);
}

static an_train_options make_options(int32_t base, int32_t epochs) {
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    options.base = base;
    options.max_epochs = epochs;
    options.learning_rate = base == AN_BASE_FROZEN ? 0.02 : 0.002;
    options.early_stop_patience = -1;
    return options;
}

static an_trainer *make_trainer(const bench *b, an_history *history,
                                const an_train_options *options) {
    an_trainer *trainer = NULL;
    an_error err = {0};
    if (an_trainer_create(&trainer, b->model, b->train, b->val, history, options, &err))
        fail_msg("%s", err.message);
    return trainer;
}

static an_epoch_report run_epoch(an_trainer *trainer) {
    an_epoch_report report = {.struct_size = sizeof report};
    an_error err = {0};
    if (an_trainer_run_epoch(trainer, &report, &err)) fail_msg("%s", err.message);
    return report;
}

/* One batch of all images and plain gradient descent: the loss of an epoch is that of the weights
 * before its step, and a step this small makes it less. Batch statistics of a network with random
 * weights leave little room: the loss curves at steps 10 times these. */
static void loss_falls_in_every_mode(void **state) {
    (void)state;
    static const double rates[] = {[AN_BASE_FROZEN] = 1e-3,
                                   [AN_BASE_STATISTICS] = 1e-4,
                                   [AN_BASE_TRAIN] = 1e-7,
                                   [AN_BASE_FINETUNE] = 1e-4};
    const char *const devices[] = {"cpu", "ref"};
    an_optimizer_options optimizer;
    an_optimizer_options_init(&optimizer, sizeof optimizer);
    optimizer.kind = AN_OPTIM_SGD;
    for (int k = 0; k < 2; k++) {
        for (int32_t base = AN_BASE_FROZEN; base <= AN_BASE_FINETUNE; base++) {
            if (k == 1 && base == AN_BASE_STATISTICS) continue;
            bench b = make_bench(devices[k]);
            an_dataset *drawn = data_pixels(TRAIN, SIZE, SIZE);
            an_loader_destroy(b.train);
            b.train = make_batches(drawn, 0, TRAIN, TRAIN, 1);
            an_dataset_destroy(drawn);
            const int32_t epochs = k == 1 ? 2 : 6;
            an_train_options options = make_options(base, epochs);
            options.optimizer = &optimizer;
            options.learning_rate = rates[base];
            an_trainer *trainer = make_trainer(&b, NULL, &options);
            an_epoch_report last = {.loss = INFINITY};
            for (int32_t i = 0; i < epochs; i++) {
                const an_epoch_report now = run_epoch(trainer);
                if (!(now.loss < last.loss))
                    fail_msg("%s, base %d: loss %g, then %g", devices[k], base, last.loss,
                             now.loss);
                last = now;
            }
            assert_int_equal(last.steps, 1);
            assert_true(isfinite(last.val_loss));
            assert_int_equal(last.stopped, 1);
            assert_int_equal(last.reason, AN_STOP_EPOCHS);
            assert_int_equal(an_trainer_run_epoch(trainer, NULL, NULL), AN_DONE);
            an_trainer_destroy(trainer);
            drop_bench(&b);
        }
    }
}

/** The epochs of a frozen base by images, without a trainer: the specification of the trick. */
static void features_once_change_nothing(void **state) {
    (void)state;
    bench b = make_bench("ref");
    const an_train_options options = make_options(AN_BASE_FROZEN, 2);
    an_arrays *start = NULL, *got = NULL, *want = NULL;
    assert_int_equal(an_model_copy_weights(&start, b.model, NULL), AN_OK);
    an_trainer *trainer = make_trainer(&b, NULL, &options);
    an_epoch_report reports[2];
    for (int i = 0; i < 2; i++)
        reports[i] = run_epoch(trainer);
    assert_int_equal(reports[0].steps, (TRAIN + BATCH - 1) / BATCH);
    an_trainer_destroy(trainer);
    assert_int_equal(an_model_copy_weights(&got, b.model, NULL), AN_OK);

    assert_int_equal(an_model_set_weights(b.model, start, NULL), AN_OK);
    an_optimizer *optimizer = NULL;
    assert_int_equal(an_optimizer_create(&optimizer, b.model, NULL, NULL), AN_OK);
    for (int i = 0; i < 2; i++) {
        double sum = 0, loss, val_loss;
        const float *x, *y;
        int64_t n;
        assert_int_equal(an_loader_begin(b.train, i, 0, NULL), AN_OK);
        while (an_loader_next(b.train, &x, &y, NULL, &n, NULL) == AN_OK) {
            assert_int_equal(an_model_compute_gradients(b.model, x, y, n, NULL, &loss, NULL),
                             AN_OK);
            assert_int_equal(an_optimizer_step(optimizer, options.learning_rate, NULL), AN_OK);
            sum += loss * (double)n;
        }
        assert_int_equal(an_model_evaluate(b.model, b.val, NULL, &val_loss, NULL, NULL, NULL),
                         AN_OK);
        assert_true(fabs(sum / TRAIN - reports[i].loss) <= 1e-6 * reports[i].loss);
        assert_true(fabs(val_loss - reports[i].val_loss) <= 1e-6 * val_loss);
    }
    an_optimizer_destroy(optimizer);
    assert_int_equal(an_model_copy_weights(&want, b.model, NULL), AN_OK);
    for (int64_t i = 0; i < an_arrays_count(want); i++) {
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(want, i); axis++)
            count *= an_arrays_length(want, i, axis);
        for (int64_t k = 0; k < count; k++)
            assert_true(fabs((double)an_arrays_data(want, i)[k] - an_arrays_data(got, i)[k]) <=
                        1e-6);
    }
    an_arrays_destroy(start);
    an_arrays_destroy(got);
    an_arrays_destroy(want);
    drop_bench(&b);
}

static void best_weights_come_back(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    an_train_options options = make_options(AN_BASE_FROZEN, 4);
    options.learning_rate = 0.5; /* so much that later epochs are worse */
    options.restore_best = 1;
    options.early_stop_min_delta = 0;
    an_trainer *trainer = make_trainer(&b, NULL, &options);
    double best = INFINITY, last = 0, now;
    for (int i = 0; i < 4; i++) {
        last = run_epoch(trainer).val_loss;
        best = fmin(best, last);
    }
    assert_true(an_trainer_best(trainer) == best);
    assert_true(last > 1.01 * best); /* else nothing had to come back */
    assert_int_equal(an_model_evaluate(b.model, b.val, NULL, &now, NULL, NULL, NULL), AN_OK);
    if (!(fabs(now - best) <= 1e-5 * best))
        fail_msg("loss %g after the run, best %g, last %g", now, best, last);
    an_trainer_destroy(trainer);
    drop_bench(&b);
}

typedef struct heard {
    char text[512];
    int32_t warnings, weak, events, last_kind; /* weak: warnings of weak features, apart */
    int32_t stop_at;                           /* event number; 0 = never */
} heard;

static int32_t on_warning(void *user, const an_warning *warning) {
    heard *h = user;
    if (warning->code == AN_WARN_WEAK_FEATURES)
        h->weak++;
    else
        h->warnings++;
    snprintf(h->text, sizeof h->text, "%s", warning->message);
    return 0;
}

static int32_t on_event(void *user, const an_train_event *event) {
    heard *h = user;
    h->events++;
    h->last_kind = event->kind;
    return h->stop_at && h->events == h->stop_at;
}

/** Train two epochs that change nothing; train NULL: two of the images, mirrored at random, so
 * that only the features of val are kept. Returns the warnings of weak features. */
static int32_t weak_warnings(const bench *b, an_loader *train, int32_t base) {
    heard h = {0};
    an_error err = {0};
    an_trainer *trainer = NULL;
    an_loader *mirrored = NULL;
    an_train_options options = make_options(base, 2);
    an_loader_options source;
    an_augment_options augment;
    const int64_t indices[] = {0, 1};
    an_loader_options_init(&source, sizeof source);
    an_augment_options_init(&augment, sizeof augment);
    augment.horizontal_flip = 1;
    source.augment = &augment;
    source.batch_size = 2;
    if (!train && an_loader_create(&mirrored, b->dataset, indices, 2, &source, &err))
        fail_msg("%s", err.message);
    options.learning_rate = 0;
    options.warn = on_warning;
    options.warn_user = &h;
    if (an_trainer_create(&trainer, b->model, train ? train : mirrored, b->val, NULL, &options,
                          &err))
        fail_msg("%s", err.message);
    run_epoch(trainer);
    run_epoch(trainer);
    an_trainer_destroy(trainer);
    an_loader_destroy(mirrored);
    assert_int_equal(h.warnings, 0);
    if (h.weak)
        assert_non_null(strstr(h.text, "use trained weights for the base, or train it, too"));
    return h.weak;
}

/* Keras' initialisers leave features of 1e-10 in a base that nobody has trained: from them the head
 * learns the mean of the scores, and nothing told why. */
static void a_frozen_base_of_random_weights_is_warned_of(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    const float *x, *y;
    const int64_t *samples;
    int64_t n;
    assert_int_equal(weak_warnings(&b, b.train, AN_BASE_FROZEN), 1);
    assert_int_equal(weak_warnings(&b, NULL, AN_BASE_FROZEN), 1);
    assert_int_equal(weak_warnings(&b, b.train, AN_BASE_FINETUNE), 0);
    /* with statistics of its own the same base is of use */
    assert_int_equal(an_model_update_batch_norm_begin(b.model, NULL), AN_OK);
    assert_int_equal(an_loader_begin(b.val, 0, 0, NULL), AN_OK);
    assert_int_equal(an_loader_next(b.val, &x, &y, &samples, &n, NULL), AN_OK);
    assert_int_equal(an_model_update_batch_norm_add(b.model, x, n, NULL), AN_OK);
    assert_int_equal(an_model_update_batch_norm_end(b.model, NULL), AN_OK);
    assert_int_equal(weak_warnings(&b, b.train, AN_BASE_FROZEN), 0);
    assert_int_equal(weak_warnings(&b, NULL, AN_BASE_FROZEN), 0);
    drop_bench(&b);
}

static void a_broken_loss_ends_the_run(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    heard h = {0};
    an_train_options options = make_options(AN_BASE_FROZEN, 5);
    options.learning_rate = 1e30;
    options.checkpoint_path = path;
    options.save_best_only = 0;
    options.warn = on_warning;
    options.warn_user = &h;
    an_history *history = NULL;
    assert_int_equal(an_history_create(&history, NULL), AN_OK);
    an_trainer *trainer = make_trainer(&b, history, &options);
    const an_epoch_report report = run_epoch(trainer);
    assert_int_equal(report.reason, AN_STOP_NAN);
    assert_int_equal(report.stopped, 1);
    assert_int_equal(report.saved, 0);
    assert_false(isfinite(report.loss));
    assert_int_equal(h.warnings, 1);
    assert_non_null(
        strstr(h.text, "with learning rate 1e+30; training ends, and no model was saved"));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(an_trainer_reason(trainer), AN_STOP_NAN);
    assert_int_equal(an_history_count(history), 1);
    assert_int_equal(an_trainer_run(trainer, NULL), AN_OK);
    an_trainer_destroy(trainer);
    an_history_destroy(history);
    drop_bench(&b);
}

static int64_t file_size(void) {
    FILE *file = fopen(path, "rb");
    if (!file) return -1;
    fseek(file, 0, SEEK_END);
    const int64_t size = ftell(file);
    fclose(file);
    return size;
}

static void a_failed_checkpoint_leaves_the_old_one(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    an_train_options options = make_options(AN_BASE_FROZEN, 4);
    options.checkpoint_path = path;
    an_trainer *trainer = make_trainer(&b, NULL, &options);
    an_epoch_report report = run_epoch(trainer);
    assert_int_equal(report.saved, 1);
    const int64_t size = file_size();
    assert_true(size > 1000);
    const double best = an_trainer_checkpoint_best(trainer);
    an_error err = {0};
    ani_fault_arm(ANI_FAULT_WRITE, 0, ENOSPC, true);
    assert_int_equal(an_trainer_run_epoch(trainer, &report, &err), AN_ERR_IO);
    ani_fault_disarm();
    assert_non_null(strstr(err.message, "No space left on device"));
    assert_int_equal(report.epoch, 2); /* the epoch itself is done */
    assert_int_equal(report.saved, 0);
    assert_int_equal(file_size(), size);
    assert_true(an_trainer_checkpoint_best(trainer) == best);
    assert_int_equal(run_epoch(trainer).epoch, 3);
    an_trainer_destroy(trainer);
    assert_int_equal(unlink(path), 0);
    drop_bench(&b);
}

static void checkpoints_over_two_stages(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    an_train_options options = make_options(AN_BASE_FROZEN, 1);
    options.checkpoint_path = path;
    options.checkpoint_best = 0; /* an earlier stage was better than anything */
    an_trainer *trainer = make_trainer(&b, NULL, &options);
    assert_int_equal(run_epoch(trainer).saved, 0);
    assert_int_equal(file_size(), -1);
    an_trainer_destroy(trainer);
    drop_bench(&b);
}

static void callbacks_can_stop(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    heard h = {.stop_at = 8};
    an_train_options options = make_options(AN_BASE_FINETUNE, 3);
    options.on_event = on_event;
    options.event_user = &h;
    an_trainer *trainer = make_trainer(&b, NULL, &options);
    an_error err = {0};
    assert_int_equal(an_trainer_run(trainer, &err), AN_ERR_CANCELLED);
    assert_string_equal(err.message, "the event callback asked to stop");
    an_epoch_report report = run_epoch(trainer); /* begins anew */
    assert_int_equal(report.epoch, 2);
    assert_int_equal(h.last_kind, AN_EVENT_EPOCH_END);
    an_trainer_stop(trainer);
    report = run_epoch(trainer);
    assert_int_equal(report.reason, AN_STOP_EPOCHS); /* which comes first */
    an_trainer_destroy(trainer);

    options.on_event = NULL;
    options.first_epoch = 3;
    trainer = make_trainer(&b, NULL, &options);
    an_trainer_stop(trainer);
    assert_int_equal(run_epoch(trainer).reason, AN_STOP_ASKED);
    assert_int_equal(an_trainer_run_epoch(trainer, NULL, NULL), AN_DONE);
    an_trainer_destroy(trainer);
    drop_bench(&b);
}

static void logs_are_written(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    char csv[4096], expected[] = "stage,epoch,loss,val_loss,rate,seconds\n2,1,";
    snprintf(csv, sizeof csv, "%s/log.csv", test_folder);
    an_train_options options = make_options(AN_BASE_TRAIN, 1);
    options.csv_path = csv;
    options.stage = 2;
    options.update_batch_norm = 1;
    an_trainer *trainer = make_trainer(&b, NULL, &options);
    run_epoch(trainer);
    an_trainer_destroy(trainer);
    char bytes[256] = "";
    FILE *file = fopen(csv, "rb");
    assert_non_null(file);
    assert_true(fread(bytes, 1, sizeof bytes - 1, file) > sizeof expected);
    fclose(file);
    assert_memory_equal(bytes, expected, sizeof expected - 1);
    assert_int_equal(unlink(csv), 0);
    drop_bench(&b);
}

static void early_stopping_and_schedules(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    an_train_options options = make_options(AN_BASE_FROZEN, 10);
    options.learning_rate = 0; /* nothing ever gains */
    options.early_stop_patience = 2;
    options.reduce_rate_patience = 1;
    an_trainer *trainer = make_trainer(&b, NULL, &options);
    an_epoch_report report = run_epoch(trainer);
    assert_int_equal(report.improved, 1);
    run_epoch(trainer);
    report = run_epoch(trainer);
    assert_int_equal(report.reason, AN_STOP_EARLY);
    an_trainer_destroy(trainer);

    options = make_options(AN_BASE_FROZEN, 2);
    an_schedule_options schedule;
    an_schedule_options_init(&schedule, sizeof schedule);
    schedule.kind = AN_SCHEDULE_COSINE;
    schedule.warmup_steps = 4;
    options.schedule = &schedule;
    trainer = make_trainer(&b, NULL, &options);
    report = run_epoch(trainer);
    assert_true(fabs(report.rate - 0.75 * options.learning_rate) < 1e-12);
    report = run_epoch(trainer); /* step 3 of 4 after the warm-up */
    assert_true(report.rate > 0 && report.rate < 0.2 * options.learning_rate);
    an_trainer_destroy(trainer);
    drop_bench(&b);
}

static void refuses_what_does_not_fit(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    an_trainer *trainer = NULL;
    an_error err = {0};
    an_train_options options = make_options(AN_BASE_FROZEN, 0);
    assert_int_equal(an_trainer_create(&trainer, b.model, b.train, b.val, NULL, &options, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, "an_train_options: max_epochs is 0; it must be 1 to 1000000");
    options.max_epochs = 1;
    options.learning_rate = NAN;
    assert_int_equal(an_trainer_create(&trainer, b.model, b.train, b.val, NULL, &options, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message,
                        "an_train_options: learning_rate is nan; it must be 0 to 1e+300");
    assert_int_equal(an_trainer_create(&trainer, NULL, b.train, NULL, NULL, NULL, &err),
                     AN_ERR_ARG);
    assert_int_equal(an_trainer_create(&trainer, b.model, NULL, NULL, NULL, NULL, &err),
                     AN_ERR_ARG);
    assert_int_equal(an_trainer_create(&trainer, b.model, b.train, b.train, NULL, NULL, &err),
                     AN_ERR_ARG);
    assert_null(trainer);
    an_loader_options scaled;
    an_loader_options_init(&scaled, sizeof scaled);
    scaled.scale = AN_SCALE_TF;
    an_loader *other = NULL;
    assert_int_equal(an_loader_create(&other, b.dataset, NULL, 0, &scaled, NULL), AN_OK);
    assert_int_equal(an_trainer_create(&trainer, b.model, other, NULL, NULL, NULL, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, "training batches have scale 'tf'; the model needs 'unit'");
    an_loader_destroy(other);
    drop_bench(&b);
}

static void parents_may_go_first(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    an_history *history = NULL;
    assert_int_equal(an_history_create(&history, NULL), AN_OK);
    const an_train_options options = make_options(AN_BASE_FROZEN, 2);
    an_trainer *trainer = make_trainer(&b, history, &options);
    drop_bench(&b);
    an_history_destroy(history);
    run_epoch(trainer);
    an_trainer_destroy(trainer);
    an_trainer_destroy(NULL);
}

static void no_memory_leaves_nothing(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    const an_train_options options = make_options(AN_BASE_FROZEN, 1);
    for (int64_t n = 0;; n++) {
        an_trainer *trainer = NULL;
        an_error err = {0};
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        an_status st = an_trainer_create(&trainer, b.model, b.train, b.val, NULL, &options, &err);
        if (!st) st = an_trainer_run_epoch(trainer, NULL, &err);
        const bool reached = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        an_trainer_destroy(trainer);
        if (!reached) {
            assert_int_equal(st, AN_OK);
            break;
        }
        if (st != AN_ERR_NOMEM && st != AN_OK) fail_msg("allocation %d: %s", (int)n, err.message);
    }
    drop_bench(&b);
}

static void losses_by_hand(void **state) {
    (void)state;
    const float z[] = {1, -2, 0.5f, 3}, t[] = {0, 0, 1, 1};
    assert_true(ani_loss_sum(AN_LOSS_MSE, z, t, NULL, 2, 2) == 2.5 + 2.125);
    assert_true(ani_loss_sum(AN_LOSS_MAE, z, t, NULL, 2, 2) == 1.5 + 1.25);
    assert_true(ani_loss_sum(AN_LOSS_HUBER, z, t, NULL, 2, 2) == 1.0 + 0.8125);
    const float logits[] = {1000, 0, -1000}, one[] = {0, 0, 1};
    assert_true(fabs(ani_loss_sum(AN_LOSS_CATEGORICAL, logits, one, NULL, 1, 3) - 2000) < 1e-9);
    const float far[] = {800, -800}, which[] = {1, 1};
    assert_true(fabs(ani_loss_sum(AN_LOSS_BINARY, far, which, NULL, 2, 1) - 800) < 1e-9);
    const float bad[] = {NAN};
    for (int32_t kind = AN_LOSS_MSE; kind <= AN_LOSS_BINARY; kind++)
        assert_true(isnan(ani_loss_sum(kind, bad, which, NULL, 1, 1)));
}

/* --- a head in closed form ---------------------------------------------------------------------
 */

/** Features and targets of a loader's samples, in order. */
static an_head_samples read_samples(const bench *b, an_loader *loader, int64_t first, int64_t n) {
    an_error err = {0};
    an_head_samples samples;
    an_model_info info = {.struct_size = sizeof info};
    an_model_describe(b->model, &info, NULL);
    float *features = malloc((size_t)(n * info.features) * sizeof *features);
    float *targets = malloc((size_t)n * sizeof *targets);
    assert_non_null(features);
    assert_non_null(targets);
    if (an_compute_features_loader(b->model, loader, features, NULL, NULL, &err))
        fail_msg("%s", err.message);
    for (int64_t i = 0; i < n; i++)
        targets[i] = (float)an_dataset_score(b->dataset, first + i, 0);
    an_head_samples_init(&samples, sizeof samples);
    samples.n = n;
    samples.features = features;
    samples.targets = targets;
    return samples;
}

static void drop_samples(const an_head_samples *samples) {
    union {
        const float *given;
        void *owned;
    } of = {samples->features};
    free(of.owned);
    of.given = samples->targets;
    free(of.owned);
}

static void read_head(const bench *b, float *head, int64_t count) {
    an_error err = {0};
    an_arrays *weights = NULL;
    if (an_model_copy_weights(&weights, b->model, &err)) fail_msg("%s", err.message);
    const int64_t last = an_arrays_count(weights) - 1;
    assert_int_equal(an_arrays_length(weights, last - 1, 0), count - 1);
    memcpy(head, an_arrays_data(weights, last - 1), (size_t)(count - 1) * sizeof *head);
    head[count - 1] = an_arrays_data(weights, last)[0];
    an_arrays_destroy(weights);
}

/* The stage fits on images without augmentation, in one epoch, what the function fits from their
 * features; predictions and reports agree with it. */
static void a_head_in_closed_form_is_one_epoch(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    an_error err = {0};
    an_history *history = NULL;
    an_train_options options = make_options(AN_BASE_FROZEN, 30);
    an_head_options head;
    an_head_report found;
    an_model_info info = {.struct_size = sizeof info};
    an_head_options_init(&head, sizeof head);
    an_head_report_init(&found, sizeof found);
    head.penalty_by = AN_PENALTY_VALIDATION;
    options.head = &head;
    options.csv_path = NULL;
    an_model_describe(b.model, &info, NULL);
    const int64_t count = info.features + 1;
    float *heads = malloc((size_t)count * 2 * sizeof *heads);
    assert_non_null(heads);
    assert_int_equal(an_history_create(&history, &err), AN_OK);
    an_trainer *trainer = make_trainer(&b, history, &options);
    const an_epoch_report report = run_epoch(trainer);
    assert_int_equal(report.reason, AN_STOP_EPOCHS);
    assert_true(report.rate == 0);
    assert_int_equal(an_trainer_run_epoch(trainer, NULL, &err), AN_DONE);
    read_head(&b, heads, count);
    an_trainer_destroy(trainer);

    const an_head_samples train = read_samples(&b, b.train, 0, TRAIN);
    const an_head_samples val = read_samples(&b, b.val, TRAIN, COUNT - TRAIN);
    if (an_model_reset_head(b.model, 5, &err) ||
        an_model_fit_head(b.model, &train, &val, &head, &found, &err))
        fail_msg("%s", err.message);
    read_head(&b, heads + count, count);
    assert_memory_equal(heads, heads + count, (size_t)count * sizeof *heads);
    assert_true(found.penalty > 0 && found.freedom > 1 && found.freedom < TRAIN);
    double loss = NAN, val_loss = NAN;
    if (an_model_evaluate(b.model, b.train, NULL, &loss, NULL, NULL, &err) ||
        an_model_evaluate(b.model, b.val, NULL, &val_loss, NULL, NULL, &err))
        fail_msg("%s", err.message);
    assert_true(fabs(report.loss - loss) < 1e-5 * (1 + loss));
    assert_true(fabs(report.val_loss - val_loss) < 1e-5 * (1 + val_loss));
    free(heads);
    drop_samples(&train);
    drop_samples(&val);
    an_history_destroy(history);
    drop_bench(&b);
}

static void a_head_in_closed_form_refuses_what_it_cannot_minimise(void **state) {
    (void)state;
    bench b = make_bench("cpu");
    an_error err = {0};
    an_trainer *trainer = NULL;
    an_head_options head;
    an_train_options options = make_options(AN_BASE_TRAIN, 1);
    an_head_options_init(&head, sizeof head);
    options.head = &head;
    assert_int_equal(an_trainer_create(&trainer, b.model, b.train, b.val, NULL, &options, &err),
                     AN_ERR_ARG);
    assert_non_null(strstr(err.message, "AN_BASE_FROZEN"));
    options.base = AN_BASE_FROZEN;
    options.loss = AN_LOSS_MAE;
    assert_int_equal(an_trainer_create(&trainer, b.model, b.train, b.val, NULL, &options, &err),
                     AN_ERR_ARG);
    assert_non_null(strstr(err.message, "AN_LOSS_MAE"));
    options.loss = AN_LOSS_AUTO;
    head.penalty_by = AN_PENALTY_VALIDATION;
    assert_int_equal(an_trainer_create(&trainer, b.model, b.train, NULL, NULL, &options, &err),
                     AN_ERR_ARG);
    assert_non_null(strstr(err.message, "validation"));
    head.penalty = -1;
    assert_int_equal(an_trainer_create(&trainer, b.model, b.train, b.val, NULL, &options, &err),
                     AN_ERR_ARG);
    assert_non_null(strstr(err.message, "-1"));
    an_head_samples samples = read_samples(&b, b.train, 0, TRAIN);
    head.penalty = 1;
    float *targets = malloc(TRAIN * sizeof *targets);
    assert_non_null(targets);
    memcpy(targets, samples.targets, TRAIN * sizeof *targets);
    targets[3] = NAN;
    const float *const good = samples.targets;
    samples.targets = targets;
    assert_int_equal(an_model_fit_head(b.model, &samples, NULL, &head, NULL, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "sample 3"));
    samples.targets = good;
    free(targets);
    drop_samples(&samples);
    drop_bench(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_by_hand),
        cmocka_unit_test(loss_falls_in_every_mode),
        cmocka_unit_test(features_once_change_nothing),
        cmocka_unit_test(best_weights_come_back),
        cmocka_unit_test(a_frozen_base_of_random_weights_is_warned_of),
        cmocka_unit_test(a_broken_loss_ends_the_run),
        cmocka_unit_test(a_failed_checkpoint_leaves_the_old_one),
        cmocka_unit_test(checkpoints_over_two_stages),
        cmocka_unit_test(callbacks_can_stop),
        cmocka_unit_test(logs_are_written),
        cmocka_unit_test(early_stopping_and_schedules),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(parents_may_go_first),
        cmocka_unit_test(no_memory_leaves_nothing),
        cmocka_unit_test(a_head_in_closed_form_is_one_epoch),
        cmocka_unit_test(a_head_in_closed_form_refuses_what_it_cannot_minimise),
    };
    return cmocka_run_group_tests_name("trainer", tests, set_up, test_folder_end);
}
