/* SPDX-License-Identifier: MIT
 * Splits: sizes, order, and what is refused. The numbers themselves are golden topic split. */
#include <attractivenet/dataset.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* Mark all indices; fails if one is out of range or comes twice. */
static void mark(uint8_t *seen, int64_t count, const int64_t *indices, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        assert_in_range(indices[i], 0, count - 1);
        assert_int_equal(seen[indices[i]]++, 0);
    }
}

static void split_is_a_partition(void **state) {
    (void)state;
    for (int64_t count = 4; count < 300; count += 13) {
        for (uint32_t seed = 0; seed < 3; seed++) {
            int64_t train[300], test[300], n_train, n_test;
            uint8_t seen[300] = {0};
            an_split_options options;
            an_split_options_init(&options, sizeof options);
            options.seed = seed;
            assert_int_equal(an_split_compute_sizes(count, &options, &n_train, &n_test, NULL),
                             AN_OK);
            assert_int_equal(n_train + n_test, count);
            assert_int_equal(an_train_test_split(count, &options, train, test, NULL), AN_OK);
            mark(seen, count, train, n_train);
            mark(seen, count, test, n_test);
        }
    }
}

static void tutorial_split_is_a_partition(void **state) {
    (void)state;
    int64_t indices[200], n_train, n_val, n_test;
    uint8_t seen[200] = {0};
    assert_int_equal(an_tutorial_split(200, 7, indices, &n_train, &n_val, &n_test, NULL), AN_OK);
    assert_int_equal(n_train, 140);
    assert_int_equal(n_val, 40);
    assert_int_equal(n_test, 20);
    mark(seen, 200, indices, 200);
}

static void folds_are_those_of_scikit_learn(void **state) {
    (void)state;
    /* KFold(folds, shuffle=True, random_state=seed), then train_test_split(rest, test_size=2/9,
     * random_state=seed); scikit-learn 1.9.1 */
    static const struct {
        int64_t count;
        int32_t folds, fold;
        uint32_t seed;
        int64_t n_train, n_val, n_test, indices[23];
    } cases[] = {
        {23, 5, 1, 42, 14, 4, 5, {4,  18, 21, 20, 14, 3, 12, 22, 5, 16, 10, 13,
                                  19, 7,  1,  2,  11, 6, 0,  8,  9, 15, 17}},
        {23, 5, 5, 42, 14, 5, 4, {20, 3, 16, 18, 21, 2, 11, 22, 4,  15, 8, 12,
                                  17, 7, 0,  5,  13, 1, 9,  6,  10, 14, 19}},
        {10, 3, 1, 7, 4, 2, 4, {1, 4, 3, 7, 6, 9, 0, 2, 5, 8}},
        {10, 3, 3, 7, 5, 2, 3, {0, 9, 5, 1, 7, 2, 8, 3, 4, 6}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t indices[23], n_train, n_val, n_test;
        assert_int_equal(an_fold_split(cases[i].count, cases[i].folds, cases[i].fold, cases[i].seed,
                                       indices, &n_train, &n_val, &n_test, NULL),
                         AN_OK);
        assert_int_equal(n_train, cases[i].n_train);
        assert_int_equal(n_val, cases[i].n_val);
        assert_int_equal(n_test, cases[i].n_test);
        assert_memory_equal(indices, cases[i].indices, (size_t)cases[i].count * sizeof *indices);
    }
}

static void every_sample_is_tested_in_one_fold(void **state) {
    (void)state;
    uint8_t tested[50] = {0};
    for (int32_t fold = 1; fold <= 7; fold++) {
        int64_t indices[50], n_train, n_val, n_test;
        uint8_t seen[50] = {0};
        assert_int_equal(an_fold_split(50, 7, fold, 3, indices, &n_train, &n_val, &n_test, NULL),
                         AN_OK);
        mark(seen, 50, indices, 50);
        mark(tested, 50, indices + n_train + n_val, n_test);
    }
    for (int i = 0; i < 50; i++)
        assert_int_equal(tested[i], 1);
}

static void a_held_out_part_keeps_its_order(void **state) {
    (void)state;
    static const int64_t test[] = {9, 0, 4}, twice[] = {3, 3}, beyond[] = {10};
    int64_t indices[10], n_train, n_val;
    uint8_t seen[10] = {0};
    an_error err;
    assert_int_equal(an_held_out_split(10, test, 3, 1, indices, &n_train, &n_val, NULL), AN_OK);
    assert_int_equal(n_train + n_val, 7);
    assert_memory_equal(indices + 7, test, sizeof test);
    mark(seen, 10, indices, 10);
    assert_int_equal(an_held_out_split(10, twice, 2, 1, indices, &n_train, &n_val, &err),
                     AN_ERR_ARG);
    assert_non_null(strstr(err.message, "sample 3 is in the test set twice"));
    assert_int_equal(an_held_out_split(10, beyond, 1, 1, indices, &n_train, &n_val, &err),
                     AN_ERR_ARG);
    assert_non_null(strstr(err.message, "0 to 9"));
}

static void unshuffled_keeps_the_order(void **state) {
    (void)state;
    int64_t train[7], test[3];
    an_split_options options;
    an_split_options_init(&options, sizeof options);
    options.shuffle = 0;
    options.test_kind = AN_SIZE_COUNT;
    options.test_count = 3;
    assert_int_equal(an_train_test_split(10, &options, train, test, NULL), AN_OK);
    for (int64_t i = 0; i < 7; i++)
        assert_int_equal(train[i], i);
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(test[i], 7 + i);
}

static void messages_say_what_is_possible(void **state) {
    (void)state;
    int64_t n_train = -1, n_test = -1;
    an_error err;
    an_split_options options;
    an_split_options_init(&options, sizeof options);
    options.test_kind = AN_SIZE_FRACTION;
    options.test_fraction = 1.5;
    assert_int_equal(an_split_compute_sizes(10, &options, &n_train, &n_test, &err), AN_ERR_ARG);
    assert_string_equal(err.message,
                        "an_split_options: test_fraction is 1.5; it must be above 0 and below 1");
    options.test_kind = AN_SIZE_COUNT;
    options.test_count = 10;
    assert_int_equal(an_split_compute_sizes(10, &options, &n_train, &n_test, &err), AN_ERR_ARG);
    assert_string_equal(err.message,
                        "an_split_options: test_count is 10; it must be at least 1 and "
                        "below the number of samples, 10");
    an_split_options_init(&options, sizeof options);
    assert_int_equal(an_split_compute_sizes(1, &options, &n_train, &n_test, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "none of the 1 samples is left for training");
    assert_int_equal(an_split_compute_sizes(-1, &options, &n_train, &n_test, &err), AN_ERR_ARG);
    assert_int_equal(n_train, -1);
    assert_int_equal(n_test, -1);
    int64_t indices[4], n_val = -1;
    assert_int_equal(an_tutorial_split(3, 42, indices, &n_train, &n_val, &n_test, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, "3 samples cannot be split into training, validation and "
                                     "test; at least 4 are needed");
    assert_int_equal(an_tutorial_split(4, 42, indices, &n_train, &n_val, &n_test, &err), AN_OK);
    assert_true(n_train == 2 && n_val == 1 && n_test == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_is_a_partition),
        cmocka_unit_test(tutorial_split_is_a_partition),
        cmocka_unit_test(folds_are_those_of_scikit_learn),
        cmocka_unit_test(every_sample_is_tested_in_one_fold),
        cmocka_unit_test(a_held_out_part_keeps_its_order),
        cmocka_unit_test(unshuffled_keeps_the_order),
        cmocka_unit_test(messages_say_what_is_possible),
    };
    return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
