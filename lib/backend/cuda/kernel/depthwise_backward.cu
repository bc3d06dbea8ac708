/* SPDX-License-Identifier: MIT
 * The depthwise convolution backward: input gradient, weight gradient and the sums of the stored
 * gradient in one march over g, z and x, each of which is loaded once; batch norm of the unit below
 * is finished in the same launch.
 *
 * Input value and weights meet the same values of dz: dx = sum of w[k] * dz[k], and dw[k] += x *
 * dz[k], with dz[k] at the output that reads the input through tap k. So a thread keeps the rows of
 * dz around its input row in registers (three with stride 1, two with stride 2) and needs x only in
 * its own columns. With stride 2, a step is a row of dz and the two input rows that begin at its
 * window. */
#include "backend/cuda/kernel/depthwise.h"

#include "backend/cuda/kernel/launch.h"
#include "backend/cuda/kernel/totals.h"

enum {
    STAGES = 3,
    COLUMNS = ANI_DW_COLUMNS,
    KINDS = 11 /* of sums: 9 weights, dx, dx * (z - mean) */
};

/* Of each pair of channels, in a table in shared memory: in registers it would cost a third of the
 * threads that a multiprocessor holds. Lanes are 30 words apart, so they meet different banks. */
enum { W, SLOPE_A = 9, SLOPE_B, SLOPE_C, MEAN, SCALE, SHIFT, TABLE };

struct depthwise_backward {
    ani_gradient dz;
    ani_lazy x;
    const float *w;
    float *dw; /* or NULL */
    ani_store store;
    int32_t h, w_in, c, oh, ow, n, pad_top, pad_left;
    ani_dw_tiling tiling;
    int32_t dz_row, x_row; /* bytes of a row in a stage: of g, and of z; of x */
    int32_t rows;          /* that bands divide */
    ani_sums_end end;
    ani_totals totals;
};

/* Rows or columns that bands or groups divide: of the input; with stride 2, of the windows that
 * reach it. */
static int64_t extent(int64_t size, int64_t pad, int stride) {
    return stride == 1 ? size : (size - 1 + pad) / 2 + 1;
}
static ani_dw_tiling cut(const ani_unit_shape *s, int32_t element) {
    return ani_dw_cut(s->n, extent(s->h, s->pad_top, s->stride),
                      extent(s->w, s->pad_left, s->stride), s->cin, s->stride,
                      (int)ani_element_size(element));
}

