/* SPDX-License-Identifier: MIT
 * The host side of the CUDA backend, on the stand-in devices of shim/: what is said when a driver,
 * a card or memory is missing; tickets; recordings; errors that stay; processes. The environment
 * sets the faults (shim/cuda_runtime_api.h).
 *
 * usage: test_cuda_host [card]    card: on a GPU, what needs no fault */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <attractivenet/attractivenet.h>

#include "backend/backend.h"
#include "backend/cuda_load.h"
#include "support/small_model.h"
#include "support/folder.h"
#include "support/training.h"

static an_error error;

static an_status make(an_backend **out, const char *device) {
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.device = device;
    memset(&error, 0, sizeof error);
    return an_backend_create(out, &options, &error);
}

static an_backend *cuda(void) {
    an_backend *backend = NULL;
    const char *device = getenv("AN_TEST_DEVICE");
    if (make(&backend, device ? device : "cuda")) fail_msg("%s", error.message);
    return backend;
}

static void expect_refused(const char *device, an_status status, const char *message) {
    an_backend *backend = NULL;
    assert_int_equal(make(&backend, device), status);
    assert_null(backend);
    assert_string_equal(error.message, message);
}

/* The message of the only entry after the cpu. */
static void expect_listed(int64_t count, const char *device, const char *reason) {
    an_device_list *list = NULL;
    an_device_info info;
    an_device_info_init(&info, sizeof info);
    assert_int_equal(an_device_list_create(&list, &error), AN_OK);
    assert_int_equal(an_device_list_count(list), count);
    assert_int_equal(an_device_list_describe(list, count - 1, &info, &error), AN_OK);
    assert_string_equal(info.device, device);
    assert_string_equal(info.reason, reason);
    assert_int_equal(info.is_usable, !*reason);
    an_device_list_destroy(list);
}

