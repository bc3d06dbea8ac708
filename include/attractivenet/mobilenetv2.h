/* SPDX-License-Identifier: MIT
 * MobileNetV2 as Keras builds it, with one dense head; weights from files or random. */
#ifndef ATTRACTIVENET_MOBILENETV2_H
#define ATTRACTIVENET_MOBILENETV2_H

#include <attractivenet/dataset.h>
#include <attractivenet/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where the weights of a new model come from. */
enum {
    AN_WEIGHTS_RANDOM = 0,   /* Keras' initialisers */
    AN_WEIGHTS_IMAGENET = 1, /* Keras' no-top file for alpha, downloaded into the user's cache
                                folder */
    AN_WEIGHTS_FILE = 2      /* weights_path */
};

/** Which network. Initialise with an_mobilenetv2_options_init(), then change what you need. */
typedef struct an_mobilenetv2_options {
    uint32_t struct_size;  /* set by init; new fields are only appended */
    int32_t height, width; /* pixels, 32 to 8192; default 350, 350 (when loading: 0 = as in the
                              file) */
    int32_t outputs;       /* 1 to 10000; default 1 */
    int32_t task;          /* AN_TASK_*; default REGRESSION */
    int32_t padding;       /* AN_PADDING_*; default AUTO */
    int32_t scale; /* AN_SCALE_*; default AUTO: tf for Keras' ImageNet weights, torch for those of
                      PyTorch, unit for random ones */
    uint32_t seed; /* for random weights; default 42 */
    double alpha;  /* > 0; default 1.0 */
    int32_t weights_kind;     /* AN_WEIGHTS_*; default RANDOM */
    int32_t reserved;         /* 0 */
    const char *weights_path; /* for FILE: a weight file (base, or base and head); otherwise NULL;
                                 default NULL */
    an_progress_fn progress;  /* of the download; NULL = none */
    void *progress_user;      /* passed to progress */
    double epsilon; /* of batch norm, up to 1; default 0: as in the file, otherwise 0.001 as in
                       Keras (PyTorch: 1e-5) */
} an_mobilenetv2_options;

AN_API void an_mobilenetv2_options_init(an_mobilenetv2_options *options, uint32_t struct_size);

/**
 * Build MobileNetV2 with average pooling and a dense head (logits for classification).
 *
 * Owns:    *out is the caller's; it holds a reference to the backend.
 * Returns: AN_OK; AN_ERR_ARG (an option out of range, or scale AUTO with a file that does not
 *          specify it); AN_ERR_IO, AN_ERR_FORMAT (weight file: the message gives the first layer
 *          that differs, with both shapes, or both alphas if they differ); AN_ERR_UNSUPPORTED (a
 *          Keras file of a different network, see an_model_load(); no libcurl); AN_ERR_CANCELLED
 *          (by progress); AN_ERR_NOMEM.
 * Threads: any, but only one call at a time may download the same file (an_download()); blocks.
 * Source:  keras.applications.MobileNetV2, include_top=False, pooling='avg' (docs/numerics.md).
 */
AN_API an_status an_mobilenetv2_create(an_model **out, an_backend *backend,
                                       const an_mobilenetv2_options *options, an_error *err);

