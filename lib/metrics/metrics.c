/* SPDX-License-Identifier: MIT
 * RMSE, MAE, R2 and Pearson's correlation as scikit-learn and SciPy compute them, in double. */
#include <attractivenet/metrics.h>

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/options.h"

/** Truth beside predictions of either type. */
typedef struct pairs {
    const double *truth;
    const float *single;
    const double *twofold;
    int64_t count;
} pairs;

static double prediction_at(const pairs *p, int64_t i) {
    return p->single ? (double)p->single[i] : p->twofold[i];
}

/** A long sum with the rounding error of each addition kept apart (Neumaier). */
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
    /* an overflow leaves NaN in what was lost */
    return isfinite(s->total) ? s->total + s->lost : s->total;
}

static an_status check(const pairs *p, an_error *err) {
    if (p->count < 1)
        return ani_fail(err, AN_ERR_ARG, "metrics need at least 1 pair; count is %lld",
                        (long long)p->count);
    if (!p->truth || (!p->single && !p->twofold))
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", p->truth ? "prediction" : "truth");
    for (int64_t i = 0; i < p->count; i++) {
        const char *which = !isfinite(p->truth[i])           ? "truth"
                            : !isfinite(prediction_at(p, i)) ? "prediction"
                                                             : NULL;
        if (which)
            return ani_fail(err, AN_ERR_ARG, "%s %lld of %lld is not finite", which, (long long)i,
                            (long long)p->count);
    }
    return AN_OK;
}

/** Pearson's r of centred values, scaled first so that squares neither overflow nor vanish. */
static double correlation(const pairs *p, double mean_truth, double mean_prediction) {
    const int64_t n = p->count;
    double largest_t = 0, largest_p = 0;
    bool constant_t = true, constant_p = true;
    if (n < 2) return NAN;
    for (int64_t i = 0; i < n; i++) {
        if (p->truth[i] != p->truth[0]) constant_t = false;
        if (prediction_at(p, i) != prediction_at(p, 0)) constant_p = false;
        largest_t = fmax(largest_t, fabs(p->truth[i] - mean_truth));
        largest_p = fmax(largest_p, fabs(prediction_at(p, i) - mean_prediction));
    }
    if (constant_t || constant_p) return NAN;
    sum tt = {0}, pp = {0}, tp = {0};
    for (int64_t i = 0; i < n; i++) {
        const double t = (p->truth[i] - mean_truth) / largest_t;
        const double q = (prediction_at(p, i) - mean_prediction) / largest_p;
        add(&tt, t * t);
        add(&pp, q * q);
        add(&tp, t * q);
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
    sum truths = {0}, predictions = {0}, squares = {0}, distances = {0}, spread = {0};
    for (int64_t i = 0; i < n; i++) {
        const double difference = p->truth[i] - prediction_at(p, i);
        add(&truths, p->truth[i]);
        add(&predictions, prediction_at(p, i));
        add(&squares, difference * difference);
        add(&distances, fabs(difference));
    }
    const double mean_truth = result(&truths) / (double)n;
    const double mean_prediction = result(&predictions) / (double)n;
    bool constant = true; /* the mean of equal numbers may round to another one */
    for (int64_t i = 0; i < n; i++) {
        const double difference = p->truth[i] - mean_truth;
        add(&spread, difference * difference);
        if (p->truth[i] != p->truth[0]) constant = false;
    }
    const double residual = result(&squares), total = result(&spread);

    an_metrics ours = {.struct_size = sizeof ours, .count = n};
    ours.mse = residual / (double)n;
    ours.rmse = sqrt(ours.mse);
    ours.mae = result(&distances) / (double)n;
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

an_status an_metrics_compute(const double *truth, const float *prediction, int64_t count,
                             an_metrics *metrics, an_error *err) {
    const pairs p = {.truth = truth, .single = prediction, .count = count};
    return compute(&p, metrics, err);
}

an_status an_metrics_compute_double(const double *truth, const double *prediction, int64_t count,
                                    an_metrics *metrics, an_error *err) {
    const pairs p = {.truth = truth, .twofold = prediction, .count = count};
    return compute(&p, metrics, err);
}
