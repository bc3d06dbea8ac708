/* SPDX-License-Identifier: MIT
 * predict: frames of every format, strides and regions give the scores of their pixels as RGB, many
 * in one call those of one call each, to the bit; and the classes with the highest scores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/predict.h>

#include "base/fault.h"
#include "base/random.h"
#include "support/folder.h"
#include "support/small_model.h"
#include "support/test_folder.h"

enum { FORMATS = AN_FORMAT_YUYV + 1, OUTPUTS = 3 };

static an_backend *backend;
static an_model *model;
static an_predictor *predictor;
static int64_t features;

/* Scores that tell images apart, as moving statistics near the data's make them. */
static void settle(an_model *of) {
    enum { COUNT = 4 };
    static float x[COUNT * PIXELS];
    ani_stream stream = ani_stream_begin(3, 0, 0);
    for (int i = 0; i < COUNT * PIXELS; i++)
        x[i] = (float)ani_stream_double(&stream);
    small_model_settle(of, x, COUNT);
}

static int make_model(void **state) {
    (void)state;
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    if (an_backend_create(&backend, NULL, NULL)) return 1;
    model = small_model(backend, OUTPUTS, AN_TASK_REGRESSION);
    settle(model);
    if (an_model_describe(model, &info, NULL)) return 1;
    features = info.features;
    return an_predictor_create(&predictor, model, NULL);
}

static int drop_model(void **state) {
    (void)state;
    an_predictor_destroy(predictor);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return 0;
}

static void as_new(void) {
    assert_int_equal(an_predictor_set_format(predictor, AN_FORMAT_RGB, NULL), AN_OK);
    assert_int_equal(an_predictor_set_region(predictor, 0, 0, 0, 0, NULL), AN_OK);
}

/* --- frames that know their pixels ------------------------------------------------------------ */

/** Frames of random bytes in exactly the memory they need, and their pixels as RGB by the formulas.
 */
typedef struct film {
    int32_t format;
    int64_t count, height, width, row_stride, frame_stride;
    uint8_t *bytes;
    uint8_t *rgb; /* [count,height,width,3] */
} film;

static int64_t pixel_bytes(int32_t format) {
    static const int64_t bytes[] = {3, 3, 4, 4, 1, 1, 2};
    return bytes[format];
}

static uint8_t clamp(double value) {
    const double rounded = floor(value / 1048576 + 0.5);
    return (uint8_t)(rounded < 0 ? 0 : rounded > 255 ? 255 : rounded);
}

/* As OpenCV's documentation of its integers has it; doubles hold them all. */
static void from_yuv(uint8_t rgb[3], int y, int u, int v) {
    const double c = 1220542.0 * (y > 16 ? y - 16 : 0), d = u - 128, e = v - 128;
    rgb[0] = clamp(c + 1673527.0 * e);
    rgb[1] = clamp(c - 852492.0 * e - 409993.0 * d);
    rgb[2] = clamp(c + 2116026.0 * d);
}

static void find_pixel(const film *f, const uint8_t *frame, int64_t y, int64_t x, uint8_t rgb[3]) {
    const uint8_t *row = frame + y * f->row_stride, *p = row + x * pixel_bytes(f->format);
    const uint8_t *pair = row + x / 2 * 4;
    const uint8_t *chroma = frame + (f->height + y / 2) * f->row_stride + x / 2 * 2;
    switch (f->format) {
    case AN_FORMAT_RGB:
    case AN_FORMAT_RGBA:
        memcpy(rgb, p, 3);
        break;
    case AN_FORMAT_BGR:
    case AN_FORMAT_BGRA:
        rgb[0] = p[2];
        rgb[1] = p[1];
        rgb[2] = p[0];
        break;
    case AN_FORMAT_GREY:
        memset(rgb, *p, 3);
        break;
    case AN_FORMAT_NV12:
        from_yuv(rgb, *p, chroma[0], chroma[1]);
        break;
    default:
        from_yuv(rgb, pair[x % 2 * 2], pair[1], pair[3]);
    }
}

