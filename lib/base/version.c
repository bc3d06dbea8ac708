/* SPDX-License-Identifier: MIT
 * Release, ABI and features, as the build was configured. */
#include <attractivenet/version.h>

#include <stddef.h>
#include <string.h>

#include "config.h"

const char *an_version(void) {
    return AN_VERSION_STRING;
}

int32_t an_abi(void) {
    return AN_ABI_NUMBER;
}

int32_t an_has_feature(const char *name) {
    static const struct {
        const char *name;
        int32_t found;
    } features[] = {
        {"hdf5", 1}, /* read by the library itself, so it is in every build */
        {"blas", AN_HAVE_BLAS},
        {"cuda", AN_HAVE_CUDA},
        {"nccl", AN_HAVE_NCCL},
        {"mpi", AN_HAVE_OPENMPI || AN_HAVE_MPICH},
        {"curl", AN_HAVE_CURL},
        {"plot", AN_HAVE_PLOT},
        {"live", AN_HAVE_LIVE},
    };
    if (!name) return 0;
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (!strcmp(name, features[i].name)) return features[i].found;
    return 0;
}
