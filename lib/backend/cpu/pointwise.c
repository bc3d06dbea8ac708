/* SPDX-License-Identifier: MIT
 * Pointwise units: y[rows,n] = x[rows,k] w[k,n], rows being n*h*w of the shape.
 *
 * Forward, for each tile of rows: normalise x into a tile, multiply, write y with its moments (or
 * with the epilogue of inference). Backward: form dz in a tile once and use it twice, for dx = dz
 * w' and dw += x' dz, so that g, z and x are read once. */
#include "backend/cpu/cpu.h"

#include <stddef.h>
#include <string.h>

enum {
    TILE_FLOATS = 32768, /* of the tiles of one worker together, forward */
    MAX_CHUNKS = 64,
    MAX_GRADIENTS = 32 << 20 /* bytes of all partial weight gradients */
};

/** How the rows are cut. */
typedef struct cut {
    int64_t rows;  /* all */
    int64_t tile;  /* rows of a tile; a multiple of ANI_TILE_ROWS */
    int64_t chunk; /* rows of a chunk; a multiple of tile */
    int64_t chunks;
} cut;

static cut cut_rows(const ani_unit_shape *s, int64_t floats_per_row, int64_t max_chunks) {
    cut c = {.rows = s->n * s->h * s->w};
    c.tile = TILE_FLOATS / floats_per_row / ANI_TILE_ROWS * ANI_TILE_ROWS;
    c.tile = ani_min(ani_max(c.tile, 2 * ANI_TILE_ROWS), 4 * ANI_TILE_ROWS);
    c.chunk = ani_round_up(ani_divide_up(c.rows, max_chunks), c.tile);
    c.chunks = ani_divide_up(c.rows, c.chunk);
    return c;
}

/* --- forward -----------------------------------------------------------------------------------
 */

typedef struct forward_job {
    const cpu_backend *cpu;
    const ani_unit_forward *args;
    cut cut;
    cpu_matrix m;
    int64_t lda, ldc;

    /* in scratch */
    float *packed;    /* w */
    int64_t *counts;  /* [chunks] */
    double *partials; /* [chunks][2][n] */
    float *tiles;     /* [threads][tile_floats] */
    double *sums;     /* [threads][2][n] */
    float *pivots;    /* [threads][n] */
    int64_t tile_floats;
} forward_job;

static int64_t plan_forward(forward_job *job, const cpu_backend *cpu, const ani_unit_shape *s,
                            void *scratch) {
    int64_t used = 0;
    job->cpu = cpu;
    job->cut = cut_rows(s, s->cin + s->cout, MAX_CHUNKS);
    job->m = ani_cpu_matrix(cpu, s->cin, s->cout);
    job->lda = ani_cpu_stride(cpu, s->cin);
    job->ldc = ani_cpu_stride(cpu, s->cout);
    job->tile_floats = job->cut.tile * (job->lda + job->ldc);
    job->packed = ani_take(scratch, &used, job->m.size, sizeof(float));
    job->counts = ani_take(scratch, &used, job->cut.chunks, sizeof(int64_t));
    job->partials = ani_take(scratch, &used, job->cut.chunks * 2 * s->cout, sizeof(double));
    job->tiles = ani_take(scratch, &used, cpu->base.threads * job->tile_floats, sizeof(float));
    job->sums = ani_take(scratch, &used, cpu->base.threads * 2 * s->cout, sizeof(double));
    job->pivots = ani_take(scratch, &used, cpu->base.threads * s->cout, sizeof(float));
    return used;
}

static void forward_chunk(void *context, int64_t index, int32_t worker) {
    const forward_job *job = context;
    const ani_unit_forward *args = job->args;
    const ani_kernels *k = &job->cpu->k;
    const int64_t cin = job->m.k, cout = job->m.n;
    const int64_t first = index * job->cut.chunk;
    const int64_t last = ani_min(first + job->cut.chunk, job->cut.rows);
    float *a = job->tiles + worker * job->tile_floats, *c = a + job->cut.tile * job->lda;
    double *sum = job->sums + worker * 2 * cout, *square = sum + cout;
    float *pivot = job->pivots + worker * cout;
    for (int64_t row = first; row < last; row += job->cut.tile) {
        const int64_t rows = ani_min(job->cut.tile, last - row);
        k->normalise(a, job->lda, args->x.z + row * cin, cin, rows, cin, args->x.scale,
                     args->x.shift, args->x.relu6);
        ani_cpu_product(job->cpu, &job->m, c, job->ldc, a, job->lda, job->packed, rows);
        float *y = args->y + row * cout;
        if (!args->moments) {
            k->store_affine(y, cout, c, job->ldc, rows, cout, args->scale, args->shift, args->relu6,
                            args->residual ? args->residual + row * cout : NULL);
            continue;
        }
        if (row == first) ani_cpu_begin_moments(k, pivot, sum, square, c, job->ldc, rows, cout);
        k->store_moments(y, cout, c, job->ldc, rows, cout, pivot, sum, square,
                         ani_cpu_streams(job->cut.rows, cout));
    }
    k->fence();
    if (args->moments) {
        double *mean = job->partials + index * 2 * cout;
        job->counts[index] = last - first;
        ani_cpu_finish_moments(last - first, cout, pivot, sum, square, mean, mean + cout);
    }
}

