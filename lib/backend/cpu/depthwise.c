/* SPDX-License-Identifier: MIT
 * Depthwise 3x3 units. A piece of pool work is a band of rows of one image, a range of columns
 * and a group of channels. Each input row is normalised once into a ring of row buffers laid out as
 * [blocks of 16 channels][columns][16]. There, padding and channels past the last are zero, and the
 * kernels run over contiguous memory that is in cache.
 *
 * Backward does the same with rows of dz and of x: each dz row is formed once and serves the
 * weight gradient of its own row and the input gradient of the rows around it. */
#include "backend/cpu/cpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
    RING = 4, /* rows of a ring: three in use and the next, whatever stride and padding */
    /* Approximate number of floats in a row buffer. Both rings, the tensor rows they are made from
     * and the prefetched rows should fit into L2: a dozen forward, twice as many backward. */
    ROW_FORWARD = 9216,
    ROW_BACKWARD = 4608,
    MIN_GROUP = 192, /* channels: below this, columns are split and not channels */
    PIECES = 64,     /* at least this many pieces, as long as bands are MIN_BAND rows high */
    MIN_BAND = 8
};

/** How a unit is split. Pieces are numbered ((image * bands + band) * ranges + range) * groups +
 * group; a part is a piece without its group. */
typedef struct cut {
    int64_t band, bands;   /* output rows of a band */
    int64_t range, ranges; /* output columns of a range */
    int64_t group, groups; /* channels of a group, a multiple of ANI_BLOCK */
    int64_t parts, pieces;
    int64_t x_columns; /* of a buffer of x rows */
    int64_t z_columns; /* of a buffer of dz rows */
} cut;

static cut cut_unit(const ani_unit_shape *s, int64_t row) {
    cut c;
    const int64_t channels = ani_round_up(s->cin, ANI_BLOCK);
    const int64_t width = ani_max(s->w, s->ow) + 2;
    c.groups = 1;
    while (width * ani_divide_up(channels, c.groups) > row &&
           ani_divide_up(channels, c.groups + 1) >= MIN_GROUP)
        c.groups++;
    c.group = ani_round_up(ani_divide_up(channels, c.groups), ANI_BLOCK);
    c.groups = ani_divide_up(channels, c.group);
    c.ranges = ani_divide_up(width * c.group, row + row / 4);
    c.range = ani_divide_up(s->ow, c.ranges);
    c.ranges = ani_divide_up(s->ow, c.range);
    const int64_t wanted = ani_divide_up(PIECES, s->n * c.ranges * c.groups);
    c.bands = ani_max(ani_min(wanted, s->oh / MIN_BAND), 1);
    c.band = ani_divide_up(s->oh, c.bands);
    c.bands = ani_divide_up(s->oh, c.band);
    c.parts = s->n * c.bands * c.ranges;
    c.pieces = c.parts * c.groups;
    c.x_columns = (c.range - 1) * s->stride + 3;
    c.z_columns = c.range + 8;
    return c;
}

/** The location of a piece. */
typedef struct place {
    int64_t part, n;
    int64_t row, last_row;       /* output rows */
    int64_t column, last_column; /* output columns */
    int64_t channel, channels;
    int64_t blocks;
} place;

static place find_place(const ani_unit_shape *s, const cut *c, int64_t piece) {
    place p;
    p.part = piece / c->groups;
    p.n = p.part / (c->bands * c->ranges);
    p.row = p.part / c->ranges % c->bands * c->band;
    p.last_row = ani_min(p.row + c->band, s->oh);
    p.column = p.part % c->ranges * c->range;
    p.last_column = ani_min(p.column + c->range, s->ow);
    p.channel = piece % c->groups * c->group;
    p.channels = ani_min(c->group, s->cin - p.channel);
    p.blocks = ani_divide_up(p.channels, ANI_BLOCK);
    return p;
}

static inline int64_t block_channels(const place *p, int64_t block) {
    return ani_min(p->channels - block * ANI_BLOCK, ANI_BLOCK);
}

/** A ring of row buffers over the columns of a tensor from `first` on; slot row & (RING - 1) holds
 * a row. */
