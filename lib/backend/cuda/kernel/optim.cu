// SPDX-License-Identifier: MIT
// Optimizers, sums of squares, combinations, guarded copies: all over flat arrays.
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/launch.h"
#include "backend/cuda/kernel/sums.h"

#include <attractivenet/kinds.h>
#include <math.h>

enum { THREADS = 256, SQUARES_BLOCKS = 512, COPY_BLOCKS = 1024 };

static dim3 blocks_of(int64_t count) {
    return dim3((unsigned)ani_pieces(count, THREADS));
}

ANI_DEVICE int64_t index_of_thread() {
    return (int64_t)blockIdx.x * THREADS + threadIdx.x;
}

// --- steps -------------------------------------------------------------------------------------

// What gradients are multiplied by.
ANI_DEVICE float clip_factor(const double *squares, double clip_norm) {
    const double norm = squares ? sqrt(*squares) : 0;
    return norm > clip_norm ? (float)(clip_norm / norm) : 1;
}

struct adam_rates {
    float decay, m_rate, v_rate, alpha, epsilon;
};

static __global__ void __launch_bounds__(THREADS) adam(ani_optim_step s, adam_rates rates) {
    const int64_t i = index_of_thread();
    if (i >= s.count || (s.guard && *s.guard)) return;
    const float g = s.g[i] * clip_factor(s.squares, s.clip_norm);
    const float m = fmaf(g - s.m[i], rates.m_rate, s.m[i]);
    const float v = fmaf(fmaf(g, g, -s.v[i]), rates.v_rate, s.v[i]);
    const float w = fmaf(-rates.decay, s.w[i], s.w[i]);
    s.m[i] = m;
    s.v[i] = v;
    s.w[i] = w - rates.alpha * m / (sqrtf(v) + rates.epsilon);
}

static __global__ void __launch_bounds__(THREADS)
    sgd(ani_optim_step s, float rate, float momentum) {
    const int64_t i = index_of_thread();
    if (i >= s.count || (s.guard && *s.guard)) return;
    const float step = rate * (s.g[i] * clip_factor(s.squares, s.clip_norm));
    const float m = fmaf(momentum, s.m[i], -step);
    s.m[i] = m;
    s.w[i] += s.nesterov ? fmaf(momentum, m, -step) : m;
}

int ani_cuda_optim_step(const ani_optim_step *step, cudaStream_t stream) {
    if (step->kind == AN_OPTIM_SGD)
        return ani_launch(sgd, blocks_of(step->count), dim3(THREADS), 0, stream, *step,
                          (float)step->rate, (float)step->momentum);
    const double t = (double)step->step;
    adam_rates rates;
    rates.decay = step->kind == AN_OPTIM_ADAMW ? (float)(step->rate * step->weight_decay) : 0;
    rates.m_rate = (float)(1 - step->beta1);
    rates.v_rate = (float)(1 - step->beta2);
    rates.alpha = (float)(step->rate * sqrt(1 - pow(step->beta2, t)) / (1 - pow(step->beta1, t)));
    rates.epsilon = (float)step->epsilon;
    return ani_launch(adam, blocks_of(step->count), dim3(THREADS), 0, stream, *step, rates);
}

// --- sum of squares ----------------------------------------------------------------------------

// The sum over the threads of the block, in thread 0.
ANI_DEVICE double sum_threads(double mine) {
    ANI_SHARED_ARRAY(double, all, THREADS);
    const int t = ani_thread();
    all[t] = mine;
    for (int half = THREADS / 2; half; half /= 2) {
        ani_sync();
        if (t < half) all[t] = mine += all[t + half];
    }
    ani_sync();
    return mine;
}

static __global__ void __launch_bounds__(THREADS)
    sum_squares(int64_t count, const float *x, double *parts, double *sum, unsigned *counter) {
    double mine = 0;
    for (int64_t i = index_of_thread(); i < count; i += (int64_t)gridDim.x * THREADS)
        mine += (double)x[i] * x[i];
    mine = sum_threads(mine);
    if (ani_thread() == 0) parts[blockIdx.x] = mine;
    if (!ani_is_last_block(counter, gridDim.x)) return;
    mine = 0;
    for (unsigned i = threadIdx.x; i < gridDim.x; i += THREADS)
        mine += ani_read_fresh(parts + i);
    mine = sum_threads(mine);
    if (ani_thread() == 0) *sum = mine;
}

int ani_cuda_sum_squares(int64_t count, const float *x, double *sum, void *memory,
                         unsigned *counters, cudaStream_t stream) {
    const int64_t wanted = ani_pieces(count, 8 * THREADS);
    const int64_t blocks = wanted < 1 ? 1 : ani_least(wanted, SQUARES_BLOCKS);
    static_assert(SQUARES_BLOCKS * sizeof(double) <= ANI_ROOM_SIZE, "parts fit");
    return ani_launch(sum_squares, dim3((unsigned)blocks), dim3(THREADS), 0, stream, count, x,
                      static_cast<double *>(memory), sum, counters);
}

// --- combinations and copies -------------------------------------------------------------------

static __global__ void __launch_bounds__(THREADS)
    combine(int64_t count, double a, const float *x, double b, float *y) {
    const int64_t i = index_of_thread();
    if (i < count) y[i] = (float)(b != 0 ? a * (double)x[i] + b * (double)y[i] : a * (double)x[i]);
}

int ani_cuda_combine(int64_t count, double a, const float *x, double b, float *y,
                     cudaStream_t stream) {
    return ani_launch(combine, blocks_of(count), dim3(THREADS), 0, stream, count, a, x, b, y);
}

template <typename T>
static __global__ void __launch_bounds__(THREADS)
    copy_guarded(int64_t count, T *to, const T *from, const int32_t *guard) {
    if (!*guard) return;
    for (int64_t i = index_of_thread(); i < count; i += (int64_t)gridDim.x * THREADS)
        to[i] = from[i];
}

template <typename T>
static int launch_copy(int64_t size, void *to, const void *from, const int32_t *guard,
                       cudaStream_t stream) {
    const int64_t count = size / (int64_t)sizeof(T), wanted = ani_pieces(count, THREADS);
    return ani_launch(copy_guarded<T>, dim3((unsigned)ani_least(wanted, COPY_BLOCKS)),
                      dim3(THREADS), 0, stream, count, static_cast<T *>(to),
                      static_cast<const T *>(from), guard);
}

int ani_cuda_copy_guarded(void *to, const void *from, int64_t size, const int32_t *guard,
                          cudaStream_t stream) {
    const uintptr_t bits = (uintptr_t)to | (uintptr_t)from | (uintptr_t)size;
    if (bits % 16 == 0) return launch_copy<uint4>(size, to, from, guard, stream);
    if (bits % 4 == 0) return launch_copy<uint32_t>(size, to, from, guard, stream);
    return launch_copy<unsigned char>(size, to, from, guard, stream);
}
