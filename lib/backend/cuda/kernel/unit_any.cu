/* SPDX-License-Identifier: MIT
 * Units of any shape and any mix of elements, plainly: for what the fast kernels do not take (odd
 * channels, full convolutions of other than images, gradients of images). A thread has a channel
 * and every eighth row of its block; lanes have neighbouring channels. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/launch.h"
#include "backend/cuda/kernel/load.h"
#include "backend/cuda/kernel/totals.h"

enum {
    LANES = 32, /* channels of a block */
    ROWS = 8,   /* rows that a block works on at a time */
    THREADS = LANES * ROWS,
    PARTS = 256,            /* at most, of the rows */
    WEIGHT_PARTS = 64,      /* at most, of the rows for a weight gradient */
    WEIGHT_ITEMS = 1 << 22, /* parts * weights, about */
    CHAIN = 128             /* products added in float before the sum goes on in double */
};

/** What the kernels take. */
struct any_forward {
    ani_unit_shape s;
    ani_lazy x;
    const float *w;
    void *y;
    ani_moments_end end;
    ani_totals totals;
    int64_t rows, chunk; /* output pixels; of a part */
};
struct any_backward {
    ani_unit_shape s;
    ani_gradient dz;
    ani_lazy x;
    const float *w;
    ani_store store;
    ani_sums_end end;
    ani_totals totals;
    int64_t rows, chunk; /* input pixels; of a part */
};
struct any_weights {
    ani_unit_shape s;
    ani_gradient dz;
    ani_lazy x;
    float *dw;
    double *parts; /* [count][weights] */
    int64_t weights, rows, chunk;
    int32_t count;
};

static int64_t tap_count(const ani_unit_shape *s) {
    return s->kind == ANI_UNIT_POINTWISE ? 1 : 9;
}
static int64_t weight_count(const ani_unit_shape *s) {
    return tap_count(s) * s->cin * (s->kind == ANI_UNIT_DEPTHWISE ? 1 : s->cout);
}
static int64_t parts_of(int64_t rows) {
    return ani_least(ani_pieces(rows, ROWS), PARTS);
}
static int64_t weight_parts_of(const ani_unit_shape *s) {
    const int64_t rows = s->n * s->oh * s->ow;
    const int64_t fit = WEIGHT_ITEMS / weight_count(s);
    const int64_t parts = ani_least(ani_least(fit, WEIGHT_PARTS), rows);
    return parts < 1 ? 1 : parts;
}

/* --- which pixels belong together: as ref/unit.c ---------------------------------------------- */

ANI_DEVICE int taps_of(const ani_unit_shape &s) {
    return s.kind == ANI_UNIT_POINTWISE ? 1 : 9;
}
ANI_DEVICE int width_of(const ani_unit_shape &s) {
    return s.kind == ANI_UNIT_POINTWISE ? 1 : 3;
}

/* The input pixel that a tap of an output pixel reads; -1: it is in the padding. */
ANI_DEVICE int64_t input_pixel(const ani_unit_shape &s, int64_t row, int tap) {
    const int64_t n = row / (s.oh * s.ow), oy = row / s.ow % s.oh, ox = row % s.ow;
    const int64_t iy = oy * s.stride + tap / width_of(s) - s.pad_top;
    const int64_t ix = ox * s.stride + tap % width_of(s) - s.pad_left;
    if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) return -1;
    return (n * s.h + iy) * s.w + ix;
}

/* The output pixel that reads an input pixel through a tap; -1: there is none. */
ANI_DEVICE int64_t output_pixel(const ani_unit_shape &s, int64_t row, int tap) {
    const int64_t n = row / (s.h * s.w), iy = row / s.w % s.h, ix = row % s.w;
    const int64_t y = iy + s.pad_top - tap / width_of(s);
    const int64_t x = ix + s.pad_left - tap % width_of(s);
    if (y < 0 || x < 0 || y % s.stride || x % s.stride) return -1;
    const int64_t oy = y / s.stride, ox = x / s.stride;
    if (oy >= s.oh || ox >= s.ow) return -1;
    return (n * s.oh + oy) * s.ow + ox;
}

