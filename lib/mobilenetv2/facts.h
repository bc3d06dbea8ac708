/* SPDX-License-Identifier: MIT
 * What a weight or model file says about its network: our metadata, or a Keras model_config. */
#ifndef MOBILENETV2_FACTS_H
#define MOBILENETV2_FACTS_H

#include "mobilenetv2/weights.h"

/** Fill the facts of an open file whose arrays have been read. */
an_status ani_facts_read(ani_weights *weights, an_error *err);

#endif
