/* SPDX-License-Identifier: MIT
 * Products of tiles, through the table's entries: our own kernels or, at level c, OpenBLAS. */
#include "backend/cpu/cpu.h"

cpu_matrix ani_cpu_matrix(const cpu_backend *cpu, int64_t k, int64_t n) {
    cpu_matrix m = {.k = k, .n = n, .steps = k};
    m.width = cpu->blas ? (int32_t)n : ani_panel_width(&cpu->k, ANI_TILE_ROWS, n);
    m.panels = ani_divide_up(n, m.width);
    m.columns = m.panels * m.width;
    m.size = m.columns * k;
    return m;
}

void ani_cpu_use_pairs(const cpu_backend *cpu, cpu_matrix *m, int32_t element) {
    if (element != ANI_BFLOAT16 || !cpu->k.pairs.product) return;
    m->pairs = 1;
    m->steps = ani_divide_up(m->k, 2);
}

int64_t ani_cpu_stride(int64_t c, int32_t width) {
    const int64_t columns = ani_max(ani_round_up(c, width), ani_round_up(c, ANI_TILE_ROWS));
    return (ani_divide_up(columns, 16) | 1) * 16;
}

enum { FOLD_PIECE = 16384 }; /* weights of one pool pass */

typedef struct fold_job {
    float *folded;
    const float *w, *scale;
    int64_t k, n, rows;
} fold_job;

static void fold_rows(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const fold_job *job = context;
    const int64_t first = index * job->rows, last = ani_min(first + job->rows, job->k);
    for (int64_t i = first; i < last; i++)
        for (int64_t j = 0; j < job->n; j++)
            job->folded[i * job->n + j] = job->w[i * job->n + j] * job->scale[j];
}

const float *ani_cpu_fold(const cpu_backend *cpu, float *folded, const float *w, const float *scale,
                          int64_t k, int64_t n) {
    fold_job job = {folded, w, scale, k, n, ani_divide_up(FOLD_PIECE, n)};
    ani_pool_run(cpu->pool, ani_divide_up(k, job.rows), fold_rows, &job);
    return folded;
}

typedef struct pack_job {
    const cpu_matrix *m;
    const float *b;
    float *packed;
    int64_t row_stride, column_stride;
} pack_job;

static void pack_panel(void *context, int64_t panel, int32_t worker) {
    (void)worker;
    const pack_job *job = context;
    const cpu_matrix *m = job->m;
    float *packed = job->packed + panel * m->steps * m->width;
    (m->pairs ? ani_pack_pairs : ani_pack)(packed, job->b, job->row_stride, job->column_stride,
                                           m->k, m->n, m->width, panel);
}

void ani_cpu_pack(const cpu_backend *cpu, const cpu_matrix *m, float *packed, const float *b,
                  int64_t row_stride, int64_t column_stride) {
    pack_job job = {m, b, packed, row_stride, column_stride};
    ani_pool_run(cpu->pool, m->panels, pack_panel, &job);
}

void ani_cpu_product(const cpu_backend *cpu, const cpu_matrix *m, float *c, int64_t ldc,
                     const float *a, int64_t lda, const float *packed, int64_t rows) {
    (m->pairs ? cpu->k.pairs.product : cpu->k.product)(c, ldc, a, lda, packed, rows, m->steps, m->n,
                                                       m->width);
}

void ani_cpu_product_transposed(const cpu_backend *cpu, float *c, int64_t ldc, const float *a,
                                int64_t lda, const float *b, int64_t ldb, int64_t rows, int64_t k,
                                int64_t n, int32_t width, int32_t pairs, const ani_ahead *ahead) {
    if (pairs)
        cpu->k.pairs.product_transposed(c, ldc, a, lda, b, ldb, ani_divide_up(rows, 2), k, n, width,
                                        ahead);
    else
        cpu->k.product_transposed(c, ldc, a, lda, b, ldb, rows, k, n, width, ahead);
}

void ani_cpu_product_moments(const cpu_backend *cpu, const cpu_matrix *m, const ani_product *p,
                             float *c, int64_t ldc, void *y, int32_t element,
                             const cpu_moments *moments, int first) {
    const ani_tensor_kernels *k = &cpu->k.tensor[element];
    if (!first && !cpu->blas) {
        k->product_moments(p, y, m->n, moments->pivot, moments->sum, moments->square);
        return;
    }
    ani_cpu_product(cpu, m, c, ldc, p->a, p->lda, p->packed, p->rows);
    if (first)
        ani_cpu_begin_moments(&cpu->k, moments->pivot, moments->sum, moments->square, c, ldc,
                              p->rows, m->n);
    k->store_moments(y, m->n, c, ldc, p->rows, m->n, moments->pivot, moments->sum, moments->square,
                     p->stream);
}

void ani_cpu_product_value(const cpu_backend *cpu, const cpu_matrix *m, const ani_product *p,
                           float *c, int64_t ldc, const ani_value_store *to, int32_t element) {
    const ani_tensor_kernels *k = &cpu->k.tensor[element];
    if (!cpu->blas) {
        k->product_value(p, to);
        return;
    }
    ani_cpu_product(cpu, m, c, ldc, p->a, p->lda, p->packed, p->rows);
    k->store_value(to, c, ldc, p->rows, m->n, p->stream);
}

void ani_cpu_product_gradient(const cpu_backend *cpu, const cpu_matrix *m, const ani_product *p,
                              float *c, int64_t ldc, const ani_gradient_store *to,
                              int32_t element) {
    const ani_tensor_kernels *k = &cpu->k.tensor[element];
    if (!cpu->blas) {
        k->product_gradient(p, to);
        return;
    }
    ani_cpu_product(cpu, m, c, ldc, p->a, p->lda, p->packed, p->rows);
    k->store_gradient(to, c, ldc, p->rows, m->n, p->stream);
}
