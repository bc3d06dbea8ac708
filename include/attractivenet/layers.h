/* SPDX-License-Identifier: MIT
 * Single layers on tensors, and an_model: a network with its weights on a backend. */
#ifndef ATTRACTIVENET_LAYERS_H
#define ATTRACTIVENET_LAYERS_H

#include <attractivenet/backend.h>
#include <attractivenet/io.h>
#include <attractivenet/kinds.h>
#include <attractivenet/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- single layers ---------------------------------------------------------------------------
 * Thin wrappers around the kernels that the network itself uses, for checks and your own
 * experiments. All tensors belong to the caller and must have the right shape (AN_ERR_ARG: the
 * message says what was found and what was expected); no axis may be 0. Outputs are overwritten,
 * and may also be inputs of the same call. A gradient argument may be NULL if it is not needed.
 * Values are not checked, except the targets of losses.
 * Threads: any number of concurrent calls; no two may write to the same tensor. */

enum { AN_CONV_FULL = 0, AN_CONV_DEPTHWISE = 1 };

/** A 2-D convolution without bias: cross-correlation, zero padding, channels last. */
typedef struct an_conv_options {
    uint32_t struct_size;                             /* set by init */
    int32_t kind;                                     /* AN_CONV_*; default FULL */
    int32_t stride;                                   /* 1 or 2, in both directions; default 1 */
    int32_t pad_top, pad_bottom, pad_left, pad_right; /* rows and columns of zero padding, 0 to 2 */
} an_conv_options;

AN_API void an_conv_options_init(an_conv_options *options, uint32_t struct_size);

/**
 * Convolve.
 *
 * Shapes:  x [N,H,W,Cin]; w [kh,kw,Cin,Cout] with kh = kw = 1 or 3, depthwise [3,3,C,1];
 *          y [N,OH,OW,Cout], OH = (H + pad_top + pad_bottom - kh) / stride + 1, rounded down.
 * Source:  Keras Conv2D and DepthwiseConv2D (docs/numerics.md, section layers).
 */
AN_API an_status an_conv_forward(an_backend *backend, const an_conv_options *options,
                                 const an_tensor *x, const an_tensor *w, an_tensor *y,
                                 an_error *err);
/** Compute dx and dw (shapes of x and w) from dy (shape of y). */
AN_API an_status an_conv_backward(an_backend *backend, const an_conv_options *options,
                                  const an_tensor *x, const an_tensor *w, const an_tensor *dy,
                                  an_tensor *dx, an_tensor *dw, an_error *err);

/**
 * Normalise with the batch statistics, updating the moving ones with momentum (training 1), or with
 * the moving statistics (training 0).
 *
 * Shapes:  x, y [N,H,W,C]; gamma, beta, mean, variance [C]; mean and variance are the moving ones.
 * Takes:   momentum: 0 to 1.
 * Source:  Keras 2 BatchNormalization, fused: epsilon 1e-3; the moving variance is updated with
 *          N/(N-1) times the biased batch variance (docs/numerics.md, section batch norm).
 */
AN_API an_status an_batch_norm_forward(an_backend *backend, const an_tensor *x,
                                       const an_tensor *gamma, const an_tensor *beta,
                                       an_tensor *mean, an_tensor *variance, double momentum,
                                       int32_t training, an_tensor *y, an_error *err);
/** Compute dx, dgamma and dbeta from dy; mean and variance are the moving ones (used if training is
 *  0). */
AN_API an_status an_batch_norm_backward(an_backend *backend, const an_tensor *x,
                                        const an_tensor *gamma, const an_tensor *mean,
                                        const an_tensor *variance, int32_t training,
                                        const an_tensor *dy, an_tensor *dx, an_tensor *dgamma,
                                        an_tensor *dbeta, an_error *err);

/** Clamp to 0..6; NaN stays NaN. Shapes: x, y the same, any rank. Source: Keras ReLU(6). */
AN_API an_status an_relu6_forward(an_backend *backend, const an_tensor *x, an_tensor *y,
                                  an_error *err);
