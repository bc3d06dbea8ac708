/* SPDX-License-Identifier: MIT
 * The SIMD leaf functions of the CPU backend behind one table: each entry has the same signature at
 * every ISA level. Kernels are pure: pointers and sizes in, numbers out; no allocation, no errors,
 * no threads, no globals. They touch no element outside the stated extents. Pointers need no more
 * alignment than a float; output never overlaps input unless an entry says so.
 *
 * c/ is the contract of each entry in plain C. simd/ has each entry a second time, written with the
 * vector type of vec.h, which avx2/, avx512/ and neon/ define; so there is one source for all
 * levels. Sums over many elements use several float partial sums within one call, and double across
 * calls: a call should cover a few hundred rows at most. */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include <stdint.h>

#include "base/element.h"

enum {
    ANI_BLOCK = 16,    /* channels of a block in the depthwise entries: one cache line of floats */
    ANI_TILE_ROWS = 24 /* row counts of product tiles are multiples of it: all register tiles fit */
};

/** Memory that will soon be read: products prefetch its lines evenly over their steps, so that
 * later loads find them in cache. Does not affect results. */
typedef struct ani_ahead {
    const void *from[2]; /* NULL: nothing */
    int64_t size[2];     /* bytes */
} ani_ahead;

/** A product a[rows][k] * b[k][n] whose result is stored directly from registers. */
typedef struct ani_product {
    const float *a; /* room for rows rounded up to ANI_TILE_ROWS */
    int64_t lda;
    const float *packed; /* b, as product() takes it */
    int64_t rows, k, n;
    int32_t width;
    int32_t stream; /* 1: non-temporal where alignment allows */
    ani_ahead ahead;
} ani_product;

/** A row of a depthwise convolution of one whole block. */
typedef struct ani_depthwise {
    const float *x[3]; /* as depthwise() takes them */
    const float *w;    /* [9][ANI_BLOCK] */
    int64_t count, stride;
    int32_t streamed; /* 1: non-temporal where alignment allows */
    int32_t reserved;
    /* Memory that will soon be read, as in ani_ahead: at each output, `stride` blocks of each
     * range; a block is a line or less, and the next one is next_stride bytes further on. NULL:
     * nothing. */
    const void *next[2];
    int64_t next_stride;
} ani_depthwise;

/** Where the values of a unit with known batch norm go; see store_value(). */
typedef struct ani_value_store {
    void *y;
    int64_t ldy; /* of residual too */
    const float *shift;
    const void *residual; /* NULL: none; only without relu6 */
    int32_t relu6;
    int32_t reserved;
} ani_value_store;

/** The same from another row (given by its first element and the element type) and channel on. */
static inline ani_value_store ani_value_at(const ani_value_store *to, int32_t element, int64_t row,
                                           int64_t channel) {
    ani_value_store at = *to;
    at.y = ani_element_of(at.y, element, row + channel);
    at.residual = ani_element_at(at.residual, element, row + channel);
    at.shift += channel;
    return at;
}

/** Where an input gradient goes; see store_gradient() for the members. dx, x, add and z are tensors
 * of the same element type. */
typedef struct ani_gradient_store {
    void *dx;
    int64_t ldx; /* of x, add and z too */
    const void *x;
    const float *scale, *shift;
    const void *add;
    const void *z;
    const float *mean;
    double *sum, *dot;
} ani_gradient_store;

/** The same from another row (given by its first element and the element type) and channel on. */
static inline ani_gradient_store ani_gradient_at(const ani_gradient_store *to, int32_t element,
                                                 int64_t row, int64_t channel) {
    ani_gradient_store at = *to;
    at.dx = ani_element_of(at.dx, element, row + channel);
    at.x = ani_element_at(at.x, element, row + channel);
    at.add = ani_element_at(at.add, element, row + channel);
    if (at.scale) at.scale += channel;
    if (at.shift) at.shift += channel;
    if (!at.sum) return at;
    at.sum += channel;
    if (!at.z) return at;
    at.z = ani_element_at(at.z, element, row + channel);
    at.mean += channel;
    at.dot += channel;
    return at;
}

