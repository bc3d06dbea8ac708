/* SPDX-License-Identifier: MIT
 * Sums of tiles in plain C: the contract of this entry of kernels.h. */
#include "kernels/c/c.h"

void ani_c_column_sums(double *sum, const float *t, int64_t ldt, int64_t rows, int64_t c) {
    for (int64_t r = 0; r < rows; r++, t += ldt)
        for (int64_t i = 0; i < c; i++)
            sum[i] += t[i];
}

void ani_c_fence(void) {}
