/* SPDX-License-Identifier: MIT
 * Inference of the CPU backend.
 *
 * Many images: each thread takes whole images, so that thin values stay in its caches and no thread
 * waits. One image: the threads share each step, by rows, or by channels if there are few rows.
 *
 * Each number results from one chain of operations that does not depend on how the work is split,
 * so here the split may depend on the number of threads: the bits are the same. */
#include "backend/cpu/infer.h"

#include <string.h>

#include "base/element.h"

enum {
    PROJECT_PIXELS = 96, /* of a piece when threads share a projection */
    PIECES = 3,          /* per thread, if pieces are alike */
    POOL_CHANNELS = 64,
    LINE = 64 /* of a cache */
};

/** Inference on one image. */
typedef struct infer_run {
    const cpu_backend *cpu;
    const ani_infer *infer;
    const ani_infer_buffers *buffers;
    const infer_step *step;
    const float *x; /* the image, or NULL and */
    const uint8_t *bytes;
    const void *elements; /* [256]: of the bytes */
    uint8_t *slots;
    float *features;
    ani_watch *watch;
    int64_t pieces, across; /* of the step; of them in one direction */
} infer_run;

/** Some result rows of a step and the wide rows that they read. */
typedef struct band {
    int64_t first, rows;
    int64_t top;   /* first wide row read; may be outside */
    int64_t reads; /* wide rows read */
    int64_t made;  /* how many of them the previous band has made */
    int32_t parity;
    int32_t last; /* 1: no band follows */
} band;

/* The size of count elements in bytes. */
static int64_t bytes_of(const infer_run *run, int64_t elements) {
    return elements * run->infer->k.size;
}

static int64_t wide_bytes(const infer_run *run, int64_t elements) {
    return elements * run->infer->k.wide_size;
}

/* Element `at` of a thin value. */
static uint8_t *slot(const infer_run *run, int32_t number, int64_t at) {
    return run->slots + bytes_of(run, run->infer->slot_offsets[number] + at);
}

/* --- input ------------------------------------------------------------------------------------ */

/* A row of the image as contiguous elements. */
static void convert_row(const infer_run *run, int64_t y, uint8_t *to) {
    const infer_kind *kind = run->infer->kind;
    const int64_t count = run->step->w * run->step->cin;
    if (run->x)
        kind->convert(run->infer, run->x + y * count, count, to);
    else
        kind->look_up(run->elements, run->bytes + y * count, count, to);
}

static void stage_row(const infer_run *run, int64_t y, uint8_t *to) {
    const infer_step *step = run->step;
    const int64_t count = step->w * step->in_pixel;
    if (step->input >= 0)
        memcpy(to, slot(run, step->input, y * count), (size_t)bytes_of(run, count));
    else
        convert_row(run, y, to);
}

/* Copy the input rows for wide rows from `first` on to the worker, surrounded by zeros. */
static void stage(const infer_run *run, const infer_worker *worker, int64_t first, int64_t rows) {
    const infer_step *step = run->step;
    const int64_t row = bytes_of(run, ani_infer_stage_row(step));
    if (!row) return;
    const ani_unit_shape *front = step->front ? &step->front->shape : NULL;
    const int full = front && front->kind == ANI_UNIT_FULL;
    const int64_t left = full ? bytes_of(run, front->pad_left * step->in_pixel) : 0;
    const int64_t count = bytes_of(run, step->w * step->in_pixel);
    const int64_t top = full ? first * front->stride - front->pad_top : first;
    for (int64_t i = 0; i < ani_infer_stage_rows(step, rows); i++) {
        uint8_t *to = worker->pads + i * row;
        const int inside = top + i >= 0 && top + i < step->h;
        const int64_t filled = inside ? left + count : 0;
        if (inside) {
            memset(to, step->zero, (size_t)left);
            stage_row(run, top + i, to + left);
        }
        memset(to + filled, step->zero, (size_t)(row - filled));
    }
}

/* --- products --------------------------------------------------------------------------------- */

