/* SPDX-License-Identifier: MIT
 * Handles that share a parent, on several threads at once: predictors of one model, models on one
 * backend, predictions beside a training; what a callback may call; what a child process gets. What
 * comes out is compared bit by bit with what one thread gets alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <attractivenet/attractivenet.h>

#include "support/folder.h"
#include "support/sanitizers.h"
#include "support/test_folder.h"

enum { SIZE = 32, FRAMES = 8, PIXELS = SIZE * SIZE * 3, SAMPLES = 12, CALLERS = 4 };

static uint8_t frames[SAMPLES][PIXELS];
static double labels[SAMPLES];
static int64_t predictions = 400; /* of each caller; "many": 25,000 */

static int draw_frames(void **state) {
    (void)state;
    unsigned value = 1;
    for (int i = 0; i < SAMPLES; i++) {
        labels[i] = 1 + i % 5;
        for (int k = 0; k < PIXELS; k++) {
            value = value * 1664525u + 1013904223u;
            frames[i][k] = (uint8_t)(value >> 24);
        }
    }
    return 0;
}

/* --- what the cases are made of: none of it calls cmocka, so it may run on any thread --------- */

static an_status make_backend(an_backend **backend, int32_t threads, an_error *err) {
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.threads = threads;
    return an_backend_create(backend, &options, err);
}

static an_status make_model(an_model **model, an_backend *backend, uint32_t seed, an_error *err) {
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.alpha = 0.1;
    options.seed = seed;
    return an_mobilenetv2_create(model, backend, &options, err);
}

static an_status make_batches(an_loader **loader, int32_t shuffle, an_error *err) {
    an_dataset *dataset = NULL;
    an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = 4;
    options.shuffle = shuffle;
    an_status st =
        an_dataset_from_pixels(&dataset, frames[0], SAMPLES, SIZE, SIZE, labels, 1, NULL, err);
    if (!st) st = an_loader_create(loader, dataset, NULL, 0, &options, err);
    an_dataset_destroy(dataset); /* the batches hold it */
    return st;
}

/* Give the moving statistics values that fit the frames, so that outputs differ from each other. */
static an_status settle(an_model *model, an_error *err) {
    an_loader *loader = NULL;
    an_status st = make_batches(&loader, 0, err);
    if (!st) st = an_model_update_batch_norm_begin(model, err);
    for (;;) {
        const float *x;
        int64_t n;
        if (!st) st = an_loader_next(loader, &x, NULL, NULL, &n, err);
        if (!st) st = an_model_update_batch_norm_add(model, x, n, err);
        if (st) break;
    }
    an_loader_destroy(loader);
    return st == AN_DONE ? an_model_update_batch_norm_end(model, err) : st;
}

static an_status choose(an_model *model, int32_t inference, an_error *err) {
    an_loader *loader = NULL;
    if (inference != AN_INFERENCE_INT8) return an_model_set_inference(model, inference, err);
    an_status st = make_batches(&loader, 0, err);
    if (!st) st = an_calibrate_loader(model, loader, 0, NULL, NULL, err);
    an_loader_destroy(loader);
    return st;
}

static an_status score(an_predictor *predictor, int i, float *value, an_error *err) {
    return an_predictor_score_frame(predictor, frames[i], SIZE, SIZE, (int64_t)SIZE * 3, value,
                                    err);
}

/* What one thread gets. */
static an_status score_all(an_model *model, float scores[FRAMES], an_error *err) {
    an_predictor *predictor = NULL;
    an_status st = an_predictor_create(&predictor, model, err);
    for (int i = 0; !st && i < FRAMES; i++)
        st = score(predictor, i, &scores[i], err);
    an_predictor_destroy(predictor);
    return st;
}

typedef struct caller {
    pthread_t thread;
    an_model *model;
    an_predictor *predictor;
    const float *right; /* [FRAMES] */
    int64_t count;      /* predictions */
    int number;
    int64_t wrong, refused;
    an_status status;
    an_error err;
} caller;

static void start(caller *c, void *(*run)(void *)) {
    assert_int_equal(pthread_create(&c->thread, NULL, run, c), 0);
}

static void join(caller *c) {
    pthread_join(c->thread, NULL);
    if (c->status) fail_msg("caller %d: %s", c->number, c->err.message);
    if (c->wrong)
        fail_msg("caller %d: %lld of %lld scores are wrong", c->number, (long long)c->wrong,
                 (long long)c->count);
}

/* --- predictors of one model ------------------------------------------------------------------ */

static void *predict_frames(void *data) {
    caller *c = data;
    an_predictor *predictor = NULL;
    c->status = an_predictor_create(&predictor, c->model, &c->err);
    for (int64_t i = 0; !c->status && i < c->count; i++) {
        const int frame = (int)((i + c->number) % FRAMES);
        float value = -1;
        c->status = score(predictor, frame, &value, &c->err);
        c->wrong += memcmp(&value, &c->right[frame], sizeof value) != 0;
    }
    an_predictor_destroy(predictor);
    return NULL;
}

