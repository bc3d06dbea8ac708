/* SPDX-License-Identifier: MIT
 * Members of archives, unpacked by libzip.
 *
 * A zip_t has one reading position, and its reference counts are not atomic: each reading thread
 * takes a reader, a separate zip_t over the one descriptor. Idle readers are kept.
 *
 * libzip sees the archive as io/zip.c has checked it: the bytes of members from the file, then a
 * directory generated here from the checked members, without extra fields, comments and flags for
 * the encoding of names, and an end record. So no byte of the file's own directory reaches a second
 * parser, which might read it differently. And libzip 1.7.3, which refuses a whole archive for one
 * name that is not UTF-8, one odd extra field, or offsets modulo 2^32, reads everything that was
 * admitted. What it then says about a member is compared with what was checked. */
#include "io/unzip.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include <zip.h>
#include <zlib.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/show.h"
#include "base/size.h"
#include "base/thread.h"

enum {
    BUFFER_SIZE = 68 << 10, /* of a reader: more than the largest entry and local header */
    READ_MOST = 1 << 30, /* bytes requested of libzip at a time: 1.7.3 miscounts 4 GiB and more */
    ENTRIES_MOST = 1 << 20, /* members in the directories of all readers together, at most */
    WIDE_SIZE = 4 + 3 * 8,  /* extra field of ZIP64 with size, packed size and offset */
    ENDS_SIZE = ANI_ZIP_END64_SIZE + ANI_ZIP_LOCATOR_SIZE + ANI_ZIP_END_SIZE,
    /* Zeros before the end records: libzip searches this many bytes for those records, and finds
     * nothing else there, whatever is in names and members. */
    GAP_SIZE = ANI_ZIP_LOCATOR_SIZE + ANI_ZIP_END_SIZE + ANI_ZIP_COMMENT_MAX,
    VERSION = 45,     /* version of the ZIP format that has ZIP64 */
    DATE_1980 = 0x21, /* 1 January */
};

/* A zip_t and the state of its source. */
typedef struct reader {
    struct reader *next; /* idle */
    const ani_unzip *unzip;
    zip_t *zip;
    zip_error_t error; /* of the source, as libzip requests it */
    an_error fault;    /* the same for messages; status AN_OK: no error */
    int64_t position;  /* of the source */
    int64_t data_end;  /* bytes of the file from here on are not read */
    int64_t reached;   /* bytes of the file before here were requested */
    int64_t entry;     /* the member whose entry is written next, ... */
    int64_t entry_at;  /* ... and its place */
    int64_t buffer_at; /* what the buffer holds */
    int64_t buffer_size;
    uint8_t buffer[BUFFER_SIZE];
} reader;

struct ani_unzip {
    ani_unzip_archive archive;
    int64_t directory_size; /* as libzip sees it */
    int64_t maker;          /* process */
    pthread_mutex_t lock;   /* of all below */
    pthread_cond_t given;
    reader *idle;
    int64_t readers; /* existing readers */
    int64_t readers_most;
};

/* --- what libzip sees ------------------------------------------------------------------------ */

static uint8_t *put(uint8_t *to, uint64_t value, int size) {
    for (int i = 0; i < size; i++, value >>= 8)
        *to++ = (uint8_t)value;
    return to;
}

static bool is_wide(const ani_zip_member *member) {
    return member->size >= UINT32_MAX || member->packed >= UINT32_MAX ||
           member->offset >= UINT32_MAX;
}

static int64_t entry_size(const ani_zip_member *member) {
    return ANI_ZIP_ENTRY_SIZE + (int64_t)strlen(member->raw) + (is_wide(member) ? WIDE_SIZE : 0);
}

/* Method 99 (AES) stands for another method, which an extra field would name; it is not read. */
static uint16_t shown_method(const ani_zip_member *member) {
    return member->is_encrypted ? ANI_ZIP_STORED : member->method;
}

