/* SPDX-License-Identifier: MIT
 * predict: a frame, a file, bytes and a source give the same score; frames allocate nothing. */
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
#include <unistd.h>

#include <attractivenet/mobilenetv2.h>
#include <attractivenet/predict.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/memory.h"
#include "support/folder.h"
#include "support/small_model.h"
#include "support/test_folder.h"

enum { SIZE = 32, HEIGHT = 40, WIDTH = 51 };

static an_backend *backend;
static an_model *model;
static uint8_t frame[HEIGHT * WIDTH * 3];

static int make_model(void **state) {
    (void)state;
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.alpha = 0.1;
    for (int i = 0; i < (int)sizeof frame; i++)
        frame[i] = (uint8_t)(i * i / 7 + i);
    return an_backend_create(&backend, NULL, NULL) ||
           an_mobilenetv2_create(&model, backend, &options, NULL);
}

static int drop_model(void **state) {
    (void)state;
    an_model_destroy(model);
    an_backend_destroy(backend);
    return 0;
}

static an_predictor *make_predictor(void) {
    an_predictor *predictor = NULL;
    an_error err = {0};
    if (an_predictor_create(&predictor, model, &err)) fail_msg("%s", err.message);
    return predictor;
}

static float score_frame(an_predictor *predictor, const uint8_t *rgb, int64_t height, int64_t width,
                         int64_t stride) {
    float score = NAN;
    an_error err = {0};
    if (an_predictor_score_frame(predictor, rgb, height, width, stride, &score, &err))
        fail_msg("%s", err.message);
    assert_true(isfinite(score));
    return score;
}

static void frame_file_and_bytes_agree(void **state) {
    (void)state;
    const char *path = folder_path(test_folder, "frame.png");
    an_image *image = NULL;
    an_error err = {0};
    assert_int_equal(an_image_create(&image, frame, HEIGHT, WIDTH, NULL), AN_OK);
    if (an_image_write_png(image, path, &err)) fail_msg("%s", err.message);
    an_image_destroy(image);
    an_predictor *predictor = make_predictor();
    const float want = score_frame(predictor, frame, HEIGHT, WIDTH, 3 * WIDTH);
    float score = NAN;
    assert_int_equal(an_predictor_score_file(predictor, path, &score, NULL), AN_OK);
    assert_true(score == want);
    uint8_t *bytes = NULL;
    int64_t size;
    assert_int_equal(ani_file_read_all(path, 1 << 20, &bytes, &size, NULL), AN_OK);
    score = NAN;
    assert_int_equal(an_predictor_score_bytes(predictor, bytes, size, "image", &score, NULL),
                     AN_OK);
    assert_true(score == want);
    assert_int_equal(an_predictor_score_bytes(predictor, bytes, size / 2, "half.png", &score, &err),
                     AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "half.png"));
    ani_free(bytes);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(an_predictor_score_file(predictor, path, &score, &err), AN_ERR_IO);
    an_predictor_destroy(predictor);
}

static void rows_may_lie_apart(void **state) {
    (void)state;
    enum { STRIDE = 3 * WIDTH + 13 };
    static uint8_t apart[HEIGHT * STRIDE];
    memset(apart, 0xEE, sizeof apart);
    for (int y = 0; y < HEIGHT; y++)
        memcpy(apart + y * STRIDE, frame + y * 3 * WIDTH, 3 * WIDTH);
    an_predictor *predictor = make_predictor();
    const float want = score_frame(predictor, frame, HEIGHT, WIDTH, 3 * WIDTH);
    assert_true(score_frame(predictor, apart, HEIGHT, WIDTH, STRIDE) == want);
    an_predictor_destroy(predictor);
}

static void sizes_may_change(void **state) {
    (void)state;
    an_predictor *predictor = make_predictor();
    const float want = score_frame(predictor, frame, HEIGHT, WIDTH, 3 * WIDTH);
    score_frame(predictor, frame, SIZE, SIZE, 3 * SIZE);
    score_frame(predictor, frame, 1, 1, 3);
    assert_true(score_frame(predictor, frame, HEIGHT, WIDTH, 3 * WIDTH) == want);
    an_predictor_destroy(predictor);
}

