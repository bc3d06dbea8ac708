/* SPDX-License-Identifier: MIT
 * Inference in int8 with AVX-512 and its dot product of bytes. AVX-512 without that works as AVX2
 * does. */
#include "kernels/avx512vnni/codes.h"

#include "kernels/simd/infer_int8.h"

void ani_infer_kernels_avx512vnni_int8(ani_infer_kernels *table) {
    fill_int8_table(table);
}
