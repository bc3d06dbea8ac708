/* SPDX-License-Identifier: MIT
 * io: zip archives read in place. Archives are written byte by byte, so that each field can lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "io/encoding.h"
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
        {{GOOD, .count_lie = 1},
         AN_ERR_FORMAT,
         "archive 'A.ZIP' has 6 members in its directory, its end record says 7"},
        {{GOOD, .count_lie = -1},
         AN_ERR_FORMAT,
         "archive 'A.ZIP' has 6 members in its directory, its end record says 5"},
        {{GOOD, .size_lie = -1},
         AN_ERR_FORMAT,
         "archive 'A.ZIP': entry 1 of its directory is damaged"},
        {{GOOD, .size_lie = 100000},
         AN_ERR_FORMAT,
         "archive 'A.ZIP' is truncated: a directory of 100343 bytes at 280 does not fit before its "
         "end record at 623"},
        {{GOOD, .offset_lie = 1},
         AN_ERR_FORMAT,
         "archive 'A.ZIP' is truncated: a directory of 343 bytes at 281 does not fit before its "
         "end "
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
         "archive 'A.ZIP': the name of member 'a' continues after a NUL byte"},
        {ONE(.name = "a.jpg", HELLO, .disk = 3), AN_ERR_UNSUPPORTED,
         "archive 'A.ZIP': member 'a.jpg' is on another volume"},
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

/* Write bytes as an archive and open it; NULL with err if that fails. */
static ani_zip *open_bytes(const struct bytes *bytes, int64_t size, an_error *err) {
    const char *path = folder_path(test_folder, "a.zip");
    ani_zip *zip = NULL;
    folder_write(path, bytes->data, size);
    const an_status st = ani_zip_open(&zip, path, NULL, err);
    assert_int_equal(st, zip ? AN_OK : err->status);
    return zip;
}

static void expect_refused(const struct bytes *bytes, const char *message) {
    an_error err = {0};
    assert_null(open_bytes(bytes, bytes->size, &err));
    assert_int_equal(err.status, AN_ERR_FORMAT);
    archive_expect(&err, message);
}

/* --- what stands before and behind an archive ------------------------------------------------- */

static void bytes_behind_the_end_record_are_passed_over(void **state) {
    (void)state;
    static char zeros[65536]; /* a block of a medium */
    static const char *const trailers[] = {"\n", "\r\n", "more", " PK", "\x1a", "KP\5\6"};
    struct archive archive = good;
    for (size_t i = 0; i < sizeof trailers / sizeof *trailers; i++) {
        archive.trailer = trailers[i];
        expect_good(archive_in(test_folder, &archive));
    }
    archive.trailer = zeros;
    archive.trailer_size = 512;
    expect_good(archive_in(test_folder, &archive));
    archive.trailer_size = 65536;
    expect_good(archive_in(test_folder, &archive));
    archive.zip64 = true;
    archive.prefix = "#!/bin/sh\n";
    archive.comment = "a comment";
    archive.trailer_size = 65536 - 9; /* as far as Python's zipfile looks */
    expect_good(archive_in(test_folder, &archive));
    archive.trailer_size++;
    struct bytes bytes = archive_build(&archive);
    expect_refused(&bytes, "'A.ZIP' is not a zip archive, or is truncated: no end record");
    free(bytes.data);
}

static void a_comment_that_is_cut_off_is_passed_over(void **state) {
    (void)state;
    const struct archive archive = {GOOD, .comment = "a comment"};
    struct bytes bytes = archive_build(&archive);
    for (int cut = 1; cut <= 9; cut++) {
        folder_write(folder_path(test_folder, "a.zip"), bytes.data, bytes.size - cut);
        expect_good(folder_path(test_folder, "a.zip"));
    }
    free(bytes.data);
}

