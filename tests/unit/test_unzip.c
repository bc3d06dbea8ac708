/* SPDX-License-Identifier: MIT
 * io: members of archives as libzip unpacks them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zlib.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/memory.h"
#include "io/unzip.h"
#include "io/zip.h"
#include "support/archive.h"
#include "support/folder.h"
#include "support/sanitizers.h"
#include "support/test_folder.h"

static const struct archive good = {GOOD};

static ani_zip *open_good(void) {
    an_error err = {0};
    ani_zip *zip = NULL;
    if (ani_zip_open(&zip, archive_in(test_folder, &good), NULL, &err)) fail_msg("%s", err.message);
    return zip;
}

/* True if member index of a good archive reads as it was written. */
static bool reads_well(ani_zip *zip, int64_t index) {
    uint8_t *bytes = NULL;
    int64_t size = 0;
    if (ani_zip_read(zip, index, &bytes, &size, NULL)) return false;
    const bool well = size == good_entries[index].data_size &&
                      !memcmp(bytes, good_entries[index].data, (size_t)size);
    ani_free(bytes);
    return well;
}

/* Open an archive of one member and read that. */
static an_status read_one(const struct entry *entry, int32_t max_ratio, uint8_t **bytes,
                          int64_t *size, an_error *err) {
    an_extract_options caps;
    ani_zip *zip = NULL;
    an_extract_options_init(&caps, sizeof caps);
    caps.max_ratio = max_ratio;
    *bytes = NULL;
    an_status st = ani_zip_open(
        &zip, archive_in(test_folder, &(struct archive){.entries = entry, .count = 1}), &caps, err);
    if (!st) st = ani_zip_read(zip, 0, bytes, size, err);
    ani_zip_close(zip);
    return st;
}

/* --- methods --------------------------------------------------------------------------------- */

/* HELLO, and 3 MiB of zeros, by Python's bz2.compress(). */
static const uint8_t packed_hello[46] =
    "BZh91AY&SY\x80\xca\x28\x2b\0\0\x05\x11\0\x40\x04\x02\x44\xa0\0\x30\xc0\x04\x88\xc3\x55\x40"
    "\x7e\xa0\x50\x30\xbb\x92\x29\xc2\x84\x84\x06\x51\x41\x58";
static const uint8_t packed_zeros[48] =
    "BZh91AY&SY\x63\xf2\x4e\x9e\0\x18\x18\x50\0\xc0\0\0\x04\0\x08\x20\0\x30\xcc\x05\x29\xa6\x0a"
    "\x02\xd8\x85\x01\x78\xbb\x92\x29\xc2\x84\x83\x1f\x92\x74\xf0";

/* A member whose data is what bzip2 made of size bytes with this CRC. */
static struct entry bzip2_entry(const uint8_t *packed, int64_t packed_size, int64_t size,
                                uint32_t crc) {
    return (struct entry){.name = "a.jpg",
                          .method = 12,
                          .data = packed,
                          .data_size = packed_size,
                          .size_lie = size - packed_size,
                          .crc_flip = crc ^ (uint32_t)crc32_z(0, packed, (z_size_t)packed_size)};
}

static void bzip2_members_are_read(void **state) {
    (void)state;
    if (!ani_unzip_knows(12)) skip();
    static const char hello[] = "hello, hello, hello, hello";
    const uint32_t crc = (uint32_t)crc32_z(0, (const uint8_t *)hello, 26);
    struct entry entry = bzip2_entry(packed_hello, sizeof packed_hello, 26, crc);
    uint8_t *bytes;
    int64_t size;
    an_error err = {0};
    if (read_one(&entry, 200, &bytes, &size, &err)) fail_msg("%s", err.message);
    assert_int_equal(size, 26);
    assert_string_equal((const char *)bytes, hello);
    ani_free(bytes);
    entry.crc_flip ^= 1;
    assert_int_equal(read_one(&entry, 200, &bytes, &size, &err), AN_ERR_FORMAT);
    archive_expect(&err, "member 'a.jpg' of 'A.ZIP' is damaged: its CRC-32 is not the declared "
                         "7782a354");
    entry.crc_flip ^= 1;
    entry.packed_lie = -20;
    assert_int_equal(read_one(&entry, 200, &bytes, &size, &err), AN_ERR_FORMAT);
    assert_null(bytes);
    entry.packed_lie = 0;
    entry.size_lie--;
    assert_int_equal(read_one(&entry, 200, &bytes, &size, &err), AN_ERR_FORMAT);
    archive_expect(&err, "member 'a.jpg' of 'A.ZIP' is longer than the 25 bytes declared");
}

