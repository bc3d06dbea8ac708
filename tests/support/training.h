/* SPDX-License-Identifier: MIT
 * Two-stage training on a few drawn images, short enough to be run hundreds of times, that resumes
 * where the previous run was killed. It may be called anywhere, so it does not use cmocka. */
#ifndef SUPPORT_TRAINING_H
#define SUPPORT_TRAINING_H

#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/attractivenet.h>

/** What is trained, and how. If all but folder is zero: variant 0, all processors, to the end. */
typedef struct training {
    const char *folder; /* for checkpoints, model file, history, and the last weights */
    const char *device; /* of the backend; NULL: cpu */
    int32_t variant;    /* 0 to TRAINING_VARIANTS - 1: options that belong together */
    int32_t threads;    /* of the backend, and of the batches */
    int32_t pause_step; /* pause after this many steps of this call; 0: never */
    double seconds;     /* seconds between checkpoints; 0: one after each step */
    bool is_wide;       /* the tutorial's network on 128-pixel images; else a tenth of it on 32 */
    /* the results */
    int32_t steps;    /* done in this call */
    int32_t warnings; /* AN_WARN_OLD_CHECKPOINT */
} training;

enum { TRAINING_VARIANTS = 5 };
/** A readable description of the variant. */
extern const char *const training_names[TRAINING_VARIANTS];

/** Start or resume. Returns AN_OK at the end of the last stage; AN_ERR_CANCELLED after a pause. */
an_status training_run(training *t, an_error *err);

/** Compare the results of two finished runs: model file, last weights, and history except for its
 * seconds. Returns NULL, or what differs. */
const char *training_compare(const char *folder, const char *other);

#endif
