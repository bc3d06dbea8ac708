/* SPDX-License-Identifier: MIT
 * Units as loops. Source: Keras Conv2D and DepthwiseConv2D (cross-correlation, no kernel flip); for
 * output (oy, ox), tap (ky, kx) reads input (oy*stride + ky - pad_top, ox*stride + kx - pad_left),
 * zero outside of the image:
 *
 *   full        z[oy,ox,co] = sum over ky,kx,ci of x[iy,ix,ci] * w[ky,kx,ci,co]
 *   pointwise   the same with one tap
 *   depthwise   z[oy,ox,c]  = sum over ky,kx    of x[iy,ix,c]  * w[ky,kx,c]
 *
 * and their derivatives: dw = sum over outputs of x * dz, dx = sum over taps of w * dz. */
#include "backend/ref/ref.h"

#include <stdbool.h>

/* Scratch, in doubles. Forward: the channels of one pixel. Backward: one pixel's channels on both
 * sides, the whole weight gradient, and for fixed batch norm z and the sums of each channel. */
static int64_t tap_count(const ani_unit_shape *s) {
    return s->kind == ANI_UNIT_POINTWISE ? 1 : 9;
}

static int64_t weight_count(const ani_unit_shape *s) {
    return tap_count(s) * s->cin * (s->kind == ANI_UNIT_DEPTHWISE ? 1 : s->cout);
}

void ani_ref_unit_plan(an_backend *backend, const ani_unit_shape *shape, int32_t element,
                       ani_unit_plan *plan) {
    (void)backend;
    (void)element;
    const int64_t pixel = shape->cin + shape->cout;
    *plan = (ani_unit_plan){.shape = *shape};
    plan->scratch_forward = pixel * (int64_t)sizeof(double);
    plan->scratch_backward =
        (pixel + weight_count(shape) + 3 * shape->cout) * (int64_t)sizeof(double);
}

/* Find the input pixel that a tap of an output pixel reads; false: it is in the padding. */
static bool input_pixel(const ani_unit_shape *s, int64_t n, int64_t oy, int64_t ox, int64_t tap,
                        int64_t *pixel) {
    const int64_t width = s->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    const int64_t iy = oy * s->stride + tap / width - s->pad_top;
    const int64_t ix = ox * s->stride + tap % width - s->pad_left;
    if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w) return false;
    *pixel = (n * s->h + iy) * s->w + ix;
    return true;
}

/* Find the output pixel that reads an input pixel through a tap; false: there is none. */
static bool output_pixel(const ani_unit_shape *s, int64_t n, int64_t iy, int64_t ix, int64_t tap,
                         int64_t *pixel) {
    const int64_t width = s->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    const int64_t y = iy + s->pad_top - tap / width;
    const int64_t x = ix + s->pad_left - tap % width;
    if (y < 0 || x < 0 || y % s->stride || x % s->stride) return false;
    const int64_t oy = y / s->stride, ox = x / s->stride;
    if (oy >= s->oh || ox >= s->ow) return false;
    *pixel = (n * s->oh + oy) * s->ow + ox;
    return true;
}

/* Add the contribution of one tap to z[cout]. */
static void add_tap(const ani_unit_shape *s, const ani_lazy *x, const float *w, int64_t tap,
                    int64_t pixel, double *z) {
    for (int64_t ci = 0; ci < s->cin; ci++) {
        const double value = ani_ref_load(x, pixel * s->cin + ci, ci);
        if (s->kind == ANI_UNIT_DEPTHWISE) {
            z[ci] += value * w[tap * s->cin + ci];
        } else {
            const float *row = w + (tap * s->cin + ci) * s->cout;
            for (int64_t co = 0; co < s->cout; co++)
                z[co] += value * row[co];
        }
    }
}

/* The mean of each channel, and the sum of squared distances from it, in two passes over y. */
static void compute_moments(int64_t rows, int64_t c, const void *y, int32_t element,
                            double *moments) {
    double *mean = moments, *m2 = moments + c;
    for (int64_t i = 0; i < c; i++)
        mean[i] = m2[i] = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < c; i++)
            mean[i] += ani_ref_read(y, element, r * c + i);
    for (int64_t i = 0; i < c; i++)
        mean[i] /= (double)rows;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < c; i++) {
            const double distance = ani_ref_read(y, element, r * c + i) - mean[i];
            m2[i] += distance * distance;
        }
}

