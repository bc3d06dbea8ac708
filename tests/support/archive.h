/* SPDX-License-Identifier: MIT
 * Writes zip archives byte by byte, with any field possibly wrong. */
#ifndef SUPPORT_ARCHIVE_H
#define SUPPORT_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/status.h>

/** A growing byte buffer; free(data). */
struct bytes {
    uint8_t *data;
    int64_t size;
};

void bytes_add(struct bytes *to, const void *data, int64_t size);
void bytes_add_number(struct bytes *to, uint64_t value, int size); /* little-endian */

/** Systems that create archives, numbered as in the format, plus 1. */
enum {
    ON_FAT = 1,
    ON_UNIX = 4,
    ON_OS2 = 7,
    ON_NTFS = 11,
    ON_NTFS_INFOZIP = 12,
    ON_VFAT = 15,
    ON_MACOS = 20
};

/** A member; nonzero fields override the true values. */
struct entry {
    const char *name;
    int64_t name_size; /* 0: up to the zero */
    const void *data;
    int64_t data_size;
    bool deflate;
    const char *local_name;
    uint32_t flags, method, mode, disk, crc_flip;
    int32_t host;      /* the system that made it, ON_*; 0: Unix */
    const void *extra; /* a field of the directory */
    int64_t extra_size;
    int64_t size_lie, packed_lie, offset_lie; /* added */
    bool zip64;
    bool descriptor; /* CRC and sizes after the data */
};

/** A whole archive; nonzero fields override the true values. */
struct archive {
    const struct entry *entries;
    int count;
    const char *prefix, *comment, *trailer;
    int64_t trailer_size; /* 0: up to the zero */
    int32_t count_lie, size_lie, offset_lie, disk,
        between; /* between: bytes before the directory */
    bool zip64, locator_only;
    int64_t wide_lie;
};

/** Write an archive; free the bytes. */
struct bytes archive_build(const struct archive *archive);
/** The same, to a file. */
void archive_write(const struct archive *archive, const char *path);

/** The same as "a.zip" in a folder; returns its path, see folder_path(). */
const char *archive_in(const char *folder, const struct archive *archive);
/** Fail the test unless the message is the expected one, in which "A.ZIP" stands for such a path.
 */
void archive_expect(const an_error *err, const char *expected);

/* What most test archives contain. */
#define HELLO .data = "hello, hello, hello, hello", .data_size = 26
#define LABELS .name = "All_labels.txt", .data = "a.jpg 1\nb.jpg 2\n", .data_size = 16
#define GOOD .entries = good_entries, .count = 6
/** A folder, two images (one compressed, one stored), a text, an empty image, the labels. */
extern const struct entry good_entries[6];

#endif
