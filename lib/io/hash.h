/* SPDX-License-Identifier: MIT
 * Hashes of files, as 64 lower-case hexadecimal digits and a zero. */
#ifndef IO_HASH_H
#define IO_HASH_H

#include "base/error.h"

enum { ANI_HASH_SIZE = 65 };

void ani_hash_text(char hash[ANI_HASH_SIZE], const char *text);
/** Hash a file's size and its first and last 64 KiB: quick whatever the size, and enough to tell
 * apart files that were made differently. An archive has its directory, with the CRCs of its
 * members, at its end. */
an_status ani_hash_ends(char hash[ANI_HASH_SIZE], const char *path, an_error *err);
/** Called for every quarter of a MiB; done, total: bytes. A status other than AN_OK stops the
 * work. */
typedef an_status (*ani_hash_tick_fn)(void *user, int64_t done, int64_t total, an_error *err);

/** Fail unless text is a SHA-256 hash: 64 hexadecimal digits. */
an_status ani_hash_check(const char *text, an_error *err);
/** Fail with AN_ERR_FORMAT and both hashes unless a file has the expected hash, which may be in
 * upper case; shown: the file's name in the message. */
an_status ani_hash_compare(const char *path, const char *wanted, const char *shown,
                           ani_hash_tick_fn tick, void *user, an_error *err);

#endif
