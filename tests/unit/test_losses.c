/* SPDX-License-Identifier: MIT
 * losses: which one a model is trained with and measured by, on a small network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <attractivenet/predict.h>
#include <attractivenet/train.h>

#include "support/arrays.h"
#include "support/data.h"
#include "support/golden.h"
#include "support/losses.h"
#include "support/small_model.h"
#include "support/test_folder.h"

enum { COUNT = 10, BATCH = 4 };

static an_backend *backend;
static pthread_t caller; /* the thread that all calls are made on */
static an_dataset *dataset;
static an_error err;

static int set_up(void **state) {
    (void)state;
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.threads = 2;
    caller = pthread_self();
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
/* --- the loss of the task --------------------------------------------------------------------- */

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

/* --- weights ---------------------------------------------------------------------------------- */

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

/* --- evaluation ------------------------------------------------------------------------------- */

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
    double quiet = 0, loss = 0;
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

/* --- a loss of one's own ---------------------------------------------------------------------- */

/** Mean squared error, in the order of the library's own; told what goes wrong with it. */
typedef struct own {
    int64_t calls, cancel_at, break_at; /* numbers of calls; 0: none */
    int64_t without_gradient;
    bool leaves_gradient, leaves_loss;
    float slope;     /* not 0: takes the place of one slope */
    an_model *model; /* not NULL: is used from within */
    bool destroys;
    double largest_weight;
} own;

static void use_the_model(own *o) {
    an_error inner;
    an_arrays *weights = NULL;
    float y = 0;
    const struct {
        an_status got;
    } refused[] = {
        {an_model_copy_weights(&weights, o->model, &inner)},
        {an_model_save(o->model, "/nowhere/at/all", &inner)},
        {an_model_set_base(o->model, AN_BASE_FROZEN, &inner)},
        {an_model_compute_gradients(o->model, some_images(1), &y, 1, NULL, NULL, &inner)}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].got != AN_ERR_ARG) fail_msg("call %d: %d", (int)i, (int)refused[i].got);
    /* weights that were never packed: this would have to wait for the step */
    assert_int_equal(an_model_predict(o->model, some_images(1), 1, &y, &inner), AN_ERR_ARG);
    assert_non_null(strstr(inner.message, "a loss function uses the model"));
    if (o->destroys) an_model_destroy(o->model);
    o->model = NULL;
}

static int32_t own_mse(void *user, const an_loss_batch *b) {
    own *o = user;
    const double count = (double)(b->n * b->outputs);
    double sum = 0;
    o->calls++;
    assert_true(pthread_equal(pthread_self(), caller));
    assert_int_equal(b->struct_size, sizeof *b);
    if (o->model) use_the_model(o);
    if (o->calls == o->cancel_at) return 1;
    for (int64_t i = 0; i < b->n * b->outputs; i++) {
        const double e = (double)b->prediction[i] - (double)b->target[i];
        const double weight = b->weights ? (double)b->weights[i / b->outputs] : 1;
        sum += weight * (e * e);
        if (weight > o->largest_weight) o->largest_weight = weight;
        if (b->gradient && !o->leaves_gradient) b->gradient[i] = (float)(weight * (2 * e) / count);
    }
    if (b->gradient && o->slope != 0) b->gradient[b->n * b->outputs - 1] = o->slope;
    if (!b->gradient) o->without_gradient++;
    if (!o->leaves_loss) *b->loss = o->calls == o->break_at ? INFINITY : sum / count;
    return 0;
}

static an_loss_options own_loss(own *o) {
    an_loss_options loss;
    an_loss_options_init(&loss, sizeof loss);
    loss.fn = own_mse;
    loss.user = o;
    return loss;
}

static an_arrays *weights_of(const an_model *model) {
    an_arrays *weights = NULL;
    if (an_model_copy_weights(&weights, model, &err)) fail_msg("%s", err.message);
    return weights;
}

static an_arrays *gradients_of(const an_model *model) {
    an_arrays *gradients = NULL;
    if (an_model_copy_gradients(&gradients, model, &err)) fail_msg("%s", err.message);
    return gradients;
}

static void drop(an_arrays *a, an_arrays *b) {
    an_arrays_destroy(a);
    an_arrays_destroy(b);
}

/* In every mode of the base, with weights and without, from images and from features. */
static void own_mse_has_the_bits_of_ours(void **state) {
    (void)state;
    const float y[] = {1, 2.5f, -1, 0.25f, 3, 2}, w[] = {0.5f, 2, 0};
    for (int32_t base = AN_BASE_FROZEN; base <= AN_BASE_FINETUNE; base++)
        for (int weighted = 0; weighted < 2; weighted++)
            for (int head = 0; head < (base == AN_BASE_FROZEN ? 2 : 1); head++) {
                an_arrays *gradients[2], *weights[2];
                double values[2];
                for (int which = 0; which < 2; which++) {
                    own o = {0};
                    an_model *model = small_model(backend, 2, AN_TASK_REGRESSION);
                    an_loss_options loss = own_loss(&o);
                    if (which == 0) an_loss_options_init(&loss, sizeof loss);
                    if (weighted) loss.weights = w;
                    assert_int_equal(an_model_set_base(model, base, NULL), AN_OK);
                    const an_status st =
                        head ? an_model_compute_head_gradients(model, some_images(3), y, 3, &loss,
                                                               &values[which], &err)
                             : an_model_compute_gradients(model, some_images(3), y, 3, &loss,
                                                          &values[which], &err);
                    if (st) fail_msg("%s", err.message);
                    assert_int_equal(o.calls, which);
                    gradients[which] = gradients_of(model);
                    weights[which] = weights_of(model); /* the moving statistics, too */
                    an_model_destroy(model);
                }
                assert_memory_equal(&values[0], &values[1], sizeof *values);
                assert_true(same_arrays(gradients[0], gradients[1]));
                assert_true(same_arrays(weights[0], weights[1]));
                drop(gradients[0], gradients[1]);
                drop(weights[0], weights[1]);
            }
}

