/* SPDX-License-Identifier: MIT
 * Units that are a product of rows: y[rows,n] = a[rows,k] w[k,n], a row being an output pixel. For
 * pointwise units a is the input, normalised; for full ones it is gathered, 9*cin values in the
 * order of the weights (full.c).
 *
 * Forward, for each tile of rows: load a, multiply, store y with its moments as it leaves the
 * registers. Backward: form dz in a tile once and use it twice, for dx = dz w' and dw += a' dz, so
 * that g, z and x are read once. Meanwhile the products prefetch the memory of the next tile.
 *
 * Where products use pairs of bfloat16, a tile is converted to pairs once it is complete: of
 * neighbours in a row for y and dx, of rows for dw. */
#include "backend/cpu/cpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
    TILE = 2 * ANI_TILE_ROWS, /* few rows, so that prefetches are spread finely over time */
    MAX_CHUNKS = 64,
    /* Rows of a chunk, and the minimum number of chunks, which takes precedence: each chunk has its
     * own weight gradient, which is written and read again. */
    MIN_ROWS = 6 * TILE,
    MIN_CHUNKS = 8,
    MAX_GRADIENTS = 32 << 20, /* bytes of all partial weight gradients */
    /* Backward with known batch norm, tiles are mostly rows of the tensors themselves: twice as
     * many rows, so that dw is loaded and stored half as often, where it has between so many
     * weights: smaller ones are bound by memory, and larger ones do not fit into L2 with such
     * tiles. */
    WIDE_TILE = 2 * TILE,
    WIDE_FROM = 20000,
    WIDE_TO = 200000
};

/** How the rows are divided. */
typedef struct cut {
    int64_t rows;  /* all */
    int64_t chunk; /* rows of a chunk; a multiple of the tile's */
    int64_t chunks;
} cut;

static cut cut_rows(const ani_unit_shape *s, int64_t max_chunks, int64_t tile) {
    cut c = {.rows = s->n * s->oh * s->ow};
    const int64_t least = ani_min(MIN_ROWS, ani_divide_up(c.rows, MIN_CHUNKS));
    c.chunk = ani_round_up(ani_max(ani_divide_up(c.rows, max_chunks), least), tile);
    c.chunks = ani_divide_up(c.rows, c.chunk);
    return c;
}

/* Values of a row of a. */
static int64_t row_values(const ani_unit_shape *s) {
    return s->kind == ANI_UNIT_FULL ? 9 * s->cin : s->cin;
}

static void load_rows(const cpu_backend *cpu, const ani_unit_shape *s, const ani_lazy *x,
                      int64_t row, int64_t rows, float *tile, int64_t ld) {
    if (s->kind == ANI_UNIT_FULL)
        ani_cpu_gather(cpu, s, x, row, rows, tile, ld);
    else
        cpu->k.tensor[x->element].normalise(tile, ld,
                                            ani_element_at(x->z, x->element, row * s->cin), s->cin,
                                            rows, s->cin, x->scale, x->shift, ani_cpu_clamps(x));
}

/** Return whether rows of a tensor can be an operand of a product where they are, without a tile:
 * its numbers are of the operand's kind, and the rows of a column are in enough sets of the L1
 * cache. pairs: the operand consists of pairs, each one two neighbours in a row. */
static bool serves_as_operand(int32_t element, int64_t c, int32_t pairs) {
    enum { STEP = 256 }; /* bytes: rows that are an odd multiple of it apart are in 16 sets */
    if (element != (pairs ? ANI_BFLOAT16 : ANI_FLOAT32) || (pairs && c % 2)) return false;
    return c * ani_element_size(element) % (2 * STEP) != 0;
}

/* Values that are stored as they are loaded. */
static bool is_plain(const ani_lazy *x) {
    return !x->scale && !ani_cpu_clamps(x);
}

/** The left operand of a product: a tile, or rows of a tensor. */
typedef struct operand {
    const float *rows;
    int64_t ld;
} operand;