/* an_model_predict() itself, one frame at a time and several. */
static void *predict_floats(void *data) {
    caller *c = data;
    float x[2 * PIXELS], y[2];
    for (int64_t i = 0; !c->status && i < c->count; i += 2) {
        const int first = (int)((i + c->number) % (FRAMES - 1));
        for (int k = 0; k < 2 * PIXELS; k++)
            x[k] = (float)(frames[first + k / PIXELS][k % PIXELS] / 255.0);
        c->status = an_model_predict(c->model, x, 2, y, &c->err);
        c->wrong += memcmp(y, &c->right[first], sizeof y) != 0;
    }
    return NULL;
}

/* Makes and destroys predictors while others predict. */
static void *come_and_go(void *data) {
    caller *c = data;
    for (int64_t i = 0; !c->status && i < c->count / 20; i++) {
        float scores[FRAMES];
        c->status = score_all(c->model, scores, &c->err);
        c->wrong += memcmp(scores, c->right, sizeof scores) != 0;
    }
    return NULL;
}

/* The same map each time, whatever predicts beside it. */
static void *explain_frames(void *data) {
    caller *c = data;
    float x[PIXELS], first[SIZE * SIZE / 4], map[SIZE * SIZE / 4];
    an_explain_options options;
    an_explain_options_init(&options, sizeof options);
    options.layer = "Conv1_relu";
    for (int k = 0; k < PIXELS; k++)
        x[k] = (float)(frames[0][k] / 255.0);
    c->status = an_model_explain(c->model, x, 1, &options, first, &c->err);
    for (int64_t i = 0; !c->status && i < c->count / 20; i++) {
        c->status = an_model_explain(c->model, x, 1, &options, map, &c->err);
        c->wrong += memcmp(map, first, sizeof map) != 0;
    }
    return NULL;
}

typedef void *(*caller_way)(void *);

static void share_model(int32_t threads, int32_t inference, const caller_way ways[CALLERS]) {
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_error err;
    float right[FRAMES];
    caller callers[CALLERS];
    if (make_backend(&backend, threads, &err) || make_model(&model, backend, 1, &err) ||
        settle(model, &err) || choose(model, inference, &err) || score_all(model, right, &err))
        fail_msg("%s", err.message);
    for (int i = 1; i < FRAMES; i++)
        assert_memory_not_equal(&right[0], &right[i], sizeof right[0]);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){.model = model, .right = right, .count = predictions, .number = i};
        /* int8 takes bytes and floats of the same value alike, as fp32 does */
        start(&callers[i], ways[i]);
    }
    an_backend_destroy(backend); /* all of these hold it */
    for (int i = 0; i < CALLERS; i++)
        join(&callers[i]);
    an_model_destroy(model);
}

static void predictors_share_a_model(void **state) {
    (void)state;
    static const caller_way ways[] = {predict_frames, explain_frames, predict_floats, come_and_go};
    for (int32_t threads = 1; threads <= 3; threads++)
        for (int32_t inference = AN_INFERENCE_FP32; inference <= AN_INFERENCE_BF16; inference++)
            share_model(threads, inference, ways);
}

/* Of 4 predictors on 4 threads each score is looked at: 10^5 in all for each precision. */
static void four_predictors_on_four_threads(void **state) {
    (void)state;
    static const caller_way ways[] = {predict_frames, predict_frames, predict_frames,
                                      predict_frames};
    for (int32_t threads = 1; threads <= 2; threads++)
        for (int32_t inference = AN_INFERENCE_FP32; inference <= AN_INFERENCE_BF16; inference++)
            share_model(threads, inference, ways);
}

/* One predictor on two threads: a call gets the right score or an error, never another score. Its
 * settings are set all the time, too. */
static void *predict_with_one(void *data) {
    caller *c = data;
    for (int64_t i = 0; !c->status && i < c->count; i++) {
        const int frame = (int)((i + c->number) % FRAMES);
        float value = -1;
        an_status st = an_predictor_set_format(c->predictor, AN_FORMAT_RGB, &c->err);
        if (!st) st = an_predictor_set_region(c->predictor, 0, 0, SIZE, SIZE, &c->err);
        if (!st) st = score(c->predictor, frame, &value, &c->err);
        if (st == AN_ERR_ARG)
            c->refused++;
        else if (st)
            c->status = st;
        else
            c->wrong += memcmp(&value, &c->right[frame], sizeof value) != 0;
    }
    return NULL;
}

