/* SPDX-License-Identifier: MIT
 * Seeds: archives by libzip, and one with what it does not write. */
#include <stdio.h>
#include <stdlib.h>

#include <zip.h>
#include <zlib.h>

#include "corpus.h"
#include "support/archive.h"

static zip_t *begin(zip_source_t **source) {
    zip_error_t error;
    zip_error_init(&error);
    *source = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *zip = *source ? zip_open_from_source(*source, ZIP_TRUNCATE, &error) : NULL;
    corpus_need(zip != NULL, "libzip");
    zip_source_keep(*source);
    return zip;
}

static void packed_member(zip_t *zip, const char *name, const void *bytes, int64_t size,
                          int32_t method) {
    zip_source_t *source = zip_source_buffer(zip, bytes, (zip_uint64_t)size, 0);
    const zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
    corpus_need(index >= 0, "libzip member");
    corpus_need(!zip_set_file_compression(zip, (zip_uint64_t)index, method, 0), "libzip method");
    zip_file_set_mtime(zip, (zip_uint64_t)index, 1600000000, 0);
}

static void member(zip_t *zip, const char *name, const void *bytes, int64_t size, bool deflated) {
    packed_member(zip, name, bytes, size, deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE);
}

static uint8_t *end(zip_t *zip, zip_source_t *source, int64_t *size) {
    zip_stat_t stat;
    corpus_need(!zip_close(zip) && !zip_source_open(source) && !zip_source_stat(source, &stat),
                "libzip end");
    *size = (int64_t)stat.size;
    uint8_t *bytes = malloc((size_t)*size);
    corpus_need(bytes && zip_source_read(source, bytes, stat.size) == *size, "libzip read");
    zip_source_close(source);
    zip_source_free(source);
    return bytes;
}

uint8_t *corpus_archive(const char *const *names, const uint8_t *const *contents,
                        const int64_t *sizes, int count, int64_t *size) {
    zip_source_t *source;
    zip_t *zip = begin(&source);
    for (int i = 0; i < count; i++)
        member(zip, names[i], contents[i], sizes[i], i % 2 == 0);
    return end(zip, source, size);
}

static void add_archive(corpus *all, const char *name, zip_t *zip, zip_source_t *source,
                        bool is_good) {
    int64_t size;
    uint8_t *bytes = end(zip, source, &size);
    corpus_add(all, name, bytes, size, is_good);
    free(bytes);
}

static void made_by_libzip(corpus *all) {
    static const char labels[] = "a.jpg 3.5\nb.jpg 2.25\nc.jpg 1\n";
    static uint8_t noise[600], zeros[100000];
    zip_source_t *source;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 37 + i / 7);

    zip_t *zip = begin(&source);
    member(zip, "Images/a.jpg", noise, 100, true);
    member(zip, "Images/b.jpg", noise, 300, false);
    member(zip, "c.jpg", zeros, 5000, true);
    member(zip, "All_labels.txt", labels, sizeof labels - 1, true);
    member(zip, "readme.txt", labels, 10, false);
    zip_dir_add(zip, "Images", ZIP_FL_ENC_UTF_8);
    add_archive(all, "tutorial.zip", zip, source, true);

    zip = begin(&source);
    member(zip, "../up.jpg", noise, 20, false);
    member(zip, "/root.jpg", noise, 20, false);
    member(zip, "C:\\drive.jpg", noise, 20, false);
    member(zip, "x/.jpg", noise, 20, false);
    member(zip, "x/same.jpg", noise, 20, false);
    member(zip, "y/same.jpg", noise, 20, false);
    member(zip, "b\xc3\xa4r.jpg", noise, 20, false);
    add_archive(all, "names.zip", zip, source, false);

    zip = begin(&source);
    member(zip, "ratio.jpg", zeros, sizeof zeros, true);
    member(zip, "empty.jpg", noise, 0, false);
    zip_set_archive_comment(zip, "a comment PK\5\6 in the end record", 33);
    add_archive(all, "comment.zip", zip, source, true);

    if (zip_compression_method_supported(ZIP_CM_BZIP2, 1)) {
        zip = begin(&source);
        packed_member(zip, "a.jpg", noise, sizeof noise, ZIP_CM_BZIP2);
        packed_member(zip, "zeros.jpg", zeros, sizeof zeros, ZIP_CM_BZIP2);
        packed_member(zip, "All_labels.txt", labels, sizeof labels - 1, ZIP_CM_BZIP2);
        add_archive(all, "bzip2.zip", zip, source, true);
    }

    zip = begin(&source);
    member(zip, "secret.jpg", noise, 50, true);
    zip_file_set_encryption(zip, 0, ZIP_EM_AES_256, "12345");
    add_archive(all, "encrypted.zip", zip, source, false);

    zip = begin(&source);
    member(zip, "link.jpg", "b.jpg", 5, false);
    zip_file_set_external_attributes(zip, 0, 0, ZIP_OPSYS_UNIX, UINT32_C(0120777) << 16);
    add_archive(all, "link.zip", zip, source, false);

    zip = begin(&source);
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "many/%02d.jpg", i);
        member(zip, name, noise + i, i, i % 2 == 0);
    }
    add_archive(all, "many.zip", zip, source, true);
}

