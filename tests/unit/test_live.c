/* SPDX-License-Identifier: MIT
 * live: sources without FFmpeg (folders, JPEG and raw frames in files and pipes), the newest frame
 * and every frame, pace, damage and cancellation; and folders as sinks, with what is drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <attractivenet/attractivenet.h>

#include "base/clock.h"
#include "base/fault.h"
#include "config.h"
#include "live/jpeg_scan.h"
#include "live/screen.h"
#include "live/trail.h"
#include "support/data.h"
#include "support/folder.h"
#include "support/sanitizers.h"
#include "support/sources.h"
#include "support/test_folder.h"

/* fontconfig keeps what it has read of the system's fonts until the process ends */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libfontconfig\n";
}

enum { HEIGHT = 48, WIDTH = 64, SIZE = HEIGHT * WIDTH * 3, FRAMES = 6 };

static an_error err;
static an_frame frame;

static int set_up(void **state) {
    an_frame_init(&frame, sizeof frame);
    memset(&err, 0, sizeof err);
    return test_folder_make(state);
}

static void need(an_status st) {
    if (st) fail_msg("%s: %s", an_status_name(st), st < 0 ? err.message : "");
}

static void write_drawn(const char *name, int64_t number, int64_t height, int64_t width) {
    an_image *image = NULL;
    need(an_image_create(&image, NULL, height, width, &err));
    data_draw(an_image_data(image), height, width, number);
    const char *path = folder_path(test_folder, name);
    need(strstr(name, ".png") ? an_image_write_png(image, path, &err)
                              : an_image_write_jpeg(image, path, 90, &err));
    an_image_destroy(image);
}

/** Bytes to be read as frames. */
typedef struct bytes {
    uint8_t *data;
    int64_t size;
} bytes;

static void append(bytes *to, const void *data, int64_t size) {
    to->data = realloc(to->data, (size_t)(to->size + size));
    assert_non_null(to->data);
    memcpy(to->data + to->size, data, (size_t)size);
    to->size += size;
}

/* One drawn JPEG, from its file. */
static bytes jpeg(int64_t number) {
    bytes one = {0};
    write_drawn("one.jpg", number, HEIGHT, WIDTH);
    const char *path = folder_path(test_folder, "one.jpg");
    one.data = folder_read(path, &one.size);
    assert_int_equal(unlink(path), 0);
    return one;
}

static void append_jpeg(bytes *to, int64_t number) {
    const bytes one = jpeg(number);
    append(to, one.data, one.size);
    free(one.data);
}

/* Write frames one after the other; returns the path. */
static const char *write_frames(const char *name, int64_t count) {
    bytes all = {0};
    for (int64_t i = 0; i < count; i++)
        append_jpeg(&all, i);
    const char *path = folder_path(test_folder, name);
    folder_write(path, all.data, all.size);
    free(all.data);
    return path;
}

/* The frame must be what the image decoder makes of the drawn JPEG. */
static void assert_drawn(int64_t number) {
    const bytes one = jpeg(number);
    an_image *image = NULL;
    need(an_image_decode(&image, one.data, one.size, "drawn", NULL, &err));
    assert_int_equal(frame.height, an_image_height(image));
    assert_int_equal(frame.width, an_image_width(image));
    assert_memory_equal(frame.rgb, an_image_const_data(image), SIZE);
    an_image_destroy(image);
    free(one.data);
}

static an_source_options defaults(void) {
    an_source_options options;
    an_source_options_init(&options, sizeof options);
    return options;
}

static void refuse(const char *name, const an_source_options *options, an_status status,
                   const char *part) {
    an_source *source = (an_source *)&err;
    assert_int_equal(an_source_open(&source, name, options, &err), status);
    assert_null(source);
    if (!strstr(err.message, part)) fail_msg("'%s' is not in: %s", part, err.message);
}

/* --- folders ---------------------------------------------------------------------------------- */