/* Set up one panel: columns of the result from y on (whose rows are y_row apart). */
static void set_panel(const infer_run *run, const infer_panels *panels, int64_t panel,
                      ani_infer_product *p) {
    const int64_t first = panel * run->infer->k.block;
    p->vectors = infer_panel_vectors(run->infer, panels, panel);
    const int64_t width = (int64_t)p->vectors * run->infer->k.lanes;
    p->k = panels->k;
    /* Weights have the size of elements; a bias always has four bytes. */
    p->b = (const uint8_t *)panels->w + bytes_of(run, first * panels->k);
    p->bias = (const float *)panels->bias + first;
    p->scale = panels->scale ? panels->scale + first : NULL;
    p->columns = ani_min(width, panels->stored - first);
}

/* Prefetch part of the next panel's weights: they come from far away, since all weights together
 * are larger than a core's private caches. */
static void ask_ahead(const infer_run *run, const ani_infer_product *p, int64_t part,
                      int64_t parts) {
    const int64_t size = bytes_of(run, p->k * p->vectors * run->infer->k.lanes);
    const uint8_t *next = (const uint8_t *)p->b + size;
    for (int64_t i = size * part / parts / LINE * LINE; i < size * (part + 1) / parts; i += LINE)
        __builtin_prefetch(next + i, 0, 2);
}

/* Let a product read what the front convolves for wide row y; pads begin with what wide row
 * `staged` needs. */
static void set_front(const infer_run *run, const infer_worker *worker, int64_t y, int64_t staged,
                      ani_infer_product *p) {
    const infer_step *step = run->step;
    const ani_unit_shape *s = &step->front->shape;
    const int64_t row = ani_infer_stage_row(step);
    if (s->kind == ANI_UNIT_FULL) {
        p->a = worker->pads + bytes_of(run, (y - staged) * s->stride * row);
        p->a_row = s->stride * step->in_pixel;
        p->run = step->in_run;
        p->segment = row;
    } else {
        p->a = row ? worker->pads + bytes_of(run, (y - staged) * row)
                   : slot(run, step->input, y * step->w * step->in_pixel);
        p->a_row = step->in_pixel;
        p->run = step->in_run;
    }
}

/* Rows of a step that is one full or pointwise convolution. */
static void product_rows(const infer_run *run, const infer_worker *worker, int64_t first,
                         int64_t last) {
    const infer_step *step = run->step;
    ani_infer_product p = {.y_row = step->out_pixel,
                           .rows = step->ow,
                           .relu6 = step->front->relu6,
                           .residual_scale = step->residual_scale};
    for (; first < last && !ani_watch_stops(run->watch); first += INFER_PRODUCT_ROWS) {
        const int64_t rows = ani_min(INFER_PRODUCT_ROWS, last - first);
        stage(run, worker, first, rows);
        for (int64_t panel = 0; panel < step->front_panels.count; panel++) {
            set_panel(run, &step->front_panels, panel, &p);
            for (int64_t i = first; i < first + rows; i++) {
                const int64_t at = i * step->ow * step->out_pixel + panel * run->infer->k.block;
                set_front(run, worker, i, first, &p);
                p.residual = step->residual < 0 ? NULL : slot(run, step->residual, at);
                p.y = slot(run, step->output, at);
                run->infer->k.product(&p);
            }
        }
    }
}

/* One panel of the last convolution, directly to the means of its channels. */
static void pooled_panel(const infer_run *run, const infer_worker *worker, int64_t panel) {
    const infer_step *step = run->step;
    const infer_kind *kind = run->infer->kind;
    const int64_t pixels = step->oh * step->ow;
    double sums[POOL_CHANNELS] = {0};
    ani_infer_product p = {
        .y = worker->depth, .rows = step->ow, .relu6 = step->front->relu6, .wide = 1};
    set_panel(run, &step->front_panels, panel, &p);
    p.y_row = (int64_t)p.vectors * run->infer->k.lanes;
    if (ani_infer_stage_row(step)) {
        for (int64_t y = 0; y < step->oh; y++) {
            stage(run, worker, y, 1);
            set_front(run, worker, y, y, &p);
            p.y = worker->depth + y * p.rows * p.y_row * kind->pooled_size;
            run->infer->k.product(&p);
        }
    } else {
        set_front(run, worker, 0, 0, &p);
        p.rows = pixels;
        run->infer->k.product(&p);
    }
    const int64_t first = panel * run->infer->k.block;
    kind->sum_pooled(&run->cpu->k, worker->depth, p.y_row, pixels, p.columns, sums);
    kind->write_means(run->infer, sums, pixels, ani_min(p.columns, step->cout - first),
                      run->features + first);
}