/* A run, and what is left of it. */
typedef struct run {
    an_train_options options;
    int32_t task, batch;
    an_loader *train, *val; /* NULL: made of batch; no validation */
    float stem;             /* each weight of the first layer; 0: as it is */
    an_history *history;
    an_arrays *weights;
    an_status status;
    int32_t reason;
} run;

static run make_run(int32_t base, int32_t epochs) {
    run r = {.batch = BATCH};
    an_train_options_init(&r.options, sizeof r.options);
    r.options.base = base;
    r.options.max_epochs = epochs;
    r.options.early_stop_patience = -1;
    return r;
}

/** Set each weight of the first layer. */
static void set_stem(an_model *model, float value) {
    const ani_net_array *stem = ani_net_array_at(ani_model_net(model), 0);
    float *values = malloc((size_t)stem->count * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < stem->count; i++)
        values[i] = value;
    ani_net_write_array(ani_model_net(model), stem, values);
    free(values);
}

/** Train a new model. */
static void train(run *r) {
    an_trainer *trainer = NULL;
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    if (r->stem > 0) set_stem(model, r->stem);
    an_loader *loader = r->train ? r->train : make_loader(r->batch);
    assert_int_equal(an_history_create(&r->history, NULL), AN_OK);
    if (an_trainer_create(&trainer, model, loader, r->val, r->history, &r->options, &err))
        fail_msg("%s", err.message);
    r->status = an_trainer_run(trainer, &err);
    r->reason = an_trainer_reason(trainer);
    r->weights = weights_of(model);
    if (!r->train) an_loader_destroy(loader);
    an_trainer_destroy(trainer);
    an_model_destroy(model);
}

/* Train two runs that must both succeed, with the same weights at the end; both are validated. */
static void train_alike(run *a, run *b) {
    a->val = b->val = make_loader(3);
    train(a);
    train(b);
    assert_int_equal(a->status, AN_OK);
    assert_int_equal(b->status, AN_OK);
    assert_true(same_arrays(a->weights, b->weights));
    an_loader_destroy(a->val);
}

static double last(const run *r, const char *column) {
    double values[64];
    assert_true(an_history_count(r->history) > 0 && an_history_count(r->history) <= 64);
    assert_int_equal(an_history_copy_column(r->history, column, values, NULL), AN_OK);
    return values[an_history_count(r->history) - 1];
}

static void clear(run *r) {
    an_history_destroy(r->history);
    an_arrays_destroy(r->weights);
}

static void a_run_with_own_mse_has_the_bits_of_ours(void **state) {
    (void)state;
    const int32_t bases[] = {AN_BASE_FROZEN, AN_BASE_TRAIN};
    for (int i = 0; i < 2; i++) {
        own o = {0};
        run ours = make_run(bases[i], 2), theirs = make_run(bases[i], 2);
        theirs.options.loss_fn = own_mse;
        theirs.options.loss_user = &o;
        train_alike(&ours, &theirs);
        assert_int_equal(o.calls, 2 * (3 + 4)); /* batches of 4 and of 3 */
        assert_int_equal(o.without_gradient, 2 * 4);
        assert_true(last(&ours, "loss") == last(&theirs, "loss"));
        /* the mean of a batch times its samples may round */
        assert_true(fabs(last(&ours, "val_loss") - last(&theirs, "val_loss")) <
                    1e-15 * last(&ours, "val_loss"));
        clear(&ours);
        clear(&theirs);
    }
}

static void own_losses_of_classes_get_logits(void **state) {
    (void)state;
    own o = {.leaves_gradient = false};
    an_model *model = small_model(backend, 3, AN_TASK_CLASSIFICATION);
    const float y[] = {0, 0, 7}; /* any target: only the function knows what it may be */
    float p[3];
    double value, want = 0, sum = 0;
    an_loss_options loss = own_loss(&o);
    if (an_model_compute_gradients(model, some_images(1), y, 1, &loss, &value, &err))
        fail_msg("%s", err.message);
    assert_int_equal(an_model_predict(model, some_images(1), 1, p, NULL), AN_OK);
    /* logits are the logarithms of probabilities but for one number, which the three tell */
    for (int k = 0; k < 3; k++)
        sum += (double)p[k];
    assert_true(fabs(sum - 1) < 1e-6);
    for (int k = 0; k < 3; k++)
        want += ((double)p[k] - (double)y[k]) * ((double)p[k] - (double)y[k]) / 3;
    assert_true(fabs(value - want) > 1e-3 * want); /* else they were probabilities */
    an_model_destroy(model);
}

