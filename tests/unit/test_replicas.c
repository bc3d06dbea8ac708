/* SPDX-License-Identifier: MIT
 * replicas: n of them against one, the same bits on every run, and what goes wrong on one of them.
 * The steps of Keras by two replicas are golden topic training. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <attractivenet/mobilenetv2.h>
#include <attractivenet/train.h>

#include "base/fault.h"
#include "base/numa.h"
#include "support/backends.h"
#include "support/data.h"
#include "support/folder.h"
#include "support/ranks.h"
#include "support/sanitizers.h"
#include "support/small_model.h"
#include "support/test_folder.h"

enum { WIDE = 64, WIDE_PIXELS = WIDE * WIDE * 3, COUNT = 23, TRAIN = 15, BATCH = 4, MOST = 4 };

/* --- the first step of the whole network ------------------------------------------------------ */

static an_model *make_wide(an_backend *backend, double alpha, uint32_t seed) {
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_error err = {0};
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = WIDE;
    options.alpha = alpha;
    options.seed = seed;
    options.scale = AN_SCALE_UNIT;
    if (an_mobilenetv2_create(&model, backend, &options, &err)) fail_msg("%s", err.message);
    return model;
}

enum { IMAGES = 10 };

/* n images in their order, or in another one: `turn` from 1 to others_of(n). */
static void make_batch(float x[IMAGES * WIDE_PIXELS], float y[IMAGES], int64_t n, int64_t turn) {
    static uint8_t rgb[WIDE_PIXELS];
    for (int64_t i = 0; i < n; i++) {
        const int64_t from = (i + turn) % n;
        data_draw(rgb, WIDE, WIDE, turn < n ? from : n - 1 - from);
        for (int64_t k = 0; k < WIDE_PIXELS; k++)
            x[i * WIDE_PIXELS + k] = (float)rgb[k] / 255;
        y[i] = (float)data_score(turn < n ? from : n - 1 - from);
    }
}

enum { OTHERS = 8 };

static int64_t others_of(int64_t n) {
    return 2 * n - 1 < OTHERS ? 2 * n - 1 : OTHERS;
}

/* What a step computes. */
typedef struct outcome {
    double loss;
    an_arrays *gradients, *weights; /* weights: for the moving statistics */
} outcome;

static outcome compute(const test_backend *which, double alpha, int32_t base, int32_t ranks,
                       int32_t synchronise, int64_t n, int64_t turn) {
    static float x[IMAGES * WIDE_PIXELS], y[IMAGES];
    outcome out = {0};
    an_error err = {0};
    an_backend *backend = test_backend_open(which);
    an_model *model = make_wide(backend, alpha, 5);
    make_batch(x, y, n, turn);
    assert_int_equal(an_model_set_base(model, base, NULL), AN_OK);
    assert_int_equal(an_model_set_momentum(model, 0.5, NULL), AN_OK);
    an_status st = ranks ? ranks_gradients(model, ranks, synchronise, x, y, n, &out.loss, &err)
                         : an_model_compute_gradients(model, x, y, n, NULL, &out.loss, &err);
    if (st) fail_msg("%d replicas: %s", (int)ranks, err.message);
    assert_int_equal(an_model_copy_gradients(&out.gradients, model, NULL), AN_OK);
    assert_int_equal(an_model_copy_weights(&out.weights, model, NULL), AN_OK);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return out;
}

static void forget(outcome *o) {
    an_arrays_destroy(o->gradients);
    an_arrays_destroy(o->weights);
}

static int64_t length_of(const an_arrays *arrays, int64_t index) {
    int64_t count = 1;
    for (int32_t axis = 0; axis < an_arrays_rank(arrays, index); axis++)
        count *= an_arrays_length(arrays, index, axis);
    return count;
}

static double norm_of(const an_arrays *arrays, int64_t index) {
    double sum = 0;
    for (int64_t i = 0; i < length_of(arrays, index); i++)
        sum += pow((double)an_arrays_data(arrays, index)[i], 2);
    return sqrt(sum);
}

static double distance_of(const an_arrays *a, const an_arrays *b, int64_t index) {
    double sum = 0;
    assert_string_equal(an_arrays_name(a, index), an_arrays_name(b, index));
    for (int64_t i = 0; i < length_of(a, index); i++)
        sum += pow((double)an_arrays_data(a, index)[i] - (double)an_arrays_data(b, index)[i], 2);
    return sqrt(sum);
}

