/* SPDX-License-Identifier: MIT
 * Greedy placement of buffers by size. */
#include "layers/plan.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

typedef struct placement {
    ani_buffer *buffer;
    int64_t index; /* so that equal sizes are placed in order */
} placement;

static int larger_first(const void *a, const void *b) {
    const placement *left = a, *right = b;
    if (left->buffer->size != right->buffer->size)
        return left->buffer->size > right->buffer->size ? -1 : 1;
    return left->index < right->index ? -1 : 1;
}

static bool same_time(const ani_buffer *a, const ani_buffer *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* Find the lowest offset at which buffer overlaps no placed buffer with an overlapping lifetime. */
static bool place(ani_buffer *buffer, const placement *placed, int64_t count) {
    int64_t offset = 0, end;
    for (bool moved = true; moved;) {
        moved = false;
        if (!ani_add_size(offset, buffer->size, &end)) return false;
        for (int64_t i = 0; i < count; i++) {
            const ani_buffer *other = placed[i].buffer;
            if (!same_time(buffer, other)) continue;
            if (offset >= other->offset + other->size || other->offset >= end) continue;
            offset = other->offset + other->size;
            moved = true;
            break;
        }
    }
    buffer->offset = offset;
    return true;
}

an_status ani_plan_buffers(ani_buffer *buffers, int64_t count, int64_t *size, an_error *err) {
    *size = 0;
    an_status st = AN_OK;
    placement *order = ani_alloc_zero(count, sizeof *order);
    if (!order) return ani_fail_memory(err, count * (int64_t)sizeof *order, "a memory plan");
    for (int64_t i = 0; i < count; i++) {
        int64_t rounded;
        if (!ani_add_size(buffers[i].size, ANI_ALIGNMENT - 1, &rounded)) {
            st = ani_fail_memory(err, -1, "a memory plan");
            goto done;
        }
        buffers[i].size = rounded & ~(int64_t)(ANI_ALIGNMENT - 1);
        order[i] = (placement){&buffers[i], i};
    }
    qsort(order, (size_t)count, sizeof *order, larger_first);
    for (int64_t i = 0; i < count; i++) {
        if (!place(order[i].buffer, order, i)) {
            st = ani_fail_memory(err, -1, "a memory plan");
            goto done;
        }
        const int64_t end = order[i].buffer->offset + order[i].buffer->size;
        if (end > *size) *size = end;
    }
done:
    ani_free(order);
    return st;
}
