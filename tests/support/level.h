/* SPDX-License-Identifier: MIT
 * Tests that are run once for each named ISA level: without the level, the library would use the
 * best one below it, and the test would show nothing new. */
#ifndef SUPPORT_LEVEL_H
#define SUPPORT_LEVEL_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"

/** Return 1 if AN_CPU names a level that this processor lacks: such a test is skipped. */
static inline int32_t level_is_absent(void) {
    static const struct {
        const char *name;
        uint32_t feature;
    } levels[] = {
        {"avx2", ANI_CPU_AVX2},
        {"avx512", ANI_CPU_AVX512},
        {"avx512vnni", ANI_CPU_AVX512VNNI},
        {"avx512bf16", ANI_CPU_AVX512BF16},
        {"neon", ANI_CPU_NEON},
    };
    const char *wanted = getenv("AN_CPU");
    for (size_t i = 0; wanted && i < sizeof levels / sizeof *levels; i++)
        if (!strcmp(wanted, levels[i].name)) return !(ani_cpu_features() & levels[i].feature);
    return 0;
}

#endif
