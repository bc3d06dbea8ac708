/* SPDX-License-Identifier: MIT
 * losses: which one a model is trained with and measured by, on a small network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <attractivenet/train.h>

#include "support/data.h"
#include "support/golden.h"
#include "support/losses.h"
#include "support/small_model.h"
#include "support/test_folder.h"

enum { COUNT = 10, BATCH = 4 };

static an_backend *backend;
static an_dataset *dataset;
static an_error err;

static int set_up(void **state) {
    (void)state;
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.threads = 1;
    dataset = data_pixels(COUNT, SIDE, SIDE);
    return an_backend_create(&backend, &options, &err);
}

static int tear_down(void **state) {
    (void)state;
    an_dataset_destroy(dataset);
    an_backend_destroy(backend);
    return 0;
}

static an_loader *make_loader(int32_t batch) {
    an_loader *loader = NULL;
    an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = batch;
    options.threads = 0;
    if (an_loader_create(&loader, dataset, NULL, 0, &options, &err)) fail_msg("%s", err.message);
    return loader;
}

/** Images for models whose loader does not matter. */
static const float *some_images(int64_t n) {
    static float x[BATCH * PIXELS];
    for (int64_t i = 0; i < n * PIXELS; i++)
        x[i] = (float)((i * 37) % 101) / 101;
    return x;
}

/** Say whether two lists have the same bits. */
static bool same_arrays(const an_arrays *a, const an_arrays *b) {
    bool same = an_arrays_count(a) == an_arrays_count(b);
    for (int64_t i = 0; same && i < an_arrays_count(a); i++) {
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(a, i); axis++)
            count *= an_arrays_length(a, i, axis);
        same = !memcmp(an_arrays_data(a, i), an_arrays_data(b, i), (size_t)count * sizeof(float));
    }
    return same;
}

/* --- the loss of the task ----------------------------------------------------------------------
 */

/* Without a word, the loss is the one that the task has, to the last bit of every gradient. */
static void no_loss_named_is_that_of_the_task(void **state) {
    (void)state;
    const struct {
        int32_t task, outputs, kind;
    } cases[] = {{AN_TASK_REGRESSION, 1, AN_LOSS_MSE},
                 {AN_TASK_REGRESSION, 3, AN_LOSS_MSE},
                 {AN_TASK_CLASSIFICATION, 3, AN_LOSS_CATEGORICAL},
                 {AN_TASK_CLASSIFICATION, 1, AN_LOSS_BINARY}};
    const float y[] = {1, 0, 0, 0, 1, 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        an_model *model = small_model(backend, cases[i].outputs, cases[i].task);
        double values[3];
        an_arrays *gradients[3];
        for (int k = 0; k < 3; k++) {
            const an_loss_options *loss = k == 0   ? NULL
                                          : k == 1 ? loss_of(AN_LOSS_AUTO)
                                                   : loss_of(cases[i].kind);
            if (an_model_compute_gradients(model, some_images(2), y, 2, loss, &values[k], &err) ||
                an_model_copy_gradients(&gradients[k], model, &err))
                fail_msg("%s", err.message);
        }
        for (int k = 0; k < 2; k++) {
            assert_memory_equal(&values[k], &values[2], sizeof *values);
            assert_true(same_arrays(gradients[k], gradients[2]));
        }
        for (int k = 0; k < 3; k++)
            an_arrays_destroy(gradients[k]);
        an_model_destroy(model);
    }
}

/* A trainer's checkpoint tells which loss that was: a run goes on with the loss by its name, and
 * not with another one. */
