/* SPDX-License-Identifier: MIT
 * A source of batches from the inside: counted references, and its order without its pixels. */
#ifndef AUGMENT_BATCHES_H
#define AUGMENT_BATCHES_H

#include <attractivenet/augment.h>
#include <attractivenet/layers.h>

#include "io/settings.h"

/** Count a holder; an_batches_destroy() gives it back. */
void ani_batches_hold(an_batches *batches);
/** AN_ERR_ARG unless batches have the size, the outputs and the scale that a model has; what names
 * them in the message, which has both values: "batches". */
an_status ani_batches_check(const an_batches *batches, const an_model *model, const char *what,
                            an_error *err);
/** Be the only one who reads the source until ani_batches_release(): AN_ERR_ARG while another does,
 * and in a child of the process that made it. */
an_status ani_batches_claim(an_batches *batches, an_error *err);
void ani_batches_release(an_batches *batches);
/** The public functions of the same names for who has the claim. */
an_status ani_batches_begin(an_batches *batches, int64_t epoch, int64_t first, an_error *err);
an_status ani_batches_next(an_batches *batches, const float **x, const float **y,
                           const int64_t **samples, int64_t *n, an_error *err);
/** Make a source of the same samples, all of them, in their own order and without augmentation. */
an_status ani_batches_in_order(an_batches **out, const an_batches *batches, an_error *err);
/** Return the sample of the data set at a place of the source, 0 to an_batches_samples()-1. */
int64_t ani_batches_sample(const an_batches *batches, int64_t place);
/** Fill places [an_batches_samples()] with the order of an epoch. Batch 0 has the first
 * ani_batches_size() of them, and so on; with last_batch 0 some at the end are in no batch. */
void ani_batches_order(const an_batches *batches, int64_t epoch, int64_t *places);
/** Return the number of the batch that an_batches_next() looks at next, 0 to an_batches_steps(). */
int64_t ani_batches_place(const an_batches *batches);
/** Return what the source was made with; borrowed. Its augment is never NULL. */
const an_batches_options *ani_batches_options(const an_batches *batches);
/** Return the data set; borrowed. */
const an_dataset *ani_batches_dataset(const an_batches *batches);
/** Add what the batches of a training depend on, and those of a validation; val may be NULL. */
void ani_batches_settings(const an_batches *train, const an_batches *val, ani_setting_list *to);
/** Return how many samples batch number step has. */
int64_t ani_batches_size(const an_batches *batches, int64_t step);

#endif