static void images_of_a_folder_come_by_name(void **state) {
    (void)state;
    write_drawn("b.JPG", 1, HEIGHT, WIDTH);
    write_drawn("a.png", 0, 30, 20);
    write_drawn("c.jpeg", 2, HEIGHT, WIDTH);
    folder_write_text(folder_path(test_folder, "notes.txt"), "no image");
    folder_write_text(folder_path(test_folder, ".hidden.jpg"), "no image");
    an_source *source = open_with(test_folder, NULL);
    const an_source_info info = describe(source);
    assert_int_equal(info.count, 3);
    assert_int_equal(info.is_live, 0);
    assert_true(info.rate == 25);
    assert_non_null(strstr(info.text, "3 images: "));
    need(an_source_next(source, &frame, &err));
    assert_int_equal(frame.height, 30);
    assert_int_equal(frame.width, 20);
    assert_string_equal(frame.name, folder_path(test_folder, "a.png"));
    need(an_source_next(source, &frame, &err));
    assert_drawn(1);
    assert_int_equal(frame.number, 1);
    assert_true(fabs(frame.time - 0.04) < 1e-12);
    assert_true(an_frame_age(&frame) >= 0 && an_frame_age(&frame) < 60);
    need(an_source_next(source, &frame, &err));
    assert_drawn(2);
    assert_int_equal(an_source_next(source, &frame, &err), AN_DONE);
    assert_int_equal(an_source_next(source, &frame, &err), AN_DONE);
    assert_int_equal(describe(source).has_ended, 1);
    an_source_close(source);
}

static void a_damaged_image_of_a_folder_is_an_error_and_the_next_one_comes(void **state) {
    (void)state;
    write_drawn("a.jpg", 0, HEIGHT, WIDTH);
    folder_write_text(folder_path(test_folder, "b.jpg"), "not an image");
    write_drawn("c.jpg", 2, HEIGHT, WIDTH);
    an_source *source = open_with(test_folder, NULL);
    need(an_source_next(source, &frame, &err));
    assert_int_equal(an_source_next(source, &frame, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "b.jpg"));
    assert_int_equal(describe(source).has_ended, 0);
    need(an_source_next(source, &frame, &err));
    assert_drawn(2);
    assert_int_equal(frame.number, 2);
    assert_int_equal(describe(source).damaged, 1);
    an_source_close(source);
}

static void one_image_is_a_source_of_one_frame(void **state) {
    (void)state;
    write_drawn("a.png", 0, HEIGHT, WIDTH);
    write_drawn("b.jpg", 1, HEIGHT, WIDTH);
    const char *const names[] = {"a.png", "b.jpg"};
    for (int i = 0; i < 2; i++) {
        an_source *source = open_with(folder_path(test_folder, names[i]), NULL);
        need(an_source_next(source, &frame, &err));
        assert_int_equal(frame.width, WIDTH);
        assert_int_equal(an_source_next(source, &frame, &err), AN_DONE);
        an_source_close(source);
    }
}

/* --- JPEG ------------------------------------------------------------------------------------- */

static void frames_of_a_jpeg_file_are_decoded_as_images_are(void **state) {
    (void)state;
    an_source_options options = defaults();
    options.rate = 50;
    an_source *source = open_with(write_frames("f.mjpeg", FRAMES), &options);
    for (int i = 0; i < FRAMES; i++) {
        need(an_source_next(source, &frame, &err));
        assert_int_equal(frame.number, i);
        assert_true(fabs(frame.time - i / 50.0) < 1e-12);
        assert_string_equal(frame.name, "");
        assert_drawn(i);
    }
    assert_int_equal(an_source_next(source, &frame, &err), AN_DONE);
    an_source_close(source);
}

static void bytes_between_frames_are_skipped(void **state) {
    (void)state;
    static const char header[] = "\r\n--boundary\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff";
    bytes all = {0};
    for (int i = 0; i < 3; i++) {
        append(&all, header, (int64_t)sizeof header - 4);
        append_jpeg(&all, i);
    }
    const char *path = folder_path(test_folder, "f.bin");
    assert_int_equal(mkfifo(path, 0600), 0); /* a file would be taken by its first bytes */
    const int end = open(path, O_RDWR);
    assert_true(end >= 0);
    an_source *source = open_with(path, NULL);
    assert_int_equal(write(end, all.data, (size_t)all.size), all.size);
    close(end);
    for (int i = 0; i < 3; i++) {
        need(an_source_next(source, &frame, &err));
        assert_drawn(i);
    }
    assert_int_equal(an_source_next(source, &frame, &err), AN_DONE);
    assert_int_equal(describe(source).damaged, 0);
    an_source_close(source);
    free(all.data);
}

