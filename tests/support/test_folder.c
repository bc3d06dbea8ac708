/* SPDX-License-Identifier: MIT
 * The folder that a test's cases use. */
#include "support/test_folder.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "support/folder.h"

char *test_folder;

int test_folder_make(void **state) {
    (void)state;
    test_folder = folder_make();
    return 0;
}

int test_folder_remove(void **state) {
    (void)state;
    ani_fault_disarm();
    folder_remove(test_folder);
    test_folder = NULL;
    return 0;
}

int test_folder_end(void **state) {
    const bool is_empty = folder_count(test_folder) == 0;
    test_folder_remove(state);
    return is_empty ? 0 : -1;
}
