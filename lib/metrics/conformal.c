/* SPDX-License-Identifier: MIT
 * Intervals from the errors of samples that a model has not seen. */
#include <attractivenet/metrics.h>

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

static int compare(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

an_status an_conformal_half_width(const double *truth, const float *prediction, int64_t count,
                                  double level, double *half_width, an_error *err) {
    if (!truth || !prediction || !half_width)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !truth        ? "truth"
                        : !prediction ? "prediction"
                                      : "half_width");
    if (!(level > 0 && level < 1))
        return ani_fail(err, AN_ERR_ARG, "the level is %g; it must be between 0 and 1", level);
    /* Rounding must not turn 0.9 * 10 into a rank of 10. */
    const double rank = ceil(((double)count + 1) * level * (1 - 0x1p-50));
    if (count < 1 || rank > (double)count)
        return ani_fail(err, AN_ERR_ARG,
                        "%lld samples for intervals of level %g; it needs at least %.0f",
                        (long long)count, level, ceil(level / (1 - level) * (1 - 0x1p-50)));
    double *errors = ani_alloc_zero(count, sizeof *errors);
    if (!errors) return ani_fail_memory(err, count * (int64_t)sizeof *errors, "errors");
    an_status st = AN_OK;
    for (int64_t i = 0; !st && i < count; i++) {
        errors[i] = fabs(truth[i] - (double)prediction[i]);
        if (!isfinite(errors[i]))
            st = ani_fail(err, AN_ERR_ARG, "pair %lld is %g and %g; both must be finite",
                          (long long)i, truth[i], (double)prediction[i]);
    }
    if (!st) {
        qsort(errors, (size_t)count, sizeof *errors, compare);
        *half_width = errors[(int64_t)rank - 1];
    }
    ani_free(errors);
    return st;
}
