/* SPDX-License-Identifier: MIT
 * What the depthwise kernels share: how the work is cut, and rows of a tile on their way to shared
 * memory.
 *
 * A thread has two channels and a group of neighbouring columns, and marches down the rows. Threads
 * of a block are numbered channels first, so a warp loads and stores whole sectors; a block has a
 * slice of the channels, several groups, a band of the rows, and some images one after the other.
 * Rows arrive by asynchronous copies of 16 bytes in a ring of stages, several ahead, so that the
 * bytes on their way do not depend on how many threads a multiprocessor holds. */
#ifndef BACKEND_CUDA_KERNEL_DEPTHWISE_H
#define BACKEND_CUDA_KERNEL_DEPTHWISE_H

#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/load.h"
#include "backend/cuda/kernel/mma.h"

enum {
    ANI_DW_CHANNELS = 2,  /* of a thread */
    ANI_DW_COLUMNS = 4,   /* of a group; with stride 2: of the smaller side */
    ANI_DW_THREADS = 128, /* of a block, at most */
    ANI_DW_WORK = 400000, /* threads wanted: several times what a large device holds at once, so
                             that its last wave is a small part */
    ANI_DW_ROWS = 16,     /* of a band, at least, if there are so many: two more are loaded */
    ANI_DW_FEW = 80000,   /* threads: with fewer, a device has places left, and */
    ANI_DW_FEW_ROWS = 6   /* bands may be lower */
};

/** How the work is cut. It depends on the shape alone, since it decides the order of sums. */
struct ani_dw_tiling {
    int32_t channels, slices; /* of a slice; how many */
    int32_t groups, columns;  /* groups of a block; blocks side by side */
    int32_t rows, bands;      /* of a band; how many */
    int32_t images, chunks;   /* of a block; how many */
    int32_t threads;          /* of a block, the last of which may have nothing to compute */
    int32_t pixel;            /* bytes from column to column in shared memory */
};
static inline int64_t ani_dw_parts(const ani_dw_tiling &t) {
    return (int64_t)t.columns * t.bands * t.chunks;
}

static inline int32_t ani_dw_round_up(int64_t count, int64_t to) {
    return (int32_t)(ani_pieces(count, to) * to);
}

/** Cut n images of `rows` by `width` (of the side that bands and groups count) and c channels, with
 * `span` input columns to each column of a group. The cost is that of threads with nothing to do,
 * of columns that two blocks load, and of short strips of memory (guessed). */
static inline ani_dw_tiling ani_dw_cut(int64_t n, int64_t rows, int64_t width, int64_t c, int span,
                                       int size) {
    const int sector = 32 / size, step = c % sector ? 16 / size : sector;
    const int64_t all = ani_pieces(width, ANI_DW_COLUMNS);
    ani_dw_tiling best = {};
    double least = 0;
    for (int64_t channels = step; channels < c + step && channels <= 2 * ANI_DW_THREADS;
         channels += step)
        for (int64_t groups = 1; groups <= all; groups++) {
            const int64_t busy = channels / 2 * groups;
            if (busy > ANI_DW_THREADS) break;
            const int64_t threads = ani_dw_round_up(busy < 64 ? 64 : busy, ANI_WARP);
            const int64_t slices = ani_pieces(c, channels), columns = ani_pieces(all, groups);
            const double idle = (double)(slices * columns * threads) / (double)(c * all);
            const double shared = 1 / (double)(groups * ANI_DW_COLUMNS * span);
            const double strips = 4 / (double)(channels * size);
            const double cost = idle * (1 + shared + strips);
            if (least > 0 && cost >= least) continue;
            least = cost;
            best.channels = (int32_t)channels;
            best.slices = (int32_t)slices;
            best.groups = (int32_t)groups;
            best.columns = (int32_t)columns;
            best.threads = (int32_t)threads;
        }
    const int64_t blocks = best.slices * best.columns * n, wanted = ANI_DW_WORK / best.threads;
    int64_t bands = ani_pieces(wanted, blocks);
    if (bands > rows / ANI_DW_ROWS) bands = rows / ANI_DW_ROWS;
    if (blocks * bands * best.threads < ANI_DW_FEW) {
        bands = ani_pieces(ANI_DW_FEW, blocks * best.threads);
        if (bands > rows / ANI_DW_FEW_ROWS) bands = rows / ANI_DW_FEW_ROWS;
    }
    best.rows = (int32_t)ani_pieces(rows, bands < 1 ? 1 : bands);
    best.bands = (int32_t)ani_pieces(rows, best.rows);
    int64_t images = blocks * best.bands / wanted;
    if (images > 4 * ANI_DW_ROWS / best.rows) images = 4 * ANI_DW_ROWS / best.rows;
    best.images = (int32_t)(images < 1 ? 1 : images);
    best.chunks = (int32_t)ani_pieces(n, best.images);
    /* Lanes of one warp with the columns of two groups meet other banks, for most slices. */
    best.pixel = best.channels * size + (best.channels / 2 % ANI_WARP ? 16 : 0);
    return best;
}

