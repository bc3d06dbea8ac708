/* SPDX-License-Identifier: MIT
 * io: which members a data set takes, extraction, names from outside, SHA-256. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "io/members.h"
#include "io/sha256.h"
#include "support/archive.h"
#include "support/folder.h"
#include "support/scratch.h"
#include "support/test_folder.h"

static const struct archive good = {GOOD};

/* --- names ----------------------------------------------------------------------------------- */

static void names_are_judged(void **state) {
    (void)state;
    assert_string_equal(ani_name_fault("."), "is that of a folder");
    assert_string_equal(ani_name_fault(".."), "is that of a folder");
    char longest[ANI_NAME_MAX_BYTES + 2];
    memset(longest, 'n', sizeof longest);
    longest[ANI_NAME_MAX_BYTES] = 0;
    assert_null(ani_name_fault(longest));
    longest[ANI_NAME_MAX_BYTES] = 'n';
    longest[ANI_NAME_MAX_BYTES + 1] = 0;
    assert_string_equal(ani_name_fault(longest), "is longer than 200 bytes");
    assert_null(ani_name_fault("AF1.jpg"));
    assert_null(ani_name_fault("r\303\251sum\303\251 1.jpg"));
    assert_null(ani_name_fault("._AF1.jpg"));
    assert_string_equal(ani_name_fault(""), "is empty");
    assert_string_equal(ani_name_fault("a\n.jpg"), "has a control character");
    assert_string_equal(ani_name_fault("a\177.jpg"), "has a control character");
    assert_string_equal(ani_name_fault("..\\a.jpg"), "has a backslash");
    assert_string_equal(ani_name_fault("../a.jpg"), "has a slash");
    assert_string_equal(ani_name_fault("\351.jpg"), "is not valid UTF-8");
}

