/* SPDX-License-Identifier: MIT
 * Our writer of HDF5 against libhdf5, which reads the files here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "io/hdf5_write.h"
#include "support/folder.h"
#include "support/test_folder.h"

static const char *made(void) {
    return folder_path(test_folder, "made.h5");
}

/* Write a draft, clear it, and open the file with libhdf5. */
static hid_t finish(ani_hdf5_draft *draft) {
    an_error err;
    ani_writer *writer;
    if (ani_hdf5_end(draft, &err)) fail_msg("%s", err.message);
    assert_int_equal(ani_writer_begin(&writer, made(), &err), AN_OK);
    assert_int_equal(ani_hdf5_write(draft, ani_writer_put, writer, &err), AN_OK);
    assert_int_equal(ani_writer_commit(writer, &err), AN_OK);
    ani_hdf5_clear(draft);
    const hid_t file = H5Fopen(made(), H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

/* The members of a group, by name, each followed by a space. */
static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    (void)group;
    (void)info;
    char *text = user;
    strcat(strcat(text, name), " ");
    return 0;
}

static void members(char *out, hid_t file, const char *path) {
    const hid_t group = H5Gopen2(file, path, H5P_DEFAULT);
    assert_true(group >= 0);
    *out = '\0';
    assert_true(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, add_name, out) >= 0);
    H5Gclose(group);
}

static char *read_text(hid_t file, const char *path, const char *name) {
    char *text = NULL;
    const hid_t at = H5Aopen_by_name(file, path, name, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(at >= 0);
    const hid_t type = H5Aget_type(at);
    assert_true(H5Tis_variable_str(type) > 0 && H5Tget_cset(type) == H5T_CSET_UTF8);
    assert_true(H5Aread(at, type, &text) >= 0);
    H5Tclose(type);
    H5Aclose(at);
    return text;
}

/* A list of texts with width bytes each; free() it. */
static char *read_list(hid_t file, const char *path, const char *name, hsize_t *count,
                       size_t *width) {
    const hid_t at = H5Aopen_by_name(file, path, name, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(at >= 0);
    const hid_t type = H5Aget_type(at), space = H5Aget_space(at);
    assert_int_equal(H5Sget_simple_extent_dims(space, count, NULL), 1);
    *width = H5Tget_size(type);
    assert_int_equal(H5Tget_strpad(type), H5T_STR_NULLPAD);
    char *texts = calloc((size_t)*count, *width);
    assert_true(H5Aread(at, type, texts) >= 0);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(at);
    return texts;
}

static void groups_and_arrays(void **state) {
    (void)state;
    static const float values[] = {1, -2.5F, 3, 0.1F, 5, 6, 7};
    static const int64_t shape[] = {7}, square[] = {1, 3, 1, 2};
    ani_hdf5_draft draft = {0};
    char names[256];
    const int64_t inner = ani_hdf5_add_group(&draft, ANI_HDF5_ROOT, "inner");
    const int64_t a = ani_hdf5_add_group(&draft, inner, "b_1"); /* sorted after "b" */
    ani_hdf5_add_array(&draft, a, "odd:0", shape, 1, values);
    ani_hdf5_add_group(&draft, inner, "b");
    ani_hdf5_add_array(&draft, ANI_HDF5_ROOT, "four", square, 4, values);
    ani_hdf5_add_group(&draft, inner, "B");
    const hid_t file = finish(&draft);
    members(names, file, "/");
    assert_string_equal(names, "four inner ");
    members(names, file, "/inner");
    assert_string_equal(names, "B b b_1 ");
    members(names, file, "/inner/b");
    assert_string_equal(names, "");
    float read[7];
    hid_t array = H5Dopen2(file, "/inner/b_1/odd:0", H5P_DEFAULT);
    const hid_t type = H5Dget_type(array);
    assert_true(H5Tequal(type, H5T_IEEE_F32LE) > 0);
    assert_true(H5Dread(array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, read) >= 0);
    assert_memory_equal(read, values, sizeof values);
    H5Tclose(type);
    H5Dclose(array);
    array = H5Dopen2(file, "/four", H5P_DEFAULT);
    const hid_t space = H5Dget_space(array);
    hsize_t lengths[4];
    assert_int_equal(H5Sget_simple_extent_dims(space, lengths, NULL), 4);
    for (int axis = 0; axis < 4; axis++)
        assert_int_equal(lengths[axis], square[axis]);
    H5Sclose(space);
    H5Dclose(array);
    H5Fclose(file);
}

static void a_group_may_have_256_members(void **state) {
    (void)state;
    for (int count = 7; count <= ANI_HDF5_MAX_MEMBERS + 1; count += count < 9 ? 1 : 124) {
        ani_hdf5_draft draft = {0};
        an_error err;
        static char names[4096];
        char wanted[4096] = "";
        const int64_t group = ani_hdf5_add_group(&draft, ANI_HDF5_ROOT, "many");
        for (int i = count - 1; i >= 0; i--) {
            char name[16];
            snprintf(name, sizeof name, "n%03d", i);
            ani_hdf5_add_group(&draft, group, name);
        }
        if (count > ANI_HDF5_MAX_MEMBERS) {
            assert_int_equal(ani_hdf5_end(&draft, &err), AN_ERR_UNSUPPORTED);
            assert_string_equal(err.message, "HDF5: the group 'many' has over 256 members");
            ani_hdf5_clear(&draft);
            return;
        }
        const hid_t file = finish(&draft);
        members(names, file, "/many");
        for (int i = 0; i < count; i++)
            sprintf(wanted + strlen(wanted), "n%03d ", i);
        assert_string_equal(names, wanted);
        H5Fclose(file);
    }
    fail();
}

static void texts_of_any_length(void **state) {
    (void)state;
    ani_hdf5_draft draft = {0};
    enum { LONG = 100001 }; /* more than an attribute itself can have */
    char *text = malloc(LONG + 1);
    memset(text, 'x', LONG);
    text[LONG] = '\0';
    const int64_t group = ani_hdf5_add_group(&draft, ANI_HDF5_ROOT, "g");
    ani_hdf5_add_text(&draft, ANI_HDF5_ROOT, "long", text);
    ani_hdf5_add_text(&draft, group, "short", "a");
    ani_hdf5_add_text(&draft, group, "\xc3\xbc", "gr\xc3\xbc\xc3\x9f");
    const hid_t file = finish(&draft);
    char *read = read_text(file, "/", "long");
    assert_string_equal(read, text);
    H5free_memory(read);
    read = read_text(file, "/g", "short");
    assert_string_equal(read, "a");
    H5free_memory(read);
    read = read_text(file, "/g", "\xc3\xbc");
    assert_string_equal(read, "gr\xc3\xbc\xc3\x9f");
    H5free_memory(read);
    H5Fclose(file);
    free(text);
}

static void a_long_list_is_split_as_keras_splits_it(void **state) {
    (void)state;
    enum { COUNT = 5000, MOST = ANI_HDF5_MAX_LIST / 20 };
    static char texts[COUNT][24];
    static const char *list[COUNT];
    ani_hdf5_draft draft = {0};
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof *texts, i == 3 ? "name of 20 bytes %03d" : "name %d", i);
        list[i] = texts[i];
    }
    ani_hdf5_add_list(&draft, ANI_HDF5_ROOT, "whole", list, MOST);
    ani_hdf5_add_list(&draft, ANI_HDF5_ROOT, "parts", list, COUNT);
    const hid_t file = finish(&draft);
    hsize_t count;
    size_t width;
    char *read = read_list(file, "/", "whole", &count, &width);
    assert_int_equal(width, 20);
    assert_int_equal(count, MOST);
    assert_memory_equal(read + 3 * width, list[3], width);
    assert_memory_equal(read + 4 * width, "name 4\0", 7);
    free(read);
    assert_int_equal(H5Aexists(file, "parts"), 0);
    assert_int_equal(H5Aexists(file, "parts2"), 0);
    for (int part = 0, at = 0; part < 2; part++) {
        read = read_list(file, "/", part ? "parts1" : "parts0", &count, &width);
        assert_int_equal(count, part ? COUNT - MOST : MOST);
        assert_true(count * width <= ANI_HDF5_MAX_LIST);
        for (hsize_t i = 0; i < count && part; i++, at++)
            assert_string_equal(read + i * width, list[MOST + at]);
        free(read);
    }
    H5Fclose(file);
}

