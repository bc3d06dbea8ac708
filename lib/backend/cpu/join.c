/* SPDX-License-Identifier: MIT
 * Combines the partial sums of chunks, always in chunk order: this makes results independent of the
 * number of threads. Pieces of columns are independent and run on the pool. */
#include "backend/cpu/cpu.h"

#include <math.h>
#include <stddef.h>

enum { PIECE = 128 }; /* columns of one pool pass */

void ani_cpu_begin_moments(const ani_kernels *k, float *pivot, double *sum, double *square,
                           const float *t, int64_t ldt, int64_t rows, int64_t c) {
    for (int64_t i = 0; i < c; i++)
        sum[i] = square[i] = 0;
    k->column_sums(sum, t, ldt, rows, c);
    for (int64_t i = 0; i < c; i++) {
        pivot[i] = (float)(sum[i] / (double)rows);
        sum[i] = 0;
    }
}

ani_gradient_store ani_cpu_gradient_store(const ani_store *store, const ani_lazy *x, int64_t at,
                                          int64_t stride, int64_t channel, double *sum,
                                          double *dot) {
    const int32_t masked = x->relu6, affine = masked && x->scale, dots = sum && store->z;
    return (ani_gradient_store){.dx = ani_element_of(store->dx, x->element, at),
                                .ldx = stride,
                                .x = masked ? ani_element_at(x->z, x->element, at) : NULL,
                                .scale = affine ? x->scale + channel : NULL,
                                .shift = affine ? x->shift + channel : NULL,
                                .add = ani_element_at(store->add, x->element, at),
                                .z = dots ? ani_element_at(store->z, x->element, at) : NULL,
                                .mean = dots ? store->mean + channel : NULL,
                                .sum = sum,
                                .dot = dots ? dot : NULL};
}

void ani_cpu_finish_moments(int64_t count, int64_t c, const float *pivot, const double *sum,
                            const double *square, double *mean, double *m2) {
    const double inverse = 1 / (double)count;
    for (int64_t i = 0; i < c; i++) {
        const double shift = sum[i] * inverse, rest = square[i] - sum[i] * shift;
        mean[i] = pivot[i] + shift;
        m2[i] = rest > 0 ? rest : rest < 0 ? 0 : rest; /* below 0 is rounding; NaN stays */
    }
}

typedef struct moments_job {
    int64_t parts, c;
    const int64_t *counts;
    const double *partials;
    double *moments;
} moments_job;

/* Chan, Golub, LeVeque: M2 of a union = M2a + M2b + delta^2 * na * nb / (na + nb). */
static void join_moments(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const moments_job *job = context;
    const int64_t first = index * PIECE, last = ani_min(first + PIECE, job->c);
    double *mean = job->moments, *m2 = mean + job->c;
    for (int64_t i = first; i < last; i++)
        mean[i] = m2[i] = 0;
    int64_t count = 0;
    for (int64_t part = 0; part < job->parts; part++) {
        if (job->counts[part] == 0) continue;
        const double *part_mean = job->partials + part * 2 * job->c, *part_m2 = part_mean + job->c;
        const double share = (double)job->counts[part] / (double)(count + job->counts[part]);
        const double factor = (double)count * share;
        for (int64_t i = first; i < last; i++) {
            const double delta = part_mean[i] - mean[i];
            mean[i] += delta * share;
            m2[i] += part_m2[i] + delta * delta * factor;
        }
        count += job->counts[part];
    }
}

void ani_cpu_join_moments(const cpu_backend *cpu, int64_t parts, const int64_t *counts,
                          const double *partials, int64_t c, double *moments) {
    moments_job job = {parts, c, counts, partials, moments};
    ani_pool_run(cpu->pool, ani_divide_up(c, PIECE), join_moments, &job);
}

typedef struct sums_job {
    int64_t parts, count;
    const double *partials;
    double *sums;
} sums_job;

static void join_sums(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const sums_job *job = context;
    const int64_t first = index * PIECE, last = ani_min(first + PIECE, job->count);
    for (int64_t i = first; i < last; i++)
        job->sums[i] = 0;
    for (int64_t part = 0; part < job->parts; part++)
        for (int64_t i = first; i < last; i++)
            job->sums[i] += job->partials[part * job->count + i];
}