static void one_predictor_on_two_threads(void **state) {
    (void)state;
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_predictor *predictor = NULL;
    an_error err;
    float right[FRAMES];
    caller callers[2];
    if (make_backend(&backend, 1, &err) || make_model(&model, backend, 1, &err) ||
        settle(model, &err) || score_all(model, right, &err) ||
        an_predictor_create(&predictor, model, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < 2; i++) {
        callers[i] =
            (caller){.predictor = predictor, .right = right, .count = predictions, .number = i};
        start(&callers[i], predict_with_one);
    }
    for (int i = 0; i < 2; i++)
        join(&callers[i]);
    an_predictor_destroy(predictor);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* --- models on one backend -------------------------------------------------------------------- */

typedef struct run {
    pthread_t thread;
    an_backend *backend;
    uint32_t seed;
    double losses[6];
    float scores[FRAMES];
    an_status status;
    an_error err;
} run;

/* A training by hand that clips all gradients together, then int8 and features. */
static void *train_by_hand(void *data) {
    run *r = data;
    an_model *model = NULL;
    an_optimizer *optimizer = NULL;
    an_loader *loader = NULL;
    an_optimizer_options options;
    an_optimizer_options_init(&options, sizeof options);
    options.clip_norm = 0.5;
    an_status st = make_model(&model, r->backend, r->seed, &r->err);
    if (!st) st = an_model_set_base(model, AN_BASE_TRAIN, &r->err);
    if (!st) st = an_optimizer_create(&optimizer, model, &options, &r->err);
    if (!st) st = make_batches(&loader, 1, &r->err);
    for (int step = 0; !st && step < 6; step++) {
        const float *x, *y;
        int64_t n;
        if (step % 3 == 0) st = an_loader_begin(loader, step / 3, 0, &r->err);
        if (!st) st = an_loader_next(loader, &x, &y, NULL, &n, &r->err);
        if (!st) st = an_model_compute_gradients(model, x, y, n, NULL, &r->losses[step], &r->err);
        if (!st) st = an_optimizer_step(optimizer, 1e-3, &r->err);
    }
    if (!st) st = settle(model, &r->err);
    if (!st) st = choose(model, AN_INFERENCE_INT8, &r->err);
    if (!st) st = score_all(model, r->scores, &r->err);
    r->status = st;
    an_loader_destroy(loader);
    an_optimizer_destroy(optimizer);
    an_model_destroy(model);
    return NULL;
}

static void models_share_a_backend(void **state) {
    (void)state;
    enum { COUNT = 3 };
    an_error err;
    for (int32_t threads = 1; threads <= 3; threads++) {
        run alone[COUNT], beside[COUNT];
        an_backend *backend = NULL;
        if (make_backend(&backend, threads, &err)) fail_msg("%s", err.message);
        for (int i = 0; i < COUNT; i++) {
            alone[i] = beside[i] = (run){.backend = backend, .seed = 1 + (uint32_t)i};
            train_by_hand(&alone[i]);
            if (alone[i].status) fail_msg("%s", alone[i].err.message);
        }
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(pthread_create(&beside[i].thread, NULL, train_by_hand, &beside[i]), 0);
        for (int i = 0; i < COUNT; i++)
            pthread_join(beside[i].thread, NULL);
        for (int i = 0; i < COUNT; i++) {
            if (beside[i].status) fail_msg("%s", beside[i].err.message);
            assert_memory_equal(beside[i].losses, alone[i].losses, sizeof alone[i].losses);
            assert_memory_equal(beside[i].scores, alone[i].scores, sizeof alone[i].scores);
        }
        an_backend_destroy(backend);
    }
}

/* Callers may have small stacks, as threads of musl and of Go's C calls have. */
static void a_small_stack_is_enough(void **state) {
    (void)state;
    if (HAS_ASAN || HAS_TSAN) skip(); /* frames are larger there */
    an_error err;
    an_backend *backend = NULL;
    pthread_attr_t attributes;
    run small = {.seed = 1}, large = {.seed = 1};
    if (make_backend(&backend, 1, &err)) fail_msg("%s", err.message);
    small.backend = large.backend = backend;
    train_by_hand(&large);
    pthread_attr_init(&attributes);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 256 << 10), 0);
    assert_int_equal(pthread_create(&small.thread, &attributes, train_by_hand, &small), 0);
    pthread_join(small.thread, NULL);
    pthread_attr_destroy(&attributes);
    if (small.status) fail_msg("%s", small.err.message);
    assert_memory_equal(small.losses, large.losses, sizeof large.losses);
    assert_memory_equal(small.scores, large.scores, sizeof large.scores);
    an_backend_destroy(backend);
}

/* --- a model under training ------------------------------------------------------------------- */

enum { MAX_STATES = 64 };

typedef struct watch {
    an_model *model;
    an_predictor *own; /* of the thread that trains */
    /* score of frame 0 before the first step, after each one, and so on */
    float states[MAX_STATES];
    int count;
    atomic_bool over;
    an_status status;
    an_error err;
} watch;

static int32_t keep_state(void *user, const an_train_event *event) {
    watch *w = user;
    (void)event;
    if (w->count < MAX_STATES) w->status = score(w->own, 0, &w->states[w->count++], &w->err);
    return w->status != AN_OK;
}

typedef struct looker {
    pthread_t thread;
    watch *watch;
    char path[512]; /* of a model file of its own */
    float seen[4096];
    int count;
    int64_t looks;
    an_status status;
    an_error err;
} looker;

/* Looks at the score, the weights, the features, a saved file and what the model is, as long as it
 * is trained. */
static void *look(void *data) {
    static const float x[PIXELS];
    looker *l = data;
    an_predictor *predictor = NULL;
    float features[1280];
    l->status = an_predictor_create(&predictor, l->watch->model, &l->err);
    while (!l->status && !atomic_load(&l->watch->over)) {
        float value = 0;
        an_arrays *weights = NULL;
        an_model_info info = {.struct_size = sizeof info};
        l->status = score(predictor, 0, &value, &l->err);
        if (l->count == 0 || memcmp(&l->seen[l->count - 1], &value, sizeof value) != 0)
            if (l->count < 4096) l->seen[l->count++] = value;
        if (!l->status && l->looks % 8 == 0)
            l->status = an_model_copy_weights(&weights, l->watch->model, &l->err);
        if (!l->status && l->looks % 8 == 4)
            l->status = an_model_compute_features(l->watch->model, x, 1, features, &l->err);
        if (!l->status && l->looks % 64 == 0)
            l->status = an_model_save(l->watch->model, l->path, &l->err);
        if (!l->status) l->status = an_model_describe(l->watch->model, &info, &l->err);
        an_arrays_destroy(weights);
        l->looks++;
    }
    an_predictor_destroy(predictor);
    return NULL;
}