/** Return whether the kernels take a depthwise convolution of c channels: pixels are then multiples
 * of 16 bytes. */
static inline bool ani_dw_takes(int64_t c, int32_t element) {
    return c % (16 / ani_element_size(element)) == 0;
}
/** Return whether a tensor can be loaded in pieces of 16 bytes. */
static inline bool ani_is_aligned(const void *tensor) {
    return (uintptr_t)tensor % 16 == 0;
}

/** What a block works on. */
struct ani_dw_block {
    int slice, part;
    int column, band, chunk;
};
ANI_DEVICE ani_dw_block ani_dw_block_of(const ani_dw_tiling &t) {
    ani_dw_block b;
    b.slice = (int)blockIdx.x % t.slices; /* neighbours in memory run at the same time */
    b.part = (int)blockIdx.x / t.slices;
    b.column = b.part % t.columns;
    b.band = b.part / t.columns % t.bands;
    b.chunk = b.part / t.columns / t.bands;
    return b;
}

/** The copies of one row that a thread starts: PER pieces of 16 bytes at most. */
template <int PER> struct ani_dw_copies {
    int from[PER]; /* elements from the start of the row; -1: a column of the padding */
    int to[PER];   /* bytes from the start of the row in its stage; -1: no piece */
};
/** Plan the copies of `columns` columns from `first` on, of a tensor of `width` by c. */
template <typename E, int PER>
ANI_DEVICE ani_dw_copies<PER> ani_dw_plan(const ani_dw_tiling &t, int slice, int first, int columns,
                                          int width, int c) {
    enum { PIECE = 16 / sizeof(E) };
    const int left = c - slice * t.channels;
    const int pieces = (left < t.channels ? left : t.channels) / PIECE;
    ani_dw_copies<PER> copies;
    ANI_UNROLL
    for (int i = 0; i < PER; i++) {
        const int number = ani_thread() + i * t.threads;
        const int column = number / pieces, piece = number % pieces, x = first + column;
        copies.to[i] = column < columns ? column * t.pixel + piece * 16 : -1;
        copies.from[i] = x >= 0 && x < width ? x * c + slice * t.channels + piece * PIECE : -1;
    }
    return copies;
}
/** Start them. row: the first element of the row. */
template <typename E, int PER>
ANI_DEVICE void ani_dw_start(const ani_dw_copies<PER> &copies, unsigned char *to, const E *row) {
    ANI_UNROLL
    for (int i = 0; i < PER; i++)
        if (copies.to[i] >= 0)
            ani_copy<16>(to + copies.to[i], row + (copies.from[i] < 0 ? 0 : copies.from[i]),
                         copies.from[i] >= 0);
}

/** min(max(value, low), high); NaN stays NaN. */
ANI_DEVICE float ani_bound(float value, float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(value) : "f"(value), "f"(low));
    asm("min.NaN.f32 %0, %1, %2;" : "=f"(value) : "f"(value), "f"(high));
    return value;
#else
    return value < low ? low : value > high ? high : value;
#endif
}

/** Round two numbers to elements, store them if wanted, and return what was stored. */
ANI_DEVICE void ani_dw_store(float *to, float (&value)[2], bool wanted) {
    if (wanted) ani_save<2>(to, value);
}
ANI_DEVICE void ani_dw_store(ani_bf16 *to, float (&value)[2], bool wanted) {
    const uint32_t both = ani_pack(value[0], value[1]);
    value[0] = ani_low(both);
    value[1] = ani_high(both);
    if (wanted) *reinterpret_cast<uint32_t *>(to) = both;
}

#endif
