/* SPDX-License-Identifier: MIT
 * Products of bfloat16 on tensor cores, of the rows of a pointwise unit with its weights: forward,
 * y[rows,cout] = x[rows,cin] w, and for the input gradient, dx[rows,cin] = dz[rows,cout] w'. Here,
 * `inner` is what is summed over and `outer` what is written: cin and cout, backward the reverse.
 *
 * A block has BLOCK_ROWS rows by BN columns at a time, and several such tiles, one below the other.
 * Rows come by asynchronous copies, as they are in memory; a warp normalises them, or forms dz, in
 * the registers from which it multiplies. The weights of the columns stay in shared memory, rounded
 * to bfloat16, if they fit there; otherwise they come with the rows, as floats. Eight warps: four
 * of 32 rows, two of half the columns. What follows the product, moments or the mask and the sums
 * of a gradient, is computed in its registers; tiles are stored through shared memory, in accesses
 * of 16 bytes. */
#ifndef BACKEND_CUDA_KERNEL_POINTWISE_H
#define BACKEND_CUDA_KERNEL_POINTWISE_H

#include "backend/cuda/kernel/kernel.h"

#include "backend/cuda/kernel/load.h"
#include "backend/cuda/kernel/mma.h"
#include "backend/cuda/kernel/totals.h"

enum {
    ANI_PW_ROWS = 128, /* of a tile */
    ANI_PW_STEP = 32,  /* of the inner dimension, in a stage */
    ANI_PW_THREADS = 256,
    ANI_PW_BLOCKS = 528, /* of a launch, about: four for each multiprocessor of the largest GPUs */
    ANI_PW_TILES = 64,   /* of a block, at most */
    ANI_PW_ROW_BYTES = ANI_PW_STEP * 2 + 16 /* of a staged row: an odd number of 16 bytes */
};

/** What the kernel takes. */
struct ani_pw {
    const void *first, *second; /* rows of x; backward of g and of z, or NULL */
    const float *p, *q, *r;     /* [inner]: scale, shift; backward a, b, c; each may be NULL */
    const float *w;             /* [cin,cout] */
    void *to;                   /* [rows,outer], or NULL */
    int64_t rows;
    int32_t inner, outer;
    int32_t relu6; /* forward: of the input */
    int32_t tiles; /* of a block */

    /* backward: the store; the mask is of masked, where relu6 of the input asks for one */
    const void *add, *masked, *z; /* [rows,outer] or NULL */
    const float *scale, *shift;   /* [outer] or NULL: of masked */
    const float *mean;            /* [outer]: for the sums */

    ani_moments_end moments;
    ani_sums_end sums;
    ani_totals totals; /* count 0: neither is wanted */
};

/** Where the parts of the shared memory begin. */
struct ani_pw_layout {
    int32_t factors, weights, stages, stage, stage_weights, out, sums, pivots, size;
    int32_t inner; /* padded to whole steps */
};

/** Bytes of a row of the weights' tile. */
template <bool BACK, bool RESIDENT> ANI_BOTH int ani_pw_weight_row(int columns, int inner) {
    if (RESIDENT) return BACK ? inner * 2 + 16 : columns * 2 + 16;
    return BACK ? (ANI_PW_STEP + 8) * 4 : (columns + 4) * 4;
}
/** Bytes of a row of a warp's tile on its way to memory: more than its columns, and an odd number
 * of 16 bytes. */
template <int NT> ANI_BOTH int ani_pw_out_row() {
    return (NT | 1) * 16;
}

template <int NT, bool BACK, bool RESIDENT> ANI_BOTH ani_pw_layout ani_pw_lay_out(int inner) {
    enum { BN = 16 * NT, STAGES = BACK ? 2 : 3, FACTORS = BACK ? 3 : 2 };
    ani_pw_layout at = {};
    at.inner = (inner + ANI_PW_STEP - 1) / ANI_PW_STEP * ANI_PW_STEP;
    const int row = ani_pw_weight_row<BACK, RESIDENT>(BN, at.inner);
    const int weights = row * (BACK ? BN : RESIDENT ? at.inner : ANI_PW_STEP);
    at.weights = at.factors + FACTORS * at.inner * 4;
    at.stages = at.weights + (RESIDENT ? weights : 0);
    at.stage_weights = (BACK ? 2 : 1) * ANI_PW_ROWS * ANI_PW_ROW_BYTES;
    at.stage = at.stage_weights + (RESIDENT ? 0 : weights);
    at.out = at.stages + STAGES * at.stage;
    at.sums = at.out + 8 * 16 * ani_pw_out_row<NT>();
    at.pivots = at.sums + 4 * BN * 2 * 8;
    at.size = at.pivots + BN * 4;
    return at;
}

