/* SPDX-License-Identifier: MIT
 * Frame in, score out: preprocessing and forward pass with all buffers made once. */
#ifndef ATTRACTIVENET_PREDICT_H
#define ATTRACTIVENET_PREDICT_H

#include <attractivenet/io.h>
#include <attractivenet/layers.h>
#include <attractivenet/augment.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A model ready to score images, with its buffers.
 *
 * Threads: one call at a time on one predictor; a second one returns AN_ERR_ARG. Any number of
 *          predictors of one model at once: they share its packed weights.
 */
typedef struct an_predictor an_predictor;

/**
 * Make a predictor for images of any size.
 *
 * Owns:    *out is the caller's; it holds the model.
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_NOMEM.
 */
AN_API an_status an_predictor_create(an_predictor **out, an_model *model, an_error *err);
AN_API void an_predictor_destroy(an_predictor *predictor); /**< Free; NULL is allowed. */

/**
 * Attach a flag that cancels this predictor's calls, also while they wait until weights that have
 * changed may be packed again; that of an_model_set_cancel() does not. After a cancelled call the
 * scores are undefined. The decoding of one image is not interrupted.
 *
 * Takes:   cancel: held; NULL = none, as before.
 * Returns: AN_OK; AN_ERR_ARG (predictor is NULL, or in a call on another thread).
 */
AN_API an_status an_predictor_set_cancel(an_predictor *predictor, an_cancel *cancel, an_error *err);

/**
 * Score one frame.
 *
 * Shapes:  rgb: height rows of width RGB pixels, each 1 to 65535, stride bytes apart (>= 3*width);
 *          resized to the model's size, scaled with its scale; scores [outputs], written.
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_DEVICE. Allocates nothing after the first frame of a size.
 */
AN_API an_status an_predictor_score_frame(an_predictor *predictor, const uint8_t *rgb,
                                          int64_t height, int64_t width, int64_t stride,
                                          float *scores, an_error *err);

/** Score an image file: an_image_read(), then an_predictor_score_frame(), with the errors of both.
 */
AN_API an_status an_predictor_score_file(an_predictor *predictor, const char *path, float *scores,
                                         an_error *err);

/** Score an encoded image in memory: an_image_decode() with name for messages, then
 *  an_predictor_score_frame(), with the errors of both. */
AN_API an_status an_predictor_score_bytes(an_predictor *predictor, const void *bytes, int64_t size,
                                          const char *name, float *scores, an_error *err);

/**
 * Score all samples of a loader in the order of its indices, whatever its options are: not
 * shuffled, not augmented, none dropped. The loader's place in its epoch stays as it is.
 *
 * Shapes:  scores [an_loader_samples(), outputs], written; NaN for images that policy skip left
 *          out.
 * Returns: AN_OK; AN_ERR_ARG (size, outputs or scale differ from the model's); AN_ERR_CANCELLED by
 *          progress; errors of the loader and the device; AN_ERR_NOMEM.
 * Threads: any number of calls at once.
 */
AN_API an_status an_predict_loader(an_model *model, an_loader *loader, float *scores,
                                   an_progress_fn progress, void *progress_user, an_error *err);

/**
 * Compute the features of all samples of a loader, what the head of the model gets, in the order of
 * its indices: as an_predict_loader(), with the moving statistics and in fp32 whatever
 * an_model_set_inference() chose.
 *
 * Shapes:  features [an_loader_samples(), features of an_model_info], written: the numbers of
 *          an_model_compute_features(); NaN for images that policy skip left out. The loader may
 *          have any number of outputs: its scores are not looked at.
 * Returns: AN_OK; AN_ERR_ARG (size or scale differ from the model's); AN_ERR_CANCELLED by progress:
 *          features of some samples are then written; errors of the loader and the device;
 *          AN_ERR_NOMEM.
 * Threads: any number of calls at once.
 */
AN_API an_status an_compute_features_loader(an_model *model, an_loader *loader, float *features,
                                            an_progress_fn progress, void *progress_user,
                                            an_error *err);

/**
 * Calibrate int8 inference with the first images of a loader, preferably that of the validation
 * set, in the order of its indices and without augmentation: an_model_calibrate_begin(), add, end.
 * The loader's place in its epoch stays as it is.
 *
 * Takes:   images: how many at most; 0 = all.
 * Returns: as an_predict_loader() and those.
 * Threads: the whole is one call that changes the model (see an_model).
 */
AN_API an_status an_calibrate_loader(an_model *model, an_loader *loader, int64_t images,
                                     an_progress_fn progress, void *progress_user, an_error *err);

#ifdef __cplusplus
}
#endif
#endif