void ani_ref_unit_pixel(const ani_unit_shape *s, const ani_lazy *x, const float *w, int64_t row,
                        double *z) {
    const int64_t n = row / (s->oh * s->ow), oy = row / s->ow % s->oh, ox = row % s->ow;
    for (int64_t co = 0; co < s->cout; co++)
        z[co] = 0;
    for (int64_t tap = 0; tap < tap_count(s); tap++) {
        int64_t pixel;
        if (input_pixel(s, n, oy, ox, tap, &pixel)) add_tap(s, x, w, tap, pixel, z);
    }
}

/* The moments alone: z is computed twice, and rounded as if it were stored. */
static void moments_alone(const ani_unit_shape *s, const ani_unit_forward *args) {
    const int64_t rows = s->n * s->oh * s->ow, c = s->cout;
    double *z = args->scratch, *mean = args->moments, *m2 = mean + c;
    for (int64_t i = 0; i < c; i++)
        mean[i] = m2[i] = 0;
    for (int64_t row = 0; row < 2 * rows; row++) {
        if (ani_watch_stops(args->watch)) return;
        ani_ref_unit_pixel(s, &args->x, args->w, row % rows, z);
        for (int64_t i = 0; i < c; i++) {
            float stored;
            const double value = ani_ref_write(&stored, args->element, 0, z[i]);
            if (row == rows) mean[i] /= (double)rows;
            if (row < rows)
                mean[i] += value;
            else
                m2[i] += (value - mean[i]) * (value - mean[i]);
        }
    }
}

/* The value of z by known statistics, stored so that what is below 6 stays below. */
static void store_fixed(const ani_unit_forward *args, int64_t element, int64_t channel, double z) {
    const ani_fixed_forward *fixed = args->fixed;
    double value = z * fixed->bn->scale[channel] + fixed->bn->shift[channel];
    if (fixed->relu6) value = value < 0 ? 0 : value > 6 ? 6 : value;
    if (fixed->residual) value += ani_ref_read(fixed->residual, args->element, element);
    const double stored = ani_ref_write(args->y, args->element, element, value);
    if (fixed->relu6 && value < 6 && stored == 6)
        ani_ref_write(args->y, args->element, element, ani_below_six(args->element));
}

void ani_ref_unit_forward(an_backend *backend, const ani_unit_plan *plan,
                          const ani_unit_forward *args) {
    (void)backend;
    const ani_unit_shape *s = &plan->shape;
    const int64_t rows = s->n * s->oh * s->ow;
    double *z = args->scratch;
    for (int64_t row = 0; args->y && row < rows; row++) {
        if (ani_watch_stops(args->watch)) return;
        ani_ref_unit_pixel(s, &args->x, args->w, row, z);
        for (int64_t co = 0; co < s->cout; co++)
            if (args->fixed)
                store_fixed(args, row * s->cout + co, co, z[co]);
            else
                ani_ref_write(args->y, args->element, row * s->cout + co, z[co]);
    }
    if (!args->y)
        moments_alone(s, args);
    else if (args->moments)
        compute_moments(rows, s->cout, args->y, args->element, args->moments);
    if (!ani_watch_stops(args->watch)) ani_ref_finish_forward(s, args);
}

/* Form dz[cout] of one output pixel: a*g + b*z + c, or scale*g. */
static void load_gradient(const ani_unit_backward *args, int64_t pixel, int64_t cout, double *dz) {
    const ani_gradient *gradient = &args->dz;
    for (int64_t co = 0; co < cout; co++) {
        const int64_t at = pixel * cout + co;
        double value = ani_ref_read(gradient->g, gradient->element, at);
        if (args->fixed) value *= args->fixed->bn->scale[co];
        if (gradient->a) value *= gradient->a[co];
        if (gradient->z)
            value += gradient->b[co] * ani_ref_read(gradient->z, gradient->element, at) +
                     gradient->c[co];
        dz[co] = value;
    }
}

