/* SPDX-License-Identifier: MIT
 * A row of an affine map: which part of it is inside the image, then blocks of points. */
#include "kernels/warp.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

ani_view ani_warp_view(const uint8_t *src, int64_t height, int64_t width, float gain, float bias) {
    return (ani_view){.src = src,
                      .size = height * width * 3,
                      .height = (int32_t)height,
                      .width = (int32_t)width,
                      .right = width > 1 ? 3 : 0,
                      .down = height > 1 ? (int32_t)width * 3 : 0,
                      .gain = gain,
                      .bias = bias};
}

ani_view ani_warp_view_values(const float *values, int64_t height, int64_t width) {
    ani_view view = ani_warp_view(NULL, height, width, 1.0f, 0.0f);
    view.values = values;
    return view;
}

void ani_warp_prefetch(const ani_view *view) {
    for (int64_t i = 0; i < view->size; i += 64)
        __builtin_prefetch(view->src + i);
}

/* Interpolate with the entry for the image's data type. */
static void sample(const ani_warp *w, float *out, const ani_points *points, int64_t count) {
    const ani_warp_line *line = w->line;
    (w->view.values ? w->pixels->sample_values : w->pixels->sample)(out, points, count, &w->view);
    for (int64_t i = 0; line && i < count; i++, out += 3)
        for (int32_t c = 0; c < 3; c++)
            out[c] = out[c] * line->gain[c] + line->bias[c];
}

/* --- beyond the border ----------------------------------------------------------------------- */

static double clamp(double c, double last) {
    return c < 0.0 ? 0.0 : c > last ? last : c;
}

/* Half-sample symmetric, period 2n: b a | a b c | c b. The folded position may be up to one pixel
 * before the first: there the preceding tap is the first pixel again, as after clamping. */
static double reflect(double c, double n) {
    const double period = 2.0 * n;
    if (c < 0.0) {
        if (c < -period) c += period * trunc(-c / period);
        return c < -n ? c + period : (c > -1e-15 ? 1e-15 : -c) - 1.0;
    }
    c -= period * trunc(c / period);
    return c >= n ? period - c - 1.0 : c;
}

/* Period n - 1, so that the first and the last pixel coincide. */
static double wrap(double c, double last) {
    if (c < 0.0) return c + last * (trunc(-c / last) + 1.0);
    return c - last * trunc(c / last);
}

double ani_warp_fold(double c, int64_t n, int32_t fill) {
    const double last = (double)(n - 1);
    if (c >= 0.0 && c <= last) return c;
    if (fill == ANI_WARP_CONSTANT) return -1.0;
    if (n == 1) return 0.0;
    if (fill == ANI_WARP_REFLECT) return clamp(reflect(c, (double)n), last);
    if (fill == ANI_WARP_WRAP) return clamp(wrap(c, last), last);
    return clamp(c, last);
}

/* --- which part lies inside ------------------------------------------------------------------ */

/* Numbers from first to end - 1. */
struct range {
    int64_t first, end;
};

/* Restrict a range to those j for which 0 <= start + step * j <= last. In floating point, too, the
 * positions are monotonic in j, so that they form one interval; the quotient finds its ends up to
 * rounding. */
static struct range cut(struct range r, double start, double step, double last) {
    const double low = step < 0.0 ? last : 0.0, high = step < 0.0 ? 0.0 : last;
    const double turn = step < 0.0 ? -1.0 : 1.0;
    if (step == 0.0) {
        if (!(start >= 0.0 && start <= last)) r.end = r.first;
        return r;
    }
    const double begin = (double)r.first, end = (double)r.end;
    double first = ceil((low - start) / step), behind = floor((high - start) / step) + 1.0;
    first = first < begin ? begin : first > end ? end : first;
    behind = behind < first ? first : behind > end ? end : behind;
    while (first > begin && turn * (start + step * (first - 1.0)) >= turn * low)
        first -= 1.0;
    while (first < end && turn * (start + step * first) < turn * low)
        first += 1.0;
    while (behind < end && turn * (start + step * behind) <= turn * high)
        behind += 1.0;
    while (behind > first && turn * (start + step * (behind - 1.0)) > turn * high)
        behind -= 1.0;
    return (struct range){(int64_t)first, (int64_t)behind};
}