static void an_empty_file(void **state) {
    (void)state;
    char names[16];
    ani_hdf5_draft draft = {0};
    const hid_t file = finish(&draft);
    members(names, file, "/");
    assert_string_equal(names, "");
    H5Fclose(file);
}

static void describe(ani_hdf5_draft *draft) {
    static const float values[] = {1, 2, 3};
    static const int64_t shape[] = {3};
    static const char *const list[] = {"one", "three"};
    for (int i = 0; i < 70; i++) {
        char name[16];
        snprintf(name, sizeof name, "g%d", i);
        const int64_t group = ani_hdf5_add_group(draft, ANI_HDF5_ROOT, name);
        ani_hdf5_add_array(draft, group, "a", shape, 1, values);
    }
    ani_hdf5_add_text(draft, ANI_HDF5_ROOT, "t", "text");
    ani_hdf5_add_list(draft, ANI_HDF5_ROOT, "l", list, 2);
}

static an_status discard(void *user, const void *bytes, int64_t size, an_error *err) {
    (void)bytes;
    (void)err;
    *(int64_t *)user += size;
    return AN_OK;
}

static void out_of_memory_at_any_point(void **state) {
    (void)state;
    bool failed = true;
    int64_t n = 0;
    for (; failed; n++) {
        ani_hdf5_draft draft = {0};
        an_error err;
        int64_t size = 0;
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        describe(&draft);
        an_status st = ani_hdf5_end(&draft, &err);
        if (!st) st = ani_hdf5_write(&draft, discard, &size, &err);
        failed = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        assert_int_equal(st, failed ? AN_ERR_NOMEM : AN_OK);
        ani_hdf5_clear(&draft);
    }
    assert_true(n > 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(groups_and_arrays),
        unit_test_in_folder(a_group_may_have_256_members),
        unit_test_in_folder(texts_of_any_length),
        unit_test_in_folder(a_long_list_is_split_as_keras_splits_it),
        unit_test_in_folder(an_empty_file),
        cmocka_unit_test(out_of_memory_at_any_point),
    };
    return cmocka_run_group_tests_name("hdf5_write", tests, NULL, NULL);
}