static film make_film(int32_t format, int64_t count, int64_t height, int64_t width, int64_t row_gap,
                      int64_t frame_gap) {
    film f = {.format = format, .count = count, .height = height, .width = width};
    const int64_t rows = format == AN_FORMAT_NV12 ? height * 3 / 2 : height;
    const int64_t row = pixel_bytes(format) * width;
    f.row_stride = row + row_gap;
    f.frame_stride = (rows - 1) * f.row_stride + row + frame_gap;
    const int64_t size = count * f.frame_stride - frame_gap;
    ani_stream stream = ani_stream_begin((uint64_t)(size + format), 0, 0);
    f.bytes = malloc((size_t)size);
    f.rgb = malloc((size_t)(3 * count * height * width));
    assert_true(f.bytes && f.rgb);
    for (int64_t i = 0; i < size; i++)
        f.bytes[i] = (uint8_t)(256 * ani_stream_double(&stream));
    for (int64_t i = 0; i < count * height * width; i++)
        find_pixel(&f, f.bytes + i / (height * width) * f.frame_stride, i / width % height,
                   i % width, f.rgb + 3 * i);
    return f;
}

static void free_film(film *f) {
    free(f->bytes);
    free(f->rgb);
}

static void score_film(an_predictor *by, const film *f, float *scores) {
    an_error err;
    assert_int_equal(an_predictor_set_format(by, f->format, NULL), AN_OK);
    if (an_predictor_score_frames(by, f->bytes, f->count, f->frame_stride, f->height, f->width,
                                  f->row_stride, scores, &err))
        fail_msg("%s", err.message);
}

/* The scores of a part of each frame, by way of an_resize_u8() and pixels of the model's size. */
static void expect_scores(const film *f, const int64_t region[4], const float *scores) {
    const int64_t x = region[0], y = region[1], width = region[2], height = region[3];
    uint8_t *part = malloc((size_t)(3 * width * height));
    for (int64_t i = 0; i < f->count; i++) {
        uint8_t small[PIXELS];
        float want[OUTPUTS];
        for (int64_t k = 0; k < height; k++)
            memcpy(part + 3 * k * width, f->rgb + 3 * (((i * f->height) + y + k) * f->width + x),
                   (size_t)(3 * width));
        assert_int_equal(an_resize_u8(part, height, width, 3, small, SIDE, SIDE, NULL), AN_OK);
        as_new();
        assert_int_equal(
            an_predictor_score_frame(predictor, small, SIDE, SIDE, 3 * SIDE, want, NULL), AN_OK);
        for (int k = 0; k < OUTPUTS; k++)
            if (scores[i * OUTPUTS + k] != want[k])
                fail_msg("format %d, frame %d of %d, %d x %d, output %d: %.9g, expected %.9g",
                         (int)f->format, (int)i, (int)f->count, (int)f->height, (int)f->width, k,
                         (double)scores[i * OUTPUTS + k], (double)want[k]);
    }
    free(part);
}

/* --- formats, regions, strides ---------------------------------------------------------------- */

static void formats_have_the_scores_of_their_rgb(void **state) {
    (void)state;
    /* smaller, larger, the same, half, one side, columns alone, far larger: rows that nobody reads
     */
    static const int64_t sizes[][2] = {{40, 50}, {20, 18},   {SIDE, SIDE}, {2 * SIDE, 2 * SIDE},
                                       {2, 2},   {SIDE, 10}, {300, 14}};
    float scores[2 * OUTPUTS];
    for (int32_t format = 0; format < FORMATS; format++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            film f = make_film(format, 2, sizes[i][0], sizes[i][1], 0, 0);
            const int64_t whole[] = {0, 0, f.width, f.height};
            score_film(predictor, &f, scores);
            expect_scores(&f, whole, scores);
            assert_true(scores[0] != scores[OUTPUTS]); /* else nothing would be shown */
            free_film(&f);
        }
    as_new();
}

