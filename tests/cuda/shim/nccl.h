/* SPDX-License-Identifier: MIT
 * Stand-in for NCCL's header: the functions that the CUDA library calls, with NCCL's names, numbers
 * and meaning. tests/cuda/nccl/stand_in.c has them for devices whose memory is the host's. */
#ifndef CUDA_SHIM_NCCL_H
#define CUDA_SHIM_NCCL_H

#include <limits.h>

#include <cuda_runtime_api.h>

#define NCCL_MAJOR 2
#define NCCL_VERSION(major, minor, patch) ((major)*10000 + (minor)*100 + (patch))

typedef enum ncclResult {
    ncclSuccess = 0,
    ncclUnhandledCudaError = 1,
    ncclSystemError = 2,
    ncclInternalError = 3,
    ncclInvalidArgument = 4,
    ncclInvalidUsage = 5,
    ncclRemoteError = 6,
    ncclInProgress = 7
} ncclResult_t;
typedef enum ncclDataType { ncclChar = 0, ncclFloat = 7, ncclDouble = 8 } ncclDataType_t;
typedef enum ncclRedOp { ncclSum = 0 } ncclRedOp_t;

typedef struct ncclUniqueId {
    char internal[128];
} ncclUniqueId;
typedef struct ncclComm *ncclComm_t;
typedef struct ncclConfig {
    size_t size;
    unsigned magic, version;
    int blocking;
} ncclConfig_t;
#define NCCL_CONFIG_INITIALIZER                                                                    \
    { sizeof(ncclConfig_t), 0xcafebeef, NCCL_VERSION(2, 18, 0), INT_MIN }

ncclResult_t ncclGetVersion(int *version);
ncclResult_t ncclGetUniqueId(ncclUniqueId *id);
ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t *config);
ncclResult_t ncclAllReduce(const void *from, void *to, size_t count, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream);
ncclResult_t ncclBroadcast(const void *from, void *to, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream);
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *state);
ncclResult_t ncclCommFinalize(ncclComm_t comm);
ncclResult_t ncclCommDestroy(ncclComm_t comm);
ncclResult_t ncclCommAbort(ncclComm_t comm);
const char *ncclGetErrorString(ncclResult_t result);
const char *ncclGetLastError(ncclComm_t comm);

#endif
