/* SPDX-License-Identifier: MIT
 * Temporary folders. */
#include "support/scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *make_in(const char *parent) {
    char *folder = NULL;
    if (asprintf(&folder, "%s/an_test_XXXXXX", parent) < 0) return NULL;
    if (mkdtemp(folder)) return folder;
    free(folder);
    return NULL;
}

char *scratch_make(bool in_memory) {
    const char *parent = getenv("TMPDIR");
    if (parent && *parent) return make_in(parent);
    char *folder = in_memory ? make_in("/dev/shm") : NULL;
    return folder ? folder : make_in(P_tmpdir);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)info;
    (void)kind;
    return place->level > 0 ? remove(path) : 0;
}

void scratch_clear(const char *folder) {
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void scratch_remove(char *folder) {
    if (!folder) return;
    scratch_clear(folder);
    rmdir(folder);
    free(folder);
}