/** What two neighbouring channels are loaded with. */
struct alignas(8) ani_pw_two {
    float x, y;
};

/** Two values of an inner pair of columns, rounded again. */
template <bool BACK>
ANI_DEVICE uint32_t ani_pw_form(uint32_t first, uint32_t second, const ani_pw_two &p,
                                const ani_pw_two &q, const ani_pw_two &r, bool relu6) {
    if (BACK) {
        const ani_slope low = {p.x, q.x, r.x}, high = {p.y, q.y, r.y};
        return ani_pack(ani_dz(ani_low(first), ani_low(second), low),
                        ani_dz(ani_high(first), ani_high(second), high));
    }
    const ani_affine low = {p.x, q.x}, high = {p.y, q.y};
    return ani_pack(ani_lazy_value(ani_low(first), low, relu6),
                    ani_lazy_value(ani_high(first), high, relu6));
}

/** Two neighbouring elements of a tensor; NULL: zeros. */
ANI_DEVICE uint32_t ani_pw_pair(const void *tensor, int64_t at) {
    return tensor ? *reinterpret_cast<const uint32_t *>(static_cast<const ani_bf16 *>(tensor) + at)
                  : 0;
}

template <int NT, bool BACK, bool RESIDENT>
static __global__ void __launch_bounds__(ANI_PW_THREADS, NT < (BACK && !RESIDENT ? 4 : 5) ? 2 : 1)
    ani_pw_kernel(ani_pw a) {
    enum { BN = 16 * NT, HALF = 8 * NT, STAGES = BACK ? 2 : 3, TENSORS = BACK ? 2 : 1 };
    ANI_SHARED_BYTES(shared);
    const ani_pw_layout at = ani_pw_lay_out<NT, BACK, RESIDENT>(a.inner);
    const int weight_row = ani_pw_weight_row<BACK, RESIDENT>(BN, at.inner);
    const int thread = ani_thread(), lane = ani_lane(), warp = ani_warp();
    const int wr = warp / 2, wc = warp % 2, quad = lane % 4, r = lane / 4;
    const int col0 = (int)blockIdx.x * BN, part = (int)blockIdx.y;
    const int chunks = at.inner / ANI_PW_STEP;
    const int64_t first_row = (int64_t)part * a.tiles * ANI_PW_ROWS;
    const int64_t left = ani_pieces(a.rows - first_row, ANI_PW_ROWS);
    const int tiles = (int)ani_least(a.tiles, left);
    float *factors = reinterpret_cast<float *>(shared + at.factors);
    double *sums = reinterpret_cast<double *>(shared + at.sums); /* [4][BN][2] */
    float *pivots = reinterpret_cast<float *>(shared + at.pivots);
    unsigned char *out = shared + at.out + warp * 16 * ani_pw_out_row<NT>();
    const int cout = BACK ? a.inner : a.outer; /* of a row of w */

    /* Copies run ahead of the products by STAGES - 1 steps, over the ends of tiles. */
    int ahead_tile = 0, ahead_chunk = 0, ahead_stage = 0;
    auto start = [&] {
        if (ahead_tile < tiles) {
            unsigned char *stage = shared + at.stages + ahead_stage * at.stage;
            const int k0 = ahead_chunk * ANI_PW_STEP;
            const int64_t row0 = first_row + (int64_t)ahead_tile * ANI_PW_ROWS;
            ANI_UNROLL
            for (int i = 0; i < TENSORS * 2; i++) {
                const int tensor = i / 2, row = i % 2 * 64 + thread / 4, v = thread % 4;
                const void *from = tensor ? a.second : a.first;
                const bool inside = from && row0 + row < a.rows && k0 + v * 8 < a.inner;
                const int64_t place = inside ? (row0 + row) * a.inner + k0 + v * 8 : 0;
                ani_copy<16>(stage + (tensor * ANI_PW_ROWS + row) * ANI_PW_ROW_BYTES + v * 16,
                             static_cast<const ani_bf16 *>(from ? from : a.first) + place, inside);
            }
            for (int i = thread; !RESIDENT && i < 8 * BN; i += ANI_PW_THREADS) {
                const int row = BACK ? i / 8 : i / (BN / 4), v = BACK ? i % 8 : i % (BN / 4);
                const int ci = BACK ? col0 + row : k0 + row, co = (BACK ? k0 : col0) + v * 4;
                const bool inside = ci < (BACK ? a.outer : a.inner) && co < cout;
                ani_copy<16>(stage + at.stage_weights + row * weight_row + v * 16,
                             a.w + (inside ? (int64_t)ci * cout + co : 0), inside);
            }
            if (++ahead_chunk == chunks) {
                ahead_chunk = 0;
                ahead_tile++;
            }
            ahead_stage = ahead_stage + 1 == STAGES ? 0 : ahead_stage + 1;
        }
        ani_copy_commit();
    };
    for (int i = 0; i < STAGES - 1; i++)
        start();

    for (int k = thread; k < at.inner; k += ANI_PW_THREADS) {
        const bool inside = k < a.inner;
        factors[k] = inside ? a.p ? a.p[k] : 1 : 0;
        factors[at.inner + k] = inside && a.q ? a.q[k] : 0;
        if (BACK) factors[2 * at.inner + k] = inside && a.r ? a.r[k] : 0;
    }
    /* Forward [inner][BN], backward [BN][inner]; pairs of neighbours in a row. */
    for (int i = thread; RESIDENT && i < at.inner * BN / 2; i += ANI_PW_THREADS) {
        const int pairs = (BACK ? at.inner : BN) / 2, row = i / pairs, pair = i % pairs;
        const int ci = BACK ? col0 + row : row, co = (BACK ? 0 : col0) + 2 * pair;
        float both[2] = {0, 0};
        if (ci < (BACK ? a.outer : a.inner) && co < cout)
            ani_load<2>(both, a.w + (int64_t)ci * cout + co);
        *reinterpret_cast<uint32_t *>(shared + at.weights + row * weight_row + pair * 4) =
            ani_pack(both[0], both[1]);
    }
    for (int i = thread; i < 8 * BN; i += ANI_PW_THREADS)
        sums[i] = 0;

    int stage_number = 0;
    for (int tile = 0; tile < tiles; tile++) {
        float sum[2][NT][4];
        ANI_UNROLL
        for (int m = 0; m < 2; m++)
            ANI_UNROLL
        for (int j = 0; j < NT; j++)
            sum[m][j][0] = sum[m][j][1] = sum[m][j][2] = sum[m][j][3] = 0;
        for (int chunk = 0; chunk < chunks; chunk++) {
            ani_copy_wait<STAGES - 2>();
            ani_sync();
            start();
            const unsigned char *stage = shared + at.stages + stage_number * at.stage;
            stage_number = stage_number + 1 == STAGES ? 0 : stage_number + 1;
            ANI_UNROLL
            for (int step = 0; step < ANI_PW_STEP; step += 16) {
                const int k0 = chunk * ANI_PW_STEP + step;
                if (k0 >= a.inner) break;
                const ani_pw_two *factor =
                    reinterpret_cast<const ani_pw_two *>(factors + k0 + 2 * quad);
                uint32_t rows[2][4];
                ANI_UNROLL
                for (int m = 0; m < 2; m++) {
                    const int row = wr * 32 + m * 16 + lane % 16;
                    const unsigned char *from =
                        stage + row * ANI_PW_ROW_BYTES + step * 2 + lane / 16 * 16;
                    uint32_t other[4] = {0, 0, 0, 0};
                    ani_load_matrices<4, false>(rows[m], from);
                    if (BACK)
                        ani_load_matrices<4, false>(other, from + ANI_PW_ROWS * ANI_PW_ROW_BYTES);
                    ANI_UNROLL
                    for (int i = 0; i < 4; i++) {
                        const ani_pw_two p = factor[i / 2 * 4],
                                         q = factor[at.inner / 2 + i / 2 * 4];
                        const ani_pw_two s = BACK ? factor[at.inner + i / 2 * 4] : q;
                        rows[m][i] = ani_pw_form<BACK>(rows[m][i], other[i], p, q, s, a.relu6);
                    }
                }
                uint32_t next[4] = {0, 0, 0, 0};
                ANI_UNROLL
                for (int j = 0; j < NT; j++) {
                    uint32_t columns[2];
                    const int n = wc * HALF + j * 8;
                    if (!RESIDENT) {
                        const float *w = reinterpret_cast<const float *>(
                            stage + at.stage_weights +
                            (BACK ? n + r : step + 2 * quad) * weight_row);
                        if (BACK) {
                            float low[2], high[2];
                            ani_load<2>(low, w + step + 2 * quad);
                            ani_load<2>(high, w + step + 2 * quad + 8);
                            columns[0] = ani_pack(low[0], low[1]);
                            columns[1] = ani_pack(high[0], high[1]);
                        } else {
                            const int down = weight_row / 4;
                            w += n + r;
                            columns[0] = ani_pack(w[0], w[down]);
                            columns[1] = ani_pack(w[8 * down], w[9 * down]);
                        }
                    } else if (j % 2) {
                        columns[0] = next[2];
                        columns[1] = next[3];
                    } else {
                        /* two neighbours at once; past the last one, a matrix that is not used */
                        const int past = j + 1 < NT ? lane / 16 * 8 : 0, over = lane / 8 % 2 * 8;
                        const unsigned char *w = shared + at.weights;
                        if (BACK)
                            ani_load_matrices<4, false>(
                                next, w + (n + past + lane % 8) * weight_row + (k0 + over) * 2);
                        else
                            ani_load_matrices<4, true>(next, w + (k0 + lane % 16) * weight_row +
                                                                 (n + past) * 2);
                        columns[0] = next[0];
                        columns[1] = next[1];
                    }
                    ANI_UNROLL
                    for (int m = 0; m < 2; m++)
                        ani_mma(sum[m][j], rows[m], columns);
                }
            }
        }

        /* What is stored, of rows and columns that exist; element i of m and j is in row
         * m*16 + i/2*8 + r and column j*8 + 2*quad + i%2 of the warp. */
        const int64_t row0 = first_row + (int64_t)tile * ANI_PW_ROWS + wr * 32 + r;
        if (BACK) {
            ANI_UNROLL
            for (int j = 0; j < NT; j++) {
                const int column = col0 + wc * HALF + j * 8 + 2 * quad;
                if (column >= a.outer) continue;
                ani_affine affine[2] = {{1, 0}, {1, 0}};
                if (a.scale) {
                    affine[0] = {a.scale[column], a.shift[column]};
                    affine[1] = {a.scale[column + 1], a.shift[column + 1]};
                }
                ANI_UNROLL
                for (int i = 0; i < 4; i++) {
                    const int64_t row = row0 + i * 8;
                    float *value = &sum[i / 2][j][i % 2 * 2];
                    if (row >= a.rows) continue;
                    const uint32_t add = ani_pw_pair(a.add, row * a.outer + column);
                    const uint32_t z = ani_pw_pair(a.masked, row * a.outer + column);
                    value[0] =
                        ani_dx(value[0], ani_low(add), ani_low(z), affine[0], a.masked != NULL);
                    value[1] =
                        ani_dx(value[1], ani_high(add), ani_high(z), affine[1], a.masked != NULL);
                }
            }
        }
        if (a.totals.count) {
            if (!BACK && tile == 0) {
                ANI_UNROLL
                for (int i = 0; i < NT; i++)
                    if (wr == 0 && r == 0) {
                        const int n = wc * HALF + i * 8 + 2 * quad;
                        pivots[n] = ani_stored<ani_bf16>(sum[0][i][0]);
                        pivots[n + 1] = ani_stored<ani_bf16>(sum[0][i][1]);
                    }
                ani_sync();
            }
            ANI_UNROLL
            for (int j = 0; j < NT; j++) {
                const int n = wc * HALF + j * 8 + 2 * quad, column = col0 + n;
                float first[2] = {0, 0}, second[2] = {0, 0}, middle[2] = {0, 0};
                if (!BACK) ani_load<2>(middle, pivots + n);
                if (BACK && column < a.outer) {
                    middle[0] = a.mean[column];
                    middle[1] = a.mean[column + 1];
                }
                ANI_UNROLL
                for (int i = 0; i < 4; i++) {
                    const int64_t row = row0 + i * 8;
                    const float *value = &sum[i / 2][j][i % 2 * 2];
                    if (row >= a.rows || column >= a.outer) continue;
                    const uint32_t z = BACK ? ani_pw_pair(a.z, row * a.outer + column) : 0;
                    ANI_UNROLL
                    for (int e = 0; e < 2; e++) {
                        const float stored = ani_stored<ani_bf16>(value[e]);
                        const float of = BACK ? e ? ani_high(z) : ani_low(z) : stored;
                        const float distance = of - middle[e];
                        first[e] += BACK ? stored : distance;
                        second[e] = fmaf(BACK ? stored : distance, distance, second[e]);
                    }
                }
                ANI_UNROLL
                for (int e = 0; e < 2; e++) {
                    ANI_UNROLL
                    for (int mask = 4; mask < ANI_WARP; mask *= 2) {
                        first[e] += ani_shuffle_xor(first[e], mask);
                        second[e] += ani_shuffle_xor(second[e], mask);
                    }
                    if (r) continue;
                    sums[(wr * BN + n + e) * 2] += first[e];
                    sums[(wr * BN + n + e) * 2 + 1] += second[e];
                }
            }
        }
        ANI_UNROLL
        for (int m = 0; m < 2; m++) {
            if (!a.to) break;
            ANI_UNROLL
            for (int j = 0; j < NT; j++)
                ANI_UNROLL
            for (int i = 0; i < 2; i++)
                *reinterpret_cast<uint32_t *>(out + (r + i * 8) * ani_pw_out_row<NT>() + j * 16 +
                                              quad * 4) =
                    ani_pack(sum[m][j][2 * i], sum[m][j][2 * i + 1]);
            ani_sync_warp();
            for (int i = lane; i < 16 * NT; i += ANI_WARP) {
                const int64_t row = row0 - r + m * 16 + i / NT;
                const int column = col0 + wc * HALF + i % NT * 8;
                if (row < a.rows && column < a.outer)
                    *reinterpret_cast<uint4 *>(static_cast<ani_bf16 *>(a.to) + row * a.outer +
                                               column) =
                        *reinterpret_cast<const uint4 *>(out + i / NT * ani_pw_out_row<NT>() +
                                                         i % NT * 16);
            }
            ani_sync_warp();
        }
    }
    if (!a.totals.count) return;

    /* The part of this block: over its four rows of warps, in their order. */
    ani_copy_wait<0>();
    ani_sync();
    const double count = (double)ani_least((int64_t)tiles * ANI_PW_ROWS, a.rows - first_row);
    double *items = ani_totals_part(a.totals, (int)blockIdx.x, part);
    for (int n = thread; n < BN; n += ANI_PW_THREADS) {
        double first = 0, second = 0;
        for (int i = 0; i < 4; i++) {
            first += sums[(i * BN + n) * 2];
            second += sums[(i * BN + n) * 2 + 1];
        }
        const double pivot = BACK ? 0 : pivots[n];
        items[n] = BACK ? first : fma(count, pivot, first);
        items[BN + n] = BACK ? second : fma(pivot, fma(count, pivot, 2 * first), second);
    }
    const double *all;
    if (!ani_totals_join(a.totals, (int)blockIdx.x, part, shared + at.stages, &all)) return;
    for (int n = thread; n < BN && col0 + n < a.outer; n += ANI_PW_THREADS) {
        if (BACK)
            ani_finish_channel(a.sums, a.outer, col0 + n, all[n], all[BN + n]);
        else
            ani_finish_channel(a.moments, a.outer, col0 + n, a.rows, all[n], all[BN + n]);
    }
}