typedef struct ring {
    float *rows;   /* [RING][blocks][columns][ANI_BLOCK] */
    int64_t first; /* column of the tensor in buffer column 0; may be negative */
    int64_t columns;
    int64_t next; /* the row to load next */
} ring;

static inline float *ring_row(const ring *r, const place *p, int64_t row) {
    return r->rows + (row & (RING - 1)) * p->blocks * r->columns * ANI_BLOCK;
}

/* Clear what the tensor does not fill: all of a row outside it; otherwise the columns to its left
 * and right, and the lanes past the last channel. Returns the columns that are inside. */
static int64_t clear_outside(const ring *r, const place *p, float *row, int inside, int64_t width,
                             int64_t *from) {
    const int64_t left = inside ? ani_min(ani_max(-r->first, 0), r->columns) : r->columns;
    const int64_t end = ani_max(ani_min(width - r->first, r->columns), left);
    for (int64_t b = 0; b < p->blocks; b++, row += r->columns * ANI_BLOCK) {
        if (block_channels(p, b) < ANI_BLOCK) {
            memset(row, 0, (size_t)(r->columns * ANI_BLOCK) * sizeof *row);
            continue;
        }
        memset(row, 0, (size_t)(left * ANI_BLOCK) * sizeof *row);
        memset(row + end * ANI_BLOCK, 0, (size_t)((r->columns - end) * ANI_BLOCK) * sizeof *row);
    }
    *from = left;
    return inside ? end - left : 0;
}

/* The address of a block of channels in a row of a tensor [n][h][w][cin], for a kernel that
 * prefetches it before it is loaded into a ring; NULL: outside the image. */
static const void *row_ahead(const void *tensor, int32_t element, const ani_unit_shape *s,
                             int64_t h, int64_t w, const place *p, const ring *r, int64_t row,
                             int64_t channel) {
    if (row < 0 || row >= h) return NULL;
    const int64_t at = ((p->n * h + row) * w + ani_max(r->first, 0)) * s->cin + channel;
    return ani_element_at(tensor, element, at);
}

/* Load rows of x up to and including row `until`, normalised. */
static void load_x(const ani_kernels *k, const ani_unit_shape *s, const place *p, ring *r,
                   const ani_lazy *x, int64_t until) {
    for (; r->next <= until; r->next++) {
        float *row = ring_row(r, p, r->next);
        int64_t from;
        const int64_t count = clear_outside(r, p, row, r->next >= 0 && r->next < s->h, s->w, &from);
        if (count <= 0) continue;
        const int64_t at = ((p->n * s->h + r->next) * s->w + r->first + from) * s->cin + p->channel;
        for (int64_t b = 0; b < p->blocks; b++) {
            const int64_t channel = p->channel + b * ANI_BLOCK;
            k->tensor[x->element].normalise(
                row + (b * r->columns + from) * ANI_BLOCK, ANI_BLOCK,
                ani_element_at(x->z, x->element, at + b * ANI_BLOCK), s->cin, count,
                block_channels(p, b), x->scale ? x->scale + channel : NULL,
                x->scale ? x->shift + channel : NULL, ani_cpu_clamps(x));
        }
    }
}

/* Load rows of dz up to and including row `until`. */
static void load_dz(const ani_kernels *k, const ani_unit_shape *s, const place *p, ring *r,
                    const ani_gradient *dz, int64_t until) {
    for (; r->next <= until; r->next++) {
        float *row = ring_row(r, p, r->next);
        int64_t from;
        const int64_t count =
            clear_outside(r, p, row, r->next >= 0 && r->next < s->oh, s->ow, &from);
        if (count <= 0) continue;
        const int64_t at =
            ((p->n * s->oh + r->next) * s->ow + r->first + from) * s->cin + p->channel;
        for (int64_t b = 0; b < p->blocks; b++) {
            const int64_t channel = p->channel + b * ANI_BLOCK;
            const int64_t element = at + b * ANI_BLOCK;
            k->tensor[dz->element].gradient(
                row + (b * r->columns + from) * ANI_BLOCK, ANI_BLOCK,
                ani_element_at(dz->g, dz->element, element),
                ani_element_at(dz->z, dz->element, element), s->cin, count, block_channels(p, b),
                dz->a ? dz->a + channel : NULL, dz->z ? dz->b + channel : NULL,
                dz->z ? dz->c + channel : NULL);
        }
    }
}

