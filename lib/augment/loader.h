/* SPDX-License-Identifier: MIT
 * The internal interface of a loader: reference counting, and its order without its pixels. */
#ifndef AUGMENT_LOADER_H
#define AUGMENT_LOADER_H

#include <attractivenet/augment.h>
#include <attractivenet/layers.h>

#include "base/cancel.h"
#include "io/settings.h"

/** Take a reference; an_loader_destroy() releases it. */
void ani_loader_hold(an_loader *loader);
/** AN_ERR_ARG unless a loader has a model's image size, scale and outputs; what names the loader in
 * the message ("batches"), which has both values. */
an_status ani_loader_check(const an_loader *loader, const an_model *model, const char *what,
                           an_error *err);
/** The same without the outputs, for callers that use only the images. */
an_status ani_loader_check_images(const an_loader *loader, const an_model *model, const char *what,
                                  an_error *err);
/** Claim the loader, to be its only reader until ani_loader_release(): AN_ERR_ARG while another
 * caller has the claim, and in a child of the process that made the loader. */
an_status ani_loader_claim(an_loader *loader, an_error *err);
/** Let the watch, instead of the loader's own flag, cancel the claim holder's waits for batches,
 * until the claim is released. */
void ani_loader_use_watch(an_loader *loader, ani_watch *watch);
/** A part of each batch: of `count` samples, those from count*part/parts to count*(part+1)/parts.
 */
typedef struct ani_loader_share {
    int32_t part, parts;
    /** Called instead of leaving out a damaged image of the data set: it may be the data set of
     * another thread's caller, who has to be warned. NULL: it is left out as usual. */
    an_status (*skip)(void *user, an_dataset *dataset, int64_t sample, const char *message,
                      an_error *err);
    void *user;
} ani_loader_share;

/** Make only that part, with the same samples and transforms as in the whole batch, until the claim
 * is released. With several parts, a batch that is empty is returned, with n 0. Begin an epoch
 * next. */
void ani_loader_use_share(an_loader *loader, const ani_loader_share *share);
void ani_loader_release(an_loader *loader);
/** The public functions of the same names, for the holder of the claim. */
an_status ani_loader_begin(an_loader *loader, int64_t epoch, int64_t first, an_error *err);
an_status ani_loader_next(an_loader *loader, const float **x, const float **y,
                          const int64_t **samples, int64_t *n, an_error *err);
/** Make a loader of all the same samples, in their original order and without augmentation. If they
 * come from a callback, the new loader holds the claim of the original until it is destroyed, so
 * that fill never runs twice at once. */
an_status ani_loader_in_order(an_loader **out, an_loader *loader, an_error *err);
/** Make a loader of the same data set, samples and options, which may be read at the same time. Not
 * of a callback's samples. */
an_status ani_loader_copy(an_loader **out, const an_loader *loader, an_error *err);
/** Return the sample at a place of the loader, 0 to an_loader_samples()-1. */
int64_t ani_loader_sample(const an_loader *loader, int64_t place);
/** Fill places [an_loader_samples()] with the order of an epoch. Batch 0 has the first
 * ani_loader_size() of them, and so on; with drop_last, some at the end may be in no batch. */
void ani_loader_order(const an_loader *loader, int64_t epoch, int64_t *places);
/** Return the number of the batch that an_loader_next() returns next, 0 to an_loader_steps(). */
int64_t ani_loader_place(const an_loader *loader);
/** Return the options that the loader was made with; borrowed. augment is never NULL. */
const an_loader_options *ani_loader_options(const an_loader *loader);
/** Return the data set; borrowed. NULL if the samples are a callback's. */
const an_dataset *ani_loader_dataset(const an_loader *loader);
/** Return the source that a callback's loader was made with; borrowed. NULL with a data set. */
const an_loader_source *ani_loader_source(const an_loader *loader);
/** Add the settings that the batches for training and validation depend on; val may be NULL. */
void ani_loader_settings(const an_loader *train, const an_loader *val, ani_setting_list *to);
/** Return the number of samples in batch number step. */
int64_t ani_loader_size(const an_loader *loader, int64_t step);

#endif
