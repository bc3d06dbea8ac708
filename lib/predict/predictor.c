/* SPDX-License-Identifier: MIT
 * A predictor: scores of images one by one, with all buffers allocated once. */
#include <attractivenet/predict.h>

#include <stdatomic.h>

#include "base/error.h"
#include "base/memory.h"
#include "layers/model.h"
#include "predict/frame.h"

enum {
    BATCH = 32,        /* frames predicted at once */
    FORMAT_AS_SET = -1 /* the predictor's */
};

struct an_predictor {
    an_model *model;
    ani_net_context *context; /* the buffers of its predictions */
    an_cancel *cancel;        /* held; NULL: none */
    atomic_bool busy;         /* in a call */
    float tables[768];        /* [3,256], of the model's scale */
    int64_t outputs, features;
    int32_t classes; /* 1: scores are probabilities */
    int32_t format;  /* of frames: AN_FORMAT_* */
    ani_region region;
    ani_frame_reader reader;
    uint8_t *images; /* frames as the model sees them, at most BATCH */
    int64_t images_size;
};

an_status an_predictor_create(an_predictor **out, an_model *model, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_model_info info = {.struct_size = sizeof info};
    an_status st = an_model_describe(model, &info, err);
    if (st) return st;
    an_predictor *predictor = ani_alloc_zero(1, sizeof *predictor);
    if (!predictor) return ani_fail_memory(err, sizeof *predictor, "a predictor");
    ani_model_hold(model);
    predictor->model = model;
    predictor->outputs = info.outputs;
    predictor->features = info.features;
    predictor->classes = info.task == AN_TASK_CLASSIFICATION;
    st = an_scale_fill_tables(info.scale, predictor->tables, err);
    if (!st) st = ani_frame_reader_init(&predictor->reader, info.height, info.width, err);
    if (!st) st = ani_net_context_create(&predictor->context, ani_model_net(model), err);
    if (st) {
        an_predictor_destroy(predictor);
        return st;
    }
    *out = predictor;
    return AN_OK;
}

void an_predictor_destroy(an_predictor *predictor) {
    if (!predictor) return;
    ani_frame_reader_clear(&predictor->reader);
    ani_free(predictor->images);
    ani_net_context_destroy(ani_model_net(predictor->model), predictor->context);
    an_cancel_destroy(predictor->cancel);
    an_model_destroy(predictor->model);
    ani_free(predictor);
}

/* --- calls ------------------------------------------------------------------------------------ */

static an_status claim(an_predictor *predictor, an_error *err) {
    if (!atomic_exchange(&predictor->busy, true)) return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "the predictor is in use on another thread; make one for each thread");
}

static void release(an_predictor *predictor) {
    atomic_store(&predictor->busy, false);
}

an_status an_predictor_set_cancel(an_predictor *predictor, an_cancel *cancel, an_error *err) {
    if (!predictor) return ani_fail(err, AN_ERR_ARG, "predictor is NULL");
    an_status st = claim(predictor, err);
    if (st) return st;
    ani_cancel_hold(cancel);
    an_cancel_destroy(predictor->cancel);
    predictor->cancel = cancel;
    release(predictor);
    return AN_OK;
}

an_status an_predictor_set_format(an_predictor *predictor, int32_t format, an_error *err) {
    if (!predictor) return ani_fail(err, AN_ERR_ARG, "predictor is NULL");
    an_status st = ani_format_check(format, err);
    if (!st) st = claim(predictor, err);
    if (st) return st;
    predictor->format = format;
    release(predictor);
    return AN_OK;
}

an_status an_predictor_set_region(an_predictor *predictor, int64_t x, int64_t y, int64_t width,
                                  int64_t height, an_error *err) {
    const ani_region region = {x, y, width, height};
    if (!predictor) return ani_fail(err, AN_ERR_ARG, "predictor is NULL");
    an_status st = ani_region_check(&region, err);
    if (!st) st = claim(predictor, err);
    if (st) return st;
    predictor->region = region;
    release(predictor);
    return AN_OK;
}

