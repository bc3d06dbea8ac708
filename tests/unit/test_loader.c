/* SPDX-License-Identifier: MIT
 * Batches: the same for any number of threads, in every order of calls; damaged images; errors in
 * order; giving up at any moment. Keras' orders and batches are golden topic augment. */
#include <attractivenet/augment.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "augment/loader.h"
#include "base/fault.h"
#include "base/random.h"
#include "support/data.h"
#include "support/folder.h"
#include "support/test_folder.h"

enum { COUNT = 23, SIDE = 20, BATCH = 5, IMAGE = SIDE * SIDE * 3 };

static an_loader_options options_of(int32_t mode, int32_t threads) {
    static an_augment_options augment; /* copied by an_loader_create() */
    an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    an_augment_options_tutorial(&augment, sizeof augment);
    augment.mode = mode;
    options.augment = &augment;
    options.batch_size = BATCH;
    options.shuffle = 1;
    options.threads = threads;
    options.seed = 7;
    return options;
}

/* Mix what a batch holds into a number. */
static uint64_t mix(uint64_t sum, const void *bytes, size_t size) {
    const uint8_t *b = bytes;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ b[i]) * 1099511628211u;
    return sum;
}

static uint64_t mix_batch(uint64_t sum, const float *x, const float *y, const int64_t *samples,
                          int64_t n) {
    sum = mix(sum, &n, sizeof n);
    sum = mix(sum, x, (size_t)(n * IMAGE) * sizeof *x);
    sum = mix(sum, y, (size_t)n * sizeof *y);
    return mix(sum, samples, (size_t)n * sizeof *samples);
}

/* Read an epoch from batch number first to its end. */
static uint64_t read_epoch(an_loader *loader, int64_t epoch, int64_t first) {
    const float *x, *y;
    const int64_t *samples;
    int64_t n, steps = first;
    uint64_t sum = 14695981039346656037u;
    an_status st;
    assert_int_equal(an_loader_begin(loader, epoch, first, NULL), AN_OK);
    for (; !(st = an_loader_next(loader, &x, &y, &samples, &n, NULL)); steps++)
        sum = mix_batch(sum, x, y, samples, n);
    assert_int_equal(st, AN_DONE);
    assert_int_equal(an_loader_next(loader, &x, &y, &samples, &n, NULL), AN_DONE);
    assert_int_equal(steps, an_loader_steps(loader));
    return sum;
}

static void same_batches_for_any_number_of_threads(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    for (int32_t mode = AN_AUGMENT_NONE; mode <= AN_AUGMENT_LEGACY; mode++) {
        uint64_t want[3] = {0};
        for (int32_t threads = 0; threads < 5; threads++) {
            an_loader_options options = options_of(mode, threads);
            an_loader *loader;
            options.prefetch = 1 + threads;
            assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
            for (int epoch = 2; epoch >= 0; epoch--) {
                const uint64_t got = read_epoch(loader, epoch, 0);
                if (threads == 0) want[epoch] = got;
                assert_true(got == want[epoch]);
            }
            assert_true(want[0] != want[1] && want[1] != want[2]);
            an_loader_destroy(loader);
        }
    }
    an_dataset_destroy(dataset);
}

static void an_epoch_can_be_resumed(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    for (int32_t mode = AN_AUGMENT_NONE; mode <= AN_AUGMENT_LEGACY; mode++) {
        an_loader_options options = options_of(mode, 2);
        an_loader *loader, *other;
        assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
        assert_int_equal(an_loader_create(&other, dataset, NULL, 0, &options, NULL), AN_OK);
        for (int64_t first = 0; first <= an_loader_steps(loader); first++) {
            assert_int_equal(an_loader_begin(other, 1, 0, NULL), AN_OK);
            for (int64_t i = 0; i < first; i++)
                assert_int_equal(an_loader_next(other, NULL, NULL, NULL, NULL, NULL), AN_OK);
            const float *x, *y;
            const int64_t *samples;
            int64_t n;
            uint64_t sum = 14695981039346656037u;
            while (!an_loader_next(other, &x, &y, &samples, &n, NULL))
                sum = mix_batch(sum, x, y, samples, n);
            assert_true(read_epoch(loader, 1, first) == sum);
        }
        an_loader_destroy(loader);
        an_loader_destroy(other);
    }
    an_dataset_destroy(dataset);
}

