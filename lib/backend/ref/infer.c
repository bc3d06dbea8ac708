/* SPDX-License-Identifier: MIT
 * Inference of the reference backend: image by image, unit by unit; in float with batch norm after
 * each convolution, in int8 by the formula of quant.h, in bfloat16 with rounding of the weights,
 * images and values that enter products. */
#include "backend/ref/ref.h"

#include <math.h>
#include <string.h>

#include "backend/quant.h"
#include "backend/slots.h"
#include "base/element.h"
#include "base/memory.h"

/** A unit and the slots of its values. */
typedef struct infer_unit {
    ani_infer_unit unit;
    int32_t slot;
    float *norm;   /* [4][cout]: scale, shift, mean, inv_std */
    int8_t *codes; /* in int8: as unit.w */
    float *w;      /* in float: a copy of unit.w; in bfloat16: times scale, which is 1 then */
    bool rounded;  /* in bfloat16: the value is rounded */
} infer_unit;

struct ani_infer {
    infer_unit *units;
    ani_codes *codes; /* [count + 1]: of the image, of each unit's value; NULL: in float */
    float *means;     /* in int8, as in ani_calibrated */
    int32_t count, slot_count;
    int32_t kind; /* AN_INFERENCE_* */
    int32_t reserved;
};

/** The buffers of one run. */
struct ani_infer_buffers {
    float **slots; /* in int8 also codes, which are smaller */
    float *image;
    double *sums; /* of a pixel */
    int32_t slot_count;
    int32_t reserved;
};

/** A run of one image. */
typedef struct infer_run {
    const ani_infer *infer;
    const ani_infer_buffers *buffers;
    ani_watch *watch;
} infer_run;

/* Assign a slot to each unit's value. scratch: [2][count]. */
static void choose_slots(ani_infer *infer, int32_t *scratch) {
    int32_t *last = scratch, *slots = scratch + infer->count;
    for (int32_t u = 0; u < infer->count; u++)
        last[u] = u + 1;
    for (int32_t u = 0; u < infer->count; u++) {
        const int32_t r = infer->units[u].unit.residual;
        if (r >= 0 && last[r] < u) last[r] = u;
    }
    infer->slot_count = ani_slots(infer->count, last, slots);
    for (int32_t u = 0; u < infer->count; u++)
        infer->units[u].slot = slots[u];
}

static an_status make_slots(const ani_infer *infer, ani_infer_buffers *buffers, an_error *err) {
    buffers->slots = ani_alloc_zero(infer->slot_count, sizeof *buffers->slots);
    if (!buffers->slots) return ani_fail_memory(err, -1, "buffers for inference");
    buffers->slot_count = infer->slot_count;
    for (int32_t i = 0; i < infer->slot_count; i++) {
        int64_t largest = 0;
        for (int32_t u = 0; u < infer->count; u++) {
            const ani_unit_shape *s = &infer->units[u].unit.shape;
            int64_t size;
            if (!ani_mul_size(s->oh * s->ow, s->cout, &size)) size = INT64_MAX;
            if (infer->units[u].slot == i && size > largest) largest = size;
        }
        buffers->slots[i] = ani_alloc_zero(largest, sizeof(float));
        if (!buffers->slots[i]) return ani_fail_memory(err, largest, "buffers for inference");
    }
    return AN_OK;
}

static float round_bfloat16(float number) {
    return ani_from_bfloat16(ani_to_bfloat16(number));
}

static int64_t weight_count(const ani_unit_shape *s) {
    const int64_t taps = s->kind == ANI_UNIT_POINTWISE ? 1 : 9;
    return taps * s->cin * (s->kind == ANI_UNIT_DEPTHWISE ? 1 : s->cout);
}

static an_status make_codes(ani_infer *infer, const ani_calibrated *calibrated,
                            const ani_infer_unit *units, an_error *err) {
    const int64_t means = ani_quant_mean_count(units, infer->count);
    infer->codes = ani_alloc_zero((int64_t)infer->count + 1, sizeof *infer->codes);
    infer->means = ani_alloc_zero(means, sizeof *infer->means);
    if (!infer->codes || !infer->means) return ani_fail_memory(err, -1, "a network for inference");
    memcpy(infer->means, calibrated->means, (size_t)means * sizeof *infer->means);
    for (int32_t u = 0; u <= infer->count; u++)
        infer->codes[u] = ani_quant_codes(&calibrated->ranges[u]);
    for (int32_t u = 0; u < infer->count; u++) {
        infer->units[u].codes = ani_alloc_zero(weight_count(&units[u].shape), 1);
        if (!infer->units[u].codes) return ani_fail_memory(err, -1, "a network for inference");
    }
    return AN_OK;
}

