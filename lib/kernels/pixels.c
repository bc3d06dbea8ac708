/* SPDX-License-Identifier: MIT
 * The table of the data path's kernels: which ISA level has which. */
#include "kernels/pixels.h"

#include "base/cpu.h"

void ani_pixels_init(ani_pixels *table, uint32_t mask) {
    ani_pixels_c(table);
#ifdef ANI_HAVE_AVX2
    if (mask & ANI_CPU_AVX2) ani_pixels_avx2(table);
#endif
#ifdef ANI_HAVE_NEON
    if (mask & ANI_CPU_NEON) ani_pixels_neon(table);
#endif
    (void)mask;
}
