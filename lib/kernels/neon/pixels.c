/* SPDX-License-Identifier: MIT
 * The data path with Advanced SIMD. */
#include "kernels/c/pixels.h"

#include <arm_neon.h>

/* --- resize ---------------------------------------------------------------------------------- */

/* A pixel and its right neighbour, both of them in eight bytes. */
static inline int16x4_t blend_pixel(const uint8_t *src, const int16_t *weight, int32_t channels) {
    const int16x8_t both = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(src)));
    const int16x4_t left = vget_low_s16(both);
    const int16x4_t right =
        channels == 3 ? vget_low_s16(vextq_s16(both, both, 3)) : vget_high_s16(both);
    const int32x4_t sum = vmlal_n_s16(vmull_n_s16(left, weight[0]), right, weight[1]);
    return vmovn_s32(vshrq_n_s32(sum, 4));
}

static void blend_columns(int16_t *out, const uint8_t *src, int64_t size,
                          const ani_columns *columns, int64_t count, int32_t channels,
                          int32_t step) {
    int64_t safe = step < 3 ? 0 : count, x = 0;
    while (safe > 0 && columns->index[safe - 1] > size - 8)
        safe--;
    if (step == 3) {
        /* Four words are stored for three: the next pixel overwrites the last. */
        for (; x + 2 <= safe; x++)
            vst1_s16(out + 3 * x, blend_pixel(src + columns->index[x], columns->weight + 2 * x, 3));
    } else {
        for (; x < safe; x++)
            vst1_s16(out + 4 * x, blend_pixel(src + columns->index[x], columns->weight + 2 * x, 4));
    }
    const ani_columns rest = {columns->index + x, columns->weight + 2 * x};
    ani_c_blend_columns(out + x * channels, src, size, &rest, count - x, channels, step);
}

static inline int16x8_t multiply_high(int16x8_t a, int16_t weight) {
    const int32x4_t low = vmull_n_s16(vget_low_s16(a), weight);
    return vuzp2q_s16(vreinterpretq_s16_s32(low),
                      vreinterpretq_s16_s32(vmull_high_n_s16(a, weight)));
}

static void blend_rows(uint8_t *out, const int16_t *upper, const int16_t *lower, int16_t w0,
                       int16_t w1, int64_t count) {
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const int16x8_t sum = vaddq_s16(multiply_high(vld1q_s16(upper + i), w0),
                                        multiply_high(vld1q_s16(lower + i), w1));
        vst1_u8(out + i, vmovn_u16(vreinterpretq_u16_s16(vrshrq_n_s16(sum, 2))));
    }
    ani_c_blend_rows(out + i, upper + i, lower + i, w0, w1, count - i);
}

static inline uint8x8_t halve(uint8x16_t upper, uint8x16_t lower) {
    return vmovn_u16(vrshrq_n_u16(vaddq_u16(vpaddlq_u8(upper), vpaddlq_u8(lower)), 2));
}

static void halve_row(uint8_t *out, const uint8_t *upper, const uint8_t *lower, int64_t count,
                      int32_t channels) {
    int64_t x = 0;
    if (channels == 1) {
        for (; x + 8 <= count; x += 8)
            vst1_u8(out + x, halve(vld1q_u8(upper + 2 * x), vld1q_u8(lower + 2 * x)));
    } else if (channels == 3) {
        for (; x + 8 <= count; x += 8) {
            const uint8x16x3_t a = vld3q_u8(upper + 6 * x), b = vld3q_u8(lower + 6 * x);
            vst3_u8(out + 3 * x,
                    (uint8x8x3_t){{halve(a.val[0], b.val[0]), halve(a.val[1], b.val[1]),
                                   halve(a.val[2], b.val[2])}});
        }
    } else if (channels == 4) {
        for (; x + 8 <= count; x += 8) {
            const uint8x16x4_t a = vld4q_u8(upper + 8 * x), b = vld4q_u8(lower + 8 * x);
            vst4_u8(out + 4 * x,
                    (uint8x8x4_t){{halve(a.val[0], b.val[0]), halve(a.val[1], b.val[1]),
                                   halve(a.val[2], b.val[2]), halve(a.val[3], b.val[3])}});
        }
    }
    ani_c_halve_row(out + x * channels, upper + 2 * x * channels, lower + 2 * x * channels,
                    count - x, channels);
}

/* --- warp ------------------------------------------------------------------------------------ */

/* One coordinate of four points, as ani_c_place() computes it for one; two positions per vector. */
static inline int32x4_t split(int64x2_t first, int64x2_t second, int32_t length,
                              float32x4_t *weight) {
    const int32x4_t a = vreinterpretq_s32_s64(first), b = vreinterpretq_s32_s64(second);
    const int32x4_t whole = vuzp2q_s32(a, b);
    const uint32x4_t rest = vshrq_n_u32(vreinterpretq_u32_s32(vuzp1q_s32(a, b)), 8);
    const int32x4_t zero = vdupq_n_s32(0), last = vdupq_n_s32(length > 1 ? length - 2 : 0);
    const uint32x4_t before = vcltq_s32(whole, zero),
                     behind = vcgtq_s32(whole, vdupq_n_s32(length - 2));
    const float32x4_t inside = vcvtq_f32_u32(vbicq_u32(rest, before));
    *weight = vbslq_f32(behind, vdupq_n_f32(length > 1 ? 16777216.0f : 0.0f), inside);
    return vminq_s32(vmaxq_s32(whole, zero), last);
}

