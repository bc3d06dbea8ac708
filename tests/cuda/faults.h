/* SPDX-License-Identifier: MIT
 * Launchers of kernels that are right, or wrong in one way that a test must notice. */
#ifndef CUDA_FAULTS_H
#define CUDA_FAULTS_H

#ifdef __cplusplus
extern "C" {
#endif

enum {
    FAULT_SYNC,       /* no wait between writing shared memory and reading it */
    FAULT_SYNC_AGAIN, /* none between reading it and writing it again */
    FAULT_WARP,       /* no wait within a warp */
    FAULT_COPY_WAIT,  /* no wait for a copy */
    FAULT_COPY_SYNC,  /* a wait, but other threads read what was copied */
    FAULT_COPY_EARLY, /* a copy to what other threads still read */
    FAULT_BLOCK,      /* a block reads what another block writes, though it is not the last */
    FAULT_UNDEFINED,  /* shared memory that nobody has written */
    FAULT_RESULTS,    /* how many of the above */

    FAULT_PLACES = FAULT_RESULTS, /* threads wait at different places */
    FAULT_LEAVES,                 /* a thread ends where others wait */
    FAULT_LANES,                  /* lanes meet without one of them */
    FAULT_PENDING,                /* a thread ends with a copy under way */
    FAULT_MISALIGNED,             /* a copy of 16 bytes from a multiple of 4 */
    FAULT_NO_SHARED,              /* shared memory that the launch did not ask for */
    FAULT_OVERRUN,                /* past the end of shared memory: AddressSanitizer */
    FAULT_OVERRUN_ARRAY,          /* past the end of an array in it: AddressSanitizer */
    FAULT_VECTOR,                 /* a misaligned vector: UndefinedBehaviorSanitizer */
    FAULTS
};

enum { FAULT_THREADS = 96, FAULT_BLOCKS = 3 };

/** out [FAULT_BLOCKS * FAULT_THREADS] and in [the same + 4], device memory. Without the fault, out
 * becomes fault_result() of in. */
int fault_run(int fault, int is_wrong, const float *in, float *out, unsigned *counter);

#ifdef __cplusplus
}
#endif
#endif
