/* SPDX-License-Identifier: MIT
 * The pointwise convolution backward, in bfloat16: both gradients at once where dw fits into the
 * registers of a block, as in the first half of the network; otherwise the input gradient as in
 * pointwise.h, and that of the weights, dw[cin,cout] = x' dz.
 *
 * A block of the latter has a tile of dw in the registers of its eight warps (four below, two
 * beside each other) and a slice of the rows, which is what is summed over. Rows come by
 * asynchronous copies, as they are in memory; a lane needs the same few channels for all of them,
 * so it keeps the factors of those in registers, normalises x and forms dz where it multiplies. The
 * slices are joined by a second kernel, in their order. */
#include "backend/cuda/kernel/pointwise.h"

#include "backend/cuda/kernel/launch.h"

enum {
    COLUMNS = 64, /* of a tile: output channels */
    STEP = 32,    /* rows of a stage */
    STAGES = 3,
    FEW = 16,         /* slices that any shape may have */
    BYTES = 4 << 20,  /* of all slices, where they are more than FEW */
    SLICE_ROWS = 512, /* at least, of a slice */
    COLUMN_ROW = COLUMNS * 2 + 16
};

struct weight_gradient {
    const void *x, *g, *z;            /* z: NULL with b and c */
    const float *scale, *shift;       /* [cin] or NULL */
    const float *a, *b, *c;           /* [cout] or NULL */
    float *parts;                     /* [slices][cin][cout] */
    int64_t rows, slice;              /* of the unit; of a slice, a multiple of STEP */
    int32_t cin, cout, relu6, across; /* tiles side by side */
};

template <int MT> struct tile_of {
    enum {
        CHANNELS = 64 * MT, /* input channels */
        ROW = CHANNELS * 2 + 16,
        G = STEP * ROW, /* where g begins in a stage, and z */
        Z = G + STEP * COLUMN_ROW,
        STAGE = Z + STEP * COLUMN_ROW
    };
};

