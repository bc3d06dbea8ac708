/* SPDX-License-Identifier: MIT
 * live with FFmpeg: what a video sink has written comes back from a source, at its time, turned as
 * the video says; damage, playlists, missing libraries and missing memory are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <attractivenet/attractivenet.h>

#include "base/fault.h"
#include "config.h"
#include "support/folder.h"
#include "support/sources.h"
#include "support/test_folder.h"

/* libx264 keeps copies of its settings */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libx264\nleak:libfontconfig\n";
}

enum { HEIGHT = 96, WIDTH = 128, SIZE = HEIGHT * WIDTH * 3, FRAMES = 30 };

static an_error err;
static an_frame frame;
static uint8_t pixels[SIZE];

static int set_up(void **state) {
    an_frame_init(&frame, sizeof frame);
    memset(&err, 0, sizeof err);
    return test_folder_make(state);
}

static void need(an_status st) {
    if (st) fail_msg("%s: %s", an_status_name(st), st < 0 ? err.message : "");
}

/* A light square that moves over a smooth background: smooth enough for every codec. */
static void draw(int64_t number) {
    const double cx = 20 + 3.0 * (double)number, cy = 30 + (double)(number % 10);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const double inside = fmin(1, fmax(0, 14 - fmax(fabs(x - cx), fabs(y - cy))));
            uint8_t *p = pixels + 3 * (y * WIDTH + x);
            p[0] = (uint8_t)(60 + x / 2 + (180 - 60 - x / 2) * inside);
            p[1] = (uint8_t)(50 + y + (190 - 50 - y) * inside);
            p[2] = (uint8_t)(80 + (150 - 80) * inside);
        }
}

/* A frame for sinks, whose pixels are those of the test. */
static an_frame a_frame(int64_t height, int64_t width) {
    an_frame one;
    an_frame_init(&one, sizeof one);
    one.rgb = pixels;
    one.height = height;
    one.width = width;
    return one;
}

/* Write drawn frames at 30 per second; returns the path. */
static const char *write_video(const char *name, int64_t count) {
    an_sink *sink = NULL;
    an_frame one = a_frame(HEIGHT, WIDTH);
    an_sink_options options;
    an_sink_options_init(&options, sizeof options);
    options.rate = 30;
    const char *path = folder_path(test_folder, name);
    need(an_sink_open(&sink, path, &options, &err));
    for (int64_t i = 0; i < count; i++) {
        draw(i);
        one.number = i;
        one.time = (double)i / 30;
        need(an_sink_show(sink, &one, NULL, &err));
    }
    assert_int_equal(access(path, F_OK), -1); /* not before it is complete */
    need(an_sink_finish(sink, &err));
    an_sink_close(sink);
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(folder_count(test_folder), 1);
    return path;
}

/* Mean absolute difference of the frame from a drawn one, turned as EXIF's orientation says. */
static double difference(int64_t number, int orientation) {
    double sum = 0;
    draw(number);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const int64_t row = orientation == 6 ? x : orientation == 3 ? HEIGHT - 1 - y : y;
            const int64_t column = orientation == 6   ? HEIGHT - 1 - y
                                   : orientation == 3 ? WIDTH - 1 - x
                                                      : x;
            for (int c = 0; c < 3; c++)
                sum += abs(frame.rgb[3 * (row * frame.width + column) + c] -
                           pixels[3 * (y * WIDTH + x) + c]);
        }
    return sum / SIZE;
}

static void a_video_comes_back_as_it_was_written(void **state) {
    (void)state;
    static const char *const names[] = {"v.mp4", "v.mkv", "v.avi", "v.mov", "v.mjpeg", "v.mpg"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        an_source *source = open_with(write_video(names[k], FRAMES), NULL);
        const an_source_info info = describe(source);
        const bool is_jpeg = !strcmp(names[k], "v.mjpeg"); /* our own decoder's, without a rate */
        assert_true(is_jpeg ? info.rate == 25 : fabs(info.rate - 30) < 0.5);
        assert_int_equal(info.is_live, 0);
        for (int i = 0; i < FRAMES; i++) {
            need(an_source_next(source, &frame, &err));
            assert_int_equal(frame.number, i);
            assert_int_equal(frame.height, HEIGHT);
            assert_int_equal(frame.width, WIDTH);
            const double time = (double)i / (is_jpeg ? 25 : 30);
            if (fabs(frame.time - time) > 2e-3)
                fail_msg("%s: frame %d is at %g s", names[k], i, frame.time);
            if (difference(i, 1) > 4)
                fail_msg("%s: frame %d differs by %g", names[k], i, difference(i, 1));
        }
        assert_int_equal(an_source_next(source, &frame, &err), AN_DONE);
        assert_int_equal(an_source_next(source, &frame, &err), AN_DONE);
        assert_int_equal(describe(source).damaged, 0);
        an_source_close(source);
        assert_int_equal(unlink(folder_path(test_folder, names[k])), 0);
    }
}

