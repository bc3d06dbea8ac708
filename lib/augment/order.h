/* SPDX-License-Identifier: MIT
 * In which order an epoch goes through the samples, and which stream the images of a batch draw
 * from. All of it is a function of options and epoch: nothing is carried over from what was read
 * before. */
#ifndef AUGMENT_ORDER_H
#define AUGMENT_ORDER_H

#include <stdint.h>

#include <attractivenet/augment.h>

#include "base/random.h"

/** What the order depends on. */
typedef struct ani_order {
    const an_loader_options *options;
    int64_t count; /* samples */
    int64_t batch; /* samples of a full batch */
    int64_t steps; /* batches of an epoch */
    int64_t height, width;
} ani_order;

/** Return how many samples batch number step has. */
int64_t ani_order_batch(const ani_order *order, int64_t step);

/**
 * Fill places [count] with the order of an epoch.
 *
 * Modes NONE and FAST: RandomState(seed + epoch).permutation(count). Modes KERAS and LEGACY: as
 * Keras' iterator, of which batch number b over all epochs reseeds with seed + b: next() draws the
 * permutation in an epoch's first batch, before the images' parameters; g[k] draws the first one
 * so too, the others behind the parameters of the last batch of the epoch before, in
 * on_epoch_end().
 *
 * Writes:  first: for KERAS and LEGACY, the stream from which the images of batch 0 draw.
 */
void ani_order_epoch(const ani_order *order, int64_t epoch, int64_t *places, ani_mt19937 *first);

/** Begin the stream of a batch but the first of its epoch, for modes KERAS and LEGACY. */
void ani_order_stream(const ani_order *order, int64_t epoch, int64_t step, ani_mt19937 *mt);

#endif
