/* SPDX-License-Identifier: MIT
 * The orders of threads in which the shim runs each test (tests/cuda/shim/shim.h). On a device they
 * are just repetitions. */
#ifndef CUDA_ORDERS_H
#define CUDA_ORDERS_H

#include <stdlib.h>

enum { ORDERS = 4 };

static inline const char *order_name(int order) {
    static const char *const names[ORDERS] = {"forward", "reverse", "1", "2"};
    return names[order];
}

/** For all launches from now on. */
static inline void set_order(int order) {
    setenv("AN_SHIM_ORDER", order_name(order), 1);
}

#endif
