/* SPDX-License-Identifier: MIT
 * Bilinear resize of 8-bit pixels. The order of rounding is OpenCV's (semantics in
 * docs/numerics.md, section resize): a row is interpolated to 4 + 15 - 4 bits, two such rows are
 * multiplied by their weights and truncated to 10 bits each, and the sum is rounded to 8. Each
 * source row is interpolated only once, since the next target row usually needs it again. */
#include "kernels/resize.h"

#include <math.h>
#include <string.h>

enum { WEIGHT_ONE = 2048 };

/* The source of a target column or row: pixels index and index + 1, with weights of 11 bits. */
struct tap {
    int32_t index;
    int16_t weight[2];
};

static struct tap find_tap(int64_t at, int64_t dst_length, int64_t src_length) {
    const double scale = 1.0 / ((double)dst_length / (double)src_length);
    const float place = (float)(((double)at + 0.5) * scale - 0.5);
    const float whole = floorf(place);
    const float fraction = place - whole;
    return (struct tap){.index = (int32_t)whole,
                        .weight = {(int16_t)lrintf((1.0f - fraction) * WEIGHT_ONE),
                                   (int16_t)lrintf(fraction * WEIGHT_ONE)}};
}

/* Columns stop at the border. The last pixel is used as the right one of a pair, so that index + 1
 * is never outside; with a single source column, it is read twice (its step is 0). */
static void find_columns(int32_t *index, int16_t *weight, const ani_resizer *r) {
    const int32_t last = r->src_width > 1 ? (int32_t)r->src_width - 2 : 0;
    for (int64_t x = 0; x < r->dst_width; x++) {
        struct tap tap = find_tap(x, r->dst_width, r->src_width);
        if (tap.index < 0) tap = (struct tap){.index = 0, .weight = {WEIGHT_ONE, 0}};
        if (tap.index >= r->src_width - 1)
            tap = (struct tap){.index = last, .weight = {0, WEIGHT_ONE}};
        index[x] = tap.index * r->channels;
        weight[2 * x] = tap.weight[0];
        weight[2 * x + 1] = tap.weight[1];
    }
}

int64_t ani_resize_scratch(int64_t dst_width, int32_t channels) {
    /* index, weights, two rows; a row of src if that is twice as wide */
    return dst_width * (4 + 4 + (4 + 2) * (int64_t)channels);
}

void ani_resize_begin(ani_resizer *out, const ani_pixels *pixels, uint8_t *dst, int64_t dst_height,
                      int64_t dst_width, int64_t src_height, int64_t src_width, int32_t channels,
                      void *scratch) {
    int32_t *index = scratch;
    int16_t *weight = (int16_t *)(index + dst_width);
    int16_t *rows = weight + 2 * dst_width;
    const int64_t row_size = dst_width * channels;
    *out = (ani_resizer){.pixels = pixels,
                         .dst = dst,
                         .dst_height = dst_height,
                         .dst_width = dst_width,
                         .src_height = src_height,
                         .src_width = src_width,
                         .channels = channels,
                         .copies = src_height == dst_height && src_width == dst_width,
                         .halves = src_height == 2 * dst_height && src_width == 2 * dst_width,
                         .columns = {index, weight},
                         .rows = {rows, rows + row_size},
                         .held = {-1, -1},
                         .upper_row = (uint8_t *)(rows + 2 * row_size)};
    if (!out->copies && !out->halves) find_columns(index, weight, out);
}

/* Interpolate source row number `at` along its columns. */
static void blend_columns(ani_resizer *r, int slot, const uint8_t *row, int64_t at) {
    const int32_t step = r->src_width > 1 ? r->channels : 0;
    r->pixels->blend_columns(r->rows[slot], row, r->src_width * r->channels, &r->columns,
                             r->dst_width, r->channels, step);
    r->held[slot] = at;
}

/* The two rows of src around the next row of dst. Rows keep their weights beyond the border; only
 * the indices are clamped. */
static struct tap find_rows(const ani_resizer *r, int64_t *upper, int64_t *lower) {
    const struct tap tap = find_tap(r->made, r->dst_height, r->src_height);
    const int64_t last = r->src_height - 1;
    *upper = tap.index < 0 ? 0 : tap.index > last ? last : tap.index;
    *lower = tap.index < last ? tap.index + 1 : last;
    return tap;
}

/* Make all rows of dst that need no src row after number `at`, which is `row`. */
static void blend(ani_resizer *r, const uint8_t *row, int64_t at) {
    const int64_t row_size = r->dst_width * r->channels;
    for (; r->made < r->dst_height; r->made++, r->dst += row_size) {
        int64_t upper, lower;
        const struct tap tap = find_rows(r, &upper, &lower);
        if (r->held[1] == upper) {
            int16_t *other = r->rows[0];
            r->rows[0] = r->rows[1];
            r->rows[1] = other;
            r->held[0] = upper;
            r->held[1] = -1;
        }
        if (r->held[0] != upper) {
            if (at < upper) return;
            blend_columns(r, 0, row, at);
        }
        if (lower > upper && r->held[1] != lower) {
            if (at < lower) return;
            blend_columns(r, 1, row, at);
        }
        r->pixels->blend_rows(r->dst, r->rows[0], r->rows[lower > upper], tap.weight[0],
                              tap.weight[1], row_size);
    }
}

/* A row that the next row of dst does not read is not read at all: that row waits for a later one,
 * and the rows after it do not begin earlier. */
bool ani_resize_needs(const ani_resizer *r) {
    int64_t upper, lower;
    if (r->copies || r->halves) return true;
    if (r->made == r->dst_height) return false;
    find_rows(r, &upper, &lower);
    return r->seen == upper || r->seen == lower;
}

void ani_resize_row(ani_resizer *r, const uint8_t *row) {
    const int64_t at = r->seen++, row_size = r->dst_width * r->channels;
    if (r->copies) {
        memcpy(r->dst, row, (size_t)row_size);
        r->dst += row_size;
    } else if (!r->halves) {
        blend(r, row, at);
    } else if (at % 2 == 0) {
        memcpy(r->upper_row, row, (size_t)(r->src_width * r->channels));
    } else {
        r->pixels->halve_row(r->dst, r->upper_row, row, r->dst_width, r->channels);
        r->dst += row_size;
    }
}

void ani_resize_u8(const ani_pixels *pixels, uint8_t *dst, int64_t dst_height, int64_t dst_width,
                   const uint8_t *src, int64_t src_height, int64_t src_width, int32_t channels,
                   void *scratch) {
    ani_resizer r;
    ani_resize_begin(&r, pixels, dst, dst_height, dst_width, src_height, src_width, channels,
                     scratch);
    for (int64_t y = 0; y < src_height; y++)
        ani_resize_row(&r, src + y * src_width * channels);
}
