/* SPDX-License-Identifier: MIT
 * Products of tiles. The register tile has `rows` rows and `vectors` vectors of sums; one step
 * loads the vectors of one row of b and broadcasts one element of each row of a. With 12 sums
 * (AVX2) or 24 there are enough independent chains to hide the latency of the multiply-add, and
 * fewer loads than multiply-adds. a needs no packing: its elements are broadcast from where they
 * lie. */

enum { WIDE = 3 * LANES, NARROW = 2 * LANES };

ANI_INLINE void product_tile(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                             int64_t k, const int rows, const int vectors) {
    vec sums[12][3];
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
                sums[r][j] = v_fma(value, row[j], sums[r][j]);
        }
    }
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        v_store(c + r * ldc + j * LANES, sums[r][j]);
}

static void product(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                    int64_t rows, int64_t k, int64_t n, int32_t width) {
    for (int64_t column = 0; column < n; column += width, packed += k * width) {
        if (width == WIDE)
            for (int64_t r = 0; r < rows; r += WIDE_ROWS)
                product_tile(c + r * ldc + column, ldc, a + r * lda, lda, packed, k, WIDE_ROWS, 3);
        else
            for (int64_t r = 0; r < rows; r += NARROW_ROWS)
                product_tile(c + r * ldc + column, ldc, a + r * lda, lda, packed, k, NARROW_ROWS,
                             2);
    }
}

ANI_INLINE void product_transposed_tile(float *c, int64_t ldc, const float *a, int64_t lda,
                                        const float *b, int64_t ldb, int64_t count, const int rows,
                                        const int vectors) {
    vec sums[12][3];
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        sums[r][j] = v_load(c + r * ldc + j * LANES);
    for (int64_t i = 0; i < count; i++, a += lda, b += ldb) {
        vec row[3];
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            row[j] = v_load(b + j * LANES);
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec value = v_broadcast(a + r);
            ANI_UNROLL
            for (int j = 0; j < vectors; j++)
                sums[r][j] = v_fma(value, row[j], sums[r][j]);
        }
    }
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        v_store(c + r * ldc + j * LANES, sums[r][j]);
}

static void product_transposed(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                               int64_t ldb, int64_t rows, int64_t k, int64_t n, int32_t width) {
    for (int64_t column = 0; column < n; column += width) {
        if (width == WIDE)
            for (int64_t i = 0; i < k; i += WIDE_ROWS)
                product_transposed_tile(c + i * ldc + column, ldc, a + i, lda, b + column, ldb,
                                        rows, WIDE_ROWS, 3);
        else
            for (int64_t i = 0; i < k; i += NARROW_ROWS)
                product_transposed_tile(c + i * ldc + column, ldc, a + i, lda, b + column, ldb,
                                        rows, NARROW_ROWS, 2);
    }
}