static operand tensor_rows(const void *tensor, int32_t element, int64_t row, int64_t c,
                           int32_t pairs) {
    return (operand){ani_element_at(tensor, element, row * c), pairs ? c / 2 : c};
}

/** Rows of a tensor that will soon be read. */
typedef struct coming {
    const void *tensor; /* NULL: none */
    int32_t element;
    int64_t c, row, rows;
} coming;

static ani_ahead rows_ahead(const coming *x, const coming *y) {
    const coming *both[2] = {x, y};
    ani_ahead ahead = {{NULL, NULL}, {0, 0}};
    for (int i = 0; i < 2; i++) {
        const coming *from = both[i];
        if (!from->tensor || from->rows <= 0) continue;
        ahead.from[i] = ani_element_at(from->tensor, from->element, from->row * from->c);
        ahead.size[i] = from->rows * from->c * ani_element_size(from->element);
    }
    return ahead;
}

/* --- forward ---------------------------------------------------------------------------------- */

typedef struct forward_job {
    const cpu_backend *cpu;
    const ani_unit_shape *s;
    const ani_unit_forward *args;
    cut cut;
    cpu_matrix m; /* w */
    int64_t lda, ldc;

    /* in scratch */
    float *folded;    /* w with known batch norm */
    float *packed;    /* w */
    int64_t *counts;  /* [chunks] */
    double *partials; /* [chunks][2][n] */
    float *tiles;     /* [threads][tile_floats]: a, c, y if it is streamed or not wanted */
    double *sums;     /* [threads][2][n] */
    float *pivots;    /* [threads][n] */
    int64_t tile_floats;
    bool direct; /* whole tiles of a are rows of the input itself */
} forward_job;

static int64_t plan_forward(forward_job *job, const cpu_backend *cpu, const ani_unit_shape *s,
                            void *scratch) {
    int64_t used = 0;
    job->cpu = cpu;
    job->s = s;
    job->cut = cut_rows(s, MAX_CHUNKS, TILE);
    job->m = ani_cpu_matrix(cpu, row_values(s), s->cout);
    job->lda = ani_cpu_stride(row_values(s), 1);
    job->ldc = ani_cpu_stride(s->cout, job->m.width);
    job->tile_floats = TILE * (job->lda + job->ldc + s->cout);
    job->folded = ani_take(scratch, &used, job->m.k * job->m.n, sizeof(float));
    job->packed = ani_take(scratch, &used, job->m.size, sizeof(float));
    job->counts = ani_take(scratch, &used, job->cut.chunks, sizeof(int64_t));
    job->partials = ani_take(scratch, &used, job->cut.chunks * 2 * s->cout, sizeof(double));
    job->tiles = ani_take(scratch, &used, cpu->base.threads * job->tile_floats, sizeof(float));
    job->sums = ani_take(scratch, &used, cpu->base.threads * 2 * s->cout, sizeof(double));
    job->pivots = ani_take(scratch, &used, cpu->base.threads * s->cout, sizeof(float));
    return used;
}

/* Rows of a, in the tile or where they are. */
static operand forward_rows(const forward_job *job, int64_t row, int64_t rows, float *tile) {
    const ani_lazy *x = &job->args->x;
    if (job->direct && rows == TILE)
        return tensor_rows(x->z, x->element, row, job->m.k, job->m.pairs);
    if (job->m.pairs && x->element == ANI_BFLOAT16 && job->s->kind == ANI_UNIT_POINTWISE) {
        job->cpu->k.pairs.normalise_columns(
            tile, job->lda, ani_element_at(x->z, x->element, row * job->m.k), job->m.k, rows,
            job->m.k, x->scale, x->shift, ani_cpu_clamps(x));
        return (operand){tile, job->lda};
    }
    load_rows(job->cpu, job->s, x, row, rows, tile, job->lda);
    if (job->m.pairs)
        job->cpu->k.pairs.pair_columns(tile, job->lda, tile, job->lda, rows, job->m.k);
    return (operand){tile, job->lda};
}

