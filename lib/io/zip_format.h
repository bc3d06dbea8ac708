/* SPDX-License-Identifier: MIT
 * Shared by the two zip readers: constants of the format, and what is known about a member.
 *
 * Format: PKWARE APPNOTE.TXT 6.3.9, sections 4.3 and 4.5.3. */
#ifndef IO_ZIP_FORMAT_H
#define IO_ZIP_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ANI_ZIP_END_SIZE = 22, /* end record without its comment */
    ANI_ZIP_COMMENT_MAX = 65535,
    ANI_ZIP_END64_SIZE = 56,   /* ZIP64 end record, version 1 */
    ANI_ZIP_LOCATOR_SIZE = 20, /* ZIP64 end record locator */
    ANI_ZIP_ENTRY_SIZE = 46,   /* entry of the central directory without its texts */
    ANI_ZIP_LOCAL_SIZE = 30,   /* local header without its texts */
    ANI_ZIP_EXTRA_ZIP64 = 0x0001,
    ANI_ZIP_FLAG_ENCRYPTED = 0x0001,
    ANI_ZIP_FLAG_STRONG = 0x0040, /* strong encryption */
    ANI_ZIP_STORED = 0,           /* methods */
    ANI_ZIP_DEFLATED = 8,
    ANI_ZIP_BZIP2 = 12,
    ANI_ZIP_AES = 99,
};

#define ANI_ZIP_ENTRY UINT32_C(0x02014b50) /* signatures */
#define ANI_ZIP_LOCAL UINT32_C(0x04034b50)
#define ANI_ZIP_END UINT32_C(0x06054b50)
#define ANI_ZIP_END64 UINT32_C(0x06064b50)
#define ANI_ZIP_LOCATOR UINT32_C(0x07064b50)

/** What the central directory says about a member. The sizes and the CRC are claims until
 * ani_zip_read() has verified them. */
typedef struct ani_zip_member {
    const char *name;     /* the path in the archive, folders separated by '/', without NUL inside;
                             UTF-8 unless the archive's flag is wrong (set, name not UTF-8) */
    const char *base;     /* what comes after the last '/' of name: empty for a folder */
    const char *raw;      /* the path as stored */
    const char *raw_base; /* its last part */
    int64_t size;         /* bytes, uncompressed */
    int64_t packed;       /* bytes in the archive */
    int64_t offset;       /* where its local header starts in the file */
    int64_t limit;        /* where the next member, or the central directory, starts */
    uint32_t crc;         /* CRC-32 of the uncompressed bytes */
    uint16_t method;      /* 0 stored, 8 deflated, 12 bzip2; others can't be read */
    bool is_guessed;      /* the encoding of the name is not stated: CP437 was assumed */
    bool is_outside;      /* its backslashes lead outside: absolute, with a drive, or with ".." */
    bool is_encrypted;
    bool is_special; /* a link or device, according to its Unix mode */
} ani_zip_member;

static inline uint32_t ani_zip_get16(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t ani_zip_get32(const uint8_t *p) {
    return ani_zip_get16(p) | ani_zip_get16(p + 2) << 16;
}

static inline uint64_t ani_zip_get64(const uint8_t *p) {
    return (uint64_t)ani_zip_get32(p) | (uint64_t)ani_zip_get32(p + 4) << 32;
}

#endif
