/* SPDX-License-Identifier: MIT
 * The cancel flag: each long call is cancelled at each of its polls, and what comes after has the
 * bits of a run that was never cancelled. The polls are counted by wrapping the function that
 * looks, so no case depends on the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <attractivenet/attractivenet.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/turns.h"
#include "support/arrays.h"
#include "support/backends.h"
#include "support/folder.h"
#include "support/small_model.h"
#include "support/test_folder.h"

/* --- polls ------------------------------------------------------------------------------------ */

static an_cancel *flag;
static atomic_llong polls, request_at; /* request_at 0: never */
static atomic_bool take_back;          /* reset the flag at the poll after */

bool __real_ani_watch_stops(ani_watch *watch);
bool __wrap_ani_watch_stops(ani_watch *watch);
an_status __real_ani_watch_check(ani_watch *watch, an_error *err);
an_status __wrap_ani_watch_check(ani_watch *watch, an_error *err);

static void count_poll(const ani_watch *watch) {
    if (!watch || !watch->cancel) return;
    const int64_t number = atomic_fetch_add(&polls, 1) + 1, at = atomic_load(&request_at);
    if (at && number == at) an_cancel_request(flag);
    if (at && number == at + 1 && atomic_load(&take_back)) an_cancel_reset(flag);
}

bool __wrap_ani_watch_stops(ani_watch *watch) {
    count_poll(watch);
    return __real_ani_watch_stops(watch);
}

an_status __wrap_ani_watch_check(ani_watch *watch, an_error *err) {
    count_poll(watch);
    return __real_ani_watch_check(watch, err);
}

static void cancel_at(int64_t poll) {
    an_cancel_reset(flag);
    atomic_store(&polls, 0);
    atomic_store(&request_at, poll);
}

/* --- what the cases work on ------------------------------------------------------------------- */

enum { COUNT = 11, TRAIN = 7, BATCH = 3 };

static uint8_t images[COUNT][PIXELS];
static float floats[COUNT][PIXELS], scores[COUNT];

static int set_up(void **state) {
    (void)state;
    unsigned value = 5;
    for (int i = 0; i < COUNT; i++) {
        scores[i] = 1 + (float)(i * 3 % 5);
        for (int k = 0; k < PIXELS; k++) {
            value = value * 1664525u + 1013904223u;
            images[i][k] = (uint8_t)((value >> 26) + 13 * (unsigned)i);
            floats[i][k] = (float)images[i][k] / 255;
        }
    }
    atomic_store(&take_back, false);
    return an_cancel_create(&flag, NULL);
}

static int tear_down(void **state) {
    (void)state;
    an_cancel_destroy(flag);
    return 0;
}

static an_dataset *make_dataset(void) {
    an_dataset *dataset = NULL;
    an_error err = {0};
    double labels[COUNT];
    for (int64_t i = 0; i < COUNT; i++)
        labels[i] = (double)scores[i];
    if (an_dataset_from_pixels(&dataset, images[0], COUNT, SIDE, SIDE, labels, 1, NULL, &err))
        fail_msg("%s", err.message);
    return dataset;
}

static an_loader *make_loader(int64_t first, int64_t count, int32_t shuffle, int32_t threads) {
    an_loader *loader = NULL;
    an_loader_options options;
    an_error err = {0};
    int64_t indices[COUNT];
    for (int64_t i = 0; i < count; i++)
        indices[i] = first + i;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = BATCH;
    options.shuffle = shuffle;
    options.threads = threads;
    an_dataset *dataset = make_dataset();
    if (an_loader_create(&loader, dataset, indices, count, &options, &err))
        fail_msg("%s", err.message);
    an_dataset_destroy(dataset);
    return loader;
}

static an_arrays *weights_of(const an_model *model) {
    an_arrays *weights = NULL;
    assert_int_equal(an_model_copy_weights(&weights, model, NULL), AN_OK);
    return weights;
}

static void assert_same_arrays(const an_arrays *a, const an_arrays *b, const char *where) {
    const char *other = arrays_difference(a, b);
    if (other) fail_msg("%s: '%s' has other bits", where, other);
}

static void assert_same_weights(const an_model *model, const an_arrays *wanted, const char *where) {
    an_arrays *weights = weights_of(model);
    assert_same_arrays(weights, wanted, where);
    an_arrays_destroy(weights);
}

/* --- the flag --------------------------------------------------------------------------------- */