template <typename E, int STRIDE>
static __global__ void __launch_bounds__(ANI_DW_THREADS, sizeof(E) == 2 ? 4 : 3)
    backward_kernel(depthwise_backward a) {
    enum {
        OPEN = 4 - STRIDE,                  /* rows of dz that an input row meets */
        LEAD = OPEN - 1,                    /* steps before the first input row */
        SPAN = COLUMNS + LEAD,              /* columns of dz that a thread needs */
        MINE = COLUMNS * STRIDE,            /* input columns of a thread */
        PER = (int)sizeof(E) / 2 + 1,       /* copies of a row of g or z by a thread */
        PER_X = STRIDE * (int)sizeof(E) / 2 /* of a row of x */
    };
    ANI_SHARED_BYTES(ring);
    const ani_dw_tiling &t = a.tiling;
    const ani_dw_block b = ani_dw_block_of(t);
    const int pairs = t.channels / 2, group = ani_thread() / pairs, pair = ani_thread() % pairs;
    const int c0 = b.slice * t.channels + 2 * pair;
    const bool active = group < t.groups && c0 < a.c;
    /* First column of the block, in groups' own units; of its dz and of its x. */
    const int first_column = b.column * t.groups * COLUMNS;
    const int first_dz = STRIDE == 1 ? first_column + a.pad_left - 2 : first_column - 1;
    const int first_x = STRIDE == 1 ? first_column : 2 * first_column - a.pad_left;
    const int left_dz = first_dz + group * COLUMNS, left_x = first_x + group * MINE;
    const bool inside_dz = left_dz >= 0 && left_dz + SPAN <= a.ow;
    const bool inside_x = left_x >= 0 && left_x + MINE <= a.w_in;
    const int r0 = b.band * t.rows, rows = a.rows - r0 < t.rows ? a.rows - r0 : t.rows;
    const int steps = rows + LEAD, top_dz = STRIDE == 1 ? r0 + a.pad_top - 2 : r0 - 1;
    const int first = b.chunk * t.images, last = first + t.images < a.n ? first + t.images : a.n;
    const int stage_bytes = 2 * a.dz_row + STRIDE * a.x_row;

    const ani_dw_copies<PER> dz_copies =
        ani_dw_plan<E, PER>(t, b.slice, first_dz, t.groups * COLUMNS + LEAD, a.ow, a.c);
    const ani_dw_copies<PER_X> x_copies =
        ani_dw_plan<E, PER_X>(t, b.slice, first_x, t.groups * MINE, a.w_in, a.c);
    int ahead_image = first, ahead_step = 0, ahead_at = 0;
    auto start = [&] {
        unsigned char *to = ring + ahead_at;
        const int y = top_dz + ahead_step;
        if (ahead_image < last && y >= 0 && y < a.oh) {
            const int64_t row = ((int64_t)ahead_image * a.oh + y) * a.ow * a.c;
            ani_dw_start<E>(dz_copies, to, static_cast<const E *>(a.dz.g) + row);
            if (a.dz.z)
                ani_dw_start<E>(dz_copies, to + a.dz_row, static_cast<const E *>(a.dz.z) + row);
        }
        ANI_UNROLL
        for (int i = 0; i < STRIDE; i++) {
            const int x = STRIDE == 1 ? r0 + ahead_step - 2 : 2 * y - a.pad_top + i;
            if (ahead_image < last && ahead_step >= LEAD && x >= 0 && x < a.h)
                ani_dw_start<E>(x_copies, to + 2 * a.dz_row + i * a.x_row,
                                static_cast<const E *>(a.x.z) +
                                    ((int64_t)ahead_image * a.h + x) * a.w_in * a.c);
        }
        ani_copy_commit();
        ahead_at = ahead_at == (STAGES - 1) * stage_bytes ? 0 : ahead_at + stage_bytes;
        if (++ahead_step < steps) return;
        ahead_step = 0;
        ahead_image++;
    };
    for (int i = 0; i < STAGES - 1; i++)
        start();

    const bool counts = a.end.sums || a.end.norm;
    float *const table =
        reinterpret_cast<float *>(ring + STAGES * stage_bytes); /* [channels / 2][TABLE][2] */
    for (int i = ani_thread(); i < TABLE * t.channels; i += t.threads) {
        const int kind = i / t.channels, channel = b.slice * t.channels + i % t.channels;
        float value = kind == SLOPE_A || kind == SCALE ? 1 : 0;
        if (channel < a.c) {
            if (kind < SLOPE_A) value = a.w[kind * a.c + channel];
            if (kind == SLOPE_A && a.dz.a) value = a.dz.a[channel];
            if (kind == SLOPE_B && a.dz.z) value = a.dz.b[channel];
            if (kind == SLOPE_C && a.dz.z) value = a.dz.c[channel];
            if (kind == MEAN && counts) value = a.store.mean[channel];
            if (kind == SCALE && a.x.scale) value = a.x.scale[channel];
            if (kind == SHIFT && a.x.scale) value = a.x.shift[channel];
        }
        table[(i % t.channels / 2 * TABLE + kind) * 2 + i % 2] = value;
    }
    const float *const my_table = table + 2 * TABLE * pair;
    float dw[9][2], sum[2] = {0, 0}, product[2] = {0, 0};
    ANI_UNROLL
    for (int k = 0; k < 9; k++)
        dw[k][0] = dw[k][1] = 0;
    const float low = a.x.relu6 ? 0 : -INFINITY, high = a.x.relu6 ? 6 : INFINITY;
    const unsigned char *my_dz = ring + group * COLUMNS * t.pixel + pair * 2 * sizeof(E);
    const unsigned char *my_x = ring + 2 * a.dz_row + group * MINE * t.pixel + pair * 2 * sizeof(E);
    float dz[OPEN][SPAN][2];
    ANI_UNROLL
    for (int i = 0; i < OPEN * SPAN; i++)
        dz[i / SPAN][i % SPAN][0] = dz[i / SPAN][i % SPAN][1] = 0;
    int next_at = 0;

    for (int image = first; image < last; image++) {
        for (int step0 = 0; step0 < steps; step0 += OPEN) {
            ANI_UNROLL
            for (int u = 0; u < OPEN; u++) {
                const int step = step0 + u;
                if (step >= steps) break;
                ani_copy_wait<STAGES - 2>();
                ani_sync();
                start();
                const int at = next_at;
                next_at = next_at == (STAGES - 1) * stage_bytes ? 0 : next_at + stage_bytes;
                if (!active) continue;
                const int y = top_dz + step;
                if (y >= 0 && y < a.oh) {
                    float slope[3][2];
                    ANI_UNROLL
                    for (int k = 0; k < 3; k++)
                        ani_load<2>(slope[k], my_table + 2 * (SLOPE_A + k));
                    ANI_UNROLL
                    for (int i = 0; i < SPAN; i++) {
                        float g[2], z[2] = {0, 0};
                        ani_load<2>(g, reinterpret_cast<const E *>(my_dz + at + i * t.pixel));
                        if (a.dz.z)
                            ani_load<2>(z, reinterpret_cast<const E *>(my_dz + at + a.dz_row +
                                                                       i * t.pixel));
                        ANI_UNROLL
                        for (int j = 0; j < 2; j++)
                            dz[u][i][j] =
                                fmaf(slope[0][j], g[j], fmaf(slope[1][j], z[j], slope[2][j]));
                    }
                    if (!inside_dz) {
                        ANI_UNROLL
                        for (int i = 0; i < SPAN; i++)
                            if (left_dz + i < 0 || left_dz + i >= a.ow)
                                dz[u][i][0] = dz[u][i][1] = 0;
                    }
                } else {
                    ANI_UNROLL
                    for (int i = 0; i < SPAN; i++)
                        dz[u][i][0] = dz[u][i][1] = 0;
                }
                if (step < LEAD) continue;
                ANI_UNROLL
                for (int part = 0; part < STRIDE * STRIDE; part++) {
                    const int r = part / STRIDE, p0 = part % STRIDE * COLUMNS;
                    const int row = STRIDE == 1 ? r0 + step - 2 : 2 * y - a.pad_top + r;
                    if (row < 0 || row >= a.h) continue;
                    const unsigned char *from = my_x + at + r * a.x_row + p0 * t.pixel;
                    const int left = left_x + p0;
                    float x[COLUMNS][2], dx[COLUMNS][2], scale[2], shift[2];
                    ani_load<2>(scale, my_table + 2 * SCALE);
                    ani_load<2>(shift, my_table + 2 * SHIFT);
                    ANI_UNROLL
                    for (int p = 0; p < COLUMNS; p++) {
                        ani_load<2>(x[p], reinterpret_cast<const E *>(from + p * t.pixel));
                        ANI_UNROLL
                        for (int j = 0; j < 2; j++) {
                            x[p][j] = ani_bound(fmaf(x[p][j], scale[j], shift[j]), low, high);
                            dx[p][j] = 0;
                        }
                    }
                    if (!inside_x) {
                        ANI_UNROLL
                        for (int p = 0; p < COLUMNS; p++)
                            if (left + p < 0 || left + p >= a.w_in) x[p][0] = x[p][1] = 0;
                    }
                    ANI_UNROLL
                    for (int k = 0; k < 9; k++) {
                        const int ky = k / 3, kx = k % 3;
                        if (STRIDE == 2 && (ky + r) % 2) continue;
                        const int open = (u + OPEN - ky / STRIDE) % OPEN;
                        float w[2];
                        ani_load<2>(w, my_table + 2 * (W + k));
                        ANI_UNROLL
                        for (int p = 0; p < COLUMNS; p++) {
                            if (STRIDE == 2 && (kx + p) % 2) continue;
                            const int i = STRIDE == 1 ? p + 2 - kx : (p0 + p) / 2 + 1 - kx / 2;
                            ANI_UNROLL
                            for (int j = 0; j < 2; j++) {
                                dx[p][j] = fmaf(dz[open][i][j], w[j], dx[p][j]);
                                dw[k][j] = fmaf(dz[open][i][j], x[p][j], dw[k][j]);
                            }
                        }
                    }
                    if (!a.store.dx) continue;
                    const int64_t base = (((int64_t)image * a.h + row) * a.w_in + left) * a.c + c0;
                    float mean[2];
                    ani_load<2>(mean, my_table + 2 * MEAN);
                    ANI_UNROLL
                    for (int p = 0; p < COLUMNS; p++) {
                        if (!inside_x && (left + p < 0 || left + p >= a.w_in)) continue;
                        const int64_t to = base + p * a.c;
                        float z[2], add[2] = {0, 0};
                        ani_load<2>(z, reinterpret_cast<const E *>(from + p * t.pixel));
                        if (a.store.add) ani_load<2>(add, static_cast<const E *>(a.store.add) + to);
                        ANI_UNROLL
                        for (int j = 0; j < 2; j++) {
                            const ani_affine affine = {scale[j], shift[j]};
                            dx[p][j] = ani_dx(dx[p][j], add[j], z[j], affine, a.x.relu6);
                        }
                        ani_dw_store(static_cast<E *>(a.store.dx) + to, dx[p], true);
                        if (!counts) continue;
                        if (a.store.z != a.x.z)
                            ani_load<2>(z, static_cast<const E *>(a.store.z) + to);
                        ANI_UNROLL
                        for (int j = 0; j < 2; j++) {
                            sum[j] += dx[p][j];
                            product[j] = fmaf(dx[p][j], z[j] - mean[j], product[j]);
                        }
                    }
                }
            }
        }
    }
    if (!a.totals.count) return;

    /* The part of this block: over its groups, in their order. */
    ani_sync();
    float *all = reinterpret_cast<float *>(ring); /* [groups][KINDS][channels] */
    if (group < t.groups) {
        float *to = all + group * KINDS * t.channels + 2 * pair;
        ANI_UNROLL
        for (int j = 0; j < 2; j++) {
            ANI_UNROLL
            for (int k = 0; k < 9; k++)
                to[k * t.channels + j] = dw[k][j];
            to[9 * t.channels + j] = sum[j];
            to[10 * t.channels + j] = product[j];
        }
    }
    ani_sync();
    double *part = ani_totals_part(a.totals, b.slice, b.part);
    for (int i = ani_thread(); i < KINDS * t.channels; i += t.threads) {
        double total = 0;
        for (int g = 0; g < t.groups; g++)
            total += all[g * KINDS * t.channels + i];
        part[i] = total;
    }
    const double *totals;
    if (!ani_totals_join(a.totals, b.slice, b.part, ring, &totals)) return;
    for (int i = ani_thread(); i < 10 * t.channels; i += t.threads) {
        const int kind = i / t.channels, channel = b.slice * t.channels + i % t.channels;
        if (channel >= a.c) continue;
        if (kind < 9) {
            if (a.dw) a.dw[kind * a.c + channel] = (float)totals[i];
        } else {
            ani_finish_channel(a.end, a.c, channel, totals[i], totals[t.channels + i]);
        }
    }
}

