/* SPDX-License-Identifier: MIT
 * The first convolution of a network in bfloat16, on tensor cores: 3x3, stride 2, three channels
 * in, 16 to 48 out; forward with moments and batch norm, and the weight gradient. Images may be
 * float: they are rounded as they enter shared memory, like the operands of all products.
 *
 * Three pixels of a row are nine neighbours in memory, whatever the output pixel. So nothing is
 * gathered: with 10 of 32 products a row of taps (the last with weight zero, and masked, since NaN
 * times zero is NaN), the pairs that a lane needs are words of the image's tile in shared memory.
 *
 * A block has a range of tiles, one after the other; while some blocks of a multiprocessor wait for
 * their tiles, others compute. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/launch.h"
#include "backend/cuda/kernel/load.h"
#include "backend/cuda/kernel/mma.h"
#include "backend/cuda/kernel/totals.h"

enum {
    THREADS = 128,
    WARPS = THREADS / ANI_WARP,
    PIXELS = 16,                             /* output pixels of a product */
    ROWS = 4,                                /* output rows of a tile */
    GROUPS = 3,                              /* of PIXELS side by side in a tile */
    TILE = ROWS * GROUPS,                    /* products of a tile */
    X_ROWS = 2 * ROWS + 1,                   /* input rows of a tile */
    X_COUNT = (2 * GROUPS * PIXELS + 1) * 3, /* elements of such a row */
    X_PITCH = X_COUNT + 3, /* even; 147 words, so taps of two rows meet other banks */
    AHEAD = 7,             /* loads of a thread on their way; three times 7 are a tile */
    TAPS = 27,
    BLOCKS = 1000 /* wanted, of a launch */
};

struct stem_args {
    ani_lazy x;
    const float *w;
    void *y;         /* forward */
    ani_gradient dz; /* backward */
    float *dw;
    int32_t h, w_in, oh, ow, pad_top, pad_left;
    int32_t across, down; /* tiles of an image */
    int64_t tiles, range; /* all; of a block */
    ani_moments_end end;
    ani_totals totals;
    int64_t pixels; /* n * oh * ow */
};

/** Where a tile is. */
struct stem_tile {
    int64_t image;
    int y, x; /* first output pixel */
};
ANI_DEVICE stem_tile tile_at(const stem_args &a, int64_t number) {
    stem_tile tile;
    tile.x = (int)(number % a.across) * GROUPS * PIXELS;
    tile.y = (int)(number / a.across % a.down) * ROWS;
    tile.image = number / a.across / a.down;
    return tile;
}

ANI_DEVICE uint16_t rounded(float value) {
    return ani_element<ani_bf16>(value).bits;
}

/* Load the tile's part of the image, normalised, with zeros around the image. Elements are dealt to
 * the threads in turn. */
template <typename X>
ANI_DEVICE void load_image(const stem_args &a, const stem_tile &tile, uint16_t *to) {
    const int top = 2 * tile.y - a.pad_top, left = (2 * tile.x - a.pad_left) * 3;
    const X *image = static_cast<const X *>(a.x.z) + tile.image * a.h * a.w_in * 3;
    int row = ani_thread() / X_COUNT, column = ani_thread() % X_COUNT;
    while (row < X_ROWS) {
        float value[AHEAD];
        int place[AHEAD];
        ANI_UNROLL
        for (int i = 0; i < AHEAD; i++) {
            const int y = top + row, x = left + column;
            const bool inside = row < X_ROWS && y >= 0 && y < a.h && x >= 0 && x < 3 * a.w_in;
            value[i] = inside ? ani_value(image[(int64_t)y * a.w_in * 3 + x]) : 0;
            if (inside && (a.x.scale || a.x.relu6))
                value[i] = ani_lazy_value(value[i], ani_affine_of(a.x, x % 3), a.x.relu6);
            place[i] = row < X_ROWS ? row * X_PITCH + column : -1;
            column += THREADS;
            row += column >= X_COUNT;
            column -= column >= X_COUNT ? X_COUNT : 0;
        }
        ANI_UNROLL
        for (int i = 0; i < AHEAD; i++)
            if (place[i] >= 0) to[place[i]] = rounded(value[i]);
    }
}

/* --- forward ---------------------------------------------------------------------------------- */

/* The pair of neighbours that a lane loads for its register number r of a product's k = 32: the
 * weights of pair q are those of tap row q / 5, elements q % 5 * 2 and one more. */
