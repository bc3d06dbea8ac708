/* SPDX-License-Identifier: MIT
 * RMSE, MAE, R2 and Pearson's correlation as scikit-learn and SciPy compute them, in double. */
#include <attractivenet/metrics.h>

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/options.h"

/** True values and predictions of either type, and the weight of each pair. */
typedef struct pairs {
    const double *truth;
    const float *single;
    const double *twofold;
    const double *weights; /* NULL: 1 each */
    int64_t count;
} pairs;

static double prediction_at(const pairs *p, int64_t i) {
    return p->single ? (double)p->single[i] : p->twofold[i];
}

static double weight_at(const pairs *p, int64_t i) {
    return p->weights ? p->weights[i] : 1;
}

/** A long sum with the rounding errors of the additions kept separately (Neumaier). */
typedef struct sum {
    double total, lost;
} sum;

static void add(sum *s, double value) {
    const double total = s->total + value;
    if (fabs(s->total) >= fabs(value))
        s->lost += (s->total - total) + value;
    else
        s->lost += (value - total) + s->total;
    s->total = total;
}

static double result(const sum *s) {
    /* after an overflow, the compensation term is NaN */
    return isfinite(s->total) ? s->total + s->lost : s->total;
}

static an_status check(const pairs *p, an_error *err) {
    if (p->count < 1)
        return ani_fail(err, AN_ERR_ARG, "metrics need at least 1 pair; count is %lld",
                        (long long)p->count);
    if (!p->truth || (!p->single && !p->twofold))
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", p->truth ? "prediction" : "truth");
    double all = 0;
    for (int64_t i = 0; i < p->count; i++) {
        const char *which = !isfinite(p->truth[i])           ? "truth"
                            : !isfinite(prediction_at(p, i)) ? "prediction"
                            : !isfinite(weight_at(p, i))     ? "weight"
                                                             : NULL;
        if (which)
            return ani_fail(err, AN_ERR_ARG, "%s %lld of %lld is not finite", which, (long long)i,
                            (long long)p->count);
        if (weight_at(p, i) < 0)
            return ani_fail(err, AN_ERR_ARG, "weight %lld of %lld is %g; it must be at least 0",
                            (long long)i, (long long)p->count, weight_at(p, i));
        all += weight_at(p, i);
    }
    if (all > 0 && isfinite(all)) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "the sum of %lld weights is %g; it must be above 0 and finite",
                    (long long)p->count, all);
}

/** Return the first pair with a nonzero weight. */
static int64_t first_of(const pairs *p) {
    int64_t i = 0;
    while (weight_at(p, i) == 0)
        i++;
    return i;
}

/** Pearson's r of centred values, scaled first so that squares neither overflow nor vanish. */
static double correlation(const pairs *p, double mean_truth, double mean_prediction) {
    const int64_t n = p->count, first = first_of(p);
    double largest_t = 0, largest_p = 0;
    bool constant_t = true, constant_p = true;
    if (n < 2) return NAN;
    for (int64_t i = first; i < n; i++) {
        if (weight_at(p, i) == 0) continue;
        if (p->truth[i] != p->truth[first]) constant_t = false;
        if (prediction_at(p, i) != prediction_at(p, first)) constant_p = false;
        largest_t = fmax(largest_t, fabs(p->truth[i] - mean_truth));
        largest_p = fmax(largest_p, fabs(prediction_at(p, i) - mean_prediction));
    }
    if (constant_t || constant_p) return NAN;
    sum tt = {0}, pp = {0}, tp = {0};
    for (int64_t i = first; i < n; i++) {
        const double w = weight_at(p, i);
        if (w == 0) continue;
        const double t = (p->truth[i] - mean_truth) / largest_t;
        const double q = (prediction_at(p, i) - mean_prediction) / largest_p;
        add(&tt, w * t * t);
        add(&pp, w * q * q);
        add(&tp, w * t * q);
    }
    const double r = result(&tp) / (sqrt(result(&tt)) * sqrt(result(&pp)));
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

static an_status compute(const pairs *p, an_metrics *metrics, an_error *err) {
    if (!metrics) return ani_fail(err, AN_ERR_ARG, "metrics is NULL");
    an_status st = ani_report_check(metrics, "an_metrics", err);
    if (!st) st = check(p, err);
    if (st) return st;
    const int64_t n = p->count;
    sum weights = {0}, truths = {0}, predictions = {0}, squares = {0}, distances = {0};
    sum spread = {0};
    for (int64_t i = 0; i < n; i++) {
        const double w = weight_at(p, i), difference = p->truth[i] - prediction_at(p, i);
        if (w == 0) continue; /* pairs of weight 0 must not overflow either */
        add(&weights, w);
        add(&truths, w * p->truth[i]);
        add(&predictions, w * prediction_at(p, i));
        add(&squares, w * difference * difference);
        add(&distances, w * fabs(difference));
    }
    const double all = result(&weights);
    const double mean_truth = result(&truths) / all;
    const double mean_prediction = result(&predictions) / all;
    const int64_t first = first_of(p);
    bool constant = true; /* the mean of equal numbers may round to a different number */
    for (int64_t i = first; i < n; i++) {
        const double w = weight_at(p, i), difference = p->truth[i] - mean_truth;
        if (w == 0) continue;
        add(&spread, w * difference * difference);
        if (p->truth[i] != p->truth[first]) constant = false;
    }
    const double residual = result(&squares), total = result(&spread);

    an_metrics ours = {.struct_size = sizeof ours, .count = n};
    ours.mse = residual / all;
    ours.rmse = sqrt(ours.mse);
    ours.mae = result(&distances) / all;
    if (n < 2)
        ours.r2 = NAN;
    else if (constant || total == 0)
        ours.r2 = residual == 0 ? 1 : 0;
    else
        ours.r2 = 1 - residual / total;
    ours.pearson = correlation(p, mean_truth, mean_prediction);
    ani_report_copy(metrics, &ours, sizeof ours);
    return AN_OK;
}

void an_plot_options_init(an_plot_options *options, uint32_t struct_size) {
    const an_plot_options defaults = {.struct_size = sizeof defaults};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

void an_curve_init(an_curve *curve, uint32_t struct_size) {
    ani_report_init(curve, struct_size);
}

void an_metrics_init(an_metrics *metrics, uint32_t struct_size) {
    ani_report_init(metrics, struct_size);
}

an_status an_metrics_compute(const double *truth, const float *prediction, const double *weights,
                             int64_t count, an_metrics *metrics, an_error *err) {
    const pairs p = {.truth = truth, .single = prediction, .weights = weights, .count = count};
    return compute(&p, metrics, err);
}

an_status an_metrics_compute_double(const double *truth, const double *prediction,
                                    const double *weights, int64_t count, an_metrics *metrics,
                                    an_error *err) {
    const pairs p = {.truth = truth, .twofold = prediction, .weights = weights, .count = count};
    return compute(&p, metrics, err);
}
