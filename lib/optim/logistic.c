/* SPDX-License-Identifier: MIT
 * Logistic regression by Newton steps. A step's system is solved by conjugate gradients, which
 * needs only products with the matrix of second derivatives; they are preconditioned by a Cholesky
 * factor of its mean over outputs, from the matrix that ridge regression uses, too. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "optim/linear_rows.h"

enum { NEWTON_STEPS = 100, CG_STEPS = 500 };

/** A solver at work. Parameters are [outputs,width] and then [outputs], the biases. */
typedef struct logistic {
    const ani_linear_work *work;
    int32_t outputs;
    int64_t width;
    int64_t count; /* of parameters */
    double penalty;
    double *gram, *factor; /* [width,width], lower part by columns */
    double curvature;      /* mean second derivative per unit of weight, when it was factored */
    double *probability;   /* [n,outputs] of train, of the current parameters */
    double *rows;          /* [block,outputs] */
    double *gradient, *direction, *residual, *conjugate, *product, *solved, *trial; /* [count] */
} logistic;

/** Set out [rows,outputs] to the logits of rows in the block, for parameters. */
static void multiply(const logistic *l, const double *parameters, int64_t count, double *out) {
    const double *bias = parameters + l->outputs * l->width;
    for (int64_t i = 0; i < count; i++)
        memcpy(out + i * l->outputs, bias, (size_t)l->outputs * sizeof *out);
    l->work->blas->cblas_dgemm(ANI_BLAS_ROWS, ANI_BLAS_PLAIN, ANI_BLAS_TRANSPOSED, (int)count,
                               l->outputs, (int)l->width, 1, l->work->block, (int)l->width,
                               parameters, (int)l->width, 1, out, l->outputs);
}

/** Add rows [count,outputs] times the block to parameters. */
static void add_product(const logistic *l, const double *rows, int64_t count, double *to) {
    l->work->blas->cblas_dgemm(ANI_BLAS_ROWS, ANI_BLAS_TRANSPOSED, ANI_BLAS_PLAIN, l->outputs,
                               (int)l->width, (int)count, 1, rows, l->outputs, l->work->block,
                               (int)l->width, 1, to, (int)l->width);
    for (int64_t i = 0; i < count; i++)
        for (int32_t c = 0; c < l->outputs; c++)
            to[l->outputs * l->width + c] += rows[i * l->outputs + c];
}

/** Turn the logits of a row into probabilities, and return its loss. */
static double row_loss(const logistic *l, double *z, const float *target) {
    double loss = 0;
    if (l->work->problem->kind == ANI_LINEAR_SIGMOID) {
        for (int32_t c = 0; c < l->outputs; c++) {
            loss += fmax(z[c], 0) - z[c] * (double)target[c] + log1p(exp(-fabs(z[c])));
            z[c] = z[c] >= 0 ? 1 / (1 + exp(-z[c])) : exp(z[c]) / (1 + exp(z[c]));
        }
        return loss;
    }
    double largest = -INFINITY, sum = 0;
    for (int32_t c = 0; c < l->outputs; c++)
        largest = fmax(largest, z[c]);
    for (int32_t c = 0; c < l->outputs; c++)
        sum += exp(z[c] - largest);
    for (int32_t c = 0; c < l->outputs; c++) {
        loss += (double)target[c] * (log(sum) + largest - z[c]);
        z[c] = exp(z[c] - largest) / sum;
    }
    return loss;
}

/** The weighted loss of rows at parameters. With gradient, which may be NULL, also the
 * probabilities and the gradient of the loss. */
static double loss_of(const logistic *l, const ani_linear_rows *rows, const double *parameters,
                      double *gradient) {
    double loss = 0;
    if (gradient) memset(gradient, 0, (size_t)l->count * sizeof *gradient);
    for (int64_t first = 0; first < rows->n; first += ANI_LINEAR_BLOCK) {
        const int64_t left = rows->n - first;
        const int64_t count = left < ANI_LINEAR_BLOCK ? left : ANI_LINEAR_BLOCK;
        ani_linear_fill(l->work, rows, first, count, false);
        multiply(l, parameters, count, l->rows);
        for (int64_t i = 0; i < count; i++) {
            const double weight = ani_linear_weight(rows, first + i);
            const float *target = rows->targets + (first + i) * l->outputs;
            double *p = l->rows + i * l->outputs;
            loss += weight * row_loss(l, p, target);
            if (!gradient) continue;
            memcpy(l->probability + (first + i) * l->outputs, p, (size_t)l->outputs * sizeof *p);
            /* targets of softmax that do not add up to 1: the gradient of the sum of p is theirs */
            double sum = 1;
            if (l->work->problem->kind == ANI_LINEAR_SOFTMAX) {
                sum = 0;
                for (int32_t c = 0; c < l->outputs; c++)
                    sum += (double)target[c];
            }
            for (int32_t c = 0; c < l->outputs; c++)
                p[c] = weight * (sum * p[c] - (double)target[c]);
        }
        if (gradient) add_product(l, l->rows, count, gradient);
    }
    return loss;
}