static uint8_t *put_entry(uint8_t *to, const ani_zip_member *member) {
    const bool wide = is_wide(member);
    const size_t name_size = strlen(member->raw);
    to = put(to, ANI_ZIP_ENTRY, 4);
    to = put(to, VERSION, 2); /* made by */
    to = put(to, VERSION, 2); /* needed */
    to = put(to, member->is_encrypted ? ANI_ZIP_FLAG_ENCRYPTED : 0, 2);
    to = put(to, shown_method(member), 2);
    to = put(to, 0, 2);
    to = put(to, DATE_1980, 2);
    to = put(to, member->crc, 4);
    to = put(to, wide ? UINT32_MAX : (uint64_t)member->packed, 4);
    to = put(to, wide ? UINT32_MAX : (uint64_t)member->size, 4);
    to = put(to, name_size, 2);
    to = put(to, wide ? WIDE_SIZE : 0, 2);
    to = put(to, 0, 2 + 2 + 2 + 4); /* comment, volume, attributes */
    to = put(to, wide ? UINT32_MAX : (uint64_t)member->offset, 4);
    memcpy(to, member->raw, name_size);
    to += name_size;
    if (!wide) return to;
    to = put(to, ANI_ZIP_EXTRA_ZIP64, 2);
    to = put(to, WIDE_SIZE - 4, 2);
    to = put(to, (uint64_t)member->size, 8);
    to = put(to, (uint64_t)member->packed, 8);
    return put(to, (uint64_t)member->offset, 8);
}

static void put_ends(uint8_t *to, const ani_unzip *unzip) {
    const uint64_t count = (uint64_t)unzip->archive.count;
    const uint64_t offset = (uint64_t)unzip->archive.data_end;
    const uint64_t size = (uint64_t)unzip->directory_size;
    to = put(to, ANI_ZIP_END64, 4);
    to = put(to, ANI_ZIP_END64_SIZE - 12, 8);
    to = put(to, VERSION, 2);
    to = put(to, VERSION, 2);
    to = put(to, 0, 4 + 4); /* volumes */
    to = put(to, count, 8);
    to = put(to, count, 8);
    to = put(to, size, 8);
    to = put(to, offset, 8);
    to = put(to, ANI_ZIP_LOCATOR, 4);
    to = put(to, 0, 4);
    to = put(to, offset + size + GAP_SIZE, 8);
    to = put(to, 1, 4);
    to = put(to, ANI_ZIP_END, 4);
    to = put(to, 0, 2 + 2);
    to = put(to, UINT32_MAX, 2 + 2);
    to = put(to, UINT64_MAX, 4 + 4);
    put(to, 0, 2);
}

static int64_t directory_end(const ani_unzip *unzip) {
    return unzip->archive.data_end + unzip->directory_size;
}

static int64_t shown_size(const ani_unzip *unzip) {
    return directory_end(unzip) + GAP_SIZE + ENDS_SIZE;
}

/* Fill the buffer with entries, the first of which contains position. */
static void fill_entries(reader *r, int64_t position) {
    const ani_unzip_archive *archive = &r->unzip->archive;
    uint8_t *to = r->buffer;
    if (position < r->entry_at) {
        r->entry = 0;
        r->entry_at = archive->data_end;
    }
    for (; r->entry < archive->count; r->entry++) {
        const ani_zip_member *member = &archive->members[r->entry];
        const int64_t size = entry_size(member);
        if (r->entry_at + size > position) {
            if (size > BUFFER_SIZE - (to - r->buffer)) break;
            if (to == r->buffer) r->buffer_at = r->entry_at;
            to = put_entry(to, member);
        }
        r->entry_at += size;
    }
    r->buffer_size = to - r->buffer;
}

