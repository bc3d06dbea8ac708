/* SPDX-License-Identifier: MIT
 * callbacks: edges of the decisions, what our own bar prints, and event files byte for byte.
 * Sequences of Keras' own results are in tests/golden/callbacks.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <attractivenet/train.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/memory.h"
#include "support/folder.h"
#include "support/test_folder.h"
#include "train/console.h"
#include "train/decisions.h"
#include "train/events.h"

/* --- decisions -------------------------------------------------------------------------------- */

static void early_stopping_waits_for_a_gain(void **state) {
    (void)state;
    an_early_stopping stop;
    an_early_stopping_init(&stop, sizeof stop, -1e-3, 2);
    assert_int_equal(an_early_stopping_update(&stop, 0, 1.0), AN_EARLY_KEEP);
    assert_int_equal(an_early_stopping_update(&stop, 1, 0.999), 0); /* rounds to no gain */
    assert_int_equal(an_early_stopping_update(&stop, 2, 0.998), AN_EARLY_KEEP);
    assert_int_equal(an_early_stopping_update(&stop, 3, NAN), 0);
    assert_int_equal(an_early_stopping_update(&stop, 4, 5), AN_EARLY_STOP);
    assert_int_equal(stop.best_epoch, 2);
    assert_int_equal(stop.stopped_epoch, 4);
}

static void early_stopping_keeps_and_stops_at_once(void **state) {
    (void)state;
    an_early_stopping stop;
    an_early_stopping_init(&stop, sizeof stop, 0, 0);
    stop.start_from_epoch = 3;
    for (int32_t epoch = 0; epoch < 3; epoch++)
        assert_int_equal(an_early_stopping_update(&stop, epoch, 1), 0);
    assert_int_equal(an_early_stopping_update(&stop, 3, NAN), AN_EARLY_KEEP + AN_EARLY_STOP);
}

/* Keras asks for an epoch above 0, counted from 0, before it stops. */
static void early_stopping_never_stops_in_the_first_epoch(void **state) {
    (void)state;
    an_early_stopping stop;
    an_early_stopping_init(&stop, sizeof stop, 0, 0);
    assert_int_equal(an_early_stopping_update(&stop, 0, NAN), AN_EARLY_KEEP);
    assert_int_equal(an_early_stopping_update(&stop, 1, NAN), AN_EARLY_STOP);
}

static void early_stopping_can_be_off(void **state) {
    (void)state;
    an_early_stopping stop;
    an_early_stopping_init(&stop, sizeof stop, 0, -1);
    assert_int_equal(an_early_stopping_update(&stop, 0, 1), AN_EARLY_KEEP);
    for (int32_t epoch = 1; epoch < 1000; epoch++)
        assert_int_equal(an_early_stopping_update(&stop, epoch, 2), 0);
}

static void checkpoint_never_takes_nan(void **state) {
    (void)state;
    an_best_checkpoint best;
    an_best_checkpoint_init(&best, sizeof best, 1);
    assert_int_equal(an_best_checkpoint_update(&best, NAN), 0);
    assert_int_equal(an_best_checkpoint_update(&best, 1), 1);
    assert_int_equal(an_best_checkpoint_update(&best, 1), 0);
    assert_int_equal(an_best_checkpoint_update(&best, nextafter(1, 0)), 1);
    an_best_checkpoint_init(&best, sizeof best, 0);
    assert_int_equal(an_best_checkpoint_update(&best, 7), 1);
    assert_int_equal(an_best_checkpoint_update(&best, 8), 1);
}

static void rate_stops_at_its_lowest(void **state) {
    (void)state;
    an_reduce_rate reduce;
    double rate = 1e-3;
    an_reduce_rate_init(&reduce, sizeof reduce, 0.1, 1);
    reduce.min_rate = 5e-5;
    for (int epoch = 0; epoch < 10; epoch++)
        rate = an_reduce_rate_update(&reduce, 1, rate);
    assert_true(rate == (double)5e-5f);
}