static void a_cancelled_own_loss_changes_nothing(void **state) {
    (void)state;
    const float y[] = {1, 2};
    an_arrays *want[2], *got[2];
    own o = {.cancel_at = 1};
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    const an_loss_options loss = own_loss(&o);
    double value = -1;
    assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, NULL), AN_OK);
    want[0] = weights_of(model);
    assert_int_equal(an_model_compute_gradients(model, some_images(2), y, 2, &loss, &value, &err),
                     AN_ERR_CANCELLED);
    assert_string_equal(err.message, "the loss function asked to stop");
    assert_true(value == -1);
    got[0] = weights_of(model);
    assert_true(same_arrays(want[0], got[0])); /* the moving statistics are back */
    assert_int_equal(an_model_copy_gradients(&got[1], model, &err), AN_ERR_ARG);
    if (an_model_compute_gradients(model, some_images(2), y, 2, &loss, &value, &err))
        fail_msg("%s", err.message);
    got[1] = gradients_of(model);
    an_model *other = small_model(backend, 1, AN_TASK_REGRESSION);
    assert_int_equal(an_model_set_base(other, AN_BASE_TRAIN, NULL), AN_OK);
    if (an_model_compute_gradients(other, some_images(2), y, 2, NULL, NULL, &err))
        fail_msg("%s", err.message);
    want[1] = gradients_of(other);
    assert_true(same_arrays(want[1], got[1]));
    drop(want[0], got[0]);
    drop(want[1], got[1]);
    an_model_destroy(other);
    an_model_destroy(model);
}

static void own_losses_that_are_wrong_are_refused(void **state) {
    (void)state;
    const float y[] = {1, 2}, negative[] = {1, -0.5f}, no_number[] = {NAN, 1};
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    struct {
        own o;
        int32_t kind, accumulate, reserved;
        const float *weights;
        const char *message;
    } wrong[] = {
        {{0}, AN_LOSS_MSE, 0, 0, NULL, "there is a loss function, and kind is 1"},
        {{.leaves_gradient = true}, 0, 0, 0, NULL, "and gradient nan for output 0 of sample 0"},
        {{.slope = INFINITY}, 0, 0, 0, NULL, "and gradient inf for output 0 of sample 1"},
        {{0}, 0, 0, 0, negative, "weight 1 of 2 is -0.5; it must be finite and at least 0"},
        {{0}, 0, 0, 0, no_number, "weight 0 of 2 is nan; it must be finite and at least 0"},
        {{0}, 0, 2, 0, NULL, "accumulate is 2; it must be 0 or 1"},
        {{0}, 0, 1, 0, NULL, "there are no gradients of this base mode to add to"},
        {{0}, 0, 0, 1, NULL, "reserved is 1; it must be 0"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        an_loss_options loss = own_loss(&wrong[i].o);
        loss.kind = wrong[i].kind;
        loss.accumulate = wrong[i].accumulate;
        loss.reserved = wrong[i].reserved;
        loss.weights = wrong[i].weights;
        const an_status st =
            an_model_compute_gradients(model, some_images(2), y, 2, &loss, NULL, &err);
        if (st != AN_ERR_ARG || !strstr(err.message, wrong[i].message))
            fail_msg("status %d, '%s', expected '%s'", (int)st, err.message, wrong[i].message);
    }
    /* an evaluation has the loader's weights */
    an_loader *loader = make_loader(BATCH);
    an_loss_options loss;
    double value;
    an_loss_options_init(&loss, sizeof loss);
    loss.weights = y;
    assert_int_equal(an_model_evaluate(model, loader, &loss, &value, NULL, NULL, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "the loader has them"));
    loss.weights = NULL;
    loss.accumulate = 1;
    assert_int_equal(an_model_evaluate(model, loader, &loss, &value, NULL, NULL, &err), AN_ERR_ARG);
    own o = {.cancel_at = 2};
    loss = own_loss(&o);
    assert_int_equal(an_model_evaluate(model, loader, &loss, &value, NULL, NULL, &err),
                     AN_ERR_CANCELLED);
    an_loader_destroy(loader);
    an_model_destroy(model);
}

static void an_own_loss_that_is_not_finite_ends_the_run(void **state) {
    (void)state;
    own infinite = {.break_at = 2}, left = {.leaves_loss = true};
    own *const each[] = {&infinite, &left};
    for (int i = 0; i < 2; i++) {
        run r = make_run(AN_BASE_FROZEN, 3);
        r.options.loss_fn = own_mse;
        r.options.loss_user = each[i];
        train(&r);
        assert_int_equal(r.status, AN_OK);
        assert_int_equal(r.reason, AN_STOP_NAN);
        assert_int_equal(each[i]->calls, i == 0 ? 2 : 1);
        clear(&r);
    }
}

/* Whatever would have to wait for the step would wait for ever. */
static void an_own_loss_may_not_use_its_model(void **state) {
    (void)state;
    const float y[] = {1, 2};
    for (int destroys = 0; destroys < 2; destroys++) {
        own o = {.destroys = destroys};
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        const an_loss_options loss = own_loss(&o);
        double value;
        assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, NULL), AN_OK);
        o.model = model;
        if (an_model_compute_gradients(model, some_images(2), y, 2, &loss, &value, &err))
            fail_msg("%s", err.message);
        if (!destroys) an_model_destroy(model);
    }
}

