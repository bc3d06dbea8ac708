/* SPDX-License-Identifier: MIT
 * Pooling, the dense layer and the losses as loops. Sources: Keras GlobalAveragePooling2D, Dense,
 * mean_squared_error, mean_absolute_error, huber (delta 1), categorical_crossentropy and
 * binary_crossentropy with from_logits. */
#include "backend/ref/ref.h"

#include <attractivenet/kinds.h>
#include <math.h>
#include <stddef.h>

/* y[n,c] = mean over hw of x[n,hw,c] */
void ani_ref_pool_forward(an_backend *backend, int64_t n, int64_t hw, int64_t c, const ani_lazy *x,
                          float *y) {
    (void)backend;
    for (int64_t i = 0; i < n; i++)
        for (int64_t ch = 0; ch < c; ch++) {
            double sum = 0;
            for (int64_t p = 0; p < hw; p++)
                sum += ani_ref_load(x, (i * hw + p) * c + ch, ch);
            y[i * c + ch] = (float)(sum / (double)hw);
        }
}

/* dx[n,hw,c] = mask * (dy[n,c] / hw + add) */
void ani_ref_pool_backward(an_backend *backend, int64_t n, int64_t hw, int64_t c, const float *dy,
                           const ani_lazy *x, const ani_store *store) {
    (void)backend;
    if (store->sums)
        for (int64_t i = 0; i < (store->z ? 2 : 1) * c; i++)
            store->sums[i] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t p = 0; p < hw; p++)
            for (int64_t ch = 0; ch < c; ch++)
                ani_ref_store(store, x, (i * hw + p) * c + ch, ch, c, dy[i * c + ch] / (double)hw);
    ani_ref_finish_store(n * hw, c, store);
}

/* y[n,out] = x[n,in] w[in,out] + b[out] */
void ani_ref_dense_forward(an_backend *backend, int64_t n, int64_t in, int64_t out, const float *x,
                           const float *w, const float *b, float *y) {
    (void)backend;
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < out; o++) {
            double sum = b[o];
            for (int64_t k = 0; k < in; k++)
                sum += (double)x[i * in + k] * w[k * out + o];
            y[i * out + o] = (float)sum;
        }
}

/* dx = dy w', dw = x' dy, db = sum over the batch of dy */
void ani_ref_dense_backward(an_backend *backend, int64_t n, int64_t in, int64_t out, const float *x,
                            const float *w, const float *dy, float *dx, float *dw, float *db) {
    (void)backend;
    for (int64_t k = 0; k < in; k++) {
        for (int64_t o = 0; dw && o < out; o++) {
            double sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum += (double)x[i * in + k] * dy[i * out + o];
            dw[k * out + o] = (float)sum;
        }
        for (int64_t i = 0; dx && i < n; i++) {
            double sum = 0;
            for (int64_t o = 0; o < out; o++)
                sum += (double)dy[i * out + o] * w[k * out + o];
            dx[i * in + k] = (float)sum;
        }
    }
    for (int64_t o = 0; db && o < out; o++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += dy[i * out + o];
        db[o] = (float)sum;
    }
}

/* The largest logit and the sum of exp(logit - largest), so that nothing overflows. */
static double sum_exp(int64_t out, const float *y, double *largest) {
    double sum = 0;
    *largest = y[0];
    for (int64_t o = 1; o < out; o++)
        if (y[o] > *largest) *largest = y[o];
    for (int64_t o = 0; o < out; o++)
        sum += exp(y[o] - *largest);
    return sum;
}

/* Softmax cross-entropy of one sample: sum over outputs of -t * log(softmax(y)), and its gradient
 * softmax(y) * sum(t) - t, times weight / of. */
static double categorical(int64_t of, int64_t out, const float *y, const float *t, double weight,
                          float *dy) {
    double largest, loss = 0, all = 0;
    const double sum = sum_exp(out, y, &largest);
    for (int64_t o = 0; o < out; o++) {
        loss -= t[o] * (y[o] - largest - log(sum));
        all += t[o];
    }
    for (int64_t o = 0; dy && o < out; o++)
        dy[o] = (float)(weight * (exp(y[o] - largest) / sum * all - t[o]) / (double)of);
    return weight * loss;
}

static double sigmoid(double y) {
    return y >= 0 ? 1 / (1 + exp(-y)) : exp(y) / (1 + exp(y));
}

/* One element's loss and its derivative with respect to y. */
static double element_loss(int32_t kind, double y, double t, double *slope) {
    const double e = y - t;
    switch (kind) {
    case AN_LOSS_MAE:
        *slope = e > 0 ? 1 : e < 0 ? -1 : e; /* NaN stays NaN */
        return fabs(e);
    case AN_LOSS_HUBER:
        *slope = e > 1 ? 1 : e < -1 ? -1 : e;
        return fabs(e) <= 1 ? 0.5 * e * e : fabs(e) - 0.5;
    case AN_LOSS_BINARY:
        *slope = sigmoid(y) - t;
        return fmax(y, 0) - y * t + log1p(exp(-fabs(y)));
    default: /* AN_LOSS_MSE */
        *slope = 2 * e;
        return e * e;
    }
}

/* The mean over the batch of weight times loss (Keras' reduction sum_over_batch_size: the sum is
 * not divided by the weights); except for CATEGORICAL, also over the outputs. */
void ani_ref_loss(an_backend *backend, int32_t kind, int64_t n, int64_t of, int64_t out,
                  const float *y, const float *target, const float *weights, double *loss,
                  float *dy, int32_t *guard) {
    (void)backend;
    double sum = 0, count = (double)of;
    if (kind == AN_LOSS_CATEGORICAL) {
        for (int64_t i = 0; i < n; i++)
            sum += categorical(of, out, y + i * out, target + i * out, weights ? weights[i] : 1,
                               dy ? dy + i * out : NULL);
    } else {
        count = (double)(of * out);
        for (int64_t i = 0; i < n * out; i++) {
            const double weight = weights ? weights[i / out] : 1;
            double slope;
            sum += weight * element_loss(kind, y[i], target[i], &slope);
            if (dy) dy[i] = (float)(weight * slope / count);
        }
    }
    *loss = sum / count;
    if (guard && !isfinite(*loss)) *guard = 1;
}

void ani_ref_probabilities(an_backend *backend, int64_t n, int64_t out, float *y) {
    (void)backend;
    for (int64_t i = 0; i < n; i++) {
        float *row = y + i * out;
        if (out == 1) {
            row[0] = (float)sigmoid(row[0]);
            continue;
        }
        double largest;
        const double sum = sum_exp(out, row, &largest);
        for (int64_t o = 0; o < out; o++)
            row[o] = (float)(exp(row[o] - largest) / sum);
    }
}