struct stem_pair {
    int word;      /* from the pixel's first element in the tile */
    uint32_t mask; /* of what counts */
};
ANI_DEVICE stem_pair pair_of(int r) {
    const int q = 4 * r + ani_lane() % 4;
    stem_pair pair = {0, 0};
    if (q == 15) return pair;
    pair.word = (q / 5 * X_PITCH + q % 5 * 2) / 2;
    pair.mask = q % 5 == 4 ? 0x0000ffffu : 0xffffffffu;
    return pair;
}

/* Store 2 * NT neighbouring channels, NT words. */
template <int NT> ANI_DEVICE void save_words(uint32_t *to, const uint32_t (&words)[NT]) {
    enum { WIDE = NT % 4 == 0 ? 4 : NT % 2 == 0 ? 2 : 1 };
    typedef typename ani_word<WIDE * 4>::type word;
    ANI_UNROLL
    for (int i = 0; i < NT; i += WIDE) {
        word w;
        memcpy(&w, words + i, sizeof w);
        *reinterpret_cast<word *>(to + i) = w;
    }
}

/* NT: eighths of the output channels. Column n of product t is channel n / 2 * 2 * NT + 2 * t + n %
 * 2: so a lane's results of all products are neighbours, and it stores them at once. */
template <typename X, int NT>
static __global__ void __launch_bounds__(THREADS, NT > 4 ? 4 : 5) forward_kernel(stem_args a) {
    enum { COUT = 8 * NT };
    ANI_SHARED_ARRAY(uint16_t, image, X_ROWS * X_PITCH);
    ANI_SHARED_ARRAY(double, sums, WARPS * 2 * COUT);
    ANI_SHARED_ARRAY(double, join, THREADS + 2 * COUT);
    const int lane = ani_lane(), row_of = lane / 4, mine = lane % 4 * 2 * NT;
    uint32_t w[NT][4];
    ANI_UNROLL
    for (int t = 0; t < NT; t++)
        ANI_UNROLL
    for (int r = 0; r < 4; r++) {
        const int q = 4 * r + lane % 4, tap = q / 5 * 9 + q % 5 * 2;
        const int channel = row_of / 2 * 2 * NT + 2 * t + row_of % 2;
        const float low = q == 15 ? 0 : a.w[tap * COUT + channel];
        const float high = q == 15 || q % 5 == 4 ? 0 : a.w[(tap + 1) * COUT + channel];
        w[t][r] = ani_pack(low, high);
    }
    stem_pair pairs[4];
    ANI_UNROLL
    for (int r = 0; r < 4; r++)
        pairs[r] = pair_of(r);
    float pivot[2 * NT], sum[2 * NT], squares[2 * NT], count = 0;
    ANI_UNROLL
    for (int i = 0; i < 2 * NT; i++)
        pivot[i] = sum[i] = squares[i] = 0;
    const bool counts = a.totals.count > 0;
    bool pivoted = false;

    const int64_t first = blockIdx.x * a.range;
    const int64_t last = first + a.range < a.tiles ? first + a.range : a.tiles;
    for (int64_t number = first; number < last; number++) {
        const stem_tile tile = tile_at(a, number);
        ani_sync();
        load_image<X>(a, tile, image);
        ani_sync();
        for (int product = ani_warp(); product < TILE; product += WARPS) {
            const int y = tile.y + product / GROUPS, group = product % GROUPS * PIXELS;
            if (y >= a.oh || tile.x + group >= a.ow) continue;
            float d[NT][4];
            ANI_UNROLL
            for (int t = 0; t < NT; t++)
                d[t][0] = d[t][1] = d[t][2] = d[t][3] = 0;
            const uint32_t *from = reinterpret_cast<const uint32_t *>(image) +
                                   product / GROUPS * X_PITCH + 3 * (group + row_of);
            ANI_UNROLL
            for (int half = 0; half < 2; half++) {
                uint32_t x[4];
                ANI_UNROLL
                for (int r = 0; r < 4; r++) {
                    const stem_pair &pair = pairs[2 * half + r / 2];
                    x[r] = from[pair.word + r % 2 * 3 * 8] & pair.mask;
                }
                ANI_UNROLL
                for (int t = 0; t < NT; t++) {
                    const uint32_t b[2] = {w[t][2 * half], w[t][2 * half + 1]};
                    ani_mma(d[t], x, b);
                }
            }
            ANI_UNROLL
            for (int r = 0; r < 2; r++) {
                const int column = tile.x + group + row_of + 8 * r;
                uint32_t words[NT];
                ANI_UNROLL
                for (int t = 0; t < NT; t++)
                    words[t] = ani_pack(d[t][2 * r], d[t][2 * r + 1]);
                if (a.y && column < a.ow)
                    save_words<NT>(static_cast<uint32_t *>(a.y) +
                                       (((tile.image * a.oh + y) * a.ow + column) * COUT + mine) /
                                           2,
                                   words);
                if (!counts) continue;
                if (!pivoted) { /* the first pixel is inside; lanes of a channel share it */
                    ANI_UNROLL
                    for (int t = 0; t < NT; t++) {
                        pivot[2 * t] = ani_shuffle(ani_low(words[t]), lane % 4);
                        pivot[2 * t + 1] = ani_shuffle(ani_high(words[t]), lane % 4);
                    }
                    pivoted = true;
                }
                if (column >= a.ow) continue;
                count += 1;
                ANI_UNROLL
                for (int i = 0; i < 2 * NT; i++) {
                    const uint32_t both = words[i / 2];
                    const float value = (i % 2 ? ani_high(both) : ani_low(both)) - pivot[i];
                    sum[i] += value;
                    squares[i] = fmaf(value, value, squares[i]);
                }
            }
        }
    }
    if (!counts) return;
    ANI_UNROLL
    for (int mask = 4; mask < ANI_WARP; mask *= 2) {
        count += ani_shuffle_xor(count, mask);
        ANI_UNROLL
        for (int i = 0; i < 2 * NT; i++) {
            sum[i] += ani_shuffle_xor(sum[i], mask);
            squares[i] += ani_shuffle_xor(squares[i], mask);
        }
    }
    if (row_of == 0) {
        ANI_UNROLL
        for (int i = 0; i < 2 * NT; i++) {
            const ani_moment_sums of = ani_moment_sums_of(count, pivot[i], sum[i], squares[i]);
            sums[ani_warp() * 2 * COUT + mine + i] = of.sum;
            sums[(ani_warp() * 2 + 1) * COUT + mine + i] = of.squares;
        }
    }
    ani_sync();
    double *part = ani_totals_part(a.totals, 0, (int)blockIdx.x);
    for (int i = ani_thread(); i < 2 * COUT; i += THREADS) {
        double total = 0;
        for (int warp = 0; warp < WARPS; warp++)
            total += sums[warp * 2 * COUT + i];
        part[i] = total;
    }
    const double *totals;
    if (!ani_totals_join(a.totals, 0, (int)blockIdx.x, join, &totals)) return;
    for (int i = ani_thread(); i < COUT; i += THREADS)
        ani_finish_channel(a.end, COUT, i, a.pixels, totals[i], totals[COUT + i]);
}