/* --- choosing --------------------------------------------------------------------------------- */

/** How a launch is cut, by the shape alone. */
struct ani_pw_cut {
    int32_t nt;      /* columns of a block: 16 * nt */
    int32_t slices;  /* blocks side by side */
    int32_t parts;   /* blocks one below the other */
    int32_t tiles;   /* of a block */
    int32_t resides; /* the weights stay in shared memory */
};

/** The most columns of a block: 16 * MOST. Backward, the store needs registers, too. */
template <bool BACK> struct ani_pw_most {
    enum { nt = BACK ? 4 : 8 };
};

/** Bytes of shared memory, by nt. */
template <bool BACK, bool RESIDENT> static inline int64_t ani_pw_shared(int nt, int inner) {
    int32_t size = 0;
    if (nt == 1) size = ani_pw_lay_out<1, BACK, RESIDENT>(inner).size;
    if (nt == 2) size = ani_pw_lay_out<2, BACK, RESIDENT>(inner).size;
    if (nt == 3) size = ani_pw_lay_out<3, BACK, RESIDENT>(inner).size;
    if (nt == 4) size = ani_pw_lay_out<4, BACK, RESIDENT>(inner).size;
    if (nt == 5) size = ani_pw_lay_out<5, BACK, RESIDENT>(inner).size;
    if (nt == 6) size = ani_pw_lay_out<6, BACK, RESIDENT>(inner).size;
    if (nt == 7) size = ani_pw_lay_out<7, BACK, RESIDENT>(inner).size;
    if (nt == 8) size = ani_pw_lay_out<8, BACK, RESIDENT>(inner).size;
    return size;
}

