/* SPDX-License-Identifier: MIT
 * Zip archives, read in place: checks an archive before libzip sees it.
 *
 * The directory is read here, since an untrusted archive needs checks that libzip does not make:
 * overlapping members, impossible offsets and sizes, NUL in names, and which end record is the real
 * one. Members are unpacked by libzip (io/unzip.c).
 *
 * Nothing is trusted: every offset is checked against the file's real size before it is used, sizes
 * against the caps before memory is allocated for them, and a member's claims against its bytes.
 *
 * Format: PKWARE APPNOTE.TXT 6.3.9, sections 4.3 and 4.5.3. */
#include "io/zip.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/text.h"
#include "io/encoding.h"
#include "io/unzip.h"

enum {
    END_SEARCHED = 65536,        /* bytes that may follow the end record: its comment or others */
    EXTRA_UNICODE_PATH = 0x7075, /* of Info-ZIP: version, CRC-32 of the plain name, name in UTF-8 */
    UNICODE_PATH_HEAD = 5,
    FLAG_UTF8 = 0x0800,   /* the name is in UTF-8 */
    FLAG_MASKED = 0x2000, /* an encrypted central directory */
    HOST_FAT = 0,
    HOST_UNIX = 3,
    HOST_OS2 = 6,
    HOST_NTFS = 10,
    HOST_NTFS_INFOZIP = 11,
    HOST_VFAT = 14,
    HOST_MACOS = 19,
    RATIO_FREE = 1 << 20,      /* bytes that a member may have whatever its ratio */
    DEFLATE_RATIO_MAX = 1032,  /* more is impossible: 258 bytes from 2 bits */
    DIRECTORY_MAX = 256 << 20, /* bytes of a central directory */
};

struct ani_zip {
    ani_file *file;
    ani_file *opened;               /* the same if it was opened here; else NULL */
    char path[ANI_SHOWN_NAME_SIZE]; /* for messages */
    ani_zip_member *members;
    int64_t count;
    char *names;           /* the central directory, reduced to the names as stored */
    ani_text decoded;      /* the names that had to be converted */
    ani_encoding encoding; /* of names that are not UTF-8 */
    bool is_encoding_known;
    int64_t max_member_bytes;
    int64_t max_ratio;
    ani_unzip *unzip;
};

/* The location of the central directory. */
struct directory {
    int64_t offset; /* in the file */
    int64_t size;
    int64_t count;
    int64_t shift;   /* bytes before the archive, added to the offsets of members */
    bool is_wide;    /* there is a ZIP64 end record */
    bool is_modular; /* offsets are modulo 2^32, and members are in offset order */
};

/* --- the end record -------------------------------------------------------------------------- */

/* The last bytes of the file, which are searched for an end record and a ZIP64 end record before
 * it. */
struct tail {
    uint8_t *bytes;
    int64_t size;
    int64_t offset; /* in the file */
    int64_t first;  /* where the first end record may start in it */
    int64_t end;    /* where the chosen one starts */
};

static an_status read_tail(struct tail *tail, const ani_zip *zip, an_error *err) {
    const int64_t file_size = ani_file_size(zip->file);
    const int64_t most =
        ANI_ZIP_LOCATOR_SIZE + ANI_ZIP_END64_SIZE + ANI_ZIP_END_SIZE + END_SEARCHED;
    tail->size = file_size < most ? file_size : most;
    tail->offset = file_size - tail->size;
    tail->first = tail->offset ? ANI_ZIP_LOCATOR_SIZE + ANI_ZIP_END64_SIZE : 0;
    tail->bytes = ani_alloc(tail->size);
    if (!tail->bytes) return ani_fail_memory(err, tail->size, "the end of an archive");
    return ani_file_read(zip->file, tail->offset, tail->bytes, tail->size, err);
}

static bool is_end(const struct tail *tail, int64_t at) {
    return tail->bytes[at] == 'P' && ani_zip_get32(tail->bytes + at) == ANI_ZIP_END;
}

static int64_t behind_comment(const struct tail *tail, int64_t at) {
    return at + ANI_ZIP_END_SIZE + ani_zip_get16(tail->bytes + at + 20);
}

static an_status is_entry(bool *found, ani_file *file, int64_t at, an_error *err) {
    uint8_t bytes[4];
    *found = false;
    if (at < 0 || at > ani_file_size(file) - ANI_ZIP_ENTRY_SIZE) return AN_OK;
    an_status st = ani_file_read(file, at, bytes, sizeof bytes, err);
    *found = !st && ani_zip_get32(bytes) == ANI_ZIP_ENTRY;
    return st;
}