/** Compute dx: dy where 0 < x < 6, else 0. */
AN_API an_status an_relu6_backward(an_backend *backend, const an_tensor *x, const an_tensor *dy,
                                   an_tensor *dx, an_error *err);
/** Add. Shapes: a, b, y the same. */
AN_API an_status an_add_forward(an_backend *backend, const an_tensor *a, const an_tensor *b,
                                an_tensor *y, an_error *err);
/** Average over H and W. Shapes: x [N,H,W,C], y [N,C]. */
AN_API an_status an_pool_forward(an_backend *backend, const an_tensor *x, an_tensor *y,
                                 an_error *err);
/** Distribute dy [N,C] over dx [N,H,W,C], divided by H*W. */
AN_API an_status an_pool_backward(an_backend *backend, const an_tensor *dy, an_tensor *dx,
                                  an_error *err);
/** Compute y = x w + b. Shapes: x [N,in], w [in,out], b [out], y [N,out]. */
AN_API an_status an_dense_forward(an_backend *backend, const an_tensor *x, const an_tensor *w,
                                  const an_tensor *b, an_tensor *y, an_error *err);
/** Compute dx, dw and db from dy. */
AN_API an_status an_dense_backward(an_backend *backend, const an_tensor *x, const an_tensor *w,
                                   const an_tensor *dy, an_tensor *dx, an_tensor *dw, an_tensor *db,
                                   an_error *err);

/**
 * Compute a loss and its gradient with respect to the prediction.
 *
 * Shapes:  prediction, target [N,out]; weights [N] or NULL = 1 each; gradient [N,out] or NULL.
 *          loss: the mean of weight times loss over N, summed in double.
 * Takes:   kind: AN_LOSS_MSE to BINARY; AUTO is not allowed, as there is no model. weights: finite,
 *          at least 0.
 * Returns: AN_OK; AN_ERR_ARG, also for CATEGORICAL with one output, whose softmax is always 1, and
 *          for a target of CATEGORICAL or BINARY outside 0 to 1. CATEGORICAL rows whose sum is not
 *          1 are handled as in Keras: the sum acts as a sample weight.
 * Source:  Keras losses with from_logits=True, sample_weight and reduction sum_over_batch_size; as
 *          in Keras, BINARY is the mean over outputs.
 */
AN_API an_status an_loss_compute(an_backend *backend, int32_t kind, const an_tensor *prediction,
                                 const an_tensor *target, const an_tensor *weights, double *loss,
                                 an_tensor *gradient, an_error *err);

/* --- model ----------------------------------------------------------------------------------- */

/**
 * A network with its weights on a backend. Models are created by the functions in mobilenetv2.h.
 *
 * Threads: any number of concurrent calls that read the model: an_model_predict(),
 *          _compute_features(), _predict_from_features(), _describe(), _summary(), _copy_weights(),
 *          _copy_gradients(), _save(), _save_bytes(), _copy(), an_model_evaluate(),
 *          an_predict_loader(), an_compute_features_loader(), and predictors. Only one call at a
 *          time may change it (by training, calibration or a setter) or explain its predictions; a
 *          second one, on another
 *          thread or in a callback of the first, returns AN_ERR_ARG. Readers do not wait for it. A
 *          prediction uses a consistent snapshot of the weights: their state after the last
 *          complete step or the last call that changed them. (Within a step of several batches, see
 *          accumulate, moving statistics are those after its last batch.)
 */
typedef struct an_model an_model;

/** Description of a model. */
typedef struct an_model_info {
    uint32_t struct_size;  /* set by init; the library fills in no more than that */
    int32_t height, width; /* pixels of the input */
    int32_t outputs;       /* numbers per image */
    int32_t task;          /* AN_TASK_* */
    int32_t scale;         /* AN_SCALE_*, not AUTO */
    int32_t padding;       /* AN_PADDING_*, not AUTO */
    int32_t base;          /* AN_BASE_* as last set */
    int32_t features;      /* number of inputs of the head */
    int32_t reserved;      /* 0 */
    double alpha;          /* width multiplier */
    int64_t parameters;    /* all of them, including the moving statistics */
    int64_t trainable;     /* those trained in the current base mode */
    int32_t calibrated;    /* 1: has the ranges for int8 inference */
    int32_t inference;     /* AN_INFERENCE_*: number type of inference */
    int32_t precision;     /* AN_PRECISION_* for training, as last set */
    int32_t recompute;     /* 0 or 1: training recomputes activations, as last set */
    double epsilon;        /* of batch norm: added to the variance */
} an_model_info;