/* After a reduction `cooldown` epochs do not count towards the next one. */
static void rate_cools_down(void **state) {
    (void)state;
    /* 1 and 2 bring no gain; 3 and 4 only cool down, with 5 that is over and counts again */
    static const int reduced_at[] = {2, 6, 10};
    an_reduce_rate reduce;
    double rate = 1;
    an_reduce_rate_init(&reduce, sizeof reduce, 0.5, 2);
    reduce.cooldown = 3;
    int next = 0;
    for (int epoch = 0; epoch < 12; epoch++) {
        const double before = rate;
        rate = an_reduce_rate_update(&reduce, 1, rate);
        const int expected = next < 3 && epoch == reduced_at[next];
        if ((rate < before) != expected)
            fail_msg("epoch %d: rate %g after %g", epoch, rate, before);
        if (expected) assert_true(rate == before / 2);
        next += expected;
    }
    assert_int_equal(next, 3);
}

/* --- console ---------------------------------------------------------------------------------- */

static int32_t collect(void *user, const char *text) {
    ani_text_add(user, text, (int64_t)strlen(text));
    return 0;
}

static int32_t refuse(void *user, const char *text) {
    (void)text;
    (void)user;
    return 1;
}

static void expect_printed(ani_text *printed, const char *want) {
    assert_string_equal(printed->size ? printed->bytes : "", want);
    printed->size = 0;
}

static ani_console make_console(ani_text *printed, int32_t verbose, int32_t terminal) {
    ani_console console;
    const an_train_options options = {
        .verbose = verbose, .text_is_terminal = terminal, .text = collect, .text_user = printed};
    ani_console_init(&console, &options);
    return console;
}

static void our_bar(void **state) {
    (void)state;
    ani_text printed = {0};
    ani_console console = make_console(&printed, AN_VERBOSE_BAR, 1);
    const an_model_info info = {.base = AN_BASE_FROZEN, .trainable = 1281, .parameters = 2259265};
    ani_console_stage(&console, &info, 1, NULL);
    expect_printed(&printed, "Stage 1, base: frozen (weights fixed, batch norm by its moving "
                             "statistics). Trained: 1,281 of 2,259,265 parameters\n");
    ani_console_begin(&console, 1, 3, 30, 4, 10, NULL);
    ani_console_step(&console, 1, 0.5, 20, NULL);
    expect_printed(&printed,
                   "\rstage 1  epoch  3/30  [====>               ]  25%  loss 0.5000  30 s left");
    ani_console_step(&console, 2, 0.0005, 20.05, NULL); /* too soon */
    expect_printed(&printed, "");
    ani_console_step(&console, 4, 0.0005, 200, NULL);
    expect_printed(
        &printed, "\rstage 1  epoch  3/30  [====================] 100%  loss 5.0000e-04  0 s left");
    const an_epoch_report report = {
        .loss = 0.25, .val_loss = 0.125, .rate = 1e-3, .seconds = 190, .saved = 1};
    ani_console_end(&console, &report, 0, 200, NULL);
    assert_non_null(strstr(printed.bytes, "\rstage 1  epoch  3/30  loss 0.2500  val_loss 0.1250  "
                                          "rate 0.001  3:10  saved\n"));
    printed.size = 0;
    ani_console_clear(&console);

    console = make_console(&printed, AN_VERBOSE_BAR, 2);
    ani_console_begin(&console, 2, 0, 0, 80, 0, NULL);
    ani_console_step(&console, 9, NAN, 4000, NULL);
    expect_printed(&printed,
                   "\rstage 2  features  \u2588\u2588\u258e\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7"
                   "\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7  11%  "
                   "8:45:56 left");
    ani_console_end_features(&console, 4000, NULL);
    assert_non_null(strstr(printed.bytes, "\rstage 2  features  computed once  1:06:40\n"));
    ani_console_clear(&console);
    ani_text_clear(&printed);
}

