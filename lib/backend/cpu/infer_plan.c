/* SPDX-License-Identifier: MIT
 * Plan of inference: units to steps, sizes of bands and buffers. */
#include "backend/cpu/infer.h"

#include <string.h>

#include "backend/slots.h"
#include "base/memory.h"

enum {
    WORK_BYTES = 32 << 10,   /* of the rows of one block of wide: about L1 */
    DEPTH_BYTES = 192 << 10, /* of a band's depthwise results: less than half of L2 */
    GROUP_CHANNELS = 384     /* summed over at a time: their panel of weights stays in L1 */
};

/* --- units to steps --------------------------------------------------------------------------- */

/* Return whether unit u's value is read only by the next unit and never written. */
static bool is_inner(const ani_infer *infer, int32_t u) {
    if (u + 1 >= infer->unit_count || infer->units[u].residual >= 0) return false;
    for (int32_t i = u + 1; i < infer->unit_count; i++)
        if (infer->units[i].residual == u) return false;
    return true;
}

static int32_t kind_of(const ani_infer *infer, int32_t u) {
    return u < infer->unit_count ? infer->units[u].shape.kind : -1;
}

/* Return whether unit u is a depthwise convolution that a pointwise one can follow in the same
 * step. */
static bool is_projected(const ani_infer *infer, int32_t u) {
    return kind_of(infer, u) == ANI_UNIT_DEPTHWISE && is_inner(infer, u) &&
           kind_of(infer, u + 1) == ANI_UNIT_POINTWISE;
}

/* Make the step that begins with unit u; returns the unit after it. */
static int32_t make_step(const ani_infer *infer, int32_t u, infer_step *step) {
    const ani_infer_unit *units = infer->units;
    *step = (infer_step){.h = units[u].shape.h, .w = units[u].shape.w, .cin = units[u].shape.cin};
    if (kind_of(infer, u) != ANI_UNIT_DEPTHWISE) {
        step->front = &units[u++];
        step->eh = step->front->shape.oh;
        step->ew = step->front->shape.ow;
        step->wide = step->front->shape.cout;
        if (!is_inner(infer, u - 1) || !is_projected(infer, u)) {
            step->oh = step->eh;
            step->ow = step->ew;
            step->cout = step->wide;
            return u;
        }
    } else {
        step->eh = step->h;
        step->ew = step->w;
        step->wide = step->cin;
    }
    step->depthwise = &units[u];
    if (is_projected(infer, u)) step->project = &units[++u];
    step->oh = step->depthwise->shape.oh;
    step->ow = step->depthwise->shape.ow;
    step->cout = units[u].shape.cout;
    return u + 1;
}

static const ani_infer_unit *result_unit(const infer_step *step) {
    return step->project ? step->project : step->depthwise ? step->depthwise : step->front;
}

/* The step whose result is the value of unit u; -1: the image. */
static int32_t step_of(const ani_infer *infer, int32_t u) {
    for (int32_t s = 0; s < infer->step_count; s++)
        if (result_unit(&infer->steps[s]) - infer->units == u) return s;
    return -1;
}

/* Connect the steps and assign slots to their results. scratch: [2][step_count]. */
static void wire_steps(ani_infer *infer, int32_t *scratch) {
    int32_t *last = scratch, *slots = scratch + infer->step_count;
    for (int32_t s = 0; s < infer->step_count; s++)
        last[s] = s + 1;
    for (int32_t s = 0; s < infer->step_count; s++) {
        const int32_t from = step_of(infer, result_unit(&infer->steps[s])->residual);
        if (from >= 0) last[from] = s > last[from] ? s : last[from];
    }
    infer->slot_count = ani_slots(infer->step_count, last, slots);
    for (int32_t s = 0; s < infer->step_count; s++) {
        infer_step *step = &infer->steps[s];
        const int32_t from = step_of(infer, result_unit(step)->residual);
        step->input = s ? slots[s - 1] : -1;
        step->output = slots[s];
        step->residual = from < 0 ? -1 : slots[from];
    }
    infer_step *end = &infer->steps[infer->step_count - 1];
    end->pooled =
        !end->depthwise && end->front->shape.kind == ANI_UNIT_POINTWISE && end->front->residual < 0;
}

