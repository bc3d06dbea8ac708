/* SPDX-License-Identifier: MIT
 * Code specific to full 3x3 units (the stem of the network, with 3 input channels, and any other
 * for single layers): gathering output pixels into rows of 9*cin values, which rows.c multiplies,
 * and the input gradient, which the network never needs for its stem; it is scattered image by
 * image. */
#include "backend/cpu/cpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* --- gathering -------------------------------------------------------------------------------- */

/* Gather one row of three taps from (iy, ix) on, normalised, zero outside the image. */
static void gather_edge(const ani_kernels *k, const ani_unit_shape *s, const ani_lazy *x, int64_t n,
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
    k->tensor[x->element].normalise(
        to + first * c, c,
        ani_element_at(x->z, x->element, ((n * s->h + iy) * s->w + ix + first) * c), c,
        last - first, c, x->scale, x->shift, ani_cpu_clamps(x));
}

/* The same for all three rows of a pixel whose taps are all inside, from element `at` on. */
static void gather_inside(const ani_kernels *k, const ani_unit_shape *s, const ani_lazy *x,
                          int64_t at, float *to) {
    const int64_t taps = 3 * s->cin, row = s->w * s->cin;
    for (int64_t ky = 0; ky < 3; ky++)
        k->tensor[x->element].normalise(to + ky * taps, s->cin,
                                        ani_element_at(x->z, x->element, at + ky * row), s->cin, 3,
                                        s->cin, x->scale, x->shift, ani_cpu_clamps(x));
}

/* 3 channels of float that are copied unchanged: count pixels of a row, all of whose taps are
 * inside. Copies of a constant size are a few instructions. */
static void gather_run(const ani_unit_shape *s, const float *z, int64_t count, float *to,
                       int64_t ld) {
    const int64_t row = s->w * 3, step = s->stride * 3;
    for (int64_t i = 0; i < count; i++, z += step, to += ld) {
        memcpy(to, z, 9 * sizeof *to);
        memcpy(to + 9, z + row, 9 * sizeof *to);
        memcpy(to + 18, z + 2 * row, 9 * sizeof *to);
    }
}

void ani_cpu_gather(const cpu_backend *cpu, const ani_unit_shape *s, const ani_lazy *x,
                    int64_t first, int64_t rows, float *tile, int64_t ld) {
    const ani_kernels *k = &cpu->k;
    const bool plain = !x->scale && !ani_cpu_clamps(x) && x->element == ANI_FLOAT32 && s->cin == 3;
    int64_t ox = first % s->ow, oy = first / s->ow % s->oh, n = first / s->ow / s->oh;
    for (int64_t r = 0, count; r < rows; r += count, tile += count * ld) {
        const int64_t iy = oy * s->stride - s->pad_top, ix = ox * s->stride - s->pad_left;
        const int64_t at = ((n * s->h + iy) * s->w + ix) * s->cin;
        const bool inside = iy >= 0 && iy + 3 <= s->h && ix >= 0 && ix + 3 <= s->w;
        count = 1;
        if (inside && plain) {
            const int64_t most = ani_min(s->ow - ox, (s->w - 3 - ix) / s->stride + 1);
            count = ani_min(rows - r, most);
            gather_run(s, (const float *)x->z + at, count, tile, ld);
        } else if (inside) {
            gather_inside(k, s, x, at, tile);
        } else {
            for (int64_t ky = 0; ky < 3; ky++)
                gather_edge(k, s, x, n, iy + ky, ix, tile + ky * 3 * s->cin);
        }
        ox += count;
        if (ox < s->ow) continue;
        ox = 0;
        if (++oy < s->oh) continue;
        oy = 0;
        n++;
    }
}

/* --- input gradient --------------------------------------------------------------------------- */

enum { TILE = 2 * ANI_TILE_ROWS };

typedef struct input_job {
    const cpu_backend *cpu;
    const ani_unit_shape *s;
    const ani_unit_backward *args;
    cpu_matrix m; /* w', [cout, 9*cin] */
    int64_t lda, ldz;

    int64_t sums; /* that an image computes: one or two of each input channel */

    /* in scratch */
    float *folded;    /* w with known batch norm */
    float *packed;    /* w' */
    double *partials; /* [n][sums] */
    float *tiles;     /* [threads][tile_floats]: dz, the gradient of the gathered rows */
    float *images;    /* [threads][h*w*cin]: the input gradient of one image */
    int64_t tile_floats;
} input_job;