static int set_defaults(void **state) {
    (void)state;
    static const char *const names[] = {"AN_SHIM_DRIVER", "AN_SHIM_CARDS",   "AN_SHIM_CAPABILITY",
                                        "AN_SHIM_MEMORY", "AN_SHIM_KERNELS", "AN_SHIM_FAULT"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    unsetenv("CUDA_VISIBLE_DEVICES");
    return 0;
}

/* --- what is missing -------------------------------------------------------------------------- */

static void an_old_driver_is_named(void **state) {
    (void)state;
    static const char message[] = "the NVIDIA driver is too old: it supports CUDA 12.4, and this "
                                  "library needs 13.0 or later";
    setenv("AN_SHIM_DRIVER", "12040", 1);
    expect_refused("cuda", AN_ERR_DEVICE, message);
    expect_listed(2, "cuda", message);
}

static void no_driver_is_said(void **state) {
    (void)state;
    an_backend *backend = NULL;
    setenv("AN_SHIM_DRIVER", "0", 1);
    assert_int_equal(make(&backend, "cuda:1"), AN_ERR_DEVICE);
    assert_non_null(strstr(error.message, "no NVIDIA driver: libcuda.so.1"));
    assert_int_equal(make(&backend, "auto"), AN_OK);
    assert_string_equal(an_backend_name(backend), "cpu");
    an_backend_destroy(backend);
}

static void no_card_is_said(void **state) {
    (void)state;
    setenv("AN_SHIM_CARDS", "0", 1);
    expect_refused("cuda", AN_ERR_DEVICE, "the NVIDIA driver (CUDA 13.0) found no GPU");
    setenv("CUDA_VISIBLE_DEVICES", "7", 1);
    expect_listed(2, "cuda",
                  "the NVIDIA driver (CUDA 13.0) found no GPU; CUDA_VISIBLE_DEVICES is 7");
}

static void a_card_that_is_not_there_is_named(void **state) {
    (void)state;
    expect_refused("cuda:2", AN_ERR_DEVICE, "there is no cuda:2; the last GPU here is cuda:1");
}

static void an_old_card_is_named(void **state) {
    (void)state;
    static const char message[] = "cuda:1 (Stand-in 1) is too old: its compute capability is 7.5, "
                                  "and this library needs 8.0 or later";
    setenv("AN_SHIM_CAPABILITY", "75", 1);
    expect_refused("cuda:1", AN_ERR_DEVICE, message);
    expect_listed(3, "cuda:1", message);
}

static void a_card_without_kernels_is_named(void **state) {
    (void)state;
    setenv("AN_SHIM_KERNELS", "0", 1);
    expect_refused("cuda", AN_ERR_DEVICE,
                   "cuda:0 (Stand-in 0) has compute capability 9.0, for which this build has no "
                   "kernels: it was built with gpu_archs=host");
}

static void auto_takes_the_first_card(void **state) {
    (void)state;
    an_backend *backend = NULL;
    an_device_info info;
    an_device_info_init(&info, sizeof info);
    assert_int_equal(make(&backend, "auto"), AN_OK);
    assert_int_equal(an_backend_describe(backend, &info, &error), AN_OK);
    assert_string_equal(info.device, "cuda:0");
    assert_string_equal(info.name, "Stand-in 0");
    assert_string_equal(info.level, "fused");
    assert_string_equal(info.reason, "");
    assert_int_equal(info.capability_major, 9);
    assert_true(info.memory_total == INT64_C(8) << 30 && info.memory_free < info.memory_total);
    an_backend_destroy(backend);
    expect_listed(3, "cuda:1", "");
}

/* --- memory ----------------------------------------------------------------------------------- */

static void a_full_card_says_what_was_wanted_and_what_is_free(void **state) {
    (void)state;
    an_mobilenetv2_options options;
    an_model *model = NULL;
    long long wanted = 0, rest = 0, total = 0;
    setenv("AN_SHIM_MEMORY", "20000000", 1);
    an_backend *backend = cuda();
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 32;
    assert_int_equal(an_mobilenetv2_create(&model, backend, &options, &error), AN_ERR_NOMEM);
    assert_null(model);
    assert_int_equal(sscanf(error.message,
                            "no memory for a network's weights on cuda:0: %lld bytes wanted, %lld "
                            "of %lld free",
                            &wanted, &rest, &total),
                     3);
    assert_true(wanted > rest && rest > 0 && total == 20000000);
    options.alpha = 0.1; /* the backend lives */
    assert_int_equal(an_mobilenetv2_create(&model, backend, &options, &error), AN_OK);
    an_model_destroy(model);
    an_backend_destroy(backend);
    setenv("AN_SHIM_MEMORY", "1000", 1);
    assert_int_equal(make(&backend, "cuda"), AN_ERR_NOMEM);
    assert_non_null(strstr(error.message, "cuda:0"));
}

/* --- tickets ---------------------------------------------------------------------------------- */

static void what_is_sent_arrives_whatever_its_size_and_memory(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 4095, 4096, 4097, 3 << 20, 40 << 20};
    an_backend *backend = cuda();
    const ani_backend_ops *ops = backend->ops;
    const int64_t most = 40 << 20;
    uint8_t *plain = malloc((size_t)most), *back = malloc((size_t)most);
    uint8_t *pinned = ops->host_alloc(backend, most);
    uint8_t *device = ops->alloc(backend, most);
    assert_true(plain && back && pinned && device);
    assert_true(!pinned[0] && !pinned[most - 1]);
    int64_t before = 0;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int way = 0; way < 4; way++) {
            const int64_t size = sizes[s];
            uint8_t *from = way & 1 ? pinned : plain, *to = way & 2 ? pinned : back;
            for (int64_t i = 0; i < size; i++)
                from[i] = (uint8_t)(i * 37 + way + (int64_t)s);
            int64_t ticket = ops->send(backend, device, from, size);
            assert_true(ticket > before);
            if (from == to) ops->reach(backend, ticket, NULL);
            if (from == plain) memset(plain, 0, (size_t)size); /* it has been read by now */
            before = ops->fetch(backend, to, device, size);
            assert_true(before > ticket);
            assert_int_equal(ops->reach(backend, before, &error), AN_OK);
            for (int64_t i = 0; i < size; i++)
                if (to[i] != (uint8_t)(i * 37 + way + (int64_t)s))
                    fail_msg("size %lld, way %d: byte %lld", (long long)size, way, (long long)i);
        }
    ops->free(backend, device, most);
    ops->host_free(backend, pinned, most);
    an_backend_destroy(backend);
    free(plain);
    free(back);
}