/* A resumed run cannot know which function there was, but that there was one. */
static void a_run_with_an_own_loss_goes_on_with_one(void **state) {
    (void)state;
    char path[4096];
    own o = {0};
    run r = make_run(AN_BASE_FROZEN, 1);
    an_checkpoint *checkpoint = NULL;
    snprintf(path, sizeof path, "%s/run", test_folder);
    r.options.resume_path = path;
    r.options.loss_fn = own_mse;
    r.options.loss_user = &o;
    train(&r);
    assert_int_equal(an_checkpoint_read(&checkpoint, path, NULL, NULL, &err), AN_OK);
    an_loader *loader = make_loader(BATCH);
    for (int i = 0; i < 2; i++) {
        an_trainer *trainer = NULL;
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        if (i) r.options.loss_fn = NULL;
        if (an_trainer_create(&trainer, model, loader, NULL, NULL, &r.options, &err))
            fail_msg("%s", err.message);
        assert_int_equal(an_trainer_resume(trainer, checkpoint, &err), i ? AN_ERR_ARG : AN_OK);
        if (i) assert_non_null(strstr(err.message, "loss was 'own', and is 'mse' now"));
        an_trainer_destroy(trainer);
        an_model_destroy(model);
    }
    an_loader_destroy(loader);
    an_checkpoint_destroy(checkpoint);
    clear(&r);
}

/* --- weights of a data set -------------------------------------------------------------------- */

static an_loader *weighted_loader(an_dataset **weighted, int32_t batch) {
    double weights[COUNT];
    an_loader *loader = NULL;
    an_loader_options options;
    *weighted = data_pixels(COUNT, SIDE, SIDE);
    for (int i = 0; i < COUNT; i++)
        weights[i] = i % 3 * 0.75;
    if (an_dataset_set_weights(*weighted, weights, COUNT, &err)) fail_msg("%s", err.message);
    an_loader_options_init(&options, sizeof options);
    options.batch_size = batch;
    options.threads = 0;
    options.shuffle = 1;
    if (an_loader_create(&loader, *weighted, NULL, 0, &options, &err)) fail_msg("%s", err.message);
    return loader;
}

/* Each loss that a loader comes to is that of the weighted samples: while training from images and
 * from features, and in both validations. */
static void weights_of_a_data_set_count(void **state) {
    (void)state;
    const int32_t bases[] = {AN_BASE_FROZEN, AN_BASE_FINETUNE};
    an_dataset *weighted, *other;
    an_loader *loader = weighted_loader(&weighted, BATCH), *val = weighted_loader(&other, 3);
    for (int i = 0; i < 2; i++) {
        double loss = 0, val_loss, by_hand = 0;
        an_optimizer *optimizer = NULL;
        own o = {0};
        run r = make_run(bases[i], 1), theirs = make_run(bases[i], 1);
        r.train = theirs.train = loader;
        r.val = theirs.val = val;
        theirs.options.loss_fn = own_mse;
        theirs.options.loss_user = &o;
        train(&r);
        train(&theirs);
        assert_int_equal(r.status, AN_OK);
        assert_true(same_arrays(r.weights, theirs.weights));
        assert_true(o.largest_weight == 1.5);
        /* the same by hand */
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        assert_int_equal(an_model_set_base(model, bases[i], NULL), AN_OK);
        assert_int_equal(an_optimizer_create(&optimizer, model, NULL, NULL), AN_OK);
        assert_int_equal(an_loader_begin(loader, 0, 0, NULL), AN_OK);
        const float *x, *y;
        const int64_t *samples;
        int64_t n;
        while (an_loader_next(loader, &x, &y, &samples, &n, NULL) == AN_OK) {
            an_loss_options how;
            double value;
            an_loss_options_init(&how, sizeof how);
            how.weights = an_loader_batch_weights(loader);
            if (an_model_compute_gradients(model, x, y, n, &how, &value, &err))
                fail_msg("%s", err.message);
            assert_int_equal(an_optimizer_step(optimizer, 1e-3, NULL), AN_OK);
            loss += value * (double)n / COUNT;
        }
        assert_true(fabs(loss - last(&r, "loss")) < 1e-6 * loss);
        float scores[COUNT];
        assert_int_equal(an_predict_loader(model, val, scores, NULL, NULL, NULL), AN_OK);
        for (int64_t k = 0; k < COUNT; k++) {
            const double e = (double)scores[k] - (double)(float)data_score(k);
            by_hand += (double)(k % 3) * 0.75 * e * e / COUNT;
        }
        assert_int_equal(an_model_evaluate(model, val, NULL, &val_loss, NULL, NULL, NULL), AN_OK);
        assert_true(fabs(val_loss - by_hand) < 1e-6 * by_hand);
        assert_true(fabs(last(&r, "val_loss") - by_hand) < 1e-5 * by_hand);
        an_optimizer_destroy(optimizer);
        an_model_destroy(model);
        clear(&r);
        clear(&theirs);
    }
    an_loader_destroy(loader);
    an_loader_destroy(val);
    an_dataset_destroy(weighted);
    an_dataset_destroy(other);
}