static double half_squares(const logistic *l, const double *parameters) {
    double sum = 0;
    for (int64_t i = 0; i < l->outputs * l->width; i++)
        sum += parameters[i] * parameters[i];
    return 0.5 * l->penalty * sum;
}

/** The loss with the penalty, and its gradient (NULL: not wanted). */
static double objective(const logistic *l, const double *parameters, double *gradient) {
    const double loss = loss_of(l, &l->work->problem->train, parameters, gradient);
    for (int64_t i = 0; gradient && i < l->outputs * l->width; i++)
        gradient[i] += l->penalty * parameters[i];
    return loss + half_squares(l, parameters);
}

/** Set out to the second derivatives times v, at the probabilities. */
static void second(const logistic *l, const double *v, double *out) {
    const ani_linear_rows *rows = &l->work->problem->train;
    const bool softmax = l->work->problem->kind == ANI_LINEAR_SOFTMAX;
    memset(out, 0, (size_t)l->count * sizeof *out);
    for (int64_t first = 0; first < rows->n; first += ANI_LINEAR_BLOCK) {
        const int64_t left = rows->n - first;
        const int64_t count = left < ANI_LINEAR_BLOCK ? left : ANI_LINEAR_BLOCK;
        ani_linear_fill(l->work, rows, first, count, false);
        multiply(l, v, count, l->rows);
        for (int64_t i = 0; i < count; i++) {
            const double weight = ani_linear_weight(rows, first + i);
            const double *p = l->probability + (first + i) * l->outputs;
            double *z = l->rows + i * l->outputs, mean = 0;
            for (int32_t c = 0; softmax && c < l->outputs; c++)
                mean += p[c] * z[c];
            for (int32_t c = 0; c < l->outputs; c++)
                z[c] = weight * (softmax ? p[c] * (z[c] - mean) : p[c] * (1 - p[c]) * z[c]);
        }
        add_product(l, l->rows, count, out);
    }
    for (int64_t i = 0; i < l->outputs * l->width; i++)
        out[i] += l->penalty * v[i];
}

/** Factor the mean over the outputs of the second derivatives, as if each row had the mean one. */
static an_status factor(logistic *l, an_error *err) {
    const ani_linear_rows *rows = &l->work->problem->train;
    const int size = (int)l->width;
    double sum = 0;
    int info;
    for (int64_t i = 0; i < rows->n; i++)
        for (int32_t c = 0; c < l->outputs; c++) {
            const double p = l->probability[i * l->outputs + c];
            sum += ani_linear_weight(rows, i) * p * (1 - p);
        }
    /* Not 0, where all rows are certain. */
    l->curvature = fmax(sum / l->work->weight / l->outputs, 1e-6);
    for (int64_t i = 0; i < l->width * l->width; i++)
        l->factor[i] = l->curvature * l->gram[i];
    for (int64_t k = 0; k < l->width; k++)
        l->factor[k * l->width + k] += l->penalty;
    l->work->blas->dpotrf_("L", &size, l->factor, &size, &info, 1);
    if (info)
        return ani_fail(err, AN_ERR_FORMAT,
                        "a logistic regression failed (dpotrf: %d); are the features finite?",
                        info);
    return AN_OK;
}

static void precondition(const logistic *l, const double *v, double *out) {
    const int size = (int)l->width, columns = l->outputs;
    int info;
    memcpy(out, v, (size_t)l->count * sizeof *out);
    l->work->blas->dpotrs_("L", &size, &columns, l->factor, &size, out, &size, &info, 1);
    for (int32_t c = 0; c < l->outputs; c++)
        out[l->outputs * l->width + c] /= l->curvature * l->work->weight;
}

static double dot(const logistic *l, const double *a, const double *b) {
    double sum = 0;
    for (int64_t i = 0; i < l->count; i++)
        sum += a[i] * b[i];
    return sum;
}

/** Solve second * direction = -gradient, to a residual of `accuracy` times its beginning. */
static an_status find_direction(logistic *l, double accuracy, an_error *err) {
    an_status st = AN_OK;
    memset(l->direction, 0, (size_t)l->count * sizeof *l->direction);
    for (int64_t i = 0; i < l->count; i++)
        l->residual[i] = -l->gradient[i];
    precondition(l, l->residual, l->solved);
    memcpy(l->conjugate, l->solved, (size_t)l->count * sizeof *l->conjugate);
    double rz = dot(l, l->residual, l->solved);
    const double goal = accuracy * accuracy * rz;
    for (int step = 0; !st && step < CG_STEPS && rz > goal; step++) {
        second(l, l->conjugate, l->product);
        const double curve = dot(l, l->conjugate, l->product);
        if (!(curve > 0)) break; /* rounding: as good as it gets */
        const double length = rz / curve;
        for (int64_t i = 0; i < l->count; i++) {
            l->direction[i] += length * l->conjugate[i];
            l->residual[i] -= length * l->product[i];
        }
        precondition(l, l->residual, l->solved);
        const double next = dot(l, l->residual, l->solved);
        for (int64_t i = 0; i < l->count; i++)
            l->conjugate[i] = l->solved[i] + next / rz * l->conjugate[i];
        rz = next;
        st = ani_watch_check(l->work->problem->watch, err);
    }
    return st;
}

