/* SPDX-License-Identifier: MIT
 * The loss of a model over a source, by images or by features. */
#include "train/evaluate.h"

#include <math.h>
#include <string.h>

#include "augment/loader.h"
#include "base/callbacks.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/show.h"
#include "layers/loss.h"
#include "layers/model.h"

/* Features beyond this are recomputed for each batch. */
static const int64_t max_feature_bytes = INT64_C(2) << 30;
enum { HEAD_SLICE = 1024 };

/* --- losses ----------------------------------------------------------------------------------- */

/** Cross-entropy of softmax(z) against t, by log(sum exp) with the largest logit subtracted. */
static double categorical(const float *z, const float *t, int64_t outputs) {
    double largest = -INFINITY, sum = 0, loss = 0;
    for (int64_t i = 0; i < outputs; i++)
        if ((double)z[i] > largest || isnan(z[i])) largest = z[i];
    for (int64_t i = 0; i < outputs; i++)
        sum += exp((double)z[i] - largest);
    for (int64_t i = 0; i < outputs; i++)
        loss += (double)t[i] * (log(sum) + largest - (double)z[i]);
    return loss;
}

static double one_output(int32_t kind, double z, double t) {
    const double distance = fabs(z - t);
    switch (kind) {
    case AN_LOSS_MAE:
        return distance;
    case AN_LOSS_HUBER:
        return distance <= 1 ? 0.5 * distance * distance : distance - 0.5;
    case AN_LOSS_BINARY:
        return (z > 0 ? z : 0) - z * t + log1p(exp(-fabs(z))) + (isnan(z) ? z : 0);
    default:
        return distance * distance;
    }
}

double ani_loss_sum(int32_t kind, const float *logits, const float *target, const float *weights,
                    int64_t n, int64_t outputs) {
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        const float *z = logits + i * outputs, *t = target + i * outputs;
        double loss = 0;
        if (kind == AN_LOSS_CATEGORICAL) {
            loss = categorical(z, t, outputs);
        } else {
            for (int64_t k = 0; k < outputs; k++)
                loss += one_output(kind, z[k], t[k]);
            loss /= (double)outputs;
        }
        total += weights ? (double)weights[i] * loss : loss;
    }
    return total;
}

/** Add the losses of a batch to a sum over samples. */
static an_status add_losses(double *total, const an_loss_options *loss, const float *logits,
                            const float *target, const float *weights, int64_t n, int64_t outputs,
                            an_error *err) {
    if (!loss->fn) {
        *total += ani_loss_sum(loss->kind, logits, target, weights, n, outputs);
        return AN_OK;
    }
    double mean = NAN;
    const an_loss_batch batch = {.struct_size = sizeof batch,
                                 .outputs = (int32_t)outputs,
                                 .n = n,
                                 .prediction = logits,
                                 .target = target,
                                 .weights = weights,
                                 .loss = &mean};
    if (loss->fn(loss->user, &batch))
        return ani_fail(err, AN_ERR_CANCELLED, "the loss function asked to stop");
    *total += mean * (double)n;
    return AN_OK;
}

an_status ani_check_classes(const an_model *model, const an_dataset *like, const an_loader *loader,
                            const char *what, an_error *err) {
    const an_dataset *dataset = ani_loader_dataset(loader);
    const int32_t count = an_dataset_class_count(dataset);
    ani_class_names *names = like ? NULL : ani_model_hold_class_names(model);
    an_status st = AN_OK;
    for (int32_t i = 0; !st && i < count; i++) {
        char shown[2][ANI_SHOWN_NAME_SIZE];
        const char *found = an_dataset_class_name(dataset, i);
        const char *want = like                        ? an_dataset_class_name(like, i)
                           : names && i < names->count ? names->names[i]
                                                       : NULL;
        if (want && strcmp(found, want) != 0)
            st = ani_fail(err, AN_ERR_ARG, "%s have '%s' as class %d; %s has '%s'", what,
                          ani_name_show(shown[0], found), (int)i,
                          like ? "the training" : "the model", ani_name_show(shown[1], want));
    }
    ani_class_names_destroy(names);
    return st;
}