/* --- sizes ------------------------------------------------------------------------------------ */

static infer_panels cut_panels(const ani_infer *infer, int64_t runs, int64_t run, int64_t n,
                               bool blocks) {
    const int64_t lanes = infer->k.lanes, each = infer->k.block / lanes;
    const int64_t vectors = ani_divide_up(n, lanes);
    infer_panels panels = {
        .k = runs * run, .run = run, .n = n, .count = ani_divide_up(vectors, each)};
    panels.stored = ani_round_up(n, infer->kind->fill);
    panels.last_vectors = (int32_t)(vectors - (panels.count - 1) * each);
    /* A single vector would be slow, but a panel that is a block cannot have more. */
    if (!blocks && panels.last_vectors == 1 && panels.count > 1) {
        panels.count--;
        panels.last_vectors = (int32_t)each + 1;
    }
    panels.columns = ((panels.count - 1) * each + panels.last_vectors) * lanes;
    return panels;
}

/* Choose the blocks of a group, the rows of a band and those convolved at a time, only from the
 * shape. */
static void choose_bands(const ani_infer *infer, infer_step *step) {
    const int64_t block = infer->k.block, stride = step->depthwise->shape.stride;
    const int64_t groups = ani_divide_up(step->blocks * block, GROUP_CHANNELS);
    /* Where sums are rounded, they must be complete; weights are half or a quarter of the size
     * there. */
    step->group =
        step->project && infer->kind->in_float ? ani_divide_up(step->blocks, groups) : step->blocks;
    const int64_t row = step->columns * block * infer->k.wide_size;
    const int64_t by_work = (WORK_BYTES / row - 3) / stride + 1;
    const int64_t by_depth = DEPTH_BYTES / (step->ow * step->group * block * infer->k.size);
    const int64_t most = ani_min(step->oh, INFER_MAX_ROWS);
    const int64_t rows = ani_min(ani_max(by_depth, 2), most);
    step->rows = ani_divide_up(step->oh, ani_divide_up(step->oh, rows));
    step->chunk = ani_min(ani_max(by_work, 1), step->rows);
}

/* Elements of a row of the staged input: of a full convolution with its padding, or of the image;
 * and what the last run reads past its pixels. */
int64_t ani_infer_stage_row(const infer_step *step) {
    const ani_unit_shape *front = step->front ? &step->front->shape : NULL;
    const int full = front && front->kind == ANI_UNIT_FULL;
    if (!full && step->input >= 0) return 0;
    const int64_t pixels =
        full ? ani_max(front->pad_left + front->w, (front->ow - 1) * front->stride + 3) : step->w;
    return (pixels - (full ? 3 : 1)) * step->in_pixel + step->in_run;
}

int64_t ani_infer_stage_rows(const infer_step *step, int64_t rows) {
    const ani_unit_shape *front = step->front ? &step->front->shape : NULL;
    return front && front->kind == ANI_UNIT_FULL ? (rows - 1) * front->stride + 3 : rows;
}

/* A product of sizes; *failed becomes true on overflow. */
static int64_t product_of(bool *failed, int64_t a, int64_t b, int64_t c) {
    int64_t out = 0;
    if (!ani_mul_size(a, b, &out) || !ani_mul_size(out, c, &out) || out > INT64_MAX / 64)
        *failed = true;
    return *failed ? 0 : out;
}