/**
 * Load a model: a safetensors file written by an_model_save(), which contains size, padding, scale
 * and outputs, a Keras file, a state dict of PyTorch as safetensors, or an ONNX file. The content
 * decides, not the name.
 *
 * Takes:   options: NULL = everything as in the file. Fields that are set override those properties
 *          that a file may leave unspecified (size; padding; scale: a Keras file has none, so AUTO
 *          is AN_ERR_ARG there, except for ImageNet weights, for a model that does its own
 *          scaling and for files of an_model_export(), see below). alpha, outputs and task come
 *          from the file: those of options are checked and otherwise ignored. weights_kind must be
 *          RANDOM, or FILE with weights_path equal to path.
 *
 * Keras:   the network that the file's config describes must match this one: every layer, its
 *          settings, its inputs, and every array of the file. Dropout and augmentation layers are
 *          skipped. Rescaling, Normalization and arithmetic operators with a constant in front of
 *          the network become the scale if they map pixels from 0 to 255 to x/255, x/127.5-1 or
 *          x/.255 (within 1e-6). Models with a half-precision policy are computed in float. A
 *          .weights.h5 has no config: the arrays and the classes of its layers are compared. The
 *          epsilon of batch norm is that of the config, the same in all layers. A file written by
 *          an_model_export() also says what an_model_save() writes: scale, class names, ...; where
 *          its config says something, that is what counts.
 * ONNX:    the nodes must compute a MobileNetV2, whatever they are called and however they are
 *          grouped. Nodes in front that scale pixels become the scale, as above. Where batch norm
 *          is folded into the convolutions, the model has one that changes nothing: it predicts
 *          what the file does, and AN_BASE_FINETUNE starts from there; AN_BASE_TRAIN does not,
 *          since the statistics of a folded batch norm are lost. Quantised files and weights in a
 *          second file are AN_ERR_UNSUPPORTED.
 * PyTorch: the state dict of torchvision's mobilenet_v2() or timm's mobilenetv2_* of any width (but
 *          not of other depths), in float32, float16 or bfloat16; num_batches_tracked is ignored.
 *          Padding is SYMMETRIC and epsilon 1e-5, scale and task with ImageNet's 1000 classes TORCH
 *          and CLASSIFICATION, unless options or metadata say otherwise. Pickles (.pth, .pt) are
 *          AN_ERR_UNSUPPORTED; the message says how to convert them.
 * Owns:    *out is the caller's; it holds a reference to the backend.
 * Returns: AN_OK; AN_ERR_ARG (an option out of range or unspecified, or a scale that contradicts
 *          the layers in the file); AN_ERR_IO; AN_ERR_FORMAT; AN_ERR_UNSUPPORTED (a different
 *          network: the message names the layer or node and the setting, and says what was found
 *          and what was expected); AN_ERR_NOMEM.
 * Threads: any.
 */
AN_API an_status an_model_load(an_model **out, an_backend *backend, const char *path,
                               const an_mobilenetv2_options *options, an_error *err);

/**
 * Load a model from memory.
 *
 * Takes:   bytes, size: the content of a file that an_model_load() accepts, such as one from
 *          an_model_save() or an_model_save_bytes(); not kept. name: used instead of the path in
 *          messages; NULL = "in memory". options: as for an_model_load(), with weights_kind RANDOM.
 * Owns:    *out is the caller's; it holds a reference to the backend.
 * Returns: as an_model_load(), without AN_ERR_IO; the same model from the same bytes.
 * Threads: any.
 */
AN_API an_status an_model_load_bytes(an_model **out, an_backend *backend, const void *bytes,
                                     int64_t size, const char *name,
                                     const an_mobilenetv2_options *options, an_error *err);

/** Formats of other tools. */
enum {
    AN_EXPORT_AUTO = 0,          /* by the ending of the path */
    AN_EXPORT_ONNX = 1,          /* .onnx */
    AN_EXPORT_KERAS_H5 = 2,      /* .h5: the whole model, for tf_keras and Keras 3 */
    AN_EXPORT_KERAS_WEIGHTS = 3, /* .weights.h5: for load_weights() of Keras 3 */
    AN_EXPORT_KERAS_ARCHIVE = 4, /* .keras: the whole model, for Keras 3 */
    AN_EXPORT_TORCHVISION = 5,   /* safetensors with the names of torchvision's state dict */
    AN_EXPORT_TIMM = 6           /* the same with timm's names */
};

/** The order of an image's axes. */
enum { AN_LAYOUT_NHWC = 0, AN_LAYOUT_NCHW = 1 };

