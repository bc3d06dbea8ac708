/* SPDX-License-Identifier: MIT
 * C-Mixup: the mix by hand, the distribution of its draws, the same batches for any number of
 * threads, damaged images, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/augment.h>

#include "augment/mixup.h"
#include "base/fault.h"
#include "support/data.h"
#include "support/folder.h"
#include "support/test_folder.h"

enum { COUNT = 23, SIDE = 20, BATCH = 5, IMAGE = SIDE * SIDE * 3 };

static an_loader_options options_of(int32_t threads) {
    static an_augment_options augment; /* copied by an_loader_create() */
    an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    an_augment_options_tutorial(&augment, sizeof augment);
    options.augment = &augment;
    options.batch_size = BATCH;
    options.shuffle = 1;
    options.threads = threads;
    options.seed = 7;
    options.mixup = 0.7;
    return options;
}

static an_loader *make_loader(an_dataset *dataset, const an_loader_options *options) {
    an_loader *loader = NULL;
    an_error err = {0};
    if (an_loader_create(&loader, dataset, NULL, 0, options, &err)) fail_msg("%s", err.message);
    return loader;
}

/** Read an epoch from a batch on into x [COUNT,IMAGE] and y [COUNT], by sample. */
static void read_epoch(an_loader *loader, int64_t epoch, int64_t first, float *x, float *y) {
    const float *bx, *by;
    const int64_t *samples;
    int64_t n;
    assert_int_equal(an_loader_begin(loader, epoch, first, NULL), AN_OK);
    while (an_loader_next(loader, &bx, &by, &samples, &n, NULL) == AN_OK)
        for (int64_t i = 0; i < n; i++) {
            memcpy(x + samples[i] * IMAGE, bx + i * IMAGE, IMAGE * sizeof *x);
            y[samples[i]] = by[i];
        }
}

/* The images and labels of each sample and its pair, as they are without mixing. */
static void mixed_by_hand(void **state) {
    (void)state;
    static float plain[COUNT * IMAGE], mixed[COUNT * IMAGE];
    float labels[COUNT], y[COUNT];
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    int64_t all[COUNT];
    for (int64_t i = 0; i < COUNT; i++)
        all[i] = i;
    an_loader_options options = options_of(0);
    an_loader *loader = make_loader(dataset, &options);
    assert_int_equal(an_loader_is_plain(loader), 0);
    ani_mixup draws;
    assert_int_equal(ani_mixup_create(&draws, &options, dataset, all, COUNT, NULL), AN_OK);
    options.mixup = 0;
    an_loader *other = make_loader(dataset, &options);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        read_epoch(other, epoch, 0, plain, labels);
        read_epoch(loader, epoch, 0, mixed, y);
        for (int64_t i = 0; i < COUNT; i++) {
            double share;
            int64_t j;
            ani_mixup_draw(&draws, dataset, epoch, i, &share, &j);
            assert_true(share >= 0 && share <= 1 && j >= 0 && j < COUNT);
            const double label = share * (double)labels[i] + (1 - share) * (double)labels[j];
            assert_true(fabs((double)y[i] - label) < 1e-6 * label);
            for (int64_t k = 0; k < IMAGE; k++) {
                const double want = share * (double)plain[i * IMAGE + k] +
                                    (1 - share) * (double)plain[j * IMAGE + k];
                assert_true(fabs((double)mixed[i * IMAGE + k] - want) < 1e-6);
            }
        }
    }
    ani_mixup_clear(&draws);
    an_loader_destroy(loader);
    an_loader_destroy(other);
    an_dataset_destroy(dataset);
}

/** Two outputs, the second of which is always the same, and so is no distance. */
static an_dataset *two_outputs(void) {
    static uint8_t rgb[8 * 12];
    const double scores[] = {1, 9, 1.5, 9, 2, 9, 2.2, 9, 3, 9, 3.1, 9, 4, 9, 5, 9};
    an_dataset *dataset = NULL;
    assert_int_equal(an_dataset_from_pixels(&dataset, rgb, 8, 2, 2, scores, 2, NULL, NULL), AN_OK);
    return dataset;
}