template <int MT>
static __global__ void __launch_bounds__(ANI_PW_THREADS, 2) weight_kernel(weight_gradient a) {
    typedef tile_of<MT> tile;
    ANI_SHARED_BYTES(shared);
    const int thread = ani_thread(), lane = ani_lane(), warp = ani_warp();
    const int wr = warp / 2, wc = warp % 2, quad = lane % 4, r = lane / 4;
    const int ci0 = (int)blockIdx.x / a.across * tile::CHANNELS;
    const int co0 = (int)blockIdx.x % a.across * COLUMNS;
    const int64_t first = blockIdx.y * a.slice, end = ani_least(first + a.slice, a.rows);

    int64_t ahead = first;
    int ahead_stage = 0;
    auto start = [&] {
        if (ahead < end) {
            unsigned char *stage = shared + ahead_stage * tile::STAGE;
            for (int i = thread; i < STEP * tile::CHANNELS / 8; i += ANI_PW_THREADS) {
                const int row = i / (tile::CHANNELS / 8), v = i % (tile::CHANNELS / 8);
                const bool inside = ahead + row < end && ci0 + v * 8 < a.cin;
                ani_copy<16>(stage + row * tile::ROW + v * 16,
                             static_cast<const ani_bf16 *>(a.x) +
                                 (inside ? (ahead + row) * a.cin + ci0 + v * 8 : 0),
                             inside);
            }
            ANI_UNROLL
            for (int i = 0; i < 2; i++) { /* STEP rows of 8 vectors: one for each thread */
                const int row = thread / 8, v = thread % 8;
                const void *from = i ? a.z : a.g;
                const bool inside = from && ahead + row < end && co0 + v * 8 < a.cout;
                ani_copy<16>(stage + (i ? tile::Z : tile::G) + row * COLUMN_ROW + v * 16,
                             static_cast<const ani_bf16 *>(from ? from : a.g) +
                                 (inside ? (ahead + row) * a.cout + co0 + v * 8 : 0),
                             inside);
            }
            ahead += STEP;
            ahead_stage = ahead_stage + 1 == STAGES ? 0 : ahead_stage + 1;
        }
        ani_copy_commit();
    };
    for (int i = 0; i < STAGES - 1; i++)
        start();

    ani_affine affine[MT][2];
    ANI_UNROLL
    for (int m = 0; m < MT; m++)
        ANI_UNROLL
    for (int i = 0; i < 2; i++) {
        const int channel = ci0 + (wr * MT + m) * 16 + i * 8 + r;
        const bool inside = a.scale && channel < a.cin;
        affine[m][i].scale = inside ? a.scale[channel] : 1;
        affine[m][i].shift = inside ? a.shift[channel] : 0;
    }
    ani_slope slope[4];
    ANI_UNROLL
    for (int j = 0; j < 4; j++) {
        const int channel = co0 + wc * 32 + j * 8 + r;
        const bool inside = channel < a.cout;
        slope[j].a = inside && a.a ? a.a[channel] : 1;
        slope[j].b = inside && a.b ? a.b[channel] : 0;
        slope[j].c = inside && a.c ? a.c[channel] : 0;
    }
    float sum[MT][4][4];
    ANI_UNROLL
    for (int m = 0; m < MT; m++)
        ANI_UNROLL
    for (int j = 0; j < 4; j++)
        sum[m][j][0] = sum[m][j][1] = sum[m][j][2] = sum[m][j][3] = 0;

    int stage_number = 0;
    for (int64_t row0 = first; row0 < end; row0 += STEP) {
        ani_copy_wait<STAGES - 2>();
        ani_sync();
        start();
        const unsigned char *stage = shared + stage_number * tile::STAGE;
        stage_number = stage_number + 1 == STAGES ? 0 : stage_number + 1;
        ANI_UNROLL
        for (int step = 0; step < STEP; step += 16) {
            uint32_t below[MT][4];
            ANI_UNROLL
            for (int m = 0; m < MT; m++) {
                const int row = step + lane / 16 * 8 + lane % 8;
                const int channel = (wr * MT + m) * 16 + lane / 8 % 2 * 8;
                ani_load_matrices<4, true>(below[m], stage + row * tile::ROW + channel * 2);
                ANI_UNROLL
                for (int i = 0; i < 4; i++)
                    below[m][i] =
                        ani_pack(ani_lazy_value(ani_low(below[m][i]), affine[m][i % 2], a.relu6),
                                 ani_lazy_value(ani_high(below[m][i]), affine[m][i % 2], a.relu6));
            }
            ANI_UNROLL
            for (int pair = 0; pair < 2; pair++) {
                uint32_t g[4], z[4];
                const int at =
                    (step + lane % 16) * COLUMN_ROW + (wc * 32 + pair * 16 + lane / 16 * 8) * 2;
                ani_load_matrices<4, true>(g, stage + tile::G + at);
                ani_load_matrices<4, true>(z, stage + tile::Z + at);
                ANI_UNROLL
                for (int i = 0; i < 4; i++) {
                    /* rows past the end: x is not 0 there, so dz has to be */
                    const int64_t row = row0 + step + i % 2 * 8 + 2 * quad;
                    const ani_slope &s = slope[pair * 2 + i / 2];
                    const float low = ani_dz(ani_low(g[i]), ani_low(z[i]), s);
                    const float high = ani_dz(ani_high(g[i]), ani_high(z[i]), s);
                    g[i] = ani_pack(row < end ? low : 0, row + 1 < end ? high : 0);
                }
                ANI_UNROLL
                for (int i = 0; i < 2; i++) {
                    const uint32_t columns[2] = {g[2 * i], g[2 * i + 1]};
                    ANI_UNROLL
                    for (int m = 0; m < MT; m++)
                        ani_mma(sum[m][pair * 2 + i], below[m], columns);
                }
            }
        }
    }
    float *part = a.parts + (int64_t)blockIdx.y * a.cin * a.cout;
    ANI_UNROLL
    for (int m = 0; m < MT; m++)
        ANI_UNROLL
    for (int j = 0; j < 4; j++)
        ANI_UNROLL
    for (int i = 0; i < 2; i++) {
        const int ci = ci0 + (wr * MT + m) * 16 + i * 8 + r, co = co0 + wc * 32 + j * 8 + 2 * quad;
        const float both[2] = {sum[m][j][2 * i], sum[m][j][2 * i + 1]};
        if (ci < a.cin && co < a.cout) ani_save<2>(part + (int64_t)ci * a.cout + co, both);
    }
}

