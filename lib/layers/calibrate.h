/* SPDX-License-Identifier: MIT
 * The state of int8 calibration: the smallest and largest value of each tensor over all images, and
 * the means of all channels. */
#ifndef LAYERS_CALIBRATE_H
#define LAYERS_CALIBRATE_H

#include "layers/net.h"

typedef struct ani_calibration ani_calibration;

an_status ani_calibration_create(ani_calibration **out, const ani_net *net, an_error *err);
void ani_calibration_destroy(ani_calibration *calibration); /* NULL is allowed */
/** Add n images [n,h,w,3]. */
an_status ani_calibration_add(ani_calibration *calibration, ani_net *net, const float *x, int64_t n,
                              an_error *err);
int64_t ani_calibration_images(const ani_calibration *calibration);
/** Apply it to the net; image: the range of its input, which follows from the scale of the
 * pixels. */
an_status ani_calibration_finish(const ani_calibration *calibration, ani_net *net, ani_range image,
                                 an_error *err);

#endif
