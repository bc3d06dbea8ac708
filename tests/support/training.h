/* SPDX-License-Identifier: MIT
 * A training in two stages on a few drawn images, short enough to be done hundreds of times, that
 * goes on where the one before was killed. To be called anywhere, so no cmocka. */
#ifndef SUPPORT_TRAINING_H
#define SUPPORT_TRAINING_H

#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/attractivenet.h>

/** What is trained, and how. All zero but for folder: variant 0, all processors, to its end. */
typedef struct training {
    const char *folder; /* for checkpoints, model file, history, and the last weights */
    int32_t variant;    /* 0 to TRAINING_VARIANTS - 1: options that belong together */
    int32_t threads;    /* of the backend, and of the batches */
    int32_t pause_step; /* pause after so many steps of this call; 0: never */
    double seconds;     /* from checkpoint to checkpoint; 0: one after each step */
    bool is_wide;       /* the tutorial's network on images of 128; else a tenth of it on 32 */
    /* what came of it */
    int32_t steps;    /* done in this call */
    int32_t warnings; /* AN_WARN_OLD_CHECKPOINT */
} training;

enum { TRAINING_VARIANTS = 4 };
/** What variant is, for people. */
extern const char *const training_names[TRAINING_VARIANTS];

/** Begin or resume. Returns AN_OK at the end of the last stage; AN_ERR_CANCELLED after a pause. */
an_status training_run(training *t, an_error *err);

/** Compare what two finished trainings left: model file, last weights, history but for its seconds.
 * Returns NULL, or what differs. */
const char *training_compare(const char *folder, const char *other);

#endif
