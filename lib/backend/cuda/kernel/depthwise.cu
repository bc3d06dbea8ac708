/* SPDX-License-Identifier: MIT
 * The depthwise convolution forward: normalised and clamped while it is loaded, with moments and
 * batch norm in the same launch.
 *
 * A thread keeps the results of the rows that are not complete yet (three with stride 1, two with
 * stride 2) in registers and adds each input row to them as it comes: an input value is loaded from
 * shared memory and normalised once per group of columns, half as often again for the columns that
 * neighbours share. */
#include "backend/cuda/kernel/depthwise.h"

#include "backend/cuda/kernel/launch.h"
#include "backend/cuda/kernel/totals.h"

enum { STAGES = 4, COLUMNS = ANI_DW_COLUMNS };

struct depthwise_forward {
    const void *x;
    const float *scale, *shift; /* or NULL */
    float low, high;            /* of the activation */
    const float *w;
    void *y;
    int32_t h, w_in, c, oh, ow, n, pad_top, pad_left;
    ani_dw_tiling tiling;
    int32_t stage; /* bytes */
    ani_moments_end end;
    ani_totals totals;
};

/* Columns that a block reads. */
static int64_t columns_of(const ani_dw_tiling &t, int stride) {
    return (int64_t)(t.groups * COLUMNS - 1) * stride + 3;
}
static ani_dw_tiling cut(const ani_unit_shape *s, int32_t element) {
    return ani_dw_cut(s->n, s->oh, s->ow, s->cout, s->stride, (int)ani_element_size(element));
}