static void quiet_without_a_terminal(void **state) {
    (void)state;
    ani_text printed = {0};
    const an_epoch_report report = {.loss = 0.25, .val_loss = NAN, .rate = 1e-3, .seconds = 2};
    for (int32_t verbose = AN_VERBOSE_BAR; verbose <= AN_VERBOSE_KERAS; verbose++) {
        ani_console console = make_console(&printed, verbose, 0);
        ani_console_begin(&console, 1, 1, 2, 4, 0, NULL);
        for (int64_t step = 1; step <= 4; step++)
            ani_console_step(&console, step, 0.5, (double)step, NULL);
        ani_console_end(&console, &report, 0, 5, NULL);
        expect_printed(&printed, verbose == AN_VERBOSE_BAR
                                     ? "stage 1  epoch 1/2  loss 0.2500  rate 0.001  2 s\n"
                                     : "Epoch 1/2\n4/4 - 5s - loss: 0.2500 - 5s/epoch - 1s/step\n");
        ani_console_clear(&console);
    }
    ani_console console = make_console(&printed, AN_VERBOSE_NONE, 1);
    ani_console_begin(&console, 1, 1, 2, 4, 0, NULL);
    ani_console_end(&console, &report, 0, 5, NULL);
    expect_printed(&printed, "");
    ani_text_clear(&printed);
}

static void text_can_stop_the_run(void **state) {
    (void)state;
    ani_console console;
    an_error err = {0};
    const an_train_options options = {.verbose = AN_VERBOSE_KERAS, .text = refuse};
    ani_console_init(&console, &options);
    assert_int_equal(ani_console_begin(&console, 1, 1, 2, 4, 0, &err), AN_ERR_CANCELLED);
    assert_string_equal(err.message, "the text callback asked to stop");
    ani_console_clear(&console);
    ani_console_init(&console, &options);
    ani_fault_arm(ANI_FAULT_ALLOC, 0, ENOMEM, true);
    assert_int_equal(ani_console_begin(&console, 1, 1, 2, 4, 0, &err), AN_ERR_NOMEM);
    ani_fault_disarm();
    ani_console_clear(&console);
}

/* --- event files ------------------------------------------------------------------------------ */

static void crc_of_the_standard(void **state) {
    (void)state;
    const uint8_t zeros[32] = {0};
    assert_int_equal(ani_crc32c("123456789", 9), 0xE3069283u);
    assert_int_equal(ani_crc32c(zeros, 32), 0x8A9136AAu); /* RFC 3720, B.4 */
    assert_int_equal(ani_crc32c("", 0), 0);
}

