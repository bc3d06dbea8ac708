/* SPDX-License-Identifier: MIT
 * Ridge regression for all penalties at once. The matrix A of the normal equations, x'x or, if
 * there are fewer rows than features, xx', is brought to tridiagonal form once, A = Q T Q'. Then
 * for each penalty the solution, the residual and the degrees of freedom cost a tridiagonal system.
 */
#include "optim/linear.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "optim/linear_rows.h"

/* --- rows ------------------------------------------------------------------------------------- */

void ani_linear_fill(const ani_linear_work *work, const ani_linear_rows *rows, int64_t first,
                     int64_t count, bool rooted) {
    const int64_t width = work->problem->width;
    for (int64_t i = 0; i < count; i++) {
        const float *from = rows->features + (first + i) * width;
        double *to = work->block + i * width;
        const double factor = rooted ? sqrt(ani_linear_weight(rows, first + i)) : 1;
        for (int64_t k = 0; k < width; k++)
            to[k] = factor * (((double)from[k] - work->mean[k]) / work->scale[k]);
    }
}

an_status ani_linear_gram(const ani_linear_work *work, double *gram, an_error *err) {
    const ani_linear_rows *rows = &work->problem->train;
    const int64_t width = work->problem->width;
    an_status st = AN_OK;
    memset(gram, 0, (size_t)(width * width) * sizeof *gram);
    for (int64_t first = 0; !st && first < rows->n; first += ANI_LINEAR_BLOCK) {
        const int64_t left = rows->n - first;
        const int64_t count = left < ANI_LINEAR_BLOCK ? left : ANI_LINEAR_BLOCK;
        ani_linear_fill(work, rows, first, count, true);
        /* by rows, the upper part: by columns the lower one */
        work->blas->cblas_dsyrk(ANI_BLAS_ROWS, ANI_BLAS_UPPER, ANI_BLAS_TRANSPOSED, (int)width,
                                (int)count, 1, work->block, (int)width, 1, gram, (int)width);
        st = ani_watch_check(work->problem->watch, err);
    }
    return st;
}

/** Mean and deviation of each feature. A deviation that is rounding error counts as constant, by
 * the rule of scikit-learn's StandardScaler. */
static void standardise(ani_linear_work *work) {
    const ani_linear_rows *rows = &work->problem->train;
    const int64_t width = work->problem->width;
    const double rounding = 0x1p-52;
    for (int64_t i = 0; i < rows->n; i++) {
        const double weight = ani_linear_weight(rows, i);
        work->weight += weight;
        work->used += weight > 0;
        for (int64_t k = 0; k < width; k++)
            work->mean[k] += weight * (double)rows->features[i * width + k];
    }
    for (int64_t k = 0; k < width; k++)
        work->mean[k] /= work->weight;
    for (int64_t i = 0; i < rows->n; i++) {
        const double weight = ani_linear_weight(rows, i);
        for (int64_t k = 0; k < width; k++) {
            const double d = (double)rows->features[i * width + k] - work->mean[k];
            work->scale[k] += weight * d * d;
        }
    }
    for (int64_t k = 0; k < width; k++) {
        const double variance = work->scale[k] / work->weight;
        const double error = work->weight * work->mean[k] * rounding;
        const bool constant = variance <= work->weight * rounding * variance + error * error;
        work->scale[k] = constant ? 1 : sqrt(variance);
    }
}

/* --- ridge ------------------------------------------------------------------------------------ */

/** Ridge regression at work. Matrices are by columns. */
typedef struct ridge {
    const ani_linear_work *work;
    bool dual;           /* A = xx', of the rows, instead of x'x */
    int size;            /* rows of A */
    double *a;           /* [size,size]: A, then Q */
    double *tau;         /* [size]: of Q */
    double *d, *e;       /* [size]: diagonal of T and what is beside it */
    double *eigenvalues; /* [size] */
    double *right;       /* [outputs,size]: Q' times the right-hand sides */
    double *solved;      /* [outputs,size]: (T + penalty)^-1 right */
    double *scratch[2];  /* [size] */
    double *rows;        /* dual: [n,width] standardised and rooted */
    double *mean, *sum;  /* [outputs]: mean of the targets, sum of squares around it */
    double *lapack;      /* [lapack_size] */
    int lapack_size;
    double *kernel; /* [outputs,width] for standardised features */
} ridge;

