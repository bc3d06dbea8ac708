/* SPDX-License-Identifier: MIT
 * Cross-validation: which images each fold tests, and what all folds found together. */
#ifndef PROGRAM_FOLDS_H
#define PROGRAM_FOLDS_H

#include "steps.h"

/** Results of the folds so far. Before the first one everything is empty. */
typedef struct fold_results {
    int32_t folds;       /* how many there will be */
    an_metrics *metrics; /* [folds] */
    float *predictions;  /* [samples], by the model that has not seen the sample; NaN: none yet */
    int32_t *fold;       /* [samples]: that tested it, from 1; 0: none yet */
} fold_results;

/* Each returns 0, or 1 after printing why it failed. */

/** Prepare for the folds of --folds, or for the files in --fold-files. */
int folds_begin(fold_results *results, const run *r);
/** Split for a fold, from 1: as the library's an_fold_split(), or around its file. */
int folds_split(run *r, int32_t fold);
/** Keep the results of a fold that has been tested: the scores of its test part. */
int folds_add(fold_results *results, const run *r, int32_t fold, const float *scores,
              const an_metrics *metrics);
/** Write OUT/folds.json and OUT/predictions.csv, and print the means. */
int folds_end(const fold_results *results, const run *r);
void folds_clear(fold_results *results);

#endif
