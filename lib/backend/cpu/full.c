/* SPDX-License-Identifier: MIT
 * Full 3x3 units: the stem of the network (3 channels in), and any other for single layers. Each
 * tile of output pixels is gathered into rows of 9*cin values, in the order of the weights, and
 * multiplied. The input gradient, which the network never asks of its stem, is scattered picture by
 * picture. */
#include "backend/cpu/cpu.h"

#include <stddef.h>
#include <string.h>

enum { TILE_FLOATS = 32768, MAX_CHUNKS = 64, MAX_GRADIENTS = 32 << 20 };

/** How the output pixels are cut. */
typedef struct cut {
    int64_t rows;  /* all output pixels */
    int64_t tile;  /* a multiple of ANI_TILE_ROWS */
    int64_t chunk; /* a multiple of tile */
    int64_t chunks;
} cut;

static cut cut_rows(const ani_unit_shape *s, int64_t max_chunks) {
    cut c = {.rows = s->n * s->oh * s->ow};
    c.tile = TILE_FLOATS / (9 * s->cin + s->cout) / ANI_TILE_ROWS * ANI_TILE_ROWS;
    c.tile = ani_min(ani_max(c.tile, ANI_TILE_ROWS), 4 * ANI_TILE_ROWS);
    c.chunk = ani_round_up(ani_divide_up(c.rows, max_chunks), c.tile);
    c.chunks = ani_divide_up(c.rows, c.chunk);
    return c;
}

/* Gather one row of three taps, kernel row ky at output pixel (oy, ox), zero outside of the
 * picture. */
static void gather_taps(const ani_kernels *k, const ani_unit_shape *s, const ani_lazy *x, int64_t n,
                        int64_t iy, int64_t ix, float *to) {
    const int64_t c = s->cin, first = ani_max(-ix, 0), last = ani_min(s->w - ix, 3);
    if (iy < 0 || iy >= s->h || first >= last) {
        memset(to, 0, (size_t)(3 * c) * sizeof *to);
        return;
    }
    for (int64_t i = 0; i < first * c; i++)
        to[i] = 0;
    for (int64_t i = last * c; i < 3 * c; i++)
        to[i] = 0;
    const float *z = x->z + ((n * s->h + iy) * s->w + ix + first) * c;
    to += first * c;
    if (x->scale || x->relu6)
        k->normalise(to, c, z, c, last - first, c, x->scale, x->shift, x->relu6);
    else
        for (int64_t i = 0; i < (last - first) * c; i++)
            to[i] = z[i];
}

static void gather_tile(const ani_kernels *k, const ani_unit_shape *s, const ani_lazy *x,
                        int64_t first, int64_t rows, float *tile, int64_t ld) {
    int64_t ox = first % s->ow, oy = first / s->ow % s->oh, n = first / s->ow / s->oh;
    for (int64_t r = 0; r < rows; r++, tile += ld) {
        for (int64_t ky = 0; ky < 3; ky++)
            gather_taps(k, s, x, n, oy * s->stride + ky - s->pad_top, ox * s->stride - s->pad_left,
                        tile + ky * 3 * s->cin);
        if (++ox < s->ow) continue;
        ox = 0;
        if (++oy < s->oh) continue;
        oy = 0;
        n++;
    }
}

/* --- forward -----------------------------------------------------------------------------------
 */

typedef struct forward_job {
    const cpu_backend *cpu;
    const ani_unit_shape *s;
    const ani_unit_forward *args;
    cut cut;
    cpu_matrix m; /* w, [9*cin, cout] */
    int64_t lda, ldc;

    /* in scratch */
    float *packed;    /* w */
    int64_t *counts;  /* [chunks] */
    double *partials; /* [chunks][2][cout] */
    float *tiles;     /* [threads][tile_floats] */
    double *sums;     /* [threads][2][cout] */
    float *pivots;    /* [threads][cout] */
    int64_t tile_floats;
} forward_job;

