/* SPDX-License-Identifier: MIT
 * GPUs that add up without the host, with stand-ins for the GPUs and for NCCL: the numbers of sums
 * by way of the host, and what happens when the library is missing, a rank is, or a call fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/train.h>

#include "backend/cuda_load.h"
#include "comm/comm.h"
#include "nccl/stand_in.h"
#include "support/data.h"
#include "support/small_model.h"

enum { COUNT = 23, TRAIN = 15, MOST = 3 };

static nccl_stand_in_counts counted(void) {
    nccl_stand_in_count_fn *count = NULL;
    void *library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    void *symbol = library ? dlsym(library, NCCL_STAND_IN_COUNTS) : NULL;
    if (!symbol) fail_msg("libnccl.so.2 is not the stand-in");
    memcpy(&count, &symbol, sizeof count);
    const nccl_stand_in_counts now = count();
    dlclose(library);
    return now;
}

static an_backend *make_backend(const char *device) {
    an_backend *backend = NULL;
    an_error err = {0};
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.device = device;
    options.threads = !strcmp(device, "cpu");
    if (an_backend_create(&backend, &options, &err)) fail_msg("%s", err.message);
    return backend;
}

static int set_defaults(void **state) {
    (void)state;
    unsetenv("AN_NCCL");
    unsetenv("AN_NCCL_STAND_IN_VERSION");
    unsetenv("AN_NCCL_STAND_IN_FAULT");
    setenv("AN_SHIM_CARDS", "3", 1);
    assert_int_equal(counted().links, 0);
    return 0;
}

/* --- the communicator ------------------------------------------------------------------------- */

/* What ranks do, each on a thread. */
typedef struct rank {
    an_comm *host, *comm;
    an_backend *backend;
    pthread_t thread;
    int32_t leaves; /* 1: before the second sum; 2: with an error */
    an_status status;
    an_error err;
    float sums[5];
    char name[16];
} rank;

static an_status add_twice(rank *self) {
    an_error *err = &self->err;
    an_backend *backend = self->backend;
    const int64_t size = sizeof self->sums;
    an_status st = ani_comm_gpus_create(&self->comm, self->host, backend, err);
    if (st) return st;
    an_comm *comm = self->comm ? self->comm : self->host;
    snprintf(self->name, sizeof self->name, "%s", an_comm_name(comm));
    float *device = backend->ops->alloc(backend, size);
    assert_non_null(device);
    for (int i = 0; i < 5; i++)
        self->sums[i] = (float)(i + 1) / (float)(3 + comm->rank);
    backend->ops->write(backend, device, self->sums, size);
    for (int round = 0; !st && round < 2; round++) {
        if (round && self->leaves == 2) {
            ani_fail(err, AN_ERR_FORMAT, "image 7 is damaged");
            an_comm_abort(comm, err);
            st = AN_ERR_FORMAT;
        }
        if (round && self->leaves) break;
        st = ani_comm_sum(comm, backend, device, 5, ANI_COMM_FLOAT, err);
        if (!st) st = ani_comm_wait(comm, backend, err);
    }
    if (!st && !self->leaves) backend->ops->read(backend, self->sums, device, size);
    if (!st && !self->leaves) st = ani_comm_broadcast(comm, backend, device, size, 1, err);
    if (!st && !self->leaves) st = ani_comm_agree(comm, NULL, 0, err);
    if (!self->leaves || st) an_comm_destroy(self->comm);
    backend->ops->free(backend, device, size);
    return st;
}

static void *rank_main(void *argument) {
    rank *self = argument;
    self->status = add_twice(self);
    return NULL;
}