/** Set c to Q c or, transposed, Q' c. */
static void rotate(const ridge *r, const char *as, double *c) {
    const int columns = r->work->problem->outputs;
    int info;
    r->work->blas->dormtr_("L", "L", as, &r->size, &columns, r->a, &r->size, r->tau, c, &r->size,
                           r->lapack, &r->lapack_size, &info, 1, 1, 1);
}

/** Means of the targets, and the sums of squares around them. */
static void centre(ridge *r) {
    const ani_linear_problem *p = r->work->problem;
    const ani_linear_rows *rows = &p->train;
    for (int64_t i = 0; i < rows->n; i++)
        for (int32_t c = 0; c < p->outputs; c++)
            r->mean[c] += ani_linear_weight(rows, i) * (double)rows->targets[i * p->outputs + c];
    for (int32_t c = 0; c < p->outputs; c++)
        r->mean[c] /= r->work->weight;
    for (int64_t i = 0; i < rows->n; i++)
        for (int32_t c = 0; c < p->outputs; c++) {
            const double y = (double)rows->targets[i * p->outputs + c] - r->mean[c];
            r->sum[c] += ani_linear_weight(rows, i) * y * y;
        }
}

/** The centred target of a row, times the root of its weight. */
static double target(const ridge *r, int64_t row, int32_t c) {
    const ani_linear_problem *p = r->work->problem;
    return sqrt(ani_linear_weight(&p->train, row)) *
           ((double)p->train.targets[row * p->outputs + c] - r->mean[c]);
}

/** A and the right-hand sides: x'x and x'y. */
static an_status form_primal(ridge *r, an_error *err) {
    const ani_linear_work *work = r->work;
    const ani_linear_problem *p = work->problem;
    an_status st = ani_linear_gram(work, r->a, err);
    for (int64_t first = 0; !st && first < p->train.n; first += ANI_LINEAR_BLOCK) {
        const int64_t left = p->train.n - first;
        const int64_t count = left < ANI_LINEAR_BLOCK ? left : ANI_LINEAR_BLOCK;
        ani_linear_fill(work, &p->train, first, count, true);
        for (int64_t i = 0; i < count; i++)
            for (int32_t c = 0; c < p->outputs; c++) {
                const double y = target(r, first + i, c);
                const double *x = work->block + i * p->width;
                double *to = r->right + c * p->width;
                for (int64_t k = 0; k < p->width; k++)
                    to[k] += y * x[k];
            }
    }
    return st;
}

/** The same in the space of the rows: xx' and y. */
static void form_dual(ridge *r) {
    const ani_linear_work *work = r->work;
    const ani_linear_problem *p = work->problem;
    for (int64_t first = 0; first < p->train.n; first += ANI_LINEAR_BLOCK) {
        const int64_t left = p->train.n - first;
        const int64_t count = left < ANI_LINEAR_BLOCK ? left : ANI_LINEAR_BLOCK;
        ani_linear_fill(work, &p->train, first, count, true);
        memcpy(r->rows + first * p->width, work->block,
               (size_t)(count * p->width) * sizeof *r->rows);
    }
    work->blas->cblas_dsyrk(ANI_BLAS_ROWS, ANI_BLAS_UPPER, ANI_BLAS_PLAIN, r->size, (int)p->width,
                            1, r->rows, (int)p->width, 0, r->a, r->size);
    for (int32_t c = 0; c < p->outputs; c++)
        for (int64_t i = 0; i < p->train.n; i++)
            r->right[c * r->size + i] = target(r, i, c);
}

/** What a penalty gives, by generalised cross-validation. */
typedef struct outcome {
    double freedom; /* with the intercept */
    double score;   /* sum over outputs of the GCV score divided by the target's variance; infinity:
                       no freedom is left for residuals */
} outcome;

/** Solve for a penalty: `solved`, and what it gives. */
static outcome solve_tridiagonal(ridge *r, double penalty) {
    const ani_linear_work *work = r->work;
    const int32_t outputs = work->problem->outputs;
    const double n = (double)work->used;
    outcome o = {.freedom = 1};
    int info;
    memcpy(r->solved, r->right, (size_t)outputs * (size_t)r->size * sizeof *r->solved);
    memcpy(r->scratch[0], r->d, (size_t)r->size * sizeof *r->d);
    memcpy(r->scratch[1], r->e, (size_t)r->size * sizeof *r->e);
    for (int i = 0; i < r->size; i++) {
        const double value = r->eigenvalues[i] > 0 ? r->eigenvalues[i] : 0; /* else rounding */
        r->scratch[0][i] += penalty;
        o.freedom += value / (value + penalty);
    }
    work->blas->dptsv_(&r->size, &outputs, r->scratch[0], r->scratch[1], r->solved, &r->size,
                       &info);
    const double left = 1 - o.freedom / n;
    if (info || left < 1e-6) {
        o.score = INFINITY;
        return o;
    }
    for (int32_t c = 0; c < outputs; c++) {
        const double *u = r->solved + (int64_t)c * r->size;
        const double *b = r->right + (int64_t)c * r->size;
        double uu = 0, ub = 0;
        for (int i = 0; i < r->size; i++) {
            uu += u[i] * u[i];
            ub += u[i] * b[i];
        }
        const double residual = r->dual ? penalty * penalty * uu : r->sum[c] - ub - penalty * uu;
        if (r->sum[c] > 0) o.score += residual / r->sum[c] / (left * left);
    }
    return o;
}

