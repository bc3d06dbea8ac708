/* SPDX-License-Identifier: MIT
 * The CPU backend: drivers that split each operation into pieces for the pool and feed the kernels.
 *
 * Work is split only by shape: into chunks (pieces of pool work) of tiles (pieces that fit in
 * cache). Each chunk writes its partial sums to a separate place, and they are combined in chunk
 * order. So the result has the same bits whatever the number of threads.
 *
 * Several threads may call into one backend at once: a call writes only to its caller's scratch and
 * buffers, and to the stack (at most 40 KB). The backend itself is never written. */
#ifndef BACKEND_CPU_CPU_H
#define BACKEND_CPU_CPU_H

#include <stddef.h>

#include "backend/backend.h"
#include "base/pool.h"
#include "kernels/infer.h"
#include "kernels/kernels.h"

typedef struct cpu_backend {
    an_backend base;
    ani_pool *pool;
    ani_kernels k;
    ani_infer_kernels infer[ANI_INFERENCES]; /* by AN_INFERENCE_* */
    int32_t blas;                            /* 1: products go to OpenBLAS */
    int64_t streams_from; /* elements of a tensor from which on non-temporal stores are used */
} cpu_backend;

static inline cpu_backend *ani_cpu(an_backend *backend) {
    return (cpu_backend *)backend;
}

static inline int64_t ani_divide_up(int64_t value, int64_t step) {
    return (value + step - 1) / step;
}
static inline int64_t ani_round_up(int64_t value, int64_t step) {
    return ani_divide_up(value, step) * step;
}
static inline int64_t ani_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t ani_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/** Return whether loads of a value have to clamp it. */
static inline int32_t ani_cpu_clamps(const ani_lazy *x) {
    return x->relu6 && x->relu6 != ANI_CLAMPED;
}

/** Return whether a tensor of [rows][c] is so large that it is written with non-temporal stores:
 * none of it would still be cached when it is read, and a plain store would first read the lines
 * that it overwrites. */
static inline int32_t ani_cpu_streams(const cpu_backend *cpu, int64_t rows, int64_t c) {
    return rows * c >= cpu->streams_from;
}

/** Return whether it is streamed through a tile of the same layout: a kernel's single store of
 * bfloat16 may be half a line, and the stores of a line must not be separated. Floats are streamed
 * by the kernels themselves. */
static inline int32_t ani_cpu_streams_tiles(const cpu_backend *cpu, int32_t element, int64_t rows,
                                            int64_t c) {
    return element == ANI_BFLOAT16 && cpu->k.stream_copy && ani_cpu_streams(cpu, rows, c);
}

/** Take count elements of size bytes from a bump pointer, 64-byte aligned. With base NULL it only
 * counts, so that planning and running share the same code. */
static inline void *ani_take(void *base, int64_t *used, int64_t count, int64_t size) {
    void *taken = base ? (char *)base + *used : NULL;
    *used += ani_round_up(count * size, 64);
    return taken;
}

/* --- products (product.c) --------------------------------------------------------------------- */

/** The packed right-hand matrix [k,n] of a product. */
typedef struct cpu_matrix {
    int64_t k, n;
    int64_t steps;   /* k; with pairs, half of it, rounded up */
    int64_t columns; /* of a result row: n rounded up to whole panels */
    int64_t panels;
    int64_t size;  /* floats of all panels */
    int32_t width; /* columns of a panel */
    int32_t pairs; /* 1: it and its left operand consist of pairs (ani_pair_kernels) */
} cpu_matrix;

cpu_matrix ani_cpu_matrix(const cpu_backend *cpu, int64_t k, int64_t n);
/** Use pairs, if the ISA level has products of them and this is for a unit whose tensors have this
 * element type. Sizes are unchanged: those for floats are sufficient. */
void ani_cpu_use_pairs(const cpu_backend *cpu, cpu_matrix *m, int32_t element);
/** Return the row stride of a tile of c columns, which may be the left operand of a product, or
 * with panels of this width (1: none) its result or the right operand of a transposed one: whole
 * panels and register tiles, and an odd number of cache lines, so that the rows of a column do not
 * map to the same few cache sets. */
