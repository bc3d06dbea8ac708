/* SPDX-License-Identifier: MIT
 * Result files written by the programs. */
#ifndef PROGRAM_RESULTS_H
#define PROGRAM_RESULTS_H

#include "messages.h"

/** Write OUT/metrics.json: the metrics, the standard deviation of the true scores, the interval
 *  (NULL: none), and the number of samples in each part. Returns 0, or 1 after printing why it
 * failed. */
int write_metrics(const settings *s, const an_metrics *metrics, double deviation,
                  const interval_result *interval, int64_t n_train, int64_t n_val, int64_t n_test);

#endif