an_status ani_check_source(const an_model *model, const an_loader *loader,
                           const an_loss_options *loss, const char *what, an_error *err) {
    const an_dataset *dataset = ani_loader_dataset(loader);
    const int32_t outputs = an_loader_outputs(loader);
    an_status st = ani_loader_check(loader, model, what, err);
    if (!st) st = ani_check_classes(model, NULL, loader, what, err);
    for (int64_t place = 0; !st && dataset && place < an_loader_samples(loader); place++) {
        const int64_t sample = ani_loader_sample(loader, place);
        for (int32_t k = 0; k < outputs; k++) {
            const double label = an_dataset_score(dataset, sample, k);
            if (!ani_loss_takes(loss->kind, (float)label))
                return ani_fail(err, AN_ERR_ARG,
                                "'%s' has the label %g; for this loss it must be a probability, 0 "
                                "to 1",
                                an_dataset_name(dataset, sample), label);
        }
    }
    return st;
}

an_status ani_check_labels(const an_loader *loader, const an_loss_options *loss, const float *y,
                           const int64_t *samples, int64_t n, an_error *err) {
    const int32_t outputs = an_loader_outputs(loader);
    if (ani_loader_dataset(loader)) return AN_OK;
    for (int64_t i = 0; i < n * outputs; i++)
        if (!ani_loss_takes(loss->kind, y[i]))
            return ani_fail(err, AN_ERR_ARG,
                            "sample %lld has the label %g; for this loss it must be a "
                            "probability, 0 to 1",
                            (long long)samples[i / outputs], (double)y[i]);
    return AN_OK;
}

/* --- by images -------------------------------------------------------------------------------- */

/** Who receives an evaluation's progress reports. */
typedef struct watcher {
    an_progress_fn progress;
    void *user;
    double begun; /* clock, seconds */
} watcher;

static an_status batch_done(void *user, int64_t step, int64_t steps, an_error *err) {
    const watcher *w = user;
    return ani_report_progress(w->progress, w->user, step, steps, w->begun, "batches", err);
}

an_status an_model_evaluate(an_model *model, an_loader *loader, const an_loss_options *loss,
                            double *loss_value, an_progress_fn progress, void *progress_user,
                            an_error *err) {
    an_loss_options ours;
    watcher w = {progress, progress_user, ani_clock_seconds()};
    if (!model || !loader || !loss_value)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL",
                        !model    ? "model"
                        : !loader ? "loader"
                                  : "loss_value");
    an_status st = ani_loss_take(&ours, loss, ani_model_facts_of(model)->task,
                                 ani_net_spec_of(ani_model_net(model))->outputs, err);
    if (!st && (ours.weights || ours.accumulate))
        st = ani_fail(err, AN_ERR_ARG, "an_loss_options: %s of an evaluation; it must be %s",
                      ours.weights ? "weights" : "accumulate",
                      ours.weights ? "NULL: the loader has them" : "0");
    if (!st) st = ani_check_source(model, loader, &ours, "batches", err);
    if (st) return st;
    /* progress may destroy both */
    ani_model_hold(model);
    ani_loader_hold(loader);
    st = ani_evaluate(model, loader, &ours, NULL, NULL, batch_done, &w, loss_value, err);
    an_loader_destroy(loader);
    an_model_destroy(model);
    return st;
}

/** Meet the other ranks after a batch with n images on this one. */
static an_status meet(ani_ranks *ranks, an_status st, int64_t n, an_error *err) {
    const ani_rank_news news = {.images = n};
    return ani_ranks_meet(ranks, st, &news, err);
}

