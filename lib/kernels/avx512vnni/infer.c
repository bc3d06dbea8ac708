/* SPDX-License-Identifier: MIT
 * int8 inference with AVX-512 and its byte dot product. AVX-512 without it uses the AVX2
 * kernels. */
#include "kernels/avx512vnni/codes.h"

#include "kernels/simd/infer_int8.h"

void ani_infer_kernels_avx512vnni_int8(ani_infer_kernels *table) {
    fill_int8_table(table);
}
