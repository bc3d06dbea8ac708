/* SPDX-License-Identifier: MIT
 * How soon a cancelled call ends. A call that is left to run is watched: the longest time between
 * two looks at its flag, and from the last one to its return, is what a request waits for at worst,
 * whenever it comes. Times are those of the calling thread's processor, on a backend with one
 * thread, so other programs do not disturb them. Then the call is cancelled by another thread.
 *
 * usage: test_cancel_latency [wide]    wide: 350x350, batch 32, alpha 1.0; prints a table */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <attractivenet/attractivenet.h>

#include "base/cancel.h"
#include "support/backends.h"
#include "support/data.h"
#include "support/folder.h"
#include "support/test_folder.h"

static int32_t side = 160, batch = 8;
static double alpha = 0.5;
static bool wide;

/* --- looks ------------------------------------------------------------------------------------ */

static pthread_t watched;
static bool watches;
static double looked_at, longest; /* seconds of the watched thread's processor */
static int64_t looks;

bool __real_ani_watch_stops(ani_watch *watch);
bool __wrap_ani_watch_stops(ani_watch *watch);
an_status __real_ani_watch_check(ani_watch *watch, an_error *err);
an_status __wrap_ani_watch_check(ani_watch *watch, an_error *err);

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void look(void) {
    const double now = seconds(CLOCK_THREAD_CPUTIME_ID);
    if (now - looked_at > longest) longest = now - looked_at;
    looked_at = now;
    looks++;
}

static void look_of(const ani_watch *watch) {
    if (watches && watch && watch->cancel && pthread_equal(pthread_self(), watched)) look();
}

bool __wrap_ani_watch_stops(ani_watch *watch) {
    look_of(watch);
    return __real_ani_watch_stops(watch);
}

an_status __wrap_ani_watch_check(ani_watch *watch, an_error *err) {
    look_of(watch);
    return __real_ani_watch_check(watch, err);
}

/* --- the calls -------------------------------------------------------------------------------- */

static an_cancel *flag;
static an_backend *backend;
static an_model *model;
static an_loader *loader; /* JPEG files, decoded by the caller */
static an_trainer *trainer;
static float *x, *y, *features;

static an_status step(int32_t base, int32_t precision, int32_t recompute, an_error *err) {
    an_status st = an_model_set_base(model, base, err);
    if (!st) st = an_model_set_training(model, precision, recompute, err);
    return st ? st : an_model_compute_gradients(model, x, y, batch, NULL, NULL, err);
}
static an_status train(an_error *err) {
    return step(AN_BASE_TRAIN, AN_PRECISION_FP32, 0, err);
}
static an_status train_mixed(an_error *err) {
    return step(AN_BASE_TRAIN, AN_PRECISION_MIXED, 1, err);
}
static an_status finetune(an_error *err) {
    return step(AN_BASE_FINETUNE, AN_PRECISION_FP32, 0, err);
}
static an_status statistics(an_error *err) {
    return step(AN_BASE_STATISTICS, AN_PRECISION_FP32, 0, err);
}
static an_status frozen(an_error *err) {
    return step(AN_BASE_FROZEN, AN_PRECISION_FP32, 0, err);
}
static an_status epoch(an_error *err) {
    return an_trainer_run(trainer, err);
}
static an_status add_statistics(an_error *err) {
    an_status st = an_model_update_batch_norm_begin(model, err);
    return st ? st : an_model_update_batch_norm_add(model, x, batch, err);
}
static an_status calibrate(an_error *err) {
    an_status st = an_model_calibrate_begin(model, err);
    return st ? st : an_model_calibrate_add(model, x, batch, err);
}
static an_status calibrate_loader(an_error *err) {
    return an_calibrate_loader(model, loader, 0, NULL, NULL, err);
}
/* With the packing of the weights, which another kind of inference has let go. */
static an_status predict(int32_t inference, an_error *err) {
    an_status st = AN_OK;
    if (wide) st = an_model_set_inference(model, AN_INFERENCE_FP32, err);
    if (!st && wide) st = an_model_set_inference(model, AN_INFERENCE_BF16, err);
    if (!st) st = an_model_set_inference(model, inference, err);
    return st ? st : an_model_predict(model, x, batch, y, err);
}
static an_status predict_int8(an_error *err) {
    return predict(AN_INFERENCE_INT8, err);
}
static an_status predict_bf16(an_error *err) {
    return predict(AN_INFERENCE_BF16, err);
}
static an_status predict_fp32(an_error *err) {
    return predict(AN_INFERENCE_FP32, err);
}
static an_status compute_features(an_error *err) {
    return an_model_compute_features(model, x, batch, features, err);
}
static an_status predict_from_features(an_error *err) {
    return an_model_predict_from_features(model, features, batch, y, err);
}
static an_status head_gradients(an_error *err) {
    return an_model_compute_head_gradients(model, features, y, batch, NULL, NULL, err);
}
static an_status evaluate(an_error *err) {
    double loss;
    return an_model_evaluate(model, loader, NULL, &loss, NULL, NULL, err);
}
static an_status predict_loader(an_error *err) {
    return an_predict_loader(model, loader, y, NULL, NULL, err);
}
static an_status next(an_error *err) {
    an_status st = an_loader_begin(loader, 0, 0, err);
    return st ? st : an_loader_next(loader, NULL, NULL, NULL, NULL, err);
}

