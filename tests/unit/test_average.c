/* SPDX-License-Identifier: MIT
 * Training with an average of the weights, and with a switch to fixed batch norm: what the model
 * holds when, against a few lines in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>
#include <attractivenet/train.h>

#include "base/fault.h"
#include "support/data.h"
#include "train/average.h"

enum { SIZE = 32, COUNT = 18, TRAIN = 12, BATCH = 4, STEPS = TRAIN / BATCH };

typedef struct bench {
    an_backend *backend;
    an_model *model;
    an_loader *train, *val;
} bench;

static an_loader *make_loader(an_dataset *dataset, int64_t first, int64_t count) {
    an_loader *loader = NULL;
    an_loader_options options;
    int64_t indices[COUNT];
    for (int64_t i = 0; i < count; i++)
        indices[i] = first + i;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = BATCH;
    options.threads = 0;
    assert_int_equal(an_loader_create(&loader, dataset, indices, count, &options, NULL), AN_OK);
    return loader;
}

static bench make_bench(void) {
    bench b = {0};
    an_backend_options device;
    an_mobilenetv2_options net;
    an_backend_options_init(&device, sizeof device);
    device.threads = 1;
    assert_int_equal(an_backend_create(&b.backend, &device, NULL), AN_OK);
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SIZE;
    net.alpha = 0.1;
    assert_int_equal(an_mobilenetv2_create(&b.model, b.backend, &net, NULL), AN_OK);
    assert_int_equal(an_model_set_momentum(b.model, 0.9, NULL), AN_OK);
    an_dataset *dataset = data_pixels(COUNT, SIZE, SIZE);
    b.train = make_loader(dataset, 0, TRAIN);
    b.val = make_loader(dataset, TRAIN, COUNT - TRAIN);
    an_dataset_destroy(dataset);
    return b;
}

static void drop_bench(bench *b) {
    an_loader_destroy(b->val);
    an_loader_destroy(b->train);
    an_model_destroy(b->model);
    an_backend_destroy(b->backend);
}

static an_train_options make_options(int32_t base, int32_t epochs) {
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    options.base = base;
    options.max_epochs = epochs;
    options.learning_rate = 0.002;
    options.early_stop_patience = -1;
    return options;
}

static int64_t size_of(const an_arrays *arrays, int64_t index) {
    int64_t count = 1;
    for (int32_t axis = 0; axis < an_arrays_rank(arrays, index); axis++)
        count *= an_arrays_length(arrays, index, axis);
    return count;
}

/** What a callback has seen. */
typedef struct seen {
    const bench *b;
    double decay;
    int64_t steps;
    double *sums;       /* the average of all weights, by hand; NULL: none yet */
    an_arrays *weights; /* after the last step */
    an_arrays *shown;   /* at the end of the last epoch */
    int32_t epochs;
} seen;

static void drop_seen(seen *s) {
    free(s->sums);
    an_arrays_destroy(s->weights);
    an_arrays_destroy(s->shown);
}

static int32_t watch(void *user, const an_train_event *event) {
    seen *s = user;
    if (event->kind == AN_EVENT_EPOCH_END) {
        s->epochs++;
        an_arrays_destroy(s->shown);
        s->shown = NULL;
        assert_int_equal(an_model_copy_weights(&s->shown, s->b->model, NULL), AN_OK);
    }
    if (event->kind != AN_EVENT_STEP) return 0;
    an_arrays_destroy(s->weights);
    s->weights = NULL;
    assert_int_equal(an_model_copy_weights(&s->weights, s->b->model, NULL), AN_OK);
    const double t = (double)++s->steps;
    const double decay = fmin(s->decay, (t - 1) / (t + 9));
    int64_t all = 0, at = 0;
    for (int64_t i = 0; i < an_arrays_count(s->weights); i++)
        all += size_of(s->weights, i);
    if (!s->sums) s->sums = calloc((size_t)all, sizeof *s->sums);
    assert_non_null(s->sums);
    for (int64_t i = 0; i < an_arrays_count(s->weights); i++)
        for (int64_t k = 0; k < size_of(s->weights, i); k++, at++)
            s->sums[at] =
                decay * s->sums[at] + (1 - decay) * (double)an_arrays_data(s->weights, i)[k];
    return 0;
}

/** Fail unless weights are the average; moving statistics, which are not averaged, are left out. */
static void check_average(const seen *s, const an_arrays *weights, const char *when) {
    int64_t at = 0;
    for (int64_t i = 0; i < an_arrays_count(weights); i++) {
        const bool counts = !strstr(an_arrays_name(weights, i), "moving_");
        for (int64_t k = 0; k < size_of(weights, i); k++, at++) {
            const double found = (double)an_arrays_data(weights, i)[k];
            /* rounded once a step */
            if (counts &&
                !(fabs(found - s->sums[at]) <= (double)s->steps * 0x1p-24 * (fabs(found) + 1e-3)))
                fail_msg("%s: %s[%d] is %.9g, by hand %.9g", when, an_arrays_name(weights, i),
                         (int)k, found, s->sums[at]);
        }
    }
}