/* --- gradients of several batches ------------------------------------------------------------- */

/* By the moving statistics, batches of 1, 2 and 1 have the gradients of one of 4: each is a sum
 * over all pixels of all samples, whose terms are the same, so the limit is that of its rounding.
 */
static void batches_add_up_to_a_larger_one(void **state) {
    (void)state;
    const float y[] = {1, 2.5f, -1, 0.25f}, w[] = {1, 0.5f, 2, 1.25f};
    static const int64_t sizes[] = {1, 2, 1};
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    an_loss_options loss;
    an_loss_options_init(&loss, sizeof loss);
    small_model_settle(model, some_images(4), 4);
    assert_int_equal(an_model_set_base(model, AN_BASE_FINETUNE, NULL), AN_OK);
    loss.weights = w;
    if (an_model_compute_gradients(model, some_images(4), y, 4, &loss, NULL, &err))
        fail_msg("%s", err.message);
    an_arrays *want = gradients_of(model);
    int64_t at = 0;
    for (int i = 0; i < 3; i++) {
        loss.weights = w + at;
        loss.accumulate = i > 0;
        if (an_model_compute_gradients(model, some_images(4) + at * PIXELS, y + at, sizes[i], &loss,
                                       NULL, &err))
            fail_msg("%s", err.message);
        at += sizes[i];
    }
    an_arrays *got = gradients_of(model);
    for (int64_t i = 0; i < an_arrays_count(want); i++) {
        int64_t count = 1;
        double error = 0, norm = 0;
        for (int32_t axis = 0; axis < an_arrays_rank(want, i); axis++)
            count *= an_arrays_length(want, i, axis);
        for (int64_t k = 0; k < count; k++) {
            const double a = (double)an_arrays_data(got, i)[k];
            const double b = (double)an_arrays_data(want, i)[k];
            error += (a - b) * (a - b);
            norm += b * b;
        }
        /* sums of up to 4 x 16 x 16 terms in float: (8 + 2 sqrt(1024)) / 2^24 */
        if (!(sqrt(error) <= 72 * 0x1p-24 * sqrt(norm)))
            fail_msg("'%s': off by %g of %g", an_arrays_name(want, i), sqrt(error), sqrt(norm));
    }
    /* a batch that fails leaves what there was */
    own o = {.cancel_at = 1};
    loss = own_loss(&o);
    loss.accumulate = 1;
    assert_int_equal(an_model_compute_gradients(model, some_images(2), y, 2, &loss, NULL, &err),
                     AN_ERR_CANCELLED);
    an_arrays *after = gradients_of(model);
    assert_true(same_arrays(got, after));
    /* and gradients of the head alone are not added to those of all */
    assert_int_equal(
        an_model_compute_head_gradients(model, some_images(2), y, 2, &loss, NULL, &err),
        AN_ERR_ARG);
    an_arrays_destroy(after);
    drop(want, got);
    an_model_destroy(model);
}

/* The last image of six is damaged and left out: what waited for it makes a step, as at the end of
 * a data set that never had it. */
static void a_step_that_waits_for_a_damaged_image_is_done(void **state) {
    (void)state;
    const int32_t bases[] = {AN_BASE_FROZEN, AN_BASE_FINETUNE};
    char path[4096];
    an_dataset *damaged = NULL;
    an_dataset_options options;
    an_loader_options batches;
    an_loader *loaders[2];
    data_folder(test_folder, 6, SIDE, SIDE);
    snprintf(path, sizeof path, "%s/P0005.jpg", test_folder);
    assert_int_equal(truncate(path, 100), 0);
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.policy = AN_POLICY_SKIP;
    if (an_dataset_open(&damaged, test_folder, &options, &err)) fail_msg("%s", err.message);
    an_loader_options_init(&batches, sizeof batches);
    batches.batch_size = 1;
    batches.threads = 0;
    for (int i = 0; i < 2; i++)
        if (an_loader_create(&loaders[i], damaged, (const int64_t[]){0, 1, 2, 3, 4, 5}, 5 + i,
                             &batches, &err))
            fail_msg("%s", err.message);
    for (int i = 0; i < 2; i++) {
        run whole = make_run(bases[i], 2), short_of_one = make_run(bases[i], 2);
        whole.options.accumulate = short_of_one.options.accumulate = 4;
        whole.train = loaders[0];
        short_of_one.train = loaders[1];
        train(&whole);
        train(&short_of_one);
        assert_int_equal(whole.status, AN_OK);
        assert_int_equal(short_of_one.status, AN_OK);
        assert_true(last(&whole, "steps") == 5 && last(&short_of_one, "steps") == 5);
        assert_true(same_arrays(whole.weights, short_of_one.weights));
        clear(&whole);
        clear(&short_of_one);
    }
    an_loader_destroy(loaders[0]);
    an_loader_destroy(loaders[1]);
    an_dataset_destroy(damaged);
}

typedef struct heard {
    int64_t steps, validations, validation_total, epochs;
    int64_t stop_at_step, stop_at_validation; /* 0: never */
    an_trainer **trainer;
    an_cancel *cancel;
    double rates[16];
    bool sets_rates, pauses;
} heard;

