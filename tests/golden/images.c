/* SPDX-License-Identifier: MIT
 * Golden topic images: every file of images/files decodes to OpenCV's pixels or is refused, every
 * resize of images/resize.safetensors and every whole preprocessing of
 * images/preprocess.safetensors is the same to the bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/io.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/memory.h"
#include "io/image.h"
#include "support/golden.h"

int golden_images(void);

/* A file that OpenCV only half understands: an error is better than its image. */
static bool is_damaged(const char *name) {
    return !strncmp(name, "cut_", 4) || !strncmp(name, "corrupt_", 8);
}

static const char *file_path(const char *name) {
    char relative[512];
    snprintf(relative, sizeof relative, "images/files/%s", name);
    const char *path = golden_path(relative);
    if (!path) fail_msg("'%s' is in the report, but not in the folder", name);
    return path;
}

static void expect_image(const char *name, const an_image *image, const st_array *want) {
    assert_int_equal(want->rank, 3);
    if (an_image_height(image) != want->shape[0] || an_image_width(image) != want->shape[1])
        fail_msg("%s: %lld x %lld pixels, expected %lld x %lld", name,
                 (long long)an_image_width(image), (long long)an_image_height(image),
                 (long long)want->shape[1], (long long)want->shape[0]);
    expect_bytes(name, an_image_const_data(image), want->data, want->count);
}

/* Decoding and resizing at once gives what one after the other gives: the pixels, or the error. */
static void expect_direct(const char *name, const an_image *image, an_status want_status) {
    const int64_t height = image ? an_image_height(image) : 40;
    const int64_t width = image ? an_image_width(image) : 40;
    const int64_t sizes[][2] = {{height, width}, {(height + 1) / 2, width / 2 + 1}, {53, 37}};
    uint8_t *bytes = NULL;
    int64_t size;
    ani_pixels pixels;
    ani_pixels_init(&pixels, ani_cpu_mask(NULL));
    assert_int_equal(ani_file_read_all(file_path(name), 1 << 30, &bytes, &size, NULL), AN_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int64_t h = sizes[i][0], w = sizes[i][1];
        uint8_t *want = malloc((size_t)(h * w * 3)), *got = malloc((size_t)(h * w * 3));
        const an_status st = ani_image_decode_to(got, h, w, &pixels, bytes, size, name, NULL, NULL);
        if (st != want_status) fail_msg("%s at once: status %d, not %d", name, st, want_status);
        if (image) {
            assert_int_equal(
                an_resize_u8(an_image_const_data(image), height, width, 3, want, h, w, NULL),
                AN_OK);
            expect_bytes(name, got, want, h * w * 3);
        }
        free(want);
        free(got);
    }
    ani_free(bytes);
}

static void files_decode_as_opencv_does(void **state) {
    (void)state;
    const char *report_path = golden_path("images/report.json");
    const char *decoded_path = golden_path("images/decoded_rgb.safetensors");
    if (!report_path || !decoded_path) skip();
    json_t *report = golden_json(report_path);
    st_file *decoded = st_open(decoded_path);
    const char *name;
    json_t *facts;
    int64_t equal = 0, refused = 0;
    json_object_foreach(json_object_get(report, "files"), name, facts) {
        an_image *image = NULL;
        an_error err = {0};
        const an_status st = an_image_read(&image, file_path(name), NULL, &err);
        const bool decodes = json_is_true(json_object_get(facts, "decodes"));
        if (st) {
            assert_null(image);
            if (decodes && !is_damaged(name)) fail_msg("%s", err.message);
            assert_int_equal(st, AN_ERR_FORMAT);
            if (!strstr(err.message, name)) fail_msg("'%s' does not name the file", err.message);
            refused++;
        } else {
            const st_array *want = st_find(decoded, "%s", name);
            if (!decodes || !want) fail_msg("'%s' should have been refused", name);
            expect_image(name, image, want);
            equal++;
        }
        expect_direct(name, image, st);
        an_image_destroy(image);
    }
    print_message("%lld files equal, %lld refused\n", (long long)equal, (long long)refused);
    assert_true(equal > 0);
    st_close(decoded);
    json_decref(report);
}

static void resize_is_opencv_s(void **state) {
    (void)state;
    const char *path = golden_path("images/resize.safetensors");
    if (!path) skip();
    st_file *file = st_open(path);
    int64_t cases = 0;
    for (int64_t i = 0; i < file->count; i++) {
        const st_array *src = &file->arrays[i];
        const char *end = strrchr(src->name, '.');
        if (!end || strcmp(end, ".src") != 0) continue;
        const st_array *dst = st_find(file, "%.*s.dst", (int)(end - src->name), src->name);
        assert_non_null(dst);
        assert_int_equal(src->rank, 3);
        assert_int_equal(dst->rank, 3);
        an_error err = {0};
        uint8_t *got = malloc((size_t)dst->count);
        if (an_resize_u8(src->data, src->shape[0], src->shape[1], (int32_t)src->shape[2], got,
                         dst->shape[0], dst->shape[1], &err))
            fail_msg("%s", err.message);
        expect_bytes(src->name, got, dst->data, dst->count);
        free(got);
        cases++;
    }
    assert_true(cases > 0);
    st_close(file);
}

/* Keys are FILE.SIZE. */
static void preprocessing_is_opencv_s(void **state) {
    (void)state;
    const char *path = golden_path("images/preprocess.safetensors");
    if (!path) skip();
    st_file *file = st_open(path);
    for (int64_t i = 0; i < file->count; i++) {
        const st_array *want = &file->arrays[i];
        char name[256];
        snprintf(name, sizeof name, "%s", want->name);
        char *end = strrchr(name, '.');
        assert_non_null(end);
        *end = 0;
        an_error err = {0};
        an_image *image = NULL, *resized = NULL;
        if (an_image_read(&image, file_path(name), NULL, &err) ||
            an_image_create(&resized, NULL, want->shape[0], want->shape[1], &err) ||
            an_resize_u8(an_image_data(image), an_image_height(image), an_image_width(image), 3,
                         an_image_data(resized), want->shape[0], want->shape[1], &err))
            fail_msg("%s", err.message);
        expect_image(want->name, resized, want);
        an_image_destroy(image);
        an_image_destroy(resized);
    }
    st_close(file);
}

int golden_images(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_decode_as_opencv_does),
        cmocka_unit_test(resize_is_opencv_s),
        cmocka_unit_test(preprocessing_is_opencv_s),
    };
    return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