an_status ani_evaluate(an_model *model, an_loader *loader, const an_loss_options *loss,
                       ani_watch *watch, ani_ranks *ranks, ani_batch_done_fn done, void *user,
                       double *loss_value, an_error *err) {
    float *logits = NULL;
    ani_net_context *context = NULL;
    double sums[2] = {0}; /* losses, samples */
    ani_net *net = ani_model_net(model);
    const ani_net_spec *spec = ani_net_spec_of(net);
    const int64_t size = (int64_t)an_loader_batch_size(loader) * spec->outputs;
    an_status st = ani_loader_claim(loader, err);
    const bool claimed = !st;
    if (claimed) logits = ani_alloc_zero(size, sizeof *logits);
    if (claimed && !logits)
        st = ani_fail_memory(err, size * (int64_t)sizeof *logits, "predictions");
    if (!st) st = ani_net_context_take(&context, net, err);
    if (!st) ani_net_context_use_watch(context, watch);
    if (!st) st = ani_net_context_hold(net, context, ANI_PREDICT_AS_SET, false, err);
    if (!st) ani_loader_use_watch(loader, ani_net_context_watch(context));
    if (!st) ani_ranks_share(ranks, loader);
    if (!st) st = ani_loader_begin(loader, 0, 0, err);
    while (true) {
        const float *x, *y;
        const int64_t *which;
        int64_t n = 0;
        if (!st) st = ani_loader_next(loader, &x, &y, &which, &n, err);
        if (!st) st = ani_check_labels(loader, loss, y, which, n, err);
        if (!st && n) st = ani_net_predict(net, context, x, n, 0, NULL, logits, err);
        if (!st) {
            sums[1] += (double)n;
            st = add_losses(&sums[0], loss, logits, y, an_loader_batch_weights(loader), n,
                            spec->outputs, err);
        }
        if (!st) st = done(user, ani_loader_place(loader), an_loader_steps(loader), err);
        st = meet(ranks, st, n, err);
        if (st) break;
    }
    if (st == AN_DONE) st = ani_ranks_sum_host(ranks, sums, 2, err);
    if (!st) *loss_value = sums[1] > 0 ? sums[0] / sums[1] : NAN;
    if (claimed) ani_loader_release(loader);
    ani_net_context_give(net, context);
    ani_free(logits);
    return st;
}

/* --- by features ------------------------------------------------------------------------------ */

static bool feature_bytes(const an_model *model, const an_loader *loader, int64_t *bytes) {
    const int64_t width = ani_net_features(ani_model_net(model));
    return ani_mul_size(an_loader_samples(loader), width * (int64_t)sizeof(float), bytes);
}

bool ani_features_fit(const an_model *model, const an_loader *loader) {
    int64_t bytes;
    return feature_bytes(model, loader, &bytes) && bytes <= max_feature_bytes;
}

/** Count the rows of a batch, which have been filled in. An omitted image leaves a place without a
 * row. */
static void add_rows(ani_features *f, const an_loader *loader, const int64_t *samples, int64_t n,
                     int64_t *place) {
    for (int64_t i = 0; i < n; i++) {
        while (ani_loader_sample(loader, *place) != samples[i])
            f->rows[(*place)++] = -1;
        f->rows[(*place)++] = f->samples + i;
    }
    f->samples += n;
}

/** Rows of a batch: those of this rank, or of all. */
typedef struct feature_rows {
    float *values, *targets, *weights; /* weights NULL: none */
    int64_t *samples;
} feature_rows;

static an_status make_rows(feature_rows *rows, const ani_features *f, const an_loader *loader,
                           an_error *err) {
    const int64_t batch = an_loader_batch_size(loader);
    rows->values = ani_alloc_zero(batch * f->width, sizeof *rows->values);
    rows->targets = ani_alloc_zero(batch * f->outputs, sizeof *rows->targets);
    rows->weights = ani_alloc_zero(batch, sizeof *rows->weights);
    rows->samples = ani_alloc_zero(batch, sizeof *rows->samples);
    if (rows->values && rows->targets && rows->weights && rows->samples) return AN_OK;
    return ani_fail_memory(err, batch * f->width * (int64_t)sizeof *rows->values, "features");
}

