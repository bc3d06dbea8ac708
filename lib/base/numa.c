/* SPDX-License-Identifier: MIT
 * NUMA nodes by the kernel's files. If one is missing or unreadable, there are no nodes, and
 * nothing is bound. */
#include "base/numa.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 16, PROCESSORS = 64 * WORDS, LINE_SIZE = 4096, NODES = 256 };

/* Parse a list such as "0-3,8,10-11". */
static void parse_list(const char *text, uint64_t out[WORDS]) {
    memset(out, 0, WORDS * sizeof *out);
    while (*text >= '0' && *text <= '9') {
        char *end;
        const long first = strtol(text, &end, 10);
        const long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        for (long i = first; i <= last && i < PROCESSORS; i++)
            out[i / 64] |= UINT64_C(1) << (i % 64);
        text = *end == ',' ? end + 1 : end;
    }
}

int32_t ani_numa_node(const char *folder, const uint64_t allowed[16], int32_t index,
                      uint64_t out[16]) {
    int32_t count = 0;
    for (int32_t node = 0; node < NODES; node++) {
        char path[256], line[LINE_SIZE];
        uint64_t mask[WORDS], any = 0;
        snprintf(path, sizeof path, "%s/node%d/cpulist", folder, (int)node);
        FILE *file = fopen(path, "re");
        if (!file) continue;
        if (!fgets(line, sizeof line, file)) line[0] = 0;
        fclose(file);
        parse_list(line, mask);
        for (int i = 0; i < WORDS; i++)
            any |= mask[i] &= allowed[i];
        if (!any) continue;
        if (count++ == index) memcpy(out, mask, sizeof mask);
    }
    return count;
}

/* cpu_set_t is a mask of 1024 bits in native words, which is what we keep. */
_Static_assert(sizeof(cpu_set_t) == WORDS * sizeof(uint64_t), "another kind of cpu_set_t");

void ani_numa_enter(ani_numa_place *place, int32_t index, int32_t of) {
    static const char folder[] = "/sys/devices/system/node";
    cpu_set_t set;
    uint64_t node[WORDS];
    *place = (ani_numa_place){0};
    if (sched_getaffinity(0, sizeof set, &set)) return;
    memcpy(place->before, &set, sizeof set);
    const int32_t count = ani_numa_node(folder, place->before, -1, node);
    if (count < 2) return;
    ani_numa_node(folder, place->before, (int32_t)((int64_t)index * count / of), node);
    memcpy(&set, node, sizeof set);
    place->is_bound = sched_setaffinity(0, sizeof set, &set) == 0;
}

void ani_numa_leave(const ani_numa_place *place) {
    cpu_set_t set;
    if (!place->is_bound) return;
    memcpy(&set, place->before, sizeof set);
    sched_setaffinity(0, sizeof set, &set);
}