/** How to export a model. Initialise with an_export_options_init(), then change what you need. */
typedef struct an_export_options {
    uint32_t struct_size;  /* set by init; new fields are only appended */
    int32_t format;        /* AN_EXPORT_*; default AUTO */
    int32_t layout;        /* ONNX: of the input, AN_LAYOUT_*; others: NHWC; default NHWC */
    int32_t include_scale; /* 1: the input is RGB from 0 to 255 (ONNX: uint8; Keras: float, to which
                              it casts bytes), and the file scales it; 0: it is float, scaled
                              already, as for an_model_predict(); PyTorch: 0; default 0 */
    int32_t inference;     /* AN_INFERENCE_FP32, or for ONNX INT8 with the model's calibration;
                              default FP32 */
    int32_t reserved;      /* 0 */
} an_export_options;

AN_API void an_export_options_init(an_export_options *options, uint32_t struct_size);

/**
 * Write a model for another tool.
 *
 * ONNX:    opset 17, IR version 8. The input "image" is [N,H,W,3] or [N,3,H,W] with N free, H and W
 *          as given by an_model_describe(); the output "prediction" is float [N,outputs], as
 *          an_model_predict() returns it: raw for regression, probabilities for classification.
 *          Batch norm is folded into the convolutions. Metadata: what an_model_save() writes (size,
 *          scale, task, classes, ...) and "input", what the input must be. int8: weights and
 *          values are rounded as in an_model_set_inference() with INT8, between QuantizeLinear and
 *          DequantizeLinear; other tools compute with them in their own way.
 * Keras:   a flat functional model with the layer names of keras.applications, the scaling as a
 *          Rescaling layer with include_scale, then pooling and a dense layer, whose activation is
 *          linear, sigmoid or softmax by task. load_model() compiles it with Adam and the loss of
 *          the task; there is no optimizer state. KERAS_H5 is for tf_keras and Keras 3, with
 *          compile=True and False; KERAS_ARCHIVE for Keras 3; KERAS_WEIGHTS for load_weights() of
 *          Keras 3 in a model of the same layers. What an_model_save() writes as metadata, such as
 *          scale and class names, is in an attribute of the file that Keras ignores.
 * PyTorch: a state dict as safetensors, for load_state_dict() of torchvision's mobilenet_v2() or
 *          timm's mobilenetv2_*, with as many classes as the model has outputs, whose logits it
 *          computes. Metadata as in ONNX, so that an_model_load() knows size, scale and classes.
 *          Padding and epsilon are not in a state dict: they must be SYMMETRIC and 1e-5, as in
 *          models that were made from such a file.
 * Takes:   path: written atomically. options: NULL = defaults. AUTO: the ending of path, in upper
 *          or lower case, decides; .weights.h5 is not .h5; .safetensors stands for no format here.
 * Returns: AN_OK; AN_ERR_ARG (NULL, an invalid option, format AUTO and an unknown ending, INT8 of a
 *          model without calibration, INT8 or NCHW in a file other than ONNX, include_scale in a
 *          state dict); AN_ERR_UNSUPPORTED (an archive over 4 GiB; a padding or epsilon that
 *          PyTorch's network does not have); AN_ERR_IO; AN_ERR_NOMEM.
 * Threads: reads the model (see an_model).
 */
AN_API an_status an_model_export(const an_model *model, const char *path,
                                 const an_export_options *options, an_error *err);

/** Count the parameters of MobileNetV2 with a dense head: all of them, and those trainable in
 *  AN_BASE_TRAIN (each may be NULL). Returns AN_OK; AN_ERR_ARG (alpha or outputs out of range).
 *  Threads: any. */
AN_API an_status an_mobilenetv2_count_parameters(double alpha, int32_t outputs, int64_t *all,
                                                 int64_t *trainable, an_error *err);

#ifdef __cplusplus
}
#endif
#endif
