/* SPDX-License-Identifier: MIT
 * Pointwise units of any number of channels and either element, in float by fused multiply-adds:
 * for parity with the other backends, and for what the tensor cores do not take. A block has 64 by
 * 64 results, a thread 4 by 4 of them; what is summed over passes through shared memory, 16 at a
 * time. Forward, y = x w; of the input gradient, dx = dz w'; of that of the weights, dw = x' dz, in
 * slices of the rows that a second kernel joins in their order. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/launch.h"
#include "backend/cuda/kernel/load.h"
#include "backend/cuda/kernel/totals.h"

enum {
    SIDE = 64, /* rows and columns of a block */
    STEP = 16, /* of what is summed over */
    EACH = 4,  /* rows and columns of a thread */
    THREADS = 256,
    LINE = SIDE + 4,  /* floats of a line in shared memory */
    FEW = 16,         /* slices of the rows, for the weights, that any shape may have */
    BYTES = 4 << 20,  /* of all slices, where they are more */
    BLOCKS = 512,     /* of the weights' launch, about */
    SLICE_ROWS = 256, /* at least, of a slice */
    AHEAD = 8,        /* slices that are loaded together */
    PARTS = 1024      /* blocks one below the other, at most, where sums are formed */
};

enum { FORWARD, INPUT, WEIGHTS };

struct product {
    ani_lazy x;
    ani_gradient dz;
    const float *w;
    ani_store store;
    void *y;
    float *parts; /* WEIGHTS: [slices][cin][cout] */
    int64_t rows, slice;
    int32_t cin, cout;
    int32_t tiles; /* of a block, one below the other */
    ani_moments_end moments;
    ani_sums_end sums;
    ani_totals totals; /* count 0: no sums are wanted */
};

template <typename E> ANI_DEVICE float element_at(const void *tensor, int64_t at) {
    return ani_value(static_cast<const E *>(tensor)[at]);
}
template <typename E> ANI_DEVICE float x_at(const product &a, int64_t row, int channel) {
    return ani_lazy_value(element_at<E>(a.x.z, row * a.cin + channel), ani_affine_of(a.x, channel),
                          a.x.relu6);
}
template <typename E> ANI_DEVICE float dz_at(const product &a, int64_t row, int channel) {
    const int64_t at = row * a.cout + channel;
    return ani_dz(element_at<E>(a.dz.g, at), a.dz.z ? element_at<E>(a.dz.z, at) : 0,
                  ani_slope_of(a.dz, channel));
}

/* Operands: left (line of the result, number k of the sum), right (k, column). */
template <int KIND, typename X, typename Z>
ANI_DEVICE float left_at(const product &a, int64_t line, int64_t k) {
    if (KIND == FORWARD) return x_at<X>(a, line, (int)k);
    if (KIND == INPUT) return dz_at<Z>(a, line, (int)k);
    return x_at<X>(a, k, (int)line);
}
template <int KIND, typename Z>
ANI_DEVICE float right_at(const product &a, int64_t k, int64_t column) {
    if (KIND == FORWARD) return a.w[k * a.cout + column];
    if (KIND == INPUT) return a.w[column * a.cout + k];
    return dz_at<Z>(a, k, (int)column);
}

/* The sums of each column over the threads that have some of it, in their order: the part of this
 * block; and in the last block what follows. */
