/* SPDX-License-Identifier: MIT
 * Golden topic frames: pixels of every format become OpenCV's RGB to the bit, as a whole and as a
 * region that is resized, and so do all triples of YUV that there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <attractivenet/kinds.h>

#include "io/sha256.h"
#include "predict/frame.h"
#include "support/golden.h"

int golden_frames(void);

static const char path_of_data[] = "frames/frames.safetensors";
static const char *const names[] = {
    [AN_FORMAT_BGR] = "BGR",   [AN_FORMAT_RGBA] = "RGBA", [AN_FORMAT_BGRA] = "BGRA",
    [AN_FORMAT_GREY] = "GREY", [AN_FORMAT_NV12] = "NV12", [AN_FORMAT_YUYV] = "YUYV"};
enum { FORMATS = AN_FORMAT_YUYV + 1 };

/* Read one frame as RGB of a size. */
static void read_frame(ani_frames *frame, int64_t height, int64_t width, uint8_t *rgb) {
    ani_frame_reader reader;
    an_error err;
    frame->count = 1;
    if (ani_frame_reader_init(&reader, height, width, &err) ||
        ani_frame_reader_begin(&reader, frame, &err))
        fail_msg("%s", err.message);
    ani_frame_reader_read(&reader, frame, 0, rgb);
    ani_frame_reader_clear(&reader);
}

static void expect_frame(const char *what, ani_frames frame, const st_array *want) {
    uint8_t *got = malloc((size_t)want->count);
    read_frame(&frame, want->shape[0], want->shape[1], got);
    expect_bytes(what, got, want->data, want->count);
    free(got);
}

static void formats_become_opencv_s_rgb(void **state) {
    (void)state;
    const char *path = golden_path(path_of_data);
    if (!path) skip();
    st_file *file = st_open(path);
    int64_t cases = 0;
    for (int32_t format = AN_FORMAT_BGR; format < FORMATS; format++)
        for (int i = 0; i < 5; i++, cases++) {
            const char *name = names[format];
            const st_array *rgb = st_find(file, "%s.%d.rgb", name, i);
            const st_array *region = st_find(file, "%s.%d.region", name, i);
            assert_true(rgb && region);
            ani_frames frame = {.first = st_find(file, "%s.%d.frame", name, i)->data,
                                .height = rgb->shape[0],
                                .width = rgb->shape[1],
                                .format = format};
            expect_frame(rgb->name, frame, rgb);
            frame.region = (ani_region){(int64_t)st_value(region, 0), (int64_t)st_value(region, 1),
                                        (int64_t)st_value(region, 2), (int64_t)st_value(region, 3)};
            expect_frame(region->name, frame, st_find(file, "%s.%d.resized", name, i));
        }
    assert_int_equal(cases, 30);
    st_close(file);
}

/* Every Y, U and V: the hash of OpenCV's RGB of all is known, and NV12 has the same pixels twice.
 */
static void all_triples_are_opencv_s(void **state) {
    (void)state;
    enum { ALL = 256 };
    static uint8_t yuyv[ALL][ALL][2], rgb[ALL][ALL][3], nv12[3 * ALL][ALL], twice[2 * ALL][ALL][3];
    const char *path = golden_path(path_of_data);
    if (!path) skip();
    st_file *file = st_open(path);
    char hash[65];
    ani_sha256 sha;
    ani_sha256_begin(&sha);
    for (int u = 0; u < ALL; u++) {
        for (int v = 0; v < ALL; v++)
            for (int y = 0; y < ALL; y++) {
                yuyv[v][y][0] = nv12[2 * v][y] = nv12[2 * v + 1][y] = (uint8_t)y;
                yuyv[v][y][1] = nv12[2 * ALL + v][y] = (uint8_t)(y % 2 ? v : u);
            }
        ani_frames frame = {
            .first = &yuyv[0][0][0], .height = ALL, .width = ALL, .format = AN_FORMAT_YUYV};
        read_frame(&frame, ALL, ALL, &rgb[0][0][0]);
        ani_sha256_add(&sha, rgb, sizeof rgb);
        frame = (ani_frames){
            .first = &nv12[0][0], .height = 2 * ALL, .width = ALL, .format = AN_FORMAT_NV12};
        read_frame(&frame, 2 * ALL, ALL, &twice[0][0][0]);
        for (int v = 0; v < ALL; v++)
            if (memcmp(twice[2 * v], rgb[v], sizeof rgb[v]) ||
                memcmp(twice[2 * v + 1], rgb[v], sizeof rgb[v]))
                fail_msg("NV12 and YUYV differ where U is %d and V is %d", u, v);
    }
    ani_sha256_end(&sha, hash);
    assert_string_equal(hash, json_string_value(json_object_get(file->metadata, "sha256_of_all")));
    st_close(file);
}

int golden_frames(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_become_opencv_s_rgb),
        cmocka_unit_test(all_triples_are_opencv_s),
    };
    return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