/* Find out whether any reader could accept the end record at `at`: it belongs to ZIP64 or an empty
 * archive, or a directory starts where it says (or ends before it, with the size that it says). */
static an_status is_usable(bool *usable, const ani_zip *zip, const struct tail *tail, int64_t at,
                           an_error *err) {
    const uint8_t *end = tail->bytes + at;
    const int64_t size = ani_zip_get32(end + 12), offset = ani_zip_get32(end + 16);
    *usable = size == 0 || (at >= ANI_ZIP_LOCATOR_SIZE &&
                            ani_zip_get32(end - ANI_ZIP_LOCATOR_SIZE) == ANI_ZIP_LOCATOR);
    an_status st = AN_OK;
    if (!*usable) st = is_entry(usable, zip->file, offset, err);
    if (!st && !*usable) st = is_entry(usable, zip->file, tail->offset + at - size, err);
    return st;
}

/* Find the end record: the last usable one, as unzip and Python's zipfile take the last signature.
 * Bytes may follow it and its comment, but not those of an archive, which would mean that the
 * archive is truncated or that another one follows. Stricter readers take an earlier end record
 * whose comment ends exactly at the end of the file, so an archive with both is refused. */
static an_status find_end(struct tail *tail, const ani_zip *zip, an_error *err) {
    int64_t last = -1, found = -1;
    bool usable;
    for (int64_t at = tail->size - ANI_ZIP_END_SIZE; at >= tail->first; at--) {
        if (!is_end(tail, at)) continue;
        if (last < 0) last = at;
        if (found >= 0 && behind_comment(tail, at) != tail->size) continue;
        an_status st = is_usable(&usable, zip, tail, at, err);
        if (st) return st;
        if (usable && found >= 0)
            return ani_fail(err, AN_ERR_FORMAT, "archive '%s' has two end records", zip->path);
        if (usable) found = at;
    }
    if (last < 0)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s' is not a zip archive, or is truncated: no end record", zip->path);
    tail->end = found < 0 ? last : found;
    const int64_t behind = behind_comment(tail, tail->end); /* past the file: a truncated comment */
    for (int64_t at = behind; at < tail->size; at++) {
        const uint8_t *c = tail->bytes + at;
        const int64_t left = tail->size - at;
        if (*c != 'P' || (left > 1 && c[1] != 'K')) continue;
        if (at > behind &&
            (left < 4 || (ani_zip_get32(c) != ANI_ZIP_ENTRY && ani_zip_get32(c) != ANI_ZIP_LOCAL)))
            continue;
        return ani_fail(err, AN_ERR_FORMAT,
                        "archive '%s' continues after its end record: it is truncated, or two "
                        "archives are in one file",
                        zip->path);
    }
    return AN_OK;
}

/* Refuse a second end record that a reader could accept, unless it lies in the data of a member, as
 * in an archive within the archive. */
static an_status refuse_second_end(const ani_zip *zip, struct tail *tail, an_error *err) {
    bool usable;
    for (int64_t i = 0; i < zip->count; i++) {
        const ani_zip_member *member = &zip->members[i];
        const int64_t begin = member->offset > tail->offset ? member->offset : tail->offset;
        if (member->limit > begin)
            memset(tail->bytes + (begin - tail->offset), 0, (size_t)(member->limit - begin));
    }
    for (int64_t at = tail->first; at < tail->end; at++) {
        if (!is_end(tail, at)) continue;
        an_status st = is_usable(&usable, zip, tail, at, err);
        if (st) return st;
        if (usable)
            return ani_fail(err, AN_ERR_FORMAT, "archive '%s' has two end records", zip->path);
    }
    return AN_OK;
}

/* Take a value from the end record, or from the ZIP64 record if it did not fit. */
static bool widen(int64_t *value, uint32_t narrow, uint32_t marker, uint64_t wide) {
    if (narrow != marker && narrow != wide) return false;
    if (wide > INT64_MAX) return false;
    *value = (int64_t)wide;
    return true;
}