/* A tile that becomes raw outputs without moments, or values. */
static void store_rows(const forward_job *job, const ani_product *p, int64_t row, float *c,
                       void *y) {
    const ani_unit_forward *args = job->args;
    const ani_fixed_forward *fixed = args->fixed;
    const int64_t cout = job->m.n;
    if (!fixed) {
        ani_cpu_product(job->cpu, &job->m, c, job->ldc, p->a, p->lda, job->packed, p->rows);
        job->cpu->k.tensor[args->element].store_sum(y, cout, c, job->ldc, p->rows, cout, NULL);
        return;
    }
    const ani_value_store to = {.y = y,
                                .ldy = cout,
                                .shift = fixed->bn->shift,
                                .residual =
                                    ani_element_at(fixed->residual, args->element, row * cout),
                                .relu6 = fixed->relu6};
    ani_cpu_product_value(job->cpu, &job->m, p, c, job->ldc, &to, args->element);
}

static void forward_chunk(void *context, int64_t index, int32_t worker) {
    const forward_job *job = context;
    const ani_unit_forward *args = job->args;
    const ani_kernels *k = &job->cpu->k;
    const int64_t cout = job->m.n;
    const int64_t first = index * job->cut.chunk;
    const int64_t last = ani_min(first + job->cut.chunk, job->cut.rows);
    float *a = job->tiles + worker * job->tile_floats, *c = a + TILE * job->lda;
    void *y_tile = !args->y || ani_cpu_streams_tiles(job->cpu, args->element, job->cut.rows, cout)
                       ? c + TILE * job->ldc
                       : NULL;
    double *sums = job->sums + worker * 2 * cout;
    const cpu_moments moments = {job->pivots + worker * cout, sums, sums + cout};
    ani_product p = {.packed = job->packed,
                     .k = job->m.steps,
                     .n = cout,
                     .width = job->m.width,
                     .stream = args->y && ani_cpu_streams(job->cpu, job->cut.rows, cout)};
    for (int64_t row = first; row < last; row += TILE) {
        p.rows = ani_min(TILE, last - row);
        const operand left = forward_rows(job, row, p.rows, a);
        const int64_t next = row + p.rows;
        const coming x = {args->x.z, args->x.element, job->m.k, next, ani_min(TILE, last - next)};
        void *y = ani_element_of(args->y, args->element, row * cout), *to = y_tile ? y_tile : y;
        p.a = left.rows;
        p.lda = left.ld;
        if (job->s->kind == ANI_UNIT_POINTWISE) p.ahead = rows_ahead(&x, &(coming){0});
        if (args->moments)
            ani_cpu_product_moments(job->cpu, &job->m, &p, c, job->ldc, to, args->element, &moments,
                                    row == first);
        else
            store_rows(job, &p, row, c, to);
        if (y && y_tile) k->stream_copy(y, y_tile, p.rows * cout * ani_element_size(args->element));
    }
    k->fence();
    if (args->moments) {
        double *mean = job->partials + index * 2 * cout;
        job->counts[index] = last - first;
        ani_cpu_finish_moments(last - first, cout, moments.pivot, moments.sum, moments.square, mean,
                               mean + cout);
    }
}

void ani_cpu_rows_forward(cpu_backend *cpu, const ani_unit_shape *s, const ani_unit_forward *args) {
    forward_job job = {.args = args};
    plan_forward(&job, cpu, s, args->scratch);
    ani_cpu_use_pairs(cpu, &job.m, args->element);
    job.direct = s->kind == ANI_UNIT_POINTWISE && is_plain(&args->x) &&
                 serves_as_operand(args->x.element, s->cin, job.m.pairs);
    const float *w = args->w;
    if (args->fixed) w = ani_cpu_fold(cpu, job.folded, w, args->fixed->bn->scale, job.m.k, job.m.n);
    ani_cpu_pack(cpu, &job.m, job.packed, w, s->cout, 1);
    ani_pool_run_watched(cpu->pool, args->watch, job.cut.chunks, forward_chunk, &job);
    if (ani_watch_stops(args->watch)) return;
    if (args->moments)
        ani_cpu_join_moments(cpu, job.cut.chunks, job.counts, job.partials, s->cout, args->moments);
}

