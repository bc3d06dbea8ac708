/* SPDX-License-Identifier: MIT
 * Golden topic zip: archives give the files of zip/manifest.json, to the last bit, and each hostile
 * archive of zip/hostile.json ends as its "want" says, with nothing outside the target folder, no
 * file that is not whole, and little time and memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <attractivenet/io.h>

#include "base/clock.h"
#include "io/sha256.h"
#include "support/folder.h"
#include "support/golden.h"
#include "support/scratch.h"
#include "support/test_folder.h"

int golden_zip(void);

enum { HOSTILE_SECONDS = 10, HOSTILE_MEGABYTES = 300 };

static void hash_file(char text[65], int64_t *size, const char *path) {
    ani_sha256 sha;
    uint8_t *bytes = folder_read(path, size);
    ani_sha256_begin(&sha);
    ani_sha256_add(&sha, bytes, *size);
    ani_sha256_end(&sha, text);
    free(bytes);
}

static void expect_file(const char *path, const json_t *facts) {
    char sha[65];
    int64_t size;
    hash_file(sha, &size, path);
    const char *size_key = json_object_get(facts, "size") ? "size" : "bytes";
    assert_int_equal(size, json_integer_value(json_object_get(facts, size_key)));
    if (strcmp(sha, json_string_value(json_object_get(facts, "sha256"))) != 0)
        fail_msg("'%s' has another SHA-256 than expected", path);
}

static void archives_extract_to_the_manifest(void **state) {
    (void)state;
    const char *manifest_path = golden_path("zip/manifest.json");
    if (!manifest_path) skip();
    json_t *manifest = golden_json(manifest_path);
    const char *archive, *name;
    json_t *facts, *file;
    assert_true(json_object_size(manifest) > 0);
    json_object_foreach(manifest, archive, facts) {
        char relative[256];
        snprintf(relative, sizeof relative, "zip/%s", archive);
        const char *path = golden_path(relative);
        if (!path) fail_msg("'%s' is in the manifest, but not in the folder", archive);
        expect_file(path, facts);
        json_t *extracted = json_object_get(facts, "extracted");
        /* Python extracts Finder's files, too, and leaves endings that are not ".jpg": each of
         * these archives has an UPPER.JPG and an other.jpeg. */
        json_object_del(extracted, "._AF1.jpg");
        assert_true(json_object_size(extracted) > 0);
        const int64_t count = (int64_t)json_object_size(extracted) + 2;
        char *folder = strdup(folder_path(test_folder, archive));
        for (int round = 0; round < 2; round++) { /* the second finds all files there */
            an_error err = {0};
            an_extract_report report = {.struct_size = sizeof report};
            if (an_archive_extract(path, folder, NULL, &report, &err)) fail_msg("%s", err.message);
            assert_int_equal(report.written, round == 0 ? count : 0);
            assert_int_equal(report.present, round == 0 ? 0 : count);
            assert_int_equal(report.skipped, 0);
        }
        assert_int_equal(folder_count(folder), count);
        json_object_foreach(extracted, name, file) expect_file(folder_path(folder, name), file);
        free(folder);
    }
    json_decref(manifest);
}

/* Each file that was written is a plain one, and equals a member of its name as Python read it. */
struct visit {
    const char *folder;
    const json_t *members;
};

static void expect_whole_file(void *user, const char *name) {
    const struct visit *visit = user;
    const char *path = folder_path(visit->folder, name);
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    if (!S_ISREG(info.st_mode)) fail_msg("'%s' is not a plain file", path);
    if (!json_array_size(visit->members)) return; /* Python could not open it */
    char sha[65];
    int64_t size;
    hash_file(sha, &size, path);
    size_t i;
    const json_t *member;
    json_array_foreach(visit->members, i, member) {
        const json_t *known = json_object_get(member, "sha256");
        if (!strcmp(json_string_value(json_object_get(member, "basename")), name) && known &&
            !strcmp(json_string_value(known), sha))
            return;
    }
    fail_msg("'%s' is no whole member of the archive", path);
}

static void expect_hostile(const char *name, const json_t *facts, int32_t policy) {
    char relative[256];
    snprintf(relative, sizeof relative, "zip/hostile/%s", name);
    const char *path = golden_path(relative);
    if (!path) fail_msg("'%s' is in the list, but not in the folder", name);
    const char *want = json_string_value(json_object_get(facts, "want"));
    const json_t *members = json_object_get(json_object_get(facts, "python"), "members");
    char *folder = strdup(folder_path(test_folder, "target"));
    an_error err = {0};
    an_extract_options options;
    an_extract_options_init(&options, sizeof options);
    options.policy = policy;
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    const double start = ani_clock_seconds();
    const an_status st = an_archive_extract(path, folder, &options, NULL, &err);
    const double seconds = ani_clock_seconds() - start;
    getrusage(RUSAGE_SELF, &after);
    if (seconds > HOSTILE_SECONDS) fail_msg("%s: took %.1f s", name, seconds);
    if (after.ru_maxrss - before.ru_maxrss > HOSTILE_MEGABYTES * 1024L)
        fail_msg("%s: took %ld MB", name, (after.ru_maxrss - before.ru_maxrss) / 1024);
    if (st && !strcmp(want, "extract")) fail_msg("%s: %s", name, err.message);
    if (!st && !strcmp(want, "error")) fail_msg("%s: extracted, but it must be an error", name);
    if (st && !strstr(err.message, name)) fail_msg("'%s' does not name '%s'", err.message, name);
    assert_true(folder_count(test_folder) <= 1); /* nothing beside the target */
    struct visit visit = {.folder = folder, .members = members};
    if (folder_count(folder) > 0) folder_walk(folder, expect_whole_file, &visit);
    if (!strcmp(want, "extract")) assert_int_equal(folder_count(folder), json_array_size(members));
    free(folder);
    scratch_clear(test_folder);
}

static void hostile_archives_do_no_harm(void **state) {
    (void)state;
    const char *path = golden_path("zip/hostile.json");
    if (!path) skip();
    json_t *hostile = golden_json(path);
    const char *name;
    json_t *facts;
    assert_true(json_object_size(hostile) > 0);
    json_object_foreach(hostile, name, facts) {
        expect_hostile(name, facts, AN_POLICY_STRICT);
        expect_hostile(name, facts, AN_POLICY_SKIP);
    }
    json_decref(hostile);
}

int golden_zip(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(archives_extract_to_the_manifest),
        unit_test_in_folder(hostile_archives_do_no_harm),
    };
    return cmocka_run_group_tests_name("zip", tests, NULL, NULL);
}