static void a_fetch_arrives_when_its_ticket_is_reached(void **state) {
    (void)state;
    enum { MANY = 1000 }; /* more than there are events */
    an_backend *backend = cuda();
    const ani_backend_ops *ops = backend->ops;
    static double values[MANY];
    static int64_t tickets[MANY];
    double *device = ops->alloc(backend, sizeof *device);
    for (int i = 0; i < MANY; i++) {
        const double value = i + 1;
        values[i] = -1;
        ops->write(backend, device, &value, sizeof value);
        tickets[i] = ops->fetch(backend, &values[i], device, sizeof *device);
        assert_true(values[i] == -1);
        if (i >= 2) assert_int_equal(ops->reach(backend, tickets[i - 2], &error), AN_OK);
        if (i >= 2) assert_true(values[i - 2] == i - 1);
    }
    assert_int_equal(ops->wait(backend, &error), AN_OK); /* reaches all */
    for (int i = 0; i < MANY; i++)
        assert_true(values[i] == i + 1);
    /* Nobody reaches these: their slots are settled when they are needed again. */
    for (int i = 0; i < MANY; i++) {
        values[i] = -1;
        tickets[i] = ops->fetch(backend, &values[i], device, sizeof *device);
    }
    assert_int_equal(ops->reach(backend, tickets[MANY - 1], &error), AN_OK);
    for (int i = 0; i < MANY; i++)
        assert_true(values[i] == MANY);
    ops->free(backend, device, sizeof *device);
    an_backend_destroy(backend);
}

/* --- recordings ------------------------------------------------------------------------------- */

enum { COUNT = 300 };

/* y = 2 x + y, as a recording of two calls. Returns whether the calls were made. */
static int32_t add_twice(an_backend *backend, ani_recording **recording, const char *key,
                         const float *x, float *y, int32_t whole) {
    const int32_t made = backend->ops->begin(backend, recording, key, (int64_t)strlen(key) + 1);
    if (!made) return 0;
    backend->ops->combine(backend, COUNT, 1, x, 1, y);
    if (whole) backend->ops->combine(backend, COUNT, 1, x, 1, y);
    backend->ops->end(backend, *recording, whole);
    return made;
}

static float first_of(an_backend *backend, const float *y) {
    float value = NAN;
    backend->ops->read(backend, &value, y, sizeof value);
    assert_int_equal(backend->ops->wait(backend, &error), AN_OK);
    return value;
}

static void a_recording_repeats_its_calls(void **state) {
    (void)state;
    an_backend *backend = cuda();
    const ani_backend_ops *ops = backend->ops;
    const int64_t size = COUNT * (int64_t)sizeof(float);
    float one[COUNT];
    ani_recording *recording = NULL;
    for (int i = 0; i < COUNT; i++)
        one[i] = 1;
    float *x = ops->alloc(backend, size), *y = ops->alloc(backend, size);
    ops->write(backend, x, one, size);
    assert_int_equal(add_twice(backend, &recording, "a", x, y, 1), 1); /* runs */
    assert_true(first_of(backend, y) == 2);
    assert_int_equal(add_twice(backend, &recording, "a", x, y, 0), 1); /* captured, but not whole */
    assert_true(first_of(backend, y) == 2);
    assert_int_equal(add_twice(backend, &recording, "a", x, y, 1), 1); /* captured, and run */
    assert_true(first_of(backend, y) == 4);
    for (int i = 0; i < 3; i++)
        assert_int_equal(add_twice(backend, &recording, "a", x, y, 1), 0); /* repeated */
    assert_true(first_of(backend, y) == 10);
    ops->write(backend, x, (float[]){5}, sizeof *x); /* it reads what is there now */
    assert_int_equal(add_twice(backend, &recording, "a", x, y, 1), 0);
    assert_true(first_of(backend, y) == 20);
    assert_int_equal(add_twice(backend, &recording, "b", x, y, 1), 1); /* another key: anew */
    assert_int_equal(add_twice(backend, &recording, "b", x, y, 1), 1);
    assert_int_equal(add_twice(backend, &recording, "b", x, y, 1), 0);
    assert_true(first_of(backend, y) == 50);
    ops->forget(backend, recording);
    ops->forget(backend, NULL);
    ops->free(backend, x, size);
    ops->free(backend, y, size);
    an_backend_destroy(backend);
}

