// SPDX-License-Identifier: MIT
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/load.h"
#include "backend/cuda/kernel/mma.h"
#include "backend/cuda/kernel/sums.h"

#include "cuda/faults.h"

enum { N = FAULT_THREADS };

/* Each writes out[i] = in[N - 1 - i] within its block, except for FAULT_BLOCK: the sum over blocks.
 */
template <int FAULT, bool WRONG>
static __global__ void kernel(const float *in, float *out, unsigned *counter) {
    ANI_SHARED_ARRAY(float, tile, N);
    const int i = ani_thread(), back = N - 1 - i;
    in += (int)blockIdx.x * N;
    float *const all = out;
    out += (int)blockIdx.x * N;
    switch (FAULT) {
    case FAULT_SYNC:
        tile[i] = in[i];
        if (!WRONG) ani_sync();
        out[i] = tile[back];
        break;
    case FAULT_SYNC_AGAIN:
        tile[i] = in[i];
        ani_sync();
        out[i] = tile[back];
        if (!WRONG) ani_sync();
        tile[i] = 0;
        break;
    case FAULT_WARP:
        tile[i] = in[i];
        if (!WRONG) ani_sync_warp();
        out[back / ANI_WARP * ANI_WARP + i % ANI_WARP] =
            in[N - 1 - back / ANI_WARP * ANI_WARP - i % ANI_WARP] - tile[i ^ 1] + in[i ^ 1];
        break;
    case FAULT_COPY_WAIT:
        ani_copy<4>(tile + i, in + i, true);
        ani_copy_commit();
        if (WRONG) ani_sync();
        if (!WRONG) ani_copy_wait<0>();
        if (!WRONG) ani_sync();
        out[i] = tile[back];
        ani_copy_wait<0>();
        break;
    case FAULT_COPY_SYNC:
        ani_copy<4>(tile + i, in + i, true);
        ani_copy_commit();
        ani_copy_wait<0>();
        if (!WRONG) ani_sync();
        out[i] = tile[back];
        break;
    case FAULT_COPY_EARLY:
        tile[i] = in[i];
        ani_sync();
        out[i] = tile[back];
        if (!WRONG) ani_sync();
        ani_copy<4>(tile + i, in, true);
        ani_copy_commit();
        ani_copy_wait<0>();
        break;
    case FAULT_BLOCK:
        all[(int)blockIdx.x * N + i] = in[i];
        if (WRONG ? blockIdx.x == FAULT_BLOCKS - 1 : ani_is_last_block(counter, FAULT_BLOCKS))
            for (int block = 1; block < FAULT_BLOCKS; block++)
                all[i] += ani_read_fresh(all + block * N + i);
        break;
    case FAULT_UNDEFINED:
        if (!WRONG) tile[i] = 0;
        out[i] = in[back] + 0 * tile[i];
        break;
    case FAULT_PLACES:
        if (WRONG && i == 5)
            ani_sync();
        else
            ani_sync();
        out[i] = in[back];
        break;
    case FAULT_LEAVES:
        if (!WRONG || i != 5) ani_sync();
        out[i] = in[back];
        break;
    case FAULT_LANES:
        if (!WRONG || i != 5) out[i] = in[back] + 0 * ani_sum_lanes(1.0f);
        break;
    case FAULT_PENDING:
        ani_copy<4>(tile + i, in + i, true);
        ani_copy_commit();
        if (!WRONG || i != 5) ani_copy_wait<0>();
        out[i] = in[back];
        break;
    case FAULT_MISALIGNED:
        if (i == 5) ani_copy<16>(tile + 16, in + WRONG, true);
        ani_copy_commit();
        ani_copy_wait<0>();
        out[i] = in[back];
        break;
    case FAULT_NO_SHARED:
    case FAULT_OVERRUN: {
        ANI_SHARED_BYTES(bytes);
        float *floats = reinterpret_cast<float *>(bytes);
        floats[i] = in[i];
        if (WRONG && i == 5) floats[N] = 0;
        ani_sync();
        out[i] = floats[back];
        break;
    }
    case FAULT_OVERRUN_ARRAY: {
        tile[i] = in[i];
        const int past = WRONG && i == 5 ? (int)counter[0] + N : 5; /* not known to the compiler */
        ani_sync();
        out[i] = tile[back] + 0 * (i == 5 ? tile[past] : 0);
        break;
    }
    case FAULT_VECTOR: {
        float four[4];
        ani_load(four, in + (WRONG && i == 5 ? 1 : 0));
        out[i] = in[back] + 0 * four[3];
        break;
    }
    }
}

template <int FAULT>
static int launch(int is_wrong, const float *in, float *out, unsigned *counter) {
    const size_t shared =
        FAULT == FAULT_OVERRUN || (FAULT == FAULT_NO_SHARED && !is_wrong) ? N * sizeof(float) : 0;
    return ani_launch(is_wrong ? kernel<FAULT, true> : kernel<FAULT, false>, dim3(FAULT_BLOCKS),
                      dim3(N), shared, nullptr, in, out, counter);
}

int fault_run(int fault, int is_wrong, const float *in, float *out, unsigned *counter) {
    static int (*const launches[FAULTS])(int, const float *, float *, unsigned *) = {
        launch<FAULT_SYNC>,          launch<FAULT_SYNC_AGAIN>, launch<FAULT_WARP>,
        launch<FAULT_COPY_WAIT>,     launch<FAULT_COPY_SYNC>,  launch<FAULT_COPY_EARLY>,
        launch<FAULT_BLOCK>,         launch<FAULT_UNDEFINED>,  launch<FAULT_PLACES>,
        launch<FAULT_LEAVES>,        launch<FAULT_LANES>,      launch<FAULT_PENDING>,
        launch<FAULT_MISALIGNED>,    launch<FAULT_NO_SHARED>,  launch<FAULT_OVERRUN>,
        launch<FAULT_OVERRUN_ARRAY>, launch<FAULT_VECTOR>,
    };
    return launches[fault](is_wrong, in, out, counter);
}
