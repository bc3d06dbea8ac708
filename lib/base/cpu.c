/* SPDX-License-Identifier: MIT
 * Processor features, as far as the kernels have levels for them. */
#include "base/cpu.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/quota.h"

uint32_t ani_cpu_features(void) {
    uint32_t mask = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) mask |= ANI_CPU_AVX2;
    if ((mask & ANI_CPU_AVX2) && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        mask |= ANI_CPU_AVX512;
    if ((mask & ANI_CPU_AVX512) && __builtin_cpu_supports("avx512vnni")) mask |= ANI_CPU_AVX512VNNI;
    if ((mask & ANI_CPU_AVX512) && __builtin_cpu_supports("avx512bf16")) mask |= ANI_CPU_AVX512BF16;
#elif defined(__aarch64__)
    mask |= ANI_CPU_NEON; /* part of the base architecture */
#endif
    return mask;
}

uint32_t ani_cpu_mask(int *known) {
    static const struct {
        const char *name;
        uint32_t mask;
    } levels[] = {
        {"c", 0},
        {"avx2", ANI_CPU_AVX2},
        {"avx512", ANI_CPU_AVX2 | ANI_CPU_AVX512},
        {"avx512vnni", ANI_CPU_AVX2 | ANI_CPU_AVX512 | ANI_CPU_AVX512VNNI},
        {"avx512bf16", ANI_CPU_AVX2 | ANI_CPU_AVX512 | ANI_CPU_AVX512VNNI | ANI_CPU_AVX512BF16},
        {"neon", ANI_CPU_NEON},
    };
    const uint32_t features = ani_cpu_features();
    const char *wanted = getenv("AN_CPU");
    if (known) *known = 1;
    if (!wanted || !*wanted) return features;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (!strcmp(wanted, levels[i].name)) return features & levels[i].mask;
    if (known) *known = 0;
    return features;
}

int32_t ani_cpu_count(void) {
    cpu_set_t set;
    int32_t count = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) count = CPU_COUNT(&set);
    const int32_t quota = ani_quota_processors("/proc/self/cgroup", "/sys/fs/cgroup");
    return quota && quota < count ? quota : count;
}
