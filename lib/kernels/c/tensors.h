/* SPDX-License-Identifier: MIT
 * The entries that read and write tensors, in plain C: their contract. float32.c includes this
 * directly; bfloat16.c first defines ANI_TENSOR_BFLOAT16 and gets them for bfloat16 tensors. get()
 * reads an element, put() rounds and stores one. */
#include <stddef.h>

#include "kernels/c/c.h"

#ifdef ANI_TENSOR_BFLOAT16

enum { ELEMENT = ANI_BFLOAT16 };
typedef uint16_t element;

static inline float get(const element *from) {
    return ani_from_bfloat16(*from);
}
static inline void put(element *to, float value) {
    *to = ani_to_bfloat16(value);
}

#else

enum { ELEMENT = ANI_FLOAT32 };
typedef float element;

static inline float get(const element *from) {
    return *from;
}
static inline void put(element *to, float value) {
    *to = value;
}

#endif

static inline float clip(float value) {
    value = value < 0 ? 0 : value; /* a comparison with NaN is false: NaN stays */
    return value > 6 ? 6 : value;
}

static void normalise(float *out, int64_t ldo, const void *z, int64_t ldz, int64_t rows, int64_t c,
                      const float *scale, const float *shift, int32_t relu6) {
    const element *from = z;
    for (int64_t r = 0; r < rows; r++, out += ldo, from += ldz)
        for (int64_t i = 0; i < c; i++) {
            const float value = get(from + i);
            out[i] = scale ? value * scale[i] + shift[i] : value;
            if (relu6) out[i] = clip(out[i]);
        }
}

static void gradient(float *out, int64_t ldo, const void *g, const void *z, int64_t ldg,
                     int64_t rows, int64_t channels, const float *a, const float *b,
                     const float *c) {
    const element *from = g, *of = z;
    for (int64_t r = 0; r < rows; r++, out += ldo, from += ldg)
        for (int64_t i = 0; i < channels; i++) {
            const float value = get(from + i);
            out[i] = of  ? a[i] * value + (b[i] * get(of + r * ldg + i) + c[i])
                     : a ? a[i] * value
                         : value;
        }
}

static void store_moments(void *y, int64_t ldy, const float *t, int64_t ldt, int64_t rows,
                          int64_t c, const float *pivot, double *sum, double *square,
                          int32_t stream) {
    element *to = y;
    (void)stream;
    for (int64_t r = 0; r < rows; r++, to += ldy, t += ldt)
        for (int64_t i = 0; i < c; i++) {
            put(to + i, t[i]);
            const float distance = get(to + i) - pivot[i];
            sum[i] += distance;
            square[i] += (double)distance * distance;
        }
}

static void store_sum(void *y, int64_t ldy, const float *t, int64_t ldt, int64_t rows, int64_t c,
                      const void *residual) {
    element *to = y;
    const element *add = residual;
    for (int64_t r = 0; r < rows; r++, to += ldy, t += ldt)
        for (int64_t i = 0; i < c; i++)
            put(to + i, add ? t[i] + get(add + r * ldy + i) : t[i]);
}

static void store_value(const ani_value_store *to, const float *t, int64_t ldt, int64_t rows,
                        int64_t c, int32_t stream) {
    const element *add = to->residual;
    element *y = to->y;
    (void)stream;
    for (int64_t r = 0, at = 0; r < rows; r++, t += ldt, at += to->ldy)
        for (int64_t i = 0; i < c; i++) {
            float value = t[i] + to->shift[i];
            if (to->relu6) value = clip(value);
            if (to->relu6 && value < 6 && value > ani_below_six(ELEMENT))
                value = ani_below_six(ELEMENT);
            put(y + at + i, add ? value + get(add + at + i) : value);
        }
}

