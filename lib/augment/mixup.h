/* SPDX-License-Identifier: MIT
 * C-Mixup: which sample is mixed with which, and how much of each. */
#ifndef AUGMENT_MIXUP_H
#define AUGMENT_MIXUP_H

#include <attractivenet/augment.h>

/** What the draws of a loader depend on. Pointers are borrowed. */
typedef struct ani_mixup {
    double alpha, bandwidth;
    uint32_t seed;
    int32_t outputs;
    int64_t count;
    double *scale;  /* [outputs]: of a label, so that distances are in bandwidths; owned */
    double *labels; /* [count,outputs], scaled; owned; NULL: pairs do not depend on labels */
} ani_mixup;

/** Prepare the pairs of a loader's samples, indices [count] of a data set. alpha 0: nothing is
 * allocated. AN_ERR_NOMEM. */
an_status ani_mixup_create(ani_mixup *out, const an_loader_options *options,
                           const an_dataset *dataset, const int64_t *indices, int64_t count,
                           an_error *err);
void ani_mixup_clear(ani_mixup *mixup);

/** Draw for a sample: the share that it keeps, 0 to 1, and the place of the other one in
 * indices. */
void ani_mixup_draw(const ani_mixup *mixup, const an_dataset *dataset, int64_t epoch,
                    int64_t sample, double *share, int64_t *other);

#endif