AN_API void an_model_info_init(an_model_info *info, uint32_t struct_size);

/** Release a model; NULL is allowed. The model is freed once no trainer or predictor uses it. */
AN_API void an_model_destroy(an_model *model);

/** Fill in info. Returns AN_OK; AN_ERR_ARG if struct_size was not set. */
AN_API an_status an_model_describe(const an_model *model, an_model_info *info, an_error *err);

/** Return the backend; borrowed from the model. */
AN_API an_backend *an_model_backend(const an_model *model);

enum {
    AN_SUMMARY_KERAS = 0,    /* the table printed by tf_keras 2.19 */
    AN_SUMMARY_NOTEBOOK = 1, /* the table shown in the tutorial's notebook (TF 2.1) */
    AN_SUMMARY_LAYERS = 2    /* every layer of the base, with shape, parameters and padding */
};
/**
 * Write the table of layers and parameters as text.
 *
 * Writes:  at most capacity bytes, including the terminating 0; nothing if text is NULL.
 * Returns: the number of bytes that the whole text needs, including the terminating 0; 0 (and text
 *          "") for an unknown style.
 */
AN_API int64_t an_model_summary(const an_model *model, int32_t style, char *text, int64_t capacity);

/**
 * Attach a flag that cancels the long calls on a model: an_model_predict(), _compute_features(),
 * _predict_from_features(), _compute_gradients(), _compute_head_gradients(),
 * _update_batch_norm_add(), _calibrate_add(), _explain(), an_model_evaluate(), an_predict_loader(),
 * an_compute_features_loader(), an_calibrate_loader(), and an_trainer_run() and
 * an_trainer_run_epoch() of its trainers. They can also be cancelled while they wait for a batch or
 * for another call's step. Predictors have their own flag.
 *
 * Takes:   cancel: a reference is kept; NULL = none, the initial state. It is polled by calls that
 *          begin later.
 * Changes: everything that a cancelled call would have changed stays as it was before the call; a
 *          trainer's run stays at its last complete step: weights, moving statistics, optimizer
 *          moments, history and position in the epoch, so that the next call continues from there
 *          with bit-identical results. The contents of output arrays are undefined. After a
 *          cancelled an_model_compute_gradients() there are no gradients.
 * Returns: AN_OK; AN_ERR_ARG (model is NULL); AN_ERR_NOMEM (the previous flag stays attached).
 * Threads: any, at any time.
 */
AN_API an_status an_model_set_cancel(an_model *model, an_cancel *cancel, an_error *err);

/** Choose what training does to the base. Returns AN_OK; AN_ERR_ARG for an unknown mode. An
 *  existing optimizer keeps its moments; the tutorial makes a new one for each stage. */
AN_API an_status an_model_set_base(an_model *model, int32_t base, an_error *err);

/**
 * Choose what training steps of the whole network keep in memory, for training loops without a
 * trainer; a trainer applies its own options.
 *
 * Takes:   precision: AN_PRECISION_*; default FP32. recompute: 1 drops the widest activations, the
 *          outputs of the expand convolutions, once they have been read, and recomputes them in the
 *          backward pass: less memory, slightly more time, bit-identical results; default 0.
 * Returns: AN_OK; AN_ERR_ARG.
 * Note:    neither affects files or predictions. Memory from earlier steps is freed.
 */
AN_API an_status an_model_set_training(an_model *model, int32_t precision, int32_t recompute,
                                       an_error *err);

/** Set the momentum of the moving statistics, 0 to 1 (default 0.999; 0.9 suits short runs). */
AN_API an_status an_model_set_momentum(an_model *model, double momentum, an_error *err);

