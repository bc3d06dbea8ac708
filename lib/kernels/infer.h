/* SPDX-License-Identifier: MIT
 * The SIMD leaf functions of inference, behind a separate table: products and depthwise
 * convolutions over weights packed once, with fused bias, residual and clamping. The rules are
 * those of kernels.h.
 *
 * Wide activations lie as [block of channels][pixels][block]: a product writes a block's pixels in
 * one stream, the depthwise convolution needs no channel tails, and the next product reads whole
 * cache lines.
 *
 * Each result is one chain of multiply-adds in the order of k, whatever tile it is in: the division
 * of work does not change a bit. */
#ifndef KERNELS_INFER_H
#define KERNELS_INFER_H

#include <stdint.h>

/** One panel of a product. In float
 *   y[rows][columns] = clip(start + a[rows][k] * b[k][columns]),
 * in bfloat16 the same with sums in float; a, b, residual and y are bfloat16 in uint16_t (y of
 * floats where wide is 1, then without residual), b lies as [k/2][columns][2]; k and run are even,
 * a_row and segment arbitrary, bias is never NULL; subnormal numbers may count as zero; in int8,
 * with sums in int32, which are exact, and rint() to even, y[rows][columns] = rint(scale * (bias +
 * a[rows][k] * b[k][columns]) + residual_scale * residual) clamped to 0..255. There a, residual and
 * y are uint8_t; b is int8_t, as [k/4][columns][4], and elements 2i and 2i + 1 of the same sign add
 * up to at most 128; k and run are multiples of 4, a_row and segment arbitrary; bias is never NULL,
 * relu6 is ignored; the sum times the scale is rounded to float, followed by one fused
 * multiply-add. */
typedef struct ani_infer_product {
    /* Element k of row r is at a[r*a_row + k/run*segment + k%run]. */
    const void *a;
    int64_t a_row, run, segment;
    const void *b;      /* [k][vectors*lanes] */
    const void *bias;   /* [vectors*lanes]: where the sums start; NULL: they continue from y */
    const float *scale; /* int8: [vectors*lanes] */
    /* Added to the bias; same strides as y. NULL: none. */
    const void *residual;
    void *y;
    int64_t y_row;
    int64_t rows, k;
    int64_t columns;      /* stored columns; they end in the last vector */
    int32_t vectors;      /* 1 to block/lanes + 1 */
    int32_t relu6;        /* 1: clip is min(max(., 0), 6), NaN stays; 0: nothing */
    int32_t wide;         /* bfloat16: 1: y is floats */
    float residual_scale; /* int8 */
} ani_infer_product;

/** A depthwise 3x3 convolution of one block of channels. */
typedef struct ani_infer_depthwise {
    void *y;              /* [rows][count][block] */
    const void *const *x; /* (rows-1)*stride + 3 rows of [(count-1)*stride + 3][block] */
    /* float and bfloat16: [10][block] floats: nine taps, then the bias; int8: an ani_infer_taps for
     * every 16 channels */
    const void *w;
    int64_t rows, count, stride;
    int32_t relu6;
    int32_t reserved;
} ani_infer_depthwise;

/** Weights of a part of a block in int8: the result is rint(scale * (bias + taps * x)) clamped to
 * 0..255. */
enum { ANI_INFER_PART = 16 };
typedef struct ani_infer_taps {
    int8_t taps[3][ANI_INFER_PART][4]; /* of a column: those of three rows, then 0 */
    int32_t bias[ANI_INFER_PART];
    float scale[ANI_INFER_PART];
} ani_infer_taps;

typedef struct ani_infer_kernels {
    int32_t lanes;     /* sums of a vector */
    int32_t block;     /* channels of a block: a multiple of a vector, in int8 also of a part */
    int32_t size;      /* bytes of an element of a and y */
    int32_t wide_size; /* bytes of an element of x: the same; in bfloat16 floats, or bfloat16 if
                          taps are rounded, too */
    int32_t group;     /* inputs whose weights are adjacent for each column: 1, 2 or 4 */
    int32_t reserved;
    void (*product)(const ani_infer_product *args);
    void (*depthwise)(const ani_infer_depthwise *args);
    /** int8: to = rint(from * scale + offset) clamped to 0..255, NaN to 0; one fused
     * multiply-add. */
    void (*codes)(uint8_t *to, const float *from, int64_t count, float scale, float offset);
    /** bfloat16: to = from, rounded to nearest, ties to even. */
    void (*narrow)(uint16_t *to, const float *from, int64_t count);
} ani_infer_kernels;

/** Fill a table for a mask of ANI_CPU_*, as ani_kernels_init() does. */
void ani_infer_kernels_init(ani_infer_kernels *table, uint32_t mask);
/** The same for bfloat16. */
void ani_infer_kernels_init_bfloat16(ani_infer_kernels *table, uint32_t mask);
/** The same for int8: the bits are the same on all levels. */
void ani_infer_kernels_init_int8(ani_infer_kernels *table, uint32_t mask);

/* The ISA levels, used only by infer.c. */
void ani_infer_kernels_c(ani_infer_kernels *table);
void ani_infer_kernels_avx2(ani_infer_kernels *table);
void ani_infer_kernels_avx512(ani_infer_kernels *table);
void ani_infer_kernels_neon(ani_infer_kernels *table);
void ani_infer_kernels_c_bfloat16(ani_infer_kernels *table);
void ani_infer_kernels_avx2_bfloat16(ani_infer_kernels *table);
void ani_infer_kernels_avx512bf16_bfloat16(ani_infer_kernels *table);
void ani_infer_kernels_neon_bfloat16(ani_infer_kernels *table);
void ani_infer_kernels_c_int8(ani_infer_kernels *table);
void ani_infer_kernels_avx2_int8(ani_infer_kernels *table);
void ani_infer_kernels_avx512vnni_int8(ani_infer_kernels *table);
void ani_infer_kernels_neon_int8(ani_infer_kernels *table);

#endif