/* Fill the buffer with the bytes at position, one or more. */
static an_status fill(reader *r, int64_t position) {
    const ani_unzip *unzip = r->unzip;
    const int64_t gap_at = directory_end(unzip), ends_at = gap_at + GAP_SIZE;
    an_status st = AN_OK;
    r->buffer_at = position;
    r->buffer_size = 0;
    if (position < unzip->archive.data_end) {
        int64_t size = r->data_end - position;
        if (size <= 0)
            return ani_fail(&r->fault, AN_ERR_INTERNAL, "libzip reads past a member's end");
        if (size > BUFFER_SIZE) size = BUFFER_SIZE;
        st = ani_file_read(unzip->archive.file, position, r->buffer, size, &r->fault);
        if (!st) r->buffer_size = size;
    } else if (position < gap_at) {
        fill_entries(r, position);
    } else if (position < ends_at) {
        const int64_t size = ends_at - position;
        r->buffer_size = size < BUFFER_SIZE ? size : BUFFER_SIZE;
        memset(r->buffer, 0, (size_t)r->buffer_size);
    } else {
        put_ends(r->buffer, unzip);
        r->buffer_at = ends_at;
        r->buffer_size = ENDS_SIZE;
    }
    return st;
}

/* Read up to size bytes from r->position on; -1 if that failed. */
static int64_t read_shown(reader *r, uint8_t *to, int64_t size) {
    const int64_t left = shown_size(r->unzip) - r->position;
    if (size > left) size = left;
    for (int64_t done = 0; done < size;) {
        int64_t part = r->buffer_at + r->buffer_size - r->position;
        if (r->position < r->buffer_at || part <= 0) {
            if (fill(r, r->position)) return -1;
            continue;
        }
        if (part > size - done) part = size - done;
        memcpy(to + done, r->buffer + (r->position - r->buffer_at), (size_t)part);
        r->position += part;
        done += part;
    }
    if (r->reached < r->position) r->reached = r->position;
    return size;
}

/* The source of a zip_t. A failure is recorded in r->fault, since libzip passes on only a code. */
static zip_int64_t answer(void *user, void *data, zip_uint64_t size, zip_source_cmd_t command) {
    reader *r = user;
    zip_int64_t place;
    zip_stat_t *stat;
    switch (command) {
    case ZIP_SOURCE_OPEN:
        r->position = 0;
        return 0;
    case ZIP_SOURCE_READ:
        place = read_shown(r, data, size < READ_MOST ? (int64_t)size : READ_MOST);
        if (place < 0) zip_error_set(&r->error, ZIP_ER_READ, EIO);
        return place;
    case ZIP_SOURCE_SEEK:
        place = zip_source_seek_compute_offset(
            (zip_uint64_t)r->position, (zip_uint64_t)shown_size(r->unzip), data, size, &r->error);
        if (place >= 0) r->position = place;
        return place < 0 ? -1 : 0;
    case ZIP_SOURCE_TELL:
        return r->position;
    case ZIP_SOURCE_STAT:
        stat = data;
        zip_stat_init(stat);
        stat->size = (zip_uint64_t)shown_size(r->unzip);
        stat->valid = ZIP_STAT_SIZE;
        return sizeof *stat;
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&r->error, data, size);
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_STAT,
                                              ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, -1);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    default:
        zip_error_set(&r->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* --- one reader ------------------------------------------------------------------------------ */

/* libzip allocates memory itself, where tests cannot inject failures; they make its calls fail
 * instead. */
static bool has_memory(void) {
    errno = ani_fault_check(ANI_FAULT_ALLOC);
    return !errno;
}

/* True if a call that began with has_memory() ran out of memory. libzip 1.7.3 does not always
 * report that in its error code, but malloc() sets errno. */
static bool is_memory(const zip_error_t *error) {
    return errno == ENOMEM || error->zip_err == ZIP_ER_MEMORY ||
           (error->zip_err == ZIP_ER_ZLIB && error->sys_err == Z_MEM_ERROR);
}

static an_status fail_memory(const reader *r, const char *what, an_error *err) {
    return ani_fail(err, AN_ERR_NOMEM, "no memory for libzip to read %s of '%s'", what,
                    r->unzip->archive.path);
}

static void close_reader(reader *r) {
    if (!r) return;
    zip_discard(r->zip);
    zip_error_fini(&r->error);
    ani_free(r);
}

/* Compare what libzip says about a member with what was checked. */
static an_status compare(reader *r, int64_t index, an_error *err) {
    const ani_zip_member *member = &r->unzip->archive.members[index];
    const char *differs = NULL;
    char shown[ANI_SHOWN_NAME_SIZE];
    zip_stat_t stat;
    if (zip_stat_index(r->zip, (zip_uint64_t)index, ZIP_FL_ENC_RAW, &stat)) {
        differs = "existence";
    } else if (strcmp(stat.name, member->raw) != 0) {
        differs = "name";
    } else if (stat.size != (zip_uint64_t)member->size) {
        differs = "size";
    } else if (stat.comp_size != (zip_uint64_t)member->packed) {
        differs = "packed size";
    } else if (stat.comp_method != shown_method(member)) {
        differs = "method";
    } else if (stat.crc != member->crc) {
        differs = "CRC-32";
    } else if ((stat.encryption_method != ZIP_EM_NONE) != member->is_encrypted) {
        differs = "encryption";
    }
    if (!differs) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT,
                    "member '%s' of '%s': libzip and the check of the directory disagree on its %s",
                    ani_name_show(shown, member->name), r->unzip->archive.path, differs);
}