/* Multiply the blocks of the depthwise result from `group` on by their weights, and add that to the
 * pixels from `pixel` on. Panels first to last of the result. */
static void project(const infer_run *run, const uint8_t *depth, int64_t segment, int64_t group,
                    int64_t blocks, int64_t pixel, int64_t pixels, int64_t first, int64_t last) {
    const infer_step *step = run->step;
    const infer_panels *panels = &step->project_panels;
    const int64_t block = run->infer->k.block, k = group * block;
    ani_infer_product p = {.a = depth,
                           .a_row = block,
                           .run = block,
                           .segment = segment,
                           .y_row = step->out_pixel,
                           .residual_scale = step->residual_scale};
    for (int64_t panel = first; panel < last; panel++) {
        const int64_t at = pixel * step->out_pixel + panel * block;
        set_panel(run, panels, panel, &p);
        p.b = (const uint8_t *)p.b + bytes_of(run, k * p.vectors * run->infer->k.lanes);
        p.k = ani_min(blocks * block, panels->k - k);
        p.y = slot(run, step->output, at);
        p.rows = pixels;
        p.residual = step->residual < 0 || group ? NULL : slot(run, step->residual, at);
        if (group) p.bias = NULL;
        p.relu6 = step->project->relu6 && group + blocks >= step->blocks;
        run->infer->k.product(&p);
    }
}

/* --- wide values ------------------------------------------------------------------------------ */

static int64_t row_bytes(const infer_run *run) {
    return wide_bytes(run, run->step->columns * run->infer->k.block);
}

/* Zero the padding of the rows of wide; it stays zero for the whole step. */
static void clear_edges(const infer_run *run, const infer_worker *worker) {
    const infer_step *step = run->step;
    const int64_t pixel = wide_bytes(run, run->infer->k.block), row = row_bytes(run);
    const int64_t left = step->depthwise->shape.pad_left * pixel;
    const int64_t used = left + step->ew * pixel;
    const int64_t work = infer_reads(step, step->chunk), tails = 2 * step->blocks * step->keep;
    memset(worker->zeros, step->wide_zero, (size_t)row);
    for (int64_t i = 0; i < work + tails; i++) {
        uint8_t *to = i < work ? worker->work + i * row : worker->tails + (i - work) * row;
        memset(to, step->wide_zero, (size_t)left);
        memset(to + used, step->wide_zero, (size_t)(row - used));
    }
}

static band first_band(const infer_step *step, int64_t first, int64_t last) {
    band b = {.first = first};
    const ani_unit_shape *s = &step->depthwise->shape;
    b.rows = ani_min(step->rows, last - first);
    b.top = first * s->stride - s->pad_top;
    b.reads = infer_reads(step, b.rows);
    b.last = first + b.rows >= last;
    return b;
}

static band next_band(const infer_step *step, const band *before, int64_t last) {
    band b = first_band(step, before->first + before->rows, last);
    b.made = step->keep;
    b.parity = !before->parity;
    return b;
}

/* The address of a block of row i of those that the band reads. */
static uint8_t *wide_row(const infer_run *run, const infer_worker *worker, const band *b,
                         int64_t block, int64_t i) {
    const infer_step *step = run->step;
    const int64_t row = row_bytes(run), kept = i - (b->reads - step->keep);
    uint8_t *tails = worker->tails;
    if (b->top + i < 0 || b->top + i >= step->eh) return worker->zeros;
    if (i < b->made) return tails + ((!b->parity * step->blocks + block) * step->keep + i) * row;
    if (!b->last && kept >= 0)
        return tails + ((b->parity * step->blocks + block) * step->keep + kept) * row;
    return worker->work + i % infer_reads(step, step->chunk) * row;
}