static an_status read_end(struct directory *dir, const struct tail *tail, const char *path,
                          an_error *err) {
    const int64_t at = tail->end;
    int64_t declared = 0, after = -1, stop = tail->offset + at;
    const uint8_t *end = tail->bytes + at;
    const uint32_t disk = ani_zip_get16(end + 4), first_disk = ani_zip_get16(end + 6);
    const uint32_t disk_count = ani_zip_get16(end + 8), count = ani_zip_get16(end + 10);
    const uint32_t size = ani_zip_get32(end + 12), offset = ani_zip_get32(end + 16);
    bool consistent = disk_count == count;
    if (at >= ANI_ZIP_LOCATOR_SIZE &&
        ani_zip_get32(end - ANI_ZIP_LOCATOR_SIZE) == ANI_ZIP_LOCATOR) {
        const uint8_t *end64 = end - ANI_ZIP_LOCATOR_SIZE - ANI_ZIP_END64_SIZE;
        after = (int64_t)(ani_zip_get64(end - ANI_ZIP_LOCATOR_SIZE + 8) & INT64_MAX);
        if (at < ANI_ZIP_LOCATOR_SIZE + ANI_ZIP_END64_SIZE ||
            ani_zip_get32(end64) != ANI_ZIP_END64 ||
            ani_zip_get64(end64 + 4) != ANI_ZIP_END64_SIZE - 12)
            return ani_fail(err, AN_ERR_FORMAT,
                            "archive '%s' has no ZIP64 end record where it should be", path);
        consistent = ani_zip_get32(end64 + 16) == 0 && ani_zip_get32(end64 + 20) == 0 &&
                     ani_zip_get64(end64 + 24) == ani_zip_get64(end64 + 32) &&
                     (disk == 0 || disk == UINT16_MAX) &&
                     (first_disk == 0 || first_disk == UINT16_MAX) &&
                     widen(&dir->count, count, UINT16_MAX, ani_zip_get64(end64 + 32)) &&
                     widen(&dir->size, size, UINT32_MAX, ani_zip_get64(end64 + 40)) &&
                     widen(&declared, offset, UINT32_MAX, ani_zip_get64(end64 + 48));
        stop -= ANI_ZIP_LOCATOR_SIZE + ANI_ZIP_END64_SIZE;
        dir->is_wide = true;
    } else {
        if (disk != 0 || first_disk != 0)
            return ani_fail(err, AN_ERR_UNSUPPORTED, "archive '%s' has more than one volume", path);
        dir->count = count;
        dir->size = size;
        declared = offset;
    }
    if (!consistent || (after >= 0 && after - dir->size != declared))
        return ani_fail(err, AN_ERR_FORMAT,
                        "archive '%s' has an end record that contradicts itself", path);
    /* The directory ends where the end record starts; its stated start tells how many bytes precede
     * the archive. */
    if (dir->size > stop || declared > stop - dir->size)
        return ani_fail(err, AN_ERR_FORMAT,
                        "archive '%s' is truncated: a directory of %" PRId64 " bytes at %" PRId64
                        " does not fit before its end record at %" PRId64,
                        path, dir->size, declared, stop);
    dir->offset = stop - dir->size;
    dir->shift = dir->offset - declared;
    return AN_OK;
}

/* --- the central directory ------------------------------------------------------------------- */

/* Return the data of the first extra field with this ID at or after *at, NULL if there is none; *at
 * is moved past it. */
static const uint8_t *find_extra(int64_t *at, int64_t *length, const uint8_t *extra, int64_t size,
                                 uint32_t id) {
    while (*at + 4 <= size) {
        const uint8_t *field = extra + *at;
        *length = ani_zip_get16(field + 2);
        if (*length > size - *at - 4) return NULL;
        *at += 4 + *length;
        if (ani_zip_get16(field) == id) return field + 4;
    }
    return NULL;
}

/* Replace any of size, packed size and offset that is all ones by its 64-bit value. */
static bool read_extra(ani_zip_member *member, const uint8_t *extra, int64_t size, uint32_t size32,
                       uint32_t packed32, uint32_t offset32) {
    uint64_t wide[3] = {size32, packed32, offset32};
    bool missing[3] = {size32 == UINT32_MAX, packed32 == UINT32_MAX, offset32 == UINT32_MAX};
    if (missing[0] || missing[1] || missing[2]) {
        int64_t at = 0, length = 0;
        const uint8_t *value = find_extra(&at, &length, extra, size, ANI_ZIP_EXTRA_ZIP64);
        for (int i = 0; i < 3; i++) {
            if (!missing[i]) continue;
            if (!value || length < 8) return false;
            wide[i] = ani_zip_get64(value);
            value += 8;
            length -= 8;
        }
    }
    if (wide[0] > INT64_MAX || wide[1] > INT64_MAX || wide[2] > INT64_MAX) return false;
    member->size = (int64_t)wide[0];
    member->packed = (int64_t)wide[1];
    member->offset = (int64_t)wide[2];
    return true;
}