/* Frames of one byte each direction, and others that two pixels do not divide. */
static void odd_sizes_where_they_are_possible(void **state) {
    (void)state;
    static const int64_t sizes[][2] = {{1, 1}, {33, 47}, {1, 90}, {91, 1}};
    float scores[OUTPUTS];
    for (int32_t format = 0; format < FORMATS; format++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const int64_t width =
                format == AN_FORMAT_YUYV ? (sizes[i][1] + 1) / 2 * 2 : sizes[i][1];
            if (format == AN_FORMAT_NV12) continue;
            film f = make_film(format, 1, sizes[i][0], width, 0, 0);
            const int64_t whole[] = {0, 0, f.width, f.height};
            score_film(predictor, &f, scores);
            expect_scores(&f, whole, scores);
            free_film(&f);
        }
    as_new();
}

/* Anything in the fourth byte gives the same scores. */
static void alpha_is_ignored(void **state) {
    (void)state;
    for (int32_t format = AN_FORMAT_RGBA; format <= AN_FORMAT_BGRA; format++) {
        film f = make_film(format, 1, 40, 50, 0, 0);
        float scores[2][OUTPUTS];
        score_film(predictor, &f, scores[0]);
        for (int64_t i = 3; i < 4 * f.height * f.width; i += 4)
            f.bytes[i] = (uint8_t)~f.bytes[i];
        score_film(predictor, &f, scores[1]);
        assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
        free_film(&f);
    }
    as_new();
}

/* A region is the frame cut out, also where it begins and ends within two pixels that share their
 * chroma. */
static void regions_are_frames_cut_out(void **state) {
    (void)state;
    enum { HEIGHT = 50, WIDTH = 70, COUNT = 2 };
    static const int64_t regions[][4] = {
        {0, 0, WIDTH, HEIGHT}, {0, 0, 1, 1},      {1, 1, 1, 1},       {3, 5, 40, 30},
        {4, 6, 41, 31},        {69, 49, 1, 1},    {7, 0, 63, HEIGHT}, {0, 9, WIDTH, 41},
        {5, 3, SIDE, SIDE},    {6, 18, SIDE, 32}, {3, 1, 64, 4}};
    float scores[COUNT * OUTPUTS];
    for (int32_t format = 0; format < FORMATS; format++)
        for (size_t i = 0; i < sizeof regions / sizeof *regions; i++) {
            const int64_t *r = regions[i];
            film f = make_film(format, COUNT, HEIGHT, WIDTH, 0, 0);
            assert_int_equal(an_predictor_set_region(predictor, r[0], r[1], r[2], r[3], NULL),
                             AN_OK);
            score_film(predictor, &f, scores);
            expect_scores(&f, r, scores);
            free_film(&f);
        }
    as_new();
}

/* What lies between rows and frames is not read: the memory ends with the last pixel. */
static void rows_and_frames_may_lie_apart(void **state) {
    (void)state;
    static const int64_t gaps[][2] = {{13, 0}, {0, 5}, {13, 7}, {1, 10000}};
    static const int64_t sizes[][2] = {{40, 50}, {SIDE, SIDE}};
    float scores[3 * OUTPUTS];
    for (int32_t format = 0; format < FORMATS; format++)
        for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++)
            for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
                film f = make_film(format, 3, sizes[k][0], sizes[k][1], gaps[i][0], gaps[i][1]);
                const int64_t whole[] = {0, 0, f.width, f.height};
                score_film(predictor, &f, scores);
                expect_scores(&f, whole, scores);
                free_film(&f);
            }
    as_new();
}

static void strides_of_0_mean_no_gap(void **state) {
    (void)state;
    float scores[2][2 * OUTPUTS];
    for (int32_t format = 0; format < FORMATS; format++) {
        film f = make_film(format, 2, 40, 50, 0, 0);
        score_film(predictor, &f, scores[0]);
        f.row_stride = f.frame_stride = 0;
        score_film(predictor, &f, scores[1]);
        assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
        free_film(&f);
        f = make_film(format, 2, 40, 50, 6, 6); /* a whole row_stride for the last row, too */
        score_film(predictor, &f, scores[0]);
        f.frame_stride = 0;
        score_film(predictor, &f, scores[1]);
        assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
        free_film(&f);
    }
    as_new();
}

/* --- many frames ------------------------------------------------------------------------------ */