static bool are_equal(const an_arrays *a, const an_arrays *b, const char *part) {
    for (int64_t i = 0; i < an_arrays_count(a); i++)
        if (strstr(an_arrays_name(a, i), part) &&
            memcmp(an_arrays_data(a, i), an_arrays_data(b, i),
                   (size_t)size_of(a, i) * sizeof(float)) != 0)
            return false;
    return true;
}

/** Train; fills the losses of both kinds, by epoch. */
static void train(const bench *b, const an_train_options *options, double *losses,
                  double *val_losses) {
    an_trainer *trainer = NULL;
    an_error err = {0};
    if (an_trainer_create(&trainer, b->model, b->train, b->val, NULL, options, &err))
        fail_msg("%s", err.message);
    for (int32_t i = 0; i < options->max_epochs; i++) {
        an_epoch_report report = {.struct_size = sizeof report};
        if (an_trainer_run_epoch(trainer, &report, &err)) fail_msg("%s", err.message);
        losses[i] = report.loss;
        if (val_losses) val_losses[i] = report.val_loss;
    }
    an_trainer_destroy(trainer);
}

static void decay_grows_with_the_steps(void **state) {
    (void)state;
    assert_true(ani_average_decay(0.99, 1) == 0);
    assert_true(ani_average_decay(0.99, 11) == 0.5);
    assert_true(ani_average_decay(0.99, 1000) == 0.99);
    assert_true(ani_average_decay(0.3, 11) == 0.3);
}

static void model_holds_the_average(void **state) {
    (void)state;
    enum { EPOCHS = 3 };
    static const int32_t bases[] = {AN_BASE_FROZEN, AN_BASE_TRAIN, AN_BASE_FINETUNE};
    for (int k = 0; k < 3; k++) {
        bench b = make_bench();
        an_arrays *last = NULL;
        double losses[EPOCHS], val_losses[EPOCHS], plain[EPOCHS], now;
        an_train_options options = make_options(bases[k], EPOCHS);
        seen s = {.b = &b, .decay = 0.4};
        options.average = 0.4;
        options.on_event = watch;
        options.event_user = &s;
        train(&b, &options, losses, val_losses);
        assert_int_equal(s.steps, EPOCHS * STEPS);
        check_average(&s, s.shown, "in the callback");
        assert_int_equal(an_model_copy_weights(&last, b.model, NULL), AN_OK);
        check_average(&s, last, "after the stage");
        assert_false(are_equal(last, s.weights, "dense/kernel"));
        assert_int_equal(an_model_evaluate(b.model, b.val, NULL, &now, NULL, NULL, NULL), AN_OK);
        assert_true(fabs(now - val_losses[EPOCHS - 1]) <= 1e-5 * now);
        an_arrays *weights = s.weights;
        s.weights = NULL;
        an_arrays_destroy(last);
        drop_seen(&s);
        drop_bench(&b);
        /* the steps themselves are those of a run without an average */
        b = make_bench();
        options = make_options(bases[k], EPOCHS);
        seen other = {.b = &b};
        options.on_event = watch;
        options.event_user = &other;
        train(&b, &options, plain, NULL);
        assert_memory_equal(losses, plain, sizeof plain);
        assert_true(are_equal(weights, other.weights, ""));
        an_arrays_destroy(weights);
        drop_seen(&other);
        drop_bench(&b);
    }
}

/** Moving statistics of a model after a pass over the training images, in order. */
static void recompute(const bench *b) {
    const float *x;
    int64_t n;
    assert_int_equal(an_model_update_batch_norm_begin(b->model, NULL), AN_OK);
    assert_int_equal(an_loader_begin(b->train, 0, 0, NULL), AN_OK);
    while (an_loader_next(b->train, &x, NULL, NULL, &n, NULL) == AN_OK)
        assert_int_equal(an_model_update_batch_norm_add(b->model, x, n, NULL), AN_OK);
    assert_int_equal(an_model_update_batch_norm_end(b->model, NULL), AN_OK);
}

static void statistics_belong_to_the_average(void **state) {
    (void)state;
    bench b = make_bench();
    an_arrays *last = NULL, *again = NULL;
    double loss;
    an_train_options options = make_options(AN_BASE_TRAIN, 1);
    seen s = {.b = &b, .decay = 0.4};
    options.average = 0.4;
    options.on_event = watch;
    options.event_user = &s;
    train(&b, &options, &loss, NULL);
    assert_int_equal(an_model_copy_weights(&last, b.model, NULL), AN_OK);
    assert_false(are_equal(last, s.weights, "moving_mean"));
    recompute(&b);
    assert_int_equal(an_model_copy_weights(&again, b.model, NULL), AN_OK);
    assert_true(are_equal(last, again, "moving_"));
    an_arrays_destroy(last);
    an_arrays_destroy(again);
    drop_seen(&s);
    drop_bench(&b);
}

