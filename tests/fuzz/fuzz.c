/* SPDX-License-Identifier: MIT
 * What the fuzz targets share. */
#include "fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"

_Noreturn void fuzz_fail(const char *condition, const char *file, int line) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

void fuzz_check_status(an_status st, const an_error *err) {
    if (st == AN_OK) return;
    REQUIRE(st == AN_ERR_FORMAT || st == AN_ERR_UNSUPPORTED || st == AN_ERR_NOMEM);
    REQUIRE(err->status == st);
    const size_t length = strnlen(err->message, sizeof err->message);
    REQUIRE(length > 0 && length < sizeof err->message);
    REQUIRE(ani_is_utf8(err->message, (int64_t)length));
    for (size_t i = 0; i < length; i++)
        REQUIRE((unsigned char)err->message[i] >= 0x20 && err->message[i] != 0x7f);
}

const char *fuzz_path(const uint8_t *data, size_t size) {
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("input", MFD_CLOEXEC);
        if (fd < 0) {
            perror("memfd_create");
            exit(2);
        }
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (ftruncate(fd, 0) < 0) perror("ftruncate");
    for (size_t done = 0; done < size;) {
        const ssize_t count = pwrite(fd, data + done, size - done, (off_t)done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            perror("pwrite");
            exit(2);
        }
        done += (size_t)count;
    }
    return path;
}

void fuzz_touch(const void *bytes, int64_t size) {
    const uint8_t *p = bytes;
    uint8_t sum = 0;
    for (int64_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + p[i]);
    *(volatile uint8_t *)&sum = sum;
}