/* In an order that leaves each what it needs: int8 a calibration, the features before the head. */
static const struct call {
    const char *name;
    an_status (*run)(an_error *err);
    int64_t least; /* looks: many more than there are units, where those last */
} calls[] = {
    {"gradients, train", train, 1000},
    {"gradients, train, mixed, recompute", train_mixed, 1000},
    {"gradients, finetune", finetune, 1000},
    {"gradients, statistics", statistics, 500},
    {"gradients, frozen", frozen, 100},
    {"trainer, an epoch", epoch, 1500},
    {"update_batch_norm_add", add_statistics, 500},
    {"calibrate_add", calibrate, 1500},
    {"calibrate_loader", calibrate_loader, 1500},
    {"predict, int8", predict_int8, 100},
    {"predict, bf16", predict_bf16, 100},
    {"predict, fp32", predict_fp32, 100},
    {"compute_features", compute_features, 100},
    {"predict_from_features", predict_from_features, 2},
    {"compute_head_gradients", head_gradients, 2},
    {"evaluate", evaluate, 100},
    {"predict_loader", predict_loader, 100},
    {"loader_next", next, 8},
};

static an_loader *make_loader(void) {
    an_dataset *dataset = NULL;
    an_dataset_options options;
    an_loader_options batches;
    an_loader *made = NULL;
    an_error err = {0};
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = side;
    if (an_dataset_open(&dataset, test_folder, &options, &err)) fail_msg("%s", err.message);
    an_loader_options_init(&batches, sizeof batches);
    batches.batch_size = batch;
    batches.threads = 0;
    if (an_loader_create(&made, dataset, NULL, 0, &batches, &err)) fail_msg("%s", err.message);
    an_dataset_destroy(dataset);
    return made;
}

/* One epoch is a trainer's run: a new one for each. */
static void make_trainer(void) {
    an_train_options options;
    an_loader *training = make_loader();
    an_error err = {0};
    an_trainer_destroy(trainer);
    an_train_options_init(&options, sizeof options);
    options.base = AN_BASE_TRAIN;
    options.max_epochs = 1;
    options.update_batch_norm = 1;
    if (an_trainer_create(&trainer, model, training, loader, NULL, &options, &err))
        fail_msg("%s", err.message);
    an_loader_destroy(training);
}

static int set_up(void **state) {
    an_mobilenetv2_options options;
    an_error err = {0};
    test_folder_make(state);
    data_folder(test_folder, batch, side, side);
    const size_t count = (size_t)batch * (size_t)side * (size_t)side * 3;
    x = malloc(count * sizeof *x);
    y = calloc((size_t)batch, sizeof *y);
    features = calloc((size_t)batch * 1280, sizeof *features);
    if (!x || !y || !features || an_cancel_create(&flag, NULL)) return -1;
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(i * 2654435761u >> 24 & 255) / 255;
    backend = test_backend_make("cpu", NULL, 1);
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = side;
    options.alpha = alpha;
    if (an_mobilenetv2_create(&model, backend, &options, &err)) fail_msg("%s", err.message);
    loader = make_loader();
    watched = pthread_self();
    return an_model_set_cancel(model, flag, NULL) || an_loader_set_cancel(loader, flag, NULL);
}

