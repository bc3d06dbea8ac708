// SPDX-License-Identifier: MIT
// Global average pooling, the dense layer, losses and probabilities. Formulas: ref/head.c.
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/launch.h"
#include "backend/cuda/kernel/load.h"
#include "backend/cuda/kernel/mma.h"
#include "backend/cuda/kernel/rows.h"
#include "backend/cuda/kernel/totals.h"

#include <attractivenet/kinds.h>
#include <math.h>

enum { THREADS = 256, WARPS = THREADS / ANI_WARP };

// --- pooling -----------------------------------------------------------------------------------

// A block: one image, 32 * V channels; a warp takes every eighth pixel.
template <typename T, int V>
static __global__ void __launch_bounds__(THREADS)
    pool_forward(int64_t hw, int64_t c, int64_t slices, ani_lazy x, float *y) {
    ANI_SHARED_ARRAY(double, sums, THREADS *V);
    const int64_t image = blockIdx.x / slices;
    const int64_t channel = (blockIdx.x % slices * ANI_WARP + ani_lane()) * V;
    double mine[V];
    ani_affine affine[V];
    ANI_UNROLL
    for (int i = 0; i < V; i++) {
        mine[i] = 0;
        affine[i] = ani_affine_of(x, channel < c ? channel + i : 0);
    }
    for (int64_t pixel = ani_warp(); channel < c && pixel < hw; pixel += WARPS) {
        float z[V];
        ani_load(z, static_cast<const T *>(x.z) + (image * hw + pixel) * c + channel);
        ANI_UNROLL
        for (int i = 0; i < V; i++)
            mine[i] += ani_lazy_value(z[i], affine[i], x.relu6);
    }
    ANI_UNROLL
    for (int i = 0; i < V; i++)
        sums[(ani_warp() * V + i) * ANI_WARP + ani_lane()] = mine[i];
    ani_sync();
    if (ani_warp() || channel >= c) return;
    ANI_UNROLL
    for (int i = 0; i < V; i++) {
        for (int warp = 1; warp < WARPS; warp++)
            mine[i] += sums[(warp * V + i) * ANI_WARP + ani_lane()];
        y[image * c + channel + i] = (float)(mine[i] / (double)hw);
    }
}

template <typename T, int V>
static int launch_pool_forward(int64_t n, int64_t hw, int64_t c, const ani_lazy *x, float *y,
                               cudaStream_t stream) {
    const int64_t slices = ani_pieces(c, ANI_WARP * V);
    return ani_launch(pool_forward<T, V>, dim3((unsigned)(n * slices)), dim3(THREADS), 0, stream,
                      hw, c, slices, *x, y);
}

int ani_cuda_pool_forward(int64_t n, int64_t hw, int64_t c, const ani_lazy *x, float *y,
                          cudaStream_t stream) {
    if (n <= 0 || c <= 0) return cudaSuccess;
    const bool wide = ani_rows_fit(c, ani_element_size(x->element), x->z, nullptr, nullptr);
    if (x->element == ANI_BFLOAT16)
        return wide ? launch_pool_forward<ani_bf16, 8>(n, hw, c, x, y, stream)
                    : launch_pool_forward<ani_bf16, 1>(n, hw, c, x, y, stream);
    return wide ? launch_pool_forward<float, 4>(n, hw, c, x, y, stream)
                : launch_pool_forward<float, 1>(n, hw, c, x, y, stream);
}

struct pool_gradient {
    int64_t rows, hw, c, part_rows;
    const float *dy;
    ani_lazy x;
    const void *add, *z;
    const float *mean;
    void *dx;
    ani_sums_end end;
    ani_totals totals;
};