template <int KIND>
ANI_DEVICE void finish(const product &a, int slice, int part, int64_t lines, int64_t columns,
                       const double (&first)[EACH], const double (&second)[EACH]) {
    ANI_SHARED_ARRAY(double, all, 2 * SIDE * (SIDE / EACH));
    const int tx = ani_thread() % (SIDE / EACH), ty = ani_thread() / (SIDE / EACH);
    const int64_t column0 = (int64_t)slice * SIDE;
    ANI_UNROLL
    for (int j = 0; j < EACH; j++) {
        all[ty * SIDE + tx + j * (SIDE / EACH)] = first[j];
        all[(SIDE / EACH + ty) * SIDE + tx + j * (SIDE / EACH)] = second[j];
    }
    ani_sync();
    double *items = ani_totals_part(a.totals, slice, part);
    for (int i = ani_thread(); i < 2 * SIDE; i += THREADS) {
        const double *from = all + i / SIDE * (SIDE / EACH) * SIDE + i % SIDE;
        double sum = 0;
        for (int t = 0; t < SIDE / EACH; t++)
            sum += from[t * SIDE];
        items[i] = sum;
    }
    const double *sums;
    if (!ani_totals_join(a.totals, slice, part, all, &sums)) return;
    for (int i = ani_thread(); i < SIDE && column0 + i < columns; i += THREADS) {
        if (KIND == FORWARD)
            ani_finish_channel(a.moments, columns, column0 + i, lines, sums[i], sums[SIDE + i]);
        else
            ani_finish_channel(a.sums, columns, column0 + i, sums[i], sums[SIDE + i]);
    }
}

template <int KIND, typename X, typename Z>
static __global__ void __launch_bounds__(THREADS, 2) product_kernel(product a) {
    ANI_SHARED_ARRAY(float, left, STEP *LINE);
    ANI_SHARED_ARRAY(float, right, STEP *LINE);
    const int thread = ani_thread(), tx = thread % (SIDE / EACH), ty = thread / (SIDE / EACH);
    const int64_t lines = KIND == WEIGHTS ? a.cin : a.rows;
    const int64_t columns = KIND == INPUT ? a.cin : a.cout;
    const int across = (int)ani_pieces(columns, SIDE); /* blocks of the same lines come together */
    const int slice = (int)blockIdx.x % across, part = (int)blockIdx.x / across;
    const int64_t column0 = (int64_t)slice * SIDE;
    const int64_t begin = KIND == WEIGHTS ? blockIdx.y * a.slice : 0;
    const int64_t end = KIND == WEIGHTS   ? ani_least(begin + a.slice, a.rows)
                        : KIND == FORWARD ? a.cin
                                          : a.cout;
    double first[EACH] = {0}, second[EACH] = {0};
    for (int tile = 0; tile < a.tiles; tile++) {
        const int64_t line0 = ((int64_t)part * a.tiles + tile) * SIDE;
        if (line0 >= lines) break;
        float sum[EACH][EACH];
        ANI_UNROLL
        for (int i = 0; i < EACH; i++)
            ANI_UNROLL
        for (int j = 0; j < EACH; j++)
            sum[i][j] = 0;
        for (int64_t k0 = begin; k0 < end; k0 += STEP) {
            ani_sync();
            ANI_UNROLL
            for (int i = 0; i < STEP * SIDE / THREADS; i++) {
                const int at = i * THREADS + thread;
                /* neighbours in memory are neighbours among the threads */
                const int k = KIND == WEIGHTS ? at / SIDE : at % STEP;
                const int line = KIND == WEIGHTS ? at % SIDE : at / STEP;
                left[k * LINE + line] = k0 + k < end && line0 + line < lines
                                            ? left_at<KIND, X, Z>(a, line0 + line, k0 + k)
                                            : 0;
                const int down = KIND == INPUT ? at % STEP : at / SIDE;
                const int column = KIND == INPUT ? at / STEP : at % SIDE;
                right[down * LINE + column] =
                    k0 + down < end && column0 + column < columns
                        ? right_at<KIND, Z>(a, k0 + down, column0 + column)
                        : 0;
            }
            ani_sync();
            ANI_UNROLL
            for (int k = 0; k < STEP; k++) {
                float l[EACH], r[EACH];
                ANI_UNROLL
                for (int i = 0; i < EACH; i++) {
                    l[i] = left[k * LINE + ty * EACH + i];
                    r[i] = right[k * LINE + tx + i * (SIDE / EACH)];
                }
                ANI_UNROLL
                for (int i = 0; i < EACH; i++)
                    ANI_UNROLL
                for (int j = 0; j < EACH; j++)
                    sum[i][j] = fmaf(l[i], r[j], sum[i][j]);
            }
        }
        ANI_UNROLL
        for (int j = 0; j < EACH; j++) {
            const int64_t column = column0 + tx + j * (SIDE / EACH);
            if (column >= columns) continue;
            ani_pivoted seen = {};
            float of = 0, product = 0;
            const ani_affine affine = KIND == INPUT ? ani_affine_of(a.x, column) : ani_affine();
            ANI_UNROLL
            for (int i = 0; i < EACH; i++) {
                const int64_t line = line0 + ty * EACH + i, at = line * columns + column;
                if (line >= lines) continue;
                if (KIND == WEIGHTS) a.parts[blockIdx.y * lines * columns + at] = sum[i][j];
                if (KIND == FORWARD) {
                    const Z stored = ani_element<Z>(sum[i][j]);
                    if (a.y) static_cast<Z *>(a.y)[at] = stored;
                    ani_add(seen, ani_value(stored));
                }
                if (KIND == INPUT) {
                    const float add = a.store.add ? element_at<X>(a.store.add, at) : 0;
                    const float z = a.x.relu6 ? element_at<X>(a.x.z, at) : 0;
                    const X stored = ani_element<X>(ani_dx(sum[i][j], add, z, affine, a.x.relu6));
                    static_cast<X *>(a.store.dx)[at] = stored;
                    if (!a.totals.count) continue;
                    const float dx = ani_value(stored);
                    of += dx;
                    product =
                        fmaf(dx, element_at<X>(a.store.z, at) - a.store.mean[column], product);
                }
            }
            const ani_moment_sums sums =
                ani_moment_sums_of(seen.count, seen.pivot, seen.sum, seen.squares);
            first[j] += KIND == FORWARD ? sums.sum : of;
            second[j] += KIND == FORWARD ? sums.squares : product;
        }
    }
    if (KIND != WEIGHTS && a.totals.count)
        finish<KIND>(a, slice, part, lines, columns, first, second);
}