/* Predict from the reader's frames with the held weights; features or scores may be NULL. */
static an_status predict(an_predictor *predictor, const ani_frames *frames, float *features,
                         float *scores, an_error *err) {
    const ani_frame_reader *reader = &predictor->reader;
    const int64_t size = 3 * reader->height * reader->width;
    const int64_t batch = frames->count < BATCH ? frames->count : BATCH;
    const uint8_t *found = ani_frame_reader_find(reader, frames);
    ani_watch *watch = ani_net_context_watch(predictor->context);
    an_status st = AN_OK;
    if (!found)
        st = ani_frame_buffer_grow(&predictor->images, &predictor->images_size, batch * size,
                                   "images", err);
    for (int64_t i = 0; !st && i < frames->count; i += batch) {
        const int64_t n = frames->count - i < batch ? frames->count - i : batch;
        for (int64_t k = 0; !st && !found && k < n; k++) {
            st = ani_watch_check(watch, err);
            if (!st) ani_frame_reader_read(reader, frames, i + k, predictor->images + k * size);
        }
        if (st) break;
        st = ani_net_predict_bytes(ani_model_net(predictor->model), predictor->context,
                                   found ? found + i * size : predictor->images, predictor->tables,
                                   n, predictor->classes,
                                   features ? features + i * predictor->features : NULL,
                                   scores ? scores + i * predictor->outputs : NULL, err);
    }
    return st;
}

/* A complete call; kind: as for ani_net_context_hold(). */
static an_status run(an_predictor *predictor, ani_frames *frames, int32_t kind, float *features,
                     float *scores, an_error *err) {
    ani_net *net = ani_model_net(predictor->model);
    if (frames->count < 1)
        return ani_fail(err, AN_ERR_ARG, "%lld frames; there must be 1 or more",
                        (long long)frames->count);
    an_status st = claim(predictor, err);
    if (st) return st;
    if (frames->format == FORMAT_AS_SET) frames->format = predictor->format;
    frames->region = predictor->region;
    st = ani_frame_reader_begin(&predictor->reader, frames, err);
    if (!st) {
        ani_net_context_begin_watch(predictor->context, predictor->cancel);
        st = ani_net_context_hold(net, predictor->context, kind, false, err);
        if (!st) st = predict(predictor, frames, features, scores, err);
        ani_net_context_let_go(net, predictor->context);
    }
    release(predictor);
    return st;
}

an_status an_predictor_score_frames(an_predictor *predictor, const uint8_t *frames, int64_t count,
                                    int64_t frame_stride, int64_t height, int64_t width,
                                    int64_t row_stride, float *scores, an_error *err) {
    if (!predictor || !frames || !scores)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !predictor ? "predictor"
                        : !frames  ? "frames"
                                   : "scores");
    ani_frames all = {frames, count, frame_stride, height, width, row_stride, FORMAT_AS_SET, {0}};
    return run(predictor, &all, ANI_PREDICT_AS_SET, NULL, scores, err);
}

an_status an_predictor_score_frame(an_predictor *predictor, const uint8_t *frame, int64_t height,
                                   int64_t width, int64_t row_stride, float *scores,
                                   an_error *err) {
    if (!predictor || !frame || !scores)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !predictor ? "predictor"
                        : !frame   ? "frame"
                                   : "scores");
    return an_predictor_score_frames(predictor, frame, 1, 0, height, width, row_stride, scores,
                                     err);
}

an_status an_predictor_compute_features(an_predictor *predictor, const uint8_t *frames,
                                        int64_t count, int64_t frame_stride, int64_t height,
                                        int64_t width, int64_t row_stride, float *features,
                                        an_error *err) {
    if (!predictor || !frames || !features)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !predictor ? "predictor"
                        : !frames  ? "frames"
                                   : "features");
    ani_frames all = {frames, count, frame_stride, height, width, row_stride, FORMAT_AS_SET, {0}};
    return run(predictor, &all, AN_INFERENCE_FP32, features, NULL, err);
}

/* --- images ----------------------------------------------------------------------------------- */

static an_status score_image(an_predictor *predictor, const an_image *image, float *scores,
                             an_error *err) {
    ani_frames one = {.first = an_image_const_data(image),
                      .count = 1,
                      .height = an_image_height(image),
                      .width = an_image_width(image),
                      .format = AN_FORMAT_RGB};
    return run(predictor, &one, ANI_PREDICT_AS_SET, NULL, scores, err);
}

an_status an_predictor_score_file(an_predictor *predictor, const char *path, float *scores,
                                  an_error *err) {
    an_image *image = NULL;
    if (!predictor || !path || !scores)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !predictor ? "predictor"
                        : !path    ? "path"
                                   : "scores");
    an_status st = an_image_read(&image, path, NULL, err);
    if (!st) st = score_image(predictor, image, scores, err);
    an_image_destroy(image);
    return st;
}

an_status an_predictor_score_bytes(an_predictor *predictor, const void *bytes, int64_t size,
                                   const char *name, float *scores, an_error *err) {
    an_image *image = NULL;
    if (!predictor || !scores)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", predictor ? "scores" : "predictor");
    an_status st = an_image_decode(&image, bytes, size, name, NULL, err);
    if (!st) st = score_image(predictor, image, scores, err);
    an_image_destroy(image);
    return st;
}
