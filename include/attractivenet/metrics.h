/* SPDX-License-Identifier: MIT
 * Metrics of predicted scores: RMSE, MAE, R2, correlation; curves and scatter plots as PNG. */
#ifndef ATTRACTIVENET_METRICS_H
#define ATTRACTIVENET_METRICS_H

#include <attractivenet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Metrics of predictions against true values, in double. */
typedef struct an_metrics {
    uint32_t struct_size; /* set by init; the library fills in no more than that */
    int32_t reserved;     /* 0 */
    int64_t count;        /* pairs */
    double mse;           /* mean squared error */
    double rmse;          /* root of mse */
    double mae;           /* mean absolute error */
    double r2;            /* NaN for fewer than 2 pairs; if truth is constant: 1 if perfect, else
                             0 */
    double pearson;       /* -1 to 1; NaN if either side is constant or there are fewer than 2
                             pairs */
} an_metrics;

AN_API void an_metrics_init(an_metrics *metrics, uint32_t struct_size);

/**
 * Compute the metrics of count pairs.
 *
 * Takes:   truth [count] in double, prediction [count] in float, both finite. weights [count]:
 *          weight of each pair, finite, at least 0, not all 0; NULL = 1 each. Only their ratios
 *          matter. A pair of weight 0 is ignored, except that it counts towards the minimum of 2
 *          pairs.
 * Returns: AN_OK; AN_ERR_ARG for count < 1, NaN or infinity, a weight below 0 (the message gives
 *          the index), weights that are all 0, and if struct_size was not set.
 * Source:  scikit-learn mean_squared_error, mean_absolute_error, r2_score with sample_weight; SciPy
 *          pearsonr; with weights, the correlation from NumPy's cov(aweights).
 * Threads: any.
 */
AN_API an_status an_metrics_compute(const double *truth, const float *prediction,
                                    const double *weights, int64_t count, an_metrics *metrics,
                                    an_error *err);
/** As an_metrics_compute(), for predictions in double, such as those of other programs. */
AN_API an_status an_metrics_compute_double(const double *truth, const double *prediction,
                                           const double *weights, int64_t count,
                                           an_metrics *metrics, an_error *err);

/**
 * Compute half the width of split-conformal intervals: [prediction - w, prediction + w] holds the
 * true value of a new sample with probability at least level, whatever the model and the errors'
 * distribution are, if the new sample and these are drawn from the same source and the model has
 * seen none of them.
 *
 * Takes:   truth [count] in double, prediction [count] in float, both finite; level: between 0 and
 *          1.
 * Writes:  *half_width: the ceil((count + 1) * level)-th smallest |truth - prediction|.
 * Returns: AN_OK; AN_ERR_ARG (NaN or infinity, the level, or too few samples for it: with n samples
 *          it is at most n / (n + 1), so 90 % need 9).
 * Source:  Lei et al., Distribution-Free Predictive Inference for Regression, JASA 2018.
 * Threads: any.
 */
AN_API an_status an_conformal_half_width(const double *truth, const float *prediction,
                                         int64_t count, double level, double *half_width,
                                         an_error *err);

/** How a plot looks. Initialise with an_plot_options_init(), then change what you need. */
typedef struct an_plot_options {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t width;        /* pixels, 200 to 10000; 0 = 1500 (scatter: 900); default 0 */
    int32_t height;       /* pixels, 200 to 10000; 0 = 700 (scatter: 900); default 0 */
    int32_t log_y;        /* curves: 1 = logarithmic axis, for values that span decades; default
                             0 */
    const char *title;    /* UTF-8; NULL = a suitable default, "" = none; default NULL */
    const char *x_label;  /* UTF-8; NULL = a suitable default, "" = none; default NULL */
    const char *y_label;  /* UTF-8; NULL = a suitable default, "" = none; default NULL */
} an_plot_options;

AN_API void an_plot_options_init(an_plot_options *options, uint32_t struct_size);

/** One line of a plot: count values at x = 1, 2, ...; NaN and infinity leave a gap. */
typedef struct an_curve {
    uint32_t struct_size; /* set by init; the same in all curves of a call */
    int32_t reserved;     /* 0 */
    const char *name;     /* name in the legend; UTF-8 */
    const double *values; /* [count]; may be NULL if count is 0 */
    int64_t count;        /* 0 to 1,000,000 */
} an_curve;

AN_API void an_curve_init(an_curve *curve, uint32_t struct_size);

/**
 * Plot curves over epochs to a PNG file, atomically.
 *
 * Takes:   curves [curve_count], 1 to 8, distinguished by colour, dash and marker; the legend lists
 *          each one with its lowest value and the epoch of that value. marks [mark_count]: epochs
 *          where a new stage begins (a vertical line before them, stages numbered from 1); NULL =
 *          none.
 * Returns: AN_OK; AN_ERR_ARG (a text that is not UTF-8, a size out of range); AN_ERR_IO;
 *          AN_ERR_UNSUPPORTED in a build without plots (feature 'plot'); AN_ERR_NOMEM.
 * Note:    text is drawn with the system's sans-serif font (fontconfig), or with a plain built-in
 *          font if there is none. Control characters become spaces; text that is too long ends in
 *          an ellipsis.
 * Threads: any.
 */
AN_API an_status an_plot_curves(const char *path, const an_curve *curves, int32_t curve_count,
                                const int64_t *marks, int32_t mark_count,
                                const an_plot_options *options, an_error *err);

/** Plot predicted against true scores to a PNG file, with the diagonal, equal axes, and the metrics
 *  in the line below the title. Shapes and errors: as an_metrics_compute() and an_plot_curves(). */
AN_API an_status an_plot_scatter(const char *path, const double *truth, const float *prediction,
                                 int64_t count, const an_plot_options *options, an_error *err);

#ifdef __cplusplus
}
#endif
#endif