template <typename T> ANI_DEVICE float value_at(const void *tensor, int64_t i) {
    return ani_value(static_cast<const T *>(tensor)[i]);
}
template <typename T> ANI_DEVICE float lazy_at(const ani_lazy &x, int64_t i, int64_t channel) {
    return ani_lazy_value(value_at<T>(x.z, i), ani_affine_of(x, channel), x.relu6);
}
template <typename T> ANI_DEVICE float dz_at(const ani_gradient &dz, int64_t i, int64_t channel) {
    return ani_dz(value_at<T>(dz.g, i), dz.z ? value_at<T>(dz.z, i) : 0, ani_slope_of(dz, channel));
}

/* --- forward ---------------------------------------------------------------------------------- */

template <typename X> ANI_DEVICE float convolve(const any_forward &a, int64_t row, int64_t co) {
    const ani_unit_shape &s = a.s;
    float sum = 0;
    for (int tap = 0; tap < taps_of(s); tap++) {
        const int64_t pixel = input_pixel(s, row, tap);
        if (pixel < 0) continue;
        if (s.kind == ANI_UNIT_DEPTHWISE) {
            sum = fmaf(lazy_at<X>(a.x, pixel * s.cin + co, co), a.w[tap * s.cin + co], sum);
            continue;
        }
        for (int64_t ci = 0; ci < s.cin; ci++)
            sum = fmaf(lazy_at<X>(a.x, pixel * s.cin + ci, ci),
                       a.w[(tap * s.cin + ci) * s.cout + co], sum);
    }
    return sum;
}

/* Add what the threads of a channel have counted, in the order of their rows, and write the part's
 * two items of each channel. */
ANI_DEVICE void write_part(double *part, int channel, int row, double first, double second) {
    ANI_SHARED_ARRAY(double, all, THREADS * 2);
    all[ani_thread()] = first;
    all[THREADS + ani_thread()] = second;
    ani_sync();
    if (row) return;
    for (int i = 1; i < ROWS; i++) {
        first += all[i * LANES + channel];
        second += all[THREADS + i * LANES + channel];
    }
    part[channel] = first;
    part[LANES + channel] = second;
}

template <typename X, typename Y>
static __global__ void __launch_bounds__(THREADS) forward_kernel(any_forward a) {
    ANI_SHARED_ARRAY(double, shared, THREADS + 2 * LANES);
    const int lane = ani_thread() % LANES, first = ani_thread() / LANES;
    const int64_t co = (int64_t)blockIdx.y * LANES + lane, from = blockIdx.x * a.chunk;
    const int64_t end = ani_least(from + a.chunk, a.rows);
    const bool counts = a.totals.count > 0;
    ani_pivoted seen = {};
    for (int64_t row = from + first; co < a.s.cout && row < end; row += ROWS) {
        const Y stored = ani_element<Y>(convolve<X>(a, row, co));
        if (a.y) static_cast<Y *>(a.y)[row * a.s.cout + co] = stored;
        if (counts) ani_add(seen, ani_value(stored));
    }
    if (!counts) return;
    const ani_moment_sums sums = ani_moment_sums_of(seen.count, seen.pivot, seen.sum, seen.squares);
    const int slice = (int)blockIdx.y, part = (int)blockIdx.x;
    write_part(ani_totals_part(a.totals, slice, part), lane, first, sums.sum, sums.squares);
    const double *all;
    if (!ani_totals_join(a.totals, slice, part, shared, &all)) return;
    if (first == 0 && co < a.s.cout)
        ani_finish_channel(a.end, a.s.cout, co, a.rows, all[lane], all[LANES + lane]);
}

extern "C" int64_t ani_cuda_any_forward_scratch(const ani_unit_shape *s, int32_t element) {
    (void)element;
    const int64_t rows = s->n * s->oh * s->ow;
    return ani_totals_size(ani_pieces(s->cout, LANES), parts_of(rows), 2 * LANES);
}

extern "C" int ani_cuda_any_forward(const ani_unit_shape *s, const ani_unit_forward *args,
                                    unsigned *counters, cudaStream_t stream) {
    const int64_t slices = ani_pieces(s->cout, LANES);
    any_forward a = {};
    a.s = *s;
    a.x = args->x;
    a.w = args->w;
    a.y = args->y;
    a.end = ani_moments_end_of(args->moments, args->bn);
    a.rows = s->n * s->oh * s->ow;
    a.chunk = ani_pieces(a.rows, parts_of(a.rows));
    const int64_t parts = ani_pieces(a.rows, a.chunk);
    if (ani_wants_moments(a.end)) {
        if (!ani_totals_fit(slices)) return cudaErrorInvalidValue;
        a.totals = ani_totals_of(args->scratch, counters, slices, parts, 2 * LANES);
    }
    const dim3 grid((unsigned)parts, (unsigned)slices), block(THREADS);
    const bool x16 = args->x.element == ANI_BFLOAT16, y16 = args->element == ANI_BFLOAT16;
    return ani_launch(x16   ? y16 ? forward_kernel<ani_bf16, ani_bf16>
                                  : forward_kernel<ani_bf16, float>
                        : y16 ? forward_kernel<float, ani_bf16>
                            : forward_kernel<float, float>,
                      grid, block, 0, stream, a);
}

