/* SPDX-License-Identifier: MIT
 * A predictor: scores of images one by one, with all buffers made once. */
#include <attractivenet/predict.h>

#include <stdatomic.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "kernels/resize.h"
#include "layers/model.h"

enum { MAX_SIDE = 65535 };

struct an_predictor {
    an_model *model;
    ani_net_context *context; /* what its predictions write */
    an_cancel *cancel;        /* held; NULL: none */
    atomic_bool busy;         /* in a call */
    int64_t height, width;    /* of the model */
    float table[256];         /* its scale */
    int32_t classes;          /* 1: scores are probabilities */
    ani_pixels pixels;        /* kernels */
    uint8_t *resized;         /* [height,width,3] */
    void *scratch;            /* of resizing */
    uint8_t *packed;          /* rows of a frame without what lies between them */
    int64_t packed_size;
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
    ani_pixels_init(&predictor->pixels, ani_cpu_mask(NULL));
    predictor->height = info.height;
    predictor->width = info.width;
    predictor->classes = info.task == AN_TASK_CLASSIFICATION;
    const int64_t count = 3 * (int64_t)info.height * info.width;
    predictor->resized = ani_alloc(count);
    predictor->scratch = ani_alloc(ani_resize_scratch(info.width, 3));
    st = an_scale_fill_table(info.scale, predictor->table, err);
    if (!st) st = ani_net_context_create(&predictor->context, ani_model_net(model), err);
    if (!st && (!predictor->resized || !predictor->scratch))
        st = ani_fail_memory(err, count, "an image");
    if (st) {
        an_predictor_destroy(predictor);
        return st;
    }
    *out = predictor;
    return AN_OK;
}

void an_predictor_destroy(an_predictor *predictor) {
    if (!predictor) return;
    ani_free(predictor->resized);
    ani_free(predictor->scratch);
    ani_free(predictor->packed);
    ani_net_context_destroy(ani_model_net(predictor->model), predictor->context);
    an_cancel_destroy(predictor->cancel);
    an_model_destroy(predictor->model);
    ani_free(predictor);
}

/** Be the only one who is in a call of the predictor. */
static an_status claim(an_predictor *predictor, an_error *err) {
    if (!atomic_exchange(&predictor->busy, true)) return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "the predictor is in a call on another thread; make one for each thread");
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

/** Bring the rows of a frame together, as resizing wants them. */
static an_status pack(an_predictor *predictor, const uint8_t **rgb, int64_t height, int64_t width,
                      int64_t stride, an_error *err) {
    const int64_t row = 3 * width, size = row * height;
    if (stride == row) return AN_OK;
    if (size > predictor->packed_size) {
        uint8_t *larger = ani_alloc(size);
        if (!larger) return ani_fail_memory(err, size, "a frame");
        ani_free(predictor->packed);
        predictor->packed = larger;
        predictor->packed_size = size;
    }
    for (int64_t y = 0; y < height; y++)
        for (int64_t i = 0; i < row; i++)
            predictor->packed[y * row + i] = (*rgb)[y * stride + i];
    *rgb = predictor->packed;
    return AN_OK;
}

/** Score rows that lie side by side. */
static an_status predict(an_predictor *predictor, const uint8_t *rgb, int64_t height, int64_t width,
                         float *scores, an_error *err) {
    if (height != predictor->height || width != predictor->width) {
        ani_resize_u8(&predictor->pixels, predictor->resized, predictor->height, predictor->width,
                      rgb, height, width, 3, predictor->scratch);
        rgb = predictor->resized;
    }
    ani_net *net = ani_model_net(predictor->model);
    ani_net_context_begin_watch(predictor->context, predictor->cancel);
    an_status st = ani_net_context_hold(net, predictor->context, ANI_PREDICT_AS_SET, false, err);
    if (st) return st;
    st = ani_net_predict_bytes(net, predictor->context, rgb, predictor->table, 1,
                               predictor->classes, scores, err);
    ani_net_context_let_go(net, predictor->context);
    return st;
}

an_status an_predictor_score_frame(an_predictor *predictor, const uint8_t *rgb, int64_t height,
                                   int64_t width, int64_t stride, float *scores, an_error *err) {
    if (!predictor || !rgb || !scores)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !predictor ? "predictor"
                        : !rgb     ? "rgb"
                                   : "scores");
    if (height < 1 || height > MAX_SIDE || width < 1 || width > MAX_SIDE)
        return ani_fail(err, AN_ERR_ARG, "the frame is %lld x %lld; each must be 1 to %d",
                        (long long)height, (long long)width, MAX_SIDE);
    if (stride < 3 * width)
        return ani_fail(err, AN_ERR_ARG, "stride is %lld; rows of %lld pixels have %lld bytes",
                        (long long)stride, (long long)width, 3 * (long long)width);
    if (!ani_mul_size(stride, height, &(int64_t){0}))
        return ani_fail(err, AN_ERR_ARG, "stride is %lld; no memory has %lld rows of it",
                        (long long)stride, (long long)height);
    an_status st = claim(predictor, err);
    if (st) return st;
    st = pack(predictor, &rgb, height, width, stride, err);
    if (!st) st = predict(predictor, rgb, height, width, scores, err);
    release(predictor);
    return st;
}

static an_status score_image(an_predictor *predictor, const an_image *image, float *scores,
                             an_error *err) {
    const int64_t width = an_image_width(image);
    return an_predictor_score_frame(predictor, an_image_const_data(image), an_image_height(image),
                                    width, 3 * width, scores, err);
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