static void a_flag_is_raised_until_it_is_reset(void **state) {
    (void)state;
    an_cancel *cancel = NULL;
    an_error err = {0};
    assert_int_equal(an_cancel_create(NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "out is NULL");
    assert_int_equal(an_cancel_create(&cancel, NULL), AN_OK);
    assert_int_equal(an_cancel_is_requested(cancel), 0);
    an_cancel_request(cancel);
    an_cancel_request(cancel);
    assert_int_equal(an_cancel_is_requested(cancel), 1);
    an_cancel_reset(cancel);
    assert_int_equal(an_cancel_is_requested(cancel), 0);
    an_cancel_destroy(cancel);
    an_cancel_request(NULL);
    an_cancel_reset(NULL);
    an_cancel_destroy(NULL);
    assert_int_equal(an_cancel_is_requested(NULL), 0);
    assert_int_equal(an_model_set_cancel(NULL, NULL, NULL), AN_ERR_ARG);
    assert_int_equal(an_predictor_set_cancel(NULL, NULL, NULL), AN_ERR_ARG);
    assert_int_equal(an_loader_set_cancel(NULL, NULL, NULL), AN_ERR_ARG);
}

/* --- steps of one's own loop ------------------------------------------------------------------ */

typedef struct step_case {
    const char *name;
    int32_t base, precision, recompute;
} step_case;

static const step_case step_cases[] = {
    {"frozen", AN_BASE_FROZEN, AN_PRECISION_FP32, 0},
    {"statistics", AN_BASE_STATISTICS, AN_PRECISION_FP32, 0},
    {"train", AN_BASE_TRAIN, AN_PRECISION_FP32, 0},
    {"train mixed", AN_BASE_TRAIN, AN_PRECISION_MIXED, 1},
    {"finetune", AN_BASE_FINETUNE, AN_PRECISION_FP32, 0},
};

static an_status gradients(an_model *model, int batch, an_error *err) {
    return an_model_compute_gradients(model, floats[batch * BATCH], scores + batch * BATCH, BATCH,
                                      NULL, NULL, err);
}

/* Cancel one step at each of its polls, on one backend. */
static void cancel_steps(an_backend *backend, const step_case *one, const char *label) {
    an_optimizer *optimizer = NULL, *other_optimizer = NULL;
    an_model *model = short_model(backend), *other = short_model(backend);
    an_model_info info = {.struct_size = sizeof info};
    an_error err = {0};
    char where[128];
    an_model *const both[] = {model, other};
    for (int i = 0; i < 2; i++) {
        small_model_settle(both[i], floats[0], BATCH);
        assert_int_equal(an_model_set_base(both[i], one->base, NULL), AN_OK);
        assert_int_equal(an_model_set_training(both[i], one->precision, one->recompute, NULL),
                         AN_OK);
    }
    assert_int_equal(an_optimizer_create(&optimizer, model, NULL, NULL), AN_OK);
    assert_int_equal(an_optimizer_create(&other_optimizer, other, NULL, NULL), AN_OK);
    assert_int_equal(an_model_set_cancel(model, flag, NULL), AN_OK);
    assert_int_equal(an_model_calibrate_begin(model, NULL), AN_OK);
    cancel_at(0);
    assert_int_equal(an_model_calibrate_add(model, floats[0], 1, NULL), AN_OK);
    assert_int_equal(an_model_calibrate_end(model, NULL), AN_OK);
    /* older gradients, which an optimizer must not take for those of a cancelled step */
    assert_int_equal(an_model_compute_head_gradients(model, floats[0], scores, 1, NULL, NULL, NULL),
                     AN_OK);
    assert_int_equal(gradients(other, 0, NULL), AN_OK);
    assert_int_equal(an_optimizer_step(other_optimizer, 0.01, NULL), AN_OK);
    an_arrays *before = weights_of(model), *gone = NULL;
    /* The first cancelled poll that lets the step pass is behind the last one. */
    int64_t poll = 0;
    an_status st;
    do {
        cancel_at(++poll);
        snprintf(where, sizeof where, "%s, %s, poll %lld", label, one->name, (long long)poll);
        st = gradients(model, 0, &err);
        if (!st) break;
        if (st != AN_ERR_CANCELLED) fail_msg("%s: %s", where, err.message);
        assert_string_equal(err.message, "the call was cancelled by an_cancel_request()");
        assert_same_weights(model, before, where);
        assert_int_equal(an_model_copy_gradients(&gone, model, NULL), AN_ERR_ARG);
        assert_int_equal(an_optimizer_step(optimizer, 0.01, NULL), AN_ERR_ARG);
        assert_int_equal(an_model_describe(model, &info, NULL), AN_OK);
        assert_int_equal(info.calibrated, 1);
    } while (poll < 10000);
    assert_int_equal(st, AN_OK);
    assert_true(poll > (one->base == AN_BASE_FROZEN ? 3 : 12));
    cancel_at(0);
    assert_int_equal(an_optimizer_step(optimizer, 0.01, NULL), AN_OK);
    assert_int_equal(gradients(model, 1, NULL), AN_OK);
    assert_int_equal(gradients(other, 1, NULL), AN_OK);
    assert_int_equal(an_optimizer_step(optimizer, 0.01, NULL), AN_OK);
    assert_int_equal(an_optimizer_step(other_optimizer, 0.01, NULL), AN_OK);
    an_arrays *wanted = weights_of(other);
    assert_same_weights(model, wanted, where);
    an_arrays_destroy(wanted);
    an_arrays_destroy(before);
    an_optimizer_destroy(other_optimizer);
    an_optimizer_destroy(optimizer);
    an_model_destroy(other);
    an_model_destroy(model);
}

static void a_cancelled_step_changes_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof step_cases / sizeof *step_cases; i++) {
        for (int32_t threads = 1; threads <= 2; threads++) {
            an_backend *backend = test_backend_make("cpu", NULL, threads);
            cancel_steps(backend, &step_cases[i], threads == 1 ? "1 thread" : "2 threads");
            an_backend_destroy(backend);
        }
    }
}

