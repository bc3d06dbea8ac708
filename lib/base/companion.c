/* SPDX-License-Identifier: MIT
 * Loads a library of our own and compares its build. */
#include "base/companion.h"

#include <dlfcn.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "config.h"

/* The path of the library beside the one that this code is in, if there is such a file; the caller
 * frees it. NULL if there is none. */
static an_status find_beside(char **path, const char *file, an_error *err) {
    static const char here = 0;
    Dl_info place;
    *path = NULL;
    if (strchr(file, '/') || !dladdr(&here, &place) || !place.dli_fname ||
        !strchr(place.dli_fname, '/'))
        return AN_OK;
    char *folder = ani_folder_of(place.dli_fname);
    if (folder) *path = ani_path_join(folder, file);
    ani_free(folder);
    if (!*path) return ani_fail_memory(err, (int64_t)strlen(place.dli_fname), "a path");
    if (!ani_is_file(*path)) {
        ani_free(*path);
        *path = NULL;
    }
    return AN_OK;
}

/* Compare what the library says of its build. */
static an_status check_build(const ani_companion_build *build, const ani_companion *companion,
                             const char *path, an_error *err) {
    if (strcmp(build->version, ANI_COMPANION_VERSION) != 0)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s' is of release %s, and this is libattractivenet %s; install both from "
                        "one build",
                        path, build->version, ANI_COMPANION_VERSION);
    if (build->layout != companion->layout)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s' is of another build of release %s than this libattractivenet; "
                        "install both from one build",
                        path, build->version);
    return AN_OK;
}

an_status ani_companion_load(const ani_companion_build **out, const ani_companion *companion,
                             const char *file, an_error *err) {
    ani_companion_entry_fn *entry = NULL;
    char *beside = NULL;
    void *handle = NULL;
    *out = NULL;
    an_status st = find_beside(&beside, file, err);
    if (st) return st;
    const char *const path = beside ? beside : file;
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle ? dlsym(handle, companion->entry) : NULL;
    if (!handle) {
        const char *why = dlerror();
        if (companion->is_built || beside || strchr(file, '/'))
            st = ani_fail(err, AN_ERR_UNSUPPORTED, "cannot load %s: %s", companion->words,
                          why ? why : path);
        else
            st = ani_fail(err, AN_ERR_UNSUPPORTED, "this build has no feature '%s': %s",
                          companion->feature, why ? why : path);
        goto done;
    }
    if (!symbol) {
        st = ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' is not %s of libattractivenet: it has no %s",
                      path, companion->words, companion->entry);
        goto done;
    }
    /* C does not define the conversion of an object pointer to a function pointer. */
    memcpy(&entry, &symbol, sizeof entry);
    const ani_companion_build *build = entry(companion->core);
    st = check_build(build, companion, path, err);
    if (st) goto done;
    *out = build;
    handle = NULL;
done:
    if (handle) dlclose(handle);
    ani_free(beside);
    return st;
}
