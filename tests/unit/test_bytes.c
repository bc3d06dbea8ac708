/* SPDX-License-Identifier: MIT
 * Models and lists of arrays in memory: the bytes of the files, read with the same checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

#include "base/file.h"
#include "base/memory.h"
#include "support/backends.h"
#include "support/folder.h"
#include "support/small_model.h"
#include "support/test_folder.h"

static an_error err;
static an_backend *backend;

static int make_backend(void **state) {
    (void)state;
    backend = test_backend_make("cpu", NULL, 2);
    return 0;
}

static int destroy_backend(void **state) {
    (void)state;
    an_backend_destroy(backend);
    return 0;
}

static void fill(float *x, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)(i * 37 % 256) / 255;
}

static void expect_ok(an_status st) {
    if (st) fail_msg("%s", err.message);
}

/* A file's content; free() it. */
static uint8_t *content_of(const char *path, int64_t *size) {
    uint8_t *bytes = NULL, *copy;
    expect_ok(ani_file_read_all(path, 64 << 20, &bytes, size, &err));
    copy = malloc((size_t)*size + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, (size_t)*size + 1);
    ani_free(bytes);
    return copy;
}

static void expect_file(const char *path, const an_bytes *bytes) {
    int64_t size;
    uint8_t *content = content_of(path, &size);
    assert_int_equal(an_bytes_size(bytes), size);
    assert_memory_equal(an_bytes_data(bytes), content, (size_t)size);
    free(content);
}

/* What is read must lie within it, as in a file on disk. */
static void a_file_in_memory_ends(void **state) {
    (void)state;
    static const char content[] = "abcdef";
    char read[8] = "........";
    ani_file *file = NULL;
    expect_ok(ani_file_open_bytes(&file, content, 4, "four", &err));
    assert_int_equal(ani_file_size(file), 4);
    expect_ok(ani_file_read(file, 1, read, 3, &err));
    assert_memory_equal(read, "bcd.", 4);
    expect_ok(ani_file_read(file, 4, read, 0, &err));
    assert_int_equal(ani_file_read(file, 2, read, 3, &err), AN_ERR_FORMAT);
    assert_string_equal(err.message, "'four' ends at byte 4, but 5 are needed");
    assert_int_equal(ani_file_read(file, 9, read, 1, &err), AN_ERR_FORMAT);
    ani_file_close(file);
}

/* --- lists of arrays -------------------------------------------------------------------------- */

static an_arrays *make_list(void) {
    static const float values[6] = {1.5f, -2, 0, 1e-40f, 3, 4};
    static const int64_t shape[2] = {2, 3}, none[1] = {0};
    an_arrays *list = NULL;
    expect_ok(an_arrays_create(&list, &err));
    expect_ok(an_arrays_add(list, "b/kernel", values, shape, 2, &err));
    expect_ok(an_arrays_add(list, "scalar \xe2\x82\xac", values, NULL, 0, &err));
    expect_ok(an_arrays_add(list, "empty", NULL, none, 1, &err));
    expect_ok(an_arrays_set_metadata(list, "note", "tab\t and \"quotes\"", &err));
    return list;
}

static void a_list_in_memory_is_the_file(void **state) {
    (void)state;
    const char *path = folder_path(test_folder, "list.safetensors");
    an_arrays *list = make_list(), *back = NULL;
    an_bytes *bytes = NULL, *again = NULL;
    expect_ok(an_arrays_write(list, path, &err));
    expect_ok(an_arrays_write_bytes(&bytes, list, &err));
    expect_file(path, bytes);
    expect_ok(an_arrays_read_bytes(&back, an_bytes_data(bytes), an_bytes_size(bytes), NULL, &err));
    assert_int_equal(an_arrays_count(back), 3);
    assert_string_equal(an_arrays_metadata(back, "note"), "tab\t and \"quotes\"");
    expect_ok(an_arrays_write_bytes(&again, back, &err));
    assert_int_equal(an_bytes_size(again), an_bytes_size(bytes));
    assert_memory_equal(an_bytes_data(again), an_bytes_data(bytes), (size_t)an_bytes_size(bytes));
    an_bytes_destroy(bytes);
    an_bytes_destroy(again);
    an_arrays_destroy(list);
    an_arrays_destroy(back);
}

