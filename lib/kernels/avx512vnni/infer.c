/* SPDX-License-Identifier: MIT
 * Inference in int8 as at the level avx512, with its dot product in one instruction. */
#define ANI_DOT_VNNI
#include "kernels/avx512/codes.h"

#include "kernels/simd/infer_int8.h"

void ani_infer_kernels_avx512vnni_int8(ani_infer_kernels *table) {
    fill_int8_table(table);
}
