/* SPDX-License-Identifier: MIT
 * What all backends have in common: references, their process, what they say of themselves. */
#include "backend/backend.h"

#include <string.h>

#include "base/options.h"
#include "base/thread.h"

an_status ani_backend_check(const an_backend *backend, an_error *err) {
    return ani_process_check(backend->process, "the backend", err);
}

an_status ani_backend_fail_memory(an_backend *backend, int64_t size, const char *what,
                                  an_error *err) {
    int64_t total, free;
    if (size < 0 || !backend->device.capability_major) return ani_fail_memory(err, size, what);
    backend->ops->memory(backend, &total, &free);
    return ani_fail(err, AN_ERR_NOMEM,
                    "no memory for %s on %s: %lld bytes wanted, %lld of %lld free; a smaller batch "
                    "needs less",
                    what, backend->device.device, (long long)size, (long long)free,
                    (long long)total);
}

bool ani_backend_is_alike(const an_backend *a, const an_backend *b) {
    return a->ops == b->ops && a->instructions == b->instructions &&
           !strcmp(a->device.device, b->device.device);
}

void ani_backend_hold(an_backend *backend) {
    atomic_fetch_add_explicit(&backend->references, 1, memory_order_relaxed);
}

void an_backend_destroy(an_backend *backend) {
    if (!backend) return;
    if (atomic_fetch_sub_explicit(&backend->references, 1, memory_order_acq_rel) > 1) return;
    backend->ops->destroy(backend);
}

const char *an_backend_name(const an_backend *backend) {
    return backend ? backend->ops->name : "";
}

const char *an_backend_level(const an_backend *backend) {
    return backend ? backend->level : "";
}

int32_t an_backend_threads(const an_backend *backend) {
    return backend ? backend->threads : 0;
}

an_status an_backend_describe(an_backend *backend, an_device_info *info, an_error *err) {
    if (!backend) return ani_fail(err, AN_ERR_ARG, "backend is NULL");
    if (!info) return ani_fail(err, AN_ERR_ARG, "info is NULL");
    an_status st = ani_report_check(info, "an_device_info", err);
    if (!st) st = ani_backend_check(backend, err);
    if (st) return st;
    int64_t total, free;
    backend->ops->memory(backend, &total, &free);
    an_device_info now;
    an_device_info_init(&now, sizeof now);
    ani_device_report(&backend->device, &now);
    now.memory_total = total;
    now.memory_free = free;
    ani_report_copy(info, &now, sizeof now);
    return AN_OK;
}