/* A frame that has one side of the model's size is resized all the same. */
static void each_side_counts(void **state) {
    (void)state;
    static const int64_t sizes[][2] = {
        {SIZE, WIDTH}, {HEIGHT, SIZE}, {SIZE, 2 * SIZE}, {2 * SIZE, SIZE}};
    static uint8_t rgb[2 * SIZE * WIDTH * 3], resized[SIZE * SIZE * 3];
    an_predictor *predictor = make_predictor();
    for (int i = 0; i < (int)sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * i / 7 + i);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int64_t height = sizes[i][0], width = sizes[i][1];
        assert_true(height * width * 3 <= (int64_t)sizeof rgb);
        assert_int_equal(an_resize_u8(rgb, height, width, 3, resized, SIZE, SIZE, NULL), AN_OK);
        const float want = score_frame(predictor, resized, SIZE, SIZE, 3 * SIZE);
        assert_true(score_frame(predictor, rgb, height, width, 3 * width) == want);
    }
    an_predictor_destroy(predictor);
}

/* Several scores an image stand beside each other, one image after another. */
static void sources_with_several_outputs(void **state) {
    (void)state;
    enum { COUNT = 5, OUTPUTS = 3 };
    static uint8_t rgb[COUNT * SIZE * SIZE * 3];
    const double labels[COUNT * OUTPUTS] = {0};
    float scores[COUNT * OUTPUTS], one[OUTPUTS];
    an_loader_options how;
    an_model *several = NULL;
    an_dataset *dataset = NULL;
    an_loader *loader = NULL;
    an_predictor *predictor = NULL;
    for (int i = 0; i < (int)sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 31 + i / 3072 * 40);
    static float x[COUNT * PIXELS];
    for (int i = 0; i < COUNT * PIXELS; i++)
        x[i] = (float)rgb[i] / 255;
    several = small_model(backend, OUTPUTS, AN_TASK_REGRESSION);
    small_model_settle(several, x, COUNT); /* else all scores are next to nothing */
    assert_int_equal(
        an_dataset_from_pixels(&dataset, rgb, COUNT, SIZE, SIZE, labels, OUTPUTS, NULL, NULL),
        AN_OK);
    an_loader_options_init(&how, sizeof how);
    how.batch_size = 2;
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &how, NULL), AN_OK);
    assert_int_equal(an_predict_loader(several, loader, scores, NULL, NULL, NULL), AN_OK);
    assert_int_equal(an_predictor_create(&predictor, several, NULL), AN_OK);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(an_predictor_score_frame(predictor, rgb + i * SIZE * SIZE * 3, SIZE, SIZE,
                                                  3 * SIZE, one, NULL),
                         AN_OK);
        for (int k = 0; k < OUTPUTS; k++)
            assert_true(scores[i * OUTPUTS + k] == one[k]);
        assert_true(fabsf(one[0] - one[1]) > 0.01f && fabsf(one[1] - one[2]) > 0.01f);
    }
    an_predictor_destroy(predictor);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
    an_model_destroy(several);
}

/* Without a say all images calibrate, else so many of the first: fewer give other ranges. */
static void calibration_takes_as_many_as_asked(void **state) {
    (void)state;
    enum { COUNT = 6 };
    static uint8_t rgb[COUNT * SIZE * SIZE * 3];
    const double labels[COUNT] = {0};
    float scores[3][COUNT];
    an_loader_options how;
    an_dataset *dataset = NULL;
    an_loader *loader = NULL;
    an_model *own = small_model(backend, 1, AN_TASK_REGRESSION);
    static float x[COUNT * PIXELS];
    for (int i = 0; i < (int)sizeof rgb; i++) /* the later, the more contrast */
        rgb[i] = (uint8_t)(128 + (i * 31 % 255 - 127) * (i / 3072 + 1) / COUNT);
    for (int i = 0; i < COUNT * PIXELS; i++)
        x[i] = (float)rgb[i] / 255;
    small_model_settle(own, x, COUNT); /* else all scores are nearly the same */
    assert_int_equal(
        an_dataset_from_pixels(&dataset, rgb, COUNT, SIZE, SIZE, labels, 1, NULL, NULL), AN_OK);
    an_loader_options_init(&how, sizeof how);
    how.batch_size = 4;
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &how, NULL), AN_OK);
    static const int64_t most[] = {3, 4, 3};
    for (int i = 0; i < 3; i++) { /* within a batch */
        assert_int_equal(an_calibrate_loader(own, loader, most[i], NULL, NULL, NULL), AN_OK);
        assert_int_equal(an_predict_loader(own, loader, scores[i], NULL, NULL, NULL), AN_OK);
    }
    assert_memory_equal(scores[0], scores[2], sizeof scores[0]);
    assert_memory_not_equal(scores[0], scores[1], sizeof scores[0]);
    an_model_destroy(own);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