/* --- input gradient --------------------------------------------------------------------------- */

template <typename Z> ANI_DEVICE float gradient_of(const any_backward &a, int64_t row, int64_t ci) {
    const ani_unit_shape &s = a.s;
    float sum = 0;
    for (int tap = 0; tap < taps_of(s); tap++) {
        const int64_t pixel = output_pixel(s, row, tap);
        if (pixel < 0) continue;
        if (s.kind == ANI_UNIT_DEPTHWISE) {
            sum = fmaf(dz_at<Z>(a.dz, pixel * s.cin + ci, ci), a.w[tap * s.cin + ci], sum);
            continue;
        }
        const float *w = a.w + (tap * s.cin + ci) * s.cout;
        for (int64_t co = 0; co < s.cout; co++)
            sum = fmaf(dz_at<Z>(a.dz, pixel * s.cout + co, co), w[co], sum);
    }
    return sum;
}

template <typename X, typename Z>
static __global__ void __launch_bounds__(THREADS) input_kernel(any_backward a) {
    ANI_SHARED_ARRAY(double, shared, THREADS + 2 * LANES);
    const int lane = ani_thread() % LANES, first = ani_thread() / LANES;
    const int64_t ci = (int64_t)blockIdx.y * LANES + lane, from = blockIdx.x * a.chunk;
    const int64_t end = ani_least(from + a.chunk, a.rows);
    const bool counts = a.totals.count > 0;
    float sum = 0, product = 0;
    for (int64_t row = from + first; ci < a.s.cin && row < end; row += ROWS) {
        const int64_t i = row * a.s.cin + ci;
        const float add = a.store.add ? value_at<X>(a.store.add, i) : 0;
        const X stored = ani_element<X>(ani_dx(gradient_of<Z>(a, row, ci), add,
                                               a.x.relu6 ? value_at<X>(a.x.z, i) : 0,
                                               ani_affine_of(a.x, ci), a.x.relu6));
        static_cast<X *>(a.store.dx)[i] = stored;
        if (!counts) continue;
        const float dx = ani_value(stored);
        sum += dx;
        product = fmaf(dx, value_at<X>(a.store.z, i) - a.store.mean[ci], product);
    }
    if (!counts) return;
    const int slice = (int)blockIdx.y, part = (int)blockIdx.x;
    write_part(ani_totals_part(a.totals, slice, part), lane, first, sum, product);
    const double *all;
    if (!ani_totals_join(a.totals, slice, part, shared, &all)) return;
    if (first == 0 && ci < a.s.cin)
        ani_finish_channel(a.end, a.s.cin, ci, all[lane], all[LANES + lane]);
}

extern "C" int64_t ani_cuda_any_input_scratch(const ani_unit_shape *s, int32_t element) {
    (void)element;
    return ani_totals_size(ani_pieces(s->cin, LANES), parts_of(s->n * s->h * s->w), 2 * LANES);
}

extern "C" int ani_cuda_any_input(const ani_unit_shape *s, const ani_unit_backward *args,
                                  unsigned *counters, cudaStream_t stream) {
    const int64_t slices = ani_pieces(s->cin, LANES);
    any_backward a = {};
    a.s = *s;
    a.dz = args->dz;
    a.x = args->x;
    a.w = args->w;
    a.store = args->store;
    a.rows = s->n * s->h * s->w;
    a.end = ani_sums_end_of(args->store.sums, args->store.bn, a.rows);
    a.chunk = ani_pieces(a.rows, parts_of(a.rows));
    const int64_t parts = ani_pieces(a.rows, a.chunk);
    if (ani_wants_sums(a.end)) {
        if (!ani_totals_fit(slices)) return cudaErrorInvalidValue;
        a.totals = ani_totals_of(args->scratch, counters, slices, parts, 2 * LANES);
    }
    const dim3 grid((unsigned)parts, (unsigned)slices), block(THREADS);
    const bool x16 = args->x.element == ANI_BFLOAT16, z16 = args->dz.element == ANI_BFLOAT16;
    return ani_launch(x16   ? z16 ? input_kernel<ani_bf16, ani_bf16> : input_kernel<ani_bf16, float>
                        : z16 ? input_kernel<float, ani_bf16>
                            : input_kernel<float, float>,
                      grid, block, 0, stream, a);
}

