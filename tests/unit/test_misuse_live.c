/* SPDX-License-Identifier: MIT
 * Arguments that no caller may give, as in test_misuse.c: sources and sinks of frames. */
#include "support/misuse.h"

#include <math.h>
#include <stdio.h>

#include <attractivenet/attractivenet.h>

#include "support/folder.h"

static char *folder, sink_path[4096], used_path[4096], image_path[4096];
static an_source *source, *source_out;
static an_sink *sink, *complete, *sink_out;
static an_frame unset_frame, frame = {.struct_size = sizeof frame};
static an_source_info unset_info;
static uint8_t rgb[4 * 6 * 3];

WRONG(an_source_options, struct_size, 0)
WRONG(an_source_options, frames, 3)
WRONG(an_source_options, width, 640)
WRONG(an_source_options, height, 65536)
WRONG(an_source_options, rate, -1)
WRONG_AS(rate_nan, an_source_options, rate, NAN)
WRONG(an_source_options, is_raw, 2)
WRONG_AS(raw_size, an_source_options, is_raw, 1)
WRONG(an_source_options, is_paced, -1)
WRONG(an_source_options, timeout, 0)
WRONG_AS(newest, an_source_options, frames, AN_FRAMES_NEWEST)
WRONG(an_sink_options, struct_size, 5000)
WRONG(an_sink_options, quality, 101)
WRONG(an_sink_options, score_low, 5)
WRONG(an_sink_options, score_high, INFINITY)
WRONG(an_sink_options, curve_seconds, 3601)
WRONG_AS(sink_rate, an_sink_options, rate, 0.5)
WRONG(an_sink_options, is_full_screen, 2)
WRONG(an_sink_options, reserved, 1)

/* A frame in order but for one field. */
#define WRONG_FRAME(name, field, wrong)                                                            \
    static const an_frame *frame_##name(void) {                                                    \
        static an_frame one;                                                                       \
        one = (an_frame){.struct_size = sizeof one, .rgb = rgb, .height = 4, .width = 6};          \
        one.field = wrong;                                                                         \
        return &one;                                                                               \
    }
WRONG_FRAME(good, reserved, 0)
WRONG_FRAME(size, struct_size, 0)
WRONG_FRAME(reserved, reserved, 1)
WRONG_FRAME(rgb, rgb, NULL)
WRONG_FRAME(height, height, 0)
WRONG_FRAME(width, width, 65536)
WRONG_FRAME(number, number, -1)
WRONG_FRAME(time, time, NAN)
WRONG_FRAME(early, time, -0.5)
WRONG_FRAME(arrived, arrived, INFINITY)

static const an_overlay *region(int64_t x, int64_t y, int64_t width, int64_t height,
                                double smoothing) {
    static an_overlay one;
    an_overlay_init(&one, sizeof one);
    one.x = x, one.y = y, one.width = width, one.height = height, one.smoothing = smoothing;
    return &one;
}

WRONG(an_overlay, struct_size, 0)
WRONG(an_overlay, reserved, 1)

