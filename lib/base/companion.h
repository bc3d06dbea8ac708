/* SPDX-License-Identifier: MIT
 * Libraries of our own beside the core, such as libattractivenet-cuda.so.N, loaded when they are
 * first needed: so the core is small and runs where a driver or an MPI is not installed. Each is of
 * no use apart from the core of the same build: they see each other's structs. */
#ifndef BASE_COMPANION_H
#define BASE_COMPANION_H

#include <stdint.h>

#include "base/error.h"

/** The first member of what the library's entry returns, the same in every release; nothing else is
 * read before it has been compared. */
typedef struct ani_companion_build {
    const char *version; /* ANI_COMPANION_VERSION of its build */
    uint64_t layout;     /* a number that differs where the shared structs differ */
} ani_companion_build;

/** Text that is the same only in libraries of one release. */
#define ANI_COMPANION_VERSION AN_VERSION_STRING

/** The type of a library's one exported function. core: what it uses of the core; kept. */
typedef const ani_companion_build *ani_companion_entry_fn(const void *core);

/** Which library. */
typedef struct ani_companion {
    const char *words;   /* in messages, such as "the CUDA library" */
    const char *feature; /* of the build that has it, such as "cuda" */
    const char *entry;   /* the name of its function */
    const void *core;    /* passed to it; may be NULL */
    uint64_t layout;
    int32_t is_built; /* 1: this build has the feature */
    int32_t reserved;
} ani_companion;

/** The file's name: NAME has to be a literal, and config.h included. */
#define ANI_COMPANION_TEXT(number) #number
#define ANI_COMPANION_NUMBERED(name, abi) "libattractivenet-" name ".so." ANI_COMPANION_TEXT(abi)
#define ANI_COMPANION_FILE(name) ANI_COMPANION_NUMBERED(name, AN_ABI_NUMBER)

/** Load a library and return what its entry returns. file: its name, looked for beside the library
 * that this code is in, otherwise where the dynamic loader finds it; with a '/', a path. It stays
 * loaded. AN_ERR_UNSUPPORTED if it is missing or of another build. */
an_status ani_companion_load(const ani_companion_build **out, const ani_companion *companion,
                             const char *file, an_error *err);

#endif
