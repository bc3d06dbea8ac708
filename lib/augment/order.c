/* SPDX-License-Identifier: MIT
 * The sample order of an epoch: ours, and those of Keras' iterators (docs/numerics.md, section
 * batches). */
#include "augment/order.h"

#include "augment/transform.h"

int64_t ani_order_batch(const ani_order *order, int64_t step) {
    const int64_t left = order->count - step * order->batch;
    return left < order->batch ? left : order->batch;
}

/* Seeds wrap around at 2^32, where NumPy's range ends. */
static void seed(ani_mt19937 *mt, const ani_order *order, int64_t steps_before) {
    ani_mt19937_seed(mt, (uint32_t)((uint64_t)order->options->seed + (uint64_t)steps_before));
}

void ani_order_stream(const ani_order *order, int64_t epoch, int64_t step, ani_mt19937 *mt) {
    seed(mt, order, (int64_t)((uint64_t)epoch * (uint64_t)order->steps + (uint64_t)step));
}

static void permute(const ani_order *order, int64_t *places, ani_mt19937 *mt) {
    if (order->options->shuffle) {
        ani_mt19937_permutation(mt, places, order->count);
        return;
    }
    for (int64_t i = 0; i < order->count; i++)
        places[i] = i;
}

/* The permutation that on_epoch_end() drew: after everything that the last batch of the previous
 * epoch drew. */
static void permute_after(const ani_order *order, int64_t epoch, int64_t *places, ani_mt19937 *mt) {
    const int64_t last = order->steps - 1;
    ani_order_stream(order, epoch - 1, last, mt);
    if (epoch == 1 && last == 0) permute(order, places, mt);
    for (int64_t i = 0; i < ani_order_batch(order, last); i++) {
        ani_transform unused;
        ani_transform_draw(&unused, order->options->augment, order->height, order->width, mt);
    }
    permute(order, places, mt);
}

void ani_order_epoch(const ani_order *order, int64_t epoch, int64_t *places, ani_mt19937 *first) {
    const int32_t mode = order->options->augment->mode;
    if (mode != AN_AUGMENT_KERAS && mode != AN_AUGMENT_LEGACY) {
        seed(first, order, epoch);
        permute(order, places, first);
    } else if (order->options->iterator == AN_ITERATOR_ITEM && epoch > 0) {
        permute_after(order, epoch, places, first);
        ani_order_stream(order, epoch, 0, first);
    } else {
        ani_order_stream(order, epoch, 0, first);
        permute(order, places, first);
    }
}
