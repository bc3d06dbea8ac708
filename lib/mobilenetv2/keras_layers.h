/* SPDX-License-Identifier: MIT
 * A model as the list of layers that Keras makes of it, and that list as a config. */
#ifndef MOBILENETV2_KERAS_LAYERS_H
#define MOBILENETV2_KERAS_LAYERS_H

#include <stdbool.h>

#include "base/text.h"
#include "io/keras.h"
#include "layers/model.h"
#include "mobilenetv2/build.h"

/** A layer, which comes after those whose outputs it takes. */
typedef struct ani_keras_out {
    int32_t kind;                    /* ANI_KERAS_* */
    int32_t inputs[2];               /* indices of layers; -1: none */
    int32_t class_number;            /* how many layers of its class come before it */
    const ani_unit_spec *unit;       /* what it is a part of; NULL: none */
    int64_t height, width, channels; /* of its output */
    char name[ANI_NAME_SIZE + 8];
} ani_keras_out;

/* input, scaling, each unit's padding, convolution, batch norm and activation or sum, pooling,
 * dense */
enum { ANI_KERAS_OUT_MAX = 2 + 4 * ANI_MNV2_UNITS + 2 };

/** All layers of a model. */
typedef struct ani_keras_outs {
    ani_keras_out layers[ANI_KERAS_OUT_MAX];
    int32_t count;
    int32_t reserved;
    double gain[3], bias[3]; /* of the scaling, by channel */
    const ani_net_spec *spec;
    const ani_model_facts *facts;
} ani_keras_outs;

/** List the layers; scales: the first one scales the pixels. spec and facts are borrowed. */
an_status ani_keras_list(ani_keras_outs *outs, const ani_net_spec *spec,
                         const ani_model_facts *facts, bool scales, an_error *err);

/** Ways to write a config. */
enum {
    ANI_KERAS_2 = 2, /* as tf_keras 2.15 in a .h5, which Keras 3 reads, too */
    ANI_KERAS_3 = 3  /* as Keras 3 in a .keras */
};
/** Add the config of the model: the "model_config" of a .h5, or the config.json of a .keras, which
 * also says how to compile it. */
void ani_keras_print_config(ani_text *to, const ani_keras_outs *outs, int32_t generation);
/** Add the "training_config" of a .h5. */
void ani_keras_print_training(ani_text *to, const ani_keras_outs *outs);

#endif