static void a_bomb_of_bzip2_is_refused_by_its_ratio(void **state) {
    (void)state;
    if (!ani_unzip_knows(12)) skip();
    enum { SIZE = 3 << 20 };
    uint8_t *zeros = calloc(1, SIZE), *bytes;
    int64_t size;
    an_error err = {0};
    const struct entry entry =
        bzip2_entry(packed_zeros, sizeof packed_zeros, SIZE, (uint32_t)crc32_z(0, zeros, SIZE));
    assert_int_equal(read_one(&entry, 200, &bytes, &size, &err), AN_ERR_UNSUPPORTED);
    archive_expect(&err, "member 'a.jpg' of 'A.ZIP' unpacks 48 bytes to 3145728; at most 200:1 is "
                         "allowed");
    /* Whoever allows it gets it: that deflate cannot do more than 1032:1 is no limit here. */
    if (read_one(&entry, 100000, &bytes, &size, &err)) fail_msg("%s", err.message);
    assert_int_equal(size, SIZE);
    assert_memory_equal(bytes, zeros, SIZE);
    ani_free(bytes);
    free(zeros);
}

static void a_member_without_bytes_has_a_crc(void **state) {
    (void)state;
    uint8_t *bytes;
    int64_t size;
    an_error err = {0};
    struct entry entry = {.name = "a.jpg", .data = "", .crc_flip = 1};
    assert_int_equal(read_one(&entry, 200, &bytes, &size, &err), AN_ERR_FORMAT);
    entry.deflate = true;
    assert_int_equal(read_one(&entry, 200, &bytes, &size, &err), AN_ERR_FORMAT);
    entry.crc_flip = 0;
    assert_int_equal(read_one(&entry, 200, &bytes, &size, &err), AN_OK);
    assert_int_equal(size, 0);
    ani_free(bytes);
}

/* --- what libzip is shown -------------------------------------------------------------------- */