/* How often each sample is chosen for sample 2, against the kernel of the paper in double. */
static void pairs_are_close(void **state) {
    (void)state;
    enum { N = 8, DRAWS = 20000 };
    static const double labels[N] = {1, 1.5, 2, 2.2, 3, 3.1, 4, 5};
    const int64_t all[N] = {0, 1, 2, 3, 4, 5, 6, 7};
    an_dataset *dataset = two_outputs();
    double mean = 0, squares = 0;
    for (int i = 0; i < N; i++)
        mean += labels[i] / N;
    for (int i = 0; i < N; i++)
        squares += (labels[i] - mean) * (labels[i] - mean) / N;
    for (int k = 0; k < 2; k++) {
        an_loader_options options = options_of(0);
        options.mixup_bandwidth = k == 0 ? 0.5 : 0;
        ani_mixup draws;
        double chances[N], sum = 0;
        int counts[N] = {0};
        assert_int_equal(ani_mixup_create(&draws, &options, dataset, all, N, NULL), AN_OK);
        for (int i = 0; i < N; i++) {
            const double d = (labels[i] - labels[2]) / (0.5 * sqrt(squares));
            sum += chances[i] = k == 0 ? exp(-d * d / 2) : 1;
        }
        for (int64_t epoch = 0; epoch < DRAWS; epoch++) {
            double share;
            int64_t j;
            ani_mixup_draw(&draws, dataset, epoch, 2, &share, &j);
            counts[j]++;
        }
        for (int i = 0; i < N; i++) {
            const double p = chances[i] / sum, deviation = sqrt(DRAWS * p * (1 - p));
            if (!(fabs(counts[i] - DRAWS * p) < 4.5 * deviation + 1))
                fail_msg("bandwidth %g: sample %d is chosen %d times of %d; expected %.0f +- %.0f",
                         options.mixup_bandwidth, i, counts[i], DRAWS, DRAWS * p, deviation);
        }
        ani_mixup_clear(&draws);
    }
    an_dataset_destroy(dataset);
}

/* Mean and variance of Beta(alpha, alpha): 1/2 and 1 / (4 (2 alpha + 1)). */
static void shares_have_the_beta_distribution(void **state) {
    (void)state;
    enum { DRAWS = 40000 };
    static const double alphas[] = {0.2, 1, 2, 20};
    an_dataset *dataset = two_outputs();
    for (int k = 0; k < 4; k++) {
        const int64_t all[] = {0, 1};
        an_loader_options options = options_of(0);
        options.mixup = alphas[k];
        options.mixup_bandwidth = 0;
        ani_mixup draws;
        double sum = 0, squares = 0;
        assert_int_equal(ani_mixup_create(&draws, &options, dataset, all, 2, NULL), AN_OK);
        for (int64_t epoch = 0; epoch < DRAWS; epoch++) {
            double share;
            int64_t j;
            ani_mixup_draw(&draws, dataset, epoch, 1, &share, &j);
            sum += share;
            squares += (share - 0.5) * (share - 0.5);
        }
        const double variance = 1 / (4 * (2 * alphas[k] + 1));
        assert_true(fabs(sum / DRAWS - 0.5) < 4.5 * sqrt(variance / DRAWS));
        /* the fourth moment is at most a quarter of the variance */
        assert_true(fabs(squares / DRAWS - variance) < 4.5 * sqrt(variance / 4 / DRAWS));
    }
    an_dataset_destroy(dataset);
}

static void same_for_any_number_of_threads(void **state) {
    (void)state;
    static float want[COUNT * IMAGE], x[COUNT * IMAGE];
    float labels[COUNT], y[COUNT];
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    for (int32_t threads = 0; threads < 4; threads++) {
        an_loader_options options = options_of(threads);
        an_loader *loader = make_loader(dataset, &options);
        read_epoch(loader, 5, 0, x, y);
        if (threads == 0) {
            memcpy(want, x, sizeof want);
            memcpy(labels, y, sizeof labels);
        }
        assert_memory_equal(x, want, sizeof want);
        assert_memory_equal(y, labels, sizeof labels);
        read_epoch(loader, 5, 2, x, y); /* what an epoch that was resumed has left to read */
        assert_memory_equal(x, want, sizeof want);
        read_epoch(loader, 6, 0, x, y);
        assert_memory_not_equal(x, want, sizeof want);
        an_loader_destroy(loader);
    }
    an_dataset_destroy(dataset);
}