/* Stream a piece's part of a tensor row from a tile, with non-temporal stores; both begin with the
 * piece's first column and with channel 0. */
static void stream_row(const ani_kernels *k, const ani_unit_shape *s, const place *p,
                       int32_t element, void *row, const void *tile, int64_t columns) {
    const int64_t size = ani_element_size(element);
    const int64_t pieces = p->channels == s->cin ? 1 : columns;
    for (int64_t i = 0; i < pieces; i++) {
        const int64_t at = i * s->cin + p->channel;
        k->stream_copy(ani_element_of(row, element, at), ani_element_at(tile, element, at),
                       columns / pieces * p->channels * size);
    }
}

/* Pack w[9][c] by blocks: out[blocks][9][ANI_BLOCK], tap order[i] at index i, zero past channel c.
 */
static void pack_taps(float *out, const float *w, int64_t c, const int32_t order[9]) {
    for (int64_t first = 0; first < c; first += ANI_BLOCK)
        for (int64_t tap = 0; tap < 9; tap++, out += ANI_BLOCK) {
            const int64_t count = ani_min(c - first, ANI_BLOCK);
            memset(out, 0, ANI_BLOCK * sizeof *out);
            memcpy(out, w + order[tap] * c + first, (size_t)count * sizeof *out);
        }
}

/* --- forward ---------------------------------------------------------------------------------- */

typedef struct forward_job {
    const cpu_backend *cpu;
    const ani_unit_shape *s;
    const ani_unit_forward *args;
    cut cut;

    /* in scratch */
    float *folded;    /* w with known batch norm */
    float *taps;      /* [blocks][9][ANI_BLOCK] */
    int64_t *counts;  /* [parts] */
    double *partials; /* [parts][2][c] */
    float *tiles;     /* [threads][tile_floats]: ring, a block of an output row, pivot, y_tile */
    double *sums;     /* [threads][2][group] */
    int64_t tile_floats;
    int64_t y_tile; /* where in them rows of y wait to be streamed, or are not wanted */
    int32_t streams;
} forward_job;

/* The number of floats that columns of a bfloat16 tensor occupy. */
static int64_t row_floats(const ani_unit_shape *s, int64_t columns) {
    return ani_divide_up(columns * s->cin, 2);
}

static int64_t plan_forward(forward_job *job, const cpu_backend *cpu, const ani_unit_shape *s,
                            void *scratch) {
    int64_t used = 0;
    const cut c = job->cut = cut_unit(s, ROW_FORWARD);
    job->cpu = cpu;
    job->s = s;
    job->y_tile = RING * c.x_columns * c.group + c.range * ANI_BLOCK + c.group;
    job->tile_floats = job->y_tile + c.range * s->cin;
    job->folded = ani_take(scratch, &used, 9 * s->cin, sizeof(float));
    job->taps = ani_take(scratch, &used, 9 * ani_round_up(s->cin, ANI_BLOCK), sizeof(float));
    job->counts = ani_take(scratch, &used, c.parts, sizeof(int64_t));
    job->partials = ani_take(scratch, &used, c.parts * 2 * s->cin, sizeof(double));
    job->tiles = ani_take(scratch, &used, cpu->base.threads * job->tile_floats, sizeof(float));
    job->sums = ani_take(scratch, &used, cpu->base.threads * 2 * c.group, sizeof(double));
    return used;
}

/* Where the values of a piece's row go, from a channel on. */
static ani_value_store value_store(const forward_job *job, const place *p, int64_t oy,
                                   int64_t channel, void *y) {
    const ani_unit_shape *s = job->s;
    const ani_fixed_forward *fixed = job->args->fixed;
    const int64_t at = ((p->n * s->oh + oy) * s->ow + p->column) * s->cin + channel;
    return (ani_value_store){.y = y,
                             .ldy = s->cin,
                             .shift = fixed->bn->shift + channel,
                             .residual = ani_element_at(fixed->residual, job->args->element, at),
                             .relu6 = fixed->relu6};
}