/* Replicas add the same terms in another order, and so does one device whose batch has its images
 * in another order: mathematically nothing changes, and what does is the rounding, amplified as
 * this network amplifies it. So the limit of an array is measured: the largest distance of up to
 * eight other orders. Another draw of the same kind is above the largest of eight in one case of
 * nine, whatever the distribution, and above three times that practically never: a distance is the
 * root of a sum of many squares. 1e-6 of the largest array, 8 units of the last place of a float,
 * is for arrays that are rounding alone: a beta before another batch norm has gradient 0. */
typedef struct noise {
    double loss;
    double gradients[512], weights[512];
} noise;

static void add_noise(const outcome *other, const outcome *one, noise *most) {
    assert_true(an_arrays_count(one->weights) <= 512);
    most->loss = fmax(most->loss, fabs(other->loss - one->loss));
    for (int64_t i = 0; i < an_arrays_count(one->gradients); i++)
        most->gradients[i] =
            fmax(most->gradients[i], distance_of(other->gradients, one->gradients, i));
    for (int64_t i = 0; i < an_arrays_count(one->weights); i++)
        most->weights[i] = fmax(most->weights[i], distance_of(other->weights, one->weights, i));
}

static void expect_near(const char *label, const an_arrays *got, const an_arrays *one,
                        const double *most) {
    double largest = 0;
    assert_int_equal(an_arrays_count(got), an_arrays_count(one));
    for (int64_t i = 0; i < an_arrays_count(one); i++)
        largest = fmax(largest, norm_of(one, i));
    for (int64_t i = 0; i < an_arrays_count(one); i++) {
        const double limit = 3 * most[i] + 1e-6 * largest;
        const double distance = distance_of(got, one, i);
        if (!(distance <= limit))
            fail_msg("%s: %s is %.3g apart, limit %.3g, norm %.3g", label, an_arrays_name(one, i),
                     distance, limit, norm_of(one, i));
    }
}

static void check_first_step(double alpha, int32_t base, int32_t synchronise, int64_t n) {
    static noise most;
    test_backend backends[TEST_BACKENDS];
    const test_backend *best = &backends[test_backends(backends, 1) - 1];
    outcome one = compute(best, alpha, base, 0, 0, n, 0);
    most = (noise){0};
    for (int64_t turn = 1; turn <= others_of(n); turn++) {
        outcome other = compute(best, alpha, base, 0, 0, n, turn);
        add_noise(&other, &one, &most);
        forget(&other);
    }
    for (int32_t ranks = 1; ranks <= MOST; ranks++) {
        char label[96];
        outcome got = compute(best, alpha, base, ranks, synchronise, n, 0);
        snprintf(label, sizeof label, "%d replicas, base %d, batch %d", (int)ranks, (int)base,
                 (int)n);
        if (!(fabs(got.loss - one.loss) <= 3 * most.loss + 1e-6 * one.loss))
            fail_msg("%s: loss %.9g, expected %.9g", label, got.loss, one.loss);
        expect_near(label, got.gradients, one.gradients, most.gradients);
        expect_near(label, got.weights, one.weights, most.weights);
        outcome again = compute(best, alpha, base, ranks, synchronise, n, 0);
        for (int64_t i = 0; i < an_arrays_count(got.gradients); i++)
            assert_memory_equal(an_arrays_data(got.gradients, i),
                                an_arrays_data(again.gradients, i),
                                (size_t)length_of(got.gradients, i) * sizeof(float));
        forget(&again);
        forget(&got);
    }
    forget(&one);
}

static void first_step_of_the_whole_network(void **state) {
    (void)state;
    if (HAS_TSAN) skip(); /* takes minutes, and the others have the same threads */
    check_first_step(1, AN_BASE_TRAIN, 1, IMAGES); /* 10 images: 3, 3 and 4 of 3 ranks */
}

static void every_mode_with_ragged_and_empty_parts(void **state) {
    (void)state;
    if (HAS_TSAN) skip();
    for (int32_t base = AN_BASE_FROZEN; base <= AN_BASE_FINETUNE; base++) {
        check_first_step(0.1, base, 1, 3); /* the first of 4 ranks has no image */
        check_first_step(0.1, base, 1, 7);
        /* without batch statistics there is nothing to join */
        if (base == AN_BASE_FROZEN || base == AN_BASE_FINETUNE) check_first_step(0.1, base, 0, 3);
    }
}

