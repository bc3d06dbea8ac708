/* SPDX-License-Identifier: MIT
 * Frame in, score out: preprocessing and forward pass, with all buffers allocated once. */
#ifndef ATTRACTIVENET_PREDICT_H
#define ATTRACTIVENET_PREDICT_H

#include <attractivenet/io.h>
#include <attractivenet/layers.h>
#include <attractivenet/augment.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A model ready for scoring images, with its buffers.
 *
 * Threads: one call at a time on one predictor; a second one returns AN_ERR_ARG. Any number of
 *          predictors may use one model concurrently: they share its packed weights.
 */
typedef struct an_predictor an_predictor;

/**
 * Make a predictor for images of any size. Frames are RGB and are scored whole unless a setter
 * changes this.
 *
 * Owns:    *out is the caller's; it holds a reference to the model.
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_NOMEM.
 */
AN_API an_status an_predictor_create(an_predictor **out, an_model *model, an_error *err);
AN_API void an_predictor_destroy(an_predictor *predictor); /**< Free; NULL is allowed. */

/**
 * Attach a flag that cancels this predictor's calls, even while they wait to repack weights that
 * have changed. The flag of an_model_set_cancel() does not cancel them. After a cancelled call the
 * scores are undefined. Decoding or resizing a single image is not interrupted.
 *
 * Takes:   cancel: a reference is kept; NULL = none, the initial state.
 * Returns: AN_OK; AN_ERR_ARG (predictor is NULL, or in use on another thread).
 */
AN_API an_status an_predictor_set_cancel(an_predictor *predictor, an_cancel *cancel, an_error *err);

/**
 * Choose the pixel layout of the frames in later calls: AN_FORMAT_*. This does not affect image
 * files and encoded images.
 *
 * Returns: AN_OK; AN_ERR_ARG (an unknown format; the predictor is in use): the format is unchanged.
 * Source:  OpenCV's cvtColor() to RGB, bit for bit: COLOR_BGR2RGB, COLOR_RGBA2RGB, COLOR_BGRA2RGB
 *          (alpha is ignored: nothing is blended), COLOR_GRAY2RGB, COLOR_YUV2RGB_NV12 and
 *          COLOR_YUV2RGB_YUYV (ITU-R BT.601, Y from 16 to 235, the nearest chroma).
 */
AN_API an_status an_predictor_set_format(an_predictor *predictor, int32_t format, an_error *err);

/**
 * Score only a region of each frame and image file, as if the rest did not exist: the frame is
 * converted to RGB, then the region is cropped and resized. In NV12 and YUYV it may also begin and
 * end at odd pixels.
 *
 * Takes:   x, y: pixels from the left and from the top, from 0; width, height: 1 or more; x + width
 *          and y + height at most 65535. All four 0: the whole frame.
 * Returns: AN_OK; AN_ERR_ARG (an invalid region; the predictor is in use): the region is unchanged.
 *          Whether a frame contains the region is checked when it is scored.
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
 * Score frames of one size, all with the same state of the weights. The scores are bit-identical to
 * those of one call per frame; with several threads this is faster.
 *
 * Shapes:  frames: count frames, 1 or more, frame_stride bytes apart, each with height rows of
 *          width pixels, height and width each 1 to 65535, rows row_stride bytes apart. In NV12,
 *          whose height and width are even, height/2 rows of chroma follow with the same
 *          row_stride; in YUYV width is even. A stride may be larger than the data it spans, but
 *          not smaller; 0 = no gap. scores [count,outputs], written: those of an_model_predict() on
 *          the frames, or on their region, converted to RGB, resized to the model's size
 *          (an_resize_u8()) and scaled with its scale.
 * Returns: AN_OK; AN_ERR_ARG (also for a region outside the frame); AN_ERR_NOMEM; AN_ERR_DEVICE;
 *          AN_ERR_CANCELLED by the flag of an_predictor_set_cancel(). After an error the scores are
 *          undefined; the predictor remains usable.
 * Cost:    allocates nothing if an earlier call had as many frames (all numbers above 32 count as
 *          32) of the same width and format. Frames that are [count,height,width,3] in memory at
 *          the model's size are not copied; others are copied, up to 32 at a time.
 */
