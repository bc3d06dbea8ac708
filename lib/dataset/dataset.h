/* SPDX-License-Identifier: MIT
 * What makers of batches need of a data set beside the public getters. */
#ifndef DATASET_DATASET_H
#define DATASET_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/dataset.h>

enum { ANI_DATASET_MAX_SIDE = 8192, ANI_DATASET_MAX_OUTPUTS = 1000 };

/** Make a data set without samples, its options checked; their pointers are the caller's, and to
 *  *archive, until ani_dataset_add_samples(). */
an_status ani_dataset_create(an_dataset **out, an_extract_options *archive,
                             const an_dataset_options *options, an_error *err);
/** Make room for what each sample needs, once their number is known. The pointers of the options
 *  end here. */
an_status ani_dataset_add_samples(an_dataset *dataset, int32_t cache, an_error *err);

/** True if a number may be the weight of a sample: 0, or such that float holds it. */
bool ani_weight_is_valid(double weight);

/** Hold a data set; an_dataset_destroy() gives one hold up. */
void ani_dataset_hold(an_dataset *dataset);

/**
 * Give the pixels of sample index [height,width,3] where they lie, or decode them into scratch.
 *
 * Takes:   scratch: height * width * 3 bytes. *rgb is valid as long as the data set and scratch
 *          are. Returns, threads: as an_dataset_read_pixels().
 */
an_status ani_dataset_view(an_dataset *dataset, int64_t index, uint8_t *scratch,
                           const uint8_t **rgb, an_error *err);

/** True if a batch, say, holds the data set beside its owner. */
bool ani_dataset_is_held(const an_dataset *dataset);

/** True if status says that an image is damaged or over a limit, and not that memory or a disk
 *  failed. */
bool ani_status_is_damage(an_status status);
/** True if a sample that fails with status is to be left out: policy skip, and the image is damaged
 *  or over a limit. Errors of memory and of reading are never passed over. */
bool ani_dataset_may_skip(const an_dataset *dataset, an_status status);

/** Count sample index as left out and warn with message; only the first time for each sample.
 *  Returns AN_OK or AN_ERR_CANCELLED. Call it on the thread of the caller only. */
an_status ani_dataset_skip(an_dataset *dataset, int64_t index, const char *message, an_error *err);
/** Warn of sample index with message: policy skip as ani_dataset_skip(), strict that it is damaged.
 */
an_status ani_dataset_tell_damaged(an_dataset *dataset, int64_t index, const char *message,
                                   an_error *err);
/** Remove the samples for which gone [count] is true; those behind them move up. Nobody else may
 *  hold the data set. */
void ani_dataset_remove(an_dataset *dataset, const bool *gone);
/** True if sample index was left out before: it need not be tried again. */
bool ani_dataset_is_skipped(const an_dataset *dataset, int64_t index);

#endif
