/* SPDX-License-Identifier: MIT
 * Random transforms of one image: drawing the parameters, building the matrix, computing the
 * pixels. */
#ifndef AUGMENT_TRANSFORM_H
#define AUGMENT_TRANSFORM_H

#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/augment.h>

#include "augment/colour.h"
#include "base/random.h"
#include "kernels/pixels.h"

/** The transform of one image; Keras' names and units. ani_transform_init() sets the identity. */
typedef struct ani_transform {
    double theta;  /* degrees */
    double tx, ty; /* pixels */
    double shear;  /* degrees */
    double zx, zy; /* factors; below 1 enlarges */
    double channel_shift;
    double brightness;
    bool flip_horizontal;
    bool flip_vertical;
    bool has_channel_shift;
    bool has_brightness;
    ani_colour colour;
} ani_transform;

void ani_transform_init(ani_transform *transform);

/** The axes and centre of a matrix. They differ for images that are not square; that of 2020 by a
 * pixel. */
enum {
    ANI_GEOMETRY_KERAS =
        0, /* tx along columns is the height shift; the centre's x is half the height */
    ANI_GEOMETRY_2020 = 1, /* tx along rows; the centre is one pixel off */
    ANI_GEOMETRY_PLAIN = 2 /* tx along columns is the width shift; the centre is the image's */
};
/** Return the geometry of AN_AUGMENT_*. */
int ani_geometry(int32_t mode);

/** Check options, even in mode NONE. AN_ERR_ARG names field, value and range. */
an_status ani_augment_check(const an_augment_options *options, an_error *err);
/** True if options can change an image. */
bool ani_augment_is_active(const an_augment_options *options);

/** Draw the parameters of an image from NumPy's stream: the same numbers in the same order as
 * Keras' get_random_transform() (docs/numerics.md, section augmentation). */
void ani_transform_draw(ani_transform *out, const an_augment_options *options, int64_t height,
                        int64_t width, ani_mt19937 *mt);
/** The same from the stream of (seed, epoch, sample), for ANI_GEOMETRY_PLAIN: tx is the width
 *  shift. */
void ani_transform_draw_plain(ani_transform *out, const an_augment_options *options, int64_t height,
                              int64_t width, uint32_t seed, int64_t epoch, int64_t sample);

/** The map from output to input: row = m[0]*i + m[1]*j + m[2], column = m[3]*i + m[4]*j + m[5].
 *  Returns false and leaves m untouched if the parameters leave every pixel in place. */
bool ani_transform_matrix(const ani_transform *transform, int geometry, int64_t height,
                          int64_t width, double m[6]);

/**
 * Apply a transform as Keras' apply_transform() does: affine map with order-1 interpolation in
 * double, channel shift, flips, brightness.
 *
 * Shapes:  out, in [height,width,channels], no overlap; each length at least 1.
 * Takes:   fill: AN_FILL_*; fill_value on the scale of in. Brightness as in Keras: through 8-bit
 *          pixels, for which ANI_GEOMETRY_2020 stretches the image to [0, 255] and leaves it so.
 */
void ani_transform_apply(float *out, const float *in, int64_t height, int64_t width,
                         int64_t channels, const ani_transform *transform, int geometry,
                         int32_t fill, float fill_value);

/** A scale of pixels, of each channel: as tables and as the linear function behind them. */
typedef struct ani_scaling {
    float tables[768];       /* [3,256] */
    double gain[3], bias[3]; /* value = gain * pixel + bias */
    float low, high;         /* the smallest and the largest value */
    bool same;               /* all channels have the same */
} ani_scaling;

/** Fill in a scale, AN_SCALE_*. AN_ERR_ARG as for an_scale_fill_tables(). */
an_status ani_scaling_fill(ani_scaling *out, int32_t scale, an_error *err);

/**
 * Scale 8-bit pixels and apply a transform in one pass, in float.
 *
 * Shapes:  out, in [height,width,3]; lengths at most 8192.
 * Error:   against ani_transform_apply() of the scaled pixels, without brightness: at most 16 * u *
 *          (255 * gain + |bias|) for each value, u = 2^-24. In units of u * 255 * gain: the two
 * positions, rounded to 24 bits, 1.5; the four weights, whose errors partly cancel, 4; gain 1;
 * products, sums and bias 4, and 1 more if the channels' scales differ; table and result of the
 * other form 2. Which side of a border a sample
 * falls on is decided by the same doubles. All ISA levels give the same bits.
 * Note:    brightness is a plain product of the 8-bit value, clamped to [0, 255], in every
 *          geometry.
 */
void ani_transform_fast(float *out, const uint8_t *in, int64_t height, int64_t width,
                        const ani_transform *transform, int geometry, int32_t fill,
                        float fill_value, const ani_scaling *scaling, const ani_pixels *pixels);

/**
 * Apply a transform to floats in one pass. If the scale maps some 8-bit pixel to each of these
 * floats exactly, the result has the same bits as ani_transform_fast() of those pixels; otherwise
 * the floats are transformed as they are.
 *
 * Shapes:  out, in [height,width,3], no overlap; lengths at most 8192; scratch height * width * 3.
 * Error:   against ani_transform_apply() of the same floats, without brightness: at most 16 * u *
 * max|in| for each value, u = 2^-24, as above.
 * Note:    brightness uses the values of 0 and 255.
 */
void ani_transform_values(float *out, const float *in, uint8_t *scratch, int64_t height,
                          int64_t width, const ani_transform *transform, int geometry, int32_t fill,
                          float fill_value, const ani_scaling *scaling, const ani_pixels *pixels);

#endif