static an_model *calibrated(int32_t inference, int32_t threads, an_backend **on) {
    static float x[2 * PIXELS];
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.threads = threads;
    assert_int_equal(an_backend_create(on, &options, NULL), AN_OK);
    an_model *own = small_model(*on, OUTPUTS, AN_TASK_CLASSIFICATION);
    settle(own);
    for (int i = 0; i < 2 * PIXELS; i++)
        x[i] = (float)(i * 31 % 255) / 255;
    if (inference == AN_INFERENCE_INT8) {
        assert_int_equal(an_model_calibrate_begin(own, NULL), AN_OK);
        assert_int_equal(an_model_calibrate_add(own, x, 2, NULL), AN_OK);
        assert_int_equal(an_model_calibrate_end(own, NULL), AN_OK);
    } else {
        assert_int_equal(an_model_set_inference(own, inference, NULL), AN_OK);
    }
    return own;
}

/* In fp32, int8 and bf16, on one thread and on several, resized and as they are, around the number
 * that is predicted at once. */
static void many_frames_have_the_bits_of_one_call_each(void **state) {
    (void)state;
    enum { MOST = 70 };
    static const int64_t counts[] = {2, 3, 31, 32, 33, MOST};
    static float scores[MOST * OUTPUTS];
    for (int32_t inference = AN_INFERENCE_FP32; inference <= AN_INFERENCE_BF16; inference++)
        for (int32_t threads = 1; threads <= 3; threads += 2) {
            an_backend *on = NULL;
            an_predictor *own = NULL;
            an_model *of = calibrated(inference, threads, &on);
            film f[] = {make_film(AN_FORMAT_RGB, MOST, SIDE, SIDE, 0, 0),
                        make_film(AN_FORMAT_NV12, MOST, 40, 50, 3, 2)};
            assert_int_equal(an_predictor_create(&own, of, NULL), AN_OK);
            for (int k = 0; k < 2; k++) {
                float one[MOST * OUTPUTS];
                an_predictor_set_format(own, f[k].format, NULL);
                for (int i = 0; i < MOST; i++)
                    assert_int_equal(
                        an_predictor_score_frame(own, f[k].bytes + i * f[k].frame_stride,
                                                 f[k].height, f[k].width, f[k].row_stride,
                                                 one + (ptrdiff_t)i * OUTPUTS, NULL),
                        AN_OK);
                for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
                    f[k].count = counts[i];
                    score_film(own, &f[k], scores);
                    assert_memory_equal(scores, one, (size_t)counts[i] * OUTPUTS * sizeof *scores);
                }
                assert_memory_not_equal(one, one + OUTPUTS, OUTPUTS * sizeof *one);
                free_film(&f[k]);
            }
            an_predictor_destroy(own);
            an_model_destroy(of);
            an_backend_destroy(on);
        }
}

/* Features are the model's for the same pixels, and in fp32 also when scores are int8. */
static void features_are_those_of_the_model(void **state) {
    (void)state;
    enum { COUNT = 35 };
    static float x[COUNT * PIXELS];
    an_backend *on = NULL;
    an_predictor *own = NULL;
    an_model *of = calibrated(AN_INFERENCE_INT8, 2, &on);
    float *want = malloc((size_t)(COUNT * features) * sizeof *want);
    float *got = malloc((size_t)(COUNT * features) * sizeof *got);
    film f = make_film(AN_FORMAT_BGRA, COUNT, SIDE, SIDE, 0, 0);
    for (int i = 0; i < COUNT * PIXELS; i++)
        x[i] = (float)((double)f.rgb[i] / 255.0);
    assert_int_equal(an_model_compute_features(of, x, COUNT, want, NULL), AN_OK);
    assert_int_equal(an_predictor_create(&own, of, NULL), AN_OK);
    assert_int_equal(an_predictor_set_format(own, f.format, NULL), AN_OK);
    for (int i = 0; i < 2; i++) { /* after scores in int8, too */
        float scores[COUNT * OUTPUTS];
        an_error err;
        if (an_predictor_compute_features(own, f.bytes, COUNT, 0, SIDE, SIDE, 0, got, &err))
            fail_msg("%s", err.message);
        assert_memory_equal(got, want, (size_t)(COUNT * features) * sizeof *got);
        score_film(own, &f, scores);
    }
    free_film(&f);
    free(want);
    free(got);
    an_predictor_destroy(own);
    an_model_destroy(of);
    an_backend_destroy(on);
}

