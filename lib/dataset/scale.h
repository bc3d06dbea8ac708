/* SPDX-License-Identifier: MIT
 * How 8-bit pixels become floats. */
#ifndef DATASET_SCALE_H
#define DATASET_SCALE_H

#include <stdint.h>

#include <attractivenet/dataset.h>

/** The scale as a linear function of each channel: value = gain[c] * pixel + bias[c], in double.
 * AN_ERR_ARG as for an_scale_fill_tables(). */
an_status ani_scale_line(int32_t scale, double gain[3], double bias[3], an_error *err);

/** The smallest and the largest value of any scale except AUTO, over its channels. */
void ani_scale_range(int32_t scale, float *low, float *high);

/** Find the scale with this line, to the precision of float factors; AN_SCALE_AUTO: none. */
int32_t ani_scale_find(const double gain[3], const double bias[3]);

/** Return the name of any scale except AUTO: "unit", "tf", "article" or "torch". */
const char *ani_scale_name(int32_t scale);

#endif