int64_t ani_cpu_stride(int64_t c, int32_t width);
/** Pack b[i*row_stride + j*column_stride] into packed, on all threads. */
void ani_cpu_pack(const cpu_backend *cpu, const cpu_matrix *m, float *packed, const float *b,
                  int64_t row_stride, int64_t column_stride);
/** Multiply w[k][n] by the scale of each column, on all threads: the weights that make a product
 * z*scale. Returns folded. */
const float *ani_cpu_fold(const cpu_backend *cpu, float *folded, const float *w, const float *scale,
                          int64_t k, int64_t n);
/** c[rows][m.columns] = a[rows][m.steps] * m. Tiles have room for rows rounded up to ANI_TILE_ROWS.
 */
void ani_cpu_product(const cpu_backend *cpu, const cpu_matrix *m, float *c, int64_t ldc,
                     const float *a, int64_t lda, const float *packed, int64_t rows);
/** c[k][n] += a[rows][k]' * b[rows][n]; all three have strides from ani_cpu_stride(), c has room
 * for k rounded up to ANI_TILE_ROWS. The padding of a and b is ignored. width: ani_panel_width() of
 * k and n. pairs 1: a and b are pairs of rows. */
void ani_cpu_product_transposed(const cpu_backend *cpu, float *c, int64_t ldc, const float *a,
                                int64_t lda, const float *b, int64_t ldb, int64_t rows, int64_t k,
                                int64_t n, int32_t width, int32_t pairs, const ani_ahead *ahead);

/** The sums of a forward chunk, about a pivot taken from its first tile; see join.c. */
typedef struct cpu_moments {
    float *pivot;         /* [n] */
    double *sum, *square; /* [n] */
} cpu_moments;

/** y = product, with its moments; y has the given element type. c: a tile of stride ldc, used where
 * the product cannot be stored directly from registers: for a chunk's first tile, which gives the
 * pivot, and with OpenBLAS. */
void ani_cpu_product_moments(const cpu_backend *cpu, const cpu_matrix *m, const ani_product *p,
                             float *c, int64_t ldc, void *y, int32_t element,
                             const cpu_moments *moments, int first);
/** The product stored as values; c as above, for OpenBLAS only. */
void ani_cpu_product_value(const cpu_backend *cpu, const cpu_matrix *m, const ani_product *p,
                           float *c, int64_t ldc, const ani_value_store *to, int32_t element);
/** The product stored as an input gradient; c as above. */
void ani_cpu_product_gradient(const cpu_backend *cpu, const cpu_matrix *m, const ani_product *p,
                              float *c, int64_t ldc, const ani_gradient_store *to, int32_t element);

/* --- joining of partial sums (join.c) --------------------------------------------------------- */

/** Choose the pivot of a chunk, which is the channel means of its first rows t, and clear its
 * sums. */
void ani_cpu_begin_moments(const ani_kernels *k, float *pivot, double *sum, double *square,
                           const float *t, int64_t ldt, int64_t rows, int64_t c);
/** Describe where an input gradient goes: from element `at` of the tensors on (row stride
 * `stride`), which is in channel `channel`; sum and dot as in ani_kernels, NULL without sums; dot
 * is ignored if only the first sum is wanted. */
ani_gradient_store ani_cpu_gradient_store(const ani_store *store, const ani_lazy *x, int64_t at,
                                          int64_t stride, int64_t channel, double *sum,
                                          double *dot);
/** Turn the sums of a chunk about a pivot into [2][c] mean and sum of squared distances from it. */
void ani_cpu_finish_moments(int64_t count, int64_t c, const float *pivot, const double *sum,
                            const double *square, double *mean, double *m2);
/** Combine the moments of parts [parts][2][c] with counts elements each, in order. */
void ani_cpu_join_moments(const cpu_backend *cpu, int64_t parts, const int64_t *counts,
                          const double *partials, int64_t c, double *moments);
/** Add up parts [parts][count], in order. */
void ani_cpu_join_sums(const cpu_backend *cpu, int64_t parts, const double *partials, int64_t count,
                       double *sums);
/** Add up float matrices: out[rows][columns] from parts, each [.][stride], part_size floats apart.
 */