static void plan_step(ani_infer *infer, infer_step *step, bool *failed) {
    const int64_t block = infer->k.block, lanes = infer->k.lanes;
    infer_sizes *sizes = &infer->sizes;
    const int full = step->front && step->front->shape.kind == ANI_UNIT_FULL;
    step->in_pixel = step->input < 0 ? step->cin : ani_round_up(step->cin, infer->k.group);
    step->in_run = ani_round_up((full ? 3 : 1) * step->in_pixel, infer->k.group);
    step->out_pixel = ani_round_up(step->cout, infer->k.group);
    int64_t stage_rows = ani_infer_stage_rows(step, INFER_PRODUCT_ROWS), depth = 0;
    if (step->front)
        step->front_panels =
            cut_panels(infer, full ? 3 : 1, step->in_run, step->wide, step->depthwise != NULL);
    if (step->pooled)
        depth = product_of(failed, step->oh * step->ow, block + lanes,
                           infer->kind->pooled_size / infer->k.size);
    if (step->depthwise) {
        const ani_unit_shape *s = &step->depthwise->shape;
        step->blocks = ani_divide_up(step->wide, block);
        step->keep = 3 - s->stride;
        step->columns = ani_max(s->pad_left + s->w, (s->ow - 1) * s->stride + 3);
        choose_bands(infer, step);
        const int64_t row = product_of(failed, step->columns, block, 1);
        const int64_t work = product_of(failed, infer_reads(step, step->chunk), row, 1);
        const int64_t tails = product_of(failed, 2 * step->blocks, step->keep, row);
        depth = product_of(failed, step->group * step->rows, step->ow, block);
        sizes->work = ani_max(sizes->work, work);
        sizes->tails = ani_max(sizes->tails, tails);
        sizes->zeros = ani_max(sizes->zeros, row);
        stage_rows = ani_infer_stage_rows(step, infer_reads(step, step->rows));
    }
    if (step->project)
        step->project_panels =
            cut_panels(infer, 1, ani_round_up(step->wide, infer->k.group), step->cout, false);
    sizes->depth = ani_max(sizes->depth, depth);
    sizes->pads =
        ani_max(sizes->pads, product_of(failed, stage_rows, ani_infer_stage_row(step), 1));
    step->all_depth = product_of(failed, step->blocks * block, step->oh, step->ow);
}

static void plan_slots(ani_infer *infer, bool *failed) {
    int64_t *offsets = infer->slot_offsets, *size = &infer->slots_size;
    for (int32_t s = 0; s < infer->step_count; s++) {
        const infer_step *step = &infer->steps[s];
        const int64_t count =
            step->pooled ? 0 : product_of(failed, step->oh, step->ow, step->out_pixel);
        offsets[step->output] = ani_max(offsets[step->output], count);
    }
    *size = 0;
    for (int32_t i = 0; i < infer->slot_count; i++) {
        const int64_t count = offsets[i];
        offsets[i] = *size;
        *size += ani_round_up(count, 64);
        if (*size > INT64_MAX / 64) *failed = true;
    }
}

/* --- memory ----------------------------------------------------------------------------------- */

static void *take(const ani_infer *infer, uint8_t *base, int64_t *used, int64_t count) {
    return ani_take(base, used, count, infer->k.size);
}

static void *take_wide(const ani_infer *infer, uint8_t *base, int64_t *used, int64_t count) {
    return ani_take(base, used, count, infer->k.wide_size);
}

static void place_panels(const ani_infer *infer, infer_panels *panels, uint8_t *base,
                         int64_t *used) {
    if (!panels->count) return;
    panels->w = take(infer, base, used, panels->k * panels->columns);
    panels->bias = ani_take(base, used, panels->columns, sizeof(float));
    if (infer->codes) panels->scale = ani_take(base, used, panels->columns, sizeof(float));
}

/* Lay out what is packed from base on (NULL: only count); returns its size in bytes. */
static int64_t place_packed(ani_infer *infer, uint8_t *base) {
    int64_t used = 0;
    for (int32_t s = 0; s < infer->step_count; s++) {
        infer_step *step = &infer->steps[s];
        place_panels(infer, &step->front_panels, base, &used);
        if (step->depthwise) step->taps = ani_take(base, &used, step->blocks, infer->taps_size);
        place_panels(infer, &step->project_panels, base, &used);
    }
    return used;
}

