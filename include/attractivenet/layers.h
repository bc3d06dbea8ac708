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
 * Thin wrappers around the kernels that the network itself runs on, for checks and for experiments
 * of your own. All tensors are the caller's and must have the right shape (AN_ERR_ARG: the message
 * says what was found and expected); no axis is 0; outputs are overwritten, and may be inputs of
 * the same call. A gradient argument may be NULL if it is not wanted. Values are not checked,
 * except the targets of losses.
 * Threads: any number of calls at once; no two may write the same tensor. */

enum { AN_CONV_FULL = 0, AN_CONV_DEPTHWISE = 1 };

/** A 2-D convolution without bias: cross-correlation, zero padding, channels last. */
typedef struct an_conv_options {
    uint32_t struct_size;                             /* set by init */
    int32_t kind;                                     /* AN_CONV_*; default FULL */
    int32_t stride;                                   /* 1 or 2, both directions; default 1 */
    int32_t pad_top, pad_bottom, pad_left, pad_right; /* rows and columns of zeros, 0 to 2 */
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
 * Normalise over the batch (training 1: batch statistics, moving ones updated with momentum) or by
 * the moving statistics (training 0).
 *
 * Shapes:  x, y [N,H,W,C]; gamma, beta, mean, variance [C]; mean and variance are the moving ones.
 * Takes:   momentum: 0 to 1.
 * Source:  Keras 2 BatchNormalization, fused: epsilon 1e-3, the moving variance is fed with N/(N-1)
 *          times the biased one (docs/numerics.md, section batch norm).
 */
AN_API an_status an_batch_norm_forward(an_backend *backend, const an_tensor *x,
                                       const an_tensor *gamma, const an_tensor *beta,
                                       an_tensor *mean, an_tensor *variance, double momentum,
                                       int32_t training, an_tensor *y, an_error *err);
/** Compute dx, dgamma, dbeta from dy; mean and variance are the moving ones (used if training is
 * 0). */
AN_API an_status an_batch_norm_backward(an_backend *backend, const an_tensor *x,
                                        const an_tensor *gamma, const an_tensor *mean,
                                        const an_tensor *variance, int32_t training,
                                        const an_tensor *dy, an_tensor *dx, an_tensor *dgamma,
                                        an_tensor *dbeta, an_error *err);

/** Clamp to 0..6; NaN stays NaN. Shapes: x, y the same, any rank. Source: Keras ReLU(6). */
AN_API an_status an_relu6_forward(an_backend *backend, const an_tensor *x, an_tensor *y,
                                  an_error *err);
/** Pass dy where 0 < x < 6, else 0. */
AN_API an_status an_relu6_backward(an_backend *backend, const an_tensor *x, const an_tensor *dy,
                                   an_tensor *dx, an_error *err);
/** Add. Shapes: a, b, y the same. */
AN_API an_status an_add_forward(an_backend *backend, const an_tensor *a, const an_tensor *b,
                                an_tensor *y, an_error *err);
/** Average over H and W. Shapes: x [N,H,W,C], y [N,C]. */
AN_API an_status an_pool_forward(an_backend *backend, const an_tensor *x, an_tensor *y,
                                 an_error *err);
/** Spread dy [N,C] over dx [N,H,W,C], divided by H*W. */
AN_API an_status an_pool_backward(an_backend *backend, const an_tensor *dy, an_tensor *dx,
                                  an_error *err);
/** Compute y = x w + b. Shapes: x [N,in], w [in,out], b [out], y [N,out]. */
AN_API an_status an_dense_forward(an_backend *backend, const an_tensor *x, const an_tensor *w,
                                  const an_tensor *b, an_tensor *y, an_error *err);
/** Compute dx, dw, db from dy. */
AN_API an_status an_dense_backward(an_backend *backend, const an_tensor *x, const an_tensor *w,
                                   const an_tensor *dy, an_tensor *dx, an_tensor *dw, an_tensor *db,
                                   an_error *err);

/**
 * Compute a loss and its gradient with respect to the prediction.
 *
 * Shapes:  prediction, target [N,out]; weights [N] or NULL = 1 each; gradient [N,out] or NULL.
 *          loss: the mean over N of weight times loss, summed in double.
 * Takes:   kind: AN_LOSS_MSE to BINARY; there is no task for AUTO. weights: finite, at least 0.
 * Returns: AN_OK; AN_ERR_ARG, also for CATEGORICAL with one output, whose softmax is always 1, and
 *          for a target of CATEGORICAL or BINARY that is not 0 to 1. Rows of CATEGORICAL whose sum
 *          is not 1 are taken as Keras takes them: the sum is a weight of the sample.
 * Source:  Keras losses with from_logits=True, their sample_weight and reduction
 *          sum_over_batch_size; BINARY is the mean over outputs there, too.
 */
AN_API an_status an_loss_compute(an_backend *backend, int32_t kind, const an_tensor *prediction,
                                 const an_tensor *target, const an_tensor *weights, double *loss,
                                 an_tensor *gradient, an_error *err);

/* --- model ----------------------------------------------------------------------------------- */

/**
 * A network with its weights on a backend. Made by mobilenetv2.h.
 *
 * Threads: any number of calls that read the model at once: an_model_predict(),
 *          _compute_features(), _predict_from_features(), _describe(), _summary(), _copy_weights(),
 *          _copy_gradients(), _save(), _save_bytes(), _copy(), an_model_evaluate(),
 * an_predict_loader(), an_compute_features_loader(), and predictors. Only one call at a time may
 * change it (train, measure, set something); a second one, on another thread or in a callback of
 * the first, returns AN_ERR_ARG. Readers do not wait for it: a call that predicts uses the weights
 * of one moment, as the last whole step, or the last call that changed them, left them.
 */
typedef struct an_model an_model;

/** What a model is. */
typedef struct an_model_info {
    uint32_t struct_size;  /* set by init; the library fills no more than that */
    int32_t height, width; /* pixels of the input */
    int32_t outputs;       /* numbers per image */
    int32_t task;          /* AN_TASK_* */
    int32_t scale;         /* AN_SCALE_UNIT, TF or ARTICLE */
    int32_t padding;       /* AN_PADDING_FIXED or TUTORIAL */
    int32_t base;          /* AN_BASE_* as last set */
    int32_t features;      /* inputs of the head */
    int32_t reserved;      /* 0 */
    double alpha;          /* width multiplier */
    int64_t parameters;    /* all, moving statistics included */
    int64_t trainable;     /* trained in the current base mode */
    int32_t calibrated;    /* 1: there are ranges for int8 inference */
    int32_t inference;     /* AN_INFERENCE_*: how predictions are made */
    int32_t precision;     /* AN_PRECISION_* of training, as last set */
    int32_t recompute;     /* 0 or 1: activations of training are recomputed, as last set */
} an_model_info;

AN_API void an_model_info_init(an_model_info *info, uint32_t struct_size);

/** Release a model; NULL is allowed. It lives on while a trainer or predictor uses it. */
AN_API void an_model_destroy(an_model *model);

/** Fill info. Returns AN_OK; AN_ERR_ARG for a struct_size that was not set. */
AN_API an_status an_model_describe(const an_model *model, an_model_info *info, an_error *err);

/** Return the backend; borrowed from the model. */
AN_API an_backend *an_model_backend(const an_model *model);

enum {
    AN_SUMMARY_KERAS = 0,    /* the table of tf_keras 2.19 */
    AN_SUMMARY_NOTEBOOK = 1, /* the table as the tutorial's notebook shows it (TF 2.1) */
    AN_SUMMARY_LAYERS = 2    /* every layer of the base with shape, parameters and padding */
};
/**
 * Write the table of layers and parameters as text.
 *
 * Writes:  at most capacity bytes with the final 0; nothing if text is NULL.
 * Returns: the bytes the whole text needs, the final 0 included; 0 (and text "") for an unknown
 *          style.
 */
AN_API int64_t an_model_summary(const an_model *model, int32_t style, char *text, int64_t capacity);

/**
 * Attach a flag that cancels the long calls on a model: an_model_predict(), _compute_features(),
 * _predict_from_features(), _compute_gradients(), _compute_head_gradients(),
 * _update_batch_norm_add(), _calibrate_add(), an_model_evaluate(), an_predict_loader(),
 * an_compute_features_loader(), an_calibrate_loader(), and those of its trainers, an_trainer_run()
 * and an_trainer_run_epoch(); also while they wait for a batch or for another call's step.
 * Predictors have a flag of their own.
 *
 * Takes:   cancel: held; NULL = none, as before. It is polled by calls that begin later.
 * Changes: what a cancelled call would have changed is as before the call; of a trainer's run, as
 *          its last whole step left it: weights, moving statistics, moments of the optimizer,
 *          history and place in the epoch, so that the next call goes on from there with the same
 *          bits. The arrays that a call writes are undefined. After a cancelled
 *          an_model_compute_gradients() there are no gradients.
 * Returns: AN_OK; AN_ERR_ARG (model is NULL); AN_ERR_NOMEM (the flag of before stays).
 * Threads: any, at any time.
 */
AN_API an_status an_model_set_cancel(an_model *model, an_cancel *cancel, an_error *err);

/** Choose what training does to the base. Returns AN_OK; AN_ERR_ARG for an unknown mode.
 *  An optimizer made before keeps its moments; the tutorial makes a new one for each stage. */
AN_API an_status an_model_set_base(an_model *model, int32_t base, an_error *err);

/**
 * Choose what training steps of the whole network keep in memory, for loops without a trainer; a
 * trainer sets what its options say.
 *
 * Takes:   precision: AN_PRECISION_*; default FP32. recompute: 1 drops the widest activations, the
 *          outputs of the expand convolutions, once they have been read, and recomputes them for
 *          the backward pass: less memory, a little more time, the same bits; default 0.
 * Returns: AN_OK; AN_ERR_ARG.
 * Note:    neither changes a file, or how predictions are made. Memory of earlier steps is freed.
 */
AN_API an_status an_model_set_training(an_model *model, int32_t precision, int32_t recompute,
                                       an_error *err);

/** Set the momentum of the moving statistics, 0 to 1 (default 0.999; 0.9 suits short runs). */
AN_API an_status an_model_set_momentum(an_model *model, double momentum, an_error *err);

/**
 * Predict a batch, with the moving statistics.
 *
 * Shapes:  x [n,H,W,3] scaled with the model's scale, finite; y [n,outputs], written (class
 *          probabilities for classification). H, W as an_model_describe() says; n from 1.
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_NOMEM; AN_ERR_DEVICE.
 * Threads: any number of calls at once.
 */
AN_API an_status an_model_predict(an_model *model, const float *x, int64_t n, float *y,
                                  an_error *err);

/** Compute the head's input for a batch, with the moving statistics. Shapes: features [n,features].
 *  Returns: as an_model_predict(), with the same checks of x. */
AN_API an_status an_model_compute_features(an_model *model, const float *x, int64_t n,
                                           float *features, an_error *err);
/** Predict from features [n,features] to y [n,outputs]: the head alone. */
AN_API an_status an_model_predict_from_features(an_model *model, const float *features, int64_t n,
                                                float *y, an_error *err);

/** A batch whose loss a function of the caller's own computes. */
typedef struct an_loss_batch {
    uint32_t struct_size;    /* bytes of this struct in the library that fills it */
    int32_t outputs;         /* numbers per sample */
    int64_t n;               /* samples */
    const float *prediction; /* [n,outputs]; for classification logits, not probabilities */
    const float *target;     /* [n,outputs] */
    const float *weights;    /* [n]: how much each sample counts; NULL = 1 each */
    double *loss;            /* to be written: the mean over the samples */
    float *gradient;         /* [n,outputs], to be written: the derivative of that mean by each
                                prediction; NULL: not wanted */
} an_loss_batch;

/** As an_warning_init(). */
AN_API void an_loss_batch_init(an_loss_batch *batch, uint32_t struct_size);

/**
 * Compute the loss of a batch. All pointers are borrowed during the call; what is not written
 * counts as NaN.
 *
 * Returns: 0; another number stops what goes on with AN_ERR_CANCELLED.
 * Threads: called on the thread that made the call. It must return, and may not use the model that
 *          the loss is computed for: a call on it that would have to wait for the step which asks
 *          for the loss is AN_ERR_ARG.
 */
typedef int32_t (*an_loss_fn)(void *user, const an_loss_batch *batch);

/** Which loss. Fill with an_loss_options_init(), then change what you need. */
typedef struct an_loss_options {
    uint32_t struct_size; /* set by init; later fields are only appended */
    int32_t kind;         /* AN_LOSS_*; default AUTO. For regression MSE, MAE or HUBER; for
                             classification CATEGORICAL, or BINARY with one output: the loss of the
                             probabilities that an_model_predict() gives. Targets of these two are 0
                             to 1 */
    int32_t accumulate;   /* 1: the gradients become those of the mean over this batch and all
                             before it, back to the last call with 0, as if they were one batch
                             (but for batch statistics, which each batch has of its own); the loss is
                             that of this batch; default 0 */
    int32_t reserved;     /* 0 */
    an_loss_fn fn;        /* a loss of the caller's own, with kind AUTO; kept as long as what it is
                             given to; NULL = none */
    void *user;           /* handed to fn */
    const float *weights; /* [n]: each sample's loss is multiplied by its own before the mean over n
                             is taken, as Keras does with sample_weight; finite, at least 0; NULL =
                             1 each. Borrowed during the call */
} an_loss_options;

AN_API void an_loss_options_init(an_loss_options *options, uint32_t struct_size);

/**
 * Compute the loss of a batch and all gradients that the base mode asks for; update the moving
 * statistics if the mode says so. Weights do not change: see an_optimizer_step().
 *
 * Shapes:  x [n,H,W,3], finite; y [n,outputs].
 * Takes:   loss: NULL = the loss of the model's task.
 * Writes:  *loss_value (may be NULL), the mean over the batch, before any update.
 * Returns: AN_OK; AN_ERR_ARG (a loss for another task: the message names both; a target that the
 *          loss does not take; a gradient of a loss function that is not finite though its loss is;
 *          accumulate without gradients of the same base mode); AN_ERR_CANCELLED by a loss
 *          function; AN_ERR_NOMEM; AN_ERR_DEVICE. After a failure the moving statistics are as
 *          before; so are the gradients with accumulate, and without it there are none.
 */
AN_API an_status an_model_compute_gradients(an_model *model, const float *x, const float *y,
                                            int64_t n, const an_loss_options *loss,
                                            double *loss_value, an_error *err);
/** The same for the head alone, from features [n,features] (base frozen). */
AN_API an_status an_model_compute_head_gradients(an_model *model, const float *features,
                                                 const float *y, int64_t n,
                                                 const an_loss_options *loss, double *loss_value,
                                                 an_error *err);
/**
 * Recompute the moving statistics as the mean of those of some batches: begin, add each batch
 * (forward only, batch statistics), end (nothing changes before that). A second begin discards what
 * was added. AN_ERR_ARG: add without begin, end without a batch, and either one when weights or
 * statistics have changed since begin.
 */
AN_API an_status an_model_update_batch_norm_begin(an_model *model, an_error *err);
/** Add a batch: see an_model_update_batch_norm_begin(). */
AN_API an_status an_model_update_batch_norm_add(an_model *model, const float *x, int64_t n,
                                                an_error *err);
/** Set the moving statistics: see an_model_update_batch_norm_begin(). */
AN_API an_status an_model_update_batch_norm_end(an_model *model, an_error *err);

/**
 * Calibrate int8 inference: begin, add images with typical values (about 50 of the validation set),
 * end. From then on predictions are made in int8: packed weights and buffers take a quarter of the
 * memory, predictions two thirds of the time, with a small error in each score (docs/numerics.md,
 * section int8); any change of a weight discards the calibration and goes back to fp32. Training,
 * an_model_compute_features() and the head always use fp32.
 *
 * Shapes:  x [n,H,W,3], as an_model_predict() takes it.
 * Returns: AN_OK; AN_ERR_ARG: end without an image, add without begin, and either one when weights
 *          have changed since begin; AN_ERR_FORMAT: the weights hold NaN or infinity, or values too
 *          far apart for int8; AN_ERR_NOMEM.
 * Bits:    one calibration gives the same scores for any number of threads, at every instruction
 *          level and on every backend. It is measured in fp32, whose last bits differ between
 *          levels and backends: for the same scores everywhere, calibrate once and load the file
 *          that an_model_save() wrote.
 * Source:  docs/numerics.md, section int8. It goes into the file of an_model_save().
 */
AN_API an_status an_model_calibrate_begin(an_model *model, an_error *err);
/** Add images: see an_model_calibrate_begin(). */
AN_API an_status an_model_calibrate_add(an_model *model, const float *x, int64_t n, an_error *err);
/** Set the ranges: see an_model_calibrate_begin(). */
AN_API an_status an_model_calibrate_end(an_model *model, an_error *err);
/**
 * Choose how predictions are made, AN_INFERENCE_* of kinds.h. BF16 needs no calibration and stays
 * when weights change; it is fast at level avx512bf16, elsewhere it only saves memory. Training,
 * an_model_compute_features() and the head always use fp32. Weights packed for another kind are
 * released, and packed again when they are needed.
 *
 * Returns: AN_OK; AN_ERR_ARG: unknown, or INT8 without a calibration of the current weights.
 * Source:  docs/numerics.md, sections int8 and bf16. It goes into the file of an_model_save().
 */
AN_API an_status an_model_set_inference(an_model *model, int32_t inference, an_error *err);

/** Copy all weights out, with Keras' names, in the order of layers. Owns: *out is the caller's. */
AN_API an_status an_model_copy_weights(an_arrays **out, const an_model *model, an_error *err);
/** Copy the gradients of the last an_model_compute_gradients() out: the same names, trained arrays
 *  only. */
AN_API an_status an_model_copy_gradients(an_arrays **out, const an_model *model, an_error *err);
/** Set the weights by name; the list must hold every array of the model with its shape (the message
 *  names the first that differs, with both shapes); other arrays are ignored. After an error the
 *  model is as before. */
AN_API an_status an_model_set_weights(an_model *model, const an_arrays *arrays, an_error *err);
/** Draw new head weights (Glorot uniform, bias 0). */
AN_API an_status an_model_reset_head(an_model *model, uint32_t seed, an_error *err);

/**
 * Name the classes, in the order of the outputs, in place of names that are there.
 *
 * Takes:   names [count], copied: each UTF-8 of 1 to 1000 bytes, no two the same. count: that of
 * the outputs; 2 for a model with one output, whose number is the probability of names[1]. NULL
 * with count 0: no names. Returns: AN_OK; AN_ERR_ARG (another count, a wrong name, a model for
 * regression): the names stay as they were; AN_ERR_NOMEM. Note:    they go into the file of
 * an_model_save() as the metadata "classes", a JSON array, come back with an_model_load(), and go
 * along with an_model_copy(). Threads: a change of the model (see an_model).
 */
AN_API an_status an_model_set_class_names(an_model *model, const char *const *names, int32_t count,
                                          an_error *err);
/** Return the number of names of classes; 0: the model has none. */
AN_API int32_t an_model_class_count(const an_model *model);
/** Return the name of a class, from 0; borrowed from the model until its names are set again; NULL
 *  if there is no such class or name. */
AN_API const char *an_model_class_name(const an_model *model, int32_t class_index);

enum {
    AN_COPY_WEIGHTS = 0, /* the copy has weights of its own from the beginning */
    AN_SHARE_WEIGHTS = 1 /* model and copy have them in common until one of them changes */
};
/**
 * Make a copy of a model, as it is between two steps of a training: weights, moving statistics,
 * base mode, momentum, settings of training, calibration, way of predicting, names of classes.
 * Gradients and what was begun (an update of batch norm, a calibration) stay behind, and so does
 * the flag of an_model_set_cancel().
 *
 * Takes:   backend: of the copy; NULL = the model's. weights: AN_COPY_WEIGHTS or AN_SHARE_WEIGHTS.
 *          Model and copy are independent either way, and give the same scores as two copies do.
 * With SHARE there are no second weights in memory, packed ones included, as long as neither
 *          changes; a copy of a copy shares as well. The first call that is to change weights or
 *          statistics of one of them (a gradient, too) takes memory of its own, and is AN_ERR_NOMEM
 *          if there is none. What is packed for predictions is shared if it is for the way of
 *          predicting that the model has now, which this call packs if need be.
 * Owns:    *out is the caller's; it holds the backend. The two may be destroyed in any order.
 * Returns: AN_OK; AN_ERR_ARG (also in a child of the process that made a backend); AN_ERR_NOMEM;
 *          AN_ERR_UNSUPPORTED: SHARE with backends of different kinds or instructions (AN_CPU).
 * Threads: reads the model (see an_model); waits for the end of a step of training.
 */
AN_API an_status an_model_copy(an_model **out, const an_model *model, an_backend *backend,
                               int32_t weights, an_error *err);

/** Write the model as safetensors with all that loading needs, whole or not at all. A calibration
 *  goes along as two arrays: "int8/ranges", [units,2], smallest and largest values, and
 *  "int8/means", [3 + channels], of the image and of each unit. Returns AN_OK; AN_ERR_ARG (NULL);
 *  AN_ERR_IO; AN_ERR_NOMEM. */
AN_API an_status an_model_save(const an_model *model, const char *path, an_error *err);

/** Save the model into memory: the bytes of the file that an_model_save() writes, for
 *  an_model_load_bytes(). Owns: *out is the caller's; free with an_bytes_destroy(). Returns as
 *  an_model_save(), without AN_ERR_IO. */
AN_API an_status an_model_save_bytes(an_bytes **out, const an_model *model, an_error *err);

#ifdef __cplusplus
}
#endif
#endif