static int64_t plan_forward(forward_job *job, const cpu_backend *cpu, const ani_unit_shape *s,
                            void *scratch) {
    int64_t used = 0;
    job->cpu = cpu;
    job->s = s;
    job->cut = cut_rows(s, MAX_CHUNKS);
    job->m = ani_cpu_matrix(cpu, 9 * s->cin, s->cout);
    job->lda = ani_cpu_stride(cpu, 9 * s->cin);
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
    const int64_t cout = job->m.n;
    const int64_t first = index * job->cut.chunk;
    const int64_t last = ani_min(first + job->cut.chunk, job->cut.rows);
    float *a = job->tiles + worker * job->tile_floats, *c = a + job->cut.tile * job->lda;
    double *sum = job->sums + worker * 2 * cout, *square = sum + cout;
    float *pivot = job->pivots + worker * cout;
    for (int64_t row = first; row < last; row += job->cut.tile) {
        const int64_t rows = ani_min(job->cut.tile, last - row);
        gather_tile(k, job->s, &args->x, row, rows, a, job->lda);
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

void ani_cpu_full_forward(cpu_backend *cpu, const ani_unit_shape *s, const ani_unit_forward *args) {
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
    const ani_unit_shape *s;
    const ani_unit_backward *args;
    cut cut;
    cpu_matrix m; /* w', [cout, 9*cin] */
    int64_t lda, ldz;
    int64_t gradient_floats;

    /* in scratch */
    float *packed;    /* w' */
    float *gradients; /* [chunks][gradient_floats] */
    double *partials; /* [n][2][cin] */
    float *tiles;     /* [threads][tile_floats]: dz, gathered x or its gradient */
    float *pictures;  /* [threads][h*w*cin]: the input gradient of one picture */
    int64_t tile_floats;
} backward_job;

static int64_t plan_backward(backward_job *job, const cpu_backend *cpu, const ani_unit_shape *s,
                             void *scratch) {
    int64_t used = 0;
    job->cpu = cpu;
    job->s = s;
    job->m = ani_cpu_matrix(cpu, s->cout, 9 * s->cin);
    job->lda = ani_cpu_stride(cpu, 9 * s->cin);
    job->ldz = ani_cpu_stride(cpu, s->cout);
    job->gradient_floats = ani_round_up(9 * s->cin, ANI_TILE_ROWS) * job->ldz;
    const int64_t affordable = MAX_GRADIENTS / (job->gradient_floats * (int64_t)sizeof(float));
    job->cut = cut_rows(s, ani_min(ani_max(affordable, 1), MAX_CHUNKS));
    job->tile_floats = job->cut.tile * (job->lda + job->ldz);
    job->packed = ani_take(scratch, &used, job->m.size, sizeof(float));
    job->gradients =
        ani_take(scratch, &used, job->cut.chunks * job->gradient_floats, sizeof(float));
    job->partials = ani_take(scratch, &used, s->n * 2 * s->cin, sizeof(double));
    job->tiles = ani_take(scratch, &used, cpu->base.threads * job->tile_floats, sizeof(float));
    job->pictures =
        ani_take(scratch, &used, cpu->base.threads * s->h * s->w * s->cin, sizeof(float));
    return used;
}

static void load_dz(const backward_job *job, int64_t row, int64_t rows, float *tile) {
    const ani_gradient *dz = &job->args->dz;
    const int64_t c = job->s->cout;
    job->cpu->k.gradient(tile, job->ldz, dz->g + row * c, dz->z ? dz->z + row * c : NULL, c, rows,
                         c, dz->a, dz->b, dz->c);
}

static void weights_chunk(void *context, int64_t index, int32_t worker) {
    const backward_job *job = context;
    const ani_unit_shape *s = job->s;
    const int64_t first = index * job->cut.chunk;
    const int64_t last = ani_min(first + job->cut.chunk, job->cut.rows);
    float *z_tile = job->tiles + worker * job->tile_floats;
    float *x_tile = z_tile + job->cut.tile * job->ldz;
    float *dw = job->gradients + index * job->gradient_floats;
    memset(dw, 0, (size_t)job->gradient_floats * sizeof *dw);
    for (int64_t row = first; row < last; row += job->cut.tile) {
        const int64_t rows = ani_min(job->cut.tile, last - row);
        load_dz(job, row, rows, z_tile);
        gather_tile(&job->cpu->k, s, &job->args->x, row, rows, x_tile, job->lda);
        ani_cpu_product_transposed(job->cpu, dw, job->ldz, x_tile, job->lda, z_tile, job->ldz, rows,
                                   9 * s->cin, s->cout);
    }
}

/* Add the gradients of the nine taps of output pixels row.. to the input pixels they were read
 * from. */
static void scatter_tile(const ani_unit_shape *s, int64_t row, int64_t rows, const float *tile,
                         int64_t ld, float *picture) {
    for (int64_t r = row; r < row + rows; r++, tile += ld)
        for (int64_t tap = 0; tap < 9; tap++) {
            const int64_t iy = r / s->ow * s->stride + tap / 3 - s->pad_top;
            const int64_t ix = r % s->ow * s->stride + tap % 3 - s->pad_left;
            if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w) continue;
            float *to = picture + (iy * s->w + ix) * s->cin;
            const float *from = tile + tap * s->cin;
            for (int64_t c = 0; c < s->cin; c++)
                to[c] += from[c];
        }
}

static void input_picture(void *context, int64_t n, int32_t worker) {
    const backward_job *job = context;
    const ani_unit_shape *s = job->s;
    const ani_store *store = &job->args->store;
    const int64_t pixels = s->h * s->w, outputs = s->oh * s->ow;
    float *z_tile = job->tiles + worker * job->tile_floats;
    float *dx_tile = z_tile + job->cut.tile * job->ldz;
    float *picture = job->pictures + worker * pixels * s->cin;
    memset(picture, 0, (size_t)(pixels * s->cin) * sizeof *picture);
    for (int64_t row = 0; row < outputs; row += job->cut.tile) {
        const int64_t rows = ani_min(job->cut.tile, outputs - row);
        load_dz(job, n * outputs + row, rows, z_tile);
        ani_cpu_product(job->cpu, &job->m, dx_tile, job->lda, z_tile, job->ldz, job->packed, rows);
        scatter_tile(s, row, rows, dx_tile, job->lda, picture);
    }
    double *sum = store->sums ? job->partials + n * 2 * s->cin : NULL;
    if (sum) memset(sum, 0, (size_t)(2 * s->cin) * sizeof *sum);
    for (int64_t y = 0; y < s->h; y++)
        ani_cpu_store_gradient(&job->cpu->k, store, &job->args->x, (n * s->h + y) * s->w * s->cin,
                               s->cin, 0, picture + y * s->w * s->cin, s->cin, s->w, s->cin, sum,
                               sum ? sum + s->cin : NULL, 0);
    job->cpu->k.fence();
}

void ani_cpu_full_backward(cpu_backend *cpu, const ani_unit_shape *s,
                           const ani_unit_backward *args) {
    backward_job job = {.args = args};
    plan_backward(&job, cpu, s, args->scratch);
    if (args->dw) {
        ani_pool_run(cpu->pool, job.cut.chunks, weights_chunk, &job);
        ani_cpu_join_matrix(cpu, job.cut.chunks, job.gradients, job.gradient_floats, job.ldz,
                            9 * s->cin, s->cout, args->dw);
    }
    if (args->store.dx) {
        ani_cpu_pack(cpu, &job.m, job.packed, args->w, 1, s->cout);
        ani_pool_run(cpu->pool, s->n, input_picture, &job);
        if (args->store.sums)
            ani_cpu_join_sums(cpu, s->n, job.partials, 2 * s->cin, args->store.sums);
    }
}

int64_t ani_cpu_full_scratch(const cpu_backend *cpu, const ani_unit_shape *s, int backward) {
    forward_job forward;
    backward_job back;
    return backward ? plan_backward(&back, cpu, s, NULL) : plan_forward(&forward, cpu, s, NULL);
}