/**
 * Predict a batch, using the moving statistics.
 *
 * Shapes:  x [n,H,W,3] scaled with the model's scale, finite; y [n,outputs], written (class
 *          probabilities for classification). H and W as given by an_model_describe(); n at least
 *          1.
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_NOMEM; AN_ERR_DEVICE.
 * Threads: any number of concurrent calls.
 */
AN_API an_status an_model_predict(an_model *model, const float *x, int64_t n, float *y,
                                  an_error *err);

/** Compute the head's input for a batch, using the moving statistics. Shapes: features
 *  [n,features]. Returns: as an_model_predict(), with the same checks of x. */
AN_API an_status an_model_compute_features(an_model *model, const float *x, int64_t n,
                                           float *features, an_error *err);
/** Predict y [n,outputs] from features [n,features], using the head alone. */
AN_API an_status an_model_predict_from_features(an_model *model, const float *features, int64_t n,
                                                float *y, an_error *err);

/** A batch whose loss is computed by the caller's own function. */
typedef struct an_loss_batch {
    uint32_t struct_size;    /* bytes of this struct in the library that fills it */
    int32_t outputs;         /* numbers per sample */
    int64_t n;               /* samples */
    const float *prediction; /* [n,outputs]; for classification logits, not probabilities */
    const float *target;     /* [n,outputs] */
    const float *weights;    /* [n]: weight of each sample; NULL = 1 each */
    double *loss;            /* to be written: the mean loss over the samples */
    float *gradient;         /* [n,outputs], to be written: the derivative of that mean with respect
                                to each prediction; NULL: not needed */
} an_loss_batch;

/** As an_warning_init(). */
AN_API void an_loss_batch_init(an_loss_batch *batch, uint32_t struct_size);

/**
 * Compute the loss of a batch. All pointers are borrowed during the call; values that are not
 * written count as NaN.
 *
 * Returns: 0 on success; any other number stops the caller with AN_ERR_CANCELLED.
 * Threads: called on the caller's thread. It must return, and must not use the model for which the
 *          loss is computed: a call on that model that would have to wait for the current step
 *          returns AN_ERR_ARG.
 */
typedef int32_t (*an_loss_fn)(void *user, const an_loss_batch *batch);

/** Which loss. Initialise with an_loss_options_init(), then change what you need. */
typedef struct an_loss_options {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t kind;         /* AN_LOSS_*; default AUTO. For regression MSE, MAE or HUBER; for
                             classification CATEGORICAL, or BINARY with one output: the loss of the
                             probabilities that an_model_predict() returns. Targets of these two lie
                             in 0 to 1 */
    int32_t accumulate;   /* 1: the gradients become those of the mean over this batch and all
                             previous ones since the last call with 0, as if they were one batch
                             (except that batch statistics are computed per batch); the loss is that
                             of this batch; default 0 */
    int32_t reserved;     /* 0 */
    an_loss_fn fn;        /* a custom loss function, with kind AUTO; must stay valid as long as the
                             object or call that uses it; NULL = none */
    void *user;           /* passed to fn */
    const float *weights; /* [n]: each sample's loss is multiplied by its weight before the mean
                             over n, as with Keras' sample_weight; finite, at least 0; NULL = 1
                             each. Borrowed during the call */
} an_loss_options;

AN_API void an_loss_options_init(an_loss_options *options, uint32_t struct_size);

/**
 * Compute the loss of a batch and all gradients that the base mode requires; update the moving
 * statistics if the mode requires it. Weights do not change: see an_optimizer_step().
 *
 * Shapes:  x [n,H,W,3], finite; y [n,outputs].
 * Takes:   loss: NULL = the default loss for the model's task.
 * Writes:  *loss_value, the mean over the batch, before any update; NULL = not wanted, and not
 *          waited for: a device then still computes when the call returns (x and y have been read),
 *          and an error of it may be returned by a later call.
 * Returns: AN_OK; AN_ERR_ARG (a loss for another task: the message names both; a target that the
 *          loss does not allow; a loss function whose loss is finite but whose gradient is not;
 *          accumulate without existing gradients of the same base mode); AN_ERR_CANCELLED by a loss
 *          function; AN_ERR_NOMEM; AN_ERR_DEVICE. After a failure the moving statistics are
 *          unchanged; with accumulate the gradients are also unchanged; without it there are none.
 */
