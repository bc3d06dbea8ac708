/* SPDX-License-Identifier: MIT
 * Affine sampling of a row, in plain C: positions of a block first, then the pixels. */
#include "kernels/warp.h"

#include <math.h>
#include <stdbool.h>

enum { BLOCK = 64 };

static double clamp(double c, double last) {
    return c < 0.0 ? 0.0 : c > last ? last : c;
}

/* Half-sample symmetric, period 2n: b a | a b c | c b. The fold may end up to one pixel before the
 * first: there the tap before it is the first pixel again, which is what clamping gives. */
static double reflect(double c, double n) {
    const double period = 2.0 * n;
    if (c < 0.0) {
        if (c < -period) c += period * trunc(-c / period);
        return c < -n ? c + period : (c > -1e-15 ? 1e-15 : -c) - 1.0;
    }
    c -= period * trunc(c / period);
    return c >= n ? period - c - 1.0 : c;
}

/* Period n - 1, so that the first and the last pixel are the same place. */
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

/* Where the samples of a block lie: the upper left of four taps, steps to its neighbours, weights.
 */
typedef struct block {
    int32_t offset[BLOCK]; /* in bytes; -1 = outside */
    int32_t right[BLOCK];
    int32_t down[BLOCK];
    float weight_right[BLOCK];
    float weight_down[BLOCK];
} block;

static void place(block *b, int64_t count, const double *rows, const double *columns,
                  const ani_warp *warp) {
    const int32_t stride = (int32_t)(3 * warp->width);
    const int32_t last_row = (int32_t)warp->height - 1, last_column = (int32_t)warp->width - 1;
    for (int64_t i = 0; i < count; i++) {
        const int32_t r = (int32_t)rows[i], c = (int32_t)columns[i]; /* both >= 0: this is floor */
        b->weight_down[i] = (float)(rows[i] - (double)r);
        b->weight_right[i] = (float)(columns[i] - (double)c);
        b->offset[i] = r * stride + c * 3;
        b->down[i] = r < last_row ? stride : 0;
        b->right[i] = c < last_column ? 3 : 0;
    }
}

static void sample(float *out, int64_t count, const block *b, const ani_warp *warp) {
    for (int64_t i = 0; i < count; i++, out += 3) {
        if (b->offset[i] < 0) {
            out[0] = out[1] = out[2] = warp->outside;
            continue;
        }
        const uint8_t *upper = warp->src + b->offset[i];
        const uint8_t *lower = upper + b->down[i];
        const int32_t right = b->right[i];
        const float x = b->weight_right[i], y = b->weight_down[i];
        for (int32_t k = 0; k < 3; k++) {
            const float a = upper[k], c = lower[k];
            const float top = a + x * ((float)upper[right + k] - a);
            const float bottom = c + x * ((float)lower[right + k] - c);
            out[k] = warp->gain * (top + y * (bottom - top)) + warp->bias;
        }
    }
}

void ani_warp_row(float *out, int64_t count, double row, double column, int32_t mirror,
                  const ani_warp *warp) {
    const double last_row = (double)(warp->height - 1), last_column = (double)(warp->width - 1);
    double rows[BLOCK], columns[BLOCK];
    block b;
    for (int64_t done = 0; done < count; done += BLOCK) {
        const int64_t size = count - done < BLOCK ? count - done : BLOCK;
        const int64_t first = mirror ? count - 1 - done : done;
        const double turn = mirror ? -1.0 : 1.0;
        for (int64_t i = 0; i < size; i++) {
            const double j = (double)first + turn * (double)i;
            rows[i] = row + warp->step_row * j;
            columns[i] = column + warp->step_column * j;
        }
        if (warp->fill == ANI_WARP_NEAREST) { /* the usual case, without branches */
            for (int64_t i = 0; i < size; i++) {
                rows[i] = rows[i] < 0.0 ? 0.0 : rows[i] > last_row ? last_row : rows[i];
                columns[i] = columns[i] < 0.0           ? 0.0
                             : columns[i] > last_column ? last_column
                                                        : columns[i];
            }
            place(&b, size, rows, columns, warp);
        } else {
            bool outside[BLOCK];
            for (int64_t i = 0; i < size; i++) {
                const double r = ani_warp_fold(rows[i], warp->height, warp->fill);
                const double c = ani_warp_fold(columns[i], warp->width, warp->fill);
                outside[i] = r < 0.0 || c < 0.0;
                rows[i] = outside[i] ? 0.0 : r;
                columns[i] = outside[i] ? 0.0 : c;
            }
            place(&b, size, rows, columns, warp);
            for (int64_t i = 0; i < size; i++)
                if (outside[i]) b.offset[i] = -1;
        }
        sample(out + 3 * done, size, &b, warp);
    }
}