static an_status is_local(bool *found, const ani_zip *zip, int64_t at, an_error *err) {
    uint8_t bytes[4];
    *found = false;
    if (at > ani_file_size(zip->file) - ANI_ZIP_LOCAL_SIZE) return AN_OK;
    an_status st = ani_file_read(zip->file, at, bytes, sizeof bytes, err);
    *found = !st && ani_zip_get32(bytes) == ANI_ZIP_LOCAL;
    return st;
}

/* Distinguish an archive preceded by a multiple of 2^32 bytes from one over 4 GiB without ZIP64,
 * whose offsets are modulo 2^32 (macOS): the latter has a member where the first offset says. */
static an_status find_modulus(struct directory *dir, const ani_zip *zip, an_error *err) {
    if (dir->is_wide || !dir->shift || (dir->shift & UINT32_MAX) || !dir->count) return AN_OK;
    const int64_t first = ani_zip_get32((const uint8_t *)zip->names + 42);
    bool shifted;
    an_status st = is_local(&dir->is_modular, zip, first, err);
    if (!st) st = is_local(&shifted, zip, first + dir->shift, err);
    if (!st && dir->is_modular && shifted)
        return ani_fail(err, AN_ERR_FORMAT,
                        "archive '%s': its offsets may be modulo 2^32 or not, there are members at "
                        "both places",
                        zip->path);
    return st;
}

/* The text of a name, during conversion to the member's name. */
struct name {
    const char *bytes;
    int64_t size;
};

static bool is_same(struct name a, struct name b) {
    return a.size == b.size && !memcmp(a.bytes, b.bytes, (size_t)a.size);
}

/* Find the UTF-8 name in the extra fields; one for another name, or one that is not text, is
 * skipped. Returns false if there are two that differ. */
static bool find_unicode_name(struct name *found, struct name raw, const uint8_t *extra,
                              int64_t size) {
    int64_t at = 0, length;
    const uint8_t *field;
    const uint32_t crc = (uint32_t)crc32_z(0, (const uint8_t *)raw.bytes, (z_size_t)raw.size);
    *found = (struct name){0};
    while ((field = find_extra(&at, &length, extra, size, EXTRA_UNICODE_PATH)) != NULL) {
        const struct name name = {(const char *)field + UNICODE_PATH_HEAD,
                                  length - UNICODE_PATH_HEAD};
        if (name.size < 1 || field[0] != 1 || ani_zip_get32(field + 1) != crc ||
            memchr(name.bytes, 0, (size_t)name.size) || !ani_is_utf8(name.bytes, name.size))
            continue;
        if (found->bytes && !is_same(*found, name)) return false;
        *found = name;
    }
    return true;
}

/* True if names from this system separate folders by '\\'; file names cannot contain it there. */
static bool has_backslashes(uint32_t host) {
    return host == HOST_FAT || host == HOST_OS2 || host == HOST_NTFS || host == HOST_NTFS_INFOZIP ||
           host == HOST_VFAT;
}

/* True if a path that may be separated by '\\' is absolute, has a drive, or a "..". */
static bool leads_outside(const char *path) {
    if (*path == '\\' || *path == '/' || (*path && path[1] == ':')) return true;
    for (const char *part = path; *part;) {
        const size_t size = strcspn(part, "\\/");
        if (size == 2 && part[0] == '.' && part[1] == '.') return true;
        part += size + (part[size] != 0);
    }
    return false;
}

/* True if the byte is a '\\' between folders. In a name of unknown encoding, it may be the second
 * byte of a Shift-JIS, GBK or Big5 character if a non-ASCII byte precedes it. */
static bool is_backslash(const char *name, const char *c, bool is_guessed) {
    return *c == '\\' && !(is_guessed && c > name && (unsigned char)c[-1] >= 0x80);
}

static const char *last_part(const char *name, bool backslashes) {
    const char *base = name;
    for (const char *c = name; *c; c++)
        if (*c == '/' || (backslashes && is_backslash(name, c, true))) base = c + 1;
    return base;
}

