/* SPDX-License-Identifier: MIT
 * The folder that a test's cases use, as cmocka set-up and tear-down. */
#ifndef SUPPORT_TEST_FOLDER_H
#define SUPPORT_TEST_FOLDER_H

/** The folder, see folder_path(); NULL before it is created and after it is removed. */
extern char *test_folder;

/** Set-up of a case or group: create an empty folder. */
int test_folder_make(void **state);
/** Tear-down of a case: disarm faults, which a failed case has not done, and remove the folder with
 * its contents. */
int test_folder_remove(void **state);
/** Tear-down of a group: the same, but the group fails if a case left something in the folder. */
int test_folder_end(void **state);

/** A case with its own empty folder. */
#define unit_test_in_folder(function)                                                              \
    cmocka_unit_test_setup_teardown(function, test_folder_make, test_folder_remove)

#endif