/* Parts of a unit were left out when the flag is reset: the step may not go on with them. */
static void a_request_that_is_taken_back_still_cancels_the_call_that_saw_it(void **state) {
    (void)state;
    atomic_store(&take_back, true);
    a_cancelled_step_changes_nothing(state);
    atomic_store(&take_back, false);
}

/* The reference's loops are polled, too; one poll in many, since they are many. */
static void the_reference_backend_is_cancelled_within_a_unit(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("ref", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, NULL), AN_OK);
    assert_int_equal(an_model_set_cancel(model, flag, NULL), AN_OK);
    an_arrays *before = weights_of(model);
    float score;
    for (int64_t poll = 1; poll < 2000; poll += 400) {
        cancel_at(poll);
        assert_int_equal(gradients(model, 0, NULL), AN_ERR_CANCELLED);
        assert_true(atomic_load(&polls) < poll + 8); /* and at once */
        assert_same_weights(model, before, "reference");
        cancel_at(poll);
        assert_int_equal(an_model_predict(model, floats[0], 1, &score, NULL), AN_ERR_CANCELLED);
        assert_true(atomic_load(&polls) < poll + 60); /* units that are begun end at once */
    }
    an_arrays_destroy(before);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* --- a trainer -------------------------------------------------------------------------------- */

typedef struct run_case {
    const char *name;
    int32_t base, update, shuffle, precision, threads, accumulate;
} run_case;

static const run_case run_cases[] = {
    {"features", AN_BASE_FROZEN, 0, 1, AN_PRECISION_FP32, 0, 0},
    {"features, two batches a step", AN_BASE_FROZEN, 0, 1, AN_PRECISION_FP32, 0, 2},
    {"statistics", AN_BASE_STATISTICS, 1, 0, AN_PRECISION_FP32, 0, 0},
    {"train", AN_BASE_TRAIN, 1, 1, AN_PRECISION_FP32, 0, 0},
    {"train, two batches a step", AN_BASE_TRAIN, 0, 1, AN_PRECISION_FP32, 0, 2},
    {"train mixed", AN_BASE_TRAIN, 0, 1, AN_PRECISION_MIXED, 2, 0},
    {"finetune", AN_BASE_FINETUNE, 0, 0, AN_PRECISION_FP32, 1, 0},
};

/* Train two epochs. With cancels: cancelled again and again, reset and called again. */
static an_arrays *train(an_backend *backend, const run_case *one, int64_t *cancels,
                        double losses[4]) {
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    an_loader *training = make_loader(0, TRAIN, one->shuffle, one->threads);
    an_loader *validation = make_loader(TRAIN, COUNT - TRAIN, 0, one->threads);
    an_trainer *trainer = NULL;
    an_history *history = NULL;
    an_train_options options;
    an_error err = {0};
    small_model_settle(model, floats[0], BATCH);
    an_train_options_init(&options, sizeof options);
    options.base = one->base;
    options.precision = one->precision;
    options.update_batch_norm = one->update;
    options.accumulate = one->accumulate;
    options.max_epochs = 2;
    options.learning_rate = 0.01;
    assert_int_equal(an_history_create(&history, NULL), AN_OK);
    if (an_trainer_create(&trainer, model, training, validation, history, &options, &err))
        fail_msg("%s", err.message);
    assert_int_equal(an_model_set_cancel(model, flag, NULL), AN_OK);
    const int64_t all = cancels ? *cancels : 0;
    int64_t count = 0;
    an_status st;
    for (;;) {
        cancel_at(all ? 1 + count * 7919 % all : 0);
        st = an_trainer_run(trainer, &err);
        if (st != AN_ERR_CANCELLED) break;
        count++;
        assert_true(count < 1000);
    }
    if (st) fail_msg("%s: %s", one->name, err.message);
    assert_int_equal(an_history_count(history), 2);
    for (int64_t i = 0; i < 2; i++) {
        an_epoch_report report = {.struct_size = sizeof report};
        assert_int_equal(an_history_copy_epoch(history, i, &report, NULL), AN_OK);
        losses[2 * i] = report.loss;
        losses[2 * i + 1] = report.val_loss;
    }
    if (cancels) *cancels = all ? count : (int64_t)atomic_load(&polls);
    an_arrays *weights = weights_of(model);
    an_history_destroy(history);
    an_trainer_destroy(trainer);
    an_loader_destroy(validation);
    an_loader_destroy(training);
    an_model_destroy(model);
    return weights;
}