/* The rows of wide that a band has to make, from `from` on. */
static void to_make(const infer_step *step, const band *b, int64_t *from, int64_t *end) {
    *from = ani_max(b->made, -b->top);
    *end = ani_min(b->reads, step->eh - b->top);
}

/* Lay out a channel block of an input row as the depthwise convolution reads it. */
static void load_row(const infer_run *run, const uint8_t *from, int64_t number, uint8_t *to) {
    const infer_step *step = run->step;
    const int64_t block = run->infer->k.block, first = number * block;
    const int64_t all = wide_bytes(run, block), pixel = bytes_of(run, step->in_pixel);
    const int64_t count = ani_min(block, step->wide - first);
    from += bytes_of(run, first);
    for (int64_t x = 0; x < step->ew; x++, to += all, from += pixel) {
        memset(to, 0, (size_t)all);
        if (infer_is_widened(run->infer)) /* halves to floats */
            for (int64_t i = 0; i < count; i++)
                ((float *)(void *)to)[i] =
                    ani_from_bfloat16(((const uint16_t *)(const void *)from)[i]);
        else
            memcpy(to, from, (size_t)bytes_of(run, count));
    }
}

/* Make row i of those that a band reads, at `to`; pads begin with what row `staged` needs. */
static void make_row(const infer_run *run, const infer_worker *worker, const band *b,
                     int64_t number, int64_t i, int64_t staged, int64_t ahead, ani_infer_product *p,
                     uint8_t *to) {
    const infer_step *step = run->step;
    if (step->front) {
        ask_ahead(run, p, i - staged, ahead);
        set_front(run, worker, b->top + i, b->top + staged, p);
        p->y = to;
        run->infer->k.product(p);
    } else {
        const int64_t row = ani_infer_stage_row(step), y = b->top + i;
        load_row(run,
                 row ? worker->pads + bytes_of(run, (i - staged) * row)
                     : slot(run, step->input, y * step->w * step->in_pixel),
                 number, to);
    }
}

/* Make a block's wide rows for a band and convolve them, a few at a time, while they are in L1: out
 * is [rows*ow][block]. */
static void depthwise(const infer_run *run, const infer_worker *worker, const band *b,
                      int64_t number, uint8_t *out) {
    const infer_step *step = run->step;
    const ani_unit_shape *s = &step->depthwise->shape;
    const int64_t block = run->infer->k.block, left = wide_bytes(run, s->pad_left * block);
    const void *rows[INFER_MAX_READS];
    int64_t from, end, read = 0;
    to_make(step, b, &from, &end);
    ani_infer_product p = {.y_row = block, .rows = step->ew, .wide = infer_is_widened(run->infer)};
    if (step->front) {
        set_panel(run, &step->front_panels, number, &p);
        p.columns = (int64_t)p.vectors * run->infer->k.lanes; /* nothing reads what follows */
        p.relu6 = step->front->relu6;
    }
    for (int64_t first = 0; first < b->rows; first += step->chunk) {
        const int64_t count = ani_min(step->chunk, b->rows - first), top = first * s->stride;
        for (; read < top + infer_reads(step, count); read++) {
            uint8_t *row = wide_row(run, worker, b, number, read);
            rows[read] = row;
            if (read >= from && read < end)
                make_row(run, worker, b, number, read, from, end - from, &p, row + left);
        }
        const ani_infer_depthwise d = {.y = out + bytes_of(run, first * step->ow * block),
                                       .x = rows + top,
                                       .w = step->taps + number * run->infer->taps_size,
                                       .rows = count,
                                       .count = step->ow,
                                       .stride = s->stride,
                                       .relu6 = step->depthwise->relu6};
        run->infer->k.depthwise(&d);
    }
}

