/* SPDX-License-Identifier: MIT
 * What this processor can do, limited by the environment variable AN_CPU. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdint.h>

enum {
    ANI_CPU_AVX2 = 1u,   /* with FMA */
    ANI_CPU_AVX512 = 2u, /* F, BW, DQ, VL */
    ANI_CPU_AVX512BF16 = 4u,
    ANI_CPU_NEON = 8u,
    ANI_CPU_AVX512VNNI = 16u
};

/** Return the mask of the features that the processor has. */
uint32_t ani_cpu_features(void);
/** Return that mask limited by AN_CPU (c|avx2|avx512|avx512vnni|avx512bf16|neon); *known (may be
 * NULL) becomes 0 if AN_CPU has any other value, which then limits nothing. */
uint32_t ani_cpu_mask(int *known);
/** Return how many processors this process may use, at least 1, by its affinity and the quotas of
 * its control groups. */
int32_t ani_cpu_count(void);

#endif