static __global__ void __launch_bounds__(THREADS)
    slices_kernel(const float *parts, int32_t slices, int64_t weights, float *dw) {
    const int64_t at = (int64_t)blockIdx.x * THREADS + ani_thread();
    if (at >= weights) return;
    double sum = 0;
    for (int i = 0; i < slices; i += AHEAD) {
        float loaded[AHEAD];
        ANI_UNROLL
        for (int k = 0; k < AHEAD; k++)
            loaded[k] = i + k < slices ? parts[(i + k) * weights + at] : 0;
        ANI_UNROLL
        for (int k = 0; k < AHEAD; k++)
            sum += loaded[k];
    }
    dw[at] = (float)sum;
}

/* --- launching -------------------------------------------------------------------------------- */

static int64_t rows_of(const ani_unit_shape *s) {
    return s->n * s->h * s->w;
}
static int64_t slice_of(const ani_unit_shape *s) {
    const int64_t blocks = ani_pieces(s->cin, SIDE) * ani_pieces(s->cout, SIDE);
    const int64_t fit = BYTES / (s->cin * s->cout * (int64_t)sizeof(float));
    int64_t slices = ani_least(ani_most(fit, FEW), ani_pieces(BLOCKS, blocks));
    slices = ani_least(slices, ani_pieces(rows_of(s), SLICE_ROWS));
    return ani_pieces(rows_of(s), slices);
}
static int64_t tiles_of(const ani_unit_shape *s) {
    return ani_pieces(ani_pieces(rows_of(s), SIDE), PARTS);
}
static int64_t parts_of(const ani_unit_shape *s) {
    return ani_pieces(rows_of(s), SIDE * tiles_of(s));
}
/* The sums of a result of `columns` columns. */
static int64_t sums_size(const ani_unit_shape *s, int64_t columns) {
    return ani_totals_size(ani_pieces(columns, SIDE), parts_of(s), 2 * SIDE);
}
static ani_totals sums_of(const ani_unit_shape *s, int64_t columns, void *scratch,
                          unsigned *counters) {
    return ani_totals_of(scratch, counters, ani_pieces(columns, SIDE), parts_of(s), 2 * SIDE);
}