AN_API an_status an_model_compute_gradients(an_model *model, const float *x, const float *y,
                                            int64_t n, const an_loss_options *loss,
                                            double *loss_value, an_error *err);
/** As an_model_compute_gradients() for the head alone, from features [n,features] (base frozen). */
AN_API an_status an_model_compute_head_gradients(an_model *model, const float *features,
                                                 const float *y, int64_t n,
                                                 const an_loss_options *loss, double *loss_value,
                                                 an_error *err);
/**
 * Recompute the moving statistics as the mean over some batches: begin, add each batch (forward
 * pass only, batch statistics), end (nothing changes until then). A second begin discards the
 * batches added so far. AN_ERR_ARG: add without begin, end without a batch, and either call if
 * weights or statistics have changed since begin.
 */
AN_API an_status an_model_update_batch_norm_begin(an_model *model, an_error *err);
/** Add a batch: see an_model_update_batch_norm_begin(). */
AN_API an_status an_model_update_batch_norm_add(an_model *model, const float *x, int64_t n,
                                                an_error *err);
/** Set the moving statistics: see an_model_update_batch_norm_begin(). */
AN_API an_status an_model_update_batch_norm_end(an_model *model, an_error *err);

/**
 * Calibrate int8 inference: begin, add typical images (about 50 from the validation set), end.
 * Predictions then use int8: packed weights and buffers take a quarter of the memory, and
 * predictions two thirds of the time, with a small error in each score (docs/numerics.md, section
 * int8). Any change to a weight discards the calibration and returns to fp32. Training,
 * an_model_compute_features() and the head always use fp32.
 *
 * Shapes:  x [n,H,W,3], as for an_model_predict().
 * Returns: AN_OK; AN_ERR_ARG: end without an image, add without begin, and either call if weights
 *          have changed since begin; AN_ERR_FORMAT: the weights contain NaN or infinity, or values
 *          too far apart for int8; AN_ERR_NOMEM.
 * Bits:    a given calibration yields the same scores for any number of threads, at every ISA level
 *          and on every backend. The calibration itself runs in fp32, whose last bits differ
 *          between levels and backends: for identical scores everywhere, calibrate once and load
 *          the file that an_model_save() wrote.
 * Source:  docs/numerics.md, section int8. an_model_save() saves the calibration with the model.
 */
AN_API an_status an_model_calibrate_begin(an_model *model, an_error *err);
/** Add images: see an_model_calibrate_begin(). */
AN_API an_status an_model_calibrate_add(an_model *model, const float *x, int64_t n, an_error *err);
/** Set the ranges: see an_model_calibrate_begin(). */
AN_API an_status an_model_calibrate_end(an_model *model, an_error *err);
/**
 * Choose the number type of inference, AN_INFERENCE_* in kinds.h. BF16 needs no calibration and
 * stays in effect when weights change; it is fast at level avx512bf16, and only saves memory at
 * other levels. Training, an_model_compute_features() and the head always use fp32. Weights packed
 * for another type are released, and packed again when needed.
 *
 * Returns: AN_OK; AN_ERR_ARG: an unknown type, or INT8 without a calibration for the current
 *          weights.
 * Source:  docs/numerics.md, sections int8 and bf16. an_model_save() saves the choice with the
 *          model.
 */
AN_API an_status an_model_set_inference(an_model *model, int32_t inference, an_error *err);

enum {
    AN_EXPLAIN_RAISES = 0, /* what raises the output: values below 0 become 0, as in the paper */
    AN_EXPLAIN_LOWERS = 1, /* what lowers it: values above 0 become 0, the others positive */
    AN_EXPLAIN_SIGNED = 2  /* both: the values as they are */
};

/** What an_model_explain() explains. Initialise with an_explain_options_init(), then change what
 *  you need. */