static an_status open_reader(reader **out, const ani_unzip *unzip, an_error *err) {
    *out = NULL;
    an_status st = AN_OK;
    zip_error_t error;
    zip_source_t *source = NULL;
    zip_error_init(&error);
    reader *r = ani_alloc(sizeof *r);
    if (!r) {
        st = ani_fail_memory(err, sizeof *r, "a reader of an archive");
        goto done;
    }
    memset(r, 0, offsetof(reader, buffer));
    r->unzip = unzip;
    r->entry_at = unzip->archive.data_end;
    zip_error_init(&r->error);
    if (has_memory()) source = zip_source_function_create(answer, r, &error);
    if (source && has_memory()) r->zip = zip_open_from_source(source, ZIP_RDONLY, &error);
    if (r->zip) {
        source = NULL; /* ownership passed on */
    } else if (is_memory(&error)) {
        st = fail_memory(r, "the directory", err);
        goto done;
    } else {
        st = ani_fail(err, AN_ERR_UNSUPPORTED, "archive '%s' cannot be opened by libzip: %s",
                      unzip->archive.path, zip_error_strerror(&error));
        goto done;
    }
    if (zip_get_num_entries(r->zip, 0) != unzip->archive.count) {
        st = ani_fail(err, AN_ERR_FORMAT,
                      "archive '%s' has %" PRId64 " members, of which libzip finds %" PRId64,
                      unzip->archive.path, unzip->archive.count,
                      (int64_t)zip_get_num_entries(r->zip, 0));
        goto done;
    }
    *out = r;
    r = NULL;
done:
    zip_source_free(source);
    close_reader(r);
    zip_error_fini(&error);
    return st;
}

/* Check the local header and find the data after it. The directory is trusted; the local header
 * only has to belong to the same member. */
static an_status find_data(int64_t *data, reader *r, const ani_zip_member *member,
                           const char *shown, an_error *err) {
    const int64_t name_size = (int64_t)strlen(member->raw);
    const int64_t size = ANI_ZIP_LOCAL_SIZE + name_size; /* all before limit: see set_limits() */
    const char *path = r->unzip->archive.path;
    an_status st = fill(r, member->offset);
    if (st) return ani_fail(err, st, "%s", r->fault.message);
    const uint8_t *header = r->buffer;
    if (ani_zip_get32(header) != ANI_ZIP_LOCAL || ani_zip_get16(header + 8) != member->method ||
        (ani_zip_get16(header + 6) & (ANI_ZIP_FLAG_ENCRYPTED | ANI_ZIP_FLAG_STRONG)) != 0 ||
        ani_zip_get16(header + 26) != name_size ||
        memcmp(header + ANI_ZIP_LOCAL_SIZE, member->raw, (size_t)name_size))
        return ani_fail(err, AN_ERR_FORMAT,
                        "member '%s' of '%s': its local header contradicts the directory", shown,
                        path);
    *data = member->offset + size + ani_zip_get16(header + 28);
    if (*data > member->limit || member->packed > member->limit - *data)
        return ani_fail(err, AN_ERR_FORMAT, "member '%s' of '%s' overlaps the data after it", shown,
                        path);
    return AN_OK;
}