static void place(ani_points *out, int64_t row, int64_t column, int64_t row_step,
                  int64_t column_step, int64_t count, const ani_view *view) {
    const int64_t whole = (count + ANI_POINT_STEP - 1) / ANI_POINT_STEP * ANI_POINT_STEP;
    const int64x2_t two_rows = vdupq_n_s64(2 * row_step),
                    two_columns = vdupq_n_s64(2 * column_step);
    int64x2_t rows = {row, row + row_step}, columns = {column, column + column_step};
    for (int64_t i = 0; i < whole; i += 4) {
        const int64x2_t rows_1 = vaddq_s64(rows, two_rows);
        const int64x2_t columns_1 = vaddq_s64(columns, two_columns);
        float32x4_t down, right;
        const int32x4_t y = split(rows, rows_1, view->height, &down);
        const int32x4_t x = split(columns, columns_1, view->width, &right);
        vst1q_s32(out->offset + i, vmlaq_n_s32(vmulq_n_s32(y, view->down), x, 3));
        vst1q_f32(out->down + i, down);
        vst1q_f32(out->right + i, right);
        rows = vaddq_s64(rows_1, two_rows);
        columns = vaddq_s64(columns_1, two_columns);
    }
}

/* Pixels and their right neighbours, channel by channel. */
struct pairs {
    float32x4_t left[3], right[3];
};

static inline uint8x8_t load_pair(const uint8_t *src, int64_t left) {
    if (left >= 8) return vld1_u8(src);
    uint8_t bytes[8] = {0};
    for (int i = 0; i < 6; i++)
        bytes[i] = src[i];
    return vld1_u8(bytes);
}

static inline float32x4_t to_float(uint32x4_t words, int32_t byte) {
    return vcvtq_f32_u32(vandq_u32(vshlq_u32(words, vdupq_n_s32(-8 * byte)), vdupq_n_u32(255)));
}

/* Four addresses; size is the number of bytes from src on. */
static inline struct pairs load_pairs(const uint8_t *src, const int32_t *offset, int64_t size) {
    uint32x2_t v[4];
    for (int i = 0; i < 4; i++)
        v[i] = vreinterpret_u32_u8(load_pair(src + offset[i], size - offset[i]));
    const uint32x4_t a = vcombine_u32(v[0], v[1]), b = vcombine_u32(v[2], v[3]);
    const uint32x4_t low = vuzp1q_u32(a, b), high = vuzp2q_u32(a, b);
    return (struct pairs){.left = {to_float(low, 0), to_float(low, 1), to_float(low, 2)},
                          .right = {to_float(low, 3), to_float(high, 0), to_float(high, 1)}};
}

static void sample(float *out, const ani_points *points, int64_t count, const ani_view *view) {
    const int64_t whole = view->right ? count / 4 * 4 : 0;
    const float unit = 1.0f / 16777216.0f;
    const float32x4_t gain = vdupq_n_f32(view->gain), bias = vdupq_n_f32(view->bias);
    const float gain_unit = view->gain * unit;
    for (int64_t i = 0; i < whole; i += 4) {
        const struct pairs upper = load_pairs(view->src, points->offset + i, view->size);
        const struct pairs lower =
            load_pairs(view->src + view->down, points->offset + i, view->size - view->down);
        const float32x4_t y = vld1q_f32(points->down + i);
        const float32x4_t right = vmulq_n_f32(vld1q_f32(points->right + i), gain_unit);
        const float32x4_t down = vmulq_n_f32(y, gain_unit);
        const float32x4_t both = vmulq_f32(right, vmulq_n_f32(y, unit));
        const float32x4_t only_right = vsubq_f32(right, both), only_down = vsubq_f32(down, both);
        const float32x4_t neither = vsubq_f32(vsubq_f32(gain, right), only_down);
        float32x4x3_t v;
        for (int c = 0; c < 3; c++) {
            const float32x4_t above =
                vaddq_f32(vmulq_f32(upper.left[c], neither), vmulq_f32(upper.right[c], only_right));
            const float32x4_t below =
                vaddq_f32(vmulq_f32(lower.left[c], only_down), vmulq_f32(lower.right[c], both));
            v.val[c] = vaddq_f32(vaddq_f32(above, below), bias);
        }
        vst3q_f32(out + 3 * i, v);
    }
    ani_points rest;
    for (int64_t i = whole; i < count; i++) {
        rest.offset[i - whole] = points->offset[i];
        rest.right[i - whole] = points->right[i];
        rest.down[i - whole] = points->down[i];
    }
    ani_c_sample(out + 3 * whole, &rest, count - whole, view);
}

void ani_pixels_neon(ani_pixels *table) {
    *table = (ani_pixels){.level = "neon",
                          .blend_columns = blend_columns,
                          .blend_rows = blend_rows,
                          .halve_row = halve_row,
                          .nv12_row = ani_c_nv12_row,
                          .yuyv_row = ani_c_yuyv_row,
                          .place = place,
                          .sample = sample,
                          .sample_values = ani_c_sample_values};
}