/* Return whether unit u's value is read only by the next unit, a depthwise convolution that only a
 * pointwise one reads: then it stays in float, as it does not enter a product. */
static bool is_wide(const ani_infer *infer, int32_t u) {
    const infer_unit *at = infer->units;
    if (u + 2 >= infer->count || at[u].unit.shape.kind == ANI_UNIT_DEPTHWISE ||
        at[u + 1].unit.shape.kind != ANI_UNIT_DEPTHWISE ||
        at[u + 2].unit.shape.kind != ANI_UNIT_POINTWISE || at[u].unit.residual >= 0 ||
        at[u + 1].unit.residual >= 0)
        return false;
    for (int32_t i = 0; i < infer->count; i++)
        if (at[i].unit.residual == u || at[i].unit.residual == u + 1) return false;
    return true;
}

static an_status make_weights(ani_infer *infer, an_error *err) {
    const infer_unit *last = &infer->units[infer->count - 1];
    for (int32_t u = 0; u < infer->count; u++) {
        infer_unit *at = &infer->units[u];
        at->w = ani_alloc_zero(weight_count(&at->unit.shape), sizeof *at->w);
        if (!at->w) return ani_fail_memory(err, -1, "a network for inference");
        if (infer->kind != AN_INFERENCE_BF16) continue;
        /* The means of the last unit are computed from the sums of its convolution. */
        at->rounded =
            !is_wide(infer, u) &&
            (at != last || at->unit.shape.kind != ANI_UNIT_POINTWISE || at->unit.residual >= 0);
    }
    return AN_OK;
}

an_status ani_ref_infer_create(an_backend *backend, ani_infer **out, const ani_infer_unit *units,
                               int32_t count, int32_t kind, const ani_calibrated *calibrated,
                               an_error *err) {
    an_status st = AN_OK;
    int32_t *scratch = NULL;
    *out = NULL;
    ani_infer *infer = ani_alloc_zero(1, sizeof *infer);
    if (!infer) return ani_fail_memory(err, sizeof *infer, "a network for inference");
    infer->units = ani_alloc_zero(count, sizeof *infer->units);
    scratch = ani_alloc_zero(2 * (int64_t)count, sizeof *scratch);
    if (!infer->units || !scratch) {
        st = ani_fail_memory(err, -1, "a network for inference");
        goto done;
    }
    infer->count = count;
    infer->kind = kind;
    for (int32_t u = 0; u < count; u++) {
        infer->units[u].unit = units[u];
        infer->units[u].norm = ani_alloc_zero(4 * units[u].shape.cout, sizeof(float));
        if (!infer->units[u].norm) {
            st = ani_fail_memory(err, -1, "a network for inference");
            goto done;
        }
    }
    choose_slots(infer, scratch);
    if (kind == AN_INFERENCE_INT8) st = make_codes(infer, calibrated, units, err);
    if (kind != AN_INFERENCE_INT8) st = make_weights(infer, err);
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
    for (int32_t u = 0; u < infer->count; u++) {
        ani_free(infer->units[u].norm);
        ani_free(infer->units[u].codes);
        ani_free(infer->units[u].w);
    }
    ani_free(infer->means);
    ani_free(infer->codes);
    ani_free(infer->units);
    ani_free(infer);
}

an_status ani_ref_infer_buffers_create(an_backend *backend, ani_infer_buffers **out,
                                       const ani_infer *infer, an_error *err) {
    const ani_unit_shape *first = &infer->units[0].unit.shape;
    int64_t most = 0;
    *out = NULL;
    ani_infer_buffers *buffers = ani_alloc_zero(1, sizeof *buffers);
    if (!buffers) return ani_fail_memory(err, sizeof *buffers, "buffers for inference");
    for (int32_t u = 0; u < infer->count; u++)
        if (infer->units[u].unit.shape.cout > most) most = infer->units[u].unit.shape.cout;
    buffers->image = ani_alloc_zero(first->h * first->w * first->cin, sizeof *buffers->image);
    buffers->sums = ani_alloc_zero(most, sizeof *buffers->sums);
    an_status st =
        buffers->image && buffers->sums
            ? make_slots(infer, buffers, err)
            : ani_fail_memory(err, most * (int64_t)sizeof *buffers->sums, "buffers for inference");
    if (st) {
        ani_ref_infer_buffers_destroy(backend, buffers);
        return st;
    }
    *out = buffers;
    return AN_OK;
}

void ani_ref_infer_buffers_destroy(an_backend *backend, ani_infer_buffers *buffers) {
    (void)backend;
    if (!buffers) return;
    for (int32_t i = 0; i < buffers->slot_count; i++)
        ani_free(buffers->slots[i]);
    ani_free(buffers->slots);
    ani_free(buffers->sums);
    ani_free(buffers->image);
    ani_free(buffers);
}