/* An end record within a name, or in data, leads libzip nowhere. */
static void end_records_in_names_and_data_are_passed_over(void **state) {
    (void)state;
    struct bytes inner = archive_build(&good), trap = {0};
    bytes_add(&trap, "a\\", 2);
    for (int i = 0; i < 3; i++) {
        bytes_add_number(&trap, UINT64_C(0x06054b50), 4);
        for (int k = 0; k < 18; k++)
            bytes_add_number(&trap, 1, 1); /* NUL is refused in names */
    }
    bytes_add(&trap, ".jpg", 5);
    const struct entry entries[] = {
        {.name = (const char *)trap.data, HELLO, .deflate = true},
        {.name = "b.jpg", .data = inner.data, .data_size = inner.size},
        {.name = (const char *)trap.data, .data = inner.data, .data_size = inner.size}};
    an_error err = {0};
    ani_zip *zip = NULL;
    if (ani_zip_open(&zip,
                     archive_in(test_folder, &(struct archive){.entries = entries, .count = 3}),
                     NULL, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < 3; i++) {
        uint8_t *bytes = NULL;
        int64_t size = 0;
        if (ani_zip_read(zip, i, &bytes, &size, &err)) fail_msg("%s", err.message);
        assert_int_equal(size, entries[i].data_size);
        assert_memory_equal(bytes, entries[i].data, (size_t)size);
        ani_free(bytes);
    }
    ani_zip_close(zip);
    free(inner.data);
    free(trap.data);
}

/* Names as long as the format allows: entries and local headers just fit a reader's buffer. */
static void the_longest_names_are_read(void **state) {
    (void)state;
    enum { LONGEST = 65535 };
    char *names[3];
    struct entry entries[3];
    for (int i = 0; i < 3; i++) {
        names[i] = malloc(LONGEST + 1);
        memset(names[i], 'a' + i, LONGEST);
        names[i][LONGEST - i] = '\0';
        entries[i] = (struct entry){.name = names[i], HELLO, .deflate = i == 1, .zip64 = i == 2};
    }
    an_error err = {0};
    ani_zip *zip = NULL;
    if (ani_zip_open(&zip,
                     archive_in(test_folder, &(struct archive){.entries = entries, .count = 3}),
                     NULL, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < 3; i++) {
        uint8_t *bytes = NULL;
        int64_t size = 0;
        if (ani_zip_read(zip, i, &bytes, &size, &err)) fail_msg("%s", err.message);
        assert_int_equal(size, 26);
        ani_free(bytes);
        free(names[i]);
    }
    ani_zip_close(zip);
}

/* Members that no file of a test holds: libzip tells of each what it was told. */
static void values_of_64_bits_are_told_alike(void **state) {
    (void)state;
    static const int64_t values[] = {
        0, 1, UINT32_MAX - INT64_C(1), UINT32_MAX, UINT32_MAX + INT64_C(1), INT64_C(1) << 40};
    enum { VALUES = sizeof values / sizeof *values, COUNT = VALUES * VALUES * VALUES };
    ani_zip_member *members = calloc(COUNT, sizeof *members);
    for (int i = 0; i < COUNT; i++)
        members[i] = (ani_zip_member){.name = "a",
                                      .raw = "a",
                                      .size = values[i % VALUES],
                                      .packed = values[i / VALUES % VALUES],
                                      .offset = values[i / VALUES / VALUES],
                                      .crc = UINT32_MAX - (uint32_t)i,
                                      .method = 8,
                                      .is_encrypted = i % 7 == 0};
    an_error err = {0};
    ani_unzip *unzip = NULL;
    ani_file *file = NULL;
    assert_int_equal(ani_file_open(&file, archive_in(test_folder, &good), &err), AN_OK);
    ani_unzip_archive archive = {file, "a.zip", members, COUNT, INT64_C(1) << 41};
    if (ani_unzip_open(&unzip, &archive, &err)) fail_msg("%s", err.message);
    ani_unzip_close(unzip);
    members[5].method = 99; /* what libzip cannot be told is no member of it */
    members[5].is_encrypted = false;
    assert_int_equal(ani_unzip_open(&unzip, &archive, &err), AN_ERR_UNSUPPORTED);
    assert_null(unzip);
    ani_file_close(file);
    free(members);
}

/* --- readers --------------------------------------------------------------------------------- */

typedef struct shared {
    ani_unzip *unzip;
    int64_t count;
    atomic_bool busy; /* keep reading */
} shared;

/* A child of fork() may wait for ever in a sanitizer's allocator, if a thread of its parent held
 * its lock; glibc's allocator can be used there. */
enum { CHILD_CAN_ALLOCATE = !HAS_ASAN && !HAS_TSAN };

static void *read_often(void *user) {
    shared *s = user;
    for (int64_t i = 0; i < 300 || s->busy; i++) {
        uint8_t *bytes = NULL;
        int64_t size = 0;
        if (ani_unzip_read(s->unzip, i * 37 % s->count, &bytes, &size, NULL)) return s;
        const bool well = size == 26 && !memcmp(bytes, good_entries[1].data, 26);
        ani_free(bytes);
        if (!well) return s;
    }
    return NULL;
}

/* A child of fork() closes what threads of its parent wait for. */
static void a_child_closes(ani_unzip *unzip) {
    int code = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20); /* a deadlock ends the child, too */
        ani_unzip_close(unzip);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
}

/* With so many members there is one reader, and threads take turns. */
static void threads_wait_for_a_reader(void **state) {
    (void)state;
    enum { THREADS = 4, COUNT = 600000, CHILDREN = 5 };
    an_error err = {0};
    ani_zip *zip = open_good();
    ani_file *file = NULL;
    ani_zip_member *members = malloc(COUNT * sizeof *members);
    for (int i = 0; i < COUNT; i++)
        members[i] = *ani_zip_member_at(zip, 1);
    assert_int_equal(ani_file_open(&file, folder_path(test_folder, "a.zip"), &err), AN_OK);
    const ani_unzip_archive archive = {file, "a.zip", members, COUNT, ani_file_size(file)};
    shared s = {.count = COUNT, .busy = CHILD_CAN_ALLOCATE};
    if (ani_unzip_open(&s.unzip, &archive, &err)) fail_msg("%s", err.message);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, &s), 0);
    for (int i = 0; i < CHILDREN && s.busy; i++)
        a_child_closes(s.unzip);
    s.busy = false;
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    ani_unzip_close(s.unzip);
    ani_file_close(file);
    ani_zip_close(zip);
    free(members);
}

