/* SPDX-License-Identifier: MIT
 * Keras files as named arrays, and what a Keras model_config says about the network that it builds.
 *
 * What an_arrays_read() returns for a Keras file, so that weights can be matched by name or by
 *   order:
 *   - Each array is named LAYER/VARIABLE. VARIABLE is the plain Keras 2 name: kernel,
 * depthwise_kernel, bias, gamma, beta, moving_mean, moving_variance (other layers: as the file has
 * it).
 *   - The arrays of a layer are adjacent. Layers come in the order of the file's layer list; those
 *   of a nested model in the order of the model_config if the file has one, otherwise in the order
 *   in which the file first names them. A flat weight file (no_top) thus gives its layers in the
 *   order in which Keras matches them, whatever they are called.
 *   - Keras lists the trained weights of a nested model before the others, and TensorFlow may have
 *   numbered their names ("Conv1_1/kernel:0"). If not all of these are names of layers in the
 *   config, LAYER is the one that Keras itself would load them into, by that order. Without a
 *   config, metadata "layer_order" is "unknown" if some layers are frozen.
 *   - Within a layer: kernel or depthwise_kernel, bias; gamma, beta, moving_mean, moving_variance.
 *   - Only a Keras 3 .weights.h5 without a config has no order across classes: layers of one class
 * are sorted by number, classes by name. If that file has no layer names either (tf_keras writes
 * none), metadata "layer_names" is "counted" and LAYER is the class and its number in layer order:
 * conv2d, conv2d_1, ..., batch_normalization, ... Metadata "layer_classes" then gives the number of
 * layers of each class, including those without arrays.
 *   - Metadata that a file written by this library has in the attribute ANI_KERAS_FACTS is that of
 * its own format. */
#ifndef IO_KERAS_H
#define IO_KERAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <attractivenet/io.h>

#include "base/error.h"
#include "base/file.h"

/** The attribute of the root in which this library keeps the metadata of its own format, as a JSON
 * object of texts. */
#define ANI_KERAS_FACTS "attractivenet"

/** Append the arrays and the metadata of an HDF5 weight or model file, given as bytes. name is used
 * in messages; config (may be NULL) is the model_config of a .keras archive; a plain file contains
 * its own. */
an_status ani_keras_read_hdf5(an_arrays *arrays, const uint8_t *bytes, int64_t size,
                              const char *name, const char *config, an_error *err);

/** Append the arrays and the metadata of a .keras archive. */
an_status ani_keras_read_archive(an_arrays *arrays, ani_file *file, an_error *err);

/** The layer classes that are distinguished; each is a bit, so that a table can name several. */
enum {
    ANI_KERAS_OTHER = 0,
    ANI_KERAS_INPUT = 1 << 0,      /* InputLayer */
    ANI_KERAS_CONV = 1 << 1,       /* Conv2D */
    ANI_KERAS_DEPTHWISE = 1 << 2,  /* DepthwiseConv2D */
    ANI_KERAS_NORM = 1 << 3,       /* BatchNormalization, ...V1, ...V2 */
    ANI_KERAS_RELU = 1 << 4,       /* ReLU */
    ANI_KERAS_ACTIVATION = 1 << 5, /* Activation */
    ANI_KERAS_ADD = 1 << 6,        /* Add */
    ANI_KERAS_PAD = 1 << 7,        /* ZeroPadding2D */
    ANI_KERAS_POOL = 1 << 8,       /* GlobalAveragePooling2D */
    ANI_KERAS_DENSE = 1 << 9,      /* Dense */
    ANI_KERAS_FLATTEN = 1 << 10,   /* Flatten */
    ANI_KERAS_IDLE = 1 << 11,      /* Dropout, ...: the identity outside training */
    ANI_KERAS_AUGMENT = 1 << 12,   /* RandomFlip, ...: the same, only before the network */
    ANI_KERAS_RESCALE = 1 << 13,   /* Rescaling */
    ANI_KERAS_STANDARD = 1 << 14,  /* Normalization */
    ANI_KERAS_OPERATOR = 1 << 15   /* x / 127.5, x - 1, ...: an operator with a number */
};

enum {
    ANI_KERAS_MAX_CONFIG = 4 << 20, /* bytes of a model_config; parsed, it takes 40 times as many */
    ANI_KERAS_NONE = -1,            /* a setting that is missing and has no default; no max_value */
    ANI_KERAS_MODEL_INPUT = -1,     /* as a layer's input: the input of the whole model */
    ANI_KERAS_MAX_INPUTS = 2
};

