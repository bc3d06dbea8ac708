/* SPDX-License-Identifier: MIT
 * Data sets: folders and archives hold the same samples, labels are joined, caches change nothing,
 * and each allocation and read may fail. */
#include <attractivenet/dataset.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jpeglib.h>
#include <zlib.h>

#include "base/fault.h"
#include "dataset/dataset.h"
#include "dataset/nearest.h"
#include "support/archive.h"
#include "support/data.h"
#include "support/folder.h"
#include "support/scratch.h"
#include "support/test_folder.h"
#include "support/warnings.h"
#include "support/golden.h"

enum { COUNT = 6, SIDE = 24, BYTES = SIDE * SIDE * 3 };

static an_dataset_options small(warnings *w) {
    an_dataset_options options;
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.warn = w ? warnings_note : NULL;
    options.warn_user = w;
    return options;
}

/* A folder of images, made anew for each test, with room for an archive beside it. */
static int set_up(void **state) {
    static char folder[512];
    test_folder_make(state);
    snprintf(folder, sizeof folder, "%s/faces", test_folder);
    assert_int_equal(mkdir(folder, 0777), 0);
    data_folder(folder, COUNT, SIDE, SIDE);
    *state = folder;
    return 0;
}

/* Some file systems do not tell in a folder what an entry is: the linker has the library call
 * given_readdir(). */
#ifdef __GLIBC__
#define READDIR "readdir64"
#else
#define READDIR "readdir"
#endif
struct dirent *real_readdir(DIR *stream) __asm__("__real_" READDIR);
struct dirent *given_readdir(DIR *stream) __asm__("__wrap_" READDIR);
static bool types_are_unknown;

struct dirent *given_readdir(DIR *stream) {
    struct dirent *entry = real_readdir(stream);
    if (entry && types_are_unknown) entry->d_type = DT_UNKNOWN;
    return entry;
}

static void write_labels(const char *folder, const char *text) {
    folder_write_text(folder_path(folder, "All_labels.txt"), text);
}

static void expect_failure(const char *folder, int32_t policy, an_status status,
                           const char *message) {
    an_dataset_options options = small(NULL);
    an_dataset *dataset = NULL;
    an_error err;
    options.policy = policy;
    assert_int_equal(an_dataset_open(&dataset, folder, &options, &err), status);
    assert_null(dataset);
    assert_non_null(strstr(err.message, message));
}

static void folder_and_archive_are_the_same(void **state) {
    const char *folder = *state;
    char archive[512];
    snprintf(archive, sizeof archive, "%s.zip", folder);
    data_zip(archive, folder, "some/folder/");
    an_dataset_options options = small(NULL);
    for (int32_t cache = AN_CACHE_NONE; cache <= AN_CACHE_PIXELS; cache++) {
        an_dataset *a, *b;
        options.cache = cache;
        assert_int_equal(an_dataset_open(&a, folder, &options, NULL), AN_OK);
        assert_int_equal(an_dataset_open(&b, archive, &options, NULL), AN_OK);
        assert_int_equal(an_dataset_count(a), COUNT);
        assert_int_equal(an_dataset_count(b), COUNT);
        for (int round = 0; round < 2; round++) { /* the second from the cache */
            for (int64_t i = 0; i < COUNT; i++) {
                uint8_t x[BYTES], y[BYTES];
                char name[32];
                snprintf(name, sizeof name, "P%04d.jpg", (int)i);
                assert_string_equal(an_dataset_name(a, i), name);
                assert_string_equal(an_dataset_name(b, i), name);
                assert_true(an_dataset_score(a, i, 0) == data_score(i));
                assert_true(an_dataset_score(b, i, 0) == data_score(i));
                assert_int_equal(an_dataset_read_pixels(a, i, x, NULL), AN_OK);
                assert_int_equal(an_dataset_read_pixels(b, i, y, NULL), AN_OK);
                expect_bytes(name, x, y, BYTES);
            }
        }
        assert_null(an_dataset_name(a, COUNT));
        assert_true(isnan(an_dataset_score(a, 0, 1)));
        an_dataset_destroy(a);
        an_dataset_destroy(b);
    }
}

