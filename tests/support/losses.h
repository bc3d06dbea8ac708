/* SPDX-License-Identifier: MIT
 * Losses by kind, as options for the calls that take them. */
#ifndef SUPPORT_LOSSES_H
#define SUPPORT_LOSSES_H

#include <attractivenet/layers.h>

/** Return the options for a kind, AN_LOSS_*, or for an invalid number. One at a time. */
static inline const an_loss_options *loss_of(int32_t kind) {
    static _Thread_local an_loss_options options;
    an_loss_options_init(&options, sizeof options);
    options.kind = kind;
    return &options;
}

#endif
