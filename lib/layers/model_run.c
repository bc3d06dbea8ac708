/* SPDX-License-Identifier: MIT
 * What a model computes: predictions, gradients, measurements for batch norm and int8. */
#include "layers/model.h"

#include <math.h>
#include <stdbool.h>

#include "base/memory.h"
#include "layers/loss.h"
#include "layers/model_state.h"

/* --- runs ------------------------------------------------------------------------------------- */

static an_status check_batch(const an_model *model, const void *a, const void *b, int64_t n,
                             an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (n < 1 || n > ANI_NET_MAX_BATCH)
        return ani_fail(err, AN_ERR_ARG, "model: a batch of %lld; it must be 1 to %d", (long long)n,
                        (int)ANI_NET_MAX_BATCH);
    if (!a || !b) return ani_fail(err, AN_ERR_ARG, "model: an array of the batch is NULL");
    return AN_OK;
}

/* Return whether all of count floats are finite. Adding 1 to an all-ones exponent carries into the
 * sign bit; two floats are checked per word, and neither carries into the other. */
static bool all_finite(const float *x, int64_t count) {
    uint64_t both = 0, seen = 0;
    for (int64_t k = 0; k + 2 <= count; k += 2) {
        memcpy(&both, x + k, sizeof both);
        seen |= (both & 0x7f8000007f800000u) + 0x0080000000800000u;
    }
    return !(seen & 0x8000000080000000u) && (count % 2 == 0 || isfinite(x[count - 1]));
}

/* A batch of images x [n,h,w,3]. ReLU6 turns infinity into an ordinary number, and int8 does so
 * with NaN, too: so non-finite input must be refused. */
an_status ani_model_check_images(const an_model *model, const float *x, const void *y, int64_t n,
                                 an_error *err) {
    an_status st = check_batch(model, x, y, n, err);
    if (st) return st;
    const ani_net_spec *spec = ani_net_spec_of(model->net);
    const int64_t image = spec->height * spec->width * 3;
    for (int64_t i = 0; i < n; i++, x += image) {
        if (all_finite(x, image)) continue;
        for (int64_t k = 0; k < image; k++)
            if (!isfinite(x[k]))
                return ani_fail(err, AN_ERR_ARG,
                                "value %lld of image %lld is %g; it must be finite", (long long)k,
                                (long long)i, x[k]);
    }
    return AN_OK;
}

/* A batch with targets [n,outputs]; resolve a loss that fits both. */
static an_status take_loss(const an_model *model, const void *x, const float *y, int64_t n,
                           const an_loss_options *loss, an_loss_options *ours, an_error *err) {
    an_status st = check_batch(model, x, y, n, err);
    if (st) return st;
    const int64_t outputs = ani_net_spec_of(model->net)->outputs;
    st = ani_loss_take(ours, loss, model->facts.task, outputs, err);
    if (!st) st = ani_loss_check_targets(ours->kind, y, n, outputs, err);
    return st || !ours->weights ? st : ani_loss_check_weights(ours->weights, n, err);
}

an_status ani_model_predict(an_model *model, ani_net_context *context, const float *x, int64_t n,
                            float *features, float *y, an_error *err) {
    const ani_net_spec *spec = ani_net_spec_of(model->net);
    const int64_t image = spec->height * spec->width * 3;
    const int64_t width = ani_net_features(model->net);
    const int64_t most = ani_net_backend(model->net)->slice;
    an_status st = AN_OK;
    for (int64_t i = 0; !st && i < n; i += most) {
        const int64_t slice = n - i < most ? n - i : most;
        st = ani_net_predict(
            model->net, context, x + i * image, slice, model->facts.task == AN_TASK_CLASSIFICATION,
            features ? features + i * width : NULL, y ? y + i * spec->outputs : NULL, err);
    }
    return st;
}