typedef struct an_explain_options {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t output;       /* from 0; for classification its logit, before softmax or sigmoid. -1,
                             the default: the largest output of each image */
    int32_t sign;         /* AN_EXPLAIN_*; default RAISES */
    int32_t reserved;     /* 0 */
    const char *layer; /* whose maps: a layer of the base, named as in AN_SUMMARY_LAYERS. Borrowed
                          during the call. NULL, the default: the activation after the last
                          convolution, "out_relu" */
} an_explain_options;

AN_API void an_explain_options_init(an_explain_options *options, uint32_t struct_size);

/**
 * Compute where in each image a model finds what raises or lowers an output (Grad-CAM): the sum of
 * the channels of a layer, each multiplied by the mean of its gradient. The gradient is that of the
 * output with respect to the layer's output, using the moving statistics.
 *
 * Shapes:  x [n,H,W,3], as for an_model_predict(); maps [n,height,width], written; see
 *          an_model_explain_size(). To show a map, divide it by its maximum and scale it to the
 *          size of the image.
 * Takes:   options: NULL = the defaults.
 * Units:   for the default layer, the values of a SIGNED map add up to the output minus the head's
 *          bias.
 * Returns: AN_OK; AN_ERR_ARG (an unknown layer, output or sign, values of x that are not finite,
 *          another call that changes the model); AN_ERR_CANCELLED; AN_ERR_NOMEM; AN_ERR_DEVICE.
 *          After a failure the contents of maps are undefined. The model, with its gradients, is
 *          unchanged in any case.
 * Threads: like a call that changes the model (see an_model), since it uses the memory of training.
 *          To explain predictions during training, copy the model: see an_model_copy(), with
 *          AN_SHARE_WEIGHTS.
 * Cost:    one forward pass in fp32 per image, whatever the number types of inference and training,
 *          and a backward pass down to the layer; none of weights. Images are computed one by one.
 *          The memory, at most that of a training step with one image, is kept for later calls.
 * Source:  Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
 *          Localization, ICCV 2017 (docs/numerics.md, section Grad-CAM).
 */
AN_API an_status an_model_explain(an_model *model, const float *x, int64_t n,
                                  const an_explain_options *options, float *maps, an_error *err);
/** Return the size of a layer's maps in *height and *width. Takes: layer: as in an_explain_options.
 *  Returns: AN_OK; AN_ERR_ARG (an unknown layer, NULL). */
AN_API an_status an_model_explain_size(const an_model *model, const char *layer, int32_t *height,
                                       int32_t *width, an_error *err);

/** Copy all weights, with Keras' names, in layer order. Owns: *out is the caller's. */
AN_API an_status an_model_copy_weights(an_arrays **out, const an_model *model, an_error *err);
/** Copy the gradients of the last an_model_compute_gradients(): the same names, trained arrays
 *  only. */
AN_API an_status an_model_copy_gradients(an_arrays **out, const an_model *model, an_error *err);
/** Set the weights by name. The list must contain every array of the model with the right shape
 *  (the message names the first that differs, with both shapes); other arrays are ignored. After an
 *  error the model is unchanged. */
AN_API an_status an_model_set_weights(an_model *model, const an_arrays *arrays, an_error *err);
/** Reinitialise the head (Glorot uniform, bias 0). */
AN_API an_status an_model_reset_head(an_model *model, uint32_t seed, an_error *err);

/**
 * Name the classes, in the order of the outputs. Replaces any existing names.
 *
 * Takes:   names [count], copied: each 1 to 1000 bytes of UTF-8, all different. count: the number
 *          of outputs; 2 for a model with one output, which is the probability of names[1]. NULL
 *          with count 0: no names.
 * Returns: AN_OK; AN_ERR_ARG (a wrong count, an invalid name, a regression model): the names are
 *          unchanged; AN_ERR_NOMEM.
 * Note:    an_model_save() writes them as the metadata entry "classes", a JSON array;
 *          an_model_load() restores them, and an_model_copy() copies them.
 * Threads: changes the model (see an_model).
 */
