/* SPDX-License-Identifier: MIT
 * io: decoding of 8-bit images, whole, damaged and hostile; turning, resizing, writing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <zlib.h>

#include "base/fault.h"
#include "io/image.h"
#include "support/folder.h"
#include "support/test_folder.h"

/* --- images -------------------------------------------------------------------------------- */

struct file {
    uint8_t *bytes;
    int64_t size;
};

enum { BASELINE, PROGRESSIVE, GREY };

static an_image *make_image(int64_t height, int64_t width) {
    an_image *image;
    uint32_t random = 7;
    assert_int_equal(an_image_create(&image, NULL, height, width, NULL), AN_OK);
    uint8_t *rgb = an_image_data(image);
    for (int64_t i = 0; i < height * width * 3; i++, random = random * 1664525 + 1013904223)
        rgb[i] = (uint8_t)(i + (random >> 27));
    return image;
}

static struct file make_jpeg(int64_t height, int64_t width, int kind) {
    struct file file = {0};
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    unsigned long size = 0;
    an_image *image = make_image(height, width);
    cinfo.err = jpeg_std_error(&errors);
    jpeg_create_compress(&cinfo);
    jpeg_mem_dest(&cinfo, &file.bytes, &size);
    cinfo.image_height = (JDIMENSION)height;
    cinfo.image_width = (JDIMENSION)width;
    cinfo.input_components = kind == GREY ? 1 : 3;
    cinfo.in_color_space = kind == GREY ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&cinfo);
    if (kind == PROGRESSIVE) jpeg_simple_progression(&cinfo);
    jpeg_start_compress(&cinfo, TRUE);
    while (cinfo.next_scanline < cinfo.image_height) {
        JSAMPROW row = an_image_data(image) + (int64_t)cinfo.next_scanline * width * 3;
        jpeg_write_scanlines(&cinfo, &row, 1);
    }
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    an_image_destroy(image);
    file.size = (int64_t)size;
    return file;
}

static struct file make_png(int64_t height, int64_t width) {
    struct file file;
    an_error err = {0};
    an_image *image = make_image(height, width);
    const char *path = folder_path(test_folder, "made.png");
    if (an_image_write_png(image, path, &err)) fail_msg("%s", err.message);
    file.bytes = folder_read(path, &file.size);
    an_image_destroy(image);
    return file;
}

