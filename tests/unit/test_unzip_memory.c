/* SPDX-License-Identifier: MIT
 * io: no memory for libzip, zlib and bzip2. They take it from the C library, where the library's
 * own tests of memory do not reach: here malloc() itself fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/unzip.h"
#include "io/zip.h"
#include "support/archive.h"
#include "support/test_folder.h"

/* --- the C library's memory ------------------------------------------------------------------ */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static int64_t left = -1; /* calls until one fails; -1: none does */
static bool has_failed;

static bool fails(void) {
    if (left < 0 || left-- > 0) return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) {
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    return fails() ? NULL : __libc_realloc(old, size);
}

/* --- archives -------------------------------------------------------------------------------- */

static const struct archive good = {GOOD};

/* Open the archive and read all of it, then close it. */
static an_status read_archive(const char *path, an_error *err) {
    ani_zip *zip = NULL;
    an_status st = ani_zip_open(&zip, path, NULL, err);
    for (int64_t i = 0; i < 6 && !st; i++) {
        uint8_t *bytes = NULL;
        int64_t size = 0;
        st = ani_zip_read(zip, i, &bytes, &size, err);
        const bool well = st ? !bytes
                             : size == good_entries[i].data_size &&
                                   !memcmp(bytes, good_entries[i].data, (size_t)size);
        ani_free(bytes);
        if (!well) st = AN_ERR_INTERNAL;
    }
    ani_zip_close(zip);
    return st;
}

static void each_allocation_of_libzip_fails_once(void **state) {
    (void)state;
    const char *path = archive_in(test_folder, &good);
    int64_t n = 0, refused = 0;
    do {
        an_error err = {0};
        has_failed = false;
        left = n++;
        const an_status st = read_archive(path, &err);
        left = -1;
        if (st != AN_OK && st != AN_ERR_NOMEM)
            fail_msg("allocation %lld: %s: %s", (long long)n - 1, an_status_name(st), err.message);
        if (st) assert_non_null(strstr(err.message, "no memory"));
        refused += st != AN_OK;
    } while (has_failed);
    assert_true(refused > 20); /* a zip_t, six entries, a source and an inflater for each member */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(each_allocation_of_libzip_fails_once),
    };
    return cmocka_run_group_tests_name("unzip_memory", tests, NULL, NULL);
}
