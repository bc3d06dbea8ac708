/* SPDX-License-Identifier: MIT
 * Losses of predictions on the host, in double, and the features of a frozen base, computed once.
 */
#ifndef TRAIN_EVALUATE_H
#define TRAIN_EVALUATE_H

#include <attractivenet/train.h>

#include <stdbool.h>

#include "base/cancel.h"
#include "train/ranks.h"

/** Return the sum over n samples of loss times weight. logits, target [n,outputs]; weights [n] or
 * NULL; kind: AN_LOSS_MSE to BINARY. */
double ani_loss_sum(int32_t kind, const float *logits, const float *target, const float *weights,
                    int64_t n, int64_t outputs);

/** AN_ERR_ARG with both names if the class names of a loader's data set differ from a model's, or
 * from those of the data set `like` unless that is NULL. what: names the loader in the message.
 * Anything without names fits. */
an_status ani_check_classes(const an_model *model, const an_dataset *like, const an_loader *loader,
                            const char *what, an_error *err);
/** AN_ERR_ARG unless batches, which the message calls what, have the model's size, outputs and
 * scale, and the loss chosen for it accepts all of their labels. */
an_status ani_check_source(const an_model *model, const an_loader *loader,
                           const an_loss_options *loss, const char *what, an_error *err);

/** The same check for the labels y [n,outputs] of a batch from a callback's loader, which the check
 * above cannot see. */
an_status ani_check_labels(const an_loader *loader, const an_loss_options *loss, const float *y,
                           const int64_t *samples, int64_t n, an_error *err);

/** Called after each batch; a status other than AN_OK stops the work. step: batches processed. */
typedef an_status (*ani_batch_done_fn)(void *user, int64_t step, int64_t steps, an_error *err);

/** Compute the mean loss of a model over the batches of a checked source, as an_model_evaluate()
 * does. watch: of the call that this is part of; NULL: none. ranks: which share the work; NULL:
 * one.
 */
an_status ani_evaluate(an_model *model, an_loader *loader, const an_loss_options *loss,
                       ani_watch *watch, ani_ranks *ranks, ani_batch_done_fn done, void *user,
                       double *loss_value, an_error *err);

/** The features that a frozen base computes from the samples of a source. */
typedef struct ani_features {
    int64_t samples; /* filled rows */
    int64_t width;   /* features of a row */
    int64_t outputs;
    int64_t *rows;  /* [places of the source]: row of a place; -1: the image was left out */
    float *values;  /* [samples,width] */
    float *targets; /* [samples,outputs] */
    float *weights; /* [samples]; NULL: 1 each */
    bool is_weighted;
} ani_features;

/** Return whether the features of a source are small enough to be kept. */
bool ani_features_fit(const an_model *model, const an_loader *loader);
/** Compute them, in the order of the source's samples, so that they do not depend on the epoch.
 * loss must accept their labels. For the holder of the model's claim. watch: of the call that this
 * is part of. ranks: which share the work; those that do not lead get NULL. */
an_status ani_features_create(ani_features **out, an_model *model, an_loader *loader,
                              const an_loss_options *loss, ani_watch *watch, ani_ranks *ranks,
                              ani_batch_done_fn done, void *user, an_error *err);
void ani_features_destroy(ani_features *features); /* NULL is allowed */
/** Return the largest magnitude of all values; 0 if there are none. */
float ani_features_largest(const ani_features *features);
/** Compute the mean loss of the head over all rows; also for the holder of the claim. batch: number
 * of samples passed to a loss function at a time; done is called after each such batch. */
an_status ani_features_loss(const ani_features *features, an_model *model,
                            const an_loss_options *loss, int64_t batch, ani_watch *watch,
                            ani_batch_done_fn done, void *user, double *loss_value, an_error *err);

#endif