/* Each replica's own statistics: the moving ones are the average of what each would make. */
static void moving_statistics_are_averaged(void **state) {
    (void)state;
    static float x[IMAGES * WIDE_PIXELS], y[IMAGES];
    const int64_t n = 7, parts[] = {0, 3, 7};
    an_arrays *of[2], *got;
    double loss;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    make_batch(x, y, n, 0);
    for (int k = 0; k < 3; k++) {
        an_model *model = make_wide(backend, 0.1, 5);
        assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, NULL), AN_OK);
        assert_int_equal(an_model_set_momentum(model, 0.5, NULL), AN_OK);
        if (k < 2)
            assert_int_equal(an_model_compute_gradients(model, x + parts[k] * WIDE_PIXELS,
                                                        y + parts[k], parts[k + 1] - parts[k], NULL,
                                                        &loss, NULL),
                             AN_OK);
        else
            assert_int_equal(ranks_gradients(model, 2, 0, x, y, n, &loss, NULL), AN_OK);
        assert_int_equal(an_model_copy_weights(k < 2 ? &of[k] : &got, model, NULL), AN_OK);
        an_model_destroy(model);
    }
    for (int64_t i = 0; i < an_arrays_count(got); i++)
        for (int64_t k = 0; k < length_of(got, i); k++) {
            const double a = (double)an_arrays_data(of[0], i)[k];
            const double b = (double)an_arrays_data(of[1], i)[k], want = (3 * a + 4 * b) / 7;
            assert_true(fabs((double)an_arrays_data(got, i)[k] - want) <=
                        0x1p-22 * (fabs(a) + fabs(b)));
        }
    an_arrays_destroy(got);
    an_arrays_destroy(of[0]);
    an_arrays_destroy(of[1]);
    an_backend_destroy(backend);
}

/* --- runs ------------------------------------------------------------------------------------- */

static int32_t mode = AN_AUGMENT_FAST; /* of the images of a run */

/* A run with its model and data. */
typedef struct run {
    an_backend *backend;
    an_model *model;
    an_dataset *dataset;
    an_loader *train, *val;
    an_history *history;
    an_trainer *trainer;
} run;

static an_loader *make_loader(an_dataset *dataset, int64_t first, int64_t count, int32_t augment) {
    an_loader *loader = NULL;
    an_loader_options options;
    an_augment_options how;
    an_error err = {0};
    int64_t indices[COUNT];
    for (int64_t i = 0; i < count; i++)
        indices[i] = first + i;
    an_loader_options_init(&options, sizeof options);
    an_augment_options_tutorial(&how, sizeof how);
    how.mode = augment;
    options.augment = &how;
    options.scale = AN_SCALE_UNIT;
    options.batch_size = BATCH;
    options.shuffle = 1;
    if (an_loader_create(&loader, dataset, indices, count, &options, &err))
        fail_msg("%s", err.message);
    return loader;
}

static an_train_options options_of(int32_t replicas, int32_t base) {
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    options.max_epochs = 2;
    options.base = base;
    options.learning_rate = 0.01;
    options.replicas = replicas;
    options.sync_batch_norm = 1;
    return options;
}

static void open_run_of(run *r, an_dataset *dataset, const an_train_options *options) {
    an_error err = {0};
    *r = (run){.dataset = dataset};
    r->backend = test_backend_make("cpu", NULL, 1);
    r->model = short_model(r->backend);
    assert_int_equal(an_model_set_momentum(r->model, 0.9, NULL), AN_OK);
    r->train = make_loader(r->dataset, 0, TRAIN, mode);
    r->val = make_loader(r->dataset, TRAIN, COUNT - TRAIN, AN_AUGMENT_NONE);
    assert_int_equal(an_history_create(&r->history, NULL), AN_OK);
    if (an_trainer_create(&r->trainer, r->model, r->train, r->val, r->history, options, &err))
        fail_msg("%s", err.message);
}

static void open_run(run *r, const an_train_options *options) {
    open_run_of(r, data_pixels(COUNT, SIDE, SIDE), options);
}

static void close_run(run *r) {
    an_trainer_destroy(r->trainer);
    an_history_destroy(r->history);
    an_loader_destroy(r->val);
    an_loader_destroy(r->train);
    an_dataset_destroy(r->dataset);
    an_model_destroy(r->model);
    an_backend_destroy(r->backend);
}

