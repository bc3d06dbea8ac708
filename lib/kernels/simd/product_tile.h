/* SPDX-License-Identifier: MIT
 * Products of tiles. The register tile has `rows` rows and `vectors` vectors of sums; one step
 * loads the vectors of one row of b and broadcasts one element of each row of a. With 12 sums
 * (AVX2) or 24 there are enough independent chains to hide the latency of the multiply-add, and
 * fewer loads than multiply-adds. a needs no packing: its elements are broadcast directly from
 * memory.
 *
 * A source file that defines ANI_PRODUCT_PAIRS gets products of pairs of bfloat16 (see
 * ani_pair_kernels): a lane of an operand then holds two numbers; everything else is the same. */

ANI_INLINE vec product_step(vec a, vec b, vec sum) {
#ifdef ANI_PRODUCT_PAIRS
    return v_dot_pairs(a, b, sum);
#else
    return v_fma(a, b, sum);
#endif
}

enum { WIDE = 3 * LANES, NARROW = 2 * LANES, SLIM = LANES };
enum { MOST_SUMS = 24, MOST_ROWS = MOST_SUMS }; /* vectors of sums, rows of a register tile */
_Static_assert(WIDE_ROWS * 3 <= (int)MOST_SUMS && NARROW_ROWS * 2 <= (int)MOST_SUMS,
               "room for the sums");

/* Call f with the rows and vectors of the register tiles for a panel width. */
#define FOR_PANEL(width, f, ...)                                                                   \
    do {                                                                                           \
        if ((width) == WIDE)                                                                       \
            f(__VA_ARGS__, WIDE_ROWS, 3);                                                          \
        else if (SLIM_ROWS > 0 && (width) == SLIM)                                                 \
            f(__VA_ARGS__, SLIM_ROWS, 1);                                                          \
        else                                                                                       \
            f(__VA_ARGS__, NARROW_ROWS, 2);                                                        \
    } while (0)

/** The memory that a product prefetches: a number of bytes of each range per register tile, the
 * larger range first. Of these, `step` bytes are prefetched at each step of a tile: a burst at its
 * end would have to wait for the limited line-fill buffers. */
typedef struct ahead_lines {
    const char *at[2], *end[2];
    int64_t tile[2];
    int64_t step;
} ahead_lines;

enum { LINE = 64 };

ANI_INLINE ahead_lines ahead_begin(const ani_ahead *ahead, int64_t tiles, int64_t steps) {
    ahead_lines lines = {{NULL, NULL}, {NULL, NULL}, {0, 0}, 0};
    if (!ahead) return lines;
    const int larger = ahead->size[1] > ahead->size[0];
    for (int i = 0; i < 2; i++) {
        const char *from = ahead->from[i ^ larger];
        if (!from) continue;
        lines.at[i] = from;
        lines.end[i] = from + ahead->size[i ^ larger];
        lines.tile[i] = ((lines.end[i] - lines.at[i]) / LINE / tiles + 1) * LINE;
    }
    const int64_t step = lines.tile[0] / (steps + 1);
    lines.step = step > LINE ? LINE : step;
    return lines;
}

/* The addresses that the steps of a register tile prefetch; if there is nothing to prefetch, what
 * they read anyway. */
ANI_INLINE const char *ahead_steps(const ahead_lines *lines, const void *here) {
    return lines->at[0] ? lines->at[0] : here;
}

ANI_INLINE void ahead_end(ahead_lines *lines, int64_t steps) {
    for (int i = 0; i < 2; i++) {
        const int64_t done = i ? 0 : lines->step * steps;
        if (done) lines->at[i] += done;
        for (int64_t j = done; j < lines->tile[i] && lines->at[i] < lines->end[i]; j += LINE) {
            __builtin_prefetch(lines->at[i], 0, 2);
            lines->at[i] += LINE;
        }
    }
    if (lines->at[0] >= lines->end[0]) lines->step = 0;
}

ANI_INLINE void product_sums(vec sums[MOST_ROWS][3], const float *a, int64_t lda, const float *b,
                             int64_t k, const ahead_lines *lines, const int rows,
                             const int vectors) {
    const char *ahead = ahead_steps(lines, b);
    const int64_t step = lines->step;
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            sums[r][j] = v_zero();
    }
    for (int64_t i = 0; i < k; i++, b += vectors * LANES, ahead += step) {
        __builtin_prefetch(ahead, 0, 2);
        vec row[3];
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            row[j] = v_load(b + j * LANES);
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec value = v_broadcast(a + r * lda + i);
            ANI_UNROLL
            for (int j = 0; j < vectors; j++)
                sums[r][j] = product_step(value, row[j], sums[r][j]);
        }
    }
}

ANI_INLINE void product_tile_all(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                                 int64_t k, const ahead_lines *lines, const int rows,
                                 const int vectors) {
    vec sums[MOST_ROWS][3];
    product_sums(sums, a, lda, b, k, lines, rows, vectors);
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            v_store(c + r * ldc + j * LANES, sums[r][j]);
    }
}

/* A register tile of a panel of this width, to memory. */
ANI_SHARED void product_tile(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                             int64_t k, const ahead_lines *lines, int64_t width) {
    FOR_PANEL(width, product_tile_all, c, ldc, a, lda, b, k, lines);
}