static void store_gradient(const ani_gradient_store *to, const float *t, int64_t ldt, int64_t rows,
                           int64_t c, int32_t stream) {
    const element *x = to->x, *add = to->add, *z = to->z;
    const float *scale = to->scale, *shift = to->shift;
    element *dx = to->dx;
    (void)stream;
    for (int64_t r = 0, at = 0; r < rows; r++, at += to->ldx) {
        for (int64_t i = 0; i < c; i++) {
            float value = t[r * ldt + i] + (add ? get(add + at + i) : 0);
            if (x) {
                const float y = scale ? get(x + at + i) * scale[i] + shift[i] : get(x + at + i);
                value = ((y > 0) & (y < 6)) ? value : 0; /* branch-free: both cases are common */
            }
            put(dx + at + i, value);
        }
        for (int64_t i = 0; to->sum && i < c; i++) {
            const double value = get(dx + at + i);
            to->sum[i] += value;
            if (z) to->dot[i] += value * (get(z + at + i) - to->mean[i]);
        }
    }
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

static void product_moments(const ani_product *p, void *y, int64_t ldy, const float *pivot,
                            double *sum, double *square) {
    float t[ANI_C_WIDE];
    for (int64_t column = 0; column < p->n; column += p->width)
        for (int64_t r = 0; r < p->rows; r++) {
            product_row(p, r, column, t);
            store_moments((element *)y + r * ldy + column, ldy, t, 0, 1, panel_columns(p, column),
                          pivot + column, sum + column, square + column, 0);
        }
}

static void product_value(const ani_product *p, const ani_value_store *to) {
    float t[ANI_C_WIDE];
    for (int64_t column = 0; column < p->n; column += p->width)
        for (int64_t r = 0; r < p->rows; r++) {
            product_row(p, r, column, t);
            const ani_value_store at = ani_value_at(to, ELEMENT, r * to->ldy, column);
            store_value(&at, t, 0, 1, panel_columns(p, column), 0);
        }
}

static void product_gradient(const ani_product *p, const ani_gradient_store *to) {
    float t[ANI_C_WIDE];
    for (int64_t column = 0; column < p->n; column += p->width)
        for (int64_t r = 0; r < p->rows; r++) {
            product_row(p, r, column, t);
            const ani_gradient_store at = ani_gradient_at(to, ELEMENT, r * to->ldx, column);
            store_gradient(&at, t, 0, 1, panel_columns(p, column), 0);
        }
}

static void depthwise_moments(const ani_depthwise *d, void *y, int64_t ldy, const float *pivot,
                              double *sum, double *square) {
    for (int64_t i = 0; i < d->count; i++) {
        float block[ANI_BLOCK];
        const int64_t at = i * d->stride * ANI_BLOCK;
        const float *const x[3] = {d->x[0] + at, d->x[1] + at, d->x[2] + at};
        ani_c_depthwise(block, x, d->w, 1, d->stride);
        store_moments((element *)y + i * ldy, ldy, block, 0, 1, ANI_BLOCK, pivot, sum, square, 0);
    }
}

static void depthwise_value(const ani_depthwise *d, const ani_value_store *to) {
    for (int64_t i = 0; i < d->count; i++) {
        float block[ANI_BLOCK];
        const int64_t at = i * d->stride * ANI_BLOCK;
        const float *const x[3] = {d->x[0] + at, d->x[1] + at, d->x[2] + at};
        ani_c_depthwise(block, x, d->w, 1, d->stride);
        const ani_value_store column = ani_value_at(to, ELEMENT, i * to->ldy, 0);
        store_value(&column, block, 0, 1, ANI_BLOCK, 0);
    }
}

static void depthwise_gradient(const ani_depthwise *d, const ani_gradient_store *to) {
    for (int64_t i = 0; i < d->count; i++) {
        float block[ANI_BLOCK];
        const int64_t at = i * ANI_BLOCK;
        const float *const x[3] = {d->x[0] + at, d->x[1] + at, d->x[2] + at};
        ani_c_depthwise(block, x, d->w, 1, 1);
        const ani_gradient_store column = ani_gradient_at(to, ELEMENT, i * to->ldx, 0);
        store_gradient(&column, block, 0, 1, ANI_BLOCK, 0);
    }
}

static const ani_tensor_kernels entries = {
    .normalise = normalise,
    .gradient = gradient,
    .store_moments = store_moments,
    .store_sum = store_sum,
    .store_value = store_value,
    .store_gradient = store_gradient,
    .product_moments = product_moments,
    .product_value = product_value,
    .product_gradient = product_gradient,
    .depthwise_moments = depthwise_moments,
    .depthwise_value = depthwise_value,
    .depthwise_gradient = depthwise_gradient,
};