/* Write the depthwise result of blocks from 0 on as a thin value. */
static void store_depth(const infer_run *run, const uint8_t *depth, int64_t pixel, int64_t pixels) {
    const infer_step *step = run->step;
    const int64_t block = run->infer->k.block;
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t c = 0; c < step->cout; c += block) {
            const int64_t at = (pixel + i) * step->out_pixel + c;
            const int64_t count = ani_min(block, step->out_pixel - c);
            uint8_t *to = slot(run, step->output, at);
            memcpy(to, depth + bytes_of(run, c * pixels + i * block), (size_t)bytes_of(run, count));
            if (step->residual < 0) continue;
            const float *residual = (const void *)slot(run, step->residual, at);
            for (int64_t j = 0; j < count; j++) /* only in float */
                ((float *)(void *)to)[j] += residual[j];
        }
}

static void stage_band(const infer_run *run, const infer_worker *worker, const band *b) {
    int64_t from, end;
    to_make(run->step, b, &from, &end);
    if (from < end) stage(run, worker, b->top + from, end - from);
}

/* Result rows first..last of a step with a depthwise convolution. */
static void block_rows(const infer_run *run, const infer_worker *worker, int64_t first,
                       int64_t last) {
    const infer_step *step = run->step;
    clear_edges(run, worker);
    for (band b = first_band(step, first, last);; b = next_band(step, &b, last)) {
        const int64_t pixel = b.first * step->ow, pixels = b.rows * step->ow;
        const int64_t size = pixels * run->infer->k.block; /* of a block */
        stage_band(run, worker, &b);
        for (int64_t group = 0; group < step->blocks; group += step->group) {
            const int64_t blocks = ani_min(step->group, step->blocks - group);
            for (int64_t i = 0; i < blocks; i++)
                depthwise(run, worker, &b, group + i, worker->depth + bytes_of(run, i * size));
            if (step->project)
                project(run, worker->depth, size, group, blocks, pixel, pixels, 0,
                        step->project_panels.count);
            else
                store_depth(run, worker->depth, pixel, pixels);
        }
        if (b.last || ani_watch_stops(run->watch)) return;
    }
}

/* --- one image by one thread ---------------------------------------------------------------- */

static void average(const infer_run *run) {
    const infer_step *step = run->step;
    const infer_kind *kind = run->infer->kind;
    const int64_t pixels = step->oh * step->ow;
    for (int64_t first = 0; first < step->cout; first += POOL_CHANNELS) {
        const int64_t count = ani_min(POOL_CHANNELS, step->cout - first);
        double sums[POOL_CHANNELS] = {0};
        kind->sum(&run->cpu->k, slot(run, step->output, first), step->out_pixel, pixels, count,
                  sums);
        kind->write_means(run->infer, sums, pixels, count, run->features + first);
    }
}

static void step_rows(const infer_run *run, const infer_worker *worker, int64_t first,
                      int64_t last) {
    if (run->step->depthwise)
        block_rows(run, worker, first, last);
    else
        product_rows(run, worker, first, last);
}

typedef struct batch_job {
    infer_run run; /* of the first image */
    int64_t image, features;
} batch_job;

static void set_image(infer_run *run, const batch_job *job, int64_t n) {
    if (run->x) run->x += n * job->image;
    if (run->bytes) run->bytes += n * job->image;
    run->features += n * job->features;
}

static void whole_image(void *context, int64_t n, int32_t number) {
    const batch_job *job = context;
    infer_run run = job->run;
    const infer_worker *worker = &run.buffers->workers[number];
    set_image(&run, job, n);
    run.slots = worker->slots;
    for (int32_t s = 0; s < run.infer->step_count; s++) {
        if (ani_watch_stops(run.watch)) return;
        run.step = &run.infer->steps[s];
        if (!run.step->pooled)
            step_rows(&run, worker, 0, run.step->oh);
        else
            for (int64_t panel = 0; panel < run.step->front_panels.count; panel++)
                pooled_panel(&run, worker, panel);
    }
    if (!run.step->pooled) average(&run);
}

/* --- one image by all threads --------------------------------------------------------------- */

static void rows_piece(void *context, int64_t index, int32_t number) {
    const infer_run *run = context;
    const int64_t oh = run->step->oh;
    step_rows(run, &run->buffers->workers[number], oh * index / run->pieces,
              oh * (index + 1) / run->pieces);
}

