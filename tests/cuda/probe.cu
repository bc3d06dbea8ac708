// SPDX-License-Identifier: MIT
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/mma.h"

#include "cuda/probe.h"

static __global__ void mma(const uint32_t *a, const uint32_t *b, float *d) {
    const size_t at = (size_t)blockIdx.x * ANI_WARP + threadIdx.x;
    const uint32_t ra[4] = {a[at * 4], a[at * 4 + 1], a[at * 4 + 2], a[at * 4 + 3]};
    const uint32_t rb[2] = {b[at * 2], b[at * 2 + 1]};
    float rd[4] = {d[at * 4], d[at * 4 + 1], d[at * 4 + 2], d[at * 4 + 3]};
    ani_mma(rd, ra, rb);
    for (int i = 0; i < 4; i++)
        d[at * 4 + i] = rd[i];
}

template <int COUNT, bool TRANSPOSED>
static __global__ void load(const uint16_t *rows, uint32_t *to) {
    ANI_SHARED_ARRAY(uint16_t, tile, COUNT * 64);
    const int lane = (int)threadIdx.x;
    for (int i = lane; i < COUNT * 64; i += ANI_WARP)
        tile[i] = rows[i];
    ani_sync();
    uint32_t registers[COUNT];
    ani_load_matrices<COUNT, TRANSPOSED>(registers, tile + lane % (COUNT * 8) * 8);
    for (int i = 0; i < COUNT; i++)
        to[lane * COUNT + i] = registers[i];
}

static __global__ void shuffle(int mask, const float *values, float *results) {
    const int lane = (int)threadIdx.x;
    const float value = values[lane];
    results[lane] = ani_shuffle(value, lane * 5 + 3);
    results[ANI_WARP + lane] = ani_shuffle_xor(value, mask);
    results[2 * ANI_WARP + lane] = (float)ani_sum_lanes((double)value) - ani_sum_lanes(value);
    results[2 * ANI_WARP + lane] += ani_sum_lanes(value);
}

template <int SIZE> static __global__ void copy(const unsigned char *from, unsigned char *to) {
    ANI_SHARED_ARRAY(unsigned char, tile, 2 * ANI_WARP * SIZE);
    const int lane = (int)threadIdx.x;
    unsigned char *mine = tile + lane * SIZE, *other = mine + ANI_WARP * SIZE;
    ani_copy<SIZE>(mine, from + lane * SIZE, lane % 2 == 0);
    ani_copy_commit();
    ani_copy<SIZE>(other, from, true);
    ani_copy_commit();
    ani_copy_wait<1>();
    for (int i = 0; i < SIZE; i++)
        to[lane * SIZE + i] = mine[i];
    ani_copy_wait<0>();
    for (int i = 0; i < SIZE; i++) /* adds nothing if the second copy has landed */
        to[lane * SIZE + i] ^= other[i] ^ from[i];
}

int probe_mma(int count, const uint32_t *a, const uint32_t *b, float *d) {
    return ani_launch(mma, dim3((unsigned)count), dim3(ANI_WARP), 0, nullptr, a, b, d);
}

template <int COUNT> static int load_of(int transposed, const uint16_t *rows, uint32_t *to) {
    return ani_launch(transposed ? load<COUNT, true> : load<COUNT, false>, dim3(1), dim3(ANI_WARP),
                      0, nullptr, rows, to);
}

int probe_load(int matrices, int transposed, const uint16_t *rows, uint32_t *to) {
    if (matrices == 1) return load_of<1>(transposed, rows, to);
    if (matrices == 2) return load_of<2>(transposed, rows, to);
    return load_of<4>(transposed, rows, to);
}

int probe_shuffle(int mask, const float *values, float *results) {
    return ani_launch(shuffle, dim3(1), dim3(ANI_WARP), 0, nullptr, mask, values, results);
}

int probe_copy(int size, const unsigned char *from, unsigned char *to) {
    return ani_launch(size == 4   ? copy<4>
                      : size == 8 ? copy<8>
                                  : copy<16>,
                      dim3(1), dim3(ANI_WARP), 0, nullptr, from, to);
}