/* Determine the name of member: member->name is NULL if the name is in zip->decoded. */
static an_status read_name(ani_zip *zip, ani_zip_member *member, uint32_t flags, uint32_t host,
                           const uint8_t *extra, int64_t extra_size, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    struct name raw = {member->raw, (int64_t)strlen(member->raw)}, unicode;
    const int64_t begin = zip->decoded.size;
    const bool is_utf8 = (flags & FLAG_UTF8) != 0;
    if (!find_unicode_name(&unicode, raw, extra, extra_size) ||
        (is_utf8 && unicode.bytes && !is_same(raw, unicode)))
        return ani_fail(err, AN_ERR_FORMAT, "archive '%s': member '%s' has two names in UTF-8",
                        zip->path, ani_name_show(shown, member->raw));
    if (!is_utf8 && unicode.bytes) {
        ani_text_add(&zip->decoded, unicode.bytes, unicode.size);
    } else if (is_utf8 || ani_is_ascii(raw.bytes) ||
               (!zip->is_encoding_known && ani_is_utf8(raw.bytes, raw.size))) {
        if (!has_backslashes(host) || !strchr(raw.bytes, '\\')) {
            member->name = member->raw;
            member->base = member->raw_base = ani_base_name(member->raw);
            return AN_OK;
        }
        ani_text_add(&zip->decoded, raw.bytes, raw.size);
    } else if (ani_encoding_decode(&zip->encoding, &zip->decoded, raw.bytes, raw.size)) {
        member->is_guessed = !zip->is_encoding_known;
    } else if (!zip->decoded.failed) {
        return ani_fail(err, AN_ERR_FORMAT,
                        "archive '%s': the name of member '%s' is not valid in names_encoding",
                        zip->path, ani_name_show(shown, member->raw));
    }
    ani_text_add(&zip->decoded, "", 1);
    if (zip->decoded.failed) return ani_fail_memory(err, zip->decoded.size, "names of members");
    if (zip->decoded.size > DIRECTORY_MAX)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "archive '%s' has over %d bytes of names in UTF-8",
                        zip->path, DIRECTORY_MAX);
    char *name = zip->decoded.bytes + begin;
    if ((int64_t)strlen(name) != zip->decoded.size - begin - 1)
        return ani_fail(err, AN_ERR_FORMAT,
                        "archive '%s': the name of member '%s' continues after a NUL byte",
                        zip->path, ani_name_show(shown, name));
    const bool turns = has_backslashes(host);
    member->is_outside = turns && strchr(name, '\\') && leads_outside(name);
    for (char *c = name; turns && *c; c++)
        if (is_backslash(name, c, member->is_guessed)) *c = '/';
    member->raw_base = last_part(member->raw, turns);
    return AN_OK;
}

/* Point members to their names in zip->decoded, which are stored there in member order. */
static void place_names(ani_zip *zip, int64_t count) {
    const char *name = zip->decoded.bytes;
    for (int64_t i = 0; i < count; i++) {
        ani_zip_member *member = &zip->members[i];
        if (member->name) continue;
        member->name = name;
        member->base = ani_base_name(name);
        name += strlen(name) + 1;
    }
}

/* Count the entries: they must fill the directory exactly. Tools without ZIP64, such as macOS's,
 * write the number modulo 65536. */
static an_status count_entries(struct directory *dir, const ani_zip *zip, an_error *err) {
    const uint8_t *bytes = (const uint8_t *)zip->names;
    int64_t at = 0, count = 0;
    for (; at < dir->size; count++) {
        const uint8_t *entry = bytes + at;
        if (dir->size - at < ANI_ZIP_ENTRY_SIZE || ani_zip_get32(entry) != ANI_ZIP_ENTRY)
            return ani_fail(err, AN_ERR_FORMAT,
                            "archive '%s': entry %" PRId64 " of its directory is damaged",
                            zip->path, count + 1);
        at += ANI_ZIP_ENTRY_SIZE + ani_zip_get16(entry + 28) + ani_zip_get16(entry + 30) +
              ani_zip_get16(entry + 32);
    }
    if (at > dir->size)
        return ani_fail(err, AN_ERR_FORMAT,
                        "archive '%s': entry %" PRId64
                        " reaches past the end of the directory of %" PRId64 " bytes",
                        zip->path, count, dir->size);
    if (count != dir->count && (dir->is_wide || (count & UINT16_MAX) != dir->count))
        return ani_fail(err, AN_ERR_FORMAT,
                        "archive '%s' has %" PRId64
                        " members in its directory, its end record says %" PRId64,
                        zip->path, count, dir->count);
    dir->count = count;
    return AN_OK;
}