template <typename E, int STRIDE>
static __global__ void __launch_bounds__(ANI_DW_THREADS, STRIDE == 1 ? 5 : 4)
    forward_kernel(depthwise_forward a) {
    enum {
        SPAN = (COLUMNS - 1) * STRIDE + 3,     /* columns that a thread reads */
        PER = STRIDE * (int)sizeof(E) / 2 + 1, /* copies of a row by a thread */
        OPEN = STRIDE == 1 ? 3 : 2,            /* rows that are not complete */
        PERIOD = OPEN * STRIDE
    };
    ANI_SHARED_BYTES(ring);
    const ani_dw_tiling &t = a.tiling;
    const ani_dw_block b = ani_dw_block_of(t);
    const int pairs = t.channels / 2, group = ani_thread() / pairs, pair = ani_thread() % pairs;
    const int c0 = b.slice * t.channels + 2 * pair, x0 = (b.column * t.groups + group) * COLUMNS;
    const int width = group < t.groups && c0 < a.c ? a.ow - x0 : 0; /* columns that are mine */
    const int left = x0 * STRIDE - a.pad_left;
    const bool inside = left >= 0 && left + SPAN <= a.w_in;
    const int r0 = b.band * t.rows, rows = a.oh - r0 < t.rows ? a.oh - r0 : t.rows;
    const int steps = (rows - 1) * STRIDE + 3, top = r0 * STRIDE - a.pad_top;
    const int first = b.chunk * t.images, last = first + t.images < a.n ? first + t.images : a.n;

    const ani_dw_copies<PER> copies =
        ani_dw_plan<E, PER>(t, b.slice, b.column * t.groups * COLUMNS * STRIDE - a.pad_left,
                            (t.groups * COLUMNS - 1) * STRIDE + 3, a.w_in, a.c);
    int ahead_image = first, ahead_step = 0, ahead_stage = 0;
    auto start = [&] {
        const int y = top + ahead_step;
        if (ahead_image < last && y >= 0 && y < a.h)
            ani_dw_start<E>(copies, ring + ahead_stage * a.stage,
                            static_cast<const E *>(a.x) +
                                ((int64_t)ahead_image * a.h + y) * a.w_in * a.c);
        ani_copy_commit();
        ahead_stage = ahead_stage + 1 == STAGES ? 0 : ahead_stage + 1;
        if (++ahead_step < steps) return;
        ahead_step = 0;
        ahead_image++;
    };
    for (int i = 0; i < STAGES - 1; i++)
        start();

    float w[9][2], scale[2] = {1, 1}, shift[2] = {0, 0};
    ANI_UNROLL
    for (int k = 0; k < 9; k++)
        w[k][0] = w[k][1] = 0;
    if (width > 0) {
        ANI_UNROLL
        for (int k = 0; k < 9; k++)
            ani_load<2>(w[k], a.w + k * a.c + c0);
        if (a.scale) {
            ani_load<2>(scale, a.scale + c0);
            ani_load<2>(shift, a.shift + c0);
        }
    }
    const unsigned char *mine = ring + group * COLUMNS * STRIDE * t.pixel + pair * 2 * sizeof(E);
    float open[OPEN][COLUMNS][2];
    float pivot[2] = {0, 0}, sum[2] = {0, 0}, squares[2] = {0, 0};
    const bool counts = a.totals.count > 0;
    int stage = 0;

    for (int image = first; image < last; image++) {
        E *y = static_cast<E *>(a.y) + (((int64_t)image * a.oh + r0) * a.ow + x0) * a.c + c0;
        for (int step0 = 0; step0 < steps; step0 += PERIOD) {
            ANI_UNROLL
            for (int u = 0; u < PERIOD; u++) {
                const int step = step0 + u;
                if (step >= steps) break;
                ani_copy_wait<STAGES - 2>();
                ani_sync();
                start();
                const unsigned char *from = mine + stage * a.stage;
                stage = stage + 1 == STAGES ? 0 : stage + 1;
                if (width <= 0) continue;
                if (u % STRIDE == 0) {
                    ANI_UNROLL
                    for (int p = 0; p < COLUMNS; p++)
                        open[u / STRIDE][p][0] = open[u / STRIDE][p][1] = 0;
                }
                if (top + step >= 0 && top + step < a.h) {
                    float v[SPAN][2];
                    ANI_UNROLL
                    for (int i = 0; i < SPAN; i++) {
                        ani_load<2>(v[i], reinterpret_cast<const E *>(from + i * t.pixel));
                        ANI_UNROLL
                        for (int j = 0; j < 2; j++)
                            v[i][j] = ani_bound(fmaf(v[i][j], scale[j], shift[j]), a.low, a.high);
                    }
                    if (!inside) {
                        ANI_UNROLL
                        for (int i = 0; i < SPAN; i++)
                            if (left + i < 0 || left + i >= a.w_in) v[i][0] = v[i][1] = 0;
                    }
                    ANI_UNROLL
                    for (int ky = 0; ky < 3; ky++) {
                        if ((u + 2 - ky) % STRIDE) continue;
                        const int row = (u + PERIOD - ky) / STRIDE % OPEN;
                        ANI_UNROLL
                        for (int kx = 0; kx < 3; kx++)
                            ANI_UNROLL
                        for (int p = 0; p < COLUMNS; p++)
                            ANI_UNROLL
                        for (int j = 0; j < 2; j++)
                            open[row][p][j] =
                                fmaf(v[p * STRIDE + kx][j], w[ky * 3 + kx][j], open[row][p][j]);
                    }
                }
                if (u % STRIDE || step < 2) continue;
                const int row = (u + PERIOD - 2) / STRIDE % OPEN;
                ANI_UNROLL
                for (int p = 0; p < COLUMNS; p++) {
                    if (p >= width) continue;
                    ani_dw_store(y + p * a.c, open[row][p], a.y != NULL);
                    if (!counts) continue;
                    ANI_UNROLL
                    for (int j = 0; j < 2; j++) {
                        if (p == 0 && step == 2 && image == first) pivot[j] = open[row][p][j];
                        const float d = open[row][p][j] - pivot[j];
                        sum[j] += d;
                        squares[j] = fmaf(d, d, squares[j]);
                    }
                }
                y += (int64_t)a.ow * a.c;
            }
        }
    }
    if (!counts) return;

    /* The part of this block: over its groups, in their order. */
    ani_sync();
    double *all = reinterpret_cast<double *>(ring); /* [2][groups][channels] */
    if (group < t.groups) {
        const float count =
            width > 0 ? (float)((last - first) * rows * (width < COLUMNS ? width : COLUMNS)) : 0;
        ANI_UNROLL
        for (int j = 0; j < 2; j++) {
            const ani_moment_sums sums = ani_moment_sums_of(count, pivot[j], sum[j], squares[j]);
            all[group * t.channels + 2 * pair + j] = sums.sum;
            all[(t.groups + group) * t.channels + 2 * pair + j] = sums.squares;
        }
    }
    ani_sync();
    double *part = ani_totals_part(a.totals, b.slice, b.part);
    for (int i = ani_thread(); i < 2 * t.channels; i += t.threads) {
        const double *from = all + i / t.channels * t.groups * t.channels + i % t.channels;
        double total = 0;
        for (int g = 0; g < t.groups; g++)
            total += from[g * t.channels];
        part[i] = total;
    }
    const double *totals;
    if (!ani_totals_join(a.totals, b.slice, b.part, ring, &totals)) return;
    for (int i = ani_thread(); i < t.channels; i += t.threads) {
        const int channel = b.slice * t.channels + i;
        if (channel < a.c)
            ani_finish_channel(a.end, a.c, channel, (int64_t)a.n * a.oh * a.ow, totals[i],
                               totals[t.channels + i]);
    }
}