/* --- blocks ---------------------------------------------------------------------------------- */

/* The row being made. Output pixel k has number j = origin + turn * k. */
struct row {
    float *out;
    double row, column, origin, turn;
    const ani_warp *warp;
};

/* A distance in units of 2^-32 pixels. */
static int64_t fixed(double distance) {
    return (int64_t)(distance * 4294967296.0 + (distance < 0.0 ? -0.5 : 0.5));
}

/* A position in these units; half a unit of the weights is added, so that truncation rounds. A
 * position very far outside stays outside. */
static int64_t fixed_position(double position) {
    const double most = 536870912.0;
    return fixed(position < -most ? -most : position > most ? most : position) + 128;
}

/* Pixels first to end - 1, which are inside or will be moved to the border. */
static void make_inside(const struct row *r, int64_t first, int64_t end) {
    const ani_warp *w = r->warp;
    const int64_t row_step = fixed(r->turn * w->step_row);
    const int64_t column_step = fixed(r->turn * w->step_column);
    ani_points points;
    for (int64_t k = first; k < end; k += ANI_POINTS) {
        const int64_t count = end - k < ANI_POINTS ? end - k : ANI_POINTS;
        const double j = r->origin + r->turn * (double)k;
        w->pixels->place(&points, fixed_position(r->row + w->step_row * j),
                         fixed_position(r->column + w->step_column * j), row_step, column_step,
                         count, &w->view);
        sample(w, r->out + 3 * k, &points, count);
    }
}

static int32_t split(double at, int32_t length, float *weight) {
    const int32_t last = length - 1;
    int32_t whole = (int32_t)at; /* at >= 0: this is floor */
    if (whole == last && last > 0) whole--;
    *weight = (float)((at - (double)whole) * 16777216.0);
    return whole;
}

/* Pixels that are outside: folded back, one by one. */
static void make_folded(const struct row *r, int64_t first, int64_t end) {
    const ani_warp *w = r->warp;
    const ani_view *v = &w->view;
    ani_points points;
    for (int64_t k = first; k < end; k += ANI_POINTS) {
        const int64_t count = end - k < ANI_POINTS ? end - k : ANI_POINTS;
        for (int64_t i = 0; i < count; i++) {
            const double j = r->origin + r->turn * (double)(k + i);
            const double y = ani_warp_fold(r->row + w->step_row * j, v->height, w->fill);
            const double x = ani_warp_fold(r->column + w->step_column * j, v->width, w->fill);
            points.offset[i] = split(y, v->height, &points.down[i]) * v->down;
            points.offset[i] += split(x, v->width, &points.right[i]) * 3;
        }
        for (int64_t i = count; i % ANI_POINT_STEP; i++) {
            points.offset[i] = 0;
            points.right[i] = points.down[i] = 0.0f;
        }
        sample(w, r->out + 3 * k, &points, count);
    }
}

static void make_outside(const struct row *r, int64_t first, int64_t end) {
    if (r->warp->fill != ANI_WARP_CONSTANT) {
        make_folded(r, first, end);
        return;
    }
    for (int64_t i = 3 * first; i < 3 * end; i++)
        r->out[i] = r->warp->outside;
}

void ani_warp_row(float *out, int64_t count, double row, double column, int32_t mirror,
                  const ani_warp *warp) {
    const struct row r = {.out = out,
                          .row = row,
                          .column = column,
                          .origin = mirror ? (double)(count - 1) : 0.0,
                          .turn = mirror ? -1.0 : 1.0,
                          .warp = warp};
    if (warp->fill == ANI_WARP_NEAREST) {
        make_inside(&r, 0, count);
        return;
    }
    struct range inside = {0, count};
    inside = cut(inside, row, warp->step_row, (double)(warp->view.height - 1));
    inside = cut(inside, column, warp->step_column, (double)(warp->view.width - 1));
    if (mirror) inside = (struct range){count - inside.end, count - inside.first};
    make_outside(&r, 0, inside.first);
    make_inside(&r, inside.first, inside.end);
    make_outside(&r, inside.end, count);
}
