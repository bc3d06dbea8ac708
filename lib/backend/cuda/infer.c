/* SPDX-License-Identifier: MIT
 * Inference on a GPU: the units' forward kernels with the moving statistics, whose scale and shift
 * the next unit applies as in training. In float; or with activations and products in bfloat16, as
 * a mixed training computes them. int8 is not among what a GPU computes here. */
#include <string.h>

#include "backend/cuda/cuda.h"
#include "backend/cuda/kernel/launch.h"
#include "backend/slots.h"
#include "base/memory.h"

/** Where a unit's tensors are, and what its z is normalised with. */
typedef struct cuda_infer_unit {
    ani_infer_unit unit;
    int32_t z, sum; /* slots; sum: with a residual */
    float *w;       /* a copy */
    ani_bn bn;      /* scale, shift, mean and inv_std of our own */
} cuda_infer_unit;

struct ani_infer {
    cuda_infer_unit *units;
    char *memory; /* device: weights and norms of all units */
    int64_t memory_size;
    int32_t count, slot_count;
    int32_t element; /* of activations */
    int32_t reserved;
};

/** The buffers of one run. */
struct ani_infer_buffers {
    char *memory; /* device, all of the following */
    int64_t memory_size;
    float *image, *tables;
    uint8_t *bytes;
    char *scratch;
    char **slots; /* [slot_count] */
};

/** A run of a slice of images. */
typedef struct infer_slice {
    an_backend *backend;
    const ani_infer *infer;
    const ani_infer_buffers *buffers;
    const float *image;
    ani_watch *watch;
    int64_t n;
} infer_slice;

static int64_t aligned(int64_t size) {
    return (size + 255) / 256 * 256;
}

static int64_t weight_count(const ani_unit_shape *s) {
    const int64_t taps = s->kind == ANI_UNIT_POINTWISE ? 1 : 9;
    return taps * s->cin * (s->kind == ANI_UNIT_DEPTHWISE ? 1 : s->cout);
}

static ani_unit_shape shape_of(const cuda_infer_unit *at, int64_t n) {
    ani_unit_shape shape = at->unit.shape;
    shape.n = n;
    return shape;
}

/* Assign slots: z of unit u is written in step 2u, its sum in step 2u+1. scratch: [4][count]. */
static void choose_slots(ani_infer *infer, int32_t *scratch) {
    int32_t *last = scratch, *slots = scratch + 2 * infer->count;
    for (int32_t u = 0; u < infer->count; u++) {
        last[2 * u] = 2 * (u + 1);
        last[2 * u + 1] = infer->units[u].unit.residual >= 0 ? 2 * (u + 1) : -1;
    }
    for (int32_t u = 0; u < infer->count; u++) {
        const ani_infer_unit *unit = &infer->units[u].unit;
        if (unit->residual >= 0) last[2 * u] = 2 * u + 1; /* only its sum is read later */
        const int32_t reads[] = {unit->input, unit->residual};
        for (int i = 0; i < 2; i++) {
            if (reads[i] < 0) continue;
            const int32_t has_sum = infer->units[reads[i]].unit.residual >= 0;
            int32_t *until = &last[2 * reads[i] + has_sum];
            if (*until < 2 * u + i) *until = 2 * u + i;
        }
    }
    infer->slot_count = ani_slots(2 * infer->count, last, slots);
    for (int32_t u = 0; u < infer->count; u++) {
        infer->units[u].z = slots[2 * u];
        infer->units[u].sum = slots[2 * u + 1];
    }
}

/* Lay out weights and norms from `memory` on; NULL: only count. Returns their size. */
static int64_t lay_out(ani_infer *infer, char *memory) {
    int64_t used = 0;
    for (int32_t u = 0; u < infer->count; u++) {
        cuda_infer_unit *at = &infer->units[u];
        const int64_t c = at->unit.shape.cout;
        float **const norms[] = {&at->bn.scale, &at->bn.shift, &at->bn.mean, &at->bn.inv_std};
        if (memory) at->w = (float *)(void *)(memory + used);
        used += aligned(weight_count(&at->unit.shape) * (int64_t)sizeof(float));
        for (int i = 0; i < 4; i++) {
            if (memory) *norms[i] = (float *)(void *)(memory + used);
            used += aligned(c * (int64_t)sizeof(float));
        }
    }
    return used;
}

