/* SPDX-License-Identifier: MIT
 * Launchers of small kernels, each of one instruction of mma.h; all return a cudaError_t, and all
 * pointers are device memory. */
#ifndef CUDA_PROBE_H
#define CUDA_PROBE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** count products: a [count][32][4], b [count][32][2], d [count][32][4], which is added to. */
int probe_mma(int count, const uint32_t *a, const uint32_t *b, float *d);
/** rows [matrices][8][8]; to [32][matrices]. matrices: 1, 2 or 4. */
int probe_load(int matrices, int transposed, const uint16_t *rows, uint32_t *to);
/** values [32]; results [3][32]: of lane (l * 5 + 3), of the lane that differs by `mask`, the sum.
 */
int probe_shuffle(int mask, const float *values, float *results);
/** 32 copies of size bytes (4, 8, 16) to to [32 * size], of which the odd ones are not inside, in
 * groups of their own, waited for one after another. */
int probe_copy(int size, const unsigned char *from, unsigned char *to);

#ifdef __cplusplus
}
#endif
#endif
