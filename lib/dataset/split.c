/* SPDX-License-Identifier: MIT
 * scikit-learn's train_test_split, index for index (docs/numerics.md, section split). */
#include <attractivenet/dataset.h>

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/random.h"

/* The shuffle draws 32-bit numbers up to count - 1. */
static const int64_t max_count = INT64_C(1) << 32;

static const an_split_options defaults = {
    .struct_size = sizeof defaults, .shuffle = 1, .test_kind = AN_SIZE_ABSENT, .seed = 42};

void an_split_options_init(an_split_options *options, uint32_t struct_size) {
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

static an_status check_size(const char *which, int32_t kind, double fraction, int64_t size,
                            int64_t count, an_error *err) {
    switch (kind) {
    case AN_SIZE_ABSENT:
        return AN_OK;
    case AN_SIZE_FRACTION:
        if (fraction > 0.0 && fraction < 1.0) return AN_OK;
        return ani_fail(err, AN_ERR_ARG,
                        "an_split_options: %s_fraction is %g; it must be above 0 and below 1",
                        which, fraction);
    case AN_SIZE_COUNT:
        if (size >= 1 && size < count) return AN_OK;
        return ani_fail(err, AN_ERR_ARG,
                        "an_split_options: %s_count is %lld; it must be at least 1 and below the "
                        "number of samples, %lld",
                        which, (long long)size, (long long)count);
    default:
        return ani_fail(err, AN_ERR_ARG,
                        "an_split_options: %s_kind is %d; it must be one of AN_SIZE_* (0 to 2)",
                        which, (int)kind);
    }
}

static an_status read_options(an_split_options *o, int64_t count, const an_split_options *options,
                              an_error *err) {
    *o = defaults;
    an_status st = ani_options_copy(o, sizeof *o, options, "an_split_options", err);
    if (st) return st;
    if (count < 0 || count > max_count)
        return ani_fail(err, AN_ERR_ARG, "count is %lld; it must be 0 to %lld", (long long)count,
                        (long long)max_count);
    if (o->shuffle != 0 && o->shuffle != 1)
        return ani_fail(err, AN_ERR_ARG, "an_split_options: shuffle is %d; it must be 0 or 1",
                        (int)o->shuffle);
    if (o->reserved)
        return ani_fail(err, AN_ERR_ARG, "an_split_options: reserved is %u; it must be 0",
                        (unsigned)o->reserved);
    if (o->test_kind == AN_SIZE_ABSENT && o->train_kind == AN_SIZE_ABSENT) {
        o->test_kind = AN_SIZE_FRACTION;
        o->test_fraction = 0.25;
    }
    return AN_OK;
}

static an_status sizes(int64_t count, const an_split_options *o, int64_t *n_train, int64_t *n_test,
                       an_error *err) {
    an_status st = check_size("test", o->test_kind, o->test_fraction, o->test_count, count, err);
    if (st) return st;
    st = check_size("train", o->train_kind, o->train_fraction, o->train_count, count, err);
    if (st) return st;
    if (o->test_kind == AN_SIZE_FRACTION && o->train_kind == AN_SIZE_FRACTION &&
        o->test_fraction + o->train_fraction > 1.0)
        return ani_fail(err, AN_ERR_ARG,
                        "an_split_options: test_fraction and train_fraction sum to %g; the sum "
                        "must be at most 1",
                        o->test_fraction + o->train_fraction);
    /* The double product decides: 0.07 * 100 is 7.000000000000001, so 8 samples. */
    int64_t test = o->test_kind == AN_SIZE_FRACTION
                       ? (int64_t)ceil(o->test_fraction * (double)count)
                       : o->test_count;
    int64_t train = o->train_kind == AN_SIZE_FRACTION
                        ? (int64_t)floor(o->train_fraction * (double)count)
                        : o->train_count;
    if (o->test_kind == AN_SIZE_ABSENT) test = count - train;
    if (o->train_kind == AN_SIZE_ABSENT) train = count - test;
    if (train + test > count)
        return ani_fail(err, AN_ERR_ARG,
                        "train (%lld) and test (%lld) are more than the %lld samples",
                        (long long)train, (long long)test, (long long)count);
    if (train == 0)
        return ani_fail(err, AN_ERR_ARG, "none of the %lld samples is left for training",
                        (long long)count);
    *n_train = train;
    *n_test = test;
    return AN_OK;
}

an_status an_split_compute_sizes(int64_t count, const an_split_options *options, int64_t *n_train,
                                 int64_t *n_test, an_error *err) {
    an_split_options o;
    if (!n_train || !n_test)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", n_train ? "n_test" : "n_train");
    an_status st = read_options(&o, count, options, err);
    if (st) return st;
    return sizes(count, &o, n_train, n_test, err);
}

an_status an_train_test_split(int64_t count, const an_split_options *options, int64_t *train,
                              int64_t *test, an_error *err) {
    an_split_options o;
    int64_t n_train, n_test, bytes = -1;
    if (!train || !test) return ani_fail(err, AN_ERR_ARG, "%s is NULL", train ? "test" : "train");
    an_status st = read_options(&o, count, options, err);
    if (st) return st;
    st = sizes(count, &o, &n_train, &n_test, err);
    if (st) return st;
    if (!o.shuffle) {
        for (int64_t i = 0; i < n_train; i++)
            train[i] = i;
        for (int64_t i = 0; i < n_test; i++)
            test[i] = n_train + i;
        return AN_OK;
    }
    int64_t *order = ani_mul_size(count, sizeof *order, &bytes) ? ani_alloc(bytes) : NULL;
    if (!order) return ani_fail_memory(err, bytes, "a split");
    ani_mt19937 mt;
    ani_mt19937_seed(&mt, o.seed);
    ani_mt19937_permutation(&mt, order, count);
    memcpy(test, order, (size_t)n_test * sizeof *order);
    memcpy(train, order + n_test, (size_t)n_train * sizeof *order);
    ani_free(order);
    return AN_OK;
}

an_status an_tutorial_split(int64_t count, uint32_t seed, int64_t *indices, int64_t *n_train,
                            int64_t *n_val, int64_t *n_test, an_error *err) {
    an_split_options first = defaults, second = defaults;
    if (!indices || !n_train || !n_val || !n_test)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !indices   ? "indices"
                        : !n_train ? "n_train"
                        : !n_val   ? "n_val"
                                   : "n_test");
    if (count < 4)
        return ani_fail(err, AN_ERR_ARG,
                        "%lld samples cannot be split into training, validation and test; at least "
                        "4 are needed",
                        (long long)count);
    first.test_kind = second.test_kind = AN_SIZE_FRACTION;
    first.test_fraction = 0.30;
    second.test_fraction = 1.0 / 3.0;
    first.seed = second.seed = seed;
    int64_t train, rest, val, test, bytes = -1;
    an_status st = an_split_compute_sizes(count, &first, &train, &rest, err);
    if (st) return st;
    st = an_split_compute_sizes(rest, &second, &val, &test, err);
    if (st) return st;

    int64_t *parts = ani_mul_size(2 * rest, sizeof *parts, &bytes) ? ani_alloc(bytes) : NULL;
    if (!parts) return ani_fail_memory(err, bytes, "a split");
    int64_t *rest_indices = parts, *places = parts + rest;
    st = an_train_test_split(count, &first, indices, rest_indices, err);
    if (st) goto done;
    st = an_train_test_split(rest, &second, places, places + val, err);
    if (st) goto done;
    for (int64_t i = 0; i < rest; i++)
        indices[train + i] = rest_indices[places[i]];
    *n_train = train;
    *n_val = val;
    *n_test = test;
done:
    ani_free(parts);
    return st;
}

