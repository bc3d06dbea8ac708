/* SPDX-License-Identifier: MIT
 * Loads the CUDA library and compares its version. */
#include "backend/cuda_load.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config.h"

#define TEXT_OF(number) #number
#define FILE_OF(abi) "libattractivenet-cuda.so." TEXT_OF(abi)

static const char library_name[] = FILE_OF(AN_ABI_NUMBER);

static const ani_core_functions core = {.fail = ani_fail,
                                        .fail_memory = ani_fail_memory,
                                        .alloc = ani_alloc,
                                        .alloc_zero = ani_alloc_zero,
                                        .free = ani_free,
                                        .process = ani_process,
                                        .watch_stops = ani_watch_stops,
                                        .fail_device_memory = ani_backend_fail_memory};

/* A library stays loaded, so loading it in two threads at once is harmless. */
static _Atomic(const ani_cuda_library *) loaded;
static _Atomic(const char *) chosen; /* by ani_cuda_use() */

void ani_cuda_use(const char *file) {
    atomic_store(&chosen, file);
    atomic_store(&loaded, NULL);
}

/* The path of the library beside the one that this code is in, if there is such a file; the caller
 * frees it. NULL if there is none. */
static an_status find_beside(char **path, an_error *err) {
    Dl_info here;
    *path = NULL;
    if (!dladdr(&core, &here) || !here.dli_fname || !strchr(here.dli_fname, '/')) return AN_OK;
    char *folder = ani_folder_of(here.dli_fname);
    if (folder) *path = ani_path_join(folder, library_name);
    ani_free(folder);
    if (!*path) return ani_fail_memory(err, (int64_t)strlen(here.dli_fname), "a path");
    if (!ani_is_file(*path)) {
        ani_free(*path);
        *path = NULL;
    }
    return AN_OK;
}

/* Compare what the library says of its build. */
static an_status check_build(const ani_cuda_library *library, const char *path, an_error *err) {
    if (strcmp(library->version, ANI_CUDA_VERSION) != 0)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s' is of release %s, and this is libattractivenet %s; install both from "
                        "one build",
                        path, library->version, ANI_CUDA_VERSION);
    if (library->layout != ANI_CUDA_LAYOUT)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s' is of another build of release %s than this libattractivenet; "
                        "install both from one build",
                        path, library->version);
    return AN_OK;
}

static an_status load_library(const ani_cuda_library **out, an_error *err) {
    an_status st = AN_OK;
    ani_cuda_entry_fn *entry = NULL;
    char *beside = NULL;
    *out = atomic_load(&loaded);
    if (*out) return AN_OK;
    const char *const given = atomic_load(&chosen);
    if (!given) st = find_beside(&beside, err);
    if (st) return st;
    const char *const path = given ? given : beside ? beside : library_name;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle ? dlsym(handle, ANI_CUDA_ENTRY) : NULL;
    if (!handle) {
        const char *why = dlerror();
        st = ani_fail(err, AN_ERR_UNSUPPORTED, "%s: %s",
                      AN_HAVE_CUDA || given || beside ? "cannot load the CUDA library"
                                                      : "this build has no feature 'cuda'",
                      why ? why : path);
        goto done;
    }
    if (!symbol) {
        st = ani_fail(err, AN_ERR_UNSUPPORTED,
                      "'%s' is not the CUDA library of libattractivenet: it has no %s", path,
                      ANI_CUDA_ENTRY);
        goto done;
    }
    /* C does not define the conversion of an object pointer to a function pointer. */
    memcpy(&entry, &symbol, sizeof entry);
    const ani_cuda_library *library = entry(&core);
    st = check_build(library, path, err);
    if (st) goto done;
    atomic_store(&loaded, library);
    *out = library;
    handle = NULL;
done:
    if (handle) dlclose(handle);
    ani_free(beside);
    return st;
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