static void two_archives_in_one_file_are_refused(void **state) {
    (void)state;
    static const char two_ends[] = "archive 'A.ZIP' has two end records";
    static const char more[] = "archive 'A.ZIP' continues after its end record: it is truncated, "
                               "or two archives are in one file";
    const struct archive empty = {.count = 0};
    struct bytes one = archive_build(&good), none = archive_build(&empty), both = {0};
    bytes_add(&both, one.data, one.size);
    bytes_add(&both, one.data, one.size);
    expect_refused(&both, two_ends);
    bytes_add(&both, "\n", 1); /* neither end record reaches to the end of the file */
    expect_refused(&both, two_ends);
    both.size = one.size;
    bytes_add(&both, none.data, none.size);
    expect_refused(&both, two_ends);
    both.size = one.size;
    bytes_add(&both, "\n", 1);
    bytes_add(&both, none.data, none.size);
    expect_refused(&both, two_ends);
    for (int64_t size = 1; size < one.size; size++) { /* the second one is cut off */
        both.size = one.size;
        bytes_add(&both, one.data, size);
        expect_refused(&both, more);
    }
    free(one.data);
    free(none.data);
    free(both.data);
}

static void an_archive_is_a_member_of_an_archive(void **state) {
    (void)state;
    struct bytes inner = archive_build(&good);
    const struct entry entries[] = {
        {.name = "x.jpg", HELLO},
        {.name = "inner.zip", .data = inner.data, .data_size = inner.size}};
    an_error err = {0};
    struct bytes outer = archive_build(&(struct archive){.entries = entries, .count = 2});
    ani_zip *zip = open_bytes(&outer, outer.size, &err);
    if (!zip) fail_msg("%s", err.message);
    assert_int_equal(ani_zip_count(zip), 2);
    ani_zip_close(zip);
    /* Cut off, it does not pass for the inner one, but where nothing of it is left behind that. */
    const int64_t inner_end = outer.size - 22 - (46 + 5) - (46 + 9);
    for (int64_t size = 1; size < outer.size; size++) {
        zip = open_bytes(&outer, size, &err);
        assert_int_equal(zip != NULL, size == inner_end);
        ani_zip_close(zip);
    }
    free(inner.data);
    free(outer.data);
}

static void a_member_count_modulo_65536_is_read(void **state) {
    (void)state;
    enum { COUNT = 65536 + 6 };
    struct entry *entries = calloc(COUNT, sizeof *entries);
    char(*names)[16] = calloc(COUNT, sizeof *names);
    an_error err = {0};
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof *names, "%d.jpg", i);
        entries[i] = (struct entry){.name = names[i], .data = names[i], .data_size = 4};
    }
    struct archive archive = {.entries = entries, .count = COUNT};
    struct bytes bytes = archive_build(&archive);
    assert_int_equal(bytes.data[bytes.size - 12], 6); /* as the end record has it */
    assert_int_equal(bytes.data[bytes.size - 11], 0);
    ani_zip *zip = open_bytes(&bytes, bytes.size, &err);
    if (!zip) fail_msg("%s", err.message);
    assert_int_equal(ani_zip_count(zip), COUNT);
    uint8_t *content = NULL;
    int64_t size;
    assert_int_equal(ani_zip_read(zip, COUNT - 1, &content, &size, &err), AN_OK);
    assert_memory_equal(content, names[COUNT - 1], 4);
    ani_free(content);
    ani_zip_close(zip);

    an_extract_options caps; /* the limit is that of members, not of what the record says */
    an_extract_options_init(&caps, sizeof caps);
    caps.max_members = 65536;
    assert_int_equal(ani_zip_open(&zip, folder_path(test_folder, "a.zip"), &caps, &err),
                     AN_ERR_UNSUPPORTED);
    archive_expect(&err, "archive 'A.ZIP' has 65542 members; the limit is 65536");
    bytes.data[bytes.size - 12] = bytes.data[bytes.size - 14] = 7;
    expect_refused(&bytes,
                   "archive 'A.ZIP' has 65542 members in its directory, its end record says 7");
    free(bytes.data);
    archive.zip64 = true; /* a record of ZIP64 has room for the number */
    archive.count_lie = -65536;
    bytes = archive_build(&archive);
    expect_refused(&bytes,
                   "archive 'A.ZIP' has 65542 members in its directory, its end record says 6");
    free(bytes.data);
    free(entries);
    free(names);
}