/* Report why libzip could not continue to read a member; done bytes of it had been read. */
static an_status fail_read(const reader *r, const ani_zip_member *member, const char *shown,
                           int64_t done, zip_error_t *error, an_error *err) {
    const char *path = r->unzip->archive.path;
    const int code = zip_error_code_zip(error);
    if (r->fault.status) return ani_fail(err, r->fault.status, "%s", r->fault.message);
    if (is_memory(error)) return fail_memory(r, shown, err);
    if ((code == ZIP_ER_CRC || code == ZIP_ER_INCONS) && done != member->size)
        return ani_fail(err, AN_ERR_FORMAT,
                        "member '%s' of '%s' has %" PRId64 " bytes, but %" PRId64 " are declared",
                        shown, path, done, member->size);
    if (code == ZIP_ER_CRC)
        return ani_fail(err, AN_ERR_FORMAT,
                        "member '%s' of '%s' is damaged: its CRC-32 is not the declared %08" PRIx32,
                        shown, path, member->crc);
    return ani_fail(err, AN_ERR_FORMAT, "member '%s' of '%s' is damaged: %s", shown, path,
                    zip_error_strerror(error));
}

/* Unpack a member into content, which has room for size + 1 bytes: the last one reveals data longer
 * than declared. */
static an_status unpack(uint8_t *content, reader *r, int64_t index, int64_t data, const char *shown,
                        an_error *err) {
    const ani_zip_member *member = &r->unzip->archive.members[index];
    const char *path = r->unzip->archive.path;
    int64_t done = 0, part = 0;
    an_status st = AN_OK;
    zip_file_t *file = NULL;
    if (has_memory()) file = zip_fopen_index(r->zip, (zip_uint64_t)index, ZIP_FL_ENC_RAW);
    if (!file) return fail_read(r, member, shown, 0, zip_get_error(r->zip), err);
    do { /* until the end is reached, where libzip compares the CRC */
        const int64_t room = member->size + 1 - done;
        part = zip_fread(file, content + done, (zip_uint64_t)(room < READ_MOST ? room : READ_MOST));
        if (part > 0) done += part;
    } while (part > 0 && done <= member->size);
    if (part < 0)
        st = fail_read(r, member, shown, done, zip_file_get_error(file), err);
    else if (done > member->size)
        st = ani_fail(err, AN_ERR_FORMAT,
                      "member '%s' of '%s' is longer than the %" PRId64 " bytes declared", shown,
                      path, member->size);
    else if (done < member->size || (member->packed == 0 && member->crc != 0)) /* libzip: no CRC */
        st = fail_read(r, member, shown, done, &(zip_error_t){.zip_err = ZIP_ER_CRC}, err);
    else if (member->packed > 0 && r->reached < data + member->packed)
        st = ani_fail(err, AN_ERR_FORMAT,
                      "member '%s' of '%s' has %" PRId64 " bytes or more after the end of its data",
                      shown, path, data + member->packed - r->reached);
    zip_fclose(file);
    return st;
}

static an_status read_member(reader *r, int64_t index, uint8_t *content, const char *shown,
                             an_error *err) {
    const ani_zip_member *member = &r->unzip->archive.members[index];
    int64_t data = 0;
    r->fault.status = AN_OK;
    r->reached = member->offset;
    r->data_end = member->limit;
    an_status st = compare(r, index, err);
    if (!st) st = find_data(&data, r, member, shown, err);
    if (!st) st = unpack(content, r, index, data, shown, err);
    return st;
}

/* --- all readers ----------------------------------------------------------------------------- */

