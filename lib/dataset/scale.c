/* SPDX-License-Identifier: MIT
 * The pixel scales (docs/numerics.md, section scale): computed in double, rounded once. */
#include "dataset/scale.h"

#include "base/error.h"

static an_status check(int32_t scale, an_error *err) {
    if (scale == AN_SCALE_UNIT || scale == AN_SCALE_TF || scale == AN_SCALE_ARTICLE) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "scale is %d; it must be unit (%d), tf (%d) or article (%d)",
                    (int)scale, AN_SCALE_UNIT, AN_SCALE_TF, AN_SCALE_ARTICLE);
}

an_status an_scale_fill_table(int32_t scale, float table[256], an_error *err) {
    if (!table) return ani_fail(err, AN_ERR_ARG, "table is NULL");
    an_status st = check(scale, err);
    if (st) return st;
    for (int i = 0; i < 256; i++) {
        /* Divisions, as in the tutorial: multiplying by the inverse would round differently. */
        const double x = i;
        table[i] = (float)(scale == AN_SCALE_UNIT ? x / 255.0
                           : scale == AN_SCALE_TF ? x / 127.5 - 1.0
                                                  : x / .255);
    }
    return AN_OK;
}

an_status ani_scale_line(int32_t scale, double *gain, double *bias, an_error *err) {
    an_status st = check(scale, err);
    if (st) return st;
    *gain = scale == AN_SCALE_UNIT ? 1.0 / 255.0 : scale == AN_SCALE_TF ? 1.0 / 127.5 : 1.0 / .255;
    *bias = scale == AN_SCALE_TF ? -1.0 : 0.0;
    return AN_OK;
}

const char *ani_scale_name(int32_t scale) {
    return scale == AN_SCALE_UNIT ? "unit" : scale == AN_SCALE_TF ? "tf" : "article";
}