static void pixels_are_resized(void **state) {
    const char *folder = *state;
    an_dataset_options options = small(NULL);
    an_dataset *whole, *half;
    uint8_t x[BYTES], y[11 * 13 * 3], want[11 * 13 * 3];
    assert_int_equal(an_dataset_open(&whole, folder, &options, NULL), AN_OK);
    options.height = 11;
    options.width = 13;
    assert_int_equal(an_dataset_open(&half, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_read_pixels(whole, 2, x, NULL), AN_OK);
    assert_int_equal(an_dataset_read_pixels(half, 2, y, NULL), AN_OK);
    assert_int_equal(an_resize_u8(x, SIDE, SIDE, 3, want, 11, 13, NULL), AN_OK);
    expect_bytes("resized", y, want, sizeof want);
    an_error err;
    assert_int_equal(an_dataset_read_pixels(half, COUNT, y, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "index is 6; the data set has 6 samples");
    an_dataset_destroy(whole);
    an_dataset_destroy(half);
}

static void sub_folders_links_and_hidden_files(void **state) {
    const char *folder = *state;
    uint8_t x[BYTES], y[BYTES];
    an_dataset *dataset;
    an_dataset_options options = small(NULL);
    const char *deeper = folder_path(folder, "deeper"), *hidden = folder_path(folder, ".trash");
    assert_int_equal(mkdir(deeper, 0777), 0);
    assert_int_equal(mkdir(hidden, 0777), 0);
    assert_int_equal(symlink(folder, folder_path(deeper, "loop")), 0);
    assert_int_equal(rename(folder_path(folder, "P0000.jpg"), folder_path(deeper, "P0000.jpg")), 0);
    assert_int_equal(symlink("deeper/P0000.jpg", folder_path(folder, "Z.jpg")), 0);
    folder_write_text(folder_path(folder, "._P0001.jpg"), "x");
    folder_write_text(folder_path(hidden, "P0001.jpg"), "x");
    /* no files behind these names */
    assert_int_equal(symlink("deeper", folder_path(folder, "folder.jpg")), 0);
    assert_int_equal(symlink("nowhere", folder_path(folder, "gone.jpg")), 0);
    assert_int_equal(mkfifo(folder_path(folder, "pipe.jpg"), 0600), 0);
    write_labels(folder, "P0000.jpg 1\nP0001.jpg 2\nP0002.jpg 3\nP0003.jpg 4\nP0004.jpg 5\n"
                         "P0005.jpg 6\nZ.jpg 7\n");
    for (int unknown = 0; unknown < 2; unknown++) {
        types_are_unknown = unknown;
        assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
        types_are_unknown = false;
        assert_int_equal(an_dataset_count(dataset), COUNT + 1);
        assert_int_equal(an_dataset_read_pixels(dataset, 0, x, NULL), AN_OK);
        assert_int_equal(an_dataset_read_pixels(dataset, COUNT, y, NULL), AN_OK);
        expect_bytes("through a link", y, x, BYTES);
        an_dataset_destroy(dataset);
    }
}

/* An image of one colour as printers keep it: of each ink what is left white, black last. */
static void write_cmyk(const char *path, JDIMENSION height, JDIMENSION width) {
    struct jpeg_error_mgr errors;
    struct jpeg_compress_struct cinfo = {.err = jpeg_std_error(&errors)};
    uint8_t row[4 * 64];
    for (int i = 0; i < 64; i++)
        memcpy(row + 4 * i, (const uint8_t[]){200, 100, 50, 255}, 4);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(width <= 64);
    jpeg_create_compress(&cinfo);
    jpeg_stdio_dest(&cinfo, file);
    cinfo.image_height = height;
    cinfo.image_width = width;
    cinfo.input_components = 4;
    cinfo.in_color_space = JCS_CMYK;
    jpeg_set_defaults(&cinfo);
    jpeg_start_compress(&cinfo, TRUE);
    while (cinfo.next_scanline < height)
        jpeg_write_scanlines(&cinfo, (JSAMPROW[]){row}, 1);
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    fclose(file);
}

/* With a resize, with one of one axis only, and without. */
static void images_of_printers(void **state) {
    const char *folder = *state;
    static const JDIMENSION sizes[][2] = {{40, 50}, {SIDE, 50}, {40, SIDE}, {SIDE, SIDE}};
    const an_dataset_options options = small(NULL);
    an_dataset *dataset;
    an_error err;
    uint8_t x[BYTES];
    for (int i = 0; i < 4; i++) {
        write_cmyk(folder_path(folder, "P0000.jpg"), sizes[i][0], sizes[i][1]);
        if (an_dataset_open(&dataset, folder, &options, &err) ||
            an_dataset_read_pixels(dataset, 0, x, &err))
            fail_msg("%s", err.message);
        for (int k = 0; k < BYTES; k += 3) {
            assert_in_range(x[k], 197, 203);
            assert_in_range(x[k + 1], 97, 103);
            assert_in_range(x[k + 2], 47, 53);
        }
        an_dataset_destroy(dataset);
    }
}

static void many_images(void **state) {
    enum { MANY = 600 };
    const char *folder = *state;
    an_dataset *dataset;
    const an_dataset_options options = small(NULL);
    static char labels[MANY * 16];
    int64_t size = 0;
    for (int i = COUNT; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "P%04d.jpg", i);
        folder_write_text(folder_path(folder, name), "");
    }
    for (int i = 0; i < MANY; i++)
        size += snprintf(labels + size, sizeof labels - (size_t)size, "P%04d.jpg 2\n", i);
    write_labels(folder, labels);
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_count(dataset), MANY);
    assert_string_equal(an_dataset_name(dataset, MANY - 1), "P0599.jpg");
    an_dataset_destroy(dataset);
}

/* Hidden members are no images; a label file may be one. */
static void hidden_members(void **state) {
    static const struct entry entries[] = {
        {.name = "set/a.jpg", HELLO},
        {.name = "set/.b.jpg", HELLO},
        {.name = "set/.labels", .data = "a.jpg 1\n", .data_size = 8},
    };
    const struct archive archive = {.entries = entries, .count = 3};
    an_dataset *dataset;
    an_dataset_options options = small(NULL);
    options.label_file = ".labels";
    assert_int_equal(an_dataset_open(&dataset, archive_in(*state, &archive), &options, NULL),
                     AN_OK);
    assert_int_equal(an_dataset_count(dataset), 1);
    assert_string_equal(an_dataset_name(dataset, 0), "a.jpg");
    an_dataset_destroy(dataset);
}

static void rename_in(const char *folder, const char *from, const char *to) {
    assert_int_equal(rename(folder_path(folder, from), folder_path(folder, to)), 0);
}

/* A folder and an archive of it; returns the archive's path. */
static const char *archive_of(const char *folder) {
    static char archive[512];
    snprintf(archive, sizeof archive, "%s.zip", folder);
    unlink(archive);
    data_zip(archive, folder, "set/");
    return archive;
}

/* Cameras write IMG_1.JPG, browsers .jpeg and .jfif. */
static void endings_in_any_case_are_taken(void **state) {
    const char *folder = *state;
    const char *const places[] = {folder, NULL};
    rename_in(folder, "P0001.jpg", "P0001.JPG");
    rename_in(folder, "P0002.jpg", "P0002.jpeg");
    rename_in(folder, "P0003.jpg", "P0003.Jpe");
    rename_in(folder, "P0004.jpg", "P0004.JFIF");
    rename_in(folder, "P0005.jpg", "P0005.PNG"); /* told apart by content */
    write_labels(folder, "P0000.jpg 0\nP0001.JPG 1\nP0002.jpeg 2\nP0003.Jpe 3\nP0004.JFIF 4\n"
                         "P0005.PNG 5\n");
    for (int i = 0; i < 2; i++) {
        const char *place = i ? archive_of(folder) : places[0];
        warnings w = {0};
        an_dataset *dataset;
        an_dataset_options options = small(&w);
        uint8_t x[BYTES];
        assert_int_equal(an_dataset_open(&dataset, place, &options, NULL), AN_OK);
        assert_int_equal(an_dataset_count(dataset), COUNT);
        assert_int_equal(w.calls, 0);
        for (int k = 0; k < COUNT; k++) {
            assert_true(an_dataset_score(dataset, k, 0) == k);
            assert_int_equal(an_dataset_read_pixels(dataset, k, x, NULL), AN_OK);
        }
        an_dataset_destroy(dataset);
        options.suffix = ".JPG"; /* one that is chosen: the others are left out */
        assert_int_equal(an_dataset_open(&dataset, place, &options, NULL), AN_OK);
        assert_int_equal(an_dataset_count(dataset), 2);
        assert_int_equal(w.counts[AN_WARN_LABEL_WITHOUT_IMAGE], COUNT - 2);
        if (!strstr(w.last, "'P0002.jpeg' on line 3 (near 'P0002.jpeg': files with this ending are "
                            "not read)"))
            fail_msg("%s", w.last);
        an_dataset_destroy(dataset);
    }
}

