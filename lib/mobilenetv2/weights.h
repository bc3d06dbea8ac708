/* SPDX-License-Identifier: MIT
 * A weight or model file as MobileNetV2 sees it: what it says about the network, and which of its
 * arrays belongs to which layer. */
#ifndef MOBILENETV2_WEIGHTS_H
#define MOBILENETV2_WEIGHTS_H

#include <attractivenet/layers.h>

#include "io/keras.h"
#include "layers/model.h"
#include "mobilenetv2/build.h"

enum { ANI_MNV2_BASE_ARRAYS = 5 * ANI_MNV2_UNITS };
/* The stem's "same" follows the size, so a file may state the other four alone. */
enum { ANI_PADS_NONE, ANI_PADS_DOWN, ANI_PADS_ALL };

/** An open file. What it does not tell is 0, task -1, places of arrays -1, texts "". */
typedef struct ani_weights {
    an_arrays *arrays;
    const char *path; /* for messages; the caller's */
    double alpha;
    int32_t height, width;
    int32_t padding;    /* AN_PADDING_* */
    int32_t scale;      /* AN_SCALE_* */
    int32_t task;       /* AN_TASK_* */
    int32_t outputs;    /* of its head */
    int32_t known_pads; /* ANI_PADS_*: which of pads are the file's, whatever padding says */
    int32_t imagenet;   /* 1: it is read as the published ImageNet weights */
    int32_t has_seed, reserved;
    uint32_t seed, reserved2;
    ani_mnv2_pads pads;
    int64_t
        base[ANI_MNV2_BASE_ARRAYS]; /* place of each base array, in the order of the net's arrays */
    int64_t head_kernel, head_bias;
    ani_keras_config *config; /* of a Keras file; NULL: none */
    const char *scale_layer;  /* the layer of the file that makes the scale; NULL: none */
    char base_name[ANI_FACT_SIZE];
} ani_weights;

/** Open a file and find out what it says. AN_ERR_UNSUPPORTED for an unknown format of ours, or a
 * Keras network that is no MobileNetV2 of this kind. */
an_status ani_weights_open(ani_weights *weights, const char *path, an_error *err);
void ani_weights_close(ani_weights *weights); /* of {0} too */
/** Find the alpha whose channels the file has. */
an_status ani_weights_find_alpha(ani_weights *weights, an_error *err);
/** Fail with both alphas if the file has the channels of another one; channels of none are left to
 * ani_weights_take(). */
an_status ani_weights_check_alpha(const ani_weights *weights, double alpha, an_error *err);
/** Copy the base's arrays into a net, and the head's with head 1. AN_ERR_FORMAT names the first
 * array that differs, with both shapes; the net is then as before. */
an_status ani_weights_take(const ani_weights *weights, ani_net *net, int32_t head, an_error *err);
/** Paddings as 20 numbers: stem, then the four of stride 2; each top, bottom, left, right. */
void ani_pads_text(char text[ANI_PADS_SIZE], const ani_mnv2_pads *pads);

#endif
