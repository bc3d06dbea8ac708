/* SPDX-License-Identifier: MIT
 * The table of the inference kernels: which ISA level has which. */
#include "kernels/infer.h"

#include "base/cpu.h"

void ani_infer_kernels_init(ani_infer_kernels *table, uint32_t mask) {
    ani_infer_kernels_c(table);
#ifdef ANI_HAVE_AVX2
    if (mask & ANI_CPU_AVX2) ani_infer_kernels_avx2(table);
#endif
#ifdef ANI_HAVE_AVX512
    if (mask & ANI_CPU_AVX512) ani_infer_kernels_avx512(table);
#endif
#ifdef ANI_HAVE_NEON
    if (mask & ANI_CPU_NEON) ani_infer_kernels_neon(table);
#endif
    (void)mask;
}

void ani_infer_kernels_init_bfloat16(ani_infer_kernels *table, uint32_t mask) {
    ani_infer_kernels_c_bfloat16(table);
#ifdef ANI_HAVE_AVX2
    if (mask & ANI_CPU_AVX2) ani_infer_kernels_avx2_bfloat16(table);
#endif
#ifdef ANI_HAVE_AVX512BF16
    if (mask & ANI_CPU_AVX512BF16) ani_infer_kernels_avx512bf16_bfloat16(table);
#endif
#ifdef ANI_HAVE_NEON
    if (mask & ANI_CPU_NEON) ani_infer_kernels_neon_bfloat16(table);
#endif
    (void)mask;
}

void ani_infer_kernels_init_int8(ani_infer_kernels *table, uint32_t mask) {
    ani_infer_kernels_c_int8(table);
#ifdef ANI_HAVE_AVX2
    if (mask & ANI_CPU_AVX2) ani_infer_kernels_avx2_int8(table);
#endif
#ifdef ANI_HAVE_AVX512VNNI
    if (mask & ANI_CPU_AVX512VNNI) ani_infer_kernels_avx512vnni_int8(table);
#endif
#ifdef ANI_HAVE_NEON
    if (mask & ANI_CPU_NEON) ani_infer_kernels_neon_int8(table);
#endif
    (void)mask;
}