/* Parse all entries. The names are moved to the front of the directory's own bytes, each with a
 * terminating zero; as an entry is larger than that zero, they never reach the next entry. */
static an_status parse_entries(ani_zip *zip, const struct directory *dir, an_error *err) {
    const char *path = ani_zip_path(zip);
    uint8_t *bytes = (uint8_t *)zip->names;
    int64_t at = 0, names_size = 0;
    int64_t past = 0; /* where the next member may start */
    char shown[ANI_SHOWN_NAME_SIZE];
    for (int64_t i = 0; i < dir->count; i++) {
        ani_zip_member *member = &zip->members[i];
        const uint8_t *entry = bytes + at;
        const int64_t name_size = ani_zip_get16(entry + 28);
        const int64_t extra_size = ani_zip_get16(entry + 30);
        const int64_t entry_size =
            ANI_ZIP_ENTRY_SIZE + name_size + extra_size + ani_zip_get16(entry + 32);
        const uint32_t flags = ani_zip_get16(entry + 8);
        const uint32_t host = entry[5], type = ani_zip_get32(entry + 38) >> 16 & 0170000;
        member->method = (uint16_t)ani_zip_get16(entry + 10);
        member->crc = ani_zip_get32(entry + 16);
        member->is_encrypted =
            (flags & (ANI_ZIP_FLAG_ENCRYPTED | ANI_ZIP_FLAG_STRONG | FLAG_MASKED)) != 0 ||
            member->method == ANI_ZIP_AES;
        member->is_special = (host == HOST_UNIX || host == HOST_MACOS) && type != 0 &&
                             type != 0100000 && type != 0040000;
        const uint8_t *extra =
            entry + ANI_ZIP_ENTRY_SIZE + name_size; /* after the place to which the name is moved */
        const bool fits = read_extra(member, extra, extra_size, ani_zip_get32(entry + 24),
                                     ani_zip_get32(entry + 20), ani_zip_get32(entry + 42));
        const uint32_t volume = ani_zip_get16(entry + 34);
        char *name = zip->names + names_size;
        memmove(name, entry + ANI_ZIP_ENTRY_SIZE, (size_t)name_size);
        name[name_size] = '\0';
        names_size += name_size + 1;
        member->raw = name;
        if ((int64_t)strlen(name) != name_size)
            return ani_fail(err, AN_ERR_FORMAT,
                            "archive '%s': the name of member '%s' continues after a NUL byte",
                            path, ani_name_show(shown, name));
        if (volume != 0 && volume != UINT16_MAX)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "archive '%s': member '%s' is on another volume", path,
                            ani_name_show(shown, name));
        while (dir->is_modular && member->offset < past)
            member->offset += INT64_C(1) << 32;
        if (!fits ||
            !ani_add_size(member->offset, dir->is_modular ? 0 : dir->shift, &member->offset) ||
            member->offset > dir->offset - ANI_ZIP_LOCAL_SIZE ||
            member->packed > dir->offset - ANI_ZIP_LOCAL_SIZE - member->offset)
            return ani_fail(err, AN_ERR_FORMAT,
                            "archive '%s': member '%s' lies outside the archive's data", path,
                            ani_name_show(shown, name));
        past = member->offset + ANI_ZIP_LOCAL_SIZE + name_size + member->packed;
        an_status st = read_name(zip, member, flags, host, extra, extra_size, err);
        if (st) return st;
        at += entry_size;
    }
    place_names(zip, dir->count);
    return AN_OK;
}