extern "C" int64_t ani_cuda_depthwise_backward_scratch(const ani_unit_shape *s, int32_t element) {
    const ani_dw_tiling t = cut(s, element);
    const int64_t mine = ani_totals_size(t.slices, ani_dw_parts(t), KINDS * t.channels);
    const int64_t any = ani_cuda_any_backward_scratch(s, element);
    return ani_most(mine, any);
}

extern "C" int ani_cuda_depthwise_backward(const ani_unit_shape *s, const ani_unit_backward *args,
                                           unsigned *counters, cudaStream_t stream) {
    const ani_store *store = &args->store;
    if (args->x.element != args->dz.element || !ani_is_aligned(args->dz.g) ||
        !ani_is_aligned(args->dz.z) || !ani_is_aligned(args->x.z) || !ani_is_aligned(store->dx) ||
        !ani_is_aligned(store->add) || !ani_is_aligned(store->z))
        return ani_cuda_any_backward(s, args, counters, stream); /* an image, or part of a tensor */
    const ani_dw_tiling t = cut(s, args->dz.element);
    const int lead = s->stride == 1 ? 2 : 1;
    depthwise_backward a = {};
    a.dz = args->dz;
    a.x = args->x;
    a.w = args->w;
    a.dw = args->dw;
    a.store = args->store;
    a.n = (int32_t)s->n;
    a.h = (int32_t)s->h;
    a.w_in = (int32_t)s->w;
    a.c = (int32_t)s->cin;
    a.oh = (int32_t)s->oh;
    a.ow = (int32_t)s->ow;
    a.pad_top = s->pad_top;
    a.pad_left = s->pad_left;
    a.tiling = t;
    a.dz_row = (t.groups * COLUMNS + lead) * t.pixel;
    a.x_row = t.groups * COLUMNS * s->stride * t.pixel;
    a.rows = (int32_t)extent(s->h, s->pad_top, s->stride);
    if (args->store.dx)
        a.end = ani_sums_end_of(args->store.sums, args->store.bn, s->n * s->h * s->w);
    if (args->dw || ani_wants_sums(a.end)) {
        if (!ani_totals_fit(t.slices)) return cudaErrorInvalidValue;
        a.totals =
            ani_totals_of(args->scratch, counters, t.slices, ani_dw_parts(t), KINDS * t.channels);
    }
    const int64_t march =
        STAGES * (2 * a.dz_row + s->stride * a.x_row) + TABLE * t.channels * (int64_t)sizeof(float);
    const int64_t groups = KINDS * t.groups * t.channels * (int64_t)sizeof(float);
    const int64_t join = ANI_TOTALS_SHARED(t.threads, KINDS * t.channels);
    const int64_t shared = ani_most(march, ani_most(groups, join));
    const dim3 grid((unsigned)(t.slices * ani_dw_parts(t))), block((unsigned)t.threads);
    void (*kernel)(depthwise_backward);
    if (args->dz.element == ANI_BFLOAT16)
        kernel = s->stride == 1 ? backward_kernel<ani_bf16, 1> : backward_kernel<ani_bf16, 2>;
    else
        kernel = s->stride == 1 ? backward_kernel<float, 1> : backward_kernel<float, 2>;
    return ani_launch(kernel, grid, block, (size_t)shared, stream, a);
}