enum { GIB = 1 << 30 };

/* Write a piece of a sparse file. */
static void write_at(FILE *file, int64_t at, const uint8_t *bytes, int64_t size) {
    assert_int_equal(fseeko(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, (size_t)size, file), size);
}

/* Two images with 6 GiB between them that take no room on the disk: offsets are modulo 2^32. */
static void an_archive_over_4_gib_without_zip64_is_read(void **state) {
    (void)state;
    enum { HEAD = 30 + 5 };
    const int64_t hole = INT64_C(3) * GIB - 1; /* in each of two members */
    const struct entry entries[] = {
        {.name = "a.jpg", HELLO},
        {.name = "1.mov", .data = "", .size_lie = hole, .packed_lie = hole},
        {.name = "2.mov", .data = "", .size_lie = hole, .packed_lie = hole, .offset_lie = hole},
        {.name = "b.jpg", HELLO, .offset_lie = 2 * hole},
    };
    struct archive archive = {.entries = entries, .count = 4};
    archive.offset_lie = (int32_t)(uint32_t)(2 * hole); /* of which the end record has 32 bits */
    struct bytes bytes = archive_build(&archive);
    const char *path = folder_path(test_folder, "a.zip");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    const int64_t second = HEAD + 26, third = second + HEAD, last = third + HEAD;
    write_at(file, 0, bytes.data, third);
    write_at(file, third + hole, bytes.data + third, HEAD);
    write_at(file, last + 2 * hole, bytes.data + last, bytes.size - last);
    fclose(file);
    an_error err = {0};
    ani_zip *zip = NULL;
    if (ani_zip_open(&zip, path, NULL, &err)) fail_msg("%s", err.message);
    for (int i = 0; i < 4; i += 3) {
        uint8_t *content = NULL;
        int64_t size;
        if (ani_zip_read(zip, i, &content, &size, &err)) fail_msg("%s", err.message);
        assert_int_equal(size, 26);
        ani_free(content);
    }
    assert_int_equal(ani_zip_member_at(zip, 3)->offset, last + 2 * hole);
    ani_zip_close(zip);

    path = folder_path(test_folder, "a.zip"); /* a member where the offset says, and 4 GiB behind */
    file = fopen(path, "r+b");
    assert_non_null(file);
    write_at(file, INT64_C(4) * GIB, (const uint8_t *)"PK\3\4", 4);
    fclose(file);
    assert_int_equal(ani_zip_open(&zip, path, NULL, &err), AN_ERR_FORMAT);
    archive_expect(&err,
                   "archive 'A.ZIP': its offsets may be modulo 2^32 or not, there are members "
                   "at both places");
    unlink(path);
    free(bytes.data);

    bytes = archive_build(&good); /* 4 GiB of other bytes before an archive are no such thing */
    path = folder_path(test_folder, "a.zip");
    file = fopen(path, "wb");
    assert_non_null(file);
    write_at(file, INT64_C(4) * GIB, bytes.data, bytes.size);
    fclose(file);
    expect_good(path);
    free(bytes.data);
}

/* --- names ----------------------------------------------------------------------------------- */

/* A field 0x7075; free the bytes. */
static struct bytes unicode_path(int version, const char *raw, uint32_t crc_flip, const char *text,
                                 int64_t size) {
    struct bytes field = {0};
    bytes_add_number(&field, 0x7075, 2);
    bytes_add_number(&field, (uint64_t)size + 5, 2);
    bytes_add_number(&field, (uint64_t)version, 1);
    bytes_add_number(&field, crc32_z(0, (const uint8_t *)raw, strlen(raw)) ^ crc_flip, 4);
    bytes_add(&field, text, size);
    return field;
}

static an_status open_one(ani_zip **zip, const struct entry *entry, const char *encoding,
                          an_error *err) {
    an_extract_options options;
    an_extract_options_init(&options, sizeof options);
    options.names_encoding = encoding;
    return ani_zip_open(zip,
                        archive_in(test_folder, &(struct archive){.entries = entry, .count = 1}),
                        &options, err);
}

