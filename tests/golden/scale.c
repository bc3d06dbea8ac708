/* SPDX-License-Identifier: MIT
 * Topic scale: the 256 values of each pixel scale. Exact. */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include <attractivenet/dataset.h>

#include "dataset/scale.h"

static int32_t scale_of(const char *name) {
    if (!strncmp(name, "unit.", 5)) return AN_SCALE_UNIT;
    if (!strncmp(name, "tf.", 3)) return AN_SCALE_TF;
    if (!strncmp(name, "seed.", 5)) return AN_SCALE_ARTICLE;
    fail_msg("'%s' is no scale", name);
    return AN_SCALE_AUTO;
}

static void tables(void **state) {
    (void)state;
    const char *path = golden_path("images/scale_lut.safetensors");
    if (!path) skip();
    st_file *file = st_open(path);
    assert_true(file->count > 0);
    for (int64_t i = 0; i < file->count; i++) {
        const st_array *want = &file->arrays[i];
        const int32_t scale = scale_of(want->name);
        float table[768];
        double gain[3], bias[3];
        assert_int_equal(want->count, 256);
        assert_int_equal(an_scale_fill_tables(scale, table, NULL), AN_OK);
        assert_int_equal(ani_scale_line(scale, gain, bias, NULL), AN_OK);
        for (int64_t k = 0; k < 256; k++) {
            const double value = st_value(want, k);
            if (!strcmp(want->dtype, "F32"))
                assert_true((double)table[k] == value);
            else /* the line behind the table: its product rounds twice */
                assert_true(fabs(gain[0] * (double)k + bias[0] - value) <=
                            4e-16 * fabs(255 * gain[0]));
        }
    }
    st_close(file);
}

int golden_scale(void);
int golden_scale(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables)};
    return cmocka_run_group_tests_name("scale", tests, NULL, NULL);
}
