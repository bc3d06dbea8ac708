/* SPDX-License-Identifier: MIT
 * The pixel scales (docs/numerics.md, section scale): computed in double, rounded once. */
#include "dataset/scale.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Of ImageNet's channels, scaled to 0..1. Source: Keras' preprocess_input with mode "torch". */
static const double means[3] = {.485, .456, .406};
static const double deviations[3] = {.229, .224, .225};

static an_status check(int32_t scale, an_error *err) {
    if (scale >= AN_SCALE_UNIT && scale <= AN_SCALE_TORCH) return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "scale is %d; it must be unit (%d), tf (%d), article (%d) or torch (%d)",
                    (int)scale, AN_SCALE_UNIT, AN_SCALE_TF, AN_SCALE_ARTICLE, AN_SCALE_TORCH);
}

/* Divisions, as in the tutorial: multiplying by the inverse would round differently. */
static double value(int32_t scale, int32_t channel, double x) {
    switch (scale) {
    case AN_SCALE_UNIT:
        return x / 255.0;
    case AN_SCALE_TF:
        return x / 127.5 - 1.0;
    case AN_SCALE_ARTICLE:
        return x / .255;
    default:
        return (x / 255.0 - means[channel]) / deviations[channel];
    }
}

an_status an_scale_fill_tables(int32_t scale, float tables[768], an_error *err) {
    if (!tables) return ani_fail(err, AN_ERR_ARG, "tables is NULL");
    an_status st = check(scale, err);
    if (st) return st;
    for (int32_t c = 0; c < 3; c++)
        for (int32_t x = 0; x < 256; x++)
            tables[256 * c + x] = (float)value(scale, c, x);
    return AN_OK;
}

an_status ani_scale_line(int32_t scale, double gain[3], double bias[3], an_error *err) {
    an_status st = check(scale, err);
    if (st) return st;
    for (int32_t c = 0; c < 3; c++) {
        gain[c] = scale == AN_SCALE_UNIT      ? 1.0 / 255.0
                  : scale == AN_SCALE_TF      ? 1.0 / 127.5
                  : scale == AN_SCALE_ARTICLE ? 1.0 / .255
                                              : 1.0 / 255.0 / deviations[c];
        bias[c] = value(scale, c, 0.0);
    }
    return AN_OK;
}

void ani_scale_range(int32_t scale, float *low, float *high) {
    *low = (float)value(scale, 0, 0.0);
    *high = (float)value(scale, 0, 255.0);
    for (int32_t c = 1; c < 3; c++) {
        const float black = (float)value(scale, c, 0.0), white = (float)value(scale, c, 255.0);
        if (black < *low) *low = black;
        if (white > *high) *high = white;
    }
}

const char *ani_scale_name(int32_t scale) {
    static const char *const names[] = {"unit", "tf", "article", "torch"};
    return names[scale - AN_SCALE_UNIT];
}

int32_t ani_scale_find(const double gain[3], const double bias[3]) {
    const double near = 1e-6; /* the relative precision of a float32 factor */
    for (int32_t scale = AN_SCALE_UNIT; scale <= AN_SCALE_TORCH; scale++) {
        double right[3], left[3];
        bool fits = !ani_scale_line(scale, right, left, NULL);
        for (int32_t c = 0; fits && c < 3; c++)
            fits = fabs(gain[c] - right[c]) <= near * right[c] &&
                   fabs(bias[c] - left[c]) <= near * fmax(fabs(left[c]), 1);
        if (fits) return scale;
    }
    return AN_SCALE_AUTO;
}