static void *read_in_circles(void *user) {
    ani_zip *zip = user;
    for (int i = 0; i < 3000; i++)
        if (!reads_well(zip, i % 6)) return zip;
    return NULL;
}

/* The child has no threads of its parent, which may have held a lock or a reader at the fork. */
static void a_child_of_fork_reads(void **state) {
    (void)state;
    if (!CHILD_CAN_ALLOCATE) skip();
    ani_zip *zip = open_good();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_in_circles, zip), 0);
    for (int i = 0; i < 20; i++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20); /* a deadlock ends the child, too */
            bool well = true;
            for (int k = 0; k < 6; k++)
                well = reads_well(zip, k) && well;
            _exit(well ? 0 : 1);
        }
        int code = 0;
        assert_int_equal(waitpid(child, &code, 0), child);
        assert_int_equal(code, 0);
    }
    void *failed;
    pthread_join(thread, &failed);
    assert_null(failed);
    ani_zip_close(zip);
}

static void a_failed_read_harms_no_other(void **state) {
    (void)state;
    static const int kinds[] = {ANI_FAULT_READ, ANI_FAULT_ALLOC};
    ani_zip *zip = open_good();
    for (int kind = 0; kind < 2; kind++) {
        int64_t n = 0;
        for (an_status st = AN_ERR_IO; st; n++) {
            uint8_t *bytes = NULL;
            int64_t size = 0;
            an_error err = {0};
            ani_fault_arm(kinds[kind], n, kind ? ENOMEM : EIO, false);
            st = ani_zip_read(zip, 1, &bytes, &size, &err);
            ani_fault_disarm();
            if (st) assert_int_equal(st, kind ? AN_ERR_NOMEM : AN_ERR_IO);
            assert_int_equal(bytes != NULL, st == AN_OK);
            ani_free(bytes);
            for (int i = 0; i < 6; i++)
                assert_true(reads_well(zip, i));
        }
        /* reading: header and data at once; memory: the member, a reader, its source, its zip_t
         * and the file */
        assert_true(n > (kind ? 2 : 1));
    }
    ani_zip_close(zip);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(bzip2_members_are_read),
        unit_test_in_folder(a_bomb_of_bzip2_is_refused_by_its_ratio),
        unit_test_in_folder(a_member_without_bytes_has_a_crc),
        unit_test_in_folder(end_records_in_names_and_data_are_passed_over),
        unit_test_in_folder(the_longest_names_are_read),
        unit_test_in_folder(values_of_64_bits_are_told_alike),
        unit_test_in_folder(threads_wait_for_a_reader),
        unit_test_in_folder(a_child_of_fork_reads),
        unit_test_in_folder(a_failed_read_harms_no_other),
    };
    return cmocka_run_group_tests_name("unzip", tests, NULL, NULL);
}