void ani_cpu_join_matrix(const cpu_backend *cpu, int64_t parts, const float *partials,
                         int64_t part_size, int64_t stride, int64_t rows, int64_t columns,
                         float *out);
/** Turn the gradient of folded weights in args->dw [k][n] into that of the weights, and compute the
 * gradients of a known batch norm with it. element: to which the products rounded the folded
 * weights. */
void ani_cpu_finish_fixed(const cpu_backend *cpu, const ani_unit_backward *args,
                          const float *folded, int64_t k, int64_t n, int32_t element);

/* --- units ------------------------------------------------------------------------------------ */

/* Pointwise units, and full ones except for their input gradient (rows.c). */
int64_t ani_cpu_rows_scratch(const cpu_backend *cpu, const ani_unit_shape *s, int backward);
void ani_cpu_rows_forward(cpu_backend *cpu, const ani_unit_shape *s, const ani_unit_forward *args);
void ani_cpu_rows_backward(cpu_backend *cpu, const ani_unit_shape *s,
                           const ani_unit_backward *args);

int64_t ani_cpu_depthwise_scratch(const cpu_backend *cpu, const ani_unit_shape *s, int backward);
void ani_cpu_depthwise_forward(cpu_backend *cpu, const ani_unit_shape *s,
                               const ani_unit_forward *args);
void ani_cpu_depthwise_backward(cpu_backend *cpu, const ani_unit_shape *s,
                                const ani_unit_backward *args);

/** Gather output pixels first.. of a full unit: tile[rows][9*cin], stride ld, normalised; padding
 * is zero. */
void ani_cpu_gather(const cpu_backend *cpu, const ani_unit_shape *s, const ani_lazy *x,
                    int64_t first, int64_t rows, float *tile, int64_t ld);
int64_t ani_cpu_full_scratch(const cpu_backend *cpu, const ani_unit_shape *s);
void ani_cpu_full_input_gradient(cpu_backend *cpu, const ani_unit_shape *s,
                                 const ani_unit_backward *args);

/* --- inference (infer_plan.c, infer.c) -------------------------------------------------------- */

an_status ani_cpu_infer_create(an_backend *backend, ani_infer **out, const ani_infer_unit *units,
                               int32_t count, int32_t kind, const ani_calibrated *calibrated,
                               an_error *err);
void ani_cpu_infer_destroy(an_backend *backend, ani_infer *infer);
void ani_cpu_infer_pack(an_backend *backend, ani_infer *infer);
an_status ani_cpu_infer_buffers_create(an_backend *backend, ani_infer_buffers **out,
                                       const ani_infer *infer, an_error *err);
void ani_cpu_infer_buffers_destroy(an_backend *backend, ani_infer_buffers *buffers);
void ani_cpu_infer_run(an_backend *backend, const ani_infer *infer, ani_infer_buffers *buffers,
                       const ani_infer_input *input, int64_t n, float *features);

/* --- the rest (elementwise.c, head.c) --------------------------------------------------------- */

void ani_cpu_materialise(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                         const ani_lazy *r, void *y);
void ani_cpu_value_range(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                         ani_range *range);
void ani_cpu_optim_step(an_backend *backend, const ani_optim_step *step);
void ani_cpu_sum_squares(an_backend *backend, int64_t count, const float *x, double *sum);
void ani_cpu_combine(an_backend *backend, int64_t count, double a, const float *x, double b,
                     float *y);
void ani_cpu_pool_forward(an_backend *backend, int64_t n, int64_t hw, int64_t c, const ani_lazy *x,
                          float *y);
void ani_cpu_pool_backward(an_backend *backend, int64_t n, int64_t hw, int64_t c, const float *dy,
                           const ani_lazy *x, const ani_store *store);
void ani_cpu_dense_forward(an_backend *backend, int64_t n, int64_t in, int64_t out, const float *x,
                           const float *w, const float *b, float *y);
void ani_cpu_dense_backward(an_backend *backend, int64_t n, int64_t in, int64_t out, const float *x,
                            const float *w, const float *dy, float *dx, float *dw, float *db);

#endif
