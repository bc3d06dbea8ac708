/* SPDX-License-Identifier: MIT
 * Fuzz target: a history as CSV. What was read can be written, and reads back. */
#include <math.h>
#include <string.h>

#include <attractivenet/train.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    an_history *history = NULL;
    an_error err;
    const an_status st = an_history_read_csv(&history, fuzz_path(data, size), &err);
    fuzz_check_status(st, &err);
    REQUIRE(!st == !!history);
    for (int64_t i = 0; i < an_history_count(history); i++) {
        an_epoch_report report = {.struct_size = sizeof report};
        REQUIRE(an_history_copy_epoch(history, i, &report, &err) == AN_OK);
        REQUIRE(report.stage >= 1 && report.epoch >= 1);
    }
    an_history_destroy(history);
    return 0;
}