static int32_t hear(void *user, const an_train_event *event) {
    heard *h = user;
    if (event->kind == AN_EVENT_EPOCH_END) h->epochs++;
    if (event->kind == AN_EVENT_VALIDATION) {
        h->validations++;
        h->validation_total = event->steps;
        assert_true(event->step >= 1 && event->step <= event->steps);
        assert_true(event->seconds_left >= 0 || event->seconds_left == -1);
        return h->validations == h->stop_at_validation;
    }
    if (event->kind != AN_EVENT_STEP) return 0;
    h->steps++;
    if (h->sets_rates) {
        h->rates[h->steps - 1] = an_trainer_learning_rate(*h->trainer);
        assert_int_equal(
            an_trainer_set_learning_rate(*h->trainer, 1e-3 / (double)(h->steps + 1), NULL), AN_OK);
    }
    if (h->steps == h->stop_at_step && h->cancel) an_cancel_request(h->cancel);
    if (h->steps == h->stop_at_step && h->pauses) an_trainer_pause(*h->trainer);
    return h->steps == h->stop_at_step && !h->cancel && !h->pauses;
}

/* 10 images in batches of 4, two a step: steps of 8 and of 2, whose rates the schedule counts. */
static void steps_of_several_batches(void **state) {
    (void)state;
    const int32_t bases[] = {AN_BASE_FROZEN, AN_BASE_TRAIN};
    an_schedule_options schedule;
    an_schedule_options_init(&schedule, sizeof schedule);
    schedule.kind = AN_SCHEDULE_COSINE;
    for (int i = 0; i < 2; i++) {
        run r = make_run(bases[i], 2);
        r.options.accumulate = 2;
        r.options.schedule = &schedule;
        train(&r);
        assert_int_equal(r.status, AN_OK);
        assert_true(last(&r, "steps") == 3);
        /* the same by hand: 4 steps in all */
        schedule.decay_steps = 4;
        const double rate = an_schedule_rate(&schedule, 1e-3, 3);
        assert_true(last(&r, "rate") == rate && rate < 1e-3);
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        an_loader *loader = make_loader(BATCH);
        an_optimizer *optimizer = NULL;
        assert_int_equal(an_optimizer_create(&optimizer, model, NULL, NULL), AN_OK);
        assert_int_equal(an_model_set_base(model, bases[i], NULL), AN_OK);
        for (int64_t epoch = 0, step = 0; epoch < 2; epoch++) {
            const float *x, *y;
            int64_t n;
            an_loss_options loss;
            an_loss_options_init(&loss, sizeof loss);
            assert_int_equal(an_loader_begin(loader, epoch, 0, NULL), AN_OK);
            for (int batch = 0; an_loader_next(loader, &x, &y, NULL, &n, NULL) == AN_OK; batch++) {
                loss.accumulate = batch == 1;
                if (an_model_compute_gradients(model, x, y, n, &loss, NULL, &err))
                    fail_msg("%s", err.message);
                if (batch > 0)
                    assert_int_equal(an_optimizer_step(optimizer,
                                                       an_schedule_rate(&schedule, 1e-3, step++),
                                                       NULL),
                                     AN_OK);
            }
        }
        schedule.decay_steps = 0;
        an_arrays *want = weights_of(model);
        assert_true(same_arrays(want, r.weights));
        an_arrays_destroy(want);
        an_optimizer_destroy(optimizer);
        an_loader_destroy(loader);
        an_model_destroy(model);
        clear(&r);
    }
}

/* Without a callback the loss of a step is read while the next one is computed. */
static void a_loss_read_late_is_the_same(void **state) {
    (void)state;
    const int32_t bases[] = {AN_BASE_FROZEN, AN_BASE_TRAIN};
    for (int i = 0; i < 2; i++) {
        heard h = {0};
        run late = make_run(bases[i], 2), at_once = make_run(bases[i], 2);
        at_once.options.on_event = hear;
        at_once.options.event_user = &h;
        train_alike(&late, &at_once);
        assert_int_equal(h.steps, 6);
        static const char *const columns[] = {"loss", "val_loss", "rate", "steps"};
        for (int k = 0; k < 4; k++)
            assert_true(last(&late, columns[k]) == last(&at_once, columns[k]));
        clear(&late);
        clear(&at_once);
    }
}

static int32_t keep_message(void *user, const an_warning *warning) {
    char *message = user;
    if (strstr(warning->message, "the loss is"))
        snprintf(message, sizeof err.message, "%s", warning->message);
    return 0;
}

/* The first step makes the weights infinite, so the loss of the second is not finite: weights and
 * moving statistics are then those of after the first, whenever the loss is read. */
