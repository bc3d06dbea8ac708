/* SPDX-License-Identifier: MIT
 * Optimizers as loops. Sources: Keras 2.19 Adam, AdamW and SGD. t is the step from 1:
 *
 *   Adam    m += (g - m)(1 - beta1);  v += (g*g - v)(1 - beta2)
 *           w -= rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)
 *   AdamW   w -= w * weight_decay * rate, then as Adam
 *   SGD     m = momentum * m - rate * g;  w += m, or momentum * m - rate * g with nesterov */
#include "backend/ref/ref.h"

#include <attractivenet/kinds.h>
#include <math.h>

double ani_ref_clip_factor(const ani_optim_step *step) {
    const double norm = step->squares ? sqrt(*step->squares) : 0;
    return norm > step->clip_norm ? step->clip_norm / norm : 1;
}

static void adam(const ani_optim_step *s, double factor, double decay) {
    const double t = (double)s->step;
    const double alpha = s->rate * sqrt(1 - pow(s->beta2, t)) / (1 - pow(s->beta1, t));
    for (int64_t i = 0; i < s->count; i++) {
        const double g = s->g[i] * factor;
        const double m = s->m[i] + (g - s->m[i]) * (1 - s->beta1);
        const double v = s->v[i] + (g * g - s->v[i]) * (1 - s->beta2);
        const double w = s->w[i] - s->w[i] * decay * s->rate;
        s->m[i] = (float)m;
        s->v[i] = (float)v;
        s->w[i] = (float)(w - alpha * m / (sqrt(v) + s->epsilon));
    }
}

static void sgd(const ani_optim_step *s, double factor) {
    for (int64_t i = 0; i < s->count; i++) {
        const double step = s->rate * s->g[i] * factor;
        const double m = s->momentum * s->m[i] - step;
        s->m[i] = (float)m;
        s->w[i] = (float)(s->w[i] + (s->nesterov ? s->momentum * m - step : m));
    }
}

void ani_ref_optim_step(an_backend *backend, const ani_optim_step *step) {
    (void)backend;
    if (step->guard && *step->guard) return;
    const double factor = ani_ref_clip_factor(step);
    if (step->kind == AN_OPTIM_SGD)
        sgd(step, factor);
    else
        adam(step, factor, step->kind == AN_OPTIM_ADAMW ? step->weight_decay : 0);
}

void ani_ref_sum_squares(an_backend *backend, int64_t count, const float *x, double *sum) {
    (void)backend;
    double total = 0;
    for (int64_t i = 0; i < count; i++)
        total += (double)x[i] * x[i];
    *sum = total;
}

void ani_ref_combine(an_backend *backend, int64_t count, double a, const float *x, double b,
                     float *y) {
    (void)backend;
    for (int64_t i = 0; i < count; i++)
        y[i] = (float)(b != 0 ? a * (double)x[i] + b * (double)y[i] : a * (double)x[i]);
}
