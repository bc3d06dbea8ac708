/* SPDX-License-Identifier: MIT
 * PyTorch's state dicts of MobileNetV2, under the names of torchvision or timm, as safetensors. */
#ifndef MOBILENETV2_TORCH_NAMES_H
#define MOBILENETV2_TORCH_NAMES_H

#include <attractivenet/mobilenetv2.h>

#include "mobilenetv2/weights_file.h"

/** The epsilon of PyTorch's batch norm. */
#define ANI_TORCH_EPSILON 1e-5

/** Does a list hold a state dict of either tool, or of one whose names have something in front? */
bool ani_torch_is_state_dict(const an_arrays *arrays);

/** Find the base's and the head's arrays of such a list, give them Keras' layouts, and fill in what
 * the file leaves open: padding, epsilon, and for ImageNet's classes or without a head the scale
 * and the task. units: room for a list. AN_ERR_UNSUPPORTED names the first array that is missing,
 * that MobileNetV2 does not have, or whose shape or type differs, with what was found and expected.
 */
an_status ani_torch_read(ani_weights *weights, ani_unit_spec *units, an_error *err);

/** Write a model, whose file has these arrays, with the names of AN_EXPORT_TORCHVISION or TIMM.
 * AN_ERR_UNSUPPORTED: its padding or epsilon is not that of PyTorch's networks. */
an_status ani_torch_write(const an_arrays *arrays, const an_model *model, const char *path,
                          int32_t format, an_error *err);

#endif
