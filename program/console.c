/* SPDX-License-Identifier: MIT
 * Console output: progress on a terminal, errors and warnings on stderr; folders and paths. */
#include "console.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void say(int32_t quiet, const char *format, ...) {
    if (quiet) return;
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
}

int complain(const an_error *err) {
    return complain_of("%s", err->message);
}

int complain_of(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "error: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    return 1;
}

int32_t show_progress(void *user, const an_progress *progress) {
    const int32_t *quiet = user;
    if (*quiet || !isatty(1)) return 0;
    if (progress->total > 0)
        printf("\r%3.0f %% of %lld %s", 100.0 * (double)progress->done / (double)progress->total,
               (long long)progress->total, progress->what);
    else
        printf("\r%lld %s", (long long)progress->done, progress->what);
    if (progress->seconds_left >= 0) printf(", %.0f s left", progress->seconds_left);
    printf("%8s", "");
    if (progress->done == progress->total) printf("\r%60s\r", "");
    fflush(stdout);
    return 0;
}

static int warnings_are_hidden;

void hide_warnings(void) {
    warnings_are_hidden = 1;
}

int32_t show_warning(void *user, const an_warning *warning) {
    (void)user;
    if (warnings_are_hidden) return 0;
    fflush(stdout);
    fprintf(stderr, "warning: %s\n", warning->message);
    return 0;
}

void show_device(const char *asked, an_backend *backend) {
    an_device_info info;
    an_device_info_init(&info, sizeof info);
    if (strcmp(asked, "auto") != 0 || an_backend_describe(backend, &info, NULL)) return;
    fprintf(stderr, "device: %s (%s)%s%s\n", info.device, info.name,
            *info.reason ? ", no GPU: " : "", info.reason);
}

int32_t show_text(void *user, const char *text) {
    (void)user;
    fputs(text, stdout);
    fflush(stdout);
    return 0;
}

const char *join_path(char path[PATH_SIZE], const char *folder, const char *name) {
    const int length = snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    if (length < 0 || length >= PATH_SIZE) {
        complain_of("the path of '%s' is longer than %d bytes", name, PATH_SIZE - 1);
        exit(1);
    }
    return path;
}

int make_folder(const char *path) {
    char part[PATH_SIZE];
    if (snprintf(part, sizeof part, "%s", path) >= PATH_SIZE)
        return complain_of("the path of a folder is longer than %d bytes", PATH_SIZE - 1);
    for (char *slash = part + 1;; slash++) {
        if (*slash && *slash != '/') continue;
        const char kept = *slash;
        struct stat found;
        *slash = 0;
        if (mkdir(part, 0777) && (errno != EEXIST || stat(part, &found) || !S_ISDIR(found.st_mode)))
            return complain_of("cannot create the folder '%s': %s", part,
                               errno == EEXIST ? "a file with that name exists" : strerror(errno));
        *slash = kept;
        if (!kept) return 0;
    }
}