/* Run ranks on these devices; leaver: the last rank leaves (see leaves). */
static void run_ranks(rank *ranks, int32_t size, const char *const *devices, double deadline,
                      int32_t leaves) {
    an_comm *hosts[MOST];
    an_error err = {0};
    if (ani_comm_local_create(hosts, size, deadline, &err)) fail_msg("%s", err.message);
    memset(ranks, 0, (size_t)size * sizeof *ranks);
    for (int32_t r = 0; r < size; r++) {
        ranks[r].host = hosts[r];
        ranks[r].backend = make_backend(devices[r]);
        ranks[r].leaves = r == size - 1 ? leaves : 0;
    }
    for (int32_t r = 0; r < size; r++)
        assert_int_equal(pthread_create(&ranks[r].thread, NULL, rank_main, &ranks[r]), 0);
    for (int32_t r = 0; r < size; r++)
        pthread_join(ranks[r].thread, NULL);
    for (int32_t r = 0; r < size; r++) {
        if (ranks[r].leaves == 1 && !ranks[r].status) {
            an_error gone;
            ani_fail(&gone, AN_ERR_CANCELLED, "the test ends");
            an_comm_abort(ranks[r].comm, &gone);
            an_comm_destroy(ranks[r].comm);
        }
        an_comm_destroy(hosts[r]);
        an_backend_destroy(ranks[r].backend);
    }
}

static const char *const own[] = {"cuda:0", "cuda:1", "cuda:2"};

static void sums_are_those_of_the_host(void **state) {
    (void)state;
    for (int32_t size = 2; size <= MOST; size++) {
        rank linked[MOST], plain[MOST];
        const int before = counted().sums;
        run_ranks(linked, size, own, 30, 0);
        assert_int_equal(counted().sums, before + 2 * size);
        setenv("AN_NCCL", "none", 1);
        run_ranks(plain, size, own, 30, 0);
        assert_int_equal(counted().sums, before + 2 * size);
        unsetenv("AN_NCCL");
        for (int32_t r = 0; r < size; r++) {
            if (linked[r].status) fail_msg("rank %d: %s", (int)r, linked[r].err.message);
            assert_int_equal(plain[r].status, AN_OK);
            assert_string_equal(linked[r].name, "nccl");
            assert_string_equal(plain[r].name, "local");
            assert_memory_equal(linked[r].sums, plain[r].sums, sizeof linked[r].sums);
        }
    }
    assert_int_equal(counted().aborts, 0);
}

/* Two ranks on one GPU, a rank without one: by way of the host. */
static void who_has_no_gpu_of_its_own_adds_by_the_host(void **state) {
    (void)state;
    static const char *const devices[][2] = {{"cuda:1", "cuda:1"}, {"cuda:0", "cpu"}};
    for (int i = 0; i < 2; i++) {
        rank ranks[2];
        run_ranks(ranks, 2, devices[i], 30, 0);
        for (int32_t r = 0; r < 2; r++) {
            if (ranks[r].status) fail_msg("rank %d: %s", (int)r, ranks[r].err.message);
            assert_string_equal(ranks[r].name, "local");
        }
    }
}

static void expect_failure(const rank *ranks, int32_t size, an_status status, const char *words) {
    for (int32_t r = 0; r < size; r++)
        if (ranks[r].status != status || !strstr(ranks[r].err.message, words))
            fail_msg("rank %d: %d, '%s', without '%s'", (int)r, (int)ranks[r].status,
                     ranks[r].err.message, words);
}

static void a_rank_that_is_missing_is_named(void **state) {
    (void)state;
    rank ranks[3];
    run_ranks(ranks, 3, own, 0.3, 1);
    expect_failure(ranks, 2, AN_ERR_IO, "rank 2");
}

static void a_rank_that_fails_stops_the_others(void **state) {
    (void)state;
    rank ranks[2];
    run_ranks(ranks, 2, own, 1e6, 2);
    expect_failure(ranks, 2, AN_ERR_FORMAT, "image 7 is damaged");
}