template <int KIND>
static int launch(const product &a, int64_t lines, int64_t columns, int64_t slices, bool x16,
                  bool z16, cudaStream_t stream) {
    const dim3 grid((unsigned)(ani_pieces(columns, SIDE) * ani_pieces(lines, SIDE * a.tiles)),
                    (unsigned)slices);
    return ani_launch(x16   ? z16 ? product_kernel<KIND, ani_bf16, ani_bf16>
                                  : product_kernel<KIND, ani_bf16, float>
                        : z16 ? product_kernel<KIND, float, ani_bf16>
                            : product_kernel<KIND, float, float>,
                      grid, dim3(THREADS), 0, stream, a);
}

extern "C" int32_t ani_cuda_product_takes(const ani_unit_shape *s, int32_t element) {
    (void)element;
    return s->kind == ANI_UNIT_POINTWISE &&
           ani_totals_fit(ani_pieces(ani_most(s->cin, s->cout), SIDE)) &&
           ani_pieces(rows_of(s), SIDE) * ani_pieces(s->cin + s->cout, SIDE) <= INT32_MAX;
}

extern "C" int64_t ani_cuda_product_forward_scratch(const ani_unit_shape *s, int32_t element) {
    (void)element;
    return sums_size(s, s->cout);
}

extern "C" int ani_cuda_product_forward(const ani_unit_shape *s, const ani_unit_forward *args,
                                        unsigned *counters, cudaStream_t stream) {
    product a = {};
    a.x = args->x;
    a.w = args->w;
    a.y = args->y;
    a.rows = rows_of(s);
    a.cin = (int32_t)s->cin;
    a.cout = (int32_t)s->cout;
    a.tiles = (int32_t)tiles_of(s);
    a.moments = ani_moments_end_of(args->moments, args->bn);
    if (ani_wants_moments(a.moments)) a.totals = sums_of(s, s->cout, args->scratch, counters);
    return launch<FORWARD>(a, a.rows, a.cout, 1, args->x.element == ANI_BFLOAT16,
                           args->element == ANI_BFLOAT16, stream);
}

extern "C" int64_t ani_cuda_product_backward_scratch(const ani_unit_shape *s, int32_t element) {
    (void)element;
    const int64_t slices = ani_pieces(rows_of(s), slice_of(s));
    const int64_t weights = slices * s->cin * s->cout * (int64_t)sizeof(float);
    const int64_t input = sums_size(s, s->cin);
    return ani_most(input, weights);
}

/* The two share the scratch, one after the other. */
extern "C" int ani_cuda_product_backward(const ani_unit_shape *s, const ani_unit_backward *args,
                                         unsigned *counters, cudaStream_t stream) {
    const bool x16 = args->x.element == ANI_BFLOAT16, z16 = args->dz.element == ANI_BFLOAT16;
    int error = cudaSuccess;
    product a = {};
    a.x = args->x;
    a.dz = args->dz;
    a.w = args->w;
    a.store = args->store;
    a.rows = rows_of(s);
    a.slice = slice_of(s);
    a.cin = (int32_t)s->cin;
    a.cout = (int32_t)s->cout;
    if (args->dw) {
        const int64_t slices = ani_pieces(a.rows, a.slice), weights = s->cin * s->cout;
        a.parts = static_cast<float *>(args->scratch);
        a.tiles = 1;
        error = launch<WEIGHTS>(a, a.cin, a.cout, slices, x16, z16, stream);
        if (!error)
            error =
                ani_launch(slices_kernel, dim3((unsigned)ani_pieces(weights, THREADS)),
                           dim3(THREADS), 0, stream, a.parts, (int32_t)slices, weights, args->dw);
    }
    if (error || !args->store.dx) return error;
    a.tiles = (int32_t)tiles_of(s);
    a.sums = ani_sums_end_of(args->store.sums, args->store.bn, a.rows);
    if (ani_wants_sums(a.sums)) a.totals = sums_of(s, s->cin, args->scratch, counters);
    return launch<INPUT>(a, a.rows, a.cin, 1, x16, z16, stream);
}
