// SPDX-License-Identifier: MIT
// Batch norm by itself (where no launch could finish it), sums of lazy values, ranges.
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/launch.h"
#include "backend/cuda/kernel/load.h"
#include "backend/cuda/kernel/rows.h"
#include "backend/cuda/kernel/sums.h"

enum { THREADS = 128, RANGE_THREADS = 256, RANGE_BLOCKS = 512 };

// --- batch norm --------------------------------------------------------------------------------

static __global__ void __launch_bounds__(THREADS)
    bn_batch(int64_t c, int64_t count, const double *moments, double momentum, int32_t update,
             ani_bn bn) {
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < c)
        ani_norm_forward(bn, i, (double)count, moments[i], moments[c + i], momentum, update != 0);
}

static __global__ void __launch_bounds__(THREADS) bn_running(int64_t c, ani_bn bn) {
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < c) ani_set_affine(bn, i, bn.moving_mean[i], bn.moving_variance[i]);
}

static __global__ void __launch_bounds__(THREADS)
    bn_backward(int64_t c, const double *sums, ani_sums_end end) {
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < c) ani_norm_backward(end, i, sums[i], sums[c + i]);
}

int ani_cuda_bn_batch(int64_t c, int64_t count, const double *moments, double momentum,
                      int32_t update, const ani_bn *bn, cudaStream_t stream) {
    return ani_launch(bn_batch, dim3((unsigned)ani_pieces(c, THREADS)), dim3(THREADS), 0, stream, c,
                      count, moments, momentum, update, *bn);
}

int ani_cuda_bn_running(int64_t c, const ani_bn *bn, cudaStream_t stream) {
    return ani_launch(bn_running, dim3((unsigned)ani_pieces(c, THREADS)), dim3(THREADS), 0, stream,
                      c, *bn);
}

int ani_cuda_bn_backward(int64_t c, int64_t count, int32_t batch, const double *sums,
                         const ani_bn *bn, float *dgamma, float *dbeta, float *ka, float *kb,
                         float *kc, cudaStream_t stream) {
    const ani_bn_backward backward = {bn, batch, 0, dgamma, dbeta, ka, kb, kc};
    return ani_launch(bn_backward, dim3((unsigned)ani_pieces(c, THREADS)), dim3(THREADS), 0, stream,
                      c, sums, ani_sums_end_of(nullptr, &backward, count));
}

// --- sums of two lazy values -------------------------------------------------------------------

template <typename T, int V>
static __global__ void __launch_bounds__(ANI_ROWS_THREADS)
    materialise(int64_t rows, int64_t c, ani_lazy x, ani_lazy r, T *y) {
    const int64_t channel = ani_rows_channel(V);
    if (channel >= c) return;
    ani_affine ax[V], ar[V];
    ANI_UNROLL
    for (int i = 0; i < V; i++) {
        ax[i] = ani_affine_of(x, channel + i);
        ar[i] = ani_affine_of(r, channel + i);
    }
    ANI_UNROLL
    for (int n = 0; n < ANI_ROWS_EACH; n++) {
        const int64_t row = ani_rows_row(n);
        if (row >= rows) return;
        float sums[V], more[V] = {};
        ani_load(sums, static_cast<const T *>(x.z) + row * c + channel);
        if (r.z) ani_load(more, static_cast<const T *>(r.z) + row * c + channel);
        ANI_UNROLL
        for (int i = 0; i < V; i++) {
            sums[i] = ani_lazy_value(sums[i], ax[i], x.relu6);
            if (r.z) sums[i] += ani_lazy_value(more[i], ar[i], r.relu6);
        }
        ani_save(y + row * c + channel, sums);
    }
}

template <typename T, int V>
static int launch_materialise(int64_t rows, int64_t c, const ani_lazy *x, const ani_lazy *r,
                              void *y, cudaStream_t stream) {
    const ani_rows_cut cut = ani_cut_rows(rows, c, V);
    return ani_launch(materialise<T, V>, cut.grid, cut.block, 0, stream, rows, c, *x, *r,
                      static_cast<T *>(y));
}

int ani_cuda_materialise(int64_t rows, int64_t c, const ani_lazy *x, const ani_lazy *r, void *y,
                         cudaStream_t stream) {
    if (rows <= 0 || c <= 0) return cudaSuccess;
    const bool wide = ani_rows_fit(c, ani_element_size(x->element), x->z, r->z, y);
    if (x->element == ANI_BFLOAT16)
        return wide ? launch_materialise<ani_bf16, 8>(rows, c, x, r, y, stream)
                    : launch_materialise<ani_bf16, 1>(rows, c, x, r, y, stream);
    return wide ? launch_materialise<float, 4>(rows, c, x, r, y, stream)
                : launch_materialise<float, 1>(rows, c, x, r, y, stream);
}

// --- ranges ------------------------------------------------------------------------------------

struct range_pair {
    float low, high;
};

// Comparisons with NaN are false: it changes nothing.
ANI_DEVICE void widen(range_pair &range, float low, float high) {
    if (low < range.low) range.low = low;
    if (high > range.high) range.high = high;
}

// The ranges of all threads of the block, in the result of thread 0.
ANI_DEVICE range_pair join_threads(range_pair mine) {
    ANI_SHARED_ARRAY(range_pair, all, RANGE_THREADS);
    const int t = ani_thread();
    all[t] = mine;
    for (int half = RANGE_THREADS / 2; half; half /= 2) {
        ani_sync();
        if (t < half) {
            widen(mine, all[t + half].low, all[t + half].high);
            all[t] = mine;
        }
    }
    ani_sync();
    return mine;
}

template <typename T>
static __global__ void __launch_bounds__(RANGE_THREADS)
    value_range(int64_t count, int64_t c, ani_lazy x, range_pair *parts, ani_range *range,
                unsigned *counter) {
    range_pair mine = {INFINITY, -INFINITY};
    for (int64_t i = (int64_t)blockIdx.x * RANGE_THREADS + threadIdx.x; i < count;
         i += (int64_t)gridDim.x * RANGE_THREADS) {
        const float z = ani_value(static_cast<const T *>(x.z)[i]);
        const float value = ani_lazy_value(z, ani_affine_of(x, i % c), x.relu6);
        widen(mine, value, value);
    }
    mine = join_threads(mine);
    if (ani_thread() == 0) parts[blockIdx.x] = mine;
    if (!ani_is_last_block(counter, gridDim.x)) return;
    mine.low = INFINITY;
    mine.high = -INFINITY;
    for (unsigned i = threadIdx.x; i < gridDim.x; i += RANGE_THREADS)
        widen(mine, ani_read_fresh(&parts[i].low), ani_read_fresh(&parts[i].high));
    mine = join_threads(mine);
    if (ani_thread() == 0) {
        range->low = mine.low;
        range->high = mine.high;
    }
}

int ani_cuda_value_range(int64_t rows, int64_t c, const ani_lazy *x, ani_range *range, void *memory,
                         unsigned *counters, cudaStream_t stream) {
    const int64_t count = rows * c, wanted = ani_pieces(count, 8 * RANGE_THREADS);
    const int64_t blocks = wanted < 1 ? 1 : ani_least(wanted, RANGE_BLOCKS);
    static_assert(RANGE_BLOCKS * sizeof(range_pair) <= ANI_ROOM_SIZE, "parts fit");
    return ani_launch(x->element == ANI_BFLOAT16 ? value_range<ani_bf16> : value_range<float>,
                      dim3((unsigned)blocks), dim3(RANGE_THREADS), 0, stream, count, c, *x,
                      static_cast<range_pair *>(memory), range, counters);
}
