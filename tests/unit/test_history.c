/* SPDX-License-Identifier: MIT
 * history: epochs in, the same epochs out, and the CSV file that scripts rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <attractivenet/train.h>

#include "base/fault.h"
#include "support/folder.h"
#include "support/test_folder.h"

static char path[4096];

static int set_up(void **state) {
    test_folder_make(state);
    snprintf(path, sizeof path, "%s/history.csv", test_folder);
    return 0;
}

static an_history *make(void) {
    an_history *history = NULL;
    assert_int_equal(an_history_create(&history, NULL), AN_OK);
    return history;
}

static void append(an_history *history, int32_t stage, int32_t epoch, double loss,
                   double val_loss) {
    const an_epoch_report report = {.struct_size = sizeof report,
                                    .stage = stage,
                                    .epoch = epoch,
                                    .loss = loss,
                                    .val_loss = val_loss,
                                    .rate = stage == 1 ? 1e-3 : 1e-5,
                                    .seconds = 1.23456};
    assert_int_equal(an_history_append(history, &report, NULL), AN_OK);
}

static void expect_file(const char *want) {
    char bytes[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    bytes[fread(bytes, 1, sizeof bytes - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(bytes, want);
    assert_int_equal(unlink(path), 0);
}

static void keeps_every_epoch(void **state) {
    (void)state;
    an_history *history = make();
    assert_int_equal(an_history_count(history), 0);
    for (int32_t i = 1; i <= 1000; i++)
        append(history, 1 + i / 500, i, 1.0 / i, 2.0 / i);
    assert_int_equal(an_history_count(history), 1000);
    an_epoch_report report = {.struct_size = sizeof report};
    assert_int_equal(an_history_copy_epoch(history, 499, &report, NULL), AN_OK);
    assert_int_equal(report.epoch, 500);
    assert_int_equal(report.stage, 2);
    assert_true(report.loss == 1.0 / 500 && report.val_loss == 2.0 / 500);
    an_error err = {0};
    assert_int_equal(an_history_copy_epoch(history, 1000, &report, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "epoch 1000 is not in the history, which has 1000");
    assert_int_equal(an_history_copy_epoch(history, -1, &report, &err), AN_ERR_ARG);
    an_history_destroy(history);
}

static void writes_what_scripts_read(void **state) {
    (void)state;
    an_history *history = make();
    assert_int_equal(an_history_write_csv(history, path, NULL), AN_OK);
    expect_file("stage,epoch,loss,val_loss,rate,seconds\n");
    append(history, 1, 1, 3.886329848032731, 2.3006227016448975);
    append(history, 1, 2, 0.5, NAN);
    append(history, 2, 1, INFINITY, -0.0);
    const char *want = "stage,epoch,loss,val_loss,rate,seconds\n"
                       "1,1,3.886329848032731,2.3006227016448975,0.001,1.235\n"
                       "1,2,0.5,nan,0.001,1.235\n"
                       "2,1,inf,-0.0,1e-05,1.235\n";
    assert_int_equal(an_history_write_csv(history, path, NULL), AN_OK);
    expect_file(want);
    const char *comma[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE"};
    for (int i = 0; i < 3 && !setlocale(LC_ALL, comma[i]); i++) {
    }
    assert_int_equal(an_history_write_csv(history, path, NULL), AN_OK);
    setlocale(LC_ALL, "C");
    expect_file(want);
    an_history_destroy(history);
}

static void a_failed_write_leaves_the_old_file(void **state) {
    (void)state;
    an_history *history = make();
    append(history, 1, 1, 0.5, 0.25);
    assert_int_equal(an_history_write_csv(history, path, NULL), AN_OK);
    append(history, 1, 2, 0.4, 0.2);
    const int kinds[] = {ANI_FAULT_ALLOC, ANI_FAULT_WRITE, ANI_FAULT_RENAME};
    for (int i = 0; i < 3; i++) {
        an_error err = {0};
        ani_fault_arm(kinds[i], 0, i ? ENOSPC : ENOMEM, true);
        const an_status st = an_history_write_csv(history, path, &err);
        ani_fault_disarm();
        assert_int_equal(st, i ? AN_ERR_IO : AN_ERR_NOMEM);
    }
    expect_file("stage,epoch,loss,val_loss,rate,seconds\n1,1,0.5,0.25,0.001,1.235\n");
    an_error err = {0};
    assert_int_equal(an_history_write_csv(history, "/no/such/history.csv", &err), AN_ERR_IO);
    assert_string_equal(err.message,
                        "cannot write '/no/such/history.csv': No such file or directory");
    an_history_destroy(history);
}

static void no_memory_changes_nothing(void **state) {
    (void)state;
    an_history *history = NULL;
    an_error err = {0};
    ani_fault_arm(ANI_FAULT_ALLOC, 0, ENOMEM, true);
    assert_int_equal(an_history_create(&history, &err), AN_ERR_NOMEM);
    ani_fault_disarm();
    assert_null(history);
    history = make();
    const an_epoch_report report = {.struct_size = sizeof report, .epoch = 1};
    ani_fault_arm(ANI_FAULT_ALLOC, 0, ENOMEM, true);
    assert_int_equal(an_history_append(history, &report, &err), AN_ERR_NOMEM);
    ani_fault_disarm();
    assert_int_equal(an_history_count(history), 0);
    assert_int_equal(an_history_append(history, NULL, &err), AN_ERR_ARG);
    an_history_destroy(history);
    an_history_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_epoch),
        cmocka_unit_test(writes_what_scripts_read),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(no_memory_changes_nothing),
    };
    return cmocka_run_group_tests_name("history", tests, set_up, test_folder_end);
}
