/* SPDX-License-Identifier: MIT
 * Written beside its place, and renamed. */
#include "result_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int result_file_begin(result_file *to, const char *path) {
    snprintf(to->path, sizeof to->path, "%s", path);
    snprintf(to->part, sizeof to->part, "%s.part", path);
    to->file = fopen(to->part, "w");
    return to->file ? 0 : complain_of("cannot write '%s': %s", path, strerror(errno));
}

int result_file_end(result_file *to) {
    const int bad = fflush(to->file) || ferror(to->file) || fsync(fileno(to->file));
    int code = errno;
    if (!fclose(to->file) && !bad && !rename(to->part, to->path)) return 0;
    if (!bad) code = errno;
    unlink(to->part);
    return complain_of("cannot write '%s': %s", to->path, strerror(code));
}
