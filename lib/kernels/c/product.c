/* SPDX-License-Identifier: MIT
 * Products of tiles in plain C. The CPU backend uses OpenBLAS for the products of this level if it
 * can; these define the contract, and the other levels are tested against them. */
#include "kernels/c/c.h"

static int64_t round_up(int64_t value, int64_t step) {
    return (value + step - 1) / step * step;
}

void ani_c_product(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                   int64_t rows, int64_t k, int64_t n, int32_t width) {
    for (int64_t column = 0; column < n; column += width, packed += k * width)
        for (int64_t r = 0; r < round_up(rows, ANI_C_ROWS); r++) {
            float *to = c + r * ldc + column;
            for (int32_t j = 0; j < width; j++)
                to[j] = 0;
            for (int64_t i = 0; i < k; i++)
                for (int32_t j = 0; j < width; j++)
                    to[j] += a[r * lda + i] * packed[i * width + j];
        }
}

void ani_c_product_transposed(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                              int64_t ldb, int64_t rows, int64_t k, int64_t n, int32_t width,
                              const ani_ahead *ahead) {
    (void)ahead;
    const int64_t columns = round_up(n, width);
    for (int64_t i = 0; i < round_up(k, ANI_C_ROWS); i++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < columns; j++)
                c[i * ldc + j] += a[r * lda + i] * b[r * ldb + j];
}
