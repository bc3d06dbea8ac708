/* SPDX-License-Identifier: MIT
 * Counters that tests arm. */
#include "base/fault.h"

#include <errno.h>
#include <stdatomic.h>

typedef struct fault {
    atomic_bool armed;
    atomic_llong calls;
    long long n;
    int code;
    bool sticky;
} fault;

static fault faults[ANI_FAULT_KINDS];

void ani_fault_arm(int kind, int64_t n, int code, bool sticky) {
    fault *f = &faults[kind];
    atomic_store(&f->armed, false);
    f->n = n;
    f->code = code;
    f->sticky = sticky;
    atomic_store(&f->calls, 0);
    atomic_store(&f->armed, true);
}

void ani_fault_disarm(void) {
    for (int kind = 0; kind < ANI_FAULT_KINDS; kind++)
        atomic_store(&faults[kind].armed, false);
}

int64_t ani_fault_calls(int kind) {
    return atomic_load(&faults[kind].calls);
}

int ani_fault_check(int kind) {
    fault *f = &faults[kind];
    if (!atomic_load_explicit(&f->armed, memory_order_acquire)) return 0;
    const long long call = atomic_fetch_add(&f->calls, 1);
    if (call < f->n || (call > f->n && !f->sticky)) return 0;
    return f->code == EINTR && call - f->n >= ANI_FAULT_INTERRUPTIONS ? 0 : f->code;
}