static void add_made(corpus *all, const char *name, const struct archive *archive) {
    struct bytes made = archive_build(archive);
    corpus_add(all, name, made.data, made.size, true);
    free(made.data);
}

/* What libzip does not write: a member with a data descriptor behind it, 64-bit numbers everywhere.
 */
static void add_zip64(corpus *all) {
    static const struct entry entries[] = {
        {.name = "big.jpg", HELLO, .zip64 = true, .descriptor = true}};
    add_made(all, "zip64.zip", &(struct archive){.entries = entries, .count = 1, .zip64 = true});
}

/* Names as older tools have them, with labels in the same encodings; bytes around the archive; an
 * archive in it. */
static void add_other_systems(corpus *all) {
    static const char labels[] = "caf\202.jpg 1\nb.jpg 2\n\321\325.jpg 3\n\351\242\234.jpg 4\n";
    static const uint8_t field[] = "\x75\x70\x0c\0\1CRC_\351\242\234.jpg"; /* 0x7075 */
    static const char raw[] = "D/x\326\265.jpg";
    struct bytes path = {0}, inner;
    bytes_add(&path, field, sizeof field - 1);
    const uint32_t crc = (uint32_t)crc32_z(0, (const uint8_t *)raw, sizeof raw - 1);
    for (int i = 0; i < 4; i++)
        path.data[5 + i] = (uint8_t)(crc >> 8 * i);
    const struct entry entries[] = {
        {.name = "D\\Images\\", .data = "", .host = ON_FAT},
        {.name = "D\\Images\\caf\202.jpg", HELLO, .deflate = true, .host = ON_FAT},
        {.name = "D/Images\\b.jpg", .data = "2", .data_size = 1, .host = ON_NTFS},
        {.name = "D/\321\325.jpg", .data = "3", .data_size = 1},
        {.name = raw, .data = "4", .data_size = 1, .extra = path.data, .extra_size = path.size},
        {.name = "D\\All_labels.txt",
         .data = labels,
         .data_size = sizeof labels - 1,
         .deflate = true,
         .host = ON_FAT},
    };
    const struct archive archive = {
        .entries = entries, .count = 6, .prefix = "#!/bin/sh\n", .trailer = "\r\n"};
    add_made(all, "systems.zip", &archive);
    inner = archive_build(&archive);
    const struct entry outer[] = {
        {.name = "a.jpg", HELLO},
        {.name = "inner.zip", .data = inner.data, .data_size = inner.size}};
    add_made(all, "inner.zip", &(struct archive){.entries = outer, .count = 2});
    free(inner.data);
    free(path.data);
}

void corpus_zip(corpus *all) {
    made_by_libzip(all);
    add_zip64(all);
    add_other_systems(all);
    corpus_add(all, "empty", "", 0, false);
}
