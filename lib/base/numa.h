/* SPDX-License-Identifier: MIT
 * Where threads run on a machine whose memory belongs to nodes: their memory is near if they stay
 * on one of them. */
#ifndef BASE_NUMA_H
#define BASE_NUMA_H

#include <stdbool.h>
#include <stdint.h>

/** The processors that a thread could use before it entered a node. */
typedef struct ani_numa_place {
    bool is_bound; /* it is bound to a node now */
    uint64_t before[16];
} ani_numa_place;

/** Bind the calling thread, and threads that it starts from now on, to the node for part number
 * index of `of` parts of the work: the nodes get equal shares. Does nothing if the thread may use
 * only one node. */
void ani_numa_enter(ani_numa_place *place, int32_t index, int32_t of);
/** Let the calling thread use the processors of before again. */
void ani_numa_leave(const ani_numa_place *place);

/** Return the number of nodes of a folder ("/sys/devices/system/node") with processors among those
 * of `allowed` (a mask of 1024), and write the processors of the index-th of them, as a mask. */
int32_t ani_numa_node(const char *folder, const uint64_t allowed[16], int32_t index,
                      uint64_t out[16]);

#endif
