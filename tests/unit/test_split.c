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
        cmocka_unit_test(unshuffled_keeps_the_order),
        cmocka_unit_test(messages_say_what_is_possible),
    };
    return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
