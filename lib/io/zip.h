/* SPDX-License-Identifier: MIT
 * Zip archives, read in place: the list of members, checked as a whole when the archive is opened,
 * and the bytes of one member, unpacked by libzip and checked when they are read. Any number of
 * threads may read from one archive at the same time. Only io/extract.c writes files. */
#ifndef IO_ZIP_H
#define IO_ZIP_H

#include <stdint.h>

#include <attractivenet/io.h>

#include "base/file.h"
#include "base/show.h"
#include "io/zip_format.h"

/** An archive open for reading. */
typedef struct ani_zip ani_zip;

/**
 * Open an archive and read its list of members.
 *
 * Takes:   caps: max_members, max_member_bytes and max_ratio are used here and by ani_zip_read();
 *          they are copied. NULL = defaults.
 * Returns: AN_OK; AN_ERR_IO; AN_ERR_FORMAT (not an archive, truncated, impossible sizes or offsets,
 *          members that overlap, NUL in a name, two archives in one file); AN_ERR_UNSUPPORTED (more
 *          than one volume, over a cap); AN_ERR_NOMEM. Bytes may precede an archive
 *          (self-extracting) or follow it (at most 65536, including the comment); one without ZIP64
 *          may state the number of members modulo 65536, or offsets modulo 2^32.
 */
an_status ani_zip_open(ani_zip **out, const char *path, const an_extract_options *caps,
                       an_error *err);
/** The same from an open file, which must outlive the archive. */
an_status ani_zip_open_file(ani_zip **out, ani_file *file, const an_extract_options *caps,
                            an_error *err);
void ani_zip_close(ani_zip *zip); /* NULL is allowed; no read may be in progress */
/** Return the path of the archive for messages, as formatted by ani_name_show(). */
const char *ani_zip_path(const ani_zip *zip);
int64_t ani_zip_count(const ani_zip *zip);
/** Return member index, in the order of the central directory; borrowed from zip; NULL if index is
 * out of range. */
const ani_zip_member *ani_zip_member_at(const ani_zip *zip, int64_t index);
/** Return the index of the first member with this name (the whole path); -1 if there is none. */
int64_t ani_zip_find(const ani_zip *zip, const char *name);

/** Check what is known about a member without reading it: encryption, method, and size and ratio
 * against the caps. ani_zip_read() does so too. */
an_status ani_zip_check(const ani_zip *zip, int64_t index, an_error *err);

/**
 * Read one complete member.
 *
 * Owns:    *bytes is owned by the caller (ani_free) and has a zero byte after its end, which *size
 *          does not count.
 * Returns: AN_OK: size and CRC are as declared, and at most 8 KiB of the packed bytes were not
 *          needed; AN_ERR_ARG (index); AN_ERR_IO;
 *          AN_ERR_FORMAT (damaged); AN_ERR_UNSUPPORTED (encrypted, other method, over a cap);
 *          AN_ERR_NOMEM. The message names archive and member.
 * Threads: any number at once.
 */
an_status ani_zip_read(ani_zip *zip, int64_t index, uint8_t **bytes, int64_t *size, an_error *err);

#endif