/* --- backward --------------------------------------------------------------------------------- */

typedef struct backward_job {
    const cpu_backend *cpu;
    const ani_unit_shape *s;
    const ani_unit_backward *args;
    cut cut;
    cpu_matrix m;     /* w', [n,k] */
    int32_t dw_width; /* of dw's panels */
    int64_t tile;     /* rows of a tile */
    int64_t ldx, ldz;
    int64_t gradient_floats; /* of one partial dw */

    bool direct_dz;       /* whole tiles of dz are rows of g itself for dx, */
    bool sums_dz, sums_x; /* and for dw; likewise of x */
    int64_t sums;         /* that a chunk computes: one or two of each input channel */

    /* in scratch */
    float *folded;    /* w with known batch norm */
    float *packed;    /* w' */
    float *gradients; /* [chunks][gradient_floats] */
    double *partials; /* [chunks][sums] */
    float *tiles; /* [threads][tile_floats]: dz, x, dx or dz in pairs of columns, dx in bfloat16 */
    int64_t tile_floats, dx_tile;
} backward_job;

static int64_t plan_backward(backward_job *job, const cpu_backend *cpu, const ani_unit_shape *s,
                             bool fixed, void *scratch) {
    int64_t used = 0;
    const int64_t k = row_values(s);
    const int64_t weights = k * s->cout;
    job->cpu = cpu;
    job->s = s;
    job->tile = fixed && weights >= WIDE_FROM && weights < WIDE_TO ? WIDE_TILE : TILE;
    job->m = ani_cpu_matrix(cpu, s->cout, k);
    job->dw_width = ani_panel_width(&cpu->k, k, s->cout);
    job->ldx = ani_cpu_stride(k, job->m.width);
    job->ldz = ani_cpu_stride(s->cout, job->dw_width);
    job->gradient_floats = ani_round_up(k, ANI_TILE_ROWS) * job->ldz;
    const int64_t affordable = MAX_GRADIENTS / (job->gradient_floats * (int64_t)sizeof(float));
    job->cut = cut_rows(s, ani_min(ani_max(affordable, 1), MAX_CHUNKS), job->tile);
    const int64_t last = cpu->k.pairs.product ? ani_max(job->ldx, job->ldz) : job->ldx;
    job->dx_tile = job->tile * (job->ldx + job->ldz + last);
    job->tile_floats = job->dx_tile + job->tile / 2 * s->cin;
    job->folded = ani_take(scratch, &used, job->m.k * job->m.n, sizeof(float));
    job->packed = ani_take(scratch, &used, job->m.size, sizeof(float));
    job->gradients =
        ani_take(scratch, &used, job->cut.chunks * job->gradient_floats, sizeof(float));
    job->partials = ani_take(scratch, &used, job->cut.chunks * 2 * s->cin, sizeof(double));
    job->tiles = ani_take(scratch, &used, cpu->base.threads * job->tile_floats, sizeof(float));
    return used;
}

/* Which operands need no tile. */
static void find_operands(backward_job *job) {
    const ani_unit_backward *args = job->args;
    const int32_t pairs = job->m.pairs;
    const bool plain_x = job->s->kind == ANI_UNIT_POINTWISE && is_plain(&args->x);
    const bool plain_dz = !args->dz.a && !args->dz.z;
    job->direct_dz = plain_dz && serves_as_operand(args->dz.element, job->s->cout, pairs);
    job->sums_dz = plain_dz && (pairs || job->direct_dz);
    job->sums_x = plain_x && (pairs || serves_as_operand(args->x.element, job->s->cin, pairs));
    if (pairs && args->dz.element != ANI_BFLOAT16) job->sums_dz = false;
    if (pairs && args->x.element != ANI_BFLOAT16) job->sums_x = false;
}

/* What a tile of a backward chunk multiplies. */
typedef struct backward_tile {
    int64_t row, rows;
    bool inside; /* a whole tile follows in the chunk: what is read past these rows is in it */
    float *z, *x, *last;
} backward_tile;

