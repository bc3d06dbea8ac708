/* SPDX-License-Identifier: MIT
 * MobileNetV2 as a list of units: the stage table, the channel rule, Keras' names and paddings. */
#ifndef MOBILENETV2_BUILD_H
#define MOBILENETV2_BUILD_H

#include "layers/net.h"

enum {
    ANI_MNV2_UNITS = 52, /* stem, 17 blocks (the first without expand), last 1x1 */
    ANI_MNV2_DOWN = 4    /* depthwise layers of stride 2: blocks 1, 3, 6, 13 */
};

/** Rows above, below; columns to the left, right. */
typedef struct ani_mnv2_pad {
    int32_t top, bottom, left, right;
} ani_mnv2_pad;
/** The paddings that depend on how a network was built. */
typedef struct ani_mnv2_pads {
    ani_mnv2_pad stem, down[ANI_MNV2_DOWN];
} ani_mnv2_pads;

/** Largest supported alpha, and epsilon of batch norm. */
#define ANI_MNV2_MAX_ALPHA 1000.0
#define ANI_MNV2_MAX_EPSILON 1.0

/** Keras' _make_divisible(value, 8). */
int64_t ani_mnv2_divisible(double value);
/** Compute the paddings of any AN_PADDING_* except AUTO for an image size. */
void ani_mnv2_pads_for(ani_mnv2_pads *pads, int32_t padding, int64_t height, int64_t width);
/** Write the units for an alpha: channels, names, connections, paddings. */
void ani_mnv2_units(ani_unit_spec units[ANI_MNV2_UNITS], double alpha, const ani_mnv2_pads *pads);
/** Find the alpha whose channels are those of these convolutions: the stated one (0: none), else
 * the usual ones, else any in steps of 0.01. Entries of depthwise units are not looked at. Returns
 * 0 if there is none. The units become those of the last alpha that was tried. */
double ani_mnv2_find_alpha(ani_unit_spec units[ANI_MNV2_UNITS],
                           const int64_t filters[ANI_MNV2_UNITS], double stated);

#endif