/* Lay out the buffers of a run in the same way. */
static int64_t place_buffers(const ani_infer *infer, ani_infer_buffers *buffers, uint8_t *base) {
    const infer_sizes *sizes = &infer->sizes;
    int64_t used = 0, shared = 0;
    for (int32_t s = 0; s < infer->step_count; s++)
        if (infer_is_split(&infer->steps[s], buffers->worker_count))
            shared = ani_max(shared, infer->steps[s].all_depth);
    buffers->shared = take(infer, base, &used, shared);
    for (int64_t i = 0; i < buffers->worker_count; i++) {
        infer_worker *worker = &buffers->workers[i];
        worker->zeros = take_wide(infer, base, &used, sizes->zeros);
        worker->work = take_wide(infer, base, &used, sizes->work);
        worker->pads = take(infer, base, &used, sizes->pads);
        worker->depth = take(infer, base, &used, sizes->depth);
        worker->tails = take_wide(infer, base, &used, sizes->tails);
        worker->slots = take(infer, base, &used, infer->slots_size);
    }
    return used;
}

static an_status plan_memory(ani_infer *infer, an_error *err) {
    bool failed = false;
    for (int32_t s = 0; s < infer->step_count; s++)
        plan_step(infer, &infer->steps[s], &failed);
    plan_slots(infer, &failed);
    infer->memory_size = failed ? -1 : place_packed(infer, NULL);
    if (infer->memory_size >= 0) infer->memory = ani_alloc_large(infer->memory_size);
    if (!infer->memory) return ani_fail_memory(err, infer->memory_size, "a network for inference");
    place_packed(infer, infer->memory);
    return AN_OK;
}

an_status ani_cpu_infer_buffers_create(an_backend *backend, ani_infer_buffers **out,
                                       const ani_infer *infer, an_error *err) {
    const int64_t workers = backend->threads * (int64_t)sizeof(infer_worker);
    ani_infer_buffers *buffers = ani_alloc_zero(1, (int64_t)sizeof *buffers + workers);
    *out = NULL;
    if (!buffers) return ani_fail_memory(err, workers, "buffers for inference");
    buffers->worker_count = backend->threads;
    buffers->memory_size = place_buffers(infer, buffers, NULL);
    buffers->memory = ani_alloc_large(buffers->memory_size);
    if (!buffers->memory) {
        an_status st = ani_fail_memory(err, buffers->memory_size, "buffers for inference");
        ani_free(buffers);
        return st;
    }
    place_buffers(infer, buffers, buffers->memory);
    *out = buffers;
    return AN_OK;
}

void ani_cpu_infer_buffers_destroy(an_backend *backend, ani_infer_buffers *buffers) {
    (void)backend;
    if (!buffers) return;
    ani_free_large(buffers->memory, buffers->memory_size);
    ani_free(buffers);
}

/* Apply the ranges: what pads which input, and what a step does to the codes of its residual. */
static an_status take_ranges(ani_infer *infer, const ani_calibrated *calibrated, an_error *err) {
    const int64_t means = ani_quant_mean_count(infer->units, infer->unit_count);
    infer->means = ani_alloc_zero(means, sizeof *infer->means);
    if (!infer->means) return ani_fail_memory(err, -1, "a network for inference");
    memcpy(infer->means, calibrated->means, (size_t)means * sizeof *infer->means);
    for (int32_t i = 0; i <= infer->unit_count; i++)
        infer->codes[i] = ani_quant_codes(&calibrated->ranges[i]);
    for (int32_t s = 0; s < infer->step_count; s++) {
        infer_step *step = &infer->steps[s];
        const ani_infer_unit *result = result_unit(step);
        const ani_infer_unit *begin = step->front ? step->front : step->depthwise;
        const ani_quant_unit q = infer_quant_unit(infer, result);
        step->residual_scale = ani_quant_residual_scale(&q);
        step->zero = infer->codes[begin->input + 1].zero;
        if (step->depthwise) step->wide_zero = infer->codes[step->depthwise->input + 1].zero;
    }
    return AN_OK;
}

