/* SPDX-License-Identifier: MIT
 * Loads the CUDA library. */
#include "backend/cuda_load.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/memory.h"
#include "base/thread.h"
#include "config.h"

static const ani_core_functions core = {.fail = ani_fail,
                                        .fail_memory = ani_fail_memory,
                                        .alloc = ani_alloc,
                                        .alloc_zero = ani_alloc_zero,
                                        .free = ani_free,
                                        .process = ani_process,
                                        .watch_stops = ani_watch_stops,
                                        .fail_device_memory = ani_backend_fail_memory};

static const ani_companion companion = {.words = "the CUDA library",
                                        .feature = "cuda",
                                        .entry = ANI_CUDA_ENTRY,
                                        .core = &core,
                                        .layout = ANI_CUDA_LAYOUT,
                                        .is_built = AN_HAVE_CUDA};

/* A library stays loaded, so loading it in two threads at once is harmless. */
static _Atomic(const ani_cuda_library *) loaded;
static _Atomic(const char *) chosen; /* by ani_cuda_use() */

void ani_cuda_use(const char *file) {
    atomic_store(&chosen, file);
    atomic_store(&loaded, NULL);
}

static an_status load_library(const ani_cuda_library **out, an_error *err) {
    const ani_companion_build *build = NULL;
    *out = atomic_load(&loaded);
    if (*out) return AN_OK;
    const char *const given = atomic_load(&chosen);
    const an_status st =
        ani_companion_load(&build, &companion, given ? given : ANI_COMPANION_FILE("cuda"), err);
    if (st) return st;
    *out = (const ani_cuda_library *)build; /* its first member */
    atomic_store(&loaded, *out);
    return AN_OK;
}

an_status ani_cuda_create(an_backend **out, int32_t index, an_error *err) {
    const ani_cuda_library *library = NULL;
    *out = NULL;
    const an_status st = load_library(&library, err);
    return st ? st : library->create(out, index, err);
}

an_status ani_cuda_list(ani_device *out, int32_t capacity, int32_t *count, an_error *err) {
    const ani_cuda_library *library = NULL;
    *count = 0;
    const an_status st = load_library(&library, err);
    return st ? st : library->list(out, capacity, count, err);
}

an_status ani_cuda_get_links(const ani_gpu_links **out, an_error *err) {
    const ani_cuda_library *library = NULL;
    *out = NULL;
    const an_status st = load_library(&library, err);
    if (!st) *out = library->links;
    return st;
}
