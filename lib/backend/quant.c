/* SPDX-License-Identifier: MIT
 * Factors, biases and scales of int8 inference. */
#include "backend/quant.h"

#include <math.h>
#include <stdbool.h>

#include "backend/ref/ref.h"

/* A bias is at most 2^28 units of its channel's products, whose sum is below 2^30 for as many
 * inputs as this: so int32 is wide enough. */
enum { MAX_INPUTS = 1 << 15 };
static const double max_bias = 1 << 28;

ani_codes ani_quant_codes(const ani_range *range) {
    ani_codes codes = {.low = range->low, .step = ((double)range->high - range->low) / 255};
    codes.zero = ani_quant_code(&codes, 0);
    return codes;
}

uint8_t ani_quant_code(const ani_codes *codes, float value) {
    const float code = rintf(fmaf(value, ani_quant_scale(codes), ani_quant_offset(codes)));
    return !(code > 0) ? 0 : code > ANI_QUANT_CODES ? ANI_QUANT_CODES : (uint8_t)code;
}

/* The number of inputs of an output channel, and the distance between their weights. */
static int64_t inputs_of(const ani_unit_shape *s) {
    if (s->kind == ANI_UNIT_DEPTHWISE) return 9;
    return s->kind == ANI_UNIT_FULL ? 9 * s->cin : s->cin;
}

/* The input whose product is first added to that of input k; -1: none after k. */
static int64_t partner_of(const ani_infer_unit *unit, int64_t k) {
    const ani_unit_shape *s = &unit->shape;
    if (s->kind == ANI_UNIT_DEPTHWISE) return k < 3 ? k + 3 : -1;
    const int pixels = s->kind == ANI_UNIT_FULL && unit->input < 0 ? 3 : 1; /* side by side */
    const int64_t i = k % (pixels * s->cin);
    return i % 2 == 0 && i + 1 < pixels * s->cin ? k + 1 : -1;
}

/* The mean of input k of output channel j, clamped to the range in which a mean must be. */
static double mean_of(const ani_quant_unit *q, int64_t k, int64_t j) {
    const ani_unit_shape *s = &q->unit->shape;
    const double mean = q->means[s->kind == ANI_UNIT_DEPTHWISE ? j : k % s->cin];
    return fmin(fmax(mean, q->in->low), q->in->low + ANI_QUANT_CODES * q->in->step);
}

int64_t ani_quant_mean_count(const ani_infer_unit *units, int32_t count) {
    int64_t means = units[0].shape.cin;
    for (int32_t u = 0; u < count; u++)
        means += units[u].shape.cout;
    return means;
}

ani_quant_unit ani_quant_unit_of(const ani_infer_unit *units, int32_t u, const ani_codes *codes,
                                 const float *means) {
    const ani_infer_unit *unit = &units[u];
    if (unit->input >= 0) means += ani_quant_mean_count(units, unit->input);
    return (ani_quant_unit){.unit = unit,
                            .in = &codes[unit->input + 1],
                            .residual = unit->residual < 0 ? NULL : &codes[unit->residual + 1],
                            .out = &codes[u + 1],
                            .means = means};
}

void ani_quant_fold(const ani_bn *bn, int64_t i, double *factor, double *bias) {
    *factor = bn->gamma[i] * ani_ref_inv_std(bn, bn->moving_variance[i]);
    *bias = bn->beta[i] - bn->moving_mean[i] * *factor;
}

/* The number of a channel's units in a step of the result, at most `most`. It is p / 2^k with p odd
 * and not too large. So no sum is in the middle between two codes, or nearer to it than 1 / 2p,
 * which is more than float's rounding can be off: whoever computes with these weights, in int32 or
 * in float, arrives at the same codes. zero: the code of 0 less that of the residual, which must be
 * a whole number of units, so that ONNX's bias can hold it. */
static double units_per_step(double most, int32_t zero) {
    enum { LARGEST = 4095, FINE = 512, HALVINGS = 20 };
    double units = fmin(most, LARGEST), power = 1;
    for (int32_t k = 0; k < HALVINGS && units < FINE && zero % 2 == 0; k++) {
        units *= 2;
        power *= 2;
        zero /= 2;
    }
    if (units < 1) return most; /* weights that are too large for that */
    const double whole = floor(units);
    return (fmod(whole, 2) > 0 ? whole : whole - 1) / power;
}

