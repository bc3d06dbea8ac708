/* SPDX-License-Identifier: MIT
 * cgo's exported functions know no const. */
#include "attractivenet_go.h"

#include "_cgo_export.h"

int32_t an_go_progress(void *user, const an_progress *progress) {
    return goProgress(user, (an_progress *)progress);
}
int32_t an_go_warn(void *user, const an_warning *warning) {
    return goWarn(user, (an_warning *)warning);
}
int32_t an_go_event(void *user, const an_train_event *event) {
    return goEvent(user, (an_train_event *)event);
}
int32_t an_go_text(void *user, const char *text) {
    return goText(user, (char *)text);
}
int32_t an_go_loss(void *user, const an_loss_batch *batch) {
    return goLoss(user, (an_loss_batch *)batch);
}
int32_t an_go_fill(void *user, const an_fill_batch *batch) {
    return goFill(user, (an_fill_batch *)batch);
}
void an_go_release(void *user) {
    goRelease(user);
}
