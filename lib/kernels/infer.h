/* SPDX-License-Identifier: MIT
 * The SIMD leaf functions of inference, behind a table of their own: products and depthwise
 * convolutions over weights packed once, with bias, residual and clip on the way. The rules are
 * those of kernels.h.
 *
 * Wide activations lie as [block of channels][pixels][block]: a product writes a block's pixels in
 * one stream, the depthwise convolution needs no channel tails, and the next product reads whole
 * cache lines.
 *
 * Each result is one chain of multiply-adds in the order of k, whatever tile it falls into: how the
 * work is cut does not change a bit. */
#ifndef KERNELS_INFER_H
#define KERNELS_INFER_H

#include <stdint.h>

/** One panel of a product: y[rows][columns] = clip(start + a[rows][k] * b[k][columns]). */
typedef struct ani_infer_product {
    /* Element k of row r is at a[r*a_row + k/run*segment + k%run]. */
    const float *a;
    int64_t a_row, run, segment;
    const float *b;    /* [k][vectors*lanes] */
    const float *bias; /* [vectors*lanes]: where the sums start; NULL: they go on from y */
    /* Added to the bias; strides as y. NULL: nothing. */
    const float *residual;
    float *y;
    int64_t y_row;
    int64_t rows, k;
    int64_t columns; /* that are stored; in the last of the vectors */
    int32_t vectors; /* 1 to block/lanes + 1 */
    int32_t relu6;   /* 1: clip is min(max(., 0), 6), NaN stays; 0: nothing */
} ani_infer_product;

/** A depthwise 3x3 convolution of one block of channels. */
typedef struct ani_infer_depthwise {
    float *y;              /* [rows][count][block] */
    const float *const *x; /* (rows-1)*stride + 3 rows of [(count-1)*stride + 3][block] */
    const float *w;        /* [10][block]: nine taps, then the bias */
    int64_t rows, count, stride;
    int32_t relu6;
    int32_t reserved;
} ani_infer_depthwise;

typedef struct ani_infer_kernels {
    int32_t lanes; /* floats of a vector */
    int32_t block; /* channels of a block: a whole number of vectors */
    void (*product)(const ani_infer_product *args);
    void (*depthwise)(const ani_infer_depthwise *args);
} ani_infer_kernels;

/** Fill a table for a mask of ANI_CPU_*, as ani_kernels_init() does. */
void ani_infer_kernels_init(ani_infer_kernels *table, uint32_t mask);

/* The levels, named by infer.c alone. */
void ani_infer_kernels_c(ani_infer_kernels *table);
void ani_infer_kernels_avx2(ani_infer_kernels *table);
void ani_infer_kernels_avx512(ani_infer_kernels *table);
void ani_infer_kernels_neon(ani_infer_kernels *table);

#endif