void ani_quant_channels_of(const ani_quant_unit *q, int64_t first, int64_t count,
                           ani_quant_channels *channels) {
    const ani_unit_shape *s = &q->unit->shape;
    const int64_t inputs = inputs_of(s), all = s->cout;
    const int64_t real = all - first < count ? all - first : count;
    float largest[ANI_QUANT_CHANNELS] = {0};
    int32_t sums[ANI_QUANT_CHANNELS] = {0};
    double biases[ANI_QUANT_CHANNELS], steps[ANI_QUANT_CHANNELS];
    double factors[ANI_QUANT_CHANNELS];
    const float *w = q->unit->w + first;
    const int32_t zero = q->out->zero - (q->residual ? q->residual->zero : 0);
    for (int64_t k = 0; k < inputs; k++) {
        const int64_t other = partner_of(q->unit, k);
        for (int64_t j = 0; j < real; j++) {
            const float a = w[k * all + j], b = other < 0 ? 0 : w[other * all + j];
            largest[j] = fmaxf(largest[j], fabsf(a));
            if ((a > 0) == (b > 0)) largest[j] = fmaxf(largest[j], fabsf(a + b));
        }
    }
    for (int64_t j = 0; j < count; j++)
        channels->factor[j] = channels->scale[j] = channels->bias[j] = 0;
    for (int64_t j = 0; j < real; j++) {
        ani_quant_fold(&q->unit->bn, first + j, &factors[j], &biases[j]);
        biases[j] += (q->residual ? q->residual->low : 0) - q->out->low;
        steps[j] = fmax(largest[j] * fabs(factors[j]) / ANI_QUANT_WEIGHT,
                        fabs(biases[j]) / (q->in->step * max_bias));
        if (!(steps[j] > 0)) steps[j] = 1; /* a channel of zeros */
        steps[j] = q->out->step /
                   (q->in->step * units_per_step(q->out->step / (q->in->step * steps[j]), zero));
        channels->factor[j] = factors[j] / steps[j];
    }
    for (int64_t k = 0; k < inputs; k++)
        for (int64_t j = 0; j < real; j++) {
            const int8_t weight = ani_quant_weight(w[k * all + j], channels->factor[j]);
            const double lost = w[k * all + j] * factors[j] - weight * steps[j];
            biases[j] += lost * mean_of(q, k, first + j);
            sums[j] += weight;
        }
    for (int64_t j = 0; j < real; j++) {
        const double unit = q->in->step * steps[j];
        channels->bias[j] = (int32_t)rint(biases[j] / unit + q->in->low / q->in->step * sums[j]);
        channels->scale[j] = (float)(unit / q->out->step);
    }
}

float ani_quant_residual_scale(const ani_quant_unit *q) {
    return q->residual ? (float)(q->residual->step / q->out->step) : 0;
}

/* --- checks ----------------------------------------------------------------------------------- */

static an_status check_range(const ani_range *range, int32_t unit, bool relu6, an_error *err) {
    const bool holds = range->low <= 0 && range->high >= 0 && range->high - range->low >= 1e-9f &&
                       range->high - range->low <= 1e9f;
    const bool cut = !relu6 || (range->high <= 6 && !(range->low < 0));
    if (holds && cut) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT, "int8: the range of tensor %d is %g to %g; it must %s",
                    unit + 1, range->low, range->high,
                    holds ? "be within 0 to 6" : "hold 0 and be finite");
}

an_status ani_quant_check_means(const ani_calibrated *calibrated, int64_t means, an_error *err) {
    an_status st = check_range(&calibrated->ranges[0], -1, false, err);
    for (int64_t i = 0; !st && i < means; i++)
        if (!isfinite(calibrated->means[i]))
            st = ani_fail(err, AN_ERR_FORMAT, "int8: the mean of channel %lld of all is %g",
                          (long long)i, calibrated->means[i]);
    return st;
}

an_status ani_quant_check_unit(const ani_infer_unit *unit, int32_t u, const ani_range *ranges,
                               an_error *err) {
    const ani_range *in = &ranges[unit->input + 1], *out = &ranges[u + 1];
    const int64_t inputs = inputs_of(&unit->shape);
    an_status st = check_range(out, u, unit->relu6, err);
    if (st) return st;
    if (inputs > MAX_INPUTS)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "int8: unit %d has %lld inputs per channel; at most %d are supported", u,
                        (long long)inputs, (int)MAX_INPUTS);
    const double reach = (double)in->high - in->low, most = ldexp(1, 30);
    double rest = (double)out->high - out->low;
    if (unit->residual >= 0)
        rest += (double)ranges[unit->residual + 1].high - ranges[unit->residual + 1].low;
    for (int64_t j = 0; j < unit->shape.cout; j++) {
        double factor, bias, sum = 0;
        ani_quant_fold(&unit->bn, j, &factor, &bias);
        for (int64_t k = 0; k < inputs; k++)
            sum += fabs(unit->w[k * unit->shape.cout + j] * factor);
        const double value = 3 * reach * sum + fabs(bias) + rest;
        if (value * ANI_QUANT_CODES < most * ((double)out->high - out->low)) continue;
        return ani_fail(err, AN_ERR_FORMAT,
                        "int8: channel %lld of unit %d can reach %g, which its range of %g to %g "
                        "is too narrow for",
                        (long long)j, u, value, out->low, out->high);
    }
    return AN_OK;
}
