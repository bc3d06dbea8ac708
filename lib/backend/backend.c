/* SPDX-License-Identifier: MIT
 * Creates and shares backends of every type. */
#include "backend/backend.h"

#include <stddef.h>

#include "base/cpu.h"
#include "base/options.h"
#include "base/thread.h"

enum { MAX_THREADS = 1024 };

static an_backend_options default_options(void) {
    return (an_backend_options){.struct_size = sizeof(an_backend_options), .kind = AN_BACKEND_CPU};
}

void an_backend_options_init(an_backend_options *options, uint32_t struct_size) {
    const an_backend_options defaults = default_options();
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

an_status an_backend_create(an_backend **out, const an_backend_options *options, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_backend_options ours = default_options();
    const an_status st = ani_options_copy(&ours, sizeof ours, options, "an_backend_options", err);
    if (st) return st;
    if (ours.threads < 0 || ours.threads > MAX_THREADS)
        return ani_fail(err, AN_ERR_ARG, "threads is %d; it must be 0 to %d", (int)ours.threads,
                        MAX_THREADS);
    if (ours.device < 0)
        return ani_fail(err, AN_ERR_ARG, "device is %d; it must be 0 or more", (int)ours.device);
    if (ours.threads == 0) ours.threads = ani_cpu_count();
    switch (ours.kind) {
    case AN_BACKEND_CPU:
        return ani_cpu_create(out, &ours, err);
    case AN_BACKEND_REF:
        return ani_ref_create(out, &ours, err);
    case AN_BACKEND_CUDA:
        return ani_fail(err, AN_ERR_UNSUPPORTED, "this build has no feature 'cuda'");
    default:
        return ani_fail(err, AN_ERR_ARG, "backend kind is %d; it must be %d to %d", (int)ours.kind,
                        AN_BACKEND_CPU, AN_BACKEND_CUDA);
    }
}

an_status ani_backend_check(const an_backend *backend, an_error *err) {
    return ani_process_check(backend->process, "the backend", err);
}

bool ani_backend_is_alike(const an_backend *a, const an_backend *b) {
    return a->ops == b->ops && a->instructions == b->instructions;
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