/* --- int8 ------------------------------------------------------------------------------------- */

static ani_quant_unit quant_unit(const ani_infer *infer, int32_t u) {
    const ani_infer_unit *unit = &infer->units[u].unit;
    ani_quant_unit q = {.unit = unit,
                        .in = &infer->codes[unit->input + 1],
                        .residual = unit->residual < 0 ? NULL : &infer->codes[unit->residual + 1],
                        .out = &infer->codes[u + 1],
                        .means = infer->means};
    if (unit->input < 0) return q;
    q.means += infer->units[0].unit.shape.cin;
    for (int32_t i = 0; i < unit->input; i++)
        q.means += infer->units[i].unit.shape.cout;
    return q;
}

/* norm holds scale and bias: both have four bytes. */
static void pack_codes(ani_infer *infer, int32_t u) {
    const infer_unit *at = &infer->units[u];
    const ani_unit_shape *s = &at->unit.shape;
    const ani_quant_unit q = quant_unit(infer, u);
    ani_quant_channels channels;
    for (int64_t j = 0; j < s->cout; j++) {
        ani_quant_channels_of(&q, j, 1, &channels);
        at->norm[j] = channels.scale[0];
        ((int32_t *)(void *)at->norm)[s->cout + j] = channels.bias[0];
        for (int64_t i = j; i < weight_count(s); i += s->cout)
            at->codes[i] = ani_quant_weight(at->unit.w[i], channels.factor[0]);
    }
}

static int32_t code_at(const ani_unit_shape *s, const uint8_t *x, int32_t zero, int64_t y,
                       int64_t column, int64_t channel) {
    if (y < 0 || y >= s->h || column < 0 || column >= s->w) return zero;
    return x[(y * s->w + column) * s->cin + channel];
}

/* The sum of products of one element of the result. */
static int32_t code_sum(const infer_unit *at, const uint8_t *x, int32_t zero, int64_t oy,
                        int64_t ox, int64_t j) {
    const ani_unit_shape *s = &at->unit.shape;
    const int64_t window = s->kind == ANI_UNIT_POINTWISE ? 1 : 3;
    int32_t sum = 0;
    for (int64_t t = 0; t < window * window; t++) {
        const int64_t y = oy * s->stride + t / window - s->pad_top;
        const int64_t column = ox * s->stride + t % window - s->pad_left;
        if (s->kind == ANI_UNIT_DEPTHWISE)
            sum += code_at(s, x, zero, y, column, j) * at->codes[t * s->cin + j];
        else
            for (int64_t c = 0; c < s->cin; c++)
                sum +=
                    code_at(s, x, zero, y, column, c) * at->codes[(t * s->cin + c) * s->cout + j];
    }
    return sum;
}

static void *slot(const infer_run *run, int32_t unit) {
    const ani_infer_buffers *buffers = run->buffers;
    return unit < 0 ? buffers->image : buffers->slots[run->infer->units[unit].slot];
}

static void run_codes(const infer_run *run, int32_t u) {
    const ani_infer *infer = run->infer;
    const infer_unit *at = &infer->units[u];
    const ani_unit_shape *s = &at->unit.shape;
    const ani_quant_unit q = quant_unit(infer, u);
    const uint8_t *x = slot(run, at->unit.input);
    const uint8_t *r = q.residual ? slot(run, at->unit.residual) : NULL;
    uint8_t *y = slot(run, u);
    const int32_t *bias = (const int32_t *)(const void *)at->norm + s->cout;
    const float residual_scale = ani_quant_residual_scale(&q);
    for (int64_t i = 0; i < s->oh * s->ow * s->cout; i++) {
        const int64_t pixel = i / s->cout, j = i % s->cout;
        if (j == 0 && ani_watch_stops(run->watch)) return;
        const int32_t sum = bias[j] + code_sum(at, x, q.in->zero, pixel / s->ow, pixel % s->ow, j);
        float code = (float)sum * at->norm[j];
        if (r) code = fmaf(r[i], residual_scale, code);
        code = rintf(code);
        y[i] = code > ANI_QUANT_CODES ? ANI_QUANT_CODES : code > 0 ? (uint8_t)code : 0;
    }
}

/* The means of the last value's channels. */
static void average_codes(const infer_run *run, float *features) {
    const ani_infer *infer = run->infer;
    const ani_unit_shape *s = &infer->units[infer->count - 1].unit.shape;
    const ani_codes *codes = &infer->codes[infer->count];
    const uint8_t *x = slot(run, infer->count - 1);
    for (int64_t j = 0; j < s->cout; j++) {
        int64_t sum = 0;
        for (int64_t i = 0; i < s->oh * s->ow; i++)
            sum += x[i * s->cout + j];
        features[j] = (float)(codes->low + codes->step * ((double)sum / (double)(s->oh * s->ow)));
    }
}