AN_API an_status an_model_set_class_names(an_model *model, const char *const *names, int32_t count,
                                          an_error *err);
/** Return the number of class names; 0: the model has none. */
AN_API int32_t an_model_class_count(const an_model *model);
/** Return the name of class class_index, from 0; borrowed from the model until its names are set
 *  again; NULL if there is no such class or name. */
AN_API const char *an_model_class_name(const an_model *model, int32_t class_index);

/**
 * Set how sure the predictions of a regression model are: with probability level, the true value of
 * an image like those measured lies within half a width of the prediction.
 *
 * Takes:   level: between 0 and 1. half_widths [count], in units of the outputs, finite, at least
 *          0, as from an_conformal_half_width(); copied. count: the number of outputs. NULL and 0
 *          remove them.
 * Returns: AN_OK; AN_ERR_ARG (a classification model, a wrong count or value): unchanged;
 *          AN_ERR_NOMEM.
 * Note:    they belong to the current weights: whatever changes a weight removes them.
 *          an_model_save() writes them as the metadata entry "intervals", JSON; an_model_load()
 *          restores them, and an_model_copy() copies them.
 * Threads: changes the model (see an_model).
 */
AN_API an_status an_model_set_intervals(an_model *model, double level, const double *half_widths,
                                        int32_t count, an_error *err);
/** Return half the width of the interval of an output (from 0); NaN: there is none. *level: its
 *  probability, or NaN; may be NULL. Threads: any. */
AN_API double an_model_interval(const an_model *model, int32_t output, double *level);

enum {
    AN_COPY_WEIGHTS = 0, /* the copy has its own weights from the start */
    AN_SHARE_WEIGHTS = 1 /* the model and its copy share the weights until one of them changes */
};
/**
 * Copy a model, in its state between two training steps (with accumulate, between two batches: the
 * moving statistics then include the batches of the unfinished step): weights, moving statistics,
 * base mode, momentum, training settings, calibration, inference type, class names. Gradients,
 * unfinished updates (of batch norm, or a calibration) and the flag of an_model_set_cancel() are
 * not copied.
 *
 * Takes:   backend: that of the copy; NULL = the model's. weights: AN_COPY_WEIGHTS or
 *          AN_SHARE_WEIGHTS. Either way, the model and its copy are independent and give the same
 *          scores. With SHARE there is only one set of weights in memory, including packed ones, as
 *          long as neither changes; a copy of a copy also shares it. The first call that changes
 *          the weights or statistics of one of them (or computes a gradient) allocates separate
 *          memory, and returns AN_ERR_NOMEM if there is none. Packed weights are shared if they
 *          match the model's current inference type; this call packs them if necessary.
 * Owns:    *out is the caller's; it holds a reference to the backend. The two may be destroyed in
 *          any order.
 * Returns: AN_OK; AN_ERR_ARG (also in a child of the process that created a backend); AN_ERR_NOMEM;
 *          AN_ERR_UNSUPPORTED: SHARE with backends of different kinds or ISA levels (AN_CPU).
 * Threads: reads the model (see an_model); waits for a training step to finish.
 */
AN_API an_status an_model_copy(an_model **out, const an_model *model, an_backend *backend,
                               int32_t weights, an_error *err);

/** Write the model as safetensors with everything needed to load it, atomically. A calibration is
 *  stored as two arrays: "int8/ranges", [units,2], the smallest and largest values, and
 *  "int8/means", [3 + channels], of the image and of each unit. Returns AN_OK; AN_ERR_ARG (NULL);
 *  AN_ERR_IO; AN_ERR_NOMEM. */
AN_API an_status an_model_save(const an_model *model, const char *path, an_error *err);

/** Save the model to memory: the bytes of the file that an_model_save() writes, for
 *  an_model_load_bytes(). Owns: *out is the caller's; free with an_bytes_destroy(). Returns as
 *  an_model_save(), without AN_ERR_IO. */
AN_API an_status an_model_save_bytes(an_bytes **out, const an_model *model, an_error *err);

#ifdef __cplusplus
}
#endif
#endif
