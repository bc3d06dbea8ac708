/* SPDX-License-Identifier: MIT
 * Global average pooling and the dense layer. They are small compared with the units: sums in
 * double, pieces of columns on the pool, no cache blocking. */
#include "backend/cpu/cpu.h"

#include <stddef.h>

#include "backend/ref/ref.h"

enum {
    CHANNELS = 64, /* of a piece of pooling */
    ROWS = 128,    /* pixels normalised at a time */
    OUTPUTS = 64,  /* of a piece of the dense layer */
    INPUTS = 16
};

/* --- pooling ---------------------------------------------------------------------------------- */

typedef struct pool_job {
    const cpu_backend *cpu;
    int64_t n, hw, c, ranges;
    const ani_lazy *x;
    const float *dy;
    const ani_store *store;
    float *y;
} pool_job;

static void pool_piece(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const pool_job *job = context;
    const ani_lazy *x = job->x;
    const int64_t n = index / job->ranges, channel = index % job->ranges * CHANNELS;
    const int64_t c = ani_min(CHANNELS, job->c - channel);
    _Alignas(64) float tile[ROWS * CHANNELS];
    double sums[CHANNELS] = {0};
    for (int64_t row = 0; row < job->hw; row += ROWS) {
        const int64_t rows = ani_min(ROWS, job->hw - row);
        job->cpu->k.tensor[x->element].normalise(
            tile, CHANNELS,
            ani_element_at(x->z, x->element, (n * job->hw + row) * job->c + channel), job->c, rows,
            c, x->scale ? x->scale + channel : NULL, x->scale ? x->shift + channel : NULL,
            ani_cpu_clamps(x));
        job->cpu->k.column_sums(sums, tile, CHANNELS, rows, c);
    }
    for (int64_t i = 0; i < c; i++)
        job->y[n * job->c + channel + i] = (float)(sums[i] / (double)job->hw);
}

void ani_cpu_pool_forward(an_backend *backend, int64_t n, int64_t hw, int64_t c, const ani_lazy *x,
                          float *y) {
    cpu_backend *cpu = ani_cpu(backend);
    pool_job job = {.cpu = cpu, .n = n, .hw = hw, .c = c, .x = x, .y = y};
    job.ranges = ani_divide_up(c, CHANNELS);
    ani_pool_run(cpu->pool, n * job.ranges, pool_piece, &job);
}

/* All images for one range of channels, so that one piece computes its sums. */
static void spread_piece(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const pool_job *job = context;
    const int64_t channel = index * CHANNELS, c = ani_min(CHANNELS, job->c - channel);
    double *sum = job->store->sums ? job->store->sums + channel : NULL;
    double *dot = sum && job->store->z ? sum + job->c : NULL;
    for (int64_t i = 0; sum && i < c; i++)
        sum[i] = 0;
    for (int64_t i = 0; dot && i < c; i++)
        dot[i] = 0;
    for (int64_t n = 0; n < job->n; n++) {
        float value[CHANNELS];
        for (int64_t i = 0; i < c; i++)
            value[i] = (float)(job->dy[n * job->c + channel + i] / (double)job->hw);
        for (int64_t row = 0; row < job->hw; row += ROWS) {
            const ani_gradient_store to =
                ani_cpu_gradient_store(job->store, job->x, (n * job->hw + row) * job->c + channel,
                                       job->c, channel, sum, dot);
            job->cpu->k.tensor[job->x->element].store_gradient(&to, value, 0,
                                                               ani_min(ROWS, job->hw - row), c, 0);
        }
    }
    job->cpu->k.fence();
}

void ani_cpu_pool_backward(an_backend *backend, int64_t n, int64_t hw, int64_t c, const float *dy,
                           const ani_lazy *x, const ani_store *store) {
    cpu_backend *cpu = ani_cpu(backend);
    pool_job job = {.cpu = cpu, .n = n, .hw = hw, .c = c, .x = x, .dy = dy, .store = store};
    ani_pool_run(cpu->pool, ani_divide_up(c, CHANNELS), spread_piece, &job);
    ani_ref_finish_store(n * hw, c, store);
}

/* --- dense ------------------------------------------------------------------------------------ */

typedef struct dense_job {
    int64_t n, in, out, ranges;
    const float *x, *w, *b, *dy;
    float *y, *dx, *dw, *db;
} dense_job;

static void dense_piece(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const dense_job *job = context;
    const int64_t n = index / job->ranges, first = index % job->ranges * OUTPUTS;
    const int64_t count = ani_min(OUTPUTS, job->out - first);
    double sums[OUTPUTS];
    for (int64_t o = 0; o < count; o++)
        sums[o] = job->b[first + o];
    for (int64_t k = 0; k < job->in; k++) {
        const double x = job->x[n * job->in + k];
        const float *w = job->w + k * job->out + first;
        for (int64_t o = 0; o < count; o++)
            sums[o] += x * w[o];
    }
    for (int64_t o = 0; o < count; o++)
        job->y[n * job->out + first + o] = (float)sums[o];
}

void ani_cpu_dense_forward(an_backend *backend, int64_t n, int64_t in, int64_t out, const float *x,
                           const float *w, const float *b, float *y) {
    dense_job job = {.n = n, .in = in, .out = out, .x = x, .w = w, .b = b, .y = y};
    job.ranges = ani_divide_up(out, OUTPUTS);
    ani_pool_run(ani_cpu(backend)->pool, n * job.ranges, dense_piece, &job);
}

/* dw and dx of some inputs: rows of w, columns of x. */
static void dense_inputs(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const dense_job *job = context;
    const int64_t last = ani_min((index + 1) * INPUTS, job->in);
    for (int64_t k = index * INPUTS; k < last; k++) {
        const float *w = job->w + k * job->out;
        for (int64_t i = 0; job->dx && i < job->n; i++) {
            double sum = 0;
            for (int64_t o = 0; o < job->out; o++)
                sum += (double)job->dy[i * job->out + o] * w[o];
            job->dx[i * job->in + k] = (float)sum;
        }
        for (int64_t first = 0; job->dw && first < job->out; first += OUTPUTS) {
            const int64_t count = ani_min(OUTPUTS, job->out - first);
            double sums[OUTPUTS] = {0};
            for (int64_t i = 0; i < job->n; i++) {
                const double x = job->x[i * job->in + k];
                const float *dy = job->dy + i * job->out + first;
                for (int64_t o = 0; o < count; o++)
                    sums[o] += x * dy[o];
            }
            for (int64_t o = 0; o < count; o++)
                job->dw[k * job->out + first + o] = (float)sums[o];
        }
    }
}

void ani_cpu_dense_backward(an_backend *backend, int64_t n, int64_t in, int64_t out, const float *x,
                            const float *w, const float *dy, float *dx, float *dw, float *db) {
    dense_job job = {.n = n, .in = in, .out = out, .x = x, .w = w, .dy = dy, .dx = dx, .dw = dw};
    if (dx || dw)
        ani_pool_run(ani_cpu(backend)->pool, ani_divide_up(in, INPUTS), dense_inputs, &job);
    for (int64_t o = 0; db && o < out; o++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += dy[i * out + o];
        db[o] = (float)sum;
    }
}