static void a_run_goes_on_with_its_loss(void **state) {
    (void)state;
    const int32_t kinds[] = {AN_LOSS_AUTO, AN_LOSS_MSE, AN_LOSS_MAE};
    const an_status wanted[] = {AN_OK, AN_OK, AN_ERR_ARG};
    char path[4096];
    an_train_options options;
    an_checkpoint *checkpoint = NULL;
    snprintf(path, sizeof path, "%s/run", test_folder);
    an_train_options_init(&options, sizeof options);
    assert_int_equal(options.loss, AN_LOSS_AUTO);
    options.max_epochs = 1;
    options.resume_path = path;
    an_loader *loader = make_loader(BATCH);
    for (int i = 0; i < 3; i++) {
        an_trainer *trainer = NULL;
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        options.loss = kinds[i];
        if (an_trainer_create(&trainer, model, loader, NULL, NULL, &options, &err))
            fail_msg("%s", err.message);
        if (i == 0) {
            if (an_trainer_run(trainer, &err) ||
                an_checkpoint_read(&checkpoint, path, NULL, NULL, &err))
                fail_msg("%s", err.message);
        }
        assert_int_equal(an_trainer_resume(trainer, checkpoint, &err), wanted[i]);
        if (wanted[i]) assert_non_null(strstr(err.message, "loss was 'mse', and is 'mae' now"));
        an_trainer_destroy(trainer);
        an_model_destroy(model);
    }
    an_checkpoint_destroy(checkpoint);
    an_loader_destroy(loader);
}

/* --- weights -----------------------------------------------------------------------------------
 */

/* What Keras 3.12 makes of sample_weight, by tests/golden/gen/gen_weighted.py in double. */
static void weights_of_keras(void **state) {
    (void)state;
    static const float logits[] = {0.5f, -1.25f, 2, 1.5f, 0.25f, -0.75f, -2, 1, 3, 0.125f, 0, -1};
    static const float targets[] = {1, 0, 0, 0, 0.25f, 0.75f, 0, 0, 1, 0.5f, 0.25f, 0.25f};
    static const float sample_weight[] = {2, 0, 0.5f, 1.25f};
    static const struct {
        int32_t kind;
        double loss, gradient[12];
    } cases[] = {{AN_LOSS_MSE,
                  1.5276692770421505,
                  {-0.1666666716337204, -0.41666667908430099, 0.66666668653488159, 0, 0, 0,
                   -0.1666666716337204, 0.083333335816860199, 0.1666666716337204,
                   -0.078125003725290298, -0.052083335816860199, -0.26041667908430099}},
                 {AN_LOSS_MAE,
                  1.0286458432674408,
                  {-0.1666666716337204, -0.1666666716337204, 0.1666666716337204, 0, 0, 0,
                   -0.041666667908430099, 0.041666667908430099, 0.041666667908430099,
                   -0.1041666716337204, -0.1041666716337204, -0.1041666716337204}},
                 {AN_LOSS_HUBER,
                  0.6303711198270321,
                  {-0.083333335816860199, -0.1666666716337204, 0.1666666716337204, 0, 0, 0,
                   -0.041666667908430099, 0.041666667908430099, 0.041666667908430099,
                   -0.039062501862645149, -0.026041667908430099, -0.1041666716337204}},
                 {AN_LOSS_CATEGORICAL,
                  1.227979709850494,
                  {-0.41158990894627784, 0.015363370163218214, 0.39622653878305963, 0, 0, 0,
                   0.00073746880023784758, 0.014812456816876199, -0.015549925617114047,
                   -0.014664657269852943, 0.046823626410733149, -0.032158969140880171}},
                 {AN_LOSS_BINARY,
                  0.7408034801483154,
                  {-0.062923446674955683, 0.037116690910381694, 0.14679951737128014, 0, 0, 0,
                   0.0049667885656100603, 0.030460775017385353, -0.0019760781079569975,
                   0.0032509765481182479, 0.026041667908430099, 0.0019730648201242117}}};
    an_tensor *p = NULL, *t = NULL, *w = NULL, *dy = NULL;
    const int64_t shape[] = {4, 3};
    assert_int_equal(an_tensor_create(&p, shape, 2, &err), AN_OK);
    assert_int_equal(an_tensor_create(&t, shape, 2, &err), AN_OK);
    assert_int_equal(an_tensor_create(&w, shape, 1, &err), AN_OK);
    assert_int_equal(an_tensor_create(&dy, shape, 2, &err), AN_OK);
    memcpy(an_tensor_data(p), logits, sizeof logits);
    memcpy(an_tensor_data(t), targets, sizeof targets);
    memcpy(an_tensor_data(w), sample_weight, sizeof sample_weight);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value;
        if (an_loss_compute(backend, cases[i].kind, p, t, w, &value, dy, &err))
            fail_msg("%s", err.message);
        /* Keras rounds 1/n and 1/outputs to float: 2^-24 each */
        expect_within(value, cases[i].loss, 1e-7 * cases[i].loss, "loss %d", cases[i].kind);
        for (int k = 0; k < 12; k++)
            expect_within(an_tensor_data(dy)[k], cases[i].gradient[k],
                          2e-7 * fabs(cases[i].gradient[k]), "loss %d, slope %d", cases[i].kind, k);
    }
    an_tensor_destroy(p);
    an_tensor_destroy(t);
    an_tensor_destroy(w);
    an_tensor_destroy(dy);
}