static void a_thumbnail_within_a_segment_is_not_a_frame(void **state) {
    (void)state;
    bytes all = {0};
    const bytes outer = jpeg(0), inner = jpeg(1);
    const uint8_t app1[] = {0xff, 0xe1, (uint8_t)((inner.size + 2) >> 8),
                            (uint8_t)(inner.size + 2)};
    append(&all, outer.data, 2);
    append(&all, app1, sizeof app1);
    append(&all, inner.data, inner.size);
    append(&all, outer.data + 2, outer.size - 2);
    const char *path = folder_path(test_folder, "t.jpg");
    folder_write(path, all.data, all.size);
    an_source *source = open_with(path, NULL);
    need(an_source_next(source, &frame, &err));
    assert_drawn(0);
    assert_int_equal(an_source_next(source, &frame, &err), AN_DONE);
    an_source_close(source);
    free(all.data), free(outer.data), free(inner.data);
}

/* Cameras leave out the Huffman tables, which are the standard's. */
static void frames_without_huffman_tables_are_decoded(void **state) {
    (void)state;
    const bytes one = jpeg(4);
    bytes bare = {0};
    append(&bare, one.data, 2);
    int64_t at = 2;
    while (one.data[at + 1] != 0xda) {
        const int64_t length = 2 + (one.data[at + 2] << 8 | one.data[at + 3]);
        if (one.data[at + 1] != 0xc4) append(&bare, one.data + at, length);
        at += length;
    }
    append(&bare, one.data + at, one.size - at);
    assert_true(bare.size < one.size - 300);
    const char *path = folder_path(test_folder, "bare.mjpeg");
    folder_write(path, bare.data, bare.size);
    an_source *source = open_with(path, NULL);
    need(an_source_next(source, &frame, &err));
    assert_drawn(4);
    an_source_close(source);
    free(one.data), free(bare.data);
}

static void damaged_frames_are_left_out_and_counted(void **state) {
    (void)state;
    bytes all = {0};
    append_jpeg(&all, 0);
    const bytes cut = jpeg(1);
    append(&all, cut.data, cut.size / 2); /* another image begins in the middle */
    append_jpeg(&all, 2);
    bytes wrong = jpeg(3);
    for (int64_t i = wrong.size / 2; i < wrong.size - 2; i++)
        wrong.data[i] = 0x55; /* codes that end too soon or never */
    append(&all, wrong.data, wrong.size);
    append_jpeg(&all, 4);
    append(&all, cut.data, cut.size - 20); /* the end is missing */
    const char *path = folder_path(test_folder, "d.mjpeg");
    folder_write(path, all.data, all.size);
    an_source *source = open_with(path, NULL);
    static const int64_t good[] = {0, 2, 4};
    for (int i = 0; i < 3; i++) {
        need(an_source_next(source, &frame, &err));
        assert_drawn(good[i]);
        assert_int_equal(frame.number, good[i]);
    }
    assert_int_equal(an_source_next(source, &frame, &err), AN_DONE);
    assert_int_equal(describe(source).damaged, 3);
    an_source_close(source);
    free(all.data), free(cut.data), free(wrong.data);
}

static void a_hundred_damaged_frames_in_a_row_are_an_error(void **state) {
    (void)state;
    bytes all = {0};
    append_jpeg(&all, 0);
    bytes wrong = jpeg(3);
    for (int64_t i = wrong.size / 2; i < wrong.size - 2; i++)
        wrong.data[i] = 0x55;
    for (int i = 0; i < 100; i++)
        append(&all, wrong.data, wrong.size);
    const char *path = folder_path(test_folder, "d.mjpeg");
    folder_write(path, all.data, all.size);
    an_source *source = open_with(path, NULL);
    need(an_source_next(source, &frame, &err));
    assert_int_equal(an_source_next(source, &frame, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "damaged"));
    memset(&err, 0, sizeof err);
    assert_int_equal(an_source_next(source, &frame, &err), AN_ERR_FORMAT); /* it stays */
    assert_non_null(strstr(err.message, "damaged"));
    an_source_close(source);
    free(all.data), free(wrong.data);
}

