/* SPDX-License-Identifier: MIT
 * Products of tiles into tiles; product_tile.h says how. */

ANI_INLINE void product_all(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                            int64_t rows, int64_t k, int64_t n, const int tile_rows,
                            const int vectors) {
    const ahead_lines none = {{NULL, NULL}, {NULL, NULL}, {0, 0}, 0};
    const int64_t width = vectors * LANES;
    for (int64_t column = 0; column < n; column += width, packed += k * width)
        for (int64_t r = 0; r < rows; r += tile_rows)
            product_tile(c + r * ldc + column, ldc, a + r * lda, lda, packed, k, &none, width);
}

static void product(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                    int64_t rows, int64_t k, int64_t n, int32_t width) {
    FOR_PANEL(width, product_all, c, ldc, a, lda, packed, rows, k, n);
}

/* --- the weight gradient ---------------------------------------------------------------------- */

ANI_INLINE void product_transposed_tile(float *c, int64_t ldc, const float *a, int64_t lda,
                                        const float *b, int64_t ldb, int64_t count,
                                        const ahead_lines *lines, const int rows,
                                        const int vectors) {
    const char *ahead = ahead_steps(lines, b);
    const int64_t step = lines->step;
    vec sums[MOST_ROWS][3];
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            sums[r][j] = v_load(c + r * ldc + j * LANES);
    }
    for (int64_t i = 0; i < count; i++, a += lda, b += ldb, ahead += step) {
        __builtin_prefetch(ahead, 0, 2);
        vec row[3];
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            row[j] = v_load(b + j * LANES);
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec value = v_broadcast(a + r);
            ANI_UNROLL
            for (int j = 0; j < vectors; j++)
                sums[r][j] = product_step(value, row[j], sums[r][j]);
        }
    }
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            v_store(c + r * ldc + j * LANES, sums[r][j]);
    }
}

ANI_INLINE void product_transposed_all(float *c, int64_t ldc, const float *a, int64_t lda,
                                       const float *b, int64_t ldb, int64_t count, int64_t k,
                                       int64_t n, const ani_ahead *ahead, const int rows,
                                       const int vectors) {
    const int64_t width = vectors * LANES;
    ahead_lines lines =
        ahead_begin(ahead, (n + width - 1) / width * ((k + rows - 1) / rows), count);
    for (int64_t column = 0; column < n; column += width)
        for (int64_t i = 0; i < k; i += rows) {
            product_transposed_tile(c + i * ldc + column, ldc, a + i, lda, b + column, ldb, count,
                                    &lines, rows, vectors);
            ahead_end(&lines, count);
        }
}

static void product_transposed(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                               int64_t ldb, int64_t rows, int64_t k, int64_t n, int32_t width,
                               const ani_ahead *ahead) {
    FOR_PANEL(width, product_transposed_all, c, ldc, a, lda, b, ldb, rows, k, n, ahead);
}