static void a_failure_of_nccl_reaches_all(void **state) {
    (void)state;
    rank ranks[2];
    setenv("AN_NCCL_STAND_IN_FAULT", "2 2", 1); /* an error of the system here */
    run_ranks(ranks, 2, own, 1e6, 0);
    expect_failure(ranks, 2, AN_ERR_DEVICE, "NCCL failed in what was queued: unhandled system");
    setenv("AN_NCCL_STAND_IN_FAULT", "2 6", 1); /* of another rank, and yet all are there */
    run_ranks(ranks, 2, own, 0.3, 0);
    expect_failure(ranks, 1, AN_ERR_DEVICE, "cuda:0: NCCL failed in what was queued: remote");
    expect_failure(ranks + 1, 1, AN_ERR_IO, "was not done within 0.3 seconds, though all ranks");
}

/* --- the library ------------------------------------------------------------------------------ */

static void an_old_library_is_refused(void **state) {
    (void)state;
    rank ranks[2];
    setenv("AN_NCCL_STAND_IN_VERSION", "21701", 1);
    run_ranks(ranks, 2, own, 30, 0);
    expect_failure(ranks, 2, AN_ERR_UNSUPPORTED,
                   "libnccl.so.2 is of NCCL 2.17.1; this library needs "
                   "2.18 or a later 2.x");
}

static void an_unknown_choice_is_refused(void **state) {
    (void)state;
    rank ranks[2];
    setenv("AN_NCCL", "ring", 1);
    run_ranks(ranks, 2, own, 30, 0);
    expect_failure(ranks, 2, AN_ERR_ARG, "AN_NCCL is 'ring'; it must be 'auto' or 'none'");
}

/* In a process of its own that finds what is no library (see main). */
static void a_missing_library_is_named(void **state) {
    (void)state;
    rank ranks[2];
    run_ranks(ranks, 2, own, 30, 0);
    expect_failure(ranks, 2, AN_ERR_UNSUPPORTED,
                   "cannot load NCCL, which adds up what several GPUs");
    expect_failure(ranks, 2, AN_ERR_UNSUPPORTED, "AN_NCCL=none");
}

/* --- trainings -------------------------------------------------------------------------------- */

static an_loader *make_loader(an_dataset *dataset, int64_t first, int64_t count) {
    an_loader *loader = NULL;
    an_loader_options options;
    an_error err = {0};
    int64_t indices[COUNT];
    for (int64_t i = 0; i < count; i++)
        indices[i] = first + i;
    an_loader_options_init(&options, sizeof options);
    options.scale = AN_SCALE_UNIT;
    options.batch_size = 4;
    options.shuffle = 1;
    if (an_loader_create(&loader, dataset, indices, count, &options, &err))
        fail_msg("%s", err.message);
    return loader;
}

/* What a training leaves behind. */
typedef struct outcome {
    an_status status;
    an_error err;
    double losses[4];
    an_arrays *weights;
} outcome;

static outcome train(int32_t base, int32_t synchronise) {
    outcome out = {0};
    an_train_options options;
    an_history *history = NULL;
    an_trainer *trainer = NULL;
    an_backend *first = make_backend("cuda:0"), *second = make_backend("cuda:1");
    an_model *model = short_model(first);
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    an_loader *batches = make_loader(dataset, 0, TRAIN);
    an_loader *val = make_loader(dataset, TRAIN, COUNT - TRAIN);
    an_train_options_init(&options, sizeof options);
    options.max_epochs = 2;
    options.base = base;
    options.learning_rate = 0.01;
    options.replicas = 2;
    options.replica_backends = &second;
    options.sync_batch_norm = synchronise;
    options.restore_best = 1;
    assert_int_equal(an_model_set_momentum(model, 0.9, NULL), AN_OK);
    assert_int_equal(an_history_create(&history, NULL), AN_OK);
    if (an_trainer_create(&trainer, model, batches, val, history, &options, &out.err))
        fail_msg("%s", out.err.message);
    out.status = an_trainer_run(trainer, &out.err);
    for (int64_t i = 0; i < an_history_count(history) && i < 2; i++) {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        assert_int_equal(an_history_copy_epoch(history, i, &report, NULL), AN_OK);
        out.losses[2 * i] = report.loss;
        out.losses[2 * i + 1] = report.val_loss;
    }
    assert_int_equal(an_model_copy_weights(&out.weights, model, NULL), AN_OK);
    an_trainer_destroy(trainer);
    an_history_destroy(history);
    an_loader_destroy(val);
    an_loader_destroy(batches);
    an_dataset_destroy(dataset);
    an_model_destroy(model);
    an_backend_destroy(second);
    an_backend_destroy(first);
    return out;
}