static void a_pipe_without_images_is_refused(void **state) {
    (void)state;
    const char *path = folder_path(test_folder, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    const int end = open(path, O_RDWR);
    an_source *source = open_with(path, NULL);
    assert_int_equal(write(end, "hello", 5), 5);
    close(end);
    assert_int_equal(an_source_next(source, &frame, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "no JPEG image in its first 5 bytes"));
    an_source_close(source);
}

/* The search finds the same images however few bytes it is given at a time. */
static void images_are_found_in_pieces_of_any_size(void **state) {
    (void)state;
    bytes all = {0};
    append(&all, "\xff\xff\xd8 x", 5);
    for (int i = 0; i < 3; i++) {
        append_jpeg(&all, i);
        append(&all, "\xff\xd9", 2);
    }
    for (int64_t piece = 1; piece < 400; piece += piece / 4 + 1) {
        ani_jpeg_scan scan = {0};
        int64_t found = 0;
        for (int64_t size = 0; size < all.size;) {
            size = size + piece < all.size ? size + piece : all.size;
            while (ani_jpeg_scan_next(&scan, all.data, size)) {
                const bytes one = jpeg(found++);
                assert_int_equal(scan.at - scan.begin, one.size);
                assert_memory_equal(all.data + scan.begin, one.data, one.size);
                free(one.data);
            }
        }
        assert_int_equal(found, 3);
        assert_int_equal(scan.cut, 0);
    }
    free(all.data);
}

/* --- raw frames ------------------------------------------------------------------------------- */

static void raw_frames_of_every_format_are_converted(void **state) {
    (void)state;
    enum { H = 4, W = 6, COUNT = 2 };
    static const int64_t sizes[] = {H * W * 3, H * W * 3,     H * W * 4, H * W * 4,
                                    H * W,     H * W * 3 / 2, H * W * 2};
    uint8_t raw[COUNT * H * W * 4 + 3];
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)(i * 37 + i / 7);
    for (int32_t format = AN_FORMAT_RGB; format <= AN_FORMAT_YUYV; format++) {
        an_source_options options = defaults();
        options.is_raw = 1;
        options.raw_format = format;
        options.width = W;
        options.height = H;
        const char *path = folder_path(test_folder, "raw");
        folder_write(path, raw, COUNT * sizes[format] + 3); /* and some bytes too many */
        an_source *source = open_with(path, &options);
        assert_int_equal(describe(source).count, COUNT);
        for (int k = 0; k < COUNT; k++) {
            need(an_source_next(source, &frame, &err));
            assert_int_equal(frame.height, H);
            assert_int_equal(frame.width, W);
            const uint8_t *p = raw + k * sizes[format];
            const int blue = format == AN_FORMAT_BGR || format == AN_FORMAT_BGRA;
            const int step = format == AN_FORMAT_GREY ? 1 : format >= AN_FORMAT_RGBA ? 4 : 3;
            for (int i = 0; format <= AN_FORMAT_GREY && i < H * W; i++)
                for (int c = 0; c < 3; c++)
                    assert_int_equal(frame.rgb[3 * i + c], p[step * i + (step == 1 ? 0
                                                                         : blue    ? 2 - c
                                                                                   : c)]);
            if (format == AN_FORMAT_YUYV || format == AN_FORMAT_NV12) { /* BT.601, studio range */
                const int nv12 = format == AN_FORMAT_NV12;
                const double y = 1.164383 * fmax(0, p[0] - 16), u = (nv12 ? p[H * W] : p[1]) - 128,
                             v = (nv12 ? p[H * W + 1] : p[3]) - 128;
                const double rgb[] = {y + 1.596027 * v, y - 0.391762 * u - 0.812968 * v,
                                      y + 2.017232 * u};
                for (int c = 0; c < 3; c++)
                    assert_true(fabs(fmin(255, fmax(0, rgb[c])) - frame.rgb[c]) <= 1.5);
            }
        }
        assert_int_equal(an_source_next(source, &frame, &err), AN_DONE);
        assert_int_equal(describe(source).damaged, 1);
        an_source_close(source);
    }
}

static void raw_frames_that_cannot_be_are_refused(void **state) {
    (void)state;
    an_source_options options = defaults();
    const char *path = folder_path(test_folder, "raw");
    folder_write_text(path, "short");
    options.is_raw = 1;
    refuse(path, &options, AN_ERR_ARG, "width is 0, height is 0");
    options.width = 3;
    options.height = 2;
    options.raw_format = AN_FORMAT_YUYV;
    refuse(path, &options, AN_ERR_ARG, "the width must be even");
    options.raw_format = 7;
    refuse(path, &options, AN_ERR_ARG, "format is 7");
    options.raw_format = AN_FORMAT_RGB;
    an_source *source = open_with(path, &options);
    assert_int_equal(an_source_next(source, &frame, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "has 5 bytes; a frame of 3 x 2 has 18"));
    an_source_close(source);
}

