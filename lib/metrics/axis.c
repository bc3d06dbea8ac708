/* SPDX-License-Identifier: MIT
 * Round numbers for axes: steps of 1, 2 or 5 times a power of ten. */
#include "metrics/axis.h"

#include <math.h>
#include <stdio.h>

#include "base/text.h"

static const double limit = 1e300; /* the difference of two such numbers is still finite */
static const double smallest = 1e-300;

/** The smallest round step that divides span into at most count pieces. */
static double round_step(double span, int32_t count) {
    const double rough = span / count;
    const double power = pow(10, floor(log10(rough)));
    const double times[] = {1, 2, 5, 10};
    for (int i = 0; i < 3; i++)
        if (times[i] * power >= rough * (1 - 1e-9)) return times[i] * power;
    return 10 * power;
}

static double within_limit(double value) {
    return value > limit ? limit : value < -limit ? -limit : value;
}

void ani_axis_linear(ani_axis *axis, double low, double high, bool with_zero, int32_t max_ticks) {
    *axis = (ani_axis){0};
    if (max_ticks < 2) max_ticks = 2;
    if (max_ticks > ANI_AXIS_TICKS - 2) max_ticks = ANI_AXIS_TICKS - 2;
    low = within_limit(low);
    high = within_limit(high);
    if (!(low <= high)) low = 0, high = 1;
    if (with_zero && low >= 0 && low < 0.5 * high) low = 0;
    if (with_zero && high <= 0 && high > 0.5 * low) high = 0;
    /* a range that is only rounding noise is widened; otherwise all its labels would be the same */
    const double size = fmax(fabs(low), fabs(high));
    if (high - low <= 1e-9 * size || high - low < smallest) {
        const double room = size > smallest ? 0.1 * size : 1;
        if (low >= 0 && low < room)
            low = 0;
        else
            low -= room;
        high += room;
    }
    const double step = round_step(high - low, max_ticks - 1);
    const double first = floor(low / step + 1e-9), last = ceil(high / step - 1e-9);
    axis->low = first * step;
    axis->high = last * step;
    for (double i = first; i <= last && axis->tick_count < ANI_AXIS_TICKS; i++)
        axis->ticks[axis->tick_count++] = i * step;
    const double digits = -floor(log10(step) + 1e-9);
    const bool plain = size < 1e6 && digits <= 5;
    axis->decimals = !plain ? -1 : digits > 0 ? (int32_t)digits : 0;
}

void ani_axis_logarithmic(ani_axis *axis, double low, double high, int32_t max_ticks) {
    *axis = (ani_axis){.logarithmic = true, .decimals = -1};
    if (!(low > 0 && low <= high)) low = 1, high = 10;
    low = fmax(fmin(low, limit), smallest);
    high = fmax(fmin(high, limit), smallest);
    /* ends at 1, 2 or 5 times a power of ten */
    const double times[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(low)));
    axis->low = power;
    for (int i = 0; i < 3; i++)
        if (times[i] * power <= low * (1 + 1e-9)) axis->low = times[i] * power;
    power = pow(10, floor(log10(high)));
    axis->high = 10 * power;
    for (int i = 3; i >= 0; i--)
        if (times[i] * power >= high * (1 - 1e-9)) axis->high = times[i] * power;
    if (axis->high <= axis->low * (1 + 1e-9)) axis->high = axis->low * 10;

    const double decades = log10(axis->high) - log10(axis->low);
    const bool between = decades * 3 <= max_ticks;
    const int32_t stride = 1 + (int32_t)(decades / (max_ticks < 2 ? 2 : max_ticks));
    const int32_t first = (int32_t)floor(log10(axis->low) + 1e-9);
    const int32_t last = (int32_t)ceil(log10(axis->high) - 1e-9);
    for (int32_t e = first; e <= last; e += stride) {
        for (int i = 0; i < (between ? 3 : 1); i++) {
            const double value = times[i] * pow(10, e);
            if (value < axis->low * (1 - 1e-9) || value > axis->high * (1 + 1e-9)) continue;
            if (axis->tick_count < ANI_AXIS_TICKS) axis->ticks[axis->tick_count++] = value;
        }
    }
}

void ani_axis_epochs(ani_axis *axis, int64_t last, int32_t max_ticks) {
    *axis = (ani_axis){0};
    const double end = (double)last;
    const double margin = last > 1 ? fmin(0.02 * (end - 1) + 0.1, 0.05 * end + 0.2) : 0.5;
    axis->low = 1 - margin;
    axis->high = end + margin;
    if (max_ticks < 2) max_ticks = 2;
    if (max_ticks > ANI_AXIS_TICKS - 2) max_ticks = ANI_AXIS_TICKS - 2;
    const double step = last > 1 ? fmax(1, round_step(end, max_ticks)) : 1;
    axis->ticks[axis->tick_count++] = 1;
    for (double tick = step; tick <= end && axis->tick_count < ANI_AXIS_TICKS; tick += step)
        if (tick > 1) axis->ticks[axis->tick_count++] = tick;
}

double ani_axis_place(const ani_axis *axis, double value) {
    if (axis->logarithmic)
        return (log(value) - log(axis->low)) / (log(axis->high) - log(axis->low));
    return (within_limit(value) - axis->low) / (axis->high - axis->low);
}

void ani_axis_label(const ani_axis *axis, double value, char label[ANI_AXIS_LABEL]) {
    if (axis->decimals < 0) {
        ani_format_double(label, ANI_AXIS_LABEL, value, 6);
        return;
    }
    /* whole units of the last digit: no locale, no "-0" */
    char fraction[8] = "";
    const int32_t decimals = axis->decimals < 6 ? axis->decimals : 6;
    long long whole = llround(fabs(value) * pow(10, decimals));
    const bool negative = value < 0 && whole;
    for (int32_t i = decimals; i > 0; i--, whole /= 10)
        fraction[i] = (char)('0' + whole % 10);
    if (decimals > 0) fraction[0] = '.';
    snprintf(label, ANI_AXIS_LABEL, "%s%lld%s", negative ? "-" : "", whole, fraction);
}
