/* SPDX-License-Identifier: MIT
 * Threads and the order of things: models on several threads at once, objects used and given up on
 * other threads than those that made them, children of fork(), destruction in every order, and the
 * same bits whatever the number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <attractivenet/attractivenet.h>

#include "corpus.h"
#include "fuzz.h"
#include "support/folder.h"
#include "support/sanitizers.h"
#include "support/scratch.h"
#include "support/test_folder.h"
#include "support/training.h"

enum { SIZE = 32, BATCH = 4, PIXELS = SIZE * SIZE * 3 };

static float x[BATCH * PIXELS];
static const float targets[BATCH] = {1, 2, 3, 4};

static int fill_images(void **state) {
    (void)state;
    for (int i = 0; i < BATCH * PIXELS; i++)
        x[i] = (float)(i * 31 % 255) / 255;
    return 0;
}

/* --- the work that is done at several places: to be called on any thread, so no cmocka -------- */

typedef struct work {
    int32_t threads; /* of the backend */
    an_status status;
    an_error err;
    float scores[3][BATCH]; /* by AN_INFERENCE_* */
    double loss;
    an_arrays *gradients;
    an_model *model; /* kept if not NULL before: no new one is made */
} work;

static an_status make_model(an_model **model, int32_t threads, an_error *err) {
    an_backend *backend = NULL;
    an_backend_options device;
    an_mobilenetv2_options net;
    an_backend_options_init(&device, sizeof device);
    device.threads = threads;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SIZE;
    net.alpha = 0.1;
    an_status st = an_backend_create(&backend, &device, err);
    if (!st) st = an_mobilenetv2_create(model, backend, &net, err);
    an_backend_destroy(backend); /* the model holds it */
    return st;
}

/* The first prediction in int8 and in bf16, which pack the weights in their own way. */
static an_status predict_thinly(an_model *model, work *w) {
    an_status st = an_model_set_inference(model, AN_INFERENCE_BF16, &w->err);
    if (!st) st = an_model_predict(model, x, BATCH, w->scores[AN_INFERENCE_BF16], &w->err);
    if (!st) st = an_model_calibrate_begin(model, &w->err);
    if (!st) st = an_model_calibrate_add(model, x, BATCH, &w->err);
    if (!st) st = an_model_calibrate_end(model, &w->err);
    if (!st) st = an_model_predict(model, x, BATCH, w->scores[AN_INFERENCE_INT8], &w->err);
    return st;
}

static void *do_work(void *data) {
    work *w = data;
    an_model *model = w->model;
    w->status = model ? AN_OK : make_model(&model, w->threads, &w->err);
    if (!w->status) w->status = an_model_set_base(model, AN_BASE_TRAIN, &w->err);
    if (!w->status)
        w->status = an_model_predict(model, x, BATCH, w->scores[AN_INFERENCE_FP32], &w->err);
    if (!w->status) w->status = predict_thinly(model, w);
    if (!w->status)
        w->status = an_model_compute_gradients(model, x, targets, BATCH, NULL, &w->loss, &w->err);
    if (!w->status) w->status = an_model_copy_gradients(&w->gradients, model, &w->err);
    an_model_destroy(model);
    return NULL;
}

static void assert_same_work(const work *a, const work *b) {
    if (a->status) fail_msg("%s", a->err.message);
    if (b->status) fail_msg("%s", b->err.message);
    assert_memory_equal(a->scores, b->scores, sizeof a->scores);
    assert_memory_equal(&a->loss, &b->loss, sizeof a->loss);
    assert_int_equal(an_arrays_count(a->gradients), an_arrays_count(b->gradients));
    for (int64_t i = 0; i < an_arrays_count(a->gradients); i++) {
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(a->gradients, i); axis++)
            count *= an_arrays_length(a->gradients, i, axis);
        if (memcmp(an_arrays_data(a->gradients, i), an_arrays_data(b->gradients, i),
                   (size_t)count * sizeof(float)) != 0)
            fail_msg("other gradient of %s", an_arrays_name(a->gradients, i));
    }
}

static void start(pthread_t *thread, void *(*run)(void *), void *data) {
    assert_int_equal(pthread_create(thread, NULL, run, data), 0);
}

/* --- cases ------------------------------------------------------------------------------------ */

static void same_bits_for_any_number_of_threads(void **state) {
    (void)state;
    static const int32_t threads[] = {1, 2, 3, 7, 1, 2, 3, 7};
    work first = {.threads = 1};
    do_work(&first);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        work other = {.threads = threads[i]};
        do_work(&other);
        assert_same_work(&first, &other);
        an_arrays_destroy(other.gradients);
    }
    an_arrays_destroy(first.gradients);
}