static void a_broken_step_changes_nothing(void **state) {
    (void)state;
    const int32_t bases[] = {AN_BASE_FROZEN, AN_BASE_TRAIN};
    an_optimizer_options sgd;
    an_optimizer_options_init(&sgd, sizeof sgd);
    sgd.kind = AN_OPTIM_SGD;
    for (int i = 0; i < 4; i++) {
        const int32_t batches = i < 2 ? 1 : 2; /* of a step */
        heard h[2] = {{0}, {.stop_at_step = batches}};
        char messages[3][sizeof err.message] = {{0}};
        run runs[3];
        for (int k = 0; k < 3; k++) { /* late; at once; stopped after the first step */
            runs[k] = make_run(bases[i % 2], 2);
            runs[k].batch = BATCH / batches;
            runs[k].options.accumulate = batches;
            runs[k].options.optimizer = &sgd;
            runs[k].options.learning_rate = 1e300;
            runs[k].options.warn = keep_message;
            runs[k].options.warn_user = messages[k];
            if (k) runs[k].options.on_event = hear;
            if (k) runs[k].options.event_user = &h[k - 1];
            train(&runs[k]);
        }
        for (int k = 0; k < 2; k++) {
            assert_int_equal(runs[k].status, AN_OK);
            assert_int_equal(runs[k].reason, AN_STOP_NAN);
            assert_true(same_arrays(runs[k].weights, runs[2].weights));
        }
        assert_int_equal(h[0].steps, batches);
        assert_int_equal(runs[2].status, AN_ERR_CANCELLED);
        assert_non_null(strstr(messages[0], batches == 1 ? "at step 2 of epoch 1 of stage 1"
                                                         : "at step 3 of epoch 1 of stage 1"));
        assert_string_equal(messages[0], messages[1]);
        assert_true(last(&runs[0], "steps") == batches && last(&runs[0], "rate") == 1e300);
        for (int k = 0; k < 3; k++)
            clear(&runs[k]);
    }
}

/* The loss of a white image is not finite, since the first layer overflows; those of the black ones
 * before and after it are. What was queued after the white one is not counted. */
static void a_batch_after_a_broken_one_is_not_counted(void **state) {
    (void)state;
    enum { IMAGES = 3 };
    static uint8_t rgb[IMAGES * PIXELS];
    const double scores[IMAGES] = {1, 2, 3};
    heard h = {0};
    an_dataset *images = NULL;
    an_loader_options one;
    memset(rgb + PIXELS, 255, PIXELS);
    an_loader_options_init(&one, sizeof one);
    one.batch_size = 1;
    if (an_dataset_from_pixels(&images, rgb, IMAGES, SIDE, SIDE, scores, 1, NULL, &err))
        fail_msg("%s", err.message);
    run runs[2];
    for (int k = 0; k < 2; k++) { /* late; at once */
        runs[k] = make_run(AN_BASE_TRAIN, 1);
        runs[k].stem = 3e38f;
        if (k) runs[k].options.on_event = hear;
        if (k) runs[k].options.event_user = &h;
        if (an_loader_create(&runs[k].train, images, NULL, 0, &one, &err))
            fail_msg("%s", err.message);
        train(&runs[k]);
        assert_int_equal(runs[k].status, AN_OK);
        assert_int_equal(runs[k].reason, AN_STOP_NAN);
        assert_true(last(&runs[k], "steps") == 1);
        an_loader_destroy(runs[k].train);
    }
    assert_int_equal(h.steps, 1);
    assert_true(same_arrays(runs[0].weights, runs[1].weights));
    for (int k = 0; k < 2; k++)
        clear(&runs[k]);
    an_dataset_destroy(images);
}

/* A run that is paused, or cancelled by the flag between two batches of a step, ends with the bits
 * of one that was not: its checkpoints, and what it goes on from, are of whole steps. */
static void an_interrupted_step_of_several_batches_is_done_again(void **state) {
    (void)state;
    const int32_t bases[] = {AN_BASE_FROZEN, AN_BASE_TRAIN};
    char path[4096];
    snprintf(path, sizeof path, "%s/run", test_folder);
    for (int i = 0; i < 4; i++) {
        const bool pauses = i >= 2;
        run want = make_run(bases[i % 2], 2);
        want.options.accumulate = 2;
        want.batch = 2;
        train(&want);
        an_trainer *trainer = NULL;
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        an_loader *loader = make_loader(2);
        heard h = {.stop_at_step = 3, .trainer = &trainer, .pauses = pauses};
        an_train_options options = want.options;
        options.on_event = hear;
        options.event_user = &h;
        options.resume_path = path;
        options.resume_seconds = 0;
        assert_int_equal(an_cancel_create(&h.cancel, NULL), AN_OK);
        an_cancel *const cancel = h.cancel;
        if (pauses) h.cancel = NULL;
        assert_int_equal(an_model_set_cancel(model, cancel, NULL), AN_OK);
        assert_int_equal(an_trainer_create(&trainer, model, loader, NULL, NULL, &options, &err),
                         AN_OK);
        assert_int_equal(an_trainer_run(trainer, &err), AN_ERR_CANCELLED);
        /* the pause waits for the step's second batch */
        assert_int_equal(h.steps, pauses ? 4 : 3);
        an_cancel_reset(cancel);
        if (pauses) {
            an_checkpoint *checkpoint = NULL;
            an_trainer_destroy(trainer);
            an_model_destroy(model);
            model = small_model(backend, 1, AN_TASK_REGRESSION);
            assert_int_equal(an_checkpoint_read(&checkpoint, path, NULL, NULL, &err), AN_OK);
            assert_int_equal(an_trainer_create(&trainer, model, loader, NULL, NULL, &options, &err),
                             AN_OK);
            if (an_trainer_resume(trainer, checkpoint, &err)) fail_msg("%s", err.message);
            an_checkpoint_destroy(checkpoint);
        }
        h.stop_at_step = 0;
        if (an_trainer_run(trainer, &err)) fail_msg("%s", err.message);
        an_arrays *got = weights_of(model);
        assert_true(same_arrays(got, want.weights));
        an_arrays_destroy(got);
        an_trainer_destroy(trainer);
        assert_int_equal(an_checkpoint_remove(path, NULL), AN_OK);
        an_loader_destroy(loader);
        an_model_destroy(model);
        an_cancel_destroy(cancel);
        clear(&want);
    }
}