void ani_cpu_join_sums(const cpu_backend *cpu, int64_t parts, const double *partials, int64_t count,
                       double *sums) {
    sums_job job = {parts, count, partials, sums};
    ani_pool_run(cpu->pool, ani_divide_up(count, PIECE), join_sums, &job);
}

enum { MATRIX_PIECE = 1024 }; /* floats of one pool pass: rows, or a part of a long one */

typedef struct matrix_job {
    const ani_kernels *k;
    int64_t parts, part_size, stride, rows, columns;
    int64_t piece_rows, piece_columns, pieces; /* pieces side by side */
    const float *partials;
    float *out;
} matrix_job;

static void join_matrix(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const matrix_job *job = context;
    const int64_t row = index / job->pieces * job->piece_rows;
    const int64_t rows = ani_min(job->piece_rows, job->rows - row);
    const int64_t first = index % job->pieces * job->piece_columns;
    const int64_t columns = ani_min(job->piece_columns, job->columns - first);
    const int64_t count = (rows - 1) * job->stride + columns;
    const float *from = job->partials + row * job->stride + first;
    double sums[MATRIX_PIECE] = {0};
    for (int64_t part = 0; part < job->parts; part++)
        job->k->column_sums(sums, from + part * job->part_size, count, 1, count);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < columns; i++)
            job->out[(row + r) * job->columns + first + i] = (float)sums[r * job->stride + i];
}

void ani_cpu_join_matrix(const cpu_backend *cpu, int64_t parts, const float *partials,
                         int64_t part_size, int64_t stride, int64_t rows, int64_t columns,
                         float *out) {
    matrix_job job = {.k = &cpu->k,
                      .parts = parts,
                      .part_size = part_size,
                      .stride = stride,
                      .rows = rows,
                      .columns = columns,
                      .partials = partials,
                      .out = out};
    job.piece_rows = ani_max(MATRIX_PIECE / stride, 1);
    job.piece_columns = ani_min(columns, MATRIX_PIECE);
    job.pieces = ani_divide_up(columns, job.piece_columns);
    ani_pool_run(cpu->pool, ani_divide_up(rows, job.piece_rows) * job.pieces, join_matrix, &job);
}

typedef struct fixed_job {
    const ani_unit_backward *args;
    const float *folded;
    int64_t k, n;
    int32_t element;
} fixed_job;

/* The folded weight as it was multiplied. */
static double multiplied(float folded, int32_t element) {
    return element == ANI_BFLOAT16 ? ani_from_bfloat16(ani_to_bfloat16(folded)) : folded;
}

/* sum of g * z = sum over the weights of a channel of w * dw', dw' being the gradient of the folded
 * weights. This and mean * sum of g, which is subtracted, may be hundreds of times as large as
 * their difference: so w is the folded weight as it was multiplied, without scale. Where scale is
 * too small to be divided by, what it makes of z is too small to matter for any output. */
static void fixed_columns(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const fixed_job *job = context;
    const ani_fixed_backward *fixed = job->args->fixed;
    const int64_t first = index * PIECE, columns = ani_min(PIECE, job->n - first);
    const float *scale = fixed->bn->scale + first;
    double dots[PIECE] = {0};
    for (int64_t i = 0; i < job->k; i++) {
        const int64_t at = i * job->n + first;
        float *dw = job->args->dw + at;
        for (int64_t j = 0; j < columns; j++) {
            const double w = fabsf(scale[j]) > 0x1p-60f
                                 ? multiplied(job->folded[at + j], job->element)
                                 : (double)job->args->w[at + j];
            dots[j] += w * dw[j];
            dw[j] *= scale[j];
        }
    }
    for (int64_t j = 0; j < columns; j++) {
        const ani_bn *bn = fixed->bn;
        const double sum = fixed->sums[first + j];
        if (fabsf(scale[j]) > 0x1p-60f) dots[j] /= scale[j];
        fixed->dbeta[first + j] = (float)sum;
        fixed->dgamma[first + j] =
            (float)(bn->inv_std[first + j] * (dots[j] - bn->mean[first + j] * sum));
    }
}

void ani_cpu_finish_fixed(const cpu_backend *cpu, const ani_unit_backward *args,
                          const float *folded, int64_t k, int64_t n, int32_t element) {
    fixed_job job = {args, folded, k, n, element};
    ani_pool_run(cpu->pool, ani_divide_up(n, PIECE), fixed_columns, &job);
}
