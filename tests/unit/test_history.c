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

/* --- columns, and back from CSV --------------------------------------------------------------- */

static void columns_are_the_numbers_of_the_reports(void **state) {
    (void)state;
    an_history *history = make();
    const an_epoch_report reports[] = {
        {sizeof *reports, 1, 1, 1, 0, 0, AN_STOP_NONE, 0, 7, 0.5, NAN, 1e-3, 2.5},
        {sizeof *reports, 2, 3, 0, 1, 1, AN_STOP_EARLY, 0, 9, 0.25, 0.125, 1e-5, 3.5}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(an_history_append(history, &reports[i], NULL), AN_OK);
    const struct {
        const char *name;
        double values[2];
    } want[] = {{"stage", {1, 2}},      {"epoch", {1, 3}},     {"improved", {1, 0}},
                {"saved", {0, 1}},      {"stopped", {0, 1}},   {"reason", {0, AN_STOP_EARLY}},
                {"steps", {7, 9}},      {"loss", {0.5, 0.25}}, {"rate", {1e-3, 1e-5}},
                {"seconds", {2.5, 3.5}}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        double values[3] = {0, 0, -7};
        assert_int_equal(an_history_copy_column(history, want[i].name, values, NULL), AN_OK);
        assert_true(values[0] == want[i].values[0] && values[1] == want[i].values[1]);
        assert_true(values[2] == -7);
    }
    double values[2];
    assert_int_equal(an_history_copy_column(history, "val_loss", values, NULL), AN_OK);
    assert_true(isnan(values[0]) && values[1] == 0.125);
    an_error err;
    assert_int_equal(an_history_copy_column(history, "accuracy", values, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "no column 'accuracy'"));
    an_history_destroy(history);
}

static an_history *read_text(const char *text) {
    an_history *history = NULL;
    an_error err;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
    if (an_history_read_csv(&history, path, &err)) fail_msg("%s", err.message);
    assert_int_equal(unlink(path), 0);
    return history;
}

static void expect_epoch(const an_history *history, int64_t index, int32_t stage, int32_t epoch,
                         double loss, double val_loss, double rate) {
    an_epoch_report got = {.struct_size = sizeof got};
    assert_int_equal(an_history_copy_epoch(history, index, &got, NULL), AN_OK);
    const double numbers[] = {got.loss, got.val_loss, got.rate}, want[] = {loss, val_loss, rate};
    assert_int_equal(got.stage, stage);
    assert_int_equal(got.epoch, epoch);
    for (int i = 0; i < 3; i++)
        if (numbers[i] != want[i] && !(isnan(numbers[i]) && isnan(want[i])))
            fail_msg("epoch %lld: number %d is %g, expected %g", (long long)index, i, numbers[i],
                     want[i]);
}

static void what_is_written_reads_back(void **state) {
    (void)state;
    an_history *history = make(), *back = NULL;
    append(history, 1, 1, 3.886329848032731, 2.3006227016448975);
    append(history, 1, 2, 0.5, NAN);
    append(history, 2, 1, INFINITY, -0.0);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(an_history_write_csv(turn ? back : history, path, NULL), AN_OK);
        an_history_destroy(back);
        assert_int_equal(an_history_read_csv(&back, path, NULL), AN_OK);
        assert_int_equal(an_history_count(back), 3);
        expect_epoch(back, 0, 1, 1, 3.886329848032731, 2.3006227016448975, 1e-3);
        expect_epoch(back, 1, 1, 2, 0.5, NAN, 1e-3);
        expect_epoch(back, 2, 2, 1, INFINITY, 0, 1e-5);
        an_epoch_report last = {.struct_size = sizeof last};
        assert_int_equal(an_history_copy_epoch(back, 2, &last, NULL), AN_OK);
        assert_true(signbit(last.val_loss) && last.seconds == 1.235 && last.steps == 0);
    }
    assert_int_equal(unlink(path), 0);
    an_history_destroy(back);
    an_history_destroy(history);
}

/* Files that keras.callbacks.CSVLogger of Keras 3.12.1 wrote: twice, with append, with an array
 * among the logs, and an epoch without validation. */