/* The matrix of the first track of an MP4 file, 9 numbers after 40 bytes of its header. */
static void turn_video(const char *path, const int32_t matrix[9]) {
    int64_t size, at = -1;
    uint8_t *bytes = folder_read(path, &size);
    for (int64_t i = 0; i + 80 < size && at < 0; i++)
        if (!memcmp(bytes + i, "tkhd", 4)) at = i + 4 + 40;
    assert_true(at > 0);
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 4; k++)
            bytes[at + 4 * i + k] = (uint8_t)((uint32_t)matrix[i] >> (24 - 8 * k));
    folder_write(path, bytes, size);
    free(bytes);
}

static void rotation_flags_of_phones_are_obeyed(void **state) {
    (void)state;
    enum { ONE = 1 << 16 };
    static const struct {
        int32_t matrix[9];
        int orientation;
    } cases[] = {
        {{0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30}, 6},  /* held upright: 90 degrees clockwise */
        {{-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30}, 3}, /* upside down */
        {{ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = write_video("v.mp4", 3);
        turn_video(path, cases[i].matrix);
        an_source *source = open_with(path, NULL);
        const bool is_upright = cases[i].orientation == 6;
        assert_int_equal(describe(source).height, is_upright ? WIDTH : HEIGHT);
        need(an_source_next(source, &frame, &err));
        assert_int_equal(frame.height, is_upright ? WIDTH : HEIGHT);
        assert_int_equal(frame.width, is_upright ? HEIGHT : WIDTH);
        assert_true(difference(0, cases[i].orientation) < 4);
        an_source_close(source);
        assert_int_equal(unlink(path), 0);
    }
    const char *path = write_video("v.mp4", 3);
    turn_video(path, (const int32_t[]){56756, 32768, 0, -32768, 56756, 0, 0, 0, 1 << 30});
    an_source *source = NULL;
    assert_int_equal(an_source_open(&source, path, NULL, &err), AN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "30 degrees"));
}

static void frames_of_a_video_allocate_nothing_after_the_first(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        const char *path = write_video("v.mp4", FRAMES);
        if (k) /* turned frames have a buffer, too */
            turn_video(path, (const int32_t[]){0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30});
        an_source *source = open_with(path, NULL);
        for (int i = 0; i < 3; i++)
            need(an_source_next(source, &frame, &err));
        ani_fault_arm(ANI_FAULT_ALLOC, INT64_MAX, 1, false);
        for (int i = 3; i < FRAMES; i++)
            need(an_source_next(source, &frame, &err));
        const int64_t calls = ani_fault_calls(ANI_FAULT_ALLOC);
        ani_fault_disarm();
        assert_int_equal(calls, 0);
        an_source_close(source);
        assert_int_equal(unlink(path), 0);
    }
}

/* Read the source to its end. */
static int64_t count_frames(an_source *source) {
    int64_t count = 0;
    an_status st;
    while (!(st = an_source_next(source, &frame, &err)))
        count++;
    assert_int_equal(st, AN_DONE);
    return count;
}

/* Bytes in the middle are overwritten: frames are left out, not guessed, and the rest comes. */
static void damaged_packets_are_left_out(void **state) {
    (void)state;
    const char *path = write_video("v.avi", 120);
    int64_t size;
    uint8_t *bytes = folder_read(path, &size);
    memset(bytes + size / 2, 0x5a, 600);
    folder_write(path, bytes, size);
    free(bytes);
    an_source *source = open_with(path, NULL);
    const int64_t good = count_frames(source);
    assert_true(good >= 40 && good < 120);
    assert_true(describe(source).damaged > 0);
    an_source_close(source);
}