/* Losses of some steps, and all weights after them. */
static void train(an_backend *backend, int32_t precision, int32_t steps, double *losses,
                  float *prediction) {
    float x[3 * PIXELS], y[3] = {1, 2, 3};
    an_optimizer *optimizer = NULL;
    for (int i = 0; i < 3 * PIXELS; i++)
        x[i] = (float)(i * 37 % 101) / 50 - 1;
    an_model *model = short_model(backend);
    assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, &error), AN_OK);
    assert_int_equal(an_model_set_training(model, precision, 0, &error), AN_OK);
    assert_int_equal(an_model_set_momentum(model, 0.5, &error), AN_OK);
    assert_int_equal(an_optimizer_create(&optimizer, model, NULL, &error), AN_OK);
    for (int32_t i = 0; i < steps; i++) {
        if (an_model_compute_gradients(model, x, y, 3, NULL, &losses[i], &error) ||
            an_optimizer_step(optimizer, 1e-3, &error))
            fail_msg("%s", error.message);
    }
    assert_int_equal(an_model_predict(model, x, 3, prediction, &error), AN_OK);
    an_optimizer_destroy(optimizer);
    an_model_destroy(model);
}

static void recorded_steps_are_those_of_the_reference(void **state) {
    (void)state;
    enum { STEPS = 5 };
    double wanted[STEPS], found[STEPS], again[STEPS];
    float scores[3], others[3], same[3];
    an_backend *ref = NULL, *backend = cuda();
    assert_int_equal(make(&ref, "ref"), AN_OK);
    train(ref, AN_PRECISION_FP32, STEPS, wanted, scores);
    train(backend, AN_PRECISION_FP32, STEPS, found, others);
    for (int i = 0; i < STEPS; i++)
        if (!(fabs(found[i] - wanted[i]) <= 1e-4 * fabs(wanted[i])))
            fail_msg("step %d: loss %.9g, %.9g on ref", i, found[i], wanted[i]);
    for (int i = 0; i < 3; i++)
        if (!(fabsf(others[i] - scores[i]) <= 1e-3f * fabsf(scores[i]) + 1e-4f))
            fail_msg("score %d: %g, %g on ref", i, others[i], scores[i]);
    train(backend, AN_PRECISION_FP32, STEPS, again, same);
    assert_memory_equal(again, found, sizeof found);
    assert_memory_equal(same, others, sizeof others);
    an_backend_destroy(backend);
    an_backend_destroy(ref);
}

/* --- checkpoints ------------------------------------------------------------------------------ */

/* Train in a folder, to the end or until a pause. Returns the steps of this call. */
static int32_t train_in(const char *folder, const char *device, int32_t pause_step) {
    training t = {.folder = folder, .device = device, .variant = 1, .threads = 1};
    t.pause_step = pause_step;
    t.seconds = 1e9;
    const an_status st = training_run(&t, &error);
    if (st != (pause_step ? AN_ERR_CANCELLED : AN_OK)) fail_msg("%s: %s", device, error.message);
    assert_int_equal(t.warnings, 0);
    return t.steps;
}

static void a_pause_changes_no_bit(void **state) {
    (void)state;
    char *whole = folder_make(), *parts = folder_make();
    const int32_t steps = train_in(whole, "cuda", 0);
    assert_int_equal(train_in(parts, "cuda", steps / 2 + 2), steps / 2 + 2);
    train_in(parts, "cuda", 0);
    const char *differs = training_compare(whole, parts);
    if (differs) fail_msg("%s", differs);
    folder_remove(whole);
    folder_remove(parts);
}

static void checkpoints_move_between_cpu_and_cuda(void **state) {
    (void)state;
    static const char *const devices[][2] = {{"cpu", "cuda"}, {"cuda", "cpu"}};
    char *whole = folder_make();
    const int32_t steps = train_in(whole, "cpu", 0);
    for (int i = 0; i < 2; i++) {
        char *folder = folder_make();
        const int32_t first = steps / 2 + 2; /* in the second stage */
        assert_int_equal(train_in(folder, devices[i][0], first), first);
        assert_int_equal(train_in(folder, devices[i][1], 0), steps - first);
        folder_remove(folder);
    }
    folder_remove(whole);
}

/* --- errors of the device --------------------------------------------------------------------- */