enum {
    JOINED = 32,
    SHARES = ANI_PW_THREADS / JOINED
}; /* weights of a block; threads of a weight */

/* Each thread adds a range of the slices, then the first one their sums, in order. */
static __global__ void __launch_bounds__(ANI_PW_THREADS)
    join_kernel(const float *parts, int32_t slices, int64_t weights, float *dw) {
    ANI_SHARED_ARRAY(double, sums, ANI_PW_THREADS);
    const int share = ani_thread() / JOINED, range = (slices + SHARES - 1) / SHARES;
    const int64_t at = (int64_t)blockIdx.x * JOINED + ani_thread() % JOINED;
    const int end = (share + 1) * range < slices ? (share + 1) * range : slices;
    double sum = 0;
    for (int i = share * range; i < end; i += 8) {
        float loaded[8];
        ANI_UNROLL
        for (int k = 0; k < 8; k++)
            loaded[k] = at < weights && i + k < end ? parts[(i + k) * weights + at] : 0;
        ANI_UNROLL
        for (int k = 0; k < 8; k++)
            sum += loaded[k];
    }
    sums[ani_thread()] = sum;
    ani_sync();
    if (share || at >= weights) return;
    for (int i = 1; i < SHARES; i++)
        sum += sums[i * JOINED + ani_thread()];
    dw[at] = (float)sum;
}

static int launch_join(const float *parts, int64_t slices, const ani_unit_shape *s, float *dw,
                       cudaStream_t stream) {
    const int64_t weights = s->cin * s->cout;
    return ani_launch(join_kernel, dim3((unsigned)ani_pieces(weights, JOINED)),
                      dim3(ANI_PW_THREADS), 0, stream, parts, (int32_t)slices, weights, dw);
}

/** How the weight gradient is cut, by the shape alone. */
struct weight_cut {
    int32_t mt, down, across; /* tiles of dw */
    int32_t slices;
    int64_t slice;
};

static weight_cut cut_weights(const ani_unit_shape *s) {
    const int64_t rows = s->n * s->oh * s->ow, bytes = s->cin * s->cout * (int64_t)sizeof(float);
    weight_cut cut = {};
    cut.mt = s->cin > 64 ? 2 : 1;
    cut.down = (int32_t)ani_pieces(s->cin, 64 * cut.mt);
    cut.across = (int32_t)ani_pieces(s->cout, COLUMNS);
    int64_t slices = ani_pieces(ANI_PW_BLOCKS, cut.down * cut.across);
    const int64_t fit = BYTES / bytes;
    slices = ani_least(slices, ani_most(fit, FEW));
    slices = ani_least(slices, ani_pieces(rows, SLICE_ROWS));
    cut.slice = ani_pieces(ani_pieces(rows, slices), STEP) * STEP;
    cut.slices = (int32_t)ani_pieces(rows, cut.slice);
    return cut;
}