/* One rule for folders, archives and extraction. */
static void names_tell_what_a_file_is(void **state) {
    (void)state;
    static const struct {
        const char *path, *suffix;
        int kind;
    } cases[] = {
        {"a.jpg", NULL, ANI_NAME_IMAGE},
        {"IMG_1.JPG", NULL, ANI_NAME_IMAGE},
        {"x/y/a.Jpeg", NULL, ANI_NAME_IMAGE},
        {"a.jpe", NULL, ANI_NAME_IMAGE},
        {"a.JFIF", NULL, ANI_NAME_IMAGE},
        {"a.png", NULL, ANI_NAME_IMAGE},
        {"./a.png", NULL, ANI_NAME_IMAGE},
        {"../../a.png", NULL, ANI_NAME_IMAGE},
        {"a.b.jpg", NULL, ANI_NAME_IMAGE},
        {"a.webp", NULL, ANI_NAME_OTHER},
        {"a.jpg.txt", NULL, ANI_NAME_OTHER},
        {"ajpg", NULL, ANI_NAME_OTHER},
        {"jpg", NULL, ANI_NAME_OTHER},
        {"x/", NULL, ANI_NAME_OTHER},
        {"", NULL, ANI_NAME_OTHER},
        {"", "", ANI_NAME_OTHER},
        {"a.JPG", ".jpg", ANI_NAME_IMAGE},
        {"a.jpg", ".JPG", ANI_NAME_IMAGE},
        {"a.png", ".jpg", ANI_NAME_OTHER},
        {"a.jpeg", ".jpg", ANI_NAME_OTHER},
        {"a_face.png", "_face.png", ANI_NAME_IMAGE},
        {"a.jpg .png", ".jpg .png", ANI_NAME_IMAGE},
        {"jpg", "jpg", ANI_NAME_OTHER},
        {"a", "", ANI_NAME_IMAGE},
        {"All_labels.txt", NULL, ANI_NAME_LABELS},
        {"x/All_labels.txt", ".jpg", ANI_NAME_LABELS},
        {"all_labels.txt", NULL, ANI_NAME_OTHER},
        {".jpg", NULL, ANI_NAME_HIDDEN},
        {"._AF1.jpg", NULL, ANI_NAME_HIDDEN},
        {"x/.y/a.jpg", NULL, ANI_NAME_HIDDEN},
        {"...a/a.jpg", NULL, ANI_NAME_HIDDEN},
        {".thumbnails/a.jpg", NULL, ANI_NAME_HIDDEN},
        {".cache/All_labels.txt", NULL, ANI_NAME_HIDDEN},
        {"__MACOSX/x/a.jpg", NULL, ANI_NAME_HIDDEN},
        {"x/__macosx/a.jpg", NULL, ANI_NAME_HIDDEN},
        {"x/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", NULL, ANI_NAME_HIDDEN},
        {"$RECYCLE.BIN/a.jpg", NULL, ANI_NAME_HIDDEN},
        {"Thumbs.db", ".db", ANI_NAME_HIDDEN},
        {"__MACOSX.jpg", NULL, ANI_NAME_IMAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (ani_name_kind(cases[i].path, cases[i].suffix, "All_labels.txt") != cases[i].kind)
            fail_msg("'%s' is not of kind %d", cases[i].path, cases[i].kind);
    assert_int_equal(ani_name_kind("x/.labels", NULL, ".labels"), ANI_NAME_LABELS);
    assert_int_equal(ani_name_kind(".x/.labels", NULL, ".labels"), ANI_NAME_HIDDEN);
    assert_int_equal(ani_name_stem("a.b.JPEG", NULL), 3);
    assert_int_equal(ani_name_stem("a.txt", NULL), -1);
}

static void names_are_shown_so_that_a_message_can_hold_them(void **state) {
    (void)state;
    char shown[ANI_SHOWN_NAME_SIZE], name[400];
    assert_string_equal(ani_name_show(shown, ""), "");
    assert_string_equal(ani_name_show(shown, "a b.jpg"), "a b.jpg");
    assert_string_equal(ani_name_show(shown, "a\nb\177"), "a\\x0ab\\x7f");
    assert_string_equal(ani_name_show(shown, "\303\251"), "\303\251");
    assert_string_equal(ani_name_show(shown, "\351"), "\\xe9");
    for (int size = 95; size < 399; size++) {
        memset(name, 'x', sizeof name);
        memcpy(name + size - 5, "e.jpg", 6);
        ani_name_show(shown, name);
        const size_t length = strlen(shown);
        assert_true(length < sizeof shown);
        assert_string_equal(shown + length - 5, "e.jpg");
        assert_int_equal(size >= ANI_SHOWN_NAME_SIZE, !strncmp(shown, "...", 3));
        for (int i = 0; i + 1 < size - 5; i += 2)
            memcpy(name + i, "\303\251", 2); /* a character is not cut in two */
        if (size % 2 == 0) name[size - 6] = 'y';
        ani_name_show(shown, name);
        assert_true(strlen(shown) < sizeof shown);
        assert_null(strchr(shown, '\\'));
        memset(name, '\1', (size_t)size);
        ani_name_show(shown, name);
        assert_true(strlen(shown) < sizeof shown);
    }
}

/* --- choice and extraction ------------------------------------------------------------------- */

struct heard {
    int64_t count;
    int64_t stop_at; /* call that cancels; -1: none */
    char last[256];
    int64_t done, total;
};

static int32_t hear_warning(void *user, const an_warning *warning) {
    struct heard *heard = user;
    assert_int_equal(warning->code, AN_WARN_MEMBER_SKIPPED);
    assert_int_equal(warning->count, 1);
    snprintf(heard->last, sizeof heard->last, "%s", warning->message);
    return heard->count++ == heard->stop_at;
}

static int32_t hear_progress(void *user, const an_progress *progress) {
    struct heard *heard = user;
    assert_string_equal(progress->what, "members");
    assert_int_equal(progress->done, heard->done + 1);
    heard->done = progress->done;
    heard->total = progress->total;
    return heard->count++ == heard->stop_at;
}

static const struct entry doubtful_entries[] = {
    {.name = "set/a.jpg", HELLO},
    {.name = "set/a\nb.jpg", HELLO},
    {.name = "other/a.jpg", .data = "second", .data_size = 6},
    {.name = "link.jpg", HELLO, .mode = 0120777},
    {.name = "fifo.jpg", HELLO, .mode = 0010644},
    {.name = "x\\..\\c.jpg", HELLO},
    {.name = "../../d.jpg", HELLO},
    {LABELS},
};
static const struct archive doubtful = {.entries = doubtful_entries, .count = 8};

static void doubtful_members_are_refused_or_skipped(void **state) {
    (void)state;
    char *target = strdup(folder_path(test_folder, "target"));
    an_error err = {0};
    struct heard heard = {.stop_at = -1};
    an_extract_report report = {.struct_size = sizeof report};
    an_extract_options options;
    an_extract_options_init(&options, sizeof options);
    options.warn = hear_warning;
    options.warn_user = &heard;
    assert_int_equal(
        an_archive_extract(archive_in(test_folder, &doubtful), target, &options, &report, &err),
        AN_ERR_FORMAT);
    archive_expect(
        &err, "member 'set/a\\x0ab.jpg' of 'A.ZIP' is refused: its name has a control character");
    assert_int_equal(folder_count(target), 0);
    assert_int_equal(heard.count, 0);

    options.policy = AN_POLICY_SKIP;
    assert_int_equal(
        an_archive_extract(archive_in(test_folder, &doubtful), target, &options, &report, &err),
        AN_OK);
    assert_int_equal(heard.count, 5);
    assert_non_null(strstr(heard.last, "member 'other/a.jpg' of '"));
    assert_non_null(
        strstr(heard.last, "' is refused: 'set/a.jpg' has the same base name and different bytes"));
    assert_int_equal(report.written, 3);
    assert_int_equal(report.skipped, 5);
    assert_int_equal(report.ignored, 0);
    assert_int_equal(report.bytes, 26 + 26 + 16);
    assert_int_equal(folder_count(target), 3);
    int64_t size;
    uint8_t *bytes = folder_read(folder_path(target, "a.jpg"), &size);
    assert_int_equal(size, 26); /* the first of its name */
    free(bytes);
    assert_int_equal(folder_count(test_folder), 2); /* nothing beside the archive and the target */

    heard = (struct heard){.stop_at = 1};
    assert_int_equal(
        an_archive_extract(archive_in(test_folder, &doubtful), target, &options, NULL, &err),
        AN_ERR_CANCELLED);
    assert_string_equal(err.message, "the warning callback asked to stop");
    assert_int_equal(heard.count, 2);
    free(target);
}

/* --- names of other systems ------------------------------------------------------------------ */

static void names_of_other_systems_are_written_as_utf8(void **state) {
    (void)state;
    static const struct entry entries[] = {
        {.name = "D\\Images\\", .data = "", .host = ON_FAT},
        {.name = "D\\Images\\caf\202.jpg", HELLO, .host = ON_FAT},
        {.name = "D\\Images\\b.jpg", HELLO, .host = ON_NTFS},
        {.name = "D/\321\325.jpg", HELLO, .host = ON_MACOS},
        {.name = "D\\All_labels.txt", .data = "b.jpg 1\n", .data_size = 8, .host = ON_FAT}};
    static const char *const written[] = {"caf\303\251.jpg", "b.jpg",
                                          "\342\225\244\342\225\222.jpg", "All_labels.txt"};
    char *target = strdup(folder_path(test_folder, "target"));
    an_error err = {0};
    an_extract_report report = {.struct_size = sizeof report};
    const char *path = archive_in(test_folder, &(struct archive){.entries = entries, .count = 5});
    if (an_archive_extract(path, target, NULL, &report, &err)) fail_msg("%s", err.message);
    assert_int_equal(report.written, 4);
    assert_int_equal(folder_count(target), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(access(folder_path(target, written[i]), R_OK), 0);
    free(target);
}

static void names_of_other_systems_that_are_no_files_are_refused(void **state) {
    (void)state;
    static const struct {
        struct entry entries[2];
        const char *message;
    } cases[] = {
        {{{.name = "..\\..\\x.jpg", HELLO, .host = ON_FAT}},
         "its back-slashes lead out of the archive's folder"},
        {{{.name = "C:\\x.jpg", HELLO, .host = ON_NTFS}},
         "its back-slashes lead out of the archive's folder"},
        {{{.name = "\\\\server\\share\\x.jpg", HELLO, .host = ON_FAT}},
         "its back-slashes lead out of the archive's folder"},
        {{{.name = "d\\x.jpg", HELLO, .host = ON_UNIX}}, "its name has a backslash"},
        {{{.name = "\225\\1.jpg", HELLO, .host = ON_FAT}},
         "its name has a backslash (read as CP437: is it in names_encoding?)"},
        {{{.name = "caf\202.jpg", HELLO, .flags = 0x800}}, "its name is not valid UTF-8"},
        {{{.name = "x/caf\202.jpg", HELLO},
          {.name = "y/caf\303\251.jpg", .data = "2", .data_size = 1, .flags = 0x800}},
         "'x/caf\303\251.jpg' has the same base name and different bytes"},
        {{{.name = "x\\a.jpg", HELLO, .host = ON_FAT},
          {.name = "y/a.jpg", .data = "2", .data_size = 1}},
         "'x/a.jpg' has the same base name and different bytes"},
    };
    char *target = strdup(folder_path(test_folder, "target"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        an_error err = {0};
        const struct archive archive = {.entries = cases[i].entries,
                                        .count = cases[i].entries[1].name ? 2 : 1};
        assert_int_equal(
            an_archive_extract(archive_in(test_folder, &archive), target, NULL, NULL, &err),
            AN_ERR_FORMAT);
        const char *why = strstr(err.message, "is refused: ");
        if (!why || strcmp(why + 12, cases[i].message) != 0) fail_msg("%s", err.message);
        assert_int_equal(folder_count(target), 0);
    }
    free(target);
}

static void a_refused_member_does_not_hide_a_good_one(void **state) {
    (void)state;
    const struct entry entries[] = {{.name = "x/a.jpg", HELLO, .mode = 0120777},
                                    {.name = "y/a.jpg", .data = "plain", .data_size = 5}};
    ani_members members;
    ani_zip *zip;
    an_error err;
    an_extract_options options;
    an_extract_options_init(&options, sizeof options);
    options.policy = AN_POLICY_SKIP;
    const char *path = archive_in(test_folder, &(struct archive){.entries = entries, .count = 2});
    assert_int_equal(ani_zip_open(&zip, path, NULL, &err), AN_OK);
    assert_int_equal(ani_members_select(&members, zip, &options, false, &err), AN_OK);
    assert_int_equal(members.count, 1);
    assert_int_equal(members.index[0], 1);
    assert_int_equal(members.skipped, 1);
    assert_int_equal(members.bytes, 5);
    ani_members_clear(&members);
    ani_members_clear(&members);
    ani_zip_close(zip);
}

/* An archive that a Mac made of folders with copies in them. */
static void copies_and_hidden_members_are_passed_over(void **state) {
    (void)state;
    const struct entry entries[] = {
        {.name = "x/a.JPG", HELLO},
        {.name = "x/._a.JPG", .data = "Finder", .data_size = 6},
        {.name = "__MACOSX/x/._a.JPG", .data = "Finder", .data_size = 6},
        {.name = "__MACOSX/x/a.JPG", .data = "Finder", .data_size = 6},
        {.name = "y/a.JPG", HELLO, .deflate = true},
        {.name = "y/@eaDir/a.JPG", .data = "small", .data_size = 5},
        {.name = "x/b.png", .data = "b", .data_size = 1},
        {LABELS},
        {.name = "y/All_labels.txt", .data = "a.jpg 1\nb.jpg 2\n", .data_size = 16}};
    const char *path = archive_in(test_folder, &(struct archive){.entries = entries, .count = 9});
    char *target = strdup(folder_path(test_folder, "target"));
    an_error err;
    an_extract_report report = {.struct_size = sizeof report};
    if (an_archive_extract(path, target, NULL, &report, &err)) fail_msg("%s", err.message);
    assert_int_equal(report.written, 3);
    assert_int_equal(report.skipped, 0);
    assert_int_equal(report.ignored, 6);
    assert_int_equal(folder_count(target), 3);
    free(target);
}

static void nothing_to_take_is_an_error(void **state) {
    (void)state;
    an_error err;
    const struct entry entry = {.name = "x.txt", HELLO};
    const char *path = archive_in(test_folder, &(struct archive){.entries = &entry, .count = 1});
    assert_int_equal(an_archive_extract(path, test_folder, NULL, NULL, &err), AN_ERR_FORMAT);
    archive_expect(&err,
                   "archive 'A.ZIP' has no member that ends in '.jpg .jpeg .jpe .jfif .png' or is "
                   "called 'All_labels.txt' (1 members in all)");
    an_extract_options options;
    for (int i = 0; i < 2; i++) {
        static const char *const messages[] = {
            "an_extract_options: label_file is NULL",
            "an_extract_options: policy is 2; it must be 0 or 1"};
        an_extract_options_init(&options, sizeof options);
        if (i == 0) options.label_file = NULL;
        if (i == 1) options.policy = 2;
        assert_int_equal(an_archive_extract(path, test_folder, &options, NULL, &err), AN_ERR_ARG);
        assert_string_equal(err.message, messages[i]);
    }
    assert_int_equal(an_archive_extract(NULL, test_folder, NULL, NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "archive is NULL");
    assert_int_equal(an_archive_extract(path, NULL, NULL, NULL, NULL), AN_ERR_ARG);
    assert_int_equal(
        an_archive_extract(folder_path(test_folder, "none"), test_folder, NULL, NULL, &err),
        AN_ERR_IO);
    assert_non_null(strstr(err.message, "cannot open '"));
}

static void what_is_there_is_kept_and_what_is_damaged_replaced(void **state) {
    (void)state;
    char *target = strdup(folder_path(test_folder, "new/target"));
    an_error err = {0};
    an_extract_report report = {.struct_size = sizeof report};
    struct heard heard = {.stop_at = -1};
    an_extract_options options;
    an_extract_options_init(&options, sizeof options);
    options.progress = hear_progress;
    options.progress_user = &heard;
    const char *path = archive_in(test_folder, &good);
    if (an_archive_extract(path, target, &options, &report, &err)) fail_msg("%s", err.message);
    assert_int_equal(report.written, 4);
    assert_int_equal(report.ignored, 2);
    assert_int_equal(heard.done, 4);
    assert_int_equal(heard.total, 4);

    /* one file has other bytes, one another size, one is a link to a file outside */
    folder_write_text(folder_path(target, "a.jpg"), "HELLO, hello, hello, hello");
    folder_write_text(folder_path(target, "All_labels.txt"), "cut");
    folder_write_text(folder_path(test_folder, "outside"), "outside");
    unlink(folder_path(target, "b.jpg"));
    assert_int_equal(symlink("../../outside", folder_path(target, "b.jpg")), 0);
    heard = (struct heard){.stop_at = -1};
    path = archive_in(test_folder, &good);
    if (an_archive_extract(path, target, &options, &report, &err)) fail_msg("%s", err.message);
    assert_int_equal(report.written, 3);
    assert_int_equal(report.present, 1);
    struct stat info;
    assert_int_equal(lstat(folder_path(target, "b.jpg"), &info), 0);
    assert_true(S_ISREG(info.st_mode));
    int64_t size;
    uint8_t *bytes = folder_read(folder_path(test_folder, "outside"), &size);
    assert_string_equal((const char *)bytes, "outside"); /* not written through the link */
    free(bytes);
    bytes = folder_read(folder_path(target, "a.jpg"), &size);
    assert_string_equal((const char *)bytes, "hello, hello, hello, hello");
    free(bytes);

    heard = (struct heard){.stop_at = 1};
    assert_int_equal(an_archive_extract(path, target, &options, &report, &err), AN_ERR_CANCELLED);
    assert_int_equal(report.present, 2);
    free(target);
}

/* A data set must not be of two archives: what is of another one is found before anything is
 * written. */
static void a_folder_of_another_archive_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool is_folder, is_refused;
    } cases[] = {
        {"old.jpg", false, true},        {"OLD.PNG", false, true},
        {"A.jpg", false, true},          {"a.jpg", false, false},
        {"notes.txt", false, false},     {"Thumbs.db", false, false},
        {"._a.jpg", false, false},       {"old.jpg", true, false},
        {"a.jpg.1.2.tmp", false, false}, {"All_labels.txt", false, false},
    };
    char *target = strdup(folder_path(test_folder, "target"));
    an_extract_report report = {.struct_size = sizeof report};
    an_extract_options options;
    an_error err;
    an_extract_options_init(&options, sizeof options);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char place[4200], wanted[256];
        assert_int_equal(mkdir(target, 0777), 0);
        snprintf(place, sizeof place, "%s/%s", target, cases[i].name);
        if (cases[i].is_folder)
            assert_int_equal(mkdir(place, 0777), 0);
        else
            folder_write_text(place, "other");
        options.exact = 1;
        const char *path = archive_in(test_folder, &good);
        err = (an_error){0};
        const an_status st = an_archive_extract(path, target, &options, &report, &err);
        assert_int_equal(st, cases[i].is_refused ? AN_ERR_FORMAT : AN_OK);
        if (cases[i].is_refused) {
            snprintf(wanted, sizeof wanted,
                     "/target' or choose another folder: it contains 1 files that are not in the "
                     "archive, such as '%s'",
                     cases[i].name);
            if (!strstr(err.message, wanted)) fail_msg("%s", err.message);
            assert_int_equal(report.written, 0);
            assert_int_equal(folder_count(target), 1);
        }
        /* who does not ask for it may put several archives into one folder */
        options.exact = 0;
        if (an_archive_extract(path, target, &options, &report, &err)) fail_msg("%s", err.message);
        folder_remove(strdup(target));
    }
    options.exact = 2;
    assert_int_equal(an_archive_extract("x", "y", &options, &report, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "an_extract_options: exact is 2; it must be 0 or 1");
    free(target);
}

/* --- limits, damage, faults -------------------------------------------------------------- */

static void caps_hold(void **state) {
    (void)state;
    const struct {
        an_extract_options caps;
        const char *message;
        an_status status;
    } cases[] = {
        {{.max_members = 5}, "archive 'A.ZIP' has 6 members; the limit is 5", AN_ERR_UNSUPPORTED},
        {{.max_member_bytes = 25},
         "member 'set/a.jpg' of 'A.ZIP' has 26 bytes; the limit is 25",
         AN_ERR_UNSUPPORTED},
        {{.max_total_bytes = 31},
         "archive 'A.ZIP' unpacks to more than the limit of 31 bytes",
         AN_ERR_UNSUPPORTED},
        {{.max_members = -1},
         "an_extract_options: max_members is -1; it must be at least 1",
         AN_ERR_ARG},
        {{.max_member_bytes = -1},
         "an_extract_options: max_member_bytes is -1; it must be at least 1",
         AN_ERR_ARG},
        {{.max_total_bytes = -1},
         "an_extract_options: max_total_bytes is -1; it must be at least 1",
         AN_ERR_ARG},
        {{.max_ratio = -1},
         "an_extract_options: max_ratio is -1; it must be at least 1",
         AN_ERR_ARG},
        {{.policy = 2}, "an_extract_options: policy is 2; it must be 0 or 1", AN_ERR_ARG},
    };
    char *target = strdup(folder_path(test_folder, "target"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        an_error err = {0};
        an_extract_options options;
        an_extract_options_init(&options, sizeof options);
        const an_extract_options *caps = &cases[i].caps;
        options.policy = caps->policy;
        if (caps->max_members) options.max_members = caps->max_members;
        if (caps->max_member_bytes) options.max_member_bytes = caps->max_member_bytes;
        if (caps->max_total_bytes) options.max_total_bytes = caps->max_total_bytes;
        if (caps->max_ratio) options.max_ratio = caps->max_ratio;
        assert_int_equal(
            an_archive_extract(archive_in(test_folder, &good), target, &options, NULL, &err),
            cases[i].status);
        archive_expect(&err, cases[i].message);
        assert_int_equal(folder_count(target), 0);
    }
    free(target);
}

static void every_truncation_is_an_error(void **state) {
    (void)state;
    struct bytes bytes = archive_build(&good);
    char *target = strdup(folder_path(test_folder, "target"));
    const char *path = folder_path(test_folder, "cut.zip");
    for (int64_t size = 0; size < bytes.size; size++) {
        an_error err = {0};
        path = folder_path(test_folder, "cut.zip");
        folder_write(path, bytes.data, size);
        assert_int_equal(an_archive_extract(path, target, NULL, NULL, &err), AN_ERR_FORMAT);
        assert_non_null(strstr(err.message, "cut.zip"));
        assert_int_equal(folder_count(target), 0);
    }
    free(target);
    free(bytes.data);
}

static void expect_no_part(void *user, const char *name) {
    (void)user;
    if (strstr(name, "tmp")) fail_msg("'%s' was left behind", name);
}

static void every_fault_is_reported_and_leaves_nothing_half_done(void **state) {
    (void)state;
    const struct {
        int kind, code;
    } faults[] = {{ANI_FAULT_ALLOC, ENOMEM}, {ANI_FAULT_OPEN, EMFILE}, {ANI_FAULT_READ, EIO},
                  {ANI_FAULT_WRITE, ENOSPC}, {ANI_FAULT_SYNC, EIO},    {ANI_FAULT_RENAME, EACCES},
                  {ANI_FAULT_READ, -1},      {ANI_FAULT_READ, EINTR},  {ANI_FAULT_WRITE, -1},
                  {ANI_FAULT_WRITE, EINTR}};
    char *target = strdup(folder_path(test_folder, "target"));
    assert_int_equal(mkdir(target, 0777), 0);
    archive_in(test_folder, &good);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const bool harmless = faults[i].code == -1 || faults[i].code == EINTR;
        for (int64_t n = 0;; n++) {
            const char *path = folder_path(test_folder, "a.zip");
            an_error err = {0};
            ani_fault_arm(faults[i].kind, n, faults[i].code, false);
            const an_status st = an_archive_extract(path, target, NULL, NULL, &err);
            const bool reached = ani_fault_calls(faults[i].kind) > n;
            ani_fault_disarm();
            if (reached && !harmless) {
                if (st != AN_ERR_IO && st != AN_ERR_NOMEM)
                    fail_msg("fault %zu, call %lld: %s", i, (long long)n, an_status_name(st));
                assert_true(strlen(err.message) > 10);
            } else if (st) {
                fail_msg("%s", err.message);
            }
            folder_walk(target, expect_no_part, NULL);
            if (st) { /* the next call goes on from there */
                if (an_archive_extract(path, target, NULL, NULL, &err)) fail_msg("%s", err.message);
            }
            assert_int_equal(folder_count(target), 4);
            scratch_clear(target);
            if (!reached) break;
        }
    }
    free(target);
}

/* --- SHA-256 --------------------------------------------------------------------------------- */

static void sha256_is_that_of_fips_180(void **state) {
    (void)state;
    ani_sha256 sha;
    char text[65];
    ani_sha256_begin(&sha);
    ani_sha256_end(&sha, text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    ani_sha256_begin(&sha);
    ani_sha256_add(&sha, "abc", 3);
    ani_sha256_end(&sha, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ani_sha256_begin(&sha);
    for (int i = 0; i < 1000000; i += 100) /* a million times 'a', in odd parts */
        for (int part = 1, left = 100; left > 0; left -= part, part = left < 13 ? left : 13)
            ani_sha256_add(&sha, "aaaaaaaaaaaaa", part);
    ani_sha256_end(&sha, text);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_judged),
        cmocka_unit_test(names_tell_what_a_file_is),
        cmocka_unit_test(names_are_shown_so_that_a_message_can_hold_them),
        unit_test_in_folder(doubtful_members_are_refused_or_skipped),
        unit_test_in_folder(names_of_other_systems_are_written_as_utf8),
        unit_test_in_folder(names_of_other_systems_that_are_no_files_are_refused),
        unit_test_in_folder(a_refused_member_does_not_hide_a_good_one),
        unit_test_in_folder(copies_and_hidden_members_are_passed_over),
        unit_test_in_folder(nothing_to_take_is_an_error),
        unit_test_in_folder(what_is_there_is_kept_and_what_is_damaged_replaced),
        unit_test_in_folder(a_folder_of_another_archive_is_refused),
        unit_test_in_folder(caps_hold),
        unit_test_in_folder(every_truncation_is_an_error),
        unit_test_in_folder(every_fault_is_reported_and_leaves_nothing_half_done),
        cmocka_unit_test(sha256_is_that_of_fips_180),
    };
    return cmocka_run_group_tests_name("extract", tests, NULL, NULL);
}