/** The kernel for standardised features from `solved`, which is rotated in place. */
static void make_kernel(ridge *r) {
    const ani_linear_problem *p = r->work->problem;
    rotate(r, "N", r->solved);
    if (r->dual)
        r->work->blas->cblas_dgemm(ANI_BLAS_ROWS, ANI_BLAS_PLAIN, ANI_BLAS_PLAIN, p->outputs,
                                   (int)p->width, r->size, 1, r->solved, r->size, r->rows,
                                   (int)p->width, 0, r->kernel, (int)p->width);
    else
        memcpy(r->kernel, r->solved, (size_t)(p->outputs * p->width) * sizeof *r->kernel);
}

/** The mean squared error of the kernel on the validation rows, summed over the outputs. */
static double validate(const ridge *r) {
    const ani_linear_work *work = r->work;
    const ani_linear_problem *p = work->problem;
    double loss = 0;
    for (int64_t first = 0; first < p->val.n; first += ANI_LINEAR_BLOCK) {
        const int64_t left = p->val.n - first;
        const int64_t count = left < ANI_LINEAR_BLOCK ? left : ANI_LINEAR_BLOCK;
        ani_linear_fill(work, &p->val, first, count, false);
        for (int64_t i = 0; i < count; i++)
            for (int32_t c = 0; c < p->outputs; c++) {
                const double *x = work->block + i * p->width, *w = r->kernel + c * p->width;
                double y = r->mean[c] - (double)p->val.targets[(first + i) * p->outputs + c];
                for (int64_t k = 0; k < p->width; k++)
                    y += x[k] * w[k];
                loss += ani_linear_weight(&p->val, first + i) * y * y;
            }
    }
    return loss;
}

/** Try penalties from 1e-6 to 1e4 times the weight of all rows, ten per decade. */
static an_status choose(ridge *r, double *penalty, an_error *err) {
    const ani_linear_problem *p = r->work->problem;
    double best = INFINITY;
    *penalty = 1e4 * r->work->weight;
    for (int step = 0; step <= 100; step++) {
        const double tried = pow(10, 4 - step / 10.0) * r->work->weight;
        double score = solve_tridiagonal(r, tried).score;
        if (p->val.n > 0) {
            make_kernel(r);
            score = validate(r);
        }
        if (score < best) {
            best = score;
            *penalty = tried;
        }
        const an_status st = ani_watch_check(p->watch, err);
        if (st) return st;
    }
    return AN_OK;
}

static an_status make_ridge(ridge *r, an_error *err) {
    const ani_linear_problem *p = r->work->problem;
    const int64_t size = r->size, outputs = p->outputs, width = p->width;
    r->lapack_size = r->size * 64;
    r->a = ani_alloc_zero(size * size, sizeof *r->a);
    r->tau = ani_alloc_zero(6 * size, sizeof *r->tau);
    r->right = ani_alloc_zero(2 * outputs * size, sizeof *r->right);
    r->rows = r->dual ? ani_alloc_zero(size * width, sizeof *r->rows) : NULL;
    r->mean = ani_alloc_zero(2 * outputs, sizeof *r->mean);
    r->lapack = ani_alloc_zero(r->lapack_size, sizeof *r->lapack);
    r->kernel = ani_alloc_zero(outputs * width, sizeof *r->kernel);
    if (!r->a || !r->tau || !r->right || (r->dual && !r->rows) || !r->mean || !r->lapack ||
        !r->kernel)
        return ani_fail_memory(err, (size + (r->dual ? width : 0)) * size * (int64_t)sizeof *r->a,
                               "a ridge regression");
    r->d = r->tau + size;
    r->e = r->d + size;
    r->eigenvalues = r->e + size;
    r->scratch[0] = r->eigenvalues + size;
    r->scratch[1] = r->scratch[0] + size;
    r->solved = r->right + outputs * size;
    r->sum = r->mean + outputs;
    return AN_OK;
}

