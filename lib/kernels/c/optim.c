/* SPDX-License-Identifier: MIT
 * Optimizers over flat arrays in plain C: the contract of these entries. */
#include "kernels/c/c.h"

#include <math.h>

void ani_c_adam(float *w, const float *g, float *m, float *v, int64_t count, float gradient_scale,
                float decay, float m_rate, float v_rate, float alpha, float epsilon) {
    for (int64_t i = 0; i < count; i++) {
        const float slope = g[i] * gradient_scale;
        w[i] -= decay * w[i];
        m[i] += (slope - m[i]) * m_rate;
        v[i] += (slope * slope - v[i]) * v_rate;
        w[i] -= alpha * m[i] / (sqrtf(v[i]) + epsilon);
    }
}

void ani_c_sgd(float *w, const float *g, float *m, int64_t count, float rate, float momentum,
               int32_t nesterov) {
    for (int64_t i = 0; i < count; i++) {
        const float step = rate * g[i];
        m[i] = momentum * m[i] - step;
        w[i] += nesterov ? momentum * m[i] - step : m[i];
    }
}

double ani_c_sum_squares(const float *x, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sum;
}
