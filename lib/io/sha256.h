/* SPDX-License-Identifier: MIT
 * SHA-256 (FIPS 180-4), for downloads with a known hash and files that contain their own. */
#ifndef IO_SHA256_H
#define IO_SHA256_H

#include <stdint.h>

typedef struct ani_sha256 {
    uint32_t state[8];
    uint64_t size;     /* bytes so far */
    uint8_t block[64]; /* the last size % 64 of them */
} ani_sha256;

void ani_sha256_begin(ani_sha256 *sha);
void ani_sha256_add(ani_sha256 *sha, const void *bytes, int64_t size);
/** Write the hash as 64 lower-case hexadecimal digits and a zero. sha must be initialised again
 * before further use. */
void ani_sha256_end(ani_sha256 *sha, char text[65]);

#endif