/* dz in pairs of columns or as it is, the left operand of dx. */
static operand gradient_rows(const backward_job *job, const backward_tile *t) {
    const ani_gradient *dz = &job->args->dz;
    if (job->direct_dz && t->rows == job->tile)
        return tensor_rows(dz->g, dz->element, t->row, job->s->cout, job->m.pairs);
    if (job->m.pairs)
        job->cpu->k.pairs.pair_columns(t->last, job->ldz, t->z, job->ldz, t->rows, job->s->cout);
    return (operand){job->m.pairs ? t->last : t->z, job->ldz};
}

/* Rows of dz or of x as dw takes them: as they are, or as pairs of rows in their tile. */
static operand sum_rows(const backward_job *job, const backward_tile *t, const void *tensor,
                        int32_t element, int64_t c, bool direct, float *tile, int64_t ld) {
    const ani_pair_kernels *pairs = &job->cpu->k.pairs;
    if (!job->m.pairs) {
        if (direct && t->inside) return tensor_rows(tensor, element, t->row, c, 0);
    } else if (direct && element == ANI_BFLOAT16) {
        pairs->pair_tensor_rows(tile, ld, ani_element_at(tensor, element, t->row * c), c, t->rows,
                                c);
    } else {
        pairs->pair_rows(tile, ld, tile, ld, t->rows, c);
    }
    return (operand){tile, ld};
}

static void load_gradient(const backward_job *job, const backward_tile *t) {
    const ani_gradient *dz = &job->args->dz;
    const int64_t cout = job->s->cout, at = t->row * cout;
    job->cpu->k.tensor[dz->element].gradient(t->z, job->ldz, ani_element_at(dz->g, dz->element, at),
                                             ani_element_at(dz->z, dz->element, at), cout, t->rows,
                                             cout, dz->a, dz->b, dz->c);
}

static void backward_chunk(void *context, int64_t index, int32_t worker) {
    const backward_job *job = context;
    const ani_unit_backward *args = job->args;
    const ani_gradient *dz = &args->dz;
    const ani_store *store = &args->store;
    const ani_kernels *k = &job->cpu->k;
    const int pointwise = job->s->kind == ANI_UNIT_POINTWISE;
    const int64_t cin = job->s->cin, cout = job->s->cout;
    const int64_t first = index * job->cut.chunk;
    const int64_t last = ani_min(first + job->cut.chunk, job->cut.rows);
    backward_tile t = {.z = job->tiles + worker * job->tile_floats};
    t.x = t.z + job->tile * job->ldz;
    t.last = t.x + job->tile * job->ldx;
    const int in_place = store->dx == args->x.z;
    void *dx_tile =
        !in_place && ani_cpu_streams_tiles(job->cpu, args->x.element, job->cut.rows, cin)
            ? t.z + job->dx_tile
            : NULL;
    float *dw = job->gradients + index * job->gradient_floats;
    double *sum = store->sums ? job->partials + index * job->sums : NULL;
    const int32_t pairs = job->m.pairs;
    ani_product p = {.packed = job->packed,
                     .k = job->m.steps,
                     .n = cin,
                     .width = job->m.width,
                     .stream = !in_place && ani_cpu_streams(job->cpu, job->cut.rows, cin)};
    if (args->dw) memset(dw, 0, (size_t)job->gradient_floats * sizeof *dw);
    if (sum) memset(sum, 0, (size_t)job->sums * sizeof *sum);
    for (int64_t row = first; row < last; row += job->tile) {
        const int64_t rows = p.rows = ani_min(job->tile, last - row);
        /* The next tile: what is left of it; g and half of x during one product, the rest during
         * the other. */
        const int64_t next = row + rows, count = ani_max(ani_min(job->tile, last - next), 0);
        const int64_t half = args->dw && store->dx ? count / 2 : 0;
        t.row = row;
        t.rows = rows;
        t.inside = count == job->tile;
        /* Where the tensors themselves are multiplied, tiles are for what remains. */
        const bool whole = pairs ? rows == job->tile : t.inside;
        const bool loads_z = !(whole && job->direct_dz && (pairs || job->sums_dz || !args->dw));
        const bool loads_x = !(whole && job->sums_x);
        if (loads_z) load_gradient(job, &t);
        operand left = {NULL, 0};
        if (store->dx) left = gradient_rows(job, &t);
        if (args->dw) {
            const coming g = {dz->g, dz->element, cout, next, count};
            const coming x = {args->x.z, args->x.element, cin, next, count - half};
            const coming z = {dz->z, dz->element, cout, next, count - half};
            const ani_ahead ahead = rows_ahead(&g, pointwise ? &x : &z);
            if (loads_x) load_rows(job->cpu, job->s, &args->x, row, rows, t.x, job->ldx);
            const operand b = sum_rows(job, &t, dz->g, dz->element, cout, !loads_z && job->sums_dz,
                                       t.z, job->ldz);
            const operand a =
                sum_rows(job, &t, args->x.z, args->x.element, job->m.n, !loads_x, t.x, job->ldx);
            ani_cpu_product_transposed(job->cpu, dw, job->ldz, a.rows, a.ld, b.rows, b.ld, rows,
                                       job->m.n, cout, job->dw_width, pairs, &ahead);
        }
        if (store->dx) {
            ani_gradient_store to = ani_cpu_gradient_store(store, &args->x, row * cin, cin, 0, sum,
                                                           sum ? sum + cin : NULL);
            void *dx = to.dx;
            if (dx_tile) to.dx = dx_tile;
            const coming z = {dz->z, dz->element, cout, next, count};
            const coming x = {args->x.z, args->x.element, cin, next + count - half, half};
            p.a = left.rows;
            p.lda = left.ld;
            p.ahead = rows_ahead(&z, &x);
            ani_cpu_product_gradient(job->cpu, &job->m, &p, t.last, job->ldx, &to, args->x.element);
            if (dx_tile)
                k->stream_copy(dx, dx_tile, rows * cin * ani_element_size(args->x.element));
        }
    }
    k->fence();
}