/* Predict with the current weights; features or y may be NULL. */
static an_status predict(an_model *model, const float *x, int64_t n, float *features, float *y,
                         an_error *err) {
    const int32_t kind = features ? AN_INFERENCE_FP32 : ANI_PREDICT_AS_SET;
    ani_net_context *context = NULL;
    an_status st = ani_net_context_take(&context, model->net, err);
    if (!st) st = ani_net_context_hold(model->net, context, kind, false, err);
    if (!st) st = ani_model_predict(model, context, x, n, features, y, err);
    ani_net_context_give(model->net, context);
    return st;
}

an_status an_model_predict(an_model *model, const float *x, int64_t n, float *y, an_error *err) {
    an_status st = ani_model_check_images(model, x, y, n, err);
    return st ? st : predict(model, x, n, NULL, y, err);
}

an_status an_model_compute_features(an_model *model, const float *x, int64_t n, float *features,
                                    an_error *err) {
    an_status st = ani_model_check_images(model, x, features, n, err);
    return st ? st : predict(model, x, n, features, NULL, err);
}

an_status an_model_predict_from_features(an_model *model, const float *features, int64_t n,
                                         float *y, an_error *err) {
    ani_net_context *context = NULL;
    an_status st = check_batch(model, features, y, n, err);
    if (!st) st = ani_net_context_take(&context, model->net, err);
    if (st) return st;
    st = ani_net_context_hold(model->net, context, ANI_PREDICT_HEAD, false, err);
    if (!st)
        st = ani_net_predict_head(model->net, context, features, n,
                                  model->facts.task == AN_TASK_CLASSIFICATION, y, err);
    ani_net_context_give(model->net, context);
    return st;
}

/* Set aside the gradients to which those of a batch will be added. */
static an_status begin_gradients(an_model *model, int32_t base, const an_loss_options *loss,
                                 an_error *err) {
    if (!loss->accumulate) return AN_OK;
    if (model->gradient_base != base)
        return ani_fail(err, AN_ERR_ARG,
                        "an_loss_options: accumulate is 1, and there are no gradients of this base "
                        "mode to add to; the first batch has 0");
    return ani_net_keep_gradients(model->net, base, err);
}

/* Combine them with those of n samples, or restore them if something failed. */
static an_status end_gradients(an_model *model, int32_t base, const an_loss_options *loss,
                               int64_t n, an_status st) {
    const int64_t before = loss->accumulate ? model->gradient_samples : 0;
    if (loss->accumulate) {
        const double all = (double)(before + n);
        ani_net_join_gradients(model->net, base, st ? 1 : (double)before / all,
                               st ? 0 : (double)n / all);
    }
    if (!st) {
        model->gradient_base = base;
        model->gradient_samples = before + n;
    } else if (!loss->accumulate) {
        model->gradient_base = -1; /* only some may have been computed */
    }
    return st;
}

an_status ani_model_compute_gradients(an_model *model, const float *x, const float *y, int64_t n,
                                      const an_loss_options *loss, bool guarded,
                                      const ani_net_peers *peers, double *loss_value,
                                      an_error *err) {
    const int32_t base = ani_model_base(model);
    const ani_net_step step = {base, guarded, loss, model->momentum, peers};
    an_status st = begin_gradients(model, base, loss, err);
    if (st) return st;
    st = ani_net_gradients(model->net, &step, x, y, n, loss_value, err);
    return end_gradients(model, base, loss, peers ? peers->images : n, st);
}

an_status ani_model_reserve(an_model *model, int64_t n, const an_loss_options *loss, bool guarded,
                            const ani_net_peers *peers, an_error *err) {
    const ani_net_step step = {ani_model_base(model), guarded, loss, model->momentum, peers};
    return ani_net_reserve(model->net, &step, n, err);
}

