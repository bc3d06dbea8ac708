/* SPDX-License-Identifier: MIT
 * A writer of zip archives for tests. */
#include "support/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "support/folder.h"

const struct entry good_entries[6] = {
    {.name = "set/", .data = "", .mode = 040755},
    {.name = "set/a.jpg", HELLO, .deflate = true},
    {.name = "set/b.jpg", .data = "stored", .data_size = 6},
    {.name = "set/notes.txt", .data = "no", .data_size = 2},
    {.name = "set/deep/empty.jpg", .data = ""},
    {LABELS, .deflate = true},
};

/* Capacities are powers of two, so that appending many small pieces is cheap. */
static size_t room_for(int64_t size) {
    size_t room = 64;
    while (room < (size_t)size)
        room *= 2;
    return room;
}

void bytes_add(struct bytes *to, const void *data, int64_t size) {
    const size_t room = room_for(to->size + size);
    if (!to->data || room > room_for(to->size)) to->data = realloc(to->data, room);
    assert_non_null(to->data);
    if (size) memcpy(to->data + to->size, data, (size_t)size);
    to->size += size;
}

void bytes_add_number(struct bytes *to, uint64_t value, int size) {
    for (int i = 0; i < size; i++, value >>= 8)
        bytes_add(to, &(uint8_t){(uint8_t)value}, 1);
}

static struct bytes deflated(const void *data, int64_t size) {
    struct bytes packed = {malloc((size_t)size * 2 + 64), 0};
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)size;
    stream.next_out = packed.data;
    stream.avail_out = (uInt)size * 2 + 64;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.size = (int64_t)stream.total_out;
    deflateEnd(&stream);
    return packed;
}

