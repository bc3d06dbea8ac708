/* SPDX-License-Identifier: MIT
 * Loading and storing of tiles in plain C: the contract of these entries of kernels.h. */
#include "kernels/c/c.h"

#include <stddef.h>
#include <string.h>

static inline float clip(float value) {
    value = value < 0 ? 0 : value; /* a comparison with NaN is false: NaN stays */
    return value > 6 ? 6 : value;
}

void ani_c_normalise(float *out, int64_t ldo, const float *z, int64_t ldz, int64_t rows, int64_t c,
                     const float *scale, const float *shift, int32_t relu6) {
    for (int64_t r = 0; r < rows; r++, out += ldo, z += ldz) {
        if (scale)
            for (int64_t i = 0; i < c; i++)
                out[i] = z[i] * scale[i] + shift[i];
        else
            memcpy(out, z, (size_t)c * sizeof *out);
        if (relu6)
            for (int64_t i = 0; i < c; i++)
                out[i] = clip(out[i]);
    }
}

void ani_c_gradient(float *out, int64_t ldo, const float *g, const float *z, int64_t ldg,
                    int64_t rows, int64_t channels, const float *a, const float *b,
                    const float *c) {
    for (int64_t r = 0; r < rows; r++, out += ldo, g += ldg) {
        if (z)
            for (int64_t i = 0; i < channels; i++)
                out[i] = a[i] * g[i] + (b[i] * z[r * ldg + i] + c[i]);
        else if (a)
            for (int64_t i = 0; i < channels; i++)
                out[i] = a[i] * g[i];
        else
            memcpy(out, g, (size_t)channels * sizeof *out);
    }
}

void ani_c_store_moments(float *y, int64_t ldy, const float *t, int64_t ldt, int64_t rows,
                         int64_t c, const float *pivot, double *sum, double *square,
                         int32_t stream) {
    (void)stream;
    for (int64_t r = 0; r < rows; r++, y += ldy, t += ldt)
        for (int64_t i = 0; i < c; i++) {
            const float distance = t[i] - pivot[i];
            y[i] = t[i];
            sum[i] += distance;
            square[i] += (double)distance * distance;
        }
}

void ani_c_store_affine(float *y, int64_t ldy, const float *t, int64_t ldt, int64_t rows, int64_t c,
                        const float *scale, const float *shift, int32_t relu6,
                        const float *residual) {
    for (int64_t r = 0; r < rows; r++, y += ldy, t += ldt)
        for (int64_t i = 0; i < c; i++) {
            float value = scale ? t[i] * scale[i] + shift[i] : t[i];
            if (relu6) value = clip(value);
            y[i] = residual ? value + residual[r * ldy + i] : value;
        }
}

void ani_c_store_gradient(const ani_gradient_store *to, const float *t, int64_t ldt, int64_t rows,
                          int64_t c, int32_t stream) {
    (void)stream;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < c; i++) {
            const int64_t at = r * to->ldx + i;
            float value = t[r * ldt + i] + (to->add ? to->add[at] : 0);
            if (to->x) {
                const float y = to->scale ? to->x[at] * to->scale[i] + to->shift[i] : to->x[at];
                if (!(y > 0 && y < 6)) value = 0;
            }
            to->dx[at] = value;
            if (to->sum) {
                to->sum[i] += value;
                to->dot[i] += (double)value * (to->z[at] - to->mean[i]);
            }
        }
}

void ani_c_column_sums(double *sum, const float *t, int64_t ldt, int64_t rows, int64_t c) {
    for (int64_t r = 0; r < rows; r++, t += ldt)
        for (int64_t i = 0; i < c; i++)
            sum[i] += t[i];
}

void ani_c_fence(void) {}