/** The entries that read or write tensors, once for each element type. Tensors are void pointers
 * here, everything else is float. Strides count elements. Values are rounded before they are
 * stored, to nearest, ties to even, and sums are of the rounded values: they describe what is in
 * memory. Levels with ani_pair_kernels store 0 for subnormal bfloat16 (below 2^-126). */
typedef struct ani_tensor_kernels {
    /* --- loading into a tile: [rows][c], one scale, shift, a, b, c a column ------------------- */

    /** out = clip(z * scale + shift), where clip is min(max(., 0), 6) with relu6 (NaN stays NaN),
     * else the identity; scale NULL (then shift too): clip(z). */
    void (*normalise)(float *out, int64_t ldo, const void *z, int64_t ldz, int64_t rows, int64_t c,
                      const float *scale, const float *shift, int32_t relu6);
    /** out = a*g + b*z + c; z NULL: a*g; a NULL (then z too): g. g and z have stride ldg. */
    void (*gradient)(float *out, int64_t ldo, const void *g, const void *z, int64_t ldg,
                     int64_t rows, int64_t channels, const float *a, const float *b,
                     const float *c);

    /* --- storing ------------------------------------------------------------------------------ */
    /* From a tile t of stride ldt. stream 1: non-temporal stores where alignment allows; fence()
     * must follow before another thread reads. */

    /** y = t; sum[c] += sum of (y - pivot), square[c] += sum of (y - pivot)^2 over the rows. */
    void (*store_moments)(void *y, int64_t ldy, const float *t, int64_t ldt, int64_t rows,
                          int64_t c, const float *pivot, double *sum, double *square,
                          int32_t stream);
    /** y = t + residual (stride ldy, NULL: none). y may be residual; of floats it may be t. */
    void (*store_sum)(void *y, int64_t ldy, const float *t, int64_t ldt, int64_t rows, int64_t c,
                      const void *residual);
    /** y = clip(t + shift) + residual. Of bfloat16, a clipped value below 6 is stored as one below
     * 6. */
    void (*store_value)(const ani_value_store *to, const float *t, int64_t ldt, int64_t rows,
                        int64_t c, int32_t stream);
    /** dx = mask * (t + add). mask is 1 where 0 < x*scale + shift < 6, else 0; x NULL: 1
     * everywhere; scale NULL: 0 < x < 6. add NULL: none; add and x may be dx itself. sum NULL: no
     * sums; else sum[c] += sum of dx, and unless z is NULL dot[c] += sum of dx * (z - mean). x,
     * add, z have stride ldx, as dx. */
    void (*store_gradient)(const ani_gradient_store *to, const float *t, int64_t ldt, int64_t rows,
                           int64_t c, int32_t stream);

    /* --- products and convolutions, see below ------------------------------------------------- */

    /** product() followed by store_moments(), without a tile between them. For bfloat16 tensors at
     * a level with ani_pair_kernels, product() is the one of those kernels; so it is in the next
     * entry. */
    void (*product_moments)(const ani_product *p, void *y, int64_t ldy, const float *pivot,
                            double *sum, double *square);
    /** product() followed by store_value(), likewise. */
    void (*product_value)(const ani_product *p, const ani_value_store *to);
    /** product() followed by store_gradient(), without a tile between them. */
    void (*product_gradient)(const ani_product *p, const ani_gradient_store *to);
    /** depthwise() followed by store_moments(), without a row between them. */
    void (*depthwise_moments)(const ani_depthwise *d, void *y, int64_t ldy, const float *pivot,
                              double *sum, double *square);
    /** depthwise() followed by store_value(), likewise; `to` has relu6. */
    void (*depthwise_value)(const ani_depthwise *d, const ani_value_store *to);
    /** depthwise() of stride 1 followed by store_gradient(), in the same way; `to` has no add, and
     * either x with scale and sums with z being x, or x without scale and sums without z. */
    void (*depthwise_gradient)(const ani_depthwise *d, const ani_gradient_store *to);
} ani_tensor_kernels;