void ani_cpu_pointwise_forward(cpu_backend *cpu, const ani_unit_shape *s,
                               const ani_unit_forward *args) {
    forward_job job = {.args = args};
    plan_forward(&job, cpu, s, args->scratch);
    ani_cpu_pack(cpu, &job.m, job.packed, args->w, s->cout, 1);
    ani_pool_run(cpu->pool, job.cut.chunks, forward_chunk, &job);
    if (args->moments)
        ani_cpu_join_moments(cpu, job.cut.chunks, job.counts, job.partials, s->cout, args->moments);
}

/* --- backward ----------------------------------------------------------------------------------
 */

typedef struct backward_job {
    const cpu_backend *cpu;
    const ani_unit_backward *args;
    cut cut;
    cpu_matrix m; /* w', [n,k] */
    int64_t ldx, ldz;
    int64_t gradient_floats; /* of one partial dw */

    /* in scratch */
    float *packed;    /* w' */
    float *gradients; /* [chunks][gradient_floats] */
    double *partials; /* [chunks][2][k] */
    float *tiles;     /* [threads][tile_floats]: dz, x, dx */
    int64_t tile_floats;
} backward_job;

static int64_t plan_backward(backward_job *job, const cpu_backend *cpu, const ani_unit_shape *s,
                             void *scratch) {
    int64_t used = 0;
    job->cpu = cpu;
    job->m = ani_cpu_matrix(cpu, s->cout, s->cin);
    job->ldx = ani_cpu_stride(cpu, s->cin);
    job->ldz = ani_cpu_stride(cpu, s->cout);
    job->gradient_floats = ani_round_up(s->cin, ANI_TILE_ROWS) * job->ldz;
    const int64_t affordable = MAX_GRADIENTS / (job->gradient_floats * (int64_t)sizeof(float));
    job->cut = cut_rows(s, 2 * s->cin + s->cout, ani_min(ani_max(affordable, 1), MAX_CHUNKS));
    job->tile_floats = job->cut.tile * (2 * job->ldx + job->ldz);
    job->packed = ani_take(scratch, &used, job->m.size, sizeof(float));
    job->gradients =
        ani_take(scratch, &used, job->cut.chunks * job->gradient_floats, sizeof(float));
    job->partials = ani_take(scratch, &used, job->cut.chunks * 2 * s->cin, sizeof(double));
    job->tiles = ani_take(scratch, &used, cpu->base.threads * job->tile_floats, sizeof(float));
    return used;
}

static void backward_chunk(void *context, int64_t index, int32_t worker) {
    const backward_job *job = context;
    const ani_unit_backward *args = job->args;
    const ani_gradient *dz = &args->dz;
    const ani_store *store = &args->store;
    const ani_kernels *k = &job->cpu->k;
    const int64_t cin = job->m.n, cout = job->m.k;
    const int64_t first = index * job->cut.chunk;
    const int64_t last = ani_min(first + job->cut.chunk, job->cut.rows);
    float *z_tile = job->tiles + worker * job->tile_floats;
    float *x_tile = z_tile + job->cut.tile * job->ldz;
    float *dx_tile = x_tile + job->cut.tile * job->ldx;
    float *dw = job->gradients + index * job->gradient_floats;
    double *sum = store->sums ? job->partials + index * 2 * cin : NULL;
    double *dot = sum ? sum + cin : NULL;
    if (args->dw) memset(dw, 0, (size_t)job->gradient_floats * sizeof *dw);
    if (sum) memset(sum, 0, (size_t)(2 * cin) * sizeof *sum);
    for (int64_t row = first; row < last; row += job->cut.tile) {
        const int64_t rows = ani_min(job->cut.tile, last - row);
        const float *x = args->x.z + row * cin;
        k->gradient(z_tile, job->ldz, dz->g + row * cout, dz->z ? dz->z + row * cout : NULL, cout,
                    rows, cout, dz->a, dz->b, dz->c);
        if (args->dw) {
            k->normalise(x_tile, job->ldx, x, cin, rows, cin, args->x.scale, args->x.shift,
                         args->x.relu6);
            ani_cpu_product_transposed(job->cpu, dw, job->ldz, x_tile, job->ldx, z_tile, job->ldz,
                                       rows, cin, cout);
        }
        if (store->dx) {
            ani_cpu_product(job->cpu, &job->m, dx_tile, job->ldx, z_tile, job->ldz, job->packed,
                            rows);
            ani_cpu_store_gradient(k, store, &args->x, row * cin, cin, 0, dx_tile, job->ldx, rows,
                                   cin, sum, dot, ani_cpu_streams(job->cut.rows, cin));
        }
    }
    k->fence();
}

void ani_cpu_pointwise_backward(cpu_backend *cpu, const ani_unit_shape *s,
                                const ani_unit_backward *args) {
    backward_job job = {.args = args};
    plan_backward(&job, cpu, s, args->scratch);
    if (args->store.dx) ani_cpu_pack(cpu, &job.m, job.packed, args->w, 1, s->cout);
    ani_pool_run(cpu->pool, job.cut.chunks, backward_chunk, &job);
    if (args->dw)
        ani_cpu_join_matrix(cpu, job.cut.chunks, job.gradients, job.gradient_floats, job.ldz,
                            s->cin, s->cout, args->dw);
    if (args->store.dx && args->store.sums)
        ani_cpu_join_sums(cpu, job.cut.chunks, job.partials, 2 * s->cin, args->store.sums);
}

int64_t ani_cpu_pointwise_scratch(const cpu_backend *cpu, const ani_unit_shape *s, int backward) {
    forward_job forward;
    backward_job back;
    return backward ? plan_backward(&back, cpu, s, NULL) : plan_forward(&forward, cpu, s, NULL);
}