an_status ani_model_compute_head_gradients(an_model *model, const float *features, const float *y,
                                           int64_t n, const an_loss_options *loss, bool guarded,
                                           double *loss_value, an_error *err) {
    const ani_net_step step = {AN_BASE_FROZEN, guarded, loss, model->momentum, NULL};
    an_status st = begin_gradients(model, AN_BASE_FROZEN, loss, err);
    if (st) return st;
    st = ani_net_head_gradients(model->net, &step, features, y, n, loss_value, err);
    return end_gradients(model, AN_BASE_FROZEN, loss, n, st);
}

an_status an_model_compute_gradients(an_model *model, const float *x, const float *y, int64_t n,
                                     const an_loss_options *loss, double *loss_value,
                                     an_error *err) {
    an_loss_options ours;
    double value, *wanted = loss_value ? &value : NULL;
    an_status st = ani_model_check_images(model, x, y, n, err);
    if (!st) st = take_loss(model, x, y, n, loss, &ours, err);
    if (!st) st = ani_model_begin_change(model, err);
    if (st) return st;
    ani_model_hold(model); /* a loss function may destroy it */
    st = ani_model_compute_gradients(model, x, y, n, &ours, false, NULL, wanted, err);
    st = ani_model_end_change(model, st);
    an_model_destroy(model);
    if (!st && loss_value) *loss_value = value;
    return st;
}

an_status an_model_compute_head_gradients(an_model *model, const float *features, const float *y,
                                          int64_t n, const an_loss_options *loss,
                                          double *loss_value, an_error *err) {
    an_loss_options ours;
    double value, *wanted = loss_value ? &value : NULL;
    an_status st = take_loss(model, features, y, n, loss, &ours, err);
    if (!st) st = ani_model_begin_change(model, err);
    if (st) return st;
    ani_model_hold(model);
    st = ani_model_compute_head_gradients(model, features, y, n, &ours, false, wanted, err);
    st = ani_model_end_change(model, st);
    an_model_destroy(model);
    if (!st && loss_value) *loss_value = value;
    return st;
}

/* The measurements belong to the weights at that time. */
static an_status check_unchanged(const an_model *model, int64_t changes, const char *what,
                                 an_error *err) {
    if (ani_net_changes(model->net) == changes) return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "model: its weights have changed since the %s began; begin it again", what);
}

/* --- update of batch norm --------------------------------------------------------------------- */

an_status ani_model_update_batch_norm_begin(an_model *model, an_error *err) {
    const int64_t count = 2 * ani_net_channels(model->net) + ani_net_sum_count(model->net);
    double *statistics = ani_alloc_zero(count, sizeof *statistics);
    if (!statistics)
        return ani_fail_memory(err, count * (int64_t)sizeof *statistics, "an update of batch norm");
    ani_free(model->statistics);
    model->statistics = statistics;
    model->samples = 0;
    model->statistics_of = ani_net_changes(model->net);
    return AN_OK;
}

an_status ani_model_update_batch_norm_add(an_model *model, const float *x, int64_t n,
                                          const ani_net_peers *peers, an_error *err) {
    if (!model->statistics)
        return ani_fail(err, AN_ERR_ARG, "model: no update of batch norm was begun");
    an_status st = check_unchanged(model, model->statistics_of, "update of batch norm", err);
    if (st) return st;
    double *scratch = model->statistics + 2 * ani_net_channels(model->net);
    st = ani_net_add_statistics(model->net, x, n, peers, scratch, model->statistics, err);
    if (!st) model->samples += n;
    return st;
}

double *ani_model_update_batch_norm_sums(an_model *model, int64_t *count, int64_t **images) {
    *count = 2 * ani_net_channels(model->net);
    *images = &model->samples;
    return model->statistics;
}