/* A block of a row, to be stored at y_row. */
static void store_block(const forward_job *job, const place *p, int64_t oy, int64_t block,
                        void *y_row, const float *tile, float *pivot, double *sum) {
    const ani_unit_shape *s = job->s;
    const ani_unit_forward *args = job->args;
    const ani_kernels *k = &job->cpu->k;
    const int64_t columns = p->last_column - p->column;
    const int64_t first = block * ANI_BLOCK, c = block_channels(p, block);
    const int64_t channel = p->channel + first;
    double *square = sum + job->cut.group;
    void *y = ani_element_of(y_row, args->element, channel);
    if (args->fixed) {
        const ani_value_store to = value_store(job, p, oy, channel, y);
        k->tensor[args->element].store_value(&to, tile, ANI_BLOCK, columns, c, job->streams);
        return;
    }
    if (!args->moments) {
        k->tensor[args->element].store_sum(y, s->cin, tile, ANI_BLOCK, columns, c, NULL);
        return;
    }
    if (oy == p->row)
        ani_cpu_begin_moments(k, pivot + first, sum + first, square + first, tile, ANI_BLOCK,
                              columns, c);
    k->tensor[args->element].store_moments(y, s->cin, tile, ANI_BLOCK, columns, c, pivot + first,
                                           sum + first, square + first, job->streams);
}

static void forward_piece(void *context, int64_t index, int32_t worker) {
    const forward_job *job = context;
    const ani_unit_shape *s = job->s;
    const ani_unit_forward *args = job->args;
    const ani_kernels *k = &job->cpu->k;
    const place p = find_place(s, &job->cut, index);
    const int64_t columns = p.last_column - p.column;
    float *memory = job->tiles + worker * job->tile_floats;
    float *tile = memory + RING * job->cut.x_columns * job->cut.group;
    float *pivot = tile + job->cut.range * ANI_BLOCK;
    double *sum = job->sums + worker * 2 * job->cut.group;
    void *y_tile =
        !args->y || ((args->moments || args->fixed) &&
                     ani_cpu_streams_tiles(job->cpu, args->element, s->n * s->oh * s->ow, s->cin))
            ? memory + job->y_tile
            : NULL;
    ring x = {.rows = memory,
              .first = p.column * s->stride - s->pad_left,
              .columns = (columns - 1) * s->stride + 3,
              .next = p.row * s->stride - s->pad_top};
    for (int64_t oy = p.row; oy < p.last_row; oy++) {
        const int64_t top = oy * s->stride - s->pad_top;
        const int64_t row_at = ((p.n * s->oh + oy) * s->ow + p.column) * s->cin;
        void *y_row = ani_element_of(args->y, args->element, row_at);
        void *row = y_tile ? y_tile : y_row;
        load_x(k, s, &p, &x, &args->x, top + 2);
        for (int64_t b = 0; b < p.blocks; b++) {
            const int64_t at = b * x.columns * ANI_BLOCK, first = b * ANI_BLOCK;
            const int64_t channel = p.channel + first;
            ani_depthwise d = {.x = {ring_row(&x, &p, top) + at, ring_row(&x, &p, top + 1) + at,
                                     ring_row(&x, &p, top + 2) + at},
                               .w = job->taps + (p.channel / ANI_BLOCK + b) * 9 * ANI_BLOCK,
                               .count = columns,
                               .stride = s->stride,
                               .streamed = job->streams,
                               .next_stride = s->cin * ani_element_size(args->x.element)};
            const bool whole = block_channels(&p, b) == ANI_BLOCK;
            for (int64_t i = 0; i < s->stride && oy + 1 < p.last_row; i++)
                d.next[i] = row_ahead(args->x.z, args->x.element, s, s->h, s->w, &p, &x, x.next + i,
                                      channel);
            if (args->fixed && args->fixed->relu6 && whole) {
                const ani_value_store to =
                    value_store(job, &p, oy, channel, ani_element_of(row, args->element, channel));
                k->tensor[args->element].depthwise_value(&d, &to);
                continue;
            }
            if (args->moments && oy > p.row && whole) {
                k->tensor[args->element].depthwise_moments(
                    &d, ani_element_of(row, args->element, channel), s->cin, pivot + first,
                    sum + first, sum + job->cut.group + first);
                continue;
            }
            k->depthwise(tile, d.x, d.w, columns, s->stride);
            store_block(job, &p, oy, b, row, tile, pivot, sum);
        }
        if (y_row && y_tile) stream_row(k, s, &p, args->element, y_row, y_tile, columns);
    }
    k->fence();
    if (args->moments) {
        const int64_t count = (p.last_row - p.row) * columns;
        double *mean = job->partials + p.part * 2 * s->cin + p.channel;
        if (p.channel == 0) job->counts[p.part] = count;
        ani_cpu_finish_moments(count, p.channels, pivot, sum, sum + job->cut.group, mean,
                               mean + s->cin);
    }
}