static void a_video_that_was_cut_ends_or_is_refused(void **state) {
    (void)state;
    int64_t size;
    const char *path = write_video("v.mkv", 60);
    uint8_t *bytes = folder_read(path, &size);
    folder_write(path, bytes, size * 2 / 3);
    free(bytes);
    an_source *source = open_with(path, NULL);
    const int64_t good = count_frames(source);
    assert_true(good > 10 && good < 60);
    an_source_close(source);
    assert_int_equal(unlink(path), 0);
    path = write_video("v.mp4", 60); /* its index is at the end */
    bytes = folder_read(path, &size);
    folder_write(path, bytes, size / 2);
    free(bytes);
    assert_int_equal(an_source_open(&source, path, NULL, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "v.mp4': it is damaged"));
    assert_null(source);
}

/* A file must not make FFmpeg open others. */
static void playlists_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
    } lists[] = {
        {"a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n"},
        {"a.ffconcat", "ffconcat version 1.0\nfile v.mkv\n"},
        {"a.sdp", "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                  "m=video 5004 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"},
        {"a.txt", "nothing at all, but long enough to be looked at by those who look at bytes"},
    };
    write_video("v.mkv", 3);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const char *path = folder_path(test_folder, lists[i].name);
        an_source *source = NULL;
        folder_write_text(path, lists[i].text);
        const an_status st = an_source_open(&source, path, NULL, &err);
        assert_true(st == AN_ERR_UNSUPPORTED || st == AN_ERR_FORMAT);
        assert_null(source);
    }
}

static void cameras_that_are_not_there_are_told(void **state) {
    (void)state;
    an_source *source = NULL;
    const an_status st = an_source_open(&source, "/dev/video987", NULL, &err);
    if (st == AN_ERR_UNSUPPORTED && strstr(err.message, "'libavdevice.so.")) {
        print_message("skipped: %s\n", err.message); /* or a library that it needs */
        skip();
    }
    assert_int_equal(st, AN_ERR_DEVICE);
    assert_non_null(strstr(err.message, "cannot open camera '/dev/video987': there is none"));
    assert_int_equal(an_source_open(&source, "987", NULL, &err), AN_ERR_DEVICE);
    assert_non_null(strstr(err.message, "'/dev/video987'"));
    assert_int_equal(an_source_open(&source, "/dev/null", NULL, &err), AN_ERR_DEVICE);
    assert_non_null(strstr(err.message, "it is no camera"));
    assert_null(source);
}

static void streams_that_are_not_there_are_told_without_passwords(void **state) {
    (void)state;
    an_source *source = NULL;
    assert_int_equal(an_source_open(&source, "http://me:secret@127.0.0.1:1/x", NULL, &err),
                     AN_ERR_IO);
    assert_non_null(strstr(err.message, "'http://127.0.0.1:1/x'"));
    assert_null(strstr(err.message, "secret"));
    assert_null(source);
}

static void videos_that_cannot_be_written_are_told(void **state) {
    (void)state;
    an_sink *sink = NULL;
    const an_frame one = a_frame(1, 1);
    assert_int_equal(an_sink_open(&sink, folder_path(test_folder, "v.xyz"), NULL, &err),
                     AN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "try .mp4"));
    assert_int_equal(an_sink_open(&sink, folder_path(test_folder, "no/v.mp4"), NULL, &err),
                     AN_ERR_IO);
    need(an_sink_open(&sink, folder_path(test_folder, "v.mp4"), NULL, &err));
    assert_int_equal(an_sink_finish(sink, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "it has no frames"));
    assert_int_equal(an_sink_show(sink, &one, NULL, &err), AN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "refuses 1 x 1 pixels"));
    an_sink_close(sink);
    assert_int_equal(folder_count(test_folder), 0);
}

/* A video that was not completed leaves nothing. */
static void an_abandoned_video_is_removed(void **state) {
    (void)state;
    an_sink *sink = NULL;
    const an_frame one = a_frame(HEIGHT, WIDTH);
    need(an_sink_open(&sink, folder_path(test_folder, "v.mp4"), NULL, &err));
    need(an_sink_show(sink, &one, NULL, &err));
    assert_int_equal(folder_count(test_folder), 1);
    an_sink_close(sink);
    assert_int_equal(folder_count(test_folder), 0);
}