AN_API an_status an_predictor_score_frames(an_predictor *predictor, const uint8_t *frames,
                                           int64_t count, int64_t frame_stride, int64_t height,
                                           int64_t width, int64_t row_stride, float *scores,
                                           an_error *err);

/**
 * Compute the features of frames, the input of the model's head: as an_predictor_score_frames(),
 * but with features [count,features of an_model_info] instead of scores. Always in fp32, regardless
 * of an_model_set_inference(), as in an_model_compute_features().
 */
AN_API an_status an_predictor_compute_features(an_predictor *predictor, const uint8_t *frames,
                                               int64_t count, int64_t frame_stride, int64_t height,
                                               int64_t width, int64_t row_stride, float *features,
                                               an_error *err);

/** Score an image file: an_image_read(), then as an RGB frame, with the errors of both. */
AN_API an_status an_predictor_score_file(an_predictor *predictor, const char *path, float *scores,
                                         an_error *err);

/** Score an encoded image in memory: an_image_decode() with name used in messages, then as an RGB
 *  frame, with the errors of both. */
AN_API an_status an_predictor_score_bytes(an_predictor *predictor, const void *bytes, int64_t size,
                                          const char *name, float *scores, an_error *err);

/**
 * Find the classes with the highest scores, highest first; among equal scores, the lower class
 * comes first.
 *
 * Shapes:  scores [outputs] of one image, outputs 1 or more; classes [k], k 1 to outputs, written:
 *          each 0 to outputs-1.
 * Returns: AN_OK; AN_ERR_ARG (also if a score is NaN): classes is unchanged.
 * Threads: any.
 */
AN_API an_status an_top_classes(const float *scores, int32_t outputs, int32_t k, int32_t *classes,
                                an_error *err);

/**
 * Score all samples of a loader in the order of its indices, regardless of its options: no
 * shuffling, no augmentation, no samples dropped. The loader's position in its epoch is unchanged.
 *
 * Shapes:  scores [an_loader_samples(), outputs], written; NaN for images skipped under policy
 *          skip.
 * Returns: AN_OK; AN_ERR_ARG (size, outputs or scale differ from the model's); AN_ERR_CANCELLED by
 *          progress; loader and device errors; AN_ERR_NOMEM.
 * Threads: any number of concurrent calls.
 */
AN_API an_status an_predict_loader(an_model *model, an_loader *loader, float *scores,
                                   an_progress_fn progress, void *progress_user, an_error *err);

/**
 * Compute the features of all samples of a loader, the input of the model's head, in the order of
 * its indices: as an_predict_loader(), using the moving statistics, and in fp32, regardless of
 * an_model_set_inference().
 *
 * Shapes:  features [an_loader_samples(), features of an_model_info], written: as from
 *          an_model_compute_features(); NaN for images skipped under policy skip. The loader may
 *          have any number of outputs: its scores are not used.
 * Returns: AN_OK; AN_ERR_ARG (size or scale differ from the model's); AN_ERR_CANCELLED by progress:
 *          the features of some samples have then been written; loader and device errors;
 *          AN_ERR_NOMEM.
 * Threads: any number of concurrent calls.
 */
AN_API an_status an_compute_features_loader(an_model *model, an_loader *loader, float *features,
                                            an_progress_fn progress, void *progress_user,
                                            an_error *err);

/**
 * Calibrate int8 inference with the first images of a loader, preferably the one for the validation
 * set, in the order of its indices and without augmentation: an_model_calibrate_begin(), add, end.
 * The loader's position in its epoch is unchanged.
 *
 * Takes:   images: maximum number of images; 0 = all.
 * Returns: as an_predict_loader() and the calibration functions.
 * Threads: counts as one call that changes the model (see an_model).
 */
AN_API an_status an_calibrate_loader(an_model *model, an_loader *loader, int64_t images,
                                     an_progress_fn progress, void *progress_user, an_error *err);

#ifdef __cplusplus
}
#endif
#endif