static int clear(void **state) {
    an_trainer_destroy(trainer);
    an_loader_destroy(loader);
    an_model_destroy(model);
    an_backend_destroy(backend);
    an_cancel_destroy(flag);
    free(features);
    free(y);
    free(x);
    return test_folder_remove(state);
}

/* --- measuring -------------------------------------------------------------------------------- */

/* Requests after a time of the calling thread's processor. */
typedef struct request {
    clockid_t clock;
    double at;
    atomic_bool over;
    double requested; /* that clock */
} request;

static void *request_soon(void *data) {
    request *r = data;
    const struct timespec pause = {.tv_nsec = 200000};
    while (!atomic_load(&r->over) && seconds(r->clock) < r->at)
        nanosleep(&pause, NULL);
    r->requested = seconds(r->clock);
    an_cancel_request(flag);
    return NULL;
}

/* Seconds of the processor from the request to the end of the call. */
static double cancel_after(const struct call *one, double delay) {
    request r = {.at = seconds(CLOCK_THREAD_CPUTIME_ID) + delay};
    pthread_t thread;
    an_error err = {0};
    if (one->run == epoch) make_trainer();
    assert_int_equal(pthread_getcpuclockid(pthread_self(), &r.clock), 0);
    r.at = seconds(r.clock) + delay;
    assert_int_equal(pthread_create(&thread, NULL, request_soon, &r), 0);
    const an_status st = one->run(&err);
    const double end = seconds(r.clock);
    atomic_store(&r.over, true);
    pthread_join(thread, NULL);
    an_cancel_reset(flag);
    if (st && st != AN_ERR_CANCELLED) fail_msg("%s: %s", one->name, err.message);
    return st ? end - r.requested : 0; /* 0: it came too late */
}

static void a_cancelled_call_ends_within_a_fifth_of_a_second(void **state) {
    (void)state;
    an_error err = {0};
    bool late = false;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct call *one = &calls[i];
        if (one->run == epoch) make_trainer();
        if (one->run == predict_int8) assert_int_equal(calibrate_loader(NULL), AN_OK);
        if (!wide)
            assert_int_equal(one->run(NULL), AN_OK); /* memory is there, weights are packed */
        if (one->run == epoch) make_trainer();
        longest = 0;
        looks = 0;
        watches = true;
        const double begin = looked_at = seconds(CLOCK_THREAD_CPUTIME_ID);
        if (one->run(&err)) fail_msg("%s: %s", one->name, err.message);
        look();
        watches = false;
        const double all = looked_at - begin, between = longest;
        double worst = 0;
        for (int k = 1; k < (wide ? 6 : 3); k++) {
            const double end = cancel_after(one, all * k / (wide ? 6 : 3));
            worst = end > worst ? end : worst;
        }
        if (wide)
            printf("| %s | %.0f | %lld | %.1f | %.1f |\n", one->name, 1e3 * all, (long long)looks,
                   1e3 * between, 1e3 * worst);
        /* Scaled down: as a fifth of a second is to a step, and the grain of the clocks. */
        const double limit = wide ? 0.2 : 0.005 + 0.08 * all;
        if (between <= limit && worst <= limit && looks >= one->least) continue;
        print_error("%s, %.1f ms: %.1f ms between two of %lld looks, %.1f ms after a request; at "
                    "most %.1f ms, at least %lld looks\n",
                    one->name, 1e3 * all, 1e3 * between, (long long)looks, 1e3 * worst, 1e3 * limit,
                    (long long)one->least);
        late = true;
    }
    assert_false(late);
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "wide")) {
        side = 350;
        batch = 32;
        alpha = 1;
        wide = true;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancelled_call_ends_within_a_fifth_of_a_second),
    };
    return cmocka_run_group_tests_name("cancel_latency", tests, set_up, clear);
}