/* --- weight gradient -------------------------------------------------------------------------- */

/* A thread has a weight and a part of the rows. */
template <typename X, typename Z>
static __global__ void __launch_bounds__(THREADS) weight_kernel(any_weights a) {
    const ani_unit_shape &s = a.s;
    const int64_t weight = (int64_t)blockIdx.x * THREADS + ani_thread();
    if (weight >= a.weights) return;
    const int64_t from = blockIdx.y * a.chunk;
    const int64_t end = ani_least(from + a.chunk, a.rows);
    const bool deep = s.kind == ANI_UNIT_DEPTHWISE;
    const int64_t co = weight % s.cout, ci = deep ? co : weight / s.cout % s.cin;
    const int tap = (int)(weight / (deep ? s.cin : s.cin * s.cout));
    double total = 0;
    float sum = 0;
    int chain = 0;
    for (int64_t row = from; row < end; row++) {
        const int64_t pixel = input_pixel(s, row, tap);
        if (pixel < 0) continue;
        sum = fmaf(lazy_at<X>(a.x, pixel * s.cin + ci, ci), dz_at<Z>(a.dz, row * s.cout + co, co),
                   sum);
        if (++chain < CHAIN) continue;
        total += sum;
        sum = 0;
        chain = 0;
    }
    a.parts[blockIdx.y * a.weights + weight] = total + sum;
}

static __global__ void __launch_bounds__(THREADS) weight_sum_kernel(any_weights a) {
    const int64_t weight = (int64_t)blockIdx.x * THREADS + ani_thread();
    if (weight >= a.weights) return;
    double sum = 0;
    for (int part = 0; part < a.count; part++)
        sum += a.parts[part * a.weights + weight];
    a.dw[weight] = (float)sum;
}

static int64_t weights_scratch(const ani_unit_shape *s) {
    return weight_parts_of(s) * weight_count(s) * (int64_t)sizeof(double);
}

static int launch_weights(const ani_unit_shape *s, const ani_unit_backward *args,
                          cudaStream_t stream) {
    any_weights a = {};
    a.s = *s;
    a.dz = args->dz;
    a.x = args->x;
    a.dw = args->dw;
    a.parts = static_cast<double *>(args->scratch);
    a.weights = weight_count(s);
    a.rows = s->n * s->oh * s->ow;
    a.chunk = ani_pieces(a.rows, weight_parts_of(s));
    a.count = (int32_t)ani_pieces(a.rows, a.chunk);
    const bool x16 = args->x.element == ANI_BFLOAT16, z16 = args->dz.element == ANI_BFLOAT16;
    const unsigned blocks = (unsigned)ani_pieces(a.weights, THREADS);
    int error =
        ani_launch(x16   ? z16 ? weight_kernel<ani_bf16, ani_bf16> : weight_kernel<ani_bf16, float>
                     : z16 ? weight_kernel<float, ani_bf16>
                         : weight_kernel<float, float>,
                   dim3(blocks, (unsigned)a.count), dim3(THREADS), 0, stream, a);
    if (!error) error = ani_launch(weight_sum_kernel, dim3(blocks), dim3(THREADS), 0, stream, a);
    return error;
}

/* --- backward --------------------------------------------------------------------------------- */

extern "C" int64_t ani_cuda_any_backward_scratch(const ani_unit_shape *s, int32_t element) {
    (void)element;
    const int64_t weights = weights_scratch(s);
    const int64_t sums = ani_cuda_any_input_scratch(s, element);
    return ani_most(weights, sums);
}

extern "C" int ani_cuda_any_backward(const ani_unit_shape *s, const ani_unit_backward *args,
                                     unsigned *counters, cudaStream_t stream) {
    int error = cudaSuccess;
    if (args->dw) error = launch_weights(s, args, stream);
    if (!error && args->store.dx) error = ani_cuda_any_input(s, args, counters, stream);
    return error;
}
