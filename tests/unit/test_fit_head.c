/* SPDX-License-Identifier: MIT
 * The head in closed form: against normal equations solved by elimination, against the hat matrix,
 * and where the gradient of a logistic regression must vanish; a stage of a trainer with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>
#include <attractivenet/train.h>

#include "base/openblas.h"
#include "base/random.h"
#include "optim/linear.h"
#include "support/training.h"

enum { MOST = 64 };

/* --- the problem, by elimination -------------------------------------------------------------- */

/** Numbers of a problem: features that are far from standardised, one of them constant. */
typedef struct numbers {
    int64_t n, width;
    int32_t outputs;
    float features[MOST * MOST], targets[MOST * 4], weights[MOST];
} numbers;

static numbers make_numbers(uint32_t seed, int64_t n, int64_t width, int32_t outputs) {
    numbers m = {.n = n, .width = width, .outputs = outputs};
    ani_stream stream = ani_stream_begin(seed, 0, 0);
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < width; k++) {
            const double z = ani_stream_normal(&stream);
            m.features[i * width + k] =
                (float)(k == 2 ? 5 : 10.0 * (double)k + z * (double)(k + 1));
            sum += z;
        }
        for (int32_t c = 0; c < outputs; c++)
            m.targets[i * outputs + c] = (float)(3 + sum * (c + 1) + ani_stream_normal(&stream));
        m.weights[i] = (float)ani_stream_uniform(&stream, 0.1, 2);
    }
    m.weights[1] = 0;
    return m;
}

static void standardise(const numbers *m, const float *weights, double x[MOST][MOST],
                        double mean[MOST], double scale[MOST]) {
    double total = 0;
    for (int64_t i = 0; i < m->n; i++)
        total += weights ? (double)weights[i] : 1;
    for (int64_t k = 0; k < m->width; k++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < m->n; i++)
            sum += (weights ? (double)weights[i] : 1) * (double)m->features[i * m->width + k];
        mean[k] = sum / total;
        for (int64_t i = 0; i < m->n; i++) {
            x[i][k] = (double)m->features[i * m->width + k] - mean[k];
            squares += (weights ? (double)weights[i] : 1) * x[i][k] * x[i][k];
        }
        scale[k] = k == 2 ? 1 : sqrt(squares / total);
        for (int64_t i = 0; i < m->n; i++)
            x[i][k] /= scale[k];
    }
}

/** Solve a system of size rows by elimination with pivots; b [size] becomes the solution. */
static void eliminate(double a[MOST][MOST], double *b, int64_t size) {
    for (int64_t k = 0; k < size; k++) {
        int64_t pivot = k;
        for (int64_t i = k; i < size; i++)
            if (fabs(a[i][k]) > fabs(a[pivot][k])) pivot = i;
        for (int64_t j = 0; j < size; j++) {
            const double swap = a[k][j];
            a[k][j] = a[pivot][j];
            a[pivot][j] = swap;
        }
        const double swap = b[k];
        b[k] = b[pivot];
        b[pivot] = swap;
        for (int64_t i = 0; i < size; i++) {
            if (i == k) continue;
            const double factor = a[i][k] / a[k][k];
            for (int64_t j = k; j < size; j++)
                a[i][j] -= factor * a[k][j];
            b[i] -= factor * b[k];
        }
    }
    for (int64_t k = 0; k < size; k++)
        b[k] /= a[k][k];
}

/** The ridge solution of output c for standardised features. */
static void solve_by_elimination(const numbers *m, const float *weights, double penalty, int32_t c,
                                 double x[MOST][MOST], double *kernel, double *centre) {
    static double a[MOST][MOST];
    double total = 0;
    *centre = 0;
    for (int64_t i = 0; i < m->n; i++) {
        const double w = weights ? (double)weights[i] : 1;
        total += w;
        *centre += w * (double)m->targets[i * m->outputs + c];
    }
    *centre /= total;
    for (int64_t k = 0; k < m->width; k++) {
        kernel[k] = 0;
        for (int64_t j = 0; j < m->width; j++)
            a[k][j] = j == k ? penalty : 0;
        for (int64_t i = 0; i < m->n; i++) {
            const double w = weights ? (double)weights[i] : 1;
            kernel[k] += w * x[i][k] * ((double)m->targets[i * m->outputs + c] - *centre);
            for (int64_t j = 0; j < m->width; j++)
                a[k][j] += w * x[i][k] * x[i][j];
        }
    }
    eliminate(a, kernel, m->width);
}

