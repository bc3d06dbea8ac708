/* SPDX-License-Identifier: MIT
 * What a weight or model file says about its network: our metadata, or a Keras model_config. */
#ifndef MOBILENETV2_FACTS_H
#define MOBILENETV2_FACTS_H

#include "mobilenetv2/weights_file.h"

/** Fill the facts of an open file whose arrays have been read. */
an_status ani_facts_read(ani_weights *weights, an_error *err);
/** Paddings as 20 numbers: stem, then the four of stride 2; each top, bottom, left, right. */
void ani_pads_text(char text[ANI_PADS_SIZE], const ani_mnv2_pads *pads);

#endif