/** The fewest blocks side by side, all of about the same width. */
template <bool BACK> static inline ani_pw_cut ani_pw_cut_of(int64_t rows, int inner, int outer) {
    ani_pw_cut cut = {};
    const int64_t pieces = ani_pieces(outer, 16 * ani_pw_most<BACK>::nt);
    cut.nt = (int32_t)ani_pieces(ani_pieces(outer, pieces), 16);
    cut.slices = (int32_t)ani_pieces(outer, 16 * cut.nt);
    cut.resides = ani_pw_shared<BACK, true>(cut.nt, inner) <= ANI_SHARED_LIMIT;
    const int64_t tiles = ani_pieces(rows, ANI_PW_ROWS);
    const int64_t each = ani_pieces(tiles * cut.slices, ANI_PW_BLOCKS);
    cut.tiles = (int32_t)ani_least(each, ANI_PW_TILES);
    cut.parts = (int32_t)ani_pieces(tiles, cut.tiles);
    return cut;
}

/** Bytes of the parts' sums. */
template <bool BACK> static inline int64_t ani_pw_scratch(int64_t rows, int inner, int outer) {
    const ani_pw_cut cut = ani_pw_cut_of<BACK>(rows, inner, outer);
    return ani_totals_size(cut.slices, cut.parts, 32 * cut.nt);
}