/* Read an epoch of all parts in turn, as if it were whole. */
static uint64_t read_parts(an_loader *const *loaders, int32_t parts, int64_t epoch) {
    uint64_t sum = 14695981039346656037u;
    an_status st = AN_OK;
    for (int32_t part = 0; part < parts; part++) {
        const ani_loader_share share = {.part = part, .parts = parts};
        assert_int_equal(ani_loader_claim(loaders[part], NULL), AN_OK);
        ani_loader_use_share(loaders[part], &share);
        assert_int_equal(ani_loader_begin(loaders[part], epoch, 0, NULL), AN_OK);
    }
    for (int64_t step = 0; !st; step++) {
        static float x[BATCH * IMAGE], y[BATCH];
        int64_t samples[BATCH], n = 0;
        for (int32_t part = 0; part < parts; part++) {
            const float *px, *py;
            const int64_t *ps;
            int64_t pn;
            st = ani_loader_next(loaders[part], &px, &py, &ps, &pn, NULL);
            if (st) continue;
            const int64_t size = ani_loader_size(loaders[part], step);
            assert_int_equal(pn, size * (part + 1) / parts - size * part / parts);
            memcpy(x + n * IMAGE, px, (size_t)(pn * IMAGE) * sizeof *x);
            memcpy(y + n, py, (size_t)pn * sizeof *y);
            memcpy(samples + n, ps, (size_t)pn * sizeof *samples);
            n += pn;
        }
        if (!st) sum = mix_batch(sum, x, y, samples, n);
    }
    assert_int_equal(st, AN_DONE);
    for (int32_t part = 0; part < parts; part++)
        ani_loader_release(loaders[part]);
    return sum;
}

static void parts_make_up_the_batches(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    for (int32_t mode = AN_AUGMENT_NONE; mode <= AN_AUGMENT_LEGACY; mode++)
        for (int32_t threads = 0; threads < 3; threads++) {
            const an_loader_options options = options_of(mode, threads);
            an_loader *loaders[7];
            assert_int_equal(an_loader_create(&loaders[0], dataset, NULL, 0, &options, NULL),
                             AN_OK);
            for (int32_t i = 1; i < 7; i++)
                assert_int_equal(ani_loader_copy(&loaders[i], loaders[0], NULL), AN_OK);
            const uint64_t whole = read_epoch(loaders[0], 1, 0);
            for (int32_t parts = 1; parts <= 7; parts++) /* batches of 5 and 3: some are empty */
                assert_true(read_parts(loaders, parts, 1) == whole);
            /* whole again, also without an_loader_begin() */
            assert_true(read_epoch(loaders[0], 1, 0) == whole);
            assert_true(read_parts(loaders, 2, 1) == whole);
            int64_t n;
            assert_int_equal(an_loader_next(loaders[0], NULL, NULL, NULL, &n, NULL), AN_OK);
            assert_int_equal(n, BATCH);
            for (int32_t i = 0; i < 7; i++)
                an_loader_destroy(loaders[i]);
        }
    an_dataset_destroy(dataset);
}

