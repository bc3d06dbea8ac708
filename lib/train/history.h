/* SPDX-License-Identifier: MIT
 * The internal interface of the history: reference counting, an append that cannot fail, and a
 * round trip through text. */
#ifndef TRAIN_HISTORY_H
#define TRAIN_HISTORY_H

#include <attractivenet/train.h>

#include "base/text.h"

/** Take a reference; an_history_destroy() releases it. */
void ani_history_hold(an_history *history);
/** Make room for one more epoch, so that the next an_history_append() does not fail. */
an_status ani_history_reserve(an_history *history, an_error *err);

/** Add a line per epoch with everything in its report. */
void ani_history_print(const an_history *history, ani_text *text);
/** Append epochs from such lines. AN_ERR_FORMAT: a line is invalid. */
an_status ani_history_parse(an_history *history, const char *text, an_error *err);
/** Record why the last epoch ended its stage; AN_STOP_NONE: it did not. */
void ani_history_set_reason(an_history *history, int32_t reason);
/** Swap the contents of two histories. */
void ani_history_swap(an_history *a, an_history *b);

#endif