/* The name of a member; NULL: the archive is refused with this message. */
static void expect_name(const struct entry *entry, const char *encoding, const char *name,
                        const char *raw_base, bool is_guessed, const char *message) {
    an_error err = {0};
    ani_zip *zip = NULL;
    const an_status st = open_one(&zip, entry, encoding, &err);
    if (!name) {
        assert_int_equal(st, AN_ERR_FORMAT);
        archive_expect(&err, message);
        return;
    }
    if (st) fail_msg("'%s': %s", name, err.message);
    const ani_zip_member *member = ani_zip_member_at(zip, 0);
    assert_string_equal(member->name, name);
    assert_string_equal(member->base, strrchr(name, '/') ? strrchr(name, '/') + 1 : name);
    assert_string_equal(member->raw, entry->name);
    assert_string_equal(member->raw_base, raw_base);
    assert_int_equal(member->is_guessed, is_guessed);
    assert_int_equal(ani_zip_find(zip, name), 0);
    uint8_t *bytes = NULL; /* the local header has the stored name */
    int64_t size;
    if (ani_zip_read(zip, 0, &bytes, &size, &err)) fail_msg("%s", err.message);
    ani_free(bytes);
    ani_zip_close(zip);
}

#define CAFE "caf\303\251.jpg"
#define BEAR "b\344r.jpg"