/* A label for a file that is there must not go away with a warning: half of a set would be lost. */
static void a_label_for_a_file_that_is_not_read(void **state) {
    const char *folder = *state;
    rename_in(folder, "P0002.jpg", "P0002.webp");
    rename_in(folder, "P0003.jpg", "P0003");
    write_labels(folder, "P0000.jpg 0\nP0001.jpg 1\nP0002.webp 2\nP0004.jpg 4\nP0005.jpg 5\n");
    expect_failure(folder, AN_POLICY_STRICT, AN_ERR_FORMAT,
                   "'All_labels.txt' has a label without an image: 'P0002.webp' on line 3 (near "
                   "'P0002.webp': files with this ending are not read)");
    write_labels(folder, "P0000.jpg 0\nP0001.jpg 1\nP0003.jpg 2\nP0004.jpg 4\nP0005.jpg 5\n");
    expect_failure(archive_of(folder), AN_POLICY_STRICT, AN_ERR_FORMAT,
                   "'P0003.jpg' on line 3 (near 'P0003': the endings differ)");
    an_dataset *dataset;
    warnings w = {0};
    an_dataset_options options = small(&w);
    options.policy = AN_POLICY_SKIP;
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_count(dataset), 4);
    assert_int_equal(w.counts[AN_WARN_LABEL_WITHOUT_IMAGE], 1);
    an_dataset_destroy(dataset);
}

/* A drawing beside photographs is no photograph whose score was forgotten. */
static void images_of_another_ending_need_no_label(void **state) {
    const char *folder = *state;
    rename_in(folder, "P0004.jpg", "figure.png");
    rename_in(folder, "P0005.jpg", "P0005.JPG");
    write_labels(folder, "P0000.jpg 0\nP0001.jpg 1\nP0002.jpg 2\nP0003.jpg 3\n");
    an_dataset *dataset;
    warnings w = {0};
    an_dataset_options options = small(&w);
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_count(dataset), 4);
    assert_int_equal(an_dataset_skipped(dataset), 2);
    assert_int_equal(w.counts[AN_WARN_IMAGE_SKIPPED], 2);
    assert_string_equal(w.last,
                        "2 images have no label in 'All_labels.txt': 'P0005.JPG', 'figure.png'");
    an_dataset_destroy(dataset);
    write_labels(folder, "P0000.jpg 0\nP0001.jpg 1\nP0002.jpg 2\n"); /* but that is one */
    expect_failure(folder, AN_POLICY_STRICT, AN_ERR_FORMAT,
                   "1 image has no label in 'All_labels.txt': 'P0003.jpg'");
}

/* Each label is shown beside the file that it may mean, with what differs. */
static void labels_are_shown_beside_the_nearest_file(void **state) {
    const char *folder = *state;
    static const struct {
        const char *label, *file, *near;
    } cases[] = {
        {"Images/P0003.jpg", "P0003.jpg", "(near 'P0003.jpg': the label has a path)"},
        {"C:\\faces\\P0003.jpg", "P0003.jpg", "(near 'P0003.jpg': the label has a path)"},
        {"\"P0003.jpg\"", "P0003.jpg", "(near 'P0003.jpg': the label has quotes or a comma)"},
        {"P0003.jpg,", "P0003.jpg", "(near 'P0003.jpg': the label has quotes or a comma)"},
        {"\"x/P0003.jpg\";", "P0003.jpg", "(near 'P0003.jpg': the label has quotes or a comma)"},
        {"P0003", "P0003.jpg", "(near 'P0003.jpg': the endings differ)"},
        {"P0003.jpeg", "P0003.JPG", "(near 'P0003.JPG': the endings differ)"},
        {"p0003.JPG", "P0003.jpg", "(near 'P0003.jpg': upper and lower case differ)"},
        {"caf\xc3\xa9.jpg", "cafe\xcc\x81.jpg", "': another Unicode normal form: NFC, NFD)"},
        {"cafe\xcc\x81.jpg", "caf\xc3\xa9.jpg", "': another Unicode normal form: NFC, NFD)"},
        {"\xe3\x81\x8c.jpg", "\xe3\x81\x8b\xe3\x82\x99.jpg", "': another Unicode normal form"},
        {"\xea\xb0\x80 1.jpg", "\xe1\x84\x80\xe1\x85\xa1 1.jpg", "': another Unicode normal form"},
        {"P003.jpg", "P0003.jpg", "(near 'P0003.jpg': the nearest name)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        an_dataset *dataset = NULL;
        an_dataset_options options = small(NULL);
        an_error err;
        rename_in(folder, "P0003.jpg", cases[i].file);
        snprintf(text, sizeof text,
                 "P0000.jpg 0\nP0001.jpg 1\nP0002.jpg 2\n%s 3\nP0004.jpg 4\nP0005.jpg 5\n",
                 cases[i].label);
        write_labels(folder, text);
        assert_int_equal(an_dataset_open(&dataset, folder, &options, &err), AN_ERR_FORMAT);
        if (!strstr(err.message, cases[i].near) || !strstr(err.message, "on line 4 "))
            fail_msg("'%s' and '%s': %s", cases[i].label, cases[i].file, err.message);
        rename_in(folder, cases[i].file, "P0003.jpg");
    }
}

/* Names made so that all look alike take no longer than others. */
static void names_that_look_alike_take_bounded_time(void **state) {
    (void)state;
    enum { MANY = 50000, SIZE = 16 };
    static char names[MANY][SIZE];
    static ani_source_file files[MANY];
    const ani_source_list others = {.files = files, .count = MANY};
    ani_nearest nearest;
    for (int i = 0; i < MANY; i++) { /* of Chinese characters alone: nothing of ASCII is left */
        snprintf(names[i], SIZE, "\xe4%c%c\xe4%c\x81\xcc\x81", 0x80 + i / 3600, 0x80 + i / 60 % 60,
                 0x80 + i % 60);
        files[i].name = names[i];
    }
    const clock_t begun = clock(); /* processor time: other programs do not count */
    assert_int_equal(ani_nearest_open(&nearest, files, MANY, &others, NULL), AN_OK);
    for (int i = 0; i < MANY; i++) {
        char label[2 * SIZE];
        snprintf(label, sizeof label, "\xe5%c%c%.15s", 0x80 + i / 60 % 60, 0x80 + i % 60, names[i]);
        assert_null(ani_nearest_same(&nearest, label, (int64_t)strlen(label)).name);
        if (i % 10000 == 0) ani_nearest_find(&nearest, label, (int64_t)strlen(label));
        assert_ptr_equal(ani_nearest_same(&nearest, names[i], (int64_t)strlen(names[i])).name,
                         names[i]);
    }
    assert_true(clock() - begun < 10 * CLOCKS_PER_SEC);
    ani_nearest_clear(&nearest);
}

/* What a Synology or a Mac keeps beside photographs, in folders and archives alike. */
static void hidden_folders_are_passed_over(void **state) {
    static const char *const names[] = {"@eaDir/P0001.jpg/SYNOPHOTO_THUMB_M.jpg",
                                        "__MACOSX/set/._P0001.jpg",
                                        "__MACOSX/P0001.jpg",
                                        ".thumbnails/normal/P0001.jpg",
                                        "$RECYCLE.BIN/P0001.jpg",
                                        "deeper/.DS_Store/All_labels.txt"};
    const char *folder = *state;
    struct entry entries[8] = {{.name = "./a.jpg", HELLO},
                               {.name = "./All_labels.txt", .data = "a.jpg 1\n", .data_size = 8}};
    an_dataset *dataset;
    an_error err;
    an_dataset_options options = small(NULL);
    for (int i = 0; i < 6; i++) {
        char path[512];
        for (const char *slash = names[i]; (slash = strchr(slash, '/')); slash++) {
            snprintf(path, sizeof path, "%.*s", (int)(slash - names[i]), names[i]);
            mkdir(folder_path(folder, path), 0777);
        }
        folder_write_text(folder_path(folder, names[i]), "x");
        entries[2 + i] = (struct entry){.name = names[i], .data = "x", .data_size = 1};
    }
    if (an_dataset_open(&dataset, folder, &options, &err)) fail_msg("%s", err.message);
    assert_int_equal(an_dataset_count(dataset), COUNT);
    an_dataset_destroy(dataset);
    const struct archive archive = {.entries = entries, .count = 8};
    if (an_dataset_open(&dataset, archive_in(folder, &archive), &options, &err))
        fail_msg("%s", err.message);
    assert_int_equal(an_dataset_count(dataset), 1);
    an_dataset_destroy(dataset);
}

/* The same file in two folders is one image. */
static void copies_of_an_image_are_one(void **state) {
    const char *folder = *state;
    warnings w = {0};
    an_dataset *dataset;
    an_dataset_options options = small(&w);
    int64_t size;
    uint8_t *bytes = folder_read(folder_path(folder, "P0003.jpg"), &size);
    assert_int_equal(mkdir(folder_path(folder, "copies"), 0777), 0);
    folder_write(folder_path(folder, "copies/P0003.jpg"), bytes, size);
    folder_write_text(folder_path(folder, "copies/P0005.jpg"), "");
    folder_write_text(folder_path(folder, "P0005.jpg"), "");
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_count(dataset), COUNT);
    assert_int_equal(an_dataset_skipped(dataset) + w.calls, 0);
    an_dataset_destroy(dataset);
    bytes[size - 1] ^= 1; /* the same size, another byte at the end */
    folder_write(folder_path(folder, "copies/P0003.jpg"), bytes, size);
    expect_failure(folder, AN_POLICY_STRICT, AN_ERR_FORMAT,
                   "/P0003.jpg' have the same base name and different bytes");
    free(bytes);
}