static void put_big(uint8_t *out, uint32_t value) {
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Change the size that a PNG claims, checksum and all. */
static void set_png_size(struct file *file, uint32_t height, uint32_t width) {
    put_big(file->bytes + 16, width);
    put_big(file->bytes + 20, height);
    put_big(file->bytes + 29, (uint32_t)crc32_z(0, file->bytes + 12, 17));
}

/* Find a marker with its 0xff; after `from`. */
static int64_t find_marker(const struct file *file, uint8_t marker, int64_t from) {
    for (int64_t i = from; i + 1 < file->size; i++)
        if (file->bytes[i] == 0xff && file->bytes[i + 1] == marker) return i;
    fail_msg("no marker %02x", marker);
    return -1;
}

static struct file insert(const struct file *file, int64_t at, const void *bytes, int64_t size) {
    struct file longer = {malloc((size_t)(file->size + size)), file->size + size};
    memcpy(longer.bytes, file->bytes, (size_t)at);
    memcpy(longer.bytes + at, bytes, (size_t)size);
    memcpy(longer.bytes + at + size, file->bytes + at, (size_t)(file->size - at));
    return longer;
}

static an_status decode(const struct file *file, an_error *err) {
    an_image *image = (an_image *)(uintptr_t)1;
    const an_status st = an_image_decode(&image, file->bytes, file->size, "x.jpg", NULL, err);
    if (st) assert_null(image);
    an_image_destroy(image);
    return st;
}

static void expect_decode(const struct file *file, an_status status, const char *message) {
    an_error err = {0};
    const an_status st = decode(file, &err);
    if (st != status || (st && strcmp(err.message, message) != 0))
        fail_msg("%s: '%s', expected '%s'", an_status_name(st), err.message, message);
}

/* --- misuse, no image at all ----------------------------------------------------------------- */

static void misuse_is_told(void **state) {
    (void)state;
    an_error err;
    an_image *image;
    an_image_limits limits;
    assert_int_equal(an_image_decode(NULL, "x", 1, "n", NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_image_decode(&image, NULL, 1, "n", NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_image_decode(&image, "x", -1, "n", NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_image_decode(&image, NULL, 0, "n.jpg", NULL, &err), AN_ERR_FORMAT);
    assert_string_equal(err.message, "image 'n.jpg' is empty");
    assert_int_equal(an_image_decode(&image, "text", 4, "n\n.jpg", NULL, &err), AN_ERR_FORMAT);
    assert_string_equal(err.message, "image 'n\\x0a.jpg' is neither JPEG nor PNG");
    assert_int_equal(an_image_decode(&image, "text", 4, NULL, NULL, &err), AN_ERR_FORMAT);
    assert_string_equal(err.message, "image 'in memory' is neither JPEG nor PNG");
    an_image_limits_init(&limits, sizeof limits);
    limits.max_scans = 0;
    assert_int_equal(an_image_decode(&image, "text", 4, "n", &limits, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "an_image_limits: max_scans is 0; it must be at least 1");
    assert_int_equal(an_image_read(&image, NULL, NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_image_read(&image, folder_path(test_folder, "none"), NULL, &err),
                     AN_ERR_IO);
    assert_int_equal(an_image_create(&image, NULL, 0, 5, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "image of 5 x 0 pixels; each must be 1 to 65535");
    assert_int_equal(an_image_create(&image, NULL, 65536, 5, &err), AN_ERR_ARG);
    assert_null(image);
    assert_int_equal(an_image_height(NULL), 0);
    assert_int_equal(an_image_width(NULL), 0);
    assert_null(an_image_data(NULL));
    assert_null(an_image_const_data(NULL));
    an_image_destroy(NULL);
}

/* Sizes that no file can declare, as the library's own callers might. */
static void sizes_that_overflow(void **state) {
    (void)state;
    an_error err;
    an_image *image;
    an_image_limits limits;
    uint8_t a[4] = {0}, b[4];
    an_image_limits_init(&limits, sizeof limits);
    assert_int_equal(ani_image_check_size(INT64_MAX, 2, 1, &limits, "n", &err), AN_ERR_UNSUPPORTED);
    assert_string_equal(err.message, "image 'n' is too large: 2 x 9223372036854775807 pixels take "
                                     "9223372036854775807 bytes; max_memory is 1073741824");
    assert_int_equal(ani_image_check_size(INT64_MAX / 4, 2, 1, &limits, "n", &err),
                     AN_ERR_UNSUPPORTED);
    limits.max_pixels = 1000;
    assert_int_equal(ani_image_check_size(INT64_MAX, 2, 1, &limits, "n", &err), AN_ERR_UNSUPPORTED);
    assert_string_equal(err.message, "image 'n' is too large: 2 x 9223372036854775807 pixels; "
                                     "max_pixels is 1000");
    limits.max_pixels = INT64_MAX;
    assert_int_equal(ani_image_alloc(&image, INT64_MAX, 2, "n", &err), AN_ERR_NOMEM);
    assert_int_equal(ani_image_alloc(&image, INT64_MAX / 2, 1, "n", &err), AN_ERR_NOMEM);
    assert_string_equal(err.message, "no memory for n: its size overflows");
    assert_null(image);
    limits.struct_size = 0;
    assert_int_equal(an_image_decode(&image, "text", 4, "n", &limits, &err), AN_ERR_ARG);
    assert_int_equal(an_image_read(&image, "n", &limits, &err), AN_ERR_ARG);
    assert_int_equal(an_image_create(&image, NULL, 5, 0, &err), AN_ERR_ARG);
    assert_int_equal(an_image_create(&image, NULL, 5, 65536, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "image of 65536 x 5 pixels; each must be 1 to 65535");
    assert_int_equal(an_resize_u8(a, 1, 1, 0, b, 1, 1, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "resize: channels is 0; it must be 1 to 4");
    for (int64_t n = 0; n < 2; n++) {
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        assert_int_equal(an_image_create(&image, NULL, 5, 5, &err), AN_ERR_NOMEM);
        ani_fault_disarm();
        assert_null(image);
    }
}

/* --- limits ---------------------------------------------------------------------------------- */

static void huge_sizes_are_refused_before_memory_is_taken(void **state) {
    (void)state;
    struct file jpeg = make_jpeg(16, 16, BASELINE), png = make_png(16, 16);
    const int64_t frame = find_marker(&jpeg, 0xc0, 0);
    put_big(jpeg.bytes + frame + 5, 65500u << 16 | 65500u);
    set_png_size(&png, 65500, 65500);
    const char *message = "image 'x.jpg' is too large: 65500 x 65500 pixels take 12870750000 "
                          "bytes; max_memory is 1073741824";
    ani_fault_arm(ANI_FAULT_ALLOC, INT64_MAX, ENOMEM, false);
    expect_decode(&jpeg, AN_ERR_UNSUPPORTED, message);
    assert_int_equal(ani_fault_calls(ANI_FAULT_ALLOC), 0);
    expect_decode(&png, AN_ERR_UNSUPPORTED, message);
    assert_true(ani_fault_calls(ANI_FAULT_ALLOC) <= 3); /* libpng's own */
    ani_fault_disarm();
    set_png_size(&png, 0x7fffffff, 0x7fffffff);
    expect_decode(&png, AN_ERR_UNSUPPORTED,
                  "image 'x.jpg' is too large: 2147483647 x 2147483647 pixels take "
                  "9223372036854775807 bytes; max_memory is 1073741824");
    put_big(jpeg.bytes + frame + 5, 0);
    an_error err;
    assert_int_equal(decode(&jpeg, &err), AN_ERR_FORMAT);
    set_png_size(&png, 0, 1);
    assert_int_equal(decode(&png, &err), AN_ERR_FORMAT);
    free(jpeg.bytes);
    free(png.bytes);
}

static void memory_is_limited(void **state) {
    (void)state;
    an_error err;
    an_image *image;
    an_image_limits limits;
    an_image_limits_init(&limits, sizeof limits);
    struct file jpeg = make_jpeg(200, 200, PROGRESSIVE);
    limits.max_memory = 200 * 200 * 3 - 1;
    assert_int_equal(an_image_decode(&image, jpeg.bytes, jpeg.size, "x.jpg", &limits, &err),
                     AN_ERR_UNSUPPORTED);
    assert_string_equal(
        err.message,
        "image 'x.jpg' is too large: 200 x 200 pixels take 120000 bytes; max_memory is 119999");
    limits.max_memory = 200 * 200 * 3 + 1000; /* not enough for the coefficients */
    assert_int_equal(an_image_decode(&image, jpeg.bytes, jpeg.size, "x.jpg", &limits, &err),
                     AN_ERR_UNSUPPORTED);
    assert_string_equal(err.message, "image 'x.jpg' is too large: decoding it takes more than "
                                     "max_memory, 121000 bytes");
    limits.max_memory = 1 << 20;
    assert_int_equal(an_image_decode(&image, jpeg.bytes, jpeg.size, "x.jpg", &limits, &err), AN_OK);
    an_image_destroy(image);
    free(jpeg.bytes);
}

/* A grey image without a structure: as few bytes as a format can do with. */
static struct file make_flat_jpeg(int64_t height, int64_t width, int kind) {
    struct file file = {0};
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    unsigned long size = 0;
    uint8_t *row = malloc((size_t)width);
    assert_non_null(row);
    memset(row, 128, (size_t)width);
    cinfo.err = jpeg_std_error(&errors);
    jpeg_create_compress(&cinfo);
    jpeg_mem_dest(&cinfo, &file.bytes, &size);
    cinfo.image_height = (JDIMENSION)height;
    cinfo.image_width = (JDIMENSION)width;
    cinfo.input_components = 1;
    cinfo.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&cinfo);
    cinfo.optimize_coding = TRUE;
    if (kind == PROGRESSIVE) jpeg_simple_progression(&cinfo);
    jpeg_start_compress(&cinfo, TRUE);
    while (cinfo.next_scanline < cinfo.image_height)
        jpeg_write_scanlines(&cinfo, &row, 1);
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    free(row);
    file.size = (int64_t)size;
    return file;
}

/* 12000 x 9000, as phones make. The limit is one of memory: 3 bytes a pixel. */
static void a_photo_of_108_megapixels_is_decoded(void **state) {
    (void)state;
    enum { HEIGHT = 9000, WIDTH = 12000, SIDE = 8 };
    an_error err = {0};
    an_image *image = NULL;
    an_image_limits limits;
    uint8_t rgb[SIDE * SIDE * 3];
    ani_pixels pixels;
    struct file jpeg = make_flat_jpeg(HEIGHT, WIDTH, BASELINE);
    an_image_limits_init(&limits, sizeof limits);
    if (an_image_decode(&image, jpeg.bytes, jpeg.size, "x.jpg", &limits, &err))
        fail_msg("%s", err.message);
    assert_int_equal(an_image_height(image), HEIGHT);
    assert_int_equal(an_image_width(image), WIDTH);
    assert_int_equal(an_image_data(image)[(int64_t)HEIGHT * WIDTH * 3 - 1], 128);
    an_image_destroy(image);
    ani_pixels_init(&pixels, 0);
    if (ani_image_decode_to(rgb, SIDE, SIDE, &pixels, jpeg.bytes, jpeg.size, "x.jpg", NULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(rgb[SIDE * SIDE * 3 - 1], 128);
    limits.max_memory = (int64_t)HEIGHT * WIDTH * 3 - 1;
    assert_int_equal(an_image_decode(&image, jpeg.bytes, jpeg.size, "x.jpg", &limits, &err),
                     AN_ERR_UNSUPPORTED);
    assert_string_equal(err.message, "image 'x.jpg' is too large: 12000 x 9000 pixels take "
                                     "324000000 bytes; max_memory is 323999999");
    free(jpeg.bytes);
}

/* A header of a few bytes that claims many pixels costs nothing; what really compresses so well is
 * read. */
static void pixels_that_a_file_cannot_hold_are_refused(void **state) {
    (void)state;
    static const int kinds[] = {BASELINE, PROGRESSIVE};
    static const uint8_t markers[] = {0xc0, 0xc2};
    static const int64_t least[] = {421875, 210937}; /* two bits a block, and one */
    char message[128];
    for (int i = 0; i < 2; i++) {
        struct file flat = make_flat_jpeg(1600, 1600, kinds[i]);
        assert_true(flat.size < 40000); /* 1600 * 1600 / 64 * 2 / 8 = 10000 at least */
        expect_decode(&flat, AN_OK, NULL);
        const int64_t frame = find_marker(&flat, markers[i], 0);
        put_big(flat.bytes + frame + 5, 9000u << 16 | 12000u);
        ani_fault_arm(ANI_FAULT_ALLOC, INT64_MAX, ENOMEM, false);
        snprintf(
            message, sizeof message,
            "image 'x.jpg' is damaged: it has %lld bytes; 12000 x 9000 pixels take at least %lld",
            (long long)flat.size, (long long)least[i]);
        expect_decode(&flat, AN_ERR_FORMAT, message);
        assert_int_equal(ani_fault_calls(ANI_FAULT_ALLOC), 0);
        ani_fault_disarm();
        free(flat.bytes);
    }
    an_image *black;
    const char *path = folder_path(test_folder, "black.png");
    assert_int_equal(an_image_create(&black, NULL, 1600, 1600, NULL), AN_OK);
    assert_int_equal(an_image_write_png(black, path, NULL), AN_OK);
    struct file png = {0};
    png.bytes = folder_read(path, &png.size);
    assert_true(png.size < 8500); /* 1600 * 1600 * 3 / 1032 = 7442 at least */
    expect_decode(&png, AN_OK, NULL);
    set_png_size(&png, 9000, 12000);
    snprintf(message, sizeof message,
             "image 'x.jpg' is damaged: it has %lld bytes; 12000 x 9000 pixels take at least "
             "313944",
             (long long)png.size);
    expect_decode(&png, AN_ERR_FORMAT, message);
    an_image_destroy(black);
    free(png.bytes);
}

/* A side that no resize takes is the file's fault, not the caller's. */
static void a_side_too_long_to_resize_is_named(void **state) {
    (void)state;
    uint8_t rgb[3];
    an_error err = {0};
    ani_pixels pixels;
    struct file png = make_png(1, 65535);
    ani_pixels_init(&pixels, 0);
    if (ani_image_decode_to(rgb, 1, 1, &pixels, png.bytes, png.size, "x.png", NULL, &err))
        fail_msg("%s", err.message);
    free(png.bytes);
    an_image *image = NULL;
    assert_int_equal(ani_image_alloc(&image, 1, 65536, "x", NULL), AN_OK);
    memset(an_image_data(image), 0, 65536 * 3);
    const char *path = folder_path(test_folder, "long.png");
    assert_int_equal(an_image_write_png(image, path, NULL), AN_OK);
    an_image_destroy(image);
    png.bytes = folder_read(path, &png.size);
    assert_int_equal(
        ani_image_decode_to(rgb, 1, 1, &pixels, png.bytes, png.size, "x.png", NULL, &err),
        AN_ERR_UNSUPPORTED);
    assert_string_equal(err.message, "image 'x.png' has 65536 x 1 pixels; a side of at most 65535 "
                                     "can be resized");
    free(png.bytes);
}

static void scans_are_limited(void **state) {
    (void)state;
    struct file jpeg = make_jpeg(16, 16, PROGRESSIVE);
    /* the first scan, of which more of the same change nothing */
    const int64_t scan = find_marker(&jpeg, 0xda, 0), end = find_marker(&jpeg, 0xc4, scan);
    const int64_t size = end - scan;
    struct file many = {malloc((size_t)(jpeg.size + 2000 * size)), jpeg.size + 2000 * size};
    memcpy(many.bytes, jpeg.bytes, (size_t)end);
    for (int i = 0; i < 2000; i++)
        memcpy(many.bytes + end + i * size, jpeg.bytes + scan, (size_t)size);
    memcpy(many.bytes + end + 2000 * size, jpeg.bytes + end, (size_t)(jpeg.size - end));
    expect_decode(&many, AN_ERR_UNSUPPORTED, "image 'x.jpg' has more than 500 scans, the limit");
    expect_decode(&jpeg, AN_OK, NULL);
    free(many.bytes);
    free(jpeg.bytes);
}

/* --- damage ---------------------------------------------------------------------------------- */

static void expect_all_cuts_refused(struct file file, const char *what) {
    expect_decode(&file, AN_OK, NULL);
    for (int64_t size = 0; size < file.size; size++) {
        an_error err = {0};
        struct file cut = {malloc((size_t)size + 1), size}; /* its own end: guarded by ASan */
        memcpy(cut.bytes, file.bytes, (size_t)size);
        const an_status st = decode(&cut, &err);
        if (st != AN_ERR_FORMAT)
            fail_msg("%s cut to %lld of %lld bytes: %s: %s", what, (long long)size,
                     (long long)file.size, an_status_name(st), err.message);
        if (!strstr(err.message, "'x.jpg'")) fail_msg("'%s' names no file", err.message);
        free(cut.bytes);
    }
    free(file.bytes);
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    expect_all_cuts_refused(make_jpeg(19, 21, BASELINE), "baseline");
    expect_all_cuts_refused(make_jpeg(19, 21, PROGRESSIVE), "progressive");
    expect_all_cuts_refused(make_jpeg(9, 9, GREY), "grey");
    expect_all_cuts_refused(make_png(7, 9), "PNG");
}

/* A changed byte may go unnoticed in a JPEG, which has no checksum; it must do no harm. */
static void changed_bytes_do_no_harm(void **state) {
    (void)state;
    const uint8_t changes[] = {0x01, 0x10, 0x80, 0xff};
    struct file files[] = {make_jpeg(19, 21, BASELINE), make_jpeg(19, 21, PROGRESSIVE),
                           make_jpeg(9, 9, GREY), make_png(7, 9)};
    for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
        struct file *file = &files[k];
        for (int64_t at = 0; at < file->size; at++)
            for (size_t i = 0; i < sizeof changes; i++) {
                an_error err = {0};
                file->bytes[at] ^= changes[i];
                const an_status st = decode(file, &err);
                if (st && st != AN_ERR_FORMAT && st != AN_ERR_UNSUPPORTED)
                    fail_msg("byte %lld: %s", (long long)at, an_status_name(st));
                if (st && !strstr(err.message, "'x.jpg'")) fail_msg("'%s'", err.message);
                file->bytes[at] ^= changes[i];
            }
        free(file->bytes);
    }
}

static void left_over_bytes_of_a_scan_are_judged(void **state) {
    (void)state;
    struct file jpeg = make_jpeg(16, 16, BASELINE);
    const struct file two = insert(&jpeg, jpeg.size - 2, "ab", 2);
    const struct file ten = insert(&jpeg, jpeg.size - 2, "abcdefghij", 10);
    const struct file header = insert(&jpeg, find_marker(&jpeg, 0xdb, 0), "abcdefghij", 10);
    const struct file behind = insert(&jpeg, jpeg.size, "trailing", 8);
    expect_decode(&two, AN_OK, NULL); /* some encoders leave them */
    expect_decode(&header, AN_OK, NULL);
    expect_decode(&behind, AN_OK, NULL);
    an_error err;
    assert_int_equal(decode(&ten, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "extraneous bytes before marker 0xd9"));
    free(two.bytes);
    free(ten.bytes);
    free(header.bytes);
    free(behind.bytes);
    free(jpeg.bytes);
}

/* The last chunk of a PNG holds nothing: OpenCV 4.12 and Pillow read files in which its checksum
 * alone is wrong. Nothing else may be. */
static void a_wrong_checksum_of_iend_alone_is_no_damage(void **state) {
    (void)state;
    an_image *image = NULL;
    struct file png = make_png(7, 9);
    assert_memory_equal(png.bytes + png.size - 12, "\0\0\0\0IEND", 8);
    an_image *want = make_image(7, 9);
    for (int64_t at = png.size - 4; at < png.size; at++) {
        png.bytes[at] ^= 1;
        assert_int_equal(an_image_decode(&image, png.bytes, png.size, "x", NULL, NULL), AN_OK);
        assert_memory_equal(an_image_data(image), an_image_data(want), 7 * 9 * 3);
        an_image_destroy(image);
    }
    an_image_destroy(want);
    struct file behind = insert(&png, png.size, "trailing", 8);
    expect_decode(&behind, AN_OK, NULL);
    free(behind.bytes);
    /* with a right one and with a wrong one: checksums of IHDR and IDAT, lengths, names */
    for (int wrong = 0; wrong < 2; wrong++) {
        an_error err;
        for (int i = 0; i < 4; i++)
            png.bytes[png.size - 4 + i] = (uint8_t)("\xae\x42\x60\x82"[i] ^ wrong);
        expect_decode(&png, AN_OK, NULL);
        const int64_t places[] = {29, 32, png.size - 16, png.size - 13, png.size - 8};
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            png.bytes[places[i]] ^= 1;
            assert_int_equal(decode(&png, &err), AN_ERR_FORMAT);
            png.bytes[places[i]] ^= 1;
        }
        /* a chunk of pixels too many, empty, with a wrong checksum */
        struct file more = insert(&png, png.size - 12, "\0\0\0\0IDAT\0\0\0\0", 12);
        assert_int_equal(decode(&more, &err), AN_ERR_FORMAT);
        free(more.bytes);
        /* content of a chunk that looks like an end */
        struct file text = insert(&png, 33, "\0\0\0\x08prIV\0\0\0\0IEND\0\0\0\0", 20);
        text.bytes[text.size - 16] ^= 1;
        assert_int_equal(decode(&text, &err), AN_ERR_FORMAT);
        free(text.bytes);
        for (int64_t cut = 1; cut <= 12; cut++) {
            const struct file shorter = {png.bytes, png.size - cut};
            assert_int_equal(decode(&shorter, &err), AN_ERR_FORMAT);
        }
    }
    free(png.bytes);
}

/* Files that people have under the names of images: what they are, and what to do. */
static void other_formats_are_named(void **state) {
    (void)state;
#define BYTES(text) text, sizeof text - 1
    static const struct {
        const char *bytes;
        int64_t size;
        an_status status;
        const char *message;
    } cases[] = {
        {BYTES("\0\0\0\x18"
               "ftypheic\0\0\0\0mif1heic"),
         AN_ERR_UNSUPPORTED,
         "image 'x.jpg' is HEIC; only JPEG and PNG are read: convert it, for example with "
         "'heif-convert FILE FILE.jpg'"},
        {BYTES("\0\0\0\x18"
               "ftypmif1\0\0\0\0mif1heic"),
         AN_ERR_UNSUPPORTED, "image 'x.jpg' is HEIC; "},
        {BYTES("\0\0\0\x1c"
               "ftypmif1\0\0\0\0mif1miafavif"),
         AN_ERR_UNSUPPORTED, "image 'x.jpg' is AVIF; "},
        {BYTES("\0\0\0\x0c"
               "ftypavif"),
         AN_ERR_UNSUPPORTED, "image 'x.jpg' is AVIF; "},
        /* a brand behind the box is none of its brands */
        {BYTES("\0\0\0\x14"
               "ftypisom\0\0\0\0mp41avif"),
         AN_ERR_FORMAT, "'x.jpg' is not an image: it is an MP4 or QuickTime video"},
        {BYTES("\xff\xff\xff\xff"
               "ftypcrx "),
         AN_ERR_UNSUPPORTED, "image 'x.jpg' is a camera's raw image; "},
        {BYTES("RIFF\x10\0\0\0WEBPVP8 "), AN_ERR_UNSUPPORTED,
         "image 'x.jpg' is WebP; only JPEG and PNG are read: convert it, for example with 'dwebp "
         "FILE -o FILE.png'"},
        {BYTES("GIF89a"), AN_ERR_UNSUPPORTED,
         "image 'x.jpg' is GIF; only JPEG and PNG are read: convert it, for example with 'convert "
         "FILE FILE.png'"},
        {BYTES("GIF87a.."), AN_ERR_UNSUPPORTED, "image 'x.jpg' is GIF; "},
        {BYTES("BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\2\0\0\0\2\0\0\0"), AN_ERR_UNSUPPORTED,
         "image 'x.jpg' is BMP; "},
        {BYTES("BMW and other words of more than 26 bytes"), AN_ERR_FORMAT,
         "image 'x.jpg' is neither JPEG nor PNG"},
        {BYTES("II*\0\x08\0\0\0"), AN_ERR_UNSUPPORTED, "image 'x.jpg' is TIFF; "},
        {BYTES("MM\0*\0\0\0\x08"), AN_ERR_UNSUPPORTED, "image 'x.jpg' is TIFF; "},
        {BYTES("\xff\x0a\xfa"), AN_ERR_UNSUPPORTED, "image 'x.jpg' is JPEG XL; "},
        {BYTES("\0\0\0\x0cJXL \r\n\x87\n"), AN_ERR_UNSUPPORTED, "image 'x.jpg' is JPEG XL; "},
        {BYTES("\0\0\0\x0cjP  \r\n\x87\n"), AN_ERR_UNSUPPORTED, "image 'x.jpg' is JPEG 2000; "},
        {BYTES("%PDF-1.7"), AN_ERR_FORMAT, "'x.jpg' is not an image: it is a PDF document"},
        {BYTES("\n <!DOCTYPE html>"), AN_ERR_FORMAT, "'x.jpg' is not an image: it is an HTML page"},
        {BYTES("PK\3\4"), AN_ERR_FORMAT, "'x.jpg' is not an image: it is a zip archive"},
        {BYTES("version https://git-lfs.github.com/spec/v1\noid"), AN_ERR_FORMAT,
         "'x.jpg' is not an image: it is a pointer of Git LFS ('git lfs pull' fetches it)"},
        {BYTES("\x89PNG"), AN_ERR_FORMAT, "image 'x.jpg' is neither JPEG nor PNG"},
        {BYTES("\0\0\0\0\0\0\0\0"), AN_ERR_FORMAT, "image 'x.jpg' is neither JPEG nor PNG"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int64_t size = cases[i].size; size > 0; size--) { /* cut, no byte behind is read */
            an_error err = {0};
            struct file file = {malloc((size_t)size), size};
            memcpy(file.bytes, cases[i].bytes, (size_t)size);
            const an_status st = decode(&file, &err);
            if (size == cases[i].size &&
                (st != cases[i].status ||
                 strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0))
                fail_msg("case %zu: %s", i, err.message);
            assert_true(st == AN_ERR_FORMAT || st == AN_ERR_UNSUPPORTED);
            free(file.bytes);
        }
#undef BYTES
}

/* --- orientation ----------------------------------------------------------------------------- */

static void exif_garbage_is_as_stored(void **state) {
    (void)state;
    const uint8_t good[] = {'M',  'M', 0, 42, 0, 0, 0, 8, 0, 1, 1,
                            0x12, 0,   3, 0,  0, 0, 1, 0, 6, 0, 0};
    const uint8_t itself[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x69, 0x87, 4,
                              0,   1,   0,  0, 0, 8, 0, 0, 0, 8, 0,    0,    0};
    assert_int_equal(ani_exif_orientation(good, sizeof good), 6);
    for (int64_t size = 0; size < (int64_t)sizeof good; size++)
        assert_int_equal(ani_exif_orientation(good, size), 1);
    assert_int_equal(ani_exif_orientation(itself, sizeof itself), 1);
    uint8_t bad[sizeof good];
    uint32_t random = 3;
    for (int i = 0; i < 200000; i++) {
        memcpy(bad, good, sizeof good);
        for (int k = 0; k < 3; k++, random = random * 1664525 + 1013904223)
            bad[(random >> 16) % sizeof bad] = (uint8_t)(random >> 8);
        const int32_t orientation = ani_exif_orientation(bad, sizeof bad);
        assert_in_range(orientation, 1, 8);
    }
}

/* A first APP1 marker that is no EXIF, or too short to be: the image is as it is stored. */
static void other_app1_markers(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        int64_t size;
    } markers[] = {{"\xff\xe1\0\x05"
                    "Exi",
                    7},
                   {"\xff\xe1\0\x0a"
                    "http\0\0\0\0",
                    12},
                   {"\xff\xe1\0\x08"
                    "Exif\0\0",
                    10}};
    struct file jpeg = make_jpeg(8, 16, BASELINE);
    for (size_t i = 0; i < 3; i++) {
        struct file marked = insert(&jpeg, 2, markers[i].bytes, markers[i].size);
        an_image *image;
        assert_int_equal(an_image_decode(&image, marked.bytes, marked.size, "x", NULL, NULL),
                         AN_OK);
        assert_int_equal(an_image_height(image), 8);
        an_image_destroy(image);
        free(marked.bytes);
    }
    free(jpeg.bytes);
}

static void images_are_turned(void **state) {
    (void)state;
    /* the image ab/cd/ef as each orientation shows it, row by row */
    static const struct {
        int64_t height, width;
        const char *pixels;
    } want[9] = {{0, 0, ""},       {3, 2, "abcdef"}, {3, 2, "badcfe"},
                 {3, 2, "fedcba"}, {3, 2, "efcdab"}, {2, 3, "acebdf"},
                 {2, 3, "ecafdb"}, {2, 3, "fdbeca"}, {2, 3, "bdface"}};
    for (int32_t orientation = 1; orientation <= 8; orientation++) {
        an_image *image;
        assert_int_equal(an_image_create(&image, NULL, 3, 2, NULL), AN_OK);
        for (int i = 0; i < 18; i++)
            an_image_data(image)[i] = (uint8_t)("abcdef"[i / 3] + 10 * (i % 3));
        assert_int_equal(ani_image_turn(image, orientation, "x", NULL), AN_OK);
        assert_int_equal(an_image_height(image), want[orientation].height);
        assert_int_equal(an_image_width(image), want[orientation].width);
        for (int i = 0; i < 18; i++)
            assert_int_equal(an_image_const_data(image)[i],
                             want[orientation].pixels[i / 3] + 10 * (i % 3));
        an_image_destroy(image);
    }
}

static const uint8_t exif_turned[] = {'e', 'X',  'I', 'f', 'I', 'I', 42, 0, 8, 0, 0, 0, 1,
                                      0,   0x12, 1,   3,   0,   1,   0,  0, 0, 8, 0, 0, 0};

/* Put a chunk, its name and what is in it, at a place of a PNG. */
static struct file insert_chunk(const struct file *png, int64_t at, const uint8_t *content,
                                uint32_t size) {
    uint8_t chunk[64];
    put_big(chunk, size - 4);
    memcpy(chunk + 4, content, size);
    put_big(chunk + 4 + size, (uint32_t)crc32_z(0, content, size));
    return insert(png, at, chunk, size + 8);
}

static void png_orientation_is_read_and_texts_are_not(void **state) {
    (void)state;
    const uint8_t text[] = "zTXtkey\0\0this is no zlib data";
    struct file png = make_png(7, 9);
    const struct {
        const uint8_t *chunk;
        uint32_t size;
        int64_t height;
    } cases[] = {{exif_turned, sizeof exif_turned, 9}, {text, sizeof text - 1, 7}};
    for (int i = 0; i < 2; i++)
        for (int behind = 0; behind < 2; behind++) { /* before and behind the pixels */
            struct file more =
                insert_chunk(&png, behind ? png.size - 12 : 33, cases[i].chunk, cases[i].size);
            an_image *image;
            an_error err = {0};
            if (an_image_decode(&image, more.bytes, more.size, "x.png", NULL, &err))
                fail_msg("%s", err.message);
            assert_int_equal(an_image_height(image), cases[i].height);
            an_image_destroy(image);
            free(more.bytes);
        }
    free(png.bytes);
}

/* --- resize ---------------------------------------------------------------------------------- */

static void resize_checks_its_arguments(void **state) {
    (void)state;
    an_error err;
    uint8_t a[4] = {0}, b[4];
    assert_int_equal(an_resize_u8(a, 1, 1, 1, NULL, 1, 1, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "resize: dst is NULL");
    assert_int_equal(an_resize_u8(a, 1, 1, 1, b, 0, 1, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "resize: dst_height is 0; it must be 1 to 65535");
    assert_int_equal(an_resize_u8(a, 1, 65536, 1, b, 1, 1, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "resize: src_width is 65536; it must be 1 to 65535");
    assert_int_equal(an_resize_u8(a, 1, 1, 5, b, 1, 1, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "resize: channels is 5; it must be 1 to 4");
}

/* The formula of the specification, pixel by pixel. */
static void place(int64_t at, int64_t dst, int64_t src, bool clamp, int64_t *index, int32_t w[2]) {
    const double scale = 1.0 / ((double)dst / (double)src);
    float f = (float)(((double)at + 0.5) * scale - 0.5);
    *index = (int64_t)floorf(f);
    f -= (float)*index;
    if (clamp && *index < 0) *index = 0, f = 0;
    if (clamp && *index >= src - 1) *index = src - 1, f = 0;
    w[0] = (int32_t)rintf((1 - f) * 2048);
    w[1] = (int32_t)rintf(f * 2048);
}

static int64_t inside(int64_t index, int64_t length) {
    return index < 0 ? 0 : index >= length ? length - 1 : index;
}

static void resize_follows_its_formula(void **state) {
    (void)state;
    uint32_t random = 11;
#define RANDOM(n) ((int64_t)((random = random * 1664525 + 1013904223) >> 8) % (n) + 1)
    for (int round = 0; round < 400; round++) {
        const int64_t sh = RANDOM(30), sw = RANDOM(30), dh = RANDOM(30), dw = RANDOM(30);
        const int32_t channels = (int32_t)RANDOM(4);
        if ((sh == dh && sw == dw) || (sh == 2 * dh && sw == 2 * dw)) continue;
        /* exact sizes, so that ASan sees a byte too far */
        uint8_t *src = malloc((size_t)(sh * sw * channels));
        uint8_t *dst = malloc((size_t)(dh * dw * channels));
        for (int64_t i = 0; i < sh * sw * channels; i++)
            src[i] = round % 4 ? (uint8_t)RANDOM(256) : 255;
        assert_int_equal(an_resize_u8(src, sh, sw, channels, dst, dh, dw, NULL), AN_OK);
        for (int64_t y = 0; y < dh; y++)
            for (int64_t x = 0; x < dw; x++)
                for (int32_t c = 0; c < channels; c++) {
                    int64_t iy, ix;
                    int32_t wy[2], wx[2], v = 0;
                    place(y, dh, sh, false, &iy, wy);
                    place(x, dw, sw, true, &ix, wx);
                    for (int k = 0; k < 2; k++) {
                        const uint8_t *row = src + inside(iy + k, sh) * sw * channels;
                        const int32_t h = row[ix * channels + c] * wx[0] +
                                          row[inside(ix + 1, sw) * channels + c] * wx[1];
                        v += (wy[k] * (h >> 4)) >> 16;
                    }
                    assert_int_equal(dst[(y * dw + x) * channels + c], (v + 2) >> 2);
                }
        free(src);
        free(dst);
    }
}

static void exact_halves_are_means(void **state) {
    (void)state;
    const uint8_t src[2][4] = {{1, 2, 255, 255}, {3, 4, 255, 255}};
    uint8_t dst[2];
    assert_int_equal(an_resize_u8(src[0], 2, 4, 1, dst, 1, 2, NULL), AN_OK);
    assert_int_equal(dst[0], 3); /* 2.5 */
    assert_int_equal(dst[1], 255);
    assert_int_equal(an_resize_u8(src[0], 2, 2, 2, dst, 1, 1, NULL), AN_OK);
    assert_int_equal(dst[0], 128); /* 128.5; with two channels to the even number */
    assert_int_equal(an_resize_u8(src[0], 2, 1, 1, dst, 2, 1, NULL), AN_OK); /* same size */
    assert_memory_equal(dst, src[0], 2);
}

/* --- writing --------------------------------------------------------------------------------- */

static void png_gives_back_what_was_written(void **state) {
    (void)state;
    const int64_t sizes[][2] = {{1, 1}, {1, 77}, {53, 1}, {37, 23}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        an_error err = {0};
        an_image *image = make_image(sizes[i][0], sizes[i][1]), *back = NULL;
        const char *path = folder_path(test_folder, "a.png");
        if (an_image_write_png(image, path, &err) || an_image_read(&back, path, NULL, &err))
            fail_msg("%s", err.message);
        assert_int_equal(an_image_height(back), sizes[i][0]);
        assert_int_equal(an_image_width(back), sizes[i][1]);
        assert_memory_equal(an_image_data(back), an_image_data(image),
                            (size_t)(sizes[i][0] * sizes[i][1] * 3));
        an_image_destroy(image);
        an_image_destroy(back);
    }
}

static void expect_size(const struct file *file, int64_t size, int64_t height, int64_t width) {
    an_error err;
    int64_t h = 0, w = 0;
    if (an_image_measure(file->bytes, size, "an image", &h, &w, &err)) fail_msg("%s", err.message);
    assert_int_equal(h, height);
    assert_int_equal(w, width);
}

/* From the header, whatever comes behind it. */
static void images_are_measured_by_their_headers(void **state) {
    (void)state;
    an_error err;
    int64_t h = 7, w = 7;
    for (int kind = 0; kind < 4; kind++) {
        struct file file = kind < 3 ? make_jpeg(31, 45, kind) : make_png(31, 45);
        expect_size(&file, file.size, 31, 45);
        expect_size(&file, file.size - 40, 31, 45);
        assert_int_equal(an_image_measure(file.bytes, 20, "cut", &h, &w, &err), AN_ERR_FORMAT);
        assert_non_null(strstr(err.message, "'cut'"));
        assert_int_equal(an_image_measure(file.bytes, 0, NULL, &h, &w, &err), AN_ERR_FORMAT);
        assert_string_equal(err.message, "image 'in memory' is empty");
        if (kind == 3) {
            file.bytes[16] = 0xff; /* of the width */
            assert_int_equal(an_image_measure(file.bytes, file.size, "it", &h, &w, &err),
                             AN_ERR_FORMAT);
        }
        free(file.bytes);
    }
    assert_int_equal(an_image_measure("GIF89a..........", 16, "it", &h, &w, &err),
                     AN_ERR_UNSUPPORTED);
    assert_true(h == 7 && w == 7);
}

static void jpeg_comes_close_to_what_was_written(void **state) {
    (void)state;
    an_error err = {0};
    an_image *image, *back = NULL;
    assert_int_equal(an_image_create(&image, NULL, 40, 50, NULL), AN_OK);
    for (int y = 0; y < 40; y++)
        for (int x = 0; x < 50; x++)
            for (int c = 0; c < 3; c++) /* smooth, or 4:2:0 would blur it */
                an_image_data(image)[(y * 50 + x) * 3 + c] = (uint8_t)(2 * x + 3 * y + 20 * c);
    const char *path = folder_path(test_folder, "a.jpg");
    if (an_image_write_jpeg(image, path, 95, &err) || an_image_read(&back, path, NULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(an_image_height(back), 40);
    assert_int_equal(an_image_width(back), 50);
    for (int i = 0; i < 40 * 50 * 3; i++)
        assert_in_range(an_image_data(back)[i] - an_image_data(image)[i] + 8, 0, 16);
    an_image_destroy(back);
    int64_t size;
    an_bytes *bytes = NULL;
    uint8_t *file = folder_read(path, &size);
    assert_int_equal(an_image_encode_jpeg(&bytes, image, 95, &err), AN_OK);
    assert_int_equal(an_bytes_size(bytes), size);
    assert_memory_equal(an_bytes_data(bytes), file, size);
    an_bytes_destroy(bytes);
    free(file);
    assert_int_equal(an_image_write_jpeg(image, path, 0, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "write JPEG: quality is 0; it must be 1 to 100");
    assert_int_equal(an_image_write_jpeg(image, path, 101, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "write JPEG: quality is 101; it must be 1 to 100");
    assert_int_equal(an_image_write_jpeg(image, NULL, 90, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "write JPEG: path is NULL");
    assert_int_equal(an_image_write_jpeg(NULL, path, 90, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "write JPEG: image is NULL");
    assert_int_equal(an_image_write_png(image, NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "write PNG: path is NULL");
    assert_int_equal(an_image_write_png(NULL, path, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "write PNG: image is NULL");
    assert_int_equal(an_image_write_png(image, folder_path(test_folder, "no/a.png"), &err),
                     AN_ERR_IO);
    assert_int_equal(folder_count(test_folder), 1);
    an_image_destroy(image);
    assert_int_equal(an_image_create(&image, NULL, 1, 65535, NULL), AN_OK);
    assert_int_equal(an_image_write_jpeg(image, folder_path(test_folder, "b.jpg"), 90, &err),
                     AN_ERR_UNSUPPORTED); /* JPEG of libjpeg ends at 65500 */
    assert_int_equal(an_image_encode_jpeg(&bytes, image, 90, &err), AN_ERR_UNSUPPORTED);
    assert_null(bytes);
    assert_int_equal(folder_count(test_folder), 1);
    an_image_destroy(image);
}

static an_status write_and_read(const an_image *image, bool png, an_error *err) {
    an_image *back = NULL;
    const char *path = folder_path(test_folder, "a");
    an_status st =
        png ? an_image_write_png(image, path, err) : an_image_write_jpeg(image, path, 90, err);
    if (!st) st = an_image_read(&back, path, NULL, err);
    an_image_destroy(back);
    return st;
}

static void every_fault_is_reported(void **state) {
    (void)state;
    const struct {
        int kind, code;
    } faults[] = {{ANI_FAULT_ALLOC, ENOMEM}, {ANI_FAULT_OPEN, EMFILE}, {ANI_FAULT_READ, EIO},
                  {ANI_FAULT_WRITE, ENOSPC}, {ANI_FAULT_SYNC, EIO},    {ANI_FAULT_RENAME, EACCES}};
    an_image *image = make_image(400, 390); /* more than a writer's buffer */
    for (int png = 0; png < 2; png++)
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            for (int64_t n = 0;; n++) {
                an_error err = {0};
                ani_fault_arm(faults[i].kind, n, faults[i].code, false);
                const an_status st = write_and_read(image, png, &err);
                const bool reached = ani_fault_calls(faults[i].kind) > n;
                ani_fault_disarm();
                if (reached && st != AN_ERR_IO && st != AN_ERR_NOMEM)
                    fail_msg("fault %zu, call %lld: %s", i, (long long)n, an_status_name(st));
                if (reached) assert_true(strlen(err.message) > 10);
                if (!reached && st) fail_msg("%s", err.message);
                assert_true(folder_count(test_folder) <= 1); /* whole or not at all */
                if (!reached) break;
            }
    an_image_destroy(image);
    /* an image that is turned takes memory twice */
    struct file jpeg = make_jpeg(8, 16, BASELINE);
    const uint8_t exif[] = "\xff\xe1\0\x1e"
                           "Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0";
    struct file turned = insert(&jpeg, 2, exif, sizeof exif - 1);
    expect_decode(&turned, AN_OK, NULL);
    for (int64_t n = 0; n < 4; n++) {
        an_error err;
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        assert_int_equal(decode(&turned, &err), AN_ERR_NOMEM);
        ani_fault_disarm();
    }
    free(jpeg.bytes);
    free(turned.bytes);
    /* without memory for its orientation alone an image is not read as if it had none */
    struct file png = make_png(7, 9);
    struct file other = insert_chunk(&png, 33, exif_turned, sizeof exif_turned);
    bool reached = true;
    for (int64_t n = 0; reached; n++) {
        an_error err = {0};
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = decode(&other, &err);
        reached = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        if (st != (reached ? AN_ERR_NOMEM : AN_OK))
            fail_msg("allocation %lld: %s: %s", (long long)n, an_status_name(st), err.message);
    }
    free(png.bytes);
    free(other.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(misuse_is_told),
        cmocka_unit_test(sizes_that_overflow),
        cmocka_unit_test(other_app1_markers),
        unit_test_in_folder(huge_sizes_are_refused_before_memory_is_taken),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(a_photo_of_108_megapixels_is_decoded),
        unit_test_in_folder(pixels_that_a_file_cannot_hold_are_refused),
        unit_test_in_folder(a_side_too_long_to_resize_is_named),
        cmocka_unit_test(scans_are_limited),
        unit_test_in_folder(every_truncation_is_refused),
        unit_test_in_folder(changed_bytes_do_no_harm),
        cmocka_unit_test(left_over_bytes_of_a_scan_are_judged),
        unit_test_in_folder(a_wrong_checksum_of_iend_alone_is_no_damage),
        cmocka_unit_test(other_formats_are_named),
        cmocka_unit_test(exif_garbage_is_as_stored),
        cmocka_unit_test(images_are_turned),
        unit_test_in_folder(png_orientation_is_read_and_texts_are_not),
        cmocka_unit_test(resize_checks_its_arguments),
        cmocka_unit_test(resize_follows_its_formula),
        cmocka_unit_test(exact_halves_are_means),
        unit_test_in_folder(png_gives_back_what_was_written),
        unit_test_in_folder(images_are_measured_by_their_headers),
        unit_test_in_folder(jpeg_comes_close_to_what_was_written),
        unit_test_in_folder(every_fault_is_reported),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