static void weight_gradient(const ani_unit_shape *s, const ani_unit_backward *args, double *dz,
                            double *dw) {
    for (int64_t i = 0; i < weight_count(s); i++)
        dw[i] = 0;
    for (int64_t row = 0; row < s->n * s->oh * s->ow; row++) {
        if (ani_watch_stops(args->watch)) return;
        const int64_t n = row / (s->oh * s->ow), oy = row / s->ow % s->oh, ox = row % s->ow;
        load_gradient(args, row, s->cout, dz);
        for (int64_t tap = 0; tap < tap_count(s); tap++) {
            int64_t pixel;
            if (!input_pixel(s, n, oy, ox, tap, &pixel)) continue;
            for (int64_t ci = 0; ci < s->cin; ci++) {
                const double value = ani_ref_load(&args->x, pixel * s->cin + ci, ci);
                if (s->kind == ANI_UNIT_DEPTHWISE) {
                    dw[tap * s->cin + ci] += value * dz[ci];
                } else {
                    double *to = dw + (tap * s->cin + ci) * s->cout;
                    for (int64_t co = 0; co < s->cout; co++)
                        to[co] += value * dz[co];
                }
            }
        }
    }
    for (int64_t i = 0; i < weight_count(s); i++)
        args->dw[i] = (float)dw[i];
}

/* dbeta = sum g, dgamma = sum g * (z - mean) * inv_std, z being computed once more. */
static void norm_gradient(const ani_unit_shape *s, const ani_unit_backward *args, double *z) {
    const ani_fixed_backward *fixed = args->fixed;
    double *beta = z + s->cout, *gamma = beta + s->cout;
    for (int64_t co = 0; co < 2 * s->cout; co++)
        beta[co] = 0;
    for (int64_t row = 0; row < s->n * s->oh * s->ow; row++) {
        if (ani_watch_stops(args->watch)) return;
        ani_ref_unit_pixel(s, &args->x, args->w, row, z);
        for (int64_t co = 0; co < s->cout; co++) {
            const double g = ani_ref_read(args->dz.g, args->dz.element, row * s->cout + co);
            beta[co] += g;
            gamma[co] += g * (z[co] - fixed->bn->mean[co]) * fixed->bn->inv_std[co];
        }
    }
    for (int64_t co = 0; co < s->cout; co++) {
        fixed->dbeta[co] = (float)beta[co];
        fixed->dgamma[co] = (float)gamma[co];
    }
}

static void input_gradient(const ani_unit_shape *s, const ani_unit_backward *args, double *dz,
                           double *dx) {
    if (args->store.sums)
        for (int64_t i = 0; i < (args->store.z ? 2 : 1) * s->cin; i++)
            args->store.sums[i] = 0;
    for (int64_t row = 0; row < s->n * s->h * s->w; row++) {
        if (ani_watch_stops(args->watch)) return;
        const int64_t n = row / (s->h * s->w), iy = row / s->w % s->h, ix = row % s->w;
        for (int64_t ci = 0; ci < s->cin; ci++)
            dx[ci] = 0;
        for (int64_t tap = 0; tap < tap_count(s); tap++) {
            int64_t pixel;
            if (!output_pixel(s, n, iy, ix, tap, &pixel)) continue;
            load_gradient(args, pixel, s->cout, dz);
            for (int64_t ci = 0; ci < s->cin; ci++) {
                if (s->kind == ANI_UNIT_DEPTHWISE) {
                    dx[ci] += dz[ci] * args->w[tap * s->cin + ci];
                } else {
                    const float *from = args->w + (tap * s->cin + ci) * s->cout;
                    for (int64_t co = 0; co < s->cout; co++)
                        dx[ci] += dz[co] * from[co];
                }
            }
        }
        for (int64_t ci = 0; ci < s->cin; ci++)
            ani_ref_store(&args->store, &args->x, row * s->cin + ci, ci, s->cin, dx[ci]);
    }
    ani_ref_finish_store(s->n * s->h * s->w, s->cin, &args->store);
}

void ani_ref_unit_backward(an_backend *backend, const ani_unit_plan *plan,
                           const ani_unit_backward *args) {
    (void)backend;
    const ani_unit_shape *s = &plan->shape;
    double *dz = args->scratch, *dx = dz + s->cout, *dw = dx + s->cin;
    if (args->dw) weight_gradient(s, args, dz, dw);
    if (args->dw && args->fixed) norm_gradient(s, args, dw + weight_count(s));
    if (args->store.dx) input_gradient(s, args, dz, dx);
}