/* Two stages, checkpoints and all, five times with each number. */
static void trainings_give_the_same_bits(int32_t variants, bool is_wide) {
    static const int32_t threads[] = {1, 2, 3, 7};
    const int repeats = HAS_TSAN ? 1 : 5;
    char first[4096], other[4096];
    snprintf(first, sizeof first, "%s/first", test_folder);
    snprintf(other, sizeof other, "%s/other", test_folder);
    if (mkdir(first, 0777) || mkdir(other, 0777)) fail_msg("cannot make two folders");
    for (int32_t variant = 0; variant < variants; variant++) {
        scratch_clear(first);
        for (int i = 0; i < 4 * repeats; i++) {
            an_error err;
            scratch_clear(other);
            training t = {.folder = i ? other : first,
                          .variant = variant,
                          .threads = threads[i % 4],
                          .seconds = 60,
                          .is_wide = is_wide};
            if (training_run(&t, &err)) fail_msg("%s", err.message);
            const char *differs = i ? training_compare(other, first) : NULL;
            if (differs) fail_msg("%d threads: %s differs", (int)t.threads, differs);
        }
    }
}

static void a_training_gives_the_same_bits(void **state) {
    (void)state;
    trainings_give_the_same_bits(2, false);
}

static void a_wide_training_gives_the_same_bits(void **state) {
    (void)state;
    trainings_give_the_same_bits(TRAINING_VARIANTS, true);
}

static void models_on_several_threads_at_once(void **state) {
    (void)state;
    enum { COUNT = 3 };
    work alone = {.threads = 2}, each[COUNT] = {{0}};
    pthread_t thread[COUNT];
    do_work(&alone);
    for (int i = 0; i < COUNT; i++) {
        each[i].threads = 1 + i;
        start(&thread[i], do_work, &each[i]);
    }
    for (int i = 0; i < COUNT; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < COUNT; i++) {
        assert_same_work(&alone, &each[i]);
        an_arrays_destroy(each[i].gradients);
    }
    an_arrays_destroy(alone.gradients);
}

static void made_here_used_and_given_up_there(void **state) {
    (void)state;
    work here = {.threads = 2}, there = {.threads = 2};
    pthread_t thread;
    do_work(&here);
    if (make_model(&there.model, 2, &there.err)) fail_msg("%s", there.err.message);
    start(&thread, do_work, &there);
    pthread_join(thread, NULL);
    assert_same_work(&here, &there);
    an_arrays_destroy(here.gradients);
    an_arrays_destroy(there.gradients);
}