/* --- weight gradient -------------------------------------------------------------------------- */

/* Bytes from pixel to pixel of dz in shared memory: an odd number of 16, so that eight pixels meet
 * all banks. */
template <int NT> struct stem_dz {
    enum { PITCH = 16 * (NT % 2 ? NT : NT + 1), SIZE = TILE * PIXELS * PITCH };
};

/* Form the tile's dz, zero outside of the output. table: a, b, c of the channels. */
template <int NT>
ANI_DEVICE void load_dz(const stem_args &a, const stem_tile &tile, const float *table,
                        unsigned char *to) {
    enum { COUT = 8 * NT, VECTORS = TILE * PIXELS * NT };
    const ani_bf16 *g = static_cast<const ani_bf16 *>(a.dz.g);
    const ani_bf16 *z = static_cast<const ani_bf16 *>(a.dz.z);
    ANI_UNROLL
    for (int i = 0; i < VECTORS; i += THREADS) {
        const int vector = i + ani_thread(), pixel = vector / NT, c = vector % NT * 8;
        if (vector >= VECTORS) break;
        const int y = tile.y + pixel / (GROUPS * PIXELS), x = tile.x + pixel % (GROUPS * PIXELS);
        float dz[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        if (y < a.oh && x < a.ow) {
            const int64_t at = ((tile.image * a.oh + y) * a.ow + x) * COUT + c;
            float of_g[8], of_z[8] = {0, 0, 0, 0, 0, 0, 0, 0};
            ani_load<8>(of_g, g + at);
            if (z) ani_load<8>(of_z, z + at);
            ANI_UNROLL
            for (int k = 0; k < 8; k++) {
                const ani_slope slope = {table[c + k], table[COUT + c + k],
                                         table[2 * COUT + c + k]};
                dz[k] = ani_dz(of_g[k], of_z[k], slope);
            }
        }
        ani_save<8>(reinterpret_cast<ani_bf16 *>(to + pixel * stem_dz<NT>::PITCH) + c, dz);
    }
}

/* A lane's neighbouring pixels of one tap: two elements of the image, 6 apart. */
ANI_DEVICE uint32_t two_pixels(const uint16_t *image, int tap) {
    if (tap >= TAPS) return 0;
    const uint16_t *from = image + tap / 9 * X_PITCH + tap % 9;
    return from[0] | (uint32_t)from[6] << 16;
}

/* dw = x^T dz, with the taps as rows of the product, padded to 32, and pixels as its depth. */
template <typename X, int NT>
static __global__ void __launch_bounds__(THREADS, NT > 4 ? 3 : 4) weight_kernel(stem_args a) {
    enum { COUT = 8 * NT };
    ANI_SHARED_BYTES(shared);
    ANI_SHARED_ARRAY(float, table, 3 * COUT);
    uint16_t *image = reinterpret_cast<uint16_t *>(shared + stem_dz<NT>::SIZE);
    for (int i = ani_thread(); i < COUT; i += THREADS) {
        const ani_slope slope = ani_slope_of(a.dz, i);
        table[i] = slope.a;
        table[COUT + i] = slope.b;
        table[2 * COUT + i] = slope.c;
    }
    const int lane = ani_lane();
    float d[2][NT][4];
    ANI_UNROLL
    for (int i = 0; i < 2 * NT; i++)
        d[i / NT][i % NT][0] = d[i / NT][i % NT][1] = d[i / NT][i % NT][2] = d[i / NT][i % NT][3] =
            0;

    const int64_t first = blockIdx.x * a.range;
    const int64_t last = first + a.range < a.tiles ? first + a.range : a.tiles;
    for (int64_t number = first; number < last; number++) {
        const stem_tile tile = tile_at(a, number);
        ani_sync();
        load_image<X>(a, tile, image);
        load_dz<NT>(a, tile, table, shared);
        ani_sync();
        for (int product = ani_warp(); product < TILE; product += WARPS) {
            const uint16_t *from = image + product / GROUPS * 2 * X_PITCH +
                                   6 * (product % GROUPS * PIXELS + lane % 4 * 2);
            const unsigned char *dz = shared + product * PIXELS * stem_dz<NT>::PITCH;
            uint32_t x[2][4];
            ANI_UNROLL
            for (int m = 0; m < 2; m++)
                ANI_UNROLL
            for (int r = 0; r < 4; r++)
                x[m][r] = two_pixels(from + r / 2 * 6 * 8, 16 * m + lane / 4 + r % 2 * 8);
            ANI_UNROLL
            for (int t = 0; t < NT; t++) {
                uint32_t of_dz[2];
                ani_load_matrices<2, true>(of_dz, dz + lane % 16 * stem_dz<NT>::PITCH + t * 16);
                ani_mma(d[0][t], x[0], of_dz);
                ani_mma(d[1][t], x[1], of_dz);
            }
        }
    }

    ani_sync();
    float *all = reinterpret_cast<float *>(shared); /* [WARPS][32][COUT] */
    ANI_UNROLL
    for (int i = 0; i < 2 * NT * 4; i++) {
        const int m = i / (4 * NT), t = i / 4 % NT, r = i % 4;
        all[(ani_warp() * 32 + 16 * m + lane / 4 + r / 2 * 8) * COUT + t * 8 + lane % 4 * 2 +
            r % 2] = d[m][t][r];
    }
    ani_sync();
    double *part = ani_totals_part(a.totals, 0, (int)blockIdx.x);
    for (int i = ani_thread(); i < TAPS * COUT; i += THREADS) {
        double total = 0;
        for (int warp = 0; warp < WARPS; warp++)
            total += all[warp * 32 * COUT + i];
        part[i] = total;
    }
    const double *totals;
    if (!ani_totals_join(a.totals, 0, (int)blockIdx.x, shared, &totals)) return;
    for (int i = ani_thread(); i < TAPS * COUT; i += THREADS)
        a.dw[i] = (float)totals[i];
}

/* --- launchers -------------------------------------------------------------------------------- */

static void cut(const ani_unit_shape *s, stem_args *a) {
    a->across = (int32_t)ani_pieces(s->ow, GROUPS * PIXELS);
    a->down = (int32_t)ani_pieces(s->oh, ROWS);
    a->tiles = s->n * a->across * a->down;
    a->range = ani_pieces(a->tiles, BLOCKS);
}
static int64_t block_count(const stem_args *a) {
    return ani_pieces(a->tiles, a->range);
}

static stem_args args_of(const ani_unit_shape *s, const ani_lazy *x) {
    stem_args a = {};
    a.x = *x;
    a.h = (int32_t)s->h;
    a.w_in = (int32_t)s->w;
    a.oh = (int32_t)s->oh;
    a.ow = (int32_t)s->ow;
    a.pad_top = s->pad_top;
    a.pad_left = s->pad_left;
    a.pixels = s->n * s->oh * s->ow;
    cut(s, &a);
    return a;
}

extern "C" int32_t ani_cuda_stem_takes(const ani_unit_shape *s, int32_t element) {
    return s->kind == ANI_UNIT_FULL && element == ANI_BFLOAT16 && s->cin == 3 && s->stride == 2 &&
           s->cout % 8 == 0 && s->cout >= 16 && s->cout <= 48 && s->h * s->w * 3 <= INT32_MAX;
}

extern "C" int64_t ani_cuda_stem_forward_scratch(const ani_unit_shape *s, int32_t element) {
    (void)element;
    stem_args a = {};
    cut(s, &a);
    return ani_totals_size(1, block_count(&a), 2 * s->cout);
}
extern "C" int64_t ani_cuda_stem_backward_scratch(const ani_unit_shape *s, int32_t element) {
    (void)element;
    stem_args a = {};
    cut(s, &a);
    const int64_t weights = ani_totals_size(1, block_count(&a), TAPS * s->cout);
    const int64_t input = ani_cuda_any_input_scratch(s, element);
    return ani_most(weights, input);
}

/** The kernels for one element of the image and one number of output channels. */
struct stem_kernels {
    void (*forward)(stem_args);
    void (*weights)(stem_args);
};
template <typename X, int NT> static stem_kernels kernels() {
    return {forward_kernel<X, NT>, weight_kernel<X, NT>};
}
template <typename X> static stem_kernels kernels_of(int64_t cout) {
    switch (cout / 8) {
    case 2:
        return kernels<X, 2>();
    case 3:
        return kernels<X, 3>();
    case 4:
        return kernels<X, 4>();
    case 5:
        return kernels<X, 5>();
    default:
        return kernels<X, 6>();
    }
}
static stem_kernels kernels_for(const ani_unit_shape *s, const ani_lazy *x) {
    return x->element == ANI_BFLOAT16 ? kernels_of<ani_bf16>(s->cout) : kernels_of<float>(s->cout);
}

extern "C" int ani_cuda_stem_forward(const ani_unit_shape *s, const ani_unit_forward *args,
                                     unsigned *counters, cudaStream_t stream) {
    stem_args a = args_of(s, &args->x);
    a.w = args->w;
    a.y = args->y;
    a.end = ani_moments_end_of(args->moments, args->bn);
    if (ani_wants_moments(a.end))
        a.totals = ani_totals_of(args->scratch, counters, 1, block_count(&a), 2 * s->cout);
    return ani_launch(kernels_for(s, &args->x).forward, dim3((unsigned)block_count(&a)),
                      dim3(THREADS), 0, stream, a);
}

static int launch_weights(const ani_unit_shape *s, const ani_unit_backward *args,
                          unsigned *counters, cudaStream_t stream) {
    stem_args a = args_of(s, &args->x);
    a.dz = args->dz;
    a.dw = args->dw;
    a.totals = ani_totals_of(args->scratch, counters, 1, block_count(&a), TAPS * s->cout);
    const int64_t pitch = 16 * (s->cout / 8 % 2 ? s->cout / 8 : s->cout / 8 + 1);
    const int64_t tile = TILE * PIXELS * pitch + X_ROWS * X_PITCH * (int64_t)sizeof(uint16_t);
    const int64_t all = WARPS * 32 * s->cout * (int64_t)sizeof(float);
    const int64_t join = ANI_TOTALS_SHARED(THREADS, TAPS * s->cout);
    const int64_t shared = ani_most(tile, ani_most(all, join));
    return ani_launch(kernels_for(s, &args->x).weights, dim3((unsigned)block_count(&a)),
                      dim3(THREADS), (size_t)shared, stream, a);
}
extern "C" int ani_cuda_stem_backward(const ani_unit_shape *s, const ani_unit_backward *args,
                                      unsigned *counters, cudaStream_t stream) {
    int error = cudaSuccess;
    if (args->dw) error = launch_weights(s, args, counters, stream);
    if (!error && args->store.dx) error = ani_cuda_any_input(s, args, counters, stream);
    return error;
}