an_status ani_cuda_infer_create(an_backend *backend, ani_infer **out, const ani_infer_unit *units,
                                int32_t count, int32_t kind, const ani_calibrated *calibrated,
                                an_error *err) {
    (void)calibrated;
    *out = NULL;
    if (kind == AN_INFERENCE_INT8)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "int8 inference is not available on %s; use fp32 or bf16 there, or the cpu",
                        backend->device.device);
    an_status st = AN_OK;
    int32_t *scratch = NULL;
    ani_infer *infer = ani_alloc_zero(1, sizeof *infer);
    if (!infer) return ani_fail_memory(err, sizeof *infer, "a network for inference");
    infer->units = ani_alloc_zero(count, sizeof *infer->units);
    scratch = ani_alloc_zero(4 * (int64_t)count, sizeof *scratch);
    if (!infer->units || !scratch) {
        st = ani_fail_memory(err, -1, "a network for inference");
        goto done;
    }
    infer->count = count;
    infer->element = kind == AN_INFERENCE_BF16 ? ANI_BFLOAT16 : ANI_FLOAT32;
    for (int32_t u = 0; u < count; u++) {
        infer->units[u].unit = units[u];
        infer->units[u].bn = units[u].bn;
    }
    choose_slots(infer, scratch);
    infer->memory_size = lay_out(infer, NULL);
    infer->memory = backend->ops->alloc(backend, infer->memory_size);
    if (!infer->memory) {
        st = ani_backend_fail_memory(backend, infer->memory_size, "a network for inference", err);
        goto done;
    }
    lay_out(infer, infer->memory);
    *out = infer;
    infer = NULL;
done:
    ani_free(scratch);
    ani_cuda_infer_destroy(backend, infer);
    return st;
}

void ani_cuda_infer_destroy(an_backend *backend, ani_infer *infer) {
    if (!infer) return;
    backend->ops->free(backend, infer->memory, infer->memory_size);
    ani_free(infer->units);
    ani_free(infer);
}

void ani_cuda_infer_pack(an_backend *backend, ani_infer *infer) {
    for (int32_t u = 0; u < infer->count; u++) {
        const cuda_infer_unit *at = &infer->units[u];
        backend->ops->copy(backend, at->w, at->unit.w,
                           weight_count(&at->unit.shape) * (int64_t)sizeof(float), NULL);
        backend->ops->bn_running(backend, at->unit.shape.cout, &at->bn);
    }
}

/* --- buffers ---------------------------------------------------------------------------------- */

/* The scratch that a run of any number of images needs. */
static int64_t most_scratch(an_backend *backend, const ani_infer *infer) {
    int64_t most = 0;
    for (int32_t u = 0; u < infer->count; u++)
        for (int64_t n = 1; n <= ANI_CUDA_SLICE; n++) {
            const ani_unit_shape shape = shape_of(&infer->units[u], n);
            ani_unit_plan plan;
            ani_cuda_unit_plan(backend, &shape, infer->element, &plan);
            if (plan.scratch_forward > most) most = plan.scratch_forward;
        }
    return most;
}

/* Lay out the buffers from buffers->memory on; that NULL: only count. False: too large a size. */
static bool lay_out_buffers(ani_infer_buffers *buffers, const ani_infer *infer, int64_t scratch,
                            int64_t *used) {
    const ani_unit_shape *first = &infer->units[0].unit.shape;
    int64_t pixels, size;
    if (!ani_mul_size(first->h * first->w, first->cin * ANI_CUDA_SLICE, &pixels) ||
        !ani_mul_size(pixels, sizeof(float), &size))
        return false;
    char *const memory = buffers->memory;
    const int64_t tables = 768 * (int64_t)sizeof(float);
    *used = 0;
    if (memory) buffers->image = (float *)(void *)memory;
    *used += aligned(size);
    if (memory) buffers->bytes = (uint8_t *)(memory + *used);
    *used += aligned(pixels);
    if (memory) buffers->tables = (float *)(void *)(memory + *used);
    *used += tables;
    if (memory) buffers->scratch = memory + *used;
    *used += aligned(scratch);
    for (int32_t i = 0; i < infer->slot_count; i++) {
        int64_t largest = 0;
        for (int32_t u = 0; u < infer->count; u++) {
            const cuda_infer_unit *at = &infer->units[u];
            const ani_unit_shape *s = &at->unit.shape;
            if (at->z != i && (at->sum != i || at->unit.residual < 0)) continue;
            if (!ani_mul_size(s->oh * s->ow, s->cout * ANI_CUDA_SLICE, &size) ||
                !ani_mul_size(size, ani_element_size(infer->element), &size))
                return false;
            if (size > largest) largest = size;
        }
        if (memory) buffers->slots[i] = memory + *used;
        if (!ani_add_size(*used, aligned(largest), used)) return false;
    }
    return true;
}