static void finish_run(run *r) {
    an_error err = {0};
    if (an_trainer_run(r->trainer, &err)) fail_msg("%s", err.message);
}

/* What is left of a run: weights, then losses. */
static an_arrays *take_results(run *r, double losses[4]) {
    an_arrays *weights = NULL;
    for (int64_t i = 0; i < an_history_count(r->history) && i < 2; i++) {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        assert_int_equal(an_history_copy_epoch(r->history, i, &report, NULL), AN_OK);
        losses[2 * i] = report.loss;
        losses[2 * i + 1] = report.val_loss;
    }
    assert_int_equal(an_model_copy_weights(&weights, r->model, NULL), AN_OK);
    return weights;
}

static an_arrays *train(const an_train_options *options, double losses[4]) {
    run r;
    open_run(&r, options);
    finish_run(&r);
    assert_int_equal(an_history_count(r.history), options->max_epochs);
    an_arrays *weights = take_results(&r, losses);
    close_run(&r);
    return weights;
}

static bool same_bits(const an_arrays *a, const an_arrays *b) {
    for (int64_t i = 0; i < an_arrays_count(a); i++)
        if (memcmp(an_arrays_data(a, i), an_arrays_data(b, i),
                   (size_t)length_of(a, i) * sizeof(float)) != 0)
            return false;
    return an_arrays_count(a) == an_arrays_count(b);
}

static void expect_same_runs(const an_train_options *one, const an_train_options *other,
                             const char *label) {
    double losses[2][4] = {{0}};
    an_arrays *a = train(one, losses[0]), *b = train(other, losses[1]);
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    if (!same_bits(a, b)) fail_msg("%s: the bits differ", label);
    an_arrays_destroy(a);
    an_arrays_destroy(b);
}

/* The losses of two epochs. A sum of n terms in another order is off by up to (8 + 2 sqrt(n)) 2^-24
 * of them, 1e-4 in a layer's gradient (golden topic training has the same limit). */
static void expect_near_runs(const an_train_options *one, const an_train_options *other,
                             const char *label) {
    const double limit = one->precision == AN_PRECISION_MIXED ? 0x1p-8 : 1e-4; /* bfloat16's */
    double losses[2][4] = {{0}};
    an_arrays *a = train(one, losses[0]), *b = train(other, losses[1]);
    for (int i = 0; i < 4; i++)
        if (!(fabs(losses[0][i] - losses[1][i]) <= limit * fabs(losses[0][i])))
            fail_msg("%s: loss %d is %.9g, of one %.9g", label, i, losses[1][i], losses[0][i]);
    an_arrays_destroy(a);
    an_arrays_destroy(b);
}

static void the_same_number_gives_the_same_bits(void **state) {
    (void)state;
    for (int32_t sync = 0; sync < 2; sync++)
        for (int32_t n = 2; n <= MOST; n++) {
            char label[64];
            an_train_options options = options_of(n, AN_BASE_TRAIN);
            options.sync_batch_norm = sync;
            snprintf(label, sizeof label, "%d replicas, sync %d", (int)n, (int)sync);
            expect_same_runs(&options, &options, label);
        }
}

/* With the features of a frozen base, and in closed form, replica 0 computes the steps alone. */
static void features_give_the_bits_of_one(void **state) {
    (void)state;
    mode = AN_AUGMENT_NONE;
    for (int32_t n = 2; n <= MOST; n++) {
        const an_train_options one = options_of(1, AN_BASE_FROZEN);
        const an_train_options several = options_of(n, AN_BASE_FROZEN);
        expect_same_runs(&one, &several, "features");
    }
    an_head_options head;
    an_head_options_init(&head, sizeof head);
    an_train_options one = options_of(1, AN_BASE_FROZEN);
    one.max_epochs = 1;
    one.head = &head;
    an_train_options several = one;
    several.replicas = 3;
    expect_same_runs(&one, &several, "a head in closed form");
    mode = AN_AUGMENT_FAST;
}

