/* SPDX-License-Identifier: MIT
 * The library's release, ABI and build features. */
#ifndef ATTRACTIVENET_VERSION_H
#define ATTRACTIVENET_VERSION_H

#include <attractivenet/status.h>

#define AN_VERSION_MAJOR 0 /**< of the headers */
#define AN_VERSION_MINOR 1 /**< of the headers */
#define AN_VERSION_PATCH 0 /**< of the headers */

#ifdef __cplusplus
extern "C" {
#endif

/** Return the release of the running library, such as "0.1.0": a constant string. Threads: any. */
AN_API const char *an_version(void);

/** Return the ABI number of the running library: the number in its SONAME. Threads: any. */
AN_API int32_t an_abi(void);

/**
 * Check whether the build has a feature.
 *
 * Takes:   name: one of "blas", "hdf5", "curl", "plot", "cuda", "nccl", "mpi", "live".
 * Returns: 1 if built in, 0 if not built in or unknown.
 * Threads: any.
 */
AN_API int32_t an_has_feature(const char *name);

#ifdef __cplusplus
}
#endif
#endif