static void a_training_goes_on_as_if_it_was_never_cancelled(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof run_cases / sizeof *run_cases; i++) {
        an_backend *backend = test_backend_make("cpu", NULL, 1);
        int64_t count = 0;
        double wanted_losses[4], losses[4];
        an_arrays *wanted = train(backend, &run_cases[i], &count, wanted_losses);
        assert_true(count > 20);
        an_arrays *weights = train(backend, &run_cases[i], &count, losses);
        assert_true(count >= 2);
        assert_same_arrays(weights, wanted, run_cases[i].name);
        assert_memory_equal(losses, wanted_losses, sizeof losses);
        an_arrays_destroy(weights);
        an_arrays_destroy(wanted);
        an_backend_destroy(backend);
    }
}

/* --- a step of several batches without memory ------------------------------------------------- */

static int32_t unlimited_loss(void *user, const an_loss_batch *batch) {
    (void)user;
    *batch->loss = NAN; /* slopes stay NaN */
    an_cancel_request(flag);
    return 0;
}

static void a_cancelled_batch_leaves_the_gradients_to_which_it_was_added(void **state) {
    (void)state;
    static const char *const devices[] = {"cpu", "ref"};
    for (int i = 0; i < 2; i++) {
        an_backend *backend = test_backend_make(devices[i], NULL, 1);
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        an_arrays *wanted = NULL, *found = NULL;
        an_loss_options loss;
        an_loss_options_init(&loss, sizeof loss);
        cancel_at(0);
        assert_int_equal(an_model_set_cancel(model, flag, NULL), AN_OK);
        assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, NULL), AN_OK);
        assert_int_equal(
            an_model_compute_gradients(model, floats[0], scores, BATCH, &loss, NULL, NULL), AN_OK);
        assert_int_equal(an_model_copy_gradients(&wanted, model, NULL), AN_OK);
        loss.accumulate = 1;
        loss.fn = unlimited_loss;
        assert_int_equal(
            an_model_compute_gradients(model, floats[0], scores, BATCH, &loss, NULL, NULL),
            AN_ERR_CANCELLED);
        an_cancel_reset(flag);
        assert_int_equal(an_model_copy_gradients(&found, model, NULL), AN_OK);
        assert_same_arrays(found, wanted, "a batch that was cancelled");
        an_arrays_destroy(found);
        an_arrays_destroy(wanted);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
}

/* Somebody who shares the weights in the middle of a step, after which there is no memory. */
typedef struct sharer {
    an_model *model, *copy;
    bool starves;
    int32_t batches;
} sharer;

static int32_t share(void *user, const an_train_event *event) {
    sharer *s = user;
    if (event->kind != AN_EVENT_STEP || ++s->batches != 3) return 0; /* step 2 has begun */
    if (an_model_copy(&s->copy, s->model, NULL, AN_SHARE_WEIGHTS, NULL)) return 1;
    if (!s->starves) return 0;
    an_cancel_request(flag);
    ani_fault_arm(ANI_FAULT_ALLOC, 0, ENOMEM, true);
    return 0;
}

static an_arrays *train_with_sharer(an_backend *backend, bool starves) {
    sharer s = {small_model(backend, 1, AN_TASK_REGRESSION), NULL, starves, 0};
    an_loader *loader = make_loader(0, COUNT, 1, 0);
    an_trainer *trainer = NULL;
    an_train_options options;
    an_error err = {0};
    an_train_options_init(&options, sizeof options);
    options.base = AN_BASE_TRAIN;
    options.accumulate = 2;
    options.max_epochs = 1;
    options.learning_rate = 0.01;
    options.on_event = share;
    options.event_user = &s;
    cancel_at(0);
    assert_int_equal(an_model_set_cancel(s.model, flag, NULL), AN_OK);
    if (an_trainer_create(&trainer, s.model, loader, NULL, NULL, &options, &err))
        fail_msg("%s", err.message);
    an_status st = an_trainer_run(trainer, &err);
    ani_fault_disarm();
    if (starves) {
        assert_int_equal(st, AN_ERR_NOMEM);
        assert_non_null(strstr(err.message, "moving statistics"));
        ani_fault_arm(ANI_FAULT_ALLOC, 0, ENOMEM, true);
        an_cancel_reset(flag);
        st = an_trainer_run(trainer, &err); /* still no memory: nothing is done */
        ani_fault_disarm();
        assert_int_equal(st, AN_ERR_NOMEM);
        assert_int_equal(s.batches, 3);
        st = an_trainer_run(trainer, &err);
    }
    if (st) fail_msg("%s", err.message);
    an_arrays *weights = weights_of(s.model);
    an_trainer_destroy(trainer);
    an_loader_destroy(loader);
    an_model_destroy(s.copy);
    an_model_destroy(s.model);
    return weights;
}

