/* SPDX-License-Identifier: MIT
 * What C calls, on its way to Go: user points to the cgo.Handle of the callbacks. */
#ifndef ATTRACTIVENET_GO_CALLBACKS_H
#define ATTRACTIVENET_GO_CALLBACKS_H

#include <attractivenet/attractivenet.h>

int32_t an_go_progress(void *user, const an_progress *progress);
int32_t an_go_warn(void *user, const an_warning *warning);
int32_t an_go_event(void *user, const an_train_event *event);
int32_t an_go_text(void *user, const char *text);
int32_t an_go_loss(void *user, const an_loss_batch *batch);
int32_t an_go_fill(void *user, const an_fill_batch *batch);
void an_go_release(void *user);

#endif
