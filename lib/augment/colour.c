/* SPDX-License-Identifier: MIT
 * Colour jitter and random erasing (Zhong et al., 2017). */
#include "augment/colour.h"

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

static void jitter(float *x, int64_t pixels, const ani_transform *t, const ani_scaling *scaling) {
    const float black = scaling->table[0], range = scaling->table[255] - scaling->table[0];
    for (int64_t i = 0; i < 3 * pixels; i++)
        x[i] = (x[i] - black) / range;
    if (t->contrast != 1.0) stretch(x, pixels, (float)t->contrast, false);
    if (t->saturation != 1.0) stretch(x, pixels, (float)t->saturation, true);
    for (int64_t i = 0; i < 3 * pixels; i++)
        x[i] = black + x[i] * range;
}

static void erase(float *x, int64_t height, int64_t width, const ani_transform *t) {
    double sums[3] = {0};
    for (int64_t i = 0; i < height * width; i++)
        for (int k = 0; k < 3; k++)
            sums[k] += (double)x[3 * i + k];
    for (int64_t i = t->erase_row; i < t->erase_row + t->erase_height; i++)
        for (int64_t j = t->erase_column; j < t->erase_column + t->erase_width; j++)
            for (int k = 0; k < 3; k++)
                x[3 * (i * width + j) + k] = (float)(sums[k] / (double)(height * width));
}

void ani_colour_apply(float *x, int64_t height, int64_t width, const ani_transform *t,
                      const ani_scaling *scaling) {
    if (t->contrast != 1.0 || t->saturation != 1.0) jitter(x, height * width, t, scaling);
    if (t->erase_height) erase(x, height, width, t);
}