static void names_without_the_flag_are_utf8_or_cp437(void **state) {
    (void)state;
    const struct {
        const char *raw, *name;
        uint32_t flags;
        bool is_guessed;
    } cases[] = {
        {"d/caf\202.jpg", "d/" CAFE, 0, true},
        {"d/" CAFE, "d/" CAFE, 0, false},                       /* macOS, many tools */
        {"d/cafe\314\201.jpg", "d/cafe\314\201.jpg", 0, false}, /* another normal form is kept */
        {"d/" CAFE, "d/" CAFE, 0x800, false},
        {"d/caf\351.jpg", "d/caf\316\230.jpg", 0, true}, /* Latin-1, read as Python reads it */
        {"\321\325\326\265.jpg", "\342\225\244\342\225\222\342\225\223\342\225\241.jpg", 0, true},
        {"a\377", "a\302\240", 0, true},
        {"caf\202.jpg", "caf\202.jpg", 0x800, false}, /* a lie: not UTF-8 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_name(&(struct entry){.name = cases[i].raw, .flags = cases[i].flags, HELLO}, NULL,
                    cases[i].name, strrchr(cases[i].raw, '/') ? cases[i].raw + 2 : cases[i].raw,
                    cases[i].is_guessed, NULL);
    char all[129] = {0};
    ani_encoding dos = {0};
    ani_text back = {0};
    for (int i = 0; i < 128; i++)
        all[i] = (char)(128 + i);
    iconv_t converter = iconv_open("UTF-8", "CP437");
    assert_true(converter != (iconv_t)-1);
    char text[400] = {0}, *from = all, *to = text;
    size_t left = 128, room = sizeof text - 1;
    assert_int_equal(iconv(converter, &from, &left, &to, &room), 0);
    iconv_close(converter);
    expect_name(&(struct entry){.name = all, HELLO}, NULL, text, all, true, NULL);
    assert_true(ani_encoding_encode(&dos, &back, text, (int64_t)strlen(text)));
    assert_string_equal(back.bytes, all);
    assert_false(ani_encoding_encode(&dos, &back, "\351\242\234", 3)); /* not in CP437 */
    assert_false(ani_encoding_encode(&dos, &back, "\360\237\230\200", 4));
    assert_false(ani_encoding_encode(&dos, &back, "\351", 1));
    assert_string_equal(back.bytes, all);
    ani_text_clear(&back);
}

static void the_unicode_path_field_overrules_the_name(void **state) {
    (void)state;
    static const char raw[] = "d/" BEAR, name[] = "d/b\303\244r.jpg", guess[] = "d/b\316\243r.jpg";
    static const char other[] = "d/bar.jpg";
    const struct {
        int version;
        uint32_t crc_flip;
        const char *text;
        int64_t size;
        const char *name;
    } cases[] = {
        {1, 0, name, sizeof name - 1, name},
        {1, 1, name, sizeof name - 1, guess}, /* of another name, which was changed since */
        {2, 0, name, sizeof name - 1, guess},
        {1, 0, name, 0, guess},
        {1, 0, name, -1, guess},
        {1, 0, "d/b\344r.jpg", 9, guess},
        {1, 0, "d/b\0r.jpg", 8, guess},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes field = unicode_path(cases[i].version, raw, cases[i].crc_flip, cases[i].text,
                                          cases[i].size < 0 ? 0 : cases[i].size);
        if (cases[i].size < 0) field.size -= 3, field.data[2] = 2; /* too short for its head */
        struct entry entry = {.name = raw, HELLO, .extra = field.data, .extra_size = field.size};
        expect_name(&entry, NULL, cases[i].name, BEAR, cases[i].name == guess, NULL);
        entry.zip64 = true; /* among other fields */
        expect_name(&entry, NULL, cases[i].name, BEAR, cases[i].name == guess, NULL);
        free(field.data);
    }
    struct bytes fields = unicode_path(1, raw, 0, name, sizeof name - 1);
    struct bytes same = unicode_path(1, raw, 0, name, sizeof name - 1);
    struct bytes differs = unicode_path(1, raw, 0, other, sizeof other - 1);
    bytes_add(&fields, same.data, same.size);
    struct entry entry = {.name = raw, HELLO, .extra = fields.data, .extra_size = fields.size};
    expect_name(&entry, NULL, name, BEAR, false, NULL);
    expect_name(&entry, "GBK", name, BEAR, false, NULL);
    bytes_add(&fields, differs.data, differs.size);
    entry.extra = fields.data;
    entry.extra_size = fields.size;
    expect_name(&entry, NULL, NULL, NULL, false,
                "archive 'A.ZIP': member 'd/b\\xe4r.jpg' has two names in UTF-8");
    struct bytes flagged = unicode_path(1, name, 0, other, sizeof other - 1);
    entry = (struct entry){
        .name = name, HELLO, .extra = flagged.data, .extra_size = flagged.size, .flags = 0x800};
    expect_name(&entry, NULL, NULL, NULL, false,
                "archive 'A.ZIP': member 'd/b\303\244r.jpg' has two names in UTF-8");
    struct bytes lossy = unicode_path(1, "??.jpg", 0, name, sizeof name - 1);
    entry = (struct entry){.name = "??.jpg", HELLO, .extra = lossy.data, .extra_size = lossy.size};
    expect_name(&entry, NULL, name, "??.jpg", false, NULL);
    free(fields.data);
    free(same.data);
    free(differs.data);
    free(flagged.data);
    free(lossy.data);
}

static void names_are_read_in_the_encoding_that_is_given(void **state) {
    (void)state;
    const struct {
        const char *encoding, *raw, *name, *raw_base;
        int32_t host;
        uint32_t flags;
    } cases[] = {
        {"GBK", "\321\325\326\265.jpg", "\351\242\234\345\200\274.jpg", "\321\325\326\265.jpg", 0,
         0},
        {"CP1252", "d/caf\351.jpg", "d/" CAFE, "caf\351.jpg", 0, 0},
        {"CP932", "d\\\225\134.jpg", "d/\350\241\250.jpg", "\225\134.jpg", ON_FAT, 0},
        {"CP932", "\225\134\\a.jpg", "\350\241\250/a.jpg", "a.jpg", ON_FAT, 0},
        {"GBK", "\315\250.jpg", "\351\200\232.jpg", "\315\250.jpg", 0,
         0}, /* valid UTF-8 by chance */
        {"GBK", CAFE, CAFE, CAFE, 0, 0x800},
        {"GBK", "plain.jpg", "plain.jpg", "plain.jpg", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_name(
            &(struct entry){
                .name = cases[i].raw, .host = cases[i].host, .flags = cases[i].flags, HELLO},
            cases[i].encoding, cases[i].name, cases[i].raw_base, false, NULL);
    const struct entry gbk = {.name = "\321\325.jpg", HELLO}, cut = {.name = "a\321", HELLO};
    expect_name(&gbk, "UTF-8", NULL, NULL, false,
                "archive 'A.ZIP': the name of member '\\xd1\\xd5.jpg' is not valid in "
                "names_encoding");
    expect_name(&cut, "GBK", NULL, NULL, false,
                "archive 'A.ZIP': the name of member 'a\\xd1' is not valid in names_encoding");
    expect_name(&(struct entry){.name = "a+AAA-\200", HELLO}, "UTF-7", NULL, NULL, false,
                "archive 'A.ZIP': the name of member 'a+AAA-\\x80' is not valid in names_encoding");
    static const char *const unknown[] = {"no such encoding", "", "GBK//IGNORE"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        an_error err = {0};
        ani_zip *zip;
        char message[160];
        assert_int_equal(open_one(&zip, &gbk, unknown[i], &err), AN_ERR_ARG);
        snprintf(message, sizeof message,
                 "names_encoding is '%s', which iconv does not know; examples are GBK, BIG5, "
                 "CP932, CP1252",
                 unknown[i]);
        assert_string_equal(err.message, message);
    }
}

static void expect_outside(const struct entry *entry, bool is_outside) {
    an_error err;
    ani_zip *zip;
    assert_int_equal(open_one(&zip, entry, NULL, &err), AN_OK);
    assert_int_equal(ani_zip_member_at(zip, 0)->is_outside, is_outside);
    ani_zip_close(zip);
}

static void backslashes_part_folders_where_files_cannot_have_them(void **state) {
    (void)state;
    static const int32_t dos[] = {ON_FAT, ON_OS2, ON_NTFS, ON_NTFS_INFOZIP, ON_VFAT};
    static const char *const cases[][4] = {
        /* stored, as of DOS and Windows, raw last part, does it lead outside? */
        {"D\\Images\\a.jpg", "D/Images/a.jpg", "a.jpg"},
        {"D/Images\\a.jpg", "D/Images/a.jpg", "a.jpg"},
        {"D\\Images\\", "D/Images/", ""},
        {".\\a.jpg", "./a.jpg", "a.jpg"},
        {"D\\..a\\a.jpg", "D/..a/a.jpg", "a.jpg"},
        {"d\\\202.jpg", "d/\303\251.jpg", "\202.jpg"},
        /* maybe a character of two bytes */
        {"\225\\1.jpg", "\303\262\\1.jpg", "\225\\1.jpg"},
        {"..\\..\\a.jpg", "../../a.jpg", "a.jpg", "outside"},
        {"D\\..\\a.jpg", "D/../a.jpg", "a.jpg", "outside"},
        {"x/..\\a.jpg", "x/../a.jpg", "a.jpg", "outside"},
        {"a\\..", "a/..", "..", "outside"},
        {"C:\\a.jpg", "C:/a.jpg", "a.jpg", "outside"},
        {"c:a\\b.jpg", "c:a/b.jpg", "b.jpg", "outside"},
        {"\\a.jpg", "/a.jpg", "a.jpg", "outside"},
        {"\\\\server\\share\\a.jpg", "//server/share/a.jpg", "a.jpg", "outside"},
        {"/x\\a.jpg", "/x/a.jpg", "a.jpg", "outside"},
        {"../x/a.jpg", "../x/a.jpg", "a.jpg"}, /* taken by its base name, as Python does */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct entry entry = {.name = cases[i][0], HELLO};
        const bool is_guessed = !ani_is_ascii(cases[i][0]);
        for (size_t k = 0; k < sizeof dos / sizeof *dos; k++) {
            entry.host = dos[k];
            expect_name(&entry, NULL, cases[i][1], cases[i][2], is_guessed, NULL);
            expect_outside(&entry, cases[i][3] != NULL);
        }
        const char *slash = strrchr(cases[i][0], '/');
        if (is_guessed) continue;
        entry.host = i % 2 ? ON_UNIX : ON_MACOS; /* there a file may be called so */
        expect_name(&entry, NULL, cases[i][0], slash ? slash + 1 : cases[i][0], false, NULL);
        expect_outside(&entry, false);
    }
    expect_name(&(struct entry){.name = "\303\251\\a.jpg", .flags = 0x800, .host = ON_FAT, HELLO},
                NULL, "\303\251/a.jpg", "\303\251\\a.jpg", false, NULL);
}

/* --- the bytes of members -------------------------------------------------------------------- */

static void lies_of_members_are_refused(void **state) {
    (void)state;
    static uint8_t zeros[3 << 20];
    const struct open_case cases[] = {
        {ONE(.name = "a.jpg", HELLO, .crc_flip = 1), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' is damaged: its CRC-32 is not the declared 7782a354"},
        {ONE(.name = "a.jpg", HELLO, .flags = 1), AN_ERR_UNSUPPORTED,
         "member 'a.jpg' of 'A.ZIP' is encrypted"},
        {ONE(.name = "a.jpg", HELLO, .method = 99), AN_ERR_UNSUPPORTED,
         "member 'a.jpg' of 'A.ZIP' is encrypted"},
        {ONE(.name = "a.jpg", HELLO, .method = 14), AN_ERR_UNSUPPORTED,
         "member 'a.jpg' of 'A.ZIP' is compressed with method 14 (LZMA); stored, deflated and "
         "bzip2 "
         "members can be read"},
        {ONE(.name = "a.jpg", HELLO, .method = 97), AN_ERR_UNSUPPORTED,
         "member 'a.jpg' of 'A.ZIP' is compressed with method 97 (unknown here); stored, deflated "
         "and "
         "bzip2 members can be read"},
        {ONE(.name = "a.jpg", HELLO, .size_lie = 1), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' is stored, yet takes 26 bytes for 27"},
        {ONE(.name = "a.jpg", HELLO, .deflate = true, .size_lie = 1), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' has 26 bytes, but 27 are declared"},
        {ONE(.name = "a.jpg", HELLO, .deflate = true, .size_lie = -1), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' is longer than the 25 bytes declared"},
        {ONE(.name = "a.jpg", HELLO, .deflate = true, .packed_lie = -1), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' has 8 bytes, but 26 are declared"},
        {ONE(.name = "a.jpg", HELLO, .method = 8), AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' is damaged: Zlib error: data error"},
        {{.entries =
              (const struct entry[]){{.name = "a.jpg", HELLO, .deflate = true, .packed_lie = 5}},
          .count = 1,
          .between = 5},
         AN_OK,
         NULL}, /* libzip reads 8 KiB at a time, and does not tell how much of them it used */
        {{.entries =
              (const struct entry[]){
                  {.name = "a.jpg", HELLO, .deflate = true, .packed_lie = 20000}},
          .count = 1,
          .between = 20000},
         AN_ERR_FORMAT,
         "member 'a.jpg' of 'A.ZIP' has 11819 bytes or more after the end of its data"},
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
        unit_test_in_folder(bytes_behind_the_end_record_are_passed_over),
        unit_test_in_folder(a_comment_that_is_cut_off_is_passed_over),
        unit_test_in_folder(two_archives_in_one_file_are_refused),
        unit_test_in_folder(an_archive_is_a_member_of_an_archive),
        unit_test_in_folder(a_member_count_modulo_65536_is_read),
        unit_test_in_folder(an_archive_over_4_gib_without_zip64_is_read),
        unit_test_in_folder(names_without_the_flag_are_utf8_or_cp437),
        unit_test_in_folder(the_unicode_path_field_overrules_the_name),
        unit_test_in_folder(names_are_read_in_the_encoding_that_is_given),
        unit_test_in_folder(backslashes_part_folders_where_files_cannot_have_them),
        unit_test_in_folder(lies_of_members_are_refused),
        unit_test_in_folder(a_large_member_is_read_in_chunks),
        unit_test_in_folder(changed_bytes_never_give_half_files),
        unit_test_in_folder(threads_read_at_the_same_time),
    };
    return cmocka_run_group_tests_name("zip", tests, NULL, NULL);
}