static int64_t plan_input(input_job *job, const cpu_backend *cpu, const ani_unit_shape *s,
                          void *scratch) {
    int64_t used = 0;
    job->cpu = cpu;
    job->s = s;
    job->m = ani_cpu_matrix(cpu, s->cout, 9 * s->cin);
    job->lda = ani_cpu_stride(9 * s->cin, job->m.width);
    job->ldz = ani_cpu_stride(s->cout, 1);
    job->tile_floats = TILE * (job->lda + job->ldz);
    job->folded = ani_take(scratch, &used, job->m.k * job->m.n, sizeof(float));
    job->packed = ani_take(scratch, &used, job->m.size, sizeof(float));
    job->partials = ani_take(scratch, &used, s->n * 2 * s->cin, sizeof(double));
    job->tiles = ani_take(scratch, &used, cpu->base.threads * job->tile_floats, sizeof(float));
    job->images = ani_take(scratch, &used, cpu->base.threads * s->h * s->w * s->cin, sizeof(float));
    return used;
}

/* Add the gradients of the nine taps of output pixels from `row` on to the input pixels they were
 * read from. */
static void scatter_tile(const ani_unit_shape *s, int64_t row, int64_t rows, const float *tile,
                         int64_t ld, float *image) {
    for (int64_t r = row; r < row + rows; r++, tile += ld)
        for (int64_t tap = 0; tap < 9; tap++) {
            const int64_t iy = r / s->ow * s->stride + tap / 3 - s->pad_top;
            const int64_t ix = r % s->ow * s->stride + tap % 3 - s->pad_left;
            if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w) continue;
            float *to = image + (iy * s->w + ix) * s->cin;
            const float *from = tile + tap * s->cin;
            for (int64_t c = 0; c < s->cin; c++)
                to[c] += from[c];
        }
}

static void input_image(void *context, int64_t n, int32_t worker) {
    const input_job *job = context;
    const ani_unit_shape *s = job->s;
    const ani_store *store = &job->args->store;
    const ani_gradient *dz = &job->args->dz;
    const int64_t pixels = s->h * s->w, outputs = s->oh * s->ow;
    float *z_tile = job->tiles + worker * job->tile_floats;
    float *dx_tile = z_tile + TILE * job->ldz;
    float *image = job->images + worker * pixels * s->cin;
    memset(image, 0, (size_t)(pixels * s->cin) * sizeof *image);
    for (int64_t row = 0; row < outputs; row += TILE) {
        const int64_t rows = ani_min(TILE, outputs - row);
        const int64_t at = (n * outputs + row) * s->cout;
        job->cpu->k.tensor[dz->element].gradient(
            z_tile, job->ldz, ani_element_at(dz->g, dz->element, at),
            ani_element_at(dz->z, dz->element, at), s->cout, rows, s->cout, dz->a, dz->b, dz->c);
        ani_cpu_product(job->cpu, &job->m, dx_tile, job->lda, z_tile, job->ldz, job->packed, rows);
        scatter_tile(s, row, rows, dx_tile, job->lda, image);
    }
    double *sum = store->sums ? job->partials + n * job->sums : NULL;
    if (sum) memset(sum, 0, (size_t)job->sums * sizeof *sum);
    for (int64_t y = 0; y < s->h; y++) {
        const ani_gradient_store to =
            ani_cpu_gradient_store(store, &job->args->x, (n * s->h + y) * s->w * s->cin, s->cin, 0,
                                   sum, sum ? sum + s->cin : NULL);
        job->cpu->k.tensor[job->args->x.element].store_gradient(&to, image + y * s->w * s->cin,
                                                                s->cin, s->w, s->cin, 0);
    }
    job->cpu->k.fence();
}

void ani_cpu_full_input_gradient(cpu_backend *cpu, const ani_unit_shape *s,
                                 const ani_unit_backward *args) {
    input_job job = {.args = args};
    plan_input(&job, cpu, s, args->scratch);
    const float *w = args->w;
    if (args->fixed) w = ani_cpu_fold(cpu, job.folded, w, args->fixed->bn->scale, job.m.n, s->cout);
    job.sums = (args->store.z ? 2 : 1) * s->cin;
    ani_cpu_pack(cpu, &job.m, job.packed, w, 1, s->cout);
    ani_pool_run_watched(cpu->pool, args->watch, s->n, input_image, &job);
    if (ani_watch_stops(args->watch)) return;
    if (args->store.sums) ani_cpu_join_sums(cpu, s->n, job.partials, job.sums, args->store.sums);
}

int64_t ani_cpu_full_scratch(const cpu_backend *cpu, const ani_unit_shape *s) {
    input_job job;
    return plan_input(&job, cpu, s, NULL);
}
