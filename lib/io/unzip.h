/* SPDX-License-Identifier: MIT
 * The bytes of an archive's members, unpacked by libzip. io/zip.c has checked the archive: libzip
 * sees only what was checked. */
#ifndef IO_UNZIP_H
#define IO_UNZIP_H

#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "io/zip_format.h"

/** A checked archive; everything is borrowed until ani_unzip_close(). */
typedef struct ani_unzip_archive {
    ani_file *file;
    const char *path; /* for messages */
    const ani_zip_member *members;
    int64_t count;
    int64_t data_end; /* where the central directory starts: members end before it */
} ani_unzip_archive;

/** The readers of one archive: as many as threads read at once. */
typedef struct ani_unzip ani_unzip;

/**
 * Open an archive with libzip, and compare what libzip says about each member with what was
 * checked.
 *
 * Returns: AN_OK; AN_ERR_FORMAT (they differ; the message names the member); AN_ERR_UNSUPPORTED
 *          (libzip cannot open it); AN_ERR_NOMEM.
 */
an_status ani_unzip_open(ani_unzip **out, const ani_unzip_archive *archive, an_error *err);
void ani_unzip_close(ani_unzip *unzip); /* NULL is allowed; no read may be in progress */

/** Return whether libzip can unpack this method: stored, deflated, and bzip2 if libzip was built
 * with it. */
bool ani_unzip_knows(int32_t method);

/**
 * Read one complete member. Its size, method and ratio have been checked.
 *
 * Owns:    *bytes is owned by the caller (ani_free) and has a zero byte after its end. Returns:
 * AN_OK: size and CRC are as declared; AN_ERR_IO; AN_ERR_FORMAT (damaged, or libzip reads
 *          another member than was checked); AN_ERR_NOMEM. The message names archive and member.
 * Threads: any number at once. Each takes its own reader, with a directory of about 300 bytes per
 * member; all readers together hold about a million members, beyond which threads wait. A child of
 * fork() makes its own readers.
 */
an_status ani_unzip_read(ani_unzip *unzip, int64_t index, uint8_t **bytes, int64_t *size,
                         an_error *err);

#endif