/* Refuse what only fp32 supports. */
static an_status check_steps(const ani_infer *infer, an_error *err) {
    for (int32_t s = 0; s < infer->step_count; s++) {
        const infer_step *step = &infer->steps[s];
        if (!infer->kind->in_float && step->depthwise && !step->project && step->residual >= 0)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "inference in int8 or bf16: a depthwise convolution adds a residual "
                            "itself");
    }
    return AN_OK;
}

an_status ani_cpu_infer_create(an_backend *backend, ani_infer **out, const ani_infer_unit *units,
                               int32_t count, int32_t kind, const ani_calibrated *calibrated,
                               an_error *err) {
    an_status st = AN_OK;
    int32_t *scratch = NULL;
    *out = NULL;
    ani_infer *infer = ani_alloc_zero(1, sizeof *infer);
    if (!infer) return ani_fail_memory(err, sizeof *infer, "a network for inference");
    infer->kind = &ani_cpu_infer_kinds[kind];
    infer->k = ani_cpu(backend)->infer[kind];
    infer->taps_size = infer->k.block / infer->kind->part * infer->kind->part_size;
    infer->unit_count = count;
    infer->units = ani_alloc_zero(count, sizeof *infer->units);
    infer->steps = ani_alloc_zero(count, sizeof *infer->steps);
    infer->slot_offsets = ani_alloc_zero(count, sizeof *infer->slot_offsets);
    scratch = ani_alloc_zero(2 * (int64_t)count, sizeof *scratch);
    if (calibrated) infer->codes = ani_alloc_zero((int64_t)count + 1, sizeof *infer->codes);
    if (!infer->units || !infer->steps || !infer->slot_offsets || !scratch ||
        (calibrated && !infer->codes)) {
        st = ani_fail_memory(err, count * (int64_t)sizeof *infer->steps, "a network for inference");
        goto done;
    }
    memcpy(infer->units, units, (size_t)count * sizeof *units);
    for (int32_t u = 0; u < count;)
        u = make_step(infer, u, &infer->steps[infer->step_count++]);
    wire_steps(infer, scratch);
    st = check_steps(infer, err);
    if (!st && calibrated) st = take_ranges(infer, calibrated, err);
    if (!st) st = plan_memory(infer, err);
    if (st) goto done;
    *out = infer;
    infer = NULL;
done:
    ani_free(scratch);
    ani_cpu_infer_destroy(backend, infer);
    return st;
}

void ani_cpu_infer_destroy(an_backend *backend, ani_infer *infer) {
    (void)backend;
    if (!infer) return;
    if (infer->memory) ani_free_large(infer->memory, infer->memory_size);
    ani_free(infer->slot_offsets);
    ani_free(infer->steps);
    ani_free(infer->means);
    ani_free(infer->codes);
    ani_free(infer->units);
    ani_free(infer);
}

/* --- packing ---------------------------------------------------------------------------------- */

static void pack_panels(const ani_infer *infer, const infer_panels *panels,
                        const ani_infer_unit *unit) {
    for (int64_t i = 0; i < panels->count; i++)
        infer->kind->pack_panel(infer, panels, unit, i);
}

static void pack_step(void *context, int64_t index, int32_t worker) {
    (void)worker;
    const ani_infer *infer = context;
    const infer_step *step = &infer->steps[index];
    pack_panels(infer, &step->front_panels, step->front);
    for (int64_t i = 0; i < step->blocks; i++)
        infer->kind->pack_taps(infer, step, i);
    pack_panels(infer, &step->project_panels, step->project);
}

void ani_cpu_infer_pack(an_backend *backend, ani_infer *infer) {
    ani_pool_run(ani_cpu(backend)->pool, infer->step_count, pack_step, infer);
}