// A block: 32 * V channels, a part of the rows, of which a warp takes every eighth.
template <typename T, int V>
static __global__ void __launch_bounds__(THREADS) pool_backward(pool_gradient p) {
    const int lane = ani_lane(), slice = (int)blockIdx.y, part = (int)blockIdx.x;
    const int64_t channel = ((int64_t)slice * ANI_WARP + lane) * V;
    const int64_t first = part * p.part_rows;
    const int64_t end = first + p.part_rows < p.rows ? first + p.part_rows : p.rows;
    const bool summed = ani_wants_sums(p.end);
    float sum[V], product[V], mean[V];
    ani_affine affine[V];
    ANI_UNROLL
    for (int i = 0; i < V; i++) {
        const int64_t at = channel < p.c ? channel + i : 0;
        sum[i] = product[i] = 0;
        affine[i] = ani_affine_of(p.x, at);
        mean[i] = summed ? p.mean[at] : 0;
    }
    for (int64_t row = first + ani_warp(); channel < p.c && row < end; row += WARPS) {
        const int64_t at = row * p.c + channel;
        float dy[V], x[V] = {}, add[V] = {}, z[V] = {};
        ani_load(dy, p.dy + row / p.hw * p.c + channel);
        if (p.x.relu6) ani_load(x, static_cast<const T *>(p.x.z) + at);
        if (p.add) ani_load(add, static_cast<const T *>(p.add) + at);
        if (summed) ani_load(z, static_cast<const T *>(p.z) + at);
        ANI_UNROLL
        for (int i = 0; i < V; i++) {
            dy[i] = ani_dx(dy[i] / (float)p.hw, add[i], x[i], affine[i], p.x.relu6);
            if (!summed) continue;
            const float stored = ani_stored<T>(dy[i]);
            sum[i] += stored;
            product[i] = fmaf(stored, z[i] - mean[i], product[i]);
        }
        ani_save(static_cast<T *>(p.dx) + at, dy);
    }
    if (!summed) return;
    ANI_SHARED_BYTES(shared);
    float *sums = reinterpret_cast<float *>(shared); /* [WARPS][2][V][32] */
    ANI_UNROLL
    for (int i = 0; i < V; i++) {
        sums[(ani_warp() * 2 * V + i) * ANI_WARP + lane] = sum[i];
        sums[(ani_warp() * 2 * V + V + i) * ANI_WARP + lane] = product[i];
    }
    ani_sync();
    double *items = ani_totals_part(p.totals, slice, part);
    for (int item = ani_thread(); item < 2 * V * ANI_WARP; item += THREADS) {
        double total = 0;
        for (int warp = 0; warp < WARPS; warp++)
            total += (double)sums[warp * 2 * V * ANI_WARP + item];
        items[item] = total;
    }
    ani_sync();
    const double *all;
    if (!ani_totals_join(p.totals, slice, part, shared, &all)) return;
    for (int i = ani_thread(); i < V * ANI_WARP; i += THREADS) {
        const int64_t of = (int64_t)slice * ANI_WARP * V + i % ANI_WARP * V + i / ANI_WARP;
        if (of < p.c) ani_finish_channel(p.end, p.c, of, all[i], all[V * ANI_WARP + i]);
    }
}

template <typename T, int V>
static int launch_pool_backward(pool_gradient p, void *memory, unsigned *counters,
                                cudaStream_t stream) {
    const int items = 2 * V * ANI_WARP;
    const int64_t slices = ani_pieces(p.c, ANI_WARP * V);
    int64_t parts = ani_pieces(p.rows, 8 * WARPS);
    while (parts > 1 && ani_totals_size(slices, parts, items) > ANI_ROOM_SIZE)
        parts = ani_pieces(parts, 2);
    if (ani_totals_size(slices, parts, items) > ANI_ROOM_SIZE || !ani_totals_fit(slices))
        return cudaErrorInvalidValue;
    p.part_rows = ani_pieces(p.rows, parts);
    parts = ani_pieces(p.rows, p.part_rows);
    p.totals = ani_totals_of(memory, counters, slices, parts, items);
    const int64_t own = WARPS * items * (int64_t)sizeof(float);
    const int64_t join = ANI_TOTALS_SHARED(THREADS, items);
    return ani_launch(pool_backward<T, V>, dim3((unsigned)parts, (unsigned)slices), dim3(THREADS),
                      (size_t)ani_most(own, join), stream, p);
}

int ani_cuda_pool_backward(int64_t n, int64_t hw, int64_t c, const float *dy, const ani_lazy *x,
                           const ani_store *store, void *memory, unsigned *counters,
                           cudaStream_t stream) {
    if (n <= 0 || hw <= 0 || c <= 0) return cudaSuccess;
    pool_gradient p = {};
    p.rows = n * hw;
    p.hw = hw;
    p.c = c;
    p.dy = dy;
    p.x = *x;
    p.add = store->add;
    p.z = store->z;
    p.mean = store->mean;
    p.dx = store->dx;
    p.end = ani_sums_end_of(store->sums, store->bn, p.rows);
    const bool wide = ani_rows_fit(c, ani_element_size(x->element), x->z, store->add, store->dx) &&
                      ani_rows_fit(c, ani_element_size(x->element), store->z, dy, nullptr);
    if (x->element == ANI_BFLOAT16)
        return wide ? launch_pool_backward<ani_bf16, 8>(p, memory, counters, stream)
                    : launch_pool_backward<ani_bf16, 1>(p, memory, counters, stream);
    return wide ? launch_pool_backward<float, 4>(p, memory, counters, stream)
                : launch_pool_backward<float, 1>(p, memory, counters, stream);
}

// --- dense -------------------------------------------------------------------------------------