/* One image and a line for it, each in some encoding. */
static void names_in_any_encoding_meet_their_labels(void **state) {
    static const char utf8[] = "\351\242\234.jpg", gbk[] = "\321\325.jpg";
    static const char cafe[] = "caf\303\251.jpg", dos[] = "caf\202.jpg", latin[] = "caf\351.jpg";
    static const uint8_t path[] = "\x75\x70\x0c\0\1CRC_\351\242\234.jpg";
    struct bytes field = {0};
    bytes_add(&field, path, sizeof path - 1);
    const uint32_t crc = (uint32_t)crc32_z(0, (const uint8_t *)gbk, strlen(gbk));
    for (int i = 0; i < 4; i++)
        field.data[5 + i] = (uint8_t)(crc >> 8 * i);
    const struct {
        const char *image, *label, *encoding, *name; /* name: NULL: they do not meet */
        uint32_t flags;
        bool has_path;
    } cases[] = {
        {gbk, gbk, NULL, "\342\225\244\342\225\222.jpg", 0, false},
        {gbk, gbk, "GBK", utf8, 0, false},
        {gbk, utf8, "GBK", utf8, 0, false},
        {gbk, utf8, NULL, NULL, 0, false}, /* nobody can tell without the encoding */
        {gbk, utf8, "CP1252", NULL, 0, false},
        {gbk, utf8, NULL, utf8, 0, true},
        {gbk, gbk, NULL, utf8, 0, true},
        {utf8, gbk, "GBK", utf8, 0x800, false},
        {utf8, utf8, NULL, utf8, 0, false},
        {dos, cafe, NULL, cafe, 0, false},
        {dos, dos, NULL, cafe, 0, false},
        {cafe, dos, NULL, cafe, 0x800, false},
        {latin, cafe, NULL, NULL, 0, false},
        {latin, cafe, "CP1252", cafe, 0, false},
        {latin, latin, "CP1252", cafe, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[64];
        an_error err = {0};
        an_dataset *dataset = NULL;
        an_dataset_options options = small(NULL);
        an_extract_options archive;
        an_extract_options_init(&archive, sizeof archive);
        archive.names_encoding = cases[i].encoding;
        options.archive = &archive;
        const int size = snprintf(line, sizeof line, "%s 2.5\n", cases[i].label);
        const struct entry entries[] = {{.name = "All_labels.txt", .data = line, .data_size = size},
                                        {.name = cases[i].image,
                                         HELLO,
                                         .flags = cases[i].flags,
                                         .extra = cases[i].has_path ? field.data : NULL,
                                         .extra_size = cases[i].has_path ? field.size : 0}};
        const char *place = archive_in(*state, &(struct archive){.entries = entries, .count = 2});
        const an_status st = an_dataset_open(&dataset, place, &options, &err);
        if (cases[i].name) {
            if (st) fail_msg("case %zu: %s", i, err.message);
            assert_string_equal(an_dataset_name(dataset, 0), cases[i].name);
            assert_true(an_dataset_score(dataset, 0, 0) == 2.5);
            assert_int_equal(an_dataset_labels_without_image(dataset), 0);
        } else {
            assert_int_equal(st, AN_ERR_FORMAT);
            const bool is_told = strstr(err.message, "set names_encoding (GBK, CP932,") != NULL;
            if (is_told == (cases[i].encoding != NULL)) fail_msg("%s", err.message);
        }
        an_dataset_destroy(dataset);
        if (!cases[i].name) continue;
        /* extracted, the names are UTF-8 and the label file is as it was */
        char *folder = strdup(folder_path(test_folder, "out"));
        place = folder_path(*state, "a.zip");
        if (an_archive_extract(place, folder, &archive, NULL, &err)) fail_msg("%s", err.message);
        assert_int_equal(access(folder_path(folder, cases[i].name), R_OK), 0);
        const bool has_other_label = cases[i].has_path && cases[i].label == gbk;
        if (has_other_label) archive.names_encoding = "GBK"; /* CP437 has no such character */
        if (an_dataset_open(&dataset, folder, &options, &err)) fail_msg("%s", err.message);
        assert_string_equal(an_dataset_name(dataset, 0), cases[i].name);
        an_dataset_destroy(dataset);
        scratch_clear(folder);
        free(folder);
    }
    free(field.data);
}

/* Several names that became the same without their characters have one line: whose is it? */
static void a_name_without_its_characters_has_no_label(void **state) {
    static const char name[] = "\351\242\234.jpg";
    struct bytes field = {0};
    bytes_add_number(&field, 0x7075, 2);
    bytes_add_number(&field, 5 + sizeof name - 1, 2);
    bytes_add_number(&field, 1, 1);
    bytes_add_number(&field, crc32_z(0, (const uint8_t *)"?.jpg", 5), 4);
    bytes_add(&field, name, sizeof name - 1);
    const struct entry entries[] = {
        {.name = "All_labels.txt", .data = "?.jpg 1\n", .data_size = 8},
        {.name = "?.jpg", HELLO, .extra = field.data, .extra_size = field.size}};
    expect_failure(archive_in(*state, &(struct archive){.entries = entries, .count = 2}),
                   AN_POLICY_STRICT, AN_ERR_FORMAT, "1 image has no label");
    free(field.data);
}

/* The bytes of one name are another's: its label is not for both. */
static void a_label_is_for_the_image_of_its_name_first(void **state) {
    static const char raw[] = "\303\251.jpg", name[] = "a\303\251.jpg";
    struct bytes field = {0};
    bytes_add_number(&field, 0x7075, 2);
    bytes_add_number(&field, 5 + sizeof name - 1, 2);
    bytes_add_number(&field, 1, 1);
    bytes_add_number(&field, crc32_z(0, (const uint8_t *)raw, sizeof raw - 1), 4);
    bytes_add(&field, name, sizeof name - 1);
    const struct entry entries[] = {
        {.name = "All_labels.txt", .data = "\303\251.jpg 1\n", .data_size = 9},
        {.name = raw, HELLO, .extra = field.data, .extra_size = field.size},
        {.name = raw, HELLO, .flags = 0x800}};
    expect_failure(archive_in(*state, &(struct archive){.entries = entries, .count = 3}),
                   AN_POLICY_STRICT, AN_ERR_FORMAT,
                   "1 image has no label in 'All_labels.txt': 'a\303\251.jpg'");
    free(field.data);
}

static void a_base_name_twice(void **state) {
    const char *folder = *state;
    warnings w = {0};
    an_dataset *dataset;
    an_dataset_options options = small(&w);
    const char *deeper = folder_path(folder, "deeper");
    assert_int_equal(mkdir(deeper, 0777), 0);
    folder_write_text(folder_path(deeper, "P0003.jpg"), "x");
    expect_failure(folder, AN_POLICY_STRICT, AN_ERR_FORMAT,
                   "have the same base name and different bytes");
    options.policy = AN_POLICY_SKIP;
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_count(dataset), COUNT);
    assert_int_equal(an_dataset_skipped(dataset), 1);
    assert_int_equal(w.counts[AN_WARN_MEMBER_SKIPPED], 1);
    uint8_t x[BYTES]; /* the first by path is kept: that of the upper folder */
    assert_int_equal(an_dataset_read_pixels(dataset, 3, x, NULL), AN_OK);
    an_dataset_destroy(dataset);
    w.answer = 1;
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_ERR_CANCELLED);
    assert_null(dataset);
}