/* Count calls; a negative count asks to stop. */
static int32_t count_calls(void *user, const an_progress *progress) {
    int64_t *calls = user;
    assert_true(progress->done > 0 && progress->done <= progress->total);
    return *calls < 0 || !++*calls;
}

static void source_gives_the_same_scores(void **state) {
    (void)state;
    enum { COUNT = 7 };
    static uint8_t rgb[COUNT * SIZE * SIZE * 3];
    double labels[COUNT];
    float scores[COUNT];
    for (int i = 0; i < (int)sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 31 + i / 3072 * 40);
    for (int i = 0; i < COUNT; i++)
        labels[i] = (double)i;
    an_dataset *dataset = NULL;
    assert_int_equal(
        an_dataset_from_pixels(&dataset, rgb, COUNT, SIZE, SIZE, labels, 1, NULL, NULL), AN_OK);
    const int64_t indices[COUNT] = {3, 1, 6, 0, 2, 5, 4};
    an_loader_options how;
    an_loader_options_init(&how, sizeof how);
    how.batch_size = 2;
    how.shuffle = 1; /* scores come in the order of the indices all the same */
    how.drop_last = 1;
    an_augment_options augment;
    an_augment_options_tutorial(&augment, sizeof augment);
    how.augment = &augment;
    an_loader *loader = NULL;
    an_error err = {0};
    assert_int_equal(an_loader_create(&loader, dataset, indices, COUNT, &how, NULL), AN_OK);
    if (an_predict_loader(model, loader, scores, NULL, NULL, &err)) fail_msg("%s", err.message);
    an_predictor *predictor = make_predictor();
    for (int i = 0; i < COUNT; i++) {
        const float want =
            score_frame(predictor, rgb + indices[i] * SIZE * SIZE * 3, SIZE, SIZE, 3 * SIZE);
        assert_true(fabsf(scores[i] - want) <= 1e-5f * fmaxf(1, fabsf(want)));
    }
    /* the model is another test's afterwards: a weight taken anew ends int8 */
    float in_order[COUNT];
    assert_int_equal(an_calibrate_loader(model, loader, -1, NULL, NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_calibrate_loader(model, NULL, 0, NULL, NULL, &err), AN_ERR_ARG);
    for (int64_t most = 0; most <= 3; most += 3) {
        int64_t calls = 0;
        if (an_calibrate_loader(model, loader, most, count_calls, &calls, &err))
            fail_msg("%s", err.message);
        assert_int_equal(calls > 0, 1);
        if (an_predict_loader(model, loader, in_order, NULL, NULL, &err))
            fail_msg("%s", err.message);
        for (int i = 0; i < COUNT; i++) {
            const float want =
                score_frame(predictor, rgb + indices[i] * SIZE * SIZE * 3, SIZE, SIZE, 3 * SIZE);
            assert_memory_equal(&in_order[i], &want, sizeof want);
        }
        assert_memory_not_equal(in_order, scores, sizeof in_order);
    }
    int64_t stop = -1;
    assert_int_equal(an_model_set_inference(model, AN_INFERENCE_FP32, &err), AN_OK);
    assert_int_equal(an_calibrate_loader(model, loader, 0, count_calls, &stop, &err),
                     AN_ERR_CANCELLED);
    an_predictor_destroy(predictor);
    an_loader_destroy(loader);
    how.scale = AN_SCALE_TF;
    assert_int_equal(an_loader_create(&loader, dataset, indices, COUNT, &how, NULL), AN_OK);
    assert_int_equal(an_predict_loader(model, loader, scores, NULL, NULL, &err), AN_ERR_ARG);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

/* Whatever the loader's options are, and however scores are made, features are the numbers of
 * an_model_compute_features(); the data set may have scores of another kind. */
static void source_gives_the_features(void **state) {
    (void)state;
    enum { COUNT = 7, WIDTH_OF_ROW = 1280 };
    static uint8_t rgb[COUNT * PIXELS];
    static float x[COUNT * PIXELS], want[COUNT * WIDTH_OF_ROW], got[COUNT * WIDTH_OF_ROW];
    const double labels[COUNT * 2] = {0};
    const int64_t indices[COUNT] = {3, 1, 6, 0, 2, 5, 4};
    an_model_info info = {.struct_size = sizeof info};
    an_loader_options how;
    an_dataset *dataset = NULL;
    an_loader *loader = NULL;
    an_error err = {0};
    an_model *own = small_model(backend, 1, AN_TASK_REGRESSION);
    assert_int_equal(an_model_describe(own, &info, NULL), AN_OK);
    assert_int_equal(info.features, WIDTH_OF_ROW);
    for (int i = 0; i < (int)sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 31 + i / 3072 * 40);
    for (int i = 0; i < COUNT * PIXELS; i++)
        x[i] = (float)rgb[indices[i / PIXELS] * PIXELS + i % PIXELS] / 255;
    small_model_settle(own, x, COUNT);
    assert_int_equal(an_model_compute_features(own, x, COUNT, want, NULL), AN_OK);
    assert_int_equal(/* the model has 1 output */
                     an_dataset_from_pixels(&dataset, rgb, COUNT, SIZE, SIZE, labels, 2, NULL,
                                            NULL),
                     AN_OK);
    an_loader_options_init(&how, sizeof how);
    how.batch_size = 2;
    how.shuffle = how.drop_last = 1;
    assert_int_equal(an_loader_create(&loader, dataset, indices, COUNT, &how, NULL), AN_OK);
    for (int32_t inference = AN_INFERENCE_FP32; inference <= AN_INFERENCE_BF16; inference += 2) {
        int64_t calls = 0;
        memset(got, 0xff, sizeof got);
        assert_int_equal(an_model_set_inference(own, inference, NULL), AN_OK);
        if (an_compute_features_loader(own, loader, got, count_calls, &calls, &err))
            fail_msg("%s", err.message);
        assert_int_equal(calls, (COUNT + 1) / 2);
        assert_memory_equal(got, want, sizeof want);
    }
    assert_true(want[0] > 0 || want[1] > 0 || want[2] > 0);
    assert_memory_not_equal(want, want + WIDTH_OF_ROW, WIDTH_OF_ROW * sizeof *want);
    int64_t stop = -1;
    assert_int_equal(an_compute_features_loader(own, loader, got, count_calls, &stop, &err),
                     AN_ERR_CANCELLED);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
    an_model_destroy(own);
}

/* Policy skip leaves out images 0, 2 and 4 of 5: no score is theirs, and no other one moves. */
static void skipped_images_have_no_score(void **state) {
    (void)state;
    enum { COUNT = 5 };
    static const char labels[] = "0.png 1\n1.png 2\n2.png 3\n3.png 4\n4.png 5\n";
    const char *path = folder_path(test_folder, "1.png");
    float scores[COUNT], want = NAN;
    an_image *image = NULL;
    an_error err = {0};
    assert_int_equal(an_image_create(&image, frame, HEIGHT, WIDTH, NULL), AN_OK);
    assert_int_equal(an_image_write_png(image, path, NULL), AN_OK);
    assert_int_equal(an_image_write_png(image, folder_path(test_folder, "3.png"), NULL), AN_OK);
    an_image_destroy(image);
    for (int i = 0; i < COUNT; i += 2) {
        char name[] = "0.png";
        name[0] = (char)('0' + i);
        folder_write_text(folder_path(test_folder, name), "no image");
    }
    folder_write_text(folder_path(test_folder, "All_labels.txt"), labels);
    an_dataset_options options;
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.policy = AN_POLICY_SKIP;
    options.suffix = ".png";
    an_dataset *dataset = NULL;
    if (an_dataset_open(&dataset, test_folder, &options, &err)) fail_msg("%s", err.message);
    an_loader_options how;
    an_loader_options_init(&how, sizeof how);
    an_loader *loader = NULL;
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &how, NULL), AN_OK);
    if (an_predict_loader(model, loader, scores, NULL, NULL, &err)) fail_msg("%s", err.message);
    an_predictor *predictor = make_predictor();
    assert_int_equal(an_predictor_score_file(predictor, path, &want, NULL), AN_OK);
    for (int i = 0; i < COUNT; i++)
        if (i % 2)
            assert_true(fabsf(scores[i] - want) <= 1e-5f * fmaxf(1, fabsf(want)));
        else
            assert_true(isnan(scores[i]));
    static float features[COUNT][1280];
    memset(features, 0, sizeof features);
    if (an_compute_features_loader(model, loader, features[0], NULL, NULL, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < 1280; k++)
            assert_int_equal(!isnan(features[i][k]), i % 2);
    assert_memory_equal(features[1], features[3], sizeof features[1]);
    an_predictor_destroy(predictor);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

static void frames_allocate_nothing(void **state) {
    (void)state;
    an_predictor *predictor = make_predictor();
    score_frame(predictor, frame, HEIGHT, WIDTH, 3 * WIDTH);
    score_frame(predictor, frame, HEIGHT - 1, WIDTH - 2, 3 * WIDTH);
    ani_fault_arm(ANI_FAULT_ALLOC, INT64_MAX, ENOMEM, false);
    for (int i = 0; i < 3; i++)
        score_frame(predictor, frame, HEIGHT, WIDTH, 3 * WIDTH);
    const int64_t calls = ani_fault_calls(ANI_FAULT_ALLOC);
    ani_fault_disarm();
    assert_int_equal(calls, 0);
    an_predictor_destroy(predictor);
}

static void refuses_what_is_no_frame(void **state) {
    (void)state;
    an_predictor *predictor = make_predictor();
    float score;
    an_error err = {0};
    assert_int_equal(an_predictor_score_frame(predictor, frame, 0, WIDTH, 3 * WIDTH, &score, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, "the frame is 0 x 51; each must be 1 to 65535");
    assert_int_equal(an_predictor_score_frame(predictor, frame, HEIGHT, WIDTH, 152, &score, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, "row_stride is 152; RGB rows of 51 pixels have 153 bytes");
    assert_int_equal(an_predictor_score_frame(predictor, NULL, 1, 1, 3, &score, &err), AN_ERR_ARG);
    an_predictor *none = predictor;
    assert_int_equal(an_predictor_create(&none, NULL, &err), AN_ERR_ARG);
    assert_null(none);
    an_predictor_destroy(predictor);
}

typedef struct handles {
    an_model *model;
    an_loader *loader;
} handles;

static int32_t destroy_handles(void *user, const an_progress *progress) {
    handles *h = user;
    (void)progress;
    an_model_destroy(h->model);
    an_loader_destroy(h->loader);
    *h = (handles){NULL, NULL};
    return 0;
}

/* Seen by the address sanitizer. */
static void progress_may_destroy_the_handles(void **state) {
    (void)state;
    enum { COUNT = 4 };
    static uint8_t rgb[COUNT * PIXELS];
    static float numbers[COUNT * 1280];
    const double labels[COUNT] = {0};
    for (int which = 0; which < 3; which++) {
        handles h = {small_model(backend, 1, AN_TASK_REGRESSION), NULL};
        an_dataset *dataset = NULL;
        an_loader_options how;
        an_error err = {0};
        an_loader_options_init(&how, sizeof how);
        how.batch_size = 2;
        assert_int_equal(
            an_dataset_from_pixels(&dataset, rgb, COUNT, SIZE, SIZE, labels, 1, NULL, NULL), AN_OK);
        assert_int_equal(an_loader_create(&h.loader, dataset, NULL, 0, &how, NULL), AN_OK);
        an_dataset_destroy(dataset);
        const an_status st =
            which == 0 ? an_predict_loader(h.model, h.loader, numbers, destroy_handles, &h, &err)
            : which == 1
                ? an_compute_features_loader(h.model, h.loader, numbers, destroy_handles, &h, &err)
                : an_calibrate_loader(h.model, h.loader, 0, destroy_handles, &h, &err);
        if (st) fail_msg("%d: %s", which, err.message);
        assert_null(h.model);
    }
}

static void model_may_go_first(void **state) {
    (void)state;
    an_model *own = NULL;
    an_predictor *predictor = NULL;
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.alpha = 0.1;
    assert_int_equal(an_mobilenetv2_create(&own, backend, &options, NULL), AN_OK);
    assert_int_equal(an_predictor_create(&predictor, own, NULL), AN_OK);
    an_model_destroy(own);
    score_frame(predictor, frame, HEIGHT, WIDTH, 3 * WIDTH);
    an_predictor_destroy(predictor);
    an_predictor_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(frame_file_and_bytes_agree),
        cmocka_unit_test(rows_may_lie_apart),
        cmocka_unit_test(sizes_may_change),
        cmocka_unit_test(each_side_counts),
        cmocka_unit_test(sources_with_several_outputs),
        cmocka_unit_test(calibration_takes_as_many_as_asked),
        cmocka_unit_test(source_gives_the_same_scores),
        cmocka_unit_test(source_gives_the_features),
        unit_test_in_folder(skipped_images_have_no_score),
        cmocka_unit_test(frames_allocate_nothing),
        cmocka_unit_test(refuses_what_is_no_frame),
        cmocka_unit_test(progress_may_destroy_the_handles),
        cmocka_unit_test(model_may_go_first),
    };
    return cmocka_run_group_tests_name("predict", tests, make_model, drop_model);
}