static void moving_statistics_are_restored_once_there_is_memory(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_arrays *wanted = train_with_sharer(backend, false);
    an_arrays *weights = train_with_sharer(backend, true);
    assert_same_arrays(weights, wanted, "a step that was begun twice");
    an_arrays_destroy(weights);
    an_arrays_destroy(wanted);
    an_backend_destroy(backend);
}

/* Its own weights would be taken for nothing, and a calibration lost. */
static int32_t cancel_in_first_step(void *user, const an_train_event *event) {
    (void)user;
    if (event->kind == AN_EVENT_STEP) an_cancel_request(flag);
    return 0;
}

static void a_cancelled_step_of_a_head_keeps_the_calibration(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    an_loader *loader = make_loader(0, COUNT, 1, 0);
    an_trainer *trainer = NULL;
    an_train_options options;
    an_model_info info = {.struct_size = sizeof info};
    an_error err = {0};
    small_model_settle(model, floats[0], BATCH);
    assert_int_equal(an_calibrate_loader(model, loader, 0, NULL, NULL, NULL), AN_OK);
    an_train_options_init(&options, sizeof options);
    options.base = AN_BASE_FROZEN;
    options.accumulate = 2;
    options.on_event = cancel_in_first_step;
    cancel_at(0);
    assert_int_equal(an_model_set_cancel(model, flag, NULL), AN_OK);
    if (an_trainer_create(&trainer, model, loader, NULL, NULL, &options, &err))
        fail_msg("%s", err.message);
    assert_int_equal(an_trainer_run(trainer, NULL), AN_ERR_CANCELLED);
    an_cancel_reset(flag);
    assert_int_equal(an_model_describe(model, &info, NULL), AN_OK);
    assert_true(info.calibrated);
    an_trainer_destroy(trainer);
    an_loader_destroy(loader);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* --- the other calls -------------------------------------------------------------------------- */

typedef struct fixture {
    an_model *model;
    an_predictor *predictor;
    an_loader *loader;
    float features[COUNT][2048];
} fixture;

enum { NUMBERS = COUNT * 1280 };

static an_status do_predict(fixture *f, float *out, an_error *err) {
    return an_model_predict(f->model, floats[0], COUNT, out, err);
}
static an_status do_features(fixture *f, float *out, an_error *err) {
    return an_model_compute_features(f->model, floats[0], COUNT, out, err);
}
static an_status do_head(fixture *f, float *out, an_error *err) {
    return an_model_predict_from_features(f->model, f->features[0], COUNT, out, err);
}
static an_status do_explain(fixture *f, float *out, an_error *err) {
    an_explain_options options;
    an_explain_options_init(&options, sizeof options);
    options.layer = "Conv1_relu";
    return an_model_explain(f->model, floats[0], 3, &options, out, err);
}
static an_status do_head_gradients(fixture *f, float *out, an_error *err) {
    double loss = 0;
    an_status st =
        an_model_compute_head_gradients(f->model, f->features[0], scores, COUNT, NULL, &loss, err);
    *out = (float)loss;
    return st;
}
static an_status do_evaluate(fixture *f, float *out, an_error *err) {
    double loss = 0;
    an_status st = an_model_evaluate(f->model, f->loader, NULL, &loss, NULL, NULL, err);
    *out = (float)loss;
    return st;
}
static an_status do_predict_loader(fixture *f, float *out, an_error *err) {
    return an_predict_loader(f->model, f->loader, out, NULL, NULL, err);
}
static an_status do_calibrate_loader(fixture *f, float *out, an_error *err) {
    an_status st = an_calibrate_loader(f->model, f->loader, 4, NULL, NULL, err);
    if (st) return st;
    st = an_model_predict(f->model, floats[0], COUNT, out, err);
    return st ? st : an_model_set_inference(f->model, AN_INFERENCE_FP32, err);
}
static an_status do_score_frame(fixture *f, float *out, an_error *err) {
    return an_predictor_score_frame(f->predictor, images[2], SIDE, SIDE, 3 * SIDE, out, err);
}
static an_status do_next(fixture *f, float *out, an_error *err) {
    const float *x, *y;
    int64_t n;
    an_status st = an_loader_begin(f->loader, 0, 1, err);
    if (!st) st = an_loader_next(f->loader, &x, &y, NULL, &n, err);
    if (!st) memcpy(out, x, (size_t)(n * PIXELS) * sizeof *x);
    return st;
}

static const struct call {
    const char *name;
    an_status (*run)(fixture *f, float *out, an_error *err);
} calls[] = {
    {"predict", do_predict},
    {"features", do_features},
    {"predict_from_features", do_head},
    {"explain", do_explain},
    {"head_gradients", do_head_gradients},
    {"evaluate", do_evaluate},
    {"predict_loader", do_predict_loader},
    {"calibrate_loader", do_calibrate_loader},
    {"score_frame", do_score_frame},
    {"loader_next", do_next},
};

static void each_call_ends_at_each_poll_and_then_gives_what_it_gave(void **state) {
    (void)state;
    an_error err = {0};
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    fixture *f = calloc(1, sizeof *f);
    float *wanted = calloc(NUMBERS, sizeof *wanted), *out = calloc(NUMBERS, sizeof *out);
    assert_true(f && wanted && out);
    f->model = small_model(backend, 1, AN_TASK_REGRESSION);
    f->loader = make_loader(0, COUNT, 0, 0);
    small_model_settle(f->model, floats[0], BATCH);
    assert_int_equal(an_predictor_create(&f->predictor, f->model, NULL), AN_OK);
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < 2048; k++)
            f->features[i][k] = (float)((i * 31 + k) % 17) / 17;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        memset(wanted, 0, NUMBERS * sizeof *wanted);
        memset(out, 0, NUMBERS * sizeof *out);
        if (calls[i].run(f, wanted, &err)) fail_msg("%s: %s", calls[i].name, err.message);
        assert_int_equal(an_model_set_cancel(f->model, flag, NULL), AN_OK);
        assert_int_equal(an_predictor_set_cancel(f->predictor, flag, NULL), AN_OK);
        assert_int_equal(an_loader_set_cancel(f->loader, flag, NULL), AN_OK);
        cancel_at(0);
        if (calls[i].run(f, out, &err)) fail_msg("%s: %s", calls[i].name, err.message);
        assert_memory_equal(out, wanted, NUMBERS * sizeof *out);
        const int64_t all = atomic_load(&polls), step = 1 + all / 60;
        assert_true(all > 0);
        for (int64_t poll = 1; poll <= all; poll += step) {
            cancel_at(poll);
            const an_status st = calls[i].run(f, out, &err);
            if (st != AN_ERR_CANCELLED)
                fail_msg("%s: %s at poll %lld of %lld", calls[i].name, an_status_name(st),
                         (long long)poll, (long long)all);
            /* whatever it was doing, it does not go on */
            assert_true(atomic_load(&polls) - poll < 70);
        }
        cancel_at(0);
        an_cancel_request(flag);
        assert_int_equal(calls[i].run(f, out, &err), AN_ERR_CANCELLED);
        an_cancel_reset(flag);
        memset(out, 0, NUMBERS * sizeof *out);
        if (calls[i].run(f, out, &err)) fail_msg("%s: %s", calls[i].name, err.message);
        assert_memory_equal(out, wanted, NUMBERS * sizeof *out);
        an_cancel_request(flag); /* which is attached no more */
        assert_int_equal(an_model_set_cancel(f->model, NULL, NULL), AN_OK);
        assert_int_equal(an_predictor_set_cancel(f->predictor, NULL, NULL), AN_OK);
        assert_int_equal(an_loader_set_cancel(f->loader, NULL, NULL), AN_OK);
        if (calls[i].run(f, out, &err)) fail_msg("%s: %s", calls[i].name, err.message);
        assert_memory_equal(out, wanted, NUMBERS * sizeof *out);
        an_cancel_reset(flag);
    }
    an_predictor_destroy(f->predictor);
    an_loader_destroy(f->loader);
    an_model_destroy(f->model);
    an_backend_destroy(backend);
    free(out);
    free(wanted);
    free(f);
}

