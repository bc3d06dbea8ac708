/* SPDX-License-Identifier: MIT
 * Inference of the reference backend: picture by picture, unit by unit, batch norm as the epilogue
 * of each. */
#include "backend/ref/ref.h"

#include "backend/slots.h"
#include "base/memory.h"

/** A unit with its places. */
typedef struct infer_unit {
    ani_infer_unit unit;
    ani_unit_plan plan;
    int32_t slot;
    int32_t reserved;
    float *norm; /* [4][cout]: scale, shift, mean, inv_std */
} infer_unit;

struct ani_infer {
    infer_unit *units;
    float **slots;
    float *picture;
    void *scratch; /* of a unit */
    int32_t count, slot_count;
};

static an_status make_slots(ani_infer *infer, int32_t *scratch, an_error *err) {
    int32_t *last = scratch, *slots = scratch + infer->count;
    for (int32_t u = 0; u < infer->count; u++)
        last[u] = u + 1;
    for (int32_t u = 0; u < infer->count; u++) {
        const int32_t r = infer->units[u].unit.residual;
        if (r >= 0 && last[r] < u) last[r] = u;
    }
    infer->slot_count = ani_slots(infer->count, last, slots);
    infer->slots = ani_alloc_zero(infer->slot_count, sizeof *infer->slots);
    if (!infer->slots) return ani_fail_memory(err, -1, "a network for inference");
    for (int32_t i = 0; i < infer->slot_count; i++) {
        int64_t largest = 0;
        for (int32_t u = 0; u < infer->count; u++) {
            const ani_unit_shape *s = &infer->units[u].unit.shape;
            int64_t size;
            if (!ani_mul_size(s->oh * s->ow, s->cout, &size)) size = INT64_MAX;
            if (slots[u] == i && size > largest) largest = size;
            infer->units[u].slot = slots[u];
        }
        infer->slots[i] = ani_alloc_zero(largest, sizeof(float));
        if (!infer->slots[i]) return ani_fail_memory(err, largest, "a network for inference");
    }
    return AN_OK;
}

an_status ani_ref_infer_create(an_backend *backend, ani_infer **out, const ani_infer_unit *units,
                               int32_t count, an_error *err) {
    an_status st = AN_OK;
    int32_t *scratch = NULL;
    int64_t most = 0;
    *out = NULL;
    ani_infer *infer = ani_alloc_zero(1, sizeof *infer);
    if (!infer) return ani_fail_memory(err, sizeof *infer, "a network for inference");
    infer->units = ani_alloc_zero(count, sizeof *infer->units);
    infer->picture = ani_alloc_zero(units[0].shape.h * units[0].shape.w * units[0].shape.cin,
                                    sizeof *infer->picture);
    scratch = ani_alloc_zero(2 * (int64_t)count, sizeof *scratch);
    if (!infer->units || !infer->picture || !scratch) {
        st = ani_fail_memory(err, -1, "a network for inference");
        goto done;
    }
    infer->count = count;
    for (int32_t u = 0; u < count; u++) {
        ani_unit_shape shape = units[u].shape;
        shape.n = 1;
        ani_ref_unit_plan(backend, &shape, &infer->units[u].plan);
        if (infer->units[u].plan.scratch_forward > most)
            most = infer->units[u].plan.scratch_forward;
        infer->units[u].unit = units[u];
        infer->units[u].norm = ani_alloc_zero(4 * units[u].shape.cout, sizeof(float));
        if (!infer->units[u].norm) {
            st = ani_fail_memory(err, -1, "a network for inference");
            goto done;
        }
    }
    infer->scratch = ani_alloc(most);
    if (!infer->scratch) {
        st = ani_fail_memory(err, most, "a network for inference");
        goto done;
    }
    st = make_slots(infer, scratch, err);
    if (st) goto done;
    *out = infer;
    infer = NULL;
done:
    ani_free(scratch);
    ani_ref_infer_destroy(backend, infer);
    return st;
}

void ani_ref_infer_destroy(an_backend *backend, ani_infer *infer) {
    (void)backend;
    if (!infer) return;
    for (int32_t u = 0; u < infer->count; u++)
        ani_free(infer->units[u].norm);
    for (int32_t i = 0; i < infer->slot_count; i++)
        ani_free(infer->slots[i]);
    ani_free(infer->slots);
    ani_free(infer->scratch);
    ani_free(infer->picture);
    ani_free(infer->units);
    ani_free(infer);
}

void ani_ref_infer_pack(an_backend *backend, ani_infer *infer) {
    for (int32_t u = 0; u < infer->count; u++) {
        const int64_t c = infer->units[u].unit.shape.cout;
        float *norm = infer->units[u].norm;
        ani_bn bn = infer->units[u].unit.bn;
        bn.scale = norm;
        bn.shift = norm + c;
        bn.mean = norm + 2 * c;
        bn.inv_std = norm + 3 * c;
        ani_ref_bn_running(backend, c, &bn);
    }
}

static void run_unit(an_backend *backend, ani_infer *infer, int32_t u) {
    const infer_unit *at = &infer->units[u];
    const ani_infer_unit *unit = &at->unit;
    const float *x =
        unit->input < 0 ? infer->picture : infer->slots[infer->units[unit->input].slot];
    const ani_unit_forward args = {
        .x = {.z = x},
        .w = unit->w,
        .y = infer->slots[at->slot],
        .scale = at->norm,
        .shift = at->norm + unit->shape.cout,
        .residual = unit->residual < 0 ? NULL : infer->slots[infer->units[unit->residual].slot],
        .relu6 = unit->relu6,
        .scratch = infer->scratch};
    ani_ref_unit_forward(backend, &at->plan, &args);
}

void ani_ref_infer_run(an_backend *backend, ani_infer *infer, const ani_infer_input *input,
                       int64_t n, float *features) {
    const ani_unit_shape *first = &infer->units[0].unit.shape;
    const infer_unit *last = &infer->units[infer->count - 1];
    const int64_t c = last->unit.shape.cout, count = first->h * first->w * first->cin;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < count; k++)
            infer->picture[k] =
                input->x ? input->x[i * count + k] : input->table[input->bytes[i * count + k]];
        for (int32_t u = 0; u < infer->count; u++)
            run_unit(backend, infer, u);
        const ani_lazy value = {.z = infer->slots[last->slot]};
        ani_ref_pool_forward(backend, 1, last->unit.shape.oh * last->unit.shape.ow, c, &value,
                             features + i * c);
    }
}