an_status ani_cuda_infer_buffers_create(an_backend *backend, ani_infer_buffers **out,
                                        const ani_infer *infer, an_error *err) {
    an_status st = AN_OK;
    *out = NULL;
    const int64_t scratch = most_scratch(backend, infer);
    ani_infer_buffers *buffers = ani_alloc_zero(1, sizeof *buffers);
    if (!buffers) return ani_fail_memory(err, sizeof *buffers, "buffers for inference");
    buffers->slots = ani_alloc_zero(infer->slot_count, sizeof *buffers->slots);
    if (!buffers->slots || !lay_out_buffers(buffers, infer, scratch, &buffers->memory_size)) {
        st = ani_fail_memory(err, -1, "buffers for inference");
        goto done;
    }
    buffers->memory = backend->ops->alloc(backend, buffers->memory_size);
    if (!buffers->memory) {
        st = ani_backend_fail_memory(backend, buffers->memory_size, "buffers for inference", err);
        goto done;
    }
    lay_out_buffers(buffers, infer, scratch, &buffers->memory_size);
    *out = buffers;
    buffers = NULL;
done:
    ani_cuda_infer_buffers_destroy(backend, buffers);
    return st;
}

void ani_cuda_infer_buffers_destroy(an_backend *backend, ani_infer_buffers *buffers) {
    if (!buffers) return;
    backend->ops->free(backend, buffers->memory, buffers->memory_size);
    ani_free(buffers->slots);
    ani_free(buffers);
}

/* --- runs ------------------------------------------------------------------------------------- */

/* z of a unit, normalised. */
static ani_lazy own_value(const infer_slice *run, const cuda_infer_unit *at) {
    return (ani_lazy){.z = run->buffers->slots[at->z],
                      .scale = at->bn.scale,
                      .shift = at->bn.shift,
                      .relu6 = at->unit.relu6,
                      .element = run->infer->element};
}

/* The value of unit u, or the image. */
static ani_lazy value_of(const infer_slice *run, int32_t u) {
    if (u < 0) return (ani_lazy){.z = run->image};
    const cuda_infer_unit *at = &run->infer->units[u];
    if (at->unit.residual < 0) return own_value(run, at);
    return (ani_lazy){.z = run->buffers->slots[at->sum], .element = run->infer->element};
}

static void run_unit(const infer_slice *run, int32_t u) {
    const cuda_infer_unit *at = &run->infer->units[u];
    const ani_unit_shape shape = shape_of(at, run->n);
    const ani_backend_ops *ops = run->backend->ops;
    ani_unit_plan plan;
    ani_cuda_unit_plan(run->backend, &shape, run->infer->element, &plan);
    const ani_unit_forward args = {.x = value_of(run, at->unit.input),
                                   .w = at->w,
                                   .y = run->buffers->slots[at->z],
                                   .element = run->infer->element,
                                   .scratch = run->buffers->scratch,
                                   .watch = run->watch};
    ops->unit_forward(run->backend, &plan, &args);
    if (at->unit.residual < 0) return;
    const ani_lazy own = own_value(run, at), residual = value_of(run, at->unit.residual);
    ops->materialise(run->backend, shape.n * shape.oh * shape.ow, shape.cout, &own, &residual,
                     run->buffers->slots[at->sum]);
}

/* Images first to first + n - 1 of the input as floats on the device. */
static const float *bring(an_backend *backend, const ani_infer_buffers *buffers,
                          const ani_infer_input *input, int64_t first, int64_t n, int64_t pixels) {
    const int64_t count = n * pixels;
    if (input->x) {
        const float *x = input->x + first * pixels;
        if (input->device) return x;
        ani_cuda_write(backend, buffers->image, x, count * (int64_t)sizeof *x);
        return buffers->image;
    }
    const uint8_t *bytes = input->bytes + first * pixels;
    if (!input->device) {
        ani_cuda_write(backend, buffers->bytes, bytes, count);
        bytes = buffers->bytes;
    }
    if (!first)
        ani_cuda_write(backend, buffers->tables, input->tables, 768 * sizeof *input->tables);
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return buffers->image;
    ani_cuda_check(cuda,
                   ani_cuda_images(bytes, buffers->tables, count, buffers->image, cuda->stream),
                   "images");
    ani_cuda_leave(cuda);
    return buffers->image;
}

void ani_cuda_infer_run(an_backend *backend, const ani_infer *infer, ani_infer_buffers *buffers,
                        const ani_infer_input *input, int64_t n, float *features) {
    const ani_unit_shape *first = &infer->units[0].unit.shape;
    const ani_unit_shape *last = &infer->units[infer->count - 1].unit.shape;
    const int64_t pixels = first->h * first->w * first->cin;
    for (int64_t at = 0; at < n && !ani_watch_stops(input->watch); at += ANI_CUDA_SLICE) {
        const int64_t some = n - at < ANI_CUDA_SLICE ? n - at : ANI_CUDA_SLICE;
        infer_slice run = {backend, infer, buffers, NULL, input->watch, some};
        run.image = bring(backend, buffers, input, at, some, pixels);
        for (int32_t u = 0; u < infer->count; u++)
            run_unit(&run, u);
        const ani_lazy value = value_of(&run, infer->count - 1);
        backend->ops->pool_forward(backend, some, last->oh * last->ow, last->cout, &value,
                                   features + at * last->cout);
    }
}
