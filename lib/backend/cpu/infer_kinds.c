/* SPDX-License-Identifier: MIT
 * The differences between fp32, bf16 and int8 inference: how images are converted to elements, how
 * these are averaged, and how weights are packed, with batch norm folded into them in double. */
#include "backend/cpu/infer.h"

#include <math.h>
#include <string.h>

#include "backend/ref/ref.h"
#include "base/element.h"

enum { MAX_WIDTH = 64 /* columns of the widest panel of any ISA level */ };

/* --- fp32 ------------------------------------------------------------------------------------- */

static void convert_floats(const ani_infer *infer, const float *from, int64_t count, void *to) {
    (void)infer;
    memcpy(to, from, (size_t)count * sizeof *from);
}

static void make_floats(const ani_infer *infer, const float *numbers, void *elements) {
    convert_floats(infer, numbers, 768, elements);
}

static void look_up_floats(const void *elements, const uint8_t *from, int64_t count, void *to) {
    const float *tables = elements;
    float *floats = to;
    for (int64_t i = 0; i < count; i += 3)
        for (int64_t c = 0; c < 3; c++)
            floats[i + c] = tables[256 * c + from[i + c]];
}

static void sum_floats(const ani_kernels *k, const void *x, int64_t row, int64_t pixels,
                       int64_t count, double *sums) {
    k->column_sums(sums, x, row, pixels, count);
}

static void write_means(const ani_infer *infer, const double *sums, int64_t pixels, int64_t count,
                        float *means) {
    (void)infer;
    for (int64_t i = 0; i < count; i++)
        means[i] = (float)(sums[i] / (double)pixels);
}

/* Fold the batch norm of channels from `first` on, of c: a factor for their weights, and their
 * bias. Channels past the last one are zero. */
static void fold(const ani_bn *bn, int64_t first, int64_t count, int64_t c, double *factor,
                 float *bias) {
    for (int64_t j = 0; j < count; j++) {
        const int64_t i = first + j;
        factor[j] = i < c ? bn->gamma[i] * ani_ref_inv_std(bn, bn->moving_variance[i]) : 0;
        bias[j] = i < c ? (float)(bn->beta[i] - bn->moving_mean[i] * factor[j]) : 0;
    }
}

static void pack_panel_float(const ani_infer *infer, const infer_panels *panels,
                             const ani_infer_unit *unit, int64_t panel) {
    const int64_t width = infer_panel_vectors(infer, panels, panel) * infer->k.lanes;
    const int64_t first = panel * infer->k.block, columns = ani_min(width, panels->n - first);
    float *to = (float *)panels->w + first * panels->k;
    double factor[MAX_WIDTH];
    fold(&unit->bn, first, width, panels->n, factor, (float *)panels->bias + first);
    for (int64_t k = 0; k < panels->k; k++, to += width) {
        const float *from = unit->w + k * panels->n + first;
        for (int64_t j = 0; j < columns; j++)
            to[j] = (float)(from[j] * factor[j]);
        for (int64_t j = columns; j < width; j++)
            to[j] = 0;
    }
}

static void pack_taps_float(const ani_infer *infer, const infer_step *step, int64_t number) {
    const int64_t block = infer->k.block, first = number * block;
    float *to = (float *)(void *)step->taps + 10 * first;
    double factor[MAX_WIDTH];
    fold(&step->depthwise->bn, first, block, step->wide, factor, to + 9 * block);
    for (int64_t t = 0; t < 9; t++)
        for (int64_t j = 0; j < block; j++)
            to[t * block + j] =
                first + j < step->wide
                    ? (float)(step->depthwise->w[t * step->wide + first + j] * factor[j])
                    : 0;
}

/* --- bf16 ------------------------------------------------------------------------------------- */

static void convert_halves(const ani_infer *infer, const float *from, int64_t count, void *to) {
    infer->k.narrow(to, from, count);
}

static void make_halves(const ani_infer *infer, const float *numbers, void *elements) {
    uint16_t *halves = elements;
    (void)infer;
    for (int32_t i = 0; i < 768; i++)
        halves[i] = ani_to_bfloat16(numbers[i]);
}

static void look_up_halves(const void *elements, const uint8_t *from, int64_t count, void *to) {
    const uint16_t *tables = elements;
    uint16_t *halves = to;
    for (int64_t i = 0; i < count; i += 3)
        for (int64_t c = 0; c < 3; c++)
            halves[i + c] = tables[256 * c + from[i + c]];
}

static void sum_halves(const ani_kernels *k, const void *x, int64_t row, int64_t pixels,
                       int64_t count, double *sums) {
    const uint16_t *halves = x;
    (void)k;
    for (int64_t p = 0; p < pixels; p++, halves += row)
        for (int64_t i = 0; i < count; i++)
            sums[i] += (double)ani_from_bfloat16(halves[i]);
}