void ani_cpu_depthwise_forward(cpu_backend *cpu, const ani_unit_shape *s,
                               const ani_unit_forward *args) {
    static const int32_t order[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    forward_job job = {.args = args};
    plan_forward(&job, cpu, s, args->scratch);
    job.streams = args->y && ani_cpu_streams(cpu, s->n * s->oh * s->ow, s->cin);
    const float *w = args->w;
    if (args->fixed) w = ani_cpu_fold(cpu, job.folded, w, args->fixed->bn->scale, 9, s->cin);
    pack_taps(job.taps, w, s->cin, order);
    ani_pool_run_watched(cpu->pool, args->watch, job.cut.pieces, forward_piece, &job);
    if (ani_watch_stops(args->watch)) return;
    if (args->moments)
        ani_cpu_join_moments(cpu, job.cut.parts, job.counts, job.partials, s->cin, args->moments);
}

/* --- backward --------------------------------------------------------------------------------- */

typedef struct backward_job {
    const cpu_backend *cpu;
    const ani_unit_shape *s;
    const ani_unit_backward *args;
    cut cut;

    /* in scratch */
    float *folded;    /* w with known batch norm */
    float *taps;      /* [blocks][9][ANI_BLOCK], ordered for the input gradient */
    float *gradients; /* [parts][9][c] */
    double *partials; /* [parts][sums] */
    float *tiles; /* [threads][tile_floats]: rings of x and dz, a row of zeros, tile, dw, dx_tile */
    int64_t tile_floats;
    int64_t dx_tile; /* where in them rows of dx wait to be streamed */
    int64_t sums;    /* that a part computes: one or two of each channel */
} backward_job;

/* A dx row of stride 2 is computed in whole pairs of columns, one or two more than it has. */
static int64_t tile_columns(const ani_unit_shape *s, const cut *c) {
    return c->range * s->stride + 6;
}

static int64_t plan_backward(backward_job *job, const cpu_backend *cpu, const ani_unit_shape *s,
                             void *scratch) {
    int64_t used = 0;
    const cut c = job->cut = cut_unit(s, ROW_BACKWARD);
    job->cpu = cpu;
    job->s = s;
    job->dx_tile = RING * (c.x_columns + c.z_columns) * c.group +
                   (c.z_columns + tile_columns(s, &c)) * ANI_BLOCK + 9 * c.group;
    job->tile_floats = job->dx_tile + row_floats(s, tile_columns(s, &c));
    job->folded = ani_take(scratch, &used, 9 * s->cin, sizeof(float));
    job->taps = ani_take(scratch, &used, 9 * ani_round_up(s->cin, ANI_BLOCK), sizeof(float));
    job->gradients = ani_take(scratch, &used, c.parts * 9 * s->cin, sizeof(float));
    job->partials = ani_take(scratch, &used, c.parts * 2 * s->cin, sizeof(double));
    job->tiles = ani_take(scratch, &used, cpu->base.threads * job->tile_floats, sizeof(float));
    return used;
}

/** The state of a backward piece. */
typedef struct backward_piece {
    const backward_job *job;
    place p;
    ring x, z;
    int64_t dx_first, dx_last; /* columns of dx that this piece writes */
    int64_t last_dz;           /* the last row of dz that this piece reads */
    float *tile;               /* a row of dx, one block: [columns][ANI_BLOCK] */
    void *dx_tile;             /* NULL: dx is not streamed through it */
    const float *zeros;        /* a row of dz outside the image */
    float *dw;                 /* [blocks][9][ANI_BLOCK] */
    double *sum;               /* NULL: not wanted; dot is s->cin after it */
} backward_piece;

static void add_weights(backward_piece *b, int64_t oy) {
    const backward_job *job = b->job;
    const ani_unit_shape *s = job->s;
    const int64_t top = oy * s->stride - s->pad_top;
    load_x(&job->cpu->k, s, &b->p, &b->x, &job->args->x, top + 2);
    for (int64_t block = 0; block < b->p.blocks; block++) {
        const int64_t at = block * b->x.columns * ANI_BLOCK;
        const ani_lazy *x = &job->args->x;
        ani_depthwise d = {.x = {ring_row(&b->x, &b->p, top) + at,
                                 ring_row(&b->x, &b->p, top + 1) + at,
                                 ring_row(&b->x, &b->p, top + 2) + at},
                           .count = b->p.last_column - b->p.column,
                           .stride = s->stride,
                           .next_stride = s->cin * ani_element_size(x->element)};
        for (int64_t i = 0; i < s->stride && oy + 1 < b->p.last_row; i++)
            d.next[i] = row_ahead(x->z, x->element, s, s->h, s->w, &b->p, &b->x, b->x.next + i,
                                  b->p.channel + block * ANI_BLOCK);
        job->cpu->k.depthwise_weights(b->dw + block * 9 * ANI_BLOCK, &d,
                                      ring_row(&b->z, &b->p, oy) +
                                          (block * b->z.columns + b->p.column - b->z.first) *
                                              ANI_BLOCK);
    }
}

/* Row oy of dz, zeros outside of the image; at the buffer's column of tensor column `column`. */
static const float *dz_row(const backward_piece *b, int64_t oy, int64_t block, int64_t column) {
    if (oy < 0 || oy >= b->job->s->oh) return b->zeros;
    return ring_row(&b->z, &b->p, oy) + (block * b->z.columns + column - b->z.first) * ANI_BLOCK;
}

/* Stride 1: dx is dz correlated with the rotated kernel. The cases that the network needs are
 * stored directly from registers, others through a tile. */
static void dx_dense(const backward_piece *b, int64_t iy, int64_t block, ani_depthwise *d,
                     const ani_gradient_store *to) {
    const ani_kernels *k = &b->job->cpu->k;
    const int32_t element = b->job->args->x.element;
    const int64_t top = iy + b->job->s->pad_top - 2;
    const int64_t left = b->dx_first + b->job->s->pad_left - 2;
    for (int64_t r = 0; r < 3; r++)
        d->x[r] = dz_row(b, top + r, block, left);
    d->count = b->dx_last - b->dx_first;
    const bool known = to->scale ? to->z == to->x : !to->z; /* mask and sums go together */
    if (block_channels(&b->p, block) == ANI_BLOCK && to->x && to->sum && known && !to->add) {
        k->tensor[element].depthwise_gradient(d, to);
        return;
    }
    k->depthwise(b->tile, d->x, d->w, d->count, 1);
    k->tensor[element].store_gradient(to, b->tile, ANI_BLOCK, d->count,
                                      block_channels(&b->p, block), d->streamed);
}

/* Stride 2: a row of dx meets kernel rows 0 and 2, or only row 1. */
static void dx_spread(const backward_piece *b, int64_t iy, int64_t block, ani_depthwise *d,
                      const ani_gradient_store *to) {
    const ani_kernels *k = &b->job->cpu->k;
    const int64_t at = iy + b->job->s->pad_top, left = b->dx_first + b->job->s->pad_left;
    const int64_t columns = b->dx_last - b->dx_first, skip = left & 1;
    const int odd = at & 1;
    d->x[0] = dz_row(b, at / 2, block, left / 2 - 1);
    d->x[1] = dz_row(b, at / 2 - 1, block, left / 2 - 1);
    if (odd) d->w += 6 * ANI_BLOCK;
    d->count = ani_divide_up(skip + columns, 2);
    k->depthwise_spread(b->tile, d, odd ? 1 : 2);
    k->tensor[b->job->args->x.element].store_gradient(to, b->tile + skip * ANI_BLOCK, ANI_BLOCK,
                                                      columns, block_channels(&b->p, block),
                                                      d->streamed);
}

static void store_dx(backward_piece *b, int64_t iy) {
    const backward_job *job = b->job;
    const ani_unit_shape *s = job->s;
    const ani_gradient *dz = &job->args->dz;
    const int32_t element = job->args->x.element;
    if (b->dx_last <= b->dx_first) return; /* outputs past the input, which see only padding */
    load_dz(&job->cpu->k, s, &b->p, &b->z, dz, ani_min((iy + s->pad_top) / s->stride, s->oh - 1));
    const int64_t at = ((b->p.n * s->h + iy) * s->w + b->dx_first) * s->cin;
    for (int64_t block = 0; block < b->p.blocks; block++) {
        const int64_t first = block * ANI_BLOCK, channel = b->p.channel + first;
        ani_gradient_store to = ani_cpu_gradient_store(
            &job->args->store, &job->args->x, at + channel, s->cin, channel,
            b->sum ? b->sum + first : NULL, b->sum ? b->sum + s->cin + first : NULL);
        if (b->dx_tile) to.dx = ani_element_of(b->dx_tile, element, channel);
        ani_depthwise d = {.w = job->taps + 9 * (b->p.channel + first),
                           .stride = 1,
                           .streamed = ani_cpu_streams(job->cpu, s->n * s->h * s->w, s->cin),
                           .next_stride = s->cin * ani_element_size(dz->element)};
        if (b->z.next <= b->last_dz) {
            d.next[0] =
                row_ahead(dz->g, dz->element, s, s->oh, s->ow, &b->p, &b->z, b->z.next, channel);
            if (dz->z)
                d.next[1] = row_ahead(dz->z, dz->element, s, s->oh, s->ow, &b->p, &b->z, b->z.next,
                                      channel);
        }
        if (s->stride == 1)
            dx_dense(b, iy, block, &d, &to);
        else
            dx_spread(b, iy, block, &d, &to);
    }
    if (b->dx_tile)
        stream_row(&job->cpu->k, s, &b->p, element,
                   ani_element_of(job->args->store.dx, element, at), b->dx_tile,
                   b->dx_last - b->dx_first);
}

/* The start of the input that belongs to output `first`: each input row and column belongs to one
 * piece. */
static int64_t input_edge(int64_t edge, int64_t outputs, int64_t inputs, int64_t stride) {
    if (edge >= outputs) return inputs;
    return ani_min(edge * stride, inputs);
}

static void backward_run(void *context, int64_t index, int32_t worker) {
    const backward_job *job = context;
    const ani_unit_shape *s = job->s;
    const ani_unit_backward *args = job->args;
    const cut *c = &job->cut;
    backward_piece b = {.job = job, .p = find_place(s, c, index)};
    const place *p = &b.p;
    float *memory = job->tiles + worker * job->tile_floats;

    b.x = (ring){.rows = memory,
                 .first = p->column * s->stride - s->pad_left,
                 .columns = (p->last_column - p->column - 1) * s->stride + 3,
                 .next = p->row * s->stride - s->pad_top};
    b.dx_first = input_edge(p->column, s->ow, s->w, s->stride);
    b.dx_last = input_edge(p->last_column, s->ow, s->w, s->stride);
    const int64_t before =
        s->stride == 1 ? b.dx_first + s->pad_left - 2 : (b.dx_first + s->pad_left) / 2 - 1;
    const int64_t after = (b.dx_last - 1 + s->pad_left) / s->stride + 1;
    b.z.rows = memory + RING * c->x_columns * c->group;
    b.z.first = ani_min(p->column, before);
    b.z.columns = ani_max(p->last_column, after) - b.z.first;
    float *zeros = b.z.rows + RING * c->z_columns * c->group;
    b.tile = zeros + c->z_columns * ANI_BLOCK;
    b.dw = b.tile + tile_columns(s, c) * ANI_BLOCK;
    if (ani_cpu_streams_tiles(job->cpu, args->x.element, s->n * s->h * s->w, s->cin))
        b.dx_tile = memory + job->dx_tile;
    memset(zeros, 0, (size_t)(c->z_columns * ANI_BLOCK) * sizeof *zeros);
    b.zeros = zeros;
    memset(b.dw, 0, (size_t)(9 * p->blocks * ANI_BLOCK) * sizeof *b.dw);
    if (args->store.sums) {
        b.sum = job->partials + p->part * job->sums + p->channel;
        memset(b.sum, 0, (size_t)p->channels * sizeof *b.sum);
        if (args->store.z) memset(b.sum + s->cin, 0, (size_t)p->channels * sizeof *b.sum);
    }

    int64_t iy = input_edge(p->row, s->oh, s->h, s->stride);
    b.last_dz = (input_edge(p->last_row, s->oh, s->h, s->stride) - 1 + s->pad_top) / s->stride;
    /* The first dz row that either gradient reads. */
    const int64_t first_dx = s->stride == 1 ? iy + s->pad_top - 2 : (iy + s->pad_top) / 2 - 1;
    b.z.next = ani_max(args->store.dx ? ani_min(first_dx, p->row) : p->row, 0);
    for (int64_t oy = p->row; oy < p->last_row; oy++) {
        if (args->dw) {
            load_dz(&job->cpu->k, s, p, &b.z, &args->dz, oy);
            add_weights(&b, oy);
        }
        if (!args->store.dx) continue;
        const int64_t end = input_edge(oy + 1, s->oh, s->h, s->stride);
        for (; iy < end; iy++)
            store_dx(&b, iy);
    }
    job->cpu->k.fence();
    if (!args->dw) return;
    float *dw = job->gradients + p->part * 9 * s->cin + p->channel;
    for (int64_t tap = 0; tap < 9; tap++)
        for (int64_t block = 0; block < p->blocks; block++)
            memcpy(dw + tap * s->cin + block * ANI_BLOCK, b.dw + (block * 9 + tap) * ANI_BLOCK,
                   (size_t)block_channels(p, block) * sizeof *dw);
}

void ani_cpu_depthwise_backward(cpu_backend *cpu, const ani_unit_shape *s,
                                const ani_unit_backward *args) {
    static const int32_t turned[9] = {8, 7, 6, 5, 4, 3, 2, 1, 0};
    static const int32_t even_then_odd[9] = {0, 1, 2, 6, 7, 8, 3, 4, 5};
    backward_job job = {.args = args};
    plan_backward(&job, cpu, s, args->scratch);
    const float *w = args->w;
    if (args->fixed) w = ani_cpu_fold(cpu, job.folded, w, args->fixed->bn->scale, 9, s->cin);
    job.sums = (args->store.z ? 2 : 1) * s->cin;
    pack_taps(job.taps, w, s->cin, s->stride == 1 ? turned : even_then_odd);
    ani_pool_run_watched(cpu->pool, args->watch, job.cut.pieces, backward_run, &job);
    if (ani_watch_stops(args->watch)) return;
    if (args->dw)
        ani_cpu_join_matrix(cpu, job.cut.parts, job.gradients, 9 * s->cin, s->cin, 9, s->cin,
                            args->dw);
    if (args->dw && args->fixed) ani_cpu_finish_fixed(cpu, args, w, 9, s->cin, ANI_FLOAT32);
    if (args->store.dx && args->store.sums)
        ani_cpu_join_sums(cpu, job.cut.parts, job.partials, job.sums, args->store.sums);
}

int64_t ani_cpu_depthwise_scratch(const cpu_backend *cpu, const ani_unit_shape *s, int backward) {
    forward_job forward;
    backward_job back;
    return backward ? plan_backward(&back, cpu, s, NULL) : plan_forward(&forward, cpu, s, NULL);
}
