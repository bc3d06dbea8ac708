/* SPDX-License-Identifier: MIT
 * The numbers along an axis: a range that ends on round numbers, the positions of its ticks, and
 * their labels. */
#ifndef METRICS_AXIS_H
#define METRICS_AXIS_H

#include <stdbool.h>
#include <stdint.h>

enum { ANI_AXIS_TICKS = 32, ANI_AXIS_LABEL = 32 };

/** An axis. Fill with one of the ani_axis_ functions below. */
typedef struct ani_axis {
    double low, high;             /* ends; low < high; both > 0 with logarithmic */
    double ticks[ANI_AXIS_TICKS]; /* ascending, within the ends */
    int32_t tick_count;
    int32_t decimals; /* of the labels; -1: as short as possible */
    bool logarithmic;
} ani_axis;

/** Choose round ends around low..high and at most max_ticks ticks. Values are clamped to +-1e300;
 * an empty or non-finite range gives 0 to 1. with_zero: 0 becomes an end if it is near. */
void ani_axis_linear(ani_axis *axis, double low, double high, bool with_zero, int32_t max_ticks);

/** The same in powers of ten; low and high > 0, else 1 to 10. */
void ani_axis_logarithmic(ani_axis *axis, double low, double high, int32_t max_ticks);

/** Whole numbers 1 to last (>= 1) with a margin at both ends. */
void ani_axis_epochs(ani_axis *axis, int64_t last, int32_t max_ticks);

/** Return the position of value: 0 at low, 1 at high. */
double ani_axis_place(const ani_axis *axis, double value);

/** Write the label of the tick at value. */
void ani_axis_label(const ani_axis *axis, double value, char label[ANI_AXIS_LABEL]);

#endif