extern "C" int32_t ani_cuda_depthwise_takes(const ani_unit_shape *s, int32_t element) {
    return s->kind == ANI_UNIT_DEPTHWISE && ani_dw_takes(s->cin, element) &&
           s->h * s->w * s->cin <= INT32_MAX && s->oh * s->ow * s->cin <= INT32_MAX;
}

extern "C" int64_t ani_cuda_depthwise_forward_scratch(const ani_unit_shape *s, int32_t element) {
    const ani_dw_tiling t = cut(s, element);
    const int64_t mine = ani_totals_size(t.slices, ani_dw_parts(t), 2 * t.channels);
    const int64_t any = ani_cuda_any_forward_scratch(s, element);
    return ani_most(mine, any);
}

extern "C" int ani_cuda_depthwise_forward(const ani_unit_shape *s, const ani_unit_forward *args,
                                          unsigned *counters, cudaStream_t stream) {
    if (args->x.element != args->element || !ani_is_aligned(args->x.z) || !ani_is_aligned(args->y))
        return ani_cuda_any_forward(s, args, counters, stream); /* an image, or part of a tensor */
    const ani_dw_tiling t = cut(s, args->element);
    depthwise_forward a = {};
    a.x = args->x.z;
    a.scale = args->x.scale;
    a.shift = args->x.shift;
    a.low = args->x.relu6 ? 0 : -INFINITY;
    a.high = args->x.relu6 ? 6 : INFINITY;
    a.w = args->w;
    a.y = args->y;
    a.n = (int32_t)s->n;
    a.h = (int32_t)s->h;
    a.w_in = (int32_t)s->w;
    a.c = (int32_t)s->cin;
    a.oh = (int32_t)s->oh;
    a.ow = (int32_t)s->ow;
    a.pad_top = s->pad_top;
    a.pad_left = s->pad_left;
    a.tiling = t;
    a.stage = (int32_t)(columns_of(t, s->stride) * t.pixel);
    a.end = ani_moments_end_of(args->moments, args->bn);
    if (ani_wants_moments(a.end)) {
        if (!ani_totals_fit(t.slices)) return cudaErrorInvalidValue;
        a.totals =
            ani_totals_of(args->scratch, counters, t.slices, ani_dw_parts(t), 2 * t.channels);
    }
    const int64_t groups = 2 * t.groups * t.channels * (int64_t)sizeof(double);
    const int64_t join = ANI_TOTALS_SHARED(t.threads, 2 * t.channels);
    const int64_t shared = ani_most(STAGES * a.stage, ani_most(groups, join));
    const dim3 grid((unsigned)(t.slices * ani_dw_parts(t))), block((unsigned)t.threads);
    void (*kernel)(depthwise_forward);
    if (args->element == ANI_BFLOAT16)
        kernel = s->stride == 1 ? forward_kernel<ani_bf16, 1> : forward_kernel<ani_bf16, 2>;
    else
        kernel = s->stride == 1 ? forward_kernel<float, 1> : forward_kernel<float, 2>;
    return ani_launch(kernel, grid, block, (size_t)shared, stream, a);
}
