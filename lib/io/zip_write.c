/* SPDX-License-Identifier: MIT
 * Each member is preceded by its size and CRC-32, so its bytes are made twice: to be measured, and
 * to be written.
 *
 * Format: PKWARE APPNOTE.TXT 6.3.9, section 4.3. */
#include "io/zip_write.h"

#include <string.h>
#include <zlib.h>

#include "io/zip_format.h"

enum {
    VERSION = 20,          /* needed to read it: of the format */
    FIRST_DAY = 1 << 5 | 1 /* 1 January 1980, the first date that there is */
};

/* --- measuring -------------------------------------------------------------------------------- */

typedef struct measure {
    int64_t size;
    uLong crc;
} measure;

static an_status add_to_measure(void *user, const void *bytes, int64_t size, an_error *err) {
    measure *m = user;
    (void)err;
    m->size += size;
    for (const Bytef *next = bytes; size > 0;) {
        const uInt part = size < (1 << 30) ? (uInt)size : 1u << 30;
        m->crc = crc32(m->crc, next, part);
        next += part;
        size -= part;
    }
    return AN_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* What a local header and an entry of the directory have in common. */
static void add_facts(ani_text *to, const measure *m, const char *name) {
    ani_text_add_number(to, VERSION, 2);
    ani_text_add_number(to, 0, 2); /* flags */
    ani_text_add_number(to, ANI_ZIP_STORED, 2);
    ani_text_add_number(to, 0, 2); /* the time, midnight */
    ani_text_add_number(to, FIRST_DAY, 2);
    ani_text_add_number(to, m->crc, 4);
    ani_text_add_number(to, (uint64_t)m->size, 4); /* packed */
    ani_text_add_number(to, (uint64_t)m->size, 4);
    ani_text_add_number(to, strlen(name), 2);
    ani_text_add_number(to, 0, 2); /* more fields */
}

static an_status write_text(ani_zip_draft *zip, ani_text *text, an_error *err) {
    const an_status st = text->failed ? ani_fail_memory(err, text->size, "part of a zip archive")
                                      : ani_writer_write(zip->file, text->bytes, text->size, err);
    zip->size += text->size;
    ani_text_clear(text);
    return st;
}

an_status ani_zip_add(ani_zip_draft *zip, const char *name, ani_member_fn write, const void *member,
                      an_error *err) {
    ani_text head = {0};
    measure m = {0};
    an_status st = write(member, add_to_measure, &m, err);
    if (st) return st;
    const int64_t offset = zip->size;
    if (m.size > (int64_t)UINT32_MAX - UINT16_MAX - offset)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "zip: with '%s' of %lld bytes the archive becomes larger than 4 GiB", name,
                        (long long)m.size);
    ani_text_add_number(&head, ANI_ZIP_LOCAL, 4);
    add_facts(&head, &m, name);
    ani_text_add(&head, name, (int64_t)strlen(name));
    st = write_text(zip, &head, err);
    if (!st) st = write(member, ani_writer_put, zip->file, err);
    if (st) return st;
    zip->size += m.size;
    zip->count++;
    ani_text_add_number(&zip->directory, ANI_ZIP_ENTRY, 4);
    ani_text_add_number(&zip->directory, VERSION, 2); /* made by: MS-DOS, no modes of files */
    add_facts(&zip->directory, &m, name);
    ani_text_add_number(&zip->directory, 0, 8); /* comment, disk, attributes: 2, 2, 2 ... */
    ani_text_add_number(&zip->directory, 0, 2); /* ... and 4 bytes */
    ani_text_add_number(&zip->directory, (uint64_t)offset, 4);
    ani_text_add(&zip->directory, name, (int64_t)strlen(name));
    return AN_OK;
}

an_status ani_zip_end(ani_zip_draft *zip, an_error *err) {
    ani_text end = {0};
    const int64_t offset = zip->size, size = zip->directory.size;
    an_status st = write_text(zip, &zip->directory, err);
    if (st) return st;
    ani_text_add_number(&end, ANI_ZIP_END, 4);
    ani_text_add_number(&end, 0, 4); /* disks */
    ani_text_add_number(&end, (uint64_t)zip->count, 2);
    ani_text_add_number(&end, (uint64_t)zip->count, 2);
    ani_text_add_number(&end, (uint64_t)size, 4);
    ani_text_add_number(&end, (uint64_t)offset, 4);
    ani_text_add_number(&end, 0, 2); /* comment */
    return write_text(zip, &end, err);
}

void ani_zip_clear(ani_zip_draft *zip) {
    ani_text_clear(&zip->directory);
}
