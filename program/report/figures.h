/* SPDX-License-Identifier: MIT
 * The numbers of a report's figures as JSON. */
#ifndef REPORT_FIGURES_H
#define REPORT_FIGURES_H

#include "report/inputs.h"

/**
 * Write folder/name.
 *
 * Writes:  an object with format ("attractivenet report"), format_version (1), task, model (height,
 *          width, alpha, outputs); figures: outputs (for each its metrics, errors, by_score), or
 *          for classes accuracy, balanced_accuracy, cross_entropy, classes, confidence,
 *          right_by_confidence; test: of each test image name, true value or class, prediction;
 *          history: a list for each column; data: path, counts, sizes, duplicates, warnings, and
 *          the labels of each part. A histogram has low, width (of a bin), counts.
 * Returns: 0, or 1 after printing why it failed.
 */
int figures_write(const report *of, const char *folder, const char *name);

#endif
