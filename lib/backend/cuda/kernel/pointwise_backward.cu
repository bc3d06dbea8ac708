/* SPDX-License-Identifier: MIT
 * The pointwise convolution backward, in bfloat16: the input gradient as in pointwise.h, and that
 * of the weights, dw[cin,cout] = x' dz.
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

static __global__ void __launch_bounds__(ANI_PW_THREADS)
    join_kernel(const float *parts, int32_t slices, int64_t weights, float *dw) {
    const int64_t at = (int64_t)blockIdx.x * ANI_PW_THREADS + ani_thread();
    if (at >= weights) return;
    double sum = 0;
    for (int i = 0; i < slices; i++)
        sum += parts[i * weights + at];
    dw[at] = (float)sum;
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
    slices = ani_least(slices, fit > FEW ? fit : (int64_t)FEW);
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
    const int64_t weights = s->cin * s->cout;
    const dim3 pieces((unsigned)ani_pieces(weights, ANI_PW_THREADS));
    if (!error)
        error = ani_launch(join_kernel, pieces, block, 0, stream, a.parts, cut.slices, weights,
                           args->dw);
    return error;
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

extern "C" int32_t ani_cuda_pointwise_backward_takes(const ani_unit_shape *s, int32_t element) {
    return ani_pw_takes(s, element);
}

extern "C" int64_t ani_cuda_pointwise_backward_scratch(const ani_unit_shape *s, int32_t element) {
    (void)element;
    const int64_t input = ani_pw_scratch<true>(s->n * s->h * s->w, (int)s->cout, (int)s->cin);
    const int64_t weights = cut_weights(s).slices * s->cin * s->cout * (int64_t)sizeof(float);
    return input > weights ? input : weights;
}

/* The two share the scratch, one after the other. */
extern "C" int ani_cuda_pointwise_backward(const ani_unit_shape *s, const ani_unit_backward *args,
                                           unsigned *counters, cudaStream_t stream) {
    int error = cudaSuccess;
    if (args->dw) error = launch_weights(s, args, stream);
    if (!error && args->store.dx) error = launch_input(s, args, counters, stream);
    return error;
}