static ani_linear_problem make_problem(const numbers *m, const float *weights, double penalty) {
    return (ani_linear_problem){.outputs = m->outputs,
                                .width = m->width,
                                .train = {m->features, m->targets, weights, m->n},
                                .penalty = penalty};
}

static void solve(const ani_linear_problem *problem, double *kernel, double *bias,
                  ani_linear_solution *solution) {
    an_error err = {0};
    *solution = (ani_linear_solution){.kernel = kernel, .bias = bias};
    if (ani_linear_solve(problem, solution, &err)) fail_msg("%s", err.message);
}

static void check_close(double found, double wanted, double limit) {
    if (!(fabs(found - wanted) <= limit))
        fail_msg("%.17g; it should be %.17g within %g", found, wanted, limit);
}

/* --- ridge ------------------------------------------------------------------------------------ */

static void ridge_solves_the_normal_equations(void **state) {
    (void)state;
    static const struct {
        int64_t n, width;
    } sizes[] = {{40, 6}, {9, 12}, {12, 12}, {60, 33}, {20, 60}};
    static double x[MOST][MOST];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int weighted = 0; weighted < 2; weighted++) {
            const numbers m = make_numbers(7 + (uint32_t)s, sizes[s].n, sizes[s].width, 2);
            const float *weights = weighted ? m.weights : NULL;
            const double penalty = 0.7;
            double mean[MOST], scale[MOST], kernel[MOST * 2], bias[2];
            const ani_linear_problem problem = make_problem(&m, weights, penalty);
            ani_linear_solution solution;
            solve(&problem, kernel, bias, &solution);
            assert_true(solution.penalty == penalty);
            standardise(&m, weights, x, mean, scale);
            for (int32_t c = 0; c < 2; c++) {
                double wanted[MOST], centre;
                solve_by_elimination(&m, weights, penalty, c, x, wanted, &centre);
                for (int64_t k = 0; k < m.width; k++) {
                    check_close(kernel[k * 2 + c], wanted[k] / scale[k], 1e-10);
                    centre -= wanted[k] / scale[k] * mean[k];
                }
                check_close(bias[c], centre, 1e-8);
            }
        }
}

/* The trace of the hat matrix and the residuals, one unit vector of targets at a time. */
static double gcv_by_hand(const numbers *m, double penalty, double *freedom) {
    static double x[MOST][MOST];
    double mean[MOST], scale[MOST], kernel[MOST], centre, residual = 0, variance = 0;
    numbers unit = *m;
    unit.outputs = 1;
    standardise(m, NULL, x, mean, scale);
    *freedom = 0;
    for (int64_t i = 0; i < m->n; i++) {
        for (int64_t j = 0; j < m->n; j++)
            unit.targets[j] = i == j;
        solve_by_elimination(&unit, NULL, penalty, 0, x, kernel, &centre);
        *freedom += centre;
        for (int64_t k = 0; k < m->width; k++)
            *freedom += kernel[k] * x[i][k];
    }
    solve_by_elimination(m, NULL, penalty, 0, x, kernel, &centre);
    for (int64_t i = 0; i < m->n; i++) {
        double r = (double)m->targets[i] - centre;
        variance += r * r;
        for (int64_t k = 0; k < m->width; k++)
            r -= kernel[k] * x[i][k];
        residual += r * r;
    }
    const double left = 1 - *freedom / (double)m->n;
    return residual / variance / (left * left);
}

static void cross_validation_picks_the_lowest_score(void **state) {
    (void)state;
    static const int64_t widths[] = {5, 50}; /* primal and dual, n 30 */
    for (int i = 0; i < 2; i++) {
        const numbers m = make_numbers(3, 30, widths[i], 1);
        const ani_linear_problem problem = make_problem(&m, NULL, NAN);
        double kernel[MOST], bias, freedom;
        ani_linear_solution solution;
        solve(&problem, kernel, &bias, &solution);
        const double found = gcv_by_hand(&m, solution.penalty, &freedom);
        check_close(solution.freedom, freedom, 1e-6);
        for (int step = 0; step <= 100; step++) {
            double unused;
            const double other = gcv_by_hand(&m, 30 * pow(10, 4 - step / 10.0), &unused);
            if (unused < 29.99) assert_true(found <= other * (1 + 1e-9));
        }
    }
}

