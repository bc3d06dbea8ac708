/* SPDX-License-Identifier: MIT
 * Affine sampling in plain C. */
#include "kernels/c/pixels.h"

/* One coordinate: the left of two pixels and the weight of the second, which exists unless there is
 * only one pixel. */
static inline int32_t split(int64_t at, int32_t length, float *weight) {
    const int32_t whole = (int32_t)(at >> 32), last = length - 1;
    const int32_t rest = (int32_t)((uint64_t)at << 32 >> 40);
    *weight = (float)rest;
    if (whole < 0) {
        *weight = 0.0f;
        return 0;
    }
    if (whole >= last) {
        *weight = last ? 16777216.0f : 0.0f;
        return last ? last - 1 : 0;
    }
    return whole;
}

void ani_c_place(ani_points *out, int64_t row, int64_t column, int64_t row_step,
                 int64_t column_step, int64_t count, const ani_view *view) {
    const int64_t whole = (count + ANI_POINT_STEP - 1) / ANI_POINT_STEP * ANI_POINT_STEP;
    for (int64_t i = 0; i < whole; i++, row += row_step, column += column_step) {
        const int32_t y = split(row, view->height, &out->down[i]);
        const int32_t x = split(column, view->width, &out->right[i]);
        out->offset[i] = y * view->down + x * 3;
    }
}

/* The weights of the four pixels around a point, times gain. */
struct weights {
    float neither, right, down, both;
};

static inline struct weights weigh(const ani_points *points, int64_t i, float gain) {
    const float unit = 1.0f / 16777216.0f;
    const float right = points->right[i] * (gain * unit);
    const float down = points->down[i] * (gain * unit);
    const float both = right * (points->down[i] * unit);
    const float only_right = right - both, only_down = down - both;
    return (struct weights){gain - right - only_down, only_right, only_down, both};
}

void ani_c_sample(float *out, const ani_points *points, int64_t count, const ani_view *view) {
    for (int64_t i = 0; i < count; i++, out += 3) {
        const uint8_t *upper = view->src + points->offset[i], *lower = upper + view->down;
        const struct weights w = weigh(points, i, view->gain);
        for (int32_t c = 0; c < 3; c++)
            out[c] = ((float)upper[c] * w.neither + (float)upper[view->right + c] * w.right) +
                     ((float)lower[c] * w.down + (float)lower[view->right + c] * w.both) +
                     view->bias;
    }
}

void ani_c_sample_values(float *out, const ani_points *points, int64_t count,
                         const ani_view *view) {
    for (int64_t i = 0; i < count; i++, out += 3) {
        const float *upper = view->values + points->offset[i], *lower = upper + view->down;
        const struct weights w = weigh(points, i, 1.0f);
        for (int32_t c = 0; c < 3; c++)
            out[c] = (upper[c] * w.neither + upper[view->right + c] * w.right) +
                     (lower[c] * w.down + lower[view->right + c] * w.both);
    }
}