static int launch_weights(const ani_unit_shape *s, const ani_unit_backward *args,
                          cudaStream_t stream) {
    const weight_cut cut = cut_weights(s);
    weight_gradient a = {};
    a.x = args->x.z;
    a.g = args->dz.g;
    a.z = args->dz.z;
    a.scale = args->x.scale;
    a.shift = args->x.shift;
    a.a = args->dz.a;
    a.b = args->dz.z ? args->dz.b : NULL;
    a.c = args->dz.z ? args->dz.c : NULL;
    a.parts = static_cast<float *>(args->scratch);
    a.rows = s->n * s->oh * s->ow;
    a.slice = cut.slice;
    a.cin = (int32_t)s->cin;
    a.cout = (int32_t)s->cout;
    a.relu6 = args->x.relu6;
    a.across = cut.across;
    const dim3 grid((unsigned)(cut.down * cut.across), (unsigned)cut.slices), block(ANI_PW_THREADS);
    const size_t shared =
        (size_t)STAGES * (cut.mt == 2 ? (size_t)tile_of<2>::STAGE : (size_t)tile_of<1>::STAGE);
    int error = ani_launch(cut.mt == 2 ? weight_kernel<2> : weight_kernel<1>, grid, block, shared,
                           stream, a);
    return error ? error : launch_join(a.parts, cut.slices, s, args->dw, stream);
}

static int launch_input(const ani_unit_shape *s, const ani_unit_backward *args, unsigned *counters,
                        cudaStream_t stream) {
    const ani_store *store = &args->store;
    ani_pw a = {};
    a.first = args->dz.g;
    a.second = args->dz.z;
    a.p = args->dz.a;
    a.q = args->dz.z ? args->dz.b : NULL;
    a.r = args->dz.z ? args->dz.c : NULL;
    a.w = args->w;
    a.to = store->dx;
    a.rows = s->n * s->h * s->w;
    a.inner = (int32_t)s->cout;
    a.outer = (int32_t)s->cin;
    a.add = store->add;
    a.masked = args->x.relu6 ? args->x.z : NULL;
    a.scale = args->x.scale;
    a.shift = args->x.shift;
    a.z = store->z;
    a.mean = store->mean;
    a.sums = ani_sums_end_of(store->sums, store->bn, a.rows);
    return ani_pw_launch<true>(a, ani_wants_sums(a.sums), args->scratch, counters, stream);
}

/* --- both gradients at once ------------------------------------------------------------------- */

enum {
    ROWS = 32, /* of a tile */
    FUSED_STAGES = 2,
    FUSED_BLOCKS = 264, /* at most: each has a whole dw of its own */
    THIN = 32,
    WIDE = 192,
    MIDDLE = 64 /* THIN to WIDE, or WIDE to MIDDLE channels, at most */
};

/** What the kernel for both gradients takes: see ani_pw. */
struct both_gradients {
    const void *x, *g, *z, *add, *of; /* of: for the second sum */
    const float *scale, *shift, *a, *b, *c, *w, *mean;
    void *dx;
    float *parts; /* [blocks][cin][cout] */
    int64_t rows;
    int32_t cin, cout, relu6, tiles; /* tiles of a block */
    ani_sums_end sums;
    ani_totals totals;
};

/** Where the parts of the shared memory begin; widths are padded to whole tiles of products. */
struct both_layout {
    int32_t cin, cout, weights, sums, stages, g, z, stage, size;
    int32_t x_row, z_row; /* bytes of a row, an odd number of 16 bytes */
};
ANI_BOTH both_layout lay_out_both(int cin, int cout) {
    both_layout at = {};
    at.cin = (cin + 15) / 16 * 16;
    at.cout = (cout + 15) / 16 * 16;
    at.x_row = at.cin * 2 + 16;
    at.z_row = at.cout * 2 + 16;
    at.weights = (3 * at.cout + 2 * at.cin) * 4;
    at.sums = at.weights + at.cin * at.z_row;
    at.stages = at.sums + 2 * at.cin * 2 * 8;
    at.g = ROWS * at.x_row;
    at.z = at.g + ROWS * at.z_row;
    at.stage = at.z + ROWS * at.z_row;
    at.size = at.stages + FUSED_STAGES * at.stage;
    return at;
}

/* A tile of rows at a time: dz is formed once, in place of g, and multiplied twice. Of dw, whose
 * rows are input channels, a warp has MW by NW tiles of 16 by 8 for all rows of the block: the
 * warps lie beside each other (OUT: more output channels than input ones), or below. Of dx, it has
 * 16 rows and NX tiles of 8 columns. dx is put in place of x, and from there into memory. */
