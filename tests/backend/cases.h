/* SPDX-License-Identifier: MIT
 * The cases that every backend is checked on against ref: shapes of units with odd sizes, channels
 * around the widths of vectors, panels and blocks, all paddings. bench/ has the network's own. */
#ifndef TESTS_BACKEND_CASES_H
#define TESTS_BACKEND_CASES_H

#include "backend/backend.h"

static inline ani_unit_shape full_case(int32_t stride, int32_t pad_top, int32_t pad_left, int64_t n,
                                       int64_t h, int64_t w, int64_t cin, int64_t oh, int64_t ow,
                                       int64_t cout) {
    return (ani_unit_shape){ANI_UNIT_FULL, stride, pad_top, pad_left, n, h, w, cin, oh, ow, cout};
}
static inline ani_unit_shape pointwise_case(int64_t n, int64_t h, int64_t w, int64_t cin,
                                            int64_t cout) {
    return (ani_unit_shape){ANI_UNIT_POINTWISE, 1, 0, 0, n, h, w, cin, h, w, cout};
}
static inline ani_unit_shape depthwise_case(int32_t stride, int32_t pad_top, int32_t pad_bottom,
                                            int32_t pad_left, int32_t pad_right, int64_t n,
                                            int64_t h, int64_t w, int64_t c) {
    return (ani_unit_shape){ANI_UNIT_DEPTHWISE,
                            stride,
                            pad_top,
                            pad_left,
                            n,
                            h,
                            w,
                            c,
                            (h + pad_top + pad_bottom - 3) / stride + 1,
                            (w + pad_left + pad_right - 3) / stride + 1,
                            c};
}

/** Fill cases; returns how many there are, at most 200. */
static inline int list_unit_cases(ani_unit_shape *cases) {
    static const int64_t channels[] = {1, 3, 5, 8, 16, 17, 24, 33, 48, 96, 144};
    const int channel_count = sizeof channels / sizeof *channels;
    int count = 0;
    for (int i = 0; i < channel_count; i++)
        for (int j = 0; j < channel_count; j += 1 + (i & 1))
            cases[count++] =
                pointwise_case(1 + i % 3, 5 + j % 2, 3 + i % 5, channels[i], channels[j]);
    cases[count++] = pointwise_case(2, 40, 37, 24, 40);   /* several chunks and tiles */
    cases[count++] = pointwise_case(3, 11, 11, 160, 330); /* long rows */
    cases[count++] = pointwise_case(1, 1, 1, 576, 160);   /* one row */
    for (int32_t stride = 1; stride <= 2; stride++)
        for (int32_t pads = 0; pads < 9; pads++)
            cases[count++] =
                depthwise_case(stride, pads % 3, (pads + 1) % 3, pads / 3, (pads + 2) % 3, 2,
                               7 + pads % 4, 6 + pads % 5, channels[pads % channel_count + 1]);
    cases[count++] = depthwise_case(1, 1, 1, 1, 1, 1, 40, 33, 32);  /* bands */
    cases[count++] = depthwise_case(2, 1, 1, 1, 1, 1, 41, 39, 24);  /* bands */
    cases[count++] = depthwise_case(1, 1, 1, 1, 1, 1, 5, 301, 96);  /* ranges of columns */
    cases[count++] = depthwise_case(2, 0, 1, 0, 1, 1, 6, 400, 90);  /* ranges of columns */
    cases[count++] = depthwise_case(2, 1, 1, 1, 1, 1, 5, 401, 96);  /* ranges of columns */
    cases[count++] = depthwise_case(1, 1, 1, 1, 1, 1, 4, 21, 968);  /* groups of channels */
    cases[count++] = depthwise_case(2, 0, 1, 0, 1, 2, 20, 22, 968); /* groups of channels */
    cases[count++] = depthwise_case(1, 2, 2, 2, 2, 2, 1, 1, 20);    /* outputs past the input */
    cases[count++] = depthwise_case(1, 1, 1, 1, 1, 1, 1, 1, 5);
    cases[count++] = depthwise_case(2, 1, 1, 1, 1, 1, 2, 1, 16);
    cases[count++] = depthwise_case(2, 1, 1, 1, 1, 2, 20, 38, 24); /* as PyTorch, even */
    cases[count++] = depthwise_case(2, 1, 1, 1, 1, 1, 6, 400, 96); /* ranges of columns */
    cases[count++] = full_case(2, 1, 1, 2, 20, 22, 3, 10, 11, 32); /* as PyTorch, even */
    cases[count++] = full_case(2, 0, 0, 2, 20, 22, 3, 10, 11, 32);
    cases[count++] = full_case(2, 1, 1, 1, 21, 23, 3, 11, 12, 16);
    cases[count++] = full_case(1, 1, 1, 2, 7, 6, 4, 7, 6, 9);
    cases[count++] = full_case(1, 2, 2, 1, 3, 4, 2, 5, 6, 3);
    cases[count++] = full_case(2, 2, 0, 1, 6, 9, 5, 4, 4, 48);
    cases[count++] = full_case(1, 0, 0, 1, 3, 3, 1, 1, 1, 1);
    cases[count++] = full_case(2, 0, 0, 3, 40, 44, 3, 20, 22, 24); /* several chunks */
    return count;
}

#endif
