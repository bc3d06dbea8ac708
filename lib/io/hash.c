/* SPDX-License-Identifier: MIT
 * SHA-256 hashes of files. */
#include "io/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <attractivenet/io.h>

#include "base/callbacks.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/sha256.h"

enum { BUFFER_SIZE = 1 << 18, END_SIZE = 1 << 16 };

void ani_hash_text(char hash[ANI_HASH_SIZE], const char *text) {
    ani_sha256 sha;
    ani_sha256_begin(&sha);
    ani_sha256_add(&sha, text, (int64_t)strlen(text));
    ani_sha256_end(&sha, hash);
}

/* Hash a file; without tick, only its size and END_SIZE bytes at its beginning and end. */
static an_status hash(char text[ANI_HASH_SIZE], const char *path, ani_hash_tick_fn tick, void *user,
                      an_error *err) {
    const bool ends_only = !tick;
    ani_file *file = NULL;
    ani_sha256 sha;
    char size_text[32];
    uint8_t *buffer = ani_alloc(BUFFER_SIZE);
    an_status st =
        buffer ? ani_file_open(&file, path, err) : ani_fail_memory(err, BUFFER_SIZE, path);
    if (st) goto done;
    const int64_t total = ani_file_size(file);
    const int64_t skipped = ends_only && total > 2 * END_SIZE ? total - 2 * END_SIZE : 0;
    ani_sha256_begin(&sha);
    if (ends_only) {
        const int digits = snprintf(size_text, sizeof size_text, "%" PRId64 "\n", total);
        ani_sha256_add(&sha, size_text, digits);
    }
    for (int64_t place = 0; place < total;) {
        const int64_t end = skipped && place < END_SIZE ? END_SIZE : total;
        const int64_t size = end - place < BUFFER_SIZE ? end - place : BUFFER_SIZE;
        st = ani_file_read(file, place, buffer, size, err);
        if (st) goto done;
        ani_sha256_add(&sha, buffer, size);
        place += size;
        if (place == END_SIZE) place += skipped;
        if (tick) st = tick(user, place, total, err);
        if (st) goto done;
    }
    ani_sha256_end(&sha, text);
done:
    ani_file_close(file);
    ani_free(buffer);
    return st;
}

an_status ani_hash_ends(char text[ANI_HASH_SIZE], const char *path, an_error *err) {
    return hash(text, path, NULL, NULL, err);
}

an_status ani_hash_check(const char *text, an_error *err) {
    if (strlen(text) == 64 && strspn(text, "0123456789abcdefABCDEF") == 64) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "sha256 is '%.70s'; it must be 64 hexadecimal digits", text);
}

an_status ani_hash_compare(const char *path, const char *wanted, const char *shown,
                           ani_hash_tick_fn tick, void *user, an_error *err) {
    char found[ANI_HASH_SIZE];
    an_status st = hash(found, path, tick, user, err);
    if (st) return st;
    for (int i = 0; i < 64; i++)
        if (found[i] != ani_lower(wanted[i]))
            return ani_fail(err, AN_ERR_FORMAT, "the SHA-256 is %s; expected %s: '%.88s'", found,
                            wanted, shown);
    return AN_OK;
}

/** Who receives progress reports. */
typedef struct watcher {
    an_progress_fn progress;
    void *user;
    double begun, told; /* clock, seconds */
} watcher;

static an_status tell(void *user, int64_t done, int64_t total, an_error *err) {
    watcher *w = user;
    const double now = ani_clock_seconds();
    if (done < total && now - w->told < 0.1) return AN_OK;
    w->told = now;
    return ani_report_progress(w->progress, w->user, done, total, w->begun, "bytes", err);
}

an_status an_file_verify(const char *path, const char *sha256, an_progress_fn progress,
                         void *progress_user, an_error *err) {
    const double now = ani_clock_seconds();
    watcher w = {progress, progress_user, now, now};
    if (!path || !sha256) return ani_fail(err, AN_ERR_ARG, "%s is NULL", path ? "sha256" : "path");
    an_status st = ani_hash_check(sha256, err);
    return st ? st : ani_hash_compare(path, sha256, path, tell, &w, err);
}