template <int MW, int NW, int NX, bool OUT>
static __global__ void __launch_bounds__(ANI_PW_THREADS, NW < 8 ? 2 : 1)
    both_kernel(both_gradients a) {
    ANI_SHARED_BYTES(shared);
    const both_layout at = lay_out_both(a.cin, a.cout);
    const int thread = ani_thread(), lane = ani_lane(), warp = ani_warp();
    const int quad = lane % 4, r = lane / 4, part = (int)blockIdx.x;
    const int64_t first = (int64_t)part * a.tiles * ROWS;
    const int64_t end = ani_least(first + (int64_t)a.tiles * ROWS, a.rows);
    float *slopes = reinterpret_cast<float *>(shared), *factors = slopes + 3 * at.cout;
    unsigned char *weights = shared + at.weights;
    double *sums = reinterpret_cast<double *>(shared + at.sums); /* [2][cin][2] */

    int64_t ahead = first;
    int ahead_stage = 0;
    auto start = [&] {
        if (ahead < end) {
            unsigned char *stage = shared + at.stages + ahead_stage * at.stage;
            for (int i = thread; i < ROWS * at.cin / 8; i += ANI_PW_THREADS) {
                const int row = i / (at.cin / 8), v = i % (at.cin / 8);
                const bool inside = ahead + row < end && v * 8 < a.cin;
                ani_copy<16>(stage + row * at.x_row + v * 16,
                             static_cast<const ani_bf16 *>(a.x) +
                                 (inside ? (ahead + row) * a.cin + v * 8 : 0),
                             inside);
            }
            for (int i = thread; i < 2 * ROWS * at.cout / 8; i += ANI_PW_THREADS) {
                const int second = i / (ROWS * at.cout / 8), of = i % (ROWS * at.cout / 8);
                const int row = of / (at.cout / 8), v = of % (at.cout / 8);
                const void *from = second ? a.z : a.g;
                const bool inside = from && ahead + row < end && v * 8 < a.cout;
                ani_copy<16>(stage + (second ? at.z : at.g) + row * at.z_row + v * 16,
                             static_cast<const ani_bf16 *>(from ? from : a.g) +
                                 (inside ? (ahead + row) * a.cout + v * 8 : 0),
                             inside);
            }
            ahead += ROWS;
            ahead_stage = ahead_stage + 1 == FUSED_STAGES ? 0 : ahead_stage + 1;
        }
        ani_copy_commit();
    };
    start();

    for (int i = thread; i < at.cout; i += ANI_PW_THREADS) {
        const bool inside = i < a.cout;
        slopes[i] = inside ? a.a ? a.a[i] : 1 : 0;
        slopes[at.cout + i] = inside && a.b ? a.b[i] : 0;
        slopes[2 * at.cout + i] = inside && a.c ? a.c[i] : 0;
    }
    for (int i = thread; i < at.cin; i += ANI_PW_THREADS) {
        const bool inside = i < a.cin && a.scale;
        factors[i] = inside ? a.scale[i] : 1;
        factors[at.cin + i] = inside ? a.shift[i] : 0;
    }
    for (int i = thread; i < at.cin * at.cout / 2; i += ANI_PW_THREADS) {
        const int ci = i / (at.cout / 2), co = i % (at.cout / 2) * 2;
        float both[2] = {0, 0};
        if (ci < a.cin && co < a.cout) ani_load<2>(both, a.w + (int64_t)ci * a.cout + co);
        *reinterpret_cast<uint32_t *>(weights + ci * at.z_row + co * 2) =
            ani_pack(both[0], both[1]);
    }
    for (int i = thread; i < 4 * at.cin; i += ANI_PW_THREADS)
        sums[i] = 0;

    const int m0 = OUT ? 0 : warp * MW, n0 = OUT ? warp * NW : 0; /* tiles of dw */
    const int half = warp % 2, x0 = warp / 2 * NX;                /* of dx: rows; tiles */
    float dw[MW][NW][4];
    ANI_UNROLL
    for (int m = 0; m < MW; m++)
        ANI_UNROLL
    for (int n = 0; n < NW; n++)
        dw[m][n][0] = dw[m][n][1] = dw[m][n][2] = dw[m][n][3] = 0;

    int stage_number = 0;
    for (int64_t row0 = first; row0 < end; row0 += ROWS) {
        ani_copy_wait<0>();
        ani_sync();
        start();
        unsigned char *x = shared + at.stages + stage_number * at.stage;
        unsigned char *g = x + at.g;
        stage_number = stage_number + 1 == FUSED_STAGES ? 0 : stage_number + 1;
        for (int i = thread; i < ROWS * at.cout / 8; i += ANI_PW_THREADS) {
            const int row = i / (at.cout / 8), co = i % (at.cout / 8) * 8;
            ani_bf16 *to = reinterpret_cast<ani_bf16 *>(g + row * at.z_row) + co;
            float of[8], z[8];
            ani_load<8>(of, to);
            ani_load<8>(z, reinterpret_cast<const ani_bf16 *>(x + at.z + row * at.z_row) + co);
            ANI_UNROLL
            for (int k = 0; k < 8; k++) {
                const ani_slope slope = {slopes[co + k], slopes[at.cout + co + k],
                                         slopes[2 * at.cout + co + k]};
                /* rows past the end: x is not 0 there, so dz has to be */
                of[k] = row0 + row < end ? ani_dz(of[k], z[k], slope) : 0;
            }
            ani_save<8>(to, of);
        }
        ani_sync();

        ANI_UNROLL
        for (int step = 0; step < ROWS; step += 16) {
            uint32_t columns[NW][2];
            ANI_UNROLL
            for (int n = 0; n < NW; n++) {
                if ((n0 + n) * 8 >= at.cout) break;
                ani_load_matrices<2, true>(columns[n],
                                           g + (step + lane % 16) * at.z_row + (n0 + n) * 16);
            }
            ANI_UNROLL
            for (int m = 0; m < MW; m++) {
                const int channel = (m0 + m) * 16;
                if (channel >= at.cin) break;
                uint32_t below[4];
                const int row = step + lane / 16 * 8 + lane % 8;
                ani_load_matrices<4, true>(below,
                                           x + row * at.x_row + (channel + lane / 8 % 2 * 8) * 2);
                ANI_UNROLL
                for (int i = 0; i < 4; i++) {
                    const int mine = channel + i % 2 * 8 + r;
                    const ani_affine affine = {factors[mine], factors[at.cin + mine]};
                    below[i] = ani_pack(ani_lazy_value(ani_low(below[i]), affine, a.relu6),
                                        ani_lazy_value(ani_high(below[i]), affine, a.relu6));
                }
                ANI_UNROLL
                for (int n = 0; n < NW; n++) {
                    if ((n0 + n) * 8 >= at.cout) break;
                    ani_mma(dw[m][n], below, columns[n]);
                }
            }
        }
        float dx[NX][4];
        ANI_UNROLL
        for (int j = 0; j < NX; j++)
            dx[j][0] = dx[j][1] = dx[j][2] = dx[j][3] = 0;
        for (int k = 0; k < at.cout; k += 16) {
            uint32_t rows[4];
            ani_load_matrices<4, false>(rows, g + (half * 16 + lane % 16) * at.z_row +
                                                  (k + lane / 16 * 8) * 2);
            ANI_UNROLL
            for (int j = 0; j < NX; j++) {
                if ((x0 + j) * 8 >= at.cin) break;
                uint32_t columns[2];
                ani_load_matrices<2, false>(columns, weights +
                                                         ((x0 + j) * 8 + lane % 8) * at.z_row +
                                                         (k + lane / 8 % 2 * 8) * 2);
                ani_mma(dx[j], rows, columns);
            }
        }
        ani_sync();

        ANI_UNROLL
        for (int j = 0; j < NX; j++) {
            const int column = (x0 + j) * 8 + 2 * quad;
            if ((x0 + j) * 8 >= a.cin) break;
            const ani_affine affine[2] = {{factors[column], factors[at.cin + column]},
                                          {factors[column + 1], factors[at.cin + column + 1]}};
            float one[2] = {0, 0}, two[2] = {0, 0}, mean[2] = {0, 0};
            if (a.totals.count) {
                mean[0] = a.mean[column];
                mean[1] = a.mean[column + 1];
            }
            ANI_UNROLL
            for (int i = 0; i < 2; i++) {
                const int row = half * 16 + i * 8 + r;
                uint32_t *place = reinterpret_cast<uint32_t *>(x + row * at.x_row + column * 2);
                if (row0 + row >= end) continue;
                const int64_t element = (row0 + row) * a.cin + column;
                const uint32_t z = *place, add = ani_pw_pair(a.add, element);
                const uint32_t stored = ani_pack(
                    ani_dx(dx[j][2 * i], ani_low(add), ani_low(z), affine[0], a.relu6),
                    ani_dx(dx[j][2 * i + 1], ani_high(add), ani_high(z), affine[1], a.relu6));
                *place = stored;
                if (!a.totals.count) continue;
                const uint32_t of = a.of == a.x ? z : ani_pw_pair(a.of, element);
                one[0] += ani_low(stored);
                one[1] += ani_high(stored);
                two[0] = fmaf(ani_low(stored), ani_low(of) - mean[0], two[0]);
                two[1] = fmaf(ani_high(stored), ani_high(of) - mean[1], two[1]);
            }
            if (!a.totals.count) continue;
            ANI_UNROLL
            for (int e = 0; e < 2; e++) {
                ANI_UNROLL
                for (int mask = 4; mask < ANI_WARP; mask *= 2) {
                    one[e] += ani_shuffle_xor(one[e], mask);
                    two[e] += ani_shuffle_xor(two[e], mask);
                }
                if (r) continue;
                sums[(half * at.cin + column + e) * 2] += one[e];
                sums[(half * at.cin + column + e) * 2 + 1] += two[e];
            }
        }
        ani_sync();
        for (int i = thread; i < ROWS * a.cin / 8; i += ANI_PW_THREADS) {
            const int row = i / (a.cin / 8), v = i % (a.cin / 8);
            if (row0 + row < end)
                *reinterpret_cast<uint4 *>(static_cast<ani_bf16 *>(a.dx) + (row0 + row) * a.cin +
                                           v * 8) =
                    *reinterpret_cast<const uint4 *>(x + row * at.x_row + v * 16);
        }
    }
    ani_copy_wait<0>();

    float *to = a.parts + (int64_t)part * a.cin * a.cout;
    ANI_UNROLL
    for (int m = 0; m < MW; m++)
        ANI_UNROLL
    for (int n = 0; n < NW; n++)
        ANI_UNROLL
    for (int i = 0; i < 2; i++) {
        const int ci = (m0 + m) * 16 + i * 8 + r, co = (n0 + n) * 8 + 2 * quad;
        const float both[2] = {dw[m][n][2 * i], dw[m][n][2 * i + 1]};
        if (ci < a.cin && co < a.cout) ani_save<2>(to + (int64_t)ci * a.cout + co, both);
    }
    if (!a.totals.count) return;
    ani_sync();
    double *items = ani_totals_part(a.totals, 0, part);
    for (int i = thread; i < 2 * a.cin; i += ANI_PW_THREADS) {
        const int channel = i % a.cin, which = i / a.cin;
        items[i] = sums[channel * 2 + which] + sums[(at.cin + channel) * 2 + which];
    }
    const double *all;
    if (!ani_totals_join(a.totals, 0, part, shared + at.stages, &all)) return;
    for (int i = thread; i < a.cin; i += ANI_PW_THREADS)
        ani_finish_channel(a.sums, a.cin, i, all[i], all[a.cin + i]);
}

