/* SPDX-License-Identifier: MIT
 * A warning callback that remembers what it was told. */
#include "support/warnings.h"

#include <stdio.h>

int32_t warnings_note(void *user, const an_warning *warning) {
    warnings *w = user;
    w->calls++;
    w->counts[warning->code] += warning->count;
    snprintf(w->last, sizeof w->last, "%s", warning->message);
    return w->answer;
}
