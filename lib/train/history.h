/* SPDX-License-Identifier: MIT
 * The history from the inside: counted references, an append that cannot fail, and all of it as
 * text that reads back. */
#ifndef TRAIN_HISTORY_H
#define TRAIN_HISTORY_H

#include <attractivenet/train.h>

#include "base/text.h"

/** Count a holder; an_history_destroy() gives it back. */
void ani_history_hold(an_history *history);
/** Make room for one more epoch, so that the next an_history_append() does not fail. */
an_status ani_history_reserve(an_history *history, an_error *err);

/** Add a line an epoch with all that its report has. */
void ani_history_print(const an_history *history, ani_text *text);
/** Append epochs from such lines. AN_ERR_FORMAT: a line is something else. */
an_status ani_history_parse(an_history *history, const char *text, an_error *err);
/** Let the last epoch be one that did not end its stage. */
void ani_history_go_on(an_history *history);
/** Let both have what the other one had. */
void ani_history_swap(an_history *a, an_history *b);

#endif