/* Slashes at the end of a path; one letter for a path; a label file with a dot before its name;
 * folders too deep. */
static void odd_folders(void **state) {
    const char *folder = *state;
    an_dataset *dataset;
    an_dataset_options options = small(NULL);
    an_error err;
    char path[4200];
    snprintf(path, sizeof path, "%s///", folder);
    assert_int_equal(an_dataset_open(&dataset, path, &options, NULL), AN_OK);
    an_dataset_destroy(dataset);
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(symlink(".", folder_path(folder, "s")), 0);
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(an_dataset_open(&dataset, "s", &options, NULL), AN_OK);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(an_dataset_count(dataset), COUNT);
    an_dataset_destroy(dataset);
    folder_write_text(folder_path(folder, ".labels"), "P0001.jpg 3\n");
    options.label_file = ".labels";
    options.policy = AN_POLICY_SKIP;
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_count(dataset), 1);
    an_dataset_destroy(dataset);
    options.label_file = "absent.txt";
    assert_int_equal(an_dataset_open(&dataset, folder, &options, &err), AN_ERR_FORMAT);
    if (!strstr(err.message, "contains no label file 'absent.txt'")) fail_msg("%s", err.message);
    snprintf(path, sizeof path, "%s", folder);
    for (int depth = 0; depth < 65; depth++) {
        strcat(path, "/d");
        assert_int_equal(mkdir(path, 0777), 0);
    }
    expect_failure(folder, AN_POLICY_STRICT, AN_ERR_UNSUPPORTED, "lies more than 64 folders deep");
    /* nothing in it at all */
    expect_failure(path, AN_POLICY_STRICT, AN_ERR_FORMAT,
                   "contains no label file 'All_labels.txt'");
}

static void images_without_label(void **state) {
    const char *folder = *state;
    warnings w = {0};
    an_dataset *dataset;
    an_dataset_options options = small(&w);
    write_labels(folder, "P0003.jpg 2.5\nnobody.jpg 1\n");
    expect_failure(folder, AN_POLICY_STRICT, AN_ERR_FORMAT,
                   "5 images have no label in 'All_labels.txt': 'P0000.jpg', 'P0001.jpg', "
                   "'P0002.jpg' and 2 more");
    options.policy = AN_POLICY_SKIP;
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_count(dataset), 1);
    assert_string_equal(an_dataset_name(dataset, 0), "P0003.jpg");
    assert_int_equal(an_dataset_skipped(dataset), 5);
    assert_int_equal(an_dataset_labels_without_image(dataset), 1);
    assert_int_equal(w.counts[AN_WARN_IMAGE_SKIPPED], 5);
    assert_int_equal(w.counts[AN_WARN_LABEL_WITHOUT_IMAGE], 1);
    assert_string_equal(w.last,
                        "1 of 2 labels in 'All_labels.txt' have no image: 'nobody.jpg' on line 2");
    an_dataset_destroy(dataset);
    write_labels(folder, "nobody.jpg 1\n");
    expect_failure(folder, AN_POLICY_SKIP, AN_ERR_FORMAT, "none of the images has a label");
}

static void a_warning_may_stop(void **state) {
    const char *folder = *state;
    warnings w = {.answer = 1};
    an_dataset *dataset;
    an_error err;
    an_dataset_options options = small(&w);
    folder_write_text(folder_path(folder, "All_labels.txt"), "P0000.jpg 1\n");
    options.policy = AN_POLICY_SKIP;
    assert_int_equal(an_dataset_open(&dataset, folder, &options, &err), AN_ERR_CANCELLED);
    assert_int_equal(w.calls, 1);
}