/* What a call adds is added whole or not at all: the same images may be added again. */
static void images_are_added_whole_or_not_at_all(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    float wanted[COUNT], out[COUNT];
    an_arrays *statistics = NULL;
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        assert_int_equal(an_model_set_cancel(model, flag, NULL), AN_OK);
        cancel_at(0);
        assert_int_equal(an_model_update_batch_norm_begin(model, NULL), AN_OK);
        assert_int_equal(an_model_update_batch_norm_add(model, floats[0], 2, NULL), AN_OK);
        for (int64_t poll = 3; cancelled && poll < 60; poll += 8) {
            cancel_at(poll);
            assert_int_equal(an_model_update_batch_norm_add(model, floats[2], 3, NULL),
                             AN_ERR_CANCELLED);
        }
        cancel_at(0);
        assert_int_equal(an_model_update_batch_norm_add(model, floats[2], 3, NULL), AN_OK);
        assert_int_equal(an_model_update_batch_norm_end(model, NULL), AN_OK);
        if (cancelled)
            assert_same_weights(model, statistics, "update of batch norm");
        else
            statistics = weights_of(model);

        assert_int_equal(an_model_calibrate_begin(model, NULL), AN_OK);
        assert_int_equal(an_model_calibrate_add(model, floats[0], 2, NULL), AN_OK);
        for (int64_t poll = 3; cancelled && poll < 160; poll += 24) {
            cancel_at(poll); /* in the first image, and in those behind it */
            assert_int_equal(an_model_calibrate_add(model, floats[2], 3, NULL), AN_ERR_CANCELLED);
        }
        cancel_at(0);
        assert_int_equal(an_model_calibrate_add(model, floats[2], 3, NULL), AN_OK);
        assert_int_equal(an_model_calibrate_end(model, NULL), AN_OK);
        assert_int_equal(an_model_predict(model, floats[0], COUNT, cancelled ? out : wanted, NULL),
                         AN_OK);
        an_model_destroy(model);
    }
    assert_memory_equal(out, wanted, sizeof out);
    an_arrays_destroy(statistics);
    an_backend_destroy(backend);
}