static void an_empty_list_has_bytes(void **state) {
    (void)state;
    an_arrays *list = NULL, *back = NULL;
    an_bytes *bytes = NULL;
    expect_ok(an_arrays_create(&list, &err));
    expect_ok(an_arrays_write_bytes(&bytes, list, &err));
    expect_ok(an_arrays_read_bytes(&back, an_bytes_data(bytes), an_bytes_size(bytes), NULL, &err));
    assert_int_equal(an_arrays_count(back), 0);
    an_bytes_destroy(bytes);
    an_arrays_destroy(list);
    an_arrays_destroy(back);
}

/* --- models ----------------------------------------------------------------------------------- */

/* The bytes of a model are those of its file, and load as the file does. */
static void expect_same_model(an_model *model) {
    const char *path = folder_path(test_folder, "model.safetensors");
    float x[2 * PIXELS], scores[4][6];
    an_model *loaded[3] = {NULL};
    an_bytes *bytes = NULL, *again = NULL;
    an_model_info first = {.struct_size = sizeof first}, other = {.struct_size = sizeof other};
    fill(x, 2 * PIXELS);
    expect_ok(an_model_save(model, path, &err));
    expect_ok(an_model_save_bytes(&bytes, model, &err));
    expect_file(path, bytes);
    const int64_t size = an_bytes_size(bytes);
    expect_ok(an_model_load(&loaded[0], backend, path, NULL, &err));
    expect_ok(
        an_model_load_bytes(&loaded[1], backend, an_bytes_data(bytes), size, NULL, NULL, &err));
    /* nothing of the bytes is kept, and they may lie anywhere */
    uint8_t *moved = malloc((size_t)size + 1);
    assert_non_null(moved);
    memcpy(moved + 1, an_bytes_data(bytes), (size_t)size);
    expect_ok(an_model_load_bytes(&loaded[2], backend, moved + 1, size, "moved", NULL, &err));
    free(moved);
    expect_ok(an_model_save_bytes(&again, loaded[1], &err));
    assert_int_equal(an_bytes_size(again), size);
    assert_memory_equal(an_bytes_data(again), an_bytes_data(bytes), (size_t)size);
    an_bytes_destroy(bytes);
    an_bytes_destroy(again);
    memset(scores, 0, sizeof scores);
    expect_ok(an_model_describe(model, &first, &err));
    expect_ok(an_model_predict(model, x, 2, scores[3], &err));
    for (int32_t i = 0; i < 3; i++) {
        expect_ok(an_model_describe(loaded[i], &other, &err));
        assert_memory_equal(&first, &other, sizeof first);
        expect_ok(an_model_predict(loaded[i], x, 2, scores[i], &err));
        assert_memory_equal(scores[i], scores[3], sizeof *scores);
        an_model_destroy(loaded[i]);
    }
}

static void a_model_in_memory_is_the_file(void **state) {
    (void)state;
    float x[2 * PIXELS];
    an_model *model = small_model(backend, 3, AN_TASK_CLASSIFICATION);
    fill(x, 2 * PIXELS);
    small_model_settle(model, x, 2);
    expect_same_model(model);
    expect_ok(an_model_set_inference(model, AN_INFERENCE_BF16, &err));
    expect_same_model(model);
    expect_ok(an_model_calibrate_begin(model, &err));
    expect_ok(an_model_calibrate_add(model, x, 2, &err));
    expect_ok(an_model_calibrate_end(model, &err));
    expect_same_model(model);
    an_model_destroy(model);
}