static void order_and_sizes(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    const int64_t chosen[12] = {3, 1, 4, 15, 9, 2, 6, 5, 8, 20, 7, 0};
    for (int32_t drop_last = 0; drop_last < 2; drop_last++) {
        an_loader_options options = options_of(AN_AUGMENT_FAST, 1);
        an_loader *loader;
        options.drop_last = drop_last;
        assert_int_equal(an_loader_create(&loader, dataset, chosen, 12, &options, NULL), AN_OK);
        assert_int_equal(an_loader_steps(loader), drop_last ? 2 : 3);
        assert_int_equal(an_loader_samples(loader), 12);
        assert_int_equal(an_loader_begin(loader, 4, 0, NULL), AN_OK);
        int64_t order[12], place = 0;
        ani_mt19937 mt;
        ani_mt19937_seed(&mt, 7 + 4);
        ani_mt19937_permutation(&mt, order, 12);
        const int64_t *samples;
        const float *y;
        for (int64_t n; !an_loader_next(loader, NULL, &y, &samples, &n, NULL);)
            for (int64_t i = 0; i < n; i++, place++) {
                assert_int_equal(samples[i], chosen[order[place]]);
                assert_true(y[i] == (float)data_score(samples[i]));
            }
        assert_int_equal(place, drop_last ? 10 : 12);
        an_loader_destroy(loader);
    }
    an_loader_options options = options_of(AN_AUGMENT_NONE, 0);
    an_loader *loader; /* fewer samples than a batch: all of them, drop_last or not */
    options.drop_last = 1;
    options.shuffle = 0;
    assert_int_equal(an_loader_create(&loader, dataset, chosen, 3, &options, NULL), AN_OK);
    const int64_t *samples;
    int64_t n;
    assert_int_equal(an_loader_next(loader, NULL, NULL, &samples, &n, NULL), AN_OK);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(samples[i], chosen[i]);
    assert_true(an_loader_is_plain(loader));
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

/* Where a sample's pixels differ, seed or epoch do: they are functions of (seed, epoch, sample),
 * not of its place in the epoch. */
static void samples_are_augmented_anew(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    float *pixels[4]; /* of seed 7 and epochs 0, 1, 0 again in another order, then of seed 8 */
    for (int k = 0; k < 4; k++) {
        an_loader_options options = options_of(AN_AUGMENT_FAST, k % 2);
        an_loader *loader;
        options.shuffle = k != 2;
        options.drop_last = 0;
        options.seed = k == 3 ? 8 : 7;
        pixels[k] = calloc(COUNT * IMAGE, sizeof *pixels[k]);
        assert_non_null(pixels[k]);
        assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
        assert_int_equal(an_loader_begin(loader, k == 1, 0, NULL), AN_OK);
        const float *x;
        const int64_t *samples;
        for (int64_t n; !an_loader_next(loader, &x, NULL, &samples, &n, NULL);)
            for (int64_t i = 0; i < n; i++)
                memcpy(pixels[k] + samples[i] * IMAGE, x + i * IMAGE, IMAGE * sizeof *x);
        an_loader_destroy(loader);
    }
    for (int64_t i = 0; i < COUNT; i++) {
        const size_t size = IMAGE * sizeof *pixels[0];
        assert_memory_equal(pixels[0] + i * IMAGE, pixels[2] + i * IMAGE, size);
        assert_memory_not_equal(pixels[0] + i * IMAGE, pixels[1] + i * IMAGE, size);
        assert_memory_not_equal(pixels[0] + i * IMAGE, pixels[3] + i * IMAGE, size);
    }
    for (int k = 0; k < 4; k++)
        free(pixels[k]);
    an_dataset_destroy(dataset);
}

static void the_data_set_lives_on(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    an_loader_options options = options_of(AN_AUGMENT_FAST, 2);
    double shift = 2.0;
    an_augment_options augment = *options.augment;
    augment.width_shifts = &shift;
    augment.width_shift_count = 1;
    options.augment = &augment;
    an_loader *loader;
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
    an_dataset_destroy(dataset);
    const uint64_t want = read_epoch(loader, 0, 0);
    shift = 5.0; /* the list was copied */
    assert_true(read_epoch(loader, 0, 0) == want);
    assert_false(an_loader_is_plain(loader));
    an_loader_destroy(loader);
}

static void giving_up_at_any_moment(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    for (int round = 0; round < 60; round++) {
        an_loader_options options = options_of(round % 4, 1 + round % 3);
        an_loader *loader;
        options.prefetch = 1 + round % 5;
        assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
        for (int i = 0; i < round % 7; i++) {
            if (i % 3 == 1) assert_int_equal(an_loader_begin(loader, i, i % 4, NULL), AN_OK);
            assert_in_range(an_loader_next(loader, NULL, NULL, NULL, NULL, NULL), AN_OK, AN_DONE);
        }
        an_loader_destroy(loader);
    }
    an_dataset_destroy(dataset);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(3, SIDE, SIDE);
    an_loader_options options = options_of(AN_AUGMENT_NONE, 0);
    an_loader *loader;
    an_error err;
    const int64_t wrong[2] = {1, 3};
    assert_int_equal(an_loader_create(&loader, dataset, wrong, 2, &options, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "indices[1] is 3; the data set has 3 samples");
    assert_int_equal(an_loader_create(&loader, dataset, wrong, 0, &options, &err), AN_ERR_ARG);
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, &err), AN_OK);
    assert_int_equal(an_loader_begin(loader, 0, 2, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "first is 2; it must be 0 to 1, the batches of an epoch");
    assert_int_equal(an_loader_begin(loader, -1, 0, &err), AN_ERR_ARG);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

/* --- damaged images ------------------------------------------------------------------------ */

static int32_t count_warnings(void *user, const an_warning *warning) {
    if (warning->code == AN_WARN_IMAGE_SKIPPED) ++*(int *)user;
    return 0;
}

static an_dataset *open_damaged(int32_t policy, int *warned) {
    an_dataset_options options;
    an_dataset *dataset;
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.policy = policy;
    options.warn = count_warnings;
    options.warn_user = warned;
    assert_int_equal(an_dataset_open(&dataset, test_folder, &options, NULL), AN_OK);
    return dataset;
}

/* Images 6, 8 and all of batch 2 are damaged. */
static int make_damaged(void **state) {
    test_folder_make(state);
    data_folder(test_folder, COUNT, SIDE, SIDE);
    static const int damaged[] = {6, 8, 10, 11, 12, 13, 14};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        char name[32];
        snprintf(name, sizeof name, "P%04d.jpg", damaged[i]);
        folder_write_text(folder_path(test_folder, name), "no image");
    }
    return 0;
}

static void errors_come_in_order(void **state) {
    (void)state;
    int warned = 0;
    an_dataset *dataset = open_damaged(AN_POLICY_STRICT, &warned);
    for (int32_t threads = 0; threads < 4; threads++) {
        static const char *const names[] = {NULL, "P0006.jpg", "P0010.jpg", NULL, NULL};
        an_loader_options options = options_of(AN_AUGMENT_NONE, threads);
        an_loader *loader;
        options.shuffle = 0;
        options.prefetch = 4;
        assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
        for (int i = 0; i < 5; i++) {
            an_error err = {0};
            const an_status st = an_loader_next(loader, NULL, NULL, NULL, NULL, &err);
            assert_int_equal(st, names[i] ? AN_ERR_FORMAT : AN_OK);
            if (names[i]) assert_non_null(strstr(err.message, names[i]));
        }
        assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, NULL), AN_DONE);
        an_loader_destroy(loader);
    }
    assert_int_equal(warned, 0);
    an_dataset_destroy(dataset);
}