static void an_error_of_the_device_stays_and_the_process_lives(void **state) {
    (void)state;
    float x[PIXELS] = {0}, y[1] = {1};
    double loss = 0;
    an_optimizer *optimizer = NULL;
    an_backend *backend = cuda(), *cpu = NULL;
    an_model *model = short_model(backend);
    assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, &error), AN_OK);
    assert_int_equal(an_optimizer_create(&optimizer, model, NULL, &error), AN_OK);
    assert_int_equal(an_model_predict(model, x, 1, y, &error), AN_OK);
    setenv("AN_SHIM_FAULT", "3", 1);
    for (int i = 0; i < 2; i++) {
        memset(&error, 0, sizeof error);
        assert_int_equal(an_model_compute_gradients(model, x, y, 1, NULL, &loss, &error),
                         AN_ERR_DEVICE);
        assert_non_null(strstr(error.message, "cuda:0 failed in "));
        assert_non_null(strstr(error.message, "an illegal memory access was encountered"));
    }
    assert_int_equal(an_model_predict(model, x, 1, y, &error), AN_ERR_DEVICE);
    assert_true(an_optimizer_step(optimizer, 1e-3, &error) < 0);
    an_optimizer_destroy(optimizer);
    an_model_destroy(model);
    an_backend_destroy(backend);
    assert_int_equal(make(&cpu, "cpu"), AN_OK);
    model = short_model(cpu);
    assert_int_equal(an_model_predict(model, x, 1, y, &error), AN_OK);
    an_model_destroy(model);
    an_backend_destroy(cpu);
}

static void int8_on_a_card_is_refused(void **state) {
    (void)state;
    float x[2 * PIXELS], y[2];
    an_backend *backend = cuda(), *cpu = NULL;
    an_model *model = NULL, *copy = NULL;
    for (int i = 0; i < 2 * PIXELS; i++)
        x[i] = (float)(i * 37 % 101) / 50 - 1;
    assert_int_equal(make(&cpu, "cpu"), AN_OK);
    model = short_model(cpu);
    assert_int_equal(an_model_calibrate_begin(model, &error), AN_OK);
    assert_int_equal(an_model_calibrate_add(model, x, 2, &error), AN_OK);
    assert_int_equal(an_model_calibrate_end(model, &error), AN_OK);
    assert_int_equal(an_model_copy(&copy, model, backend, AN_COPY_WEIGHTS, &error), AN_OK);
    assert_int_equal(an_model_predict(copy, x, 2, y, &error), AN_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "int8 inference is not available on cuda:0"));
    an_model_destroy(copy);
    an_model_destroy(model);
    an_backend_destroy(cpu);
    an_backend_destroy(backend);
}

/* --- processes -------------------------------------------------------------------------------- */

static void a_child_gets_an_error_and_destroys_without_waiting(void **state) {
    (void)state;
    float x[PIXELS] = {0}, y[1];
    an_backend *backend = cuda();
    an_model *model = short_model(backend);
    int status = -1;
    const pid_t child = fork();
    if (!child) {
        const int refused = an_model_predict(model, x, 1, y, &error) == AN_ERR_ARG &&
                            strstr(error.message, "before fork()");
        an_model_destroy(model);
        an_backend_destroy(backend);
        _exit(refused ? 0 : 1);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_int_equal(status, 0);
    assert_int_equal(an_model_predict(model, x, 1, y, &error), AN_OK);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static int use_stand_in(void **state) {
    (void)state;
    const char *library = getenv("AN_TEST_CUDA_LIBRARY");
    if (!library) return -1;
    ani_cuda_use(library);
    return 0;
}

/* A device of one's own: none of the faults. */
static int use_card(void **state) {
    (void)state;
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, set_defaults)

int main(int argc, char **argv) {
    const struct CMUnitTest faults[] = {
        TEST(an_old_driver_is_named),
        TEST(no_driver_is_said),
        TEST(no_card_is_said),
        TEST(a_card_that_is_not_there_is_named),
        TEST(an_old_card_is_named),
        TEST(a_card_without_kernels_is_named),
        TEST(auto_takes_the_first_card),
        TEST(a_full_card_says_what_was_wanted_and_what_is_free),
        TEST(an_error_of_the_device_stays_and_the_process_lives),
    };
    const struct CMUnitTest anywhere[] = {
        TEST(what_is_sent_arrives_whatever_its_size_and_memory),
        TEST(a_fetch_arrives_when_its_ticket_is_reached),
        TEST(a_recording_repeats_its_calls),
        TEST(recorded_steps_are_those_of_the_reference),
        TEST(a_pause_changes_no_bit),
        TEST(checkpoints_move_between_cpu_and_cuda),
        TEST(int8_on_a_card_is_refused),
        TEST(a_child_gets_an_error_and_destroys_without_waiting),
    };
    if (argc > 1 && !strcmp(argv[1], "card"))
        return cmocka_run_group_tests_name("cuda host on a card", anywhere, use_card, NULL);
    return cmocka_run_group_tests_name("cuda host", anywhere, use_stand_in, NULL) +
           cmocka_run_group_tests_name("what is missing", faults, use_stand_in, NULL);
}