/* --- bfloat16 --------------------------------------------------------------------------------- */

/* Fold batch norm into the weights, as in docs/numerics.md; those of products are rounded. */
static void fold(infer_unit *at) {
    const ani_unit_shape *s = &at->unit.shape;
    const ani_bn *bn = &at->unit.bn;
    float *scale = at->norm, *shift = at->norm + s->cout;
    for (int64_t j = 0; j < s->cout; j++) {
        const double factor = bn->gamma[j] * ani_ref_inv_std(bn, bn->moving_variance[j]);
        scale[j] = 1;
        shift[j] = (float)(bn->beta[j] - bn->moving_mean[j] * factor);
        for (int64_t i = j; i < weight_count(s); i += s->cout) {
            const float w = (float)(at->unit.w[i] * factor);
            at->w[i] = s->kind == ANI_UNIT_DEPTHWISE ? w : round_bfloat16(w);
        }
    }
}

/* --- all -------------------------------------------------------------------------------------- */

void ani_ref_infer_pack(an_backend *backend, ani_infer *infer) {
    for (int32_t u = 0; u < infer->count; u++) {
        const int64_t c = infer->units[u].unit.shape.cout;
        float *norm = infer->units[u].norm;
        if (infer->kind == AN_INFERENCE_INT8) {
            pack_codes(infer, u);
            continue;
        }
        if (infer->kind == AN_INFERENCE_BF16) {
            fold(&infer->units[u]);
            continue;
        }
        ani_bn bn = infer->units[u].unit.bn;
        bn.scale = norm;
        bn.shift = norm + c;
        bn.mean = norm + 2 * c;
        bn.inv_std = norm + 3 * c;
        ani_ref_bn_running(backend, c, &bn);
        memcpy(infer->units[u].w, infer->units[u].unit.w,
               (size_t)weight_count(&infer->units[u].unit.shape) * sizeof(float));
    }
}

static void run_unit(const infer_run *run, int32_t u) {
    const infer_unit *at = &run->infer->units[u];
    const ani_infer_unit *unit = &at->unit;
    const int64_t cout = unit->shape.cout;
    const ani_lazy x = {.z = slot(run, unit->input)};
    const float *scale = at->norm, *shift = at->norm + cout;
    const float *residual = unit->residual < 0 ? NULL : slot(run, unit->residual);
    float *y = slot(run, u);
    double *z = run->buffers->sums;
    for (int64_t row = 0; row < unit->shape.oh * unit->shape.ow; row++) {
        if (ani_watch_stops(run->watch)) return;
        ani_ref_unit_pixel(&unit->shape, &x, at->w, row, z);
        for (int64_t co = 0; co < cout; co++) {
            const int64_t i = row * cout + co;
            double value = z[co] * scale[co] + shift[co];
            if (unit->relu6) value = value < 0 ? 0 : value > 6 ? 6 : value;
            if (residual) value += residual[i];
            y[i] = at->rounded ? round_bfloat16((float)value) : (float)value;
        }
    }
}

static void take_image(const infer_run *run, const ani_infer_input *input, int64_t first,
                       int64_t count) {
    const ani_infer *infer = run->infer;
    float *image = run->buffers->image;
    uint8_t *codes = (uint8_t *)image;
    for (int64_t k = 0; k < count; k++) {
        const int64_t i = first + k;
        const float value = input->x ? input->x[i] : input->tables[256 * (i % 3) + input->bytes[i]];
        if (infer->kind == AN_INFERENCE_INT8)
            codes[k] = ani_quant_code(&infer->codes[0], value);
        else
            image[k] = infer->kind == AN_INFERENCE_BF16 ? round_bfloat16(value) : value;
    }
}

void ani_ref_infer_run(an_backend *backend, const ani_infer *infer, ani_infer_buffers *buffers,
                       const ani_infer_input *input, int64_t n, float *features) {
    const infer_run run = {infer, buffers, input->watch};
    const ani_unit_shape *first = &infer->units[0].unit.shape;
    const ani_unit_shape *last = &infer->units[infer->count - 1].unit.shape;
    const int64_t count = first->h * first->w * first->cin;
    for (int64_t i = 0; i < n; i++, features += last->cout) {
        take_image(&run, input, i * count, count);
        for (int32_t u = 0; u < infer->count; u++)
            if (infer->kind == AN_INFERENCE_INT8)
                run_codes(&run, u);
            else
                run_unit(&run, u);
        const ani_lazy value = {.z = slot(&run, infer->count - 1)};
        if (infer->kind == AN_INFERENCE_INT8)
            average_codes(&run, features);
        else
            ani_ref_pool_forward(backend, 1, last->oh * last->ow, last->cout, &value, features);
    }
}