static void watch_training(int32_t base) {
    watch w = {0};
    static looker lookers[2];
    an_backend *backend = NULL;
    an_loader *train = NULL, *val = NULL;
    an_trainer *trainer = NULL;
    an_train_options options;
    an_error err;
    an_train_options_init(&options, sizeof options);
    options.max_epochs = 4;
    options.base = base;
    options.on_event = keep_state;
    options.event_user = &w;
    if (make_backend(&backend, 2, &err) || make_model(&w.model, backend, 1, &err) ||
        settle(w.model, &err) || make_batches(&train, 1, &err) || make_batches(&val, 0, &err) ||
        an_predictor_create(&w.own, w.model, &err) ||
        an_trainer_create(&trainer, w.model, train, val, NULL, &options, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < 2; i++) {
        lookers[i] = (looker){.watch = &w};
        snprintf(lookers[i].path, sizeof lookers[i].path, "%s/%d.safetensors", test_folder, i);
        assert_int_equal(pthread_create(&lookers[i].thread, NULL, look, &lookers[i]), 0);
    }
    const an_status st = an_trainer_run(trainer, &err);
    atomic_store(&w.over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(lookers[i].thread, NULL);
    if (st) fail_msg("%s (%s)", err.message, w.err.message);
    assert_true(w.count > 8 && w.count < MAX_STATES);
    for (int i = 0; i < 2; i++) {
        if (lookers[i].status) fail_msg("%s", lookers[i].err.message);
        for (int k = 0; k < lookers[i].count; k++) {
            int found = 0;
            for (int s = 0; s < w.count; s++)
                found |= memcmp(&lookers[i].seen[k], &w.states[s], sizeof(float)) == 0;
            if (!found) fail_msg("score %.9g is that of no step", (double)lookers[i].seen[k]);
        }
    }
    an_predictor_destroy(w.own);
    an_trainer_destroy(trainer);
    an_loader_destroy(val);
    an_loader_destroy(train);
    an_model_destroy(w.model);
    an_backend_destroy(backend);
}

static void scores_beside_a_training_are_those_of_a_step(void **state) {
    (void)state;
    for (int32_t base = AN_BASE_FROZEN; base <= AN_BASE_FINETUNE; base++)
        watch_training(base);
}

/* --- in a callback ---------------------------------------------------------------------------- */

typedef struct inside {
    an_model *model;
    an_trainer *trainer, *other;
    an_loader *train, *val;
    an_arrays *weights;
    const char *path;
    int checked[AN_EVENT_VALIDATION + 1]; /* by kind of event */
    char problem[400];
} inside;

static int expect(inside *in, const char *what, an_status got, an_status wanted,
                  const an_error *err) {
    if (got == wanted) return 0;
    snprintf(in->problem, sizeof in->problem, "%s returned %d, not %d: %s", what, (int)got,
             (int)wanted, err->message);
    return 1;
}

/* What is allowed works, the rest is refused and leaves the run as it is. */
static int32_t call_back(void *user, const an_train_event *event) {
    inside *in = user;
    an_error err = {0};
    double loss = 0;
    float scores[FRAMES], map[SIZE * SIZE];
    static const float image[PIXELS];
    an_loader *own = NULL;
    int bad = 0;
    if (in->checked[event->kind]++) return 0;
    bad |= expect(in, "predicting", score_all(in->model, scores, &err), AN_OK, &err);
    bad |= expect(in, "saving", an_model_save(in->model, in->path, &err), AN_OK, &err);
    bad |= expect(in, "batches", make_batches(&own, 0, &err), AN_OK, &err);
    bad |= expect(in, "evaluating",
                  an_model_evaluate(in->model, own, NULL, &loss, NULL, NULL, &err), AN_OK, &err);
    an_loader_destroy(own);
    if (event->kind == AN_EVENT_EPOCH_END)
        bad |= expect(in, "evaluating the validation batches",
                      an_model_evaluate(in->model, in->val, NULL, &loss, NULL, NULL, &err), AN_OK,
                      &err);
    if (event->kind == AN_EVENT_STEP) {
        bad |= expect(in, "evaluating the training batches",
                      an_model_evaluate(in->model, in->train, NULL, &loss, NULL, NULL, &err),
                      AN_ERR_ARG, &err);
        bad |= expect(in, "reading the training batches",
                      an_loader_next(in->train, NULL, NULL, NULL, NULL, &err), AN_ERR_ARG, &err);
    }
    const double rate = an_trainer_learning_rate(in->trainer);
    bad |= expect(in, "setting the rate", an_trainer_set_learning_rate(in->trainer, rate, &err),
                  AN_OK, &err);
    bad |= expect(in, "a run in itself", an_trainer_run(in->trainer, &err), AN_ERR_ARG, &err);
    bad |= expect(in, "an epoch in itself", an_trainer_run_epoch(in->trainer, NULL, &err),
                  AN_ERR_ARG, &err);
    bad |= expect(in, "another trainer", an_trainer_run(in->other, &err), AN_ERR_ARG, &err);
    bad |=
        expect(in, "weights", an_model_set_weights(in->model, in->weights, &err), AN_ERR_ARG, &err);
    bad |= expect(in, "a new head", an_model_reset_head(in->model, 1, &err), AN_ERR_ARG, &err);
    bad |= expect(in, "a base mode", an_model_set_base(in->model, AN_BASE_TRAIN, &err), AN_ERR_ARG,
                  &err);
    bad |= expect(in, "calibrating", an_calibrate_loader(in->model, in->val, 0, NULL, NULL, &err),
                  AN_ERR_ARG, &err);
    bad |= expect(in, "updating batch norm", an_model_update_batch_norm_begin(in->model, &err),
                  AN_ERR_ARG, &err);
    bad |= expect(in, "explaining", an_model_explain(in->model, image, 1, NULL, map, &err),
                  AN_ERR_ARG, &err);
    bad |= expect(in, "bf16", an_model_set_inference(in->model, AN_INFERENCE_BF16, &err),
                  AN_ERR_ARG, &err);
    return bad;
}

static an_status train_inside(inside *in, an_train_fn on_event, const char *path, double *best,
                              an_error *err) {
    an_backend *backend = NULL;
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    options.max_epochs = 2;
    options.base = AN_BASE_TRAIN;
    an_status st = make_backend(&backend, 2, err);
    if (!st) st = make_model(&in->model, backend, 1, err);
    if (!st) st = make_batches(&in->train, 1, err);
    if (!st) st = make_batches(&in->val, 0, err);
    if (!st) st = an_model_copy_weights(&in->weights, in->model, err);
    if (!st) st = an_trainer_create(&in->other, in->model, in->train, in->val, NULL, &options, err);
    options.on_event = on_event;
    options.event_user = in;
    in->path = path;
    if (!st)
        st = an_trainer_create(&in->trainer, in->model, in->train, in->val, NULL, &options, err);
    if (!st) st = an_trainer_run(in->trainer, err);
    *best = an_trainer_best(in->trainer);
    an_trainer_destroy(in->other);
    an_trainer_destroy(in->trainer);
    an_arrays_destroy(in->weights);
    an_loader_destroy(in->train);
    an_loader_destroy(in->val);
    an_model_destroy(in->model);
    an_backend_destroy(backend);
    return st;
}

static void callbacks_may_look_and_not_change(void **state) {
    (void)state;
    inside plain = {0}, called = {0};
    double alone = 0, best = 1;
    an_error err;
    if (train_inside(&plain, NULL, NULL, &alone, &err)) fail_msg("%s", err.message);
    if (train_inside(&called, call_back, folder_path(test_folder, "m.safetensors"), &best, &err))
        fail_msg("%s; %s", err.message, called.problem);
    for (int kind = AN_EVENT_EPOCH_BEGIN; kind <= AN_EVENT_EPOCH_END; kind++)
        assert_true(called.checked[kind] > 1);
    assert_true(called.checked[AN_EVENT_VALIDATION] > 1);
    assert_memory_equal(&alone, &best, sizeof best);
}

/* A callback that sets the rate moves the run; one that gives up the trainer ends it well. */
static int32_t halve_rate(void *user, const an_train_event *event) {
    inside *in = user;
    an_error err;
    if (event->kind != AN_EVENT_EPOCH_END) return 0;
    const double rate = an_trainer_learning_rate(in->trainer);
    if (an_trainer_set_learning_rate(in->trainer, -1, &err) != AN_ERR_ARG) return 1;
    return an_trainer_set_learning_rate(in->trainer, rate / 2, &err) != AN_OK;
}

static int32_t give_up(void *user, const an_train_event *event) {
    inside *in = user;
    if (event->kind != AN_EVENT_STEP || !in->trainer) return 0;
    an_trainer_destroy(in->trainer);
    in->trainer = NULL;
    an_loader_destroy(in->train);
    in->train = NULL;
    an_model_destroy(in->model);
    in->model = NULL;
    return 0;
}

static void the_rate_is_set_in_a_callback(void **state) {
    (void)state;
    inside in = {0};
    double best;
    an_error err;
    an_train_options options;
    an_history *history = NULL;
    an_backend *backend = NULL;
    an_train_options_init(&options, sizeof options);
    options.max_epochs = 3;
    options.base = AN_BASE_TRAIN;
    options.on_event = halve_rate;
    options.event_user = &in;
    if (make_backend(&backend, 1, &err) || make_model(&in.model, backend, 1, &err) ||
        make_batches(&in.train, 1, &err) || an_history_create(&history, &err) ||
        an_trainer_create(&in.trainer, in.model, in.train, NULL, history, &options, &err) ||
        an_trainer_run(in.trainer, &err))
        fail_msg("%s", err.message);
    assert_true(an_trainer_learning_rate(in.trainer) == 1e-3 / 8);
    an_trainer_destroy(in.trainer);
    an_loader_destroy(in.train);
    an_model_destroy(in.model);
    an_backend_destroy(backend);
    an_history_destroy(history);
    inside gone = {0};
    if (train_inside(&gone, give_up, NULL, &best, &err)) fail_msg("%s", err.message);
}

/* The images of one calibration are those of one call, whatever else is called meanwhile. */
static int32_t call_while_calibrating(void *user, const an_progress *progress) {
    inside *in = user;
    an_error err = {0};
    float scores[FRAMES];
    int bad = 0;
    if (progress->done == progress->total) in->checked[0]++;
    bad |= expect(in, "predicting", score_all(in->model, scores, &err), AN_OK, &err);
    bad |= expect(in, "saving", an_model_save(in->model, in->path, &err), AN_OK, &err);
    bad |= expect(in, "calibrating", an_model_calibrate_begin(in->model, &err), AN_ERR_ARG, &err);
    bad |= expect(in, "another calibration",
                  an_calibrate_loader(in->model, in->val, 0, NULL, NULL, &err), AN_ERR_ARG, &err);
    bad |= expect(in, "its end", an_model_calibrate_end(in->model, &err), AN_ERR_ARG, &err);
    return bad;
}

static void a_calibration_is_of_one_call(void **state) {
    (void)state;
    inside in = {.path = folder_path(test_folder, "int8.safetensors")};
    an_backend *backend = NULL;
    float alone[FRAMES], beside[FRAMES];
    an_error err;
    if (make_backend(&backend, 1, &err) || make_model(&in.model, backend, 1, &err) ||
        settle(in.model, &err) || make_batches(&in.val, 0, &err) ||
        choose(in.model, AN_INFERENCE_INT8, &err) || score_all(in.model, alone, &err))
        fail_msg("%s", err.message);
    if (an_calibrate_loader(in.model, in.val, 0, call_while_calibrating, &in, &err))
        fail_msg("%s; %s", err.message, in.problem);
    assert_int_equal(in.checked[0], 1);
    if (score_all(in.model, beside, &err)) fail_msg("%s", err.message);
    assert_memory_equal(alone, beside, sizeof alone);
    an_loader_destroy(in.val);
    an_model_destroy(in.model);
    an_backend_destroy(backend);
}

/* --- one loader ------------------------------------------------------------------------------- */

typedef struct evaluation {
    pthread_t thread;
    an_model *model;
    an_loader *loader;
    double right;
    int wrong;
    an_status status;
    an_error err;
} evaluation;

static void *evaluate_often(void *data) {
    evaluation *e = data;
    for (int done = 0; done < 20 && !e->status;) {
        double loss = -1;
        const an_status st =
            an_model_evaluate(e->model, e->loader, NULL, &loss, NULL, NULL, &e->err);
        if (st == AN_ERR_ARG) {
            sched_yield(); /* the other one reads them */
        } else if (st) {
            e->status = st;
        } else {
            e->wrong += memcmp(&loss, &e->right, sizeof loss) != 0;
            done++;
        }
    }
    return NULL;
}

static void batches_are_read_by_one_at_a_time(void **state) {
    (void)state;
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_loader *loader = NULL;
    evaluation each[2];
    double right;
    an_error err;
    if (make_backend(&backend, 2, &err) || make_model(&model, backend, 1, &err) ||
        settle(model, &err) || make_batches(&loader, 0, &err) ||
        an_model_evaluate(model, loader, NULL, &right, NULL, NULL, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < 2; i++) {
        each[i] = (evaluation){.model = model, .loader = loader, .right = right};
        assert_int_equal(pthread_create(&each[i].thread, NULL, evaluate_often, &each[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(each[i].thread, NULL);
    for (int i = 0; i < 2; i++) {
        if (each[i].status) fail_msg("%s", each[i].err.message);
        assert_int_equal(each[i].wrong, 0);
    }
    an_loader_destroy(loader);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* --- processes -------------------------------------------------------------------------------- */

/* In a child of fork(): inherited handles answer with an error and are destroyed without waiting,
 * new ones work. Returns what is wrong, 0: nothing. */
static int be_a_child(an_backend *backend, an_model *model, an_predictor *predictor,
                      an_loader *loader, an_trainer *trainer, const float right[FRAMES]) {
    an_error err = {0};
    an_predictor *another = NULL;
    an_arrays *weights = NULL;
    an_backend *own = NULL;
    an_model *new_model = NULL;
    an_model_info info = {.struct_size = sizeof info};
    float value = 0, scores[FRAMES], x[PIXELS] = {0};
    double loss;
    alarm(60);
    if (score(predictor, 0, &value, &err) != AN_ERR_ARG || !strstr(err.message, "fork()")) return 1;
    if (an_model_predict(model, x, 1, &value, &err) != AN_ERR_ARG) return 2;
    if (an_loader_next(loader, NULL, NULL, NULL, NULL, &err) != AN_ERR_ARG) return 3;
    if (an_trainer_run(trainer, &err) != AN_ERR_ARG) return 4;
    if (an_model_copy_weights(&weights, model, &err) != AN_ERR_ARG) return 5;
    if (an_model_evaluate(model, loader, NULL, &loss, NULL, NULL, &err) != AN_ERR_ARG) return 6;
    if (an_predictor_create(&another, model, &err) != AN_ERR_ARG) return 7;
    if (make_model(&new_model, backend, 1, &err) != AN_ERR_ARG) return 8;
    if (an_model_describe(model, &info, &err) != AN_ERR_ARG) return 11;
    an_predictor_destroy(predictor);
    an_trainer_destroy(trainer);
    an_loader_destroy(loader);
    an_model_destroy(model);
    an_backend_destroy(backend);
    if (make_backend(&own, 2, &err) || make_model(&new_model, own, 1, &err) ||
        settle(new_model, &err) || score_all(new_model, scores, &err))
        return 9;
    if (memcmp(scores, right, sizeof scores) != 0) return 10;
    an_model_destroy(new_model);
    an_backend_destroy(own);
    return 0;
}

static void a_child_is_told_that_handles_are_not_its_own(void **state) {
    (void)state;
    if (HAS_TSAN) skip(); /* it does not go on after fork() */
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_predictor *predictor = NULL;
    an_loader *loader = NULL, *train = NULL;
    an_trainer *trainer = NULL;
    an_error err;
    float right[FRAMES], value;
    if (make_backend(&backend, 2, &err) || make_model(&model, backend, 1, &err) ||
        settle(model, &err) || an_predictor_create(&predictor, model, &err) ||
        make_batches(&loader, 0, &err) || make_batches(&train, 1, &err) ||
        an_trainer_create(&trainer, model, train, NULL, NULL, NULL, &err) ||
        score_all(model, right, &err) || score(predictor, 0, &value, &err))
        fail_msg("%s", err.message);
    for (int round = 0; round < 3; round++) { /* helpers awake, helpers asleep */
        int status = 0;
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) _exit(be_a_child(backend, model, predictor, loader, trainer, right));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        if (score(predictor, 0, &value, &err)) fail_msg("%s", err.message);
        assert_memory_equal(&value, &right[0], sizeof value);
        usleep(20000);
    }
    an_trainer_destroy(trainer);
    an_predictor_destroy(predictor);
    an_loader_destroy(train);
    an_loader_destroy(loader);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/* The library's threads block what a program may wait for, and have names. */
static void threads_have_names_and_block_signals(void **state) {
    (void)state;
    an_backend *backend = NULL;
    an_loader *loader = NULL;
    an_error err;
    int workers = 0, loaders = 0;
    if (make_backend(&backend, 3, &err) || make_batches(&loader, 0, &err))
        fail_msg("%s", err.message);
    DIR *folder = opendir("/proc/self/task");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[300], line[200], name[32] = "";
        unsigned long long blocked = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "r");
        if (!file) continue;
        while (fgets(line, sizeof line, file)) {
            sscanf(line, "Name: %31s", name);
            sscanf(line, "SigBlk: %llx", &blocked);
        }
        fclose(file);
        if (strncmp(name, "an-", 3) != 0) continue;
        workers += !strncmp(name, "an-worker-", 10);
        loaders += !strcmp(name, "an-loader");
        const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM};
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
            assert_true(blocked >> (wanted[i] - 1) & 1);
    }
    closedir(folder);
    assert_int_equal(workers, 2);
    assert_int_equal(loaders, 1);
    an_loader_destroy(loader);
    an_backend_destroy(backend);
}

/* --- copies of a model ------------------------------------------------------------------------ */

/* One of those who copy a model that is being trained. */
typedef struct copier {
    pthread_t thread;
    an_model *trained;   /* changes all the time */
    an_model *kept;      /* a copy of before, which never changes */
    an_backend *backend; /* for copies; NULL: that of the model */
    const float *right;  /* [FRAMES]: what kept scores */
    int number;
    int64_t wrong;
    an_status status;
    an_error err;
} copier;

/* A copy keeps its scores whatever happens to the model, until it is changed itself. */
static void *copy_and_score(void *data) {
    copier *c = data;
    for (int i = 0; !c->status && i < (HAS_TSAN ? 6 : 20); i++) {
        an_model *copy = NULL, *second = NULL;
        float first[FRAMES] = {0}, again[FRAMES] = {0};
        const int32_t weights = (i + c->number) % 3 ? AN_SHARE_WEIGHTS : AN_COPY_WEIGHTS;
        an_model *from = i % 2 ? c->trained : c->kept;
        c->status = an_model_copy(&copy, from, c->backend, weights, &c->err);
        if (!c->status) c->status = score_all(copy, first, &c->err);
        if (!c->status) c->status = an_model_copy(&second, copy, NULL, AN_SHARE_WEIGHTS, &c->err);
        if (!c->status) c->status = an_model_reset_head(copy, 3, &c->err);
        if (!c->status) c->status = score_all(second, again, &c->err);
        c->wrong += memcmp(again, first, sizeof first) != 0;
        if (from == c->kept) c->wrong += memcmp(first, c->right, sizeof first) != 0;
        if (!c->status) c->status = score_all(copy, again, &c->err);
        c->wrong += memcmp(again, first, sizeof first) == 0;
        an_model_destroy(copy);
        an_model_destroy(second);
    }
    return NULL;
}

static void copies_are_made_beside_a_training(void **state) {
    (void)state;
    static float x[2 * PIXELS];
    static const float y[2] = {1, 3};
    an_backend *backend = NULL, *other = NULL;
    an_model *model = NULL, *kept = NULL;
    an_optimizer *optimizer = NULL;
    an_error err;
    float right[FRAMES], after[FRAMES];
    copier copiers[3];
    for (int k = 0; k < 2 * PIXELS; k++)
        x[k] = (float)(frames[k / PIXELS][k % PIXELS] / 255.0);
    if (make_backend(&backend, 2, &err) || make_backend(&other, 1, &err) ||
        make_model(&model, backend, 1, &err) || settle(model, &err) ||
        score_all(model, right, &err) ||
        an_model_copy(&kept, model, other, AN_SHARE_WEIGHTS, &err) ||
        an_model_set_base(model, AN_BASE_TRAIN, &err) ||
        an_optimizer_create(&optimizer, model, NULL, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < 3; i++) {
        copiers[i] = (copier){.trained = model, .kept = kept, .right = right, .number = i};
        copiers[i].backend = i == 0 ? NULL : i == 1 ? backend : other;
        assert_int_equal(pthread_create(&copiers[i].thread, NULL, copy_and_score, &copiers[i]), 0);
    }
    for (int i = 0; i < (HAS_TSAN ? 6 : 20); i++) {
        if (an_model_compute_gradients(model, x, y, 2, NULL, NULL, &err) ||
            an_optimizer_step(optimizer, 0.01, &err) ||
            an_model_set_momentum(model, 0.9 + i / 1000.0, &err))
            fail_msg("%s", err.message);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(copiers[i].thread, NULL);
        if (copiers[i].status) fail_msg("copier %d: %s", i, copiers[i].err.message);
        if (copiers[i].wrong) fail_msg("copier %d: %lld wrong", i, (long long)copiers[i].wrong);
    }
    an_optimizer_destroy(optimizer);
    an_model_destroy(model);
    an_backend_destroy(backend);
    if (score_all(kept, after, &err)) fail_msg("%s", err.message);
    assert_memory_equal(after, right, sizeof right);
    an_model_destroy(kept);
    an_backend_destroy(other);
}

/* --- names of classes ------------------------------------------------------------------------- */

typedef struct namer {
    an_model *model;
    atomic_bool over;
    int64_t failures;
} namer;

static const char *const classes[3] = {"cat", "dog", "horse"};

static void *name_often(void *data) {
    namer *n = data;
    while (!atomic_load(&n->over)) {
        n->failures += an_model_set_class_names(n->model, classes, 3, NULL) != AN_OK;
        n->failures += an_model_set_class_names(n->model, NULL, 0, NULL) != AN_OK;
    }
    return NULL;
}

/* Who compares the names with those of a data set holds them meanwhile. */
static void names_are_set_beside_an_evaluation(void **state) {
    (void)state;
    static const double numbers[SAMPLES] = {0, 1, 2, 1};
    an_mobilenetv2_options options;
    an_dataset_options kinds;
    an_backend *backend = NULL;
    an_dataset *dataset = NULL;
    an_loader *loader = NULL;
    namer n = {0};
    pthread_t thread;
    an_error err;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.alpha = 0.1;
    options.outputs = 3;
    options.task = AN_TASK_CLASSIFICATION;
    an_dataset_options_init(&kinds, sizeof kinds);
    kinds.labels = AN_LABELS_CLASSES;
    kinds.classes = classes;
    kinds.class_count = 3;
    if (make_backend(&backend, 1, &err) ||
        an_mobilenetv2_create(&n.model, backend, &options, &err) ||
        an_dataset_from_pixels(&dataset, frames[0], 4, SIZE, SIZE, numbers, 3, &kinds, &err) ||
        an_loader_create(&loader, dataset, NULL, 0, NULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(pthread_create(&thread, NULL, name_often, &n), 0);
    for (int i = 0; i < 50; i++) {
        double loss;
        if (an_model_evaluate(n.model, loader, NULL, &loss, NULL, NULL, &err))
            fail_msg("%s", err.message);
        const int32_t count = an_model_class_count(n.model);
        assert_true(count == 0 || count == 3);
    }
    atomic_store(&n.over, true);
    pthread_join(thread, NULL);
    assert_int_equal(n.failures, 0);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
    an_model_destroy(n.model);
    an_backend_destroy(backend);
}

int main(int argc, char **argv) {
    const struct CMUnitTest many[] = {cmocka_unit_test(four_predictors_on_four_threads),
                                      cmocka_unit_test(predictors_share_a_model)};
    if (argc > 1 && !strcmp(argv[1], "many")) {
        predictions = 25000; /* of each caller: 10^5 for each precision and number of threads */
        return cmocka_run_group_tests_name("shared_many", many, draw_frames, NULL);
    }
    if (HAS_TSAN) predictions = 60;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictors_share_a_model),
        cmocka_unit_test(one_predictor_on_two_threads),
        cmocka_unit_test(models_share_a_backend),
        cmocka_unit_test(copies_are_made_beside_a_training),
        cmocka_unit_test(names_are_set_beside_an_evaluation),
        cmocka_unit_test(a_small_stack_is_enough),
        unit_test_in_folder(scores_beside_a_training_are_those_of_a_step),
        unit_test_in_folder(callbacks_may_look_and_not_change),
        cmocka_unit_test(the_rate_is_set_in_a_callback),
        unit_test_in_folder(a_calibration_is_of_one_call),
        cmocka_unit_test(batches_are_read_by_one_at_a_time),
        cmocka_unit_test(a_child_is_told_that_handles_are_not_its_own),
        cmocka_unit_test(threads_have_names_and_block_signals),
    };
    return cmocka_run_group_tests_name("shared", tests, draw_frames, NULL);
}