static void all_options_work_with_replicas(void **state) {
    (void)state;
    static const char *const names[] = {"frozen",     "statistics", "train",     "fine-tune",
                                        "accumulate", "clipping",   "recompute", "mixed",
                                        "update",     "best",       "plateau",   "average",
                                        "switch",     "keras",      "legacy"};
    for (int k = 0; k < 15; k++) {
        an_train_options one = options_of(0, k < 4 ? k : AN_BASE_TRAIN);
        an_optimizer_options optimizer;
        an_optimizer_options_init(&optimizer, sizeof optimizer);
        optimizer.kind = AN_OPTIM_SGD; /* Adam makes as large a step of rounding as of a gradient */
        optimizer.clip_norm = k == 5 ? 0.1 : 0;
        one.optimizer = &optimizer;
        one.learning_rate = 1e-4;
        one.accumulate = k == 4 ? 3 : 0;
        one.recompute = k == 6;
        one.precision = k == 7 ? AN_PRECISION_MIXED : AN_PRECISION_FP32;
        one.update_batch_norm = k == 8;
        one.restore_best = k == 9;
        one.reduce_rate_patience = k == 10 ? 0 : -1;
        one.average = k == 11 ? 0.5 : 0;
        one.finetune_from = k == 12 ? 2 : 0;
        mode = k == 13 ? AN_AUGMENT_KERAS : k == 14 ? AN_AUGMENT_LEGACY : AN_AUGMENT_FAST;
        an_train_options several = one;
        several.replicas = 3;
        expect_near_runs(&one, &several, names[k]);
        expect_same_runs(&several, &several, names[k]);
    }
    mode = AN_AUGMENT_FAST;
}

static int32_t own_loss(void *user, const an_loss_batch *batch) {
    (void)user;
    (void)batch;
    return 0;
}

static int32_t fill_nothing(void *user, const an_fill_batch *batch) {
    (void)user;
    (void)batch;
    return 0;
}

static void expect_refused(run *r, an_loader *loader, const an_train_options *options,
                           const char *word) {
    an_trainer *trainer = NULL;
    an_error err = {0};
    assert_int_equal(an_trainer_create(&trainer, r->model, loader, NULL, NULL, options, &err),
                     AN_ERR_ARG);
    assert_null(trainer);
    if (!strstr(err.message, word)) fail_msg("'%s' does not name %s", err.message, word);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    run r;
    an_backend *nothing[1] = {NULL};
    an_loader *drawn;
    an_loader_source source;
    an_loader_options plain;
    const an_train_options good = options_of(2, AN_BASE_TRAIN);
    an_train_options options = good;
    open_run(&r, &good);
    options.replicas = -1;
    expect_refused(&r, r.train, &options, "replicas is -1");
    options.replicas = 1025;
    expect_refused(&r, r.train, &options, "replicas is 1025");
    options = good;
    options.sync_batch_norm = 2;
    expect_refused(&r, r.train, &options, "sync_batch_norm is 2");
    options = good;
    options.loss_fn = own_loss;
    expect_refused(&r, r.train, &options, "loss_fn");
    options = good;
    options.replica_backends = nothing;
    expect_refused(&r, r.train, &options, "replica_backends[0] is NULL");
    options.replicas = 1;
    expect_refused(&r, r.train, &options, "replica_backends");
    an_loader_source_init(&source, sizeof source);
    source.height = source.width = SIDE;
    source.count = 4;
    source.fill = fill_nothing;
    an_loader_options_init(&plain, sizeof plain);
    plain.scale = AN_SCALE_UNIT;
    assert_int_equal(an_loader_create_from_callback(&drawn, &source, &plain, NULL), AN_OK);
    expect_refused(&r, drawn, &good, "callback");
    an_loader_destroy(drawn);
    close_run(&r);
}

static void backends_may_be_given(void **state) {
    (void)state;
    const an_train_options made = options_of(3, AN_BASE_TRAIN);
    an_train_options given = made;
    an_backend *backends[2] = {test_backend_make("cpu", NULL, 2),
                               test_backend_make("cpu", NULL, 1)};
    given.replica_backends = backends;
    expect_same_runs(&made, &given, "given backends");
    an_backend_destroy(backends[0]);
    an_backend_destroy(backends[1]);
}

/* --- stopping --------------------------------------------------------------------------------- */

typedef struct asker {
    run *r;
    int32_t kind;  /* what is asked */
    int32_t steps; /* after how many */
    int32_t seen;
} asker;

enum { ASK_PAUSE, ASK_STOP, ASK_CANCEL, ASK_RATE };