/** Products of bfloat16 with sums in float, at levels that have instructions for them; all NULL at
 * the others. Operands consist of pairs: 32 bits that hold two bfloat16, with the first in the
 * order of the sum in the lower half; an odd last one is followed by a zero. Arrays of pairs are
 * passed as pointers to float, and pairs are counted where the entry of the same name in
 * ani_kernels counts floats: columns of a and rows of b in product(), rows of both in
 * product_transposed(). Subnormal numbers (below 2^-126) count as zero; a pair's two products are
 * added one after the other. */
typedef struct ani_pair_kernels {
    /** out[rows][(c + 1) / 2] = pairs of the neighbours in each row of t[rows][c], rounded to
     * nearest, ties to even. out may be t, with the same stride. */
    void (*pair_columns)(float *out, int64_t ldo, const float *t, int64_t ldt, int64_t rows,
                         int64_t c);
    /** The same of what normalise() makes of a tensor of bfloat16, without a tile between them. */
    void (*normalise_columns)(float *out, int64_t ldo, const uint16_t *z, int64_t ldz, int64_t rows,
                              int64_t c, const float *scale, const float *shift, int32_t relu6);
    /** out[(rows + 1) / 2][c] = pairs of row 2i and row 2i + 1 of t[rows][c]; the rest as above. */
    void (*pair_rows)(float *out, int64_t ldo, const float *t, int64_t ldt, int64_t rows,
                      int64_t c);
    /** The same from a tensor of bfloat16. */
    void (*pair_tensor_rows)(float *out, int64_t ldo, const uint16_t *t, int64_t ldt, int64_t rows,
                             int64_t c);
    void (*product)(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                    int64_t rows, int64_t k, int64_t n, int32_t width);
    void (*product_transposed)(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                               int64_t ldb, int64_t rows, int64_t k, int64_t n, int32_t width,
                               const ani_ahead *ahead);
} ani_pair_kernels;

/** The panels into which the right-hand matrix of a product is divided, and the matching register
 * tiles. */
typedef struct ani_panel {
    int32_t width; /* columns, a multiple of 8; 0: the level has no such kind */
    int32_t rows;  /* of a register tile; divides ANI_TILE_ROWS */
} ani_panel;

enum { ANI_NARROW, ANI_WIDE, ANI_SLIM, ANI_PANELS };

