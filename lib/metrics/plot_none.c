/* SPDX-License-Identifier: MIT
 * Plots in a build without cairo: the functions exist and report what is missing. */
#include <attractivenet/metrics.h>

#include "base/error.h"
#include "base/options.h"

static an_status no_plots(const char *path, an_error *err) {
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "cannot draw '%s': this build has no plots (feature 'plot' needs cairo)",
                    path ? path : "");
}

an_status an_plot_curves(const char *path, const an_curve *curves, int32_t curve_count,
                         const int64_t *marks, int32_t mark_count, const an_plot_options *options,
                         an_error *err) {
    (void)curves, (void)curve_count, (void)marks, (void)mark_count, (void)options;
    return no_plots(path, err);
}

an_status an_plot_scatter(const char *path, const double *truth, const float *prediction,
                          int64_t count, const an_plot_options *options, an_error *err) {
    (void)truth, (void)prediction, (void)count, (void)options;
    return no_plots(path, err);
}
