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
 * Make a predictor for images of any size. Frames are RGB, and scored whole, until its setters say
 * otherwise.
 *
 * Owns:    *out is the caller's; it holds the model.
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_NOMEM.
 */
AN_API an_status an_predictor_create(an_predictor **out, an_model *model, an_error *err);
AN_API void an_predictor_destroy(an_predictor *predictor); /**< Free; NULL is allowed. */

/**
 * Attach a flag that cancels this predictor's calls, also while they wait until weights that have
 * changed may be packed again; that of an_model_set_cancel() does not. After a cancelled call the
 * scores are undefined. The decoding or resizing of one image is not interrupted.
 *
 * Takes:   cancel: held; NULL = none, as before.
 * Returns: AN_OK; AN_ERR_ARG (predictor is NULL, or in a call on another thread).
 */
AN_API an_status an_predictor_set_cancel(an_predictor *predictor, an_cancel *cancel, an_error *err);

/**
 * Choose how the pixels of the frames to come lie in memory: AN_FORMAT_*. Image files and encoded
 * images have formats of their own, which this does not change.
 *
 * Returns: AN_OK; AN_ERR_ARG (an unknown format; the predictor is in a call): it stays as it was.
 * Source:  OpenCV's cvtColor() to RGB, to the bit: COLOR_BGR2RGB, COLOR_RGBA2RGB, COLOR_BGRA2RGB
 *          (alpha is ignored: nothing is blended), COLOR_GRAY2RGB, COLOR_YUV2RGB_NV12 and
 *          COLOR_YUV2RGB_YUYV (ITU-R BT.601, Y from 16 to 235, the nearest chroma).
 */
AN_API an_status an_predictor_set_format(an_predictor *predictor, int32_t format, an_error *err);

/**
 * Score only a part of what comes, frames and image files alike, as if nothing else were there:
 * the frame becomes RGB, the part is cut out, and resized. In NV12 and YUYV it may begin and end at
 * odd pixels, too.
 *
 * Takes:   x, y: pixels from the left and from the top, 0 = the first; width, height: 1 or more,
 *          x + width and y + height at most 65535. All four 0: the whole frame.
 * Returns: AN_OK; AN_ERR_ARG (no such region; the predictor is in a call): it stays as it was.
 *          Whether a frame has that part is checked when it is scored.
 */
AN_API an_status an_predictor_set_region(an_predictor *predictor, int64_t x, int64_t y,
                                         int64_t width, int64_t height, an_error *err);

/**
 * Score one frame: an_predictor_score_frames() with count 1.
 */
AN_API an_status an_predictor_score_frame(an_predictor *predictor, const uint8_t *frame,
                                          int64_t height, int64_t width, int64_t row_stride,
                                          float *scores, an_error *err);

/**
 * Score frames of one size, all with the weights of one moment. The scores are those of one call
 * each, to the bit; with several threads they are there sooner.
 *
 * Shapes:  frames: count, 1 or more, frame_stride bytes apart, each with height rows of width
 *          pixels, each 1 to 65535, row_stride bytes apart. In NV12, whose height and width are
 *          even, height/2 rows of chroma follow with the same row_stride; in YUYV width is even.
 *          A stride may be larger than what it steps over, not smaller; 0 = no gap. scores
 *          [count,outputs], written: as an_model_predict() of the frames, or of their region, as
 *          RGB, resized to the model's size (an_resize_u8()) and scaled with its scale.
 * Returns: AN_OK; AN_ERR_ARG (also for a region that is not in the frame); AN_ERR_NOMEM;
 *          AN_ERR_DEVICE; AN_ERR_CANCELLED by an_predictor_set_cancel(). After an error the scores
 *          are undefined; the predictor goes on.
 * Cost:    allocates nothing if a call before had as many frames (32 are as good as any more), as
 *          wide, of this format. Frames that are [count,height,width,3] of the model's size in
 *          memory are not copied; else up to 32 at a time are.
 */
AN_API an_status an_predictor_score_frames(an_predictor *predictor, const uint8_t *frames,
                                           int64_t count, int64_t frame_stride, int64_t height,
                                           int64_t width, int64_t row_stride, float *scores,
                                           an_error *err);

/**
 * Compute the features of frames, what the head of the model gets: an_predictor_score_frames() with
 * features [count,features] of an_model_info instead of scores, in fp32 whatever
 * an_model_set_inference() chose, as an_model_compute_features() does.
 */
AN_API an_status an_predictor_compute_features(an_predictor *predictor, const uint8_t *frames,
                                               int64_t count, int64_t frame_stride, int64_t height,
                                               int64_t width, int64_t row_stride, float *features,
                                               an_error *err);

/** Score an image file: an_image_read(), then as a frame of RGB, with the errors of both. */
AN_API an_status an_predictor_score_file(an_predictor *predictor, const char *path, float *scores,
                                         an_error *err);

/** Score an encoded image in memory: an_image_decode() with name for messages, then as a frame of
 *  RGB, with the errors of both. */
AN_API an_status an_predictor_score_bytes(an_predictor *predictor, const void *bytes, int64_t size,
                                          const char *name, float *scores, an_error *err);

/**
 * Find the classes with the highest scores, the highest first; of equal scores the lower class.
 *
 * Shapes:  scores [outputs], of one image, outputs 1 or more; classes [k], k 1 to outputs, written:
 *          0 to outputs-1.
 * Returns: AN_OK; AN_ERR_ARG (also for a score that is NaN): classes untouched.
 * Threads: any.
 */
AN_API an_status an_top_classes(const float *scores, int32_t outputs, int32_t k, int32_t *classes,
                                an_error *err);

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