an_status ani_model_update_batch_norm_end(an_model *model, an_error *err) {
    const int64_t count = 2 * ani_net_channels(model->net);
    if (!model->statistics || model->samples == 0)
        return ani_fail(err, AN_ERR_ARG, "model: no batch was added to the update of batch norm");
    an_status st = check_unchanged(model, model->statistics_of, "update of batch norm", err);
    if (st) return st;
    float *means = ani_alloc_zero(count, sizeof *means);
    if (!means)
        return ani_fail_memory(err, count * (int64_t)sizeof *means, "an update of batch norm");
    for (int64_t i = 0; i < count; i++)
        means[i] = (float)(model->statistics[i] / (double)model->samples);
    st = ani_net_begin_change(model->net, err);
    if (!st) {
        ani_net_set_statistics(model->net, means);
        ani_net_end_change(model->net);
        ani_free(model->statistics);
        model->statistics = NULL;
    }
    ani_free(means);
    return st;
}

an_status an_model_update_batch_norm_begin(an_model *model, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_update_batch_norm_begin(model, err);
    ani_model_release(model);
    return st;
}

an_status an_model_update_batch_norm_add(an_model *model, const float *x, int64_t n,
                                         an_error *err) {
    an_status st = ani_model_check_images(model, x, x, n, err);
    if (!st) st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_update_batch_norm_add(model, x, n, NULL, err);
    ani_model_release(model);
    return st;
}

an_status an_model_update_batch_norm_end(an_model *model, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_update_batch_norm_end(model, err);
    ani_model_release(model);
    return st;
}

/* --- int8 and bf16 ---------------------------------------------------------------------------- */

an_status ani_model_calibrate_begin(an_model *model, an_error *err) {
    ani_calibration *calibration = NULL;
    an_status st = ani_calibration_create(&calibration, model->net, err);
    if (st) return st;
    ani_calibration_destroy(model->calibration);
    model->calibration = calibration;
    model->calibration_of = ani_net_changes(model->net);
    return AN_OK;
}

an_status ani_model_calibrate_add(an_model *model, const float *x, int64_t n, an_error *err) {
    if (!model->calibration) return ani_fail(err, AN_ERR_ARG, "model: no calibration was begun");
    an_status st = check_unchanged(model, model->calibration_of, "calibration", err);
    return st ? st : ani_calibration_add(model->calibration, model->net, x, n, err);
}

an_status ani_model_calibrate_end(an_model *model, an_error *err) {
    if (!model->calibration || ani_calibration_images(model->calibration) == 0)
        return ani_fail(err, AN_ERR_ARG, "model: no image was added to the calibration");
    an_status st = check_unchanged(model, model->calibration_of, "calibration", err);
    if (!st) st = ani_net_begin_read(model->net, err);
    if (st) return st;
    st = ani_calibration_finish(model->calibration, model->net, model->facts.image, err);
    ani_net_end_change(model->net);
    ani_calibration_destroy(model->calibration);
    model->calibration = NULL;
    return st;
}

an_status an_model_calibrate_begin(an_model *model, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_calibrate_begin(model, err);
    ani_model_release(model);
    return st;
}

an_status an_model_calibrate_add(an_model *model, const float *x, int64_t n, an_error *err) {
    an_status st = ani_model_check_images(model, x, x, n, err);
    if (!st) st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_calibrate_add(model, x, n, err);
    ani_model_release(model);
    return st;
}

an_status an_model_calibrate_end(an_model *model, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_calibrate_end(model, err);
    ani_model_release(model);
    return st;
}

an_status an_model_set_inference(an_model *model, int32_t inference, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (inference < AN_INFERENCE_FP32 || inference >= ANI_INFERENCES)
        return ani_fail(err, AN_ERR_ARG, "model: inference is %d; it must be one of AN_INFERENCE_*",
                        inference);
    an_status st = ani_model_begin_setting(model, err);
    if (st) return st;
    if (inference == AN_INFERENCE_INT8 && !ani_net_calibrated(model->net))
        st = ani_fail(err, AN_ERR_ARG,
                      "model: int8 inference needs a calibration with the present weights");
    else
        ani_net_set_inference(model->net, inference);
    return ani_model_end_change(model, st);
}