static int make_damaged(void **state) {
    test_folder_make(state);
    data_folder(test_folder, COUNT, SIDE, SIDE);
    for (int i = 0; i < COUNT; i += 2) {
        char name[32];
        snprintf(name, sizeof name, "P%04d.jpg", i);
        folder_write_text(folder_path(test_folder, name), "no image");
    }
    return 0;
}

/* Half of the pairs cannot be read. */
static void a_damaged_pair_leaves_the_sample(void **state) {
    (void)state;
    an_dataset_options options;
    an_dataset *dataset = NULL;
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.policy = AN_POLICY_SKIP;
    assert_int_equal(an_dataset_open(&dataset, test_folder, &options, NULL), AN_OK);
    an_loader_options how = options_of(2);
    how.augment = NULL;
    an_loader *loader = make_loader(dataset, &how);
    for (int64_t epoch = 0; epoch < 2; epoch++) {
        int64_t n, seen = 0, kept = 0;
        const float *y;
        const int64_t *samples;
        assert_int_equal(an_loader_begin(loader, epoch, 0, NULL), AN_OK);
        while (an_loader_next(loader, NULL, &y, &samples, &n, NULL) == AN_OK)
            for (int64_t i = 0; i < n; i++, seen++) {
                assert_int_equal(samples[i] % 2, 1);
                kept += y[i] == (float)data_score(samples[i]);
            }
        assert_int_equal(seen, COUNT / 2);
        assert_true(kept > 0 && kept < seen);
    }
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

static int32_t fill(void *user, const an_fill_batch *batch) {
    (void)user, (void)batch;
    return 0;
}

static void refuses_what_cannot_be(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    an_loader *loader = NULL;
    an_error err = {0};
    an_augment_options keras;
    an_loader_options options = options_of(0);
    an_loader_source source;
    an_augment_options_tutorial(&keras, sizeof keras);
    keras.mode = AN_AUGMENT_KERAS;
    options.augment = &keras;
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "an_loader_options: mixup with augmentation in mode 2; it "
                                     "needs AN_AUGMENT_FAST, 1, or NONE");
    options = options_of(0);
    options.mixup = -1;
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "an_loader_options: mixup is -1; it must be 0 to 100");
    options = options_of(0);
    options.mixup_bandwidth = (double)NAN;
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, &err), AN_ERR_ARG);
    options = options_of(0);
    an_loader_source_init(&source, sizeof source);
    source.height = source.width = SIDE;
    source.count = COUNT;
    source.fill = fill;
    assert_int_equal(an_loader_create_from_callback(&loader, &source, &options, &err), AN_ERR_ARG);
    assert_string_equal(err.message,
                        "an_loader_options: mixup is 0.7 for a callback; it needs a data set");
    assert_null(loader);
    an_dataset_destroy(dataset);
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    for (int64_t n = 0;; n++) {
        an_loader *loader = NULL;
        an_loader_options options = options_of(1);
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = an_loader_create(&loader, dataset, NULL, 0, &options, NULL);
        const bool reached = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        assert_int_equal(st, reached ? AN_ERR_NOMEM : AN_OK);
        an_loader_destroy(loader);
        if (!reached) break;
    }
    an_dataset_destroy(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixed_by_hand),
        cmocka_unit_test(pairs_are_close),
        cmocka_unit_test(shares_have_the_beta_distribution),
        cmocka_unit_test(same_for_any_number_of_threads),
        cmocka_unit_test_setup_teardown(a_damaged_pair_leaves_the_sample, make_damaged,
                                        test_folder_remove),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("mixup", tests, NULL, NULL);
}