static int32_t ask(void *user, const an_train_event *event) {
    asker *a = user;
    if (event->kind != AN_EVENT_STEP || ++a->seen != a->steps) return 0;
    if (a->kind == ASK_PAUSE) an_trainer_pause(a->r->trainer);
    if (a->kind == ASK_STOP) an_trainer_stop(a->r->trainer);
    if (a->kind == ASK_RATE)
        assert_int_equal(an_trainer_set_learning_rate(a->r->trainer, 0.003, NULL), AN_OK);
    return a->kind == ASK_CANCEL;
}

/* A pause at any step, and a run that continues it, also in another process: that is a checkpoint.
 */
static void resume_gives_the_bits_of_the_same_number(void **state) {
    (void)state;
    char path[4096];
    double losses[2][4] = {{0}};
    snprintf(path, sizeof path, "%s/run", test_folder);
    const an_train_options plain = options_of(2, AN_BASE_TRAIN);
    an_arrays *want = train(&plain, losses[0]);
    for (int32_t steps = 1; steps < 8; steps += 2) {
        run r;
        asker a = {&r, ASK_PAUSE, steps, 0};
        an_error err = {0};
        an_checkpoint *checkpoint = NULL;
        an_train_options options = plain;
        options.on_event = ask;
        options.event_user = &a;
        options.resume_path = path;
        open_run(&r, &options);
        assert_int_equal(an_trainer_run(r.trainer, &err), AN_ERR_CANCELLED);
        if (steps == 3) { /* the same trainer continues */
            finish_run(&r);
        } else {
            close_run(&r);
            a.steps = 0;
            open_run(&r, &options);
            assert_int_equal(an_checkpoint_read(&checkpoint, path, NULL, NULL, NULL), AN_OK);
            if (an_trainer_resume(r.trainer, checkpoint, &err)) fail_msg("%s", err.message);
            an_checkpoint_destroy(checkpoint);
            finish_run(&r);
        }
        an_arrays *got = take_results(&r, losses[1]);
        assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
        assert_true(same_bits(want, got));
        an_arrays_destroy(got);
        close_run(&r);
    }
    an_arrays_destroy(want);
}

/* A checkpoint of 2 replicas resumed by n: the bits are those of n from there on. */
static void another_number_may_resume(void **state) {
    (void)state;
    char path[4096];
    snprintf(path, sizeof path, "%s/other", test_folder);
    for (int32_t n = 1; n <= 3; n += 2) {
        an_arrays *of[2];
        double losses[2][4] = {{0}};
        for (int k = 0; k < 2; k++) {
            run r;
            asker a = {&r, ASK_PAUSE, 3, 0};
            an_checkpoint *checkpoint = NULL;
            an_error err = {0};
            an_train_options options = options_of(2, AN_BASE_TRAIN);
            options.on_event = ask;
            options.event_user = &a;
            options.resume_path = path;
            open_run(&r, &options);
            assert_int_equal(an_trainer_run(r.trainer, NULL), AN_ERR_CANCELLED);
            close_run(&r);
            a.steps = 0;
            options.replicas = n;
            open_run(&r, &options);
            assert_int_equal(an_checkpoint_read(&checkpoint, path, NULL, NULL, NULL), AN_OK);
            if (an_trainer_resume(r.trainer, checkpoint, &err)) fail_msg("%s", err.message);
            an_checkpoint_destroy(checkpoint);
            finish_run(&r);
            of[k] = take_results(&r, losses[k]);
            close_run(&r);
        }
        assert_true(same_bits(of[0], of[1]));
        assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
        an_arrays_destroy(of[0]);
        an_arrays_destroy(of[1]);
    }
}

static void callbacks_decide_for_all(void **state) {
    (void)state;
    for (int32_t kind = ASK_STOP; kind <= ASK_RATE; kind++) {
        an_arrays *of[2];
        double losses[2][4] = {{0}};
        for (int k = 0; k < 2; k++) {
            run r;
            asker a = {&r, kind, 2, 0};
            an_train_options options = options_of(2, AN_BASE_TRAIN);
            options.on_event = ask;
            options.event_user = &a;
            open_run(&r, &options);
            const an_status st = an_trainer_run(r.trainer, NULL);
            assert_int_equal(st, kind == ASK_CANCEL ? AN_ERR_CANCELLED : AN_OK);
            if (kind == ASK_CANCEL) finish_run(&r); /* the epoch is begun again */
            assert_int_equal(an_trainer_reason(r.trainer),
                             kind == ASK_STOP ? AN_STOP_ASKED : AN_STOP_EPOCHS);
            assert_int_equal(an_history_count(r.history), kind == ASK_STOP ? 1 : 2);
            of[k] = take_results(&r, losses[k]);
            close_run(&r);
        }
        assert_true(same_bits(of[0], of[1]));
        an_arrays_destroy(of[0]);
        an_arrays_destroy(of[1]);
    }
}