static int compare_offsets(const void *a, const void *b) {
    const ani_zip_member *x = *(ani_zip_member *const *)a, *y = *(ani_zip_member *const *)b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Find where each member must end: where the next one starts. Members that overlap, a trick of zip
 * bombs that unpack the same data many times, violate that. */
static an_status set_limits(ani_zip *zip, int64_t directory_offset, an_error *err) {
    an_status st = AN_OK;
    char shown[ANI_SHOWN_NAME_SIZE], other[ANI_SHOWN_NAME_SIZE];
    int64_t size;
    if (!ani_mul_size(zip->count, sizeof(ani_zip_member *), &size)) size = -1;
    ani_zip_member **order = ani_alloc(size);
    if (!order) return ani_fail_memory(err, size, "the members of an archive");
    for (int64_t i = 0; i < zip->count; i++)
        order[i] = &zip->members[i];
    qsort(order, (size_t)zip->count, sizeof *order, compare_offsets);
    for (int64_t i = 0; i < zip->count; i++) {
        ani_zip_member *member = order[i];
        member->limit = i + 1 < zip->count ? order[i + 1]->offset : directory_offset;
        const int64_t least = ANI_ZIP_LOCAL_SIZE + (int64_t)strlen(member->raw) + member->packed;
        if (least <= member->limit - member->offset) continue;
        if (i + 1 < zip->count)
            st = ani_fail(err, AN_ERR_FORMAT, "archive '%s': members '%s' and '%s' overlap",
                          ani_zip_path(zip), ani_name_show(shown, member->name),
                          ani_name_show(other, order[i + 1]->name));
        else
            st = ani_fail(err, AN_ERR_FORMAT,
                          "archive '%s': member '%s' reaches past the end of the data",
                          ani_zip_path(zip), ani_name_show(shown, member->name));
        break;
    }
    ani_free(order);
    return st;
}

static an_status check_caps(const an_extract_options *caps, an_error *err) {
    const struct {
        const char *field;
        int64_t value;
    } all[] = {{"max_members", caps->max_members},
               {"max_member_bytes", caps->max_member_bytes},
               {"max_total_bytes", caps->max_total_bytes},
               {"max_ratio", caps->max_ratio}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].value < 1)
            return ani_fail(err, AN_ERR_ARG,
                            "an_extract_options: %s is %" PRId64 "; it must be at least 1",
                            all[i].field, all[i].value);
    return AN_OK;
}

/* Open path, or, if path is NULL, the archive in file. */
static an_status open_archive(ani_zip **out, const char *path, ani_file *file,
                              const an_extract_options *caps, an_error *err) {
    *out = NULL;
    struct directory dir = {0};
    struct tail tail = {0};
    an_extract_options options;
    an_extract_options_init(&options, sizeof options);
    an_status st = ani_options_copy(&options, sizeof options, caps, "an_extract_options", err);
    if (st) return st;
    st = check_caps(&options, err);
    if (st) return st;
    ani_zip *zip = ani_alloc_zero(1, sizeof *zip);
    if (!zip) return ani_fail_memory(err, sizeof *zip, "an archive");
    zip->max_member_bytes = options.max_member_bytes;
    zip->max_ratio = options.max_ratio;
    zip->is_encoding_known = options.names_encoding != NULL;
    st = ani_encoding_open(&zip->encoding, options.names_encoding, err);
    if (st) goto done;
    if (path) st = ani_file_open(&zip->opened, path, err);
    if (st) goto done;
    zip->file = path ? zip->opened : file;
    ani_name_show(zip->path, ani_file_path(zip->file));
    st = read_tail(&tail, zip, err);
    if (st) goto done;
    st = find_end(&tail, zip, err);
    if (st) goto done;
    st = read_end(&dir, &tail, zip->path, err);
    if (st) goto done;
    if (dir.size > DIRECTORY_MAX) {
        st = ani_fail(err, AN_ERR_UNSUPPORTED,
                      "archive '%s' has a directory of %" PRId64 " bytes; the limit is %d",
                      zip->path, dir.size, DIRECTORY_MAX);
        goto done;
    }
    zip->names = ani_alloc(dir.size + 1);
    if (!zip->names) {
        st = ani_fail_memory(err, dir.size, "the directory of an archive");
        goto done;
    }
    st = ani_file_read(zip->file, dir.offset, zip->names, dir.size, err);
    if (st) goto done;
    st = count_entries(&dir, zip, err);
    if (st) goto done;
    if (dir.count > options.max_members) {
        st = ani_fail(err, AN_ERR_UNSUPPORTED,
                      "archive '%s' has %" PRId64 " members; the limit is %" PRId64, zip->path,
                      dir.count, options.max_members);
        goto done;
    }
    zip->members = ani_alloc_zero(dir.count, sizeof *zip->members);
    if (!zip->members) {
        st = ani_fail_memory(err, dir.count * (int64_t)sizeof *zip->members,
                             "the members of an archive");
        goto done;
    }
    st = find_modulus(&dir, zip, err);
    if (st) goto done;
    st = parse_entries(zip, &dir, err);
    if (st) goto done;
    zip->count = dir.count;
    st = set_limits(zip, dir.offset, err);
    if (st) goto done;
    st = refuse_second_end(zip, &tail, err);
    if (st) goto done;
    st = ani_unzip_open(&zip->unzip,
                        &(ani_unzip_archive){.file = zip->file,
                                             .path = zip->path,
                                             .members = zip->members,
                                             .count = zip->count,
                                             .data_end = dir.offset},
                        err);
    if (st) goto done;
    *out = zip;
    zip = NULL;
done:
    ani_free(tail.bytes);
    ani_zip_close(zip);
    return st;
}