static void what_is_missing_is_named(void **state) {
    const char *folder = *state;
    an_dataset *dataset;
    an_dataset_options options = small(NULL);
    an_error err;
    unlink(folder_path(folder, "All_labels.txt"));
    expect_failure(folder, AN_POLICY_STRICT, AN_ERR_FORMAT,
                   "contains no label file 'All_labels.txt'");
    expect_failure(folder_path(folder, "nowhere"), AN_POLICY_STRICT, AN_ERR_IO, "nowhere");
    write_labels(folder, "a 1\n");
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "P%04d.jpg", i);
        unlink(folder_path(folder, name));
    }
    expect_failure(folder, AN_POLICY_STRICT, AN_ERR_FORMAT,
                   "contains no images whose names end in '.jpg .jpeg .jpe .jfif .png'");
    folder_write_text(folder_path(folder, "a.webp"), "x");
    expect_failure(folder, AN_POLICY_STRICT, AN_ERR_FORMAT, "; 1 other file, as 'a.webp'");
    options.label_file = "labels/All_labels.txt";
    assert_int_equal(an_dataset_open(&dataset, folder, &options, &err), AN_ERR_ARG);
    assert_string_equal(err.message,
                        "an_dataset_options: label_file is 'labels/All_labels.txt'; it "
                        "must be a name without folders");
}

static void damaged_images_are_named(void **state) {
    const char *folder = *state;
    an_dataset *dataset;
    an_dataset_options options = small(NULL);
    an_error err;
    uint8_t x[BYTES];
    folder_write_text(folder_path(folder, "P0002.jpg"), "no image");
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_read_pixels(dataset, 2, x, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "P0002.jpg"));
    unlink(folder_path(folder, "P0003.jpg"));
    assert_int_equal(an_dataset_read_pixels(dataset, 3, x, &err), AN_ERR_IO);
    assert_non_null(strstr(err.message, "P0003.jpg"));
    assert_int_equal(an_dataset_read_pixels(dataset, 4, x, &err), AN_OK);
    an_dataset_destroy(dataset);
}

static int32_t count_images(void *user, const an_progress *progress) {
    assert_string_equal(progress->what, "images");
    *(int64_t *)user += progress->done == progress->total;
    return 0;
}

/* user: NULL, or how many images were looked at by then. */
static int32_t stop_at_once(void *user, const an_progress *progress) {
    if (user) *(int64_t *)user = progress->done;
    return 1;
}

/* Before a training, not after it; all of them, not the first. */
static void damaged_images_are_found_at_once(void **state) {
    const char *folder = *state;
    folder_write_text(folder_path(folder, "P0000.jpg"), "no image");
    folder_write(folder_path(folder, "P0003.jpg"), "\xff\xd8\xff", 3);
    folder_write_text(folder_path(folder, "P0005.jpg"), "");
    for (int32_t i = 0; i < 12; i++) {
        warnings w = {0};
        an_dataset *dataset;
        an_dataset_options options = small(&w);
        an_error err;
        int64_t ends = 0;
        const int32_t threads = i / 3 == 3 ? 7 : i / 3; /* 0, 1, 2, 7 */
        const char *place = i % 2 ? archive_of(folder) : folder;
        options.cache = i % 3;
        assert_int_equal(an_dataset_open(&dataset, place, &options, NULL), AN_OK);
        for (int round = 1; round < 3; round++) { /* the second from the cache */
            assert_int_equal(an_dataset_check(dataset, threads, count_images, &ends, &err),
                             AN_ERR_FORMAT);
            assert_string_equal(err.message,
                                "3 of 6 images are damaged: 'P0000.jpg', 'P0003.jpg', 'P0005.jpg'");
            assert_int_equal(w.counts[AN_WARN_IMAGE_DAMAGED], 3 * round);
            assert_int_equal(w.calls, 3 * round);
            assert_non_null(strstr(w.last, "P0005.jpg"));
            assert_int_equal(ends, round);
        }
        assert_int_equal(an_dataset_count(dataset), COUNT);
        assert_int_equal(an_dataset_skipped(dataset), 0);
        an_dataset_destroy(dataset);
    }
}

static void damaged_images_are_left_out(void **state) {
    const char *folder = *state;
    for (int32_t cache = AN_CACHE_NONE; cache <= AN_CACHE_PIXELS; cache++) {
        static const int kept[] = {1, 2, 4};
        warnings w = {0};
        an_dataset *whole, *dataset;
        an_dataset_options options = small(&w);
        uint8_t x[BYTES], y[BYTES];
        options.cache = cache;
        options.policy = AN_POLICY_SKIP;
        data_folder(folder, COUNT, SIDE, SIDE);
        assert_int_equal(an_dataset_open(&whole, folder, &options, NULL), AN_OK);
        assert_int_equal(an_dataset_check(whole, 2, NULL, NULL, NULL), AN_OK);
        assert_int_equal(an_dataset_count(whole), COUNT);
        for (int i = 0; i < COUNT; i++) /* what is there is kept, or read before */
            assert_int_equal(an_dataset_read_pixels(whole, i, x, NULL), AN_OK);
        folder_write_text(folder_path(folder, "P0000.jpg"), "no image");
        folder_write(folder_path(folder, "P0003.jpg"), "\xff\xd8\xff", 3);
        folder_write_text(folder_path(folder, "P0005.jpg"), "");
        assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
        assert_int_equal(an_dataset_check(dataset, 2, NULL, NULL, NULL), AN_OK);
        assert_int_equal(an_dataset_count(dataset), 3);
        assert_int_equal(an_dataset_skipped(dataset), 3);
        assert_int_equal(w.counts[AN_WARN_IMAGE_SKIPPED], 3);
        assert_null(an_dataset_name(dataset, 3));
        for (int i = 0; i < 3; i++) {
            assert_string_equal(an_dataset_name(dataset, i), an_dataset_name(whole, kept[i]));
            assert_true(an_dataset_score(dataset, i, 0) == data_score(kept[i]));
            assert_int_equal(an_dataset_read_pixels(dataset, i, x, NULL), AN_OK);
            assert_int_equal(an_dataset_read_pixels(whole, kept[i], y, NULL), AN_OK);
            expect_bytes(an_dataset_name(dataset, i), x, y, BYTES);
        }
        an_dataset_destroy(dataset);
        an_dataset_destroy(whole);
    }
}