/* Batches come in their order, each once, however often the wait for one is cancelled. */
static void a_cancelled_wait_loses_no_batch(void **state) {
    (void)state;
    for (int32_t threads = 0; threads < 3; threads++) {
        an_loader *loader = make_loader(0, COUNT, 0, threads);
        int64_t seen = 0, cancels = 0;
        an_status st;
        assert_int_equal(an_loader_set_cancel(loader, flag, NULL), AN_OK);
        for (int64_t i = 0; i < 100; i++) {
            const int64_t *samples;
            int64_t n;
            cancel_at(1 + i % 3);
            st = an_loader_next(loader, NULL, NULL, &samples, &n, NULL);
            if (st == AN_DONE) break;
            if (st == AN_ERR_CANCELLED) {
                cancels++;
                if (i % 3 < 2) continue;
                cancel_at(0); /* a worker may have made it, or no time may have been left to it */
                st = an_loader_next(loader, NULL, NULL, &samples, &n, NULL);
            }
            assert_int_equal(st, AN_OK);
            for (int64_t k = 0; k < n; k++)
                assert_int_equal(samples[k], seen++);
        }
        assert_int_equal(st, AN_DONE);
        assert_int_equal(seen, COUNT);
        assert_true(cancels > 0);
        an_loader_destroy(loader);
    }
}

/* --- several at once -------------------------------------------------------------------------- */