/* A file has its own format; a region is of whatever is scored. */
static void files_have_their_own_format(void **state) {
    (void)state;
    const char *path = folder_path(test_folder, "frame.png");
    film f = make_film(AN_FORMAT_RGB, 1, 40, 51, 0, 0);
    const int64_t region[] = {3, 4, 20, 30};
    float scores[OUTPUTS];
    an_image *image = NULL;
    an_error err;
    assert_int_equal(an_image_create(&image, f.rgb, f.height, f.width, NULL), AN_OK);
    assert_int_equal(an_image_write_png(image, path, NULL), AN_OK);
    an_image_destroy(image);
    for (int32_t format = 0; format < FORMATS; format++) {
        assert_int_equal(an_predictor_set_format(predictor, format, NULL), AN_OK);
        assert_int_equal(an_predictor_set_region(predictor, 3, 4, 20, 30, NULL), AN_OK);
        if (an_predictor_score_file(predictor, path, scores, &err)) fail_msg("%s", err.message);
        expect_scores(&f, region, scores);
    }
    assert_int_equal(an_predictor_set_region(predictor, 32, 0, 20, 30, NULL), AN_OK);
    assert_int_equal(an_predictor_score_file(predictor, path, scores, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "the region is x 32, y 0, width 20, height 30; the frame has "
                                     "only width 51, height 40");
    free_film(&f);
    as_new();
}

/* --- memory ----------------------------------------------------------------------------------- */

static void frames_allocate_nothing_after_the_first(void **state) {
    (void)state;
    enum { COUNT = 33 };
    static float scores[COUNT * OUTPUTS];
    for (int32_t format = 0; format < FORMATS; format++) {
        film f = make_film(format, COUNT, 40, 50, 3, 3);
        film less = make_film(format, 4, 90, 48, 0, 0);
        float *values = malloc((size_t)(COUNT * features) * sizeof *values);
        assert_non_null(values);
        score_film(predictor, &f, scores);
        score_film(predictor, &less, scores);
        ani_fault_arm(ANI_FAULT_ALLOC, INT64_MAX, ENOMEM, false);
        score_film(predictor, &f, scores);
        score_film(predictor, &less, scores);
        an_predictor_set_region(predictor, 1, 1, 31, 35, NULL);
        score_film(predictor, &f, scores);
        an_predictor_compute_features(predictor, f.bytes, COUNT, f.frame_stride, f.height, f.width,
                                      f.row_stride, values, NULL);
        an_predictor_set_region(predictor, 0, 0, 0, 0, NULL);
        const int64_t calls = ani_fault_calls(ANI_FAULT_ALLOC);
        ani_fault_disarm();
        assert_int_equal(calls, 0);
        free(values);
        free_film(&f);
        free_film(&less);
    }
    as_new();
}

/* --- refusals --------------------------------------------------------------------------------- */

static void expect_refused(int32_t format, int64_t count, int64_t frame_stride, int64_t height,
                           int64_t width, int64_t row_stride, const char *message) {
    static const uint8_t bytes[1]; /* nothing is read */
    float *none = malloc(1), scores[1];
    an_error err = {0};
    assert_int_equal(an_predictor_set_format(predictor, format, NULL), AN_OK);
    assert_int_equal(an_predictor_score_frames(predictor, bytes, count, frame_stride, height, width,
                                               row_stride, scores, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, message);
    err = (an_error){0};
    assert_int_equal(an_predictor_compute_features(predictor, bytes, count, frame_stride, height,
                                                   width, row_stride, none, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, message);
    free(none);
}

static void refuses_what_is_no_frame(void **state) {
    (void)state;
    enum { RGB = AN_FORMAT_RGB, NV12 = AN_FORMAT_NV12, YUYV = AN_FORMAT_YUYV };
    expect_refused(RGB, 0, 0, 4, 4, 0, "0 frames; there must be 1 or more");
    expect_refused(RGB, -1, 0, 4, 4, 0, "-1 frames; there must be 1 or more");
    expect_refused(RGB, 1, 0, 0, 4, 0, "the frame is 0 x 4; each must be 1 to 65535");
    expect_refused(RGB, 1, 0, 4, 65536, 0, "the frame is 4 x 65536; each must be 1 to 65535");
    expect_refused(NV12, 1, 0, 5, 4, 0,
                   "the frame is 5 x 4; in NV12 height and width must be even");
    expect_refused(NV12, 1, 0, 4, 5, 0,
                   "the frame is 4 x 5; in NV12 height and width must be even");
    expect_refused(YUYV, 1, 0, 4, 5, 0, "the frame is 4 x 5; in YUYV the width must be even");
    expect_refused(RGB, 1, 0, 4, 4, 11, "row_stride is 11; RGB rows of 4 pixels have 12 bytes");
    expect_refused(RGB, 1, 0, 4, 4, -12, "row_stride is -12; RGB rows of 4 pixels have 12 bytes");
    expect_refused(YUYV, 1, 0, 4, 4, 7, "row_stride is 7; YUYV rows of 4 pixels have 8 bytes");
    expect_refused(NV12, 1, 0, 4, 4, 3, "row_stride is 3; NV12 rows of 4 pixels have 4 bytes");
    expect_refused(AN_FORMAT_BGRA, 1, 0, 4, 4, 12,
                   "row_stride is 12; BGRA rows of 4 pixels have 16 bytes");
    expect_refused(RGB, 2, 47, 4, 4, 12, "frame_stride is 47; a frame has 48 bytes");
    expect_refused(RGB, 2, 71, 4, 4, 20, "frame_stride is 71; a frame has 72 bytes");
    expect_refused(RGB, 2, -48, 4, 4, 12, "frame_stride is -48; a frame has 48 bytes");
    expect_refused(NV12, 2, 23, 4, 4, 0, "frame_stride is 23; a frame has 24 bytes");
    expect_refused(RGB, 1, 0, 4, 4, INT64_MAX / 3,
                   "row_stride is 3074457345618258602; 4 such rows do not fit in memory");
    expect_refused(RGB, INT64_MAX / 40, 48, 4, 4, 0,
                   "frame_stride is 48; 230584300921369395 such frames do not fit in memory");
    assert_int_equal(an_predictor_set_region(predictor, 3, 2, 5, 2, NULL), AN_OK);
    expect_refused(RGB, 1, 0, 4, 7, 0,
                   "the region is x 3, y 2, width 5, height 2; the frame has only width 7, height "
                   "4");
    expect_refused(RGB, 1, 0, 3, 8, 0,
                   "the region is x 3, y 2, width 5, height 2; the frame has only width 8, height "
                   "3");
    as_new();
}

static void refuses_what_no_frame_can_have(void **state) {
    (void)state;
    static const int64_t regions[][4] = {
        {-1, 0, 5, 5},    {0, -1, 5, 5},         {0, 0, 0, 5},          {0, 0, 5, 0},
        {0, 0, -5, 5},    {1, 0, 0, 0},          {0, 0, 65536, 5},      {65535, 0, 1, 1},
        {0, 65535, 1, 1}, {INT64_MAX, 0, 10, 5}, {0, INT64_MAX, 10, 5}, {0, 0, 5, INT64_MAX}};
    an_error err;
    float scores[2][OUTPUTS];
    film f = make_film(AN_FORMAT_BGR, 1, 40, 50, 0, 0);
    assert_int_equal(an_predictor_set_region(predictor, 1, 2, 30, 20, NULL), AN_OK);
    score_film(predictor, &f, scores[0]);
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++)
        assert_int_equal(an_predictor_set_region(predictor, regions[i][0], regions[i][1],
                                                 regions[i][2], regions[i][3], &err),
                         AN_ERR_ARG);
    assert_int_equal(an_predictor_set_region(predictor, 65530, 0, 6, 5, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "the region is x 65530, y 0, width 6, height 5; it must lie "
                                     "between 0 and 65535 and have pixels (all 0 = the whole "
                                     "frame)");
    assert_int_equal(an_predictor_set_format(predictor, -1, &err), AN_ERR_ARG);
    assert_int_equal(an_predictor_set_format(predictor, 7, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "format is 7; it must be 0 (RGB) to 6 (YUYV)");
    /* and all is as it was */
    assert_int_equal(
        an_predictor_score_frames(predictor, f.bytes, 1, 0, 40, 50, 0, scores[1], NULL), AN_OK);
    assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
    free_film(&f);
    as_new();
}

/* --- classes ---------------------------------------------------------------------------------- */

/* Against a search for the best that is left, one after another; many scores are equal. */
static void top_classes_are_those_of_a_search(void **state) {
    (void)state;
    enum { MOST = 60 };
    ani_stream stream = ani_stream_begin(4, 0, 0);
    for (int i = 0; i < 3000; i++) {
        const int32_t outputs = 1 + (int32_t)(MOST * ani_stream_double(&stream));
        const int32_t k = 1 + (int32_t)(outputs * ani_stream_double(&stream));
        float scores[MOST];
        int32_t classes[MOST + 1];
        bool taken[MOST] = {false};
        for (int32_t o = 0; o < outputs; o++)
            scores[o] = (float)floor((i % 3 ? 8.0 : 1e6) * (ani_stream_double(&stream) - 0.5));
        if (i % 7 == 0) scores[0] = INFINITY;
        if (i % 5 == 0) scores[outputs - 1] = -INFINITY;
        classes[k] = -7;
        assert_int_equal(an_top_classes(scores, outputs, k, classes, NULL), AN_OK);
        assert_int_equal(classes[k], -7);
        for (int32_t n = 0; n < k; n++) {
            int32_t best = -1;
            for (int32_t o = 0; o < outputs; o++)
                if (!taken[o] && (best < 0 || scores[o] > scores[best])) best = o;
            taken[best] = true;
            assert_int_equal(classes[n], best);
        }
    }
}

static void top_classes_refuse_what_has_no_order(void **state) {
    (void)state;
    const float scores[] = {1, 2, NAN, 3};
    int32_t classes[4] = {9, 9, 9, 9};
    an_error err;
    assert_int_equal(an_top_classes(scores, 4, 1, classes, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "score 2 is NaN, which cannot be ordered");
    assert_int_equal(an_top_classes(scores, 2, 3, classes, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "k is 3; it must be 1 to the 2 outputs");
    assert_int_equal(an_top_classes(scores, 2, 0, classes, &err), AN_ERR_ARG);
    assert_int_equal(an_top_classes(scores, 0, 1, classes, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "outputs is 0; it must be 1 or more");
    assert_int_equal(an_top_classes(NULL, 2, 1, classes, &err), AN_ERR_ARG);
    assert_int_equal(an_top_classes(scores, 2, 1, NULL, &err), AN_ERR_ARG);
    for (int i = 0; i < 4; i++)
        assert_int_equal(classes[i], 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_have_the_scores_of_their_rgb),
        cmocka_unit_test(odd_sizes_where_they_are_possible),
        cmocka_unit_test(alpha_is_ignored),
        cmocka_unit_test(regions_are_frames_cut_out),
        cmocka_unit_test(rows_and_frames_may_lie_apart),
        cmocka_unit_test(strides_of_0_mean_no_gap),
        cmocka_unit_test(many_frames_have_the_bits_of_one_call_each),
        cmocka_unit_test(features_are_those_of_the_model),
        unit_test_in_folder(files_have_their_own_format),
        cmocka_unit_test(frames_allocate_nothing_after_the_first),
        cmocka_unit_test(refuses_what_is_no_frame),
        cmocka_unit_test(refuses_what_no_frame_can_have),
        cmocka_unit_test(top_classes_are_those_of_a_search),
        cmocka_unit_test(top_classes_refuse_what_has_no_order),
    };
    return cmocka_run_group_tests_name("frames", tests, make_model, drop_model);
}
