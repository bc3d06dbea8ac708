/* SPDX-License-Identifier: MIT
 * io: zip archives read in place. Archives are written byte by byte, so that each field can lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/memory.h"
#include "io/zip.h"
#include "support/archive.h"
#include "support/folder.h"
#include "support/test_folder.h"

static const struct archive good = {GOOD};

/* --- reading --------------------------------------------------------------------------------- */

static void expect_good(const char *path) {
    an_error err = {0};
    ani_zip *zip = NULL;
    if (ani_zip_open(&zip, path, NULL, &err)) fail_msg("%s", err.message);
    assert_int_equal(ani_zip_count(zip), 6);
    assert_null(ani_zip_member_at(zip, 6));
    assert_null(ani_zip_member_at(zip, -1));
    for (int i = 0; i < 6; i++) {
        const struct entry *want = &good_entries[i];
        const ani_zip_member *member = ani_zip_member_at(zip, i);
        uint8_t *bytes;
        int64_t size;
        assert_string_equal(member->name, want->name);
        assert_string_equal(member->base,
                            strrchr(want->name, '/') ? strrchr(want->name, '/') + 1 : want->name);
        assert_int_equal(member->size, want->data_size);
        assert_int_equal(member->method, want->deflate ? 8 : 0);
        assert_false(member->is_special);
        assert_false(member->is_encrypted);
        assert_int_equal(ani_zip_find(zip, want->name), i);
        if (ani_zip_read(zip, i, &bytes, &size, &err)) fail_msg("%s", err.message);
        assert_int_equal(size, want->data_size);
        assert_memory_equal(bytes, want->data, (size_t)size);
        assert_int_equal(bytes[size], 0);
        ani_free(bytes);
    }
    assert_int_equal(ani_zip_find(zip, "a.jpg"), -1);
    ani_zip_close(zip);
}

static void members_are_listed_and_read(void **state) {
    (void)state;
    struct archive archive = good;
    expect_good(archive_in(test_folder, &archive));
    archive.comment = "a comment with PK\5\6 in it, followed by enough bytes for a record";
    expect_good(archive_in(test_folder, &archive));
    archive.prefix = "#!/bin/sh\n";
    expect_good(archive_in(test_folder, &archive));
    archive.zip64 = true;
    expect_good(archive_in(test_folder, &archive));
    archive.comment = archive.prefix = NULL;
    expect_good(archive_in(test_folder, &archive));
    archive.between = 100;
    expect_good(archive_in(test_folder, &archive));
}

static void zip64_fields_of_members_are_read(void **state) {
    (void)state;
    struct entry entries[6];
    memcpy(entries, good_entries, sizeof entries);
    for (int i = 0; i < 6; i++)
        entries[i].zip64 = true;
    expect_good(
        archive_in(test_folder, &(struct archive){.entries = entries, .count = 6, .zip64 = true}));
}

static void an_archive_without_members_opens(void **state) {
    (void)state;
    ani_zip *zip;
    an_error err;
    assert_int_equal(
        ani_zip_open(&zip, archive_in(test_folder, &(struct archive){.count = 0}), NULL, &err),
        AN_OK);
    assert_int_equal(ani_zip_count(zip), 0);
    uint8_t *bytes;
    int64_t size;
    assert_int_equal(ani_zip_read(zip, 0, &bytes, &size, &err), AN_ERR_ARG);
    archive_expect(&err, "archive 'A.ZIP' has no member 0; it has 0");
    ani_zip_close(zip);
}

struct open_case {
    struct archive archive;
    an_status status;
    const char *message;
};

#define ONE(...)                                                                                   \
    { .entries = (const struct entry[]){{__VA_ARGS__}}, .count = 1 }
#define PAIR(...)                                                                                  \
    .entries = (const struct entry[]){{.name = "x.jpg", HELLO}, {__VA_ARGS__}}, .count = 2

