/* SPDX-License-Identifier: MIT
 * A stand-in for NCCL's library, for ranks that are threads of one process and devices whose memory
 * is the host's (shim/cuda_runtime_api.h). A call ends when all ranks have made it, as far as one
 * can ask for its state. Sums are those of ani_comm_add(). It stops the program when NCCL's rules
 * are broken: a call before the last one has ended, other arguments on another rank, the use of
 * what was freed, an end without ncclCommFinalize.
 *
 * Environment, read at each call:
 *   AN_NCCL_STAND_IN_VERSION   what ncclGetVersion says; 21800 without it
 *   AN_NCCL_STAND_IN_FAULT     "N CODE": call number N of rank 0 fails later with the result CODE.
 * The count begins when the value changes */
#ifndef CUDA_NCCL_STAND_IN_H
#define CUDA_NCCL_STAND_IN_H

typedef struct nccl_stand_in_counts {
    int links;  /* communicators that have not been freed */
    int sums;   /* of all ranks, that have ended */
    int aborts; /* of communicators */
} nccl_stand_in_counts;

/** For tests, found by dlsym. */
#define NCCL_STAND_IN_COUNTS "nccl_stand_in_count"
typedef nccl_stand_in_counts nccl_stand_in_count_fn(void);
nccl_stand_in_count_fn nccl_stand_in_count;

#endif
