/* SPDX-License-Identifier: MIT
 * Entries that run over arrays element by element: materialise, the optimizers, sums of squares. */
#include "backend/cpu/cpu.h"

#include <attractivenet/kinds.h>
#include <math.h>
#include <stddef.h>

#include "backend/ref/ref.h"

enum {
    COLUMNS = 1024,      /* of a piece of materialise */
    TILE = 4096,         /* floats of one */
    OPTIM_PIECE = 16384, /* parameters of one pool pass */
    SQUARES_PIECES = 256 /* of sum_squares at most */
};

/* --- materialise ------------------------------------------------------------------------------ */

typedef struct materialise_job {
    const cpu_backend *cpu;
    int64_t rows, c;
    int64_t tile, columns, ranges; /* rows and columns of a piece, pieces side by side */
    const ani_lazy *x, *r;
    void *y;
} materialise_job;

static void normalise_piece(const ani_kernels *k, const ani_lazy *x, int64_t c, int64_t at,
                            int64_t column, int64_t rows, int64_t columns, float *to) {
    k->tensor[x->element].normalise(to, columns, ani_element_at(x->z, x->element, at), c, rows,
                                    columns, x->scale ? x->scale + column : NULL,
                                    x->scale ? x->shift + column : NULL, ani_cpu_clamps(x));
}

static void materialise_piece(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const materialise_job *job = context;
    const ani_kernels *k = &job->cpu->k;
    const int64_t first = index / job->ranges * job->tile;
    const int64_t rows = ani_min(job->tile, job->rows - first);
    const int64_t column = index % job->ranges * job->columns;
    const int64_t columns = ani_min(job->columns, job->c - column);
    const int64_t at = first * job->c + column;
    const int32_t element = job->x->element;
    _Alignas(64) float tile[TILE], other[TILE];
    normalise_piece(k, job->x, job->c, at, column, rows, columns, tile);
    const void *residual = ani_element_at(job->r->z, element, at);
    if (residual && (job->r->scale || job->r->relu6)) {
        normalise_piece(k, job->r, job->c, at, column, rows, columns, other);
        k->tensor[ANI_FLOAT32].store_sum(tile, columns, tile, columns, rows, columns, other);
        residual = NULL;
    }
    k->tensor[element].store_sum(ani_element_of(job->y, element, at), job->c, tile, columns, rows,
                                 columns, residual);
}

void ani_cpu_materialise(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                         const ani_lazy *r, void *y) {
    cpu_backend *cpu = ani_cpu(backend);
    if (rows <= 0 || c <= 0) return;
    materialise_job job = {.cpu = cpu, .rows = rows, .c = c, .x = x, .r = r, .y = y};
    job.columns = ani_min(c, COLUMNS);
    job.ranges = ani_divide_up(c, job.columns);
    job.tile = TILE / job.columns;
    ani_pool_run(cpu->pool, ani_divide_up(rows, job.tile) * job.ranges, materialise_piece, &job);
}

/* --- ranges ----------------------------------------------------------------------------------- */

/* The ends of some columns of z; low and high have room for them. */
static void column_ends(const float *z, int64_t rows, int64_t c, int64_t columns, float *low,
                        float *high) {
    for (int64_t j = 0; j < columns; j++) {
        low[j] = INFINITY;
        high[j] = -INFINITY;
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            const float value = z[i * c + j];
            low[j] = value < low[j] ? value : low[j];
            high[j] = value > high[j] ? value : high[j];
        }
}

/* A value is monotonic in z, so it takes its extremes at those of z. */
void ani_cpu_value_range(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                         ani_range *range) {
    if (x->element != ANI_FLOAT32) {
        ani_ref_value_range(backend, rows, c, x, range);
        return;
    }
    float low[2 * COLUMNS], *high = low + COLUMNS;
    *range = (ani_range){INFINITY, -INFINITY};
    for (int64_t first = 0; first < c; first += COLUMNS) {
        const int64_t columns = ani_min(COLUMNS, c - first);
        column_ends((const float *)x->z + first, rows, c, columns, low, high);
        for (int64_t i = 0; i < 2 * columns; i++) {
            const int64_t j = i % columns;
            if (low[j] > high[j]) continue; /* nothing but NaN */
            const float z = i < columns ? low[j] : high[j];
            const ani_lazy one = {.z = &z,
                                  .scale = x->scale ? x->scale + first + j : NULL,
                                  .shift = x->scale ? x->shift + first + j : NULL,
                                  .relu6 = x->relu6};
            const float value = (float)ani_ref_load(&one, 0, 0);
            if (value < range->low) range->low = value;
            if (value > range->high) range->high = value;
        }
    }
}