static double largest(const double *values, int64_t count) {
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fabs(values[i]));
    return most;
}

/** Move along the direction as far as the objective falls; false: it does not any more. */
static bool move(logistic *l, double *parameters, double before) {
    const double slope = dot(l, l->gradient, l->direction);
    for (double length = 1; length > 1e-10; length /= 2) {
        for (int64_t i = 0; i < l->count; i++)
            l->trial[i] = parameters[i] + length * l->direction[i];
        if (objective(l, l->trial, NULL) <= before + 1e-4 * length * slope) {
            memcpy(parameters, l->trial, (size_t)l->count * sizeof *parameters);
            return true;
        }
    }
    return false;
}

/** Minimise for the penalty, from parameters on. The gradient ends below 1e-9 per unit of weight,
 * or where the objective does not fall any more in double. */
static an_status minimise(logistic *l, double *parameters, int32_t *steps, an_error *err) {
    const double goal = 1e-9 * l->work->weight;
    an_status st = AN_OK;
    for (*steps = 0; !st && *steps < NEWTON_STEPS; ++*steps) {
        const double value = objective(l, parameters, l->gradient);
        const double size = largest(l->gradient, l->count);
        if (size <= goal) break;
        if (*steps == 0) st = factor(l, err);
        if (!st) st = find_direction(l, fmin(0.1, sqrt(size / l->work->weight)), err);
        if (!st && !move(l, parameters, value)) break;
    }
    return st;
}

/** Try penalties from 1 to 1e-5 times the weight of all rows, two per decade, each from the
 * solution of the one before; stop once the validation loss has risen three times in a row. */
static an_status choose(logistic *l, double *best, int32_t *steps, an_error *err) {
    double *parameters = ani_alloc_zero(l->count, sizeof *parameters);
    double lowest = INFINITY, chosen = l->work->weight;
    int risen = 0;
    if (!parameters) return ani_fail_memory(err, l->count * (int64_t)sizeof *parameters, "a head");
    an_status st = AN_OK;
    for (int step = 0; !st && step <= 10 && risen < 3; step++) {
        int32_t taken;
        l->penalty = pow(10, -step / 2.0) * l->work->weight;
        st = minimise(l, parameters, &taken, err);
        const double loss = loss_of(l, &l->work->problem->val, parameters, NULL);
        risen = loss < lowest ? 0 : risen + 1;
        if (st || risen) continue;
        lowest = loss;
        chosen = l->penalty;
        *steps = taken;
        memcpy(best, parameters, (size_t)l->count * sizeof *best);
    }
    l->penalty = chosen;
    ani_free(parameters);
    return st;
}

an_status ani_logistic_solve(const ani_linear_work *work, double *kernel, double *bias,
                             ani_linear_solution *solution, an_error *err) {
    const ani_linear_problem *p = work->problem;
    const int64_t squares = p->width * p->width;
    logistic l = {.work = work,
                  .outputs = p->outputs,
                  .width = p->width,
                  .count = p->outputs * (p->width + 1),
                  .penalty = p->penalty};
    if (isnan(p->penalty) && p->val.n == 0)
        return ani_fail(err, AN_ERR_ARG,
                        "the penalty of a classification head is chosen on validation samples, and "
                        "there are none; pass some, or set the penalty");
    double *numbers = ani_alloc_zero(8 * l.count, sizeof *numbers); /* parameters and 7 more */
    an_status st = AN_OK;
    l.gram = ani_alloc_zero(2 * squares, sizeof *l.gram);
    l.probability = ani_alloc_zero(p->train.n * p->outputs, sizeof *l.probability);
    l.rows = ani_alloc_zero(ANI_LINEAR_BLOCK * p->outputs, sizeof *l.rows);
    if (!numbers || !l.gram || !l.probability || !l.rows) {
        st = ani_fail_memory(err, 2 * squares * (int64_t)sizeof *l.gram, "a logistic regression");
        goto done;
    }
    l.factor = l.gram + squares;
    double **const arrays[] = {&l.gradient, &l.direction, &l.residual, &l.conjugate,
                               &l.product,  &l.solved,    &l.trial};
    for (int64_t i = 0; i < 7; i++)
        *arrays[i] = numbers + (i + 1) * l.count;
    st = ani_linear_gram(work, l.gram, err);
    if (!st)
        st = isnan(p->penalty) ? choose(&l, numbers, &solution->steps, err)
                               : minimise(&l, numbers, &solution->steps, err);
    solution->penalty = l.penalty;
    solution->freedom = NAN;
    memcpy(kernel, numbers, (size_t)(p->outputs * p->width) * sizeof *kernel);
    memcpy(bias, numbers + p->outputs * p->width, (size_t)p->outputs * sizeof *bias);
done:
    ani_free(numbers);
    ani_free(l.gram);
    ani_free(l.probability);
    ani_free(l.rows);
    return st;
}
