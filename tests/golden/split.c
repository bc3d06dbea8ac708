/* SPDX-License-Identifier: MIT
 * Topic split: NumPy's generator, scikit-learn's splits, the tutorial's. All exact. */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>

#include <attractivenet/dataset.h>

#include "base/random.h"

/* --- generator ------------------------------------------------------------------------------- */

static void check_stream(const st_array *array) {
    unsigned long seed;
    long long n;
    ani_mt19937 mt;
    if (sscanf(array->name, "u32.seed%lu", &seed) == 1) {
        ani_mt19937_seed(&mt, (uint32_t)seed);
        for (int64_t i = 0; i < array->count; i++)
            assert_int_equal(ani_mt19937_next(&mt), (uint32_t)st_value(array, i));
    } else if (sscanf(array->name, "double.seed%lu", &seed) == 1) {
        ani_mt19937_seed(&mt, (uint32_t)seed);
        for (int64_t i = 0; i < array->count; i++)
            assert_true(ani_mt19937_double(&mt) == st_value(array, i));
    } else if (sscanf(array->name, "permutation.seed%lu.n%lld", &seed, &n) == 2) {
        assert_int_equal(n, array->count);
        int64_t *order = malloc((size_t)n * sizeof *order);
        ani_mt19937_seed(&mt, (uint32_t)seed);
        ani_mt19937_permutation(&mt, order, n);
        for (int64_t i = 0; i < n; i++)
            assert_int_equal(order[i], (int64_t)st_value(array, i));
        free(order);
    } else {
        fail_msg("'%s' is no array of this topic", array->name);
    }
}

static void generator(void **state) {
    (void)state;
    const char *path = golden_path("split/mt19937.safetensors");
    if (!path) skip();
    st_file *file = st_open(path);
    assert_true(file->count > 0);
    for (int64_t i = 0; i < file->count; i++)
        check_stream(&file->arrays[i]);
    st_close(file);
}

/* --- table of cases -------------------------------------------------------------------------- */

static void read_size(const json_t *value, int32_t *kind, double *fraction, int64_t *count) {
    if (json_is_null(value)) {
        *kind = AN_SIZE_ABSENT;
    } else if (json_is_integer(value)) {
        *kind = AN_SIZE_COUNT;
        *count = json_integer_value(value);
    } else {
        double above, below;
        *kind = AN_SIZE_FRACTION;
        *fraction = json_is_string(value) &&
                            sscanf(json_string_value(value), "%lf/%lf", &above, &below) == 2
                        ? above / below
                        : golden_number(value);
    }
}

static void expect_indices(const char *what, const int64_t *got, const st_array *want) {
    for (int64_t i = 0; i < want->count; i++)
        if (got[i] != (int64_t)st_value(want, i))
            fail_msg("%s: index %lld is %lld, expected %lld", what, (long long)i, (long long)got[i],
                     (long long)st_value(want, i));
}

static void check_case(const json_t *item, int64_t number, const st_file *lists) {
    const int64_t n = json_integer_value(json_object_get(item, "n"));
    const json_t *shuffle = json_object_get(item, "shuffle");
    an_split_options options;
    an_split_options_init(&options, sizeof options);
    options.seed = (uint32_t)json_integer_value(json_object_get(item, "seed"));
    options.shuffle = !shuffle || json_is_true(shuffle);
    read_size(json_object_get(item, "test_size"), &options.test_kind, &options.test_fraction,
              &options.test_count);
    read_size(json_object_get(item, "train_size"), &options.train_kind, &options.train_fraction,
              &options.train_count);

    int64_t n_train = -1, n_test = -1;
    an_error err = {0};
    const an_status st = an_split_compute_sizes(n, &options, &n_train, &n_test, &err);
    if (json_is_false(json_object_get(item, "ok"))) {
        if (st != AN_ERR_ARG) fail_msg("case %lld: no error", (long long)number);
        assert_true(err.message[0] != '\0');
        return;
    }
    if (st) fail_msg("case %lld: %s", (long long)number, err.message);
    assert_int_equal(n_train, json_integer_value(json_object_get(item, "n_train")));
    assert_int_equal(n_test, json_integer_value(json_object_get(item, "n_test")));

    int64_t *train = malloc((size_t)n_train * sizeof *train);
    int64_t *test = malloc((size_t)n_test * sizeof *test);
    assert_int_equal(an_train_test_split(n, &options, train, test, &err), AN_OK);
    const char *key = json_string_value(json_object_get(item, "key"));
    if (key) {
        const st_array *want_train = st_find(lists, "%s.train", key);
        const st_array *want_test = st_find(lists, "%s.test", key);
        assert_non_null(want_train);
        assert_non_null(want_test);
        assert_int_equal(want_train->count, n_train);
        assert_int_equal(want_test->count, n_test);
        expect_indices(key, train, want_train);
        expect_indices(key, test, want_test);
    }
    free(train);
    free(test);
}

static void cases(void **state) {
    (void)state;
    const char *path = golden_path("split/cases.json");
    const char *lists_path = golden_path("split/cases.safetensors");
    if (!path || !lists_path) skip();
    json_t *json = golden_json(path);
    st_file *lists = st_open(lists_path);
    const json_t *list = json_object_get(json, "cases");
    assert_true(json_array_size(list) > 0);
    for (size_t i = 0; i < json_array_size(list); i++)
        check_case(json_array_get(list, i), (int64_t)i, lists);
    st_close(lists);
    json_decref(json);
}

/* --- the tutorial's split -------------------------------------------------------------------- */

static void check_tutorial(const char *path, const char *name) {
    long long n;
    unsigned long seed;
    if (sscanf(name, "tutorial_%lld_seed%lu.safetensors", &n, &seed) != 2)
        fail_msg("'%s' does not tell its size and seed", name);
    st_file *file = st_open(path);
    const st_array *parts[3] = {st_find(file, "train"), st_find(file, "val"),
                                st_find(file, "test")};
    int64_t *indices = malloc((size_t)n * sizeof *indices), counts[3];
    assert_int_equal(
        an_tutorial_split(n, (uint32_t)seed, indices, &counts[0], &counts[1], &counts[2], NULL),
        AN_OK);
    const int64_t *next = indices;
    for (int i = 0; i < 3; i++) {
        assert_non_null(parts[i]);
        assert_int_equal(counts[i], parts[i]->count);
        expect_indices(parts[i]->name, next, parts[i]);
        next += counts[i];
    }
    free(indices);
    st_close(file);
}

static void tutorial(void **state) {
    (void)state;
    const char *folder_path = golden_path("split");
    DIR *folder = folder_path ? opendir(folder_path) : NULL;
    if (!folder) skip();
    int found = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strncmp(entry->d_name, "tutorial_", 9) != 0) continue;
        char path[512];
        snprintf(path, sizeof path, "split/%s", entry->d_name);
        check_tutorial(golden_path(path), entry->d_name);
        found++;
    }
    closedir(folder);
    if (!found) skip();
}

int golden_split(void);
int golden_split(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generator),
        cmocka_unit_test(cases),
        cmocka_unit_test(tutorial),
    };
    return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