/* --- optimizers ------------------------------------------------------------------------------- */

typedef struct optim_job {
    const cpu_backend *cpu;
    const ani_optim_step *step;
    float factor, decay, m_rate, v_rate, alpha;
} optim_job;

static void optim_piece(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const optim_job *job = context;
    const ani_optim_step *s = job->step;
    const int64_t first = index * OPTIM_PIECE, count = ani_min(OPTIM_PIECE, s->count - first);
    if (s->kind == AN_OPTIM_SGD)
        job->cpu->k.sgd(s->w + first, s->g + first, s->m + first, count, job->alpha,
                        (float)s->momentum, s->nesterov);
    else
        job->cpu->k.adam(s->w + first, s->g + first, s->m + first, s->v + first, count, job->factor,
                         job->decay, job->m_rate, job->v_rate, job->alpha, (float)s->epsilon);
}

void ani_cpu_optim_step(an_backend *backend, const ani_optim_step *step) {
    cpu_backend *cpu = ani_cpu(backend);
    if (step->guard && *step->guard) return;
    const double factor = ani_ref_clip_factor(step);
    optim_job job = {.cpu = cpu, .step = step, .factor = (float)factor};
    if (step->kind == AN_OPTIM_SGD) {
        job.alpha = (float)(step->rate * factor);
    } else {
        const double t = (double)step->step;
        job.alpha = (float)(step->rate * sqrt(1 - pow(step->beta2, t)) / (1 - pow(step->beta1, t)));
        job.m_rate = (float)(1 - step->beta1);
        job.v_rate = (float)(1 - step->beta2);
        if (step->kind == AN_OPTIM_ADAMW) job.decay = (float)(step->rate * step->weight_decay);
    }
    ani_pool_run(cpu->pool, ani_divide_up(step->count, OPTIM_PIECE), optim_piece, &job);
}

/* --- sum of squares --------------------------------------------------------------------------- */

typedef struct squares_job {
    const cpu_backend *cpu;
    const float *x;
    int64_t count, piece;
    double partials[SQUARES_PIECES];
} squares_job;

static void squares_piece(void *context, int64_t index, int32_t worker) {
    (void)worker;
    squares_job *job = context;
    const int64_t first = index * job->piece;
    job->partials[index] =
        job->cpu->k.sum_squares(job->x + first, ani_min(job->piece, job->count - first));
}

void ani_cpu_sum_squares(an_backend *backend, int64_t count, const float *x, double *sum) {
    cpu_backend *cpu = ani_cpu(backend);
    squares_job job = {.cpu = cpu, .x = x, .count = count};
    job.piece = ani_max(ani_divide_up(count, SQUARES_PIECES), 4096);
    const int64_t pieces = ani_divide_up(count, job.piece);
    ani_pool_run(cpu->pool, pieces, squares_piece, &job);
    *sum = 0;
    for (int64_t i = 0; i < pieces; i++)
        *sum += job.partials[i];
}

/* --- combine ---------------------------------------------------------------------------------- */

typedef struct combine_job {
    an_backend *backend;
    int64_t count;
    double a, b;
    const float *x;
    float *y;
} combine_job;

/* Element by element: the reference's loop, on a piece. */
static void combine_piece(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const combine_job *job = context;
    const int64_t first = index * OPTIM_PIECE;
    ani_ref_combine(job->backend, ani_min(OPTIM_PIECE, job->count - first), job->a, job->x + first,
                    job->b, job->y + first);
}

void ani_cpu_combine(an_backend *backend, int64_t count, double a, const float *x, double b,
                     float *y) {
    combine_job job = {backend, count, a, b, x, y};
    ani_pool_run(ani_cpu(backend)->pool, ani_divide_up(count, OPTIM_PIECE), combine_piece, &job);
}
