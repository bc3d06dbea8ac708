/* SPDX-License-Identifier: MIT
 * The history from the inside: counted references, and an append that cannot fail. */
#ifndef TRAIN_HISTORY_H
#define TRAIN_HISTORY_H

#include <attractivenet/train.h>

/** Count a holder; an_history_destroy() gives it back. */
void ani_history_hold(an_history *history);
/** Make room for one more epoch, so that the next an_history_append() does not fail. */
an_status ani_history_reserve(an_history *history, an_error *err);

#endif
