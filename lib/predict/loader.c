/* SPDX-License-Identifier: MIT
 * Scores and features of the samples of a loader, and calibration with them. */
#include <attractivenet/predict.h>

#include <math.h>
#include <stdbool.h>

#include "augment/loader.h"
#include "base/callbacks.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "layers/model.h"

/* A row of numbers for each sample of a loader, in the loader's original order. */
typedef struct sample_rows {
    float *values; /* [samples,width], written; NaN for images that policy skip left out */
    int64_t width;
    bool features; /* features, not scores */
} sample_rows;

/* Both stay until the call ends, even if progress destroys them. */
static void hold(an_model *model, an_loader *loader) {
    ani_model_hold(model);
    ani_loader_hold(loader);
}

static void let_go(an_model *model, an_loader *loader) {
    an_loader_destroy(loader);
    an_model_destroy(model);
}

/* Fill the rows; the loader has been checked against the model. */
static an_status fill_rows(const sample_rows *rows, an_model *model, an_loader *loader,
                           an_progress_fn progress, void *progress_user, an_error *err) {
    an_loader *ordered = NULL;
    ani_net_context *context = NULL;
    ani_net *net = ani_model_net(model);
    const int32_t kind = rows->features ? AN_INFERENCE_FP32 : ANI_PREDICT_AS_SET;
    const int64_t count = an_loader_samples(loader), width = rows->width;
    const int64_t size = an_loader_batch_size(loader) * width;
    const double begun = ani_clock_seconds();
    float *to = rows->values;
    int64_t place = 0;
    an_status st = AN_OK;
    hold(model, loader);
    float *batch = ani_alloc_zero(size, sizeof *batch);
    if (!batch) {
        st = ani_fail_memory(err, size * (int64_t)sizeof *batch, "a batch of results");
        goto done;
    }
    st = ani_loader_in_order(&ordered, loader, err);
    if (!st) st = ani_net_context_take(&context, net, err);
    if (!st) st = ani_net_context_hold(net, context, kind, false, err);
    if (!st) st = ani_loader_claim(ordered, err);
    if (!st) ani_loader_use_watch(ordered, ani_net_context_watch(context));
    if (!st) st = ani_loader_begin(ordered, 0, 0, err);
    while (!st) {
        const float *x;
        const int64_t *samples;
        int64_t n;
        st = ani_loader_next(ordered, &x, NULL, &samples, &n, err);
        if (!st)
            st = ani_model_predict(model, context, x, n, rows->features ? batch : NULL,
                                   rows->features ? NULL : batch, err);
        if (st) break;
        for (int64_t i = 0; i < n; i++, place++) {
            /* images that policy skip left out have no numbers */
            for (; ani_loader_sample(ordered, place) != samples[i]; place++)
                for (int64_t k = 0; k < width; k++)
                    to[place * width + k] = NAN;
            for (int64_t k = 0; k < width; k++)
                to[place * width + k] = batch[i * width + k];
        }
        st = ani_report_progress(progress, progress_user, place, count, begun, "images", err);
    }
    if (st != AN_DONE) goto done;
    st = AN_OK;
    for (int64_t i = place * width; i < count * width; i++)
        to[i] = NAN;
done:
    an_loader_destroy(ordered);
    ani_net_context_give(net, context);
    ani_free(batch);
    let_go(model, loader);
    return st;
}

an_status an_predict_loader(an_model *model, an_loader *loader, float *scores,
                            an_progress_fn progress, void *progress_user, an_error *err) {
    if (!model || !loader || !scores)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !model    ? "model"
                        : !loader ? "loader"
                                  : "scores");
    an_status st = ani_loader_check(loader, model, "batches", err);
    if (st) return st;
    const sample_rows rows = {scores, an_loader_outputs(loader), false};
    return fill_rows(&rows, model, loader, progress, progress_user, err);
}

an_status an_compute_features_loader(an_model *model, an_loader *loader, float *features,
                                     an_progress_fn progress, void *progress_user, an_error *err) {
    if (!model || !loader || !features)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !model    ? "model"
                        : !loader ? "loader"
                                  : "features");
    an_status st = ani_loader_check_images(loader, model, "batches", err);
    if (st) return st;
    const sample_rows rows = {features, ani_net_features(ani_model_net(model)), true};
    return fill_rows(&rows, model, loader, progress, progress_user, err);
}

/** Calibrate with the next count images of a loader. The claim is held, so no other caller's images
 * come between. */
static an_status calibrate(an_model *model, an_loader *loader, int64_t count,
                           an_progress_fn progress, void *progress_user, an_error *err) {
    const double begun = ani_clock_seconds();
    int64_t done = 0;
    an_status st = ani_model_calibrate_begin(model, err);
    if (!st) st = ani_loader_begin(loader, 0, 0, err);
    while (!st && done < count) {
        const float *x;
        int64_t n;
        st = ani_loader_next(loader, &x, NULL, NULL, &n, err);
        if (st) break;
        n = n < count - done ? n : count - done;
        st = ani_model_calibrate_add(model, x, n, err);
        done += n;
        if (!st)
            st = ani_report_progress(progress, progress_user, done, count, begun, "images", err);
    }
    return !st || st == AN_DONE ? ani_model_calibrate_end(model, err) : st;
}

an_status an_calibrate_loader(an_model *model, an_loader *loader, int64_t images,
                              an_progress_fn progress, void *progress_user, an_error *err) {
    if (!model || !loader)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", model ? "loader" : "model");
    if (images < 0)
        return ani_fail(err, AN_ERR_ARG, "%lld images to calibrate with; it must be 0 or more",
                        (long long)images);
    const int64_t all = an_loader_samples(loader);
    an_loader *ordered = NULL;
    hold(model, loader);
    an_status st = ani_loader_check(loader, model, "batches", err);
    if (!st) st = ani_loader_in_order(&ordered, loader, err);
    if (!st) st = ani_loader_claim(ordered, err);
    if (!st) st = ani_model_claim(model, err);
    if (!st) {
        ani_loader_use_watch(ordered, ani_net_watch(ani_model_net(model)));
        st = calibrate(model, ordered, images && images < all ? images : all, progress,
                       progress_user, err);
        ani_model_release(model);
    }
    an_loader_destroy(ordered);
    let_go(model, loader);
    return st;
}