static uint32_t mask(uint32_t crc) {
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

/** Read and remove the one event file of a folder. */
static uint8_t *take_events(const char *name, int64_t *size) {
    char where[128], path[512] = "";
    snprintf(where, sizeof where, "%s/%s", test_folder, name);
    DIR *open = opendir(where);
    assert_non_null(open);
    for (const struct dirent *entry; (entry = readdir(open));) {
        if (entry->d_name[0] == '.') continue;
        assert_string_equal(path, "");
        assert_memory_equal(entry->d_name, "events.out.tfevents.", 20);
        snprintf(path, sizeof path, "%s/%s", where, entry->d_name);
    }
    closedir(open);
    uint8_t *bytes = NULL;
    assert_int_equal(ani_file_read_all(path, 1 << 20, &bytes, size, NULL), AN_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(where), 0);
    return bytes;
}

/** Check the frame at *at and step behind it. Returns its content. */
static const uint8_t *next_frame(const uint8_t *bytes, int64_t size, int64_t *at,
                                 uint64_t *length) {
    uint32_t crc;
    assert_true(*at + 12 <= size);
    memcpy(length, bytes + *at, 8);
    memcpy(&crc, bytes + *at + 8, 4);
    assert_int_equal(crc, mask(ani_crc32c(bytes + *at, 8)));
    const uint8_t *content = bytes + *at + 12;
    assert_true(*at + 16 + (int64_t)*length <= size);
    memcpy(&crc, content + *length, 4);
    assert_int_equal(crc, mask(ani_crc32c(content, (int64_t)*length)));
    *at += 16 + (int64_t)*length;
    return content;
}

static void event_files_hold_scalars(void **state) {
    (void)state;
    ani_events *events = NULL;
    assert_int_equal(ani_events_create(&events, test_folder, 1, 1, NULL), AN_OK);
    const an_epoch_report report = {.loss = 0.5, .val_loss = 0.25, .rate = 1e-3};
    assert_int_equal(ani_events_epoch(events, 300, &report, NULL), AN_OK);
    ani_events_destroy(events);

    int64_t size, at = 0;
    uint64_t length;
    uint8_t *bytes = take_events("train", &size);
    const uint8_t *content = next_frame(bytes, size, &at, &length);
    assert_int_equal(length, 9 + 2 + 13);
    /* as every event file of TensorFlow begins */
    assert_memory_equal(bytes + 8, "\xA3\x7F\x4B\x22", 4);
    assert_int_equal(content[0], 0x09); /* wall_time */
    assert_memory_equal(content + 9,
                        "\x1A\x0D"
                        "brain.Event:2",
                        15);
    content = next_frame(bytes, size, &at, &length);
    static const uint8_t want[] = {
        0x10, 0xAC, 0x02, /* step 300 */
        0x2A, 0x22,       /* summary */
        0x0A, 0x20,       /* value */
        0x0A, 0x0A,       /* tag */
        'e',  'p',  'o',  'c',  'h',  '_',  'l', 'o',  's',
        's',  0x15, 0x00, 0x00, 0x00, 0x3F,                   /* simple_value 0.5 */
        0x4A, 0x0D,                                           /* metadata */
        0x0A, 0x09, 0x0A, 0x07,                               /* plugin_data, plugin_name */
        's',  'c',  'a',  'l',  'a',  'r',  's', 0x20, 0x01}; /* data_class scalar */
    assert_int_equal(length, 9 + sizeof want);
    assert_memory_equal(content + 9, want, sizeof want);
    content = next_frame(bytes, size, &at, &length);
    assert_memory_equal(content + 9 + 9, "epoch_learning_rate", 19);
    assert_int_equal(at, size);
    ani_free(bytes);
    bytes = take_events("validation", &size);
    at = 0;
    next_frame(bytes, size, &at, &length);
    content = next_frame(bytes, size, &at, &length);
    assert_int_equal(length, 9 + sizeof want);
    assert_memory_equal(content + 9, want, 20);
    assert_memory_equal(content + 9 + 20, "\x00\x00\x80\x3E", 4); /* 0.25 */
    assert_int_equal(at, size);
    ani_free(bytes);
}

static void event_files_that_cannot_be_written(void **state) {
    (void)state;
    ani_events *events = NULL;
    an_error err = {0};
    assert_int_equal(ani_events_create(&events, "/proc/no/such", 0, 1, &err), AN_ERR_IO);
    assert_null(events);
    const an_epoch_report report = {.loss = 0.5, .val_loss = 0.25, .rate = 1e-3};
    for (int64_t n = 0;; n++) {
        assert_int_equal(ani_events_create(&events, test_folder, 0, 1, NULL), AN_OK);
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = ani_events_epoch(events, 1, &report, &err);
        const bool reached = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        ani_events_destroy(events);
        if (!reached) {
            assert_int_equal(st, AN_OK);
            break;
        }
        assert_int_equal(st, AN_ERR_NOMEM);
    }
    int64_t size;
    ani_free(take_events("train", &size));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(early_stopping_waits_for_a_gain),
        cmocka_unit_test(early_stopping_keeps_and_stops_at_once),
        cmocka_unit_test(early_stopping_never_stops_in_the_first_epoch),
        cmocka_unit_test(early_stopping_can_be_off),
        cmocka_unit_test(checkpoint_never_takes_nan),
        cmocka_unit_test(rate_stops_at_its_lowest),
        cmocka_unit_test(rate_cools_down),
        cmocka_unit_test(our_bar),
        cmocka_unit_test(quiet_without_a_terminal),
        cmocka_unit_test(text_can_stop_the_run),
        cmocka_unit_test(crc_of_the_standard),
        cmocka_unit_test(event_files_hold_scalars),
        cmocka_unit_test(event_files_that_cannot_be_written),
    };
    return cmocka_run_group_tests_name("callbacks", tests, test_folder_make, test_folder_end);
}