an_status ani_zip_open(ani_zip **out, const char *path, const an_extract_options *caps,
                       an_error *err) {
    return open_archive(out, path, NULL, caps, err);
}

an_status ani_zip_open_file(ani_zip **out, ani_file *file, const an_extract_options *caps,
                            an_error *err) {
    return open_archive(out, NULL, file, caps, err);
}

void ani_zip_close(ani_zip *zip) {
    if (!zip) return;
    ani_unzip_close(zip->unzip);
    ani_file_close(zip->opened);
    ani_free(zip->members);
    ani_free(zip->names);
    ani_text_clear(&zip->decoded);
    ani_encoding_close(&zip->encoding);
    ani_free(zip);
}

const char *ani_zip_path(const ani_zip *zip) {
    return zip->path;
}

int64_t ani_zip_count(const ani_zip *zip) {
    return zip->count;
}

const ani_zip_member *ani_zip_member_at(const ani_zip *zip, int64_t index) {
    return index >= 0 && index < zip->count ? &zip->members[index] : NULL;
}

int64_t ani_zip_find(const ani_zip *zip, const char *name) {
    for (int64_t i = 0; i < zip->count; i++)
        if (!strcmp(zip->members[i].name, name)) return i;
    return -1;
}

/* --- the bytes of a member ------------------------------------------------------------------- */

static const char *method_name(int32_t method) {
    static const struct {
        int32_t method;
        const char *name;
    } names[] = {{9, "Deflate64"},  {12, "bzip2"}, {14, "LZMA"},
                 {93, "Zstandard"}, {95, "XZ"},    {98, "PPMd"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].method == method) return names[i].name;
    return "unknown here";
}

an_status ani_zip_check(const ani_zip *zip, int64_t index, an_error *err) {
    const ani_zip_member *member = ani_zip_member_at(zip, index);
    const char *path = ani_zip_path(zip);
    char shown[ANI_SHOWN_NAME_SIZE];
    if (!member)
        return ani_fail(err, AN_ERR_ARG, "archive '%s' has no member %" PRId64 "; it has %" PRId64,
                        path, index, zip->count);
    const int64_t max_ratio =
        member->method == ANI_ZIP_DEFLATED && zip->max_ratio > DEFLATE_RATIO_MAX ? DEFLATE_RATIO_MAX
                                                                                 : zip->max_ratio;
    ani_name_show(shown, member->name);
    if (member->is_encrypted)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "member '%s' of '%s' is encrypted", shown, path);
    if (!ani_unzip_knows(member->method))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "member '%s' of '%s' is compressed with method %d (%s); stored, deflated%s "
                        "members can be read",
                        shown, path, member->method, method_name(member->method),
                        ani_unzip_knows(ANI_ZIP_BZIP2) ? " and bzip2" : "");
    if (member->size > zip->max_member_bytes)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "member '%s' of '%s' has %" PRId64 " bytes; the limit is %" PRId64, shown,
                        path, member->size, zip->max_member_bytes);
    if (member->method == ANI_ZIP_STORED && member->size != member->packed)
        return ani_fail(err, AN_ERR_FORMAT,
                        "member '%s' of '%s' is stored, yet takes %" PRId64 " bytes for %" PRId64,
                        shown, path, member->packed, member->size);
    if (member->size > RATIO_FREE && member->size / max_ratio > member->packed)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "member '%s' of '%s' unpacks %" PRId64 " bytes to %" PRId64
                        "; at most %" PRId64 ":1 is allowed",
                        shown, path, member->packed, member->size, max_ratio);
    return AN_OK;
}

an_status ani_zip_read(ani_zip *zip, int64_t index, uint8_t **bytes, int64_t *size, an_error *err) {
    *bytes = NULL;
    *size = 0;
    const an_status st = ani_zip_check(zip, index, err);
    return st ? st : ani_unzip_read(zip->unzip, index, bytes, size, err);
}