static bool is_fused(const ani_unit_shape *s) {
    return s->cin < s->cout ? s->cin <= THIN && s->cout <= WIDE
                            : s->cin <= WIDE && s->cout <= MIDDLE;
}

/** Blocks of both gradients, and tiles of a block, by the shape alone. */
static int64_t tiles_of(const ani_unit_shape *s) {
    return ani_pieces(ani_pieces(s->n * s->h * s->w, ROWS), FUSED_BLOCKS);
}
static int64_t blocks_of(const ani_unit_shape *s) {
    return ani_pieces(ani_pieces(s->n * s->h * s->w, ROWS), tiles_of(s));
}
static int64_t fused_sums(const ani_unit_shape *s) {
    return ani_pieces(ani_totals_size(1, blocks_of(s), 2 * s->cin), 256) * 256;
}

static int launch_both(const ani_unit_shape *s, const ani_unit_backward *args, unsigned *counters,
                       cudaStream_t stream) {
    const ani_store *store = &args->store;
    const int64_t blocks = blocks_of(s);
    both_gradients a = {};
    a.x = args->x.z;
    a.g = args->dz.g;
    a.z = args->dz.z;
    a.add = store->add;
    a.of = store->z;
    a.scale = args->x.scale;
    a.shift = args->x.shift;
    a.a = args->dz.a;
    a.b = args->dz.z ? args->dz.b : NULL;
    a.c = args->dz.z ? args->dz.c : NULL;
    a.w = args->w;
    a.mean = store->mean;
    a.dx = store->dx;
    a.parts = reinterpret_cast<float *>(static_cast<char *>(args->scratch) + fused_sums(s));
    a.rows = s->n * s->h * s->w;
    a.cin = (int32_t)s->cin;
    a.cout = (int32_t)s->cout;
    a.relu6 = args->x.relu6;
    a.tiles = (int32_t)tiles_of(s);
    a.sums = ani_sums_end_of(store->sums, store->bn, a.rows);
    if (ani_wants_sums(a.sums))
        a.totals = ani_totals_of(args->scratch, counters, 1, blocks, 2 * s->cin);
    const int error = ani_launch(s->cin < s->cout  ? both_kernel<2, 3, 1, true>
                                 : s->cout <= THIN ? both_kernel<2, 4, 6, false>
                                                   : both_kernel<2, 8, 6, false>,
                                 dim3((unsigned)blocks), dim3(ANI_PW_THREADS),
                                 (size_t)lay_out_both(a.cin, a.cout).size, stream, a);
    return error ? error : launch_join(a.parts, blocks, s, args->dw, stream);
}

