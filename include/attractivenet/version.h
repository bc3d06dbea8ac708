/* SPDX-License-Identifier: MIT
 * Which library this is: release, ABI and the features it was built with. */
#ifndef ATTRACTIVENET_VERSION_H
#define ATTRACTIVENET_VERSION_H

#include <attractivenet/status.h>

#define AN_VERSION_MAJOR 0 /**< of the headers */
#define AN_VERSION_MINOR 1 /**< of the headers */
#define AN_VERSION_PATCH 0 /**< of the headers */

#ifdef __cplusplus
extern "C" {
#endif

/** Name the release of the library that is running, as "0.1.0". Returns a constant. Threads: any.
 */
AN_API const char *an_version(void);

/** Return the ABI number of the library that is running: the number of its SONAME. Threads: any. */
AN_API int32_t an_abi(void);

/**
 * Ask whether the build has a feature.
 *
 * Takes:   name: one of "blas", "hdf5", "curl", "plot", "cuda", "nccl", "mpi", "live".
 * Returns: 1 if built in, 0 if left out or unknown.
 * Threads: any.
 */
AN_API int32_t an_has_feature(const char *name);

#ifdef __cplusplus
}
#endif
#endif