/* --- which frame, and when -------------------------------------------------------------------- */

static void wait_ms(int ms) {
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/* A file at 100 frames per second stands for a camera; its reader takes one every 50 ms. */
static void the_newest_frame_wins_over_a_slow_reader(void **state) {
    (void)state;
    an_source_options options = defaults();
    options.frames = AN_FRAMES_NEWEST;
    options.is_paced = 1;
    options.rate = 100;
    an_source *source = open_with(write_frames("f.mjpeg", 60), &options);
    assert_int_equal(describe(source).is_live, 1);
    int64_t taken = 0, last = -1;
    double oldest = 0;
    an_status st;
    while (!(st = an_source_next(source, &frame, &err))) {
        assert_true(frame.number > last);
        assert_drawn(frame.number);
        oldest = fmax(oldest, an_frame_age(&frame));
        last = frame.number;
        taken++;
        wait_ms(50);
    }
    assert_int_equal(st, AN_DONE);
    assert_int_equal(last, 59); /* the end comes after the last frame was taken */
    const an_source_info info = describe(source);
    assert_int_equal(info.returned, taken);
    assert_int_equal(info.returned + info.dropped, 60);
    assert_true(taken >= 3 && taken < 40);
    an_source_close(source);
}

static void every_frame_of_a_file_is_returned_at_its_time(void **state) {
    (void)state;
    an_source_options options = defaults();
    options.is_paced = 1;
    options.rate = 100;
    an_source *source = open_with(write_frames("f.mjpeg", 20), &options);
    const double begun = ani_clock_seconds();
    for (int i = 0; i < 20; i++) {
        need(an_source_next(source, &frame, &err));
        assert_int_equal(frame.number, i);
        assert_true(ani_clock_seconds() - begun >= i / 100.0 - 1e-3);
    }
    an_source_close(source);
}

static void frames_of_a_pipe_have_the_time_of_their_arrival(void **state) {
    (void)state;
    const char *path = folder_path(test_folder, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    const int end = open(path, O_RDWR);
    an_source *source = open_with(path, NULL);
    const bytes one = jpeg(0);
    assert_int_equal(write(end, one.data, (size_t)one.size), one.size);
    need(an_source_next(source, &frame, &err));
    assert_true(frame.time == 0);
    wait_ms(30);
    assert_int_equal(write(end, one.data, (size_t)one.size), one.size);
    need(an_source_next(source, &frame, &err));
    assert_true(frame.time >= 0.029 && frame.time < 30);
    assert_true(an_frame_age(&frame) < 10);
    close(end);
    an_source_close(source);
    free(one.data);
}

static void *cancel_soon(void *flag) {
    wait_ms(30);
    an_cancel_request(flag);
    return NULL;
}

static void a_wait_for_frames_can_be_cancelled(void **state) {
    (void)state;
    const char *path = folder_path(test_folder, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    const int end = open(path, O_RDWR);
    for (int newest = 0; newest < 2; newest++) {
        an_source_options options = defaults();
        need(an_cancel_create(&options.cancel, &err));
        options.frames = newest ? AN_FRAMES_NEWEST : AN_FRAMES_ALL;
        an_source *source = open_with(path, &options);
        pthread_t thread;
        const double begun = ani_clock_seconds();
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, options.cancel), 0);
        assert_int_equal(an_source_next(source, &frame, &err), AN_ERR_CANCELLED);
        assert_true(ani_clock_seconds() - begun < 5);
        pthread_join(thread, NULL);
        assert_int_equal(an_source_next(source, &frame, &err), AN_ERR_CANCELLED);
        an_source_close(source);
        an_cancel_destroy(options.cancel);
    }
    close(end);
}

/* Closing must end the thread, which waits for bytes that never come. */
static void a_source_that_waits_can_be_closed(void **state) {
    (void)state;
    const char *path = folder_path(test_folder, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    an_source_options options = defaults();
    options.frames = AN_FRAMES_NEWEST;
    const double begun = ani_clock_seconds();
    an_source_close(open_with(path, &options));
    assert_true(ani_clock_seconds() - begun < 5);
}

static void a_child_of_fork_cannot_read_a_source(void **state) {
    (void)state;
    if (HAS_ASAN || HAS_TSAN) skip(); /* the child of a process with threads frees memory */
    an_source_options options = defaults();
    options.frames = AN_FRAMES_NEWEST;
    an_source *source = open_with(write_frames("f.mjpeg", 2), &options);
    fflush(NULL);
    const pid_t child = fork();
    if (!child) {
        const an_status st = an_source_next(source, &frame, &err);
        an_source_close(source);
        _exit(st == AN_ERR_ARG && strstr(err.message, "the source was made by process") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    an_source_close(source);
}

static void frames_allocate_nothing_after_the_first(void **state) {
    (void)state;
    an_source *source = open_with(write_frames("f.mjpeg", 40), NULL);
    for (int i = 0; i < 3; i++)
        need(an_source_next(source, &frame, &err));
    ani_fault_arm(ANI_FAULT_ALLOC, INT64_MAX, 1, false);
    for (int i = 0; i < 30; i++)
        need(an_source_next(source, &frame, &err));
    const int64_t calls = ani_fault_calls(ANI_FAULT_ALLOC);
    ani_fault_disarm();
    assert_int_equal(calls, 0);
    an_source_close(source);
}

static void names_that_lead_nowhere_are_refused(void **state) {
    (void)state;
    refuse(folder_path(test_folder, "absent"), NULL, AN_ERR_IO, "absent': No such file");
    refuse(test_folder, NULL, AN_ERR_FORMAT, "has no images");
    refuse("ftp://host/video", NULL, AN_ERR_UNSUPPORTED, "URLs must begin with http://");
    folder_write_text(folder_path(test_folder, "empty"), "");
    refuse(folder_path(test_folder, "empty"), NULL, AN_ERR_FORMAT, "is empty");
}

/* --- folders as sinks ------------------------------------------------------------------------- */

static uint8_t pixels[240 * 320 * 3];

static an_frame grey_frame(int64_t height, int64_t width, int value) {
    an_frame one;
    an_frame_init(&one, sizeof one);
    memset(pixels, value, (size_t)(height * width * 3));
    one.rgb = pixels;
    one.height = height;
    one.width = width;
    one.arrived = ani_clock_seconds();
    return one;
}

static an_sink *open_folder(const char *name) {
    char path[4096];
    an_sink *sink = NULL;
    snprintf(path, sizeof path, "%s/", folder_path(test_folder, name));
    need(an_sink_open(&sink, path, NULL, &err));
    return sink;
}

static an_image *read_frame(const char *folder, int64_t number) {
    char path[4096];
    an_image *image = NULL;
    snprintf(path, sizeof path, "%s/%s/frame-%06lld.jpg", test_folder, folder, (long long)number);
    need(an_image_read(&image, path, NULL, &err));
    return image;
}

static void frames_become_images_numbered_as_they_are(void **state) {
    (void)state;
    an_sink *sink = open_folder("out");
    an_frame one = grey_frame(40, 60, 90);
    need(an_sink_show(sink, &one, NULL, &err));
    one.number = 7;
    one.time = 0.5;
    need(an_sink_show(sink, &one, NULL, &err));
    need(an_sink_finish(sink, &err));
    need(an_sink_finish(sink, &err));
    assert_int_equal(an_sink_show(sink, &one, NULL, &err), AN_ERR_ARG);
    an_sink_close(sink);
    assert_int_equal(folder_count(folder_path(test_folder, "out")), 2);
    an_image *image = read_frame("out", 7);
    assert_int_equal(an_image_height(image), 40);
    for (int i = 0; i < 40 * 60 * 3; i++)
        assert_true(abs(an_image_const_data(image)[i] - 90) <= 2);
    an_image_destroy(image);
}

/* Luminance as of WCAG's contrast, roughly: sRGB with a power of 2.2. */
static double luminance(const uint8_t *rgb) {
    return 0.2126 * pow(rgb[0] / 255.0, 2.2) + 0.7152 * pow(rgb[1] / 255.0, 2.2) +
           0.0722 * pow(rgb[2] / 255.0, 2.2);
}

static void the_score_can_be_read_on_light_and_dark(void **state) {
    (void)state;
    if (!AN_HAVE_PLOT) skip();
    static const int values[] = {0, 128, 255};
    for (int v = 0; v < 3; v++) {
        char name[16];
        snprintf(name, sizeof name, "out%d", v);
        an_sink *sink = open_folder(name);
        an_overlay overlay;
        an_overlay_init(&overlay, sizeof overlay);
        overlay.score = 3.4;
        const an_frame one = grey_frame(240, 320, values[v]);
        need(an_sink_show(sink, &one, &overlay, &err));
        an_sink_close(sink);
        an_image *image = read_frame(name, 0);
        const uint8_t *rgb = an_image_const_data(image);
        double light = 0, dark = 1;
        for (int y = 8; y < 22; y++) /* the first line */
            for (int x = 16; x < 150; x++) {
                light = fmax(light, luminance(rgb + 3 * (y * 320 + x)));
                dark = fmin(dark, luminance(rgb + 3 * (y * 320 + x)));
            }
        assert_true((light + 0.05) / (dark + 0.05) >= 4.5);
        for (int y = 100; y < 150; y++) /* between text and curve: the frame */
            assert_true(abs(rgb[3 * (y * 320 + 160)] - values[v]) <= 4);
        an_image_destroy(image);
    }
}

static void the_region_is_outlined_where_it_is(void **state) {
    (void)state;
    if (!AN_HAVE_PLOT) skip();
    an_sink *sink = open_folder("out");
    an_overlay overlay;
    an_overlay_init(&overlay, sizeof overlay);
    overlay.score = 3.4;
    overlay.x = 100, overlay.y = 80, overlay.width = 90, overlay.height = 60;
    const an_frame one = grey_frame(240, 320, 60);
    need(an_sink_show(sink, &one, &overlay, &err));
    an_sink_close(sink);
    an_image *image = read_frame("out", 0);
    const uint8_t *rgb = an_image_const_data(image);
    static const int on[][2] = {{100, 110}, {190, 110}, {145, 80}, {145, 140}};
    static const int off[][2] = {{145, 110}, {60, 110}, {230, 110}, {145, 160}};
    for (int i = 0; i < 4; i++) {
        assert_true(rgb[3 * (on[i][1] * 320 + on[i][0])] > 120);
        assert_true(abs(rgb[3 * (off[i][1] * 320 + off[i][0])] - 60) < 12);
    }
    an_image_destroy(image);
}

static void a_folder_with_files_is_refused(void **state) {
    (void)state;
    an_sink *sink = NULL;
    write_drawn("a.png", 0, HEIGHT, WIDTH);
    assert_int_equal(an_sink_open(&sink, test_folder, NULL, &err), AN_ERR_IO);
    assert_non_null(strstr(err.message, "is not empty"));
    assert_null(sink);
}

/* Every allocation fails once: an error, and nothing is leaked. A thread reads the frames of one of
 * the two sources. */
static void sources_and_sinks_without_memory(void **state) {
    (void)state;
    bool failed = true;
    write_drawn("a.png", 0, HEIGHT, WIDTH);
    char file[4096], out[4096], image[4200];
    snprintf(file, sizeof file, "%s", write_frames("f.mjpeg", 3));
    snprintf(out, sizeof out, "%s/out/", test_folder);
    snprintf(image, sizeof image, "%sframe-000000.jpg", out);
    an_source_options newest = defaults();
    newest.frames = AN_FRAMES_NEWEST;
    for (int64_t n = 0; failed; n++) {
        an_source *sources[2] = {NULL, NULL};
        an_sink *sink = NULL;
        an_overlay overlay;
        an_overlay_init(&overlay, sizeof overlay);
        overlay.score = 3;
        assert_true(n < 200);
        ani_fault_arm(ANI_FAULT_ALLOC, n, 1, false);
        an_status st = an_source_open(&sources[0], file, &newest, &err);
        if (!st) st = an_source_open(&sources[1], test_folder, NULL, &err);
        if (!st) st = an_sink_open(&sink, out, NULL, &err);
        for (int i = 0; !st && i < 2; i++)
            st = an_source_next(sources[i], &frame, &err);
        if (!st) st = an_sink_show(sink, &frame, AN_HAVE_PLOT ? &overlay : NULL, &err);
        if (!st) st = an_sink_finish(sink, &err);
        failed = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        /* a thread may need memory after the last frame that was asked for */
        if (st != AN_ERR_NOMEM && st) fail_msg("%s: %s", an_status_name(st), err.message);
        if (!failed) assert_int_equal(st, AN_OK);
        an_source_close(sources[0]);
        an_source_close(sources[1]);
        an_sink_close(sink);
        unlink(image);
    }
}

/* --- parts ------------------------------------------------------------------------------------ */

static void a_frame_of_another_shape_gets_black_bars(void **state) {
    (void)state;
    ani_screen screen = {0};
    static uint8_t rgb[80 * 100 * 3];
    an_frame one = grey_frame(40, 20, 200);
    need(ani_screen_fit(&screen, 100, 80, &err));
    need(ani_screen_put(&screen, &one, &err));
    assert_int_equal(screen.fit_width, 40);
    assert_int_equal(screen.left, 30);
    ani_screen_copy(&screen, rgb);
    for (int x = 0; x < 100; x++)
        assert_int_equal(rgb[3 * (40 * 100 + x)], x >= 30 && x < 70 ? 200 : 0);
    one = grey_frame(8, 10, 77); /* the same shape as the screen */
    need(ani_screen_put(&screen, &one, &err));
    ani_screen_copy(&screen, rgb);
    for (int i = 0; i < 80 * 100 * 3; i++)
        assert_int_equal(rgb[i], 77);
    ani_screen_clear(&screen);
}

static void the_trail_keeps_the_last_seconds(void **state) {
    (void)state;
    static ani_trail trail;
    trail = (ani_trail){.seconds = 10};
    for (int i = 0; i <= 1000; i++)
        ani_trail_add(&trail, i * 0.1, i);
    assert_in_range(trail.count, 101, 103);
    assert_true(ani_trail_point(&trail, 0).time <= 90 && ani_trail_point(&trail, 1).time > 89.8);
    assert_true(ani_trail_point(&trail, trail.count - 1).score == 1000);
    for (int i = 0; i < 100000; i++) /* more than it can hold */
        ani_trail_add(&trail, 100 + i * 1e-3, i);
    assert_true(trail.count <= ANI_TRAIL_MAX);
    assert_true(ani_trail_point(&trail, trail.count - 1).score == 99999);
    assert_true(ani_trail_point(&trail, 0).time < 190.1);
    for (int32_t i = 1; i < trail.count; i++)
        assert_true(ani_trail_point(&trail, i).time >= ani_trail_point(&trail, i - 1).time);
    ani_trail_add(&trail, 1, 3); /* it begins anew */
    assert_int_equal(trail.count, 1);
}

#define unit(function) cmocka_unit_test_setup_teardown(function, set_up, test_folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        unit(images_of_a_folder_come_by_name),
        unit(a_damaged_image_of_a_folder_is_an_error_and_the_next_one_comes),
        unit(one_image_is_a_source_of_one_frame),
        unit(frames_of_a_jpeg_file_are_decoded_as_images_are),
        unit(bytes_between_frames_are_skipped),
        unit(a_thumbnail_within_a_segment_is_not_a_frame),
        unit(frames_without_huffman_tables_are_decoded),
        unit(damaged_frames_are_left_out_and_counted),
        unit(a_hundred_damaged_frames_in_a_row_are_an_error),
        unit(a_pipe_without_images_is_refused),
        unit(images_are_found_in_pieces_of_any_size),
        unit(raw_frames_of_every_format_are_converted),
        unit(raw_frames_that_cannot_be_are_refused),
        unit(the_newest_frame_wins_over_a_slow_reader),
        unit(every_frame_of_a_file_is_returned_at_its_time),
        unit(frames_of_a_pipe_have_the_time_of_their_arrival),
        unit(a_wait_for_frames_can_be_cancelled),
        unit(a_source_that_waits_can_be_closed),
        unit(a_child_of_fork_cannot_read_a_source),
        unit(frames_allocate_nothing_after_the_first),
        unit(names_that_lead_nowhere_are_refused),
        unit(frames_become_images_numbered_as_they_are),
        unit(the_score_can_be_read_on_light_and_dark),
        unit(the_region_is_outlined_where_it_is),
        unit(a_folder_with_files_is_refused),
        unit(sources_and_sinks_without_memory),
        unit(a_frame_of_another_shape_gets_black_bars),
        unit(the_trail_keeps_the_last_seconds),
    };
    return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
