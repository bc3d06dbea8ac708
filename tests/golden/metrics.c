/* SPDX-License-Identifier: MIT
 * Golden topic metrics: RMSE, MAE, R2 and Pearson as scikit-learn and SciPy computed them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/metrics.h>

#include "support/golden.h"

/** The folder's README: 1e-12 of the value; where the values are tiny differences of large numbers,
 * or two points determine all, 1e-9. */
static void expect(const char *name, const char *what, double got, const json_t *entry) {
    if (!entry || json_is_null(entry)) return; /* not computed there */
    const double want = golden_number(entry);
    const bool loose = !strncmp(name, "n2", 2) || !strncmp(name, "large_offset", 12);
    const double limit = loose ? 1e-9 : 1e-12 * fmax(1, fabs(want));
    expect_within(got, want, limit, "%s: %s", name, what);
}

static void check_case(const json_t *entry, const st_file *arrays) {
    const char *name = json_string_value(json_object_get(entry, "name"));
    const st_array *truth = st_find(arrays, "%s.true", name);
    const st_array *prediction = st_find(arrays, "%s.pred", name);
    const bool single = !strcmp(json_string_value(json_object_get(entry, "dtype_pred")), "float32");
    const int64_t count = json_integer_value(json_object_get(entry, "n"));
    double *t = truth ? st_doubles(truth) : calloc(1, sizeof *t);
    double *d = prediction ? st_doubles(prediction) : calloc(1, sizeof *d);
    float *f = prediction ? st_floats(prediction) : calloc(1, sizeof *f);
    an_metrics metrics = {.struct_size = sizeof metrics};
    an_error err = {0};
    const an_status st = single ? an_metrics_compute(t, f, NULL, count, &metrics, &err)
                                : an_metrics_compute_double(t, d, NULL, count, &metrics, &err);
    if (json_object_get(entry, "error")) {
        if (st != AN_ERR_ARG) fail_msg("%s: status %d, expected AN_ERR_ARG", name, (int)st);
    } else {
        if (st) fail_msg("%s: %s", name, err.message);
        expect(name, "mse", metrics.mse, json_object_get(entry, "mse"));
        expect(name, "rmse", metrics.rmse, json_object_get(entry, "rmse"));
        expect(name, "mae", metrics.mae, json_object_get(entry, "mae"));
        expect(name, "r2", metrics.r2, json_object_get(entry, "r2"));
        expect(name, "pearson", metrics.pearson, json_object_get(entry, "pearson"));
    }
    free(t);
    free(d);
    free(f);
}

static void metrics_of_scikit_learn(void **state) {
    (void)state;
    const char *facts = golden_path("callbacks/metrics.json");
    const char *values = golden_path("callbacks/metrics.safetensors");
    if (!facts || !values) skip();
    json_t *json = golden_json(facts);
    st_file *arrays = st_open(values);
    const json_t *cases = json_object_get(json, "cases");
    assert_true(json_array_size(cases) > 0);
    size_t i;
    const json_t *entry;
    json_array_foreach(cases, i, entry) {
        check_case(entry, arrays);
    }
    st_close(arrays);
    json_decref(json);
}

int golden_metrics(void);
int golden_metrics(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(metrics_of_scikit_learn)};
    return cmocka_run_group_tests_name("golden metrics", tests, NULL, NULL);
}