static void clear_ridge(ridge *r) {
    ani_free(r->a);
    ani_free(r->tau);
    ani_free(r->right);
    ani_free(r->rows);
    ani_free(r->mean);
    ani_free(r->lapack);
    ani_free(r->kernel);
}

static an_status solve_ridge(const ani_linear_work *work, double *kernel, double *bias,
                             ani_linear_solution *solution, an_error *err) {
    const ani_linear_problem *p = work->problem;
    ridge r = {.work = work, .dual = p->train.n <= p->width};
    int info;
    r.size = (int)(r.dual ? p->train.n : p->width);
    an_status st = make_ridge(&r, err);
    if (st) goto done;
    centre(&r);
    if (r.dual)
        form_dual(&r);
    else
        st = form_primal(&r, err);
    if (st) goto done;
    work->blas->dsytrd_("L", &r.size, r.a, &r.size, r.d, r.e, r.tau, r.lapack, &r.lapack_size,
                        &info, 1);
    rotate(&r, "T", r.right);
    memcpy(r.eigenvalues, r.d, (size_t)r.size * sizeof *r.d);
    memcpy(r.scratch[0], r.e, (size_t)r.size * sizeof *r.e);
    work->blas->dsterf_(&r.size, r.eigenvalues, r.scratch[0], &info);
    if (info) {
        st = ani_fail(err, AN_ERR_FORMAT,
                      "a ridge regression failed (dsterf: %d); are the features finite?", info);
        goto done;
    }
    solution->penalty = p->penalty;
    if (isnan(p->penalty)) st = choose(&r, &solution->penalty, err);
    if (st) goto done;
    solution->freedom = solve_tridiagonal(&r, solution->penalty).freedom;
    solution->steps = 0;
    make_kernel(&r);
    memcpy(kernel, r.kernel, (size_t)(p->outputs * p->width) * sizeof *kernel);
    memcpy(bias, r.mean, (size_t)p->outputs * sizeof *bias);
done:
    clear_ridge(&r);
    return st;
}

/* --- both ------------------------------------------------------------------------------------- */

/** From standardised features to features as they are. */
static void unstandardise(const ani_linear_work *work, const double *kernel, const double *bias,
                          ani_linear_solution *solution) {
    const int64_t width = work->problem->width, outputs = work->problem->outputs;
    for (int64_t c = 0; c < outputs; c++) {
        solution->bias[c] = bias[c];
        for (int64_t k = 0; k < width; k++) {
            const double w = kernel[c * width + k] / work->scale[k];
            solution->kernel[k * outputs + c] = w;
            solution->bias[c] -= w * work->mean[k];
        }
    }
}

an_status ani_linear_solve(const ani_linear_problem *p, ani_linear_solution *solution,
                           an_error *err) {
    ani_linear_work work = {.problem = p, .blas = ani_openblas_enter()};
    double *kernel = NULL, *bias = NULL;
    an_status st = AN_OK;
    if (!work.blas)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "a head in closed form needs OpenBLAS: this build of the library lacks the "
                        "feature 'blas', or libopenblas.so.0 is not installed");
    work.mean = ani_alloc_zero(p->width, sizeof *work.mean);
    work.scale = ani_alloc_zero(p->width, sizeof *work.scale);
    work.block = ani_alloc_zero(ANI_LINEAR_BLOCK * p->width, sizeof *work.block);
    kernel = ani_alloc_zero(p->outputs * p->width, sizeof *kernel);
    bias = ani_alloc_zero(p->outputs, sizeof *bias);
    if (!work.mean || !work.scale || !work.block || !kernel || !bias) {
        st = ani_fail_memory(err, -1, "standardised features");
        goto done;
    }
    standardise(&work);
    if (work.used < 2) {
        st = ani_fail(err, AN_ERR_ARG,
                      "a head is to be fitted to %lld samples whose weight is above 0; it needs at "
                      "least 2",
                      (long long)work.used);
        goto done;
    }
    st = p->kind == ANI_LINEAR_RIDGE ? solve_ridge(&work, kernel, bias, solution, err)
                                     : ani_logistic_solve(&work, kernel, bias, solution, err);
    if (!st) unstandardise(&work, kernel, bias, solution);
done:
    ani_free(work.mean);
    ani_free(work.scale);
    ani_free(work.block);
    ani_free(kernel);
    ani_free(bias);
    ani_openblas_leave();
    return st;
}