struct bytes archive_build(const struct archive *archive) {
    struct bytes out = {0}, directory = {0};
    if (archive->prefix) bytes_add(&out, archive->prefix, (int64_t)strlen(archive->prefix));
    const int64_t shift = out.size;
    for (int i = 0; i < archive->count; i++) {
        const struct entry *e = &archive->entries[i];
        const int64_t name_size = e->name_size ? e->name_size : (int64_t)strlen(e->name);
        struct bytes packed = {0};
        if (e->deflate)
            packed = deflated(e->data, e->data_size);
        else
            bytes_add(&packed, e->data, e->data_size);
        const uint32_t crc = (uint32_t)crc32_z(0, e->data, (z_size_t)e->data_size) ^ e->crc_flip;
        const uint32_t method = e->method ? e->method : e->deflate ? 8 : 0;
        const uint64_t size = (uint64_t)(e->data_size + e->size_lie);
        const uint64_t packed_size = (uint64_t)(packed.size + e->packed_lie);
        const uint64_t offset = (uint64_t)(out.size - shift + e->offset_lie);
        const uint32_t flags = e->flags | (e->descriptor ? 8 : 0);
        const int wide = e->zip64 ? 8 : 4;
        bytes_add_number(&out, 0x04034b50, 4);
        bytes_add_number(&out, 20, 2);
        bytes_add_number(&out, flags, 2);
        bytes_add_number(&out, method, 2);
        bytes_add_number(&out, 0, 4);
        bytes_add_number(&out, e->descriptor ? 0 : crc, 4);
        bytes_add_number(&out, e->descriptor ? 0 : packed_size, 4);
        bytes_add_number(&out, e->descriptor ? 0 : size, 4);
        bytes_add_number(&out, (uint64_t)name_size, 2);
        bytes_add_number(&out, 0, 2);
        bytes_add(&out, e->local_name ? e->local_name : e->name, name_size);
        bytes_add(&out, packed.data, packed.size);
        free(packed.data);
        if (e->descriptor) {
            bytes_add_number(&out, 0x08074b50, 4);
            bytes_add_number(&out, crc, 4);
            bytes_add_number(&out, packed_size, wide);
            bytes_add_number(&out, size, wide);
        }

        bytes_add_number(&directory, 0x02014b50, 4);
        bytes_add_number(&directory, (uint64_t)(e->host ? e->host - 1 : 3) << 8 | 20, 2);
        bytes_add_number(&directory, 20, 2);
        bytes_add_number(&directory, flags, 2);
        bytes_add_number(&directory, method, 2);
        bytes_add_number(&directory, 0, 4);
        bytes_add_number(&directory, crc, 4);
        bytes_add_number(&directory, e->zip64 ? UINT32_MAX : packed_size, 4);
        bytes_add_number(&directory, e->zip64 ? UINT32_MAX : size, 4);
        bytes_add_number(&directory, (uint64_t)name_size, 2);
        bytes_add_number(&directory, (uint64_t)(e->extra_size + (e->zip64 ? 4 + 3 + 4 + 24 : 0)),
                         2);
        bytes_add_number(&directory, 0, 2);
        bytes_add_number(&directory, e->disk, 2);
        bytes_add_number(&directory, 0, 2);
        bytes_add_number(&directory, (uint64_t)(e->mode ? e->mode : 0100644) << 16, 4);
        bytes_add_number(&directory, e->zip64 ? UINT32_MAX : offset, 4);
        bytes_add(&directory, e->name, name_size);
        bytes_add(&directory, e->extra, e->extra_size);
        if (e->zip64) {
            bytes_add_number(&directory, 0x7777, 2); /* preceded by an unrelated extra field */
            bytes_add_number(&directory, 3, 2);
            bytes_add_number(&directory, 0, 3);
            bytes_add_number(&directory, 1, 2);
            bytes_add_number(&directory, 24, 2);
            bytes_add_number(&directory, size, 8);
            bytes_add_number(&directory, packed_size, 8);
            bytes_add_number(&directory, offset, 8);
        }
    }
    bytes_add_number(&out, 0, archive->between);
    const int64_t start = out.size - shift;
    bytes_add(&out, directory.data, directory.size);
    const uint64_t count = (uint64_t)(archive->count + archive->count_lie);
    const uint64_t size = (uint64_t)(directory.size + archive->size_lie);
    const uint64_t offset = (uint64_t)(start + archive->offset_lie);
    free(directory.data);
    if (archive->zip64 || archive->locator_only) {
        const int64_t at = out.size - shift;
        if (archive->zip64) {
            bytes_add_number(&out, 0x06064b50, 4);
            bytes_add_number(&out, 44, 8);
            bytes_add_number(&out, 45, 2);
            bytes_add_number(&out, 45, 2);
            bytes_add_number(&out, 0, 8);
            bytes_add_number(&out, count, 8);
            bytes_add_number(&out, count, 8);
            bytes_add_number(&out, size, 8);
            bytes_add_number(&out, offset + (uint64_t)archive->wide_lie, 8);
        }
        bytes_add_number(&out, 0x07064b50, 4);
        bytes_add_number(&out, 0, 4);
        bytes_add_number(&out, (uint64_t)at, 8);
        bytes_add_number(&out, 1, 4);
    }
    const int64_t comment_size = archive->comment ? (int64_t)strlen(archive->comment) : 0;
    bytes_add_number(&out, 0x06054b50, 4);
    bytes_add_number(&out, (uint64_t)archive->disk, 2);
    bytes_add_number(&out, (uint64_t)archive->disk, 2);
    bytes_add_number(&out, archive->zip64 ? UINT16_MAX : count, 2);
    bytes_add_number(&out, archive->zip64 ? UINT16_MAX : count, 2);
    bytes_add_number(&out, archive->zip64 ? UINT32_MAX : size, 4);
    bytes_add_number(&out, archive->zip64 ? UINT32_MAX : offset, 4);
    bytes_add_number(&out, (uint64_t)comment_size, 2);
    bytes_add(&out, archive->comment, comment_size);
    if (archive->trailer)
        bytes_add(&out, archive->trailer,
                  archive->trailer_size ? archive->trailer_size
                                        : (int64_t)strlen(archive->trailer));
    return out;
}

void archive_write(const struct archive *archive, const char *path) {
    struct bytes bytes = archive_build(archive);
    folder_write(path, bytes.data, bytes.size);
    free(bytes.data);
}

const char *archive_in(const char *folder, const struct archive *archive) {
    const char *path = folder_path(folder, "a.zip");
    archive_write(archive, path);
    return path;
}

static bool is_expected(const char *message, const char *expected) {
    const char *at = strstr(expected, "A.ZIP");
    if (!at) return !strcmp(message, expected);
    const size_t before = (size_t)(at - expected);
    if (strncmp(message, expected, before) != 0) return false;
    const char *path = strstr(message + before, "a.zip");
    return path && !strcmp(path + 5, at + 5);
}

void archive_expect(const an_error *err, const char *expected) {
    if (!is_expected(err->message, expected))
        fail_msg("'%s', expected '%s'", err->message, expected);
}
