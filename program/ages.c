/* SPDX-License-Identifier: MIT
 * Quantiles of durations. */
#include "ages.h"

#define BINS_PER_SECOND 1e4

void ages_add(ages *all, double seconds) {
    const double bin = seconds * BINS_PER_SECOND;
    const int32_t at = bin < 0 ? 0 : bin < AGE_BINS - 1 ? (int32_t)bin : AGE_BINS - 1;
    all->counts[at]++;
    all->total++;
}

double ages_quantile(const ages *all, double part) {
    int64_t seen = 0;
    if (!all->total) return 0;
    for (int32_t i = 0; i < AGE_BINS; i++) {
        seen += all->counts[i];
        if ((double)seen >= part * (double)all->total) return (i + 1) / BINS_PER_SECOND * 1e3;
    }
    return AGE_BINS / BINS_PER_SECOND * 1e3;
}