/* The flag stops between two steps, and the next call continues there. */
static int32_t set_flag(void *user, const an_train_event *event) {
    static int32_t steps;
    if (event->kind == AN_EVENT_STEP && ++steps == 3) an_cancel_request(user);
    return 0;
}

static void a_flag_stops_between_steps(void **state) {
    (void)state;
    double losses[2][4] = {{0}};
    run r;
    an_cancel *cancel;
    an_train_options options = options_of(3, AN_BASE_TRAIN);
    an_arrays *want = train(&options, losses[0]);
    assert_int_equal(an_cancel_create(&cancel, NULL), AN_OK);
    options.on_event = set_flag;
    options.event_user = cancel;
    open_run(&r, &options);
    assert_int_equal(an_model_set_cancel(r.model, cancel, NULL), AN_OK);
    assert_int_equal(an_trainer_run(r.trainer, NULL), AN_ERR_CANCELLED);
    assert_int_equal(an_trainer_run(r.trainer, NULL), AN_ERR_CANCELLED);
    an_cancel_reset(cancel);
    finish_run(&r);
    an_arrays *got = take_results(&r, losses[1]);
    assert_true(same_bits(want, got));
    an_arrays_destroy(got);
    an_arrays_destroy(want);
    close_run(&r);
    an_cancel_destroy(cancel);
}

static int32_t count_warning(void *user, const an_warning *warning) {
    (void)warning;
    ++*(int32_t *)user;
    return 0;
}

/* A rate at which the weights leave the floats: all replicas end with those of the last step. */
static void a_broken_loss_ends_the_run_of_all(void **state) {
    (void)state;
    run r;
    int32_t warnings = 0;
    an_optimizer_options optimizer;
    an_optimizer_options_init(&optimizer, sizeof optimizer);
    optimizer.kind = AN_OPTIM_SGD;
    an_train_options options = options_of(3, AN_BASE_TRAIN);
    options.optimizer = &optimizer;
    options.learning_rate = 1e30;
    options.warn = count_warning;
    options.warn_user = &warnings;
    open_run(&r, &options);
    finish_run(&r);
    assert_int_equal(an_trainer_reason(r.trainer), AN_STOP_NAN);
    assert_int_equal(warnings, 1);
    double losses[4];
    an_arrays *weights = take_results(&r, losses);
    for (int64_t i = 0; i < an_arrays_count(weights); i++)
        for (int64_t k = 0; k < length_of(weights, i); k++)
            assert_true(isfinite(an_arrays_data(weights, i)[k]));
    an_arrays_destroy(weights);
    close_run(&r);
}

/* --- damaged images --------------------------------------------------------------------------- */

static pthread_t caller;

static int32_t warn_here(void *user, const an_warning *warning) {
    assert_true(pthread_equal(caller, pthread_self()));
    return count_warning(user, warning);
}

static an_dataset *open_damaged(int32_t *warnings) {
    an_dataset *dataset = NULL;
    an_dataset_options options;
    an_error err = {0};
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.policy = AN_POLICY_SKIP;
    options.warn = warn_here;
    options.warn_user = warnings;
    if (an_dataset_open(&dataset, test_folder, &options, &err)) fail_msg("%s", err.message);
    return dataset;
}

