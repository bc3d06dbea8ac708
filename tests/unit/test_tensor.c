/* SPDX-License-Identifier: MIT
 * Tensors: shapes that are taken and refused, memory owned and borrowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <attractivenet/tensor.h>

static void owned(void **state) {
    (void)state;
    const int64_t shape[3] = {2, 3, 4};
    an_tensor *tensor = NULL;
    assert_int_equal(an_tensor_create(&tensor, shape, 3, NULL), AN_OK);
    assert_int_equal(an_tensor_rank(tensor), 3);
    assert_int_equal(an_tensor_count(tensor), 24);
    assert_int_equal(an_tensor_length(tensor, 2), 4);
    assert_int_equal(an_tensor_length(tensor, 3), 0);
    assert_int_equal(an_tensor_length(tensor, -1), 0);
    assert_int_equal((uintptr_t)an_tensor_data(tensor) % 64, 0);
    for (int64_t i = 0; i < 24; i++)
        assert_true(an_tensor_const_data(tensor)[i] == 0);
    an_tensor_destroy(tensor);
    an_tensor_destroy(NULL);
}

static void borrowed(void **state) {
    (void)state;
    const int64_t shape[2] = {1, 2}, empty[2] = {0, 7};
    float values[2] = {1, 2};
    an_tensor *tensor = NULL;
    an_error error;
    assert_int_equal(an_tensor_borrow(&tensor, values, shape, 2, NULL), AN_OK);
    assert_ptr_equal(an_tensor_data(tensor), values);
    an_tensor_destroy(tensor);
    assert_true(values[1] == 2);
    assert_int_equal(an_tensor_borrow(&tensor, NULL, empty, 2, NULL), AN_OK);
    assert_int_equal(an_tensor_count(tensor), 0);
    assert_null(an_tensor_data(tensor));
    an_tensor_destroy(tensor);
    assert_int_equal(an_tensor_borrow(&tensor, NULL, shape, 2, &error), AN_ERR_ARG);
    assert_string_equal(error.message, "tensor: data is NULL for 2 elements");
    assert_null(tensor);
}

static void refused(void **state) {
    (void)state;
    const int64_t negative[2] = {3, -1}, huge[3] = {INT64_MAX / 4, 4, 2};
    an_tensor *tensor = NULL;
    an_error error;
    assert_int_equal(an_tensor_create(&tensor, negative, 2, &error), AN_ERR_ARG);
    assert_string_equal(error.message, "tensor: length -1 of axis 1 is below 0");
    assert_int_equal(an_tensor_create(&tensor, huge, 3, &error), AN_ERR_ARG);
    assert_int_equal(an_tensor_create(&tensor, huge, 0, &error), AN_ERR_ARG);
    assert_int_equal(an_tensor_create(&tensor, huge, 9, &error), AN_ERR_ARG);
    assert_string_equal(error.message, "tensor: rank is 9; it must be 1 to 8");
    assert_null(tensor);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(owned), cmocka_unit_test(borrowed),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("tensor", tests, NULL, NULL);
}
