/* SPDX-License-Identifier: MIT
 * What the code that makes batches needs from a data set besides the public getters. */
#ifndef DATASET_DATASET_H
#define DATASET_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/dataset.h>

enum { ANI_DATASET_MAX_SIDE = 8192, ANI_DATASET_MAX_OUTPUTS = 1000 };

/** Make a data set without samples, with its options checked; until ani_dataset_add_samples(),
 * their pointers are the caller's or point to *archive. */
an_status ani_dataset_create(an_dataset **out, an_extract_options *archive,
                             const an_dataset_options *options, an_error *err);
/** Allocate what each sample needs, once their number is known. The pointers in the options are not
 * used after this. */
an_status ani_dataset_add_samples(an_dataset *dataset, int32_t cache, an_error *err);

/** True if a number may be the weight of a sample: 0, or a positive number that a float can
 * hold. */
bool ani_weight_is_valid(double weight);

/** Take a reference to a data set; an_dataset_destroy() releases it. */
void ani_dataset_hold(an_dataset *dataset);

/**
 * Return the pixels of sample index [height,width,3] in place, or decode them into scratch.
 *
 * Takes:   scratch: height * width * 3 bytes. *rgb is valid as long as the data set and scratch
 *          are. Returns, threads: as an_dataset_read_pixels().
 */
an_status ani_dataset_view(an_dataset *dataset, int64_t index, uint8_t *scratch,
                           const uint8_t **rgb, an_error *err);

/** True if there is a reference to the data set besides the owner's, such as a batch's. */
bool ani_dataset_is_held(const an_dataset *dataset);

/** True if status means that an image is damaged or over a limit, not that memory or a disk
 * failed. */
bool ani_status_is_damage(an_status status);
/** True if a sample that fails with status should be left out: policy skip, and the image is
 * damaged or over a limit. Memory and read errors are never skipped. */
bool ani_dataset_may_skip(const an_dataset *dataset, an_status status);

/** Count sample index as left out and warn with message; only the first time for each sample.
 * Returns AN_OK or AN_ERR_CANCELLED. Call it only on the caller's thread. */
an_status ani_dataset_skip(an_dataset *dataset, int64_t index, const char *message, an_error *err);
/** Warn about sample index with message: with policy skip as ani_dataset_skip(), with strict that
 * it is damaged. */
an_status ani_dataset_tell_damaged(an_dataset *dataset, int64_t index, const char *message,
                                   an_error *err);
/** Remove the samples for which gone [count] is true; those after them move up. There must be no
 * other reference to the data set. */
void ani_dataset_remove(an_dataset *dataset, const bool *gone);
/** True if sample index was left out before, so that it need not be tried again. */
bool ani_dataset_is_skipped(const an_dataset *dataset, int64_t index);

#endif