/* Full units get their dw here; only pointwise ones need an input gradient. */
void ani_cpu_rows_backward(cpu_backend *cpu, const ani_unit_shape *s,
                           const ani_unit_backward *args) {
    backward_job job = {.args = args};
    const ani_fixed_backward *fixed = args->fixed;
    plan_backward(&job, cpu, s, fixed != NULL, args->scratch);
    ani_cpu_use_pairs(cpu, &job.m, args->store.dx ? args->x.element : args->dz.element);
    find_operands(&job);
    job.sums = (args->store.z ? 2 : 1) * s->cin;
    const float *w = args->w;
    if (fixed) w = ani_cpu_fold(cpu, job.folded, w, fixed->bn->scale, job.m.n, s->cout);
    if (args->store.dx) ani_cpu_pack(cpu, &job.m, job.packed, w, 1, s->cout);
    ani_pool_run_watched(cpu->pool, args->watch, job.cut.chunks, backward_chunk, &job);
    if (ani_watch_stops(args->watch)) return;
    if (args->dw)
        ani_cpu_join_matrix(cpu, job.cut.chunks, job.gradients, job.gradient_floats, job.ldz,
                            job.m.n, s->cout, args->dw);
    if (args->dw && fixed)
        ani_cpu_finish_fixed(cpu, args, w, job.m.n, s->cout,
                             job.m.pairs ? ANI_BFLOAT16 : ANI_FLOAT32);
    if (args->store.dx && args->store.sums)
        ani_cpu_join_sums(cpu, job.cut.chunks, job.partials, job.sums, args->store.sums);
}

int64_t ani_cpu_rows_scratch(const cpu_backend *cpu, const ani_unit_shape *s, int backward) {
    forward_job forward;
    backward_job back;
    if (!backward) return plan_forward(&forward, cpu, s, NULL);
    return ani_max(plan_backward(&back, cpu, s, false, NULL),
                   plan_backward(&back, cpu, s, true, NULL));
}