/* The row of a unit's weights for input k of a panel; -1: none, since it pads a pixel or a run. */
static int64_t weight_row(const ani_infer *infer, const infer_panels *panels,
                          const ani_infer_unit *unit, int64_t k) {
    const ani_unit_shape *s = &unit->shape;
    const int image = unit == infer->units;
    const int64_t pixel = image ? s->cin : ani_round_up(s->cin, infer->k.group);
    const int64_t width = s->kind == ANI_UNIT_FULL ? 3 : 1;
    const int64_t row = k / panels->run, column = k % panels->run / pixel;
    const int64_t channel = k % panels->run % pixel;
    if (column >= width || channel >= s->cin) return -1;
    return (row * width + column) * s->cin + channel;
}

static void pack_panel_bfloat16(const ani_infer *infer, const infer_panels *panels,
                                const ani_infer_unit *unit, int64_t panel) {
    const int64_t width = infer_panel_vectors(infer, panels, panel) * infer->k.lanes;
    const int64_t first = panel * infer->k.block, columns = ani_min(width, panels->n - first);
    uint16_t *to = (uint16_t *)panels->w + first * panels->k;
    double factor[MAX_WIDTH];
    fold(&unit->bn, first, width, panels->n, factor, (float *)panels->bias + first);
    memset(to, 0, (size_t)(panels->k * width) * sizeof *to);
    for (int64_t k = 0; k < panels->k; k++) {
        const int64_t row = weight_row(infer, panels, unit, k);
        const float *from = unit->w + row * panels->n + first;
        for (int64_t j = 0; row >= 0 && j < columns; j++)
            to[(k / 2 * width + j) * 2 + k % 2] = ani_to_bfloat16((float)(from[j] * factor[j]));
    }
}

/* Round taps to bfloat16 so that their sum is preserved, since neighbouring pixels are alike: first
 * each to nearest; then, one at a time, round a tap the other way if that brings the sum closer,
 * always the one whose own error grows least. */
static void round_taps(float *taps, int64_t row) {
    float want[9], rounded[9], other[9], lost = 0;
    for (int t = 0; t < 9; t++) {
        const uint16_t bits = ani_to_bfloat16(want[t] = taps[t * row]);
        rounded[t] = ani_from_bfloat16(bits);
        const int away = fabsf(rounded[t]) < fabsf(want[t]);
        other[t] = rounded[t] == want[t]
                       ? want[t]
                       : ani_from_bfloat16((uint16_t)(away ? bits + 1 : bits - 1));
        lost += want[t] - rounded[t];
    }
    for (int best = 0; best >= 0;) {
        float least = INFINITY;
        best = -1;
        for (int t = 0; t < 9; t++) {
            const float step = other[t] - rounded[t], error = want[t] - rounded[t];
            const float growth = step * step - 2 * step * error;
            if (!(fabsf(lost - step) < fabsf(lost)) || growth >= least) continue;
            least = growth;
            best = t;
        }
        if (best < 0) break;
        lost -= other[best] - rounded[best];
        rounded[best] = other[best];
    }
    for (int t = 0; t < 9; t++)
        taps[t * row] = rounded[t];
}

static void pack_taps_bfloat16(const ani_infer *infer, const infer_step *step, int64_t number) {
    const int64_t block = infer->k.block;
    float *to = (float *)(void *)step->taps + 10 * number * block;
    pack_taps_float(infer, step, number);
    for (int64_t j = 0; j < block && !infer_is_widened(infer); j++)
        round_taps(to + j, block);
}

/* --- int8 ------------------------------------------------------------------------------------- */

static void convert_codes(const ani_infer *infer, const float *from, int64_t count, void *to) {
    infer->k.codes(to, from, count, ani_quant_scale(&infer->codes[0]),
                   ani_quant_offset(&infer->codes[0]));
}

static void make_codes(const ani_infer *infer, const float *numbers, void *elements) {
    uint8_t *codes = elements;
    for (int32_t i = 0; i < 768; i++)
        codes[i] = ani_quant_code(&infer->codes[0], numbers[i]);
}

static void look_up_codes(const void *elements, const uint8_t *from, int64_t count, void *to) {
    const uint8_t *tables = elements;
    uint8_t *codes = to;
    for (int64_t i = 0; i < count; i += 3)
        for (int64_t c = 0; c < 3; c++)
            codes[i + c] = tables[256 * c + from[i + c]];
}