static void pooled_piece(void *context, int64_t index, int32_t number) {
    const infer_run *run = context;
    pooled_panel(run, &run->buffers->workers[number], index);
}

/* Some blocks of a step, all its rows, into the shared buffer. */
static void depth_piece(void *context, int64_t index, int32_t number) {
    const infer_run *run = context;
    const infer_step *step = run->step;
    const infer_worker *worker = &run->buffers->workers[number];
    const int64_t size = step->oh * step->ow * run->infer->k.block;
    const int64_t from = step->blocks * index / run->pieces;
    const int64_t end = step->blocks * (index + 1) / run->pieces;
    clear_edges(run, worker);
    for (band b = first_band(step, 0, step->oh);; b = next_band(step, &b, step->oh)) {
        stage_band(run, worker, &b);
        for (int64_t i = from; i < end; i++)
            depthwise(run, worker, &b, i,
                      run->buffers->shared +
                          bytes_of(run, i * size + b.first * step->ow * run->infer->k.block));
        if (b.last || ani_watch_stops(run->watch)) return;
    }
}

/* One panel of the result on some pixels, from the shared buffer. */
static void project_piece(void *context, int64_t index, int32_t number) {
    (void)number;
    const infer_run *run = context;
    const infer_step *step = run->step;
    const int64_t block = run->infer->k.block, pixels = step->oh * step->ow;
    const int64_t panel = index / run->across, part = index % run->across;
    const int64_t from = pixels * part / run->across, end = pixels * (part + 1) / run->across;
    for (int64_t group = 0; group < step->blocks; group += step->group)
        project(run, run->buffers->shared + bytes_of(run, (group * pixels + from) * block),
                pixels * block, group, ani_min(step->group, step->blocks - group), from, end - from,
                panel, panel + 1);
}

static void shared_image(const batch_job *job, int64_t n) {
    infer_run run = job->run;
    ani_pool *pool = run.cpu->pool;
    const int64_t threads = run.buffers->worker_count;
    set_image(&run, job, n);
    run.slots = run.buffers->workers[0].slots;
    for (int32_t s = 0; s < run.infer->step_count; s++) {
        if (ani_watch_stops(run.watch)) return;
        const infer_step *step = run.step = &run.infer->steps[s];
        if (step->pooled) {
            ani_pool_run(pool, step->front_panels.count, pooled_piece, &run);
        } else if (infer_is_split(step, threads)) {
            run.pieces = ani_min(step->blocks, PIECES * threads);
            ani_pool_run(pool, run.pieces, depth_piece, &run);
            run.across = ani_divide_up(step->oh * step->ow, PROJECT_PIXELS);
            ani_pool_run(pool, step->project_panels.count * run.across, project_piece, &run);
        } else {
            run.pieces = ani_min(step->oh, threads);
            ani_pool_run(pool, run.pieces, rows_piece, &run);
        }
    }
    if (!run.step->pooled) average(&run);
}

void ani_cpu_infer_run(an_backend *backend, const ani_infer *infer, ani_infer_buffers *buffers,
                       const ani_infer_input *input, int64_t n, float *features) {
    const cpu_backend *cpu = ani_cpu(backend);
    const infer_step *first = infer->steps, *last = &infer->steps[infer->step_count - 1];
    union {
        float floats[768];
        uint16_t halves[768];
        uint8_t codes[768];
    } elements;
    if (!input->x) infer->kind->make_tables(infer, input->tables, &elements);
    batch_job job = {.run = {.cpu = cpu,
                             .infer = infer,
                             .buffers = buffers,
                             .x = input->x,
                             .bytes = input->x ? NULL : input->bytes,
                             .elements = &elements,
                             .watch = input->watch,
                             .features = features},
                     .image = first->h * first->w * first->cin,
                     .features = last->cout};
    /* Give whole images to threads as long as most threads have one. */
    const int64_t threads = buffers->worker_count, left = n % threads;
    const int64_t whole = 2 * left > threads || threads == 1 ? n : n - left;
    ani_pool_run(cpu->pool, whole, whole_image, &job);
    for (int64_t i = whole; i < n; i++)
        shared_image(&job, i);
}
