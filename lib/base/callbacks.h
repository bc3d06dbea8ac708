/* SPDX-License-Identifier: MIT
 * Telling the caller, who may ask to stop. */
#ifndef BASE_CALLBACKS_H
#define BASE_CALLBACKS_H

#include <stdint.h>

#include "base/error.h"

/** Hand a warning over, if warn is not NULL. Returns AN_OK; AN_ERR_CANCELLED if it asks to stop. */
an_status ani_warn(an_warning_fn warn, void *user, int32_t code, int64_t count, const char *message,
                   an_error *err);

/** Tell how far a call that began at begun (ani_clock_seconds()) has come; what names the units.
 * Likewise. */
an_status ani_report_progress(an_progress_fn progress, void *user, int64_t done, int64_t total,
                              double begun, const char *what, an_error *err);

#endif
