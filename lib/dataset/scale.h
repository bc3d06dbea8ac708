/* SPDX-License-Identifier: MIT
 * How 8-bit pixels become floats. */
#ifndef DATASET_SCALE_H
#define DATASET_SCALE_H

#include <stdint.h>

#include <attractivenet/dataset.h>

/** The scale as a linear function: value = gain * pixel + bias, in double. AN_ERR_ARG as for
 * an_scale_fill_table(). */
an_status ani_scale_line(int32_t scale, double *gain, double *bias, an_error *err);

/** Return the name of any scale except AUTO: "unit", "tf" or "article". */
const char *ani_scale_name(int32_t scale);

#endif