/* A child of a process with backends makes its own. */
static void backends_are_made_after_fork(void **state) {
    (void)state;
    if (HAS_TSAN) skip(); /* it does not go on after fork() */
    work parent = {.threads = 2};
    an_model *alive = NULL;
    an_error err;
    int status = 0;
    do_work(&parent);
    if (make_model(&alive, 2, &err)) fail_msg("%s", err.message);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        work own = {.threads = 2};
        alarm(60);
        do_work(&own);
        _exit(own.status                                             ? 1
              : memcmp(own.scores, parent.scores, sizeof own.scores) ? 2
              : memcmp(&own.loss, &parent.loss, sizeof own.loss)     ? 3
                                                                     : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    an_model_destroy(alive);
    an_arrays_destroy(parent.gradients);
}

/* --- destruction in every order --------------------------------------------------------------- */

typedef struct family {
    an_backend *backend;
    an_model *model;
    an_dataset *dataset;
    an_loader *loader;
} family;

static void make_family(family *f) {
    static uint8_t rgb[2 * PIXELS];
    static const double scores[2] = {1, 2};
    an_error err;
    an_backend_options device;
    an_mobilenetv2_options net;
    an_backend_options_init(&device, sizeof device);
    device.threads = 2;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SIZE;
    net.alpha = 0.1;
    if (an_backend_create(&f->backend, &device, &err) ||
        an_mobilenetv2_create(&f->model, f->backend, &net, &err) ||
        an_dataset_from_pixels(&f->dataset, rgb, 2, SIZE, SIZE, scores, 1, NULL, &err) ||
        an_loader_create(&f->loader, f->dataset, NULL, 0, NULL, &err))
        fail_msg("%s", err.message);
}

static void drop(family *f, int which) {
    switch (which) {
    case 0:
        an_backend_destroy(f->backend);
        f->backend = NULL;
        break;
    case 1:
        an_model_destroy(f->model);
        f->model = NULL;
        break;
    case 2:
        an_dataset_destroy(f->dataset);
        f->dataset = NULL;
        break;
    default:
        an_loader_destroy(f->loader);
        f->loader = NULL;
    }
}

/* What is left still works. */
static void use_family(family *f) {
    an_error err;
    const float *pixels = x, *labels;
    const int64_t *samples;
    int64_t n = 1;
    float y[2];
    if (f->loader) {
        an_status st = an_loader_begin(f->loader, 0, 0, &err);
        if (!st) st = an_loader_next(f->loader, &pixels, &labels, &samples, &n, &err);
        if (st) fail_msg("%s", err.message);
        assert_int_equal(n, 2);
    }
    if (f->model && an_model_predict(f->model, pixels, n, y, &err)) fail_msg("%s", err.message);
    if (f->dataset) assert_int_equal(an_dataset_count(f->dataset), 2);
}

static void destroyed_in_every_order(void **state) {
    (void)state;
    for (int order = 0; order < 24; order++) {
        int left[4] = {0, 1, 2, 3}, count = 4, code = order;
        family f = {0};
        make_family(&f);
        for (; count > 0; count--) {
            const int pick = code % count;
            code /= count;
            drop(&f, left[pick]);
            left[pick] = left[count - 1];
            use_family(&f);
        }
    }
}

/* --- readers that may be used by many at once ------------------------------------------------- */

typedef struct reader {
    an_dataset *dataset;
    const char *path;
    an_status status;
    an_error err;
    uint8_t rgb[2][PIXELS];
    int64_t arrays;
} reader;

static void *read_pixels(void *data) {
    reader *r = data;
    for (int round = 0; round < 50 && !r->status; round++)
        for (int64_t i = 0; i < 2 && !r->status; i++)
            r->status = an_dataset_read_pixels(r->dataset, i, r->rgb[i], &r->err);
    return NULL;
}

static void one_data_set_read_by_many(void **state) {
    (void)state;
    enum { COUNT = 4 };
    static reader readers[COUNT];
    pthread_t thread[COUNT];
    an_error err;
    an_image *image = NULL;
    assert_int_equal(an_image_create(&image, NULL, 40, 50, &err), AN_OK);
    for (int i = 0; i < 2; i++) {
        memset(an_image_data(image), 40 + 90 * i, 40 * 50 * 3);
        assert_int_equal(
            an_image_write_jpeg(image, folder_path(test_folder, i ? "1.jpg" : "0.jpg"), 90, &err),
            AN_OK);
    }
    an_image_destroy(image);
    folder_write_text(folder_path(test_folder, "All_labels.txt"), "0.jpg 1\n1.jpg 2\n");
    for (int32_t cache = AN_CACHE_NONE; cache <= AN_CACHE_PIXELS; cache++) {
        an_dataset *dataset = NULL;
        an_dataset_options options;
        an_dataset_options_init(&options, sizeof options);
        options.height = options.width = SIZE;
        options.cache = cache;
        if (an_dataset_open(&dataset, test_folder, &options, &err)) fail_msg("%s", err.message);
        for (int i = 0; i < COUNT; i++) {
            readers[i] = (reader){.dataset = dataset};
            start(&thread[i], read_pixels, &readers[i]);
        }
        for (int i = 0; i < COUNT; i++)
            pthread_join(thread[i], NULL);
        for (int i = 0; i < COUNT; i++) {
            if (readers[i].status) fail_msg("%s", readers[i].err.message);
            assert_memory_equal(readers[i].rgb, readers[0].rgb, sizeof readers[0].rgb);
        }
        an_dataset_destroy(dataset);
    }
}

static void *read_weights(void *data) {
    reader *r = data;
    for (int round = 0; round < 20 && !r->status; round++) {
        an_arrays *arrays = NULL;
        r->status = an_arrays_read(&arrays, r->path, &r->err);
        r->arrays = an_arrays_count(arrays);
        an_arrays_destroy(arrays);
    }
    return NULL;
}

static void weight_files_read_by_many(void **state) {
    (void)state;
    enum { COUNT = 3 };
    static reader readers[COUNT];
    pthread_t thread[COUNT];
    corpus all = {0};
    const corpus_item *item = NULL;
    corpus_keras(&all);
    for (int64_t i = 0; i < all.count && !item; i++)
        if (all.items[i].is_good) item = &all.items[i];
    if (!item) {
        corpus_clear(&all);
        skip(); /* without libhdf5 there is none */
    }
    const char *path = fuzz_path(item->bytes, (size_t)item->size);
    for (int i = 0; i < COUNT; i++) {
        readers[i] = (reader){.path = path};
        start(&thread[i], read_weights, &readers[i]);
    }
    for (int i = 0; i < COUNT; i++)
        pthread_join(thread[i], NULL);
    corpus_clear(&all);
    for (int i = 0; i < COUNT; i++) {
        if (readers[i].status) fail_msg("%s", readers[i].err.message);
        assert_int_equal(readers[i].arrays, 7);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest wide[] = {unit_test_in_folder(a_wide_training_gives_the_same_bits)};
    if (argc > 1 && !strcmp(argv[1], "wide"))
        return cmocka_run_group_tests_name("threads_wide", wide, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_for_any_number_of_threads),
        unit_test_in_folder(a_training_gives_the_same_bits),
        cmocka_unit_test(models_on_several_threads_at_once),
        cmocka_unit_test(made_here_used_and_given_up_there),
        cmocka_unit_test(backends_are_made_after_fork),
        cmocka_unit_test(destroyed_in_every_order),
        unit_test_in_folder(one_data_set_read_by_many),
        cmocka_unit_test(weight_files_read_by_many),
    };
    return cmocka_run_group_tests_name("threads", tests, fill_images, NULL);
}
