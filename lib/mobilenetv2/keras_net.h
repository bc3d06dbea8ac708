/* SPDX-License-Identifier: MIT
 * The network that a Keras model_config describes, compared with MobileNetV2 layer by layer. */
#ifndef MOBILENETV2_KERAS_NET_H
#define MOBILENETV2_KERAS_NET_H

#include <stdbool.h>

#include "mobilenetv2/weights_file.h"

/** Walk the layers of weights->config along those of MobileNetV2, and fill in what they say: task,
 * paddings, scale of the pixels, size, and the index of each base array (-1: not under the name of
 * its layer). AN_ERR_UNSUPPORTED names the first layer that differs, or its setting, with what was
 * found and what was expected: what the library does not compute is never misread as something
 * else. Layers that do nothing outside training (dropout, augmentation) are skipped; rescaling
 * before the network becomes the scale if it is one of the library's. */
an_status ani_keras_net_read(ani_weights *weights, an_error *err);

/** Does an array of the file belong to a layer that ani_keras_net_read() skipped? */
bool ani_keras_net_skips(const ani_weights *weights, int64_t array);

/** Check the number of layers of each class in a file without a config (metadata "layer_classes")
 * against the units of its alpha. AN_ERR_UNSUPPORTED names a class that MobileNetV2 does not have,
 * or has fewer of; AN_ERR_FORMAT: the text is not such a list. */
an_status ani_keras_net_classes(const ani_weights *weights, const ani_unit_spec *units,
                                const char *classes, an_error *err);

#endif
