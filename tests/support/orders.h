/* SPDX-License-Identifier: MIT
 * The device that tests of backends run on, and the orders of threads in which its kernels run. */
#ifndef SUPPORT_ORDERS_H
#define SUPPORT_ORDERS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** AN_TEST_DEVICE, as an_backend_options names devices; "cpu" if it is not set. */
static inline const char *test_device(void) {
    const char *device = getenv("AN_TEST_DEVICE");
    return device && *device ? device : "cpu";
}
static inline int32_t test_device_is_cuda(void) {
    return !strncmp(test_device(), "cuda", 4);
}

/** Orders in which the CUDA kernels run on the host (tests/cuda/shim/shim.h). On a card, and on
 * other devices, they are repetitions. */
enum { TEST_ORDERS = 4 };

static inline const char *test_order_name(int32_t order) {
    static const char *const names[TEST_ORDERS] = {"forward", "reverse", "1", "2"};
    return names[order];
}
/** For all launches from now on. */
static inline void test_set_order(int32_t order) {
    setenv("AN_SHIM_ORDER", test_order_name(order), 1);
}

/** Return whether this point of a large test is to run: with AN_TEST_SHARE=k, one in k, chosen by
 * AN_SEED, so that they differ from commit to commit. */
static inline int32_t test_is_chosen(uint32_t number) {
    const char *share = getenv("AN_TEST_SHARE"), *seed = getenv("AN_SEED");
    const uint64_t k = share ? strtoull(share, NULL, 10) : 1;
    uint64_t hash = 1469598103934665603u; /* FNV-1a */
    for (; seed && *seed; seed++)
        hash = (hash ^ (unsigned char)*seed) * 1099511628211u;
    for (int i = 0; i < 4; i++)
        hash = (hash ^ (number >> 8 * i & 255)) * 1099511628211u;
    hash ^= hash >> 29; /* the low bits of FNV differ little */
    hash *= 0xbf58476d1ce4e5b9u;
    return k < 2 || (hash >> 32) % k == 0;
}

#endif
