/* SPDX-License-Identifier: MIT
 * Batch norm as loops. Source: Keras 2 BatchNormalization (fused, epsilon inside the root):
 *
 *   y = (z - mean) * gamma / sqrt(var + epsilon) + beta       var: biased, over n*h*w
 *   moving <- momentum * moving + (1 - momentum) * batch      the variance with N/(N-1), N = 1 as
 * it is
 *
 * Gradient with xhat = (z - mean) * inv_std, N elements per channel, g with respect to y:
 *
 *   dbeta = sum g;  dgamma = sum g * xhat
 *   dz = gamma * inv_std * (g - dbeta / N - xhat * dgamma / N)     by batch statistics
 *   dz = gamma * inv_std * g                                       by moving ones */
#include "backend/ref/ref.h"

#include <math.h>

double ani_ref_inv_std(const ani_bn *bn, double variance) {
    return 1 / sqrt(variance + bn->epsilon);
}

static void set_affine(const ani_bn *bn, int64_t i, double mean, double variance) {
    const double inv_std = ani_ref_inv_std(bn, variance);
    const double scale = bn->gamma[i] * inv_std;
    bn->mean[i] = (float)mean;
    bn->inv_std[i] = (float)inv_std;
    bn->scale[i] = (float)scale;
    bn->shift[i] = (float)(bn->beta[i] - mean * scale);
}

void ani_ref_bn_batch(an_backend *backend, int64_t c, int64_t count, const double *moments,
                      double momentum, int32_t update, const ani_bn *bn) {
    (void)backend;
    for (int64_t i = 0; i < c; i++) {
        const double mean = moments[i], m2 = moments[c + i];
        set_affine(bn, i, mean, m2 / (double)count);
        if (!update) continue;
        const double unbiased = m2 / (double)(count > 1 ? count - 1 : 1);
        bn->moving_mean[i] = (float)(momentum * bn->moving_mean[i] + (1 - momentum) * mean);
        bn->moving_variance[i] =
            (float)(momentum * bn->moving_variance[i] + (1 - momentum) * unbiased);
    }
}

void ani_ref_bn_running(an_backend *backend, int64_t c, const ani_bn *bn) {
    (void)backend;
    for (int64_t i = 0; i < c; i++)
        set_affine(bn, i, bn->moving_mean[i], bn->moving_variance[i]);
}

void ani_ref_bn_backward(an_backend *backend, int64_t channels, int64_t count, int32_t batch,
                         const double *sums, const ani_bn *bn, float *dgamma, float *dbeta,
                         float *a, float *b, float *c) {
    (void)backend;
    for (int64_t i = 0; i < channels; i++) {
        /* The second sum is of g * (z - mean): xhat without its factor inv_std. */
        const double sum_g = sums[i], sum_gx = sums[channels + i] * bn->inv_std[i];
        if (dbeta) dbeta[i] = (float)sum_g;
        if (dgamma) dgamma[i] = (float)sum_gx;
        const double factor = (double)bn->gamma[i] * bn->inv_std[i];
        const double slope = batch ? -factor * bn->inv_std[i] * sum_gx / (double)count : 0;
        a[i] = (float)factor;
        b[i] = (float)slope;
        c[i] = batch ? (float)(-factor * sum_g / (double)count - slope * bn->mean[i]) : 0;
    }
}

void ani_ref_finish_forward(const ani_unit_shape *s, const ani_unit_forward *args) {
    const ani_bn_forward *bn = args->bn;
    if (bn)
        ani_ref_bn_batch(NULL, s->cout, s->n * s->oh * s->ow, args->moments, bn->momentum,
                         bn->update, bn->bn);
}

void ani_ref_finish_store(int64_t rows, int64_t c, const ani_store *store) {
    const ani_bn_backward *bn = store->bn;
    if (bn)
        ani_ref_bn_backward(NULL, c, rows, bn->batch, store->sums, bn->bn, bn->dgamma, bn->dbeta,
                            bn->a, bn->b, bn->c);
}

void ani_ref_materialise(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                         const ani_lazy *r, void *y) {
    (void)backend;
    for (int64_t i = 0; i < rows * c; i++) {
        double value = ani_ref_load(x, i, i % c);
        if (r->z) value += ani_ref_load(r, i, i % c);
        ani_ref_write(y, x->element, i, value);
    }
}

void ani_ref_value_range(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                         ani_range *range) {
    (void)backend;
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < rows * c; i++) {
        const double value = ani_ref_load(x, i, i % c);
        if (value < low) low = value;
        if (value > high) high = value;
    }
    *range = (ani_range){(float)low, (float)high};
}