// y[i,o] = b[o] + sum over k of x[i,k] w[k,o]: a warp an output where there are few of them, so
// that w is read along k; else a thread an output, and w is read along o.
template <bool WARP>
static __global__ void __launch_bounds__(THREADS)
    dense_forward(int64_t n, int64_t in, int64_t out, const float *x, const float *w,
                  const float *b, float *y) {
    const int64_t thread = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    const int64_t at = WARP ? thread / ANI_WARP : thread;
    if (at >= n * out) return; /* a warp as a whole */
    const int64_t i = at / out, o = at % out;
    double sum = 0;
    for (int64_t k = WARP ? ani_lane() : 0; k < in; k += WARP ? ANI_WARP : 1)
        sum += (double)x[i * in + k] * w[k * out + o];
    if (WARP) sum = ani_sum_lanes(sum);
    if (!WARP || ani_lane() == 0) y[at] = (float)(b[o] + sum);
}

int ani_cuda_dense_forward(int64_t n, int64_t in, int64_t out, const float *x, const float *w,
                           const float *b, float *y, cudaStream_t stream) {
    const bool warp = out < ANI_WARP;
    const int64_t blocks = ani_pieces(n * out, warp ? WARPS : THREADS);
    return ani_launch(warp ? dense_forward<true> : dense_forward<false>, dim3((unsigned)blocks),
                      dim3(THREADS), 0, stream, n, in, out, x, w, b, y);
}

struct dense_gradients {
    int64_t n, in, out;
    const float *x, *w, *dy;
    float *dx, *dw, *db;
    int64_t dx_blocks, dw_blocks;
};

// The first blocks compute dx, as above with a warp an element where many outputs are summed; then
// come those of dw, a thread an element; then those of db.
template <bool WARP>
static __global__ void __launch_bounds__(THREADS) dense_backward(dense_gradients p) {
    const int64_t block = blockIdx.x;
    if (block < p.dx_blocks) {
        const int64_t thread = block * THREADS + threadIdx.x;
        const int64_t at = WARP ? thread / ANI_WARP : thread;
        if (at >= p.n * p.in) return;
        const int64_t i = at / p.in, k = at % p.in;
        double sum = 0;
        for (int64_t o = WARP ? ani_lane() : 0; o < p.out; o += WARP ? ANI_WARP : 1)
            sum += (double)p.dy[i * p.out + o] * p.w[k * p.out + o];
        if (WARP) sum = ani_sum_lanes(sum);
        if (!WARP || ani_lane() == 0) p.dx[at] = (float)sum;
        return;
    }
    const bool weights = block < p.dx_blocks + p.dw_blocks;
    const int64_t at = (block - p.dx_blocks - (weights ? 0 : p.dw_blocks)) * THREADS + threadIdx.x;
    if (at >= (weights ? p.in * p.out : p.out)) return;
    double sum = 0;
    for (int64_t i = 0; i < p.n; i++)
        sum += weights ? (double)p.x[i * p.in + at / p.out] * p.dy[i * p.out + at % p.out]
                       : (double)p.dy[i * p.out + at];
    (weights ? p.dw : p.db)[at] = (float)sum;
}

int ani_cuda_dense_backward(int64_t n, int64_t in, int64_t out, const float *x, const float *w,
                            const float *dy, float *dx, float *dw, float *db, cudaStream_t stream) {
    const bool warp = out >= ANI_WARP;
    dense_gradients p = {n, in, out, x, w, dy, dx, dw, db, 0, 0};
    if (dx) p.dx_blocks = ani_pieces(n * in, warp ? WARPS : THREADS);
    if (dw) p.dw_blocks = ani_pieces(in * out, THREADS);
    const int64_t blocks = p.dx_blocks + p.dw_blocks + (db ? ani_pieces(out, THREADS) : 0);
    return ani_launch(warp ? dense_backward<true> : dense_backward<false>, dim3((unsigned)blocks),
                      dim3(THREADS), 0, stream, p);
}

// --- losses ------------------------------------------------------------------------------------

ANI_DEVICE double sigmoid(double y) {
    return y >= 0 ? 1 / (1 + exp(-y)) : exp(y) / (1 + exp(y));
}

// Warp: the largest logit, and the sum of exp(logit - largest).
ANI_DEVICE double sum_exp(int64_t out, const float *y, double *largest) {
    float most = y[0];
    for (int64_t o = ani_lane(); o < out; o += ANI_WARP)
        if (y[o] > most) most = y[o];
    ANI_UNROLL
    for (int mask = ANI_WARP / 2; mask; mask /= 2) {
        const float other = ani_shuffle_xor(most, mask);
        if (other > most) most = other;
    }
    *largest = most;
    double sum = 0;
    for (int64_t o = ani_lane(); o < out; o += ANI_WARP)
        sum += exp(y[o] - *largest);
    return ani_sum_lanes(sum);
}