/* clang-format off */
#define CASES(CASE)                                                                                \
    CASE(source_out, an_source_open(NULL, folder, NULL, err), "out is NULL")                       \
    CASE(source_name, an_source_open(&source_out, NULL, NULL, err), "name is NULL")                \
    CASE(source_empty, an_source_open(&source_out, "", NULL, err), "name is empty")                \
    CASE(source_size, an_source_open(&source_out, folder, wrong_an_source_options_struct_size(), err), "an_source_options") \
    CASE(source_frames, an_source_open(&source_out, folder, wrong_an_source_options_frames(), err), "frames is 3; it must be 0 to 2") \
    CASE(source_width, an_source_open(&source_out, folder, wrong_an_source_options_width(), err), "width is 640 and height 0") \
    CASE(source_height, an_source_open(&source_out, folder, wrong_an_source_options_height(), err), "height is 65536") \
    CASE(source_rate, an_source_open(&source_out, folder, wrong_an_source_options_rate(), err), "rate is -1; it must be 0 to 1000") \
    CASE(source_rate_nan, an_source_open(&source_out, folder, wrong_rate_nan(), err), "rate is nan") \
    CASE(source_is_raw, an_source_open(&source_out, folder, wrong_an_source_options_is_raw(), err), "is_raw is 2") \
    CASE(source_raw_size, an_source_open(&source_out, image_path, wrong_raw_size(), err), "width is 0, height is 0") \
    CASE(source_is_paced, an_source_open(&source_out, folder, wrong_an_source_options_is_paced(), err), "is_paced is -1") \
    CASE(source_timeout, an_source_open(&source_out, folder, wrong_an_source_options_timeout(), err), "timeout is 0; it must be 1 to 3600") \
    CASE(source_newest, an_source_open(&source_out, folder, wrong_newest(), err), "has only images") \
    CASE(next_source, an_source_next(NULL, &frame, err), "source is NULL")                         \
    CASE(next_frame, an_source_next(source, NULL, err), "frame is NULL")                           \
    CASE(next_size, an_source_next(source, &unset_frame, err), "an_frame")                         \
    CASE(describe_source, an_source_describe(NULL, &unset_info, err), "source is NULL")            \
    CASE(describe_info, an_source_describe(source, NULL, err), "info is NULL")                     \
    CASE(describe_size, an_source_describe(source, &unset_info, err), "an_source_info")            \
    CASE(sink_out, an_sink_open(NULL, sink_path, NULL, err), "out is NULL")                        \
    CASE(sink_empty, an_sink_open(&sink_out, "", NULL, err), "path is empty")                      \
    CASE(sink_size, an_sink_open(&sink_out, sink_path, wrong_an_sink_options_struct_size(), err), "an_sink_options") \
    CASE(sink_quality, an_sink_open(&sink_out, sink_path, wrong_an_sink_options_quality(), err), "quality is 101; it must be 1 to 100") \
    CASE(sink_low, an_sink_open(&sink_out, sink_path, wrong_an_sink_options_score_low(), err), "score_low is 5, score_high is 5") \
    CASE(sink_high, an_sink_open(&sink_out, sink_path, wrong_an_sink_options_score_high(), err), "score_high is inf") \
    CASE(sink_seconds, an_sink_open(&sink_out, sink_path, wrong_an_sink_options_curve_seconds(), err), "curve_seconds is 3601") \
    CASE(sink_rate, an_sink_open(&sink_out, sink_path, wrong_sink_rate(), err), "rate is 0.5; it must be 1 to 1000") \
    CASE(sink_full, an_sink_open(&sink_out, sink_path, wrong_an_sink_options_is_full_screen(), err), "is_full_screen is 2") \
    CASE(sink_reserved, an_sink_open(&sink_out, sink_path, wrong_an_sink_options_reserved(), err), "reserved is 1") \
    CASE(show_sink, an_sink_show(NULL, frame_good(), NULL, err), "sink is NULL")                   \
    CASE(show_frame, an_sink_show(sink, NULL, NULL, err), "frame is NULL")                         \
    CASE(show_frame_size, an_sink_show(sink, frame_size(), NULL, err), "an_frame")                 \
    CASE(show_reserved, an_sink_show(sink, frame_reserved(), NULL, err), "reserved is 1")          \
    CASE(show_rgb, an_sink_show(sink, frame_rgb(), NULL, err), "rgb is NULL")                      \
    CASE(show_height, an_sink_show(sink, frame_height(), NULL, err), "the frame is 6 x 0")         \
    CASE(show_width, an_sink_show(sink, frame_width(), NULL, err), "the frame is 65536 x 4")       \
    CASE(show_number, an_sink_show(sink, frame_number(), NULL, err), "number of the frame is -1")  \
    CASE(show_time, an_sink_show(sink, frame_time(), NULL, err), "time of the frame is nan")       \
    CASE(show_early, an_sink_show(sink, frame_early(), NULL, err), "time of the frame is -0.5")    \
    CASE(show_arrived, an_sink_show(sink, frame_arrived(), NULL, err), "arrived at inf")           \
    CASE(show_overlay, an_sink_show(sink, frame_good(), wrong_an_overlay_struct_size(), err), "an_overlay") \
    CASE(show_over_reserved, an_sink_show(sink, frame_good(), wrong_an_overlay_reserved(), err), "reserved is 1") \
    CASE(show_region, an_sink_show(sink, frame_good(), region(1, 0, 6, 4, 0), err), "the frame has only width 6, height 4") \
    CASE(show_region_y, an_sink_show(sink, frame_good(), region(0, -1, 6, 4, 0), err), "the region is x 0, y -1") \
    CASE(show_region_none, an_sink_show(sink, frame_good(), region(1, 1, 0, 0, 0), err), "width 0, height 0") \
    CASE(show_region_far, an_sink_show(sink, frame_good(), region(INT64_MAX, 1, 2, 2, 0), err), "the frame has only") \
    CASE(show_smoothing, an_sink_show(sink, frame_good(), region(0, 0, 0, 0, -1), err), "smoothing is -1") \
    CASE(show_complete, an_sink_show(complete, frame_good(), NULL, err), "the sink is complete")   \
    CASE(finish_sink, an_sink_finish(NULL, err), "sink is NULL")
/* clang-format on */

CASES(MISUSE_DEFINE)

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    static const misuse_call calls[] = {CASES(MISUSE_LIST)};
    const misuse_out outs[] = {{"&source_out", &source_out}, {"&sink_out", &sink_out}};
    misuse_refused(calls, sizeof calls / sizeof *calls, outs, 2);
    assert_int_equal(folder_count(sink_path), 0); /* nothing was written */
}

static void structs_are_initialised_or_left_alone(void **state) {
    (void)state;
    MISUSE_INIT(an_source_options, an_source_options_init);
    MISUSE_INIT(an_frame, an_frame_init);
    MISUSE_INIT(an_source_info, an_source_info_init);
    MISUSE_INIT(an_sink_options, an_sink_options_init);
    MISUSE_INIT(an_overlay, an_overlay_init);
}

static void nothing_is_closed_and_has_no_age(void **state) {
    (void)state;
    an_source_close(NULL);
    an_sink_close(NULL);
    assert_true(an_frame_age(NULL) == 0);
}

static int make_objects(void **state) {
    (void)state;
    an_image *image = NULL;
    folder = folder_make();
    snprintf(image_path, sizeof image_path, "%s/a.png", folder);
    snprintf(sink_path, sizeof sink_path, "%s/new/", folder);
    snprintf(used_path, sizeof used_path, "%s/used/", folder);
    if (an_image_create(&image, NULL, 4, 6, NULL) || an_image_write_png(image, image_path, NULL) ||
        an_source_open(&source, folder, NULL, NULL) || an_sink_open(&sink, sink_path, NULL, NULL) ||
        an_sink_open(&complete, used_path, NULL, NULL) ||
        an_sink_show(complete, frame_good(), NULL, NULL) || an_sink_finish(complete, NULL))
        return 1;
    an_image_destroy(image);
    return 0;
}

static int drop_objects(void **state) {
    (void)state;
    an_source_close(source);
    an_sink_close(sink);
    an_sink_close(complete);
    folder_remove(folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(structs_are_initialised_or_left_alone),
        cmocka_unit_test(nothing_is_closed_and_has_no_age),
    };
    return cmocka_run_group_tests_name("misuse_live", tests, make_objects, drop_objects);
}