static void one_of_two_predictors_is_cancelled(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    an_predictor *first = NULL, *second = NULL;
    an_cancel *own = NULL;
    float before, score;
    cancel_at(0);
    assert_int_equal(an_cancel_create(&own, NULL), AN_OK);
    assert_int_equal(an_predictor_create(&first, model, NULL), AN_OK);
    assert_int_equal(an_predictor_create(&second, model, NULL), AN_OK);
    assert_int_equal(an_predictor_set_cancel(first, own, NULL), AN_OK);
    assert_int_equal(
        an_predictor_score_frame(first, images[0], SIDE, SIDE, 3 * SIDE, &before, NULL), AN_OK);
    an_cancel_request(own);
    an_cancel_destroy(own); /* it lives on */
    assert_int_equal(an_predictor_score_frame(first, images[0], SIDE, SIDE, 3 * SIDE, &score, NULL),
                     AN_ERR_CANCELLED);
    assert_int_equal(
        an_predictor_score_frame(second, images[0], SIDE, SIDE, 3 * SIDE, &score, NULL), AN_OK);
    assert_true(score == before);
    assert_int_equal(an_model_predict(model, floats[0], 1, &score, NULL), AN_OK);
    /* the model's flag is not the predictors' */
    assert_int_equal(an_model_set_cancel(model, flag, NULL), AN_OK);
    an_cancel_request(flag);
    assert_int_equal(an_model_predict(model, floats[0], 1, &score, NULL), AN_ERR_CANCELLED);
    assert_int_equal(
        an_predictor_score_frame(second, images[0], SIDE, SIDE, 3 * SIDE, &score, NULL), AN_OK);
    assert_true(score == before);
    /* what takes no time works all the same, so that the last step can be saved */
    an_arrays_destroy(weights_of(model));
    assert_int_equal(an_model_set_momentum(model, 0.9, NULL), AN_OK);
    an_cancel_reset(flag);
    an_predictor_destroy(second);
    an_predictor_destroy(first);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

typedef struct waiter {
    an_predictor *predictor;
    an_status status;
    atomic_bool done;
} waiter;

static void *score_once(void *data) {
    waiter *w = data;
    float score;
    w->status =
        an_predictor_score_frame(w->predictor, images[0], SIDE, SIDE, 3 * SIDE, &score, NULL);
    atomic_store(&w->done, true);
    return NULL;
}

/* A step under way keeps a predictor waiting whose weights are old. */
static void who_waits_for_the_turn_of_another_call_is_cancelled(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    ani_net *net = ani_model_net(model);
    waiter cancelled = {0}, other = {0};
    pthread_t threads[2];
    cancel_at(0);
    assert_int_equal(an_predictor_create(&cancelled.predictor, model, NULL), AN_OK);
    assert_int_equal(an_predictor_create(&other.predictor, model, NULL), AN_OK);
    assert_int_equal(an_predictor_set_cancel(cancelled.predictor, flag, NULL), AN_OK);
    assert_int_equal(ani_net_begin_change(net, NULL), AN_OK);
    assert_int_equal(pthread_create(&threads[0], NULL, score_once, &cancelled), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, score_once, &other), 0);
    usleep(30000);
    assert_false(atomic_load(&cancelled.done));
    an_cancel_request(flag);
    pthread_join(threads[0], NULL); /* with the turn taken */
    assert_int_equal(cancelled.status, AN_ERR_CANCELLED);
    assert_false(atomic_load(&other.done));
    ani_net_end_change(net);
    pthread_join(threads[1], NULL);
    assert_int_equal(other.status, AN_OK);
    an_predictor_destroy(other.predictor);
    an_predictor_destroy(cancelled.predictor);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void on_alarm(int number) {
    (void)number;
    an_cancel_request(flag);
}

/* A run without end, cancelled by a signal handler, and by another thread. */
static void a_signal_handler_cancels_a_run(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("cpu", NULL, 2);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    an_loader *loader = make_loader(0, COUNT, 1, 1);
    an_trainer *trainer = NULL;
    an_train_options options;
    const struct sigaction action = {.sa_handler = on_alarm};
    struct sigaction before;
    const struct itimerval soon = {.it_value = {.tv_usec = 50000}};
    an_train_options_init(&options, sizeof options);
    options.base = AN_BASE_TRAIN;
    options.max_epochs = 1000000;
    options.early_stop_patience = -1;
    assert_int_equal(an_trainer_create(&trainer, model, loader, NULL, NULL, &options, NULL), AN_OK);
    assert_int_equal(an_model_set_cancel(model, flag, NULL), AN_OK);
    cancel_at(0);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    for (int i = 0; i < 3; i++) {
        an_cancel_reset(flag);
        assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
        assert_int_equal(an_trainer_run(trainer, NULL), AN_ERR_CANCELLED);
        assert_int_equal(an_trainer_run(trainer, NULL), AN_ERR_CANCELLED); /* until it is reset */
    }
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    an_trainer_destroy(trainer);
    an_loader_destroy(loader);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

typedef struct requester {
    an_cancel *cancel;
    atomic_bool over;
    int64_t requests;
    useconds_t pause; /* between two: longer than a few predictions last */
} requester;

static void *request_often(void *data) {
    requester *r = data;
    while (!atomic_load(&r->over)) {
        an_cancel_request(r->cancel);
        usleep(2000);
        an_cancel_reset(r->cancel);
        r->requests++;
        usleep(r->pause);
    }
    return NULL;
}

/* Requests and resets at any moment: what passes is right to the bit, the rest is cancelled. */
static void another_thread_requests_and_resets_at_any_time(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("cpu", NULL, 2);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    requester r = {.cancel = flag};
    pthread_t thread;
    float wanted[COUNT], out[COUNT];
    int64_t passed = 0, cancelled = 0;
    cancel_at(0);
    for (int i = 0; i < 2; i++) { /* the second one packs no weights */
        const double begun = ani_clock_seconds();
        assert_int_equal(an_model_predict(model, floats[0], COUNT, wanted, NULL), AN_OK);
        r.pause = 2000 + (useconds_t)(4e6 * (ani_clock_seconds() - begun));
    }
    assert_int_equal(an_model_set_cancel(model, flag, NULL), AN_OK);
    assert_int_equal(pthread_create(&thread, NULL, request_often, &r), 0);
    for (int i = 0; i < 20000 && (i < 200 || passed < 5 || cancelled < 5); i++) {
        const an_status st = an_model_predict(model, floats[0], COUNT, out, NULL);
        if (st == AN_ERR_CANCELLED) {
            cancelled++;
            sched_yield();
            continue;
        }
        assert_int_equal(st, AN_OK);
        assert_memory_equal(out, wanted, sizeof out);
        passed++;
    }
    atomic_store(&r.over, true);
    pthread_join(thread, NULL);
    an_cancel_reset(flag);
    assert_true(passed >= 5 && cancelled >= 5);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_is_raised_until_it_is_reset),
        cmocka_unit_test(a_cancelled_step_changes_nothing),
        cmocka_unit_test(a_request_that_is_taken_back_still_cancels_the_call_that_saw_it),
        cmocka_unit_test(the_reference_backend_is_cancelled_within_a_unit),
        cmocka_unit_test(a_training_goes_on_as_if_it_was_never_cancelled),
        cmocka_unit_test(a_cancelled_batch_leaves_the_gradients_to_which_it_was_added),
        cmocka_unit_test(moving_statistics_are_restored_once_there_is_memory),
        cmocka_unit_test(a_cancelled_step_of_a_head_keeps_the_calibration),
        cmocka_unit_test(each_call_ends_at_each_poll_and_then_gives_what_it_gave),
        cmocka_unit_test(images_are_added_whole_or_not_at_all),
        cmocka_unit_test(a_cancelled_wait_loses_no_batch),
        cmocka_unit_test(one_of_two_predictors_is_cancelled),
        cmocka_unit_test(who_waits_for_the_turn_of_another_call_is_cancelled),
        cmocka_unit_test(a_signal_handler_cancels_a_run),
        cmocka_unit_test(another_thread_requests_and_resets_at_any_time),
    };
    return cmocka_run_group_tests_name("cancel", tests, set_up, tear_down);
}
