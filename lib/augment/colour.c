/* SPDX-License-Identifier: MIT
 * Colour jitter and random erasing (Zhong et al., 2017). */
#include "augment/colour.h"

#include <stdbool.h>

static float clamp(float x) {
    return x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x;
}

static float grey_of(const float pixel[3]) {
    return 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
}

/** Move each value away from a grey, or towards it: the image's mean, or the pixel's own. */
static void stretch(float *x, int64_t pixels, float factor, bool is_own) {
    double sum = 0;
    for (int64_t i = 0; !is_own && i < pixels; i++)
        sum += (double)grey_of(x + 3 * i);
    const float mean = (float)(sum / (double)pixels);
    for (int64_t i = 0; i < pixels; i++) {
        const float grey = is_own ? grey_of(x + 3 * i) : mean;
        for (int k = 0; k < 3; k++)
            x[3 * i + k] = clamp(grey + factor * (x[3 * i + k] - grey));
    }
}

static void jitter(float *x, int64_t pixels, const ani_colour *c, const float black[3],
                   const float white[3]) {
    for (int64_t i = 0; i < 3 * pixels; i++)
        x[i] = (x[i] - black[i % 3]) / (white[i % 3] - black[i % 3]);
    if (c->contrast != 1.0) stretch(x, pixels, (float)c->contrast, false);
    if (c->saturation != 1.0) stretch(x, pixels, (float)c->saturation, true);
    for (int64_t i = 0; i < 3 * pixels; i++)
        x[i] = black[i % 3] + x[i] * (white[i % 3] - black[i % 3]);
}

static void erase(float *x, int64_t height, int64_t width, const ani_colour *c) {
    double sums[3] = {0};
    for (int64_t i = 0; i < height * width; i++)
        for (int k = 0; k < 3; k++)
            sums[k] += (double)x[3 * i + k];
    for (int64_t i = c->erase_row; i < c->erase_row + c->erase_height; i++)
        for (int64_t j = c->erase_column; j < c->erase_column + c->erase_width; j++)
            for (int k = 0; k < 3; k++)
                x[3 * (i * width + j) + k] = (float)(sums[k] / (double)(height * width));
}

void ani_colour_apply(float *x, int64_t height, int64_t width, const ani_colour *colour,
                      const float black[3], const float white[3]) {
    if (colour->contrast != 1.0 || colour->saturation != 1.0)
        jitter(x, height * width, colour, black, white);
    if (colour->erase_height) erase(x, height, width, colour);
}