/* A file that is refused is refused with the same words when it lies in memory. */
static void expect_same_refusal(const uint8_t *bytes, int64_t size) {
    const char *path = folder_path(test_folder, "bad.safetensors");
    an_model *file = NULL, *memory = NULL;
    an_error other;
    expect_ok(ani_file_write_all(path, bytes, size, &err));
    const an_status st = an_model_load(&file, backend, path, NULL, &other);
    assert_int_not_equal(st, AN_OK);
    /* of exactly that size: a sanitizer sees what lies behind */
    uint8_t *exact = malloc(size ? (size_t)size : 1);
    assert_non_null(exact);
    if (size) memcpy(exact, bytes, (size_t)size);
    assert_int_equal(an_model_load_bytes(&memory, backend, exact, size, path, NULL, &err), st);
    free(exact);
    assert_string_equal(err.message, other.message);
    assert_null(file);
    assert_null(memory);
}

static void damaged_bytes_are_refused_as_damaged_files(void **state) {
    (void)state;
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    an_bytes *saved = NULL;
    expect_ok(an_model_save_bytes(&saved, model, &err));
    an_model_destroy(model);
    const int64_t size = an_bytes_size(saved);
    uint8_t *bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    memcpy(bytes, an_bytes_data(saved), (size_t)size);
    bytes[size] = 0;
    an_bytes_destroy(saved);
    const int64_t cuts[] = {0, 1, 7, 8, 9, 100, size / 2, size - 1, size + 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        expect_same_refusal(bytes, cuts[i]);
    for (int64_t i = 0; i < 16; i++) { /* length of the header, and its first bytes */
        bytes[i] ^= 0x81;
        expect_same_refusal(bytes, size);
        bytes[i] ^= 0x81;
    }
    memcpy(bytes, "PK\3\4", 4);
    expect_same_refusal(bytes, size);
    memcpy(bytes, "\x89HDF\r\n\x1a\n", 8);
    expect_same_refusal(bytes, size);
    free(bytes);
}

static void messages_name_what_lies_in_memory(void **state) {
    (void)state;
    an_model *model = NULL;
    an_arrays *arrays = NULL;
    assert_int_equal(an_model_load_bytes(&model, backend, "<html>   ", 9, NULL, NULL, &err),
                     AN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "'in memory' is not a weight file"));
    assert_int_equal(an_arrays_read_bytes(&arrays, "", 0, "from the cache", &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "'from the cache' is empty"));
}

static void options_stand_beside_bytes(void **state) {
    (void)state;
    an_mobilenetv2_options options;
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION), *loaded = NULL;
    an_bytes *bytes = NULL;
    an_model_info info = {.struct_size = sizeof info};
    expect_ok(an_model_save_bytes(&bytes, model, &err));
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = 48;
    options.width = 64;
    expect_ok(an_model_load_bytes(&loaded, backend, an_bytes_data(bytes), an_bytes_size(bytes),
                                  NULL, &options, &err));
    expect_ok(an_model_describe(loaded, &info, &err));
    assert_int_equal(info.height, 48);
    assert_int_equal(info.width, 64);
    an_model_destroy(loaded);
    options.weights_kind = AN_WEIGHTS_FILE;
    options.weights_path = "somewhere.safetensors";
    assert_int_equal(an_model_load_bytes(&loaded, backend, an_bytes_data(bytes),
                                         an_bytes_size(bytes), NULL, &options, &err),
                     AN_ERR_ARG);
    assert_non_null(strstr(err.message, "somewhere.safetensors"));
    an_bytes_destroy(bytes);
    an_model_destroy(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_in_memory_ends),
        unit_test_in_folder(a_list_in_memory_is_the_file),
        cmocka_unit_test(an_empty_list_has_bytes),
        unit_test_in_folder(a_model_in_memory_is_the_file),
        unit_test_in_folder(damaged_bytes_are_refused_as_damaged_files),
        cmocka_unit_test(messages_name_what_lies_in_memory),
        cmocka_unit_test(options_stand_beside_bytes),
    };
    return cmocka_run_group_tests(tests, make_backend, destroy_backend);
}