static void skip_leaves_damaged_images_out(void **state) {
    (void)state;
    int warned = 0;
    an_dataset *dataset = open_damaged(AN_POLICY_SKIP, &warned);
    for (int32_t threads = 0; threads < 3; threads++) {
        static const int64_t sizes[] = {5, 3, 5, 3};
        static const int64_t second[] = {5, 7, 9};
        an_loader_options options = options_of(AN_AUGMENT_NONE, threads);
        an_loader *loader;
        options.shuffle = 0;
        assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
        for (int i = 0; i < 4; i++) {
            const float *x, *y;
            const int64_t *samples;
            int64_t n;
            assert_int_equal(an_loader_next(loader, &x, &y, &samples, &n, NULL), AN_OK);
            assert_int_equal(n, sizes[i]);
            for (int64_t k = 0; k < n; k++) {
                uint8_t rgb[IMAGE];
                float table[768];
                if (i == 1) assert_int_equal(samples[k], second[k]);
                assert_true(y[k] == (float)data_score(samples[k]));
                assert_int_equal(an_dataset_read_pixels(dataset, samples[k], rgb, NULL), AN_OK);
                assert_int_equal(an_scale_fill_tables(AN_SCALE_UNIT, table, NULL), AN_OK);
                for (int j = 0; j < IMAGE; j++)
                    assert_true(x[k * IMAGE + j] == table[rgb[j]]);
            }
        }
        assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, NULL), AN_DONE);
        an_loader_destroy(loader);
    }
    assert_int_equal(warned, 7); /* once each, over all epochs and sources */
    assert_int_equal(an_dataset_skipped(dataset), 7);
    an_dataset_destroy(dataset);
}

static int32_t stop_at_once(void *user, const an_warning *warning) {
    (void)user;
    (void)warning;
    return 1;
}

static void a_warning_may_stop(void **state) {
    (void)state;
    an_dataset_options options;
    an_dataset *dataset;
    an_loader *loader;
    an_loader_options how = options_of(AN_AUGMENT_NONE, 2);
    an_error err;
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.policy = AN_POLICY_SKIP;
    options.warn = stop_at_once;
    how.shuffle = 0;
    assert_int_equal(an_dataset_open(&dataset, test_folder, &options, NULL), AN_OK);
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &how, NULL), AN_OK);
    assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, &err), AN_OK);
    assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, &err), AN_ERR_CANCELLED);
    assert_string_equal(err.message, "the warning callback asked to stop");
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

/* --- faults ---------------------------------------------------------------------------------- */

static void each_allocation_may_fail(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    const double shifts[2] = {1.0, 2.0};
    an_loader_options options = options_of(AN_AUGMENT_KERAS, 2);
    an_loader *loader;
    an_augment_options augment = *options.augment;
    augment.width_shifts = augment.height_shifts = shifts;
    augment.width_shift_count = augment.height_shift_count = 2;
    options.augment = &augment;
    for (int64_t n = 0;; n++) {
        an_error err = {0};
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = an_loader_create(&loader, dataset, NULL, 0, &options, &err);
        ani_fault_disarm();
        if (!st) {
            assert_true(n > 20);
            break;
        }
        assert_int_equal(st, AN_ERR_NOMEM);
        assert_null(loader);
        assert_true(err.message[0] != '\0');
    }
    read_epoch(loader, 0, 0);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_batches_for_any_number_of_threads),
        cmocka_unit_test(an_epoch_can_be_resumed),
        cmocka_unit_test(parts_make_up_the_batches),
        cmocka_unit_test(order_and_sizes),
        cmocka_unit_test(samples_are_augmented_anew),
        cmocka_unit_test(the_data_set_lives_on),
        cmocka_unit_test(giving_up_at_any_moment),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test_setup_teardown(errors_come_in_order, make_damaged, test_folder_remove),
        cmocka_unit_test_setup_teardown(skip_leaves_damaged_images_out, make_damaged,
                                        test_folder_remove),
        cmocka_unit_test_setup_teardown(a_warning_may_stop, make_damaged, test_folder_remove),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("batches", tests, NULL, NULL);
}
