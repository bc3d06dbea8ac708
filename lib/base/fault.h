/* SPDX-License-Identifier: MIT
 * Fault injection for tests: the n-th allocation, read, write, sync or rename can be made to fail.
 * There is one counter per kind for the whole process; nothing is armed unless a test arms it. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ANI_FAULT_ALLOC,
    ANI_FAULT_OPEN,
    ANI_FAULT_READ,
    ANI_FAULT_WRITE,
    ANI_FAULT_SYNC,
    ANI_FAULT_RENAME,
    ANI_FAULT_KINDS
};

/** How often a sticky EINTR occurs: interrupted calls are retried, forever if need be. */
enum { ANI_FAULT_INTERRUPTIONS = 100 };

/** Make call number n of a kind (from 0, counted from now) fail with errno code; with sticky, all
 * later calls too. code -1: a short count (read, write) instead of an error. */
void ani_fault_arm(int kind, int64_t n, int code, bool sticky);
/** Stop injecting faults of all kinds. */
void ani_fault_disarm(void);
/** Return how many calls of a kind there have been since it was armed (arm with n = INT64_MAX to
 * count). */
int64_t ani_fault_calls(int kind);
/** Called by the allocator and the file layer: returns 0 to continue, else the errno code to fail
 * with, or -1 for a short count. */
int ani_fault_check(int kind);

#endif
