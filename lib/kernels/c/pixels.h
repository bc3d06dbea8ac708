/* SPDX-License-Identifier: MIT
 * The data path's entries of the plain C level; kernels/pixels.h says what each computes. Other
 * levels leave the rest of a row to them. */
#ifndef KERNELS_C_PIXELS_H
#define KERNELS_C_PIXELS_H

#include "kernels/pixels.h"

void ani_c_blend_columns(int16_t *out, const uint8_t *src, int64_t size, const ani_columns *columns,
                         int64_t count, int32_t channels, int32_t step);
void ani_c_blend_rows(uint8_t *out, const int16_t *upper, const int16_t *lower, int16_t w0,
                      int16_t w1, int64_t count);
void ani_c_halve_row(uint8_t *out, const uint8_t *upper, const uint8_t *lower, int64_t count,
                     int32_t channels);
void ani_c_nv12_row(uint8_t *out, const uint8_t *luma, const uint8_t *chroma, int64_t count);
void ani_c_yuyv_row(uint8_t *out, const uint8_t *src, int64_t count);
void ani_c_place(ani_points *out, int64_t row, int64_t column, int64_t row_step,
                 int64_t column_step, int64_t count, const ani_view *view);
void ani_c_sample(float *out, const ani_points *points, int64_t count, const ani_view *view);
void ani_c_sample_values(float *out, const ani_points *points, int64_t count, const ani_view *view);

#endif
