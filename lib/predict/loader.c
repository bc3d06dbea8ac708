/* SPDX-License-Identifier: MIT
 * Scores of the samples of a loader, and calibration with them. */
#include <attractivenet/predict.h>

#include <math.h>

#include "augment/loader.h"
#include "base/callbacks.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "layers/model.h"

an_status an_predict_loader(an_model *model, an_loader *loader, float *scores,
                            an_progress_fn progress, void *progress_user, an_error *err) {
    if (!model || !loader || !scores)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !model    ? "model"
                        : !loader ? "loader"
                                  : "scores");
    an_loader *ordered = NULL;
    ani_net_context *context = NULL;
    float *batch = NULL;
    ani_net *net = ani_model_net(model);
    const int64_t count = an_loader_samples(loader);
    const double begun = ani_clock_seconds();
    const int64_t outputs = an_loader_outputs(loader);
    int64_t place = 0;
    an_status st = ani_loader_check(loader, model, "batches", err);
    if (st) goto done;
    const int64_t size = an_loader_batch_size(loader) * outputs;
    batch = ani_alloc_zero(size, sizeof *batch);
    if (!batch) {
        st = ani_fail_memory(err, size * (int64_t)sizeof *batch, "scores");
        goto done;
    }
    st = ani_loader_in_order(&ordered, loader, err);
    if (!st) st = ani_net_context_take(&context, net, err);
    if (!st) st = ani_net_context_hold(net, context, ANI_PREDICT_AS_SET, false, err);
    if (!st) st = ani_loader_claim(ordered, err);
    if (!st) ani_loader_use_watch(ordered, ani_net_context_watch(context));
    if (!st) st = ani_loader_begin(ordered, 0, 0, err);
    while (!st) {
        const float *x;
        const int64_t *samples;
        int64_t n;
        st = ani_loader_next(ordered, &x, NULL, &samples, &n, err);
        if (!st) st = ani_model_predict(model, context, x, n, NULL, batch, err);
        if (st) break;
        for (int64_t i = 0; i < n; i++, place++) {
            /* images that policy skip left out have no score */
            for (; ani_loader_sample(ordered, place) != samples[i]; place++)
                for (int64_t k = 0; k < outputs; k++)
                    scores[place * outputs + k] = NAN;
            for (int64_t k = 0; k < outputs; k++)
                scores[place * outputs + k] = batch[i * outputs + k];
        }
        st = ani_report_progress(progress, progress_user, place, count, begun, "images", err);
    }
    if (st != AN_DONE) goto done;
    st = AN_OK;
    for (int64_t i = place * outputs; i < count * outputs; i++)
        scores[i] = NAN;
done:
    an_loader_destroy(ordered);
    ani_net_context_give(net, context);
    ani_free(batch);
    return st;
}

/** Calibrate with the next count images of a loader. With the claim: nobody else's come between. */
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
    return st;
}
