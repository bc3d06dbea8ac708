/* SPDX-License-Identifier: MIT
 * Standardised rows, for the solvers in linear.c and logistic.c. */
#ifndef OPTIM_LINEAR_ROWS_H
#define OPTIM_LINEAR_ROWS_H

#include "base/openblas.h"
#include "optim/linear.h"

enum { ANI_LINEAR_BLOCK = 256 }; /* rows that are standardised at a time */

/** A solver at work. */
typedef struct ani_linear_work {
    const ani_linear_problem *problem;
    const ani_openblas *blas;
    double *mean, *scale; /* [width]: a standardised feature is (feature - mean) / scale */
    double *block;        /* [ANI_LINEAR_BLOCK,width] */
    double weight;        /* sum of the weights of train */
    int64_t used;         /* rows of train whose weight is above 0 */
} ani_linear_work;

static inline double ani_linear_weight(const ani_linear_rows *rows, int64_t row) {
    return rows->weights ? (double)rows->weights[row] : 1;
}

/** Standardise count rows from the first one on into the block; rooted: times the root of their
 * weights. */
void ani_linear_fill(const ani_linear_work *work, const ani_linear_rows *rows, int64_t first,
                     int64_t count, bool rooted);

/** Compute the lower part, by columns, of the sum over train of weight * x * x', [width,width]. */
an_status ani_linear_gram(const ani_linear_work *work, double *gram, an_error *err);

/** Minimise log loss; kernel [outputs,width] for standardised features and bias [outputs] hold the
 * start, then the solution, of a penalty that is given or chosen. */
an_status ani_logistic_solve(const ani_linear_work *work, double *kernel, double *bias,
                             ani_linear_solution *solution, an_error *err);

#endif
