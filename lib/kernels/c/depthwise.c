/* SPDX-License-Identifier: MIT
 * Depthwise 3x3 on one row and one block of channels in plain C: the contract of these entries. */
#include "kernels/c/c.h"

void ani_c_depthwise(float *out, const float *const x[3], const float *w, int64_t count,
                     int64_t stride) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < ANI_BLOCK; j++) {
            float sum = 0;
            for (int64_t r = 0; r < 3; r++)
                for (int64_t k = 0; k < 3; k++)
                    sum += x[r][(i * stride + k) * ANI_BLOCK + j] * w[(r * 3 + k) * ANI_BLOCK + j];
            out[i * ANI_BLOCK + j] = sum;
        }
}

void ani_c_depthwise_spread(float *out, const ani_depthwise *d, int64_t rows) {
    for (int64_t i = 0; i < d->count; i++)
        for (int64_t j = 0; j < ANI_BLOCK; j++) {
            float even = 0, odd = 0;
            for (int64_t r = 0; r < rows; r++) {
                const float *w = d->w + r * 3 * ANI_BLOCK + j;
                const float before = d->x[r][i * ANI_BLOCK + j];
                const float here = d->x[r][(i + 1) * ANI_BLOCK + j];
                even += here * w[0];
                even += before * w[2 * ANI_BLOCK];
                odd += here * w[ANI_BLOCK];
            }
            out[2 * i * ANI_BLOCK + j] = even;
            out[(2 * i + 1) * ANI_BLOCK + j] = odd;
        }
}

void ani_c_depthwise_weights(float *dw, const ani_depthwise *d, const float *g) {
    for (int64_t r = 0; r < 3; r++)
        for (int64_t k = 0; k < 3; k++) {
            float sum[ANI_BLOCK] = {0};
            for (int64_t i = 0; i < d->count; i++)
                for (int64_t j = 0; j < ANI_BLOCK; j++)
                    sum[j] += d->x[r][(i * d->stride + k) * ANI_BLOCK + j] * g[i * ANI_BLOCK + j];
            for (int64_t j = 0; j < ANI_BLOCK; j++)
                dw[(r * 3 + k) * ANI_BLOCK + j] += sum[j];
        }
}