/** Collect the numbers that are not in test, ascending. */
static an_status find_rest(int64_t count, const int64_t *test, int64_t n_test, int64_t *rest,
                           an_error *err) {
    int64_t left = 0;
    for (int64_t i = 0; i < count; i++)
        rest[i] = 0;
    for (int64_t i = 0; i < n_test; i++) {
        if (test[i] < 0 || test[i] >= count)
            return ani_fail(err, AN_ERR_ARG,
                            "test sample %lld is %lld; it must be 0 to %lld, the samples minus one",
                            (long long)i, (long long)test[i], (long long)count - 1);
        if (rest[test[i]]++)
            return ani_fail(err, AN_ERR_ARG, "sample %lld is in the test set twice",
                            (long long)test[i]);
    }
    for (int64_t i = 0; i < count; i++)
        if (!rest[i]) rest[left++] = i; /* never ahead of i */
    return AN_OK;
}

an_status an_held_out_split(int64_t count, const int64_t *test, int64_t n_test, uint32_t seed,
                            int64_t *indices, int64_t *n_train, int64_t *n_val, an_error *err) {
    an_split_options o = defaults;
    int64_t train, val, bytes = -1;
    if (!test || !indices || !n_train || !n_val)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !test      ? "test"
                        : !indices ? "indices"
                        : !n_train ? "n_train"
                                   : "n_val");
    if (n_test < 1 || count < 0 || count > max_count || count - n_test < 4)
        return ani_fail(err, AN_ERR_ARG,
                        "%lld of %lld samples are for testing; it must be at least 1, and 4 must "
                        "remain",
                        (long long)n_test, (long long)count);
    o.test_kind = AN_SIZE_FRACTION;
    o.test_fraction = 2.0 / 9.0;
    o.seed = seed;
    an_status st = an_split_compute_sizes(count - n_test, &o, &train, &val, err);
    if (st) return st;
    int64_t *rest =
        ani_mul_size(2 * count, sizeof *rest, &bytes) ? ani_alloc(bytes) : NULL; /* and places */
    if (!rest) return ani_fail_memory(err, bytes, "a split");
    int64_t *places = rest + count;
    st = find_rest(count, test, n_test, rest, err);
    if (!st) st = an_train_test_split(count - n_test, &o, places, places + train, err);
    if (!st) {
        memmove(indices + train + val, test, (size_t)n_test * sizeof *test);
        for (int64_t i = 0; i < train + val; i++)
            indices[i] = rest[places[i]];
        *n_train = train;
        *n_val = val;
    }
    ani_free(rest);
    return st;
}