static void clear_rows(feature_rows *rows) {
    ani_free(rows->values);
    ani_free(rows->targets);
    ani_free(rows->weights);
    ani_free(rows->samples);
}

/** The next rows of the features. */
static feature_rows next_rows(const ani_features *f, int64_t *samples) {
    return (feature_rows){f->values + f->samples * f->width, f->targets + f->samples * f->outputs,
                          f->weights ? f->weights + f->samples : NULL, samples};
}

/** Put the rows of all ranks, n of this one, into those of rank 0. */
static an_status gather_rows(ani_ranks *ranks, const ani_features *f, const feature_rows *mine,
                             const feature_rows *all, an_error *err) {
    const int64_t size = sizeof(float);
    an_status st = ani_ranks_gather(ranks, mine->values, all->values, f->width * size, err);
    if (!st) st = ani_ranks_gather(ranks, mine->targets, all->targets, f->outputs * size, err);
    if (!st && f->is_weighted) st = ani_ranks_gather(ranks, mine->weights, all->weights, size, err);
    if (!st) st = ani_ranks_gather(ranks, mine->samples, all->samples, sizeof(int64_t), err);
    return st;
}

/** Compute the rows of this rank's part of a batch. */
static an_status compute_rows(const feature_rows *rows, const ani_features *f, an_model *model,
                              ani_net_context *context, an_loader *ordered,
                              const an_loss_options *loss, int64_t *n, an_error *err) {
    const float *x, *y;
    const int64_t *samples;
    an_status st = ani_loader_next(ordered, &x, &y, &samples, n, err);
    if (!st) st = ani_check_labels(ordered, loss, y, samples, *n, err);
    if (!st && *n) st = ani_model_predict(model, context, x, *n, rows->values, NULL, err);
    if (st) return st;
    const float *weights = an_loader_batch_weights(ordered);
    memcpy(rows->targets, y, (size_t)(*n * f->outputs) * sizeof *y);
    memcpy(rows->samples, samples, (size_t)*n * sizeof *samples);
    if (f->is_weighted) memcpy(rows->weights, weights, (size_t)*n * sizeof *weights);
    return AN_OK;
}

/** What all samples need. */
static an_status make_features(ani_features *f, const an_model *model, const an_loader *loader,
                               an_error *err) {
    const int64_t count = an_loader_samples(loader);
    int64_t bytes = -1;
    f->rows = ani_alloc_zero(count, sizeof *f->rows);
    f->targets = ani_alloc_zero(count * f->outputs, sizeof *f->targets);
    f->values = feature_bytes(model, loader, &bytes) ? ani_alloc(bytes) : NULL;
    if (f->is_weighted) f->weights = ani_alloc_zero(count, sizeof *f->weights);
    if (f->rows && f->targets && f->values && (!f->is_weighted || f->weights)) return AN_OK;
    return ani_fail_memory(err, bytes, "features");
}