/** The numbers of a setting: one for all channels, or one per channel; count 0: none. */
typedef struct ani_keras_numbers {
    double values[3];
    int32_t count, reserved;
} ani_keras_numbers;

/** One layer of a model_config. A setting missing from its config has Keras' default, or
 * ANI_KERAS_NONE if Keras has none. Lengths along rows, then columns. */
typedef struct ani_keras_layer {
    char class_name[64]; /* as the config has it */
    char name[192];
    int32_t kind;                         /* ANI_KERAS_*: its class */
    int32_t model;                        /* index of the model that it is a layer of */
    int32_t inputs[ANI_KERAS_MAX_INPUTS]; /* indices of the layers whose outputs it takes */
    int32_t input_count;
    int32_t training;  /* 1: it, or a model around it, is called with training=True */
    int32_t trainable; /* 0: frozen */
    int32_t shape[3];  /* height, width, channels of a stated input; -1: None, or not stated */
    int32_t filters, units;
    int32_t kernel_size[2], strides[2], dilation_rate[2];
    int32_t groups, depth_multiplier, use_bias;
    int32_t sides[4];            /* ZeroPadding2D's padding: top, bottom, left, right */
    int32_t axis, center, scale; /* BatchNormalization; scale is also gamma's presence */
    int32_t keepdims;
    int32_t invert; /* Normalization */
    double epsilon;
    double max_value, negative_slope, threshold;    /* ReLU */
    ani_keras_numbers gain, offset, mean, variance; /* Rescaling; Normalization */
    char padding[16];                               /* convolutions: "same", "valid" */
    char activation[32];
    char data_format[24];
    char dtype[40];   /* policy: "float32", "mixed_float16", "int8", ... */
    char unknown[64]; /* first setting that is neither null nor false and is not one of its class */
    char sign;        /* '+', '-', '*', '/' ... */
    double number;    /* ... and what follows it */
} ani_keras_layer;

/** A model within the config, or the outermost one, which is the first. */
typedef struct ani_keras_model {
    char class_name[64];
    char name[192];
    int32_t parent; /* index of the model that it is a layer of; -1 for the outermost one */
    int32_t output; /* index of the layer whose output is its own */
} ani_keras_model;

/** What a model_config says: the layers of all its models as one list, in the order of their lists,
 * with a nested model's layers in its place. A layer's inputs always come before it. */
typedef struct ani_keras_config {
    ani_keras_layer *layers;
    int64_t count;
    ani_keras_model *models;
    int64_t model_count;
    int64_t base; /* index of the model with the first convolution: outermost or nested */
    double alpha; /* from that model's name "mobilenetv2_ALPHA_SIZE"; -1 = not given */
} ani_keras_config;

/** Read a model_config (the metadata "model_config" of an_arrays). The config is data; nothing in
 * it is executed. AN_ERR_FORMAT: not JSON, no layers, a setting of a wrong type or out of range, a
 * layer whose input does not come before it; AN_ERR_UNSUPPORTED: too long, too many layers, too
 * deeply nested, a layer that is called twice or with arguments that this library does not know.
 * *out is owned by the caller. */
an_status ani_keras_config_read(ani_keras_config **out, const char *json, an_error *err);
void ani_keras_config_free(ani_keras_config *config); /* NULL is allowed */
/** Return the index of the first layer of that name; -1 if there is none. */
int64_t ani_keras_config_find(const ani_keras_config *config, const char *name);

/** Compare a layer's settings with those wanted for its class. Where wanted has ANI_KERAS_NONE or
 * an empty text, anything is accepted; numbers are compared to 1e-6. AN_ERR_UNSUPPORTED names the
 * layer, the setting, and the values found and wanted; file is used in the message. */
an_status ani_keras_layer_compare(const ani_keras_layer *layer, const ani_keras_layer *wanted,
                                  const char *file, an_error *err);
/** Fill a layer with Keras' defaults. */
void ani_keras_layer_init(ani_keras_layer *layer, int32_t kind);
/** Return the class name of a kind, for messages. */
const char *ani_keras_class(int32_t kind);
/** Are numbers of this type or policy floats, whatever their precision? Integers and quantised
 * kernels are not. */
bool ani_keras_is_float(const char *policy);
/** Is this snake-case word of a group in a .weights.h5, such as "batch_normalization", that
 * class? */
bool ani_keras_is_class(const char *snake, size_t size, const char *class_name);
/** Return the kind of class that such a word stands for. */
int32_t ani_keras_kind_of(const char *snake, size_t size);

#endif