static void logs_of_keras_are_read(void **state) {
    (void)state;
    static const char *const logs[] = {
        "epoch,confusion,learning_rate,loss,val_loss\r\n"
        "0,\"\"\"[1, 2]\"\"\",0.001,0.7,0.25\r\n1,\"\"\"[3, 4]\"\"\",1e-05,nan,0.125\r\n"
        "2,\"\"\"[3, 4]\"\"\",1e-05,inf,NA\r\n0,\"\"\"[1, 2]\"\"\",0.001,0.7,0.25\r\n",
        "epoch;confusion;learning_rate;loss;val_loss\r\n"
        "0;\"\"\"[1, 2]\"\"\";0.001;0.7;0.25\r\n1;\"\"\"[3, 4]\"\"\";1e-05;nan;0.125\r\n"
        "2;\"\"\"[3, 4]\"\"\";1e-05;inf;NA\r\n0;\"\"\"[1, 2]\"\"\";0.001;0.7;0.25\r\n"};
    for (int i = 0; i < 2; i++) {
        an_history *history = read_text(logs[i]);
        assert_int_equal(an_history_count(history), 4);
        expect_epoch(history, 0, 1, 1, 0.7, 0.25, 1e-3);
        expect_epoch(history, 1, 1, 2, NAN, 0.125, 1e-5);
        expect_epoch(history, 2, 1, 3, INFINITY, NAN, 1e-5);
        expect_epoch(history, 3, 2, 1, 0.7, 0.25, 1e-3); /* the second fit() */
        double seconds[4];
        assert_int_equal(an_history_copy_column(history, "seconds", seconds, NULL), AN_OK);
        assert_true(isnan(seconds[0]));
        an_history_destroy(history);
    }
    /* as Keras 2 names the rate, with what editors add; fine-tuning with initial_epoch goes on */
    an_history *history = read_text("\xEF\xBB\xBFlr\tloss\tepoch\n\n1e-3\t2\t4\n\n\"1e-4\"\t1\t9");
    assert_int_equal(an_history_count(history), 2);
    expect_epoch(history, 0, 1, 5, 2, NAN, 1e-3);
    expect_epoch(history, 1, 1, 10, 1, NAN, 1e-4);
    an_history_destroy(history);
    history = read_text("loss,epoch\n");
    assert_int_equal(an_history_count(history), 0);
    an_history_destroy(history);
}

static void logs_that_are_none_are_refused_by_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } wrong[] = {
        {"", "line 1: no column 'epoch'"},
        {"epoch,val_loss\n", "line 1: no column 'loss'"},
        {"epoch,loss,loss\n", "line 1: a second column for 'loss'"},
        {"epoch,loss,lr,learning_rate\n", "line 1: a second column for 'rate'"},
        {"epoch,loss\n0,1\n\n1\n", "line 4: 1 fields; the header has 2"},
        {"epoch,loss\n0,1,2\n", "line 2: 3 fields; the header has 2"},
        {"epoch,loss,x\n0,1,\"a\nb\"\n1,one,\n", "line 4: 'loss' has 'one'; it must be a number"},
        {"epoch,loss\n0,\n", "line 2: 'loss' has ''; it must be a number"},
        {"epoch,loss\n0,1e999\n", "line 2: 'loss' has '1e999'; it must be a number"},
        {"epoch,loss\n0,0x10\n", "line 2: 'loss' has '0x10'; it must be a number"},
        {"epoch;loss\n0;1,5\n", "line 2: 'loss' has '1,5'; it must be a number"},
        {"epoch,loss\n-1,1\n", "line 2: 'epoch' has '-1'; it must be a whole number"},
        {"epoch,loss\n1.5,1\n", "line 2: 'epoch' has '1.5'; it must be a whole number"},
        {"epoch,loss\n2147483647,1\n", "line 2: 'epoch' has '2147483647'"},
        {"stage,epoch,loss\n0,1,1\n",
         "line 2: 'stage' has '0'; it must be a positive whole number"},
        {"stage,epoch,loss\n1,0,1\n", "line 2: epoch 0 of a stage; they count from 1"},
        {"epoch,loss\n0,\"1\n", "line 2: the quote of field 2 is not closed"},
        {"epoch,loss\n0,\"1\"2\n", "line 2: '2' follows the closing quote of field 2"},
        {"epoch,loss\n0,1\"\n", "line 2: field 2, '1\"', has a quote inside"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        an_history *history = NULL;
        an_error err = {0};
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fputs(wrong[i].text, file);
        fclose(file);
        const an_status st = an_history_read_csv(&history, path, &err);
        if (st != AN_ERR_FORMAT || !strstr(err.message, wrong[i].message))
            fail_msg("status %d, '%s', expected '%s'", (int)st, err.message, wrong[i].message);
        assert_null(history);
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite("epoch,loss\n0,1\0\n", 1, 16, file);
    fclose(file);
    an_history *history = NULL;
    an_error err = {0};
    assert_int_equal(an_history_read_csv(&history, path, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "has a zero byte"));
    file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 1025; i++)
        fprintf(file, "c%d,", i);
    fclose(file);
    assert_int_equal(an_history_read_csv(&history, path, &err), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "more than 1024 columns"));
    assert_int_equal(truncate(path, (64 << 20) + 1), 0);
    assert_int_equal(an_history_read_csv(&history, path, &err), AN_ERR_UNSUPPORTED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(an_history_read_csv(&history, path, &err), AN_ERR_IO);
    assert_null(history);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_epoch),
        cmocka_unit_test(writes_what_scripts_read),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(no_memory_changes_nothing),
        cmocka_unit_test(columns_are_the_numbers_of_the_reports),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(logs_of_keras_are_read),
        cmocka_unit_test(logs_that_are_none_are_refused_by_line),
    };
    return cmocka_run_group_tests_name("history", tests, set_up, test_folder_end);
}