static void expect_same_weights(const an_arrays *a, const an_arrays *b) {
    assert_int_equal(an_arrays_count(a), an_arrays_count(b));
    for (int64_t i = 0; i < an_arrays_count(a); i++) {
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(a, i); axis++)
            count *= an_arrays_length(a, i, axis);
        if (memcmp(an_arrays_data(a, i), an_arrays_data(b, i), (size_t)count * sizeof(float)) != 0)
            fail_msg("%s differs", an_arrays_name(a, i));
    }
}

/* The stand-in adds as the host does, so all bits are the same: each mode, with statistics of all
 * images and of each rank's own. */
static void trainings_are_those_of_the_host(void **state) {
    (void)state;
    static const int32_t cases[][2] = {
        {AN_BASE_TRAIN, 1}, {AN_BASE_TRAIN, 0}, {AN_BASE_FINETUNE, 0}, {AN_BASE_FROZEN, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int before = counted().sums;
        outcome linked = train(cases[i][0], cases[i][1]);
        const int after = counted().sums;
        setenv("AN_NCCL", "none", 1);
        outcome plain = train(cases[i][0], cases[i][1]);
        unsetenv("AN_NCCL");
        if (linked.status) fail_msg("%s", linked.err.message);
        assert_int_equal(plain.status, AN_OK);
        if (cases[i][0] != AN_BASE_FROZEN) assert_true(after > before); /* otherwise of features */
        assert_int_equal(counted().sums, after);
        assert_memory_equal(linked.losses, plain.losses, sizeof linked.losses);
        expect_same_weights(linked.weights, plain.weights);
        an_arrays_destroy(linked.weights);
        an_arrays_destroy(plain.weights);
    }
}

static void a_training_ends_when_nccl_fails(void **state) {
    (void)state;
    setenv("AN_NCCL_STAND_IN_FAULT", "9 2", 1);
    outcome out = train(AN_BASE_TRAIN, 0);
    assert_int_equal(out.status, AN_ERR_DEVICE);
    if (!strstr(out.err.message, "NCCL failed")) fail_msg("%s", out.err.message);
    an_arrays_destroy(out.weights);
}

static int use_stand_in(void **state) {
    (void)state;
    const char *library = getenv("AN_TEST_CUDA_LIBRARY");
    if (!library) return -1;
    ani_cuda_use(library);
    setenv("AN_SHIM_CARDS", "3", 1);
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, set_defaults)

int main(int argc, char **argv) {
    const struct CMUnitTest missing[] = {cmocka_unit_test(a_missing_library_is_named)};
    const struct CMUnitTest tests[] = {
        TEST(sums_are_those_of_the_host),      TEST(who_has_no_gpu_of_its_own_adds_by_the_host),
        TEST(a_rank_that_is_missing_is_named), TEST(a_rank_that_fails_stops_the_others),
        TEST(a_failure_of_nccl_reaches_all),   TEST(an_unknown_choice_is_refused),
        TEST(trainings_are_those_of_the_host), TEST(a_training_ends_when_nccl_fails),
    };
    const struct CMUnitTest old[] = {TEST(an_old_library_is_refused)};
    if (argc > 1 && !strcmp(argv[1], "missing"))
        return cmocka_run_group_tests_name("without NCCL", missing, use_stand_in, NULL);
    /* First, since a library that has been accepted stays. */
    return cmocka_run_group_tests_name("an old NCCL", old, use_stand_in, NULL) +
           cmocka_run_group_tests_name("NCCL", tests, use_stand_in, NULL);
}
