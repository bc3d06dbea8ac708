/* SPDX-License-Identifier: MIT
 * Linear models in closed form on rows of features: ridge regression, logistic regression. All
 * arithmetic is in double, by OpenBLAS with one thread: the same bits for any number of threads. */
#ifndef OPTIM_LINEAR_H
#define OPTIM_LINEAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"

/** Rows to fit or to choose by. */
typedef struct ani_linear_rows {
    const float *features; /* [n,width], finite */
    const float *targets;  /* [n,outputs], finite */
    const float *weights;  /* [n], at least 0; NULL: 1 each */
    int64_t n;
} ani_linear_rows;

enum { ANI_LINEAR_RIDGE = 0, ANI_LINEAR_SOFTMAX = 1, ANI_LINEAR_SIGMOID = 2 };

typedef struct ani_linear_problem {
    int32_t kind; /* ANI_LINEAR_*: squares, or log loss of softmax or sigmoid */
    int32_t outputs;
    int64_t width;
    ani_linear_rows train;
    ani_linear_rows val; /* n 0: the penalty is not chosen by it */
    double penalty;      /* above 0; NaN: chosen on val, or without val by generalised
                            cross-validation (squares only) */
    ani_watch *watch;    /* of the call; NULL: none */
} ani_linear_problem;

/** Predictions are features * kernel + bias. */
typedef struct ani_linear_solution {
    double *kernel; /* [width,outputs], written */
    double *bias;   /* [outputs], written */
    double penalty; /* that was used */
    double freedom; /* ridge: effective degrees of freedom, including the intercept; else NaN */
    int32_t steps;  /* Newton steps of the last penalty; 0 for ridge */
    int32_t reserved;
} ani_linear_solution;

/**
 * Minimise, over standardised features, the sum over rows of weight times loss, plus the penalty
 * times the sum of squares of the kernel (for log losses half of it). The loss of a row is the sum
 * over outputs of (prediction - target)^2, or the log loss. The bias is not penalised.
 *
 * Features are standardised by their weighted mean and deviation in train, a constant one by its
 * mean alone; the solution is for features as they are.
 * Source: scikit-learn 1.9: StandardScaler, Ridge(alpha=penalty), LogisticRegression(C=1/penalty).
 *
 * AN_ERR_UNSUPPORTED without OpenBLAS; AN_ERR_ARG (fewer than 2 rows of a weight above 0, nothing
 * to choose the penalty by); AN_ERR_NOMEM; AN_ERR_CANCELLED.
 */
an_status ani_linear_solve(const ani_linear_problem *problem, ani_linear_solution *solution,
                           an_error *err);

#endif
