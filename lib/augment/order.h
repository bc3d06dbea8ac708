/* SPDX-License-Identifier: MIT
 * The order in which an epoch goes through the samples, and the stream that the images of a batch
 * draw from. Both are functions of options and epoch: no state is carried over from earlier
 * reads. */
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

/** Return the number of samples in batch number step. */
int64_t ani_order_batch(const ani_order *order, int64_t step);

/**
 * Fill places [count] with the order of an epoch.
 *
 * Modes NONE and FAST: RandomState(seed + epoch).permutation(count). Modes KERAS and LEGACY: as in
 * Keras' iterator, where batch number b, counted over all epochs, reseeds with seed + b. next()
 * draws the permutation in an epoch's first batch, before the images' parameters. g[k] does so for
 * the first epoch; it draws the others in on_epoch_end(), after the parameters of the previous
 * epoch's last batch.
 *
 * Writes:  first: for KERAS and LEGACY, the stream from which the images of batch 0 draw.
 */
void ani_order_epoch(const ani_order *order, int64_t epoch, int64_t *places, ani_mt19937 *first);

/** Begin the stream of any batch except the first of its epoch, for modes KERAS and LEGACY. */
void ani_order_stream(const ani_order *order, int64_t epoch, int64_t step, ani_mt19937 *mt);

#endif
