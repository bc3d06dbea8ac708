/* SPDX-License-Identifier: MIT
 * The inference kernels in plain C: their contract. */
#include "kernels/infer.h"

enum { LANES = 8, BLOCK = 16 };

/* min(max(value, 0), 6); NaN stays */
static float clip(float value, int32_t relu6) {
    if (!relu6) return value;
    value = value < 0 ? 0 : value;
    return value > 6 ? 6 : value;
}

static void product(const ani_infer_product *p) {
    const int64_t width = (int64_t)p->vectors * LANES;
    for (int64_t r = 0; r < p->rows; r++) {
        float sums[BLOCK + LANES];
        float *y = p->y + r * p->y_row;
        for (int64_t j = 0; j < p->columns; j++) {
            sums[j] = p->bias ? p->bias[j] : y[j];
            if (p->residual) sums[j] += p->residual[r * p->y_row + j];
        }
        for (int64_t k = 0; k < p->k; k++) {
            const float value = p->a[r * p->a_row + k / p->run * p->segment + k % p->run];
            for (int64_t j = 0; j < p->columns; j++)
                sums[j] += value * p->b[k * width + j];
        }
        for (int64_t j = 0; j < p->columns; j++)
            y[j] = clip(sums[j], p->relu6);
    }
}

static void depthwise(const ani_infer_depthwise *d) {
    for (int64_t row = 0; row < d->rows; row++)
        for (int64_t i = 0; i < d->count; i++)
            for (int64_t j = 0; j < BLOCK; j++) {
                float sum = d->w[9 * BLOCK + j];
                for (int64_t r = 0; r < 3; r++)
                    for (int64_t k = 0; k < 3; k++)
                        sum += d->x[row * d->stride + r][(i * d->stride + k) * BLOCK + j] *
                               d->w[(r * 3 + k) * BLOCK + j];
                d->y[(row * d->count + i) * BLOCK + j] = clip(sum, d->relu6);
            }
}

void ani_infer_kernels_c(ani_infer_kernels *table) {
    *table = (ani_infer_kernels){LANES, BLOCK, product, depthwise};
}
