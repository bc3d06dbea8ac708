/* SPDX-License-Identifier: MIT
 * An open weight or model file, which weights.c, facts.c and keras_net.c fill in. */
#ifndef MOBILENETV2_WEIGHTS_FILE_H
#define MOBILENETV2_WEIGHTS_FILE_H

#include <attractivenet/layers.h>

#include "io/keras.h"
#include "layers/model.h"
#include "mobilenetv2/build.h"

enum { ANI_MNV2_BASE_ARRAYS = 5 * ANI_MNV2_UNITS };
/* The stem's "same" depends on the size, so a file may state only the other four. */
enum { ANI_PADS_NONE, ANI_PADS_DOWN, ANI_PADS_ALL };

/** An open file. What it does not state is 0; the task is -1, indices of arrays -1, texts "". */
typedef struct ani_weights {
    an_arrays *arrays;
    const char *path; /* for messages; owned by the caller */
    double alpha;
    double epsilon; /* of batch norm */
    int32_t height, width;
    int32_t padding;    /* AN_PADDING_* */
    int32_t scale;      /* AN_SCALE_* */
    int32_t task;       /* AN_TASK_* */
    int32_t outputs;    /* of its head */
    int32_t known_pads; /* ANI_PADS_*: which of pads are the file's, whatever padding says */
    int32_t imagenet;   /* 1: read as the published ImageNet weights */
    int32_t has_seed, reserved;
    uint32_t seed, reserved2;
    ani_mnv2_pads pads;
    int64_t
        base[ANI_MNV2_BASE_ARRAYS]; /* place of each base array, in the order of the net's arrays */
    int64_t head_kernel, head_bias;
    ani_keras_config *config; /* of a Keras file; NULL: none */
    const char *scale_layer;  /* the layer of the file that defines the scale; NULL: none */
    double stem_gain[3];      /* what the first convolution's weights are to be multiplied by, per
                                 input channel; 0: by nothing */
    char base_name[ANI_FACT_SIZE];
} ani_weights;

#endif
