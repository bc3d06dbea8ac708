/* SPDX-License-Identifier: MIT
 * Calls to the caller's functions, which may ask to stop. */
#include "base/callbacks.h"

#include "base/clock.h"
#include "base/options.h"

void an_warning_init(an_warning *warning, uint32_t struct_size) {
    ani_report_init(warning, struct_size);
}

void an_progress_init(an_progress *progress, uint32_t struct_size) {
    ani_report_init(progress, struct_size);
}

an_status ani_warn(an_warning_fn warn, void *user, int32_t code, int64_t count, const char *message,
                   an_error *err) {
    const an_warning warning = {
        .struct_size = sizeof warning, .code = code, .count = count, .message = message};
    if (warn && warn(user, &warning))
        return ani_fail(err, AN_ERR_CANCELLED, "the warning callback asked to stop");
    return AN_OK;
}

an_status ani_report_progress(an_progress_fn progress, void *user, int64_t done, int64_t total,
                              double begun, const char *what, an_error *err) {
    if (!progress) return AN_OK;
    const double seconds = ani_clock_seconds() - begun;
    const an_progress now = {.struct_size = sizeof now,
                             .done = done,
                             .total = total,
                             .seconds = seconds,
                             .seconds_left = ani_seconds_left(done, total, seconds),
                             .what = what};
    if (progress(user, &now))
        return ani_fail(err, AN_ERR_CANCELLED, "the progress callback asked to stop");
    return AN_OK;
}