typedef struct ani_kernels {
    const char *level;            /* "c", "avx2", "avx512", "avx512bf16", "neon" */
    ani_panel panels[ANI_PANELS]; /* of products; the first one wins if two pad the same */

    ani_tensor_kernels tensor[ANI_ELEMENTS]; /* by ANI_FLOAT32, ANI_BFLOAT16 */
    ani_pair_kernels pairs;                  /* for units whose tensors are of ANI_BFLOAT16 */

    /* --- tiles -------------------------------------------------------------------------------- */

    /** sum[c] += sum over the rows of t. */
    void (*column_sums)(double *sum, const float *t, int64_t ldt, int64_t rows, int64_t c);
    /** Copy bytes with non-temporal stores, in whole lines except for partial ones at the ends.
     * NULL: this level has no such stores. */
    void (*stream_copy)(void *to, const void *from, int64_t bytes);
    /** Make streamed stores visible before anything that follows. */
    void (*fence)(void);

    /* --- products ------------------------------------------------------------------------------
     * width is that of a panel, round(n) below is n rounded up to a multiple of it, round(rows)
     * rows rounded up to a multiple of the panel's rows. */

    /** c[round(rows)][round(n)] = a[round(rows)][k] * b[k][n]; b is packed in panels: panel p holds
     * the columns from p*width on as [k][width] (see ani_pack); columns past n may be anything
     * finite. */
    void (*product)(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                    int64_t rows, int64_t k, int64_t n, int32_t width);
    /** c[round(k)][round(n)] += a' * b summed over rows; a[rows][round(k)], b[rows][round(n)];
     *  ahead may be NULL. */
    void (*product_transposed)(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                               int64_t ldb, int64_t rows, int64_t k, int64_t n, int32_t width,
                               const ani_ahead *ahead);

    /* --- depthwise 3x3: one block of ANI_BLOCK channels, rows as [columns][ANI_BLOCK] --------- */

    /** out[count]: out[i] = sum over r, k of x[r][i*stride + k] * w[r*3 + k]; x[r] has
     *  (count-1)*stride + 3 columns. */
    void (*depthwise)(float *out, const float *const x[3], const float *w, int64_t count,
                      int64_t stride);
    /** The data gradient of stride 2, one row: out[2*i] = sum over r of x[r][i+1]*w[r*3] +
     *  x[r][i]*w[r*3+2], out[2*i+1] = sum over r of x[r][i+1]*w[r*3+1]; `rows` (1 or 2) rows of
     *  gradient with count+1 columns, count output pairs. d->stride is 1, streamed is ignored. */
    void (*depthwise_spread)(float *out, const ani_depthwise *d, int64_t rows);
    /** The weight gradient, one row: dw[r*3 + k] += sum over i of x[r][i*stride + k] * g[i]; all of
     * d except w and streamed is used. */
    void (*depthwise_weights)(float *dw, const ani_depthwise *d, const float *g);

    /* --- optimizers --------------------------------------------------------------------------- */

    /** One step of Adam: w -= decay * w; g *= gradient_scale; m += (g - m) * m_rate;
     *  v += (g*g - v) * v_rate; w -= alpha * m / (sqrt(v) + epsilon). */
    void (*adam)(float *w, const float *g, float *m, float *v, int64_t count, float gradient_scale,
                 float decay, float m_rate, float v_rate, float alpha, float epsilon);
    /** One step of SGD: s = rate * g; m = momentum * m - s; w += m, or momentum * m - s with
     * nesterov. */
    void (*sgd)(float *w, const float *g, float *m, int64_t count, float rate, float momentum,
                int32_t nesterov);
    /** Return the sum of squares of x, in double. */
    double (*sum_squares)(const float *x, int64_t count);
} ani_kernels;

/** Fill a table for a mask of ANI_CPU_*: the C entries, then those of each level that the mask has
 *  and this build knows. */
void ani_kernels_init(ani_kernels *table, uint32_t mask);

/** Choose the panel width for a result of rows and n columns: the one with the least padding. */
int32_t ani_panel_width(const ani_kernels *table, int64_t rows, int64_t n);

/** Pack panel `panel` of b for product(): out[k][width] from b[i*row_stride + j*column_stride],
 * zeros past column n. */
void ani_pack(float *out, const float *b, int64_t row_stride, int64_t column_stride, int64_t k,
              int64_t n, int32_t width, int64_t panel);

/** Pack panel `panel` of b for the product() of pairs: out[(k + 1) / 2][width] pairs, zeros past
 * column n. */
void ani_pack_pairs(float *out, const float *b, int64_t row_stride, int64_t column_stride,
                    int64_t k, int64_t n, int32_t width, int64_t panel);

/* The ISA levels, used only by kernels.c. */
void ani_kernels_c(ani_kernels *table);
void ani_kernels_avx2(ani_kernels *table);
void ani_kernels_avx512(ani_kernels *table);
void ani_kernels_avx512bf16(ani_kernels *table); /* what it adds to avx512 */
void ani_kernels_neon(ani_kernels *table);

/* Their entries for bfloat16 tensors, used by the levels themselves. */
void ani_kernels_avx2_bfloat16(ani_tensor_kernels *table);
void ani_kernels_avx512_bfloat16(ani_tensor_kernels *table);
void ani_kernels_neon_bfloat16(ani_tensor_kernels *table);

#endif
