/* SPDX-License-Identifier: MIT
 * The arithmetic of int8 inference, shared by all backends.
 *
 * A value is kept as a code of 0 to 255: value = low + step * code, both of the tensor's calibrated
 * range. Weights are whole numbers times a factor per output channel: -127 to 127, and two of the
 * same sign that are added first (inputs 2i and 2i + 1 of a pixel, or of three image pixels; the
 * first and second row of a depthwise convolution) sum to at most 128. So the sum of their products
 * fits into 16 bits, in which x86 without VNNI adds them, and all ISA levels give the same bits.
 * The average error that rounding the weights adds to a channel, computed from the calibrated means
 * of its inputs, is subtracted from its bias: otherwise the small errors of 52 layers add up to a
 * large one. A unit computes
 *
 *     sum  = bias[j] + sum over k of code[k] * weight[k][j]                       in int32, exact
 *     code = rint(sum * scale[j] + residual code * residual_scale) clamped to 0..255  in float
 *
 * where batch norm and the low ends of the input, the residual and the output are part of the bias,
 * the product of sum and scale is rounded to float, and the rest is one fused multiply-add.
 * Clamping at 255 also does ReLU6's clamping, since its range ends at 6 at most.
 *
 * A step of the result is p / 2^k units of a channel's sums, with p odd, at most 4095. Neither a
 * sum nor a sum plus a residual code (calibration gives both the same step) can then be in the
 * middle between two codes: the next one is 1 / 2p away, which is more than what the order of the
 * same sum in float changes. So a runtime that computes the exported network in another way arrives
 * at the same codes. */
#ifndef BACKEND_QUANT_H
#define BACKEND_QUANT_H

#include "backend/backend.h"

enum { ANI_QUANT_CODES = 255, ANI_QUANT_WEIGHT = 127, ANI_QUANT_CHANNELS = 64 };

/** Codes of one tensor. */
typedef struct ani_codes {
    double low, step;
    int32_t zero; /* the code of 0, for padding */
    int32_t reserved;
} ani_codes;

ani_codes ani_quant_codes(const ani_range *range);
/** The code of an image value x is rint(x * scale + offset) clamped to 0..255, in float with one
 * fused multiply-add; the code of NaN is 0. */
static inline float ani_quant_scale(const ani_codes *codes) {
    return (float)(1 / codes->step);
}
static inline float ani_quant_offset(const ani_codes *codes) {
    return (float)(-codes->low / codes->step);
}
uint8_t ani_quant_code(const ani_codes *codes, float value);

/** How a unit computes some channels of its output. */
typedef struct ani_quant_channels {
    double factor[ANI_QUANT_CHANNELS]; /* weight = rint(w * factor) */
    int32_t bias[ANI_QUANT_CHANNELS];
    float scale[ANI_QUANT_CHANNELS];
} ani_quant_channels;

/** The codes that a unit involves: of its input, of its residual (NULL: none), and its own. */
typedef struct ani_quant_unit {
    const ani_infer_unit *unit;
    const ani_codes *in, *residual, *out;
    const float *means; /* of the input's channels */
} ani_quant_unit;
/** Unit u of a network; codes [units + 1] and means as in ani_calibrated. */
ani_quant_unit ani_quant_unit_of(const ani_infer_unit *units, int32_t u, const ani_codes *codes,
                                 const float *means);
/** Return the number of means. */
int64_t ani_quant_mean_count(const ani_infer_unit *units, int32_t count);

/** Channel i of batch norm by the moving statistics as a factor and a bias; host memory. */
void ani_quant_fold(const ani_bn *bn, int64_t i, double *factor, double *bias);
/** The channels first to first + count - 1, count at most ANI_QUANT_CHANNELS; channels past the
 * last one are zero. */
void ani_quant_channels_of(const ani_quant_unit *q, int64_t first, int64_t count,
                           ani_quant_channels *channels);
static inline int8_t ani_quant_weight(float w, double factor) {
    return (int8_t)__builtin_rint(w * factor);
}
/** How much a residual code changes the result code; 0 without a residual. */
float ani_quant_residual_scale(const ani_quant_unit *q);

/* AN_ERR_FORMAT unless int8 inference stays within its integer ranges. */

/** The image's range is finite and contains 0; all means are finite. */
an_status ani_quant_check_means(const ani_calibrated *calibrated, int64_t means, an_error *err);
/** So does unit u's range, which ends at 6 with ReLU6, and it is not too narrow for what the
 * weights make of the input's range; weights and statistics are finite. They are host memory
 * here. */
an_status ani_quant_check_unit(const ani_infer_unit *unit, int32_t u, const ani_range *ranges,
                               an_error *err);

#endif