static void a_video_keeps_the_size_of_its_first_frame(void **state) {
    (void)state;
    an_sink *sink = NULL;
    an_frame one = a_frame(HEIGHT, WIDTH - 1); /* an odd last column is left out */
    memset(pixels, 120, SIZE);
    const char *path = folder_path(test_folder, "v.mkv");
    need(an_sink_open(&sink, path, NULL, &err));
    need(an_sink_show(sink, &one, NULL, &err));
    one.width = 40; /* narrower: black bars */
    one.time = 0.1;
    need(an_sink_show(sink, &one, NULL, &err));
    need(an_sink_finish(sink, &err));
    an_sink_close(sink);
    an_source *source = open_with(path, NULL);
    need(an_source_next(source, &frame, &err));
    assert_int_equal(frame.width, WIDTH - 2);
    need(an_source_next(source, &frame, &err));
    assert_int_equal(frame.width, WIDTH - 2);
    const uint8_t *row = frame.rgb + 3 * (HEIGHT / 2 * frame.width);
    assert_true(row[3 * 10] < 20 && abs(row[3 * (WIDTH / 2)] - 120) < 12);
    an_source_close(source);
}

/* Every allocation of ours fails once: an error, nothing left behind, nothing leaked. */
static void a_video_without_memory(void **state) {
    (void)state;
    const char *video = write_video("v.mkv", 4), *copy = folder_path(test_folder, "w.avi");
    bool failed = true;
    for (int64_t n = 0; failed; n++) {
        an_source *source = NULL;
        an_sink *sink = NULL;
        assert_true(n < 200);
        ani_fault_arm(ANI_FAULT_ALLOC, n, 1, false);
        an_status st = an_source_open(&source, video, NULL, &err);
        if (!st) st = an_sink_open(&sink, copy, NULL, &err);
        for (int i = 0; !st && i < 2; i++) {
            st = an_source_next(source, &frame, &err);
            if (!st) st = an_sink_show(sink, &frame, NULL, &err);
        }
        if (!st) st = an_sink_finish(sink, &err);
        failed = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        assert_int_equal(st, failed ? AN_ERR_NOMEM : AN_OK);
        an_source_close(source);
        an_sink_close(sink);
        unlink(copy); /* it may be complete: what came after it has failed */
        assert_int_equal(folder_count(test_folder), 1);
    }
}

/* A process without a file descriptor left cannot load a library. Runs before anything does. */
static void libraries_that_cannot_be_loaded_are_named(void **state) {
    (void)state;
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        an_source *source = NULL;
        an_sink *sink = NULL;
        struct rlimit before;
        getrlimit(RLIMIT_NOFILE, &before);
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, before.rlim_max});
        an_status st = an_source_open(&source, "rtsp://127.0.0.1:1/x", NULL, &err);
        bool is_told = st == AN_ERR_UNSUPPORTED && strstr(err.message, "FFmpeg's 'libavutil.so.");
        st = an_sink_open(&sink, "v.mp4", NULL, &err);
        is_told =
            is_told && st == AN_ERR_UNSUPPORTED && strstr(err.message, "FFmpeg's 'libavutil.");
        st = an_sink_open(&sink, NULL, NULL, &err);
        is_told = is_told && st == AN_ERR_UNSUPPORTED &&
                  strstr(err.message, "'libSDL2-2.0.so.0' cannot be loaded");
        setrlimit(RLIMIT_NOFILE, &before);
        exit(is_told && !source && !sink ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define unit(function) cmocka_unit_test_setup_teardown(function, set_up, test_folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        unit(libraries_that_cannot_be_loaded_are_named),
        unit(a_video_comes_back_as_it_was_written),
        unit(rotation_flags_of_phones_are_obeyed),
        unit(frames_of_a_video_allocate_nothing_after_the_first),
        unit(damaged_packets_are_left_out),
        unit(a_video_that_was_cut_ends_or_is_refused),
        unit(playlists_are_refused),
        unit(cameras_that_are_not_there_are_told),
        unit(streams_that_are_not_there_are_told_without_passwords),
        unit(videos_that_cannot_be_written_are_told),
        unit(an_abandoned_video_is_removed),
        unit(a_video_keeps_the_size_of_its_first_frame),
        unit(a_video_without_memory),
    };
    if (!AN_HAVE_LIVE) return 77; /* Meson: skipped */
    return cmocka_run_group_tests_name("live_media", tests, NULL, NULL);
}