/* --- what a run tells, and is told ------------------------------------------------------------ */

static void validation_tells_how_far_it_has_come(void **state) {
    (void)state;
    const int32_t bases[] = {AN_BASE_FROZEN, AN_BASE_TRAIN};
    for (int i = 0; i < 2; i++) {
        heard h = {0};
        run r = make_run(bases[i], 2);
        r.val = make_loader(3);
        r.options.on_event = hear;
        r.options.event_user = &h;
        train(&r);
        assert_int_equal(r.status, AN_OK);
        assert_int_equal(h.validation_total, 4);
        /* from features all is done at once */
        assert_int_equal(h.validations, bases[i] == AN_BASE_FROZEN ? 2 : 8);
        clear(&r);
        h = (heard){.stop_at_validation = 1};
        train(&r);
        assert_int_equal(r.status, AN_ERR_CANCELLED);
        assert_int_equal(h.epochs, 0);
        assert_int_equal(an_history_count(r.history), 0);
        clear(&r);
        an_loader_destroy(r.val);
    }
}

static void a_rate_set_in_a_callback_is_that_of_the_next_step(void **state) {
    (void)state;
    an_trainer *trainer = NULL;
    heard h = {.sets_rates = true, .trainer = &trainer};
    run r = make_run(AN_BASE_TRAIN, 2);
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    an_loader *loader = make_loader(BATCH);
    an_epoch_report report;
    an_epoch_report_init(&report, sizeof report);
    r.options.on_event = hear;
    r.options.event_user = &h;
    assert_int_equal(an_trainer_create(&trainer, model, loader, NULL, NULL, &r.options, &err),
                     AN_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(an_trainer_run_epoch(trainer, &report, &err), AN_OK);
    assert_int_equal(h.steps, 6);
    for (int i = 0; i < 6; i++)
        assert_true(h.rates[i] == 1e-3 / (i + 1));
    assert_true(report.rate == 1e-3 / 6); /* of the last step */
    an_arrays *got = weights_of(model);
    an_trainer_destroy(trainer);
    an_model_destroy(model);
    /* the same by hand */
    an_optimizer *optimizer = NULL;
    model = small_model(backend, 1, AN_TASK_REGRESSION);
    assert_int_equal(an_optimizer_create(&optimizer, model, NULL, NULL), AN_OK);
    assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, NULL), AN_OK);
    for (int64_t epoch = 0, step = 0; epoch < 2; epoch++) {
        const float *x, *y;
        int64_t n;
        assert_int_equal(an_loader_begin(loader, epoch, 0, NULL), AN_OK);
        while (an_loader_next(loader, &x, &y, NULL, &n, NULL) == AN_OK) {
            assert_int_equal(an_model_compute_gradients(model, x, y, n, NULL, NULL, &err), AN_OK);
            assert_int_equal(an_optimizer_step(optimizer, 1e-3 / (double)++step, NULL), AN_OK);
        }
    }
    an_arrays *want = weights_of(model);
    assert_true(same_arrays(got, want));
    drop(got, want);
    an_optimizer_destroy(optimizer);
    an_model_destroy(model);
    an_loader_destroy(loader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_loss_named_is_that_of_the_task),
        unit_test_in_folder(a_run_goes_on_with_its_loss),
        cmocka_unit_test(weights_of_keras),
        cmocka_unit_test(evaluation_tells_how_far_it_has_come),
        cmocka_unit_test(evaluation_is_cancelled_by_its_callback),
        cmocka_unit_test(own_mse_has_the_bits_of_ours),
        cmocka_unit_test(a_run_with_own_mse_has_the_bits_of_ours),
        cmocka_unit_test(own_losses_of_classes_get_logits),
        cmocka_unit_test(a_cancelled_own_loss_changes_nothing),
        cmocka_unit_test(own_losses_that_are_wrong_are_refused),
        cmocka_unit_test(an_own_loss_that_is_not_finite_ends_the_run),
        cmocka_unit_test(an_own_loss_may_not_use_its_model),
        unit_test_in_folder(a_run_with_an_own_loss_goes_on_with_one),
        cmocka_unit_test(weights_of_a_data_set_count),
        cmocka_unit_test(batches_add_up_to_a_larger_one),
        cmocka_unit_test(a_loss_read_late_is_the_same),
        cmocka_unit_test(a_broken_step_changes_nothing),
        cmocka_unit_test(a_batch_after_a_broken_one_is_not_counted),
        cmocka_unit_test(steps_of_several_batches),
        unit_test_in_folder(a_step_that_waits_for_a_damaged_image_is_done),
        unit_test_in_folder(an_interrupted_step_of_several_batches_is_done_again),
        cmocka_unit_test(validation_tells_how_far_it_has_come),
        cmocka_unit_test(a_rate_set_in_a_callback_is_that_of_the_next_step),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
