/* SPDX-License-Identifier: MIT
 * A warning callback that remembers what it was told. */
#ifndef SUPPORT_WARNINGS_H
#define SUPPORT_WARNINGS_H

#include <stdint.h>

#include <attractivenet/status.h>

typedef struct warnings {
    int64_t calls;
    int64_t counts[16]; /* by code */
    char last[256];
    int32_t answer; /* what the callback returns */
} warnings;

/** An an_warning_fn; user: warnings. */
int32_t warnings_note(void *user, const an_warning *warning);

#endif
