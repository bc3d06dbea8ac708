/* SPDX-License-Identifier: MIT
 * Seeds: archives by libzip, and some by hand with what it does not write. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>
#include <zlib.h>

#include "corpus.h"

static void check(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "cannot make the corpus: %s\n", what);
    exit(2);
}

/* --- by libzip ---------------------------------------------------------------------------------
 */

static zip_t *begin(zip_source_t **source) {
    zip_error_t error;
    zip_error_init(&error);
    *source = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *zip = *source ? zip_open_from_source(*source, ZIP_TRUNCATE, &error) : NULL;
    check(zip != NULL, "libzip");
    zip_source_keep(*source);
    return zip;
}

static void member(zip_t *zip, const char *name, const void *bytes, int64_t size, bool deflated) {
    zip_source_t *source = zip_source_buffer(zip, bytes, (zip_uint64_t)size, 0);
    const zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
    check(index >= 0, "libzip member");
    check(!zip_set_file_compression(zip, (zip_uint64_t)index,
                                    deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0),
          "libzip method");
    zip_file_set_mtime(zip, (zip_uint64_t)index, 1600000000, 0);
}

static uint8_t *end(zip_t *zip, zip_source_t *source, int64_t *size) {
    zip_stat_t stat;
    check(!zip_close(zip) && !zip_source_open(source) && !zip_source_stat(source, &stat),
          "libzip end");
    *size = (int64_t)stat.size;
    uint8_t *bytes = malloc((size_t)*size);
    check(bytes && zip_source_read(source, bytes, stat.size) == *size, "libzip read");
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

/* --- by hand -----------------------------------------------------------------------------------
 */

typedef struct buffer {
    uint8_t bytes[4096];
    int64_t size;
} buffer;

static void put(buffer *b, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        b->bytes[b->size++] = (uint8_t)(value >> (8 * i));
}

static void put_text(buffer *b, const char *text) {
    const size_t size = strlen(text);
    memcpy(b->bytes + b->size, text, size);
    b->size += (int64_t)size;
}

/* One stored member with a data descriptor behind it (flag 8), all 64-bit fields in use. */
static void add_zip64(corpus *all) {
    static const char name[] = "big.jpg", content[] = "content of a member";
    const uint32_t crc = (uint32_t)crc32_z(0, (const uint8_t *)content, sizeof content - 1);
    const uint64_t size = sizeof content - 1;
    static buffer b;
    b.size = 0;
    put(&b, 0x04034b50, 4);
    put(&b, 45, 2);
    put(&b, 8, 2); /* descriptor */
    put(&b, 0, 2); /* stored */
    put(&b, 0, 4);
    put(&b, 0, 4); /* CRC and sizes follow the data */
    put(&b, UINT32_MAX, 4);
    put(&b, UINT32_MAX, 4);
    put(&b, sizeof name - 1, 2);
    put(&b, 20, 2);
    put_text(&b, name);
    put(&b, 1, 2);
    put(&b, 16, 2);
    put(&b, 0, 8);
    put(&b, 0, 8);
    put_text(&b, content);
    put(&b, 0x08074b50, 4);
    put(&b, crc, 4);
    put(&b, size, 8);
    put(&b, size, 8);
    const uint64_t directory = (uint64_t)b.size;
    put(&b, 0x02014b50, 4);
    put(&b, 3 << 8 | 45, 2);
    put(&b, 45, 2);
    put(&b, 8, 2);
    put(&b, 0, 2);
    put(&b, 0, 4);
    put(&b, crc, 4);
    put(&b, UINT32_MAX, 4);
    put(&b, UINT32_MAX, 4);
    put(&b, sizeof name - 1, 2);
    put(&b, 28, 2);
    put(&b, 0, 2);
    put(&b, UINT16_MAX, 2);
    put(&b, 0, 2);
    put(&b, UINT32_C(0100644) << 16, 4);
    put(&b, UINT32_MAX, 4);
    put_text(&b, name);
    put(&b, 1, 2);
    put(&b, 24, 2);
    put(&b, size, 8);
    put(&b, size, 8);
    put(&b, 0, 8);
    const uint64_t directory_size = (uint64_t)b.size - directory;
    const uint64_t end64 = (uint64_t)b.size;
    put(&b, 0x06064b50, 4);
    put(&b, 44, 8);
    put(&b, 45, 2);
    put(&b, 45, 2);
    put(&b, 0, 4);
    put(&b, 0, 4);
    put(&b, 1, 8);
    put(&b, 1, 8);
    put(&b, directory_size, 8);
    put(&b, directory, 8);
    put(&b, 0x07064b50, 4);
    put(&b, 0, 4);
    put(&b, end64, 8);
    put(&b, 1, 4);
    put(&b, 0x06054b50, 4);
    put(&b, 0, 4);
    put(&b, UINT16_MAX, 2);
    put(&b, UINT16_MAX, 2);
    put(&b, UINT32_MAX, 4);
    put(&b, UINT32_MAX, 4);
    put(&b, 0, 2);
    corpus_add(all, "zip64.zip", b.bytes, b.size, true);
}

void corpus_zip(corpus *all) {
    made_by_libzip(all);
    add_zip64(all);
    corpus_add(all, "empty", "", 0, false);
}