an_status ani_unzip_open(ani_unzip **out, const ani_unzip_archive *archive, an_error *err) {
    *out = NULL;
    an_status st = AN_OK;
    ani_unzip *unzip = ani_alloc_zero(1, sizeof *unzip);
    if (!unzip) return ani_fail_memory(err, sizeof *unzip, "readers of an archive");
    unzip->archive = *archive;
    unzip->maker = ani_process();
    unzip->readers_most =
        archive->count < ENTRIES_MOST / 2 ? ENTRIES_MOST / (archive->count + 1) : 1;
    pthread_mutex_init(&unzip->lock, NULL);
    pthread_cond_init(&unzip->given, NULL);
    for (int64_t i = 0; i < archive->count; i++)
        unzip->directory_size += entry_size(&archive->members[i]);
    st = open_reader(&unzip->idle, unzip, err);
    if (st) goto done;
    unzip->readers = 1;
    for (int64_t i = 0; i < archive->count && !st; i++)
        st = compare(unzip->idle, i, err);
    if (st) goto done;
    *out = unzip;
    unzip = NULL;
done:
    ani_unzip_close(unzip);
    return st;
}

void ani_unzip_close(ani_unzip *unzip) {
    if (!unzip) return;
    while (unzip->idle) {
        reader *r = unzip->idle;
        unzip->idle = r->next;
        close_reader(r);
    }
    /* In a child of fork() threads that are not there may wait for them: for ever. */
    if (unzip->maker == ani_process()) {
        pthread_cond_destroy(&unzip->given);
        pthread_mutex_destroy(&unzip->lock);
    }
    ani_free(unzip);
}

bool ani_unzip_knows(int32_t method) {
    return (method == ANI_ZIP_STORED || method == ANI_ZIP_DEFLATED || method == ANI_ZIP_BZIP2) &&
           zip_compression_method_supported(method, 0);
}

/* Take an idle reader, or a new one; wait if no more are allowed. In a child of fork(), the lock
 * may be held by a thread that does not exist there: the child gets a reader of its own. */
static an_status take_reader(reader **out, ani_unzip *unzip, an_error *err) {
    *out = NULL;
    if (unzip->maker != ani_process()) return open_reader(out, unzip, err);
    pthread_mutex_lock(&unzip->lock);
    while (!unzip->idle && unzip->readers == unzip->readers_most)
        pthread_cond_wait(&unzip->given, &unzip->lock);
    if (unzip->idle) {
        *out = unzip->idle;
        unzip->idle = (*out)->next;
    } else {
        unzip->readers++;
    }
    pthread_mutex_unlock(&unzip->lock);
    if (*out) return AN_OK;
    const an_status st = open_reader(out, unzip, err);
    if (!st) return AN_OK;
    pthread_mutex_lock(&unzip->lock);
    unzip->readers--;
    pthread_cond_signal(&unzip->given);
    pthread_mutex_unlock(&unzip->lock);
    return st;
}

/* Return a reader; failed: its zip_t may be in any state. */
static void give_reader(reader *r, ani_unzip *unzip, bool failed) {
    if (failed || unzip->maker != ani_process()) {
        close_reader(r);
        r = NULL;
    }
    if (unzip->maker != ani_process()) return;
    pthread_mutex_lock(&unzip->lock);
    if (r) {
        r->next = unzip->idle;
        unzip->idle = r;
    } else {
        unzip->readers--;
    }
    pthread_cond_signal(&unzip->given);
    pthread_mutex_unlock(&unzip->lock);
}

an_status ani_unzip_read(ani_unzip *unzip, int64_t index, uint8_t **bytes, int64_t *size,
                         an_error *err) {
    *bytes = NULL;
    *size = 0;
    const ani_zip_member *member = &unzip->archive.members[index];
    char shown[ANI_SHOWN_NAME_SIZE];
    reader *r = NULL;
    ani_name_show(shown, member->name);
    int64_t room = -1; /* with the zero byte */
    uint8_t *content = ani_add_size(member->size, 1, &room) ? ani_alloc(room) : NULL;
    if (!content) return ani_fail_memory(err, room, shown);
    an_status st = take_reader(&r, unzip, err);
    if (st) goto done;
    st = read_member(r, index, content, shown, err);
    give_reader(r, unzip, st != AN_OK);
    if (st) goto done;
    content[member->size] = 0;
    *bytes = content;
    *size = member->size;
    content = NULL;
done:
    ani_free(content);
    return st;
}
