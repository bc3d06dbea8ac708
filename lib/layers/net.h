/* SPDX-License-Identifier: MIT
 * A network as data: a list of units with their names, wired by tensor numbers, then pooling and a dense
 * head. mobilenetv2 writes such a list; net.c plans memory for it and runs it. No arithmetic here. */
#ifndef LAYERS_NET_H
#define LAYERS_NET_H

#include <stdint.h>

#include "backend/backend.h"

enum { ANI_NAME_SIZE = 48, ANI_INPUT = -1 };

/** One convolution with batch norm, activation and optional shortcut. Its value is tensor number i, its
 *  place in the list. */
typedef struct ani_unit_spec {
    char conv_name[ANI_NAME_SIZE]; /* Keras layer, as "block_1_expand" */
    char bn_name[ANI_NAME_SIZE];   /* Keras layer, as "block_1_expand_BN" */
    int32_t kind;                  /* ANI_UNIT_* */
    int32_t stride;
    int32_t relu6;                 /* 0 or 1 */
    int32_t input;                 /* unit whose value is the input; ANI_INPUT: the picture */
    int32_t residual;              /* unit whose value is added to this one's; ANI_INPUT: none */
    int32_t pad_top, pad_bottom, pad_left, pad_right;
    int32_t reserved;
    int64_t cin, cout;
} ani_unit_spec;

/** A whole network: units in order, then global average pooling of the last unit's value, then dense. */
typedef struct ani_net_spec {
    const ani_unit_spec *units;
    int32_t unit_count;
    int32_t outputs;
    int64_t height, width;         /* of the picture, 3 channels */
} ani_net_spec;

#endif
