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

void ani_c_depthwise_spread(float *out, const float *const d[2], const float *w, int64_t rows,
                            int64_t count) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < ANI_BLOCK; j++) {
            float even = 0, odd = 0;
            for (int64_t r = 0; r < rows; r++) {
                const float before = d[r][i * ANI_BLOCK + j], here = d[r][(i + 1) * ANI_BLOCK + j];
                even += here * w[r * 3 * ANI_BLOCK + j];
                even += before * w[(r * 3 + 2) * ANI_BLOCK + j];
                odd += here * w[(r * 3 + 1) * ANI_BLOCK + j];
            }
            out[2 * i * ANI_BLOCK + j] = even;
            out[(2 * i + 1) * ANI_BLOCK + j] = odd;
        }
}

void ani_c_depthwise_weights(float *dw, const float *const x[3], const float *d, int64_t count,
                             int64_t stride) {
    for (int64_t r = 0; r < 3; r++)
        for (int64_t k = 0; k < 3; k++) {
            float sum[ANI_BLOCK] = {0};
            for (int64_t i = 0; i < count; i++)
                for (int64_t j = 0; j < ANI_BLOCK; j++)
                    sum[j] += x[r][(i * stride + k) * ANI_BLOCK + j] * d[i * ANI_BLOCK + j];
            for (int64_t j = 0; j < ANI_BLOCK; j++)
                dw[(r * 3 + k) * ANI_BLOCK + j] += sum[j];
        }
}
