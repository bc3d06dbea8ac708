/* SPDX-License-Identifier: MIT
 * The entries of the plain C level; kernels.h says what each computes. */
#ifndef KERNELS_C_C_H
#define KERNELS_C_C_H

#include "kernels/kernels.h"

enum { ANI_C_ROWS = 4, ANI_C_WIDE = 24, ANI_C_NARROW = 16 };

void ani_c_float32(ani_tensor_kernels *table);
void ani_c_bfloat16(ani_tensor_kernels *table);
void ani_c_column_sums(double *sum, const float *t, int64_t ldt, int64_t rows, int64_t c);
void ani_c_fence(void);
void ani_c_product(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                   int64_t rows, int64_t k, int64_t n, int32_t width);
void ani_c_product_transposed(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                              int64_t ldb, int64_t rows, int64_t k, int64_t n, int32_t width,
                              const ani_ahead *ahead);
void ani_c_depthwise(float *out, const float *const x[3], const float *w, int64_t count,
                     int64_t stride);
void ani_c_depthwise_spread(float *out, const ani_depthwise *d, int64_t rows);
void ani_c_depthwise_weights(float *dw, const ani_depthwise *d, const float *g);
void ani_c_adam(float *w, const float *g, float *m, float *v, int64_t count, float gradient_scale,
                float decay, float m_rate, float v_rate, float alpha, float epsilon);
void ani_c_sgd(float *w, const float *g, float *m, int64_t count, float rate, float momentum,
               int32_t nesterov);
double ani_c_sum_squares(const float *x, int64_t count);

#endif
