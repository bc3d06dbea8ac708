/* SPDX-License-Identifier: MIT
 * A weight or model file as MobileNetV2 sees it: what it says about the network, and which of its
 * arrays belongs to which layer. */
#ifndef MOBILENETV2_WEIGHTS_H
#define MOBILENETV2_WEIGHTS_H

#include "mobilenetv2/weights_file.h"

/** Find out what a file's arrays say; their ownership is always taken; path is used in messages.
 * AN_ERR_UNSUPPORTED for an unknown version of our format, or a Keras network that is not a
 * MobileNetV2 of this kind. */
an_status ani_weights_open(ani_weights *weights, an_arrays *arrays, const char *path,
                           an_error *err);
void ani_weights_close(ani_weights *weights); /* of {0} too */
/** Find the alpha whose channels the file has. */
an_status ani_weights_find_alpha(ani_weights *weights, an_error *err);
/** Fail with both alphas if the file has the channels of another alpha; channels that match no
 * alpha are left to ani_weights_take(). */
an_status ani_weights_check_alpha(const ani_weights *weights, double alpha, an_error *err);
/** Copy the base's arrays into a net, and the head's with head 1. AN_ERR_FORMAT names the first
 * array that differs, with both shapes; the net is then unchanged. */
an_status ani_weights_take(const ani_weights *weights, ani_net *net, int32_t head, an_error *err);

#endif