/* --- evaluation --------------------------------------------------------------------------------
 */

typedef struct watched {
    int64_t calls, stop_at; /* stop_at 0: never */
    an_model *model;        /* to be destroyed at the first call */
    an_loader *loader;
} watched;

static int32_t watch(void *user, const an_progress *progress) {
    watched *w = user;
    an_error inner;
    float y;
    assert_int_equal(progress->done, ++w->calls);
    assert_int_equal(progress->total, (COUNT + BATCH - 1) / BATCH);
    assert_string_equal(progress->what, "batches");
    if (w->model) {
        /* readers go on, the loader is busy */
        assert_int_equal(an_model_predict(w->model, some_images(1), 1, &y, &inner), AN_OK);
        assert_int_equal(an_loader_begin(w->loader, 0, 0, &inner), AN_ERR_ARG);
        an_model_destroy(w->model);
        an_loader_destroy(w->loader);
        w->model = NULL;
    }
    return w->calls == w->stop_at;
}

static void evaluation_tells_how_far_it_has_come(void **state) {
    (void)state;
    double quiet, loss;
    watched w = {.model = small_model(backend, 1, AN_TASK_REGRESSION),
                 .loader = make_loader(BATCH)};
    if (an_model_evaluate(w.model, w.loader, NULL, &quiet, NULL, NULL, &err) ||
        an_model_evaluate(w.model, w.loader, NULL, &loss, watch, &w, &err))
        fail_msg("%s", err.message);
    assert_int_equal(w.calls, 3);
    assert_true(loss == quiet);
}

static void evaluation_is_cancelled_by_its_callback(void **state) {
    (void)state;
    double loss = -1, again;
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    an_loader *loader = make_loader(BATCH);
    watched w = {.stop_at = 2};
    assert_int_equal(an_model_evaluate(model, loader, NULL, &loss, watch, &w, &err),
                     AN_ERR_CANCELLED);
    assert_int_equal(w.calls, 2);
    assert_true(loss == -1);
    /* nothing is left claimed */
    assert_int_equal(an_model_evaluate(model, loader, NULL, &loss, NULL, NULL, &err), AN_OK);
    assert_int_equal(
        an_model_evaluate(model, loader, loss_of(AN_LOSS_MSE), &again, NULL, NULL, &err), AN_OK);
    assert_true(loss == again);
    assert_int_equal(
        an_model_evaluate(model, loader, loss_of(AN_LOSS_MAE), &again, NULL, NULL, &err), AN_OK);
    assert_true(loss != again);
    an_loader_destroy(loader);
    an_model_destroy(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_loss_named_is_that_of_the_task),
        unit_test_in_folder(a_run_goes_on_with_its_loss),
        cmocka_unit_test(weights_of_keras),
        cmocka_unit_test(evaluation_tells_how_far_it_has_come),
        cmocka_unit_test(evaluation_is_cancelled_by_its_callback),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