/** The kernel for nt, which is at most NT. */
template <int NT, bool BACK, bool RESIDENT> struct ani_pw_table {
    static void (*of(int nt))(ani_pw) {
        return nt == NT ? ani_pw_kernel<NT, BACK, RESIDENT>
                        : ani_pw_table<NT - 1, BACK, RESIDENT>::of(nt);
    }
};
template <bool BACK, bool RESIDENT> struct ani_pw_table<1, BACK, RESIDENT> {
    static void (*of(int))(ani_pw) {
        return ani_pw_kernel<1, BACK, RESIDENT>;
    }
};

template <bool BACK, bool RESIDENT>
static inline int ani_pw_launch_as(const ani_pw_cut &cut, const ani_pw &a, cudaStream_t stream) {
    const dim3 grid((unsigned)cut.slices, (unsigned)cut.parts), block(ANI_PW_THREADS);
    return ani_launch(ani_pw_table<ani_pw_most<BACK>::nt, BACK, RESIDENT>::of(cut.nt), grid, block,
                      (size_t)ani_pw_shared<BACK, RESIDENT>(cut.nt, a.inner), stream, a);
}

/** Launch the product; wants: sums of the columns are wanted, with scratch. */
template <bool BACK>
static inline int ani_pw_launch(ani_pw &a, bool wants, void *scratch, unsigned *counters,
                                cudaStream_t stream) {
    const ani_pw_cut cut = ani_pw_cut_of<BACK>(a.rows, a.inner, a.outer);
    a.tiles = cut.tiles;
    if (wants) a.totals = ani_totals_of(scratch, counters, cut.slices, cut.parts, 32 * cut.nt);
    return cut.resides ? ani_pw_launch_as<BACK, true>(cut, a, stream)
                       : ani_pw_launch_as<BACK, false>(cut, a, stream);
}

/** Whether tensors of both widths can be read and written in accesses of 16 bytes. */
static inline int32_t ani_pw_takes(const ani_unit_shape *s, int32_t element) {
    return s->kind == ANI_UNIT_POINTWISE && element == ANI_BFLOAT16 && s->cin % 8 == 0 &&
           s->cout % 8 == 0 && s->cin <= 4096 && s->cout <= 4096;
}

#endif
