/* SPDX-License-Identifier: MIT
 * Keras files as named arrays, and what a Keras model_config says about the network that it builds.
 *
 * What an_arrays_read() hands over for a Keras file, so that weights can be matched by name or by
 * order:
 *   - Each array is named LAYER/VARIABLE. VARIABLE is the plain Keras 2 name: kernel,
 * depthwise_kernel, bias, gamma, beta, moving_mean, moving_variance (other layers: as the file has
 * it).
 *   - The arrays of a layer follow each other. Layers come in the order of the file's layer list;
 * those of a nested model in the order of the model_config if the file has one, else in the order
 * in which the file first names them. A flat weight file (no_top) thus gives its layers in the
 * order by which Keras matches them, whatever they are called.
 *   - Within a layer: kernel or depthwise_kernel, bias; gamma, beta, moving_mean, moving_variance.
 *   - Only a Keras 3 .weights.h5 without a config has no order over layers of different classes:
 * layers of one class follow each other by their number, classes by name. If that file has no layer
 * names either (tf_keras writes none), metadata "layer_names" is "counted" and LAYER is the class
 * and its number in layer order: conv2d, conv2d_1, ..., batch_normalization, ... */
#ifndef IO_KERAS_H
#define IO_KERAS_H

#include <stdint.h>

#include <attractivenet/io.h>

#include "base/error.h"

/** Append the arrays and the metadata of an HDF5 weight or model file, given as its bytes. name is
 * for messages; config (may be NULL) is the model_config of a .keras archive, which a plain file
 * carries in itself. */
an_status ani_keras_read_hdf5(an_arrays *arrays, const uint8_t *bytes, int64_t size,
                              const char *name, const char *config, an_error *err);

/** Append the arrays and the metadata of a .keras archive. */
an_status ani_keras_read_archive(an_arrays *arrays, const char *path, an_error *err);

enum {
    ANI_KERAS_PAD_NONE = -1, /* the layer has no such setting */
    ANI_KERAS_PAD_VALID = 0,
    ANI_KERAS_PAD_SAME = 1
};

/** One layer of a model_config. Settings that the config does not have are -1 (texts: ""). */
typedef struct ani_keras_layer {
    char class_name[64]; /* "Conv2D", "DepthwiseConv2D", "BatchNormalization", "ZeroPadding2D", ...
                          */
    char name[192];
    char activation[32]; /* Conv2D, Dense, Activation: "linear", "softmax", "sigmoid", "relu6", ...
                          */
    int32_t padding;     /* convolutions: ANI_KERAS_PAD_* */
    int32_t top, bottom, left, right;                                 /* ZeroPadding2D: pixels */
    int32_t filters;                                                  /* Conv2D */
    int32_t units;                                                    /* Dense */
    int32_t kernel_height, kernel_width, stride_height, stride_width; /* convolutions */
    double epsilon, momentum;                                         /* BatchNormalization */
    double max_value;                                                 /* ReLU; -1: none stated */
} ani_keras_layer;

/** What a model_config says. A model of a nested one and a head (as the tutorial's) is split into
 * base and head; the layers of a flat model are all in base. */
typedef struct ani_keras_config {
    ani_keras_layer *base; /* in order, the InputLayer first */
    int64_t base_count;
    ani_keras_layer *head; /* top-level layers beside the nested model, without InputLayers */
    int64_t head_count;
    char name[192];      /* of the whole model: "attractiveNet_mnv2" */
    char base_name[192]; /* of the nested or flat model: "mobilenetv2_1.00_224" */
    int32_t height, width,
        channels; /* base's input, else the whole model's; -1 = None everywhere */
    double alpha; /* from a base_name "mobilenetv2_ALPHA_SIZE"; -1 = the name does not tell */
} ani_keras_config;

/** Read a model_config (the metadata "model_config" of an_arrays). The config is data, nothing in
 * it is run. AN_ERR_FORMAT: no JSON, no layers, a setting of a wrong type or out of range;
 * AN_ERR_UNSUPPORTED: models nested deeper than one level, or more than one of them. *out is the
 * caller's. */
an_status ani_keras_config_read(ani_keras_config **out, const char *json, an_error *err);
void ani_keras_config_free(ani_keras_config *config); /* NULL is allowed */
/** Return the base layer of that name; NULL if there is none. */
const ani_keras_layer *ani_keras_config_find(const ani_keras_config *config, const char *name);

#endif
