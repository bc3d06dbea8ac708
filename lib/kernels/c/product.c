/* SPDX-License-Identifier: MIT
 * Products of tiles in plain C. The CPU backend gives the products of this level to OpenBLAS; these
 * are their contract, and what the other levels are tested against. */
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

/* One row of one panel. */
static void product_row(const ani_product *p, int64_t row, int64_t column, float t[ANI_C_WIDE]) {
    const float *packed = p->packed + column * p->k;
    for (int32_t j = 0; j < p->width; j++)
        t[j] = 0;
    for (int64_t i = 0; i < p->k; i++)
        for (int32_t j = 0; j < p->width; j++)
            t[j] += p->a[row * p->lda + i] * packed[i * p->width + j];
}

static int64_t panel_columns(const ani_product *p, int64_t column) {
    return p->n - column < p->width ? p->n - column : p->width;
}

void ani_c_product_moments(const ani_product *p, float *y, int64_t ldy, const float *pivot,
                           double *sum, double *square) {
    float t[ANI_C_WIDE];
    for (int64_t column = 0; column < p->n; column += p->width)
        for (int64_t r = 0; r < p->rows; r++) {
            product_row(p, r, column, t);
            ani_c_store_moments(y + r * ldy + column, ldy, t, 0, 1, panel_columns(p, column),
                                pivot + column, sum + column, square + column, 0);
        }
}

void ani_c_product_gradient(const ani_product *p, const ani_gradient_store *to) {
    float t[ANI_C_WIDE];
    for (int64_t column = 0; column < p->n; column += p->width)
        for (int64_t r = 0; r < p->rows; r++) {
            product_row(p, r, column, t);
            const ani_gradient_store at = ani_gradient_at(to, r * to->ldx, column);
            ani_c_store_gradient(&at, t, 0, 1, panel_columns(p, column), 0);
        }
}
