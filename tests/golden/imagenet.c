/* SPDX-License-Identifier: MIT
 * Topic imagenet: the published weights with their 1000 classes, on the photographs of scikit-learn
 * and scikit-image. AN_WEIGHTS_DIR: the weight files; AN_PHOTOS_DIR: the photographs. */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <attractivenet/mobilenetv2.h>

#include "support/backends.h"

enum { SIDE = 224, SHORTER = 256, CLASSES = 1000 };

static bool weight_path(char path[4096], const char *name) {
    const char *folder = getenv("AN_WEIGHTS_DIR");
    if (!folder) return false;
    snprintf(path, 4096, "%s/%s", folder, name);
    return access(path, R_OK) == 0;
}

static an_model *load_classifier(an_backend *backend, const char *path) {
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_error error;
    an_model_info info = {.struct_size = sizeof info};
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    if (an_model_load(&model, backend, path, &options, &error)) fail_msg("%s", error.message);
    assert_int_equal(an_model_describe(model, &info, NULL), AN_OK);
    assert_int_equal(info.outputs, CLASSES);
    assert_int_equal(info.task, AN_TASK_CLASSIFICATION);
    assert_int_equal(info.scale, AN_SCALE_TF);
    return model;
}

/* The shorter side to 256, the middle 224 x 224, x/127.5 - 1. */
static void prepare(const char *path, float *x) {
    an_image *image = NULL;
    an_error error;
    float table[768];
    if (an_image_read(&image, path, NULL, &error)) fail_msg("%s", error.message);
    const int64_t h = an_image_height(image), w = an_image_width(image), low = h < w ? h : w;
    const int64_t height = (h * SHORTER + low / 2) / low, width = (w * SHORTER + low / 2) / low;
    uint8_t *small = malloc((size_t)(height * width * 3));
    assert_int_equal(
        an_resize_u8(an_image_const_data(image), h, w, 3, small, height, width, &error), AN_OK);
    assert_int_equal(an_scale_fill_tables(AN_SCALE_TF, table, NULL), AN_OK);
    const int64_t top = (height - SIDE) / 2, left = (width - SIDE) / 2;
    for (int64_t y = 0; y < SIDE; y++)
        for (int64_t i = 0; i < SIDE * 3; i++)
            x[y * SIDE * 3 + i] = table[small[((top + y) * width + left) * 3 + i]];
    free(small);
    an_image_destroy(image);
}

static void photographs(void **state) {
    (void)state;
    static const struct {
        const char *file, *name;
        int32_t number; /* in the sorted list of synsets */
    } photos[] = {{"china.jpg", "palace", 698},         {"flower.jpg", "honeycomb", 599},
                  {"chelsea.png", "Egyptian_cat", 285}, {"coffee.png", "espresso", 967},
                  {"rocket.jpg", "missile", 657},       {"camera.png", "tripod", 872},
                  {"astronaut.png", "jersey", 610}};
    char path[4096];
    const char *folder = getenv("AN_PHOTOS_DIR");
    if (!folder || !weight_path(path, "mobilenet_v2_1.0_224_imagenet_dequant_top.h5")) skip();
    an_backend *backend = test_backend_make("cpu", NULL, 2);
    an_model *model = load_classifier(backend, path);
    float *x = malloc(SIDE * SIDE * 3 * sizeof *x), y[CLASSES];
    int32_t found = 0;
    for (size_t i = 0; i < sizeof photos / sizeof *photos; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, photos[i].file);
        if (access(path, R_OK)) continue;
        int32_t best = 0;
        double sum = 0;
        prepare(path, x);
        assert_int_equal(an_model_predict(model, x, 1, y, NULL), AN_OK);
        for (int32_t k = 0; k < CLASSES; k++) {
            if (y[k] > y[best]) best = k;
            sum += y[k];
        }
        assert_true(sum > 0.9999 && sum < 1.0001);
        if (best != photos[i].number)
            fail_msg("%s: class %d with %.3f, expected %d (%s), which has %.3f", photos[i].file,
                     best, (double)y[best], photos[i].number, photos[i].name,
                     (double)y[photos[i].number]);
        found++;
    }
    free(x);
    an_model_destroy(model);
    an_backend_destroy(backend);
    if (!found) skip();
}

/* Today's names and those of the published files give one and the same base. */
static void names_old_and_new(void **state) {
    (void)state;
    static const char *const files[] = {"mobilenet_v2_1.0_224_imagenet_dequant.h5",
                                        "mobilenet_v2_1.0_224_imagenet_dequant_oldnames.h5",
                                        "mobilenet_v2_1.0_224_imagenet_dequant_top.h5"};
    an_arrays *arrays[3] = {NULL};
    an_backend *backend = test_backend_make("ref", NULL, 1);
    int32_t found = 0;
    for (int32_t i = 0; i < 3; i++) {
        char path[4096];
        an_mobilenetv2_options options;
        an_model *model = NULL;
        an_error error;
        if (!weight_path(path, files[i])) continue;
        an_mobilenetv2_options_init(&options, sizeof options);
        options.weights_kind = AN_WEIGHTS_FILE;
        options.weights_path = path;
        if (an_mobilenetv2_create(&model, backend, &options, &error)) fail_msg("%s", error.message);
        assert_int_equal(an_model_copy_weights(&arrays[found++], model, NULL), AN_OK);
        an_model_destroy(model);
    }
    for (int32_t i = 1; i < found; i++)
        for (int64_t k = 0; k < an_arrays_count(arrays[0]); k++) {
            int64_t count = 1;
            for (int32_t axis = 0; axis < an_arrays_rank(arrays[0], k); axis++)
                count *= an_arrays_length(arrays[0], k, axis);
            assert_string_equal(an_arrays_name(arrays[0], k), an_arrays_name(arrays[i], k));
            assert_memory_equal(an_arrays_data(arrays[0], k), an_arrays_data(arrays[i], k),
                                (size_t)count * sizeof(float));
        }
    for (int32_t i = 0; i < found; i++)
        an_arrays_destroy(arrays[i]);
    an_backend_destroy(backend);
    if (!found) skip();
}

int golden_imagenet(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_old_and_new),
                                       cmocka_unit_test(photographs)};
    return cmocka_run_group_tests_name("imagenet", tests, NULL, NULL);
}