static void validation_picks_the_lowest_loss(void **state) {
    (void)state;
    const numbers m = make_numbers(5, 24, 20, 1), val = make_numbers(6, 40, 20, 1);
    ani_linear_problem problem = make_problem(&m, NULL, NAN);
    double kernel[MOST], bias, best = INFINITY, chosen = 0;
    ani_linear_solution solution;
    for (int step = 0; step <= 100; step++) {
        double loss = 0;
        problem.penalty = 24 * pow(10, 4 - step / 10.0);
        solve(&problem, kernel, &bias, &solution);
        for (int64_t i = 0; i < val.n; i++) {
            double r = bias - (double)val.targets[i];
            for (int64_t k = 0; k < 20; k++)
                r += kernel[k] * (double)val.features[i * 20 + k];
            loss += r * r;
        }
        if (loss < best) {
            best = loss;
            chosen = problem.penalty;
        }
    }
    problem.penalty = NAN;
    problem.val = (ani_linear_rows){val.features, val.targets, NULL, val.n};
    solve(&problem, kernel, &bias, &solution);
    check_close(solution.penalty, chosen, 1e-9 * chosen);
}

/* --- logistic --------------------------------------------------------------------------------- */

/* The minimum of a convex function is where its gradient is zero. */
static void check_gradient(const numbers *m, int32_t kind, const float *weights, double penalty) {
    static double x[MOST][MOST];
    double mean[MOST], scale[MOST], kernel[MOST * 4], bias[4], gradient[MOST * 4] = {0};
    double of_bias[4] = {0};
    ani_linear_problem problem = make_problem(m, weights, penalty);
    ani_linear_solution solution;
    problem.kind = kind;
    solve(&problem, kernel, bias, &solution);
    assert_true(solution.steps > 0);
    standardise(m, weights, x, mean, scale);
    for (int64_t i = 0; i < m->n; i++) {
        double z[4], sum = 0;
        for (int32_t c = 0; c < m->outputs; c++) {
            z[c] = bias[c];
            for (int64_t k = 0; k < m->width; k++)
                z[c] += kernel[k * m->outputs + c] * (double)m->features[i * m->width + k];
            sum += exp(z[c]);
        }
        for (int32_t c = 0; c < m->outputs; c++) {
            const double p = kind == ANI_LINEAR_SIGMOID ? 1 / (1 + exp(-z[c])) : exp(z[c]) / sum;
            const double d =
                (weights ? (double)weights[i] : 1) * (p - (double)m->targets[i * m->outputs + c]);
            of_bias[c] += d;
            for (int64_t k = 0; k < m->width; k++)
                gradient[c * m->width + k] += d * x[i][k];
        }
    }
    for (int32_t c = 0; c < m->outputs; c++) {
        check_close(of_bias[c], 0, 1e-7);
        for (int64_t k = 0; k < m->width; k++)
            check_close(gradient[c * m->width + k] +
                            penalty * kernel[k * m->outputs + c] * scale[k],
                        0, 1e-7);
    }
}

static numbers make_classes(uint32_t seed, int64_t n, int64_t width, int32_t outputs) {
    numbers m = make_numbers(seed, n, width, outputs);
    ani_stream stream = ani_stream_begin(seed, 1, 0);
    for (int64_t i = 0; i < n; i++) {
        const int32_t one = (int32_t)(ani_stream_next(&stream) % (uint64_t)(outputs + 1));
        for (int32_t c = 0; c < outputs; c++)
            m.targets[i * outputs + c] =
                outputs == 1 ? (float)(one == 0) : (float)(one % outputs == c);
    }
    return m;
}

static void logistic_regression_ends_where_the_gradient_is_zero(void **state) {
    (void)state;
    static const int64_t widths[] = {5, 50};
    for (int i = 0; i < 2; i++)
        for (int weighted = 0; weighted < 2; weighted++) {
            const numbers two = make_classes(1, 40, widths[i], 1);
            const numbers four = make_classes(2, 60, widths[i], 4);
            check_gradient(&two, ANI_LINEAR_SIGMOID, weighted ? two.weights : NULL, 0.3);
            check_gradient(&four, ANI_LINEAR_SOFTMAX, weighted ? four.weights : NULL, 0.3);
        }
}

static void a_penalty_for_classes_is_chosen_on_validation_samples(void **state) {
    (void)state;
    const numbers m = make_classes(1, 60, 30, 3), val = make_classes(2, 60, 30, 3);
    ani_linear_problem problem = make_problem(&m, NULL, NAN);
    double kernel[MOST * 4], bias[4];
    ani_linear_solution solution = {.kernel = kernel, .bias = bias};
    an_error err = {0};
    problem.kind = ANI_LINEAR_SOFTMAX;
    assert_int_equal(ani_linear_solve(&problem, &solution, &err), AN_ERR_ARG);
    problem.val = (ani_linear_rows){val.features, val.targets, NULL, val.n};
    solve(&problem, kernel, bias, &solution);
    /* Classes and features are independent: the less is learned, the better. */
    check_close(solution.penalty, 60, 1e-9);
}