static void lies_of_the_directory_are_refused(void **state) {
    (void)state;
    const struct open_case cases[] = {
        {{GOOD, .trailer = "more"},
         AN_ERR_FORMAT,
         "'A.ZIP' is no zip archive, or it is cut off: no end record"},
        {{GOOD, .count_lie = 1},
         AN_ERR_FORMAT,
         "archive 'A.ZIP': entry 7 of 7 of its directory is damaged"},
        {{GOOD, .count_lie = -1},
         AN_ERR_FORMAT,
         "archive 'A.ZIP': its directory has 60 bytes after its 5 entries"},
        {{GOOD, .count_lie = 1000},
         AN_ERR_FORMAT,
         "archive 'A.ZIP': 1006 entries do not fit into a directory of 343 bytes"},
        {{GOOD, .size_lie = 100000},
         AN_ERR_FORMAT,
         "archive 'A.ZIP' is cut off: a directory of 100343 bytes at 280 does not fit before its "
         "end record at 623"},
        {{GOOD, .offset_lie = 1},
         AN_ERR_FORMAT,
         "archive 'A.ZIP' is cut off: a directory of 343 bytes at 281 does not fit before its end "
         "record at 623"},
        {{GOOD, .disk = 1}, AN_ERR_UNSUPPORTED, "archive 'A.ZIP' has more than one volume"},
        {{GOOD, .locator_only = true},
         AN_ERR_FORMAT,
         "archive 'A.ZIP' has no ZIP64 end record where it should be"},
        {{GOOD, .zip64 = true, .wide_lie = -1},
         AN_ERR_FORMAT,
         "archive 'A.ZIP' has an end record that contradicts itself"},
        {{GOOD, .zip64 = true, .wide_lie = INT64_MIN},
         AN_ERR_FORMAT,
         "archive 'A.ZIP' has an end record that contradicts itself"},
        {{GOOD, .comment = "xxxxPK\5\6................\1"}, AN_OK, NULL},
        {ONE(.name = "a\0b.jpg", .name_size = 7, HELLO), AN_ERR_FORMAT,
         "archive 'A.ZIP': the name of member 'a' goes on after a NUL byte"},
        {ONE(.name = "a.jpg", HELLO, .disk = 3), AN_ERR_UNSUPPORTED,
         "archive 'A.ZIP': member 'a.jpg' lies on another volume"},
        {ONE(.name = "a.jpg", HELLO, .packed_lie = 1), AN_ERR_FORMAT,
         "archive 'A.ZIP': member 'a.jpg' reaches past the end of the data"},
        {ONE(.name = "a.jpg", HELLO, .packed_lie = 100), AN_ERR_FORMAT,
         "archive 'A.ZIP': member 'a.jpg' lies outside the archive's data"},
        {ONE(.name = "a.jpg", HELLO, .offset_lie = 1000), AN_ERR_FORMAT,
         "archive 'A.ZIP': member 'a.jpg' lies outside the archive's data"},
        {ONE(.name = "a.jpg", HELLO, .zip64 = true, .offset_lie = INT64_MAX), AN_ERR_FORMAT,
         "archive 'A.ZIP': member 'a.jpg' lies outside the archive's data"},
        {ONE(.name = "a.jpg", HELLO, .zip64 = true, .size_lie = INT64_MIN), AN_ERR_FORMAT,
         "archive 'A.ZIP': member 'a.jpg' lies outside the archive's data"},
        {ONE(.name = "a.jpg", HELLO, .zip64 = true, .packed_lie = INT64_MIN), AN_ERR_FORMAT,
         "archive 'A.ZIP': member 'a.jpg' lies outside the archive's data"},
        {ONE(.name = "a.jpg", HELLO, .zip64 = true, .offset_lie = INT64_MIN), AN_ERR_FORMAT,
         "archive 'A.ZIP': member 'a.jpg' lies outside the archive's data"},
        {{.entries =
              (const struct entry[]){
                  {.name = "a.jpg", HELLO, .zip64 = true, .offset_lie = INT64_MAX}},
          .count = 1,
          .prefix = "before"},
         AN_ERR_FORMAT,
         "archive 'A.ZIP': member 'a.jpg' lies outside the archive's data"},
        {{PAIR(.name = "y\n.jpg", HELLO, .offset_lie = -61)},
         AN_ERR_FORMAT,
         "archive 'A.ZIP': members 'x.jpg' and 'y\\x0a.jpg' overlap"},
        {{PAIR(.name = "y.jpg", HELLO, .offset_lie = -1)},
         AN_ERR_FORMAT,
         "archive 'A.ZIP': members 'x.jpg' and 'y.jpg' overlap"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        an_error err = {0};
        ani_zip *zip = NULL;
        const an_status st =
            ani_zip_open(&zip, archive_in(test_folder, &cases[i].archive), NULL, &err);
        if (st != cases[i].status) fail_msg("case %zu: %s: %s", i, an_status_name(st), err.message);
        if (st) {
            assert_null(zip);
            archive_expect(&err, cases[i].message);
        }
        ani_zip_close(zip);
    }
}

/* One byte of the end records, or of a member's ZIP64 field, is another. */
static void bytes_of_zip64_that_lie(void **state) {
    (void)state;
    enum { END = 22, LOCATOR = 20, END64 = 56 };
    static const struct {
        int64_t from_end;
        uint8_t value;
        bool is_good;
    } cases[] = {
        {END - 4, 0xff, false}, /* the disk: as it is in the ZIP64 record ... */
        {END - 6, 0xff, false}, /* ... and the first one: half of such a marker */
        {END - 10, 6, false},   /* members: neither the marker nor the number */
        {END - 12, 6, false},   /* bytes of the directory */
        {END + LOCATOR + END64 - 16, 1, false},
        {END + LOCATOR + END64 - 20, 1, false},
        {END + LOCATOR + END64 - 24, 7, false},
        {END + LOCATOR + END64 - 4, 45, false}, /* size of the record */
        {END + LOCATOR + END64, 'Q', false},    /* its signature */
        {END + LOCATOR + END64 - 12, 0, true},  /* version made by: not looked at */
    };
    struct entry entries[6];
    memcpy(entries, good_entries, sizeof entries);
    for (int i = 0; i < 6; i++)
        entries[i].zip64 = true;
    const struct archive archive = {.entries = entries, .count = 6, .zip64 = true};
    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
        struct bytes bytes = archive_build(&archive);
        const char *path = folder_path(test_folder, "a.zip");
        an_error err = {0};
        ani_zip *zip = NULL;
        bool is_good = false;
        if (i < sizeof cases / sizeof *cases) {
            bytes.data[bytes.size - cases[i].from_end] = cases[i].value;
            is_good = cases[i].is_good;
        } else { /* a ZIP64 field of one value, where three are missing */
            for (int64_t k = 0; k + 4 < bytes.size; k++)
                if (!memcmp(bytes.data + k, "\1\0\x18\0", 4)) bytes.data[k + 2] = 8;
        }
        folder_write(path, bytes.data, bytes.size);
        free(bytes.data);
        const an_status st = ani_zip_open(&zip, path, NULL, &err);
        if (st != (is_good ? AN_OK : AN_ERR_FORMAT))
            fail_msg("case %zu: %s: %s", i, an_status_name(st), err.message);
        ani_zip_close(zip);
    }
    /* both disks may be marked as not fitting */
    struct bytes bytes = archive_build(&archive);
    memset(bytes.data + bytes.size - END + 4, 0xff, 4);
    folder_write(folder_path(test_folder, "a.zip"), bytes.data, bytes.size);
    free(bytes.data);
    expect_good(folder_path(test_folder, "a.zip"));
    an_extract_options caps;
    an_error err;
    ani_zip *zip;
    an_extract_options_init(&caps, sizeof caps);
    caps.struct_size = 0;
    assert_int_equal(ani_zip_open(&zip, "a.zip", &caps, &err), AN_ERR_ARG);
}

