/* SPDX-License-Identifier: MIT
 * Copies of a test's arrays in a backend's memory. */
#ifndef SUPPORT_DEVICE_MEMORY_H
#define SUPPORT_DEVICE_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/backend.h"

/** Memory with these contents; NULL stays NULL. */
static inline void *device_copy(an_backend *backend, const void *from, int64_t size) {
    if (!from) return NULL;
    void *memory = backend->ops->alloc(backend, size);
    assert_non_null(memory);
    backend->ops->write(backend, memory, from, size);
    return memory;
}

/** Memory for a result, or scratch: filled with bytes that are NaN in each type. */
static inline void *device_room(an_backend *backend, int64_t size) {
    void *memory = backend->ops->alloc(backend, size ? size : 1);
    assert_non_null(memory);
    backend->ops->fill(backend, memory, 0xff, size);
    return memory;
}

/** Wait for the backend, read what it made and free the memory. NULL: nothing happens; to NULL: it
 * is freed only. */
static inline void device_end(an_backend *backend, void *memory, void *to, int64_t size) {
    if (!memory) return;
    an_error err = {0};
    if (backend->ops->wait(backend, &err)) fail_msg("%s", err.message);
    if (to) backend->ops->read(backend, to, memory, size);
    backend->ops->free(backend, memory, size ? size : 1);
}

#endif