an_status an_fold_split(int64_t count, int32_t folds, int32_t fold, uint32_t seed, int64_t *indices,
                        int64_t *n_train, int64_t *n_val, int64_t *n_test, an_error *err) {
    int64_t bytes = -1;
    if (!indices || !n_test)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", indices ? "n_test" : "indices");
    if (folds < 2 || folds > count || count > max_count)
        return ani_fail(err, AN_ERR_ARG, "%d folds of %lld samples; it must be 2 to %lld",
                        (int)folds, (long long)count, (long long)count);
    if (fold < 1 || fold > folds)
        return ani_fail(err, AN_ERR_ARG, "fold is %d; it must be 1 to %d", (int)fold, (int)folds);
    int64_t *order = ani_mul_size(2 * count, sizeof *order, &bytes) ? ani_alloc(bytes) : NULL;
    if (!order) return ani_fail_memory(err, bytes, "a split");
    ani_mt19937 mt;
    ani_mt19937_seed(&mt, seed);
    ani_mt19937_permutation(&mt, order, count);
    const int64_t size = count / folds, larger = count % folds;
    const int64_t first = (fold - 1) * size + (fold - 1 < larger ? fold - 1 : larger);
    const int64_t tested = size + (fold - 1 < larger);
    /* scikit-learn lists each fold in ascending order */
    char *is_test = (char *)(order + count);
    memset(is_test, 0, (size_t)count);
    for (int64_t i = 0; i < tested; i++)
        is_test[order[first + i]] = 1;
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++)
        if (is_test[i]) order[found++] = i;
    an_status st = an_held_out_split(count, order, tested, seed, indices, n_train, n_val, err);
    if (!st) *n_test = tested;
    ani_free(order);
    return st;
}