static void damaged_images_change_the_size_of_a_step(void **state) {
    (void)state;
    caller = pthread_self();
    data_folder(test_folder, COUNT, SIDE, SIDE);
    for (int i = 1; i < TRAIN; i += 5) {
        char name[40];
        snprintf(name, sizeof name, "P%04d.jpg", i);
        folder_write_text(folder_path(test_folder, name), "no image");
    }
    for (int32_t base = AN_BASE_FROZEN; base <= AN_BASE_TRAIN; base += AN_BASE_TRAIN) {
        double losses[2][4] = {{0}};
        for (int k = 0; k < 2; k++) {
            int32_t warnings = 0;
            run r;
            an_train_options options = options_of(k ? 3 : 1, base);
            options.learning_rate = 1e-4;
            mode = base == AN_BASE_FROZEN ? AN_AUGMENT_NONE : AN_AUGMENT_FAST;
            open_run_of(&r, open_damaged(&warnings), &options);
            finish_run(&r);
            assert_int_equal(warnings, 3);
            an_arrays *weights = take_results(&r, losses[k]);
            an_arrays_destroy(weights);
            close_run(&r);
        }
        for (int i = 0; i < 4; i++)
            assert_true(fabs(losses[0][i] - losses[1][i]) <= 1e-4 * fabs(losses[0][i]));
    }
    mode = AN_AUGMENT_FAST;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* An allocation fails in one replica, at any moment: the call fails in all, and the trainer can be
 * used again or destroyed. */
static void each_allocation_may_fail(void **state) {
    (void)state;
    int64_t failures = 0;
    for (int64_t n = 0;; n += 1 + n / 16) {
        an_train_options options = options_of(2, AN_BASE_TRAIN);
        options.max_epochs = 1;
        options.update_batch_norm = 1;
        run r = {0};
        r.dataset = data_pixels(COUNT, SIDE, SIDE);
        r.backend = test_backend_make("cpu", NULL, 1);
        r.model = short_model(r.backend);
        r.train = make_loader(r.dataset, 0, TRAIN, mode);
        r.val = make_loader(r.dataset, TRAIN, COUNT - TRAIN, AN_AUGMENT_NONE);
        assert_int_equal(an_history_create(&r.history, NULL), AN_OK);
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        an_status st =
            an_trainer_create(&r.trainer, r.model, r.train, r.val, r.history, &options, NULL);
        if (!st) st = an_trainer_run(r.trainer, NULL);
        const bool failed = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        if (st) {
            assert_int_equal(st, AN_ERR_NOMEM);
            failures++;
            if (r.trainer) finish_run(&r);
        }
        close_run(&r);
        if (!failed) break;
    }
    assert_true(failures > 20);
}

/* --- nodes ------------------------------------------------------------------------------------ */

static void write_list(const char *node, const char *list) {
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", test_folder, node);
    assert_int_equal(mkdir(path, 0700), 0);
    folder_write_text(folder_path(path, "cpulist"), list);
}

static void processors_of_a_node(void **state) {
    (void)state;
    uint64_t allowed[16] = {0}, mask[16];
    memset(allowed, 0xff, sizeof allowed);
    assert_int_equal(ani_numa_node(test_folder, allowed, 0, mask), 0);
    write_list("node0", "0-3,8\n");
    write_list("node1", "\n"); /* memory only */
    write_list("node2", "4-7,64-65,1023,5000\n");
    assert_int_equal(ani_numa_node(test_folder, allowed, 0, mask), 2);
    assert_true(mask[0] == 0x10f && mask[1] == 0);
    assert_int_equal(ani_numa_node(test_folder, allowed, 1, mask), 2);
    assert_true(mask[0] == 0xf0 && mask[1] == 3 && mask[15] == UINT64_C(1) << 63);
    memset(allowed, 0, sizeof allowed);
    allowed[0] = 0x30;
    assert_int_equal(ani_numa_node(test_folder, allowed, 0, mask), 1);
    assert_true(mask[0] == 0x30 && mask[1] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_step_of_the_whole_network),
        cmocka_unit_test(every_mode_with_ragged_and_empty_parts),
        cmocka_unit_test(moving_statistics_are_averaged),
        cmocka_unit_test(the_same_number_gives_the_same_bits),
        cmocka_unit_test(features_give_the_bits_of_one),
        cmocka_unit_test(all_options_work_with_replicas),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(backends_may_be_given),
        cmocka_unit_test_setup_teardown(resume_gives_the_bits_of_the_same_number, test_folder_make,
                                        test_folder_remove),
        cmocka_unit_test_setup_teardown(another_number_may_resume, test_folder_make,
                                        test_folder_remove),
        cmocka_unit_test(callbacks_decide_for_all),
        cmocka_unit_test(a_flag_stops_between_steps),
        cmocka_unit_test(a_broken_loss_ends_the_run_of_all),
        cmocka_unit_test_setup_teardown(damaged_images_change_the_size_of_a_step, test_folder_make,
                                        test_folder_remove),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test_setup_teardown(processors_of_a_node, test_folder_make, test_folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