static void too_few_samples_are_refused(void **state) {
    (void)state;
    numbers m = make_numbers(1, 3, 4, 1);
    const ani_linear_problem problem = make_problem(&m, m.weights, 1);
    double kernel[MOST], bias;
    ani_linear_solution solution = {.kernel = kernel, .bias = &bias};
    an_error err = {0};
    m.weights[0] = m.weights[2] = 0;
    assert_int_equal(ani_linear_solve(&problem, &solution, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "0 samples"));
}

/* --- scikit-learn ------------------------------------------------------------------------------
 */

/** The features of tests/golden/gen/gen_head.py. */
static void fill_rows(float *features, int64_t n, int64_t width) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < width; k++)
            features[i * width + k] = (float)((i * i * 37 + k * k * 101 + i * k * 7) % 97);
}

static void agrees_with_scikit_learn(void **state) {
    (void)state;
    /* Predictions for the three rows after the first n (logistic: decisions), by scikit-learn
     * 1.9.1: tests/golden/gen/gen_head.py. */
    static const struct {
        int64_t n, width;
        int32_t kind, outputs, weighted;
        double wanted[9];
    } cases[] = {
        {40, 6, ANI_LINEAR_RIDGE, 1, 0, {6.691259395945749, 7.422370325515164, 14.308663505525423}},
        {40, 6, ANI_LINEAR_RIDGE, 1, 1, {5.98926544403354, 6.013637065648549, 13.109572217224262}},
        {7, 9, ANI_LINEAR_RIDGE, 1, 0, {5.270457485654225, 4.633846167522222, 13.898971700614357}},
        {7, 9, ANI_LINEAR_RIDGE, 1, 1, {5.631666233768628, 4.492967498526626, 14.66528087351588}},
        {40,
         6,
         ANI_LINEAR_SOFTMAX,
         3,
         0,
         {-0.12100789862280714, 0.1902647668904206, -0.06925686826761134, -0.1187164399019226,
          0.6405182144376682, -0.5218017745357448, 0.8454158828777605, -0.38825736653396525,
          -0.4571585163437948}},
        {40,
         6,
         ANI_LINEAR_SIGMOID,
         1,
         0,
         {-0.4427507273613249, 0.1615294754290556, -1.3253899127745505}},
    };
    for (size_t s = 0; s < sizeof cases / sizeof *cases; s++) {
        const int64_t n = cases[s].n, width = cases[s].width;
        const int32_t outputs = cases[s].outputs;
        numbers m = {.n = n, .width = width, .outputs = outputs};
        double kernel[MOST * 3], bias[3];
        ani_linear_solution solution;
        fill_rows(m.features, n + 3, width);
        for (int64_t i = 0; i < n; i++) {
            const int64_t y = i * 29 % 23;
            m.weights[i] = (float)(1 + i % 3);
            for (int32_t c = 0; c < outputs; c++)
                m.targets[i * outputs + c] =
                    (float)(cases[s].kind == ANI_LINEAR_RIDGE ? y
                                                              : y % 3 == (outputs == 1 ? 1 : c));
        }
        ani_linear_problem problem = make_problem(&m, cases[s].weighted ? m.weights : NULL, 2.5);
        problem.kind = cases[s].kind;
        solve(&problem, kernel, bias, &solution);
        for (int64_t i = 0; i < 3; i++)
            for (int32_t c = 0; c < outputs; c++) {
                double y = bias[c];
                for (int64_t k = 0; k < width; k++)
                    y += kernel[k * outputs + c] * (double)m.features[(n + i) * width + k];
                /* its logistic solver stops a little earlier than ours */
                const double limit = cases[s].kind == ANI_LINEAR_RIDGE ? 1e-11 : 1e-8;
                check_close(y, cases[s].wanted[i * outputs + c], limit * (1 + fabs(y)));
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ridge_solves_the_normal_equations),
        cmocka_unit_test(cross_validation_picks_the_lowest_score),
        cmocka_unit_test(validation_picks_the_lowest_loss),
        cmocka_unit_test(logistic_regression_ends_where_the_gradient_is_zero),
        cmocka_unit_test(a_penalty_for_classes_is_chosen_on_validation_samples),
        cmocka_unit_test(too_few_samples_are_refused),
        cmocka_unit_test(agrees_with_scikit_learn),
    };
    if (!ani_openblas_enter()) return 77; /* skipped: no OpenBLAS */
    ani_openblas_leave();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