static void sum_codes(const ani_kernels *k, const void *x, int64_t row, int64_t pixels,
                      int64_t count, double *sums) {
    const uint8_t *codes = x;
    (void)k;
    for (int64_t p = 0; p < pixels; p++, codes += row)
        for (int64_t i = 0; i < count; i++)
            sums[i] += codes[i];
}

static void write_code_means(const ani_infer *infer, const double *sums, int64_t pixels,
                             int64_t count, float *means) {
    const ani_codes *codes = &infer->codes[infer->unit_count];
    for (int64_t i = 0; i < count; i++) {
        const double mean = sums[i] / (double)pixels;
        means[i] = (float)(codes->low + codes->step * mean);
    }
}

static void pack_panel_int8(const ani_infer *infer, const infer_panels *panels,
                            const ani_infer_unit *unit, int64_t panel) {
    const int64_t width = infer_panel_vectors(infer, panels, panel) * infer->k.lanes;
    const int64_t first = panel * infer->k.block, columns = ani_min(width, panels->n - first);
    const ani_quant_unit q = infer_quant_unit(infer, unit);
    int8_t *to = (int8_t *)panels->w + first * panels->k;
    ani_quant_channels channels;
    ani_quant_channels_of(&q, first, width, &channels);
    memcpy((int32_t *)panels->bias + first, channels.bias, (size_t)width * sizeof(int32_t));
    memcpy(panels->scale + first, channels.scale, (size_t)width * sizeof(float));
    memset(to, 0, (size_t)(panels->k * width));
    for (int64_t k = 0; k < panels->k; k++) {
        const int64_t row = weight_row(infer, panels, unit, k);
        const float *from = unit->w + row * panels->n + first;
        for (int64_t j = 0; row >= 0 && j < columns; j++)
            to[(k / 4 * width + j) * 4 + k % 4] = ani_quant_weight(from[j], channels.factor[j]);
    }
}

static void pack_part_int8(const ani_infer *infer, const infer_step *step, int64_t number) {
    const int64_t first = number * ANI_INFER_PART, wide = step->wide;
    const ani_quant_unit q = infer_quant_unit(infer, step->depthwise);
    ani_infer_taps *to = (ani_infer_taps *)(void *)step->taps + number;
    ani_quant_channels channels;
    ani_quant_channels_of(&q, first, ANI_INFER_PART, &channels);
    memset(to, 0, sizeof *to);
    memcpy(to->bias, channels.bias, sizeof to->bias);
    memcpy(to->scale, channels.scale, sizeof to->scale);
    for (int64_t t = 0; t < 9; t++)
        for (int64_t j = 0; j < ani_min(ANI_INFER_PART, wide - first); j++)
            to->taps[t % 3][j][t / 3] =
                ani_quant_weight(step->depthwise->w[t * wide + first + j], channels.factor[j]);
}

static void pack_taps_int8(const ani_infer *infer, const infer_step *step, int64_t number) {
    const int64_t parts = infer->k.block / ANI_INFER_PART;
    for (int64_t i = number * parts; i < (number + 1) * parts; i++)
        pack_part_int8(infer, step, i);
}

/* --- the table -------------------------------------------------------------------------------- */

const infer_kind ani_cpu_infer_kinds[ANI_INFERENCES] = {
    [AN_INFERENCE_FP32] = {.in_float = 1,
                           .fill = 1,
                           .pooled_size = sizeof(float),
                           .part = 1,
                           .part_size = 10 * sizeof(float),
                           .convert = convert_floats,
                           .make_tables = make_floats,
                           .look_up = look_up_floats,
                           .sum = sum_floats,
                           .sum_pooled = sum_floats,
                           .write_means = write_means,
                           .pack_panel = pack_panel_float,
                           .pack_taps = pack_taps_float},
    [AN_INFERENCE_BF16] = {.fill = 2,
                           .pooled_size = sizeof(float),
                           .part = 1,
                           .part_size = 10 * sizeof(float),
                           .convert = convert_halves,
                           .make_tables = make_halves,
                           .look_up = look_up_halves,
                           .sum = sum_halves,
                           .sum_pooled = sum_floats,
                           .write_means = write_means,
                           .pack_panel = pack_panel_bfloat16,
                           .pack_taps = pack_taps_bfloat16},
    [AN_INFERENCE_INT8] = {.fill = 1,
                           .pooled_size = 1,
                           .part = ANI_INFER_PART,
                           .part_size = sizeof(ani_infer_taps),
                           .convert = convert_codes,
                           .make_tables = make_codes,
                           .look_up = look_up_codes,
                           .sum = sum_codes,
                           .sum_pooled = sum_codes,
                           .write_means = write_code_means,
                           .pack_panel = pack_panel_int8,
                           .pack_taps = pack_taps_int8},
};