// Warp: the loss of one sample, in each lane.
ANI_DEVICE double categorical(double of, int64_t out, const float *y, const float *t, double weight,
                              float *dy) {
    double largest, loss = 0, all = 0;
    const double sum = sum_exp(out, y, &largest);
    for (int64_t o = ani_lane(); o < out; o += ANI_WARP) {
        loss -= t[o] * (y[o] - largest - log(sum));
        all += t[o];
    }
    loss = ani_sum_lanes(loss);
    all = ani_sum_lanes(all);
    for (int64_t o = ani_lane(); dy && o < out; o += ANI_WARP)
        dy[o] = (float)(weight * (exp(y[o] - largest) / sum * all - t[o]) / of);
    return weight * loss;
}

ANI_DEVICE double element_loss(int32_t kind, double y, double t, double *slope) {
    const double e = y - t;
    switch (kind) {
    case AN_LOSS_MAE:
        *slope = e > 0 ? 1 : e < 0 ? -1 : e; /* NaN stays NaN */
        return fabs(e);
    case AN_LOSS_HUBER:
        *slope = e > 1 ? 1 : e < -1 ? -1 : e;
        return fabs(e) <= 1 ? 0.5 * e * e : fabs(e) - 0.5;
    case AN_LOSS_BINARY:
        *slope = sigmoid(y) - t;
        return fmax(y, 0.0) - y * t + log1p(exp(-fabs(y)));
    default: /* AN_LOSS_MSE */
        *slope = 2 * e;
        return e * e;
    }
}

struct loss_arguments {
    int32_t kind;
    int64_t n, of, out;
    const float *y, *target, *weights;
    double *loss;
    float *dy;
    int32_t *guard;
};

// One block: a batch has few outputs.
static __global__ void __launch_bounds__(THREADS) loss(loss_arguments p) {
    ANI_SHARED_ARRAY(double, sums, THREADS);
    const int t = ani_thread();
    double sum = 0, count = (double)p.of;
    if (p.kind == AN_LOSS_CATEGORICAL) {
        for (int64_t i = ani_warp(); i < p.n; i += WARPS)
            sum += categorical(count, p.out, p.y + i * p.out, p.target + i * p.out,
                               p.weights ? p.weights[i] : 1, p.dy ? p.dy + i * p.out : nullptr);
        if (ani_lane()) sum = 0; /* it is in each lane */
    } else {
        count = (double)(p.of * p.out);
        for (int64_t i = t; i < p.n * p.out; i += THREADS) {
            const double weight = p.weights ? p.weights[i / p.out] : 1;
            double slope;
            sum += weight * element_loss(p.kind, p.y[i], p.target[i], &slope);
            if (p.dy) p.dy[i] = (float)(weight * slope / count);
        }
    }
    sums[t] = sum;
    for (int half = THREADS / 2; half; half /= 2) {
        ani_sync();
        if (t < half) sums[t] = sum += sums[t + half];
    }
    if (t) return;
    *p.loss = sum / count;
    if (p.guard && !isfinite(sum / count)) *p.guard = 1;
}

int ani_cuda_loss(int32_t kind, int64_t n, int64_t of, int64_t out, const float *y,
                  const float *target, const float *weights, double *loss_out, float *dy,
                  int32_t *guard, cudaStream_t stream) {
    const loss_arguments p = {kind, n, of, out, y, target, weights, loss_out, dy, guard};
    return ani_launch(loss, dim3(1), dim3(THREADS), 0, stream, p);
}

// A warp a sample.
static __global__ void __launch_bounds__(THREADS, 2) softmax(int64_t n, int64_t out, float *y) {
    const int64_t i = (int64_t)blockIdx.x * WARPS + ani_warp();
    if (i >= n) return;
    float *row = y + i * out;
    double largest;
    const double sum = sum_exp(out, row, &largest);
    for (int64_t o = ani_lane(); o < out; o += ANI_WARP)
        row[o] = (float)(exp(row[o] - largest) / sum);
}

static __global__ void __launch_bounds__(THREADS) sigmoids(int64_t n, float *y) {
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < n) y[i] = (float)sigmoid(y[i]);
}

int ani_cuda_probabilities(int64_t n, int64_t out, float *y, cudaStream_t stream) {
    if (out == 1)
        return ani_launch(sigmoids, dim3((unsigned)ani_pieces(n, THREADS)), dim3(THREADS), 0,
                          stream, n, y);
    return ani_launch(softmax, dim3((unsigned)ani_pieces(n, WARPS)), dim3(THREADS), 0, stream, n,
                      out, y);
}
