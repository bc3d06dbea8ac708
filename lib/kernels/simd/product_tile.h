/* SPDX-License-Identifier: MIT
 * Products of tiles. The register tile has `rows` rows and `vectors` vectors of sums; one step
 * loads the vectors of one row of b and broadcasts one element of each row of a. With 12 sums
 * (AVX2) or 24 there are enough independent chains to hide the latency of the multiply-add, and
 * fewer loads than multiply-adds. a needs no packing: its elements are broadcast from where they
 * lie.
 *
 * A source file that defines ANI_PRODUCT_PAIRS gets products of pairs of bfloat16 (see
 * ani_pair_kernels): a lane of an operand then holds two of them, all else is the same. */

ANI_INLINE vec product_step(vec a, vec b, vec sum) {
#ifdef ANI_PRODUCT_PAIRS
    return v_dot_pairs(a, b, sum);
#else
    return v_fma(a, b, sum);
#endif
}

enum { WIDE = 3 * LANES, NARROW = 2 * LANES };

/** The lines that a product asks for, and how many of each range at each register tile. */
typedef struct ahead_lines {
    const char *at[2], *end[2];
    int64_t step[2];
} ahead_lines;

ANI_INLINE ahead_lines ahead_begin(const ani_ahead *ahead, int64_t tiles) {
    enum { LINE = 64 };
    ahead_lines lines = {{NULL, NULL}, {NULL, NULL}, {0, 0}};
    for (int i = 0; ahead && i < 2; i++) {
        if (!ahead->from[i]) continue;
        lines.at[i] = ahead->from[i];
        lines.end[i] = lines.at[i] + ahead->size[i];
        lines.step[i] = (lines.end[i] - lines.at[i]) / LINE / tiles + 1;
    }
    return lines;
}

ANI_INLINE void ahead_step(ahead_lines *lines) {
    enum { LINE = 64 };
    for (int i = 0; i < 2; i++)
        for (int64_t j = 0; j < lines->step[i] && lines->at[i] < lines->end[i]; j++) {
            __builtin_prefetch(lines->at[i], 0, 2);
            lines->at[i] += LINE;
        }
}

ANI_INLINE void product_sums(vec sums[12][3], const float *a, int64_t lda, const float *b,
                             int64_t k, const int rows, const int vectors) {
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        sums[r][j] = v_zero();
    for (int64_t i = 0; i < k; i++, b += vectors * LANES) {
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

ANI_INLINE void product_tile(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                             int64_t k, const int rows, const int vectors) {
    vec sums[12][3];
    product_sums(sums, a, lda, b, k, rows, vectors);
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        v_store(c + r * ldc + j * LANES, sums[r][j]);
}