/* --- the entries ------------------------------------------------------------------------------ */

extern "C" int32_t ani_cuda_pointwise_backward_takes(const ani_unit_shape *s, int32_t element) {
    return ani_pw_takes(s, element);
}

extern "C" int64_t ani_cuda_pointwise_backward_scratch(const ani_unit_shape *s, int32_t element) {
    const int64_t dw = s->cin * s->cout * (int64_t)sizeof(float);
    const int64_t input = ani_pw_scratch<true>(s->n * s->h * s->w, (int)s->cout, (int)s->cin);
    const int64_t both = is_fused(s) ? fused_sums(s) + blocks_of(s) * dw : 0;
    const int64_t other = ani_cuda_product_backward_scratch(s, element);
    return ani_most(ani_most(input, cut_weights(s).slices * dw), ani_most(both, other));
}

/* Where only one is wanted, or the shape is too large, one by one: they share the scratch. */
extern "C" int ani_cuda_pointwise_backward(const ani_unit_shape *s, const ani_unit_backward *args,
                                           unsigned *counters, cudaStream_t stream) {
    int error = cudaSuccess;
    if (args->x.element != ANI_BFLOAT16) /* the image */
        return ani_cuda_product_backward(s, args, counters, stream);
    if (args->dw && args->store.dx && is_fused(s)) return launch_both(s, args, counters, stream);
    if (args->dw) error = launch_weights(s, args, stream);
    if (!error && args->store.dx) error = launch_input(s, args, counters, stream);
    return error;
}