static void best_average_comes_back(void **state) {
    (void)state;
    enum { EPOCHS = 4 };
    bench b = make_bench();
    double losses[EPOCHS], val_losses[EPOCHS], best = INFINITY, now;
    an_train_options options = make_options(AN_BASE_FROZEN, EPOCHS);
    options.learning_rate = 0.5;
    options.average = 0.5;
    options.restore_best = 1;
    options.early_stop_min_delta = 0;
    train(&b, &options, losses, val_losses);
    for (int i = 0; i < EPOCHS; i++)
        best = fmin(best, val_losses[i]);
    assert_true(val_losses[EPOCHS - 1] > 1.001 * best); /* else nothing had to come back */
    assert_int_equal(an_model_evaluate(b.model, b.val, NULL, &now, NULL, NULL, NULL), AN_OK);
    assert_true(fabs(now - best) <= 1e-5 * best);
    drop_bench(&b);
}

static int32_t stop_in_validation(void *user, const an_train_event *event) {
    int32_t *left = user;
    return event->kind == AN_EVENT_VALIDATION && (*left)-- > 0;
}

/* A failure while the model holds the average: the next epoch must begin with the weights. */
static void weights_are_back_after_a_failure(void **state) {
    (void)state;
    double losses[2];
    for (int k = 0; k < 2; k++) {
        bench b = make_bench();
        an_trainer *trainer = NULL;
        int32_t left = 1;
        an_epoch_report report = {.struct_size = sizeof report};
        an_train_options options = make_options(AN_BASE_FINETUNE, 1);
        options.average = k == 0 ? 0.9 : 0;
        options.on_event = stop_in_validation;
        options.event_user = &left;
        assert_int_equal(an_trainer_create(&trainer, b.model, b.train, b.val, NULL, &options, NULL),
                         AN_OK);
        assert_int_equal(an_trainer_run_epoch(trainer, &report, NULL), AN_ERR_CANCELLED);
        assert_int_equal(an_trainer_run_epoch(trainer, &report, NULL), AN_OK);
        losses[k] = report.loss;
        an_trainer_destroy(trainer);
        drop_bench(&b);
    }
    assert_true(losses[0] == losses[1]);
}

typedef struct statistics {
    const bench *b;
    an_arrays *first, *last; /* weights after the first and the second epoch */
} statistics;

static int32_t keep_epochs(void *user, const an_train_event *event) {
    statistics *s = user;
    if (event->kind != AN_EVENT_EPOCH_END) return 0;
    an_arrays **to = s->first ? &s->last : &s->first;
    assert_int_equal(an_model_copy_weights(to, s->b->model, NULL), AN_OK);
    return 0;
}

static void batch_norm_stays_from_the_switch_on(void **state) {
    (void)state;
    for (int32_t from = 0; from <= 2; from++) {
        bench b = make_bench();
        an_arrays *begin = NULL;
        double losses[2];
        statistics s = {.b = &b};
        an_train_options options = make_options(AN_BASE_TRAIN, 2);
        options.finetune_from = from;
        options.on_event = keep_epochs;
        options.event_user = &s;
        assert_int_equal(an_model_copy_weights(&begin, b.model, NULL), AN_OK);
        train(&b, &options, losses, NULL);
        assert_int_equal(are_equal(begin, s.first, "moving_"), from == 1);
        assert_int_equal(are_equal(s.first, s.last, "moving_"), from > 0);
        assert_false(are_equal(s.first, s.last, "Conv1/kernel"));
        an_arrays_destroy(begin);
        an_arrays_destroy(s.first);
        an_arrays_destroy(s.last);
        drop_bench(&b);
    }
}

static void refuses_what_cannot_be(void **state) {
    (void)state;
    bench b = make_bench();
    an_trainer *trainer = NULL;
    an_error err = {0};
    an_train_options options = make_options(AN_BASE_TRAIN, 1);
    options.average = 1;
    assert_int_equal(an_trainer_create(&trainer, b.model, b.train, b.val, NULL, &options, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message,
                        "an_train_options: average is 1; it must be at least 0 and below 1");
    options = make_options(AN_BASE_FROZEN, 1);
    options.finetune_from = 3;
    assert_int_equal(an_trainer_create(&trainer, b.model, b.train, b.val, NULL, &options, &err),
                     AN_ERR_ARG);
    assert_string_equal(
        err.message,
        "an_train_options: finetune_from is 3 and base is 0; it needs AN_BASE_TRAIN, 2");
    assert_null(trainer);
    drop_bench(&b);
}

static void no_memory_leaves_nothing(void **state) {
    (void)state;
    bench b = make_bench();
    an_train_options options = make_options(AN_BASE_TRAIN, 1);
    options.average = 0.5;
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decay_grows_with_the_steps),
        cmocka_unit_test(model_holds_the_average),
        cmocka_unit_test(statistics_belong_to_the_average),
        cmocka_unit_test(best_average_comes_back),
        cmocka_unit_test(weights_are_back_after_a_failure),
        cmocka_unit_test(batch_norm_stays_from_the_switch_on),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(no_memory_leaves_nothing),
    };
    return cmocka_run_group_tests_name("average", tests, NULL, NULL);
}