static void two_end_records_are_refused(void **state) {
    (void)state;
    struct bytes bytes = archive_build(&good), end = {0};
    bytes.data[bytes.size - 2] = 22; /* the comment is a second end record */
    bytes_add_number(&end, 0x06054b50, 4);
    bytes_add_number(&end, 0, 18);
    bytes_add(&bytes, end.data, end.size);
    const char *path = folder_path(test_folder, "a.zip");
    folder_write(path, bytes.data, bytes.size);
    free(bytes.data);
    free(end.data);
    an_error err;
    ani_zip *zip;
    assert_int_equal(ani_zip_open(&zip, path, NULL, &err), AN_ERR_FORMAT);
    archive_expect(&err, "archive 'A.ZIP' has two end records");
}

static void lies_of_members_are_refused(void **state) {
    (void)state;
    static uint8_t zeros[3 << 20];
    const struct open_case cases[] = {
        {ONE(.name = "a.jpg", HELLO, .crc_flip = 1), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' is damaged: CRC-32 is 7782a355, 7782a354 is declared"},
        {ONE(.name = "a.jpg", HELLO, .flags = 1), AN_ERR_UNSUPPORTED,
         "member 'a.jpg' of 'A.ZIP' is encrypted"},
        {ONE(.name = "a.jpg", HELLO, .method = 99), AN_ERR_UNSUPPORTED,
         "member 'a.jpg' of 'A.ZIP' is encrypted"},
        {ONE(.name = "a.jpg", HELLO, .method = 12), AN_ERR_UNSUPPORTED,
         "member 'a.jpg' of 'A.ZIP' is packed with method 12; only 0 (stored) and 8 (deflated) can "
         "be read"},
        {ONE(.name = "a.jpg", HELLO, .size_lie = 1), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' is stored, yet takes 26 bytes for 27"},
        {ONE(.name = "a.jpg", HELLO, .deflate = true, .size_lie = 1), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' has 26 bytes, but 27 are declared"},
        {ONE(.name = "a.jpg", HELLO, .deflate = true, .size_lie = -1), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' is longer than the 25 bytes declared"},
        {ONE(.name = "a.jpg", HELLO, .deflate = true, .packed_lie = -1), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' is damaged: its data ends too early"},
        {ONE(.name = "a.jpg", HELLO, .method = 8), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' is damaged: invalid stored block lengths"},
        {{.entries =
              (const struct entry[]){{.name = "a.jpg", HELLO, .deflate = true, .packed_lie = 5}},
          .count = 1,
          .between = 5},
         AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' has 5 bytes after the end of its data"},
        {ONE(.name = "a.jpg", HELLO, .local_name = "b.jpg"), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP': its local header contradicts the directory"},
        {ONE(.name = "a.jpg", HELLO, .offset_lie = -1), AN_ERR_FORMAT,
         NULL}, /* refused when opened */
        {ONE(.name = "a.jpg", .data = zeros, .data_size = sizeof zeros, .deflate = true),
         AN_ERR_UNSUPPORTED, NULL}, /* 3 MiB from 3 KiB: the message has numbers of zlib */
        {ONE(.name = "a.jpg", .data = zeros, .data_size = 1 << 20, .deflate = true), AN_OK, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        an_error err = {0};
        ani_zip *zip = NULL;
        uint8_t *bytes = NULL;
        int64_t size = 0;
        an_status st = ani_zip_open(&zip, archive_in(test_folder, &cases[i].archive), NULL, &err);
        if (!st) st = ani_zip_read(zip, 0, &bytes, &size, &err);
        if (st != cases[i].status) fail_msg("case %zu: %s: %s", i, an_status_name(st), err.message);
        if (st) assert_null(bytes);
        if (cases[i].message) archive_expect(&err, cases[i].message);
        ani_free(bytes);
        ani_zip_close(zip);
    }
}

static void a_large_member_is_read_in_chunks(void **state) {
    (void)state;
    enum { SIZE = 300000 };
    uint8_t *data = malloc(SIZE), *bytes = NULL;
    uint32_t random = 1;
    for (int i = 0; i < SIZE; i++, random = random * 1664525 + 1013904223)
        data[i] = (uint8_t)(random >> 24);
    const struct entry entry = {.name = "a", .data = data, .data_size = SIZE, .deflate = true};
    int64_t size = 0;
    an_error err = {0};
    ani_zip *zip;
    if (ani_zip_open(&zip,
                     archive_in(test_folder, &(struct archive){.entries = &entry, .count = 1}),
                     NULL, &err) ||
        ani_zip_read(zip, 0, &bytes, &size, &err))
        fail_msg("%s", err.message);
    assert_int_equal(size, SIZE);
    assert_memory_equal(bytes, data, SIZE);
    ani_free(bytes);
    ani_zip_close(zip);
    free(data);
}

/* What is written in spite of a changed byte is still what the archive's CRC says. */
static void changed_bytes_never_give_half_files(void **state) {
    (void)state;
    const uint8_t changes[] = {0x01, 0x80, 0xff};
    struct bytes bytes = archive_build(&good);
    for (int64_t at = 0; at < bytes.size; at++)
        for (size_t i = 0; i < sizeof changes; i++) {
            an_error err = {0};
            ani_zip *zip = NULL;
            const char *path = folder_path(test_folder, "bad.zip");
            bytes.data[at] ^= changes[i];
            folder_write(path, bytes.data, bytes.size);
            if (!ani_zip_open(&zip, path, NULL, &err))
                for (int64_t k = 0; k < ani_zip_count(zip); k++) {
                    uint8_t *content;
                    int64_t size;
                    if (ani_zip_read(zip, k, &content, &size, &err)) continue;
                    const ani_zip_member *member = ani_zip_member_at(zip, k);
                    assert_int_equal(size, member->size);
                    assert_int_equal(crc32_z(0, content, (z_size_t)size), member->crc);
                    ani_free(content);
                }
            ani_zip_close(zip);
            bytes.data[at] ^= changes[i];
        }
    free(bytes.data);
}

/* --- threads --------------------------------------------------------------------------------- */

static void *read_all(void *user) {
    ani_zip *zip = user;
    for (int round = 0; round < 200; round++)
        for (int64_t i = 0; i < ani_zip_count(zip); i++) {
            uint8_t *bytes;
            int64_t size;
            if (ani_zip_read(zip, i, &bytes, &size, NULL)) return zip;
            const int wrong = memcmp(bytes, good_entries[i].data, (size_t)size);
            ani_free(bytes);
            if (wrong) return zip;
        }
    return NULL;
}

static void threads_read_at_the_same_time(void **state) {
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    ani_zip *zip;
    an_error err;
    assert_int_equal(ani_zip_open(&zip, archive_in(test_folder, &good), NULL, &err), AN_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, zip), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    ani_zip_close(zip);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(members_are_listed_and_read),
        unit_test_in_folder(zip64_fields_of_members_are_read),
        unit_test_in_folder(an_archive_without_members_opens),
        unit_test_in_folder(lies_of_the_directory_are_refused),
        unit_test_in_folder(bytes_of_zip64_that_lie),
        unit_test_in_folder(two_end_records_are_refused),
        unit_test_in_folder(lies_of_members_are_refused),
        unit_test_in_folder(a_large_member_is_read_in_chunks),
        unit_test_in_folder(changed_bytes_never_give_half_files),
        unit_test_in_folder(threads_read_at_the_same_time),
    };
    return cmocka_run_group_tests_name("zip", tests, NULL, NULL);
}
