/* SPDX-License-Identifier: MIT
 * Calls to the caller's functions, which may ask to stop. */
#ifndef BASE_CALLBACKS_H
#define BASE_CALLBACKS_H

#include <stdint.h>

#include "base/error.h"

/** Pass a warning to warn unless it is NULL. Returns AN_OK, or AN_ERR_CANCELLED if warn asks to
 * stop. */
an_status ani_warn(an_warning_fn warn, void *user, int32_t code, int64_t count, const char *message,
                   an_error *err);

/** Report the progress of a call that began at begun (ani_clock_seconds()); what names the units.
 * The return value is as above. */
an_status ani_report_progress(an_progress_fn progress, void *user, int64_t done, int64_t total,
                              double begun, const char *what, an_error *err);

#endif