/* More names than a message has room for; none left; what is no damage. */
static void a_check_that_fails(void **state) {
    const char *folder = *state;
    warnings w = {0};
    an_dataset *dataset;
    an_dataset_options options = small(&w);
    an_error err;
    char labels[COUNT * 128];
    int64_t size = 0;
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_check(dataset, 1, stop_at_once, NULL, &err), AN_ERR_CANCELLED);
    for (int32_t threads = 1; threads < 4; threads++) { /* before many large ones are decoded */
        int64_t done = 0;
        assert_int_equal(an_dataset_check(dataset, threads, stop_at_once, &done, &err),
                         AN_ERR_CANCELLED);
        assert_int_equal(done, threads);
    }
    assert_int_equal(an_dataset_check(dataset, -1, NULL, NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "threads is -1; it must be 0 to 1024");
    assert_int_equal(an_dataset_check(dataset, 1025, NULL, NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_dataset_check(NULL, 1, NULL, NULL, &err), AN_ERR_ARG);
    ani_dataset_hold(dataset);
    assert_int_equal(an_dataset_check(dataset, 1, NULL, NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "a loader holds the data set; check it before making loaders");
    an_dataset_destroy(dataset);
    an_dataset_destroy(dataset);
    for (int i = 0; i < COUNT; i++) {
        char name[128], from[32];
        snprintf(from, sizeof from, "P%04d.jpg", i);
        snprintf(name, sizeof name, "P%080d.jpg", i);
        rename_in(folder, from, name);
        folder_write_text(folder_path(folder, name), "no image");
        size += snprintf(labels + size, sizeof labels - (size_t)size, "%s 1\n", name);
    }
    write_labels(folder, labels);
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_check(dataset, 2, NULL, NULL, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "0.jpg', 'P"));
    assert_non_null(strstr(err.message, "1.jpg' and 4 more"));
    w.answer = 1;
    assert_int_equal(an_dataset_check(dataset, 2, NULL, NULL, &err), AN_ERR_CANCELLED);
    an_dataset_destroy(dataset);
    w.answer = 0;
    options.policy = AN_POLICY_SKIP;
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_check(dataset, 2, NULL, NULL, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "6 of 6 images are damaged"));
    char first[128];
    snprintf(first, sizeof first, "P%080d.jpg", 0);
    an_dataset_destroy(dataset);
    options.cache = AN_CACHE_NONE;
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    unlink(folder_path(folder, first)); /* no damage: an error whatever the policy is */
    assert_int_equal(an_dataset_check(dataset, 2, NULL, NULL, &err), AN_ERR_IO);
    an_dataset_destroy(dataset);
    dataset = data_pixels(3, 5, 7);
    assert_int_equal(an_dataset_check(dataset, 2, NULL, NULL, &err), AN_OK);
    an_dataset_destroy(dataset);
}

static void limits_and_caps_are_the_callers(void **state) {
    const char *folder = *state;
    char archive[512];
    an_dataset *dataset;
    an_dataset_options options = small(NULL);
    an_image_limits limits;
    an_extract_options caps;
    an_error err;
    uint8_t x[BYTES];
    snprintf(archive, sizeof archive, "%s.zip", folder);
    data_zip(archive, folder, "");
    an_image_limits_init(&limits, sizeof limits);
    an_extract_options_init(&caps, sizeof caps);
    limits.max_pixels = SIDE * SIDE - 1;
    options.limits = &limits;
    assert_int_equal(an_dataset_open(&dataset, archive, &options, NULL), AN_OK);
    limits.max_pixels = SIDE * SIDE; /* was copied: changes nothing */
    assert_int_equal(an_dataset_read_pixels(dataset, 0, x, &err), AN_ERR_UNSUPPORTED);
    an_dataset_destroy(dataset);
    caps.max_members = COUNT; /* and the label file is one more */
    options.archive = &caps;
    assert_int_equal(an_dataset_open(&dataset, archive, &options, &err), AN_ERR_UNSUPPORTED);
    caps.struct_size = 0;
    assert_int_equal(an_dataset_open(&dataset, archive, &options, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "an_extract_options: struct_size is 0"));
}

static void pixels_in_memory(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(3, 5, 7);
    uint8_t got[5 * 7 * 3], want[5 * 7 * 3];
    data_draw(want, 5, 7, 2);
    assert_int_equal(an_dataset_read_pixels(dataset, 2, got, NULL), AN_OK);
    expect_bytes("from memory", got, want, sizeof want);
    assert_string_equal(an_dataset_name(dataset, 2), "00000002");
    assert_true(an_dataset_score(dataset, 2, 0) == data_score(2));
    an_dataset_destroy(dataset);
}

static void several_scores_of_a_sample(void **state) {
    (void)state;
    enum { SAMPLES = 4, SCORES = 3 };
    static uint8_t rgb[SAMPLES * BYTES];
    double scores[SAMPLES * SCORES], copy[SAMPLES * SCORES];
    an_dataset *dataset = NULL;
    for (int i = 0; i < SAMPLES * SCORES; i++)
        scores[i] = i + 0.1;
    assert_int_equal(
        an_dataset_from_pixels(&dataset, rgb, SAMPLES, SIDE, SIDE, scores, SCORES, NULL, NULL),
        AN_OK);
    assert_int_equal(an_dataset_copy_scores(dataset, copy, NULL), AN_OK);
    assert_memory_equal(copy, scores, sizeof scores);
    for (int64_t i = 0; i < SAMPLES; i++)
        for (int32_t k = 0; k < SCORES; k++)
            assert_true(an_dataset_score(dataset, i, k) == (double)(i * SCORES + k) + 0.1);
    assert_true(isnan(an_dataset_score(dataset, 0, SCORES)) &&
                isnan(an_dataset_score(dataset, SAMPLES, 0)));
    an_dataset_destroy(dataset);
}

static void weights_go_with_their_samples(void **state) {
    const char *folder = *state;
    const double weights[COUNT] = {0, 0.5, 1, 2, 1e-30, 3e38};
    const int64_t kept[] = {0, 2, 5};
    an_dataset *dataset = NULL;
    an_dataset_options options = small(NULL);
    options.policy = AN_POLICY_SKIP;
    for (int64_t i = 1; i <= 4; i += 1 + (i == 1)) {
        char name[32];
        snprintf(name, sizeof name, "P%04lld.jpg", (long long)i);
        folder_write_text(folder_path(folder, name), "no image");
    }
    assert_int_equal(an_dataset_open(&dataset, folder, &options, NULL), AN_OK);
    assert_int_equal(an_dataset_has_weights(dataset), 0);
    assert_true(an_dataset_weight(dataset, 1) == 1.0);
    assert_int_equal(an_dataset_set_weights(dataset, weights, COUNT, NULL), AN_OK);
    assert_int_equal(an_dataset_has_weights(dataset), 1);
    for (int64_t i = 0; i < COUNT; i++)
        assert_true(an_dataset_weight(dataset, i) == weights[i]);
    assert_true(isnan(an_dataset_weight(dataset, COUNT)) && isnan(an_dataset_weight(dataset, -1)));
    assert_int_equal(an_dataset_check(dataset, 2, NULL, NULL, NULL), AN_OK);
    assert_int_equal(an_dataset_count(dataset), 3);
    for (int64_t i = 0; i < 3; i++)
        assert_true(an_dataset_weight(dataset, i) == weights[kept[i]]);
    assert_int_equal(an_dataset_set_weights(dataset, NULL, 0, NULL), AN_OK);
    assert_int_equal(an_dataset_has_weights(dataset), 0);
    assert_true(an_dataset_weight(dataset, 2) == 1.0);
    an_dataset_destroy(dataset);
}