an_status ani_features_create(ani_features **out, an_model *model, an_loader *loader,
                              const an_loss_options *loss, ani_watch *watch, ani_ranks *ranks,
                              ani_batch_done_fn done, void *user, an_error *err) {
    *out = NULL;
    an_loader *ordered = NULL;
    ani_net_context *context = NULL;
    feature_rows own = {0}, others = {0};
    ani_net *net = ani_model_net(model);
    const bool leads = ani_ranks_leads(ranks);
    int64_t place = 0;
    an_status st = AN_OK;
    ani_features *f = ani_alloc_zero(1, sizeof *f);
    if (!f) st = ani_fail_memory(err, sizeof *f, "features");
    if (!st) {
        f->width = ani_net_features(net);
        f->outputs = an_loader_outputs(loader);
        f->is_weighted = an_loader_has_weights(loader);
        st = leads ? make_features(f, model, loader, err) : make_rows(&others, f, loader, err);
    }
    if (!st) st = make_rows(&own, f, loader, err);
    if (!st) st = ani_loader_in_order(&ordered, loader, err);
    if (!st) st = ani_loader_claim(ordered, err);
    if (!st) ani_loader_use_watch(ordered, watch);
    if (!st) ani_ranks_share(ranks, ordered);
    if (!st) st = ani_loader_begin(ordered, 0, 0, err);
    if (!st) st = ani_net_context_take(&context, net, err);
    if (!st) ani_net_context_use_watch(context, watch);
    if (!st) st = ani_net_context_hold(net, context, AN_INFERENCE_FP32, false, err);
    for (int64_t step = 1;; step++) {
        feature_rows all = leads && !st ? next_rows(f, own.samples) : others;
        const feature_rows *mine = leads ? &all : &own;
        int64_t n = 0;
        if (!st) st = compute_rows(mine, f, model, context, ordered, loss, &n, err);
        if (!st) st = done(user, step, an_loader_steps(ordered), err);
        st = meet(ranks, st, n, err);
        if (!st) st = gather_rows(ranks, f, mine, &all, err);
        if (st) break;
        if (leads) add_rows(f, loader, all.samples, ani_ranks_images(ranks, n), &place);
    }
    if (st == AN_DONE) {
        st = AN_OK;
        while (leads && place < an_loader_samples(loader))
            f->rows[place++] = -1;
        if (leads) {
            *out = f;
            f = NULL;
        }
    }
    ani_net_context_give(net, context);
    an_loader_destroy(ordered);
    clear_rows(&others);
    clear_rows(&own);
    ani_features_destroy(f);
    return st;
}

float ani_features_largest(const ani_features *features) {
    float largest = 0;
    for (int64_t i = 0; i < features->samples * features->width; i++)
        largest = fmaxf(largest, fabsf(features->values[i]));
    return largest;
}

void ani_features_destroy(ani_features *features) {
    if (!features) return;
    ani_free(features->rows);
    ani_free(features->values);
    ani_free(features->targets);
    ani_free(features->weights);
    ani_free(features);
}

an_status ani_features_loss(const ani_features *f, an_model *model, const an_loss_options *loss,
                            int64_t batch, ani_watch *watch, ani_batch_done_fn done, void *user,
                            double *loss_value, an_error *err) {
    double total = 0;
    ani_net_context *context = NULL;
    ani_net *net = ani_model_net(model);
    const int64_t slice = loss->fn ? batch : HEAD_SLICE;
    const int64_t steps = (f->samples + batch - 1) / batch;
    an_status st = ani_net_context_take(&context, net, err);
    if (st) return st;
    ani_net_context_use_watch(context, watch);
    st = ani_net_context_hold(net, context, ANI_PREDICT_HEAD, false, err);
    float *logits = ani_alloc_zero(slice * f->outputs, sizeof *logits);
    if (!st && !logits)
        st = ani_fail_memory(err, slice * f->outputs * (int64_t)sizeof *logits, "predictions");
    for (int64_t i = 0; !st && i < f->samples; i += slice) {
        const int64_t n = f->samples - i < slice ? f->samples - i : slice;
        st = ani_net_predict_head(net, context, f->values + i * f->width, n, 0, logits, err);
        if (!st)
            st = add_losses(&total, loss, logits, f->targets + i * f->outputs,
                            f->weights ? f->weights + i : NULL, n, f->outputs, err);
        if (!st) st = done(user, i + n == f->samples ? steps : (i + n) / batch, steps, err);
    }
    if (!st) *loss_value = f->samples ? total / (double)f->samples : NAN;
    ani_net_context_give(net, context);
    ani_free(logits);
    return st;
}