static void expect_no_weights(an_dataset *dataset, const double *weights, int64_t count,
                              const char *message) {
    an_error err;
    assert_int_equal(an_dataset_set_weights(dataset, weights, count, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, message));
    if (dataset) assert_true(an_dataset_weight(dataset, 1) == 2.0); /* as before */
}

static void weights_that_make_no_sense(void **state) {
    (void)state;
    double weights[3] = {1, 2, 3};
    an_error err;
    an_dataset *dataset = data_pixels(3, 5, 7);
    assert_int_equal(an_dataset_set_weights(dataset, weights, 3, NULL), AN_OK);
    expect_no_weights(NULL, weights, 3, "dataset is NULL");
    expect_no_weights(dataset, weights, 2,
                      "count is 2; with weights of this data set it must be 3");
    expect_no_weights(dataset, NULL, 3, "count is 3; with weights NULL it must be 0");
    const double wrong[] = {-1, NAN, INFINITY, 1e39, 1e-39};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        weights[2] = wrong[i];
        expect_no_weights(dataset, weights, 3, "the weight of sample 2, '00000002', is ");
    }
    memset(weights, 0, sizeof weights);
    expect_no_weights(dataset, weights, 3, "all 3 weights are 0");
    weights[0] = 1;
    ani_fault_arm(ANI_FAULT_ALLOC, 0, ENOMEM, false);
    assert_int_equal(an_dataset_set_weights(dataset, weights, 3, &err), AN_ERR_NOMEM);
    ani_fault_disarm();
    assert_true(an_dataset_weight(dataset, 1) == 2.0);
    ani_dataset_hold(dataset);
    expect_no_weights(dataset, weights, 3, "a loader holds the data set");
    an_dataset_destroy(dataset);
    an_dataset_destroy(dataset);
}

/* Open, read one image, give up: fails with the injected error or works; what leaks, ASan tells.
 */
static an_status open_and_read(const char *path, int32_t cache) {
    an_dataset *dataset = NULL;
    an_dataset_options options = small(NULL);
    uint8_t x[BYTES];
    an_error err = {0};
    options.cache = cache;
    an_status st = an_dataset_open(&dataset, path, &options, &err);
    if (st) assert_null(dataset);
    if (!st) st = an_dataset_read_pixels(dataset, 1, x, &err);
    if (st) assert_true(err.message[0] != '\0');
    an_dataset_destroy(dataset);
    return st;
}

static void fail_each(const char *path, int32_t cache, int kind, int code) {
    ani_fault_arm(kind, INT64_MAX, code, false);
    assert_int_equal(open_and_read(path, cache), AN_OK);
    const int64_t calls = ani_fault_calls(kind);
    assert_true(calls > 0);
    for (int64_t n = 0; n < calls; n++) {
        ani_fault_arm(kind, n, code, false);
        const an_status st = open_and_read(path, cache);
        ani_fault_disarm();
        if (st != AN_ERR_NOMEM && st != AN_ERR_IO)
            fail_msg("kind %d, call %lld of %lld: %s", kind, (long long)n, (long long)calls,
                     an_status_name(st));
    }
    ani_fault_disarm();
}

static void each_call_may_fail(void **state) {
    const char *folder = *state;
    char archive[512], deeper[512], longer[256];
    snprintf(archive, sizeof archive, "%s.zip", folder);
    data_zip(archive, folder, "");
    memset(longer, 'l', 250); /* a path that grows */
    longer[250] = '\0';
    snprintf(deeper, sizeof deeper, "%s/%s", folder, longer);
    assert_int_equal(mkdir(deeper, 0777), 0);
    for (int32_t cache = AN_CACHE_NONE; cache <= AN_CACHE_PIXELS; cache++) {
        fail_each(folder, cache, ANI_FAULT_ALLOC, ENOMEM);
        fail_each(folder, cache, ANI_FAULT_OPEN, EACCES);
        fail_each(folder, cache, ANI_FAULT_READ, EIO);
        fail_each(archive, cache, ANI_FAULT_ALLOC, ENOMEM);
        fail_each(archive, cache, ANI_FAULT_OPEN, EACCES);
        fail_each(archive, cache, ANI_FAULT_READ, EIO);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folder_and_archive_are_the_same, set_up,
                                        test_folder_remove),
        cmocka_unit_test_setup_teardown(pixels_are_resized, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(sub_folders_links_and_hidden_files, set_up,
                                        test_folder_remove),
        cmocka_unit_test_setup_teardown(images_of_printers, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(many_images, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(hidden_members, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(endings_in_any_case_are_taken, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(a_label_for_a_file_that_is_not_read, set_up,
                                        test_folder_remove),
        cmocka_unit_test_setup_teardown(images_of_another_ending_need_no_label, set_up,
                                        test_folder_remove),
        cmocka_unit_test_setup_teardown(labels_are_shown_beside_the_nearest_file, set_up,
                                        test_folder_remove),
        cmocka_unit_test(names_that_look_alike_take_bounded_time),
        cmocka_unit_test_setup_teardown(hidden_folders_are_passed_over, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(copies_of_an_image_are_one, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(names_in_any_encoding_meet_their_labels, set_up,
                                        test_folder_remove),
        cmocka_unit_test_setup_teardown(a_name_without_its_characters_has_no_label, set_up,
                                        test_folder_remove),
        cmocka_unit_test_setup_teardown(a_label_is_for_the_image_of_its_name_first, set_up,
                                        test_folder_remove),
        cmocka_unit_test_setup_teardown(a_base_name_twice, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(odd_folders, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(images_without_label, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(a_warning_may_stop, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(what_is_missing_is_named, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(damaged_images_are_named, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(damaged_images_are_found_at_once, set_up,
                                        test_folder_remove),
        cmocka_unit_test_setup_teardown(damaged_images_are_left_out, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(a_check_that_fails, set_up, test_folder_remove),
        cmocka_unit_test_setup_teardown(limits_and_caps_are_the_callers, set_up,
                                        test_folder_remove),
        cmocka_unit_test(pixels_in_memory),
        cmocka_unit_test(several_scores_of_a_sample),
        cmocka_unit_test_setup_teardown(weights_go_with_their_samples, set_up, test_folder_remove),
        cmocka_unit_test(weights_that_make_no_sense),
        cmocka_unit_test_setup_teardown(each_call_may_fail, set_up, test_folder_remove),
    };
    return cmocka_run_group_tests_name("dataset", tests, NULL, NULL);
}
